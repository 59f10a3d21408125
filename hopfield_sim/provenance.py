"""When, where and with which versions numbers were computed, kept beside them.

The group `provenance` of a store has the attribute `runs`, a JSON list with one entry for each run.
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import json
import platform
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

_PATIENCE = 120  # seconds for others who read and replace something


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the store at `path` against other processes while something in it is read and replaced.

    The operating system releases the lock of a process that dies. Cells are written without it:
    a chunk belongs to one cell. The lock is a file beside the chunks of `done`, where no reader of
    Zarr looks.
    """
    import locket

    lock = locket.lock_file(str(path / "done" / ".lock"), timeout=_PATIENCE)
    try:
        lock.acquire()
    except locket.LockError as error:
        raise TimeoutError(
            f"{path} has been locked by another process for {_PATIENCE} s, which is far longer than"
            f" anything takes that needs the lock: end that process, if it hangs, and run again"
        ) from error
    except OSError as error:
        raise OSError(
            error.errno,
            f"{path} cannot be locked ({error.strerror}): a store needs a file system that can be"
            f" written and has locks (a Lustre one is mounted with -o flock)",
        ) from error
    try:
        yield
    finally:
        lock.release()


def runs(path: Path) -> list[dict[str, object]]:
    """The entries of a store, oldest first."""
    import zarr

    group = zarr.open_group(path / "provenance", mode="r", zarr_format=3)
    return json.loads(group.attrs["runs"])


def record(path: Path, entry: Mapping[str, object]) -> None:
    """Put an entry into the provenance of a store, in place of the one with the same `run`."""
    import zarr

    with locked(path):
        group = zarr.open_group(path / "provenance", mode="r+", zarr_format=3)
        entries = json.loads(group.attrs["runs"])
        known = [old["run"] for old in entries]
        at = known.index(entry["run"]) if entry["run"] in known else len(entries)
        entries[at : at + 1] = [dict(entry)]
        group.attrs["runs"] = as_json(entries)


def now() -> str:
    """The date and time as a text that sorts and that every machine reads alike."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def seconds_since(when: str) -> float:
    """How long ago `when`, a text of `now`, was."""
    return (datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds()


def duration(seconds: float) -> str:
    """A time in words, in the largest unit that it fills."""
    for length, name in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= length:
            return f"{seconds / length:.1f} {name}"
    return f"{seconds:.0f} s"


def circumstances() -> dict[str, object]:
    """What may differ between equal computations: date, versions, machine."""
    return {
        "date": now(),
        **{package: _version(package) for package in ("hopfield-sim", "numpy", "numba")},
        "revision": _revision(),
        "python": platform.python_version(),
        "host": platform.node(),
        "platform": platform.platform(),
    }


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:  # it runs from a folder, not installed
        return None


def _revision() -> str | None:
    """The git revision of this package with its uncommitted changes, if it runs from a checkout."""
    checkout = Path(__file__).parents[1]
    if not (checkout / ".git").exists():
        return None
    command = ["git", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=40"]
    try:
        answer = subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


def as_json(value: object) -> str:
    """JSON text with sorted keys; numbers and arrays of NumPy as plain ones, mappings as objects.

    Raises TypeError for what JSON cannot hold.
    """

    def plain(item):
        """What JSON has in place of an item that it does not know."""
        if isinstance(item, (np.generic, np.ndarray)):
            return item.tolist()
        if isinstance(item, Mapping):
            return dict(item)
        raise TypeError(
            f"{item!r} is recorded as JSON, which has no {type(item).__name__}: give numbers,"
            f" strings, lists or dicts"
        )

    return json.dumps(value, sort_keys=True, default=plain)
