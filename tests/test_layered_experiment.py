"""The study of layered energies: end to end; its reductions; what it refuses."""

import numpy as np
import pytest
import xarray as xr

from analysis import layered_energy
from experiments import layered_energy as experiment
from hopfield_sim.sweep import opened
from hopfield_sim.theory import stored_set
from tests import commands

SMALL = """--dimension 4 8 --n-patterns 4 8 16 32 64 128 256 512 --points 32 --pairs 50
    --stack-patterns 20 --layers 4 --cues 8 --realisations 3 --scheduler threads"""


def run(folder, *more, expect=0):
    places = ("--store", f"{folder}/layered_energy", "--figure", f"{folder}/layered_energy.png")
    return commands.printed("layered_energy", *SMALL.split(), *places, *more, expect=expect)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("layered_energy")
    return folder, run(folder)


def store(folder, name):
    return opened(folder / "layered_energy" / f"{name}.zarr").load()


def test_it_ends_with_a_verdict_and_a_figure(finished):
    folder, printed = finished
    last = printed.splitlines()[-1]
    assert last.startswith("cross-entropy, stored, against the exact law") and "mean z²" in last
    assert "half the curvature" in printed and "constant approximately equal to 1" in printed
    assert (folder / "layered_energy.png").stat().st_size > 10_000
    for name in ("entropy", "surrogate", "stack"):
        found = store(folder, name)
        for variable in found.data_vars:
            about = found[variable].attrs
            assert about["long_name"] and about["units"], variable


def test_cross_entropies_are_those_of_theory(finished):
    """96 patterns a point: they scatter by less than 1 nat, so that 0.5 is five errors; where
    stored ones have few neighbours, their scatter is smaller still."""
    found = store(finished[0], "entropy")
    law = stored_set.cross_entropy(found.dimension, found.n_patterns, 1.0)
    for name in ("stored", "held_out"):
        assert float(np.abs(found[name].mean("realisation") - law[name]).max()) < 0.5
    assert (found.stored < found.held_out).mean() > 0.8


def test_surrogates_and_stacks_keep_the_inequalities(finished):
    """Energies are below 30 d = 500 here, at |x - y| = 10 sqrt(d) below 1000: rounding 1e-12."""
    surrogate, stack = (store(finished[0], name) for name in ("surrogate", "stack"))
    assert surrogate.gap.sel(surrogate="right").min() > -1e-12
    assert surrogate.touch.sel(surrogate="right").max() < 1e-12
    assert surrogate.gap.sel(surrogate="flat", distance=1.0).min() < -0.1
    assert surrogate.touch.sel(surrogate="other").max() > 0.01
    line = surrogate.profile.sel(surrogate="right") - surrogate.energy
    assert line.min() > -1e-12
    assert stack.off.max() < 1e-12 and stack.rise.max() < 1e-12
    assert stack.fall.diff("depth").max() < 1e-12
    below = stack.bound.values - stack.fall.isel(depth=slice(1, None)).transpose(
        *stack.bound.dims[:-1], "depth"
    )
    assert below.min() > -1e-12
    # what is left of the energies is work
    rest = (
        stack.energy
        - stack.work
        - stack.fall.isel(depth=slice(1, None))
        .rename(depth="layer")
        .assign_coords(layer=stack.layer)
    )
    assert np.abs(rest).max() < 1e-12


def test_kinds_of_stacks():
    settings = experiment.Settings(stack_patterns=20, layers=4)
    same, sharper, growing, different = (
        experiment.layers(settings, (1, 0), kind) for kind in experiment.KINDS
    )
    assert len({id(each) for each in same}) == 1 and len(same) == 4
    np.testing.assert_allclose([each.beta for each in sharper], 0.4 * 4 ** np.linspace(-1, 1, 4))
    assert [each.n_patterns for each in growing] == [5, 10, 15, 20]
    assert all(np.array_equal(g.patterns, same[0].patterns[: g.n_patterns]) for g in growing)
    assert np.array_equal(sharper[0].patterns, same[0].patterns)
    assert len({each.patterns.tobytes() for each in different}) == 4
    assert {each.n_patterns for each in different} == {20}


def memory_store(law, d=(8, 12), exponents=range(2, 13), noise=0.0):
    numbers = 2 ** np.array(exponents)
    spread = noise * np.array([-1.0, 0, 1])
    memory = np.array([[law(dim, m) + spread for m in numbers] for dim in d])
    dims = ("dimension", "n_patterns", "realisation")
    coords = {"dimension": list(d), "n_patterns": numbers, "realisation": range(3)}
    zero = np.zeros_like(memory)
    return xr.Dataset({"stored": (dims, zero), "held_out": (dims, memory)}, coords=coords)


def test_where_memory_ends():
    """memory = ln 2 - (ln M - 5): straight, so the end is 5 and the error that of the memory."""
    found = memory_store(lambda d, m: np.log(2) - (np.log(m) - 5), noise=0.1)
    predicted = stored_set.cross_entropy(found.dimension, found.n_patterns, 1.0)
    ends = layered_energy.ends(found, predicted, 1.0)
    np.testing.assert_allclose(ends.log_n_patterns, 5, atol=1e-12)
    np.testing.assert_allclose(ends.error, 0.1 / np.sqrt(3), rtol=1e-9)
    # the exact law on the grid of M = 2^k: cubics are right to 0.01 in ln M
    np.testing.assert_allclose(ends.interpolated, ends.exact, atol=0.01)
    np.testing.assert_allclose(ends.limit, 0.62257 * ends.dimension, rtol=1e-5)
    assert "5.000 ± 0.058" in layered_energy.end_table(ends)


def test_no_end_inside_the_grid():
    found = memory_store(lambda d, m: 3.0 + 0 * m)
    predicted = stored_set.cross_entropy(found.dimension, found.n_patterns, 1.0)
    ends = layered_energy.ends(found, predicted, 1.0)
    assert ends.log_n_patterns.isnull().all() and "nan" in layered_energy.end_table(ends)


def test_a_second_run_reuses_and_other_settings_are_refused(finished):
    folder, printed = finished
    chunks = {p: p.stat().st_mtime_ns for p in (folder / "layered_energy").rglob("c/*")}
    with pytest.raises(ValueError, match="points"):
        experiment.main(
            experiment.Settings(
                store=folder / "layered_energy",
                dimension=(4, 8),
                n_patterns=tuple(2**k for k in range(2, 10)),
                realisations=3,
            )
        )
    assert chunks == {p: p.stat().st_mtime_ns for p in (folder / "layered_energy").rglob("c/*")}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"dimension": (1,)}, "--dimension .*at least 2"),
        ({"dimension": ()}, "--dimension"),
        ({"n_patterns": (1, 4)}, "--n-patterns .*at least 2"),
        ({"points": 0}, "--points 0"),
        ({"pairs": 0}, "--pairs 0"),
        ({"layers": 1}, "--layers 1: at least 2"),
        ({"stack_patterns": 3}, "--stack-patterns 3: at least 12"),
        ({"stack_dimension": 1}, "--stack-dimension 1"),
        ({"cues": 0}, "--cues 0"),
        ({"sharpness": 0.0}, "--sharpness 0.0: a number > 0"),
        ({"stack_sharpness": float("nan")}, "nan"),
        ({"surrogate_sharpness": ()}, "--surrogate-sharpness"),
    ],
)
def test_wrong_input_is_refused_before_any_work(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment.sweeps(experiment.Settings(**changed))


def test_dry_run_only_tells(tmp_path, capsys):
    experiment.main(experiment.Settings(store=tmp_path / "store", dry_run=True, workers=1))
    printed = capsys.readouterr().out
    for word in ("cells", "scores of a point", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())
