"""Error bars that cover, verdicts that are calibrated: against series with known answers."""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.signal import lfilter

from hopfield_sim import statistics


def labelled(x: np.ndarray) -> xr.DataArray:
    """x (lane, replica, sample) or (replica, sample) as a series."""
    return xr.DataArray(x, dims=("temperature", "replica", "sample")[-x.ndim :])


def ar1(rng, shape: tuple[int, ...], rho: float, start=None) -> np.ndarray:
    """x_t = rho x_{t-1} + noise with mean 0 and variance 1; stationary unless a start is given."""
    steps = np.sqrt(1 - rho**2) * rng.standard_normal(shape)
    steps[..., 0] = rng.standard_normal(shape[:-1]) if start is None else start
    return lfilter([1], [1, -rho], steps)


def inside(fraction: float, expected: float, repeats: int, extra: float = 0.0) -> bool:
    """Whether a fraction of independent repeats is within 4 binomial standard errors (+ extra)."""
    return abs(fraction - expected) <= 4 * np.sqrt(expected * (1 - expected) / repeats) + extra


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
    repeats = 1500
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


# Equilibration

STARTS = np.arange(8) % 2


def flagged(rng, n_replicas, n_samples, length, start=None, repeats=300) -> float:
    """Fraction marked as not equilibrated of sets of chains of `length` autocorrelation times."""
    rho = np.exp(-length / n_samples)
    x = ar1(rng, (repeats, n_replicas, n_samples), rho, start)
    verdict = statistics.equilibration(labelled(x), STARTS[:n_replicas])
    return 1 - float(verdict.equilibrated.mean())


@pytest.mark.parametrize("n_replicas", [4, 8])
@pytest.mark.parametrize("n_samples", [60, 200])
@pytest.mark.parametrize("start", ["inside", "apart"])
def test_the_verdict_is_calibrated(n_replicas, n_samples, start):
    rng = np.random.default_rng([11, n_replicas, n_samples])
    # "apart": one start 1, the other 3 standard deviations from the mean, and no warm-up.
    given = None if start == "inside" else np.where(STARTS[:n_replicas] == 0, 1.0, 3.0)
    # Of some 10,000 runs more than 99 % of the short and fewer than 3 % of the long are flagged;
    # 300 repeats scatter by 0.6 % and 1 %, so that 95 % and 5 % are at least two of that away.
    for length in (2, 5):
        assert flagged(rng, n_replicas, n_samples, length, given) >= 0.95
    assert flagged(rng, n_replicas, n_samples, 100, given) <= 0.05


def test_a_small_gap_that_persists_is_seen():
    rng = np.random.default_rng(12)
    x = rng.standard_normal((200, 8, 400))
    x[:, STARTS == 1] += 0.15
    verdict = statistics.equilibration(labelled(x), STARTS)
    # 1600 samples a start: 0.15 is 4.24 standard errors, so it is seen in P(z > 4) = 59 % of the
    # cases (binomial error 3.5 %, errors measured: 3 more), while R-hat stays below its threshold.
    assert 0.45 < 1 - float(verdict.equilibrated.mean()) < 0.73
    assert (verdict.r_hat < statistics.R_HAT_BELOW).all()
    assert float(verdict.start_gap_z.mean()) == pytest.approx(4.24, abs=0.3)  # 1/sqrt(200) x 4


def test_a_common_drift_is_seen():
    x = np.random.default_rng(13).standard_normal((50, 8, 400)) + np.linspace(0, 0.6, 400)
    verdict = statistics.equilibration(labelled(x), STARTS)
    # The halves differ by 0.3, 8.5 standard errors of 1600 samples each.
    assert not verdict.equilibrated.any()
    assert float(verdict.drift_z.mean()) == pytest.approx(8.5, abs=0.8)


@pytest.mark.parametrize("n_samples", [8, 100, 101])
def test_frozen_and_nearly_frozen_chains(n_samples):
    same = np.full((8, n_samples), 0.1)
    apart = same + 0.01 * STARTS[:, None]
    scattered = same + 0.01 * np.arange(8)[:, None]
    jump = same.copy()
    jump[3, n_samples // 2 :] = 0.2  # one chain leaves and stays away
    x = labelled(np.stack([same, apart, scattered, jump]))
    verdict = statistics.equilibration(x, STARTS)
    assert verdict.equilibrated.values.tolist() == [True, False, False, False]
    assert verdict.r_hat.values[:3].tolist() == [1, np.inf, np.inf]
    assert verdict.start_gap_z.values[:2].tolist() == [0, np.inf]
    assert verdict.drift_z.values[:3].tolist() == [0, 0, 0]


def test_few_short_flips_are_equilibrium():
    rng = np.random.default_rng(14)
    x = np.where(rng.random((300, 8, 200)) < 0.005, 0.9, 1.0)  # about 8 flips among 1600 samples
    verdict = statistics.equilibration(labelled(x), STARTS)
    assert verdict.equilibrated.mean() > 0.97  # gap or drift beyond 4: rare even for 8 flips
    assert np.isfinite(verdict.drift_z).all()


def test_starts_may_be_named():
    x = labelled(np.random.default_rng(15).standard_normal((8, 50)))
    names = xr.DataArray(np.where(STARTS == 0, "corrupted", "pattern"), dims="replica")
    xr.testing.assert_identical(
        statistics.equilibration(x, names), statistics.equilibration(x, STARTS)
    )


# Refusals


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda x: statistics.thermal(x.where(x < 1)), "holds NaN"),
        (lambda x: statistics.thermal(x.rename(sample="time")), "'sample' is needed"),
        (lambda x: statistics.r_hat(x[:, :3]), "4 samples are needed"),
        (lambda x: statistics.effective_samples(x[:0]), "at least 1 replica"),
        (lambda x: statistics.equilibration(x[:, :7], [0, 1, 0, 1]), "8 samples are needed"),
        (lambda x: statistics.equilibration(x, [0, 1]), "one label for each"),
        (lambda x: statistics.equilibration(x, [1, 1, 1, 1]), "two different starts"),
        (lambda x: statistics.equilibration(x, [0, 1, 2, 0]), "two different starts"),
        (lambda x: statistics.disorder(x), "'realisation' is needed"),
        (lambda x: statistics.disorder(x, x[:2], dim="sample"), "has the dims|coordinates"),
        (lambda x: statistics.disorder(x, x[0], dim="sample"), "has the dims"),
        (lambda x: statistics.jackknife(np.square), "at least one array"),
        (lambda x: statistics.jackknife(np.square, x[:, :1], dim="sample"), "at least two"),
        (lambda x: statistics.jackknife(np.add, x, x[:, :9], dim="sample"), "same coordinates"),
        (lambda x: statistics.jackknife(np.square, x.where(x < 1), dim="sample"), "holds NaN"),
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
