"""Integer products and decisions by vector instructions, 32 chains (lanes) at a time.

Numba's own vectoriser does not find the multiply-add instructions that this work is made of
(vpdpwssd: 32 products of int16 and their pairwise sums in one go), so the inner tiles are written
here as LLVM vector code, each as one function on raw addresses. All of it is exact integer
arithmetic: the general form (any processor that LLVM knows) and those for AVX-512 with VNNI and
for AVX2 give the same bits. Numba's NUMBA_CPU_NAME and NUMBA_CPU_FEATURES choose another target.

A *group* is 32 lanes, held as two vectors of 16. Words of 32 bits that are broadcast hold two
int16 (a pair of patterns or of sites) or four int8 (a quad of sites).
"""

from __future__ import annotations

import llvmlite.binding as llvm
from llvmlite import ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim import randomness

GROUP = 32  # lanes of a group
TILE = 8  # sites, or patterns, of a product tile: 8 x 2 accumulators fill half the registers
SUB = 16  # sites that are decided while their fields stay in registers
BLOCK = 64  # sites that are visited on fields computed in one product


def _features() -> set[str]:
    """What the processor that Numba compiles for can do: this one, or the one it was told."""
    if config.CPU_FEATURES is not None:
        return {name[1:] for name in config.CPU_FEATURES.split(",") if name.startswith("+")}
    if config.CPU_NAME not in (None, "", "host"):
        return set()
    return {name for name, there in llvm.get_host_cpu_features().items() if there}


VNNI = "avx512vnni" in _features()
AVX2 = "avx2" in _features()


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

_I8, _I16, _I32, _I64 = (ir.IntType(bits) for bits in (8, 16, 32, 64))
_V32 = ir.VectorType(_I32, 16)
_V16 = ir.VectorType(_I16, 32)
_V8 = ir.VectorType(_I8, 64)
_B16 = ir.VectorType(_I8, 16)
_V64 = ir.VectorType(_I64, 8)
_F32 = ir.VectorType(ir.FloatType(), 16)


def _constant(kind, value):
    return ir.Constant(kind, [value] * kind.count)


def _at(builder, address, offset, kind):
    if offset:
        address = builder.add(address, ir.Constant(_I64, offset))
    return builder.inttoptr(address, kind.as_pointer())


def _load(builder, address, offset, kind):
    value = builder.load(_at(builder, address, offset, kind))
    value.align = 1
    return value


def _store(builder, value, address, offset):
    builder.store(value, _at(builder, address, offset, value.type)).align = 1


def _broadcast(builder, word):
    """A 32-bit word in all 16 places."""
    undefined = ir.Constant(_V32, ir.Undefined)
    first = builder.insert_element(undefined, word, ir.Constant(_I32, 0))
    return builder.shuffle_vector(first, undefined, _constant(_V32, 0))


def _call(builder, name, result, *arguments):
    kind = ir.FunctionType(result, [a.type for a in arguments])
    return builder.call(cgutils.get_or_insert_function(builder.module, kind, name), arguments)


def _part(builder, vector, indices):
    undefined = ir.Constant(vector.type, ir.Undefined)
    kind = ir.VectorType(_I32, len(indices))
    return builder.shuffle_vector(vector, undefined, ir.Constant(kind, list(indices)))


def _joined(builder, low, high):
    count = low.type.count
    order = ir.Constant(ir.VectorType(_I32, 2 * count), list(range(2 * count)))
    return builder.shuffle_vector(low, high, order)


def _add_pairs(builder, total, a, b):
    """total + (a0 b0 + a1 b1) in each 32-bit place; a, b: vectors of words of two int16."""
    if VNNI:
        return _call(
            builder,
            "llvm.x86.avx512.vpdpwssd.512",
            _V32,
            total,
            *(builder.bitcast(v, _V16) if _TAKES_PARTS else v for v in (a, b)),
        )
    a, b = builder.bitcast(a, _V16), builder.bitcast(b, _V16)
    if AVX2:
        half = ir.VectorType(_I32, 8)
        products = [
            _call(
                builder,
                "llvm.x86.avx2.pmadd.wd",
                half,
                *(_part(builder, v, range(first, first + 16)) for v in (a, b)),
            )
            for first in (0, 16)
        ]
        return builder.add(total, _joined(builder, *products))
    for first in (0, 1):
        x, y = (builder.sext(_part(builder, v, range(first, 32, 2)), _V32) for v in (a, b))
        total = builder.add(total, builder.mul(x, y))
    return total


def _add_quads(builder, total, u, s):
    """total + sum_k u_k s_k in each 32-bit place; u: four uint8, s: four int8 in {-1, 0, 1}."""
    u8, s8 = builder.bitcast(u, _V8), builder.bitcast(s, _V8)
    if VNNI:
        operands = (u8, s8) if _TAKES_PARTS else (u, s)
        return _call(builder, "llvm.x86.avx512.vpdpbusd.512", _V32, total, *operands)
    if AVX2:
        half, bytes_ = ir.VectorType(_I16, 16), range(0, 32)
        ones = _constant(half, 1)
        sums = []
        for first in (0, 32):
            x, y = (_part(builder, v, [first + k for k in bytes_]) for v in (u8, s8))
            pairs = _call(builder, "llvm.x86.avx2.pmadd.ub.sw", half, x, y)
            sums.append(
                _call(builder, "llvm.x86.avx2.pmadd.wd", ir.VectorType(_I32, 8), pairs, ones)
            )
        return builder.add(total, _joined(builder, *sums))
    for k in range(4):
        x = builder.zext(_part(builder, u8, range(k, 64, 4)), _V32)
        y = builder.sext(_part(builder, s8, range(k, 64, 4)), _V32)
        total = builder.add(total, builder.mul(x, y))
    return total


def _accumulators(builder, count):
    """Vectors kept over a loop: memory that LLVM turns into registers, set to zero."""
    kept = [cgutils.alloca_once(builder, _V32) for _ in range(count)]
    for place in kept:
        builder.store(_constant(_V32, 0), place)
    return kept


@intrinsic
def fields_tile(typingctx, x, m, h, n_pairs):
    """h[site][lane] = sum_p x[site][p] m[p][lane] for 8 sites and a group.

    x: int16 [pair][8 sites][2]; m: int16 [pair][32 lanes][2]; h: int32 [8 sites][32 lanes].
    """

    def generate(context, builder, signature, arguments):
        x, m, h, n_pairs = arguments
        kept = _accumulators(builder, 2 * TILE)
        with cgutils.for_range(builder, n_pairs) as loop:
            row_m = builder.add(m, builder.mul(loop.index, ir.Constant(_I64, 4 * GROUP)))
            row_x = builder.add(x, builder.mul(loop.index, ir.Constant(_I64, 4 * TILE)))
            halves = [_load(builder, row_m, 64 * z, _V32) for z in range(2)]
            for site in range(TILE):
                word = _broadcast(builder, _load(builder, row_x, 4 * site, _I32))
                for z in range(2):
                    place = kept[2 * site + z]
                    total = _add_pairs(builder, builder.load(place), halves[z], word)
                    builder.store(total, place)
        for k, place in enumerate(kept):
            _store(builder, builder.load(place), h, 64 * k)
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
        kept = _accumulators(builder, 2 * TILE)
        with cgutils.for_range(builder, ir.Constant(_I64, BLOCK // 4)) as loop:
            row_d = builder.add(d, builder.mul(loop.index, ir.Constant(_I64, 4 * GROUP)))
            row_x = builder.add(x, builder.mul(loop.index, stride))
            halves = [_load(builder, row_d, 64 * z, _V32) for z in range(2)]
            for p in range(TILE):
                word = _broadcast(builder, _load(builder, row_x, 4 * p, _I32))
                for z in range(2):
                    place = kept[2 * p + z]
                    new = _add_quads(builder, builder.load(place), word, halves[z])
                    builder.store(new, place)
        low = _constant(_V32, 0xFFFF)
        for z in range(2):
            offset = _load(builder, total, 64 * z, _V32)
            for pair in range(TILE // 2):
                even, odd = (
                    builder.sub(
                        builder.shl(builder.load(kept[2 * p + z]), _constant(_V32, 1)), offset
                    )
                    for p in (2 * pair, 2 * pair + 1)
                )
                both = builder.or_(builder.and_(even, low), builder.shl(odd, _constant(_V32, 16)))
                where = 4 * GROUP * pair + 64 * z
                old = _load(builder, m, where, _V16)
                _store(builder, builder.add(old, builder.bitcast(both, _V16)), m, where)
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
        fields = [_load(builder, h, row * i, _V32) for i in range(SUB)]
        changes = []
        for i in range(SUB):
            s = builder.sext(_load(builder, spins, GROUP * i, _B16), _V32)
            sign = builder.ashr(s, _constant(_V32, 31))
            aligned = builder.sub(builder.xor(fields[i], sign), sign)
            aligned = builder.sub(
                aligned, _broadcast(builder, _load(builder, diagonal, 4 * i, _I32))
            )
            flip = builder.icmp_signed("<", aligned, _load(builder, theta, row * i, _V32))
            change = builder.select(flip, builder.neg(s), _constant(_V32, 0))
            changes.append(change)
            after = builder.add(s, builder.shl(change, _constant(_V32, 1)))
            _store(builder, builder.trunc(after, _B16), spins, GROUP * i)
            # twice the change in the half of the word that the pair (i, i^1) gives to site i
            shifted = builder.shl(change, _constant(_V32, 17 if i % 2 else 1))
            doubled = shifted if i % 2 else builder.and_(shifted, _constant(_V32, 0xFFFF))
            for j in range(i + 1, SUB):
                word = _load(builder, couplings, 2 * BLOCK * j + 4 * (i // 2), _I32)
                fields[j] = _add_pairs(builder, fields[j], doubled, _broadcast(builder, word))
        low = _constant(_V32, 0xFF)
        both = _load(builder, total, 0, _V32)
        count = _load(builder, total, row, _V32)
        any_change = _constant(_V32, 0)
        for quad in range(SUB // 4):
            word = _constant(_V32, 0)
            for k in range(4):
                change = changes[4 * quad + k]
                both = builder.add(both, change)
                count = builder.add(count, builder.and_(change, _constant(_V32, 1)))
                byte = builder.shl(builder.and_(change, low), _constant(_V32, 8 * k))
                word = builder.or_(word, byte)
            any_change = builder.or_(any_change, word)
            _store(builder, word, d, row * quad)
        _store(builder, both, total, 0)
        _store(builder, count, total, row)
        moved = builder.icmp_unsigned("!=", any_change, _constant(_V32, 0))
        moved = builder.bitcast(moved, _I16)
        return builder.zext(moved, _I64)

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
            word = _load(builder, d, row * quad, _V32)
            bytes_ = [
                builder.ashr(builder.shl(word, _constant(_V32, 24 - 8 * k)), _constant(_V32, 24))
                for k in range(4)
            ]
            for even, odd in (bytes_[:2], bytes_[2:]):
                pairs.append(
                    builder.or_(
                        builder.and_(
                            builder.shl(even, _constant(_V32, 1)), _constant(_V32, 0xFFFF)
                        ),
                        builder.shl(odd, _constant(_V32, 17)),
                    )
                )
        with cgutils.for_range(builder, n_sites) as loop:
            row_h = builder.add(h, builder.mul(loop.index, ir.Constant(_I64, row)))
            row_j = builder.add(couplings, builder.mul(loop.index, ir.Constant(_I64, 2 * BLOCK)))
            total = _load(builder, row_h, 0, _V32)
            for k, pair in enumerate(pairs):
                word = _broadcast(builder, _load(builder, row_j, 4 * k, _I32))
                total = _add_pairs(builder, total, pair, word)
            _store(builder, total, row_h, 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 4), generate


def _philox(builder, counter, key):
    """`randomness._philox` for eight lanes: vectors of uint64 whose high halves may be waste."""
    low = _constant(_V64, 0xFFFFFFFF)
    half = _constant(_V64, 32)
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0 = builder.mul(builder.and_(c0, low), _constant(_V64, 0xD2511F53))
        p1 = builder.mul(builder.and_(c2, low), _constant(_V64, 0xCD9E8D57))
        c0 = builder.xor(builder.xor(builder.lshr(p1, half), c1), k0)
        c2 = builder.xor(builder.xor(builder.lshr(p0, half), c3), k1)
        c1, c3 = p1, p0
        k0 = builder.add(k0, _constant(_V64, 0x9E3779B9))
        k1 = builder.add(k1, _constant(_V64, 0xBB67AE85))
    return c0, c1, c2, c3


def _logarithm(builder, x):
    """`randomness._logarithm` for 16 lanes: the same operations in the same order, none fused."""
    bits = builder.bitcast(x, _V32)
    shift = _constant(_V32, 23)
    exponent = builder.ashr(
        builder.sub(bits, _constant(_V32, int(randomness._SQRT_HALF_BITS))), shift
    )
    scaled = builder.bitcast(builder.sub(bits, builder.shl(exponent, shift)), _F32)
    y = builder.fsub(scaled, _constant(_F32, 1.0))
    first, *others = reversed(randomness.LOGARITHM_COEFFICIENTS)
    p = _constant(_F32, float(first))
    for coefficient in others:
        p = builder.fadd(builder.fmul(p, y), _constant(_F32, float(coefficient)))
    power = builder.fmul(builder.sitofp(exponent, _F32), _constant(_F32, float(randomness._LN2)))
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
                undefined = ir.Constant(_V64, ir.Undefined)
                first = builder.insert_element(undefined, word, ir.Constant(_I32, 0))
                return builder.shuffle_vector(
                    first, undefined, ir.Constant(ir.VectorType(_I32, 8), [0] * 8)
                )

            low, half = _constant(_V64, 0xFFFFFFFF), _constant(_V64, 32)
            words = [
                everywhere(builder.zext(_load(builder, key, 4 * k, _I32), _I64)) for k in range(2)
            ]
            front = (everywhere(count), everywhere(high))
            pairs = [_load(builder, lanes, 4 * GROUP * k, _V64) for k in range(2)]
            # a 64-bit place holds an even lane and, above it, the next odd one
            even = _philox(builder, (*front, *(builder.and_(p, low) for p in pairs)), words)
            odd = _philox(builder, (*front, *(builder.lshr(p, half) for p in pairs)), words)
            span = _load(builder, scale, 0, _F32)
            undefined = ir.Constant(_F32, ir.Undefined)
            top = builder.shuffle_vector(
                builder.insert_element(undefined, bound, ir.Constant(_I32, 0)),
                undefined,
                _constant(_V32, 0),
            )
            bottom = builder.fneg(top)
            for visit in range(4):
                word = builder.bitcast(
                    builder.or_(builder.and_(even[visit], low), builder.shl(odd[visit], half)),
                    _V32,
                )

                def logarithm(word):
                    x = builder.fadd(builder.uitofp(word, _F32), _constant(_F32, 0.5))
                    return _logarithm(builder, x)

                if kind == randomness.LOGISTIC:
                    standard = builder.fsub(logarithm(word), logarithm(builder.not_(word)))
                else:
                    whole = _constant(_F32, float(randomness.LN_2_32))
                    least = _constant(_F32, float(randomness.LEAST))
                    e = builder.fsub(whole, logarithm(word))
                    standard = builder.select(builder.fcmp_ordered(">", e, least), e, least)
                theta = builder.fmul(standard, span)
                theta = builder.select(builder.fcmp_ordered(">", theta, bottom), theta, bottom)
                theta = builder.select(builder.fcmp_ordered("<", theta, top), theta, top)
                theta = _call(builder, "llvm.ceil.v16f32", _F32, theta)
                _store(builder, builder.fptosi(theta, _V32), out, 4 * GROUP * visit)
            return context.get_dummy_value()

        address, word = types.intp, types.uint64
        return (
            types.void(address, word, word, address, address, address, types.float32),
            generate,
        )

    return thresholds_tile


logistic_tile = _thresholds(randomness.LOGISTIC)
exponential_tile = _thresholds(randomness.EXPONENTIAL)
