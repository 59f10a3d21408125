"""Networks that recall several patterns at once: a finite number P of diluted patterns.

H = -(N/p) sum_mu m_mu^p with m_mu = (1/N) sum_i xi_i^mu s_i and patterns xi = -1, 0, 1, blank with
probability d and otherwise +-1 with equal chances, so that m_mu <= 1 - d. p = 2, the pairwise
network, is H = -(1/2) sum_{i != j} J_ij s_i s_j with J_ij = (1/N) sum_mu xi_i^mu xi_j^mu, up to a
constant; for p > 2 there is no difference between distinct and full sums at a finite number of
patterns. Energies and temperatures are in units of J, with k_B = 1, per neuron and for N ->
infinity, where the mean field is exact:

    m_mu = << xi_mu tanh(h/T) >>,  h = sum_nu xi_nu m_nu^(p-1),
    f = (1 - 1/p) sum_mu m_mu^p - T << ln 2cosh(h/T) >>

A blank entry leaves a neuron to the next pattern, so several are recalled together. In the
hierarchical state pattern 1 has all its neurons, pattern 2 those where the first is blank, and so
on; in a parallel state neurons follow a majority. The theory has no load: alpha -> 0.

    retrieval, condensed, solutions      the states, with all their overlaps
    hierarchical, majority               at T = 0, closed forms
    hierarchical_dilution                up to which dilution the former is one, and stable
    onset_temperature, melting_temperature, symmetric_temperature, hierarchical_end, parallel_end,
    coexistence_dilution                 the lines of the (d, T) diagram
    learned, large_dataset               the network that has learned its patterns from examples
    examples_needed, tolerated_entropy, one_step_examples, equal_entropy
                                         thresholds for learning, with and without a teacher

Sources: E. Agliari, A. Barra, A. Galluzzi, F. Guerra, F. Moauro, Phys. Rev. Lett. 109 (2012)
268101; E. Agliari, A. Barra, A. Galluzzi, M. Isopi, Neural Networks 49 (2014) 19. The parallel
state of three patterns and the interactions p > 2: derived here, checked by simulation.
"""

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, evaluated, parameter
from hopfield_sim.theory.multitasking_examples import large_dataset, learned
from hopfield_sim.theory.multitasking_flow import (
    CONVENTION,
    MOST_PATTERNS,
    SOURCE,
    checked_patterns,
    columns,
    flow,
    hierarchical_overlaps,
    majority_overlaps,
    outweighs,
    probabilities,
    vote,
)
from hopfield_sim.theory.multitasking_lines import (
    coexistence_dilution,
    hierarchical_end,
    melting_temperature,
    onset_temperature,
    parallel_end,
    symmetric_temperature,
)
from hopfield_sim.theory.multitasking_thresholds import (
    equal_entropy,
    examples_needed,
    one_step_examples,
    tolerated_entropy,
)

__all__ = [
    "coexistence_dilution",
    "condensed",
    "equal_entropy",
    "examples_needed",
    "hierarchical",
    "hierarchical_dilution",
    "hierarchical_end",
    "large_dataset",
    "learned",
    "majority",
    "melting_temperature",
    "one_step_examples",
    "onset_temperature",
    "parallel_end",
    "retrieval",
    "solutions",
    "symmetric_temperature",
    "tolerated_entropy",
]

_DENSE = SOURCE + "; interactions of order p > 2 derived here, checked by simulation"
_NAMES = {
    "m": "overlaps with the patterns",
    "q": "Edwards-Anderson order parameter",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "overlap_stability": "smallest curvature of the free energy over the overlaps, in units of "
    "that of free spins; the solution is stable where positive",
    "residual": "largest error of the equations for the overlaps",
}


def retrieval(n_patterns, dilution, temperature, interaction=2):
    """The state that is reached from the hierarchical one of T = 0, by the descent of f.

        m_mu <- << xi_mu tanh(sum_nu xi_nu m_nu^(p-1)/T) >>  from  m_k = d^(k-1) (1 - d)

    It is what a cue of pattern 1 leads to. Where the hierarchical state exists it is that, with
    the levels k that have melted at zero; beyond, whatever state takes its place (`solutions`
    tells them apart).

    Args:
        n_patterns: the number P of patterns, 1 to 10: one number.
        dilution: the fraction d of blank entries, in [0, 1).
        temperature: >= 0.
        interaction: the order p, a whole number >= 2.
            Numbers, 1-D arrays (they span the grid dilution, temperature, interaction) or
            DataArrays, matched by the names of their dimensions.

    Returns:
        xarray.Dataset on that grid, dimensionless, with m (a further, last dimension `pattern`,
        1 to P), q, free_energy, energy, entropy, overlap_stability (the smallest eigenvalue of
        1 - beta D^(1/2) << xi xi^T sech^2(h/T) >> D^(1/2), D = (p - 1) m^(p-2)) and residual. At
        T = 0 neurons without a field, blank in every pattern or in a tie, stay free: they have the
        entropy ln 2, and stability is -inf if a tie is among them. NaN where the descent did not
        end within 30000 steps, which happens on a critical point.

    Raises:
        ValueError: a parameter outside its domain, several n_patterns or too many, unnamed axes.

    Source: Agliari, Barra, Galluzzi, Guerra, Moauro, Phys. Rev. Lett. 109 (2012) 268101.
    """
    return _states(
        "retrieval",
        lambda n, d, T, p: _reached(hierarchical_overlaps, n, d, T, p),
        n_patterns,
        dilution,
        temperature,
        interaction,
    )


def condensed(amplitudes, dilution, temperature, interaction=2):
    """The state that is reached from given overlaps, by the descent of f.

    Of four or more patterns there are several parallel states; each is reached from its own start.

    Args:
        amplitudes: (pattern,), the overlaps to start from, between -1 and 1 and not all zero, for
            at most 10 patterns; negative ones only where p is even. Equal ones stay equal, zero
            ones stay zero, exactly, also where that is unstable.
        dilution, temperature, interaction: as `retrieval`.

    Returns, Raises: as `retrieval`; ValueError for amplitudes that are no such vector.

    Source: Agliari, Barra, Galluzzi, Guerra, Moauro, Phys. Rev. Lett. 109 (2012) 268101.
    """
    start = np.asarray(amplitudes, dtype=float)
    if start.ndim != 1 or not 1 <= start.size <= MOST_PATTERNS:
        raise ValueError(
            f"amplitudes has shape {start.shape}; give one starting overlap for each pattern, "
            f"of at most {MOST_PATTERNS}"
        )
    if not np.all(np.abs(start) <= 1) or not start.any():
        raise ValueError(
            f"amplitudes {start} must be overlaps between -1 and 1, at least one of them not zero"
        )
    orders = parameter(interaction, "interaction").values
    if np.any(start < 0) and np.any(orders % 2):
        raise ValueError(
            f"amplitudes {start}: with an odd interaction no overlap can stay negative; "
            "give them without sign"
        )

    def equations(n, d, T, p):
        found = _reached(lambda n, d: np.tile(np.abs(start), (d.size, 1)), n, d, T, p)
        return found | {"m": found["m"] * np.where(start < 0, -1, 1)}

    return _states("condensed", equations, start.size, dilution, temperature, interaction)


def solutions(n_patterns, dilution, temperature, interaction=2):
    """The states of the network side by side.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`:
        "hierarchical" (reached from the hierarchical state of T = 0, and every overlap still
        outweighs all later ones, m_k^(p-1) > sum_{l>k} m_l^(p-1); levels that melted are zero),
        "parallel" (reached from the majority of T = 0 or, failing that, from the hierarchical
        state, and some overlap is outweighed), "pure" (only pattern 1, of the larger overlap),
        "symmetric" (all overlaps equal), "paramagnet" (all zero). NaN where there is no such
        state. Pure and symmetric states are given also where they are unstable, see
        overlap_stability. Between hierarchical and parallel there is a sharp line at low
        temperature only: above its critical point (T = 0.077 for P = 3, p = 2) one turns smoothly
        into the other. Two patterns have no other majority than the hierarchical state; of four
        or more there are further parallel states, for which see `condensed`.

    Source: Agliari, Barra, Galluzzi, Guerra, Moauro, Phys. Rev. Lett. 109 (2012) 268101.
    """
    names = ("hierarchical", "parallel", "pure", "symmetric", "paramagnet")
    equations = (_hierarchical_state, _parallel_state, _pure, _symmetric, _paramagnet)
    given = (n_patterns, dilution, temperature, interaction)
    found = [_states(name, one, *given) for name, one in zip(names, equations, strict=True)]
    title = "states of the multitasking network"
    return branches(found, names, title)


def hierarchical(n_patterns, dilution, interaction=2):
    """The hierarchical state at T = 0: pattern k has the neurons that all earlier ones leave blank.

        m_k = d^(k-1) (1 - d),  e = -(1/p) (1 - d)^p (1 - d^(pP))/(1 - d^p),
        smallest_field = (1 - d)^(p-1) [1 - sum_{k=1}^{P-1} d^(k(p-1))]

    Args:
        n_patterns, dilution, interaction: as `retrieval`.

    Returns:
        xarray.Dataset on the grid (dilution, interaction) with m (a further dimension `pattern`),
        energy and smallest_field, that of the neurons whose first pattern is against all others:
        the state is one, and stable, where that is positive.

    Raises: as `retrieval`.

    Source: Agliari, Barra, Galluzzi, Guerra, Moauro, Phys. Rev. Lett. 109 (2012) 268101 (p = 2).
    """

    def equations(n, d, p):
        m = hierarchical_overlaps(n, d)
        binding = 1 - sum(d ** (k * (p - 1)) for k in range(1, n))
        energy = -np.sum(m ** p[:, None], axis=1) / p
        return {"m": m, "energy": energy, "smallest_field": (1 - d) ** (p - 1) * binding}

    return _ground("hierarchical", equations, n_patterns, dilution, interaction)


def majority(n_patterns, dilution, interaction=2):
    """The state at T = 0 in which every neuron follows most of its patterns; of a tie, the first.

        m_mu = << xi_mu sign(sum_nu xi_nu) >>;  for P = 3, with x = (1 - d)^3/2,
        m = (1 - d) - x,  d (1 - d) + x,  d^2 (1 - d) + x

    Args, Raises: as `hierarchical`.

    Returns:
        xarray.Dataset as from `hierarchical`; smallest_field is the smallest field in the
        direction that a neuron follows: the state is one, and stable, where that is positive.
        For P = 3 and p = 2 it is, at any dilution; for P <= 2 it is the hierarchical state.

    Source: derived here, checked with the mean-field equations.
    """

    def equations(n, d, p):
        m = majority_overlaps(n, d)
        entries, _ = columns(n)
        ahead = (entries @ (m ** (p[:, None] - 1)).T).T * vote(n)
        energy = -np.sum(m ** p[:, None], axis=1) / p
        # Columns that do not occur, or that are blank in every pattern, decide nothing.
        decided = (probabilities(d, n) > 0) & (vote(n) != 0)
        field = np.where(decided, ahead, np.inf).min(axis=1)
        return {"m": m, "energy": energy, "smallest_field": field}

    return _ground("parallel", equations, n_patterns, dilution, interaction)


def hierarchical_dilution(n_patterns, interaction=2):
    """The dilution up to which the hierarchical state is stable at T = 0.

        sum_{k=1}^{P-1} d^(k(p-1)) = 1;  for p = 2 it is 1 - 2d + d^P = 0

    Args:
        n_patterns: the number P, 1 to 10 (here also an array or a DataArray).
        interaction: the order p, likewise.

    Returns:
        xarray.Dataset on the grid (n_patterns, interaction) with `dilution`, 1 for P <= 2, where
        the state is stable at any, and `residual` of the equation.

    Raises:
        ValueError: a parameter outside its domain.

    Source: Agliari, Barra, Galluzzi, Guerra, Moauro, Phys. Rev. Lett. 109 (2012) 268101 (p = 2);
    derived here for p > 2, checked by simulation.
    """

    def equations(n, p):
        def excess(power, n):  # of d^(p-1)
            return sum(np.where(k < n, power**k, 0) for k in range(1, int(n.max()))) - 1

        power, residual = np.ones(n.size), np.zeros(n.size)
        several = n > 2
        if several.any():
            power[several] = roots(excess, 0.5, 1.0, n[several])
            residual[several] = np.abs(excess(power[several], n[several]))
        return {"dilution": power ** (1 / (p - 1)), "residual": residual}

    names = {
        "dilution": "dilution up to which the hierarchical state is stable at T = 0",
        "residual": "error of its equation",
    }
    return evaluated(
        common_grid(n_patterns=n_patterns, interaction=interaction),
        equations,
        names,
        "end of the hierarchical state at T = 0",
        convention=CONVENTION,
        source=SOURCE,
        branch="hierarchical",
    )


def _states(branch, equations, n_patterns, dilution, temperature, interaction):
    n = checked_patterns(n_patterns)
    grid = common_grid(dilution=dilution, temperature=temperature, interaction=interaction)
    return evaluated(
        grid,
        lambda d, T, p: equations(n, d, T, p),
        _NAMES,
        f"{branch} state of the multitasking network of {n} patterns",
        extra_dims={"m": ("pattern",)},
        coords={"pattern": (np.arange(1, n + 1), "pattern")},
        convention=CONVENTION,
        source=SOURCE if np.all(grid[2] == 2) else _DENSE,
        branch=branch,
    )


def _ground(branch, equations, n_patterns, dilution, interaction):
    n = checked_patterns(n_patterns)
    names = {
        "m": _NAMES["m"],
        "energy": _NAMES["energy"],
        "smallest_field": "smallest field in the direction of a neuron",
    }
    return evaluated(
        common_grid(dilution=dilution, interaction=interaction),
        lambda d, p: equations(n, d, p),
        names,
        f"{branch} state at T = 0 of the multitasking network of {n} patterns",
        extra_dims={"m": ("pattern",)},
        coords={"pattern": (np.arange(1, n + 1), "pattern")},
        convention=CONVENTION,
        source=SOURCE,
        branch=branch,
    )


def _reached(start, n, d, T, p):
    """The states that are reached from start(n, d): name -> array (point, ...)."""
    first = start(n, d)
    found = {}
    for order in np.unique(p) if p.size else [2]:  # no points: still all names
        points = p == order
        for name, values in flow(first[points], d[points], T[points], int(order)).items():
            found.setdefault(name, np.full((d.size, *values.shape[1:]), np.nan))[points] = values
    return found


def _only(found, kept):
    for values in found.values():
        values[~kept] = np.nan
    return found


def _hierarchical_state(n, d, T, p):
    found = _reached(hierarchical_overlaps, n, d, T, p)
    return _only(found, outweighs(found["m"], p) & (found["m"][:, 0] > 0))


def _apart_from_majority(n, d):
    # Equal overlaps would stay equal, also where that is unstable.
    return majority_overlaps(n, d) * (1 - 1e-6 * np.arange(n))


def _parallel_state(n, d, T, p):
    found = _reached(_apart_from_majority, n, d, T, p)
    other = _reached(hierarchical_overlaps, n, d, T, p)
    missing = outweighs(found["m"], p)
    for name, values in found.items():
        values[missing] = other[name][missing]
    return _only(found, ~outweighs(found["m"], p) & (found["m"] > 0).any(axis=1))


def _pure(n, d, T, p):
    found = _reached(lambda n, d: (1 - d[:, None]) * (np.arange(n) == 0), n, d, T, p)
    return _only(found, found["m"][:, 0] > 0)


def _symmetric(n, d, T, p):
    found = _reached(lambda n, d: np.ones((d.size, n)) * (1 - d[:, None]), n, d, T, p)
    return _only(found, found["m"][:, 0] > 0)


def _paramagnet(n, d, T, p):
    return _reached(lambda n, d: np.zeros((d.size, n)), n, d, T, p)
