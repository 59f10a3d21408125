"""Where to compute next: cells near a boundary, chosen from what a store holds and how noisy it is.

A boundary is where an observable that falls (or rises) along one axis crosses a level. What is
measured are values with errors at some places, so the bracket that holds the crossing is itself
uncertain. `boundary` says where it lies and how far bracket and noise leave it open; `proposed`
names the cells that are expected to settle most of that, for `sweep.extended(cells).run(store)`:

    over = statistics.disorder(found.overlap.where(found.done))
    cells = refinement.proposed(over, "temperature", level=0.5, tolerance=0.005, denominator=1000)

Both take one column of the other axes after the other, so they refine a line in the plane along
either axis. Whatever they return is a function of the stored numbers alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import xarray as xr
from scipy import special

PROBABILITIES = (0.68, 0.95)
"""The intervals that `boundary` gives."""

_JUMPS = 2.0  # of a curve along a column: gamma process, about so many jumps of some size
_RARE = 1e-12  # probability that an error bar is wrong altogether
_UNLIKELY = 1e-4  # a bracket that is not worth a cell
_RATIO = 1.6  # of the widths of neighbouring cells of values
_NODES = np.array([-2.1, -1.15, -0.37, 0.37, 1.15, 2.1])  # of a normal number, in equal numbers:
_NODES /= _NODES.std()  # outcomes to be expected of a measurement, mean 0 and variance 1
_INSIDE = np.array([0.1, 0.3, 0.5, 0.7, 0.9])  # where a value lies between its two neighbours


def boundary(observable: xr.Dataset, along: str, level: float, falling: bool = True) -> xr.Dataset:
    """P_j ~ sum over curves f with f_j > level > f_j+1 of prior(f) prod_k P(mean_k | f_k).

    P_j is the probability that the crossing lies between the places x_j and x_j+1. f_k is the
    value at x_k, of which mean_k is known with Student errors of n - 1 degrees of freedom. Prior:
    the curve only falls, from an unknown value, by a gamma process, which allows slopes and jumps:
    neighbouring places support each other, and no form is assumed. Within a bracket every place
    is as probable: a curve that jumps is not interpolated. Then

        value = sum_j P_j (x_j + x_j+1)/2,   error^2 = bracket_error^2 + noise_error^2,
        bracket_error^2 = sum_j P_j (x_j+1 - x_j)^2 / 12,
        noise_error^2 = sum_j P_j ((x_j + x_j+1)/2 - value)^2.

    Beyond the first and the last place the crossing may lie too, in brackets as wide as their
    neighbours.

    observable: `mean`, `error`, `n`, each `(..., along)`, as `statistics.disorder` returns them.
    Cells that are not done must be NaN (`.where(found.done)`): they are left out, and the
    bracket is then wider. A mean without error (n = 1) decides nothing. along: an axis of numbers.
    falling: whether the observable falls along it; else it rises.
    Returns, each `(...)`: `value`, `error`, `bracket_error`, `noise_error` in units of the axis;
    `low`, `high` `(..., probability)`, the central intervals of 68 and 95 %; `outside`, the
    probability that the crossing lies beyond the cells. Where `outside` is above one half, and
    where fewer than two cells are there, the others are NaN.

    Raises ValueError for a missing variable or dim, values along the axis that are no numbers,
    and a level that is not finite.
    """
    grid = _checked(observable, along, level)
    names = ("value", "error", "bracket_error", "noise_error", "outside")
    shape = tuple(observable.sizes[dim] for dim in grid.others)
    found = {name: np.full(shape, np.nan) for name in names}
    ends = np.full((2, *shape, len(PROBABILITIES)), np.nan)
    for index, column in _columns(observable, grid, falling):
        if column.x.size < 2:
            continue
        weights, edges = column.weights(), column.edges()
        found["outside"][index] = weights[0] + weights[-1]
        if found["outside"][index] > 0.5:
            continue
        value, bracket, noise = _moments(weights, edges)
        found["value"][index] = value
        found["error"][index] = np.sqrt(bracket + noise)
        found["bracket_error"][index] = np.sqrt(bracket)
        found["noise_error"][index] = np.sqrt(noise)
        tails = (1 - np.array(PROBABILITIES)) / 2
        below = np.concatenate([[0], np.cumsum(weights)])
        ends[0][index] = np.interp(tails, below, edges)
        ends[1][index] = np.interp(1 - tails, below, edges)
    unit = str(observable[along].attrs.get("units", "1"))
    what = f"{along} where {_name(observable)} crosses {level:g}"
    labels = {
        "value": (what, unit),
        "error": (f"standard error of the {what}", unit),
        "bracket_error": ("part of the error from the distance between cells", unit),
        "noise_error": ("part of the error from the noise of the cells", unit),
        "outside": ("probability that the crossing lies beyond the cells", "1"),
        "low": (f"lower end of the interval of the {what}", unit),
        "high": (f"upper end of the interval of the {what}", unit),
    }
    lead = {name: observable.coords[name] for name in grid.others if name in observable.coords}
    arrays = {name: (grid.others, values) for name, values in found.items()}
    dims = (*grid.others, "probability")
    arrays |= {"low": (dims, ends[0]), "high": (dims, ends[1])}
    lead["probability"] = xr.Variable("probability", list(PROBABILITIES))
    lead["probability"].attrs.update(long_name="probability of the interval", units="1")
    result = xr.Dataset(arrays, coords=lead)
    for name, (long_name, units) in labels.items():
        result[name].attrs.update(long_name=long_name, units=units)
    return result


def proposed(
    observable: xr.Dataset,
    along: str,
    level: float,
    tolerance: float,
    budget: int = 64,
    falling: bool = True,
    denominator: int | xr.DataArray | None = None,
    realisations: int | None = None,
    largest: int = 1024,
) -> list[dict[str, object]]:
    """The next cells of each column whose boundary is not yet known to `tolerance`.

    For each column two kinds of steps are weighed: a new place in the middle of a bracket, and as
    many realisations more at a place as it has. What counts is how far a step is expected to lower
    error^2 of `boundary`, for each cell that it costs: so a bracket is bisected where its width is
    what is left open, and realisations are added where the noise is. The expectation takes the
    value at a new place to be equally probable between its neighbours', with their noise. A column
    without any error bar gets a realisation more at every place first. The best
    step of each column is proposed, those of the largest gain first, until the budget is spent; a
    step that does not fit into it as a whole is shortened. Call again when they are computed.

    observable, along, level, falling: as for `boundary`; the realisations of a cell that are there
    must be the first n. tolerance: standard error to be reached, in units of the axis.
    budget: most cells to be proposed. denominator: new values are multiples of 1/denominator,
    written as k / denominator: N for loads P/N; a number, or one for each column. None: any, or
    whole numbers where the axis holds such.
    realisations: of a new place; None: as many as its better known neighbour has. largest: most
    realisations of a cell; where the noise is above what they allow, no step is left.
    Returns a list of {axis: value, ..., "realisation": index}, each a cell that the store does not
    hold, for `Sweep.extended`; empty when every column is done, outside the grid or exhausted.

    Raises what `boundary` raises, and ValueError for a tolerance, budget or denominator that is
    not positive.
    """
    grid = _checked(observable, along, level)
    if not (np.isfinite(tolerance) and tolerance > 0):
        raise ValueError(f"tolerance={tolerance!r}: a positive standard error is needed.")
    for name, value in (("budget", budget), ("realisations", realisations), ("largest", largest)):
        if value is not None and not (isinstance(value, int | np.integer) and value >= 1):
            raise ValueError(f"{name}={value!r}: a whole number of at least 1 is needed.")
    steps = []
    denominators = _denominators(observable, grid, denominator)
    for index, column in _columns(observable, grid, falling):
        if column.x.size < 2:
            continue
        point = {
            name: observable[name].values[i].item()
            for name, i in zip(grid.others, index, strict=True)
        }
        if not np.isfinite(column.e).any():  # nothing is known before there are error bars
            firsts = zip(column.x, column.n, strict=True)
            steps += [(_Step(x, int(n), 1, np.inf), point) for x, n in firsts]
            continue
        weights = column.weights()
        _, bracket, noise = _moments(weights, column.edges())
        if weights[0] + weights[-1] > 0.5 or bracket + noise <= tolerance**2:
            continue
        options = column.bisections(denominators[index], realisations, largest)
        options += column.repetitions(largest)
        total = bracket + noise  # equal gains are decided by their order, whatever the rounding
        best = max(options, key=lambda step: round(step.gain / total, 9), default=None)
        if best is not None and best.gain > 0:
            steps.append((best, point))
    steps.sort(key=lambda each: -each[0].gain)
    cells, axis = [], observable[along].values
    for step, point in steps:
        # a value that another column has, but for its last bits, is that value
        nearest = axis[np.abs(axis - step.x).argmin()]
        x = nearest if np.isclose(nearest, step.x, rtol=1e-9, atol=0) else step.x
        for realisation in range(step.first, step.first + step.cells):
            if len(cells) == budget:
                return cells
            cells.append({**point, along: axis.dtype.type(x).item(), "realisation": realisation})
    return cells


class _Step:
    """Cells `first ... first + cells - 1` at a place, and what each lowers error^2 by."""

    def __init__(self, x: float, first: int, cells: int, gain: float):
        self.x, self.first, self.cells, self.gain = x, first, cells, gain / cells


class _Column:
    """One column: places x, values above the level y with errors e of n realisations, sorted."""

    def __init__(self, x: np.ndarray, y: np.ndarray, e: np.ndarray, n: np.ndarray):
        self.x, self.y, self.e, self.n = x, y, e, n
        if x.size < 2:
            return
        known = np.isfinite(e)
        near = 3 * np.where(known, e, 0)
        self.reach = max((y + near).max(), (near - y).max()) or 1.0
        smallest = np.min(e, where=known & (e > 0), initial=self.reach)
        self.borders = _borders(self.reach, max(smallest, 1e-4 * self.reach))
        self.likelihood = np.stack([self._likelihood(*each) for each in zip(y, e, n, strict=True)])
        self.moves = [self._moves(length) for length in np.diff(x)]

    def _likelihood(self, y, e, n) -> np.ndarray:
        """Mean over each cell of values of the probability to measure y: (..., cell)."""
        y = np.asarray(y, float)[..., None]
        if not np.isfinite(e):
            return np.ones((*y.shape[:-1], self.borders.size - 1))
        e = max(e, 1e-9 * self.reach)  # exact: all of it in one cell
        inside = np.diff(special.stdtr(max(n - 1, 1), (self.borders - y) / e))
        # an error bar may be wrong altogether, so that contradictions are outvoted
        return inside / np.diff(self.borders) + _RARE / self.reach

    def _moves(self, length: float) -> np.ndarray:
        """Probability that the curve falls from cell to cell within that length: (from, to)."""
        shape = _JUMPS * length / (self.x[-1] - self.x[0])
        centres = (self.borders[1:] + self.borders[:-1]) / 2
        depth = np.maximum(centres[:, None] - self.borders, 0) * _JUMPS / (2 * self.reach)
        depth[:, 0] = np.inf
        return -np.diff(special.gammainc(shape, depth), axis=1)

    def edges(self) -> np.ndarray:
        """The borders of all brackets, those beyond the ends included: (place + 2,)."""
        return _edges(self.x)

    def weights(self) -> np.ndarray:
        """Probability of each bracket: (place + 1,)."""
        return self._weights(self.likelihood[:, None], self.moves)[0]

    def _weights(self, likelihood, moves) -> np.ndarray:
        """Probability of each bracket, (outcome, place + 1), by the sums over all curves.

        likelihood: a list (place) of arrays (outcome, cell); moves: (place - 1) of (cell, cell).
        """
        above = self.borders[:-1] >= 0
        after = [np.ones(above.size)]
        for seen, move in zip(likelihood[:0:-1], moves[::-1], strict=True):
            after.insert(0, _scaled(seen * after[0]) @ move.T)
        so_far = np.diff(self.borders) * likelihood[0]
        # of each bracket: P(above before, below behind), relative to the sum over all curves
        found = [(so_far * after[0])[..., ~above].sum(-1) / (so_far * after[0]).sum(-1)]
        for k, move in enumerate(moves):
            so_far = _scaled(so_far)
            future = likelihood[k + 1] * after[k + 1]
            crossing = np.einsum("...i,ij,...j", so_far[..., above], move[above][:, ~above],
                                 future[..., ~above])  # fmt: skip
            so_far, total = so_far @ move, ((so_far @ move) * future).sum(-1)
            found.append(crossing / total)
            so_far = so_far * likelihood[k + 1]
        found.append(so_far[..., above].sum(-1) / so_far.sum(-1))
        return np.stack(np.broadcast_arrays(*found), axis=-1)

    def _variance(self, x: np.ndarray, likelihood, moves) -> float:
        """Mean of error^2 over equally probable outcomes."""
        _, bracket, noise = _moments(self._weights(likelihood, moves), _edges(x))
        return float(np.mean(bracket + noise))

    def bisections(self, denominator: int | None, realisations: int | None, largest: int) -> list:
        """A step for the middle of every bracket that has room for a new place."""
        now, steps, weights = self._now(), [], self.weights()
        for j in range(1, self.x.size):
            left, right = self.x[j - 1], self.x[j]
            x = _rounded((left + right) / 2, denominator)
            room = 1e-6 * (right - left) if denominator is None else 0.5 / denominator
            if not (left + room < x < right - room) or weights[j] < _UNLIKELY:
                continue
            pair = slice(j - 1, j + 1)
            count = min(realisations or max(2, self.n[pair].max()), largest)
            # the better known neighbour tells the noise of one realisation
            e = np.min(self.e[pair] * np.sqrt(self.n[pair] / count))
            y = self.y[j] + _INSIDE * (self.y[j - 1] - self.y[j])
            if np.isfinite(e):
                y = np.add.outer(y, e * _NODES).ravel()
            likelihood = [each[None] for each in self.likelihood]
            likelihood.insert(j, self._likelihood(y, e, count))
            moves = [*self.moves[: j - 1], self._moves(x - left), self._moves(right - x)]
            after = self._variance(np.insert(self.x, j, x), likelihood, moves + self.moves[j:])
            steps.append(_Step(x, 0, int(count), now - after))
        return steps

    def repetitions(self, largest: int) -> list:
        """A step for every place whose realisations can be doubled."""
        now, steps, weights = self._now(), [], self.weights()
        known = np.isfinite(self.e)
        # the noise of one realisation, where a single one does not tell it
        scatter = np.median((self.e * np.sqrt(self.n))[known]) if known.any() else 0.0
        for k in range(self.x.size):
            n = int(self.n[k])
            more = min(n, largest - n)
            if more < 1 or self.e[k] == 0 or weights[k : k + 2].max() < _UNLIKELY:
                continue
            after = self.e[k] * np.sqrt(n / (n + more)) if known[k] else scatter / np.sqrt(n + more)
            spread = np.sqrt(self.e[k] ** 2 - after**2) if known[k] else after
            likelihood = [each[None] for each in self.likelihood]
            likelihood[k] = self._likelihood(self.y[k] + spread * _NODES, after, n + more)
            steps.append(
                _Step(self.x[k], n, more, now - self._variance(self.x, likelihood, self.moves))
            )
        return steps

    def _now(self) -> float:
        return self._variance(self.x, self.likelihood[:, None], self.moves)


def _borders(reach: float, smallest: float) -> np.ndarray:
    """Borders of cells of values, fine near the level 0, where the noise decides: (cell + 1,)."""
    count = int(np.ceil(np.log(4 * reach / smallest) / np.log(_RATIO)))
    positive = np.append(0.25 * smallest * _RATIO ** np.arange(count), 2 * reach)
    return np.concatenate([-positive[::-1], [0], positive])


def _scaled(x: np.ndarray) -> np.ndarray:
    return x / x.sum(axis=-1, keepdims=True)


def _edges(x: np.ndarray) -> np.ndarray:
    return np.concatenate([[2 * x[0] - x[1]], x, [2 * x[-1] - x[-2]]])


def _moments(weights: np.ndarray, edges: np.ndarray):
    """Mean, variance within and variance between the brackets, over the last axis."""
    middle = (edges[1:] + edges[:-1]) / 2
    value = weights @ middle
    within = weights @ (np.diff(edges) ** 2 / 12)
    return value, within, (weights * (middle - value[..., None]) ** 2).sum(axis=-1)


def _rounded(x: float, denominator: int | None) -> float:
    """The nearest k / denominator, to the bit the float that this division gives."""
    return float(x) if denominator is None else float(np.rint(x * denominator) / denominator)


# What follows takes labelled data apart.


class _Grid:
    """The names of the axes: the one refined, and the others in their order."""

    def __init__(self, along: str, level: float, others: tuple[str, ...]):
        self.along, self.level, self.others = along, level, others


def _checked(observable: xr.Dataset, along: str, level: float) -> _Grid:
    missing = {"mean", "error", "n"} - set(observable)
    if missing:
        raise ValueError(
            f"the observable needs mean, error and n, as statistics.disorder returns them; "
            f"{sorted(missing)} is missing."
        )
    dims = observable["mean"].dims
    if along not in dims or along not in observable.coords:
        raise ValueError(f"there is no axis {along!r} among {dims}: name the one to be refined.")
    if observable[along].dtype.kind not in "iuf":
        raise ValueError(f"{along!r} holds no numbers: there is nothing between its values.")
    for name in ("error", "n"):
        if not set(observable[name].dims) <= set(dims):
            raise ValueError(f"{name} has the dims {observable[name].dims}, the mean has {dims}.")
    if not np.isfinite(level):
        raise ValueError(f"level={level!r}: a finite number is needed.")
    return _Grid(along, float(level), tuple(str(dim) for dim in dims if dim != along))


def _columns(
    observable: xr.Dataset, grid: _Grid, falling: bool
) -> Iterator[tuple[tuple[int, ...], _Column]]:
    """Position along the other axes and what is known there, one column after the other."""
    dims = (*grid.others, grid.along)
    like = observable["mean"]
    mean, error, n = (
        observable[name].broadcast_like(like).transpose(*dims).values.astype(float)
        for name in ("mean", "error", "n")
    )
    x = observable[grid.along].values.astype(float)
    y = (mean - grid.level) if falling else (grid.level - mean)
    for index in itertools.product(*map(range, mean.shape[:-1])):
        there = np.isfinite(y[index]) & (n[index] >= 1)
        there = np.flatnonzero(there)[np.argsort(x[there], kind="stable")]
        e = np.where(np.isfinite(error[index]), error[index], np.inf)
        yield index, _Column(x[there], y[index][there], e[there], n[index][there])


def _denominators(observable: xr.Dataset, grid: _Grid, denominator) -> np.ndarray:
    """The denominator of each column, an array of objects over the other axes."""
    shape = tuple(observable.sizes[dim] for dim in grid.others)
    found = np.full(shape, None, dtype=object)
    if denominator is None:
        if observable[grid.along].dtype.kind in "iu":
            found[...] = 1
        return found
    given = xr.DataArray(denominator)
    if not set(given.dims) <= set(grid.others):
        raise ValueError(f"denominator has the dims {given.dims}, the columns {grid.others}.")
    like = observable["mean"].isel({grid.along: 0}, drop=True)
    values = given.broadcast_like(like).transpose(*grid.others).values
    if values.dtype.kind not in "iu" or (values < 1).any():
        raise ValueError(f"denominator={denominator!r}: whole numbers of at least 1 are needed.")
    found[...] = values
    return found


def _name(observable: xr.Dataset) -> str:
    return str(observable["mean"].attrs.get("long_name") or "the observable")
