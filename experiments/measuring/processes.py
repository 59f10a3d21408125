"""Contestants in processes of their own: another target processor, a cold start, two cores.

Run as a program, `python -m experiments.measuring.processes JSON`, this file is such a process: it
reads numbers of steps from its input, line by line, and answers each with its CPU and wall seconds
and the largest memory it ever had.
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from pathlib import Path

from experiments.measuring.protocol import Contestant, Running

_ROOT = Path(__file__).parents[2]
AVX2_ONLY = {
    "NUMBA_CPU_NAME": "haswell",
    "NUMBA_CPU_FEATURES": "+sse3,+ssse3,+sse4.1,+sse4.2,+popcnt,+avx,+avx2,+bmi,+bmi2,+lzcnt,+fma",
}


class Child:
    """A process that waits for numbers of steps. Ends with the object."""

    def __init__(self, task: dict, environment: dict[str, str]):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "experiments.measuring.processes", json.dumps(task)],
            cwd=_ROOT,
            env=os.environ | environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        weakref.finalize(self, self.process.stdin.close)

    def send(self, steps: int) -> None:
        """Begin."""
        self.process.stdin.write(f"{steps}\n")
        self.process.stdin.flush()

    def answer(self) -> dict:
        """cpu, wall: seconds; memory: bytes. RuntimeError where the process has died."""
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process of the benchmark ended early; its message stands above.")
        return json.loads(line)

    def call(self, steps: int) -> dict:
        """Begin, and wait for the end."""
        self.send(steps)
        return self.answer()


def elsewhere(name: str, task: dict, environment: dict[str, str], units: float) -> Contestant:
    """A task in a process with other environment variables and its own folder of compiled code."""

    def setup() -> Running:
        folder = tempfile.TemporaryDirectory()
        child = Child(task, environment | {"NUMBA_CACHE_DIR": folder.name})

        def advance(steps: int) -> float:
            return child.call(steps)["cpu"]

        def check() -> None:
            child.process.stdin.close()
            child.process.wait(60)
            folder.cleanup()

        return Running(advance, units, check)

    return Contestant(name, setup)


def together(name: str, tasks: list[dict], units: float, peak: list[float]) -> Contestant:
    """Several processes at once: its cost is the wall time of the slowest.

    peak: gets the sum of their largest memory, in bytes.
    """

    def setup() -> Running:
        children = [Child(task, {}) for task in tasks]

        def advance(steps: int) -> float:
            for child in children:
                child.send(steps)
            answers = [child.answer() for child in children]
            peak[:] = [sum(answer["memory"] for answer in answers)]
            return max(answer["wall"] for answer in answers)

        def check() -> None:
            for child in children:
                child.process.stdin.close()
                child.process.wait(60)

        return Running(advance, units, check, seconds=0)

    return Contestant(name, setup)


def told(name: str, value: list[float]) -> Contestant:
    """A number that another contestant leaves behind."""
    return Contestant(name, lambda: Running(lambda steps: value[0], 1, seconds=0))


def fresh(name: str, program: str) -> Contestant:
    """A new Python that runs a program: all its CPU seconds."""

    def advance(steps: int) -> float:
        spent = 0.0
        for _ in range(steps):
            done = subprocess.run(
                [sys.executable, "-c", f"{program}\nimport time; print(time.process_time())"],
                cwd=_ROOT,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise RuntimeError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
            spent += float(done.stdout.split()[-1])
        return spent

    return Contestant(name, lambda: Running(advance, 1, seconds=0))


def threads(name: str, works: list, form: str, replicas: int) -> Contestant:
    """One thread for each network, all at once: a step is a sweep of all replicas of all."""
    from experiments.measuring.forms import WARM, Chains

    def setup() -> Running:
        teams = [Chains(work, form, replicas) for work in works]
        for chains in teams:
            chains.advance(WARM)

        def advance(steps: int) -> None:
            started = [threading.Thread(target=c.advance, args=(steps,)) for c in teams]
            for thread in started:
                thread.start()
            for thread in started:
                thread.join()

        def check() -> None:
            for chains in teams:
                chains.check()

        return Running(advance, sum(c.spins.size for c in teams), check)

    return Contestant(name, setup)


def _sweep_task(alpha: list[float], threads: int, n_neurons: int, sweeps: int):
    """A small alpha x T sweep as users run it, in this process: a call `advance(steps)`."""
    from functools import partial

    from experiments import retrieval
    from experiments.options import loads
    from hopfield_sim import Sweep

    settings = retrieval.Settings(n_neurons=n_neurons, warmup=sweeps, samples=20, every=1)
    temperature = tuple(0.1 * k for k in range(1, 17))

    def advance(steps: int) -> None:
        for _ in range(steps):
            with tempfile.TemporaryDirectory() as folder:
                Sweep(
                    partial(retrieval.cell, settings),
                    {"alpha": loads(tuple(alpha), n_neurons), "temperature": temperature},
                    lanes=("temperature",),
                    realisations=1,
                    seed=1,
                ).run(f"{folder}/sweep.zarr", client="threads", workers=threads, progress=False)

    return advance


def _chains_task(work: dict, form: str, replicas: int):
    """Sweeps of one of our forms, in this process: a call `advance(steps)`."""
    from experiments.measuring.forms import Chains, Work

    return Chains(Work(**work), form, replicas).advance


def _peak_memory() -> float:
    """The largest memory of this process so far in bytes; NaN where nothing tells it (Windows)."""
    try:
        import resource
    except ModuleNotFoundError:
        return math.nan
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if sys.platform == "darwin" else 1024 * largest


def _serve(task: dict) -> None:
    kind = {"sweep": _sweep_task, "chains": _chains_task}[task.pop("task")]
    advance = kind(**task)
    for line in sys.stdin:
        cpu, wall = time.process_time(), time.perf_counter()
        advance(int(line))
        answer = {
            "cpu": time.process_time() - cpu,
            "wall": time.perf_counter() - wall,
            "memory": _peak_memory(),
        }
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
