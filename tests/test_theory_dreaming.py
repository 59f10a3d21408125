"""Dreaming kernel: reference numbers, an independent solver, identities and both limits."""

import time

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import fsolve
from scipy.special import erf

from hopfield_sim.theory import dreaming, hopfield, projection
from tests import reference


def at(row):
    return dreaming.retrieval(row.given["alpha"], row.given["T"], row.given["t"])


PREDICTED = {
    "alpha_c_dream_RS_T0": lambda row: dreaming.spinodal_load(0.0, row.given["t"]).alpha,
    "m_dream_RS": lambda row: at(row).m,
    "q_dream_RS": lambda row: at(row).q,
}

# An independent quadrature, for field widths below 1 and T >= 0.05: step 1/300 < 0.3 * 0.05.
Z = np.linspace(-10, 10, 6001)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


def equations(unknown, alpha, T, t):
    """Errors of the four equations in ln w, ln delta, m, q, as they are written down."""
    w, delta = np.exp(unknown[:2])
    m, q = unknown[2:]
    i, tau = 1 / (1 + t), t / (1 + t)
    g = 1 / (1 + tau * delta)
    M = m * g / (i + tau * g)
    if T == 0:
        y = M / np.sqrt(2 * w)
        new_m, new_q, x = erf(y), 1, np.sqrt(2 / (np.pi * w)) * np.exp(-(y**2))
    else:
        tanh = np.tanh(g * (M + np.sqrt(w) * Z) / T)
        new_m, new_q, x = DZ @ tanh, DZ @ tanh**2, g * (1 - q) / T
    return [
        m - new_m,
        q - new_q,
        alpha / delta / (i + g * tau - g * x) - 1,
        alpha * w / delta**2 / (g**2 * (q + tau**2 * (M**2 + w) - 2 * tau * (M * m + w * x))) - 1,
    ]


def functional(M, w, delta, alpha, T, t):
    """The free energy as a function of its three order parameters, and the mean ln det by a
    quadrature over the law of Marchenko and Pastur (alpha < 1, P eigenvalues)."""
    beta, i, tau = 1 / T, 1 / (1 + t), t / (1 + t)
    g, Delta = 1 / (1 + tau * delta), delta * T
    angle = (np.arange(4000) + 0.5) * np.pi / 4000
    eigenvalue = 1 + alpha + 2 * np.sqrt(alpha) * np.cos(angle)
    weight = 2 * np.sin(angle) ** 2 / eigenvalue / 4000
    log_determinant = alpha * (weight @ np.log((1 + t * eigenvalue) * i))
    h = beta * g * (M + np.sqrt(w) * Z)
    return -T * (
        alpha / 2 * (1 - np.log(alpha) + np.log(beta) + np.log(Delta) + w / Delta)
        + log_determinant / 2
        - beta * i / 2 * (M**2 + w + Delta)
        - np.log(1 + beta * tau * Delta) / 2
        + (-beta * tau * (M**2 + w) + beta**2 * Delta) / (2 * (1 + beta * tau * Delta))
        + DZ @ np.logaddexp(h, -h)
    )


def test_agrees_with_an_independent_solver():
    rng = np.random.default_rng(11)
    compared = 0
    while compared < 12:
        T, t = rng.choice([0.0, rng.uniform(0.06, 0.6)]), rng.choice([0.2, 1.0, 4.0, 20.0])
        alpha = float(dreaming.spinodal_load(T, t).alpha) * rng.uniform(0.3, 0.95)
        found = dreaming.retrieval(alpha, T, t)
        start = [float(found.w), float(found.delta), float(found.m), float(found.q)]
        start[:2] = np.log(start[:2])
        solved, _, converged, _ = fsolve(
            equations, np.array(start) * (1 + 1e-3), (alpha, T, t), full_output=True, xtol=1e-13
        )
        assert converged == 1
        # the solver's precision, and its quadrature's
        np.testing.assert_allclose(solved, start, rtol=1e-7, atol=1e-8)
        # nothing with a larger overlap, from random starts
        for _ in range(10):
            guess = [rng.uniform(-6, 0), rng.uniform(-2, 2), rng.uniform(0.5, 1), 1]
            with np.errstate(all="ignore"):
                other, _, converged, _ = fsolve(equations, guess, (alpha, T, t), full_output=True)
                error = np.abs(equations(other, alpha, T, t)).max()
            assert not (converged == 1 and error < 1e-9 and other[2] > start[2] + 1e-6)
        compared += 1


def test_known_roots():
    # independently found: ln w, ln delta, m, q, to the digits given
    for point, expected in {
        (0.3, 0.2, 1): (-2.331, -1.001, 0.98113, 0.97028),
        (0.5, 0.15, 5): (-3.314, -0.270, 0.99574, 0.99164),
        (0.36, 0, 1): (-2.226, -0.879, 0.99387, 1),
    }.items():
        found = dreaming.retrieval(*point)
        values = [np.log(found.w), np.log(found.delta), found.m, found.q]
        np.testing.assert_allclose(values, expected, atol=6e-4)
    unstable = dreaming.solutions(0.3, 0.2, 1).m.sel(branch="retrieval_unstable")
    assert float(unstable) == pytest.approx(0.900, abs=5e-4)


@pytest.mark.parametrize(
    ("alpha", "T", "t"), [(0.1, 0.2, 0.0), (0.3, 0.2, 1.0), (0.5, 0.1, 30.0), (0.1, 0.1, 50.0)]
)
def test_free_energy_is_stationary_and_thermodynamic(alpha, T, t):
    step = 1e-5
    here, up, down = (dreaming.solutions(alpha, T + shift, t) for shift in (0, step, -step))
    for branch in dreaming.BRANCHES[:-1]:
        one = here.sel(branch=branch)
        if one.m.isnull():
            continue
        point = np.array([float(one.M), float(one.w), float(one.delta)])
        assert functional(*point, alpha, T, t) == pytest.approx(float(one.free_energy), abs=1e-12)
        for direction in np.diag(step * np.minimum(point, 1)):
            size = direction.max()
            slope = functional(*(point + direction), alpha, T, t)
            slope -= functional(*(point - direction), alpha, T, t)
            # rounding, and third derivatives of the size of f/w^3 times (1e-5 w)^2
            assert abs(slope / (2 * size)) < 1e-6 + 1e-15 / size
    slopes = (up.free_energy - down.free_energy) / (2 * step)
    defined = here.entropy.notnull() & slopes.notnull()
    assert defined.sum() >= 3 - (t == 0)
    # third derivatives of f of the unstable branches and the paramagnet, up to 1e4, times step^2
    assert np.abs(here.entropy + slopes).where(defined).max() < 1e-6
    difference = here.free_energy - (here.energy - T * here.entropy)
    assert np.abs(difference).max() < 1e-15


def test_time_zero_is_the_hopfield_network():
    alpha, T = np.array([1e-3, 0.02, 0.08, 0.13]), np.array([0.0, 0.01, 0.2, 0.5])
    found, expected = dreaming.retrieval(alpha, T, 0.0), hopfield.retrieval(alpha, T)
    np.testing.assert_array_equal(found.m.isnull(), expected.m.isnull())
    for name in ("m", "q", "C", "entropy"):
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-12)
    for name in ("free_energy", "energy"):  # the self-coupling alpha counts here
        difference = found[name] + found.self_coupling / 2 - expected[name]
        assert np.abs(difference).max() < 1e-13
    np.testing.assert_allclose(found.replicon[:, 1:], expected.replicon[:, 1:], rtol=1e-9)
    np.testing.assert_allclose(found.w, alpha[:, None] * expected.r, rtol=1e-10)
    warm = dreaming.solutions(alpha, [1.2, 2.0], 0.0).sel(branch="paramagnet")
    expected = hopfield.paramagnet(alpha, [1.2, 2.0])
    for name in ("energy", "free_energy"):
        difference = warm[name] + warm.self_coupling / 2 - expected[name]
        assert np.abs(difference).max() < 1e-12
    np.testing.assert_allclose(warm.replicon, expected.replicon, rtol=1e-9)
    spinodal = dreaming.spinodal_load([0.0, 0.1, 0.7, 0.99], 0.0).alpha
    np.testing.assert_allclose(
        spinodal, hopfield.spinodal_load([0.0, 0.1, 0.7, 0.99]).alpha, rtol=1e-10
    )


def test_infinite_time_is_the_projection_rule():
    alpha, T = np.array([0.05, 0.3, 0.7]), np.array([0.0, 0.02, 0.15])
    exact = dreaming.solutions(alpha, T, np.inf)
    expected = projection.solutions(alpha, T)
    for branch in projection.BRANCHES:
        for name in ("m", "free_energy", "energy", "entropy", "replicon"):
            np.testing.assert_array_equal(
                exact[name].sel(branch=branch), expected[name].sel(branch=branch)
            )
    for t in (1e5, 1e8, 1e11):
        late = dreaming.retrieval(alpha, T, t)
        for name in ("m", "q", "free_energy", "energy", "entropy", "self_coupling"):
            difference = np.abs(late[name] - exact[name].sel(branch="retrieval"))
            # of order 1/t, with a factor of some ten at these points, far from the spinodal
            assert difference.max() < 30 / t + 1e-13, (name, t)
    assert dreaming.retrieval(1.2, 0.0, np.inf).m.isnull()
    assert dreaming.spinodal_load(0.0, np.inf).alpha == 1
    late = dreaming.spinodal_load([0.05, 0.3, 0.8], 1e7).alpha
    np.testing.assert_allclose(late, projection.spinodal_load([0.05, 0.3, 0.8]).alpha, rtol=1e-4)


def test_capacity_beyond_one():
    found = dreaming.spinodal_load(0.0, [33, 40, 1500, 2000, 3000]).alpha.values
    np.testing.assert_allclose(found[:2], [0.9961, 1.0084], atol=6e-5)  # independent, 4 decimals
    assert found[3] == pytest.approx(1.0684, abs=6e-5)
    assert found[3] > 1.0683 and found.argmax() in (2, 3)
    assert float(dreaming.retrieval(1.04, 0.0, 1000).m) == pytest.approx(0.999998, abs=6e-7)
    # at T of the order of 1/t, one function of T t, between that limit and the projection rule's
    scaled = [
        float(dreaming.spinodal_load(x / t, t).alpha) for t in (1e6, 1e9) for x in (1e-3, 1.0, 10.0)
    ]
    np.testing.assert_allclose(scaled[:3], scaled[3:], rtol=2e-3)
    assert scaled[1] > scaled[0] > scaled[2] > 1
    # four solutions on one curve
    t, T = 1e5, 1e-4
    several = dreaming.solutions(0.987, T, t).m.values[:-1]
    assert np.isfinite(several[:4]).all() and (np.diff(several[:4]) < 0).all()


@pytest.mark.slow
def test_domain():
    alpha = np.geomspace(1e-4, 1.2, 12)
    T = np.array([0.0, 1e-5, 0.02, 0.3, 0.7, 0.98])
    t = np.array([0.0, 1e-5, 0.5, 8.0, 300.0, 1e6, 1e10, np.inf])
    found = dreaming.retrieval(alpha, T, t)
    assert found.residual.max() < 1e-13  # rounding
    spinodal = dreaming.spinodal_load(T, t)
    assert spinodal.residual.max() < 1e-11  # a difference quotient decides where Newton's steps end
    exists = found.m.notnull()
    np.testing.assert_array_equal(exists, (found.alpha < spinodal.alpha).transpose(*exists.dims))
    next_to = spinodal.alpha * xr.DataArray([1 - 1e-12, 1 - 1e-8, 1 - 1e-4], dims="distance")
    close = dreaming.solutions(
        next_to.isel(dreaming_time=slice(0, 5)), spinodal.temperature, spinodal.dreaming_time[:5]
    )
    upper, lower = close.m.sel(branch="retrieval"), close.m.sel(branch="retrieval_unstable")
    m = spinodal.m[:, :5]
    assert (upper > m).all() and (lower < m)[..., 1:].all()
    assert close.residual.max() < 1e-10
    assert dreaming.retrieval(0.001, [1.0, 2.0], t).m.isnull().all()


def test_paramagnet_becomes_a_glass():
    alpha, t = np.array([0.05, 0.5, 2.0]), np.array([0.0, 0.3, 5.0])
    line = dreaming.spin_glass_temperature(alpha, t)
    np.testing.assert_allclose(line.temperature[:, 0], 1 + np.sqrt(alpha), rtol=1e-14)
    for shift, sign in ((1e-3, 1), (-1e-3, -1)):
        around = dreaming.solutions(line.alpha, line.temperature * (1 + shift), line.dreaming_time)
        assert (np.sign(around.replicon.sel(branch="paramagnet")) == sign).all()


def test_speed():
    start = time.process_time()
    dreaming.retrieval(np.linspace(0.01, 0.6, 40), np.linspace(0, 0.9, 20), 1.0)
    # Processor time: about 1 s on a laptop core, and a slow machine may take five times that.
    assert time.process_time() - start < 5


def test_labels():
    found = dreaming.solutions([0.1, 0.3], 0.05, [0.0, 1.0, np.inf])
    assert found.m.dims == ("branch", "alpha", "dreaming_time")
    assert found.branch.values.tolist() == list(dreaming.BRANCHES)
    assert found.attrs["convention"] and found.attrs["source"]
    for name in found.variables:
        assert found[name].attrs["long_name"] and found[name].attrs["units"] == "1"
    t = xr.DataArray([0.5, 2.0], dims="run", coords={"run": [3, 4]})
    paired = dreaming.retrieval(xr.DataArray([0.1, 0.2], dims="run"), 0.1, t)
    assert paired.m.dims == ("run",) and paired.run.values.tolist() == [3, 4]
    single = float(dreaming.retrieval(0.2, 0.1, 2.0).m)
    assert float(paired.m[1]) == pytest.approx(single, abs=1e-14)


@pytest.mark.parametrize(
    ("name", "value"),
    [("alpha", 0.0), ("temperature", -0.1), ("dreaming_time", -1.0), ("dreaming_time", np.nan)],
)
def test_refuses(name, value):
    good = {"alpha": 0.1, "temperature": 0.1, "dreaming_time": 1.0}
    for function, names in (
        (dreaming.retrieval, list(good)),
        (dreaming.solutions, list(good)),
        (dreaming.spinodal_load, ["temperature", "dreaming_time"]),
        (dreaming.spin_glass_temperature, ["alpha", "dreaming_time"]),
    ):
        if name in names:
            with pytest.raises(ValueError, match=f"{name} = "):
                function(**{one: good[one] for one in names} | {name: value})


def test_the_longest_times_at_low_temperature():
    """T t = 100: between projection, which ends at 0.9993 there, and the limit 1.068 at T = 0."""
    assert dreaming.retrieval(0.94, 1e-4, 1e6).residual < 1e-10  # pytest refuses the warnings
    ends = dreaming.spinodal_load(1e-4, [1e6, np.inf]).alpha.values
    assert ends[1] < 1 < ends[0] < 1.068
