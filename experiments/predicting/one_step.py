"""First update: errors of the pairwise and of dense networks, and the numbers of patterns."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import one_step

SIZES = (50, 200, 1000)
N_NEURONS = 64
ORDERS = (2, 3, 4)


def compute(points: int) -> dict[str, xr.Dataset]:
    """About `points` points a line."""
    alpha = np.linspace(0.02, 0.6, points)
    found = {
        "lines/no_diagonal": one_step.pairwise(alpha),
        "lines/diagonal": one_step.pairwise(alpha, diagonal=True),
    }
    for size in SIZES:
        numbers = np.unique(np.round(alpha * size).astype(int))
        numbers = numbers[numbers > 1]
        found[f"lines/exact_{size}"] = one_step.pairwise_exact(size, numbers)
    few = max(points // 2, 10)
    for order in ORDERS:
        typical = float(one_step.largest_number(N_NEURONS, order, 0.01).finite_size)
        numbers = np.unique(np.round(np.geomspace(0.2 * typical, 20 * typical, few)).astype(int))
        numbers = numbers[numbers > 1]
        for name, options in (
            ("full", {}),
            ("rectified", {"rectified": True}),
            ("distinct", {"normalisation": "distinct"}),
        ):
            group = f"dense/{name}_{order}"
            found[f"{group}/exact"] = one_step.dense_exact(N_NEURONS, numbers, order, **options)
            found[f"{group}/gaussian"] = one_step.dense_gaussian(
                N_NEURONS, numbers, order, **options
            )
    capacity = one_step.largest_number(100, ORDERS, 0.005)
    free = one_step.without_errors(100, ORDERS)
    names = {
        "K_max": (capacity.asymptotic, "patterns at 0.5 % error, N = 100, leading order in N"),
        "K_max_finite": (capacity.finite_size, "patterns at 0.5 % error, N = 100, exact variance"),
        "K_one": (free.one_pattern, "patterns with one of them free of errors, N = 100"),
        "K_all": (free.all_patterns, "patterns with all of them free of errors, N = 100"),
    }
    critical = {name: one.assign_attrs(long_name=text) for name, (one, text) in names.items()}
    found["critical"] = xr.Dataset(critical).drop_vars(["n_neurons", "bit_error"])
    return found
