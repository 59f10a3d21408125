"""Every sweep once more in plain NumPy, written to be read: the judge of all other forms.

A sweep visits sites and flips spin i when `s_i H_i < theta`, where H_i is the field in integer
units and theta = ceil(threshold) was drawn from the counter of (lane, sweep, visit). All numbers
are integers, so the order of a sum does not matter and any form can be compared flip by flip.

`diagonal` d_i is what the field must lose per spin value: H_i = (sum over the memory) - d_i s_i.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim import randomness
from hopfield_sim.kernels.dense import LOGARITHM, SYMMETRIC, TABLE
from hopfield_sim.randomness import DYNAMICS, NONE, ORDER, PARALLEL, RANDOM


def _thresholds(draws, lane, sweep, diagonal):
    n_neurons = len(diagonal)
    blocks = randomness.blocks_per_sweep(n_neurons)
    words = randomness.words(draws.key, DYNAMICS, draws.lanes[lane], sweep * blocks, blocks)
    theta = randomness.thresholds(words[:n_neurons], draws.kind, draws.scale[lane], diagonal.dtype)
    return theta.astype(np.int64)


def _visits(draws, sweep, n_neurons):
    if draws.order != RANDOM:
        return np.arange(n_neurons)
    blocks = randomness.blocks_per_sweep(n_neurons)
    words = randomness.words(draws.key, ORDER, np.zeros(2, np.uint32), sweep * blocks, blocks)
    return randomness.sites(words[:n_neurons], n_neurons)


def sweep_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """One site after another; the memory is the overlaps M_mu = sum_i x_i^mu s_i."""
    n_neurons = len(patterns)
    x = patterns.astype(np.int64)
    for lane, s in enumerate(spins):
        m = overlaps[lane].astype(np.int64)
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            theta = _thresholds(draws, lane, sweep, diagonal)
            for visit, i in enumerate(_visits(draws, sweep, n_neurons)):
                field = x[i] @ m - int(diagonal[i]) * int(s[i])
                if s[i] * field < theta[visit]:
                    s[i] = -s[i]
                    m += 2 * int(s[i]) * x[i]
                    flips[lane] += 1
        overlaps[lane] = m


def sweep_couplings(couplings, diagonal, spins, fields, draws, first_sweep, n_sweeps, flips):
    """One site after another; the memory is the fields. couplings[j, i] is J_ij: j acts on i."""
    n_neurons = len(couplings)
    for lane, s in enumerate(spins):
        h = fields[lane].astype(np.int64)
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            theta = _thresholds(draws, lane, sweep, diagonal)
            for visit, i in enumerate(_visits(draws, sweep, n_neurons)):
                if s[i] * (h[i] - int(diagonal[i]) * int(s[i])) < theta[visit]:
                    s[i] = -s[i]
                    h += 2 * int(s[i]) * couplings[i].astype(np.int64)
                    flips[lane] += 1
        fields[lane] = h


def step_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """All sites at once (Little): every decision uses the state before the step."""
    x = patterns.astype(np.int64)
    for lane in range(len(spins)):
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            s = spins[lane].astype(np.int64)
            theta = _thresholds(draws, lane, sweep, diagonal)
            flip = s * (x @ (x.T @ s) - diagonal * s) < theta
            spins[lane] = np.where(flip, -s, s)
            flips[lane] += flip.sum()
        overlaps[lane] = x.T @ spins[lane].astype(np.int64)


def step_couplings(couplings, diagonal, spins, fields, draws, first_sweep, n_sweeps, flips):
    """All sites at once; the memory is the fields."""
    j = couplings.astype(np.int64)
    for lane in range(len(spins)):
        h = fields[lane].astype(np.int64)
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            s = spins[lane].astype(np.int64)
            theta = _thresholds(draws, lane, sweep, diagonal)
            flip = s * (h - diagonal * s) < theta
            spins[lane] = np.where(flip, -s, s)
            h += -2 * (s * flip) @ j
            flips[lane] += flip.sum()
        fields[lane] = h


def sweep_dense(network, diagonal, spins, memory, draws, first_sweep, n_sweeps, flips):
    """Dense networks: what a flip costs is the energy of all patterns after it less that before."""
    n_neurons, n_patterns = network.by_site.shape
    for lane, s in enumerate(spins):
        cold = draws.kind == NONE or draws.scale[lane] == 0
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            theta = _thresholds(draws, lane, sweep, diagonal)
            turned = []
            for visit, i in enumerate(_visits(draws, sweep, n_neurons)):
                after = s.astype(np.int64)
                after[i] *= -1
                cost = dense_energy(network, after, cold) - dense_energy(network, s, cold)
                if network.kind == SYMMETRIC:
                    cost //= 2  # always even, and its unit is twice that of the others
                if cost < theta[visit]:
                    turned.append(i)
                    if draws.order != PARALLEL:
                        s[i] = -s[i]
            if draws.order == PARALLEL:
                s[turned] *= -1
            flips[lane] += len(turned)
        x = network.by_site.astype(np.int64)
        rows = memory.shape[1] // n_patterns
        memory[lane] = np.concatenate([(x ** (2 * r + 1)).T @ s for r in range(rows)])


def dense_energy(network, s, cold=False) -> int:
    """Energy of one state of a dense network in integer units (of levels where `cold`)."""
    y = network.by_site.astype(np.int64) * np.asarray(s, np.int64)[:, None]
    overlaps = y.sum(axis=0)
    if network.kind == TABLE:
        return -int(network.table[overlaps + network.largest].sum())
    if network.kind == SYMMETRIC:  # e_P: the coefficient of t^P in the product of all 1 + t y_i
        e = np.zeros((network.order + 1, y.shape[1]), np.int64)
        e[0] = 1
        for site in y:
            e[1:] += e[:-1] * site
        return -int(e[-1].sum())
    top = int(overlaps.max())
    level = network.slope * top + _log2(int(network.table[top - overlaps].sum()))
    if network.kind == LOGARITHM or cold:
        return -level
    whole, fraction = divmod(
        level - network.slope * network.largest - _log2(int(network.table[0])), 2**30
    )
    place, rest = divmod(fraction, 2**18)
    low, high = (int(network.powers[place + k]) for k in (0, 1))
    value = low + (high - low) * rest // 2**18
    shift = whole + network.scale - 30
    return -(value << shift if shift >= 0 else value >> -shift)


def _log2(z: int) -> int:
    """2^30 log2 z by repeated squaring of a number of 32 bits, digits cut off."""
    digits = z.bit_length() - 1
    y = z << 31 >> digits
    for _ in range(30):
        y = y * y >> 31
        carry = y >> 32
        y >>= carry
        digits = 2 * digits + carry
    return digits
