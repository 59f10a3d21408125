"""Softmax_1 against softmax: queries that match nothing, outliers through a stack, 8-bit retrieval.

Simulated, with random patterns |xi|^2 = d and queries |x|^2 = d, and scores beta (xi . x - t d),
beta = kappa/d, whose threshold t is a bias (a common component of all keys): softmax ignores it.
*off_memory*: queries independent of the patterns; *stored*: queries at the overlap x_0 with a
pattern. *stack*: layers x <- x + retrieve(x), from normalised x (pre), from x as it is (none), or
with x normalised after the sum (post), with keys of each layer's own (random) or the same in all,
of which half of the queries are noisy copies (stored). *rounding*: stored tokens and queries
rounded to 8 bits, one step a table. The last two compare four layers: softmax; softmax with a sink,
one more token of value zero which has the score kappa t with every query, by an entry sqrt(t d) in
both that the stream must carry; Softmax_1 (t = 0); Softmax_1 with threshold t. The second and the
fourth give equal weights to the patterns.

Drawn: weight and squared output of off-memory queries over t, with the exact law of finite d and
the sharp boundary; overlap and weight of stored queries over x_0; length, kurtosis and largest
entry of the activations through depth; the error of 8 bits over d with its first-order estimate.
Printed: verdicts of each law, and by how much Softmax_1 changes average kurtosis and largest entry,
beside the published figure. Left out of verdicts are cells that rest on fewer than 50 queries.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np

from experiments.modern_capacity import at_overlap
from experiments.options import (
    Options,
    all_computed,
    at_least,
    cells,
    ended,
    plan,
    positive,
    saved,
    started,
)

KINDS = ("softmax", "softmax with sink", "Softmax_1", "Softmax_1 with threshold")
KEYS = ("random", "stored")
NORMALISATIONS = ("none", "pre", "post")
QUERIES = ("stored", "off-memory")
_LANES = {"threshold", "start_overlap", "kind"}
_FREE = 10_000  # thresholds and overlaps are told apart to 1/_FREE in seeds


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/outliers")
    """Folder of four Zarr stores, one for each part. Found again, they are resumed; made with other
    settings, refused."""
    figure: Path = Path("figures/outliers.png")
    realisations: int = 16
    """Independent sets of patterns and queries; the error bars come from them."""
    queries: int = 128
    """Queries of each realisation."""
    dimension: tuple[int, ...] = (24, 48, 96)
    """Dimensions d of off-memory queries."""
    stored_dimension: int = 48
    """The dimension d of stored queries."""
    alpha: float = 0.0866434
    """ln M/d there: 8, 64 and 4096 patterns."""
    sharpness: float = 0.5
    """lambda = beta there, kappa = lambda d."""
    threshold: tuple[float, ...] = (0.0, 0.1, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.7)
    """Thresholds t of off-memory queries."""
    stored_threshold: tuple[float, ...] = (0.0, 0.4, 0.6)
    """Thresholds t of stored queries."""
    start_overlap: tuple[float, ...] = tuple(round(0.05 * k, 2) for k in range(21))
    """Overlaps x_0 of stored queries with their pattern."""
    n_patterns: int = 256
    """Patterns M of the stack and of 8-bit retrieval."""
    self_overlap: float = 32.0
    """kappa = beta d there."""
    layer_threshold: float = 0.6
    """The threshold t there, and of the sink."""
    query_overlap: float = 0.8
    """Overlap x_0 there of stored queries with their pattern."""
    stack_dimension: int = 64
    """Dimension d of the stack."""
    layers: int = 12
    """Depth of the stack."""
    bits: int = 8
    """Bits of the rounding."""
    bits_dimension: tuple[int, ...] = (48, 96, 192, 384)
    """Dimensions d of rounded retrieval."""


# --------------------------------------------------------------------------------------- queries


def off_memory_cell(settings: Settings, seed, dimension: int, threshold):
    """Queries that match nothing, by both networks: Dataset over (threshold).

    Patterns and queries are other ones at every threshold, so that these are independent.
    """
    from hopfield_sim import LogSumExp, patterns

    d, beta, rows = dimension, settings.sharpness, []
    for t in threshold:
        own = (*seed, 0, round(t * _FREE))
        xi = patterns.spherical(number(settings, d), d, (*own, 0))
        x = patterns.spherical(settings.queries, d, (*own, 1))
        model, queries = layer("Softmax_1 with threshold", xi, beta, t)
        output, soft = model.recall(queries(x)), LogSumExp(xi, beta).recall(x)
        rows.append(
            {
                "weight": model.weights(queries(x)).sum(axis=1),
                "square": (output**2).sum(axis=1) / d,
                "overlap": (output * x).sum(axis=1) / d,
                "softmax_square": (soft**2).sum(axis=1) / d,
                "softmax_overlap": (soft * x).sum(axis=1) / d,
            }
        )
    return _means(rows, ("threshold",), (len(threshold),), _OFF_MEMORY, len(xi))


def stored_cell(settings: Settings, seed, threshold, start_overlap):
    """Queries near a stored pattern, by both networks: Dataset over (threshold, start_overlap).

    Patterns and queries are other ones at every point, so that these are independent.
    """
    from hopfield_sim import LogSumExp, patterns

    d, beta, rows = settings.stored_dimension, settings.sharpness, []
    for t, x_0 in product(threshold, start_overlap):
        own = (*seed, 1, round(t * _FREE), round((1 + x_0) * _FREE))
        xi = patterns.spherical(number(settings, d), d, (*own, 0))
        target = xi[np.arange(settings.queries) % len(xi)]
        x = at_overlap(target, x_0, (*own, 1))
        model, queries = layer("Softmax_1 with threshold", xi, beta, t)
        rows.append(
            {
                "weight": model.weights(queries(x)).sum(axis=1),
                "overlap": (model.recall(queries(x)) * target).sum(axis=1) / d,
                "softmax_overlap": (LogSumExp(xi, beta).recall(x) * target).sum(axis=1) / d,
            }
        )
    shape = len(threshold), len(start_overlap)
    return _means(rows, ("threshold", "start_overlap"), shape, _STORED, len(xi))


def number(settings: Settings, dimension: int) -> int:
    """M = exp(alpha d), a whole number."""
    return round(np.exp(settings.alpha * dimension))


_OFF_MEMORY = {
    "weight": "Sum of the weights, Softmax_1",
    "square": "|output|^2/d, Softmax_1",
    "overlap": "output . query/d, Softmax_1",
    "softmax_square": "|output|^2/d, softmax",
    "softmax_overlap": "output . query/d, softmax",
}
_STORED = {
    "weight": "Sum of the weights, Softmax_1",
    "overlap": "output . pattern/d, Softmax_1",
    "softmax_overlap": "output . pattern/d, softmax",
}


def _means(rows, axes, shape, described, n_patterns):
    """Means over the queries of each row, and the number of patterns: Dataset over the axes."""
    import xarray as xr

    found = {"n_patterns": (axes, np.full(shape, n_patterns), _labels("Number of patterns M"))}
    for name, text in described.items():
        values = np.reshape([row[name].mean() for row in rows], shape)
        found[name] = (axes, values, _labels(f"{text}, mean over queries"))
    return xr.Dataset(found)


def _labels(long_name):
    return {"long_name": long_name, "units": "1"}


# ---------------------------------------------------------------------------------------- layers


def layer(kind: str, tokens: np.ndarray, beta: float, threshold: float):
    """The model of one of `KINDS`, and the function that makes its queries of states of the stream.

    tokens: the stored patterns, and the sink as the last of them for the kind that has one.
    """
    from hopfield_sim import LogSumExp, OutlierEfficient

    if kind == "softmax with sink":
        values = tokens.copy()
        values[-1] = values[:, -1] = 0
        return LogSumExp(tokens, beta, values=values), np.asarray
    if kind == "Softmax_1 with threshold":
        # one more entry, of the layer, not of the stream: it makes - t d of every score
        side = np.sqrt(threshold * tokens.shape[1])
        keys = np.pad(tokens, ((0, 0), (0, 1)), constant_values=-side)
        model = OutlierEfficient(keys, beta, values=tokens)
        return model, partial(np.pad, pad_width=((0, 0), (0, 1)), constant_values=side)
    return (LogSumExp if kind == "softmax" else OutlierEfficient)(tokens, beta), np.asarray


def streams(kind: str, xi: np.ndarray, x: np.ndarray, threshold: float):
    """Tokens and states of one of `KINDS`: with a sink, one more token and one more feature."""
    if kind != "softmax with sink":
        return xi, x
    entry = np.sqrt(threshold * xi.shape[1])
    tokens = np.pad(xi, ((0, 1), (0, 1)))
    tokens[-1, -1] = entry
    return tokens, np.pad(x, ((0, 0), (0, 1)), constant_values=entry)


def stack_cell(settings: Settings, seed, key_set: str, normalisation: str, kind):
    """The activations through the layers: Dataset over (kind, layer).

    All kinds have the same patterns and queries, so their differences are those of the layers.
    """
    import xarray as xr

    from hopfield_sim import patterns

    d, threshold = settings.stack_dimension, settings.layer_threshold
    own = (*seed, 2, KEYS.index(key_set), NORMALISATIONS.index(normalisation))
    tables = [
        patterns.spherical(settings.n_patterns, d, (*own, 2 + n))
        for n in range(settings.layers if key_set == "random" else 1)
    ]
    start = patterns.spherical(settings.queries, d, (*own, 0))
    matched = np.zeros(len(start), bool)
    if key_set == "stored":
        matched[: len(start) // 2] = True
        target = tables[0][np.arange(matched.sum()) % settings.n_patterns]
        start[matched] = at_overlap(target, settings.query_overlap, (*own, 1))
    rows = {}
    for each in kind:
        _, x = streams(each, tables[0], start, threshold)
        layers = [
            layer(
                each, streams(each, xi, start, threshold)[0], settings.self_overlap / d, threshold
            )
            for xi in tables
        ]
        states = _through(x, layers, settings.layers, normalisation)
        rows[each] = np.array([_described(one, states[0], matched, d) for one in states])
    axes = ("kind", "layer")
    values = np.stack([rows[each] for each in kind])
    return xr.Dataset(
        {
            name: (axes, values[..., place], _labels(text))
            for place, (name, text) in enumerate(_DESCRIBED.items())
        },
        coords={"layer": ("layer", np.arange(settings.layers + 1), _labels("Layers passed"))},
    )


_DESCRIBED = {
    "kurtosis": "Kurtosis of all entries of the activations, mean x^4/(mean x^2)^2",
    "token_kurtosis": "Kurtosis of the entries of one query, mean over queries",
    "largest": "Largest |entry| of the activations",
    "length": "|x|/sqrt(d) of the first d features, mean over queries",
    "square": "|x|^2/d of the first d features, mean over queries",
    "moved": "|x - x at the start|^2/d of queries that match nothing",
}


def _through(x, layers, depth, normalisation) -> list[np.ndarray]:
    """The stream before the first and after each layer."""
    length = np.linalg.norm(x, axis=1, keepdims=True)

    def normalised(y):
        return y * (length / np.linalg.norm(y, axis=1, keepdims=True))

    states = [x]
    for place in range(depth):
        model, queries = layers[place % len(layers)]
        seen = normalised(x) if normalisation == "pre" else x
        x = x + model.recall(queries(seen))
        if normalisation == "post":
            x = normalised(x)
        states.append(x)
    return states


def _described(x, start, matched, d) -> list[float]:
    square, fourth = (x**2).mean(axis=1), (x**4).mean(axis=1)
    length = np.linalg.norm(x[:, :d], axis=1) / np.sqrt(d)
    moved = ((x - start)[~matched] ** 2).sum(axis=1).mean() / d
    return [
        *(fourth.mean() / square.mean() ** 2, (fourth / square**2).mean(), np.abs(x).max()),
        *(length.mean(), (length**2).mean(), moved),
    ]


# ---------------------------------------------------------------------------------------- 8 bits


def rounded(x: np.ndarray, bits: int) -> tuple[np.ndarray, float]:
    """A table in multiples of one step, and the step, (largest |entry|)/(2^(bits - 1) - 1)."""
    step = np.abs(x).max() / (2 ** (bits - 1) - 1)
    return np.rint(x / step) * step, step


def rounding_cell(settings: Settings, seed, dimension: int, kind):
    """Retrieval with rounded tokens and queries: Dataset over (kind, query).

    Tokens are rounded once, for keys and values; biases are exact, as they are no activations.
    """
    import xarray as xr

    from hopfield_sim import patterns
    from hopfield_sim.theory import rounding

    threshold, beta = settings.layer_threshold, settings.self_overlap / dimension
    own = (*seed, 3)
    xi = patterns.spherical(settings.n_patterns, dimension, (*own, 0))
    target = np.arange(settings.queries) % settings.n_patterns
    away = patterns.spherical(settings.queries, dimension, (*own, 2))
    start = np.vstack([at_overlap(xi[target], settings.query_overlap, (*own, 1)), away])
    wanted = np.vstack([xi[target], np.zeros_like(away)])
    rows = []
    for each in kind:
        tokens, x = streams(each, xi, start, threshold)
        (coarse, key_step), (coarse_x, query_step) = (
            rounded(table, settings.bits) for table in (tokens, x)
        )
        model, queries = layer(each, tokens, beta, threshold)
        coarse_model, _ = layer(each, coarse, beta, threshold)
        output = model.recall(queries(x))
        inexact = coarse_model.recall(queries(coarse_x))
        values = tokens if model.values is None else model.values
        expected = rounding.squared_error(
            tokens, values, x, model.weights(queries(x)), beta, key_step, query_step
        )
        found = ((inexact - output) ** 2).sum(axis=1)
        missed = ((inexact[:, :dimension] - wanted) ** 2).sum(axis=1)
        size = np.maximum(np.abs(x).max(), np.abs(tokens).max())
        for some in (slice(None, settings.queries), slice(settings.queries, None)):
            means = (each[some].mean() / dimension for each in (found, expected, missed))
            rows.append([*means, key_step, size])
    axes = ("kind", "query")
    table = np.array(rows).reshape(len(kind), len(QUERIES), -1)
    described = {
        "error": "|rounded output - output|^2/d, mean over queries",
        "expected": "First-order estimate of the error",
        "missed": "|rounded output - what is wanted|^2/d: the pattern, or nothing",
        "step": "Step of the rounding of tokens",
        "largest": "Largest |entry| of tokens and queries",
    }
    return xr.Dataset(
        {
            name: (axes, table[..., place], _labels(text))
            for place, (name, text) in enumerate(described.items())
        },
        coords={"query": ("query", list(QUERIES))},
    )


# ------------------------------------------------------------------------------------- the study


def sweeps(settings: Settings) -> dict:
    """Name of the store -> sweep."""
    from hopfield_sim import Sweep

    checked(settings)
    axes = {
        "off_memory": {
            "dimension": np.unique(settings.dimension),
            "threshold": np.unique(settings.threshold),
        },
        "stored": {
            "threshold": np.unique(settings.stored_threshold),
            "start_overlap": np.unique(settings.start_overlap),
        },
        "stack": {"key_set": KEYS, "normalisation": NORMALISATIONS, "kind": KINDS},
        "rounding": {"dimension": np.unique(settings.bits_dimension), "kind": KINDS},
    }
    return {
        name: Sweep(
            partial(cell, settings),
            axes[name],
            lanes=tuple(set(axes[name]) & _LANES),
            realisations=settings.realisations,
            seed=settings.seed,
            title=f"Softmax_1 against softmax: {name.replace('_', '-')}",
            settings={each: getattr(settings, each) for each in given},
        )
        for name, (cell, given) in _PARTS.items()
    }


_LAYERS = ("queries", "n_patterns", "self_overlap", "layer_threshold", "query_overlap")
_PARTS = {
    "off_memory": (off_memory_cell, ("queries", "alpha", "sharpness")),
    "stored": (stored_cell, ("queries", "alpha", "sharpness", "stored_dimension")),
    "stack": (stack_cell, (*_LAYERS, "stack_dimension", "layers")),
    "rounding": (rounding_cell, (*_LAYERS, "bits")),
}
"""Name of a part -> its cell, and the settings that determine its numbers beside the axes."""


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import device

    device.resolve(settings.device)
    at_least(settings, queries=2, n_patterns=1, layers=1, bits=2, realisations=2)
    at_least(settings, dimension=2, stored_dimension=2, stack_dimension=2, bits_dimension=2)
    at_least(settings, threshold=0, stored_threshold=0, layer_threshold=0)
    at_least(settings, start_overlap=-1, query_overlap=-1)
    positive(settings, "alpha", "sharpness", "self_overlap")
    smallest = min(*settings.dimension, settings.stored_dimension)
    if number(settings, smallest) < 2:
        raise ValueError(
            f"--alpha {settings.alpha}: no two patterns exp(alpha d) at d = {smallest}; raise "
            "alpha, --dimension or --stored-dimension."
        )
    for x_0 in (*settings.start_overlap, settings.query_overlap):
        if x_0 > 1:
            raise ValueError(f"overlap {x_0}: a number from -1 to 1 is needed.")


def main(settings: Settings) -> None:
    each = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings, each))
        return
    found = all_computed(each, settings)
    report(found, settings)


def report(found: dict, settings: Settings) -> None:
    """Tables, verdicts and figure of finished stores."""
    from analysis import outliers, outliers_figure

    laws = outliers.laws(found, settings)
    print(outliers.boundary_text(found["off_memory"], laws, settings))
    print(outliers.stack_text(found["stack"]))
    print(outliers.bits_text(found["rounding"], settings))
    saved(outliers_figure.drawn(found, laws, settings), settings.figure)
    for name, verdict in outliers.verdicts(found, laws, settings).items():
        print(f"{name}: {verdict}")


def _plan(settings: Settings, each: dict) -> str:
    """The cost of all parts, from one cell of each."""
    seconds, n_cells = 0.0, 0
    for sweep in each.values():
        axes = {name: values[-1] for name, values in sweep.axes.items()}
        axes |= {name: sweep.axes[name] for name in sweep.lanes}
        begin = time.perf_counter()
        sweep.cell(seed=(settings.seed, 0), **axes)
        seconds += cells(sweep) * (time.perf_counter() - begin)
        n_cells += cells(sweep)
    held = [number(settings, d) for d in settings.dimension]
    near_points = len(settings.stored_threshold) * len(settings.start_overlap)
    layers = len(KEYS) * len(NORMALISATIONS) * settings.layers + 4 * len(settings.bits_dimension)
    scores = settings.queries * (
        2 * sum(held) * len(settings.threshold)
        + 2 * number(settings, settings.stored_dimension) * near_points
        + len(KINDS) * settings.n_patterns * layers
    )
    largest = max(*held, settings.n_patterns)
    memory = 8.0 * largest * (3 * max(settings.dimension) + 3 * settings.queries)
    files = f"{n_cells} cells in four stores in {settings.store}"
    scores *= settings.realisations
    counted = "scores of a query with a pattern"
    return plan(n_cells, scores, seconds / n_cells, memory, files, settings.workers, counted)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
