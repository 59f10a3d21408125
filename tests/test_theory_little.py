"""Little model: reference numbers, an independent functional and iteration, limits, borders."""

import numpy as np
import pytest
import xarray as xr

from hopfield_sim.theory import hopfield, little
from tests import reference

PREDICTED = {
    "m_Little_RS_retrieval": lambda row: retrieval(row).m,
    "q_Little_RS_retrieval": lambda row: retrieval(row).q,
    "p_Little_RS_retrieval": lambda row: retrieval(row).p,
    "T_g_Little_RS": lambda row: (
        little.spin_glass_temperature(row.given["alpha"], row.given["J_ii"]).temperature
    ),
}

# An independent quadrature: the plain trapezoid rule in z; its step 1/400 resolves the poles of
# the response, at distance pi T/(4 b), for T >= 0.02 at the widths met here (b < 1.2).
Z = np.linspace(-10, 10, 8001)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()


def retrieval(row):
    return little.retrieval(row.given["alpha"], row.given["T"])


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


def functional(m, q, p, r, K, alpha, temperature, J0):
    """The free energy of two layers as a function of all five order parameters."""
    beta = 1 / temperature
    h = beta * (m + np.sqrt(alpha * r) * Z)
    D = 1 - beta * (1 + p - 2 * q)
    log_pair = np.logaddexp(K + np.logaddexp(2 * h, -2 * h), np.log(2) - K)
    beta_f = (
        beta * m**2
        + alpha * beta**2 * r * (1 + p - 2 * q)
        + (K - beta * J0 + alpha * beta) * p
        + alpha / 2 * (np.log(D) - 2 * beta * q / D + np.log(1 + beta * (1 - p)))
        - DZ @ log_pair
    )
    return beta_f / beta


@pytest.mark.parametrize("J0", [0.0, 0.4])
def test_branches_are_stationary_points_of_the_free_energy(J0):
    alpha, step = 0.04, 1e-5
    found = little.solutions(alpha, 0.35, J0)
    hot = little.paramagnet(alpha, 1.7, J0)
    cases = [(found.sel(branch=name), 0.35) for name in little.BRANCHES[:3]] + [(hot, 1.7)]
    for at, temperature in cases:
        point = np.array([float(at[name]) for name in ("m", "q", "p", "r", "K")])
        value = functional(*point, alpha, temperature, J0)
        assert value == pytest.approx(float(at.free_energy), abs=1e-12)  # rounding
        for direction in np.eye(5)[: 3 if point[3] == 0 else 5]:  # r = 0 is the end of its range
            one_sided = point[1] == 0 and direction[1] == 1  # q > 0
            up = functional(*(point + step * direction), alpha, temperature, J0)
            down = functional(*(point - (not one_sided) * step * direction), alpha, temperature, J0)
            # Central differences: third derivatives below 1e4 times step^2. One-sided at q = 0:
            # the second derivative, of order 1, times step.
            assert abs(up - down) / (2 * step) < (1e-4 if one_sided else 2e-6)


def iterated(alpha, temperature, J0):
    """m, q, p by damped iteration of the equations."""
    beta = 1 / temperature
    m, q, p, K = 1.0, 1 - 0.02 * temperature, 1 - 0.02 * temperature, J0 * beta
    for _ in range(20_000):
        D = 1 - beta * (1 + p - 2 * q)
        new_K = beta * J0 + alpha * beta / 2 * (1 / D + 1 / (1 + beta * (1 - p)) - 2)
        h = 2 * beta * (m + np.sqrt(alpha * q) / D * Z)
        d = np.exp(-np.abs(h))
        norm = 1 + d**2 + 2 * np.exp(-2 * K) * d
        M = np.sign(h) * (1 - d**2) / norm
        new = DZ @ M, DZ @ M**2, 1 - DZ @ (4 * np.exp(-2 * K) * d / norm), new_K
        change = abs(new[0] - m)
        m, q, p, K = (0.5 * a + 0.5 * b for a, b in zip((m, q, p, K), new, strict=True))
        if change < 1e-15:
            break
    return m, q, p, K


def test_agrees_with_damped_iteration():
    rng = np.random.default_rng(5)
    compared = 0
    while compared < 8:
        temperature, alpha, J0 = rng.uniform(0.1, 0.9), rng.uniform(0.001, 0.12), rng.uniform(0, 1)
        J0 *= compared % 2
        # Away from the spinodal, where the iteration would need millions of steps.
        if alpha > 0.85 * little.spinodal_load(temperature, J0).alpha:
            continue
        found = little.retrieval(alpha, temperature, J0)
        # The iteration stops at changes of 1e-15 at a rate that leaves 1000 times that, and more
        # in K, which 1/D amplifies.
        np.testing.assert_allclose(
            [found.m, found.q, found.p, found.K],
            iterated(alpha, temperature, J0),
            rtol=1e-9,
            atol=1e-11,
        )
        compared += 1


@pytest.mark.parametrize("J0", [0.0, 0.3])
@pytest.mark.parametrize("branch", ["retrieval", "spin_glass", "paramagnet"])
def test_thermodynamic_identities(branch, J0):
    alpha, step = 0.04, 1e-5
    temperature = np.array([1.6, 2.5] if branch == "paramagnet" else [0.02, 0.2, 0.45])
    at, up, down = (
        getattr(little, branch)(alpha, temperature + shift, J0) for shift in (0, step, -step)
    )
    slope = (up.free_energy.values - down.free_energy.values) / (2 * step)
    # Rounding of f over the step, 1e-11, and step^2 times a third derivative of order 10.
    np.testing.assert_allclose(at.entropy, -slope, rtol=0, atol=1e-8)
    np.testing.assert_allclose(at.energy, at.free_energy + temperature * at.entropy, atol=1e-13)


def test_zero_temperature_is_that_of_the_hopfield_network():
    alpha = np.array([0.01, 0.05, 0.1, 0.137])
    for phase in ("retrieval", "spin_glass"):
        for J0 in (0.0, 0.7):
            zero = getattr(little, phase)(alpha, 0.0, J0)
            same = getattr(hopfield, phase)(alpha, 0.0)
            for name in ("m", "q", "entropy"):
                np.testing.assert_allclose(zero[name], same[name], rtol=0, atol=1e-12)
            np.testing.assert_allclose(zero.r, same.r, rtol=1e-10)
            np.testing.assert_allclose(zero.energy, 2 * same.energy - J0, atol=1e-12)
            assert (zero.p == 1).all() and np.isinf(zero.K).all()
            # The approach to it is linear in T, with a factor that grows next to the spinodal.
            near = getattr(little, phase)(alpha, 1e-7, J0)
            for name in ("m", "q", "p", "free_energy", "energy", "entropy"):
                assert np.all(np.abs(near[name] - zero[name]) < 3e-5), name
    top = hopfield.zero_temperature_capacity()
    assert float(little.spinodal_load(0.0).alpha) == pytest.approx(float(top.alpha_c), abs=1e-13)


def test_small_loads_are_those_of_the_hopfield_network():
    temperature = np.array([0.1, 0.5, 0.8])
    for alpha in (1e-3, 1e-5):
        found, same = (one.retrieval(alpha, temperature) for one in (little, hopfield))
        # K is of order alpha, and m changes with K at first order, by 1/(1 - T) at most.
        for name in ("m", "q"):
            assert np.all(np.abs(found[name] - same[name]) < 10 * alpha)
        assert np.all(found.m >= same.m)
        assert np.all(np.abs(found.free_energy - 2 * same.free_energy) < alpha)
        assert np.all(np.abs(found.replicon - same.replicon) < 50 * alpha**2 / temperature)
    limit = little.low_load(temperature)
    assert np.all(np.abs(found.m - limit.m) < 10 * alpha)
    np.testing.assert_allclose(limit.m, np.tanh(limit.m / temperature), atol=1e-14)
    np.testing.assert_allclose(limit.p, limit.q, atol=1e-14)
    J0 = 0.5
    with_self = little.low_load(temperature, J0)
    u = 2 * with_self.m / temperature
    kappa = np.exp(-2 * J0 / temperature)
    np.testing.assert_allclose(with_self.m, np.sinh(u) / (np.cosh(u) + kappa), atol=1e-13)
    near = little.retrieval(1e-6, temperature, J0)
    for name in ("m", "q", "p", "free_energy", "entropy"):
        assert np.all(np.abs(near[name] - with_self[name]) < 1e-5), name


def test_strong_self_coupling_is_the_hopfield_network_at_half_the_temperature():
    alpha, temperature, J0 = [0.02, 0.08], [0.2, 0.6], 300.0
    same = hopfield.retrieval(alpha, np.divide(temperature, 2))
    frozen = little.retrieval(alpha, temperature, J0)
    for name in ("m", "q", "replicon"):
        np.testing.assert_allclose(frozen[name], same[name].values, rtol=0, atol=1e-11)
    # f loses 300 to J0: rounding of that.
    np.testing.assert_allclose(frozen.free_energy + J0, 2 * same.free_energy.values, atol=1e-12)


def test_the_glass_begins_where_the_paramagnet_ends():
    alpha = np.array([1e-4, 0.01, 0.1, 1.0, 30.0, 1000.0])
    for J0 in (0.0, 0.1, 2.0):
        onset = little.spin_glass_temperature(alpha, J0)
        assert onset.residual.max() < 1e-14
        below = xr.DataArray(onset.temperature.values * (1 - 1e-4), dims="alpha")
        above = xr.DataArray(onset.temperature.values * (1 + 1e-4), dims="alpha")
        loads = xr.DataArray(alpha, dims="alpha")
        glass, hot = little.spin_glass(loads, below, J0), little.paramagnet(loads, above, J0)
        assert little.spin_glass(loads, above, J0).m.isnull().all()
        assert little.paramagnet(loads, below, J0).m.isnull().all()
        # p and f go on continuously; q vanishes linearly with the distance from the onset, the
        # replicon linearly from above and, as in other mean-field glasses, quadratically from
        # below; all factors are of order one but for small loads, where they are 1/sqrt(alpha).
        distance = 1e-4 * (1 + 1 / np.sqrt(loads))
        assert np.all((glass.q > 0) & (glass.q < 5 * distance))
        for p in (glass.p, onset.p):
            assert np.all(np.abs(p - hot.p) < 5 * distance)
        np.testing.assert_allclose(glass.free_energy, hot.free_energy, rtol=1e-3)
        assert np.all((glass.replicon < 0) & (glass.replicon > -20 * distance**2))
        assert np.all((hot.replicon > 0) & (hot.replicon < 5 * distance))
    small = float(little.spin_glass_temperature(1e-8).temperature)
    # T_g = 1 + (3/2) sqrt(alpha), corrections of order alpha
    assert (small - 1) / 1e-4 == pytest.approx(1.5, abs=1e-3)


def test_without_load_at_high_temperature_spins_are_free():
    found = little.paramagnet(0.1, 1e6)
    assert float(found.entropy) == pytest.approx(2 * np.log(2), abs=1e-11)
    assert float(found.p) == pytest.approx(0, abs=1e-6)


@pytest.mark.slow
def test_residuals_and_existence_over_the_whole_range():
    alpha = np.array([1e-8, 1e-5, 1e-3, 0.03, 0.1, 0.137, 0.138, 0.5, 50.0])
    temperature = np.array([0, 1e-6, 1e-3, 0.02, 0.1, 0.4, 0.8, 0.99, 0.99999, 1.05, 1.5, 9.0])
    for J0 in (0.0, 0.2):
        found = little.solutions(alpha, temperature, J0)
        assert found.residual.max() < 1e-13  # rounding of a few averages of order one
        finite = found[["m", "q", "p", "r", "free_energy", "entropy"]].to_array().notnull()
        assert (finite.all("variable") == found.m.notnull()).all()
        exists = found.m.sel(branch="retrieval").notnull()
        largest = little.spinodal_load(temperature, J0).alpha
        # Within 1e-6 of T_0, or above it, there is no phase and no spinodal (NaN compares false).
        expected = (found.alpha < largest).transpose(*exists.dims)
        np.testing.assert_array_equal(exists, expected)
        stable, unstable = (found.m.sel(branch=name) for name in little.BRANCHES[:2])
        assert ((stable > unstable) | ~exists).all()
        glass = found.m.sel(branch="spin_glass").notnull()
        hot = found.m.sel(branch="paramagnet").notnull()
        assert (glass ^ hot).all()
        assert (found.replicon.sel(branch="spin_glass").where(glass, -1) < 0).all()


def test_spinodal():
    temperature = np.array([0.1, 0.5, 0.9])
    found = little.spinodal_load(temperature)
    assert found.residual.max() < 1e-13
    # Larger than in the Hopfield network at T > 0.
    assert np.all(found.alpha > hopfield.spinodal_load(temperature).alpha)
    pairs = xr.DataArray(temperature, dims="temperature")
    at = little.solutions(found.alpha * (1 - 1e-8), pairs).m
    stable, unstable = at.sel(branch="retrieval"), at.sel(branch="retrieval_unstable")
    # They merge as the square root of the distance, with a factor below 1.
    assert np.all((stable - unstable < 1e-3) & (stable > found.m) & (unstable < found.m))
    assert little.retrieval(found.alpha * (1 + 1e-8), pairs).m.isnull().all()


def test_labels():
    found = little.retrieval([0.02, 0.05], [0.1, 0.2, 0.3], 0.1)
    assert found.m.dims == ("alpha", "temperature")
    assert float(found.self_coupling) == 0.1 and found.branch.item() == "retrieval"
    assert found.attrs["convention"] and found.attrs["source"]
    for name in [*found.data_vars, *found.coords]:
        assert found[name].attrs["long_name"] and found[name].attrs["units"] == "1"
    load = xr.DataArray([0.02, 0.05], dims="alpha", coords={"alpha": [0.02, 0.05]})
    hebb = little.retrieval(load, 0.3, load)  # J_ii = alpha
    assert hebb.m.dims == ("alpha",)
    single = little.retrieval(0.05, 0.3, 0.05)
    assert float(hebb.m[1]) == pytest.approx(float(single.m), abs=1e-14)
    every = little.solutions(0.05, [0.1, 0.3])
    assert every.m.dims == ("branch", "temperature")
    assert every.branch.values.tolist() == list(little.BRANCHES)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ((0.0, 0.3, 0.0), "alpha"),
        ((np.nan, 0.3, 0.0), "alpha"),
        ((0.1, -0.3, 0.0), "temperature"),
        ((0.1, np.inf, 0.0), "temperature"),
        ((0.1, 0.3, -0.1), "self_coupling"),
    ],
)
def test_bad_parameters_are_refused_by_name(arguments, name):
    alpha, temperature, self_coupling = arguments
    functions = (little.retrieval, little.spin_glass, little.paramagnet, little.solutions)
    for function in functions:
        with pytest.raises(ValueError, match=f"{name} = .* is not allowed"):
            function(*arguments)
    if name != "alpha":
        for function in (little.low_load, little.spinodal_load):
            with pytest.raises(ValueError, match=f"{name} = .* is not allowed"):
                function(temperature, self_coupling)
    if name != "temperature":
        with pytest.raises(ValueError, match=f"{name} = .* is not allowed"):
            little.spin_glass_temperature(alpha, self_coupling)
