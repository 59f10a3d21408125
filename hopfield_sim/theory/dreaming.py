"""The dreaming kernel between Hebb's rule and projection in equilibrium, replica symmetric.

H = -(1/2) sum_ij J_ij s_i s_j,  J = (1/N) sum_{mu nu} xi^mu [(1 + t)(1 + t C)^{-1}]_{mu nu} xi^nu,
C_{mu nu} = xi^mu . xi^nu/N, random +-1 patterns, mu = 1..P, alpha = P/N. The dreaming time t = 0 is
the Hopfield network, t = inf the projection rule, where alpha < 1. The self-coupling J_ii is part
of H here: without it add J_ii/2 to energies and free energies (at t = 0, alpha/2), nothing else
changes in equilibrium. Energies and temperatures are in units of J, with k_B = 1.

Order parameters: overlap m, q = (1/N) sum_i <s_i>^2, the response delta and the variance w of the
other patterns' field. With g = 1/(1 + tau delta), i = 1/(1 + t), tau = t/(1 + t), C = (1 - q)/T,

    m = E tanh(g (M + sqrt(w) z)/T),  q = E tanh^2(...),  M = m g/(i + tau g),
    alpha/delta     = i + tau g - g^2 C,
    alpha w/delta^2 = g^2 [q + tau^2 (M^2 + w) - 2 tau (M m + w g C)].

At T = 0 and t > 36 the spinodal load exceeds 1: with more patterns than neurons what is left of J
off the diagonal is -(1/t) times the inverse correlations of the neurons, small but not zero. All
temperatures of the retrieval states vanish as 1/t there, so that alpha < 1 is the limit t -> inf at
every T > 0. The largest of all spinodal loads is 1.0725, for t -> inf at T t = 1.

Sources: A. Fachechi, E. Agliari, A. Barra, Neural Networks 112 (2019) 24 (the kernel). Equations
derived here, checked by simulations at T >= 0 and by both limits.
"""

import numpy as np

from hopfield_sim.theory.dreaming_curves import crossings, curves, retrieval_curves, spinodal
from hopfield_sim.theory.dreaming_saddle import saddle, shares
from hopfield_sim.theory.dreaming_states import LONG_NAMES, of_saddle, paramagnet, predicted
from hopfield_sim.theory.labels import branches, common_grid, evaluated, on_grid
from hopfield_sim.theory.projection_saddle import (
    retrieval_state,
    spinodal_at,
    spinodal_field_at,
)

BRANCHES = (
    "retrieval",
    "retrieval_unstable",
    "further_1",
    "further_2",
    "further_3",
    "further_4",
    "paramagnet",
)
_OVERLAPS = len(BRANCHES) - 1  # branches with m > 0
_RANKS = 3  # the equation at given W has up to three roots
_SAME = 1e-6  # of ln kappa and ln delta: solutions found twice, on two curves
_FAR_BELOW = 0.01
_ABOUT = {
    "convention": "H = -(1/2) sum_ij J_ij s_i s_j with J_ii; alpha = P/N; units of J, k_B = 1",
    "source": "kernel: Fachechi, Agliari, Barra 2019; derived here, checked by simulations",
}


def retrieval(alpha, temperature, dreaming_time):
    """The stable retrieval phase: of the solutions with m > 0 the one of largest overlap.

    The equations are those of this page; at T = 0, y = M/sqrt(2 w): m = erf(y), q = 1,
    g C = sqrt(2/(pi w)) exp(-y^2). `replicon` < 0 where replica symmetry breaks (-inf at T = 0 with
    w > 0).

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, > 0; may exceed 1.
        temperature: likewise, >= 0.
        dreaming_time: t, likewise, in [0, inf], inf included. Plain arrays span the grid (alpha,
            temperature, dreaming_time); DataArrays are matched by the names of their dimensions.

    Returns:
        xarray.Dataset on that grid, dimensionless, with m, q, C, g, delta, M, w, free_energy,
        energy, entropy, self_coupling (J_ii), replicon and residual. NaN where there is no such
        solution, above `spinodal_load`.

    Raises:
        ValueError: alpha <= 0, a negative or undefined temperature or time, unnamed axes.
        ArithmeticError: the curve of solutions was not resolved next to its largest load, which
            happens, rarely, for t > 1e3 at T t between 1.1 and 1.5.

    Source: derived here; t = 0 Amit, Gutfreund, Sompolinsky 1987, t = inf Kanter, Sompolinsky 1987.
    """
    grid = common_grid(alpha=alpha, temperature=temperature, dreaming_time=dreaming_time)

    def first(*flat):
        return next(_overlaps(*flat, most=1, ranks=1))

    title = "retrieval phase of the dreaming kernel"
    return evaluated(grid, first, LONG_NAMES, title, branch="retrieval", **_ABOUT)


def solutions(alpha, temperature, dreaming_time):
    """All replica-symmetric solutions with at most one condensed pattern that are known, in order.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`: the solutions
        with m > 0 in order of falling overlap, "retrieval", "retrieval_unstable" and up to four
        "further_1" to "further_4" (there are some at large t only: a second stable solution near
        the largest loads, and solutions of small overlap and finite noise that are not connected
        with retrieval; one of the latter can be missed within a few per cent of the load where it
        appears or disappears), and "paramagnet" (m = q = w = 0; T > 0, and T > 1 at t = 0). At
        t = inf, where w = 0, the first two and the paramagnet are those of `projection`.

    Source: as `retrieval`.
    """
    grid = common_grid(alpha=alpha, temperature=temperature, dreaming_time=dreaming_time)
    flat, _ = on_grid(grid)
    phases = [*_overlaps(*flat, most=_OVERLAPS, ranks=_RANKS), _paramagnet(*flat)]
    title = "replica-symmetric solutions of the dreaming kernel"
    found = [
        evaluated(grid, lambda *_, phase=phase: phase, LONG_NAMES, title, **_ABOUT)
        for phase in phases
    ]
    return branches(found, BRANCHES)


def spinodal_load(temperature, dreaming_time):
    """alpha_M(T, t), the largest load at which retrieval states exist; at T = 0 the capacity.

    Args:
        temperature, dreaming_time: as for `retrieval`.

    Returns:
        xarray.Dataset on the grid (temperature, dreaming_time) with `alpha`, `m` (the overlap
        there), `w` and `residual` (of the saddle-point equations there). NaN for T >= 1. At
        t = inf it is the projection rule's, 1 at T = 0; the limit of finite t at T = 0 is 1.068.

    Raises:
        ValueError: a negative or undefined temperature or time, unnamed axes.
        ArithmeticError: as `retrieval`.

    Source: derived here.
    """

    def line(T, t):
        names = ("alpha", "m", "w", "residual")
        found = {name: np.full(T.size, np.nan) for name in names}
        for name in names:
            found[name][(T == 0) & np.isinf(t)] = {"alpha": 1, "m": 1}.get(name, 0)
        points = np.flatnonzero((T > 0) & (T < 1) & np.isinf(t))
        u = spinodal_field_at(T[points])
        found["alpha"][points], reached = spinodal_at(u)
        found["m"][points], found["w"][points] = np.tanh(u), 0
        found["residual"][points] = np.abs(reached - T[points])
        points = np.flatnonzero((T < 1) & np.isfinite(t))
        # Far below the load where the noise alone, as in the Hopfield network, ends retrieval.
        if points.size:
            at = spinodal(T[points], t[points], _FAR_BELOW * (1 - T[points]) ** 2)
            values = predicted(of_saddle(at, T[points]), at.alpha, T[points], t[points])
            for name in names:
                found[name][points] = {"alpha": at.alpha, **values}[name]
        return found

    names = {
        "alpha": "patterns per neuron, P/N",
        "m": "overlap with the condensed pattern there",
        "w": LONG_NAMES["w"],
        "residual": LONG_NAMES["residual"],
    }
    grid = common_grid(temperature=temperature, dreaming_time=dreaming_time)
    return evaluated(grid, line, names, "spinodal line of the dreaming kernel", **_ABOUT)


def spin_glass_temperature(alpha, dreaming_time):
    """T_g(alpha, t), where the paramagnet becomes unstable against a spin glass, continuously.

        T_g = (1 + t) a/[(1 + t a sqrt(alpha)) (1 + t a^2)],  a = 1 + sqrt(alpha)

    The root of w's equation linearised at w = 0, which is also where the paramagnet's replicon
    vanishes: 1 + sqrt(alpha) at t = 0; it falls as 1/t, and at t = inf there is none (0 here). A
    discontinuous transition to a glass, as the projection rule has one, may come first.

    Args:
        alpha, dreaming_time: as for `retrieval`.

    Returns:
        xarray.Dataset on the grid (alpha, dreaming_time) with `temperature`.

    Raises:
        ValueError: alpha <= 0, a negative or undefined time, unnamed axes.

    Source: derived here.
    """

    def line(alpha, t):
        i, tau = shares(t)
        a = 1 + np.sqrt(alpha)
        return {"temperature": i * a / ((i + tau * a * np.sqrt(alpha)) * (i + tau * a**2))}

    names = {"temperature": "temperature in units of the coupling J, k_B = 1"}
    grid = common_grid(alpha=alpha, dreaming_time=dreaming_time)
    return evaluated(grid, line, names, "spin-glass line of the dreaming kernel", **_ABOUT)


def _overlaps(alpha, T, t, most, ranks):
    """What the solutions with m > 0 predict, one after another from the largest overlap."""
    unknown = _unknown(alpha, T, t, most, ranks)
    for place in range(most):
        values = _nothing(alpha.size)
        points = np.flatnonzero(np.isfinite(unknown[0, place]))
        log_kappa, s, log_delta = unknown[:, place, points]
        at = saddle(log_kappa, np.maximum(s, 0), log_delta, t[points])
        _fill(values, points, of_saddle(at, T[points]), alpha, T, t)
        exact = np.flatnonzero(np.isinf(t) & (alpha < 1) & (T < 1))
        if place < 2:
            found, state = retrieval_state(alpha[exact], T[exact], stable=place == 0)
            _fill(values, exact[found], state, alpha, T, t)
        yield values


def _unknown(alpha, T, t, most, ranks):
    """The unknowns of the solutions at finite t in order of overlap, (3, most, point)."""
    found = np.full((3, most, alpha.size), np.nan)
    inside = np.flatnonzero((T < 1) & np.isfinite(t))
    if not inside.size:
        return found
    pairs, pair = np.unique([T[inside], t[inside]], axis=1, return_inverse=True)
    pair = pair.ravel()  # with an axis, NumPy 2.0 keeps that dimension
    smallest = np.full(pairs.shape[1], np.inf)
    np.minimum.at(smallest, pair, alpha[inside])
    smallest = np.minimum(smallest, _FAR_BELOW * (1 - pairs[0]) ** 2)
    here = [values[inside] for values in (T, t)]
    sets = retrieval_curves(*pairs, smallest, whole=most > 1)
    every = np.arange(smallest.size)
    sets += [(every, curves(*pairs, smallest, rank), False) for rank in range(1, ranks)]
    several = np.full((len(sets), 3, most, inside.size), np.nan)
    for place, (which, lines, needed) in enumerate(sets):
        points = np.flatnonzero(np.isin(pair, which))
        given = [values[points] for values in (alpha[inside], pair, *here)]
        given[1] = np.searchsorted(which, given[1])
        several[place][:, :, points] = crossings(lines, *given, most, needed)
    found[:, :, inside] = _by_overlap(np.concatenate(several, axis=1), here[1])[:, :most]
    return found


def _by_overlap(several, t):
    """Solutions (3, place, point) in order of falling overlap, each once."""
    for later in range(1, several.shape[1]):
        with np.errstate(invalid="ignore"):
            same = np.abs(several[::2, :later] - several[::2, later, None]).max(axis=0) < _SAME
        several[:, later, same.any(axis=0)] = np.nan
    place, point = np.nonzero(np.isfinite(several[0]))
    log_kappa, s, log_delta = several[:, place, point]
    overlap = np.full(several.shape[1:], -np.inf)
    overlap[place, point] = saddle(log_kappa, np.maximum(s, 0), log_delta, t[point]).m
    order = np.argsort(-overlap, axis=0, kind="stable")
    return np.take_along_axis(several, order[None], axis=1)


def _paramagnet(alpha, T, t):
    values = _nothing(alpha.size)
    inside = np.flatnonzero(np.isfinite(t) | (alpha < 1))
    points, state = paramagnet(alpha[inside], T[inside], t[inside])
    _fill(values, inside[points], state, alpha, T, t)
    return values


def _nothing(size):
    return {name: np.full(size, np.nan) for name in LONG_NAMES}


def _fill(values, points, state, alpha, T, t):
    found = predicted(state, alpha[points], T[points], t[points])
    for name in values:
        values[name][points] = found[name]
