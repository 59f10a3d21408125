"""Real scores of many queries side by side: products and exponentials, on raw addresses.

A *group* is 32 queries in float32 and 16 in float64 (half of that where vector registers are few),
held as vectors of 512 bits: a row of 64 or 128 bytes for each coordinate. A key or value
is read as it lies, one number at a time, and meets all queries of the group; nothing is packed and
no sum runs across a vector. So what a query gets is made of the same operations in the same order
whoever stands beside it. The general vector code runs on any processor that LLVM knows; where a
multiplication and an addition can be fused they are, so that bits may differ between processors.
"""

from __future__ import annotations

import functools
import itertools
import math

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.kernels.simd import (
    AVX512,
    I32,
    I64,
    bits_of,
    broadcast,
    call,
    constant,
    load,
    part,
    store,
)

_VECTORS = 2 if AVX512 else 1
ROWS = 12 if AVX512 else 6
"""Keys, or features, that meet a group at once: as many sums as stay in registers."""
ROW = 64 * _VECTORS
"""Bytes of a row: one number for every query of a group."""
_PART = 128  # products of float32 that are summed one after another


class _Kind:
    """What the code for one type of numbers needs to know of it.

    least: exponents below it give 0; ln 2 = high + low with a product high * n that is exact;
    coefficients: e^r = 1 + r + r^2 q(r) for |r| <= ln(2)/2, q through the Chebyshev nodes.
    """

    def __init__(self, scalar, word, fraction, least, high, low, coefficients):
        self.scalar = scalar
        self.size = word.width // 8
        self.vector = ir.VectorType(scalar, 64 // self.size)
        self.words = ir.VectorType(word, 64 // self.size)
        self.suffix = f"v{64 // self.size}f{word.width}"
        self.fraction = fraction
        self.least, self.high, self.low, self.coefficients = least, high, low, coefficients


_FLOAT32 = _Kind(
    ir.FloatType(),
    I32,
    23,
    -87.3,
    0.693145751953125,
    1.4286068203094173e-06,
    (
        0.5,
        0.16666576666119928,
        0.04166655421298415,
        0.008363232883682618,
        0.0013926250831497611,
    ),
)
_FLOAT64 = _Kind(
    ir.DoubleType(),
    I64,
    52,
    -708.3,
    0.6931471804855391,
    7.440617110012397e-11,
    (
        0.5000000000000001,
        0.16666666666666669,
        0.041666666666623824,
        0.008333333333330039,
        0.0013888888917367081,
        0.00019841269863171557,
        2.4801521057868204e-05,
        2.7557268275906695e-06,
        2.7620201591031547e-07,
        2.5100472505694996e-08,
    ),
)


def _kind(numba_type) -> _Kind:
    return {types.float32: _FLOAT32, types.float64: _FLOAT64}[numba_type]


def _multiply_add(builder, a, b, c):
    """a b + c, fused where the processor does that as fast as one of them."""
    kind = _FLOAT32 if a.type == _FLOAT32.vector else _FLOAT64
    return call(builder, f"llvm.fmuladd.{kind.suffix}", a.type, a, b, c)


def _exponential(builder, kind, x):
    """e^x of a vector of numbers <= 0: within 1.5 units of the last place, 0 below `kind.least`.

    x = n ln 2 + r, so e^x = 2^n e^r: n is put into the bits of the exponent. NaN stays NaN.
    """
    number = functools.partial(constant, kind.vector)
    # so large a number that only integers are left: adding it rounds, its low bits hold n
    magic = number(1.5 * 2.0**kind.fraction)
    shifted = _multiply_add(builder, x, number(1 / math.log(2)), magic)
    n = builder.fsub(shifted, magic)
    r = _multiply_add(builder, n, number(-kind.high), x)
    r = _multiply_add(builder, n, number(-kind.low), r)
    square = builder.fmul(r, r)
    # In float64 even and odd powers apart: half as long a chain of operations that wait for each
    # other, a seventh less time; in float32 the chain is short and that would cost as much.
    step, power = (2, square) if kind is _FLOAT64 else (1, r)
    sums = []
    for k in range(step):
        q, *others = (number(c) for c in reversed(kind.coefficients[k::step]))
        for coefficient in others:
            q = _multiply_add(builder, q, power, coefficient)
        sums.append(q)
    q = sums[0] if len(sums) == 1 else _multiply_add(builder, sums[1], r, sums[0])
    p = _multiply_add(builder, square, q, r)
    p = builder.fadd(p, number(1.0))
    power = builder.shl(builder.bitcast(shifted, kind.words), constant(kind.words, kind.fraction))
    scaled = builder.bitcast(builder.add(builder.bitcast(p, kind.words), power), kind.vector)
    small = builder.fcmp_ordered("<", x, number(kind.least))
    return builder.select(small, number(0.0), scaled)


def _row(builder, kind, address, vectors):
    return [load(builder, address, 64 * v, kind.vector) for v in range(vectors)]


def _put(builder, values, address):
    for v, value in enumerate(values):
        store(builder, value, address, 64 * v)


def _at(builder, address, index, step):
    step = ir.Constant(I64, step) if isinstance(step, int) else step
    return builder.add(address, builder.mul(index, step))


def _product(builder, kind, shape, last, left, across, along, right, first=0):
    """Registers of sum_k left[r][k] right[k][lane], first <= k < last; shape: rows and vectors.

    across, along: strides of left in bytes, from r to r and from k to k. The sums are kept in
    memory that LLVM turns into registers.
    """
    n_rows, vectors = shape
    sums = [
        [cgutils.alloca_once(builder, kind.vector) for _ in range(vectors)] for _ in range(n_rows)
    ]
    for place in itertools.chain(*sums):
        builder.store(constant(kind.vector, 0.0), place)
    rows = [_at(builder, left, ir.Constant(I64, r), across) for r in range(n_rows)]
    first = ir.Constant(I64, 0) if first == 0 else first
    with cgutils.for_range(builder, last, start=first) as loop:
        factors = _row(builder, kind, _at(builder, right, loop.index, ROW), vectors)
        step = builder.mul(loop.index, along)
        for row, places in zip(rows, sums, strict=True):
            one = load(builder, builder.add(row, step), 0, kind.scalar)
            one = broadcast(builder, one, kind.vector)
            for factor, place in zip(factors, places, strict=True):
                total = _multiply_add(builder, one, factor, builder.load(place))
                builder.store(total, place)
    return sums


def _parted_product(builder, kind, shape, count, *matrices):
    """The same for 0 <= k < count; in float32 summed in parts, each part with rounding errors."""
    if kind is _FLOAT64:
        return _product(builder, kind, shape, count, *matrices)
    length = ir.Constant(I64, _PART)
    short = builder.icmp_signed("<", count, length)
    sums = _product(builder, kind, shape, builder.select(short, count, length), *matrices)
    parts = builder.udiv(builder.add(count, ir.Constant(I64, _PART - 1)), length)
    with cgutils.for_range(builder, parts, start=ir.Constant(I64, 1)) as loop:
        first = builder.mul(loop.index, length)
        last = builder.add(first, length)
        last = builder.select(builder.icmp_signed("<", count, last), count, last)
        more = _product(builder, kind, shape, last, *matrices, first=first)
        for place, other in zip(itertools.chain(*sums), itertools.chain(*more), strict=True):
            builder.store(builder.fadd(builder.load(place), builder.load(other)), place)
    return sums


def _either_width(builder, narrow, emit):
    """`emit(vectors)`, for the first half of each row if `narrow` is not 0, else for all of it."""
    if _VECTORS == 1:
        emit(1)
        return
    with builder.if_else(cgutils.is_not_null(builder, narrow)) as (half, whole):
        with half:
            emit(_VECTORS // 2)
        with whole:
            emit(_VECTORS)


def _by_tiles(builder, count, heights, emit):
    """`emit(rows, first)` until all `count` rows are done, in tiles of `heights`, at last of 1."""
    first = ir.Constant(I64, 0)
    for rows in heights:
        tiles = builder.udiv(builder.sub(count, first), ir.Constant(I64, rows))
        with cgutils.for_range(builder, tiles) as loop:
            emit(rows, _at(builder, first, loop.index, rows))
        first = _at(builder, first, tiles, rows)


@intrinsic
def score(
    typingctx,
    like,
    narrow,
    scores,
    top,
    keys,
    across,
    along,
    count,
    offset,
    stride,
    queries,
    size,
):
    """scores[k][lane] = keys[k] . queries[:, lane] + offset[k], k < count; top: raised to it.

    like: a number of the type of all; narrow: not 0 where half a group is enough. scores:
    [key][lane]; top: [lane]; queries: [dimension][lane]. across, along: strides of keys in bytes,
    stride: that of offset. size: the dimension.
    """

    def generate(context, builder, signature, arguments):
        _, narrow, scores, top, keys, across, along, count, *others = arguments
        offset, stride, queries, size = others
        kind = _kind(signature.args[0])

        def tile(vectors, rows, first):
            left = _at(builder, keys, first, across)
            sums = _parted_product(
                builder, kind, (rows, vectors), size, left, across, along, queries
            )
            largest = _row(builder, kind, top, vectors)
            shift = _at(builder, offset, first, stride)
            out = _at(builder, scores, first, ROW)
            for r, places in enumerate(sums):
                one = _at(builder, shift, ir.Constant(I64, r), stride)
                one = broadcast(builder, load(builder, one, 0, kind.scalar), kind.vector)
                row = [builder.fadd(builder.load(place), one) for place in places]
                largest = [
                    builder.select(builder.fcmp_ordered(">", z, m), z, m)
                    for z, m in zip(row, largest, strict=True)
                ]
                _put(builder, row, builder.add(out, ir.Constant(I64, ROW * r)))
            _put(builder, largest, top)

        _either_width(
            builder,
            narrow,
            lambda n: _by_tiles(builder, count, (ROWS, 4, 1), functools.partial(tile, n)),
        )
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 11), generate


@intrinsic
def add_values(
    typingctx, like, narrow, out, shrink, values, along, across, count, weights, n_features
):
    """out[f][lane] = shrink[lane] out[f][lane] + sum_k values[k][f] weights[k][lane], k < count.

    like, narrow: as in `score`. out: [feature][lane] and shrink: [lane], both float64; weights:
    [key][lane]; along, across: strides of values in bytes, from pattern to pattern and from feature
    to feature.
    """

    def generate(context, builder, signature, arguments):
        _, narrow, out, shrink, values, along, across, count, weights, n_features = arguments
        kind = _kind(signature.args[0])
        wide = 8 * ROW // kind.size
        heights = (ROWS, *(n for n in (8, 4, 2, 1) if n < ROWS))

        def tile(vectors, rows, first):
            left = _at(builder, values, first, across)
            sums = _product(builder, kind, (rows, vectors), count, left, across, along, weights)
            n_wide = 8 * vectors // kind.size
            factors = _row(builder, _FLOAT64, shrink, n_wide)
            target = _at(builder, out, first, wide)
            for r, places in enumerate(sums):
                place = builder.add(target, ir.Constant(I64, wide * r))
                added = _widened(builder, kind, [builder.load(p) for p in places])
                before = _row(builder, _FLOAT64, place, n_wide)
                parts = zip(before, factors, added, strict=True)
                _put(builder, [_multiply_add(builder, *part) for part in parts], place)

        _either_width(
            builder,
            narrow,
            lambda n: _by_tiles(builder, n_features, heights, functools.partial(tile, n)),
        )
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 9), generate


def _widened(builder, kind, row):
    """A row as float64 vectors."""
    if kind is _FLOAT64:
        return row
    halves = [part(builder, vector, range(k, k + 8)) for vector in row for k in (0, 8)]
    return [builder.fpext(half, _FLOAT64.vector) for half in halves]


@intrinsic
def lanes_of(typingctx, like):
    """Queries of a group of numbers of this type."""

    def generate(context, builder, signature, arguments):
        return ir.Constant(I64, ROW // _kind(signature.args[0]).size)

    return types.intp(like), generate


@intrinsic
def exponentials(typingctx, like, narrow, scores, count, top, total):
    """scores[k][lane] becomes e^(scores - top[lane]), scores <= top; total: their sums, [lane]."""

    def generate(context, builder, signature, arguments):
        _, narrow, scores, count, top, total = arguments
        kind = _kind(signature.args[0])

        def emit(vectors):
            largest = _row(builder, kind, top, vectors)
            sums = [cgutils.alloca_once(builder, kind.vector) for _ in range(vectors)]
            for place in sums:
                builder.store(constant(kind.vector, 0.0), place)
            with cgutils.for_range(builder, count) as loop:
                at = _at(builder, scores, loop.index, ROW)
                row = [
                    _exponential(builder, kind, builder.fsub(z, m))
                    for z, m in zip(_row(builder, kind, at, vectors), largest, strict=True)
                ]
                _put(builder, row, at)
                for weight, place in zip(row, sums, strict=True):
                    builder.store(builder.fadd(builder.load(place), weight), place)
            _put(builder, [builder.load(place) for place in sums], total)

        _either_width(builder, narrow, emit)
        return context.get_dummy_value()

    return types.void(like, *[types.intp] * 5), generate


@intrinsic
def above(typingctx, like, scores, floor):
    """Bit `lane` is set where not scores[lane] <= floor[lane]: a NaN is above."""

    def generate(context, builder, signature, arguments):
        _, scores, floor = arguments
        kind = _kind(signature.args[0])
        found = ir.Constant(I64, 0)
        rows = zip(*(_row(builder, kind, a, _VECTORS) for a in (scores, floor)), strict=True)
        for v, (z, least) in enumerate(rows):
            bits = bits_of(builder, builder.fcmp_unordered(">", z, least))
            place = ir.Constant(I64, v * kind.vector.count)
            found = builder.or_(found, builder.shl(builder.zext(bits, I64), place))
        return found

    return types.int64(like, types.intp, types.intp), generate


@intrinsic
def add_row(typingctx, like, out, weight, row, stride, count):
    """out[f] += weight row[f], f < count; out, weight: float64; stride of row in bytes."""

    def generate(context, builder, signature, arguments):
        _, out, weight, row, stride, count = arguments
        kind = _kind(signature.args[0])
        with cgutils.for_range(builder, count) as loop:
            number = load(builder, _at(builder, row, loop.index, stride), 0, kind.scalar)
            if kind is _FLOAT32:
                number = builder.fpext(number, _FLOAT64.scalar)
            at = _at(builder, out, loop.index, 8)
            before = load(builder, at, 0, _FLOAT64.scalar)
            store(builder, builder.fadd(before, builder.fmul(weight, number)), at, 0)
        return context.get_dummy_value()

    sizes = [types.intp] * 3
    return types.void(like, types.intp, types.float64, *sizes), generate
