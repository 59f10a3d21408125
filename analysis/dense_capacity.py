"""How many patterns a dense network holds: K_max(N), its exponents, exponential thresholds."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq
from scipy.special import ndtri

from analysis.comparison import exponent, finite_size
from hopfield_sim import statistics
from hopfield_sim.theory import exponential as exponential_theory
from hopfield_sim.theory import one_step

_AROUND = 4.0  # K_max is sought from errors within this factor of the wanted one
QUARTER = 0.25
"""P_err where noise wins in half of all cases: of pure noise it is 1/2."""
_LINE_FROM = 80  # sizes from which on alpha_1/4(N) is a line in 1/N to 1e-4
_CROSSING = (0.02, 0.35)  # P_err between which curves of two sizes are said to cross


def predicted(update: xr.Dataset) -> xr.Dataset:
    """`exact` and `gaussian` P_err at the K as simulated, NaN where there is no network.

    update: `n_patterns` over (kind, interaction, n_neurons, reduced_load, realisation).
    """
    number = update.n_patterns.isel(realisation=0, drop=True)
    found = {name: xr.full_like(number, np.nan) for name in ("exact", "gaussian")}
    for kind in number.kind.values:
        options = {"rectified": kind == "rectified"}
        options["normalisation"] = "distinct" if kind == "distinct" else "full"
        cells = number.sel(kind=kind, drop=True)
        where = np.argwhere(cells.values > 0)
        if not len(where):
            continue
        order = xr.DataArray(cells.interaction.values[where[:, 0]], dims="cell")
        n_neurons = xr.DataArray(cells.n_neurons.values[where[:, 1]], dims="cell")
        given = n_neurons, xr.DataArray(cells.values[tuple(where.T)], dims="cell"), order
        for name, law in (("exact", one_step.dense_exact), ("gaussian", one_step.dense_gaussian)):
            values = np.full(cells.shape, np.nan)
            values[tuple(where.T)] = law(*given, **options).error
            found[name].loc[{"kind": kind}] = values
    described = {"exact": "P_err, exact", "gaussian": "P_err, Gaussian noise"}
    return xr.Dataset(
        {name: found[name].assign_attrs(long_name=described[name], units="1") for name in found}
    )


def capacities(update: xr.Dataset, theory: xr.Dataset, bit_error: float) -> xr.Dataset:
    """K_max(N), where P_err is `bit_error`, from a straight line of ln(-Phi^-1(P_err)) in ln K.

        P_err = Phi(-t), t ~ K^(-1/2): a line of slope -1/2 for Gaussian noise

    through the loads at which theory has P_err within a factor 4 of `bit_error` (so the choice does
    not follow the data); at least three of them, on both sides.

    update: as for `predicted`, with `error`; theory: what it returned.
    Returns over (kind, interaction, n_neurons): `log_number` = ln K_max and `log_error`, jackknife
    over the realisations; `log_exact`, the same line through the exact P_err, and
    `log_asymptotic`, that of `one_step.largest_number`. NaN where there are too few loads.
    """
    number = update.n_patterns.isel(realisation=0, drop=True)
    log_number = np.log(number.where(number > 0))
    exact = theory.exact
    near = (exact > bit_error / _AROUND) & (exact < bit_error * _AROUND)
    both = (near & (exact < bit_error)).any("reduced_load")
    both &= (near & (exact > bit_error)).any("reduced_load") & (near.sum("reduced_load") > 2)
    target = np.log(-ndtri(bit_error))

    def largest(error: xr.DataArray) -> xr.DataArray:
        """ln K_max from P_err (..., reduced_load): the line inverted at the wanted error."""
        y = xr.apply_ufunc(lambda p: np.log(-ndtri(np.clip(p, 1e-9, 0.49))), error)
        x, y = log_number.where(near), y.where(near)
        x_mean, y_mean = x.mean("reduced_load"), y.mean("reduced_load")
        slope = ((x - x_mean) * (y - y_mean)).sum("reduced_load")
        slope = slope / ((x - x_mean) ** 2).sum("reduced_load")
        return (x_mean + (target - y_mean) / slope).where(both)

    found = statistics.jackknife(largest, update.error.fillna(0.5)).drop_vars("n")
    asymptotic = xr.full_like(found.estimate, np.nan)
    for kind in number.kind.values:
        of = one_step.largest_number(
            number.n_neurons.values,
            number.interaction.values,
            bit_error,
            kind == "rectified",
            "distinct" if kind == "distinct" else "full",
        ).asymptotic
        asymptotic.loc[{"kind": kind}] = np.log(of).transpose("interaction", "n_neurons").values
    labels = {
        "log_number": (found.estimate, "ln of the number of patterns at that error, simulation"),
        "log_error": (found.error, "standard error of ln K_max"),
        "log_exact": (largest(exact), "ln K_max, exact formula"),
        "log_asymptotic": (asymptotic, "ln K_max, leading order in N"),
    }
    return xr.Dataset(
        {
            key: array.drop_attrs().where(both).assign_attrs(long_name=name, units="1")
            for key, (array, name) in labels.items()
        }
    )


def exponents(capacity: xr.Dataset) -> xr.Dataset:
    """Slope of ln K_max against ln N by least squares, weights 1/error^2: (kind, interaction).

    `slope`, `slope_error` of the simulation; `slope_exact`, the same line through the exact K_max
    at these sizes; `z`, their difference over the error; `limit` = n - 1; `n_sizes`.
    """
    found = exponent(capacity.log_number, capacity.log_error)
    exact = exponent(capacity.log_exact, capacity.log_error).slope
    labels = {
        "slope": (found.slope, "exponent of K_max(N), simulation"),
        "slope_error": (found.slope_error, "its standard error"),
        "slope_exact": (exact, "exponent at these sizes, exact formula"),
        "z": ((found.slope - exact) / found.slope_error, "difference over the error"),
        "limit": (capacity.interaction - 1 + 0 * found.slope, "exponent for N -> infinity"),
        "n_sizes": (found.n_sizes, "sizes in the line"),
    }
    return xr.Dataset(
        {k: array.assign_attrs(long_name=name, units="1") for k, (array, name) in labels.items()}
    )


def exponent_table(capacity: xr.Dataset) -> str:
    """Exponents by kind and order, and how far K_max is from the exact formula: text."""
    found = exponents(capacity)
    pulls = (capacity.log_number - capacity.log_exact) / capacity.log_error
    lines = ["n       kind  sizes        exponent   exact, same sizes      z  N -> inf  z²(K_max)"]
    for order in found.interaction.values:
        for kind in found.kind.values:
            at = found.sel(interaction=order, kind=kind)
            if not at.n_sizes > 1:
                continue
            squares = float((pulls.sel(interaction=order, kind=kind) ** 2).mean())
            lines.append(
                f"{order}  {kind:>9s}  {int(at.n_sizes):5d}  {float(at.slope):.3f} ± "
                f"{float(at.slope_error):.3f}   {float(at.slope_exact):17.3f}  {float(at.z):5.1f}  "
                f"{int(at.limit):8d}  {squares:9.2f}"
            )
    return "\n".join(lines)


def quarter_loads(exponential: xr.Dataset) -> xr.Dataset:
    """alpha_1/4(N), the load at which P_err = 1/4 (pure noise: 1/2), and its limit N -> infinity.

        alpha_1/4(N) = alpha_typ + b ln N/(2 N) + c/N,   b = 1 where x_0 <= tanh 2, else 0

    For x_0 <= tanh 2 the nearest pattern disturbs: K 2^-N C(N, N (1 - x_0)/2) ~ 1, whose Stirling
    factor gives the logarithm; above it all together, and K (cosh 2)^N ~ e^(2N) has none. What is
    left is of order 1/N; the line is through sizes from 80 on. Derived here.

    exponential: `error` over (n_neurons, start_overlap, excess, realisation), alpha N = N alpha_typ
    + excess.
    Returns `alpha`, `alpha_error` over (n_neurons, start_overlap), jackknife over the realisations;
    over (start_overlap): `limit`, `limit_error`, `slope` c, `chi2`, `dof` of the line, `typical`
    and `worst_case` in theory, `z` = (limit - typical)/error, `logarithm` = b.
    """
    excess = exponential.excess.values
    theory = exponential_theory.typical(exponential.start_overlap.values)
    worst = exponential_theory.worst_case(exponential.start_overlap.values).alpha

    def crossing(error: np.ndarray) -> float:
        """Excess at which P_err (excess,) last rises through 1/4."""
        up = np.flatnonzero((error[:-1] < QUARTER) & (error[1:] >= QUARTER))
        if not up.size:
            return np.nan
        curve = PchipInterpolator(excess, error)
        return brentq(lambda y: curve(y) - QUARTER, excess[up[-1]], excess[up[-1] + 1])

    def loads(error: xr.DataArray) -> xr.DataArray:
        """alpha_1/4 from P_err (..., excess)."""
        y = xr.apply_ufunc(crossing, error, input_core_dims=[["excess"]], vectorize=True)
        return theory.alpha.drop_vars("sharpness", errors="ignore") + y / y.n_neurons

    found = statistics.jackknife(loads, exponential.error)
    logarithm = theory.condensed.drop_vars("sharpness", errors="ignore")
    n_neurons = exponential.n_neurons
    straight = found.estimate - logarithm * np.log(n_neurons) / (2 * n_neurons)
    line = finite_size(straight, found.error.where(n_neurons >= _LINE_FROM))
    typical = theory.alpha.drop_vars("sharpness", errors="ignore")
    labels = {
        "alpha": (found.estimate, "ln K/N at which P_err = 1/4"),
        "alpha_error": (found.error, "its standard error"),
        "limit": (line.intercept, "ln K/N at which P_err = 1/4, N -> infinity"),
        "limit_error": (line.intercept_error, "its standard error"),
        "slope": (line.slope, "coefficient of 1/N"),
        "logarithm": (logarithm, "coefficient of ln N/(2 N)"),
        "chi2": (line.chi2, "weighted squared distance from the line"),
        "dof": (line.dof, "number of sizes minus 2"),
        "typical": (typical, "threshold of a typical pattern"),
        "worst_case": (worst.drop_vars("sharpness", errors="ignore"), "threshold of all patterns"),
        "z": ((line.intercept - typical) / line.intercept_error, "difference over the error"),
    }
    return xr.Dataset(
        {
            k: v.drop_attrs().assign_attrs(long_name=name, units="1")
            for k, (v, name) in labels.items()
        }
    )


def crossings(exponential: xr.Dataset) -> xr.Dataset:
    """The load at which P_err(alpha) of neighbouring sizes cross, jackknife over realisations.

    Returns `estimate` and `error` over (pair, start_overlap), the pair labelled by its smaller
    size. NaN where the curves do not cross with P_err between 2 and 35 %: higher up both are noise.
    """
    sizes, excess = exponential.n_neurons.values, exponential.excess.values
    typical = exponential_theory.typical(exponential.start_overlap.values).alpha

    def crossing(small: np.ndarray, large: np.ndarray, centre: float, pair: np.ndarray) -> float:
        """alpha where the curve of the larger size first gets above that of the smaller."""
        x = np.linspace(excess.min(), excess.max(), 2001) / pair.max()  # inside both grids
        one, two = (
            PchipInterpolator(excess / n, error)(x)
            for n, error in zip(pair, (small, large), strict=True)
        )
        low, high = _CROSSING
        up = np.flatnonzero(
            (two[:-1] < one[:-1]) & (two[1:] >= one[1:]) & (one[:-1] > low) & (one[:-1] < high)
        )
        return centre + x[up[0]] if up.size else np.nan

    def loads(error: xr.DataArray) -> xr.DataArray:
        """Crossings from P_err (n_neurons, start_overlap, excess)."""
        values = error.transpose("n_neurons", "start_overlap", "excess").values
        found = [
            [
                crossing(values[k, j], values[k + 1, j], float(typical[j]), sizes[k : k + 2])
                for j in range(values.shape[1])
            ]
            for k in range(len(sizes) - 1)
        ]
        coords = {"pair": sizes[:-1], "start_overlap": error.start_overlap}
        return xr.DataArray(found, dims=("pair", "start_overlap"), coords=coords, name="crossing")

    return statistics.jackknife(loads, exponential.error)


def threshold_table(loads: xr.Dataset, crossed: xr.Dataset) -> str:
    """Thresholds of the exponential network, measured and in theory: text."""
    lines = ["exponential network, loads alpha = ln K/N:"]
    for x0 in loads.start_overlap.values[::-1]:
        at = loads.sel(start_overlap=x0)
        cross = crossed.sel(start_overlap=x0)
        lines.append(f"  x0 = {x0:g}")
        for n_neurons in loads.n_neurons.values:
            one = at.sel(n_neurons=n_neurons)
            text = f"    N = {n_neurons:5d}: alpha_1/4 = {float(one.alpha):.4f} ± "
            text += f"{float(one.alpha_error):.4f}"
            if n_neurons in cross.pair.values:
                pair = cross.sel(pair=n_neurons)
                if np.isfinite(pair.estimate):
                    text += f"; crosses the next size at {float(pair.estimate):.4f} ± "
                    text += f"{float(pair.error):.4f}"
            lines.append(text)
        form = "alpha + ln N/(2 N) + c/N" if at.logarithm else "alpha + c/N"
        lines.append(
            f"    N -> infinity ({form}): {float(at.limit):.4f} ± {float(at.limit_error):.4f}, "
            f"chi²/dof = {float(at.chi2):.1f}/{int(at.dof)}; typical threshold "
            f"{float(at.typical):.4f} (z = {float(at.z):.1f}), all patterns "
            f"{float(at.worst_case):.4f}"
        )
    return "\n".join(lines)
