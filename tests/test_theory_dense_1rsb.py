"""Retrieval with one step of replica symmetry breaking: reference numbers, an independent
functional and solver, limits, identities, the border."""

import time
from math import factorial

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq
from scipy.special import log_ndtr

from hopfield_sim.theory import dense, dense_1rsb, dense_glass, dense_kernel
from tests import reference


def capacity(name):
    return lambda row: float(dense_1rsb.capacity(row.given["P"])[name])


def state(name):
    def found(row):
        P, temperature = int(row.given["P"]), row.given["T"]
        alpha = row.given["ahat"] / factorial(P - 1)
        return float(dense_1rsb.retrieval(P, alpha, temperature)[name])

    return found


PREDICTED = {
    "ahat_c_1RSB_T0": capacity("reduced_load"),
    "m_c_1RSB_T0": capacity("m"),
    "q0_c_1RSB_T0": capacity("q0"),
    "ahat_1_1RSB_T0": capacity("reduced_load_1"),
    "rsb1_retrieval_m": state("m"),
    "rsb1_retrieval_q0": state("q0"),
    "rsb1_retrieval_q1": state("q1"),
    "rsb1_retrieval_f": state("free_energy"),
    "rsb1_retrieval_m_T0": state("m"),
    "rsb1_retrieval_e_T0": state("energy"),
}


@pytest.mark.parametrize("row", reference.rows("dense", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- an independent functional and solver ---------------------------------------------------------

# Plain trapezoid rules in both Gaussians, on a range that holds the shift x s1/T < 4 of the weight.
# Their errors, exp(-pi^2 (T/s)/step), are below 1e-13 for the T/s0 > 0.1 and T/s1 > 0.2 met here.
Z0 = np.linspace(-8, 8, 641)
W0 = np.exp(-(Z0**2) / 2) / np.exp(-(Z0**2) / 2).sum()
Z1 = np.linspace(-12, 12, 601)
W1 = np.exp(-(Z1**2) / 2) / np.exp(-(Z1**2) / 2).sum()

# xi'(q)/ahat of *full*, from E z^(P-1) z'^(P-1)
FULL = {3: (1 / 3, 0, 2 / 3), 4: (0, 9 / 15, 0, 6 / 15), 5: (9 / 105, 0, 72 / 105, 0, 24 / 105)}


def kernel(P, normalisation):
    """xi'(q)/ahat and its integral from 0, as polynomials."""
    shape = FULL[P] if normalisation == "full" else [0] * (P - 1) + [1]
    polynomial = np.polynomial.Polynomial(shape)
    return polynomial, polynomial.integ()


def inner(m, q0, q1, x, P, load, T, normalisation):
    """h/T and normalised weights over (z0, z1), and ln E (2 cosh)^x over z0."""
    variance, _ = kernel(P, normalisation)
    s0, s1 = np.sqrt(load * variance(q0)), np.sqrt(load * (variance(q1) - variance(q0)))
    u = (m ** (P - 1) + s0 * Z0[:, None] + s1 * Z1) / T
    log = np.logaddexp(u, -u)
    peak = log.max(axis=1, keepdims=True)
    weight = np.exp(x * (log - peak)) * W1
    norm = weight.sum(axis=1, keepdims=True)
    return u, weight / norm, np.log(norm[:, 0]) + x * peak[:, 0]


def functional(m, q0, q1, x, P, load, T, normalisation="distinct"):
    """The free energy of the four order parameters, as it comes out of the replica calculation."""
    variance, integral = kernel(P, normalisation)

    def theta(q):
        return load * (q * variance(q) - integral(q))

    norm = inner(m, q0, q1, x, P, load, T, normalisation)[2]
    return (
        (x * (theta(q1) - theta(q0)) + theta(1) - theta(q1)) / (2 * T)
        - load * (variance(1) - variance(q1)) / (2 * T)
        + (P - 1) / P * m**P
        - T / x * (W0 @ norm)
    )


def alpha_of(P, load, normalisation="distinct"):
    return load / float(dense_kernel.crosstalk_variance(P, normalisation))


# Next to the spinodals and far inside; (3, 0.3088, 0.1) lies beyond the spinodals of the replica-
# symmetric states and of T = 0.
POINTS = [
    (3, 0.24, 0.05, "distinct"),
    (3, 0.3088, 0.1, "distinct"),
    (4, 0.21, 0.06, "distinct"),
    (5, 0.19, 0.08, "distinct"),
    (7, 0.16, 0.07, "distinct"),
    (3, 0.25, 0.05, "full"),
    (4, 0.2, 0.06, "full"),
    (5, 0.176, 0.05, "full"),
]


@pytest.mark.parametrize("point", POINTS, ids=str)
def test_free_energy_is_stationary_and_a_maximum_in_x(point):
    P, load, T, normalisation = point
    found = dense_1rsb.retrieval(P, alpha_of(P, load, normalisation), T, normalisation)
    at = np.array([float(found[name]) for name in ("m", "q0", "q1", "x")])
    assert 0 < at[1] < at[2] < 1 and 0 < at[3] < 1
    f = functional(*at, P, load, T, normalisation)
    assert float(found.free_energy) == pytest.approx(f, abs=1e-12)  # sums of 1e6 numbers
    # Steps small against 1 - q and q1 - q0, on whose scale f changes.
    for direction, size in zip(np.eye(4), (1e-3, 1e-3, 1e-3 * (1 - at[2]), 1e-2), strict=True):
        up, down = (
            functional(*(at + sign * size * direction), P, load, T, normalisation)
            for sign in (1, -1)
        )
        # Central differences: size^2 times a third derivative of f of order one in these units.
        assert abs(up - down) / (2 * size) < 2e-4 * max(1, 1e-3 / size)
        if direction[3]:
            assert up < f and down < f
    assert float(found.residual) < 1e-12


def test_agrees_with_an_independent_solver():
    """m, q0, q1 by plain iteration at fixed x, x by bracketing df/dx."""
    for P, load, T in ((3, 0.27, 0.08), (5, 0.18, 0.05)):

        def iterated(x, P=P, load=load, T=T):
            at = np.array([0.93, 0.9, 0.97])
            for _ in range(150):
                u, weight, _ = inner(*at, x, P, load, T, "distinct")
                tanh, old = np.tanh(u), at
                first = (weight * tanh).sum(axis=1)
                at = np.array([W0 @ first, W0 @ first**2, W0 @ (weight * tanh**2).sum(axis=1)])
                if np.abs(at - old).max() < 1e-8:
                    break
            return at

        def slope(x, P=P, load=load, T=T, iterated=iterated):
            at, step = iterated(x), 1e-3
            up, down = (functional(*at, x + sign * step, P, load, T) for sign in (1, -1))
            return up - down

        found = dense_1rsb.retrieval(P, alpha_of(P, load), T)
        x = brentq(slope, float(found.x) - 0.03, float(found.x) + 0.04, xtol=1e-5)
        # Changes of 1e-8 at a rate of 0.9 leave 1e-7; x from a flat maximum by differences.
        assert float(found.x) == pytest.approx(x, abs=1e-3)
        for name, value in zip(("m", "q0", "q1"), iterated(float(found.x)), strict=True):
            assert float(found[name]) == pytest.approx(value, abs=1e-6), name


# --- zero temperature -----------------------------------------------------------------------------


def test_equations_at_zero_temperature():
    """m, q0 and the stationarity in u in closed inner form, by a quadrature of their own."""
    z = np.linspace(-10, 10, 20001)
    density = np.exp(-(z**2) / 2) / np.exp(-(z**2) / 2).sum()

    def psi(h, u, width):
        up, down = (sign * u * h + log_ndtr(sign * h / width + u * width) for sign in (1, -1))
        return np.logaddexp(up, down) + (u * width) ** 2 / 2, np.tanh((up - down) / 2)

    for P, load in ((3, 0.15), (3, 0.3), (5, 0.18), (8, 0.15)):
        found = dense_1rsb.retrieval(P, alpha_of(P, load))
        m, q0, u = float(found.m), float(found.q0), float(found.rate) * np.sqrt(load)
        width = np.sqrt(1 - q0 ** (P - 1))
        h = m ** (P - 1) / np.sqrt(load) + np.sqrt(q0 ** (P - 1)) * z
        log_psi, sign = psi(h, u, width)
        assert m == pytest.approx(density @ sign, abs=1e-11)  # a sum of 20001
        assert q0 == pytest.approx(density @ sign**2, abs=1e-11)

        def energy(u, h=h, width=width, q0=q0, m=m, P=P, load=load):
            part = (P - 1) / P
            return part * m**P + np.sqrt(load) * (
                u / 2 * part * (1 - q0**P) - density @ psi(h, u, width)[0] / u
            )

        assert float(found.energy) == pytest.approx(energy(u), abs=1e-12)
        assert energy(u * 1.01) < energy(u) > energy(u * 0.99)
        # A difference of 1e-4: its square times a third derivative of order one.
        assert abs(energy(u * 1.0001) - energy(u * 0.9999)) / (2e-4 * u) < 1e-7


def test_zero_temperature_is_the_limit():
    alpha = np.array([0.06, 0.1, 0.14, 0.1535])
    zero = dense_1rsb.retrieval(3, alpha)
    for temperature in (1e-4, 1e-6):
        warm = dense_1rsb.retrieval(3, alpha, temperature)
        for name in ("m", "q0", "q1", "C", "free_energy", "energy", "entropy"):
            # To first order in T, with a factor that grows next to the fold at 0.15374.
            assert np.all(np.abs(warm[name] - zero[name]) < 50 * temperature), name
        # Relative to a number that is large at small loads, T/T_AT is what is small.
        line = dense.at_temperature(3, alpha).temperature.fillna(0.3)
        assert np.all(np.abs(warm.rate / zero.rate - 1) < 3 * temperature / line)


def test_small_loads_are_replica_symmetric_but_for_exponentially_little():
    load = np.array([0.02, 0.05, 0.08])
    broken = dense_1rsb.retrieval(3, load / 2)
    symmetric = dense.retrieval(3, load / 2, 0.0)
    density = np.exp(-1 / (2 * load)) / np.sqrt(2 * np.pi)
    # q1 - q0 = 2.114 V' phi(B)^2 and u s1 = 1.0543 with corrections of order phi(B) < 4e-4;
    # phi(B) itself moves with B^2 = m^4/ahat by less.
    wanted = 2.1143 * 2 * density[:1] ** 2
    np.testing.assert_allclose(1 - broken.q0[1:], 2.1143 * 2 * density[1:] ** 2, rtol=0.05)
    assert np.all(wanted < 1e-20) and broken.q0[0] == 1
    assert np.all(np.abs(broken.m - symmetric.m) < density**2 + 1e-15)
    assert np.all(np.abs(broken.energy - symmetric.energy) < density**2 + 1e-15)
    product = broken.rate * np.sqrt(load) * np.sqrt(1 - broken.q0**2)
    np.testing.assert_allclose(product[1:], 1.0543, rtol=1e-3)
    # Below 1/18^2 the replica-symmetric state itself.
    tiny = dense_1rsb.retrieval([3, 6], alpha_of(3, 0.002))
    assert tiny.m.notnull().all() and np.isnan(tiny.x.values[0])


def test_both_branches_meet_at_the_capacity():
    for P, normalisation in ((3, "distinct"), (6, "distinct"), (4, "full")):
        end = dense_1rsb.capacity(P, normalisation)
        distance = np.array([1e-2, 1e-4, 1e-6, 1e-9])
        found = dense_1rsb.solutions(P, end.alpha.values * (1 - distance), normalisation)
        stable, unstable = (found.sel(branch=name) for name in dense_1rsb.BRANCHES)
        assert found.residual.max() < 1e-11
        gap = (stable.m - unstable.m).values
        assert np.all(gap > 0)
        # A square root, apart from the next order, of relative size sqrt(distance).
        ratios = gap / np.sqrt(distance)
        np.testing.assert_allclose(ratios[1:], ratios[-1], rtol=0.02)
        assert np.all(unstable.energy > stable.energy)  # a barrier
        np.testing.assert_allclose(stable.m[-1], end.m, atol=1e-3)
        beyond = dense_1rsb.solutions(P, end.alpha.values * (1 + 1e-9), normalisation)
        assert beyond.m.isnull().all()


def test_capacity_is_between_the_symmetric_one_and_the_bound():
    order = np.array([3, 4, 5, 6, 7, 8, 12, 20, 30])
    found = dense_1rsb.capacity(order)
    assert np.all(found.residual < 1e-12) and np.all(found.residual_1 < 1e-12)
    transitions = dense_glass.transitions(order)
    for P in order:
        one = found.sel(interaction=P)
        symmetric = float(dense.spinodal_load(P, 0.0).reduced_load)
        assert symmetric < one.reduced_load < transitions.T_d.sel(interaction=P) ** 2
        assert one.reduced_load_1 < transitions.T_K.sel(interaction=P) ** 2
        assert one.reduced_load_1 < one.reduced_load
    # 1/(2 P ln 2) for many bodies; corrections vanish exponentially.
    np.testing.assert_allclose(
        found.reduced_load_1[-2:], 1 / (2 * order[-2:] * np.log(2)), rtol=1e-4
    )


# --- lines ----------------------------------------------------------------------------------------


def test_spinodal_ends_in_the_nishimori_point():
    for P in (3, 4, 6):
        end = dense.at_line_end(P)
        T_end = float(end.temperature)
        found = dense_1rsb.spinodal_load(P, T_end * np.array([0.0, 0.3, 0.6, 0.9, 0.999, 1.001]))
        loads = found.reduced_load.values
        assert np.isnan(loads[-1]) and found.residual.max() < 1e-12
        # It rises monotonically to ahat_max, steep like a vertical line.
        assert np.all(np.diff(loads[:-1]) > 0)
        assert loads[-2] == pytest.approx(float(end.reduced_load), rel=1e-6)
        assert loads[-2] < float(end.reduced_load)
        q = dense_glass.transitions(P).q_d
        assert float(found.m[-2]) == pytest.approx(float(q), abs=1e-3)


def test_spinodal_separates_states_from_none():
    for P, T, normalisation in ((3, 0.1, "distinct"), (5, 0.05, "distinct"), (4, 0.05, "full")):
        end = dense_1rsb.spinodal_load(P, T, normalisation)
        below, above = (
            dense_1rsb.retrieval(P, end.alpha.values * (1 + sign * 1e-8), T, normalisation)
            for sign in (-1, 1)
        )
        assert above.m.isnull() and below.residual < 1e-11
        # m - m_c is of order sqrt(1e-8).
        assert float(below.m) == pytest.approx(float(end.m), abs=1e-3)


def test_transition_is_where_the_free_energies_are_equal():
    temperature = np.array([0.0, 0.01, 0.08, 0.15])
    found = dense_1rsb.transition_load(3, temperature)
    assert found.residual.max() < 1e-12
    for T, alpha in zip(temperature, found.alpha.values, strict=True):
        retrieval = dense_1rsb.retrieval(3, alpha, T)
        glass = dense_glass.glass(3, alpha, T)
        assert float(retrieval.free_energy) == pytest.approx(float(glass.free_energy), abs=1e-12)
    assert dense_1rsb.transition_load(3, 0.25).alpha.isnull()
    # It continues as the replica-symmetric line, which it meets on the de Almeida-Thouless line.

    def above(T):
        alpha = dense.transition_load(3, T).alpha
        return T - float(dense.at_temperature(3, alpha).temperature)

    end = brentq(above, 0.155, 0.25)
    assert dense_1rsb.transition_load(3, end * 1.001).alpha.isnull()
    last = float(dense_1rsb.transition_load(3, end * 0.98).alpha)
    # Third order in the distance.
    assert last == pytest.approx(float(dense.transition_load(3, end * 0.98).alpha), rel=1e-5)


# --- limits, identities, domain -------------------------------------------------------------------


def test_replica_symmetric_above_the_line_and_continuous_there():
    for P, load, normalisation in ((3, 0.28, "distinct"), (6, 0.15, "distinct"), (4, 0.18, "full")):
        alpha = alpha_of(P, load, normalisation)
        line = float(dense.at_temperature(P, alpha, normalisation).temperature)
        above = dense_1rsb.retrieval(P, alpha, 1.01 * line, normalisation)
        symmetric = dense.retrieval(P, alpha, 1.01 * line, normalisation)
        assert np.isnan(above.x) and above.q0 == above.q1
        for name, other in (("m", "m"), ("q1", "q"), ("free_energy", "free_energy")):
            assert float(above[name]) == float(symmetric[other])
        differences = []
        for distance in (1e-2, 1e-3):
            below = dense_1rsb.retrieval(P, alpha, line * (1 - distance), normalisation)
            symmetric = dense.retrieval(P, alpha, line * (1 - distance), normalisation)
            assert below.residual < 1e-11
            differences.append(float(below.q1 - below.q0))
            # Free energies differ at third order in the distance.
            assert abs(float(below.free_energy - symmetric.free_energy)) < distance**3
            assert below.free_energy > symmetric.free_energy - 1e-15
            assert -0.1 * distance < below.replicon < 0
        # q1 - q0 vanishes linearly.
        assert differences[0] / differences[1] == pytest.approx(10, rel=0.1)


def test_breaking_lifts_the_free_energy_and_the_entropy():
    temperature = np.array([0.0, 0.01, 0.03])
    broken, symmetric = (
        theory.retrieval(4, alpha_of(4, 0.19), temperature) for theory in (dense_1rsb, dense)
    )
    assert np.all(broken.free_energy > symmetric.free_energy)
    assert np.all(broken.entropy > symmetric.entropy)
    assert np.all(broken.replicon > symmetric.replicon) or np.isinf(broken.replicon[0])


def test_entropy_is_minus_the_slope_of_the_free_energy():
    step = 1e-5
    for P, alpha, normalisation in (
        (3, 0.13, "distinct"),
        (5, 0.18 / 24, "distinct"),
        (4, 0.19 / 15, "full"),
    ):
        temperature = np.array([0.01, 0.03, 0.05])
        middle, up, down = (
            dense_1rsb.retrieval(P, alpha, temperature + sign * step, normalisation)
            for sign in (0, 1, -1)
        )
        assert middle.x.notnull().all()
        slope = (up.free_energy.values - down.free_energy.values) / (2 * step)
        # Rounding 1e-16/1e-5, and step^2 times a third derivative, below 100.
        np.testing.assert_allclose(middle.entropy, -slope, rtol=0, atol=2e-8)
        np.testing.assert_allclose(
            middle.energy, middle.free_energy + temperature * middle.entropy, rtol=1e-14
        )


def test_steps_of_the_quadrature_are_fine_enough(monkeypatch):
    """Halving the steps of the outer average changes nothing."""
    from hopfield_sim.theory import dense_1rsb_saddle as saddle

    found = dense_1rsb.retrieval(3, [0.08, 0.14, 0.1535], [0.0, 0.02, 0.1])
    points = found.stack(point=("alpha", "temperature")).dropna("point", subset=["x"])
    unit = np.sqrt(2 * points.alpha.values)
    known = [
        points.m.values**2 / unit,
        points.temperature.values / unit,
        points.C.values * unit,
        (points.q1 - points.q0).values,
        points.rate.values * unit,
    ]
    coarse = saddle.state(*known, 3, "distinct")
    t = 0.04 * np.arange(-105, 106)
    monkeypatch.setattr(saddle, "_SINH_STEP", 0.04)
    monkeypatch.setattr(saddle, "_SINH", np.sinh(t))
    monkeypatch.setattr(saddle, "_COSH", np.cosh(t))
    monkeypatch.setattr(saddle, "_Z_STEP", 0.1)
    monkeypatch.setattr(saddle, "_Z", 0.1 * np.arange(-105, 106))
    fine = saddle.state(*known, 3, "distinct")
    for name in ("m", "C", "delta", "free_energy", "entropy"):
        np.testing.assert_allclose(
            getattr(coarse, name), getattr(fine, name), rtol=1e-12, atol=1e-16
        )


@pytest.mark.slow
def test_residuals_over_the_domain():
    for P, normalisation in ((3, "distinct"), (20, "distinct"), (5, "full")):
        top = float(dense_1rsb.capacity(P, normalisation).alpha)
        alpha = top * np.array([1e-3, 0.02, 0.3, 0.6, 0.9, 0.99, 1.0004, 1.002, 1.1])
        T_end = float(dense.at_line_end(P, normalisation).temperature)
        temperature = np.array([0, 1e-9, 1e-4, 0.01, *(T_end * np.array([0.2, 0.5, 0.9, 0.99, 2]))])
        found = dense_1rsb.retrieval(P, alpha, temperature, normalisation)
        assert found.residual.max() < 1e-10
        there = found.m.notnull()
        assert there.sel(alpha=alpha[:4]).sum() >= 4 * 8 and not there.sel(alpha=alpha[-1]).any()
        broken = found.x.notnull()
        assert ((found.x >= 0) & (found.x < 1)).where(broken, True).all()
        assert ((found.q0 < found.q1) | (found.q1 > 1 - 1e-12)).where(broken, True).all()
        assert (found.residual.notnull() == there).all()


def test_speed():
    """A curve of 50 points at T = 0, from nothing, on one core: under 20 s is asked."""
    start = time.perf_counter()
    dense_1rsb.retrieval(9, alpha_of(9, np.linspace(0.01, 0.145, 50)))
    assert time.perf_counter() - start < 20


def test_labels():
    alpha = xr.DataArray([0.1, 0.12], dims="run", coords={"run": ["a", "b"]})
    found = dense_1rsb.retrieval(3, alpha)
    assert found.m.dims == ("run",) and list(found.run.values) == ["a", "b"]
    np.testing.assert_allclose(found.reduced_load, 2 * alpha)
    assert str(found.branch.values) == "retrieval"
    assert dense_1rsb.solutions([3, 4], [0.01, 0.02]).m.dims == ("branch", "interaction", "alpha")
    line = dense_1rsb.spinodal_load([3, 4], [0.0, 0.05])
    assert line.alpha.dims == ("interaction", "temperature")
    for each in (found, line, dense_1rsb.capacity([3]), dense_1rsb.transition_load(3, 0.0)):
        assert {"title", "convention", "source"} <= set(each.attrs)
        assert all({"long_name", "units"} <= set(each[name].attrs) for name in each.data_vars)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((2, 0.1), "interaction = 2.*hopfield_1rsb"),
        ((3.5, 0.1), "interaction"),
        ((31, 0.1), "interaction = 31"),
        ((3, 0.0), "alpha"),
        ((3, 0.1, -0.1), "temperature"),
        ((3, 0.1, 0.1, "both"), "normalisation"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, word):
    with pytest.raises(ValueError, match=word):
        dense_1rsb.retrieval(*arguments)


def test_bad_input_of_the_lines_is_refused_by_name():
    for function in (dense_1rsb.capacity, lambda P: dense_1rsb.spinodal_load(P, 0.1)):
        with pytest.raises(ValueError, match="interaction = 2"):
            function(2)
    with pytest.raises(ValueError, match="normalisation"):
        dense_1rsb.capacity(3, "neither")
    with pytest.raises(ValueError, match="temperature"):
        dense_1rsb.transition_load(3, np.nan)
