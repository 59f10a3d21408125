"""All neurons at once (Little): every decision of a step uses the state before it.

One chain after another: the simple forms, on any processor, for any integers; same trajectories as
`reference.step_patterns` and `step_couplings`. Many lanes on one pattern set: `parallel_lanes`.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.draws import fill_sweep
from hopfield_sim.randomness import NONE


@compiled
def step_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Steps in place over patterns, O(N P) each; arguments as `plain.sweep_patterns`."""
    kind = draws.kind
    n_neurons, n_patterns = patterns.shape
    wide = diagonal.dtype.type
    words = np.empty(4 * ((n_neurons + 3) // 4), np.uint32)
    theta = np.zeros(n_neurons, diagonal.dtype)
    in_order = np.arange(n_neurons)
    moved = np.empty(n_neurons, np.int64)
    for lane in range(spins.shape[0]):
        s = spins[lane]
        m = overlaps[lane]
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            fill_sweep(theta, in_order, words, draws, lane, sweep)
            n_moved = 0
            for i in range(n_neurons):
                x = patterns[i]
                field = wide(0)
                for p in range(n_patterns):
                    field = wide(field + wide(x[p]) * wide(m[p]))
                if s[i] * field - diagonal[i] < theta[i]:
                    moved[n_moved] = i
                    n_moved += 1
            for i in moved[:n_moved]:
                s[i] = -s[i]
                for p in range(n_patterns):
                    m[p] += 2 * s[i] * patterns[i, p]
            flips[lane] += n_moved
            if kind == NONE and n_moved == 0:
                break  # a fixed point: no later step would move


@compiled
def step_couplings(couplings, diagonal, spins, fields, draws, first_sweep, n_sweeps, flips):
    """Steps in place over couplings, O(N) a flip; arguments as `couplings.sweep_couplings`."""
    kind = draws.kind
    n_neurons = len(couplings)
    words = np.empty(4 * ((n_neurons + 3) // 4), np.uint32)
    theta = np.zeros(n_neurons, diagonal.dtype)
    in_order = np.arange(n_neurons)
    moved = np.empty(n_neurons, np.int64)
    for lane in range(spins.shape[0]):
        s = spins[lane]
        h = fields[lane]
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            fill_sweep(theta, in_order, words, draws, lane, sweep)
            n_moved = 0
            for i in range(n_neurons):
                if s[i] * h[i] - diagonal[i] < theta[i]:
                    moved[n_moved] = i
                    n_moved += 1
            for i in moved[:n_moved]:
                s[i] = -s[i]
                for j in range(n_neurons):
                    h[j] += 2 * s[i] * couplings[i, j]
            flips[lane] += n_moved
            if kind == NONE and n_moved == 0:
                break  # a fixed point: no later step would move
