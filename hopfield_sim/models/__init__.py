"""What the energy is. One file a model; nothing to register.

A model holds the arrays that define an energy of N spins s_i = +-1; temperature is never part of
it. It is a frozen dataclass that fulfils the contract `Model` below. Models whose states are real
vectors share `continuous.Continuous` instead.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from hopfield_sim.randomness import Noise, Stream


class Model(Protocol):
    """The contract of a model with discrete spins.

    Spins come as arrays (..., neuron) of +-1. Energies are extensive, in units of J.

    n_neurons, n_patterns: N and P (0 where no patterns are kept).
    patterns: float32 (pattern, neuron), or None.
    symmetric: whether J_ij = J_ji; without it there is no energy, only dynamics.
    unit: fields and differences of energies are `unit` times integers.
    self_couplings: J_ii, float64 (neuron,). They enter zero-temperature and synchronous dynamics
        only; asynchronous thermal rules follow energy differences.
    external_field: b_i, float64 (neuron,), or 0.
    """

    n_neurons: int
    n_patterns: int
    patterns: np.ndarray | None
    symmetric: bool
    unit: float
    self_couplings: np.ndarray
    external_field: np.ndarray | float

    def energy(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """H, float64 (...); from the memory where it is given."""

    def field(self, spins: np.ndarray) -> np.ndarray:
        """h_i without self-coupling, float64 (..., neuron): `E(flip i) - E = 2 s_i h_i` exactly."""

    def memory(self, spins: np.ndarray) -> np.ndarray:
        """What is kept beside the spins while they move: integers (..., pattern or neuron)."""

    def overlaps(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """m_mu = (1/N) sum_i xi_i^mu s_i, float64 (..., pattern)."""

    def sweep(
        self,
        spins: np.ndarray,
        memory: np.ndarray,
        noise: Noise,
        stream: Stream,
        first_sweep: int,
        n_sweeps: int,
    ) -> np.ndarray:
        """Move int8 spins (lane, neuron) and their memory in place; flips, int64 (lane,)."""

    @classmethod
    def example(cls, n_neurons: int, seed: int) -> Model:
        """A small instance for contract tests."""


def check_has_spins(model: object) -> None:
    """TypeError, with what to call instead, where the states of a model are not spins."""
    if not hasattr(model, "sweep"):
        raise TypeError(
            f"{type(model).__name__} has no spins to flip; states that are real vectors are moved "
            "by model.retrieve(cues), and at a temperature by langevin.sampled(model, ...)."
        )


def checked_spins(spins: np.ndarray, n_neurons: int) -> np.ndarray:
    """`spins` as int8 (..., neuron) of +-1; ValueError with the cure otherwise."""
    spins = np.asarray(spins)
    if spins.ndim == 0 or spins.shape[-1] != n_neurons:
        raise ValueError(
            f"spins have shape {spins.shape}, but this model has {n_neurons} neurons: the last "
            f"axis must be the neurons, e.g. shape ({n_neurons},) or (n_replicas, {n_neurons})."
        )
    if not np.all(np.abs(spins) == 1):  # also catches NaN
        bad = np.unique(spins[~(np.abs(spins) == 1)])[:3]
        raise ValueError(
            f"spins must all be +1 or -1, but contain {', '.join(map(str, bad.tolist()))}; "
            "np.where(x > 0, 1, -1) makes spins of real numbers."
        )
    return spins.astype(np.int8)
