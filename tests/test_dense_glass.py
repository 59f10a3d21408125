"""The study of the glass of dense networks end to end, small; and the reduction of its numbers."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import xarray as xr

from analysis import dense_glass as reading
from experiments import dense_glass
from hopfield_sim import theory
from hopfield_sim.sweep import opened

SMALL = dense_glass.Settings(
    n_neurons=(10, 12, 14),
    temperature=(0.25, 1.4),
    n_temperatures=6,
    replicas=2,
    sweeps=1200,
    realisations=3,
    paramagnet_sizes=(10, 12, 14),
    scheduler="threads",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("glass")
    settings = replace(SMALL, store=folder / "glass", figure=folder / "glass.png")
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        dense_glass.main(settings)
    return settings, "\n".join(printed)


def test_it_ends_with_verdicts_and_a_figure(finished):
    settings, printed = finished
    assert "against SK glass alone" in printed
    assert "ground state, N -> infinity" in printed
    assert settings.figure.stat().st_size > 10_000
    found = opened(settings.store / "glass.zarr").load()
    assert found.energy.dims == ("n_neurons", "realisation", "temperature")
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name
    width = 2 / found.sizes["q_bin"]
    np.testing.assert_allclose(found.q_density.sum("q_bin") * width, 1)


def test_small_networks_are_those_of_exact_enumeration(finished):
    """N = 10: all 2^10 states give the ground state exactly, the energies within 5 errors."""
    settings, _ = finished
    found = opened(settings.store / "glass.zarr").load().sel(n_neurons=10)
    states = np.array(list(product((-1, 1), repeat=10)))
    for realisation in range(3):
        seed = (settings.seed, realisation)
        model = dense_glass.network(3, settings.reduced_load, 10, seed)
        energies = model.energy(states) / 10
        here = found.sel(realisation=realisation)
        assert float(here.lowest_energy) == pytest.approx(energies.min(), abs=1e-12)
        above = 10 * (energies - energies.min())[:, None]
        weight = np.exp(-above / found.temperature.values)
        exact = (weight * energies[:, None]).sum(axis=0) / weight.sum(axis=0)
        # thermal errors are measured in 2 x 150 samples, some 10 % uncertain; a floor for frozen T
        assert (np.abs(here.energy - exact) < 5 * here.energy_error + 2e-3).all()


def test_a_second_run_reuses_and_other_settings_are_refused(finished, monkeypatch):
    settings, _ = finished
    monkeypatch.setattr(dense_glass, "report", lambda found, _: None)
    before = {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}
    dense_glass.main(settings)
    with pytest.raises(ValueError, match="every"):
        dense_glass.main(replace(settings, every=2))
    assert before == {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"interaction": 2}, "experiments.tempering"),
        ({"reduced_load": 0.2}, "retrieval states end"),
        ({"n_neurons": (20, 30)}, "three sizes"),
        ({"paramagnet_sizes": (2, 20, 30)}, "three sizes"),
        ({"temperature": (0.6, 1.2)}, "below T_K"),
        ({"temperature": (0.2, 0.54)}, "above T_d"),
        ({"replicas": 3}, "even number"),
        ({"n_temperatures": 2}, "at least 4"),
        ({"sweeps": 100}, "32 measurements"),
        ({"realisations": 1}, "at least 2"),
    ],
)
def test_wrong_input_ends_with_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        dense_glass.main(replace(SMALL, **wrong))


def test_dry_run_only_tells(tmp_path, capsys):
    places = {"store": tmp_path / "glass", "figure": tmp_path / "glass.png"}
    dense_glass.main(replace(SMALL, dry_run=True, **places))
    printed = capsys.readouterr().out
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


def test_theory_on_both_sides_of_the_transition():
    """At ahat = 4 all is that of ahat = 1 at half the temperature; the logarithm at T = 0."""
    T = np.array([0.2, 0.4, 0.52, 0.54, 0.7, 1.0])
    one, four = reading.theory(3, 1.0, T), reading.theory(3, 4.0, 2 * T)
    np.testing.assert_allclose(four.energy, 2 * one.energy, rtol=1e-9)
    np.testing.assert_allclose(four.q_moment_2, one.q_moment_2, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose(one.energy[3:], -1 / (3 * T[3:]))
    assert (one.q_moment_1[3:] == 0).all() and (one.q_moment_1[:3] > 0).all()
    # u is continuous at T_K = 0.5319, its slope is not
    edge = reading.theory(3, 1.0, np.array([0.5318, 0.5319]))
    assert abs(float(edge.energy[0] - edge.energy[1])) < 2e-4
    # x = u T at low T, so that 1/(2x) = 1/(2 u T)
    u = float(theory.dense_glass.transitions(3).u)
    cold = reading.theory(3, 1.0, np.array([0.02]))
    assert float(cold.logarithm[0]) == pytest.approx(1 / (2 * u), rel=0.01)


def of_sizes(values):
    """(n_neurons, realisation, temperature), with the same noise of a realisation at each size."""
    T = np.array([0.3, 0.42, 0.8, 1.2])
    N = xr.DataArray([20.0, 30.0, 50.0], dims="n_neurons", coords={"n_neurons": [20, 30, 50]})
    temperature = xr.DataArray(T, dims="temperature", coords={"temperature": T})
    noise = xr.DataArray(0.01 * np.random.default_rng(0).normal(size=5), dims="realisation")
    return (values(N, temperature) + noise).transpose("n_neurons", "realisation", ...), noise


def test_limits_are_exact_for_their_own_laws():
    expected = reading.theory(3, 1.0, np.array([0.3, 0.42, 0.8, 1.2]))
    u = float(theory.dense_glass.transitions(3).u)

    def energy(N, T):
        """With the logarithm of extremes below T_K."""
        return -0.6 + expected.logarithm.fillna(0) * np.log(N) / N - 2 / N + 0 * T

    energies, noise = of_sizes(energy)
    moments, _ = of_sizes(lambda N, T: 0.3 + 2 / N + 0 * T)
    lowest, _ = of_sizes(lambda N, T: -0.7 + np.log(N) / (2 * u * N) - 3 / N)
    found = xr.Dataset(
        {
            "energy": energies,
            "q_moment_1": moments,
            "q_moment_2": moments,
            "lowest_energy": lowest,
        }
    )
    at = reading.limits(found, 3, 1.0)
    np.testing.assert_allclose(at.energy[:, :2], (-0.6 + noise).values[:, None] + [0, 0])
    np.testing.assert_allclose(at.q_moment_1[:, :2], (0.3 + noise).values[:, None] + [0, 0])
    assert at.energy[:, 2:].isnull().all() and at.q_moment_2[:, 2:].isnull().all()
    np.testing.assert_allclose(at.ground, -0.7 + noise)
    assert (np.abs(at.ground_line - at.ground) > 1e-3).all()


@pytest.mark.parametrize("interaction", [2, 3])
def test_integration_of_exact_energies_is_the_free_energy(interaction):
    """Energies of the infinite network at the temperatures of the study: 1e-4 of the ratio."""
    T = np.array(dense_glass.above(interaction, 1.0))
    alpha = 1.0 if interaction == 2 else 0.5
    if interaction == 2:
        exact = theory.hopfield.paramagnet(alpha, T).energy.values.ravel()
    else:
        exact = theory.dense.paramagnet(interaction, alpha, T).energy.values.ravel()
    N = np.array([100.0, 200.0, 400.0])
    energy = exact + (0.3 / N + 5 / N**2)[:, None, None] + np.zeros((1, 2, 1))
    found = xr.Dataset(
        {"energy": (("n_neurons", "realisation", "temperature"), energy)},
        coords={"n_neurons": N, "temperature": T},
    )
    one = reading.free_energy(found, interaction, 1.0)
    np.testing.assert_allclose(one.ratio, one.theory.values + np.zeros((2, 1)), atol=1e-4)
    assert (np.abs(one.theory - 1) < 1e-12).all() == (interaction == 3)
    if interaction == 2:
        assert float(one.theory.max()) > 1.1


def test_few_flags_are_forgiven():
    """Three of 16 realisations, not four."""
    good = np.ones((1, 16, 2), bool)
    good[0, :3, 0] = good[0, :4, 1] = False
    found = xr.Dataset({"equilibrated": (("n_neurons", "realisation", "temperature"), good)})
    assert reading.settled(found).values.tolist() == [[True, False]]
