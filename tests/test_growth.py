"""Sweeps done in parts: more realisations, more values, chosen cells, the same numbers."""

import functools
import json
import multiprocessing

import numpy as np
import pytest
import xarray as xr

import hopfield_sim.store
from hopfield_sim import grid
from hopfield_sim.sweep import Sweep, opened, status


def number(seed, alpha, temperature):
    """What a cell finds at a point, from its coordinates alone."""
    words = [*seed, round(1e6 * alpha), round(1e6 * temperature)]
    return np.random.default_rng(words).normal()


def cell(seed, alpha, temperature, calls=None):
    if calls is not None:
        calls.append((alpha, temperature.tolist(), seed[1]))
    found = [number(seed, alpha, t) for t in temperature]
    return xr.Dataset(
        {
            "overlap": (("temperature", "pattern"), np.outer(found, [1, 2, 3])),
            "energy": ("temperature", np.array(found, np.float32)),
            "flips": ((), seed[1]),
        },
        coords={"pattern": [0, 1, 2], "temperature": ("temperature", temperature, {"units": "J"})},
    )


def sweep(alpha=(0.1, 0.2), temperature=(0.5, 1.0), realisations=2, calls=None, **more):
    return Sweep(
        functools.partial(cell, calls=calls),
        {"temperature": temperature, "alpha": alpha},
        lanes=("temperature",),
        realisations=realisations,
        seed=5,
        settings={"n": 1},
        **more,
    )


def whole(path, **grid_):
    """The same grid computed at once, elsewhere."""
    return sweep(**grid_).run(path.with_name("at once"), "threads", 1).load()


LARGER = {
    "realisations": {"realisations": 5},
    "values": {"alpha": [0.05, 0.1, 0.15, 0.2]},
    "lanes": {"temperature": [0.2, 0.5, 0.7, 1.0, 1.2]},
    "everything": {"alpha": [0.3, 0.1, 0.2], "temperature": [1.0, 0.1, 0.5], "realisations": 3},
}


@pytest.mark.parametrize("larger", LARGER)
def test_a_sweep_on_a_larger_grid_goes_on_in_its_store(tmp_path, larger):
    path, calls = tmp_path / "store", []
    sweep().run(path, "threads", 1)
    found = sweep(**LARGER[larger], calls=calls).run(path, "threads", 2)
    xr.testing.assert_identical(found.load(), whole(path, **LARGER[larger]))
    old = {(a, t, r) for a in (0.1, 0.2) for t in (0.5, 1.0) for r in (0, 1)}
    points = [(a, t, r) for a, lanes, r in calls for t in lanes]
    assert not old & set(points), "what was there is not computed again"
    assert len(points) + len(old) == found.done.size, "and nothing else twice"


def test_of_a_larger_store_a_sweep_returns_its_own_grid(tmp_path):
    path, calls = tmp_path / "store", []
    sweep(alpha=[0.1, 0.2, 0.3], temperature=[0.2, 0.5, 1.0], realisations=4).run(path, "threads")
    found = sweep(alpha=[0.3, 0.1], temperature=[1.0, 0.2], calls=calls).run(path, "threads")
    assert not calls
    wanted = whole(path, alpha=[0.3, 0.1], temperature=[1.0, 0.2])
    xr.testing.assert_identical(found.load(), wanted)
    assert status(path).total == 12


def test_a_store_that_grew_keeps_what_it_had_and_can_be_read_by_anyone(tmp_path):
    path = tmp_path / "store"
    before = sweep().run(path, "threads", 1).load()
    sweep(**LARGER["everything"]).run(path, "threads", 1)
    after = xr.open_zarr(path, consolidated=False).load()
    assert after.alpha.values.tolist() == [0.1, 0.2, 0.3], "in the order of their arrival"
    assert after.temperature.values.tolist() == [0.5, 1.0, 0.1]
    xr.testing.assert_identical(after.sel(before.coords), before)
    assert after.attrs == before.attrs
    assert after.temperature.attrs["units"] == "J"


def test_partial_lanes_are_completed_and_no_others_computed(tmp_path):
    path, calls = tmp_path / "store", []
    sweep().run(path, "threads", 1)
    larger = {"temperature": [0.5, 1.0, 1.5]}
    some = sweep(**larger, cells=[{"alpha": 0.1, "realisation": 0}], calls=calls)
    found = some.run(path, "threads", 1)
    assert calls == [(0.1, [1.5], 0)]
    assert status(path).done == 1, "a cell is done when all its lanes are"
    assert int(found.done.sum()) == 4 * 2 + 1
    sweep(**larger, calls=calls).run(path, "threads", 1)
    assert len(calls) == 4
    xr.testing.assert_identical(opened(path).load(), whole(path, **larger))


def test_lanes_that_influence_what_is_stored_beside_them_are_noticed(tmp_path):
    def coupled(seed, beta):
        return xr.Dataset({"x": ("beta", beta), "mean": beta.mean()})

    path = tmp_path / "store"
    Sweep(coupled, {"beta": [1.0, 2.0]}, ("beta",)).run(path, "threads")
    with pytest.raises(RuntimeError, match="(?s)mean has no lane among its dims and was.*1.5"):
        Sweep(coupled, {"beta": [1.0, 2.0, 6.0]}, ("beta",)).run(path, "threads")
    assert (
        opened(path)["mean"].item() == 1.5 and opened(path).done.values.tolist()[:2] == [[True]] * 2
    )


def test_values_that_differ_by_rounding_are_refused(tmp_path):
    path = tmp_path / "store"
    sweep(alpha=[0.1, 0.3]).run(path, "threads")
    with pytest.raises(ValueError, match="alpha=0.30000000000000004 differs by rounding only"):
        sweep(alpha=[0.1, 0.1 + 0.2]).run(path, "threads")
    with pytest.raises(ValueError, match=r"give 0\.3 where the same point is meant"):
        sweep(alpha=[0.1, 0.3]).extended([{"alpha": 0.1 + 0.2}])
    with pytest.raises(ValueError, match="alpha of type float64, this sweep of type int64"):
        sweep(alpha=[1, 2]).run(path, "threads")
    assert opened(path).alpha.values.tolist() == [0.1, 0.3]


# Chosen cells


def test_only_the_cells_that_are_named_are_computed(tmp_path):
    calls = []
    cells = [{"alpha": 0.1, "temperature": 1.0}, {"realisation": 1, "alpha": 0.2}]
    found = sweep(cells=cells, calls=calls).run(tmp_path / "store", "threads", 1)
    assert calls == [(0.1, [1.0], 0), (0.1, [1.0], 1), (0.2, [0.5, 1.0], 1)]
    expected = whole(tmp_path / "store")
    xr.testing.assert_identical(
        found.where(found.done).drop_vars("done"), expected.where(found.done).drop_vars("done")
    )
    assert found.done.sum() == 4 and found.overlap.where(~found.done).isnull().all()
    sweep(calls=calls).run(tmp_path / "store", "threads", 1)
    assert calls[3:] == [(0.1, [0.5], 0), (0.1, [0.5], 1), (0.2, [0.5, 1.0], 0)]


def test_a_sweep_extended_by_cells_computes_them_in_its_store(tmp_path):
    path, calls = tmp_path / "store", []
    small = sweep(calls=calls)
    small.run(path, "threads", 1)
    del calls[:]
    proposed = [
        {"alpha": 0.15, "temperature": 0.7, "realisation": 2},
        {"alpha": 0.1, "realisation": 4},
    ]
    larger = small.extended(proposed)
    assert larger.axes["alpha"].tolist() == [0.1, 0.15, 0.2]
    assert larger.axes["temperature"].tolist() == [0.5, 0.7, 1.0]
    assert larger.realisations == 5
    found = larger.run(path, "threads", 1)
    assert calls == [(0.1, [0.5, 0.7, 1.0], 4), (0.15, [0.7], 2)]
    assert int(found.done.sum()) == 8 + 3 + 1
    again = small.extended([{"temperature": np.float64(0.2)}, {"temperature": 0.2}])
    assert again.axes["temperature"].tolist() == [0.2, 0.5, 1.0]
    falling = sweep(alpha=[0.3, 0.1]).extended([{"alpha": 0.2}])
    assert falling.axes["alpha"].tolist() == [0.3, 0.2, 0.1]


@pytest.mark.parametrize(
    "cells, message",
    [
        ([{"alpha": 0.15}], r"alpha=0.15, which is no value of that axis: use extended\(cells\)"),
        ([{"beta": 1}], r"names \['beta'\], but the grid has \('temperature', 'alpha', 'realis"),
        ([{"realisation": 2}], "realisation=2, which is no value"),
    ],
)
def test_cells_that_are_not_in_the_grid_are_refused(cells, message):
    with pytest.raises(ValueError, match=message):
        sweep(cells=cells)
    with pytest.raises(TypeError, match="cells are mappings"):
        sweep(cells=["alpha"])
    with pytest.raises(ValueError, match="all whole or all real"):
        Sweep(lambda seed, n: None, {"n": [1, 2]}).extended([{"n": 1.5}])


def test_rectangles_cover_every_point_once():
    rng = np.random.default_rng(1)
    for shape in ((), (4,), (3, 5), (3, 2, 4)):
        for density in (0.0, 0.3, 0.8, 1.0):
            mask = rng.random(shape) < density
            covered = np.zeros(shape, int)
            for positions in grid.rectangles(mask):
                covered[np.ix_(*positions)] += 1
            np.testing.assert_array_equal(covered, mask)
    whole_ = list(grid.rectangles(np.ones((3, 5), bool)))
    assert len(whole_) == 1


# While the grid is made larger


def test_a_grid_whose_enlargement_broke_off_is_completed(tmp_path, monkeypatch):
    import zarr

    path, steps = tmp_path / "store", []
    sweep().run(path, "threads", 1)
    before = opened(path).load()
    resize = zarr.Array.resize
    monkeypatch.setattr(hopfield_sim.store, "_PATIENCE", 0)
    # the enlargement resizes seven arrays: it is broken off before each of them in turn
    for broken in range(7):
        del steps[:]

        def breaking(array, shape, broken=broken):
            steps.append(array.path)
            if len(steps) > broken:
                raise KeyboardInterrupt
            resize(array, shape)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(zarr.Array, "resize", breaking)
            sweep(**LARGER["everything"]).run(path, "threads", 1)
        with pytest.raises(ValueError, match="run that sweep again, which completes the grid"):
            opened(path)
    assert len(set(steps)) == 7
    found = sweep().run(path, "threads", 1)  # also one that does not need the larger grid
    xr.testing.assert_identical(found.load(), before)
    found = sweep(**LARGER["everything"]).run(path, "threads", 1)
    xr.testing.assert_identical(found.load(), whole(path, **LARGER["everything"]))


def _run(path, larger, gate):
    gate.wait()
    sweep(**larger).run(path, "threads", 1)


def test_processes_that_enlarge_one_store_at_once_lose_nothing(tmp_path):
    path, context = tmp_path / "store", multiprocessing.get_context("spawn")
    sweep().run(path, "threads", 1)
    grids = [
        {"temperature": [0.5, 1.0, 0.2]},
        {"temperature": [0.5, 1.0, 0.3, 0.4], "realisations": 3},
        {"alpha": [0.1, 0.2, 0.7], "temperature": [1.3, 0.5, 1.0]},
    ]
    gate = context.Barrier(len(grids))
    processes = [context.Process(target=_run, args=(path, larger, gate)) for larger in grids]
    for process in processes:
        process.start()
    for process in processes:
        process.join(120)
        assert process.exitcode == 0
    calls = []
    for larger in grids:
        found = sweep(**larger, calls=calls).run(path, "threads", 1).load()
        for t in found.temperature.values:
            for a in found.alpha.values:
                for r in found.realisation.values:
                    value = found.energy.sel(temperature=t, alpha=a, realisation=r).item()
                    assert value == np.float32(number((5, r), a, t))
    assert not calls, "all was done"
    entries = json.loads(
        json.loads((path / "provenance" / "zarr.json").read_text())["attributes"]["runs"]
    )
    assert len(entries) == 1 + len(grids), "each run has left word"


def test_a_status_tells_how_far_a_sweep_is(tmp_path):
    path = tmp_path / "store"
    sweep(cells=[{"realisation": 0}]).run(path, "threads", provenance={"device": "cpu"})
    found = status(path)
    assert (found.done, found.pending, found.total) == (2, 2, 4)
    assert found.rate > 0 and found.remaining is None, "nobody is at work"
    assert found.runs[0]["device"] == "cpu"
    text = str(found)
    assert text.startswith("2 of 4 cells done, 2 pending\n")
    assert "2 cells in 0 s" in text and text.endswith("ended")
