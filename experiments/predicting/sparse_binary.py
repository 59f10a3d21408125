"""Binary sparse memories: Willshaw's network and the clustered one of Gripon and Berrou."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.theory import cliques, willshaw
from hopfield_sim.theory.labels import dataset

UNITS, ACTIVE = 2000, 11
CUES = np.array([4, 7, 11])
CLUSTERS, CLUSTER_UNITS = 8, 128
ERASED = np.array([1, 2, 4])
EXPONENTS = np.array([8, 10, 12, 14, 16, 18, 20])


def compute(points: int) -> dict[str, xr.Dataset]:
    """Wrong units of one step of recall against the number of patterns, errors of cliques against
    the number of messages, information of heteroassociation against the size, critical numbers."""
    n_patterns = np.unique(np.geomspace(500, 80_000, points).round().astype(int))
    n_messages = np.unique(np.geomspace(200, 20_000, points).round().astype(int))
    n_neurons = xr.DataArray(2**EXPONENTS, dims="size")
    n_active = xr.DataArray(EXPONENTS, dims="size")
    # p1 = 1/2
    half = (np.log(2) * (n_neurons / n_active).astype(float) ** 2).round()
    capacity = willshaw.capacity(UNITS, ACTIVE, CUES)
    critical = dataset(
        [capacity.n_cued],
        {
            "n_patterns": (
                capacity.n_patterns.values,
                f"largest P with one wrong unit on average, N = {UNITS}, M = {ACTIVE}",
            ),
            "density": (capacity.density.values, "part of the synapses that are on there"),
        },
        "critical numbers of Willshaw's network",
    )
    return {
        "willshaw": willshaw.recall(n_patterns, UNITS, ACTIVE, CUES),
        "cliques": cliques.recall(n_messages, CLUSTERS, CLUSTER_UNITS, ERASED),
        "information": willshaw.heteroassociation(half, n_neurons, n_active).reset_coords(),
        "critical": critical,
    }
