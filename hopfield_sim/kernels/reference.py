"""Every sweep once more in plain NumPy, written to be read: the judge of all other forms.

A sweep visits sites and flips spin i when `s_i H_i < theta`, where H_i is the field in integer
units and theta = ceil(threshold) was drawn from the counter of (lane, sweep, visit). All numbers
are integers, so the order of a sum does not matter and any form can be compared flip by flip.

`diagonal` d_i is what the field must lose per spin value: H_i = (sum over the memory) - d_i s_i.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim import randomness
from hopfield_sim.randomness import DYNAMICS, ORDER, RANDOM


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
