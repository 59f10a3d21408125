"""The programme: which races are run for which goals.

A race returns duels and the claims about them. `RACES` says which goals it serves, so that
`--goals` runs only what it needs. A goal whose contestants do not exist (no such kernel, no such
library here) is simply not claimed.
"""

from __future__ import annotations

from dataclasses import replace

from experiments.measuring import (
    races_around,
    races_dense,
    races_parallel,
    races_retrieval,
    races_sequential,
)
from experiments.measuring.protocol import Claim, Duel

RACES = {
    races_sequential.sequential: {1, 2, 3, 4, 6, 7},
    races_sequential.independence: {8},
    races_sequential.choice: {9},
    races_sequential.other_target: {11},
    races_parallel.parallel: {12},
    races_parallel.counting: {13},
    races_dense.dense: {14, 15, 16},
    races_parallel.fixed_point: {17},
    races_around.reading: set(),
    races_around.draws: {18, 19},
    races_retrieval.softmax: {20},
    races_sequential.two_threads: {21},
    races_around.two_cores: {22},
    races_around.memory: {23},
    races_around.cold_start: {24},
}
"""Which goals each race is about; one about none describes the machine."""

GOALS = sorted(set().union(*RACES.values()))


def programme(settings) -> tuple[list[Duel], list[Claim]]:
    """All duels and claims of a run; with `settings.goals`, only what these goals need."""
    wanted = set(settings.goals) or set(GOALS)
    duels, claims = [], []
    for race, goals in RACES.items():
        if goals & wanted or not settings.goals:
            some, about = race(settings)
            duels += some
            claims += [claim for claim in about if claim.goal.number in wanted]
    if settings.goals:
        duels = _needed(duels, claims)
    return duels, claims


def _needed(duels: list[Duel], claims: list[Claim]) -> list[Duel]:
    """The duels and contestants that the claims are about."""
    names = {}
    for claim in claims:
        names.setdefault(claim.duel, set()).update({claim.numerator, *claim.denominators})
    if "memory of two cores" in names:  # the sizes are left behind by the race
        names.setdefault("two cores", set()).update({"two threads", "two processes"})
    return [
        replace(
            duel,
            contestants=tuple(c for c in duel.contestants if c.name in names[duel.name]),
        )
        for duel in duels
        if duel.name in names
    ]
