"""Vector code that Numba's own vectoriser does not find: the vocabulary of the tiles.

The multiply-add instructions that this work is made of (vpdpwssd: 32 products of int16 and their
pairwise sums in one go) are named here as LLVM vector code, in functions that emit one step each
into an `@intrinsic`. All of it is exact integer arithmetic: the general form (any processor that
LLVM knows) and those for AVX-512 with VNNI and for AVX2 give the same bits. Numba's NUMBA_CPU_NAME
and NUMBA_CPU_FEATURES choose another target.

Words of 32 bits that are broadcast hold two int16 (a pair of patterns or of sites) or four int8 (a
quad of sites).
"""

from __future__ import annotations

import math

import llvmlite.binding as llvm
import numpy as np
from llvmlite import ir
from numba import config
from numba.core import cgutils


def _features() -> set[str]:
    """What the processor that Numba compiles for can do: this one, or the one it was told."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    if config.CPU_NAME not in (None, "", "host"):
        return set()
    return {name for name, there in llvm.get_host_cpu_features().items() if there}


VNNI = "avx512vnni" in _features()
VBMI = "avx512vbmi" in _features()  # looks up 64 bytes in 128 at once
AVX2 = "avx2" in _features()
AVX512 = "avx512f" in _features()  # 32 registers of 512 bits
X86 = llvm.get_process_triple().startswith("x86_64")  # has SSE2 at least


def _vnni_takes_parts() -> bool:
    """Whether this LLVM types the operands of its VNNI functions as int16 and int8, or as words."""
    function = "@llvm.x86.avx512.vpdpwssd.512"
    words, parts = "<16 x i32>", "<32 x i16>"
    program = f"""
        declare {words} {function}({words}, {parts}, {parts})
        define {words} @use({words} %a, {parts} %b) {{
            %c = call {words} {function}({words} %a, {parts} %b, {parts} %b)
            ret {words} %c
        }}"""
    try:
        llvm.parse_assembly(program).verify()
    except RuntimeError:
        return False
    return True


_TAKES_PARTS = _vnni_takes_parts()


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Zeros that begin at a cache line: a load that crosses two costs twice."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def words_of(bits: np.ndarray, kind) -> np.ndarray:
    """Booleans (..., n) as words of an unsigned kind, (..., n / its bits), the first bit lowest."""
    little = np.ascontiguousarray(np.packbits(bits, axis=-1, bitorder="little"))
    return little.view(np.dtype(kind).newbyteorder("<")).astype(kind, copy=False)


I1, I8, I16, I32, I64 = (ir.IntType(bits) for bits in (1, 8, 16, 32, 64))
V32 = ir.VectorType(I32, 16)
V16 = ir.VectorType(I16, 32)
V8 = ir.VectorType(I8, 64)
B16 = ir.VectorType(I8, 16)
V64 = ir.VectorType(I64, 8)
F32 = ir.VectorType(ir.FloatType(), 16)


def constant(kind, value):
    """The same value in every place of a vector kind."""
    return ir.Constant(kind, [value] * kind.count)


def _at(builder, address, offset, kind):
    if offset:
        address = builder.add(address, ir.Constant(I64, offset))
    return builder.inttoptr(address, kind.as_pointer())


def load(builder, address, offset, kind):
    """A value of the given kind from `offset` bytes behind an address; aligned anyhow."""
    value = builder.load(_at(builder, address, offset, kind))
    value.align = 1
    return value


def store(builder, value, address, offset):
    """A value to `offset` bytes behind an address; aligned anyhow."""
    builder.store(value, _at(builder, address, offset, value.type)).align = 1


def broadcast(builder, value, kind=V32):
    """A value in all places of a vector kind: 16 words of 32 bits unless told otherwise."""
    first = builder.insert_element(ir.Constant(kind, ir.Undefined), value, ir.Constant(I32, 0))
    zeros = ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count)
    return builder.shuffle_vector(first, first, zeros)


def call(builder, name, result, *arguments):
    """The LLVM function `name` with result kind `result`."""
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def part(builder, vector, indices):
    """Some places of a vector, in the order of `indices`."""
    undefined = ir.Constant(vector.type, ir.Undefined)
    kind = ir.VectorType(I32, len(indices))
    return builder.shuffle_vector(vector, undefined, ir.Constant(kind, list(indices)))


def joined(builder, low, high):
    """Two vectors end to end."""
    count = low.type.count
    order = ir.Constant(ir.VectorType(I32, 2 * count), list(range(2 * count)))
    return builder.shuffle_vector(low, high, order)


def bits_of(builder, truth):
    """A vector of comparisons as one integer, bit k for place k."""
    return builder.bitcast(truth, ir.IntType(truth.type.count))


def select(builder, bits, where_set, elsewhere):
    """Place k from `where_set` where bit k of an integer is set, else from `elsewhere`."""
    truth = builder.bitcast(bits, ir.VectorType(I1, where_set.type.count))
    return builder.select(truth, where_set, elsewhere)


def _products_of_pairs(builder, a, b):
    """a0 b0 + a1 b1 in each 32-bit place of two <32 x i16>, by x86's 256 or 128-bit instruction."""
    name, width = ("avx2.pmadd.wd", 16) if AVX2 else ("sse2.pmadd.wd", 8)
    sums = [
        call(
            builder,
            f"llvm.x86.{name}",
            ir.VectorType(I32, width // 2),
            *(part(builder, v, range(first, first + width)) for v in (a, b)),
        )
        for first in range(0, 32, width)
    ]
    while len(sums) > 1:
        sums = [joined(builder, *sums[k : k + 2]) for k in range(0, len(sums), 2)]
    return sums[0]


def add_pairs(builder, total, a, b):
    """total + (a0 b0 + a1 b1) in each 32-bit place; a, b: vectors of words of two int16."""
    if VNNI:
        return call(
            builder,
            "llvm.x86.avx512.vpdpwssd.512",
            V32,
            total,
            *(builder.bitcast(v, V16) if _TAKES_PARTS else v for v in (a, b)),
        )
    a, b = builder.bitcast(a, V16), builder.bitcast(b, V16)
    if AVX2 or X86:
        return builder.add(total, _products_of_pairs(builder, a, b))
    products = []
    for first in (0, 1):
        x, y = (builder.sext(part(builder, v, range(first, 32, 2)), V32) for v in (a, b))
        products.append(builder.mul(x, y))
    return builder.add(total, builder.add(*products))


def add_quads(builder, total, u, s):
    """total + sum_k u_k s_k in each 32-bit place; u: four uint8, s: four int8 in {-1, 0, 1}."""
    u8, s8 = builder.bitcast(u, V8), builder.bitcast(s, V8)
    if VNNI:
        operands = (u8, s8) if _TAKES_PARTS else (u, s)
        return call(builder, "llvm.x86.avx512.vpdpbusd.512", V32, total, *operands)
    if AVX2:
        half, bytes_ = ir.VectorType(I16, 16), range(0, 32)
        ones = constant(half, 1)
        sums = []
        for first in (0, 32):
            x, y = (part(builder, v, [first + k for k in bytes_]) for v in (u8, s8))
            pairs = call(builder, "llvm.x86.avx2.pmadd.ub.sw", half, x, y)
            sums.append(call(builder, "llvm.x86.avx2.pmadd.wd", ir.VectorType(I32, 8), pairs, ones))
        return builder.add(total, joined(builder, *sums))
    if X86:
        u, s, eight = builder.bitcast(u, V16), builder.bitcast(s, V16), constant(V16, 8)
        even = builder.and_(u, constant(V16, 255)), builder.ashr(builder.shl(s, eight), eight)
        odd = builder.lshr(u, eight), builder.ashr(s, eight)
        sums = builder.add(*(_products_of_pairs(builder, *pair) for pair in (even, odd)))
        return builder.add(total, sums)
    for k in range(4):
        x = builder.zext(part(builder, u8, range(k, 64, 4)), V32)
        y = builder.sext(part(builder, s8, range(k, 64, 4)), V32)
        total = builder.add(total, builder.mul(x, y))
    return total


def rounded_up(builder, x):
    """The least integers not below 16 float32 that int32 can hold."""
    if VNNI:
        zero, every, up = constant(V32, 0), ir.Constant(I16, -1), ir.Constant(I32, 8 | 2)
        return call(builder, "llvm.x86.avx512.mask.cvtps2dq.512", V32, x, zero, every, up)
    towards_zero = builder.fptosi(x, V32)
    is_below = builder.fcmp_ordered("<", builder.sitofp(towards_zero, F32), x)
    return builder.sub(towards_zero, builder.sext(is_below, V32))


def accumulators(builder, count):
    """Vectors kept over a loop: memory that LLVM turns into registers, set to zero."""
    kept = [cgutils.alloca_once(builder, V32) for _ in range(count)]
    for place in kept:
        builder.store(constant(V32, 0), place)
    return kept
