"""Learning rules: what their couplings are, what they hold, what they refuse."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from hopfield_sim import Coupled, Glauber, Hopfield, ZeroTemperature, patterns, updated
from hopfield_sim.learning import hebb, projection

# ----------------------------------------------------------------------------------------- Hebb


@pytest.mark.parametrize("self_coupling", ["zero", "hebb"])
def test_hebb_couplings_are_the_sum_of_products(self_coupling):
    xi = patterns.random(5, 12, 1)
    j = hebb.couplings(xi, self_coupling)
    for a, b in ((0, 1), (3, 11), (7, 7)):
        expected = sum(int(xi[mu, a]) * int(xi[mu, b]) for mu in range(5)) / 12
        if a == b and self_coupling == "zero":
            expected = 0
        assert j[a, b] == pytest.approx(expected, abs=1e-15)
    np.testing.assert_array_equal(j, j.T)


def test_hebb_model_holds_patterns_and_coupled_holds_a_matrix():
    xi = patterns.random(5, 12, 1)
    assert isinstance(hebb.model(xi), Hopfield)
    matrix = hebb.coupled(xi, "hebb", external_field=0.3)
    assert isinstance(matrix, Coupled)
    np.testing.assert_allclose(matrix.external_field, 0.3, atol=matrix.unit)
    np.testing.assert_allclose(matrix.self_couplings, 5 / 12, atol=matrix.unit)
    assert hebb.coupled(xi).unit == 1 / 12  # without field: the integers of the patterns' form


def exact_error(n_neurons, n_patterns, self_coupling):
    """P(xi_i h_i < 0) at a stored pattern, for this N and P exactly.

    N xi_i h_i = (N - 1) + the sum of (P-1)(N-1) independent signs (+ P with self-coupling).
    """
    signal = n_neurons - 1 + (n_patterns if self_coupling == "hebb" else 0)
    n_signs = (n_patterns - 1) * (n_neurons - 1)
    # sum < -signal: fewer than (n_signs - signal) / 2 of the signs are +1
    return stats.binom(n_signs, 0.5).cdf(math.ceil((n_signs - signal) / 2) - 1)


@pytest.mark.parametrize("alpha", [0.1, 0.2])
@pytest.mark.parametrize("self_coupling", ["zero", "hebb"])
def test_one_step_from_a_pattern_makes_the_known_errors(self_coupling, alpha):
    """0.5 erfc(1 / sqrt(2 alpha)), and with J_ii = alpha 0.5 erfc((1 + alpha) / sqrt(2 alpha)).

    Measured over P N bits against the exact law for this N and P: five binomial standard
    deviations (the bits' correlations, of order 1/N and 1/P, add less than 20 % of variance).
    The formula against the exact law: 1/N in the signal and 1/P + 1/N in the variance of the
    noise shift ln(error) by up to (1/alpha)(1/N) + (1/2 alpha)(1/P + 1/N), doubled for safety,
    about 8 %.
    """
    n_neurons = 1500
    n_patterns = round(alpha * n_neurons)
    xi = patterns.random(n_patterns, n_neurons, seed=(1, n_patterns))
    after = updated(Hopfield(xi, self_coupling), ZeroTemperature("parallel"), xi)
    errors, p = np.count_nonzero(after != xi), exact_error(n_neurons, n_patterns, self_coupling)
    assert abs(errors - p * xi.size) < 5 * math.sqrt(p * xi.size)
    signal = 1 + (alpha if self_coupling == "hebb" else 0)
    formula = 0.5 * math.erfc(signal / math.sqrt(2 * alpha))
    shift = 2 * (1 / n_neurons + (1 / n_patterns + 1 / n_neurons) / 2) / alpha * signal**2
    assert abs(math.log(formula / p)) < shift < 0.15
    other = exact_error(n_neurons, n_patterns, "zero" if self_coupling == "hebb" else "hebb")
    assert abs(errors - other * xi.size) > 5 * math.sqrt(other * xi.size)  # the two are told apart


# --------------------------------------------------------------------------------- diluted Hebb


def test_every_neuron_listens_to_exactly_its_number_of_others():
    """Asymmetric: in-degree c for all, no self-coupling, J = (1/c) sum xi xi where joined."""
    xi = patterns.random(3, 60, 1)  # an odd number of patterns: no coupling vanishes by itself
    model = hebb.diluted(xi, n_inputs=7, seed=2)
    joined = model.couplings != 0
    np.testing.assert_array_equal(joined.sum(axis=1), 7)
    assert not joined.diagonal().any()
    assert not np.array_equal(joined, joined.T)
    full = xi.T.astype(float) @ xi / 7
    np.testing.assert_allclose(model.couplings[joined], full[joined], rtol=1e-14)
    np.testing.assert_array_equal(model.patterns, xi)
    assert not model.symmetric


def test_diluted_connections_are_drawn_uniformly_and_independently():
    """Over 60 networks: each ordered pair joined with c/(N-1); i -> j says nothing on j -> i.

    Five standard deviations of the binomial counts.
    """
    n, c, n_networks = 40, 8, 60
    xi = patterns.random(1, n, 1)
    joined = np.stack([hebb.diluted(xi, c, seed=s).couplings != 0 for s in range(n_networks)])
    p = c / (n - 1)
    out_degree = joined.sum(axis=(0, 1))  # in-degrees are fixed, out-degrees fluctuate
    assert np.abs(out_degree - n_networks * c).max() < 5 * math.sqrt(n_networks * (n - 1) * p)
    both = np.count_nonzero(joined & joined.transpose(0, 2, 1)) / 2
    pairs = n_networks * n * (n - 1) / 2
    assert abs(both - pairs * p**2) < 5 * math.sqrt(pairs * p**2 * (1 - p**2))
    # near and far are alike: 120 pairs at three distances scatter like binomial counts (the
    # relative error of their standard deviation is 1 / sqrt(240))
    counts = [np.count_nonzero(joined[:, i, (i + d) % n]) for d in (1, 2, 20) for i in range(n)]
    assert abs(np.std(counts) / math.sqrt(n_networks * p * (1 - p)) - 1) < 5 / math.sqrt(240)


def test_symmetric_dilution_has_its_mean_degree_and_an_energy():
    n, c = 200, 20
    model = hebb.diluted(patterns.random(3, n, 1), c, seed=2, symmetric=True)
    joined = model.couplings != 0
    np.testing.assert_array_equal(model.couplings, model.couplings.T)
    pairs, p = n * (n - 1) / 2, c / (n - 1)
    assert abs(joined.sum() / 2 - pairs * p) < 5 * math.sqrt(pairs * p * (1 - p))
    assert np.isfinite(model.energy(np.ones(n)))


def test_diluted_is_repeatable_and_seeds_differ():
    xi = patterns.random(3, 30, 1)
    one = hebb.diluted(xi, 5, seed=1).couplings
    np.testing.assert_array_equal(one, hebb.diluted(xi, 5, seed=1).couplings)
    assert not np.array_equal(one, hebb.diluted(xi, 5, seed=2).couplings)


def test_full_dilution_is_the_hebb_network():
    """c = N - 1 joins all: the Hebb couplings times N / (N - 1)."""
    xi = patterns.random(3, 30, 1)
    for symmetric in (False, True):
        found = hebb.diluted(xi, 29, seed=1, symmetric=symmetric).couplings
        np.testing.assert_allclose(found, hebb.couplings(xi) * 30 / 29, rtol=1e-13)


def test_asymmetric_dilution_moves_but_has_no_energy():
    xi = patterns.random(1, 400, 1)
    model = hebb.diluted(xi, 30, seed=2)
    cue = patterns.corrupt(xi[0], 3, flip_fraction=0.2)
    # one pattern, 30 inputs of which 24 are right on average: recalled within a few sweeps
    recalled = updated(model, Glauber(0.1), cue, sweeps=5)
    assert model.overlaps(recalled)[0] > 0.99
    with pytest.raises(ValueError, match="asymmetric couplings have no energy function.*dynamics"):
        model.energy(cue)


@pytest.mark.parametrize(
    ("n_inputs", "symmetric"),
    [(n, symmetric) for n in (0, -1, 30, 31, math.nan) for symmetric in (False, True)]
    + [(2.5, False)],  # a mean number of neighbours may be a fraction, a number of inputs not
)
def test_impossible_numbers_of_inputs_are_refused(n_inputs, symmetric):
    with pytest.raises(ValueError, match=f"n_inputs={n_inputs}.*29"):
        hebb.diluted(patterns.random(3, 30, 1), n_inputs, 1, symmetric)


# ----------------------------------------------------------------------------------- projection


@pytest.mark.parametrize("make", [patterns.random, lambda p, n, s: patterns.diluted(p, n, 0.5, s)])
@pytest.mark.parametrize("n_patterns", [1, 7, 30])
def test_projection_is_the_projector_on_the_patterns(make, n_patterns):
    """J xi = xi, J J = J, trace P, and what is orthogonal to all patterns goes to zero.

    1e-12: rounding of float64 sums over 40 terms.
    """
    xi = make(n_patterns, 40, 1).astype(float)
    j = projection.couplings(xi, "projection")
    np.testing.assert_allclose(xi @ j, xi, atol=1e-12)
    np.testing.assert_allclose(j @ j, j, atol=1e-12)
    np.testing.assert_array_equal(j, j.T)
    assert np.trace(j) == pytest.approx(n_patterns, abs=1e-12)
    other = np.linalg.svd(xi)[2][n_patterns:]
    np.testing.assert_allclose(other @ j, 0, atol=1e-12)


def test_projection_is_the_formula_with_the_inverse():
    xi = patterns.random(9, 40, 1).astype(float)
    c = xi @ xi.T / 40
    expected = xi.T @ np.linalg.inv(c) @ xi / 40
    np.testing.assert_allclose(projection.couplings(xi, "projection"), expected, atol=1e-12)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(projection.couplings(xi), expected, atol=1e-12)


def test_projection_without_diagonal_has_stability_one_minus_the_diagonal():
    """xi_i h_i = 1 - J_ii at every pattern and site, within the grid of the couplings."""
    xi = patterns.random(15, 40, 1)
    diagonal = np.diag(projection.couplings(xi, "projection"))
    assert diagonal.sum() == pytest.approx(15, abs=1e-12)
    for self_coupling in ("zero", "projection"):
        model = projection.model(xi, self_coupling)
        # 40 couplings, each rounded by half a unit of the grid at most
        np.testing.assert_allclose(
            xi * model.field(xi), np.broadcast_to(1 - diagonal, xi.shape), atol=40 * model.unit
        )
        kept = diagonal if self_coupling == "projection" else 0 * diagonal
        np.testing.assert_allclose(model.self_couplings, kept, atol=model.unit)


@pytest.mark.parametrize("self_coupling", ["zero", "projection"])
@pytest.mark.parametrize("order", ["fixed", "parallel"])
def test_projection_holds_correlated_patterns_that_hebb_loses(order, self_coupling):
    xi = patterns.correlated(12, 60, 0.6, seed=1)
    rule = ZeroTemperature(order)
    held = updated(projection.model(xi, self_coupling), rule, xi, sweeps=10)
    np.testing.assert_array_equal(held, xi)
    lost = updated(hebb.model(xi), rule, xi, sweeps=10)
    assert np.mean(np.all(lost == xi, axis=1)) < 0.5


def test_projection_of_dependent_patterns_is_that_of_their_span():
    """A pattern stored twice, or with its negative, changes nothing."""
    xi = patterns.random(6, 40, 1)
    for more in (xi[:1], -xi[2:3], xi[[0, 0, 3]]):
        again = np.concatenate([xi, more])
        j = projection.couplings(again, "projection")
        np.testing.assert_allclose(j, projection.couplings(xi, "projection"), atol=1e-12)
        assert projection.model(again).n_patterns == len(again)


@pytest.mark.parametrize("n_patterns", [40, 41, 90])
def test_patterns_that_span_everything_are_refused(n_patterns):
    with pytest.raises(ValueError, match="span all 40 dimensions.*fewer patterns"):
        projection.model(patterns.random(n_patterns, 40, 1))


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda xi: projection.couplings(xi, "hebb"), "'zero' and 'projection'"),
        (lambda xi: projection.model(xi, "given"), "'zero' and 'projection'"),
        (lambda xi: hebb.couplings(xi, "projection"), "'zero'.*'hebb'"),
        (lambda xi: hebb.coupled(xi, "given"), "'zero'.*'hebb'"),
        (lambda xi: hebb.model(xi[0]), "xi\\[None, :\\]"),
        (lambda xi: hebb.diluted(xi / 2, 3, 1), "integers"),
        (lambda xi: hebb.diluted(xi, 3, -1), "seed -1"),
        (lambda xi: projection.model(xi * np.nan), "NaN"),
        (lambda xi: hebb.coupled(xi, external_field=np.nan), "finite"),
        (lambda xi: hebb.coupled(xi, external_field=np.ones(3)), "external_field"),
    ],
)
def test_learning_refuses_with_the_cure(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(patterns.random(3, 12, 1))
