"""The Hopfield network in the plane of load and temperature: lines, turns, slices, numbers."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import hopfield

LOADS = [0.005, 0.02, 0.05, 0.1, 0.13]
TEMPERATURES = [0.0, 0.2, 0.4, 0.6]
LAST_LOAD = 0.16
# Both lines turn within a window of this size.
TURN_LOADS = (0.1372, 0.1382)
TURN_TEMPERATURES = (0.0, 0.04)


def compute(points: int) -> dict[str, xr.Dataset]:
    """Lines of the phase diagram, the place where two of them turn, slices, critical numbers."""
    load = np.linspace(0, LAST_LOAD, points + 1)[1:]
    temperature = np.linspace(0, 1, points)
    turn = np.linspace(*TURN_TEMPERATURES, points)
    # With the spinodals among the places, so that stable and unstable branch meet in the figure.
    last_temperatures = hopfield.spinodal_temperature(LOADS).temperature
    last_loads = hopfield.spinodal_load(TEMPERATURES).alpha

    return {
        "lines": hopfield.lines(load),
        "spinodal": hopfield.spinodal_load(temperature),
        "transition": hopfield.transition_load(temperature),
        "mixture": hopfield.mixture_capacity(3, temperature),
        "turn/spinodal": hopfield.spinodal_load(turn),
        "turn/replica_symmetry": hopfield.at_temperature(np.linspace(*TURN_LOADS, points)),
        "slices/over_temperature": hopfield.solutions(
            LOADS, np.union1d(np.linspace(0, 1.2, points), last_temperatures)
        ),
        "slices/over_load": hopfield.solutions(np.union1d(load, last_loads), TEMPERATURES),
        "critical": critical(),
    }


def critical() -> xr.Dataset:
    """The critical numbers of the replica-symmetric theory."""
    ground = hopfield.zero_temperature_capacity()
    spinodal, transition = hopfield.spinodal_maximum(), hopfield.transition_maximum()
    broken = hopfield.at_line_end()
    numbers = {
        "alpha_c": (ground.alpha_c, "retrieval ends at T = 0"),
        "m_c": (ground.m, "overlap there"),
        "alpha_1": (ground.alpha_1, "retrieval stops being the ground state"),
        "alpha_M_max": (spinodal.alpha, "largest load with retrieval at any temperature"),
        "T_at_alpha_M_max": (spinodal.temperature, "temperature there"),
        "alpha_c_max": (transition.alpha, "largest load with retrieval as the equilibrium"),
        "T_at_alpha_c_max": (transition.temperature, "temperature there"),
        "alpha_R": (broken.alpha, "replica-symmetry breaking reaches the spinodal"),
        "T_at_alpha_R": (broken.temperature, "temperature there"),
        "alpha_mixture": (hopfield.mixture_capacity(3).alpha, "3-mixture ends at T = 0"),
    }
    return xr.Dataset(
        {
            name: ((), value.item(), {"long_name": text, "units": "1"})
            for name, (value, text) in numbers.items()
        },
        attrs={**broken.attrs, "title": "critical numbers of the Hopfield network"},
    )
