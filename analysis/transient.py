"""Recall step by step: trajectories against theory, and how large the basins of attraction are."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis import comparison
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics
from hopfield_sim.theory import transient

_SHOWN_STEPS = 10


def scores(overlap: xr.DataArray, exact: xr.Dataset) -> xr.Dataset:
    """`comparison.z_scores` of m(t) with an error that holds the theory's own sampling error.

        z -> z error/total,   error -> total = sqrt(error^2 + m_error^2)

    overlap: (n_neurons, alpha, start_overlap, step, realisation); exact: `theory.transient.exact`
    on the same (alpha, start_overlap, step).
    Returns what `z_scores` returns, with `error` and `z` changed so. Where neither has an error
    (m is 1 in all networks) z stays undefined.
    """
    found = comparison.z_scores(overlap, exact.m.reset_coords(drop=True))
    total = np.hypot(found["error"], exact.m_error.reset_coords(drop=True))
    total = total.transpose(*found["error"].dims).assign_attrs(found["error"].attrs)
    share = (found["error"] / total.where(total > 0)).fillna(1.0)
    z = (found["z"] * share).assign_attrs(found["z"].attrs)
    return found.assign(error=total, z=z)


def basin_edges(recalled: xr.DataArray) -> xr.Dataset:
    """m0 where half of the starts recall the pattern, by linear interpolation: jackknife.

    recalled: (..., start_overlap, realisation), the fraction of the starts of a network.
    Returns `estimate` and `error` (over the networks) as `statistics.jackknife`, and
    `amari_maginu`, the edge of that recursion, both over (..., alpha). NaN where the fraction does
    not cross 1/2 on the grid.
    """
    starts = recalled.start_overlap.values

    def crossing(fraction: np.ndarray) -> float:
        """The last crossing of 1/2 from below, of (start_overlap,)."""
        up = np.flatnonzero((fraction[:-1] < 0.5) & (fraction[1:] >= 0.5))
        if not up.size:
            return np.nan
        k = up[-1]
        share = (0.5 - fraction[k]) / (fraction[k + 1] - fraction[k])
        return starts[k] + share * (starts[k + 1] - starts[k])

    def edge(mean: xr.DataArray) -> xr.DataArray:
        """The edge from the mean fractions (..., start_overlap)."""
        found = xr.apply_ufunc(crossing, mean, input_core_dims=[["start_overlap"]], vectorize=True)
        long_name = "start overlap from which half of the starts recall the pattern"
        return found.assign_attrs(long_name=long_name, units="1")

    found = statistics.jackknife(edge, recalled)
    predicted = transient.amari_maginu_basin(recalled.alpha).start_overlap
    return found.assign(amari_maginu=predicted.reset_coords(drop=True))


def edge_table(edges: xr.Dataset) -> str:
    """The measured edges, one line a load and size, beside that of Amari and Maginu, and why."""
    lines = [
        "least m0 recalled in half of the starts:",
        "alpha      N   measured m0_c  Amari-Maginu",
    ]
    for alpha in edges.alpha.values:
        for n_neurons in edges.n_neurons.values:
            at = edges.sel(alpha=alpha, n_neurons=n_neurons)
            lines.append(
                f"{alpha:5g} {n_neurons:6d}  {float(at.estimate):.4f} ± {float(at.error):.4f}"
                f"        {float(at.amari_maginu):.4f}"
            )
    lines.append(
        "Amari and Maginu's edge is far too low: slow recall near the edge is decided by what a "
        "neuron hears of its own past, which they drop."
    )
    return "\n".join(lines)


def recall(
    found: xr.Dataset,
    theory: dict[str, xr.Dataset],
    recalled: xr.DataArray,
    edges: xr.Dataset,
    title: str,
) -> Figure:
    """m(t) at each load, and the basins.

    found: `scores` over (n_neurons, alpha, start_overlap, step); the largest size is drawn, with
    one standard error. theory: "exact", "first" and "amari_maginu" on (alpha, start_overlap, step).
    recalled, edges: as for and from `basin_edges`.
    """
    loads = found.alpha.values
    columns = min(loads.size + 1, 2)
    rows = -(-(loads.size + 1) // columns)
    figure = Figure(figsize=(5.4 * columns, 4.1 * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for one, alpha in zip(axes, loads, strict=False):
        _trajectories(one, found.isel(n_neurons=-1), theory, alpha)
    _legend(axes[0])
    _basins(axes[loads.size], recalled, edges)
    for spare in axes[loads.size + 1 :]:
        spare.set_axis_off()
    figure.suptitle(title, fontsize=11)
    return figure


def _trajectories(axes, found: xr.Dataset, theory: dict[str, xr.Dataset], alpha: float) -> None:
    for place, m0 in enumerate(found.start_overlap.values):
        at = {"alpha": alpha, "start_overlap": m0}
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        curve = {name: one.m.sel(at) for name, one in theory.items()}
        axes.plot(curve["exact"].step, curve["exact"], color=colour, lw=1.5)
        drawn = curve["amari_maginu"]
        axes.plot(drawn.step, drawn, color=colour, lw=1.1, ls=DASHES[1], alpha=0.8)
        axes.plot(
            curve["first"].step[1:], curve["first"][1:], color=colour, marker="+", ms=11, ls=""
        )
        cell = found.sel(at)
        axes.errorbar(
            cell.step,
            cell["mean"],
            cell["error"],
            color=colour,
            marker=marker,
            ms=4.5,
            mfc="white",
            ls="none",
            capsize=2,
            label=rf"$m_0 = {m0:g}$",
        )
    axes.set(
        xlim=(-0.3, _SHOWN_STEPS + 0.3),
        ylim=(0, 1.04),
        xlabel="synchronous steps $t$",
        ylabel="overlap $m(t)$",
        title=rf"$\alpha = {alpha:g}$",
    )
    axes.grid(alpha=0.25)


def _legend(axes) -> None:
    described = (
        {"ls": "solid", "lw": 1.5, "label": "exact (functional)"},
        {"ls": "none", "marker": "+", "ms": 10, "label": "exact, two steps (closed form)"},
        {"ls": DASHES[1], "lw": 1.1, "label": "Amari–Maginu (drops own past)"},
    )
    for style in described:
        axes.plot([], [], color="black", **style)
    axes.legend(
        fontsize=8, loc="lower right", title="simulation ± standard error", title_fontsize=8
    )


def _basins(axes, recalled: xr.DataArray, edges: xr.Dataset) -> None:
    mean = statistics.disorder(recalled)
    sizes = recalled.n_neurons.values
    for place, alpha in enumerate(recalled.alpha.values):
        colour, marker = COLOURS[place % len(COLOURS)], MARKERS[place % len(MARKERS)]
        edge = float(edges.estimate.sel(alpha=alpha, n_neurons=sizes[-1]))
        for n_neurons in sizes:
            at = mean.sel(alpha=alpha, n_neurons=n_neurons)
            largest = n_neurons == sizes[-1]
            axes.errorbar(
                at.start_overlap,
                at["mean"],
                at["error"] if largest else None,
                color=colour,
                marker=marker if largest else None,
                ms=4.5,
                mfc="white",
                lw=1.2 if largest else 0.8,
                alpha=1 if largest else 0.35,
                capsize=2,
                label=rf"$\alpha = {alpha:g}$: $m_0^c = {edge:.3f}$" if largest else None,
            )
        predicted = float(edges.amari_maginu.sel(alpha=alpha))
        axes.axvline(predicted, color=colour, ls=DASHES[1], lw=1.3)
        axes.plot(predicted, 1.09, color=colour, marker=marker, ms=5, clip_on=False)
    axes.plot([], [], color="black", ls=DASHES[1], lw=1.3, label="edge by Amari–Maginu")
    if sizes.size > 1:
        smaller = ", ".join(f"{n}" for n in sizes[:-1])
        axes.plot([], [], color="0.7", lw=0.8, label=f"smaller N: {smaller}")
    axes.set(
        xlim=(0, float(recalled.start_overlap.max())),
        ylim=(-0.03, 1.12),
        xlabel="overlap $m_0$ at the start",
        ylabel="fraction of starts that recall the pattern",
    )
    axes.set_title(
        "basins: Amari–Maginu's edges are far too low, as slow recall\n"
        "depends on what a neuron hears of its own past",
        fontsize=10,
    )
    axes.legend(fontsize=8, loc="lower right", framealpha=0.95)
    axes.grid(alpha=0.25)
