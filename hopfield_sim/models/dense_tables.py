"""The tables of dense networks: F at the overlaps, as integers or as given by a user."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext

import numpy as np

from hopfield_sim.kernels import dense

_PLANES = 2**24 - 4  # grid steps that F(S + 2) - F(S - 2) of a real F ranges over: three bytes
_FINE = 2**44  # the same for F itself where there is no form to be kept fast


def checked(table) -> np.ndarray:
    """A user's table of F as a read-only float64 copy (value,); ValueError for what is none."""
    try:
        table = np.array(table, dtype=float)
    except (TypeError, ValueError):
        table = np.zeros(())
    if table.ndim != 1:
        raise ValueError(
            "interaction as a table must be a 1-d array of numbers: F at S = -R, -R + 1, ..., R, "
            "R the largest overlap."
        )
    table.setflags(write=False)
    return table


def sampled(
    interaction: Callable[[np.ndarray], np.ndarray] | np.ndarray,
    overlaps: np.ndarray,
    largest: int,
) -> np.ndarray:
    """F of a user at the overlaps that occur: float64 (value,).

    interaction: a callable, or a table of F at -R, -R + 1, ..., R with R = largest.
    Raises ValueError where these are not finite numbers, as many as there are overlaps.
    """
    if not callable(interaction):
        if len(interaction) != 2 * largest + 1:
            raise ValueError(
                f"interaction is a table of {len(interaction)} values, but overlaps reach "
                f"{largest}: give F at S = {-largest}, {1 - largest}, ..., {largest}, "
                f"{2 * largest + 1} values (those of overlaps that never occur do not matter)."
            )
        values = interaction[overlaps + largest]
        if not np.all(np.isfinite(values)):
            raise ValueError(
                "interaction as a table must be finite at all overlaps that occur, here at "
                f"S = {overlaps[0]}, {overlaps[1]}, ..., {overlaps[-1]}."
            )
        return values
    overlaps = overlaps.astype(float)
    values = np.asarray(interaction(overlaps))
    if values.shape != overlaps.shape or not np.all(np.isfinite(values.astype(float))):
        raise ValueError(
            "interaction must give one finite number for each overlap of the float64 array "
            f"it is called with, here from {overlaps[0]:g} to {overlaps[-1]:g}."
        )
    return values.astype(float)


def grid_step(values: np.ndarray, grid: float | None, is_binary: bool) -> float:
    """What real values of F are rounded to multiples of: see `Dense`.

    Raises ValueError for a grid on which float64 is not exact.
    """
    if grid is None:
        wide = values[2:] - values[:-2] if is_binary and len(values) > 2 else values
        steps = _PLANES if is_binary else _FINE
        size = max(float(np.ptp(wide)) / steps, float(np.abs(values).max()) / 2.0**52)
        step = 2.0 ** math.ceil(math.log2(size))
    else:
        step = float(grid)
    if not (np.isfinite(step) and step > 0 and np.abs(values).max() / step < 2.0**53):
        raise ValueError(
            f"grid={grid!r} is not possible; it must be a positive number, at least "
            f"2^-53 of the largest |F| ({np.abs(values).max():g}), for F to be exact on it."
        )
    return step


def powers(overlaps: np.ndarray, order: int, rectified: bool) -> np.ndarray:
    """S^P, or max(S, 0)^P: integers of any size."""
    fits = int(np.abs(overlaps).max()) ** order < 2**62
    values = overlaps if fits else overlaps.astype(object)
    return (np.maximum(values, 0) if rectified else values) ** order


def krawtchouk(overlaps: np.ndarray, order: int, n_neurons: int) -> np.ndarray:
    """e_P of N numbers +-1 whose sum is S: integers of any size.

    k e_k = S e_{k-1} - (N - k + 2) e_{k-2}, from (1 + t)^((N+S)/2) (1 - t)^((N-S)/2).
    """
    fits = n_neurons ** (order + 1) < 2**62
    s = overlaps if fits else overlaps.astype(object)
    before, e = 0 * s, 0 * s + 1
    for k in range(1, order + 1):
        before, e = e, (s * e - (n_neurons - k + 2) * before) // k
    return e


def weights(slope: int, bits: int, length: int) -> np.ndarray:
    """round(2^bits 2^(-slope d / 2^30)) for d = 0 ... length - 1, the same on every machine."""
    with localcontext() as context:
        context.prec = 50
        factor = int(Decimal(2) ** (128 - Decimal(slope) / 2**dense.FRACTION))
    table = np.zeros(length, np.int64)
    weight = 1 << 128
    for d in range(length):
        table[d] = (weight + (1 << 127 - bits)) >> (128 - bits)
        if not table[d]:
            break
        weight = weight * factor >> 128
    return table


def exponentials() -> np.ndarray:
    """round(2^30 2^(k / 4096)), k = 0 ... 4096, the same on every machine."""
    with localcontext() as context:
        context.prec = 50
        factor = Decimal(2) ** (Decimal(1) / 4096)
        return np.array([int(2**30 * factor**k + Decimal("0.5")) for k in range(4097)], np.int64)


def total(integers: np.ndarray) -> np.ndarray:
    """The sum over the last axis, float64 (...): exact up to its last rounding."""
    high, low = integers >> 32, integers & 0xFFFFFFFF
    return high.sum(axis=-1) * 2.0**32 + low.sum(axis=-1)
