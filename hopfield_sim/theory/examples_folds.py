"""All crossings of a load along the curves of `examples_saddle`, and their spinodals.

A curve is scanned on a grid that resolves the steps in which sites of different |e| are lost, its
extrema are found as roots of its slope, and between neighbouring extrema every load is crossed
once. A stretch on which the load rises towards smaller n is a retrieval branch, stable, if n is
somewhere on it stable at fixed noise (D_a < 0); other rising stretches, for P >= 3 at small n, are
neighbours of the glass and the paramagnet. A crossing is found by Newton's method in (ln a, ln b)
from the interpolated grid and kept if it lies in its cell; next to an extremum, where that fails,
by a bracket along the curve.
"""

from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.examples_averages import class_averages
from hopfield_sim.theory.examples_saddle import Curves, on_curve

_SCAN = 64
_MIDDLE, _LAST = 20, 20  # grid points along n, and along the last stretch of x
_LARGEST_NOISE = 6.0
_NEGLIGIBLE = 1e-7  # fraction of sites whose loss makes no step
_ROUNDING = 64 * np.finfo(float).eps
_STEPS = 12
_SLACK = 1e-10
_CHUNK = 4096
_TOLERANCE = 1e-13


class Path(NamedTuple):
    """Places on the curves, in order of p."""

    p: np.ndarray
    a: np.ndarray  # falling
    b: np.ndarray
    root: np.ndarray


class Scan(NamedTuple):
    """Curves on a grid, and their extrema. The first index is the system; NaN ends a row."""

    curves: Curves
    grid: Path  # (system, place)
    ends: Path  # (system, end): the start, p = 0, and the extrema, in order
    limit: np.ndarray  # (system, end), whether a stable retrieval branch ends there


def scanned(systems):
    """The `Scan` of some `Systems`."""
    curves = Curves(systems)
    size = systems.temperature.size
    alive = np.flatnonzero(curves.alive)
    grid = Path(*np.full((4, size, _SCAN + _MIDDLE + _LAST), np.nan))
    slope, signal = np.full((2, *grid.p.shape), np.nan)
    for system in alive:
        grid.p[system] = _grid(curves, system)
    if alive.size:
        points = curves.points(grid.p[alive].ravel(), np.repeat(alive, grid.p.shape[1]))
        found = (points.a, points.b, points.root, points.slope, points.jacobian[:, 0, 0])
        for whole, part in zip((*grid[1:], slope, signal), found, strict=True):
            whole[alive] = part.reshape(alive.size, -1)
    return Scan(curves, grid, *_extrema(curves, grid.p, slope, signal < 0))


def _grid(curves, system):
    """Values of p that resolve the curve of a system; a step is a tenth of x, or less."""
    systems = curves.systems
    lowest = 0.1 / systems.interaction[system]
    if systems.binomial:
        zeta, total, _ = class_averages(systems.quality[system], systems.n_examples[system])
        weakest = zeta[np.searchsorted(np.cumsum(total), _NEGLIGIBLE)]
        distance = zeta[1] - zeta[0] if zeta.size > 1 else np.inf
        lowest = min(lowest, max(weakest, distance) / 10)
    if curves.noise_only[system]:
        return np.geomspace(lowest, _LARGEST_NOISE, _SCAN + _MIDDLE + _LAST)
    first = np.geomspace(min(lowest / curves.first[system], 0.1), 1, _SCAN)
    middle = 1 + np.linspace(0, 1, _MIDDLE + 1)[1:] ** 2
    last = 3 - np.geomspace(1, min(0.02 / curves.last[system], 0.1), _LAST + 1)[1:]
    return np.concatenate([first, middle, last])


def _extrema(curves, p, slope, held):
    """`ends` and `limit` of a `Scan`; held: where n is stable at fixed noise."""
    with np.errstate(invalid="ignore"):
        turns = np.sign(slope[:, :-1]) * np.sign(slope[:, 1:]) < 0
    system, place = np.nonzero(turns)

    def derivative(p, at):
        return curves.points(p, at.astype(int)).slope

    found = roots(derivative, p[system, place], p[system, place + 1], system)
    points = curves.points(found, system)
    count = turns.sum(axis=1)
    order = 1 + np.concatenate([np.arange(number) for number in (0, *count)]).astype(int)
    ends = Path(*np.full((4, len(p), 1 + max(count, default=0)), np.nan))
    ends.p[curves.alive, 0] = ends.root[curves.alive, 0] = 0
    for whole, part in zip(ends, (found, points.a, points.b, points.root), strict=True):
        whole[system, order] = part
    limit = np.zeros(ends.p.shape, dtype=bool)
    limit[system, order] = (slope[system, place] > 0) & (points.root > 0)
    held[curves.alive, 0] = True
    for end in range(1, ends.p.shape[1]):
        with np.errstate(invalid="ignore"):
            stretch = (p >= ends.p[:, [end - 1]]) & (p <= ends.p[:, [end]])
        limit[:, end] &= (stretch & held).any(axis=1)
    return ends, limit


def largest(scan):
    """p and R (system,) of the largest load with a stable solution; NaN where there is none."""
    best = np.where(scan.limit, scan.ends.root, -np.inf).argmax(axis=1)
    row = np.arange(len(best))
    found = np.stack([scan.ends.p[row, best], scan.ends.root[row, best]])
    return np.where(scan.limit[row, best], found, np.nan)


def crossings(scan, system, target, only_stable=False):
    """Where the curves cross loads.

    Args:
        scan: `Scan`.
        system: index of the curve (point,).
        target: R > 0 of the load (point,).
        only_stable: leave the others out.

    Returns:
        point, order (0 for the solution of largest overlap n), stable (whether on a stable
        retrieval branch), a, b: arrays (crossing,).
    """
    start, at_start = scan.ends.p[system], scan.ends.root[system]
    # After the last extremum the curve runs down to no load at all.
    nothing = np.full((system.size, 1), np.nan)
    stop, at_stop = (np.append(v[:, 1:], nothing, axis=1) for v in (start, at_start))
    last = np.isfinite(start) & np.isnan(stop)
    stop[last], at_stop[last] = np.inf, 0
    # A load that is the fold's own, rounded, still has a solution.
    top = np.maximum(at_start, at_stop)
    fits = np.minimum(target[:, None], top * (1 - _ROUNDING / 8))
    goal = np.where(target[:, None] <= top * (1 + _ROUNDING), fits, target[:, None])
    with np.errstate(invalid="ignore"):
        crossed = (at_start - goal) * (at_stop - goal) < 0
    limit = np.append(scan.limit[system, 1:], np.zeros_like(nothing, dtype=bool), axis=1)
    order = np.cumsum(crossed, axis=1) - 1
    point, stretch = np.nonzero(crossed & limit if only_stable else crossed)
    at, goal = system[point], goal[point, stretch]
    a, b = np.full((2, at.size), np.nan)
    for first in range(0, at.size, _CHUNK):
        part = slice(first, first + _CHUNK)
        a[part], b[part] = _solved(scan, at[part], stretch[part], goal[part])
    return point, order[point, stretch], limit[point, stretch], a, b


def _solved(scan, at, stretch, goal):
    """a and b (crossing,) on the given stretches of the curves, where R = goal."""
    curves = scan.curves
    low, high = _enclosed(scan, at, stretch, goal)
    a, b = np.full((2, at.size), np.nan)
    near = np.flatnonzero(np.isfinite(high.a))
    left, right, level = *(Path(*(v[near] for v in side)) for side in (low, high)), goal[near]
    # In front of the first point of the grid R is proportional to b.
    front = left.p == 0
    share = np.where(front, 1, (level - left.root) / (right.root - left.root))
    scale = np.where(front, level / right.root, 1)
    start = [
        np.log(np.where(front, v, u)) * (1 - share) + np.log(v) * share
        for u, v in ((left.a, right.a), (left.b, right.b))
    ]
    start[1] += np.log(scale)
    found = _newton(curves.systems, at[near], np.stack(start), level)
    with np.errstate(invalid="ignore"):
        stayed = front | (found[0] <= left.a * (1 + _SLACK))
        stayed &= found[0] >= right.a * (1 - _SLACK)
    a[near[stayed]], b[near[stayed]] = found[:, stayed]
    lost = np.flatnonzero(np.isnan(a))
    if lost.size:
        where, level = at[lost], goal[lost]
        upper = high.p[lost]
        beyond = np.isinf(upper)
        open_ = np.flatnonzero(beyond)
        upper[open_] = low.p[lost[open_]]
        while open_.size:
            upper[open_] *= 2
            open_ = open_[curves.points(upper[open_], where[open_]).root > level[open_]]

        def excess(p, at, goal, *known):
            # At the ends R is known (0 where the curve ends), and on the right side of the goal.
            found = np.select([p == known[0], p == known[2]], [known[1], known[3]], np.nan)
            inner = np.flatnonzero(np.isnan(found))
            found[inner] = curves.points(p[inner], at[inner].astype(int)).root
            return found - goal

        ends = low.p[lost], low.root[lost], upper, np.where(beyond, 0, high.root[lost])
        points = curves.points(roots(excess, low.p[lost], upper, where, level, *ends), where)
        a[lost], b[lost] = points.a, points.b
    return a, b


def _enclosed(scan, at, stretch, goal):
    """The places of grid and ends (crossing,) on both sides of a crossing, as two `Path`."""
    grid, ends = scan.grid, scan.ends
    final = np.where(scan.curves.noise_only[at], np.inf, 3.0)
    zero = np.zeros(at.size)
    before = Path(*(values[at, stretch] for values in ends))
    after = [np.append(values, np.full((len(values), 1), np.nan), axis=1) for values in ends]
    after = Path(*(values[at, stretch + 1] for values in after))
    finished = np.isnan(after.p)
    after = Path(
        np.where(finished, final, after.p),
        after.a,
        after.b,
        np.where(finished, zero, after.root),
    )
    p, above = grid.p[at], grid.root[at] > goal[:, None]
    inside = (p > before.p[:, None]) & (p < after.p[:, None])
    # A curve that starts at negative R still starts below every load.
    same = above == (before.root > goal)[:, None]
    first, last = inside & same, inside & ~same
    place = p.shape[1] - 1 - first[:, ::-1].argmax(axis=1), last.argmax(axis=1)
    sides = []
    for end, some, index in zip((before, after), (first, last), place, strict=True):
        known = some.any(axis=1)
        found = [values[at, index] for values in grid]
        sides.append(Path(*(np.where(known, g, e) for g, e in zip(found, end, strict=True))))
    return sides


def _newton(systems, at, start, goal):
    """Newton's method for D = 0 and R = goal in (ln a, ln b), which are start (2, point)."""
    x = start.T.copy()
    error = np.full(at.size, np.inf)
    open_ = np.arange(at.size)
    for _ in range(_STEPS):
        points = on_curve(systems, at[open_], *np.exp(x[open_].T))
        good = points.root > 0
        error[open_[~good]] = np.inf
        open_ = open_[good]
        points = type(points)(*(values[good] for values in points))
        n = points.a ** (1 / (systems.interaction[at[open_]] - 1))
        wrong = np.stack([points.error / n, np.log(points.root / goal[open_])], axis=1)
        size = np.maximum(np.abs(points.error), np.abs(wrong[:, 1]))
        # Once small, an error that no longer falls is rounding.
        going = (size > _ROUNDING / 64) & ~((size < _TOLERANCE) & (size >= error[open_]))
        going &= np.abs(np.linalg.det(points.jacobian)) > 0
        error[open_] = size
        open_ = open_[going]
        if not open_.size:
            break
        step = np.linalg.solve(points.jacobian[going], wrong[going, :, None])[..., 0]
        x[open_] -= np.clip(step, -1, 1)
    x[~(error < _TOLERANCE)] = np.nan
    return np.exp(x.T)
