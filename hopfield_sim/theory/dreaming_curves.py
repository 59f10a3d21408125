"""Retrieval solutions of the dreaming kernel at given load, temperature and time, on plain arrays.

For every pair of temperature and time the curve of `dreaming_saddle` is followed from small load
over its folds on nodes in ln W; a given load lies between nodes, and is found from there by
Newton's method on the explicit equations, or by a bracket next to a fold.
"""

from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dreaming_saddle import at_fold, at_load, curve, position, saddle

_STEP = 0.35  # of ln W between nodes
_MOST_FOLDS = 6
_SLACK = 1e-6
_LATE, _WARM = 1e3, 1.25  # of t and T t, above which W may turn back next to the largest load
_NONE = 1.1  # there is no retrieval at larger loads


class Curves(NamedTuple):
    """Nodes of the curves of several pairs, from small load over the fold."""

    place: np.ndarray  # (pair, node): ln W, or -ln delta, falling
    alpha: np.ndarray  # (pair, node), NaN where there is no solution
    unknown: np.ndarray  # (3, pair, node): ln kappa, s, ln delta
    fold: np.ndarray  # (pair, node): whether the node is a fold, of largest or of smallest load
    rank: int  # of the root at each place
    by_delta: bool  # what `place` is

    def broken(self):
        """Which curves have their largest load not at a fold: one was not resolved (pair,)."""
        loads = np.where(self.fold & np.isfinite(self.alpha), self.alpha, 0)
        return loads.max(axis=1) < np.nanmax(self.alpha, axis=1) * (1 - _SLACK)


def curves(temperature, t, smallest, rank=0, whole=True, by_delta=False):
    """The curves at pairs of temperature < 1 and time < inf (pair,), down to a load `smallest`.

    Args:
        rank: of the root at each place; 0 for the curve of retrieval.
        whole: down to that load again beyond the folds, or only to just beyond the last fold.
        by_delta: along delta instead of W, to the largest delta, which is beyond the fold. At
            large t and T of the order of 1/t, W turns back next to the fold, and delta does not.
    """
    if by_delta:
        highest = np.log(2) - np.log(smallest)  # alpha <= delta
        lowest = -np.log(100 * (1 + t))
    else:
        # ln W at load alpha: below -ln(i^3 sqrt(alpha)) next to the start, where delta = alpha and
        # kappa <= 1/(i sqrt(alpha)); above (5/4) ln alpha where kappa and alpha vanish as W^(1/5)
        # and W^(4/5).
        highest = np.log(2) + 3 * np.log1p(t) - np.log(smallest) / 2
        lowest = np.log(0.05) + 1.25 * np.log(smallest)
        if not whole:  # at t = 0 the fold is at W = 1.7 at T = 0, 1.7 (1 - T) near T = 1
            lowest = np.log(0.1 * (1 - temperature))
    step = _STEP / 3 if by_delta else _STEP  # the fold is next to the end in delta at T t = 1
    count = int(np.ceil((highest - lowest).max() / step)) + 1
    place = np.linspace(highest, lowest, count, axis=1)
    spread = [np.repeat(values, count) for values in (temperature, t)]
    unknown, alpha = curve(place.ravel(), *spread, rank, by_delta)
    unknown, alpha = unknown.reshape(3, -1, count), alpha.reshape(-1, count)
    return _with_folds(Curves(place, alpha, unknown, None, rank, by_delta), temperature, t)


def _with_folds(lines, temperature, t):
    places, alpha, unknown = lines.place, lines.alpha, lines.unknown
    rise = np.sign(np.diff(alpha, axis=1))
    turns = rise[:, 1:] * rise[:, :-1] == -1
    if lines.by_delta:  # the fold may lie between the last node and the end
        turns |= (rise[:, :-1] > 0) & np.isnan(rise[:, 1:])
    # The first of them, where there are more than there is room for.
    turns &= np.cumsum(turns, axis=1) <= _MOST_FOLDS
    pair, node = np.nonzero(turns)
    node += 1
    found = at_fold(unknown[:, pair, node], temperature[pair], t[pair])
    number = np.cumsum(turns, axis=1)[pair, node - 1] - 1
    reached = position(found, lines.by_delta)
    kept = (reached <= places[pair, node - 1]) & (reached >= places[pair, node + 1])
    extra = np.full((5, alpha.shape[0], _MOST_FOLDS), np.nan)
    at = saddle(found[0, kept], np.maximum(found[1, kept], 0), found[2, kept], t[pair[kept]])
    extra[:, pair[kept], number[kept]] = [reached[kept], at.alpha, *found[:, kept]]
    joined = [
        np.concatenate([values, more], axis=1)
        for values, more in zip((places, alpha, *unknown), extra, strict=True)
    ]
    fold = np.zeros(joined[0].shape, dtype=bool)
    fold[:, alpha.shape[1] :] = True
    order = np.argsort(-joined[0], axis=1)  # the places without a fold, undefined, come last
    places, alpha, *unknown = (np.take_along_axis(values, order, axis=1) for values in joined)
    return lines._replace(
        place=places,
        alpha=alpha,
        unknown=np.array(unknown),
        fold=np.take_along_axis(fold, order, axis=1),
    )


def retrieval_curves(temperature, t, smallest, whole):
    """The curves of retrieval, at large t and T t along delta as far as it goes.

    Returns:
        list of (indices of pairs, their Curves, whether a load on these has to be resolved).
    """
    late = (t > _LATE) & (temperature * t > _WARM)
    sets = [(~late, False, True), (late, True, True)]
    if whole:  # there are solutions beyond the largest delta
        sets.append((late, False, False))
    found = []
    for chosen, by_delta, needed in sets:
        if chosen.any():
            given = [values[chosen] for values in (temperature, t, smallest)]
            lines = curves(*given, whole=whole, by_delta=by_delta)
            found.append((np.flatnonzero(chosen), lines, needed))
    return found


def spinodal(temperature, t, smallest):
    """The largest load with retrieval (pair,) and the Saddle there, temperature < 1, t < inf.

    Raises:
        ArithmeticError: no fold was found.
    """
    x = np.empty((3, t.size))
    for pairs, lines, _ in retrieval_curves(temperature, t, smallest, whole=False):
        _refuse(lines.broken(), temperature[pairs], t[pairs])
        loads = np.where(lines.fold & np.isfinite(lines.alpha), lines.alpha, -np.inf)
        x[:, pairs] = lines.unknown[:, np.arange(pairs.size), loads.argmax(axis=1)]
    return saddle(x[0], np.maximum(x[1], 0), x[2], t)


def _refuse(lost, temperature, t):
    if lost.any():
        raise ArithmeticError(
            f"retrieval was not resolved at temperature = {temperature[lost][0]:g} and "
            f"dreaming_time = {t[lost][0]:g}, next to its largest load; use dreaming_time = inf "
            "for T >> 1/t, temperature = 0 for T << 1/t"
        )


def crossings(lines, alpha, pair, temperature, t, most, needed):
    """The solutions of given loads on curves, in the order of the curves.

    Args:
        lines: Curves.
        alpha, pair, temperature, t: load, index of the curve and its temperature and time (point,).
        most: number of solutions looked for at each point.
        needed: whether the first of them has to be resolved.

    Returns:
        the unknowns (3, most, point), NaN where there are fewer.

    Raises:
        ArithmeticError: a curve that is needed passes the load, but is not resolved there.
    """
    found = np.full((3, most, alpha.size), np.nan)
    # The last node with a solution before each but the first.
    known = np.where(np.isfinite(lines.alpha), np.arange(lines.alpha.shape[1]), 0)
    last = np.maximum.accumulate(known, axis=1)[:, :-1]
    after = lines.alpha[pair, 1:] - alpha[:, None]
    before = np.take_along_axis(lines.alpha, last, axis=1)[pair] - alpha[:, None]
    # A load that a node has belongs to the interval that ends there.
    crossed = (np.sign(after) * np.sign(before) < 0) | (after == 0)
    rank = np.cumsum(crossed, axis=1)
    number = np.zeros(alpha.size, dtype=int)
    lost = np.zeros(alpha.size, dtype=bool)
    for place in range(crossed.sum(axis=1).max(initial=0)):
        points = np.flatnonzero(rank[:, -1] > place)
        points = points[number[points] < most]
        node = np.argmax(rank[points] == place + 1, axis=1)
        nodes = last[pair[points], node], node + 1
        x = _between(lines, pair[points], nodes, alpha[points], temperature[points], t[points])
        good = np.isfinite(x[0])
        found[:, number[points[good]], points[good]] = x[:, good]
        number[points[good]] += 1
        lost[points[~good]] |= place == 0
    if needed:
        # Above the largest node the fold was not found, below it a crossing was.
        lost |= lines.broken()[pair] & (np.nanmax(lines.alpha, axis=1)[pair] < alpha)
        _refuse(lost & (alpha < _NONE), temperature, t)
    return found


def _between(lines, pair, nodes, alpha, temperature, t):
    """The solution of load alpha between two nodes (3, point), NaN where the curve breaks there."""
    first, second = (lines.unknown[:, pair, node] for node in nodes)
    before, after = (lines.alpha[pair, node] for node in nodes)
    upper, lower = (lines.place[pair, node] for node in nodes)
    kind = lines.rank, lines.by_delta
    share = (alpha - before) / (after - before)
    x = at_load(first + share * (second - first), np.log(alpha), temperature, t)

    reached = position(x, lines.by_delta)
    lost = np.flatnonzero(~((reached <= upper + _SLACK) & (reached >= lower - _SLACK)))
    x[:, lost] = np.nan
    # Next to a fold: from a bracket of the place.
    given = [values[lost] for values in (alpha, temperature, t)]
    ends = [curve(end[lost], *given[1:], *kind)[1] - given[0] for end in (upper, lower)]
    with np.errstate(invalid="ignore"):
        opposite = np.flatnonzero(np.sign(ends[0]) * np.sign(ends[1]) < 0)
    again = lost[opposite]
    given = [values[opposite] for values in given]

    def excess(place, alpha, temperature, t):
        reached = curve(place, temperature, t, *kind)[1] - alpha
        return np.where(np.isnan(reached), 1.0, reached)  # found to be no root below

    place = roots(excess, lower[again], upper[again], *given)
    near, reached = curve(place, *given[1:], *kind)
    x[:, again] = np.where(np.abs(reached / given[0] - 1) < _SLACK, near, np.nan)
    return x
