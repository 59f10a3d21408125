"""Converters between conventions: exact enumeration of small networks in both, and inverses."""

from itertools import combinations, product
from math import factorial

import numpy as np
import pytest
import xarray as xr

from hopfield_sim.theory import conventions

N, K = 7, 3
XI = np.random.default_rng(5).choice([-1, 1], size=(K, N))
STATES = np.array(list(product([-1, 1], repeat=N)))


def distinct(interaction):
    """Our H of every state, distinct indices."""
    sums = sum(
        (XI[mu, list(sites)].prod() * STATES[:, list(sites)].prod(axis=1))
        for mu in range(K)
        for sites in combinations(range(N), interaction)
    )
    return -factorial(interaction - 1) / N ** (interaction - 1) * sums


def full(interaction):
    """Our H of every state, all diagonals."""
    return -N / interaction * ((STATES @ XI.T / N) ** interaction).sum(axis=1)


def weights(energy, temperature):
    """Boltzmann weights, normalised."""
    weight = np.exp(-(energy - energy.min()) / temperature)
    return weight / weight.sum()


@pytest.mark.parametrize("interaction", [2, 3, 4])
@pytest.mark.parametrize(("indices", "ours"), [("ordered", distinct), ("all", full)])
def test_prefactor_of_an_energy(interaction, indices, ours):
    prefactor = 0.7
    energies = conventions.Energies(prefactor, indices)
    if indices == "ordered":
        theirs = (
            ours(interaction) * prefactor / factorial(interaction - 1)
        )  # -(a/N^(P-1)) sum over ordered indices
    else:
        theirs = -prefactor * N * ((STATES @ XI.T / N) ** interaction).sum(axis=1)
    np.testing.assert_allclose(energies.energy(theirs, interaction), ours(interaction), atol=1e-13)
    np.testing.assert_allclose(energies.their_energy(ours(interaction), interaction), theirs)
    # The same probabilities at converted temperatures.
    temperature = energies.temperature(0.4, interaction)
    np.testing.assert_allclose(
        weights(theirs, 0.4), weights(ours(interaction), temperature), rtol=1e-12
    )
    assert energies.their_temperature(temperature, interaction) == pytest.approx(0.4, rel=1e-15)


def test_krotov_hopfield():
    theirs = -((STATES @ XI.T).astype(float) ** 3).sum(axis=1)
    np.testing.assert_allclose(
        conventions.energy_from_krotov_hopfield(theirs, 3, N), full(3), rtol=1e-13, atol=1e-13
    )
    np.testing.assert_allclose(conventions.energy_to_krotov_hopfield(full(3), 3, N), theirs)
    temperature = conventions.temperature_from_krotov_hopfield(50.0, 3, N)
    np.testing.assert_allclose(weights(theirs, 50.0), weights(full(3), temperature), rtol=1e-12)
    assert conventions.temperature_to_krotov_hopfield(temperature, 3, N) == pytest.approx(50.0)


def test_binary_neurons():
    J = XI.T @ XI / N - K / N * np.eye(N)
    V = (1 + STATES) / 2
    theirs = -0.5 * np.einsum("ai,ij,aj->a", V, J, V) + V @ J.sum(axis=1) / 2
    ours = -0.5 * np.einsum("ai,ij,aj->a", STATES, J, STATES)
    temperature = conventions.temperature_from_binary_neurons(0.1)
    np.testing.assert_allclose(weights(theirs, 0.1), weights(ours, temperature), rtol=1e-11)
    assert conventions.temperature_to_binary_neurons(temperature) == pytest.approx(0.1)


def test_heat_bath_without_the_factor_two():
    h, theirs = 0.3, 0.25
    ours = conventions.temperature_from_single_field(theirs)
    assert 1 / (1 + np.exp(-2 * h / ours)) == pytest.approx(1 / (1 + np.exp(-h / theirs)))
    assert conventions.temperature_to_single_field(ours) == theirs


def test_loads():
    P, neurons = 4, 50
    alpha = conventions.load_from_patterns(1000, neurons, P)
    assert alpha == 1000 / neurons**3
    for units, counted in (
        ("monomials", lambda a: a * neurons**3 / 6),
        ("tuples", lambda a: a * neurons**3 / 24),
        ("half_tuples", lambda a: 2 * a * neurons**3 / 24),
    ):
        theirs = getattr(conventions, f"load_to_{units}")(alpha, P)
        assert counted(theirs) == pytest.approx(1000), units
        back = getattr(conventions, f"load_from_{units}")(theirs, P)
        assert back == pytest.approx(alpha, rel=1e-14), units
    assert conventions.load_from_half_tuples(0.05, 2) == 0.05  # at P = 2 it is K/N


@pytest.mark.parametrize(
    ("interaction", "distinct_unit", "full_unit"), [(2, 1, 1), (3, 2, 3), (4, 6, 15), (6, 120, 945)]
)
def test_reduced_load(interaction, distinct_unit, full_unit):
    for normalisation, unit in (("distinct", distinct_unit), ("full", full_unit)):
        reduced = conventions.reduced_load(0.01, interaction, normalisation)
        assert reduced == pytest.approx(0.01 * unit, rel=1e-14)
        back = conventions.load_from_reduced(reduced, interaction, normalisation)
        assert back == pytest.approx(0.01, rel=1e-14)


def test_reduced_load_is_the_variance_of_the_cross_talk_field():
    """Distinct, P = 3: orthogonal monomials, so their number gives the variance."""
    P, neurons, patterns = 3, 400, 1000
    field_variance = (
        patterns
        * (factorial(P - 1) / neurons ** (P - 1)) ** 2
        * ((neurons - 1) * (neurons - 2) / 2)
    )
    alpha = conventions.load_from_patterns(patterns, neurons, P)
    # (N-1)(N-2) for N^2: 3/N.
    assert conventions.reduced_load(alpha, P) == pytest.approx(field_variance, rel=3.1 / neurons)


def test_p_spin_units():
    """P = 3 at reduced load 0.3: T_d = 0.556522 sqrt(0.3) here, 0.6816 in standard units."""
    T = conventions.temperature_from_p_spin(0.6816, 0.3, 3)
    assert T / np.sqrt(0.3) == pytest.approx(0.556522, abs=5e-5)  # four digits of 0.6816
    assert conventions.temperature_to_p_spin(T, 0.3, 3) == pytest.approx(0.6816)
    e = conventions.energy_from_p_spin(-0.81354, 0.3, 3)
    assert e / np.sqrt(0.3) == pytest.approx(-0.664249, abs=1e-5)
    assert conventions.energy_to_p_spin(e, 0.3, 3) == pytest.approx(-0.81354)
    bias = conventions.ferromagnetic_bias(0.3, 3)
    assert bias == pytest.approx((1 / 3) / conventions.p_spin_coupling(0.3, 3))  # j0 = 1/P here
    assert conventions.reduced_load_from_bias(bias, 3) == pytest.approx(0.3)


def test_examples():
    r, M, P = 0.6, 10, 3
    rho = conventions.dataset_entropy(r, M)
    assert rho == pytest.approx((1 - 0.36) / 3.6)
    # G is the mean square of a class average of M examples.
    assert r**2 * (1 + rho) == pytest.approx(r**2 + (1 - r**2) / M)
    assert 1 + conventions.tensor_entropy(r, M, P) == pytest.approx(
        (1 / M + (1 - 1 / M) * r ** (2 * P)) / r ** (2 * P)
    )
    assert conventions.temperature_to_quality(0.2, r, M, 2) == pytest.approx(0.2 * (1 + rho))
    T = conventions.temperature_from_quality(0.3, r, M, P)
    assert conventions.temperature_to_quality(T, r, M, P) == pytest.approx(0.3)


def test_arrays_and_labels_pass_through():
    alpha = xr.DataArray([0.1, 0.2], dims="load", coords={"load": [0, 1]})
    order = xr.DataArray([2, 3, 4], dims="interaction", coords={"interaction": [2, 3, 4]})
    found = conventions.load_from_monomials(alpha, order)
    assert found.dims == ("load", "interaction")
    np.testing.assert_allclose(found.sel(load=1), [0.2, 0.1, 0.2 / 6])
    np.testing.assert_allclose(conventions.reduced_load([0.1, 0.2], 3), [0.2, 0.4])
    temperature = conventions.Energies(1.0, "all").temperature(np.array([0.2, 0.4]), 4)
    np.testing.assert_allclose(temperature, [0.05, 0.1])


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (lambda: conventions.Energies(1.0, "all").energy([-0.2, -0.4], 4), [-0.05, -0.1]),
        (lambda: conventions.Energies(1.0, "all").their_energy([-0.05, -0.1], 4), [-0.2, -0.4]),
        (lambda: conventions.Energies([1.0, 2.0], "all").unit(4), [4.0, 8.0]),
        (lambda: conventions.energy_from_krotov_hopfield([-300.0, -600.0], 3, 10), [-1.0, -2.0]),
        (lambda: conventions.energy_to_krotov_hopfield([-1.0, -2.0], 3, 10), [-300.0, -600.0]),
        (lambda: conventions.energy_from_p_spin([-1.0, -2.0], 2.0, 4), [-1.0, -2.0]),
        (lambda: conventions.energy_to_p_spin([-1.0, -2.0], 2.0, 4), [-1.0, -2.0]),
        (lambda: conventions.reduced_load_from_bias([0.5, 1.0], 4), [0.5, 0.125]),
    ],
)
def test_lists_are_taken_as_arrays(found, expected):
    np.testing.assert_allclose(found(), expected)


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("alpha", lambda: conventions.load_from_tuples(0.0, 3)),
        ("interaction", lambda: conventions.load_from_tuples(0.1, 2.5)),
        ("temperature", lambda: conventions.temperature_from_single_field(-0.1)),
        ("quality", lambda: conventions.dataset_entropy(1.2, 5)),
        ("n_examples", lambda: conventions.dataset_entropy(0.2, 0)),
        ("n_neurons", lambda: conventions.load_from_patterns(5, 0.5)),
        ("reduced_load", lambda: conventions.p_spin_coupling(-1.0, 3)),
        ("normalisation", lambda: conventions.reduced_load(0.1, 3, "other")),
        ("indices", lambda: conventions.Energies(1.0, "some")),
        ("prefactor", lambda: conventions.Energies(0.0)),
        ("bias_ratio", lambda: conventions.reduced_load_from_bias(0.0, 3)),
    ],
)
def test_bad_input_is_refused_by_name(name, call):
    with pytest.raises(ValueError, match=name):
        call()
