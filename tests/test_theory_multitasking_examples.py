"""Multitasking networks that learned from examples: limits, an independent average, thresholds."""

from itertools import product

import numpy as np
import pytest
from scipy import special, stats

from hopfield_sim.theory import examples, multitasking
from hopfield_sim.theory.multitasking_sites import gaussian_averages

# Sums of some thousand products, rounded; solutions stop at 1e-14 of the equations.
ROUNDING = 1e-12


@pytest.mark.parametrize("interaction", [2, 3])
def test_perfect_examples_are_the_archetypes(interaction):
    d, T = np.array([0.0, 0.2, 0.5, 0.58, 0.7]), np.array([0.0, 0.05, 0.3])
    for M in (1, 4):
        ours = multitasking.learned(3, d, T, 1.0, M, interaction).squeeze()
        stored = multitasking.retrieval(3, d, T, interaction)
        for name in ("m", "q", "free_energy", "energy", "entropy"):
            np.testing.assert_allclose(ours[name], stored[name], rtol=0, atol=ROUNDING)
        np.testing.assert_allclose(ours.n, ours.m, rtol=0, atol=ROUNDING)
    none = multitasking.large_dataset(3, d, T, 0.0, interaction).squeeze()
    np.testing.assert_allclose(none.m, stored.m, rtol=0, atol=ROUNDING)


def test_many_examples_are_the_archetypes():
    d, T = np.array([0.2, 0.4, 0.7]), 0.05
    stored = multitasking.retrieval(3, d, T)
    # rho = 3e-4: errors of neurons in weak fields, of order rho n/T
    found = multitasking.learned(3, d, T, 0.5, 10_001).squeeze()
    np.testing.assert_allclose(found.m, stored.m, rtol=0, atol=5e-3)
    twice = multitasking.learned(3, d, T, 0.5, 20_001).squeeze()
    ratio = np.abs(found.m - stored.m).max() / np.abs(twice.m - stored.m).max()
    assert float(ratio) == pytest.approx(2, abs=0.1)  # the distance is proportional to rho


@pytest.mark.parametrize("rule", ["supervised", "unsupervised"])
@pytest.mark.parametrize("interaction", [2, 3, 4])
def test_one_archetype_without_blanks_is_low_load(rule, interaction):
    T, M = np.array([0.0, 0.1, 0.3]), np.array([1, 5, 6, 20])
    ours = multitasking.learned(1, 0.0, T, 0.6, M, interaction, rule=rule).isel(pattern=0)
    known = examples.low_load(T, 0.6, M, interaction, rule=rule)
    for name in ("m", "n", "q"):
        np.testing.assert_allclose(ours[name], known[name], rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(ours.hierarchy, ours.m, rtol=0, atol=ROUNDING)


def test_blanks_of_one_archetype_are_a_temperature():
    """Only 1 - d of the neurons take part, in fields (1 - d) times as large."""
    d = 0.4
    ours = multitasking.learned(1, d, 0.12, 0.6, 7).squeeze()
    whole = multitasking.learned(1, 0.0, 0.12 / (1 - d), 0.6, 7).squeeze()
    np.testing.assert_allclose(ours.m / (1 - d), whole.m, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose(ours.hierarchy, whole.hierarchy, rtol=0, atol=ROUNDING)


def average(n_patterns, d, r, M):
    """All columns of entries x and class averages e: (site, pattern) twice, weights (site,)."""
    k = np.arange(M + 1)
    chance = stats.binom.pmf(k, M, (1 + r) / 2)
    one = [(0.0, 0.0, d)]
    for x in (-1.0, 1.0):
        one += [(x, e, (1 - d) / 2 * c) for e, c in zip((2 * k - M) / M, chance, strict=True)]
    every = np.array(list(product(one, repeat=n_patterns)))
    return every[..., 0], every[..., 1], every[..., 2].prod(axis=1)


@pytest.mark.parametrize(("interaction", "M"), [(2, 4), (2, 7), (3, 5)])
def test_agrees_with_a_sum_over_all_neurons(interaction, M):
    d, T, r, p = 0.35, 0.04, 0.7, interaction
    found = multitasking.learned(3, d, T, r, M, p, couplings="variance").squeeze()
    x, e, weight = average(3, d, r, M)
    zeta = x * e / np.sqrt(r**2 + (1 - r**2) / M)
    u = zeta @ found.n.values ** (p - 1) / T
    tanh = np.tanh(u)
    first = np.take_along_axis(x, (x != 0).argmax(axis=1)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose((weight * tanh) @ zeta, found.n, rtol=0, atol=ROUNDING)
    np.testing.assert_allclose((weight * tanh) @ x, found.m, rtol=0, atol=ROUNDING)
    assert weight @ tanh**2 == pytest.approx(found.q.item(), abs=ROUNDING)
    assert weight @ (first * tanh) / (1 - d**3) == pytest.approx(
        found.hierarchy.item(), abs=ROUNDING
    )
    free = (1 - 1 / p) * np.sum(found.n.values**p) - T * weight @ np.logaddexp(u, -u)
    assert free == pytest.approx(found.free_energy.item(), abs=ROUNDING)


def with_all_examples(nu, x, chi, weight, T, p, r):
    """The equations of the network without a teacher, (pattern, example): their right side.

    chi: (site, pattern, example). nu: overlaps with the examples over sqrt(G).
    """
    M = chi.shape[-1]
    eta = x[:, :, None] * chi / np.sqrt(r**2 + (1 - r**2) / M)
    field = np.einsum("ska,ka->s", eta, nu ** (p - 1)) / M
    return np.einsum("s,ska->ka", weight * np.tanh(field / T), eta)


@pytest.mark.parametrize("interaction", [2, 3])
def test_without_a_teacher_the_overlaps_with_all_examples_agree(interaction):
    """Equal overlaps of all examples solve the larger equations, and their slowest direction is
    one of the two stabilities."""
    d, T, r, M, p = 0.3, 0.15 if interaction == 2 else 0.03, 0.6, 3, interaction
    found = multitasking.learned(
        2, d, T, r, M, p, rule="unsupervised", couplings="variance"
    ).squeeze()
    signs = np.array(list(product((-1.0, 1.0), repeat=M)))
    chance = np.prod((1 + r * signs) / 2, axis=1)
    entries = [(0.0, signs[0], d)]
    entries += [
        (x, chi, (1 - d) / 2 * c) for x in (-1.0, 1.0) for chi, c in zip(signs, chance, strict=True)
    ]
    pairs = list(product(entries, repeat=2))
    x = np.array([[one[0] for one in pair] for pair in pairs])
    chi = np.array([[one[1] for one in pair] for pair in pairs])
    weight = np.array([pair[0][2] * pair[1][2] for pair in pairs])
    nu = np.repeat(found.n.values[:, None], M, axis=1)
    given = (x, chi, weight, T, p, r)
    np.testing.assert_allclose(with_all_examples(nu, *given), nu, rtol=0, atol=ROUNDING)
    step = 1e-6
    slopes = np.array(
        [
            (with_all_examples(nu + unit, *given) - with_all_examples(nu - unit, *given)).ravel()
            for unit in step * np.eye(2 * M).reshape(-1, 2, M)
        ]
    ) / (2 * step)
    smallest = np.linalg.eigvals(np.eye(2 * M) - slopes).real.min()
    expected = min(found.overlap_stability.item(), found.example_stability.item())
    # Differences: rounding 1e-16/1e-6, and step^2 times a third derivative of order 1/T^2.
    assert smallest == pytest.approx(expected, abs=1e-7)


def test_gaussian_class_averages_are_the_limit_of_many():
    """At fixed rho the distance to the binomial ones falls like 1/M."""
    d, T, rho = np.array([0.2, 0.5]), 0.1, 0.06
    limit = multitasking.large_dataset(2, d, T, rho).squeeze()
    distance = []
    for M in (101, 401):
        r = 1 / np.sqrt(1 + M * rho)
        found = multitasking.learned(2, d, T, r, M, form="binomial").squeeze()
        same = multitasking.learned(2, d, T, r, M, form="gaussian").squeeze()
        np.testing.assert_allclose(same.m, limit.m, rtol=0, atol=ROUNDING)
        distance.append(np.abs(found.m - limit.m).max().item())
    assert distance[1] < 2e-3 and distance[0] / distance[1] == pytest.approx(4, abs=1)


def test_zero_temperature_is_the_limit():
    d = np.array([0.2, 0.5, 0.7])
    for rho in (0.03, 0.4):
        zero, cold = (multitasking.large_dataset(3, d, T, rho).squeeze() for T in (0.0, 1e-4))
        # Fields have a density there: the difference is of order T.
        np.testing.assert_allclose(zero.m, cold.m, rtol=0, atol=1e-3)
        np.testing.assert_allclose(zero.example_stability, cold.example_stability, atol=5e-3)
    found = multitasking.learned(3, 0.3, 0.0, 0.5, 5).squeeze()
    assert found.residual < ROUNDING and np.isfinite(found.overlap_stability)
    # Examples that contradict one another leave their neuron free.
    even = multitasking.learned(3, 0.3, 0.0, 0.5, 4, rule="unsupervised")
    assert even.example_stability.item() == -np.inf and even.overlap_stability > 0


def test_slopes_are_those_of_the_gaussian_average():
    w, d, rho = np.array([[0.5, 0.2, 0.1]]), np.array([0.3]), np.array([0.2])
    for T in (0.0, 0.05, 0.6):
        T = np.array([T])
        found = gaussian_averages(w, d, T, rho)
        step = 1e-6
        for k, unit in enumerate(step * np.eye(3)):
            up, down = (gaussian_averages(w + s * unit, d, T, rho).n for s in (1, -1))
            np.testing.assert_allclose(
                (up - down)[0] / (2 * step), found.slopes[0, :, k], atol=1e-7
            )


# --- thresholds -----------------------------------------------------------------------------


def test_tolerated_entropy_of_one_archetype_is_that_of_a_majority():
    overlap = np.array([0.7, 0.9, 0.99])
    for d in (0.0, 0.4):
        found = multitasking.tolerated_entropy(1, d, 0.0, overlap).dataset_entropy.squeeze()
        np.testing.assert_allclose(found, 0.5 / special.erfinv(overlap) ** 2, rtol=1e-6)


def test_tolerated_entropy_is_a_threshold():
    d = np.array([0.1, 0.3, 0.5, 0.6])
    found = multitasking.tolerated_entropy(3, d, 0.01, 0.9).squeeze()
    assert (found.dataset_entropy.diff("dilution") < 0).all()
    for side, above in ((0.99, True), (1.01, False)):
        for one in found.dataset_entropy:
            state = multitasking.large_dataset(3, float(one.dilution), 0.01, float(one) * side)
            assert (state.hierarchy.item() > 0.9) == above
    # No neuron can know more than a majority of its examples tells.
    assert (found.dataset_entropy < 0.5 / special.erfinv(0.9) ** 2).all()
    beyond = multitasking.tolerated_entropy(3, 0.7, 0.0, 0.99)
    assert beyond.dataset_entropy.isnull().all()


def test_examples_needed_is_the_smallest_number():
    found = multitasking.examples_needed(3, [0.2, 0.4], 0.02, 0.6, 0.85).squeeze()
    for one in found.n_examples:
        M = int(one)
        around = multitasking.learned(3, float(one.dilution), 0.02, 0.6, np.arange(M - 2, M + 6))
        reached = around.hierarchy.squeeze() >= 0.85
        assert reached[2:].all() and not (reached[1] and reached[2])
    # With many examples of little quality it is the tolerated entropy.
    few = multitasking.examples_needed(3, 0.3, 0.02, 0.05, 0.9).n_examples.item()
    rho = multitasking.tolerated_entropy(3, 0.3, 0.02, 0.9).dataset_entropy.item()
    assert few == pytest.approx((1 - 0.05**2) / (rho * 0.05**2), rel=2e-3)  # 1/few and rounding
    beyond = multitasking.examples_needed(3, 0.7, 0.0, 0.6, 0.99)
    assert beyond.n_examples.isnull().all()


def test_one_step_examples():
    d = np.array([0.0, 0.3, 0.6])
    found = multitasking.one_step_examples(3, d, 0.5, 0.02).n_examples.squeeze()
    signal, noise = 1 - 2 * d + d**3, (1 - d) * (1 - d**6) / (1 + d)
    z = stats.norm.isf(0.02)
    np.testing.assert_allclose(found, z**2 * 3 * noise / signal**2, rtol=1e-12)
    assert multitasking.one_step_examples(3, 0.7, 0.5, 0.02).n_examples.isnull().all()
    # The worst neurons, drawn: their first archetype against the others, in hierarchical overlaps.
    d, r, M = 0.3, 0.5, int(np.ceil(found.sel(dilution=0.3)))
    rng = np.random.default_rng(1)
    e = 2 * rng.binomial(M, (1 + r) / 2, size=(200_000, 3)) / M - 1
    m = (1 - d) * d ** np.arange(3)
    wrong = np.mean(e @ (m * [1, -1, -1]) < 0)
    # Binomial, not Gaussian, averages of some forty examples: a tenth of the probability.
    assert wrong == pytest.approx(0.02, abs=0.003)


@pytest.mark.parametrize("n_patterns", [2, 3, 5])
def test_equal_overlaps_are_stable_above_their_entropy(n_patterns):
    """By iteration from overlaps that differ by a ten-thousandth."""
    d, T = np.array([0.15, 0.4, 0.6]), 0.1
    line = multitasking.equal_entropy(n_patterns, d, T)
    assert line.residual.max() < ROUNDING
    rho = line.dataset_entropy.squeeze().values
    temperature = np.full(d.size, T)
    for side, equal in ((1.1, True), (0.9, False)):
        n = np.ones((d.size, n_patterns))
        for _ in range(300):
            n = gaussian_averages(n, d, temperature, side * rho).n
        assert np.ptp(n, axis=1).max() < 1e-12
        spread = 1e-4 * np.linspace(-1, 1, n_patterns)
        n = n * (1 + spread)
        before = np.ptp(n, axis=1)
        for _ in range(300):
            n = gaussian_averages(n, d, temperature, side * rho).n
        assert ((np.ptp(n, axis=1) < before) == equal).all()


def test_equal_overlaps_at_the_onset():
    """Next to it the quartic term decides; the correction is of first order in 1 - d - T."""
    limit = np.sqrt(2 / 0.9) - 1
    near, nearer = (
        multitasking.equal_entropy(3, 0.3, T).dataset_entropy.item() - limit for T in (0.68, 0.69)
    )
    assert abs(nearer) < 0.01 and near / nearer == pytest.approx(2, abs=0.1)
    assert multitasking.equal_entropy(3, 0.0, 0.1).dataset_entropy.isnull().all()


def test_too_many_states_are_refused():
    with pytest.raises(ValueError, match="n_examples = 301"):
        multitasking.learned(3, 0.3, 0.1, 0.5, [5, 301], form="binomial")
    for wrong in ({"rule": "teacher"}, {"form": "exact"}, {"couplings": "none"}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            multitasking.learned(3, 0.3, 0.1, 0.5, 5, **wrong)
