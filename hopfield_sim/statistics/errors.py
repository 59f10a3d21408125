"""Error bars of correlated series: effective samples, R-hat, thermal and disorder errors."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.statistics.arrays import effective_of, r_hat_of, thermal_of
from hopfield_sim.statistics.series import (
    labelled,
    name_of,
    needed,
    on_lanes,
    same_coordinates,
    unit_of,
)


def effective_samples(series: xr.DataArray) -> xr.DataArray:
    """ESS = n_replicas n_samples / tau, tau = 1 + 2 sum_t rho(t): independent samples in a mean.

    series: `(..., replica, sample)`, at least 4 samples, no NaN. Returns `(...)`, a number. rho(t)
    is the autocorrelation over all replicas, cut by Geyer's monotone sequence; differences between
    the replicas lower it. Chains that never move have no autocorrelation: they count as one sample
    each where they stand at different values, and fully where all stand at the same one.

    Raises TypeError or ValueError when `series` is not such a series.
    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), section 3.2 (ArviZ, `mean`).
    """
    (found,) = on_lanes(lambda x: (effective_of(x),), series)
    return labelled(found, "effective number of samples")


def r_hat(series: xr.DataArray) -> xr.DataArray:
    """R-hat = sqrt(var+ / W): spread of all half-chains together over the spread within one.

    series: `(..., replica, sample)`, at least 4 samples, no NaN. Returns `(...)`, a number: 1 when
    the replicas tell the same story; rank-normalised, the larger of location and scale. Chains that
    never move: 1 where all stand at the same value, infinite where they stand at different ones.
    NaN for a single replica, which has nothing to be compared with.

    Raises TypeError or ValueError when `series` is not such a series.
    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), section 4 (ArviZ, `rank`).
    """
    (found,) = on_lanes(lambda x: (r_hat_of(x),), series)
    return labelled(found, "rank-normalised split R-hat")


def thermal(series: xr.DataArray) -> xr.Dataset:
    """mean = <x>, error = sd / sqrt(ESS): thermal mean of one realisation of the disorder.

    sd is free of bias for correlated samples, sd^2 = <(x - mean)^2> ESS / (ESS - 1). The error is
    infinite where the series holds no more than one effective sample.

    series: `(..., replica, sample)`, at least 4 samples, no NaN.
    Returns, each `(...)`: `mean` and `error` in the unit of the series, `effective_samples`,
    `r_hat`.

    Raises TypeError or ValueError when `series` is not such a series.
    """
    mean, error, ess = on_lanes(thermal_of, series)
    name, unit = name_of(series), unit_of(series)
    return xr.Dataset(
        {
            "mean": labelled(mean, f"thermal mean of {name}", unit),
            "error": labelled(error, f"thermal standard error of {name}", unit),
            "effective_samples": labelled(ess, "effective number of samples"),
            "r_hat": r_hat(series),
        }
    )


def disorder(
    mean: xr.DataArray,
    thermal_error: xr.DataArray | None = None,
    dim: str = "realisation",
) -> xr.Dataset:
    """error^2 = sum_r (x_r - mean)^2 / (n (n - 1)) = thermal^2 + disorder^2, over realisations r.

    thermal^2 = sum_r e_r^2 / n^2, where e_r is the thermal error of realisation r. The scatter of
    the x_r already holds their thermal noise, so `error` is complete; the two parts tell whether
    longer runs (thermal) or more realisations (disorder) would help. Use `error` with the Student
    distribution of n - 1 degrees of freedom.

    mean: `(..., dim)`, thermal means; NaN marks a realisation that is not there (yet), and is not
    counted. thermal_error: same coordinates as `mean`; without it the two parts are left out.
    Returns, each `(...)`: `mean`, `error`, `thermal_error`, `disorder_error` (never negative) in
    the unit of `mean`; `n`, the number of realisations. One realisation has no error bar: `error`
    and `disorder_error` are NaN where n < 2, `mean` where n = 0.

    Raises ValueError when `dim` is missing or `thermal_error` has other coordinates.
    """
    needed(mean, (dim,))
    name, unit = name_of(mean), unit_of(mean)
    mean = mean.astype(float)
    there = mean.notnull()
    n = there.sum(dim)
    # Deviations from one of the values: equal values then have exactly zero error.
    origin = mean.where(there, -np.inf).max(dim)
    deviation = mean - origin
    shift = deviation.sum(dim) / n.where(n > 0)
    squares = ((deviation - shift) ** 2).sum(dim)
    error = np.sqrt(squares / (n * (n - 1)).where(n > 1))
    found = {
        "mean": labelled(origin + shift, f"mean over realisations of {name}", unit),
        "error": labelled(error, f"standard error of the mean of {name}", unit),
    }
    if thermal_error is not None:
        same_coordinates(mean, thermal_error, "thermal_error", "mean")
        squares = (thermal_error**2).where(there, 0).sum(dim, skipna=False)
        part = np.sqrt(squares) / n.where(n > 0)
        rest = np.sqrt((error**2 - part**2).clip(min=0))
        found["thermal_error"] = labelled(part, f"thermal part of the error of {name}", unit)
        found["disorder_error"] = labelled(rest, f"disorder part of the error of {name}", unit)
    found["n"] = labelled(n, "number of realisations")
    return xr.Dataset(found)
