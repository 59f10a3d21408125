"""Lagrangians of layers of neurons: one function that gives the activation and its slope.

A layer with states x has a Lagrangian L(x); its neurons send out the activation g = dL/dx, and the
curvature d^2 L/dx^2, where positive semi-definite, makes the energy of `two_layer.TwoLayer` fall.
Each class here is named by its activation. Any object with the three methods of `Lagrangian` may
stand beside them.

Source: D. Krotov, J. J. Hopfield, ICLR 2021 (arXiv:2008.06996).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.special import logsumexp, softmax

from hopfield_sim.models.continuous import checked_positive


class Lagrangian(Protocol):
    """The contract of a Lagrangian; x are states, float64 (..., neuron)."""

    def value(self, x: np.ndarray) -> np.ndarray:
        """L(x), (...)."""

    def activation(self, x: np.ndarray) -> np.ndarray:
        """g = dL/dx, (..., neuron)."""

    def curvature(self, x: np.ndarray, direction: np.ndarray) -> np.ndarray:
        """(d^2 L/dx^2) u for directions u that broadcast against x: (..., neuron)."""


@dataclass(frozen=True)
class Identity:
    """L = |x|^2/2, g = x: linear neurons (features of model B)."""

    def value(self, x):
        """|x|^2/2, (...)."""
        return (x**2).sum(-1) / 2

    def activation(self, x):
        """x itself."""
        return x

    def curvature(self, x, direction):
        """The direction itself."""
        return direction + np.zeros_like(x)


@dataclass(frozen=True)
class Tanh:
    """L = (1/a) sum_i ln cosh(a x_i), g = tanh(a x): sign neurons made smooth (features of A).

    sharpness: a > 0; with a -> infinity L = sum |x_i|, g = sign x.
    Raises ValueError for other values.
    """

    sharpness: float = 1.0

    def __post_init__(self):
        checked_positive("sharpness", self.sharpness)

    def value(self, x):
        """(1/a) sum ln cosh(a x), (...)."""
        size = np.abs(x)
        # ln cosh z = z + ln(1 + e^(-2z)) - ln 2, which overflows nowhere
        each = size + (np.log1p(np.exp(-2 * self.sharpness * size)) - np.log(2)) / self.sharpness
        return each.sum(-1)

    def activation(self, x):
        """tanh(a x)."""
        return np.tanh(self.sharpness * x)

    def curvature(self, x, direction):
        """a (1 - tanh^2(a x)) u."""
        return self.sharpness * (1 - np.tanh(self.sharpness * x) ** 2) * direction


@dataclass(frozen=True)
class Spherical:
    """L = |x|, g = x/|x|: divisive normalisation (features of model C).

    The curvature (1 - g g^T)/|x| has the zero mode x: the length of x is seen by no other neuron
    and not by the energy. At x = 0, where L has no derivative, g and the curvature are set to 0.
    """

    def value(self, x):
        """|x|, (...)."""
        return np.linalg.norm(x, axis=-1)

    def activation(self, x):
        """x/|x|."""
        return x / self._length(x)

    def curvature(self, x, direction):
        """(u - g (g.u))/|x|."""
        length, g = self._length(x), self.activation(x)
        return (direction - g * (g * direction).sum(-1, keepdims=True)) / length

    @staticmethod
    def _length(x):
        length = np.linalg.norm(x, axis=-1, keepdims=True)
        return np.where(length > 0, length, np.inf)


@dataclass(frozen=True)
class RectifiedPower:
    """L = sum_mu max(x_mu, 0)^(n+1)/(n+1), g = max(x, 0)^n (memory neurons of models A and C).

    power: n >= 1. Raises ValueError for other values.
    """

    power: float = 2.0

    def __post_init__(self):
        checked_positive("power", self.power)
        if self.power < 1:
            raise ValueError(f"power={self.power!r} has infinite slope at 0; give a number >= 1.")

    def value(self, x):
        """sum max(x, 0)^(n+1)/(n+1), (...)."""
        return (np.maximum(x, 0) ** (self.power + 1)).sum(-1) / (self.power + 1)

    def activation(self, x):
        """max(x, 0)^n."""
        return np.maximum(x, 0) ** self.power

    def curvature(self, x, direction):
        """n max(x, 0)^(n-1) u, 0 for x <= 0."""
        slope = np.where(x > 0, self.power * np.maximum(x, 0) ** (self.power - 1), 0)
        return slope * direction


@dataclass(frozen=True)
class Softmax:
    """L = (1/beta) ln sum_mu exp(beta x_mu), g = softmax(beta x) (memory neurons of model B).

    The curvature beta (diag g - g g^T) has the zero mode (1, ..., 1).
    beta: inverse temperature > 0. Raises ValueError for other values.
    """

    beta: float = 1.0

    def __post_init__(self):
        checked_positive("beta", self.beta)

    def value(self, x):
        """(1/beta) ln sum exp(beta x), (...)."""
        return logsumexp(self.beta * x, axis=-1) / self.beta

    def activation(self, x):
        """softmax(beta x)."""
        return softmax(self.beta * x, axis=-1)

    def curvature(self, x, direction):
        """beta g (u - g.u)."""
        g = self.activation(x)
        return self.beta * g * (direction - (g * direction).sum(-1, keepdims=True))
