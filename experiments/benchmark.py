"""How fast the kernels are here: nanoseconds of one core for one attempted flip.

Protocol: CPU seconds of this process, one warm call each (compilation), then rounds in which every
contestant runs once, in rotating order; medians with the fastest and slowest round. Afterwards the
overlaps kept by the kernel must equal the overlaps recomputed from the spins, or nothing is
printed. Networks: N neurons, P = N/10 random patterns, Glauber in fixed order; T = 0.1 from the
stored pattern, T = 0.5 and 1.2 from random spins; one chain (the plain form) and 64 replicas of one
network (blocked, where the processor has AVX2 or AVX-512 with VNNI).
"""

from __future__ import annotations

import itertools
import time
from dataclasses import dataclass

import numpy as np

from experiments.options import ended, started

CASES = ((0.1, "pattern"), (0.5, "random"), (1.2, "random"))


@dataclass(frozen=True, kw_only=True)
class Settings:
    n_neurons: tuple[int, ...] = (2048, 4096)
    """Neurons N; the number of patterns is N/10."""
    replicas: tuple[int, ...] = (1, 64)
    """Chains that are swept together."""
    rounds: int = 9
    """Rounds of measurement."""
    seconds: float = 0.1
    """CPU seconds of a contestant in a round, at least."""
    seed: int = 1
    """Seed of patterns and dynamics."""


def contestant(n_neurons: int, replicas: int, temperature: float, start: str, seed: int):
    """A call `advance(sweeps) -> acceptance` on some chains, and a check of their final state."""
    from hopfield_sim import Glauber, Hopfield, dynamics, patterns

    xi = patterns.random(n_neurons // 10, n_neurons, seed=seed)
    model = Hopfield(xi)
    rule = Glauber(temperature)
    spins = np.repeat(xi[:1], replicas, axis=0)
    if start == "random":
        spins = patterns.random(replicas, n_neurons, seed=seed + 1)
    spins = spins.astype(np.int8)
    memory = model.memory(spins)
    noise, stream = dynamics.noise(rule, replicas), dynamics.stream(model, rule, replicas, seed)
    done = 0

    def advance(sweeps: int) -> float:
        nonlocal done
        flips = model.sweep(spins, memory, noise, stream, done, sweeps)
        done += sweeps
        return flips.mean() / (sweeps * n_neurons)

    def is_consistent() -> bool:
        return np.array_equal(memory, model.memory(spins))

    return advance, is_consistent


def main(settings: Settings) -> None:
    cases = list(itertools.product(settings.n_neurons, settings.replicas, CASES))
    field = []
    for n_neurons, replicas, (temperature, start) in cases:
        advance, is_consistent = contestant(n_neurons, replicas, temperature, start, settings.seed)
        advance(20 // replicas + 5)  # compiles, and leaves the transient
        begin = time.process_time()
        advance(5)
        each = (time.process_time() - begin) / 5
        sweeps = max(1, int(np.ceil(settings.seconds / each)))
        field.append((sweeps, advance, is_consistent))
    nanoseconds = np.empty((settings.rounds, len(field)))
    acceptance = np.empty_like(nanoseconds)
    for turn in range(settings.rounds):
        for k in np.roll(np.arange(len(field)), turn):
            n_neurons, replicas, _ = cases[k]
            sweeps, advance, _ = field[k]
            begin = time.process_time()
            acceptance[turn, k] = advance(sweeps)
            spent = time.process_time() - begin
            nanoseconds[turn, k] = spent / (sweeps * n_neurons * replicas) * 1e9
    print("sequential Glauber on patterns, one core")
    print("    N    P  replicas     T  start    accepted  ns an attempted flip: median (range)")
    for k, (n_neurons, replicas, (temperature, start)) in enumerate(cases):
        if not field[k][2]():
            raise RuntimeError(f"{cases[k]}: overlaps and spins disagree.")
        column = nanoseconds[:, k]
        print(
            f"{n_neurons:>5} {n_neurons // 10:>4}  {replicas:>8}  {temperature:4.2f}  {start:<8}"
            f"{acceptance[:, k].mean():9.4f}  "
            f"{np.median(column):6.1f} ({column.min():.1f} to {column.max():.1f})"
        )


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
