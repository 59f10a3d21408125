"""Continuous states: sums over all stored patterns for many queries, without their table.

Scores z_i = beta k_i . q are made some keys and queries at a time, used and thrown away: memory
beyond the arguments and results does not depend on the number of patterns. `softmax` and `entmax`
of arrays in main memory, all float32 or all float64, run compiled (`lanes_softmax`,
`lanes_entmax`, which say how much space they take): one thread, no Python lock, and what a query
gets does not depend on the queries beside it, bit for bit. Everything else is written with the
module of the arrays (NumPy, or CuPy for arrays on a GPU), of which the results agree with the
compiled ones within rounding.

Source of the running softmax: Milakov and Gimelshein, arXiv:1805.02867 (2018).
"""

from __future__ import annotations

import math

import numpy as np

from hopfield_sim import device
from hopfield_sim.kernels import lanes_entmax, lanes_softmax

_KEYS, _QUERIES = 1024, 256  # a block of scores; in float64 2 MB
_SCORES = 2**22  # entries of a block of scores where rows must be whole
_DIFFERENCES = 2**17  # entries of differences of queries and keys


def softmax(
    queries: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray | None,
    beta: float,
    offset: np.ndarray | None = None,
    extra: float = 0.0,
) -> tuple[np.ndarray | None, np.ndarray]:
    """sum_i p_i v_i with p_i = e^{z_i} / (extra + sum_j e^{z_j}), z_i = beta k_i . q + offset_i.

    queries: (query, dimension); keys: (pattern, dimension); values: (pattern, feature), or None
    where only the sum is wanted; offset: (pattern,), -inf leaves a pattern out; extra: the weight
    of nothing, 1 for Softmax_1.

    Returns the sum (query, feature) or None, and ln(extra + sum_j e^{z_j}), (query,). Where every
    pattern is left out and extra is 0 they are NaN and -inf.
    """
    if _compiled(queries, keys, values, offset):
        return lanes_softmax.softmax(queries, keys, values, beta, offset, extra)
    return softmax_of_arrays(queries, keys, values, beta, offset, extra)


def softmax_of_arrays(queries, keys, values, beta, offset=None, extra=0.0):
    """`softmax` by the module of its arrays."""
    xp = device.module(queries, keys)
    n_queries, kind = len(queries), queries.dtype
    output = None if values is None else xp.zeros((n_queries, values.shape[1]), kind)
    log_sum = xp.empty(n_queries, kind)
    for rows in _slices(n_queries, _QUERIES):
        scaled = queries[rows] * kind.type(beta)
        top = xp.full(len(scaled), 0.0 if extra > 0 else -math.inf, kind)
        total = xp.full(len(scaled), extra, kind)
        for some in _slices(len(keys), _KEYS):
            scores = scaled @ keys[some].T
            if offset is not None:
                scores += offset[some]
            higher = xp.maximum(top, scores.max(axis=1))
            safe = xp.where(xp.isneginf(higher), 0, higher)  # -inf - -inf is no number
            shrink = xp.exp(top - safe)
            scores -= safe[:, None]
            weights = xp.exp(scores)
            total = total * shrink + weights.sum(axis=1)
            if values is not None:
                output[rows] *= shrink[:, None]
                output[rows] += weights @ values[some]
            top = higher
        log_sum[rows] = _log(xp, total) + top
        if values is not None:
            output[rows] /= total[:, None]
    return output, log_sum


def entmax(
    queries: np.ndarray,
    keys: np.ndarray,
    values: np.ndarray | None,
    beta: float,
    alpha: float,
    offset: np.ndarray | None = None,
) -> tuple[np.ndarray | None, np.ndarray]:
    """sum_i p_i v_i with p = alpha-entmax(z), p_i = [(alpha - 1) z_i - tau]_+^{1/(alpha - 1)}.

    Arguments as `softmax`; alpha > 1, 2 for sparsemax. Returns the sum (query, feature) or None,
    and the conjugate max_p [p . z - Omega(p)], (query,), with
    Omega(p) = (sum_i p_i^alpha - 1)/(alpha (alpha - 1)).
    """
    if _compiled(queries, keys, values, offset):
        return lanes_entmax.entmax(queries, keys, values, beta, alpha, offset)
    return entmax_of_arrays(queries, keys, values, beta, alpha, offset)


def entmax_of_arrays(queries, keys, values, beta, alpha, offset=None):
    """`entmax` by the module of its arrays: a row of scores a query, where that is more than the
    block."""
    xp = device.module(queries, keys)
    n_queries, kind = len(queries), queries.dtype
    output = None if values is None else xp.empty((n_queries, values.shape[1]), kind)
    conjugate = xp.empty(n_queries, kind)
    for rows in _slices(n_queries, max(1, _SCORES // len(keys))):
        scores = (queries[rows] * kind.type(beta)) @ keys.T
        if offset is not None:
            scores += offset
        top = scores.max(axis=1, keepdims=True)
        weights = entmax_weights(scores - top, alpha)
        regular = (xp.sum(weights**alpha, axis=1) - 1) / (alpha * (alpha - 1))
        inside = xp.where(weights > 0, weights * (scores - top), 0)  # 0 times -inf is no number
        conjugate[rows] = inside.sum(axis=1) + top[:, 0] - regular
        if values is not None:
            output[rows] = weights @ values
    return output, conjugate


def softmax_weights(scores: np.ndarray, extra: bool = False) -> np.ndarray:
    """Softmax of scores (..., pattern); with `extra`, Softmax_1: nothing has a weight too."""
    xp = device.module(scores)
    top = scores.max(axis=-1, keepdims=True)
    if extra:
        top = xp.maximum(top, 0)
    weights = xp.exp(scores - top)
    total = weights.sum(axis=-1, keepdims=True)
    return weights / (total + xp.exp(-top) if extra else total)


def entmax_weights(scores: np.ndarray, alpha: float) -> np.ndarray:
    """alpha-entmax of scores (..., pattern) whose largest is 0: weights, by bisection of tau.

    What tau cannot resolve, for alpha > 2, is a mean of the two ends such that the sum is 1.
    """
    xp = device.module(scores)
    scores = (alpha - 1) * scores
    # at tau = -1 the largest score alone has weight 1; at the upper end all scores together are
    # below 1, even were they equal to the largest
    low = xp.full((*scores.shape[:-1], 1), -1.0, scores.dtype)
    high = low + 1 - float(scores.shape[-1]) ** (1 - alpha)
    for _ in range(30 if scores.dtype == np.float32 else 60):
        middle = (low + high) / 2
        total = xp.sum(xp.maximum(scores - middle, 0) ** (1 / (alpha - 1)), axis=-1, keepdims=True)
        low, high = xp.where(total >= 1, middle, low), xp.where(total >= 1, high, middle)
    upper, lower = (xp.maximum(scores - end, 0) ** (1 / (alpha - 1)) for end in (low, high))
    above, below = (ends.sum(axis=-1, keepdims=True) for ends in (upper, lower))
    apart = xp.where(above > below, above - below, 1)
    weights = upper - (upper - lower) * ((above - 1) / apart)
    return weights / weights.sum(axis=-1, keepdims=True)


def window(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, beta: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums over the patterns with beta |q - k_i|^2 / 2 < 1, the active ones.

    Arguments as `softmax`. Returns the sum of their values (query, feature), their number (query,),
    and sum_i [1 - beta |q - k_i|^2 / 2]_+, (query,).
    """
    xp = device.module(queries, keys)
    (n_queries, dimension), kind = queries.shape, queries.dtype
    output = xp.zeros((n_queries, values.shape[1]), kind)
    number, total = xp.zeros(n_queries, kind), xp.zeros(n_queries, kind)
    half = kind.type(beta / 2)
    # |q|^2 + |k|^2 - 2 q.k loses digits, at most this part of its terms: it tells which patterns
    # may be active, and of those distances are made of differences
    slack = kind.type(4 * (dimension + 4) * np.finfo(kind).eps)
    together = max(1, _DIFFERENCES // dimension)
    for rows in _slices(n_queries, _QUERIES):
        asked = queries[rows]
        for some in _slices(len(keys), _KEYS):
            known = keys[some]
            size = xp.sum(asked**2, axis=1)[:, None] + xp.sum(known**2, axis=1)
            least = size - 2 * (asked @ known.T) - slack * size
            near = ~(half * least >= 1)  # a NaN is kept
            height = xp.zeros(near.shape, kind)
            if int(xp.count_nonzero(near)) < near.size // 4:
                query, key = xp.nonzero(near)
                for part in _slices(len(query), together):
                    apart = asked[query[part]] - known[key[part]]
                    height[query[part], key[part]] = 1 - half * xp.sum(apart**2, axis=-1)
            else:  # to pick single pairs would take longer than to do all
                for part in _slices(len(known), max(1, together // len(asked))):
                    apart = asked[:, None, :] - known[None, part, :]
                    height[:, part] = 1 - half * xp.sum(apart**2, axis=-1)
            active = (height > 0).astype(kind)
            output[rows] += active @ values[some]
            number[rows] += active.sum(axis=1)
            total[rows] += xp.maximum(height, 0).sum(axis=1)
    return output, number, total


def powers(
    queries: np.ndarray, keys: np.ndarray, values: np.ndarray, degree: int, scale: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """sum_i (z_i/t)^(n-1) v_i, sum_i (z_i/t)^n, and t = max_i |z_i|, with z_i = scale k_i . q.

    Arguments as `softmax`; n is the degree, and for odd n scores below 0 count as 0. Relative to
    the largest score high powers neither vanish nor overflow. Returns (query, feature), (query,),
    (query,); zeros where all scores are 0.
    """
    xp = device.module(queries, keys)
    n_queries, kind = len(queries), queries.dtype
    output = xp.zeros((n_queries, values.shape[1]), kind)
    total, top = xp.zeros(n_queries, kind), xp.zeros(n_queries, kind)
    for rows in _slices(n_queries, _QUERIES):
        scaled = queries[rows] * kind.type(scale)
        for some in _slices(len(keys), _KEYS):
            scores = scaled @ keys[some].T
            if degree % 2:
                scores = xp.maximum(scores, 0)
            higher = xp.maximum(top[rows], xp.abs(scores).max(axis=1))
            unit = xp.where(higher > 0, higher, 1)
            shrink = top[rows] / unit
            scores /= unit[:, None]
            weights = scores ** (degree - 1)
            output[rows] *= shrink[:, None] ** (degree - 1)
            output[rows] += weights @ values[some]
            total[rows] *= shrink**degree
            total[rows] += xp.sum(weights * scores, axis=1)
            top[rows] = higher
    return output, total, top


def _compiled(*arrays) -> bool:
    """Whether the compiled forms know these arrays, some of which may be None."""
    arrays = [array for array in arrays if array is not None]
    if device.module(*arrays) is not np:
        return False
    kinds = {array.dtype for array in arrays}
    return kinds in ({np.dtype(np.float32)}, {np.dtype(np.float64)})


def _slices(total: int, step: int) -> list[slice]:
    return [slice(first, min(first + step, total)) for first in range(0, total, step)]


def _log(xp, positive):
    """ln of numbers >= 0, -inf at 0 without a warning."""
    return xp.where(positive > 0, xp.log(xp.where(positive > 0, positive, 1)), -math.inf)
