"""Products and decisions of many chains (lanes) at a time, each one function on raw addresses.

A *group* is 32 lanes, held as two vectors of 16. Used by the forms that work on groups; the
blocked sweep takes two groups at a time.

Products with +-1 need no multiplication: all 16 signed sums of four numbers stand in a table, and
four bits of a pattern name one of them. An addition is four products in 32 or 64 lanes.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.kernels.simd import (
    AVX2,
    B16,
    I8,
    I16,
    I32,
    I64,
    V16,
    V32,
    VNNI,
    accumulators,
    add_pairs,
    add_quads,
    broadcast,
    call,
    constant,
    load,
    part,
    store,
)

GROUP = 32  # lanes of a group
TILE = 8  # sites, or patterns, of a product tile
SUB = 16  # sites that are decided while their fields stay in registers
BLOCK = 64  # sites that are visited on fields computed in one product
LANES = 2 * GROUP  # lanes that look up in the same tables
INDEX = 4  # numbers of a table: 16 sums
PAGE = 32  # patterns whose tables are used at a time: 16 kB stay in the nearest cache


# Which sites (or patterns) and halves of a group are summed at once: as many accumulators as stay
# in registers, 16 of 512 bits where there are 32 of them, 8 of 256 or 128 bits where there are 16.
_ROWS, _HALVES = (TILE, ((0, 1),)) if VNNI else (4 if AVX2 else 2, ((0,), (1,)))
PARTS = [(range(k, k + _ROWS), halves) for k in range(0, TILE, _ROWS) for halves in _HALVES]


@intrinsic
def fields_tile(typingctx, x, m, h, n_pairs):
    """h[site][lane] = sum_p x[site][p] m[p][lane] for 8 sites and a group.

    x: int16 [pair][8 sites][2]; m: int16 [pair][32 lanes][2]; h: int32 [8 sites][32 lanes].
    """

    def generate(context, builder, signature, arguments):
        x, m, h, n_pairs = arguments
        for sites, halves in PARTS:
            kept = accumulators(builder, len(sites) * len(halves))
            with cgutils.for_range(builder, n_pairs) as loop:
                row_m = builder.add(m, builder.mul(loop.index, ir.Constant(I64, 4 * GROUP)))
                row_x = builder.add(x, builder.mul(loop.index, ir.Constant(I64, 4 * TILE)))
                overlaps = [load(builder, row_m, 64 * z, V32) for z in halves]
                for k, site in enumerate(sites):
                    word = broadcast(builder, load(builder, row_x, 4 * site, I32))
                    for z, m_half in enumerate(overlaps):
                        place = kept[len(halves) * k + z]
                        total = add_pairs(builder, builder.load(place), m_half, word)
                        builder.store(total, place)
            for k, site in enumerate(sites):
                for z, half in enumerate(halves):
                    total = builder.load(kept[len(halves) * k + z])
                    store(builder, total, h, 128 * site + 64 * half)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp), generate


@intrinsic
def overlaps_tile(typingctx, x, stride, d, total, m):
    """m[p][lane] += 2 sum_i x[i][p] d[i][lane] for 8 patterns, 64 sites and a group.

    x: uint8 [16 quads][...][8 patterns][4 sites], rows `stride` bytes apart, holding the pattern
    plus an offset o; d: int8 [16 quads][32 lanes][4 sites], half the changes of the spins;
    total: int32 [32 lanes], 2 o sum_i d; m: int16 [4 pairs][32 lanes][2].
    """

    def generate(context, builder, signature, arguments):
        x, stride, d, total, m = arguments
        low = constant(V32, 0xFFFF)
        for patterns, halves in PARTS:
            kept = accumulators(builder, len(patterns) * len(halves))
            with cgutils.for_range(builder, ir.Constant(I64, BLOCK // 4)) as loop:
                row_d = builder.add(d, builder.mul(loop.index, ir.Constant(I64, 4 * GROUP)))
                row_x = builder.add(x, builder.mul(loop.index, stride))
                changes = [load(builder, row_d, 64 * z, V32) for z in halves]
                for k, p in enumerate(patterns):
                    word = broadcast(builder, load(builder, row_x, 4 * p, I32))
                    for z, change in enumerate(changes):
                        place = kept[len(halves) * k + z]
                        new = add_quads(builder, builder.load(place), word, change)
                        builder.store(new, place)
            for z, half in enumerate(halves):
                offset = load(builder, total, 64 * half, V32)
                for k in range(0, len(patterns), 2):
                    even, odd = (
                        builder.sub(
                            builder.shl(
                                builder.load(kept[len(halves) * one + z]), constant(V32, 1)
                            ),
                            offset,
                        )
                        for one in (k, k + 1)
                    )
                    both = builder.or_(builder.and_(even, low), builder.shl(odd, constant(V32, 16)))
                    where = 2 * GROUP * patterns[k] + 64 * half
                    old = load(builder, m, where, V16)
                    store(builder, builder.add(old, builder.bitcast(both, V16)), m, where)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.intp, types.intp, types.intp), generate


def _signed_sums(builder, values):
    """All sums of +-values: number e has a minus where bit k of e is 1."""
    first, *others = values
    sums = [first, builder.neg(first)]
    for value in others:
        sums = [
            operation(total, value) for operation in (builder.add, builder.sub) for total in sums
        ]
    return sums


def _looked_up(builder, word, tables, count, row, starts, kind):
    """The sum of one entry of each of `count` tables, four bits of the word for each.

    tables: address of [count][16] rows of `row` bytes. One sum for each of the vectors of `kind`
    in a row, which begin at `starts`.
    """
    shift = row.bit_length() - 1
    kept = [[] for _ in starts]
    for t in range(count):
        by = INDEX * t - shift
        place = word
        if by:
            amount = ir.Constant(word.type, abs(by))
            place = builder.lshr(word, amount) if by > 0 else builder.shl(word, amount)
        place = builder.and_(place, ir.Constant(word.type, 15 << shift))
        at = builder.add(tables, builder.zext(place, I64) if word.type != I64 else place)
        for sums, start in zip(kept, starts, strict=True):
            value = load(builder, at, 16 * row * t + start, kind)
            if t < 2:  # two chains of additions run beside one another
                sums.append(value)
            else:
                sums[t % 2] = builder.add(sums[t % 2], value)
    return [builder.add(*sums) for sums in kept]


def _one_or_two(builder, groups):
    """Emit what the body of the loop emits for one group and for two; `groups` says which runs."""
    for count in (1, 2):
        with builder.if_then(builder.icmp_signed("==", groups, I64(count))):
            yield count


@intrinsic
def build_overlap_tables(typingctx, groups, m, tables):
    """tables[t][e][lane] = sum_k (1 - 2 e_k) m[4 t + k][lane], e_k the bits of e, for a page.

    groups: 1 or 2, as in all that follow, those that hold lanes; m: int16 [32 patterns][64 lanes];
    tables: int16 [8][16][64 lanes]. Returns the largest sum of the sizes of a lane's m, or 65535
    where it is larger.
    """

    def generate(context, builder, signature, arguments):
        groups, m, tables = arguments
        largest = cgutils.alloca_once(builder, I16)
        for count in _one_or_two(builder, groups):
            sizes = [cgutils.alloca_once(builder, V16) for _ in range(count)]
            for size in sizes:
                builder.store(constant(V16, 0), size)
            with cgutils.for_range(builder, I64(PAGE // INDEX)) as loop:
                row = builder.add(m, builder.mul(loop.index, I64(2 * LANES * INDEX)))
                to = builder.add(tables, builder.mul(loop.index, I64(2 * LANES * 16)))
                for z, size in enumerate(sizes):
                    values = [load(builder, row, 2 * LANES * k + 64 * z, V16) for k in range(INDEX)]
                    total = builder.load(size)
                    for value in values:
                        minus = builder.icmp_signed("<", value, constant(V16, 0))
                        value = builder.select(minus, builder.neg(value), value)
                        total = call(builder, "llvm.uadd.sat.v32i16", V16, total, value)
                    builder.store(total, size)
                    for e, value in enumerate(_signed_sums(builder, values)):
                        store(builder, value, to, 2 * LANES * e + 64 * z)
            larger = builder.load(sizes[0])
            for size in sizes[1:]:
                other = builder.load(size)
                larger = builder.select(builder.icmp_unsigned(">", other, larger), other, larger)
            builder.store(call(builder, "llvm.vector.reduce.umax.v32i16", I16, larger), largest)
        return builder.zext(builder.load(largest), I64)

    return types.int64(*[types.intp] * 3), generate


@intrinsic
def look_up_fields(typingctx, groups, words, tables, h):
    """h[site][lane] += sum_t tables[t][four bits of the site][lane], for 64 sites.

    words: uint32 [64 sites]; tables: as `build_overlap_tables`; h: int16 [64 sites][64 lanes].
    """

    def generate(context, builder, signature, arguments):
        groups, words, tables, h = arguments
        for count in _one_or_two(builder, groups):
            starts = range(0, 64 * count, 64)
            with cgutils.for_range(builder, I64(BLOCK)) as loop:
                word = load(builder, builder.add(words, builder.shl(loop.index, I64(2))), 0, I32)
                row = builder.add(h, builder.mul(loop.index, I64(2 * LANES)))
                sums = _looked_up(builder, word, tables, PAGE // INDEX, 2 * LANES, starts, V16)
                for start, total in zip(starts, sums, strict=True):
                    old = load(builder, row, start, V16)
                    store(builder, builder.add(old, total), row, start)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate


@intrinsic
def widen(typingctx, groups, narrow, h, keep, shift):
    """h[z][site][lane] = (h[z][site][lane] & keep) + (narrow[site][32 z + lane] << shift).

    narrow: int16 [64 sites][64 lanes], set to 0; h: int32 [2 groups][64 sites][32 lanes]; keep: 0
    or -1.
    """

    def generate(context, builder, signature, arguments):
        groups, narrow, h, keep, shift = arguments
        keep, shift = (broadcast(builder, builder.trunc(word, I32)) for word in (keep, shift))
        for count in _one_or_two(builder, groups):
            with cgutils.for_range(builder, I64(BLOCK)) as loop:
                row = builder.add(narrow, builder.mul(loop.index, I64(2 * LANES)))
                to = builder.add(h, builder.mul(loop.index, I64(4 * GROUP)))
                for z in range(count):
                    value = load(builder, row, 64 * z, V16)
                    store(builder, constant(V16, 0), row, 64 * z)
                    for half in range(2):
                        where = 4 * GROUP * BLOCK * z + 64 * half
                        old = builder.and_(load(builder, to, where, V32), keep)
                        own = part(builder, value, range(16 * half, 16 * half + 16))
                        own = builder.shl(builder.sext(own, V32), shift)
                        store(builder, builder.add(old, own), to, where)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@intrinsic
def build_change_tables(typingctx, groups, before, after, tables, flips):
    """tables[t][e][lane] = sum_k (1 - 2 e_k) d[4 t + k][lane], d half the changes of the spins.

    before, after: int8 [64 sites][64 lanes]; tables: int8 [16][16][64 lanes]; flips: int8 [64
    lanes], their numbers, written.
    """

    def generate(context, builder, signature, arguments):
        groups, before, after, tables, flips = arguments
        for count in _one_or_two(builder, groups):
            kind = ir.VectorType(I8, GROUP * count)
            zero = constant(kind, 0)
            number = cgutils.alloca_once(builder, kind)
            builder.store(zero, number)
            with cgutils.for_range(builder, I64(BLOCK // INDEX)) as loop:
                at = builder.mul(loop.index, I64(LANES * INDEX))
                old, new = builder.add(before, at), builder.add(after, at)
                to = builder.add(tables, builder.mul(loop.index, I64(LANES * 16)))
                changes, total = [], builder.load(number)
                for k in range(INDEX):
                    now = load(builder, new, LANES * k, kind)
                    moved = builder.icmp_signed("!=", now, load(builder, old, LANES * k, kind))
                    changes.append(builder.select(moved, now, zero))
                    total = builder.sub(total, builder.sext(moved, kind))
                builder.store(total, number)
                for e, value in enumerate(_signed_sums(builder, changes)):
                    store(builder, value, to, LANES * e)
            store(builder, builder.load(number), flips, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@intrinsic
def look_up_overlaps(typingctx, groups, words, tables, m, n_patterns):
    """m[p][lane] += 2 sum_t tables[t][four bits of the pattern][lane].

    words: uint64 [n_patterns]; tables: as `build_change_tables`; m: int16 [n_patterns][64 lanes].
    """

    def generate(context, builder, signature, arguments):
        groups, words, tables, m, n_patterns = arguments
        for count in _one_or_two(builder, groups):
            kind = ir.VectorType(I8, GROUP * count)
            with cgutils.for_range(builder, n_patterns) as loop:
                word = load(builder, builder.add(words, builder.shl(loop.index, I64(3))), 0, I64)
                row = builder.add(m, builder.mul(loop.index, I64(2 * LANES)))
                (total,) = _looked_up(builder, word, tables, BLOCK // INDEX, LANES, (0,), kind)
                for z in range(count):
                    own = builder.sext(part(builder, total, range(32 * z, 32 * z + 32)), V16)
                    new = builder.add(load(builder, row, 64 * z, V16), builder.add(own, own))
                    store(builder, new, row, 64 * z)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate


@intrinsic
def quads_of_changes(typingctx, before, after, d, total):
    """Half the changes of the spins of a group in the order of `overlaps_tile`.

    before, after: int8 [64 sites][64 lanes], of which 32; d: int8 [16 quads][32 lanes][4 sites];
    total: int32 [2][32 lanes], the sums of d and the numbers of flips, written.
    """

    def generate(context, builder, signature, arguments):
        before, after, d, total = arguments
        low, one = constant(V32, 0xFF), constant(V32, 1)
        for z in range(2):
            kept = accumulators(builder, 2)
            with cgutils.for_range(builder, ir.Constant(I64, BLOCK // 4)) as loop:
                at = builder.add(builder.mul(loop.index, I64(4 * LANES)), I64(16 * z))
                old, new = builder.add(before, at), builder.add(after, at)
                to = builder.add(d, builder.mul(loop.index, I64(4 * GROUP)))
                both, count = (builder.load(place) for place in kept)
                word = constant(V32, 0)
                for k in range(4):
                    now, then = (
                        builder.sext(load(builder, place, LANES * k, B16), V32)
                        for place in (new, old)
                    )
                    change = builder.ashr(builder.sub(now, then), one)
                    both = builder.add(both, change)
                    count = builder.add(count, builder.and_(change, one))
                    byte = builder.shl(builder.and_(change, low), constant(V32, 8 * k))
                    word = builder.or_(word, byte)
                store(builder, word, to, 64 * z)
                builder.store(both, kept[0])
                builder.store(count, kept[1])
            for k, place in enumerate(kept):
                store(builder, builder.load(place), total, 4 * GROUP * k + 64 * z)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate


@intrinsic
def decide(typingctx, h, theta, diagonal, spins, pairs, couplings):
    """Visit 16 sites in order in 16 lanes: flip where `s h - diagonal < theta`.

    h, theta: int32 [16 sites][32 lanes]; diagonal: int32 [16 sites]; spins: int8 [16 sites][64
    lanes], changed; pairs: int16 [8 pairs of sites][16 lanes][2], the changes, written; couplings:
    int16 [64 sites j][64 sites i] of the block, from this sub-block's column on: the fields of the
    sites still to come follow each flip. Returns non-zero where any lane flipped. Addresses are
    those of the first of the 16 lanes.
    """

    def generate(context, builder, signature, arguments):
        h, theta, diagonal, spins, pairs, couplings = arguments
        row = 4 * GROUP
        fields = [load(builder, h, row * i, V32) for i in range(SUB)]
        changes = []
        for i in range(SUB):
            s = builder.sext(load(builder, spins, LANES * i, B16), V32)
            sign = builder.ashr(s, constant(V32, 31))
            aligned = builder.sub(builder.xor(fields[i], sign), sign)
            aligned = builder.sub(aligned, broadcast(builder, load(builder, diagonal, 4 * i, I32)))
            flip = builder.icmp_signed("<", aligned, load(builder, theta, row * i, V32))
            change = builder.select(flip, builder.neg(s), constant(V32, 0))
            after = builder.add(s, builder.shl(change, constant(V32, 1)))
            store(builder, builder.trunc(after, B16), spins, LANES * i)
            # twice the change in the half of the word that the pair (i, i^1) gives to site i
            shifted = builder.shl(change, constant(V32, 17 if i % 2 else 1))
            doubled = shifted if i % 2 else builder.and_(shifted, constant(V32, 0xFFFF))
            changes.append(doubled)
            for j in range(i + 1, SUB):
                word = load(builder, couplings, 2 * BLOCK * j + 4 * (i // 2), I32)
                fields[j] = add_pairs(builder, fields[j], doubled, broadcast(builder, word))
        any_change = constant(V32, 0)
        for k in range(SUB // 2):
            word = builder.or_(*changes[2 * k : 2 * k + 2])
            any_change = builder.or_(any_change, word)
            store(builder, word, pairs, 64 * k)
        moved = builder.icmp_unsigned("!=", any_change, constant(V32, 0))
        moved = builder.bitcast(moved, I16)
        return builder.zext(moved, I64)

    return types.int64(*[types.intp] * 6), generate


@intrinsic
def carry(typingctx, h, pairs, couplings, n_sites):
    """h[j] += 2 sum_i J_ji d_i for the sites j after a sub-block of 16 sites i, in 16 lanes.

    h: int32 [n_sites][32 lanes]; pairs: as `decide`, 2 d; couplings: int16 [n_sites j][64 sites
    i], from the first j and the sub-block's first i on.
    """

    def generate(context, builder, signature, arguments):
        h, pairs, couplings, n_sites = arguments
        row = 4 * GROUP
        words = [load(builder, pairs, 64 * k, V32) for k in range(SUB // 2)]
        with cgutils.for_range(builder, n_sites) as loop:
            row_h = builder.add(h, builder.mul(loop.index, ir.Constant(I64, row)))
            row_j = builder.add(couplings, builder.mul(loop.index, ir.Constant(I64, 2 * BLOCK)))
            total = load(builder, row_h, 0, V32)
            for k, pair in enumerate(words):
                word = broadcast(builder, load(builder, row_j, 4 * k, I32))
                total = add_pairs(builder, total, pair, word)
            store(builder, total, row_h, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate
