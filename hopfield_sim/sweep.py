"""Many runs: a function evaluated on a grid, kept in one store, on any number of machines.

A `Sweep` calls its cell once for each point of a grid and each realisation. Whoever computes a cell
writes it into the store at once, and marks it as done after that. A cell is a function of its
coordinates and its seed alone: it can be lost and computed again, anywhere, with the same result.
So a sweep that was interrupted is finished by running it again, its numbers do not depend on how
many threads, processes or machines computed them, and a grid can be done in parts: with more
realisations or other values of an axis it goes on in the same store.

The store is one Zarr directory, see `hopfield_sim.layout`; read it with `opened`, even while the
sweep runs, or with `xr.open_zarr(path, consolidated=False)`.
"""

from __future__ import annotations

import contextlib
import copy
import functools
import hashlib
import inspect
import json
import os
import sys
import time
import traceback
import uuid
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import xarray as xr

from hopfield_sim import damage, grid, layout, provenance
from hopfield_sim import pool as pools
from hopfield_sim import store as storage
from hopfield_sim.provenance import as_json
from hopfield_sim.randomness import STREAM_VERSION
from hopfield_sim.store import opened, status

__all__ = ["Sweep", "opened", "status"]

_HEARTBEAT = 30.0  # seconds between two words to the provenance, and to a log without terminal
_NAMED = 20  # cells that a message or the provenance lists

Task = tuple[tuple[int, ...], tuple[np.ndarray, ...]]
"""A cell: positions along `Sweep.outer`, and for each lane the positions that it computes."""


@dataclass(frozen=True, eq=False)
class Sweep:
    """A function evaluated on a grid: `cell(seed=(seed, realisation), **coordinates) -> Dataset`.

    cell: called with each axis by name, as a Python scalar, or as an array if it is a lane: of all
        its values, or of those that a store still lacks, so lanes must not influence each other.
        Returns a Dataset whose variables (bool, integer, real or complex) have some of the lanes
        and any inner dimensions as dims; the same variables, dims, shapes and types in each cell.
        It may repeat coordinates that it was given; its attributes go to the store. If it has an
        argument `checkpoint`, it is given a `hopfield_sim.Checkpoint` of its own, for `simulate`.
    axes: name -> values of the grid (numbers or strings); the order is the order of the dims.
    lanes: names of the axes that one cell computes together.
    realisations: how often the grid is computed, each time with another seed (disorder).
    seed: int, 0 <= seed < 2**64.
    title: what the numbers are, for whoever finds them.
    settings: name -> value (JSON) of whatever else determines the numbers; they are recorded, and
        a store made with others is refused.
    cells: only these points are computed: each maps axes, or "realisation", to a value; a name left
        out stands for all values. None: the whole grid.

    Raises ValueError or TypeError, before any work, for a grid that cannot be stored and a cell
    that cannot be called with it.
    """

    cell: Callable[..., xr.Dataset]
    axes: Mapping[str, Sequence]
    lanes: tuple[str, ...] = ()
    realisations: int = 1
    seed: int = 0
    title: str = ""
    settings: Mapping[str, object] = field(default_factory=dict)
    cells: Sequence[Mapping[str, object]] | None = None

    def __post_init__(self):
        if not isinstance(self.axes, Mapping):
            raise TypeError(f"axes must map names to values, got {self.axes!r}: write a dict")
        axes = {name: grid.axis(name, values) for name, values in self.axes.items()}
        if isinstance(self.lanes, str) or not set(self.lanes) <= set(axes):
            raise ValueError(
                f"lanes are names of axes {tuple(axes)}, got {self.lanes!r}: name them in a tuple"
            )
        if not isinstance(self.settings, Mapping):
            raise TypeError(f"settings must be a mapping, got {self.settings!r}: write a dict")
        keep = functools.partial(object.__setattr__, self)  # the way to set what is frozen
        keep("axes", axes)
        keep("lanes", tuple(name for name in axes if name in self.lanes))
        keep("realisations", _whole("realisations", self.realisations, 1, 2**31))
        keep("seed", _whole("seed", self.seed, 0, 2**64))
        keep("settings", json.loads(as_json(self.settings)))
        if self.cells is not None:
            keep("cells", tuple(self.cells))
            grid.asked(self.coordinates, self.cells)  # refuses what the grid does not have
        _require_callable(self.cell, axes)

    @property
    def outer(self) -> tuple[str, ...]:
        """The dims that count cells: all axes but the lanes, and the realisation."""
        return (*(name for name in self.axes if name not in self.lanes), "realisation")

    @property
    def coordinates(self) -> dict[str, np.ndarray]:
        """Every dim of the grid with its values, in the order of the dims."""
        return {**self.axes, "realisation": np.arange(self.realisations)}

    def identity(self) -> dict[str, object]:
        """The attributes by which a store is known to hold this computation, on whatever grid."""
        return {
            "format": layout.FORMAT,
            "title": self.title,
            "axes": " ".join(self.axes),
            "lanes": " ".join(self.lanes),
            "settings": as_json(self.settings),
            "seed": self.seed,
            "stream_version": STREAM_VERSION,
        }

    def extended(self, cells: Sequence[Mapping[str, object]]) -> Sweep:
        """This sweep with the points `cells` put into its grid, computing them alone.

        cells: each maps axes, or "realisation", to a value, which need not be there yet; a name
            left out stands for all values. A sorted axis stays sorted; realisations grow as needed.
        Raises ValueError for a value that cannot join its axis, such as one that differs from
        another by rounding only.
        """
        cells = [dict(cell) for cell in cells]
        axes = {
            name: grid.joined(name, values, more)
            if (more := [cell[name] for cell in cells if name in cell])
            else values
            for name, values in self.axes.items()
        }
        numbers = [cell["realisation"] for cell in cells if "realisation" in cell]
        counts = [1 + _whole("realisation", number, 0, 2**31 - 1) for number in numbers]
        realisations = max([self.realisations, *counts])
        return replace(self, axes=axes, realisations=realisations, cells=cells)

    def point(self, task: Task) -> dict[str, object]:
        """The coordinates of one cell: scalars, and for lanes arrays of its own."""
        index, lanes = task
        at = dict(zip(self.outer, index, strict=True)) | dict(zip(self.lanes, lanes, strict=True))
        return {
            name: values[at[name]] if name in self.lanes else values[at[name]].item()
            for name, values in self.coordinates.items()
        }

    def run(
        self,
        store: str | os.PathLike,
        client=None,
        workers: int | None = None,
        progress: bool = True,
        provenance: Mapping[str, object] | None = None,
    ) -> xr.Dataset:
        """Compute every cell that the store does not hold yet; return this grid, opened lazily.

        A store of the same computation on another grid (other values of an axis, other lanes, fewer
        realisations) is extended; points that it has beyond this grid stay there. The first cell
        that is stored shows what a cell looks like. As long as none is, the run ends when as many
        have failed as there are workers.

        store: path of the directory; made if nothing is there, continued if it holds this sweep.
        client: None for processes of this machine, closed afterwards; "threads" for threads of this
            process (notebooks); the address of a Dask scheduler ("tcp://host:port") whose workers
            see the same file system and have hopfield_sim installed; or a `distributed.Client`.
        workers: how many processes or threads; None: one for each core this process may use. The
            scheduler of Dask has its own.
        progress: show a bar with rate and remaining time; where standard error is no terminal, a
            line a minute once the first minute has passed.
        provenance: name -> value (JSON) to record beside date, versions and machine.

        Raises ValueError if the store holds something else (nothing is changed then), TypeError
        for another kind of client, ConnectionError if no scheduler answers, and RuntimeError at the
        end if cells failed: it names them, and all others are stored.
        """
        path = Path(os.path.abspath(Path(store).expanduser()))
        if workers is not None:
            workers = _whole("workers", workers, 1, 2**16)
        entry = json.loads(as_json(provenance or {}))
        job = _Job(self, path, STREAM_VERSION, uuid.uuid4().hex)
        with pools.connected(client, workers) as pool:
            failed = _filled(job, pool, entry, progress)
        if failed:
            rest = f"the others are kept in {path}" if path.exists() else "nothing is stored"
            raise RuntimeError(self._account(failed, rest))
        return _part(storage.completed(path), self)

    def _account(self, failed: list[tuple[Task, str]], rest: str) -> str:
        """What to say about failed cells: how many, which, what became of the rest, and why."""
        failed = sorted(failed, key=lambda pair: pair[0][0])
        names = []
        for task, _ in failed[:20]:
            point = self.point(task)
            names.append("(" + ", ".join(f"{d}={point[d]!r}" for d in self.outer) + ")")
        more = f" and {len(failed) - 20} more" if len(failed) > 20 else ""
        return (
            f"{len(failed)} cell{'s' * (len(failed) > 1)} failed: {', '.join(names)}{more}; {rest}."
            f" Running again computes what is missing. The first of them:\n{failed[0][1]}"
        )


def _part(found: xr.Dataset, sweep: Sweep) -> xr.Dataset:
    """Of a store, the grid of a sweep, in its order."""
    where = {}
    for name, values in sweep.coordinates.items():
        at = grid.positions(name, found[name].values, values)
        if not np.array_equal(at, np.arange(found.sizes[name])):
            where[name] = at
    return found.isel(where)


def _filled(job: _Job, pool: pools.Pool, entry: dict, progress: bool) -> list[tuple[Task, str]]:
    """Compute what is missing, record how, and return each failed cell with its traceback."""
    from tqdm import tqdm

    sweep = job.sweep
    pending = grid.asked(sweep.coordinates, sweep.cells)
    there = os.path.lexists(job.path)
    if there:
        storage.prepared(job.path, sweep)
        pending &= (
            ~_part(_sound(job.path, entry), sweep)["done"]
            .broadcast_like(xr.DataArray(pending, dims=tuple(sweep.coordinates)))
            .transpose(*sweep.coordinates)
            .values
        )
    tasks = _Tasks(sweep, pending, there and _somebody_at_work(job.path))
    if not len(tasks):
        return []
    if there:
        layout.require_unpacked(job.path)
    storage.require_writable(job.path)
    log = _Log(job.path, entry | {"run": job.run, **provenance.circumstances()}, pool)
    failed = []
    terminal = sys.stderr.isatty()
    bar = tqdm(
        desc=sweep.title or None,
        total=tasks.total,
        initial=tasks.total - len(tasks),
        unit="cell",
        disable=not progress,
        **({} if terminal else {"delay": _HEARTBEAT, "mininterval": _HEARTBEAT}),
    )
    try:
        with bar, contextlib.closing(pool.outcomes(job, tasks, len(tasks))) as outcomes:
            for task, error in outcomes:
                if error is None:
                    log.computed += 1
                else:
                    log.failed += 1
                    failed.append((task, error))
                    bar.set_postfix(failed=len(failed), refresh=False)
                    if len(failed) >= pool.workers and not job.path.exists():
                        break  # no cell has succeeded: the others would fail like these
                bar.update()
                log.tell()
    finally:
        log.tell(ended=True)
        with contextlib.suppress(OSError):  # not empty: cells that others compute
            job.checkpoints.rmdir()
    return failed


def _sound(path: Path, entry: dict) -> xr.Dataset:
    """A store whose damaged cells are pending again; the entry for the provenance tells of them."""
    inspection = damage.recovered(path)
    number = int(inspection.damaged.sum())
    if number:
        entry["damaged"] = inspection.cells(path)[:_NAMED]
        warnings.warn(
            f"{number} points of {path} that were finished cannot be read any more, such as"
            f" {entry['damaged'][0]}: they are pending again. Damaged files are kept under names"
            f" ending in .damaged; look after that disk",
            stacklevel=5,
        )
    sizes = zip(inspection.dims, inspection.done.shape, strict=True)
    found = storage.completed(path).isel({name: slice(size) for name, size in sizes})  # if it grew
    return found.assign(done=(inspection.dims, inspection.done))


class _Tasks:
    """What is to be computed, made one by one: a sweep may have many cells."""

    def __init__(self, sweep: Sweep, pending: np.ndarray, in_company: bool):
        self.sweep = sweep
        dims = tuple(sweep.coordinates)
        order = [dims.index(name) for name in (*sweep.outer, *sweep.lanes)]
        self.pending = pending.transpose(order)
        lanes = tuple(range(len(sweep.outer), len(dims)))
        cells = self.pending.any(axis=lanes)
        self.indices, self.total = np.argwhere(cells), cells.size
        self.number = len(self.indices) if len(lanes) < 2 else sum(1 for _ in self)
        if in_company:  # two who go through the same cells in one order compute each of them twice
            np.random.default_rng().shuffle(self.indices)

    def __len__(self) -> int:
        return self.number

    def __iter__(self) -> Iterator[Task]:
        for index in self.indices:
            index = tuple(map(int, index))
            for lanes in grid.rectangles(self.pending[index]):
                yield index, lanes


def _somebody_at_work(path: Path) -> bool:
    """Whether another run seems to be computing cells of a store."""
    return any(
        not run.get("ended")
        and "heard" in run
        and provenance.seconds_since(run["heard"]) < 3 * _HEARTBEAT
        for run in provenance.runs(path)
    )


class _Log:
    """What is known of this run, told to the provenance of its store now and then."""

    def __init__(self, path: Path, entry: Mapping[str, object], pool: pools.Pool):
        self.path, self.entry = path, {**entry, "client": pool.name, "workers": pool.workers}
        self.computed = self.failed = 0
        self.began, self.told = time.monotonic(), -np.inf

    def tell(self, ended: bool = False) -> None:
        """Record how many cells are computed; a disk that is full must not end the run."""
        seconds = time.monotonic() - self.began
        if not self.path.exists() or not ended and seconds - self.told < _HEARTBEAT:
            return
        self.told, now = seconds, provenance.now()
        counts = {"cells": self.computed, "failed": self.failed, "seconds": round(seconds, 3)}
        end = {"ended": now} if ended else {}
        try:
            provenance.record(self.path, self.entry | counts | {"heard": now} | end)
        except OSError as error:
            warnings.warn(
                f"the provenance of {self.path} could not be written ({error}); the cells do not"
                f" depend on it",
                stacklevel=2,
            )


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know; `run` keeps runs apart in the memory of long-lived workers."""

    sweep: Sweep
    path: Path
    stream_version: int
    run: str

    @property
    def checkpoints(self) -> Path:
        """Where cells that are being computed keep their checkpoints."""
        return self.path.with_name(f"{self.path.name}.checkpoints")

    @functools.cached_property
    def layout(self) -> layout.Layout:
        """The opened store, once a worker: it is there from the first cell on."""
        return storage.prepared(self.path, self.sweep)

    def stored(self, task: Task) -> str | None:
        """Compute one cell and write it, or the traceback of its failure.

        Failing again elsewhere would be a waste; an error of the file system is raised, to be
        retried.
        """
        point = self.sweep.point(task)
        if self.path.exists() and self.layout.is_done(point):  # by a lost worker, or another run
            return None
        storage.require_writable(self.path)  # or the work would be lost
        checkpoint = self._checkpoint(point)
        try:
            piece = self._computed(point, checkpoint)
        except Exception:
            return traceback.format_exc()
        if not self.path.exists():
            layout.create(self.path, self.sweep, piece, point)
        problem = None
        if not self.layout.is_done(point):  # there was a store, or somebody was faster
            problem = self.layout.difference(piece, point) or self.layout.write(piece, point)
        if checkpoint and not problem:
            checkpoint.remove()
        return problem

    def _computed(self, point: Mapping, checkpoint) -> dict[str, xr.Variable]:
        if self.stream_version != STREAM_VERSION:
            raise RuntimeError(
                f"the sweep draws stream version {self.stream_version} and this worker"
                f" {STREAM_VERSION}: install the same hopfield_sim on all machines"
            )
        given = copy.deepcopy({k: v for k, v in point.items() if k != "realisation"})
        if checkpoint:
            given["checkpoint"] = checkpoint
        found = self.sweep.cell(seed=(self.sweep.seed, point["realisation"]), **given)
        return layout.placed(found, self.sweep, point)

    def _checkpoint(self, point: Mapping):
        """A place for the checkpoint of this cell of this computation, if it wants one."""
        if "checkpoint" not in inspect.signature(self.sweep.cell).parameters:
            return None
        from hopfield_sim.checkpoint import Checkpoint

        name = as_json({"identity": self.sweep.identity(), "point": point})
        return Checkpoint(self.checkpoints / hashlib.sha256(name.encode()).hexdigest()[:32])


def _whole(name: str, value: int, low: int, stop: int) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise TypeError(f"{name} must be a whole number, got {value!r}")
    if not low <= value < stop:
        raise ValueError(f"{name} must be at least {low} and less than {stop}, got {value}")
    return int(value)


def _require_callable(cell: Callable, axes: Mapping[str, np.ndarray]) -> None:
    call = f"cell({', '.join(f'{name}=...' for name in ('seed', *axes))})"
    if not callable(cell):
        raise TypeError(f"the cell must be a function called as {call}, got {cell!r}")
    try:
        signature = inspect.signature(cell)
        more = {"checkpoint": None} if "checkpoint" in signature.parameters else {}
        signature.bind(seed=None, **axes, **more)
    except TypeError as error:
        raise TypeError(
            f"the cell must be callable as {call}, but {error}: name its arguments after the axes"
            f" and fix all others with functools.partial"
        ) from None
