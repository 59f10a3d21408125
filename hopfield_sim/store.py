"""Where a sweep keeps its numbers: one Zarr directory (format 3), for any reader of Zarr.

Each variable has the dims of the grid, `realisation` and its inner dims; one chunk is one cell, so
workers need no locks. The boolean `done` counts cells and is written after their data. The root has
the attributes of identity, equal for equal computations. When, where and with which versions the
cells were computed is in the group `provenance`: `runs`, a JSON list with one entry for each run.
"""

from __future__ import annotations

import importlib.metadata
import json
import keyword
import os
import platform
import shutil
import subprocess
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from hopfield_sim.sweep import Sweep

FORMAT = "hopfield-sim sweep 1"

RESERVED = ("done", "provenance", "realisation", "seed")
"""Names that a store or a cell uses itself."""

Index = tuple[int, ...]


def opened(store: str | os.PathLike) -> xr.Dataset:
    """The results of a sweep as a Dataset whose values are read when used, finished or not.

    store: path of the directory. Cells that are not `done` read as NaN, 0 or False.
    Raises FileNotFoundError if nothing is there, ValueError if it is no store of a sweep.
    """
    path = Path(store).expanduser()
    _root(path)
    return xr.open_zarr(path, consolidated=False, chunks=None)


def status(store: str | os.PathLike) -> dict[str, int]:
    """How many cells of a sweep are `done` and `pending`, and their `total`.

    store: path of the directory. Raises what `opened` raises.
    """
    done = opened(store)["done"].values
    return {"done": int(done.sum()), "pending": int((~done).sum()), "total": done.size}


def axis(name: str, values: Sequence) -> np.ndarray:
    """The values of an axis as an array `(value,)`; ValueError says why they are none.

    name: of the axis, an argument of the cell; values: distinct numbers or strings.
    """
    if not (isinstance(name, str) and name.isidentifier()) or keyword.iskeyword(name):
        raise ValueError(f"an axis is handed over as an argument of that name, got {name!r}")
    if name in RESERVED or hasattr(xr.Dataset, name) or hasattr(xr.DataArray, name):
        raise ValueError(
            f"an axis cannot be called {name!r}: sweeps, or xarray's Dataset and DataArray, use"
            f" that name for something else; choose another, such as {name + '_value'!r}"
        )
    array = np.array(values)
    if array.dtype.kind == "T":
        array = array.astype(str)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "biufU":
        raise ValueError(
            f"axis {name!r} must be a non-empty sequence of numbers or strings,"
            f" got {values!r}: list its values, also if there is only one"
        )
    if array.dtype.kind == "f" and np.isnan(array).any():
        raise ValueError(f"axis {name!r} contains NaN: a cell needs a number to compute at")
    unique, counts = np.unique(array, return_counts=True)
    if unique.size < array.size:
        raise ValueError(
            f"axis {name!r} contains {unique[counts > 1].tolist()} more than once: remove the"
            f" repetitions; realisations=n repeats a grid with other random numbers"
        )
    return array


def create(path: Path, sweep: Sweep, piece: Mapping[str, xr.Variable], index: Index) -> None:
    """Make a store around its first cell, beside its place, and move it there in one step.

    piece, index: the first cell as `placed` makes it, and its position along `sweep.outer`.
    Should another process have made a store there meanwhile, that one stays.
    """
    import zarr

    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        root = zarr.open_group(draft, mode="w-", zarr_format=3, attributes=sweep.identity())
        grid = {name: xr.Variable(name, values) for name, values in sweep.coordinates.items()}
        grid["realisation"].attrs["long_name"] = "realisation of the disorder"
        done = xr.Variable(sweep.outer, np.zeros((1,) * len(sweep.outer), bool))
        done.attrs["long_name"] = "whether the cell is computed and stored"
        for name, variable in {**grid, **piece, "done": done}.items():
            shape = [grid[d].size if d in grid else variable.sizes[d] for d in variable.dims]
            if name in grid:
                grid[name].attrs.update(variable.attrs)
                variable = grid[name]
            array = _add(root, name, variable, tuple(shape))
            if variable.dims == (name,):
                array[...] = variable.values
        root.create_group("provenance", attributes={"runs": "[]"})
        Layout(draft).write(piece, index)
        try:
            draft.rename(path)
        except OSError:
            if not path.exists():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _add(root, name: str, chunk: xr.Variable, shape: tuple[int, ...]):
    """A new array of that shape, with the type, attributes and chunks of one cell of it."""
    kind = chunk.dtype.kind
    described = {"long_name": name.replace("_", " "), "units": "1"} | chunk.attrs
    return root.create_array(
        name,
        shape=shape,
        chunks=chunk.shape,
        dtype=str if kind == "U" else chunk.dtype,  # the format has no strings of fixed length
        fill_value="" if kind == "U" else np.nan if kind in "fc" else 0,
        dimension_names=chunk.dims,
        attributes=json.loads(as_json(described)),
    )


def placed(found: xr.Dataset, sweep: Sweep, index: Index) -> dict[str, xr.Variable]:
    """What a cell returned, as a piece of the store: its variables with all their dims.

    Inner coordinates are among the variables, and those of the grid that the cell returned (for
    their attributes). index: position along `sweep.outer`.
    Raises TypeError or ValueError for what cannot be stored.
    """
    if not isinstance(found, xr.Dataset):
        raise TypeError(f"a cell must return an xarray.Dataset, got {type(found).__name__}")
    given, piece = sweep.point(index), {}
    for name, variable in found.reset_coords().variables.items():
        is_coordinate = variable.dims == (name,)
        if variable.dtype.kind not in ("biufU" if is_coordinate else "biufc"):
            raise TypeError(
                f"the cell returned {name!r} of type {variable.dtype}: only bool, integer, real and"
                f" complex numbers are stored; put text into attributes or inner coordinates"
            )
        if name in given:
            if not np.array_equal(variable.values, given[name]):
                raise ValueError(
                    f"the cell was given {name} = {given[name]} and returned other values under"
                    f" that name, {variable.values}: give what it found another name"
                )
            piece[name] = xr.Variable(name, np.atleast_1d(variable.values), variable.attrs)
        elif is_coordinate:
            piece[name] = variable.to_base_variable()
        else:
            piece[name] = _with_all_dims(name, variable, sweep)
    return piece


def _with_all_dims(name: str, variable: xr.Variable, sweep: Sweep) -> xr.Variable:
    if name in RESERVED or set(variable.dims) & set(sweep.outer):
        raise ValueError(
            f"the cell returned {name!r} with dims {variable.dims}: no variable is called"
            f" {', '.join(RESERVED)}, and its dims are lanes {sweep.lanes} and inner dims, none of"
            f" {sweep.outer}: drop or rename them"
        )
    for lane in set(sweep.lanes) & set(variable.dims):
        if variable.sizes[lane] != sweep.axes[lane].size:
            raise ValueError(
                f"the cell returned {name!r} with {variable.sizes[lane]} values along the lane"
                f" {lane!r} and was given {sweep.axes[lane].size}: return one for each"
            )
    grid = [d for d in sweep.coordinates if d in sweep.outer or d in variable.dims]
    dims = [*grid, *(d for d in variable.dims if d not in grid)]
    ordered = variable.transpose(*(d for d in dims if d in variable.dims)).values
    return xr.Variable(
        dims, ordered.reshape([variable.sizes.get(d, 1) for d in dims]), variable.attrs
    )


class Layout:
    """The arrays of a store, opened once: what a cell must look like, and where it goes."""

    def __init__(self, path: Path):
        root = _root(path, "r+")
        self.arrays = dict(root.arrays())
        self.done = self.arrays.pop("done")
        self.outer = self.done.metadata.dimension_names
        self.grid = {*root.attrs["axes"].split(), "realisation"}
        self.inner = {
            name: array[...].tolist()
            for name, array in self.arrays.items()
            if array.metadata.dimension_names == (name,) and name not in self.grid
        }

    def difference(self, piece: Mapping[str, xr.Variable]) -> str | None:
        """How a cell differs from those in the store, or None."""
        expected = {
            name: (array.metadata.dimension_names, array.chunks, _type(array.dtype))
            for name, array in self.arrays.items()
            if name not in self.grid
        }
        returned = {
            name: (variable.dims, variable.shape, _type(variable.dtype))
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
        if not lines:
            return None
        rule = "every cell must return the same variables, dims, shape, type and inner coordinates"
        return "\n".join([rule, *lines])

    def is_done(self, index: Index) -> bool:
        """Whether a cell is stored by now. index: position along `outer`."""
        return bool(self.done[index])

    def write(self, piece: Mapping[str, xr.Variable], index: Index) -> None:
        """Write the data of a cell, then that it is done. index: position along `outer`."""
        where = {d: slice(i, i + 1) for d, i in zip(self.outer, index, strict=True)}
        for name, variable in piece.items():
            if variable.dims != (name,):
                region = tuple(where.get(d, slice(None)) for d in variable.dims)
                self.arrays[name][region] = variable.values
        self.done[tuple(where.values())] = True


def _type(dtype: np.dtype) -> str:
    return "string" if dtype.kind in "UTO" else str(dtype)


def verify(path: Path, sweep: Sweep) -> None:
    """Refuse a path that does not hold this computation: ValueError names each difference."""
    stored = opened(path)
    found, wanted = dict(stored.attrs), sweep.identity()
    settings = [json.loads(attributes.pop("settings", "{}")) for attributes in (found, wanted)]
    pairs = {name: (found.get(name), value) for name, value in wanted.items()}
    for name in sorted(settings[0].keys() | settings[1].keys()):
        pairs[f"settings.{name}"] = tuple(s.get(name, "nothing") for s in settings)
    lines = [
        f"{name}: the store has {old!r}, this sweep {new!r}"
        for name, (old, new) in pairs.items()
        if old != new
    ]
    if found.get("axes") == wanted["axes"]:
        for name, values in sweep.coordinates.items():
            old = stored[name].values
            if _type(old.dtype) != _type(values.dtype) or old.tolist() != values.tolist():
                lines.append(f"{name}: the store has {_shown(old)}, this sweep {_shown(values)}")
    if lines:
        raise ValueError(
            f"{path} holds another computation, and nothing was changed:\n  "
            + "\n  ".join(lines)
            + "\nChoose another store path, or delete that store yourself."
        )


def _shown(values: np.ndarray) -> str:
    return f"{values.size} values {np.array2string(np.array(values.tolist()), threshold=8)}"


def _root(path: Path, mode: str = "r"):
    """The Zarr group at a path, if it is the store of a sweep."""
    import zarr

    if not os.path.lexists(path):
        raise FileNotFoundError(f"there is no store at {path}")
    try:
        root = zarr.open_group(path, mode=mode, zarr_format=3)
        if str(root.attrs.get("format")).startswith(FORMAT.rstrip("0123456789")):
            return root
    except (OSError, ValueError, KeyError):  # no group of Zarr at all
        pass
    raise ValueError(
        f"{path} exists and is no store of a sweep, and nothing was changed: choose another path"
    )


def record(path: Path, entry: Mapping[str, object]) -> None:
    """Put an entry into the provenance, in place of the one with the same `run`."""
    import zarr

    group = zarr.open_group(path / "provenance", mode="r+", zarr_format=3)
    runs = [run for run in json.loads(group.attrs["runs"]) if run["run"] != entry["run"]]
    group.attrs["runs"] = as_json([*runs, entry])


def circumstances() -> dict[str, object]:
    """What may differ between equal computations: date, versions, machine."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
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
        if isinstance(item, (np.generic, np.ndarray)):
            return item.tolist()
        if isinstance(item, Mapping):
            return dict(item)
        raise TypeError(
            f"{item!r} is recorded as JSON, which has no {type(item).__name__}: give numbers,"
            f" strings, lists or dicts"
        )

    return json.dumps(value, sort_keys=True, default=plain)
