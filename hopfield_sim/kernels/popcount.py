"""Products with +-1 by bits, and decisions kept as bits: functions on raw addresses.

Spins and patterns are +-1, a bit is 1 for -1. A *group* is 32 lanes, as in `tiles`.

* `count_tile`: +-1 times +-1 is a count of unequal bits, 512 products in three instructions.
* `build_tables`, `look_up`: +-1 times integers. All 32 signed sums of five integers M stand in a
  table, and five bits of a site's pattern name one of them: 160 products in one addition of int16.
* `decide_word`: 32 sites in a group, whose spins are one word of bits a lane.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.kernels.simd import (
    I16,
    I32,
    I64,
    V16,
    V32,
    accumulators,
    broadcast,
    call,
    constant,
    joined,
    load,
    part,
    store,
)
from hopfield_sim.kernels.tiles import GROUP, PARTS, TILE

WORD = 32  # sites of a word of bits
INDEX = 5  # patterns of a table: 32 sums of 64 bytes
TABLES = 12  # tables that are used at a time: 24 kB stay in the nearest cache
PAGE = INDEX * TABLES  # their patterns: 60 bits of a word of 64


def _of_pair(builder, m, pair, wide):
    """Both patterns of a pair, m: int16 [pair][32 lanes][2]; each V16, or two V32 if wide."""
    words = [load(builder, m, 4 * GROUP * pair + 64 * z, V32) for z in range(2)]
    sixteen = constant(V32, 16)
    if wide:
        even = [builder.ashr(builder.shl(word, sixteen), sixteen) for word in words]
        return even, [builder.ashr(word, sixteen) for word in words]
    half = ir.VectorType(I16, 16)
    even = joined(builder, *(builder.trunc(word, half) for word in words))
    odd = joined(builder, *(builder.trunc(builder.lshr(word, sixteen), half) for word in words))
    return [even], [odd]


def _signed_sums(builder, values):
    """All sums of +-values: number e has a minus where bit k of e is 1."""
    first, *others = values
    sums = [first, builder.neg(first)]
    for value in others:
        minus = builder.neg(value)
        sums = [builder.add(total, v) for v in (value, minus) for total in sums]
    return sums


def _build_tables(wide):
    @intrinsic
    def build_tables(typingctx, m, tables):
        """tables[t][e][lane] = sum_k (1 - 2 e_k) m[5 t + k][lane], e_k the bits of e, for a page.

        m: int16 [30 pairs][32 lanes][2]; tables: int16 (int32 if wide) [12][32][32 lanes]. Returns
        non-zero where the sizes of a lane's m add up to more than an int16 holds.
        """

        def generate(context, builder, signature, arguments):
            m, tables = arguments
            n_parts = 2 if wide else 1
            entry = 64 * n_parts
            table = entry << INDEX
            size = cgutils.alloca_once(builder, V16)
            builder.store(constant(V16, 0), size)
            with cgutils.for_range(builder, ir.Constant(I64, TABLES // 2)) as loop:
                row = builder.add(m, builder.mul(loop.index, I64(4 * GROUP * INDEX)))
                to = builder.add(tables, builder.mul(loop.index, I64(2 * table)))
                values = [v for k in range(INDEX) for v in _of_pair(builder, row, k, wide)]
                if not wide:
                    total = builder.load(size)
                    for (v,) in values:
                        minus = builder.icmp_signed("<", v, constant(V16, 0))
                        v = builder.select(minus, builder.neg(v), v)
                        total = call(builder, "llvm.uadd.sat.v32i16", V16, total, v)
                    builder.store(total, size)
                for z in range(n_parts):
                    for t in range(2):
                        own = [v[z] for v in values[INDEX * t : INDEX * (t + 1)]]
                        low, high = (
                            _signed_sums(builder, own[:3]),
                            _signed_sums(builder, own[3:]),
                        )
                        for e in range(1 << INDEX):
                            value = builder.add(low[e % 8], high[e // 8])
                            store(builder, value, to, table * t + entry * e + 64 * z)
            too_large = builder.icmp_signed("<", builder.load(size), constant(V16, 0))
            return builder.zext(builder.bitcast(too_large, I32), I64)

        return types.int64(types.intp, types.intp), generate

    return build_tables


def _look_up(wide):
    @intrinsic
    def look_up(typingctx, bits, tables, h, n_sites, keep):
        """h[site][lane] = (h[site][lane] & keep) + sum_t tables[t][five bits of the site][lane].

        bits: uint64 [n_sites], 60 bits each; tables: as `build_tables` of the same width; h: int32
        [n_sites][32 lanes]; keep: 0 or -1.
        """

        def generate(context, builder, signature, arguments):
            bits, tables, h, n_sites, keep = arguments
            n_parts = 2 if wide else 1
            kind = V32 if wide else V16
            shift = 7 if wide else 6  # of an entry's number, for its place in bytes
            mask = I64(((1 << INDEX) - 1) << shift)
            keep = broadcast(builder, builder.trunc(keep, I32))
            with cgutils.for_range(builder, n_sites) as loop:
                word = load(builder, builder.add(bits, builder.shl(loop.index, I64(3))), 0, I64)
                row = builder.add(h, builder.shl(loop.index, I64(7)))
                kept = [[] for _ in range(n_parts)]
                for t in range(TABLES):
                    by = INDEX * t - shift
                    place = builder.lshr(word, I64(by)) if by > 0 else builder.shl(word, I64(-by))
                    at = builder.add(tables, builder.and_(place, mask))
                    for z in range(n_parts):
                        value = load(builder, at, ((t << INDEX) << shift) + 64 * z, kind)
                        if t < 2:  # two chains of additions run beside one another
                            kept[z].append(value)
                        else:
                            kept[z][t % 2] = builder.add(kept[z][t % 2], value)
                totals = [builder.add(*chains) for chains in kept]
                if not wide:
                    halves = (part(builder, totals[0], range(k, k + 16)) for k in (0, 16))
                    totals = [builder.sext(half, V32) for half in halves]
                for z in range(2):
                    old = builder.and_(load(builder, row, 64 * z, V32), keep)
                    store(builder, builder.add(old, totals[z]), row, 64 * z)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 5), generate

    return look_up


build_tables, build_wide_tables = _build_tables(False), _build_tables(True)
look_up, look_up_wide = _look_up(False), _look_up(True)


@intrinsic
def decide_word(typingctx, h, theta, diagonal, spins, changed, count):
    """Flip where `s h - diagonal < theta`: 32 sites at once, in a group of 32 lanes.

    h, theta: int32 [32 sites][32 lanes]; diagonal: int32 [32 sites]; spins: uint32 [32 lanes], bit
    k is the spin of site k, changed; changed: uint32 [32 lanes], bits of the flips, written; count:
    int64 [32 lanes], to which the numbers of flips are added. Returns non-zero where any flipped.
    """

    def generate(context, builder, signature, arguments):
        h, theta, diagonal, spins, changed, count = arguments
        row = 4 * GROUP
        zero = constant(V32, 0)
        before = [load(builder, spins, 64 * z, V32) for z in range(2)]
        flipped = accumulators(builder, 2)
        with cgutils.for_range(builder, I64(WORD)) as loop:
            bit = broadcast(builder, builder.shl(I32(1), builder.trunc(loop.index, I32)))
            at = builder.mul(loop.index, I64(row))
            row_h, row_theta = builder.add(h, at), builder.add(theta, at)
            own = load(builder, builder.add(diagonal, builder.shl(loop.index, I64(2))), 0, I32)
            own = broadcast(builder, own)
            for z in range(2):
                field = load(builder, row_h, 64 * z, V32)
                minus = builder.icmp_signed("!=", builder.and_(before[z], bit), zero)
                aligned = builder.select(minus, builder.neg(field), field)
                flip = builder.icmp_signed(
                    "<", builder.sub(aligned, own), load(builder, row_theta, 64 * z, V32)
                )
                new = builder.or_(builder.load(flipped[z]), builder.select(flip, bit, zero))
                builder.store(new, flipped[z])
        moved = [builder.load(place) for place in flipped]
        half = ir.VectorType(I64, 16)
        for z in range(2):
            store(builder, builder.xor(before[z], moved[z]), spins, 64 * z)
            store(builder, moved[z], changed, 64 * z)
            number = builder.zext(call(builder, "llvm.ctpop.v16i32", V32, moved[z]), half)
            old = load(builder, count, 128 * z, half)
            store(builder, builder.add(old, number), count, 128 * z)
        any_flip = builder.icmp_unsigned("!=", builder.or_(*moved), zero)
        return builder.zext(builder.bitcast(any_flip, I16), I64)

    return types.int64(*[types.intp] * 6), generate


@intrinsic
def count_tile(typingctx, x, s, n_words, n_neurons, m):
    """m[p][lane] = n_neurons - 2 (number of unequal bits), for 8 patterns and a group.

    x: uint32 [n_words][8 patterns]; s: uint32 [n_words][32 lanes]; m: int16 [4 pairs][32 lanes][2].
    """

    def generate(context, builder, signature, arguments):
        x, s, n_words, n_neurons, m = arguments
        low = constant(V32, 0xFFFF)
        all_sites = broadcast(builder, builder.trunc(n_neurons, I32))
        for patterns, halves in PARTS:
            kept = accumulators(builder, len(patterns) * len(halves))
            with cgutils.for_range(builder, n_words) as loop:
                row_s = builder.add(s, builder.mul(loop.index, I64(4 * GROUP)))
                row_x = builder.add(x, builder.mul(loop.index, I64(4 * TILE)))
                spins = [load(builder, row_s, 64 * z, V32) for z in halves]
                for k, p in enumerate(patterns):
                    word = broadcast(builder, load(builder, row_x, 4 * p, I32))
                    for z, spin in enumerate(spins):
                        number = call(builder, "llvm.ctpop.v16i32", V32, builder.xor(word, spin))
                        place = kept[len(halves) * k + z]
                        builder.store(builder.add(builder.load(place), number), place)
            for k in range(0, len(patterns), 2):
                for z, half in enumerate(halves):
                    even, odd = (
                        builder.sub(
                            all_sites,
                            builder.shl(
                                builder.load(kept[len(halves) * one + z]), constant(V32, 1)
                            ),
                        )
                        for one in (k, k + 1)
                    )
                    both = builder.or_(builder.and_(even, low), builder.shl(odd, constant(V32, 16)))
                    store(builder, both, m, 2 * GROUP * patterns[k] + 64 * half)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate
