"""Boundaries found under noise: exact probabilities by sampling, coverage, and what is proposed."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from analysis import refinement
from hopfield_sim import statistics
from hopfield_sim.sweep import Sweep

PLACES = (0.1, 0.12, 0.14, 0.16, 0.18)
TRUE = 0.1387


def jump(x):
    """A first-order transition: 1 below the true place, 0 above."""
    return np.where(np.asarray(x) < TRUE, 1.0, 0.0)


def smooth(x):
    """A crossover of width 0.01 at the true place."""
    return 1 / (1 + np.exp((np.asarray(x) - TRUE) / 0.01))


def known(mean, error, n=100, x=PLACES) -> xr.Dataset:
    """An observable along `alpha` whose numbers are given."""
    mean = np.asarray(mean, float)
    return xr.Dataset(
        {
            "mean": ("alpha", mean),
            "error": ("alpha", np.broadcast_to(np.asarray(error, float), mean.shape)),
            "n": ("alpha", np.broadcast_to(n, mean.shape)),
        },
        {"alpha": list(x)},
    )


def measured(rng, curve, noise, x, n=8) -> xr.Dataset:
    """The same from n realisations with Gaussian noise at each place."""
    values = curve(x)[:, None] + noise * rng.standard_normal((len(x), n))
    return statistics.disorder(
        xr.DataArray(values, dims=("alpha", "realisation"), coords={"alpha": x})
    )


# boundary


def test_without_noise_the_bracket_is_all():
    found = refinement.boundary(known(jump(PLACES), 0), "alpha", 0.5)
    # the crossing is equally probable anywhere between 0.12 and 0.14
    np.testing.assert_allclose(found.value, 0.13)
    np.testing.assert_allclose(found.error, 0.02 / np.sqrt(12), rtol=1e-6)
    np.testing.assert_allclose(found.bracket_error, found.error, rtol=1e-6)
    assert found.noise_error < 1e-5 and found.outside < 1e-6
    np.testing.assert_allclose(found.low, 0.12 + 0.02 * np.array([0.16, 0.025]), rtol=1e-6)
    np.testing.assert_allclose(found.high, 0.14 - 0.02 * np.array([0.16, 0.025]), rtol=1e-6)


def test_the_probabilities_are_those_of_curves_drawn_from_the_prior():
    """P_j and the moments, from 400,000 falling gamma-process curves weighted with the data."""
    mean, error, n = np.array([0.9, 0.65, 0.45, 0.55, 0.1]), 0.15, 9
    observable = known(mean, error, n)
    rng = np.random.default_rng(1)
    y = mean - 0.5
    reach = np.abs(np.concatenate([y + 3 * error, y - 3 * error])).max()
    shape = refinement._JUMPS * np.diff(PLACES) / np.ptp(PLACES)
    fall = rng.gamma(shape, 2 * reach / refinement._JUMPS, (400_000, 4))
    first = rng.uniform(-2 * reach, 2 * reach, (400_000, 1))
    curves = np.concatenate([first, first - fall.cumsum(axis=1)], axis=1)
    weights = stats.t.pdf((y - curves) / error, n - 1).prod(axis=1)
    above = (curves > 0).sum(axis=1)
    wanted = np.bincount(above, weights, minlength=6) / weights.sum()
    edges = np.array([0.08, *PLACES, 0.2])
    middle = (edges[1:] + edges[:-1]) / 2
    value = wanted @ middle
    noise = np.sqrt(wanted @ (middle - value) ** 2)
    found = refinement.boundary(observable, "alpha", 0.5)
    # sampling error of a probability with these weights: below 0.003; cells of values as wide as
    # a quarter of an error bar near the level, and wider far from it, make up to 0.01
    assert abs(found.outside - (wanted[0] + wanted[-1])) < 0.01
    assert abs(found.value - value) < 0.02 * 0.02  # 2 % of a bracket
    assert found.noise_error == pytest.approx(noise, rel=0.05)


def test_the_two_parts_add_up_and_shrink_on_their_own():
    noisy = refinement.boundary(known(smooth(PLACES), 0.3), "alpha", 0.5)
    np.testing.assert_allclose(noisy.error**2, noisy.bracket_error**2 + noisy.noise_error**2)
    precise = refinement.boundary(known(smooth(PLACES), 0.003), "alpha", 0.5)
    assert noisy.noise_error > 5 * precise.noise_error
    fine = np.linspace(0.1, 0.18, 33)
    dense = refinement.boundary(known(smooth(fine), 0.003, x=fine), "alpha", 0.5)
    assert dense.bracket_error < precise.bracket_error / 5


def test_rising_is_falling_upside_down():
    mean = np.array([0.9, 0.65, 0.45, 0.55, 0.1])
    one = refinement.boundary(known(mean, 0.1), "alpha", 0.5)
    other = refinement.boundary(known(1 - mean, 0.1), "alpha", 0.5, falling=False)
    xr.testing.assert_allclose(one, other)


def test_cells_not_done_are_left_out_and_one_realisation_decides_nothing():
    x = np.array(PLACES)
    whole = refinement.boundary(known(smooth(x), 0.1), "alpha", 0.5)
    more = known(smooth([0.1, 0.11, *x[1:]]), 0.1, x=[0.1, 0.11, *x[1:]])
    for missing in ({"mean": np.nan}, {"n": 0}):
        holes = more.copy(deep=True)
        for name, value in missing.items():
            holes[name] = holes[name].where(holes.alpha != 0.11, value)
        xr.testing.assert_allclose(refinement.boundary(holes, "alpha", 0.5), whole)
    single = more.copy(deep=True)
    single["error"] = single.error.where(single.alpha != 0.11)
    np.testing.assert_allclose(
        refinement.boundary(single, "alpha", 0.5).noise_error, whole.noise_error, rtol=0.1
    )  # only the brackets are other ones


def test_columns_are_treated_one_by_one_in_any_order_of_dims():
    rng = np.random.default_rng(3)
    parts = [measured(rng, smooth, 0.2, np.array(PLACES)) for _ in range(3)]
    both = xr.concat(parts, xr.DataArray(["a", "b", "c"], dims="rule", name="rule"))
    for observable in (
        both,
        both.transpose("alpha", "rule"),
        both.isel(alpha=slice(None, None, -1)),
    ):
        found = refinement.boundary(observable, "alpha", 0.5)
        assert found.value.dims == ("rule",)
        for k, part in enumerate(parts):
            alone = refinement.boundary(part, "alpha", 0.5)
            xr.testing.assert_allclose(found.isel(rule=k, drop=True), alone)


def test_a_crossing_beyond_the_cells_is_said_and_not_guessed():
    high = known(np.ones(5), 0.01)
    found = refinement.boundary(high, "alpha", 0.5)
    assert found.outside > 0.99 and np.isnan(found.value) and np.isnan(found.low).all()
    assert refinement.proposed(high, "alpha", 0.5, 1e-3) == []


def repeated(rng, repeats, curve, noise):
    """Columns with 17 places each and the true place anywhere in a bracket; how far it is moved."""
    x = np.linspace(0.1, 0.18, 17)
    shift = rng.uniform(-0.0025, 0.0025, repeats)
    values = curve(x - shift[:, None])[..., None] + noise * rng.standard_normal((repeats, 17, 8))
    dims = ("repeat", "alpha", "realisation")
    return statistics.disorder(xr.DataArray(values, dims=dims, coords={"alpha": x})), shift


@pytest.mark.parametrize(("curve", "noise"), [(jump, 0.5), (smooth, 0.1), (smooth, 0.5)])
def test_intervals_cover(curve, noise):
    observable, shift = repeated(np.random.default_rng(5), 600, curve, noise)
    found = refinement.boundary(observable, "alpha", 0.5)
    true = xr.DataArray(TRUE + shift, dims="repeat")
    share = ((found.low <= true) & (true <= found.high)).mean("repeat")
    # nominal minus three standard deviations of 600 repeats; more is allowed, since no form of the
    # curve is assumed: steep curves are known better than the prior expects
    assert share[0] > 0.68 - 0.057 and share[1] > 0.95 - 0.027


def test_the_first_change_of_sign_does_not_cover():
    """Negative control: a bisection that does not know of noise holds the truth far too rarely."""
    observable, shift = repeated(np.random.default_rng(5), 600, smooth, 0.5)
    first = (observable["mean"] < 0.5).argmax("alpha").values
    x = observable.alpha.values
    inside = (x[first - 1] <= TRUE + shift) & (TRUE + shift <= x[first])
    assert inside.mean() < 0.68 - 0.057


# proposed


def test_the_wide_bracket_is_bisected_and_the_noisy_place_repeated():
    (cells,) = [refinement.proposed(known(jump(PLACES), 0.0, n=3), "alpha", 0.5, 1e-3)]
    assert cells == [{"alpha": 0.13, "realisation": k} for k in range(3)]
    fine = np.round(np.arange(0.13, 0.1471, 0.001), 3)
    noisy = refinement.proposed(
        known(smooth(fine), 0.2, n=5, x=fine), "alpha", 0.5, 1e-3, denominator=1000
    )
    assert noisy and {each["realisation"] for each in noisy} == {5, 6, 7, 8, 9}
    (place,) = {each["alpha"] for each in noisy}
    assert place in fine  # no new value fits between 1/1000 apart


def test_new_loads_are_whole_numbers_of_patterns_to_the_last_bit():
    for n_neurons in (250, 600, 999, 4000):
        x = np.round(np.array(PLACES) * n_neurons) / n_neurons
        cells = refinement.proposed(
            known(jump(x), 0.0, x=x, n=2), "alpha", 0.5, 1e-6, denominator=n_neurons
        )
        (alpha,) = {each["alpha"] for each in cells}
        assert alpha == round(alpha * n_neurons) / n_neurons and alpha not in x
        assert isinstance(alpha, float) and np.abs(alpha - x).min() > 0.5 / n_neurons
        # down to neighbours: then nothing lies between them
        k = round(TRUE * n_neurons)
        pair = np.array([k - 1, k, k + 1, k + 2]) / n_neurons
        exact = known(jump(pair), 0.0, x=pair, n=2)
        assert refinement.proposed(exact, "alpha", 0.5, 1e-9, denominator=n_neurons) == []


def test_an_axis_of_whole_numbers_keeps_them():
    both = known([1.0, 1.0, 0.0], 0.0, x=[10, 20, 35], n=2)
    assert both.alpha.dtype.kind == "i"
    cells = refinement.proposed(both.rename(alpha="n_patterns"), "n_patterns", 0.5, 0.01)
    assert cells == [{"n_patterns": 28, "realisation": k} for k in range(2)]
    assert isinstance(cells[0]["n_patterns"], int)


def test_a_value_of_another_column_is_taken_to_the_last_bit():
    """0.1 + 0.2 stands on the axis for one column; the other must not get 0.3 beside it."""
    x = np.array([0.2, 0.1 + 0.2, 0.4])
    mean = xr.DataArray([[1.0, 1.0, 0.0], [1.0, np.nan, 0.0]], dims=("rule", "alpha"))
    both = xr.Dataset(
        {"mean": mean, "error": 0 * mean, "n": 2 * mean.notnull()}, {"alpha": x, "rule": [0, 1]}
    )
    cells = refinement.proposed(both, "alpha", 0.5, 0.01, denominator=10)
    assert [each["alpha"] for each in cells] == [0.1 + 0.2] * 2 and cells[0]["rule"] == 1


def test_one_denominator_for_each_column():
    sizes = xr.DataArray([100, 1000], dims="n_neurons", coords={"n_neurons": [100, 1000]})
    x = np.array([0.1, 0.11, 0.15, 0.18])
    both = known(jump(x), 0.0, x=x, n=2).expand_dims(n_neurons=sizes)
    cells = refinement.proposed(both, "alpha", 0.5, 1e-6, denominator=sizes)
    for size in (100, 1000):
        (alpha,) = {each["alpha"] for each in cells if each["n_neurons"] == size}
        assert alpha == round(alpha * size) / size
    assert list(cells[0]) == ["n_neurons", "alpha", "realisation"]


def test_nothing_is_proposed_at_the_tolerance_and_the_budget_is_kept():
    rng = np.random.default_rng(9)
    parts = [measured(rng, smooth, 0.3, np.array(PLACES), n=6) for _ in range(4)]
    both = xr.concat(parts, xr.DataArray(np.arange(4) / 10, dims="temperature", name="temperature"))
    error = refinement.boundary(both, "alpha", 0.5).error
    assert refinement.proposed(both, "alpha", 0.5, float(error.max()) * 1.001) == []
    some = refinement.proposed(both, "alpha", 0.5, float(np.sort(error)[1]) * 1.001, budget=1000)
    assert {each["temperature"] for each in some} == set(
        both.temperature.values[error > np.sort(error)[1] * 1.001]
    )
    whole = refinement.proposed(both, "alpha", 0.5, 1e-4, budget=1000)
    assert refinement.proposed(both, "alpha", 0.5, 1e-4, budget=7) == whole[:7]
    assert whole == refinement.proposed(both, "alpha", 0.5, 1e-4, budget=1000)
    assert len({tuple(each.items()) for each in whole}) == len(whole)
    limited = refinement.proposed(both, "alpha", 0.5, 1e-4, budget=1000, largest=6)
    assert all(each["alpha"] not in PLACES for each in limited)  # no place has room for more


def test_a_first_realisation_is_repeated_before_anything_else():
    once = known(smooth(PLACES), np.nan, n=1)
    cells = refinement.proposed(once, "alpha", 0.5, 1e-3)
    assert cells == [{"alpha": x, "realisation": 1} for x in PLACES]
    later = known(smooth(PLACES), [0.1, np.nan, 0.1, 0.1, 0.1], n=[8, 1, 8, 8, 8])
    cells = refinement.proposed(later, "alpha", 0.5, 1e-3)
    assert cells == [{"alpha": 0.12, "realisation": 1}]  # it may decide the bracket, and is cheap


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"along": "temperature"}, "no axis"),
        ({"level": np.nan}, "level"),
        ({"tolerance": 0.0}, "tolerance"),
        ({"budget": 0}, "budget"),
        ({"denominator": 0}, "denominator"),
        ({"realisations": 0.5}, "realisations"),
    ],
)
def test_wrong_input_is_refused(changes, sentence):
    arguments = {"along": "alpha", "level": 0.5, "tolerance": 0.01} | changes
    with pytest.raises(ValueError, match=sentence):
        refinement.proposed(known(smooth(PLACES), 0.1), **arguments)


def test_an_observable_without_errors_is_refused():
    with pytest.raises(ValueError, match="'error', 'n'"):
        refinement.boundary(known(smooth(PLACES), 0.1)[["mean"]], "alpha", 0.5)
    text = known(smooth(PLACES), 0.1, x=list("abcde"))
    with pytest.raises(ValueError, match="no numbers"):
        refinement.boundary(text, "alpha", 0.5)


# with a store


def crossover(seed, alpha, temperature):
    """Cells of which temperature is a lane: a crossover at 0.3 - alpha, with noise."""
    rng = np.random.default_rng([*seed, round(1e6 * alpha)])
    noise = [
        np.random.default_rng(rng.integers(2**32) + round(1e6 * T)).normal() for T in temperature
    ]
    value = 1 / (1 + np.exp((temperature - 0.3 + alpha) / 0.004)) + 0.1 * np.array(noise)
    return xr.Dataset({"overlap": ("temperature", value)})


@pytest.mark.parametrize(
    "lanes", [("temperature",), pytest.param((), marks=pytest.mark.slow)], ids=["lane", "axis"]
)
def test_rounds_of_refinement_in_a_store(tmp_path, lanes):
    """Temperature at fixed load, as a lane or not, until the line is known to the tolerance."""

    def cell(seed, alpha, temperature):
        found = crossover(seed, alpha, np.atleast_1d(temperature))
        return found if lanes else found.isel(temperature=0)

    axes = {"alpha": [0.05, 0.1], "temperature": np.linspace(0.1, 0.4, 7).round(3)}
    sweep = Sweep(cell, axes, lanes=lanes, realisations=4, seed=2)
    found = sweep.run(tmp_path / "store.zarr", "threads", progress=False)
    rounds = 0
    while True:
        over = statistics.disorder(found.overlap.where(found.done))
        cells = refinement.proposed(over, "temperature", 0.5, 0.003, denominator=1000)
        if not cells:
            break
        rounds += 1
        before = int(found.done.sum())
        sweep = sweep.extended(cells)
        found = sweep.run(tmp_path / "store.zarr", "threads", progress=False)
        assert int(found.done.sum()) == before + len(cells)  # none was there before
    edge = refinement.boundary(over, "temperature", 0.5)
    assert 3 < rounds < 60 and (edge.error <= 0.003).all()
    # of two columns with a standard error of 0.003: 4 of them
    assert (np.abs(edge.value - (0.3 - edge.alpha)) < 0.012).all()
    dense = 2 * 4 * 301  # cells of a grid with the same resolution
    assert int(found.done.sum()) < dense / 10


@pytest.mark.slow
@pytest.mark.parametrize(("curve", "noise"), [(jump, 0.3), (smooth, 0.1)])
def test_refined_boundaries_cover(curve, noise):
    """The whole loop 200 times, cells chosen as results come: intervals cover with few cells."""
    inside, counts = [], []
    for repeat in range(200):
        rng = np.random.default_rng([11, repeat])
        shift = rng.uniform(-0.01, 0.01)
        values = {
            x + shift: list(curve(x + shift) + noise * rng.standard_normal(4)) for x in PLACES
        }
        while True:
            x = np.array(sorted(values))
            table = np.full((x.size, max(map(len, values.values()))), np.nan)
            for row, place in zip(table, x, strict=True):
                row[: len(values[place])] = values[place]
            found = xr.DataArray(table, dims=("alpha", "realisation"), coords={"alpha": x})
            over = statistics.disorder(found)
            cells = refinement.proposed(over, "alpha", 0.5, 0.001)
            if not cells:
                break
            for each in cells:
                known_there = values.setdefault(each["alpha"], [])
                assert each["realisation"] == len(known_there)
                known_there.append(float(curve(each["alpha"]) + noise * rng.standard_normal()))
        edge = refinement.boundary(over, "alpha", 0.5)
        inside.append(((edge.low <= TRUE) & (edge.high >= TRUE)).values)
        counts.append(int(over.n.sum()))
    share = np.mean(inside, axis=0)
    # nominal minus three standard deviations of 200 repeats
    assert share[0] > 0.68 - 0.099 and share[1] > 0.95 - 0.046
    # a grid of that resolution over the range, with 4 realisations, has 320 cells
    assert np.mean(counts) < 320
