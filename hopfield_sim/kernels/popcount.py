"""All neurons at once (Little), many chains on one pattern set: products of integers and of bits.

A step of a group of 32 lanes:

1. for each block of 64 sites, H[64 sites][lanes] = X_block M, a product of int16;
2. all 64 sites of all lanes decide at once: flip where s H - d < theta. Only M is needed for the
   fields, so each block's spins, one bit each, change where they are;
3. M = N - 2 popcount(X xor S): an overlap of +-1 patterns is a count of unequal bits, 512 products
   in three instructions. Other integers: M += X^T (changes of the spins), as in `blocked`.

Memory: 2P + N/8 bytes a lane, N P / 4 bytes for +-1 patterns (2 N P for others). A bit is 1 where a
spin or pattern is -1; the padding is 0 on both sides, so that it is equal and counts nothing:

    spins     uint32  [group][word of 32 sites][32]    overlaps  int16  [group][pattern pair][32][2]
    patterns  uint32  [8 sites][pattern pair / 2] for 1 (as bits of `blocked.Packed.for_fields`);
              uint32  [8 patterns][word of 32 sites][8] for 3
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from hopfield_sim.device import compiled
from hopfield_sim.kernels import blocked, simd
from hopfield_sim.kernels.blocked import _aligned, _fill_thresholds
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
    load,
    store,
)
from hopfield_sim.kernels.tiles import BLOCK, GROUP, TILE, fields_tile, overlaps_tile
from hopfield_sim.randomness import NONE

WORD = 32  # sites of a word of bits


class Packed(NamedTuple):
    """Patterns in the two orders of the products: signs for +-1 patterns, integers for others.

    The two arrays of the other kind are empty.
    """

    signs_for_fields: np.ndarray  # uint32 (site / 64, words): signs of integers_for_fields
    signs_for_overlaps: np.ndarray  # uint32 (pattern / 8, site / 32, 8)
    integers_for_fields: np.ndarray  # int8 (site / 64, 64 patterns), as blocked.Packed
    integers_for_overlaps: np.ndarray  # uint8 (site / 4, pattern, 4), patterns plus offset
    offset: int


def fits(n_neurons: int, n_patterns: int, largest: int) -> bool:
    """Whether every integer fits: as `blocked.fits`."""
    return blocked.fits(n_neurons, n_patterns, largest)


def packed(by_site: np.ndarray) -> Packed:
    """by_site: (neuron, pattern), integers that fit; padded to whole tiles."""
    n_neurons, n_patterns = by_site.shape
    if not np.all(np.abs(by_site) == 1):
        integers = blocked.packed(by_site)
        return Packed(
            np.zeros((0, 0), np.uint32),
            np.zeros((0, 0, TILE), np.uint32),
            integers.for_fields.reshape(-1, BLOCK * integers.for_overlaps.shape[1]),
            integers.for_overlaps,
            integers.offset,
        )
    minus = np.zeros((-(-n_neurons // BLOCK) * BLOCK, -(-n_patterns // TILE) * TILE), bool)
    minus[:n_neurons, :n_patterns] = by_site < 0
    n_sites, n_padded = minus.shape
    tiles = minus.reshape(n_sites // TILE, TILE, n_padded // 2, 2).transpose(0, 2, 1, 3)
    words = _words(minus.T).reshape(n_padded // TILE, TILE, n_sites // WORD)
    return Packed(
        _words(tiles.reshape(n_sites // BLOCK, BLOCK * n_padded)),
        np.ascontiguousarray(words.transpose(0, 2, 1)),
        np.zeros((0, 0), np.int8),
        np.zeros((0, 0, 4), np.uint8),
        0,
    )


def _words(bits: np.ndarray) -> np.ndarray:
    """Booleans (..., n) as bits, the first the lowest: uint32 (..., n / 32)."""
    little = np.ascontiguousarray(np.packbits(bits, axis=-1, bitorder="little"))
    return little.view("<u4").astype(np.uint32, copy=False)


def _bits(words: np.ndarray) -> np.ndarray:
    """The way back: uint8 (..., 32 n), 0 or 1, from contiguous uint32 (..., n)."""
    little = words.astype("<u4", copy=False).view(np.uint8)
    return np.unpackbits(little, axis=-1, bitorder="little")


def unpacked(patterns: Packed, n_neurons: int, n_patterns: int) -> np.ndarray:
    """The patterns by site again, without padding: int16 (neuron, pattern)."""
    if patterns.integers_for_overlaps.size:
        quads = patterns.integers_for_overlaps.transpose(0, 2, 1).astype(np.int16)
        by_site = (quads - patterns.offset).reshape(-1, quads.shape[2])
    else:
        words = np.ascontiguousarray(patterns.signs_for_overlaps.transpose(0, 2, 1))
        by_site = 1 - 2 * _bits(words.reshape(-1, words.shape[2])).T.astype(np.int16)
    return by_site[:n_neurons, :n_patterns]


def step_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Steps in place; `patterns` is `packed`, the rest as `parallel.step_patterns`.

    diagonal: int32; spins: int8 (lane, neuron); overlaps: int16 (lane, pattern).
    """
    n_lanes, n_neurons = spins.shape
    n_patterns = overlaps.shape[1]
    n_padded = -(-n_patterns // TILE) * TILE
    n_blocks = -(-n_neurons // BLOCK)
    n_groups = -(-n_lanes // GROUP)
    lanes = slice(n_lanes), slice(n_neurons)

    minus = np.zeros((n_groups * GROUP, n_blocks * BLOCK), bool)
    minus[lanes] = spins < 0
    s = _aligned((n_groups, n_blocks * 2, GROUP), np.uint32)
    s[:] = _words(minus).reshape(n_groups, GROUP, -1).transpose(0, 2, 1)
    m = _aligned((n_groups, n_padded // 2, GROUP, 2), np.int16)
    whole = np.zeros((n_groups * GROUP, n_padded), np.int16)
    whole[:n_lanes, :n_patterns] = overlaps
    m[:] = whole.reshape(n_groups, GROUP, -1, 2).transpose(0, 2, 1, 3)

    own = _aligned((n_blocks * BLOCK,), np.int32)
    own[:n_neurons] = diagonal
    lane_words = np.zeros((n_groups * GROUP, 2), np.uint32)
    lane_words[:n_lanes] = draws.lanes
    lane_words = lane_words.reshape(n_groups, GROUP, 2).transpose(0, 2, 1).copy()
    lane_scale = np.zeros((n_groups, GROUP), np.float32)
    lane_scale.reshape(-1)[:n_lanes] = draws.scale
    counts = np.zeros((n_groups, GROUP), np.int64)
    scratch = (
        _aligned((BLOCK * n_padded,), np.int16),
        _aligned((BLOCK, GROUP), np.int32),
        _aligned((BLOCK, GROUP), np.int32),
        _aligned((n_groups, n_blocks * 2, GROUP), np.uint32),
        _aligned((BLOCK // 4, GROUP), np.uint32),
        _aligned((GROUP,), np.int32),
    )
    _steps(
        patterns,
        own,
        s,
        m,
        draws._replace(lanes=lane_words, scale=lane_scale),
        first_sweep,
        n_sweeps,
        n_neurons,
        n_lanes,
        n_patterns,
        counts,
        scratch,
    )
    by_lane = np.ascontiguousarray(s.transpose(0, 2, 1)).reshape(n_groups * GROUP, -1)
    np.subtract(1, 2 * _bits(by_lane)[lanes].view(np.int8), out=spins)
    overlaps[:] = m.transpose(0, 2, 1, 3).reshape(n_groups * GROUP, -1)[:n_lanes, :n_patterns]
    flips += counts.reshape(-1)[:n_lanes]


@compiled
def _steps(
    patterns,
    own,
    s,
    m,
    draws,
    first_sweep,
    n_sweeps,
    n_neurons,
    n_lanes,
    n_patterns,
    counts,
    scratch,
):
    """All arrays stay alive in the caller: this function works on their addresses."""
    x, h, theta, changed, d, total = scratch
    n_groups, n_words, _ = s.shape
    n_padded = 2 * m.shape[1]
    row = 4 * GROUP
    s_at, m_at, x_at, h_at = s.ctypes.data, m.ctypes.data, x.ctypes.data, h.ctypes.data
    theta_at, changed_at, own_at = theta.ctypes.data, changed.ctypes.data, own.ctypes.data
    key, lanes, kind, scale, bound, _ = draws
    key_at, lanes_at, scale_at = key.ctypes.data, lanes.ctypes.data, scale.ctypes.data
    moved = np.ones(n_groups, np.int64)
    for sweep in range(first_sweep, first_sweep + n_sweeps):
        still = moved == 0
        moved[:] = 0
        for block in range(n_words // 2):
            _expand(patterns, block, x, x_at)
            for group in range(n_groups):
                if kind == NONE and still[group]:
                    continue  # fixed points in all its lanes: no later step would move
                # 1. the fields before the step
                for tile in range(BLOCK // TILE):
                    fields_tile(
                        x_at + tile * TILE * n_padded * 2,
                        m_at + group * n_padded * GROUP * 2,
                        h_at + tile * TILE * row,
                        n_padded // 2,
                    )
                # 2. the decisions
                _fill_thresholds(
                    theta,
                    key_at,
                    lanes_at + group * 2 * row,
                    kind,
                    scale_at + group * row,
                    bound,
                    np.uint64(sweep) * np.uint64((n_neurons + 3) // 4)
                    + np.uint64(block * (BLOCK // 4)),
                    n_neurons - block * BLOCK,
                    n_lanes - group * GROUP,
                )
                for half in range(2):
                    word = (group * n_words + 2 * block + half) * row
                    moved[group] |= decide_word(
                        h_at + half * WORD * row,
                        theta_at + half * WORD * row,
                        own_at + 4 * (block * BLOCK + half * WORD),
                        s_at + word,
                        changed_at + word,
                        counts.ctypes.data + group * 2 * row,
                    )
        # 3. the overlaps after the step
        for group in range(n_groups):
            if moved[group] != 0:
                if patterns.signs_for_overlaps.size != 0:
                    _count_overlaps(patterns, s, m, group, n_neurons, n_patterns)
                else:
                    _carry_overlaps(patterns, s, changed, m, group, d, total)
        if kind == NONE and not moved.any():
            break


@compiled
def _expand(patterns, block, x, x_at):
    """x: int16 [8 tiles][pattern pair][8 sites][2], the patterns at the sites of a block."""
    if patterns.signs_for_fields.size != 0:
        signs = patterns.signs_for_fields
        expand_signs(
            signs.ctypes.data + 4 * block * signs.shape[1], x_at, signs.shape[1]
        )
    else:
        source = patterns.integers_for_fields[block]
        for k in range(x.size):
            x[k] = source[k]


@compiled
def _count_overlaps(patterns, s, m, group, n_neurons, n_patterns):
    """Overlaps of +-1 patterns anew from the bits."""
    signs = patterns.signs_for_overlaps
    n_words = s.shape[1]
    s_at = s.ctypes.data + group * n_words * GROUP * 4
    m_at = m.ctypes.data + group * m.shape[1] * GROUP * 4
    for tile in range(len(signs)):
        count_tile(
            signs.ctypes.data + tile * n_words * TILE * 4,
            s_at,
            n_words,
            n_neurons,
            m_at + tile * (TILE // 2) * GROUP * 4,
        )
    for p in range(n_patterns, TILE * len(signs)):
        m[group, p >> 1, :, p & 1] = 0  # in the product of the fields the padding is no zero


@compiled
def _carry_overlaps(patterns, s, changed, m, group, d, total):
    """Overlaps of other integers: the changes of the spins, block by block."""
    quads = patterns.integers_for_overlaps
    n_padded = quads.shape[1]
    m_at = m.ctypes.data + group * n_padded * GROUP * 2
    d_at, total_at = d.ctypes.data, total.ctypes.data
    for block in range(len(quads) // (BLOCK // 4)):
        total[:] = 0
        any_change = np.uint32(0)
        for quad in range(BLOCK // 4):
            word = 2 * block + quad // 8
            shift = np.uint32(4 * (quad % 8))
            after, moved, to = s[group, word], changed[group, word], d[quad]
            for lane in range(GROUP):
                # four bits to the lowest bits of four bytes: 1 where moved, -1 where now a minus
                one = _to_bytes(moved[lane] >> shift)
                minus = one & _to_bytes(after[lane] >> shift)
                to[lane] = one | (minus * np.uint32(255))
                total[lane] += _bytes_added(one ^ minus) - _bytes_added(minus)
                any_change |= one
        if any_change == 0:
            continue
        for lane in range(GROUP):
            total[lane] *= 2 * patterns.offset
        quads_at = quads.ctypes.data + block * (BLOCK // 4) * n_padded * 4
        for p in range(0, n_padded, TILE):
            overlaps_tile(
                quads_at + p * 4, n_padded * 4, d_at, total_at, m_at + p * GROUP * 2
            )


@compiled
def _to_bytes(word):
    """The lowest four bits of a word, each as the lowest bit of a byte."""
    return np.uint32(((word & np.uint32(15)) * np.uint32(0x00204081)) & np.uint32(0x01010101))


@compiled
def _bytes_added(word):
    """The sum of the four bytes of a word, small ones."""
    return np.int32(np.uint32(word * np.uint32(0x01010101)) >> np.uint32(24))


@intrinsic
def expand_signs(typingctx, signs, x, n_words):
    """x[32 w + k] = 1 - 2 (bit k of signs[w]): int16, from uint32 (n_words,)."""

    def generate(context, builder, signature, arguments):
        signs, x, n_words = arguments
        with cgutils.for_range(builder, n_words) as loop:
            word = load(builder, builder.add(signs, builder.shl(loop.index, I64(2))), 0, I32)
            minus = builder.bitcast(word, ir.VectorType(ir.IntType(1), 32))
            values = builder.select(minus, constant(V16, -1), constant(V16, 1))
            store(builder, values, builder.add(x, builder.shl(loop.index, I64(6))), 0)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 3), generate


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
        kept = accumulators(builder, 2 * TILE)
        with cgutils.for_range(builder, n_words) as loop:
            row_s = builder.add(s, builder.mul(loop.index, I64(4 * GROUP)))
            row_x = builder.add(x, builder.mul(loop.index, I64(4 * TILE)))
            halves = [load(builder, row_s, 64 * z, V32) for z in range(2)]
            for p in range(TILE):
                word = broadcast(builder, load(builder, row_x, 4 * p, I32))
                for z in range(2):
                    unequal = builder.xor(word, halves[z])
                    number = call(builder, "llvm.ctpop.v16i32", V32, unequal)
                    place = kept[2 * p + z]
                    builder.store(builder.add(builder.load(place), number), place)
        low = constant(V32, 0xFFFF)
        all_sites = broadcast(builder, builder.trunc(n_neurons, I32))
        for pair in range(TILE // 2):
            for z in range(2):
                even, odd = (
                    builder.sub(
                        all_sites, builder.shl(builder.load(kept[2 * p + z]), constant(V32, 1))
                    )
                    for p in (2 * pair, 2 * pair + 1)
                )
                both = builder.or_(builder.and_(even, low), builder.shl(odd, constant(V32, 16)))
                store(builder, both, m, 4 * GROUP * pair + 64 * z)
        return context.get_dummy_value()

    return types.void(*[types.intp] * 5), generate
