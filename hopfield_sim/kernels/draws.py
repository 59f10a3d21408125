"""Random numbers of one lane and one sweep, in bulk: raw words, thresholds, random site order.

Portable form: plain loops that the compiler turns into vector instructions. Same bits as
`randomness.words`, `randomness.thresholds` and `randomness.sites`.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.randomness import (
    _HALF,
    _HALF_UNIT,
    _MASK,
    LEAST,
    LN_2_32,
    LOGISTIC,
    NONE,
    logarithm,
    philox,
)


@compiled
def fill_words(out, key, purpose, lane, sweep):
    """out: uint32 (4 blocks,), all draws of one lane in one sweep for one purpose."""
    k0, k1 = np.uint64(key[0]), np.uint64(key[1])
    l0, l1 = np.uint64(lane[0]), np.uint64(lane[1])
    top = np.uint64(purpose) << np.uint64(28)
    blocks = out.size >> 2
    first = np.uint64(sweep) * np.uint64(blocks)
    for b in range(blocks):
        count = first + np.uint64(b)
        w0, w1, w2, w3 = philox(count & _MASK, (count >> _HALF) | top, l0, l1, k0, k1)
        out[4 * b] = np.uint32(w0)
        out[4 * b + 1] = np.uint32(w1)
        out[4 * b + 2] = np.uint32(w2)
        out[4 * b + 3] = np.uint32(w3)


@compiled
def fill_thresholds(out, words, kind, scale, bound):
    """out: int32 or int64 (visit,), `ceil(theta)`; words: uint32, at least as many; float32 scale.

    bound: `randomness.limit` of out's type: larger thresholds are cut to it, no field reaches it.
    """
    if kind == NONE:
        out[:] = 0
    elif kind == LOGISTIC:
        for v in range(out.size):
            up = logarithm(np.float32(words[v]) + _HALF_UNIT)
            down = logarithm(np.float32(~words[v]) + _HALF_UNIT)
            theta = np.float32(up - down) * scale
            out[v] = out.dtype.type(np.ceil(min(max(theta, -bound), bound)))
    else:
        for v in range(out.size):
            e = LN_2_32 - logarithm(np.float32(words[v]) + _HALF_UNIT)
            theta = max(e, LEAST) * scale
            out[v] = out.dtype.type(np.ceil(min(max(theta, -bound), bound)))


@compiled
def fill_sites(out, words):
    """out: int64 (visit,), sites drawn with replacement; words: uint32, at least as many."""
    for v in range(out.size):
        out[v] = np.int64((np.uint64(words[v]) * np.uint64(out.size)) >> _HALF)
