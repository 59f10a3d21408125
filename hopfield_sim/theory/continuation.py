"""Roots of many independent scalar equations at once: crossings, folds and lines of a theory.

A fold (spinodal) is the root of a slope, a transition the root of a difference of free energies,
a line one such root for every value of a parameter. All are bracketed, so a result is either a
root to rounding error or an exception.
"""

import numpy as np

_EPSILON = np.finfo(float).eps
_ITERATIONS = 200


def roots(function, lower, upper, *parameters):
    """x with function(x, *parameters) = 0 and lower <= x <= upper, one for each entry.

    Chandrupatla's method: inverse quadratic interpolation where it is safe, bisection where it is
    not; it never leaves the bracket.

    Args:
        function: takes x (point,) and the parameters at the same points, returns values (point,);
            it is called with the points that have not converged.
        lower, upper: ends of the brackets, arrays that broadcast to (point,).
        parameters: arrays that broadcast to (point,).

    Returns:
        x (point,), to a few units in the last place or to the point where the function is zero.

    Raises:
        ArithmeticError: the function has the same sign at both ends of a bracket, or is undefined
            inside it.

    Source: T. R. Chandrupatla, Adv. Eng. Software 28 (1997) 145.
    """
    lower, upper, *parameters = (
        np.array(values, dtype=float)
        for values in np.broadcast_arrays(*map(np.atleast_1d, (lower, upper, *parameters)))
    )
    old, new = lower, upper
    value_old, value_new = function(old, *parameters), function(new, *parameters)
    same = np.sign(value_old) * np.sign(value_new)
    if not np.all(same <= 0):
        worst = np.flatnonzero(~(same <= 0))[0]
        raise ArithmeticError(
            f"no change of sign between {lower[worst]:.17g} (value {value_old[worst]:.3g}) and "
            f"{upper[worst]:.17g} (value {value_new[worst]:.3g})"
        )
    found = np.where(np.abs(value_new) < np.abs(value_old), new, old)
    points = np.arange(found.size)
    fraction = np.full(found.size, 0.5)
    for _ in range(_ITERATIONS):
        # `new` is the latest point, `old` the other end of the bracket.
        best = np.where(np.abs(value_new) < np.abs(value_old), new, old)
        value_best = np.where(np.abs(value_new) < np.abs(value_old), value_new, value_old)
        found[points] = best
        width = np.abs(new - old)
        tolerance = 2 * _EPSILON * np.abs(best) + np.finfo(float).tiny
        open_ = (value_best != 0) & (width > tolerance)
        if not open_.any():
            return found
        points, old, new, value_old, value_new, fraction, width, tolerance = (
            values[open_]
            for values in (points, old, new, value_old, value_new, fraction, width, tolerance)
        )
        parameters = [values[open_] for values in parameters]
        least = np.minimum(0.5, 0.5 * tolerance / width)
        trial = new + np.clip(fraction, least, 1 - least) * (old - new)
        value = function(trial, *parameters)
        if np.isnan(value).any():
            raise ArithmeticError(f"undefined value at {trial[np.isnan(value)][0]:.17g}")
        same_side = np.sign(value) == np.sign(value_new)
        third = np.where(same_side, new, old)
        value_third = np.where(same_side, value_new, value_old)
        old = np.where(same_side, old, new)
        value_old = np.where(same_side, value_old, value_new)
        new, value_new = trial, value
        fraction = _next_fraction(new, old, third, value_new, value_old, value_third)
    raise ArithmeticError(f"{points.size} roots did not converge in {_ITERATIONS} steps")


def _next_fraction(new, old, third, value_new, value_old, value_third):
    """Where in the bracket, from new (0) to old (1), to look next."""
    place = (new - old) / (third - old)
    change = (value_new - value_old) / (value_third - value_old)
    interpolate = (change**2 < place) & ((1 - change) ** 2 < 1 - place)
    fraction = np.full(new.size, 0.5)
    x1, x2, x3 = new[interpolate], old[interpolate], third[interpolate]
    f1, f2, f3 = value_new[interpolate], value_old[interpolate], value_third[interpolate]
    fraction[interpolate] = f1 / (f2 - f1) * f3 / (f2 - f3) + (x3 - x1) / (x2 - x1) * f1 / (
        f3 - f1
    ) * f2 / (f3 - f2)
    return fraction
