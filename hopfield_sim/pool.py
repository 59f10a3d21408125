"""Who computes: threads, processes of this machine, or the workers of a Dask scheduler.

A job is anything with a method `stored(task)` that returns None, or the text of what went wrong.
Tasks are handed out as they are asked for, so that the memory of this process does not grow with
their number; whoever computes one stores it, and only the word that it is done comes back.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import time
import traceback
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from hopfield_sim import device

_PATIENCE = 10  # seconds for a scheduler to answer
_AHEAD = 3  # tasks waiting for each thread of a worker, so that it never waits for the next
_LOOK = 5.0  # seconds between two looks at how many workers there are


@dataclass(frozen=True)
class Pool:
    """`client` is None (processes, made when needed), "threads" or a connected client of Dask."""

    client: object
    workers: int

    @property
    def name(self) -> str:
        """Who computed, for the provenance."""
        return "processes" if self.client is None else str(self.client)

    def outcomes(self, job, tasks: Iterable[tuple], at_most: int) -> Iterator[tuple]:
        """Compute tasks; yield (task, None or a text) in order of completion.

        at_most: no more tasks than this will come: no more processes are made.
        """
        if at_most < 1:
            return
        if self.client == "threads":
            yield from _by_threads(self.workers, job, tasks)
        elif self.client is not None:
            yield from _by_dask(self.client, job, tasks)
        else:
            from distributed import Client, LocalCluster

            with (
                LocalCluster(
                    n_workers=min(self.workers, at_most),
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=None,  # a large cell may take more than its share
                    # None would still take port 8787, and warn where another cluster has it
                    dashboard_address="127.0.0.1:0",
                    scheduler_kwargs={"dashboard": False},
                ) as cluster,
                Client(cluster, set_as_default=False) as client,
            ):
                yield from _by_dask(client, job, tasks)


@contextlib.contextmanager
def connected(client, workers: int | None) -> Iterator[Pool]:
    """Connect to whom the user named, and disconnect where an address was named.

    Raises TypeError for another kind of client, ConnectionError if no scheduler answers.
    """
    if client is None or isinstance(client, str) and client == "threads":
        from dask.system import CPU_COUNT  # respects affinity and the limits of a container

        yield Pool(client, workers or CPU_COUNT)
    elif isinstance(client, str) and "://" in client:
        from distributed import Client

        try:
            found = Client(client, timeout=_PATIENCE, set_as_default=False)
        except OSError as error:
            raise ConnectionError(
                f"no Dask scheduler answered at {client} within {_PATIENCE} s: start one with"
                f" `dask scheduler` and workers with `dask worker {client}`, or use client=None"
            ) from error
        with found:
            yield Pool(found, len(found.nthreads()))
    elif "distributed" in sys.modules and isinstance(client, sys.modules["distributed"].Client):
        yield Pool(client, len(client.nthreads()))
    else:
        raise TypeError(
            f"client must be None (processes of this machine), 'threads', the address of a Dask"
            f" scheduler such as 'tcp://host:8786', or a distributed.Client; got {client!r}"
        )


def _by_threads(workers: int, job, tasks: Iterable[tuple]) -> Iterator[tuple]:
    tasks = iter(tasks)
    with _single_threaded(), ThreadPoolExecutor(workers) as pool:
        running = {pool.submit(job.stored, task): task for task in islice(tasks, workers)}
        try:
            while running:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    error = future.exception()
                    yield running.pop(future), future.result() if error is None else _told(error)
                    for task in islice(tasks, 1):
                        running[pool.submit(job.stored, task)] = task
        finally:
            pool.shutdown(cancel_futures=True)


def _by_dask(client, job, tasks: Iterable[tuple]) -> Iterator[tuple]:
    """Yield (task, what the job returned, or a traceback)."""
    from distributed import as_completed

    # The job is the result of a task: a worker fetches it once, and it survives a lost worker.
    payload = client.submit(bytes, _pickled(job), pure=False)
    running, tasks = {}, iter(tasks)
    finished = as_completed(loop=client.loop, with_results=True, raise_errors=False)
    room, looked = 0, -_LOOK

    def submit() -> None:
        """Hand out tasks until each thread of the workers that are there now has enough."""
        nonlocal room, looked
        if time.monotonic() - looked >= _LOOK:  # workers come and go
            room, looked = _AHEAD * max(1, sum(client.nthreads().values())), time.monotonic()
        for task in islice(tasks, max(0, room - len(running))):
            future = client.submit(_on_worker, payload, task, pure=False, retries=2)
            running[future.key] = future, task
            finished.add(future)

    try:
        submit()
        for future, result in finished:
            # not by `future.status`: of one that has finished it changes if its worker is lost now
            if isinstance(result, tuple | BaseException):
                result = _told(result[1] if isinstance(result, tuple) else result)
            task = running.pop(future.key)[1]
            future.release()  # or a lost worker would cost all cells that it had finished
            submit()
            yield task, result
    finally:
        client.cancel([future for future, _ in running.values()])


def _told(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def _on_worker(payload: bytes, task: tuple):
    return _unpickled(payload).stored(task)


@functools.lru_cache(maxsize=1)
def _unpickled(payload: bytes):
    import cloudpickle

    job = cloudpickle.loads(payload)
    _single_threaded()  # for good: this process is a worker
    device.keep_freed_memory()
    return job


def _single_threaded():
    """Let BLAS and OpenMP use one thread of this process, until the context that is returned ends.

    Cells are what runs side by side. A nanny of Dask says the same by environment variables, but
    not if the machine has set them, and there is none in a notebook or behind --no-nanny.
    """
    import scipy.linalg  # noqa: F401 - the limits are those of libraries that are loaded by now
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1)


def _pickled(job) -> bytes:
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
