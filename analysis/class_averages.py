"""What a network of class averages recalls: theory from the frequencies of pixels, class by class.

A pixel i of the images of class nu is lit in a share (1 + c_i^nu) / 2 of them. M images of each
class are drawn without replacement; etabar_i^nu is their average. The archetype of a class is its
majority image, a_i^mu = sign c_i^mu.

    no interference   m^mu = (1/N) sum_i a_i^mu E sign etabar_i^mu
    all classes       s_i = sign h_i,  h_i = sum_nu (n^nu)^(P-1) etabar_i^nu,
                      n^nu = (1/N) sum_i E etabar_i^nu s_i,  m^mu = (1/N) sum_i a_i^mu E s_i

The first is the majority rule: exact for a class on its own, whatever P is. The second is the T = 0
limit of a network of few classes and many neurons (P-body, supervised), every class being condensed
as classes resemble each other; solved by iteration from s = a^mu. Expectations are over the draws,
pixel by pixel: the own class hypergeometric, the sum of the others Gaussian. Left out is that the
pixels of one image belong together, by which overlaps differ from draw to draw; M -> infinity does
away with that, and so do shuffled pixels. Where a state is about to be lost, a network keeps it in
some draws and loses it in others, and theory, which has no draws, does the one or the other: such
classes are found by `favour`. Derived here; checked by simulating shuffled images.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln, ndtr

_TOLERANCE = 1e-5
_STEPS = 20_000  # slow where a state has just ceased to be, else a few dozen


def archetypes(lit: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Majority images a = sign c, ties lit: float64 (class, neuron) of +-1. Arguments: `alone`."""
    return np.where(2 * np.asarray(lit) >= np.asarray(members)[:, None], 1.0, -1.0)


def alone(lit: np.ndarray, members: np.ndarray, n_examples: int) -> np.ndarray:
    """m of each class by the majority rule, float64 (class,): P(right) - P(wrong) of each pixel.

    lit: in how many images of the class a pixel is +1, integers (class, neuron). members: number of
    images, (class,). n_examples: M, at most that; a pixel lit in M/2 of the examples stays as it
    is, right.
    Raises ValueError for counts that do not fit.
    """
    lit, members = _checked(lit, members, n_examples)
    a = archetypes(lit, members)
    value = _averages(n_examples)
    right = [
        (np.where(value == 0, a_i[:, None], np.sign(value)) * _law(row, n, n_examples)).sum(axis=1)
        for row, n, a_i in zip(lit, members, a, strict=True)
    ]
    return np.mean(a * right, axis=1)


def together(
    lit: np.ndarray, members: np.ndarray, n_examples: int, interaction: int, favour: float = 1.0
) -> tuple[np.ndarray, np.ndarray]:
    """m of each class with the interference of all others, and how strong that is.

    Arguments as `alone`; interaction: P >= 2. favour: a factor of the own class's share of the
    field, which tells what fluctuations between draws may do.
    Returns float64 (class,) twice: m^mu, and the largest |n^nu / n^mu|^(P-1) of another class nu
    where the iteration from the archetype of mu ended: the weight of nu in the field beside 1.
    Raises ValueError for counts that do not fit, ArithmeticError where the iteration does not end.
    """
    lit, members = _checked(lit, members, n_examples)
    if interaction < 2:
        raise ValueError(f"interaction={interaction} is not possible; it must be at least 2.")
    found = [_state(lit, members, n_examples, interaction, favour, mu) for mu in range(len(lit))]
    return tuple(np.array(values) for values in zip(*found, strict=True))


def _state(lit, members, n_examples, interaction, favour, mu) -> tuple[float, float]:
    """m and interference from the archetype of class mu."""
    n_neurons = lit.shape[1]
    c = 2 * lit / members[:, None] - 1
    a = archetypes(lit, members)[mu]
    left = (members - n_examples) / np.maximum(members - 1, 1)  # drawn without replacement
    variance = (1 - c**2) * (left / n_examples)[:, None]
    others = np.arange(len(lit)) != mu
    law = _law(lit[mu], members[mu], n_examples)
    value = _averages(n_examples)
    n = c @ a / n_neurons
    for _ in range(_STEPS):
        weight = n ** (interaction - 1)
        weight[mu] *= favour
        weight = weight / np.abs(weight).max()
        signal = weight[mu] * value + (weight[others] @ c[others])[:, None]
        noise = np.sqrt(weight[others] ** 2 @ variance[others])[:, None]
        x = signal / np.maximum(noise, 1e-12)
        sign = 2 * ndtr(x) - 1
        spin = (law * sign).sum(axis=1)
        # E of a Gaussian summand times sign h, by parts
        slope = (law * np.exp(-(x**2) / 2)).sum(axis=1) * np.sqrt(2 / np.pi)
        slope = slope / np.maximum(noise[:, 0], 1e-12)
        new = (c * spin + variance * weight[:, None] * slope).mean(axis=1)
        new[mu] = (law * value * sign).sum(axis=1).mean()
        if np.abs(new - n).max() < _TOLERANCE:
            m = float(np.mean(a * spin))
            return m, float(np.abs((n[others] / n[mu]) ** (interaction - 1)).max(initial=0))
        n = (n + new) / 2 if interaction % 2 else new  # odd P: all at once, it would cycle
    raise ArithmeticError(
        f"class {mu}, M = {n_examples}, P = {interaction}: not settled in {_STEPS} steps."
    )


def _averages(n_examples: int) -> np.ndarray:
    """The values of etabar: (M + 1,)."""
    return (2 * np.arange(n_examples + 1) - n_examples) / n_examples


def _law(lit: np.ndarray, members: int, n_examples: int) -> np.ndarray:
    """Probability that k = 0 ... M of the examples are lit: (neuron, M + 1)."""
    kinds, which = np.unique(lit, return_inverse=True)  # fewer than pixels
    lit, k = kinds[:, None], np.arange(n_examples + 1)
    possible = (k <= lit) & (n_examples - k <= members - lit)
    k = np.where(possible, k, np.maximum(0, n_examples - members + lit))  # one that is
    log = _log_choose(lit, k) + _log_choose(members - lit, n_examples - k)
    return np.where(possible, np.exp(log - _log_choose(members, n_examples)), 0.0)[which]


def _log_choose(n, k) -> np.ndarray:
    return gammaln(n + 1.0) - gammaln(k + 1.0) - gammaln(n - k + 1.0)


def _checked(lit, members, n_examples) -> tuple[np.ndarray, np.ndarray]:
    lit, members = np.asarray(lit), np.asarray(members)
    if lit.ndim != 2 or members.shape != lit.shape[:1]:
        raise ValueError(f"lit {lit.shape} and members {members.shape} do not fit.")
    if np.any(lit < 0) or np.any(lit > members[:, None]):
        raise ValueError(
            "no pixel can be lit more often than its class has members, or less than 0."
        )
    if not 1 <= n_examples <= members.min():
        raise ValueError(f"n_examples={n_examples}: classes have {members.min()} members at least.")
    return lit, members
