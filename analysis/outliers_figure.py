"""Figure of `experiments.outliers`: off-memory and stored queries, the stack, 8 bits."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.outliers import grown, ideal_kurtosis
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics

_SHORT = {"softmax with sink": "softmax, sink", "Softmax_1 with threshold": "Softmax_1, threshold"}
_SIZES = (7, 6, 4, 3.5)  # markers of the kinds, so that those which coincide are seen

_TICKS = tuple(digit * 10.0**power for power in range(-6, 1) for digit in (1, 2, 5))


def drawn(found: dict, laws: dict, settings) -> Figure:
    """Nine panels: queries on the patterns; the stack with random and with stored keys; 8 bits.

    found: name -> Dataset of the experiment; laws: of `analysis.outliers.laws`; settings: of the
    experiment.
    """
    figure = Figure(figsize=(14.5, 12.4), layout="constrained")
    axes = figure.subplots(3, 3)
    off, line = found["off_memory"], laws["off_memory_line"]
    _off_memory(axes[0, 0], off, line, laws, "weight", "sum of the weights")
    _off_memory(axes[0, 1], off, line, laws, "square", r"$|\mathrm{output}|^2/d$")
    _stored(axes[0, 2], found["stored"], laws["stored_line"])
    stack, sink = found["stack"], laws["sink"]
    d, depth = settings.stack_dimension, np.arange(settings.layers + 1)
    labels = {
        "length": r"mean $|x|/\sqrt{d}$ (without sink's feature)",
        "kurtosis": "kurtosis of all entries",
        "largest": "largest |entry|",
    }
    constant = {
        "law of the sink": float(sink.kurtosis),
        "random directions": 3 * d / (d + 2),
        "the sink's entry": float(sink.entry),
    }
    flat = {name: np.full(depth.size, value) for name, value in constant.items()}
    random = {
        "length": {"growth law of softmax": grown(settings.layers, laws["growth"])},
        "kurtosis": {name: flat[name] for name in ("law of the sink", "random directions")},
        "largest": {"the sink's entry": flat["the sink's entry"]},
    }
    ideal = {"half retrieved, half not": ideal_kurtosis(depth, d, settings.query_overlap)}
    stored = {"kurtosis": ideal, "largest": {}}
    for row, (keys, panels) in enumerate({"random": random, "stored": stored}.items(), start=1):
        for one, (name, lines) in zip(axes[row], panels.items(), strict=False):
            _stack(one, stack, keys, name, labels[name], lines)
    _bits(axes[2, 2], found["rounding"], settings)
    figure.suptitle(
        f"Softmax_1 against softmax; {off.sizes['realisation']} realisations of "
        f"{settings.queries} queries; stack and {settings.bits} bits: M = {settings.n_patterns}, "
        rf"$\kappa$ = {settings.self_overlap:g}, t = {settings.layer_threshold:g}",
        fontsize=11,
    )
    for one in axes.ravel():
        one.grid(alpha=0.25)
    return figure


def _off_memory(axes, off: xr.Dataset, line: xr.Dataset, laws: dict, name: str, label: str):
    over = statistics.disorder(off[name])
    for place, d in enumerate(off.dimension.values):
        style = {"color": COLOURS[place % 7], "marker": MARKERS[place % 7]}
        at = line.sel(dimension=d)
        axes.plot(at.threshold, at[name], color=style["color"], ls=DASHES[place % 7], lw=1.3)
        number = int(off.n_patterns.sel(dimension=d).values.flat[0])
        own = over.sel(dimension=d)
        axes.errorbar(
            own.threshold,
            own["mean"],
            own["error"],
            ls="none",
            mfc="white",
            ms=5,
            capsize=2,
            label=f"Softmax_1, d = {d}, M = {number}",
            **style,
        )
        if name == "square":
            soft = float(at.softmax_square[0])
            axes.axhline(soft, color=style["color"], ls=DASHES[place % 7], lw=0.8, alpha=0.7)
            where = {"ha": "right", "va": "bottom", "color": style["color"], "fontsize": 8}
            axes.text(0.99 * float(at.threshold[-1]), soft, f"softmax, d = {d}", **where)
    if name == "weight":
        axes.axhline(1, color="0.5", lw=1)
        axes.text(0, 1.01, "softmax", va="bottom")
    limit = float(laws["boundary"].threshold)
    axes.axvline(limit, color="0.4", lw=1, ls=DASHES[2], label=r"boundary, $d \to \infty$")
    axes.set(xlabel="threshold $t$", ylabel=label, title="queries that match nothing")
    axes.set_ylim(-0.03, 1.1 if name == "weight" else None)
    axes.legend(fontsize=8)


def _stored(axes, near: xr.Dataset, line: xr.Dataset) -> None:
    curves = [("softmax", "softmax_overlap", near.threshold.values[0])]
    curves += [(f"Softmax_1, t = {t:g}", "overlap", t) for t in near.threshold.values]
    for place, (label, name, t) in enumerate(curves):
        style = {"color": COLOURS[place % 7], "marker": MARKERS[place % 7]}
        at, over = line.sel(threshold=t), statistics.disorder(near[name].sel(threshold=t))
        axes.plot(at.start_overlap, at[name], color=style["color"], ls=DASHES[place % 7], lw=1.3)
        axes.errorbar(
            over.start_overlap,
            over["mean"],
            over["error"],
            ls="none",
            mfc="white",
            ms=_SIZES[min(place, 3)],
            capsize=2,
            label=label,
            **style,
        )
    axes.set(
        xlabel="overlap $x_0$ of the query with a stored pattern",
        ylabel="output . pattern$/d$",
        title=f"stored queries, M = {int(near.n_patterns.values.flat[0])}",
    )
    axes.legend(fontsize=8, loc="upper left")


def _stack(axes, stack: xr.Dataset, keys: str, name: str, label: str, lines: dict) -> None:
    over = statistics.disorder(stack[name].sel(key_set=keys, normalisation="pre"))
    for place, kind in enumerate(stack.kind.values):
        own = over.sel(kind=kind)
        axes.errorbar(
            own.layer,
            own["mean"],
            own["error"],
            color=COLOURS[place],
            marker=MARKERS[place],
            ls="none",
            mfc="white",
            ms=_SIZES[place],
            capsize=2,
            label=_SHORT.get(kind, kind),
        )
    for place, (text, values) in enumerate(lines.items()):
        axes.plot(stack.layer, values, color="0.3", ls=DASHES[place], lw=1.1, label=text)
    axes.set(
        xlabel="layer",
        ylabel=label,
        title=f"stack (pre), {keys} keys",
    )
    axes.legend(fontsize=8)


def _bits(axes, bits: xr.Dataset, settings) -> None:
    at = bits.sel(query="stored")
    found, expected = np.sqrt(at.error), np.sqrt(at.expected.mean("realisation"))
    over = statistics.disorder(found)
    for place, kind in enumerate(bits.kind.values):
        own = over.sel(kind=kind)
        style = {"color": COLOURS[place], "marker": MARKERS[place]}
        axes.plot(own.dimension, expected.sel(kind=kind), color=COLOURS[place], ls=DASHES[place])
        axes.errorbar(
            own.dimension,
            own["mean"],
            own["error"],
            ls="none",
            mfc="white",
            ms=_SIZES[place],
            capsize=2,
            label=_SHORT.get(kind, kind),
            **style,
        )
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="dimension $d$",
        ylabel="rms error of an output entry",
        title=f"{settings.bits}-bit tokens and queries, stored queries",
    )
    axes.set_xticks(bits.dimension.values, [str(d) for d in bits.dimension.values])
    axes.minorticks_off()
    low, high = axes.get_ylim()
    ticks = [tick for tick in _TICKS if low < tick < high]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.legend(fontsize=8, title="lines: first order")
