"""The mean field of a finite number of diluted patterns, on plain arrays.

Entries xi = -1, 0, 1 of P patterns, blank (0) with probability d, make 3^P columns; a neuron with
the column xi has the field h = sum_nu xi_nu m_nu^(p-1), p the order of the interaction, and <<.>>
is the average over the columns. The equations and the free energy per neuron are

    m_mu = << xi_mu tanh(h/T) >>,
    f = (1 - 1/p) sum_mu m_mu^p - T << ln 2cosh(h/T) >>.

The iteration of the first as written lowers f at every step: with y = m^(p-1), f is a convex
function of y minus another, and a step minimises it with the second replaced by its tangent. So it
ends in a minimum, the one in whose valley it started. Patterns that start with equal overlaps stay
equal, exactly, also where the equality is unstable; those that start at zero stay there.

At T = 0 the hyperbolic tangent is the sign, and zero where the field vanishes (to 1e-12 of its
terms): such neurons are free.
"""

from functools import cache
from itertools import product

import numpy as np

from hopfield_sim.theory.continuation import attracted
from hopfield_sim.theory.labels import parameter
from hopfield_sim.theory.quadrature import thermal_functions

CONVENTION = (
    "H = -(N/p) sum_mu m_mu^p, m_mu = (1/N) sum_i xi_i^mu s_i, p the order of the interaction; "
    "alpha = P/N^(p-1) -> 0; energies and temperatures in units of J, k_B = 1"
)
SOURCE = "Agliari, Barra, Galluzzi, Guerra, Moauro, Phys. Rev. Lett. 109 (2012) 268101"
MOST_PATTERNS = 10
# A field of this part of the sum of its terms' sizes is none: they cancel within rounding.
_TIE = 1e-12
# An overlap below this part of its start is on its way to zero.
MELTED = 1e-10
# Points computed together times columns: bounds the memory.
_CHUNK = 400_000
# Beyond this the functions of a spin have their limits, to the last digit.
_SATURATED = 400.0
# Fields that differ by less than this part are equal.
_EQUAL = 1e-7


@cache
def columns(n_patterns):
    """The columns, one of each pair of opposite ones (column, pattern), and their blanks."""
    every = np.array(list(product((-1.0, 0.0, 1.0), repeat=n_patterns)))
    half = every[len(every) // 2 :]  # the blank one, and of each other pair the positive one
    return half, np.sum(half == 0, axis=1)


def probabilities(dilution, n_patterns):
    """Of each column together with its opposite, (point, column)."""
    _, blanks = columns(n_patterns)
    d = dilution[:, None]
    weights = d**blanks * ((1 - d) / 2) ** (n_patterns - blanks)
    return weights * np.where(blanks == n_patterns, 1, 2)


def checked_patterns(n_patterns):
    """One number of patterns that the average over the columns can take."""
    found = parameter(n_patterns, "n_patterns").values
    if found.size != 1 or found.flat[0] > MOST_PATTERNS:
        raise ValueError(
            f"n_patterns is {n_patterns!r}; give one number of patterns, up to {MOST_PATTERNS}: "
            "the average runs over 3^P columns"
        )
    return int(found.flat[0])


def hierarchical_overlaps(n_patterns, d):
    """Overlaps of the hierarchical state (point, pattern)."""
    return d[:, None] ** np.arange(n_patterns) * (1 - d[:, None])


def vote(n_patterns):
    """Where a neuron with each column goes by majority (column,), 0 if all is blank."""
    entries, _ = columns(n_patterns)
    first = entries @ (1 / 3.0 ** np.arange(1, n_patterns + 1))  # has the sign of the first entry
    return np.sign(entries.sum(axis=1) + first)


def majority_overlaps(n_patterns, d):
    """Overlaps of the majority state (point, pattern)."""
    return (probabilities(d, n_patterns) * vote(n_patterns)) @ columns(n_patterns)[0]


def outweighs(m, p):
    """Whether every overlap outweighs all later ones (point,); zero ones come last."""
    weight = m ** (np.atleast_1d(p)[:, None] - 1)
    later = np.cumsum(weight[:, ::-1], axis=1)[:, ::-1] - weight
    return np.all((weight > later * (1 + _EQUAL)) | (weight == 0) & (later == 0), axis=1)


def flow(start, dilution, temperature, interaction, **limits):
    """What the overlaps flow to: name -> array (point, ...), NaN where the flow did not end.

    start: (point, pattern), not negative; dilution, temperature: (point,); interaction: a number;
    limits: as for `continuation.attracted`.
    """
    size = max(1, _CHUNK // len(columns(start.shape[1])[0]))
    parts = [
        _flow(
            *(values[first : first + size] for values in (start, dilution, temperature)),
            interaction,
            **limits,
        )
        for first in range(0, max(1, dilution.size), size)
    ]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _flow(start, d, T, p, **limits):
    # Averages over the patterns of equal start, zero for those that start at zero.
    equal = (start[:, :, None] == start[:, None, :]) & (start[:, :, None] > 0)
    equal = equal / np.maximum(equal.sum(axis=2, keepdims=True), 1)

    def projected_image(m, d, T, equal):
        return (equal @ image(m, d, T, p)[:, :, None])[:, :, 0]

    def slopes(m, d, T, equal):
        found = _susceptibility(m, d, T, p)
        found[~np.isfinite(found).all(axis=(1, 2)) | (T == 0)] = 0  # a step function
        return equal @ found * stiffness(m, p)[:, None, :]

    m = np.zeros_like(start)
    # From 1 - d on all overlaps of the pairwise network vanish, critically slowly at first.
    ordered = np.flatnonzero((T < (1 - d) * (1 - 1e-14)) | (p > 2))
    m[ordered], converged = attracted(
        projected_image, slopes, *(values[ordered] for values in (start, d, T, equal)), **limits
    )
    m[m < MELTED * start] = 0
    m[ordered[~converged]] = np.nan
    return of_overlaps(m, d, T, p)


def of_overlaps(m, d, T, p):
    """What overlaps m (point, pattern) that solve the equations predict: name -> (point, ...)."""
    names = ("q", "free_energy", "energy", "entropy", "overlap_stability", "residual")
    found = {name: np.full(d.size, np.nan) for name in names}
    known = ~np.isnan(m).any(axis=1)
    at, d, T = m[known], d[known], T[known]
    weights = probabilities(d, m.shape[1])
    _, tanh, entropy = _averages(at, T, p)
    energy = -np.sum(at**p, axis=1) / p
    entropy = np.sum(weights * entropy, axis=1)
    found["q"][known] = np.sum(weights * tanh**2, axis=1)
    found["energy"][known] = energy
    found["entropy"][known] = entropy
    found["free_energy"][known] = energy - T * entropy
    found["overlap_stability"][known] = stability(at, d, T, p)
    found["residual"][known] = np.abs(image(at, d, T, p) - at).max(axis=1)
    return {"m": m} | found


def image(m, d, T, p):
    """<< xi_mu tanh(h/T) >> at the overlaps m, (point, pattern)."""
    _, tanh, _ = _averages(m, T, p)
    n = m.shape[1]
    return (probabilities(d, n) * tanh) @ columns(n)[0]


def curvature(m, d, T, p):
    """1 - beta D^(1/2) << xi xi^T sech^2(h/T) >> D^(1/2), (point, pattern, pattern): that of f over
    the overlaps in units of that of free spins; NaN where spins in a tie make it infinite."""
    root = np.sqrt(stiffness(m, p))
    susceptibility = _susceptibility(m, d, T, p)
    susceptibility[~np.isfinite(susceptibility).all(axis=(1, 2))] = np.nan
    return np.eye(m.shape[1]) - root[:, :, None] * susceptibility * root[:, None, :]


def stability(m, d, T, p):
    """The smallest eigenvalue of `curvature` (point,), -inf where spins are in a tie at T = 0."""
    matrix = curvature(m, d, T, p)
    finite = np.isfinite(matrix).all(axis=(1, 2))
    smallest = np.full(d.size, -np.inf)
    smallest[finite] = np.linalg.eigvalsh(matrix[finite])[:, 0]
    return smallest


def _averages(m, T, p):
    """sech^2, tanh and spin entropy of h/T in each column, (point, column)."""
    return of_fields(m ** (p - 1), columns(m.shape[1])[0], T)


def of_fields(weight, entries, T):
    """sech^2, tanh and spin entropy of h/T where h = sum_nu entries_nu weight_nu: (point, site).

    weight: (point, pattern); entries: (site, pattern); T: (point,).
    """
    field = weight @ entries.T
    still = T == 0
    field[still] *= np.abs(field[still]) > _TIE * (weight[still] @ np.abs(entries.T))
    coldest = np.maximum(T, np.finfo(float).tiny)[:, None]
    with np.errstate(over="ignore"):
        return thermal_functions(np.clip(field / coldest, -_SATURATED, _SATURATED))


def _susceptibility(m, d, T, p):
    """beta << xi_mu xi_nu sech^2(h/T) >> (point, pattern, pattern); infinite for free neurons."""
    sech_squared, _, _ = _averages(m, T, p)
    entries, _ = columns(m.shape[1])
    weights = probabilities(d, m.shape[1]) * sech_squared
    found = np.einsum("pc,ca,cb->pab", weights, entries, entries, optimize=True)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.where(found == 0, 0, found / T[:, None, None])


def stiffness(m, p):
    """(p - 1) m^(p-2), the derivative of the field m^(p-1)."""
    return (p - 1) * m ** (p - 2) if p > 2 else np.ones_like(m)
