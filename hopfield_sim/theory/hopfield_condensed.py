"""Any set of condensed patterns in the Hopfield network, from given overlaps to convergence.

With overlaps m_mu and random signs xi the field is h = sum_mu m_mu xi_mu + b z, and <<.>> the
average over the signs. The equations

    m_mu <- << xi_mu E tanh(h/T) >>,   b <- << E z tanh(h/T) >> + sqrt(alpha q)

are iterated as written, which is safe: the first, at fixed b, lowers the free energy
m^2/2 - T << E ln 2cosh(h/T) >> at every step (the average is convex in m); the second, as
<< E z tanh >> = b C and b = sqrt(alpha r), is r = q/(1 - C)^2 without its singularity at C = 1,
and its fixed points have C < 1. Where the iteration slows down, Newton's method finishes it, but
only to a solution nearby that attracts the iteration.

Patterns that start with equal |m_mu| are one group: they stay equal, exactly, also where the
equality is unstable. Patterns that start at zero stay there.

Source: D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. A 32 (1985) 1007 (a finite number of
patterns, here alpha = 0) and Ann. Phys. 173 (1987) 30 (alpha > 0).
"""

from functools import partial
from itertools import product
from math import comb, prod
from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.continuation import attracted
from hopfield_sim.theory.hopfield_saddle import (
    CONVENTION,
    LONG_NAMES,
    LOW_LOAD_SOURCE,
    SOURCE,
    of_paramagnet,
    thermodynamics,
)
from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.quadrature import thermal_averages

_MOST_STATES = 20_000
# Points iterated together times states of the field: bounds the memory.
_CHUNK = 20_000
_NAMES = LONG_NAMES | {
    "m": "overlaps with the condensed patterns",
    "residual": "largest error of the equations for m and for the noise",
    "overlap_stability": "smallest curvature of the free energy over the overlaps",
}


class _Groups(NamedTuple):
    """Patterns of equal starting overlap."""

    sizes: np.ndarray  # (group,)
    k: np.ndarray  # (state, group): sum of the signs of each group
    weights: np.ndarray  # (state,)


def condensed(amplitudes, alpha, temperature):
    """The solution that the given overlaps flow to: several condensed patterns of any overlaps.

        m_mu = << xi_mu E tanh(h/T) >>,  q = << E tanh^2(h/T) >>,  r = q/(1 - C)^2,
        h = sum_mu m_mu xi_mu + sqrt(alpha r) z

    Args:
        amplitudes: (pattern,), the overlaps to start from, between -1 and 1 and not all zero. The
            noise starts from q = 1, r = 1.
        alpha, temperature: numbers, 1-D arrays or DataArrays; see `hopfield.retrieval`.

    Returns:
        xarray.Dataset on their grid with m (a further, last dimension `pattern`), q, r, C,
        free_energy, energy, entropy, replicon, residual (largest error of the equations for m and
        b) and overlap_stability, the smallest curvature of the free energy over the overlaps of
        all patterns at fixed cross-talk noise: the smallest eigenvalue of
        delta - beta << xi_mu xi_nu E sech^2(h/T) >>. The flow may end at m = 0, in the spin glass
        or the paramagnet. Near a spinodal that is just missed it passes slowly, but it passes.

    Raises:
        ValueError: amplitudes that are not a vector of such numbers, or with so many different
            values that more than 20000 field values are needed; or as `hopfield.retrieval`.
        ArithmeticError: more than 30000 iterations did not converge. It happens within some 1e-3
            of T = 1 and next to a transition, where `hopfield.mixture` still works.

    Source: Amit, Gutfreund, Sompolinsky, Phys. Rev. A 32 (1985) 1007; Ann. Phys. 173 (1987) 30.
    """
    return evaluated(
        common_grid(alpha=alpha, temperature=temperature),
        partial(_condensed, _checked(amplitudes)),
        _NAMES,
        "condensed patterns in the Hopfield network",
        extra_dims={"m": ("pattern",)},
        convention=CONVENTION,
        source=SOURCE,
        branch="condensed",
    )


def low_load_condensed(amplitudes, temperature):
    """The solution that the given overlaps flow to, of a finite number of patterns, alpha -> 0.

        m_mu = << xi_mu tanh(sum_nu m_nu xi_nu/T) >>

    The network of undiluted patterns among those of `multitasking`, which has the closed forms.

    Args:
        amplitudes: as `condensed`.
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with the variables of `condensed`; for T >= 1
        the flow ends at m = 0.

    Raises: as `condensed`.

    Source: Amit, Gutfreund, Sompolinsky, Phys. Rev. A 32 (1985) 1007.
    """
    start = _checked(amplitudes)
    return evaluated(
        common_grid(temperature=temperature),
        lambda T: _condensed(start, np.zeros_like(T), T),
        _NAMES,
        "condensed patterns in the Hopfield network at low load",
        extra_dims={"m": ("pattern",)},
        convention=CONVENTION,
        source=LOW_LOAD_SOURCE,
        branch="condensed",
    )


def _condensed(start, alpha, T):
    """name -> array (point, ...); at alpha = 0 without the noise of other patterns."""
    levels, group = np.unique(np.abs(start), return_inverse=True)
    kept = levels > 0
    groups = _groups([int(np.sum(group == place)) for place in np.flatnonzero(kept)])
    values = {name: np.full(alpha.size, np.nan) for name in _NAMES}
    values["m"] = np.zeros((alpha.size, start.size))
    level = np.full(levels.size, -1)  # place of each level among the groups; -1: it stays zero
    level[kept] = np.arange(groups.sizes.size)
    condensing = level[group] >= 0
    chunk = max(1, _CHUNK // groups.weights.size)
    for first in range(0, alpha.size, chunk):
        points = np.arange(first, min(first + chunk, alpha.size))
        found = _solve(levels[kept], alpha[points], T[points], groups)
        m = found.pop("m")[:, level[group[condensing]]] * np.sign(start[condensing])
        values["m"][np.ix_(points, np.flatnonzero(condensing))] = m
        for name, value in found.items():
            values[name][points] = value
    return values


def _checked(amplitudes):
    start = np.asarray(amplitudes, dtype=float)
    if start.ndim != 1 or start.size == 0:
        raise ValueError(
            f"amplitudes has shape {start.shape}; give one starting overlap for each pattern"
        )
    if not np.all(np.abs(start) <= 1) or not start.any():
        raise ValueError(
            f"amplitudes {start} must be overlaps between -1 and 1, at least one of them not zero "
            "(without condensed patterns: spin_glass or paramagnet)"
        )
    return start


def _groups(sizes):
    states = prod(size + 1 for size in sizes)
    if states > _MOST_STATES:
        raise ValueError(
            f"the patterns form {len(sizes)} groups of equal overlap, with {states} values of the "
            f"field, more than {_MOST_STATES}; start with fewer patterns or more equal overlaps"
        )
    ups = product(*(range(size + 1) for size in sizes))
    ups = np.array(list(ups), dtype=float)
    chances = [[comb(size, up) / 2**size for up in range(size + 1)] for size in sizes]
    weights = np.array([prod(state) for state in product(*chances)])
    sizes = np.array(sizes, dtype=float)
    return _Groups(sizes, 2 * ups - sizes, weights)


def _solve(start, alpha, T, groups):
    """name -> array (point, ...) of the solutions that the groups' overlaps `start` flow to."""
    m = np.zeros((alpha.size, start.size))
    b = np.zeros(alpha.size)
    # From T_g on nothing is left, and the flow towards it is critically slow.
    ordered = T < 1 + np.sqrt(alpha)
    m[ordered], b[ordered] = _flow(start, alpha[ordered], T[ordered], groups)
    average = _averages(m, b, T, groups)
    q, C = average.tanh_squared @ groups.weights, average.slope @ groups.weights
    entropy, fourth = average.entropy @ groups.weights, average.sech_fourth @ groups.weights
    m_squared = m**2 @ groups.sizes
    known = (alpha, T, m_squared, b, q, C, entropy, fourth)
    found = {
        name: np.where(ordered, 0.0, np.nan) for name in thermodynamics(*(v[:0] for v in known))
    }
    for where, values in (
        (ordered, thermodynamics(*(value[ordered] for value in known))),
        (~ordered, of_paramagnet(alpha[~ordered], T[~ordered])),
    ):
        for name in found:
            found[name][where] = values[name]
    found["m"] = m
    found["residual"] = np.abs(_image(m, b, alpha, T, groups) - np.column_stack([m, b])).max(axis=1)
    found["overlap_stability"] = _stability(average.slope, C, groups)
    return found


def _flow(start, alpha, T, groups):
    """Overlaps (point, group) and noise (point,) that the iteration converges to; T < T_g."""

    def image(state, alpha, T):
        return _image(state[:, :-1], state[:, -1], alpha, T, groups)

    def slopes(state, alpha, T):
        found = np.zeros((*state.shape, state.shape[1]))
        # Without noise at T = 0 the equations are steps: the iteration ends exactly, or not at all.
        smooth = (T > 0) | (alpha > 0)
        near = state[smooth]
        found[smooth] = _slopes(near[:, :-1], near[:, -1], alpha[smooth], T[smooth], groups)
        return found

    def limited(state, step):
        # Within half the way to zero noise, so that the noise stays a width.
        step[:, -1] = np.maximum(step[:, -1], -state[:, -1] / 2)
        return step

    first = np.column_stack([np.tile(start, (alpha.size, 1)), np.sqrt(alpha)])
    state, converged = attracted(image, slopes, first, alpha, T, limited=limited)
    if not converged.all():
        worst = np.flatnonzero(~converged)[0]
        raise ArithmeticError(
            f"{np.sum(~converged)} points did not converge, the first at "
            f"alpha = {alpha[worst]:.17g}, temperature = {T[worst]:.17g}; it lies next to a "
            "transition: move it, or start from other amplitudes"
        )
    return state[:, :-1], state[:, -1]


def _averages(m, b, T, groups):
    return thermal_averages(m @ groups.k.T, b[:, None], T[:, None])


def _image(m, b, alpha, T, groups):
    """Where one iteration takes the overlaps and the noise: (point, group + 1)."""
    average = _averages(m, b, T, groups)
    overlaps = average.tanh @ (groups.weights[:, None] * groups.k) / groups.sizes
    noise = np.zeros_like(b)
    noisy = b > 0
    noise[noisy] = b[noisy] * (average.slope[noisy] @ groups.weights)
    noise += np.sqrt(alpha * (average.tanh_squared @ groups.weights))
    return np.column_stack([overlaps, noise])


def _slopes(m, b, alpha, T, groups):
    """Derivatives of _image by overlaps and noise: (point, group + 1, group + 1)."""
    average = _averages(m, b, T, groups)
    w, k = groups.weights, groups.k
    q = average.tanh_squared @ w
    share = np.zeros_like(q)
    share[alpha > 0] = np.sqrt(alpha[alpha > 0] / q[alpha > 0]) / 2
    by_m = average.slope_z @ (w[:, None] * k)
    slopes = np.empty((b.size, m.shape[1] + 1, m.shape[1] + 1))
    slopes[:, :-1, :-1] = np.einsum("ps,s,sg,sh->pgh", average.slope, w, k, k, optimize=True)
    slopes[:, :-1, -1] = by_m
    slopes[:, :-1, :] /= groups.sizes[:, None]
    slopes[:, -1, :-1] = by_m + share[:, None] * (average.square_mean @ (w[:, None] * k))
    slopes[:, -1, -1] = average.slope_zz @ w + share * (average.square_width @ w)
    slopes[alpha == 0, -1, :] = 0  # without load no noise arises
    return slopes


def _stability(slope, C, groups):
    """The smallest eigenvalue of delta - beta << xi_mu xi_nu E sech^2 >> over all patterns.

    It is 1 - C for a pattern that is not condensed; for opposite changes of two patterns of one
    group 1 - C + beta << xi_1 xi_2 E sech^2 >>; and an eigenvalue of the matrix over the groups
    for common changes. Where spins without a field make it infinite, it is -inf.
    """
    w, k, sizes = groups.weights, groups.k, groups.sizes
    smallest = 1 - C
    finite = np.isfinite(C)
    several = sizes > 1
    pair = (k[:, several] ** 2 - sizes[several]) / (sizes[several] * (sizes[several] - 1))
    opposite = 1 - slope[finite] @ (w[:, None] * (1 - pair))
    root = np.sqrt(sizes)
    common = np.einsum("ps,s,sg,sh->pgh", slope[finite], w, k / root, k / root, optimize=True)
    common = np.linalg.eigvalsh(np.eye(sizes.size) - common)
    candidates = np.column_stack([smallest[finite], opposite, common])
    smallest[finite] = candidates.min(axis=1)
    return smallest
