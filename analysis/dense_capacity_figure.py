"""Figure of `experiments.dense_capacity`: errors of the first update, capacities, thresholds."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.comparison import z_scores
from analysis.dense_capacity import QUARTER, exponents
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics

_SHOWN = 512  # the largest N of the panel of P_err
_BAR = 0.25  # the largest relative error bar of the panel of differences


def drawn(
    update: xr.Dataset,
    theory: xr.Dataset,
    capacity: xr.Dataset,
    exponential: xr.Dataset,
    loads: xr.Dataset,
    title: str,
) -> Figure:
    """Six panels: P_err(K), its relative difference, K_max(N); exponential networks likewise.

    update, exponential: the stores; theory: `predicted`; capacity: `capacities`; loads:
    `quarter_loads`.
    """
    figure = Figure(figsize=(14.5, 8.6), layout="constrained")
    axes = figure.subplots(2, 3)
    scores = z_scores(update.error, theory.exact)
    _errors(axes[0, 0], update, scores, theory)
    _differences(axes[0, 1], scores, theory)
    _capacities(axes[0, 2], capacity)
    overlaps = exponential.start_overlap.values[::-1]
    for one, x0 in zip(axes[1, :2], overlaps, strict=False):
        _thresholds(one, exponential.sel(start_overlap=x0), loads.sel(start_overlap=x0))
    for spare in axes[1, len(overlaps) : 2]:
        spare.set_axis_off()
    _limits(axes[1, 2], loads)
    figure.suptitle(title, fontsize=11)
    return figure


def _errors(axes, update: xr.Dataset, scores: xr.Dataset, theory: xr.Dataset) -> None:
    number = update.n_patterns.isel(realisation=0)
    orders = update.interaction.values
    order = 3 if 3 in orders else orders[0]
    at = {"kind": "full", "interaction": order}
    place = 0
    for n_neurons in update.n_neurons.values[update.n_neurons.values <= _SHOWN]:
        k = number.sel(at | {"n_neurons": n_neurons})
        some = (k > 0).values
        if some.sum() < 2:
            continue
        own = scores.sel(at | {"n_neurons": n_neurons})
        law = theory.sel(at | {"n_neurons": n_neurons})
        style = {"color": COLOURS[place % 7], "marker": MARKERS[place % 7]}
        axes.plot(k[some], law.exact[some], color=style["color"], lw=1.3)
        axes.plot(k[some], law.gaussian[some], color=style["color"], lw=1.3, ls=DASHES[2])
        axes.errorbar(
            k[some],
            own["mean"][some].where(own["mean"][some] > 0),
            own["error"][some],
            ms=4.5,
            mfc="white",
            ls="none",
            capsize=2,
            label=f"N = {n_neurons}",
            **style,
        )
        place += 1
    axes.plot([], [], color="black", lw=1.3, label="exact")
    axes.plot([], [], color="black", lw=1.3, ls=DASHES[2], label="Gaussian noise")
    axes.set(
        xscale="log",
        yscale="log",
        ylim=(1e-4, 3),
        xlabel="number of patterns $K$",
        ylabel=r"$P_\mathrm{err}$ of the first update",
        title=f"$F = S^{order}$",
    )
    axes.legend(fontsize=8, loc="upper left", ncols=3)
    axes.grid(alpha=0.25)


def _differences(axes, scores: xr.Dataset, theory: xr.Dataset) -> None:
    smallest = theory.n_neurons.values.min()
    small, law = scores.sel(n_neurons=smallest), theory.sel(n_neurons=smallest)
    ratio, bar = small["mean"] / law.exact - 1, small["error"] / law.exact
    for row, order in enumerate(scores.interaction.values):
        for column, kind in enumerate(scores.kind.values):
            at = {"kind": kind, "interaction": order}
            x, y, error = (a.sel(at).values for a in (law.exact, ratio, bar))
            some = np.isfinite(y) & (error < _BAR)
            if some.sum() < 2:
                continue
            axes.errorbar(
                x[some] * 1.04 ** (column - 1),  # beside each other
                y[some],
                error[some],
                color=COLOURS[row % 7],
                marker=MARKERS[column],
                mfc="white",
                ms=5,
                lw=0.9,
                ls="none",
                capsize=2,
                label=f"n = {order}, {kind}",
            )
    axes.axhline(0, color="black", lw=1.3)
    for row, order in enumerate(theory.interaction.values):
        full = law.sel(interaction=order, kind="full")
        if full.exact.notnull().sum() > 1:
            label = f"Gaussian noise, n = {order}, full"
            y = full.gaussian / full.exact - 1
            axes.plot(full.exact, y, color=COLOURS[row % 7], lw=1.3, ls=DASHES[2], label=label)
    axes.set(
        xscale="log",
        xlabel=r"exact $P_\mathrm{err}$",
        ylabel=r"simulated $P_\mathrm{err}$ / exact $- 1$",
        ylim=(-0.6, 0.8),
        title=f"N = {smallest}",
    )
    axes.legend(fontsize=8, ncols=2, loc="upper right")
    axes.grid(alpha=0.25)


def _capacities(axes, capacity: xr.Dataset) -> None:
    found = exponents(capacity)
    for column, kind in enumerate(capacity.kind.values):
        slopes = []
        for row, order in enumerate(capacity.interaction.values):
            at = capacity.sel(kind=kind, interaction=order)
            some = at.log_number.notnull().values
            if not some.any():
                continue
            x, y = at.n_neurons.values[some], np.exp(at.log_number[some])
            colour = COLOURS[row % 7]
            axes.plot(x, np.exp(at.log_exact[some]), color=colour, ls=DASHES[column], lw=1.3)
            axes.plot(x, np.exp(at.log_asymptotic[some]), color="0.6", ls=DASHES[2], lw=1, zorder=0)
            bar = y * at.log_error[some]
            style = {"color": colour, "marker": MARKERS[column], "mfc": "white", "ms": 5}
            axes.errorbar(x, y, bar, ls="none", capsize=2, **style)
            own = found.sel(kind=kind, interaction=order)
            if own.n_sizes > 1:
                slopes.append(f"{float(own.slope):.3f}({1000 * float(own.slope_error):.0f})")
        style = {"color": "black", "marker": MARKERS[column], "mfc": "white", "ms": 5}
        label = f"{kind}: slopes {', '.join(slopes)}"
        axes.plot([], [], ls=DASHES[column], lw=1.3, label=label, **style)
    label = r"leading order, $\propto N^{n-1}$"
    axes.plot([], [], color="0.6", ls=DASHES[2], label=label)
    orders = ", ".join(map(str, capacity.interaction.values))
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="neurons $N$",
        ylabel=r"$K_\mathrm{max}$ at $P_\mathrm{err} = 0.5\,\%$",
        title=f"n = {orders} (from below); lines: exact formula",
    )
    axes.set_ylim(bottom=axes.get_ylim()[0] / 40)  # room for the legend
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.25)


def _thresholds(axes, exponential: xr.Dataset, loads: xr.Dataset) -> None:
    over = statistics.disorder(exponential.error)
    centre = float(loads.typical)
    for place, n_neurons in enumerate(exponential.n_neurons.values):
        one = over.sel(n_neurons=n_neurons)
        x = centre + one.excess / n_neurons
        near = np.abs(x - centre) < 0.12
        axes.errorbar(
            x[near],
            one["mean"][near],
            one["error"][near],
            color=COLOURS[place % 7],
            marker=MARKERS[place % 7],
            ms=3.5,
            mfc="white",
            lw=0.8,
            ls=DASHES[place % 7],
            label=f"N = {n_neurons}",
        )
    label = f"typical pattern\n(all patterns: {float(loads.worst_case):.3f})"
    axes.axvline(centre, color="black", lw=1.3, label=label)
    axes.axhline(QUARTER, color="0.6", lw=0.8)
    axes.set(
        xlabel=r"load $\alpha = \ln K / N$",
        ylabel=r"$P_\mathrm{err}$ of the first update",
        ylim=(-0.01, 0.52),
        title=rf"$F = e^S$, $x_0 = {float(exponential.start_overlap):g}$",
    )
    axes.legend(fontsize=8)
    axes.grid(alpha=0.25)


def _limits(axes, loads: xr.Dataset) -> None:
    fine = np.linspace(0, 1.05 / loads.n_neurons.values.min(), 20)
    logarithm = loads.logarithm * np.log(loads.n_neurons) / (2 * loads.n_neurons)
    away = loads.alpha - logarithm - loads.typical
    for place, x0 in enumerate(loads.start_overlap.values[::-1]):
        at = loads.sel(start_overlap=x0)
        colour = COLOURS[place % 7]
        curve = float(at.limit - at.typical) + float(at.slope) * fine
        axes.plot(fine, curve, color=colour, ls=DASHES[place % 7], lw=1.3)
        axes.errorbar(
            1 / at.n_neurons,
            away.sel(start_overlap=x0),
            at.alpha_error,
            color=colour,
            marker=MARKERS[place % 7],
            mfc="white",
            ms=5,
            ls="none",
            capsize=2,
            label=rf"$x_0 = {x0:g}$: {float(at.limit):.4f} ± {float(at.limit_error):.4f},"
            f" typical {float(at.typical):.4f}",
        )
    axes.axhline(0, color="black", lw=1)
    axes.set(
        xlabel="$1/N$",
        ylabel=r"$\alpha_{1/4}(N) - b \ln N/(2N) - \alpha_\mathrm{typ}$",
        title=r"where $P_\mathrm{err} = 1/4$, and the line to $N = \infty$",
    )
    axes.margins(y=0.25)
    axes.legend(fontsize=8, loc="upper left")
    axes.grid(alpha=0.25)
