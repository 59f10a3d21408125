"""Capacity, stability and volume of the perceptron: reference numbers, limits, independent sums."""

from fractions import Fraction
from math import comb, log

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import minimize_scalar
from scipy.special import log_ndtr, ndtr

from hopfield_sim.theory import gardner
from tests import reference

# An independent quadrature, fine enough for kinks of width 0.05 and above (q below 0.997).
Z = np.linspace(-12, 12, 4001)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()

PREDICTED = {
    "alpha_c_Gardner": lambda row: gardner.capacity(row.given["kappa"]).alpha,
    "alpha_c_Gardner_biased": lambda row: (
        gardner.capacity(row.given["kappa"], row.given["mbias"]).alpha
    ),
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- capacity -----------------------------------------------------------------------------------


def test_capacity_is_the_least_squares_of_the_violations():
    """1/alpha_c = min_v sum_sigma P(sigma) E (s z + kappa - sigma v b)_+^2/s^2, by plain sums."""
    rng = np.random.default_rng(5)
    for _ in range(8):
        kappa, bias = rng.uniform(0, 2), rng.uniform(-0.9, 0.9)
        s = np.sqrt(1 - bias**2)

        def cost(v, kappa=kappa, bias=bias, s=s):
            return sum(
                (1 + sign * bias) / 2 * DZ @ np.maximum(Z + (kappa - sign * v * bias) / s, 0) ** 2
                for sign in (1, -1)
            )

        least = minimize_scalar(cost, bracket=(0, 1), tol=1e-10).fun
        # the sums have a kink between two nodes: (step)^2/10 of the density there
        found = float(gardner.capacity(kappa, bias).alpha)
        assert found == pytest.approx(1 / least, rel=2e-5)


def test_capacity_over_the_domain():
    bias = np.array([0, 1e-9, 0.3, 0.9, 0.999, 1 - 1e-9])
    kappa = np.array([0, 1e-9, 0.1, 1, 10, 1e4])
    found = gardner.capacity(kappa, bias)
    assert float(found.residual.max()) < 1e-12
    # replica symmetry holds, marginally at kappa = 0
    assert np.all(found.replicon.sel(stability=0) == 0)
    assert np.all(found.replicon.sel(stability=kappa[1:]) > 0)
    np.testing.assert_array_equal(found.alpha, gardner.capacity(kappa, -bias).alpha)
    np.testing.assert_allclose(found.alpha.sel(bias=1e-9), found.alpha.sel(bias=0), rtol=1e-12)
    # less stability and more bias store more
    assert np.all(found.alpha.diff("stability") <= 0) and np.all(found.alpha.diff("bias") >= -1e-15)
    # where x = (1 - b) k >> 1 all pairs are on the margin: 1/alpha_c = 1 + kappa^2
    large = found.alpha.sel(stability=1e4, bias=bias[:-1])
    np.testing.assert_allclose(large, 1 / (1 + 1e8), rtol=1e-12)


def test_strong_bias_diverges_logarithmically():
    """-alpha_c (1 - b) ln(1 - b) -> 1, slowly: it is 1.46 at b = .999 and decreases."""
    less = np.array([1e-3, 1e-6, 1e-9, 1e-12])
    ratio = -gardner.capacity(0.0, 1 - less).alpha.values * less * np.log(less)
    assert ratio[0] == pytest.approx(1.46, abs=0.005)
    assert np.all(np.diff(ratio) < 0) and 1 < ratio[-1] < 1.2


def test_largest_stability_inverts_the_capacity():
    for bias in (0.0, 0.6):
        kappa = np.array([1e-6, 0.2, 1.5, 40.0])
        alpha = gardner.capacity(kappa, bias).alpha.values
        found = gardner.largest_stability(alpha, bias)
        np.testing.assert_allclose(found.stability, kappa, rtol=1e-9)
        assert float(found.residual.max()) < 1e-13
    assert float(gardner.largest_stability(2.0).stability) == 0
    assert gardner.largest_stability(2.0001).stability.isnull()


def test_largest_stability_of_quadratic_programmes():
    """Margins of random perceptrons with N = 400 by an exact method (3 sigma)."""
    for alpha, bias, margin, error in (
        (0.5, 0.0, 1.045, 0.019),
        (1.0, 0.0, 0.488, 0.010),
        (1.0, 0.5, 0.544, 0.011),
        (1.0, 0.8, 0.631, 0.016),
    ):
        found = float(gardner.largest_stability(alpha, bias).stability)
        assert abs(found - margin) < 3 * error


# --- volume -------------------------------------------------------------------------------------


def entropy(q, alpha, kappa):
    """The replica-symmetric entropy as a function of q, by plain sums."""
    u = (kappa + np.sqrt(q) * Z) / np.sqrt(1 - q)
    return np.log(1 - q) / 2 + q / (2 * (1 - q)) + alpha * DZ @ log_ndtr(-u)


CASES = [(0.1, 0.0), (1.0, 0.0), (1.9, 0.0), (0.5, 0.5), (0.2, 1.0), (0.01, 3.0)]


@pytest.mark.parametrize(("alpha", "kappa"), CASES)
def test_volume_is_the_stationary_point(alpha, kappa):
    found = gardner.volume(alpha, kappa)
    q = float(found.q)
    assert float(found.entropy) == pytest.approx(entropy(q, alpha, kappa), abs=1e-12)
    step = 1e-4 * min(q, 1 - q)
    up, middle, down = (entropy(q + d, alpha, kappa) for d in (step, 0, -step))
    # a slope of rounding against a curvature that is there: q is off by 1e-7 of the step at most
    curvature = (up - 2 * middle + down) / step**2
    assert curvature > 0  # the minimum over q, as the limit of no replicas has it
    assert abs(up - down) / (2 * step) / curvature < 1e-6 * min(q, 1 - q)


@pytest.mark.parametrize(("alpha", "kappa"), CASES)
def test_entropy_changes_by_one_more_pair(alpha, kappa):
    """ds/dalpha = E ln H(u), q being stationary."""
    step = 1e-4 * alpha
    up, down = (float(gardner.volume(alpha + d, kappa).entropy) for d in (step, -step))
    q = float(gardner.volume(alpha, kappa).q)
    u = (kappa + np.sqrt(q) * Z) / np.sqrt(1 - q)
    # the third derivative of s is below 1e3 s/alpha^3 in these cases
    assert (up - down) / (2 * step) == pytest.approx(DZ @ log_ndtr(-u), rel=1e-5)


def test_replicon_by_plain_sums():
    for alpha, kappa in CASES:
        found = gardner.volume(alpha, kappa)
        q = float(found.q)
        u = (kappa + np.sqrt(q) * Z) / np.sqrt(1 - q)
        mills = np.exp(-(u**2) / 2 - log_ndtr(-u)) / np.sqrt(2 * np.pi)
        replicon = 1 - alpha * DZ @ (mills * (mills - u)) ** 2
        assert float(found.replicon) == pytest.approx(replicon, abs=1e-10)


def test_volume_shrinks_to_one_solution_at_the_capacity():
    for kappa in (0.0, 0.3, 2.0):
        end = gardner.capacity(kappa)
        found = gardner.volume(float(end.alpha) * (1 - np.geomspace(1e-10, 0.5, 30)[::-1]), kappa)
        assert float(found.residual.max()) < 1e-13
        assert np.all(found.q.diff("alpha") > 0) and np.all(found.entropy.diff("alpha") < 0)
        assert np.all(found.replicon > 0)
        assert 1 - float(found.q[-1]) < 1e-8 and float(found.entropy[-1]) < -8
        # at kappa = 0, where the replicon vanishes at the end, as sqrt of the distance
        assert float(found.replicon[-1]) == pytest.approx(float(end.replicon), abs=2e-5)
        assert gardner.volume(float(end.alpha), kappa).q.isnull()


def test_volume_at_low_load():
    alpha, kappa = 1e-9, np.array([0.0, 1.0, 4.0])
    found = gardner.volume(alpha, kappa)
    mills = np.exp(-(kappa**2) / 2) / np.sqrt(2 * np.pi) / ndtr(-kappa)
    # corrections are of order alpha
    np.testing.assert_allclose(found.q, alpha * mills**2, rtol=1e-6)
    np.testing.assert_allclose(found.entropy, alpha * np.log(ndtr(-kappa)), rtol=1e-6)


# --- finite N -----------------------------------------------------------------------------------


def test_separability_is_covers_count():
    for n_patterns, n_neurons in ((1, 1), (3, 5), (7, 3), (40, 20), (300, 31)):
        count = sum(comb(n_patterns - 1, k) for k in range(min(n_neurons, n_patterns)))
        found = gardner.separability(n_patterns, n_neurons)
        exact = Fraction(count, 2 ** (n_patterns - 1))
        assert float(found.probability) == pytest.approx(float(exact), rel=1e-12)
    # 2^-2999 sum_{k<7} binom: below the smallest float
    count = sum(comb(2999, k) for k in range(7))
    found = gardner.separability(3000, 7)
    assert float(found.log_probability) == pytest.approx(log(count) - 2999 * log(2), rel=1e-13)
    assert float(gardner.separability(200, 100).probability) == pytest.approx(0.5, abs=1e-14)
    steps = gardner.separability(xr.DataArray([1900, 2100], dims="x"), 1000).probability
    assert steps[0] > 0.98 and steps[1] < 0.02


# --- the border ---------------------------------------------------------------------------------


def test_labels():
    found = gardner.volume([0.1, 0.2, 0.3], xr.DataArray([0.0, 0.5], dims="sample"))
    assert found.q.dims == ("alpha", "sample") and "1988" in found.attrs["source"]
    for variable in found.data_vars.values():
        assert variable.attrs["long_name"] and variable.attrs["units"] == "1"
    assert gardner.capacity([0, 1], [0, 0.1, 0.2]).alpha.dims == ("stability", "bias")


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: gardner.capacity(-0.1), "stability"),
        (lambda: gardner.capacity(np.inf), "stability"),
        (lambda: gardner.capacity(0, 1), "bias"),
        (lambda: gardner.largest_stability(0), "alpha"),
        (lambda: gardner.volume(0.1, [0.1, -0.1]), "stability"),
        (lambda: gardner.volume(0, 0.1), "alpha"),
        (lambda: gardner.separability(0, 3), "n_patterns"),
        (lambda: gardner.separability(3, 1.5), "n_neurons"),
    ],
)
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=name):
        call()
