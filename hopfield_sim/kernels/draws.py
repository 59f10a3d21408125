"""Random numbers of one lane and one sweep, in bulk: raw words, thresholds, random site order.

One lane: plain loops that the compiler turns into vector instructions. A group of lanes: vector
code. Same bits as `randomness.words`, `randomness.thresholds` and `randomness.sites`.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from hopfield_sim import randomness
from hopfield_sim.device import compiled
from hopfield_sim.kernels.simd import (
    F32,
    I32,
    I64,
    V32,
    V64,
    broadcast,
    constant,
    load,
    rounded_up,
    store,
)
from hopfield_sim.kernels.tiles import BLOCK, GROUP
from hopfield_sim.randomness import (
    _HALF,
    _HALF_UNIT,
    _MASK,
    _W0,
    _W1,
    DYNAMICS,
    EXPONENTIAL,
    LEAST,
    LN_2_32,
    LOGISTIC,
    NONE,
    ORDER,
    RANDOM,
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


@compiled
def fill_sweep(theta, site_of_visit, words, draws, lane, sweep):
    """What one sweep of one lane draws: thresholds, and sites where their order is random.

    theta: int32 or int64 (visit,), left alone without noise; site_of_visit: int64 (visit,), left
    alone in other orders; words: uint32 (4 blocks,), overwritten.
    """
    if draws.order == RANDOM:
        fill_words(words, draws.key, ORDER, np.zeros(2, np.uint32), sweep)
        fill_sites(site_of_visit, words)
    if draws.kind != NONE:
        fill_words(words, draws.key, DYNAMICS, draws.lanes[lane], sweep)
        fill_thresholds(theta, words, draws.kind, draws.scale[lane], draws.bound)


def for_groups(draws: randomness.Draws, n_lanes: int) -> randomness.Draws:
    """The same draws for groups of 32 lanes, n_lanes places in all, and `round_keys` for the key.

    lanes: uint32 (group, 2, 32); scale: float32 (group, 32); 0 in places without a lane.
    """
    lanes = np.zeros((n_lanes, 2), np.uint32)
    lanes[: len(draws.lanes)] = draws.lanes
    scale = np.zeros(n_lanes, np.float32)
    scale[: len(draws.scale)] = draws.scale
    return draws._replace(
        key=round_keys(draws.key),
        lanes=np.ascontiguousarray(lanes.reshape(-1, GROUP, 2).transpose(0, 2, 1)),
        scale=scale.reshape(-1, GROUP),
    )


def round_keys(key: np.ndarray) -> np.ndarray:
    """The two key words of each of Philox's ten rounds: uint64 (10, 2), for the vector forms."""
    steps = np.arange(10, dtype=np.uint64)[:, None] * np.array([_W0, _W1])
    return (np.asarray(key, np.uint64) + steps) & _MASK


def _philox(builder, counters, keys):
    """`randomness._philox` of counters: vectors of 8 uint64 whose high halves may be waste.

    keys: address of `round_keys`. The counters take their rounds together, for none to wait.
    """
    low = constant(V64, 0xFFFFFFFF)
    half = constant(V64, 32)
    for round_ in range(10):
        k0, k1 = (
            broadcast(builder, load(builder, keys, 16 * round_ + 8 * k, I64), V64) for k in range(2)
        )
        after = []
        for c0, c1, c2, c3 in counters:
            p0 = builder.mul(builder.and_(c0, low), constant(V64, 0xD2511F53))
            p1 = builder.mul(builder.and_(c2, low), constant(V64, 0xCD9E8D57))
            c0 = builder.xor(builder.xor(builder.lshr(p1, half), c1), k0)
            c2 = builder.xor(builder.xor(builder.lshr(p0, half), c3), k1)
            after.append((c0, p1, c2, p0))
        counters = after
    return counters


def _logarithms(builder, numbers):
    """`randomness._logarithm` of vectors: the same operations in the same order, none fused."""
    powers, ys = [], []
    for x in numbers:
        bits = builder.bitcast(x, V32)
        shifted = builder.sub(bits, constant(V32, int(randomness._SQRT_HALF_BITS)))
        exponent = builder.and_(shifted, constant(V32, -(2**23)))  # times 2^23
        scaled = builder.bitcast(builder.sub(bits, exponent), F32)
        ys.append(builder.fsub(scaled, constant(F32, 1.0)))
        unit = constant(F32, float(randomness._LN2) * 2.0**-23)
        powers.append(builder.fmul(builder.sitofp(exponent, F32), unit))
    first, *others = reversed(randomness.LOGARITHM_COEFFICIENTS)
    ps = [constant(F32, float(first))] * len(ys)
    for coefficient in others:
        products = [builder.fmul(p, y) for p, y in zip(ps, ys, strict=True)]
        ps = [builder.fadd(product, constant(F32, float(coefficient))) for product in products]
    return [
        builder.fadd(power, builder.fmul(p, y)) for power, p, y in zip(powers, ps, ys, strict=True)
    ]


def _thresholds(builder, kind, words, scales, bound):
    """`randomness.thresholds` of vectors of 16 words, each with its scale."""
    words = [builder.bitcast(word, V32) for word in words]
    all_words = words
    if kind == randomness.LOGISTIC:
        all_words = words + [builder.not_(word) for word in words]
    half = constant(F32, 0.5)
    ln = _logarithms(builder, [builder.fadd(builder.uitofp(w, F32), half) for w in all_words])
    bottom = builder.fneg(bound)
    thresholds = []
    for k, scale in enumerate(scales):
        if kind == randomness.LOGISTIC:
            standard = builder.fsub(ln[k], ln[len(words) + k])
        else:
            least = constant(F32, float(randomness.LEAST))
            e = builder.fsub(constant(F32, float(randomness.LN_2_32)), ln[k])
            standard = builder.select(builder.fcmp_ordered(">", e, least), e, least)
        theta = builder.fmul(standard, scale)
        theta = builder.select(builder.fcmp_ordered(">", theta, bottom), theta, bottom)
        theta = builder.select(builder.fcmp_ordered("<", theta, bound), theta, bound)
        thresholds.append(rounded_up(builder, theta))
    return thresholds


def _group_tile(kind):
    @intrinsic
    def tile(typingctx, out, count, high, lanes, keys, scale, bound):
        """Thresholds of four visits in a group: int32 [4 visits][32 lanes].

        count, high: counter words, uint64; lanes: uint32 [2][32 lanes]; keys: `round_keys`;
        scale: float32 [32 lanes]; bound: float32.
        """

        def generate(context, builder, signature, arguments):
            out, count, high, lanes, keys, scale, bound = arguments
            low, half = constant(V64, 0xFFFFFFFF), constant(V64, 32)
            front = (broadcast(builder, count, V64), broadcast(builder, high, V64))
            counters = []
            for side in range(0, 4 * GROUP, 64):
                pairs = [load(builder, lanes, 4 * GROUP * k + side, V64) for k in range(2)]
                # a 64-bit place holds an even lane and, above it, the next odd one
                counters.append((*front, *(builder.and_(p, low) for p in pairs)))
                counters.append((*front, *(builder.lshr(p, half) for p in pairs)))
            drawn = _philox(builder, counters, keys)
            spans = [load(builder, scale, side, F32) for side in range(0, 4 * GROUP, 64)]
            top = broadcast(builder, bound, F32)
            for visit in range(4):
                words = [
                    builder.or_(builder.and_(even[visit], low), builder.shl(odd[visit], half))
                    for even, odd in (drawn[:2], drawn[2:])
                ]
                for z, theta in enumerate(_thresholds(builder, kind, words, spans, top)):
                    store(builder, theta, out, 4 * GROUP * visit + 64 * z)
            return context.get_dummy_value()

        address, word = types.intp, types.uint64
        return types.void(address, word, word, *[address] * 3, types.float32), generate

    return tile


logistic_group = _group_tile(randomness.LOGISTIC)
exponential_group = _group_tile(randomness.EXPONENTIAL)


@compiled
def fill_group(theta, keys_at, lanes_at, kind, scale_at, bound, first, n_visits, n_lanes):
    """theta: int32 (64 visits, 32 lanes), from Philox block `first` on.

    Visits from n_visits on and lanes from n_lanes on never flip.
    """
    theta_at = theta.ctypes.data
    if kind == LOGISTIC or kind == EXPONENTIAL:
        for b in range(BLOCK // 4):
            count = first + np.uint64(b)
            low = count & np.uint64(0xFFFFFFFF)
            high = (count >> np.uint64(32)) | (np.uint64(DYNAMICS) << np.uint64(28))
            to = theta_at + 16 * GROUP * b
            if kind == LOGISTIC:
                logistic_group(to, low, high, lanes_at, keys_at, scale_at, bound)
            else:
                exponential_group(to, low, high, lanes_at, keys_at, scale_at, bound)
    else:
        theta[:] = 0
    if n_visits < BLOCK:
        theta[n_visits:] = np.int32(-bound)
    if n_lanes < GROUP:
        theta[:, n_lanes:] = np.int32(-bound)


@intrinsic
def words_block(typingctx, out, count, lane, keys):
    """Words of 64 visits of one lane: uint32 [64], Philox blocks count ... count + 15.

    count: uint64, of the draws for DYNAMICS; lane: uint32 [2]; keys: `round_keys`.
    """

    def generate(context, builder, signature, arguments):
        out, count, lane, keys = arguments
        low, half = constant(V64, 0xFFFFFFFF), constant(V64, 32)
        lanes = [
            broadcast(builder, builder.zext(load(builder, lane, 4 * k, I32), I64), V64)
            for k in range(2)
        ]
        counters = []
        for first in (0, 8):
            places = ir.Constant(V64, list(range(first, first + 8)))
            counts = builder.add(broadcast(builder, count, V64), places)
            high = builder.or_(builder.lshr(counts, half), constant(V64, randomness.DYNAMICS << 28))
            counters.append((counts, high, *lanes))
        for row, words in enumerate(_philox(builder, counters, keys)):
            # place b of word k is visit 4 b + k: pairs of words first, then pairs of pairs
            front, back = (
                builder.or_(builder.and_(words[k], low), builder.shl(words[k + 1], half))
                for k in (0, 2)
            )
            for part in range(2):
                order = [place + 8 * k for place in range(4 * part, 4 * part + 4) for k in (0, 1)]
                order = ir.Constant(ir.VectorType(I32, 8), order)
                mixed = builder.shuffle_vector(front, back, order)
                store(builder, mixed, out, 128 * row + 64 * part)
        return context.get_dummy_value()

    address, word = types.intp, types.uint64
    return types.void(address, word, address, address), generate


def _row_tile(kind, n_vectors):
    @intrinsic
    def tile(typingctx, words, out, scale, bound):
        """Thresholds of visits of one lane: int32 [16 n] from uint32 [16 n]; scale, bound: float32.

        `out` may be `words`.
        """

        def generate(context, builder, signature, arguments):
            words, out, scale, bound = arguments
            scale, bound = broadcast(builder, scale, F32), broadcast(builder, bound, F32)
            some = [load(builder, words, 64 * v, V32) for v in range(n_vectors)]
            thetas = _thresholds(builder, kind, some, [scale] * n_vectors, bound)
            for v, theta in enumerate(thetas):
                store(builder, theta, out, 64 * v)
            return context.get_dummy_value()

        return types.void(types.intp, types.intp, types.float32, types.float32), generate

    return tile


logistic_row = _row_tile(randomness.LOGISTIC, 1)
exponential_row = _row_tile(randomness.EXPONENTIAL, 1)
logistic_block = _row_tile(randomness.LOGISTIC, 4)
exponential_block = _row_tile(randomness.EXPONENTIAL, 4)


@compiled
def fill_block(theta, keys_at, lane_at, kind, scale, bound, first, n_visits):
    """theta: int32 (64,) of one lane from Philox block `first` on; visits from n_visits on: never.

    `theta` stays alive in the caller, 64-byte aligned; keys_at, lane_at: addresses of
    `round_keys` and of uint32 [2].
    """
    at = theta.ctypes.data
    if kind == LOGISTIC or kind == EXPONENTIAL:
        words_block(at, first, lane_at, keys_at)
        if kind == LOGISTIC:
            logistic_block(at, at, scale, bound)
        else:
            exponential_block(at, at, scale, bound)
    else:
        theta[:] = 0
    if n_visits < 64:
        theta[n_visits:] = np.int32(-bound)


@compiled
def thresholds_row(words_at, theta_at, kind, scale, bound):
    """Thresholds of 16 words: int32 (16,) from uint32 (16,), by address; they may be the same."""
    if kind == LOGISTIC:
        logistic_row(words_at, theta_at, scale, bound)
    else:
        exponential_row(words_at, theta_at, scale, bound)
