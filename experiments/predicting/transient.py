"""Synchronous recall step by step: exact, and by the recursion of Amari and Maginu."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.theory import transient

_LOADS = (0.05, 0.1)
_STARTS = (0.1, 0.2, 0.3, 0.5)
_STEPS = 10
_SAMPLES = 50_000  # sampling errors below 0.004, the width of a line


def compute(points: int) -> dict[str, xr.Dataset]:
    """m(t) at two loads, the states and basin edge of the recursion over the load."""
    capacity = transient.amari_maginu_capacity()
    # evenly spaced in the square root of the distance, by which the states part
    alpha = float(capacity.alpha_c) * (1 - np.linspace(1, 0, points + 1)[1:] ** 2)
    return {
        "recall/exact": transient.exact(_LOADS, _STARTS, _STEPS, samples=_SAMPLES),
        "recall/first": transient.first_steps(_LOADS, _STARTS),
        "recall/amari_maginu": transient.amari_maginu(_LOADS, _STARTS, _STEPS),
        "amari_maginu/states": transient.amari_maginu_states(alpha),
        "amari_maginu/basin": transient.amari_maginu_basin(alpha),
        "critical": _critical(capacity),
    }


def _critical(capacity: xr.Dataset) -> xr.Dataset:
    basin = transient.amari_maginu_basin(np.array(_LOADS)).start_overlap
    named = {
        "alpha_c": (capacity.alpha_c, "capacity in the recursion of Amari and Maginu, T = 0"),
        "m_c": (capacity.m, "overlap at that capacity"),
        "m0_c": (basin, "least start overlap that this recursion recalls"),
    }
    found = xr.Dataset({name: one.reset_coords(drop=True) for name, (one, _) in named.items()})
    for name, (_, about) in named.items():
        found[name].attrs = {"long_name": about, "units": "1"}
    return found
