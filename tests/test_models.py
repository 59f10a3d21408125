"""Energies and fields: the contract of every model, symmetries, exact ranges, refusals."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hopfield_sim import Coupled, Glauber, Hopfield, ZeroTemperature, patterns, updated
from hopfield_sim.learning import hebb
from tests import exact

FOUND = exact.found_models()


def some_states(n_neurons: int, n_states: int = 40) -> np.ndarray:
    """Random states, and all spins up: (state, neuron)."""
    return np.vstack([patterns.random(n_states - 1, n_neurons, 99), np.ones(n_neurons)])


# -------------------------------------------------------------------- the contract of every model


def test_walking_the_package_finds_the_models():
    assert {"Hopfield", "Coupled", "Dense"} <= set(FOUND)


@pytest.mark.parametrize("name", FOUND)
def test_every_model_is_a_frozen_dataclass_with_the_contract(name):
    model = FOUND[name].example(8, 1)
    assert dataclasses.is_dataclass(model)
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.patterns = None
    assert model.n_neurons == 8
    assert model.unit > 0
    assert model.self_couplings.shape == (8,)
    assert isinstance(model.symmetric, bool)
    if model.patterns is None:
        assert model.n_patterns == 0
    else:
        assert model.patterns.shape == (model.n_patterns, 8)
        assert model.patterns.dtype == np.float32
    assert FOUND[name].example(13, 1).n_neurons == 13
    one, two = FOUND[name].example(8, 1), FOUND[name].example(8, 2)
    s = some_states(8)
    assert np.array_equal(one.energy(s), model.energy(s))
    assert not np.array_equal(two.energy(s), model.energy(s))


@pytest.mark.parametrize("n_neurons", [5, 8, 33])
@pytest.mark.parametrize("name", exact.NETWORKS)
def test_a_flip_costs_twice_the_field_exactly(name, n_neurons):
    """E(flip i) - E = 2 s_i h_i for every neuron, as integers: no tolerance."""
    model = exact.NETWORKS[name](n_neurons, 3)
    s = some_states(n_neurons)
    flipped = s[:, None, :] * (1 - 2 * np.eye(n_neurons))
    # a kept diagonal is a constant that can be a half-integer: twice the energy is an integer
    doubled = 2 * model.energy(s) / model.unit
    doubled_flipped = 2 * model.energy(flipped) / model.unit
    fields = model.field(s) / model.unit
    for values in (doubled, doubled_flipped, fields):
        assert np.abs(values - np.rint(values)).max() < 1e-6
    difference = np.rint(doubled_flipped) - np.rint(doubled)[:, None]
    np.testing.assert_array_equal(difference, 4 * s * np.rint(fields))
    assert np.any(fields)


@pytest.mark.parametrize("n_neurons", [5, 8, 33])
@pytest.mark.parametrize("name", FOUND)
def test_energies_of_examples_are_integers_in_their_unit(name, n_neurons):
    model = FOUND[name].example(n_neurons, 4)
    in_units = model.energy(some_states(n_neurons)) / model.unit
    assert np.abs(in_units - np.rint(in_units)).max() < 1e-6
    assert np.unique(np.rint(in_units)).size > 1


@pytest.mark.parametrize("name", exact.NETWORKS)
def test_shapes_and_memory(name):
    """Any number of leading axes; what is computed from the memory is what is computed without."""
    model = exact.NETWORKS[name](9, 1)
    s = some_states(9, 6)
    memory = model.memory(s)
    assert np.issubdtype(memory.dtype, np.integer)
    assert model.energy(s).shape == (6,)
    assert model.energy(s[0]).shape == ()
    assert model.energy(s).dtype == np.float64
    np.testing.assert_array_equal(model.energy(s, memory), model.energy(s))
    np.testing.assert_array_equal(model.energy(s, memory.astype(np.int64)), model.energy(s))
    np.testing.assert_array_equal(model.energy(s.reshape(2, 3, 9)).ravel(), model.energy(s))
    np.testing.assert_array_equal(model.field(s.reshape(2, 3, 9)).reshape(6, 9), model.field(s))
    np.testing.assert_array_equal(model.field(s.astype(np.int8)), model.field(s))
    if model.patterns is not None:
        np.testing.assert_array_equal(model.overlaps(s, memory), model.overlaps(s))
        expected = s @ model.patterns.T / 9
        np.testing.assert_allclose(model.overlaps(s), expected, rtol=0, atol=1e-6)


# ------------------------------------------------------------------- against the formula, by hand


@pytest.mark.parametrize("self_coupling", ["zero", "hebb"])
def test_hopfield_energy_and_field_by_the_double_sum(self_coupling):
    """H = -(1/2) sum_ij J_ij s_i s_j with or without i = j, J written out (float64 rounding)."""
    for xi in (patterns.random(4, 11, 1), exact.multi_valued(11, 3, 7, 2)):
        model = Hopfield(xi, self_coupling)
        j = sum(np.outer(x, x) for x in xi.astype(float)) / 11
        diagonal = np.diag(j).copy()
        if self_coupling == "zero":
            np.fill_diagonal(j, 0)
        s = some_states(11)
        by_hand = -0.5 * np.einsum("ki,ij,kj->k", s, j, s)
        np.testing.assert_allclose(model.energy(s), by_hand, rtol=1e-12, atol=1e-12)
        np.fill_diagonal(j, 0)
        np.testing.assert_allclose(model.field(s), s @ j, rtol=1e-12, atol=1e-12)
        kept = diagonal if self_coupling == "hebb" else np.zeros(11)
        np.testing.assert_allclose(model.self_couplings, kept, rtol=1e-15)
        assert model.alpha == len(xi) / 11


def test_coupled_energy_and_field_by_the_double_sum():
    """With given diagonal and fields: H = -(1/2) sum J s s - (1/2) sum J_ii - sum b s.

    atol: 2^-29 of the largest field for each of N + 1 terms of N sums.
    """
    rng = np.random.default_rng(5)
    n = 11
    j = rng.normal(size=(n, n))
    j = j + j.T
    b = rng.normal(size=n)
    model = Coupled(j, b, self_coupling="given")
    largest = (np.abs(j).sum(axis=1) + np.abs(b)).max()
    s = some_states(n)
    off = j - np.diag(np.diag(j))
    by_hand = -0.5 * np.einsum("ki,ij,kj->k", s, off, s) - 0.5 * np.trace(j) - s @ b
    step = largest * 2.0**-29
    np.testing.assert_allclose(model.energy(s), by_hand, rtol=0, atol=n * (n + 1) * step)
    np.testing.assert_allclose(model.field(s), s @ off + b, rtol=0, atol=(n + 1) * step)
    # the stated grid: a power of two, and each value within half a step of what was given
    assert np.log2(model.unit) % 1 == 0
    assert 2.0**28 < largest / model.unit <= 2.0**29
    assert np.abs(model.couplings - j).max() <= model.unit / 2 <= step
    assert np.abs(model.external_field - b).max() <= model.unit / 2


def test_asymmetric_couplings_act_from_column_to_row():
    """J_ij is how j acts on i: h_0 = J_01 s_1 and h_1 = J_10 s_0."""
    model = Coupled(np.array([[0, 2.0], [-1, 0]]), symmetric=False)
    assert model.field(np.array([1, 1])).tolist() == [2, -1]
    assert model.field(np.array([-1, 1])).tolist() == [2, 1]


def test_asymmetric_couplings_have_no_energy():
    model = Coupled(np.array([[0, 2.0], [-1, 0]]), symmetric=False)
    with pytest.raises(ValueError, match="asymmetric couplings have no energy.*dynamics only"):
        model.energy(np.ones(2))


def test_models_own_their_arrays():
    """Writing into the arrays that a model was made of does not change it."""
    xi, s = patterns.random(3, 10, 1), some_states(10)
    j = hebb.couplings(xi)
    models = [Hopfield(xi), Coupled(j), Coupled(j, patterns=xi, unit=0.1)]
    before = [model.energy(s) for model in models]
    xi[:] = 1
    j[:] = 0
    for model, energy in zip(models, before, strict=True):
        np.testing.assert_array_equal(model.energy(s), energy)
        if model.patterns is not None:
            assert not np.all(model.patterns == 1)


# --------------------------------------------------------------------------------------- symmetries

SIZES = st.tuples(st.integers(1, 5), st.integers(2, 12))
STATED = settings(max_examples=40, deadline=None, derandomize=True)


@st.composite
def networks(draw):
    """Patterns of -3 ... 3 (not all zero), a gauge, a state, and the kind of self-coupling."""
    n_patterns, n_neurons = draw(SIZES)
    xi = draw(arrays.arrays(np.float32, (n_patterns, n_neurons), elements=st.integers(-3, 3)))
    if not xi.any():
        xi[0, 0] = 1
    signs = st.sampled_from([-1.0, 1.0])
    gauge = draw(arrays.arrays(np.float32, n_neurons, elements=signs))
    s = draw(arrays.arrays(np.float32, n_neurons, elements=signs))
    return xi, gauge, s, draw(st.sampled_from(["zero", "hebb"]))


RULES = st.sampled_from(list(exact.RULES.values()))


@given(networks(), RULES, st.integers(0, 2**64 - 1))
@STATED
def test_gauge_symmetry(network, rule, seed):
    """xi_i -> g_i xi_i with s_i -> g_i s_i changes nothing, and turns the trajectory by g.

    A flip is decided by s_i h_i alone, so the trajectory of the same draws turns with the gauge
    at any temperature.
    """
    xi, gauge, s, self_coupling = network
    model, turned = Hopfield(xi, self_coupling), Hopfield(gauge * xi, self_coupling)
    assert model.energy(s) == turned.energy(gauge * s)
    np.testing.assert_array_equal(model.overlaps(s), turned.overlaps(gauge * s))
    np.testing.assert_array_equal(gauge * model.field(s), turned.field(gauge * s))
    np.testing.assert_array_equal(
        gauge * updated(model, rule, s, sweeps=3, seed=seed),
        updated(turned, rule, gauge * s, sweeps=3, seed=seed),
    )


@given(networks(), RULES)
@STATED
def test_global_flip_symmetry(network, rule):
    """Without external field, E(-s) = E(s) and the trajectory from -s is minus that from s."""
    xi, _, s, self_coupling = network
    for model in (Hopfield(xi, self_coupling), hebb.coupled(xi, self_coupling)):
        assert model.energy(-s) == model.energy(s)
        np.testing.assert_array_equal(model.overlaps(-s), -model.overlaps(s))
        np.testing.assert_array_equal(
            updated(model, rule, -s, sweeps=3), -updated(model, rule, s, sweeps=3)
        )


@given(networks(), st.randoms(use_true_random=False))
@STATED
def test_permutation_of_neurons(network, random):
    xi, _, s, self_coupling = network
    order = random.sample(range(s.size), s.size)
    model, permuted = Hopfield(xi, self_coupling), Hopfield(xi[:, order], self_coupling)
    assert model.energy(s) == permuted.energy(s[order])
    np.testing.assert_array_equal(model.overlaps(s), permuted.overlaps(s[order]))
    np.testing.assert_array_equal(model.field(s)[order], permuted.field(s[order]))


@given(networks(), st.randoms(use_true_random=False), RULES)
@STATED
def test_permutation_of_patterns(network, random, rule):
    """The order of the patterns shows in the order of the overlaps, nowhere else."""
    xi, _, s, self_coupling = network
    order = random.sample(range(len(xi)), len(xi))
    model, permuted = Hopfield(xi, self_coupling), Hopfield(xi[order], self_coupling)
    assert model.energy(s) == permuted.energy(s)
    np.testing.assert_array_equal(model.overlaps(s)[order], permuted.overlaps(s))
    np.testing.assert_array_equal(
        updated(model, rule, s, sweeps=3), updated(permuted, rule, s, sweeps=3)
    )


@given(networks())
@STATED
def test_overlaps_are_bounded_and_reach_their_bound(network):
    """|m_mu| <= sum_i |xi_i^mu| / N (1 for +-1 patterns), reached at s = sign(xi^mu)."""
    xi, _, s, _ = network
    model = Hopfield(xi)
    bound = np.abs(xi).sum(axis=1, dtype=float) / s.size
    assert np.all(np.abs(model.overlaps(s)) <= bound * (1 + 1e-15))
    best = np.where(xi < 0, -1, 1)
    np.testing.assert_allclose(np.diag(model.overlaps(best)), bound, rtol=1e-15)
    assert np.all(np.abs(Hopfield(np.where(xi < 0, -1, 1)).overlaps(s)) <= 1)


# ------------------------------------------------------------------------------------ exact ranges


def exact_overlaps(xi, s):
    """Overlaps by Python's integers of any size."""
    rows = xi.astype(np.int64).astype(object)
    return [int(sum(row * s.astype(np.int64).astype(object))) for row in rows]


@pytest.mark.parametrize(
    ("n_neurons", "largest"),
    [(9, 32767), (1000, 32), (1000, 33), (32767, 1), (32768, 1), (70_000, 300), (70_000, 32767)],
)
def test_overlaps_are_exact_at_the_edges_of_their_types(n_neurons, largest):
    """int16, int32 and wider overlaps; float32 (2^24) and float64 sums: always the integer."""
    xi = np.stack([np.full(n_neurons, largest), exact.multi_valued(n_neurons, 1, largest, 1)[0]])
    model = Hopfield(xi.astype(np.float32))
    for s in (np.ones(n_neurons), -np.ones(n_neurons), patterns.random(1, n_neurons, 2)[0]):
        assert model.memory(s).tolist() == exact_overlaps(xi, s)


@pytest.mark.parametrize("n_patterns", [1, 2, 3, 9])
def test_hebb_couplings_of_the_largest_pattern_values_are_exact(n_patterns):
    """Products up to 32767^2 P: beyond 31 bits from P = 2 (aligned patterns) on."""
    xi = 32767 * patterns.random(1, 9, 1).repeat(n_patterns, axis=0)
    held, matrix = Hopfield(xi), hebb.coupled(xi)
    s = some_states(9, 5)
    np.testing.assert_allclose(matrix.field(s), held.field(s), rtol=1e-14)
    integers = np.rint(held.field(s) * 9)
    np.testing.assert_array_equal(np.rint(matrix.memory(s)), integers)
    rule = Glauber(2.0 * 32767.0**2)
    np.testing.assert_array_equal(
        updated(matrix, rule, s, sweeps=5), updated(held, rule, s, sweeps=5)
    )


def test_couplings_on_a_very_fine_given_grid_are_exact_or_refused():
    """unit = 1e-12 asks for integers of 40 bits: either they are right or a sentence says no."""
    j = np.array([[0, 1.0], [1.0, 0]])
    try:
        model = Coupled(j, unit=1e-12)
    except ValueError as refused:
        assert "unit" in str(refused)
    else:
        assert model.field(np.array([1, -1])).tolist() == pytest.approx([-1, 1])
        after = updated(model, ZeroTemperature(), np.array([1, -1]))
        assert after.tolist() == [-1, -1]


@pytest.mark.parametrize("temperature", [1e30, 1e38, 1e300])
def test_any_finite_temperature_works_or_is_refused_with_a_sentence(temperature):
    """A temperature beyond float32 must neither warn nor give nonsense: every flip is a coin."""
    model = Hopfield(patterns.random(2, 40, 1))
    try:
        spins = updated(model, Glauber(temperature), np.ones((500, 40)), sweeps=2)
    except ValueError as refused:
        assert "temperature" in str(refused)
    else:
        assert abs(spins.sum()) < 5 * np.sqrt(spins.size)  # binomial, 5 standard deviations


# ----------------------------------------------------------------------------------------- refusals

ONE = np.ones((1, 4))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Hopfield(np.ones(4)), "single pattern xi goes in as xi\\[None, :\\]"),
        (lambda: Hopfield(np.array([[1, np.nan]])), "NaN"),
        (lambda: Hopfield(np.array([[0.5, 1]])), "integers"),
        (lambda: Hopfield(ONE, "full"), "'zero'.*'hebb'"),
        (lambda: Coupled(np.ones((2, 3))), "square matrix"),
        (lambda: Coupled(np.ones(4)), "square matrix"),
        (lambda: Coupled(np.ones((0, 0))), "square matrix"),
        (lambda: Coupled(np.array([[0, np.nan], [np.nan, 0]])), "NaN"),
        (lambda: Coupled(np.array([[0, 1], [2, 0]])), "not symmetric.*symmetric=False"),
        (lambda: Coupled(np.eye(2)), "self_coupling='given'"),
        (lambda: Coupled(np.eye(2), self_coupling="hebb"), "'zero' and 'given'"),
        (lambda: Coupled(1 - np.eye(2), [1, 2, 3]), "external_field.*\\(2,\\)"),
        (lambda: Coupled(1 - np.eye(2), np.inf), "external_field"),
        (lambda: Coupled(1 - np.eye(2), unit=0.3), "multiples of unit=0.3"),
        (lambda: Coupled(1 - np.eye(2), 0.25, unit=0.5), "multiples of unit=0.5"),
        (lambda: Coupled(1 - np.eye(2), unit=0.0), "unit"),
        (lambda: Coupled(1 - np.eye(2), unit=-1.0), "unit"),
        (lambda: Coupled(np.zeros((2, 2)), unit=0.0), "unit"),
        (lambda: Coupled(np.zeros((2, 2)), unit=np.inf), "unit"),
        (lambda: Coupled(1 - np.eye(2), unit=np.nan), "unit"),
        (lambda: Coupled(1 - np.eye(2), patterns=np.ones((1, 3))), "same network"),
        (lambda: Coupled(1 - np.eye(2), patterns=np.ones(2)), "2-d array"),
        (lambda: Coupled(1 - np.eye(2)).overlaps(np.ones(2)), "given no patterns"),
    ],
)
def test_models_refuse_with_the_cure(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize("name", FOUND)
@pytest.mark.parametrize("method", ["energy", "field", "memory"])
@pytest.mark.parametrize(
    ("spins", "sentence"),
    [
        (np.ones(7), "8 neurons"),
        (np.ones((8, 3)), "8 neurons"),
        (np.float64(1), "8 neurons"),
        (np.zeros(8), "\\+1 or -1, but contain 0"),
        (np.full(8, 0.5), "contain 0.5"),
        (np.full(8, np.nan), "contain nan"),
        (np.full(8, 2), "contain 2"),
    ],
)
def test_states_that_are_no_spins_are_refused(name, method, spins, sentence):
    model = FOUND[name].example(8, 1)
    with pytest.raises(ValueError, match=sentence):
        getattr(model, method)(spins)
