"""The replica-symmetric saddle point of P-body networks, P >= 3, on plain arrays.

One condensed pattern gives the field h = B + b z with z Gaussian and E its average,

    B = m^(P-1),   b^2 = xi'(q) = ahat V(q)    (V: `dense_kernel`),
    m = E tanh(h/T),   q = E tanh^2(h/T),

the stationary point of the free energy per neuron, with xi(q) = integral_0^q xi',

    f = -[xi(1) - xi(q) - (1 - q) xi'(q)]/(2 T) + ((P-1)/P) m^P - T E ln 2cosh(h/T).

In terms of the signal y = B/b and the kink w = T/b, both averages are functions of (y, w) alone:

    m = E tanh((y + z)/w),  q = E tanh^2((y + z)/w),   b = m^(P-1)/y,  T = w b,  ahat = b^2/V(q).

So every (y, w) is a saddle point, explicitly, of the load and temperature that it gives, down to
w = T = 0 and for every kernel V. The plane of all solutions is folded where

    D = d(ln T, ln ahat)/d(ln w, ln y) = 0,

and D < 0 on the sheet of the stable retrieval states, which begins at y -> infinity (no load,
m -> 1 or tanh(m^(P-1)/T)) and ends at the fold of largest y for each w, the spinodal. Along it T
increases with w; its load rises to a maximum, the nose, and falls to zero as w -> infinity.
(Checked for P = 3..150, both normalisations; a sample of it in the tests.)

Sources: E. Gardner, J. Phys. A 20 (1987) 3453 (the saddle point); the parametrisation and the
mixed kernels are derived here, checked by iteration of the equations and by finite differences.
"""

from functools import cache
from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dense_kernel import evaluate, kernel
from hopfield_sim.theory.quadrature import thermal_averages

LONG_NAMES = {
    "m": "overlap with the condensed pattern",
    "q": "Edwards-Anderson order parameter",
    "C": "susceptibility (1 - q)/T",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "replicon": "1 minus the de Almeida-Thouless ratio; replica symmetry is stable where positive",
    "residual": "largest error of the saddle-point equations",
}
_UNITS = "alpha = K/N^(P-1); T and energies in units of J, k_B = 1; constants of H dropped"
CONVENTION = {
    "distinct": "H = -[(P-1)!/N^(P-1)] sum_mu sum_(i1<...<iP) xi_i1...xi_iP s_i1...s_iP "
    f"(distinct), ahat = alpha (P-1)!; {_UNITS}",
    "full": f"H = -(N/P) sum_mu m_mu^P (full), ahat = alpha (2P-3)!!; {_UNITS}",
}
SOURCE = (
    "Gardner, J. Phys. A 20 (1987) 3453 (distinct, T = 0 of full); full at T > 0 derived here, "
    "checked by iteration and finite differences"
)
# Table of the fold: kinks w from T = 0 to where its load is some 1e-10 and its temperature that
# of no load, less 1e-10, so that neighbours still differ by more than rounding.
_FOLD_KINKS = np.concatenate([[0.0], np.geomspace(1e-4, 1e5, 361)])
_FOLD_STEP = 0.97  # smaller than the gap to the next fold, which at P = 150 is 0.88
_FOLD_ROOM = 0.01  # of the fold's y between neighbours in the table: it changes by less
_NEWTON_STEPS = 60
_LONGEST_STEP = 0.5


class Saddle(NamedTuple):
    """A solution with b > 0, arrays (point,); slopes are logarithmic derivatives."""

    m: np.ndarray
    q: np.ndarray
    b: np.ndarray  # width of the cross-talk noise
    temperature: np.ndarray
    reduced_load: np.ndarray
    C: np.ndarray  # (1 - q)/T
    entropy: np.ndarray  # of the spins in their fields
    at_ratio: np.ndarray  # (1/T^2) xi''(q) E sech^4(h/T); infinite at T = 0
    temperature_signal: np.ndarray  # d ln T/d ln y
    temperature_kink: np.ndarray  # d ln T/d ln w
    load_signal: np.ndarray  # d ln ahat/d ln y
    load_kink: np.ndarray  # d ln ahat/d ln w

    @property
    def determinant(self):
        """D of the module's docstring: negative on the retrieval sheet, zero on its spinodal."""
        return self.temperature_kink * self.load_signal - self.temperature_signal * self.load_kink


def saddle_at(signal, kink, interaction, normalisation):
    """The Saddle at y = signal > 0 and w = kink >= 0, arrays (point,); one P, one kernel."""
    P, shape = interaction, kernel(interaction, normalisation)
    average = thermal_averages(signal, 1.0, kink)
    m, q = average.tanh, average.tanh_squared
    # The averages depend on ratios of (y, 1, w) only; hence their derivatives by ln w.
    m_y = signal * average.slope / m
    m_w = -m_y - average.slope_z / m
    q_y = signal * average.square_mean / q
    q_w = -q_y - average.square_width / q
    variance = evaluate(shape.variance, q)
    power = q * evaluate(shape.slope, q) / variance  # d ln V/d ln q
    b = m ** (P - 1) / signal
    b_y, b_w = (P - 1) * m_y - 1, (P - 1) * m_w
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        at_ratio = np.where(kink == 0, np.inf, power * average.sech_fourth / (q * kink))
    return Saddle(
        m=m,
        q=q,
        b=b,
        temperature=kink * b,
        reduced_load=b**2 / variance,
        C=average.slope / b,
        entropy=average.entropy,
        at_ratio=at_ratio,
        temperature_signal=b_y,
        temperature_kink=1 + b_w,
        load_signal=2 * b_y - power * q_y,
        load_kink=2 * b_w - power * q_w,
    )


# --- the fold ------------------------------------------------------------------------------------


@cache
def no_load_fold(interaction):
    """B/T and T where m = tanh(m^(P-1)/T) loses its solutions, the end of retrieval at no load.

    T = tanh(a)^(P-1)/a with a = B/T is largest where 2 (P-1) a = sinh 2a; at P = 2 for a -> 0.
    """
    if interaction == 2:
        return 0.0, 1.0
    a = roots(lambda a: 2 * (interaction - 1) * a / np.sinh(2 * a) - 1, 1e-3, 10.0)[0]
    return a, np.tanh(a) ** (interaction - 1) / a


def rounding(interaction):
    """Relative rounding of a load at the fold, with room: that of m^(2P-2)."""
    return 16 * interaction * np.finfo(float).eps


def _scale(kink):
    """The signal at the fold is of this order: y ~ 1 for w -> 0, y/w ~ 1 for w -> infinity."""
    return np.hypot(1, kink)


def _fold_between(lower, upper, kink, interaction, normalisation):
    def determinant(y, w):
        return saddle_at(y, w, interaction, normalisation).determinant

    return roots(determinant, lower, upper, kink)


@cache
def _fold_table(interaction, normalisation):
    """y/scale, T and ahat of the spinodal at the kinks `_FOLD_KINKS`."""
    w = _FOLD_KINKS
    # Above sqrt(2 ln P) + 1.5 there is no fold; go down to the first.
    upper = np.full(w.size, np.sqrt(2 * np.log(interaction)) + 1.5) * _scale(w)
    lower, open_ = upper.copy(), np.arange(w.size)
    while open_.size:
        upper[open_] = lower[open_]
        lower[open_] *= _FOLD_STEP
        there = saddle_at(lower[open_], w[open_], interaction, normalisation)
        open_ = open_[there.determinant < 0]
    y = _fold_between(lower, upper, w, interaction, normalisation)
    found = saddle_at(y, w, interaction, normalisation)
    return y / _scale(w), found.temperature, found.reduced_load


def fold_signal(kink, interaction, normalisation):
    """y (point,) of the spinodal at w = kink (point,)."""
    ratios, _, _ = _fold_table(interaction, normalisation)
    place = np.clip(np.searchsorted(_FOLD_KINKS, kink, side="right") - 1, 0, len(ratios) - 2)
    ends = np.stack([ratios[place], ratios[place + 1]])
    lower = (1 - _FOLD_ROOM) * ends.min(axis=0) * _scale(kink)
    upper = (1 + _FOLD_ROOM) * ends.max(axis=0) * _scale(kink)
    return _fold_between(lower, upper, kink, interaction, normalisation)


def fold_at(kink, interaction, normalisation):
    """The signal and the Saddle on the spinodal at w = kink (point,)."""
    y = fold_signal(kink, interaction, normalisation)
    return y, saddle_at(y, kink, interaction, normalisation)


def fold(temperature, interaction, normalisation):
    """The spinodal at given temperatures: y, w and its Saddle.

    Args:
        temperature: (point,), from 0 to below that of `no_load_fold`.
    """
    distinct, back = np.unique(temperature, return_inverse=True)
    _, table, _ = _fold_table(interaction, normalisation)
    # Beyond the table the distance to the temperature at no load is proportional to 1/w^2.
    end = no_load_fold(interaction)[1]
    beyond = distinct > table[-1]
    w = np.zeros(distinct.size)
    w[beyond] = _FOLD_KINKS[-1] * np.sqrt((end - table[-1]) / (end - distinct[beyond]))
    points = np.flatnonzero((distinct > 0) & ~beyond)
    T = distinct[points]
    place = np.clip(np.searchsorted(table, T, side="right") - 1, 0, table.size - 2)

    def excess(w, T):
        return fold_at(w, interaction, normalisation)[1].temperature / T - 1

    # In the first interval, which begins at w = T = 0, T/w is constant within 1 %.
    linear = T / table[1] * _FOLD_KINKS[1]
    lower = np.where(place == 0, 0.9 * linear, _FOLD_KINKS[place])
    upper = np.where(place == 0, 1.1 * linear, _FOLD_KINKS[place + 1])
    w[points] = roots(excess, lower, upper, T)
    y, found = fold_at(w, interaction, normalisation)
    return y[back], w[back], Saddle(*(values[back] for values in found))


@cache
def nose(interaction, normalisation):
    """Where the spinodal has its largest load: w, y and the Saddle, arrays of one point."""
    _, _, loads = _fold_table(interaction, normalisation)
    top = int(np.argmax(loads))

    def rise(w):
        return fold_at(w, interaction, normalisation)[1].load_kink

    w = roots(rise, _FOLD_KINKS[top - 1], _FOLD_KINKS[top + 1])
    return w, *fold_at(w, interaction, normalisation)


def fold_at_load(reduced_load, interaction, normalisation, lower=False):
    """w (point,) where the spinodal has a given load, which it must have.

    Args:
        reduced_load: (point,), at most that of the nose; for `lower` at least that of T = 0.
        lower: the place below the nose instead of the one above it.
    """
    w_nose, _, top = nose(interaction, normalisation)
    goal = np.minimum(reduced_load, top.reduced_load * (1 - rounding(interaction) / 2))

    def excess(w, goal):
        return np.log(fold_at(w, interaction, normalisation)[1].reduced_load / goal)

    if lower:
        frozen = fold_at(np.zeros(1), interaction, normalisation)[1].reduced_load
        return roots(excess, 0.0, w_nose, np.maximum(goal, frozen))
    # The load is below 1/w^2.
    return roots(excess, w_nose, np.maximum(2 * w_nose, 4 / np.sqrt(goal)), goal)


# --- solutions at a given load and temperature --------------------------------------------------


def retrieval_at(reduced_load, temperature, interaction, normalisation):
    """Where a stable retrieval state exists, and its y and w.

    Args:
        reduced_load, temperature: (point,).

    Returns:
        indices of the points that have one, and y, w at these.

    Raises:
        ArithmeticError: a solution that exists was not found.
    """
    candidates = np.flatnonzero(temperature < no_load_fold(interaction)[1])
    largest = fold(temperature[candidates], interaction, normalisation)[2].reduced_load
    # A load that is the spinodal's own, rounded, still has its solution.
    inside = reduced_load[candidates] <= largest * (1 + rounding(interaction))
    points = candidates[inside]
    largest = largest[inside] * (1 - rounding(interaction) / 2)
    goal = np.minimum(reduced_load[points], largest)
    return points, *inside_at(goal, temperature[points], interaction, normalisation)


def inside_at(goal, temperature, interaction, normalisation):
    """y and w (point,) of the retrieval state, which must exist: inside the spinodal.

    Newton's method in (ln y, ln w) from the side of small load, never across the fold: as a
    function of the distance from there the logarithm of the load is concave, so that the steps
    fall short of the solution and approach it from one side.

    Raises:
        ArithmeticError: no solution was found.
    """
    y, w = 1 / np.sqrt(goal), temperature / np.sqrt(goal)
    tolerance = rounding(interaction) / 4
    open_ = np.arange(goal.size)
    here = saddle_at(y, w, interaction, normalisation)
    for _ in range(_NEWTON_STEPS):
        load = np.log(here.reduced_load / goal[open_])
        heat = _log_ratio(here.temperature, temperature[open_])
        left = np.maximum(np.abs(load), np.abs(heat)) > tolerance
        if not left.any():
            return y, w
        open_, load, heat = open_[left], load[left], heat[left]
        here = Saddle(*(values[left] for values in here))
        up_y = (here.load_kink * heat - here.temperature_kink * load) / here.determinant
        up_w = (here.temperature_signal * load - here.load_signal * heat) / here.determinant
        shrink = np.minimum(1, _LONGEST_STEP / np.maximum(np.abs(up_y), np.abs(up_w)))
        up_y, up_w = shrink * up_y, shrink * up_w
        start_y, start_w = y[open_], w[open_]
        across = np.ones(open_.size, dtype=bool)
        while across.any():
            y[open_], w[open_] = start_y * np.exp(up_y), start_w * np.exp(up_w)
            here = saddle_at(y[open_], w[open_], interaction, normalisation)
            across = (here.determinant >= 0) & (np.maximum(np.abs(up_y), np.abs(up_w)) > tolerance)
            up_y[across] /= 2
            up_w[across] /= 2
    raise ArithmeticError(
        f"no retrieval state found at P = {interaction}, reduced load {goal[open_[0]]:.17g}, "
        f"temperature {temperature[open_[0]]:.17g}"
    )


def _log_ratio(found, wanted):
    """ln(found/wanted) (point,), 0 where both are zero."""
    ratio = np.zeros(found.size)
    positive = wanted > 0
    ratio[positive] = np.log(found[positive] / wanted[positive])
    return ratio


# --- what a solution predicts --------------------------------------------------------------------


def of_saddle(reduced_load, temperature, saddle, interaction, normalisation):
    """What a Saddle of this load and temperature predicts: name -> array (point,)."""
    return thermodynamics(
        reduced_load,
        temperature,
        saddle.m,
        saddle.q,
        saddle.C,
        saddle.entropy,
        saddle.at_ratio,
        interaction,
        normalisation,
    )


def thermodynamics(
    reduced_load, temperature, m, q, C, spin_entropy, at_ratio, interaction, normalisation
):
    """What the order parameters of a solution predict: name -> array (point,).

        u = -m^P/P - [xi(1) - xi(q)]/T
        s = E S(h/T) - [xi(1) - xi(q) - (1 - q) xi'(q)]/(2 T^2),  S(v) = ln 2cosh v - v tanh v
        f = u - T s,   replicon = 1 - (1/T^2) xi''(q) E sech^4(h/T)

    s is -df/dT at fixed order parameters; E h tanh(h/T) = m^P + xi'(q) C makes u and s free of
    differences that vanish as T -> 0, with [xi(1) - xi(q)]/T = ahat C first(q) and the like.
    """
    P, shape = interaction, kernel(interaction, normalisation)
    energy = -(m**P) / P - reduced_load * C * evaluate(shape.first, q)
    with np.errstate(over="ignore"):  # of a paramagnet near T = 0, where -inf is the limit
        entropy = spin_entropy - reduced_load * C**2 * evaluate(shape.second, q) / 2
        free_energy = energy - temperature * spin_entropy
        free_energy += reduced_load * (C * temperature) * C * evaluate(shape.second, q) / 2
    return {
        "m": m,
        "q": q,
        "C": C,
        "free_energy": free_energy,
        "energy": energy,
        "entropy": entropy,
        "replicon": 1 - at_ratio,
    }


def residual(reduced_load, temperature, m, q, C, interaction, normalisation):
    """The largest error of the saddle-point equations (point,): |m - E tanh|, |q - E tanh^2| and
    |C - beta E sech^2| max(b, T), at B = m^(P-1) and b = sqrt(ahat V(q))."""
    b = np.sqrt(reduced_load * evaluate(kernel(interaction, normalisation).variance, q))
    average = thermal_averages(m ** (interaction - 1), b, temperature)
    errors = [m - average.tanh, q - average.tanh_squared]
    errors.append((C - average.slope) * np.maximum(b, temperature))
    return np.abs(errors).max(axis=0)
