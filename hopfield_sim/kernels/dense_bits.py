"""Dense networks of +-1 patterns, any table F: masked sums over bits, several sites ahead.

What a flip of site i costs is, with x = x_i^mu and S = S_mu,

    sum_mu F(S) - F(S - 2 s_i x) = B + (sum of D(S) over the patterns with x s_i = +1),
    D(S) = F(S+2) - F(S-2),   B = sum_mu F(S) - F(S+2)

so a visit is one sum of the array D over the bits of a row (over those not set where s_i = -1: the
total of D less that). D is kept beside the overlaps:

1. the masked sums of the next 8 sites, in one pass over D, as if none of them flipped;
2. the sites decide in order; the first that flips ends this: what comes after it is done again;
3. a flip moves the overlaps by 2 s_i x and looks D up again (as bytes in registers while N < 256);
   B follows without a look-up of its own: turning the spin back would cost the same with the other
   sign.

Ahead are 8 sites (16 while flips are rare and the planes leave the cache), or one where more than
one visit in ten flips. All sums are integers: the trajectory is that of `reference.sweep_dense`,
whatever was computed ahead.

D = base + step d with the common divisor taken out, and d is held as digits to base 256: two planes
of bytes for F = S^3 up to N = 511 (even) or 724 (odd), three for a real F, at most seven. Memory
of a lane: 2 bytes a pattern for the overlaps and one a plane; N K / 8 bytes for the rows:

    rows  bit [neuron][pattern]       overlaps  int16 [pattern]       planes  int8 [plane][pattern]

The order of the bits says `bits`. Patterns are padded to whole chunks by x = -1 on all sites.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels import dense
from hopfield_sim.kernels.bits import (
    PERMUTED,
    SITES,
    WORD,
    look_up_2,
    look_up_3,
    look_up_words,
    shift_tile,
    sums_2,
    sums_3,
)
from hopfield_sim.kernels.draws import fill_sweep
from hopfield_sim.kernels.simd import VBMI, aligned
from hopfield_sim.randomness import NONE, PARALLEL, RANDOM

AHEAD = 2 * SITES
"""Most sites whose costs are computed before they are visited."""

_RARE, _OFTEN = 0.03, 0.1  # acceptance up to which 16 and 8 sites ahead pay
_CACHED = 2**19  # bytes of planes up to which reading them twice costs nothing
_FEWEST = 128  # patterns from which on this form is the faster one
_MOST_WORDS = 32  # of a chunk: 16384 patterns, whose rows and planes stay in cache


class Bits(NamedTuple):
    """+-1 patterns as bits, and what the energy is made of."""

    rows: np.ndarray  # uint8 (neuron, chunk, 64 n_words), bits set where x_i^k = +1
    ones: np.ndarray  # int64 (neuron,), how many bits are set
    table: np.ndarray  # int64, F(S) at S + N
    constant: np.ndarray  # int64, F(S) - F(S+2) at S + N
    d: np.ndarray  # uint32 (1 or 2, overlap), digits 0-3 and 4-7 of d(S) at S + N
    digits: np.ndarray  # int8 (plane, 256) of d(S) at (S + N) / 2; (0, 256) where N > 255
    base: int  # D = base + step d
    step: int
    n_patterns: int
    n_planes: int  # digits of d


def suits(n_neurons: int, n_patterns: int) -> bool:
    """Whether this form is possible (int16 overlaps, int32 sums of bytes) and the faster one."""
    return n_neurons <= 32_000 and _FEWEST <= n_patterns <= 2**26


def packed(by_site: np.ndarray, table: np.ndarray) -> Bits | None:
    """by_site: +-1 (neuron, pattern); table: F(S) at S + N. None where d has more than 7 digits."""
    n_neurons, n_patterns = by_site.shape
    f = table[::2]
    d = np.zeros(len(f), np.int64)
    d[1:-1] = f[2:] - f[:-2]
    if len(f) > 2:  # F beyond its ends is free (it cancels): D goes on there
        d[0], d[-1] = d[1], d[-2]
    base = int(d.min())
    step = max(1, int(np.gcd.reduce(d - base)))
    d = (d - base) // step
    n_planes = max(2, -(-int(d.max()).bit_length() // 8))
    if n_planes > 7:
        return None
    after = np.append(f[1:], base + step * int(d[-1]) + f[-2])
    n_chunks, n_words = _chunks(n_patterns)
    padded = np.zeros((n_neurons, n_chunks * n_words * 512), bool)
    padded[:, :n_patterns] = by_site > 0
    rows = aligned((n_neurons, n_chunks, n_words * WORD), np.uint8)
    padded = padded.reshape(n_neurons, n_chunks, 8, n_words * WORD)
    rows[:] = np.packbits(padded, axis=2, bitorder="little")[:, :, 0]
    # digits 0 ... 255 as bytes -128 ... 127; the base takes what they lack (modulo 2^64, in which
    # all sums are done: what counts is that costs fit)
    centre = base + step * 128 * ((256**n_planes - 1) // 255)
    centre = (centre + 2**63) % 2**64 - 2**63
    digits = d ^ 0x8080808080808080 - 2**64
    small = np.zeros((n_planes if len(f) <= PERMUTED else 0, PERMUTED), np.int8)
    for plane in range(len(small)):
        small[plane, : len(f)] = (digits >> 8 * plane).astype(np.int8)
    halves = [digits & 0xFFFFFFFF, digits >> 32 & 0xFFFFFFFF][: 1 + (n_planes > 4)]
    return Bits(
        rows,
        np.count_nonzero(by_site > 0, axis=1).astype(np.int64),
        table,
        _every_other(f - after, np.int64),
        np.stack([_every_other(half, np.uint32) for half in halves]),
        small,
        centre,
        step,
        n_patterns,
        n_planes,
    )


def _chunks(n_patterns: int) -> tuple[int, int]:
    """Number of chunks and words of 64 bytes in each: as few places as possible are padding."""
    n_words = -(-n_patterns // 512)
    n_chunks = -(-n_words // _MOST_WORDS)
    return n_chunks, -(-n_words // n_chunks)


def _every_other(values: np.ndarray, dtype) -> np.ndarray:
    """Values at the overlaps that occur as a table of all."""
    out = np.zeros(2 * len(values) - 1, dtype)
    out[::2] = values
    return out


def unpacked(patterns: Bits) -> dense.Network:
    """The same network for the general form and the reference."""
    bits = np.unpackbits(patterns.rows[:, :, None], axis=2, bitorder="little")
    bits = bits.reshape(len(patterns.rows), -1)[:, : patterns.n_patterns]
    by_site = 2 * bits.astype(np.int8) - 1
    return dense.network(by_site, dense.TABLE, len(by_site), patterns.table)


def sweep_dense(network, diagonal, spins, memory, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, any order; `network` is `Bits`, the rest as `dense.sweep_dense`."""
    n_padded = network.rows[0].size * 8
    scratch = (
        aligned((n_padded,), np.int16),
        aligned((network.n_planes, n_padded), np.int8),
        aligned((AHEAD // SITES, network.n_planes, SITES), np.int64),
        np.zeros(AHEAD, np.int64),
    )
    _sweep(network, spins, memory, draws, first_sweep, n_sweeps, flips, scratch)


@compiled
def _sweep(network, spins, memory, draws, first_sweep, n_sweeps, flips, scratch):
    """All arrays stay alive in the caller: this function works on their addresses."""
    kind, order = draws.kind, draws.order
    m, planes, sums, addresses = scratch
    n_neurons = spins.shape[1]
    words = np.empty(4 * ((n_neurons + 3) // 4), np.uint32)
    theta = np.zeros(n_neurons, np.int64)
    site_of_visit = np.arange(n_neurons)
    costs = np.empty(AHEAD, np.int64)
    moved = np.empty(n_neurons, np.int64)
    rows_at, row = network.rows.ctypes.data, network.rows[0].size
    n_patterns = network.n_patterns
    for lane in range(spins.shape[0]):
        s = spins[lane]
        m[:n_patterns] = memory[lane]
        m[n_patterns:] = -s.sum()
        constant = total = np.int64(0)
        is_begun = False
        flipped = 0
        rate = 0.0
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            fill_sweep(theta, site_of_visit, words, draws, lane, sweep)
            if not is_begun:
                constant, total = _begun(network, m, planes, sums)
                is_begun = True
            n_moved = 0
            visit = 0
            while visit < n_neurons:
                ahead = n_neurons - visit
                far = AHEAD if planes.size > _CACHED and rate < _RARE else SITES
                if order != PARALLEL and (rate > _OFTEN or ahead < 3):
                    far = 1
                ahead = min(ahead, far)
                for k in range(AHEAD):  # places beyond the last site repeat it
                    addresses[k] = rows_at + row * site_of_visit[visit + min(k, ahead - 1)]
                _masked_sums(network, addresses, planes, sums, ahead)
                for k in range(ahead):
                    i = site_of_visit[visit + k]
                    part = _whole(network, i, sums[k // SITES, :, k % SITES])
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
                            constant, total = _turned(network, m, planes, sums, i, s[i], costs[k])
                            done = k + 1
                            break
                rate *= 1 - done / 32
                visit += done
            if order == PARALLEL and n_moved > 0:
                for i in moved[:n_moved]:
                    s[i] = -s[i]
                    _shift(network, m, i, s[i])
                is_begun = False
            flipped += n_moved
            if kind == NONE and order != RANDOM and n_moved == 0:
                break  # a fixed point: no later sweep would move
        memory[lane] = m[:n_patterns]
        flips[lane] += flipped


@compiled
def _whole(network, i, digit_sums):
    """The sum of D over the bits of row i, from the sums of the digits of d."""
    value = np.int64(0)
    for plane in range(network.n_planes):
        value += digit_sums[plane] << (8 * plane)
    return network.base * network.ones[i] + network.step * value


@compiled
def _takes_three(left):
    """Planes are taken by threes and twos: whether three are next."""
    return left == 3 or left > 4


@compiled
def _masked_sums(network, addresses, planes, sums, ahead):
    """sums: int64 (site / 8, plane, 8), digits of d summed over the bits of the rows."""
    n_planes, n_padded = planes.shape
    at, planes_at, sums_at = addresses.ctypes.data, planes.ctypes.data, sums.ctypes.data
    sums[:] = 0
    _, n_chunks, row = network.rows.shape
    n_words = row // WORD
    block = 1 if ahead > SITES else n_chunks
    for first in range(0, n_chunks, block):
        count = min(block, n_chunks - first)
        for group in range((ahead + SITES - 1) // SITES):
            rows = at + 8 * SITES * group
            plane = 0
            while plane < n_planes:
                digits = planes_at + plane * n_padded + 8 * row * first
                to = sums_at + 8 * SITES * (group * n_planes + plane)
                offset, left = first * row, n_planes - plane
                if _takes_three(left):
                    sums_3(rows, offset, digits, n_padded, to, count, n_words, ahead > 1)
                    plane += 3
                else:
                    sums_2(rows, offset, digits, n_padded, to, count, n_words, ahead > 1)
                    plane += 2


@compiled
def _look_up(network, i, m, planes, sums):
    """Looks up d of all overlaps; returns the sums of D over all patterns and the bits of row i."""
    n_planes, n_padded = planes.shape
    n_neurons, n_chunks, row = network.rows.shape
    row_at = network.rows.ctypes.data + n_chunks * row * i
    m_at, planes_at, sums_at = m.ctypes.data, planes.ctypes.data, sums.ctypes.data
    both = sums.reshape(-1)[: 2 * n_planes].reshape(n_planes, 2)
    both[:] = 0
    n_words = row // WORD
    if VBMI and len(network.digits) > 0:
        plane = 0
        while plane < n_planes:
            table = network.digits.ctypes.data + PERMUTED * plane
            digits, to = planes_at + plane * n_padded, sums_at + 16 * plane
            rest = (n_neurons, to, n_chunks, n_words)
            if _takes_three(n_planes - plane):
                look_up_3(row_at, m_at, digits, n_padded, 3, table, *rest)
                plane += 3
            else:
                look_up_2(row_at, m_at, digits, n_padded, 2, table, *rest)
                plane += 2
    else:
        for half in range(len(network.d)):
            table = network.d.ctypes.data + 4 * ((2 * n_neurons + 1) * half + n_neurons)
            digits, to = planes_at + 4 * half * n_padded, sums_at + 64 * half
            count = min(4, n_planes - 4 * half)
            look_up_words(row_at, m_at, digits, n_padded, count, table, 0, to, n_chunks, n_words)
    total = np.int64(0)
    for plane in range(n_planes):
        last = np.int64(planes[plane, n_padded - 1])  # the padding is all alike
        total += (both[plane, 0] - (n_padded - network.n_patterns) * last) << (8 * plane)
    total = network.base * network.n_patterns + network.step * total
    return total, _whole(network, i, both[:, 1])


@compiled
def _begun(network, m, planes, sums):
    """Begins with overlaps m: fills the planes; returns B and the sum of D."""
    constant = np.int64(0)
    for k in range(network.n_patterns):
        constant += network.constant[np.uint64(m[k] + len(network.ones))]
    total, _ = _look_up(network, np.int64(0), m, planes, sums)
    return constant, total


@compiled
def _turned(network, m, planes, sums, i, spin, cost):
    """After s_i has become `spin` at this cost: moves m and the planes; returns B, sum of D."""
    _shift(network, m, i, spin)
    total, part = _look_up(network, i, m, planes, sums)
    return -cost - (part if spin > 0 else total - part), total


@compiled
def _shift(network, m, i, spin):
    """The overlaps after s_i has become `spin`."""
    _, n_chunks, row = network.rows.shape
    row_at = network.rows.ctypes.data + n_chunks * row * i
    shift_tile(row_at, m.ctypes.data, np.int16(2 * spin), n_chunks, row // WORD)
