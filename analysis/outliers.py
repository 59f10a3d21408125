"""Softmax_1 against softmax: laws of the study, what outliers a stack has, verdicts."""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis import comparison
from hopfield_sim import statistics
from hopfield_sim.theory import softmax_one

FEWEST = 50
"""A mean that as many queries would make, each of weight one, or less, is of rare events."""
PUBLISHED = (
    "Hu et al. 2024 report about 22 % less kurtosis on average, in trained transformers: other "
    "networks than these, whose numbers follow from d and t"
)
_PLAIN = (
    "as published, t = 0, the memory at zero is one of M + 1 and has a weight of about 1/M at most"
)
_PAIRS = (("softmax with sink", "Softmax_1 with threshold"), ("softmax", "Softmax_1"))


def laws(found: dict, settings) -> dict[str, xr.Dataset]:
    """Theory at the points of the stores, and finer for lines: name -> Dataset.

    found: name -> Dataset of the experiment; settings: of the experiment (or what has its fields
    `sharpness`, `alpha`, `stored_dimension`, `n_patterns`, `stack_dimension`, `self_overlap` and
    `layer_threshold`).
    """
    off, near = found["off_memory"], found["stored"]
    d = settings.stored_dimension
    number = int(near.n_patterns.values.flat[0])
    fine_t = np.linspace(0, float(off.threshold.max()), 43)
    fine_x = np.linspace(float(near.start_overlap.min()), float(near.start_overlap.max()), 41)
    thresholds = near.threshold.values

    def off_memory(threshold):
        size = off.dimension
        numbers = off.n_patterns.isel(threshold=0, realisation=0, drop=True)
        given = numbers, size, settings.sharpness * size, threshold
        return softmax_one.off_memory(*given)

    def stored(start_overlap):
        given = number, d, settings.sharpness * d, start_overlap, thresholds
        return softmax_one.stored(*given)

    return {
        "off_memory": off_memory(off.threshold.values),
        "off_memory_line": off_memory(fine_t),
        "stored": stored(near.start_overlap.values),
        "stored_line": stored(fine_x),
        "growth": softmax_one.off_memory(
            settings.n_patterns, settings.stack_dimension, settings.self_overlap
        ),
        "sink": softmax_one.sink(settings.stack_dimension, settings.layer_threshold),
        "boundary": softmax_one.boundary(settings.alpha, settings.sharpness),
    }


# ------------------------------------------------------------------------------- off-memory queries


def half_threshold(weight: xr.DataArray) -> xr.DataArray:
    """The threshold at which half of the weight is left: logit W(t) linear between two t.

    weight: (..., threshold), W. NaN where it does not pass 1/2.
    """

    def crossing(w, t):
        with np.errstate(divide="ignore"):
            logit = np.log(w) - np.log1p(-w)
        after = int(np.argmax(logit < 0))
        if after == 0 or not np.isfinite(logit[after - 1 : after + 1]).all():
            return np.nan
        share = logit[after - 1] / (logit[after - 1] - logit[after])
        return t[after - 1] + share * (t[after] - t[after - 1])

    core = [["threshold"], ["threshold"]]
    return xr.apply_ufunc(
        crossing, weight, weight.threshold, input_core_dims=core, vectorize=True
    ).assign_attrs(long_name="Threshold at which half of the weight is left", units="1")


def boundary_text(off: xr.Dataset, laws: dict, settings) -> str:
    """Where off-memory queries lose half of their weight, against the exact law and the limit."""
    found = statistics.jackknife(half_threshold, off.weight)
    exact = half_threshold(laws["off_memory"].weight)
    limit = float(laws["boundary"].threshold)
    lines = [
        f"threshold t at which a query that matches nothing keeps half of the weight, "
        f"lambda = {settings.sharpness:g} (limit d -> infinity: {limit:.4f}; softmax keeps all):"
    ]
    for d in off.dimension.values:
        at = found.sel(dimension=d)
        number = int(off.n_patterns.sel(dimension=d).values.flat[0])
        lines.append(
            f"  d = {d:4d}, M = {number:5d}: {float(at.estimate):.4f} ± {float(at.error):.4f}, "
            f"exact law {float(exact.sel(dimension=d)):.4f}"
        )
    plain = off.weight.sel(threshold=0, method="nearest")
    if float(plain.threshold) == 0:
        kept = ", ".join(f"{float(w):.4f}" for w in plain.mean("realisation"))
        lines.append(f"  at t = 0 (Softmax_1 as published) they keep {kept} of it")
    return "\n".join(lines)


# ------------------------------------------------------------------------------------------- stack


def extremes(stack: xr.Dataset) -> xr.Dataset:
    """`kurtosis`, mean over the layers, and `largest`, maximum over them: (..., realisation)."""
    behind = stack.isel(layer=slice(1, None))
    return xr.Dataset(
        {"kurtosis": behind.kurtosis.mean("layer"), "largest": behind.largest.max("layer")}
    )


def reductions(stack: xr.Dataset) -> xr.Dataset:
    """1 - (Softmax_1)/(softmax) of `outliers`, realisation by realisation, for two pairs.

    Pairs: softmax with sink against Softmax_1 with threshold, which retrieve the same; softmax
    against Softmax_1. `kurtosis`, `largest`: (key_set, normalisation, pair, realisation).
    """
    each = extremes(stack)
    found = [
        1 - each.sel(kind=one, drop=True) / each.sel(kind=soft, drop=True) for soft, one in _PAIRS
    ]
    return xr.concat(found, dim=xr.Variable("pair", [soft for soft, _ in _PAIRS]))


def stack_text(stack: xr.Dataset) -> str:
    """Average kurtosis and largest entry of each layer, and what Softmax_1 changes."""
    each, less = extremes(stack), reductions(stack)
    lines = ["activations behind the layers: average kurtosis, largest entry (mean ± error):"]
    heads = [str(kind) for kind in stack.kind.values]
    lines.append(f"  {'keys, normalisation':21s}" + "".join(f"{head:>27s}" for head in heads))
    for keys in stack.key_set.values:
        for normalisation in stack.normalisation.values:
            at = {"key_set": keys, "normalisation": normalisation}
            row = f"  {keys + ', ' + normalisation:21s}"
            for kind in stack.kind.values:
                own = each.sel(at | {"kind": kind})
                pair = (_number(own[name]) for name in ("kurtosis", "largest"))
                row += f"{', '.join(pair):>27s}"
            lines.append(row)
    for soft, one in _PAIRS:
        lines.append(f"{one} instead of {soft}: reduction of both (mean ± error)")
        for keys in stack.key_set.values:
            parts = []
            for normalisation in stack.normalisation.values:
                own = less.sel(key_set=keys, normalisation=normalisation, pair=soft)
                pair = " and ".join(_number(100 * own[name]) for name in ("kurtosis", "largest"))
                parts.append(f"{normalisation} {pair} %")
            lines.append(f"  {keys} keys: {'; '.join(parts)}")
    lines += [f"  ({PUBLISHED};", f"  {_PLAIN})"]
    return "\n".join(lines)


def _number(values: xr.DataArray) -> str:
    over = statistics.disorder(values)
    mean = round(float(over["mean"]), 2) + 0.0  # -0.00 is 0.00
    return f"{mean:.2f} ± {float(over['error']):.2f}"


def ideal_kurtosis(layer: np.ndarray, dimension: int, overlap: float) -> np.ndarray:
    """Kurtosis where half of the queries retrieve their pattern in each layer, the others nothing.

    Of x <- x + xi from the overlap x_0, |x|^2 = d (1 + 2 l x_0 + l^2) after l layers; entries of
    vectors of random direction have the kurtosis 3 d/(d + 2), and of two kinds of length
    (3 d/(d + 2)) <r^4>/<r^2>^2: towards twice that. Derived here.
    """
    square = 1 + 2 * layer * overlap + layer**2
    return 3 * dimension / (dimension + 2) * 2 * (1 + square**2) / (1 + square) ** 2


def growth(stack: xr.Dataset, law: xr.Dataset) -> xr.Dataset:
    """|o|^2/d as the activations grow by it: `found` and `predicted` over (layer, realisation).

    With keys of each layer's own, x <- x + o makes <|x'|^2> = <|x|^2> + 2 <|x|> u + v exactly, u
    and v the mean overlap and squared length of what softmax makes of a normalised query.
    """
    at = stack.sel(key_set="random", normalisation="pre", kind="softmax", drop=True)
    before = at.isel(layer=slice(None, -1))
    found = at.square.diff("layer", label="upper") - 2 * float(law.softmax_overlap) * (
        before.length.assign_coords(layer=at.layer[1:])
    )
    found = found.assign_attrs(long_name="|output|^2/d from the growth of |x|^2", units="1")
    predicted = xr.full_like(found.isel(realisation=0, drop=True), float(law.softmax_square))
    return xr.Dataset({"found": found, "predicted": predicted})


def grown(layers: int, law: xr.Dataset) -> np.ndarray:
    """sqrt(<|x|^2>/d) through the layers with keys of their own, lengths taken as all alike."""
    u, v = float(law.softmax_overlap), float(law.softmax_square)
    squares = [1.0]
    for _ in range(layers):
        squares.append(squares[-1] + 2 * np.sqrt(squares[-1]) * u + v)
    return np.sqrt(squares)


# ------------------------------------------------------------------------------------------ 8 bits


def bits_text(bits: xr.Dataset, settings) -> str:
    """Root-mean-square errors of rounded retrieval."""
    mean = np.sqrt(bits.mean("realisation"))
    lines = [
        f"{settings.bits}-bit retrieval, rms error per entry: of the output of stored queries / "
        "distance of the output of off-memory queries from nothing"
    ]
    sizes = bits.dimension.values
    lines.append(f"  {'':26s}" + "".join(f"{f'd = {d}':>22s}" for d in sizes))
    for kind in bits.kind.values:
        row = f"  {kind:26s}"
        for d in sizes:
            at = mean.sel(kind=kind, dimension=d)
            pair = float(at.error.sel(query="stored")), float(at.missed.sel(query="off-memory"))
            row += f"{f'{pair[0]:.5f} / {pair[1]:.2g}':>22s}"
        lines.append(row)
    return "\n".join(lines)


# ---------------------------------------------------------------------------------------- verdicts


def verdicts(found: dict, laws: dict, settings) -> dict[str, comparison.Verdict]:
    """Each law against the simulation: what was compared -> verdict."""
    off, near, bits = found["off_memory"], found["stored"], found["rounding"]
    queries = settings.queries * off.sizes["realisation"]
    law, at = laws["off_memory"], laws["stored"]
    grew = growth(found["stack"], laws["growth"])
    ratio = (bits.error / bits.expected).assign_attrs(
        long_name="error of rounding over its first-order estimate", units="1"
    )
    return {
        "off-memory, sum of the weights of Softmax_1": _verdict(off.weight, law.weight, queries),
        "off-memory, |output|^2/d of Softmax_1": _verdict(off.square, law.square, queries),
        "off-memory, |output|^2/d of softmax": _verdict(
            off.softmax_square, law.softmax_square, queries
        ),
        "stored, sum of the weights of Softmax_1": _verdict(near.weight, at.weight, queries),
        "stored, output . pattern/d of Softmax_1": _verdict(near.overlap, at.overlap, queries),
        "stored, output . pattern/d of softmax": _verdict(
            near.softmax_overlap, at.softmax_overlap, queries
        ),
        "stack, |output|^2/d of softmax with random keys": comparison.verdict(
            comparison.z_scores(grew.found, grew.predicted), columns="layer"
        ),
        f"{settings.bits}-bit error over its first-order estimate": comparison.verdict(
            comparison.z_scores(ratio, xr.ones_like(ratio.isel(realisation=0, drop=True))),
            columns="dimension",
        ),
    }


def _verdict(found: xr.DataArray, predicted: xr.DataArray, queries: int) -> comparison.Verdict:
    """Every cell has patterns of its own; those near 0 or 1 are of rare events."""
    scores = comparison.z_scores(found, predicted.transpose(*found.isel(realisation=0).dims))
    rare = np.minimum(np.abs(scores.predicted), np.abs(1 - scores.predicted)) * queries < FEWEST
    return comparison.verdict(
        scores, columns=None, reasons={f"within {FEWEST} queries of 0 or 1": rare}
    )
