"""One step of replica symmetry breaking in the Hopfield network: reference numbers, the free energy
written independently, an independent solver, limits and refusals."""

import time

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import fsolve
from scipy.special import log_ndtr

from hopfield_sim.theory import hopfield, hopfield_1rsb
from hopfield_sim.theory.hopfield_1rsb_averages import group_averages, state_averages
from tests import reference


def at_zero(quantity, phase):
    return lambda row: float(phase(row.given["alpha"])[quantity])


PREDICTED = {
    "alpha_c_1RSB_T0": lambda row: float(hopfield_1rsb.capacity().alpha_c),
    "m_at_alpha_c_1RSB_T0": lambda row: float(hopfield_1rsb.capacity().m),
    "m_1RSB_T0_retrieval": at_zero("m", hopfield_1rsb.retrieval),
    "q0_1RSB_T0_retrieval": at_zero("q0", hopfield_1rsb.retrieval),
    "mu_1RSB_T0_retrieval": at_zero("mu", hopfield_1rsb.retrieval),
    "energy_1RSB_T0_retrieval": at_zero("energy", hopfield_1rsb.retrieval),
    "energy_1RSB_T0_SG": at_zero("energy", hopfield_1rsb.spin_glass),
    "alpha_1_1RSBglass_T0": lambda row: float(hopfield_1rsb.capacity().alpha_1_symmetric),
}


PREDICTED_DENSE = {"alpha_c_P2_1RSB_T0": lambda row: float(hopfield_1rsb.capacity().alpha_c)}


@pytest.mark.parametrize(
    "row",
    reference.rows("pairwise", PREDICTED) + reference.rows("dense", PREDICTED_DENSE),
    ids=str,
)
def test_reference(row, record_property):
    found = (PREDICTED | PREDICTED_DENSE)[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- the free energy, written independently -------------------------------------------------

# Plain trapezoid rules: the step in z0 is a third of S/A, that in z1 of T/S, or less, in the tests
# that use them.
Z0 = np.linspace(-9, 9, 2401)
P0 = np.exp(-(Z0**2) / 2) / np.exp(-(Z0**2) / 2).sum()
Z1 = np.linspace(-8.5, 8.5, 851)
P1 = np.exp(-(Z1**2) / 2) / np.exp(-(Z1**2) / 2).sum()


def log_partition(h, S, x, temperature):
    """(T/x) ln int Dz1 (2 cosh((h + S z1)/T))^x; at T = 0, where x is mu, (1/mu) ln I."""
    if temperature == 0:
        up, down = (
            side * x * h + log_ndtr((side * h + x * S**2) / S) + x**2 * S**2 / 2 for side in (1, -1)
        )
        return np.logaddexp(up, down) / x
    found = np.empty_like(h)
    for i, field in enumerate(h):
        v = (field + S * Z1) / temperature
        exponent = x * np.logaddexp(v, -v)
        top = exponent.max()
        found[i] = temperature / x * (top + np.log(P1 @ np.exp(exponent - top)))
    return found


def functional(point, alpha, temperature):
    """f of (m, q0, q1, r0, r1, x); at T = 0 of (m, q0, C, r0, r1, mu)."""
    m, q0, q1, r0, r1, x = point
    if temperature == 0:
        C, q1, mu, first = q1, 1.0, x, 0.0
    else:
        C, mu = (1 - q1) / temperature, x / temperature
        first = temperature * np.log(1 - C)
    D = 1 - C - mu * (q1 - q0)
    fields = m + np.sqrt(alpha * r0) * Z0
    near = P0 > 1e-20
    return (
        alpha / 2
        + m**2 / 2
        + alpha / 2 * (first + np.log(D / (1 - C)) / mu - q0 / D)
        + alpha / 2 * (r1 * C + mu * (r1 * q1 - r0 * q0))
        - P0[near] @ log_partition(fields[near], np.sqrt(alpha * (r1 - r0)), x, temperature)
    )


@pytest.mark.parametrize(
    ("branch", "alpha", "temperature"),
    [
        ("retrieval", 0.13, 0.0),
        ("retrieval", 0.13, 0.004),
        ("retrieval_unstable", 0.1, 0.0),
        ("retrieval_unstable", 0.1, 0.1),
        ("spin_glass", 0.2, 0.0),
        ("spin_glass", 0.2, 0.3),
        ("spin_glass", 3.0, 1.0),
    ],
)
def test_solutions_are_stationary_points_of_the_free_energy(branch, alpha, temperature):
    at = hopfield_1rsb.solutions(alpha, temperature).sel(branch=branch)
    names = (
        ("m", "q0", "C", "r0", "r1", "mu")
        if temperature == 0
        else ("m", "q0", "q1", "r0", "r1", "x")
    )
    point = np.array([float(at[name]) for name in names])
    here = functional(point, alpha, temperature)
    assert abs(here - at.free_energy) < 1e-12  # rounding of sums of terms below 10
    # Steps small against m and what keeps S and D positive; m = 0 may change by anything.
    noise = float(at.r1 - at.r0)
    sizes = (1, float(at.spread), float(at.spread), noise, noise, float(at[names[-1]]))
    for direction, size in zip(np.eye(6), sizes, strict=True):
        step = 3e-5 * size
        up, down = (
            functional(point + sign * step * direction, alpha, temperature) for sign in (1, -1)
        )
        # Rounding, and a part 1e-6 of the step for the third derivative. Any term of f alone
        # changes by about the step (by 1e-4 of it for x of the retrieval states).
        assert abs(up - down) < 1e-6 * step + 2e-14


def test_free_energy_is_a_maximum_in_x():
    """At fixed x the other equations are solved by this minimal Newton method."""
    alpha = 0.2
    at = hopfield_1rsb.spin_glass(alpha)
    point = np.array([float(at[name]) for name in ("m", "q0", "C", "r0", "r1", "mu")])

    def extremal(mu):
        def equations(values):
            q0, C = values
            D = 1 - C - mu * (1 - q0)
            r0, r1 = q0 / D**2, q0 / D**2 + (1 - q0) / (D * (1 - C))
            S, h = np.sqrt(alpha * (r1 - r0)), np.sqrt(alpha * r0) * Z0
            up, down = (s * mu * h + log_ndtr((s * h + mu * S**2) / S) for s in (1, -1))
            sign = np.tanh((up - down) / 2)
            weight = np.exp(-((h / S) ** 2) / 2 - mu**2 * S**2 / 2 - np.logaddexp(up, down))
            density = weight / (np.sqrt(2 * np.pi) * S)
            return q0 - P0 @ sign**2, C - 2 * (P0 @ density)

        q0, C = fsolve(equations, point[1:3], xtol=1e-13)
        D = 1 - C - mu * (1 - q0)
        r0 = q0 / D**2
        return functional((0, q0, C, r0, r0 + (1 - q0) / (D * (1 - C)), mu), alpha, 0)

    below, here, above = (extremal(point[-1] * factor) for factor in (0.9, 1, 1.1))
    assert here > max(below, above)
    assert here == pytest.approx(float(at.free_energy), abs=1e-12)


def test_agrees_with_an_independent_solver():
    """The four equations of the theory in m, q0, C, mu at T = 0, solved by MINPACK."""

    def equations(values, alpha):
        m, (apart, C, mu) = values[0], np.exp(values[1:])
        q0 = 1 - apart
        D = 1 - C - mu * (1 - q0)
        r0 = q0 / D**2
        r1 = r0 + (1 - q0) / (D * (1 - C))
        S, h = np.sqrt(alpha * (r1 - r0)), m + np.sqrt(alpha * r0) * Z0
        up, down = (s * mu * h + log_ndtr((s * h + mu * S**2) / S) for s in (1, -1))
        log_I = mu**2 * S**2 / 2 + np.logaddexp(up, down)
        sign = np.tanh((up - down) / 2)
        density = np.exp(-((h / S) ** 2) / 2 - log_I) / (np.sqrt(2 * np.pi) * S)
        size = h * sign + S**2 * (mu + 2 * density)
        rate = alpha / 2 * (
            -np.log(D / (1 - C)) / mu**2 - (1 - q0) / (mu * D) - q0 * (1 - q0) / D**2 + r1 - r0 * q0
        ) + P0 @ (log_I / mu**2 - size / mu)
        return (
            m - P0 @ sign,
            1 - P0 @ (1 - sign**2) / apart,
            1 - 2 * (P0 @ density) / C,
            rate * mu / (C * apart),
        )

    rng = np.random.default_rng(3)
    for branch, lowest, highest in (
        ("retrieval", 0.13, 0.138),
        ("retrieval_unstable", 0.02, 0.138),
        ("spin_glass", 0.02, 2.0),
    ):
        for alpha in rng.uniform(lowest, highest, 3):
            at = hopfield_1rsb.solutions(alpha).sel(branch=branch)
            values = [float(at[name]) for name in ("m", "spread", "C", "mu")]
            values[1:] = np.log(values[1:])
            start = np.array(values) + np.array([0, 1e-3, 1e-3, -1e-3])
            found = fsolve(equations, start, args=(alpha,), xtol=1e-13)
            # The equation of x is of second order in the spread, 7e-4 at the lowest of these
            # loads: rounding of its terms, 1e-15, over 5e-7 leaves 2e-9 here.
            np.testing.assert_allclose(found, values, rtol=0, atol=1e-8)


def test_entropy_is_the_slope_of_the_free_energy():
    step = 1e-5
    for phase, alpha, temperatures in (
        (hopfield_1rsb.retrieval, 0.137, (0.002, 0.019)),
        (hopfield_1rsb.spin_glass, 0.5, (0.01, 0.3, 1.0)),
        (lambda *at: hopfield_1rsb.solutions(*at).isel(branch=[1, 3]), 0.1, (0.1,)),
    ):
        T = np.array(temperatures)
        found, up, down = (phase(alpha, T + shift) for shift in (0, step, -step))
        slope = (up.free_energy.values - down.free_energy.values) / (2 * step)
        # Rounding 1e-16/step, and step^2 times a third derivative of order 100 at the lowest T.
        np.testing.assert_allclose(found.entropy, -slope, rtol=0, atol=2e-8)
        np.testing.assert_allclose(
            found.free_energy, found.energy - T * found.entropy, rtol=0, atol=1e-15
        )


# --- averages -----------------------------------------------------------------------------------


def test_averages_against_plain_sums():
    rng = np.random.default_rng(5)
    for tau in (0.07, 0.4, 0.99, 1.01, 3.0):
        kappa, u = rng.uniform(0.05, min(1.0, 1 / tau)), np.array([[-2.0, 0.0, 0.3, 4.0]])
        found = state_averages(u, np.array([kappa]), np.array([tau]))
        v = (u[0][:, None] + Z1) / tau
        log_weight = kappa * tau * np.logaddexp(v, -v)
        log_mean = np.log((np.exp(log_weight - log_weight.max(1)[:, None])) @ P1)
        density = np.exp(log_weight - log_weight.max(1)[:, None] - log_mean[:, None]) * P1
        mean = (density * np.tanh(v)).sum(1)
        expected = (
            mean,
            (density * (np.tanh(v) - mean[:, None]) ** 2).sum(1),
            (density * (1 - np.tanh(v) ** 2)).sum(1) / tau,
            (density * np.log(density / P1)).sum(1),
            (density * (np.logaddexp(v, -v) - v * np.tanh(v))).sum(1),
            (density * (1 - np.tanh(v) ** 2) ** 2).sum(1) / tau,
        )
        # The plain sums end at |z1| = 8.5, where the weight is 2e-16 times exp(8.5).
        for name, one, other in zip(found._fields, found, expected, strict=True):
            np.testing.assert_allclose(one[0], other, rtol=0, atol=1e-11, err_msg=name)


def test_averages_join_where_the_nodes_change():
    """Across W = A/2 and T = S the same numbers come from other nodes."""
    y = np.full(2, 1.2)
    for spread, warmth, rate in (
        (0.5, 0.0, 0.4),
        (0.3, 0.4, 0.3),
        (0.2, 0.2, 1.0),
        (0.7, 0.7, 1.0),
    ):
        kappa = np.full(2, rate)
        below, above = 1 - 1e-12, 1 + 1e-12
        for s, w in (((below, above), (1, 1)), ((1, 1), (below, above))):
            found = group_averages(y, spread * np.array(s), kappa, warmth * np.array(w))
            for name, values in zip(found._fields, found, strict=True):
                assert abs(values[0] - values[1]) < 2e-11, name  # the change itself is 1e-12


def test_averages_refuse_a_rate_that_the_nodes_do_not_resolve():
    with pytest.raises(ValueError, match="x S/T = 2 is not in"):
        state_averages(np.zeros((1, 3)), np.array([2.0]), np.array([0.1]))


# --- limits ---------------------------------------------------------------------------------


def test_zero_temperature_is_the_limit():
    alpha = np.array([0.1, 0.13, 0.137])
    zero = hopfield_1rsb.solutions(alpha)
    for temperature in (1e-5, 1e-7):
        warm = hopfield_1rsb.solutions(alpha, temperature)
        assert warm.m.notnull().all()
        for name in ("m", "q0", "q1", "spread", "C", "r0", "free_energy", "energy", "entropy"):
            # First order in T/S, the kink relative to the width of the states' fields; S is down
            # to 1e-3, and slopes of r0 are of order ten.
            assert np.abs(warm[name] - zero[name]).max() < 2e4 * temperature, name
        assert np.abs(warm.mu / zero.mu - 1).max() < 2e4 * temperature
    assert (zero.q1 == 1).all() and (zero.x == 0).all() and (zero.replicon == -np.inf).all()


def test_merges_with_replica_symmetry_on_the_at_line():
    alpha = np.array([0.03, 0.08, 0.12, 0.138])
    merging = xr.DataArray(hopfield.at_temperature(alpha).temperature.values, dims="point")
    load = xr.DataArray(alpha, dims="point")
    for distance in (1e-2, 2e-3):
        temperature = merging * (1 - distance)
        found = hopfield_1rsb.retrieval(load, temperature)
        symmetric = hopfield.retrieval(load, temperature)
        # q1 - q0 vanishes linearly, relative to 1 - q.
        assert np.all(found.spread > 0) and np.all(found.spread / (1 - symmetric.q) < 2 * distance)
        # f is quadratic in what is broken, and the replicons vanish linearly.
        assert np.all(np.abs(found.free_energy - symmetric.free_energy) < 1e-4 * distance**2)
        assert np.all(np.abs(found.replicon) < 5 * distance)
        assert np.all(np.abs(found.replicon_outer) < 5 * distance)
        assert np.all((found.x > 0.3) & (found.x < 0.51))
    assert hopfield_1rsb.retrieval(load, merging * 1.001).m.isnull().all()


def test_breaking_is_exponentially_small_at_small_load():
    alpha = np.array([0.002, 0.005, 0.01, 0.02])
    found = hopfield_1rsb.retrieval(alpha)
    width = np.sqrt(alpha * (found.spread))  # S = sqrt(alpha (r1 - r0)), D = 1 - C = 1
    # The rate at alpha -> 0 in units of the states' fields is a universal number.
    np.testing.assert_allclose(found.mu * width, 1.0543297857, rtol=1e-9)
    np.testing.assert_allclose(
        np.log(found.spread) + 1 / alpha, 2 * -0.5445702386, rtol=0, atol=1e-8
    )
    symmetric = hopfield.retrieval(alpha, 0.0)
    np.testing.assert_allclose(found.energy, symmetric.energy, rtol=1e-15)
    limit = hopfield_1rsb.retrieval([1e-5, 1e-3])
    assert (limit.m == 1).all() and (limit.energy == -0.5).all() and np.isinf(limit.mu).all()


def test_becomes_the_spin_glass_of_sherrington_and_kirkpatrick():
    alpha = 1e8
    found = hopfield_1rsb.solutions(alpha)
    glass, unrelated = (found.sel(branch=b) for b in ("spin_glass", "spin_glass_unrelated"))
    # Parisi 1980: -0.7652 with one step; patterns correct it by 1/sqrt(alpha).
    assert glass.energy / np.sqrt(alpha) == pytest.approx(-0.76526, abs=1e-4)
    assert glass.q0 == pytest.approx(0.4768, abs=1e-3)
    # Between the replica-symmetric -sqrt(2/pi) and the one with q0 > 0.
    assert -np.sqrt(2 / np.pi) < unrelated.energy / np.sqrt(alpha) < -0.768


def test_the_glass_starts_at_its_temperature():
    alpha = np.array([1e-3, 0.1, 2.0, 1e4])
    load = xr.DataArray(alpha, dims="point")
    for distance in (1e-2, 2e-3):
        found = hopfield_1rsb.spin_glass(load, (1 + np.sqrt(load)) * (1 - distance))
        # To first order q1 = 1 - T/T_g and q0 = q1/3.
        np.testing.assert_allclose(found.q1, distance, rtol=3 * distance)
        np.testing.assert_allclose(found.q0 / found.q1, 1 / 3, rtol=3 * distance)
        assert np.all(found.x < 3 * distance)
    assert hopfield_1rsb.spin_glass(load, 1 + np.sqrt(load)).q0.isnull().all()


def test_breaking_raises_the_free_energy_of_the_glass():
    alpha, temperature = np.geomspace(1e-3, 100, 6), np.array([0.0, 0.01, 0.2, 0.9])
    found = hopfield_1rsb.solutions(alpha, temperature).free_energy
    glass, unrelated = (found.sel(branch=b) for b in ("spin_glass", "spin_glass_unrelated"))
    symmetric = hopfield.spin_glass(alpha, temperature).free_energy
    assert (glass > unrelated).all() and (unrelated > symmetric).all()
    outer = hopfield_1rsb.solutions(alpha, temperature).replicon_outer
    assert (outer.sel(branch="spin_glass_unrelated") < 0).all()
    # The negative entropy of replica symmetry at T = 0 is nearly repaired.
    broken = hopfield_1rsb.spin_glass(alpha).entropy
    assert (broken < 0).all() and (broken > 0.4 * hopfield.spin_glass(alpha, 0.0).entropy).all()


def test_the_unstable_branch_ends_in_the_glass():
    found = hopfield_1rsb.solutions(3e-4)
    upper, glass = (found.sel(branch=b) for b in ("retrieval_unstable", "spin_glass"))
    # They differ by m^2 and alpha.
    assert abs(upper.energy - glass.energy) < 0.01 and abs(upper.q0 - glass.q0) < 0.1


# --- where there are solutions ------------------------------------------------------------------


def test_residuals_and_existence_over_the_domain():
    alpha = np.array([1.6e-3, 0.01, 0.03, 0.12, 0.137, 0.13818])
    temperature = np.array([0.0, 1e-9, 1e-3, 0.02, 0.03, 0.3, 1.0])
    found = hopfield_1rsb.solutions(alpha, temperature)
    # What every theory promises; sums are rounded differently by each version of NumPy, and where
    # terms cancel in the equation of x some 2e-11 of that is left.
    assert found.residual.max() < 1e-10
    exists = found.m.notnull()
    spinodal = hopfield_1rsb.spinodal_load(temperature).alpha.fillna(0)
    merging = hopfield.at_temperature(alpha).temperature
    expected = (found.alpha < spinodal) & (found.temperature < 0.999 * merging)
    expected &= (found.alpha > 1 / 64) | (found.temperature == 0)
    xr.testing.assert_equal(
        exists.sel(branch="retrieval").drop_vars("branch"),
        expected.transpose("alpha", "temperature"),
    )
    both = exists.sel(branch="retrieval")
    assert exists.sel(branch="retrieval_unstable").where(both, True).all()
    larger = found.m.sel(branch="retrieval") > found.m.sel(branch="retrieval_unstable")
    assert larger.where(both, True).all()
    below = (found.temperature < 0.999 * (1 + np.sqrt(found.alpha))).transpose(*both.dims)
    for branch in ("spin_glass", "spin_glass_unrelated"):
        assert (exists.sel(branch=branch) == below).all()
    # Variables are defined together.
    for name in ("q0", "C", "x", "r1", "free_energy", "entropy", "replicon_outer"):
        assert (found[name].notnull() == exists).all(), name


def test_glass_far_outside_the_usual_range():
    rng = np.random.default_rng(4)
    alpha = xr.DataArray(10 ** rng.uniform(-4, 8, 150), dims="point")
    warmth = np.where(rng.random(150) < 0.3, 10 ** rng.uniform(-12, 0, 150), rng.random(150))
    found = hopfield_1rsb.spin_glass(alpha, 0.999 * warmth * (1 + np.sqrt(alpha)))
    assert found.q0.notnull().all()
    assert found.residual.max() < 1e-11
    assert ((found.q0 > 0) & (found.q0 < found.q1) & (found.x < 1)).all()
    assert hopfield_1rsb.spin_glass([9e-5, 1.1e8]).energy.isnull().all()


def test_next_to_the_spinodal():
    capacity = hopfield_1rsb.capacity()
    alpha_c = float(capacity.alpha_c)
    for distance in (1e-14, 1e-10, 1e-6):
        found = hopfield_1rsb.solutions(alpha_c * (1 - distance))
        upper, lower = (found.sel(branch=b) for b in ("retrieval", "retrieval_unstable"))
        assert upper.residual < 1e-12 and lower.residual < 1e-12
        # A square root; its prefactor is 0.3 (that of replica symmetry is 0.2893).
        assert 0 <= upper.m - lower.m < np.sqrt(distance) + 1e-6
    assert hopfield_1rsb.retrieval(alpha_c * (1 + 1e-9)).m.isnull()
    spinodal = hopfield_1rsb.spinodal_load([0.0, 0.01, 0.0249, 0.026])
    assert spinodal.alpha[0] == pytest.approx(alpha_c, abs=1e-15)
    assert spinodal.alpha[-1].isnull() and spinodal.residual.max() < 1e-11
    # It becomes the replica-symmetric spinodal where that meets the line of breaking.
    end = hopfield.at_line_end()
    assert spinodal.alpha[2] == pytest.approx(float(end.alpha), abs=2e-6)
    # Above the replica-symmetric one at T = 0, and straighter.
    assert spinodal.alpha[0] > hopfield.zero_temperature_capacity().alpha_c
    assert np.ptp(spinodal.alpha.values[:3]) < 2e-5


def test_energies_cross_at_alpha_1():
    capacity = hopfield_1rsb.capacity()
    for name, phase in (
        ("alpha_1", hopfield_1rsb.retrieval),
        ("alpha_1_symmetric", lambda alpha: hopfield.retrieval(alpha, 0.0)),
    ):
        alpha = float(capacity[name])
        assert phase(alpha).energy == pytest.approx(
            float(hopfield_1rsb.spin_glass(alpha).energy), abs=1e-14
        )
    assert abs(capacity.alpha_1 - capacity.alpha_1_symmetric) < 1e-9


# --- speed, labels, refusals --------------------------------------------------------------------


def test_a_curve_is_fast():
    start = time.perf_counter()
    found = hopfield_1rsb.retrieval(np.linspace(0.06, 0.1381, 50))
    assert found.m.notnull().all()
    assert time.perf_counter() - start < 20  # it takes 0.3 s on a free core


def test_grid_labels_and_attributes():
    load = xr.DataArray([0.1, 0.12], dims="network", coords={"network": ["a", "b"]})
    found = hopfield_1rsb.retrieval(load)
    assert found.m.dims == ("network",) and list(found.network.values) == ["a", "b"]
    assert float(found.temperature) == 0 and str(found.branch.values) == "retrieval"
    grid = hopfield_1rsb.spin_glass([0.1, 0.2, 0.3], [0.0, 0.5])
    assert dict(grid.sizes) == {"alpha": 3, "temperature": 2}
    alone = hopfield_1rsb.spin_glass(0.2, 0.5)
    # The same point among others: other rounding of matrix products, no other path.
    assert alone.q0 == pytest.approx(float(grid.q0.sel(alpha=0.2, temperature=0.5)), abs=1e-13)
    for each in (found, grid, hopfield_1rsb.solutions(0.1), hopfield_1rsb.spinodal_load([0.0])):
        assert {"title", "convention", "source"} <= set(each.attrs)
        assert all({"long_name", "units"} <= set(each[name].attrs) for name in each)
    assert hopfield_1rsb.solutions(0.1).m.dims == ("branch",)


@pytest.mark.parametrize(
    "phase", [hopfield_1rsb.retrieval, hopfield_1rsb.spin_glass, hopfield_1rsb.solutions]
)
def test_refusals(phase):
    for alpha in (0, -0.1, np.nan, np.inf):
        with pytest.raises(ValueError, match="alpha = "):
            phase(alpha)
    for temperature in (-0.1, np.nan):
        with pytest.raises(ValueError, match="temperature = "):
            phase(0.1, temperature)
    with pytest.raises(ValueError, match="without names"):
        phase(np.full((2, 2), 0.1))
    with pytest.raises(ValueError, match="temperature = "):
        hopfield_1rsb.spinodal_load(-0.1)
