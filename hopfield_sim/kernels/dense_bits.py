"""Dense networks of +-1 patterns, any table F: masked sums over bits, several sites ahead.

What a flip of site i costs is, with x = x_i^mu and S = S_mu,

    sum_mu F(S) - F(S - 2 s_i x) = B + (sum of D(S) over the patterns with x s_i = +1),
    D(S) = F(S+2) - F(S-2),   B = sum_mu F(S) - F(S+2)

so a visit is one sum of the array D over the bits of a row (over those not set where s_i = -1: the
total of D less that). D is kept beside the overlaps:

1. the masked sums of the next 8 sites, in one pass over D, as if none of them flipped;
2. the sites decide in order; the first that flips ends this: what comes after it is done again;
3. a flip moves the overlaps by 2 s_i x and looks D up again; B follows without a look-up of its
   own, as turning the spin back would cost the same with the other sign.

Where more than one visit in ten flips, sites are taken one at a time. All sums are integers: the
trajectory is that of `reference.sweep_dense`, whatever was computed ahead.

Memory of a lane: overlaps int16 and D int16 or int32, 4 or 6 bytes a pattern; patterns N K / 8:

    rows  bit [neuron][pattern]       overlaps  int16 [pattern]       d  int16 or int32 [pattern]

D = base + step d: with the common divisor and the centre taken out, d is int16 for F = S^3 up to
N = 511 (even) or 724 (odd). Patterns are padded to whole steps of 64 by x = -1 on all sites.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels import dense
from hopfield_sim.kernels.bits import STEP, moved_16, moved_32, sums_16, sums_32
from hopfield_sim.kernels.draws import fill_sites, fill_thresholds, fill_words
from hopfield_sim.randomness import DYNAMICS, NONE, ORDER, PARALLEL, RANDOM

AHEAD = 8
"""Sites whose costs are computed in one pass."""

_OFTEN = 0.1  # acceptance above which sites are taken one at a time
_LARGEST = 2**28  # |d| in int32, so that sums of two steps fit


class Bits(NamedTuple):
    """+-1 patterns as bits, and what the energy is made of."""

    rows: np.ndarray  # uint8 (neuron, bytes), bit k set where x_i^k = +1
    ones: np.ndarray  # int64 (neuron,), how many bits are set
    table: np.ndarray  # int64, F(S) at S + N
    constant: np.ndarray  # int64, F(S) - F(S+2) at S + N
    d: np.ndarray  # int32, d(S) at S + N
    base: int  # D = base + step d
    step: int
    n_patterns: int
    narrow: bool  # whether d is kept as int16


def packed(by_site: np.ndarray, table: np.ndarray) -> Bits | None:
    """by_site: +-1 (neuron, pattern); table: F(S) at S + N. None where integers do not fit."""
    n_neurons, n_patterns = by_site.shape
    if n_neurons > 32_000:  # overlaps are int16, with some room
        return None
    f = table[::2]
    d = np.zeros(len(f), np.int64)
    d[1:-1] = f[2:] - f[:-2]
    if len(f) > 2:  # F beyond its ends is free (it cancels): D goes on there
        d[0], d[-1] = d[1], d[-2]
    low = int(d.min())
    step = max(1, int(np.gcd.reduce(d - low)))
    base = low + step * ((int(d.max()) - low) // step // 2)
    d = (d - base) // step
    size = int(np.abs(d).max())
    if size > _LARGEST:
        return None
    after = np.append(f[1:], base + step * int(d[-1]) + f[-2])
    rows = np.zeros((n_neurons, -(-n_patterns // 512) * 64), np.uint8)
    bits = np.packbits(by_site > 0, axis=1, bitorder="little")
    rows[:, : bits.shape[1]] = bits
    aligned_rows = aligned(rows.shape, np.uint8)
    aligned_rows[:] = rows
    return Bits(
        aligned_rows,
        np.count_nonzero(by_site > 0, axis=1).astype(np.int64),
        table,
        _every_other(f - after, np.int64),
        _every_other(d, np.int32),
        base,
        step,
        n_patterns,
        size < 2**15,
    )


def _every_other(values: np.ndarray, dtype) -> np.ndarray:
    """Values at the overlaps that occur as a table of all."""
    out = np.zeros(2 * len(values) - 1, dtype)
    out[::2] = values
    return out


def unpacked(patterns: Bits) -> dense.Network:
    """The same network for the general form and the reference."""
    bits = np.unpackbits(patterns.rows, axis=1, count=patterns.n_patterns, bitorder="little")
    by_site = 2 * bits.astype(np.int8) - 1
    return dense.network(by_site, dense.TABLE, len(by_site), patterns.table)


def aligned(shape: tuple[int, ...], dtype) -> np.ndarray:
    """Zeros that begin at a cache line."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    raw = np.zeros(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(dtype).reshape(shape)


def sweep_dense(network, diagonal, spins, memory, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, any order; `network` is `Bits`, the rest as `dense.sweep_dense`."""
    n_steps = -(-network.n_patterns // STEP)
    scratch = (
        aligned((n_steps * STEP,), np.int16),
        aligned((n_steps * STEP,), np.int16 if network.narrow else np.int32),
        aligned((AHEAD, 8), np.int64),
        np.zeros(AHEAD, np.int64),
    )
    _sweep(network, spins, memory, draws, first_sweep, n_sweeps, flips, scratch)


@compiled
def _sweep(network, spins, memory, draws, first_sweep, n_sweeps, flips, scratch):
    """All arrays stay alive in the caller: this function works on their addresses."""
    key, lanes, kind, scale, bound, order = draws
    m, d, sums, addresses = scratch
    n_neurons = spins.shape[1]
    words = np.empty(4 * ((n_neurons + 3) // 4), np.uint32)
    theta = np.zeros(n_neurons, np.int64)
    site_of_visit = np.arange(n_neurons)
    no_lane = np.zeros(2, np.uint32)
    costs = np.empty(AHEAD, np.int64)
    moved = np.empty(n_neurons, np.int64)
    rows_at, row = network.rows.ctypes.data, network.rows.shape[1]
    n_patterns = network.n_patterns
    for lane in range(spins.shape[0]):
        s = spins[lane]
        m[:n_patterns] = memory[lane]
        m[n_patterns:] = -s.sum()
        constant, total = _begun(network, m, d)
        flipped = 0
        rate = 0.0
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            if order == RANDOM:
                fill_words(words, key, ORDER, no_lane, sweep)
                fill_sites(site_of_visit, words)
            if kind != NONE:
                fill_words(words, key, DYNAMICS, lanes[lane], sweep)
                fill_thresholds(theta, words, kind, scale[lane], bound)
            n_moved = 0
            visit = 0
            while visit < n_neurons:
                ahead = n_neurons - visit
                if ahead > AHEAD:
                    ahead = AHEAD
                if (ahead < 3 or rate > _OFTEN) and order != PARALLEL:
                    ahead = 1
                for k in range(AHEAD):  # places beyond the last site repeat it
                    addresses[k] = rows_at + row * site_of_visit[visit + min(k, ahead - 1)]
                _masked_sums(network, addresses, d, sums, ahead > 1)
                for k in range(ahead):
                    i = site_of_visit[visit + k]
                    part = network.base * network.ones[i] + network.step * sums[k].sum()
                    costs[k] = constant + (part if s[i] > 0 else total - part)
                done = ahead
                for k in range(ahead):
                    if costs[k] < theta[visit + k]:
                        i = site_of_visit[visit + k]
                        moved[n_moved] = i
                        n_moved += 1
                        rate += 1 / 32
                        if order != PARALLEL:
                            s[i] = -s[i]
                            constant, total = _turned(network, m, d, sums, i, s, costs[k])
                            done = k + 1
                            break
                rate *= 1 - done / 32
                visit += done
            if order == PARALLEL and n_moved > 0:
                for i in moved[:n_moved]:
                    s[i] = -s[i]
                    for k in range(m.size):
                        set_ = (network.rows[i, k >> 3] >> (k & 7)) & 1
                        m[k] += 2 * s[i] * (2 * np.int16(set_) - 1)
                constant, total = _begun(network, m, d)
            flipped += n_moved
            if kind == NONE and order != RANDOM and n_moved == 0:
                break  # a fixed point: no later sweep would move
        memory[lane] = m[:n_patterns]
        flips[lane] += flipped


@compiled
def _begun(network, m, d):
    """Looks up d of all overlaps; returns B and the sum of D, without the padding."""
    n_neurons = len(network.ones)
    constant = total = np.int64(0)
    for k in range(m.size):
        d[k] = network.d[np.uint64(m[k] + n_neurons)]
    for k in range(network.n_patterns):
        total += d[k]
        constant += network.constant[np.uint64(m[k] + n_neurons)]
    return constant, network.base * network.n_patterns + network.step * total


@compiled
def _chunk(network):
    """How many steps of 64 patterns, four to a 32-bit place, sum up without leaving int32."""
    largest = max(1, max(-np.int64(network.d.min()), np.int64(network.d.max())))
    return min((2**31 - 1) // (4 * largest), 1 << 14)


@compiled
def _masked_sums(network, addresses, d, sums, several):
    """sums: int64 (8 sites, 8), parts of the sums of d over the bits of the rows."""
    n_steps = d.size // STEP
    chunk = _chunk(network)
    at, sums_at, d_at = addresses.ctypes.data, sums.ctypes.data, d.ctypes.data
    sums[:] = 0
    for first in range(0, n_steps, chunk):
        count = min(chunk, n_steps - first)
        if network.narrow:
            sums_16(at, 8 * first, d_at + 2 * STEP * first, sums_at, count, several)
        else:
            sums_32(at, 8 * first, d_at + 4 * STEP * first, sums_at, count, several)


@compiled
def _turned(network, m, d, sums, i, s, cost):
    """After s_i has been turned at this cost: moves m and d; returns B and the sum of D."""
    n_steps = d.size // STEP
    chunk = _chunk(network)
    n_neurons = len(network.ones)
    row_at = network.rows.ctypes.data + network.rows.shape[1] * i
    m_at, d_at, sums_at = m.ctypes.data, d.ctypes.data, sums.ctypes.data
    centre = network.d.ctypes.data + 4 * n_neurons
    sums[:2] = 0
    for first in range(0, n_steps, chunk):
        count = min(chunk, n_steps - first)
        row, part = row_at + 8 * first, m_at + 2 * STEP * first
        twice = np.int16(2 * s[i])
        if network.narrow:
            moved_16(row, part, d_at + 2 * STEP * first, centre, twice, sums_at, count)
        else:
            moved_32(row, part, d_at + 4 * STEP * first, centre, twice, sums_at, count)
    padding = (d.size - network.n_patterns) * np.int64(d[d.size - 1])
    total = network.base * network.n_patterns + network.step * (sums[0].sum() - padding)
    part = network.base * network.ones[i] + network.step * sums[1].sum()
    return -cost - (part if s[i] > 0 else total - part), total
