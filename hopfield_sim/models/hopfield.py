"""The pairwise Hebb network, held as patterns: no N x N matrix anywhere."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

import numpy as np

from hopfield_sim import kernels, patterns
from hopfield_sim.kernels import choice
from hopfield_sim.models import checked_spins
from hopfield_sim.randomness import PARALLEL, Noise, Stream

SELF_COUPLINGS = ("zero", "hebb")


@dataclass(frozen=True, eq=False)
class Hopfield:
    """Hopfield network (1982) with Hebbian couplings.

        H = -(1/2) sum_{i != j} J_ij s_i s_j - (1/2) sum_i J_ii,
        J_ij = (strength / N) sum_mu xi_i^mu xi_j^mu

    Load alpha = P / N. An attempted flip costs O(P), an accepted one O(P) more, memory O(N P).

    patterns: (pattern, neuron), +-1, 0 or other integers of size up to 32767; kept as float32.
    self_coupling: `"zero"` (J_ii = 0, the default) or `"hebb"` (J_ii as the formula gives it,
        alpha for +-1 patterns). It shifts the energy by a constant and acts on the dynamics at zero
        temperature and in synchronous updates only.
    strength: a positive factor of the couplings, 1 by default. Averages over M examples go in as
        sums over them with strength M^-2: patterns stay integers.

    Raises ValueError for patterns that are not a 2-d array of integers, for another name, and for a
    strength that is not positive.
    Sources: Hopfield, PNAS 79 (1982) 2554; Amit, Gutfreund, Sompolinsky, PRL 55 (1985) 1530.
    """

    patterns: np.ndarray
    self_coupling: str = "zero"
    strength: float = 1.0
    symmetric: ClassVar[bool] = True
    external_field: ClassVar[float] = 0.0

    def __post_init__(self):
        object.__setattr__(self, "patterns", patterns.checked(self.patterns))
        if self.self_coupling not in SELF_COUPLINGS:
            raise ValueError(
                f"self_coupling={self.self_coupling!r} is unknown; allowed are 'zero' (J_ii = 0) "
                "and 'hebb' (J_ii as the Hebb rule gives it, alpha for +-1 patterns)."
            )
        if not (np.isfinite(self.strength) and self.strength > 0):
            raise ValueError(f"strength={self.strength!r} is not possible; it must be positive.")

    @property
    def n_neurons(self) -> int:
        return self.patterns.shape[1]

    @property
    def n_patterns(self) -> int:
        return self.patterns.shape[0]

    @property
    def alpha(self) -> float:
        """Load P / N."""
        return self.n_patterns / self.n_neurons

    @property
    def unit(self) -> float:
        """Fields and differences of energies are multiples of strength / N."""
        return self.strength / self.n_neurons

    @cached_property
    def _squares(self) -> np.ndarray:
        """sum_mu (xi_i^mu)^2: int64 (neuron,)."""
        return np.einsum("pi,pi->i", self.patterns, self.patterns, dtype=float).astype(np.int64)

    @property
    def self_couplings(self) -> np.ndarray:
        """J_ii: float64 (neuron,)."""
        return self.unit * self._squares * (self.self_coupling == "hebb")

    def memory(self, spins: np.ndarray) -> np.ndarray:
        """Integer overlaps M_mu = sum_i xi_i^mu s_i: the narrowest integers, (..., pattern)."""
        spins = checked_spins(spins, self.n_neurons)
        # every partial sum is an integer of size <= N max|xi|: exact in float32 below 2^24
        exact = np.float32 if self._largest * self.n_neurons < 2**24 else np.float64
        overlaps = spins.astype(exact) @ self.patterns.T.astype(exact, copy=False)
        return overlaps.astype(kernels.narrowest(self._largest * self.n_neurons))

    def overlaps(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """m_mu = (1/N) sum_i xi_i^mu s_i: float64 (..., pattern)."""
        return (1.0 / self.n_neurons) * (self.memory(spins) if memory is None else memory)

    def energy(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """H = -(N/2) sum_mu m_mu^2, less its diagonal part where J_ii = 0: float64 (...)."""
        overlaps = np.asarray(self.memory(spins) if memory is None else memory, float)
        diagonal = 0 if self.self_coupling == "hebb" else self._squares.sum()
        return -0.5 * self.unit * (np.einsum("...p,...p->...", overlaps, overlaps) - diagonal)

    def field(self, spins: np.ndarray) -> np.ndarray:
        """h_i = sum_{j != i} J_ij s_j: float64 (..., neuron)."""
        spins = checked_spins(spins, self.n_neurons)
        total = self.memory(spins).astype(float) @ self.patterns.astype(float)
        return self.unit * (total - self._squares * spins)

    def sweep(
        self,
        spins: np.ndarray,
        memory: np.ndarray,
        noise: Noise,
        stream: Stream,
        first_sweep: int,
        n_sweeps: int,
    ) -> np.ndarray:
        """Move int8 spins (lane, neuron) and overlaps (lane, pattern) in place; flips (lane,)."""
        keeps_self = noise.keeps_self_coupling and self.self_coupling == "hebb"
        diagonal = np.zeros_like(self._diagonal) if keeps_self else self._diagonal
        if noise.order == PARALLEL:
            form = choice.step_patterns
        else:
            form = choice.sweep_patterns
        return kernels.advance(
            form,
            self._layouts,
            diagonal,
            spins,
            memory,
            noise,
            stream,
            self.unit,
            first_sweep,
            n_sweeps,
        )

    @cached_property
    def _layouts(self) -> choice.Layouts:
        return choice.Layouts(self.patterns)

    @property
    def _largest(self) -> int:
        return self._layouts.largest

    @cached_property
    def _diagonal(self) -> np.ndarray:
        """`_squares` in the type of the fields, which hold |H_i| <= P N max|xi|^2."""
        bound = float(self.n_patterns) * self.n_neurons * self._largest**2
        return self._squares.astype(kernels.field_type(bound))

    @classmethod
    def example(cls, n_neurons: int = 8, seed: int = 1) -> Hopfield:
        """A small instance for contract tests: three random patterns."""
        return cls(patterns.random(n_patterns=3, n_neurons=n_neurons, seed=seed))
