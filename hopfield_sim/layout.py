"""What a store of a sweep looks like: one Zarr directory (format 3), for any reader of Zarr.

Each variable has the dims of the grid, `realisation` and its inner dims; one chunk is one cell, so
workers need no locks. The boolean `done`, over the grid, is written after the data of a cell.
Values that are added to an axis later stand behind those that were there, and lanes that are added
to a cell go into chunks of their own. The root has the attributes of identity, equal for equal
computations; `hopfield_sim.provenance` says what the group of that name holds.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from hopfield_sim import grid, provenance
from hopfield_sim.provenance import as_json

if TYPE_CHECKING:
    from hopfield_sim.sweep import Sweep

FORMAT = "hopfield-sim sweep 2"
"""In 1, which is read and resumed still, `done` had no lanes."""

FORMATS = ("hopfield-sim sweep 1", FORMAT)

Index = tuple[int, ...]


def root(path: Path, mode: str = "r"):
    """The Zarr group at a path, if it is the store of a sweep.

    Raises FileNotFoundError if nothing is there, ValueError if it is something else, or was made by
    a later version.
    """
    import zarr

    if not os.path.lexists(path):
        raise FileNotFoundError(f"there is no store at {path}")
    try:
        group = zarr.open_group(path, mode=mode, zarr_format=3)
        form = str(group.attrs.get("format"))
    except (OSError, ValueError, KeyError):  # no group of Zarr at all
        form = ""
    if form in FORMATS:
        return group
    if form.startswith(FORMAT.rstrip("0123456789")):
        raise ValueError(
            f"{path} has the format {form!r}, and this version of hopfield_sim knows"
            f" {' and '.join(map(repr, FORMATS))}: nothing was changed; install a later version"
        )
    raise ValueError(
        f"{path} exists and is no store of a sweep, and nothing was changed: choose another path"
    )


def create(path: Path, sweep: Sweep, piece: Mapping[str, xr.Variable], point: Mapping) -> None:
    """Make a store around a first cell, beside its place, and move it there in one step.

    piece, point: a cell as `placed` makes it, and its coordinates. Should another process have made
    a store there meanwhile, that one stays.
    """
    import zarr

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        group = zarr.open_group(draft, mode="w-", zarr_format=3, attributes=sweep.identity())
        axes = {name: xr.Variable(name, values) for name, values in sweep.coordinates.items()}
        axes["realisation"].attrs["long_name"] = "realisation of the disorder"
        done = xr.Variable(tuple(axes), np.zeros((1,) * len(axes), bool))
        done.attrs["long_name"] = "whether the point is computed and stored"
        whole = {name: values.size for name, values in axes.items()}
        lanes = {name: whole[name] for name in sweep.lanes}
        for name, variable in {**axes, **piece, "done": done}.items():
            if name in axes:
                variable = axes[name]
                if name in piece:
                    variable.attrs.update(piece[name].attrs)
                chunks = (max(4096, variable.size),)  # with room for values that are added
            else:
                chunks = tuple((variable.sizes | lanes)[d] for d in variable.dims)
            shape = tuple((variable.sizes | whole)[d] for d in variable.dims)
            array = _add(group, name, variable, shape, chunks)
            if variable.dims == (name,):
                array[...] = variable.values
        group.create_group("provenance", attributes={"runs": "[]"})
        Layout(draft).write(piece, point)
        try:
            draft.rename(path)
        except OSError:
            if not path.exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _add(group, name: str, variable: xr.Variable, shape: Index, chunks: Index):
    """A new array with the type and the attributes of a variable."""
    kind = variable.dtype.kind
    described = {"long_name": name.replace("_", " "), "units": "1"} | variable.attrs
    return group.create_array(
        name,
        shape=shape,
        chunks=chunks,
        compressors=compressors(),
        dtype=str if kind == "U" else variable.dtype,  # the format has no strings of fixed length
        fill_value=_fill(kind),
        dimension_names=variable.dims,
        attributes=json.loads(as_json(described)),
    )


def compressors() -> list:
    """The last codecs of every array: each chunk ends in the checksum of what is before it.

    So a damaged chunk is never read as numbers, and is found without decompressing it.
    """
    from zarr.codecs import Crc32cCodec, ZstdCodec

    return [ZstdCodec(), Crc32cCodec()]


def require_unpacked(path: Path) -> None:
    """Refuse to write into a packed store, whose files hold many cells each: ValueError."""
    if root(path)["done"].shards is not None:
        raise ValueError(
            f"{path} is packed: nothing is added to it, and nothing was changed. A store that can"
            f" go on is made from it by `python -m hopfield_sim merge {path} --into NEW`"
        )


def _fill(kind: str) -> object:
    return "" if kind == "U" else np.nan if kind in "fc" else 0


def placed(found: xr.Dataset, sweep: Sweep, point: Mapping) -> dict[str, xr.Variable]:
    """What a cell returned, as a piece of the store: its variables with all their dims.

    Inner coordinates are among the variables, and those of the grid that the cell returned (for
    their attributes). point: the coordinates of the cell, scalars and arrays for lanes.
    Raises TypeError or ValueError for what cannot be stored.
    """
    if not isinstance(found, xr.Dataset):
        raise TypeError(f"a cell must return an xarray.Dataset, got {type(found).__name__}")
    piece = {}
    for name, variable in found.reset_coords().variables.items():
        is_coordinate = variable.dims == (name,)
        if is_coordinate and _is_text(variable.values):  # as an index of pandas holds it
            variable = xr.Variable(name, variable.values.astype(str), variable.attrs)
        if variable.dtype.kind not in ("biufU" if is_coordinate else "biufc"):
            raise TypeError(
                f"the cell returned {name!r} of type {variable.dtype}: only bool, integer, real and"
                f" complex numbers are stored; put text into attributes or inner coordinates"
            )
        if name in point:
            if not np.array_equal(variable.values, point[name]):
                raise ValueError(
                    f"the cell was given {name} = {point[name]} and returned other values under"
                    f" that name, {variable.values}: give what it found another name"
                )
            piece[name] = xr.Variable(name, np.atleast_1d(variable.values), variable.attrs)
        elif is_coordinate:
            piece[name] = variable.to_base_variable()
        else:
            piece[name] = _with_all_dims(name, variable, sweep, point)
    return piece


def _is_text(values: np.ndarray) -> bool:
    return values.dtype.kind in "OT" and all(isinstance(value, str) for value in values.tolist())


def _with_all_dims(name: str, variable: xr.Variable, sweep: Sweep, point: Mapping) -> xr.Variable:
    if name in grid.RESERVED or set(variable.dims) & set(sweep.outer):
        raise ValueError(
            f"the cell returned {name!r} with dims {variable.dims}: no variable is called"
            f" {', '.join(grid.RESERVED)}, and its dims are lanes {sweep.lanes} and inner dims,"
            f" none of {sweep.outer}: drop or rename them"
        )
    for lane in set(sweep.lanes) & set(variable.dims):
        if variable.sizes[lane] != point[lane].size:
            raise ValueError(
                f"the cell returned {name!r} with {variable.sizes[lane]} values along the lane"
                f" {lane!r} and was given {point[lane].size}: return one for each"
            )
    first = [d for d in sweep.coordinates if d in sweep.outer or d in variable.dims]
    dims = [*first, *(d for d in variable.dims if d not in first)]
    ordered = variable.transpose(*(d for d in dims if d in variable.dims)).values
    return xr.Variable(
        dims, ordered.reshape([variable.sizes.get(d, 1) for d in dims]), variable.attrs
    )


class Layout:
    """The arrays of a store, opened once: what a cell must look like, and where it goes."""

    def __init__(self, path: Path):
        group = root(path, "r+")
        self.path = path
        # chunks of fill values are files too, which metadata cannot say: a missing one is damage
        empty = {"write_empty_chunks": True}
        self.arrays = {name: array.with_config(empty) for name, array in group.arrays()}
        self.done = self.arrays.pop("done")
        self.lanes = group.attrs["lanes"].split()
        self.grid = {
            name: self.arrays.pop(name)[...]
            for name in (*group.attrs["axes"].split(), "realisation")
        }
        self._where = {
            name: {value: at for at, value in enumerate(values.tolist())}
            for name, values in self.grid.items()
        }
        self.inner = {
            name: array[...].tolist()
            for name, array in self.arrays.items()
            if array.metadata.dimension_names == (name,)
        }

    def region(self, point: Mapping) -> dict[str, np.ndarray]:
        """Where a cell is: the positions of its coordinates along each dim of the grid."""
        return {
            name: np.array([where[value] for value in np.atleast_1d(point[name]).tolist()])
            for name, where in self._where.items()
        }

    def difference(self, piece: Mapping[str, xr.Variable], point: Mapping) -> str | None:
        """How a cell differs from those in the store, or None."""
        one = {name: np.size(point[name]) for name in self.grid}
        expected = {}
        for name, array in self.arrays.items():
            dims = array.metadata.dimension_names
            sizes = dict(zip(dims, array.shape, strict=True)) | one
            expected[name] = (dims, tuple(sizes[d] for d in dims), type_name(array.dtype))
        returned = {
            name: (variable.dims, variable.shape, type_name(variable.dtype))
            for name, variable in piece.items()
            if name not in self.grid
        }
        lines = [
            f"{name}: the store has {expected.get(name, 'no such variable')},"
            f" the cell returned {returned.get(name, 'no such variable')}"
            for name in sorted(expected.keys() | returned.keys())
            if expected.get(name) != returned.get(name)
        ] or [
            f"{name}: the store has {values}, the cell returned {piece[name].values.tolist()}"
            for name, values in self.inner.items()
            if piece[name].values.tolist() != values
        ]
        if lines:
            rule = "every cell must return the same variables, dims, shape, type and inner"
            return "\n".join([f"{rule} coordinates", *lines])
        return None

    def is_done(self, point: Mapping) -> bool:
        """Whether all of a cell is stored by now."""
        return bool(np.all(_read(self.done, self.region(point))))

    def write(self, piece: Mapping[str, xr.Variable], point: Mapping) -> str | None:
        """Write the data of a cell, then that it is done; or say what is wrong with them.

        A cell whose chunks it fills alone needs no lock; one that adds lanes to others shares a
        chunk with them.
        """
        region = self.region(point)
        sizes = dict(zip(self.done.metadata.dimension_names, self.done.chunks, strict=True))
        alone = all(
            region[lane].size == sizes.get(lane, region[lane].size) == self.grid[lane].size
            for lane in self.lanes
        )
        if alone:
            return self._put(piece, region)
        with provenance.locked(self.path):
            now = Layout(self.path)  # another run may have put further lanes into these chunks
            region = now.region(point)
            return now._contradiction(piece, region) or now._put(piece, region)

    def _put(self, piece: Mapping[str, xr.Variable], region: Mapping) -> None:
        for name, variable in piece.items():
            if variable.dims != (name,):
                _write(self.arrays[name], region, variable.values)
        _write(self.done, region, np.True_)

    def _contradiction(self, piece: Mapping[str, xr.Variable], region: Mapping) -> str | None:
        """How what a cell computed for some lanes contradicts what it stored with others."""
        everywhere = {lane: np.arange(self.grid[lane].size) for lane in self.lanes}
        done = _read(self.done, {**region, **everywhere})
        if not np.any(done):
            return None
        for name, variable in piece.items():
            if name in self.arrays and not set(variable.dims) & {name, *self.lanes}:
                stored = _read(self.arrays[name], region)
                if not np.array_equal(stored, variable.values, equal_nan=stored.dtype.kind in "fc"):
                    return (
                        f"{name} has no lane among its dims and was {stored.tolist()} when the cell"
                        f" was computed with other values of {', '.join(self.lanes)}; now it is"
                        f" {variable.values.tolist()}: lanes must not influence what is stored"
                        f" beside them; give it the dim of the lane, or compute all in a new store"
                    )
        return None


def _at(array, region: Mapping[str, np.ndarray]) -> tuple[tuple, list[np.ndarray]]:
    """A selection of an array in rising order, and how its values are permuted by that."""
    selection, order = [], []
    for name, size in zip(array.metadata.dimension_names, array.shape, strict=True):
        at = region.get(name, np.arange(size))
        order.append(np.argsort(at))
        at = at[order[-1]]
        together = at.size and at[-1] - at[0] + 1 == at.size
        selection.append(slice(int(at[0]), int(at[-1]) + 1) if together else at)
    return tuple(selection), order


def _write(array, region: Mapping[str, np.ndarray], values: np.ndarray) -> None:
    selection, order = _at(array, region)
    if np.ndim(values):
        values = values[np.ix_(*order)] if order else values
    array.set_orthogonal_selection(selection, values)


def _read(array, region: Mapping[str, np.ndarray]) -> np.ndarray:
    selection, order = _at(array, region)
    found = np.asarray(array.get_orthogonal_selection(selection))
    return found[np.ix_(*map(np.argsort, order))] if order else found


def type_name(dtype: np.dtype) -> str:
    """The name of a type, the same for all kinds of strings."""
    return "string" if dtype.kind in "UTO" else str(dtype)
