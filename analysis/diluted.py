"""The diluted network: what theory predicts for a simulated grid, and both in one figure."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis import comparison
from hopfield_sim.theory import diluted, diluted_finite

_COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f7f")
_MARKERS = ("o", "s", "^", "D", "v", "P")


def predicted(found: xr.Dataset) -> tuple[xr.DataArray, xr.DataArray]:
    """m(t) on the grid of a simulation: by the map of c inputs, and by its limit c -> infinity.

    found: `overlap` (n_inputs, alpha, temperature, start_overlap, realisation, step). Returns two
    arrays without the realisation.
    """
    steps = int(found.step[-1])
    grid = found.n_inputs, found.alpha, found.temperature, found.start_overlap
    c, alpha, temperature, start = grid
    n_patterns = (alpha * c).round()
    tree = diluted_finite.trajectory(start, c, n_patterns, temperature, steps).m
    limit = diluted.trajectory(start, alpha, temperature, steps).m.expand_dims(n_inputs=c)
    dims = (*(each.name for each in grid), "step")
    return tuple(m.transpose(*dims).reset_coords(drop=True) for m in (tree, limit))


def diluted_network(found: xr.Dataset, last: int, title: str) -> Figure:
    """Simulation and theory in three panels.

    found: as for `predicted`. last: the final overlap is the mean over so many last steps. Left:
    m(t) from all starts at one load. Middle: the final overlap from the largest start against the
    load, with the map of c inputs after the same updates, and the fixed points of the limit. Right:
    its distance from the map of c inputs. Points with one standard error of the mean over the
    realisations.
    """
    figure = Figure(figsize=(15, 4.8), layout="constrained")
    left, middle, right = figure.subplots(1, 3)
    tree, limit = predicted(found)
    _trajectories(left, found, tree, limit)
    _final(middle, right, found, tree, last)
    for axes in (left, middle, right):
        axes.grid(alpha=0.25)
    figure.suptitle(title, fontsize=11)
    return figure


def _trajectories(axes, found, tree, limit) -> None:
    """At the largest c, the lowest temperature, and the load nearest to 0.6 of the end there."""
    end = float(diluted.critical_load(found.temperature[0]).alpha)
    load = int(np.abs(found.alpha.values - 0.6 * end).argmin())
    at = {"n_inputs": -1, "alpha": load, "temperature": 0}
    scores = comparison.z_scores(found.overlap.isel(at), tree.isel(at))
    step = found.step.values
    for k, start in enumerate(found.start_overlap.values):
        colour = _COLOURS[k % len(_COLOURS)]
        here = scores.isel(start_overlap=k)
        axes.plot(step, tree.isel(at).isel(start_overlap=k), color=colour, lw=1.4)
        axes.plot(step, limit.isel(at).isel(start_overlap=k), color=colour, lw=1, ls=(0, (4, 2)))
        axes.errorbar(
            step,
            here["mean"],
            here["error"],
            color=colour,
            marker=_MARKERS[k % len(_MARKERS)],
            ms=4,
            mfc="white",
            ls="none",
            label=rf"$m_0 = {start:g}$",
        )
    axes.plot([], [], color="0.4", lw=1.4, label=r"map of $c$ inputs")
    axes.plot([], [], color="0.4", lw=1, ls=(0, (4, 2)), label=r"$c \to \infty$ (DGZ)")
    c, alpha, T = (float(found[name][at[name]]) for name in ("n_inputs", "alpha", "temperature"))
    axes.set(
        xlabel="parallel updates",
        ylabel=r"overlap $m$",
        ylim=(-0.05, 1.05),
        title=rf"$c = {c:g}$, $\alpha = {alpha:g}$, $T = {T:g}$",
    )
    axes.legend(fontsize=8, loc="lower right", ncols=2)


def _final(axes, rest, found, tree, last) -> None:
    late = {"start_overlap": -1, "step": slice(-last, None)}
    final = found.overlap.isel(late).mean("step", keep_attrs=True)
    scores = comparison.z_scores(final, tree.isel(late).mean("step"))
    alpha, start = found.alpha.values, float(found.start_overlap[-1])
    fine = np.linspace(alpha[0] / 4, max(alpha[-1], 0.7), 400)
    k = 0
    for t, T in enumerate(found.temperature.values):
        dashes = ((0, (4, 2)), (0, (1, 1)), (0, (6, 2, 1, 2)))[t % 3]
        branch = diluted.retrieval(fine, T).m.fillna(0)
        limit = rf"$c \to \infty$, $T = {T:g}$"
        axes.plot(fine, branch, color="0.4", lw=1.2, ls=dashes, label=limit)
        for index, c in enumerate(found.n_inputs.values):
            cut = scores.isel(n_inputs=index, temperature=t)
            look = {"color": _COLOURS[k % len(_COLOURS)], "marker": _MARKERS[k % len(_MARKERS)]}
            look |= {"ms": 4.5, "mfc": "white", "capsize": 2}
            label = rf"$c = {c}$, $T = {T:g}$"
            n_patterns = np.arange(1, round(fine[-1] * c) + 1)
            exact = diluted_finite.trajectory(start, c, n_patterns, T, int(found.step[-1])).m
            exact = exact.isel(step=slice(-last, None)).mean("step")
            axes.plot(n_patterns / c, exact, color=look["color"], lw=1.2)
            axes.errorbar(alpha, cut["mean"], cut["error"], ls="none", label=label, **look)
            rest.errorbar(alpha, cut["difference"], cut["error"], lw=0.8, label=label, **look)
            k += 1
    axes.set(
        xlabel=r"load $\alpha = P/c$",
        ylabel=rf"final overlap (from $m_0 = {start:g}$)",
        ylim=(-0.05, 1.05),
        title=r"lines: map of $c$ inputs, same updates; grey: fixed points",
    )
    axes.legend(fontsize=8, loc="lower left")
    rest.axhline(0, color="0.4", lw=1)
    rest.set(
        xlabel=r"load $\alpha = P/c$",
        ylabel=r"final overlap, simulation minus map of $c$ inputs",
        title="what loops leave",
    )
    rest.legend(fontsize=8)
