"""Sums of integers over the bits of a row, as vector code: what `dense_bits` is made of.

Patterns come in chunks of 512 n_words. Bit j of the byte b of a row's chunk is pattern
64 n_words j + b of that chunk, so that 64 bytes of a row AND a mask of bit j are 64 neighbouring
patterns, each 0 or 2^j. The integers to be summed are planes of signed bytes (digits to base 256)
in the order of the patterns: for 64 patterns and one site that is one AND, and one multiply-add of
bytes a plane (vpdpbusd; `simd` has a form of it for any processor). The 2^j goes at the end of a
chunk.

    row       uint8 [chunk][byte: 64 n_words]              bit j of a byte
    planes    int8  [plane][chunk][j: 8][64 n_words]       overlaps: int16, in the same order
"""

from __future__ import annotations

from contextlib import contextmanager

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
    VBMI,
    VNNI,
    accumulators,
    add_quads,
    broadcast,
    call,
    constant,
    joined,
    load,
    part,
    store,
)

WORD = 64  # patterns of a vector of bytes
SITES = 8  # rows that are summed over at once
PERMUTED = 256  # values of a table that bytes can be looked up in, four registers of it

_HALF, _QUARTER = ir.VectorType(I8, 32), ir.VectorType(I8, 16)


def _number(value):
    return ir.Constant(I64, value)


def _sum(builder, total):
    """The sum of an int32 vector: int64."""
    halves = [builder.sext(part(builder, total, range(k, k + 8)), V64) for k in (0, 8)]
    return call(builder, "llvm.vector.reduce.add.v8i64", I64, builder.add(*halves))


def _add_to(builder, value, address, offset):
    store(builder, builder.add(load(builder, address, offset, I64), value), address, offset)


def _add_product(builder, place, unsigned, digits):
    words = (builder.bitcast(v, V32) for v in (unsigned, digits))
    builder.store(add_quads(builder, builder.load(place), *words), place)


@contextmanager
def _each_bit(builder, n_chunks, n_words):
    """Goes through chunks and bits: (offset in a row, offset in a plane, j) of the first word."""
    with cgutils.for_range(builder, n_chunks) as chunk:
        with cgutils.for_range(builder, _number(8)) as bit:
            in_row = builder.mul(builder.mul(chunk.index, n_words), _number(WORD))
            place = builder.add(builder.mul(chunk.index, _number(8)), bit.index)
            in_plane = builder.mul(builder.mul(place, n_words), _number(WORD))
            yield in_row, in_plane, bit.index


def _mask(builder, bit):
    return broadcast(builder, builder.trunc(builder.shl(_number(1), bit), I8), V8)


def _sums(n_planes):
    @intrinsic
    def sums_tile(typingctx, addresses, offset, planes, stride, sums, n_chunks, n_words, several):
        """sums[plane][site] += digits over the bits of 8 rows (of the first one unless `several`).

        addresses: int64 [8], of the rows; offset: bytes from there; planes: int8 [n_planes], each
        `stride` bytes behind the other; sums: int64 [n_planes][8 sites]. Up to 2^26 patterns.
        """

        def generate(context, builder, signature, arguments):
            addresses, offset, planes, stride, sums, n_chunks, n_words, several = arguments

            def starts(n_sites):
                rows = [
                    builder.add(load(builder, addresses, 8 * site, I64), offset)
                    for site in range(n_sites)
                ]
                digits = [planes]
                for _ in range(n_planes - 1):
                    digits.append(builder.add(digits[-1], stride))
                return rows, digits

            def eight_sites():
                rows, digits = starts(SITES)
                totals = accumulators(builder, SITES * n_planes)
                kept = accumulators(builder, SITES * n_planes)
                with _each_bit(builder, n_chunks, n_words) as (in_row, in_plane, bit):
                    for place in kept:
                        builder.store(constant(V32, 0), place)
                    mask = _mask(builder, bit)
                    rows_here = [builder.add(row, in_row) for row in rows]
                    digits_here = [builder.add(d, in_plane) for d in digits]
                    with cgutils.for_range(builder, n_words) as loop:
                        ahead = builder.shl(loop.index, _number(6))
                        values = [load(builder, builder.add(d, ahead), 0, V8) for d in digits_here]
                        for site, row in enumerate(rows_here):
                            bits = load(builder, builder.add(row, ahead), 0, V8)
                            bits = builder.and_(bits, mask)
                            for plane, value in enumerate(values):
                                _add_product(builder, kept[SITES * plane + site], bits, value)
                    shift = broadcast(builder, builder.trunc(bit, I32), V32)
                    for total, place in zip(totals, kept, strict=True):
                        value = builder.ashr(builder.load(place), shift)
                        builder.store(builder.add(builder.load(total), value), total)
                for number, total in enumerate(totals):
                    _add_to(builder, _sum(builder, builder.load(total)), sums, 8 * number)

            def one_site():  # all bits of a word at once, as one product must wait for the other
                rows, digits = starts(1)
                totals = accumulators(builder, n_planes)
                kept = accumulators(builder, 8 * n_planes)
                size = builder.shl(n_words, _number(6))
                with cgutils.for_range(builder, n_chunks) as chunk:
                    for place in kept:
                        builder.store(constant(V32, 0), place)
                    row = builder.add(rows[0], builder.mul(chunk.index, size))
                    front = builder.shl(builder.mul(chunk.index, size), _number(3))
                    with cgutils.for_range(builder, n_words) as loop:
                        ahead = builder.shl(loop.index, _number(6))
                        word = load(builder, builder.add(row, ahead), 0, V8)
                        at = builder.add(front, ahead)
                        for bit in range(8):
                            bits = builder.and_(word, constant(V8, 1 << bit))
                            for plane in range(n_planes):
                                value = load(builder, builder.add(digits[plane], at), 0, V8)
                                _add_product(builder, kept[8 * plane + bit], bits, value)
                            at = builder.add(at, size)
                    for number, place in enumerate(kept):
                        value = builder.ashr(builder.load(place), constant(V32, number % 8))
                        total = totals[number // 8]
                        builder.store(builder.add(builder.load(total), value), total)
                for plane, total in enumerate(totals):
                    _add_to(builder, _sum(builder, builder.load(total)), sums, 8 * SITES * plane)

            with builder.if_else(several) as (then, otherwise):
                with then:
                    eight_sites()
                with otherwise:
                    one_site()
            return context.get_dummy_value()

        return types.void(*[types.intp] * 7, types.boolean), generate

    return sums_tile


sums_2, sums_3 = _sums(2), _sums(3)


@intrinsic
def shift_tile(typingctx, row, m, change, n_chunks, n_words):
    """m += change where the bit of the row is set, -= change elsewhere; m: int16 [pattern]."""

    def generate(context, builder, signature, arguments):
        row, m, change, n_chunks, n_words = arguments
        up = broadcast(builder, change, V16)
        down = builder.sub(constant(V16, 0), up)
        with _each_bit(builder, n_chunks, n_words) as (in_row, in_plane, bit):
            mask = _mask(builder, bit)
            row_here = builder.add(row, in_row)
            m_here = builder.add(m, builder.shl(in_plane, _number(1)))
            with cgutils.for_range(builder, n_words) as loop:
                ahead = builder.shl(loop.index, _number(6))
                bits = load(builder, builder.add(row_here, ahead), 0, V8)
                bits = builder.and_(bits, mask)
                at = builder.add(m_here, builder.shl(ahead, _number(1)))
                for half in range(2):
                    which = part(builder, bits, range(32 * half, 32 * half + 32))
                    which = builder.icmp_unsigned("!=", which, constant(_HALF, 0))
                    step = builder.select(which, up, down)
                    new = builder.add(load(builder, at, 64 * half, V16), step)
                    store(builder, new, at, 64 * half)
        return context.get_dummy_value()

    address = types.intp
    return types.void(address, address, types.int16, address, address), generate


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
            constant(ir.VectorType(ir.IntType(1), 16), 1),
            ir.Constant(I32, 4),
        )
    found = ir.Constant(V32, ir.Undefined)
    for k in range(16):
        lane = ir.Constant(I32, k)
        place = builder.sext(builder.extract_element(places, lane), I64)
        address = builder.add(table, builder.shl(place, ir.Constant(I64, 2)))
        found = builder.insert_element(found, load(builder, address, 0, I32), lane)
    return found


def _permuted(builder, table, places):
    """int8 table[place] for 64 places 0 ... 255: bytes of two pairs of registers."""
    rows = [load(builder, table, 64 * k, V8) for k in range(4)]
    name = "llvm.x86.avx512.vpermi2var.qi.512"
    low, high = (call(builder, name, V8, rows[k], places, rows[k + 1]) for k in (0, 2))
    return builder.select(builder.icmp_signed("<", places, constant(V8, 0)), high, low)


def _look_ups(together):
    permutes = together > 0

    @intrinsic
    def look_up_tile(
        typingctx, row, m, planes, stride, n_planes, table, shift, sums, n_chunks, n_words
    ):
        """planes = the digits of table[m]; sums of all of them, and of those at bits of the row.

        row: bits; m: int16 [pattern]; planes: int8, each `stride` bytes behind the other; sums:
        int64 [n_planes][2], added to. By words: up to 4 planes; table: uint32, four digits a
        value, the address of the place m = 0; shift: not used. By permutation of bytes: 2 or 3
        planes; table: int8 [n_planes][256], at (m + shift) / 2.
        """

        def generate(context, builder, signature, arguments):
            row, m, planes, stride, n_planes, table, shift, sums, n_chunks, n_words = arguments
            if permutes and not VBMI:
                return context.get_dummy_value()  # never called
            if permutes:
                kept = accumulators(builder, 2 * together)
            else:
                arrays = [cgutils.alloca_once(builder, V32, size=4) for _ in range(2)]

            def each_plane(body):
                """`body(plane, places of its two sums)` for all planes, unrolled where it can be"""
                if permutes:
                    for plane in range(together):
                        body(_number(plane), kept[2 * plane : 2 * plane + 2])
                else:
                    with cgutils.for_range(builder, n_planes) as loop:
                        body(loop.index, [builder.gep(a, [loop.index]) for a in arrays])

            def clear(plane, totals):
                for total in totals:
                    builder.store(constant(V32, 0), total)

            each_plane(clear)
            with _each_bit(builder, n_chunks, n_words) as (in_row, in_plane, bit):
                mask = _mask(builder, bit)
                with cgutils.for_range(builder, n_words) as word:
                    ahead = builder.shl(word.index, _number(6))
                    place = builder.add(in_plane, ahead)
                    at = builder.add(m, builder.shl(place, _number(1)))
                    halves = [load(builder, at, 64 * half, V16) for half in range(2)]
                    if permutes:
                        up = broadcast(builder, builder.trunc(shift, I16), V16)
                        one = constant(V16, 1)
                        halves = [builder.lshr(builder.add(h, up), one) for h in halves]
                        places = joined(builder, *(builder.trunc(h, _HALF) for h in halves))
                    else:
                        found = []
                        for half in halves:
                            for first in (0, 16):
                                places = part(builder, half, range(first, first + 16))
                                places = builder.sext(places, V32)
                                found.append(_looked_up(builder, table, places))
                    bits = load(builder, builder.add(builder.add(row, in_row), ahead), 0, V8)
                    bits = builder.icmp_unsigned("!=", builder.and_(bits, mask), constant(V8, 0))
                    bits = builder.zext(bits, V8)

                    def digits(plane, totals, place=place, bits=bits):
                        if permutes:
                            here = builder.mul(plane, _number(PERMUTED))
                            value = _permuted(builder, builder.add(table, here), places)
                        else:
                            down = builder.trunc(builder.shl(plane, _number(3)), I32)
                            down = broadcast(builder, down, V32)
                            parts = [builder.lshr(v, down) for v in found]
                            parts = [builder.trunc(v, _QUARTER) for v in parts]
                            pairs = [joined(builder, *parts[k : k + 2]) for k in (0, 2)]
                            value = joined(builder, *pairs)
                        target = builder.add(planes, builder.mul(plane, stride))
                        store(builder, value, builder.add(target, place), 0)
                        for total, weights in zip(totals, (constant(V8, 1), bits), strict=True):
                            _add_product(builder, total, weights, value)

                    each_plane(digits)

            def hand_over(plane, totals):
                at = builder.add(sums, builder.shl(plane, _number(4)))
                for number, total in enumerate(totals):
                    _add_to(builder, _sum(builder, builder.load(total)), at, 8 * number)

            each_plane(hand_over)
            return context.get_dummy_value()

        return types.void(*[types.intp] * 10), generate

    return look_up_tile


look_up_words, look_up_2, look_up_3 = _look_ups(0), _look_ups(2), _look_ups(3)
