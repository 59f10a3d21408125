"""The Hopfield network: phase diagram with the place where its lines turn, and slices of m."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style


def draw(group: xr.DataTree) -> Figure:
    """Left: the lines in the plane of load and temperature; then m over T and over the load."""
    figure, (plane, over_temperature, over_load) = style.panels(3)
    _plane(plane, group)
    slices = group["slices/over_temperature"]
    _slices(over_temperature, slices.to_dataset(), "temperature", r"$\alpha$")
    over_temperature.set(xlabel=style.TEMPERATURE, ylabel=style.OVERLAP, xlim=(0, 1.05))
    _slices(over_load, group["slices/over_load"].to_dataset(), "alpha", "$T$")
    over_load.set(xlabel=style.LOAD, ylabel=style.OVERLAP, xlim=(0, 0.16))
    return figure


def _plane(axes, group):
    lines, spinodal, transition = group["lines"], group["spinodal"], group["transition"]
    mixture = group["mixture"]
    curves = (
        (lines["alpha"], lines["T_g"], r"$T_g$: spin glass"),
        (spinodal["alpha"], spinodal["temperature"], r"$T_M$: retrieval appears"),
        (transition["alpha"], transition["temperature"], r"$T_c$: retrieval is equilibrium"),
        (lines["alpha"], lines["T_R"], r"$T_R$: replica symmetry breaks"),
        (mixture["alpha"], mixture["temperature"], "3-mixtures appear"),
    )
    for place, (alpha, temperature, label) in enumerate(curves):
        axes.plot(alpha, temperature, label=label, **style.line(place))
    axes.set(xlim=(0, 0.16), ylim=(0, 1.8), xlabel=style.LOAD, ylabel=style.TEMPERATURE)
    axes.legend(fontsize=7.5, loc="upper left", ncols=2)
    axes.text(0.03, 1.35, "paramagnet", fontsize=9, ha="center")
    axes.text(0.045, 0.95, "spin glass", fontsize=9, ha="center")
    axes.text(0.078, 0.15, "metastable\nretrieval", fontsize=9, ha="center")
    axes.text(0.035, 0.2, "retrieval", fontsize=9, ha="center")

    inset = axes.inset_axes((0.6, 0.42, 0.38, 0.24))
    spinodal, broken = group["turn/spinodal"], group["turn/replica_symmetry"]
    inset.plot(spinodal["alpha"], spinodal["temperature"], **style.line(1))
    inset.plot(broken["alpha"], broken["temperature"], **style.line(3))
    inset.set(xlim=(0.1374, 0.1383), ylim=(0, 0.04), xticks=(0.1375, 0.138))
    inset.tick_params(labelsize=7)
    inset.grid(alpha=0.25)


def _slices(axes, found, along, symbol):
    """m of the retrieval branch, and thin the solution that it meets at the spinodal."""
    (other,) = set(found["m"].dims) - {"branch", along}
    for place, value in enumerate(found[other].values):
        one = found["m"].sel({other: value})
        look = style.line(place)
        stable = one.sel(branch="retrieval")
        axes.plot(found[along], stable, label=f"{symbol} = {value:g}", **look)
        axes.plot(found[along], one.sel(branch="retrieval_unstable"), **{**look, "lw": 0.7})
    axes.set(ylim=(0, 1.03))
    axes.legend(fontsize=8, title="thin: unstable", title_fontsize=8)
