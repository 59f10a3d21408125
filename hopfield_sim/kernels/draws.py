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
    call,
    constant,
    load,
    store,
)
from hopfield_sim.kernels.tiles import GROUP
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


def _philox(builder, counter, key):
    """`randomness._philox` for eight lanes: vectors of uint64 whose high halves may be waste."""
    low = constant(V64, 0xFFFFFFFF)
    half = constant(V64, 32)
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0 = builder.mul(builder.and_(c0, low), constant(V64, 0xD2511F53))
        p1 = builder.mul(builder.and_(c2, low), constant(V64, 0xCD9E8D57))
        c0 = builder.xor(builder.xor(builder.lshr(p1, half), c1), k0)
        c2 = builder.xor(builder.xor(builder.lshr(p0, half), c3), k1)
        c1, c3 = p1, p0
        k0 = builder.add(k0, constant(V64, 0x9E3779B9))
        k1 = builder.add(k1, constant(V64, 0xBB67AE85))
    return c0, c1, c2, c3


def _logarithm(builder, x):
    """`randomness._logarithm` for 16 lanes: the same operations in the same order, none fused."""
    bits = builder.bitcast(x, V32)
    shift = constant(V32, 23)
    exponent = builder.ashr(
        builder.sub(bits, constant(V32, int(randomness._SQRT_HALF_BITS))), shift
    )
    scaled = builder.bitcast(builder.sub(bits, builder.shl(exponent, shift)), F32)
    y = builder.fsub(scaled, constant(F32, 1.0))
    first, *others = reversed(randomness.LOGARITHM_COEFFICIENTS)
    p = constant(F32, float(first))
    for coefficient in others:
        p = builder.fadd(builder.fmul(p, y), constant(F32, float(coefficient)))
    power = builder.fmul(builder.sitofp(exponent, F32), constant(F32, float(randomness._LN2)))
    return builder.fadd(power, builder.fmul(p, y))


def _thresholds(kind):
    @intrinsic
    def thresholds_tile(typingctx, out, count, high, lanes, key, scale, bound):
        """Thresholds of four visits in 16 lanes: int32 [4 visits][32 lanes], of which 16.

        count, high: counter words, uint64; lanes: uint32 [2][32 lanes]; key: uint32 [2]; scale:
        float32 [32 lanes]; bound: float32. Addresses are those of the first of the 16 lanes.
        """

        def generate(context, builder, signature, arguments):
            out, count, high, lanes, key, scale, bound = arguments

            def everywhere(word):
                undefined = ir.Constant(V64, ir.Undefined)
                first = builder.insert_element(undefined, word, ir.Constant(I32, 0))
                return builder.shuffle_vector(
                    first, undefined, ir.Constant(ir.VectorType(I32, 8), [0] * 8)
                )

            low, half = constant(V64, 0xFFFFFFFF), constant(V64, 32)
            words = [
                everywhere(builder.zext(load(builder, key, 4 * k, I32), I64)) for k in range(2)
            ]
            front = (everywhere(count), everywhere(high))
            pairs = [load(builder, lanes, 4 * GROUP * k, V64) for k in range(2)]
            # a 64-bit place holds an even lane and, above it, the next odd one
            even = _philox(builder, (*front, *(builder.and_(p, low) for p in pairs)), words)
            odd = _philox(builder, (*front, *(builder.lshr(p, half) for p in pairs)), words)
            span = load(builder, scale, 0, F32)
            undefined = ir.Constant(F32, ir.Undefined)
            top = builder.shuffle_vector(
                builder.insert_element(undefined, bound, ir.Constant(I32, 0)),
                undefined,
                constant(V32, 0),
            )
            bottom = builder.fneg(top)
            for visit in range(4):
                word = builder.bitcast(
                    builder.or_(builder.and_(even[visit], low), builder.shl(odd[visit], half)),
                    V32,
                )

                def logarithm(word):
                    x = builder.fadd(builder.uitofp(word, F32), constant(F32, 0.5))
                    return _logarithm(builder, x)

                if kind == randomness.LOGISTIC:
                    standard = builder.fsub(logarithm(word), logarithm(builder.not_(word)))
                else:
                    whole = constant(F32, float(randomness.LN_2_32))
                    least = constant(F32, float(randomness.LEAST))
                    e = builder.fsub(whole, logarithm(word))
                    standard = builder.select(builder.fcmp_ordered(">", e, least), e, least)
                theta = builder.fmul(standard, span)
                theta = builder.select(builder.fcmp_ordered(">", theta, bottom), theta, bottom)
                theta = builder.select(builder.fcmp_ordered("<", theta, top), theta, top)
                theta = call(builder, "llvm.ceil.v16f32", F32, theta)
                store(builder, builder.fptosi(theta, V32), out, 4 * GROUP * visit)
            return context.get_dummy_value()

        address, word = types.intp, types.uint64
        return (
            types.void(address, word, word, address, address, address, types.float32),
            generate,
        )

    return thresholds_tile


logistic_tile = _thresholds(randomness.LOGISTIC)
exponential_tile = _thresholds(randomness.EXPONENTIAL)
