"""What is measured, each against a direct computation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hopfield_sim import Coupled, Glauber, Hopfield, observables, patterns, simulate
from hopfield_sim.learning import hebb, projection
from hopfield_sim.simulation import Schedule

N, P, TEMPERATURES, REPLICAS = 30, 4, 2, 3
XI = patterns.random(P, N, 1)
MODELS = {
    "Hopfield": Hopfield(XI),
    "Hopfield hebb": Hopfield(XI, "hebb"),
    "coupled": hebb.coupled(XI, external_field=0.3),
    "projection": projection.model(XI),
}


def state(model):
    """Spins (temperature, replica, neuron) as a run hands them over, and their memory."""
    spins = patterns.random(TEMPERATURES * REPLICAS, N, 2)
    memory = model.memory(spins).astype(np.int64)
    return spins.reshape(TEMPERATURES, REPLICAS, N), memory.reshape(TEMPERATURES, REPLICAS, -1)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_overlaps_and_overlap(model):
    spins, memory = state(model)
    found = observables.overlaps(model, spins, memory)
    assert found.shape == (TEMPERATURES, REPLICAS, P)
    for t in range(TEMPERATURES):
        for a in range(REPLICAS):
            for mu in range(P):
                by_hand = sum(int(XI[mu, i] * spins[t, a, i]) for i in range(N)) / N
                assert found[t, a, mu] == pytest.approx(by_hand, abs=1e-15)
    np.testing.assert_array_equal(observables.overlap(model, spins, memory), found[..., 0])


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_energy_is_that_of_the_state_per_neuron(model):
    spins, memory = state(model)
    np.testing.assert_allclose(
        observables.energy(model, spins, memory), model.energy(spins) / N, rtol=1e-14
    )


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_magnetisation_and_replica_overlap(model):
    """q12 pairs replica a with a + 1 and the last with the first, at one temperature."""
    spins, memory = state(model)
    m = observables.magnetisation(model, spins, memory)
    q = observables.replica_overlap(model, spins, memory)
    assert m.shape == q.shape == (TEMPERATURES, REPLICAS)
    for t in range(TEMPERATURES):
        for a in range(REPLICAS):
            partner = (a + 1) % REPLICAS
            assert m[t, a] == pytest.approx(float(sum(spins[t, a])) / N, abs=1e-15)
            by_hand = float(spins[t, a] @ spins[t, partner]) / N
            assert q[t, a] == pytest.approx(by_hand, abs=1e-15)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_residual_noise_leaves_out_the_condensed_pattern(model):
    spins, memory = state(model)
    r = observables.residual_noise(model, spins, memory)
    assert r.shape == (TEMPERATURES, REPLICAS)
    for t in range(TEMPERATURES):
        for a in range(REPLICAS):
            one, two = (XI @ spins[t, b].astype(float) / N for b in (a, (a + 1) % REPLICAS))
            by_hand = float(one[1:] @ two[1:]) * N / P  # 1/alpha = N/P
            assert r[t, a] == pytest.approx(by_hand, rel=1e-12)


def test_residual_noise_is_unbiased():
    """Independent random spins have <m_mu> = 0, hence r = 0; a state paired with itself does not.

    3000 independent pairs: the mean within five standard errors of 0. The same state twice gives
    (1/alpha) sum_{mu>0} 1/N = (P-1)/P on average: what a single replica would report for pure
    noise.
    """
    model = Hopfield(patterns.random(20, 100, 3))
    spins = patterns.random(6000, 100, 4).reshape(3000, 2, 100)
    memory = model.memory(spins).astype(np.int64)
    r = observables.residual_noise(model, spins, memory)[:, 0]  # both of a pair give one product
    error = r.std() / math.sqrt(r.size)
    assert 0 < error < 0.01
    assert abs(r.mean()) < 5 * error
    same = np.repeat(spins[:, :1], 2, axis=1)
    biased = observables.residual_noise(model, same, model.memory(same).astype(np.int64))[:, 0]
    assert abs(biased.mean() - 19 / 20) < 5 * biased.std() / math.sqrt(biased.size)


@pytest.mark.parametrize("name", ["replica_overlap", "residual_noise"])
def test_a_single_replica_has_no_partner(name):
    model = MODELS["Hopfield"]
    for spins in (np.ones((1, N), np.float32), np.ones((2, 1, N), np.float32)):
        with pytest.raises(ValueError, match=f"{name} compares two replicas.*n_replicas=2"):
            getattr(observables, name)(model, spins, model.memory(spins).astype(np.int64))


def test_a_single_pattern_leaves_no_noise():
    model, spins = Hopfield(XI[:1]), np.ones((2, N), np.float32)
    with pytest.raises(ValueError, match="at least two patterns"):
        observables.residual_noise(model, spins, model.memory(spins))


def test_what_a_model_does_not_have_is_said():
    spins = np.ones((2, 2), np.float32)
    one_way = Coupled(np.array([[0, 1.0], [0, 0]]), symmetric=False)
    with pytest.raises(ValueError, match="no energy"):
        observables.energy(one_way, spins, one_way.memory(spins))
    with pytest.raises(ValueError, match="no patterns"):
        observables.overlap(one_way, spins, one_way.memory(spins))


def test_first_lines_are_names_of_variables():
    """They become the `long_name`: one line, no stop at the end, a formula in it."""
    for name in ("overlaps overlap energy magnetisation replica_overlap residual_noise").split():
        first = getattr(observables, name).__doc__.splitlines()[0]
        assert first == first.strip()
        assert not first.endswith(".")
        assert 10 < len(first) < 100


def test_observables_of_a_run_are_those_of_its_final_spins():
    """What a run records last is what the same functions give of the spins it kept."""
    model = MODELS["coupled"]
    run = simulate(
        model, Glauber([0.5, 1.0]), "random", Schedule(3, 4, 2), 3, seed=1, keep_spins=True
    )
    spins = run.spins.values.astype(np.float32)
    memory = model.memory(spins).astype(np.int64)
    for name in "overlap energy magnetisation replica_overlap residual_noise".split():
        last = run[name].isel(sample=-1).values
        np.testing.assert_array_equal(last, getattr(observables, name)(model, spins, memory))
