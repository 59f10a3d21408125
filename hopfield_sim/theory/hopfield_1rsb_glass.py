"""The glass of the Hopfield network, m = 0, with one step of replica symmetry breaking, on plain
arrays.

In the notation of `hopfield_1rsb_saddle` the unknowns are s = S/A, kappa and A, with

    S = A s,   D = sqrt(alpha q0)/A,   A = sqrt(alpha q0) + A (C + mu (q1 - q0)).

Without a field there is a second solution, q0 = A = 0, of states in no relation with one another.
It has the lower free energy of the two; and as overlaps maximise the free energy in the limit of
no replicas, that with q0 > 0 is the right one: at q0 = 0 the free energy is unstable,
1 - (alpha/D^2) E (d<tanh>/dh)^2 < 0. Both become the spin glass of Sherrington and
Kirkpatrick for alpha -> infinity in units of sqrt(alpha) J: -0.7652 with q0 = 0.4768 and -0.7692.
"""

from functools import cache

import numpy as np
from scipy.interpolate import CubicSpline

from hopfield_sim.theory.continuation import followed
from hopfield_sim.theory.hopfield_1rsb_averages import group_averages, ungrouped_averages
from hopfield_sim.theory.hopfield_1rsb_saddle import (
    MERGED,
    checked,
    looked_up,
    rate_error,
    rates,
    relative_errors,
    saddle_of,
    solutions_near,
    warmed,
)

# Below the first kappa ~ sqrt(alpha) lets the equation of x cancel; above the last the energy, of
# order sqrt(alpha), drowns in the rounding of alpha.
_SMALLEST_LOAD, _LARGEST_LOAD = 1e-4, 1e8
_LOADS = np.geomspace(_SMALLEST_LOAD, _LARGEST_LOAD, 19)
# Near the glass at alpha = 0.05, T = 0, and near that of unrelated states at any load, T = 0.
_START = (-0.508, 0.365, -0.342)
_UNRELATED_START = (-0.17, -0.1)
# Powers of 1 - T/T_g with which the exponentials of the unknowns go to zero.
_POWERS = np.array([0.0, 1.5, 0.5])
_POWERS_UNRELATED = np.array([1.5, 0.5])


def glass_at(unknowns, alpha, temperature):
    """The Saddle with m = 0 and q0 > 0, and the errors (point, 3) of its equations.

    Args:
        unknowns: logarithms of s, kappa (1 + sqrt alpha)/sqrt alpha and A/(1 + sqrt alpha), which
            are of order one at every load and below T_g, (point, 3).
        alpha, temperature: (point,).
    """
    inside = (np.abs(unknowns) < 20).all(axis=1)
    s, A = np.exp(np.where(inside[:, None], unknowns[:, [0, 2]], 0.0)).T
    merged = 1 + np.sqrt(alpha)
    kappa, allowed = rates(unknowns[:, 1] + np.log(np.sqrt(alpha) / merged))
    A = A * merged
    S = s * A
    averages = group_averages(np.zeros_like(s), s, kappa, temperature / A)
    mu = kappa / S
    noise = np.sqrt(alpha * averages.q0)
    D = noise / A
    one_minus_C = D + mu * averages.spread
    saddle = saddle_of(alpha, np.zeros_like(A), A, S, mu, averages, D, one_minus_C)
    field = (noise + (averages.slope + kappa * averages.spread) / s) / A - 1
    errors = np.stack([*relative_errors(saddle, one_minus_C), field], axis=1)
    return saddle, np.where((inside & allowed)[:, None], errors, np.nan)


def unrelated_at(unknowns, alpha, temperature):
    """The Saddle with m = q0 = 0, of states in no relation, and the errors (point, 2).

    Args:
        unknowns: logarithms of kappa (1 + sqrt alpha)/sqrt alpha and S/(1 + sqrt alpha).
        alpha, temperature: (point,).
    """
    inside = (np.abs(unknowns) < 20).all(axis=1)
    merged = 1 + np.sqrt(alpha)
    kappa, allowed = rates(unknowns[:, 0] + np.log(np.sqrt(alpha) / merged))
    S = merged * np.exp(np.where(inside, unknowns[:, 1], 0.0))
    averages = ungrouped_averages(kappa, temperature / S)
    # S^2 D (1 - C) = alpha q1 with S D = S (1 - C) - kappa q1, solved for S (1 - C).
    half = kappa * averages.spread / 2
    rest = half + np.sqrt(half**2 + alpha * averages.spread)
    D, one_minus_C = alpha * averages.spread / rest / S, rest / S
    zero = np.zeros_like(S)
    saddle = saddle_of(alpha, zero, zero, S, kappa / S, averages, D, one_minus_C)
    field = (averages.slope + rest) / S - 1
    errors = np.stack([rate_error(saddle), field], axis=1)
    return saddle, np.where((inside & allowed)[:, None], errors, np.nan)


def _kind(related):
    """The equations of the related or the unrelated states, and the powers for `warmed`."""
    return (glass_at, _POWERS) if related else (unrelated_at, _POWERS_UNRELATED)


@cache
def _cold_table(related):
    """Spline over ln alpha of the unknowns at T = 0."""
    log_loads = np.log(_LOADS)
    if not related:
        none = np.zeros_like(_LOADS)
        return CubicSpline(log_loads, solutions_near(unrelated_at, _UNRELATED_START, _LOADS, none))

    def along(unknowns, log_load):
        return glass_at(unknowns, np.exp(log_load), np.zeros_like(log_load))[1]

    start = np.searchsorted(_LOADS, 0.05)
    unknowns = np.empty((_LOADS.size, 3))
    for part in (slice(start, None), slice(start, None, -1)):
        unknowns[part], _ = followed(along, _START, log_loads[part])
    return CubicSpline(log_loads, unknowns)


@cache
def _warm_table(related):
    """Splines over (ln alpha, T/T_g) of the unknowns; see `warmed`."""
    equations, powers = _kind(related)
    log_loads = np.log(_LOADS)
    cold = _cold_table(related)(log_loads)
    return warmed(equations, cold, _LOADS, 1 + np.sqrt(_LOADS), log_loads, powers)


def glass_saddle(alpha, temperature, related=True):
    """The Saddle with m = 0 and the largest error of its equations, all (point,).

    NaN for alpha outside [1e-4, 1e8] and for T > 0.999 T_g.

    Args:
        alpha, temperature: (point,), alpha > 0, temperature >= 0.
        related: the solution with q0 > 0, else that with q0 = 0.
    """
    warmth = temperature / (1 + np.sqrt(alpha))
    inside = (alpha >= _SMALLEST_LOAD) & (alpha <= _LARGEST_LOAD)
    points = np.flatnonzero(inside & (warmth <= MERGED))
    equations, powers = _kind(related)
    place = np.log(alpha[points])
    start = _cold_table(related)(place)
    warm = np.flatnonzero(warmth[points] > 0)
    if warm.size:
        start[warm] = looked_up(_warm_table(related), place[warm], warmth[points[warm]], powers)
    unknowns = np.full((alpha.size, powers.size), np.nan)
    unknowns[points] = solutions_near(equations, start, alpha[points], temperature[points])
    return checked(equations, unknowns, alpha, temperature)
