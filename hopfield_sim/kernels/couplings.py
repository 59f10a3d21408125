"""Sequential sweeps over any couplings J, one chain after another: incremental integer fields.

The fields of all sites are kept, so that a visit costs O(1), and a flip, which adds a row of J to
them, O(N). In fixed order 64 sites are visited at once:

1. their random words are drawn, and compared with three cuts: a word below a cut cannot give a
   threshold above that of the cut, so that most sites are seen not to flip without one;
2. where some site may flip, thresholds are computed and compared with the fields; the first site
   that flips does, its row is added to all fields, and the later ones are looked at again.

At low temperature, where few visits flip, this is the fastest form, also for patterns: their
couplings X X^T are int16, their fields are computed once a call, their overlaps after it from the
spins that changed (`sweep_patterns`).

Memory: 2 N^2 (int16) or 4 N^2 (int32) bytes for J, 4 N a call for the fields.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.chain import (
    BLOCK,
    CUTS,
    fields_block,
    first_bit,
    may_flip,
    overlaps_block,
    would_flip,
)
from hopfield_sim.kernels.draws import (
    fill_sweep,
    round_keys,
    thresholds_row,
    words_block,
)
from hopfield_sim.kernels.packed import Bits
from hopfield_sim.kernels.simd import aligned
from hopfield_sim.randomness import FIXED, LOGISTIC, NONE, RANDOM, limit

_CUTS = (2.0**-3, 2.0**-7, 2.0**-12)  # chances of a word above a cut


class Pairs(NamedTuple):
    """+-1 patterns with their couplings X X^T, diagonal included."""

    couplings: np.ndarray  # int16 (neuron, neuron)
    bits: Bits


def pairs(by_site: np.ndarray, bits: Bits) -> Pairs:
    """by_site: (neuron, pattern), +-1; bits: `packed.bits` of it. P <= 32767."""
    x = np.asarray(by_site, np.float32)
    couplings = aligned((len(x), len(x)), np.int16)
    for first in range(0, len(x), 1024):  # exact in float32: sums of P terms +-1
        couplings[first : first + 1024] = x[first : first + 1024] @ x.T
    return Pairs(couplings, bits)


def sweep_couplings(couplings, diagonal, spins, fields, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, `flip i when s_i H_i - d_i < theta_i`.

    couplings: int16 or int32 (neuron, neuron), row j holds the J_ij by which j acts on all i;
    diagonal: d_i, int32 or int64 (neuron,); spins: int8 (lane, neuron); fields: H, the type of
    diagonal (lane, neuron); draws: `randomness.Draws`; flips: int64 (lane,), added to.
    """
    if draws.order != FIXED or diagonal.dtype != np.int32:
        _one_by_one(couplings, diagonal, spins, fields, draws, first_sweep, n_sweeps, flips)
        return
    cuts, scratch = _cuts(draws), _scratch(diagonal)
    draws = draws._replace(key=round_keys(draws.key))
    _, _, own, s, h = scratch
    n_neurons = len(diagonal)
    own[:n_neurons] = diagonal
    for lane in range(len(spins)):
        s[:n_neurons] = spins[lane]
        h[:n_neurons] = fields[lane]
        flips[lane] += _sweep(couplings, draws, cuts, lane, first_sweep, n_sweeps, scratch)
        spins[lane] = s[:n_neurons]
        fields[lane] = h[:n_neurons]


def sweep_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, in fixed order, on `Pairs`; the rest as `packed.sweep_patterns`."""
    bits = patterns.bits
    n_neurons, n_patterns = len(diagonal), overlaps.shape[1]
    cuts, scratch = _cuts(draws), _scratch(diagonal)
    draws = draws._replace(key=round_keys(draws.key))
    *_, s, h = scratch
    m = aligned((bits.by_pattern.shape[1],), np.int16)
    planes = aligned(m.shape, np.uint8), aligned(m.shape, np.uint8)
    for lane in range(len(spins)):
        s[:n_neurons] = spins[lane]
        m[:] = 0
        m[:n_patterns] = overlaps[lane]
        _fields(bits, m, planes, h, n_neurons)
        flips[lane] += _sweep(patterns.couplings, draws, cuts, lane, first_sweep, n_sweeps, scratch)
        _overlaps(bits, spins[lane], s, m, planes)
        spins[lane] = s[:n_neurons]
        overlaps[lane] = m[:n_patterns]


def _cuts(draws) -> np.ndarray:
    """Word and threshold of each cut: int32 (lane, cut, 2); of no use but for logistic noise."""
    bound = float(limit(np.int32))
    cuts = np.empty((len(draws.scale), len(_CUTS), 2), np.int32)
    for c, chance in enumerate(_CUTS):
        word = np.uint32(2**32 * (1 - chance))
        # far beyond the error of a logit (3e-6) and of its product with the scale (2^-24)
        logit = np.log((1 - chance) / chance) + 1e-3
        cuts[:, c, 0] = word.view(np.int32)
        cuts[:, c, 1] = np.minimum(draws.scale.astype(float) * logit + 2, bound)
    if draws.kind != LOGISTIC:
        cuts[:, :, 1] = bound
    return cuts


def _scratch(diagonal) -> tuple[np.ndarray, ...]:
    """Words, thresholds, diagonal, spins, fields of one lane, padded by sites that never flip."""
    n_sites = -(-len(diagonal) // BLOCK) * BLOCK
    own, s = aligned((n_sites,), np.int32), aligned((n_sites,), np.int8)
    h = aligned((n_sites,), np.int32)
    own[: len(diagonal)] = diagonal
    s[:] = 1
    h[:] = 2**30  # no threshold is above
    return aligned((BLOCK,), np.uint32), aligned((BLOCK,), np.int32), own, s, h


@compiled
def _sweep(couplings, draws, cuts, lane, first_sweep, n_sweeps, scratch):
    """Sweeps of one lane on its fields; how many flips. All arrays stay alive in the caller."""
    words, theta, own, s, h = scratch
    keys, lanes, kind, scale, bound, _ = draws
    n_neurons = len(couplings)
    n_blocks = len(s) // BLOCK
    words_at, theta_at, own_at = words.ctypes.data, theta.ctypes.data, own.ctypes.data
    s_at, h_at = s.ctypes.data, h.ctypes.data
    keys_at, lane_at = keys.ctypes.data, lanes.ctypes.data + 8 * lane
    cuts_at = cuts.ctypes.data + 8 * CUTS * lane
    blocks_per_sweep = np.uint64((n_neurons + 3) // 4)
    everyone = ~np.uint64(0)
    flipped = 0
    theta[:] = 0
    for sweep in range(first_sweep, first_sweep + n_sweeps):
        before = flipped
        for block in range(n_blocks):
            h_block, s_block = h_at + block * BLOCK * 4, s_at + block * BLOCK
            own_block = own_at + block * BLOCK * 4
            if kind != NONE:
                first = np.uint64(sweep) * blocks_per_sweep + np.uint64(block * (BLOCK // 4))
                words_block(words_at, first, lane_at, keys_at)
            todo = everyone
            while True:
                candidates = todo
                if kind != NONE:
                    candidates &= may_flip(h_block, words_at, own_block, s_block, cuts_at)
                    if candidates == 0:
                        break
                    for quarter in range(4):
                        if candidates >> np.uint64(16 * quarter) & np.uint64(0xFFFF) != 0:
                            at = 64 * quarter
                            thresholds_row(words_at + at, theta_at + at, kind, scale[lane], bound)
                candidates &= would_flip(h_block, theta_at, own_block, s_block)
                if candidates == 0:
                    break
                k = first_bit(candidates)
                todo = (everyone - np.uint64(1)) << np.uint64(k)
                i = block * BLOCK + k
                s[i] = -s[i]
                flipped += 1
                row = couplings[i]
                if s[i] > 0:
                    for j in range(n_neurons):
                        h[j] += 2 * row[j]
                else:
                    for j in range(n_neurons):
                        h[j] -= 2 * row[j]
        if kind == NONE and flipped == before:
            break  # a fixed point: no later sweep would move
    return flipped


@compiled
def _fields(bits, m, planes, h, n_neurons):
    """h = X M of one lane; places beyond the neurons keep what they have."""
    low, high = planes
    n_blocks, n_padded = bits.by_pattern.shape
    for p in range(n_padded):
        biased = np.int32(m[p]) + np.int32(32768)
        low[p] = np.uint8(biased & 255)
        high[p] = np.uint8(biased >> 8)
    for block in range(n_blocks):
        fields_block(
            bits.by_site.ctypes.data + block * n_padded * 8,
            low.ctypes.data,
            high.ctypes.data,
            bits.offset.ctypes.data + block * BLOCK * 4,
            h.ctypes.data + block * BLOCK * 4,
            n_padded // 4,
        )
    h[n_neurons:] = 2**30


@compiled
def _overlaps(bits, before, after, m, planes):
    """m after the spins changed from `before` (neuron,) to `after` (site,)."""
    low, high = planes
    n_blocks, n_padded = bits.by_pattern.shape
    for block in range(n_blocks):
        first = block * BLOCK
        changed = np.uint64(0)
        for k in range(min(BLOCK, len(before) - first)):
            if before[first + k] != after[first + k]:
                changed |= np.uint64(1) << np.uint64(k)
        if changed != 0:
            overlaps_block(
                bits.by_pattern.ctypes.data + block * n_padded * 8,
                changed,
                after.ctypes.data + first,
                m.ctypes.data,
                low.ctypes.data,
                high.ctypes.data,
                n_padded // 64,
            )


@compiled
def _one_by_one(couplings, diagonal, spins, fields, draws, first_sweep, n_sweeps, flips):
    """The simple form: any order, any integers."""
    kind, order = draws.kind, draws.order
    n_neurons = len(couplings)
    words = np.empty(4 * ((n_neurons + 3) // 4), np.uint32)
    theta = np.zeros(n_neurons, diagonal.dtype)
    site_of_visit = np.arange(n_neurons)
    for lane in range(spins.shape[0]):
        s = spins[lane]
        h = fields[lane]
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            fill_sweep(theta, site_of_visit, words, draws, lane, sweep)
            before = flips[lane]
            for visit in range(n_neurons):
                i = site_of_visit[visit]
                if s[i] * h[i] - diagonal[i] < theta[visit]:
                    s[i] = -s[i]
                    row = couplings[i]
                    if s[i] > 0:
                        for j in range(n_neurons):
                            h[j] += 2 * row[j]
                    else:
                        for j in range(n_neurons):
                            h[j] -= 2 * row[j]
                    flips[lane] += 1
            if kind == NONE and order != RANDOM and flips[lane] == before:
                break  # a fixed point: no later sweep would move
