"""Maps and lines: replica theory drawn over the simulation."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from hopfield_sim.theory import hopfield

# dashes that stay apart without colour
_LINES = {
    "T_g": (r"$T_g$ paramagnet – spin glass", (0, (1, 1))),
    "T_M": (r"$T_M$ retrieval spinodal", "solid"),
    "T_c": (r"$T_c$ retrieval is the global minimum", (0, (5, 2))),
    "T_R": (r"$T_R$ replica symmetry breaks (AT)", (0, (3, 1, 1, 1))),
}
_MARKERS = ("o", "s", "^", "D", "v", "P")
_COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f7f")
_HATCHES = {
    "all replicas left the pattern": ("\\\\\\", "0.8"),
    "not equilibrated": ("////", "0.6"),
}
_DOT = 38  # area, in square points, of the dot where (nearly) all replicas left
_HALO = [withStroke(linewidth=3.5, foreground="white")]


def retrieval(found: xr.Dataset, scores: xr.Dataset, title: str, n_replicas: int) -> Figure:
    """The phase diagram of the Hopfield network, simulation and RS theory.

    found: dims (alpha, temperature, realisation) with `equilibrated`, `n_left` (of `n_replicas`,
    that left the pattern) and `overlap_left` (their overlap); scores: `comparison.z_scores` of the
    overlap of the replicas that stayed, with `mean` and `error` over (alpha, temperature). Left:
    the map of the mean overlap with the stored pattern and the lines of the theory. Where some
    left, the colour is that of the others and a dot grows with the fraction that left; where all
    left it is theirs, and hatched; hatched otherwise is what had not equilibrated in some
    realisation.
    Right: slices with error bars (one standard error of the mean over the realisations), faint
    where not equilibrated or some left, crosses where all left, and RS curves.
    """
    figure = Figure(figsize=(11, 5.2), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.15, 1))
    _map(left, found, scores, n_replicas)
    _slices(right, found, scores, n_replicas)
    figure.suptitle(title, fontsize=11)
    return figure


def edges(centres: np.ndarray) -> np.ndarray:
    """Borders of the cells around sorted grid points: (n + 1,), never below zero."""
    centres = np.asarray(centres, float)
    if centres.size == 1:
        return np.maximum(centres[0] + np.array([-0.5, 0.5]) * (centres[0] or 1.0), 0)
    middle = (centres[1:] + centres[:-1]) / 2
    first, last = 1.5 * centres[:1] - 0.5 * centres[1:2], 1.5 * centres[-1:] - 0.5 * centres[-2:-1]
    return np.maximum(np.concatenate([first, middle, last]), 0)


def _kinds(found: xr.Dataset, n_replicas: int) -> dict[str, xr.DataArray]:
    """Which cells need a mark, by its name in the legend: bool (alpha, temperature)."""
    nobody = found.n_left == n_replicas
    gone = nobody.all("realisation")
    return {
        "some replicas left the pattern": (found.n_left > 0).any("realisation") & ~gone,
        "all replicas left the pattern": gone,
        "not equilibrated": ~(found.equilibrated | nobody).all("realisation"),
    }


def _map(axes, found: xr.Dataset, scores: xr.Dataset, n_replicas: int) -> None:
    alpha, temperature = scores.alpha.values, scores.temperature.values
    x, y = edges(alpha), edges(temperature)
    kinds = _kinds(found, n_replicas)
    shown = scores["mean"].fillna(found.overlap_left.mean("realisation"))
    values = shown.transpose("temperature", "alpha").values
    image = axes.pcolormesh(x, y, values, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    axes.figure.colorbar(image, ax=axes, label=r"overlap with the stored pattern $m$", pad=0.02)
    patches = []
    for name, (hatch, colour) in _HATCHES.items():
        cells = kinds[name]
        for row, column in np.argwhere(cells.transpose("temperature", "alpha").values):
            axes.fill_between(
                x[column : column + 2], *y[row : row + 2], hatch=hatch, fc="none", ec=colour, lw=0
            )
        if cells.any():
            patches.append(Patch(fc="none", ec=colour, hatch=hatch, label=name))
    some = kinds["some replicas left the pattern"]
    if some.any():
        fraction = (found.n_left.mean("realisation") / n_replicas).where(some)
        column, row = np.meshgrid(alpha, temperature)
        dots = {"fc": "white", "ec": "black", "lw": 0.8}
        area = _DOT * fraction.transpose("temperature", "alpha").values
        axes.scatter(column, row, s=area, zorder=3, **dots)
        label = "some replicas left (area: fraction)"
        patches.append(axes.scatter([], [], s=_DOT, label=label, **dots))
    handles = []
    for name, (alpha, temperature) in _lines(x[-1]).items():
        label, style = _LINES[name]
        axes.plot(alpha, temperature, color="black", ls=style, lw=1.6, path_effects=_HALO)
        handles.append(Line2D([], [], color="black", ls=style, lw=1.6, label=label))
    axes.set(
        xlim=(0, x[-1]),
        ylim=(0, y[-1]),
        xlabel=r"load $\alpha = P/N$",
        ylabel=r"temperature $T$ (units of $J$)",
    )
    axes.legend(handles=handles + patches, fontsize=8, loc="center right", framealpha=0.95)


def _lines(largest_alpha: float) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The RS lines as curves (alpha, T). T_M and T_c follow T, for both bend back at low T."""
    alpha = np.linspace(1e-4, largest_alpha, 100)
    temperature = np.concatenate([np.linspace(0, 0.1, 21), np.linspace(0.12, 0.999, 80)])
    return {
        "T_g": (alpha, hopfield.spin_glass_temperature(alpha)["temperature"].values),
        "T_M": (hopfield.spinodal_load(temperature)["alpha"].values, temperature),
        "T_c": (hopfield.transition_load(temperature)["alpha"].values, temperature),
        "T_R": (alpha, hopfield.at_temperature(alpha)["temperature"].values),
    }


def _slices(axes, found: xr.Dataset, scores: xr.Dataset, n_replicas: int) -> None:
    temperature = scores.temperature.values
    has_theory = scores.predicted.notnull().sum("temperature").values
    candidates = np.flatnonzero(has_theory >= 2)
    if not candidates.size:  # no retrieval state anywhere on this grid
        candidates = np.arange(scores.alpha.size)
    chosen = np.unique(candidates[np.linspace(0, candidates.size - 1, 4).round().astype(int)])
    fine = np.linspace(max(temperature.min(), 1e-3), temperature.max(), 300)
    for k, index in enumerate(chosen):
        cut = scores.isel(alpha=index)
        load = float(cut.alpha)
        colour, marker = _COLOURS[k], _MARKERS[k]
        theory = hopfield.retrieval(xr.DataArray(load), xr.DataArray(fine, dims="temperature"))
        axes.plot(fine, theory.m, color=colour, lw=1.3)
        some, gone, moving = (
            kind.isel(alpha=index).values for kind in _kinds(found, n_replicas).values()
        )
        settled = ~(some | moving)
        remnant = found.overlap_left.mean("realisation").isel(alpha=index).values
        axes.plot(temperature[gone], remnant[gone], color=colour, marker="x", ms=4, ls="none")
        for where, strength in ((settled, 1.0), (~settled, 0.35)):
            axes.errorbar(
                temperature[where],
                cut["mean"].values[where],
                cut["error"].values[where],
                color=colour,
                marker=marker,
                ms=4.5,
                mfc="white",
                ls="none",
                capsize=2,
                alpha=strength,
                label=rf"$\alpha = {load:.3g}$" if strength == 1 else None,
            )
    axes.plot([], [], color="black", lw=1.3, label="RS theory")
    axes.set(
        xlabel=r"temperature $T$ (units of $J$)",
        ylabel=r"overlap $m$",
        ylim=(-0.05, 1.05),
    )
    axes.legend(
        fontsize=8,
        loc="center right",
        title=(
            "simulation\n± standard error\n(faint: some left, or\n"
            "not equilibrated;\n× all replicas left)"
        ),
        title_fontsize=8,
    )
    axes.grid(alpha=0.25)
