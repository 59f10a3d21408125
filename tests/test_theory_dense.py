"""Replica-symmetric theory of P-body networks: reference numbers, limits, identities, and an
independent solver written here."""

import time

import numpy as np
import pytest
import xarray as xr
from scipy.special import erf, erfinv

from hopfield_sim import theory
from hopfield_sim.theory import dense, dense_kernel, hopfield
from tests import reference

# An independent quadrature: the plain trapezoid rule in z, on a grid fine enough for T >= 0.05
# at the noise widths met here (below 0.6): step 1/300 < 0.3 * 0.05/0.6.
Z = np.linspace(-10, 10, 6001)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()
BOTH = pytest.mark.parametrize("normalisation", ["distinct", "full"])


def order(row):
    return int(row.given["P"])


def at(row, name, normalisation="distinct"):
    ahat = row.given.get("ahat", row.given.get("ahat_full"))
    alpha = dense.load(order(row), ahat, normalisation)
    return dense.retrieval(order(row), alpha, row.given["T"], normalisation)[name]


def on(row, line, name):
    found = line(order(row), dense.load(order(row), row.given["ahat"]))
    return (found.sel(branch="upper") if "branch" in found.dims else found)[name]


def capacity(row, name, normalisation="distinct"):
    return dense.zero_temperature_capacity(order(row), normalisation)[name]


PREDICTED = {
    "ahat_c_RS_T0": lambda row: capacity(row, "reduced_load"),
    "m_c_RS_T0": lambda row: capacity(row, "m"),
    "alpha_c_RS_T0_distinct": lambda row: capacity(row, "alpha"),
    "alpha_c_RS_T0_full": lambda row: capacity(row, "alpha", "full"),
    "alpha_c_P2_AGS_T0": lambda row: capacity(row, "alpha"),
    "m_c_P2_AGS_T0": lambda row: capacity(row, "m", "full"),
    "ahat_max_retrieval_Nishimori": lambda row: dense.nishimori_bound(order(row)).reduced_load_max,
    "ahat_1_thermo_Nishimori": lambda row: dense.nishimori_bound(order(row)).reduced_load_1,
    "T_spinodal_lowload": lambda row: dense.low_load_limits(order(row)).spinodal_temperature,
    "T_1_lowload": lambda row: dense.low_load_limits(order(row)).transition_temperature,
    "m_RS": lambda row: at(row, "m"),
    "q_RS": lambda row: at(row, "q"),
    "f_RS": lambda row: at(row, "free_energy"),
    "AT_lambda": lambda row: 1 - at(row, "replicon"),
    "m_RS_full": lambda row: at(row, "m", "full"),
    "q_RS_full": lambda row: at(row, "q", "full"),
    "T_spinodal_RS": lambda row: on(row, dense.spinodal_temperature, "temperature"),
    "m_at_T_spinodal": lambda row: on(row, dense.spinodal_temperature, "m"),
    "T_1_RS": lambda row: on(row, dense.transition_temperature, "temperature"),
    "T_AT_retrieval": lambda row: on(row, dense.at_temperature, "temperature"),
}


@pytest.mark.parametrize("row", reference.rows("dense", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- an independent solver and functional --------------------------------------------------------


def crosstalk(interaction, q, normalisation):
    """xi'(q)/alpha = E[g(z) g(z')] for Gaussian z, z' of covariance q, by Gauss-Hermite nodes."""
    z, weights = np.polynomial.hermite_e.hermegauss(40)
    weights = weights / weights.sum()
    power = interaction - 1
    if normalisation == "distinct":
        field = np.polynomial.hermite_e.hermeval(z, np.eye(power + 1)[power])
        other = np.polynomial.hermite_e.hermeval(
            q * z[:, None] + np.sqrt(1 - q**2) * z, np.eye(power + 1)[power]
        )
    else:
        field, other = z**power, (q * z[:, None] + np.sqrt(1 - q**2) * z) ** power
    return weights @ (field * (other @ weights))


def iterated(interaction, alpha, temperature, normalisation, m=1.0, q=1.0, sweeps=30_000):
    """m, q by plain iteration of the two equations."""
    shape = np.polynomial.Polynomial.fit(
        np.linspace(0, 1, 30),
        [crosstalk(interaction, q, normalisation) for q in np.linspace(0, 1, 30)],
        deg=interaction - 1,
    )
    for _ in range(sweeps):
        width = np.sqrt(alpha * max(shape(q), 0))
        tanh = np.tanh((m ** (interaction - 1) + width * Z) / temperature)
        old, m, q = m, DZ @ tanh, DZ @ tanh**2
        if abs(m - old) < 1e-15:
            break
    return m, q


def functional(m, q, interaction, alpha, temperature, normalisation):
    """The free energy as a function of m and q, with xi integrated numerically."""
    nodes, weights = np.polynomial.legendre.leggauss(20)

    def slope(q):
        return alpha * crosstalk(interaction, q, normalisation)

    # xi(1) - xi(q)
    inside = [slope(q + (1 - q) * (1 + x) / 2) for x in nodes]
    rest = (1 - q) / 2 * (weights @ inside)
    h = (m ** (interaction - 1) + np.sqrt(slope(q)) * Z) / temperature
    return (
        -(rest - (1 - q) * slope(q)) / (2 * temperature)
        + (interaction - 1) / interaction * m**interaction
        - temperature * (DZ @ np.logaddexp(h, -h))
    )


@BOTH
def test_agrees_with_iteration(normalisation):
    rng = np.random.default_rng(3)
    for interaction in (3, 4, 5, 7, 10):
        limits = dense.low_load_limits(interaction)
        for _ in range(3):
            temperature = rng.uniform(0.06, 0.9 * float(limits.spinodal_temperature))
            # Away from the spinodal, where the iteration would need millions of steps.
            largest = float(dense.spinodal_load(interaction, temperature, normalisation).alpha)
            alpha = rng.uniform(0.05, 0.9) * largest
            found = dense.retrieval(interaction, alpha, temperature, normalisation)
            m, q = iterated(interaction, alpha, temperature, normalisation)
            # The iteration stops at changes of 1e-15, with up to 1000 times that left to go; the
            # kernel by fitted quadrature is right to 1e-12 at P = 10.
            np.testing.assert_allclose([found.m, found.q], [m, q], rtol=1e-10)


@BOTH
def test_kernel_is_the_covariance_of_the_fields(normalisation):
    for interaction in (3, 4, 5, 6, 9):
        shape = dense_kernel.kernel(interaction, normalisation)
        variance = dense_kernel.crosstalk_variance(interaction, normalisation)
        q = np.array([0.0, 0.3, 0.9, 1.0])
        expected = [crosstalk(interaction, one, normalisation) for one in q]
        # Rounding of the nodes' powers, in units of the variance.
        np.testing.assert_allclose(
            dense_kernel.evaluate(shape.variance, q), np.divide(expected, variance), atol=1e-12
        )
        # The polynomials with (1 - q) and (1 - q)^2 taken out, against quadrature of V.
        nodes, weights = np.polynomial.legendre.leggauss(20)
        for one in q[:3]:
            inner = one + (1 - one) * (1 + nodes) / 2
            rest = weights @ dense_kernel.evaluate(shape.variance, inner) / 2
            there = dense_kernel.evaluate(shape.variance, one)
            assert dense_kernel.evaluate(shape.first, one) == pytest.approx(rest, abs=1e-13)
            second = (rest - there) / (1 - one)
            # 1 - q = 0.1 amplifies the rounding of the difference.
            assert dense_kernel.evaluate(shape.second, one) == pytest.approx(second, abs=1e-12)


def test_kernels_of_the_full_energy():
    """xi'(q)/alpha by Hermite expansion: 1 + 2 q^2, 9 q + 6 q^3, ..."""
    known = {3: [1, 0, 2], 4: [0, 9, 0, 6], 5: [9, 0, 72, 0, 24], 6: [0, 225, 0, 600, 0, 120]}
    for interaction, coefficients in known.items():
        found = dense_kernel.kernel(interaction, "full").variance
        found = found * dense_kernel.crosstalk_variance(interaction, "full")
        np.testing.assert_allclose(found, coefficients, rtol=1e-14)


POINTS = [(3, 0.2, 0.25), (3, 0.05, 0.4), (4, 0.12, 0.2), (5, 0.1, 0.15), (8, 0.06, 0.2)]


@BOTH
@pytest.mark.parametrize(("interaction", "ahat", "temperature"), POINTS)
def test_branches_are_stationary_points(interaction, ahat, temperature, normalisation):
    alpha = float(dense.load(interaction, ahat, normalisation))
    found = dense.solutions(interaction, alpha, temperature, normalisation)
    step, compared = 1e-4, 0
    for branch in dense.BRANCHES:
        one = found.sel(branch=branch)
        if not np.isfinite(one.m) or (one.m == 0 and one.q == 0):
            continue
        compared += 1
        point = np.array([one.m, one.q])

        def energy(m, q):
            return functional(m, q, interaction, alpha, temperature, normalisation)

        assert energy(*point) == pytest.approx(float(one.free_energy), abs=1e-12)  # rounding
        for direction in np.eye(2):
            up, down = (energy(*(point + sign * step * direction)) for sign in (1, -1))
            # Central differences: step^2 times a third derivative below 100.
            assert abs(up - down) / (2 * step) < 1e-6
    assert compared >= 2


@BOTH
@pytest.mark.parametrize("phase", [dense.retrieval, dense.paramagnet])
@pytest.mark.parametrize("interaction", [2, 3, 4, 5, 10])
def test_thermodynamic_identities(phase, interaction, normalisation):
    alpha = dense.load(interaction, 0.05, normalisation)
    step = 1e-5
    temperature = np.array([1.3, 1.6] if phase is dense.paramagnet else [0.02, 0.1, 0.25])
    found = phase(interaction, alpha, temperature, normalisation)
    up, down = (
        phase(interaction, alpha, temperature + sign * step, normalisation) for sign in (1, -1)
    )
    slope = (up.free_energy.values - down.free_energy.values) / (2 * step)
    # Central differences of f with rounding 1e-16: 1e-16/1e-5 = 1e-11, and step^2 times a third
    # derivative of f of order 10.
    np.testing.assert_allclose(found.entropy, -slope, rtol=0, atol=1e-8)
    beta_up, beta_down = 1 / (temperature + step), 1 / (temperature - step)
    beta_slope = (beta_up * up.free_energy.values - beta_down * down.free_energy.values) / (
        beta_up - beta_down
    )
    np.testing.assert_allclose(found.energy, beta_slope, rtol=0, atol=1e-7)


@BOTH
def test_replicon_is_the_slope_of_two_replicas(normalisation):
    """1 - replicon = xi''(q) E (d^2/dh^2 T ln 2cosh(h/T))^2, by quadrature and differences."""
    for interaction, ahat, temperature in POINTS:
        alpha = float(dense.load(interaction, ahat, normalisation))
        found = dense.retrieval(interaction, alpha, temperature, normalisation)
        m, q = float(found.m), float(found.q)
        second = alpha * (
            crosstalk(interaction, q + 1e-5, normalisation)
            - crosstalk(interaction, q - 1e-5, normalisation)
        )
        width = np.sqrt(alpha * crosstalk(interaction, q, normalisation))
        sech = 1 / np.cosh((m ** (interaction - 1) + width * Z) / temperature)
        expected = 1 - second / 2e-5 * (DZ @ sech**4) / temperature**2
        # Differences of the kernel: rounding 1e-13/1e-5.
        assert float(found.replicon) == pytest.approx(expected, abs=1e-6)


# --- limits --------------------------------------------------------------------------------------


@BOTH
def test_pairwise_is_the_hopfield_network(normalisation):
    alpha, temperature = np.array([0.02, 0.1]), np.array([0.0, 0.2, 0.6, 1.4])
    found = dense.solutions(2, alpha, temperature, normalisation)
    expected = hopfield.solutions(alpha, temperature)
    for branch in ("retrieval", "retrieval_unstable", "paramagnet"):
        for name in found.data_vars:
            shift = alpha[:, None] / 2 if name in ("free_energy", "energy") else 0
            np.testing.assert_array_equal(
                found[name].sel(branch=branch), expected[name].sel(branch=branch) - shift
            )
    assert found.m.sel(branch=["second_unstable", "third_unstable"]).isnull().all()


def test_pairwise_energy_has_its_constant_dropped():
    """Without couplings, T -> infinity, the energy of H = -(N/2) sum m^2 is -K/2."""
    hot = dense.paramagnet(2, 0.1, 1e6)
    assert float(hot.energy) == pytest.approx(-0.05, abs=1e-6)
    dense_hot = dense.paramagnet([3, 4], 0.1, 1e6, "full")
    np.testing.assert_allclose(dense_hot.energy, 0, atol=1e-6)


@BOTH
def test_zero_temperature_is_the_limit(normalisation):
    for interaction in (3, 4, 6, 12):
        capacity = dense.zero_temperature_capacity(interaction, normalisation)
        alpha = float(capacity.alpha) * np.array([0.1, 0.6, 0.95])
        zero = dense.retrieval(interaction, alpha, 0.0, normalisation)
        for temperature in (1e-3, 1e-5, 1e-9):
            warm = dense.retrieval(interaction, alpha, temperature, normalisation)
            for name in ("m", "q", "C", "free_energy", "energy", "entropy"):
                # To first order in T, with a factor that grows to some 10 next to the spinodal.
                difference = np.abs(warm[name].values - zero[name].values)
                assert np.all(difference < 30 * temperature), (interaction, name, temperature)


@BOTH
def test_closed_form_at_zero_temperature(normalisation):
    for interaction in (3, 5, 20):
        for branch in ("retrieval", "retrieval_unstable"):
            ahat = 0.5 * float(dense.zero_temperature_capacity(interaction).reduced_load)
            alpha = dense.load(interaction, ahat, normalisation)
            found = dense.solutions(interaction, alpha, 0.0, normalisation).sel(branch=branch)
            m = float(found.m)
            y = m ** (interaction - 1) / np.sqrt(2 * ahat)
            # Rounding, amplified by P and by the distance of erf from 1.
            assert m == pytest.approx(erf(y), abs=1e-13)
            energy = -(m**interaction) / interaction
            energy -= np.sqrt(2 * ahat / np.pi) * np.exp(-(y**2))
            assert float(found.energy) == pytest.approx(energy, abs=1e-14)
            assert float(found.q) == 1
            assert float(found.replicon) == -np.inf


def test_capacity_at_zero_temperature_is_a_maximum():
    for interaction in range(3, 21):
        found = dense.zero_temperature_capacity(interaction)
        m = np.linspace(0.5, 1 - 1e-9, 200_001)
        load = (m ** (interaction - 1) / erfinv(m)) ** 2 / 2
        # The grid misses the maximum by its spacing squared times a curvature below 1e4.
        assert float(found.reduced_load) == pytest.approx(load.max(), rel=1e-7)
        assert float(found.reduced_load) >= load.max() * (1 - 1e-14)
        assert found.residual < 1e-13
        spinodal = dense.spinodal_load(interaction, 0.0)
        assert float(spinodal.reduced_load) == pytest.approx(float(found.reduced_load), rel=1e-13)
        assert float(spinodal.m) == pytest.approx(float(found.m), abs=1e-7)  # flat maximum


def test_many_body_limit():
    """The random-energy limit, and the capacity next to it."""
    bound = dense.nishimori_bound(100)
    assert float(bound.reduced_load_1) == pytest.approx(1 / (200 * np.log(2)), rel=1e-6)
    capacity = dense.zero_temperature_capacity([50, 150])
    y = erfinv(capacity.m)
    # ahat_c = m^(2P-2)/(2 y^2), where (2P - 2) (1 - m) = 1/y^2 to the order 1/y^4.
    np.testing.assert_allclose(capacity.reduced_load * 2 * y**2, np.exp(-1 / y**2), rtol=0.03)
    np.testing.assert_array_less(y / np.sqrt(np.log(capacity.interaction)), 1.15)


@BOTH
def test_low_load_is_the_limit(normalisation):
    for interaction in (2, 3, 4, 8, 20):
        limits = dense.low_load_limits(interaction)
        temperature = float(limits.spinodal_temperature) * np.array([0.0, 0.1, 0.5, 0.95])
        none = dense.low_load(interaction, temperature)
        alpha = dense.load(interaction, 1e-9, normalisation)
        some = dense.retrieval(interaction, alpha, temperature, normalisation)
        assert none.residual.max() < 1e-14
        for name in ("m", "free_energy", "energy", "entropy"):
            # First order in the load, with a factor up to (1 - T/T_s)^(-3/2) P.
            np.testing.assert_allclose(some[name], none[name], rtol=0, atol=1e-7)
        assert dense.low_load(interaction, 1.001 * limits.spinodal_temperature).m.isnull()


def test_low_load_thermodynamics_and_limits():
    for interaction in (3, 4, 6, 11):
        limits = dense.low_load_limits(interaction)
        T_1 = float(limits.transition_temperature)
        found = dense.low_load(interaction, T_1)
        assert float(found.free_energy) == pytest.approx(-T_1 * np.log(2), abs=1e-15)
        assert float(found.m) == pytest.approx(float(limits.transition_m), abs=1e-14)
        m = np.linspace(0.3, 1 - 1e-9, 100_001)
        T_s = (m ** (interaction - 1) / np.arctanh(m)).max()
        assert float(limits.spinodal_temperature) == pytest.approx(T_s, rel=1e-8)  # of the grid
        just_below = dense.low_load(interaction, T_s * (1 - 1e-6))
        # The two solutions meet as the square root of the distance.
        assert 0 < float(just_below.m - just_below.m_unstable) < 0.01
        warm = [dense.low_load(interaction, T_1 + sign * 1e-5).free_energy for sign in (1, -1)]
        assert float(warm[1] - warm[0]) / 2e-5 == pytest.approx(float(found.entropy), abs=1e-8)
    frozen = dense.low_load(3, 0.0)
    assert (float(frozen.m), float(frozen.energy)) == (1, -1 / 3)


# --- the whole domain ----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("interaction", [3, 4, 5, 8, 20, 100])
def test_residuals_over_the_whole_domain(interaction, normalisation):
    top = float(dense.spinodal_maximum(interaction, normalisation).reduced_load)
    ahat = np.concatenate([np.geomspace(1e-12, 0.01, 8), np.linspace(0.02, 1.05 * top, 16)])
    highest = float(dense.low_load_limits(interaction).spinodal_temperature)
    temperature = np.concatenate(
        [[0, 1e-100, 1e-12, 1e-6, 1e-3], np.linspace(0.01, 1.02 * highest, 14)]
    )
    alpha = dense.load(interaction, ahat, normalisation)
    found = dense.solutions(interaction, alpha, temperature, normalisation)
    # Rounding of a few averages of order one; of the unstable solutions of small overlap, whose
    # load follows with a power, some 100 times that.
    assert found.residual.max() < 1e-12
    spinodal = dense.spinodal_load(interaction, temperature, normalisation)
    expected = alpha < spinodal.alpha.fillna(0)
    exists = found.m.notnull()
    np.testing.assert_array_equal(
        exists.sel(branch="retrieval"), expected.transpose(*exists.dims[1:])
    )
    # Where retrieval exists, it has something to vanish with (above the overlaps left out).
    resolved = temperature > 1e-3
    partner = exists.sel(branch="retrieval_unstable")
    np.testing.assert_array_equal(
        partner.values[:, resolved], exists.sel(branch="retrieval").values[:, resolved]
    )
    order_ = found.m.sel(branch=list(dense.BRANCHES[:4])).values
    both = np.isfinite(order_[:-1]) & np.isfinite(order_[1:])
    assert (order_[:-1][both] > order_[1:][both]).all()


def curve(interaction, temperature, normalisation, size=400):
    """All solutions at one T along m: the load of each m, by bisection for the noise width b."""
    z, weights = Z[::6], DZ[::6] / DZ[::6].sum()  # step 0.02 < 0.3 * 0.05/0.6
    limits = dense.low_load(interaction, temperature)
    ends = float(limits.m_unstable), float(limits.m)
    m = ends[0] + (ends[1] - ends[0]) * (1 - np.cos(np.linspace(0, np.pi, size)[1:-1])) / 2

    def tanh(width):
        return np.tanh((m[:, None] ** (interaction - 1) + width[:, None] * z) / temperature)

    lower, upper = np.zeros(m.size), np.ones(m.size)
    for _ in range(40):
        width = (lower + upper) / 2
        high = tanh(width) @ weights > m  # E tanh falls with the width of the noise
        lower, upper = np.where(high, width, lower), np.where(high, upper, width)
    q = tanh(width) ** 2 @ weights
    alpha = width**2 / [crosstalk(interaction, one, normalisation) for one in q]
    return alpha * dense_kernel.crosstalk_variance(interaction, normalisation)


@BOTH
def test_every_solution_is_found(normalisation):
    several = 0
    for interaction, temperature in ((3, 0.1), (3, 0.24), (4, 0.1), (9, 0.06)):
        load = curve(interaction, temperature, normalisation)
        for ahat in (0.01, 0.05, 0.1, 0.13, 0.2, 0.26, 0.268):
            # The curve begins and ends at no load, next to its first and last point.
            crossings = np.count_nonzero(np.diff(np.concatenate([[0], load, [0]]) > ahat))
            alpha = dense.load(interaction, ahat, normalisation)
            found = dense.solutions(interaction, alpha, temperature, normalisation)
            states = int(found.m.sel(branch=list(dense.BRANCHES[:4])).notnull().sum())
            assert states == crossings, (interaction, temperature, ahat)
            several += states == 4
    assert several >= 5 or normalisation == "full"


@BOTH
def test_close_to_the_spinodal(normalisation):
    for interaction in (3, 6, 20):
        highest = float(dense.low_load_limits(interaction).spinodal_temperature)
        temperature = xr.DataArray(highest * np.array([0, 1e-4, 0.1, 0.5, 0.9, 0.9999]), dims="x")
        spinodal = dense.spinodal_load(interaction, temperature, normalisation)
        assert spinodal.residual.max() < 1e-12
        for distance in (0.0, 1e-14, 1e-10, 1e-6):
            alpha = spinodal.alpha * (1 - distance)
            found = dense.retrieval(interaction, alpha, temperature, normalisation)
            assert found.residual.max() < 1e-13  # rounding
            # A square root of the distance, with a factor of order one.
            assert (found.m - spinodal.m < 3 * np.sqrt(distance) + 1e-6).all()
            assert (found.m - spinodal.m > -1e-6).all()
        above = dense.solutions(interaction, spinodal.alpha * (1 + 1e-11), temperature)
        if normalisation == "distinct":
            assert above.m.sel(branch="retrieval").isnull().all()


def test_far_outside_the_usual_range():
    """No warning (they are errors here), no exception, and small residuals anywhere."""
    rng = np.random.default_rng(5)
    size = 300
    interaction = rng.choice([2, 3, 4, 5, 9, 30, 100], size)
    ahat = 10 ** rng.uniform(-15, 1, size)
    temperature = np.choose(
        rng.integers(0, 3, size),
        [10 ** rng.uniform(-300, 0, size), rng.uniform(0, 1.5, size), np.zeros(size)],
    )
    order_ = xr.DataArray(interaction, dims="point")
    heat = xr.DataArray(temperature, dims="point")
    for normalisation in ("distinct", "full"):
        alpha = dense.load(order_, xr.DataArray(ahat, dims="point"), normalisation)
        for phase in (dense.retrieval, dense.paramagnet):
            found = phase(order_, alpha, heat, normalisation)
            assert found.residual.max() < 1e-11  # of the Hopfield network next to T = 1
            there = found.m.notnull()
            assert np.isfinite(found.q.where(there, 0)).all()


# --- random field --------------------------------------------------------------------------------


@pytest.mark.parametrize("interaction", [3, 5, 9, 21])
def test_random_field_of_odd_orders(interaction):
    """q > 0 at every temperature, the smallest root of its equation."""
    alpha = float(dense.load(interaction, 0.2, "full"))
    temperature = np.array([0.0, 0.05, 0.12, 0.2, 0.5, 3.0])
    found = dense.paramagnet(interaction, alpha, temperature, "full")
    assert found.residual.max() < 1e-14
    assert (found.m == 0).all()
    for one in found.q[1:]:
        T, q = float(one.temperature), 0.0
        coefficients = dense_kernel.kernel(interaction, "full").variance * 0.2
        for _ in range(4000):  # from below: to the smallest root, monotonically
            width = np.sqrt(dense_kernel.evaluate(coefficients, q))
            q = DZ @ np.tanh(width * Z / T) ** 2
        assert float(one) == pytest.approx(q, rel=1e-9)  # of the iteration
        assert float(one) > 0


def test_paramagnet_of_even_orders_and_its_glass_transition():
    """xi''(0) = alpha ((P-1)!!)^2: the replicon changes sign at T = sqrt(alpha) (P-1)!!."""
    for interaction, factor in ((4, 3), (6, 15)):
        alpha = 1e-3
        T_g = np.sqrt(alpha) * factor
        found = dense.paramagnet(interaction, alpha, T_g * np.array([0.99, 1.0, 1.01]), "full")
        assert (found.q == 0).all()
        assert list(np.sign(np.round(found.replicon.values, 12))) == [-1, 0, 1]
    assert dense.paramagnet(4, 1e-3, 0.0).free_energy.isnull()
    assert float(dense.paramagnet(3, 0.1, 0.3).replicon) == 1


# --- lines ---------------------------------------------------------------------------------------


@BOTH
def test_spinodal_as_function_of_load_and_temperature(normalisation):
    for interaction in (3, 5, 12):
        top = dense.spinodal_maximum(interaction, normalisation)
        bottom = dense.zero_temperature_capacity(interaction, normalisation)
        ahat = np.concatenate(
            [
                np.geomspace(1e-14, 0.05, 6),
                np.linspace(float(bottom.reduced_load), float(top.reduced_load), 6),
                [1.001 * float(top.reduced_load)],
            ]
        )
        alpha = dense.load(interaction, ahat, normalisation)
        found = dense.spinodal_temperature(interaction, alpha, normalisation)
        assert found.residual.max() < 1e-11
        assert found.temperature[:, -1].isnull().all()
        upper, lower = found.temperature.sel(branch="upper"), found.temperature.sel(branch="lower")
        assert lower[:6].isnull().all()
        assert (lower[6:-1] <= float(top.temperature)).all()
        assert (upper[:-1] >= float(top.temperature)).all()
        for line in (upper[:-1], lower[7:-2]):
            back = dense.spinodal_load(interaction, line.values, normalisation)
            # T carries the rounding of T_M; near its end at no load the load is steep in it.
            np.testing.assert_allclose(back.reduced_load, line.reduced_load, rtol=1e-9, atol=1e-14)


def test_nose_lies_on_the_nishimori_line():
    found = dense.spinodal_maximum(range(3, 13))
    bound = dense.nishimori_bound(range(3, 13))
    np.testing.assert_allclose(found.temperature, found.reduced_load, rtol=1e-11)
    np.testing.assert_allclose(found.m, found.q, rtol=1e-10)
    np.testing.assert_allclose(found.reduced_load, bound.reduced_load_max, rtol=1e-13)
    np.testing.assert_allclose(found.m, bound.m_max, rtol=1e-10)
    at_end = dense.at_line_end(range(3, 13))
    np.testing.assert_allclose(at_end.reduced_load, found.reduced_load, rtol=1e-12)
    full = dense.spinodal_maximum(3, "full")
    assert float(full.reduced_load) < float(found.reduced_load[0])


def test_bounds_are_the_temperatures_of_the_glass():
    interaction = [3, 4, 5, 6, 8, 20]
    bound = dense.nishimori_bound(interaction)
    glass = theory.dense_glass.transitions(interaction)
    np.testing.assert_allclose(bound.reduced_load_max, glass.T_d**2, rtol=1e-11)
    np.testing.assert_allclose(bound.m_max, glass.q_d, rtol=1e-7)  # a fold
    np.testing.assert_allclose(bound.reduced_load_1, glass.T_K**2, rtol=1e-11)
    np.testing.assert_allclose(bound.m_1, glass.q_K, rtol=1e-10)


def test_nishimori_line():
    interaction = [3, 4, 7]
    ahat = np.array([0.002, 0.01, 0.05, 0.15, 0.3])
    alpha = dense.load(interaction, ahat)
    line = dense.nishimori(interaction, alpha)
    state = dense.retrieval(interaction, alpha, line.temperature.fillna(1.0))
    assert line.residual.max() < 1e-13
    np.testing.assert_array_equal(line.m.isnull(), state.m.isnull())
    assert int(line.m.notnull().sum()) == 13
    for name in ("m", "free_energy", "energy", "entropy"):
        # The same point from another parametrisation: rounding.
        np.testing.assert_allclose(line[name], state[name], rtol=0, atol=1e-13)
    np.testing.assert_allclose(state.q, state.m, rtol=0, atol=1e-13)


@BOTH
def test_at_line(normalisation):
    for interaction in (3, 4, 9):
        end = dense.at_line_end(interaction, normalisation)
        ahat = float(end.reduced_load) * np.array([0.005, 0.2, 0.6, 0.9, 0.999, 1.001])
        alpha = dense.load(interaction, ahat, normalisation)
        found = dense.at_temperature(interaction, alpha, normalisation)
        assert found.residual.max() < 1e-11
        assert np.isnan(found.temperature.values[-1])
        assert (np.diff(found.temperature[:-1]) > 0).all()
        for side, sign in ((0.99, -1), (1.01, 1)):
            T = (found.temperature * side)[1:-2]
            state = dense.retrieval(interaction, T.alpha, T, normalisation)
            assert (np.sign(state.replicon) == sign).all()
        there = dense.retrieval(interaction, alpha[1:-1], found.temperature[1:-1], normalisation)
        np.testing.assert_allclose(there.replicon, 0, atol=1e-7)  # next to a fold at 0.999
        np.testing.assert_allclose(there.m, found.m[1:-1], atol=1e-9)
    assert float(dense.at_temperature(3, 1e-4).temperature) == 0


def test_at_line_of_the_full_energy_turns_before_its_end():
    for interaction in (3, 6):
        end = dense.at_line_end(interaction, "full")
        alpha = float(end.alpha) * (1 + 5e-6)
        lower = float(dense.at_temperature(interaction, alpha, "full").temperature)
        spinodal = dense.spinodal_temperature(interaction, alpha, "full").temperature
        T = float(spinodal[0]) * (1 - np.array([1e-4, 1e-10]))
        assert lower < T[0]
        stable = dense.retrieval(interaction, alpha, T, "full").replicon.values > 0
        assert stable[0]
        assert not stable[-1]
        assert dense.retrieval(interaction, alpha, 0.999 * lower, "full").replicon < 0
        beyond = dense.at_temperature(interaction, float(end.alpha) * 1.0001, "full")
        assert beyond.temperature.isnull()


def test_thermodynamic_line():
    for interaction in (3, 4, 7):
        bound = dense.nishimori_bound(interaction)
        ahat = float(bound.reduced_load_1) * np.array([1e-6, 0.3, 0.8, 0.9995, 1.001])
        alpha = dense.load(interaction, ahat)
        found = dense.transition_temperature(interaction, alpha)
        upper = found.temperature.sel(branch="upper")
        assert found.residual.max() < 1e-13
        assert np.isnan(found.temperature[:, -1]).all()
        none = dense.low_load_limits(interaction).transition_temperature
        assert float(upper[0]) == pytest.approx(float(none), abs=1e-5)  # first order in the load
        lower = found.temperature.sel(branch="lower").dropna("reduced_load")
        assert lower.size == (interaction < 7)
        for line in (upper[:-1], lower):
            back = dense.transition_load(interaction, line.values)
            np.testing.assert_allclose(back.reduced_load, line.reduced_load, rtol=1e-8)
        # The line is vertical in ahat_1, on the Nishimori line.
        at = float(bound.reduced_load_1) * np.array([0.97, 1.0, 1.03])
        near = dense.transition_load(interaction, at).reduced_load.values
        assert near[1] == pytest.approx(float(bound.reduced_load_1), rel=1e-12)
        # The square of 3 percent, with a factor of order one, against 3 percent.
        assert np.abs(near / near[1] - 1).max() < 3e-3


def test_thermodynamic_line_at_low_temperature():
    # P = 3: replica-symmetric retrieval lies below the glass up to its spinodal.
    assert dense.transition_load(3, 0.05).alpha.isnull()
    zero = dense.transition_load(4, 0.0)
    glass = theory.dense_glass.glass(4, float(zero.alpha), 0.0)
    assert float(dense.retrieval(4, zero.alpha, 0.0).energy) == pytest.approx(
        float(glass.energy), abs=1e-12
    )


def test_lines_of_the_pairwise_network():
    T, alpha = np.array([0.0, 0.01, 0.3]), np.array([0.05, 0.13802, 0.2])
    np.testing.assert_array_equal(dense.spinodal_load(2, T).alpha, hopfield.spinodal_load(T).alpha)
    found = dense.spinodal_temperature(2, alpha)
    upper, lower = found.temperature.sel(branch="upper"), found.temperature.sel(branch="lower")
    np.testing.assert_array_equal(upper, hopfield.spinodal_temperature(alpha).temperature)
    assert list(lower.isnull().values) == [True, False, True]
    assert float(hopfield.spinodal_load(lower.values[1]).alpha) == pytest.approx(0.13802, abs=1e-14)
    np.testing.assert_array_equal(
        dense.transition_load(2, T, "full").alpha, hopfield.transition_load(T).alpha
    )
    found = dense.transition_temperature(2, [0.05, 0.0525])
    upper, lower = found.temperature.sel(branch="upper"), found.temperature.sel(branch="lower")
    np.testing.assert_array_equal(
        upper, hopfield.transition_temperature([0.05, 0.0525]).temperature
    )
    assert list(lower.isnull().values) == [True, False]
    np.testing.assert_array_equal(
        dense.at_temperature(2, alpha).temperature, hopfield.at_temperature(alpha).temperature
    )
    assert float(dense.spinodal_maximum(2).alpha) == float(hopfield.spinodal_maximum().alpha)
    assert float(dense.at_line_end(2).alpha) == float(hopfield.at_line_end().alpha)
    assert float(dense.low_load_limits(2).spinodal_temperature) == 1
    assert dense.nishimori_bound(2).reduced_load_max.isnull()


def test_table_of_capacities():
    table = dense.capacities()
    assert table.interaction.values.tolist() == list(range(2, 9))
    assert float(table.alpha_distinct[0]) == float(table.alpha_full[0])
    # (P-1)!/(2P-3)!!: 1.5, 2.5, 7.875 for P = 3, 4, 6
    ratio = (table.alpha_distinct / table.alpha_full).sel(interaction=[3, 4, 6])
    np.testing.assert_allclose(ratio, [1.5, 2.5, 7.875], rtol=1e-14)
    dense_ = table.sel(interaction=slice(3, None))
    assert (dense_.reduced_load_max > dense_.reduced_load).all()
    assert (dense_.reduced_load_max > dense_.reduced_load_1).all()


def test_one_step_overlap():
    for normalisation in ("distinct", "full"):
        alpha = dense.load([2, 3, 6], 0.5, normalisation)
        found = dense.one_step_overlap([2, 3, 6], alpha, normalisation)
        np.testing.assert_allclose(found.m, erf(1), rtol=1e-14)


# --- labels and refusals -------------------------------------------------------------------------


def test_labels():
    interaction, alpha, temperature = [3, 4], [0.001, 0.01, 0.02], [0.1, 0.2]
    found = dense.retrieval(interaction, alpha, temperature)
    assert found.m.dims == ("interaction", "alpha", "temperature")
    assert found.reduced_load.dims == ("interaction", "alpha")
    np.testing.assert_allclose(found.reduced_load[:, 0], [0.002, 0.006])
    assert found.branch == "retrieval"
    assert {"title", "convention", "source", "normalisation"} <= set(found.attrs)
    for name in (*found.data_vars, *found.coords):
        assert {"long_name", "units"} <= set(found[name].attrs), name
    every = dense.solutions(interaction, alpha, temperature, "full")
    assert every.m.dims == ("branch", "interaction", "alpha", "temperature")
    assert every.branch.values.tolist() == list(dense.BRANCHES)
    retrieved = dense.retrieval(interaction, alpha, temperature, "full")
    np.testing.assert_array_equal(every.m.sel(branch="retrieval"), retrieved.m)
    single = dense.retrieval(3, 0.01, 0.2)
    assert single.m.dims == ()
    assert float(single.m) == float(found.m.sel(interaction=3, alpha=0.01, temperature=0.2))


def test_dataarrays_are_paired_by_dimension():
    order_ = xr.DataArray([3, 4, 3], dims="run", coords={"run": [7, 8, 9]})
    alpha = dense.load(
        order_, xr.DataArray([0.1, 0.05, 0.2], dims="run", coords={"run": [7, 8, 9]})
    )
    found = dense.retrieval(order_, alpha, 0.2)
    assert found.m.dims == ("run",)
    assert found.run.values.tolist() == [7, 8, 9]
    np.testing.assert_allclose(found.reduced_load, [0.1, 0.05, 0.2])
    assert float(found.m[1]) == float(dense.retrieval(4, float(alpha[1]), 0.2).m)
    line = dense.spinodal_temperature(order_, alpha)
    assert line.temperature.dims == ("branch", "run")


@BOTH
def test_converters_are_inverse(normalisation):
    alpha = dense.load([2, 3, 10], [0.1, 0.3], normalisation)
    assert alpha.dims == ("interaction", "reduced_load")
    back = dense.reduced_load(alpha.interaction, alpha, normalisation)
    np.testing.assert_allclose(back, [[0.1, 0.3]] * 3, rtol=1e-14)
    for name in ("interaction", "reduced_load"):
        assert {"long_name", "units"} <= set(alpha[name].attrs)
    other = {"distinct": "full", "full": "distinct"}[normalisation]
    with pytest.raises(ValueError, match="alpha carries the coordinate reduced_load"):
        dense.retrieval(alpha.interaction, alpha, 0.1, other)
    expected = {"distinct": 362880, "full": 34459425}[normalisation]
    assert float(dense.reduced_load(10, 1.0, normalisation)) == expected


@pytest.mark.parametrize("function", [dense.retrieval, dense.paramagnet, dense.solutions])
@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((1, 0.1, 0.2), "interaction"),
        ((2.5, 0.1, 0.2), "interaction"),
        ((151, 0.1, 0.2), "interaction"),
        ((3, 0.0, 0.2), "alpha"),
        ((3, -0.1, 0.2), "alpha"),
        ((3, np.nan, 0.2), "alpha"),
        ((3, 0.1, -0.2), "temperature"),
        ((3, 0.1, np.inf), "temperature"),
        ((3, 0.1, 0.2, "both"), "normalisation"),
    ],
)
def test_refusals(function, arguments, name):
    with pytest.raises(ValueError, match=f"^{name} = "):
        function(*arguments)


def test_refusals_of_lines():
    for line in (dense.spinodal_load, dense.transition_load, dense.low_load):
        with pytest.raises(ValueError, match="^temperature = -1"):
            line(3, -1)
        with pytest.raises(ValueError, match="^interaction = 151"):
            line(151, 0.1)
    for line in (dense.spinodal_temperature, dense.at_temperature, dense.transition_temperature):
        with pytest.raises(ValueError, match="^alpha = 0"):
            line(3, 0)
    for line in (dense.transition_load, dense.transition_temperature):
        with pytest.raises(ValueError, match='normalisation = "full" is not allowed'):
            line(3, 0.1, "full")
    for point in (dense.zero_temperature_capacity, dense.nishimori_bound, dense.low_load_limits):
        with pytest.raises(ValueError, match="^interaction = "):
            point(2.5)
    with pytest.raises(ValueError, match="^interaction = 2 "):
        dense.nishimori(2, 0.1)
    with pytest.raises(ValueError, match="^reduced_load = 1e-12 is not allowed"):
        dense.load(150, 1e-12, "full")
    with pytest.raises(ValueError, match="^normalisation = "):
        dense.reduced_load(3, 0.1, "sum")


def test_speed():
    """A map of 200 x 200 points in seconds, with room for a busy machine."""
    dense.retrieval(4, 0.01, 0.1)
    start = time.perf_counter()
    dense.retrieval(4, np.linspace(1e-4, 0.04, 200), np.linspace(0, 0.5, 200))
    assert time.perf_counter() - start < 5
