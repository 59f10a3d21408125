"""Special points of P-body networks: capacity at T = 0, the Nishimori line and its bounds.

On the Nishimori line T = ahat (*distinct*, P >= 3) the network with one condensed pattern is a
planted P-spin model at the temperature of its planting: the retrieval state has

    m = q = E tanh(G + sqrt(G) z) = E tanh^2(G + sqrt(G) z),   G = q^(P-1)/T,   u = -1/P,

explicit in G, with T = ahat = q^(P-1)/G. Its largest T bounds the load of retrieval states at
every temperature, ahat_max = (T_d/sqrt(ahat))^2 with T_d the dynamic temperature of the P-spin
glass, and retrieval is the equilibrium up to ahat_1 = (T_K/sqrt(ahat))^2, T_K the static one.

Sources: E. Gardner, J. Phys. A 20 (1987) 3453 (T = 0); H. Nishimori, Prog. Theor. Phys. 66 (1981)
1169; the Nishimori line of the network is derived here, checked against the saddle point and the
P-spin glass; R. Theriault, D. Tantari, SciPost Phys. 17 (2024) 040 find the same coincidence for
teacher and student.
"""

from functools import cache

import numpy as np
from scipy.special import erf

from hopfield_sim.theory import hopfield
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dense_kernel import ALPHA_NAME, checked_normalisation, crosstalk_variance
from hopfield_sim.theory.dense_lines import NAMES, line
from hopfield_sim.theory.dense_saddle import CONVENTION, LONG_NAMES, SOURCE
from hopfield_sim.theory.labels import common_grid, dataset, evaluated, parameter
from hopfield_sim.theory.quadrature import thermal_averages

_NAMES = NAMES | {name: LONG_NAMES[name] for name in ("energy", "free_energy", "entropy")}


def zero_temperature_capacity(interaction, normalisation="distinct"):
    """The largest load with retrieval states at T = 0, replica symmetric.

        ahat_c = max_y erf(y)^(2P-2)/(2 y^2),   m = erf(y),   y = m^(P-1)/sqrt(2 ahat)
        u = -m^P/P - sqrt(2 ahat/pi) exp(-y^2)

    Replica symmetry is broken there: the one-step value is higher by 22, 16, 12 % for P = 3, 4, 6.
    For P -> infinity ahat_c ~ 1/(2 y^2), y ~ sqrt(ln P).

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        normalisation: "distinct" or "full"; they differ in alpha only.

    Returns:
        xarray.Dataset on that coordinate with alpha, reduced_load, m, energy and residual (of
        d ln ahat/d ln y). P = 2 is `hopfield.zero_temperature_capacity`.

    Raises:
        ValueError: a parameter outside its domain, by name.

    Source: Gardner, J. Phys. A 20 (1987) 3453; Abbott, Arian, Phys. Rev. A 36 (1987) 5091.
    """

    def slope(y, P):
        return (P - 1) * 2 / np.sqrt(np.pi) * y * np.exp(-(y**2)) / erf(y) - 1

    def of_orders(P):
        pairwise = P == 2
        dense = np.where(pairwise, 3, P)  # any P >= 3: replaced below
        y = roots(slope, 0.5, np.sqrt(np.log(P)) + 1.5, dense)
        m, residual = erf(y), np.abs(slope(y, dense))
        ahat = m ** (2 * P - 2) / (2 * y**2)
        energy = -(m**P) / P - np.sqrt(2 * ahat / np.pi) * np.exp(-(y**2))
        if pairwise.any():
            known = hopfield.zero_temperature_capacity()
            ahat[pairwise], m[pairwise] = known.alpha_c, known.m
            energy[pairwise] = known.energy - known.alpha_c / 2
            residual[pairwise] = hopfield.spinodal_load(0.0).residual
        variance = [float(crosstalk_variance(int(order), normalisation)) for order in P]
        values = {"alpha": ahat / variance, "reduced_load": ahat, "m": m, "energy": energy}
        return values | {"residual": residual}

    return _of_orders(interaction, of_orders, normalisation, "zero-temperature capacity")


def nishimori(interaction, alpha):
    """The retrieval state on the Nishimori line T = ahat, *distinct*, P >= 3.

        m = q = E tanh(G + sqrt(G) z),   q^(P-1)/G = ahat,   u = -1/P

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 3..150.
        alpha: K/N^(P-1), likewise, > 0; plain arrays span the grid (interaction, alpha).

    Returns:
        xarray.Dataset on that grid with temperature (= ahat), m (= q), free_energy, energy,
        entropy and residual (of the load, relatively); NaN above `nishimori_bound`.

    Raises:
        ValueError: a parameter outside its domain, by name; interaction = 2, whose cross-talk is
            not that of a planted model.

    Source: derived here, see the module; the same as `dense.retrieval` at temperature = ahat.
    """

    def of_order(P, alpha):
        ahat = alpha * float(crosstalk_variance(P, "distinct"))
        values = {name: np.full(ahat.size, np.nan) for name in _NAMES}
        # Above this signal q = 1 to rounding and G = 1/ahat; below the bound's is the unstable one.
        lowest, highest = _bound(P)[0], 80.0
        largest = _nishimori_load(lowest, P)[0]
        points = np.flatnonzero(ahat <= largest)
        goal = ahat[points]
        G = 1 / goal
        near = goal > 1 / highest

        def excess(G, goal):
            return _nishimori_load(G, P) / goal - 1

        G[near] = roots(excess, lowest, highest, goal[near])
        average = thermal_averages(G, np.sqrt(G), 1.0)
        q = average.tanh
        # The entropy of `dense_saddle.thermodynamics`, with T = ahat and (1 - q)/T = C.
        gap = average.slope / goal
        drop = 1 / P - q ** (P - 1) + (P - 1) / P * q**P
        entropy = average.entropy - np.where(gap > 0, drop, 0) / (2 * goal)
        found = {
            "temperature": goal,
            "m": q,
            "energy": np.full(q.size, -1 / P),
            "entropy": entropy,
            "free_energy": -1 / P - goal * entropy,
            "residual": np.abs(excess(G, goal)),
        }
        for name, each in found.items():
            values[name][points] = each
        return values

    grid = common_grid({"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha)
    _at_least_three(grid[0])
    kept = ("temperature", "m", "free_energy", "energy", "entropy", "residual")
    return line(grid, of_order, kept, "distinct", "Nishimori line", _NAMES)


def nishimori_bound(interaction):
    """The bounds on retrieval from the Nishimori line, *distinct*; NaN at P = 2.

        ahat_max = max_G q(G)^(P-1)/G = (T_d/sqrt(ahat))^2     retrieval states at any T
        ahat_1: f_retrieval = f_paramagnet = (T_K/sqrt(ahat))^2   retrieval as the equilibrium

    For P -> infinity ahat_1 -> 1/(2 P ln 2).

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.

    Returns:
        xarray.Dataset on that coordinate: reduced_load_max, alpha_max, m_max (= q_d), and
        reduced_load_1, alpha_1, m_1 and residual. The temperatures are T = ahat.

    Raises:
        ValueError: a parameter outside its domain, by name.

    Source: derived here, see the module.
    """
    order = parameter(interaction, "interaction")
    names = {
        "alpha_max": f"{ALPHA_NAME}, largest with retrieval states",
        "reduced_load_max": "largest reduced load with retrieval states",
        "m_max": "overlap at the largest load",
        "alpha_1": f"{ALPHA_NAME}, largest where retrieval is the equilibrium",
        "reduced_load_1": "largest reduced load where retrieval is the equilibrium",
        "m_1": "overlap there",
        "residual": NAMES["residual"],
    }

    def of_orders(P):
        values = {name: np.full(P.size, np.nan) for name in names}
        for place, one in enumerate(P.astype(int)):
            variance = float(crosstalk_variance(int(one), "distinct"))
            if one == 2:
                continue
            *signals, residual = _bound(int(one))
            for signal, suffix in zip(signals, ("max", "1"), strict=True):
                load = _nishimori_load(signal, int(one))[0]
                values[f"reduced_load_{suffix}"][place] = load
                values[f"alpha_{suffix}"][place] = load / variance
                values[f"m_{suffix}"][place] = thermal_averages(signal, np.sqrt(signal), 1.0).tanh[
                    0
                ]
            values["residual"][place] = residual
        return values

    title = "bounds of the P-body network from the Nishimori line"
    return evaluated(
        [order], of_orders, names, title, convention=CONVENTION["distinct"], source=SOURCE
    )


def capacities(interaction=range(2, 9)):
    """The replica-symmetric capacities as one table, and the bound on them.

    Args:
        interaction: orders P, as `zero_temperature_capacity`.

    Returns:
        xarray.Dataset on the coordinate interaction: reduced_load, m (`zero_temperature_capacity`),
        alpha_distinct, alpha_full, and of `nishimori_bound` reduced_load_max and reduced_load_1.

    Raises: as `zero_temperature_capacity`.
    """
    interaction = parameter(
        list(interaction) if isinstance(interaction, range) else interaction, "interaction"
    )
    distinct = zero_temperature_capacity(interaction)
    full = zero_temperature_capacity(interaction, "full")
    bound = nishimori_bound(interaction)
    values = {
        "reduced_load": (distinct.reduced_load.values, "reduced load at T = 0, replica symmetric"),
        "m": (distinct.m.values, "overlap there"),
        "alpha_distinct": (distinct.alpha.values, f"{ALPHA_NAME} at T = 0, distinct"),
        "alpha_full": (full.alpha.values, f"{ALPHA_NAME} at T = 0, full"),
    }
    for name in ("reduced_load_max", "reduced_load_1"):
        values[name] = (bound[name].values, f"{bound[name].long_name}, Nishimori line")
    return dataset(
        [interaction],
        values,
        "replica-symmetric capacities of P-body networks",
        convention=CONVENTION["distinct"],
        source=SOURCE,
    )


# --- equations ----------------------------------------------------------------------------------


def _at_least_three(order):
    if np.any(order.values < 3):
        raise ValueError(
            "interaction = 2 is not allowed here; it must be a whole number >= 3: the cross-talk "
            "of the pairwise network is not that of a planted spin glass"
        )


def _nishimori_load(signal, P):
    return thermal_averages(signal, np.sqrt(signal), 1.0).tanh ** (P - 1) / signal


@cache
def _bound(P):
    """G where the load is largest and where the free energies are equal, and the residual."""

    def slope(G):
        # d q/dG = E tanh' + E z tanh'/(2 sqrt G), along mean G and width sqrt(G).
        average = thermal_averages(G, np.sqrt(G), 1.0)
        return (P - 1) * G / average.tanh * (average.slope + average.slope_z / (2 * np.sqrt(G))) - 1

    def excess(G):
        # (f_retrieval - f_paramagnet)/T with u the same, so the difference of the entropies.
        average = thermal_averages(G, np.sqrt(G), 1.0)
        q, T = average.tanh, _nishimori_load(G, P)
        drop = 1 / P - q ** (P - 1) + (P - 1) / P * q**P
        return np.log(2) - 1 / (2 * P * T) - average.entropy + drop / (2 * T)

    most = roots(slope, 0.1, 80.0)
    equal = roots(excess, most, 2 * P * np.log(2) + 4)
    return most, equal, max(abs(slope(most)[0]), abs(excess(equal)[0]))


def _of_orders(interaction, of_orders, normalisation, title):
    order = parameter(interaction, "interaction")
    kept = ("alpha", "reduced_load", "m", "energy", "residual")
    found = evaluated(
        [order],
        of_orders,
        {name: _NAMES[name] for name in kept},
        f"{title} of the P-body network",
        convention=CONVENTION[checked_normalisation(normalisation)],
        source=SOURCE,
    )
    found.attrs["normalisation"] = normalisation
    return found
