"""Blocked sweeps of many-valued patterns: the trajectory of the plain form, lane by lane."""

import numpy as np
import pytest

from hopfield_sim import patterns, randomness
from hopfield_sim.kernels import advance, blocked, plain
from hopfield_sim.randomness import EXPONENTIAL, FIXED, LOGISTIC, NONE, Noise, Stream

TEMPERATURES = (0.0, 0.05, 0.5, 1.2)


def values(n_patterns, n_neurons, allowed):
    """Patterns of the given small integers: float32 (pattern, neuron)."""
    u = patterns.biased(n_patterns * len(allowed), n_neurons, 0.0, seed=4)
    u = u.reshape(n_patterns, len(allowed), n_neurons)
    return np.asarray(allowed, np.float32)[u.argmax(axis=1)]


def final(form, matrix, xi, n_lanes, kind, sweeps=6, first_sweep=3):
    """Spins, overlaps and flips after some sweeps from random spins; temperatures mixed."""
    n_patterns, n_neurons = xi.shape
    spins = patterns.random(n_lanes, n_neurons, seed=8).astype(np.int8)
    overlaps = (spins @ xi.T).astype(np.int16)
    squares = (xi.astype(np.int64) ** 2).sum(axis=0).astype(np.int32)
    noise = Noise(kind, np.resize(np.array(TEMPERATURES) / 2, n_lanes), FIXED)
    stream = Stream(randomness.key(5), randomness.lane_words(0.3, n_lanes))
    flips = advance(
        form, matrix, squares, spins, overlaps, noise, stream, 1 / n_neurons, first_sweep, sweeps
    )
    assert np.array_equal(overlaps, spins @ xi.T)
    return spins, overlaps, flips


@pytest.mark.parametrize("n_lanes", [5, 40, 70])
def test_sums_of_overlaps_beyond_int16(n_lanes):
    """Equal patterns, recalled: 40 overlaps of 1500 exceed an int16 page by page, and together."""
    one = patterns.random(1, 1500, seed=3)
    for copies in (20, 40):  # of 32 patterns a page: a page that fits, and one that does not
        xi = np.concatenate([np.repeat(one, copies, axis=0), patterns.random(30, 1500, seed=4)])
        spins = np.repeat(one.astype(np.int8), n_lanes, axis=0)
        ends = []
        for form, matrix in (
            (plain.sweep_patterns, xi.T.astype(np.int16).copy()),
            (blocked.sweep_patterns, blocked.packed(xi.T)),
        ):
            state = spins.copy(), (spins @ xi.T).astype(np.int16)
            draws = Noise(LOGISTIC, np.full(n_lanes, 20.0), FIXED)
            lanes = Stream(randomness.key(5), randomness.lane_words(0.3, n_lanes))
            squares = np.full(1500, len(xi), np.int32)
            flips = advance(form, matrix, squares, *state, draws, lanes, 1 / 1500, 0, 2)
            ends.append((*state, flips))
        assert ends[0][2].min() > 0
        for a, b in zip(*ends, strict=True):
            np.testing.assert_array_equal(a, b)


# sizes around the block of 64 sites, the tile of 8 patterns and the group of 32 lanes
SIZES = [
    (64, 8, 32),
    (1, 1, 1),
    (65, 1, 3),
    (63, 9, 33),
    (130, 7, 100),
    (333, 40, 64),
    (257, 31, 31),
]


VALUES = [(-1, 1), (-1, 0, 1), (-5, 3, 4), (-127, 126)]
CASES = [
    (*size, allowed)
    for size in SIZES
    for allowed in VALUES
    if blocked.fits(*size[:2], max(map(abs, allowed)))
]


@pytest.mark.parametrize("kind", [NONE, LOGISTIC, EXPONENTIAL])
@pytest.mark.parametrize(("n_neurons", "n_patterns", "n_lanes", "allowed"), CASES)
def test_blocked_is_plain(n_neurons, n_patterns, n_lanes, allowed, kind):
    xi = values(n_patterns, n_neurons, allowed)
    one = final(plain.sweep_patterns, xi.T.astype(np.int16).copy(), xi, n_lanes, kind)
    two = final(blocked.sweep_patterns, blocked.packed(xi.T), xi, n_lanes, kind)
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    assert kind == NONE or n_neurons == 1 or one[2].sum() > n_lanes  # something moved


def test_what_does_not_fit_is_known():
    """Overlaps and block couplings must stay below 2^15, patterns below 2^7."""
    assert blocked.fits(32_767, 32_767, 1)
    assert not blocked.fits(32_768, 1, 1)
    assert not blocked.fits(64, 32_768, 1)
    assert not blocked.fits(64, 3, 128)
    xi = values(2, 64, (-127, 127))
    assert np.abs(blocked.packed(xi.T).couplings).max() == 2 * 127**2  # 32258: int16 to the brim
