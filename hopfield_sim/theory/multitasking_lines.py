"""The lines of the multitasking network in the plane of dilution and temperature.

From high to low temperature, for the pairwise network (p = 2) and a given dilution d:

    1 - d     the overlaps appear, continuously: of one pattern for d < 2/3, of all beyond
    T_sym     below it the symmetric state of d > 2/3 is unstable
    T_k       level k of the hierarchical state appears, continuously
    and, at low temperature, where hierarchical and parallel states end and have equal free energy

An end is a point where the state, heated slowly from T = 0, loses its stability: the smallest
eigenvalue of the curvature of f (`overlap_stability`) is zero there.

Sources: E. Agliari, A. Barra, A. Galluzzi, F. Guerra, F. Moauro, Phys. Rev. Lett. 109 (2012)
268101 (onset, end of the hierarchical state at T = 0); the other lines derived here, checked by
plain iteration of the mean-field equations.
"""

import numpy as np

from hopfield_sim.theory.continuation import followed, newton, roots
from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.multitasking_flow import (
    CONVENTION,
    SOURCE,
    checked_patterns,
    curvature,
    flow,
    hierarchical_overlaps,
    image,
    majority_overlaps,
    of_overlaps,
    outweighs,
    stability,
)

_DERIVED = SOURCE + "; this line derived here, checked by iteration"
_LONG_NAMES = {
    "temperature": "temperature in units of the coupling J, k_B = 1",
    "dilution": "fraction d of blank entries of a pattern",
    "m": "overlaps with the patterns",
    "residual": "error of the equations that define the line",
}
# Steps of slow heating, geometric, from a temperature at which every state is that of T = 0.
_COLDEST = 1e-8
_HEATING = 120
_BISECTIONS = 10
_HEATING_ITERATIONS = 500
# By this much the overlaps are moved apart before each step, lest they stay equal where that has
# become unstable.
_APART = 1e-5
# Nearer to the temperature of onset the flow is too slow to look for another point.
_ONSET = 1e-4
# Where the flow is slow the temperature that it was lost at is known to this part.
_SLACK = 1e-3
# This part above a point of lost stability it is looked for what the state has become.
_BEYOND = 0.01
_JUMP_ITERATIONS = 5000
# Overlaps that differ by less are one unknown where a line is polished.
_EQUAL = 1e-6
_PAIRWISE = 2


def onset_temperature(dilution):
    """T = 1 - d, below which the paramagnet of the pairwise network is unstable.

    Args:
        dilution: the fraction d of blank entries, a number, a 1-D array or a DataArray.

    Returns:
        xarray.Dataset on the coordinate dilution with `temperature`.

    Raises:
        ValueError: a dilution outside [0, 1), or unnamed axes.

    Source: Agliari, Barra, Galluzzi, Guerra, Moauro, Phys. Rev. Lett. 109 (2012) 268101.
    """
    names = ("temperature",)
    return _line("onset of recall", SOURCE, names, lambda d: {names[0]: 1 - d}, dilution=dilution)


def melting_temperature(n_patterns, dilution):
    """T_k, above which level k of the hierarchical state is zero.

        T_k = (1 - d) (1 - q),  q = << tanh^2(h/T_k) >> of the state with k - 1 levels

    which approaches d^(k-1) (1 - d) for small d: level k sees the neurons that the earlier ones
    leave free.

    Args:
        n_patterns: the number of levels P, 1 to 10, one number.
        dilution: as `onset_temperature`.

    Returns:
        xarray.Dataset on the coordinates dilution and pattern (the level k, 1 to P) with
        `temperature` and `residual`. NaN where no state with k - 1 levels, each outweighing the
        later ones, has such a point: at large d the levels appear together.

    Raises:
        ValueError: as `onset_temperature`; n_patterns out of range.
        ArithmeticError: the flow to a state did not end, next to a critical point.

    Source: derived here, checked by iteration.
    """
    n = checked_patterns(n_patterns)

    def state(d, T, levels):
        return flow(hierarchical_overlaps(levels, d), d, T, _PAIRWISE)

    def equations(d):
        T, residual = np.full((2, d.size, n), np.nan)
        T[:, 0], residual[:, 0] = 1 - d, 0
        for level in range(2, n + 1):

            def excess(T, d, level=level):
                return T - (1 - d) * (1 - state(d, T, level - 1)["q"])

            # Not up to T_(k-1) itself, where level k - 1 gives way and this condition holds too.
            upper = T[:, level - 2] * (1 - _ONSET)
            lower = d ** (level - 1) * (1 - d) / 2
            points = np.flatnonzero((upper > lower) & (lower > 0))
            above = excess(upper[points], d[points])
            below = excess(lower[points], d[points])
            points = points[(above > 0) & (below < 0)]
            place = (points, level - 1)
            T[place] = roots(excess, lower[points], upper[points], d[points])
            found = state(d[points], T[place], level - 1)
            residual[place] = np.abs(excess(T[place], d[points]))
            gone = points[~outweighs(found["m"], _PAIRWISE)]
            T[gone, level - 1] = residual[gone, level - 1] = np.nan
        return {"temperature": T, "residual": residual}

    names = ("temperature", "residual")
    title = "melting of the levels"
    return _line(title, _DERIVED, names, equations, names, n, dilution=dilution)


def symmetric_temperature(n_patterns, dilution):
    """T_sym, below which the state with all overlaps equal is unstable, for d > 2/3.

        1 = beta << (xi_1^2 - xi_1 xi_2) sech^2(h/T) >>

    Just below T = 1 - d the quartic term of f, (1 - d)(3d - 2) sum_mu m_mu^4 up to a factor,
    favours equal overlaps for d > 2/3 and one pattern for d < 2/3.

    Args, Raises: as `melting_temperature`.

    Returns:
        xarray.Dataset on the coordinate dilution with `temperature` and `residual`; NaN for
        d <= 2/3 and for one pattern.

    Source: derived here, checked by iteration.
    """
    n = checked_patterns(n_patterns)

    def equations(d):
        T, residual = np.full((2, d.size), np.nan)

        def excess(T, d):
            found = flow(np.ones((d.size, n)), d, T, _PAIRWISE)
            return found["overlap_stability"]

        points = np.flatnonzero((d > 2 / 3) & (n > 1))
        lower, upper = (1 - d) * 1e-3, (1 - d) * (1 - _ONSET)
        below, above = (excess(bound[points], d[points]) for bound in (lower, upper))
        points = points[(below < 0) & (above > 0)]
        T[points] = roots(excess, lower[points], upper[points], d[points])
        residual[points] = np.abs(excess(T[points], d[points]))
        return {"temperature": T, "residual": residual}

    names = ("temperature", "residual")
    return _line("stability of the symmetric state", _DERIVED, names, equations, dilution=dilution)


def hierarchical_end(n_patterns, dilution):
    """The temperature at which the hierarchical state, heated from T = 0, loses its stability.

    It lies on a fold, which starts at T = 0 and the dilution `hierarchical_dilution` and ends
    in a critical point, (0.548, 0.077) for three patterns; at smaller dilution the state melts
    level by level instead, or turns smoothly into a parallel one.

    Args, Raises: as `melting_temperature`.

    Returns:
        xarray.Dataset on the coordinate dilution with `temperature`, m (the overlaps there, with a
        dimension `pattern`) and `residual`, of the equations for m and of the smallest eigenvalue
        that vanishes. NaN where the state does not exist at T = 0, or ends in no such point.

    Source: derived here, checked by iteration.
    """
    n = checked_patterns(n_patterns)
    return _end("hierarchical", n, hierarchical_overlaps, dilution)


def parallel_end(n_patterns, dilution):
    """The temperature at which the parallel state, heated from T = 0, loses its stability.

    It starts from the `majority` of T = 0, of three patterns or more. At d = 0 it is the limit
    0.4598 of the symmetric 3-mixture; beyond the critical point of `hierarchical_end` the state
    turns smoothly into others instead, and gives NaN; so does the jump of its symmetric form just
    below d = 2/3 and T = 1/3, where everything is too slow to tell.

    Args, Returns, Raises: as `hierarchical_end`.

    Source: derived here, checked by iteration.
    """
    n = checked_patterns(n_patterns)
    return _end("parallel", n, majority_overlaps, dilution)


def coexistence_dilution(temperature):
    """The dilution at which hierarchical and parallel state of three patterns have equal f.

    At T = 0 it is (1 + 2 sqrt 2)/7 = 0.5469, where 7 d^2 - 2 d - 1 = 0: below, the hierarchical
    state is the ground state. The line ends in the critical point, (0.548, 0.077).

    Args:
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with `dilution` and `residual`, of the
        equations for the overlaps of both states and of the difference of f; NaN above the
        critical point.

    Raises:
        ValueError: a bad temperature, or unnamed axes.

    Source: derived here, checked by iteration.
    """

    def errors(x, T):
        first, second, d = x[:, :3], x[:, 3:6], x[:, 6]
        found = np.full_like(x, np.nan)
        fit = (x > 0).all(axis=1) & (x < 1).all(axis=1)
        states = [(m[fit], d[fit], T[fit], _PAIRWISE) for m in (first, second)]
        f = [of_overlaps(*state)["free_energy"] for state in states]
        balance = [state[0] - image(*state) for state in states]
        found[fit] = np.column_stack([*balance, f[0] - f[1]])
        return found

    def equations(T):
        dilution, residual = np.full((2, T.size), np.nan)
        cold = np.array([(1 + 2 * np.sqrt(2)) / 7])
        start = [*hierarchical_overlaps(3, cold)[0], *majority_overlaps(3, cold)[0], cold[0]]
        path, back = np.unique(T, return_inverse=True)
        warm = path > 0
        dilution[T == 0], residual[T == 0] = cold[0], 0
        found, error = followed(errors, start, np.concatenate([[_COLDEST], path[warm]]))
        # Where the two have become one the line has ended.
        error[np.abs(found[:, 0] - found[:, 3]) < 1e-4] = np.nan
        by_place = np.full((2, path.size), np.nan)
        by_place[:, warm] = np.where(np.isnan(error), np.nan, [found[:, 6], error])[:, 1:]
        dilution[T > 0], residual[T > 0] = by_place[:, back[T > 0]]
        return {"dilution": dilution, "residual": residual}

    title = "equal free energies of hierarchical and parallel state"
    names = ("dilution", "residual")
    return _line(title, _DERIVED, names, equations, temperature=temperature)


def _line(title, source, names, equations, by_pattern=(), n_patterns=0, **parameters):
    """The Dataset of a line; the variables in by_pattern have one entry for each pattern."""
    described = {"convention": CONVENTION, "source": source}
    if by_pattern:
        described["extra_dims"] = dict.fromkeys(by_pattern, ("pattern",))
        described["coords"] = {"pattern": (np.arange(1, n_patterns + 1), "pattern")}
    long_names = {name: _LONG_NAMES[name] for name in names}
    title = f"{title} in the multitasking network"
    return evaluated(common_grid(**parameters), equations, long_names, title, **described)


def _end(branch, n, start, dilution):
    def equations(d):
        T, residual = np.full((2, d.size), np.nan)
        m = np.full((d.size, n), np.nan)
        first = start(n, d)
        cold = np.full(d.size, _COLDEST)
        # Where it is a state at T = 0; so cold, only a field below 2e-7 is not decided.
        kept = np.abs(image(first, d, cold, _PAIRWISE) - first).max(axis=1) < 1e-12
        points = np.flatnonzero(kept)
        heated = _heated(first[points], d[points], branch == "hierarchical")
        for point, *last in zip(points, *heated, strict=True):
            m[point], T[point], residual[point] = _polished(d[point], *last)
        return {"temperature": T, "m": m, "residual": residual}

    names = ("temperature", "m", "residual")
    title = f"end of the {branch} state"
    return _line(title, _DERIVED, names, equations, ("m",), n, dilution=dilution)


def _heated(m, d, hierarchical):
    """Slow heating: the last overlaps of this kind, its temperature, and one where it is lost."""
    lower, upper = np.full(d.size, _COLDEST), np.full(d.size, np.inf)
    m = m.copy()

    apart = 1 - _APART * np.arange(m.shape[1])

    def tried(T):
        found = flow(m * apart, d, T, _PAIRWISE, iterations=_HEATING_ITERATIONS)["m"]
        same = (outweighs(found, _PAIRWISE) == hierarchical) & (found > 0).any(axis=1)
        lost = ~same & ~np.isnan(found).any(axis=1)
        better = same & (T < upper)
        m[better], lower[better] = found[better], T[better]
        upper[lost] = np.minimum(upper, T)[lost]

    for step in range(1, _HEATING + 1):
        T = _COLDEST * ((1 - d) / _COLDEST) ** (step / _HEATING)
        tried(np.where(T < upper, T, lower))
    for _ in range(_BISECTIONS):
        tried((lower + upper) / 2)
    return m, lower, upper


def _polished(d, m, lower, upper):
    """Overlaps, temperature and error where the smallest eigenvalue vanishes, between the two
    temperatures; NaN where it does not."""
    levels, level = _levels(m)

    def errors(x, d):
        T = x[:, -1]
        found = np.full_like(x, np.nan)
        fit = (x > 0).all(axis=1)
        overlaps = np.where(level >= 0, x[fit, :-1][:, level], 0)
        state = (overlaps, d[fit], T[fit], _PAIRWISE)
        balance = overlaps - image(*state)
        shares = [balance[:, level == place].mean(axis=1) for place in range(levels.size)]
        found[fit] = np.column_stack([*shares, stability(*state)])
        return found

    x, error = newton(errors, np.append(levels, lower), np.array([d]))
    T = x[0, -1]
    m = np.where(level >= 0, x[0, :-1][level], 0)
    within = lower * (1 - _SLACK) <= T <= min(upper * (1 + _SLACK), (1 - d) * (1 - _ONSET))
    if not (within and _jumps(m, d, T, level)):
        return np.full(m.size, np.nan), np.nan, np.nan
    return m, T, error[0]


def _jumps(m, d, T, level):
    """Whether a state that loses its stability there has no other one nearby to turn into.

    On a fold the overlaps change as they do along the branch, those that are equal by the same
    amounts. If instead equal ones part, the state beyond may be near.
    """
    _, vectors = np.linalg.eigh(curvature(m[None], np.array([d]), np.array([T]), _PAIRWISE)[0])
    along = [vectors[level == place, 0].mean() for place in level]
    if np.linalg.norm(along) > 0.5:
        return True
    apart = m * (1 - _BEYOND * np.arange(m.size))
    where = np.array([d]), np.array([T * (1 + _BEYOND)])
    beyond = flow(apart[None], *where, _PAIRWISE, iterations=_JUMP_ITERATIONS)["m"][0]
    # So slow that it did not end: it turned continuously.
    return np.abs(beyond - m).max() > m.max() / 4


def _levels(m):
    """The different overlaps that are not zero, and for each pattern which it has (-1: zero)."""
    levels, level = [], np.full(m.size, -1)
    for pattern, value in enumerate(m):
        if value == 0:
            continue
        same = [place for place, known in enumerate(levels) if abs(known - value) < _EQUAL]
        if not same:
            levels.append(value)
        level[pattern] = same[0] if same else len(levels) - 1
    return np.array(levels), level
