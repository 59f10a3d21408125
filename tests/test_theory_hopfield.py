"""Replica-symmetric theory of the Hopfield network: reference numbers, limits, identities, and an
independent solver written here."""

import time
from functools import cache

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq
from scipy.special import erf

from hopfield_sim import theory
from hopfield_sim.theory import hopfield, hopfield_condensed
from hopfield_sim.theory.continuation import roots
from tests import reference

# An independent quadrature: the plain trapezoid rule in z, on a grid fine enough for T >= 0.05
# at the noise widths met here (below 1): step 1/300 < 0.3 * 0.05.
Z = np.linspace(-10, 10, 6001)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()


@cache
def capacity():
    return hopfield.zero_temperature_capacity()


def of_phase(phase, name):
    """The number of a row for this phase at the row's load and temperature, zero if not given."""
    return lambda row: phase(row.given["alpha"], row.given.get("T", 0.0))[name].item()


def of_ground_state(name):
    def predicted(row):
        if "alpha_c" in row.words:
            return capacity()[name].item()
        return of_phase(hopfield.retrieval, name)(row)

    return predicted


def three_mixture(alpha, temperature):
    return hopfield.mixture(3, alpha, temperature)


def of_line(line, parameter, name):
    return lambda row: line(row.given[parameter])[name].item()


def of_point(point, name):
    return lambda row: point()[name].item()


PREDICTED = {
    "alpha_c_RS_T0": of_point(capacity, "alpha_c"),
    "m_at_alpha_c_RS_T0": of_point(capacity, "m"),
    "y_at_alpha_c_RS_T0": of_point(capacity, "y_c"),
    "alpha_1_RS_T0": of_point(capacity, "alpha_1"),
    "m_RS_T0_retrieval": of_ground_state("m"),
    "C_RS_T0_retrieval": of_ground_state("C"),
    "energy_RS_T0_retrieval": of_ground_state("energy"),
    "entropy_RS_T0_retrieval": of_ground_state("entropy"),
    "energy_RS_T0_SG": of_phase(hopfield.spin_glass, "energy"),
    "entropy_RS_T0_SG": of_phase(hopfield.spin_glass, "entropy"),
    "m_RS_retrieval": of_phase(hopfield.retrieval, "m"),
    "q_RS_retrieval": of_phase(hopfield.retrieval, "q"),
    "r_RS_retrieval": of_phase(hopfield.retrieval, "r"),
    "f_RS_retrieval": of_phase(hopfield.retrieval, "free_energy"),
    "u_RS_retrieval": of_phase(hopfield.retrieval, "energy"),
    "s_RS_retrieval": of_phase(hopfield.retrieval, "entropy"),
    "q_RS_SG": of_phase(hopfield.spin_glass, "q"),
    "f_RS_SG": of_phase(hopfield.spin_glass, "free_energy"),
    "u_RS_SG": of_phase(hopfield.spin_glass, "energy"),
    "s_RS_SG": of_phase(hopfield.spin_glass, "entropy"),
    "m_3mixture_RS": of_phase(three_mixture, "m"),
    "q_3mixture_RS": of_phase(three_mixture, "q"),
    "alpha_c_3mixture_RS_T0": lambda row: hopfield.mixture_capacity(3).alpha.item(),
    "alpha_M_RS": of_line(hopfield.spinodal_load, "T", "alpha"),
    "m_at_spinodal_RS": of_line(hopfield.spinodal_load, "T", "m"),
    "alpha_Tc_RS": of_line(hopfield.transition_load, "T", "alpha"),
    "T_M_RS": of_line(hopfield.spinodal_temperature, "alpha", "temperature"),
    "T_g": of_line(hopfield.spin_glass_temperature, "alpha", "temperature"),
    "T_R_AT_line_retrieval": of_line(hopfield.at_temperature, "alpha", "temperature"),
    "alpha_M_max_RS": of_point(hopfield.spinodal_maximum, "alpha"),
    "T_at_alpha_M_max_RS": of_point(hopfield.spinodal_maximum, "temperature"),
    "alpha_AT_meets_spinodal": of_point(hopfield.at_line_end, "alpha"),
    "T_AT_meets_spinodal": of_point(hopfield.at_line_end, "temperature"),
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- an independent solver and functional ---------------------------------------------------


def iterated(alpha, temperature, m=1.0, sweeps=20_000):
    """m, q, r by damped iteration of the three equations."""
    q = 1 - 0.02 * temperature
    for _ in range(sweeps):
        r = q / (1 - (1 - q) / temperature) ** 2
        tanh = np.tanh((m + np.sqrt(alpha * r) * Z) / temperature)
        m, old = 0.5 * m + 0.5 * (DZ @ tanh), m
        q = 0.5 * q + 0.5 * (DZ @ tanh**2)
        if abs(m - old) < 1e-15:
            break
    return m, q, r


def functional(m, q, r, alpha, temperature):
    """The free energy as a function of all three order parameters."""
    C = (1 - q) / temperature
    h = (m + np.sqrt(alpha * r) * Z) / temperature
    return (
        alpha / 2
        + m**2 / 2
        + alpha * r * C / 2
        + alpha / 2 * (temperature * np.log(1 - C) - q / (1 - C))
        - temperature * (DZ @ np.logaddexp(h, -h))
    )


def test_agrees_with_damped_iteration():
    rng = np.random.default_rng(2)
    compared = 0
    while compared < 12:
        temperature, alpha = rng.uniform(0.06, 0.9), rng.uniform(0.001, 0.13)
        # Away from the spinodal, where the iteration would need millions of steps.
        if alpha > 0.9 * hopfield.spinodal_load(temperature).alpha:
            continue
        m, q, r = iterated(alpha, temperature)
        found = hopfield.retrieval(alpha, temperature)
        # The iteration stops at changes of 1e-15, at a rate that leaves 1000 times that in m, and
        # more in r, whose pole at C = 1 amplifies.
        np.testing.assert_allclose([found.m, found.q, found.r], [m, q, r], rtol=1e-9)
        compared += 1


def test_spin_glass_agrees_with_iteration():
    for alpha, temperature in ((0.05, 0.5), (0.3, 0.2), (1.0, 1.4), (0.01, 0.9)):
        b = np.sqrt(alpha)
        for _ in range(3000):
            # b = sqrt(alpha r) as b (1 - C) + b C, which has no pole at C = 1.
            q = DZ @ np.tanh(b * Z / temperature) ** 2
            b = np.sqrt(alpha * q) + b * (1 - q) / temperature
        # Both are converged to rounding, amplified by the slow rate of the iteration.
        assert float(hopfield.spin_glass(alpha, temperature).q) == pytest.approx(q, abs=1e-12)


def test_branches_are_stationary_points_of_the_free_energy():
    alpha, temperature, step = 0.06, 0.35, 1e-4
    found = hopfield.solutions(alpha, temperature)
    for branch in ("retrieval", "retrieval_unstable", "spin_glass"):
        at = found.sel(branch=branch)
        point = np.array([at.m, at.q, at.r])
        assert abs(functional(*point, alpha, temperature) - at.free_energy) < 1e-13  # rounding
        # Small enough steps in q, on which f has a pole at 1 - C = 0.
        for direction, size in zip(np.eye(3), (step, step / 10, step), strict=True):
            up, down = (
                functional(*(point + sign * size * direction), alpha, temperature)
                for sign in (1, -1)
            )
            # Central differences: a third derivative of f, below 1e4 (in q), times size^2.
            assert abs(up - down) / (2 * size) < 1e-6


def test_larger_root_is_the_stable_one():
    found = hopfield.solutions(0.06, 0.35).m
    assert found.sel(branch="retrieval") > found.sel(branch="retrieval_unstable") > 0


@pytest.mark.parametrize("phase", [hopfield.retrieval, hopfield.spin_glass, hopfield.paramagnet])
def test_thermodynamic_identities(phase):
    alpha, step = 0.04, 1e-5
    temperature = np.array([1.3, 1.6, 2.5] if phase is hopfield.paramagnet else [0.02, 0.2, 0.45])
    found = phase(alpha, temperature)
    up, down = (phase(alpha, temperature + sign * step) for sign in (1, -1))
    slope = (up.free_energy.values - down.free_energy.values) / (2 * step)
    # Central differences of f with rounding 1e-16: 1e-16/1e-5 = 1e-11, and step^2 times a third
    # derivative of f of order 10.
    np.testing.assert_allclose(found.entropy, -slope, rtol=0, atol=1e-8)
    beta_up, beta_down = 1 / (temperature + step), 1 / (temperature - step)
    beta_slope = (beta_up * up.free_energy.values - beta_down * down.free_energy.values) / (
        beta_up - beta_down
    )
    np.testing.assert_allclose(found.energy, beta_slope, rtol=0, atol=1e-7)


def test_phases_at_zero_temperature_are_the_limit():
    alpha = np.array([0.03, 0.08, 0.12, 0.137])
    for phase in (hopfield.retrieval, hopfield.spin_glass):
        zero = phase(alpha, 0.0)
        for temperature in (1e-3, 1e-5, 1e-7):
            warm = phase(alpha, temperature)
            for name in ("m", "q", "r", "C", "free_energy", "energy", "entropy"):
                # To first order in T, with a factor that grows to some 100 next to the spinodal
                # at 0.1379; r of the spin glass is of order 30.
                difference = np.abs(warm[name] - zero[name])
                assert np.all(difference < 300 * temperature), (phase, name, temperature)


def test_zero_temperature_closed_forms():
    alpha = np.array([0.01, 0.1, 1.0])
    found = hopfield.spin_glass(alpha, 0.0)
    x = np.sqrt(2 / (np.pi * alpha))
    np.testing.assert_allclose(found.C, x / (1 + x), rtol=1e-12)  # rounding of 1 - C at small alpha
    np.testing.assert_allclose(found.r, (1 + x) ** 2, rtol=1e-12)
    np.testing.assert_allclose(found.energy, -1 / np.pi - np.sqrt(2 * alpha / np.pi), rtol=1e-13)
    retrieval = hopfield.retrieval(0.1, 0.0)
    assert retrieval.energy == pytest.approx(
        float(-(retrieval.m**2) / 2 + 0.05 * (1 - retrieval.r)), abs=1e-15
    )
    np.testing.assert_array_equal(hopfield.retrieval(0.1, 0.0).replicon, -np.inf)


def test_without_load_it_is_the_mean_field_magnet():
    temperature = np.array([0.0, 0.1, 0.5, 0.9, 0.999])
    found = hopfield.low_load(temperature)
    for T, m in zip(temperature[1:], found.m.values[1:], strict=True):
        # m = tanh(m/T) by another root finder, accurate to 1e-15/(1 - 1/T slope) < 1e-12.
        assert m == pytest.approx(brentq(lambda m, T=T: m - np.tanh(m / T), 1e-3, 1), abs=1e-12)
    assert found.m.values[0] == 1
    assert hopfield.low_load([1.0, 1.1]).m.isnull().all()
    assert found.residual.max() < 1e-15  # rounding
    # f = m^2/2 - T ln 2cosh(m/T), in the form that does not overflow; rounding.
    warm = found.isel(temperature=slice(1, None))
    expected = (
        warm.m**2 / 2
        - abs(warm.m)
        - warm.temperature * np.log1p(np.exp(-2 * warm.m / warm.temperature))
    )
    np.testing.assert_allclose(warm.free_energy, expected, rtol=0, atol=1e-15)
    small = hopfield.retrieval(1e-9, temperature)
    # m depends on alpha at first order, with a factor (1 - T)^(-3/2) of order one next to T = 1.
    assert np.all(np.abs(small.m - found.m) < 2e-9 * (1 - temperature) ** -1.5)


def test_residuals_over_the_whole_range():
    alpha = np.concatenate([np.geomspace(1e-4, 0.1, 15), np.linspace(0.11, 0.1379, 10)])
    temperature = np.concatenate([np.geomspace(1e-4, 0.1, 12), np.linspace(0.15, 1.2, 15)])
    found = hopfield.solutions(alpha, temperature)
    # Rounding of a few averages of order one.
    assert found.residual.max() < 1e-13
    spinodal = hopfield.spinodal_load(temperature)
    exists = found.m.sel(branch="retrieval").notnull()
    expected = found.alpha < spinodal.alpha
    np.testing.assert_array_equal(exists, expected.transpose(*exists.dims))
    glass = found.q.sel(branch="spin_glass").notnull()
    np.testing.assert_array_equal(glass, temperature < 1 + np.sqrt(alpha)[:, None])


def test_close_to_the_spinodal():
    temperature = xr.DataArray([1e-4, 0.02, 0.3, 0.7, 0.95, 0.9999], dims="point")
    spinodal = hopfield.spinodal_load(temperature)
    for distance in (0.0, 1e-14, 1e-10, 1e-6):
        found = hopfield.solutions(spinodal.alpha * (1 - distance), temperature)
        upper, lower = found.m.sel(branch="retrieval"), found.m.sel(branch="retrieval_unstable")
        assert found.residual.max() < 1e-13  # rounding
        # At the fold both are the fold itself, each to the rounding of m: that of an average,
        # 1e-16, divided by 1 - slope = 2 (1 - T) >= 2e-4.
        assert (upper >= lower - 1e-12).all()
        # A square root, m - m_M ~ c sqrt(alpha_M - alpha): below a tenth of m at 1e-6.
        assert (np.abs(upper / spinodal.m - 1) < 5 * np.sqrt(distance) + 1e-6).all()
    # m - m_M = 0.2893 sqrt(alpha_M - alpha) at T = 0; 1 percent for the next order at 1e-5.
    alpha_c = float(capacity().alpha_c)
    rise = float(hopfield.retrieval(alpha_c - 1e-5, 0.0).m - capacity().m)
    assert rise / np.sqrt(1e-5) == pytest.approx(0.2893, rel=0.01)
    assert hopfield.retrieval(alpha_c * (1 + 1e-10), 0.0).m.isnull()


def test_far_outside_the_usual_range():
    """No warning (they are errors here), no exception, and small residuals anywhere."""
    rng = np.random.default_rng(4)
    size = 400
    alpha = np.where(rng.random(size) < 0.5, 10 ** rng.uniform(-40, 2, size), rng.uniform(0, 0.2))
    alpha = np.maximum(alpha, 1e-300)
    temperature = np.choose(
        rng.integers(0, 4, size),
        [
            10 ** rng.uniform(-300, 0, size),
            1 - 10 ** rng.uniform(-16, -1, size),
            rng.uniform(0, 1.5, size),
            np.zeros(size),
        ],
    )
    found = hopfield.solutions(
        xr.DataArray(alpha, dims="point"), xr.DataArray(temperature, dims="point")
    )
    # 1e-11: next to T = 1 the leading order in 1 - T < 1e-7 is used, whose error in m is its cube.
    assert found.residual.max() < 1e-11
    for name in ("q", "C", "free_energy", "energy", "entropy"):
        assert np.isfinite(found[name].where(found.m.notnull(), 0)).all()


# --- several condensed patterns -------------------------------------------------------------


def test_mixture_of_one_is_retrieval():
    alpha, temperature = [0.01, 0.1], [0.0, 0.2, 0.6, 1.1]
    for one, retrieval in (
        (hopfield.mixture(1, alpha, temperature), hopfield.retrieval(alpha, temperature)),
        (hopfield.low_load_mixture(1, temperature), hopfield.low_load(temperature)),
    ):
        for name in retrieval:
            # The same root from another bracket: rounding.
            np.testing.assert_allclose(one[name], retrieval[name], rtol=1e-9, atol=1e-13)


def test_three_mixture_at_zero_temperature():
    """sqrt(alpha) = m/(sqrt 2 x) - sqrt(2/pi) [exp(-9 x^2)/4 + 3 exp(-x^2)/4]."""
    found = hopfield.mixture(3, 0.02, 0.0)
    x = float(found.m / np.sqrt(2 * 0.02 * found.r))
    assert float(found.m) == pytest.approx((erf(3 * x) + erf(x)) / 4, abs=1e-14)
    noise = np.sqrt(2 / np.pi) * (np.exp(-9 * x**2) / 4 + 3 * np.exp(-(x**2)) / 4)
    assert float(found.m) / (np.sqrt(2) * x) - noise == pytest.approx(np.sqrt(0.02), abs=1e-14)


def all_signs(n_condensed):
    return np.array(np.meshgrid(*[[-1, 1]] * n_condensed)).reshape(n_condensed, -1)


@pytest.mark.parametrize("n_condensed", [2, 3, 4, 5])
@pytest.mark.parametrize(("alpha", "temperature"), [(0.0, 0.3), (5e-5, 0.8), (3e-4, 0.1)])
def test_mixtures_solve_the_equations_over_all_signs(n_condensed, alpha, temperature):
    if alpha:
        found = hopfield.mixture(n_condensed, alpha, temperature)
    else:
        found = hopfield.low_load_mixture(n_condensed, temperature)
    m, q, r = float(found.m), float(found.q), float(found.r)
    signs = all_signs(n_condensed)
    tanh = np.tanh((m * signs.sum(axis=0)[:, None] + np.sqrt(alpha * r) * Z) / temperature)
    # Rounding of the 6001-term sums.
    assert (signs[0] * (tanh @ DZ)).mean() == pytest.approx(m, abs=1e-12)
    assert (tanh**2 @ DZ).mean() == pytest.approx(q, abs=1e-12)
    assert r * (1 - (1 - q) / temperature) ** 2 == pytest.approx(q, abs=1e-9)
    assert m > 0


def test_mixture_is_the_branch_of_largest_overlap():
    """Three plateaus of sqrt(alpha) over the noise for n = 7 at T = 0: the outermost is taken."""
    found = hopfield.mixture(7, [0.005, 0.011, 0.0112], 0.0)
    # Without load m = << |k| >>/7 = 0.3125; at its own capacity 0.01112 it is still near.
    np.testing.assert_allclose(found.m.values[:2], 0.3125, rtol=0.01)
    assert found.m.isnull().values[2]
    assert float(hopfield.mixture_capacity(7).alpha) == pytest.approx(0.01112, abs=1e-5)


def curvature(amplitudes, temperature):
    """Eigenvalues of the second derivatives of m^2/2 - T <<ln 2cosh(m.xi/T)>>, numerically."""
    signs, step = all_signs(len(amplitudes)), 1e-4

    def free_energy(m):
        h = m @ signs / temperature
        return m @ m / 2 - temperature * np.logaddexp(h, -h).mean()

    unit = step * np.eye(len(amplitudes))
    matrix = [
        [
            sum(a * b * free_energy(amplitudes + a * x + b * y) for a in (1, -1) for b in (1, -1))
            / (4 * step**2)
            for x in unit
        ]
        for y in unit
    ]
    return np.linalg.eigvalsh(matrix)


def test_curvatures_of_mixtures():
    for temperature in (0.3, 0.6):
        found = hopfield.low_load_mixture(3, temperature)
        expected = curvature(np.full(3, float(found.m)), temperature)
        # Second differences: rounding 1e-16/step^2 = 1e-8, and step^2 times a fourth derivative.
        values = sorted([float(found.longitudinal), *[float(found.anisotropic)] * 2])
        np.testing.assert_allclose(values, expected, rtol=0, atol=1e-5)
        general = hopfield.low_load_condensed([0.5, 0.5, 0.5], temperature)
        assert float(general.overlap_stability) == pytest.approx(
            min(*values, float(1 - found.C)), abs=1e-12
        )


def test_stability_of_mixtures_without_load():
    limit = brentq(lambda T: float(hopfield.low_load_mixture(3, T).anisotropic), 0.4, 0.5)
    # Amit, Gutfreund and Sompolinsky quote 0.461; solved to more digits it is 0.4598.
    assert limit == pytest.approx(0.461, abs=0.002)
    for n_condensed in (2, 4, 6):
        even = hopfield.low_load_mixture(n_condensed, np.linspace(0, 0.99, 12))
        assert (even.anisotropic < 0).all()


@pytest.mark.parametrize("alpha", [0.0, 0.004, 0.01])
def test_condensed_agrees_with_plain_iteration(alpha):
    signs = all_signs(3)
    start = np.array([0.6, 0.5, 0.4])
    for temperature in (0.1, 0.35, 0.7):
        m, b = start, np.sqrt(alpha)
        for _ in range(1500):
            tanh = np.tanh(((m @ signs)[:, None] + b * Z) / temperature)
            q = (tanh**2 @ DZ).mean()
            m = (signs * (tanh @ DZ)).mean(axis=1)
            b = b * (1 - q) / temperature + np.sqrt(alpha * q)
        if alpha:
            found = hopfield.condensed(start, alpha, temperature)
        else:
            found = hopfield.low_load_condensed(start, temperature)
        # What 1500 steps leave at the slowest of these points.
        np.testing.assert_allclose(found.m, m, rtol=0, atol=1e-9)
        assert float(found.q) == pytest.approx(q, abs=1e-9)


def test_condensed_slopes_are_derivatives_of_its_iteration():
    """A wrong slope would only slow Newton's method down, but also decides what attracts."""
    groups = hopfield_condensed._groups([2, 1])
    state, alpha, temperature = np.array([[0.4, 0.3, 0.25]]), np.array([0.05]), np.array([0.2])

    def image(state):
        return hopfield_condensed._image(state[:, :-1], state[:, -1], alpha, temperature, groups)[0]

    found = hopfield_condensed._slopes(state[:, :-1], state[:, -1], alpha, temperature, groups)[0]
    step = 1e-5 * np.eye(3)
    expected = [(image(state + change) - image(state - change)) / 2e-5 for change in step]
    # Central differences: step^2 times a third derivative of order 1/T^3.
    np.testing.assert_allclose(found, np.transpose(expected), rtol=0, atol=1e-7)


def test_condensed_finds_the_phases():
    alpha, temperature = [0.01, 0.05, 0.12], [0.0, 0.1, 0.3, 0.9, 1.05, 1.5]
    found = hopfield.condensed([0.9], alpha, temperature)
    phases = hopfield.solutions(alpha, temperature)
    retrieval, glass = phases.sel(branch="retrieval"), phases.sel(branch="spin_glass")
    expected = retrieval.fillna(glass).fillna(phases.sel(branch="paramagnet"))
    for name in ("q", "C", "free_energy", "energy", "entropy"):
        # Another route to the same solution: rounding.
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-12)
    np.testing.assert_allclose(found.m[..., 0], expected.m, rtol=0, atol=1e-12)


def test_condensed_keeps_symmetry_signs_and_zeros():
    found = hopfield.low_load_condensed([0.6, 0.0, -0.6], 0.3)
    symmetric = hopfield.low_load_mixture(2, 0.3)
    # An unstable mixture, kept by the exact symmetry of its start.
    expected = float(symmetric.m) * np.array([1, 0, -1])
    np.testing.assert_allclose(found.m, expected, rtol=0, atol=1e-14)
    assert found.overlap_stability < 0
    broken = hopfield.low_load_condensed([0.6, 0.0, -0.5], 0.3)
    retrieved = float(hopfield.low_load(0.3).m)
    np.testing.assert_allclose(broken.m, [retrieved, 0, 0], rtol=0, atol=1e-12)
    assert broken.m.dims == ("pattern",)


@pytest.mark.parametrize(
    "amplitudes", [[], [0.0, 0.0], [1.5], [np.nan, 1], [[1.0, 0.5]], np.linspace(0.1, 1, 20)]
)
def test_condensed_refuses(amplitudes):
    with pytest.raises(ValueError, match="overlap|groups"):
        hopfield.condensed(amplitudes, 0.01, 0.2)


@pytest.mark.parametrize("n_condensed", [0, -1, 2.5, "3", True, 10_000])
def test_mixture_refuses(n_condensed):
    with pytest.raises(ValueError, match="whole number from 1 to 1000"):
        hopfield.mixture(n_condensed, 0.01, 0.2)
    with pytest.raises(ValueError, match="whole number from 1 to 1000"):
        hopfield.mixture_capacity(n_condensed)


# --- lines ----------------------------------------------------------------------------------


def test_asymptotics_of_the_lines():
    temperature = np.array([0.9, 0.97, 0.99, 0.997])
    spinodal = (1 - temperature) / np.sqrt(hopfield.spinodal_load(temperature).alpha.values)
    # Independent numbers, given to four decimals.
    np.testing.assert_allclose(spinodal, [1.9732, 1.9603, 1.9562, 1.9547], rtol=0, atol=6e-5)
    transition = (1 - temperature) / np.sqrt(hopfield.transition_load(temperature).alpha.values)
    np.testing.assert_allclose(transition[:3], [2.664, 2.617, 2.603], rtol=0, atol=6e-4)
    # The leading order, from the expansion of the equations in 1 - T: max over x of
    # 2x/((1 + 3x^2) sqrt(1 + x^2)); corrections are of order 1 - T.
    x = np.linspace(0.1, 1, 100_001)
    leading = np.max(2 * x / ((1 + 3 * x**2) * np.sqrt(1 + x**2)))
    for distance in (1e-3, 1e-5, 2e-7, 5e-8, 1e-10, 1e-14):
        distance = 1 - (1 - distance)  # as the temperature is rounded
        load = float(hopfield.spinodal_load(1 - distance).alpha)
        assert np.sqrt(load) / distance == pytest.approx(leading, rel=distance + 1e-7)
    # T_R ~ sqrt(8 alpha/9 pi) exp(-1/2 alpha), with corrections that vanish as exp(-1/2 alpha).
    alpha = np.array([0.001, 0.005, 0.01])
    found = hopfield.at_temperature(alpha).temperature
    expected = np.sqrt(8 * alpha / (9 * np.pi)) * np.exp(-1 / (2 * alpha))
    np.testing.assert_allclose(found, expected, rtol=1e-11)


def test_lines_are_inverse_to_each_other():
    alpha = np.array([1e-20, 1e-8, 1e-3, 0.03, 0.05, 0.0531, 0.1, 0.137, 0.1381])
    spinodal = hopfield.spinodal_temperature(alpha)
    back = hopfield.spinodal_load(spinodal.temperature.values).alpha
    # 1 - T is known to 1e-16 only, which limits alpha ~ (1 - T)^2 near T = 1. Within 1e-7 of it
    # the leading order in 1 - T is used, here to itself.
    distance = 1 - spinodal.temperature.values
    assert np.all(np.abs(back.values / alpha - 1) < 3e-15 / distance + 1e-13)
    below = alpha[:6]
    transition = hopfield.transition_temperature(below)
    back = hopfield.transition_load(transition.temperature.values).alpha
    # Here free energies, known to 1e-16, are compared whose difference varies as (1 - T)^2;
    # closer than 1e-5 the line is scaled from there.
    distance = 1 - transition.temperature.values
    lost = 3e-15 / distance + 1e-15 / np.maximum(distance, 1e-5) ** 2
    assert np.all(np.abs(back.values / below - 1) < lost)
    for line in (spinodal, transition, hopfield.at_temperature(alpha[2:])):
        # The last of residuals: the ratio T_R/T is known to the relative precision of
        # exp(-1/2 alpha), 500 roundings at alpha = 0.001.
        assert line.residual.max() < 1e-12


def test_transition_separates_the_free_energies():
    for alpha in (0.01, 0.045, 0.0525):
        T = float(hopfield.transition_temperature(alpha).temperature)
        found = hopfield.solutions(alpha, [T - 0.005, T + 0.005]).free_energy
        below, above = (found.sel(branch="retrieval") - found.sel(branch="spin_glass")).values
        assert below < 0 < above


def test_reentrance_of_the_transition():
    top = hopfield.transition_maximum()
    alpha, temperature = float(top.alpha), float(top.temperature)
    around = hopfield.transition_load([temperature - 0.01, temperature + 0.01]).alpha
    assert (around < alpha).all()
    # The maximum is flat: 0.01 away alpha is lower by about 0.5 * 0.7 * 1e-4 or less.
    assert (around > alpha - 1e-4).all()
    assert hopfield.transition_temperature(alpha + 1e-9).temperature.isnull()
    # At the maximum itself, where the crossing is double: the root of the rounding, 1e-8.
    at_top = hopfield.transition_temperature(alpha * (1 - np.array([0, 1e-16, 3e-16, 1e-15])))
    np.testing.assert_allclose(at_top.temperature, temperature, rtol=0, atol=1e-6)
    assert at_top.residual.max() < 1e-15
    # Between alpha_1 = 0.05185 and the maximum there is a second, lower crossing, not returned.
    between = 0.0525
    assert hopfield.transition_temperature(between).temperature > temperature
    at_zero = hopfield.solutions(between, 0.0).energy
    assert at_zero.sel(branch="retrieval") > at_zero.sel(branch="spin_glass")


def test_reentrance_of_the_spinodal():
    top = hopfield.spinodal_maximum()
    alpha, temperature = float(top.alpha), float(top.temperature)
    around = hopfield.spinodal_load([temperature - 0.005, temperature + 0.005]).alpha
    assert (around < alpha).all()
    assert (around > alpha - 1e-4).all()
    between = 0.138
    upper = float(hopfield.spinodal_temperature(between).temperature)
    assert upper > temperature
    # Retrieval exists between two temperatures; the upper one is returned.
    exists = hopfield.retrieval(between, [0.0, temperature, upper - 1e-6, upper + 1e-6]).m.notnull()
    np.testing.assert_array_equal(exists, [False, True, True, False])
    assert hopfield.spinodal_temperature(alpha * (1 + 1e-9)).temperature.isnull()


def test_replica_symmetry_breaks_at_the_at_line():
    alpha = 0.13
    T = float(hopfield.at_temperature(alpha).temperature)
    replicon = hopfield.retrieval(alpha, [0.99 * T, T, 1.01 * T]).replicon.values
    assert replicon[0] < 0 < replicon[2]
    assert replicon[1] == pytest.approx(0, abs=1e-12)  # rounding
    end = hopfield.at_line_end()
    spinodal = hopfield.spinodal_load(end.temperature.item())
    assert float(spinodal.alpha) == pytest.approx(float(end.alpha), abs=1e-14)
    # The line turns just before its end: a little above its load there are two crossings, and
    # replica symmetry holds between them. The lower one is returned.
    above = end.alpha.item() + 5e-8
    lower = hopfield.at_temperature(above).temperature.item()
    last = hopfield.spinodal_temperature(above).temperature.item() - 1e-9
    inside = hopfield.retrieval(above, [lower - 1e-5, lower + 1e-5, last])
    np.testing.assert_array_equal(np.sign(inside.replicon), [-1, 1, -1])
    assert hopfield.at_temperature(end.alpha.item() + 1e-7).temperature.isnull()
    assert hopfield.at_temperature(1e-4).temperature == 0
    assert (hopfield.spin_glass([0.01, 0.5], [0.1, 0.9]).replicon < 0).all()
    edge = hopfield.paramagnet(0.25, [1.4, 1.5, 1.6]).replicon.values
    assert edge[0] < 0 < edge[2]
    assert edge[1] == pytest.approx(0, abs=1e-14)


def test_lines_together():
    alpha = np.linspace(0.005, 0.155, 16)
    found = hopfield.lines(alpha)
    assert list(found.data_vars) == ["T_g", "T_M", "T_c", "T_R"]
    assert found.T_M.dims == ("alpha",)
    for values in found.transpose("alpha").to_array().values.T:
        present = values[np.isfinite(values)]
        assert np.all(np.diff(present) <= 0)  # in order from high to low temperature
    np.testing.assert_array_equal(found.T_M.isnull(), alpha > 0.1381885)
    np.testing.assert_array_equal(found.T_c.isnull(), alpha > 0.05314)
    np.testing.assert_array_equal(found.T_M, hopfield.spinodal_temperature(alpha).temperature)


def test_speed():
    """The whole phase diagram, 200 points on each line, within the 2 s that are asked for."""
    start = time.process_time()
    hopfield.lines(np.linspace(0.0005, 0.1375, 200))
    # Processor time; about 0.5 s on a laptop core.
    assert time.process_time() - start < 2


# --- labels and borders ---------------------------------------------------------------------


def test_plain_arrays_span_a_grid():
    found = hopfield.retrieval([0.02, 0.05], [0.1, 0.2, 0.3])
    assert found.m.dims == ("alpha", "temperature")
    assert set(found.data_vars) == {
        "m", "q", "r", "C", "free_energy", "energy", "entropy", "replicon", "residual",
    }  # fmt: skip
    for name in [*found.data_vars, *found.coords]:
        assert found[name].attrs["long_name"]
        assert found[name].attrs["units"] == "1"
    assert hopfield.retrieval(0.02, 0.1).m.dims == ()
    assert found.m.values[1, 2] == pytest.approx(float(hopfield.retrieval(0.05, 0.3).m), abs=1e-13)


def test_every_dataset_says_what_it_is():
    branches = {
        "retrieval": hopfield.retrieval(0.05, 0.2),
        "spin_glass": hopfield.spin_glass(0.05, 0.2),
        "paramagnet": hopfield.paramagnet(0.05, 2.0),
        "mixture": hopfield.mixture(3, 0.01, 0.2),
        "condensed": hopfield.condensed([0.9], 0.01, 0.2),
    }
    low_load = {
        "retrieval": hopfield.low_load(0.2),
        "mixture": hopfield.low_load_mixture(3, 0.2),
        "condensed": hopfield.low_load_condensed([0.9], 0.2),
    }
    for found in (branches, low_load):
        for branch, one in found.items():
            assert one.branch.item() == branch
            assert one.branch.dims == ()
    others = (
        hopfield.solutions(0.05, 0.2),
        hopfield.lines(0.05),
        hopfield.spin_glass_temperature(0.05),
        hopfield.spinodal_load(0.2),
        hopfield.spinodal_temperature(0.05),
        hopfield.transition_load(0.2),
        hopfield.transition_temperature(0.05),
        hopfield.at_temperature(0.05),
        hopfield.mixture_capacity(3, 0.2),
        hopfield.zero_temperature_capacity(),
        hopfield.spinodal_maximum(),
        hopfield.transition_maximum(),
        hopfield.at_line_end(),
    )
    for found in (*branches.values(), *low_load.values(), *others):
        assert found.title
        assert "J_ij = (1/N)" in found.convention
        assert "Amit" in found.source
        for variable in found.variables.values():
            assert variable.attrs["long_name"]
            assert variable.attrs["units"] == "1"


def test_data_arrays_keep_their_coordinates():
    simulated = xr.Dataset(
        {"overlap": (("temperature", "alpha", "realisation"), np.ones((2, 3, 4)))},
        {
            "alpha": [0.01, 0.05, 0.1],
            "temperature": [0.1, 0.3],
            "n_patterns": ("alpha", [5, 25, 50]),
        },
    )
    predicted = hopfield.retrieval(simulated.alpha, simulated.temperature)
    difference = simulated.overlap - predicted.m
    assert dict(difference.sizes) == {"temperature": 2, "alpha": 3, "realisation": 4}
    assert predicted.n_patterns.values.tolist() == [5, 25, 50]
    one = hopfield.retrieval(simulated.alpha[1], simulated.temperature)
    assert one.m.dims == ("temperature",)
    assert float(one.alpha) == 0.05


def test_data_arrays_along_one_dimension_are_paired():
    alpha = xr.DataArray([0.01, 0.05], dims="point", coords={"point": [3, 4]})
    temperature = xr.DataArray([0.2, 0.3], dims="point", coords={"point": [3, 4]})
    found = hopfield.solutions(alpha, temperature)
    assert found.m.dims == ("branch", "point")
    assert found.alpha.dims == ("point",)
    branches = ["retrieval", "retrieval_unstable", "spin_glass", "paramagnet"]
    assert found.branch.values.tolist() == branches
    single = hopfield.retrieval(0.05, 0.3).m
    assert float(found.m.sel(branch="retrieval", point=4)) == pytest.approx(
        float(single), abs=1e-15
    )
    with pytest.raises(ValueError, match="share a dimension but not its labels"):
        hopfield.retrieval(alpha, temperature.assign_coords(point=[4, 5]))


@pytest.mark.parametrize(
    ("alpha", "temperature", "message"),
    [
        (-0.1, 0.3, "alpha = -0.1 is not allowed; it must be a finite number > 0"),
        (0.0, 0.3, "alpha = 0 is not allowed.*low_load"),
        (0.1, -0.3, "temperature = -0.3 is not allowed"),
        ([0.1, np.nan], 0.3, "alpha = nan is not allowed"),
        (0.1, np.inf, "temperature = inf is not allowed"),
        ([[0.1, 0.2]], 0.3, "plain array of 2 dimensions"),
    ],
)
def test_bad_parameters(alpha, temperature, message):
    phases = (hopfield.retrieval, hopfield.spin_glass, hopfield.paramagnet, hopfield.solutions)
    for phase in phases:
        with pytest.raises(ValueError, match=message):
            phase(alpha, temperature)
    with pytest.raises(ValueError, match=message):
        hopfield.mixture(3, alpha, temperature)
    with pytest.raises(ValueError, match=message):
        hopfield.condensed([1.0], alpha, temperature)


def test_lines_refuse_bad_parameters():
    for line in (
        hopfield.lines,
        hopfield.spin_glass_temperature,
        hopfield.spinodal_temperature,
        hopfield.transition_temperature,
        hopfield.at_temperature,
    ):
        with pytest.raises(ValueError, match="alpha = -0.1 is not allowed"):
            line(-0.1)
    for line in (
        hopfield.spinodal_load,
        hopfield.transition_load,
        lambda temperature: hopfield.mixture_capacity(3, temperature),
    ):
        with pytest.raises(ValueError, match="temperature = nan is not allowed"):
            line([0.1, np.nan])


def test_submodules_load_on_first_use():
    assert theory.hopfield is hopfield
    assert callable(theory.quadrature.thermal_averages)
    assert "hopfield" in dir(theory)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        theory.nothing  # noqa: B018


# --- roots ----------------------------------------------------------------------------------


def test_roots_of_many_equations():
    power = np.array([1.0, 3.0, 5.0, 9.0])
    found = roots(lambda x, power, value: x**power - value, 0.0, 2.0, power, 0.7)
    # Two units in the last place of the bracket.
    np.testing.assert_allclose(found, 0.7 ** (1 / power), rtol=1e-15)
    # A jump, a root at an end, and one at zero, where only an absolute tolerance can end.
    assert roots(lambda x: np.sign(x - 0.3), 0.0, 1.0)[0] == pytest.approx(0.3, rel=1e-15)
    assert roots(lambda x: x - 1, 0.0, 1.0)[0] == 1
    assert abs(roots(lambda x: np.tanh(x), -1.0, 0.7)[0]) < 1e-300
    assert roots(lambda x: x, np.empty(0), 1.0).size == 0


def test_roots_refuse_a_bracket_without_one():
    with pytest.raises(ArithmeticError, match="no change of sign"):
        roots(lambda x: x**2 + 1, -1.0, 1.0)
    with pytest.raises(ArithmeticError, match="no change of sign"):
        roots(lambda x: np.full_like(x, np.nan), -1.0, 1.0)
    with pytest.raises(ArithmeticError, match="undefined value"):
        roots(lambda x: np.where(np.abs(x) < 0.9, np.nan, x), -1.0, 1.0)
