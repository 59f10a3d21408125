"""The store of a sweep as a whole: reading it, how far it is, and making room in it.

`hopfield_sim.layout` says what is in it.
"""

from __future__ import annotations

import contextlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hopfield_sim import grid, provenance
from hopfield_sim.layout import FORMATS, Layout, require_unpacked, root, type_name
from hopfield_sim.provenance import as_json

if TYPE_CHECKING:
    from hopfield_sim.sweep import Sweep

_PATIENCE = 3  # seconds for another process to enlarge the grid


@dataclass(frozen=True)
class Status:
    """How far a sweep is.

    done, pending, total: cells of the whole grid in the store; where only some of them were asked
    for, `pending` counts those that were not, too. rate: cells per second of the last run; None
    before it said so. remaining: seconds that the pending ones take at that rate, None if no run
    seems to be at work. runs: what the provenance holds of each run, oldest first.
    """

    done: int
    pending: int
    total: int
    rate: float | None
    remaining: float | None
    runs: tuple[dict[str, object], ...]

    def __str__(self) -> str:
        lines = [f"{self.done} of {self.total} cells done, {self.pending} pending"]
        if self.rate:
            lines.append(f"{60 * self.rate:.3g} cells a minute in the last run")
        if self.remaining is not None:
            lines.append(f"{provenance.duration(self.remaining)} remaining at that rate")
        for run in self.runs:
            what = f"{run.get('cells', 0)} cells in {provenance.duration(run.get('seconds', 0))}"
            failed = f", {run['failed']} failed" if run.get("failed") else ""
            end = "ended" if run.get("ended") else f"last heard of {run.get('heard', 'never')}"
            where = f"{run.get('workers')} workers on {run.get('host')}"
            lines.append(f"  {run['date']}  {what}{failed}, {where}, {end}")
        return "\n".join(lines)


def opened(store: str | os.PathLike) -> xr.Dataset:
    """The results of a sweep as a Dataset whose values are read when used, finished or not.

    store: path of the directory. Points of the grid that are not `done` read as NaN, 0 or False.
    Raises FileNotFoundError if nothing is there, ValueError if it is no store of a sweep.
    """
    path = Path(store).expanduser()
    root(path)
    end = time.monotonic() + _PATIENCE
    while _growth(path) is not None:
        if time.monotonic() > end:
            raise _BrokenOff(
                f"{path} was being given a larger grid by a run that was killed: run that sweep"
                f" again, which completes the grid first; nothing is lost"
            )
        time.sleep(0.05)
    try:
        return xr.open_zarr(path, consolidated=False, chunks=None)
    except ValueError:  # sizes that differ, because the grid was enlarged in this moment?
        time.sleep(0.1)
    with _damage_told(path):
        return xr.open_zarr(path, consolidated=False, chunks=None)


@contextlib.contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """Whatever Zarr says of coordinates that cannot be read is told together with what to do."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        raise ValueError(
            f"{path} cannot be opened ({error}): its coordinates are damaged, and nothing was"
            f" changed. Put their files ({path.name}/NAME/c/0) back from a copy of the store, or"
            f" compute in another one"
        ) from error


class _BrokenOff(ValueError):
    """The enlargement of a grid was not completed."""


def completed(path: Path) -> xr.Dataset:
    """What `opened` returns, for who may write: a grid whose growth broke off is completed."""
    while True:
        try:
            return opened(path)
        except _BrokenOff:
            with provenance.locked(path), _writing(path):
                if (growth := _growth(path)) is not None:
                    _grow(path, growth)


def status(store: str | os.PathLike) -> Status:
    """How far a sweep is, while it runs or later: see `Status`.

    store: path of the directory. Raises what `opened` raises.
    """
    path = Path(store).expanduser()
    found = opened(path)
    lanes = set(found.attrs["lanes"].split()) & set(found["done"].dims)  # in format 1 none
    done = found["done"].all(lanes).values
    entries = tuple(provenance.runs(path))
    last = entries[-1] if entries else {}
    rate = last["cells"] / last["seconds"] if last.get("seconds") else None
    pending = int((~done).sum())
    remaining = pending / rate if rate and not last.get("ended") else None
    return Status(int(done.sum()), pending, done.size, rate, remaining, entries)


def prepared(path: Path, sweep: Sweep) -> Layout:
    """The store of a sweep, with a place for each point of its grid.

    Raises ValueError, and changes nothing, if the store holds another computation.
    """
    verify(path, sweep)
    if _growth(path) is not None or any(_missing(path, sweep).values()):
        require_unpacked(path)
        require_writable(path)
        with provenance.locked(path), _writing(path):
            if (growth := _growth(path)) is not None:  # the run that began it was killed
                _grow(path, growth)
            if any((missing := _missing(path, sweep)).values()):
                group = root(path)
                _grow(path, {name: group[name][...].tolist() + missing[name] for name in missing})
    return Layout(path)


def require_writable(path: Path) -> None:
    """Refuse a place where nothing can be written, or a full disk, before any work: OSError."""
    # among the chunks of `done` no reader of Zarr looks
    there = next(place for place in (path / "done", path, *path.parents) if place.exists())
    with _writing(path), tempfile.TemporaryFile(dir=there, prefix=".", buffering=0) as file:
        file.write(bytes(4096))


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    """What the file system refuses is told together with what to do."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(
            error.errno,
            f"{path} cannot be written ({os.strerror(error.errno)}): choose another place, or make"
            f" room or get the right to write there, and run again; nothing that was there is lost",
        ) from error


def verify(path: Path, sweep: Sweep) -> None:
    """Refuse a path that does not hold this computation: ValueError names each difference."""
    found, wanted = dict(root(path).attrs), sweep.identity()
    if found["format"] in FORMATS:
        found["format"] = wanted["format"]
    settings = [json.loads(attributes.pop("settings", "{}")) for attributes in (found, wanted)]
    pairs = {name: (found.get(name), value) for name, value in wanted.items()}
    for name in sorted(settings[0].keys() | settings[1].keys()):
        pairs[f"settings.{name}"] = tuple(s.get(name, "nothing") for s in settings)
    lines = [
        f"{name}: the store has {old!r}, this sweep {new!r}"
        for name, (old, new) in pairs.items()
        if old != new
    ]
    if lines:
        raise ValueError(
            f"{path} holds another computation, and nothing was changed:\n  "
            + "\n  ".join(lines)
            + "\nChoose another store path, or delete that store yourself."
        )


def _missing(path: Path, sweep: Sweep) -> dict[str, list]:
    """The values of each axis that the store has no place for; ValueError where they cannot be."""
    group, missing = root(path), {}
    for name, values in sweep.coordinates.items():
        with _damage_told(path):
            known = group[name][...]
        if type_name(known.dtype) != type_name(values.dtype):
            raise ValueError(
                f"{path} has {name} of type {type_name(known.dtype)}, this sweep of type"
                f" {type_name(values.dtype)}, and nothing was changed: give numbers of that type"
            )
        missing[name] = values[grid.positions(name, known, values) < 0].tolist()
        if missing[name] and name not in group["done"].metadata.dimension_names:
            raise ValueError(
                f"{path} is a store of format 1, whose cells take no further values of a lane"
                f" ({name}), and nothing was changed: `python -m hopfield_sim merge` makes one of"
                f" format 2 from it, which does"
            )
    return missing


def _growth(path: Path) -> dict[str, list] | None:
    """The axes that a store is about to have, while it is given them or if that broke off."""
    import zarr

    attributes = zarr.open_group(path / "provenance", mode="r", zarr_format=3).attrs
    return json.loads(attributes["growth"]) if "growth" in attributes else None


def _grow(path: Path, axes: Mapping[str, list]) -> None:
    """Give the store these axes, which begin with those that it has.

    They are written down before anything is changed, so that whoever comes after one who was killed
    completes it: doing all or part of it again changes nothing.
    """
    import zarr

    notes = zarr.open_group(path / "provenance", mode="r+", zarr_format=3)
    notes.attrs["growth"] = as_json(axes)
    for name, array in root(path, "r+").arrays():
        dims = array.metadata.dimension_names
        sizes = zip(dims, array.shape, strict=True)
        array.resize(tuple(len(axes[d]) if d in axes else n for d, n in sizes))
        if name in axes:
            array[...] = np.array(axes[name], str if array.dtype.kind in "TO" else array.dtype)
    del notes.attrs["growth"]
