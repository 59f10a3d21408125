"""Layers as majorisation-minimisation: the surrogate, what a layer gains, stacks, the density."""

import numpy as np
import pytest
import xarray as xr

from hopfield_sim import LogSumExp, patterns
from hopfield_sim.models.layered import DistanceEnergy, Stack
from tests import stand_in


def layer(n_patterns=30, dimension=6, beta=0.7, seed=1):
    """Patterns of different lengths, at a beta at which several of them weigh."""
    return DistanceEnergy(patterns.gaussian(n_patterns, dimension, seed), beta)


X = patterns.gaussian(200, 6, 2)
Y = patterns.gaussian(200, 6, 3)
# energies and surrogates here are below 30: rounding of their sums is below 1e-13
ROUNDING = 1e-13


def by_table(model, x, y):
    """U(x; y) as it is written, from the table of all weights."""
    weights = model.weights(y)
    distances = ((x[:, None, :] - model.patterns) ** 2).sum(-1) / 2
    return (weights * distances).sum(-1) + (weights * np.log(weights)).sum(-1) / model.beta


def divergence(model, y, x):
    """KL(p(y) | p(x))/beta, from the table of all weights."""
    of_y, of_x = model.weights(y), model.weights(x)
    return (of_y * np.log(of_y / of_x)).sum(-1) / model.beta


@pytest.mark.parametrize("beta", [0.05, 0.7, 3.0])
def test_surrogate_majorises_and_touches(beta):
    model = layer(beta=beta)
    found, energy = model.surrogate(X, Y), model.energy(X)
    np.testing.assert_allclose(found, by_table(model, X, Y), atol=ROUNDING)
    np.testing.assert_allclose(found - energy, divergence(model, Y, X), atol=ROUNDING)
    assert (found - energy).min() > -ROUNDING and np.median(found - energy) > 1e-3
    np.testing.assert_allclose(model.surrogate(Y, Y), model.energy(Y), atol=ROUNDING)
    # its minimum is the layer: a paraboloid of curvature 1 around it
    least = model.surrogate(model.update(Y), Y)
    away = ((X - model.update(Y)) ** 2).sum(-1) / 2
    np.testing.assert_allclose(found - least, away, atol=ROUNDING)


def test_surrogates_that_are_none():
    """Weights at another beta do not touch; half of the curvature touches and cuts through."""
    model = layer(beta=3.0)
    other = layer(beta=6.0)
    weights = other.weights(Y)
    distances = ((Y[:, None, :] - model.patterns) ** 2).sum(-1) / 2
    entropy = np.where(weights > 0, weights * np.log(np.maximum(weights, 1e-300)), 0).sum(-1)
    assert ((weights * distances).sum(-1) + entropy / 3.0 - model.energy(Y)).max() > 0.01
    energy, gradient = model.energy_and_gradient(Y)
    flat = energy + (gradient * (X - Y)).sum(-1) + ((X - Y) ** 2).sum(-1) / 4
    assert (flat - model.energy(X)).min() < -1


def test_what_a_layer_gains_is_an_equality():
    model = layer()
    after = model.update(Y)
    gain = model.energy(Y) - model.energy(after)
    least = ((after - Y) ** 2).sum(-1) / 2
    np.testing.assert_allclose(gain, least + divergence(model, Y, after), atol=ROUNDING)
    assert (gain - least).min() > -ROUNDING and (gain - least).max() > 0.01


def test_patterns_of_one_length_make_it_log_sum_exp():
    """E = LSE energy - ln(M)/beta, as |x_i|^2/2 = M^2/2 for all patterns; the same weights."""
    xi = patterns.spherical(30, 6, 1)
    ours, theirs = DistanceEnergy(xi, 0.7), LogSumExp(xi, beta=0.7)
    np.testing.assert_allclose(ours.energy(X), theirs.energy(X) - np.log(30) / 0.7, atol=ROUNDING)
    np.testing.assert_allclose(ours.update(X), theirs.update(X), atol=ROUNDING)
    uneven = layer()
    assert np.abs(uneven.update(X) - LogSumExp(uneven.patterns, beta=0.7).update(X)).max() > 0.1


def test_the_density_has_integral_one():
    """d = 2, by a grid of step 0.05 over 12 x 12: a sum of Gaussians, whose sum over a grid is
    exact but for e^(-2 pi^2/(beta step^2)), and for what lies outside, e^(-(beta/2) 3^2)."""
    model = DistanceEnergy([[0.0, 0], [1, 2], [-1, 0.5]], beta=4.0)
    line = np.arange(-6, 6, 0.05)
    grid = np.stack(np.meshgrid(line, line), axis=-1)
    assert np.exp(model.log_density(grid)).sum() * 0.05**2 == pytest.approx(1, abs=1e-8)
    at = np.array([0.3, 0.4])
    kernels = np.exp(-2 * ((at - model.patterns) ** 2).sum(-1)) * 2 / np.pi
    assert model.log_density(at) == pytest.approx(np.log(kernels.mean()), rel=1e-13)


def stack(kind):
    xi = patterns.gaussian(60, 6, 1)
    if kind == "same":
        return Stack([DistanceEnergy(xi, 0.7)] * 6)
    if kind == "growing":
        return Stack([DistanceEnergy(xi[:number], 0.7) for number in (10, 20, 30, 40, 50, 60)])
    if kind == "sharper":
        return Stack([DistanceEnergy(xi, beta) for beta in (0.2, 0.4, 0.8, 1.6, 3.2, 6.4)])
    return Stack([layer(seed=seed) for seed in range(6)])


@pytest.mark.parametrize("kind", ["same", "growing", "sharper", "different"])
def test_the_layered_energy_falls(kind):
    model = stack(kind)
    found = model.forward(X)
    x = found.state.values
    for number, each in enumerate(model.layers):
        np.testing.assert_array_equal(x[number + 1], each.update(x[number]))
    assert found.relaxation.max() < ROUNDING
    assert found.layered_energy.diff("depth").max() < ROUNDING
    parts = -found.step - found.divergence
    np.testing.assert_allclose(found.relaxation, parts, atol=ROUNDING)
    step = ((x[1:] - x[:-1]) ** 2).sum(-1) / 2
    np.testing.assert_allclose(found.step, step, atol=ROUNDING)
    # energies of the present state are the sum of work and relaxation
    energies = [each.energy(x[n + 1]) for n, each in enumerate(model.layers)]
    np.testing.assert_allclose(found.energy, energies, atol=ROUNDING)
    both = model.layers[0].energy(X) + (found.work + found.relaxation).cumsum("layer").values
    np.testing.assert_allclose(found.energy, both, atol=6 * ROUNDING)
    # the sign of the work: see the docstring
    if kind == "same":
        assert np.abs(found.work).max() < ROUNDING
    if kind == "growing":
        assert found.work.max() < ROUNDING and found.work.min() < -0.1
    if kind == "sharper":
        change = np.diff([np.log(60) / each.beta for each in model.layers], prepend=0)[1:]
        assert (found.work[1:] + change[:, None]).max() < ROUNDING and found.work.max() > 0.1
    if kind == "different":
        assert found.work.max() > 0.1 and found.energy.diff("layer").max() > 0.1


@pytest.mark.parametrize("kind", ["same", "different"])
def test_a_stack_is_one_step_on_the_energy_of_all_layers(kind):
    model = stack(kind)
    found = model.forward(X)
    x, y = found.state.values[1:], found.state.values[:-1]
    np.testing.assert_allclose(model.surrogate(y, y), model.energy(y), atol=6 * ROUNDING)
    anywhere = np.stack([patterns.gaussian(200, 6, (7, number)) for number in range(6)])
    assert (model.surrogate(anywhere, y) - model.energy(anywhere)).min() > -6 * ROUNDING
    # the forward pass is the minimum over all sequences: a paraboloid around it
    least = model.surrogate(x, y)
    away = ((anywhere - x) ** 2).sum((0, -1)) / 2
    np.testing.assert_allclose(model.surrogate(anywhere, y) - least, away, atol=1e-12)
    fall = model.energy(y) - model.energy(x)
    np.testing.assert_allclose(fall, -found.relaxation.sum("layer"), atol=6 * ROUNDING)


def test_one_cue_and_labels():
    found = stack("same").forward(X[0])
    assert found.state.dims == ("depth", "dimension") and found.energy.dims == ("layer",)
    np.testing.assert_allclose(found.state, stack("same").forward(X[:2]).state[:, 0], atol=ROUNDING)
    assert found.layer.values.tolist() == [1, 2, 3, 4, 5, 6] and found.sizes["depth"] == 7
    for name in found.variables:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name


def test_float32_stays():
    single = DistanceEnergy(layer().patterns.astype(np.float32), np.float64(0.7))
    x = X.astype(np.float32)
    found = single.surrogate(x, Y.astype(np.float32))
    assert found.dtype == single.energy(x).dtype == single.update(x).dtype == np.float32
    # energies up to 30, with 24 bits
    np.testing.assert_allclose(found, layer().surrogate(X, Y), atol=1e-4)
    assert Stack([single] * 2).forward(x).state.dtype == np.float32


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda: DistanceEnergy(np.ones((2, 3)), 0), "beta=0"),
        (lambda: DistanceEnergy(np.ones((2, 3)), np.nan), "beta=nan"),
        (lambda: DistanceEnergy(np.ones((0, 3)), 1.0), "at least one row"),
        (lambda: DistanceEnergy(np.full((2, 3), np.nan), 1.0), "NaN"),
        (lambda: DistanceEnergy(np.ones((2, 3)), 1.0, radius=1.0), "LogSumExp"),
        (lambda: layer().surrogate(X, np.ones(5)), "dimension 6"),
        (lambda: layer().surrogate(X * np.nan, Y), "NaN"),
        (lambda: Stack([]), "at least one"),
        (lambda: Stack([layer(), layer(dimension=7)]), r"\[6, 7\]"),
        (lambda: stack("same").forward(np.ones(5)), "dimension 6"),
        (lambda: stack("same").forward(np.ones((2, 2, 6))), "query, dimension"),
        (lambda: stack("same").energy(X[:5]), "5 states for 6 layers"),
    ],
)
def test_wrong_input_is_refused(made, sentence):
    with pytest.raises(ValueError, match=sentence):
        made()


def test_stacks_of_the_gpu_stay_there():
    """With a stand-in for CuPy: the same numbers, labelled arrays in main memory."""
    tables, cues = [patterns.gaussian(6, 5, seed) for seed in (1, 2)], patterns.gaussian(3, 5, 3)
    here = Stack([DistanceEnergy(x, beta=0.5) for x in tables])
    with stand_in.cupy() as cupy:
        there = Stack([DistanceEnergy(cupy.asarray(x), beta=0.5) for x in tables])
        found, both = there.forward(cupy.asarray(cues)), cupy.asarray(np.stack([cues, cues + 1]))
        energies = [there.energy(both).get(), there.surrogate(both, both + 0.5).get()]
    xr.testing.assert_allclose(found, here.forward(cues), rtol=1e-12, atol=1e-12)
    assert all(type(variable.data) is np.ndarray for variable in found.values())
    both = np.stack([cues, cues + 1])
    wanted = [here.energy(both), here.surrogate(both, both + 0.5)]
    np.testing.assert_allclose(energies, wanted, rtol=1e-12)
