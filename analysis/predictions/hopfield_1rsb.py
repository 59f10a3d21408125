"""Figure of one step of replica symmetry breaking in the Hopfield network."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

THEORIES = {"symmetric": "replica symmetric", "one_step": "one step of breaking"}


def draw(group: xr.DataTree) -> Figure:
    """Overlap and spinodal next to the capacity, energies at T = 0 with their crossing, and order
    parameters and entropy of the glass against temperature."""
    figure, (overlap, spinodal, energy, glass) = style.panels(2, 2)
    critical = group["critical"].dataset
    for place, (name, label) in enumerate(THEORIES.items()):
        found = group[f"capacity/{name}"].dataset
        for branch in found.branch.values:
            one = found.m.sel(branch=branch)
            lines = overlap.plot(one.alpha, one, **style.line(place))
        lines[0].set_label(label)
        found = group[f"spinodal/{name}"].dataset
        spinodal.plot(found.alpha, found.temperature, label=label, **style.line(place))
        found = group[f"ground/{name}"].dataset
        energy.plot(found.alpha, found.energy, label=f"glass, {label}", **style.line(place))
        found = group[f"glass/{name}"].dataset
        glass.plot(found.temperature, found.entropy, label=f"entropy, {label}", **style.line(place))
    overlap.plot(critical.alpha_c, critical.m, "o", ms=5, color=style.COLOURS[1])
    overlap.annotate(
        rf"$\alpha_c = {float(critical.alpha_c):.6f}$",
        (critical.alpha_c, critical.m),
        xytext=(-10, 0),
        textcoords="offset points",
        ha="right",
        va="center",
    )
    overlap.set(xlabel=style.LOAD, ylabel=style.OVERLAP, title="retrieval states at $T = 0$")
    overlap.legend(loc="center left")
    spinodal.set(
        xlabel=style.LOAD, ylabel=style.TEMPERATURE, title="spinodal $\\alpha_M(T)$", ylim=(0, None)
    )
    spinodal.legend(loc="upper left")
    spinodal.ticklabel_format(useOffset=False)
    spinodal.locator_params(axis="x", nbins=4)

    retrieval = group["ground/retrieval"].dataset
    energy.plot(retrieval.alpha, retrieval.energy, label="retrieval", **style.line(2))
    crossing = float(critical.alpha_1)
    at = float(retrieval.energy.interp(alpha=crossing))
    energy.plot(crossing, at, "o", ms=5, color=style.COLOURS[1])
    energy.annotate(
        rf"$\alpha_1 = {crossing:.5f}$", (crossing, at), xytext=(8, 8), textcoords="offset points"
    )
    energy.set(xlabel=style.LOAD, ylabel="energy per neuron (units of $J$)", title="$T = 0$")
    energy.legend(loc="lower left")

    broken = group["glass/one_step"].dataset
    for place, (name, label) in enumerate(
        {"q1": "$q_1$, one step", "q0": "$q_0$, one step", "x": "$x$, one step"}.items(), 2
    ):
        glass.plot(broken.temperature, broken[name], label=label, **style.line(place))
    glass.axhline(0, color="0.5", lw=0.8)
    glass.set(
        xlabel=style.TEMPERATURE,
        ylabel="entropy per neuron, order parameters",
        title=rf"glass at $\alpha = {float(broken.alpha):g}$",
    )
    glass.legend(loc="upper right", fontsize="small")
    return figure
