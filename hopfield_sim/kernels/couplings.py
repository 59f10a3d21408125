"""Sequential sweeps over any couplings J, one chain after another: incremental integer fields.

A visit costs O(1), an accepted flip O(N), memory O(N^2). Same trajectory as
`reference.sweep_couplings`.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.draws import fill_sites, fill_thresholds, fill_words
from hopfield_sim.randomness import DYNAMICS, NONE, ORDER, RANDOM


@compiled
def sweep_couplings(couplings, diagonal, spins, fields, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, `flip i when s_i H_i - d_i < theta_i`.

    couplings: int16 or int32 (neuron, neuron), row j holds the J_ij by which j acts on all i, zero
    diagonal; diagonal: d_i, int32 or int64 (neuron,); spins: int8 (lane, neuron); fields: H, the
    type of diagonal (lane, neuron); draws: `randomness.Draws`; flips: int64 (lane,), added to.
    """
    key, lanes, kind, scale, bound, order = draws
    n_neurons = len(couplings)
    words = np.empty(4 * ((n_neurons + 3) // 4), np.uint32)
    theta = np.zeros(n_neurons, diagonal.dtype)
    site_of_visit = np.arange(n_neurons)
    no_lane = np.zeros(2, np.uint32)
    for lane in range(spins.shape[0]):
        s = spins[lane]
        h = fields[lane]
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            if order == RANDOM:
                fill_words(words, key, ORDER, no_lane, sweep)
                fill_sites(site_of_visit, words)
            if kind != NONE:
                fill_words(words, key, DYNAMICS, lanes[lane], sweep)
                fill_thresholds(theta, words, kind, scale[lane], bound)
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
