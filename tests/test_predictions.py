"""The predictions end to end: the same data twice, nothing overwritten, a figure and a table."""

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from experiments import predictions
from tests import commands

ROOT = Path(__file__).parents[1]
QUICK = ("exponential", "gardner")  # theories that take less than a second


def run(folder, *more, expect=0):
    places = ("--store", f"{folder}/p.zarr", "--figures", f"{folder}/figures")
    return commands.printed(
        "predictions", "--points", "12", "--workers", "1", *places, *more, expect=expect
    )


def contents(store):
    """Every file of a store but the provenance, by its path."""
    files = [path for path in sorted(store.rglob("*")) if path.is_file()]
    kept = [path for path in files if "provenance" not in path.relative_to(store).parts]
    return {str(path.relative_to(store)): path.read_bytes() for path in kept}


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions")
    return folder, run(folder, "--theories", *QUICK)


def test_the_same_command_gives_the_same_data(finished, tmp_path):
    folder, printed = finished
    again = run(tmp_path, "--theories", *reversed(QUICK))
    first, second = contents(folder / "p.zarr"), contents(tmp_path / "p.zarr")
    assert first.keys() == second.keys() and len(first) > 20
    assert first == second
    assert sorted(again.splitlines()[:-1]) == sorted(printed.splitlines()[:-1])


def test_a_second_run_reuses(finished):
    folder, printed = finished
    before = {p: p.stat().st_mtime_ns for p in (folder / "p.zarr").rglob("*") if p.is_file()}
    assert run(folder, "--theories", *QUICK) == printed
    assert before == {
        p: p.stat().st_mtime_ns for p in (folder / "p.zarr").rglob("*") if p.is_file()
    }


def test_table_tree_and_figures(finished):
    folder, printed = finished
    assert "0.67499725" in printed  # 2 - ln cosh 2, the capacity of the binary network
    assert printed.splitlines()[-1].startswith("data: ")
    for name in QUICK:
        assert (folder / "figures" / f"{name}.png").stat().st_size > 10_000
    with xr.open_datatree(folder / "p.zarr", engine="zarr", consolidated=False) as tree:
        assert json.loads(tree.attrs["settings"]) == {"points": 12}
        assert set(tree.children) == {*QUICK, "provenance"}
        found = tree["exponential/lines/typical"].to_dataset()
        assert found.alpha.attrs["long_name"] and found.attrs["source"]
        assert found.start_overlap.size == 12 and np.isfinite(found.alpha).all()
        runs = json.loads(tree["provenance"].attrs["runs"])
        assert set(runs) == set(QUICK) and runs["gardner"]["numpy"]


def test_other_settings_and_other_equations_are_refused(finished, tmp_path, monkeypatch):
    folder, _ = finished
    before = contents(folder / "p.zarr")
    refusal = run(folder, "--theories", *QUICK, "--points", "13", expect=2)
    # the last line: libraries may have warned before
    assert refusal.splitlines()[-1].startswith("error: ") and "points" in refusal
    assert "Traceback" not in refusal
    assert contents(folder / "p.zarr") == before

    tree = importlib.import_module("experiments.predicting.tree")
    monkeypatch.setattr(tree, "digest", lambda name: "another")
    with pytest.raises(ValueError, match="another version of the theory"):
        tree.opened(folder / "p.zarr", 12).has("gardner")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.tex").write_text("years of work")
    with pytest.raises(ValueError, match="holds no predictions, and nothing was changed"):
        tree.opened(tmp_path / "mine", 12)
    assert (tmp_path / "mine" / "thesis.tex").read_text() == "years of work"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--theories", "astrology"), "there is no such theory; there are"),
        (("--points", "3"), "at least 10"),
        (("--workers", "0"), "at least one process"),
    ],
)
def test_wrong_input_ends_with_a_sentence(tmp_path, arguments, sentence):
    printed = run(tmp_path, *arguments, expect=2)
    assert sentence in printed and printed.startswith("error: ") and "Traceback" not in printed
    assert not list(tmp_path.iterdir())


def test_every_theory_has_a_figure_and_every_figure_a_theory():
    drawn = {path.stem for path in (ROOT / "figures" / "predictions").glob("*")}
    assert drawn == set(predictions.names())
    for name in predictions.names():
        assert importlib.import_module(f"experiments.predicting.{name}").compute.__doc__
        assert importlib.import_module(f"analysis.predictions.{name}").draw.__doc__
