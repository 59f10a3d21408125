"""One run: what its Dataset promises, how it starts, goes on, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

from hopfield_sim import (
    Coupled,
    Glauber,
    Hopfield,
    Metropolis,
    Schedule,
    ZeroTemperature,
    kernels,
    observables,
    patterns,
    simulate,
    updated,
)
from hopfield_sim.learning import hebb
from hopfield_sim.randomness import STREAM_VERSION
from tests import exact

N, P = 30, 4
XI = patterns.random(P, N, 1)
MODEL = Hopfield(XI)
SHORT = Schedule(warmup=3, samples=5, every=2)


def run(model=MODEL, rule=None, start=XI[0], schedule=SHORT, n_replicas=3, seed=1, **options):
    return simulate(
        model, rule or Glauber(0.6), start, schedule, n_replicas=n_replicas, seed=seed, **options
    )


def forbid_work(monkeypatch):
    """Any sweep is an error from here on: what is refused must be refused before."""

    def worked(*arguments):
        raise AssertionError("a sweep was run before the input was refused")

    monkeypatch.setattr(kernels, "advance", worked)


@pytest.fixture
def no_work(monkeypatch):
    forbid_work(monkeypatch)


# -------------------------------------------------------------------- what the Dataset promises

ONE_WAY = hebb.diluted(XI, 10, seed=2)
BARE = Coupled(ONE_WAY.couplings, symmetric=False)
DEFAULT = {"magnetisation", "energy", "replica_overlap", "overlap", "residual_noise", "acceptance"}


@pytest.mark.parametrize(
    ("model", "n_replicas", "names"),
    [
        (MODEL, 2, DEFAULT),
        (MODEL, 1, DEFAULT - {"replica_overlap", "residual_noise"}),
        (Hopfield(XI[:1]), 2, DEFAULT - {"residual_noise"}),
        (ONE_WAY, 2, DEFAULT - {"energy"}),
        (BARE, 1, {"magnetisation", "acceptance"}),
    ],
)
def test_by_default_a_run_looks_at_what_there_is(model, n_replicas, names):
    found = run(model, n_replicas=n_replicas)
    assert set(found.data_vars) == names
    assert ("alpha" in found.coords) == ("n_patterns" in found.coords) == (model is not BARE)


@pytest.mark.parametrize("temperature", [0.6, (0.6,), (0.6, 0.0, 2.0)])
def test_dims_and_coordinates(temperature):
    found = run(
        rule=Glauber(temperature),
        observe=[observables.overlaps, observables.energy],
        keep_spins=True,
    )
    outer = ("temperature",) if np.ndim(temperature) else ()
    assert found.energy.dims == (*outer, "replica", "sample")
    assert found.acceptance.dims == (*outer, "replica", "sample")
    assert found.overlaps.dims == (*outer, "replica", "sample", "pattern")
    assert found.spins.dims == (*outer, "replica", "neuron")
    assert found.spins.dtype == np.int8
    assert found.energy.dtype == found.overlaps.dtype == np.float64
    sizes = {"replica": 3, "sample": 5, "pattern": P, "neuron": N}
    assert dict(found.sizes) == sizes | ({"temperature": len(temperature)} if outer else {})
    assert found.sweep.values.tolist() == [5, 7, 9, 11, 13]
    assert found.sample.values.tolist() == [0, 1, 2, 3, 4]
    assert found.replica.values.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(found.temperature, temperature)
    for name, value in (("n_neurons", N), ("n_patterns", P), ("alpha", P / N)):
        assert found[name].dims == ()
        assert found[name] == value


@pytest.mark.parametrize("temperature", [0.6, (0.6, 2.0)])
def test_every_variable_has_a_name_and_a_unit(temperature):
    found = run(rule=Glauber(temperature), keep_spins=True)
    for name, variable in found.variables.items():
        assert len(variable.attrs.get("long_name", "")) > 3, name
        assert variable.attrs.get("units"), name
    first = observables.residual_noise.__doc__.splitlines()[0]
    assert found.residual_noise.attrs["long_name"] == first


def test_attributes_tell_what_was_computed():
    found = run(rule=Glauber(0.6, "random"), seed=(3, 4))
    assert set(found.attrs) == {"title", "settings", "seed", "stream_version", "sweeps"}
    assert found.attrs["title"] == "Hopfield network, Glauber dynamics"
    settings = json.loads(found.attrs["settings"])
    assert settings["order"] == "random"
    assert settings["schedule"] == {"warmup": 3, "samples": 5, "every": 2}
    assert json.loads(found.attrs["seed"]) == [3, 4]
    assert found.attrs["stream_version"] == STREAM_VERSION
    assert found.attrs["sweeps"] == SHORT.sweeps == 13


def test_the_same_call_gives_an_identical_dataset():
    """Values, coordinates and attributes: nothing of date, machine or time is among them."""
    assert run().identical(run())
    assert run(seed=None).identical(run(seed=0))
    assert not run().equals(run(seed=2))
    assert run(seed=(1,)).equals(run(seed=1))


# ---------------------------------------------------------------------------- what it computes


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize("model", [MODEL, ONE_WAY], ids=["Hopfield", "diluted"])
def test_samples_are_the_states_at_their_sweeps(model, rule):
    """Each sample recomputed from `updated`, for every observable and the counted flips."""
    found = run(model, rule, start=XI[:3])
    states = [updated(model, rule, XI[:3], sweeps=k, seed=1) for k in range(SHORT.sweeps + 1)]
    for sample, sweep in enumerate(found.sweep.values):
        s = states[sweep].astype(float)
        m = s @ XI.T.astype(float) / N
        now = found.isel(sample=sample)
        np.testing.assert_allclose(now.overlap, m[:, 0], atol=1e-15)
        np.testing.assert_allclose(now.magnetisation, s.mean(axis=1), atol=1e-15)
        partner = [1, 2, 0]
        np.testing.assert_allclose(now.replica_overlap, (s * s[partner]).mean(axis=1), atol=1e-15)
        r = (m * m[partner])[:, 1:].sum(axis=1) * N / P
        np.testing.assert_allclose(now.residual_noise, r, atol=1e-14)
        if model.symmetric:
            np.testing.assert_allclose(now.energy, model.energy(s) / N, atol=1e-14)
        if rule.order != "random":  # no site twice in a sweep: flips are differences
            changed = (states[sweep] != states[sweep - 1]).mean(axis=1)
            changed += (states[sweep - 1] != states[sweep - 2]).mean(axis=1)
            np.testing.assert_allclose(now.acceptance, changed / 2, atol=1e-15)
    assert np.all((found.acceptance >= 0) & (found.acceptance <= 1))


@pytest.mark.parametrize(
    "rule", [Glauber, Metropolis, lambda t: Glauber(t, "parallel")], ids=["G", "M", "parallel"]
)
@pytest.mark.parametrize("start", [XI[0], "random"], ids=["pattern", "random"])
def test_several_temperatures_are_the_single_runs(rule, start):
    temperatures = (0.0, 0.3, 1.0, 0.7)
    together = run(rule=rule(temperatures), start=start, keep_spins=True)
    for k, temperature in enumerate(temperatures):
        alone = run(rule=rule(temperature), start=start, keep_spins=True)
        xr.testing.assert_equal(together.isel(temperature=k), alone)


def test_more_replicas_leave_the_first_ones_as_they_were():
    few, many = run(start="random", n_replicas=2), run(start="random", n_replicas=7)
    for name in ("magnetisation", "overlap", "energy", "acceptance"):
        np.testing.assert_array_equal(few[name], many[name][:2])
    assert np.unique(many.energy.values, axis=0).shape[0] == 7


def test_the_schedule_decides_when_to_look_and_nothing_else():
    """Looking at every sweep or at every third one: the same run."""
    dense = run(schedule=Schedule(0, 12, 1))
    thin = run(schedule=Schedule(3, 3, 3))
    looked = dense.sel(sample=np.isin(dense.sweep, thin.sweep))
    assert looked.sweep.values.tolist() == thin.sweep.values.tolist() == [6, 9, 12]
    for name in ("magnetisation", "overlap", "energy", "replica_overlap", "residual_noise"):
        np.testing.assert_array_equal(looked[name], thin[name])
    # three single acceptances are one of three sweeps
    rates = dense.acceptance.values[:, 3:].reshape(3, 3, 3).mean(axis=-1)
    np.testing.assert_allclose(rates, thin.acceptance, atol=1e-15)
    assert Schedule().sweeps == 50 + 200


def test_no_generator_outside_is_used_or_touched():
    # the old global generator: what it holds must neither matter nor change
    np.random.seed(5)  # noqa: NPY002
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    one = run(start="random")
    np.testing.assert_array_equal(before, np.random.get_state()[1])  # noqa: NPY002
    np.random.seed(6)  # noqa: NPY002
    assert one.identical(run(start="random"))


# -------------------------------------------------------------------------------- how it starts


def test_forms_of_a_start_are_the_same_start():
    rule = Glauber((0.3, 0.8))
    one = run(rule=rule, start=XI[0])
    xr.testing.assert_identical(one, run(rule=rule, start=np.tile(XI[0], (3, 1))))
    xr.testing.assert_identical(one, run(rule=rule, start=np.tile(XI[0], (2, 3, 1))))
    xr.testing.assert_identical(one, run(rule=rule, start=XI[0].astype(np.int64)))
    xr.testing.assert_identical(one, run(rule=rule, start=XI[0].tolist()))
    each = np.stack([XI[:3], -XI[:3]])  # a start of its own for every lane
    frozen = run(rule=ZeroTemperature("fixed"), start=XI[:3], schedule=Schedule(0, 1))
    assert frozen.sizes["replica"] == 3
    separate = run(rule=rule, start=each, schedule=Schedule(0, 1), keep_spins=True)
    for t in (0, 1):
        alone = run(
            rule=Glauber(rule.temperature[t]),
            start=each[t],
            schedule=Schedule(0, 1),
            keep_spins=True,
        )
        np.testing.assert_array_equal(separate.spins[t], alone.spins)


def test_the_start_is_left_alone():
    start = XI[:3].copy()
    run(start=start)
    np.testing.assert_array_equal(start, XI[:3])
    earlier = run(keep_spins=True)
    copy = earlier.copy(deep=True)
    run(start=earlier, seed=None)
    assert earlier.identical(copy)


def test_a_random_start_is_random_in_every_lane():
    """Fair coins, different for each replica, temperature and seed (5 standard deviations)."""

    def started(rule, seed):  # at T = 0 without couplings nothing moves: the start stays
        free = Coupled(np.zeros((N, N)), patterns=XI)
        return run(free, rule, "random", Schedule(0, 1), 400, seed, keep_spins=True).spins.values

    spins = started(Glauber((0.0, 1e-9)), 1)
    lanes = spins.reshape(800, N)
    assert abs(lanes.sum(dtype=int)) < 5 * np.sqrt(lanes.size)
    assert np.abs(lanes.mean(axis=0)).max() < 5 / np.sqrt(800)
    assert len(np.unique(lanes, axis=0)) == 800
    assert not np.array_equal(spins[0], started(ZeroTemperature(), 2))
    np.testing.assert_array_equal(spins[0], started(ZeroTemperature(), 1))


# --------------------------------------------------------------------------------- how it goes on


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize("model", [MODEL, ONE_WAY], ids=["Hopfield", "diluted"])
def test_a_continued_run_is_the_uninterrupted_one(model, rule):
    whole = run(model, rule, schedule=Schedule(3, 9, 2), seed=(3, 4), keep_spins=True)
    first = run(model, rule, schedule=Schedule(3, 4, 2), seed=(3, 4), keep_spins=True)
    second = run(model, rule, first, Schedule(0, 3, 2), seed=None, keep_spins=True)
    third = run(model, rule, second, Schedule(2, 1, 2), seed=(3, 4), keep_spins=True)
    np.testing.assert_array_equal(third.spins, whole.spins)
    assert third.attrs["sweeps"] == whole.attrs["sweeps"] == 21
    assert third.attrs["seed"] == whole.attrs["seed"]
    parts = [part.drop_vars(["spins", "sample"]) for part in (first, second, third)]
    expected = whole.isel(sample=[0, 1, 2, 3, 4, 5, 6, 8]).drop_vars(["spins", "sample"])
    xr.testing.assert_equal(xr.concat(parts, "sample", data_vars="minimal"), expected)


def test_continuing_several_temperatures():
    rule = Glauber((0.3, 0.9), "random")
    whole = run(rule=rule, schedule=Schedule(0, 6), keep_spins=True)
    first = run(rule=rule, schedule=Schedule(0, 4), keep_spins=True)
    second = run(rule=rule, start=first, schedule=Schedule(0, 2), seed=None, keep_spins=True)
    np.testing.assert_array_equal(second.spins, whole.spins)
    np.testing.assert_array_equal(second.energy, whole.energy[..., 4:])


def test_a_run_survives_a_file(tmp_path):
    """Written and read back, it continues as if it had stayed in memory."""
    first = run(keep_spins=True)
    first.to_zarr(tmp_path / "run.zarr", consolidated=False)
    read = xr.open_zarr(tmp_path / "run.zarr", consolidated=False).load()
    assert run(start=read, seed=None).identical(run(start=first, seed=None))


def test_continuing_what_cannot_be_continued_is_refused(monkeypatch):
    kept, lost = run(keep_spins=True), run()
    forbid_work(monkeypatch)
    with pytest.raises(ValueError, match="final spins were not kept.*keep_spins=True"):
        run(start=lost)
    with pytest.raises(ValueError, match="made with seed 1, not 2; leave seed out"):
        run(start=kept, seed=2)
    with pytest.raises(ValueError, match="neurons"):
        run(Hopfield(XI[:, :20]), start=kept, seed=None)
    with pytest.raises(ValueError, match="spins of shape \\(3, 30\\)"):
        run(start=kept, seed=None, n_replicas=4)


def test_a_run_of_another_stream_version_is_not_continued():
    """Its draws were others, so the two would not be the uninterrupted run."""
    kept = run(keep_spins=True)
    kept.attrs["stream_version"] = STREAM_VERSION + 1
    with pytest.raises(ValueError, match="stream version"):
        run(start=kept, seed=None)


@pytest.mark.parametrize(
    "options", [{"n_replicas": 6}, {"n_replicas": 1}, {"rule": Glauber((0.5, 0.6))}]
)
def test_a_run_is_continued_with_its_own_lanes_only(options):
    """A lane more would have no past, and its start would be another lane's end."""
    kept = run(n_replicas=3, keep_spins=True)
    with pytest.raises(ValueError, match="same replicas, temperatures and neurons"):
        run(start=kept, seed=None, **options)


# --------------------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"start": "hot"}, "start='hot' is unknown; give spins, 'random' or a run"),
        ({"start": np.ones(N + 1)}, "30 neurons"),
        ({"start": np.zeros(N)}, "\\+1 or -1, but contain 0"),
        ({"start": np.full(N, np.nan)}, "contain nan"),
        ({"start": np.ones((2, N))}, "start has shape \\(2, 30\\).*\\(1, 3, 30\\)"),
        ({"start": np.ones((2, 3, N))}, "start has shape \\(2, 3, 30\\).*\\(1, 3, 30\\)"),
        ({"start": np.ones((1, 1, 3, N))}, "start has shape"),
        ({"n_replicas": 0}, "n_replicas=0.*at least one"),
        ({"n_replicas": -2}, "n_replicas=-2"),
        ({"n_replicas": 1.5}, "n_replicas=1.5"),
        ({"seed": -1}, "seed -1"),
        ({"seed": 2**64}, "seed 18446744073709551616"),
        ({"seed": 0.5}, "seed 0.5"),
        ({"seed": (1, -1)}, "seed -1"),
        ({"device": "tpu"}, "device='tpu' is unknown"),
        ({"n_replicas": 1, "observe": [observables.replica_overlap]}, "n_replicas=2"),
        ({"n_replicas": 1, "observe": [observables.residual_noise]}, "n_replicas=2"),
        ({"model": Hopfield(XI[:1]), "observe": [observables.residual_noise]}, "two patterns"),
        ({"model": ONE_WAY, "observe": [observables.energy]}, "no energy"),
        ({"model": BARE, "observe": [observables.overlap]}, "no patterns"),
    ],
)
def test_a_run_refuses_before_any_work(no_work, options, sentence):
    with pytest.raises(ValueError, match=sentence):
        run(**options)


def test_a_gpu_is_refused_before_any_work(no_work):
    with pytest.raises(RuntimeError, match="device='gpu' was asked for.*no GPU kernels"):
        run(device="gpu")


@pytest.mark.parametrize(
    ("name", "value"),
    [("warmup", -1), ("warmup", 1.5), ("samples", 0), ("samples", -3), ("every", 0)]
    + [("every", "2"), ("samples", None), ("warmup", float("nan"))],
)
def test_impossible_schedules_are_refused(name, value):
    with pytest.raises(ValueError, match=f"{name}=.*integer of at least [01]"):
        Schedule(**{name: value})


@pytest.mark.parametrize("seed", [np.int64(3), np.uint8(3), (np.int64(1), np.uint32(2))])
def test_integers_of_numpy_are_seeds_too(seed):
    """Loops over np.arange give them; a run must not fail after its work is done."""
    plain = tuple(map(int, seed)) if isinstance(seed, tuple) else int(seed)
    assert run(seed=seed).identical(run(seed=plain))


def test_integers_of_numpy_make_a_schedule_too():
    plain = run()
    assert run(schedule=Schedule(*np.array([3, 5, 2])), n_replicas=np.int64(3)).identical(plain)
