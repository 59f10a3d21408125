"""Loads of P-body networks by name: K, alpha and reduced load, and what is refused."""

import numpy as np
import pytest

from hopfield_sim import Dense, number_of_patterns, patterns
from hopfield_sim.models import loads
from hopfield_sim.theory import conventions, one_step

NORMALISATIONS = loads.NORMALISATIONS


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
@pytest.mark.parametrize("interaction", [2, 3, 4, 5, 7])
def test_three_names_of_one_load(interaction, normalisation):
    n_neurons, number = 40, 37
    model = Dense(patterns.random(number, n_neurons, 1), interaction, normalisation)
    for name in ("n_patterns", "alpha", "reduced_load"):
        given = {name: getattr(model, name)}
        assert number_of_patterns(n_neurons, interaction, normalisation, **given) == number
    assert model.alpha == pytest.approx(number / 40.0 ** (interaction - 1), rel=1e-15)


@pytest.mark.parametrize("interaction", [2, 3, 4, 5, 7, 10])
def test_reduced_loads_are_those_of_the_theory(interaction):
    """Two homes, one number: theory shares no code with the simulation."""
    for normalisation in conventions.NORMALISATIONS:
        expected = conventions.reduced_load(1.0, interaction, normalisation)
        assert loads.reduction(interaction, normalisation) == pytest.approx(expected, rel=1e-12)
    # rectified: theory has the capacity only, (signal/noise)^2 K = N^(P-1)/c
    ratio = one_step.dense_asymptotic(100, 1, interaction, rectified=True).signal_to_noise
    expected = 100.0 ** (interaction - 1) / float(ratio) ** 2
    assert loads.reduction(interaction, "rectified") == pytest.approx(expected, rel=1e-10)


@pytest.mark.parametrize("normalisation", NORMALISATIONS)
def test_reduced_load_is_the_variance_of_the_field(normalisation):
    """N = 200, P = 3: the mean square of h_i xi_i - 1 in stored patterns, 40 x 200 fields.

    Its expectation is that of the finite size: (K - 1)/K times (1 - 1/N)(1 - 2/N) for "distinct",
    1 + O(1/N) otherwise, -3 % at most. Squares of 8000 Gaussian fields, nearly independent, have a
    mean of relative error 1.6 %: five of them and the 3 %.
    """
    xi = patterns.random(3000, 200, 2)
    model = Dense(xi, 3, normalisation)
    away = model.field(xi[:40]) * xi[:40]
    variance = away.var()
    assert variance == pytest.approx(model.reduced_load, rel=0.11)


def test_rounding_goes_to_the_nearest_number():
    assert number_of_patterns(10, 3, alpha=0.0249) == 2
    assert number_of_patterns(10, 3, alpha=0.0251) == 3
    assert number_of_patterns(10, 3, reduced_load=0.0251) == 1  # 1.255 of (P-1)! = 2 a pattern
    assert number_of_patterns(10, 3, "full", reduced_load=3.0) == 100
    assert number_of_patterns(10, 3, "rectified", reduced_load=3.0) == 200
    assert number_of_patterns(np.int64(10), np.int64(2), n_patterns=np.int64(7)) == 7
    # integers beyond float64: N^(P-1) is exact
    assert number_of_patterns(1000, 9, alpha=1.0) == 1000**8


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({}, "exactly one of n_patterns, alpha and reduced_load, not none"),
        ({"alpha": 0.1, "n_patterns": 3}, "not n_patterns and alpha"),
        ({"alpha": 0.1, "n_patterns": 3, "reduced_load": 1}, "not n_patterns and alpha and red"),
        ({"alpha": 0.004}, "alpha=0.004 is no pattern at N = 10.*one pattern is alpha = 0.01"),
        ({"reduced_load": 0.009}, "no pattern.*reduced_load = 0.02"),
        ({"alpha": 0.0}, "alpha=0.0 is not possible.*positive"),
        ({"alpha": np.nan}, "alpha=nan"),
        ({"alpha": np.inf}, "alpha=inf"),
        ({"reduced_load": -1.0}, "reduced_load=-1.0"),
        ({"n_patterns": 0}, "n_patterns=0"),
        ({"n_patterns": 2.5}, "whole number"),
        ({"n_patterns": True}, "n_patterns=True"),
    ],
)
def test_other_loads_are_refused(given, sentence):
    with pytest.raises(ValueError, match=sentence):
        number_of_patterns(10, 3, **given)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((10, 1), "interaction=1"),
        ((10, 2.5), "interaction=2.5"),
        ((10, "exponential"), "interaction='exponential' has no such load"),
        ((10, True), "interaction=True"),
        ((0, 3), "n_neurons=0"),
        ((2.5, 3), "n_neurons=2.5"),
        ((10, 3, "normal"), "'distinct'.*'full'.*'rectified'"),
    ],
)
def test_networks_without_a_load_are_refused(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        number_of_patterns(*arguments, alpha=0.1)


def test_other_energies_have_no_reduced_load():
    xi = patterns.random(5, 20, 1)
    for model in (Dense(xi, "exponential"), Dense(xi, lambda overlaps: overlaps**2)):
        assert model.alpha == 0.25
        assert np.isnan(model.reduced_load)
