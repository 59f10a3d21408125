"""The study of the capacity of softmax networks: known numbers, reductions, end to end."""

import re

import numpy as np
import pytest
import xarray as xr

from analysis import modern_capacity
from experiments import modern_capacity as experiment
from experiments.modern_capacity import at_overlap
from hopfield_sim import LogSumExp, patterns
from hopfield_sim.sweep import opened
from hopfield_sim.theory import log_sum_exp, log_sum_exp_finite
from tests import commands, reference

SMALL = """--dimension 8 12 --sharpness 1 --excess -2 -1 0 1 --most-patterns 2000 --queries 32
    --cue-overlap 0.8 --cue-dimension 8 --all-dimension 8 --most-grown 512 --fixed-dimension 12
    --fixed-queries 8 --realisations 2 --scheduler threads"""


# ------------------------------------------------------------------------------- known numbers

HALF = (
    "MHN-random sphere: M_{1/2}: number of random unit patterns at which softmax weight of the "
    "queried pattern is 1/2 (annealed)"
)


def median_weight(row, number, queries=256):
    """Median over stored patterns of one network of their weight after one update."""
    d = int(re.search(r"d=(\d+)", row.text).group(1))
    kappa = float(re.search(r"kappa=([\d.]+)", row.text).group(1))
    xi = patterns.spherical(number, d, 1)
    model = LogSumExp(xi, kappa / d)
    targets = xi[:queries]
    return np.median(experiment.looked(model, targets, targets)[0])


@pytest.mark.parametrize("row", reference.rows("modern", {HALF}), ids=str)
def test_half_weight_of_a_network(row, record_property):
    """The median weight of 256 patterns is 1/2 at the number of the reference.

    The weight has the slope 1/4 in ln M, so M_half is where the reference has it times
    1 + 4 (median - 1/2). W scatters by 15 % (d = 16) between patterns, its median by 1.2 %: the
    median weight by 0.003.
    """
    median = median_weight(row, round(row.value))
    assert abs(median - 0.5) < 0.02
    given = float(re.search(r"median p1=([\d.]+)", row.source).group(1))
    # theirs has an error of the same size, and three digits
    assert abs(median - given) < 0.02
    found = row.value * (1 + 4 * (median - 0.5))
    assert reference.difference(row, found, record_property) <= row.abs_tol


# ------------------------------------------------------------------------------------ the pieces


@pytest.mark.parametrize("kind", experiment._PATTERNS)
def test_cues_and_what_is_looked_at(kind):
    xi = experiment.stored(kind, 300, 9, (3, 4))
    targets = xi[:20]
    cue = at_overlap(targets, -0.7, (3, 5))
    square = (targets**2).sum(1)
    np.testing.assert_allclose((cue**2).sum(1), square, rtol=1e-12)
    np.testing.assert_allclose((cue * targets).sum(1), -0.7 * square, rtol=1e-12)
    np.testing.assert_array_equal(at_overlap(targets, 1.0, (3, 5)), targets)
    cue = at_overlap(targets, 0.7, (3, 5))
    model = LogSumExp(xi, 0.8)
    weight, state = experiment.looked(model, cue, targets)
    expected = model.weights(cue)[np.arange(20), np.arange(20)]
    np.testing.assert_allclose(weight, expected, rtol=1e-10)
    np.testing.assert_allclose(state, model.update(cue), atol=1e-12)


def test_a_set_grows_until_its_first_pattern_is_lost():
    settings = experiment.Settings(most_grown=200)
    own = ("sphere", 1.0, 8)
    found = int(experiment.all_cell(settings, (5, 0), *own).n_patterns)
    assert 1 < found < 200
    seed = (5, 0, experiment._ALL, experiment._bits(1.0))
    xi = experiment.stored("sphere", 200, 8, seed)
    smallest = [
        np.diag(LogSumExp(xi[:number], 1.0).weights(xi[:number])).min()
        for number in (found, found + 1)
    ]
    assert smallest[0] > 0.5 >= smallest[1]
    # a bound that is not reached is the answer
    few = experiment.Settings(most_grown=found - 1)
    other = experiment.all_cell(few, (5, 0), "sphere", 50.0, 8)
    assert int(other.n_patterns) == found - 1


def made_up(law, dimension=(8, 12, 16, 24)):
    """A store in which the fraction of retrieved patterns is a law of (ln M, d)."""
    excess = np.arange(-4.0, 2.5, 0.5)
    coords = {
        "patterns": ["sphere"],
        "sharpness": [1.0],
        "start_overlap": [1.0],
        "dimension": list(dimension),
        "excess": excess,
    }
    d = np.array(dimension)[:, None]
    number = np.rint(np.exp(d * float(log_sum_exp.sphere(1.0).alpha) + excess))
    spread = np.array([-0.01, 0.0, 0.01])
    shape = (1, 1, 1, *number.shape)
    dims = (*coords, "realisation")
    retrieved, square = law(np.log(number), d)
    return xr.Dataset(
        {
            "n_patterns": (dims, np.repeat(number.reshape(shape)[..., None], 3, axis=-1)),
            "retrieved": (dims, retrieved.reshape(shape)[..., None] + spread),
            "weight": (dims, retrieved.reshape(shape)[..., None] + spread / 2),
            "square_error": (dims, square.reshape(shape)[..., None] * np.exp(spread)),
        },
        coords={**coords, "realisation": range(3)},
    )


def test_capacities_and_their_limit():
    """P = 1/2 at ln M = 0.6 d - 0.3, and an error of M e^(-0.6 d)/100, in a made-up store."""

    def law(log_number, d):
        away = log_number - 0.6 * d + 0.3
        return 1 / (1 + np.exp(away)), np.exp(log_number - 0.6 * d) / 100

    store = made_up(law)
    exact = store.isel(realisation=1, drop=True)
    found = modern_capacity.capacities(store, exact, 0.1)
    found = found.isel(patterns=0, sharpness=0, start_overlap=0)
    d = found.dimension.values
    # a cubic through points half a unit of ln M apart
    np.testing.assert_allclose(found.log_exact.sel(measure="typical"), 0.6 * d - 0.3, atol=0.01)
    np.testing.assert_allclose(found.log_exact.sel(measure="error"), 0.6 * d, atol=1e-6)
    np.testing.assert_allclose(found.log_number.sel(measure="error"), 0.6 * d, atol=1e-3)
    # of which the logit is a straight line
    np.testing.assert_allclose(found.log_exact.sel(measure="weight"), 0.6 * d - 0.3, atol=1e-6)
    # +-0.01 in P, of slope 1/4 in ln M, over three realisations
    typical = found.log_error.sel(measure="typical")
    np.testing.assert_allclose(typical, 0.04 / np.sqrt(3), rtol=0.1)
    limit = modern_capacity.limits(modern_capacity.capacities(store, exact, 0.1)).squeeze()
    assert float(limit.limit) == pytest.approx(0.6, abs=1e-4)
    assert float(limit.limit_exact) == pytest.approx(0.6, abs=1e-6)
    assert float(limit.slope) == pytest.approx(-0.3, abs=1e-3)
    assert float(limit.sharp) == pytest.approx(0.62257192378)
    assert int(limit.dof) == 2 and float(limit.logarithm) == 0


def test_prediction_is_made_at_the_number_that_is_simulated():
    store = made_up(lambda log_number, d: (0 * log_number * d, 0 * log_number * d), (8, 12))
    store["n_patterns"][0, 0, 0, 0, 0] = 0  # a network that was left out
    found = modern_capacity.predicted(store).squeeze()
    assert np.isnan(found.weight[0, 0]) and int(found.weight.isnull().sum()) == 1
    number = int(store.n_patterns.squeeze()[1, 4, 0])
    law = log_sum_exp_finite.one_update(np.log(number), 12, 1.0)
    for name in modern_capacity.OBSERVABLES:
        assert float(found[name][1, 4]) == float(law[name])


# ------------------------------------------------------------------------------------ end to end


def run(folder, *more, expect=0):
    places = ("--store", f"{folder}/modern_capacity", "--figure", f"{folder}/modern_capacity.png")
    return commands.printed("modern_capacity", *SMALL.split(), *places, *more, expect=expect)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modern_capacity")
    return folder, run(folder)


def test_it_ends_with_verdicts_and_a_figure(finished):
    folder, printed = finished
    last = printed.splitlines()[-6:]
    for line, name in zip(last, modern_capacity.OBSERVABLES * 2, strict=True):
        assert line.startswith(name.replace("_", " ")) and "against the exact law" in line
    assert "all patterns of a set retrieved" in printed and "fixed points" in printed
    assert (folder / "modern_capacity.png").stat().st_size > 10_000
    stores = {
        name: opened(folder / "modern_capacity" / f"{name}.zarr").load()
        for name in ("update", "cues", "all", "fixed")
    }
    update = stores["update"]
    dims = ("patterns", "sharpness", "start_overlap", "dimension", "excess", "realisation")
    assert update.weight.dims == dims
    # 12-dimensional spheres with more than 2000 patterns are left out
    largest = update.n_patterns.sel(patterns="sphere", dimension=12, excess=1.0)
    assert (largest == 0).all() and update.weight.sel(largest.coords).isnull().all()
    theory = modern_capacity.predicted(update)
    away = np.abs(update.weight.mean("realisation") - theory.weight)
    # 64 weights of a spread of at most 1/2, with networks as their units: six standard errors
    assert float(away.max()) < 6 * 0.5 / np.sqrt(64)
    for name, store in stores.items():
        for variable in store.data_vars:
            described = store[variable].attrs
            assert described["long_name"] and described["units"], (name, variable)


def test_a_second_run_reuses_and_other_settings_are_refused(finished):
    folder, printed = finished
    store = folder / "modern_capacity"
    chunks = {p: p.stat().st_mtime_ns for p in store.rglob("c/*")}
    with pytest.raises(ValueError, match="queries"):
        experiment.main(
            experiment.Settings(
                store=store, dimension=(8, 12), sharpness=(1.0,), queries=16, realisations=2
            )
        )
    assert chunks == {p: p.stat().st_mtime_ns for p in store.rglob("c/*")}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"dimension": (3,)}, "--dimension"),
        ({"all_dimension": ()}, "--all-dimension"),
        ({"sharpness": (0.0,)}, "--sharpness 0.0"),
        ({"sharpness": ()}, "--sharpness .none.: numbers > 0"),
        ({"fixed_sharpness": -1.0}, "--fixed-sharpness -1.0"),
        ({"excess": (np.inf,)}, "--excess"),
        ({"cue_overlap": (1.2,)}, "--cue-overlap 1.2: numbers in .0, 1. are needed"),
        ({"bound": 1.0}, "--bound 1.0"),
        ({"queries": 0}, "--queries 0"),
        ({"most_patterns": 1}, "--most-patterns 1"),
        ({"most_grown": 1}, "--most-grown 1"),
    ],
)
def test_wrong_input_is_refused_before_any_work(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment.sweeps(experiment.Settings(**changed))


def test_dry_run_only_tells(tmp_path, capsys):
    experiment.main(experiment.Settings(store=tmp_path / "store", dry_run=True, workers=1))
    printed = capsys.readouterr().out
    for word in ("cells", "scores of a query", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())
