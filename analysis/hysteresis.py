"""Thermal loops of the Hopfield network in one figure, with what they show of the phase diagram."""

from __future__ import annotations

from functools import cache

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from analysis import loops
from analysis.predictions.style import COLOURS, MARKERS, TEMPERATURE
from hopfield_sim import statistics
from hopfield_sim.theory import hopfield, hopfield_1rsb

_BRANCHES = {  # name: marker, colour, dash at the fastest rate, label
    "heating": ("^", "#d55e00", "solid", "heated, from the pattern"),
    "cued": ("v", "#0072b2", (0, (6, 1.5)), "cooled, with a cue"),
    "cooling": ("o", "#000000", (0, (1, 1)), "cooled, without a cue"),
}
_LINES = {  # name: dash, label
    "T_c": ((0, (5, 2)), "$T_c$"),
    "T_M": ("solid", "$T_M$"),
    "T_g": ((0, (1, 1)), "$T_g$"),
}
_TEXT = (
    "What the loop shows. On heating the pattern is lost near its spinodal $T_M$: above it when "
    "heated fast (lag), below it when heated slowly (escapes over a barrier that is small near "
    "$T_M$ at these N); sets of patterns differ by some $N^{-1/2}$. With a cue the pattern is "
    "caught near $T_M$ on cooling too, if the cue acts long enough to bring the network into its "
    "basin; without one the network stays in the glass, or falls into any pattern if it is small.\n"
    "What it cannot show. No edge of the loop marks $T_c$, where pattern and glass have equal free "
    "energies: the barrier between them is of order N and is not crossed, and their energies do "
    "not cross there. Theory knows $T_c$, and so do the energies integrated along both branches, "
    "which give the free energies (below, middle). The glass of a finite network lies above that "
    "of theory, and moves this $T_c$ up the more, the smaller N is and the flatter the curves are."
)


def thermal_loops(found: xr.Dataset, title: str) -> Figure:
    """Loops at each load, free energies, energies and kinetic boundaries.

    found: as `analysis.loops` says, with `equilibrated` (..., realisation, temperature): heated and
    cued replicas agree. Above: overlap on the three branches at the largest size and slowest rate,
    mean over replicas and realisations with standard errors; filled where all realisations have
    equilibrated in the pattern, hatched where not; lines: the fastest rate; RS solutions, stable
    and (thin) unstable. Below: energies of the branches at the middle load; differences of free
    energy by integration; temperatures at which half of the replicas have left the pattern.
    """
    loads = found.alpha.values
    columns = max(loads.size, 3)
    figure = Figure(figsize=(4.7 * columns, 9.8), layout="constrained")
    axes = figure.subplots(2, columns, squeeze=False)
    largest = found.isel(n_neurons=-1)
    for one, alpha in zip(axes[0], loads, strict=False):
        _loop(one, largest.sel(alpha=alpha), float(alpha))
    _energies(axes[1, 0], largest.isel(alpha=loads.size // 2))
    _free_energies(axes[1, 1], largest)
    _boundaries(axes[1, 2], found)
    for spare in (*axes[0, loads.size :], *axes[1, 3:]):
        spare.set_axis_off()
    for one in axes.ravel():
        one.grid(alpha=0.25)
    figure.legend(
        handles=_handles(),
        loc="outside upper center",
        ncols=7,
        fontsize=8.5,
        title=title,
        title_fontsize=11,
        frameon=False,
    )
    figure.supxlabel(_TEXT, fontsize=9, x=0.01, ha="left", wrap=True)
    return figure


def _mean(found: xr.DataArray) -> xr.Dataset:
    """Mean over replicas, then mean and error over realisations."""
    return statistics.disorder(found.mean("replica"))


@cache
def _temperatures(alpha: float) -> dict[str, float]:
    return {
        "T_c": float(hopfield.transition_temperature(alpha).temperature),
        "T_M": float(hopfield.spinodal_temperature(alpha).temperature),
        "T_g": float(hopfield.spin_glass_temperature(alpha).temperature),
    }


def _mark(axes, alpha: float, above: bool = True) -> None:
    """The temperatures of theory, named along the upper or the lower edge."""
    right = axes.get_xlim()[1]
    for name, T in _temperatures(alpha).items():
        if not T < right:
            continue
        is_last = T > 0.94 * right  # no room on the right of the line
        dash, label = _LINES[name]
        axes.axvline(T, color="0.35", ls=dash, lw=1.1, zorder=0)
        axes.annotate(
            label,
            (T, 1 if above else 0),
            xycoords=("data", "axes fraction"),
            xytext=(-3 if is_last else 3, -11 if above else 5),
            textcoords="offset points",
            ha="right" if is_last else "left",
            fontsize=9,
        )


def _loop(axes, found: xr.Dataset, alpha: float) -> None:
    T = found.temperature.values
    fine = np.linspace(T[0], T[-1], 400)
    theory = hopfield.solutions(alpha, fine).m.squeeze()
    axes.plot(fine, theory.sel(branch="retrieval"), color="black", lw=1.6)
    axes.plot(fine, theory.sel(branch="retrieval_unstable"), color="black", lw=0.8, ls=(0, (2, 2)))
    fast, slow = found.isel(sweeps_per_step=0), found.isel(sweeps_per_step=-1)
    good = slow.equilibrated.all("realisation").values
    for branch, (marker, colour, dash, _) in _BRANCHES.items():
        quick = _mean(fast.overlap.sel(branch=branch))["mean"]
        axes.plot(T, quick, color=colour, lw=0.9, ls=dash, alpha=0.75)
        drawn = _mean(slow.overlap.sel(branch=branch))
        settled = good & (branch != "cooling")  # the verdict is on the state of the other two
        for where, fill in ((settled, colour), (~settled, "white")):
            axes.errorbar(
                T[where],
                drawn["mean"].values[where],
                drawn["error"].values[where],
                color=colour,
                marker=marker,
                ms=4,
                mfc=fill,
                mew=0.8,
                lw=0.8,
                ls="none",
            )
    half = np.diff(T).min() / 2
    for centre in T[~good]:
        axes.axvspan(centre - half, centre + half, fc="none", ec="0.85", hatch="////", lw=0)
    axes.set(
        xlabel=TEMPERATURE,
        ylabel=r"overlap $m$",
        xlim=(0, T[-1] + half),
        ylim=(-0.08, 1.12),
        title=rf"$\alpha = {alpha:g}$: N = {int(found.n_neurons)}, "
        f"{int(slow.sweeps_per_step)} sweeps a step",
    )
    _mark(axes, alpha)


def _handles() -> list:
    """The legend of the loops."""
    handles = [
        Line2D([], [], color=colour, marker=marker, mfc="white", ms=5, ls=dash, lw=0.9, label=label)
        for marker, colour, dash, label in _BRANCHES.values()
    ]
    return [
        *handles,
        Line2D([], [], ls="none", label="(lines: fastest rate)"),
        Line2D([], [], color="black", lw=1.6, label="RS theory, stable"),
        Line2D([], [], color="black", lw=0.8, ls=(0, (2, 2)), label="RS theory, unstable"),
        Patch(fc="none", ec="0.7", hatch="////", label="heated and cued do not agree"),
    ]


def _energies(axes, found: xr.Dataset) -> None:
    alpha, T = float(found.alpha), found.temperature.values
    fine = np.linspace(T[0], T[-1], 300)
    theory = hopfield.solutions(alpha, fine).energy.squeeze()
    glass = theory.sel(branch="spin_glass")
    glass = glass.fillna(theory.sel(branch="paramagnet").where(theory.temperature > 1))
    axes.plot(fine, theory.sel(branch="retrieval"), color="black", lw=1.5, label="RS retrieval")
    axes.plot(fine, glass, color="black", lw=1.2, ls=(0, (4, 2)), label="RS glass, paramagnet")
    for branch, (marker, colour, _, label) in _BRANCHES.items():
        drawn = _mean(found.isel(sweeps_per_step=-1).energy.sel(branch=branch))
        look = {"color": colour, "marker": marker, "ms": 4, "mfc": "white", "ls": "none"}
        axes.errorbar(T, drawn["mean"], drawn["error"], label=label, lw=0.8, **look)
    top = 1.35 * _temperatures(alpha)["T_M"]
    shown = np.concatenate([theory.sel(branch="retrieval"), glass[fine < top]])
    low, high = np.nanmin(shown), np.nanmax(shown)
    axes.set(
        xlabel=TEMPERATURE,
        ylabel=r"energy per neuron $e$ (units of $J$)",
        xlim=(0, top),
        ylim=(low - 0.12 * (high - low), high + 0.12 * (high - low)),
        title=rf"$\alpha = {alpha:g}$, N = {int(found.n_neurons)}: energies",
    )
    _mark(axes, alpha, above=False)
    axes.legend(fontsize=8, loc="upper left")


def _free_energies(axes, found: xr.Dataset) -> None:
    difference = loops.free_energy_difference(found.isel(sweeps_per_step=[-1])).squeeze(
        "sweeps_per_step"
    )
    estimates = loops.transition(difference)
    T = difference.temperature.values
    for place, alpha in enumerate(difference.alpha.values):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        T_M = _temperatures(alpha)["T_M"]
        here = statistics.disorder(difference.sel(alpha=alpha))
        shown = (T < T_M) & (here["n"].values > here["n"].values.max() / 2)
        measured = estimates.sel(alpha=alpha)
        label = rf"$\alpha = {alpha:g}$"
        if np.isfinite(measured.estimate):
            label += rf": $T_c = {float(measured.estimate):.3f} \pm {float(measured.error):.3f}$"
        axes.errorbar(
            T[shown],
            here["mean"].values[shown],
            here["error"].values[shown],
            color=colour,
            marker=marker,
            ms=4,
            mfc="white",
            ls="none",
            lw=0.8,
            label=label,
        )
        fine = np.linspace(T[0], T_M, 200)
        pattern, *glasses = (
            f(alpha, fine).free_energy.squeeze()
            for f in (hopfield.retrieval, hopfield.spin_glass, hopfield_1rsb.spin_glass)
        )
        for glass, dash in zip(glasses, ("solid", (0, (4, 2))), strict=True):
            axes.plot(fine, pattern - glass, color=colour, lw=1.3, ls=dash)
        T_c = _temperatures(alpha)["T_c"]
        if np.isfinite(T_c):
            axes.plot(T_c, 0, marker="|", ms=14, mew=2, color=colour)
    axes.axhline(0, color="0.4", lw=1)
    axes.plot([], [], color="0.3", lw=1.3, label="RS theory, bar: its $T_c$")
    axes.plot([], [], color="0.3", lw=1.3, ls=(0, (4, 2)), label="glass with 1RSB")
    axes.set(
        xlabel=TEMPERATURE,
        ylabel=r"$f_{\rm pattern} - f_{\rm glass}$ (units of $J$)",
        title="free energies by integration of the energies",
    )
    axes.legend(fontsize=8, loc="lower right")


def _boundaries(axes, found: xr.Dataset) -> None:
    boundary = loops.kinetic_boundary(found)
    sweeps = found.sweeps_per_step.values
    sizes = found.n_neurons.values
    for place, alpha in enumerate(found.alpha.values):
        colour = COLOURS[place % len(COLOURS)]
        T_M = _temperatures(alpha)["T_M"]
        axes.axhline(T_M, color=colour, lw=1.3)
        axes.annotate(
            "$T_M$ at\n" + rf"$\alpha = {alpha:g}$",
            (1, T_M),
            xycoords=("axes fraction", "data"),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
            color=colour,
        )
        for k, n_neurons in enumerate(sizes):
            at = boundary.sel(alpha=alpha, n_neurons=n_neurons)
            shift = 1.06 ** (k - (sizes.size - 1) / 2)  # error bars beside one another
            axes.errorbar(
                sweeps * shift,
                at["mean"],
                at["error"],
                color=colour,
                marker=MARKERS[k % len(MARKERS)],
                ms=4.5,
                mfc="white" if k < sizes.size - 1 else colour,
                lw=0.8,
                ls=(0, (1, 1 + sizes.size - 1 - k)),
                capsize=2,
                label=f"N = {n_neurons}" if place == 0 else None,
            )
    axes.set_xscale("log", base=2)
    axes.set_xticks(sweeps, [str(s) for s in sweeps])
    axes.set(
        xlabel="sweeps per temperature step",
        ylabel=r"$T$ at which half have left the pattern",
        title="kinetic boundary on heating",
    )
    axes.legend(fontsize=8, loc="upper right")
