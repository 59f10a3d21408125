"""Thermal loops: where replicas leave and find a pattern, and T_c from the energies of branches.

A store of `experiments.hysteresis` has the dims (n_neurons, alpha, sweeps_per_step, realisation,
branch, temperature, replica), with temperatures ascending on every branch. A replica is in a
pattern while its overlap is at least `threshold`, half of the overlap m_M(alpha) on the spinodal.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim import statistics
from hopfield_sim.theory import hopfield


def crossing(x: np.ndarray, y: np.ndarray, level: float = 0.5) -> float:
    """The last x where y, drawn by straight lines, rises through `level`; NaN where it does not.

    x, y: (point,), x ascending.
    """
    up = np.flatnonzero((y[:-1] < level) & (y[1:] >= level))
    if not up.size:
        return np.nan
    k = up[-1]
    return float(x[k] + (level - y[k]) / (y[k + 1] - y[k]) * (x[k + 1] - x[k]))


def kinetic_boundary(found: xr.Dataset) -> xr.Dataset:
    """T_k, where half of the replicas have left the pattern on heating.

        F_r(T) = share of the replicas of realisation r that left at or below T, not to return
        F_r(T_r) = 1/2,  T_k = mean of T_r

    F_r is drawn by straight lines between the temperatures.

    found: `left_at` (..., realisation, replica), the temperature of leaving, NaN for never.
    Returns, each (n_neurons, alpha, sweeps_per_step): `mean`, its standard `error`, `spread`, the
    standard deviation of the T_r, all in units of J; `early`, the share of replicas that left
    below the T_M of theory; `n`, realisations. NaN where F_r does not pass 1/2 in some realisation.
    """
    share = (found.left_at <= found.temperature).mean("replica")
    boundary = _half_way(share, "temperature at which half of the replicas have left the pattern")
    spinodal = hopfield.spinodal_temperature(found.alpha).temperature.reset_coords(drop=True)
    early = (found.left_at < spinodal).mean(["realisation", "replica"])
    early.attrs = {"long_name": "share of replicas that left below T_M", "units": "1"}
    return boundary.assign(early=early)


def capture(found: xr.Dataset) -> xr.Dataset:
    """T at which half of the replicas, cued while they are cooled, hold the pattern.

    found: `overlap` with the branch "cued". A replica holds the pattern at a temperature where its
    mean overlap, with the cue switched off, is at least `threshold`.
    Returns what `kinetic_boundary` does, but instead of `early` the `share` of the replicas that
    hold the pattern at the lowest temperature.
    """
    held = found.overlap.sel(branch="cued", drop=True) >= found.threshold
    share = held.mean("replica")
    at = _half_way(1 - share, "temperature at which half of the cued replicas hold the pattern")
    end = share.isel(temperature=0, drop=True).mean("realisation")
    end.attrs = {"long_name": "share of cued replicas that end in the pattern", "units": "1"}
    return at.assign(share=end)


def patterns_found(found: xr.Dataset) -> xr.DataArray:
    """Share of the replicas cooled without a cue that end in any pattern, or its negative.

    found: `largest_overlap` with the branch "cooling". Returns (n_neurons, alpha, sweeps_per_step).
    """
    end = found.largest_overlap.sel(branch="cooling", drop=True).isel(temperature=0, drop=True)
    share = (end >= found.threshold).mean(["replica", "realisation"])
    name = "share of replicas cooled without a cue that end in a pattern"
    return share.assign_attrs(long_name=name, units="1")


def free_energy_difference(found: xr.Dataset) -> xr.DataArray:
    """f_heating - f_cooling from the energies: f(T)/T = f_0/T_0 - integral from T_0 to T of e/T^2.

    Heating starts in the pattern at the lowest temperature, where f = e - T s with the s of theory
    (below 1e-3); cooling starts in the paramagnet at the highest, whose f is exact but for O(1/N).
    e is linear between the temperatures. A replica counts while it is in the state of its branch:
    on heating until it leaves the pattern, on cooling until it finds one.

    found: `energy`, `largest_overlap`, `left_at`, as the file says.
    Returns (..., realisation, temperature) in units of J; NaN where no replica of a realisation is
    left in one of the two states.
    """
    T = found.temperature
    heating, cooling = (found.energy.sel(branch=b, drop=True) for b in ("heating", "cooling"))
    heating = heating.where(~(found.left_at <= T)).mean("replica")
    largest = found.largest_overlap.sel(branch="cooling", drop=True)
    downwards = {"temperature": slice(None, None, -1)}
    lost = (largest >= found.threshold).isel(downwards).cumsum("temperature")
    cooling = cooling.where(lost.isel(downwards) == 0).mean("replica")
    ends = T.isel(temperature=[0, -1])
    entropy = hopfield.retrieval(found.alpha, ends).entropy.isel(temperature=0, drop=True)
    pattern = heating.isel(temperature=0, drop=True) - T[0].item() * entropy
    paramagnet = hopfield.paramagnet(found.alpha, ends).free_energy.isel(temperature=-1, drop=True)
    f = _integrated(heating, pattern, 0) - _integrated(cooling, paramagnet, -1)
    name = "free energy of the heated minus that of the cooled branch, from their energies"
    return f.assign_attrs(long_name=name, units="J")


def transition(difference: xr.DataArray) -> xr.Dataset:
    """T_c, where the integrated free energies of pattern and glass are equal: jackknife.

    difference: `free_energy_difference`. The zero of its mean over the realisations is looked for
    where |T - T_c| < (T_M - T_c)/2 for the lines of theory; a realisation in which one of the two
    states does not last over this window is left out.
    Returns `estimate` and `error` in units of J and `n`, the realisations used, each
    (n_neurons, alpha, sweeps_per_step). NaN where theory has no T_c, where fewer than two
    realisations are left, or where the mean does not rise through zero.
    """
    T_c = hopfield.transition_temperature(difference.alpha).temperature
    T_M = hopfield.spinodal_temperature(difference.alpha).temperature
    inside = (np.abs(difference.temperature - T_c) < (T_M - T_c) / 2).reset_coords(drop=True)
    T = difference.temperature.values

    def zero(values: np.ndarray, window: np.ndarray) -> tuple[float, float, int]:
        """Estimate, error and number for values (realisation, temperature)."""
        values = values[:, window]
        values = xr.DataArray(
            values[np.isfinite(values).all(1)], dims=("realisation", "temperature")
        )
        n = values.sizes["realisation"] if window.any() else 0
        if n < 2:
            return np.nan, np.nan, n
        found = statistics.jackknife(
            lambda mean: xr.DataArray(crossing(T[window], mean.values, 0.0)), values
        )
        return float(found.estimate), float(found.error), n

    estimate, error, n = xr.apply_ufunc(
        zero,
        difference,
        inside,
        input_core_dims=[["realisation", "temperature"], ["temperature"]],
        output_core_dims=[[], [], []],
        vectorize=True,
    )
    return xr.Dataset(
        {
            "estimate": estimate.assign_attrs(long_name="T_c by integration", units="J"),
            "error": error.assign_attrs(long_name="standard error of T_c", units="J"),
            "n": n.assign_attrs(long_name="number of realisations", units="1"),
        }
    )


def table(boundary: xr.Dataset, captured: xr.Dataset, transitions: xr.Dataset) -> str:
    """One line a load, size and rate: where the pattern is lost and found, and the integrated T_c.

    boundary, captured, transitions: `kinetic_boundary`, `capture` and `transition`.
    """
    lines = [
        "T_k: half have left on heating; spread: of single realisations; early: share that left "
        "below T_M;\nT_q: half hold the pattern, cooled with a cue; T_c: equal free energies, by "
        "integration",
        "alpha      N  sweeps            T_k    T_M  spread  early            T_q  end in it"
        "            T_c  T_c (RS)",
    ]
    T_M = hopfield.spinodal_temperature(boundary.alpha).temperature
    T_c = hopfield.transition_temperature(boundary.alpha).temperature
    for alpha in boundary.alpha.values:
        for n_neurons in boundary.n_neurons.values:
            for sweeps in boundary.sweeps_per_step.values:
                at = {"alpha": alpha, "n_neurons": n_neurons, "sweeps_per_step": sweeps}
                lost, held, equal = (x.sel(at) for x in (boundary, captured, transitions))
                cells = (
                    f"{alpha:5g} {n_neurons:6d} {sweeps:7d}",
                    _measured(lost["mean"], lost.error),
                    _number(T_M.sel(alpha=alpha)),
                    f"{_number(lost.spread):>6}",
                    f"{float(lost.early):5.2f}",
                    _measured(held["mean"], held.error),
                    f"{float(held.share):9.2f}",
                    _measured(equal.estimate, equal.error),
                    f"{_number(T_c.sel(alpha=alpha)):>8}",
                )
                lines.append("  ".join(cells))
    return "\n".join(lines)


def _measured(value: xr.DataArray, error: xr.DataArray) -> str:
    return f"{_number(value):>5} ± {_number(error):>5}"


def _number(value: xr.DataArray) -> str:
    return "–" if np.isnan(float(value)) else f"{float(value):.3f}"


def _half_way(share: xr.DataArray, long_name: str) -> xr.Dataset:
    """Where a share that rises with T passes 1/2 in each realisation: mean, error and spread."""
    T = share.temperature.values
    each = xr.apply_ufunc(
        lambda y: crossing(T, y),
        share.astype(float),
        input_core_dims=[["temperature"]],
        vectorize=True,
    ).assign_attrs(long_name=long_name, units="J")
    everywhere = each.notnull().all("realisation")
    found = statistics.disorder(each)
    spread = found.error * np.sqrt(found.n)
    spread.attrs = {"long_name": f"{long_name}: spread over realisations", "units": "J"}
    return found.assign(spread=spread).where(everywhere)


def _integrated(energy: xr.DataArray, start: xr.DataArray, end: int) -> xr.DataArray:
    """f (..., temperature) with f = start at temperature[end]; e linear between, so exact."""
    e = energy.transpose(..., "temperature")
    T = e.temperature.values
    slope = np.diff(e.values) / np.diff(T)
    at_zero = e.values[..., :-1] - slope * T[:-1]
    pieces = at_zero * (1 / T[:-1] - 1 / T[1:]) + slope * np.log(T[1:] / T[:-1])
    none = np.zeros((*e.shape[:-1], 1))
    if end == 0:
        integral = np.concatenate([none, -np.cumsum(pieces, axis=-1)], axis=-1)
    else:
        upwards = np.cumsum(pieces[..., ::-1], axis=-1)[..., ::-1]
        integral = np.concatenate([upwards, none], axis=-1)
    return e.temperature * (start / T[end] + e.copy(data=integral))
