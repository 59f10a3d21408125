"""The study of the phase diagrams of P-body networks, small, and the reduction of its numbers."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr

from analysis import dense_diagram as analysis
from experiments import dense_diagram
from experiments.options import read
from hopfield_sim.sweep import opened
from hopfield_sim.theory import dense

SMALL = dense_diagram.Settings(
    interaction=(3,),
    n_neurons=(90, 120),
    slices=(0.06, 0.1),
    reduced_load=(0.05, 0.1, 0.4),
    temperature=(0.2, 0.35, 0.6),  # 0.35: enough wrong neurons to be judged; 0.6: no retrieval
    realisations=16,
    map_realisations=2,
    warmup=20,
    samples=30,
    scheduler="threads",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dense_diagram")
    settings = replace(
        SMALL, store=folder / "stores", figure=folder / "it.png", numbers=folder / "it.nc"
    )
    with pytest.MonkeyPatch.context() as patch:
        printed = []
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        dense_diagram.main(settings)
    return settings, "\n".join(printed)


def test_it_ends_with_verdicts_and_a_figure(finished):
    settings, printed = finished
    last = printed.splitlines()[-5:]
    assert last[0].startswith("P = 3: of ") and "into another stored pattern" in last[0]
    assert all("mean z²" in line for line in last[1:])
    assert settings.figure.stat().st_size > 10_000
    slices = opened(settings.store / "P3_slices.zarr").load()
    assert slices.overlap.dims == ("n_neurons", "alpha", "temperature", "realisation")
    # deep in the phase nobody leaves, and m is that of theory up to a few 1/N
    deep = slices.isel(alpha=0, temperature=0)
    assert deep.n_left.sum() == 0 and deep.equilibrated.any()
    theory = dense.retrieval(3, float(deep.alpha), 0.2).m.item()
    assert abs(float(deep.overlap.sel(n_neurons=120).mean()) - theory) < 0.02
    # above the spinodal of a single pattern everybody counts as having left
    hot = slices.sel(temperature=0.6)
    assert (hot.n_left == settings.replicas).all() and hot.overlap.isnull().all()
    for name in slices.data_vars:
        assert slices[name].attrs["long_name"] and slices[name].attrs["units"], name


def test_what_was_written_says_the_same_again(finished, monkeypatch):
    settings, _ = finished
    reports = []
    monkeypatch.setattr(dense_diagram, "report", lambda *given: reports.append(given))
    dense_diagram.main(settings)  # from the stores
    other = replace(dense_diagram.Settings(), redraw=True, numbers=settings.numbers)
    dense_diagram.main(other)  # from the file
    (at_first, _), (again, restored) = reports
    assert set(at_first) == set(again) == {"P3_map", "P3_slices"}
    for name, part in at_first.items():
        part = part.reset_coords(drop=True).drop_attrs(deep=False)
        xr.testing.assert_identical(part, again[name].drop_attrs(deep=False))
    for name in ("interaction", "n_neurons", "slices", "temperature", "realisations", "replicas"):
        assert getattr(restored, name) == getattr(settings, name), name
    kept = read(settings.numbers, "")
    assert {"title", "settings", "seed", "stream_version", "date", "device"} <= set(kept.attrs)


def test_a_second_run_reuses_and_other_settings_are_refused(finished, monkeypatch):
    settings, _ = finished
    monkeypatch.setattr(dense_diagram, "report", lambda *_: None)
    before = {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}
    assert before
    dense_diagram.main(settings)
    with pytest.raises(ValueError, match="every"):
        dense_diagram.main(replace(settings, every=3))
    assert before == {p: p.stat().st_mtime_ns for p in settings.store.rglob("c/*")}


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"interaction": (2,)}, "3 or more"),
        ({"interaction": (5,), "n_neurons": None}, "--n-neurons is needed"),
        ({"n_neurons": (60,)}, "two sizes"),
        ({"n_neurons": (60, 61)}, "common divisor"),
        ({"slices": (1e-6,)}, "whole number of patterns"),
        ({"replicas": 3}, "even number"),
        ({"samples": 4}, "at least 8"),
        ({"realisations": 1}, "at least 2"),
        ({"left_below": 1.0}, "between 0 and 1"),
        ({"temperature": (0.0, -0.1)}, "temperature"),
    ],
)
def test_wrong_input_ends_with_a_sentence(wrong, sentence):
    with pytest.raises(ValueError, match=sentence):
        dense_diagram.main(replace(SMALL, **wrong))


def test_dry_run_only_tells(tmp_path, capsys):
    places = {"store": tmp_path / "s", "figure": tmp_path / "f.png", "numbers": tmp_path / "n.nc"}
    dense_diagram.main(replace(SMALL, dry_run=True, **places))
    printed = capsys.readouterr().out
    for word in ("cells", "visits", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("normalisation", ["distinct", "full"])
def test_all_sizes_have_the_same_load(normalisation):
    """Not only nearly: theory is one number for all of them. The map's is within half a pattern."""
    settings = dense_diagram.Settings(normalisation=normalisation)
    sizes = {part.name: part for part in dense_diagram.parts(settings)}
    assert sizes["P4_map"].alpha.size == len(sizes["P4_map"].temperature) == 20
    assert (sizes["P4_map"].sizes, sizes["P4_slices"].sizes) == ((128,), (128, 192))
    assert sizes["P4_map"].realisations == 8 and sizes["P4_slices"].realisations == 16
    for part in sizes.values():
        for size in part.sizes:
            n_patterns = part.alpha * size ** (part.interaction - 1)
            np.testing.assert_allclose(n_patterns, np.rint(n_patterns), rtol=1e-12)
    wanted = 0.65 * dense.spinodal_maximum(4, normalisation).reduced_load.item()
    found = dense.reduced_load(4, sizes["P4_slices"].alpha[3], normalisation).item()
    assert found == pytest.approx(wanted, rel=2e-3)


def of_sizes(sizes, law, realisations=400):
    """Slices of one cell: a law of N with noise of variance 1/N over the realisations."""
    n_neurons = xr.DataArray(list(sizes), dims="n_neurons", coords={"n_neurons": list(sizes)})
    noise = np.random.default_rng(5).normal(size=(realisations, len(sizes)))
    noise = xr.DataArray(noise, dims=("realisation", "n_neurons")) / n_neurons**0.5
    y = (law(n_neurons) + noise).assign_attrs(long_name="y", units="1")
    return xr.Dataset({"overlap": y, "replica_overlap": y}), noise


@pytest.mark.parametrize("sizes", [(128, 192), (100, 200, 400)])
def test_the_limit_is_exact_for_its_law_and_unbiased_in_noise(sizes):
    found, noise = of_sizes(sizes, lambda N: 0.9 - 2 / N)
    limit = analysis.limit(found).overlap
    exact = analysis.limit(found - noise).overlap
    np.testing.assert_allclose(exact, 0.9, rtol=1e-12)
    error = float(limit.std()) / 400**0.5
    assert abs(float(limit.mean()) - 0.9) < 4 * error  # 4 standard errors
    if len(sizes) == 2:
        small, large = (found.overlap.sel(n_neurons=size) for size in sizes)
        by_hand = (sizes[1] * large - sizes[0] * small) / (sizes[1] - sizes[0])
        np.testing.assert_allclose(limit, by_hand)
    gap = found.overlap.copy()
    gap[{"realisation": 0, "n_neurons": 0}] = np.nan
    assert analysis.limit(found.assign(overlap=gap)).overlap.isnull().sum() == 1


def test_theory_is_with_one_step_where_replica_symmetry_breaks():
    """RS at T = 0.3; with one step (0.8176, of the reference file) where RS has no retrieval."""
    alpha = xr.DataArray([0.05, 0.145], dims="alpha", coords={"alpha": [0.05, 0.145]})
    T = xr.DataArray([0.1, 0.3], dims="temperature", coords={"temperature": [0.1, 0.3]})
    grid = xr.Dataset(coords={"alpha": alpha, "temperature": T})
    found = analysis.predicted(3, grid)
    plain = dense.retrieval(3, grid.alpha, grid.temperature)
    warm = {"alpha": 0.05, "temperature": 0.3}
    for name in ("m", "q"):
        assert found[name].sel(warm).item() == pytest.approx(plain[name].sel(warm).item())
    cold = {"alpha": 0.145, "temperature": 0.1}
    assert np.isnan(plain.m.sel(cold))
    assert found.m.sel(cold).item() == pytest.approx(0.81757, abs=2e-3)
    # the mean of q1 = 0.9679 and q0 = 0.8715 with weight x = 0.345
    assert found.q.sel(cold).item() == pytest.approx(0.9347, abs=2e-3)
    ends = analysis.ends(3, grid)
    assert ends.spinodal_load.sel(temperature=0.1).item() == pytest.approx(0.1537, abs=2e-3)
    assert ends.warmest.sel(alpha=0.05).item() > 0.5


def test_lines_meet_at_the_nose():
    curves = analysis.lines(3)
    top = curves[analysis.NISHIMORI][0][-1]
    assert top == pytest.approx(0.30971726)
    for name in (analysis.AT, analysis.SPINODAL_1RSB):
        assert [end[-1] for end in curves[name]] == pytest.approx([top, top], abs=1e-4)
    load, temperature = curves[analysis.SPINODAL]
    assert load.max() == pytest.approx(top, abs=1e-3) and load[-1] == 0
    assert temperature[-1] == pytest.approx(0.58258291)
    load, temperature = curves[analysis.TRANSITION]
    assert load[0] == pytest.approx(0.28161378, abs=1e-5)
    assert temperature[-1] == pytest.approx(0.49596917)
    assert set(analysis.lines(3, "full")) == {
        analysis.SPINODAL,
        analysis.SPINODAL_1RSB,
        analysis.AT,
    }


def test_failures_by_chance_are_tolerated_and_more_are_not():
    """3 of 16: four fail by chance (3 in 100 each) in one cell of a thousand, 3 in one of 90."""
    cells = xr.Dataset({"equilibrated": (("realisation",), np.ones(16, bool))})
    assert dense_diagram.tolerated(cells) == 3
