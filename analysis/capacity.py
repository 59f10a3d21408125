"""Where retrieval ends, from networks of several sizes: alpha_c(N), its limit, and the figure.

What is analysed are trials, one row for each network: `n_neurons`, `alpha`, `trials` (patterns from
which it was started) and `successes` (how many of them it kept), all with the one dim `row`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from scipy import stats

from analysis import bisection
from analysis.comparison import aligned

FORMS = {"N^-1/2": 1 / 2, "N^-2/3": 2 / 3, "N^-1": 1.0, "N^-x": None}
"""Forms of the finite-size correction, by their exponents; None: free."""

FITS = 0.05
"""A form describes the sizes if a larger chi^2 has at least this probability."""

_EXPONENTS = np.linspace(0.1, 3, 581)  # where a free one is sought
_FEWEST = {False: 3, True: 4}  # sizes that leave a degree of freedom; with a free exponent


def thresholds(
    trials: xr.Dataset, bounds: tuple[float, float], curve: str = "probit"
) -> xr.Dataset:
    """alpha_c(N), where half of the patterns are retrieved: `bisection.threshold` of each size.

    trials: `(row,)`, see above. Returns what `bisection.threshold` returns, `(n_neurons, ...)`.
    """
    sizes = np.unique(trials.n_neurons)
    each = []
    for size in sizes:
        rows = trials.isel(row=np.flatnonzero(trials.n_neurons.values == size))
        each.append(
            bisection.threshold(
                rows.alpha.values, rows.successes.values, rows.trials.values, bounds, curve
            )
        )
    described = {"long_name": "Number of neurons N", "units": "1"}
    along = xr.Variable("n_neurons", sizes, described)
    return xr.concat(each, xr.DataArray(along, name="n_neurons"), combine_attrs="override")


def fractions(trials: xr.Dataset) -> xr.Dataset:
    """Fraction retrieved at each load of each size, dim `cell`; f +- error, networks being units.

    error^2 = (f (1 - f) + 1/(4 n)) / n x max(1, scatter), n the trials; scatter, the variance
    between networks over that of independent trials. Jeffreys' estimate, so that fractions of 0
    and 1 have an error too. Returns `fraction`, `error`, `n_neurons`, `alpha`, each `(cell,)`.
    """
    table = np.stack([trials.n_neurons.values, trials.alpha.values])
    cells, group = np.unique(table, axis=1, return_inverse=True)
    group = group.ravel()
    n, k = (np.bincount(group, trials[name].values) for name in ("trials", "successes"))
    networks = np.bincount(group)
    f = k / n
    smooth = (k + 0.5) / (n + 1)
    each = trials.successes.values / trials.trials.values
    between = np.bincount(group, trials.trials.values * (each - f[group]) ** 2)
    between /= np.maximum(networks - 1, 1) * smooth * (1 - smooth)
    error = np.sqrt(smooth * (1 - smooth) / n * np.maximum(between, 1))
    labels = {
        "n_neurons": (cells[0].astype(int), "Number of neurons N"),
        "alpha": (cells[1], "Load alpha = P / N"),
        "fraction": (f, "fraction of patterns retrieved"),
        "error": (error, "standard error of the fraction"),
    }
    return xr.Dataset(
        {
            name: ("cell", values, {"long_name": long_name, "units": "1"})
            for name, (values, long_name) in labels.items()
        }
    )


def extrapolated(
    alpha_c: xr.DataArray, error: xr.DataArray, forms: Sequence[str] = tuple(FORMS)
) -> xr.Dataset:
    """alpha_c(N) = alpha_c(infinity) + b N^-x, by least squares with weights 1 / error^2.

    Each form (exponent x) is fitted to all sizes; while the fit is bad (probability of a larger
    chi^2 below 0.05) the smallest size is left out, as long as a degree of freedom is left. Forms
    that fit nowhere are returned with all sizes and `fits` False, and do not count below. The free
    exponent is sought from 0.1 to 3, and one found at an end of that is no fit; errors of that form
    are the ranges in which chi^2 exceeds its minimum by at most 1, which take the exponent along.

    alpha_c, error: `(n_neurons,)`, at least three sizes; NaN and errors that are not positive are
    refused. forms: names among `FORMS`.
    Returns, `(form,)`: `alpha_c` at infinite N, `error`; `amplitude` b; `exponent` and
    `exponent_error` (0 where it is fixed); `smallest`, the smallest N used; `chi2`, `dof`, `p`;
    `fits`. And numbers: `value`, the middle of the range of the forms that fit; `systematic`, half
    of that range: what the choice of the form decides, NaN if only one fits; `statistical`, the
    largest of their errors (NaN if none fits); `largest`, the largest N.

    Raises ValueError for fewer than three sizes, errors that are none and unknown forms.
    """
    size, y, sigma = (np.asarray(each, float) for each in (alpha_c["n_neurons"], alpha_c, error))
    order = np.argsort(size)
    size, y, sigma = size[order], y[order], sigma[order]
    if size.size < _FEWEST[False]:
        raise ValueError(f"{size.size} sizes: an extrapolation with a test needs at least three.")
    if not (np.isfinite(y).all() and np.isfinite(sigma).all() and (sigma > 0).all()):
        raise ValueError("every size needs a finite threshold with a positive error.")
    unknown = set(forms) - set(FORMS)
    if unknown or not forms:
        raise ValueError(f"forms={forms!r}: choose among {tuple(FORMS)}.")
    names = [form for form in forms if size.size >= _FEWEST[FORMS[form] is None]]
    rows = [_fitted(FORMS[form], size, y, sigma) for form in names]
    fits = np.array([row["fits"] for row in rows])
    labels = {
        "alpha_c": "capacity of an infinite network",
        "error": "standard error of it",
        "amplitude": "amplitude b of the finite-size correction",
        "exponent": "exponent x of the finite-size correction",
        "exponent_error": "standard error of the exponent",
        "smallest": "smallest number of neurons used",
        "chi2": "squared distance from the form",
        "dof": "sizes used minus parameters",
        "p": "P(larger chi2)",
    }
    found = {name: ("form", [row[name] for row in rows]) for name in labels}
    ends = np.array([row["alpha_c"] for row in rows])[fits]
    errors = np.array([row["error"] for row in rows])[fits]
    found |= {
        "fits": ("form", fits),
        "value": (ends.max() + ends.min()) / 2 if ends.size else np.nan,
        "systematic": (ends.max() - ends.min()) / 2 if ends.size > 1 else np.nan,
        "statistical": errors.max() if ends.size else np.nan,
        "largest": int(size[-1]),
    }
    labels |= {
        "fits": "whether the form describes the sizes used",
        "value": "capacity of an infinite network, middle of the forms that fit",
        "systematic": "half the range of the forms that fit",
        "statistical": "largest standard error of the forms that fit",
        "largest": "largest number of neurons used",
    }
    result = xr.Dataset(found, {"form": names})
    for name, long_name in labels.items():
        result[name].attrs.update(long_name=long_name, units="1")
    return result


def _fitted(exponent: float | None, size, y, sigma) -> dict[str, float]:
    """One form, with the smallest sizes left out until it fits; with all if it never does."""
    free = exponent is None
    exponents = _EXPONENTS if free else np.array([exponent])
    every = None
    for first in range(size.size - _FEWEST[free] + 1):
        n, values, errors = size[first:], y[first:], sigma[first:]
        a, b, variance, chi2 = _lines(exponents, n, values, errors)
        best = int(chi2.argmin())
        dof = n.size - 2 - free
        # the parameters at which chi^2 is at most one above its minimum, exponent by exponent
        inside = chi2 <= chi2[best] + 1
        reach = np.sqrt(variance[inside] * (1 + chi2[best] - chi2[inside]))
        width = (a[inside] + reach).max() - (a[inside] - reach).min()
        row = {
            "alpha_c": a[best],
            "error": width / 2,
            "amplitude": b[best],
            "exponent": exponents[best],
            "exponent_error": np.ptp(exponents[inside]) / 2,
            "smallest": int(n[0]),
            "chi2": chi2[best],
            "dof": dof,
            "p": float(stats.chi2.sf(chi2[best], dof)),
        }
        at_the_end = free and best in (0, exponents.size - 1)
        row["fits"] = row["p"] >= FITS and not at_the_end
        every = every or row
        if row["fits"]:
            return row
    return every


def _lines(exponents, size, y, sigma):
    """Weighted straight lines y = a + b N^-x for each x: a, b, variance of a, chi^2."""
    weight = 1 / sigma**2
    x = size ** -exponents[:, None]
    x_mean, y_mean = (x * weight).sum(1) / weight.sum(), (y * weight).sum() / weight.sum()
    away = x - x_mean[:, None]
    spread = (weight * away**2).sum(1)
    b = (weight * away * y).sum(1) / spread
    a = y_mean - b * x_mean
    chi2 = (weight * (y - a[:, None] - b[:, None] * x) ** 2).sum(1)
    return a, b, 1 / weight.sum() + x_mean**2 / spread, chi2


def distinguishing(limits: xr.Dataset, error: float, factor: float = 5.0) -> float:
    """The smallest N = 2^k at which the forms that fit differ by `factor` errors of alpha_c(N).

    limits: what `extrapolated` returned. error: standard error of alpha_c at that N. Returns inf
    where the forms never differ so much, and where fewer than two of them fit.
    """
    good = limits.isel(form=limits.fits.values)
    for power in range(64) if good.form.size > 1 else ():
        there = good.alpha_c + good.amplitude * 2.0 ** (-power * good.exponent)
        beyond = 2.0**power > float(limits.largest)
        if beyond and float(there.max() - there.min()) > factor * error:
            return 2.0**power
    return np.inf


def narrowing(width: xr.DataArray, error: xr.DataArray) -> xr.Dataset:
    """width(N) = c N^-x: how the transition sharpens, a line in the logarithms.

    width, error: `(n_neurons,)`, at least two sizes. Returns numbers: `exponent` x and
    `exponent_error`, `amplitude` c, `chi2`, `dof`, `p` (NaN without degrees of freedom).

    Raises ValueError for fewer than two sizes and for widths or errors that are not positive.
    """
    size, w, e = (np.asarray(each, float) for each in (width["n_neurons"], width, error))
    if size.size < 2 or not ((w > 0).all() and (e > 0).all()):
        raise ValueError("two sizes with positive widths and errors are needed.")
    weight, x, y = (w / e) ** 2, np.log(size), np.log(w)
    x_mean, y_mean = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
    spread = (weight * (x - x_mean) ** 2).sum()
    slope = (weight * (x - x_mean) * y).sum() / spread
    chi2 = (weight * (y - y_mean - slope * (x - x_mean)) ** 2).sum()
    dof = size.size - 2
    labels = {
        "exponent": (-slope, "exponent x of the width of the transition"),
        "exponent_error": (spread**-0.5, "standard error of the exponent"),
        "amplitude": (np.exp(y_mean - slope * x_mean), "width at N = 1"),
        "chi2": (chi2, "squared distance from the power law"),
        "dof": (dof, "sizes minus 2"),
        "p": (stats.chi2.sf(chi2, dof) if dof else np.nan, "P(larger chi2)"),
    }
    return xr.Dataset(
        {
            name: ((), value, {"long_name": long_name, "units": "1"})
            for name, (value, long_name) in labels.items()
        }
    )


def table(found: xr.Dataset) -> str:
    """Aligned text, a line for each size: alpha_c with its interval, width, test of the curve.

    found: what `thresholds` returned.
    """
    rows = [["N", "networks", "trials", "alpha_c ± error", "95 % interval", "width ± error"]]
    rows[0] += ["skew ± error", "dispersion", "chi²/dof", "p"]
    for size in found.n_neurons.values:
        at = {name: each.values for name, each in found.sel(n_neurons=size).data_vars.items()}
        rows.append(
            [
                f"{size}",
                f"{at['networks']}",
                f"{at['trials']}",
                f"{at['alpha_c']:.5f} ± {at['error']:.5f}",
                f"{at['low'][1]:.5f} to {at['high'][1]:.5f}",
                f"{at['width']:.4f} ± {at['width_error']:.4f}",
                f"{at['skew']:+.2f} ± {at['skew_error']:.2f}",
                f"{at['dispersion']:.2f}",
                f"{at['chi2']:.1f}/{at['dof']}",
                f"{at['p']:.2f}",
            ]
        )
    return aligned(rows)


def extrapolation_table(limits: xr.Dataset, theories: dict[str, float]) -> str:
    """Aligned text, one line a form: alpha_c at infinite N, exponent, test, distance from theory.

    limits: what `extrapolated` returned. theories: name -> capacity; the distance is given in
    standard errors of that form.
    """
    rows = [["form", "from N", "alpha_c(inf) ± error", "x", "chi²/dof", "p", *theories]]
    for form in limits.form.values:
        at = {name: limits[name].sel(form=form).item() for name in limits if limits[name].ndim}
        x = f"{at['exponent']:.3g}"
        rows.append(
            [
                str(form),
                f"{at['smallest']}",
                f"{at['alpha_c']:.5f} ± {at['error']:.5f}",
                f"{x} ± {at['exponent_error']:.2g}" if at["exponent_error"] else x,
                f"{at['chi2']:.1f}/{at['dof']}",
                f"{at['p']:.2g}" + ("" if at["fits"] else " (does not fit)"),
                *(f"{(at['alpha_c'] - value) / at['error']:+.1f}σ" for value in theories.values()),
            ]
        )
    return aligned(rows)


def next_size(limits: xr.Dataset, error: float) -> str:
    """What it would take to tell the forms of the correction apart, as a sentence.

    limits: what `extrapolated` returned; error: standard error of alpha_c at a larger size.
    """
    size = distinguishing(limits, error)
    if not np.isfinite(size):
        return f"larger sizes known to {error:.5f} would not tell the forms that fit apart"
    return (
        f"to do better: at N = {size:.0f} the forms that fit differ by more than 5 standard errors "
        f"of {error:.5f}"
    )


def verdict(limits: xr.Dataset, theories: dict[str, float]) -> str:
    """What the sizes say about an infinite network, and what they leave open, as a sentence.

    limits: what `extrapolated` returned; theories: name -> capacity.
    """
    theory = ", ".join(f"{name} {value:.5f}" for name, value in theories.items())
    fitting = limits.isel(form=limits.fits.values)
    if not fitting.sizes["form"]:
        return f"alpha_c(infinity): no form describes alpha_c(N); theory: {theory}"
    values = ", ".join(
        f"{form} {float(a):.5f}({float(e):.5f})"
        for form, a, e in zip(fitting.form.values, fitting.alpha_c, fitting.error, strict=True)
    )
    value, statistical, systematic = (
        float(limits[name]) for name in ("value", "statistical", "systematic")
    )
    form = f"± {systematic:.4f} (form of the correction: {values})"
    if not np.isfinite(systematic):
        form = f"and an unknown part from the form of the correction: only {values} fits"
    return (
        f"alpha_c(infinity) = {value:.4f} ± {statistical:.4f} (statistical) {form}; "
        f"theory: {theory}"
    )
