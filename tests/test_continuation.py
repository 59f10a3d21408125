"""Many equations at once: maxima, systems by Newton's method, curves followed past their folds."""

import numpy as np
import pytest

from hopfield_sim.theory.continuation import followed, maxima, newton


def circle(x, radius_squared):
    """A circle and its diagonal: solutions at +-sqrt(radius_squared/2), none for negative ones."""
    return np.column_stack([(x**2).sum(axis=1) - radius_squared, x[:, 0] - x[:, 1]])


def test_maxima_of_many_functions():
    centre = np.array([0.3, 1.0, 2.7])
    place, value = maxima(lambda x, centre: 2 - (x - centre) ** 4, 0.0, 3.0, centre)
    # Flat to rounding within (1e-16)^(1/4) = 1e-4; the value itself is right to rounding.
    np.testing.assert_allclose(place, centre, atol=2e-4)
    np.testing.assert_allclose(value, 2, rtol=1e-15)
    place, _ = maxima(lambda x, centre: -np.abs(x - centre), 0.0, 3.0, centre)
    np.testing.assert_allclose(place, centre, atol=1e-8)  # 0.618^42 of the bracket


def test_maxima_avoid_where_nothing_is_defined():
    place, value = maxima(lambda x: np.where(x < 1, np.nan, 3 - x), 0.0, 2.0)
    assert place[0] == pytest.approx(1, abs=1e-8) and value[0] == pytest.approx(2, abs=1e-8)


def test_newton_solves_many_systems_and_says_where_there_is_none():
    x, error = newton(circle, [1.0, 0.5], np.array([1.0, 8.0, -1.0]))
    # The last step of Newton's method leaves rounding.
    np.testing.assert_allclose(x[0], np.sqrt(0.5), rtol=1e-14)
    np.testing.assert_allclose(x[1], 2.0, rtol=1e-14)
    assert error[:2].max() < 1e-14
    assert np.isnan(x[2]).all() and error[2] >= 1  # x^2 + y^2 + 1 is never below 1


def test_newton_takes_each_point_from_its_own_start():
    x, _ = newton(circle, [[1.0, 0.5], [-1.0, -0.2]], np.array([2.0, 2.0]))
    np.testing.assert_allclose(x, [[1, 1], [-1, -1]], rtol=1e-14)


def test_newton_stays_where_the_equations_are_defined():
    """ln x = a from a start whose full step would lead to negative x."""

    def equations(x, a):
        return np.where(x > 0, np.log(np.where(x > 0, x, 1)) - a[:, None], np.nan)

    x, _ = newton(equations, [10.0], np.array([-2.0, 0.0]))
    np.testing.assert_allclose(x[:, 0], np.exp([-2.0, 0.0]), rtol=1e-11)  # the default tolerance


def test_newton_near_the_edge_of_the_domain_takes_differences_inwards():
    def equations(x):
        return np.where(x <= 1, (x - 1) * (x - 3), np.nan)

    x, error = newton(equations, [[1.0 - 1e-12]])
    assert x[0, 0] == pytest.approx(1, abs=1e-12) and error[0] <= 1e-11


def test_newton_refuses_a_start_without_a_value():
    x, error = newton(circle, [np.nan, 1.0], 1.0)
    assert np.isnan(x).all() and np.isinf(error[0])


def test_newton_with_no_points():
    x, error = newton(circle, np.empty((0, 2)), np.empty(0))
    assert x.shape == (0, 2) and error.shape == (0,)


def test_a_curve_is_followed_past_its_fold():
    """load = y^2 (1 - y): one load, two solutions; with y as the path there is no fold."""

    def equations(x, y):
        return x - (y**2 * (1 - y))[:, None]

    path = np.linspace(0.9, 0.1, 17)
    x, error = followed(equations, [0.08], path)
    np.testing.assert_allclose(x[:, 0], path**2 * (1 - path), atol=1e-11)  # the default tolerance
    assert error.max() <= 1e-11


def test_a_long_step_is_divided_and_a_lost_solution_stays_lost():
    def far(x, place):
        """exp(50 place): out of reach of one step, within reach of several."""
        return np.log(np.where(x > 0, x, np.nan)) * 50 - 50 * place[:, None] ** 2

    x, _ = followed(far, [1.0], [0.0, 3.0])
    assert x[1, 0] == pytest.approx(np.exp(9), rel=1e-11)

    def ends(x, place):
        return x**2 - (1 - place)[:, None]

    x, error = followed(ends, [1.0], [0.0, 0.5, 2.0, 0.5])
    assert x[1, 0] == pytest.approx(np.sqrt(0.5), rel=1e-11)
    assert np.isnan(x[2:]).all() and np.isnan(error[2:]).all()
