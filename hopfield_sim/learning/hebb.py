"""The Hebb rule, dense or diluted."""

from __future__ import annotations

import numpy as np

from hopfield_sim import patterns, randomness
from hopfield_sim.models.coupled import Coupled
from hopfield_sim.models.hopfield import Hopfield
from hopfield_sim.randomness import COUPLINGS, Seed


def couplings(xi: np.ndarray, self_coupling: str = "zero") -> np.ndarray:
    """J_ij = (1/N) sum_mu xi_i^mu xi_j^mu: float64 (neuron, neuron).

    xi: (pattern, neuron). self_coupling: "zero" clears the diagonal, "hebb" keeps it.
    Source: Hopfield, PNAS 79 (1982) 2554.
    """
    model = Hopfield(xi, self_coupling)
    matrix = model.patterns.T.astype(float) @ model.patterns.astype(float) / model.n_neurons
    np.fill_diagonal(matrix, model.self_couplings)
    return matrix


def model(xi: np.ndarray, self_coupling: str = "zero") -> Hopfield:
    """The Hebb network held as patterns (no N x N matrix): the form to use."""
    return Hopfield(xi, self_coupling)


def coupled(
    xi: np.ndarray, self_coupling: str = "zero", external_field: np.ndarray | float = 0.0
) -> Coupled:
    """The same network as a matrix: same integers, hence the same trajectories as `model`.

    external_field: (neuron,) or a number; with one, couplings and field are rounded to a fine
    common grid, as `Coupled` does, and trajectories are no longer those of `model` bit by bit.
    """
    kept = "given" if self_coupling == "hebb" else "zero"
    unit = None if np.any(external_field) else 1.0 / np.shape(xi)[1]
    return Coupled(couplings(xi, self_coupling), external_field, kept, patterns=xi, unit=unit)


def diluted(xi: np.ndarray, n_inputs: int, seed: Seed, symmetric: bool = False) -> Coupled:
    """J_ij = (c_ij / c) sum_mu xi_i^mu xi_j^mu with c = n_inputs, c_ij in {0, 1}, c_ii = 0.

    symmetric=False: every neuron listens to exactly c others, drawn without replacement; c_ij and
    c_ji are independent, so there is no energy, only dynamics. Load alpha = P / c.
    symmetric=True: each pair is joined with probability c / (N - 1); the energy is that of
    `Coupled`.

    Raises ValueError where n_inputs is not in [1, N - 1].
    Source: Derrida, Gardner, Zippelius, Europhys. Lett. 4 (1987) 167.
    """
    xi = patterns.checked(xi)
    n_patterns, n_neurons = xi.shape
    if not isinstance(n_inputs, int | np.integer) or not 1 <= n_inputs <= n_neurons - 1:
        raise ValueError(
            f"n_inputs={n_inputs!r} is not possible; a neuron can listen to 1 ... N-1 = "
            f"{n_neurons - 1} others."
        )
    key = randomness.key(seed, n_neurons, n_patterns)
    blocks = randomness.blocks_per_sweep(n_neurons)
    draws = np.stack(
        [randomness.words(key, COUPLINGS, (i, 0), 0, blocks)[:n_neurons] for i in range(n_neurons)]
    )
    if symmetric:
        joined = np.triu(randomness.uniforms(draws) < n_inputs / (n_neurons - 1), 1)
        joined |= joined.T
    else:
        draws = draws.astype(np.int64)
        np.fill_diagonal(draws, 2**32)  # never among the smallest: nobody listens to itself
        chosen = np.argsort(draws, axis=1, kind="stable")[:, :n_inputs]
        joined = np.zeros((n_neurons, n_neurons), bool)
        np.put_along_axis(joined, chosen, True, axis=1)
    matrix = joined * (xi.T.astype(float) @ xi.astype(float)) / n_inputs
    return Coupled(matrix, symmetric=symmetric, patterns=xi, unit=1.0 / n_inputs)
