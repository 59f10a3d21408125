"""The study of thermal loops end to end, small; and the reduction of its numbers."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from analysis import loops
from experiments import hysteresis
from hopfield_sim import theory
from hopfield_sim.sweep import opened

SMALL = hysteresis.Settings(
    n_neurons=(400,),
    alpha=(0.05,),
    sweeps_per_step=(8, 128),
    step=0.125,
    replicas=2,
    realisations=3,
    scheduler="threads",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hysteresis")
    settings = replace(SMALL, store=folder / "loops.zarr", figure=folder / "loops.png")
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        hysteresis.main(settings)
    return settings, "\n".join(printed)


def test_it_ends_with_a_verdict_and_a_figure(finished):
    settings, printed = finished
    assert "mean z²" in printed.splitlines()[-1]
    assert settings.figure.stat().st_size > 10_000
    found = opened(settings.store).load()
    grid = ("n_neurons", "alpha", "sweeps_per_step", "realisation")
    assert found.overlap.dims == (*grid, "branch", "temperature", "replica")
    heated, cooled, cued = (
        found.overlap.sel(branch=b, n_neurons=400, sweeps_per_step=128, alpha=0.05)
        for b in ("heating", "cooling", "cued")
    )
    cold = {"temperature": 0.3, "method": "nearest"}
    exact = float(theory.hopfield.retrieval(0.05, found.temperature.sel(**cold)).m)
    # m of one replica over 32 correlated samples scatters by 0.01, the mean of six by 0.005
    assert abs(float(heated.sel(**cold).mean()) - exact) < 0.02
    assert abs(float(cued.sel(**cold).mean()) - exact) < 0.02
    assert found.left_at.notnull().all()  # at 1.3 the pattern is no state at all
    # Without a cue replicas end anywhere; in the first pattern only by chance, 1 of 2 x 20 states.
    assert (np.abs(cooled.sel(**cold)) < 0.9).any()
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name


def test_a_second_run_reuses_and_other_settings_are_refused(finished, monkeypatch):
    settings, _ = finished
    before = {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}
    monkeypatch.setattr(hysteresis, "report", lambda found, _: None)
    hysteresis.main(settings)
    with pytest.raises(ValueError, match="cue"):
        hysteresis.main(replace(settings, cue=0.1))
    assert before == {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"alpha": (0.0512,)}, "whole number"),
        ({"alpha": (0.2,)}, "no pattern is stable"),
        ({"alpha": ()}, "at least one"),
        ({"sweeps_per_step": (10,)}, "multiples of 4"),
        ({"temperature": (0.0, 1.3)}, "above 0"),
        ({"temperature": (0.1, 1.0)}, "above T_g"),
        ({"step": 2.0}, "two steps"),
        ({"replicas": 0}, "at least 1"),
        ({"realisations": 1}, "at least 2"),
    ],
)
def test_wrong_input_ends_with_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        hysteresis.main(replace(SMALL, **wrong))


def test_dry_run_only_tells(tmp_path, capsys):
    places = {"store": tmp_path / "loops.zarr", "figure": tmp_path / "loops.png"}
    hysteresis.main(replace(SMALL, n_neurons=(100,), sweeps_per_step=(8,), dry_run=True, **places))
    printed = capsys.readouterr().out
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("sweeps", [4, 8, 48, 52, 500, 512, 1000])
def test_schedules_have_the_sweeps_that_were_asked_for(sweeps):
    schedule = hysteresis.schedule(sweeps)
    assert schedule.sweeps == sweeps
    assert schedule.warmup >= sweeps // 4 and schedule.samples <= 2 * 48


def of_theory(alpha=(0.03, 0.05)):
    """A store as theory would fill it: retrieval up to T_M, then glass; cooling in the glass."""
    alpha = xr.DataArray(list(alpha), dims="alpha", coords={"alpha": list(alpha)})
    T = np.round(np.arange(0.05, 1.301, 0.025), 10)
    temperature = xr.DataArray(T, dims="temperature", coords={"temperature": T})
    retrieval, glass, paramagnet = (
        phase(alpha, temperature)
        for phase in (
            theory.hopfield.retrieval,
            theory.hopfield.spin_glass,
            theory.hopfield.paramagnet,
        )
    )
    disordered = glass.energy.fillna(paramagnet.energy)
    heating = retrieval.energy.fillna(disordered)
    both = [heating.drop_attrs(), disordered.drop_attrs()]
    both = [one.reset_coords(drop=True) for one in both]
    energy = xr.concat(both, xr.DataArray(["heating", "cooling"], dims="branch", name="branch"))
    spinodal = theory.hopfield.spinodal_temperature(alpha)
    more = {"realisation": 2, "replica": 3, "n_neurons": [1000], "sweeps_per_step": [8]}
    largest = xr.zeros_like(energy) + 0.1
    left = temperature.where(
        temperature > spinodal.temperature.drop_vars("temperature", errors="ignore")
    )
    return xr.Dataset(
        {
            "energy": energy.expand_dims(more),
            "largest_overlap": largest.expand_dims(more),
            "left_at": left.min("temperature").expand_dims(more),
            "threshold": (spinodal.m / 2)
            .reset_coords(drop=True)
            .expand_dims({"n_neurons": [1000]}),
        }
    )


def test_free_energies_of_theory_give_its_transition():
    found = of_theory()
    difference = loops.free_energy_difference(found)
    here = difference.isel(realisation=0, n_neurons=0, sweeps_per_step=0)
    for alpha in (0.03, 0.05):
        T = here.temperature.sel(temperature=slice(0.1, 0.5))
        f = [
            phase(alpha, T).free_energy
            for phase in (theory.hopfield.retrieval, theory.hopfield.spin_glass)
        ]
        # The energy is taken linear over steps of 0.025: f is off by T dT^2 e'' / 12 T^2 per unit
        # of T, with e'' of order 1 from T_g = 1.2 down, hence by some 5e-5.
        found_here = here.sel(alpha=alpha, temperature=T)
        np.testing.assert_allclose(found_here, (f[0] - f[1]).squeeze(), atol=2e-4)
    at = loops.transition(difference).isel(n_neurons=0, sweeps_per_step=0)
    exact = theory.hopfield.transition_temperature(found.alpha).temperature
    # 2e-4 of free energy over its slope in T, 0.07 at least
    np.testing.assert_allclose(at.estimate, exact, atol=3e-3)
    assert (at.n == 2).all()


def test_replicas_count_while_they_are_in_their_state():
    found = of_theory()
    whole = loops.free_energy_difference(found)
    moved = found.copy(deep=True)
    # one replica finds a pattern at 0.6 on cooling, and has another energy from there on
    cold = moved.temperature <= 0.6
    one = (moved.branch == "cooling") & cold & (moved.replica == 0)
    moved["largest_overlap"] = moved.largest_overlap.where(~one, 0.9)
    moved["energy"] = moved.energy.where(~one, -5.0)
    xr.testing.assert_allclose(loops.free_energy_difference(moved), whole)
    # all replicas of the second realisation do: it is out of T_c, and NaN below
    all_of_one = (moved.branch == "cooling") & cold & (moved.realisation == 1)
    moved["largest_overlap"] = moved.largest_overlap.where(~all_of_one, 0.9)
    difference = loops.free_energy_difference(moved)
    assert difference.sel(realisation=1, temperature=slice(None, 0.6)).isnull().all()
    assert difference.sel(realisation=0).notnull().any()
    at = loops.transition(difference)
    assert (at.n == 1).all() and at.estimate.isnull().all()


def test_boundary_is_where_half_have_left():
    T = np.round(np.arange(0.1, 0.61, 0.1), 10)
    left = [[0.3, 0.3, 0.4, 0.4], [0.4, 0.4, 0.5, np.nan]]
    found = xr.Dataset(
        {"left_at": (("alpha", "realisation", "replica"), [left])},
        coords={"alpha": [0.05], "temperature": T},
    )
    boundary = loops.kinetic_boundary(found).isel(alpha=0)
    # F_0 is 1/2 at 0.3 and F_1 at 0.4 exactly
    assert float(boundary["mean"]) == pytest.approx(0.35)
    assert float(boundary.error) == pytest.approx(0.05)
    assert float(boundary.spread) == pytest.approx(0.1 / np.sqrt(2))
    assert float(boundary.early) == 7 / 8  # T_M(0.05) = 0.542: all but the one that stays
    never = found.assign(left_at=found.left_at.where(found.left_at < 0.4))
    assert loops.kinetic_boundary(never)["mean"].isnull().all()


def test_patterns_found_with_and_without_a_cue():
    T = np.array([0.1, 0.2, 0.3, 0.4])
    m = [[0.9, 0.9, 0.2, 0.1], [0.9, 0.2, 0.2, 0.1], [0.2, 0.1, 0.0, 0.1]]  # three replicas
    dims = ("alpha", "realisation", "branch", "replica", "temperature")
    overlap = np.array(m)[None, None, None]
    found = xr.Dataset(
        {
            "overlap": (dims, np.concatenate([overlap, overlap], axis=1)),
            "largest_overlap": (dims, np.concatenate([overlap, 0 * overlap], axis=1)),
            "threshold": ("alpha", [0.5]),
        },
        coords={"alpha": [0.05], "temperature": T, "branch": ["cued"]},
    )
    captured = loops.capture(found).isel(alpha=0)
    # two thirds hold it at 0.1, one third at 0.2
    assert float(captured["mean"]) == pytest.approx(0.15) and float(captured.error) == 0
    assert float(captured.share) == pytest.approx(2 / 3)
    without = found.assign_coords(branch=["cooling"])
    assert float(loops.patterns_found(without)[0]) == pytest.approx(1 / 3)  # of both realisations


def test_crossing():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    assert loops.crossing(x, np.array([0.0, 0.4, 0.6, 1.0])) == pytest.approx(1.5)
    assert loops.crossing(x, np.array([-2.0, 0.0, 2.0, 4.0]), 0.0) == pytest.approx(1.0)
    assert np.isnan(loops.crossing(x, np.zeros(4)))
