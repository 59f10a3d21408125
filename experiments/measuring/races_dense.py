"""Races of dense networks: a visit of all patterns against reading them once.

A race is a function that returns duels and the claims about them, for `programme`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from analysis.benchmark import Goal
from experiments.measuring.protocol import Claim, Contestant, Duel, Running
from hopfield_sim import Dense, Glauber, ZeroTemperature, dynamics, patterns
from hopfield_sim.kernels import yardsticks
from hopfield_sim.kernels.simd import aligned

_NEURONS = 128
_SIZES = ((10**5, 1.5, 1.8), (10**6, 1.5, 2.1))  # patterns; bounds of n = 3 and of any F
_ANY = "any F"


def _steep(overlaps: np.ndarray) -> np.ndarray:
    """An F that is no polynomial, real, and no steeper than a cube."""
    return np.expm1(np.abs(overlaps) / 40) * np.sign(overlaps)


@lru_cache(maxsize=1)
def _stored(n_patterns: int, seed: int) -> np.ndarray:
    return patterns.random(n_patterns, _NEURONS, seed=seed)


def dense(settings) -> tuple[list[Duel], list[Claim]]:
    """Sweeps of one chain that rests (no flips), n = 3 and another F, against reading K bytes."""
    duels, claims = [], []
    for n_patterns, *bounds in _SIZES:
        field = [
            _ours("n = 3", n_patterns, settings.seed, 3),
            _ours(_ANY, n_patterns, settings.seed, _steep),
            _naive(n_patterns, settings.seed),
            _reader(n_patterns),
        ]
        duel = Duel(
            f"dense K={n_patterns}", tuple(field), _NEURONS, n_patterns, 0.0, "at rest", rounds=7
        )
        duels.append(duel)
        for number, form, bound in zip((14, 15), ("n = 3", _ANY), bounds, strict=True):
            goal = Goal(number, f"dense {form}, K={n_patterns}: visit / K bytes read", bound, "<=")
            claims.append(Claim(goal, duel.name, form, ("K bytes read",)))
        goal = Goal(16, f"dense n = 3, K={n_patterns}: naive int64 Numba / ours", 28, ">=")
        claims.append(Claim(goal, duel.name, "naive int64", ("n = 3",)))
    return duels, claims


def _ours(name: str, n_patterns: int, seed: int, interaction) -> Contestant:
    def setup() -> Running:
        normalisation = "full" if interaction == 3 else "distinct"
        model = Dense(_stored(n_patterns, seed), interaction, normalisation)
        spins = model.patterns[:1].astype(np.int8)
        memory = model.memory(spins)
        rest = ZeroTemperature()
        stream = dynamics.stream(model, rest, 1, seed)
        model.sweep(spins, memory, dynamics.noise(rest, 1), stream, 0, 1000)
        # so cold that nothing moves, but sites are visited: T = 0 would stop at a fixed point
        noise = dynamics.noise(Glauber(1e-12), 1)
        flips = [0, 0]

        def advance(sweeps: int) -> None:
            flips[0] += int(model.sweep(spins, memory, noise, stream, flips[1], sweeps).sum())
            flips[1] += sweeps

        def check() -> None:
            if flips[0] or not np.array_equal(memory, model.memory(spins)):
                raise RuntimeError(f"dense {name}: the chain moved, or its overlaps are wrong.")

        return Running(advance, _NEURONS, check)

    return Contestant(name, setup)


def _naive(n_patterns: int, seed: int) -> Contestant:
    def setup() -> Running:
        x = np.ascontiguousarray(_stored(n_patterns, seed).T, dtype=np.int8)
        spins = x[:, 0].copy()
        overlaps = x.T.astype(np.int64) @ spins
        while yardsticks.visit_naive_cubes(x, overlaps, spins, _NEURONS):
            pass
        visits = 8  # a step

        def advance(steps: int) -> None:
            yardsticks.visit_naive_cubes(x, overlaps, spins, steps * visits)

        return Running(advance, visits)

    return Contestant("naive int64", setup, "naive")


def _reader(n_bytes: int) -> Contestant:
    def setup() -> Running:
        array, out = aligned((n_bytes,), np.uint8), np.zeros(64, np.int32)
        array[:] = 1
        return Running(lambda n: yardsticks.read(array, n, out), 1)

    return Contestant("K bytes read", setup)
