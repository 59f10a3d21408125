"""The projection (pseudo-inverse) rule: all patterns become fixed points, correlated or not."""

from __future__ import annotations

import numpy as np

from hopfield_sim import patterns
from hopfield_sim.models.coupled import Coupled

SELF_COUPLINGS = ("zero", "projection")


def couplings(xi: np.ndarray, self_coupling: str = "zero") -> np.ndarray:
    """J = (1/N) sum_{mu nu} xi_i^mu (C^-1)_{mu nu} xi_j^nu, C_{mu nu} = (1/N) xi^mu . xi^nu.

    J is the projector on the space that the patterns span: J xi^mu = xi^mu (for linearly dependent
    patterns C^-1 is the pseudo-inverse). Returns float64 (neuron, neuron), symmetric to the last
    bit.

    xi: (pattern, neuron). self_coupling: "zero" clears the diagonal (larger basins;
    xi_i h_i = 1 - J_ii), "projection" keeps it (J_ii is about alpha).

    Raises ValueError where the patterns span all N dimensions: J is then the unit matrix, which
    holds every state and recalls none.
    Sources: Personnaz, Guyon, Dreyfus (1985); Kanter and Sompolinsky, PRA 35 (1987) 380.
    """
    if self_coupling not in SELF_COUPLINGS:
        raise ValueError(
            f"self_coupling={self_coupling!r} is unknown; allowed are 'zero' and 'projection'."
        )
    xi = patterns.checked(xi).astype(float)
    # the left singular vectors span what the patterns span: no inverse, no trouble with near ties
    directions, sizes, _ = np.linalg.svd(xi.T, full_matrices=False)
    kept = directions[:, sizes > sizes[0] * 1e-6]
    if kept.shape[1] == xi.shape[1]:
        raise ValueError(
            f"the {xi.shape[0]} patterns span all {xi.shape[1]} dimensions, so the projection rule "
            "gives J = 1, which recalls nothing; store fewer patterns than neurons."
        )
    matrix = kept @ kept.T
    matrix = (matrix + matrix.T) / 2
    if self_coupling == "zero":
        np.fill_diagonal(matrix, 0)
    return matrix


def model(xi: np.ndarray, self_coupling: str = "zero") -> Coupled:
    """The network of the projection rule; its `patterns` are kept to measure overlaps."""
    kept = "given" if self_coupling == "projection" else "zero"
    return Coupled(couplings(xi, self_coupling), self_coupling=kept, patterns=xi)
