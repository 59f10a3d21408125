"""Fluctuations: susceptibility, specific heat, Binder ratio, spin-glass susceptibility.

<...> is the thermal average within one realisation of the disorder (over replicas and samples),
[...] the average over realisations, outside. Every function takes a series `(..., dim, replica,
sample)` and jackknifes over `dim`: "realisation" for networks with disorder, or "replica" for the
independent chains of one network (then [...] is absent).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.statistics.arrays import thermal_of
from hopfield_sim.statistics.resampling import jackknife
from hopfield_sim.statistics.series import checked, labelled, name_of, on_lanes


def susceptibility(
    series: xr.DataArray,
    n_neurons: xr.DataArray | int | None = None,
    dim: str = "realisation",
) -> xr.Dataset:
    """chi = N [<m^2> - <m>^2] (times 1/T for the response): thermal fluctuations, N var(m).

    Free of bias however few the samples: <m>^2 is the mean of the products of two different
    replicas (as `residual_noise`), because the square of one mean of n_eff independent samples is
    too large by var(m) / n_eff, which would make chi too small by that share. The replicas must
    be in one state: where m changes sign between replicas, take |m|; leave out those that left
    (`escapes`). A single replica has no partner; its variance is divided by 1 - 1/n_eff instead,
    with the measured n_eff.

    series: m, the overlap per neuron, `(..., dim, replica, sample)`, no NaN. n_neurons: N, taken
    from the coordinate of that name if not given. dim: what the error comes from, "realisation", or
    "replica" for one network.
    Returns, each `(...)`: `estimate`, `error`, for Student's distribution of n - 1 degrees of
    freedom, `n`; with disorder also `per_realisation` (..., dim).

    Raises TypeError or ValueError when the series is not as said or N is not known.
    """
    n_neurons = _known(series, n_neurons, "n_neurons")
    return _of_variance(series, n_neurons, dim, "susceptibility N (<m^2> - <m>^2)")


def specific_heat(
    energy: xr.DataArray,
    temperature: xr.DataArray | float | None = None,
    n_neurons: xr.DataArray | int | None = None,
    dim: str = "realisation",
) -> xr.Dataset:
    """c = N [<e^2> - <e>^2] / T^2, e the energy per neuron: heat capacity per neuron, k_B = 1.

    Without bias, as `susceptibility`.

    energy: e in units of J, `(..., dim, replica, sample)`, no NaN. temperature: T > 0 in units of
    J, n_neurons: N; both taken from the coordinates of these names if not given. dim: as there.
    Returns `estimate`, `error`, `n` and, with disorder, `per_realisation`, as there.

    Raises TypeError or ValueError when the series is not as said, T <= 0, or T or N is not known.
    """
    temperature = _known(energy, temperature, "temperature")
    if not (temperature > 0).all():
        raise ValueError("The specific heat needs temperatures above zero.")
    factor = _known(energy, n_neurons, "n_neurons") / temperature**2
    return _of_variance(energy, factor, dim, "specific heat per neuron")


def binder(series: xr.DataArray, dim: str = "realisation") -> xr.Dataset:
    """U = 1 - [<m^4>] / (3 [<m^2>]^2): 0 for Gaussian fluctuations around 0, 2/3 for |m| constant.

    The averages over realisations are taken before the ratio, so that few samples in each make no
    bias; that of the ratio, of order 1/n, is removed by the jackknife.

    series: m or the overlap of two replicas, `(..., dim, replica, sample)`, no NaN. dim:
    "realisation", or "replica" for one network (of `replica_overlap` then every second only, the
    others share a chain). For intervals from few realisations use `bootstrap` on the moments.
    Returns, each `(...)`: `estimate`, `error`, for Student's distribution of n - 1 degrees of
    freedom, `n`.

    Raises TypeError or ValueError when the series is not as said.
    Source: Binder, Z. Phys. B 43, 119 (1981).
    """
    second, fourth = (_moment(series, power, dim) for power in (2, 4))
    found = jackknife(_binder_ratio, second, fourth, dim=dim)
    found["estimate"].attrs["long_name"] = f"Binder ratio of {name_of(series)}"
    return found


def spin_glass_susceptibility(
    replica_overlap: xr.DataArray,
    n_neurons: xr.DataArray | int | None = None,
    dim: str = "realisation",
) -> xr.Dataset:
    """chi_SG = N [<q^2>], q the overlap of two replicas.

    Linear in the samples, so without bias. It diverges where the glass begins if q has mean zero;
    inside a state with <q> > 0 it is N <q>^2 and no fluctuation.

    replica_overlap: q, `(..., dim, replica, sample)`, as `observables.replica_overlap` returns it:
    the value at replica a belongs to a and a + 1. n_neurons: N, taken from the coordinate if not
    given. dim: "realisation", or "replica" for one network: then every second pair counts, for
    neighbouring pairs share a chain.
    Returns, each `(...)`: `estimate`, `error`, for Student's distribution of n - 1 degrees of
    freedom, `n`; with disorder also `per_realisation` (..., dim).

    Raises TypeError or ValueError when the series is not as said or N is not known.
    Source: Edwards and Anderson (1975); Bhatt and Young, PRB 37, 5606 (1988).
    """
    n_neurons = _known(replica_overlap, n_neurons, "n_neurons")
    checked(replica_overlap, samples=1)
    if dim == "replica":
        replica_overlap = replica_overlap.isel(
            replica=slice(0, replica_overlap.sizes["replica"] // 2 * 2, 2)
        )
    value = n_neurons * _moment(replica_overlap, 2, dim)
    return _averaged(value, dim, "spin-glass susceptibility N <q^2>")


def _binder_ratio(second: xr.DataArray, fourth: xr.DataArray) -> xr.DataArray:
    return 1 - fourth / (3 * second**2)


def _of_variance(series: xr.DataArray, factor, dim: str, name: str) -> xr.Dataset:
    """factor times the thermal variance, per realisation and over them, or over replicas."""
    checked(series, samples=1)
    _has(series, dim)
    # from a value of the lane's own: small variances of large means lose no digits
    away = series - series.mean({"replica", "sample", dim})
    if dim == "replica":
        mean, square = away.mean("sample"), (away**2).mean("sample")
        found = jackknife(lambda a, b: factor * (b - a**2), mean, square, dim=dim)
        found["estimate"].attrs["long_name"] = name
        return found
    return _averaged(factor * _variance(away), dim, name)


def _variance(series: xr.DataArray) -> xr.DataArray:
    """<x^2> - <x>^2 without bias: (...)."""
    n = series.sizes["replica"]
    if n == 1:
        variance, ess = on_lanes(_corrected, series)
        return variance.where(ess > 1)
    mean = series.mean("sample")
    products = (mean.sum("replica") ** 2 - (mean**2).sum("replica")) / (n * (n - 1))
    return (series**2).mean(("replica", "sample")) - products


def _corrected(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Variance of x (lane, replica, sample) from its error, which is var / ESS; and the ESS."""
    _, error, ess = thermal_of(x)
    return error**2 * ess, ess


def _moment(series: xr.DataArray, power: int, dim: str) -> xr.DataArray:
    checked(series, samples=1)
    _has(series, dim)
    return (series**power).mean({"replica", "sample"} - {dim})


def _averaged(value: xr.DataArray, dim: str, name: str) -> xr.Dataset:
    """Mean over `dim` with its error; with disorder, also what was averaged."""
    value = labelled(value.drop_attrs(deep=False), name)
    found = jackknife(lambda mean: mean, value, dim=dim)
    found["estimate"].attrs["long_name"] = name
    return found if dim == "replica" else found.assign(per_realisation=value)


def _has(series: xr.DataArray, dim: str) -> None:
    if dim not in series.dims:
        raise ValueError(
            f"{name_of(series)} has the dims {series.dims}, but the error is to come from {dim!r}: "
            'put the realisations along that dim, or give dim="replica" for one network.'
        )


def _known(series: xr.DataArray, value, name: str) -> xr.DataArray:
    """`value`, or the coordinate of the series with that name."""
    if value is None:
        if not isinstance(series, xr.DataArray) or name not in series.coords:
            raise ValueError(f"The series has no coordinate {name!r}: give {name}=...")
        value = series[name]
    return xr.DataArray(value).astype(float)
