"""The noise of exponential networks from counts of overlaps: exact laws, networks, refusals."""

import numpy as np
import pytest
from scipy.stats import binom

from hopfield_sim import Dense, patterns, random_energies
from hopfield_sim.random_energies import wrong_fraction
from hopfield_sim.theory import exponential
from tests import reference


def exponential_error(row):
    """P_err from the pattern: 40000 noises, standard error 0.0008."""
    given = row.given
    return wrong_fraction(int(given["N"]), given["alpha"] * given["N"], 40_000, seed=1).mean()


SIMULATED_DENSE = {"MC_binary_exp_perr": exponential_error}


@pytest.mark.parametrize("row", reference.rows("dense", SIMULATED_DENSE), ids=str)
def test_reference(row, record_property):
    found = SIMULATED_DENSE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


def mean_and_error(samples):
    return samples.mean(), samples.std() / np.sqrt(samples.size)


@pytest.mark.parametrize("number", [1, 2, 3, 10, 401])
def test_one_neuron_hears_a_sum_of_signs(number):
    """N = 1: S' is 0, so X is a sum of K - 1 signs against a signal of 1. Five standard errors."""
    found = wrong_fraction(1, np.log(number), 20_000, seed=number)
    ups = np.arange(number)
    total = 2 * ups - (number - 1)
    law = binom.pmf(ups, number - 1, 0.5)
    expected = law[total < -1].sum() + law[total == -1].sum() / 2
    assert abs(found.mean() - expected) <= 5 * np.sqrt(0.25 / 20_000)
    assert number > 1 or not found.any()


@pytest.mark.parametrize(
    ("n_neurons", "n_patterns", "n_flipped", "sharpness"),
    [(12, 3000, 0, 1.0), (16, 400, 2, 1.0), (16, 4000, 0, 0.4), (21, 300, 5, 0.7)],
)
def test_networks_with_patterns_make_the_same_errors(n_neurons, n_patterns, n_flipped, sharpness):
    """Fields of 10 networks at 200 of their patterns, the first neurons flipped.

    Neurons of one state share the overlaps: the error is that of the 2000 states, as if their
    neurons were all alike, taken from their scatter. Four standard errors of the difference.
    """
    wrong = []
    for network in range(10):
        xi = patterns.random(n_patterns, n_neurons, seed=(1, network))
        cue = xi[:200].copy()
        cue[:, :n_flipped] *= -1
        field = Dense(xi, "exponential", sharpness=sharpness).field(cue)
        wrong.append((1 - np.sign(xi[:200] * field)).mean(axis=1) / 2)
    one, one_error = mean_and_error(np.concatenate(wrong))
    drawn = wrong_fraction(n_neurons, np.log(n_patterns), 20_000, 1, n_flipped, sharpness)
    two, two_error = mean_and_error(drawn)
    assert one > 10 * one_error  # there is something to compare
    assert abs(one - two) < 4 * np.hypot(one_error, two_error)


@pytest.mark.parametrize(("alpha", "n_flipped"), [(0.65, 0), (0.72, 0), (0.42, 3)])
def test_counts_and_independent_numbers_have_one_law(monkeypatch, alpha, n_flipped):
    """K = e^13 ... e^22: multinomial against Poisson and Gaussian; four standard errors."""
    one, one_error = mean_and_error(wrong_fraction(30, 30 * alpha, 40_000, 1, n_flipped))
    monkeypatch.setattr(random_energies, "_COUNTED", 0.0)
    monkeypatch.setattr(random_energies, "_FEW", 1e3)
    two, two_error = mean_and_error(wrong_fraction(30, 30 * alpha, 40_000, 2, n_flipped))
    assert abs(one - two) < 4 * np.hypot(one_error, two_error)
    assert 0.02 < one < 0.49


@pytest.mark.parametrize(("start_overlap", "sharpness"), [(1.0, 1.0), (0.8, 1.0), (0.9, 0.5)])
def test_large_networks_fail_at_the_typical_threshold(start_overlap, sharpness):
    """N = 1000: 5 % below it nothing is wrong, 5 % above all is noise.

    The transition is ln N/(2 N) + O(1/N) = 0.004 ... wide. 4000 noises have P_err = 1/2 to 0.008.
    """
    load = float(exponential.typical(start_overlap, sharpness).alpha)
    flipped = round((1 - start_overlap) * 500)
    below, above = (
        wrong_fraction(1000, 1000 * load * part, 4000, 1, flipped, sharpness).mean()
        for part in (0.95, 1.05)
    )
    assert below < 0.001
    assert abs(above - 0.5) < 0.04


def test_draws_depend_on_the_seed_and_the_point_alone():
    one = wrong_fraction(40, 28.0, 50, seed=(1, 2))
    np.testing.assert_array_equal(one, wrong_fraction(40, 28.0, 50, seed=(1, 2)))
    assert (one != wrong_fraction(40, 28.0, 50, seed=(1, 3))).any()
    assert np.isfinite(wrong_fraction(3000, 2900.0, 20, 1, 1200, sharpness=5.0)).all()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((0, 3.0, 5, 1), "n_neurons=0"),
        ((9.0, 3.0, 5, 1), "n_neurons=9.0"),
        ((9, -1.0, 5, 1), "log_n_patterns=-1.0"),
        ((9, np.nan, 5, 1), "log_n_patterns=nan"),
        ((9, 3.0, 0, 1), "n_samples=0"),
        ((9, 3.0, 5, -1), "seed -1"),
        ((9, 3.0, 5, 1, 10), "n_flipped=10 is more"),
        ((9, 3.0, 5, 1, 1, 0.0), "sharpness=0.0"),
    ],
)
def test_what_cannot_be_is_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        wrong_fraction(*arguments)
