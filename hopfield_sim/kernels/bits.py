"""Sums of integers over the bits of a row, as vector code: what `dense_bits` is made of.

Each function handles whole steps of 64 patterns: 8 bytes of a row. Written once in general LLVM
vector code (select by a bit mask, then add), which becomes masked instructions where there are any.
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
    V64,
    VNNI,
    accumulators,
    add_pairs,
    call,
    constant,
    load,
    part,
    store,
)

STEP = 64  # patterns

_HALF = ir.VectorType(I16, 16)
_BIT = ir.IntType(1)


def _mask(builder, address, offset, kind):
    """The bits of a row behind an address as a mask for a vector kind."""
    word = load(builder, address, offset, ir.IntType(kind.count))
    return builder.bitcast(word, ir.VectorType(_BIT, kind.count))


def _masked(builder, mask, value):
    return builder.select(mask, value, constant(value.type, 0))


def _add_halves(builder, total, address, offset):
    """int64 [8] behind an address += the 16 places of an int32 vector, two to each."""
    wide = load(builder, address, offset, V64)
    for first in (0, 8):
        half = part(builder, total, range(first, first + 8))
        wide = builder.add(wide, builder.sext(half, V64))
    store(builder, wide, address, offset)


def _added(builder, kind, kept, value):
    """Adds the places of an int16 or int32 vector to an int32 accumulator."""
    total = builder.load(kept)
    if kind is V16:
        total = add_pairs(builder, total, builder.bitcast(value, V32), constant(V32, 0x00010001))
    else:
        total = builder.add(total, value)
    builder.store(total, kept)


def _sums(kind):
    size = 1024 // kind.count // 16  # bytes of a place: 2 or 4

    @intrinsic
    def sums_tile(typingctx, addresses, offset, d, sums, n_steps, several):
        """sums[site][8] += d over the bits of 8 rows (of the first one unless `several`).

        addresses: int64 [8], of the rows; offset: bytes from there; d: [64 n_steps] int16 or int32;
        sums: int64 [8 sites][8]. The parts of a sum must fit in int32.
        """

        def generate(context, builder, signature, arguments):
            addresses, offset, d, sums, n_steps, several = arguments

            def run(n_sites):
                rows = [
                    builder.add(load(builder, addresses, 8 * site, I64), offset)
                    for site in range(n_sites)
                ]
                kept = accumulators(builder, max(n_sites, 4))
                with cgutils.for_range(builder, n_steps) as loop:
                    here = builder.add(d, builder.mul(loop.index, ir.Constant(I64, STEP * size)))
                    ahead = builder.mul(loop.index, ir.Constant(I64, STEP // 8))
                    parts = STEP // kind.count
                    values = [load(builder, here, 64 * q, kind) for q in range(parts)]
                    for site in range(n_sites):
                        row = builder.add(rows[site], ahead)
                        for q in range(parts):
                            mask = _mask(builder, row, kind.count // 8 * q, kind)
                            place = kept[site if n_sites > 1 else q]
                            _added(builder, kind, place, _masked(builder, mask, values[q]))
                for number, place in enumerate(kept):
                    site = number if n_sites > 1 else 0
                    _add_halves(builder, builder.load(place), sums, 64 * site)

            with builder.if_else(several) as (then, otherwise):
                with then:
                    run(8)
                with otherwise:
                    run(1)
            return context.get_dummy_value()

        address = types.intp
        return types.void(address, address, address, address, address, types.boolean), generate

    return sums_tile


sums_16, sums_32 = _sums(V16), _sums(V32)


def _looked_up(builder, table, places):
    """int32 table[place] for 16 places, counted from an address."""
    if VNNI:  # which comes with AVX-512: one gather instruction
        bytes_ = ir.IntType(8).as_pointer()
        every = constant(ir.VectorType(_BIT, 16), 1)
        return call(
            builder,
            "llvm.x86.avx512.mask.gather.dpi.512",
            V32,
            constant(V32, 0),
            builder.inttoptr(table, bytes_),
            places,
            every,
            ir.Constant(I32, 4),
        )
    found = ir.Constant(V32, ir.Undefined)
    for k in range(16):
        lane = ir.Constant(I32, k)
        place = builder.sext(builder.extract_element(places, lane), I64)
        address = builder.add(table, builder.shl(place, ir.Constant(I64, 2)))
        found = builder.insert_element(found, load(builder, address, 0, I32), lane)
    return found


def _moved(kind):
    size = 1024 // kind.count // 16

    @intrinsic
    def moved_tile(typingctx, row, m, d, table, change, sums, n_steps):
        """m += change where the bit is set, -= change elsewhere; d = table[m]; sums of the new d.

        row: bits [64 n_steps]; m: int16 [64 n_steps]; d: int16 or int32; table: int32, address of
        the place m = 0; change: int16; sums: int64 [2][8], of all d and of d over the bits.
        """

        def generate(context, builder, signature, arguments):
            row, m, d, table, change, sums, n_steps = arguments
            undefined = ir.Constant(V16, ir.Undefined)
            up = builder.insert_element(undefined, change, ir.Constant(I32, 0))
            up = builder.shuffle_vector(up, undefined, ir.Constant(ir.VectorType(I32, 32), [0] * 32))
            down = builder.sub(constant(V16, 0), up)
            kept = accumulators(builder, 2)
            # twice as many turns of half a step
            turns = builder.shl(n_steps, ir.Constant(I64, 1))
            with cgutils.for_range(builder, turns) as loop:
                at = builder.add(m, builder.shl(loop.index, ir.Constant(I64, 6)))
                bits = builder.add(row, builder.shl(loop.index, ir.Constant(I64, 2)))
                step = builder.select(_mask(builder, bits, 0, V16), up, down)
                new = builder.add(load(builder, at, 0, V16), step)
                store(builder, new, at, 0)
                target = builder.add(d, builder.mul(loop.index, ir.Constant(I64, 32 * size)))
                for half in range(2):
                    places = part(builder, new, range(16 * half, 16 * half + 16))
                    found = _looked_up(builder, table, builder.sext(places, V32))
                    mask = _mask(builder, bits, 2 * half, V32)
                    _added(builder, V32, kept[0], found)
                    _added(builder, V32, kept[1], _masked(builder, mask, found))
                    if kind is V16:
                        found = builder.trunc(found, _HALF)
                    store(builder, found, target, 16 * half * size)
            for number, place in enumerate(kept):
                _add_halves(builder, builder.load(place), sums, 64 * number)
            return context.get_dummy_value()

        address = types.intp
        return (
            types.void(address, address, address, address, types.int16, address, address),
            generate,
        )

    return moved_tile


moved_16, moved_32 = _moved(V16), _moved(V32)
