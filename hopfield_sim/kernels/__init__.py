"""How one sweep is computed: one form a file, and the one door through which models call them.

================  ========  ================================================================
form              memory    serves
================  ========  ================================================================
`reference`       any       every sweep, in plain NumPy: the judge of the others
`plain`           overlaps  patterns, any order, any integers, one lane after another
`blocked`         overlaps  patterns, fixed order, many lanes: products of integer matrices
`packed`          overlaps  patterns +-1, fixed order, one lane after another, on bits
`couplings`       fields    any J; patterns +-1 at low acceptance (keeps their overlaps too)
`parallel`        either    all neurons at once, one lane after another
`parallel_lanes`  overlaps  patterns, all neurons at once, many lanes
`choice`          overlaps  patterns: whichever is fastest, for each lane at each time
`dense`           overlaps  any function of the overlaps, any integers, any order
`dense_bits`      overlaps  the same for patterns +-1, by table: on bits, 8 or 16 sites ahead
================  ========  ================================================================

Continuous states move otherwise: `retrieval` is their door (softmax, entmax and their relatives
over all patterns), with compiled forms in `lanes_softmax` and `lanes_entmax`, made of `lanes`.

What they are made of: `draws` (random numbers), `tiles` (32 lanes side by side), `popcount` (counts
of bits, 32 lanes), `chain` (64 sites of one lane), `bits` (sums over patterns under a mask), all
written in the vocabulary of `simd`; `yardsticks` is what their speed is measured with. Each form is
a function over arrays with the signature of its reference (`matrix, diagonal, spins, memory, draws,
first_sweep, n_sweeps, flips`), changes spins, memory and flips in place, and gives the trajectory
of its reference.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from hopfield_sim.randomness import Draws, Noise, Stream, limit


def field_type(bound: float) -> np.dtype:
    """int32 where fields of size up to `bound` (integer units) stay below the threshold limit."""
    return np.dtype(np.int32 if bound < limit(np.int32) else np.int64)


def narrowest(bound: float) -> np.dtype:
    """int16, int32 or int64: the narrowest that holds integers of size up to `bound`."""
    kinds = (np.int16, np.int32, np.int64)
    return np.dtype(next(kind for kind in kinds if bound <= np.iinfo(kind).max))


def advance(
    form: Callable,
    matrix: np.ndarray,
    diagonal: np.ndarray,
    spins: np.ndarray,
    memory: np.ndarray,
    noise: Noise,
    stream: Stream,
    unit: float,
    first_sweep: int,
    n_sweeps: int,
) -> np.ndarray:
    """Run `form` for sweeps first_sweep ... first_sweep + n_sweeps - 1; flips: int64 (lane,).

    spins: int8 (lane, neuron) and memory: integers (lane, ...), changed in place. The thresholds'
    scale is handed over in integer units, noise.scale / unit, as float32 (lane,).
    """
    flips = np.zeros(len(spins), np.int64)
    # beyond 1e30 every threshold is at its limit: infinite temperature, without an overflow
    scale = np.minimum(np.asarray(noise.scale, float) / unit, 1e30).astype(np.float32)
    draws = Draws(
        stream.key,
        stream.lanes,
        noise.kind,
        np.array(np.broadcast_to(scale, flips.shape)),  # writable, as forms compiled once expect
        limit(diagonal.dtype),
        noise.order,
    )
    form(matrix, diagonal, spins, memory, draws, first_sweep, n_sweeps, flips)
    return flips
