"""The glass of P-body networks: reference numbers, limits, identities, an independent solver."""

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import brentq, minimize_scalar
from scipy.special import log_ndtr

from hopfield_sim.theory import dense_glass
from hopfield_sim.theory.tilted import tilted_averages
from tests import reference


def transition(name):
    return lambda row: float(dense_glass.transitions(row.given["P"])[name])


def standard(name):
    """A variable of `glass` in the standard units of the P-spin glass, where ahat = P/2."""

    def found(row):
        P = row.given["P"]
        load = P / 2 / float(np.prod(np.arange(1, P)))
        return float(dense_glass.glass(P, load, row.given["T_std"])[name])

    return found


PREDICTED = {
    "sg_ground_energy_1RSB_over_sqrt_ahat": transition("energy"),
    "sg_1RSB_u": transition("u"),
    "sg_Td_over_sqrt_ahat": transition("T_d"),
    "sg_qd_at_Td": transition("q_d"),
    "sg_TK_over_sqrt_ahat": transition("T_K"),
    "sg_q1_at_TK": transition("q_K"),
    "sg_T_Gardner_std": lambda row: transition("T_G")(row) * np.sqrt(row.given["P"] / 2),
    "sg_1RSB_q1": standard("q1"),
    "sg_1RSB_x": standard("x"),
    "sg_1RSB_f_std": standard("free_energy"),
}


@pytest.mark.parametrize("row", reference.rows("dense", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- averages under a power of cosh -------------------------------------------------------------


def test_tilted_averages_agree_with_a_fine_grid():
    rng = np.random.default_rng(1)
    step = 1e-4
    z = np.arange(-140_000, 140_001) * step
    for _ in range(60):
        temperature, width = 10 ** rng.uniform(-2.5, 0.5), 10 ** rng.uniform(-1.5, 0.3)
        # the shift x width/T of the weight stays below 3, well inside the grid
        power = rng.uniform(0, min(1, 3 * temperature / width))
        field = rng.uniform(-3, 3)
        found = tilted_averages(field, width, temperature, power / temperature)
        u = (field + width * z) / temperature
        log = np.abs(u) + np.log1p(np.exp(-2 * np.abs(u)))
        weight = np.exp(power * log - z**2 / 2)
        total, sech_squared = weight.sum(), 4 * np.exp(-2 * log)
        weight /= total
        expected = (
            np.log(total * step / np.sqrt(2 * np.pi)),
            weight @ np.tanh(u),
            weight @ sech_squared / temperature,
            weight @ log * temperature,
            weight @ (log - u * np.tanh(u)),
            weight @ sech_squared**2 / temperature,
            weight @ np.tanh(u) ** 2 - (weight @ np.tanh(u)) ** 2,
            np.log(total * step / np.sqrt(2 * np.pi)) - power * (weight @ log),
        )
        # The stated error, and that of sums over 280001 numbers.
        np.testing.assert_allclose(found, expected, rtol=2e-13, atol=2e-13)


def test_tilted_averages_at_zero_temperature_are_the_limit():
    field, width, rate = 0.4, 0.8, 2.5
    zero = np.array(tilted_averages(field, width, 0.0, rate))
    for temperature in (1e-4, 1e-6):
        warm = np.array(tilted_averages(field, width, temperature, rate))
        # To first order in T, with factors of order rate.
        assert np.all(np.abs(warm - zero) < 10 * temperature)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((0, -1, 1, 1), "width"),
        ((0, 1, np.nan, 1), "temperature"),
        ((0, 1, 1, -1), "rate"),
        ((np.inf, 1, 1, 1), "field"),
        ((0, 0, 0, 1), "sharp"),
        ((0, 1, 2, 1.1), "power"),
    ],
)
def test_tilted_averages_refuse(arguments, word):
    with pytest.raises(ValueError, match=word):
        tilted_averages(*arguments)


# --- the glass ----------------------------------------------------------------------------------


Z = np.linspace(-12, 12, 4801)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()


def functional(q, x, P, load, T):
    """Free energy as a function of q1 and x, with a quadrature of its own; the weight shifts the
    Gaussian by x s, which must stay well inside |z| < 12."""
    s = np.sqrt(load * q ** (P - 1)) / T
    log = np.logaddexp(s * Z, -s * Z)
    peak = (x * log - Z**2 / 2).max()
    norm = np.log(np.exp(x * log - peak) @ DZ) + peak
    energetic = load / (2 * T * P) * (P - 1) * (1 - (1 - x) * q**P) - load / (2 * T) * (
        1 - q ** (P - 1)
    )
    return energetic - T / x * norm


def test_free_energy_is_stationary_and_a_maximum_in_x():
    for P, load, T in ((3, 0.7, 0.2), (3, 0.3, 0.25), (4, 1.3, 0.3), (5, 0.2, 0.1), (8, 2.0, 0.3)):
        alpha = load / float(np.prod(np.arange(1, P)))
        found = dense_glass.glass(P, alpha, T)
        q, x, f = float(found.q1), float(found.x), float(found.free_energy)
        assert functional(q, x, P, load, T) == pytest.approx(f, abs=1e-13)  # rounding
        step = 1e-4
        slope_q = functional(q + step * (1 - q), x, P, load, T) - functional(
            q - step * (1 - q), x, P, load, T
        )
        slope_x = functional(q, x + step, P, load, T) - functional(q, x - step, P, load, T)
        # Central differences: a third derivative of order ten times step^2.
        assert abs(slope_q) / (2 * step * (1 - q)) < 1e-6
        assert abs(slope_x) / (2 * step) < 1e-6
        for away in (0.97, 1.02):
            assert functional(q, x * away, P, load, T) < f


def test_agrees_with_an_independent_solver():
    """x by bracketing df/dx, q1 by iteration inside, at parameters drawn at random."""
    rng = np.random.default_rng(5)
    for _ in range(4):
        P = int(rng.integers(3, 8))
        load = rng.uniform(0.1, 2)
        T_K = float(dense_glass.transitions(P).T_K)
        T = rng.uniform(0.35, 0.95) * T_K * np.sqrt(load)

        def overlap(x, P=P, load=load, T=T):
            q = 0.999
            for _ in range(400):
                s = np.sqrt(load * q ** (P - 1)) / T
                log = np.logaddexp(s * Z, -s * Z)
                weight = DZ * np.exp(x * (log - log.max()))
                q = (weight @ np.tanh(s * Z) ** 2) / weight.sum()
            return q

        def slope(x, P=P, load=load, T=T, overlap=overlap):
            q, step = overlap(x), 1e-4
            up, down = (functional(q, x + sign * step, P, load, T) for sign in (1, -1))
            return up - down

        lower = 0.9  # downwards to where f rises with x; at small x there is no glass
        while slope(lower) <= 0:
            lower -= 0.1
        x = brentq(slope, lower, 0.9999, xtol=1e-9)
        found = dense_glass.glass(P, load / float(np.prod(np.arange(1, P))), T)
        # Central differences in x move its root by step^2 times ratios of derivatives of order 1.
        assert float(found.x) == pytest.approx(x, abs=1e-6)
        assert float(found.q1) == pytest.approx(overlap(x), abs=1e-6)


def test_entropy_is_minus_the_slope_of_the_free_energy():
    step = 1e-5
    temperature = np.array([0.02, 0.1, 0.19, 0.3, 0.37, 0.38, 0.39])  # T_K, T_d = .376, .3935
    middle, up, down = (
        dense_glass.glass(3, 0.25, temperature + sign * step) for sign in (0, 1, -1)
    )
    slope = (up.free_energy.values - down.free_energy.values) / (2 * step)
    # Rounding 1e-16/1e-5, and step^2 times a third derivative of order ten.
    np.testing.assert_allclose(middle.entropy, -slope, rtol=0, atol=1e-8)
    energy = middle.free_energy + middle.temperature * middle.entropy
    np.testing.assert_allclose(middle.energy, energy, rtol=1e-14)


def test_zero_temperature_is_the_maximum_over_u_and_the_limit():
    order = np.array([3, 4, 5, 7, 12, 30])
    found = dense_glass.transitions(order)
    for P in order:
        best = minimize_scalar(
            lambda u, P=P: u / (2 * P) + (np.log(2) + log_ndtr(u)) / u,
            bounds=(0.5, 10),
            method="bounded",
            options={"xatol": 1e-10},
        )
        assert float(found.energy.sel(interaction=P)) == pytest.approx(-best.fun, abs=1e-12)
        assert float(found.u.sel(interaction=P)) == pytest.approx(best.x, abs=1e-6)  # flat maximum
    zero, warm = dense_glass.glass(order, 0.1, 0.0), dense_glass.glass(order, 0.1, 1e-6)
    for name in ("q1", "rate", "free_energy", "entropy"):
        # To first order in T/sqrt(ahat) > 1e-14, T/0.2 at P = 3, with factors of order ten.
        assert np.all(np.abs(warm[name] - zero[name]) < 1e-4), name


def test_many_bodies_are_the_random_energy_model():
    order = np.array([20, 30, 60, 150])
    found = dense_glass.transitions(order)
    standard_K = found.T_K * np.sqrt(order / 2)
    # Corrections of relative order 2^-P sqrt(P): below 1e-5 at P = 20, rounding beyond P = 60.
    limit = 1 / (2 * np.sqrt(np.log(2)))
    assert np.all(np.abs(standard_K / limit - 1) < 20 * 2.0**-order + 1e-13)
    assert np.all(found.T_d > found.T_K)
    assert np.all(found.T_G < found.T_K * 0.01)
    # Ground state energy -sqrt(2 ln 2/P) sqrt(ahat), frozen at T_K.
    np.testing.assert_allclose(found.energy, -np.sqrt(2 * np.log(2) / order), rtol=1e-4)


def test_order_of_the_transitions_and_what_they_are():
    order = np.arange(3, 13)
    found = dense_glass.transitions(order)
    assert np.all((found.T_G < found.T_K) & (found.T_K < found.T_d))
    assert np.all((found.q_d < found.q_K) & (found.q_K < found.q_G))
    assert found.residual.max() < 1e-13  # rounding
    for P in (3, 5, 8):
        one = found.sel(interaction=P)
        unit = float(np.prod(np.arange(1, P)))  # ahat = 1
        around = [
            dense_glass.glass(P, 1 / unit, float(one[name]) * (1 + sign * 1e-6))
            for name in ("T_G", "T_K", "T_d")
            for sign in (-1, 1)
        ]
        below_G, above_G, below_K, above_K, below_d, above_d = around
        assert below_G.replicon < 0 < above_G.replicon
        assert below_K.complexity == 0 < above_K.complexity
        assert below_K.x < 1 and above_K.x == 1
        # no latent heat, a jump of q1 against the paramagnet only
        assert float(below_K.entropy) == pytest.approx(float(above_K.entropy), abs=1e-4)
        assert above_d.q1.isnull() and below_d.q1.notnull()
        assert abs(float(below_d.replicon)) < 1e-2  # vanishes as the root of T_d - T


def test_scales_with_the_root_of_the_reduced_load():
    one = dense_glass.glass(4, 0.1, 0.1)
    four = dense_glass.glass(4, 0.4, 0.2)
    for name, power in (("q1", 0), ("x", 0), ("entropy", 0), ("free_energy", 1), ("energy", 1)):
        assert float(four[name]) == pytest.approx(float(one[name]) * 2**power, rel=1e-12)


def test_residuals_over_the_whole_domain():
    found = dense_glass.glass(
        [3, 4, 6, 13, 30],
        np.geomspace(1e-6, 10, 8),
        np.concatenate([[0.0], np.geomspace(1e-9, 2, 40)]),
    )
    assert found.residual.max() < 1e-11
    T_d = dense_glass.transitions(found.interaction).T_d
    factor = xr.DataArray(
        [float(np.prod(np.arange(1.0, P))) for P in found.interaction.values], dims="interaction"
    )
    exists = found.temperature <= T_d * np.sqrt(found.alpha * factor)
    np.testing.assert_array_equal(found.q1.notnull(), exists.transpose(*found.q1.dims))


def test_labels():
    temperature = xr.DataArray([0.1, 0.2], dims="run", coords={"run": ["a", "b"]})
    found = dense_glass.glass(3, 0.1, temperature)
    assert found.q1.dims == ("run",)
    assert list(found.run.values) == ["a", "b"]
    assert str(found.branch.values) == "glass"
    assert {"title", "convention", "source"} <= set(found.attrs)
    assert all({"long_name", "units"} <= set(found[name].attrs) for name in found.data_vars)
    assert dense_glass.glass([3, 4], [0.1, 0.2], 0.1).q1.dims == ("interaction", "alpha")


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ((2, 0.1, 0.1), "interaction = 2"),
        ((3.5, 0.1, 0.1), "interaction"),
        ((3, 0.0, 0.1), "alpha"),
        ((3, 0.1, -0.1), "temperature"),
        ((3, 0.1, 0.1, "full"), "normalisation"),
        ((3, 0.1, 0.1, "both"), "normalisation"),
    ],
)
def test_bad_input_is_refused_by_name(arguments, word):
    with pytest.raises(ValueError, match=word):
        dense_glass.glass(*arguments)
    if word == "interaction = 2":
        with pytest.raises(ValueError, match=word):
            dense_glass.transitions(2)
