"""The study of continuous states at temperature T: end to end; its reductions on made-up data."""

import numpy as np
import pytest
import xarray as xr

from analysis import modern_thermal
from experiments import modern_thermal as experiment
from hopfield_sim.sweep import opened
from hopfield_sim.theory import log_sum_exp_cells
from tests import commands

SMALL = """--dimension 24 --alpha 0.1 0.15 --temperature 0.15 0.9 --most-patterns 60 --replicas 4
    --warmup 40 --samples 20 --every 2 --realisations 2 --scheduler threads"""


def run(folder, *more, expect=0):
    places = ("--store", f"{folder}/modern_thermal", "--figure", f"{folder}/modern_thermal.png")
    return commands.printed("modern_thermal", *SMALL.split(), *places, *more, expect=expect)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modern_thermal")
    return folder, run(folder)


def test_it_ends_with_verdicts_and_a_figure(finished):
    folder, printed = finished
    *_, overlap, energy, other = printed.splitlines()
    for line, name in ((overlap, "overlap"), (energy, "energy"), (other, "best other overlap")):
        assert line.startswith(f"{name} in the basin against theory at d: ") and "mean z²" in line
    assert "q12 - m^2" in printed
    assert (folder / "modern_thermal.png").stat().st_size > 10_000
    found = opened(folder / "modern_thermal" / "dimension_24.zarr").load()
    assert found.overlap.dims == ("alpha", "temperature", "realisation")
    # M = 11 and 37, the load is that of the number of patterns
    np.testing.assert_allclose(found.alpha, np.log([11, 37]) / 24)
    assert modern_thermal.numbers(found, 24).values.tolist() == [11, 37]
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name
    cold = found.sel(temperature=0.15)
    # nobody leaves: barrier to a neighbour of 20 and more times T (log_sum_exp_thermal.retrieval)
    assert int(cold.n_left.sum()) == 0 and (cold.inside == 1).all()
    assert cold.overlap_out.isnull().all()
    xr.testing.assert_allclose(cold.overlap, cold.overlap_inside)
    # 160 samples of a spread of 0.03, of which every second is independent: six standard errors
    theory = modern_thermal.predicted(found, 24, 0.5).sel(temperature=0.15)
    assert float(np.abs(cold.overlap.mean("realisation") - theory.m).max()) < 6 * 0.03 / np.sqrt(80)


def test_a_second_run_reuses_and_other_settings_are_refused(finished):
    folder, printed = finished
    chunks = {p: p.stat().st_mtime_ns for p in (folder / "modern_thermal").rglob("c/*")}
    settings = experiment.Settings(
        store=folder / "modern_thermal",
        dimension=(24,),
        alpha=(0.1, 0.15),
        temperature=(0.15, 0.9),
        most_patterns=60,
        replicas=4,
        warmup=40,
        samples=20,
        every=3,
        realisations=2,
    )
    with pytest.raises(ValueError, match="every"):
        experiment.main(settings)
    assert chunks == {p: p.stat().st_mtime_ns for p in (folder / "modern_thermal").rglob("c/*")}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"temperature": (0.0, 0.1)}, "model.retrieve"),
        ({"dimension": (3,)}, "--dimension"),
        ({"dimension": ()}, "--dimension"),
        ({"alpha": (0.9,)}, "no load with 2 to 15000 patterns"),
        ({"replicas": 1}, "--replicas 1"),
        ({"sharpness": 0.0}, "--sharpness 0.0"),
        ({"epanechnikov": -1.0}, "--epanechnikov -1.0"),
        ({"warmup": 10}, "--warmup 10"),
        ({"samples": 0}, "samples=0"),
    ],
)
def test_wrong_input_is_refused_before_any_work(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment.sweeps(experiment.Settings(**changed))


def test_dry_run_only_tells(tmp_path, capsys):
    settings = experiment.Settings(
        store=tmp_path / "store", dimension=(20,), most_patterns=9, dry_run=True, workers=1
    )
    experiment.main(settings)
    printed = capsys.readouterr().out
    for word in ("cells", "steps of a replica", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


# ----------------------------------------------------------------------------------- reductions


def store_of(numbers, dimension, temperature=(0.1, 0.3), realisations=4):
    alpha = np.log(numbers) / dimension
    law = log_sum_exp_cells.cell(
        dimension, xr.DataArray(numbers, dims="alpha"), list(temperature), 0.5
    ).m.drop_vars(["dimension", "n_patterns", "sharpness", "branch"])
    noise = xr.DataArray(1e-3 * np.linspace(-1, 1, realisations), dims="realisation")
    return (law + noise).to_dataset(name="overlap_inside").assign_coords(alpha=alpha)


def test_prediction_is_that_of_the_number_and_dimension():
    found = store_of([11, 122], 24)
    theory = modern_thermal.predicted(found, 24, 0.5)
    np.testing.assert_allclose(theory.m, found.overlap_inside.mean("realisation"), atol=1e-12)
    assert theory.m.dims == ("alpha", "temperature")
    # a nearer neighbour than usual where T is low
    cold = modern_thermal.predicted(store_of([122], 24, (0.05, 0.2)), 24, 0.5).rare[0]
    assert float(cold[0]) > modern_thermal.RARE > float(cold[1])


def test_columns_of_several_dimensions():
    stores = {20: store_of([8, 20], 20), 24: store_of([11], 24)}
    together = modern_thermal.joined({d: each.overlap_inside for d, each in stores.items()})
    assert together.sizes["column"] == 3
    assert together.dimension.values.tolist() == [20, 20, 24]
    np.testing.assert_allclose(together.alpha, np.log([8, 20, 11]) / [20, 20, 24])
    np.testing.assert_array_equal(
        together.isel(column=2).values, stores[24].overlap_inside.isel(alpha=0).values
    )


def test_where_the_states_of_a_dimension_end():
    alpha = np.log([122, 1339]) / 24
    ends = modern_thermal.lost(24, alpha, 0.5)
    assert ends[0] > ends[1]
    for load, end in zip(alpha, ends, strict=True):
        number = np.rint(np.exp(load * 24))
        there = log_sum_exp_cells.cell(24, number, [end, end + 0.11], 0.5).m.notnull()
        assert there.values.ravel().tolist() == [True, False]


def test_overlap_with_a_pattern_that_is_alone():
    """Cold: it is the pattern. Hot: the state is spread over the region, |x - xi|^2 of mean
    (2 d/b) (d/2)/(d/2 + 1)."""
    cold, hot = modern_thermal.alone(np.array([1e-9, 1e9]), 16, 3.0)
    assert cold == pytest.approx(1) and hot == pytest.approx(1 / np.sqrt(1 + 2 / 3 * 8 / 9))
