"""Noisy examples of archetypes, as plain arrays: what a network is shown instead of its patterns.

Every draw is a function of (seed, K, N, pattern, example, neuron) alone: to ask for more examples
leaves the first ones as they were. Real images take the place of random archetypes with
`of_classes`.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim import randomness
from hopfield_sim.randomness import EXAMPLES, Seed

_DRAWS_AT_ONCE = 2**18  # some MB


def noisy(archetypes: np.ndarray, quality: float, n_examples: int, seed: Seed) -> np.ndarray:
    """Examples eta_i^(mu,a) = chi_i^(mu,a) xi_i^mu, P(chi = +-1) = (1 +- r) / 2.

    archetypes: xi, (pattern, neuron); entries that are 0 stay 0. quality: r in [0, 1], the mean of
    chi. n_examples: M, of each archetype.
    Returns float32 (pattern, example, neuron).
    Raises ValueError for another shape, a quality outside [0, 1], less than one example, a bad
    seed.
    Source: Fontanari, J. Phys. France 51 (1990) 2421.
    """
    xi, n_examples = _checked(archetypes, quality, n_examples)
    eta = np.empty((len(xi), n_examples, xi.shape[1]), np.float32)
    for rows, a, chi in _signs(xi.shape, quality, n_examples, seed):
        np.multiply(chi, xi[rows], out=eta[rows, a])
    return eta


def sums(archetypes: np.ndarray, quality: float, n_examples: int, seed: Seed) -> np.ndarray:
    """Sums over the examples of each archetype, sum_a eta_i^(mu,a): float32 (pattern, neuron).

    Those of `noisy` with the same arguments, which are never held together. They are integers of
    the class average etabar times M. Arguments and errors: as `noisy`.
    """
    xi, n_examples = _checked(archetypes, quality, n_examples)
    total = np.zeros(xi.shape, np.float32)
    for rows, _, chi in _signs(xi.shape, quality, n_examples, seed):
        total[rows] += chi
    return total * xi


def of_classes(
    patterns: np.ndarray, labels: np.ndarray, n_examples: int, seed: Seed, classes=None
) -> np.ndarray:
    """Examples of each class of labelled patterns, drawn without replacement.

    The first M of a random order of each class, which depends on (seed, class) alone: to ask for
    more keeps the first ones. Their sum over the examples is M times the class average.

    patterns: (pattern, neuron) of +-1, as from `images`. labels: integers (pattern,). classes: the
    labels to take, in this order; None: all, sorted. n_examples: M, of each class.
    Returns float32 (class, example, neuron).
    Raises ValueError for labels that do not fit, and for a class with fewer than M members.
    """
    patterns, labels = np.asarray(patterns), np.asarray(labels)
    if patterns.ndim != 2 or labels.shape != patterns.shape[:1]:
        raise ValueError(
            f"patterns of shape {patterns.shape} and labels of shape {labels.shape} do not fit; "
            "give (pattern, neuron) and (pattern,)."
        )
    n_examples = _checked_number(n_examples)
    classes = np.unique(labels) if classes is None else np.atleast_1d(classes)
    chosen = []
    for label in classes:
        members = np.flatnonzero(labels == label)
        if len(members) < n_examples:
            raise ValueError(
                f"class {label} has {len(members)} members, {n_examples} examples are asked for."
            )
        n_blocks = randomness.blocks_per_sweep(len(members))
        key = randomness.key(seed, len(members))
        words = randomness.words(key, EXAMPLES, (int(label), 0), 0, n_blocks)[: len(members)]
        # ranks of random words are a random permutation; the index breaks (2^-32) ties
        chosen.append(members[np.argsort(words, kind="stable")[:n_examples]])
    return patterns[np.array(chosen)].astype(np.float32)


def _signs(shape: tuple[int, int], quality: float, n_examples: int, seed: Seed):
    """chi, for some patterns and one example at a time: (rows, example, float32 (row, neuron))."""
    n_patterns, n_neurons = shape
    key = randomness.key(seed, n_neurons, n_patterns)
    n_blocks = randomness.blocks_per_sweep(n_neurons)
    at_once = max(1, _DRAWS_AT_ONCE // (4 * n_blocks))
    for first in range(0, n_patterns, at_once):
        rows = slice(first, min(first + at_once, n_patterns))
        mu = np.arange(rows.start, rows.stop)
        for a in range(n_examples):
            lanes = np.stack([mu, np.full_like(mu, a)], axis=-1)
            words = randomness.words(key, EXAMPLES, lanes, 0, n_blocks)[:, :n_neurons]
            right = randomness.uniforms(words) < (1 + quality) / 2
            yield rows, a, np.where(right, np.float32(1), np.float32(-1))


def _checked(archetypes, quality, n_examples):
    xi = np.asarray(archetypes, np.float32)
    if xi.ndim != 2 or not xi.size:
        raise ValueError(
            f"archetypes have shape {xi.shape}; a 2-d array (pattern, neuron) is needed."
        )
    if not 0 <= quality <= 1:  # NaN fails too
        raise ValueError(f"quality={quality!r} is not possible; it must lie in [0, 1].")
    return xi, _checked_number(n_examples)


def _checked_number(n_examples) -> int:
    is_whole = isinstance(n_examples, int | np.integer) and not isinstance(n_examples, bool)
    if not is_whole or n_examples < 1:
        raise ValueError(
            f"n_examples={n_examples!r} is not possible; it must be an integer of at least 1."
        )
    return int(n_examples)
