"""The studies of learning from examples end to end, small; and the reduction of their numbers."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from analysis import learning
from experiments import from_examples, supervised, unsupervised
from experiments.options import place
from hopfield_sim.learning import examples as networks
from hopfield_sim.sweep import opened

COMMON = {
    "quality": (0.9, 0.7),
    "n_examples": (1, 3, 9),
    "temperature": (0.2, 0.4),
    "map_examples": 3,
    "map_loads": (2,),
    "map_temperatures": (3,),
    "realisations": 3,
    "map_realisations": 2,
    "warmup": 10,
    "samples": 16,
    "every": 1,
    "scheduler": "threads",
    "workers": 1,
}
PAIRWISE = {"interaction": (2,), "n_neurons": (200,), "alpha": (0.02,)}
DENSE = {"interaction": (3,), "n_neurons": (40,), "alpha": (0.02,)}
EXAMPLE = {"example_neurons": 100, "example_alpha": 0.002, "example_numbers": (4, 40)}


def at(folder, study, **options):
    """Settings whose files are in a folder."""
    places = {"store": folder / "store", "figure": folder / "figure.png"}
    of_map = {"map_largest": (0.04,), "map_hottest": (0.6,)}
    return study.Settings(**COMMON, **places, **of_map, **options)


def ran(study, settings):
    """The settings, and what the study prints with them."""
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        study.main(settings)
    return settings, "\n".join(printed)


@pytest.fixture(scope="module")
def with_teacher(tmp_path_factory):
    settings = at(tmp_path_factory.mktemp("supervised"), supervised, **PAIRWISE)
    return ran(supervised, settings)


@pytest.fixture(scope="module")
def without_teacher(tmp_path_factory):
    settings = at(tmp_path_factory.mktemp("unsupervised"), unsupervised, **DENSE, **EXAMPLE)
    return ran(unsupervised, settings)


@pytest.mark.parametrize(("run", "n_verdicts"), [("with_teacher", 4), ("without_teacher", 6)])
def test_they_end_with_verdicts_and_a_figure(run, n_verdicts, request):
    settings, printed = request.getfixturevalue(run)
    lines = printed.splitlines()
    assert all("mean z²" in line or "no cell" in line for line in lines[-n_verdicts:])
    assert "examples needed for m >= 0.9" in printed
    assert settings.figure.stat().st_size > 10_000
    (P,) = settings.interaction
    for name, dims in (
        (f"curves_{P}", ("rule", "n_neurons", "quality", "realisation", "n_examples")),
        (f"map_{P}", ("n_neurons", "realisation", "alpha")),
    ):
        found = opened(place(settings, name)).load()
        assert set(found.overlap.dims) == {*dims, "temperature"}
        assert found.done.all()
        for variable in found.data_vars:
            attributes = found[variable].attrs
            assert attributes["long_name"] and attributes["units"], variable


def test_archetypes_are_learned(with_teacher, without_teacher):
    """Nine good examples at low T: m > 0.9, as theory has it (0.99); one: m = r, both to noise."""
    for settings, _ in (with_teacher, without_teacher):
        (P,) = settings.interaction
        found = opened(place(settings, f"curves_{P}")).load()
        m = found.overlap.sel(quality=0.9, temperature=0.2).mean("realisation")
        assert (m.sel(n_examples=9) > 0.9).all()
        # 3 realisations of at least 40 neurons: sqrt((1 - r^2)/120) = 0.04
        np.testing.assert_allclose(m.sel(n_examples=1), 0.9, atol=5 * 0.04)


def test_with_one_example_both_rules_are_the_same_network(without_teacher):
    """Same archetypes, same examples, same couplings, same random numbers: bit for bit."""
    settings, _ = without_teacher
    found = opened(place(settings, "curves_3")).load()
    one, other = (found.overlap.sel(rule=rule) for rule in from_examples.RULES)
    np.testing.assert_array_equal(one.sel(n_examples=1), other.sel(n_examples=1))
    assert not np.array_equal(one.sel(n_examples=9), other.sel(n_examples=9))


def test_few_examples_hold_a_network_that_starts_at_one(without_teacher):
    settings, printed = without_teacher
    assert "started at an example" in printed
    found = opened(place(settings, "from_example")).mean("realisation").load()
    assert (found.own.sel(n_examples=4) > 0.95).all()  # theory: 1
    # theory: m = 0.99, own = 0.50; at N = 100 and a few starts, to 0.1
    np.testing.assert_allclose(found.overlap.sel(n_examples=40), 0.99, atol=0.1)
    np.testing.assert_allclose(found.own.sel(n_examples=40), 0.5, atol=0.1)


def test_a_second_run_reuses_and_other_settings_are_refused(with_teacher, monkeypatch):
    settings, _ = with_teacher
    monkeypatch.setattr(supervised, "report", lambda found, _: None)
    before = {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}
    assert before
    supervised.main(settings)
    with pytest.raises(ValueError, match="warmup"):
        supervised.main(replace(settings, warmup=11))
    assert before == {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"interaction": (2, 3)}, "one positive number for each"),
        ({"interaction": (1,)}, "at least 2"),
        ({"alpha": (0.001,)}, "no archetype"),
        ({"quality": (0.0,)}, r"\(0, 1\]"),
        ({"quality": ()}, "at least one value"),
        ({"n_examples": (0, 3)}, "at least 1"),
        ({"shown": 0.3}, "not one of"),
        ({"temperature": (0.0, 0.2)}, "positive"),
        ({"map_loads": (1,)}, "at least 2 of each"),
        ({"replicas": 3}, "even number"),
        ({"samples": 4}, "at least 8"),
        ({"example_interaction": 2}, "pairwise networks"),
        ({"example_numbers": ()}, "at least 1"),
    ],
)
def test_wrong_input_ends_with_a_sentence(wrong, sentence, tmp_path):
    settings = at(tmp_path, unsupervised, **PAIRWISE)
    with pytest.raises(ValueError, match=sentence):
        unsupervised.main(replace(settings, **wrong))
    assert not list(tmp_path.iterdir())


def test_dry_run_only_tells(tmp_path, capsys):
    for study, options in ((supervised, PAIRWISE), (unsupervised, DENSE | EXAMPLE)):
        study.main(replace(at(tmp_path, study, **options), dry_run=True))
        printed = capsys.readouterr().out
        for word in ("cells", "visits", "time", "memory", "files"):
            assert word in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rule", from_examples.RULES)
def test_pairwise_energy_is_the_sum_of_all_losses(rule):
    """H = -(N/(2 G)) sum_mu (1 - L_mu) up to a constant, at P = 2: to rounding."""
    N, M, r = 60, 5, 0.7
    model, xi, eta = from_examples.network(rule, 2, N, 0.1, r, M, seed=(1, 0))
    G = r**2 + (1 - r**2) / M
    s = np.stack([xi[0], xi[1], eta[0].round().clip(-1, 1) * xi[2] ** (rule == "supervised")])
    s = np.where(s == 0, 1, s)
    # all classes: the sums are the patterns of the supervised model, the examples of the other
    rows = model.patterns.astype(float) / (M if rule == "supervised" else 1)
    classes = rows.reshape(len(xi), -1, N)
    total = sum(1 - from_examples.loss(eta, 2)(model, s, None) for eta in classes)
    energy = model.energy(s)
    expected = -(N / (2 * G)) * (total - total[0])
    np.testing.assert_allclose(energy - energy[0], expected, rtol=1e-9, atol=1e-9)
    first = from_examples.loss(eta, 2)(model, s, None)
    np.testing.assert_allclose(first, from_examples.loss(classes[0], 2)(model, s, None))


def test_both_rules_see_the_same_examples():
    one = from_examples.network("supervised", 3, 40, 0.02, 0.7, 5, seed=(1, 2))
    other = from_examples.network("unsupervised", 3, 40, 0.02, 0.7, 5, seed=(1, 2))
    np.testing.assert_array_equal(one[1], other[1])
    np.testing.assert_allclose(one[2][0], other[2].mean(axis=0), rtol=1e-6)
    sums = other[0].patterns.reshape(len(one[1]), 5, 40).sum(axis=1)
    np.testing.assert_array_equal(one[0].patterns, sums)
    s = one[1][:1]
    same = networks.supervised(sums, 5, 0.7, 3)
    assert one[0].energy(s) == pytest.approx(same.energy(s))


def test_loss_is_between_zero_and_one_where_it_should_be():
    """0 at the example itself, 1 - r^P at an archetype of many, never beyond for even P."""
    model, xi, eta = from_examples.network("unsupervised", 2, 2000, 0.001, 0.6, 400, seed=(1, 0))
    itself = from_examples.loss(eta[:1], 4)(model, eta[:1], None)
    np.testing.assert_allclose(itself, 0)
    archetype = from_examples.loss(eta, 2)(model, xi[:1], None)
    # n_a scatters by sqrt((1 - r^2)/N) = 0.018 around r; its square adds 0.0003 to the mean
    np.testing.assert_allclose(archetype, 1 - 0.36, atol=0.005)


def test_limit_is_exact_for_its_own_law():
    N = xr.DataArray([100, 200], dims="n_neurons", coords={"n_neurons": [100, 200]})
    x = xr.DataArray([0.9, 0.8, np.nan], dims="realisation") - 5 / N
    np.testing.assert_allclose(learning.extrapolated(x), [0.9, 0.8, np.nan])


def cells(alpha, temperature, m=0.9):
    """A study of few numbers, all good: (n_neurons, n_examples, temperature, realisation)."""
    dims = ("n_neurons", "temperature", "realisation")
    shape = (2, len(temperature), 16)
    return xr.Dataset(
        {
            "overlap": (dims, np.full(shape, m)),
            "n_left": (dims, np.zeros(shape, int)),
            "equilibrated": (dims, np.ones(shape, bool)),
        },
        coords={
            "n_neurons": [1000, 2000],
            "temperature": temperature,
            "rule": "supervised",
            "interaction": 2,
            "alpha": alpha,
            "quality": 0.8,
            "n_examples": 5,
        },
    )


def test_cells_are_left_out_for_stated_reasons():
    """alpha_M = 0.0699, 0.0440, 0.0126 at T = 0.1, 0.4, 0.7 (M = 5, r = 0.8; P = 2)."""
    found = cells(0.04, [0.1, 0.4, 0.7])
    found.n_left[0, 0, :5] = 1  # 5 of 32, more than 1/8; and 4 of 32
    found.n_left[1, 1, :2] = 2
    theory = learning.predicted(found)
    masks = [mask.values.tolist() for mask in learning.left_out(found, theory, 2).values()]
    none, example, load, hot, archetypes, wrong, left, unsettled = masks
    assert none == [False, False, True]
    assert load == [False, True, True]
    assert hot == [False, True, True]  # alpha_M(0.4 / 0.8) = 0.0324
    assert example == archetypes == wrong == unsettled == [False] * 3
    assert left == [True, False, False]
    few = cells(0.01, [0.1])
    few.equilibrated[1, 0, :3] = False  # 3 of 16
    masks = [bool(mask) for mask in learning.left_out(few, learning.predicted(few), 2).values()]
    assert masks == [False, False, False, False, True, False, False, True]


def test_cells_where_single_examples_hold_the_network_are_left_out():
    """P = 3, r = 0.6: states on one of M examples are stable at M = 3, not at 5 (M < r^-5 = 12.9
    is the crude limit); with M = 1 there is nothing else. Never with a teacher."""
    found = cells(0.02, [0.2]).drop_vars(("interaction", "quality", "n_examples"))
    found = found.assign_coords(interaction=3, quality=0.6).expand_dims(n_examples=[1, 3, 5])
    for rule, held in (("unsupervised", [False, True, False]), ("supervised", 3 * [False])):
        theory = learning.predicted(found.assign_coords(rule=rule))
        assert theory.on_example.values.ravel().tolist() == held
        mask = learning.left_out(found, theory, 2)["where states on one example are stable"]
        assert mask.sel(temperature=0.2).values.ravel().tolist() == held


def test_thresholds_from_simulated_overlaps():
    found = cells(0.02, [0.2]).drop_vars(("quality", "n_examples"))
    found = found.expand_dims(quality=[0.8], n_examples=[1, 3, 5, 9])
    values = [0.8, 0.89, 0.91, 0.99]  # with an error of 0.01: 3 and 5 are not decided
    scores = xr.Dataset(
        {
            "mean": (("quality", "n_examples", "temperature"), np.reshape(values, (1, 4, 1))),
            "error": (("quality", "n_examples", "temperature"), np.full((1, 4, 1), 0.01)),
        },
        coords={name: found[name] for name in ("quality", "n_examples", "temperature")},
    )
    limits = learning.thresholds(found, scores, 0.2)
    assert limits.below.item() == 1 and limits.above.item() == 9
    assert limits.theory.item() == 3  # m(3) = 0.902
    text = learning.threshold_table(limits, "supervised", 2)
    assert "1 < M_c < 9; theory M_c = 3" in text
    scores["mean"][:] = np.nan  # lost everywhere
    limits = learning.thresholds(found, scores, 0.2)
    assert limits.below.item() == 9 and np.isnan(limits.above.item())
    assert "9 < M_c;" in learning.threshold_table(limits, "supervised", 2)
