"""P-body networks with few patterns, fewer than of order N^(P-1): the limit ahat -> 0.

    m = tanh(a),  a = m^(P-1)/T,  so that  T = tanh(a)^(P-1)/a  is explicit in a,

for P >= 3 with a maximum, the spinodal, on whose far side in a the stable states lie.

Source: the mean-field magnet with interactions of P bodies; E. Gardner, J. Phys. A 20 (1987) 3453.
"""

from functools import cache

import numpy as np

from hopfield_sim.theory import hopfield
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dense_kernel import crosstalk_variance
from hopfield_sim.theory.dense_lines import NAMES, line
from hopfield_sim.theory.dense_saddle import CONVENTION, LONG_NAMES, SOURCE, no_load_fold
from hopfield_sim.theory.labels import common_grid, evaluated, parameter

_NAMES = LONG_NAMES | {"m_unstable": "overlap of the unstable solution"}


def low_load(interaction, temperature):
    """The retrieval state of a network with few patterns, K/N^(P-1) -> 0.

        m = tanh(m^(P-1)/T),  f = ((P-1)/P) m^P - T ln 2cosh(m^(P-1)/T),  u = -m^P/P

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        temperature: likewise, >= 0; plain arrays span the grid (interaction, temperature).

    Returns:
        xarray.Dataset on that grid with m, m_unstable (the smaller root, between retrieval and
        the paramagnet; 0 at P = 2), free_energy, energy, entropy and residual. NaN at and above
        the spinodal temperature (`low_load_limits`).

    Raises:
        ValueError: a parameter outside its domain, by name, or unnamed axes.

    Source: the mean-field magnet with interactions of P bodies; Gardner, J. Phys. A 20 (1987) 3453.
    """

    kept = ("m", "m_unstable", "free_energy", "energy", "entropy", "residual")

    def of_order(P, T):
        values = {name: np.full(T.size, np.nan) for name in kept}
        if P == 2:
            there = hopfield.low_load(T)
            return {name: there[name].values for name in kept if name != "m_unstable"} | {
                "m_unstable": np.where(T < 1, 0.0, np.nan)
            }
        top, highest = no_load_fold(P)
        frozen = T == 0
        for name, value in (("m", 1.0), ("m_unstable", 0.0), ("residual", 0.0)):
            values[name][frozen] = value
        values["energy"][frozen] = values["free_energy"][frozen] = -1 / P
        values["entropy"][frozen] = 0.0
        points = np.flatnonzero((T > 0) & (T < highest))
        heat = T[points]

        def excess(log_a, log_T):
            a = np.exp(log_a)
            return (P - 1) * np.log(np.tanh(a)) - log_a - log_T

        # a T = m^(P-1) < 1; at the fold the two roots meet.
        at_fold = np.log(top)
        a = np.exp(roots(excess, at_fold, np.maximum(-np.log(heat), at_fold) + 1e-12, np.log(heat)))
        m = np.tanh(a)
        decay = np.exp(-2 * a)
        entropy = np.log1p(decay) + 2 * a * decay / (1 + decay)
        lowest = np.log(heat) / (P - 2) - 1e-9
        unstable = np.tanh(np.exp(roots(excess, lowest, at_fold, np.log(heat))))
        found = {
            "m": m,
            "m_unstable": unstable,
            "energy": -(m**P) / P,
            "entropy": entropy,
            "free_energy": -(m**P) / P - heat * entropy,
            "residual": np.abs(m - np.tanh(m ** (P - 1) / heat)),
        }
        for name, each in found.items():
            values[name][points] = each
        return values

    grid = common_grid(interaction=interaction, temperature=temperature)
    return line(grid, of_order, kept, "distinct", "low-load retrieval", _NAMES)


def low_load_limits(interaction):
    """The temperatures up to which retrieval exists and is the equilibrium at low load.

        T_spinodal = max_m m^(P-1)/atanh(m);   T_1: f_retrieval = -T ln 2

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.

    Returns:
        xarray.Dataset on that coordinate with spinodal_temperature, spinodal_m,
        transition_temperature, transition_m and residual. At P = 2 the transition is continuous:
        both temperatures are 1, both overlaps 0.

    Raises:
        ValueError: a parameter outside its domain, by name.

    Source: as `low_load`.
    """
    names = {
        "spinodal_temperature": "temperature up to which retrieval states exist, low load",
        "spinodal_m": "overlap there",
        "transition_temperature": "temperature up to which retrieval is the equilibrium, low load",
        "transition_m": "overlap there",
        "residual": NAMES["residual"],
    }

    def of_orders(P):
        for one in P:
            crosstalk_variance(int(one), "distinct")  # refuses orders that are too large
        values = {name: np.full(P.size, np.nan) for name in names}
        for name, ends in (("spinodal", no_load_fold), ("transition", transition_without_load)):
            known = np.array([ends(int(one)) for one in P]).reshape(-1, 2)
            values[f"{name}_temperature"], values[f"{name}_m"] = known[:, 1], np.tanh(known[:, 0])
        a = known[:, 0]
        values["residual"] = np.abs(_paramagnetic_excess(a, P))
        return values

    order = parameter(interaction, "interaction")
    title = "limits of retrieval at low load of the P-body network"
    return evaluated(
        [order], of_orders, names, title, convention=CONVENTION["distinct"], source=SOURCE
    )


def _paramagnetic_excess(a, P):
    """(f_retrieval + T ln 2)/T at no load, with a = m^(P-1)/T."""
    return (P - 1) / P * a * np.tanh(a) - a - np.log1p(np.exp(-2 * a)) + np.log(2)


@cache
def transition_without_load(interaction):
    """B/T and T where retrieval and the paramagnet have equal free energies at no load."""
    if interaction == 2:
        return 0.0, 1.0
    P = interaction
    # Beyond a = P ln 2 + 1 retrieval is the lower.
    a = roots(_paramagnetic_excess, no_load_fold(P)[0], P * np.log(2) + 1, float(P))[0]
    return a, np.tanh(a) ** (P - 1) / a
