"""The study of noisy couplings: its networks by hand, its heat bath by enumeration, end to end."""

import itertools

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import erf

from analysis import ultra_detection
from experiments import ultra_detection as experiment
from hopfield_sim import Dense, patterns, theory
from hopfield_sim.sweep import opened
from tests import commands, exact

SMALL = """--n-neurons 50 100 --thermal-n-neurons 20 30 --pair-n-neurons 40 80 --alpha 0.2 0.5
    --scaled-noise 0 1 2 3 4 --pair-noise 0.5 1 --reduced-load 0.1 0.15 --warmup 10 --samples 20
    --updates 1000 --realisations 3 --scheduler threads"""


# ------------------------------------------------------------------------------------ networks


def test_triples_are_all_triples():
    for n_neurons in (3, 4, 9):
        found = list(zip(*(a.tolist() for a in experiment.triples(n_neurons)), strict=True))
        assert found == list(itertools.combinations(range(n_neurons), 3))


def tensor_energy(tensor, s):
    """H = -(1/3) sum_ijk T_ijk s_i s_j s_k for states (state, neuron)."""
    return -np.einsum("ijk,ai,aj,ak->a", tensor.astype(float), s, s, s) / 3


def test_the_tensor_without_noise_is_the_dense_network():
    """Energy to the rounding of float32."""
    xi = patterns.random(5, 9, 1)
    tensor = experiment.noisy_tensor(xi, 0.0, np.random.default_rng(1))
    s = patterns.random(20, 9, 2)
    np.testing.assert_allclose(tensor_energy(tensor, s), Dense(xi, 3).energy(s), atol=1e-5)


def test_the_tensor_is_symmetric_and_its_noise_has_its_size():
    """560 entries of variance K omega^2/N^4: their mean square is known to sqrt(2/560) = 6 %."""
    xi = patterns.random(7, 16, 1)
    noisy, bare = (
        experiment.noisy_tensor(xi, omega, np.random.default_rng(2)) for omega in (3.0, 0.0)
    )
    for axes in itertools.permutations(range(3)):
        np.testing.assert_array_equal(noisy.transpose(axes), noisy)
    i, j, k = experiment.triples(16)
    noise = (noisy - bare)[i, j, k] * 16**2
    assert (noise**2).mean() == pytest.approx(7 * 9.0, rel=0.3)
    same = np.arange(16)
    assert not noisy[same, same].any()


@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_heat_bath_samples_boltzmann_weights(temperature):
    """N = 5, 32 states: 20000 replicas after 90 sweeps; 1.3 times too hot fails clearly.

    Energies range over 6: at these temperatures the start is long forgotten (0.6 needs more).
    """
    xi = patterns.random(2, 5, 3)
    random = np.random.default_rng(4)
    tensor = experiment.noisy_tensor(xi, 2.0, random)
    spins = np.ones((5, 20_000), np.float32)
    for _ in range(90):
        experiment.heat_bath(tensor, spins, temperature, random)
    counts = np.bincount(exact.state_numbers(spins.T.astype(np.int8)), minlength=32)
    energies = tensor_energy(tensor, exact.states(5).astype(float))
    for factor, fits in ((1.0, True), (1.3, False)):
        law = exact.weights(energies, factor * temperature)
        p = stats.chisquare(counts, law * counts.sum()).pvalue
        assert (p > 1e-6) == fits


@pytest.mark.parametrize("interaction", [3, 4])
def test_fields_of_noise_have_the_moments_of_tuples(interaction):
    """N = 6: the covariance of h_i s_i by tuples drawn one by one, against what is drawn instead.

    40000 noises: entries of the covariance are known to 1 % of the variance; five of them.
    """
    n_neurons, draws = 6, 40_000
    random = np.random.default_rng(interaction)
    tuples = list(itertools.combinations(range(n_neurons), interaction))
    noise = random.standard_normal((draws, len(tuples)))
    fields = np.zeros((draws, n_neurons))
    for column, members in enumerate(tuples):
        fields[:, list(members)] += noise[:, [column]]
    covariance = np.cov(fields.T)
    # as in `update_cell`
    shared = len([one for one in tuples if {0, 1} <= set(one)])
    own = len([one for one in tuples if 0 in one]) - shared
    expected = shared + own * np.eye(n_neurons)
    np.testing.assert_allclose(covariance, expected, atol=0.05 * (own + shared))


def test_update_without_noise_is_that_of_dense():
    settings = experiment.Settings(updates=300, crosstalk=40.0)
    found = experiment.update_cell(settings, (1, 0), 3, 2, 30, np.array([0.0, 1.0]))
    overlaps = []
    for network in range(10):
        xi = patterns.random(round(40 * 30**2 / 2), 30, (1, 0, 3, 2, network))
        overlaps.append((np.sign(Dense(xi, 3).field(xi[0])) * xi[0]).mean())
    assert float(found.overlap[0]) == pytest.approx(np.mean(overlaps), abs=1e-12)
    assert experiment.update_cell(settings, (1, 0), 3, 3, 30, np.array([0.0])).overlap.isnull()


def test_pairs_without_noise_are_a_full_four_body_network():
    settings = experiment.Settings(updates=40)
    found = experiment.pair_cell(settings, (1, 0), 30.0, 20, np.array([0.0, 0.5]))
    overlaps = []
    for network in range(2):
        xi = patterns.random(600, 20, (1, 0, network))
        overlaps.append((np.sign(Dense(xi, 4, "full").field(xi[0])) * xi[0]).mean())
    assert float(found.overlap[0]) == pytest.approx(np.mean(overlaps), abs=1e-12)
    assert float(found.overlap[0]) < 1  # the load is such that there are errors


def test_pairs_of_reference():
    """K/N = 0.1, s = 1, N = 150 ... 300: an independent program had m1 = 0.66 ± 0.02, V = 1.2.

    60 networks of 200 neurons scatter by 0.06: 0.008; the formula of the finite network is O(1/N).
    """
    settings = experiment.Settings(updates=200 * 60)
    found = float(experiment.pair_cell(settings, (1, 0), 0.1, 200, np.array([1.0])).overlap[0])
    expected = theory.ultra_detection.pair_noise_finite(200, 20, np.sqrt(200.0))
    assert abs(found - 0.66) < 2 * 0.02
    assert abs(found - float(expected.overlap)) < 3 * 0.008 + 1 / 200
    assert float(theory.ultra_detection.pair_noise(0.1, 1.0).overlap) == pytest.approx(
        erf(1 / np.sqrt(2.4))
    )


# ----------------------------------------------------------------------------------- reductions


def test_growth_of_a_known_law():
    """m1 = erf(1/sqrt(2 (a + 0.2 u^2))): the crossing is found exactly, as the load is a line."""
    sizes, scaled = np.array([50, 100, 200]), np.array([0.0, 1.0, 3.0, 4.0])
    shift = 3.0 / sizes
    load = shift[:, None] + 0.2 * scaled**2 + 1e-12
    overlap = erf(1 / np.sqrt(2 * load))[None, None, :, :, None] + np.array([0, 1e-6, -1e-6])
    scores = xr.Dataset(
        {"found": (("interaction", "exponent", "n_neurons", "scaled_noise", "r"), overlap)},
        coords={
            "interaction": [4],
            "exponent": [1],
            "n_neurons": sizes,
            "scaled_noise": scaled,
        },
    ).rename(r="realisation")
    scores["predicted"] = scores.found.isel(realisation=0)
    found = ultra_detection.growth(scores).sel(interaction=4, exponent=1)
    wanted = np.sqrt((2.1981093 - shift) / 0.2) * sizes  # 1/(2 erfinv(1/2)^2)
    np.testing.assert_allclose(np.exp(found.log_noise), wanted, rtol=1e-5)
    assert float(found.limit) == 1
    assert float(found.slope_finite) == pytest.approx(float(found.slope), abs=1e-4)
    assert float(found.slope) == pytest.approx(1, abs=0.03) and float(found.slope) > 1
    assert "4  1" in ultra_detection.growth_table(scores)


# ------------------------------------------------------------------------------------ end to end


def run(folder, *more, expect=0):
    places = ("--store", f"{folder}/ultra_detection", "--figure", f"{folder}/ultra_detection.png")
    return commands.printed("ultra_detection", *SMALL.split(), *places, *more, expect=expect)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ultra_detection")
    return folder, run(folder)


def test_it_ends_with_verdicts_and_a_figure(finished):
    folder, printed = finished
    assert sum("mean z²" in line or "no cell" in line for line in printed.splitlines()[-4:]) == 4
    assert (folder / "ultra_detection.png").stat().st_size > 10_000
    update = opened(folder / "ultra_detection" / "update.zarr").load()
    overlap = update.overlap.sel(interaction=4, exponent=2).mean("realisation")
    # 3000 neurons of standard deviation 1 at most; they share noise: twice that, and five of it
    expected = erf(1 / np.sqrt(2 * 0.2 * update.scaled_noise.values[1:] ** 2))
    assert float(np.abs(overlap[:, 1:] - expected).max()) < 10 / np.sqrt(3000)
    for part in ("update", "thermal", "pairs"):
        store = opened(folder / "ultra_detection" / f"{part}.zarr")
        assert bool(store.done.all())
        for name in store.data_vars:
            assert store[name].attrs["long_name"] and store[name].attrs["units"], name


def test_a_second_run_reuses_and_other_settings_are_refused(finished):
    folder, printed = finished
    chunks = {p: p.stat().st_mtime_ns for p in (folder / "ultra_detection").rglob("c/*")}
    assert run(folder) == printed
    with pytest.raises(ValueError, match="crosstalk"):
        experiment.main(
            experiment.Settings(store=folder / "ultra_detection", crosstalk=0.3, realisations=3)
        )
    assert chunks == {p: p.stat().st_mtime_ns for p in (folder / "ultra_detection").rglob("c/*")}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"interaction": (1, 3)}, "--interaction"),
        ({"exponent": (0,)}, "--exponent"),
        ({"n_neurons": (3,)}, "--n-neurons"),
        ({"n_neurons": ()}, "--n-neurons"),
        ({"scaled_noise": (-1.0,)}, "--scaled-noise"),
        ({"pair_noise": (np.nan,)}, "--pair-noise"),
        ({"updates": 0}, "--updates 0"),
        ({"replicas": 1}, "--replicas 1: at least 2"),
        ({"crosstalk": 0.0}, "--crosstalk 0.0"),
        ({"temperature": -0.1}, "temperature"),
        ({"warmup": -1}, "warmup"),
        ({"alpha": (0.001,)}, "no pattern at N=60"),
        ({"reduced_load": (0.001,)}, "N/4 patterns alone are a higher load at N = 80"),
    ],
)
def test_wrong_input_is_refused_before_any_work(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment.sweeps(experiment.Settings(**changed))


def test_dry_run_only_tells(tmp_path, capsys):
    small = {"thermal_n_neurons": (40, 60), "pair_n_neurons": (40, 60), "workers": 1}
    experiment.main(experiment.Settings(store=tmp_path / "store", dry_run=True, **small))
    printed = capsys.readouterr().out
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())
