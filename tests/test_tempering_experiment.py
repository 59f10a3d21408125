"""The study of the spin-glass phase end to end, small; and the reduction of its numbers."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from analysis import glass
from experiments import tempering
from hopfield_sim import statistics, theory
from hopfield_sim.sweep import opened

SMALL = tempering.Settings(
    n_neurons=(20, 40, 60),
    n_temperatures=6,
    temperature=(0.4, 2.0),
    sweeps=1600,
    realisations=3,
    scheduler="threads",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tempering")
    settings = replace(SMALL, store=folder / "glass.zarr", figure=folder / "glass.png")
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        tempering.main(settings)
    return settings, "\n".join(printed)


def test_it_ends_with_verdicts_and_a_figure(finished):
    settings, printed = finished
    assert all("mean z²" in verdict for verdict in printed.splitlines()[-3:])
    assert settings.figure.stat().st_size > 10_000
    found = opened(settings.store).load()
    assert found.energy.dims == ("n_neurons", "realisation", "temperature")
    assert tuple(found.temperature.values) == tempering.ladder(settings)  # the same each time
    # The measured density has the measured moments, but for the width of its bins, 2/41: they add
    # at most its square / 4 to the second moment.
    width = float(found.q_bin[1] - found.q_bin[0])
    np.testing.assert_allclose(found.q_density.sum("q_bin") * width, 1)
    second = (found.q_density * found.q_bin**2).sum("q_bin") * width
    np.testing.assert_allclose(second, found.q_moment_2, atol=width)
    # Above T_g the energy is that of the paramagnet up to 1/N: 0.1, less some 20 % at N = 60
    hottest = found.energy.sel(n_neurons=60).isel(temperature=-1).mean()
    assert abs(float(hottest) + 0.1) < 0.03
    assert found.exchange_rate.min() > 0.05 and found.equilibrated.any()
    assert (found.upward.isel(temperature=0) == 1).all()
    assert (found.upward.isel(temperature=-1) == 0).all()
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name


def test_a_second_run_reuses_and_other_settings_are_refused(finished, monkeypatch):
    settings, _ = finished
    monkeypatch.setattr(tempering, "report", lambda found, _: None)
    before = {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}
    tempering.main(settings)
    with pytest.raises(ValueError, match="every"):
        tempering.main(replace(settings, every=2))
    assert before == {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"alpha": 0.19}, "whole number"),
        ({"alpha": 0.0}, "whole number"),
        ({"n_neurons": (20, 40)}, "three sizes"),
        ({"temperature": (0.4, 1.2)}, "above T_g"),
        ({"replicas": 3}, "even number"),
        ({"n_temperatures": 2}, "at least 4"),
        ({"sweeps": 100}, "32 measurements"),
        ({"realisations": 1}, "at least 2"),
    ],
)
def test_wrong_input_ends_with_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        tempering.main(replace(SMALL, **wrong))


def test_dry_run_only_tells(tmp_path, capsys):
    places = {"store": tmp_path / "glass.zarr", "figure": tmp_path / "glass.png"}
    tempering.main(replace(SMALL, dry_run=True, **places))
    printed = capsys.readouterr().out
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


def test_density_of_the_overlap_has_no_teeth():
    """Equally likely values make an even density at every N, although the bins differ in number."""
    for n_neurons in (20, 60, 64, 480):
        values = -1 + 2 * np.arange(n_neurons + 1) / n_neurons
        q = xr.DataArray([[values]], dims=("temperature", "replica", "sample"))
        density = tempering.density(q, n_neurons)
        inner = density.values[0, 1:-1]
        np.testing.assert_allclose(inner, n_neurons / (2 * (n_neurons + 1)), rtol=1e-12)
        np.testing.assert_allclose(density, density[:, ::-1], rtol=1e-12)
        assert float(density.sum()) * 2 / 41 == pytest.approx(1)


def of_sizes(values):
    """(n_neurons, realisation, temperature) from a function of N and T, with noise by realisation.

    The noise is the same at each size, so that a limit has it whole.
    """
    T = np.array([0.5, 1.0, 1.7, 2.0])
    N = xr.DataArray([60.0, 120.0, 240.0], dims="n_neurons", coords={"n_neurons": [60, 120, 240]})
    temperature = xr.DataArray(T, dims="temperature", coords={"temperature": T})
    noise = xr.DataArray(0.01 * np.random.default_rng(0).normal(size=5), dims="realisation")
    return (values(N, temperature) + noise).transpose("n_neurons", ...), noise


def test_limit_is_exact_for_its_own_law():
    def law(N, T):
        """A series in 1/N above T_g, N^(-2/3) below."""
        return -0.5 + xr.where(T > 1 + 0.2**0.5, 0.3 / N - 4 / N**2, 0.3 * N ** (-2 / 3))

    energy, noise = of_sizes(law)
    limits = glass.limit(energy, 0.2)
    np.testing.assert_allclose(limits.energy, (-0.5 + noise).broadcast_like(limits.energy))
    assert np.abs(limits.line - limits.energy).min() > 1e-4
    above = theory.hopfield.paramagnet(0.2, [1.7, 2.0]).energy.squeeze()
    np.testing.assert_allclose(limits.paramagnet[2:], above)
    assert limits.paramagnet[:2].isnull().all()


def test_susceptibility_of_the_paramagnet():
    """N <q^2> = chi + a/N has its limit; theory is 1/replicon, by hand at T = 2: 1/(1 - 0.2)."""
    square, noise = of_sizes(lambda N, T: 1.25 + 2 / N + 0 * T)
    found = xr.Dataset({"q_moment_2": square / square.n_neurons})
    chi = glass.glass_susceptibility(found, 0.2)
    above = chi.limit.sel(temperature=[1.7, 2.0])
    np.testing.assert_allclose(above, (1.25 + noise).broadcast_like(above))
    assert chi.limit.sel(temperature=[0.5, 1.0]).isnull().all()
    assert float(chi.theory.sel(temperature=2.0)) == pytest.approx(1.25)


def test_cycles_have_mean_zero():
    """Over all 2^9 sets of three patterns of three neurons."""
    bits = np.arange(2**9)[:, None] >> np.arange(9) & 1
    every = [tempering.cycles((2.0 * b - 1).reshape(3, 3)) for b in bits]
    np.testing.assert_allclose(np.mean(every, axis=0), 0, atol=1e-15)
    assert np.std(every, axis=0).min() > 0.1


def test_what_cycles_explain_is_taken_out_of_the_energy():
    """Error bars of the adjusted mean are right: 68 % and 95 % of Student's intervals hold it."""
    n, repeats = 10, 1000
    rng = np.random.default_rng(1)
    two, three, noise = rng.normal(size=(3, n, repeats))
    dims = ("realisation", "n_neurons")  # the repeats play the part of the sizes
    found = xr.Dataset(
        {
            "energy": (dims, -0.5 + 0.3 * two - 0.2 * three + 0.1 * noise),
            "cycles_2": (dims, two),
            "cycles_3": (dims, three),
        }
    )
    found = found.assign(energy=found.energy.expand_dims(temperature=[1.0]))
    adjusted = statistics.disorder(glass.adjusted(found))
    t = ((adjusted["mean"] + 0.5) / adjusted["error"]).values.ravel()
    for level in (0.68, 0.95):
        inside = np.mean(np.abs(t) < stats.t.ppf((1 + level) / 2, n - 3))
        # three standard deviations of a share of 1000
        assert abs(inside - level) < 3 * np.sqrt(level * (1 - level) / repeats)
    plain = statistics.disorder(found.energy)["error"].median()
    assert adjusted["error"].median() < 0.5 * plain
    few = found.isel(realisation=slice(7))
    xr.testing.assert_identical(glass.adjusted(few), few.energy)


def test_theory_on_both_sides_of_the_transition():
    predicted = glass.theory(0.2, np.array([0.3, 1.0, 1.44719, 1.6]))
    assert predicted.to_array().notnull().all()
    assert (predicted.energy_1rsb > predicted.energy_rs)[:2].all()  # breaking raises the energy
    assert (predicted.q2_rs < 1e-3)[2:].all() and (predicted.q2_1rsb < 1e-3)[2:].all()
    assert float(predicted.energy_rs[3]) == pytest.approx(-0.1 / 0.6)  # -alpha/(2 (T - 1))


def test_binder_ratio():
    q2 = xr.DataArray(np.full((2, 4), 0.25), dims=("n_neurons", "realisation"))
    q4 = xr.DataArray([4 * [0.0625], 4 * [3 * 0.0625]], dims=("n_neurons", "realisation"))
    ratio = glass.binder(xr.Dataset({"q_moment_2": q2, "q_moment_4": q4}))
    np.testing.assert_allclose(ratio.estimate, [2 / 3, 0])  # |q| constant; Gaussian
