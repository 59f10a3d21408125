"""Error bars of correlated series, thermal and disorder apart, and whether a run has equilibrated.

A series is an `xarray.DataArray` with dims `(..., "replica", "sample")`: replicas are independent
chains of one network, samples are equally spaced in time. The leading dims (temperature lanes) are
kept; every function treats each of their points on its own. Effective sample sizes and R-hat are
ArviZ's; what is added here is what ArviZ leaves undefined: frozen chains.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

R_HAT_BELOW = 1.05
EFFECTIVE_SAMPLES_PER_REPLICA = 10
Z_BELOW = 4.0
"""The thresholds of `equilibration`, which says where they come from."""


def effective_samples(series: xr.DataArray) -> xr.DataArray:
    """ESS = n_replicas n_samples / tau, tau = 1 + 2 sum_t rho(t): independent samples in a mean.

    series: `(..., replica, sample)`, at least 4 samples, no NaN. Returns `(...)`, a number. rho(t)
    is the autocorrelation over all replicas, cut by Geyer's monotone sequence; differences between
    the replicas lower it. Chains that never move have no autocorrelation: they count as one sample
    each where they stand at different values, and fully where all stand at the same one.

    Raises TypeError or ValueError when `series` is not such a series.
    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), section 3.2 (ArviZ, `mean`).
    """
    (found,) = _on_lanes(lambda x: (_effective_samples(x),), series)
    return _labelled(found, "effective number of samples")


def r_hat(series: xr.DataArray) -> xr.DataArray:
    """R-hat = sqrt(var+ / W): spread of all half-chains together over the spread within one.

    series: `(..., replica, sample)`, at least 4 samples, no NaN. Returns `(...)`, a number: 1 when
    the replicas tell the same story; rank-normalised, the larger of location and scale. Chains that
    never move: 1 where all stand at the same value, infinite where they stand at different ones.
    NaN for a single replica, which has nothing to be compared with.

    Raises TypeError or ValueError when `series` is not such a series.
    Source: Vehtari, Gelman, Simpson, Carpenter, Bürkner (2021), section 4 (ArviZ, `rank`).
    """
    (found,) = _on_lanes(lambda x: (_r_hat(x),), series)
    return _labelled(found, "rank-normalised split R-hat")


def thermal(series: xr.DataArray) -> xr.Dataset:
    """mean = <x>, error = sd / sqrt(ESS): thermal mean of one realisation of the disorder.

    sd is free of bias for correlated samples, sd^2 = <(x - mean)^2> ESS / (ESS - 1). The error is
    infinite where the series holds no more than one effective sample.

    series: `(..., replica, sample)`, at least 4 samples, no NaN.
    Returns, each `(...)`: `mean` and `error` in the unit of the series, `effective_samples`,
    `r_hat`.

    Raises TypeError or ValueError when `series` is not such a series.
    """
    mean, error, ess = _on_lanes(_thermal, series)
    name, unit = _name(series), _unit(series)
    return xr.Dataset(
        {
            "mean": _labelled(mean, f"thermal mean of {name}", unit),
            "error": _labelled(error, f"thermal standard error of {name}", unit),
            "effective_samples": _labelled(ess, "effective number of samples"),
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
    _need(mean, (dim,))
    name, unit = _name(mean), _unit(mean)
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
        "mean": _labelled(origin + shift, f"mean over realisations of {name}", unit),
        "error": _labelled(error, f"standard error of the mean of {name}", unit),
    }
    if thermal_error is not None:
        _same_coordinates(mean, thermal_error, "thermal_error", "mean")
        squares = (thermal_error**2).where(there, 0).sum(dim, skipna=False)
        part = np.sqrt(squares) / n.where(n > 0)
        rest = np.sqrt((error**2 - part**2).clip(min=0))
        found["thermal_error"] = _labelled(part, f"thermal part of the error of {name}", unit)
        found["disorder_error"] = _labelled(rest, f"disorder part of the error of {name}", unit)
    found["n"] = _labelled(n, "number of realisations")
    return xr.Dataset(found)


def jackknife(
    function: Callable[..., xr.DataArray],
    *arrays: xr.DataArray,
    dim: str = "realisation",
) -> xr.Dataset:
    """estimate = n f - (n - 1) mean_r f_r, error^2 = (n - 1)/n sum_r (f_r - mean_r f_r)^2.

    f = function(means of the arrays over `dim`), f_r the same without realisation r. For functions
    of means that are not linear: ratios, the susceptibility N (<m^2> - <m>^2), the Binder ratio.
    The bias of order 1/n is removed.

    function: takes the means, without `dim`, in the order of the arrays; returns a DataArray.
    arrays: `(..., dim)`, at least two realisations, the same in each, no NaN.
    Returns, each with the dims that the function returns: `estimate` and `error` in the unit of
    the function, `n`. Use `error` with the Student distribution of n - 1 degrees of freedom.

    Raises ValueError when there is no array, `dim` is missing, has fewer than two values or
    other ones in each array, or when an array holds NaN; TypeError for anything but DataArrays.
    Source: Efron, "The Jackknife, the Bootstrap and Other Resampling Plans" (1982), chapters 2-3.
    """
    if not arrays:
        raise ValueError("jackknife needs at least one array of values over the realisations.")
    for array in arrays:
        _need(array, (dim,))
        if array.isnull().any():
            raise ValueError(
                f"{_name(array)} holds NaN: leave out realisations that are not there "
                f"(for instance with .dropna({dim!r})) in all arrays."
            )
    try:
        arrays = xr.align(*arrays, join="exact")
    except ValueError as error:
        raise ValueError(f"The arrays are not on the same coordinates: {error}") from error
    n = arrays[0].sizes[dim]
    if n < 2:
        raise ValueError(f"An error bar needs at least two values of {dim!r}; there is {n}.")
    means = [array.mean(dim) for array in arrays]
    whole = function(*means)
    _need(whole, ())
    parts = xr.concat(
        [
            function(
                *(
                    mean + (mean - array.isel({dim: r}, drop=True)) / (n - 1)
                    for mean, array in zip(means, arrays, strict=True)
                )
            )
            for r in range(n)
        ],
        dim="left_out",
    )
    centre = parts.mean("left_out")
    error = np.sqrt((n - 1) / n * ((parts - centre) ** 2).sum("left_out"))
    name, unit = _name(whole), _unit(whole)
    return xr.Dataset(
        {
            "estimate": _labelled(n * whole - (n - 1) * centre, f"jackknife of {name}", unit),
            "error": _labelled(error, f"jackknife standard error of {name}", unit),
            "n": _labelled(xr.DataArray(n), "number of realisations"),
        }
    )


def equilibration(series: xr.DataArray, start: xr.DataArray | Sequence) -> xr.Dataset:
    """Verdict: have chains from two starts forgotten where they came from, and seen enough?

    equilibrated = R-hat < 1.05  and  ESS >= 10 per replica  and  |start_gap_z| < 4
    and  |drift_z| < 4,  or all values are equal.

    The two starts lie inside the state studied (for retrieval: the pattern, and the pattern with
    10 % of it corrupted); a point that fails is to be marked, never averaged away. Reasons:

    * R-hat and ESS decide between short and long. For chains of length L and exponential
      autocorrelation time tau, ESS per replica tends to L / (2 tau) and R-hat^2 - 1 to 4 tau / L,
      both with scatter; 4 to 8 AR(1) chains of 5 tau have R-hat above 1.12 and ESS per replica
      below 7 nineteen times in twenty, those of 100 tau R-hat below 1.04 and ESS above 32. The
      thresholds lie between, nearer to the short side. Fewer than about 10 samples cannot pass,
      unless nothing moves; take 20 or more.
    * The gap between the starts and the drift see a small difference that persists in long
      chains, which R-hat does not; 4 standard errors, because the errors are themselves measured.
    * Chains that never move are equilibrated when all stand at one value (R-hat 1, both z 0),
      however few samples there are, and not when they stand at different ones (R-hat infinite).

    Measured with AR(1) chains, 50 to 500 samples, starts inside or 3 standard deviations outside:
    4 to 8 replicas are flagged in more than 99 % of runs of 5 tau, 97 % of 10 tau, and in fewer
    than 3 % of 100 tau; two replicas in 98 %, 90 % and up to 8 %.

    series: `(..., replica, sample)`, at least two replicas and 8 samples, no NaN. start:
    `(replica,)`, two different labels, the start that each replica was given (0 the pattern,
    1 the corrupted one).
    Returns, each `(...)`: `equilibrated` (bool); `r_hat`; `effective_samples`, of all replicas;
    `start_gap_z`, the mean of the replicas with the larger label minus the other mean, over its
    thermal error; `drift_z`, the same for the second half of the samples minus the first.

    Raises TypeError or ValueError when `series` or `start` is not as said.
    """
    _check(series, samples=8)
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

    def judge(x: np.ndarray) -> tuple[np.ndarray, ...]:
        half = x.shape[2] // 2
        ratio, ess = _r_hat(x), _effective_samples(x)
        gap = _z(x[:, labels == kinds[1]], x[:, labels == kinds[0]])
        drift = _z(x[:, :, -half:], x[:, :, :half])
        good = _frozen(x)[1] | (
            (ratio < R_HAT_BELOW)
            & (ess >= EFFECTIVE_SAMPLES_PER_REPLICA * x.shape[1])
            & (np.abs(gap) < Z_BELOW)
            & (np.abs(drift) < Z_BELOW)
        )
        return good, ratio, ess, gap, drift

    good, ratio, ess, gap, drift = _on_lanes(judge, series)
    return xr.Dataset(
        {
            "equilibrated": _labelled(good, "whether the run has equilibrated"),
            "r_hat": _labelled(ratio, "rank-normalised split R-hat"),
            "effective_samples": _labelled(ess, "effective number of samples"),
            "start_gap_z": _labelled(gap, "difference between the two starts over its error"),
            "drift_z": _labelled(drift, "second minus first half of the samples over its error"),
        }
    )


# What follows works on plain arrays x (lane, replica, sample) and returns arrays (lane,).


def _effective_samples(x: np.ndarray) -> np.ndarray:
    from arviz_stats.base import array_stats

    frozen, same = _frozen(x)
    ess = np.where(same, x.shape[1] * x.shape[2], x.shape[1]).astype(float)
    if not frozen.all():
        ess[~frozen] = array_stats.ess(x[~frozen], chain_axis=-2, draw_axis=-1, method="mean")
    return ess


def _r_hat(x: np.ndarray) -> np.ndarray:
    from arviz_stats.base import array_stats

    # ArviZ drops the middle one of an odd number of samples. Dropping the first instead leaves
    # nothing that it does not see: otherwise a single jump there would make 0/0.
    x = x[:, :, x.shape[2] % 2 :]
    if x.shape[1] < 2:
        return np.full(len(x), np.nan)
    frozen, same = _frozen(x)
    ratio = np.where(same, 1.0, np.inf)
    if not frozen.all():
        # Zero spread within the halves is an honest infinity; in two-valued series the folded
        # form is 0/0, and ArviZ then keeps the other one.
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio[~frozen] = array_stats.rhat(
                x[~frozen], chain_axis=-2, draw_axis=-1, method="rank"
            )
    return ratio


def _frozen(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether no chain ever moves; whether all values are equal."""
    frozen = (x == x[:, :, :1]).all(axis=(1, 2))
    return frozen, (x == x[:, :1, :1]).all(axis=(1, 2))


def _thermal(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ess = _effective_samples(x)
    # Deviations from one of the values: the mean of equal values is exactly that value.
    deviation = x - x[:, :1, :1]
    shift = deviation.mean(axis=(1, 2))
    variance = deviation.var(axis=(1, 2))
    error = np.full(ess.shape, np.inf)
    np.divide(variance, ess - 1, out=error, where=ess > 1)
    return x[:, 0, 0] + shift, np.sqrt(error), ess


def _z(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Difference of the thermal means of x and y over its error; 0/0 is 0."""
    (a, da, _), (b, db, _) = _thermal(x), _thermal(y)
    difference, error = a - b, np.hypot(da, db)
    z = np.where(difference == 0, 0, np.copysign(np.inf, difference))
    return np.divide(difference, error, out=z, where=error > 0)


# What follows takes series apart and puts labels on results.


def _on_lanes(function: Callable, series: xr.DataArray) -> tuple[xr.DataArray, ...]:
    """The results of `function` on arrays (lane, replica, sample), with the leading dims again."""
    _check(series, samples=4)
    x = series.transpose(..., "replica", "sample")
    lead = x.isel(replica=0, sample=0, drop=True)
    results = function(x.values.astype(float).reshape(-1, *x.shape[-2:]))
    return tuple(lead.copy(data=result.reshape(lead.shape)) for result in results)


def _check(series: xr.DataArray, samples: int) -> None:
    _need(series, ("replica", "sample"))
    if series.sizes["replica"] < 1 or series.sizes["sample"] < samples:
        raise ValueError(
            f"The series has {series.sizes['replica']} replicas of {series.sizes['sample']} "
            f"samples; at least 1 replica and {samples} samples are needed."
        )
    if series.isnull().any():
        raise ValueError(f"{_name(series)} holds NaN: no mean of it can be trusted.")


def _need(array: xr.DataArray, dims: tuple[str, ...]) -> None:
    if not isinstance(array, xr.DataArray):
        raise TypeError(f"An xarray.DataArray is needed, not {type(array).__name__}.")
    for dim in dims:
        if dim not in array.dims:
            raise ValueError(f"{_name(array)} has the dims {array.dims}, but {dim!r} is needed.")


def _same_coordinates(one: xr.DataArray, other: xr.DataArray, other_name: str, name: str) -> None:
    try:
        xr.align(one, other, join="exact")
    except ValueError as error:
        raise ValueError(f"{other_name} is not on the coordinates of {name}: {error}") from error
    if set(one.dims) != set(other.dims):
        raise ValueError(f"{other_name} has the dims {other.dims}, {name} has {one.dims}.")


def _labelled(array: xr.DataArray, long_name: str, units: str = "1") -> xr.DataArray:
    return array.assign_attrs(long_name=long_name, units=units)


def _name(array: xr.DataArray) -> str:
    return str(array.attrs.get("long_name") or array.name or "the array")


def _unit(array: xr.DataArray) -> str:
    return str(array.attrs.get("units", "1"))
