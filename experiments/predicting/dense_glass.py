"""The glass of P-body networks: its temperatures over P, and its states over the temperature."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import dense, dense_glass

ORDERS = (3, 4, 6)
TABLE = (3, 4, 5, 6, 7, 8)
LAST_ORDER = 20


def compute(points: int) -> dict[str, xr.Dataset]:
    """Temperatures and energies are in units of sqrt(ahat).

    Paths: transitions over P = 3..20; states/P3 (and P4, P6), the glass at ahat = 1 from T = 0 to
    T_d; critical.
    """
    found = {"transitions": dense_glass.transitions(np.arange(3, LAST_ORDER + 1))}
    for order in ORDERS:
        one = dense_glass.transitions(order)
        # With T_K and T_d among the places: q1 and x have a corner there.
        below = np.linspace(0, float(one.T_K), points // 2)
        between = np.linspace(float(one.T_K), float(one.T_d), points - points // 2 + 1)
        temperature = np.concatenate([below, between[1:]])
        unit = float(dense.load(order, 1.0))
        found[f"states/P{order}"] = dense_glass.glass(order, unit, temperature)
    found["critical"] = critical()
    return found


def critical() -> xr.Dataset:
    """The transitions of the glass over P, in units of sqrt(ahat)."""
    table = dense_glass.transitions(TABLE)
    kept = ("T_d", "q_d", "T_K", "q_K", "T_G", "u", "energy")
    return table[list(kept)]
