"""P-body networks in the plane of reduced load and temperature, and their capacities over P."""

import numpy as np
import xarray as xr

from hopfield_sim.theory import dense, dense_1rsb, dense_glass

ORDERS = (3, 4, 6)
TABLE = tuple(range(2, 9))
LAST_LOAD = 0.36
SLICE_TEMPERATURE = 0.2


def compute(points: int) -> dict[str, xr.Dataset]:
    """For P = 3, 4, 6 the lines of the diagram and a slice of all solutions; critical numbers.

    Paths: spinodal, transition, replica_symmetry, nishimori, glass, one_step and slice, each with
    P3, P4, P6 below it, the first and third also for *full* (spinodal_full, ...); capacities;
    critical. one_step: the spinodal with one step of replica symmetry breaking, up to the nose.
    """
    found = {}
    for order in ORDERS:
        for path, one in _lines(order, points).items():
            found[f"{path}/P{order}"] = one
    found["capacities"] = dense.capacities(TABLE)
    found["critical"] = critical()
    return found


def _lines(order, points):
    limits = dense.low_load_limits(order)
    top = dense.spinodal_maximum(order)
    spinodal = _dense_at_ends(float(limits.spinodal_temperature), points)
    transition = _dense_at_ends(float(limits.transition_temperature), points)
    broken = np.linspace(0, float(top.reduced_load), points + 1)[1:]
    full = float(dense.at_line_end(order, "full").reduced_load)
    ahat = LAST_LOAD * (np.arange(1, points + 1) / points) ** 2
    # With the spinodal among the places, so that stable and unstable branch meet in the figure.
    last = float(dense.spinodal_load(order, SLICE_TEMPERATURE).reduced_load)
    slice_ = last * np.sin(np.pi / 2 * np.arange(1, points + 1) / points)
    return {
        "spinodal": dense.spinodal_load(order, spinodal),
        "spinodal_full": dense.spinodal_load(order, spinodal, "full"),
        "transition": dense.transition_load(order, transition),
        "replica_symmetry": _along_reduced(dense.at_temperature, order, broken),
        "replica_symmetry_full": _along_reduced(
            dense.at_temperature, order, np.linspace(0, full, points + 1)[1:], "full"
        ),
        "nishimori": _along_reduced(dense.nishimori, order, broken),
        "glass": _glass(order, ahat),
        "one_step": dense_1rsb.spinodal_load(order, _below_nose(top, points)),
        "slice": _along_reduced(dense.solutions, order, slice_, temperature=SLICE_TEMPERATURE),
    }


def _below_nose(top, points):
    """Temperatures up to the nose of the spinodal, where one step of breaking ends."""
    return np.linspace(0, 0.995 * float(top.temperature), max(points // 8, 5))


def _dense_at_ends(highest, points):
    """Temperatures from 0 to the highest, closer to each other where lines are steep."""
    return highest * (1 - np.cos(np.linspace(0, np.pi, points + 1)[:-1])) / 2


def _along_reduced(function, order, ahat, normalisation="distinct", **others):
    if normalisation == "full":
        others["normalisation"] = normalisation
    return function(order, dense.load(order, ahat, normalisation), **others)


def _glass(order, ahat):
    """T_d and T_K of the P-spin glass: constants times sqrt(ahat)."""
    constants = dense_glass.transitions(order)
    root = np.sqrt(xr.DataArray(ahat, dims="reduced_load", coords={"reduced_load": ahat}))
    found = xr.Dataset(attrs=constants.attrs)
    for name in ("T_d", "T_K"):
        found[name] = constants[name] * root
        long_name = constants[name].attrs["long_name"].split(",")[0]
        found[name].attrs = {"long_name": long_name, "units": "1"}
    found["reduced_load"].attrs = {"long_name": "reduced load ahat", "units": "1"}
    return found


def critical() -> xr.Dataset:
    """The critical numbers of the replica-symmetric theory over P."""
    table = dense.capacities(TABLE)
    nose, limits = dense.spinodal_maximum(TABLE), dense.low_load_limits(TABLE)
    full = dense.spinodal_maximum(TABLE, "full")
    numbers = {
        "ahat_c": (table.reduced_load, "reduced load where retrieval ends at T = 0"),
        "m_c": (table.m, "overlap there"),
        "alpha_c_distinct": (table.alpha_distinct, "that load, distinct, K/N^(P-1)"),
        "alpha_c_full": (table.alpha_full, "that load, full, K/N^(P-1)"),
        "ahat_max": (nose.reduced_load, "largest reduced load with retrieval at any T, distinct"),
        "ahat_max_full": (full.reduced_load, "largest reduced load with retrieval at any T, full"),
        "T_at_ahat_max_full": (full.temperature, "temperature there"),
        "ahat_1": (table.reduced_load_1, "largest reduced load with retrieval as equilibrium"),
        "T_spinodal": (limits.spinodal_temperature, "retrieval ends at low load"),
        "T_1": (limits.transition_temperature, "retrieval stops being the equilibrium, low load"),
    }
    found = xr.Dataset(attrs={**table.attrs, "title": "critical numbers of P-body networks"})
    for name, (values, text) in numbers.items():
        found[name] = values.drop_attrs(deep=False).assign_attrs(long_name=text, units="1")
    return found
