"""Starts for the retrieval states with one step of replica symmetry breaking: tables of them.

Units and equations are those of `dense_1rsb_saddle`. At given tau = T/sqrt(ahat) the states form
one curve in B = m^(P-1)/sqrt(ahat), along which everything is single-valued: from the de
Almeida-Thouless line, B_AT(tau), where q1 - q0 begins at zero, down over the fold, where the load
is largest (the spinodal), to B -> 0. At T = 0 it begins at B -> infinity, ahat -> 0, where

    q1 - q0 = 2.114 V'(1) phi(B)^2,   u s1 = 1.0543,   s1 = 1.454 V'(1) phi(B)

with the Gaussian density phi, for every kernel: that is where the continuation starts. One table
is of the curve at T = 0, another of the part of the plane between T = 0, the spinodal and the de
Almeida-Thouless line.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.interpolate import BarycentricInterpolator, CubicSpline, RectBivariateSpline

from hopfield_sim.theory.continuation import followed, newton, roots
from hopfield_sim.theory.dense_1rsb_saddle import equations
from hopfield_sim.theory.dense_kernel import evaluate, kernel
from hopfield_sim.theory.dense_lines import at_line_end
from hopfield_sim.theory.dense_saddle import saddle_at

# ln of C/phi, (q1 - q0)/(V'(1) phi^2) and u V'(1) phi for B -> infinity at T = 0
_FAR = np.log([0.4670, 2.1143, 0.7251])
# B of the table at T = 0. Beyond the first q1 - q0 < 1e-140, below the last q0 < 1e-4.
LARGEST_FIELD, SMALLEST_FIELD = 18.0, 0.01
_FIELDS = np.concatenate(
    [
        [18.0, 13.0, 10.0, 8.0, 6.5, 5.5, 4.5, 4.0, 3.5],
        np.linspace(3, 0.6, 17),
        np.geomspace(0.55, 0.01, 17),
    ]
)
# t = T/T_AT of the table between T = 0 and the de Almeida-Thouless line
_LEVELS = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 0.92, 0.98])
# kink of its lowest points over that where the line ends, and large signals y = B/sqrt(V(q))
_BEYOND_END = np.array([1.1, 1.05, 1.0])
_SIGNALS = np.array([3.0, 3.4, 4.0, 5.0, 6.5, 9.0, 13.0, 18.0])
# Of the errors of a state, and of those in the tables, which are starts only.
TOLERANCE, _ROUGH = 1e-11, 1e-6
# Starts for delta, which vanishes at t = 1, are those at this t where it is larger.
_CLOSEST = 0.998
PLACES = 400
# Of the tau where the de Almeida-Thouless line ends; beyond it q1 - q0 < 1e-3 at the spinodal.
HOTTEST = 0.999
# Relative difference of the unknowns for derivatives: their truncation of 1e-5 costs Newton's
# method a step, while rounding would cost it its direction close to the de Almeida-Thouless line.
DIFFERENCE = 1e-5


def _scaled(logarithms, B):
    """Without what diverges for B -> infinity."""
    return logarithms + np.multiply.outer(np.square(B) / 2, (1, 2, -1))


def _unscaled(scaled, B):
    return scaled - np.multiply.outer(np.square(B) / 2, (1, 2, -1))


def log_load(found, B, P):
    """ln ahat of a State at B."""
    with np.errstate(all="ignore"):
        return 2 * ((P - 1) * np.log(found.m) - np.log(B))


@cache
def _cold(P, normalisation):
    """Splines over ln B at T = 0: of the scaled logarithms, of ln ahat and of f."""

    def errors(x, B):
        return equations(x, B, np.zeros(B.size), P, normalisation)[0]

    steepness = np.log(evaluate(kernel(P, normalisation).slope, 1.0))
    start = _FAR + steepness * np.array([0, 1, -1]) + np.log(2 * np.pi) * np.array([-0.5, -1, 0.5])
    first, _ = newton(errors, _unscaled(start, _FIELDS[:1]), _FIELDS[:1])
    found, _ = followed(
        lambda x, B: errors(_unscaled(x, B), B),
        _scaled(first, _FIELDS[:1])[0],
        _FIELDS,
        tolerance=_ROUGH,
        enough=_ROUGH,
    )
    if np.isnan(found).any():
        raise ArithmeticError(f"the curve at T = 0 was lost at P = {P}")
    fields, found = _FIELDS[::-1], found[::-1]
    states = equations(_unscaled(found, fields), fields, np.zeros(fields.size), P, normalisation)[1]
    values = (found, log_load(states, fields, P), states.free_energy)
    return tuple(CubicSpline(np.log(fields), one) for one in values)


class _Warm(NamedTuple):
    """Splines of the table at T > 0."""

    marginal: CubicSpline  # ln B -> ln tau_AT + B^2/2
    fields: tuple[float, float]  # the range of B
    logarithms: list[RectBivariateSpline]  # (ln B, t): scaled, that of delta without ln(1 - t)
    load: RectBivariateSpline  # ln ahat
    free_energy: RectBivariateSpline


@cache
def _warm(P, normalisation):
    B, marginal = _marginal(P, normalisation)

    def errors(x, B, t, marginal):
        return equations(_opened(x, B, t), B, t * marginal, P, normalisation)[0]

    levels = [_cold(P, normalisation)[0](np.log(B))]
    for place, t in enumerate(_LEVELS[1:], start=1):
        known = _LEVELS[max(place - 3, 0) : place]
        ahead = BarycentricInterpolator(known, levels[-known.size :]) if place > 1 else None
        guess = ahead(t) if ahead else levels[0]
        found, _ = newton(
            errors,
            guess,
            B,
            np.full(B.size, t),
            marginal,
            tolerance=_ROUGH,
            difference=DIFFERENCE,
            enough=_ROUGH,
        )
        if np.isnan(found).any():
            raise ArithmeticError(f"states at T = {t:g} T_AT were lost at P = {P}")
        levels.append(found)
    states = [
        equations(_opened(level, B, t), B, t * marginal, P, normalisation)[1]
        for level, t in zip(levels, _LEVELS, strict=True)
    ]
    place = np.log(B)

    def spline(values):
        """(level, point) continued to t = 1, where the equations are degenerate."""
        end = BarycentricInterpolator(_LEVELS[-4:], values[-4:])(1.0)
        return RectBivariateSpline(place, np.append(_LEVELS, 1.0), np.vstack([values, end]).T)

    return _Warm(
        marginal=CubicSpline(place, np.log(marginal) + B**2 / 2),
        fields=(B[0], B[-1]),
        logarithms=[spline(np.array(levels)[:, :, i]) for i in range(3)],
        load=spline(np.array([log_load(one, B, P) for one in states])),
        free_energy=spline(np.array([one.free_energy for one in states])),
    )


def _opened(x, B, t):
    """Logarithms of C, delta, u from the scaled ones of the table."""
    closing = np.log1p(-np.minimum(t, _CLOSEST))
    return _unscaled(x, B) + np.multiply.outer(closing, (0, 1, 0))


@cache
def line_end(P, normalisation):
    """y, w and tau where the de Almeida-Thouless line ends on the spinodal; see `dense_saddle`."""
    end = at_line_end(P, normalisation)
    ahat, T, m, q = (float(end[name]) for name in ("reduced_load", "temperature", "m", "q"))
    width = np.sqrt(ahat * evaluate(kernel(P, normalisation).variance, q))
    return m ** (P - 1) / width, T / width, T / np.sqrt(ahat)


def _marginal(P, normalisation):
    """B and tau of points on the de Almeida-Thouless line, B rising, from beyond its end on the
    spinodal to LARGEST_FIELD."""
    y_end, w_end, _ = line_end(P, normalisation)

    def excess(log_kink, signal):
        return np.log(saddle_at(signal, np.exp(log_kink), P, normalisation).at_ratio)

    # The ratio is of order (P-1) exp(-y^2/2)/kink.
    near_end = y_end + (3 - y_end) * np.linspace(0, 1, 15)[1:-1] ** 2
    signals = np.concatenate([near_end, _SIGNALS])
    log_kinks = roots(excess, -(signals**2) / 2 - 8, np.log(w_end), signals)
    beyond = np.log(w_end * _BEYOND_END)
    lowest = roots(lambda y, w: excess(w, y), y_end / 2, y_end * 1.5, beyond)
    y, w = np.append(lowest, signals), np.exp(np.append(beyond, log_kinks))
    found = saddle_at(y, w, P, normalisation)
    unit = np.sqrt(found.reduced_load)
    return y * found.b / unit, found.temperature / unit


def near(B, tau, P, normalisation):
    """Start for ln C, ln delta, ln u at B and tau, all points at tau = 0 or none."""
    if not tau.any():
        return _unscaled(_cold(P, normalisation)[0](np.log(B)), B)
    warm = _warm(P, normalisation)
    t = tau * np.exp(B**2 / 2 - warm.marginal(np.log(B)))
    scaled = np.stack([one.ev(np.log(B), t) for one in warm.logarithms], axis=1)
    return _opened(scaled, B, t)


def curves(tau, P, normalisation):
    """ln B (point, place), rising, and the table's ln ahat and f there, up to B_AT(tau)."""
    if not tau.any():
        places = np.linspace(np.log(SMALLEST_FIELD), np.log(LARGEST_FIELD), PLACES)
        values = (places, *(spline(places) for spline in _cold(P, normalisation)[1:]))
        return tuple(np.broadcast_to(one, (tau.size, PLACES)) for one in values)
    warm = _warm(P, normalisation)
    fine = np.linspace(*np.log(warm.fields), 20 * PLACES)
    # tau_AT falls as B rises
    marginal = (warm.marginal(fine) - np.exp(2 * fine) / 2)[::-1]
    top = np.interp(np.log(tau), marginal, fine[::-1])
    places = fine[0] + np.linspace(0, 1, PLACES) * (top - fine[0])[:, None]
    t = tau[:, None] * np.exp(np.exp(2 * places) / 2 - warm.marginal(places))
    t = np.minimum(t, 1)
    return places, warm.load.ev(places, t), warm.free_energy.ev(places, t)
