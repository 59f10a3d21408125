"""Effective samples, thermal and disorder errors, jackknife: series with known answers."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from hopfield_sim import statistics
from hopfield_sim.statistics import resampling
from tests.chains import ar1, inside, labelled

# Effective samples and R-hat


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_effective_samples_of_a_known_autocorrelation(rho):
    x = ar1(np.random.default_rng(1), (100, 4, 1000), rho)
    found = statistics.effective_samples(labelled(x))
    exact = (1 - rho) / (1 + rho) * 4000
    # A single estimate scatters by up to 12 % (rho = 0.9), the mean of 100 by 1.2 %; the cut of
    # the autocorrelation and the short chains bias it by up to 2 %.
    assert found.mean() == pytest.approx(exact, rel=0.05)
    assert found.dims == ("temperature",)


def test_r_hat_tells_agreeing_from_disagreeing_chains():
    x = np.random.default_rng(2).standard_normal((2, 4, 200))
    x[1] += np.arange(4)[:, None]
    same, apart = statistics.r_hat(labelled(x)).values
    # 800 independent samples: R^2 - 1 is about 1/100 at most; means 0, 1, 2, 3 with unit spread
    # make R^2 about 1 + 5/3.
    assert same < 1.02
    assert 1.4 < apart < 1.8


def test_r_hat_of_one_replica_is_unknown():
    x = np.random.default_rng(3).standard_normal((1, 50))
    assert np.isnan(statistics.r_hat(labelled(x)))
    assert np.isfinite(statistics.thermal(labelled(x)).error)


@pytest.mark.parametrize("n_samples", [20, 21])
def test_frozen_chains(n_samples):
    x = np.full((3, 5, n_samples), 0.1)
    x[1] *= np.arange(1, 6)[:, None]
    x[2, 0, n_samples // 2] = 0.2  # one visit elsewhere, in the sample that a split leaves out
    found = statistics.thermal(labelled(x))
    assert found.effective_samples.values[:2].tolist() == [5 * n_samples, 5]
    assert found.r_hat.values[:2].tolist() == [1, np.inf]
    assert found.r_hat.values[2] == pytest.approx(1, abs=0.02)  # finite: one sample of a hundred
    # Five values count as five samples: sd / sqrt(5), exactly; equal values have no error at all.
    spread = np.std(0.1 * np.arange(1, 6), ddof=1) / np.sqrt(5)
    assert found.error.values[0] == 0
    assert found.error.values[1] == pytest.approx(spread, rel=1e-12)
    assert found["mean"].values[0] == 0.1


def test_series_of_two_values_give_no_warning():
    # The folded form of R-hat divides zero by zero here; warnings are errors in this test run.
    x = np.tile([0.0, 1.0], (4, 50))
    assert statistics.r_hat(labelled(x)) < 1.01
    jump = np.ones((4, 40))
    jump[:, 20:] = 0
    assert statistics.r_hat(labelled(jump)) > 10


# Thermal error


@pytest.mark.parametrize("rho", [0.0, 0.9])
def test_thermal_intervals_cover(rho):
    repeats = 800
    x = ar1(np.random.default_rng(4), (repeats, 4, 400), rho)
    found = statistics.thermal(labelled(x + 5))
    for level in (0.68, 0.95):
        reach = stats.t.ppf((1 + level) / 2, found.effective_samples - 1)
        covered = (abs(found["mean"] - 5) < reach * found.error).mean()
        # At rho = 0.9 a series holds 84 effective samples, known to 20 %: this costs 2 points.
        assert inside(float(covered), level, repeats, extra=0.02)


def test_the_dims_of_a_series_may_come_in_any_order():
    x = labelled(ar1(np.random.default_rng(5), (3, 4, 50), 0.5))
    xr.testing.assert_identical(
        statistics.thermal(x), statistics.thermal(x.transpose("sample", "temperature", "replica"))
    )


def test_results_carry_names_and_units():
    x = labelled(np.random.default_rng(6).standard_normal((4, 4, 20)))
    x = x.assign_attrs(long_name="energy", units="J")
    thermal = statistics.thermal(x)
    assert thermal.error.units == thermal["mean"].units == "J"
    mean = thermal["mean"].rename(temperature="realisation")
    for found in (
        thermal,
        statistics.equilibration(x, [0, 0, 1, 1]),
        statistics.log_binned(x),
        statistics.escapes(x),
        statistics.within(x, x.isel(sample=0, drop=True) > -9),
        statistics.escape_rate(2, 10.0),
        statistics.bootstrap(np.square, mean.isel(realisation=[0, 1, 2, 3, 0])),
        statistics.susceptibility(x, 100, dim="temperature"),
        statistics.specific_heat(x, 0.5, 100, dim="replica"),
        statistics.binder(x, dim="replica"),
        statistics.spin_glass_susceptibility(x, 100, dim="replica"),
        statistics.disorder(mean, mean),
        statistics.jackknife(np.square, mean),
    ):
        assert all({"long_name", "units"} <= set(v.attrs) for v in found.variables.values())


# Disorder


def test_thermal_and_disorder_parts_are_told_apart():
    rng = np.random.default_rng(7)
    n, repeats, sd_disorder, sd_thermal = 16, 4000, 0.03, 0.05
    truth = sd_disorder * rng.standard_normal((repeats, n))
    means = truth + sd_thermal * rng.standard_normal((repeats, n))
    found = statistics.disorder(
        xr.DataArray(means, dims=("repeat", "realisation")),
        xr.full_like(xr.DataArray(means, dims=("repeat", "realisation")), sd_thermal),
    )
    assert found.thermal_error.values == pytest.approx(sd_thermal / 4, rel=1e-12)
    # error^2 has relative scatter sqrt(2/15) in one repeat, 0.6 % in the mean of 4000: 4 of them.
    total = float((found.error**2).mean())
    assert total == pytest.approx((sd_disorder**2 + sd_thermal**2) / n, rel=0.025)
    # The disorder part is cut at zero, which lifts its mean but not its median: that of error^2
    # is the median of chi-squared over 15, less the thermal part. Its scatter is 3.1 %: 4 of them.
    median = float((found.disorder_error**2).median())
    median_total = stats.chi2.median(15) / 15 * (sd_disorder**2 + sd_thermal**2)
    assert median == pytest.approx((median_total - sd_thermal**2) / n, rel=0.125)
    assert (found.disorder_error >= 0).all()
    for level in (0.68, 0.95):
        reach = stats.t.ppf((1 + level) / 2, n - 1)
        covered = float((abs(found["mean"]) < reach * found.error).mean())
        assert inside(covered, level, repeats)  # exact for Gaussian realisations


def test_realisations_that_are_not_there_are_not_counted():
    mean = xr.DataArray(
        [[1.0, 3.0, np.nan], [1.0, np.nan, np.nan], [np.nan] * 3, [0.1] * 3],
        dims=("alpha", "realisation"),
    )
    found = statistics.disorder(mean, xr.full_like(mean, 0.5))
    assert found.n.values.tolist() == [2, 1, 0, 3]
    np.testing.assert_array_equal(found["mean"], [2, 1, np.nan, 0.1])
    np.testing.assert_array_equal(found.error, [1, np.nan, np.nan, 0])
    np.testing.assert_allclose(found.thermal_error[:2], [0.5 / np.sqrt(2), 0.5])
    assert set(statistics.disorder(mean)) == {"mean", "error", "n"}


# Jackknife


def test_jackknife_removes_the_bias_of_a_square():
    x = xr.DataArray(np.random.default_rng(8).standard_normal(20) + 1, dims="realisation")
    found = statistics.jackknife(np.square, x)
    # The unbiased estimate of a squared mean, known in closed form.
    exact = float(x.mean() ** 2 - x.var(ddof=1) / 20)
    assert float(found.estimate) == pytest.approx(exact, rel=1e-12)
    linear = statistics.jackknife(lambda m: 3 * m, x)
    spread = 3 * float(x.std(ddof=1)) / np.sqrt(20)
    assert float(linear.error) == pytest.approx(spread, rel=1e-12)


def test_jackknife_removes_the_bias_of_a_ratio():
    rng = np.random.default_rng(9)
    repeats, n = 4000, 10
    x, y = (
        xr.DataArray(1 + 0.3 * rng.standard_normal((repeats, n)), dims=("repeat", "realisation"))
        for _ in range(2)
    )
    found = statistics.jackknife(lambda a, b: a / b, x, y).estimate
    plain = x.mean("realisation") / y.mean("realisation")
    # <a/b> - 1 = var(b) + ... = 0.009; 4000 repeats know the mean to 0.135/63 = 0.0021.
    assert plain.mean() - 1 > 0.005
    assert abs(found.mean() - 1) < 0.005
    assert abs(found.mean() - 1) < abs(plain.mean() - 1)


@pytest.mark.parametrize("quantity", ["susceptibility", "binder"])
def test_jackknife_intervals_cover(quantity):
    repeats, n, per = 2000, 30, 50
    m = np.random.default_rng(10).standard_normal((repeats, n, per))
    moments = [xr.DataArray((m**k).mean(-1), dims=("repeat", "realisation")) for k in (1, 2, 4)]
    function, exact = {
        "susceptibility": (lambda a, b, c: b - a**2, 1 - 0),
        "binder": (lambda a, b, c: 1 - c / (3 * b**2), 0),
    }[quantity]
    found = statistics.jackknife(function, *moments)
    for level in (0.68, 0.95):
        reach = stats.t.ppf((1 + level) / 2, n - 1)
        covered = float((abs(found.estimate - exact) < reach * found.error).mean())
        # Fourth moments are skewed: half a point beyond the binomial error.
        assert inside(covered, level, repeats, extra=0.005)


# Bootstrap


def test_bootstrap_intervals_follow_the_formula():
    """Studentised, by plain loops over the same draws."""
    rng = np.random.default_rng(17)
    x = xr.DataArray(rng.gamma(2.0, size=(3, 7, 2)), dims=("alpha", "realisation", "temperature"))
    y = xr.DataArray(1 + rng.random((2, 7)), dims=("temperature", "realisation"))
    found = statistics.bootstrap(lambda a, b: a / b, x, y, n_resamples=199, seed=(3, 1))
    counts = resampling._counts((3, 1), 7, 199)
    assert (counts.sum(1) == 7).all()
    a, b = x.values[1, :, 0], y.values[0]

    def error(chosen):
        """Jackknife error of the ratio of the chosen realisations."""
        left = [np.delete(chosen, k) for k in range(7)]
        parts = [a[rest].mean() / b[rest].mean() for rest in left]
        return np.sqrt(6 / 7 * np.sum((parts - np.mean(parts)) ** 2))

    whole, values, t = a.mean() / b.mean(), [], []
    for count in counts:
        chosen = np.repeat(np.arange(7), count)
        values.append(a[chosen].mean() / b[chosen].mean())
        t.append((values[-1] - whole) / error(chosen))
    t = np.sort(t)
    one = found.isel(alpha=1, temperature=0)
    for level, low, high in ((0.68, 31, 167), (0.95, 4, 194)):  # 32nd and 5th from either end
        expected = whole - error(np.arange(7)) * t[[high, low]]
        at = one.sel(level=level)
        np.testing.assert_allclose([at.lower, at.upper], expected, rtol=1e-9)
    assert float(one.error) == pytest.approx(np.std(values) * np.sqrt(7 / 6), rel=1e-9)
    plain = statistics.jackknife(lambda a, b: a / b, x, y)
    np.testing.assert_allclose(found.estimate, plain.estimate, rtol=1e-12)
    assert found.lower.dims == ("alpha", "temperature", "level")


def test_bootstrap_is_reproducible_and_does_not_depend_on_the_blocks(monkeypatch):
    x = xr.DataArray(np.random.default_rng(18).random((3, 9)), dims=("alpha", "realisation"))
    one, other = statistics.bootstrap(np.square, x), statistics.bootstrap(np.square, x, seed=1)
    assert not one.lower.equals(other.lower)
    monkeypatch.setattr(resampling, "_BLOCK", 100)
    xr.testing.assert_allclose(one, statistics.bootstrap(np.square, x), rtol=1e-12)
    # what is drawn: each realisation equally often, 9 x 999 draws
    counts = resampling._counts(0, 9, 999).sum(0)
    assert stats.chisquare(counts).pvalue > 1e-3


def test_equal_realisations_have_no_interval():
    x = xr.DataArray(np.full(6, 0.5), dims="realisation")
    found = statistics.bootstrap(np.square, x)
    assert found.error == 0 and found.estimate == 0.25
    assert (found.lower == 0.25).all() and (found.upper == 0.25).all()


# Refusals


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: statistics.thermal(x.where(x < 1)), "holds NaN"),
        (lambda x: statistics.thermal(x.rename(sample="time")), "'sample' is needed"),
        (lambda x: statistics.r_hat(x[:, :3]), "4 samples are needed"),
        (lambda x: statistics.effective_samples(x[:0]), "at least 1 replica"),
        (lambda x: statistics.disorder(x), "'realisation' is needed"),
        (lambda x: statistics.disorder(x, x[:2], dim="sample"), "has the dims|coordinates"),
        (lambda x: statistics.disorder(x, x[0], dim="sample"), "has the dims"),
        (lambda x: statistics.jackknife(np.square), "at least one array"),
        (lambda x: statistics.jackknife(np.square, x[:, :1], dim="sample"), "at least two"),
        (lambda x: statistics.jackknife(np.add, x, x[:, :9], dim="sample"), "same coordinates"),
        (lambda x: statistics.jackknife(np.square, x.where(x < 1), dim="sample"), "holds NaN"),
        (lambda x: statistics.bootstrap(np.square, x, dim="replica"), "at least five"),
        (lambda x: statistics.bootstrap(np.square, x, dim="sample", levels=[1.0]), "between 0"),
        (lambda x: statistics.bootstrap(np.square, x, dim="sample", n_resamples=9), "at least 39"),
        (lambda x: statistics.bootstrap(lambda a: x[0, 0], x, dim="sample"), "on its own"),
        (lambda x: statistics.susceptibility(x, 9), 'dim="replica"'),
        (lambda x: statistics.susceptibility(x, dim="replica"), "give n_neurons"),
        (lambda x: statistics.specific_heat(x, 0.0, 9, dim="replica"), "above zero"),
        (lambda x: statistics.binder(x.where(x < 1), dim="replica"), "holds NaN"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, sentence):
    x = labelled(2 + np.random.default_rng(16).standard_normal((4, 20)))
    with pytest.raises(ValueError, match=sentence):
        call(x)


def test_arrays_without_labels_are_refused():
    with pytest.raises(TypeError, match="DataArray"):
        statistics.thermal(np.zeros((4, 20)))
    x = xr.DataArray(np.ones(3), dims="realisation")
    with pytest.raises(TypeError, match="DataArray"):
        statistics.jackknife(float, x)
