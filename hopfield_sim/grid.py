"""Points of a grid: the values of its axes, which of them are asked for, where they are kept."""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr

RESERVED = ("checkpoint", "done", "provenance", "realisation", "seed")
"""Names that a store or a cell uses itself."""

_SAME = 1e-9
"""Numbers that differ by less than this part of themselves were meant to be one."""


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


def positions(name: str, known: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Where each of `values` is among the `known` ones of an axis: int64 (value,), -1 if nowhere.

    Raises ValueError where a value differs from a known one by rounding only (a part of 1e-9):
    0.1 + 0.2 is not 0.3, and kept beside it, it would be a point of its own.
    """
    known, values = np.asarray(known), np.asarray(values)
    at = {value: i for i, value in enumerate(known.tolist())}
    found = np.array([at.get(value, -1) for value in values.tolist()], np.int64)
    fresh = values[found < 0]
    if fresh.dtype.kind == "f" and fresh.size and known.size:
        ordered = np.sort(known)
        above = np.searchsorted(ordered, fresh)
        for neighbour in (above - 1, above):
            close = ordered[np.clip(neighbour, 0, ordered.size - 1)]
            twins = np.abs(fresh - close) <= _SAME * np.abs(close)
            if twins.any():
                new, old = fresh[twins][0].item(), close[twins][0].item()
                raise ValueError(
                    f"{name}={new!r} differs by rounding only from {old!r}, which is there:"
                    f" give {old!r} where the same point is meant"
                )
    return found


def joined(name: str, values: np.ndarray, more: Sequence) -> np.ndarray:
    """The values of an axis with more of them put in: sorted if it is, at the end otherwise.

    Raises ValueError for values of another kind than those of the axis, and as `positions` does.
    """
    more = axis(name, list(dict.fromkeys(np.asarray(more).tolist())))
    if more.dtype.kind != values.dtype.kind and not {more.dtype.kind, values.dtype.kind} <= {*"iu"}:
        raise ValueError(
            f"axis {name!r} holds {values.tolist()[:3]}..., which {more.tolist()[:3]} cannot join:"
            f" numbers of one axis are all whole or all real"
        )
    together = np.concatenate([values, more[positions(name, values, more) < 0]])
    rising = values[1:] > values[:-1]
    if rising.all():
        return np.sort(together)
    return together if rising.any() else np.sort(together)[::-1]


def asked(
    coordinates: Mapping[str, np.ndarray], cells: Sequence[Mapping[str, object]] | None
) -> np.ndarray:
    """Which points of a grid are asked for: bool, with the dims of `coordinates` in their order.

    cells: each maps names to a value, names left out stand for all values; None asks for all.
    Raises ValueError for a name or value that the grid does not have, TypeError for no mapping.
    """
    shape = tuple(values.size for values in coordinates.values())
    if cells is None:
        return np.ones(shape, bool)
    mask = np.zeros(shape, bool)
    where = {name: {v: i for i, v in enumerate(c.tolist())} for name, c in coordinates.items()}
    for cell in cells:
        if not isinstance(cell, Mapping):
            raise TypeError(f"cells are mappings from names to values, got {cell!r}")
        if unknown := set(cell) - set(coordinates):
            raise ValueError(
                f"a cell names {sorted(map(str, unknown))}, but the grid has {tuple(coordinates)}"
            )
        index = []
        for name, found in where.items():
            if name not in cell:
                index.append(slice(None))
                continue
            value = np.asarray(cell[name]).item()
            if value not in found:
                raise ValueError(
                    f"a cell has {name}={value!r}, which is no value of that axis: use"
                    f" extended(cells), which puts it in"
                )
            index.append(found[value])
        mask[tuple(index)] = True
    return mask


def rectangles(mask: np.ndarray) -> Iterator[tuple[np.ndarray, ...]]:
    """Products of positions, one array a dim, that together are the true points of `mask`, once.

    A cell computes the lanes that it is given together, so what is missing of them is cut into
    products; for one lane there is one.
    """
    if mask.ndim == 0:
        if mask:
            yield ()
        return
    rows = mask.reshape(mask.shape[0], -1)
    left = rows.any(axis=1)
    for first in range(mask.shape[0]):
        if left[first]:
            alike = left & (rows == rows[first]).all(axis=1)
            left &= ~alike
            for rest in rectangles(mask[first]):
                yield (np.flatnonzero(alike), *rest)
