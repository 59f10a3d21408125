"""One update of softmax networks at finite d and M: the exact law, and the annealed fixed point."""

import numpy as np
import pytest
import xarray as xr
from scipy.integrate import quad

from hopfield_sim.theory import log_sum_exp, log_sum_exp_finite


def sampled(dimension, sharpness, start_overlap, number, kind, samples, seed):
    """Weight, retrieved or not, square error of one update: (3, sample), from drawn patterns."""
    random = np.random.default_rng(seed)
    found = np.empty((3, samples))
    for sample in range(samples):
        xi = random.normal(size=(number, dimension))
        if kind == "sphere":
            xi *= np.sqrt(dimension) / np.linalg.norm(xi, axis=1, keepdims=True)
        across = random.normal(size=dimension)
        across -= across @ xi[0] / (xi[0] @ xi[0]) * xi[0]
        across *= np.linalg.norm(xi[0]) / np.linalg.norm(across)
        x = start_overlap * xi[0] + np.sqrt(1 - start_overlap**2) * across
        p = np.exp(sharpness * (xi @ x - xi[0] @ x))
        p /= p.sum()
        found[:, sample] = p[0], p[0] > 0.5, ((p @ xi - xi[0]) ** 2).sum() / dimension
    return found


@pytest.mark.parametrize("kind", log_sum_exp_finite.PATTERNS)
@pytest.mark.parametrize(
    ("dimension", "sharpness", "start_overlap", "number"),
    [(6, 1.0, 1.0, 30), (10, 2.0, 0.8, 100), (12, 0.7, 0.9, 60), (5, 0.5, 1.0, 3)],
)
def test_samples(kind, dimension, sharpness, start_overlap, number):
    law = log_sum_exp_finite.one_update(
        np.log(number), dimension, sharpness, start_overlap, patterns=kind
    )
    found = sampled(dimension, sharpness, start_overlap, number, kind, 1000, 7)
    error = found.std(axis=1, ddof=1) / np.sqrt(found.shape[1])
    expected = [float(law[name]) for name in ("weight", "retrieved", "square_error")]
    # 24 numbers in all: one beyond four standard errors in 700 runs with other seeds
    assert (np.abs(found.mean(axis=1) - expected) < 4 * error).all()


def test_one_other_pattern_by_plain_integration():
    """M = 2 on the sphere: averages over one overlap m of density (1 - m^2)^((d-3)/2)."""
    d, sharpness, x0 = 7, 0.9, 0.6
    kappa = sharpness * d

    def average(g):
        law = lambda m: (1 - m**2) ** ((d - 3) / 2)  # noqa: E731
        return quad(lambda m: law(m) * g(m), -1, 1)[0] / quad(law, -1, 1)[0]

    def weight(m):
        return 1 / (1 + np.exp(kappa * (m - x0)))

    law = log_sum_exp_finite.one_update(np.log(2), d, sharpness, x0)
    assert float(law.weight) == pytest.approx(average(weight), abs=1e-6)
    # |f - x_1| is the weight of the other times its distance, 2 (1 - m x_0) d on average
    error = average(lambda m: (1 - weight(m)) ** 2 * 2 * (1 - m * x0))
    assert float(law.square_error) == pytest.approx(error, abs=1e-6)
    retrieved = (
        quad(lambda m: (1 - m**2) ** 2, -1, x0)[0] / quad(lambda m: (1 - m**2) ** 2, -1, 1)[0]
    )
    # the sharp edge of a single term at m = x_0: the inversion is at its worst
    assert float(law.retrieved) == pytest.approx(retrieved, abs=2e-3)


@pytest.mark.parametrize("kind", log_sum_exp_finite.PATTERNS)
def test_a_pattern_alone_and_very_many(kind):
    law = log_sum_exp_finite.one_update([0.0, 60.0], 12, [0.5, 1.0], 1.0, kind)
    alone = law.isel(log_n_patterns=0)
    np.testing.assert_allclose(alone.weight, 1, atol=1e-6)
    np.testing.assert_allclose(alone.retrieved, 1, atol=1e-6)
    np.testing.assert_allclose(alone.square_error, 0, atol=1e-6)
    lost = law.isel(log_n_patterns=1)
    np.testing.assert_allclose(lost.weight, 0, atol=1e-6)
    np.testing.assert_allclose(lost.retrieved, 0, atol=1e-6)
    # f(x) = E x_mu e^(lambda x_mu . x)/E e^(lambda x_mu . x), exactly: u x on the sphere with
    # u = I_(d/2)(kappa)/I_(d/2-1)(kappa), lambda x for Gaussian patterns, where E |x|^2 = d
    if kind == "gaussian":
        expected = (1 - law.sharpness) ** 2
    else:
        kappa = law.sharpness * 12
        ratio = log_sum_exp.half_weight(12, kappa).log_n_patterns
        ratio = ratio - log_sum_exp.half_weight(14, kappa).log_n_patterns
        expected = (1 - kappa / 12 * np.exp(ratio)) ** 2
    np.testing.assert_allclose(lost.square_error, np.ravel(expected), atol=1e-5)


def test_large_dimensions_reach_the_sharp_law():
    """ln M/d - alpha = O(1/d), with a coefficient of order one; without a logarithm at x_0 = 1."""
    for kind, sharpness in (("sphere", 0.5), ("sphere", 2.0)):
        found = log_sum_exp_finite.largest([100, 400], sharpness, patterns=kind)
        alpha = float(log_sum_exp.sphere(sharpness).alpha)
        away = (found.log_mean / found.dimension - alpha) * found.dimension
        assert float(np.abs(away).max()) < 0.5
        assert float(np.abs(away[1] - away[0])) < 0.05  # O(1/d)
        # W hardly fluctuates: mean, median and annealed number agree
        half = log_sum_exp.half_weight(400, 400 * sharpness).log_n_patterns
        assert float(found.log_mean[1]) == pytest.approx(float(half), abs=0.02)
    away = log_sum_exp_finite.largest(60, 0.8, patterns="gaussian").log_mean / 60
    assert float(away) == pytest.approx(float(log_sum_exp.gaussian(0.8).alpha), abs=0.01)


@pytest.mark.parametrize("kind", log_sum_exp_finite.PATTERNS)
def test_largest_numbers_are_roots_of_their_measures(kind):
    found = log_sum_exp_finite.largest(12, 1.0, 0.9, bound=0.15, patterns=kind)

    def law(name):
        return log_sum_exp_finite.one_update(float(found[name]), 12, 1.0, 0.9, kind)

    assert float(law("log_mean").weight) == pytest.approx(0.5, abs=1e-6)
    assert float(law("log_typical").retrieved) == pytest.approx(0.5, abs=1e-4)
    assert float(law("log_error").square_error) == pytest.approx(0.15**2, abs=1e-6)
    number = np.exp(float(found.log_all))
    assert number * float(1 - law("log_all").retrieved) == pytest.approx(np.log(2), abs=0.01)
    assert float(found.log_all) < float(found.log_typical)


def test_an_error_that_never_exceeds_its_bound():
    # with every pattern the sphere covers, f(x) = u x: the error is 1 - u = 0.22 for lambda = 2
    found = log_sum_exp_finite.largest(12, 2.0, bound=0.5)
    assert np.isposinf(found.log_error) and np.isfinite(found.log_typical)
    # two patterns are too many for a cue without overlap
    assert np.isnan(log_sum_exp_finite.largest(12, 2.0, 0.0).log_typical)


def test_fixed_point_solves_its_equation():
    """y = (1 + w u)/(1 + w) at the M found, and no y near by has a larger M."""
    found = log_sum_exp_finite.fixed_point([16, 32], [0.5, 0.7])
    for d in (16, 32):
        for sharpness in (0.5, 0.7):
            at = found.sel(dimension=d, sharpness=sharpness)
            y, kappa = float(at.overlap), d * sharpness
            m = np.linspace(-1, 1, 20_001)
            law = (1 - m**2) ** ((d - 3) / 2)
            law /= law.sum()

            def number(y, m=m, law=law, kappa=kappa):
                tilted = law * np.exp(kappa * y * (m - 1))
                u = (tilted @ m) / tilted.sum()
                return np.log((1 - y) / (y - u)) - np.log(tilted.sum())

            # the integral by its trapezoid sum, y on a grid of 1/2000
            assert float(at.log_n_patterns) == pytest.approx(number(y), abs=1e-5)
            assert number(y) > max(number(y - 0.01), number(y + 0.01))
    # less than one update, and all the same for d -> infinity
    for kind, alpha in (("sphere", log_sum_exp.sphere), ("gaussian", log_sum_exp.gaussian)):
        few = log_sum_exp_finite.fixed_point([24, 3000], 0.5, kind).log_n_patterns
        assert float(few[0]) < 24 * float(alpha(0.5).alpha)
        # ln M/d - alpha ~ -ln d/d
        assert float(few[1]) / 3000 == pytest.approx(float(alpha(0.5).alpha), abs=0.005)
    assert np.isnan(log_sum_exp_finite.fixed_point(6, 1.0).log_n_patterns)
    assert np.isnan(log_sum_exp_finite.fixed_point(24, 1.5, "gaussian").log_n_patterns)


def test_very_flat_and_very_sharp():
    """Where rounding or overflow would leave nothing: equal weights, and all for another pattern.

    At x_0 = 0 and lambda d = 1000 the exponents of others are 1000 m, of width 45: the own weight
    wins if all are below 0, and has almost all or nothing.
    """
    flat = log_sum_exp_finite.one_update(np.log(148), 2, 1e-6, patterns="gaussian")
    assert float(flat.weight) == pytest.approx(1 / 148, abs=1e-6)
    assert float(flat.retrieved) == pytest.approx(0, abs=1e-6)
    sharp = log_sum_exp_finite.one_update(np.log([2, 5]), 500, 2.0, 0.0)
    # within 1/45 exponents are of order one
    np.testing.assert_allclose(sharp.weight, [1 / 2, 1 / 16], atol=1 / 45)
    with pytest.raises(ValueError, match="too sharp for Gaussian patterns"):
        log_sum_exp_finite.one_update(1.0, 12, 20.0, patterns="gaussian")


def test_labels_and_refusals():
    paired = xr.DataArray([1.0, 2.0, 3.0], dims="point")
    found = log_sum_exp_finite.one_update(paired, 8, 1.0)
    assert found.weight.dims == ("point",)
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"] == "1"
    for wrong in (
        lambda: log_sum_exp_finite.one_update(1.0, 8, 1.0, patterns="cube"),
        lambda: log_sum_exp_finite.one_update(-1.0, 8, 1.0),
        lambda: log_sum_exp_finite.one_update(1.0, 8, 1.0, 1.1),
        lambda: log_sum_exp_finite.largest(8, 0.0),
        lambda: log_sum_exp_finite.largest(8, 1.0, bound=1.0),
        lambda: log_sum_exp_finite.fixed_point(8, 1.0, "cube"),
    ):
        with pytest.raises(ValueError, match="is not allowed|give one of"):
            wrong()
