"""Willshaw's network: binary synapses, sparse patterns, recall by a threshold in one step.

P patterns, each with exactly M of N units active, drawn at random. A synapse is on when any
pattern uses it:

    J_ij = 1 if sum_mu xi_i^mu xi_j^mu > 0 else 0   (i != j),   p1 = 1 - (1 - M (M-1)/(N (N-1)))^P

Recall: c of the M units of a pattern are given, and a unit fires that is connected to all of
them. All M fire; one of the N - M others fires by mistake with a probability that depends on the
number n of other patterns that use it, n from the binomial distribution of P - 1 trials with M/N:

    independent synapses   p1^c
    average over usage     E_n [1 - (1 - (M-1)/(N-1))^n]^c
    exact                  P(n such patterns together cover all c units of the cue)

The first is too small where mistakes are rare, for it is the units that are used often which make
them; the second forgets only that a pattern has M - 1 different units beside the one in question.

Sources: D. J. Willshaw, O. P. Buneman, H. C. Longuet-Higgins, Nature 222 (1969) 960; G. Palm,
Biol. Cybern. 36 (1980) 19 (information). The exact probability is derived here, as a Markov
chain of the number of units covered; checked by inclusion and exclusion, and by simulation.
"""

import numpy as np
from scipy.special import entr
from scipy.stats import binom, hypergeom

from hopfield_sim.theory.labels import common_grid, evaluated

__all__ = ["capacity", "density", "heteroassociation", "recall"]

_CONVENTION = "J_ij in {0, 1}, J_ii = 0; exactly M of N units active; threshold = size of the cue"
_SOURCE = "Willshaw, Buneman, Longuet-Higgins 1969; exact false alarms derived here"
LARGEST_INFORMATION = np.log(2)
"""Bits per synapse of `heteroassociation` for N -> infinity, at p1 = 1/2 and M = log2 N."""

_DENSITY = {"density": "part of the synapses that are on"}
_FALSE_ALARMS = {
    "false_alarm_exact": "probability that a unit fires by mistake, exact",
    "false_alarm_usage": "probability that a unit fires by mistake, average over its usage",
    "false_alarm_independent": "probability that a unit fires by mistake, independent synapses",
}
# Numbers of patterns that use a unit: all that weigh, also for mistakes that are very rare.
_BELOW, _ABOVE = 12, 40  # standard deviations
_TERMS = 10_000  # of 52 standard deviations: 190 of one deviation
_CHUNK = 4_000_000  # entries of a table that are held at once
_MOST_PATTERNS = 2**52


def density(n_patterns, n_neurons, n_active):
    """p1 = 1 - (1 - M (M-1)/(N (N-1)))^P, the part of the synapses that are on.

    Args:
        n_patterns: patterns P, a number, a 1-D array or a DataArray, whole numbers >= 1.
        n_neurons: units N, likewise.
        n_active: active units M of a pattern, likewise, M < N. Plain arrays span the grid
            (n_patterns, n_neurons, n_active).

    Returns:
        xarray.Dataset on that grid with `density`.

    Raises:
        ValueError: a parameter outside its domain, M >= N, or unnamed axes.

    Source: Willshaw et al., Nature 222 (1969) 960.
    """
    return _evaluated(
        lambda P, N, M: {"density": _density(P, N, M)},
        _DENSITY,
        "synapses of Willshaw's network",
        n_patterns=n_patterns,
        n_neurons=n_neurons,
        n_active=n_active,
    )


def recall(n_patterns, n_neurons, n_active, n_cued):
    """Mistakes of one step of recall from c right units of a pattern, threshold c.

    Args:
        n_patterns, n_neurons, n_active: as for `density`.
        n_cued: units c of the cue, likewise, c <= M. Plain arrays span the grid (n_patterns,
            n_neurons, n_active, n_cued).

    Returns:
        xarray.Dataset on that grid with `density`; the probability that a unit outside of the
        pattern fires: `false_alarm_exact` (exact, to a relative error of about 1e-16 P),
        `false_alarm_usage` and `false_alarm_independent` (see the head of the file); `spurious`,
        the mean number of such units, (N - M) false_alarm_exact; `information`, bits per synapse
        that recall of all patterns adds to their cues: with x = (M - c)/(N - c), f the exact false
        alarm and h the entropy of a binary unit,
        (P/N^2) (N - c) [h(x + (1 - x) f) - (1 - x) h(f)]. It is 0 for a full cue.

    Raises:
        ValueError: a parameter outside its domain, M >= N, c > M, or unnamed axes.

    Source: Willshaw et al., Nature 222 (1969) 960; the exact form derived here.
    """

    def equations(P, N, M, c):
        alarm = _over_points(_covered, P - 1, M / N, N - 1, M - 1, c)
        return {
            "density": _density(P, N, M),
            "false_alarm_exact": alarm,
            "false_alarm_usage": usage_average(P - 1, M / N, (M - 1) / (N - 1), c),
            "false_alarm_independent": _density(P, N, M) ** c,
            "spurious": (N - M) * alarm,
            "information": P * (N - c) / N**2.0 * _told((M - c) / (N - c), alarm),
        }

    more = {
        "spurious": "mean number of units that fire by mistake",
        "information": "bits that recall adds to the cues, per synapse (N^2 of them)",
    }
    return _evaluated(
        equations,
        _DENSITY | _FALSE_ALARMS | more,
        "recall in Willshaw's network",
        n_patterns=n_patterns,
        n_neurons=n_neurons,
        n_active=n_active,
        n_cued=n_cued,
    )


def heteroassociation(n_patterns, n_neurons, n_active):
    """N units recall a pattern on N other units: the arrangement of largest information.

    P pairs of independent patterns with M of N units active, J_ij = 1 if in any pair i belongs to
    the answer and j to the cue, full cue, threshold M:

        p1 = 1 - (1 - M^2/N^2)^P,   false alarm p1^M, E_n [1 - (1 - M/N)^n]^M, or exact

    Args:
        n_patterns, n_neurons, n_active: as for `density`.

    Returns:
        xarray.Dataset on that grid with `density`, the three false alarms of `recall`, and
        `information`, bits of the answers per synapse: with a = M/N, f the false alarm and h the
        entropy of a binary unit, (P/N) [h(a + (1 - a) f) - (1 - a) h(f)].

    Raises:
        ValueError: as `density`.

    Source: Willshaw et al., Nature 222 (1969) 960; Palm, Biol. Cybern. 36 (1980) 19.
    """

    def equations(P, N, M):
        part = M / N
        alarm = _over_points(_covered, P - 1, part, N, M, M)
        filled = -np.expm1(P * np.log1p(-(part**2)))
        return {
            "density": filled,
            "false_alarm_exact": alarm,
            "false_alarm_usage": usage_average(P - 1, part, part, M),
            "false_alarm_independent": filled**M,
            "information": P / N * _told(part, alarm),
        }

    return _evaluated(
        equations,
        _DENSITY | _FALSE_ALARMS | {"information": "bits of the answers, per synapse"},
        "heteroassociation in Willshaw's network",
        n_patterns=n_patterns,
        n_neurons=n_neurons,
        n_active=n_active,
    )


def capacity(n_neurons, n_active, n_cued, spurious=1.0):
    """The largest number of patterns for which recall adds at most so many wrong units.

        max P with (N - M) false_alarm_exact <= spurious

    Args:
        n_neurons, n_active, n_cued: as for `recall`.
        spurious: mean number of wrong units that is allowed, a number, a 1-D array or a
            DataArray, > 0. Plain arrays span the grid (n_neurons, n_active, n_cued, spurious).

    Returns:
        xarray.Dataset on that grid with `n_patterns` (a float, for it may be NaN: where all
        N - M others are allowed to fire), and `density` and `information` of `recall` there.

    Raises:
        ValueError: as `recall`, or spurious <= 0.

    Source: computed here.
    """

    def largest(N, M, c, allowed):
        if allowed >= N - M:
            return np.nan

        step = _cover_step(M / N, N - 1, M - 1, c)

        def fits(P):
            return (N - M) * _after(step, P - 1) <= allowed

        upper = 2  # one pattern alone makes no mistake
        while fits(upper) and upper < _MOST_PATTERNS:
            upper *= 2
        lower = upper // 2
        while upper - lower > 1:
            middle = (lower + upper) // 2
            lower, upper = (middle, upper) if fits(middle) else (lower, middle)
        return lower

    def equations(N, M, c, allowed):
        P = _over_points(largest, N, M, c, allowed)
        known = np.where(np.isnan(P), 1, P)
        alarm = _over_points(_covered, known.astype(int) - 1, M / N, N - 1, M - 1, c)
        told = P * (N - c) / N**2.0 * _told((M - c) / (N - c), alarm)
        return {"n_patterns": P, "density": _density(P, N, M), "information": told}

    return _evaluated(
        equations,
        {"n_patterns": "largest number of patterns"}
        | _DENSITY
        | {"information": "bits that recall adds to the cues, per synapse (N^2 of them)"},
        "capacity of Willshaw's network",
        n_neurons=n_neurons,
        n_active=n_active,
        n_cued=n_cued,
        spurious=spurious,
    )


def usage_average(trials, chance, coverage, power):
    """E_n [1 - (1 - coverage)^n]^power over n from the binomial distribution (trials, chance).

    The probability that `power` given units are each met by one of the n patterns that use a
    unit, when a pattern meets each of them independently with probability `coverage`.

    Args:
        trials, chance, coverage, power: arrays that broadcast; whole numbers >= 0, probabilities,
            whole numbers >= 0.

    Returns:
        array of the broadcast shape.
    """
    trials, chance, coverage, power = np.broadcast_arrays(
        *(np.atleast_1d(values).astype(float) for values in (trials, chance, coverage, power))
    )
    mean = trials * chance
    spread = np.sqrt(mean * (1 - chance))
    lowest = np.maximum(0, np.floor(mean - _BELOW * spread))
    highest = np.minimum(trials, np.ceil(mean + _ABOVE * spread + 40 + 4 * power))
    # Where very many numbers weigh, the terms are a smooth function of n: one in a few will do.
    stride = np.maximum(1, (highest - lowest) // _TERMS)
    width = int(((highest - lowest) / stride).max(initial=0)) + 1
    found = np.empty(trials.size)
    together = max(1, _CHUNK // width)
    for start in range(0, trials.size, together):
        chunk = slice(start, start + together)
        n = lowest[chunk, None] + stride[chunk, None] * np.arange(width)
        weight = binom.pmf(n, trials[chunk, None], chance[chunk, None])
        weight /= weight.sum(axis=1, keepdims=True)
        with np.errstate(divide="ignore", invalid="ignore"):
            missed = np.where(n > 0, n * np.log1p(-coverage[chunk, None]), 0.0)
        found[chunk] = np.sum(weight * (-np.expm1(missed)) ** power[chunk, None], axis=1)
    return np.minimum(found, 1)  # rounding


def _evaluated(equations, long_names, title, **parameters):
    meanings = {"n_neurons": "number N of units", "n_patterns": "number P of patterns"}
    grid = common_grid(meanings, **parameters)

    def checked(*values):
        given = dict(zip(parameters, values, strict=True))
        if np.any(given["n_active"] >= given["n_neurons"]):
            raise ValueError("n_active must be below n_neurons, the number of all units")
        if "n_cued" in given and np.any(given["n_cued"] > given["n_active"]):
            raise ValueError("n_cued must be at most n_active: the cue is a part of the pattern")
        return equations(*values)

    return evaluated(grid, checked, long_names, title, convention=_CONVENTION, source=_SOURCE)


def _over_points(function, *values):
    points = zip(*np.broadcast_arrays(*values), strict=True)
    return np.array([function(*each) for each in points], dtype=float)


def _density(P, N, M):
    return -np.expm1(P * np.log1p(-M * (M - 1) / (N * (N - 1.0))))


def _covered(patterns, usage, units, drawn, cue):
    """Probability that all units of the cue are covered, by patterns each of which is used with
    probability `usage` and then draws `drawn` of `units` units, the cue being among them.

    The number of covered units is a Markov chain with positive weights only, so that also small
    probabilities keep their digits.
    """
    return _after(_cover_step(usage, units, drawn, cue), patterns)


def _cover_step(usage, units, drawn, cue):
    """Transition probabilities of the number of covered units by one pattern."""
    already = np.arange(int(cue) + 1)
    left = (already[-1] - already)[:, None]
    more = already[None, :] - already[:, None]
    step = np.triu(usage * hypergeom.pmf(more, int(units), left, int(drawn)), 1)
    step[already, already] = 1 - step.sum(axis=1)
    return step


def _after(step, patterns):
    covered = np.linalg.matrix_power(step, int(patterns))[0, -1]
    return min(covered, 1.0)  # rounding


def _told(part, alarm):
    """Bits per unit of which a part is right and fires, and the others fire with `alarm`."""
    return _bits(part + (1 - part) * alarm) - (1 - part) * _bits(alarm)


def _bits(p):
    return (entr(p) + entr(1 - p)) / np.log(2)
