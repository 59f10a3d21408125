"""How many examples a multitasking network needs to learn its archetypes.

Thresholds of the states in `multitasking_examples`, whose head has the equations: by the overlap
that is asked for, by what one update does, and where equal overlaps become stable. They depend on
the examples through rho = (1 - r^2)/(M r^2) alone where these are many, and are the same with and
without a teacher.

Source: derived here, checked by simulation; the reasoning of signal and noise after E. Agliari, A.
Alessandrelli, A. Barra, F. Ricci-Tersenghi, J. Stat. Mech. (2023) 113401.
"""

import numpy as np
from scipy import special

from hopfield_sim.theory.continuation import roots, smallest_number
from hopfield_sim.theory.examples_phase import RULES, checked_choice, convention
from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.multitasking_examples import (
    LONG_NAMES,
    SOURCE,
    flow,
    learned_states,
    reached_states,
)
from hopfield_sim.theory.multitasking_flow import checked_patterns, hierarchical_overlaps

_MOST_EXAMPLES = 2**20
_BISECTIONS = 24
# A share of the largest data-set entropy that is as good as none, and steps on the way to it.
_LEAST = 1e-8
_STEPS = 40


def examples_needed(
    n_patterns,
    dilution,
    temperature,
    quality,
    overlap,
    interaction=2,
    *,
    rule="supervised",
    form=None,
    couplings=None,
):
    """M_c, the number of examples from which on the archetypes are recalled hierarchically.

    The smallest M such that with M and with M + 1 examples (an even and an odd number) `learned`
    has hierarchy >= overlap; searched by doubling and bisection, so right where that holds for
    every larger M.

    Args, Raises: as `learned`; overlap: the hierarchy that is asked for, in (0, 1).

    Returns:
        xarray.Dataset on the grid with n_examples and hierarchy there. NaN where the network that
        stores the archetypes does not reach this overlap, or 2^20 examples do not. Beyond the end
        of the hierarchical state the parallel one has hierarchy 1 - (1 - d)^P/(2 (1 - d^P)) at
        P = 3, T = 0.

    Source: the head of this module.
    """
    n = checked_patterns(n_patterns)
    checked_choice(rule, "rule", RULES)

    def hierarchy(d, T, r, M, p):
        return learned_states(n, d, T, r, M, p, rule, form, couplings)["hierarchy"]

    def equations(d, T, r, asked, p):
        def reached(points, M):
            both = np.tile(points, 2)
            found = hierarchy(d[both], T[both], r[both], np.concatenate([M, M + 1]), p[both])
            return found.reshape(2, -1).min(axis=0) >= asked[points]

        ones = np.ones(d.size)
        possible = hierarchy(d, T, ones, ones.astype(int), p) >= asked
        number = smallest_number(reached, possible, _MOST_EXAMPLES)
        at = np.flatnonzero(~np.isnan(number))
        there = np.full(d.size, np.nan)
        there[at] = hierarchy(d[at], T[at], r[at], number[at].astype(int), p[at])
        return {"n_examples": number, "hierarchy": there}

    return evaluated(
        common_grid(
            dilution=dilution,
            temperature=temperature,
            quality=quality,
            overlap=overlap,
            interaction=interaction,
        ),
        equations,
        {
            "n_examples": "number of examples from which on hierarchy >= overlap",
            "hierarchy": LONG_NAMES["hierarchy"],
        },
        f"examples needed to learn {n} diluted archetypes",
        convention=convention(rule, couplings) + " -> 0",
        source=SOURCE,
    )


def tolerated_entropy(n_patterns, dilution, temperature, overlap, interaction=2):
    """rho_c, the data-set entropy up to which the archetypes are recalled hierarchically.

    The largest rho = (1 - r^2)/(M r^2) such that `large_dataset` has hierarchy >= overlap up to
    there, by bisection to a relative 1e-7. M_c = (1 - r^2)/(rho_c r^2) examples are needed, with
    and without a teacher; for P = 1, T = 0, p = 2 that is erf(1/sqrt(2 rho_c)) = overlap.

    Args, Raises: as `large_dataset`; overlap: the hierarchy that is asked for, in (0, 1).

    Returns:
        xarray.Dataset on the grid with dataset_entropy, and hierarchy there, which is above
        `overlap` where the state is lost in a jump. NaN where the network that stores the
        archetypes does not reach this overlap.

    Source: the head of this module.
    """
    n = checked_patterns(n_patterns)

    def equations(d, T, asked, p):
        def hierarchy(points, rho):
            return reached_states(n, d[points], T[points], p[points], rho)["hierarchy"]

        found = {name: np.full(d.size, np.nan) for name in ("dataset_entropy", "hierarchy")}
        points = np.flatnonzero(hierarchy(np.arange(d.size), np.zeros(d.size)) >= asked)
        # No neuron can know more than a majority of examples: hierarchy <= erf(1/sqrt(2 rho)).
        low, high = np.zeros(points.size), 0.5 / special.erfinv(asked[points]) ** 2
        reached = hierarchy(points, low)
        for _ in range(_BISECTIONS):
            middle = (low + high) / 2
            now = hierarchy(points, middle)
            good = now >= asked[points]
            low, high = np.where(good, middle, low), np.where(good, high, middle)
            reached = np.where(good, now, reached)
        found["dataset_entropy"][points] = low
        found["hierarchy"][points] = reached
        return found

    return evaluated(
        common_grid(
            dilution=dilution, temperature=temperature, overlap=overlap, interaction=interaction
        ),
        equations,
        {
            "dataset_entropy": "rho = (1 - r^2)/(M r^2) up to which hierarchy >= overlap",
            "hierarchy": LONG_NAMES["hierarchy"],
        },
        f"noise of examples tolerated in learning {n} diluted archetypes",
        convention=convention("supervised", "variance") + " -> 0",
        source=SOURCE,
    )


def equal_entropy(n_patterns, dilution, temperature):
    """rho_s, the data-set entropy from which on the state of equal overlaps is stable; p = 2.

    With fewer than (1 - r^2)/(rho_s r^2) examples there is a stable state that recalls all
    archetypes alike; with more some of them take the lead. (Of many archetypes other states may
    exist beside it.) Next to the onset at T = 1 - d the quartic term of f gives

        (1 + rho_s)^2 = 2/(3 d)

    and zero for d > 2/3; towards T = 0 the line moves little.

    Args, Raises: as `large_dataset`.

    Returns:
        xarray.Dataset on the grid (dilution, temperature) with dataset_entropy and residual (of the
        smallest curvature, which vanishes there). Zero where the state is stable down to the
        archetypes themselves; NaN for one archetype, without dilution, and for T >= 1 - d. At small
        d there may be an island of stability below rho_s, the odd mixture.

    Source: the head of this module.
    """
    n = checked_patterns(n_patterns)

    def equations(d, T):
        rho, residual = np.full((2, d.size), np.nan)

        def stability(rho, d, T):
            return flow(n, d, T, 2, rho, (), equal=True)["overlap_stability"]

        points = np.flatnonzero((n > 1) & (d > 0) & (T < (1 - d) * (1 - 1e-6)))
        d, T = d[points], T[points]
        lower = upper = np.sqrt(2 / (3 * d)) + 1
        unstable = stability(upper, d, T) < 0
        rho[points[~unstable]] = 0
        residual[points[~unstable]] = 0
        open_ = np.flatnonzero(~unstable)
        bounds = np.array([lower, upper])
        for share in np.geomspace(1, _LEAST, _STEPS)[1:]:
            rest = share * upper[open_]
            bounds[0, open_] = rest
            lost = stability(rest, d[open_], T[open_]) < 0
            ended = open_[lost]
            rho[points[ended]] = roots(stability, *bounds[:, ended], d[ended], T[ended])
            residual[points[ended]] = np.abs(stability(rho[points[ended]], d[ended], T[ended]))
            bounds[1, open_] = rest
            open_ = open_[~lost]
        return {"dataset_entropy": rho, "residual": residual}

    return evaluated(
        common_grid(dilution=dilution, temperature=temperature),
        equations,
        {
            "dataset_entropy": "rho = (1 - r^2)/(M r^2) above which equal overlaps are stable",
            "residual": "smallest curvature of the free energy there",
        },
        f"parallel learning of {n} diluted archetypes",
        convention=convention("supervised", "variance") + " -> 0",
        source=SOURCE,
    )


def one_step_examples(n_patterns, dilution, quality, bit_error, interaction=2):
    """M from signal and noise of one update at T = 0, of the neurons that are most at risk.

        M = z^2 ((1 - r^2)/r^2) B/A^2,  Phi(-z) = bit_error;  for p = 2
        A = 1 - 2 d + d^P,  B = (1 - d) (1 - d^(2P))/(1 + d)

    From the hierarchical state, the neurons whose first archetype is against all others, (1 - d)^P
    of them, turn away from it with probability bit_error. A sufficient condition: others are safer,
    and without dilution (d = 0, all blank but one) it is the majority of the examples,
    z^2 (1 - r^2)/r^2. It diverges at `hierarchical_dilution`. What the update leaves behind is not
    asked for; `tolerated_entropy` follows it to its end.

    Args:
        n_patterns, dilution, quality, interaction: as `learned`.
        bit_error: the probability, in (0, 1/2).

    Returns:
        xarray.Dataset on the grid (dilution, quality, bit_error, interaction) with n_examples, a
        real number; NaN where there is no hierarchical state.

    Raises: as `learned`.

    Source: the head of this module.
    """
    n = checked_patterns(n_patterns)

    def equations(d, r, error, p):
        weight = hierarchical_overlaps(n, d) ** (p[:, None] - 1)
        signal = weight[:, 0] - weight[:, 1:].sum(axis=1)
        noise = np.sum(weight**2, axis=1)
        z = special.ndtri(error)
        with np.errstate(divide="ignore"):
            M = z**2 * (1 - r**2) / r**2 * noise / signal**2
        return {"n_examples": np.where(signal > 0, M, np.nan)}

    return evaluated(
        common_grid(
            dilution=dilution, quality=quality, bit_error=bit_error, interaction=interaction
        ),
        equations,
        {"n_examples": "number of examples by the signal and the noise of one update"},
        f"examples needed by {n} diluted archetypes, one update",
        convention=convention("supervised", None) + " -> 0",
        source=SOURCE,
    )
