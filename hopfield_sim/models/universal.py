"""The universal form of one-shot associative memories: similarity, separation, projection.

    z = V^T sep(sim(X, q))

Linear memories, dense associative memories, attention and the nearest neighbour are members. A
similarity is a function (queries, keys) -> scores (query, pattern), larger for what is more alike;
a separation a function of scores that tells the largest ones from the rest. Those of the literature
are here; any function of the same form will do. State the exact similarity in a plot: reciprocal
distances are bounded by the distance between patterns, so that a softmax of a beta that separates
scalar products hardly separates them, and scores of different similarities cannot be compared.

Source: Millidge, Salvatori, Song, Lukasiewicz, Bogacz, Universal Hopfield Networks, ICML 2022
(arXiv:2202.04557).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from hopfield_sim import device
from hopfield_sim.models.continuous import Continuous, checked_positive

_SCORES = 2**20  # entries of a block of scores
_APART = 2**20  # entries of a block of differences


@dataclass(frozen=True, eq=False)
class Universal(Continuous):
    """z = V^T sep(sim(X, q)): any similarity, any separation, projected on the values.

    patterns, values: as `models.continuous.Continuous`; without values the memory is
    autoassociative. similarity: `dot`, `cosine`, `euclidean`, `manhattan`, their reciprocal forms,
    or a function (queries, keys) -> (query, pattern). separation: `identity`, `power(n)`,
    `softmax(beta)`, `nearest`, or a function of scores (query, pattern).

    There is no energy in general, so that `energy` and `gradient` are refused and `retrieve`
    reports none: iterating may cycle or diverge. What has one is a model of its own: `dot` with
    softmax is `LogSumExp`.

    Raises ValueError for patterns that are no 2-d array of finite numbers, for a radius, and for a
    similarity or separation that cannot be called.
    """

    similarity: Callable
    separation: Callable

    def __post_init__(self):
        super().__post_init__()
        for name in ("similarity", "separation"):
            if not callable(getattr(self, name)):
                raise ValueError(
                    f"{name}={getattr(self, name)!r} is not possible; give a function, such as "
                    "universal.dot or universal.softmax(beta=2.0)."
                )
        if self.radius is not None:
            raise ValueError("radius: the states of this model are in R^d (radius=None).")

    def _recalled(self, rows, values):
        xp = device.module(rows)
        if values is None:
            return None, None
        step = max(1, _SCORES // self.n_patterns)
        pieces = [
            self._weights(rows[first : first + step]) @ values
            for first in range(0, max(1, len(rows)), step)  # no rows: an empty piece
        ]
        return xp.concatenate(pieces), None

    def _weights(self, rows):
        return self.separation(self.similarity(rows, self.patterns))

    @classmethod
    def example(cls, dimension: int, seed: int) -> Universal:
        """A small instance for contract tests."""
        from hopfield_sim import patterns

        return cls(patterns.gaussian(5, dimension, seed), manhattan, softmax(1.0))


def dot(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """q . x, (query, pattern)."""
    return queries @ keys.T


def cosine(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """q . x / (|q| |x|), (query, pattern); 0 for a vector of length 0."""
    xp = device.module(queries)

    def unit(rows):
        length = xp.linalg.norm(rows, axis=1, keepdims=True)
        return rows / xp.where(length > 0, length, 1)

    return unit(queries) @ unit(keys).T


def euclidean(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """-|q - x|^2, (query, pattern)."""
    return -_distances(queries, keys, 2)


def manhattan(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """-sum_i |q_i - x_i|, (query, pattern)."""
    return -_distances(queries, keys, 1)


def inverse_euclidean(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """1/|q - x|, (query, pattern); 10^154 (float32: 10^19) for a perfect match."""
    return _inverse(_distances(queries, keys, 2) ** 0.5)


def inverse_manhattan(queries: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """1/sum_i |q_i - x_i|, (query, pattern); 10^154 (float32: 10^19) for a perfect match."""
    return _inverse(_distances(queries, keys, 1))


def identity(scores: np.ndarray) -> np.ndarray:
    """s: a linear memory, (query, pattern)."""
    return scores


def nearest(scores: np.ndarray) -> np.ndarray:
    """1 for the largest score and 0 for the others, (query, pattern); equal ones share it."""
    xp = device.module(scores)
    first = (scores == scores.max(axis=1, keepdims=True)).astype(scores.dtype)
    return first / xp.sum(first, axis=1, keepdims=True)


def power(degree: float) -> Callable:
    """The separation s^n, for scores below 0 too where n is an integer."""
    degree = checked_positive("degree", degree)

    def separated(scores: np.ndarray) -> np.ndarray:
        """s^n, (query, pattern)."""
        return scores**degree

    return separated


def softmax(beta: float) -> Callable:
    """The separation exp(beta s)/sum exp(beta s)."""
    beta = checked_positive("beta", beta, " (the inverse temperature of the softmax)")

    def separated(scores: np.ndarray) -> np.ndarray:
        """Softmax of beta s, (query, pattern)."""
        xp = device.module(scores)
        weights = xp.exp(beta * (scores - scores.max(axis=1, keepdims=True)))
        return weights / weights.sum(axis=1, keepdims=True)

    return separated


def _distances(queries, keys, degree):
    """sum_i |q_i - x_i|^degree, (query, pattern), by differences: products would lose digits."""
    xp = device.module(queries, keys)
    found = xp.empty((len(queries), len(keys)), queries.dtype)
    step = max(1, _APART // max(1, len(queries) * keys.shape[1]))
    for first in range(0, len(keys), step):
        some = slice(first, first + step)
        apart = xp.abs(queries[:, None, :] - keys[None, some, :])
        found[:, some] = xp.sum(apart if degree == 1 else apart**2, axis=-1)
    return found


def _inverse(distances):
    xp = device.module(distances)
    tiny = float(np.finfo(distances.dtype).tiny) ** 0.5
    return 1 / xp.maximum(distances, tiny)
