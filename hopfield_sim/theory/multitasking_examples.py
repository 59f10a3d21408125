"""Multitasking networks that have learned diluted archetypes from examples.

Every archetype xi^k (k = 1..P, blank with probability d) is seen in M examples
eta_i^(k,a) = chi_i^(k,a) xi_i^k, P(chi = +-1) = (1 +- r)/2: blank entries stay blank. Couplings as
in `examples`, with the energies supervised and unsupervised. For N -> infinity at a finite number
of examples the mean field is exact, and with e the class average along an archetype,
G = r^2 + (1 - r^2)/M, rho = (1 - r^2)/(M r^2), zeta_k = x_k e_k/sqrt(G) and columns x of entries,

    n_k = E zeta_k tanh(h/T),  m_k = E x_k tanh(h/T),  h = sum_k zeta_k n_k^(p-1)

(couplings "variance"). A network without a teacher has the overlaps with all its examples as
unknowns, n_(k,a); in the states in which those of an archetype are equal it has the same equations:
at low load the teacher changes neither the states nor the thresholds for learning. It
changes whether they are stable: a state must not turn to single examples (`example_stability`).

The noise of the class averages acts like a temperature. In the hierarchical state a neuron whose
first archetype is against all others is in a field of mean A and width sqrt(rho B) in units of the
examples,

    A = m_1^(p-1) - sum_(k>1) m_k^(p-1),  B = sum_k m_k^(2(p-1)),  m_k = d^(k-1) (1 - d)

so these neurons turn first, and the number of examples that is needed grows without bound where
A -> 0, at the end of the hierarchical state (`hierarchical_dilution`).

Sources: E. Agliari, A. Alessandrelli, A. Barra, F. Ricci-Tersenghi, J. Stat. Mech. (2023) 113401
(learning with and without a teacher; thresholds from the signal and the noise of one update). The
equations at finite M and the thresholds were derived here and checked by simulation.
"""

import numpy as np

from hopfield_sim.theory.continuation import attracted
from hopfield_sim.theory.conventions import dataset_entropy
from hopfield_sim.theory.examples_phase import (
    COUPLINGS,
    FORMS,
    RULES,
    checked_choice,
    convention,
)
from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.multitasking_flow import (
    MELTED,
    checked_patterns,
    hierarchical_overlaps,
    stiffness,
)
from hopfield_sim.theory.multitasking_sites import (
    MOST_STATES,
    binomial_averages,
    binomial_overlaps,
    gaussian_averages,
    n_states,
)

SOURCE = (
    "derived here, checked by simulation; Agliari, Alessandrelli, Barra, Ricci-Tersenghi, "
    "J. Stat. Mech. (2023) 113401"
)
LONG_NAMES = {
    "m": "overlaps with the archetypes",
    "n": "overlaps with the class averages, in units of their normalisation",
    "hierarchy": "overlap with the hierarchical state of the archetypes, per neuron that has one",
    "q": "Edwards-Anderson order parameter",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "overlap_stability": "smallest curvature of the free energy over the overlaps with the class "
    "averages, in units of that of free spins; the solution is stable where positive",
    "example_stability": "likewise over differences of the overlaps with single examples",
    "residual": "largest error of the equations for the overlaps",
}
# Points computed together times states or columns: bounds the memory.
_CHUNK = 400_000


def learned(
    n_patterns,
    dilution,
    temperature,
    quality,
    n_examples,
    interaction=2,
    *,
    rule="supervised",
    form=None,
    couplings=None,
):
    """The state that is reached from the hierarchical one of the archetypes, by the descent of f.

        n_k <- E zeta_k tanh(sum_l zeta_l n_l^(p-1)/T)  from the spins that follow the first
        archetype that is not blank

    Args:
        n_patterns: the number P of archetypes, 1 to 10: one number.
        dilution: the fraction d of blank entries, in [0, 1).
        temperature: >= 0, in the unit of the normalisation.
        quality: r, in (0, 1].
        n_examples: M, a whole number >= 1.
        interaction: the order p, a whole number >= 2.
            Numbers, 1-D arrays (they span the grid in this order) or DataArrays, matched by the
            names of their dimensions.
        rule: "supervised" or "unsupervised".
        form: of the class averages; "binomial" (exact), "gaussian" (many examples), or None:
            binomial where a neuron has at most 200 000 states (M <= 70 for three archetypes),
            else gaussian.
        couplings: "variance", "quality" or None, as `examples.retrieval`.

    Returns:
        xarray.Dataset on that grid, dimensionless, with m and n (a further, last dimension
        `pattern`, 1 to P), hierarchy (m in the direction of the hierarchical state, 1 where every
        neuron follows its first archetype), q, free_energy, energy, entropy, overlap_stability,
        example_stability (infinite with one example, or a teacher: there are no such directions)
        and residual. At T = 0 neurons without a field stay free, as for an even M those whose
        examples contradict one another; example_stability is then -inf. NaN where the descent did
        not end within 30000 steps, which happens on a critical point.

    Raises:
        ValueError: a parameter outside its domain, several n_patterns or too many, unnamed axes;
            form "binomial" with too many states.

    Source: the head of this module.
    """
    n = checked_patterns(n_patterns)
    checked_choice(rule, "rule", RULES)
    if couplings is not None:
        checked_choice(couplings, "couplings", COUPLINGS)
    if form is not None:
        checked_choice(form, "form", FORMS)
    return evaluated(
        common_grid(
            dilution=dilution,
            temperature=temperature,
            quality=quality,
            n_examples=n_examples,
            interaction=interaction,
        ),
        lambda d, T, r, M, p: learned_states(n, d, T, r, M, p, rule, form, couplings),
        LONG_NAMES,
        f"{rule} learning of {n} diluted archetypes",
        extra_dims={"m": ("pattern",), "n": ("pattern",)},
        coords={"pattern": (np.arange(1, n + 1), "pattern")},
        convention=convention(rule, couplings) + " -> 0",
        source=SOURCE,
        branch="hierarchical start",
    )


def large_dataset(n_patterns, dilution, temperature, dataset_entropy, interaction=2):
    """As `learned` for many examples, given rho = (1 - r^2)/(M r^2) alone.

    Gaussian class averages, with a teacher or at p = 2, couplings "variance".

    Args:
        n_patterns, dilution, temperature, interaction: as `learned`.
        dataset_entropy: rho >= 0, likewise.

    Returns:
        xarray.Dataset as from `learned`; example_stability is that without a teacher.

    Raises: as `learned`.

    Source: the head of this module.
    """
    n = checked_patterns(n_patterns)

    return evaluated(
        common_grid(
            dilution=dilution,
            temperature=temperature,
            dataset_entropy=dataset_entropy,
            interaction=interaction,
        ),
        lambda d, T, rho, p: reached_states(n, d, T, p, rho),
        LONG_NAMES,
        f"learning of {n} diluted archetypes from many examples",
        extra_dims={"m": ("pattern",), "n": ("pattern",)},
        coords={"pattern": (np.arange(1, n + 1), "pattern")},
        convention=convention("supervised", "variance") + " -> 0",
        source=SOURCE,
        branch="hierarchical start",
    )


def learned_states(n, d, T, r, M, p, rule, form, couplings):
    """`learned` on flat arrays: name -> array (point, ...), in the units of the couplings."""
    rho = dataset_entropy(r, M)
    unit = np.ones(d.size)
    if couplings == "quality" or couplings is None and rule == "unsupervised":
        unit = np.where((p == 2) & (couplings is None), 1, (1 + rho) ** (p / 2))
    found = {}
    groups, which = np.unique(np.stack([r, M]), axis=1, return_inverse=True)
    many = np.array([n_states(n, *pair) > MOST_STATES for pair in groups.T], bool)
    if form == "binomial" and many.any():
        raise ValueError(
            f"form='binomial' with n_examples = {groups[1, many].min():.0f} has more than "
            f"{MOST_STATES} states of {n} class averages; use form='gaussian'"
        )
    gaussian = (many | (form == "gaussian"))[which.ravel()] if d.size else np.zeros(0, bool)
    key = np.where(gaussian, -1, which.ravel())
    for value in np.unique(key) if d.size else [-1]:
        here = np.flatnonzero(key == value)
        exact = () if value < 0 else tuple(groups[:, value])
        states = reached_states(n, d[here], T[here] / unit[here], p[here], rho[here], *exact)
        for name, values in states.items():
            found.setdefault(name, np.full((d.size, *values.shape[1:]), np.nan))[here] = values
    for name in ("free_energy", "energy"):
        found[name] *= unit
    found["n"] *= (unit ** (1 / p))[:, None]
    if rule == "supervised":
        found["example_stability"][:] = np.inf
    return found


def reached_states(n, d, T, p, rho, *exact):
    """The states that are reached: name -> array (point, ...), couplings "variance".

    exact: quality and number of the examples, for binomial class averages.
    """
    found = {}
    n_sites = n_states(n, *exact) if exact else 3**n
    size = max(1, _CHUNK // n_sites)
    for order in np.unique(p) if p.size else [2]:
        points = np.flatnonzero(p == order)
        for first in range(0, max(points.size, 1), size):
            here = points[first : first + size]
            part = flow(n, d[here], T[here], int(order), rho[here], exact)
            for name, values in part.items():
                found.setdefault(name, np.full((d.size, *values.shape[1:]), np.nan))[here] = values
    return found


def flow(n, d, T, p, rho, exact, equal=False):
    """As `reached_states`, for one order of the interaction and not too many points.

    equal: all overlaps start equal, and are held so.
    """

    def averages(overlaps, d, T, rho, _):
        weight = overlaps ** (p - 1)
        if exact:
            return binomial_averages(weight, d, T, *exact)
        return gaussian_averages(weight, d, T, rho)

    def image(overlaps, d, T, rho, begun):
        weight = overlaps ** (p - 1)
        if exact:
            return binomial_overlaps(weight, d, T, *exact) * begun
        found = gaussian_averages(weight, d, T, rho).n
        return found.mean(axis=1, keepdims=True) * begun if equal else found * begun

    def slopes(overlaps, *parameters):
        found = averages(overlaps, *parameters).slopes
        found[~np.isfinite(found).all(axis=(1, 2))] = 0  # a step function
        if equal:
            found = np.broadcast_to(found.mean(axis=1, keepdims=True), found.shape)
        return found * stiffness(overlaps, p)[:, None, :] * parameters[-1][:, :, None]

    start = hierarchical_overlaps(n, d) / np.sqrt(1 + rho)[:, None]
    if equal:
        start[:] = start[:, :1]
    begun = (start > 0).astype(float)  # what starts at zero stays there, but for rounding
    overlaps = np.zeros_like(start)
    # From 1 - d on all overlaps of the pairwise network vanish, critically slowly at first.
    ordered = np.flatnonzero((T < (1 - d) * (1 - 1e-14)) | (p > 2))
    here = [values[ordered] for values in (start, d, T, rho, begun)]
    overlaps[ordered], converged = attracted(image, slopes, *here)
    overlaps[overlaps < MELTED * start] = 0
    overlaps[ordered[~converged]] = np.nan
    known = ~np.isnan(overlaps).any(axis=1)
    given = [values[known] for values in (overlaps, d, T, rho, begun)]
    at = averages(*given)
    return (
        {
            "m": _spread(known, at.m * (given[0] > 0)),
            "n": overlaps,
        }
        | {
            name: _spread(known, values)
            for name, values in _thermodynamics(given[0], given[2], p, at, image(*given)).items()
        }
        | {"hierarchy": _spread(known, at.first / (1 - given[1] ** n))}
    )


def _thermodynamics(overlaps, T, p, at, image):
    energy = -np.sum(overlaps**p, axis=1) / p
    stiff = stiffness(overlaps, p)
    return {
        "q": at.q,
        "energy": energy,
        "entropy": at.entropy,
        "free_energy": energy - T * at.entropy,
        "overlap_stability": _smallest(at.slopes, stiff),
        "example_stability": np.min(1 - _product(stiff, at.example), axis=1),
        "residual": np.abs(image - overlaps).max(axis=1),
    }


def _product(stiff, response):
    """Their product, zero where there is no stiffness although free neurons respond infinitely."""
    with np.errstate(invalid="ignore"):
        return np.where(stiff == 0, 0, stiff * response)


def _smallest(slopes, stiff):
    """The smallest eigenvalue of 1 - D^(1/2) slopes D^(1/2) (point,); -inf where they are not
    finite."""
    root = np.sqrt(stiff)
    scaled = _product(root[:, :, None] * root[:, None, :], slopes)
    finite = np.isfinite(scaled).all(axis=(1, 2))
    smallest = np.full(len(slopes), -np.inf)
    matrix = np.eye(slopes.shape[1]) - scaled[finite]
    smallest[finite] = np.linalg.eigvalsh((matrix + matrix.swapaxes(1, 2)) / 2)[:, 0]
    return smallest


def _spread(known, values):
    """Values at the known points, NaN at the others."""
    found = np.full((known.size, *values.shape[1:]), np.nan)
    found[known] = values
    return found
