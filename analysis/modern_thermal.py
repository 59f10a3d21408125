"""Reductions and figure of `experiments.modern_thermal`: continuous states at temperature T."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.comparison import z_scores
from analysis.phase_diagram import edges
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics
from hopfield_sim.theory import log_sum_exp_cells, log_sum_exp_thermal

COMPARED = {"overlap": "m", "energy": "energy", "best_other_overlap": "best_other"}
"""Observables in the basin and the names of what theory says of them."""

RARE = 0.05
"""Overlap by which the nearest other pattern may be nearer in the annealed average than in a
typical set of patterns; beyond, the average is that of rare sets and no theory of typical ones."""

_DOT = 34  # area, in square points, of the dot where all replicas left
_HALO = "white"
_SCAN = np.concatenate([np.arange(0.05, 0.6, 0.05), np.arange(0.6, 1.55, 0.1)])


def numbers(found: xr.Dataset, dimension: int) -> xr.DataArray:
    """The number of patterns at each load, (alpha,)."""
    return np.rint(np.exp(found.alpha * dimension)).astype(int)


def predicted(found: xr.Dataset, dimension: int, sharpness: float) -> xr.Dataset:
    """Theory at this dimension on the grid of a store, `log_sum_exp_cells.cell` (alpha, T).

    Beside it `rare`, by how much the nearest other pattern of the annealed average is nearer than
    that of a typical set: where it is, few sets of patterns make that average.
    """
    number = numbers(found, dimension)
    theory = log_sum_exp_cells.cell(dimension, number, found.temperature, sharpness)
    theory = theory.drop_vars(["dimension", "n_patterns", "sharpness", "branch"])
    typical = log_sum_exp_cells.nearest(dimension, (number - 1).clip(min=1)).overlap
    theory["rare"] = theory.best_other - typical.drop_vars(["dimension", "n_patterns"])
    return theory.transpose("alpha", "temperature")


def joined(each: Mapping[int, xr.DataArray | xr.Dataset]) -> xr.DataArray | xr.Dataset:
    """Results at several dimensions as columns, one for each (dimension, alpha)."""
    columns = [
        found.rename(alpha="column").assign_coords(
            alpha=("column", found.alpha.values), dimension=("column", [d] * found.sizes["alpha"])
        )
        for d, found in each.items()
    ]
    together = xr.concat(columns, "column")
    return together.assign_coords(column=np.arange(together.sizes["column"]))


def lost(dimension: int, alpha: np.ndarray, sharpness: float) -> np.ndarray:
    """The highest T at which theory at this dimension has a retrieval state, (alpha,).

    Of a scan in steps of 0.05, and of 0.1 from 0.6 to 1.5.
    """
    number = xr.DataArray(np.rint(np.exp(alpha * dimension)), dims="alpha")
    found = log_sum_exp_cells.cell(dimension, number, _SCAN, sharpness).m.notnull()
    return (
        found.temperature.where(found.transpose("alpha", "temperature")).max("temperature").values
    )


def drawn(
    stores: Mapping[int, xr.Dataset],
    theories: Mapping[int, xr.Dataset],
    excluded: Mapping[int, xr.DataArray],
    epanechnikov: xr.Dataset,
    about: Mapping[str, float],
    title: str,
) -> Figure:
    """Two maps, slices at the largest d; other patterns, two replicas, the Epanechnikov energy.

    stores, theories: by dimension; excluded: bool (alpha, temperature), drawn faint. about:
    `sharpness`, `n_replicas`, and of the Epanechnikov energy `b` and its `dimension`.
    """
    figure = Figure(figsize=(14.5, 9.2), layout="constrained")
    axes = figure.subplots(2, 3)
    smallest, largest = min(stores), max(stores)
    for one, d in zip(axes[0], (smallest, largest), strict=False):
        handles = _map(one, stores[d], d, about)
    figure.legend(handles=handles, loc="outside lower left", ncols=4, fontsize=8.5, title="Maps")
    _slices(axes[0, 2], stores[largest], theories[largest], excluded[largest], largest)
    _others(axes[1, 0], stores[largest], theories[largest], largest)
    _replicas(axes[1, 1], stores, theories)
    _epanechnikov(axes[1, 2], epanechnikov, about)
    figure.suptitle(title, fontsize=11)
    return figure


def _map(axes, found: xr.Dataset, dimension: int, about) -> list:
    """The map of one dimension; returns what its marks mean."""
    alpha, temperature = found.alpha.values, found.temperature.values
    x, y = edges(alpha), np.concatenate([[0], (temperature[1:] + temperature[:-1]) / 2])
    y = np.append(y, temperature[-1] + (temperature[-1] - y[-1]))
    values = found.overlap.mean("realisation").transpose("temperature", "alpha").values
    image = axes.pcolormesh(x, y, values, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    axes.figure.colorbar(image, ax=axes, label=r"overlap with the target $m$", pad=0.02)
    share = (found.n_left.mean("realisation") / about["n_replicas"]).transpose("temperature", ...)
    column, row = np.meshgrid(alpha, temperature)
    dots = {"fc": "white", "ec": "black", "lw": 0.7}
    axes.scatter(column, row, s=_DOT * share.values, zorder=3, **dots)
    fine = np.linspace(max(x[0], 0.02), x[-1], 300)
    lines = log_sum_exp_thermal.temperatures(fine, about["sharpness"])
    own = lost(dimension, alpha, about["sharpness"])
    handles = []
    for name, at, values, style in (
        (r"spinodal, $d \to \infty$", fine, lines.spinodal, "solid"),
        (r"equilibrium near a pattern below, $d \to \infty$", fine, lines.equilibrium, (0, (5, 2))),
        ("retrieval state at this $d$ below", alpha, own, (0, (1, 1))),
    ):
        axes.plot(at, values, color=_HALO, lw=3.4)
        axes.plot(at, values, color="black", ls=style, lw=1.6)
        handles.append(Line2D([], [], color="black", ls=style, lw=1.6, label=name))
    label = "replicas that left (area: fraction)"
    handles.append(axes.scatter([], [], s=_DOT, label=label, **dots))
    axes.set(
        xlim=(x[0], x[-1]),
        ylim=(0, y[-1]),
        xlabel=r"load $\alpha = \ln M/d$",
        ylabel=r"temperature $T$",
        title=f"$d = {dimension}$",
    )
    return handles


def _slices(axes, found, theory, excluded, dimension) -> None:
    theory = theory.where(theory.rare < RARE)
    scores = z_scores(found.overlap_inside, theory.m)
    some = np.flatnonzero((theory.m.notnull().sum("temperature") > 1).values)
    places = np.linspace(0, max(some.size - 1, 0), 5).round().astype(int)
    chosen = some[np.unique(places)] if some.size else []
    for place, index in enumerate(chosen):
        cut, style = scores.isel(alpha=index), {"color": COLOURS[place], "marker": MARKERS[place]}
        axes.plot(cut.temperature, cut.predicted, color=style["color"], lw=1.3)
        faint = excluded.isel(alpha=index).values
        for where, strength in ((~faint, 1.0), (faint & np.isfinite(cut.predicted.values), 0.35)):
            axes.errorbar(
                cut.temperature[where],
                cut["mean"][where],
                cut["error"][where],
                ms=4.5,
                mfc="white",
                ls="none",
                capsize=2,
                alpha=strength,
                label=rf"$\alpha = {float(cut.alpha):.3g}$" if strength == 1 else None,
                **style,
            )
    fine = np.linspace(1e-3, float(found.temperature.max()), 200)
    infinite = log_sum_exp_thermal.retrieval(1e-3, fine, 1.0).m.squeeze()
    axes.plot(fine, infinite, color="black", ls=DASHES[1], lw=1, label=r"$m^*(T)$, $d \to \infty$")
    axes.plot([], [], color="black", lw=1.3, label=f"theory at $d = {dimension}$")
    axes.set(
        xlabel="temperature $T$",
        ylabel="overlap $m$ with the target, in its basin",
        title=f"$d = {dimension}$ (faint: not compared)",
    )
    axes.legend(fontsize=8, loc="lower left")
    axes.grid(alpha=0.25)


def _others(axes, found, theory, dimension) -> None:
    index = int(np.abs(found.alpha.values - 0.2).argmin())
    cut, law = found.isel(alpha=index), theory.where(theory.rare < RARE).isel(alpha=index)
    number = int(numbers(cut, dimension))
    for name, label, colour, marker in (
        ("best_other_overlap_inside", "best other pattern, in the basin", COLOURS[0], MARKERS[0]),
        ("best_other_overlap_out", "best other pattern, after leaving", COLOURS[1], MARKERS[1]),
        ("overlap_inside", "the target, in the basin", COLOURS[2], MARKERS[2]),
    ):
        enough = cut[name].notnull().sum("realisation") > 1
        each = statistics.disorder(cut[name]).where(enough)
        axes.errorbar(
            cut.temperature,
            each["mean"],
            each["error"],
            color=colour,
            marker=marker,
            ms=4.5,
            mfc="white",
            ls="none",
            capsize=2,
            label=label,
        )
    axes.plot(law.temperature, law.m, color=COLOURS[2], lw=1.3, label="theory: near a pattern")
    axes.plot(law.temperature, law.best_other, color=COLOURS[0], lw=1.3)
    level = float(log_sum_exp_cells.nearest(dimension, number).overlap)
    axes.axhline(level, color="black", ls=DASHES[2], lw=1, label="nearest to a random state")
    axes.set(
        xlabel="temperature $T$",
        ylabel="overlap",
        title=rf"$d = {dimension}$, $\alpha = {float(cut.alpha):.3g}$ ($M = {number}$)",
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)


def _replicas(axes, stores, theories) -> None:
    for place, (d, found) in enumerate(stores.items()):
        index = int(np.abs(found.alpha.values - 0.2).argmin())
        cut = found.isel(alpha=index)
        law = theories[d].where(theories[d].rare < RARE).isel(alpha=index)
        colour, marker = COLOURS[place % 7], MARKERS[place % 7]
        for name, filled in (("inside", "white"), ("out", colour)):
            values = cut[f"replica_overlap_{name}"]
            values = values.where(values.notnull().sum("realisation") > 1)
            each = statistics.disorder(values)
            axes.errorbar(
                cut.temperature * (1 + 0.01 * (place - 1)),
                each["mean"],
                each["error"],
                color=colour,
                marker=marker,
                ms=4.5,
                mfc=filled,
                ls="none",
                capsize=2,
                label=f"$d = {d}$" if name == "inside" else None,
            )
        axes.plot(law.temperature, law.replica_overlap, color=colour, lw=1.2)
    axes.plot([], [], color="black", lw=1.2, label="$m^2$ in theory: only the target shared")
    axes.plot([], [], "o", color="black", mfc="white", ls="none", label="both in the basin")
    axes.plot([], [], "o", color="black", ls="none", label="both outside")
    axes.set(
        xlabel="temperature $T$",
        ylabel="overlap $q_{12}$ of two replicas",
        title=r"$\alpha = 0.2$",
    )
    axes.legend(fontsize=8, loc="upper right")
    axes.grid(alpha=0.25)


def alone(temperature: np.ndarray, dimension: int, b: float) -> np.ndarray:
    """Overlap with a pattern that is alone, Epanechnikov energy, 1/sqrt(1 + <|x - xi|^2>/d).

    (b/2) |x - xi|^2/d has the law Beta(d/2, d/(b T) + 1), of the weight (1 - s)^(d/(b T)).
    """
    mean = (dimension / 2) / (dimension / 2 + dimension / (b * temperature) + 1)
    return 1 / np.sqrt(1 + 2 * mean / b)


def _epanechnikov(axes, found: xr.Dataset, about) -> None:
    chosen = np.unique(np.linspace(0, found.alpha.size - 1, 5).round().astype(int))
    for place, index in enumerate(chosen):
        each = statistics.disorder(found.overlap.isel(alpha=index))
        axes.errorbar(
            found.temperature,
            each["mean"],
            each["error"],
            color=COLOURS[place],
            marker=MARKERS[place],
            ms=4.5,
            mfc="white",
            lw=0.8,
            ls=":",
            capsize=2,
            label=rf"$\alpha = {float(found.alpha[index]):.3g}$",
        )
    fine = np.linspace(1e-3, float(found.temperature.max()), 200)
    law = alone(fine, about["dimension"], about["b"])
    axes.plot(fine, law, color="black", lw=1.3, label="a pattern that is alone")
    axes.set(
        ylim=(0, 1.3),
        xlabel="temperature $T$",
        ylabel="overlap $m$ with the target",
        title=f"Epanechnikov energy in $R^{{{about['dimension']}}}$, "
        rf"$|x - \xi|^2 < 2d/{about['b']:g}$",
    )
    axes.legend(fontsize=8, loc="upper right", ncols=3)
    axes.grid(alpha=0.25)
