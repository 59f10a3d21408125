"""Sequential sweeps of many chains on one pattern set: exact, in blocks, as integer products.

A sweep visits sites 0 ... N-1 in order. Instead of one dot product of P terms a visit:

1. H[64 sites][lanes] = X_block M: the fields of a block as they are before it (a product);
2. the 64 sites are visited in order; where a lane flips site i, the fields of the block's later
   sites j change by 2 J_ij s_i, J the block's own 64 x 64 couplings (few, and in registers);
3. M += X_block^T (changes of the spins): all flips of the block at once (a product).

Everything is an integer, so the trajectory is that of `reference.sweep_patterns`, bit by bit; but
the work is that of a matrix product and hardly depends on how many flips are accepted.

Memory: 2P + N bytes a lane, 2 N P + 128 N bytes for the patterns, lanes in groups of 32:

    spins     int8   [group][site][32]            overlaps  int16  [group][pattern pair][32][2]
    patterns  int8   [8 sites][pattern pair][8][2]  for 1;  uint8 [4 sites][pattern][4]  for 3
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.draws import exponential_tile, logistic_tile, round_keys
from hopfield_sim.kernels.simd import aligned
from hopfield_sim.kernels.tiles import (
    BLOCK,
    GROUP,
    SUB,
    TILE,
    carry,
    decide,
    fields_tile,
    overlaps_tile,
)
from hopfield_sim.randomness import DYNAMICS, EXPONENTIAL, LOGISTIC, NONE

_TOGETHER = 4 * GROUP  # lanes that share the expansion of a block, and the cache


class Packed(NamedTuple):
    """Patterns in the two orders of the products, and each block's own couplings."""

    for_fields: np.ndarray  # int8 (site / 8, pattern / 2, 8, 2)
    for_overlaps: np.ndarray  # uint8 (site / 4, pattern, 4), patterns plus offset
    couplings: np.ndarray  # int16 (block, 64, 64)
    offset: int


def fits(n_neurons: int, n_patterns: int, largest: int) -> bool:
    """Whether every integer fits: overlaps and block couplings int16, patterns int8."""
    return largest <= 127 and n_neurons * largest <= 32767 and n_patterns * largest**2 <= 32767


def own_couplings(by_site: np.ndarray) -> np.ndarray:
    """X X^T of each block of 64 sites: int16 (block, 64, 64). by_site: (neuron, pattern)."""
    n_neurons, n_patterns = by_site.shape
    x = np.zeros((-(-n_neurons // BLOCK), BLOCK, n_patterns), np.float32)
    x.reshape(-1, n_patterns)[:n_neurons] = by_site
    return (x @ x.transpose(0, 2, 1)).astype(np.int16)  # exact: sums below 2^15


def packed(by_site: np.ndarray, couplings: np.ndarray | None = None) -> Packed:
    """by_site: (neuron, pattern), integers that fit; padded with zeros to whole tiles.

    couplings: `own_couplings`, where they are there already.
    """
    n_neurons, n_patterns = by_site.shape
    x = np.zeros((-(-n_neurons // BLOCK) * BLOCK, -(-n_patterns // TILE) * TILE), np.int8)
    x[:n_neurons, :n_patterns] = by_site
    offset = int(np.abs(by_site).max())
    tiles = x.reshape(len(x) // TILE, TILE, x.shape[1] // 2, 2).transpose(0, 2, 1, 3)
    quads = (x + np.int16(offset)).astype(np.uint8).reshape(len(x) // 4, 4, x.shape[1])
    return Packed(
        np.ascontiguousarray(tiles),
        np.ascontiguousarray(quads.transpose(0, 2, 1)),
        own_couplings(by_site) if couplings is None else couplings,
        offset,
    )


def sweep_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, in fixed order; `patterns` is `packed`, the rest as `plain.sweep_patterns`.

    diagonal: int32; spins: int8 (lane, neuron); overlaps: int16 (lane, pattern).
    """
    for first in range(0, len(spins), _TOGETHER):
        some = slice(first, first + _TOGETHER)
        own = draws._replace(lanes=draws.lanes[some], scale=draws.scale[some])
        state = spins[some], overlaps[some], flips[some]
        _sweep_some(patterns, diagonal, *state[:2], own, first_sweep, n_sweeps, state[2])


def _sweep_some(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    n_lanes, n_neurons = spins.shape
    n_blocks, n_padded = len(patterns.couplings), patterns.for_overlaps.shape[1]
    n_groups = -(-n_lanes // GROUP)
    s = aligned((n_groups, n_blocks * BLOCK, GROUP), np.int8)
    m = aligned((n_groups, n_padded // 2, GROUP, 2), np.int16)
    _spread(spins, overlaps, s, m)
    own = aligned((n_blocks * BLOCK,), np.int32)
    own[:n_neurons] = diagonal
    lane_words = np.zeros((n_groups * GROUP, 2), np.uint32)
    lane_words[:n_lanes] = draws.lanes
    lane_words = lane_words.reshape(n_groups, GROUP, 2).transpose(0, 2, 1).copy()
    lane_scale = np.zeros((n_groups, GROUP), np.float32)
    lane_scale.reshape(-1)[:n_lanes] = draws.scale
    counts = np.zeros((n_groups, GROUP), np.int64)
    scratch = (
        aligned((BLOCK * n_padded,), np.int16),
        aligned((BLOCK, GROUP), np.int32),
        aligned((BLOCK, GROUP), np.int32),
        aligned((BLOCK // 4, GROUP, 4), np.int8),
        aligned((2, GROUP), np.int32),
    )
    _sweep(
        patterns,
        own,
        s,
        m,
        draws._replace(key=round_keys(draws.key), lanes=lane_words, scale=lane_scale),
        first_sweep,
        n_sweeps,
        n_neurons,
        n_lanes,
        counts,
        scratch,
    )
    _gather(s, m, spins, overlaps)
    flips += counts.reshape(-1)[:n_lanes]


@compiled
def _sweep(
    patterns,
    own,
    s,
    m,
    draws,
    first_sweep,
    n_sweeps,
    n_neurons,
    n_lanes,
    counts,
    scratch,
):
    """All arrays stay alive in the caller: this function works on their addresses."""
    x, h, theta, d, total = scratch
    n_groups, n_sites, _ = s.shape
    n_padded = 2 * m.shape[1]
    n_blocks = n_sites // BLOCK
    row = 4 * GROUP
    s_at, m_at, x_at, h_at = s.ctypes.data, m.ctypes.data, x.ctypes.data, h.ctypes.data
    theta_at, d_at, total_at = theta.ctypes.data, d.ctypes.data, total.ctypes.data
    keys, lanes, kind, scale, bound, _ = draws
    keys_at, lanes_at, scale_at = keys.ctypes.data, lanes.ctypes.data, scale.ctypes.data
    own_at, couplings_at = own.ctypes.data, patterns.couplings.ctypes.data
    quads_at = patterns.for_overlaps.ctypes.data
    tiles = patterns.for_fields.reshape(n_blocks, BLOCK * n_padded)
    for sweep in range(first_sweep, first_sweep + n_sweeps):
        moving = 0
        for block in range(n_blocks):
            source = tiles[block]
            for k in range(x.size):
                x[k] = source[k]
            inner = couplings_at + block * BLOCK * BLOCK * 2
            for group in range(n_groups):
                overlaps_at = m_at + group * n_padded * GROUP * 2
                spins_at = s_at + (group * n_sites + block * BLOCK) * GROUP
                # 1. the fields before the block
                for tile in range(BLOCK // TILE):
                    fields_tile(
                        x_at + tile * TILE * n_padded * 2,
                        overlaps_at,
                        h_at + tile * TILE * row,
                        n_padded // 2,
                    )
                # 2. the visits
                _fill_thresholds(
                    theta,
                    keys_at,
                    lanes_at + group * 2 * row,
                    kind,
                    scale_at + group * row,
                    bound,
                    np.uint64(sweep) * np.uint64((n_neurons + 3) // 4)
                    + np.uint64(block * (BLOCK // 4)),
                    n_neurons - block * BLOCK,
                    n_lanes - group * GROUP,
                )
                total[:] = 0
                for site in range(0, BLOCK, SUB):
                    for half in range(2):  # two chains of decisions that do not wait for each other
                        side = 64 * half
                        changes_at = d_at + site * GROUP + side
                        moved = decide(
                            h_at + site * row + side,
                            theta_at + site * row + side,
                            own_at + 4 * (block * BLOCK + site),
                            spins_at + site * GROUP + 16 * half,
                            changes_at,
                            inner + 2 * (site * BLOCK + site),
                            total_at + side,
                        )
                        later = site + SUB
                        if moved != 0 and later < BLOCK:
                            carry(
                                h_at + later * row + side,
                                changes_at,
                                inner + 2 * (later * BLOCK + site),
                                BLOCK - later,
                            )
                # 3. the overlaps after the block
                flipped = 0
                for lane in range(GROUP):
                    flipped += total[1, lane]
                    counts[group, lane] += total[1, lane]
                    total[0, lane] *= 2 * patterns.offset
                moving += flipped
                if flipped != 0:
                    for p in range(0, n_padded, TILE):
                        overlaps_tile(
                            quads_at + (block * (BLOCK // 4) * n_padded + p) * 4,
                            n_padded * 4,
                            d_at,
                            total_at,
                            overlaps_at + p * GROUP * 2,
                        )
        if kind == NONE and moving == 0:
            break  # fixed points in all lanes: no later sweep would move


@compiled
def _fill_thresholds(theta, keys_at, lanes_at, kind, scale_at, bound, first, n_visits, n_lanes):
    """theta: int32 (64 visits, 32 lanes), from Philox block `first` on.

    Visits from n_visits on and lanes from n_lanes on never flip.
    """
    theta_at = theta.ctypes.data
    if kind == LOGISTIC or kind == EXPONENTIAL:
        for b in range(BLOCK // 4):
            count = first + np.uint64(b)
            low = count & np.uint64(0xFFFFFFFF)
            high = (count >> np.uint64(32)) | (np.uint64(DYNAMICS) << np.uint64(28))
            for side in range(0, 128, 64):
                to = theta_at + 16 * GROUP * b + side
                lanes, scale = lanes_at + side, scale_at + side
                if kind == LOGISTIC:
                    logistic_tile(to, low, high, lanes, keys_at, scale, bound)
                else:
                    exponential_tile(to, low, high, lanes, keys_at, scale, bound)
    else:
        theta[:] = 0
    if n_visits < BLOCK:
        theta[n_visits:] = np.int32(-bound)
    if n_lanes < GROUP:
        theta[:, n_lanes:] = np.int32(-bound)


def _spread(spins, overlaps, s, m):
    """The state by lane into groups of 32 lanes; places beyond are +1 and 0 and never flip."""
    n_lanes, n_neurons = spins.shape
    s[:] = 1
    for group in range(len(s)):
        lanes = slice(group * GROUP, min((group + 1) * GROUP, n_lanes))
        count = lanes.stop - lanes.start
        s[group, :n_neurons, :count] = spins[lanes].T
        for odd in range(2):
            mine = overlaps[lanes, odd::2]
            m[group, : mine.shape[1], :count, odd] = mine.T


def _gather(s, m, spins, overlaps):
    """The state back from groups."""
    n_lanes, n_neurons = spins.shape
    for group in range(len(s)):
        lanes = slice(group * GROUP, min((group + 1) * GROUP, n_lanes))
        count = lanes.stop - lanes.start
        spins[lanes] = s[group, :n_neurons, :count].T
        for odd in range(2):
            mine = overlaps[lanes, odd::2]
            mine[...] = m[group, : mine.shape[1], :count, odd].T
