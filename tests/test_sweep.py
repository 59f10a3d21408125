"""Sweeps: the same numbers whoever computes them, nothing lost, nothing overwritten."""

import contextlib
import functools
import importlib.metadata
import json
import os
import signal
import socket
import subprocess
import sys
import time

import numpy as np
import pytest
import xarray as xr

import hopfield_sim.pool
import hopfield_sim.sweep
from hopfield_sim.sweep import Sweep, opened, status

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")

# A user's script: no other process can import it by name.
STUDY = """
import functools, os, sys, time
import numpy as np
import xarray as xr
from hopfield_sim.sweep import Sweep

def draws(seed, alpha, size):
    return np.random.default_rng([*seed, round(1000 * alpha)]).normal(size=size)

def cell(seed, alpha, temperature, n_patterns=3, log=None, seconds=0.0, deadly=None):
    time.sleep(seconds)
    if deadly and seed[1] == 2 and alpha == 0.2 and not os.path.exists(deadly):
        open(deadly, "x").close()
        os.kill(os.getpid(), 9)
    if log:
        with open(log, "a") as file:
            file.write(f"{alpha} {seed[1]}\\n")
    overlap = draws(seed, alpha, (n_patterns, temperature.size)) * temperature
    return xr.Dataset(
        {
            "overlap": (("pattern", "temperature"), overlap, {"long_name": "overlap m"}),
            "energy": ("temperature", overlap.sum(0).astype(np.float32), {"units": "J"}),
            "flips": ((), seed[1]),
        },
        coords={
            "temperature": ("temperature", temperature, {"units": "J"}),
            "pattern": np.arange(n_patterns),
        },
    )

def sweep(**fixed):
    axes = {"temperature": [0.1, 0.5], "alpha": [0.1, 0.2, 0.3]}
    return Sweep(
        functools.partial(cell, **fixed), axes, ("temperature",), realisations=5, seed=7,
        title="a study", settings={"n_patterns": 3},
    )

if __name__ == "__main__":
    sweep(seconds=0.25).run(sys.argv[1], workers=2)
"""


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The module of a user, imported from a folder that only this process knows."""
    folder = tmp_path_factory.mktemp("study")
    (folder / "a_study_of_mine.py").write_text(STUDY)
    sys.path.insert(0, str(folder))
    import a_study_of_mine

    sys.path.remove(str(folder))
    yield a_study_of_mine
    del sys.modules["a_study_of_mine"]


@pytest.fixture(scope="module")
def expected(study, tmp_path_factory):
    """The study, computed without a break by one thread."""
    return study.sweep().run(tmp_path_factory.mktemp("expected") / "store", "threads", 1).load()


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory):
    """The address of a scheduler with one worker, started elsewhere by somebody else."""
    folder = tmp_path_factory.mktemp("elsewhere")
    where = ["--scheduler-file", str(folder / "scheduler.json")]
    quiet = {"cwd": folder, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    boss = [sys.executable, "-m", "distributed.cli.dask_scheduler", *where, "--no-dashboard"]
    hand = [sys.executable, "-m", "distributed.cli.dask_worker", *where, "--no-dashboard"]
    port = ["--dashboard-address", "127.0.0.1:0"]
    processes = [
        subprocess.Popen([*boss, "--host", "127.0.0.1", "--port", "0", *port], **quiet),
        subprocess.Popen([*hand, "--nthreads", "1", "--host", "127.0.0.1"], **quiet),
    ]
    try:
        until(lambda: (folder / "scheduler.json").exists())
        yield json.loads((folder / "scheduler.json").read_text())["address"]
    finally:
        for process in reversed(processes):
            process.terminate()
            process.wait(30)


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def contents(path):
    """Every file below a path with its bytes."""
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def how_far(path):
    found = status(path)
    return found.done, found.pending, found.total


def runs(path):
    return json.loads(
        json.loads((path / "provenance" / "zarr.json").read_text())["attributes"]["runs"]
    )


def one(seed, alpha):
    return xr.Dataset({"x": alpha + seed[1]})


# Who computes


@pytest.mark.parametrize("client, workers", [("threads", 3), (None, 1), (None, 2)])
def test_numbers_do_not_depend_on_threads_or_processes(study, expected, tmp_path, client, workers):
    with socket.socket() as neighbour:
        with contextlib.suppress(OSError):  # the port that the cluster of somebody else may have
            neighbour.bind(("127.0.0.1", 8787))
            neighbour.listen()
        found = study.sweep().run(tmp_path / "store", client, workers)
    xr.testing.assert_identical(found.load(), expected)
    assert how_far(tmp_path / "store") == (15, 0, 15)


def test_a_scheduler_elsewhere_gives_the_same_numbers(study, expected, tmp_path, scheduler):
    from distributed import Client

    log = tmp_path / "log"
    found = study.sweep(log=log).run(tmp_path / "by address", scheduler)
    xr.testing.assert_identical(found.load(), expected)
    with Client(scheduler, set_as_default=False) as client:
        found = study.sweep(log=log).run(tmp_path / "by client", client)
        assert client.status == "running", "a client that was handed over is not closed"
    xr.testing.assert_identical(found.load(), expected)
    assert len(log.read_text().split("\n")) == 2 * 15 + 1, "no cell is computed twice"


def test_realisations_and_cells_have_the_seeds_they_are_promised(tmp_path):
    calls = []

    def cell(seed, beta, alpha, temperature):
        calls.append((seed, beta, alpha, temperature.tolist()))
        assert (type(beta), type(alpha)) == (int, str)
        temperature *= 0  # its own copy: the next cell and the store see nothing of it
        return xr.Dataset({"x": ("temperature", temperature + seed[1])})

    axes = {"beta": [1, 2], "alpha": ["low", "high"], "temperature": np.array([0.5, 1.0])}
    sweep = Sweep(cell, axes, lanes=("temperature",), realisations=2, seed=11)
    found = sweep.run(tmp_path / "store", "threads", workers=1)
    wanted = [
        ((11, r), beta, alpha, [0.5, 1.0])
        for beta in (1, 2)
        for alpha in ("low", "high")
        for r in (0, 1)
    ]
    assert calls == wanted
    assert found.x.dims == ("beta", "alpha", "temperature", "realisation")
    assert found.temperature.values.tolist() == [0.5, 1.0]
    assert found.x.sel(alpha="high", beta=2, temperature=1.0, realisation=1).item() == 1


# What is stored


def test_a_store_is_plain_zarr_with_one_chunk_for_each_cell(study, expected, tmp_path):
    import zarr

    path = tmp_path / "new" / "folder" / "store"
    study.sweep().run(path, "threads", 2)
    xr.testing.assert_identical(xr.open_zarr(path, consolidated=False).load(), expected)
    group = zarr.open_group(path, mode="r")
    assert group["overlap"].metadata.dimension_names == (
        "temperature", "alpha", "realisation", "pattern",
    )  # fmt: skip
    assert group["overlap"].chunks == (2, 1, 1, 3)
    assert group["flips"].metadata.dimension_names == ("alpha", "realisation")
    assert group["done"].chunks == (2, 1, 1)
    assert [file.name for file in path.parent.iterdir()] == ["store"]


def test_every_variable_says_what_it_is(expected):
    for variable in expected.variables.values():
        assert variable.attrs["long_name"] and variable.attrs["units"]
    assert expected.overlap.attrs == {"long_name": "overlap m", "units": "1"}
    assert expected.energy.dtype == np.float32
    assert expected.temperature.attrs["units"] == expected.energy.attrs["units"] == "J"
    np.testing.assert_array_equal(expected.flips, np.tile(np.arange(5), (3, 1)))


def test_attributes_of_identity_and_nothing_else_are_on_the_root(expected):
    assert expected.attrs == {
        "format": "hopfield-sim sweep 2",
        "title": "a study",
        "axes": "temperature alpha",
        "lanes": "temperature",
        "settings": '{"n_patterns": 3}',
        "seed": 7,
        "stream_version": hopfield_sim.sweep.STREAM_VERSION,
    }


def test_provenance_has_an_entry_for_each_run_that_computed(tmp_path, monkeypatch):
    path = tmp_path / "store"
    broken = [1]

    def cell(seed, alpha):
        if seed[1] in broken:
            raise OSError("not today")
        return one(seed, alpha)

    sweep = Sweep(cell, {"alpha": [0.1]}, realisations=3, seed=2**64 - 1)
    with pytest.raises(RuntimeError, match="not today"):
        sweep.run(path, "threads", provenance={"device": "cpu", "n_cores": np.int64(4)})
    broken.clear()
    version = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: version(name) + " later")
    sweep.run(path, "threads", workers=1)
    sweep.run(path, "threads")
    first, second = runs(path)
    assert (first["device"], first["n_cores"], first["cells"]) == ("cpu", 4, 2)
    assert (second["client"], second["workers"], second["cells"]) == ("threads", 1, 1)
    assert second["numpy"] == first["numpy"] + " later"
    for key in ("date", "seconds", "hopfield-sim", "revision", "python", "numba", "platform"):
        assert key in first


def test_results_can_be_read_while_they_are_computed(tmp_path):
    path, seen = tmp_path / "store", []

    def cell(seed, alpha):
        if path.exists():
            found = opened(path)
            seen.append((status(path).done, int(found.x.notnull().sum()), int(found.done.sum())))
        return one(seed, alpha)

    Sweep(cell, {"alpha": [0.1, 0.2, 0.3, 0.4]}).run(path, "threads", workers=1)
    assert seen == [(1, 1, 1), (2, 2, 2), (3, 3, 3)]


# What goes wrong


@posix
def test_a_killed_sweep_is_finished_by_running_it_again(study, expected, tmp_path):
    path, second = tmp_path / "store", tmp_path / "second"
    command = [sys.executable, study.__file__, str(path)]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        until(lambda: path.exists() and status(path).done >= 4 and runs(path))
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    partial = opened(path).load()
    done = partial.done.all("temperature")
    assert 4 <= done.sum() < 15, "it was killed in the middle"
    assert (partial.overlap.notnull().all(["pattern", "temperature"]) | ~partial.done).all()
    xr.testing.assert_equal(
        partial.where(partial.done).drop_vars("done"),
        expected.where(partial.done).drop_vars("done"),
    )
    found = study.sweep(log=second).run(path, "threads")
    xr.testing.assert_identical(found.load(), expected)
    pending = {
        f"{alpha.item()} {r.item()}"
        for alpha in partial.alpha
        for r in partial.realisation
        if not done.sel(alpha=alpha, realisation=r)
    }
    recomputed = second.read_text().split("\n")[:-1]
    assert sorted(recomputed) == sorted(pending)
    assert ["ended" in run for run in runs(path)] == [False, True]


@posix
def test_a_lost_worker_costs_its_cell_only(study, expected, tmp_path):
    log, deadly = tmp_path / "log", tmp_path / "deadly"
    found = study.sweep(log=log, deadly=deadly).run(tmp_path / "store", workers=2)
    assert deadly.exists()
    xr.testing.assert_identical(found.load(), expected)
    assert len(log.read_text().split("\n")) == 15 + 1


@pytest.mark.parametrize("remote", [False, True])
def test_a_cell_that_fails_is_named_and_the_others_are_kept(tmp_path, request, remote):
    client = request.getfixturevalue("scheduler") if remote else "threads"
    path, mended = tmp_path / "store", tmp_path / "mended"

    def cell(seed, alpha, mended):
        if seed[1] == 1 and alpha > 0.15 and not os.path.exists(mended):
            raise ZeroDivisionError(f"no such network at {alpha}")
        return xr.Dataset({"x": alpha + seed[1]})

    sweep = Sweep(functools.partial(cell, mended=mended), {"alpha": [0.1, 0.2, 0.3]}, (), 2)
    with pytest.raises(RuntimeError, match="2 cells failed") as caught:
        sweep.run(path, client)
    for part in (
        "(alpha=0.2, realisation=1), (alpha=0.3, realisation=1)",
        "no such network at 0.2",
    ):
        assert part in str(caught.value)
    assert how_far(path) == (4, 2, 6)
    assert np.isnan(opened(path).x.sel(alpha=0.2, realisation=1))
    mended.touch()
    found = sweep.run(path, client)
    np.testing.assert_array_equal(found.x, np.add.outer([0.1, 0.2, 0.3], [0, 1]))
    assert [run["cells"] for run in runs(path)] == [4, 2]


def test_if_the_first_cell_fails_nothing_is_stored(tmp_path):
    def cell(seed, alpha):
        raise ZeroDivisionError("none at all")

    with pytest.raises(RuntimeError, match="(?s)alpha=0.1, realisation=0.*none at all"):
        Sweep(cell, {"alpha": [0.1, 0.2]}).run(tmp_path / "store", "threads")
    assert not list(tmp_path.iterdir())


def test_a_cell_is_done_only_when_its_data_are_written(tmp_path, monkeypatch):
    import zarr

    path, calls, failures = tmp_path / "store", [], []
    write = zarr.Array.set_orthogonal_selection

    def cell(seed, alpha):
        calls.append(alpha)
        return one(seed, alpha)

    def failing(array, region, value, **more):
        if array.path == "done" and path.exists() and not failures:
            failures.append(region)
            raise OSError("the disk is full")
        write(array, region, value, **more)

    sweep = Sweep(cell, {"alpha": [0.1, 0.2, 0.3]})
    with monkeypatch.context() as patch, pytest.raises(RuntimeError, match="the disk is full"):
        patch.setattr(zarr.Array, "set_orthogonal_selection", failing)
        sweep.run(path, "threads", workers=1)
    assert opened(path).x.notnull().all(), "its data were there"
    assert opened(path).done.values.ravel().tolist() == [True, False, True]
    sweep.run(path, "threads")
    assert calls == [0.1, 0.2, 0.3, 0.2]


def test_two_who_start_at_once_share_the_store_of_the_first(tmp_path):
    path, calls = tmp_path / "store", []

    def cell(seed, alpha):
        calls.append(alpha)
        if len(calls) == 1:
            sweep.run(path, "threads", workers=1)
        return one(seed, alpha)

    sweep = Sweep(cell, {"alpha": [0.1, 0.2]})
    found = sweep.run(path, "threads", workers=1)
    assert calls == [0.1, 0.1, 0.2]
    np.testing.assert_array_equal(found.x, [[0.1], [0.2]])
    assert [file.name for file in tmp_path.iterdir()] == ["store"]


ODD = {
    "another variable": (lambda: xr.Dataset({"y": 1.0}), "x: the store has.*y: the store has"),
    "another shape": (lambda: xr.Dataset({"x": ("k", np.ones(3))}, {"k": [0, 1, 2]}), "1, 1, 3"),
    "another type": (lambda: xr.Dataset({"x": ("k", [1, 2])}, {"k": [0, 1]}), "int64"),
    "other labels": (lambda: xr.Dataset({"x": ("k", [1.0, 2.0])}, {"k": [0, 2]}), r"\[0, 2\]"),
    "no Dataset": (lambda: 1.0, "must return an xarray.Dataset, got float"),
    "an axis": (lambda: xr.Dataset({"x": ("alpha", [1.0])}), "inner dims"),
    "a taken name": (lambda: xr.Dataset({"done": True}), "no variable is called checkpoint, done"),
    "text": (lambda: xr.Dataset({"x": ("k", ["a", "b"])}), "only bool, integer, real"),
    "another point": (
        lambda: xr.Dataset({"x": 1.0}, {"alpha": 0.25}),
        "give what it found another",
    ),
    "a short lane": (lambda: xr.Dataset({"x": ("beta", [1.0])}), "1 values along the lane 'beta'"),
}


@pytest.mark.parametrize("odd", ODD)
def test_a_cell_unlike_the_others_is_refused(tmp_path, odd):
    returned, message = ODD[odd]

    def cell(seed, alpha, beta):
        if alpha == 0.2:
            return returned()
        return xr.Dataset({"x": ("k", [alpha, 2.0])}, {"k": [0, 1], "alpha": alpha})

    axes = {"alpha": [0.1, 0.2, 0.3], "beta": [1, 2]}
    sweep = Sweep(cell, axes, lanes=("beta",))
    with pytest.raises(RuntimeError, match=rf"(?s)1 cell failed: \(alpha=0.2, .*{message}"):
        sweep.run(tmp_path / "store", "threads", workers=1)
    assert status(tmp_path / "store").done == 2


# What is refused, before anything happens


@pytest.mark.parametrize(
    "changes, error, message",
    [
        ({"axes": {"alpha": [0.1, np.nan]}}, ValueError, "axis 'alpha' contains NaN"),
        ({"axes": {"alpha": [0.1, 0.2, 0.1]}}, ValueError, r"contains \[0.1\] more than once"),
        ({"axes": {"alpha": []}}, ValueError, "non-empty sequence"),
        ({"axes": {"alpha": 0.1}}, ValueError, "list its values"),
        ({"axes": {"alpha": "low"}}, ValueError, "list its values"),
        ({"axes": {"alpha": [None]}}, ValueError, "numbers or strings"),
        ({"axes": [("alpha", [0.1])]}, TypeError, "write a dict"),
        ({"axes": {"load": [0.1]}}, ValueError, "cannot be called 'load'"),
        ({"axes": {"T": [0.1]}}, ValueError, "cannot be called 'T'"),
        ({"axes": {"size": [1]}}, ValueError, "cannot be called 'size'"),
        ({"axes": {"rank": [1]}}, ValueError, "cannot be called 'rank'"),
        ({"axes": {"seed": [1]}}, ValueError, "cannot be called 'seed'"),
        ({"axes": {"realisation": [1]}}, ValueError, "cannot be called 'realisation'"),
        ({"axes": {"lambda": [1]}}, ValueError, "argument of that name"),
        ({"axes": {"beta": [1.0]}}, TypeError, r"cell\(seed=..., beta=...\), but"),
        ({"lanes": ("temperature",)}, ValueError, r"names of axes \('alpha',\)"),
        ({"lanes": "alpha"}, ValueError, "in a tuple"),
        ({"realisations": 0}, ValueError, "realisations must be at least 1"),
        ({"realisations": 1.5}, TypeError, "realisations must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
        ({"seed": 2**64}, ValueError, "seed must be at least 0 and less than 18446744073709551616"),
        ({"seed": 0.5}, TypeError, "seed must be a whole number"),
        ({"settings": {"rule": np.sign}}, TypeError, "recorded as JSON"),
        ({"settings": 3}, TypeError, "settings must be a mapping"),
        ({"cell": 3}, TypeError, r"called as cell\(seed=..., alpha=...\), got 3"),
    ],
)
def test_an_impossible_sweep_is_refused(changes, error, message):
    with pytest.raises(error, match=message):
        Sweep(**{"cell": one, "axes": {"alpha": [0.1]}, **changes})


@pytest.mark.parametrize(
    "changes, messages",
    [
        ({"seed": 2}, ["seed: the store has 1, this sweep 2"]),
        ({"title": "b"}, ["title: the store has 'a', this sweep 'b'"]),
        ({"lanes": ("alpha",)}, ["lanes: the store has '', this sweep 'alpha'"]),
        (
            {"settings": {"n": 200, "rule": "Glauber"}, "seed": 2},
            [
                "seed: the store has 1, this sweep 2",
                "settings.n: the store has 100, this sweep 200",
                "settings.rule: the store has 'nothing', this sweep 'Glauber'",
                "settings.order: the store has 'fixed', this sweep 'nothing'",
            ],
        ),
    ],
)
def test_a_store_of_another_computation_is_left_alone(tmp_path, changes, messages):
    same = {
        "cell": one,
        "axes": {"alpha": [0.1, 0.2]},
        "realisations": 2,
        "seed": 1,
        "title": "a",
        "settings": {"n": 100, "order": "fixed"},
    }
    path = tmp_path / "store"
    Sweep(**same).run(path, "threads")
    before = contents(tmp_path)
    with pytest.raises(ValueError, match="Choose another store path, or delete that") as caught:
        Sweep(**{**same, **changes}).run(path, "threads")
    for message in messages:
        assert message in str(caught.value)
    assert contents(tmp_path) == before


def test_another_stream_version_is_refused(tmp_path, monkeypatch):
    sweep = Sweep(one, {"alpha": [0.1, 0.2]})
    sweep.run(tmp_path / "store", "threads")
    monkeypatch.setattr(hopfield_sim.sweep, "STREAM_VERSION", 99)
    with pytest.raises(ValueError, match=r"stream_version: the store has \d+, this sweep 99"):
        sweep.run(tmp_path / "store", "threads")


def test_a_worker_with_another_stream_version_computes_nothing(tmp_path, monkeypatch):
    def cell(seed, alpha):
        if alpha == 0.2:  # as if the next one were computed by an older installation
            monkeypatch.setattr(hopfield_sim.sweep, "STREAM_VERSION", 99)
        return one(seed, alpha)

    sweep = Sweep(cell, {"alpha": [0.1, 0.2, 0.3]})
    with pytest.raises(RuntimeError, match="(?s)1 cell failed: .alpha=0.3.*install the same"):
        sweep.run(tmp_path / "store", "threads", workers=1)


@pytest.mark.parametrize("what", ["file", "empty folder", "folder", "group", "array"])
def test_a_path_that_is_no_store_is_left_alone(tmp_path, what):
    import zarr

    path = tmp_path / "precious"
    if what == "file":
        path.write_text("precious")
    elif what == "group":
        zarr.open_group(path, mode="w", attributes={"format": "mine"})
    elif what == "array":
        zarr.create_array(path, shape=(2,), dtype=float)
    else:
        path.mkdir()
        if what == "folder":
            (path / "precious.txt").write_text("precious")
    before = contents(tmp_path)
    for attempt in (Sweep(one, {"alpha": [0.1]}).run, opened, status):
        with pytest.raises(ValueError, match="precious exists and is no store of a sweep"):
            attempt(path)
    assert contents(tmp_path) == before and path.exists()


def test_reading_where_nothing_is_says_so(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no store at"):
        opened(tmp_path / "store")


@pytest.mark.parametrize("client", ["processes", 4, object()])
def test_an_unknown_client_is_refused(tmp_path, client):
    with pytest.raises(TypeError, match="client must be None"):
        Sweep(one, {"alpha": [0.1]}).run(tmp_path / "store", client)
    assert not list(tmp_path.iterdir())


def test_a_scheduler_that_does_not_answer_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(hopfield_sim.pool, "_PATIENCE", 0.5)
    with pytest.raises(ConnectionError, match="no Dask scheduler answered at tcp://127.0.0.1:9"):
        Sweep(one, {"alpha": [0.1]}).run(tmp_path / "store", "tcp://127.0.0.1:9")
    assert not list(tmp_path.iterdir())


def test_names_of_an_inner_dim_may_come_from_an_index_of_pandas(tmp_path):
    import pandas as pd

    def cell(seed, alpha):
        way = pd.Index(["heating", "cooling"], dtype=object, name="way")
        return xr.Dataset({"x": ("way", [alpha, 2.0])}, {"way": way})

    found = Sweep(cell, {"alpha": [0.1, 0.2]}).run(tmp_path / "store", "threads")
    assert found.way.values.tolist() == ["heating", "cooling"]
    assert found.x.sel(way="cooling").values.tolist() == [[2.0], [2.0]]
