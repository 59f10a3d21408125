"""The study of real images end to end, small; its draws; and the theory of class averages."""

import itertools
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis import class_averages
from experiments import images
from hopfield_sim import Dense, Hopfield, ZeroTemperature, patterns, updated
from hopfield_sim.sweep import opened

pytest.importorskip("sklearn", reason="needs scikit-learn for its digits")

SMALL = images.Settings(
    n_examples=(1, 9),
    interaction=(2, 16),
    n_cues=2,
    realisations=3,
    scheduler="threads",
)


def places(folder):
    """Where a run in `folder` writes."""
    return {
        "store": folder / "images",
        "figure": folder / "images.png",
        "numbers": folder / "images.nc",
    }


def run(settings):
    """What the experiment prints."""
    printed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        images.main(settings)
    return "\n".join(printed)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    settings = replace(SMALL, **places(tmp_path_factory.mktemp("images")))
    return settings, run(settings)


def test_it_ends_with_verdicts_and_a_figure(finished):
    settings, printed = finished
    assert sum("mean z²" in line for line in printed.splitlines()) == 3
    assert settings.figure.stat().st_size > 10_000
    found = images.read(settings.numbers, "")
    assert found.overlap.dims[-3:] == ("realisation", "rule", "class")
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name
    # one grey value: a background that all classes share, one state of all or nearly all archetypes
    states = found.n_states.mean("realisation").sel(
        n_examples=9, rule="supervised", dataset="digits"
    )
    assert states.sel(binarisation="threshold", interaction=2) < 3
    # medians and P = 16: nearly all archetypes are recalled, with P = 2 they share a few states
    median = found.sel(binarisation="median", n_examples=9, dataset="digits").mean("realisation")
    recalled = median.recalled.sel(rule="supervised")
    assert recalled.sel(interaction=16) > 0.9 > 0.5 > recalled.sel(interaction=2)


def test_results_are_drawn_again_without_images(finished, tmp_path):
    settings, printed = finished
    again = replace(settings, redraw=True, figure=tmp_path / "again.png", images=(Path("nowhere"),))
    redrawn = run(again)
    assert redrawn.replace(str(again.figure), str(settings.figure)) in printed
    assert again.figure.read_bytes() == settings.figure.read_bytes()
    with pytest.raises(FileNotFoundError, match="run without --redraw"):
        images.main(replace(again, numbers=tmp_path / "none.nc"))


def test_a_second_run_reuses_and_other_settings_are_refused(finished, monkeypatch):
    settings, _ = finished
    monkeypatch.setattr(images, "report", lambda found, _: None)
    before = {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}
    images.main(settings)
    with pytest.raises(ValueError, match="n_cues"):
        images.main(replace(settings, n_cues=3))
    assert before == {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}


def test_more_examples_do_not_change_what_fewer_give(finished, monkeypatch):
    """A cell of other M has the same cues and, as far as they go, the same examples."""
    settings, _ = finished
    kept = opened(settings.store / "digits.zarr").load()
    alone = images.cell(settings, None, (1, 0), ["shuffled"], [16], [1])
    at = {"binarisation": "shuffled", "interaction": 16, "realisation": 0, "n_examples": 1}
    for name in ("overlap", "cue_overlap"):
        expected = kept[name].sel(at).transpose("rule", "class")
        np.testing.assert_array_equal(expected, alone[name][0, 0, 0])


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n_examples": ()}, "at least one"),
        ({"n_examples": (0, 3)}, "at least 1"),
        ({"n_examples": (1, 500)}, "has 178 members"),
        ({"binarisation": ("mean",)}, "allowed are median"),
        ({"balance": 0.5}, "below 0.5"),
        ({"n_cues": 0}, "at least 1"),
        ({"realisations": 1}, "at least 2"),
        ({"interaction": (1,)}, "P >= 2"),
        ({"images": (Path("a/same"), Path("b/same"))}, "same name"),
        ({"images": (Path("nowhere"),)}, "no folder"),
    ],
)
def test_wrong_input_is_refused_before_any_work(tmp_path, wrong, sentence):
    with pytest.raises((ValueError, FileNotFoundError), match=sentence):
        images.main(replace(SMALL, **places(tmp_path), **wrong))
    assert not list(tmp_path.iterdir())


def test_dry_run_only_tells(tmp_path):
    printed = run(replace(SMALL, **places(tmp_path), dry_run=True, binarisation=("median",)))
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


def test_shuffled_pixels_have_the_same_averages_and_no_correlations():
    """All members drawn: every pixel is lit as often; two pixels then are independent."""
    found, _ = images.source(SMALL, None, "median")
    lit, members = images.counts(found)
    settings = replace(SMALL, n_cues=1)
    number = int(members.min()) - 1
    _, kept = images.drawn(settings, found, False, number, (1, 0))
    cues, shuffled = images.drawn(settings, found, True, number, (1, 0))
    k = int(members.argmin())  # the class that is drawn to its end
    whole = np.concatenate([cues[k], shuffled[k]])
    np.testing.assert_array_equal((whole > 0).sum(axis=0), lit[k])

    def correlation(x):
        """Mean square over all pairs of pixels that are not constant."""
        x = x[:, x.std(axis=0) > 0]
        c = np.corrcoef(x.T)
        return float(np.mean(c[np.triu_indices(len(c), 1)] ** 2))

    # of n independent values 1/(n - 1), here 0.0058; with some 700 pairs its error is 3e-4
    assert abs(correlation(shuffled[k]) - 1 / (number - 1)) < 5 * 3e-4
    assert correlation(kept[k]) > 4 / (number - 1)


def test_networks_are_those_of_the_orders():
    """Distinct sites up to P = 4, and class averages or all images."""
    found, _ = images.source(SMALL, None, "median")
    _, examples = images.drawn(SMALL, found, False, 3, (1, 0))
    assert isinstance(images.network("supervised", examples, 2), Hopfield)
    for order, kind in ((4, "distinct"), (8, "full")):
        for rule, number in (("supervised", 10), ("unsupervised", 30)):
            model = images.network(rule, examples, order)
            assert isinstance(model, Dense) and model.n_patterns == number
            assert (model.interaction, model.normalisation) == (order, kind)


def test_majority_rule_by_enumeration():
    """Every choice of M images of a class of seven; two classes, five pixels, also even M."""
    lit, members = np.array([[0, 2, 3, 6, 7], [1, 4, 4, 5, 0]]), np.array([7, 6])
    for n_examples in (1, 2, 3, 5, 6):
        found = class_averages.alone(lit, members, n_examples)
        for row, number, m in zip(lit, members, found, strict=True):
            expected = []
            for count in row:
                column = np.where(np.arange(number) < count, 1, -1)
                a = 1 if 2 * count >= number else -1
                sums = [sum(c) for c in itertools.combinations(column, n_examples)]
                expected.append(np.mean([a * np.sign(s) if s else 1 for s in sums]))
            assert m == pytest.approx(np.mean(expected), abs=1e-12)


def correlated(n_neurons):
    """Frequencies of three classes, the first two alike: lit (class, neuron), members (class,)."""
    xi = patterns.random(3, n_neurons, seed=1)
    alike = patterns.random(1, n_neurons, seed=2)[0] > 0  # half of the sites
    xi[1] = np.where(alike, xi[0], xi[1])
    quality = np.array([0.3, 0.25, 0.2])
    return np.rint(200 * (1 + quality[:, None] * xi) / 2).astype(int), np.full(3, 200)


@pytest.mark.parametrize("interaction", [2, 3, 4, 8])
def test_theory_with_interference_against_simulation(interaction):
    """Independent pixels, 20 draws of N = 2000: within 4 errors and 0.002.

    That is some 1/N and what is lost by taking sums of 49 signs as Gaussian (0.005 at 9). For P = 2
    the first two classes, which are alike, interfere; for P = 8 they do not.
    """
    n_neurons, n_examples = 2000, 49
    lit, members = correlated(n_neurons)
    a = class_averages.archetypes(lit, members)
    predicted, weight = class_averages.together(lit, members, n_examples, interaction)
    generator = np.random.default_rng(interaction)
    found = []
    for draw in range(20):
        k = generator.hypergeometric(lit, members[:, None] - lit, n_examples)
        stored = 2 * k - n_examples
        form = "distinct" if interaction <= 4 else "full"
        model = Dense(stored, interaction, form)
        end = updated(model, ZeroTemperature(), a, 1000, seed=draw)
        found.append(np.mean(end * a, axis=1))
    error = np.std(found, axis=0, ddof=1) / np.sqrt(len(found))
    off = np.abs(np.mean(found, axis=0) - predicted)
    assert np.all(off < 4 * error + 0.002), (off, error, predicted)
    alone = class_averages.alone(lit, members, n_examples)
    if interaction == 8:
        np.testing.assert_allclose(predicted, alone, atol=0.01)
        assert weight.max() < 0.1
    if interaction == 2:
        assert np.all(predicted[:2] < alone[:2] - 0.02) and weight.max() > 0.3


def test_theory_of_one_class_is_the_majority_rule():
    lit, members = correlated(300)
    for n_examples in (3, 9):
        found, weight = class_averages.together(lit[:1], members[:1], n_examples, 4)
        expected = class_averages.alone(lit[:1], members[:1], n_examples)
        np.testing.assert_allclose(found, expected, atol=1e-9)
        assert weight == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"n_examples": 0}, "n_examples=0"),
        ({"n_examples": 300}, "n_examples=300"),
        ({"members": np.array([10, 200, 200])}, "more often"),
        ({"members": np.array([200, 200])}, "do not fit"),
        ({"interaction": 1}, "interaction=1"),
    ],
)
def test_theory_refuses_what_cannot_be(wrong, sentence):
    lit, members = correlated(30)
    given = {"lit": lit, "members": members, "n_examples": 3, "interaction": 4} | wrong
    with pytest.raises(ValueError, match=sentence):
        class_averages.together(**given)


@pytest.mark.skipif(
    "HOPFIELD_SIM_IMAGES" not in os.environ,
    reason="set HOPFIELD_SIM_IMAGES to a folder with mnist/ and fashion-mnist-900/ (IDX files)",
)
def test_folders_of_idx_files_stand_side_by_side(tmp_path):
    """MNIST and Fashion-MNIST, one network each: P = 16 tells classes apart that P = 2 does not."""
    root = Path(os.environ["HOPFIELD_SIM_IMAGES"])
    folders = (root / "mnist", root / "fashion-mnist-900")
    few = replace(SMALL, images=folders, binarisation=("median",), realisations=2)
    run(replace(few, **places(tmp_path)))
    found = images.read(tmp_path / "images.nc", "")
    assert found.dataset.values.tolist() == ["mnist", "fashion-mnist-900"]
    recalled = found.recalled.mean("realisation").sel(n_examples=9, rule="supervised")
    assert np.all(recalled.sel(interaction=16) > recalled.sel(interaction=2) + 0.2)
    assert str(root) not in found.attrs["settings"]
