"""The extremely diluted network: reference numbers, limits, and sums over all fields."""

from itertools import product

import numpy as np
import pytest
import xarray as xr
from scipy.special import erf

from hopfield_sim.theory import diluted, diluted_finite
from tests import reference

# An independent quadrature: the plain trapezoid rule, fine enough for T >= 0.05 at widths below 1.
Z = np.linspace(-10, 10, 6001)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()

PREDICTED = {
    "alpha_c_DGZ": lambda row: diluted.critical_load(row.given["T"]).alpha,
    "m_DGZ": lambda row: diluted.retrieval(row.given["alpha"], row.given["T"]).m,
    "T_c_DGZ": lambda row: diluted.critical_temperature(row.given["alpha"]).temperature,
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- c -> infinity ------------------------------------------------------------------------------


def test_agrees_with_plain_iteration():
    rng = np.random.default_rng(3)
    for _ in range(10):
        T = rng.uniform(0.05, 0.8)
        alpha = rng.uniform(0.05, 0.9) * float(diluted.critical_load(T).alpha)
        m = 1.0
        for _ in range(2000):  # the slope is below 0.9 here: 1e-90 is left
            m = DZ @ np.tanh((m + np.sqrt(alpha) * Z) / T)
        assert float(diluted.retrieval(alpha, T).m) == pytest.approx(m, abs=1e-12)


def test_residual_and_stability_over_the_domain():
    # closer to the end than 1e-8 m is below 1e-4, and rounding of m' hides what the slope is
    alpha = np.concatenate([np.geomspace(1e-12, 0.6, 40), 2 / np.pi - np.geomspace(1e-8, 0.1, 20)])
    T = np.concatenate([[0, 1e-12, 1e-6, 1e-3], np.linspace(0.02, 1.3, 40), [1 - 1e-9]])
    found = diluted.solutions(np.unique(alpha), np.unique(T))
    assert float(found.residual.max()) < 1e-14
    exists = found.m.sel(branch="retrieval").notnull()
    below = found.alpha < diluted.critical_load(found.temperature).alpha
    assert (exists == below.fillna(False)).all() and bool(exists.any()) and bool((~exists).any())
    # one of the two is stable, and which one changes where retrieval ends
    slope = found.slope
    assert (slope.sel(branch="retrieval").where(exists, 0) < 1).all()
    assert ((slope.sel(branch="no_overlap") > 1) == exists).all()


@pytest.mark.parametrize("temperature", [0, 0.3, 0.8])
def test_overlap_ends_with_a_square_root_of_amplitude_three(temperature):
    end = diluted.critical_load(temperature).alpha
    for distance in (1e-3, 1e-5):
        found = diluted.retrieval(end - distance, temperature)
        # the next term is of relative size distance, with a factor of order one
        assert float(found.m**2) == pytest.approx(3 * distance, rel=2 * distance)


def test_zero_temperature_is_the_limit_and_in_closed_form():
    m, alpha = 0.4, np.array([0.05, 0.3, 0.6])
    new = diluted.one_step(m, alpha, 0.0)
    np.testing.assert_allclose(new.m, erf(m / np.sqrt(2 * alpha)), rtol=1e-14)
    # corrections are of order T^2
    np.testing.assert_allclose(diluted.one_step(m, alpha, 1e-8).m, new.m, atol=1e-14)
    np.testing.assert_allclose(
        diluted.retrieval(alpha, 1e-8).m, diluted.retrieval(alpha, 0).m, atol=1e-13
    )


def test_low_load_is_the_curie_weiss_magnet():
    for T in (0.2, 0.9):
        m = float(diluted.retrieval(1e-13, T).m)
        assert m == pytest.approx(np.tanh(m / T), abs=1e-11)
    assert float(diluted.critical_temperature(1e-13).temperature) == pytest.approx(1, abs=2e-13)


def test_the_two_critical_lines_are_one():
    T = np.linspace(0, 0.99, 12)
    found = diluted.critical_load(T)
    assert float(found.residual.max()) < 1e-14
    back = diluted.critical_temperature(found.alpha).temperature
    # T ends as sqrt(alpha_c - alpha): rounding of alpha of 1e-16 is 1e-8 at T = 0
    np.testing.assert_allclose(back, T, atol=1e-12)
    assert diluted.critical_temperature(0.64).temperature.isnull()
    assert diluted.critical_load(1.01).alpha.isnull()


def test_slope_is_the_derivative_of_the_map():
    step = 1e-5
    for parameters in ((0.3, 0.0), (0.3, 0.2)):
        up, down = (float(diluted.one_step(0.5 + d, *parameters).m) for d in (step, -step))
        # central differences are off by step^2 times a third derivative of order ten
        slope = float(diluted.one_step(0.5, *parameters).slope)
        assert (up - down) / (2 * step) == pytest.approx(slope, abs=1e-8)
    for field in ("exact", "gaussian"):
        parameters = (20, 7, [0.0, 0.3])
        up, down = (
            diluted_finite.one_step(0.5 + d, *parameters, field=field).m for d in (step, -step)
        )
        slope = diluted_finite.one_step(0.5, *parameters, field=field).slope
        np.testing.assert_allclose((up - down) / (2 * step), slope, atol=1e-8)


# --- finite c -----------------------------------------------------------------------------------


def enumerated(m, c, P, T):
    """E tanh(h/T) over all signs of the condensed pattern's c terms and the c (P - 1) others."""
    total = 0.0
    for signs in product((1, -1), repeat=c * P):
        field = sum(signs) / c
        weight = np.prod([(1 + sign * m) / 2 for sign in signs[:c]]) / 2 ** (c * (P - 1))
        total += weight * (np.sign(field) if T == 0 else np.tanh(field / T))
    return total


@pytest.mark.parametrize("network", [(1, 1), (1, 4), (2, 3), (3, 3), (4, 1), (4, 3), (5, 2)])
def test_finite_map_is_the_sum_over_all_fields(network):
    for T in (0, 0.4):
        for m in (0.3, -0.8, 1.0):
            found = float(diluted_finite.one_step(m, *network, T).m)
            assert found == pytest.approx(enumerated(m, *network, T), abs=1e-13)


def test_finite_numbers_of_inputs_known_from_simulation():
    """Fixed points to the digits at which they were once computed by another program."""
    for network, m, digits in (
        ((50, 16, 0.0), 0.89544, 5e-6),
        ((50, 26, 0.0), 0.5886, 5e-5),
        ((100, 31, 0.0), 0.8976, 5e-5),
    ):
        assert float(diluted_finite.retrieval(*network).m) == pytest.approx(m, abs=digits)
    found = diluted_finite.retrieval(50, 11, 0.3, field="gaussian")
    assert float(found.m) == pytest.approx(0.9194, abs=5e-5)


def test_many_inputs_approach_the_gaussian_and_that_the_limit():
    for T in (0.0, 0.3):
        limit = float(diluted.retrieval(0.3, T).m)
        exact, gaussian = (
            np.array(
                [float(diluted_finite.retrieval(c, 3 * c // 10, T, field).m) for c in (100, 1000)]
            )
            for field in ("exact", "gaussian")
        )
        away, lattice = np.abs(gaussian - limit), np.abs(exact - gaussian)
        # both are corrections of order 1/c; that of the lattice is the smaller one
        assert away[1] == pytest.approx(away[0] / 10, rel=0.1)
        assert lattice[1] < lattice[0] / 5 and np.all(lattice < away)


def test_finite_residual_and_stability_over_the_domain():
    c, P, T = [1, 2, 3, 10, 51, 400], [1, 2, 3, 17, 100], [0, 1e-6, 1e-2, 0.3, 0.9, 1.2]
    found = diluted_finite.solutions(c, P, T)
    assert float(found.residual.max()) < 1e-13
    retrieval, none = (found.sel(branch=name) for name in ("retrieval", "no_overlap"))
    exists = retrieval.m.notnull()
    assert ((none.slope > 1 + 1e-13) >= exists).all() and ((none.slope > 1 - 1e-13) >= exists).all()
    assert (retrieval.slope.where(exists, 0) < 1).all()
    assert bool(exists.any()) and bool((~exists).any())
    gaussian = diluted_finite.retrieval(c[3:], P, T, field="gaussian")
    assert float(gaussian.residual.max()) < 1e-13
    assert (gaussian.slope.where(gaussian.m.notnull(), 0) < 1).all()


@pytest.mark.parametrize("field", ["exact", "gaussian"])
def test_one_fixed_point_at_most(field):
    """m'/m decreases with m, as the solver assumes: on grids of m and of networks."""
    m = np.linspace(0.005, 1, 200)
    new = diluted_finite.one_step(m, [4, 5, 10, 31], [1, 2, 5, 11], [0, 0.05, 0.5], field=field).m
    ratio = new / new.start_overlap
    assert float(ratio.diff("start_overlap").max()) < 1e-13


def test_trajectories_are_steps_one_after_the_other():
    start, T = [0.2, 0.9], [0, 0.4]
    found = diluted.trajectory(start, 0.3, T, 3).m
    finite = diluted_finite.trajectory(start, 30, 9, T, 3).m
    assert found.dims == finite.dims == ("start_overlap", "temperature", "step")
    assert found.step.values.tolist() == [0, 1, 2, 3]
    m, m_finite = (xr.DataArray(np.array(start), dims="start_overlap") for _ in range(2))
    for step in range(1, 4):
        m = diluted.one_step(m, 0.3, xr.DataArray(T, dims="temperature")).m.drop_vars("alpha")
        np.testing.assert_allclose(found.sel(step=step).transpose(*m.dims), m, atol=1e-15)
        m_finite = diluted_finite.one_step(m_finite, 30, 9, xr.DataArray(T, dims="temperature")).m
        here = finite.sel(step=step).transpose(*m_finite.dims)
        np.testing.assert_allclose(here, m_finite, atol=1e-15)
        m, m_finite = (values.reset_coords(drop=True) for values in (m, m_finite))
    long = diluted.trajectory([0.01, 1.0], 0.3, 0.2, 200).m.isel(step=-1)
    np.testing.assert_allclose(long, float(diluted.retrieval(0.3, 0.2).m), atol=1e-12)


# --- the border ---------------------------------------------------------------------------------


def test_labels():
    found = diluted.retrieval([0.1, 0.2], xr.DataArray([0.1, 0.2, 0.3], dims="sample"))
    assert found.m.dims == ("alpha", "sample") and str(found.branch.values) == "retrieval"
    assert found.alpha.attrs["long_name"] == "patterns per input, P/c"
    assert "P/c" in found.attrs["convention"] and "1987" in found.attrs["source"]
    for variable in found.data_vars.values():
        assert variable.attrs["long_name"] and variable.attrs["units"] == "1"
    finite = diluted_finite.solutions([10, 20], 3, 0.1)
    assert finite.m.dims == ("branch", "n_inputs") and finite.n_inputs.dtype.kind == "i"
    np.testing.assert_allclose(finite.alpha.sel(branch="retrieval"), [0.3, 0.15])


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: diluted.retrieval(0, 0.1), "alpha"),
        (lambda: diluted.retrieval(0.1, -0.1), "temperature"),
        (lambda: diluted.one_step(1.1, 0.1, 0.1), "start_overlap"),
        (lambda: diluted.trajectory(1, 0.1, 0.1, 0), "steps"),
        (lambda: diluted.trajectory(1, 0.1, 0.1, 2.0), "steps"),
        (lambda: diluted.critical_load(np.nan), "temperature"),
        (lambda: diluted.critical_temperature(-1), "alpha"),
        (lambda: diluted_finite.retrieval(2.5, 1, 0), "n_inputs"),
        (lambda: diluted_finite.retrieval(0, 1, 0), "n_inputs"),
        (lambda: diluted_finite.retrieval(2, 0, 0), "n_patterns"),
        (lambda: diluted_finite.retrieval(20, 1, 0, field="normal"), "field"),
        (lambda: diluted_finite.retrieval(3, 1, 0, field="gaussian"), "n_inputs"),
    ],
)
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=name):
        call()
