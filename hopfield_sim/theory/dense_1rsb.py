"""Retrieval in P-body networks, P >= 3, with one step of replica symmetry breaking (1RSB).

    "distinct"  H = -((P-1)!/N^(P-1)) sum_mu sum_{i1 < ... < iP} xi_i1 ... xi_iP s_i1 ... s_iP
    "full"      H = -(N/P) sum_mu m_mu^P,   m_mu = (1/N) sum_i xi_i^mu s_i

with K = alpha N^(P-1) random +-1 patterns; T and energies in units of J, k_B = 1. Below the de
Almeida-Thouless line (`dense.at_temperature`) the replica-symmetric retrieval state of `dense` is
unstable, and it is always so at T = 0. With one step, a retrieval state is a set of clusters of
states: overlap q1 within a cluster, q0 between clusters, the clusters with the weight x. In the
field

    h = m^(P-1) + sqrt(xi'(q0)) z0 + sqrt(xi'(q1) - xi'(q0)) z1,   xi'(q) = ahat V(q)

(V: `dense_kernel`; z0, z1 Gaussian; E over z0, <.> over z1 with the weight (2 cosh(h/T))^x),

    m = E <tanh(h/T)>,   q0 = E <tanh(h/T)>^2,   q1 = E <tanh^2(h/T)>,   df/dx = 0.

The capacity at T = 0 is by 22, 16 and 12 % (P = 3, 4, 6) above the replica-symmetric one. *Full*
at T = 0 differs from *distinct* by more than ahat, since V(q0) enters with q0 < 1.

    retrieval, solutions         a state, and all of them at T = 0
    capacity                     the largest loads at T = 0
    spinodal_load, transition_load    the lines of the phase diagram below the de Almeida-Thouless
                                 line; above it they are those of `dense`

P = 2 is the Hopfield network, whose theory (`hopfield_1rsb`) has a reaction term.

Sources: E. Gardner, J. Phys. A 20 (1987) 3453; L. Albanese, F. Alemanno, A. Alessandrelli,
A. Barra, J. Stat. Phys. 189 (2022) 24. Equations derived here, checked by an independent solver.
"""

import numpy as np

from hopfield_sim.theory.dense_1rsb_branch import (
    observables,
    spinodal_states,
    states_at_load,
    transition_states,
)
from hopfield_sim.theory.dense_1rsb_table import HOTTEST, LARGEST_FIELD, line_end
from hopfield_sim.theory.dense_glass import of_glass
from hopfield_sim.theory.dense_kernel import (
    ALPHA_NAME,
    checked_normalisation,
    crosstalk_variance,
    reduced_load,
)
from hopfield_sim.theory.dense_saddle import (
    CONVENTION,
    Saddle,
    nose,
    of_saddle,
    residual,
    retrieval_at,
    saddle_at,
)
from hopfield_sim.theory.labels import branches, common_grid, dataset, evaluated, parameter

LONG_NAMES = {
    "m": "overlap with the condensed pattern",
    "q0": "overlap of states of different clusters",
    "q1": "overlap of states of one cluster",
    "x": "weight x of the clusters (Parisi's breakpoint)",
    "rate": "x/T",
    "C": "susceptibility (1 - q1)/T",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "replicon": "1 - xi''(q1) E<sech^4>/T^2, negative where the clusters split further",
    "residual": "largest error of the saddle-point equations",
}
SOURCE = (
    "Gardner, J. Phys. A 20 (1987) 3453; Albanese, Alemanno, Alessandrelli, Barra, J. Stat. Phys. "
    "189 (2022) 24; equations derived here, checked by an independent solver"
)
BRANCHES = ("retrieval", "retrieval_unstable")
LARGEST_INTERACTION = 30

# A replica-symmetric state whose de Almeida-Thouless ratio is above one by less than this is given
# as it is: x would be lost in rounding, and q1 - q0 is of this order times 1 - q1.
_MARGINAL = 4e-4
# Loads above the largest replica-symmetric one by more than this have no state.
_ABOVE = 1.02


def retrieval(interaction, alpha, temperature=0.0, normalisation="distinct"):
    """The stable retrieval state with one step of replica symmetry breaking.

        m = E <tanh>,  q0 = E <tanh>^2,  q1 = E <tanh^2>,  df/dx = 0
        T = 0: <sign h> with the weight exp(rate |h|), rate = lim x/T, and q1 = 1
        f = (rate/2) int_q0^q1 p xi''(p) dp - W/(2T) + (1 - 1/P) m^P - (T/x) E ln I,
        W = int_q1^1 (1 - p) xi''(p) dp,  I = the norm of the weight

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 3..30.
        alpha: K/N^(P-1), likewise, > 0; `dense.load` gives it from the reduced load.
        temperature: likewise, >= 0. Plain arrays span the grid (interaction, alpha, temperature);
            DataArrays are matched by the names of their dimensions and keep their coordinates.
        normalisation: "distinct" or "full".

    Returns:
        xarray.Dataset on that grid, with m, q0, q1, x, rate, C, free_energy, energy, entropy,
        replicon (-inf at T = 0) and residual, and the coordinate reduced_load. Where the
        replica-symmetric state is stable it is given, with q0 = q1 = q and x and rate NaN; also
        within 4e-4 of the de Almeida-Thouless line (in its ratio), within 0.1 % of the T/sqrt(ahat)
        where this ends on the spinodal, and for ahat < 1/18^2, where q1 - q0 < 1e-140 at T = 0.
        NaN where there is no state, beyond `spinodal_load`.

    Raises:
        ValueError: a parameter outside its domain, by name, or unnamed axes.
        ArithmeticError: a state that exists was not found.

    Source: Gardner, J. Phys. A 20 (1987) 3453; derived here.
    """
    grid = common_grid(
        {"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha, temperature=temperature
    )
    return _states(grid, _retrieval, BRANCHES[0], normalisation)


def solutions(interaction, alpha, normalisation="distinct"):
    """Both retrieval states at T = 0: the stable one, and the one beyond the fold.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval` at T = 0, with a further first dimension `branch`:
        "retrieval" and "retrieval_unstable", which meet at the capacity. The latter ends, as NaN,
        at q0 < 1e-4, where it approaches the glass (m -> 0).
    """
    grid = common_grid({"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha)

    def unstable(P, ahat, normalisation):
        zero = np.zeros(ahat.size)
        found = states_at_load(ahat, zero, P, normalisation, unstable=True)
        return _observed(found, ahat, zero, P, normalisation)

    def stable(P, ahat, normalisation):
        return _retrieval(P, ahat, np.zeros(ahat.size), normalisation)

    return branches(
        [_states(grid, one, None, normalisation) for one in (stable, unstable)], BRANCHES
    )


def capacity(interaction, normalisation="distinct"):
    """The largest loads at T = 0: of any retrieval state, and of one below the glass in energy.

        ahat_c = max_B m(B)^(2P-2)/B^2, B = m^(P-1)/sqrt(ahat);   e_retrieval = e_glass at ahat_1

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 3..30.
        normalisation: "distinct" or "full".

    Returns:
        xarray.Dataset on the coordinate interaction: alpha and reduced_load of the capacity, m, q0,
        rate, energy there and residual; alpha_1, reduced_load_1 where retrieval stops being the
        ground state, with m_1 and residual_1 (|difference of energies|); these are NaN for *full*,
        whose glass is none of one step.

    Raises: as `retrieval`.

    Source: Gardner, J. Phys. A 20 (1987) 3453; derived here.
    """
    order = _glassy(parameter(interaction, "interaction"))
    checked_normalisation(normalisation)
    flat = order.values.reshape(-1)
    zero = np.zeros(1)
    values = {name: np.full(flat.size, np.nan) for name in _CAPACITY}
    for place, P in enumerate(flat):
        factor = crosstalk_variance(int(P), normalisation)
        top = observables(*spinodal_states(zero, int(P), normalisation), int(P), normalisation)
        for name in ("reduced_load", "m", "q0", "rate", "energy", "residual"):
            values[name][place] = top[name][0]
        values["alpha"][place] = top["reduced_load"][0] / factor
        if normalisation == "distinct":
            crossing = observables(*transition_states(zero, int(P)), int(P), normalisation)
            load = crossing["reduced_load"]
            glass = of_glass(np.array([P]), load, zero)["free_energy"]
            values["reduced_load_1"][place] = load[0]
            values["alpha_1"][place] = load[0] / factor
            values["m_1"][place] = crossing["m"][0]
            values["residual_1"][place] = np.abs(crossing["free_energy"] - glass)[0]
    return dataset(
        [order],
        {name: (values[name].reshape(order.shape), text) for name, text in _CAPACITY.items()},
        "capacity of the P-body network at T = 0, one-step replica symmetry breaking",
        convention=CONVENTION[normalisation],
        source=SOURCE,
    )


_CAPACITY = {
    "alpha": "largest load K/N^(P-1) with retrieval states at T = 0",
    "reduced_load": "largest reduced load with retrieval states at T = 0",
    "m": "overlap with the condensed pattern there",
    "q0": "overlap of states of different clusters there",
    "rate": "lim x/T there",
    "energy": "energy per neuron there",
    "residual": "largest error of the saddle-point equations there",
    "alpha_1": "load K/N^(P-1) where retrieval stops being the ground state",
    "reduced_load_1": "reduced load where retrieval stops being the ground state",
    "m_1": "overlap with the condensed pattern at alpha_1",
    "residual_1": "difference of the two energies at alpha_1",
}


def spinodal_load(interaction, temperature, normalisation="distinct"):
    """The largest load at which retrieval states exist, below the de Almeida-Thouless line.

        max over B = m^(P-1)/sqrt(ahat) of ahat at constant T/sqrt(ahat)

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 3..30.
        temperature: likewise, >= 0.
        normalisation: "distinct" or "full".

    Returns:
        xarray.Dataset on the grid (interaction, temperature): alpha, reduced_load, m, q0, q1, x,
        rate, residual. NaN above 0.999 of the T/sqrt(ahat) of `dense.at_line_end` (for
        *distinct* the Nishimori point), where `dense.spinodal_load` takes over.

    Raises: as `retrieval`.

    Source: derived here.
    """
    return _line(interaction, temperature, normalisation, spinodal_states, "spinodal")


def transition_load(interaction, temperature):
    """The load below which retrieval is the equilibrium, below the de Almeida-Thouless line.

        f_retrieval = f_glass, the former and the latter (`dense_glass`) with one step

    Args:
        interaction, temperature: as for `spinodal_load`. *Distinct* only: see `dense_glass`.

    Returns:
        xarray.Dataset as from `spinodal_load`. NaN where the retrieval state is replica symmetric
        at the transition; the line is then that of `dense.transition_load`.

    Raises: as `retrieval`.

    Source: derived here.
    """

    def states(T, P, _):
        return transition_states(T, P)

    return _line(interaction, temperature, "distinct", states, "transition")


def _glassy(order):
    if np.any(order.values < 3):
        raise ValueError(
            "interaction = 2 is not allowed here; it must be a whole number >= 3: the pairwise "
            "network has a theory of its own, hopfield_1rsb"
        )
    if np.any(order.values > LARGEST_INTERACTION):
        raise ValueError(
            f"interaction = {order.values.max()} is not allowed; it must be at most "
            f"{LARGEST_INTERACTION}, up to where the starts of the solver have been checked"
        )
    return order


def _states(grid, of_order, branch, normalisation):
    """The Dataset of states: `of_order` takes one P, flat ahat and the other parameters."""
    _glassy(grid[0])
    convention = CONVENTION[checked_normalisation(normalisation)]

    def equations(P, alpha, *others):
        values = {name: np.full(P.size, np.nan) for name in LONG_NAMES}
        for order in np.unique(P).astype(int):
            points = np.flatnonzero(order == P)
            ahat = alpha[points] * float(crosstalk_variance(order, normalisation))
            found = of_order(order, ahat, *(one[points] for one in others), normalisation)
            for name in LONG_NAMES:
                values[name][points] = found[name]
        return values

    found = evaluated(
        grid,
        equations,
        LONG_NAMES,
        "retrieval state of the P-body network, one-step replica symmetry breaking",
        convention=convention,
        source=SOURCE,
        branch=branch,
    )
    found.attrs["normalisation"] = normalisation
    if "reduced_load" not in found.dims:
        reduced = reduced_load(found.interaction, found.alpha, normalisation)
        found = found.assign_coords(reduced_load=reduced)
    return found


def _line(interaction, temperature, normalisation, states, title):
    """The Dataset of a line from the states along it."""
    grid = common_grid(interaction=interaction, temperature=temperature)
    _glassy(grid[0])
    convention = CONVENTION[checked_normalisation(normalisation)]
    kept = ("m", "q0", "q1", "x", "rate", "residual")
    names = {"alpha": ALPHA_NAME, "reduced_load": "reduced load ahat"}
    names |= {name: LONG_NAMES[name] for name in kept}

    def equations(P, T):
        values = {name: np.full(P.size, np.nan) for name in names}
        for order in np.unique(P).astype(int):
            for points in (
                np.flatnonzero((order == P) & (T == 0)),
                np.flatnonzero((order == P) & (T > 0)),
            ):
                if not points.size:
                    continue
                x, tau = states(T[points], order, normalisation)
                found = observables(x, tau, order, normalisation)
                found["alpha"] = found["reduced_load"] / crosstalk_variance(order, normalisation)
                for name in names:
                    values[name][points] = found[name]
        return values

    return evaluated(
        grid,
        equations,
        names,
        f"{title} line of the P-body network, one-step replica symmetry breaking",
        convention=convention,
        source=SOURCE,
    )


def _retrieval(P, ahat, T, normalisation):
    values = {name: np.full(T.size, np.nan) for name in LONG_NAMES}
    unbroken = np.zeros(T.size, dtype=bool)
    points, y, w = retrieval_at(ahat, T, P, normalisation)
    saddle = saddle_at(y, w, P, normalisation)
    tau, hottest = T / np.sqrt(ahat), HOTTEST * line_end(P, normalisation)[2]
    symmetric = (saddle.at_ratio <= 1 + _MARGINAL) | (y > LARGEST_FIELD) | (tau[points] > hottest)
    points = points[symmetric]
    unbroken[points] = True
    saddle = Saddle(*(one[symmetric] for one in saddle))
    found = of_saddle(ahat[points], T[points], saddle, P, normalisation)
    known = [found[name] for name in ("m", "q", "C")]
    found["q0"] = found["q1"] = found["q"]
    found["residual"] = residual(ahat[points], T[points], *known, P, normalisation)
    for name in LONG_NAMES.keys() - {"x", "rate"}:
        values[name][points] = found[name]

    largest = nose(P, normalisation)[2].reduced_load[0]
    possible = ~unbroken & (tau <= hottest) & (ahat < _ABOVE * largest)
    for points in (np.flatnonzero(possible & (T == 0)), np.flatnonzero(possible & (T > 0))):
        if points.size:
            x = states_at_load(ahat[points], tau[points], P, normalisation)
            found = _observed(x, ahat[points], tau[points], P, normalisation)
            for name in LONG_NAMES:
                values[name][points] = found[name]
    return values


def _observed(x, ahat, tau, P, normalisation):
    """The observables of states of given loads, the error of the load in their residual."""
    found = observables(x, tau, P, normalisation)
    error = np.abs(found["reduced_load"] - ahat)
    return found | {"residual": np.maximum(found["residual"], error)}
