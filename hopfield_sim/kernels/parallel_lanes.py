"""All neurons at once (Little), many chains on one pattern set: exact products by bits.

A step of a group of 32 lanes:

1. H[sites][lanes] = X M, for 2048 sites at a time: all 32 signed sums of five overlaps stand in a
   table, and five bits of a site's pattern name one of them; 60 patterns at a time, so that their
   tables stay in the nearest cache. Twice as fast as a product of int16, and exact;
2. all sites of all lanes decide: flip where s H - d < theta. The fields need M alone, no spins, so
   the spins, one bit each, change where they are;
3. M = N - 2 popcount(X xor S): an overlap is a count of unequal bits, 512 products in three
   instructions.

That is for +-1 patterns. For other integers the products are those of `blocked`, which takes twice
the time: 1. with X and M as int16; 3. M += X^T (changes of the spins).

Memory: 2P + N/8 bytes a lane, N P / 4 bytes for +-1 patterns (2 N P for others). A bit is 1 where a
spin or pattern is -1, and 0 in the padding, so that padded sites are equal and count nothing:

    spins     uint32  [group][32 sites][32]      overlaps  int16  [group][pattern pair][32][2]
    patterns  uint64  [60 patterns][site] for 1;  uint32  [8 patterns][32 sites][8] for 3
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels import blocked
from hopfield_sim.kernels.draws import fill_group, for_groups
from hopfield_sim.kernels.popcount import (
    PAGE,
    TABLES,
    WORD,
    build_tables,
    build_wide_tables,
    count_tile,
    decide_word,
    look_up,
    look_up_wide,
)
from hopfield_sim.kernels.simd import AVX2, VNNI, aligned, words_of
from hopfield_sim.kernels.tiles import BLOCK, GROUP, TILE, fields_tile, overlaps_tile
from hopfield_sim.randomness import NONE

_SPAN = 32 * BLOCK  # sites whose fields wait, 256 kB in the second cache


class Packed(NamedTuple):
    """Patterns in the two orders of the products: signs for +-1 patterns, integers for others.

    The two arrays of the other kind are empty.
    """

    signs_for_fields: np.ndarray  # uint64 (pattern / 60, site)
    signs_for_overlaps: np.ndarray  # uint32 (pattern / 8, site / 32, 8)
    integers_for_fields: np.ndarray  # int8 (site / 64, 64 patterns), as blocked.Packed
    integers_for_overlaps: np.ndarray  # uint8 (site / 4, pattern, 4), patterns plus offset
    offset: int


def fits(n_neurons: int, n_patterns: int, largest: int) -> bool:
    """Whether every integer fits: as `blocked.fits`, overlaps int16 and fields int32."""
    return blocked.fits(n_neurons, n_patterns, largest)


def suits(n_neurons: int, n_patterns: int, largest: int, is_binary: bool, n_lanes: int) -> bool:
    """Whether this form is possible and faster than `parallel.step_patterns`.

    is_binary: all patterns are +-1. However few its lanes, a group costs as much as so many chains
    one by one: measured at N = 2048, P = 204 with AVX-512 VNNI, with AVX2 and with SSE2.
    """
    level = 0 if VNNI else 1 if AVX2 else 2
    fewest = (5, 7, 7)[level] if is_binary else (6, 12, 16)[level]
    return n_lanes >= fewest and fits(n_neurons, n_patterns, largest)


def packed(by_site: np.ndarray) -> Packed:
    """by_site: (neuron, pattern), integers that fit; padded to whole tiles."""
    n_neurons, n_patterns = by_site.shape
    if not np.all(np.abs(by_site) == 1):
        integers = blocked.packed(by_site, couplings=np.zeros((0, BLOCK, BLOCK), np.int16))
        return Packed(
            np.zeros((0, 0), np.uint64),
            np.zeros((0, 0, TILE), np.uint32),
            integers.for_fields.reshape(-1, BLOCK * integers.for_overlaps.shape[1]),
            integers.for_overlaps,
            integers.offset,
        )
    n_sites, n_pages = _round_up(n_neurons, BLOCK), -(-n_patterns // PAGE)
    minus = np.zeros((n_sites, n_pages * PAGE + TILE), bool)
    minus[:n_neurons, :n_patterns] = by_site < 0
    pages = np.zeros((n_sites, n_pages, 64), bool)
    pages[:, :, :PAGE] = minus[:, : n_pages * PAGE].reshape(n_sites, n_pages, PAGE)
    tiles = minus.T[: _round_up(n_patterns, TILE)].reshape(-1, TILE, n_sites)
    return Packed(
        np.ascontiguousarray(words_of(pages, np.uint64)[:, :, 0].T),
        np.ascontiguousarray(words_of(tiles, np.uint32).transpose(0, 2, 1)),
        np.zeros((0, 0), np.int8),
        np.zeros((0, 0, 4), np.uint8),
        0,
    )


def _round_up(count: int, unit: int) -> int:
    return -(-count // unit) * unit


def _bits(words: np.ndarray) -> np.ndarray:
    """The way back: uint8 (..., 32 n), 0 or 1, from contiguous uint32 (..., n)."""
    little = words.astype("<u4", copy=False).view(np.uint8)
    return np.unpackbits(little, axis=-1, bitorder="little")


def step_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Steps in place; `patterns` is `packed`, the rest as `parallel.step_patterns`.

    diagonal: int32; spins: int8 (lane, neuron); overlaps: int16 (lane, pattern).
    """
    n_lanes, n_neurons = spins.shape
    n_patterns = overlaps.shape[1]
    n_sites, n_groups = _round_up(n_neurons, BLOCK), -(-n_lanes // GROUP)
    n_padded = max(_round_up(n_patterns, unit) for unit in (TILE, PAGE))

    minus = np.zeros((n_groups * GROUP, n_sites), bool)
    np.less(spins, 0, out=minus[:n_lanes, :n_neurons])
    s = aligned((n_groups, n_sites // WORD, GROUP), np.uint32)
    s[:] = words_of(minus, np.uint32).reshape(n_groups, GROUP, -1).transpose(0, 2, 1)
    whole = np.zeros((n_groups * GROUP, n_padded), np.int16)
    whole[:n_lanes, :n_patterns] = overlaps
    m = aligned((n_groups, n_padded // 2, GROUP, 2), np.int16)
    pairs = m.view(np.uint32)[..., 0]
    pairs[:] = whole.view(np.uint32).reshape(n_groups, GROUP, -1).transpose(0, 2, 1)

    own = aligned((n_sites,), np.int32)
    own[:n_neurons] = diagonal
    counts = np.zeros((n_groups, GROUP), np.int64)
    is_signs = patterns.signs_for_fields.size > 0
    n_tables = TABLES * 32 * GROUP * 2 if is_signs else 0
    scratch = (
        aligned((n_tables,), np.int16),  # room for the wide ones too
        aligned((0 if is_signs else BLOCK * patterns.integers_for_overlaps.shape[1],), np.int16),
        aligned((min(n_sites, _SPAN), GROUP), np.int32),
        aligned((BLOCK, GROUP), np.int32),
        aligned(s.shape, np.uint32),
        aligned((BLOCK // 4, GROUP), np.uint32),
        aligned((GROUP,), np.int32),
    )
    _steps(
        patterns,
        own,
        s,
        m,
        for_groups(draws, n_groups * GROUP),
        first_sweep,
        n_sweeps,
        spins.shape,
        n_patterns,
        counts,
        scratch,
    )
    by_lane = np.ascontiguousarray(s.transpose(0, 2, 1)).reshape(n_groups * GROUP, -1)
    bits = _bits(by_lane)[:n_lanes, :n_neurons].view(np.int8)
    np.subtract(1, 2 * bits, out=spins)
    whole.view(np.uint32).reshape(n_groups, GROUP, -1)[:] = pairs.transpose(0, 2, 1)
    overlaps[:] = whole[:n_lanes, :n_patterns]
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
    shape,
    n_patterns,
    counts,
    scratch,
):
    """All arrays stay alive in the caller: this function works on their addresses."""
    tables, x, h, theta, changed, d, total = scratch
    n_lanes, n_neurons = shape
    n_groups, n_words, _ = s.shape
    row = 4 * GROUP
    s_at, h_at, theta_at = s.ctypes.data, h.ctypes.data, theta.ctypes.data
    changed_at, own_at, counts_at = changed.ctypes.data, own.ctypes.data, counts.ctypes.data
    keys, lanes, kind, scale, bound, _ = draws
    keys_at, lanes_at, scale_at = keys.ctypes.data, lanes.ctypes.data, scale.ctypes.data
    is_signs = patterns.signs_for_fields.size > 0
    moved = np.ones(n_groups, np.int64)
    for sweep in range(first_sweep, first_sweep + n_sweeps):
        still = moved == 0
        moved[:] = 0
        for site in range(0, len(own), _SPAN):
            n_blocks = min(_SPAN, len(own) - site) // BLOCK
            for group in range(n_groups):
                if kind == NONE and still[group]:
                    continue  # fixed points in all its lanes: no later step would move
                # 1. the fields before the step
                if is_signs:
                    _look_up_fields(patterns, m[group], site, n_blocks, tables, h)
                else:
                    _multiply_fields(patterns, m[group], site, n_blocks, x, h)
                # 2. the decisions
                for block in range(n_blocks):
                    first = site + block * BLOCK
                    fill_group(
                        theta,
                        keys_at,
                        lanes_at + group * 2 * row,
                        kind,
                        scale_at + group * row,
                        bound,
                        np.uint64(sweep) * np.uint64((n_neurons + 3) // 4) + np.uint64(first // 4),
                        n_neurons - first,
                        n_lanes - group * GROUP,
                    )
                    for half in range(0, BLOCK, WORD):
                        word = (group * n_words + (first + half) // WORD) * row
                        moved[group] |= decide_word(
                            h_at + (block * BLOCK + half) * row,
                            theta_at + half * row,
                            own_at + 4 * (first + half),
                            s_at + word,
                            changed_at + word,
                            counts_at + group * 2 * row,
                        )
        # 3. the overlaps after the step
        for group in range(n_groups):
            if moved[group] != 0:
                if is_signs:
                    count_overlaps(patterns, s[group], m[group], n_neurons, n_patterns)
                else:
                    _carry_overlaps(patterns, s[group], changed[group], m[group], d, total)
        if kind == NONE and not moved.any():
            break


@compiled
def _look_up_fields(patterns, m, first, n_blocks, tables, h):
    """Fields of +-1 patterns, from tables of the sums of five overlaps."""
    signs = patterns.signs_for_fields
    tables_at, h_at = tables.ctypes.data, h.ctypes.data
    for page in range(len(signs)):
        bits_at = signs.ctypes.data + 8 * (page * signs.shape[1] + first)
        m_at = m.ctypes.data + page * PAGE * GROUP * 2
        keep = -1 if page else 0
        if build_tables(m_at, tables_at) == 0:
            look_up(bits_at, tables_at, h_at, n_blocks * BLOCK, keep)
        else:
            build_wide_tables(m_at, tables_at)
            look_up_wide(bits_at, tables_at, h_at, n_blocks * BLOCK, keep)


@compiled
def _multiply_fields(patterns, m, first, n_blocks, x, h):
    """Fields of other integers: a product of int16, eight sites at a time."""
    n_padded = patterns.integers_for_overlaps.shape[1]
    x_at, h_at = x.ctypes.data, h.ctypes.data
    for block in range(n_blocks):
        source = patterns.integers_for_fields[first // BLOCK + block]
        for k in range(x.size):
            x[k] = source[k]
        for site in range(0, BLOCK, TILE):
            fields_tile(
                x_at + site * n_padded * 2,
                m.ctypes.data,
                h_at + (block * BLOCK + site) * GROUP * 4,
                n_padded // 2,
            )


@compiled
def count_overlaps(patterns, s, m, n_neurons, n_patterns):
    """Overlaps of +-1 patterns with one group, anew from the bits.

    s: uint32 (site / 32, 32 lanes), 1 where a spin is -1; m: int16 (pattern / 2, 32 lanes, 2).
    """
    signs = patterns.signs_for_overlaps
    n_words = len(s)
    for tile in range(len(signs)):
        count_tile(
            signs.ctypes.data + tile * n_words * TILE * 4,
            s.ctypes.data,
            n_words,
            n_neurons,
            m.ctypes.data + tile * (TILE // 2) * GROUP * 4,
        )
    for p in range(n_patterns, TILE * len(signs)):
        m[p >> 1, :, p & 1] = 0  # the padding of the patterns counts as +1 in the fields


@compiled
def _carry_overlaps(patterns, s, changed, m, d, total):
    """Overlaps of other integers: the changes of the spins, block by block."""
    quads = patterns.integers_for_overlaps
    n_padded = quads.shape[1]
    m_at = m.ctypes.data
    d_at, total_at = d.ctypes.data, total.ctypes.data
    for block in range(len(quads) // (BLOCK // 4)):
        total[:] = 0
        any_change = np.uint32(0)
        for quad in range(BLOCK // 4):
            word = 2 * block + quad // 8
            shift = np.uint32(4 * (quad % 8))
            after, moved, to = s[word], changed[word], d[quad]
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
            overlaps_tile(quads_at + p * 4, n_padded * 4, d_at, total_at, m_at + p * GROUP * 2)


@compiled
def _to_bytes(word):
    """The lowest four bits of a word, each as the lowest bit of a byte."""
    return np.uint32(((word & np.uint32(15)) * np.uint32(0x00204081)) & np.uint32(0x01010101))


@compiled
def _bytes_added(word):
    """The sum of the four bytes of a word, small ones."""
    return np.int32(np.uint32(word * np.uint32(0x01010101)) >> np.uint32(24))
