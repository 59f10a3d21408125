"""Sequential sweeps of many chains on one pattern set: exact, in blocks, as integer products.

A sweep visits sites 0 ... N-1 in order. Instead of one dot product of P terms a visit:

1. H[64 sites][lanes] = X_block M: the fields of a block as they are before it (a product);
2. the 64 sites are visited in order; where a lane flips site i, the fields of the block's later
   sites j change by 2 J_ij s_i, J the block's own 64 x 64 couplings (few, and in registers);
3. M += X_block^T (changes of the spins): all flips of the block at once (a product).

Everything is an integer, so the trajectory is that of `reference.sweep_patterns`, bit by bit; but
the work is that of a matrix product and hardly depends on how many flips are accepted.

For +-1 patterns the products are sums that stand in tables (see `tiles`): 1. of four overlaps each,
int16; 3. of the changes of four sites each, int8. For other integers they are multiplied, which
takes two to four times the time of 1. and 3.

Memory: 2P + N bytes a lane, lanes in twos of groups of 32; for the patterns N P / 4 + 128 N bytes
(2 N P + 128 N where they are not +-1):

    spins     int8   [two][site][64]
    +-1:      overlaps  int16   [two][pattern][64]
              patterns  uint32  [block][32 patterns][64 sites] for 1;  uint64 [block][pattern] for 3
    others:   overlaps  int16   [group][pattern pair][32][2]
              patterns  int8    [8 sites][pattern pair][8][2] for 1;  uint8 [4 sites][pattern][4]
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.draws import fill_group, for_groups
from hopfield_sim.kernels.simd import aligned, words_of
from hopfield_sim.kernels.tiles import (
    BLOCK,
    GROUP,
    INDEX,
    LANES,
    PAGE,
    SUB,
    TILE,
    build_change_tables,
    build_overlap_tables,
    carry,
    decide,
    fields_tile,
    look_up_fields,
    look_up_overlaps,
    overlaps_tile,
    quads_of_changes,
    widen,
)
from hopfield_sim.randomness import NONE

_TOGETHER = 4 * GROUP  # lanes that share the expansion of a block, and the cache


class Packed(NamedTuple):
    """Patterns in the two orders of the products, and each block's own couplings.

    Signs of +-1 patterns are bits, 1 for -1. The two arrays of the other kind are empty.
    """

    signs_for_fields: np.ndarray  # uint32 (block, pattern / 32, 64)
    signs_for_overlaps: np.ndarray  # uint64 (block, pattern)
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
    own = own_couplings(by_site) if couplings is None else couplings
    offset = int(np.abs(by_site).max())
    n_sites = -(-n_neurons // BLOCK) * BLOCK
    if offset == 1 and np.all(by_site):
        minus = np.zeros((n_sites, -(-n_patterns // PAGE) * PAGE), bool)
        np.less(by_site, 0, out=minus[:n_neurons, :n_patterns])
        for_fields = words_of(minus, np.uint32).reshape(-1, BLOCK, minus.shape[1] // PAGE)
        for_overlaps = words_of(minus[:, :n_patterns].T, np.uint64)
        return Packed(
            np.ascontiguousarray(for_fields.transpose(0, 2, 1)),
            np.ascontiguousarray(for_overlaps.T),
            np.zeros((0, 0, TILE, 2), np.int8),
            np.zeros((0, 0, 4), np.uint8),
            own,
            offset,
        )
    x = np.zeros((n_sites, -(-n_patterns // TILE) * TILE), np.int8)
    x[:n_neurons, :n_patterns] = by_site
    tiles = x.reshape(len(x) // TILE, TILE, x.shape[1] // 2, 2).transpose(0, 2, 1, 3)
    quads = (x + np.int16(offset)).astype(np.uint8).reshape(len(x) // 4, 4, x.shape[1])
    return Packed(
        np.zeros((0, 0, BLOCK), np.uint32),
        np.zeros((0, 0), np.uint64),
        np.ascontiguousarray(tiles),
        np.ascontiguousarray(quads.transpose(0, 2, 1)),
        own,
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


class _Scratch(NamedTuple):
    """Room for one block and two groups; what the other kind of patterns needs is empty."""

    h: np.ndarray  # int32 (2, 64, 32)
    theta: np.ndarray  # int32 (64, 32)
    before: np.ndarray  # int8 (64 * 64,)
    pairs: np.ndarray  # int32 (8, 32)
    tables: np.ndarray  # int16 (8, 16, 64), or int8 (16, 16, 64)
    narrow: np.ndarray  # int16 (64, 64)
    page: np.ndarray  # int16 (32 * 64,)
    flipped: np.ndarray  # int8 (64,)
    x: np.ndarray  # int16 (64 patterns,)
    d: np.ndarray  # int8 (16, 32, 4)
    total: np.ndarray  # int32 (2, 32)


def _sweep_some(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    n_lanes, n_neurons = spins.shape
    n_blocks, n_twos = len(patterns.couplings), -(-n_lanes // LANES)
    n_pages, n_padded = patterns.signs_for_fields.shape[1], patterns.for_overlaps.shape[1]
    s = aligned((n_twos, n_blocks * BLOCK, LANES), np.int8)
    s[:] = 1
    _spread(spins, s)
    if n_pages:
        m = aligned((n_twos, PAGE * n_pages, LANES), np.int16)
        both = [(overlaps, m)]
    else:
        m = aligned((2 * n_twos, n_padded // 2, GROUP, 2), np.int16)
        both = [(overlaps[:, odd::2], m[..., odd]) for odd in range(2)]
    for by_lane, grouped in both:
        _spread(by_lane, grouped)
    own = aligned((n_blocks * BLOCK,), np.int32)
    own[:n_neurons] = diagonal
    counts = np.zeros((n_twos, LANES), np.int64)
    scratch = _Scratch(
        h=aligned((2, BLOCK, GROUP), np.int32),
        theta=aligned((BLOCK, GROUP), np.int32),
        before=aligned((BLOCK * LANES,), np.int8),
        pairs=aligned((SUB // 2, GROUP), np.int32),
        tables=aligned((PAGE // INDEX if n_pages else 0, 16, LANES), np.int16),
        narrow=aligned((BLOCK if n_pages else 0, LANES), np.int16),
        page=aligned((PAGE * LANES if n_pages else 0,), np.int16),
        flipped=aligned((LANES,), np.int8),
        x=aligned((BLOCK * n_padded,), np.int16),
        d=aligned((BLOCK // 4, GROUP, 4), np.int8),
        total=aligned((2, GROUP), np.int32),
    )
    _sweep(
        patterns,
        own,
        s,
        m.reshape(n_twos, -1),
        for_groups(draws, n_twos * LANES),
        first_sweep,
        n_sweeps,
        n_neurons,
        n_lanes,
        counts,
        scratch,
    )
    _gather(s, spins)
    for by_lane, grouped in both:
        _gather(grouped, by_lane)
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
    n_twos, n_sites, _ = s.shape
    n_blocks = n_sites // BLOCK
    spins = s.reshape(n_twos, n_blocks, BLOCK * LANES)
    row = 4 * GROUP
    s_at, h_at, theta_at = s.ctypes.data, scratch.h.ctypes.data, scratch.theta.ctypes.data
    pairs_at = scratch.pairs.ctypes.data
    keys, lanes, kind, scale, bound, _ = draws
    keys_at, lanes_at, scale_at = keys.ctypes.data, lanes.ctypes.data, scale.ctypes.data
    own_at, couplings_at = own.ctypes.data, patterns.couplings.ctypes.data
    is_signs = patterns.signs_for_fields.size > 0
    for sweep in range(first_sweep, first_sweep + n_sweeps):
        moving = 0
        for block in range(n_blocks):
            if not is_signs:
                _expand(patterns, block, scratch.x)
            inner = couplings_at + block * BLOCK * BLOCK * 2
            for two in range(n_twos):
                groups = min(2, (n_lanes - two * LANES + GROUP - 1) // GROUP)
                # 1. the fields before the block
                if is_signs:
                    _look_up_fields(patterns, block, m, two, groups, scratch)
                else:
                    _multiply_fields(m, two, groups, scratch)
                # 2. the visits
                state = spins[two, block]
                for k in range(state.size):
                    scratch.before[k] = state[k]
                moved = 0
                for z in range(groups):
                    group = 2 * two + z
                    fill_group(
                        scratch.theta,
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
                    spins_at = s_at + (two * n_sites + block * BLOCK) * LANES + z * GROUP
                    fields_at = h_at + z * BLOCK * row
                    for site in range(0, BLOCK, SUB):
                        later = site + SUB
                        for half in range(2):  # two chains of decisions, not waiting for each other
                            side = 64 * half
                            changes_at = pairs_at + half * SUB * GROUP
                            now = decide(
                                fields_at + site * row + side,
                                theta_at + site * row + side,
                                own_at + 4 * (block * BLOCK + site),
                                spins_at + site * LANES + 16 * half,
                                changes_at,
                                inner + 2 * (site * BLOCK + site),
                            )
                            moved |= now
                            if now != 0 and later < BLOCK:
                                carry(
                                    fields_at + later * row + side,
                                    changes_at,
                                    inner + 2 * (later * BLOCK + site),
                                    BLOCK - later,
                                )
                # 3. the overlaps after the block
                if moved != 0:
                    moving = 1
                    if is_signs:
                        _look_up_overlaps(patterns, block, state, m, two, groups, scratch)
                        for lane in range(LANES):
                            counts[two, lane] += scratch.flipped[lane]
                    else:
                        for z in range(groups):
                            _multiply_overlaps(patterns, block, state, m, two, z, scratch)
                            for lane in range(GROUP):
                                counts[two, z * GROUP + lane] += scratch.total[1, lane]
        if kind == NONE and moving == 0:
            break  # fixed points in all lanes: no later sweep would move


@compiled
def _look_up_fields(patterns, block, m, two, groups, scratch):
    """Fields of +-1 patterns: int16 sums as long as they fit for certain, then int32."""
    signs, h_at = patterns.signs_for_fields, scratch.h.ctypes.data
    tables_at, narrow_at = scratch.tables.ctypes.data, scratch.narrow.ctypes.data
    keep, size = 0, 0
    for page in range(signs.shape[1]):
        words_at = signs.ctypes.data + (block * signs.shape[1] + page) * BLOCK * 4
        page_at = m.ctypes.data + (two * m.shape[1] + page * PAGE * LANES) * 2
        own_size = build_overlap_tables(groups, page_at, tables_at)
        if size + own_size > 32767:
            widen(groups, narrow_at, h_at, keep, 0)
            keep, size = -1, 0
        if own_size <= 32767:
            look_up_fields(groups, words_at, tables_at, narrow_at)
            size += own_size
        else:  # the low and the high bytes of the overlaps fit
            whole = m[two, page * PAGE * LANES : (page + 1) * PAGE * LANES]
            for shift in (0, 8):
                for k in range(whole.size):
                    scratch.page[k] = whole[k] >> 8 if shift else whole[k] & 255
                build_overlap_tables(groups, scratch.page.ctypes.data, tables_at)
                look_up_fields(groups, words_at, tables_at, narrow_at)
                widen(groups, narrow_at, h_at, -1, shift)
    widen(groups, narrow_at, h_at, keep, 0)


@compiled
def _look_up_overlaps(patterns, block, state, m, two, groups, scratch):
    """Overlaps of +-1 patterns after the flips of a block."""
    signs, tables_at = patterns.signs_for_overlaps, scratch.tables.ctypes.data
    build_change_tables(
        groups,
        scratch.before.ctypes.data,
        state.ctypes.data,
        tables_at,
        scratch.flipped.ctypes.data,
    )
    look_up_overlaps(
        groups,
        signs.ctypes.data + block * signs.shape[1] * 8,
        tables_at,
        m.ctypes.data + two * m.shape[1] * 2,
        signs.shape[1],
    )


@compiled
def _expand(patterns, block, x):
    """The patterns of a block as int16."""
    source = patterns.for_fields.reshape(-1, x.size)[block]
    for k in range(x.size):
        x[k] = source[k]


@compiled
def _multiply_fields(m, two, groups, scratch):
    """Fields of other integers, eight sites at a time."""
    n_padded = scratch.x.size // BLOCK
    for z in range(groups):
        for site in range(0, BLOCK, TILE):
            fields_tile(
                scratch.x.ctypes.data + site * n_padded * 2,
                m.ctypes.data + (2 * two + z) * n_padded * GROUP * 2,
                scratch.h.ctypes.data + (z * BLOCK + site) * GROUP * 4,
                n_padded // 2,
            )


@compiled
def _multiply_overlaps(patterns, block, state, m, two, z, scratch):
    """Overlaps of other integers after the flips of a block in one group."""
    n_padded = patterns.for_overlaps.shape[1]
    d_at, total_at = scratch.d.ctypes.data, scratch.total.ctypes.data
    quads_of_changes(
        scratch.before.ctypes.data + z * GROUP, state.ctypes.data + z * GROUP, d_at, total_at
    )
    for lane in range(GROUP):
        scratch.total[0, lane] *= 2 * patterns.offset
    for p in range(0, n_padded, TILE):
        overlaps_tile(
            patterns.for_overlaps.ctypes.data + (block * (BLOCK // 4) * n_padded + p) * 4,
            n_padded * 4,
            d_at,
            total_at,
            m.ctypes.data + ((2 * two + z) * n_padded + p) * GROUP * 2,
        )


def _spread(by_lane, grouped):
    """(lane, place) into (group, place, lane of the group), where there are such."""
    count, n_places = grouped.shape[2], by_lane.shape[1]
    for group, to in enumerate(grouped):
        own = by_lane[group * count : (group + 1) * count]
        to[:n_places, : len(own)] = own.T


def _gather(grouped, by_lane):
    """Back from groups."""
    count, n_places = grouped.shape[2], by_lane.shape[1]
    for group, source in enumerate(grouped):
        own = by_lane[group * count : (group + 1) * count]
        own[...] = source[:n_places, : len(own)].T
