"""Products and decisions of many chains (lanes) at a time, each one function on raw addresses.

A *group* is 32 lanes, held as two vectors of 16. Used by the forms that work on groups.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.kernels.simd import (
    AVX2,
    B16,
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
    constant,
    load,
    store,
)

GROUP = 32  # lanes of a group
TILE = 8  # sites, or patterns, of a product tile
SUB = 16  # sites that are decided while their fields stay in registers
BLOCK = 64  # sites that are visited on fields computed in one product


# Which sites (or patterns) and halves of a group are summed at once: as many accumulators as stay
# in registers, 16 of 512 bits where there are 32 of them, 8 of 256 or 128 bits where there are 16.
_ROWS, _HALVES = (TILE, ((0, 1),)) if VNNI else (4 if AVX2 else 2, ((0,), (1,)))
_PARTS = [(range(k, k + _ROWS), halves) for k in range(0, TILE, _ROWS) for halves in _HALVES]


@intrinsic
def fields_tile(typingctx, x, m, h, n_pairs):
    """h[site][lane] = sum_p x[site][p] m[p][lane] for 8 sites and a group.

    x: int16 [pair][8 sites][2]; m: int16 [pair][32 lanes][2]; h: int32 [8 sites][32 lanes].
    """

    def generate(context, builder, signature, arguments):
        x, m, h, n_pairs = arguments
        for sites, halves in _PARTS:
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
        for patterns, halves in _PARTS:
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


@intrinsic
def decide(typingctx, h, theta, diagonal, spins, d, couplings, total):
    """Visit 16 sites in order in 16 lanes: flip where `s h - diagonal < theta`.

    h, theta: int32 [16 sites][32 lanes]; diagonal: int32 [16 sites]; spins: int8 [16 sites][32
    lanes], changed; d: int8 [4 quads][32 lanes][4 sites], half the changes, written; couplings:
    int16 [64 sites j][64 sites i] of the block, from this sub-block's column on: the fields of the
    sites still to come follow each flip; total: int32 [2][32 lanes], to which the sums of d and
    the numbers of flips are added. Returns non-zero where any lane flipped. Addresses are those of
    the first of the 16 lanes.
    """

    def generate(context, builder, signature, arguments):
        h, theta, diagonal, spins, d, couplings, total = arguments
        row = 4 * GROUP
        fields = [load(builder, h, row * i, V32) for i in range(SUB)]
        changes = []
        for i in range(SUB):
            s = builder.sext(load(builder, spins, GROUP * i, B16), V32)
            sign = builder.ashr(s, constant(V32, 31))
            aligned = builder.sub(builder.xor(fields[i], sign), sign)
            aligned = builder.sub(aligned, broadcast(builder, load(builder, diagonal, 4 * i, I32)))
            flip = builder.icmp_signed("<", aligned, load(builder, theta, row * i, V32))
            change = builder.select(flip, builder.neg(s), constant(V32, 0))
            changes.append(change)
            after = builder.add(s, builder.shl(change, constant(V32, 1)))
            store(builder, builder.trunc(after, B16), spins, GROUP * i)
            # twice the change in the half of the word that the pair (i, i^1) gives to site i
            shifted = builder.shl(change, constant(V32, 17 if i % 2 else 1))
            doubled = shifted if i % 2 else builder.and_(shifted, constant(V32, 0xFFFF))
            for j in range(i + 1, SUB):
                word = load(builder, couplings, 2 * BLOCK * j + 4 * (i // 2), I32)
                fields[j] = add_pairs(builder, fields[j], doubled, broadcast(builder, word))
        low = constant(V32, 0xFF)
        both = load(builder, total, 0, V32)
        count = load(builder, total, row, V32)
        any_change = constant(V32, 0)
        for quad in range(SUB // 4):
            word = constant(V32, 0)
            for k in range(4):
                change = changes[4 * quad + k]
                both = builder.add(both, change)
                count = builder.add(count, builder.and_(change, constant(V32, 1)))
                byte = builder.shl(builder.and_(change, low), constant(V32, 8 * k))
                word = builder.or_(word, byte)
            any_change = builder.or_(any_change, word)
            store(builder, word, d, row * quad)
        store(builder, both, total, 0)
        store(builder, count, total, row)
        moved = builder.icmp_unsigned("!=", any_change, constant(V32, 0))
        moved = builder.bitcast(moved, I16)
        return builder.zext(moved, I64)

    address = types.intp
    return types.int64(*[address] * 7), generate


@intrinsic
def carry(typingctx, h, d, couplings, n_sites):
    """h[j] += 2 sum_i J_ji d_i for the sites j after a sub-block of 16 sites i, in 16 lanes.

    h: int32 [n_sites][32 lanes]; d: int8 [4 quads][32 lanes][4 sites]; couplings: int16
    [n_sites j][64 sites i], from the first j and the sub-block's first i on.
    """

    def generate(context, builder, signature, arguments):
        h, d, couplings, n_sites = arguments
        row = 4 * GROUP
        pairs = []
        for quad in range(SUB // 4):
            word = load(builder, d, row * quad, V32)
            bytes_ = [
                builder.ashr(builder.shl(word, constant(V32, 24 - 8 * k)), constant(V32, 24))
                for k in range(4)
            ]
            for even, odd in (bytes_[:2], bytes_[2:]):
                pairs.append(
                    builder.or_(
                        builder.and_(builder.shl(even, constant(V32, 1)), constant(V32, 0xFFFF)),
                        builder.shl(odd, constant(V32, 17)),
                    )
                )
        with cgutils.for_range(builder, n_sites) as loop:
            row_h = builder.add(h, builder.mul(loop.index, ir.Constant(I64, row)))
            row_j = builder.add(couplings, builder.mul(loop.index, ir.Constant(I64, 2 * BLOCK)))
            total = load(builder, row_h, 0, V32)
            for k, pair in enumerate(pairs):
                word = broadcast(builder, load(builder, row_j, 4 * k, I32))
                total = add_pairs(builder, total, pair, word)
            store(builder, total, row_h, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate
