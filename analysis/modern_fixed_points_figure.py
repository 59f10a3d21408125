"""Figure of `experiments.modern_fixed_points`: kinds of fixed points, their lines, hysteresis."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from analysis.modern_fixed_points import lines
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics, theory

_SLICES = (0.1, 0.25, 0.6)  # separations of the slices; the nearest that were simulated
_TITLES = {
    "softmax": "softmax",
    "entmax": r"1.5-entmax",
    "softmax_1": r"Softmax$_1$",
}


def drawn(
    found: dict, limits: xr.Dataset, loops: dict, n_clusters: int, n_patterns: int, title: str
) -> Figure:
    """Six panels: map, slices, d -> infinity; loops of softmax and entmax; digits.

    found: name -> store; limits: `limits`; loops: network -> `branches_of`.
    """
    figure = Figure(figsize=(14.5, 8.8), layout="constrained")
    axes = figure.subplots(2, 3)
    _map(figure, axes[0, 0], found["map"], n_clusters, n_patterns)
    _slices(axes[0, 1], found["map"], n_clusters, n_patterns)
    _limits(axes[0, 2], limits)
    _loop(axes[1, 0], found["loops"], loops, ("softmax", "softmax_1"))
    _loop(axes[1, 1], found["loops"], loops, ("entmax",))
    _digits(axes[1, 2], found["digits"])
    figure.suptitle(title, fontsize=11)
    return figure


def _map(figure, axes, found: xr.Dataset, n_clusters: int, n_patterns: int) -> None:
    number = np.exp(found.log_n_effective.mean("realisation"))
    K, separation = found.self_overlap.values, found.separation.values
    total = n_clusters * n_patterns
    mesh = axes.pcolormesh(
        K, separation, number.transpose("separation", "self_overlap"),
        norm=LogNorm(1, total), cmap="viridis_r", shading="nearest", rasterized=True,
    )  # fmt: skip
    bar = figure.colorbar(mesh, ax=axes, ticks=[1, 2, 4, n_patterns, 16, 32, total])
    bar.ax.minorticks_off()
    bar.ax.set_yticklabels([f"{tick:g}" for tick in bar.get_ticks()])
    bar.set_label(r"patterns in the fixed point, $1/\sum p^2$")
    fine = np.geomspace(separation.min() / 1.1, 1, 120)
    edge = lines(fine, n_clusters, n_patterns)
    below = edge.cluster < edge.single
    for line, dash, label in (
        (edge.single, DASHES[0], "single pattern exists"),
        (edge.cluster.where(below), DASHES[1], "cluster state exists"),
        (edge.split.where(below), DASHES[2], "cluster state unstable"),
        (edge.uniform, DASHES[3], "global state unstable"),
    ):
        axes.plot(line, fine, color="white", lw=3.2)
        axes.plot(line, fine, color="black", ls=dash, lw=1.5, label=label)
    x = np.geomspace(K.min(), K.max(), 200)
    proven = theory.modern_bounds.separated(total, x, 1.0).separation
    axes.plot(x, proven, color="white", lw=3.2)
    axes.plot(x, proven, color=COLOURS[2], ls=DASHES[4], lw=1.7, label="proven (Ramsauer et al.)")
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(K.min(), K.max()),
        ylim=(separation.min() / 1.1, 1.05),
        xlabel=r"inverse temperature $K = \beta |x|^2$",
        ylabel=r"separation $1 - c$ within a cluster",
        title="retrieval from a pattern, random directions",
    )
    axes.legend(fontsize=7.5, loc="lower left", framealpha=0.9)


def _slices(axes, found: xr.Dataset, n_clusters: int, n_patterns: int) -> None:
    over = statistics.disorder(found.log_n_effective)
    fine = np.geomspace(found.self_overlap.values.min(), found.self_overlap.values.max(), 600)
    for place, wanted in enumerate(_SLICES):
        nearest = np.abs(np.log(found.separation.values / wanted)).argmin()
        separation = float(found.separation[nearest])
        exact = theory.modern_clusters.retrieval(n_clusters, n_patterns, 1 - separation, fine)
        style = {"color": COLOURS[place + 1], "marker": MARKERS[place]}
        axes.plot(fine, exact.n_effective, color=style["color"], ls=DASHES[place], lw=1.4)
        one = over.isel(separation=nearest)
        mean = np.exp(one["mean"])
        axes.errorbar(
            one.self_overlap,
            mean,
            mean * one["error"],
            ms=4.5,
            mfc="white",
            ls="none",
            capsize=2,
            label=f"$1 - c = {separation:g}$",
            **style,
        )
    for level, name in (
        (1, "single"),
        (n_patterns, "cluster"),
        (n_clusters * n_patterns, "global"),
    ):
        axes.axhline(level, color="0.7", lw=0.7, zorder=0)
        at_right = name != "single"  # where there are no points
        axes.annotate(
            name,
            (0.985 if at_right else 0.015, level),
            xycoords=("axes fraction", "data"),
            ha="right" if at_right else "left",
            va="bottom",
            fontsize=8,
            color="0.35",
        )
    axes.plot([], [], color="black", lw=1.4, label="theory, right angles")
    axes.set(
        xscale="log",
        yscale="log",
        ylim=(0.85, 1.6 * n_clusters * n_patterns),
        xlabel=r"inverse temperature $K = \beta |x|^2$",
        ylabel=r"patterns in the fixed point, $1/\sum p^2$",
        title="slices of the map",
    )
    ticks = sorted({1, 2, 4, n_patterns, 16, n_clusters * n_patterns})
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.legend(fontsize=8, loc="center right", bbox_to_anchor=(1, 0.72))
    axes.grid(alpha=0.25)


def _limits(axes, limits: xr.Dataset) -> None:
    fine = np.linspace(0, 1.05 / limits.dimension.values.min(), 20)
    for row, state in enumerate(limits.state.values):
        for column, separation in enumerate(limits.separation.values):
            one = limits.sel(state=state, separation=separation)
            if one.predicted.isnull():
                continue
            colour = COLOURS[(row + 1) % 7]
            line = float(one.difference) + float(one.slope) * fine
            axes.plot(fine, line, color=colour, ls=DASHES[column % 7], lw=1.2)
            axes.errorbar(
                1 / one.dimension,
                one.deviation,
                one.deviation_error,
                color=colour,
                marker=MARKERS[column % 7],
                mfc="white",
                ms=4.5,
                ls="none",
                capsize=2,
                label=f"{state}, $1 - c = {separation:g}$, $z = {float(one.z):.1f}$",
            )
    axes.axhline(0, color="black", lw=1)
    axes.set(
        xlabel="$1/d$",
        ylabel=r"$\ln(1/\sum p^2)$, simulation $-$ theory",
        title=r"random directions, lines to $d = \infty$",
    )
    low, high = axes.get_ylim()
    axes.set_ylim(low - 0.75 * (high - low), high)  # room for the legend
    axes.legend(fontsize=7, loc="lower left", ncols=2)
    axes.grid(alpha=0.25)


def _loop(axes, loops: xr.Dataset, branches: dict, networks) -> None:
    for place, name in enumerate(networks):
        exact, one = branches[name]["fine"], loops.sel(network_name=name).isel(realisation=0)
        K, (appears, leaves) = one.self_overlap.values, branches[name]["ends"]
        colour = COLOURS[place + 1]
        for branch in exact.branch.values:
            state = exact.sel(branch=branch)
            for part, dash in ((state.growth < 1, DASHES[0]), (state.growth >= 1, DASHES[2])):
                shown = state.weight.where(part)
                axes.plot(exact.self_overlap, shown, color=colour, ls=dash, lw=1.4)
        for line, above in ((appears, False), (leaves, True)):
            near = exact.sel(self_overlap=line, method="nearest").weight
            jump = [float(near.sel(branch=branch)) for branch in ("uniform", "single")]
            start, end = jump if above else jump[::-1]
            arrow = {"arrowstyle": "->", "color": colour, "lw": 0.9, "ls": DASHES[1]}
            axes.annotate("", (line, end), (line, start), arrowprops=arrow)
        for way, marker in (("raised", "^"), ("lowered", "v")):
            axes.plot(
                K,
                one[way],
                ls="none",
                marker=marker,
                ms=4.5,
                mfc="white",
                color=colour,
                label=f"{_TITLES[name]}, K {way}",
            )
    axes.plot([], [], color="black", ls=DASHES[0], lw=1.4, label="theory, stable")
    axes.plot([], [], color="black", ls=DASHES[2], lw=1.4, label="theory, unstable")
    axes.set(
        xlabel=r"inverse temperature $K = \beta |x|^2$",
        ylabel="weight of the first pattern",
        ylim=(-0.03, 1.05),
        title=f"orthogonal patterns: {' and '.join(_TITLES[name] for name in networks)}",
    )
    axes.legend(fontsize=8, loc="center", bbox_to_anchor=(0.55, 0.6))  # clear of the jumps
    axes.grid(alpha=0.25)


def _digits(axes, found: xr.Dataset) -> None:
    beta = found.inverse_temperature.values
    number, own = statistics.disorder(found.n_states), statistics.disorder(found.own_class)
    style = {"ms": 4.5, "mfc": "white", "capsize": 2, "lw": 1.2}
    axes.errorbar(
        beta,
        number["mean"],
        number["error"],
        color=COLOURS[1],
        marker=MARKERS[0],
        label="different fixed points (left)",
        **style,
    )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel=r"inverse temperature $\beta$ ($|x| = 1$)",
        ylabel="number of different fixed points",
        title="images of digits, all of them as cues",
    )
    right = axes.twinx()
    right.errorbar(
        beta,
        own["mean"],
        own["error"],
        color=COLOURS[2],
        marker=MARKERS[1],
        ls=DASHES[1],
        label="weight on the cue's class (right)",
        **style,
    )
    right.set(ylabel="weight on images of the cue's class", ylim=(0, 1.05))
    handles = [part for one in (axes, right) for part in one.get_legend_handles_labels()[0]]
    names = [part for one in (axes, right) for part in one.get_legend_handles_labels()[1]]
    axes.legend(handles, names, fontsize=8, loc="lower right")
    axes.grid(alpha=0.25)
