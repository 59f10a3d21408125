"""Exponential and log-sum-exp networks: exponents of the number of patterns."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import exponential, log_sum_exp, modern_bounds

SHARPNESSES = (0.1, 0.3, 1.0)
DIMENSIONS = (8, 16, 32, 64)


def compute(points: int) -> dict[str, xr.Dataset]:
    """About `points` points a line."""
    overlap = np.linspace(0, 1, points)
    sharpness = np.geomspace(0.05, 5, points)
    d = xr.DataArray(list(DIMENSIONS), dims="dimension", coords={"dimension": list(DIMENSIONS)})
    lam = xr.DataArray(sharpness, dims="sharpness", coords={"sharpness": sharpness})
    half = log_sum_exp.half_weight(d, d * lam)
    one = log_sum_exp.sphere([0.5, 1.0, 4.0])
    names = {
        "alpha_typical": (
            exponential.typical(1.0).alpha,
            "ln K/N, exp network, a typical pattern from itself",
        ),
        "alpha_worst": (
            exponential.worst_case(1.0).alpha,
            "ln K/N, exp network, all patterns from themselves",
        ),
        "alpha_sphere": (one.alpha, "ln M/d, log-sum-exp, patterns on the sphere"),
        "alpha_gauss": (
            log_sum_exp.gaussian([0.5, 1.0, 4.0]).alpha,
            "ln M/d, log-sum-exp, a typical Gaussian pattern",
        ),
        "alpha_gauss_all": (
            log_sum_exp.gaussian_all([0.5, 1.0, 4.0]).alpha,
            "ln M/d, log-sum-exp, all Gaussian patterns",
        ),
        "c_ramsauer": (
            modern_bounds.capacity(1.0, 3.0, 20, 0.001).c,
            "base c of the capacity bound, beta = 1, K = 3, d = 20, p = 0.001",
        ),
    }
    critical = {
        name: found.reset_coords(drop=True).assign_attrs(long_name=text)
        for name, (found, text) in names.items()
    }
    return {
        "lines/typical": exponential.typical(overlap, SHARPNESSES),
        "lines/worst": exponential.worst_case(overlap, SHARPNESSES),
        "lines/sphere": log_sum_exp.sphere(sharpness),
        "lines/gaussian": log_sum_exp.gaussian(sharpness),
        "lines/gaussian_all": log_sum_exp.gaussian_all(sharpness),
        "lines/half_weight": half,
        "basins/sphere": log_sum_exp.sphere(SHARPNESSES, overlap),
        "critical": xr.Dataset(critical),
    }
