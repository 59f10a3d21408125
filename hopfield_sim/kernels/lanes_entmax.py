"""alpha-entmax over any number of patterns for many queries at a time, in a fixed space.

p_i = [1 + u_i - t]_+^{1/(alpha - 1)}, u_i = (alpha - 1)(z_i - max z), with t in [0, 1] such that
sum_i p_i = 1. Patterns with u_i <= t - 1 have no weight, and t only grows with the patterns that
are seen: so one pass over the keys keeps, for each query, the scores that can still have a weight.
Where there are more than `HELD` of them, t is found by further passes, which keep no scores.

t: Newton's method on (sum_i [1 + u_i - t]_+^{1/(alpha - 1)})^(alpha - 1) = 1, in a bracket. For
alpha <= 2 the left side is convex, Newton's points grow towards t; for alpha = 2 (sparsemax) it is
piecewise linear and they arrive after a finite number of steps (Michelot, J. Optim. Theory Appl.
50 (1986) 195). For alpha > 2 weights rise so steeply from 0 that no float64 t may give a sum of 1:
the bracket is closed, and the weights at its ends are averaged such that they do.

Source of entmax: Peters, Niculae, Martins, arXiv:1905.05702 (2019).
"""

from __future__ import annotations

import math

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.lanes import ROW, above, add_row, add_values, lanes_of, score
from hopfield_sim.kernels.lanes_softmax import chunk, load_queries, own, place, shifts
from hopfield_sim.kernels.simd import aligned

HELD = 1024
"""Scores kept for a query, at most."""
_GROUPS = 4  # in work at a time
_STEPS = 200  # of Newton and bisection; float64 needs less than 70
_POINT, _LOW, _HIGH, _ABOVE, _BELOW = range(5)  # a bracket: point, ends, sums of weights at them


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
    offset = shifts(offset, len(keys), kind)
    at_once = groups * lanes
    asked = aligned((groups, dimension, lanes), kind)
    scores = aligned((step, lanes), kind)
    rows = aligned((groups, 3, lanes), kind)
    held, index = np.empty((groups, lanes, HELD)), np.empty((groups, lanes, HELD), np.int64)
    n_held, ends = np.empty((groups, lanes), np.int64), np.empty((groups, lanes, 5))
    found = np.empty(n_features)
    about = (kind.type(beta), float(alpha), offset.ctypes.data, offset.strides[0])
    where, what = place(keys), place(keys if values is None else values)
    queries = own(queries)
    for start in range(0, n_queries, at_once):
        some = slice(start, start + at_once)
        _collect(queries[some], where, len(keys), *about, asked, scores, rows, held, index, n_held)
        too_many = _put_results(
            *about[:2], rows, held, index, n_held, ends, what, output[some], conjugate[some], found
        )
        if too_many:
            for g in range(-(-len(queries[some]) // lanes)):
                if n_held[g].max() > HELD:
                    here = slice(start + g * lanes, min(start + (g + 1) * lanes, n_queries))
                    _by_passes(
                        where, len(keys), what, *about, asked[g], scores, rows[g], n_held[g],
                        ends[g], output[here], conjugate[here],
                    )  # fmt: skip
    return None if values is None else output, conjugate


@compiled
def _collect(
    queries, keys, n_keys, beta, alpha, offset, stride, asked, scores, rows, held, index, n_held
):
    """One pass: largest scores, and the scores above the floor; n_held = HELD + 1: too many.

    asked: [group][dimension][lane]; scores: [key][lane]; rows: largest score, floor, and one to
    spare, [group][3][lane]; held: scores above the floor, and `index`, their keys,
    [group][lane][HELD].
    """
    n_asked, n_lanes = len(queries), lanes_of(beta)
    n_groups = (n_asked + n_lanes - 1) // n_lanes
    load_queries(asked, queries, 0, n_asked, beta)
    rows[:n_groups] = -np.inf
    n_held[:n_groups] = 0
    for begin in range(0, n_keys, len(scores)):
        count = min(len(scores), n_keys - begin)
        shift = offset + begin * stride
        for g in range(n_groups):
            here = n_asked - g * n_lanes
            top, floor = rows[g, 0], rows[g, 1]
            score(
                beta, int(2 * here <= n_lanes), scores.ctypes.data, top.ctypes.data,
                keys[0] + begin * keys[1], keys[1], keys[2], count, shift, stride,
                asked[g].ctypes.data, queries.shape[1],
            )  # fmt: skip
            for lane in range(n_lanes):
                if lane >= here or n_held[g, lane] > HELD:
                    floor[lane] = np.inf
                else:
                    floor[lane] = max(floor[lane], _floor(np.float64(top[lane]), alpha, 0.0))
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
def _floor(top, alpha, t):
    """Scores up to this one have no weight: top + (t - 1)/(alpha - 1), less its rounding errors."""
    floor = top + (t - 1.0) / (alpha - 1.0)
    return floor - 1e-6 * (abs(floor) + abs(top))


@compiled
def _compacted(held, index, top, floor, lane, alpha):
    """Keeps, of a query's scores, those with weight among themselves; how many."""
    largest = np.float64(top[lane])
    ends = np.empty(5)
    _solve(held, largest, alpha, ends)
    least = _floor(largest, alpha, ends[_HIGH])
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
def _begin(ends, t):
    """The bracket [t, 1] and its first point t, at or below the solution."""
    ends[_POINT] = ends[_LOW] = t
    ends[_HIGH], ends[_ABOVE], ends[_BELOW] = 1.0, 1.0, 0.0


@compiled
def _moved(ends, weight, slope, alpha):
    """Whether there is a next point, put into `ends`; weight: the sum at the present one.

    slope: the sum of weights each divided by its 1 + u - t. Newton's point, or the middle of the
    bracket where that is outside. At the end both sides of the bracket are t, or float64 knows no
    number between them.
    """
    t = ends[_POINT]
    if weight >= 1.0:
        ends[_LOW], ends[_ABOVE] = t, weight
    else:
        ends[_HIGH], ends[_BELOW] = t, weight
    low, high = ends[_LOW], ends[_HIGH]
    after = -1.0
    if weight > 0.0:
        after = t - math.expm1((1.0 - alpha) * math.log(weight)) * weight / slope
    if weight == 1.0 or (alpha <= 2.0 and abs(after - t) <= 4e-16 * t):
        ends[_LOW] = ends[_HIGH] = t
        return False
    if not low < after < high:
        after = (low + high) / 2.0
    ends[_POINT] = after
    return low < after < high and high - low > 5e-17  # the spacing of 1 + u - t is 1e-16


@compiled
def _weight(u, ends, exponent):
    """p_i of a pattern, from the two ends of the bracket, but for rounding errors of the sum."""
    low = _power(u - ends[_LOW], exponent)
    if ends[_LOW] == ends[_HIGH]:
        return low
    share = (ends[_ABOVE] - 1.0) / (ends[_ABOVE] - ends[_BELOW])
    return low + share * (_power(u - ends[_HIGH], exponent) - low)


@compiled
def _solve(scores, top, alpha, ends):
    """The bracket of t, for the patterns with these scores, whose largest is `top`."""
    exponent = 1.0 / (alpha - 1.0)
    _begin(ends, 0.0)
    for _ in range(_STEPS):
        weight, slope = 0.0, 0.0
        for z in scores:
            x = (alpha - 1.0) * (z - top) - ends[_POINT]
            w = _power(x, exponent)
            if w != 0.0:
                weight += w
                slope += w / (1.0 + x)
        if not _moved(ends, weight, slope, alpha):
            break


@compiled
def _put_results(
    like, alpha, rows, held, index, n_held, ends, values, output, conjugate, found
):  # fmt: skip
    """Outputs and conjugates of queries whose scores with weight are held; whether others are left.

    ends: [group][lane][5]; of the others, the bracket for the scores that are held.
    """
    exponent = 1.0 / (alpha - 1.0)
    n_lanes = lanes_of(like)
    too_many = False
    for k in range(len(output)):
        g, lane = k // n_lanes, k % n_lanes
        n, top, t = n_held[g, lane], np.float64(rows[g, 0, lane]), ends[g, lane]
        scores = held[g, lane, : min(n, HELD)]
        _solve(scores, top, alpha, t)
        if n > HELD:
            too_many = True
            continue
        found[:] = 0.0
        total, inside = 0.0, 0.0
        for j in range(n):
            u = (alpha - 1.0) * (scores[j] - top)
            w = _weight(u, t, exponent)
            if w != 0.0:
                total += w
                inside += w * u
                row = values[0] + index[g, lane, j] * values[1]
                add_row(like, found.ctypes.data, w, row, values[2], len(found))
        conjugate[k] = _conjugate(top, t[_LOW], total, inside, alpha)
        for f in range(len(found)):
            output[k, f] = found[f] / total
    return too_many


@compiled
def _conjugate(top, t, total, inside, alpha):
    """max_p p.z - Omega(p) = max z + sum_i p_i u_i / alpha + t/(alpha (alpha - 1)).

    As p^(alpha - 1) = 1 + u - t where p > 0. inside: sum of p_i u_i before division by `total`.
    """
    return top + inside / total / alpha + t / (alpha * (alpha - 1.0))


@compiled
def _add_row(scores, top, points, alpha, weight, slope):
    """Adds one pattern's [1 + u - t]^p to `weight` and [1 + u - t]^(p - 1) to `slope`, [lane].

    For sparsemax and 1.5-entmax in loops that the compiler turns into vector instructions.
    """
    if alpha == 2.0 or alpha == 1.5:
        for lane in range(len(scores)):
            z = np.float64(scores[lane]) - np.float64(top[lane])
            rest = (alpha - 1.0) * z - points[lane] + 1.0
            rest = 0.0 if rest <= 0.0 else rest
            weight[lane] += rest if alpha == 2.0 else rest * rest
            slope[lane] += (1.0 if rest != 0.0 else 0.0) if alpha == 2.0 else rest
        return
    exponent = 1.0 / (alpha - 1.0)
    for lane in range(len(scores)):
        x = (alpha - 1.0) * (np.float64(scores[lane]) - np.float64(top[lane])) - points[lane]
        w = _power(x, exponent)
        if w != 0.0:
            weight[lane] += w
            slope[lane] += w / (1.0 + x)


@compiled
def _by_passes(
    keys, n_keys, values, beta, alpha, offset, stride, asked, scores, rows, n_held, ends, output,
    conjugate,
):  # fmt: skip
    """Queries of a group with more weights than are held: passes over all keys, no scores kept.

    Newton begins at the solution for the scores that are held, which is below that for all.
    """
    exponent = 1.0 / (alpha - 1.0)
    n_lanes, (here, n_features) = lanes_of(beta), output.shape
    top, spare = rows[0], rows[2]
    weight, slope, inside = np.empty(n_lanes), np.empty(n_lanes), np.empty(n_lanes)
    asking = np.array([lane < here and n_held[lane] > HELD for lane in range(n_lanes)])
    going = asking.copy()
    for lane in range(here):
        _begin(ends[lane], ends[lane, _LOW])
    sums, one, points = np.zeros((n_features, n_lanes)), np.ones(n_lanes), np.empty(n_lanes)
    for turn in range(_STEPS + 1):
        is_last = turn == _STEPS or not going.any()
        weight[:] = 0.0
        slope[:] = 0.0
        inside[:] = 0.0
        for lane in range(n_lanes):  # with an infinite t there is no weight
            points[lane] = ends[lane, _POINT] if going[lane] else np.inf
        for begin in range(0, n_keys, len(scores)):
            count = min(len(scores), n_keys - begin)
            shift = offset + begin * stride
            score(
                beta, int(2 * here <= n_lanes), scores.ctypes.data, spare.ctypes.data,
                keys[0] + begin * keys[1], keys[1], keys[2], count, shift, stride,
                asked.ctypes.data, len(asked),
            )  # fmt: skip
            for k in range(count):
                if not is_last:
                    _add_row(scores[k], top, points, alpha, weight, slope)
                    continue
                for lane in range(n_lanes):
                    w = 0.0
                    if asking[lane]:
                        u = (alpha - 1.0) * (np.float64(scores[k, lane]) - np.float64(top[lane]))
                        w = _weight(u, ends[lane], exponent)
                        if w != 0.0:  # 0 times -inf is no number
                            weight[lane] += w
                            inside[lane] += w * u
                    scores[k, lane] = w
            if is_last:
                add_values(
                    beta, int(2 * here <= n_lanes), sums.ctypes.data, one.ctypes.data,
                    values[0] + begin * values[1], values[1], values[2], count,
                    scores.ctypes.data, n_features,
                )  # fmt: skip
        if is_last:
            break
        for lane in range(here):
            if going[lane]:
                going[lane] = _moved(ends[lane], weight[lane], slope[lane], alpha)
    for lane in range(here):
        if asking[lane]:
            conjugate[lane] = _conjugate(
                np.float64(top[lane]), ends[lane, _LOW], weight[lane], inside[lane], alpha
            )
            for f in range(n_features):
                output[lane, f] = sums[f, lane] / weight[lane]
