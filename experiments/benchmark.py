"""How fast the kernels are here: nanoseconds of one core for one attempted flip.

Protocol: CPU seconds of this process, one warm call each (compilation), then rounds in which every
contestant runs once, in rotating order; medians with the fastest and slowest round. Afterwards the
overlaps kept by the kernel must equal the overlaps recomputed from the spins, or nothing is
printed. Networks: N neurons, P = N/10 random patterns, one chain; T = 0.1 from the stored pattern,
T = 0.5 and 1.2 from random spins.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np

from experiments.options import ended, started

CASES = ((0.1, "pattern"), (0.5, "random"), (1.2, "random"))


@dataclass(frozen=True, kw_only=True)
class Settings:
    n_neurons: tuple[int, ...] = (2048, 4096)
    """Neurons N; the number of patterns is N/10."""
    rounds: int = 9
    """Rounds of measurement."""
    seconds: float = 0.1
    """CPU seconds of a contestant in a round, at least."""
    seed: int = 1
    """Seed of patterns and dynamics."""


def contestant(n_neurons: int, temperature: float, start: str, seed: int):
    """A call `advance(sweeps) -> acceptance` on one chain, and a check of its final state."""
    from hopfield_sim import Glauber, Hopfield, dynamics, patterns

    xi = patterns.random(n_neurons // 10, n_neurons, seed=seed)
    model = Hopfield(xi)
    rule = Glauber(temperature)
    spins = (xi[:1] if start == "pattern" else patterns.random(1, n_neurons, seed=seed + 1)).astype(
        np.int8
    )
    memory = model.memory(spins)
    noise, stream = dynamics.noise(rule, 1), dynamics.stream(model, rule, 1, seed)
    done = 0

    def advance(sweeps: int) -> float:
        nonlocal done
        flips = model.sweep(spins, memory, noise, stream, done, sweeps)
        done += sweeps
        return flips[0] / (sweeps * n_neurons)

    def is_consistent() -> bool:
        return np.array_equal(memory, model.memory(spins))

    return advance, is_consistent


def main(settings: Settings) -> None:
    field = []
    for n_neurons in settings.n_neurons:
        for temperature, start in CASES:
            advance, is_consistent = contestant(n_neurons, temperature, start, settings.seed)
            advance(20)  # compiles and leaves the transient
            begin = time.process_time()
            advance(5)
            each = (time.process_time() - begin) / 5
            sweeps = max(1, int(np.ceil(settings.seconds / each)))
            field.append((n_neurons, temperature, start, sweeps, advance, is_consistent))
    nanoseconds = np.empty((settings.rounds, len(field)))
    acceptance = np.empty_like(nanoseconds)
    for turn in range(settings.rounds):
        for k in np.roll(np.arange(len(field)), turn):
            n_neurons, _, _, sweeps, advance, _ = field[k]
            begin = time.process_time()
            acceptance[turn, k] = advance(sweeps)
            nanoseconds[turn, k] = (time.process_time() - begin) / (sweeps * n_neurons) * 1e9
    print("sequential Glauber, patterns, one chain, one core (simple form)")
    print("    N    P     T   start    accepted   ns / attempted flip: median (fastest, slowest)")
    for k, (n_neurons, temperature, start, _, _, is_consistent) in enumerate(field):
        if not is_consistent():
            raise RuntimeError(f"N={n_neurons}, T={temperature}: overlaps and spins disagree.")
        column = nanoseconds[:, k]
        print(
            f"{n_neurons:>5} {n_neurons // 10:>4}  {temperature:4.2f}   {start:<8}"
            f"{acceptance[:, k].mean():8.4f}   "
            f"{np.median(column):6.1f} ({column.min():.1f}, {column.max():.1f})"
        )


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
