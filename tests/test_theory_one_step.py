"""First update from a pattern: reference numbers, brute force, sampling, limits."""

import itertools
from collections import Counter
from fractions import Fraction
from math import comb

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr, ndtri

from hopfield_sim.theory import one_step
from tests import reference


def dense(row, function):
    given = row.given
    found = function(given["N"], given["K"], given["n"], rectified="relu" in row.words)
    return found.error


PREDICTED_PAIRWISE = {
    "bit_error_at_pattern": lambda row: (
        one_step.pairwise(row.given["alpha"], diagonal="alpha" in row.words).error
    ),
}
PREDICTED_DENSE = {
    "KH_perr_exact": lambda row: dense(row, one_step.dense_exact),
    "KH_perr_gauss": lambda row: dense(row, one_step.dense_gaussian),
    "KH_K_noerror": lambda row: one_step.without_errors(row.given["N"], row.given["n"]).one_pattern,
    "KH_Kmax_perr0.5pct": lambda row: (
        one_step.largest_number(row.given["N"], row.given["n"], 0.005).asymptotic
    ),
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED_PAIRWISE), ids=str)
def test_pairwise_reference(row, record_property):
    found = PREDICTED_PAIRWISE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


@pytest.mark.parametrize("row", reference.rows("dense", PREDICTED_DENSE), ids=str)
def test_dense_reference(row, record_property):
    found = PREDICTED_DENSE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


def energy(kind, interaction):
    """F as a function of the entries xi s of one pattern."""
    if kind == "distinct":
        return lambda x: sum(int(np.prod(one)) for one in itertools.combinations(x, interaction))
    if kind == "rectified":
        return lambda x: max(sum(x), 0) ** interaction
    return lambda x: sum(x) ** interaction


def brute_force(N, K, interaction, flipped, kind):
    """The error of neuron 0 by enumeration of the other neurons' products with each pattern."""
    F = energy(kind, interaction)

    def increment(others):
        return F((1, *others)) - F((-1, *others))

    law = Counter()
    for others in itertools.product((1, -1), repeat=N - 1):
        for sign in (1, -1):
            law[sign * increment(others)] += Fraction(1, 2**N)
    noise = Counter({0: Fraction(1)})
    for _ in range(K - 1):
        total = Counter()
        for (a, p), (b, q) in itertools.product(noise.items(), law.items()):
            total[a + b] += p * q
        noise = total
    error = Fraction(0)
    for count, others in ((N - flipped, flipped), (flipped, flipped - 1)):
        if count:
            signal = increment((1,) * (N - 1 - others) + (-1,) * others)
            wrong = sum(p for x, p in noise.items() if signal + x < 0)
            wrong += sum(p for x, p in noise.items() if signal + x == 0) / 2
            error += Fraction(count, N) * wrong
    return float(error)


@pytest.mark.parametrize("kind", ["full", "rectified", "distinct"])
@pytest.mark.parametrize("flipped", [0, 2])
def test_exact_is_exact(kind, flipped):
    options = {
        "rectified": kind == "rectified",
        "normalisation": "distinct" if kind == "distinct" else "full",
    }
    for N, K, interaction in ((5, 3, 3), (6, 5, 2), (7, 4, 4), (4, 6, 3), (6, 1, 3)):
        found = one_step.dense_exact(N, K, interaction, flipped, **options)
        # rounding
        expected = brute_force(N, K, interaction, flipped, kind)
        assert float(found.error) == pytest.approx(expected, abs=1e-13), (N, K, interaction)


def test_pairwise_binomial_is_the_integral():
    N, P, flipped = [20, 51, 400], [3, 8, 40], [0, 1, 5]
    binomial = one_step.pairwise_exact(N, P, flipped)
    integral = one_step.dense_exact(N, P, 2, flipped)
    np.testing.assert_allclose(integral.error, binomial.error, rtol=0, atol=1e-12)
    for N, P, flipped in ((5, 3, 0), (6, 4, 2)):
        expected = brute_force(N, P, 2, flipped, "full")
        found = one_step.pairwise_exact(N, P, flipped)
        assert float(found.error) == pytest.approx(expected, abs=1e-14)
    # with J_ii = P/N, signal and noise have one step of the lattice more or less: by direct sum
    N, P = 9, 4
    count = (P - 1) * (N - 1)
    law = np.array([comb(count, up) for up in range(count + 1)]) / 2**count
    total = 2 * np.arange(count + 1) - count
    found = one_step.pairwise_exact(N, P, diagonal=True)
    assert float(found.error) == pytest.approx(
        law[total < -(N - 1 + P)].sum() + law[total == -(N - 1 + P)].sum() / 2, abs=1e-15
    )
    assert float(found.tie) == pytest.approx(law[total == -(N - 1 + P)].sum(), abs=1e-15)


def test_sampled():
    """Signs of fields in networks of random patterns, over all neurons of each."""
    rng = np.random.default_rng(7)
    N, K, interaction, flipped, runs = 30, 60, 3, 2, 1500
    xi = rng.choice([-1, 1], (runs, K, N))
    s = xi[:, 0].copy()
    s[:, :flipped] *= -1
    rest = np.einsum("rki,ri->rk", xi, s)[:, :, None] - xi * s[:, None]
    field = (xi * ((rest + 1.0) ** interaction - (rest - 1.0) ** interaction)).sum(axis=1)
    wrong = ((field * xi[:, 0] < 0) + 0.5 * (field == 0)).mean(axis=1)
    expected = float(one_step.dense_exact(N, K, interaction, flipped).error)
    # four standard errors over independent networks
    assert abs(wrong.mean() - expected) < 4 * wrong.std() / np.sqrt(runs)
    assert expected > 20 * wrong.std() / np.sqrt(runs)


def test_many_neurons_and_patterns():
    # both methods: the period is too long at K = 1e6, n = 4
    for N, K, interaction in ((300, 30_000, 3), (300, 10**6, 4), (2000, 10**6, 3)):
        exact = one_step.dense_exact(N, K, interaction)
        gaussian = one_step.dense_gaussian(N, K, interaction)
        assert exact.residual < 1e-12
        # kurtosis of g over K, less than 200/K, times the fourth Hermite polynomial at R < 3
        assert float(exact.error) == pytest.approx(float(gaussian.error), rel=2e3 / K)
    alpha = 0.2
    found = [float(one_step.pairwise_exact(N, int(alpha * N)).error) for N in (100, 10_000, 10**6)]
    limit = float(one_step.pairwise(alpha).error)
    # signal and variance are relatively smaller by (P + N)/PN and 1/N, of order one in the error
    assert np.all(np.abs(np.array(found) - limit) < 0.2 / np.array([100, 10_000, 10**6]))
    for rectified, normalisation in ((False, "full"), (True, "full"), (False, "distinct")):
        N, interaction = 4000, 3
        K = one_step.largest_number(N, interaction, 0.01, rectified, normalisation)
        assert float(K.finite_size) == pytest.approx(float(K.asymptotic), rel=10 / N)
        asymptotic = one_step.dense_asymptotic(
            N, np.round(K.asymptotic), interaction, rectified, normalisation
        )
        assert float(asymptotic.error) == pytest.approx(0.01, rel=1e-5)  # K is rounded
        exact = one_step.dense_gaussian(
            N, np.round(K.finite_size), interaction, 0, rectified, normalisation
        )
        assert float(exact.error) == pytest.approx(0.01, rel=1e-5)
    small = one_step.dense_asymptotic(1000, 2000, 3)
    assert float(small.leading_order / small.error) == pytest.approx(
        1, abs=1.1 / float(small.signal_to_noise) ** 2
    )


def test_distinct_from_the_pattern():
    N, K, P = 100, 1500, 3
    found = one_step.dense_gaussian(N, K, P, normalisation="distinct")
    expected = ndtr(-np.sqrt(comb(N - 1, P - 1) / (K - 1)))
    assert float(found.error) == pytest.approx(expected, rel=1e-12)


def test_few_patterns():
    assert one_step.dense_exact(50, 1, 3).error == 0
    assert one_step.dense_exact(500, 3, 4).error == 0  # less than 1e-14
    ratio = one_step.without_errors(1000, [2, 3, 4])
    np.testing.assert_allclose(ratio.one_pattern / ratio.all_patterns, [2, 3, 4])
    assert float(ratio.one_pattern[0]) == pytest.approx(1000 / (2 * np.log(1000)))


def test_flipped_cue():
    m = np.array([1.0, 0.5, 0.0, -1.0])
    found = one_step.pairwise(0.1, m)
    np.testing.assert_allclose(found.error, ndtr(-m / np.sqrt(0.1)), rtol=1e-14)
    frozen = one_step.pairwise(0.1, m, diagonal=True).error
    expected = (1 + m) / 2 * ndtr(-(m + 0.1) / np.sqrt(0.1))
    expected += (1 - m) / 2 * ndtr(-(m - 0.1) / np.sqrt(0.1))
    np.testing.assert_allclose(frozen, expected, rtol=1e-14)
    large = one_step.pairwise_exact(10**6, 10**5, 250_000, diagonal=True)
    limit = one_step.pairwise(0.1, 0.5, diagonal=True)
    assert float(large.error) == pytest.approx(float(limit.error), rel=1e-4)


def test_labels():
    found = one_step.dense_gaussian([20, 30], [5, 6, 7], [2, 3])
    assert found.error.dims == ("n_neurons", "n_patterns", "interaction")
    for name in found.variables:
        assert found[name].attrs["long_name"] and found[name].attrs["units"] == "1"
    assert found.attrs["convention"] and found.attrs["source"]
    N = xr.DataArray([20, 30], dims="run", coords={"run": [1, 2]})
    paired = one_step.dense_exact(N, xr.DataArray([40, 60], dims="run"), 3)
    assert paired.error.dims == ("run",)
    assert paired.error[1] == one_step.dense_exact(30, 60, 3).error


def test_refuses():
    with pytest.raises(ValueError, match="alpha = 0"):
        one_step.pairwise(0.0)
    with pytest.raises(ValueError, match="start_overlap = 1.5"):
        one_step.pairwise(0.1, 1.5)
    for function in (one_step.dense_exact, one_step.dense_gaussian):
        with pytest.raises(ValueError, match="interaction = 1 "):
            function(20, 5, 1)
        with pytest.raises(ValueError, match="n_patterns = 2.5"):
            function(20, 2.5, 3)
        with pytest.raises(ValueError, match="n_flipped = 21 is more than n_neurons = 20"):
            function(20, 5, 3, 21)
        with pytest.raises(ValueError, match="normalisation = 'half'"):
            function(20, 5, 3, normalisation="half")
        with pytest.raises(ValueError, match="rectified"):
            function(20, 5, 3, rectified=True, normalisation="distinct")
    with pytest.raises(ValueError, match="n_neurons = 0"):
        one_step.dense_asymptotic(0, 5, 3)
    with pytest.raises(ValueError, match="bit_error = 0.5"):
        one_step.largest_number(100, 3, 0.5)
    with pytest.raises(ArithmeticError, match="did not converge"):
        one_step.dense_exact(2000, 3, 4, 980)


def test_numbers_of_patterns_beyond_the_integers():
    # N^(n-1) is 2e24 here: the laws of one size of network at different K, and 17!! = 34459425.
    ratio = np.sqrt(500.0**9 / (1e22 * 34459425))
    found = one_step.dense_asymptotic(500, 10**22, 10)
    assert float(found.signal_to_noise) == pytest.approx(ratio, rel=1e-12)
    gaussian = one_step.dense_gaussian(500, [10**18, 10**22], 10).signal_to_noise
    assert float(gaussian[0] / gaussian[1]) == pytest.approx(100.0, rel=1e-12)
    exact = one_step.dense_exact(500, 10**22, 10)
    # The noise is Gaussian: the fourth cumulant falls off as 1/K.
    assert float(exact.error) == pytest.approx(ndtr(-float(gaussian[1])), rel=1e-9)


def test_capacity_at_an_order_whose_double_factorial_overflows():
    # ln (2n-3)!! as a sum: at n = 200 the number itself is beyond floating point.
    log_crosstalk = np.log(np.arange(1.0, 398, 2)).sum()
    expected = 199 * np.log(20) - log_crosstalk - 2 * np.log(abs(ndtri(0.01)))
    found = one_step.largest_number(20, 200, 0.01).asymptotic
    assert np.log(float(found)) == pytest.approx(expected, rel=1e-12)
