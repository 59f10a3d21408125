"""The study of synchronous recall end to end, small; and the reduction of its numbers."""

import numpy as np
import pytest
import xarray as xr

from analysis import transient
from hopfield_sim import theory
from hopfield_sim.sweep import opened
from tests import commands

SMALL = """--n-neurons 400 800 --alpha 0.05 0.1 --start-overlap 0.1 0.3 0.5 0.8 --compared 0.3 0.8
    --realisations 4 --replicas 2 --steps 15 --theory-samples 2000 --scheduler threads"""


def run(folder, *more, expect=0):
    places = ("--store", f"{folder}/transient.zarr", "--figure", f"{folder}/transient.png")
    return commands.printed("transient", *SMALL.split(), *places, *more, expect=expect)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("transient")
    return folder, run(folder)


def test_it_ends_with_a_verdict_and_a_figure(finished):
    folder, printed = finished
    assert "mean z²" in printed.splitlines()[-1]
    assert (folder / "transient.png").stat().st_size > 10_000
    assert "what a neuron hears of its own past" in printed
    found = opened(folder / "transient.zarr").load()
    assert found.overlap.dims == ("n_neurons", "alpha", "start_overlap", "realisation", "step")
    start = found.overlap.sel(step=0)
    assert (start == found.start_overlap).all()  # exactly m0
    exact = theory.transient.first_steps(found.alpha, found.start_overlap)
    away = found.overlap.mean("realisation").sel(step=[1, 2]) - exact.m
    # Spread of m in one network of 400: about 0.05; of the mean of 8 starts in 4, half of it.
    assert abs(away).max() < 0.12
    recalled = found.recalled.mean("realisation").sel(alpha=0.05)
    assert (recalled.sel(start_overlap=0.8) == 1).all()
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name


def test_a_second_run_reuses_and_other_settings_are_refused(finished):
    folder, printed = finished
    before = {p: p.stat().st_mtime_ns for p in (folder / "transient.zarr").rglob("c/*")}
    assert run(folder) == printed
    refusal = run(folder, "--replicas", "3", expect=2)
    assert "replicas" in refusal and "Traceback" not in refusal
    assert before == {p: p.stat().st_mtime_ns for p in (folder / "transient.zarr").rglob("c/*")}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--alpha", "0.0512"), "whole number"),
        (("--alpha", "0"), "no such network"),
        (("--start-overlap", "0.333"), "whole number"),
        (("--start-overlap", "1.5", "--compared", "1.5"), "no such network or start"),
        (("--compared", "0.25"), "not simulated"),
        (("--steps", "3"), "at least 12"),
        (("--replicas", "0"), "at least 1"),
    ],
)
def test_wrong_input_ends_with_a_sentence(tmp_path, arguments, sentence):
    printed = run(tmp_path, *arguments, expect=2)
    assert sentence in printed and printed.startswith("error: ")
    assert not list(tmp_path.iterdir())  # nothing was made


def test_dry_run_only_tells(tmp_path):
    printed = run(tmp_path, "--dry-run")
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


def test_edge_is_where_half_is_recalled():
    starts = np.linspace(0.1, 0.6, 11)
    centre = xr.DataArray([0.3, 0.42], dims="alpha", coords={"alpha": [0.1, 0.12]})
    spread = xr.DataArray([-0.01, 0.0, 0.01], dims="realisation")
    m0 = xr.DataArray(starts, dims="start_overlap", coords={"start_overlap": starts})
    fraction = (0.5 + (m0 - centre - spread) / 0.2).clip(0, 1).expand_dims(n_neurons=[100])
    edges = transient.basin_edges(fraction)
    # The fraction is linear in m0 around the edge, and so is the mean of three.
    np.testing.assert_allclose(edges.estimate.sel(n_neurons=100), centre, atol=1e-12)
    np.testing.assert_allclose(edges.error, 0.01 / np.sqrt(3), atol=1e-12)
    np.testing.assert_allclose(edges.amari_maginu[0], 0.2094307346, atol=1e-9)
    assert "0.2094" in transient.edge_table(edges)
    never = transient.basin_edges(fraction * 0.4)
    assert never.estimate.isnull().all()


def test_the_theory_has_its_share_of_the_error():
    rng = np.random.default_rng(0)
    values = 0.5 + 0.01 * rng.standard_normal((2, 6))
    m = xr.DataArray(values, dims=("step", "realisation"), coords={"step": [0, 1]})
    exact = xr.Dataset({"m": ("step", [0.5, 0.5]), "m_error": ("step", [0.0, 0.02])})
    exact = exact.assign_coords(step=[0, 1])
    alone = transient.scores(m, exact.assign(m_error=0 * exact.m_error))
    both = transient.scores(m, exact)
    assert both.error[0] == alone.error[0] and both.z[0] == alone.z[0]
    assert float(both.error[1]) == pytest.approx(np.hypot(float(alone.error[1]), 0.02))
    assert float(both.z[1] * both.error[1]) == pytest.approx(float(alone.z[1] * alone.error[1]))
