"""Stores merged, packed and checked: the same numbers, nothing lost, nothing overwritten."""

from __future__ import annotations

import functools
import importlib.util
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import zarr

from hopfield_sim import archive, damage, layout
from hopfield_sim.__main__ import main
from hopfield_sim.archive import damaged, merge, repack
from hopfield_sim.sweep import Sweep, opened, status
from tests import study

ROOT = Path(__file__).parents[1]
ALL = {**study.AXES, "temperature": [0.125, 0.25, 0.5]}
PARTS = {
    "realisations": ({"realisations": 1}, {"realisations": 3}),
    "values": (
        {"axes": {**ALL, "alpha": [0.125, 0.25]}, "realisations": 3},
        {"axes": {**ALL, "alpha": [0.375, 0.25]}, "realisations": 3},
    ),
    "lanes": (
        {"axes": {**ALL, "temperature": [0.125, 0.5]}, "realisations": 3},
        {"axes": {**ALL, "temperature": [0.25, 0.125]}, "realisations": 3},
    ),
    "all at once": (
        {"axes": {**ALL, "rule": ["metropolis"]}, "realisations": 3},
        {"axes": {**ALL, "temperature": [0.5]}, "realisations": 2},
        {"axes": {**ALL, "alpha": [0.125, 0.375], "temperature": [0.125, 0.25]}},
    ),
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The whole grid, computed at once."""
    return study.computed(tmp_path_factory.mktemp("whole") / "store", ALL, 3).load()


def contents(path):
    return {file: file.read_bytes() for file in path.rglob("*") if file.is_file()}


def finished(found):
    """Only what is done, by coordinates."""
    return found.where(found.done).sortby(["alpha", "temperature"]).drop_vars("done")


# Merging


@pytest.mark.parametrize("parts", PARTS)
def test_merged_parts_are_what_they_were_and_go_on_as_one(tmp_path, whole, parts):
    paths = [tmp_path / f"part {k}" for k in range(len(PARTS[parts]))]
    for path, grid in zip(paths, PARTS[parts], strict=True):
        study.computed(path, **grid)
    before = [contents(path) for path in paths]
    found = merge(paths, tmp_path / "whole").load()
    assert [contents(path) for path in paths] == before, "the sources are left alone"
    done = whole.done.copy(data=np.zeros(whole.done.shape, bool))
    for path in paths:
        part = opened(path)
        done.loc[{d: part[d].values for d in done.dims}] = True
    done = done.sel({d: found[d] for d in done.dims})
    xr.testing.assert_equal(found.done, done)
    same = whole.sel({d: found[d] for d in done.dims}).assign(done=found.done)
    xr.testing.assert_equal(finished(found), finished(same))
    assert found.attrs == whole.attrs
    runs = [run["run"] for path in paths for run in status(path).runs]
    assert sorted(run["run"] for run in status(tmp_path / "whole").runs) == sorted(runs)
    again = study.computed(tmp_path / "whole", ALL, 3)
    xr.testing.assert_identical(again.load(), whole)


def test_a_store_is_completed_by_others_and_keeps_its_own(tmp_path, whole):
    one, other = tmp_path / "one", tmp_path / "other"
    study.computed(one, **PARTS["values"][0])
    study.computed(other, **PARTS["values"][1])
    before = opened(one).load()
    found = merge([one, other], into=one).load()
    xr.testing.assert_identical(found.sel({d: before[d] for d in before.done.dims}), before)
    xr.testing.assert_identical(found.sortby("alpha"), whole)
    assert len(status(one).runs) == 2
    here = contents(one)
    merge([other], into=one)
    assert contents(one) == here, "merging again changes nothing"


def test_merging_with_itself_copies(tmp_path):
    study.computed(tmp_path / "a")
    found = merge([tmp_path / "a", tmp_path / "a"], tmp_path / "b")
    xr.testing.assert_identical(found.load(), opened(tmp_path / "a").load())


def conflicting(tmp_path, name, change):
    """Two stores that share cells, in one of which a variable is changed at one cell."""
    study.computed(tmp_path / "one", **PARTS["values"][0])
    study.computed(tmp_path / "other", **PARTS["values"][1])
    array = layout.Layout(tmp_path / "other").arrays[name]
    dims = array.metadata.dimension_names
    where = {"rule": 1, "temperature": 2, "alpha": 1, "realisation": 2, "pattern": 0}
    at = tuple(where[d] for d in dims)
    array[at] = change(array[at])
    return tmp_path / "one", tmp_path / "other"


@pytest.mark.parametrize(
    "name, change",
    [
        ("overlap", lambda x: np.nextafter(x, 0)),
        ("energy", lambda x: np.float32("nan")),
        ("field", lambda x: np.conj(x)),
        ("flips", lambda x: x + 1),
        ("equilibrated", lambda x: ~x),
    ],
)
def test_cells_that_differ_are_named_and_nothing_is_changed(tmp_path, name, change):
    paths = conflicting(tmp_path, name, change)
    before = contents(tmp_path)
    message = (
        rf"(?s)1 cell that two stores have differ, and nothing was changed:\n  "
        rf"\(rule='metropolis', alpha=0.25, realisation=2\): {name} in .*one and .*other\n.*status"
    )
    for into in (tmp_path / "new", paths[0], paths[1]):
        with pytest.raises(ValueError, match=message.replace("one and .*other", ".* and .*")):
            merge(paths, into)
    with pytest.raises(ValueError, match=message):
        merge(paths, tmp_path / "new")
    assert contents(tmp_path) == before and not (tmp_path / "new").exists()


def test_bits_are_compared_and_any_nan_is_nan():
    one = np.array([1.0, 0.0, np.nan, np.nan])
    other = np.array([1.0, -0.0, np.nan, -np.nan])
    assert archive._identical(one, other).tolist() == [True, False, True, True]
    both = np.empty((2, 4), complex)
    both.real, both.imag = one, [other, one]
    assert archive._identical(*both).tolist() == [True, False, True, True]
    assert archive._identical(np.array([1, 2]), np.array([1, 3])).tolist() == [True, False]


def test_only_lanes_that_both_have_are_compared_and_what_has_no_lane_always(tmp_path):
    def cell(seed, beta, extra=0.0):
        return xr.Dataset({"x": ("beta", beta + (extra if beta.size == 1 else 0)), "n": extra * 2})

    def part(name, beta, **fixed):
        sweep = Sweep(functools.partial(cell, **fixed), {"beta": beta}, ("beta",))
        sweep.run(tmp_path / name, "threads", progress=False)
        return tmp_path / name

    left = part("left", [1.0, 2.0])
    found = merge([left, part("right", [3.0, 4.0])], tmp_path / "fine")
    assert found.x.values.ravel().tolist() == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match=r"\(realisation=0\): n in"):
        merge([left, part("odd", [5.0, 6.0], extra=1.0)], tmp_path / "bad")
    assert not (tmp_path / "bad").exists()


def test_stores_of_different_computations_are_refused(tmp_path):
    study.computed(tmp_path / "one")
    changes = {
        "seed": ({"seed": 8}, "seed: 7 and 8"),
        "settings": ({"settings": {"n_patterns": 4}}, "settings.n_patterns: 3 and 4"),
        "title": ({"title": "b"}, "title: 'a study' and 'b'"),
        "lanes": ({"lanes": ()}, "lanes: 'temperature' and ''"),
    }
    for name, (change, message) in changes.items():
        sweep = study.sweep({**study.AXES, "alpha": [0.5]}, 1)
        if name == "lanes":
            change |= {"cell": lambda seed, rule, alpha, temperature: xr.Dataset({"x": 1.0})}
        replace(sweep, **change).run(tmp_path / name, "threads", progress=False)
        with pytest.raises(ValueError, match=f"(?s)nothing was changed.*{message}.*side by side"):
            merge([tmp_path / "one", tmp_path / name], tmp_path / "new")
    other = replace(
        study.sweep(), cell=lambda seed, rule, alpha, temperature: xr.Dataset({"overlap": 1.0})
    )
    other.run(tmp_path / "shape", "threads", progress=False)
    with pytest.raises(
        ValueError, match="(?s)flips: .* and 'nothing'.*overlap: .*'pattern'.* and .*"
    ):
        merge([tmp_path / "one", tmp_path / "shape"], tmp_path / "new")
    study.computed(tmp_path / "rounded", {**study.AXES, "alpha": [0.125 + 1e-14]})
    with pytest.raises(ValueError, match="differs by rounding only"):
        merge([tmp_path / "one", tmp_path / "rounded"], tmp_path / "new")
    with pytest.raises(ValueError, match="nothing to merge"):
        merge([], tmp_path / "new")
    with pytest.raises(FileNotFoundError, match="no store at"):
        merge([tmp_path / "one", tmp_path / "none"], tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_damaged_cells_are_pending_in_what_is_merged(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    expected = study.computed(one).load()
    study.computed(other, {**study.AXES, "rule": ["glauber"]})
    for rule in "01":  # rule 0 is in the other store, rule 1 nowhere else
        (one / "energy" / "c" / rule / "0" / "0" / "0").write_bytes(b"")
    found = merge([one, other], tmp_path / "new")
    assert int((~found.done).sum()) == 2 and not damaged(tmp_path / "new")
    xr.testing.assert_identical(study.computed(tmp_path / "new").load(), expected)


# Packing


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    path = tmp_path_factory.mktemp("source") / "store"
    study.computed(path)
    return path


def test_a_packed_store_is_the_same_in_few_files(source, tmp_path):
    before = contents(source)
    found = repack(source, tmp_path / "packed").load()
    xr.testing.assert_identical(found, opened(source).load())
    assert status(tmp_path / "packed") == status(source)
    assert not damaged(tmp_path / "packed")
    files = list(contents(tmp_path / "packed"))
    assert len([file for file in files if "c" in file.relative_to(tmp_path / "packed").parts]) == 12
    assert contents(source) == before
    xr.testing.assert_identical(xr.open_zarr(tmp_path / "packed", consolidated=False).load(), found)


def test_a_packed_store_is_used_and_never_written(source, tmp_path):
    path, expected = tmp_path / "packed", opened(source).load()
    repack(source, path)
    before = contents(tmp_path)
    xr.testing.assert_identical(study.computed(path).load(), expected)
    part = study.computed(path, {**study.AXES, "alpha": [0.25]}, 1).load()
    xr.testing.assert_identical(part.done, expected.done.sel(alpha=[0.25], realisation=[0]))
    message = "is packed: nothing is added.*`python -m hopfield_sim merge .*packed --into NEW`"
    with pytest.raises(ValueError, match=message):
        study.computed(path, realisations=3)
    with pytest.raises(ValueError, match=message):
        merge([source], into=path)
    assert contents(tmp_path) == before
    larger = study.computed(tmp_path / "larger", realisations=3).load()
    merge([path], tmp_path / "goes on")
    xr.testing.assert_identical(opened(tmp_path / "goes on").load(), expected)
    xr.testing.assert_identical(study.computed(tmp_path / "goes on", realisations=3).load(), larger)


def test_damage_in_a_packed_store_is_found(source, tmp_path):
    for change in (lambda file: file.write_bytes(file.read_bytes()[:-9]), Path.unlink):
        path = tmp_path / change.__name__.strip("<>")
        repack(source, path)
        change(next(file for file in (path / "energy" / "c").rglob("*") if file.is_file()))
        assert len(damaged(path)) == 24
        with pytest.raises(ValueError, match="is packed: nothing is added"):
            study.computed(path)
        with pytest.raises(ValueError, match="24 finished points of .* cannot be read, such as"):
            repack(path, tmp_path / "again")


def test_large_variables_are_cut_into_chunks_and_files(source, tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_CHUNK", 64)
    monkeypatch.setattr(archive, "_SHARD", 256)
    found = repack(source, tmp_path / "packed").load()
    xr.testing.assert_identical(found, opened(source).load())
    array = zarr.open_group(tmp_path / "packed", mode="r")["overlap"]
    assert array.nchunks > array.nchunks_initialized // 10 and np.prod(array.chunks) * 8 <= 64
    assert np.prod(array.shards) * 8 <= 256 and len(set(array.shards)) > 1
    assert not damaged(tmp_path / "packed")
    whole = damage.inspected(tmp_path / "packed")
    assert whole.done.all()


@pytest.fixture(scope="module")
def real(tmp_path_factory):
    """A store without complex numbers."""
    path = tmp_path_factory.mktemp("real") / "store"

    def cell(seed, **point):
        return study.cell(seed, **point).drop_vars("field").assign_attrs(of="the cell")

    replace(study.sweep(), cell=cell).run(path, "threads", 1, progress=False)
    return path


@pytest.mark.parametrize("engine", ["h5netcdf", "netcdf4", "scipy"])
def test_one_netcdf_file_has_the_same_numbers(real, tmp_path, monkeypatch, engine):
    module = {"netcdf4": "netCDF4"}.get(engine, engine)
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed: it is one of three ways to write NetCDF")
    monkeypatch.setattr(archive, "_engine", lambda: engine)
    path = tmp_path / "results.nc"
    found, expected = repack(real, path).load(), opened(real).load()
    found.close()
    assert [file.name for file in tmp_path.iterdir()] == ["results.nc"]
    runs = found["provenance"].attrs["runs"]
    assert expected.attrs == {
        k: getattr(v, "item", lambda v=v: v)() for k, v in found.attrs.items()
    }
    assert "date" in runs
    found = found.drop_vars("provenance").assign_attrs(expected.attrs)
    xr.testing.assert_equal(found, expected)
    for name, variable in expected.variables.items():
        assert dict(found[name].attrs) == variable.attrs
        if engine != "scipy" and variable.dtype.kind in "biuf":
            assert found[name].dtype == variable.dtype, name


def test_what_netcdf_cannot_hold_is_refused_with_what_can(source, real, tmp_path, monkeypatch):
    with pytest.raises(
        ValueError, match="no complex numbers, and field of .* has: repack into a Z"
    ):
        repack(source, tmp_path / "results.nc")
    monkeypatch.setattr(archive, "_engine", lambda: "scipy")
    large = tmp_path / "large"
    Sweep(lambda seed, n: xr.Dataset({"x": 2**40 + n}), {"n": [1, 2]}).run(large, "threads")
    with pytest.raises(
        ValueError, match=r"install h5netcdf \(pip install 'hopfield-sim\[netcdf\]'"
    ):
        repack(large, tmp_path / "results.nc")
    assert [file.name for file in tmp_path.iterdir()] == ["large"]


def test_nothing_is_overwritten_and_nothing_unfinished_is_packed_unasked(tmp_path):
    path = tmp_path / "store"
    partial = replace(study.sweep(), cells=[{"realisation": 0}])
    partial.run(path, "threads", 1, progress=False)
    (tmp_path / "file.nc").write_text("precious")
    (tmp_path / "folder").mkdir()
    for there in ("file.nc", "folder", "store"):
        with pytest.raises(
            FileExistsError, match="exists, and nothing was changed: repack into an"
        ):
            repack(path, tmp_path / there)
    with pytest.raises(ValueError, match=r"12 of 24 points of .* are pending: .*partial=True"):
        repack(path, tmp_path / "packed")
    found = repack(path, tmp_path / "packed", partial=True)
    xr.testing.assert_identical(found.load(), opened(path).load())
    assert status(tmp_path / "packed").done == 6
    names = {file.name for file in tmp_path.iterdir()}
    assert names == {"store", "file.nc", "folder", "packed"}


# Many cells


def many(path, number):
    """A store of `number` cells and eight variables, written without computing them."""

    def cell(seed, alpha, temperature):
        numbers = xr.Dataset({f"x{k}": float(k) for k in range(7)})
        return numbers.assign(series=("sample", np.arange(16.0)))

    axes = {"alpha": np.arange(number // 100) / 7, "temperature": np.arange(10) / 3}
    replace(
        sweep := Sweep(cell, axes, realisations=10), cells=[{k: v[0] for k, v in axes.items()}]
    ).run(path, "threads", progress=False)
    place = layout.Layout(path)
    for k, array in enumerate([*place.arrays.values(), place.done]):
        if array.shape[0] == number // 100:
            values = np.arange(np.prod(array.shape)).reshape(array.shape) % 1009 + k
            array[...] = values if array is not place.done else True
    return sweep


@pytest.mark.parametrize("number", [200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_a_large_store_opens_at_once_after_packing(tmp_path, number):
    """10,000 cells of 8 variables: 80,000 files before, 22 after; 5 s are asked for."""
    path = tmp_path / "store"
    many(path, number)
    began = time.perf_counter()
    found = damage.inspected(path)
    checked = time.perf_counter() - began
    assert found.done.all()
    began = time.perf_counter()
    repack(path, tmp_path / "packed")
    packed = time.perf_counter() - began
    code = (
        "import sys, time; began = time.perf_counter()\n"
        "from hopfield_sim.store import opened\n"
        "found = opened(sys.argv[1]); found.done.load(); found.series.load()\n"
        "seconds = time.perf_counter() - began\n"
        "print(seconds, int(found.done.sum()), float(found.series[-1, -1, -1, -1]))"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "packed")]
    told = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    seconds, done, last = map(float, told.split())
    files = len(contents(tmp_path / "packed"))
    print(
        f"\n{number} cells: files checked in {1e6 * checked / (9 * number):.0f} ms per 1,000,"
        f" packed in {packed:.1f} s into {files} files, opened with `done` and a variable in"
        f" {seconds:.2f} s"
    )
    assert done == number and last == opened(path).series[-1, -1, -1, -1] and seconds < 5
    assert files <= 2 * 14 + 2


# The command line


def command(capsys, *arguments, expect=0):
    """What `python -m hopfield_sim` prints, and on which exit status."""
    with pytest.raises(SystemExit) as ended:
        main([str(argument) for argument in arguments])
    told = capsys.readouterr()
    assert ended.value.code == expect, told
    return told.out if expect < 2 else told.err


def test_help_tells_what_can_be_done():
    for arguments, words in (
        ((), ("status", "check", "merge", "repack")),
        (("merge",), ("--into", "same title")),
    ):
        line = [sys.executable, "-m", "hopfield_sim", *arguments, "--help"]
        told = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
        for word in words:
            assert word in told


def test_stores_are_told_merged_packed_and_checked(tmp_path, capsys):
    run = functools.partial(command, capsys)
    one, other, new, packed = (tmp_path / name for name in ("one", "other", "new", "packed"))
    study.computed(one, realisations=1)
    study.computed(other, {**study.AXES, "alpha": [0.5]})
    told = run("status", one, other)
    assert "6 of 6 cells done, 0 pending" in told and "4 of 4 cells done" in told
    assert "10 of 16 cells done, 6 pending" in run("merge", one, other, "--into", new)
    assert "12 of 32 points" in run("repack", new, "--into", packed, expect=2)
    assert "26 files" in run("repack", new, "--into", packed, "--partial")
    assert "no damaged points" in run("check", one)
    (one / "energy" / "c" / "0" / "0" / "0" / "0").write_bytes(b"")
    told = run("check", other, one, expect=1)
    assert "2 damaged points\n  rule='glauber', temperature=0.25, alpha=0.125, realisation" in told


def test_bad_input_ends_with_a_sentence(tmp_path, capsys):
    run = functools.partial(command, capsys, expect=2)
    assert run("status", tmp_path / "none") == f"error: there is no store at {tmp_path / 'none'}\n"
    assert "name at least one store" in run("status")
    assert "is no store of a sweep" in run("check", tmp_path)
    assert "there is no store" in run("merge", tmp_path / "none", "--into", tmp_path / "new")
    assert "there is no store" in run("repack", tmp_path / "none", "--into", tmp_path / "new")
    assert not list(tmp_path.iterdir())
