"""Races of parallel steps, and of zero temperature until nothing moves.

A race is a function that returns duels and the claims about them, for `programme`.
"""

from __future__ import annotations

import importlib.util
from functools import lru_cache

import numpy as np

from analysis.benchmark import Goal
from experiments.measuring import peers
from experiments.measuring.forms import network
from experiments.measuring.protocol import REPLICAS, Claim, Contestant, Duel, Running
from hopfield_sim import Hopfield, ZeroTemperature, dynamics, patterns
from hopfield_sim.kernels import parallel_lanes
from hopfield_sim.kernels.simd import aligned
from hopfield_sim.kernels.tiles import GROUP


def parallel(settings) -> tuple[list[Duel], list[Claim]]:
    """A parallel step at T = 0 of 64 random states, against matrix products in float32."""
    n_neurons, n_patterns = 10000, 1000

    @lru_cache(maxsize=1)
    def made():
        model = network(n_neurons, n_patterns, settings.seed)
        return model, patterns.random(REPLICAS, n_neurons, seed=settings.seed + 1)

    def by_us() -> Running:
        model, start = made()
        spins = start.astype(np.int8)
        memory = model.memory(spins)
        rule = ZeroTemperature(order="parallel")
        noise = dynamics.noise(rule, REPLICAS)
        stream = dynamics.stream(model, rule, REPLICAS, settings.seed)
        moved, kept = spins.copy(), memory.copy()

        def advance(steps: int) -> None:
            for _ in range(steps):
                moved[:], kept[:] = spins, memory
                model.sweep(moved, kept, noise, stream, 0, 1)

        def check() -> None:
            if not np.array_equal(moved, _stepped(model, start)):
                raise RuntimeError("a parallel step of ours is not what float32 products give.")

        return Running(advance, n_neurons * REPLICAS, check)

    def by_numpy() -> Running:
        model, start = made()
        columns, x = np.ascontiguousarray(start.T), model.patterns
        by_site = np.ascontiguousarray(x.T)

        def advance(steps: int) -> None:
            for _ in range(steps):
                _new_spins(by_site @ (x @ columns), columns, n_patterns)

        return Running(advance, n_neurons * REPLICAS)

    def by_torch() -> Running:
        import torch

        torch.set_num_threads(1)
        model, start = made()
        x = torch.from_numpy(model.patterns)
        by_site, columns = x.T.contiguous(), torch.from_numpy(start.T.copy())

        def advance(steps: int) -> None:
            for _ in range(steps):
                fields = by_site @ (x @ columns) - n_patterns * columns
                torch.where(fields == 0, columns, torch.sign(fields))

        return Running(advance, n_neurons * REPLICAS)

    field = [
        Contestant("ours", by_us, replicas=REPLICAS),
        Contestant("NumPy float32", by_numpy, "naive", REPLICAS),
    ]
    claims = [("NumPy float32", 5.5)]
    if importlib.util.find_spec("torch"):
        field.append(Contestant("torch float32", by_torch, "peer", REPLICAS))
        claims.append(("torch float32", 4.0))
    duel = Duel("parallel", tuple(field), n_neurons, n_patterns, 0.0, "random", "spin and step")
    return [duel], [
        Claim(
            Goal(12, f"parallel step T=0: {who} / ours, R=64", bound, ">="),
            duel.name,
            who,
            ("ours",),
        )
        for who, bound in claims
    ]


def _new_spins(fields: np.ndarray, spins: np.ndarray, n_patterns: int) -> np.ndarray:
    """Signs of the fields without self-coupling; a neuron without field keeps its spin."""
    fields -= np.float32(n_patterns) * spins
    return np.where(fields == 0, spins, np.sign(fields))


def _stepped(model: Hopfield, start: np.ndarray) -> np.ndarray:
    fields = (start @ model.patterns.T) @ model.patterns  # exact in float32: sums below 2^24
    return _new_spins(fields, start, model.n_patterns)


def counting(settings) -> tuple[list[Duel], list[Claim]]:
    """The overlaps of 64 states: counts of bits against products in float32."""
    n_neurons, n_patterns = 10000, 1000
    stored = patterns.random(n_patterns, n_neurons, seed=settings.seed)
    states = patterns.random(REPLICAS, n_neurons, seed=settings.seed + 1)
    expected = stored @ states.T  # exact: sums below 2^24

    def by_bits() -> Running:
        layout = parallel_lanes.packed(stored.T)
        n_words = layout.signs_for_overlaps.shape[1]
        minus = np.zeros((REPLICAS // GROUP, GROUP, n_words * 32), bool)
        minus.reshape(REPLICAS, -1)[:, :n_neurons] = states < 0
        words = np.packbits(minus, axis=-1, bitorder="little").view("<u4")
        s = np.ascontiguousarray(words.transpose(0, 2, 1))
        m = aligned((len(s), 4 * len(layout.signs_for_overlaps), GROUP, 2), np.int16)

        def advance(steps: int) -> None:
            for _ in range(steps):
                for group in range(len(s)):
                    parallel_lanes.count_overlaps(layout, s[group], m[group], n_neurons, n_patterns)

        def check() -> None:
            found = m.transpose(1, 3, 0, 2).reshape(-1, REPLICAS)[:n_patterns]
            if not np.array_equal(found, expected):
                raise RuntimeError("overlaps by counts of bits are wrong.")

        return Running(advance, n_neurons * n_patterns * REPLICAS, check)

    def by_products() -> Running:
        columns, out = np.ascontiguousarray(states.T), np.empty_like(expected)

        def advance(steps: int) -> None:
            for _ in range(steps):
                np.matmul(stored, columns, out=out)

        return Running(advance, n_neurons * n_patterns * REPLICAS)

    field = (
        Contestant("counts of bits", by_bits, replicas=REPLICAS),
        Contestant("sgemm", by_products, "naive", REPLICAS),
    )
    duel = Duel("overlaps", field, n_neurons, n_patterns, unit="product")
    goal = Goal(13, "overlaps, R=64, N=10000 P=1000: sgemm / counts of bits", 14, ">=")
    return [duel], [Claim(goal, duel.name, "sgemm", ("counts of bits",))]


def fixed_point(settings) -> tuple[list[Duel], list[Claim]]:
    """Retrieval at T = 0 from overlap 0.7 until nothing moves, 64 trials."""
    n_neurons, n_patterns = 10000, 1400

    @lru_cache(maxsize=1)
    def made():
        model = network(n_neurons, n_patterns, settings.seed)
        starts = [
            patterns.corrupt(model.patterns[k], seed=settings.seed + k, flip_fraction=0.15)
            for k in range(REPLICAS)
        ]
        return model, np.stack(starts).astype(np.int8)

    def by_us() -> Running:
        model, starts = made()
        memory = model.memory(starts)
        rule = ZeroTemperature()
        noise = dynamics.noise(rule, REPLICAS)
        stream = dynamics.stream(model, rule, REPLICAS, settings.seed)
        spins, kept = starts.copy(), memory.copy()

        def advance(steps: int) -> None:
            for _ in range(steps):
                spins[:], kept[:] = starts, memory
                model.sweep(spins, kept, noise, stream, 0, 10_000)

        def check() -> None:
            if np.any(spins * model.field(spins) < 0):
                raise RuntimeError("a run of ours at T = 0 did not end at a fixed point.")

        return Running(advance, REPLICAS, check, seconds=0)

    field = [Contestant("ours", by_us, replicas=REPLICAS)]
    claims = []
    if settings.peers:
        model, starts = made()
        field.append(peers.hopfieldnetwork(model, starts, to_the_end=True))
        goal = Goal(17, f"T=0 to a fixed point, N={n_neurons}: hopfieldnetwork / ours", 700, ">=")
        claims = [Claim(goal, "fixed point", peers.HOPFIELDNETWORK, ("ours",))]
    duel = Duel(
        "fixed point", tuple(field), n_neurons, n_patterns, 0.0, "overlap 0.7", "trial", rounds=5
    )
    return [duel], claims
