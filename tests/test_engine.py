"""What the engine itself costs: time for each cell, memory for many."""

from __future__ import annotations

import functools
import json
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from hopfield_sim.sweep import Sweep

ROOT = Path(__file__).parents[1]


def sleeper(seed, alpha, seconds, log):
    """A cell with eight variables that waits, and tells when it began and ended."""
    import os

    began = time.time()
    time.sleep(seconds)
    with open(log, "a") as file:
        file.write(json.dumps([os.getpid(), began, time.time()]) + "\n")
    series = ("sample", np.arange(64.0) + seed[1])
    return xr.Dataset({f"x{k}": series if k % 2 else float(k) for k in range(8)})


def test_overhead_is_small_beside_cells_of_two_seconds(tmp_path):
    """The time between the end of a cell and the beginning of the worker's next: its data are
    written and checked, its flag, the word to the parent, the next task. It does not depend on how
    long cells take, so cells of 0.1 s show what it is beside those of 2 s. The median: a machine
    that is busy with something else interrupts some cells."""
    log = tmp_path / "log"
    cell = functools.partial(sleeper, seconds=0.1, log=str(log))
    sweep = Sweep(cell, {"alpha": np.arange(12) / 12}, realisations=2)
    sweep.run(tmp_path / "store", None, workers=2, progress=False)
    lines = defaultdict(list)
    for line in log.read_text().splitlines():
        pid, *times = json.loads(line)
        lines[pid].append(times)
    gaps = np.concatenate(
        [[b[0] - a[1] for a, b in zip(each, each[1:], strict=False)] for each in lines.values()]
    )
    median, mean = float(np.median(gaps)), float(np.mean(gaps))
    print(
        f"\nbetween two cells of 8 variables: {1e3 * median:.1f} ms (median), {1e3 * mean:.1f} ms"
        f" (mean): {100 * median / (2 + median):.2f} % of a sweep with cells of 2 s"
    )
    assert median / (2 + median) < 0.03


GROWTH = """
import resource, sys
import xarray as xr
from hopfield_sim.sweep import Sweep

def cell(seed, alpha):
    return xr.Dataset({"x": alpha})

if __name__ == "__main__":
    number = int(sys.argv[2])
    sweep = Sweep(cell, {"alpha": range(number // 10)}, realisations=10)
    sweep.run(sys.argv[1], None, workers=2, progress=False)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
def test_memory_of_the_parent_does_not_grow_with_the_number_of_cells(tmp_path):
    """MiB of the process that runs the sweep, at most, with 100 and with 10,000 cells.

    Masks of a byte a cell are all that may grow; 10 MiB are the spread of equal runs.
    """
    (tmp_path / "script.py").write_text(GROWTH)
    most = {}
    for number in (100, 10_000):
        command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / str(number))]
        began = time.monotonic()
        told = subprocess.run([*command, str(number)], cwd=ROOT, capture_output=True, text=True)
        most[number] = float(told.stdout)
        print(f"\n{number} cells: {most[number]:.0f} MiB, {time.monotonic() - began:.0f} s")
    assert most[10_000] - most[100] < 10
