"""The network of low activity at T = 0: capacity over activity and threshold, states below it."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.theory import low_activity

ACTIVITIES = np.array([0.01, 0.1, 0.5])
CRITICAL = np.array([0.5, 0.1, 0.01, 1e-3, 1e-4])
ACTIVITY = 0.1
THRESHOLDS = np.array([0.4, 0.5, 0.6])


def compute(points: int) -> dict[str, xr.Dataset]:
    """alpha_c(a), the ends of retrieval against the threshold at three activities, all states
    against the load at a = 0.1, and the critical numbers."""
    found = low_activity.capacity(CRITICAL)
    best = float(found.alpha.sel(activity=ACTIVITY))
    names = ["alpha", "threshold", "active_firing", "silent_firing", "information"]
    return {
        "capacity": low_activity.capacity(np.geomspace(1e-4, 0.5, points)),
        "ends": low_activity.ends(ACTIVITIES, np.linspace(-0.15, 0.95, points)),
        "retrieval": low_activity.solutions(
            ACTIVITY, np.linspace(0.02, 1.02, points) * best, THRESHOLDS
        ),
        "critical": found[names],
    }
