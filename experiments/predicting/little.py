"""The synchronous (Little) network beside the Hopfield network."""

from __future__ import annotations

import numpy as np
import xarray as xr

from hopfield_sim.theory import hopfield, little

_LOADS = (0.02, 0.05, 0.1)
_SELF_COUPLINGS = (0.0, 0.1, 0.5)


def compute(points: int) -> dict[str, xr.Dataset]:
    """Retrieval over temperature at three loads, the lines of both networks, critical numbers."""
    temperature = np.linspace(0.02, 0.8, points)
    up_to_the_end = np.linspace(0, 1.4, points)  # J_ii = 0.5 keeps patterns up to T = 1.36
    alpha = np.linspace(0, np.sqrt(0.5), points + 1)[1:] ** 2
    return {
        "slices/little": little.retrieval(_LOADS, temperature),
        "slices/hopfield": hopfield.retrieval(_LOADS, temperature),
        "lines/onset": little.spin_glass_temperature(alpha, _SELF_COUPLINGS),
        "lines/onset_hopfield": hopfield.spin_glass_temperature(alpha),
        "lines/spinodal": little.spinodal_load(up_to_the_end, _SELF_COUPLINGS),
        "lines/spinodal_hopfield": hopfield.spinodal_load(up_to_the_end),
        "critical": _critical(),
    }


def _critical() -> xr.Dataset:
    onset, spinodal = little.spin_glass_temperature([0.1, 0.5]), little.spinodal_load([0.3, 0.5])
    difference = little.retrieval(0.05, 0.5) - hopfield.retrieval(0.05, 0.5)
    named = {
        "T_g": (onset.temperature, "spin-glass temperature of the synchronous network"),
        "alpha_M": (spinodal.alpha, "spinodal load of the synchronous network"),
        "alpha_c": (
            little.spinodal_load(0.0).alpha,
            "capacity at T = 0, as in sequential dynamics",
        ),
        "m_gain": (difference.m, "overlap more than in the Hopfield network, alpha=0.05, T=0.5"),
    }
    found = xr.Dataset({name: one.reset_coords(drop=True) for name, (one, _) in named.items()})
    for name, (_, about) in named.items():
        found[name].attrs = {"long_name": about, "units": "1"}
    return found
