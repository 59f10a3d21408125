"""The solutions of P-body networks besides the stable retrieval state, P >= 3, on plain arrays.

Unstable ones with m > 0. At fixed T > 0 they lie on the part of the curve of all solutions
between the spinodal and the solution of no load with the smaller root m of m = tanh(m^(P-1)/T).
There the noise width b decreases from its value at the spinodal to zero, so with w = T/b the
signal y is the smaller root of

    M(y, w)^(P-1)/y = b,   M = E tanh((y + z)/w),

whose left side rises to one maximum in ln y and falls. Along ln b the load has one or three
monotone pieces, whose ends are roots of D (`dense_saddle`), and each piece one solution of a load
between its ends: from the spinodal on, a saddle towards the glass, one unstable in two
directions, and a saddle towards the paramagnet, of overlap ~ T^(1/(P-2)).

Without overlap, m = 0: the paramagnet. Where the kernel has a constant V(0) > 0 (*full*, odd P)
it feels a random field and q > 0 is the smallest root of q = E tanh^2(b z/T), b^2 = ahat V(q);
with w = T/b this is ahat = T^2/(w^2 V(Q(w))), explicit in w.
"""

from functools import cache

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dense_kernel import evaluate, kernel
from hopfield_sim.theory.dense_saddle import (
    fold,
    no_load_fold,
    rounding,
    saddle_at,
    thermodynamics,
)
from hopfield_sim.theory.quadrature import thermal_averages

PIECES = 3
# The average E tanh has an absolute error of 1e-16; an overlap smaller than this would be wrong in
# its digits, and is not given for T > 0. (At T = 0 it is an error function.)
SMALLEST_OVERLAP = 1e-5
_COLDEST = 1e-60  # below it the limit T -> 0 is exact to rounding
_NODES = 128
_POLISHING = 5
_LONGEST_STEP = 0.3
_TOLERANCE = 1e-10


def unstable_at(reduced_load, temperature, interaction, normalisation):
    """The unstable solutions with m > 0 in order of decreasing overlap.

    Args:
        reduced_load, temperature: (point,).

    Returns:
        y and w, each (piece, point), NaN where there are fewer solutions.
    """
    y, w = np.full((2, PIECES, reduced_load.size), np.nan)
    exists = temperature < no_load_fold(interaction)[1]
    cold = np.flatnonzero(exists & (temperature <= _COLDEST))
    y[0, cold], w[0, cold] = _frozen(reduced_load[cold], interaction, normalisation)
    for T in np.unique(temperature[exists & (temperature > _COLDEST)]):
        points = np.flatnonzero(temperature == T)
        y[:, points], w[:, points] = _at_temperature(
            reduced_load[points], T, interaction, normalisation
        )
    # Where there is one solution only it is the first, whichever piece it came from.
    order = np.argsort(np.isnan(y), axis=0, kind="stable")
    return np.take_along_axis(y, order, axis=0), np.take_along_axis(w, order, axis=0)


def _frozen(reduced_load, interaction, normalisation):
    """T = 0: q = 1, and the load decreases with y from the spinodal to y = 0."""
    P, (y_fold, _, top) = interaction, fold(np.zeros(1), interaction, normalisation)
    y = np.full(reduced_load.size, np.nan)
    below = np.flatnonzero(reduced_load < top.reduced_load)
    goal = reduced_load[below]
    # m <= y sqrt(2/pi), so ahat <= (2/pi)^(P-1) y^(2P-4).
    lower = (goal * (np.pi / 2) ** (P - 1)) ** (1 / (2 * P - 4)) * (1 - 1e-12)

    def excess(y, goal):
        there = saddle_at(y, np.zeros_like(y), interaction, normalisation)
        return np.log(there.reduced_load / goal)

    y[below] = roots(excess, np.minimum(lower, y_fold), y_fold, goal)
    return y, np.where(np.isfinite(y), 0.0, np.nan)


def _signal_limit(kink, interaction):
    """y (point,) where M^(P-1)/y is largest, (P-1) d ln M/d ln y = 1."""

    def slope(y, w):
        average = thermal_averages(y, 1.0, w)
        return (interaction - 1) * y * average.slope / average.tanh - 1

    scale = np.hypot(1, kink)
    return roots(slope, 1e-3 * scale, 8 * scale, kink)


def _signal(log_width, temperature, interaction):
    """The smaller root y (point,) for the noise width b = exp(log_width) (point,), and w = T/b."""
    P, w = interaction, temperature / np.exp(log_width)
    upper = _signal_limit(w, interaction)
    # M <= y/max(w, sqrt(pi/2)), so b <= y^(P-2)/max(...)^(P-1).
    steepest = np.log(np.maximum(w, np.sqrt(np.pi / 2)))
    lower = np.exp((log_width + (P - 1) * steepest) / (P - 2)) * (1 - 1e-9)

    def excess(y, w, log_width):
        average = thermal_averages(y, 1.0, w)
        return (P - 1) * np.log(average.tanh) - np.log(y) - log_width

    # At the spinodal for T -> 0 both roots meet in the maximum; there it may lie below b, rounded.
    inside = (lower < upper) & (excess(upper, w, log_width) > 0)
    y = upper.copy()
    y[inside] = roots(excess, lower[inside], upper[inside], w[inside], log_width[inside])
    return y, w


def _at_temperature(reduced_load, temperature, interaction, normalisation):
    """y and w (piece, point) at one temperature."""
    P = interaction

    def along(log_width):
        y, w = _signal(log_width, temperature, interaction)
        return y, w, saddle_at(y, w, interaction, normalisation)

    y_fold, _, top = fold(np.array([temperature]), interaction, normalisation)
    # At no load a = B/T is the root of tanh(a)^(P-1)/a = T below the fold, and tanh(a) <= a.
    log_a = roots(
        lambda log_a: (P - 1) * np.log(np.tanh(np.exp(log_a))) - log_a - np.log(temperature),
        np.log(temperature) / (P - 2) - 1e-9,
        np.log(no_load_fold(P)[0]),
    )[0]
    least = evaluate(kernel(interaction, normalisation).variance, np.tanh(np.exp(log_a)) ** 2)
    lowest = np.log(reduced_load.min() * least) / 2 - 1
    # m >= max(T, b sqrt(pi/2))^(1/(P-2)), which shall be an overlap that is resolved.
    if temperature < SMALLEST_OVERLAP ** (P - 2):
        lowest = max(lowest, (P - 2) * np.log(SMALLEST_OVERLAP))
    highest = np.log(top.b[0])
    nodes = np.linspace(highest, min(lowest, highest - 1), _NODES)
    # Along the curve the load changes as D does; from the spinodal, where D = 0, it decreases.
    bends = along(nodes[1:])[2].determinant > 0
    change = np.flatnonzero(bends[1:] != bends[:-1]) + 1

    def determinant(log_width):
        return along(log_width)[2].determinant

    bounds = [nodes[:1], roots(determinant, nodes[change], nodes[change + 1]), nodes[-1:]]
    bounds = np.concatenate(bounds)
    # All places in order, the bounds of the pieces among them; y, w and the load there.
    places = np.sort(np.unique(np.concatenate([nodes, bounds])))[::-1]
    signals, kinks, there = along(places)
    loads = np.log(there.reduced_load)

    def excess(log_width, log_load):
        return np.log(along(log_width)[2].reduced_load) - log_load

    y, w = np.full((2, PIECES, reduced_load.size), np.nan)
    goal = np.log(reduced_load)
    for piece in range(min(PIECES, bounds.size - 1)):
        part = slice(*np.searchsorted(-places, -bounds[piece : piece + 2]) + [0, 1])
        sign = 1 if loads[part][-1] > loads[part][0] else -1
        inside = (goal - loads[part][0]) * (goal - loads[part][-1]) < 0
        points = np.flatnonzero(inside)
        # The place before the load, along the piece, whose loads are monotone.
        before = np.searchsorted(sign * loads[part], sign * goal[points], side="right") - 1
        before = part.start + np.clip(before, 0, part.stop - part.start - 2)
        share = (goal[points] - loads[before]) / (loads[before + 1] - loads[before])
        near = [
            np.exp((1 - share) * np.log(values[before]) + share * np.log(values[before + 1]))
            for values in (signals, kinks)
        ]
        found = _polished(*near, reduced_load[points], temperature, interaction, normalisation)
        width = np.log(temperature / found[1])
        left = (width < places[before + 1]) | (width > places[before]) | (found[2] > _TOLERANCE)
        place = roots(excess, places[before + 1][left], places[before][left], goal[points][left])
        near = along(place)[:2]
        finished = _polished(
            *near, reduced_load[points][left], temperature, interaction, normalisation
        )
        for values, known, more in zip((y, w), found, finished, strict=False):
            known[left] = more
            values[piece, points] = known
    return y, w


def _polished(y, w, reduced_load, temperature, interaction, normalisation):
    """Plain Newton steps in (ln y, ln w), each kept where it lowers the error: y, w, the error."""

    def errors(y, w):
        here = saddle_at(y, w, interaction, normalisation)
        heat = np.log(here.temperature / temperature)
        load = np.log(here.reduced_load / reduced_load)
        return here, load, heat, np.maximum(np.abs(load), np.abs(heat))

    here, load, heat, error = errors(y, w)
    for _ in range(_POLISHING):
        with np.errstate(all="ignore"):
            step_y = (here.load_kink * heat - here.temperature_kink * load) / here.determinant
            step_w = (here.temperature_signal * load - here.load_signal * heat) / here.determinant
        small = np.maximum(np.abs(step_y), np.abs(step_w)) < _LONGEST_STEP
        trial_y = y * np.exp(np.where(small, step_y, 0))
        trial_w = w * np.exp(np.where(small, step_w, 0))
        better = errors(trial_y, trial_w)[-1] < error
        y, w = np.where(better, trial_y, y), np.where(better, trial_w, w)
        here, load, heat, error = errors(y, w)
    return y, w, error


# --- no overlap ----------------------------------------------------------------------------------


def paramagnet(reduced_load, temperature, interaction, normalisation):
    """The solution m = 0 of smallest q: points that have it and name -> array at these.

    With V(0) = 0 it is q = 0, C = 1/T, at every T > 0: f = -T ln 2 - xi(1)/(2 T).
    """
    shape = kernel(interaction, normalisation)
    if shape.variance[0] == 0:
        points = np.flatnonzero(temperature > 0)
        load, T = reduced_load[points], temperature[points]
        zero = np.zeros(points.size)
        with np.errstate(over="ignore", divide="ignore"):
            C, at_ratio = 1 / T, load * shape.slope[0] / T / T
        spins = zero + np.log(2)
        state = (zero, zero, C, spins, at_ratio)
    else:
        points = np.arange(reduced_load.size)
        load, T = reduced_load, temperature
        w = _random_field_kink(T / np.sqrt(load), interaction, normalisation)
        average = thermal_averages(0.0, 1.0, w)
        q = average.tanh_squared
        b = np.sqrt(load * evaluate(shape.variance, q))
        with np.errstate(over="ignore", divide="ignore"):
            at_ratio = load * evaluate(shape.slope, q) * average.sech_fourth / (b * T)
        at_ratio[T == 0] = np.inf
        state = (np.zeros(q.size), q, average.slope / b, average.entropy, at_ratio)
    found = thermodynamics(load, T, *state, interaction, normalisation)
    return points, found


def _random_field_kink(ratio, interaction, normalisation):
    """The largest w (point,) with w sqrt(V(Q(w))) = ratio = T/sqrt(ahat) (point,)."""
    coefficients = kernel(interaction, normalisation).variance

    def height(w, goal):
        return (
            w * np.sqrt(evaluate(coefficients, thermal_averages(0.0, 1.0, w).tanh_squared)) - goal
        )

    top, bottom = _random_field_bend(interaction, normalisation)
    goal = height(np.array([bottom]), 0.0)[0] if bottom else 0.0
    above = ratio >= goal
    lower = np.where(above, np.maximum(ratio, bottom), ratio)
    upper = np.where(above, np.maximum(ratio / np.sqrt(coefficients[0]), bottom), top)
    # Bounds that are themselves the root, when T = 0 or q is 0 or 1 to rounding.
    upper *= 1 + rounding(interaction)
    w = np.zeros(ratio.size)
    points = np.flatnonzero(ratio > 0)
    lower = np.where(lower > bottom, lower * (1 - rounding(interaction)), lower)
    w[points] = roots(height, lower[points], upper[points], ratio[points])
    return w


@cache
def _random_field_bend(interaction, normalisation):
    """w of the maximum and of the minimum of w sqrt(V(Q(w))), zeros where it only increases."""
    shape = kernel(interaction, normalisation)

    def slope(w):
        average = thermal_averages(0.0, 1.0, w)
        q = average.tanh_squared
        # d ln Q/d ln w = -d ln Q/d ln b
        change = q * evaluate(shape.slope, q) / evaluate(shape.variance, q)
        return 1 - change * average.square_width / (2 * q)

    w = np.geomspace(1e-2, 1e3, 400)
    change = np.flatnonzero(np.diff(np.sign(slope(w))))
    if not change.size:
        return 0.0, 0.0
    return tuple(roots(slope, w[change], w[change + 1]))
