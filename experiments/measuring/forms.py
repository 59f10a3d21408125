"""Sequential heat bath on stored patterns: our forms, and what one would write in Numba without us.

A new form of ours is one more entry of `FORMS` and its name in `SINGLE` (chains one by one) or
`MANY` (64 replicas of one network). Every contestant starts from the same spins of the same
network; after its first sweeps as many flips must be likely as after those of the plain form, and
one of ours must also end a run of a small network with the very spins and overlaps of plain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from experiments.measuring.protocol import Contestant, Running
from hopfield_sim import Glauber, Hopfield, dynamics, kernels, patterns
from hopfield_sim.kernels import blocked, couplings, packed, plain, yardsticks

WARM = 24
"""Sweeps before the rounds; after them the rates of flips are compared."""
_FITS_CACHE = 2**19  # as `Hopfield` chooses between int16 and int8 patterns
_JUDGED = (331, 33)  # neurons and patterns of the small network: no multiple of any tile
_REFERENCES = 32  # chains that say what rate of flips to expect


@dataclass(frozen=True)
class Work:
    """One network at one temperature. start: "pattern" (the first one) or "random"."""

    n_neurons: int
    n_patterns: int
    temperature: float
    start: str
    seed: int

    @property
    def model(self) -> Hopfield:
        return network(self.n_neurons, self.n_patterns, self.seed)

    def spins(self, replicas: int) -> np.ndarray:
        """Where every contestant begins: int8 (replica, neuron)."""
        if self.start == "pattern":
            return np.repeat(self.model.patterns[:1].astype(np.int8), replicas, axis=0)
        return patterns.random(replicas, self.n_neurons, seed=self.seed + 1).astype(np.int8)


@lru_cache(maxsize=2)
def network(n_neurons: int, n_patterns: int, seed: int) -> Hopfield:
    """The network of a measurement, made once."""
    return Hopfield(patterns.random(n_patterns, n_neurons, seed=seed))


@lru_cache(maxsize=1)
def integer_couplings(model: Hopfield) -> np.ndarray:
    """N J_ij without diagonal: int16 (neuron, neuron); exact, for P < 2^15."""
    products = model.patterns.T @ model.patterns
    np.fill_diagonal(products, 0)
    return products.astype(np.int16)


@lru_cache(maxsize=1)
def float_couplings(model: Hopfield) -> np.ndarray:
    """J_ij without diagonal: float64 (neuron, neuron)."""
    return integer_couplings(model) / float(model.n_neurons)


@dataclass(frozen=True)
class Form:
    """A kernel that keeps overlaps, and the layout of a model's patterns that it works on."""

    kernel: Callable
    matrix: Callable[[Hopfield], object]


def _by_site(model: Hopfield) -> np.ndarray:
    narrow = model.patterns.size > _FITS_CACHE
    return np.ascontiguousarray(model.patterns.T, dtype=np.int8 if narrow else np.int16)


def _pairs(model: Hopfield) -> couplings.Pairs:
    return couplings.pairs(model.patterns.T, packed.bits(model.patterns.T))


FORMS: dict[str, Form] = {
    "plain": Form(plain.sweep_patterns, _by_site),
    "blocked": Form(blocked.sweep_patterns, lambda model: blocked.packed(model.patterns.T)),
    "packed": Form(packed.sweep_patterns, lambda model: packed.bits(model.patterns.T)),
    "couplings": Form(couplings.sweep_patterns, _pairs),
}
"""Our forms by name; "automatic" is what the model chooses itself."""

SINGLE = ("plain", "packed", "couplings", "automatic")
MANY = ("blocked", "automatic")


def label(form: str, replicas: int) -> str:
    """The name of a contestant of ours."""
    return f"{form} R={replicas}"


class Chains:
    """Replicas of one network, moved by one of our forms or by the one that the model chooses."""

    def __init__(self, work: Work, form: str, replicas: int):
        self.work, self.form = work, form
        self.model = work.model
        self.spins = work.spins(replicas)
        self.noise = dynamics.noise(Glauber(work.temperature), replicas)
        rule = Glauber(work.temperature)
        self.stream = dynamics.stream(self.model, rule, replicas, work.seed)
        self.memory = self.model.memory(self.spins)
        self.done = self.flips = 0
        if form != "automatic":
            self.matrix = FORMS[form].matrix(self.model)
            kind = kernels.field_type(float(self.model.n_patterns) * self.model.n_neurons)
            self.diagonal = np.full(self.model.n_neurons, self.model.n_patterns, kind)

    def advance(self, sweeps: int) -> None:
        """That many sweeps of all replicas."""
        if self.form == "automatic":
            moved = self.model.sweep(
                self.spins, self.memory, self.noise, self.stream, self.done, sweeps
            )
        else:
            moved = kernels.advance(
                FORMS[self.form].kernel,
                self.matrix,
                self.diagonal,
                self.spins,
                self.memory,
                self.noise,
                self.stream,
                self.model.unit,
                self.done,
                sweeps,
            )
        self.done += sweeps
        self.flips += int(moved.sum())

    def accepted(self) -> float:
        """Fraction of all visits so far that flipped."""
        return self.flips / (self.done * self.spins.size)

    def check(self) -> None:
        """Memory and spins agree; a small network ends as the plain form leaves it."""
        if not np.array_equal(self.memory, self.model.memory(self.spins)):
            raise RuntimeError(f"{self.form}: what is kept beside the spins disagrees with them.")
        small = Work(*_JUDGED, self.work.temperature, self.work.start, self.work.seed)
        replicas = len(self.spins)
        if trajectory_hash(small, self.form, replicas) != trajectory_hash(small, "plain", replicas):
            raise RuntimeError(f"{self.form}: not the trajectory of the plain form.")


def trajectory_hash(work: Work, form: str, replicas: int, sweeps: int = 7) -> str:
    """SHA-256 of spins and overlaps at the end of a short run."""
    chains = Chains(work, form, replicas)
    chains.advance(sweeps)
    digest = hashlib.sha256(chains.spins.tobytes())
    digest.update(chains.model.memory(chains.spins).astype(np.int64).tobytes())
    return digest.hexdigest()


def rate(work: Work, spins: np.ndarray) -> np.ndarray:
    """Mean probability that heat bath flips a neuron of these spins: float64 (replica,)."""
    spins = np.atleast_2d(spins)
    fields = work.model.field(spins)
    return (0.5 - 0.5 * np.tanh(spins * fields / work.temperature)).mean(axis=1)


@lru_cache(maxsize=8)
def _expected(work: Work) -> tuple[float, float]:
    """Rate of flips after the first sweeps, by the plain form, and its spread over chains."""
    chains = Chains(work, "plain", _REFERENCES)
    chains.advance(WARM)
    rates = rate(work, chains.spins)
    return float(rates.mean()), float(rates.std(ddof=1))


def check_rate(work: Work, spins: np.ndarray, name: str) -> None:
    """RuntimeError unless these spins, after `WARM` sweeps of heat bath, are as lively as ours."""
    mean, spread = _expected(work)
    rates = rate(work, spins)
    error = spread * np.sqrt(1 / len(rates) + 1 / _REFERENCES)
    if abs(rates.mean() - mean) > 5 * error + 1e-12:
        raise RuntimeError(
            f"{name}: after {WARM} sweeps at T = {work.temperature} a spin flips with probability "
            f"{rates.mean():.5f}; the plain form has {mean:.5f} with error {error:.5f}."
        )


def ours(work: Work, form: str, replicas: int, drawn: bool = True) -> Contestant:
    """One of our forms on `replicas` chains; a step is a sweep of all."""

    def setup() -> Running:
        chains = Chains(work, form, replicas)
        chains.advance(WARM)
        check_rate(work, chains.spins, form)
        units = work.n_neurons * replicas
        return Running(chains.advance, units, chains.check, chains.accepted)

    return Contestant(label(form, replicas), setup, "ours", replicas, drawn)


NAIVE = "float64, fields kept"
NAIVE_ROWS = "float64, row a visit"


def naive(work: Work, rows: bool = False) -> Contestant:
    """Heat bath in Numba as a user writes it, one chain. rows: each field computed when needed."""
    name = NAIVE_ROWS if rows else NAIVE

    def setup() -> Running:
        coupled = float_couplings(work.model)
        spins = work.spins(1)[0].astype(float)
        fields = coupled @ spins
        yardsticks.seed_naive(work.seed % 2**32)
        counted = [0, 0]

        def advance(sweeps: int) -> None:
            if rows:
                flips = yardsticks.sweep_naive_rows(coupled, spins, work.temperature, sweeps)
            else:
                flips = yardsticks.sweep_naive(coupled, spins, fields, work.temperature, sweeps)
            counted[0] += flips
            counted[1] += sweeps * work.n_neurons

        def check() -> None:
            if not rows and not np.allclose(fields, coupled @ spins, atol=1e-6):
                raise RuntimeError(f"{name}: fields and spins disagree.")

        advance(WARM)
        check_rate(work, spins, name)
        return Running(advance, work.n_neurons, check, lambda: counted[0] / counted[1])

    return Contestant(name, setup, "naive", 1, True)
