"""The Hopfield network with one step of replica symmetry breaking, beside the replica-symmetric
theory: retrieval next to the capacity, energies at T = 0, the glass against temperature."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.theory import hopfield, hopfield_1rsb

GLASS_LOAD = 0.1


def compute(points: int) -> dict[str, xr.Dataset]:
    """Curves of about `points` points, "one_step" and "symmetric" side by side, and the critical
    numbers: m(alpha) on both sides of the fold, energies around alpha_1, alpha_M(T) where its
    replica symmetry is broken, and the glass at alpha = 0.1."""
    critical = hopfield_1rsb.capacity()
    alpha_c = float(critical.alpha_c)
    # Denser towards the fold, where m has a square root.
    below = alpha_c - (alpha_c - 0.13) * np.linspace(1, 0, points) ** 2
    symmetric_c = float(hopfield.zero_temperature_capacity().alpha_c)
    loads = np.linspace(0.03, 0.08, points)
    temperature = np.linspace(0, 1.3, points)
    cold = np.linspace(0, 0.03, points // 5 + 1)
    return {
        "capacity/one_step": hopfield_1rsb.solutions(below).isel(branch=[0, 1]),
        "capacity/symmetric": hopfield.solutions(
            np.append(below[below < symmetric_c], symmetric_c), 0.0
        ).isel(branch=[0, 1]),
        "ground/retrieval": hopfield_1rsb.retrieval(loads),
        "ground/one_step": hopfield_1rsb.spin_glass(loads),
        "ground/symmetric": hopfield.spin_glass(loads, 0.0),
        "glass/one_step": hopfield_1rsb.spin_glass(GLASS_LOAD, temperature),
        "glass/symmetric": hopfield.spin_glass(GLASS_LOAD, temperature),
        "spinodal/one_step": hopfield_1rsb.spinodal_load(cold),
        "spinodal/symmetric": hopfield.spinodal_load(cold),
        "critical": critical,
    }
