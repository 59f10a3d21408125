"""Stored patterns: their laws, counted; their seeds; damage done to cues; refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hopfield_sim import patterns

MAKERS = {
    "random": patterns.random,
    "biased": lambda p, n, seed: patterns.biased(p, n, 0.3, seed),
    "correlated": lambda p, n, seed: patterns.correlated(p, n, 0.3, seed),
    "diluted": lambda p, n, seed: patterns.diluted(p, n, 0.3, seed),
}
P, N = 200, 5000  # a million entries
SIGMAS = 5  # a true sampler misses one such limit with probability 6e-7


def within(count, n, p):
    """Whether a binomial count lies within SIGMAS standard deviations (exactly, for p = 0, 1)."""
    return abs(count - n * p) <= SIGMAS * math.sqrt(n * p * (1 - p))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
class TestEveryMaker:
    def test_shape_type_and_values(self, make):
        xi = make(7, 13, 1)
        assert xi.shape == (7, 13)
        assert xi.dtype == np.float32
        assert set(np.unique(xi)) <= {-1, 0, 1}

    def test_same_seed_same_patterns_other_seed_other_patterns(self, make):
        xi = make(5, 200, 1)
        np.testing.assert_array_equal(xi, make(5, 200, 1))
        for other in (0, 2, 2**32 + 1, (1, 0), (1, 1)):
            assert not np.array_equal(xi, make(5, 200, other))

    def test_sizes_enter_the_key(self, make):
        """A network with one more neuron or pattern is another one, not the same cut off."""
        xi = make(5, 200, 1)
        for other in (make(6, 200, 1)[:5], make(5, 201, 1)[:, :200], make(200, 5, 1).T):
            assert 0.3 < np.mean(xi == other) < 0.7  # agreement of independent patterns

    def test_patterns_are_independent_of_each_other(self, make):
        """No two of 200 patterns agree beyond chance (beyond their stated correlation)."""
        xi = make(P, N, 3).astype(float)
        overlaps = xi @ xi.T / N
        off = overlaps[~np.eye(P, dtype=bool)]
        # 19,900 pairs, standard deviation at most 1/sqrt(N) each: 6 of them for all at once
        assert np.abs(off - off.mean()).max() < 6 / math.sqrt(N)

    @pytest.mark.parametrize(
        ("name", "sizes"),
        [("n_patterns", (0, 10)), ("n_neurons", (3, -1)), ("n_neurons", (3, 2.0))]
        + [("n_patterns", (True, 10)), ("n_patterns", (float("nan"), 10))],
    )
    def test_impossible_sizes_are_refused(self, make, name, sizes):
        with pytest.raises(ValueError, match=f"{name}=.*integer of at least 1"):
            make(*sizes, 1)

    @pytest.mark.parametrize("seed", [-1, 1.5, None])
    def test_bad_seeds_are_refused(self, make, seed):
        with pytest.raises(ValueError, match="seed"):
            make(3, 10, seed)


def test_random_signs_are_balanced_everywhere():
    """All entries, each pattern, each neuron, and neighbours along a pattern."""
    xi = patterns.random(P, N, seed=2)
    assert set(np.unique(xi)) == {-1, 1}
    assert abs(xi.sum()) < SIGMAS * math.sqrt(P * N)
    assert np.abs(xi.sum(axis=1)).max() < SIGMAS * math.sqrt(N)
    assert np.abs(xi.sum(axis=0)).max() < 6 * math.sqrt(P)  # 5000 neurons at once: 6
    for lag in (1, 2, 31, 32, 33, 64, 128):  # 32 bits a word, 128 a block
        assert abs((xi[:, lag:] * xi[:, :-lag]).sum()) < SIGMAS * math.sqrt(P * N)


@pytest.mark.parametrize("mean", [-1, -0.4, 0, 0.75, 1])
def test_biased_has_its_mean(mean):
    xi = patterns.biased(P, N, mean, seed=2)
    assert set(np.unique(xi)) <= {-1, 1}
    assert within(np.count_nonzero(xi > 0), xi.size, (1 + mean) / 2)


@pytest.mark.parametrize("correlation", [0, 0.09, 0.5, 1])
def test_correlated_has_its_correlation(correlation):
    """<xi^mu xi^nu> averaged over all pairs and sites, and each pattern unbiased.

    At one site sum_mu xi has mean square P + P (P-1) c; the mean over N independent sites has the
    standard error taken from the sites themselves.
    """
    xi = patterns.correlated(P, N, correlation, seed=2).astype(float)
    by_site = (xi.sum(axis=0) ** 2 - P) / (P * (P - 1))
    error = by_site.std() / math.sqrt(N)
    assert abs(by_site.mean() - correlation) <= SIGMAS * error
    assert np.abs(xi.mean(axis=1)).max() < 6 / math.sqrt(N)
    if correlation == 1:
        assert np.all(xi == xi[0])


@pytest.mark.parametrize("dilution", [0, 0.25, 0.9, 1])
def test_diluted_has_its_blanks(dilution):
    xi = patterns.diluted(P, N, dilution, seed=2)
    assert within(np.count_nonzero(xi == 0), xi.size, dilution)
    for sign in (-1, 1):
        assert within(np.count_nonzero(xi == sign), xi.size, (1 - dilution) / 2)


@pytest.mark.parametrize(
    ("make", "name", "values"),
    [
        (patterns.biased, "mean", (-1.01, 2, math.nan)),
        (patterns.correlated, "correlation", (-0.1, 1.1, math.nan)),
        (patterns.diluted, "dilution", (-0.1, 1.1, math.nan)),
    ],
)
def test_numbers_outside_their_range_are_refused(make, name, values):
    for value in values:
        with pytest.raises(ValueError, match=rf"{name}=.*must lie in \["):
            make(3, 10, value, 1)


# ------------------------------------------------------------------------------------------ corrupt


@given(
    n=st.integers(1, 300),
    fraction=st.floats(0, 1),
    erased=st.floats(0, 1),
    seed=st.integers(0, 2**64 - 1),
)
@settings(max_examples=100, deadline=None, derandomize=True)
def test_corrupt_flips_exactly_its_number_of_sites(n, fraction, erased, seed):
    """round(f N) sites flip; with erasure at most round(e N) further ones can change."""
    xi = patterns.random(1, n, 1)[0]
    original = xi.copy()
    cue = patterns.corrupt(xi, seed, fraction)
    assert np.count_nonzero(cue != xi) == round(fraction * n)
    erased = min(erased, 1 - fraction)
    changed = np.count_nonzero(patterns.corrupt(xi, seed, fraction, erased) != xi)
    assert round(fraction * n) <= changed <= round(fraction * n) + round(erased * n)
    np.testing.assert_array_equal(xi, original)  # the pattern itself is left alone


def test_corrupted_sites_are_drawn_uniformly():
    """Each site of 40 is flipped in a quarter of 3000 rows, each pair in its share of them."""
    rows, n = 3000, 40
    flipped = patterns.corrupt(np.ones((rows, n)), seed=1, flip_fraction=0.25) < 0
    assert np.all(flipped.sum(axis=1) == 10)
    assert all(within(count, rows, 0.25) for count in flipped.sum(axis=0))
    pairs = flipped.astype(float).T @ flipped
    p = 10 / 40 * 9 / 39
    for i, j in ((0, 1), (0, 39), (3, 20), (38, 39)):
        assert within(pairs[i, j], rows, p)


def test_erased_sites_are_right_half_of_the_time():
    rows, n = 2000, 100
    cue = patterns.corrupt(np.ones((rows, n)), seed=2, erase_fraction=0.4)
    assert set(np.unique(cue)) == {-1, 1}
    assert within(np.count_nonzero(cue < 0), rows * 40, 0.5)


def test_rows_are_damaged_on_their_own_sites_and_repeatably():
    xi = patterns.random(2, 1000, 1)
    both = patterns.corrupt(np.stack([xi[0], xi[0]]), 7, 0.2)
    assert np.count_nonzero(both[0] != both[1]) > 200  # 320 expected of two independent draws
    np.testing.assert_array_equal(both[0], patterns.corrupt(xi[0], 7, 0.2))
    assert not np.array_equal(both[0], patterns.corrupt(xi[0], 8, 0.2))


def test_corrupting_nothing_and_everything():
    xi = patterns.random(1, 57, 1)[0]
    np.testing.assert_array_equal(patterns.corrupt(xi, 1), xi)
    np.testing.assert_array_equal(patterns.corrupt(xi, 1, flip_fraction=1), -xi)
    assert patterns.corrupt(xi, 1).dtype == np.float32


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"flip_fraction": -0.1}, "flip_fraction=-0.1 is not possible"),
        ({"flip_fraction": 1.1}, "flip_fraction=1.1 is not possible"),
        ({"flip_fraction": math.nan}, "flip_fraction=nan"),
        ({"erase_fraction": math.nan}, "erase_fraction=nan"),
        ({"flip_fraction": 0.6, "erase_fraction": 0.5}, "cannot exceed 1"),
        ({"seed": -1}, "seed -1 cannot be used"),
        ({"pattern": np.float32(1)}, "give \\(neuron,\\) or"),
        ({"pattern": np.ones((2, 2, 2))}, "give \\(neuron,\\) or"),
    ],
)
def test_corrupt_refuses(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        patterns.corrupt(**{"pattern": np.ones(10), "seed": 1, **arguments})


# ------------------------------------------------------------------------------------------ checked


def test_checked_keeps_integers_of_any_type():
    for dtype in (np.int8, np.int64, np.float64, np.float16):
        xi = patterns.checked(np.array([[1, -1, 0], [5, -3, 100]], dtype))
        assert xi.dtype == np.float32
        assert xi.flags.c_contiguous
        assert xi.tolist() == [[1, -1, 0], [5, -3, 100]]
    assert patterns.checked(np.full((1, 2), 32767))[0, 0] == 32767


@pytest.mark.parametrize(
    ("array", "sentence"),
    [
        (np.ones(5), "2-d array"),
        (np.ones((0, 5)), "at least one pattern"),
        (np.ones((5, 0)), "at least one pattern"),
        (np.ones((1, 2, 3)), "2-d array"),
        ([[1, np.nan]], "NaN"),
        ([[1, np.inf]], "infinity"),
        ([[1e300, 1]], "infinity"),
        ([[0.5, 1]], "np.where"),
        ([[40000, 1]], "up to 32767"),
        ([[0, 0]], "all zero"),
    ],
)
def test_checked_refuses(array, sentence):
    with pytest.raises(ValueError, match=sentence):
        patterns.checked(np.asarray(array))
