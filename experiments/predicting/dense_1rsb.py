"""Retrieval in P-body networks with one step of replica symmetry breaking, beside the
replica-symmetric theory: states at T = 0, the lines below the de Almeida-Thouless line, capacities.
"""

import numpy as np
import xarray as xr

from hopfield_sim.theory import dense, dense_1rsb, dense_glass

ORDERS = (3, 4, 6)
TABLE = (3, 4, 5, 6, 7, 8)


def compute(points: int) -> dict[str, xr.Dataset]:
    """For P = 3, 4, 6 the states at T = 0 over the load, with and without breaking, and the lines.

    Paths: frozen/P3 (both branches with one step) and symmetric/P3 (without), and P4, P6; one_step
    and symmetric_lines, the loads of spinodal and transition over (interaction, temperature), the
    former NaN where replica symmetry is not broken; broken/P3, the temperature where it breaks;
    critical.
    """
    found = {"critical": critical()}
    for order in ORDERS:
        found |= {f"{path}/P{order}": one for path, one in _states(order, points).items()}
    ends = dense.at_line_end(ORDERS).temperature.values
    # Smooth lines of costly points, as far as the broken symmetry goes at each order.
    few = np.append(np.linspace(0, ends[0], max(points // 5, 8))[:-1], 0.9985 * ends)
    one = dense_1rsb.spinodal_load(ORDERS, np.sort(few))
    one["reduced_load_1"] = dense_1rsb.transition_load(ORDERS, np.sort(few)).reduced_load
    one["reduced_load_1"].attrs["long_name"] = "reduced load where retrieval is the equilibrium"
    found["one_step"] = one
    temperature = np.linspace(0, 1.15 * ends[0], points)
    symmetric = dense.spinodal_load(ORDERS, temperature)
    symmetric["reduced_load_1"] = dense.transition_load(ORDERS, temperature).reduced_load
    found["symmetric_lines"] = symmetric
    return found


def _states(order, points):
    """Loads dense at the ends of the branches, so that stable and unstable one meet."""
    rising = np.sin(np.pi / 2 * np.arange(1, points + 1) / points)
    broken = float(dense_1rsb.capacity(order).alpha) * rising
    symmetric = float(dense.spinodal_load(order, 0.0).alpha) * rising
    line = dense.load(order, float(dense.at_line_end(order).reduced_load) * rising)
    return {
        "frozen": dense_1rsb.solutions(order, broken),
        "symmetric": dense.solutions(order, symmetric, 0.0),
        "broken": dense.at_temperature(order, line),
    }


def critical() -> xr.Dataset:
    """The loads at T = 0 with one step, and the bounds from the Nishimori line, over P."""
    table = dense_1rsb.capacity(TABLE)
    glass = dense_glass.transitions(TABLE)
    numbers = {
        "ahat_c": (table.reduced_load, "reduced load where retrieval ends at T = 0, one-step"),
        "alpha_c": (table.alpha, "that load, K/N^(P-1), distinct"),
        "m_c": (table.m, "overlap there"),
        "q0_c": (table.q0, "overlap of states of different clusters there"),
        "ahat_1": (table.reduced_load_1, "reduced load where the glass becomes the ground state"),
        "ahat_max": (glass.T_d**2, "bound on retrieval at any T, (T_d/sqrt(ahat))^2"),
        "ahat_1_max": (glass.T_K**2, "bound on retrieval as equilibrium, (T_K/sqrt(ahat))^2"),
        "ahat_c_full": (
            dense_1rsb.capacity(TABLE, "full").reduced_load,
            "reduced load where retrieval ends at T = 0, one-step, full",
        ),
    }
    found = xr.Dataset(attrs={**table.attrs, "title": "capacities of P-body networks, one-step"})
    for name, (values, text) in numbers.items():
        found[name] = values.drop_attrs(deep=False).assign_attrs(long_name=text, units="1")
    return found
