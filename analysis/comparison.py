"""Theory against simulation: z-scores, one line of verdict, a table, the trend with the size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy import special, stats

from hopfield_sim import statistics

CRITERION = 1.5
LEVEL = 0.99
"""The two numbers of the rule of `verdict`."""

WORDS = {
    "agrees": "agreement",
    "disagrees": "disagreement",
    "too close": "too close (error bars larger than the scatter)",
    "undecided": "undecided",
}


def z_scores(found: xr.DataArray, predicted: xr.DataArray, dim: str = "realisation") -> xr.Dataset:
    """t = (mean - predicted) / error, and z with P(normal > z) = P(Student_{n-1} > t).

    mean and error are those over the n realisations, so z is a standard normal number if the
    theory is exact and the realisations are Gaussian, however few they are.

    found: `(..., dim)`, one thermal mean for each realisation; NaN where one is not there (yet).
    predicted: `(...)`, any of the dims of `found` but `dim`, on exactly its coordinates; NaN where
    the theory has no such state.
    Returns, each `(...)`: `mean`, `error`, `predicted`, `difference` (found minus predicted) in
    the unit of `found`; `t`, `z`; `n`, the number of realisations, and `dof` = n - 1. z is NaN
    where n < 2, where nothing is predicted, and where all realisations are equal and differ from
    the prediction (no spread, no scale; equal to it, z is 0): `verdict` counts these cells.

    Raises ValueError when `dim` is missing or the coordinates are not the same.
    """
    over = statistics.disorder(found, dim=dim)
    more = set(predicted.dims) - set(over["mean"].dims)
    if more:
        raise ValueError(
            f"The prediction has the dims {sorted(map(str, more))}, which the simulation does not "
            f"have: select one of their values, for instance the stable branch."
        )
    try:
        mean, error, n, theory = xr.align(
            over["mean"], over["error"], over["n"], predicted, join="exact"
        )
    except ValueError as problem:
        raise ValueError(
            "Simulation and prediction are not on the same coordinates (equal to the last bit): "
            f"compute the prediction at the coordinates of the simulation. {problem}"
        ) from problem
    theory = theory.broadcast_like(mean).transpose(*mean.dims)
    difference = mean - theory
    t = (difference / error.where(error > 0)).where(difference != 0, 0).where(n > 1)
    dof = n - 1
    z = xr.apply_ufunc(_normal_quantile, t, dof)
    unit = over["mean"].attrs["units"]
    name = str(found.attrs.get("long_name") or found.name or "the observable")
    labels = {
        "mean": (mean, f"simulation, mean over realisations of {name}", unit),
        "error": (error, f"simulation, standard error of {name}", unit),
        "predicted": (theory, f"theory of {name}", unit),
        "difference": (difference, f"simulation minus theory of {name}", unit),
        "t": (t, "difference over its error, Student's t", "1"),
        "dof": (dof, "degrees of freedom of t", "1"),
        "z": (z, "difference as a standard normal number", "1"),
        "n": (n, "number of realisations", "1"),
    }
    return _labelled(labels)


def _normal_quantile(t: np.ndarray, dof: np.ndarray) -> np.ndarray:
    """z with log P(normal > |z|) = log P(Student_dof > |t|) and the sign of t; NaN if dof < 1.

    Where the tail nears the smallest double it is replaced by density(t) (1/t + t/dof), its
    limit for t^2 >> dof and for dof >> t^2.
    """
    size, dof = np.abs(t), np.where(dof > 0, dof, np.nan)
    log_tail = stats.t.logsf(size, dof)
    far = log_tail < -700
    limit = stats.t.logpdf(size, dof) + np.log(1 / np.where(far, size, 1) + size / dof)
    return -np.sign(t) * special.ndtri_exp(np.where(far, limit, log_tail))


@dataclass(frozen=True)
class Verdict:
    """What `verdict` found; `str(...)` is one line.

    mean_z2, error: mean of z^2 over the cells and its standard error (NaN for one column).
    interval: where mean z^2 lies with probability `LEVEL` if the theory is exact at this size.
    n_cells, n_columns: cells counted, in so many independent columns.
    beyond_3: coordinates and z of each counted cell with |z| > 3.
    left_out: reason -> number of cells; a cell is counted under the first of its reasons.
    """

    mean_z2: float
    error: float
    interval: tuple[float, float]
    n_cells: int
    n_columns: int
    beyond_3: tuple[dict[str, float], ...]
    left_out: dict[str, int]

    @property
    def word(self) -> str:
        """`agrees`, `disagrees`, `too close` or `undecided` (no cell), by the rule of `verdict`."""
        if self.n_cells == 0:
            return "undecided"
        if self.mean_z2 < self.interval[0]:
            return "too close"
        return "agrees" if self.mean_z2 <= max(CRITERION, self.interval[1]) else "disagrees"

    def __str__(self) -> str:
        parts = [f"{WORDS[self.word]}: no cell to compare"]
        if self.n_cells:
            size = f"{_count(self.n_cells, 'cell')} in {_count(self.n_columns, 'column')}"
            low, high = self.interval
            parts = [
                f"{WORDS[self.word]}: mean z² = {self.mean_z2:.2f} ± {_dash(self.error, '.2f')} "
                f"over {size} (1 expected if theory is exact at this size, "
                f"{low:.2f} to {high:.2f} by chance)",
                f"{_count(len(self.beyond_3), 'cell')} beyond 3σ",
            ]
        if self.left_out:
            reasons = ", ".join(f"{count} {reason}" for reason, count in self.left_out.items())
            parts.append(f"{_count(sum(self.left_out.values()), 'cell')} left out ({reasons})")
        return "; ".join(parts)


def verdict(
    scores: xr.Dataset,
    include: xr.DataArray | None = None,
    columns: str | Sequence[str] | None = "alpha",
    reasons: Mapping[str, xr.DataArray] | None = None,
) -> Verdict:
    """mean z^2 over the cells, 1 if theory is exact; its error from columns as independent units.

    Cells of one column (one value of `columns`) share their patterns and count together: with
    S_c = sum of z^2 and n_c cells in column c, m = sum S_c / sum n_c and
    error^2 = C/(C-1) sum_c (S_c - n_c m)^2 / (sum n_c)^2 over C columns.

    The rule. If theory is exact, z^2 is chi-squared and nu m is about chi-squared with
    nu = 2 m^2 / error^2 degrees of freedom, which lies between C (cells of a column all alike)
    and the number of cells (all independent) and is held there; this gives the two-sided 99 %
    `interval` around 1. Theory *agrees* while m is not above both the interval (more than chance)
    and 1.5 (more than a finite size is forgiven), and *disagrees* above both. Below the interval
    it is *too close*: the error bars are larger than the scatter.

    scores: what `z_scores` returned. include: bool, the cells to count, any dims of them.
    columns: a coordinate, or several, of the cells; None where every cell has patterns of its own,
    and is a column. reasons: name -> bool, cells that are left out
    and why (`{"not equilibrated": ..., "near the boundary": ...}`). Cells without a z are left out
    by themselves and named.

    Raises TypeError when a mask is not boolean, ValueError when it or `columns` does not fit.
    """
    z = scores["z"]
    masks = {name: _mask(mask, z, name) for name, mask in (reasons or {}).items()}
    if include is not None:
        masks["not included"] = ~_mask(include, z, "include")
    masks["without prediction"] = scores["predicted"].isnull()
    masks["with fewer than 2 realisations"] = scores["n"] < 2
    masks["without spread over realisations"] = z.isnull()
    inside = np.ones(z.shape, bool)
    left_out = {}
    for name, mask in masks.items():
        drop = inside & mask.transpose(*z.dims).values
        inside &= ~drop
        if drop.any():
            left_out[name] = int(drop.sum())
    column = _columns(z, [columns] if isinstance(columns, str) else columns)[inside]
    squares = z.values[inside] ** 2
    n_cells, n_columns = squares.size, len(np.unique(column))
    cells = np.argwhere(inside & (np.abs(z.values) > 3))
    beyond = tuple(
        {str(name): value.item() for name, value in cell.coords.items() if value.ndim == 0}
        | {"z": cell.item()}
        for cell in (z[tuple(index)] for index in cells)
    )
    mean = error = np.nan
    interval = (np.nan, np.nan)
    if n_cells:
        mean = squares.mean()
        nu = n_columns
        if n_columns > 1:
            away = np.bincount(column, squares - mean)
            error = np.sqrt(n_columns / (n_columns - 1) * (away**2).sum()) / n_cells
            nu = np.clip(2 * mean**2 / error**2 if error else np.inf, n_columns, n_cells)
        tail = (1 - LEVEL) / 2
        interval = tuple(float(v) for v in stats.chi2.ppf([tail, 1 - tail], nu) / nu)
    return Verdict(float(mean), float(error), interval, n_cells, n_columns, beyond, left_out)


def table(
    scores: xr.Dataset,
    equilibrated: xr.DataArray | None = None,
    include: xr.DataArray | None = None,
    symbol: str = "m",
    theory: str = "m_RS",
    left: xr.DataArray | None = None,
) -> str:
    """Aligned text, one line a cell: coordinates, mean ± error, theory, z, left, equilibrated.

    scores: what `z_scores` returned. equilibrated: bool over the cells. include: bool, the cells
    to show. symbol, theory: names of what is measured and predicted, for the header. left: over the
    cells, how many replicas left the state and are not in the mean. A dash stands where there is no
    number.

    Raises TypeError when a mask is not boolean, ValueError when it or `left` does not fit.
    """
    cells = scores["mean"]
    head = [{"temperature": "T", "n_neurons": "N"}.get(str(dim), str(dim)) for dim in cells.dims]
    head += [f"{symbol} ± error", theory, "z"]
    values = {key: scores[key].values for key in ("mean", "error", "predicted", "z")}
    if left is not None:
        head.append("left")
        left = _on_cells(left, cells, "counts 'left'").transpose(*cells.dims).values
    if equilibrated is not None:
        head.append("equilibrated")
        equilibrated = _mask(equilibrated, cells, "equilibrated").transpose(*cells.dims).values
    shown = xr.ones_like(cells, bool) if include is None else _mask(include, cells, "include")
    rows = [head]
    for index in np.argwhere(shown.transpose(*cells.dims).values):
        mean, error, predicted, z = (array[tuple(index)] for array in values.values())
        form = f".{_digits(error)}f"
        rows.append(
            [f"{cells[dim].values[i]:.6g}" for dim, i in zip(cells.dims, index, strict=True)]
            + [f"{_dash(mean, form)} ± {_dash(error, form)}", _dash(predicted, form)]
            + [_dash(z, ".2f")]
        )
        if left is not None:
            rows[-1].append(f"{left[tuple(index)]:.0f}")
        if equilibrated is not None:
            rows[-1].append("yes" if equilibrated[tuple(index)] else "no")
    return aligned(rows)


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Text of a table: rows of as many words each, in columns that end below each other."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(text.rjust(width) for text, width in zip(row, widths, strict=True))
        for row in rows
    )


def amplitude(
    scores: xr.Dataset,
    expected: xr.DataArray,
    include: xr.DataArray,
    column: str = "alpha",
) -> tuple[float, float]:
    """a and its error in found - predicted = a x expected: 1 where `expected` explains it all.

    Least squares over the cells of each column, a_c = sum w d e / sum w e^2 with w = 1/error^2;
    cells of a column share their patterns, so their errors add as if they were one:
    error_c = sum w |e| error / sum w e^2. Columns are independent and combine by 1/error_c^2.

    scores: what `z_scores` returned. expected: `(...)` on its cells, the difference that some
    correction predicts. include: bool, the cells to use; those without an error bar are not.
    Returns (NaN, NaN) where no cell is left.
    """
    error = scores["error"].where(include & (scores["error"] > 0))
    e = expected.where(error.notnull())
    within = [dim for dim in error.dims if dim != column]
    norm = (e**2 / error**2).sum(within)
    norm = norm.where(norm > 0)
    value = (scores["difference"] * e / error**2).sum(within) / norm
    weight = (norm / (np.abs(e) / error).sum(within)) ** 2
    total = float(weight.sum())
    if not total:
        return np.nan, np.nan
    return float((weight * value).sum()) / total, total**-0.5


def finite_size(
    difference: xr.DataArray, error: xr.DataArray, dim: str = "n_neurons"
) -> xr.Dataset:
    """difference(N) = intercept + slope / N, by least squares with weights 1 / error^2.

    What is left of found minus predicted in an infinite network. The errors are those of the
    weighted fit, from the given errors alone; chi2 / dof far above 1 says that the line does not
    describe the data.

    difference, error: `(..., dim)`, `dim` holding N; sizes with NaN or without a positive error
    are not used. Returns, each `(...)`: `intercept`, `intercept_error` in the unit of the
    difference; `slope`, `slope_error` in that unit times neurons; `chi2`; `dof`, the number of
    sizes minus 2. NaN where fewer than two sizes are left.

    Raises ValueError when `dim` is missing, has no values, or differs between the two.
    """
    if dim not in difference.coords or dim not in difference.dims:
        raise ValueError(f"The differences need the dim {dim!r} with the sizes as its coordinate.")
    try:
        y, sigma = xr.align(difference, error, join="exact")
    except ValueError as problem:
        raise ValueError(f"Differences and errors have other coordinates: {problem}") from problem
    used = y.notnull() & (sigma > 0)
    weight = (1 / sigma.where(used) ** 2).fillna(0)
    y = y.where(used, 0)
    total = weight.sum(dim)
    enough = used.sum(dim) > 1
    total = total.where(enough)
    x_mean = (weight / y[dim]).sum(dim) / total
    y_mean = (weight * y).sum(dim) / total
    away = 1 / y[dim] - x_mean
    spread = (weight * away**2).sum(dim).where(enough)
    slope = (weight * away * y).sum(dim) / spread
    intercept = y_mean - slope * x_mean
    chi2 = (weight * (y - intercept - slope / y[dim]) ** 2).sum(dim).where(enough)
    unit = str(difference.attrs.get("units", "1"))
    per = "neuron" if unit == "1" else f"{unit} neuron"
    labels = {
        "intercept": (intercept, "difference in an infinite network", unit),
        "intercept_error": (
            np.sqrt(1 / total + x_mean**2 / spread),
            "standard error of the difference in an infinite network",
            unit,
        ),
        "slope": (slope, "change of the difference with 1/N", per),
        "slope_error": (1 / np.sqrt(spread), "standard error of the slope", per),
        "chi2": (chi2, "weighted squared distance from the line", "1"),
        "dof": (used.sum(dim) - 2, "number of sizes minus 2", "1"),
    }
    return _labelled(labels)


def exponent(
    log_values: xr.DataArray, log_error: xr.DataArray, dim: str = "n_neurons"
) -> xr.Dataset:
    """a in ln y = a ln N + constant, by least squares with weights 1 / error^2.

    log_values: `(..., dim)`, ln y, `dim` holding N; log_error: its error, which may be that of
    another quantity if the same line is to be laid through both. Sizes with NaN or without a
    positive error are not used. Returns, each `(...)`: `slope`, `slope_error`, from the given
    errors alone, and `n_sizes`, the sizes used; slope and error are NaN where these are fewer
    than two.
    """
    used = log_values.notnull() & (log_error > 0)
    weight = (1 / log_error**2).where(used).fillna(0)
    enough = used.sum(dim) > 1
    x = np.log(log_values[dim])
    away = x - (weight * x).sum(dim) / weight.sum(dim).where(enough)
    spread = (weight * away**2).sum(dim).where(enough)
    labels = {
        "slope": ((weight * away * log_values.fillna(0)).sum(dim) / spread, "exponent of N", "1"),
        "slope_error": (spread**-0.5, "standard error of the exponent", "1"),
        "n_sizes": (used.sum(dim), "sizes in the line", "1"),
    }
    return _labelled(labels)


def _labelled(found: Mapping[str, tuple[xr.DataArray, str, str]]) -> xr.Dataset:
    return xr.Dataset(
        {
            key: array.drop_attrs().assign_attrs(long_name=long_name, units=units)
            for key, (array, long_name, units) in found.items()
        }
    )


def _mask(mask: xr.DataArray, cells: xr.DataArray, name: str) -> xr.DataArray:
    """`mask` on the dims of `cells`, if it is boolean and on the same coordinates."""
    if mask.dtype != bool:
        raise TypeError(f"The mask {name!r} must be boolean, not {mask.dtype}.")
    return _on_cells(mask, cells, f"mask {name!r}")


def _on_cells(array: xr.DataArray, cells: xr.DataArray, name: str) -> xr.DataArray:
    """`array` on the dims of `cells`, if it is on the same coordinates."""
    if not set(array.dims) <= set(cells.dims):
        raise ValueError(f"The {name} has the dims {array.dims}, the cells {cells.dims}.")
    try:
        array, _ = xr.align(array, cells, join="exact")
    except ValueError as problem:
        raise ValueError(
            f"The {name} is not on the coordinates of the cells: {problem}"
        ) from problem
    return array.broadcast_like(cells)


def _columns(cells: xr.DataArray, names: Sequence[str] | None) -> np.ndarray:
    """Number of the column of each cell, same shape as `cells`."""
    if names is None:
        return np.arange(cells.size).reshape(cells.shape)
    for name in names:
        if name not in cells.coords and name not in cells.dims:
            raise ValueError(
                f"The cells have no coordinate {name!r}; "
                f"columns can be any of {sorted(map(str, cells.coords))}."
            )
    values = [cells[name].broadcast_like(cells).transpose(*cells.dims).values for name in names]
    # numbers in place of the values, which may be words
    table = np.stack([np.unique(value, return_inverse=True)[1].ravel() for value in values])
    _, number = np.unique(table, axis=1, return_inverse=True)
    return number.reshape(cells.shape)


def _digits(error: float) -> int:
    """Decimals that show two digits of the error; four where there is none."""
    if not (np.isfinite(error) and error > 0):
        return 4
    return int(np.clip(1 - np.floor(np.log10(error)), 0, 12))


def _dash(value: float, form: str) -> str:
    return "–" if np.isnan(value) else f"{value:{form}}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
