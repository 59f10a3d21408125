"""P-body associative memories in equilibrium: the replica-symmetric theory for any whole P >= 2 and
both normalisations of the energy, and the lines of the phase diagram.

    "distinct"  H = -((P-1)!/N^(P-1)) sum_mu sum_{i1 < ... < iP} xi_i1 ... xi_iP s_i1 ... s_iP
    "full"      H = -(N/P) sum_mu m_mu^P,   m_mu = (1/N) sum_i xi_i^mu s_i

with K random +-1 patterns, alpha = K/N^(P-1) -> constant as N -> infinity, weight exp(-H/T).
Energies and temperatures are in units of J, k_B = 1. In both a condensed pattern makes a field
m^(P-1) and an energy -m^P/P; what the others make differs at finite load, see `dense_kernel`.
The reduced load ahat = alpha (P-1)! or alpha (2P-3)!! is the variance of their field in a frozen
state, and most formulas depend on it only; `reduced_load` and `load` convert.

    h = m^(P-1) + sqrt(ahat V(q)) z,   m = E tanh(h/T),   q = E tanh^2(h/T)

For P >= 3 the uncondensed patterns act as a P-spin glass and there is no reaction term. P = 2 is
the Hopfield network, whose theory (`hopfield`) has one; it is offered here with the free energy and
energy of H = -(N/2) sum_mu m_mu^2, both normalisations alike: those of `hopfield` minus alpha/2.

For P -> infinity: the spinodal at T = 0 is at ahat ~ 1/(2 y^2), y ~ sqrt(ln P), and the bound of
the equilibrium retrieval at ahat_1 -> 1/(2 P ln 2), Derrida's random-energy limit.

    retrieval, paramagnet, solutions                 what a phase looks like
    reduced_load, load, one_step_overlap             conversions, the first update
    spinodal_load, spinodal_temperature, spinodal_maximum, transition_load,
    transition_temperature, at_temperature, at_line_end    the phase diagram
    zero_temperature_capacity, nishimori, nishimori_bound, capacities   its special points
    low_load, low_load_limits                        fewer patterns than of order N^(P-1)

Sources: E. Gardner, J. Phys. A 20 (1987) 3453; L. F. Abbott, Y. Arian, Phys. Rev. A 36 (1987) 5091;
L. Albanese, F. Alemanno, A. Alessandrelli, A. Barra, J. Stat. Phys. 189 (2022) 24. *Full* at T > 0
and the Nishimori line are derived here, checked by iteration of the equations and by finite
differences of the free energy.
"""

import numpy as np
import xarray as xr
from scipy.special import erf

from hopfield_sim.theory import hopfield
from hopfield_sim.theory.dense_branches import PIECES, unstable_at
from hopfield_sim.theory.dense_branches import paramagnet as paramagnet_at
from hopfield_sim.theory.dense_kernel import (
    ALPHA_NAME,
    checked_normalisation,
    crosstalk_variance,
    load,
    reduced_load,
    with_reduced_load,
)
from hopfield_sim.theory.dense_lines import (
    at_line_end,
    at_temperature,
    spinodal_load,
    spinodal_maximum,
    spinodal_temperature,
)
from hopfield_sim.theory.dense_low_load import low_load, low_load_limits
from hopfield_sim.theory.dense_points import (
    capacities,
    nishimori,
    nishimori_bound,
    zero_temperature_capacity,
)
from hopfield_sim.theory.dense_saddle import (
    CONVENTION,
    LONG_NAMES,
    SOURCE,
    of_saddle,
    residual,
    retrieval_at,
    saddle_at,
)
from hopfield_sim.theory.dense_transition import transition_load, transition_temperature
from hopfield_sim.theory.labels import branches, common_grid, evaluated

__all__ = [
    "at_line_end",
    "at_temperature",
    "capacities",
    "load",
    "low_load",
    "low_load_limits",
    "nishimori",
    "nishimori_bound",
    "one_step_overlap",
    "paramagnet",
    "reduced_load",
    "retrieval",
    "solutions",
    "spinodal_load",
    "spinodal_maximum",
    "spinodal_temperature",
    "transition_load",
    "transition_temperature",
    "zero_temperature_capacity",
]

BRANCHES = ("retrieval", "retrieval_unstable", "second_unstable", "third_unstable", "paramagnet")


def retrieval(interaction, alpha, temperature, normalisation="distinct"):
    """The stable retrieval state.

        m = E tanh(h/T),  q = E tanh^2(h/T),  h = m^(P-1) + sqrt(xi'(q)) z
        f = -[xi(1) - xi(q) - (1 - q) xi'(q)]/(2T) + ((P-1)/P) m^P - T E ln 2cosh(h/T)
        u = -m^P/P - [xi(1) - xi(q)]/T,   replicon = 1 - xi''(q) E sech^4(h/T)/T^2

    with xi'(q) = ahat V(q), see `dense_kernel`. At T = 0 the exact limit: m = erf(y) with
    y = m^(P-1)/sqrt(2 ahat), q = 1, C = sqrt(2/(pi ahat)) exp(-y^2), u = -m^P/P - ahat C. The
    state is the equilibrium below `transition_temperature`, metastable up to the spinodal; its
    replica symmetry breaks where `replicon` < 0.

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        alpha: K/N^(P-1), likewise, > 0; `load` gives it from the reduced load.
        temperature: likewise, >= 0. Plain arrays span the grid (interaction, alpha, temperature);
            DataArrays are matched by the names of their dimensions and keep their coordinates.
        normalisation: "distinct" or "full".

    Returns:
        xarray.Dataset on that grid, dimensionless, with m, q, C, free_energy, energy, entropy,
        replicon (-inf at T = 0) and residual (largest error of the equations), and the coordinate
        reduced_load. NaN where there is no such state, outside the spinodal.

    Raises:
        ValueError: a parameter outside its domain, by name, or unnamed axes.

    Source: Gardner, J. Phys. A 20 (1987) 3453; *full* at T > 0 derived here.
    """
    title = "retrieval state of the P-body network"
    return _phase(interaction, alpha, temperature, normalisation, _retrieval, title, "retrieval")


def paramagnet(interaction, alpha, temperature, normalisation="distinct"):
    """The state without retrieval and without a glass: m = 0, the smallest q.

        f = -T ln 2 - xi(1)/(2T),  q = 0                  distinct, and full with even P
        q = E tanh^2(sqrt(xi'(q)) z/T), f as `retrieval`   full with odd P: random field xi'(0)

    For *distinct* it is the equilibrium of the uncondensed network above T_K of the P-spin glass
    (`dense_glass`). For *full* its replicon shows where the glass begins continuously: for even P
    at T = sqrt(alpha) (P-1)!!. At P = 2 it exists for T > 1, see `hopfield.paramagnet`.

    Args, Returns, Raises: as `retrieval`. NaN at T = 0 where q = 0.

    Source: Gardner, J. Phys. A 20 (1987) 3453; *full* derived here.
    """
    title = "paramagnet of the P-body network"
    return _phase(interaction, alpha, temperature, normalisation, _paramagnet, title, "paramagnet")


def solutions(interaction, alpha, temperature, normalisation="distinct"):
    """All replica-symmetric solutions with one condensed pattern, and the paramagnet.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`: "retrieval",
        then the unstable ones with m > 0 in order of decreasing overlap, "retrieval_unstable" (it
        meets the former on the spinodal), "second_unstable" and "third_unstable" (at low T, for
        *distinct*: saddles of small overlap towards the glass and the paramagnet), "paramagnet".
        Unstable solutions with m < 1e-5 are left out at T > 0, where m would be wrong in its
        digits. At P = 2 there is one unstable solution. Solutions with m = 0 and q > 0, the glass,
        break replica symmetry: see `dense_glass`.

    Source: Gardner, J. Phys. A 20 (1987) 3453; the enumeration is derived here.
    """
    title = "replica-symmetric solutions of the P-body network"
    given = (interaction, alpha, temperature, normalisation)
    retrieving = _phase(*given, _retrieval, title, "retrieval")
    unstable = _phase(*given, _unstable, title, None)
    none = _phase(*given, _paramagnet, title, "paramagnet")
    pieces = [unstable.isel(piece=piece, drop=True) for piece in range(PIECES)]
    return branches([retrieving, *pieces, none], BRANCHES)


def one_step_overlap(interaction, alpha, normalisation="distinct"):
    """The overlap after one synchronous update at T = 0 that starts from a pattern.

        m_1 = erf(1/sqrt(2 ahat))

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset with m and the coordinate reduced_load.

    Source: the crosstalk field of a stored pattern is Gaussian of variance ahat; derived here,
    checked by simulation (1 part in 200).
    """
    grid = common_grid({"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha)

    def equations(P, alpha):
        return {"m": erf(1 / np.sqrt(2 * _reduced(P, alpha, normalisation)))}

    found = evaluated(
        grid,
        equations,
        {"m": "overlap with the pattern after one update"},
        "first synchronous update of the P-body network at T = 0",
        convention=CONVENTION[checked_normalisation(normalisation)],
        source=SOURCE,
    )
    return with_reduced_load(found, normalisation)


def _phase(interaction, alpha, temperature, normalisation, phase, title, branch):
    """The Dataset of one phase: `phase` takes one P and points with it."""
    grid = common_grid(
        {"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha, temperature=temperature
    )
    convention = CONVENTION[checked_normalisation(normalisation)]
    extra = (PIECES,) if branch is None else ()

    def equations(P, alpha, T):
        values = {name: np.full((P.size, *extra), np.nan) for name in LONG_NAMES}
        for order in np.unique(P).astype(int):
            points = np.flatnonzero(order == P)
            found = phase(order, alpha[points], T[points], normalisation)
            for name in LONG_NAMES:
                values[name][points] = found[name]
        return values

    dims = {name: ("piece",) for name in LONG_NAMES} if extra else None
    found = evaluated(
        grid,
        equations,
        LONG_NAMES,
        title,
        extra_dims=dims,
        convention=convention,
        source=SOURCE,
        branch=branch,
    )
    return with_reduced_load(found, normalisation)


def _reduced(P, alpha, normalisation):
    factors = {one: float(crosstalk_variance(int(one), normalisation)) for one in np.unique(P)}
    return alpha * np.array([factors[one] for one in P])


def _spread(points, found, size):
    """Values at some points, NaN at the others: name -> array (size,)."""
    values = {name: np.full(size, np.nan) for name in LONG_NAMES}
    for name in LONG_NAMES:
        values[name][points] = found[name]
    return values


def _retrieval(P, alpha, T, normalisation):
    if P == 2:
        return _pairwise(hopfield.retrieval, alpha, T)
    ahat = alpha * float(crosstalk_variance(P, normalisation))
    points, y, w = retrieval_at(ahat, T, P, normalisation)
    return _spread(points, _of(y, w, ahat[points], T[points], P, normalisation), T.size)


def _unstable(P, alpha, T, normalisation):
    stacked = {name: np.full((T.size, PIECES), np.nan) for name in LONG_NAMES}
    if P == 2:
        one = _pairwise(hopfield.solutions, alpha, T, branch="retrieval_unstable")
        for name in LONG_NAMES:
            stacked[name][:, 0] = one[name]
        return stacked
    ahat = alpha * float(crosstalk_variance(P, normalisation))
    signals, kinks = unstable_at(ahat, T, P, normalisation)
    for piece in range(PIECES):
        points = np.flatnonzero(np.isfinite(signals[piece]))
        y, w = signals[piece, points], kinks[piece, points]
        found = _of(y, w, ahat[points], T[points], P, normalisation)
        for name in LONG_NAMES:
            stacked[name][points, piece] = found[name]
    return stacked


def _paramagnet(P, alpha, T, normalisation):
    if P == 2:
        return _pairwise(hopfield.paramagnet, alpha, T)
    ahat = alpha * float(crosstalk_variance(P, normalisation))
    points, found = paramagnet_at(ahat, T, P, normalisation)
    known = [found[name] for name in ("m", "q", "C")]
    found["residual"] = residual(ahat[points], T[points], *known, P, normalisation)
    return _spread(points, found, T.size)


def _of(y, w, ahat, T, P, normalisation):
    found = of_saddle(ahat, T, saddle_at(y, w, P, normalisation), P, normalisation)
    known = [found[name] for name in ("m", "q", "C")]
    return found | {"residual": residual(ahat, T, *known, P, normalisation)}


def _pairwise(phase, alpha, T, **selected):
    """A phase of the Hopfield network at points, without the constant alpha/2 of its energy."""
    found = phase(xr.DataArray(alpha, dims="point"), xr.DataArray(T, dims="point")).sel(selected)
    values = {name: found[name].values for name in LONG_NAMES}
    for name in ("free_energy", "energy"):
        values[name] = values[name] - alpha / 2
    return values
