"""The perceptron: capacity against stability and bias, the volume of solutions, separability."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.theory import gardner
from hopfield_sim.theory.labels import dataset

BIASES = np.array([0.0, 0.5, 0.8])
STABILITIES = np.array([0.0, 0.5, 1.0])
INPUTS = np.array([10, 50, 250])


def compute(points: int) -> dict[str, xr.Dataset]:
    """alpha_c(kappa) for three biases, q and entropy up to the capacity for three stabilities,
    Cover's probability for three sizes, and the critical numbers."""
    share = np.linspace(0, 1, points + 1)[1:-1]
    ends = gardner.capacity(STABILITIES)
    volume = xr.concat(
        [
            gardner.volume(xr.DataArray(end * share, dims="place"), float(kappa)).reset_coords(
                "alpha"
            )
            for kappa, end in zip(STABILITIES, ends.alpha.values, strict=True)
        ],
        dim="stability",
    )
    n_neurons = xr.DataArray(np.repeat(INPUTS[:, None], points, 1), dims=("size", "place"))
    load = xr.DataArray(np.linspace(0.5, 4, points), dims="place")
    n_patterns = (load * n_neurons).round()
    critical = dataset(
        [ends.stability.drop_vars("bias")],
        {
            "alpha_c": (ends.alpha.values, "capacity, pairs per input"),
            "alpha_c_biased": (
                gardner.capacity(STABILITIES, 0.5).alpha.values,
                "capacity for entries of mean 0.5",
            ),
        },
        "critical numbers of the perceptron",
    )
    return {
        "capacity": gardner.capacity(np.linspace(0, 3, points), BIASES),
        "volume": volume,
        "separability": gardner.separability(
            n_patterns.transpose("size", "place"), n_neurons
        ).reset_coords(drop=False),
        "critical": critical,
    }
