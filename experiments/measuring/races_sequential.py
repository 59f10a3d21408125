"""Races of sequential sweeps on stored patterns: forms, peers, the limit, targets, threads.

A race is a function that returns duels and the claims about them, for `programme`.
"""

from __future__ import annotations

from dataclasses import asdict, replace

from analysis.benchmark import Goal
from experiments.measuring import peers, processes
from experiments.measuring.forms import MANY, NAIVE, SINGLE, Work, label, naive, ours
from experiments.measuring.protocol import LIMIT, REPLICAS, Claim, Duel
from hopfield_sim.kernels import simd

CASES = ((0.1, "pattern"), (0.5, "random"), (1.2, "random"))
_NAIVE_UP_TO = 4096  # beyond, the float64 couplings alone are 0.8 GB
_BLOCKED = label("blocked", REPLICAS)
_SINGLE = tuple(label(form, 1) for form in SINGLE)
_MANY = tuple(label(form, REPLICAS) for form in MANY)


def _name(n_neurons: int, temperature: float) -> str:
    return f"sequential N={n_neurons} T={temperature:g}"


def sequential(settings) -> tuple[list[Duel], list[Claim]]:
    """Heat bath in fixed order: our forms, the naive ones, the limit, the peers."""
    duels, claims = [], []
    for n_neurons in settings.n_neurons:
        for temperature, start in CASES:
            work = Work(n_neurons, n_neurons // 10, temperature, start, settings.seed)
            field = [ours(work, form, REPLICAS) for form in MANY if form != "automatic"]
            field += [ours(work, form, 1) for form in SINGLE if form != "automatic"]
            field += [ours(work, "automatic", r, drawn=False) for r in (1, REPLICAS)]
            if n_neurons <= _NAIVE_UP_TO:
                field += [naive(work), naive(work, rows=True)]
            if settings.peers and n_neurons <= settings.peer_neurons:
                field += [peers.dwave(work, settings.peer_seconds), peers.openjij(work)]
                if start == "pattern":
                    field.append(peers.hopfieldnetwork(work.model, work.spins(1), False))
            duels.append(
                Duel(
                    _name(n_neurons, temperature),
                    tuple(field),
                    n_neurons,
                    work.n_patterns,
                    temperature,
                    start,
                    products=1.5 * work.n_patterns,
                )
            )
    there = {duel.name: {c.name for c in duel.contestants} | {LIMIT} for duel in duels}
    for claim in _sequential_claims():
        if {claim.numerator, *claim.denominators} <= there.get(claim.duel, set()):
            claims.append(claim)
    return duels, claims


def _sequential_claims() -> list[Claim]:
    claims = []

    def add(number, what, bound, sense, duel, above, below):
        claims.append(Claim(Goal(number, what, bound, sense), duel, above, tuple(below)))

    for n_neurons, bound in ((2048, 2.2), (4096, 1.75), (10000, 1.6)):
        what = f"R=64 / limit (1.5 P products), N={n_neurons} T=0.5"
        add(1, what, bound, "<=", _name(n_neurons, 0.5), _BLOCKED, [LIMIT])
    for n_neurons, bound in ((2048, 33), (4096, 50)):
        what = f"naive Numba float64 / R=64, N={n_neurons} T=0.5"
        add(2, what, bound, ">=", _name(n_neurons, 0.5), NAIVE, [_BLOCKED])
    bounds = {
        3: (peers.DWAVE, "best R=64", _MANY, (4, 90, 230)),
        4: (peers.OPENJIJ, "best R=64", _MANY, (4, 55, 150)),
        6: (peers.DWAVE, "best R=1", _SINGLE, (16, 30, 60)),
        7: (peers.OPENJIJ, "best R=1", _SINGLE, (16, 20, 35)),
    }
    for number, (peer, who, below, row) in bounds.items():
        for (temperature, _), bound in zip(CASES, row, strict=True):
            what = f"{peer} / {who}, N=2048 T={temperature:g}"
            add(number, what, bound, ">=", _name(2048, temperature), peer, below)
    return claims


def independence(settings) -> tuple[list[Duel], list[Claim]]:
    """Whether the cost of a visit depends on how many flips are accepted."""
    n_neurons = 2048
    field = [
        replace(
            ours(
                Work(n_neurons, n_neurons // 10, temperature, start, settings.seed),
                "blocked",
                REPLICAS,
                drawn=False,
            ),
            name=f"{_BLOCKED} T={temperature:g}",
        )
        for temperature, start in CASES
    ]
    duel = Duel("acceptance", tuple(field), n_neurons, n_neurons // 10)
    goal = Goal(8, f"R=64: T=1.2 / T=0.1, N={n_neurons}", 1.25, "<=")
    return [duel], [Claim(goal, duel.name, f"{_BLOCKED} T=1.2", (f"{_BLOCKED} T=0.1",))]


def choice(settings) -> tuple[list[Duel], list[Claim]]:
    """The form that the model chooses by itself against the best fixed one."""
    n_neurons = 2048
    forms = [form for form in dict.fromkeys((*SINGLE, *MANY)) if form != "automatic"]
    duels, claims = [], []
    for temperature, start in ((0.05, "pattern"), (0.5, "random"), (1.5, "random")):
        for replicas in (1, 8, REPLICAS):
            work = Work(n_neurons, n_neurons // 10, temperature, start, settings.seed)
            field = tuple(ours(work, form, replicas, False) for form in (*forms, "automatic"))
            name = f"choice R={replicas} T={temperature:g}"
            duels.append(Duel(name, field, n_neurons, work.n_patterns, temperature, start))
            what = f"automatic / best fixed form, R={replicas} T={temperature:g}"
            claims.append(
                Claim(
                    Goal(9, what, 1.1, "<="),
                    name,
                    label("automatic", replicas),
                    tuple(label(form, replicas) for form in forms),
                )
            )
    return duels, claims


def other_target(settings) -> tuple[list[Duel], list[Claim]]:
    """The blocked form compiled for a processor with AVX2 alone, against this one's."""
    if not simd.VNNI:
        return [], []
    work = Work(2048, 204, 0.5, "random", settings.seed)
    task = {"task": "chains", "work": asdict(work), "form": "blocked", "replicas": REPLICAS}
    units = work.n_neurons * REPLICAS
    field = (
        ours(work, "blocked", REPLICAS, drawn=False),
        processes.elsewhere("AVX2 only", task, processes.AVX2_ONLY, units),
    )
    duel = Duel("AVX2", field, work.n_neurons, work.n_patterns, 0.5, "random")
    goal = Goal(11, "R=64, N=2048: AVX2 only / VNNI", 3.3, "<=")
    return [duel], [Claim(goal, duel.name, "AVX2 only", (_BLOCKED,))]


def two_threads(settings) -> tuple[list[Duel], list[Claim]]:
    """Two threads, each with its own network, against one: CPU seconds of a visit."""
    works = [Work(2048, 204, 0.5, "random", seed) for seed in (settings.seed, settings.seed + 1)]
    field = (
        processes.threads("one thread", works[:1], "blocked", REPLICAS),
        processes.threads("two threads", works, "blocked", REPLICAS),
    )
    duel = Duel("threads", field, 2048, 204, 0.5, "random")
    goal = Goal(21, "two threads, own networks / one thread, CPU", 1.1, "<=")
    return [duel], [Claim(goal, duel.name, "two threads", ("one thread",))]
