"""Products and decisions of one chain, 64 sites at a time, each one function on raw addresses.

Where `tiles` puts many chains side by side in a vector, these put the sites of one chain there. A
*block* is 64 consecutive sites, held as four vectors of 16. Couplings of a block are int16 rows,
row k what site k does to the 64.
"""

from __future__ import annotations

import functools

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.kernels.simd import (
    B16,
    I1,
    I16,
    I32,
    I64,
    V8,
    V16,
    V32,
    V64,
    VNNI,
    accumulators,
    add_pairs,
    add_quads,
    bits_of,
    broadcast,
    call,
    constant,
    joined,
    load,
    select,
    store,
)

BLOCK = 64  # sites that are visited on fields computed in one product
QUARTER = 16  # sites of a vector
CUTS = 3  # of random words that are looked at before thresholds are computed


@intrinsic
def population(typingctx, bits):
    """How many bits of a uint64 are set: int64."""

    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.uint64), generate


@intrinsic
def fields_block(typingctx, bits, low, high, offset, h, n_quads):
    """h[site] = sum_p x[site][p] (low[p] + 256 high[p]) - offset[site] for 64 sites.

    bits: uint64 [quad of patterns][4 vectors of sites], bit 4 i + k of a word is set where x = +1
    for site i of the vector and pattern k of the quad; low, high: uint8 [pattern]; offset, h:
    int32 [64 sites].
    """

    def generate(context, builder, signature, arguments):
        bits, low, high, offset, h, n_quads = arguments
        plus, minus = constant(V8, 1), constant(V8, -1)
        # all four vectors of sites at once need 17 registers of 512 bits; else one by one
        for first, last in ((0, 4),) if VNNI else ((v, v + 1) for v in range(4)):
            kept = accumulators(builder, 2 * (last - first))
            with cgutils.for_range(builder, n_quads) as loop:
                quad = builder.mul(loop.index, ir.Constant(I64, 4))
                words = builder.add(bits, builder.mul(loop.index, ir.Constant(I64, 32)))
                planes = [
                    broadcast(builder, load(builder, builder.add(plane, quad), 0, I32))
                    for plane in (low, high)
                ]
                for v in range(first, last):
                    x = select(builder, load(builder, words, 8 * v, I64), plus, minus)
                    x = builder.bitcast(x, V32)
                    for k, plane in enumerate(planes):
                        place = kept[2 * (v - first) + k]
                        total = add_quads(builder, builder.load(place), plane, x)
                        builder.store(total, place)
            for v in range(first, last):
                small, large = (builder.load(kept[2 * (v - first) + k]) for k in range(2))
                total = builder.add(small, builder.shl(large, constant(V32, 8)))
                total = builder.sub(total, load(builder, offset, 64 * v, V32))
                store(builder, total, h, 64 * v)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 6), generate


def _aligned_fields(builder, h, diagonal, spins, v):
    """s h - diagonal for the 16 sites of vector v."""
    s = builder.sext(load(builder, spins, QUARTER * v, B16), V32)
    sign = builder.ashr(s, constant(V32, 31))
    signed = builder.sub(builder.xor(load(builder, h, 64 * v, V32), sign), sign)
    return builder.sub(signed, load(builder, diagonal, 64 * v, V32))


def _collected(builder, truths):
    """Four vectors of 16 comparisons as 64 bits."""
    bits = ir.Constant(I64, 0)
    for v, truth in enumerate(truths):
        word = builder.zext(bits_of(builder, truth), I64)
        bits = builder.or_(bits, builder.shl(word, ir.Constant(I64, QUARTER * v)))
    return bits


@intrinsic
def would_flip(typingctx, h, theta, diagonal, spins):
    """Which of 64 sites have `s h - diagonal < theta` now, as 64 bits.

    h, theta, diagonal: int32 [64]; spins: int8 [64].
    """

    def generate(context, builder, signature, arguments):
        h, theta, diagonal, spins = arguments
        return _collected(
            builder,
            [
                builder.icmp_signed(
                    "<",
                    _aligned_fields(builder, h, diagonal, spins, v),
                    load(builder, theta, 64 * v, V32),
                )
                for v in range(4)
            ],
        )

    return types.uint64(*[types.intp] * 4), generate


@intrinsic
def may_flip(typingctx, h, words, diagonal, spins, cuts):
    """Which of 64 sites may flip, from their random words alone, as 64 bits.

    A threshold grows with its word: below the word w_c it is below t_c, so that a site flips only
    where its word reaches w_c or `s h - diagonal < t_c`, for every c. words: uint32 [64]; cuts:
    int32 [CUTS][2], w_c and t_c.
    """

    def generate(context, builder, signature, arguments):
        h, words, diagonal, spins, cuts = arguments
        pairs = [
            [broadcast(builder, load(builder, cuts, 8 * c + 4 * k, I32)) for k in range(2)]
            for c in range(CUTS)
        ]
        truths = []
        for v in range(4):
            aligned_field = _aligned_fields(builder, h, diagonal, spins, v)
            word = load(builder, words, 64 * v, V32)
            passed = [
                builder.or_(
                    builder.icmp_unsigned(">=", word, w), builder.icmp_signed("<", aligned_field, t)
                )
                for w, t in pairs
            ]
            truths.append(functools.reduce(builder.and_, passed))
        return _collected(builder, truths)

    return types.uint64(*[types.intp] * 5), generate


@intrinsic
def first_bit(typingctx, bits):
    """The lowest bit that is set in a uint64 that is not zero: int64."""

    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(I1, 1))

    return types.int64(types.uint64), generate


@intrinsic
def decide_block(typingctx, h, theta, diagonal, spins, couplings):
    """Visit 64 sites in order: flip where `s h - diagonal < theta`; which flipped, as 64 bits.

    h, theta, diagonal: int32 [64]; spins: int8 [64], changed; couplings: int16 [64][64]. A flip
    changes the fields of all 64 (those of sites that were visited no longer matter).
    """

    def generate(context, builder, signature, arguments):
        h, theta, diagonal, spins, couplings = arguments
        positive = bits_of(
            builder, builder.icmp_signed(">", load(builder, spins, 0, V8), constant(V8, 0))
        )
        fields, limits = [], []
        for v in range(4):
            place = cgutils.alloca_once(builder, V32)
            builder.store(load(builder, h, 64 * v, V32), place)
            fields.append(place)
            # +1 stays up while h > limit, -1 turns up where h > limit: one comparison for both
            s = builder.sext(load(builder, spins, QUARTER * v, B16), V32)
            sign = builder.ashr(s, constant(V32, 31))
            sum_ = builder.add(
                load(builder, theta, 64 * v, V32), load(builder, diagonal, 64 * v, V32)
            )
            signed = builder.sub(builder.xor(sum_, sign), sign)
            is_up = builder.lshr(builder.xor(sign, constant(V32, -1)), constant(V32, 31))
            limits.append(builder.sub(signed, is_up))
        flipped = cgutils.alloca_once_value(builder, ir.Constant(I64, 0))
        todo = cgutils.alloca_once(builder, I16)
        for v in range(4):
            first = QUARTER * v
            builder.store(ir.Constant(I16, -1), todo)
            was_up = builder.trunc(builder.lshr(positive, ir.Constant(I64, first)), I16)
            visit, flip, end = (builder.append_basic_block(n) for n in ("visit", "flip", "end"))
            builder.branch(visit)
            builder.position_at_end(visit)
            up = bits_of(builder, builder.icmp_signed(">", builder.load(fields[v]), limits[v]))
            candidates = builder.and_(builder.xor(up, was_up), builder.load(todo))
            is_none = builder.icmp_unsigned("==", candidates, ir.Constant(I16, 0))
            builder.cbranch(is_none, end, flip)
            builder.position_at_end(flip)
            k = builder.zext(builder.cttz(candidates, ir.Constant(I1, 1)), I64)
            builder.store(builder.trunc(builder.shl(ir.Constant(I64, -2), k), I16), todo)
            k = builder.add(k, ir.Constant(I64, first))
            turned = builder.or_(builder.load(flipped), builder.shl(ir.Constant(I64, 1), k))
            builder.store(turned, flipped)
            up_before = builder.and_(builder.lshr(positive, k), ir.Constant(I64, 1))
            up_before = builder.shl(builder.trunc(up_before, I32), ir.Constant(I32, 2))
            change = builder.and_(
                builder.sub(ir.Constant(I32, 2), up_before), ir.Constant(I32, 0xFFFF)
            )
            change = broadcast(builder, change)
            row = builder.add(couplings, builder.shl(k, ir.Constant(I64, 7)))
            for later in range(v, 4):
                j = load(builder, row, 2 * QUARTER * later, ir.VectorType(I16, 16))
                j = builder.sext(j, V32)
                total = add_pairs(builder, builder.load(fields[later]), j, change)
                builder.store(total, fields[later])
            builder.branch(visit)
            builder.position_at_end(end)
        turned = builder.load(flipped)
        after = builder.xor(positive, turned)
        store(builder, select(builder, after, constant(V8, 1), constant(V8, -1)), spins, 0)
        return turned

    return types.uint64(*[types.intp] * 5), generate


@intrinsic
def overlaps_block(typingctx, bits, flipped, spins, m, low, high, n_words):
    """m[p] += 2 sum_i x[i][p] s[i] over the sites that flipped, and the planes of m renewed.

    bits: uint64 [pattern], bit i is set where x = +1 for site i; flipped: uint64; spins: int8 [64]
    after the flips; m: int16 [pattern]; low, high: uint8 [pattern], m + 2^15 = low + 256 high;
    n_words: patterns / 64. With F flips of which c disagree with x, m changes by 2 (F - 2 c).
    """

    def generate(context, builder, signature, arguments):
        bits, flipped, spins, m, low, high, n_words = arguments
        positive = bits_of(
            builder, builder.icmp_signed(">", load(builder, spins, 0, V8), constant(V8, 0))
        )

        states, turned = (broadcast(builder, word, V64) for word in (positive, flipped))
        n_flips = builder.trunc(builder.ctpop(flipped), I16)
        twice = broadcast(builder, builder.shl(n_flips, ir.Constant(I16, 1)), V16)
        eight, half = ir.VectorType(ir.IntType(8), 8), ir.VectorType(ir.IntType(8), 32)
        with cgutils.for_range(builder, n_words) as loop:
            row = builder.add(bits, builder.mul(loop.index, ir.Constant(I64, 512)))
            where = builder.mul(loop.index, ir.Constant(I64, 64))
            row_m = builder.add(m, builder.shl(where, ir.Constant(I64, 1)))
            for part in range(2):
                counts = []
                for k in range(4 * part, 4 * part + 4):
                    x = load(builder, row, 64 * k, V64)
                    wrong = builder.and_(builder.xor(x, states), turned)
                    counts.append(
                        builder.trunc(call(builder, "llvm.ctpop.v8i64", V64, wrong), eight)
                    )
                pairs = [joined(builder, *counts[:2]), joined(builder, *counts[2:])]
                c = builder.zext(joined(builder, *pairs), V16)
                old = load(builder, row_m, 64 * part, V16)
                new = builder.add(old, builder.sub(twice, builder.shl(c, constant(V16, 2))))
                store(builder, new, row_m, 64 * part)
                to = builder.add(where, ir.Constant(I64, 32 * part))
                store(builder, builder.trunc(new, half), builder.add(low, to), 0)
                shifted = builder.lshr(builder.xor(new, constant(V16, -(2**15))), constant(V16, 8))
                store(builder, builder.trunc(shifted, half), builder.add(high, to), 0)
        return context.get_dummy_value()

    address = types.intp
    return types.void(address, types.uint64, *[address] * 5), generate
