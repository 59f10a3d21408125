"""Projection rule and dreaming kernel: lines of the (alpha, T) plane, capacity against time."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import dreaming, projection

TIMES = (0.0, 0.5, 1.0, 5.0, 50.0)
SLICE_TEMPERATURE = 0.1


def compute(points: int) -> dict[str, xr.Dataset]:
    """About `points` points a line."""
    alpha = np.linspace(0.005, 0.995, points)
    few = max(points // 2, 10)
    transition = projection.transition_temperature(alpha).rename(temperature="T_c", m="m_c")
    spinodal = projection.spinodal_temperature(alpha).rename(temperature="T_M", m="m_M")
    temperature = np.concatenate([[0, 0.01, 0.02, 0.04], np.linspace(0.06, 0.98, few)])
    times = np.concatenate([[0.0], np.geomspace(0.02, 5000, points)])
    capacity = dreaming.spinodal_load(0.0, times)
    loads = np.linspace(0.01, 0.99, points)
    table = np.array([0.1, 0.3, 0.5, 0.8])
    at_times = dreaming.spinodal_load(0.0, [0.0, 0.1, 0.5, 1.0, 5.0, 50.0, 2000.0])
    critical = xr.Dataset(
        {
            "alpha_c_dreaming": at_times.alpha.assign_attrs(
                long_name="largest load with retrieval at T = 0, dreaming kernel"
            ),
            "T_M_projection": projection.spinodal_temperature(table).temperature.assign_attrs(
                long_name="spinodal temperature of the projection rule"
            ),
            "T_c_projection": projection.transition_temperature(table).temperature.assign_attrs(
                long_name="temperature below which retrieval is the equilibrium, projection rule"
            ),
        }
    )
    return {
        "lines/projection": xr.merge(
            [spinodal[["T_M", "m_M"]], transition[["T_c", "m_c"]]], combine_attrs="drop_conflicts"
        ),
        "lines/spinodal": dreaming.spinodal_load(temperature, TIMES),
        "lines/capacity": capacity,
        "slices": dreaming.retrieval(loads, SLICE_TEMPERATURE, [*TIMES, np.inf]),
        "critical": critical.drop_vars("temperature", errors="ignore"),
    }
