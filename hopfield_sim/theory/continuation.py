"""Roots of many independent equations at once: crossings, folds and lines of a theory.

One unknown: a fold (spinodal) is the root of a slope, a transition the root of a difference of
free energies, a line one such root for every value of a parameter. `roots` brackets them, so a
result is either a root to rounding error or an exception; `maxima` finds a fold where the slope has
no formula.

Several unknowns: `newton` goes from a start to a solution that it has checked, or to NaN, and
`followed` takes a known solution along a path. A fold in a control parameter is passed by making
that parameter an unknown and an order parameter the path: so no solution is lost where a curve
turns round. `attracted` finds the solution that an iteration flows to, where it matters which.
"""

import numpy as np

_EPSILON = np.finfo(float).eps
_ITERATIONS = 200
_GOLDEN_STEPS = 42  # 0.618^42 = 2e-9
_DIFFERENCE = 1e-7
_HALVINGS = 30
_PATH_HALVINGS = 12
_FIRST_BLOCK = 50
_CONVERGED = 1e-14
_FINISHING_STEPS = 25
# Newton's method may move by this much of the largest entry, lest it leave for another solution.
_NEARBY = 0.05


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


def maxima(function, lower, upper, *parameters):
    """x in [lower, upper] where function(x, *parameters) is largest, one for each entry.

    Golden section, for functions with one maximum in the bracket: x is right to about 1e-8 of the
    bracket (where the function is flat to rounding), its value to rounding. For a fold that is
    wanted to more digits give the slope to `roots`.

    Args:
        function: takes x (point,) and the parameters at all points, returns values (point,); -inf
            or NaN where there is no solution.
        lower, upper: ends of the brackets, arrays that broadcast to (point,).
        parameters: arrays that broadcast to (point,).

    Returns:
        x (point,) and the values there (point,).
    """
    lower, upper, *parameters = (
        np.array(values, dtype=float)
        for values in np.broadcast_arrays(*map(np.atleast_1d, (lower, upper, *parameters)))
    )

    def value(x):
        found = np.asarray(function(x, *parameters), dtype=float)
        return np.where(np.isnan(found), -np.inf, found)

    ratio = (np.sqrt(5) - 1) / 2
    left, right = upper - ratio * (upper - lower), lower + ratio * (upper - lower)
    at_left, at_right = value(left), value(right)
    for _ in range(_GOLDEN_STEPS):
        up = at_right > at_left  # the maximum lies in [left, upper], else in [lower, right]
        lower, upper = np.where(up, left, lower), np.where(up, upper, right)
        new = np.where(up, lower + ratio * (upper - lower), upper - ratio * (upper - lower))
        at_new = value(new)
        left, right = np.where(up, right, new), np.where(up, new, left)
        at_left, at_right = np.where(up, at_right, at_new), np.where(up, at_new, at_left)
    better = at_right > at_left
    return np.where(better, right, left), np.where(better, at_right, at_left)


def newton(
    equations, start, *parameters, tolerance=1e-11, steps=60, difference=_DIFFERENCE, enough=0.0
):
    """Solutions of many small systems of equations, each from its own start.

    Newton's method with a step that is halved until the largest error decreases and the equations
    are defined; derivatives by differences of relative size 1e-7 (of 0.01 at least), so that each
    of the last steps divides the error by some 1e6.

    Args:
        equations: takes x (point, unknown) and the parameters (point,), returns the errors
            (point, unknown), scaled so that 1 is a large one; NaN where x is not admissible.
        start: (point, unknown) or (unknown,).
        parameters: arrays that broadcast to (point,).
        tolerance: of the largest error of a point; a few times its rounding is as low as it goes.
        steps: at most.
        difference: relative size of the differences, to be larger where equations that nearly
            coincide leave little but rounding of their derivatives.
        enough: the largest error at which a point is left alone. By default only what no step
            improves is, which costs an evaluation for each halving of the last step.

    Returns:
        x (point, unknown), all NaN where no solution was found, and the largest error of the
        equations there (point,), at most `tolerance`, or what was left where none was found.
    """
    x = np.array(np.atleast_2d(start), dtype=float)
    parameters = [np.asarray(values, dtype=float) for values in parameters]
    size = np.broadcast_shapes(x.shape[:1], *(values.shape for values in parameters))[0]
    x = np.array(np.broadcast_to(x, (size, x.shape[1])))
    parameters = [np.broadcast_to(values, (size,)) for values in parameters]
    errors = np.array(equations(x, *parameters))
    largest = _largest(errors)
    open_ = np.flatnonzero(np.isfinite(largest) & (largest > enough))
    for _ in range(steps):
        if not open_.size:
            break
        here = [values[open_] for values in parameters]
        step = _newton_step(equations, x[open_], errors[open_], here, difference)
        factor = np.ones(open_.size)
        moved = np.zeros(open_.size, dtype=bool)
        for _ in range(_HALVINGS):
            left = np.flatnonzero(~moved)
            if not left.size:
                break
            trial = x[open_[left]] - factor[left, None] * step[left]
            found = equations(trial, *(values[open_[left]] for values in parameters))
            size_found = _largest(found)
            better = size_found < largest[open_[left]]
            points = open_[left[better]]
            x[points], errors[points] = trial[better], found[better]
            largest[points] = size_found[better]
            moved[left[better]] = True
            factor[left[~better]] /= 2
        # Where no step helps any more, the error is rounding, or the start was hopeless.
        open_ = open_[moved & (largest[open_] > enough)]
    lost = ~(largest <= tolerance)
    x[lost] = np.nan
    return x, largest


def _largest(errors):
    largest = np.abs(errors).max(axis=1)
    return np.where(np.isnan(largest), np.inf, largest)


def _newton_step(equations, x, errors, parameters, difference):
    slopes = np.empty((*x.shape, x.shape[1]))
    for unknown in range(x.shape[1]):
        size = difference * np.maximum(np.abs(x[:, unknown]), 1e-2)
        for sign in (1, -1):  # the other side where this one is not admissible
            moved = x.copy()
            moved[:, unknown] += sign * size
            change = equations(moved, *parameters) - errors
            slope = change / (moved[:, unknown] - x[:, unknown])[:, None]
            if sign == 1:
                slopes[:, :, unknown] = slope
            bad = ~np.isfinite(slopes[:, :, unknown]).all(axis=1)
            slopes[bad, :, unknown] = slope[bad]
            if not bad.any():
                break
    step = np.zeros_like(x)
    with np.errstate(all="ignore"):
        solvable = np.isfinite(slopes).all(axis=(1, 2))
        solvable[solvable] &= np.linalg.cond(slopes[solvable]) < 1 / _EPSILON
    step[solvable] = np.linalg.solve(slopes[solvable], errors[solvable][..., None])[..., 0]
    return step


def followed(equations, start, path, *parameters, tolerance=1e-11, enough=0.0):
    """One solution taken along a path of a parameter.

    From each place of the path to the next by Newton's method, from where a straight line through
    the last two solutions points to; a stretch on which that fails is halved, up to 12 times.

    Args:
        equations: as for `newton`, called with x (1, unknown), the place on the path (1,) and the
            parameters (1,).
        start: (unknown,), near the solution at path[0].
        path: (place,) values in the order in which they are visited.
        parameters: numbers that stay the same.
        tolerance, enough: as for `newton`.

    Returns:
        x (place, unknown) and the largest error (place,); NaN from where the solution was lost.
    """
    path = np.asarray(path, dtype=float)
    found = np.full((path.size, np.size(start)), np.nan)
    errors = np.full(path.size, np.nan)
    fixed = [np.atleast_1d(value) for value in parameters]

    def solved(near, place):
        x, error = newton(
            equations, near, np.array([place]), *fixed, tolerance=tolerance, enough=enough
        )
        return x[0], error[0]

    x, error = solved(start, path[0])
    last = None  # place and solution before the present one
    for index, goal in enumerate(path):
        place = path[max(index - 1, 0)]
        stretch = goal - place
        halvings = 0
        while place != goal and np.isfinite(x).all():
            trial = goal if abs(stretch) >= abs(goal - place) else place + stretch
            slope = 0 if last is None else (x - last[1]) / (place - last[0])
            ahead, error_ahead = solved(x + slope * (trial - place), trial)
            if np.isnan(ahead).any() and halvings < _PATH_HALVINGS:
                stretch, halvings = stretch / 2, halvings + 1
                continue
            last = (place, x) if np.isfinite(ahead).all() else last
            place, x, error = trial, ahead, error_ahead
        found[index], errors[index] = x, error if np.isfinite(x).all() else np.nan
    return found, errors


def attracted(image, slopes, start, *parameters, limited=None, iterations=30_000):
    """The solutions x = image(x) that an iteration from given starts flows to.

    Iterated as written, in blocks; after each, Newton's method tries to finish, but its result is
    taken only if it lies nearby, the iteration approaches it, and it attracts.

    Args:
        image: takes x (point, unknown) and the parameters (point,), returns (point, unknown).
        slopes: likewise, returns the derivatives (point, unknown, unknown) of image by x; zeros
            where the image is a step function, on which the iteration ends by itself.
        start: (point, unknown).
        parameters: arrays (point, ...).
        limited: takes x and a step of Newton's method, returns the step that is allowed; for
            unknowns that must stay positive.
        iterations: about how many at most; they slow down at transitions, and where a solution is
            just missed.

    Returns:
        x (point, unknown) and whether the iteration converged there (point,), to 1e-14.
    """
    state = np.array(start, dtype=float)
    open_ = np.arange(state.shape[0])
    block, done = _FIRST_BLOCK, 0
    while open_.size and done < iterations:
        here = [values[open_] for values in parameters]
        moving = state[open_]
        for _ in range(block):
            moving = image(moving, *here)
        finished, settled = _finish(image, slopes, moving, here, limited)
        state[open_] = np.where(settled[:, None], finished, moving)
        open_ = open_[~settled]
        done, block = done + block, 2 * block
    converged = np.ones(state.shape[0], dtype=bool)
    converged[open_] = False
    return state, converged


def _finish(image, slopes, near, parameters, limited):
    """Newton's method from `near` (point, unknown), and where its result is to be trusted."""
    state = near.copy()
    identity = np.eye(state.shape[1])
    for _ in range(_FINISHING_STEPS):
        change = image(state, *parameters) - state
        matrix = identity - slopes(state, *parameters)
        solvable = np.linalg.cond(matrix) < 1e13
        step = np.zeros_like(state)
        step[solvable] = np.linalg.solve(matrix[solvable], change[solvable][..., None])[..., 0]
        if limited is not None:
            step = limited(state, step)
        state = state + np.clip(step, -_NEARBY, _NEARBY)
        if not (np.abs(step) > _EPSILON * np.abs(state)).any():
            break
    error = np.abs(image(state, *parameters) - state).max(axis=1)
    distance = np.abs(near - state).max(axis=1)
    approached = np.abs(image(near, *parameters) - state).max(axis=1) <= distance + _CONVERGED
    attracting = np.abs(np.linalg.eigvals(slopes(state, *parameters))).max(axis=1) <= 1 + 1e-9
    found = (
        (error <= _CONVERGED)
        & (distance <= _NEARBY * np.abs(near).max(axis=1))
        & approached
        & attracting
    )
    return state, found


def smallest_number(reached, possible, most):
    """The smallest whole number >= 1 from which on something is reached, at many points.

    By doubling, then bisection: right where it stays reached at all larger numbers.

    Args:
        reached: function of (points, number), arrays of indices and of whole numbers (point,), that
            returns whether it is reached there, bool (point,).
        possible: bool (point,), whether it is reached at all: elsewhere nothing is tried.
        most: the largest number that is tried is the last power of two up to this.

    Returns:
        Array (point,) of whole numbers as floats; NaN where it is impossible, or not reached.
    """
    possible = possible.copy()
    low, high = np.zeros(possible.size, int), np.ones(possible.size, int)
    open_ = np.flatnonzero(possible)
    while open_.size:
        open_ = open_[~reached(open_, high[open_])]
        low[open_], high[open_] = high[open_], 2 * high[open_]
        possible[open_[high[open_] > most]] = False
        open_ = open_[possible[open_]]
    while (open_ := np.flatnonzero(possible & (high - low > 1))).size:
        middle = (low + high)[open_] // 2
        good = reached(open_, middle)
        high[open_[good]], low[open_[~good]] = middle[good], middle[~good]
    return np.where(possible, high, np.nan)
