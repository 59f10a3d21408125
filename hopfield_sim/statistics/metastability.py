"""Runs that leave the state they were started in: counted, and kept out of its averages."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy import stats

from hopfield_sim.statistics.arrays import thermal_of
from hopfield_sim.statistics.series import (
    checked,
    labelled,
    name_of,
    needed,
    on_some_replicas,
    unit_of,
)

SHARE = 0.5
"""A replica has left below this share of the overlap of its state: midway to none."""


def escapes(
    series: xr.DataArray, threshold: xr.DataArray | float | None = None, level: float = 0.95
) -> xr.Dataset:
    """left = x < threshold from some sample to the last: replicas that left and did not return.

    rate = n_left / (time at risk of all replicas), with the exact Poisson interval of
    `escape_rate`: leaving a metastable state has no memory, and a replica that stayed says that it
    takes longer than it was watched. Excursions from which a replica comes back do not count.

    series: `(..., replica, sample)`, an order parameter that is large in the state, such as the
    overlap; no NaN. Its coordinate `sweep` is the clock (from the start of the run, so that
    the warm-up counts as time at risk); without it samples are counted. threshold: number or any of
    the dims `...`; without it half of the overlap at the beginning, which is that of the replica
    with the largest mean over the first tenth of the samples. Give a threshold where all replicas
    may have left before the first sample: then no beginning is left to compare with. level:
    probability of the interval.
    Returns `left` (..., replica) bool; `left_at` (..., replica), number of the first sample of the
    last excursion, NaN where the replica stayed; and, each `(...)`: `n_left`; `fraction_left`;
    `time_at_risk`, all replicas together, to the middle of the interval in which one left; `rate`,
    `rate_lower`, `rate_upper`; `threshold` in the unit of the series.

    Raises TypeError or ValueError when `series` or `threshold` is not as said.
    """
    checked(series, samples=1)
    x = series.transpose(..., "replica", "sample")
    n_samples = x.sizes["sample"]
    if threshold is None:
        beginning = x.isel(sample=slice(max(1, n_samples // 10))).mean("sample")
        threshold = SHARE * beginning.max("replica").clip(min=0)
    lane = x.isel(replica=0, sample=0, drop=True)
    threshold = xr.DataArray(threshold)
    extra = set(threshold.dims) - set(lane.dims)
    if extra:
        raise ValueError(
            f"threshold has the dims {sorted(map(str, extra))}, which the series does not have."
        )
    threshold = lane.astype(float) * 0 + threshold
    if threshold.shape != lane.shape or threshold.isnull().any():
        raise ValueError("threshold must be a number for each lane, on the lanes of the series.")
    inside = (x >= threshold).values
    stay = np.where(inside.any(-1), n_samples - np.argmax(inside[..., ::-1], -1), 0)
    left = stay < n_samples
    clock, unit = np.arange(1.0, n_samples + 1), "sample"
    if "sweep" in x.coords and x["sweep"].dims == ("sample",):
        clock, unit = x["sweep"].values.astype(float), "sweep"
    before = np.concatenate([[0.0], clock])
    after = np.concatenate([clock, clock[-1:]])
    at_risk = ((before[stay] + after[stay]) / 2).sum(-1)
    replica = x.isel(sample=0, drop=True)
    n_left, at_risk = lane.copy(data=left.sum(-1)), lane.copy(data=at_risk)
    rate = escape_rate(n_left, at_risk, level)
    name = name_of(series)
    found = {
        "left": (replica.copy(data=left), "whether the replica left its state for good", "1"),
        "left_at": (
            replica.copy(data=np.where(left, stay, np.nan)),
            "first sample outside the state",
            "1",
        ),
        "n_left": (n_left, "number of replicas that left", "1"),
        "fraction_left": (n_left / x.sizes["replica"], "fraction of replicas that left", "1"),
        "time_at_risk": (at_risk, "time in the state, all replicas together", unit),
        "rate": (rate["rate"], "rate of escape of one replica", f"1/{unit}"),
        "rate_lower": (rate["lower"], f"lower end of the {level:.0%} interval", f"1/{unit}"),
        "rate_upper": (rate["upper"], f"upper end of the {level:.0%} interval", f"1/{unit}"),
        "threshold": (threshold, f"{name} below which a replica has left", unit_of(series)),
    }
    return xr.Dataset(
        {key: labelled(value.drop_attrs(), *text) for key, (value, *text) in found.items()}
    )


def escape_rate(
    events: xr.DataArray | int, time: xr.DataArray | float, level: float = 0.95
) -> xr.Dataset:
    """rate = events / time, lower = chi2_{2k}(a/2) / 2 time, upper = chi2_{2k+2}(1 - a/2) / 2 time.

    k = events, a = 1 - level. Exact for a fixed time at risk, conservative (never too narrow).
    Sums over lanes or realisations of `n_left` and `time_at_risk` have the rate of their sum.

    events: number of escapes; time: time at risk, any unit; the same dims.
    Returns `rate`, `lower` (0 without any event), `upper`, in events per unit of time; NaN where
    the time is zero.

    Raises ValueError for a level outside (0, 1).
    Source: Garwood (1936); time at risk: Epstein and Sobel (1953), censored exponential times.
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level!r} is not possible; a probability between 0 and 1 is.")
    unit = unit_of(time) if isinstance(time, xr.DataArray) else "1"
    per = "1" if unit == "1" else f"1/{unit}"
    events, time = xr.broadcast(xr.DataArray(events), xr.DataArray(time))
    time = time.where(time > 0).astype(float)
    tail = (1 - level) / 2
    lower = stats.chi2.ppf(tail, np.maximum(2 * events.values, 1))
    upper = stats.chi2.ppf(1 - tail, 2 * events.values + 2)
    return xr.Dataset(
        {
            "rate": labelled(events / time, "rate of escape", per),
            "lower": labelled(xr.where(events > 0, lower, 0.0) / (2 * time), "lower end", per),
            "upper": labelled(upper / (2 * time), "upper end", per),
        }
    )


def within(series: xr.DataArray, stayed: xr.DataArray) -> xr.Dataset:
    """mean and error as `thermal`, over the replicas that stayed, lane by lane.

    series: `(..., replica, sample)`, at least 4 samples, no NaN. stayed: bool `(..., replica)`,
    such as `~escapes(overlap).left`. For a quantity of two replicas both must have stayed
    (`both_stayed`).
    Returns, each `(...)`: `mean`, `error` in the unit of the series, `effective_samples`,
    `n_replicas`, how many stayed; where none did the first three are NaN.

    Raises TypeError or ValueError when `series` or `stayed` is not as said.
    """
    mean, error, ess = on_some_replicas(lambda x, _: thermal_of(x), series, stayed, 3)
    name, unit = name_of(series), unit_of(series)
    return xr.Dataset(
        {
            "mean": labelled(mean, f"thermal mean of {name}, replicas that stayed", unit),
            "error": labelled(error, f"thermal standard error of {name}", unit),
            "effective_samples": labelled(ess, "effective number of samples"),
            "n_replicas": labelled(stayed.sum("replica"), "number of replicas that stayed"),
        }
    )


def both_stayed(stayed: xr.DataArray) -> xr.DataArray:
    """Whether replica a and its partner a + 1 (the last with the first) stayed, as `observables`.

    stayed: bool `(..., replica)`. Returns the same dims, the mask for `replica_overlap` and
    `residual_noise`.
    """
    needed(stayed, ("replica",))
    return stayed & stayed.roll(replica=-1, roll_coords=False)
