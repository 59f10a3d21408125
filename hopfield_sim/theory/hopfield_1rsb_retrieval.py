"""Retrieval states of the Hopfield network with one step of replica symmetry breaking, on plain
arrays.

In the notation of `hopfield_1rsb_saddle`: at a given y = m/A and temperature the unknowns are
s = S/A, kappa and m; A = m/y and the load are explicit. Along y the load has one smooth maximum,
the spinodal: the stable branch has the larger y, the unstable one the smaller. A given load is
one root in y on either side.

For y -> infinity, that is alpha -> 0, everything is exponentially close to replica symmetry:
alpha = 1/y^2, and s exp(y^2/2), kappa and T exp(y^2/2) have limits of order one, reached to
rounding at y = 8. With increasing temperature S vanishes on the de Almeida-Thouless line.
"""

from functools import cache

import numpy as np
from numpy.polynomial import chebyshev
from scipy.interpolate import CubicSpline

from hopfield_sim.theory.continuation import followed, roots
from hopfield_sim.theory.hopfield_1rsb_averages import group_averages
from hopfield_sim.theory.hopfield_1rsb_saddle import (
    MERGED,
    checked,
    looked_up,
    rates,
    relative_errors,
    saddle_of,
    scattered,
    solutions_near,
    warmed,
)
from hopfield_sim.theory.quadrature import thermal_averages

# m/A of the tables. Below the first alpha < 1e-4 on the unstable branch, and
# D = 1 - C - mu (q1 - q0) drowns in rounding; from the last one on the limit is reached.
_SIGNALS = np.geomspace(0.2, 8.0, 22)
# Where 1 - q0 = 1e-290 at T = 0: beyond, the differences from replica symmetry are no floats.
_FLOAT_SIGNAL = 25.8
# Near the solution at m/A = 2.26, T = 0: ln s + y^2/2, ln kappa, m.
_START = (-0.610, -0.0514, 0.976)
# s and kappa go to zero as (1 - T/T_R)^(1/2), m does not.
_POWERS = np.array([0.5, 0.5, 0.0])
# Bracket of the fold, nodes in it, and a load below those of both ends.
_FOLD_SIGNALS = (1.9, 2.4)
_FOLD_NODES = 16
_NEAR_FOLD = 0.133
_ROUNDING = 64 * np.finfo(float).eps


def retrieval_at(unknowns, signal, temperature):
    """The Saddle with m/A = signal, and the errors (point, 3) of its equations.

    Args:
        unknowns: ln s + y^2/2, ln kappa and m, (point, 3).
        signal, temperature: (point,).
    """
    kappa, inside = rates(unknowns[:, 1])
    m = unknowns[:, 2]
    inside &= (m > 0) & (np.abs(unknowns[:, 0]) < 20)
    s = np.exp(np.where(inside, unknowns[:, 0], 0.0) - signal**2 / 2)
    A = np.where(inside, m, 1.0) / signal
    averages = group_averages(signal, s, kappa, temperature / A)
    S = s * A
    mu = kappa / S
    one_minus_C = 1 - averages.slope / S
    D = one_minus_C - mu * averages.spread
    alpha = (A * D) ** 2 / averages.q0
    saddle = saddle_of(alpha, averages.m, A, S, mu, averages, D, one_minus_C)
    errors = np.stack([*relative_errors(saddle, one_minus_C), averages.m / m - 1], axis=1)
    return saddle, np.where(inside[:, None], errors, np.nan)


def merging(signal):
    """T/A, T and alpha (point,) at which S = 0, given m/A (point,): the de Almeida-Thouless line.

    With w = T/A, replica symmetric: w E tanh^2 = (1/w) E sech^4. The right side is 4/3 of the
    Gaussian density of m/A for w -> 0, and w -> 0.8/y for y -> 0.
    """
    narrow = 4 / 3 * np.exp(-(signal**2) / 2) / np.sqrt(2 * np.pi)

    def excess(w, signal):
        average = thermal_averages(signal, 1.0, w)
        return w * average.tanh_squared / average.sech_fourth - 1

    w = roots(excess, narrow / 2, 3 * narrow + 3 / signal * (signal < 2), signal)
    average = thermal_averages(signal, 1.0, w)
    A = average.tanh / signal
    return w, w * A, (A - average.slope) ** 2 / average.tanh_squared


@cache
def _retrieval_table():
    """Spline over ln y of ln T_R + y^2/2 and of the unknowns at T = 0."""
    _, merged, _ = merging(_SIGNALS)
    unknowns = np.empty((_SIGNALS.size, 3))

    def along(unknowns, log_signal):
        return retrieval_at(unknowns, np.exp(log_signal), np.zeros_like(log_signal))[1]

    start = np.argmin(np.abs(_SIGNALS - 2.26))
    for part in (slice(start, None), slice(start, None, -1)):
        unknowns[part], _ = followed(along, _START, np.log(_SIGNALS[part]))
    columns = np.column_stack([np.log(merged) + _SIGNALS**2 / 2, unknowns])
    return CubicSpline(np.log(_SIGNALS), columns)


@cache
def _warm_retrieval_table():
    """Splines over (ln y, T/T_R) of the unknowns; see `warmed`."""
    cold = _retrieval_table()(np.log(_SIGNALS))
    merged = np.exp(cold[:, 0] - _SIGNALS**2 / 2)
    return warmed(retrieval_at, cold[:, 1:], _SIGNALS, merged, np.log(_SIGNALS), _POWERS)


def retrieval_on(signal, temperature):
    """The Saddle with m/A = signal at a temperature, and the largest error; both (point,).

    It has to exist: T <= 0.999 T_R(signal).
    """
    place = np.log(np.minimum(signal, _SIGNALS[-1]))
    start = _retrieval_table()(place)
    log_merged, start = start[:, 0], start[:, 1:]
    warm = np.flatnonzero(temperature > 0)
    if warm.size:
        warmth = temperature[warm] / np.exp(log_merged[warm] - signal[warm] ** 2 / 2)
        start[warm] = looked_up(_warm_retrieval_table(), place[warm], warmth, _POWERS)
    x = solutions_near(retrieval_at, start, signal, temperature)
    return checked(retrieval_at, x, signal, temperature)


def _load(signal, temperature):
    return retrieval_on(signal, temperature)[0].alpha


def last_signal(temperature):
    """The largest m/A (point,) with one step of breaking at a temperature (point,).

    At T = 0 where 1 - q0 = 1e-290; else where T = 0.999 T_R, or where the limit is reached.
    """
    found = np.where(temperature == 0, _FLOAT_SIGNAL, _SIGNALS[-1])
    lowest = merging(_SIGNALS[[0, -1]])[1] * MERGED
    found[temperature >= lowest[0]] = np.nan
    points = np.flatnonzero((temperature > lowest[1]) & (temperature < lowest[0]))
    found[points] = roots(
        lambda y, T: np.log(merging(y)[1] * MERGED / T),
        _SIGNALS[0],
        _SIGNALS[-1],
        temperature[points],
    )
    return found


def fold_signal(temperature, last):
    """m/A (point,) where the load is largest at a temperature (point,), or NaN where that is
    beyond `last`: there the spinodal is replica symmetric.

    The zero of the slope of the polynomial through 16 Chebyshev nodes in the bracket. The load is
    analytic in m/A with singularities at a distance of order one, so that with the bracket's half
    width of 0.25 the polynomial is right to rounding, and its maximum to 1e-10 in m/A.
    """
    lower = _FOLD_SIGNALS[0]
    upper = np.minimum(_FOLD_SIGNALS[1], last)
    found = np.full(temperature.size, np.nan)
    inside = np.flatnonzero(upper > lower)
    half = (upper[inside] - lower) / 2
    nodes = chebyshev.chebpts1(_FOLD_NODES)
    signals = lower + half[:, None] * (1 + nodes)
    loads = _load(signals.ravel(), np.repeat(temperature[inside], _FOLD_NODES))
    loads = loads.reshape(signals.shape)
    slope = chebyshev.chebder(chebyshev.chebfit(nodes, loads.T, _FOLD_NODES - 1))
    falling = chebyshev.chebval(1.0, slope) < 0
    place = roots(
        lambda x, point: chebyshev.chebval(x, slope[:, point.astype(int)], tensor=False),
        -1.0,
        1.0,
        np.flatnonzero(falling),
    )
    found[inside[falling]] = lower + half[falling] * (1 + place)
    return found


def retrieval_saddle(alpha, temperature, stable=True):
    """The Saddle of a load at a temperature and the largest error of its equations, all (point,).

    NaN where there is none.

    Args:
        alpha, temperature: (point,), alpha > 0, temperature >= 0.
        stable: the solution of larger m, else the one that it meets at the fold.
    """
    distinct, back = np.unique(temperature, return_inverse=True)
    last = last_signal(distinct)[back]
    # Only loads next to the fold need to know where it is.
    near = np.flatnonzero((alpha > _NEAR_FOLD) & (last > _FOLD_SIGNALS[0]))
    distinct, place, back = np.unique(temperature[near], return_index=True, return_inverse=True)
    fold = fold_signal(distinct, last[near][place])[back]
    lower, upper = np.full(alpha.size, _SIGNALS[0]), last.copy()
    if stable:
        lower[:] = _FOLD_SIGNALS[1]
        lower[near] = fold
        upper[upper < lower] = np.nan
    else:
        upper = np.minimum(upper, _FOLD_SIGNALS[0])
        upper[near] = np.where(np.isnan(fold), last[near], fold)
    # A load that is the fold's own, rounded, still has its solution.
    known = np.flatnonzero(np.isfinite(lower) & np.isfinite(upper))
    ends = [_load(y[known], temperature[known]) for y in (lower, upper)]
    smallest, largest = np.minimum(*ends), np.maximum(*ends)
    inside = (alpha[known] >= smallest) & (alpha[known] <= largest * (1 + _ROUNDING))
    points = known[inside]
    wanted = np.minimum(alpha[points], largest[inside])
    signal = roots(
        lambda y, T, goal: _load(y, T) / goal - 1,
        lower[points],
        upper[points],
        temperature[points],
        wanted,
    )
    saddle, error = retrieval_on(signal, temperature[points])
    errors = np.full(alpha.size, np.nan)
    errors[points] = np.maximum(error, np.abs(saddle.alpha / alpha[points] - 1))
    found = scattered(saddle, points, alpha.size)
    if stable:
        limit = np.flatnonzero((temperature == 0) & (alpha < _FLOAT_SIGNAL**-2))
        errors[limit] = 0
        for values, value in zip(found, _symmetric_limit(alpha[limit]), strict=True):
            values[limit] = value
    return found, errors


def _symmetric_limit(alpha):
    """The Saddle at T = 0 where its difference from replica symmetry is no float."""
    last, _ = retrieval_on(np.array([_FLOAT_SIGNAL]), np.zeros(1))
    zero, one = np.zeros_like(alpha), np.ones_like(alpha)
    return last._replace(
        alpha=alpha,
        m=one,
        A=np.sqrt(alpha),
        S=zero,
        mu=np.full_like(alpha, np.inf),
        q0=one,
        spread=zero,
        C=zero,
        D=one,
        t=zero,
        excess=zero,
        entropy=zero,
        sech_fourth=zero,
        response=last.response * last.alpha / alpha,
    )
