"""Races around the sweeps: random numbers, two cores, memory, the start of a process.

A race is a function that returns duels and the claims about them, for `programme`.
"""

from __future__ import annotations

import tracemalloc

import numpy as np

from analysis.benchmark import Goal
from experiments.measuring import processes
from experiments.measuring.forms import Work, label, network, ours
from experiments.measuring.protocol import REPLICAS, Claim, Contestant, Duel, Running
from hopfield_sim import dynamics, patterns, randomness
from hopfield_sim.kernels import yardsticks
from hopfield_sim.kernels.draws import round_keys

_BLOCKED = label("blocked", REPLICAS)


def reading(settings) -> tuple[list[Duel], list[Claim]]:
    """Arrays of several sizes read end to end: what the caches and the memory give."""

    def reader(n_bytes: int) -> Contestant:
        def setup() -> Running:
            array, out = np.ones(n_bytes + 64, np.uint8), np.zeros(64, np.int32)
            start = -array.ctypes.data % 64
            array = array[start : start + n_bytes]
            return Running(lambda n: yardsticks.read(array, n, out), n_bytes)

        return Contestant(f"{n_bytes >> 10} KiB", setup)

    sizes = tuple(reader(2**k) for k in (14, 18, 20, 26))
    return [Duel("reading", sizes, 0, 0, unit="byte")], []


def draws(settings) -> tuple[list[Duel], list[Claim]]:
    """Random numbers: Philox against xoshiro256++, and their share of a visit."""
    n_words = 2048
    key = randomness.key(settings.seed)
    keys = round_keys(key)
    lanes = np.ascontiguousarray(randomness.lane_words(0.5, 32).T)

    def by_philox() -> Running:
        out, lane = np.empty(n_words, np.uint32), lanes[:, 0].copy()

        def check() -> None:
            expected = randomness.words(key, randomness.DYNAMICS, lanes[:, 0], 0, n_words // 4)
            yardsticks.philox_words(out, keys, lane, 1)
            if not np.array_equal(out, expected):
                raise RuntimeError("the words of Philox are not those of NumPy.")

        return Running(lambda n: yardsticks.philox_words(out, keys, lane, n), n_words, check)

    def by_xoshiro() -> Running:
        out, state = np.empty(n_words, np.uint32), np.array([1, 2, 3, 4], np.uint64)
        return Running(lambda n: yardsticks.xoshiro_words(out, state, n), n_words)

    generators = Duel(
        "random words",
        (Contestant("Philox", by_philox), Contestant("xoshiro256++", by_xoshiro, "naive")),
        0,
        0,
        unit="word",
    )
    goal = Goal(18, "Philox / scalar xoshiro256++ in Numba, a word", 0.42, "<=")
    duels, claims = [generators], [Claim(goal, generators.name, "Philox", ("xoshiro256++",))]
    for n_neurons, bound in ((2048, 0.35), (10000, 0.12)):
        work = Work(n_neurons, n_neurons // 10, 0.5, "random", settings.seed)

        def thresholds(n_neurons=n_neurons) -> Running:
            scale = np.full(32, 0.25 * n_neurons, np.float32)
            theta = np.empty((64, 32), np.int32)
            bound = randomness.limit(np.int32)

            def advance(steps: int) -> None:
                yardsticks.group_thresholds(theta, keys, lanes, scale, bound, n_neurons, steps)

            def check() -> None:
                yardsticks.group_thresholds(theta, keys, lanes, scale, bound, 64, 1)
                for lane in (0, 17, 31):
                    words = randomness.words(key, randomness.DYNAMICS, lanes[:, lane], 0, 16)
                    expected = randomness.thresholds(words, randomness.LOGISTIC, scale[lane])
                    if not np.array_equal(theta[:, lane], expected):
                        raise RuntimeError("thresholds of a group are not those of NumPy.")

            return Running(advance, 32 * n_neurons, check)

        field = (ours(work, "blocked", REPLICAS, False), Contestant("thresholds", thresholds))
        duel = Duel(f"thresholds N={n_neurons}", field, n_neurons, work.n_patterns, 0.5, "random")
        duels.append(duel)
        what = f"draws and thresholds / visit, R=64, P={work.n_patterns}"
        claims.append(Claim(Goal(19, what, bound, "<="), duel.name, "thresholds", (_BLOCKED,)))
    return duels, claims


def two_cores(settings) -> tuple[list[Duel], list[Claim]]:
    """An alpha x T sweep on two cores: one process with two threads, two processes with one."""
    # cells of about a second: what Python does around a cell, two threads cannot do at once
    n_neurons, alpha = 2000, [k / 80 for k in range(1, 13)]
    common = {"task": "sweep", "n_neurons": n_neurons, "sweeps": 3000}
    whole = [common | {"alpha": alpha, "threads": 2}]
    halves = [common | {"alpha": alpha[k::2], "threads": 1} for k in range(2)]
    memory = {"threads": [], "processes": []}
    walls = Duel(
        "two cores",
        (
            processes.together("two threads", whole, 1, memory["threads"]),
            processes.together("two processes", halves, 1, memory["processes"]),
        ),
        n_neurons,
        0,
        unit="sweep of a grid",
        cost="s wall",
        steady=False,
        rounds=5,
    )
    sizes = Duel(
        "memory of two cores",
        tuple(processes.told(f"two {name}", peak) for name, peak in memory.items()),
        n_neurons,
        0,
        unit="process",
        cost="B",
        steady=False,
        rounds=1,
    )
    return [walls, sizes], [
        Claim(
            Goal(22, "alpha x T, best wall: two processes / two threads", 0.95, ">="),
            walls.name,
            "two processes",
            ("two threads",),
            "best",
        ),
        Claim(
            Goal(22, "alpha x T, memory: two threads / two processes", 0.6, "<="),
            sizes.name,
            "two threads",
            ("two processes",),
        ),
    ]


def memory(settings) -> tuple[list[Duel], list[Claim]]:
    """Bytes that one more replica costs, in units of 2P + N, by what Python is told of them."""
    n_neurons, n_patterns = 4096, 408
    few, more = 128, 256  # 128 at a time are swept together

    def peak(replicas: int, inside: bool) -> int:
        model = network(n_neurons, n_patterns, settings.seed)
        rule = dynamics.Glauber(0.5)
        noise = dynamics.noise(rule, replicas)
        stream = dynamics.stream(model, rule, replicas, settings.seed)
        start = patterns.random(replicas, n_neurons, seed=settings.seed).astype(np.int8)
        kept = model.memory(start)
        model.sweep(start, kept, noise, stream, 0, 1)  # compiles, and packs the patterns
        tracemalloc.start()
        try:
            model.sweep(start, kept, noise, stream, 1, 1)
            held = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        return held + (0 if inside else start.nbytes + kept.nbytes)

    def contestant(name: str, inside: bool) -> Contestant:
        def advance(steps: int) -> float:
            return (peak(more, inside) - peak(few, inside)) / (more - few)

        return Contestant(name, lambda: Running(advance, 2 * n_patterns + n_neurons, seconds=0))

    names = ("inside a sweep", "with the caller's state")
    duel = Duel(
        "bytes of a replica",
        (contestant(names[0], True), contestant(names[1], False)),
        n_neurons,
        n_patterns,
        unit="2P + N",
        cost="B",
        steady=False,
        rounds=1,
    )
    return [duel], [
        Claim(Goal(23, f"bytes a replica / (2P + N), {name}", 1.05, "<="), duel.name, name)
        for name in names
    ]


def cold_start(settings) -> tuple[list[Duel], list[Claim]]:
    """Import and the first `updated`, compiled code found on disk."""
    program = (
        "from hopfield_sim import Glauber, Hopfield, patterns, updated\n"
        "xi = patterns.random(20, 500, seed=1)\n"
        "updated(Hopfield(xi), Glauber(0.3), xi[0], sweeps=5, seed=3)"
    )
    field = (processes.fresh("import and first updated", program),)
    duel = Duel("start", field, 500, 20, unit="start", steady=False)
    goal = Goal(24, "import and first updated, CPU seconds", 1.5, "<=")
    return [duel], [Claim(goal, duel.name, field[0].name)]
