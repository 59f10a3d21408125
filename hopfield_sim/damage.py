"""Which cells of a store can still be read, after broken disks and interrupted copies.

Every file of a store ends in its checksum, and that of a finished cell is there: one that was
truncated, changed or lost is found by reading the files, without decompressing them.
"""

from __future__ import annotations

import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hopfield_sim import provenance
from hopfield_sim.layout import require_unpacked, root

_READERS = 8  # files read at once: on a network each takes its time
_FEW = 4  # of so many flags, one must be there for all to be read at once
_BATCH = 256  # files that a reader is handed

_SOUND, _MISSING, _BROKEN = range(3)


@dataclass(frozen=True)
class Inspection:
    """What is known of the cells of a store after its files were read.

    dims: of both arrays, those of the variable `done`. done: bool, computed, stored and readable.
    damaged: bool, said to be stored, but part of it cannot be read. files: that cannot be read.
    """

    dims: tuple[str, ...]
    done: np.ndarray
    damaged: np.ndarray
    files: tuple[Path, ...]

    def cells(self, path: Path) -> list[dict[str, object]]:
        """The coordinates of the damaged points: name -> value of each."""
        group = root(path)
        values = [group[name][...].tolist() for name in self.dims]
        return [
            {name: values[d][i] for d, (name, i) in enumerate(zip(self.dims, index, strict=True))}
            for index in np.argwhere(self.damaged)
        ]


def damaged(store: str | os.PathLike) -> list[dict[str, object]]:
    """The finished points of a grid that cannot be read: a file truncated, changed or missing.

    store: path of the directory. All files of cells are read, in about 30 ms for 1,000 of them; in
    a store of format 1, which has no checksums, they are decompressed, in 0.3 s for 1,000, and a
    missing one is not noticed.

    Returns the coordinates of each point, name -> value. `Sweep.run` computes them again. Raises
    what `opened` raises, and OSError where files are there and must not be read.
    """
    path = Path(store).expanduser()
    return inspected(path).cells(path)


def inspected(path: Path) -> Inspection:
    """Read every file of every cell of the store at `path`."""
    group = root(path)
    flags = group["done"]
    dims = flags.metadata.dimension_names
    done, lost, files, readable = np.zeros(flags.shape, bool), np.zeros(flags.shape, bool), [], []
    for region, file, state in _states(path, flags, dims):
        if state == _BROKEN:
            lost[region] = True
            files.append(Path(file))
        elif state == _SOUND:
            readable.append(region)
    if len(readable) > flags.nchunks // _FEW and not lost.any():
        readable = [(slice(None),) * done.ndim]  # at once is faster, but also asks for what is not
    for region in readable:
        done[region] = flags[region]
    for name, array in group.arrays():
        along = set(array.metadata.dimension_names)
        if name in ("done", *dims) or not along & set(dims):
            continue
        must_be = _is_checked(array) or array.shards
        for region, file, state in _states(path, array, dims):
            if state == _BROKEN:
                files.append(Path(file))
            if state == _BROKEN or state == _MISSING and must_be:
                lost[region] |= done[region]
    return Inspection(dims, done & ~lost, lost, tuple(files))


def recovered(path: Path) -> Inspection:
    """Let the damaged cells of a store count as pending, and tell which they are.

    Their files are renamed to *.damaged, so that whoever computes the cells finds places that are
    empty. Cells that are sound, and stores with nothing else, are left alone.
    """
    found = inspected(path)
    if not (found.damaged.any() or found.files):
        return found
    require_unpacked(path)
    with provenance.locked(path):
        found = inspected(path)  # again: another run may have done it
        in_flags = [file for file in found.files if file.is_relative_to(path.absolute() / "done")]
        _rename(in_flags)  # now no cell in them counts as done
        flags = root(path, "r+")["done"].with_config({"write_empty_chunks": True})
        for at in np.ndindex(*(-(-n // c) for n, c in zip(flags.shape, flags.chunks, strict=True))):
            sizes = zip(at, flags.chunks, strict=True)
            region = tuple(slice(i * c, (i + 1) * c) for i, c in sizes)
            if found.damaged[region].any():
                flags[region] = flags[region] & ~found.damaged[region]
        _rename(file for file in found.files if file not in in_flags)
    return found


def _rename(files: Iterable[Path]) -> None:
    for file in files:
        file.replace(file.with_name(f"{file.name}.damaged"))


def _is_checked(array) -> bool:
    from zarr.codecs import Crc32cCodec

    return isinstance(array.metadata.codecs[-1], Crc32cCodec)


def _states(path: Path, array, outer: tuple[str, ...]) -> Iterator[tuple[tuple, str, int]]:
    """Read each chunk of an array: its region along `outer`, its file and its state."""
    dims, shape, unit = array.metadata.dimension_names, array.shape, array.chunks
    shards, named = array.shards or unit, array.metadata.encode_chunk_key
    check = _unchanged if _is_checked(array) else _readable
    folder = os.path.abspath(os.path.join(path, array.path))
    there = _files(folder)  # a store of which few cells were asked for has few
    numbers = (range(-(-n // size)) for n, size in zip(shape, unit, strict=True))

    def chunks() -> Iterator[tuple]:
        """Each chunk: its region along `outer`, its file, and its slices of the array."""
        for at in itertools.product(*numbers):
            where = {
                d: slice(i * size, min((i + 1) * size, n))
                for d, i, size, n in zip(dims, at, unit, shape, strict=True)
            }
            key = tuple(i * size // s for i, size, s in zip(at, unit, shards, strict=True))
            region = tuple(where.get(d, slice(None)) for d in outer)
            yield region, os.path.join(folder, *named(key).split("/")), tuple(where.values())

    def checked(batch: list[tuple]) -> list[int]:
        """The states of some chunks; what is not there need not be opened."""
        return [
            check(array, file, where) if file in there else _MISSING for _, file, where in batch
        ]

    with ThreadPoolExecutor(_READERS) as pool:
        remaining, running = chunks(), deque()
        while batch := list(itertools.islice(remaining, _BATCH)):
            running.append((batch, pool.submit(checked, batch)))
            if len(running) > 2 * _READERS:
                yield from _told(*running.popleft())
        for pair in running:
            yield from _told(*pair)


def _files(folder: str) -> set[str]:
    """Every file below a folder."""
    return {os.path.join(place, name) for place, _, names in os.walk(folder) for name in names}


def _told(batch: list[tuple], states: Future) -> Iterator[tuple[tuple, str, int]]:
    for (region, file, _), state in zip(batch, states.result(), strict=True):
        yield region, file, state


def _unchanged(array, file: str, where: tuple) -> int:
    """Whether a file still ends in the CRC-32C, little endian, of what is before it."""
    import google_crc32c

    try:
        with open(file, "rb", buffering=0) as opened:
            content = opened.read()
    except FileNotFoundError:
        return _MISSING
    sum_ = google_crc32c.value(content[:-4]).to_bytes(4, "little")
    return _SOUND if content[-4:] == sum_ else _BROKEN


def _readable(array, file: str, where: tuple) -> int:
    """Whether Zarr can read these numbers. Without a checksum it notices only what it cannot
    decompress."""
    try:
        array[where]
    except OSError:
        raise
    except Exception:  # each codec has its own: ValueError, RuntimeError, struct.error, ...
        return _BROKEN
    return _SOUND
