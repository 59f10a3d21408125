"""The extremely diluted network: critical line, overlap against load, parallel dynamics, and how
many inputs are many."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.theory import diluted, diluted_finite
from hopfield_sim.theory.labels import dataset

TEMPERATURES = np.array([0.0, 0.3, 0.6])
LOAD = 0.5
STARTS = np.array([0.05, 0.2, 0.6, 1.0])
INPUTS = np.array([10, 30, 100, 1000])


def compute(points: int) -> dict[str, xr.Dataset]:
    """T_c(alpha) as critical_load; the overlap against alpha at three temperatures; m(t) at one
    load; fixed points of c inputs at T = 0; the critical numbers at those temperatures."""
    ends = diluted.critical_load(TEMPERATURES)
    # denser towards the end, where m is a square root of the distance
    rest = np.linspace(0, 1, points) ** 2
    overlap = xr.concat(
        [
            diluted.retrieval(
                xr.DataArray(end - (end - 1e-3) * rest[1:], dims="place"), float(T)
            ).reset_coords("alpha")
            for T, end in zip(TEMPERATURES, ends.alpha.values, strict=True)
        ],
        dim="temperature",
    )
    finite = {
        f"finite/{c}": diluted_finite.retrieval(
            int(c), np.unique(np.linspace(1, 0.75 * c, points).round().astype(int)), 0.0
        )
        for c in INPUTS
    }
    critical = dataset(
        [ends.temperature],
        {
            "alpha_c": (ends.alpha.values, "largest load with an overlap, patterns per input"),
            "m_half": (
                diluted.retrieval(ends.alpha / 2, ends.temperature).m.values,
                "overlap at half of that load",
            ),
        },
        "critical numbers of the extremely diluted network",
    )
    return {
        "lines/critical": diluted.critical_load(np.linspace(0, 1, points)),
        "overlap": overlap,
        "dynamics": diluted.trajectory(STARTS, LOAD, 0.0, 20),
        **finite,
        "critical": critical,
    }
