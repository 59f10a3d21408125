"""The diluted network's simulation: its couplings, one step against the exact law, end to end."""

from dataclasses import replace

import numpy as np
import pytest

from experiments import diluted
from hopfield_sim import theory
from hopfield_sim.sweep import opened
from tests import commands

SMALL = """--n-neurons 3000 --n-inputs 5 10 --alpha 0.2 0.4 --temperature 0 0.3
    --start-overlap 0.4 1.0 --steps 6 --last 2 --realisations 3 --scheduler threads"""


@pytest.mark.parametrize(("n_patterns", "n_neurons", "n_inputs"), [(3, 40, 7), (70, 5001, 6)])
def test_couplings_are_hebbs_over_random_inputs(n_patterns, n_neurons, n_inputs):
    xi, strength = diluted.couplings(n_patterns, n_neurons, n_inputs, seed=(3, 1))
    assert strength.dtype == np.int32 and strength.nnz == n_neurons * n_inputs
    rows = np.repeat(np.arange(n_neurons), n_inputs)
    columns = strength.indices
    assert not np.any(rows == columns)
    np.testing.assert_array_equal(strength.data, (xi[:, rows] * xi[:, columns]).sum(axis=0))
    # each other neuron is an input equally often, and both directions are drawn on their own
    counts = np.bincount(columns, minlength=n_neurons)
    chi2 = ((counts - n_inputs) ** 2 / n_inputs).sum()
    assert abs(chi2 - n_neurons) < 5 * np.sqrt(2 * n_neurons)
    if n_neurons > 1000:
        back = set(zip(columns.tolist(), rows.tolist(), strict=True))
        mutual = len(back & set(zip(rows.tolist(), columns.tolist(), strict=True)))
        assert mutual < n_inputs**2 + 5 * n_inputs  # c^2 on average, Poisson
    other = diluted.couplings(n_patterns, n_neurons, n_inputs, seed=(3, 2))[1]
    assert np.mean(other.indices == columns) < 0.1


def test_couplings_do_not_depend_on_how_many_rows_are_drawn_together(monkeypatch):
    whole = diluted.couplings(5, 500, 6, seed=1)[1]
    monkeypatch.setattr(diluted, "_ROWS", 64)
    parts = diluted.couplings(5, 500, 6, seed=1)[1]
    np.testing.assert_array_equal(whole.indices, parts.indices)
    np.testing.assert_array_equal(whole.data, parts.data)


@pytest.mark.parametrize("network", [(4, 0.5), (4, 0.75), (20, 0.4)])
def test_one_step_has_the_exact_law(network):
    """m after one update in 12 networks of 20 000 neurons, even and odd c P, against the map of c
    inputs: the mean of all within 4 standard errors, the bias of a repeated input being c/N."""
    c, alpha = network
    settings = diluted.Settings(n_neurons=20_000, steps=1, last=1)
    T, start = np.array([0.0, 0.4]), np.array([0.3, 0.8])
    m = np.stack(
        [
            diluted.cell(settings, (5, k), c, alpha, T, start).overlap.values[..., 1]
            for k in range(12)
        ]
    )
    expected = theory.diluted_finite.one_step(start, c, round(alpha * c), T).m.values.T
    error = m.std(axis=0, ddof=1) / np.sqrt(len(m))
    assert np.all(np.abs(m.mean(axis=0) - expected) < 4 * error + 2 * c / 20_000)
    assert np.all(error < 3e-3)  # 1/sqrt(12 N) is 2e-3


def test_lanes_do_not_depend_on_one_another():
    settings = diluted.Settings(n_neurons=500, steps=3, last=1)
    both = diluted.cell(settings, (1, 0), 5, 0.4, np.array([0.0, 0.5]), np.array([0.4, 1.0]))
    alone = diluted.cell(settings, (1, 0), 5, 0.4, np.array([0.5]), np.array([0.4, 1.0]))
    np.testing.assert_array_equal(both.overlap[1], alone.overlap[0])


def run(folder, *more, expect=0):
    """The experiment, its store and figure in `folder`; what it printed."""
    places = ("--store", f"{folder}/diluted.zarr", "--figure", f"{folder}/diluted.png")
    return commands.printed("diluted", *SMALL.split(), *places, *more, expect=expect)


def test_ends_with_a_verdict_and_a_figure_and_goes_on_from_its_store(tmp_path):
    printed = run(tmp_path)
    assert printed.splitlines()[-1].startswith("steps 2 to 6") and "mean z²" in printed
    assert (tmp_path / "diluted.png").stat().st_size > 10_000
    found = opened(tmp_path / "diluted.zarr").load()
    dims = ("n_inputs", "alpha", "temperature", "start_overlap", "realisation", "step")
    assert found.overlap.dims == dims and bool(found.done.all())
    np.testing.assert_allclose(found.overlap.isel(step=0).sel(start_overlap=0.4), 0.4)
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "diluted.zarr").rglob("c/*")}
    assert run(tmp_path) == printed
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "diluted.zarr").rglob("c/*")}
    # another mean of the same numbers is no other simulation
    run(tmp_path, "--last", "3")
    assert "steps" in run(tmp_path, "--steps", "7", expect=2)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"alpha": (0.13,)}, "6.5 patterns"),
        ({"alpha": (-0.2,)}, "whole number"),
        ({"alpha": ()}, "alpha"),
        ({"n_inputs": (0,)}, "n-inputs"),
        ({"n_inputs": (100_000,)}, "n-inputs"),
        ({"start_overlap": (1.5,)}, "start-overlap"),
        ({"last": 25}, "last"),
        ({"temperature": (-0.1,)}, "temperature"),
        ({"device": "gpu"}, "no GPU kernels"),
    ],
)
def test_wrong_input_is_refused_before_any_work(tmp_path, wrong, sentence):
    settings = diluted.Settings(n_inputs=(50,), store=tmp_path / "store")
    with pytest.raises(ValueError, match=sentence):
        diluted.main(replace(settings, **wrong))
    assert not list(tmp_path.iterdir())


def test_wrong_input_ends_with_a_sentence(tmp_path):
    printed = run(tmp_path, "--alpha", "0.3", expect=2)
    assert printed.startswith("error: ") and "Traceback" not in printed
    assert not list(tmp_path.iterdir())


def test_dry_run_only_tells(tmp_path):
    printed = run(tmp_path, "--dry-run")
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())
