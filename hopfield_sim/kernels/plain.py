"""Sequential sweeps over patterns, one chain after another: the simple form, on any processor.

Shared by all forms of this sweep (same arguments, same trajectory; `reference.sweep_patterns` is
the judge): a visit costs O(P), an accepted flip O(P) more, memory O(N P).
"""

from __future__ import annotations

import numpy as np

from hopfield_sim.device import compiled
from hopfield_sim.kernels.draws import fill_sweep
from hopfield_sim.randomness import NONE, RANDOM


@compiled
def sweep_patterns(patterns, diagonal, spins, overlaps, draws, first_sweep, n_sweeps, flips):
    """Sweeps in place, `flip i when s_i (sum_mu x_i^mu M_mu - d_i s_i) < theta_i`.

    patterns: int8 or wider (neuron, pattern), stored by site; diagonal: d_i, int32 or int64
    (neuron,), its type is that of the fields; spins: int8 (lane, neuron); overlaps: M, int16 or
    wider (lane, pattern); draws: `randomness.Draws`; flips: int64 (lane,), counts added.
    """
    kind, order = draws.kind, draws.order
    n_neurons, n_patterns = patterns.shape
    wide = diagonal.dtype.type
    padded = 4 * ((n_neurons + 3) // 4)
    words = np.empty(padded, np.uint32)
    theta = np.empty(n_neurons, diagonal.dtype)
    site_of_visit = np.arange(n_neurons)
    theta[:] = 0
    for lane in range(spins.shape[0]):
        s = spins[lane]
        m = overlaps[lane]
        flipped = 0
        for sweep in range(first_sweep, first_sweep + n_sweeps):
            fill_sweep(theta, site_of_visit, words, draws, lane, sweep)
            before = flipped
            for visit in range(n_neurons):
                i = site_of_visit[visit]
                x = patterns[i]
                field = wide(0)
                for p in range(n_patterns):
                    field = wide(field + wide(x[p]) * wide(m[p]))
                if s[i] * field - diagonal[i] < theta[visit]:
                    flipped += 1
                    s[i] = -s[i]
                    if s[i] > 0:
                        for p in range(n_patterns):
                            m[p] += 2 * x[p]
                    else:
                        for p in range(n_patterns):
                            m[p] -= 2 * x[p]
            if kind == NONE and order != RANDOM and flipped == before:
                break  # a fixed point: no later sweep would move
        flips[lane] += flipped
