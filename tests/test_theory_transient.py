"""Synchronous recall: reference numbers, closed forms against sampling, a network, borders."""

import time

import numpy as np
import pytest
import xarray as xr
from scipy.stats import multivariate_normal

from hopfield_sim import Hopfield, ZeroTemperature, patterns, updated
from hopfield_sim.theory import little, transient
from tests import reference

PREDICTED = {
    "alpha_c_AmariMaginu": lambda row: transient.amari_maginu_capacity().alpha_c,
    "m_at_alpha_c_AmariMaginu": lambda row: transient.amari_maginu_capacity().m,
    "m1_parallel_T0_exact": lambda row: first(row, 1),
    "m2_parallel_T0_exact": lambda row: first(row, 2),
    "m2_parallel_T0_AmariMaginu": lambda row: recursion(row, 2),
    "m5_parallel_T0_AmariMaginu": lambda row: recursion(row, 5),
    "m3_parallel_T0_exact": lambda row: sampled(row, 3),
    "m4_parallel_T0_exact": lambda row: sampled(row, 4),
    "m5_parallel_T0_exact": lambda row: sampled(row, 5),
    "m0_critical_AmariMaginu": lambda row: (
        transient.amari_maginu_basin(row.given["alpha"]).start_overlap
    ),
}


def first(row, step):
    return transient.first_steps(row.given["alpha"], row.given["m0"]).m.sel(step=step)


def recursion(row, step):
    return transient.amari_maginu(row.given["alpha"], row.given["m0"], step).m.sel(step=step)


def sampled(row, step):
    """Its own error is small beside the tolerance, which is that of the reference's sampling."""
    found = transient.exact(row.given["alpha"], row.given["m0"], step).sel(step=step)
    assert found.m_error < 0.25 * row.abs_tol
    return found.m


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- exact first steps ----------------------------------------------------------------------


def second_step(alpha, m0, J0):
    """m(2) by scipy's bivariate normal law and the definition, start by start."""
    total = 0.0
    a = np.sqrt(alpha)
    g = sum((1 + s * m0) * multivariate_normal.pdf((m0 + J0 * s) / a) / a for s in (1, -1))
    mean = {s: 2 * multivariate_normal.cdf((m0 + J0 * s) / a) - 1 for s in (1, -1)}
    m1 = sum((1 + s * m0) / 2 * mean[s] for s in mean)
    c = sum((1 + s * m0) / 2 * s * mean[s] for s in mean)
    # Cov z = (1 - G)^-1 C (1 - G^T)^-1 with the two by two matrices of the first two times.
    propagator = np.linalg.inv(np.eye(2) - np.array([[0, 0], [g, 0]]))
    covariance = alpha * propagator @ np.array([[1, c], [c, 1]]) @ propagator.T
    for s0 in (1, -1):
        for s1 in (1, -1):
            for s2 in (1, -1):
                # s1 (field of step 1) > 0 and s2 (field of step 2) > 0
                means = [s1 * (m0 + J0 * s0), s2 * (m1 + alpha * g * s0 + J0 * s1)]
                flip = np.diag([s1, s2])
                law = multivariate_normal(cov=flip @ covariance @ flip)
                total += (1 + s0 * m0) / 2 * s2 * law.cdf(means)
    return total


@pytest.mark.parametrize(
    ("alpha", "m0", "J0"),
    [(0.1, 0.3, 0.0), (0.1, 0.3, 0.1), (0.05, 0.05, 0.05), (0.8, 0.9, 1.5), (0.02, -0.4, 0.3)],
)
def test_second_step_is_a_bivariate_probability(alpha, m0, J0):
    found = float(transient.first_steps(alpha, m0, J0).m.sel(step=2))
    # scipy integrates the bivariate law numerically, to about 1e-8.
    assert found == pytest.approx(second_step(alpha, m0, J0), abs=1e-6)


def test_second_step_without_self_coupling_has_a_closed_form():
    from scipy.special import erf

    alpha, m0 = 0.07, np.linspace(-1, 1, 9)
    found = transient.first_steps(alpha, m0).m
    m1 = erf(m0 / np.sqrt(2 * alpha))
    g = 2 * np.exp(-(m0**2) / (2 * alpha)) / np.sqrt(2 * np.pi * alpha)
    V = alpha * (1 + g**2 + 2 * g * m0 * m1)
    m2 = sum((1 + s * m0) / 2 * erf((m1 + alpha * g * s) / np.sqrt(2 * V)) for s in (1, -1))
    np.testing.assert_allclose(found.sel(step=2), m2, rtol=0, atol=1e-14)
    # A start without overlap stays so, and the pattern and its negative are alike.
    np.testing.assert_allclose(found, -found.values[::-1], rtol=0, atol=1e-14)


def test_first_steps_at_the_ends_of_their_range():
    alpha, m0 = [1e-12, 1e-4, 0.02, 1.0, 1e4], [-1.0, -0.5, 0.0, 1e-9, 0.5, 1.0]
    for J0 in (0.0, 0.5, 20.0):
        found = transient.first_steps(alpha, m0, J0).m
        assert np.all(np.abs(found) <= 1 + 1e-15)
        # A strong self-coupling freezes every neuron, a small load recalls from any overlap.
        if J0 == 20:
            np.testing.assert_allclose(found[:4, :, 2], found[:4, :, 0], atol=1e-12)
    recalled = transient.first_steps(1e-12, [0.1, 1.0]).m.sel(step=2)
    np.testing.assert_allclose(recalled, 1, atol=1e-14)


# --- the recursion --------------------------------------------------------------------------


def test_a_field_that_vanishes_on_no_neuron_does_not_matter():
    # h = m0 + J0 s = 0 for the s that no neuron has, where z(0) and z(1) are one and the same
    with np.errstate(all="raise", under="ignore"):
        minus = transient.first_steps([1e-5, 0.01, 1.0], -1, 1).m
    plus = transient.first_steps([1e-5, 0.01, 1.0], 1, 1).m
    np.testing.assert_allclose(minus, -plus, rtol=0, atol=1e-15)


def test_states_are_where_the_recursion_ends():
    for alpha in (1e-3, 0.03, 0.1, 0.159):
        states = transient.amari_maginu_states(alpha)
        assert states.residual.max() < 1e-13
        edge = float(transient.amari_maginu_basin(alpha).start_overlap)
        # Slow steps near the threshold and, at small loads, towards m = 0.
        ends = transient.amari_maginu(alpha, [edge * 0.99, edge * 1.01], 20_000).isel(step=-1)
        for end, state in zip((0, 1), ("none", "retrieval"), strict=True):
            there = states.sel(branch=state)
            assert float(ends.m[end]) == pytest.approx(float(there.m), abs=1e-6)
            assert float(ends.sigma[end]) == pytest.approx(float(there.sigma), abs=1e-6)
        assert (states.multiplier.sel(branch=["retrieval", "none"]) < 1).all()
        assert (states.multiplier.sel(branch="threshold") > 1).all()


def test_multiplier_is_the_derivative_of_a_step():
    alpha, step = 0.1, 1e-6
    for state in ("retrieval", "threshold"):
        at = transient.amari_maginu_states(alpha).sel(branch=state)
        u = float(at.m / at.sigma)
        up, down = (transient._step(u + sign * step, alpha)[0] for sign in (1, -1))
        # rounding 1e-16 over the step
        assert float(at.multiplier) == pytest.approx((up - down) / (2 * step), abs=1e-9)


def test_first_step_of_the_recursion_is_exact():
    alpha, m0 = [0.02, 0.1, 1.0], [0.05, 0.5, 1.0]
    recursion = transient.amari_maginu(alpha, m0, 1)
    first = transient.first_steps(alpha, m0)
    np.testing.assert_allclose(recursion.m, first.m.sel(step=[0, 1]), rtol=0, atol=1e-15)


def test_nothing_is_kept_beyond_the_capacity():
    capacity = transient.amari_maginu_capacity()
    assert capacity.residual < 1e-14
    alpha = float(capacity.alpha_c) * np.array([1 - 1e-9, 1 + 1e-9])
    m = transient.amari_maginu_states(alpha).m
    # The two states meet as the square root of the distance.
    np.testing.assert_allclose(
        m.sel(branch="retrieval")[0], m.sel(branch="threshold")[0], atol=1e-3
    )
    assert m.sel(branch=["retrieval", "threshold"])[:, 1].isnull().all()
    assert transient.amari_maginu_basin(alpha).start_overlap.isnull().values.tolist() == [0, 1]
    small = transient.amari_maginu_basin(1e-12)
    # alpha(u) = 4u^2/(3 pi), so m0_c = alpha sqrt(3 pi/4), relative corrections of order u^2
    assert float(small.start_overlap) == pytest.approx(1e-12 * np.sqrt(3 * np.pi / 4), rel=1e-10)


# --- the generating functional --------------------------------------------------------------


@pytest.mark.parametrize("J0", [0.0, 0.1])
def test_sampling_agrees_with_the_exact_second_step(J0):
    m0 = [0.1, 0.3, 0.8]
    exact = transient.first_steps(0.1, m0, J0)
    found = transient.exact(0.1, m0, 2, self_coupling=J0)
    np.testing.assert_allclose(found.m[:, :2], exact.m[:, :2], rtol=0, atol=1e-14)
    error = found.m_error.sel(step=2)
    assert error.max() < 5e-4
    # three numbers within four of their errors, from 12 batches
    assert np.all(np.abs(found.m - exact.m).sel(step=2) < 4 * error)


def test_error_bars_are_those_of_repetitions():
    many = [transient.exact(0.1, 0.3, 4, samples=2000, batches=8, seed=seed) for seed in range(24)]
    spread = xr.concat([one.m for one in many], "seed").std("seed", ddof=1)
    mean_error = xr.concat([one.m_error for one in many], "seed").mean("seed")
    ratio = (mean_error / spread).sel(step=[2, 3, 4])
    # the spread of 24 numbers is known to 15 %
    assert np.all((ratio > 0.6) & (ratio < 1.6))


def test_same_seed_same_numbers():
    found = transient.exact([0.05, 0.1], 0.4, 4, samples=1000, batches=2, seed=3)
    again = transient.exact(0.1, 0.4, 4, samples=1000, batches=2, seed=3)
    xr.testing.assert_identical(found.isel(alpha=1).drop_attrs(), again.drop_attrs())
    other = transient.exact(0.1, 0.4, 4, samples=1000, batches=2, seed=4)
    assert float(abs(other.m[-1] - again.m[-1])) > 0


def test_heat_bath_ends_in_the_equilibrium_of_the_little_model():
    alpha, temperature = 0.05, 0.5
    found = transient.exact(alpha, 0.9, 20, temperature, samples=20_000).isel(step=-1)
    equilibrium = little.retrieval(alpha, temperature)
    # five standard errors, and what is left of the relaxation (m changes by 1e-4 a step here)
    assert found.m_error < 2e-3
    assert abs(float(found.m - equilibrium.m)) < 5 * float(found.m_error) + 1e-3
    assert abs(float(found.persistence - equilibrium.p)) < 0.01


def test_a_network_follows_it():
    n_neurons, n_patterns, steps, m0 = 4000, 400, 4, 0.4
    found = np.empty((12, steps + 1))
    for realisation, row in enumerate(found):
        xi = patterns.random(n_patterns, n_neurons, seed=(7, realisation))
        spins = patterns.corrupt(xi[0], seed=(7, realisation), flip_fraction=(1 - m0) / 2)
        for step in range(steps + 1):
            row[step] = spins @ xi[0] / n_neurons
            spins = updated(Hopfield(xi), ZeroTemperature("parallel"), spins)
    exact = transient.exact(n_patterns / n_neurons, m0, steps)
    error = np.hypot(found.std(axis=0, ddof=1) / np.sqrt(12), exact.m_error)
    away = np.abs(found.mean(axis=0) - exact.m)[1:]
    # four standard errors, and corrections of order 1/N with a factor of some 20 in slow recall
    assert np.all(away < 4 * error[1:] + 20 / n_neurons)
    recursion = transient.amari_maginu(n_patterns / n_neurons, m0, steps).m
    assert abs(float(recursion[2] - exact.m[2])) > 0.01  # the term that it drops


def test_frozen_and_extreme_starts():
    found = transient.exact(0.02, [1.0, -1.0, 0.0], 8, samples=5000, batches=2)
    # At alpha = 0.02 a stored pattern has 1e-12 wrong bits; a start without overlap gets none.
    np.testing.assert_allclose(found.m.sel(start_overlap=1.0), 1, atol=1e-9)
    np.testing.assert_allclose(found.m.sel(start_overlap=-1.0), -1, atol=1e-9)
    assert np.all(np.abs(found.m.sel(start_overlap=0.0)) < 0.05)
    assert found.m.notnull().all() and found.m_error.notnull().all()


def test_speed():
    start = time.process_time()
    transient.exact(0.1, 0.3, 6)
    # Processor time; about 1 s on a laptop core.
    assert time.process_time() - start < 6


# --- labels and borders ---------------------------------------------------------------------


def test_labels():
    found = transient.exact([0.05, 0.1], [0.2, 0.3, 0.5], 2, samples=1000, batches=2)
    assert found.m.dims == ("alpha", "start_overlap", "step")
    assert found.step.values.tolist() == [0, 1, 2]
    assert found.attrs["seed"] == 0 and found.attrs["samples"] == 1000
    load = xr.DataArray([0.05, 0.1], dims="alpha", coords={"alpha": [0.05, 0.1]})
    others = (
        transient.first_steps(load, 0.3, load),
        transient.amari_maginu(load, 0.3, 3),
        transient.amari_maginu_states(load),
        transient.amari_maginu_basin(load),
    )
    for one in (found, *others):
        assert one.attrs["convention"] and one.attrs["source"] and one.attrs["title"]
        for name in [*one.data_vars, *one.coords]:
            assert one[name].attrs["long_name"] and one[name].attrs["units"] == "1"
        assert one.alpha.dims == ("alpha",)


@pytest.mark.parametrize(
    ("arguments", "options", "name"),
    [
        ((0.0, 0.3, 3), {}, "alpha"),
        ((0.1, 1.2, 3), {}, "start_overlap"),
        ((0.1, np.nan, 3), {}, "start_overlap"),
        ((0.1, 0.3, 0), {}, "n_steps"),
        ((0.1, 0.3, 2.5), {}, "n_steps"),
        ((0.1, 0.3, 101), {}, "n_steps"),
        ((0.1, 0.3, 3), {"temperature": -1}, "temperature"),
        ((0.1, 0.3, 3), {"self_coupling": -0.1}, "self_coupling"),
        ((0.1, 0.3, 3), {"samples": 10}, "samples"),
        ((0.1, 0.3, 3), {"batches": 1}, "batches"),
        ((0.1, 0.3, 3), {"seed": -1}, "seed"),
        ((0.1, 0.3, 3), {"seed": True}, "seed"),
    ],
)
def test_bad_parameters_are_refused_by_name(arguments, options, name):
    with pytest.raises(ValueError, match=f"{name} = .* is not allowed"):
        transient.exact(*arguments, **options)
    if name in ("alpha", "start_overlap"):
        with pytest.raises(ValueError, match=f"{name} = .* is not allowed"):
            transient.first_steps(*arguments[:2])
        with pytest.raises(ValueError, match=f"{name} = .* is not allowed"):
            transient.amari_maginu(*arguments)
    if name == "alpha":
        for function in (transient.amari_maginu_states, transient.amari_maginu_basin):
            with pytest.raises(ValueError, match="alpha = .* is not allowed"):
                function(arguments[0])


def test_a_self_coupling_is_a_number():
    for function in (transient.first_steps, little.retrieval):
        with pytest.raises(ValueError, match="self_coupling = True is not a number"):
            function(0.1, 0.3, self_coupling=True)
