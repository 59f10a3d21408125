"""Modern Hopfield networks: attention and its relatives as energies of continuous states.

`LogSumExp` is softmax attention, `Entmax` its sparse relatives (alpha = 2: sparsemax),
`OutlierEfficient` the softmax with one more weight for nothing (Softmax_1), `Epanechnikov` the
log-sum-ReLU energy with exact and emergent memories, `Polynomial` the powers of Krotov and Hopfield
on the sphere. All are models of `models.continuous`: energy, gradient, update, weights, recall and
retrieve are described there.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hopfield_sim import device
from hopfield_sim.kernels import retrieval
from hopfield_sim.models.continuous import Continuous, checked_positive, plain


@dataclass(frozen=True, eq=False)
class LogSumExp(Continuous):
    """E(x) = |x|^2/2 - (1/beta) ln sum_i exp(beta x_i . x) + (1/beta) ln N + M^2/2.

    N patterns x_i, M = max |x_i|; 0 <= E <= 2 M^2 on the hull of the patterns. One step is
    attention, x' = X^T p with p = softmax(beta X x). With a radius the term |x|^2/2 is left out
    and x' is scaled to the sphere.

    patterns, values, radius: as `models.continuous.Continuous`. beta: inverse temperature of the
    softmax, > 0; it has nothing to do with a temperature of the dynamics. In units in which
    |x_i|^2 = d, beta is the sharpness lambda of `theory.log_sum_exp`. The two terms of size
    ln(N)/beta cancel: where beta is small, E errs by that times the rounding of its numbers.

    Raises ValueError for patterns that are no 2-d array of finite numbers and for beta <= 0.
    Source: Ramsauer et al., Hopfield Networks is All You Need, ICLR 2021 (arXiv:2008.02217).
    """

    beta: float

    def __post_init__(self):
        super().__post_init__()
        _set_beta(self)

    def _recalled(self, rows, values):
        recalled, log_sum = retrieval.softmax(rows, self.patterns, values, self.beta)
        return recalled, self._energy(rows, log_sum / self.beta) + self._lifted()

    def _lifted(self):
        largest = float((self.patterns**2).sum(axis=1).max())
        return math.log(self.n_patterns) / self.beta + largest / 2

    def _weights(self, rows):
        return retrieval.softmax_weights(self.beta * (rows @ self.patterns.T))

    @classmethod
    def example(cls, dimension: int, seed: int) -> LogSumExp:
        """A small instance for contract tests."""
        return cls(_example(dimension, seed), beta=0.7)


@dataclass(frozen=True, eq=False)
class Entmax(Continuous):
    """E(x) = |x|^2/2 - (1/beta) Omega*(beta X x), Omega* the conjugate of a Tsallis entropy.

    Omega(p) = (sum_i p_i^alpha - 1) / (alpha (alpha - 1)) on the simplex, and p = alpha-entmax(z)
    is what maximises p . z - Omega(p): p_i = [(alpha - 1) z_i - tau]_+^(1/(alpha - 1)). alpha = 2
    is sparsemax, alpha -> 1 softmax (`LogSumExp`). p is exactly one pattern where
    beta (x_i - x_j) . x >= 1/(alpha - 1) for all others: retrieval is then exact.

    patterns, values, radius: as `models.continuous.Continuous`. beta: > 0. alpha: > 1.

    Raises ValueError for patterns that are no 2-d array of finite numbers, beta <= 0, alpha <= 1.
    Sources: Hu et al., arXiv:2309.12673 (sparsemax); Santos, Niculae, McNamee, Martins,
    arXiv:2402.13725 and arXiv:2411.08590; Peters, Niculae, Martins, ACL 2019 (entmax).
    """

    beta: float
    alpha: float = 1.5

    def __post_init__(self):
        super().__post_init__()
        _set_beta(self)
        alpha = plain(self.alpha)
        if not 1 < alpha < math.inf:
            raise ValueError(
                f"alpha={self.alpha!r} is not possible; it must be > 1 (2 is sparsemax). alpha = 1 "
                "is softmax: use LogSumExp."
            )
        object.__setattr__(self, "alpha", alpha)

    def _recalled(self, rows, values):
        about = (self.beta, self.alpha)
        recalled, conjugate = retrieval.entmax(rows, self.patterns, values, *about)
        return recalled, self._energy(rows, conjugate / self.beta)

    def _weights(self, rows):
        scores = self.beta * (rows @ self.patterns.T)
        return retrieval.entmax_weights(scores - scores.max(axis=1, keepdims=True), self.alpha)

    @classmethod
    def example(cls, dimension: int, seed: int) -> Entmax:
        """A small instance for contract tests."""
        return cls(_example(dimension, seed), beta=0.7)


@dataclass(frozen=True, eq=False)
class OutlierEfficient(Continuous):
    """E(x) = |x|^2/2 - (1/beta) ln [1 + sum_i exp(beta x_i . x)]: one more memory, of nothing.

    p_i = exp(beta x_i . x) / [1 + sum_j exp(beta x_j . x)] (Softmax_1). The weights sum to less
    than 1, and a state that resembles no pattern may retrieve (almost) nothing. x = 0 recalls
    N/(N + 1) times the mean of the patterns.

    patterns, values, radius: as `models.continuous.Continuous`. beta: > 0.

    Raises ValueError for patterns that are no 2-d array of finite numbers and for beta <= 0.
    Source: Hu et al., Outlier-Efficient Hopfield Layers, ICML 2024 (arXiv:2404.03828).
    """

    beta: float

    def __post_init__(self):
        super().__post_init__()
        _set_beta(self)

    def _recalled(self, rows, values):
        recalled, log_sum = retrieval.softmax(rows, self.patterns, values, self.beta, extra=1.0)
        return recalled, self._energy(rows, log_sum / self.beta)

    def _weights(self, rows):
        return retrieval.softmax_weights(self.beta * (rows @ self.patterns.T), extra=True)

    @classmethod
    def example(cls, dimension: int, seed: int) -> OutlierEfficient:
        """A small instance for contract tests."""
        return cls(_example(dimension, seed), beta=0.7)


@dataclass(frozen=True, eq=False)
class Epanechnikov(Continuous):
    """E(x) = -(1/beta) ln [floor + sum_i (1 - beta |x - x_i|^2/2)_+]: log-sum-ReLU.

    A pattern is active within |x - x_i|^2 < 2/beta. One step goes to the mean of the active
    patterns, and E never rises, as the sum over those that were active has its maximum there.
    Fixed points are the means of sets of patterns that lie inside their own region: stored ones
    (sets of one) and emergent ones (several), reached exactly, in finitely many steps. Where
    nothing is active, E is flat (infinite for floor = 0) and a state stays: `weights` are 0.

    patterns, values: as `models.continuous.Continuous`. beta: > 0. floor: >= 0.

    Raises ValueError for patterns that are no 2-d array of finite numbers, beta <= 0, floor < 0.
    Source: Hoover, Krotov et al., Dense associative memory with Epanechnikov energy, 2025
    (arXiv:2506.10801).
    """

    beta: float
    floor: float = 0.0

    def __post_init__(self):
        super().__post_init__()
        _set_beta(self)
        floor = plain(self.floor)
        if not 0 <= floor < math.inf:
            raise ValueError(f"floor={self.floor!r} is not possible; it must be a number >= 0.")
        object.__setattr__(self, "floor", floor)
        if self.radius is not None:
            raise ValueError(
                f"radius={self.radius!r}: the mean of active patterns leaves a sphere; states of "
                "this model are in R^d (radius=None)."
            )

    def energy_and_gradient(self, states):
        """E, (...), and dE/dx, (..., dimension); outside of all regions 0 (or no number).

        dE/dx = sum over the active patterns of (x - x_i), divided by floor + sum_i (...)_+.
        """
        rows, shape = self._rows(states)
        xp = device.module(rows)
        sums, number, total = retrieval.window(rows, self.patterns, self.patterns, self.beta)
        height = total + self.floor
        slope = (number[:, None] * rows - sums) / xp.where(height > 0, height, math.nan)[:, None]
        return self._height_energy(height).reshape(shape), slope.reshape(*shape, self.dimension)

    def _recalled(self, rows, values):
        xp = device.module(rows)
        columns = self.patterns[:, :0] if values is None else values
        sums, number, total = retrieval.window(rows, self.patterns, columns, self.beta)
        energy = self._height_energy(total + self.floor)
        return (None if values is None else sums / xp.maximum(number, 1)[:, None]), energy

    def _stepped(self, rows):
        xp = device.module(rows)
        sums, number, total = retrieval.window(rows, self.patterns, self.patterns, self.beta)
        mean = xp.where(number[:, None] > 0, sums / xp.maximum(number, 1)[:, None], rows)
        return mean, self._height_energy(total + self.floor)

    def _height_energy(self, height):
        xp = device.module(height)
        positive = height > 0
        return xp.where(positive, -xp.log(xp.where(positive, height, 1)) / self.beta, math.inf)

    def _weights(self, rows):
        xp = device.module(rows)
        apart = xp.stack([xp.sum((rows - x) ** 2, axis=1) for x in self.patterns], axis=1)
        active = (self.beta / 2 * apart < 1).astype(rows.dtype)
        return active / xp.maximum(active.sum(axis=1, keepdims=True), 1)

    @classmethod
    def example(cls, dimension: int, seed: int) -> Epanechnikov:
        """A small instance for contract tests."""
        return cls(_example(dimension, seed), beta=1.5 / dimension, floor=1e-3)


@dataclass(frozen=True, eq=False)
class Polynomial(Continuous):
    """E(x) = -(R^2/n) sum_i m_i^n,  m_i = x_i . x / R^2, states on the sphere |x| = R.

    The dense associative memory of degree n with continuous states; for odd n overlaps below 0
    count as 0. p_i = m_i^(n-1), x' = R X^T p / |X^T p|: with n even, or m_i cut at 0, E is concave
    in R^d and never rises. In R^d itself E would have no lower bound.

    patterns, values: as `models.continuous.Continuous`. degree: n >= 2. radius: R; sqrt(d) if none
    is given.

    Raises ValueError for patterns that are no 2-d array of finite numbers and for n < 2.
    Sources: Krotov and Hopfield, NeurIPS 29 (2016); Krotov and Hopfield, ICLR 2021
    (arXiv:2008.06996), model C.
    """

    degree: int

    def __post_init__(self):
        super().__post_init__()
        n = self.degree
        if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 2:
            raise ValueError(f"degree={n!r} is not possible; it must be an integer >= 2.")
        object.__setattr__(self, "degree", int(n))
        if self.radius is None:
            object.__setattr__(self, "radius", math.sqrt(self.dimension))

    def _recalled(self, rows, values):
        columns = self.patterns[:, :0] if values is None else values
        sums, energy, top = self._powers(rows, columns)
        return (None if values is None else sums * top[:, None] ** (self.degree - 1)), energy

    def _stepped(self, rows):
        mean, energy, _ = self._powers(rows, self.patterns)  # only its direction matters
        return self._on_sphere(mean, rows), energy

    def _powers(self, rows, values):
        """sum_i (m_i/t)^(n-1) v_i, E, and t, the largest |m_i|: high powers would vanish."""
        about = (self.degree, self.radius**-2)
        sums, total, top = retrieval.powers(rows, self.patterns, values, *about)
        return sums, -(self.radius**2 / self.degree) * (total * top**self.degree), top

    def _weights(self, rows):
        overlaps = (rows @ self.patterns.T) / self.radius**2
        if self.degree % 2:
            overlaps = device.module(rows).maximum(overlaps, 0)
        return overlaps ** (self.degree - 1)

    @classmethod
    def example(cls, dimension: int, seed: int) -> Polynomial:
        """A small instance for contract tests."""
        return cls(_example(dimension, seed), degree=3)


def _set_beta(model):
    hint = " (the inverse temperature of the softmax)"
    object.__setattr__(model, "beta", checked_positive("beta", model.beta, hint))


def _example(dimension, seed):
    from hopfield_sim import patterns

    return patterns.gaussian(5, dimension, seed)
