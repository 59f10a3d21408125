"""Measurements that a busy machine does not spoil: rounds, rotation, probes. It judges nothing.

CPU seconds, never wall time: other work takes the core away for whole time slices. Every contestant
is called once to compile, then until its calls are long enough. A *round* runs each contestant of a
duel once, in an order that rotates, between two probes of the processor's peak. What is made of the
rounds (ratios inside a round, which rounds count, verdicts) is `analysis.benchmark`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from analysis.benchmark import Goal

REPLICAS = 64
"""Chains of one network where many are moved together."""
LIMIT = "limit"
"""The contestant that does nothing but the products, at the rate of the probes."""


class Running(NamedTuple):
    """A contestant that is ready.

    advance: `advance(n)` does n times `units` units of work; it returns nothing and is timed from
        outside, or returns its cost itself (seconds of another process, bytes).
    units: units of work in one step of `advance`.
    check: raises RuntimeError if what was computed is wrong; called after the last round.
    accepted: fraction of attempted flips that are accepted, or NaN.
    seconds: CPU seconds of a turn, at least; None: those of the protocol; 0: one step a turn.
    """

    advance: Callable[[int], float | None]
    units: float
    check: Callable[[], None] = lambda: None
    accepted: Callable[[], float] = lambda: math.nan
    seconds: float | None = None


@dataclass(frozen=True)
class Contestant:
    """Who takes part: a name, and how to get it ready.

    family: "ours", "naive" (Numba or NumPy as a user writes it) or "peer"; replicas: chains it
    moves together; drawn: whether its line belongs into the figure.
    """

    name: str
    setup: Callable[[], Running]
    family: str = "ours"
    replicas: int = 1
    drawn: bool = False


@dataclass(frozen=True)
class Duel:
    """Contestants that do the same work, measured in the same rounds.

    products: products of int16 that a unit of the work needs at least; where given, the contestant
    "limit" is added, who does them at the rate of the probes. cost: "s" (CPU seconds) or another
    unit; steady: whether the probes decide which rounds count.
    """

    name: str
    contestants: tuple[Contestant, ...]
    n_neurons: int
    n_patterns: int
    temperature: float = math.nan
    start: str = ""
    unit: str = "visit"
    products: float | None = None
    cost: str = "s"
    steady: bool = True
    rounds: int | None = None


@dataclass(frozen=True)
class Claim:
    """A goal and the two costs whose ratio it is about.

    denominators: the one whose median is smallest counts ("the best fixed form"); none: the ratio
    is to one cost unit. statistic: "median" of the ratios inside the rounds, or "best", the ratio
    of the smallest costs.
    """

    goal: Goal
    duel: str
    numerator: str
    denominators: tuple[str, ...] = ()
    statistic: str = "median"


@dataclass
class Measured:
    """A duel's raw numbers: costs (contestant, round), probes (round, 2) in units a second."""

    duel: Duel
    costs: np.ndarray
    probes: np.ndarray
    accepted: list[float] = field(default_factory=list)


def measured(
    duel: Duel,
    probe: Callable[[], float],
    rounds: int,
    seconds: float,
    tick: Callable[[str], None] = lambda what: None,
) -> Measured:
    """Every contestant of a duel set up, called, timed in rotating order, and checked.

    probe: returns the processor's peak at this moment; rounds, seconds: of the protocol, `seconds`
    being the CPU seconds of a turn; tick: told after each step of the work.
    Raises RuntimeError where a check fails.
    """
    running, steps = [], []
    for contestant in duel.contestants:
        ready = contestant.setup()
        running.append(ready)
        steps.append(_steps(ready, seconds))
        tick(f"{duel.name}: {contestant.name} ready")
    rounds = duel.rounds or rounds
    costs = np.empty((len(running), rounds))
    probes = np.empty((rounds, 2))
    for turn in range(rounds):
        probes[turn, 0] = probe()
        for k in rotation(len(running), turn):
            costs[k, turn] = _cost(running[k], steps[k]) / (steps[k] * running[k].units)
        probes[turn, 1] = probe()
        tick(f"{duel.name}: round {turn + 1}")
    accepted = [ready.accepted() for ready in running]
    for ready in running:
        ready.check()
    return Measured(duel, costs, probes, accepted)


def rotation(n_contestants: int, turn: int) -> list[int]:
    """The order of a round: each begins with the next one, so that nobody is always first."""
    return [(turn + k) % n_contestants for k in range(n_contestants)]


def ticks(duels: Sequence[Duel], rounds: int) -> int:
    """How often `measured` will tell that a step is done."""
    return sum(len(duel.contestants) + (duel.rounds or rounds) for duel in duels)


def _cost(running: Running, steps: int) -> float:
    begin = time.process_time()
    told = running.advance(steps)
    return time.process_time() - begin if told is None else told


def _steps(running: Running, seconds: float) -> int:
    """Steps of a turn that lasts long enough, found with ever longer turns."""
    wanted = seconds if running.seconds is None else running.seconds
    running.advance(1)  # compiles
    if wanted == 0:
        return 1
    steps, spent = 1, _cost(running, 1)
    while spent < wanted / 4:
        # a first call may be so short, or a difference so noisy, that it says little
        steps *= min(8, max(2, math.ceil(wanted / max(spent, wanted / 100) / 2)))
        spent = _cost(running, steps)
    steps = max(1, math.ceil(steps * wanted / spent))
    if running.seconds is not None:  # a difference of two calls: one may mislead, so ask again
        while (spent := _cost(running, steps)) < wanted / 2:
            steps = math.ceil(steps * min(8, wanted / max(spent, wanted / 8)))
    return steps
