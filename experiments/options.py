"""What every experiment shares: its options, its plan (`--dry-run`) and how it starts."""

from __future__ import annotations

import dataclasses
import os
import sys
import time
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Options:
    store: Path
    """Zarr store of the results. Found again, it is resumed, and extended by other grid values
    or more realisations; made with other settings, refused."""
    figure: Path
    """Where the figure goes."""
    seed: int = 1
    """Seed of everything random."""
    realisations: int = 8
    """Independent sets of patterns; the error bars come from them."""
    device: Literal["auto", "cpu", "gpu"] = "auto"
    """Where kernels run. The numbers do not depend on it."""
    scheduler: str | None = None
    """Address of a running Dask scheduler (tcp://host:8786), or "threads"; none: local workers."""
    workers: int | None = None
    """Local worker processes; none: one for each core."""
    dry_run: bool = False
    """Only tell the visits, time, memory and files that it would take."""


def recorded(settings: Options, axes: tuple[str, ...]) -> dict:
    """What determines the numbers of a cell, for the store: no common option and no grid."""
    common = {field.name for field in dataclasses.fields(Options)} | set(axes)
    return {k: v for k, v in dataclasses.asdict(settings).items() if k not in common}


def checksum(images) -> int:
    """What tells two sets of binary images (`hopfield_sim.images.Images`) apart, for a store."""
    return zlib.crc32(np.packbits(images.patterns > 0).tobytes() + images.labels.tobytes())


def loads(alpha: tuple[float, ...], n_neurons: int) -> np.ndarray:
    """The loads P/N that are simulated for the requested ones, each once, sorted: (alpha,).

    Raises ValueError for a load that rounds to no pattern.
    """
    n_patterns = np.unique(np.rint(np.asarray(alpha, float) * n_neurons))
    if n_patterns.size == 0 or not n_patterns.min() >= 1:
        raise ValueError(
            f"alpha={min(alpha, default=None)} is no pattern at N={n_neurons}; the smallest "
            f"load is 1/N = {1 / n_neurons:g}. Raise alpha or --n-neurons."
        )
    return n_patterns / n_neurons


def at_least(settings: Options, **least: float) -> None:
    """Refuse settings below their least value; of settings with several values, also none.

    least: setting -> least value. Raises ValueError that names the option (NaN and infinity are
    refused too).
    """
    for name, lowest in least.items():
        given, several = _values(settings, name)
        if not given or not all(lowest <= value < np.inf for value in given):
            what = f"numbers of at least {lowest:g} are" if several else f"at least {lowest:g} is"
            raise ValueError(f"{_option(name, given)}: {what} needed.")


def positive(settings: Options, *names: str, most: float = np.inf) -> None:
    """Refuse settings that are not in (0, most], finite; of several values, also none.

    Raises ValueError that names the option.
    """
    for name in names:
        given, several = _values(settings, name)
        if not given or not all(0 < value <= most and value < np.inf for value in given):
            allowed = "> 0" if most == np.inf else f"in (0, {most:g}]"
            what = f"numbers {allowed} are" if several else f"a number {allowed} is"
            raise ValueError(f"{_option(name, given)}: {what} needed.")


def _values(settings: Options, name: str) -> tuple[tuple, bool]:
    given = getattr(settings, name)
    several = isinstance(given, tuple)
    return (given if several else (given,)), several


def _option(name: str, given: tuple) -> str:
    return f"--{name.replace('_', '-')} {' '.join(map(str, given)) or '(none)'}"


def place(settings: Options, name: str) -> Path:
    """The store of one sweep of several, which lie beside each other in `settings.store`."""
    return settings.store / f"{name}.zarr"


def computed(sweep, settings: Options, name: str | None = None):
    """The finished sweep, run where the options say: Dataset.

    name: of the sweep, where an experiment has several: its store is `place(settings, name)`.
    """
    from hopfield_sim import device

    where = settings.scheduler
    if where is not None and where != "threads" and "://" not in where:
        raise ValueError(
            f"--scheduler {where}: give the address of a Dask scheduler, such as "
            'tcp://host:8786, or "threads".'
        )
    return sweep.run(
        settings.store if name is None else place(settings, name),
        client=where,
        workers=settings.workers,
        provenance={"device": device.resolve(settings.device)},
    )


def all_computed(sweeps: dict, settings: Options) -> dict:
    """The finished sweeps of an experiment with several, in memory: name -> Dataset."""
    return {name: computed(sweep, settings, name).load() for name, sweep in sweeps.items()}


def read(path: Path, cure: str):
    """Numbers that `written` has kept: Dataset. FileNotFoundError says the cure if none are."""
    import xarray as xr

    if not path.exists():
        raise FileNotFoundError(f"there is nothing at {path}: {cure}")
    with xr.open_dataset(path, engine="scipy") as found:
        return found.load()


def written(found, path: Path) -> None:
    """Keep a few numbers as one NetCDF file, which appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        found.to_netcdf(draft, engine="scipy")
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def saved(figure, path: Path) -> None:
    """Keep a matplotlib Figure as a picture, and say where."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
    print(f"figure: {path}")


def timed_cell(run, sweeps: int) -> float:
    """Seconds that a cell of `sweeps` sweeps takes here, from two short ones after a first call.

    run: a call `run(n)` that computes a cell of n sweeps.
    """
    short, longer = 20, 60
    run(short)  # compiles
    seconds = []
    for length in (short, longer):
        begin = time.perf_counter()
        run(length)
        seconds.append(time.perf_counter() - begin)
    each = max(seconds[1] - seconds[0], 0) / (longer - short)
    return seconds[1] + each * (sweeps - longer)


def cells(sweep) -> int:
    """How many cells a sweep has: its grid without the lanes, in each realisation."""
    return int(np.prod([len(sweep.coordinates[dim]) for dim in sweep.outer]))


def plan(
    n_cells: int,
    visits: float,
    seconds: float,
    memory: float,
    files: str,
    workers: int | None,
    counted: str = "attempted flips",
) -> str:
    """The answer to --dry-run: what a sweep would take.

    visits: how much is computed in all, in units of `counted`; seconds: of a typical cell here;
    memory: bytes of a worker; files: what would be written; workers: how many, None for one a core.
    """
    from dask.system import CPU_COUNT  # as `Sweep.run` counts them: affinity, container limits

    from hopfield_sim.provenance import duration

    workers = workers or CPU_COUNT
    return "\n".join(
        (
            f"cells      {n_cells}, of which finished ones would be reused",
            f"visits     {visits:.3g} {counted}",
            f"time       about {duration(n_cells * seconds / workers)} on {workers} workers, from "
            f"{seconds:.2g} s a typical cell on this machine",
            f"memory     about {memory / 2**20:.0f} MiB a worker, plus 250 MiB of code",
            f"files      {files}",
        )
    )


def started(settings_class, description: str):
    """Settings from the command line; a wrong value ends with its sentence, not a traceback."""
    import tyro

    from hopfield_sim import device

    device.keep_freed_memory()  # this process is an experiment's

    return tyro.cli(settings_class, description=description)


def ended(work, *arguments) -> None:
    """Run an experiment; bad input becomes one sentence on stderr and exit status 2."""
    try:
        work(*arguments)
    except (ValueError, RuntimeError, OSError, ModuleNotFoundError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)
