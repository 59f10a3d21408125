"""A sweep of plain arithmetic, that other processes can import or run: what the faults happen to.

`python -m tests.study STORE [OPTIONS as JSON]` runs it. Its numbers are sums and products of
doubles: the same on every machine and with every version of NumPy.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import time

import numpy as np
import xarray as xr

from hopfield_sim.sweep import Sweep

TITLE = "a study"
AXES = {
    "rule": ["glauber", "metropolis"],
    "temperature": [0.25, 0.5],
    "alpha": [0.125, 0.25, 0.375],
}


def cell(seed, rule, alpha, temperature, seconds=0.0, log=None, hold=None):
    """What a cell measures: all types of numbers that a store holds, in `seconds`.

    log: a file that each cell adds a line to when it begins. hold: a file; cells of the rule
    Metropolis, the second half, take until it is gone.
    """
    if log is not None:
        with open(log, "a") as file:
            file.write(f"{rule} {alpha} {seed[1]} {os.getpid()}\n")
    time.sleep(seconds)
    while hold is not None and rule == "metropolis" and os.path.exists(hold):
        time.sleep(0.02)
    overlap = np.multiply.outer([1.0, 2.0, 3.0], temperature) * (alpha + len(rule) + seed[1] / 8)
    return xr.Dataset(
        {
            "overlap": (("pattern", "temperature"), overlap, {"long_name": "overlap m"}),
            "energy": ("temperature", overlap.sum(0).astype(np.float32), {"units": "J"}),
            "field": ("temperature", overlap[0] + 1j * overlap[1]),
            "flips": ((), seed[0] + seed[1]),
            "equilibrated": ("temperature", temperature > 0.3),
        },
        coords={
            "temperature": ("temperature", temperature, {"units": "J"}),
            "pattern": np.arange(3),
            "start": ["cue", "pattern"],
        },
    )


def sweep(axes=AXES, realisations=2, **fixed):
    """The study on a grid; what is fixed in its cell does not change its numbers."""
    return Sweep(
        functools.partial(cell, **fixed),
        axes,
        ("temperature",),
        realisations,
        seed=7,
        title=TITLE,
        settings={"n_patterns": 3},
    )


def computed(store, axes=AXES, realisations=2, workers=1, client="threads", **fixed):
    """The study, run from a JSON task."""
    return sweep(axes, realisations, **fixed).run(store, client, workers, progress=False)


def merged(stores, into):
    """Stores merged, from a JSON task."""
    from hopfield_sim import archive

    return archive.merge(stores, into)


def packed(store, into):
    """A store packed, from a JSON task."""
    from hopfield_sim import archive

    return archive.repack(store, into)


def chain(seed, temperature, checkpoint, log=None):
    """A cell that lasts: 60 sweeps of a network, kept after each of them."""
    from hopfield_sim import Glauber, Hopfield, Schedule, patterns, simulate
    from hopfield_sim.checkpoint import Checkpoint

    if log is not None:
        with open(log, "a") as file:
            file.write(f"{checkpoint.file.exists()}\n")
    xi = patterns.random(5, 100, seed=seed)
    return simulate(
        Hopfield(xi),
        Glauber(tuple(temperature)),
        xi[0],
        Schedule(0, 60),
        n_replicas=2,
        seed=seed,
        device="cpu",
        checkpoint=Checkpoint(checkpoint.path, seconds=0),
    ).drop_vars(["n_neurons", "n_patterns", "alpha"], errors="ignore")


def lengthy(store, **fixed):
    """Two cells that last."""
    cell_ = functools.partial(chain, **fixed)
    return Sweep(cell_, {"temperature": [0.2, 0.4]}, ("temperature",), 2, seed=3).run(
        store, "threads", 1, progress=False
    )


def main(store, **options):
    """Run it as a script does: a failure ends with its sentence and exit status 1."""
    try:
        computed(store, **options)
    except (RuntimeError, OSError, ValueError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1], **json.loads(sys.argv[2] if len(sys.argv) > 2 else "{}"))
