"""Whether a run has equilibrated: two starts, logarithmic bins of time, R-hat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from hopfield_sim.statistics.arrays import effective_of, frozen, r_hat_of, ratio_of, thermal_of
from hopfield_sim.statistics.series import (
    checked,
    labelled,
    name_of,
    on_lanes,
    on_some_replicas,
    unit_of,
)

R_HAT_BELOW = 1.05
R_HAT_OF_TWO_BELOW = 1.07
EFFECTIVE_SAMPLES_PER_REPLICA = 12
Z_BELOW = 4.0
"""The thresholds of `equilibration`, which says where they come from."""

SAMPLES_PER_BIN = 8
"""The fewest samples of a logarithmic bin: halves of 4, the shortest chains that have an ESS."""


def log_binned(series: xr.DataArray) -> xr.Dataset:
    """Means over the samples [L/2, L), [L/4, L/2), [L/8, L/4), ...: the equilibration test.

    A series has reached equilibrium when the last bins (two, better three) agree within their
    errors; relaxation in the logarithm of time moves every bin by the same amount and is seen
    here, while any one pair of neighbours may look alike. Time is counted from the first sample:
    for a run from its start use `Schedule(warmup=0)`. For disorder averages, take the mean of the
    bins over the realisations with `disorder`, whose error holds everything.

    series: `(..., replica, sample)`, L >= 8 samples, no NaN.
    Returns, each `(..., bin)`, bin 0 being the last half: `mean` and thermal `error` in the unit
    of the series, `effective_samples`; and (bin,) the coordinates `first_sample` and `last_sample`.
    Bins of fewer than 8 samples are left out, but the last half is always there.

    Raises TypeError or ValueError when `series` is not such a series.
    Source: Katzgraber, Körner, Young, PRB 73, 224432 (2006): three bins that agree.
    """
    checked(series, samples=8)
    limits = _log_bins(series.sizes["sample"])

    def parts(x: np.ndarray) -> list[np.ndarray]:
        """Mean, error and ESS of each bin of x (lane, replica, sample): columns (lane,)."""
        bins = [thermal_of(x[:, :, low:high]) for low, high in limits]
        return [column for found in bins for column in found]

    columns = on_lanes(parts, series, samples=8)
    mean, error, ess = (_along_bins(columns[k::3], limits) for k in range(3))
    name, unit = name_of(series), unit_of(series)
    return xr.Dataset(
        {
            "mean": labelled(mean, f"thermal mean of {name} in a bin", unit),
            "error": labelled(error, f"thermal standard error of {name} in a bin", unit),
            "effective_samples": labelled(ess, "effective number of samples in a bin"),
        }
    )


def _along_bins(columns: Sequence[xr.DataArray], limits: list[tuple[int, int]]) -> xr.DataArray:
    """One array `(...)` for each bin as one `(..., bin)`, with the coordinates of the bins."""
    first, end = np.transpose(limits)
    about = {
        "bin": (np.arange(len(limits)), "bins of time, each half as long, the last one first"),
        "first_sample": (first, "first sample of the bin"),
        "last_sample": (end - 1, "last sample of the bin"),
    }
    return (
        xr.concat(columns, "bin")
        .transpose(..., "bin")
        .assign_coords(
            {k: ("bin", at, {"long_name": text, "units": "1"}) for k, (at, text) in about.items()}
        )
    )


def _log_bins(n_samples: int) -> list[tuple[int, int]]:
    """First sample and end of each bin, the last half first."""
    limits = [(n_samples // 2, n_samples)]
    while (low := limits[-1][0]) - low // 2 >= SAMPLES_PER_BIN:
        limits.append((low // 2, low))
    return limits


def equilibration(
    series: xr.DataArray, start: xr.DataArray | Sequence, stayed: xr.DataArray | None = None
) -> xr.Dataset:
    """Verdict: have chains from two starts forgotten where they came from, and seen enough?

    equilibrated = R-hat < 1.05 (1.07 for two replicas)  and  ESS >= 12 per replica
    and  |start_gap_z| < 4  and  |drift_z| < 4  and  |trend_z| < 4,  or all values are equal.

    The two starts lie inside the state studied (for retrieval: the pattern, and the pattern with
    10 % of it corrupted); a point that fails is to be marked, never averaged away. Reasons:

    * R-hat and ESS decide between short and long. For chains of length L and exponential
      autocorrelation time tau, ESS per replica tends to L / (2 tau) and R-hat^2 - 1 to 4 tau / L,
      both with scatter; 4 to 8 AR(1) chains of 5 tau have R-hat above 1.12 and ESS per replica
      below 7 nineteen times in twenty, those of 100 tau R-hat below 1.04 and ESS above 32. The
      thresholds lie between: an ESS of 12 is that of 24 tau, by ratio in the middle of 5 and 100.
      Two replicas are four half-chains, whose R-hat^2 - 1 scatters as chi-squared of 3 degrees of
      freedom: at 100 tau one in twenty is above 1.05, one in a hundred above 1.07. Fewer than about
      12 samples cannot pass, unless nothing moves; take 20 or more.
    * The gap between the starts and the drift see a small difference that persists in long
      chains, which R-hat does not; the trend over the logarithmic bins of `log_binned`, where
      there are two or more, sees slow relaxation that the halves share. 4 standard errors, because
      the errors are themselves measured, in short bins from few samples.
    * Chains that never move are equilibrated when all stand at one value (R-hat 1, all z 0),
      however few samples there are, and not when they stand at different ones (R-hat infinite).

    Measured with AR(1) chains and two-state jumps, 50 to 500 samples, starts inside or 3 standard
    deviations outside: 4 to 8 replicas are flagged in 99 % of runs of 5 tau and of 10 tau, and in
    fewer than 2 % of 100 tau; two replicas in 96 %, 91 % and 3 %. A state that was never visited
    cannot be seen by any of this.

    series: `(..., replica, sample)`, at least two replicas and 8 samples, no NaN. start:
    `(replica,)`, two different labels, the start that each replica was given (0 the pattern,
    1 the corrupted one). stayed: bool `(..., replica)`, the replicas that count, for instance
    `~escapes(series).left`; all without it. Where only one start is left there is nothing to
    compare: such a lane is not equilibrated and its gap is NaN.
    Returns, each `(...)`: `equilibrated` (bool); `r_hat`; `effective_samples`, of all replicas
    together; `start_gap_z`, the mean of the replicas with the larger label minus the other mean,
    over its thermal error; `drift_z`, the same for the second half of the samples minus the
    first; `trend_z`, the slope of the logarithmic bins (weighted by their samples) over its error,
    positive where the series rises, NaN below 30 samples; and `binned`, `binned_error`
    (..., bin), the means of these bins and their errors.

    Raises TypeError or ValueError when `series`, `start` or `stayed` is not as said.
    """
    checked(series, samples=8)
    labels = np.asarray(start)
    if labels.shape != (series.sizes["replica"],):
        raise ValueError(
            f"start has shape {labels.shape}; it must hold one label for each of the "
            f"{series.sizes['replica']} replicas."
        )
    kinds = np.unique(labels)
    if len(kinds) != 2:
        raise ValueError(
            f"start holds the labels {kinds.tolist()}; exactly two different starts are needed."
        )
    if stayed is None:
        stayed = xr.ones_like(series.isel(sample=0, drop=True), bool)

    limits = _log_bins(series.sizes["sample"])

    def judge(x: np.ndarray, counted: np.ndarray) -> list[np.ndarray]:
        """`_judge` for the replicas that are counted: columns (lane,)."""
        bins = [thermal_of(x[:, :, low:high]) for low, high in limits]
        numbers = _judge(x, labels[counted] == kinds[1], bins)
        return [*numbers, *(mean for mean, _, _ in bins), *(error for _, error, _ in bins)]

    good, ratio, ess, gap, drift, trend, *columns = on_some_replicas(
        judge, series, stayed, 6 + 2 * len(limits), samples=8
    )
    mean, error = (_along_bins(columns[k : k + len(limits)], limits) for k in (0, len(limits)))
    name, unit = name_of(series), unit_of(series)
    return xr.Dataset(
        {
            "equilibrated": labelled(good == 1, "whether the run has equilibrated"),
            "r_hat": labelled(ratio, "rank-normalised split R-hat"),
            "effective_samples": labelled(ess, "effective number of samples"),
            "start_gap_z": labelled(gap, "difference between the two starts over its error"),
            "drift_z": labelled(drift, "second minus first half of the samples over its error"),
            "trend_z": labelled(trend, "slope over the logarithm of time over its error"),
            "binned": labelled(mean, f"thermal mean of {name} in a bin", unit),
            "binned_error": labelled(error, f"thermal standard error of {name} in a bin", unit),
        }
    )


def _judge(x: np.ndarray, second: np.ndarray, bins: list) -> tuple[np.ndarray, ...]:
    """Verdict and its numbers for x (lane, replica, sample).

    second: bool (replica,), which start; bins: what `thermal_of` says of the logarithmic bins.
    """
    ratio, ess = r_hat_of(x), effective_of(x)
    drift = _difference(bins[0], thermal_of(x[:, :, : x.shape[2] // 2]))
    trend = _trend(bins, x.shape[2])
    limit = R_HAT_OF_TWO_BELOW if x.shape[1] == 2 else R_HAT_BELOW
    good = (
        (ratio < limit)
        & (ess >= EFFECTIVE_SAMPLES_PER_REPLICA * x.shape[1])
        & (np.abs(drift) < Z_BELOW)
        & ~(np.abs(trend) >= Z_BELOW)
    )
    if second.all() or not second.any():  # one start alone says nothing of the other
        gap = np.full(len(x), np.nan)
        return np.zeros(len(x)), ratio, ess, gap, drift, trend
    gap = _difference(thermal_of(x[:, second]), thermal_of(x[:, ~second]))
    return frozen(x)[1] | good & (np.abs(gap) < Z_BELOW), ratio, ess, gap, drift, trend


def _difference(one: tuple[np.ndarray, ...], other: tuple[np.ndarray, ...]) -> np.ndarray:
    """z of the difference of two results of `thermal_of`."""
    return ratio_of(one[0] - other[0], np.hypot(one[1], other[1]))


def _trend(bins: list[tuple[np.ndarray, ...]], n_samples: int) -> np.ndarray:
    """z of the least-squares slope of the bins, each weighted by its number of samples.

    Bin k ends at L / 2^k, so -k is the logarithm of time to base 2. Fixed weights, not 1/error^2:
    a bin in which nothing happened to move has no error, but is not infinitely well known.
    """
    if len(bins) < 2:
        return np.full(len(bins[0][0]), np.nan)
    weight = np.array([high - low for low, high in _log_bins(n_samples)], float)
    time = -np.arange(len(bins))
    away = weight * (time - np.average(time, weights=weight))
    slope = sum(a * (mean - bins[0][0]) for a, (mean, _, _) in zip(away, bins, strict=True))
    error = np.sqrt(sum((a * e) ** 2 for a, (_, e, _) in zip(away, bins, strict=True) if a))
    return ratio_of(slope, error)
