"""The study of the TAP equations end to end, small; and the reduction of its numbers."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from analysis import tap as reading
from experiments import tap
from hopfield_sim.sweep import opened

SMALL = tap.Settings(
    two_body=(300, 400),
    three_body=(60, 100),
    four_body=(),
    alpha=(0.03,),
    reduced_load=(0.05,),
    relative_temperature=(0.65, 0.75),
    samples=40,
    realisations=4,
    scheduler="threads",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tap")
    settings = replace(SMALL, store=folder / "tap", figure=folder / "tap.png")
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        tap.main(settings)
    return settings, "\n".join(printed)


def test_it_ends_with_verdicts_and_a_figure(finished):
    settings, printed = finished
    lines = printed.splitlines()
    assert [line for line in lines if line.startswith("TAP against Monte Carlo")]
    assert "mean z²" in lines[-1] and "ratio" in printed
    assert settings.figure.stat().st_size > 10_000
    found = opened(settings.store / "P3.zarr").load()
    assert found.overlap.dims == (
        "n_neurons",
        "reduced_load",
        "relative_temperature",
        "realisation",
    )
    # m of networks of 60 to 100 neurons scatters by 0.02; the solution is that of the same network
    stayed = found.n_left == 0
    assert stayed.mean() > 0.5
    off = (found.tap_m - found.overlap).where(stayed)
    assert float(np.abs(off.mean())) < 0.02 and found.tap_converged.where(stayed, True).all()
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name


def test_a_second_run_reuses_and_other_settings_are_refused(finished, monkeypatch):
    settings, _ = finished
    monkeypatch.setattr(tap, "report", lambda found, _: None)
    before = {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}
    tap.main(settings)
    with pytest.raises(ValueError, match="samples"):
        tap.main(replace(settings, samples=50))
    assert before == {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"two_body": (200,)}, "two sizes"),
        ({"two_body": (), "three_body": ()}, "no network"),
        ({"alpha": (0.2,)}, "no pattern is stable"),
        ({"alpha": (0.004,)}, "two patterns"),
        ({"reduced_load": (0.35,)}, "no pattern is stable"),
        ({"relative_temperature": (1.0,)}, "below 1"),
        ({"replicas": 3}, "even number"),
        ({"samples": 10}, "24 are needed"),
        ({"realisations": 1}, "at least 2"),
    ],
)
def test_wrong_input_ends_with_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        tap.main(replace(SMALL, **wrong))


def test_dry_run_only_tells(tmp_path, capsys):
    tap.main(replace(SMALL, dry_run=True, store=tmp_path / "tap", figure=tmp_path / "tap.png"))
    printed = capsys.readouterr().out
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


def test_limit_is_exact_for_a_line():
    N = np.array([100, 200, 400])
    noise = np.random.default_rng(1).normal(size=5)
    values = xr.DataArray(
        0.3 + noise[:, None] + 7 / N, dims=("realisation", "n_neurons"), coords={"n_neurons": N}
    )
    np.testing.assert_allclose(reading.limit(values), 0.3 + noise)


def test_what_is_left_out():
    """A cell counts under each reason that holds at any size or in any realisation."""
    dims = ("n_neurons", "reduced_load", "relative_temperature", "realisation")
    shape = (2, 1, 4, 2)
    good = xr.Dataset(
        {
            "n_left": (dims, np.zeros(shape, int)),
            "equilibrated": (dims, np.ones(shape, bool)),
            "tap_converged": (dims, np.ones(shape, bool)),
        },
        coords={"n_neurons": [100, 200]},
    )
    good.n_left[1, 0, 1, 0] = 1
    good.equilibrated[0, 0, 2, 1] = False
    good.tap_converged[1, 0, 3, 1] = False
    theory = xr.DataArray([[[0.99, 0.5, 0.5, 0.5]]] * 2, dims=dims[:3])
    masks = reading.left_out(good, theory.assign_coords(n_neurons=[100, 200]), 10)
    assert [mask.values.ravel().tolist().index(True) for mask in masks.values()] == [0, 1, 2, 3]
    assert [int(mask.sum()) for mask in masks.values()] == [1, 1, 1, 1]


def test_times_are_compared_at_equal_error():
    """Twice the allowed error takes four times the samples, and the warm-up once."""
    race = {"interaction": 3, "n_neurons": 200, "n_patterns": 2000, "iterations": 6.0}
    race |= {"tap": 0.1, "mc": 1.0, "warmup": 0.2, "error": 2e-3}
    line = reading.time_table([race], 1e-3).splitlines()[1]
    assert line.split()[-2:] == ["10.0", "34"]
