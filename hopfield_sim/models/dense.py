"""Dense associative networks: any function of the overlaps, held as patterns."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import ClassVar

import numpy as np

from hopfield_sim import kernels, patterns
from hopfield_sim.kernels import dense, dense_bits
from hopfield_sim.models import checked_spins, dense_tables, loads
from hopfield_sim.randomness import Noise, Stream

NAMED = ("exponential", "log-sum-exp")

_RANGE = 2**61  # costs stay below half the threshold limit of int64
_LONGEST_TABLE = 2**26
_FINEST = 40  # bits of a weight of exponential and log-sum-exp


@dataclass(frozen=True, eq=False)
class Dense:
    """Dense associative network: a function of the integer overlaps S_mu = sum_i xi_i^mu s_i.

    interaction, normalisation -> H, all times `strength`:

        P, "distinct":   -((P-1)! / N^(P-1)) sum_mu sum_{i1 < ... < iP} xi_i1 s_i1 ... xi_iP s_iP
        P, "full":       -(N/P) sum_mu (S_mu / N)^P
        P, "rectified":  -(N/P) sum_mu (max(S_mu, 0) / N)^P
        F (a user's):    -sum_mu F(S_mu)
        "exponential":   -sum_mu exp(sharpness (S_mu - R)),  R = max_mu sum_i |xi_i^mu|
        "log-sum-exp":   -(1 / sharpness) ln sum_mu exp(sharpness S_mu)

    Load of P-body energies alpha = K / N^(P-1) (`loads.number_of_patterns` gives K for a load). At
    P = 2 "distinct" is `Hopfield`, "full" differs from it by a constant. Krotov and Hopfield's
    F = S^n is "full" with strength = P N^(P-1). There is no self-coupling: fields are differences
    of the energy, s_i h_i = (E(flip i) - E) / 2, so a site never acts on itself; in synchronous
    updates, which have no known stationary law, too.

    patterns: (pattern, neuron), K of them, +-1, 0 or other integers up to 32767; kept as float32.
        Averages over M examples go in as sums, with strength M^-P.
    interaction: an integer P >= 2, a name, or a user's F: a callable that gives F for a float64
        array of overlaps, or a table, the 1-d array of F at S = -R, -R + 1, ..., R (kept as a
        read-only copy). R = N for +-1 patterns, whose overlaps have the parity of N: every second
        value of the table is then never used, and may be NaN.
    normalisation: of P-body energies.
    strength: a positive factor of the energy.
    sharpness: of "exponential" and "log-sum-exp", positive.
    grid: values of a user's F are rounded once to multiples of it. None takes integers as they
        are, and for real values the power of two for which F(S+2) - F(S-2) ranges over 2^23 ...
        2^24 steps (2^43 ... 2^44 for patterns other than +-1). For functions so steep that this
        loses what small overlaps do, give a finer one; it takes up to twice the time.

    Exact ranges: every decision compares integers. P-body and user's: F is a table of int64, and
    energies use it too, so T = 0 never climbs; tables of P-body energies are exact while |F| and
    K max|F(S+2) - F(S)| are below 2^61 in units of their common divisor, and rounded to 2^-61 of
    that beyond. "distinct" with patterns other than +-1: K max|xi| R^(P-1) < 2^61, or refused.
    "exponential" and "log-sum-exp" are functions of one integer, the level
    log2 sum_mu 2^(a S_mu) in steps of 2^-30 (a = sharpness log2 e on that grid): weights relative
    to the largest overlap have 40 bits (less where K > 2^22: 62 - log2 K), the level is wrong by
    2^-28 + K 2^-40 at most. "exponential" holds energies in steps of 2^-60 K; those that vanish
    there still order the states at zero temperature, by their level.

    Cost of an attempted flip: O(K), of an accepted one O(K) more. +-1 patterns by table (P-body and
    user's): 3 or 4 instructions for 64 patterns; everything else one look-up or a few products a
    pattern, ten times that; "distinct" of P >= 5 with other patterns P^2 / 2 products. Memory 4 N K
    bytes for the patterns as given, N K / 8 to 2 N K for the dynamics. No P-body tensor is built.

    Raises ValueError for patterns that are not a 2-d array of integers, for a P, a name, a number
    or an F that cannot be used, and where integers would not be exact.
    Sources: Gardner, J. Phys. A 20 (1987) 3453 (distinct); Krotov and Hopfield, NeurIPS 29 (2016)
    (full, rectified); Demircigil et al., J. Stat. Phys. 168 (2017) 288 (exponential); Lucibello and
    Mezard, PRL 132 (2024) 077301 (log-sum-exp).
    """

    patterns: np.ndarray
    interaction: int | str | Callable[[np.ndarray], np.ndarray] | np.ndarray
    normalisation: str = "distinct"
    strength: float = 1.0
    sharpness: float = 1.0
    grid: float | None = None
    symmetric: ClassVar[bool] = True
    pairwise: ClassVar[bool] = False
    external_field: ClassVar[float] = 0.0

    def __post_init__(self):
        object.__setattr__(self, "patterns", patterns.checked(self.patterns))
        if isinstance(self.interaction, np.ndarray | list | tuple):
            object.__setattr__(self, "interaction", dense_tables.checked(self.interaction))
        elif isinstance(self.interaction, bool) or not (
            (self._is_many_body and self.interaction >= 2)
            or callable(self.interaction)
            or self.interaction in NAMED
        ):
            raise ValueError(
                f"interaction={self.interaction!r} is unknown; allowed are an integer P >= 2 "
                "(P-body), 'exponential', 'log-sum-exp', a callable F(S) of the overlaps, or a "
                "table of F at S = -R ... R (1-d array)."
            )
        loads.check_normalisation(self.normalisation)
        for name in ("strength", "sharpness"):
            value = getattr(self, name)
            if not (np.isfinite(value) and value > 0):
                raise ValueError(f"{name}={value!r} is not possible; it must be positive.")
        if self.grid is not None and not self._is_users:
            raise ValueError(
                "grid is for the values of a callable or a table; other energies know theirs."
            )
        if 2 * self._largest + 1 > _LONGEST_TABLE:
            raise ValueError(
                f"overlaps reach {self._largest}: a table of all values of F is too long; use "
                "fewer neurons or patterns of smaller integers."
            )
        self._energy  # noqa: B018  raises where integers would not be exact

    @property
    def n_neurons(self) -> int:
        return self.patterns.shape[1]

    @property
    def n_patterns(self) -> int:
        return self.patterns.shape[0]

    @property
    def alpha(self) -> float:
        """Load K / N^(P-1) of a P-body network, K / N of the others."""
        return self.n_patterns / self.n_neurons ** (
            int(self.interaction) - 1 if self._is_many_body else 1
        )

    @property
    def reduced_load(self) -> float:
        """Variance of the crosstalk field of +-1 patterns, see `loads`; NaN if not P-body."""
        if not self._is_many_body:
            return math.nan
        return self.alpha * loads.reduction(int(self.interaction), self.normalisation)

    @property
    def unit(self) -> float:
        """Fields are multiples of it: half a step of the energy, whose differences are 2 s_i h_i.

        (A whole one for sums over tuples of sites: every site is in or out of a tuple.)
        """
        kind, _, step, _ = self._energy
        return step if kind == dense.SYMMETRIC else step / 2

    @property
    def self_couplings(self) -> np.ndarray:
        """None: zeros, float64 (neuron,)."""
        return np.zeros(self.n_neurons)

    def memory(self, spins: np.ndarray) -> np.ndarray:
        """Integer overlaps S_mu: the narrowest integers, (..., pattern).

        "distinct" of P >= 4 with patterns other than +-1 keeps further power sums behind them:
        p_j = sum_i (xi_i^mu)^j s_i of odd j < P, (..., rows x pattern).
        """
        spins = checked_spins(spins, self.n_neurons)
        odd = range(1, max(2, self.interaction), 2) if self._energy[0] == dense.SYMMETRIC else (1,)
        sums = [self._power_sum(spins, j) for j in odd]
        bound = max(self._power_bound(j) for j in odd)
        return np.concatenate(sums, axis=-1).astype(kernels.narrowest(bound))

    def overlaps(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """m_mu = (1/N) sum_i xi_i^mu s_i: float64 (..., pattern)."""
        sums = self.memory(spins) if memory is None else memory
        return sums[..., : self.n_patterns] / self.n_neurons

    def energy(self, spins: np.ndarray, memory: np.ndarray | None = None) -> np.ndarray:
        """H from the rounded integers that the dynamics uses: float64 (...)."""
        kind, table, step, _ = self._energy
        sums = np.asarray(self.memory(spins) if memory is None else memory)
        if kind == dense.TABLE:
            return -step * dense_tables.total(table[sums.astype(np.int64) + self._largest])
        if kind == dense.SYMMETRIC:
            return -step * dense_tables.total(self._symmetric(spins, sums.astype(np.int64)))
        lanes = np.ascontiguousarray(sums.reshape(-1, sums.shape[-1]))
        found = np.empty(len(lanes), np.int64)
        dense.energies(self._network, lanes, found)
        return step * found.reshape(sums.shape[:-1]).astype(float)

    def field(self, spins: np.ndarray) -> np.ndarray:
        """h_i = s_i (E(flip i) - E) / 2: float64 (..., neuron)."""
        spins = checked_spins(spins, self.n_neurons)
        lanes = np.ascontiguousarray(spins.reshape(-1, self.n_neurons))
        found = np.empty(lanes.shape, np.int64)
        dense.costs(self._network, lanes, self.memory(lanes), found)
        return (self.unit * found * lanes).reshape(spins.shape)

    def sweep(
        self,
        spins: np.ndarray,
        memory: np.ndarray,
        noise: Noise,
        stream: Stream,
        first_sweep: int,
        n_sweeps: int,
    ) -> np.ndarray:
        """Move int8 spins (lane, neuron) and their memory in place; flips (lane,)."""
        form, network = dense_bits.sweep_dense, self._bits
        if network is None:
            form, network = dense.sweep_dense, self._network
        return kernels.advance(
            form,
            network,
            np.zeros(self.n_neurons, np.int64),
            spins,
            memory,
            noise,
            stream,
            self.unit,
            first_sweep,
            n_sweeps,
        )

    @property
    def _is_many_body(self) -> bool:
        return isinstance(self.interaction, int | np.integer)

    @property
    def _is_users(self) -> bool:
        """Whether F is a callable or a table."""
        return callable(self.interaction) or isinstance(self.interaction, np.ndarray)

    @cached_property
    def _largest(self) -> int:
        """R, the largest |S_mu| of any state."""
        return int(np.abs(self.patterns).sum(axis=1, dtype=float).max())

    @cached_property
    def _is_binary(self) -> bool:
        return bool(np.all(np.abs(self.patterns) == 1))

    @cached_property
    def _network(self) -> dense.Network:
        kind, table, _, options = self._energy
        return dense.network(self.patterns.T, kind, self._largest, table, **options)

    @cached_property
    def _bits(self) -> dense_bits.Bits | None:
        """The fast form's network; None where it cannot serve."""
        kind, table, _, _ = self._energy
        suits = dense_bits.suits(self.n_neurons, self.n_patterns)
        if not self._is_binary or kind != dense.TABLE or not suits:
            return None
        return dense_bits.packed(self.patterns.T, table)

    @cached_property
    def _energy(self) -> tuple[int, np.ndarray, float, dict]:
        """Kind of the energy, its table, the energy of one integer step, and what else it needs."""
        if self._is_users:
            table, step = self._rounded()
            return dense.TABLE, table, self.strength * step, {}
        if not self._is_many_body:
            return self._relative()
        order, n_neurons = int(self.interaction), self.n_neurons
        factor = Fraction(self.strength) / n_neurons ** (order - 1)
        if self.normalisation != "distinct":
            values = dense_tables.powers(
                self._overlaps_that_occur, order, self.normalisation == "rectified"
            )
            factor /= order
        else:
            factor *= math.factorial(order - 1)
            if not self._is_binary:
                self._check_symmetric(order)
                even = [self._power_sum(None, j) for j in range(2, order + 1, 2)]
                options = {"order": order, "even": np.array(even, np.int64)}
                return dense.SYMMETRIC, np.zeros(0, np.int64), float(factor), options
            values = dense_tables.krawtchouk(self._overlaps_that_occur, order, n_neurons)
        table, step = self._fitted(values)
        return dense.TABLE, table, float(factor * step), {}

    @cached_property
    def _overlaps_that_occur(self) -> np.ndarray:
        """-R ... R, in steps of two where the patterns are +-1: int64 (value,)."""
        return np.arange(-self._largest, self._largest + 1, 1 + self._is_binary)

    def _spread(self, values: np.ndarray) -> np.ndarray:
        """Values of F at the overlaps that occur, as the table of all of them."""
        table = np.zeros(2 * self._largest + 1, np.int64)
        table[self._overlaps_that_occur + self._largest] = values
        return table

    def _largest_cost(self, values) -> int:
        """A bound of the |cost| of a flip: K times the largest difference of F over a flip."""
        if self._is_binary:
            return self.n_patterns * int(np.abs(np.diff(values)).max())
        return self.n_patterns * (int(values.max()) - int(values.min()))

    def _fitted(self, values: np.ndarray) -> tuple[np.ndarray, int]:
        """Exact integers, any size, as int64 in units of their divisor, or of more if they must."""
        step = max(1, int(np.gcd.reduce(values)))
        values = values // step
        bound = max(self._largest_cost(values), int(np.abs(values).max()))
        if bound >= _RANGE:
            shift = (bound // _RANGE).bit_length()
            half = 1 << shift >> 1
            values = np.sign(values) * ((np.abs(values) + half) >> shift)
            step <<= shift
        return self._spread(values.astype(np.int64)), step

    def _rounded(self) -> tuple[np.ndarray, float]:
        """F of a user on its grid."""
        values = dense_tables.sampled(self.interaction, self._overlaps_that_occur, self._largest)
        is_integer = np.all(values == np.rint(values)) and np.abs(values).max() < 2.0**52
        if self.grid is None and is_integer:
            return self._fitted(values.astype(np.int64))
        step = dense_tables.grid_step(values, self.grid, self._is_binary)
        integers = np.rint(values / step).astype(np.int64)
        if self._largest_cost(integers) >= _RANGE:
            raise ValueError(
                f"grid={self.grid!r} is too fine: with {self.n_patterns} patterns the costs of "
                "flips would leave 61 bits; leave grid=None or take a coarser one."
            )
        return self._spread(integers), step

    def _relative(self) -> tuple[int, np.ndarray, float, dict]:
        """Weights of exponential and log-sum-exp, relative to the largest overlap."""
        slope = round(self.sharpness * math.log2(math.e) * 2**dense.FRACTION)
        if not 2**10 <= slope <= _RANGE // (8 * self._largest):
            raise ValueError(
                f"sharpness={self.sharpness!r} is not possible with overlaps up to "
                f"{self._largest}; it must lie between 1e-6 and {2.0**27 / self._largest:g}."
            )
        bits = self.n_patterns.bit_length()
        table = dense_tables.weights(slope, min(_FINEST, 62 - bits), 2 * self._largest + 1)
        options = {"slope": slope}
        if self.interaction == "log-sum-exp":
            step = math.log(2) / (self.sharpness * 2.0**dense.FRACTION)
            return dense.LOGARITHM, table, self.strength * step, options
        scale = 60 - bits
        options |= {"scale": scale, "powers": dense_tables.exponentials()}
        return dense.EXPONENTIAL, table, self.strength * 2.0**-scale, options

    def _power_bound(self, power: int) -> int:
        """A bound of |sum_i (xi_i^mu)^power s_i|."""
        return self._largest * int(np.abs(self.patterns).max()) ** (power - 1)

    def _power_sum(self, spins: np.ndarray | None, power: int) -> np.ndarray:
        """sum_i (xi_i^mu)^power s_i, (..., pattern); without spins sum_i (xi_i^mu)^power."""
        bound = self._power_bound(power)
        # every partial sum is an integer of at most this size: exact where the type holds it
        exact = next(k for b, k in ((24, np.float32), (53, float), (63, np.int64)) if bound < 2**b)
        x = self.patterns.astype(exact, copy=False) ** power
        if spins is None:
            return x.sum(axis=1, dtype=float if exact != np.int64 else exact).astype(np.int64)
        return (spins.astype(exact) @ x.T).astype(np.int64)

    def _check_symmetric(self, order: int) -> None:
        """K |x| R^(P-1) bounds (P-1)! times a cost, R^P / (P-1)! what Newton's identities meet."""
        largest = int(np.abs(self.patterns).max())
        bound = max(
            self.n_patterns * largest * self._largest ** (order - 1),
            self._largest**order // math.factorial(order - 1),
            self._power_bound(order),
        )
        if bound >= _RANGE:
            raise ValueError(
                f"interaction={order} 'distinct' with patterns other than +-1 is exact only while "
                f"K max|xi| R^(P-1) < 2^61; with R = max sum |xi| = {self._largest} it is "
                f"{bound:.2g}. Use a smaller P, fewer neurons, sums over fewer examples, or "
                "normalisation='full'."
            )

    def _symmetric(self, spins: np.ndarray, sums: np.ndarray) -> np.ndarray:
        """e_P(xi_1 s_1, ..., xi_N s_N) by Newton's identities: int64 (..., pattern)."""
        order, n_patterns = int(self.interaction), self.n_patterns
        even = self._energy[3]["even"]
        spins = checked_spins(spins, self.n_neurons)
        e = [np.ones_like(sums[..., :n_patterns])]
        for n in range(1, order + 1):
            total = np.zeros_like(e[0])
            for j in range(1, n + 1):
                row = j // 2 * n_patterns
                if j % 2 == 0:
                    p = even[j // 2 - 1]
                elif row < sums.shape[-1]:
                    p = sums[..., row : row + n_patterns]
                else:  # p_P of odd P: not in the memory, as no field needs it
                    p = self._power_sum(spins, j)
                total += (1 if j % 2 else -1) * e[n - j] * p
            e.append(total // n)
        return e[order]

    @classmethod
    def example(cls, n_neurons: int = 8, seed: int = 1) -> Dense:
        """A small instance for contract tests: nine random patterns, three-body energy."""
        return cls(patterns.random(n_patterns=9, n_neurons=n_neurons, seed=seed), 3)
