"""Softmax over any number of patterns for many queries at a time, in one pass and a fixed space.

The running softmax (Milakov and Gimelshein, arXiv:1805.02867, 2018) on `lanes`: for a chunk of
keys, scores of a group of queries, their exponentials under the largest score so far, and these
times the values, while the chunk stays in the cache. What is summed over chunks is float64.
"""

from __future__ import annotations

import math

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.lanes import ROW, ROWS, add_values, exponentials, lanes_of, score
from hopfield_sim.kernels.simd import aligned

_CHUNK = 20 * ROWS  # keys: their scores for a group, 30 kB, stay in the nearest cache
_LEAST_CHUNK = 4 * ROWS
_WIDE = np.dtype(np.float64)
_KEYS = 2**19  # bytes of a chunk of keys, and of values, at most, where the least chunk allows
_BLOCK = 2**20  # bytes of the groups in work together, at most, unless one takes more


def chunk(n_columns: int, size: int) -> int:
    """Keys of a chunk with `n_columns` numbers of `size` bytes in a key or a value.

    A function of nothing else: the order of sums must not depend on who else asks.
    """
    fitting = _KEYS // (size * max(1, n_columns))
    return min(max(fitting // ROWS * ROWS, _LEAST_CHUNK), _CHUNK)


def space(dimension: int, n_features: int, size: int) -> int:
    """Bytes of the workspace of `softmax`, at most; `size`: bytes of a number."""
    lanes = ROW // size
    keys = chunk(max(dimension, n_features), size)
    group = _group(dimension, n_features, size)
    return max(_BLOCK, group) + (keys + 3) * ROW + keys * size + 8 * lanes + 8 * 64


def _group(dimension: int, n_features: int, size: int) -> int:
    """Bytes of what is kept for a group of queries."""
    return ROW // size * (size * dimension + 8 * n_features + size + 8)


def softmax(queries, keys, values, beta, offset, extra):
    """As `retrieval.softmax`, for arrays of one type, float32 or float64, in main memory."""
    kind, (n_queries, dimension) = queries.dtype, queries.shape
    n_features = 0 if values is None else values.shape[1]
    output = np.empty((n_queries, n_features), kind)
    log_sum = np.empty(n_queries, kind)
    lanes = ROW // kind.itemsize
    step = chunk(max(dimension, n_features), kind.itemsize)
    groups = _BLOCK // _group(dimension, n_features, kind.itemsize)
    groups = max(1, min(groups, -(-n_queries // lanes)))
    offset = shifts(offset, len(keys), kind)
    _softmax(
        own(queries),
        place(keys),
        len(keys),
        place(keys if values is None else values),
        kind.type(beta),
        offset.ctypes.data,
        offset.strides[0],
        float(extra),
        output,
        log_sum,
        *workspace(
            ((groups, dimension, lanes), kind),
            ((groups, n_features, lanes), _WIDE),
            ((step, lanes), kind),
            ((groups, lanes), kind),
            ((groups, lanes), _WIDE),
            ((2, lanes), kind),
            ((lanes,), _WIDE),
        ),
    )
    return None if values is None else output, log_sum


def workspace(*parts: tuple[tuple[int, ...], np.dtype]) -> list[np.ndarray]:
    """Arrays of these shapes and types, each from a cache line on, in one piece of memory."""
    starts = [0]
    for shape, kind in parts:
        starts.append(starts[-1] + -(-math.prod(shape) * kind.itemsize // 64) * 64)
    whole = aligned((starts[-1],), np.uint8)
    return [
        np.ndarray(shape, kind, whole, start)
        for (shape, kind), start in zip(parts, starts[:-1], strict=True)
    ]


def place(array: np.ndarray) -> tuple[int, int, int]:
    """Address and strides in bytes of a matrix: compiled code is the same however it lies."""
    return (array.ctypes.data, *array.strides)


def own(array: np.ndarray) -> np.ndarray:
    """The array, or a copy, such that compiled code sees always the same type of array."""
    fits = array.flags.c_contiguous and array.flags.writeable
    return array if fits else array.copy()


def shifts(offset: np.ndarray | None, n_keys: int, kind: np.dtype) -> np.ndarray:
    """The offsets; where there are none, one 0 for all."""
    return np.broadcast_to(np.zeros(1, kind), n_keys) if offset is None else offset


@compiled
def _softmax(
    queries, keys, n_keys, values, beta, offset, stride, extra, output, log_sum,
    asked, found, scores, tops, totals, rows, shrink,
):  # fmt: skip
    """asked: [group][dimension][lane]; found: [group][feature][lane]; scores: [key][lane];
    tops: the largest score so far, [group][lane]; totals: the sum under it; rows: [2][lane]."""
    n_queries, dimension = queries.shape
    n_features = output.shape[1]
    n_lanes = lanes_of(beta)
    at_once = len(tops) * n_lanes
    step = len(scores)
    safe, sums = rows[0], rows[1]
    for start in range(0, n_queries, at_once):
        n_asked = min(at_once, n_queries - start)
        n_groups = (n_asked + n_lanes - 1) // n_lanes
        load_queries(asked, queries, start, n_asked, beta)
        found[:n_groups] = 0.0
        tops[:n_groups] = 0.0 if extra > 0.0 else -np.inf
        totals[:n_groups] = extra
        for first in range(0, n_keys, step):
            count = min(step, n_keys - first)
            shift = offset + first * stride
            for g in range(n_groups):
                top, total = tops[g], totals[g]
                for lane in range(n_lanes):
                    shrink[lane] = top[lane]
                # the last group may be half empty
                narrow = int(2 * (n_asked - g * n_lanes) <= n_lanes)
                score(
                    beta, narrow, scores.ctypes.data, top.ctypes.data,
                    keys[0] + first * keys[1], keys[1], keys[2], count, shift, stride,
                    asked[g].ctypes.data, dimension,
                )  # fmt: skip
                for lane in range(n_lanes):
                    before, after = shrink[lane], np.float64(top[lane])
                    shrink[lane] = 1.0 if after == before else math.exp(before - after)
                    # where all so far are left out: -inf - -inf is no number
                    safe[lane] = top[lane] if after > -np.inf else 0.0
                exponentials(
                    beta, narrow, scores.ctypes.data, count, safe.ctypes.data, sums.ctypes.data
                )
                for lane in range(n_lanes):
                    total[lane] = total[lane] * shrink[lane] + sums[lane]
                add_values(
                    beta, narrow, found[g].ctypes.data, shrink.ctypes.data,
                    values[0] + first * values[1], values[1], values[2], count,
                    scores.ctypes.data, n_features,
                )  # fmt: skip
        for k in range(n_asked):
            g, lane = k // n_lanes, k % n_lanes
            log_sum[start + k] = np.log(totals[g, lane]) + tops[g, lane]
            for f in range(n_features):
                output[start + k, f] = found[g, f, lane] / totals[g, lane]


@compiled
def load_queries(asked, queries, start, n_asked, beta):
    """asked[group][dimension][lane] = beta queries[start + k], k < n_asked; 0 in places left."""
    n_lanes = asked.shape[2]
    for k in range((n_asked + n_lanes - 1) // n_lanes * n_lanes):
        column = asked[k // n_lanes, :, k % n_lanes]
        if k < n_asked:
            for i in range(queries.shape[1]):
                column[i] = queries[start + k, i] * beta
        else:
            column[:] = 0.0
