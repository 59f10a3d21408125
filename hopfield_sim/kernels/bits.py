"""Sums of integers over the bits of a row, as vector code: what `dense_bits` is made of.

The integers are held as planes of bytes, uint8 [plane][pattern], digits to base 256. For 64
patterns and one site, the bits of a row become 64 bytes 0 or -1 (two instructions, whatever the
number of planes), and one instruction a plane multiplies and adds (vpdpbusd; any processor has a
form of it in `simd`). Everything is in whole steps of 256 patterns: 32 bytes of a row.
"""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.kernels.simd import (
    I8,
    I16,
    I32,
    I64,
    V8,
    V16,
    V32,
    V64,
    VNNI,
    accumulators,
    add_quads,
    call,
    constant,
    joined,
    load,
    part,
    store,
)

STEP = 256  # patterns
SITES = 8  # rows that are summed over at once
TOGETHER = 3  # planes at once: 8 x 3 accumulators fit in 32 registers

_WORD = 64  # patterns of a vector of bytes
_BIT = ir.IntType(1)


def _bytes_of_bits(builder, address, offset):
    """64 bits behind an address as bytes 0 or -1."""
    word = load(builder, address, offset, I64)
    return builder.sext(builder.bitcast(word, ir.VectorType(_BIT, _WORD)), V8)


def _add_sum(builder, total, address, offset):
    """int64 behind an address -= the sum of an int32 vector (which was made with -1 for a bit)."""
    halves = [builder.sext(part(builder, total, range(k, k + 8)), V64) for k in (0, 8)]
    value = call(builder, "llvm.vector.reduce.add.v8i64", I64, builder.add(*halves))
    before = load(builder, address, offset, I64)
    store(builder, builder.sub(before, value), address, offset)


def _add_product(builder, place, digits, signs):
    words = (builder.bitcast(v, V32) for v in (digits, signs))
    builder.store(add_quads(builder, builder.load(place), *words), place)


def _sums(n_planes):
    @intrinsic
    def sums_tile(typingctx, addresses, offset, planes, stride, sums, n_steps, several):
        """sums[plane][site] += digits over the bits of 8 rows (of the first one unless `several`).

        addresses: int64 [8], of the rows; offset: bytes from there; planes: uint8 [n_planes], each
        `stride` bytes behind the other; sums: int64 [n_planes][8 sites]. Fewer than 2^19 steps.
        """

        def generate(context, builder, signature, arguments):
            addresses, offset, planes, stride, sums, n_steps, several = arguments
            per_step = STEP // _WORD

            def starts(n_sites):
                rows = [
                    builder.add(load(builder, addresses, 8 * site, I64), offset)
                    for site in range(n_sites)
                ]
                digits = [planes]
                for _ in range(n_planes - 1):
                    digits.append(builder.add(digits[-1], stride))
                return rows, digits

            def position(index, size):
                return builder.mul(index, ir.Constant(I64, size))

            with builder.if_else(several) as (then, otherwise):
                with then:
                    rows, digits = starts(SITES)
                    kept = accumulators(builder, SITES * n_planes)
                    turns = position(n_steps, per_step)
                    with cgutils.for_range(builder, turns) as loop:
                        here, ahead = position(loop.index, _WORD), position(loop.index, _WORD // 8)
                        values = [load(builder, builder.add(d, here), 0, V8) for d in digits]
                        for site in range(SITES):
                            signs = _bytes_of_bits(builder, builder.add(rows[site], ahead), 0)
                            for plane in range(n_planes):
                                place = kept[SITES * plane + site]
                                _add_product(builder, place, values[plane], signs)
                    for number, place in enumerate(kept):
                        _add_sum(builder, builder.load(place), sums, 8 * number)
                with otherwise:  # four words at once, as one product must wait for the other
                    rows, digits = starts(1)
                    kept = accumulators(builder, per_step * n_planes)
                    with cgutils.for_range(builder, n_steps) as loop:
                        here, ahead = position(loop.index, STEP), position(loop.index, STEP // 8)
                        row = builder.add(rows[0], ahead)
                        for word in range(per_step):
                            signs = _bytes_of_bits(builder, row, 8 * word)
                            for plane in range(n_planes):
                                at = builder.add(digits[plane], here)
                                value = load(builder, at, _WORD * word, V8)
                                place = kept[per_step * plane + word]
                                _add_product(builder, place, value, signs)
                    for number, place in enumerate(kept):
                        _add_sum(builder, builder.load(place), sums, 64 * (number // per_step))
            return context.get_dummy_value()

        address = types.intp
        return types.void(*[address] * 6, types.boolean), generate

    return sums_tile


sums_1, sums_2, sums_3 = (_sums(n) for n in range(1, TOGETHER + 1))


@intrinsic
def shift_tile(typingctx, row, m, change, n_steps):
    """m += change where the bit of the row is set, -= change elsewhere; m: int16 [256 n_steps]."""

    def generate(context, builder, signature, arguments):
        row, m, change, n_steps = arguments
        undefined = ir.Constant(V16, ir.Undefined)
        up = builder.insert_element(undefined, change, ir.Constant(I32, 0))
        up = builder.shuffle_vector(up, undefined, ir.Constant(ir.VectorType(I32, 32), [0] * 32))
        down = builder.sub(constant(V16, 0), up)
        with cgutils.for_range(builder, builder.shl(n_steps, ir.Constant(I64, 3))) as loop:
            at = builder.add(m, builder.shl(loop.index, ir.Constant(I64, 6)))
            word = load(builder, builder.add(row, builder.shl(loop.index, ir.Constant(I64, 2))), 0, I32)
            step = builder.select(builder.bitcast(word, ir.VectorType(_BIT, 32)), up, down)
            store(builder, builder.add(load(builder, at, 0, V16), step), at, 0)
        return context.get_dummy_value()

    return types.void(types.intp, types.intp, types.int16, types.intp), generate


def _looked_up(builder, table, places):
    """int32 table[place] for 16 places, counted from an address."""
    if VNNI:  # which comes with AVX-512: one gather instruction
        return call(
            builder,
            "llvm.x86.avx512.mask.gather.dpi.512",
            V32,
            constant(V32, 0),
            builder.inttoptr(table, I8.as_pointer()),
            places,
            constant(ir.VectorType(_BIT, 16), 1),
            ir.Constant(I32, 4),
        )
    found = ir.Constant(V32, ir.Undefined)
    for k in range(16):
        lane = ir.Constant(I32, k)
        place = builder.sext(builder.extract_element(places, lane), I64)
        address = builder.add(table, builder.shl(place, ir.Constant(I64, 2)))
        found = builder.insert_element(found, load(builder, address, 0, I32), lane)
    return found


@intrinsic
def look_up_tile(typingctx, row, m, planes, stride, n_planes, table, sums, n_steps):
    """planes = the digits of table[m]; sums of all of them, and of those at the bits of the row.

    row: bits; m: int16 [256 n_steps]; planes: up to 4, uint8, each `stride` bytes behind the other;
    table: uint32, the address of the place m = 0; sums: int64 [n_planes][2], added to.
    """

    def generate(context, builder, signature, arguments):
        row, m, planes, stride, n_planes, table, sums, n_steps = arguments
        kept = [cgutils.alloca_once(builder, V32, size=4) for _ in range(2)]

        def each_plane():
            return cgutils.for_range(builder, n_planes)

        with each_plane() as loop:
            for totals in kept:
                builder.store(constant(V32, 0), builder.gep(totals, [loop.index]))
        quarter = ir.VectorType(I8, 16)
        turns = builder.mul(n_steps, ir.Constant(I64, STEP // _WORD))
        with cgutils.for_range(builder, turns) as turn:
            at = builder.add(m, builder.shl(turn.index, ir.Constant(I64, 7)))
            found = []
            for half in range(2):
                overlaps = load(builder, at, 64 * half, V16)
                for first in (0, 16):
                    places = part(builder, overlaps, range(first, first + 16))
                    found.append(_looked_up(builder, table, builder.sext(places, V32)))
            bits = builder.add(row, builder.shl(turn.index, ir.Constant(I64, 3)))
            signs = _bytes_of_bits(builder, bits, 0)
            here = builder.add(planes, builder.shl(turn.index, ir.Constant(I64, 6)))
            with each_plane() as loop:
                shift = builder.trunc(builder.shl(loop.index, ir.Constant(I64, 3)), I32)
                undefined = ir.Constant(V32, ir.Undefined)
                shift = builder.insert_element(undefined, shift, ir.Constant(I32, 0))
                shift = builder.shuffle_vector(shift, undefined, constant(V32, 0))
                digits = [builder.trunc(builder.lshr(v, shift), quarter) for v in found]
                pairs = [joined(builder, *digits[k : k + 2]) for k in (0, 2)]
                value = joined(builder, *pairs)
                target = builder.add(here, builder.mul(loop.index, stride))
                store(builder, value, target, 0)
                for totals, s in zip(kept, (constant(V8, -1), signs), strict=True):
                    _add_product(builder, builder.gep(totals, [loop.index]), value, s)
        with each_plane() as loop:
            at = builder.add(sums, builder.shl(loop.index, ir.Constant(I64, 4)))
            for number, totals in enumerate(kept):
                total = builder.load(builder.gep(totals, [loop.index]))
                _add_sum(builder, total, at, 8 * number)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 8), generate
