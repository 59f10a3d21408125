"""Sequential sweeps of one chain on +-1 patterns: exact, in blocks, as products of bits.

A sweep visits sites 0 ... N-1 in order. For each block of 64 sites:

1. H[64] = X_block M: the fields as they are before the block. A pattern value is one bit, an
   overlap two bytes, so that a product and sum of 64 takes one instruction per byte;
2. the 64 sites are visited in order: all that would flip are found at once, the first of them
   flips, the block's own couplings correct the 64 fields, and again, until none is left;
3. M += 2 X_block^T (flipped spins): counted on bits, eight patterns an instruction, however many
   flipped.

Everything is an integer, so the trajectory is that of `reference.sweep_patterns`, bit by bit.

Memory: N P / 4 bytes for the patterns, held twice, and 128 N for the couplings of the blocks:

    by_site     uint64 [block][4 patterns][4 x 16 sites]   for 1: a bit becomes a byte +-1
    by_pattern  uint64 [block][pattern]                    for 3: bit i is site i of the block
    overlaps    int16 [pattern], and the bytes of M + 2^15 in two planes, uint8 [pattern]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels import blocked
from hopfield_sim.kernels.chain import (
    BLOCK,
    decide_block,
    fields_block,
    overlaps_block,
    population,
)
from hopfield_sim.kernels.draws import fill_block, round_keys
from hopfield_sim.kernels.simd import aligned, words_of
from hopfield_sim.randomness import NONE


class Bits(NamedTuple):
    """+-1 patterns as bits in the two orders of the products, and each block's own couplings."""

    by_site: np.ndarray  # uint64 (block, pattern / 4, 4)
    by_pattern: np.ndarray  # uint64 (block, pattern)
    couplings: np.ndarray  # int16 (block, 64, 64)
    offset: np.ndarray  # int32 (block, 64), 2^15 sum_mu x_i^mu over the padded patterns


def fits(n_neurons: int, n_patterns: int) -> bool:
    """Whether every integer fits: overlaps and block couplings int16."""
    return n_neurons <= 32767 and n_patterns <= 32767


def bits(by_site: np.ndarray, couplings: np.ndarray | None = None) -> Bits:
    """by_site: (neuron, pattern), all +-1; couplings: as for `blocked.packed`.

    Padded with -1 to whole blocks and to a multiple of 64 patterns (whose overlaps are kept 0).
    """
    n_neurons, n_patterns = by_site.shape
    couplings = blocked.own_couplings(by_site) if couplings is None else couplings
    n_blocks, n_padded = len(couplings), -(-n_patterns // 64) * 64
    x = np.zeros((n_blocks * BLOCK, n_padded), bool)
    x[:n_neurons, :n_patterns] = by_site > 0
    quads = x.reshape(n_blocks, 4, 16, n_padded // 4, 4).transpose(0, 3, 1, 2, 4)
    columns = x.reshape(n_blocks, BLOCK, n_padded).transpose(0, 2, 1)
    offset = 2**15 * (2 * x.sum(axis=1, dtype=np.int64) - n_padded)
    return Bits(
        _at_cache_lines(quads.reshape(n_blocks, n_padded // 4, 4, 64)),
        _at_cache_lines(columns),
        couplings,
        offset.astype(np.int32).reshape(n_blocks, BLOCK),  # wraps around, and back in the sum
    )


def _at_cache_lines(bits: np.ndarray) -> np.ndarray:
    """bool (..., 64) as uint64 (...)."""
    out = aligned(bits.shape[:-1], np.uint64)
    out[...] = words_of(bits, np.uint64)[..., 0]
    return out


def sweep_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, in fixed order; `patterns` is `bits`, the rest as `plain.sweep_patterns`.

    diagonal: int32; spins: int8 (lane, neuron); overlaps: int16 (lane, pattern).
    """
    n_blocks, n_padded = patterns.by_pattern.shape
    own = aligned((n_blocks * BLOCK,), np.int32)
    own[: len(diagonal)] = diagonal
    state = (
        aligned((n_blocks * BLOCK,), np.int8),
        aligned((n_padded,), np.int16),
        aligned((n_padded,), np.uint8),
        aligned((n_padded,), np.uint8),
    )
    scratch = aligned((BLOCK,), np.int32), aligned((BLOCK,), np.int32)
    draws = draws._replace(key=round_keys(draws.key))
    _sweep(patterns, own, spins, overlaps, draws, first_sweep, n_sweeps, flips, state, scratch)


@compiled
def _sweep(patterns, own, spins, overlaps, draws, first_sweep, n_sweeps, flips, state, scratch):
    """All arrays stay alive in the caller: this function works on their addresses."""
    s, m, low, high = state
    h, theta = scratch
    keys, lanes, kind, scale, bound, _ = draws
    n_lanes, n_neurons = spins.shape
    n_patterns = overlaps.shape[1]
    n_blocks, n_padded = patterns.by_pattern.shape
    blocks_per_sweep = np.uint64((n_neurons + 3) // 4)
    s_at, m_at, low_at, high_at = s.ctypes.data, m.ctypes.data, low.ctypes.data, high.ctypes.data
    h_at, theta_at, own_at = h.ctypes.data, theta.ctypes.data, own.ctypes.data
    rows_at, columns_at = patterns.by_site.ctypes.data, patterns.by_pattern.ctypes.data
    couplings_at, offset_at = patterns.couplings.ctypes.data, patterns.offset.ctypes.data
    for lane in range(n_lanes):
        s[:] = 1
        s[:n_neurons] = spins[lane]
        m[:] = 0
        m[:n_patterns] = overlaps[lane]
        for p in range(n_padded):
            biased = np.int32(m[p]) + np.int32(32768)
            low[p] = np.uint8(biased & 255)
            high[p] = np.uint8(biased >> 8)
        lane_at = lanes.ctypes.data + 8 * lane
        flipped_in_all = 0
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            before = flipped_in_all
            for block in range(n_blocks):
                fields_block(
                    rows_at + block * n_padded * 8,
                    low_at,
                    high_at,
                    offset_at + block * BLOCK * 4,
                    h_at,
                    n_padded // 4,
                )
                fill_block(
                    theta,
                    keys.ctypes.data,
                    lane_at,
                    kind,
                    scale[lane],
                    bound,
                    np.uint64(sweep) * blocks_per_sweep + np.uint64(block * (BLOCK // 4)),
                    n_neurons - block * BLOCK,
                )
                flipped = decide_block(
                    h_at,
                    theta_at,
                    own_at + block * BLOCK * 4,
                    s_at + block * BLOCK,
                    couplings_at + block * BLOCK * BLOCK * 2,
                )
                if flipped != 0:
                    flipped_in_all += population(flipped)
                    overlaps_block(
                        columns_at + block * n_padded * 8,
                        flipped,
                        s_at + block * BLOCK,
                        m_at,
                        low_at,
                        high_at,
                        n_padded // 64,
                    )
                    low[n_patterns:] = 0  # padded patterns have no overlap
                    high[n_patterns:] = 128
            if kind == NONE and flipped_in_all == before:
                break  # a fixed point: no later sweep would move
        spins[lane] = s[:n_neurons]
        overlaps[lane] = m[:n_patterns]
        flips[lane] += flipped_in_all
