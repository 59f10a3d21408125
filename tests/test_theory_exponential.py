"""Exponential networks, log-sum-exp and the bounds for softmax networks."""

import re

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq
from scipy.special import gammaln, ive, logsumexp

from hopfield_sim.theory import exponential, log_sum_exp, modern_bounds
from tests import reference


def overlap(row):
    return 1 - 2 * row.given.get("rho", 0.0)


def lse_basin(row):
    start = float(re.search(r"overlap ([\d.]+)", row.text).group(1))
    return log_sum_exp.sphere(row.given["lambda"], start).alpha


def ramsauer(row):
    return modern_bounds.capacity(*(row.given[name] for name in ("beta", "K", "d", "p"))).c


def half_weight(row):
    return log_sum_exp.half_weight(row.given["d"], row.given["kappa"]).n_patterns


PREDICTED_DENSE = {
    "exp_binary_alpha_typ": lambda row: exponential.typical(overlap(row)).alpha,
    "exp_binary_alpha_Demircigil": lambda row: exponential.worst_case(overlap(row)).alpha,
    "LSE_sphere_alpha1": lambda row: log_sum_exp.sphere(row.given["lambda"]).alpha,
    "LSE_gauss_alpha1": lambda row: log_sum_exp.gaussian(row.given["lambda"]).alpha,
    "LSE_gauss_alphac_derived": lambda row: log_sum_exp.gaussian_all(row.given["lambda"]).alpha,
    "LSE_sphere_alpha_basin": lse_basin,
    "Ramsauer_c": ramsauer,
}
PREDICTED_MODERN = {
    "MHN-random sphere: alpha_1 (M=e^{alpha d} patterns, |x|^2=d scaled so that "
    "beta x.xi = lambda d m)": lambda row: log_sum_exp.sphere(row.given["lambda"]).alpha,
    "MHN-random sphere: M_{1/2}: number of random unit patterns at which softmax weight of the "
    "queried pattern is 1/2 (annealed)": half_weight,
    "MHN: c in capacity bound N>=sqrt(p) c^{(d-1)/4} (Ramsauer Thm 3)": ramsauer,
}


@pytest.mark.parametrize("row", reference.rows("dense", PREDICTED_DENSE), ids=str)
def test_dense_reference(row, record_property):
    found = PREDICTED_DENSE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


@pytest.mark.parametrize("row", reference.rows("modern", PREDICTED_MODERN), ids=str)
def test_modern_reference(row, record_property):
    found = PREDICTED_MODERN[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- binary ------------------------------------------------------------------------------------


def sampled_error(N, alpha, start, sharpness, samples, seed):
    """How often the noise of exp(alpha N) patterns exceeds the signal, O(N) a sample."""
    rng = np.random.default_rng(seed)
    # From the outside in: what rounding leaves of the patterns goes to the last, likeliest sum.
    k = np.array(sorted(range(N), key=lambda k: -abs(2 * k - N + 1)))
    sums = 2 * k - (N - 1)
    log_law = gammaln(N) - gammaln(k + 1) - gammaln(N - k)
    log_law -= log_law.max()
    law = np.exp(log_law) / np.exp(log_law).sum()
    counts = rng.multinomial(int(np.exp(alpha * N)), law, size=samples)
    signs = 2 * rng.binomial(counts, 0.5) - counts
    noise = signs @ np.exp(sharpness * (sums - N * start))
    return np.mean(noise < -np.exp(-sharpness * start))


@pytest.mark.parametrize(
    ("start", "sharpness"), [(1.0, 1.0), (0.8, 1.0), (0.9, 0.5), (0.6, 0.3), (0.5, 2.0)]
)
def test_typical_threshold_in_samples(start, sharpness):
    threshold = float(exponential.typical(start, sharpness).alpha)
    for shift, sign in ((-0.3, -1), (0.3, 1)):
        alpha = threshold * (1 + shift)
        N = int(min(200, 36 / alpha))  # numbers of patterns are below 2^63
        sizes = (N // 2, N)
        errors = [sampled_error(N, alpha, start, sharpness, 4000, N) for N in sizes]
        # three standard errors of a difference of two such fractions are 0.034 at most
        assert sign * (errors[1] - errors[0]) > -0.034
        # on the right side of one half of the error of pure noise, and by much at the larger size
        assert (errors[1] > 0.3) if sign > 0 else (errors[1] < 0.12)


def test_known_samples():
    # an independent sampler gave these fractions at N = 40
    for alpha, expected in ((0.62, 0.022), (0.675, 0.22), (0.72, 0.39)):
        found = sampled_error(40, alpha, 1.0, 1.0, 8000, 3)
        # three standard errors of both, its number of samples being unknown but large, and the
        # rounding of the numbers given
        assert abs(found - expected) < 4 * np.sqrt(expected / 8000) + 0.01


def test_typical_is_where_noise_meets_signal():
    for start, sharpness in ((1.0, 1.0), (0.8, 1.0), (0.3, 0.2), (0.97, 0.4), (0.99, 5.0)):
        alpha = float(exponential.typical(start, sharpness).alpha)
        noise = exponential.noise_exponent(alpha, sharpness)
        assert float(noise.exponent) == pytest.approx(sharpness * start, abs=1e-9)
        above = float(exponential.noise_exponent(alpha * 1.01, sharpness).exponent)
        assert above > sharpness * start
    edge = np.tanh(2 * 0.7)
    sides = exponential.typical([edge * (1 - 1e-9), edge * (1 + 1e-9)], 0.7).alpha
    assert float(sides[1] - sides[0]) == pytest.approx(0, abs=1e-8)
    assert exponential.typical([-0.5, 0.0]).alpha.values.tolist() == [0, 0]
    # many of them, and no two patterns alike beyond ln 2 /2 per pair
    assert float(exponential.typical(1.0, 50.0).alpha) == pytest.approx(np.log(2), abs=1e-12)
    assert float(exponential.worst_case(1.0).alpha) == pytest.approx(np.log(2) / 2, abs=1e-15)
    x = np.linspace(0.05, 1, 20)
    found = exponential.worst_case(x, [0.01, 0.1, 1.0, 10.0]).alpha
    assert (found <= exponential.typical(x, [0.01, 0.1, 1.0, 10.0]).alpha * (1 + 1e-12)).all()


# --- continuous --------------------------------------------------------------------------------


def test_sphere_thresholds_are_where_noise_meets_signal():
    for sharpness, start in ((0.5, 1.0), (1e-3, 1.0), (4.0, 0.7), (2.0, 0.8), (50.0, 0.9)):
        alpha = float(log_sum_exp.sphere(sharpness, start).alpha)
        noise = log_sum_exp.sphere_noise(alpha, sharpness)
        assert float(noise.exponent) == pytest.approx(sharpness * start, rel=1e-12)
        alpha = float(log_sum_exp.gaussian(sharpness, start).alpha)
        noise = log_sum_exp.gaussian_noise(alpha, sharpness)
        assert float(noise.exponent) == pytest.approx(sharpness * start, rel=1e-12)
    # phi is the largest exponent over overlaps whose patterns exist
    for alpha, sharpness in ((0.1, 2.0), (0.7, 1.0), (0.3, 0.4)):
        u = np.linspace(0, 1 - 1e-9, 2_000_001)
        entropy = alpha + np.log1p(-(u**2)) / 2
        expected = (entropy + sharpness * u)[entropy >= 0].max()
        found = float(log_sum_exp.sphere_noise(alpha, sharpness).exponent)
        assert found == pytest.approx(expected, abs=1e-5)  # the grid's step times the slope


def test_half_weight_is_the_limit_and_the_average():
    for d, kappa in ((3, 2.0), (16, 8.0), (40, 100.0), (150, 60.0), (121, 500.0)):
        # E e^{kappa m} by the trapezoid rule over the angle, weight sin^(d-2)
        angle = np.linspace(0, np.pi, 20_001)[1:-1]
        log_weight = (d - 2) * np.log(np.sin(angle))
        expected = kappa - logsumexp(log_weight + kappa * np.cos(angle)) + logsumexp(log_weight)
        found = float(log_sum_exp.half_weight(d, kappa).log_n_patterns)
        # the rule is of second order where the weight is not smooth (d = 3): (pi/20000)^2
        assert found == pytest.approx(expected, rel=1e-7)
    # across the change to the uniform expansion, even and odd orders
    d, kappa = np.array([118, 121, 122, 123, 150, 300])[:, None], np.array([20.0, 80.0, 300.0])
    average = gammaln(d / 2) + (d / 2 - 1) * np.log(2 / kappa) + np.log(ive(d / 2 - 1, kappa))
    found = log_sum_exp.half_weight(d.ravel(), kappa).log_n_patterns
    np.testing.assert_allclose(found, -average, rtol=0, atol=1e-9)
    for sharpness in (0.25, 1.0, 3.0):
        large = log_sum_exp.half_weight(10**6, sharpness * 10**6)
        limit = float(log_sum_exp.sphere(sharpness).alpha)
        # ln M/d - alpha_1 is of order 1/d
        assert float(large.log_n_patterns) / 10**6 == pytest.approx(limit, abs=3e-6)


def test_sampled_softmax_weight():
    """The median weight of the queried pattern among M_half others is one half."""
    rng = np.random.default_rng(1)
    d, kappa, runs = 12, 5.0, 400
    M = int(log_sum_exp.half_weight(d, kappa).n_patterns)
    patterns = rng.normal(size=(runs, M, d))
    cosine = patterns[:, :, 0] / np.linalg.norm(patterns, axis=2)
    weight = np.exp(kappa) / (np.exp(kappa) + np.exp(kappa * cosine).sum(axis=1))
    # four standard errors of a median, 1.25 deviation/sqrt(runs), and its 1/M bias
    assert abs(np.median(weight) - 0.5) < 5 * weight.std() / np.sqrt(runs) + 1 / M


def test_gaussian_patterns():
    found = log_sum_exp.gaussian_all([0.2, 0.5, 0.99, 1.0, 3.0])
    for sharpness, r, alpha in zip(
        found.sharpness.values, found.smallest_norm.values, found.alpha_norm.values, strict=True
    ):
        c = sharpness - sharpness**2 / 2 if sharpness < 1 else 0.5
        expected = brentq(lambda r, c=c: (r - 1 - np.log(r)) / 2 - r * c, 1e-6, 1 - 1e-12)
        assert r == pytest.approx(expected, rel=1e-9)
        assert alpha == pytest.approx(r * c, rel=1e-12)
    assert (found.alpha <= log_sum_exp.gaussian([0.2, 0.5, 0.99, 1.0, 3.0]).alpha).all()
    crossing = log_sum_exp.gaussian_all([0.69, 0.71])
    below, above = (crossing.alpha_norm - crossing.alpha_pair).values
    assert below < 0 < above


# --- bounds ------------------------------------------------------------------------------------


def test_bounds_hold_for_random_patterns():
    rng = np.random.default_rng(4)
    tried = 0
    for _ in range(25):
        N, d, beta = int(rng.integers(2, 12)), 20, float(rng.choice([1.0, 4.0]))
        x = rng.normal(size=(N, d)) * rng.uniform(1, 2)
        overlaps = x @ x.T
        separations = np.diag(overlaps) - np.max(
            overlaps - np.diag(np.full(N, np.inf)), axis=1, initial=-np.inf
        )
        M = np.linalg.norm(x, axis=1).max()
        needed = modern_bounds.separated(N, beta, M)
        for i in np.flatnonzero(separations >= float(needed.separation)):
            xi = x[i].copy()
            first = None
            for _ in range(200):
                p = np.exp(beta * x @ xi - logsumexp(beta * x @ xi))
                xi = p @ x
                first = xi if first is None else first
            fixed = np.linalg.norm(xi - x[i])
            bounds = modern_bounds.retrieval_error(N, beta, M, separations[i], fixed)
            tiny = 1e-13 * M  # rounding of the iteration
            assert fixed <= float(needed.radius) + tiny
            assert fixed <= float(bounds.fixed_point) + tiny
            assert np.linalg.norm(first - x[i]) <= float(bounds.one_update) + tiny
            tried += 1
    assert tried > 40
    assert modern_bounds.retrieval_error(10, 1.0, 1.0, -1.0).one_update.isnull()


def test_capacity_bound():
    # c solves c (a + ln c) = b, the definition of W_0 rewritten
    found = modern_bounds.capacity(1.0, [1.0, 3.0], [20, 75], 0.001)
    a = (
        2
        / (found.dimension - 1)
        * (1 + np.log(2 * found.radius**2 * 0.001 * (found.dimension - 1)))
    )
    b = 2 * found.radius**2 / 5
    np.testing.assert_allclose(found.c * (a + np.log(found.c)), b.broadcast_like(found.c), 1e-12)
    assert float(found.least_c.sel(dimension=20).isel(radius=1)) < float(found.c.isel(radius=1)[0])
    assert modern_bounds.capacity(0.01, 1.0, 20, 0.001).n_patterns.isnull()


# --- borders -----------------------------------------------------------------------------------


def test_labels():
    for found in (
        exponential.typical([0.5, 0.9], [1.0, 2.0, 3.0]),
        exponential.noise_exponent([0.1, 0.2], 1.0),
        log_sum_exp.sphere([0.5, 1.0], 0.9),
        log_sum_exp.half_weight([10, 20], 5.0),
        modern_bounds.capacity(1.0, 3.0, [20, 30], 0.001),
    ):
        assert found.attrs["convention"] and found.attrs["source"]
        for name in found.variables:
            assert found[name].attrs["long_name"] and found[name].attrs["units"] == "1"
    assert exponential.typical([0.5, 0.9], [1.0, 2.0, 3.0]).alpha.shape == (2, 3)
    start = xr.DataArray([0.5, 0.9], dims="run", coords={"run": [1, 2]})
    paired = exponential.typical(start, xr.DataArray([1.0, 0.1], dims="run"))
    assert paired.alpha.dims == ("run",)
    assert float(paired.alpha[1]) == float(exponential.typical(0.9, 0.1).alpha)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: exponential.typical(1.2), "start_overlap = 1.2"),
        (lambda: exponential.typical(1.0, 0.0), "sharpness = 0"),
        (lambda: exponential.worst_case(np.nan), "start_overlap = nan"),
        (lambda: exponential.noise_exponent(0.0), "alpha = 0"),
        (lambda: log_sum_exp.sphere(-1.0), "sharpness = -1"),
        (lambda: log_sum_exp.gaussian_all(0.0), "sharpness = 0"),
        (lambda: log_sum_exp.half_weight(1, 3.0), "dimension = 1"),
        (lambda: log_sum_exp.half_weight(5, -3.0), "self_overlap = -3"),
        (lambda: modern_bounds.capacity(1.0, 1.0, 20, 0.0), "failure = 0"),
        (lambda: modern_bounds.separated(2.5, 1.0, 1.0), "n_patterns = 2.5"),
        (lambda: modern_bounds.retrieval_error(2, 1.0, 1.0, 1.0, -0.1), "distance = -0.1"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
