"""How the state moves: Glauber, Metropolis, zero temperature, synchronous (Little).

A rule is a noise: *flip neuron i when* `s_i h_i < theta_i`, with theta_i drawn anew at each visit.

=================  =============================  ==================================
rule               theta                          probability to flip
=================  =============================  ==================================
`Glauber`          logistic of scale T/2          1 / (1 + exp(2 s_i h_i / T))
`Metropolis`       exponential of mean T/2        min(1, exp(-2 s_i h_i / T))
`ZeroTemperature`  0                              1 where s_i h_i < 0: sign(0) keeps
=================  =============================  ==================================

`order` says which sites a sweep of N visits goes through: `"fixed"` (0 ... N-1), `"random"`
(with replacement, the same sites for all lanes) or `"parallel"` (all at once: the Little model,
another ensemble, see `little_energy`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from hopfield_sim import device as devices
from hopfield_sim import randomness
from hopfield_sim.models import Model, check_has_spins, checked_spins
from hopfield_sim.randomness import (
    EXPONENTIAL,
    FIXED,
    LOGISTIC,
    NONE,
    PARALLEL,
    RANDOM,
    Noise,
    Seed,
    Stream,
)

_ORDERS = {"fixed": FIXED, "random": RANDOM, "parallel": PARALLEL}


@dataclass(frozen=True)
class Glauber:
    """Heat bath: P(s_i = +1) = 1 / (1 + exp(-2 h_i / T)), whatever s_i was.

    temperature: T in units of J, at least 0; a sequence gives one group of lanes a value. T = 0 is
    the limit (ties keep the spin). order: "fixed" (default: exact and fastest), "random" or
    "parallel", where h_i contains the self-coupling.
    Raises ValueError for a negative, infinite or NaN temperature and for another order.
    Source: Glauber, J. Math. Phys. 4 (1963) 294; parallel: Little, Math. Biosci. 19 (1974) 101.
    """

    temperature: float | Sequence[float]
    order: str = "fixed"
    kind: int = field(default=LOGISTIC, init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "temperature", _checked_temperature(self.temperature))
        _checked_order(self, ("fixed", "random", "parallel"), "")


@dataclass(frozen=True)
class Metropolis:
    """Flip with probability min(1, exp(-2 s_i h_i / T)).

    temperature: as for `Glauber`. order: "random" only. In fixed order a flip that is certain
    makes the chain periodic (at high temperature every sweep turns every spin), and flipping all
    at once has no stationary law that is known: both are refused. The sites are drawn once for all
    replicas: where nearly every flip is certain (T above 10 or so) replicas that began alike
    stay alike for long, and their overlap is not that of independent chains; use Glauber there.
    Source: Metropolis et al., J. Chem. Phys. 21 (1953) 1087.
    """

    temperature: float | Sequence[float]
    order: str = "random"
    kind: int = field(default=EXPONENTIAL, init=False, repr=False)

    def __post_init__(self):
        object.__setattr__(self, "temperature", _checked_temperature(self.temperature))
        why = {
            "parallel": "synchronous Metropolis has no known stationary law; use "
            "Glauber(temperature, order='parallel'), the Little model.",
            "fixed": "Metropolis flips with certainty when that costs nothing, so in fixed order "
            "the chain can be periodic; use order='random', or Glauber.",
        }.get(self.order, "")
        _checked_order(self, ("random",), why)


@dataclass(frozen=True)
class ZeroTemperature:
    """Flip when s_i h_i < 0; a neuron without field keeps its spin. h_i has the self-coupling.

    order: "fixed", "random" (both never climb in energy where J_ii >= 0) or "parallel" (ends in a
    fixed point or a cycle of length two). In fixed order and in parallel a run ends by itself at a
    fixed point, so that a large number of sweeps means "until nothing moves".
    """

    order: str = "fixed"
    kind: int = field(default=NONE, init=False, repr=False)

    def __post_init__(self):
        _checked_order(self, ("fixed", "random", "parallel"), "")

    @property
    def temperature(self) -> float:
        """T = 0, as the other rules have one."""
        return 0.0


Rule = Glauber | Metropolis | ZeroTemperature


def temperatures(rule: Rule) -> np.ndarray:
    """The temperatures of a rule's groups of lanes: float64 (temperature,)."""
    return np.atleast_1d(np.asarray(rule.temperature, float))


def noise(rule: Rule, n_replicas: int) -> Noise:
    """The rule as a noise for the lanes (temperature, replica), replica fastest."""
    return Noise(rule.kind, np.repeat(temperatures(rule) / 2, n_replicas), _ORDERS[rule.order])


def stream(model: Model, rule: Rule, n_replicas: int, seed: Seed, first_replica: int = 0) -> Stream:
    """Where the noise comes from: key of (seed, N, P), a lane word for each (T, replica)."""
    return Stream(
        randomness.key(seed, model.n_neurons, model.n_patterns),
        randomness.lane_words(temperatures(rule), n_replicas, first_replica),
    )


def updated(
    model: Model,
    rule: Rule,
    spins: np.ndarray,
    sweeps: int = 1,
    seed: Seed = 0,
    device: str = "auto",
    first_sweep: int = 0,
) -> np.ndarray:
    """`spins` after `sweeps` sweeps of N attempted flips each: float32, same shape.

    spins: +-1, (neuron,) or (replica, neuron); not changed. One temperature.
    seed: integer, or (seed, coordinates...); with `first_sweep = k` the call continues a run of k
    sweeps: `updated(updated(s, k), n, first_sweep=k)` equals `updated(s, k + n)`.
    Raises ValueError for spins that do not fit the model, a bad seed or a negative number of
    sweeps; RuntimeError for a GPU that is not there.
    """
    devices.resolve(device)
    check_has_spins(model)
    if np.ndim(rule.temperature):
        raise ValueError(
            "updated() moves spins at one temperature; for several at once use simulate() with "
            "this rule."
        )
    for name, value in (("sweeps", sweeps), ("first_sweep", first_sweep)):
        if not isinstance(value, int | np.integer) or value < 0:
            raise ValueError(f"{name}={value!r} is not possible; it must be an integer >= 0.")
    moved = np.atleast_2d(checked_spins(spins, model.n_neurons)).copy()
    if moved.ndim > 2:
        raise ValueError("spins must have shape (neuron,) or (replica, neuron).")
    model.sweep(
        moved,
        model.memory(moved),
        noise(rule, len(moved)),
        stream(model, rule, len(moved), seed),
        first_sweep,
        sweeps,
    )
    return moved.reshape(np.shape(spins)).astype(np.float32)


def little_energy(model: Model, spins: np.ndarray, temperature: float) -> np.ndarray:
    """H_T = -T sum_i ln 2 cosh(h_i / T) - sum_i b_i s_i, h_i with self-coupling: float64 (...).

    The stationary law of Glauber dynamics with order "parallel" on symmetric couplings is
    exp(-H_T / T): with W(s -> t) = prod_i exp(t_i h_i(s) / T) / 2 cosh(h_i(s) / T) and
    h = J s + b, the product exp(-H_T(s) / T) W(s -> t) is symmetric in s and t.

    spins: (..., neuron) of +-1. T > 0, in units of J.
    Raises ValueError for other temperatures, and where the law is unknown: for asymmetric
    couplings and for networks that are not pairwise.
    Source: Peretto, Biol. Cybern. 50 (1984) 51 (b = 0; the field's term derived as above).
    """
    if not model.symmetric:
        raise ValueError("asymmetric couplings have no energy, in synchronous dynamics neither.")
    if not getattr(model, "pairwise", True):
        raise ValueError(
            "the stationary law of synchronous dynamics is known for pairwise networks only; "
            "use order='fixed' or 'random' where Boltzmann's law is meant."
        )
    if not (np.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature={temperature!r}: the Little energy needs a finite T > 0.")
    h = model.field(spins) + model.self_couplings * np.asarray(spins)
    entropic = -temperature * np.logaddexp(h / temperature, -h / temperature).sum(axis=-1)
    return entropic - (model.external_field * np.asarray(spins)).sum(axis=-1)


def _checked_temperature(temperature):
    values = np.asarray(temperature, float)
    if values.ndim > 1 or not values.size or not np.all(np.isfinite(values)) or np.any(values < 0):
        raise ValueError(
            f"temperature={temperature!r} is not possible; it must be a finite number >= 0 in "
            "units of J (k_B = 1), or a sequence of such numbers."
        )
    return tuple(values.tolist()) if values.ndim else float(values)


def _checked_order(rule: Rule, allowed: tuple[str, ...], why: str) -> None:
    if rule.order not in allowed:
        names = " or ".join(map(repr, allowed))
        raise ValueError(
            f"{type(rule).__name__}(order={rule.order!r}) is refused: "
            + (why or f"the order must be {names}.")
        )
