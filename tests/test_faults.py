"""What a week of computing meets: kills, full disks, two runs at once, damaged and older stores.

After each fault the same sweep is run again, and its data and identity must be those of a run that
nothing happened to. What was finished is compared with what lies there right after the fault: none
of it may be lost or changed. "At a rename" means that the process is killed before the n-th file
that it wrote gets its name: every state of a store that a kill can leave behind is one of these.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import shutil
import signal
import tempfile
import time
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

import hopfield_sim.layout
import hopfield_sim.store
import hopfield_sim.sweep
from hopfield_sim import archive
from hopfield_sim.sweep import opened, status
from tests import study
from tests.victims import Victims

resource = pytest.importorskip("resource", reason="needs limits of POSIX")
pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs signals and limits of POSIX")

LARGER = {
    "rule": ["glauber", "metropolis"],
    "temperature": [0.125, 0.25, 0.5],
    "alpha": [0.125, 0.1875, 0.25, 0.375],
}
MORE = {"axes": LARGER, "realisations": 3}


@pytest.fixture(scope="module")
def victims():
    source = Victims()
    yield source
    source.close()


@functools.cache
def at_once(larger=False):
    """The study, computed by one thread without a break."""
    with tempfile.TemporaryDirectory() as folder:
        return study.computed(Path(folder) / "store", **(MORE if larger else {})).load()


def stored(path):
    """Every array of a store as it lies there, whether the store can be opened or not."""
    if not path.exists():
        return {}
    return {
        name: xr.Variable(array.metadata.dimension_names, array[...])
        for name, array in zarr.open_group(path, mode="r").arrays()
    }


def assert_kept(before, path):
    """Whatever was finished is there still, and the same."""
    after = stored(path)
    for name, old in before.items():
        done = before["done"]
        both = {d: slice(min(n, done.sizes.get(d, n))) for d, n in old.sizes.items()}
        done = done.isel({d: at for d, at in both.items() if d in done.dims})
        old, new = old.isel(both), after[name].isel(both)  # a grid that was being enlarged
        assert new.sizes == old.sizes
        if name == "done":
            assert (new | ~old).all()
        else:
            mask = done.any([d for d in done.dims if d not in old.dims])
            mask = (mask | xr.zeros_like(old, bool)).transpose(*old.dims).values
            np.testing.assert_array_equal(new.values[mask], old.values[mask], name)


def assert_as_if_nothing_happened(path, larger=False):
    """The sweep run again ends with the data and the identity of one that was left in peace."""
    before = stored(path)
    found = study.computed(path, **(MORE if larger else {}))
    xr.testing.assert_identical(found.load(), at_once(larger))
    assert_kept(before, path)
    assert not archive.damaged(path)


# Kills


def moments(seed, number):
    """Fractions of a duration."""
    return np.random.default_rng(seed).random(number).round(3).tolist()


MOMENTS = [
    *enumerate(moments(1, 3)),
    *(pytest.param(*pair, marks=pytest.mark.slow) for pair in enumerate(moments(2, 20))),
]


WHERE = {"threads": {"client": "threads"}, "processes": {"client": None, "workers": 2}}


@pytest.fixture(scope="module")
def duration(victims, tmp_path_factory):
    """Seconds that the study takes on this machine, now."""

    @functools.cache
    def measured(where):
        path = tmp_path_factory.mktemp("duration") / "store"
        return victims.run("computed", str(path), seconds=0.05, **WHERE[where])["seconds"]

    return measured


@pytest.mark.parametrize("number, moment", MOMENTS)
def test_the_whole_process_is_killed_at_a_random_moment(
    victims, duration, tmp_path, number, moment
):
    path = tmp_path / "store"
    where = "threads" if number % 3 else "processes"
    after = moment * duration(where)
    ended = victims.run("computed", str(path), seconds=0.05, after=after, **WHERE[where])
    assert ended["status"] in (-signal.SIGKILL, 0)
    print(f"{where} killed after {after:.2f} s with {n_done(path)} of 12 cells done")
    assert_as_if_nothing_happened(path)


def n_done(path):
    return status(path).done if path.exists() else 0


KILLS = [
    moments(3, 3),
    *(pytest.param(moments(s, 3), marks=pytest.mark.slow) for s in range(4, 11)),
]


@pytest.mark.parametrize("kills", KILLS)
def test_workers_are_killed_at_random_moments(tmp_path, kills):
    """One of two workers each time, up to 0.3 s after three more cells; Dask starts another."""
    path, log = tmp_path / "store", tmp_path / "log"
    options = dict(seconds=0.2, log=str(log), client=None, workers=2, **MORE)
    killed, seen = set(), []
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(study.computed, path, **options)
        for number, moment in enumerate(kills, 1):
            until(lambda n=number: n_done(path) >= 3 * n and set(running(log)) - killed)
            time.sleep(0.3 * moment)
            victim = next(pid for pid in reversed(running(log)) if pid not in killed)
            os.kill(victim, signal.SIGKILL)
            killed.add(victim)
            seen.append(n_done(path))
        found = run.result(120)
    print(f"workers killed with {seen} of {found.flips.size} cells done")
    xr.testing.assert_identical(found.load(), at_once(larger=True))
    cells = [line.rsplit(" ", 1)[0] for line in log.read_text().splitlines()]
    assert len(cells) - len(set(cells)) <= len(kills), "a lost worker costs its cell only"


def running(log):
    """The processes that began cells, in that order."""
    return [int(line.split()[-1]) for line in log.read_text().splitlines()] if log.exists() else []


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def prepared(folder):
    """What the tasks below begin with: a finished store, two parts of it, and the larger grid."""
    study.computed(folder / "small")
    study.computed(folder / "part", {**study.AXES, "alpha": [0.125, 0.25]})
    study.computed(folder / "other part", {**study.AXES, "temperature": [0.5]})
    return folder


TASKS = {
    "a sweep": ("computed", "new", {}),
    "an extension": ("computed", "small", MORE),
    "a merging": ("merged", "new", {}),
    "a packing": ("packed", "new", {}),
}


def begun(victims, task, folder, **options):
    """Let a victim do one of the tasks on copies of what it needs: (how it ended, the store)."""
    what, name, more = TASKS[task]
    path = folder / name
    arguments = [str(path)]
    if what == "merged":
        arguments = [[str(folder / "part"), str(folder / "other part")], str(path)]
    if what == "packed":
        arguments = [str(folder / "small"), str(path)]
    return victims.run(what, *arguments, **more, **options), path


def killed_at_renames(victims, task, tmp_path, fractions):
    """Kill the task before the n-th of its files has a name, for several n; do it again.

    Asserts after each that nothing finished is lost or changed. Returns for how many n.
    """
    origin = prepared(tmp_path / "origin")
    shutil.copytree(origin, tmp_path / "whole")
    ended, _ = begun(victims, task, tmp_path / "whole")
    assert ended["status"] == 0, ended["error"]
    numbers = sorted({1 + int(fraction * ended["renames"]) for fraction in fractions})
    numbers = numbers or range(1, ended["renames"] + 1)
    for number in numbers:
        folder = tmp_path / str(number)
        shutil.copytree(origin, folder)
        before = stored(folder / "small") if task == "an extension" else {}
        died, path = begun(victims, task, folder, rename=number)
        assert died["status"] == -signal.SIGKILL, number
        assert_kept(before, folder / "small")
        left = stored(path)
        if task == "a packing":
            assert not path.exists()
        if task in ("a merging", "a packing"):
            again, _ = begun(victims, task, folder)
            assert again["status"] == 0, again["error"]
            assert_kept(left, path)
        if task != "a packing":
            assert_as_if_nothing_happened(path, larger=task == "an extension")
            assert_kept(left, path)
        else:
            xr.testing.assert_identical(opened(path).load(), at_once())
        shutil.rmtree(folder)
    return len(numbers)


@pytest.mark.parametrize("task", TASKS)
def test_killed_at_a_rename(victims, tmp_path, task):
    number = 1 if task in ("a merging", "a packing") else 2
    assert killed_at_renames(victims, task, tmp_path, moments(11, number)) >= 1


@pytest.mark.slow
@pytest.mark.parametrize("task", TASKS)
def test_killed_at_any_rename(victims, tmp_path, task):
    # each piece of metadata and each chunk takes its name by a rename: a store has dozens
    assert killed_at_renames(victims, task, tmp_path, []) > 20


@pytest.fixture(scope="module")
def lasting(victims, tmp_path_factory):
    """Seconds that the cells that last take on this machine, now."""
    path = tmp_path_factory.mktemp("lasting") / "store"
    return victims.run("lengthy", str(path))["seconds"]


@functools.cache
def chains():
    with tempfile.TemporaryDirectory() as folder:
        return study.lengthy(Path(folder) / "store").load()


@pytest.mark.parametrize("number, moment", MOMENTS)
def test_killed_inside_a_long_cell(victims, lasting, tmp_path, number, moment):
    """It goes on from its checkpoint, and its trajectory is the uninterrupted one."""
    path, log = tmp_path / "store", tmp_path / "log"
    victims.run("lengthy", str(path), after=moment * lasting, log=str(log))
    kept, finished = list(tmp_path.glob("store.checkpoints/*.npz")), n_done(path)
    begun = len(log.read_text().splitlines()) if log.exists() else 0
    found = study.lengthy(path, log=str(log))
    xr.testing.assert_identical(found.load(), chains())
    resumed = log.read_text().splitlines()[begun:]
    if finished < begun:  # it was killed inside a cell, not between two
        assert resumed.count("True") == len(kept)
        assert not (tmp_path / "store.checkpoints").exists()


def test_a_damaged_checkpoint_costs_its_time_only(victims, tmp_path):
    path = tmp_path / "store"
    victims.run("lengthy", str(path), rename=30)  # of the first cell's checkpoint
    (kept,) = tmp_path.glob("store.checkpoints/*.npz")
    content = bytearray(kept.read_bytes())
    content[len(content) // 2] ^= 1
    kept.write_bytes(content)
    with pytest.warns(UserWarning, match="is damaged .*: it is not used, the run starts from its"):
        found = study.lengthy(path)
    xr.testing.assert_identical(found.load(), chains())


# Disks


@contextlib.contextmanager
def full_disk(*keys):
    """Files whose place in the store begins so cannot grow: a limit of the system, errno EFBIG."""
    write = zarr.storage.LocalStore.set

    async def limited(self, key, value):  # the key is that below the group that was opened
        if not any(f"/{name}" in str(self.root / key) for name in keys):
            return await write(self, key, value)
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        try:
            return await write(self, key, value)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(zarr.storage.LocalStore, "set", limited)
        yield


def partly(path):
    """Half of the study."""
    return replace(study.sweep(), cells=[{"rule": "glauber"}]).run(path, "threads", 1)


@pytest.mark.parametrize("what", ["overlap/c", "done/c"])
def test_a_full_disk_costs_the_cells_that_had_no_room(tmp_path, what):
    path = tmp_path / "store"
    partly(path)
    before = stored(path)
    message = "(?s)6 cells failed.*the others are kept in .*Running again computes.*File too large"
    with full_disk(what), pytest.raises(RuntimeError, match=message):
        study.computed(path)
    assert_kept(before, path)
    assert n_done(path) == 6
    assert_as_if_nothing_happened(path)


@pytest.mark.parametrize("what", ["zarr.json", "done/c"])
def test_a_full_disk_while_a_store_is_made_leaves_none(tmp_path, what):
    path = tmp_path / "store"
    message = "(?s)cells? failed.*nothing is stored. Running again.*File too large"
    with full_disk(what), pytest.raises(RuntimeError, match=message):
        study.computed(path)
    assert not list(tmp_path.iterdir())
    assert_as_if_nothing_happened(path)


@pytest.mark.parametrize("what", ["provenance", "overlap/zarr.json", "alpha/c"])
def test_a_full_disk_while_a_store_is_enlarged(tmp_path, what):
    path = tmp_path / "store"
    study.computed(path)
    before = stored(path)
    message = r"store cannot be written \(File too large\): .* make room .* run again; nothing"
    with full_disk(what), pytest.raises(OSError, match=message):
        study.computed(path, **MORE)
    assert_kept(before, path)
    assert_as_if_nothing_happened(path, larger=True)


def test_a_full_disk_costs_the_provenance_and_no_cell(tmp_path):
    path = tmp_path / "store"
    partly(path)
    with full_disk("provenance"), pytest.warns(UserWarning, match="the cells do not depend on it"):
        found = study.computed(path)
    xr.testing.assert_identical(found.load(), at_once())
    assert len(status(path).runs) == 1


def test_a_full_disk_costs_the_checkpoint_and_no_cell(tmp_path, monkeypatch):
    """The files of checkpoints are the only large ones."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))
    try:
        with pytest.warns(UserWarning, match="could not be saved .*File too large.*Make room"):
            found = study.lengthy(tmp_path / "store")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    xr.testing.assert_identical(found.load(), chains())


def test_on_a_full_disk_no_cell_is_computed_in_vain(tmp_path, monkeypatch):
    path, calls, real = tmp_path / "store", [], study.cell
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def filling(**point):
        calls.append(point)
        if len(calls) == 4:  # it is the last that is stored
            patch = pytest.MonkeyPatch()
            write = hopfield_sim.layout.Layout.write

            def last(*arguments):
                write(*arguments)
                patch.undo()
                resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))

            patch.setattr(hopfield_sim.layout.Layout, "write", last)
        return real(**point)

    monkeypatch.setattr(study, "cell", filling)
    try:
        with warnings.catch_warnings(), pytest.raises(RuntimeError) as caught:
            warnings.simplefilter("ignore", UserWarning)  # the provenance is not written either
            study.computed(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "8 cells failed" in str(caught.value) and len(calls) == 4
    assert "cannot be written (File too large): choose another place, or make room" in str(
        caught.value
    )
    monkeypatch.undo()
    assert_as_if_nothing_happened(path)


@contextlib.contextmanager
def read_only():
    """A folder with a store that this process cannot write, also where root runs the tests."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)  # pytest's own folders cannot even be read by others
        partly(folder / "store")
        opened(folder / "store").load()
        study.computed(folder / "other")  # whatever is imported on the way is imported now
        shutil.rmtree(folder / "other")
        everything = [folder, *folder.rglob("*")]
        for file in everything:
            file.chmod(0o555 if file.is_dir() else 0o444)
        root = os.geteuid() == 0
        try:
            if root:
                os.seteuid(65534)  # nobody
            yield folder
        finally:
            if root:
                os.seteuid(0)
            for file in everything:
                file.chmod(0o755 if file.is_dir() else 0o644)


def test_a_store_that_cannot_be_written_is_refused_before_any_work(monkeypatch):
    calls, real = [], study.cell
    monkeypatch.setattr(study, "cell", lambda **point: calls.append(point) or real(**point))
    refused = functools.partial(pytest.raises, PermissionError, match="cannot be written .Permiss")
    with read_only() as folder:
        del calls[:]
        for path in (folder / "store", folder / "new", folder / "new" / "deep"):
            with refused():
                study.computed(path)
        with refused():
            study.computed(folder / "store", **MORE)
        with pytest.raises(PermissionError):
            archive.repack(folder / "store", folder / "packed", partial=True)
        found = partly(folder / "store").load()  # what is there can be used
        assert status(folder / "store").done == 6 and found.done.any()
        assert not calls and [file.name for file in folder.iterdir()] == ["store"]


def test_a_place_that_is_no_folder_is_refused_before_any_work(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError, match="cannot be written .Not a directory.: choose"):
        study.computed(tmp_path / "file" / "store", log=str(tmp_path / "log"))
    assert not (tmp_path / "log").exists()


# Two at once


@pytest.fixture(scope="module")
def pair(victims):
    other = Victims()
    yield victims, other
    other.close()


def together(pair, *tasks):
    """Two tasks at the same time, each in a process of its own."""
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(v.run, *t, **more) for v, (t, more) in zip(pair, tasks, strict=True)]
        return [run.result() for run in runs]


@pytest.mark.parametrize("number", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_two_processes_compute_one_grid(pair, tmp_path, number):
    """From the making of the store on: each cell is there, right, and at most computed twice."""
    for k in range(number):
        path, log = tmp_path / f"store {k}", tmp_path / f"log {k}"
        task = ("computed", str(path)), {"log": str(log)}
        for ended in together(pair, task, task):
            assert ended["status"] == 0, ended["error"]
        assert len(log.read_text().splitlines()) <= 2 * 12
        assert_as_if_nothing_happened(path)
        assert sum(run["cells"] for run in status(path).runs) >= 12 and len(status(path).runs) <= 2
        shutil.rmtree(path)
    assert not list(tmp_path.glob(".store*")), "no draft of a store is left"


@pytest.mark.parametrize("number", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_two_processes_enlarge_one_grid_in_different_ways(pair, tmp_path, number):
    for k in range(number):
        path = tmp_path / f"store {k}"
        study.computed(path)
        before = stored(path)
        tasks = [
            (("computed", str(path)), {"realisations": 3}),
            (("computed", str(path)), {"axes": LARGER}),
        ]
        for ended in together(pair, *tasks):
            assert ended["status"] == 0, ended["error"]
        assert_kept(before, path)
        both = stored(path)["done"]
        assert int(both.isel(realisation=slice(2)).sum()) == both.size * 2 // 3
        assert_as_if_nothing_happened(path, larger=True)


def test_a_run_that_does_not_know_of_lanes_added_since_keeps_them(tmp_path):
    """Two runs compute different lanes of one cell, which share a chunk; one began before the grid
    had the lane of the other."""
    path = tmp_path / "store"
    cell = {"rule": ["metropolis"], "alpha": [0.25]}
    study.computed(path, {**cell, "temperature": [0.25, 0.5]}, 1)
    wanted = {"temperature": [0.25, 0.5, 0.75]}
    unaware = replace(study.sweep({**cell, **wanted}, 1), cells=[{"temperature": 0.25}])
    unaware.run(path, "threads", 1)  # makes room for a lane and computes none
    place = hopfield_sim.store.prepared(path, unaware)
    aware = study.sweep({**cell, "temperature": [0.25, 0.5, 0.75, 1.0]}, 1)
    replace(aware, cells=[{"temperature": 1.0}]).run(path, "threads", 1)
    before = stored(path)
    point = {"rule": "metropolis", "alpha": 0.25, "temperature": np.array([0.75])}
    found = study.cell((7, 0), **point)
    point["realisation"] = 0
    assert place.write(hopfield_sim.layout.placed(found, unaware, point), point) is None
    assert_kept(before, path)
    assert stored(path)["done"].values.all()


@pytest.mark.parametrize("more", [(), pytest.param(range(1, 30), marks=pytest.mark.slow)])
def test_a_kill_and_another_run_at_once(pair, tmp_path, more):
    """Whoever survives completes what the other began, the growth of the grid included."""
    origin = tmp_path / "origin"
    study.computed(origin)
    for k, rename in enumerate((4, *more)):  # in the middle of the growth
        path = tmp_path / f"store {k}"
        shutil.copytree(origin, path)
        task = ("computed", str(path))
        died, survived = together(
            pair, (task, {"rename": rename, **MORE}), (task, {"realisations": 3})
        )
        assert died["status"] == -signal.SIGKILL
        assert survived["status"] == 0, survived["error"]
        assert_kept(stored(origin), path)
        assert_as_if_nothing_happened(path, larger=True)


# Damage


def truncated(file):
    file.write_bytes(file.read_bytes()[:-5])


def flipped(file):
    content = bytearray(file.read_bytes())
    content[len(content) // 3] ^= 0x10
    file.write_bytes(content)


DAMAGE = {
    "truncated": truncated,
    "flipped": flipped,
    "empty": lambda file: file.write_bytes(b""),
    "missing": lambda file: file.unlink(),
}


@pytest.mark.parametrize(
    "name, how",
    [
        *(("overlap", how) for how in DAMAGE),
        *((name, "flipped") for name in ("flips", "equilibrated", "done")),
        *((name, "missing") for name in ("equilibrated", "done")),  # of a chunk of fill values, too
    ],
)
def test_a_damaged_chunk_costs_its_cell(tmp_path, name, how):
    path, log = tmp_path / "store", tmp_path / "log"
    study.computed(path)
    index = {"rule": 1, "temperature": 0, "alpha": 2, "realisation": 1, "pattern": 0}
    array = zarr.open_group(path, mode="r")[name]
    key = array.metadata.encode_chunk_key(tuple(index[d] for d in array.metadata.dimension_names))
    DAMAGE[how](path / name / key)
    point = {"rule": "metropolis", "alpha": 0.375, "realisation": 1}
    if (name, how) == ("done", "missing"):  # as if it had never been computed
        assert not archive.damaged(path)
        found = study.computed(path, log=str(log))
    else:
        wanted = [point | {"temperature": t} for t in (0.25, 0.5)]
        by_point = sorted(archive.damaged(path), key=lambda cell: cell["temperature"])
        assert by_point == wanted
        with pytest.warns(UserWarning, match="2 points of .* cannot be read any more, such as"):
            found = study.computed(path, log=str(log))
        told = status(path).runs[-1]["damaged"]
        assert sorted(told, key=lambda cell: cell["temperature"]) == wanted
    xr.testing.assert_identical(found.load(), at_once())
    assert [line.split()[:3] for line in log.read_text().splitlines()] == [
        ["metropolis", "0.375", "1"]
    ]
    aside = [file.name for file in path.rglob("*.damaged")]
    assert len(aside) == (how != "missing")
    assert_as_if_nothing_happened(path)


@pytest.mark.parametrize("how", ["truncated", "flipped", "empty"])
def test_damaged_coordinates_are_told_with_what_helps(tmp_path, how):
    path = tmp_path / "store"
    study.computed(path)
    DAMAGE[how](path / "alpha" / "c" / "0")
    before = contents(path)
    for attempt in (study.computed, opened, status):
        with pytest.raises(ValueError, match="coordinates are damaged, .* Put their files .* back"):
            attempt(path)
    assert contents(path) == before


def test_damage_in_one_lane_of_a_store_that_grew_costs_that_lane(tmp_path):
    path, log = tmp_path / "store", tmp_path / "log"
    study.computed(path, {**study.AXES, "temperature": [0.5]})
    study.computed(path)  # one more lane, in chunks of its own
    truncated(path / "energy" / "c" / "0" / "1" / "0" / "0")
    with pytest.warns(UserWarning, match="1 points of .*'temperature': 0.25"):
        found = study.computed(path, log=str(log))
    xr.testing.assert_identical(found.load(), at_once())
    assert len(log.read_text().splitlines()) == 1


def test_files_that_may_not_be_read_are_not_taken_for_damage():
    """A week of computing is not done again because of a wrong mode."""
    with read_only() as folder:
        os.seteuid(os.getuid())
        for file in (folder / "store" / "energy").rglob("0"):
            if file.is_file():
                file.chmod(0)
        if os.getuid() == 0:
            os.seteuid(65534)
        with pytest.raises(PermissionError):
            archive.damaged(folder / "store")
        with pytest.raises(PermissionError):
            study.computed(folder / "store")


# Other versions


@pytest.fixture
def old(tmp_path):
    """A store that version 0.1.0 left with 9 of 12 cells done, when formats had the number 1."""
    with zipfile.ZipFile(Path(__file__).parent / "data" / "store_of_format_1.zip") as file:
        file.extractall(tmp_path)
    return tmp_path / "store"


def test_a_store_of_an_older_version_is_read_resumed_and_extended(old):
    before = stored(old)
    assert (status(old).done, status(old).pending) == (9, 3)
    partial = opened(old).load()
    finished = partial.done
    xr.testing.assert_equal(
        partial.overlap.where(finished),
        at_once().overlap.where(finished).transpose(*partial.overlap.dims),
    )
    assert not archive.damaged(old)
    found = study.computed(old).load()
    assert_kept(before, old)
    assert found.done.all() and found.attrs["format"] == "hopfield-sim sweep 1"
    xr.testing.assert_identical(
        found.drop_vars("done").drop_attrs(deep=False),
        at_once().drop_vars("done").drop_attrs(deep=False),
    )
    assert {k: v for k, v in found.attrs.items() if k != "format"} == {
        k: v for k, v in at_once().attrs.items() if k != "format"
    }
    wider = {"axes": {**study.AXES, "alpha": LARGER["alpha"]}, "realisations": 3}
    found = study.computed(old, **wider).load()
    assert_kept(before, old)
    wanted = at_once(larger=True).sel(temperature=[0.25, 0.5])
    xr.testing.assert_equal(found.drop_vars("done"), wanted.drop_vars("done"))


def test_a_store_of_an_older_version_takes_lanes_after_merging(old, tmp_path):
    with pytest.raises(ValueError, match="format 1, .*`python -m hopfield_sim merge` makes one of"):
        study.computed(old, **MORE)
    archive.merge([old], tmp_path / "new")
    assert_kept(stored(old), old)
    assert status(tmp_path / "new").done == 9
    assert_as_if_nothing_happened(tmp_path / "new", larger=True)


def test_damage_in_a_store_of_an_older_version_is_found_too(old):
    """It has no checksums: what cannot be decompressed is noticed."""
    truncated(old / "overlap" / "c" / "0" / "0" / "0" / "0" / "0")
    (point,) = archive.damaged(old)
    assert point == {"rule": "glauber", "alpha": 0.125, "realisation": 0}
    with pytest.warns(UserWarning, match="1 points of"):
        found = study.computed(old).load()
    xr.testing.assert_equal(found.overlap, at_once().overlap)


def test_a_store_of_a_later_format_is_refused_and_left_alone(tmp_path):
    path = tmp_path / "store"
    study.computed(path)
    metadata = json.loads((path / "zarr.json").read_text())
    metadata["attributes"]["format"] = "hopfield-sim sweep 3"
    (path / "zarr.json").write_text(json.dumps(metadata))
    before = contents(path)
    for attempt in (
        opened,
        status,
        study.computed,
        archive.damaged,
        lambda store: archive.repack(store, tmp_path / "packed"),
        lambda store: archive.merge([store], tmp_path / "merged"),
    ):
        with pytest.raises(ValueError, match="format 'hopfield-sim sweep 3'.*install a later ver"):
            attempt(path)
    assert contents(path) == before and [file.name for file in tmp_path.iterdir()] == ["store"]


def test_a_store_of_another_stream_version_is_refused_and_left_alone(tmp_path, monkeypatch):
    path = tmp_path / "store"
    study.computed(path)
    before = contents(path)
    monkeypatch.setattr(hopfield_sim.sweep, "STREAM_VERSION", 99)
    with pytest.raises(
        ValueError, match=r"(?s)another computation.*stream_version: the store has 1, this sweep 99"
    ):
        study.computed(path, **MORE)
    study.computed(tmp_path / "other")
    with pytest.raises(ValueError, match="(?s)different computations.*stream_version: 1 and 99"):
        archive.merge([path, tmp_path / "other"], tmp_path / "merged")
    assert contents(path) == before


def contents(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}
