"""The study of first updates of dense networks: end to end; its reductions; known numbers."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr, ndtri

from analysis import dense_capacity
from experiments import dense_capacity as experiment
from hopfield_sim import Dense, number_of_patterns, patterns
from hopfield_sim.sweep import opened
from hopfield_sim.theory import exponential, one_step
from tests import commands, reference

SMALL = """--n-neurons 32 64 --interaction 2 3 --reduced-load 0.12 0.14 0.16 0.2 0.3 --updates 2048
    --exponential-n-neurons 80 160 320 --samples 200 --realisations 3 --scheduler threads"""


# ------------------------------------------------------------------------------- known numbers


def first_update(row):
    """P_err over all patterns of 60 networks.

    Errors come in clusters: two patterns that are close disturb each other at many neurons. So the
    networks scatter by 0.0014 at most, twice as much as independent neurons would: error 0.0002.
    """
    given = row.given
    n_neurons, number, order = (int(given[name]) for name in ("N", "K", "n"))
    kind = "rectified" if "relu" in row.words else "full"
    wrong = []
    for network in range(60):
        xi = patterns.random(number, n_neurons, (1, network))
        wrong.append(xi * Dense(xi, order, kind).field(xi) < 0)
    return np.mean(wrong)


def naive_alignment(row):
    """<h_i s_i> of the field sum_mu xi_i m_mu^3 in which m_mu has its own site, random states."""
    n_neurons, xi, s = frozen_by_itself(row)
    return (s * ((s @ xi.T / n_neurons) ** 3 @ xi)).mean()


def frozen_by_itself(row):
    given = row.given
    n_neurons, order = int(given["N"]), int(given["P"])
    number = number_of_patterns(n_neurons, order, alpha=given["alpha"])
    xi = patterns.random(number, n_neurons, 1).astype(float)
    return n_neurons, xi, patterns.random(20, n_neurons, 2).astype(float)


SIMULATED_DENSE = {"MC_KH_perr": first_update, "MC_selfint_mean_his_i": naive_alignment}


@pytest.mark.parametrize("row", reference.rows("dense", SIMULATED_DENSE), ids=str)
def test_reference(row, record_property):
    found = SIMULATED_DENSE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


def test_a_site_that_hears_itself_is_frozen():
    """The naive field holds every spin of a random state, the exact one half of them.

    2000 nearly independent signs: five standard errors are 0.056.
    """
    (row,) = reference.rows("dense", {"MC_selfint_mean_his_i"})
    n_neurons, xi, s = frozen_by_itself(row)
    assert (s * ((s @ xi.T / n_neurons) ** 3 @ xi) > 0).all()
    for kind in ("full", "distinct"):
        assert abs((s * Dense(xi, 4, kind).field(s) > 0).mean() - 0.5) < 0.056


# ----------------------------------------------------------------------------------- reductions


def update_of(law, n_neurons=(32, 64, 128), numbers=(2.0, 2.3, 2.6, 3.0, 3.4), realisations=4):
    """A store whose P_err is a law of (N, K), K = number N^2 / 100."""
    dims = ("kind", "interaction", "n_neurons", "reduced_load", "realisation")
    size = xr.DataArray(list(n_neurons), dims="n_neurons")
    number = np.rint(size**2 * xr.DataArray(list(numbers), dims="reduced_load") / 100)
    number, size = xr.broadcast(number, size)
    coords = {
        "kind": ["full"],
        "interaction": [3],
        "n_neurons": list(n_neurons),
        "reduced_load": list(numbers),
        "realisation": range(realisations),
    }
    shape = [len(values) for values in coords.values()]
    both = [
        np.broadcast_to(array.values[None, None, :, :, None], shape) for array in (number, size)
    ]
    return xr.Dataset(
        {"n_patterns": (dims, both[0].copy()), "error": (dims, law(both[0], both[1]))},
        coords=coords,
    )


def test_k_max_of_gaussian_noise_is_found_exactly():
    """P_err = Phi(-t) with t^2 K = N^2/6: the line is straight, K_max = N^2/(6 t^2), slope 2."""

    def law(number, size):
        return ndtr(-np.sqrt(size**2 / (6 * number)))

    update = update_of(law)
    theory = xr.Dataset({"exact": update.error.isel(realisation=0)}).drop_vars("realisation")
    found = dense_capacity.capacities(update, theory, 0.005).sel(kind="full", interaction=3)
    expected = np.log(found.n_neurons**2 / (6 * ndtri(0.005) ** 2))
    np.testing.assert_allclose(found.log_number, expected, atol=1e-12)
    np.testing.assert_allclose(found.log_exact, expected, atol=1e-12)
    np.testing.assert_allclose(found.log_error, 0, atol=1e-12)
    known = found.assign(log_error=found.log_error + 0.01)
    slopes = dense_capacity.exponents(known)
    assert float(slopes.slope) == pytest.approx(2, abs=1e-12)
    # three sizes a factor 2 apart: error 0.01 / (sqrt(2) ln 2)
    assert float(slopes.slope_error) == pytest.approx(0.01 / np.sqrt(2) / np.log(2))
    assert float(slopes.limit) == 2 and int(slopes.n_sizes) == 3


def test_k_max_needs_loads_on_both_sides():
    update = update_of(lambda number, size: 0.004 + 0 * size * number)
    theory = xr.Dataset({"exact": update.error.isel(realisation=0)}).drop_vars("realisation")
    found = dense_capacity.capacities(update, theory, 0.005)
    assert found.log_number.isnull().all() and found.log_exact.isnull().all()


def test_prediction_is_made_at_the_number_that_is_simulated():
    update = update_of(lambda number, size: 0 * number + 0 * size)
    update["n_patterns"][:, :, 0, 0] = 0  # a network that was left out
    found = dense_capacity.predicted(update).sel(kind="full", interaction=3)
    assert np.isnan(found.exact[0, 0]) and int(found.exact.isnull().sum()) == 1
    number = int(update.n_patterns.values[0, 0, 2, 4, 0])
    assert float(found.exact[2, 4]) == float(one_step.dense_exact(128, number, 3).error)
    assert float(found.gaussian[2, 4]) == float(one_step.dense_gaussian(128, number, 3).error)


def test_limits_of_quarter_loads_and_crossings():
    """P_err = Phi of (alpha - alpha_q(N)) N / 2 with a known alpha_q(N)."""
    sizes, x0 = np.array([80, 160, 320]), np.array([0.8, 1.0])
    excess = np.arange(-10.0, 19.0)
    load = exponential.typical(x0).alpha.values
    b = np.array([1.0, 0.0])  # 0.8 is below tanh 2, 1 above
    shift = b * np.log(sizes)[:, None] / 2 - 0.4
    away = excess[None, None, :] - shift[:, :, None]
    # P_err = 1/4 at alpha_q: Phi((y - shift)/2 + Phi^-1(1/2)) / 2
    error = ndtr(away / 2)[..., None] / 2 + np.zeros(3)
    store = xr.Dataset(
        {"error": (("n_neurons", "start_overlap", "excess", "realisation"), error)},
        coords={
            "n_neurons": sizes,
            "start_overlap": x0,
            "excess": excess,
            "realisation": range(3),
        },
    )
    found = dense_capacity.quarter_loads(store)
    # the interpolation between loads 1/N apart: a cubic, to 0.01 of a step
    alpha = found.alpha.transpose("n_neurons", "start_overlap")
    np.testing.assert_allclose(alpha, load + shift / sizes[:, None], atol=0.01 / 80)
    assert found.logarithm.values.tolist() == b.tolist()
    found = dense_capacity.quarter_loads(store + xr.DataArray([0, 1e-4, -1e-4], dims="realisation"))
    np.testing.assert_allclose(found.limit, load, atol=2e-4)
    np.testing.assert_allclose(found.slope, -0.4, atol=0.03)
    crossed = dense_capacity.crossings(store).estimate
    # x0 = 1: y = -0.4 + d with d (1 - 2) = 0 in alpha (N - N'), so alpha - typical is 0
    np.testing.assert_allclose(crossed.sel(start_overlap=1.0), load[1], atol=2e-4)
    text = dense_capacity.threshold_table(found, dense_capacity.crossings(store))
    assert "0.6750" in text and "0.3466" in text


# ------------------------------------------------------------------------------------ end to end


def run(folder, *more, expect=0):
    places = ("--store", f"{folder}/dense_capacity", "--figure", f"{folder}/dense_capacity.png")
    return commands.printed("dense_capacity", *SMALL.split(), *places, *more, expect=expect)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense_capacity")
    return folder, run(folder)


def test_it_ends_with_a_verdict_and_a_figure(finished):
    folder, printed = finished
    last = printed.splitlines()[-1]
    assert last.startswith("P_err against the exact formula") and "mean z²" in last
    assert (folder / "dense_capacity.png").stat().st_size > 10_000
    update = opened(folder / "dense_capacity" / "update.zarr").load()
    assert update.error.dims == ("kind", "interaction", "n_neurons", "reduced_load", "realisation")
    small = update.n_patterns.sel(kind="full", interaction=2, n_neurons=32)
    assert (small == 0).all() and update.error.sel(small.coords).isnull().all()
    theory = dense_capacity.predicted(update)
    found = update.error.mean("realisation")
    # 3 x 1024 neurons at least, P_err below 0.05: six standard errors
    assert float(np.abs(found - theory.exact).max()) < 6 * np.sqrt(0.05 / 3072)
    noise = opened(folder / "dense_capacity" / "exponential.zarr").load()
    assert noise.error.sizes["excess"] == len(experiment.Settings().excess)
    for store in (update, noise):
        for name in store.data_vars:
            assert store[name].attrs["long_name"] and store[name].attrs["units"], name


def test_a_second_run_reuses_and_other_settings_are_refused(finished):
    folder, printed = finished
    chunks = {p: p.stat().st_mtime_ns for p in (folder / "dense_capacity").rglob("c/*")}
    assert run(folder) == printed
    with pytest.raises(ValueError, match="updates"):
        experiment.main(
            experiment.Settings(store=folder / "dense_capacity", updates=1024, realisations=3)
        )
    assert chunks == {p: p.stat().st_mtime_ns for p in (folder / "dense_capacity").rglob("c/*")}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"interaction": (1,)}, "interaction=1"),
        ({"n_neurons": (0,)}, "n_neurons=0"),
        ({"reduced_load": (-0.1,)}, "reduced_load=-0.1"),
        ({"updates": 0}, "--updates 0: at least 1"),
        ({"samples": 0}, "--samples 0"),
        ({"start_overlap": (0.77,)}, "whole number"),
        ({"start_overlap": (-0.5,)}, "whole number"),
        ({"excess": (-40.0,)}, "--excess -40.0: fewer than 20 patterns"),
    ],
)
def test_wrong_input_is_refused_before_any_work(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment.sweeps(experiment.Settings(**changed))


def test_dry_run_only_tells(tmp_path, capsys):
    experiment.main(experiment.Settings(store=tmp_path / "store", dry_run=True, workers=1))
    printed = capsys.readouterr().out
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())
