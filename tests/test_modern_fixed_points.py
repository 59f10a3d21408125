"""The study of fixed points of modern Hopfield networks: patterns, reductions, end to end."""

import dataclasses

import numpy as np
import pytest
import tyro
import xarray as xr

from analysis import comparison, modern_fixed_points
from experiments import modern_fixed_points as experiment
from hopfield_sim.sweep import opened
from tests import commands

SMALL = """--n-clusters 3 --n-patterns 3 --dimension 64 --separation 0.1 0.5
    --self-overlap 2 8 60 --dimensions 32 64 128 --probed 0.1 --repeats 4 --n-orthogonal 4
    --places 6 --n-digits 12 --digits-beta 3 60 --realisations 2 --scheduler threads"""


# ------------------------------------------------------------------------------------- the patterns


def test_overlaps_of_clusters():
    settings = experiment.Settings(n_clusters=4, n_patterns=3)
    exact = experiment.hierarchical(settings, 0.3, (1, 0))
    wanted = np.kron(np.eye(4), np.full((3, 3), 0.7) + 0.3 * np.eye(3))
    np.testing.assert_allclose(exact @ exact.T, wanted, atol=1e-12)
    overlaps = []
    for realisation in range(20):
        x = experiment.clustered(settings, 400, 0.3, (1, realisation))
        overlaps.append(x @ x.T)
    overlaps = np.array(overlaps)
    np.testing.assert_allclose(np.diagonal(overlaps, axis1=1, axis2=2), 1, atol=1e-12)
    # a cosine of independent directions has mean 0 and variance 1/d; five standard errors of the
    # mean of 20, and within a cluster they are smaller by the factor 0.3
    assert np.abs(overlaps.mean(axis=0) - wanted).max() < 5 / np.sqrt(400 * 20)
    within = overlaps[:, wanted == 0.7]
    assert within.std() == pytest.approx(0.3 / np.sqrt(400), rel=0.2)


def test_points_are_a_factor_from_all_lines():
    settings = experiment.Settings()
    for separation in settings.probed:
        line = modern_fixed_points.lines([separation], 8, 8).isel(separation=0)
        K = {state: experiment.probe(settings, separation, state) for state in experiment.STATES}
        assert K["single"] == pytest.approx(1.5 * float(line.single))
        assert 1.499 * K["global"] < min(float(line.single), float(line.cluster))
        if separation < 0.3:
            assert 1.5 * float(line.cluster) < K["cluster"] < float(line.single) / 1.5
        else:
            assert np.isnan(K["cluster"])


# ----------------------------------------------------------------------------------- the reductions


def a_map(settings, change=0.0):
    """A store of the map, made from the theory itself, and changed."""
    grid = {"separation": [0.1, 0.5], "self_overlap": [2.0, 12.0, 200.0]}
    empty = xr.Dataset(coords=grid)
    exact = modern_fixed_points.predicted(empty, settings.n_clusters, settings.n_patterns)
    found = exact.drop_vars("kind").expand_dims(realisation=2).copy(deep=True)
    found["converged"] = xr.ones_like(found.weight)
    found["log_n_effective"] = found.log_n_effective + change
    return found.transpose("separation", "self_overlap", "realisation"), exact


def test_deviations_and_kinds():
    settings = experiment.Settings()
    found, exact = a_map(settings)
    assert ": agreement: " in modern_fixed_points.exact_text(found, exact)
    assert "6 of 6 points" in modern_fixed_points.kinds_text(found, exact, 8, 8)
    found, exact = a_map(settings, change=2e-6)
    assert ": disagreement: " in modern_fixed_points.exact_text(found, exact)
    found["converged"][:] = 0
    assert "6 points did not stand still" in modern_fixed_points.exact_text(found, exact)
    found, exact = a_map(settings, change=1.5)  # one pattern is taken for a cluster, and so on
    assert "6 of 6 points" not in modern_fixed_points.kinds_text(found, exact, 8, 8)


def test_limits_are_found():
    """ln(1/sum p^2) = theory + 3/d with noise: z normal; a shift of 0.1 is seen."""
    rng = np.random.default_rng(1)
    dims = ("separation", "state", "dimension", "realisation")
    d = np.array([100, 200, 400, 800])
    points = xr.Dataset(
        {
            "predicted": (dims[:2], [[0.2, 2.0], [0.1, np.nan]]),
            "self_overlap": (dims[:2], [[9.0, 5.0], [4.0, np.nan]]),
        },
        coords={"separation": [0.1, 0.5], "state": ["single", "cluster"]},
    )
    noise = 0.02 * rng.normal(size=(2, 2, 4, 16))
    values = points.predicted.values[..., None, None] + (3 / d)[:, None] + noise
    coords = {"dimension": d, "realisation": range(16)} | dict(points.coords)
    store = xr.Dataset({"log_n_effective": (dims, values)}, coords=coords)
    found = modern_fixed_points.limits(store, points)
    assert int(found.z.isnull().sum()) == 1
    assert float(np.abs(found.z).max()) < 4
    # the standard error of a slope here is about 2
    assert np.abs(found.slope - 3).max() < 8
    judged = comparison.verdict(found, columns=("separation", "state"))
    assert judged.n_cells == 3 and judged.word != "disagrees"
    shifted = modern_fixed_points.limits(store + 0.1, points)
    judged = comparison.verdict(shifted, columns=("separation", "state"))
    assert judged.word == "disagrees"
    assert "single" in modern_fixed_points.limits_table(found)


# ----------------------------------------------------------------------------------- the whole


def run(folder):
    places = ("--store", f"{folder}/mfp", "--figure", f"{folder}/mfp.png")
    return commands.printed("modern_fixed_points", *SMALL.split(), *places)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modern_fixed_points")
    return folder, run(folder)


def test_it_ends_with_verdicts_and_a_figure(finished):
    folder, printed = finished
    assert "clusters at right angles: agreement" in printed
    for network in experiment.NETWORKS:
        assert f"loop of {network}: agreement" in printed
    assert "NOT in" not in printed
    assert printed.splitlines()[-1].startswith("number of patterns in the fixed point")
    assert "mean z²" in printed.splitlines()[-1]
    assert (folder / "mfp.png").stat().st_size > 10_000
    for name in ("exact", "map", "sizes", "loops", "digits"):
        store = opened(folder / "mfp" / f"{name}.zarr").load()
        for variable in store.data_vars:
            assert store[variable].attrs["long_name"] and store[variable].attrs["units"], variable
    digits = opened(folder / "mfp" / "digits.zarr").load()
    assert (digits.n_states.sel(inverse_temperature=60) > 6).all()
    assert (digits.n_states.sel(inverse_temperature=3) == 1).all()


def test_a_second_run_reuses_and_other_settings_are_refused(finished, capsys):
    folder, printed = finished
    places = ("--store", f"{folder}/mfp", "--figure", f"{folder}/mfp.png")
    same = tyro.cli(experiment.Settings, args=[*SMALL.split(), *places])
    chunks = {p: p.stat().st_mtime_ns for p in (folder / "mfp").rglob("c/*")}
    experiment.main(same)
    assert capsys.readouterr().out == printed
    with pytest.raises(ValueError, match="n_patterns"):
        experiment.main(dataclasses.replace(same, n_patterns=4))
    assert chunks == {p: p.stat().st_mtime_ns for p in (folder / "mfp").rglob("c/*")}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"n_clusters": 1}, "--n-clusters 1: at least 2"),
        ({"n_patterns": 1}, "--n-patterns 1"),
        ({"n_orthogonal": 2}, "--n-orthogonal 2"),
        ({"n_digits": 2000}, "1797 images"),
        ({"separation": (0.0,)}, "--separation"),
        ({"probed": (1.2,)}, "--probed"),
        ({"self_overlap": (-1.0,)}, "--self-overlap"),
        ({"digits_beta": (np.nan,)}, "--digits-beta"),
        ({"dimension": 1}, "--dimension 1: at least 2"),
        ({"dimensions": (128, 256)}, "three at least"),
    ],
)
def test_wrong_input_is_refused_before_any_work(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment.sweeps(experiment.Settings(**changed))


def test_dry_run_only_tells(tmp_path, capsys):
    settings = experiment.Settings(
        store=tmp_path / "store", dry_run=True, workers=1, n_orthogonal=3, places=3, n_digits=9
    )
    experiment.main(settings)
    printed = capsys.readouterr().out
    for word in ("cells", "scores of a cue", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())
