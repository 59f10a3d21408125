"""Projection rule: reference numbers, an independent solver, identities and limits."""

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq, minimize_scalar

from hopfield_sim.theory import projection
from tests import reference

PREDICTED = {
    "T_M_projection_RS": lambda row: (
        projection.spinodal_temperature(row.given["alpha"]).temperature
    ),
    "m_at_T_M_projection_RS": lambda row: projection.spinodal_temperature(row.given["alpha"]).m,
    "T_c_projection_RS": lambda row: (
        projection.transition_temperature(row.given["alpha"]).temperature
    ),
    "m_projection_RS": lambda row: projection.retrieval(row.given["alpha"], row.given["T"]).m,
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


def temperature(m, alpha):
    """T with the overlap m, as the equations stand."""
    inverse = np.arctanh(m) / m  # g/T
    return (1 - alpha / (1 - inverse * (1 - m**2))) / inverse


def free_energy(m, delta, alpha, T):
    """The free energy as a function of the overlap and of delta, g = 1/(1 + delta)."""
    beta, g = 1 / T, 1 / (1 + delta)
    log_determinant = -alpha - (1 - alpha) * np.log(1 - alpha)
    return -T * (
        alpha / 2 * (1 - np.log(alpha) + np.log(delta))
        + log_determinant / 2
        + np.log(g) / 2
        + beta * g * (delta - m**2) / 2
        + np.logaddexp(beta * g * m, -beta * g * m)
    )


def test_agrees_with_an_independent_solver():
    rng = np.random.default_rng(5)
    for alpha in rng.uniform(0.02, 0.95, 8):
        top = minimize_scalar(
            lambda m, a: -temperature(m, a),
            args=(alpha,),
            bounds=(1e-3, 1 - 1e-12),
            method="bounded",
            options={"xatol": 1e-10},
        )
        found = projection.spinodal_temperature(alpha)
        # m to the square root of rounding, T to rounding
        assert float(found.temperature) == pytest.approx(-top.fun, rel=1e-9)
        T = rng.uniform(0.5, 0.95) * -top.fun
        expected = brentq(lambda m, a=alpha, T=T: temperature(m, a) - T, top.x, 1 - 1e-15)
        # the slope dm/dT near m = 1 is below 1/T
        assert float(projection.retrieval(alpha, T).m) == pytest.approx(expected, abs=1e-9)
        lower = projection.solutions(alpha, T).m.sel(branch="retrieval_unstable")
        assert temperature(float(lower), alpha) == pytest.approx(T, rel=1e-9)
        assert lower < found.m


@pytest.mark.parametrize("branch", projection.BRANCHES)
def test_free_energy_is_stationary_and_thermodynamic(branch):
    alpha, T, step = 0.4, 0.17, 1e-5
    at, up, down = (
        projection.solutions(alpha, T + shift).sel(branch=branch) for shift in (0, step, -step)
    )
    point = np.array([float(at.m), 1 / float(at.g) - 1])
    assert free_energy(*point, alpha, T) == pytest.approx(float(at.free_energy), abs=1e-14)
    for direction in np.eye(2) * step:
        slope = free_energy(*(point + direction), alpha, T) - free_energy(
            *(point - direction), alpha, T
        )
        # central differences: a third derivative of f, below 1e3, times step^2
        assert abs(slope / (2 * step)) < 1e-7
    slope = (up.free_energy - down.free_energy) / (2 * step)
    # rounding 1e-16/step and step^2 times a third derivative
    assert float(at.entropy) == pytest.approx(-float(slope), abs=1e-7)
    assert float(at.free_energy) == pytest.approx(float(at.energy - T * at.entropy), abs=1e-15)


def test_limits():
    # without load the mean-field magnet
    T = np.array([0.1, 0.5, 0.9])
    found = projection.retrieval(1e-12, T)
    assert np.abs(found.m - np.tanh(found.m / T)).max() < 1e-9  # alpha/(1 - T) and rounding
    ground = projection.retrieval([0.01, 0.5, 0.99], 0.0)
    assert (ground.m == 1).all()
    np.testing.assert_allclose(ground.energy, -0.5, rtol=1e-15)
    np.testing.assert_allclose(ground.g, 1 - ground.alpha, rtol=1e-15)
    cold = projection.retrieval([0.01, 0.5, 0.99], 1e-6)
    # m = 1 - exp(-(1 - alpha)/T) up to the prefactor: exactly 1 at these temperatures
    np.testing.assert_allclose(cold.energy, ground.energy, rtol=0, atol=1e-15)
    np.testing.assert_allclose(cold.entropy, 0, atol=1e-15)
    # at high temperature the paramagnet has u = -alpha/2 - (1 - alpha) alpha/(2 T) + O(1/T^2),
    # the moments of the spectrum of the couplings
    hot = projection.solutions(0.3, 1e3).sel(branch="paramagnet")
    assert float(hot.energy) == pytest.approx(-0.15 - 0.3 * 0.7 / 2e3, abs=1e-6)
    assert float(hot.entropy) == pytest.approx(np.log(2), abs=1e-6)


def test_residuals_over_the_whole_domain():
    alpha = np.array([1e-8, 1e-4, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 0.9999])
    lines = projection.spinodal_temperature(alpha)
    T = xr.DataArray([0, 1e-8, 1e-3, 0.1, 0.9, 0.999, 1 - 1e-9], dims="part") * lines.temperature
    found = projection.solutions(lines.alpha, T)
    # rounding; close to the spinodal of small loads it is divided by 1 - x, of the size of alpha
    assert found.residual.max() < 1e-12
    assert found.m.sel(branch="retrieval").notnull().all()
    assert (found.m.sel(branch="retrieval") > found.m.sel(branch="retrieval_unstable"))[:, 1:].all()
    replicon = found.replicon.sel(branch="retrieval").transpose("alpha", "part")
    np.testing.assert_allclose(replicon, np.outer(1 - alpha, np.ones(7)), rtol=1e-9)
    assert projection.retrieval(lines.alpha, lines.temperature * 1.0001).m.isnull().all()
    assert lines.residual.max() < 1e-12
    back = projection.spinodal_load(lines.temperature)
    # T_M -> 1 for alpha -> 0: 1 - T ~ sqrt(alpha), known to 1e-16
    np.testing.assert_allclose(back.alpha, lines.alpha, rtol=1e-10, atol=1e-11)


def test_transition():
    alpha = np.array([1e-6, 0.01, 0.2, 0.6, 0.95])
    found = projection.transition_temperature(alpha)
    assert (found.residual < 1e-14).all()
    assert (found.temperature < projection.spinodal_temperature(alpha).temperature).all()
    for place in (1, 2, 3):
        T = float(found.temperature[place])
        sides = projection.solutions(alpha[place], [0.99 * T, 1.01 * T]).free_energy
        below, above = (sides.sel(branch="retrieval") - sides.sel(branch="paramagnet")).values
        assert below < 0 < above
    assert projection.transition_temperature(0.9999).temperature == 0


def test_labels():
    found = projection.solutions([0.1, 0.3], [0.05, 0.1, 0.2])
    assert found.m.dims == ("branch", "alpha", "temperature")
    assert found.branch.values.tolist() == list(projection.BRANCHES)
    assert found.attrs["convention"] and found.attrs["source"]
    for name in found.variables:
        assert found[name].attrs["long_name"] and found[name].attrs["units"] == "1"
    given = xr.DataArray([0.1, 0.2], dims="run", coords={"run": [7, 8]})
    paired = projection.retrieval(given, xr.DataArray([0.05, 0.1], dims="run"))
    assert paired.m.dims == ("run",) and paired.run.values.tolist() == [7, 8]
    assert float(paired.m[1]) == float(projection.retrieval(0.2, 0.1).m)


@pytest.mark.parametrize("alpha", [0.0, -0.1, 1.0, 1.5, np.nan])
def test_refuses_loads(alpha):
    for function in (
        projection.spinodal_temperature,
        projection.transition_temperature,
        lambda alpha: projection.retrieval(alpha, 0.1),
        lambda alpha: projection.solutions(alpha, 0.1),
    ):
        with pytest.raises(ValueError, match="alpha = "):
            function(alpha)


def test_refuses_temperatures():
    for function in (
        projection.spinodal_load,
        lambda T: projection.retrieval(0.1, T),
        lambda T: projection.solutions(0.1, T),
    ):
        with pytest.raises(ValueError, match="temperature = -0.1"):
            function(-0.1)


def test_the_paramagnet_at_the_ends_of_its_range():
    """The response delta of the paramagnet over a small load would overflow; its logarithm not."""
    with np.errstate(all="raise", under="ignore"):
        found = projection.solutions([1e-12, 0.5, 1 - 1e-9], [1e-300, 1e-12, 1e4])
    assert np.isfinite(found.free_energy.sel(branch="paramagnet")).all()
    assert not found.residual.max() > 1e-10
