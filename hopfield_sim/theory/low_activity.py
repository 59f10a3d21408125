"""The network of low activity at zero temperature, by Tsodyks and Feigel'man.

Neurons V_i in {0, 1}, patterns xi in {0, 1} with P(xi = 1) = a, eta = (xi - a)/sqrt(a (1 - a)),

    J_ij = (1/N) sum_mu eta_i^mu eta_j^mu,   H = -(1/2) sum_{i != j} J_ij V_i V_j + theta sum_i V_i,

alpha = P/N, N -> infinity, T = 0. (With J = sum (xi - a)(xi - a)/(N a (1 - a)) theta is the same
number: in the perfect state the field is 1 - a on active and -a on silent sites.)

Order parameters: M = (1/N) sum_i eta_i V_i, q = (1/N) sum_i V_i, C = lim beta (<V> - <V>^2),
r = q/(1 - C)^2. The field minus the threshold is Gaussian of width S = sqrt(alpha r) and mean
e M - theta', e = eta on active (1) and silent (0) sites, theta' = theta - (alpha/2) C/(1 - C). With

    y1 = (e1 M - theta')/S,  y0 = (theta' - e0 M)/S:   p1 = Phi(y1), p0 = Phi(-y0)

are the parts of active and of silent sites that fire, and everything is explicit in (y1, y0):

    A = (p1 - p0)/(y1 + y0),   D = a phi(y1) + (1 - a) phi(y0),   q = a p1 + (1 - a) p0,
    sqrt(alpha) = (A - D)/sqrt(q),   M = sqrt(a (1 - a)) (p1 - p0),   C = D/A,
    theta = A ((1 - a) y0 - a y1) + sqrt(alpha) D/(2 sqrt(q))

So a solution at given (a, alpha, theta) is a crossing of two lines in the plane (y1, y0), and the
capacity a maximum. There can be several solutions: along a line of constant theta alpha may have
two maxima, so that retrieval states of large p1 end at one load and others, of smaller p1, at
another; at small a the latter are the last ones.

States with M < 0 retrieve the complement of the pattern: they are those of activity 1 - a.
Replica symmetry is broken at T = 0, weakly, as in the Hopfield network.

Sources: M. V. Tsodyks, M. V. Feigel'man, Europhys. Lett. 6 (1988) 101; J. Buhmann, R. Divko,
K. Schulten, Phys. Rev. A 39 (1989) 2689. Equations and parametrisation derived here, checked by
their free energy and by simulation.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import binary_dilation
from scipy.special import entr, ndtr

from hopfield_sim.theory.continuation import newton
from hopfield_sim.theory.labels import common_grid, dataset, evaluated, on_grid

_CONVENTION = (
    "H = -(1/2) sum_{i != j} J_ij V_i V_j + theta sum V_i, V in {0, 1}, "
    "J_ij = (1/N) sum eta_i eta_j; alpha = P/N; T = 0"
)
_SOURCE = "Tsodyks, Feigel'man 1988; derived here, checked by its free energy and by simulation"
LONG_NAMES = {
    "alpha": "patterns per neuron, P/N",
    "threshold": "threshold theta of a neuron",
    "m": "overlap M = (1/N) sum eta V with the condensed pattern",
    "q": "part of the neurons that fire",
    "r": "variance of the cross-talk field over alpha",
    "C": "susceptibility lim beta (<V> - <V>^2)",
    "active_firing": "part p1 of the pattern's active sites that fire",
    "silent_firing": "part p0 of the pattern's silent sites that fire",
    "energy": "energy per neuron",
    "information": "bits that the states tell of the patterns, per synapse (N^2 of them)",
    "fold": "d(sqrt(alpha), theta)/d(y1, y0), < 0 in the perfect state; changes sign at a fold",
    "residual": "error of the equations",
}
_STATE = [name for name in LONG_NAMES if name not in ("alpha", "threshold")]

# The plane is searched on this many lines each way, equidistant in arsinh y.
_LINES = 400
_LOWEST = -8.0  # of y1 and y0; beyond it less than 1e-15 of the neurons fire, or are silent
_HIGHEST_END = 1e3  # of y1 and y0 where ends of retrieval are searched
_SAME = 1e-6  # relative distance in the plane below which two solutions found are one


class _State(NamedTuple):
    """What is explicit in (y1, y0), and derivatives by y1 and y0."""

    root_alpha: np.ndarray
    threshold: np.ndarray
    p1: np.ndarray
    p0: np.ndarray
    A: np.ndarray
    D: np.ndarray
    q: np.ndarray
    root_alpha_by: tuple
    threshold_by: tuple

    @property
    def fold(self):
        (r1, r0), (t1, t0) = self.root_alpha_by, self.threshold_by
        return r1 * t0 - r0 * t1


def retrieval(activity, alpha, threshold):
    """The retrieval state: of the solutions with `fold` < 0 the one of largest overlap.

    At low load it is the perfect state. Where two branches of retrieval follow each other (see the
    head of the file) it is the upper one up to its end, then the lower one.

    Args:
        activity: part a of active sites, a number, a 1-D array or a DataArray, in (0, 1).
        alpha: patterns per neuron P/N, likewise, > 0.
        threshold: theta of all neurons, likewise; 1 - a and -a are the fields of the perfect
            state. Plain arrays span the grid (activity, alpha, threshold).

    Returns:
        xarray.Dataset on that grid with m, q, r, C, active_firing (p1), silent_firing (p0),
        energy, information, fold, and residual (largest error of ln alpha and theta). NaN where
        there is no such solution.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Tsodyks, Feigel'man, Europhys. Lett. 6 (1988) 101.
    """
    grid = common_grid(activity=activity, alpha=alpha, threshold=threshold)
    (a, loads, thresholds), shape = on_grid(grid)
    found = _solved(a, loads, thresholds)
    falls = found[-1]["fold"] < 0
    values = _side_by_side(*(_kept(found, falls)), a.size, _STATE)
    variables = {name: (values[name][:, 0].reshape(shape), LONG_NAMES[name]) for name in _STATE}
    title = "retrieval in the network of low activity"
    return dataset(
        grid, variables, title, convention=_CONVENTION, source=_SOURCE, branch="retrieval"
    )


def solutions(activity, alpha, threshold):
    """All solutions with M > 0.

    Searched in the plane (y1, y0) on a grid of 400 x 400 lines: two solutions next to a fold are
    told apart unless they are closer than 1e-6 of their place.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further last dimension `branch`, "1", "2", ...
        in the order of falling overlap, as many as the point with most solutions has. `fold` < 0
        has the sign of the perfect state, and where two solutions merge it changes from one to
        the other.

    Source: Tsodyks, Feigel'man, Europhys. Lett. 6 (1988) 101.
    """
    grid = common_grid(activity=activity, alpha=alpha, threshold=threshold)
    (a, loads, thresholds), shape = on_grid(grid)
    values = _side_by_side(*_solved(a, loads, thresholds), a.size, _STATE)
    return _branched(grid, shape, values, "states of the network of low activity")


def ends(activity, threshold):
    """The loads at which states with M > 0 end, at a fixed threshold.

        the maxima of alpha along the line theta(y1, y0) = threshold

    Args:
        activity, threshold: as for `retrieval`. Plain arrays span the grid (activity, threshold).

    Returns:
        xarray.Dataset on that grid with a further last dimension `branch`, "1", "2", ... in the
        order of falling overlap, with `alpha` and what `retrieval` has. The largest alpha along
        `branch` is the capacity at that threshold, of any state with M > 0; `active_firing` (p1)
        tells how much of the pattern it holds.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here (see the head of the file).
    """
    grid = common_grid(activity=activity, threshold=threshold)
    (a, thresholds), shape = on_grid(grid)
    values = _side_by_side(*_ended(a, thresholds), a.size, ["alpha", *_STATE])
    return _branched(grid, shape, values, "ends of the states of the network of low activity")


def capacity(activity):
    """alpha_c(a), the largest load of all thresholds, and the threshold at which it is reached.

        d sqrt(alpha)/d y1 = d sqrt(alpha)/d y0 = 0

    For a -> 0 alpha_c -> 1/(2 a |ln a|), approached very slowly (half of it at a = 1e-4).

    Args:
        activity: part a of active sites, a number, a 1-D array or a DataArray, in (0, 1).

    Returns:
        xarray.Dataset on the coordinate activity with alpha, threshold (the best one; the maximum
        is flat) and the state there, as from `retrieval`; residual is |d ln sqrt(alpha)/dy|.

    Raises:
        ValueError: an activity outside (0, 1), or unnamed axes.

    Source: Tsodyks, Feigel'man, Europhys. Lett. 6 (1988) 101; computed here.
    """
    grid = common_grid(activity=activity)

    def slopes(x, a):
        state = _of(x, a)
        return np.stack(state.root_alpha_by, axis=1) / state.root_alpha[:, None]

    def equations(a):
        x, residual = newton(slopes, _highest(a), a, tolerance=1e-11)
        return _described(x, a, residual)

    title = "capacity of the network of low activity"
    return evaluated(grid, equations, LONG_NAMES, title, convention=_CONVENTION, source=_SOURCE)


def _of(x, a):
    """The state at x = (y1, y0) in the last axis, of activity a."""
    y1, y0 = np.moveaxis(x, -1, 0)
    p1, p0 = ndtr(y1), ndtr(-y0)
    density1, density0 = (np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi) for y in (y1, y0))
    total = y1 + y0
    with np.errstate(invalid="ignore", divide="ignore"):
        # M > 0 is y1 + y0 > 0
        A = np.where(total > 0, (p1 - p0) / total, np.nan)
        A1, A0 = (density1 - A) / total, (density0 - A) / total
        D = a * density1 + (1 - a) * density0
        D1, D0 = -a * y1 * density1, -(1 - a) * y0 * density0
        q = a * p1 + (1 - a) * p0
        q1, q0 = a * density1, -(1 - a) * density0
        R = (A - D) / np.sqrt(q)
        R1, R0 = (
            (by_A - by_D) / np.sqrt(q) - R * by_q / (2 * q)
            for by_A, by_D, by_q in ((A1, D1, q1), (A0, D0, q0))
        )
        balance = (1 - a) * y0 - a * y1
        theta = A * balance + R * D / (2 * np.sqrt(q))
        theta1, theta0 = (
            by_A * balance
            + A * weight
            + (by_R * D + R * by_D) / (2 * np.sqrt(q))
            - R * D * by_q / (4 * q**1.5)
            for by_A, weight, by_R, by_D, by_q in ((A1, -a, R1, D1, q1), (A0, 1 - a, R0, D0, q0))
        )
    return _State(R, theta, p1, p0, A, D, q, (R1, R0), (theta1, theta0))


def _described(x, a, residual):
    """name -> (point,) for the names in LONG_NAMES."""
    state = _of(x, a)
    y1, y0 = x.T
    alpha = state.root_alpha**2
    C = state.D / state.A
    r = state.q / (1 - C) ** 2
    m = np.sqrt(a * (1 - a)) * (state.p1 - state.p0)
    # E (x)_+ = S (y p + phi) over the sites with their weights
    width = state.root_alpha * np.sqrt(r)
    excess = a * y1 * state.p1 - (1 - a) * y0 * state.p0 + state.D
    told = _bits(state.q) - a * _bits(state.p1) - (1 - a) * _bits(state.p0)
    return {
        "alpha": alpha,
        "threshold": state.threshold,
        "m": m,
        "q": state.q,
        "r": r,
        "C": C,
        "active_firing": state.p1,
        "silent_firing": state.p0,
        "energy": m**2 / 2 + alpha * r * C / 2 - width * excess,
        "information": alpha * told,
        "fold": state.fold,
        "residual": residual,
    }


def _bits(p):
    return (entr(p) + entr(1 - p)) / np.log(2)


def _highest(a):
    """Places (y1, y0) of the largest sqrt(alpha) on a coarse grid, one for each activity."""
    found = []
    for one in a:
        # y0 grows as sqrt(2 ln(1/a)) for a -> 0, and y1 so for a -> 1
        sides = [np.linspace(-1, 4 + np.sqrt(-2 * np.log(part)), 201) for part in (1 - one, one)]
        plane = np.stack(np.meshgrid(*sides, indexing="ij"), axis=-1)
        far = plane.sum(axis=-1) > 0.5  # nearer to M = 0 rounding spoils sqrt(alpha)
        height = np.where(far, _of(plane, one).root_alpha, -np.inf)
        found.append(plane[np.unravel_index(height.argmax(), height.shape)])
    return np.reshape(found, (-1, 2))


def _solved(a, loads, thresholds):
    """All solutions at (a, alpha, theta): place of each among the points, and its values."""

    def errors(x, a, alpha, threshold):
        state = _of(x, a)
        with np.errstate(invalid="ignore", divide="ignore"):
            by_load = np.log(state.root_alpha**2 / alpha)
        off = np.stack([by_load, state.threshold - threshold], axis=1)
        return np.where((state.root_alpha > 0)[:, None], off, np.nan)

    def signed(state, alpha, threshold):
        return state.root_alpha - np.sqrt(alpha), state.threshold - threshold

    # in the perfect state y1 + y0 = 1/sqrt(a alpha); rounded up, so that grids can be shared
    highest = 8 ** np.ceil(np.log(15 + 1.5 / np.sqrt(a * loads)) / np.log(8))
    places, x, residual = _crossings(errors, signed, highest, a, loads, thresholds)
    return places, _described(x, a[places], residual)


def _ended(a, thresholds):
    """All maxima of alpha on a line of constant theta, as from `_solved`."""

    def rise(state):  # of ln sqrt(alpha) along the line
        with np.errstate(invalid="ignore", divide="ignore"):
            return state.fold / (np.hypot(*state.threshold_by) * state.root_alpha)

    def errors(x, a, threshold):
        state = _of(x, a)
        off = np.stack([rise(state), state.threshold - threshold], axis=1)
        return np.where((state.root_alpha > 0)[:, None], off, np.nan)

    def signed(state, threshold):
        return rise(state), state.threshold - threshold

    highest = np.full(a.size, _HIGHEST_END)
    places, x, residual = _crossings(errors, signed, highest, a, thresholds)
    # fold is the derivative of sqrt(alpha) along the line, in the direction (theta_0, -theta_1)
    t1, t0 = _of(x, a[places]).threshold_by
    step = 1e-5 * np.stack([t0, -t1], axis=1) / np.hypot(t1, t0)[:, None]
    falls = _of(x + step, a[places]).fold < _of(x - step, a[places]).fold
    return places[falls], _described(x[falls], a[places[falls]], residual[falls])


def _crossings(errors, signed, highest, a, *parameters):
    """All zeros of two functions in the plane, for each place (point,) of the parameters.

    errors: as for `newton`; signed: takes a state and the parameters of one place, returns the two
    functions, whose signs on a grid say where to start. Returns place, x and residual (zero,).
    """
    starts, places = [np.empty((0, 2))], [np.empty(0, dtype=int)]
    last, state = None, None
    for place, (one, top, *given) in enumerate(zip(a, highest, *parameters, strict=True)):
        if (one, top) != last:
            side = np.sinh(np.linspace(np.arcsinh(_LOWEST), np.arcsinh(top), _LINES))
            state = _of(np.stack(np.meshgrid(side, side, indexing="ij"), axis=-1), one)
            middle = (side[1:] + side[:-1]) / 2
            last = (one, top)
        # the lines cross in or next to a cell: one of two close solutions may lie outside
        near = [binary_dilation(_changes(values)) for values in signed(state, *given)]
        rows, columns = np.nonzero(near[0] & near[1])
        starts.append(np.stack([middle[rows], middle[columns]], axis=1))
        places.append(np.full(rows.size, place))
    starts, places = np.concatenate(starts), np.concatenate(places)
    given = [values[places] for values in (a, *parameters)]
    x, residual = newton(errors, starts, *given, tolerance=1e-10)
    known = np.isfinite(x).all(axis=1)
    return _distinct(places[known], x[known], residual[known])


def _changes(values):
    """Cells of a grid of values at whose corners the sign differs, all of them being defined."""
    corners = np.stack([values[:-1, :-1], values[1:, :-1], values[:-1, 1:], values[1:, 1:]])
    return (corners.min(axis=0) < 0) & (corners.max(axis=0) > 0)


def _distinct(places, x, residual):
    """One of each group of zeros that agree."""
    keep = []
    for place in np.unique(places):
        mine = np.flatnonzero(places == place)
        chosen = []
        for index in mine[np.argsort(residual[mine], kind="stable")]:
            scale = 1 + np.abs(x[index])
            if all(np.any(np.abs(x[index] - x[other]) > _SAME * scale) for other in chosen):
                chosen.append(index)
        keep.extend(chosen)
    keep = np.array(keep, dtype=int)
    return places[keep], x[keep], residual[keep]


def _kept(found, which):
    places, values = found
    return places[which], {name: value[which] for name, value in values.items()}


def _side_by_side(places, found, size, names):
    """name -> (point, branch): the solutions of each point in the order of falling overlap."""
    order = np.lexsort((-found["m"], places))
    places = places[order]
    counts = np.bincount(places, minlength=size)
    rank = np.arange(places.size) - (np.cumsum(counts) - counts)[places]
    values = {name: np.full((size, max(1, counts.max(initial=0))), np.nan) for name in names}
    for name in names:
        values[name][places, rank] = found[name][order]
    return values


def _branched(grid, shape, values, title):
    width = next(iter(values.values())).shape[1]
    return dataset(
        grid,
        {name: (found.reshape(*shape, width), LONG_NAMES[name]) for name, found in values.items()},
        title,
        dict.fromkeys(values, ("branch",)),
        convention=_CONVENTION,
        source=_SOURCE,
        coords={
            "branch": (
                [str(number) for number in range(1, width + 1)],
                "solution, in the order of falling overlap",
            )
        },
    )
