"""Gaussian averages against independent quadrature, closed forms and their own resolution rule."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import erf

from hopfield_sim.theory.quadrature import (
    RESOLUTION,
    gaussian_nodes,
    sign_averages,
    thermal_averages,
)

NODES, WEIGHTS = np.polynomial.legendre.leggauss(40)


def piecewise(function, mean, width, temperature):
    """int Dz function(u, z), u = (mean + width z)/T, by Gauss-Legendre on panels around the kink.

    The variable is the distance of z from the kink, so that u keeps its precision when T is tiny.
    """
    kink, centre = temperature / width, -mean / width
    fine = kink * np.array([0, 1, 2, 4, 8, 16, 32])
    ends = np.concatenate([-fine, fine, np.linspace(-10, 10, 61) - centre])
    ends = np.unique(np.clip(ends, -10 - centre, 10 - centre))
    middle, half = (ends[1:] + ends[:-1]) / 2, np.diff(ends) / 2
    distance = (middle[:, None] + half[:, None] * NODES).ravel()
    z = centre + distance
    weight = (half[:, None] * WEIGHTS).ravel() * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return np.sum(weight * function(distance / kink, z))


def sech_squared(u):
    return 4 * np.exp(-2 * abs(u)) / (1 + np.exp(-2 * abs(u))) ** 2


def spin_entropy(u):
    return np.logaddexp(u, -u) - u * np.tanh(u)


FUNCTIONS = {  # name -> (power of beta in front, function of u and z)
    "tanh": (0, lambda u, z: np.tanh(u)),
    "tanh_squared": (0, lambda u, z: np.tanh(u) ** 2),
    "slope": (1, lambda u, z: sech_squared(u)),
    "slope_z": (1, lambda u, z: z * sech_squared(u)),
    "slope_zz": (1, lambda u, z: z**2 * sech_squared(u)),
    "square_mean": (1, lambda u, z: 2 * np.tanh(u) * sech_squared(u)),
    "square_width": (1, lambda u, z: 2 * z * np.tanh(u) * sech_squared(u)),
    "entropy": (0, lambda u, z: spin_entropy(u)),
    "sech_fourth": (1, lambda u, z: sech_squared(u) ** 2),
}


@pytest.mark.parametrize("temperature", [1e-6, 1e-4, 0.01, 0.1, 0.3, 1.0, 1.2, 5.0])
def test_averages_at_every_temperature(temperature):
    rng = np.random.default_rng(1)
    widths = np.concatenate(
        [10 ** rng.uniform(-3, 0.5, 12), temperature * np.array([0.999, 1.0, 1.001, 3.0])]
    )
    for width in widths:
        mean = rng.uniform(-1.2, 1.2)
        found = thermal_averages(mean, width, temperature)._asdict()
        for name, (power, function) in FUNCTIONS.items():
            expected = piecewise(function, mean, width, temperature) / temperature**power
            # Slopes are of the order of the inverse of the larger of width and temperature; both
            # rules are good to 1e-13 of that, the panels being the coarser.
            scale = max(width, temperature) ** -power
            assert abs(found[name] - expected) < 1e-12 * scale, (name, mean, width)


def test_zero_temperature_is_exact():
    mean, width = np.array([-0.7, 0.0, 0.2, 1.0]), np.array([0.1, 0.3, 0.5, 2.0])
    found = thermal_averages(mean, width, 0.0)
    density = np.exp(-((mean / width) ** 2) / 2) / np.sqrt(2 * np.pi) / width
    # Rounding only: the kink is integrated in closed form. The integrals of sech^2 and sech^4
    # over u are 2 and 4/3.
    np.testing.assert_allclose(found.tanh, erf(mean / width / np.sqrt(2)), rtol=1e-14)
    np.testing.assert_allclose(found.slope, 2 * density, rtol=1e-13)
    np.testing.assert_allclose(found.sech_fourth, 4 / 3 * density, rtol=1e-13)
    np.testing.assert_array_equal(found.tanh_squared, 1)
    np.testing.assert_array_equal(found.entropy, 0)


def test_zero_temperature_is_the_limit():
    mean, width = np.array([-0.7, 0.2, 1.0]), np.array([0.1, 0.5, 2.0])
    zero = thermal_averages(mean, width, 0.0)
    for temperature in (1e-3, 1e-5, 1e-7):
        warm = thermal_averages(mean, width, temperature)
        # With w = T/b and z* = -a/b: the slope changes by (pi^2/24) (z*^2 - 1) w^2 of itself, and
        # E tanh by as much as -(pi^2/12) z* phi(z*) w^2; E tanh^2 and the entropy are of order w.
        kink, place = temperature / width, mean / width
        change = np.pi**2 / 24 * (place**2 - 1) * kink**2
        # The next order is w^4 with a factor of at most z*^4 ~ 2401, or what rounding leaves.
        limit = 2401 * kink**4 + 1e-13
        assert np.all(np.abs(warm.slope / zero.slope - 1 - change) < limit)
        assert np.all(np.abs(warm.tanh - zero.tanh) < kink**2 + 1e-15)
        assert np.all(np.abs(warm.tanh_squared - 1) < kink)
        assert np.all(np.abs(warm.entropy) < kink)


def test_without_noise_or_temperature():
    no_noise = thermal_averages([0.3, -2.0], 0.0, 0.5)
    np.testing.assert_allclose(no_noise.tanh, np.tanh([0.6, -4.0]), rtol=1e-15)
    np.testing.assert_allclose(no_noise.slope, sech_squared(np.array([0.6, 4.0])) / 0.5, rtol=1e-14)
    sharp = thermal_averages([0.3, 0.0, -2.0], 0.0, 0.0)
    np.testing.assert_array_equal(sharp.tanh, [1, 0, -1])
    np.testing.assert_array_equal(sharp.slope, [0, np.inf, 0])


def test_derivatives_are_derivatives():
    mean, step = np.array([-0.4, 0.1, 0.9]), 1e-5
    for width, temperature in ((0.5, 0.05), (0.2, 0.6)):
        found = thermal_averages(mean, width, temperature)

        def change(name, by_mean, by_width, width=width, temperature=temperature):
            up, down = (
                getattr(
                    thermal_averages(mean + s * by_mean, width + s * by_width, temperature), name
                )
                for s in (step, -step)
            )
            return (up - down) / (2 * step)

        # Central differences: error step^2 times a third derivative of at most 1/T^3 ~ 1e4.
        tolerance = {"rtol": 0, "atol": 1e-6}
        np.testing.assert_allclose(found.slope, change("tanh", 1, 0), **tolerance)
        np.testing.assert_allclose(found.slope_z, change("tanh", 0, 1), **tolerance)
        np.testing.assert_allclose(found.square_mean, change("tanh_squared", 1, 0), **tolerance)
        np.testing.assert_allclose(found.square_width, change("tanh_squared", 0, 1), **tolerance)


def test_nodes_keep_the_resolution_rule():
    for finest in (10.0, 1.0, 0.1, 0.01):
        nodes, weights = gaussian_nodes(finest)
        assert np.diff(nodes).max() <= RESOLUTION * min(finest, 1) * (1 + 1e-12)
        assert weights.sum() == pytest.approx(1, abs=1e-14)
        mean, width, temperature = 0.4, 0.5, 0.5 * finest
        direct = weights @ np.tanh((mean + width * nodes) / temperature)
        # The rule promises 1e-14; 1e-13 leaves room for the sum of a thousand rounded terms.
        assert direct == pytest.approx(thermal_averages(mean, width, temperature).tanh, abs=1e-13)


def test_a_coarser_grid_would_be_wrong():
    """The rule is not idle: at six times its step the error is visible."""
    mean, width, temperature = 0.4, 0.5, 0.05
    nodes, weights = gaussian_nodes(6 * temperature / width)
    coarse = weights @ np.tanh((mean + width * nodes) / temperature)
    assert abs(coarse - thermal_averages(mean, width, temperature).tanh) > 1e-4


@pytest.mark.parametrize("finest", [0.0, -1.0, np.nan, 1e-6])
def test_nodes_refuse_what_they_cannot_resolve(finest):
    with pytest.raises(ValueError, match="positive|thermal_averages"):
        gaussian_nodes(finest)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.nan, 1.0, 1.0), "mean field"),
        ((0.0, -1.0, 1.0), "width"),
        ((0.0, 1.0, -0.1), "temperature"),
        ((0.0, 1.0, np.nan), "temperature"),
    ],
)
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=message):
        thermal_averages(*arguments)


def test_large_arrays_are_evaluated_in_pieces():
    mean = np.linspace(-1, 1, 20_001).reshape(3, -1)
    found = thermal_averages(mean, 0.3, 0.1).tanh
    assert found.shape == mean.shape
    # Odd in the mean, whatever piece a point was in; rounding of a sum of order one.
    np.testing.assert_allclose(found.ravel(), -found.ravel()[::-1], rtol=0, atol=1e-14)


@pytest.mark.parametrize(
    ("field", "width", "rate"),
    [(0.3, 0.5, 2.0), (1.0, 0.2, 30.0), (-0.2, 1.0, 0.5), (0.0, 0.7, 4.0), (0.4, 0.1, 0.0)],
)
def test_signs_under_exponential_weights(field, width, rate):
    """Against adaptive integration, with the kink of the weight as a point of division."""

    def average(function):
        # The weight exp(rate |x|) shifts the Gaussian by rate width at most.
        reach = 10 + rate * width
        value, _ = quad(
            lambda z: function(field + width * z) * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi),
            -reach,
            reach,
            points=[-field / width, -rate * width, rate * width],
            epsabs=1e-13,  # the odd average vanishes without a field
            epsrel=1e-12,
            limit=500,
        )
        return value

    found = sign_averages(field, width, rate)
    weight = average(lambda x: np.exp(rate * abs(x)))
    sign = average(lambda x: np.sign(x) * np.exp(rate * abs(x))) / weight
    size = average(lambda x: abs(x) * np.exp(rate * abs(x))) / weight
    density = np.exp(-(field**2) / (2 * width**2)) / np.sqrt(2 * np.pi) / width / weight
    # The adaptive rule's own 1e-12, twice in a ratio.
    assert found.log_weight == pytest.approx(np.log(weight), abs=1e-11)
    assert found.sign == pytest.approx(sign, abs=1e-11)
    assert found.size == pytest.approx(size, rel=1e-11)
    assert found.density == pytest.approx(density, rel=1e-11)


def test_signs_do_not_overflow():
    found = sign_averages(np.array([0.5, -0.5, 0.0]), 0.5, 1e4)
    # The weight outgrows everything: the sign of the field, or of either side with equal chance.
    assert found.sign.tolist() == [1, -1, 0] and np.isfinite(found.log_weight).all()


@pytest.mark.parametrize("arguments", [(0.1, 0.0, 1.0), (0.1, 1.0, -1.0), (np.nan, 1.0, 1.0)])
def test_signs_refuse(arguments):
    with pytest.raises(ValueError, match="width must be > 0"):
        sign_averages(*arguments)
