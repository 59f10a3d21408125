"""What all statistics need of a labelled series: checks, lanes as plain arrays, labels again."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr


def on_lanes(function: Callable, series: xr.DataArray, samples: int = 4) -> tuple:
    """The results of `function` on arrays (lane, replica, sample), with the leading dims again.

    function: returns several arrays (lane,). series: `(..., replica, sample)`, at least `samples`
    of them. Returns a tuple of DataArrays `(...)`.
    """
    checked(series, samples)
    x = series.transpose(..., "replica", "sample")
    lead = x.isel(replica=0, sample=0, drop=True)
    # one layout in memory: sums are then the same to the last bit however lanes are grouped
    results = function(np.ascontiguousarray(x.values, float).reshape(-1, *x.shape[-2:]))
    return tuple(lead.copy(data=result.reshape(lead.shape)) for result in results)


def on_some_replicas(
    function: Callable, series: xr.DataArray, stayed: xr.DataArray, results: int, samples: int = 4
) -> tuple[xr.DataArray, ...]:
    """`on_lanes` where each lane counts only some replicas; NaN where it counts none.

    function: called with arrays (lane, replica, sample) of all lanes that keep the same replicas,
    and their mask (replica,); returns `results` arrays (lane,). stayed: bool `(..., replica)`.
    """
    keep = mask_of(series, stayed)
    masks, which = np.unique(keep.reshape(-1, keep.shape[-1]), axis=0, return_inverse=True)
    which = which.reshape(-1)

    def parts(x: np.ndarray) -> list[np.ndarray]:
        found = [np.full(len(x), np.nan) for _ in range(results)]
        for number, mask in enumerate(masks):
            if mask.any():
                here = which == number
                counted = np.ascontiguousarray(x[here][:, mask])
                for all_lanes, part in zip(found, function(counted, mask), strict=True):
                    all_lanes[here] = part
        return found

    return on_lanes(parts, series, samples)


def mask_of(series: xr.DataArray, stayed: xr.DataArray) -> np.ndarray:
    """`stayed` as a plain array with the dims of `series` but the samples, if it fits."""
    needed(series, ("replica", "sample"))
    needed(stayed, ("replica",))
    if stayed.dtype != bool:
        raise TypeError(f"stayed must be boolean, not {stayed.dtype}: one flag for each replica.")
    one = series.isel(sample=0, drop=True)
    same_coordinates(one, stayed, "stayed", "the series")
    return stayed.transpose(*one.transpose(..., "replica").dims).values


def checked(series: xr.DataArray, samples: int) -> None:
    """Refuse what is no series `(..., replica, sample)` of at least `samples`, without NaN."""
    needed(series, ("replica", "sample"))
    if series.sizes["replica"] < 1 or series.sizes["sample"] < samples:
        raise ValueError(
            f"The series has {series.sizes['replica']} replicas of {series.sizes['sample']} "
            f"samples; at least 1 replica and {samples} samples are needed."
        )
    if series.isnull().any():
        raise ValueError(f"{name_of(series)} holds NaN: no mean of it can be trusted.")


def needed(array: xr.DataArray, dims: tuple[str, ...]) -> None:
    """Refuse what is no DataArray with these dims."""
    if not isinstance(array, xr.DataArray):
        raise TypeError(f"An xarray.DataArray is needed, not {type(array).__name__}.")
    for dim in dims:
        if dim not in array.dims:
            raise ValueError(f"{name_of(array)} has the dims {array.dims}, but {dim!r} is needed.")


def same_coordinates(one: xr.DataArray, other: xr.DataArray, other_name: str, name: str) -> None:
    """Refuse two arrays that are not on the same dims and coordinates."""
    try:
        xr.align(one, other, join="exact")
    except ValueError as error:
        raise ValueError(f"{other_name} is not on the coordinates of {name}: {error}") from error
    if set(one.dims) != set(other.dims):
        raise ValueError(f"{other_name} has the dims {other.dims}, {name} has {one.dims}.")


def labelled(array: xr.DataArray, long_name: str, units: str = "1") -> xr.DataArray:
    """The array with what it is and its unit."""
    return array.assign_attrs(long_name=long_name, units=units)


def name_of(array: xr.DataArray) -> str:
    """What the array is, for sentences."""
    return str(array.attrs.get("long_name") or array.name or "the array")


def unit_of(array: xr.DataArray) -> str:
    """Its unit, 1 if it has none."""
    return str(array.attrs.get("units", "1"))
