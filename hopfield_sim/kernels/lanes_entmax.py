"""alpha-entmax over any number of patterns for many queries at a time, in a fixed space.

p_i = [1 + u_i - t]_+^{1/(alpha - 1)}, u_i = (alpha - 1)(z_i - max z), with t in [0, 1] such that
sum_i p_i = 1. Patterns with u_i <= t - 1 have no weight, and t only grows with the patterns that
are seen: so one pass over the keys keeps, for each query, the scores that can still have a weight.
Where there are more than `HELD` of them, t is found by further passes, which keep no scores.

t: Newton's method on (sum_i [1 + u_i - t]_+^{1/(alpha - 1)})^(alpha - 1) = 1, in a bracket. For
alpha <= 2 the left side is convex, Newton's points grow towards t; for alpha = 2 (sparsemax) it is
piecewise linear and they arrive after a finite number of steps (Michelot, J. Optim. Theory Appl.
50 (1986) 195). Source of entmax: Peters, Niculae, Martins, arXiv:1905.05702 (2019).
"""

from __future__ import annotations

import math

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.lanes import ROW, above, add_row, add_values, lanes_of, score
from hopfield_sim.kernels.lanes_softmax import chunk, load_queries, place
from hopfield_sim.kernels.simd import aligned

HELD = 1024
"""Scores kept for a query, at most."""
_GROUPS = 4  # in work at a time
_STEPS = 200  # of Newton and bisection; float64 needs less than 70


def space(dimension: int, n_features: int, size: int) -> int:
    """Bytes of the workspace of `entmax`, at most; `size`: bytes of a number."""
    lanes = ROW // size
    group = lanes * (size * dimension + 3 * size + 16 * HELD)
    step = chunk(max(dimension, n_features), size)
    sums = 2 * 8 * lanes * n_features
    return _GROUPS * group + step * (ROW + size) + sums + 100 * lanes + 8 * 64


def entmax(queries, keys, values, beta, alpha, offset):
    """As `retrieval.entmax`, for arrays of one type, float32 or float64, in main memory."""
    kind, (n_queries, dimension) = queries.dtype, queries.shape
    n_features = 0 if values is None else values.shape[1]
    output = np.empty((n_queries, n_features), kind)
    conjugate = np.empty(n_queries, kind)
    lanes = ROW // kind.itemsize
    groups = min(_GROUPS, -(-n_queries // lanes))
    step = chunk(max(dimension, n_features), kind.itemsize)
    shifts = np.zeros(step, kind) if offset is None else np.ascontiguousarray(offset, kind)
    _entmax(
        np.ascontiguousarray(queries),
        place(keys),
        len(keys),
        place(keys if values is None else values),
        kind.type(beta),
        float(alpha),
        shifts,
        offset is not None,
        output,
        conjugate,
        aligned((groups, dimension, lanes), kind),
        aligned((lanes, n_features), np.float64),
        aligned((step, lanes), kind),
        aligned((groups, 3, lanes), kind),
        np.empty((groups, lanes, HELD)),
        np.empty((groups, lanes, HELD), np.int64),
    )
    return None if values is None else output, conjugate


@compiled
def _entmax(
    queries, keys, n_keys, values, beta, alpha, offset, shifted, output, conjugate,
    asked, found, scores, rows, held, index,
):  # fmt: skip
    """asked: [group][dimension][lane]; found: [lane][feature]; scores: [key][lane]; rows: largest
    score, floor, waste [group][3][lane]; held: scores above the floor and `index`, their keys,
    [group][lane][HELD]."""
    n_queries = len(queries)
    n_lanes = lanes_of(beta)
    at_once = len(asked) * n_lanes
    n_held = np.empty((len(asked), n_lanes), np.int64)
    t = np.empty(n_lanes)
    for start in range(0, n_queries, at_once):
        n_asked = min(at_once, n_queries - start)
        load_queries(asked, queries, start, n_asked, beta)
        _collect(
            keys, n_keys, beta, alpha, offset, shifted, n_asked,
            asked, scores, rows, held, index, n_held,
        )  # fmt: skip
        for g in range((n_asked + n_lanes - 1) // n_lanes):
            first = start + g * n_lanes
            count = min(n_lanes, n_queries - first)
            top, too_many = rows[g, 0], False
            for lane in range(count):
                n = min(n_held[g, lane], HELD)
                t[lane] = _solved(held[g, lane, :n], np.float64(top[lane]), alpha)
                if n_held[g, lane] > HELD:
                    too_many = True
                    continue
                _put_result(
                    beta, held[g, lane, :n], index[g, lane], np.float64(top[lane]), alpha, t[lane],
                    values, output[first + lane], found[lane], conjugate[first + lane :],
                )  # fmt: skip
            if too_many:
                _by_passes(
                    keys, n_keys, values, beta, alpha, offset, shifted, count, asked[g], scores,
                    rows[g], n_held[g], t, found, output[first:], conjugate[first:],
                )  # fmt: skip


@compiled
def _collect(
    keys, n_keys, beta, alpha, offset, shifted, n_asked, asked, scores, rows, held, index, n_held
):
    """One pass: largest scores, and the scores above the floor; n_held = HELD + 1: too many."""
    n_lanes = lanes_of(beta)
    n_groups = (n_asked + n_lanes - 1) // n_lanes
    rows[:n_groups] = -np.inf
    n_held[:n_groups] = 0
    for begin in range(0, n_keys, len(scores)):
        count = min(len(scores), n_keys - begin)
        for g in range(n_groups):
            here = n_asked - g * n_lanes
            top, floor = rows[g, 0], rows[g, 1]
            _scores(keys, beta, offset, shifted, begin, count, asked[g], here, scores, top)
            for lane in range(n_lanes):
                if lane >= here or n_held[g, lane] > HELD:
                    floor[lane] = np.inf
                else:
                    floor[lane] = max(floor[lane], _floor(top[lane], alpha, 0.0))
            for k in range(count):
                hits = above(beta, scores[k].ctypes.data, floor.ctypes.data)
                lane = 0
                while hits:
                    if hits & 1:
                        n = n_held[g, lane]
                        if n == HELD:
                            n = _compacted(held[g, lane], index[g, lane], top, floor, lane, alpha)
                        if n < HELD:
                            held[g, lane, n] = scores[k, lane]
                            index[g, lane, n] = begin + k
                        else:
                            floor[lane] = np.inf
                        n_held[g, lane] = n + 1
                    hits >>= 1
                    lane += 1


@compiled
def _scores(keys, beta, offset, shifted, begin, count, asked, here, scores, top):
    """scores[k][lane] of keys begin ... begin + count - 1 for `here` queries of a group."""
    shift = offset[begin:].ctypes.data if shifted else offset.ctypes.data
    score(
        beta, int(2 * here <= lanes_of(beta)), scores.ctypes.data, top.ctypes.data,
        keys[0] + begin * keys[1], keys[1], keys[2], count, shift, asked.ctypes.data, len(asked),
    )  # fmt: skip


@compiled
def _floor(top, alpha, t):
    """Scores up to this one have no weight: top + (t - 1)/(alpha - 1), less its rounding errors."""
    floor = np.float64(top) + (t - 1.0) / (alpha - 1.0)
    return floor - 1e-6 * (abs(floor) + abs(top))


@compiled
def _compacted(held, index, top, floor, lane, alpha):
    """Keeps, of a query's scores, those with weight among themselves; how many."""
    largest = np.float64(top[lane])
    least = _floor(largest, alpha, _solved(held, largest, alpha))
    floor[lane] = max(floor[lane], least)
    n = 0
    for k in range(HELD):
        if not held[k] <= least:
            held[n], index[n] = held[k], index[k]
            n += 1
    return n


@compiled
def _power(x, exponent):
    """(1 + x)^exponent, 0 for x <= -1; a NaN stays one."""
    if x <= -1.0:
        return 0.0
    if exponent == 1.0:
        return 1.0 + x
    if exponent == 2.0:
        return (1.0 + x) * (1.0 + x)
    return math.exp(exponent * math.log1p(x))


@compiled
def _step(t, low, high, weight, slope, alpha):
    """Newton's next point from t, and the bracket; weight: sum of w = [1 + u - t]^p; slope: of
    w/(1 + u - t).

    The bracket is halved where Newton leaves it. The same point again: converged.
    """
    if weight >= 1.0:
        low = t
    else:
        high = t
    after = (
        t - math.expm1((1.0 - alpha) * math.log(weight)) * weight / slope if weight > 0.0 else -1.0
    )
    if abs(after - t) <= 4e-16 * t:
        return t, low, high
    if not low < after < high:
        after = (low + high) / 2
        if after == low or after == high:
            return t, low, high
    return after, low, high


@compiled
def _solved(scores, top, alpha):
    """t of the patterns with these scores, whose largest is `top`."""
    exponent = 1.0 / (alpha - 1.0)
    t, low, high = 0.0, 0.0, 1.0
    for _ in range(_STEPS):
        weight, slope = 0.0, 0.0
        for z in scores:
            x = (alpha - 1.0) * (z - top) - t
            w = _power(x, exponent)
            if w != 0.0:
                weight += w
                slope += w / (1.0 + x)
        after, low, high = _step(t, low, high, weight, slope, alpha)
        if after == t or not weight == weight:
            break
        t = after
    return t


@compiled
def _put_result(like, scores, index, top, alpha, t, values, output, found, conjugate):
    """The output and the conjugate of a query whose scores with weight are held."""
    exponent = 1.0 / (alpha - 1.0)
    found[:] = 0.0
    total, inside = 0.0, 0.0
    for k in range(len(scores)):
        u = (alpha - 1.0) * (scores[k] - top)
        w = _power(u - t, exponent)
        if w != 0.0:
            total += w
            inside += w * u
            row = values[0] + index[k] * values[1]
            add_row(like, found.ctypes.data, w, row, values[2], len(found))
    _put_scaled(top, alpha, t, total, inside, output, found, conjugate)


@compiled
def _put_scaled(top, alpha, t, total, inside, output, found, conjugate):
    """output = found/total. As p^(alpha - 1) = 1 + u - t, the conjugate max_p p.z - Omega(p) is
    max z + sum_i p_i u_i / alpha + t/(alpha (alpha - 1))."""
    for f in range(len(output)):
        output[f] = found[f] / total
    conjugate[0] = top + inside / total / alpha + t / (alpha * (alpha - 1.0))


@compiled
def _by_passes(
    keys, n_keys, values, beta, alpha, offset, shifted, here, asked, scores,
    rows, n_held, t, found, output, conjugate,
):  # fmt: skip
    """Queries of a group with more weights than are held: passes over all keys, no scores kept.

    t: where Newton begins, at or below the solution: that of the scores which are held.
    """
    exponent = 1.0 / (alpha - 1.0)
    n_lanes = lanes_of(beta)
    top, waste = rows[0], rows[2]
    low, high = t.copy(), np.ones(n_lanes)
    weight, slope, inside = np.empty(n_lanes), np.empty(n_lanes), np.empty(n_lanes)
    going = np.array([lane < here and n_held[lane] > HELD for lane in range(n_lanes)])
    asking = going.copy()
    n_features = output.shape[1]
    sums = np.zeros((n_features, n_lanes))
    one = np.ones(n_lanes)
    for turn in range(_STEPS + 1):
        last = turn == _STEPS or not going.any()
        weight[:] = 0.0
        slope[:] = 0.0
        inside[:] = 0.0
        for begin in range(0, n_keys, len(scores)):
            count = min(len(scores), n_keys - begin)
            _scores(keys, beta, offset, shifted, begin, count, asked, here, scores, waste)
            for k in range(count):
                for lane in range(n_lanes):
                    w = 0.0
                    if asking[lane] if last else going[lane]:
                        u = (alpha - 1.0) * (np.float64(scores[k, lane]) - np.float64(top[lane]))
                        w = _power(u - t[lane], exponent)
                        if w != 0.0:
                            weight[lane] += w
                            slope[lane] += w / (1.0 + u - t[lane])
                            inside[lane] += w * u
                    if last:
                        scores[k, lane] = w
            if last:
                add_values(
                    beta, int(2 * here <= n_lanes), sums.ctypes.data, one.ctypes.data,
                    values[0] + begin * values[1], values[1], values[2], count,
                    scores.ctypes.data, n_features,
                )  # fmt: skip
        if last:
            break
        for lane in range(n_lanes):
            if going[lane]:
                after, low[lane], high[lane] = _step(
                    t[lane], low[lane], high[lane], weight[lane], slope[lane], alpha
                )
                going[lane] = after != t[lane] and weight[lane] == weight[lane]
                t[lane] = after
    for lane in range(here):
        if asking[lane]:
            _put_scaled(
                np.float64(top[lane]), alpha, t[lane], weight[lane], inside[lane], output[lane],
                sums[:, lane], conjugate[lane:],
            )  # fmt: skip
