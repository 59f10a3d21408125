"""Retrieval states with one step of replica symmetry breaking: at a given load and temperature, at
the largest load, and where they are as favourable as the glass; on plain arrays.

The unknowns of a state are the four numbers ln C, ln(q1 - q0), ln u and ln B, in the units of
`dense_1rsb_saddle`; a fifth, ln tau, where T is given and not tau = T/sqrt(ahat). A fold is where
the load is stationary in B, d ln ahat/d ln B = 0. All are found by Newton's method from the tables
of `dense_1rsb_table`; next to a fold by a bracket in B that ends there.
"""

import numpy as np

from hopfield_sim.theory.continuation import newton, roots
from hopfield_sim.theory.dense_1rsb_saddle import equations, state
from hopfield_sim.theory.dense_1rsb_table import (
    DIFFERENCE,
    HOTTEST,
    PLACES,
    TOLERANCE,
    curves,
    line_end,
    log_load,
    near,
)
from hopfield_sim.theory.dense_glass import of_glass

# Newton's method stops here, a hundred roundings above zero.
_ENOUGH = 1e-14
_ROUNDING = 1e-12  # of ln ahat
# An error of the slope d ln ahat/d ln B counts by this factor: the load is stationary at a fold.
_SLOPE_SCALE = 1e-2
# The tables' ln ahat is right to better than this at the fold.
_NEAR_FOLD = 2e-3
# Number of temperatures of the starts for lines.
_STARTS = 60


def _solved(errors, start, *parameters, steps=60):
    """Newton's method for ln C, ln delta, ln u and what else is unknown; see `newton`."""
    found, _ = newton(
        errors,
        start,
        *parameters,
        tolerance=TOLERANCE,
        steps=steps,
        difference=DIFFERENCE,
        enough=_ENOUGH,
    )
    return found


def _field(x):
    """B of the unknowns; finite even far outside the domain, for `equations` to refuse it."""
    return np.exp(np.minimum(x[:, 3], 5))


def _start(place, tau, P, normalisation):
    """The four unknowns ln C, ln delta, ln u, ln B near B = exp(place)."""
    return np.column_stack([near(np.exp(place), tau, P, normalisation), place])


def states_at_load(reduced_load, tau, P, normalisation, unstable=False):
    """Solutions of given load and temperature, between the spinodal and T_AT.

    Args:
        reduced_load, tau: (point,); all tau are zero or none. P, normalisation: one of each.
        unstable: the state beyond the fold, at T = 0 only, instead of the one before it.

    Returns:
        ln C, ln delta, ln u, ln B (point, 4); NaN where there is none.

    Raises:
        ArithmeticError: a state that exists was not found.
    """
    goal = np.log(reduced_load)
    found = np.full((goal.size, 4), np.nan)
    places, loads, _ = curves(tau, P, normalisation)
    possible = goal < loads.max(axis=1) + _NEAR_FOLD
    if not tau.any():
        possible &= goal > loads[:, 0 if unstable else -1]
    points = np.flatnonzero(possible)
    # Seen from the fold, loads fall; numbers count from there.
    fold = np.argmax(loads, axis=1)[:, None]
    numbers = np.arange(PLACES) - fold
    numbers = -numbers if unstable else numbers
    beyond = np.where(numbers >= 0, numbers, PLACES)

    def first(where):
        """The place next to the fold with this property, or the last one of all."""
        last = np.max(np.where(numbers >= 0, numbers, 0), axis=1)
        number = np.minimum(np.where(where, beyond, PLACES).min(axis=1), last)
        return places[np.arange(goal.size), fold[:, 0] + (-number if unstable else number)]

    def errors(x, tau, goal):
        B = _field(x)
        found, here = equations(x[:, :3], B, tau, P, normalisation)
        return np.column_stack([found, log_load(here, B, P) - goal])

    start = first(loads < goal[:, None])[points]
    x = _solved(
        errors, _start(start, tau[points], P, normalisation), tau[points], goal[points], steps=20
    )
    slope = load_slope(x, tau[points], P, normalisation)
    good = slope > 0 if unstable else slope < 0
    found[points[good]] = x[good]
    lost = points[~good]
    if lost.size:
        end = first(loads < goal[:, None] - _NEAR_FOLD)[lost]
        found[lost] = _from_fold(goal[lost], tau[lost], end, P, normalisation)
    return found


def _from_fold(goal, tau, end, P, normalisation):
    """Solutions by brackets between the ln B of the fold and `end`; NaN above the fold's load."""
    distinct, back = np.unique(tau, return_inverse=True)
    at_fold = folds(distinct, P, normalisation)[back]
    found = np.full((goal.size, 4), np.nan)
    top = _loads_at(at_fold[:, 3], at_fold[:, :3], tau, P, normalisation)[0]
    # A load that is that of the fold, rounded, still has its solution.
    on = np.abs(top - goal) <= _ROUNDING
    found[on] = at_fold[on]
    there = np.flatnonzero(~(top - goal < _ROUNDING))
    if not there.size:
        return found
    at_fold, tau = at_fold[there], tau[there]

    def excess(place, tau, goal):
        start = near(np.exp(place), tau, P, normalisation)
        return _loads_at(place, start, tau, P, normalisation)[0] - goal

    place = roots(excess, at_fold[:, 3], end[there], tau, goal[there])
    start = near(np.exp(place), tau, P, normalisation)
    loads, close = _loads_at(place, start, tau, P, normalisation)
    wrong = np.abs(loads - goal[there]) > TOLERANCE
    if wrong.any():
        raise ArithmeticError(
            f"no state found at P = {P}, reduced load {np.exp(goal[there][wrong][0]):.17g}, "
            f"T/sqrt(ahat) = {tau[wrong][0]:.17g}"
        )
    found[there] = np.column_stack([close, place])
    return found


def _loads_at(place, start, tau, P, normalisation):
    """ln ahat and the unknowns at B = exp(place)."""

    def errors(x, place, tau):
        return equations(x, np.exp(place), tau, P, normalisation)[0]

    found = _solved(errors, start, place, tau)
    B = np.exp(place)
    return log_load(equations(found, B, tau, P, normalisation)[1], B, P), found


def load_slope(x, tau, P, normalisation):
    """d ln ahat/d ln B along the curve of solutions at constant tau, at the solutions x."""

    def both(x):
        B = _field(x)
        errors, here = equations(x[:, :3], B, tau, P, normalisation)
        return np.column_stack([errors, log_load(here, B, P)])

    step = 1e-4
    change = np.stack(
        [(both(x + step * one) - both(x - step * one)) / (2 * step) for one in np.eye(4)], axis=2
    )
    slope = np.full(len(x), np.nan)
    good = np.isfinite(change).all(axis=(1, 2))
    change = change[good]
    along = np.linalg.solve(change[:, :3, :3], change[:, :3, 3:])[..., 0]
    slope[good] = change[:, 3, 3] - np.einsum("pi,pi->p", change[:, 3, :3], along)
    return slope


def folds(tau, P, normalisation):
    """ln C, ln delta, ln u, ln B (point, 4) of the largest load at each tau."""
    places, loads, _ = curves(tau, P, normalisation)
    place = places[np.arange(tau.size), np.argmax(loads, axis=1)]

    def errors(x, tau):
        found = equations(x[:, :3], _field(x), tau, P, normalisation)[0]
        slope = load_slope(x, tau, P, normalisation)
        return np.column_stack([found, _SLOPE_SCALE * slope])

    return _solved(errors, _start(place, tau, P, normalisation), tau)


def spinodal_states(T, P, normalisation):
    """The unknowns and tau of the largest load at each T (point,), all zero or none; NaN above the
    end of the de Almeida-Thouless line."""
    if not T.any():
        return folds(T, P, normalisation), T
    tau = HOTTEST * line_end(P, normalisation)[2] * np.linspace(0, 1, _STARTS + 1)[1:]
    places, loads, _ = curves(tau, P, normalisation)
    fold = np.arange(tau.size), np.argmax(loads, axis=1)

    def slope(x, tau, here):
        return _SLOPE_SCALE * load_slope(x, tau, P, normalisation)

    return _at_temperature(slope, T, tau, places[fold], loads[fold], P, normalisation)


def transition_states(T, P):
    """The unknowns and tau where retrieval and glass have the same free energy, at each T (point,),
    all zero or none; NaN where the retrieval state is replica symmetric there. For *distinct*."""
    end = HOTTEST * line_end(P, "distinct")[2]
    tau = end * np.linspace(0, 1, _STARTS + 1)[1:] if T.any() else T[:1]
    places, loads, energies = curves(tau, P, "distinct")
    excess = energies - _glass(tau, P)[:, None]
    # From B_AT downwards the retrieval state loses against the glass before it reaches the fold.
    place = PLACES - 1 - np.argmax(excess[:, ::-1] > 0, axis=1)
    there = np.flatnonzero((excess[:, -1] < 0) & (place >= np.argmax(loads, axis=1)))
    tau, crossing = tau[there], (there, place[there])

    def difference(x, tau, here):
        return here.free_energy - _glass(tau, P)

    if T.any():
        return _at_temperature(difference, T, tau, places[crossing], loads[crossing], P, "distinct")

    def errors(x, tau):
        found, here = equations(x[:, :3], _field(x), tau, P, "distinct")
        return np.column_stack([found, difference(x, tau, here)])

    found = _solved(errors, _start(places[crossing], tau, P, "distinct"), tau)
    return np.broadcast_to(found, (T.size, 4)), T


def _at_temperature(condition, T, tau, places, loads, P, normalisation):
    """The unknowns and tau where condition(x, tau, State) = 0 at given T, started from the line of
    tau, ln B and ln ahat in the table."""
    known = tau * np.exp(loads / 2)
    found, found_tau = np.full((T.size, 4), np.nan), np.full(T.size, np.nan)
    points = np.flatnonzero(T <= known[-1])
    T = T[points]
    tau = T / np.exp(np.interp(T, known, loads) / 2)
    start = _start(np.interp(T, known, places), tau, P, normalisation)

    def errors(x, T):
        tau, B = np.exp(np.minimum(x[:, 4], 1)), _field(x)
        errors, here = equations(x[:, :3], B, tau, P, normalisation)
        at_T = x[:, 4] + log_load(here, B, P) / 2 - np.log(T)
        return np.column_stack([errors, condition(x[:, :4], tau, here), at_T])

    x = _solved(errors, np.column_stack([start, np.log(tau)]), T)
    found[points], found_tau[points] = x[:, :4], np.exp(x[:, 4])
    return found, found_tau


def _glass(tau, P):
    good = np.isfinite(tau)
    found = np.full(tau.size, np.nan)
    there = tau[good]
    found[good] = of_glass(np.full(there.size, P), np.ones(there.size), there)["free_energy"]
    return found


def observables(x, tau, P, normalisation):
    """What the unknowns x (point, 4) at tau (point,) mean, in units of J: name -> array (point,).

    NaN where x is. The residual is the largest error of the equations for (1 - q1)/tau, q1 - q0 and
    x, in units of sqrt(ahat).
    """
    there = np.isfinite(x).all(axis=1) & np.isfinite(tau)
    names = ("m", "q0", "q1", "x", "rate", "C", "free_energy", "energy", "entropy", "replicon")
    values = {name: np.full(len(x), np.nan) for name in (*names, "reduced_load", "residual")}
    tau = tau[there]
    C, delta, u, B = np.exp(x[there]).T
    found = state(B, tau, C, delta, u, P, normalisation)
    load = np.exp(log_load(found, B, P))
    unit = np.sqrt(load)
    free_energy = found.free_energy * unit
    errors = (found.C - C, found.delta - delta, found.slope)
    for name, value in {
        "m": found.m,
        "q0": 1 - tau * C - delta,
        "q1": 1 - tau * C,
        "x": u * tau,
        "rate": u / unit,
        "C": C / unit,
        "free_energy": free_energy,
        "energy": free_energy + tau * unit * found.entropy,
        "entropy": found.entropy,
        "replicon": found.replicon,
        "reduced_load": load,
        "residual": np.abs(errors).max(axis=0),
    }.items():
        values[name][there] = value
    return values
