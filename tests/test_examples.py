"""Noisy examples: their laws, counted; what more of them changes; networks that learned them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from hopfield_sim import Dense, Glauber, Hopfield, dynamics, examples, observables, patterns
from hopfield_sim.learning import examples as learning
from hopfield_sim.theory import conventions

XI = patterns.random(4, 30, seed=1)
SIGMAS = 5  # a true sampler misses one such limit with probability 6e-7


@pytest.mark.parametrize("quality", [0.0, 0.3, 0.8, 1.0])
def test_examples_agree_with_their_archetype_as_often_as_they_should(quality):
    xi = patterns.diluted(20, 1000, 0.2, seed=2)
    eta = examples.noisy(xi, quality, 10, seed=3)
    assert eta.shape == (20, 10, 1000) and eta.dtype == np.float32
    blank = np.broadcast_to(xi[:, None] == 0, eta.shape)
    assert not eta[blank].any() and np.all(np.abs(eta[~blank]) == 1)
    right = (eta == xi[:, None])[~blank]
    p = (1 + quality) / 2
    assert abs(right.sum() - right.size * p) <= SIGMAS * math.sqrt(right.size * p * (1 - p))


def test_noise_of_examples_and_of_patterns_is_independent():
    """chi of two examples, of two archetypes, and chi and xi: uncorrelated but for its mean."""
    xi = patterns.random(2, 100_000, seed=4)
    chi = examples.noisy(xi, 0.5, 2, seed=4) * xi[:, None] - 0.5
    columns = np.stack([*chi.reshape(4, -1), *xi])
    correlation = np.corrcoef(columns) - np.eye(6)
    assert np.abs(correlation).max() < SIGMAS / math.sqrt(100_000)


def test_more_examples_keep_the_first_ones():
    few, many = (examples.noisy(XI, 0.6, M, seed=5) for M in (3, 7))
    np.testing.assert_array_equal(many[:, :3], few)
    assert not np.array_equal(few, examples.noisy(XI, 0.6, 3, seed=6))


def test_sums_are_those_of_the_examples():
    """Also where the patterns are drawn in several chunks: 3000 x 400 draws."""
    for xi in (XI, patterns.random(3000, 400, seed=7)):
        total = examples.sums(xi, 0.6, 3, seed=8)
        np.testing.assert_array_equal(total, examples.noisy(xi, 0.6, 3, seed=8).sum(axis=1))


def test_examples_of_classes():
    """Without replacement, the right class, the first of them kept; the rest of the set enters."""
    labels = np.repeat([3, 1, 7], [10, 12, 9])
    xi = patterns.random(31, 20, seed=9)
    found = examples.of_classes(xi, labels, 5, seed=1)
    assert found.shape == (3, 5, 20)
    for row, label in zip(found, (1, 3, 7), strict=True):
        members = xi[labels == label]
        places = [np.flatnonzero((members == x).all(axis=1)).item() for x in row]
        assert len(set(places)) == 5
    np.testing.assert_array_equal(examples.of_classes(xi, labels, 9, seed=1)[:, :5], found)
    only = examples.of_classes(xi, labels, 5, seed=1, classes=[7, 3])
    np.testing.assert_array_equal(only, found[[2, 1]])
    assert not np.array_equal(examples.of_classes(xi, labels, 5, seed=2), found)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: examples.noisy(XI[0], 0.5, 3, 1), "2-d array"),
        (lambda: examples.noisy(XI, 1.5, 3, 1), r"\[0, 1\]"),
        (lambda: examples.noisy(XI, float("nan"), 3, 1), r"\[0, 1\]"),
        (lambda: examples.sums(XI, 0.5, 0, 1), "at least 1"),
        (lambda: examples.sums(XI, 0.5, 2.0, 1), "at least 1"),
        (lambda: examples.of_classes(XI, np.arange(3), 1, 1), "do not fit"),
        (lambda: examples.of_classes(XI, np.zeros(4), 5, 1), "has 4 members"),
        (lambda: learning.supervised(XI, 0), "at least 1"),
        (lambda: learning.supervised(XI, 1, 0.0), r"\(0, 1\]"),
        (lambda: learning.supervised(XI, 1, 0.5, 2.5), "integer P"),
        (lambda: learning.supervised(XI, 1, 0.5, 2, "r"), "'variance'"),
        (lambda: learning.supervised(XI, 1, None, 2, "quality"), "needs the quality"),
        (lambda: learning.supervised(0 * XI, 1), "nothing to learn"),
        (lambda: learning.unsupervised(XI), r"\(pattern, example, neuron\)"),
        (lambda: observables.overlap_with(np.ones((2, 2, 2))), "references"),
        (lambda: observables.overlap_with([np.nan]), "references"),
        (lambda: Hopfield(XI, strength=0.0), "strength"),
        (lambda: Hopfield(XI, strength=float("inf")), "strength"),
    ],
)
def test_wrong_input_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


def energy_by_tuples(x, s, order):
    """sum over tuples of different sites of prod x s, times (P-1)!/N^(P-1): H but for -1/g."""
    total = sum(
        math.prod(x[i] * s[i] for i in t) for t in itertools.combinations(range(len(s)), order)
    )
    return math.factorial(order - 1) / len(s) ** (order - 1) * total


@pytest.mark.parametrize("interaction", [2, 3, 4])
@pytest.mark.parametrize("couplings", ["variance", "quality"])
def test_energies_are_those_of_the_definition(interaction, couplings):
    """By every tuple of sites, from real class averages: to rounding."""
    N, M, r = 8, 3, 0.6
    eta = examples.noisy(patterns.random(3, N, seed=1), r, M, seed=2).astype(float)
    s = patterns.random(1, N, seed=3)[0].astype(float)
    G = r**2 + (1 - r**2) / M
    g = {"variance": G ** (interaction / 2), "quality": r**interaction}[couplings]
    sup = learning.supervised(eta.sum(axis=1), M, r, interaction, couplings)
    expected = -sum(energy_by_tuples(x, s, interaction) for x in eta.mean(axis=1)) / g
    assert sup.energy(s) == pytest.approx(expected, rel=1e-12)
    uns = learning.unsupervised(eta, r, interaction, couplings)
    each = -sum(energy_by_tuples(x, s, interaction) for x in eta.reshape(-1, N)) / (M * g)
    assert uns.energy(s) == pytest.approx(each, rel=1e-12)


def test_defaults_are_those_of_the_theory():
    """ "variance", but "quality" for the unsupervised rule with P >= 3; measured without r."""
    eta = examples.noisy(patterns.random(50, 400, seed=1), 0.6, 5, seed=2)
    s, sums = eta[0, 0], eta.sum(axis=1)
    for interaction in (2, 3):
        default = learning.supervised(sums, 5, 0.6, interaction)
        same = learning.supervised(sums, 5, 0.6, interaction, "variance")
        assert default.energy(s) == same.energy(s)
        kind = "variance" if interaction == 2 else "quality"
        default = learning.unsupervised(eta, 0.6, interaction)
        same = learning.unsupervised(eta, 0.6, interaction, kind)
        assert default.energy(s) == same.energy(s)
        # the two units differ as the theory's conventions say
        ratio = learning.unsupervised(eta, 0.6, interaction, "quality").energy(s) / (
            learning.unsupervised(eta, 0.6, interaction, "variance").energy(s)
        )
        assert ratio == pytest.approx(conventions.temperature_to_quality(1.0, 0.6, 5, interaction))
        measured = learning.supervised(sums, 5, None, interaction).energy(s)
        # G from 20,000 sites: its relative error is about sqrt(2/20000) = 0.01, times P/2 in g
        known = learning.supervised(sums, 5, 0.6, interaction).energy(s)
        assert measured == pytest.approx(known, rel=5 * 0.01 * interaction / 2)


def test_strength_is_a_unit_of_temperature_and_nothing_else():
    """Twice the strength at twice the temperature: the same trajectory, twice the energy."""
    xi = patterns.random(10, 100, seed=1)
    one, two = Hopfield(xi), Hopfield(xi, strength=2.0)
    start = patterns.random(3, 100, seed=2)
    stream = dynamics.stream(one, Glauber(0.7), 3, 3)

    def moved(model, temperature):
        """After five sweeps with the same random numbers, whatever the temperature."""
        spins = start.astype(np.int8)
        noise = dynamics.noise(Glauber(temperature), 3)
        model.sweep(spins, model.memory(spins), noise, stream, 0, 5)
        return spins

    np.testing.assert_array_equal(moved(two, 1.4), moved(one, 0.7))
    assert not np.array_equal(moved(two, 0.7), moved(one, 0.7))
    np.testing.assert_array_equal(two.energy(start), 2 * one.energy(start))
    np.testing.assert_array_equal(two.field(start), 2 * one.field(start))
    np.testing.assert_array_equal(two.overlaps(start), one.overlaps(start))
    cost = two.energy(start * np.where(np.arange(100) == 7, -1, 1)) - two.energy(start)
    np.testing.assert_allclose(cost, 2 * start[:, 7] * two.field(start)[:, 7], rtol=1e-12)


def test_overlap_with_given_vectors():
    model = Hopfield(patterns.random(3, 50, seed=1))
    s, x = patterns.random(4, 50, seed=2), np.random.default_rng(0).normal(size=(2, 50))
    several = observables.overlap_with(x, "class_overlap")
    assert several.__name__ == "class_overlap" and several.__doc__
    np.testing.assert_allclose(several(model, s, None), s @ x.T / 50)
    np.testing.assert_allclose(observables.overlap_with(x[0])(model, s, None), s @ x[0] / 50)
    with pytest.raises(ValueError, match="50"):
        observables.overlap_with(np.ones(49))(model, s, None)


def test_dense_network_from_examples_is_the_model_of_its_sums():
    """M = 1, r = 1: the archetypes themselves, at the usual strength."""
    for interaction in (3, 4):
        from_examples = learning.supervised(XI, 1, 1.0, interaction)
        plain = Dense(XI, interaction)
        s = patterns.random(2, 30, seed=3)
        np.testing.assert_allclose(from_examples.energy(s), plain.energy(s), rtol=1e-14)
