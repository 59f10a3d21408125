"""Checkpoints: kept whole, taken up by the same run only, and worth nothing more than time."""

from __future__ import annotations

import functools
import gc
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import warnings
import weakref
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from experiments import retrieval, transient
from hopfield_sim import (
    Checkpoint,
    Dense,
    Glauber,
    Hopfield,
    Schedule,
    ZeroTemperature,
    observables,
    patterns,
    randomness,
    simulate,
    simulation,
)
from hopfield_sim import checkpoint as checkpoints
from hopfield_sim.learning import hebb
from tests import exact

ROOT = Path(__file__).parents[1]
N, P = 30, 4
XI = patterns.random(P, N, 1)
IDENTITY = {"what": "a test", "seed": [1, 2]}
ARRAYS = {"spins": np.array([[1, -1], [-1, 1]], np.int8), "sweeps": np.array(7)}


@pytest.fixture
def kept(tmp_path):
    """A checkpoint that is due at once."""
    return Checkpoint(tmp_path / "folder" / "cell", seconds=0)


def same(found, expected=ARRAYS):
    assert set(found) == set(expected)
    for name, values in expected.items():
        assert found[name].dtype == values.dtype
        np.testing.assert_array_equal(found[name], values)


# ------------------------------------------------------------------------------------- the file


def test_what_was_saved_is_loaded(kept, tmp_path):
    assert kept.load(IDENTITY) is None
    kept.save(IDENTITY, ARRAYS)
    assert [file.name for file in tmp_path.rglob("*.*")] == ["cell.npz"]
    same(kept.load(IDENTITY))
    same(Checkpoint(str(kept.path)).load({"seed": (1, 2), "what": "a test"}))
    kept.save(IDENTITY, {"sweeps": np.array(8)})
    same(kept.load(IDENTITY), {"sweeps": np.array(8)})
    kept.remove()
    assert kept.load(IDENTITY) is None
    kept.remove()  # what is not there need not be removed


@pytest.mark.parametrize("other", [{"seed": [1, 3]}, {"more": 1}], ids=["other", "more"])
def test_a_checkpoint_of_something_else_is_left_out(kept, other):
    kept.save(IDENTITY, ARRAYS)
    name = next(iter(other))
    with pytest.warns(UserWarning, match=f"of another computation \\(other {name}\\).*beginning"):
        assert kept.load(IDENTITY | other) is None
    same(kept.load(IDENTITY))  # it is still there


def test_damage_is_noticed_wherever_it_is(kept):
    """Every byte turned and every length: either the same arrays, or None and a warning."""
    kept.save(IDENTITY, ARRAYS)
    whole = kept.file.read_bytes()
    cut = [whole[:length] for length in range(0, len(whole), 7)]
    turned = []
    for position in range(0, len(whole), 3):
        content = bytearray(whole)
        content[position] ^= 0x55
        turned.append(bytes(content))
    noticed = 0
    for content in [*cut, *turned, b"", b"\x93NUMPY" + whole, b"PK\x03\x04"]:
        kept.file.write_bytes(content)
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            found = kept.load(IDENTITY)
        if found is None:
            assert len(said) == 1 and "starts from its beginning" in str(said[0].message)
            noticed += 1
        else:  # in a date, or in another field that nobody reads
            assert not said
            same(found)
    assert noticed > 0.5 * len(turned) + len(cut)


def test_parts_have_files_of_their_own_and_go_with_the_whole(kept, tmp_path):
    names = ["heating", "cooling", "with a cue", "a/b", "..", "heating.parts"]
    kept.save(IDENTITY, {"sweeps": np.array(-1)})
    neighbour = Checkpoint(f"{kept.path}.1")
    neighbour.save(IDENTITY, {"sweeps": np.array(-2)})
    for number, name in enumerate(names):
        for nested in (kept.part(name), kept.part(name).part("inner")):
            nested.save(IDENTITY | {"name": name}, {"sweeps": np.array(number)})
    for number, name in enumerate(names):
        for nested in (kept.part(name), kept.part(name).part("inner")):
            same(nested.load(IDENTITY | {"name": name}), {"sweeps": np.array(number)})
            assert nested.is_part and nested.seconds == kept.seconds
    assert len(list(tmp_path.rglob("*.npz"))) == 2 + 2 * len(names)
    unfinished = kept.file.with_name(f"cell.{'0' * 32}.tmp")
    unfinished.touch()
    kept.remove()
    assert [file.name for file in tmp_path.rglob("*.*")] == ["cell.1.npz"]
    with pytest.raises(ValueError, match="needs a name"):
        kept.part("")


def test_it_is_due_after_its_time_and_travels_to_other_processes(tmp_path, monkeypatch):
    now = [100.0]
    monkeypatch.setattr(checkpoints.time, "monotonic", lambda: now[0])
    kept = Checkpoint(tmp_path / "cell", seconds=60)
    now[0] += 59.9
    assert not kept.due()
    now[0] += 0.1
    assert kept.due()
    kept.save(IDENTITY, ARRAYS)
    assert not kept.due()
    now[0] = 5.0  # another machine
    copy = pickle.loads(pickle.dumps(kept))
    assert copy == kept and not copy.due()
    now[0] += 60
    assert copy.due()


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf")])
def test_impossible_times_are_refused(tmp_path, seconds):
    with pytest.raises(ValueError, match="seconds=.*finite number >= 0"):
        Checkpoint(tmp_path / "cell", seconds)


def test_what_cannot_be_written_costs_the_checkpoint_and_is_said_once(tmp_path):
    (tmp_path / "file").touch()
    kept = Checkpoint(tmp_path / "file" / "cell", seconds=0)  # its folder is a file
    with pytest.warns(UserWarning, match="could not be saved.*the run goes on") as said:
        kept.save(IDENTITY, ARRAYS)
        kept.save(IDENTITY, ARRAYS)
    assert len(said) == 1


# --------------------------------------------------------------------------- what tells runs apart

NETWORKS = {
    "Hopfield": Hopfield(XI),
    "Hebb self-coupling": Hopfield(XI, "hebb"),
    "other patterns": Hopfield(XI[[0, 2, 1, 3]]),
    "Coupled": hebb.coupled(XI),
    "a field": hebb.coupled(XI, external_field=0.1),
    "three-body": Dense(XI, 3),
    "four-body": Dense(XI, 4),
    "full": Dense(XI, 2, "full"),
    "distinct": Dense(XI, 2),
    "sharper": Dense(XI, "exponential", sharpness=1.1),
    "exponential": Dense(XI, "exponential"),
    "callable": Dense(XI, lambda s: s**3),
    "another callable": Dense(XI, lambda s: s**3 + s),
    "diluted": hebb.diluted(XI, 10, seed=2),
}


def test_networks_are_told_apart_by_everything_that_they_are():
    told = [json.dumps(checkpoints.fingerprint(model, XI[:2])) for model in NETWORKS.values()]
    assert len(set(told)) == len(NETWORKS)
    again = [json.dumps(checkpoints.fingerprint(model, XI[:2])) for model in NETWORKS.values()]
    assert told == again


def test_digests_know_type_shape_and_values():
    arrays = [np.zeros(4, np.int8), np.zeros((2, 2), np.int8), np.zeros(1, np.int32)]
    arrays += [np.ones(4, np.int8), np.zeros(0), np.zeros((0, 3)), np.array(0)]
    assert len({checkpoints.digest(array) for array in arrays}) == len(arrays)
    transposed = np.arange(6).reshape(2, 3).T
    assert checkpoints.digest(transposed) == checkpoints.digest(transposed.copy())
    assert checkpoints.digest(arrays[0].astype(">i4")) == checkpoints.digest(
        arrays[0].astype("<i4")
    )


# --------------------------------------------------------------------------------- runs that go on


class Interrupted(Exception):
    """What the tests stop a run with."""


def interrupting(monkeypatch, model_class, after):
    """Let the sweeps of a class of models fail after so many calls; the calls, as they come."""
    calls, sweep = [], model_class.sweep

    def counted(self, *arguments):
        if len(calls) == after:
            raise Interrupted
        calls.append(arguments[-1])
        return sweep(self, *arguments)

    monkeypatch.setattr(model_class, "sweep", counted)
    return calls


SCHEDULE = Schedule(warmup=6, samples=3, every=11)
MODELS = {
    "Hopfield": Hopfield(XI),
    "Coupled": hebb.coupled(XI, external_field=0.1),
    "three-body": Dense(XI, 3),
    "exponential": Dense(XI, "exponential"),
    "diluted": hebb.diluted(XI, 10, seed=2),
}
CASES = [("Hopfield", rule) for rule in exact.RULES]
CASES += [(model, rule) for model in list(MODELS)[1:] for rule in ("Glauber fixed", "zero random")]


def run(model=MODELS["Hopfield"], rule=None, **options):
    options = {"start": XI[0], "schedule": SCHEDULE, "n_replicas": 3, "seed": 1} | options
    return simulate(model, rule or Glauber(0.6), keep_spins=True, **options)


@pytest.mark.parametrize(("model", "rule"), CASES)
def test_an_interrupted_run_ends_as_the_uninterrupted_one(monkeypatch, kept, model, rule):
    """Stopped again and again after three pieces (of 1, 2 and 4 sweeps, or what is left of a
    stretch): in the warm-up, right after it, inside a stretch between samples, and after a look."""
    model, rule = MODELS[model], exact.RULES[rule]
    whole = run(model, rule)
    interruptions, total, found = 0, 0, None
    while found is None:
        with monkeypatch.context() as patch:
            calls = interrupting(patch, type(model), 3)
            try:
                found = run(model, rule, checkpoint=kept)
            except Interrupted:
                interruptions += 1
            total += sum(calls)
    xr.testing.assert_identical(found, whole)
    assert interruptions >= 5
    # what an interruption costs is the last piece of a stretch that ended without a look: here once
    assert SCHEDULE.sweeps <= total <= SCHEDULE.sweeps + 4


def test_an_observable_that_fails_costs_what_came_after_the_last_saving(kept):
    whole = run(observe=[observables.energy])
    seen = []

    def energy(model, spins, memory):
        seen.append(0)
        if len(seen) == 4:
            raise Interrupted
        return observables.energy(model, spins, memory)

    energy.__doc__ = observables.energy.__doc__
    with pytest.raises(Interrupted):
        run(observe=[energy], checkpoint=kept)
    xr.testing.assert_identical(run(observe=[energy], checkpoint=kept), whole)
    assert len(seen) == 4 + 1 + 1  # one look before the work, and the one that was missing


def test_a_continued_run_can_be_interrupted_too(monkeypatch, kept):
    rule = Glauber((0.3, 0.9))
    first = run(rule=rule, schedule=Schedule(3, 2, 2))
    whole = run(rule=rule, start=first, seed=None)
    interrupting(monkeypatch, Hopfield, 5)
    with pytest.raises(Interrupted):
        run(rule=rule, start=first, seed=None, checkpoint=kept)
    monkeypatch.undo()
    xr.testing.assert_identical(run(rule=rule, start=first, seed=None, checkpoint=kept), whole)


def stopped(monkeypatch, kept, **options):
    """Leave the checkpoint of a run in its warm-up."""
    with monkeypatch.context() as patch:
        interrupting(patch, Hopfield, 3)
        with pytest.raises(Interrupted):
            run(checkpoint=kept, **options)


@pytest.mark.parametrize(
    "other",
    [
        {"rule": Glauber(0.6, "random")},
        {"rule": Glauber(0.61)},
        {"rule": Glauber((0.6, 0.7))},
        {"rule": ZeroTemperature()},
        {"seed": 2},
        {"seed": (1, 0)},
        {"start": XI[1]},
        {"start": "random"},
        {"schedule": Schedule(6, 3, 10)},
        {"schedule": Schedule(6, 4, 11)},
        {"n_replicas": 2},
        {"model": Hopfield(np.roll(XI, 1, axis=1))},
        {"model": Hopfield(XI, "hebb")},
        {"observe": [observables.energy]},
    ],
)
def test_another_run_does_not_go_on_from_there(monkeypatch, kept, other):
    stopped(monkeypatch, kept)
    expected = run(**other)
    with pytest.warns(UserWarning, match="of another computation"):
        xr.testing.assert_identical(run(checkpoint=kept, **other), expected)


def test_another_stream_version_does_not_go_on_from_there(monkeypatch, kept):
    stopped(monkeypatch, kept)
    for module in (randomness, simulation):
        monkeypatch.setattr(module, "STREAM_VERSION", randomness.STREAM_VERSION + 1)
    monkeypatch.setattr(simulation, "STREAM_VERSION", randomness.STREAM_VERSION)
    with pytest.warns(UserWarning, match="other stream_version"):
        run(checkpoint=kept)


def test_the_end_is_kept_of_parts_only(monkeypatch, tmp_path):
    late = Checkpoint(tmp_path / "cell", seconds=1e6)
    with monkeypatch.context() as patch:
        patch.setattr(simulation, "fingerprint", None)  # nor is made what only a file needs
        whole = run(checkpoint=late)
    assert not late.file.exists()
    part = late.part("one of several")
    xr.testing.assert_identical(run(checkpoint=part), whole)
    calls = interrupting(monkeypatch, Hopfield, 0)
    xr.testing.assert_identical(run(checkpoint=part), whole)
    assert not calls


def test_pieces_are_long_where_sweeps_are_short(monkeypatch, kept):
    """Nothing is cut without a checkpoint; with one, pieces double while they last below 1/2 s."""
    calls = interrupting(monkeypatch, Hopfield, -1)
    run(schedule=Schedule(1000, 2, 3))
    assert calls == [1000, 3, 3]
    calls.clear()
    with monkeypatch.context() as patch:
        patch.setattr(simulation.time, "monotonic", lambda: 0.0)  # however slow this machine is
        run(schedule=Schedule(1000, 2, 3), checkpoint=Checkpoint(kept.path, seconds=0))
    assert calls == [1, 2, 4, 8, 16, 32, 64, 128, 256, 489, 3, 3]
    calls.clear()
    now = [0.0]

    def monotonic():  # three readings a piece (begin, end, saving): each piece lasts 3 seconds
        now[0] += 3.0
        return now[0]

    with monkeypatch.context() as patch:
        patch.setattr(simulation.time, "monotonic", monotonic)
        late = Checkpoint(kept.path.with_name("late"), seconds=1e6)
        run(schedule=Schedule(5, 1, 1), checkpoint=late)
    assert calls == [1, 1, 1, 1, 1, 1]


@pytest.mark.parametrize("name", ["retrieval", "transient"])
def test_cells_of_experiments_hand_their_checkpoint_on(kept, name):
    if name == "retrieval":
        settings = retrieval.Settings(n_neurons=100, warmup=5, samples=20, every=1)
        cell = functools.partial(retrieval.cell, settings, (1, 0), 0.05, np.array([0.1, 0.3]))
    else:
        settings = transient.Settings(replicas=2)
        cell = functools.partial(transient.cell, settings, (1, 0), 100, 0.05, np.array([0.4, 0.8]))
    xr.testing.assert_identical(cell(checkpoint=kept), cell())
    assert kept.file.exists()


# --------------------------------------------------------------------------- faults of the machine

_PROGRAM = """
import sys
from hopfield_sim import Checkpoint, Glauber, Hopfield, Schedule, patterns, simulate
model = Hopfield(patterns.random(4, 30, 1))
schedule = Schedule(*map(int, sys.argv[2:]))
found = simulate(
    model, Glauber(0.6), "random", schedule, seed=1, checkpoint=Checkpoint(sys.argv[1], seconds=0)
)
print(float(found.energy.sum()).hex())
"""


def program(kept, schedule, before="", **options):
    """A process that runs a simulation with this checkpoint and prints the sum of its energies."""
    numbers = [str(n) for n in (schedule.warmup, schedule.samples, schedule.every)]
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(before) + _PROGRAM, str(kept.path), *numbers],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **options,
    )


_KILLED = """
import os, signal
fsync, calls = os.fsync, []
def killing(file):
    calls.append(file)
    if len(calls) == {saving}:
        os.kill(os.getpid(), signal.SIGKILL)
    fsync(file)
os.fsync = killing
"""


@pytest.mark.parametrize("saving", [2, 6, 12])
def test_a_killed_process_goes_on(kept, saving):
    """SIGKILL at the worst moment, while the file is written: twice in the warm-up (which has six
    or more pieces of 1, 2, 4, ... sweeps) and among the samples. What was saved before is whole,
    and the run that goes on from it returns what an undisturbed one does."""
    schedule = Schedule(100, 40, 7)
    process = program(kept, schedule, _KILLED.format(saving=saving))
    process.communicate(timeout=120)
    assert process.returncode == -signal.SIGKILL
    assert len(list(kept.path.parent.iterdir())) == 2  # the last saving and half of the next one
    with np.load(kept.file) as archive:
        assert 0 < archive["sweeps"] < schedule.sweeps
    arguments = Hopfield(XI), Glauber(0.6), "random", schedule
    found = simulate(*arguments, seed=1, checkpoint=kept)
    xr.testing.assert_identical(found, simulate(*arguments, seed=1))
    kept.remove()
    assert not list(kept.path.parent.iterdir())


def test_a_full_disk_costs_the_checkpoint_and_not_the_run(kept):
    """By a limit on the size of files, as the first savings are small and later ones large."""
    schedule = Schedule(20, 150, 1)
    limited = """
    import resource, warnings
    warnings.simplefilter("always")
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, 8_000))
    """
    output, errors = program(kept, schedule, limited).communicate(timeout=120)
    model = Hopfield(XI)
    expected = simulate(model, Glauber(0.6), "random", schedule, seed=1)
    assert output.strip() == float(expected.energy.sum()).hex(), errors
    assert errors.count("could not be saved") == 1 and "File too large" in errors
    assert [file.name for file in kept.path.parent.iterdir()] == ["cell.npz"]
    # what was saved before is still whole, and the run can go on from it
    found = simulate(model, Glauber(0.6), "random", schedule, seed=1, checkpoint=kept)
    xr.testing.assert_identical(found, expected)


def test_a_run_holds_nothing_in_memory_when_it_is_over(tmp_path):
    """No circle of references: networks of a sweep would pile up until the collector comes."""
    model = Hopfield(patterns.random(3, 50, seed=1))
    alive = weakref.ref(model)
    gc.disable()
    try:
        kept = Checkpoint(tmp_path / "chain", seconds=0)
        simulate(model, Glauber(0.3), model.patterns[0], Schedule(2, 3), seed=1, checkpoint=kept)
        del model
        assert alive() is None
    finally:
        gc.enable()
