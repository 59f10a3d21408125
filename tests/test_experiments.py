"""The experiments end to end, small: store, figure, verdict, and the sentences of refusal."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from experiments import options
from hopfield_sim import Sweep
from hopfield_sim.sweep import opened
from tests import commands

SMALL = {
    "retrieval": """--n-neurons 800 --alpha 0.05 0.06 --temperature 0.3 0.35 --replicas 4
        --warmup 20 --samples 50 --realisations 3""",
    "digits": "--n-patterns 2 4 --realisations 2",
}


def run(name, folder, *more, printed=commands.printed, expect=0):
    """One experiment on local threads, its store and figure in `folder`; what it printed."""
    places = ("--store", f"{folder}/{name}.zarr", "--figure", f"{folder}/{name}.png")
    where = ("--scheduler", "threads", *places)
    return printed(name, *SMALL[name].split(), *where, *more, expect=expect)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("retrieval")
    return folder, run("retrieval", folder, printed=commands.printed_by_a_process)


def test_retrieval_ends_with_a_verdict_and_a_figure(finished):
    folder, printed = finished
    assert "mean z²" in printed.splitlines()[-1]
    assert (folder / "retrieval.png").stat().st_size > 10_000
    rows = [line.split() for line in printed.splitlines() if line.lstrip().startswith("0.0")]
    assert len(rows) == 4 and {row[-1] for row in rows} <= {"yes", "no"}
    found = opened(folder / "retrieval.zarr")
    assert found.overlap.dims == ("alpha", "temperature", "realisation")
    assert found.alpha.values.tolist() == [0.05, 0.06] and bool(found.done.all())
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name
    # inside the retrieval phase the pattern is held: m_RS > 0.97 in all four cells
    assert float(found.overlap.min()) > 0.9
    # RS energies are -0.495 to -0.487; its spread over patterns is sqrt(P/2)/N = 0.006
    assert np.allclose(found.energy, -0.49, atol=0.03)


def test_a_second_run_reuses_and_other_settings_are_refused(finished):
    folder, printed = finished
    before = {p: p.stat().st_mtime_ns for p in (folder / "retrieval.zarr").rglob("c/*")}
    assert run("retrieval", folder) == printed
    refusal = run("retrieval", folder, "--samples", "31", expect=2)
    assert "samples" in refusal and "--store" not in refusal.split("error")[0]
    assert "Traceback" not in refusal
    alone = commands.printed_by_a_process
    assert run("retrieval", folder, "--samples", "31", printed=alone, expect=2) == refusal
    assert before == {p: p.stat().st_mtime_ns for p in (folder / "retrieval.zarr").rglob("c/*")}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--alpha", "0.0001"), "no pattern"),
        (("--temperature", "-0.1"), "temperature"),
        (("--replicas", "3"), "even number"),
        (("--device", "gpu"), "no GPU kernels"),
        (("--seed", "-1"), "seed"),
        (("--realisations", "0"), "realisations"),
        (("--temperature", "nan"), "finite number"),
        (("--samples", "0"), "samples"),
        (("--scheduler", "somewhere"), "scheduler"),
    ],
)
def test_wrong_input_ends_with_a_sentence(tmp_path, arguments, sentence):
    printed = run("retrieval", tmp_path, *arguments, expect=2)
    assert sentence in printed and printed.startswith("error: ")
    assert "Traceback" not in printed
    assert not list(tmp_path.iterdir())  # nothing was made


def test_dry_run_only_tells(tmp_path):
    for name in SMALL:
        printed = run(name, tmp_path, "--dry-run")
        for word in ("cells", "visits", "time", "memory", "files"):
            assert word in printed
    assert not list(tmp_path.iterdir())


def test_digits_shows_what_projection_can(tmp_path):
    printed = run("digits", tmp_path)
    assert "verdict" in printed and (tmp_path / "digits.png").exists()
    found = opened(tmp_path / "digits.zarr").load()
    recalled = found.recalled.mean("realisation").sel(n_patterns=4)
    # correlated digits: four are too many for the Hebb rule, few for the projection rule
    assert recalled.sel(rule="projection") > recalled.sel(rule="hebb")


@pytest.mark.skipif(
    "HOPFIELD_SIM_IMAGES" not in os.environ,
    reason="set HOPFIELD_SIM_IMAGES to a folder with mnist/ in IDX format to read real images",
)
def test_digits_from_a_folder_of_idx_files(tmp_path):
    """Images of another size: MNIST, 28 x 28."""
    run("digits", tmp_path, "--images", str(Path(os.environ["HOPFIELD_SIM_IMAGES"]) / "mnist"))
    assert opened(tmp_path / "digits.zarr").recalled.shape == (2, 2, 2)


@dataclass(frozen=True, kw_only=True)
class Settings(options.Options):
    store: Path = Path("x.zarr")
    figure: Path = Path("x.png")
    n_patterns: int = 3
    beta: tuple[float, ...] = (0.5, 1.0)


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"n_patterns": 1}, "--n-patterns 1: at least 2 is needed."),
        ({"beta": ()}, r"--beta \(none\): numbers in \(0, 1\] are needed."),
        ({"beta": (0.5, 0.0)}, r"--beta 0.5 0.0: numbers in \(0, 1\]"),
        ({"beta": (1.5,)}, r"--beta 1.5: numbers in \(0, 1\]"),
        ({"beta": (float("nan"),)}, "--beta nan"),
        ({"seed": -1.0}, "--seed -1.0: a number > 0 is needed."),
        ({"seed": float("inf")}, "--seed inf"),
    ],
)
def test_settings_are_checked_by_name(changed, sentence):
    def check(settings):
        options.at_least(settings, n_patterns=2)
        options.positive(settings, "beta", most=1)
        options.positive(settings, "seed")

    check(Settings())
    with pytest.raises(ValueError, match=sentence):
        check(Settings(**changed))
    with pytest.raises(ValueError, match="--beta nan: numbers of at least 0 are needed."):
        options.at_least(Settings(beta=(float("nan"),)), beta=0)


def test_a_plan_counts_the_cells_and_says_of_what():
    axes = {"alpha": [0.1, 0.2, 0.3], "temperature": [0.5, 1.0]}
    sweep = Sweep(
        lambda seed, alpha, temperature: None, axes, lanes=("temperature",), realisations=4
    )
    assert options.cells(sweep) == 12
    text = options.plan(12, 1e6, 0.1, 2**20, "one", workers=1, counted="patterns")
    assert "cells      12," in text and "1e+06 patterns" in text
    assert "attempted flips" in options.plan(12, 1e6, 0.1, 2**20, "one", workers=1)
