"""How long standard tasks of the theories take on one core, in CPU seconds."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

_REPEATS = 3


class Timed(NamedTuple):
    """A task, its CPU seconds the first time (tables that are kept included) and after, at best,
    and the bound for the first."""

    task: str
    first: float
    again: float
    bound: float


def measured() -> list[Timed]:
    """The standard tasks, one after the other."""
    from hopfield_sim.theory import dense, dense_1rsb, hopfield, hopfield_1rsb

    # SciPy loads some of its parts with the first call of anything.
    hopfield.retrieval(0.05, 0.3)
    found = [
        _timed(
            "RS phase diagram of the Hopfield network: T_g, T_M, T_c, T_R at 200 loads",
            2,
            lambda: hopfield.lines(np.linspace(1e-3, 0.1385, 200)),
        )
    ]
    for order in (2, 3, 4, 6, 8):
        largest = float(dense.spinodal_maximum(order).alpha)
        found.append(
            _timed(
                f"RS map of 200 x 200 points, P = {order}",
                10,
                lambda order=order, largest=largest: dense.retrieval(
                    order, np.linspace(0.005, 1.1, 200) * largest, np.linspace(0, 1, 200)
                ),
            )
        )
    found.append(
        _timed(
            "1RSB curve at T = 0, 50 points, P = 2",
            20,
            lambda: hopfield_1rsb.retrieval(np.linspace(0.02, 0.138, 50)),
        )
    )
    for order in (3, 6):
        last = float(dense_1rsb.capacity(order).alpha)
        found.append(
            _timed(
                f"1RSB curve at T = 0, 50 points, P = {order}",
                20,
                lambda order=order, last=last: dense_1rsb.retrieval(
                    order, np.linspace(0.1, 0.999, 50) * last
                ),
            )
        )
    return found


def _timed(task: str, bound: float, work: Callable[[], object]) -> Timed:
    seconds = []
    for _ in range(1 + _REPEATS):
        begin = time.process_time()
        work()
        seconds.append(time.process_time() - begin)
    return Timed(task, seconds[0], min(seconds[1:]), bound)


def table(found: list[Timed]) -> str:
    """A line for each task: seconds, bound, verdict."""
    width = max(len(timed.task) for timed in found)
    lines = [f"{'CPU seconds on one core'.ljust(width)}   first   again  bound"]
    for timed in found:
        verdict = "met" if timed.first <= timed.bound else "missed"
        lines.append(
            f"{timed.task.ljust(width)}  {timed.first:6.2f}  {timed.again:6.2f}  "
            f"{timed.bound:5g}  {verdict}"
        )
    return "\n".join(lines)
