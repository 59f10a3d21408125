"""The projection (pseudo-inverse) rule: any linearly independent patterns become fixed points."""

from __future__ import annotations

import numpy as np

from hopfield_sim import patterns
from hopfield_sim.models.coupled import Coupled

SELF_COUPLINGS = ("zero", "projection")


def couplings(xi: np.ndarray, self_coupling: str = "zero") -> np.ndarray:
    """J = (1/N) sum_{mu nu} xi_i^mu (C^-1)_{mu nu} xi_j^nu, C_{mu nu} = (1/N) xi^mu . xi^nu.

    J is the projector on the space that the patterns span: J xi^mu = xi^mu. Returns float64
    (neuron, neuron), symmetric to the last bit.

    xi: (pattern, neuron), linearly independent. self_coupling: "zero" clears the diagonal (larger
    basins; xi_i h_i = 1 - J_ii), "projection" keeps it (J_ii is about alpha).

    Raises ValueError for linearly dependent patterns (always so for P > N).
    Sources: Personnaz, Guyon, Dreyfus (1985); Kanter and Sompolinsky, PRA 35 (1987) 380.
    """
    if self_coupling not in SELF_COUPLINGS:
        raise ValueError(
            f"self_coupling={self_coupling!r} is unknown; allowed are 'zero' and 'projection'."
        )
    xi = patterns.checked(xi).astype(float)
    # Q R of the patterns: J = Q Q^T needs no inverse and shows dependence as a small R_mu mu
    q, r = np.linalg.qr(xi.T)
    if xi.shape[0] > xi.shape[1] or np.abs(np.diag(r)).min() < 1e-9 * np.abs(np.diag(r)).max():
        raise ValueError(
            f"the {xi.shape[0]} patterns on {xi.shape[1]} neurons are linearly dependent, so the "
            "projection rule is not defined; remove duplicates or store fewer patterns."
        )
    matrix = q @ q.T
    matrix = (matrix + matrix.T) / 2
    if self_coupling == "zero":
        np.fill_diagonal(matrix, 0)
    return matrix


def model(xi: np.ndarray, self_coupling: str = "zero") -> Coupled:
    """The network of the projection rule; its `patterns` are kept to measure overlaps."""
    kept = "given" if self_coupling == "projection" else "zero"
    return Coupled(couplings(xi, self_coupling), self_coupling=kept, patterns=xi)
