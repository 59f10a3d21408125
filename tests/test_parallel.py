"""All neurons at once, many lanes: the trajectory of the simple form, whatever the processor."""

import hashlib

import numpy as np
import pytest

from hopfield_sim import patterns, randomness
from hopfield_sim.kernels import advance, parallel, parallel_lanes, reference
from hopfield_sim.randomness import LOGISTIC, NONE, PARALLEL, Noise, Stream
from tests.test_blocked import TEMPERATURES, values


def final(form, matrix, xi, kind, spins, n_steps=6, first_step=3):
    """Spins, overlaps and flips after some steps; temperatures mixed."""
    spins = spins.astype(np.int8)
    overlaps = (spins @ xi.T).astype(np.int16)
    squares = (xi.astype(np.int64) ** 2).sum(axis=0).astype(np.int32)
    noise = Noise(kind, np.resize(np.array(TEMPERATURES) / 2, len(spins)), PARALLEL)
    stream = Stream(randomness.key(5), randomness.lane_words(0.3, len(spins)))
    unit = 1 / xi.shape[1]
    flips = advance(
        form, matrix, squares, spins, overlaps, noise, stream, unit, first_step, n_steps
    )
    assert np.array_equal(overlaps, spins @ xi.T)
    return spins, overlaps, flips


def by_lanes(xi, kind, spins, **options):
    return final(
        parallel_lanes.step_patterns, parallel_lanes.packed(xi.T), xi, kind, spins, **options
    )


def one_by_one(xi, kind, spins, form=parallel.step_patterns, **options):
    return final(form, xi.T.astype(np.int16).copy(), xi, kind, spins, **options)


def start(n_lanes, n_neurons):
    return patterns.random(n_lanes, n_neurons, seed=8)


def assert_same(one, two):
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)


# sizes around the block of 64 sites, the tile of 8 and page of 60 patterns, the group of 32 lanes
SIZES = [
    (64, 8, 32),
    (1, 1, 1),
    (65, 1, 3),
    (63, 9, 33),
    (130, 61, 100),
    (157, 60, 64),
    (101, 130, 3),
    (257, 31, 31),
]
CASES = [
    (*size, allowed)
    for size in SIZES
    for allowed in [(-1, 1), (-1, 0, 1), (-5, 3, 4), (-127, 126)]
    if parallel_lanes.fits(*size[:2], max(map(abs, allowed)))
]


@pytest.mark.parametrize("kind", [NONE, LOGISTIC])
@pytest.mark.parametrize(("n_neurons", "n_patterns", "n_lanes", "allowed"), CASES)
def test_lanes_together_are_the_reference(n_neurons, n_patterns, n_lanes, allowed, kind):
    xi = values(n_patterns, n_neurons, allowed)
    spins = start(n_lanes, n_neurons)
    found = by_lanes(xi, kind, spins)
    assert_same(found, one_by_one(xi, kind, spins, reference.step_patterns))
    assert kind == NONE or n_neurons == 1 or found[2].sum() > n_lanes  # something moved


@pytest.mark.parametrize("kind", [NONE, LOGISTIC])
@pytest.mark.parametrize(
    ("n_neurons", "n_patterns", "allowed"),
    [(701, 133, (-1, 1)), (2300, 47, (-1, 1)), (701, 133, (-1, 0, 1)), (2300, 11, (-5, 3, 4))],
)
def test_a_hundred_steps_of_larger_networks(n_neurons, n_patterns, allowed, kind):
    """Also more sites than fields are kept for at a time; the simple form is the judge."""
    xi = values(n_patterns, n_neurons, allowed)
    spins = start(33, n_neurons)
    found = by_lanes(xi, kind, spins, n_steps=100)
    assert_same(found, one_by_one(xi, kind, spins, n_steps=100))


def test_large_overlaps_take_wider_tables():
    """Where the overlaps of a page add up beyond int16: a state near many equal patterns."""
    xi = np.repeat(patterns.random(2, 1100, seed=1), 35, axis=0)
    spins = np.where(start(35, 1100) * start(35, 1100)[::-1] > 0, xi[:1], xi[-1:])
    assert np.abs(spins @ xi.T)[:, :60].sum(axis=1).max() > 2**15
    for kind in (NONE, LOGISTIC):
        found = by_lanes(xi, kind, spins)
        assert_same(found, one_by_one(xi, kind, spins, reference.step_patterns))


def test_fixed_points_stop_and_cycles_go_on():
    """Two neurons that imitate each other swap their states for ever, lane by lane."""
    xi = np.ones((1, 2), np.float32)
    spins = np.ones((40, 2), np.float32)
    spins[35, 1] = -1  # in the second group, the first is at rest from the beginning
    after, _, flips = by_lanes(xi, NONE, spins, n_steps=1001)
    assert flips.tolist() == [0] * 35 + [2002] + [0] * 4
    np.testing.assert_array_equal(after[35], -spins[35])


def test_steps_are_counted_with_64_bits():
    """The counter of a sweep has 64 bits here as everywhere."""
    xi, spins = values(5, 70, (-1, 1)), start(34, 70)
    found = by_lanes(xi, LOGISTIC, spins, first_step=2**34)
    assert_same(found, one_by_one(xi, LOGISTIC, spins, reference.step_patterns, first_step=2**34))


def test_few_lanes_and_large_integers_take_the_simple_form():
    assert parallel_lanes.suits(2048, 204, 1, True, 32)
    assert not parallel_lanes.suits(2048, 204, 1, True, 1)
    assert not parallel_lanes.suits(2048, 204, 17, False, 32)  # too large


def test_what_does_not_fit_is_known():
    """The largest network that fits, where every overlap is N and every field P N."""
    assert parallel_lanes.fits(32_767, 32_767, 1)
    assert not parallel_lanes.fits(32_768, 1, 1)
    xi, spins = np.ones((300, 32_767), np.float32), np.ones((1, 32_767))
    after, overlaps, flips = by_lanes(xi, NONE, spins, n_steps=1)
    assert (after == 1).all() and (overlaps == 32_767).all() and flips == 0
    after, overlaps, flips = by_lanes(xi, LOGISTIC, -spins, n_steps=1)
    assert (after == -1).all() and (overlaps == -32_767).all() and flips == 0


# what `test_other_processors` compares
def digests() -> list[str]:
    """SHA-256 of spins, overlaps and flips of 40 lanes after 20 steps, N = 300, P = 137 and 37."""
    digest = hashlib.sha256()
    for kind in (NONE, LOGISTIC):
        for xi in (values(137, 300, (-1, 1)), values(37, 300, (-1, 0, 1))):
            for array in by_lanes(xi, kind, start(40, 300), n_steps=20):
                digest.update(np.ascontiguousarray(array).tobytes())
    return [digest.hexdigest()]
