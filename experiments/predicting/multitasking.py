"""Three diluted patterns: the plane of dilution and temperature, and slices through it."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import multitasking

PATTERNS = 3
COLD = 0.01
DILUTION = 0.3
ORDERS = [2, 3, 4]
NUMBERS = [3, 4, 5, 6, 8, 10]
# Dilutions near the critical point, where the ends of the two states bend.
BEND = (0.5, 0.5485)
END = (0.5485, 0.618)


def compute(points: int) -> dict[str, xr.Dataset]:
    """Lines of the diagram, overlaps over dilution and over temperature, critical numbers."""
    dilution = np.linspace(0, 0.99, points)
    early = np.concatenate([np.linspace(0, 0.49, points // 2), np.linspace(*BEND, points // 3)])
    late = np.linspace(*END, points // 3)
    temperature = np.linspace(0, 0.077, points // 2)
    return {
        "lines/onset": multitasking.onset_temperature(dilution),
        "lines/melting": multitasking.melting_temperature(PATTERNS, dilution),
        "lines/symmetric": multitasking.symmetric_temperature(PATTERNS, dilution),
        "lines/hierarchical_end": multitasking.hierarchical_end(PATTERNS, late),
        "lines/parallel_end": multitasking.parallel_end(PATTERNS, early),
        "lines/coexistence": multitasking.coexistence_dilution(temperature),
        "slices/over_dilution": multitasking.solutions(PATTERNS, dilution, COLD),
        "slices/over_temperature": multitasking.solutions(
            PATTERNS, DILUTION, np.linspace(0, 0.8, points)
        ),
        "orders": multitasking.hierarchical_dilution(NUMBERS, ORDERS),
        "critical": critical(),
    }


def critical() -> xr.Dataset:
    """The critical numbers of the multitasking network."""
    end = multitasking.hierarchical_dilution(NUMBERS, ORDERS)
    crossing = multitasking.coexistence_dilution(0.0)
    mixture = multitasking.parallel_end(PATTERNS, 0.0)
    numbers = {
        "d_stable": (end.dilution, "hierarchical state ends at T = 0"),
        "d_crossing": (
            crossing.dilution,
            "parallel state of 3 patterns is the ground state, p = 2",
        ),
        "T_mixture": (mixture.temperature, "3-mixture of undiluted patterns ends, p = 2"),
    }
    return xr.Dataset(
        {
            name: (value.dims, value.values, {"long_name": text, "units": "1"})
            for name, (value, text) in numbers.items()
        },
        {name: end[name] for name in end.dims},
        end.attrs | {"title": "critical numbers of the multitasking network"},
    )
