"""Any couplings J and fields: what a learning rule returns."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from hopfield_sim import kernels
from hopfield_sim import patterns as pattern_arrays
from hopfield_sim.kernels import couplings as sequential
from hopfield_sim.kernels import parallel
from hopfield_sim.models import checked_spins
from hopfield_sim.randomness import PARALLEL, Noise, Stream

SELF_COUPLINGS = ("zero", "given")
_EXACT = 2.0**52  # sums of integers up to here are exact in float64
_RANGE = 2.0**29  # integer fields stay below half the threshold limit of int32


@dataclass(frozen=True, eq=False)
class Coupled:
    """Ising spins with given couplings and external fields.

        H = -(1/2) sum_{i != j} J_ij s_i s_j - (1/2) sum_i J_ii - sum_i b_i s_i

    Couplings and fields are rounded once, here, to multiples of `unit`; energy, fields and
    dynamics all use the rounded values, so every sum is exact and nothing drifts. An attempted
    flip costs O(1), an accepted one O(N), memory O(N^2).

    couplings: (neuron, neuron), J_ij by which neuron j acts on neuron i, in units of J.
    external_field: (neuron,) or a number, b_i.
    self_coupling: `"zero"` (a non-zero diagonal is refused) or `"given"` (J_ii as on the diagonal;
        acts at zero temperature and in synchronous updates only).
    symmetric: False admits J_ij != J_ji. Such a network has no energy: it has dynamics only, and
        `energy` says so.
    patterns: (pattern, neuron) or None; kept to measure overlaps with.
    unit: the grid. None chooses the finest power of two for which no field leaves 30 bits
        (rounding error of a coupling below 2^-29 of the largest field). Given, every
        coupling and field must be a multiple of it (1/N for Hebbian couplings).

    Raises ValueError for arrays of wrong shape, NaN, asymmetric J without `symmetric=False`, a
    diagonal without `self_coupling="given"`, values off a given grid.
    """

    couplings: np.ndarray
    external_field: np.ndarray | float = 0.0
    self_coupling: str = "zero"
    symmetric: bool = True
    patterns: np.ndarray | None = None
    unit: float | None = None

    def __post_init__(self):
        couplings = _checked_couplings(self.couplings, self.symmetric)
        n_neurons = len(couplings)
        field = np.asarray(self.external_field, float)
        if field.shape not in ((), (n_neurons,)) or not np.all(np.isfinite(field)):
            raise ValueError(
                f"external_field must be a finite number or an array of shape ({n_neurons},), "
                f"one value a neuron; got shape {field.shape}."
            )
        field = np.broadcast_to(field, (n_neurons,))
        if self.self_coupling not in SELF_COUPLINGS:
            raise ValueError(
                f"self_coupling={self.self_coupling!r} is unknown; allowed are 'zero' and 'given' "
                "(the diagonal of the couplings)."
            )
        if self.self_coupling == "zero" and np.any(np.diag(couplings)):
            raise ValueError(
                "couplings have a non-zero diagonal; pass self_coupling='given' to keep it, or "
                "clear it with np.fill_diagonal(couplings, 0)."
            )
        largest_field = float((np.abs(couplings).sum(axis=1) + np.abs(field)).max())
        unit = _grid(largest_field) if self.unit is None else float(self.unit)
        if not (np.isfinite(unit) and unit > 0 and largest_field <= _EXACT * unit):
            raise ValueError(
                f"unit={unit:g} is not possible; it must be a positive number, at least 2^-52 of "
                f"the largest field ({largest_field:g}), for the sums over couplings to be exact."
            )
        integers, integer_field = np.rint(couplings / unit), np.rint(field / unit)
        if self.unit is not None and not (
            np.allclose(integers, couplings / unit, rtol=0, atol=1e-6)
            and np.allclose(integer_field, field / unit, rtol=0, atol=1e-6)
        ):
            raise ValueError(
                f"couplings or external_field are not multiples of unit={unit:g}; "
                "leave unit=None to have them rounded to a fine grid."
            )
        if self.patterns is not None:
            kept = pattern_arrays.checked(self.patterns)
            if kept.shape[1] != n_neurons:
                raise ValueError(
                    f"patterns have {kept.shape[1]} neurons, the couplings {n_neurons}; "
                    "they must describe the same network."
                )
            object.__setattr__(self, "patterns", kept)
        object.__setattr__(self, "couplings", unit * integers)
        object.__setattr__(self, "external_field", unit * integer_field)
        object.__setattr__(self, "unit", unit)

    @property
    def n_neurons(self) -> int:
        return len(self.couplings)

    @property
    def n_patterns(self) -> int:
        return 0 if self.patterns is None else len(self.patterns)

    @property
    def self_couplings(self) -> np.ndarray:
        """J_ii: float64 (neuron,)."""
        return np.diag(self.couplings).copy()

    def memory(self, spins: np.ndarray) -> np.ndarray:
        """H_i = (sum_{j != i} J_ij s_j + b_i) / unit: int32 or int64 (..., neuron)."""
        spins = checked_spins(spins, self.n_neurons).astype(float)
        # partial sums are integers below 2^53: exact in float64 whatever the order of summation
        fields = spins @ self._by_source.astype(float) + np.rint(self.external_field / self.unit)
        return fields.astype(self._diagonal.dtype)

    def field(self, spins: np.ndarray) -> np.ndarray:
        """h_i = sum_{j != i} J_ij s_j + b_i: float64 (..., neuron)."""
        return self.unit * self.memory(spins)

    def energy(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """H: float64 (...). Raises ValueError for asymmetric couplings, which have none."""
        if not self.symmetric:
            raise ValueError(
                "asymmetric couplings have no energy function: this network has dynamics only. "
                "Measure overlaps or magnetisation instead."
            )
        spins = checked_spins(spins, self.n_neurons)
        fields = self.memory(spins) if memory is None else memory
        both = (fields + np.rint(self.external_field / self.unit)) * spins
        return -0.5 * self.unit * both.sum(axis=-1) - 0.5 * np.trace(self.couplings)

    def overlaps(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """m_mu = (1/N) sum_i xi_i^mu s_i: float64 (..., pattern); needs `patterns`."""
        if self.patterns is None:
            raise ValueError(
                "this network was given no patterns, so it has no overlaps; "
                "build it with Coupled(couplings, patterns=xi)."
            )
        spins = checked_spins(spins, self.n_neurons).astype(float)
        return spins @ self.patterns.T.astype(float) / self.n_neurons

    def sweep(
        self,
        spins: np.ndarray,
        memory: np.ndarray,
        noise: Noise,
        stream: Stream,
        first_sweep: int,
        n_sweeps: int,
    ) -> np.ndarray:
        """Move int8 spins (lane, neuron) and fields (lane, neuron) in place; flips (lane,)."""
        diagonal = self._diagonal if noise.keeps_self_coupling else np.zeros_like(self._diagonal)
        is_parallel = noise.order == PARALLEL
        return kernels.advance(
            parallel.step_couplings if is_parallel else sequential.sweep_couplings,
            self._by_source,
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
    def _by_source(self) -> np.ndarray:
        """Integer J_ij without diagonal, row j for source j, in the narrowest type."""
        integers = np.rint(self.couplings.T / self.unit)
        np.fill_diagonal(integers, 0)
        return np.ascontiguousarray(integers, dtype=kernels.narrowest(np.abs(integers).max()))

    @cached_property
    def _diagonal(self) -> np.ndarray:
        """What the fields lack of the self-coupling: d_i = -J_ii / unit, in their type."""
        size = np.abs(self.couplings).sum(axis=1) + np.abs(self.external_field)
        kind = kernels.field_type(float(size.max()) / self.unit)
        return -np.rint(np.diag(self.couplings) / self.unit).astype(kind)

    @classmethod
    def example(cls, n_neurons: int = 8, seed: int = 1) -> Coupled:
        """A small instance for contract tests: Gaussian couplings and fields."""
        rng = np.random.default_rng(seed)
        upper = np.triu(rng.normal(size=(n_neurons, n_neurons)), 1) / np.sqrt(n_neurons)
        return cls(upper + upper.T, external_field=0.3 * rng.normal(size=n_neurons))


def _checked_couplings(couplings, symmetric: bool) -> np.ndarray:
    couplings = np.asarray(couplings, float)
    if couplings.ndim != 2 or couplings.shape[0] != couplings.shape[1] or not couplings.size:
        raise ValueError(
            f"couplings have shape {couplings.shape}; a square matrix (neuron, neuron) is needed."
        )
    if not np.all(np.isfinite(couplings)):
        raise ValueError("couplings contain NaN or infinity; every J_ij must be a finite number.")
    if symmetric and not np.array_equal(couplings, couplings.T):
        worst = float(np.abs(couplings - couplings.T).max())
        raise ValueError(
            f"couplings are not symmetric (largest |J_ij - J_ji| = {worst:g}). Pass "
            "symmetric=False if that is meant (there is then no energy, only dynamics), or "
            "symmetrise first with (J + J.T) / 2."
        )
    return couplings


def _grid(largest_field: float) -> float:
    """The power of two for which the largest field is between 2^28 and 2^29 units."""
    if largest_field == 0:
        return 1.0
    return float(2.0 ** np.ceil(np.log2(largest_field / _RANGE)))
