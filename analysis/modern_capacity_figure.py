"""Figure of `experiments.modern_capacity`: largest M, weights and errors, limits, cues."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from analysis.modern_capacity import sharp
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics
from hopfield_sim.theory import log_sum_exp, log_sum_exp_finite, modern_bounds

_FAILURE = 0.5  # p of the published bound: all patterns, half of the time, as here
_FAR = 100  # the largest d of the panel with the published bound
_SHOWN = (8, 12, 16, 24)  # dimensions of the panels of weights and errors
_NAMES = {"sphere": "sphere", "gaussian": "Gaussian"}


def drawn(
    found: dict,
    theory: dict,
    capacity: dict,
    grown: xr.Dataset,
    fixed: xr.Dataset,
    bound: float,
    title: str,
) -> Figure:
    """Eight panels: M_max(d) with the bound, and near by for either kind; weights and errors
    against M; extrapolation; cues; fixed points.

    found, theory, capacity: by name of the part, stores, `predicted` and `capacities`; grown,
    fixed: `modern_capacity.grown`, `fixed_points`; bound: of the root mean square error.
    """
    figure = Figure(figsize=(18.5, 9.2), layout="constrained")
    axes = figure.subplots(2, 4)
    update = found["update"]
    middle = update.sharpness.values[update.sizes["sharpness"] // 2]
    _bounded(axes[0, 0], capacity["update"], grown, middle, bound)
    for one, kind in zip(axes[0, 1:3], ("sphere", "gaussian"), strict=True):
        _numbers(one, capacity["update"], grown, kind)
    _limits(axes[0, 3], capacity["update"])
    for one, name in zip(axes[1, :2], ("weight", "square_error"), strict=True):
        _curves(one, update, theory["update"], name, middle, bound)
    _basins(axes[1, 2], capacity["cues"])
    _fixed(axes[1, 3], fixed)
    for one in axes.flat:
        one.grid(alpha=0.25)
        if one.get_xlabel().startswith("dimension"):
            one.xaxis.set_major_locator(MaxNLocator(integer=True))
    figure.suptitle(title, fontsize=11)
    return figure


def _points(axes, x, log_number, log_error, place: int, label=None, scale=np.exp, colour=None):
    """M with its error bar, from ln M."""
    some = np.isfinite(log_number.values) & np.isfinite(log_error.values)
    y = scale(log_number.values[some])
    low, high = (y - scale((log_number + s * log_error).values[some]) for s in (-1, 1))
    axes.errorbar(
        np.asarray(x)[some],
        y,
        np.abs([low, high]),
        color=COLOURS[place % 7] if colour is None else colour,
        marker=MARKERS[place % 7],
        ms=5,
        mfc="white",
        ls="none",
        capsize=2,
        label=label,
        zorder=3,
    )


def _bounded(axes, capacity: xr.Dataset, grown: xr.Dataset, sharpness: float, bound: float) -> None:
    d = np.unique(np.rint(np.geomspace(6, _FAR, 25))).astype(int)
    at = {"sharpness": sharpness, "patterns": "sphere"}
    axes.plot(
        d,
        np.exp(d * float(sharp("sphere", sharpness).alpha)),
        color="black",
        ls=DASHES[1],
        lw=1.3,
        label=r"sharp law $e^{\alpha_1 d}$",
    )
    kappa = xr.DataArray(sharpness * d, dims="d")
    half = log_sum_exp.half_weight(xr.DataArray(d, dims="d"), kappa).n_patterns
    axes.plot(d, half, color=COLOURS[5], lw=3, alpha=0.6, label="finite-$d$ law (annealed)")
    law = log_sum_exp_finite.largest(d, sharpness, bound=bound)
    axes.plot(d, np.exp(law.log_typical), color=COLOURS[1], lw=1.1, label="exact, typical")
    axes.plot(
        d,
        np.exp(law.log_error),
        color=COLOURS[2],
        ls=DASHES[3],
        lw=1.1,
        label=rf"exact, rms error $= {bound:g}\sqrt{{d}}$",
    )
    own = capacity.sel(at, drop=True).squeeze("start_overlap")
    for place, measure in ((1, "typical"), (2, "error")):
        one = own.sel(measure=measure)
        _points(axes, one.dimension, one.log_number, one.log_error, place)
    every = grown.sel(at)
    _points(axes, every.dimension, every["mean"], every.error, 3, "all patterns")
    proven = modern_bounds.capacity(
        sharpness, xr.DataArray(np.sqrt(d / (d - 1)), dims="d"), xr.DataArray(d, dims="d"), _FAILURE
    )
    axes.plot(
        d,
        proven.n_patterns,
        color=COLOURS[4],
        ls=DASHES[0],
        lw=2,
        label="proven (Ramsauer et al.), $p = 1/2$",
    )
    axes.set(
        yscale="log",
        xlabel="dimension $d$",
        ylabel="largest number of patterns $M$",
        title=rf"sphere, $\lambda = {sharpness:g}$; points: networks",
    )
    axes.legend(fontsize=8, loc="upper left")


def _numbers(axes, capacity: xr.Dataset, grown: xr.Dataset, kind: str) -> None:
    own = capacity.sel(patterns=kind, measure="typical").squeeze("start_overlap", drop=True)
    every = grown.sel(patterns=kind)
    last = 0
    for place, sharpness in enumerate(own.sharpness.values):
        one, whole = own.sel(sharpness=sharpness), every.sel(sharpness=sharpness)
        reached = one.dimension.values[np.isfinite(one.log_number)]
        if not reached.size:
            continue
        d = np.arange(one.dimension.values.min(), reached.max() + 1, 2)
        last = max(last, reached.max())
        law = log_sum_exp_finite.largest(d, sharpness, patterns=kind)
        colour = COLOURS[place % 7]
        limit = np.exp(d * float(sharp(kind, sharpness).alpha))
        axes.plot(d, limit, color=colour, ls=DASHES[2], lw=1.3)
        axes.plot(d, np.exp(law.log_typical), color=colour, lw=1.2)
        axes.plot(d, np.exp(law.log_all), color=colour, ls=DASHES[1], lw=1.2)
        label = rf"$\lambda = {sharpness:g}$"
        _points(axes, one.dimension, one.log_number, one.log_error, place, label)
        axes.errorbar(
            whole.dimension,
            np.exp(whole["mean"]),
            np.exp(whole["mean"]) * whole.error,
            color=colour,
            marker=MARKERS[place % 7],
            ms=5,
            ls="none",
            capsize=2,
        )
    for style, label in (("solid", "typical, exact"), (DASHES[1], "all patterns")):
        axes.plot([], [], color="0.3", ls=style, label=label)
    axes.plot([], [], color="0.3", ls=DASHES[2], label="sharp law, typical")
    axes.set(
        yscale="log",
        xlabel="dimension $d$",
        ylabel="$M$ retrieved in one update",
        title=f"{_NAMES[kind]}; open: typical pattern, full: all",
    )
    axes.legend(fontsize=8, ncols=2, loc="upper left")
    axes.set_ylim(top=axes.get_ylim()[1] * 30)  # room for the legend


def _limits(axes, capacity: xr.Dataset) -> None:
    half = capacity.sel(measure="weight").squeeze("start_overlap", drop=True)
    for row, kind in enumerate(half.patterns.values):
        for place, sharpness in enumerate(half.sharpness.values):
            one = half.sel(patterns=kind, sharpness=sharpness)
            if not np.isfinite(one.log_number).any():
                continue
            d = np.unique(np.rint(1 / np.linspace(1 / 60, 1 / one.dimension.values.min(), 9)))
            law = log_sum_exp_finite.largest(d, sharpness, patterns=str(kind))
            colour = COLOURS[place % 7]
            style = ("solid", DASHES[1])[row]
            alpha = float(sharp(str(kind), sharpness).alpha)
            x, y = np.append(1 / d, 0), np.append(law.log_mean / d, alpha)
            order = np.argsort(x)
            axes.plot(x[order], y[order], color=colour, ls=style, lw=1.2)
            axes.plot(0, alpha, color=colour, marker=("*", "d")[row], ms=9, clip_on=False)
            axes.errorbar(
                1 / one.dimension,
                one.log_number / one.dimension,
                one.log_error / one.dimension,
                color=colour,
                marker=MARKERS[place % 7],
                mfc=("white", colour)[row],
                ms=5,
                ls="none",
                capsize=2,
            )
    for row, kind in enumerate(half.patterns.values):
        style = ("solid", DASHES[1])[row]
        label = f"{_NAMES[str(kind)]}, exact; marker: sharp law"
        axes.plot([], [], color="0.3", ls=style, marker=("*", "d")[row], label=label)
    for place, sharpness in enumerate(half.sharpness.values):
        label = rf"$\lambda = {sharpness:g}$"
        axes.plot(
            [], [], color=COLOURS[place % 7], marker=MARKERS[place % 7], ls="none", label=label
        )
    axes.set(
        xlabel="$1/d$",
        ylabel=r"$\ln M/d$ at mean weight 1/2",
        title=r"to $d = \infty$; open: sphere, full: Gaussian",
        xlim=(0, None),
    )
    axes.set_ylim(top=axes.get_ylim()[1] + 0.25)
    axes.legend(fontsize=8, loc="upper right", ncols=2)


def _curves(axes, update, theory, name: str, sharpness: float, bound: float) -> None:
    root = name == "square_error"
    at = {"sharpness": sharpness}
    shown = [d for d in update.dimension.values if d in _SHOWN]
    for row, kind in enumerate(("sphere", "gaussian")):
        own = update.sel(patterns=kind, **at).squeeze("start_overlap", drop=True)
        law = theory.sel(patterns=kind, **at).squeeze("start_overlap", drop=True)
        over = statistics.disorder(own[name])
        alpha = float(sharp(kind, sharpness).alpha)
        for place, d in enumerate(shown):
            x = own.excess.values
            exact = law[name].sel(dimension=d).values
            some = np.isfinite(exact)
            if some.sum() < 2:
                continue
            fine = np.linspace(x[some][0], x[some][-1], 60)
            line = log_sum_exp_finite.one_update(
                np.maximum(d * alpha + fine, 0), int(d), sharpness, 1.0, kind
            )[name]
            mean, error = (over[each].sel(dimension=d).values[some] for each in ("mean", "error"))
            if root:
                line = np.sqrt(line)
                error = error / (2 * np.sqrt(mean))
                mean = np.sqrt(mean)
            colour = COLOURS[place % 7]
            axes.plot(fine, line, color=colour, ls=("solid", DASHES[1])[row], lw=1.1)
            axes.errorbar(
                x[some],
                mean,
                error,
                color=colour,
                marker=MARKERS[place % 7],
                mfc=("white", colour)[row],
                ms=4.5,
                ls="none",
                capsize=2,
                label=f"$d = {d}$" if row == 0 else None,
            )
    for row, kind in enumerate(("sphere", "gaussian")):
        label = f"{_NAMES[kind]}, exact"
        axes.plot([], [], color="0.3", ls=("solid", DASHES[1])[row], label=label)
    axes.axvline(0, color="0.6", lw=0.8)
    axes.set(xlabel=r"$\ln M - \alpha_1 d$", title=rf"$\lambda = {sharpness:g}$")
    if root:
        axes.axhline(bound, color="0.6", lw=0.8)
        axes.set(yscale="log", ylabel=r"rms of $|f(x) - x|/\sqrt{d}$", ylim=(1e-3, 1))
    else:
        axes.set(ylabel="mean softmax weight of the queried pattern")
    axes.legend(fontsize=8, loc="lower right" if root else "lower left")


def _basins(axes, capacity: xr.Dataset) -> None:
    half = capacity.sel(measure="weight").squeeze("sharpness")
    sharpness = float(half.sharpness)
    x0 = np.linspace(0.02, 1, 100)
    for row, kind in enumerate(half.patterns.values):
        style = ("solid", DASHES[1])[row]
        law = sharp(str(kind), sharpness, x0)
        label = f"{_NAMES[str(kind)]}, sharp law"
        axes.plot(x0, law.alpha, color="black", lw=2, ls=style, label=label)
        for place, d in enumerate(half.dimension.values):
            one = half.sel(patterns=kind, dimension=d)
            fine = np.linspace(one.start_overlap.values.min(), one.start_overlap.values.max(), 9)
            exact = log_sum_exp_finite.largest(int(d), sharpness, fine, patterns=str(kind))
            colour = COLOURS[(place + 1) % 7]
            axes.plot(fine, exact.log_mean / d, color=colour, lw=1, ls=style)
            axes.errorbar(
                one.start_overlap,
                one.log_number / d,
                one.log_error / d,
                color=colour,
                marker=MARKERS[place % 7],
                mfc=("white", colour)[row],
                ms=5,
                ls="none",
                capsize=2,
                label=f"$d = {d}$" if row == 0 else None,
            )
    axes.set(
        xlabel="overlap $x_0$ of the cue",
        ylabel=r"$\ln M/d$ at mean weight 1/2",
        title=rf"cues, $\lambda = {sharpness:g}$; thin: exact at $d$; full: Gaussian",
    )
    axes.legend(fontsize=8, loc="upper left")


def _fixed(axes, fixed: xr.Dataset) -> None:
    for row, kind in enumerate(fixed.patterns.values):
        one = fixed.sel(patterns=kind)
        colour, name = COLOURS[1 + row], _NAMES[str(kind)]
        axes.plot(
            one.dimension,
            np.exp(one.one_update),
            color=colour,
            ls="solid",
            lw=1.2,
            label=f"{name}: one update, exact",
        )
        axes.plot(
            one.dimension,
            np.exp(one.annealed),
            color=colour,
            ls=DASHES[1],
            lw=1.2,
            label=f"{name}: fixed point, annealed",
        )
        label = f"{name}: fixed points, networks"
        _points(axes, one.dimension, one.log_number, one.log_error, row, label, colour=colour)
    axes.set(
        yscale="log",
        xlabel="dimension $d$",
        ylabel="$M$ at which half of them leave the pattern",
        title="retrieved to a fixed point",
    )
    axes.legend(fontsize=8, loc="upper left")
