"""Theory that is exact must pass, theory that is shifted must not, and the text must say so."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from analysis import comparison


def simulated(
    rng, n_alpha=8, n_temperature=6, n=16, shared=0.0, shift=0.0, repeats=()
) -> xr.DataArray:
    """Gaussian realisations around `shift`; cells of one alpha share the part `shared` of it."""
    common = rng.standard_normal((*repeats, n_alpha, 1, n))
    own = rng.standard_normal((*repeats, n_alpha, n_temperature, n))
    return xr.DataArray(
        np.sqrt(shared) * common + np.sqrt(1 - shared) * own + shift,
        dims=("repeat", "alpha", "temperature", "realisation")[-own.ndim :],
        coords={
            "alpha": np.arange(1, n_alpha + 1) / 100,
            "temperature": np.arange(1, n_temperature + 1) / 10,
        },
        attrs={"long_name": "overlap", "units": "1"},
    )


def exact(found: xr.DataArray) -> xr.DataArray:
    """The theory of `simulated` without shift."""
    return xr.zeros_like(found.isel(realisation=0, drop=True))


def scores(rng, **changes) -> xr.Dataset:
    found = simulated(rng, **changes)
    return comparison.z_scores(found, exact(found))


def verdicts(rng, repeats: int, **changes) -> list[comparison.Verdict]:
    cells = scores(rng, repeats=(repeats,), **changes)
    return [comparison.verdict(cells.isel(repeat=i)) for i in range(repeats)]


# z-scores


@pytest.mark.parametrize("n", [2, 4, 16])
def test_z_is_standard_normal_if_theory_is_exact(n):
    z = scores(np.random.default_rng(1), n_alpha=100, n_temperature=40, n=n).z.values.ravel()
    # Kolmogorov-Smirnov on 4000 values: fails by chance once in 1000 seeds; t itself, with n = 4,
    # fails beyond any doubt (below). Mean of z^2: 4 times sqrt(2/4000).
    assert stats.kstest(z, "norm").pvalue > 1e-3
    assert np.mean(z**2) == pytest.approx(1, abs=0.09)


def test_t_taken_for_z_would_be_noticed():
    t = scores(np.random.default_rng(2), n_alpha=100, n_temperature=40, n=4).t.values.ravel()
    assert stats.kstest(t, "norm").pvalue < 1e-6


@pytest.mark.parametrize("n", [3, 16, 200])
def test_z_has_the_tail_probability_of_t(n):
    size = np.array([0.1, 1, 3, 10, 40, 1e3, 1e6])
    # -1, +1 and n - 2 zeros, shifted by the wanted t times their error.
    values = np.zeros((size.size, n))
    values[:, :2] = -1, 1
    values += (size * np.sqrt(2 / (n * (n - 1))))[:, None]
    found = xr.DataArray(values, dims=("cell", "realisation"))
    both = [comparison.z_scores(sign * found, xr.zeros_like(found[:, 0])) for sign in (1, -1)]
    np.testing.assert_allclose(both[0].z, -both[1].z, rtol=1e-11)  # rounding of the mean
    t, z = both[0].t.values, both[0].z.values
    np.testing.assert_allclose(t, size, rtol=1e-6)
    near = stats.t.sf(t, n - 1) > 1e-300
    np.testing.assert_allclose(
        stats.norm.logsf(z[near]), np.log(stats.t.sf(t[near], n - 1)), rtol=1e-10
    )
    assert near.sum() < near.size or n < 200  # the last case reaches beyond the doubles
    assert np.isfinite(z).all() and (np.diff(z) > 0).all()


def test_the_far_tail_joins_the_near_one():
    # Across the point where the tail probability leaves the range of doubles, z is smooth: equal
    # steps of log t give steps of z that change by less than 2 %.
    t = np.geomspace(30, 3000, 200)
    z = comparison._normal_quantile(t, np.full(200, 300.0))
    assert z[0] < 37 < z[-1]
    steps = np.diff(z)
    assert np.max(np.abs(np.diff(steps) / steps[1:])) < 0.02


def test_cells_without_spread_or_prediction_have_no_z():
    found = xr.DataArray(
        [[0.1] * 3, [0.1] * 3, [1, 2, 3], [1, np.nan, np.nan]],
        dims=("alpha", "realisation"),
        coords={"alpha": [0.1, 0.2, 0.3, 0.4]},
    )
    predicted = xr.DataArray([0.1, 0.2, np.nan, 1.0], dims="alpha", coords={"alpha": found.alpha})
    cells = comparison.z_scores(found, predicted)
    np.testing.assert_array_equal(cells.z, [0, np.nan, np.nan, np.nan])
    np.testing.assert_array_equal(cells.t, [0, np.nan, np.nan, np.nan])
    assert cells.n.values.tolist() == [3, 3, 3, 1]
    found_verdict = comparison.verdict(cells)
    assert found_verdict.n_cells == 1
    assert found_verdict.left_out == {
        "without prediction": 1,
        "with fewer than 2 realisations": 1,
        "without spread over realisations": 1,
    }


def test_predictions_of_fewer_dims_serve_all_others():
    found = simulated(np.random.default_rng(3))
    flat = xr.zeros_like(found.alpha)
    xr.testing.assert_allclose(
        comparison.z_scores(found, flat).z, comparison.z_scores(found, exact(found)).z
    )


def test_scores_carry_names_and_units():
    cells = scores(np.random.default_rng(4))
    assert all({"long_name", "units"} <= set(v.attrs) for v in cells.data_vars.values())


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda p: p.assign_coords(alpha=p.alpha * (1 + 1e-15)), "not on the same coordinates"),
        (lambda p: p.isel(alpha=slice(1, None)), "not on the same coordinates"),
        (lambda p: p.expand_dims(branch=2), "'branch'.*select one"),
    ],
)
def test_other_coordinates_are_refused(change, sentence):
    found = simulated(np.random.default_rng(5))
    with pytest.raises(ValueError, match=sentence):
        comparison.z_scores(found, change(exact(found)))


def test_realisations_are_needed():
    found = simulated(np.random.default_rng(6)).rename(realisation="sample")
    with pytest.raises(ValueError, match="'realisation' is needed"):
        comparison.z_scores(found, exact(simulated(np.random.default_rng(6))))


# Verdict


@pytest.mark.parametrize("shared", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("n", [4, 16])
def test_the_error_of_mean_z2_is_honest(shared, n):
    rng = np.random.default_rng([7, n, int(10 * shared)])
    repeats = 400
    found = verdicts(rng, repeats, n=n, shared=shared)
    mean = np.array([v.mean_z2 for v in found])
    error = np.array([v.error for v in found])
    # The spread of 400 repeats of a chi-squared of few degrees is known to 5 to 9 %: 3 of them.
    assert np.sqrt((error**2).mean()) == pytest.approx(mean.std(), rel=0.25)
    # The mean of mean z^2 over repeats against its own standard error.
    assert abs(mean.mean() - 1) < 4 * mean.std() / np.sqrt(repeats)
    # Errors that took the 48 cells as independent would be 0.20; they are 0.5 if all alike.
    assert (np.median(error) > 0.3) == (shared == 1)
    # Exact theory is called so: false alarms were measured below 4 % (disagrees) and 6 %
    # (too close), with a binomial error of 1.2 % here.
    words = [v.word for v in found]
    assert words.count("disagrees") < 0.06 * repeats
    assert words.count("too close") < 0.09 * repeats


def test_shifted_theory_is_flagged():
    rng = np.random.default_rng(8)
    # 16 realisations: a shift of 0.5 is 2 standard errors, mean z^2 about 5.
    found = verdicts(rng, 50, shared=0.5, shift=0.5)
    assert [v.word for v in found].count("disagrees") >= 48
    # A tenth of that is not seen, as it should be: a fifth of one error.
    found = verdicts(rng, 50, shared=0.5, shift=0.05)
    assert [v.word for v in found].count("disagrees") <= 4


def test_error_bars_that_are_too_large_are_flagged():
    cells = scores(np.random.default_rng(9), n_alpha=20)
    assert comparison.verdict(cells.assign(z=cells.z / 3)).word == "too close"


def test_more_than_chance_but_less_than_the_criterion_is_agreement():
    cells = scores(np.random.default_rng(10), n_alpha=100, n_temperature=20)
    found = comparison.verdict(cells.assign(z=cells.z * np.sqrt(1.35)))
    assert found.interval[1] < found.mean_z2 < comparison.CRITERION
    assert found.word == "agrees"
    assert comparison.verdict(cells.assign(z=cells.z * np.sqrt(1.8))).word == "disagrees"


def test_columns_are_the_units_of_the_error():
    cells = scores(np.random.default_rng(11), n_alpha=3, n_temperature=2)
    z2 = cells.z.values**2
    found = comparison.verdict(cells)
    assert found.n_columns == 3
    assert found.error == pytest.approx(z2.mean(axis=1).std(ddof=1) / np.sqrt(3), rel=1e-12)
    alone = comparison.verdict(cells, columns=("alpha", "temperature"))
    assert comparison.verdict(cells, columns=None) == alone
    assert alone.n_columns == 6
    words = cells.assign_coords(rule=("alpha", ["taught", "alone", "taught"]))
    assert comparison.verdict(words, columns="rule").n_columns == 2
    assert alone.error == pytest.approx(z2.std(ddof=1) / np.sqrt(6), rel=1e-12)
    assert np.isnan(comparison.verdict(cells.isel(alpha=[0])).error)


def test_the_line_says_what_was_left_out_and_why():
    cells = scores(np.random.default_rng(12))
    z = xr.full_like(cells.z, 1.0)
    z[2, 3] = -3.5
    z[7, 5] = 9.0  # left out below
    cells = cells.assign(z=z)
    cold = (cells.temperature == 0.1) & (cells.alpha < 0.065)
    near = cells.alpha > 0.055
    found = comparison.verdict(cells, reasons={"not equilibrated": cold, "near the boundary": near})
    # 6 cold cells; of the 18 near the boundary one is cold too and counted there.
    assert found.left_out == {"not equilibrated": 6, "near the boundary": 17}
    assert found.n_cells == 25 and found.n_columns == 5
    assert found.mean_z2 == pytest.approx((24 + 3.5**2) / 25)
    assert found.beyond_3 == ({"alpha": 0.03, "temperature": 0.4, "z": -3.5},)
    line = str(found)
    assert "\n" not in line
    assert line.startswith("agreement: mean z² = 1.45 ± ")
    assert "over 25 cells in 5 columns (1 expected if theory is exact at this size" in line
    assert "; 1 cell beyond 3σ; " in line
    assert line.endswith("23 cells left out (6 not equilibrated, 17 near the boundary)")


def test_include_counts_what_it_excludes():
    cells = scores(np.random.default_rng(13))
    found = comparison.verdict(cells, include=cells.temperature < 0.25)
    assert found.n_cells == 16
    assert found.left_out == {"not included": 32}


def test_no_cell_gives_no_verdict():
    cells = scores(np.random.default_rng(14))
    found = comparison.verdict(cells, include=cells.z > np.inf)
    assert str(found) == "undecided: no cell to compare; 48 cells left out (48 not included)"
    one = comparison.verdict(cells, include=(cells.alpha == 0.01) & (cells.temperature == 0.1))
    assert "± – over 1 cell in 1 column (" in str(one)


def test_masks_and_columns_that_do_not_fit_are_refused():
    cells = scores(np.random.default_rng(15))
    with pytest.raises(TypeError, match="'include' must be boolean, not float64"):
        comparison.verdict(cells, include=cells.z)
    with pytest.raises(ValueError, match="'cold' has the dims"):
        comparison.verdict(cells, reasons={"cold": (cells.z > 0).rename(alpha="load")})
    with pytest.raises(ValueError, match="'cold' is not on the coordinates"):
        comparison.verdict(cells, reasons={"cold": cells.z.isel(alpha=slice(3)) > 0})
    with pytest.raises(ValueError, match="no coordinate 'n_patterns'.*'alpha'"):
        comparison.verdict(cells, columns="n_patterns")


# Table


def test_the_table_is_aligned_and_honest():
    found = xr.DataArray(
        [[[0.96, 0.97, 0.98], [0.5, 0.5, 0.5]], [[0.1, 0.2, 0.3], [0.2, np.nan, np.nan]]],
        dims=("alpha", "temperature", "realisation"),
        coords={"alpha": [0.02, 0.1], "temperature": [0.3, 0.5]},
    )
    predicted = xr.DataArray(
        [[0.9671, 0.4], [np.nan, 0.1]],
        dims=("alpha", "temperature"),
        coords={"alpha": found.alpha, "temperature": found.temperature},
    )
    cells = comparison.z_scores(found, predicted)
    lines = comparison.table(cells, equilibrated=cells.n > 1).splitlines()
    assert [line.split() for line in lines] == [
        ["alpha", "T", "m", "±", "error", "m_RS", "z", "equilibrated"],
        # t = 0.5023 with 2 degrees: P = 1/2 - t / (2 sqrt(2 + t^2)) = 0.3326, z = 0.43
        ["0.02", "0.3", "0.9700", "±", "0.0058", "0.9671", "0.43", "yes"],
        ["0.02", "0.5", "0.5000", "±", "0.0000", "0.4000", "–", "yes"],
        ["0.1", "0.3", "0.200", "±", "0.058", "–", "–", "yes"],
        ["0.1", "0.5", "0.2000", "±", "–", "0.1000", "–", "no"],
    ]
    assert len(set(map(len, lines))) == 1
    shown = comparison.table(cells, include=cells.alpha < 0.05, symbol="q", theory="q_1RSB")
    assert len(shown.splitlines()) == 3
    assert shown.split()[:6] == ["alpha", "T", "q", "±", "error", "q_1RSB"]


# Finite size


def sizes(values) -> xr.DataArray:
    n = [500, 1000, 2000, 4000][: len(values)]
    return xr.DataArray(values, dims="n_neurons", coords={"n_neurons": n})


def test_a_line_in_one_over_n_is_recovered():
    rng = np.random.default_rng(16)
    repeats = 2000
    n = sizes([0.0] * 4).n_neurons
    error = 0.002 * np.sqrt(1000 / n)
    truth = 0.003 + 4 / n
    noise = xr.DataArray(rng.standard_normal((repeats, 4)), dims=("repeat", "n_neurons"))
    found = comparison.finite_size(truth + error * noise, error)
    for name, value in (("intercept", 0.003), ("slope", 4)):
        pull = (found[name] - value) / found[f"{name}_error"]
        # 2000 standard normal pulls: mean to 1/45, spread to 1/63; 4 of each.
        assert abs(float(pull.mean())) < 0.09
        assert float(pull.std()) == pytest.approx(1, abs=0.065)
    assert float(found.chi2.mean()) == pytest.approx(2, abs=0.18)  # 4 sqrt(2 x 2 / 2000)
    assert (found.dof == 2).all()


def test_two_sizes_give_the_line_through_them():
    found = comparison.finite_size(sizes([0.008, 0.004]), sizes([0.001, 0.003]))
    assert float(found.intercept) == pytest.approx(0, abs=1e-12)
    assert float(found.slope) == pytest.approx(4, rel=1e-9)
    # 2 d(1000) - d(500), so the error is that of the two added in squares.
    assert float(found.intercept_error) == pytest.approx(np.hypot(2 * 0.003, 0.001), rel=1e-9)
    assert float(found.chi2) == pytest.approx(0, abs=1e-12)


def test_sizes_without_an_error_are_not_used():
    found = comparison.finite_size(sizes([0.008, 0.004, np.nan]), sizes([0.001, 0.0, 0.001]))
    assert np.isnan(found.intercept) and np.isnan(found.slope_error)
    assert found.dof == -1


def test_finite_size_needs_the_sizes():
    values = sizes([0.1, 0.2])
    with pytest.raises(ValueError, match="'n_neurons'"):
        comparison.finite_size(values.drop_vars("n_neurons"), values)
    with pytest.raises(ValueError, match="other coordinates"):
        comparison.finite_size(values, values.isel(n_neurons=slice(1)))


def test_amplitude_finds_the_share_of_a_known_difference():
    """found - predicted = 1.5 x expected + noise common to a column: value and honest error."""
    rng = np.random.default_rng(7)
    cells = {"alpha": np.arange(6) / 100, "temperature": [0.1, 0.2, 0.3]}
    expected = xr.DataArray(np.outer(np.ones(6), [1.0, 2.0, 4.0]), cells)
    error = xr.full_like(expected, 0.5) * expected  # as large as what is looked for, by half
    pulls = []
    for _ in range(400):
        common = xr.DataArray(rng.normal(size=6), {"alpha": cells["alpha"]})
        scores = xr.Dataset({"difference": 1.5 * expected + common * error, "error": error})
        value, sigma = comparison.amplitude(scores, expected, expected > 0)
        pulls.append((value - 1.5) / sigma)
    # mean 0 and variance 1 within 4 standard errors of 400 repeats
    assert abs(np.mean(pulls)) < 4 / 20
    assert abs(np.var(pulls) - 1) < 4 * np.sqrt(2 / 400)
    nothing = comparison.amplitude(scores, expected, expected < 0)
    assert np.isnan(nothing).all()


def test_exponent_of_a_power_law_and_its_error():
    """y = 3 N^1.7 exactly; with noise of the given errors the exponent scatters by its error."""
    sizes = xr.DataArray([100, 200, 400, 800], dims="n_neurons")
    sizes = sizes.assign_coords(n_neurons=sizes.values)
    error = xr.DataArray([0.1, 0.05, 0.2, np.nan], dims="n_neurons", coords=sizes.coords)
    exact = np.log(3) + 1.7 * np.log(sizes)
    found = comparison.exponent(exact, error)
    assert float(found.slope) == pytest.approx(1.7, abs=1e-13) and found.n_sizes == 3
    noise = np.random.default_rng(1).standard_normal((4000, 4))
    noisy = exact + xr.DataArray(noise, dims=("repeat", "n_neurons")) * error.fillna(9)
    z = (comparison.exponent(noisy, error).slope - 1.7) / found.slope_error
    # the mean and the standard deviation of 4000 numbers: three of their errors
    assert abs(float(z.mean())) < 3 / np.sqrt(4000)
    assert float(z.std()) == pytest.approx(1, abs=3 / np.sqrt(8000))
    alone = comparison.exponent(exact, error.where(sizes == 100))
    assert np.isnan(alone.slope) and np.isnan(alone.slope_error) and alone.n_sizes == 1
