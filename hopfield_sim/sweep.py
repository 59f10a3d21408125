"""Many runs: a function evaluated on a grid, kept in one store, on any number of machines.

A `Sweep` calls its cell once for each point of a grid and each realisation. Whoever computes a cell
writes it into the store at once, and marks it as done after that. A cell is a function of its
coordinates and its seed alone: it can be lost and computed again, anywhere, with the same result.
So a sweep that was interrupted is finished by running it again, and its numbers do not depend on
how many threads, processes or machines computed them.

The store is one Zarr directory, see `hopfield_sim.store`; read it with `opened`, even while the
sweep runs, or with `xr.open_zarr(path, consolidated=False)`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import os
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from hopfield_sim import store as storage
from hopfield_sim.randomness import STREAM_VERSION
from hopfield_sim.store import opened, status

__all__ = ["Sweep", "opened", "status"]

_PATIENCE = 10  # seconds for a scheduler to answer


@dataclass(frozen=True, eq=False)
class Sweep:
    """A function evaluated on a grid: `cell(seed=(seed, realisation), **coordinates) -> Dataset`.

    cell: called with each axis by name, as a Python scalar, or as a whole array if it is a lane.
        Returns a Dataset whose variables (bool, integer, real or complex) have some of the lanes
        and any inner dimensions as dims; the same variables, dims, shapes and types in each cell.
        It may repeat coordinates that it was given; its attributes go to the store.
    axes: name -> values of the grid (numbers or strings); the order is the order of the dims.
    lanes: names of the axes that one cell computes together.
    realisations: how often the grid is computed, each time with another seed (disorder).
    seed: int, 0 <= seed < 2**64.
    title: what the numbers are, for whoever finds them.
    settings: name -> value (JSON) of whatever else determines the numbers; they are recorded, and
        a store made with others is refused.

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

    def __post_init__(self):
        if not isinstance(self.axes, Mapping):
            raise TypeError(f"axes must map names to values, got {self.axes!r}: write a dict")
        axes = {name: storage.axis(name, values) for name, values in self.axes.items()}
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
        keep("settings", json.loads(storage.as_json(self.settings)))
        _require_callable(self.cell, axes)

    @property
    def outer(self) -> tuple[str, ...]:
        """The dims that count cells: all axes but the lanes, and the realisation."""
        return (*(name for name in self.axes if name not in self.lanes), "realisation")

    @property
    def coordinates(self) -> dict[str, np.ndarray]:
        """Every dim of the grid with its values, in the order of the store."""
        return {**self.axes, "realisation": np.arange(self.realisations)}

    def identity(self) -> dict[str, object]:
        """The attributes by which a store is known to hold this computation."""
        return {
            "format": storage.FORMAT,
            "title": self.title,
            "axes": " ".join(self.axes),
            "lanes": " ".join(self.lanes),
            "settings": storage.as_json(self.settings),
            "seed": self.seed,
            "stream_version": STREAM_VERSION,
        }

    def point(self, index: storage.Index) -> dict[str, object]:
        """The coordinates of one cell: scalars, and for lanes arrays of its own.

        index: position along each of the dims `outer`.
        """
        at = dict(zip(self.outer, index, strict=True))
        return {
            name: values[at[name]].item() if name in at else values.copy()
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
        """Compute every cell that the store does not hold yet; return the whole, opened lazily.

        The very first cell is computed before all others and shows what a cell looks like: in this
        process, or by a worker of the given Dask client. If it fails, nothing is stored.

        store: path of the directory; made if nothing is there, continued if it holds this sweep.
        client: None for processes of this machine, closed afterwards; "threads" for threads of this
            process (notebooks); the address of a Dask scheduler ("tcp://host:port") whose workers
            see the same file system and have hopfield_sim installed; or a `distributed.Client`.
        workers: how many processes or threads; None: one for each core this process may use. The
            scheduler of Dask has its own.
        progress: show a bar if standard error is a terminal.
        provenance: name -> value (JSON) to record beside date, versions and machine.

        Raises ValueError if the store holds something else (nothing is changed then), TypeError
        for another kind of client, ConnectionError if no scheduler answers, and RuntimeError at the
        end if cells failed: it names them, and all others are stored.
        """
        path = Path(os.path.abspath(Path(store).expanduser()))
        if workers is not None:
            workers = _whole("workers", workers, 1, 2**16)
        job = _Job(self, path, STREAM_VERSION, uuid.uuid4().hex)
        entry = json.loads(storage.as_json(provenance or {}))
        entry |= {"run": job.run, **storage.circumstances()}
        with _pool(client, workers) as pool:
            failed = self._fill(job, pool, entry, progress)
        if failed:
            raise RuntimeError(self._account(failed, f"the others are kept in {path}"))
        return storage.opened(path)

    def _fill(self, job: _Job, pool: _Pool, entry: dict, progress: bool) -> dict:
        """Compute what is missing, record how, and return the traceback of each failed cell."""
        from tqdm import tqdm

        began, computed, failed = time.monotonic(), 0, {}
        if not os.path.lexists(job.path):
            self._begin(job, pool)
            computed = 1
        storage.verify(job.path, self)
        done = storage.opened(job.path)["done"].values
        pending = [tuple(map(int, index)) for index in np.argwhere(~done)]
        if not (computed or pending):
            return failed
        entry |= {"client": pool.name, "workers": pool.workers}
        storage.record(job.path, entry)
        bar = tqdm(
            desc=self.title or None,
            total=done.size,
            initial=done.size - len(pending),
            unit="cell",
            disable=None if progress else True,  # None: shown on a terminal only
        )
        try:
            with bar, contextlib.closing(pool.outcomes(job, pending)) as outcomes:
                for index, error in outcomes:
                    if error is None:
                        computed += 1
                    else:
                        failed[index] = error
                        bar.set_postfix(failed=len(failed), refresh=False)
                    bar.update()
        finally:
            seconds = round(time.monotonic() - began, 3)
            storage.record(job.path, entry | {"cells": computed, "seconds": seconds})
        return failed

    def _begin(self, job: _Job, pool: _Pool) -> None:
        """Compute the first cell and make the store from it."""
        first = (0,) * len(self.outer)
        piece = pool.first(job, first)
        if isinstance(piece, str):
            raise RuntimeError(self._account({first: piece}, "it was the first; nothing is stored"))
        storage.create(job.path, self, piece, first)

    def _account(self, failed: dict[storage.Index, str], rest: str) -> str:
        """What to say about failed cells: how many, which, what became of the rest, and why."""
        names = []
        for index in sorted(failed)[:20]:
            point = self.point(index)
            names.append("(" + ", ".join(f"{d}={point[d]!r}" for d in self.outer) + ")")
        more = f" and {len(failed) - 20} more" if len(failed) > 20 else ""
        return (
            f"{len(failed)} cell{'s' * (len(failed) > 1)} failed: {', '.join(names)}{more}; {rest}."
            f" Running again computes what is missing. The first of them:\n{failed[min(failed)]}"
        )


@dataclass(frozen=True)
class _Job:
    """What a worker needs to know; `run` keeps runs apart in the memory of long-lived workers."""

    sweep: Sweep
    path: Path
    stream_version: int
    run: str

    @functools.cached_property
    def layout(self) -> storage.Layout:
        """The opened store, once a worker."""
        return storage.Layout(self.path)

    def computed(self, index: storage.Index) -> dict[str, xr.Variable] | str:
        """One cell, or the traceback of its failure: failing again elsewhere would be a waste."""
        try:
            if self.stream_version != STREAM_VERSION:
                raise RuntimeError(
                    f"the sweep draws stream version {self.stream_version} and this worker"
                    f" {STREAM_VERSION}: install the same hopfield_sim on all machines"
                )
            point = self.sweep.point(index)
            seed = (self.sweep.seed, point.pop("realisation"))
            return storage.placed(self.sweep.cell(seed=seed, **point), self.sweep, index)
        except Exception:
            return traceback.format_exc()

    def stored(self, index: storage.Index) -> str | None:
        """Compute one cell and write it; an error of the file system is raised, to be retried."""
        if self.layout.is_done(index):  # by a worker lost before it could tell, or by another run
            return None
        piece = self.computed(index)
        problem = piece if isinstance(piece, str) else self.layout.difference(piece)
        if problem is None:
            self.layout.write(piece, index)
        return problem


@dataclass(frozen=True)
class _Pool:
    """Who computes: `client` is None, "threads" or a connected client of Dask."""

    client: object
    workers: int

    @property
    def name(self) -> str:
        """Who computed, for the provenance."""
        return "processes" if self.client is None else str(self.client)

    def first(self, job: _Job, index: storage.Index) -> dict[str, xr.Variable] | str:
        """One cell, or the traceback of its failure."""
        if self.client is None or self.client == "threads":
            return job.computed(index)  # here: it also compiles kernels before workers start
        ((_, piece),) = _by_dask(self.client, job, "computed", [index])
        return piece

    def outcomes(self, job: _Job, indices: list[storage.Index]) -> Iterator[tuple]:
        """Compute and store cells; yield (index, None or a traceback) in order of completion."""
        if not indices:
            return
        if self.client == "threads":
            yield from _by_threads(self.workers, job, indices)
        elif self.client is not None:
            yield from _by_dask(self.client, job, "stored", indices)
        else:
            from distributed import Client, LocalCluster

            with (
                LocalCluster(
                    n_workers=min(self.workers, len(indices)),
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=None,  # a large cell may take more than its share
                    # None would still take port 8787, and warn where another cluster has it
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                ) as cluster,
                Client(cluster, set_as_default=False) as client,
            ):
                yield from _by_dask(client, job, "stored", indices)


@contextlib.contextmanager
def _pool(client, workers: int | None) -> Iterator[_Pool]:
    """Connect to whom the user named, and disconnect where an address was named."""
    if client is None or isinstance(client, str) and client == "threads":
        from dask.system import CPU_COUNT  # respects affinity and the limits of a container

        yield _Pool(client, workers or CPU_COUNT)
    elif isinstance(client, str) and "://" in client:
        from distributed import Client

        try:
            connected = Client(client, timeout=_PATIENCE, set_as_default=False)
        except OSError as error:
            raise ConnectionError(
                f"no Dask scheduler answered at {client} within {_PATIENCE} s: start one with"
                f" `dask scheduler` and workers with `dask worker {client}`, or use client=None"
            ) from error
        with connected:
            yield _Pool(connected, len(connected.nthreads()))
    elif "distributed" in sys.modules and isinstance(client, sys.modules["distributed"].Client):
        yield _Pool(client, len(client.nthreads()))
    else:
        raise TypeError(
            f"client must be None (processes of this machine), 'threads', the address of a Dask"
            f" scheduler such as 'tcp://host:8786', or a distributed.Client; got {client!r}"
        )


def _by_threads(workers: int, job: _Job, indices: list[storage.Index]) -> Iterator[tuple]:
    with ThreadPoolExecutor(workers) as pool:
        futures = {pool.submit(job.stored, index): index for index in indices}
        try:
            for future in as_completed(futures):
                error = future.exception()
                yield futures[future], future.result() if error is None else _told(error)
        finally:
            pool.shutdown(cancel_futures=True)


def _by_dask(client, job: _Job, task: str, indices: list[storage.Index]) -> Iterator[tuple]:
    """Yield (index, what that method of the job returned, or a traceback)."""
    from distributed import as_completed

    # The job is the result of a task: a worker fetches it once, and it survives a lost worker.
    payload = client.submit(bytes, _pickled(job), pure=False)
    futures = client.map(
        _on_worker, [payload] * len(indices), [task] * len(indices), indices, pure=False, retries=2
    )
    index_of = dict(zip((future.key for future in futures), indices, strict=True))
    try:
        for future, result in as_completed(
            futures, loop=client.loop, with_results=True, raise_errors=False
        ):
            if future.status != "finished":
                result = _told(result[1] if isinstance(result, tuple) else result)
            future.release()  # or a lost worker would cost all cells that it had finished
            yield index_of[future.key], result
    finally:
        client.cancel([future for future in futures if not future.done()])


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _on_worker(payload: bytes, task: str, index: storage.Index):
    return getattr(_unpickled(payload), task)(index)


@functools.lru_cache(maxsize=1)
def _unpickled(payload: bytes) -> _Job:
    import cloudpickle

    return cloudpickle.loads(payload)


def _pickled(job: _Job) -> bytes:
    """The job for a worker that cannot import the module of the cell, only installed packages."""
    import cloudpickle

    function = job.sweep.cell
    while isinstance(function, functools.partial):
        function = function.func
    name = getattr(function, "__module__", None) or ""
    if name == "__main__":  # python -m experiments.retrieval: its neighbours travel with it
        name = getattr(sys.modules[name], "__package__", None) or ""
    module = sys.modules.get(name)
    package = sys.modules.get(name.partition(".")[0], module)
    known = cloudpickle.list_registry_pickle_by_value()
    if module is None or not _is_local(module) or package.__name__ in known:
        return cloudpickle.dumps(job)
    cloudpickle.register_pickle_by_value(package)
    try:
        return cloudpickle.dumps(job)
    finally:
        cloudpickle.unregister_pickle_by_value(package)


def _is_local(module) -> bool:
    """Whether other machines lack this module: it is neither ours, nor Python's, nor installed."""
    if module.__name__.partition(".")[0] in {"hopfield_sim", *sys.stdlib_module_names}:
        return False
    files = [getattr(module, "__file__", None), *getattr(module, "__path__", [])]
    parts = {part for file in files if file for part in Path(file).parts}
    return bool(parts) and not parts & {"site-packages", "dist-packages"}


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
        inspect.signature(cell).bind(seed=None, **axes)
    except TypeError as error:
        raise TypeError(
            f"the cell must be callable as {call}, but {error}: name its arguments after the axes"
            f" and fix all others with functools.partial"
        ) from None
