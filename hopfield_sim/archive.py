"""What happens to stores after they were computed: merged, or packed into few files.

A store has one small file for each variable of each cell, which workers write without locks. Once
it is finished, `repack` puts the same numbers into one NetCDF file or a few sharded Zarr files;
`merge` unites what was computed in parts. `damaged` tells which cells cannot be read any more.
"""

from __future__ import annotations

import importlib.util
import itertools
import json
import math
import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from hopfield_sim import damage, grid, layout, provenance
from hopfield_sim import store as storage
from hopfield_sim.damage import damaged
from hopfield_sim.provenance import as_json

__all__ = ["damaged", "merge", "repack"]

_CHUNK = 2**20  # bytes that are read at once from a packed store
_SHARD = 2**27  # bytes of a file of a packed store, before compression


def merge(stores: Sequence[str | os.PathLike], into: str | os.PathLike) -> xr.Dataset:
    """Unite stores of one computation, on whatever grids; returns the whole, opened lazily.

    stores: paths of directories with the same identity (title, settings, seed, axes, lanes), the
        same variables and inner coordinates. They are not changed.
    into: path of a new store, or of one of the same computation, which may be among `stores`: it
        is given what it does not have. `Sweep.run` goes on in it as in any other. A new one has the
        latest format, whatever that of the `stores`.

    First every cell that two of them have is compared: its numbers must agree bit for bit (any NaN
    is NaN). Damaged cells count as pending. If merging is interrupted, merging again completes it.
    The entries of all in the provenance are kept.
    Raises ValueError, before anything is changed, for stores of different computations, cells that
    differ (they are named), axis values that differ by rounding only, stores without a finished
    cell, and a packed store as `into`; and what `opened` raises.
    """
    target = _absolute(into)
    paths = dict.fromkeys(_absolute(store) for store in stores)
    if not paths:
        raise ValueError("there is nothing to merge: name at least one store")
    if os.path.lexists(target):
        layout.require_unpacked(target)
        paths = dict.fromkeys([target, *paths])
    sources = [_Source(path) for path in paths]
    for other in sources[1:]:
        _require_alike(sources[0], other)
    whole = _Whole(sources)
    _require_agreement(sources, whole)
    place = None
    if sources[0].path == target:
        place = _prepared(target, whole, sources)
    for number, source in enumerate(sources):
        for point in whole.points_of(number) if source.path != target else ():
            piece = source.piece(point)
            if place is None:
                layout.create(target, whole, piece, point)
                place = _prepared(target, whole, sources)
            if not place.is_done(point) and (problem := place.write(piece, point)):
                raise ValueError(problem)
    return storage.opened(target)


def _absolute(path: str | os.PathLike) -> Path:
    return Path(os.path.abspath(Path(path).expanduser()))


class _Source:
    """One of the stores that are merged: its arrays, its grid, and which points of it are done."""

    def __init__(self, path: Path):
        storage.opened(path)  # refuses what is no store, and waits for one that is being enlarged
        inspection = damage.inspected(path)
        group = layout.root(path)
        self.path = path
        self.identity = {**group.attrs, "format": layout.FORMAT}
        self.arrays = dict(group.arrays())
        self.dims = {n: a.metadata.dimension_names for n, a in self.arrays.items()}
        sizes = dict(zip(inspection.dims, inspection.done.shape, strict=True))
        names = (*self.identity["axes"].split(), "realisation")
        self.grid = {name: _plain(self.arrays[name][...])[: sizes.get(name)] for name in names}
        self.lanes = tuple(self.identity["lanes"].split())
        shape = [values.size for values in self.grid.values()]
        counted = [sizes.get(name, 1) for name in names]  # in format 1, `done` had no lanes
        self.done = np.broadcast_to(inspection.done.reshape(counted), shape)
        self.inner = {
            name: _plain(array[...])
            for name, array in self.arrays.items()
            if self.dims[name] == (name,) and name not in names
        }
        self.variables = [n for n in self.arrays if n not in {*names, *self.inner, "done"}]

    def shape_of_cells(self) -> dict[str, tuple]:
        """What must be the same in stores that are merged: name -> dims, inner sizes, type."""
        return {
            name: (
                self.dims[name],
                tuple(
                    size
                    for d, size in zip(self.dims[name], self.arrays[name].shape, strict=True)
                    if d not in self.grid
                ),
                self.inner[name].tolist() if name in self.inner else None,
                layout.type_name(self.arrays[name].dtype),
            )
            for name in (*self.variables, *self.inner)
        }

    def values(self, name: str, point: Mapping[str, object]) -> np.ndarray:
        """A variable at one cell: its dims, of size 1 along those that count cells."""
        dims, where = self.dims[name], {}
        for d in self.grid.keys() & set(dims):
            where[d] = grid.positions(d, self.grid[d], np.atleast_1d(point[d]))
        cell = (
            slice(where[d][0], where[d][0] + 1)
            if d in where and d not in self.lanes
            else slice(None)
            for d in dims
        )
        found = self.arrays[name][tuple(cell)]
        for axis, d in enumerate(dims):
            if d in self.lanes:
                found = found.take(where[d], axis=axis)
        return found

    def piece(self, point: Mapping[str, object]) -> dict[str, xr.Variable]:
        """One cell, or some lanes of it, as `layout.placed` makes it."""
        found = {
            name: xr.Variable(name, values, dict(self.arrays[name].attrs))
            for name, values in {**self.grid, **self.inner}.items()
        }
        for name in self.variables:
            values, attributes = self.values(name, point), dict(self.arrays[name].attrs)
            found[name] = xr.Variable(self.dims[name], values, attributes)
        return found


def _plain(values: np.ndarray) -> np.ndarray:
    """Strings as NumPy's of fixed length, as they came from the axis or the cell."""
    return values if values.dtype.kind in "biuf" else np.array(values.tolist(), str)


class _Whole:
    """As much of a sweep as a store is made from, on the grid of all sources together."""

    def __init__(self, sources: Sequence[_Source]):
        self.attributes, self.lanes = sources[0].identity, sources[0].lanes
        self.coordinates = dict(sources[0].grid)
        count = max(source.grid["realisation"].size for source in sources)
        for name, values in self.coordinates.items():
            for source in sources[1:] if name != "realisation" else ():
                values = grid.joined(name, values, source.grid[name])
            self.coordinates[name] = values if name != "realisation" else np.arange(count)
        self.dims = tuple(self.coordinates)
        self.at = [
            {name: grid.positions(name, self.coordinates[name], v) for name, v in s.grid.items()}
            for s in sources
        ]
        self.done = np.stack([self._placed(*pair) for pair in zip(sources, self.at, strict=True)])
        if not self.done.any():
            raise ValueError("none of the stores has a finished cell: there is nothing to merge")
        # positions of the dims that count cells come first, then those of lanes
        self.order = [d for d in self.dims if d not in self.lanes] + list(self.lanes)

    def identity(self) -> dict[str, object]:
        """The attributes of identity of the store to be."""
        return self.attributes

    def _placed(self, source: _Source, at: Mapping[str, np.ndarray]) -> np.ndarray:
        done = np.zeros([values.size for values in self.coordinates.values()], bool)
        done[np.ix_(*at.values())] = source.done
        return done

    def _cells(self, mask: np.ndarray) -> Iterator[tuple[dict, np.ndarray]]:
        """Each cell with a point of `mask` in it: its coordinates, and the mask of its lanes."""
        ordered = mask.transpose([self.dims.index(name) for name in self.order])
        count = len(self.order) - len(self.lanes)
        for index in np.argwhere(ordered.any(axis=tuple(range(count, ordered.ndim)))):
            at = zip(self.order, index.tolist(), strict=False)
            yield {d: self.coordinates[d][i].item() for d, i in at}, ordered[tuple(index)]

    def points_of(self, number: int) -> Iterator[dict[str, object]]:
        """What a source has and none before it: cells, or products of lanes of a cell."""
        fresh = self.done[number] & ~self.done[:number].any(axis=0)
        for point, lanes in self._cells(fresh):
            for chosen in grid.rectangles(lanes):
                pairs = zip(self.lanes, chosen, strict=True)
                yield point | {name: self.coordinates[name][at] for name, at in pairs}

    def shared(self, one: int, other: int) -> Iterator[tuple[dict, np.ndarray, np.ndarray]]:
        """Each cell of which two sources have something: its coordinates, and their two masks."""
        lanes = tuple(self.dims.index(name) for name in self.lanes)
        first, second = self.done[one], self.done[other]
        both = first.any(axis=lanes, keepdims=True) & second.any(axis=lanes, keepdims=True)
        for (point, mine), (_, theirs) in zip(
            self._cells(first & both), self._cells(second & both), strict=True
        ):
            yield point, mine, theirs


def _require_alike(first: _Source, other: _Source) -> None:
    """Refuse stores of different computations: ValueError names each difference."""
    pairs = {}
    for number, source in enumerate((first, other)):
        known = {**source.identity, **source.shape_of_cells()}
        for name, value in json.loads(known.pop("settings")).items():
            known[f"settings.{name}"] = value
        for name, value in known.items():
            pairs.setdefault(name, ["nothing", "nothing"])[number] = value
    lines = [f"{name}: {a!r} and {b!r}" for name, (a, b) in sorted(pairs.items()) if a != b]
    if lines:
        raise ValueError(
            f"{first.path} and {other.path} hold different computations, and nothing was changed:"
            + "".join(f"\n  {line}" for line in lines)
            + "\nOnly parts of one computation can be merged; compare others side by side."
        )


def _require_agreement(sources: Sequence[_Source], whole: _Whole) -> None:
    """Refuse stores whose numbers differ at a cell that both have: ValueError names the cells."""
    conflicts, number = [], 0
    for one, other in itertools.combinations(range(len(sources)), 2):
        for point, mine, theirs in whole.shared(one, other):
            names = [
                name
                for name in sources[one].variables
                if _differs(name, point, (sources[one], sources[other]), (mine, theirs), whole)
            ]
            number += bool(names)
            if names and len(conflicts) < 20:
                where = ", ".join(f"{d}={value!r}" for d, value in point.items())
                stores = f"{sources[one].path} and {sources[other].path}"
                conflicts.append(f"\n  ({where}): {', '.join(names)} in {stores}")
    if conflicts:
        more = f"\n  and {number - 20} more" if number > 20 else ""
        raise ValueError(
            f"{number} cell{'s' * (number > 1)} that two stores have differ, and nothing was"
            f" changed:{''.join(conflicts)}{more}\nA cell has the same numbers wherever it is"
            f" computed: look into the provenance of both (python -m hopfield_sim status) for what"
            f" was different, and merge without the one that is wrong."
        )


def _differs(name: str, point: dict, sources, masks, whole: _Whole) -> bool:
    """Whether two stores have different numbers of a variable where both have a cell, or lanes."""
    dims = sources[0].dims[name]
    lanes = [lane for lane in whole.lanes if lane in dims]
    others = tuple(k for k, lane in enumerate(whole.lanes) if lane not in dims)
    common = np.logical_and(*(mask.any(axis=others) for mask in masks))
    if not common.any():
        return False
    taken = {}
    for k, lane in enumerate(lanes):
        taken[lane] = np.flatnonzero(common.any(axis=tuple({*range(len(lanes))} - {k})))
    where = point | {lane: whole.coordinates[lane][at] for lane, at in taken.items()}
    mask = common[np.ix_(*taken.values())] if lanes else common
    mask = mask.reshape([taken[d].size if d in taken else 1 for d in dims])
    return bool((mask & ~_identical(*(source.values(name, where) for source in sources))).any())


def _identical(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Where two arrays are the same bit for bit; any NaN is any other."""
    if one.dtype.kind == "c":
        return _identical(one.real, other.real) & _identical(one.imag, other.imag)
    if one.dtype.kind != "f":
        return one == other
    bits = np.dtype(f"u{one.dtype.itemsize}")
    same = np.ascontiguousarray(one).view(bits) == np.ascontiguousarray(other).view(bits)
    return same | np.isnan(one) & np.isnan(other)


def _prepared(target: Path, whole: _Whole, sources: Sequence[_Source]) -> layout.Layout:
    """The store to be merged into, with a place for everything and the provenance of all."""
    place = storage.prepared(target, whole)
    known = {entry["run"]: entry for entry in provenance.runs(target)}
    entries = [entry for source in sources for entry in provenance.runs(source.path)]
    for entry in sorted(entries, key=lambda entry: entry["date"]):
        mine = known.get(entry["run"], {})
        if not mine or mine.get("heard", "") < entry.get("heard", ""):
            provenance.record(target, entry)
    return place


def repack(store: str | os.PathLike, into: str | os.PathLike, partial: bool = False) -> xr.Dataset:
    """The same numbers in few files; returns them, opened lazily from their new place.

    store: path of a finished sweep; it stays as it is.
    into: path where nothing is yet. With the suffix .nc: one NetCDF file, by h5netcdf or netCDF4,
        or else the older NetCDF 3 (there integers are of 32 bits); the provenance is the attribute
        `runs` of a variable `provenance`. Anything else: a Zarr directory with one or a few files
        for each variable, which `opened`, `status` and `merge` read as any store; `Sweep.run`
        reuses it, and refuses to write into it.
    partial: pack an unfinished one too, with NaN, 0 or False where cells are pending.

    It is written beside its place, a variable (NetCDF) or 128 MiB at a time, and appears there
    whole or not at all.
    Raises ValueError for an unfinished store without `partial`, one with damaged cells, and what
    NetCDF cannot hold; FileExistsError if something is at `into`; and what `opened` raises.
    """
    path, target = _absolute(store), _absolute(into)
    if os.path.lexists(target):
        raise FileExistsError(
            f"{target} exists, and nothing was changed: repack into another name, or delete it"
            f" yourself"
        )
    storage.opened(path)
    found = damage.inspected(path)
    if found.damaged.any():
        raise ValueError(
            f"{int(found.damaged.sum())} finished points of {path} cannot be read, such as"
            f" {found.cells(path)[0]}: run that sweep again, which computes them anew, then repack"
        )
    if not (partial or found.done.all()):
        raise ValueError(
            f"{int((~found.done).sum())} of {found.done.size} points of {path} are pending: run"
            f" that sweep again to finish it, or repack what is there with partial=True (--partial)"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_name(f".{target.stem}.{uuid.uuid4().hex}{target.suffix}")
    is_netcdf = target.suffix == ".nc"
    try:
        (_write_netcdf if is_netcdf else _write_packed)(path, draft)
        draft.rename(target)
    finally:
        if draft.is_file():
            draft.unlink()
        shutil.rmtree(draft, ignore_errors=True)
    return xr.open_dataset(target, engine=_engine()) if is_netcdf else storage.opened(target)


def _engine() -> str:
    """How NetCDF is written here."""
    engines = {"h5netcdf": "h5netcdf", "netCDF4": "netcdf4"}
    return next((e for m, e in engines.items() if importlib.util.find_spec(m)), "scipy")


def _write_netcdf(path: Path, draft: Path) -> None:
    found, engine = storage.opened(path), _engine()
    has_complex = [name for name, v in found.variables.items() if v.dtype.kind == "c"]
    if has_complex:
        raise ValueError(
            f"NetCDF has no complex numbers, and {', '.join(has_complex)} of {path} has: repack"
            f" into a Zarr directory, a name without .nc"
        )
    about = {"long_name": "date, versions and machine of each run", "units": "1"}
    about["runs"] = as_json(provenance.runs(path))
    found["provenance"] = xr.Variable((), np.int8(0), about)
    for name, coordinate in found.coords.items():
        if coordinate.dtype.kind == "T":  # as some versions of xarray read strings
            found[name] = coordinate.copy(data=_plain(coordinate.values))
    for variable in found.variables.values():
        variable.encoding.pop("dtype", None)  # that of Zarr
        variable.attrs = {name: _attribute(value) for name, value in variable.attrs.items()}
    try:
        found.to_netcdf(draft, engine=engine)
    except ValueError as error:
        if engine != "scipy":
            raise
        raise ValueError(
            f"{path} does not fit into NetCDF 3, which alone can be written here ({error}): install"
            f" h5netcdf (pip install 'hopfield-sim[netcdf]'), or repack into a Zarr directory, a"
            f" name without .nc"
        ) from error


def _attribute(value: object) -> object:
    """An attribute as NetCDF has it: a text, a number, an array of numbers; all else as JSON."""
    values = value if isinstance(value, list) and value else [value]
    plain = isinstance(value, str) or all(type(v) in (int, float) for v in values)
    return value if plain else as_json(value)


def _write_packed(path: Path, draft: Path) -> None:
    import zarr

    old = layout.root(path)
    new = zarr.open_group(draft, mode="w-", zarr_format=3, attributes=dict(old.attrs))
    runs = as_json(provenance.runs(path))
    new.create_group("provenance", attributes={"runs": runs})
    for name, array in old.arrays():
        dims = array.metadata.dimension_names
        chunks, shards = array.shape, None
        if dims != (name,):  # no coordinate, of which there is little
            chunks = _grown([1] * array.ndim, array.shape, _CHUNK // array.dtype.itemsize)
            shards = _grown(chunks, array.shape, _SHARD // array.dtype.itemsize)
        packed = new.create_array(
            name,
            shape=array.shape,
            chunks=tuple(chunks),
            shards=shards and tuple(shards),
            compressors=layout.compressors(),
            dtype=array.dtype,
            fill_value=array.fill_value,
            dimension_names=dims,
            attributes=dict(array.attrs),
            config={"write_empty_chunks": True},
        )
        sizes = shards or chunks
        for at in np.ndindex(*(-(-n // size) for n, size in zip(array.shape, sizes, strict=True))):
            region = tuple(slice(i * n, (i + 1) * n) for i, n in zip(at, sizes, strict=True))
            packed[region] = array[region]


def _grown(unit: Sequence[int], shape: Sequence[int], most: int) -> list[int]:
    """Whole numbers of units along each dim, the last ones first, `most` values in all."""
    sizes = list(unit)
    for d in reversed(range(len(shape))):
        room = max(1, most // math.prod(sizes))
        sizes[d] *= min(room, -(-shape[d] // sizes[d]))
    return sizes
