"""Where retrieval stops being the equilibrium of P-body networks: the thermodynamic line.

    f_retrieval (replica symmetric) = f of what the network does without retrieval

which for *distinct* and P >= 3 is the paramagnet above T_K sqrt(ahat) and below it the P-spin glass
in one-step replica symmetry breaking (`dense_glass`). The line crosses the Nishimori line T = ahat
at ahat_1 = (T_K/sqrt(ahat))^2, exactly where the glass begins; there energy and entropy of the two
are equal as well, so that the line is vertical. Above, retrieval meets the paramagnet; below, the
glass. That lower part is not vertical only because the retrieval state is taken as replica
symmetric: it bends back, by less than a percent, for P = 4, 5 and large P with a minimum above
T = 0, and ends at T = 0 or, for P = 3, on the spinodal, up to which retrieval then is the
equilibrium.

For *full* the uncondensed network is a glass of mixed interactions with pair couplings or a
random field, for which there is no theory here: it is refused. P = 2 is `hopfield`'s.

Sources: E. Gardner, J. Phys. A 20 (1987) 3453; the crossing of the Nishimori line is derived here.
"""

from functools import cache

import numpy as np

from hopfield_sim.theory import hopfield
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dense_branches import paramagnet
from hopfield_sim.theory.dense_glass import of_glass, transitions
from hopfield_sim.theory.dense_kernel import (
    ALPHA_NAME,
    checked_normalisation,
    crosstalk_variance,
)
from hopfield_sim.theory.dense_lines import NAMES, line
from hopfield_sim.theory.dense_low_load import transition_without_load
from hopfield_sim.theory.dense_saddle import (
    fold,
    fold_at,
    fold_at_load,
    inside_at,
    of_saddle,
    rounding,
    saddle_at,
)
from hopfield_sim.theory.labels import branches, common_grid

_NAMES = NAMES | {"residual": "difference of the free energies"}
# Loads below this are no load: the temperature of the line then is that of no load to rounding.
_SMALLEST_LOAD = 1e-13
_NODES = 129


def transition_load(interaction, temperature, normalisation="distinct"):
    """ahat_1(T), the load up to which retrieval is the equilibrium: equal free energies.

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        temperature: likewise, >= 0; plain arrays span the grid (interaction, temperature).
        normalisation: "distinct"; "full" at P = 2 only, where it is the same.

    Returns:
        xarray.Dataset on that grid with alpha, reduced_load, m, q (NaN at P = 2) and residual.
        NaN above the temperature of no load (`low_load_limits`), and at low temperatures where
        retrieval is the equilibrium up to its replica-symmetric spinodal (P = 3); what one step of
        replica symmetry breaking makes of it there is `dense_1rsb.transition_load`.

    Raises:
        ValueError: a parameter outside its domain, by name; normalisation = "full" at P >= 3.

    Source: Gardner, J. Phys. A 20 (1987) 3453.
    """
    grid = common_grid(interaction=interaction, temperature=temperature)
    _offered(grid[0], normalisation)

    def of_order(P, T):
        found = {name: np.full(T.size, np.nan) for name in NAMES}
        if P == 2:
            there = hopfield.transition_load(T)
            for name in ("alpha", "m", "residual"):
                found[name] = there[name].values
            found["reduced_load"] = found["alpha"]
            return found
        points, ahat = _load(T, P)
        _put(found, points, ahat, T[points], P)
        return found

    kept = ("alpha", "reduced_load", "m", "q", "residual")
    return line(grid, of_order, kept, normalisation, "thermodynamic line", _NAMES)


def transition_temperature(interaction, alpha, normalisation="distinct"):
    """T_1(alpha), the temperatures between which retrieval is the equilibrium.

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        alpha: K/N^(P-1), likewise, > 0; plain arrays span the grid (interaction, alpha).
        normalisation: as `transition_load`.

    Returns:
        xarray.Dataset on that grid with a further first dimension `branch`, "upper" and "lower":
        temperature, m, q (NaN at P = 2), residual and the coordinate reduced_load. Both are NaN
        above ahat_1 of `nishimori_bound`, the lower one also below the smallest load of the lower
        part, where retrieval is the equilibrium at all lower T. Where that is a minimum, it is so
        again closer to T = 0: `transition_load` shows it, being a function of T.

    Raises: as `transition_load`.

    Source: Gardner, J. Phys. A 20 (1987) 3453.
    """
    grid = common_grid({"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha)
    _offered(grid[0], normalisation)

    def of_order(lower):
        def found_at(P, alpha):
            found = {name: np.full(alpha.size, np.nan) for name in NAMES}
            if P == 2:
                return found | _pairwise(alpha, lower)
            ahat = alpha * float(crosstalk_variance(P, "distinct"))
            points, T = (_lower if lower else _upper)(ahat, P)
            _put(found, points, ahat[points], T, P)
            return found

        return found_at

    kept = ("temperature", "m", "q", "residual")
    title = "thermodynamic line"
    both = [line(grid, of_order(low), kept, normalisation, title, _NAMES) for low in (False, True)]
    return branches(both, ["upper", "lower"])


def _offered(order, normalisation):
    if checked_normalisation(normalisation) == "full" and np.any(order.values > 2):
        raise ValueError(
            'normalisation = "full" is not allowed here for interaction >= 3: without retrieval '
            "its network is a glass of mixed interactions, of which no free energy is known here; "
            'use normalisation = "distinct"'
        )


def _difference(ahat, T, P):
    """f_retrieval - f without retrieval, and the former's m and q; it must exist (point,)."""
    saddle = saddle_at(*inside_at(ahat, T, P, "distinct"), P, "distinct")
    found = of_saddle(ahat, T, saddle, P, "distinct")
    other = np.full(ahat.size, np.nan)
    cold = np.flatnonzero(T < _static(P) * np.sqrt(ahat))
    warm = np.setdiff1d(np.arange(ahat.size), cold)
    other[cold] = of_glass(np.full(cold.size, P), ahat[cold], T[cold])["free_energy"]
    other[warm] = paramagnet(ahat[warm], T[warm], P, "distinct")[1]["free_energy"]
    return found["free_energy"] - other, saddle.m, saddle.q


@cache
def _static(P):
    """T_K/sqrt(ahat)."""
    return float(transitions(P).T_K)


def _put(found, points, ahat, T, P):
    difference, m, q = _difference(ahat, T, P)
    found["reduced_load"][points] = ahat
    found["alpha"][points] = ahat / float(crosstalk_variance(P, "distinct"))
    found["temperature"][points] = T
    found["m"][points], found["q"][points], found["residual"][points] = m, q, np.abs(difference)


def _load(T, P):
    """Points that have a transition and its reduced load there."""
    points = np.flatnonzero(T < transition_without_load(P)[1])
    _, _, top = fold(T[points], P, "distinct")
    largest = top.reduced_load * (1 - rounding(P))
    ends = (np.full(points.size, _SMALLEST_LOAD), largest)
    ends = np.minimum(*ends), largest
    signs = [_difference(end, T[points], P)[0] for end in ends]
    has = (signs[0] <= 0) & (signs[1] >= 0)
    points = points[has]
    ahat = roots(lambda ahat, T: _difference(ahat, T, P)[0], ends[0][has], ends[1][has], T[points])
    return points, ahat


def _upper(ahat, P):
    """Points with ahat <= ahat_1, and T between the glass transition and the spinodal."""
    points = np.flatnonzero(ahat <= _static(P) ** 2)
    goal = ahat[points]
    w = fold_at_load(goal, P, "distinct")
    spinodal = fold_at(w, P, "distinct")[1].temperature * (1 - 1e-9)
    lower = np.minimum(_static(P) * np.sqrt(goal), spinodal)

    def difference(T, ahat):
        return _difference(ahat, T, P)[0]

    # At ahat_1 itself the difference vanishes with T_K, to rounding of either sign.
    at_end = difference(lower, goal) > 0
    T = lower.copy()
    T[~at_end] = roots(difference, lower[~at_end], spinodal[~at_end], goal[~at_end])
    return points, T


@cache
def _lowest(P):
    """The temperature below ahat_1 where the line has its smallest load, and that load: its end on
    the spinodal, or a minimum."""
    end = 0.0
    if not _load(np.zeros(1), P)[0].size:

        def excess(T):
            largest = fold(T, P, "distinct")[2].reduced_load * (1 - rounding(P))
            return _difference(largest, T, P)[0]

        end = roots(excess, 0.0, _static(P) ** 2)[0]
    T = np.linspace(end, _static(P) ** 2, _NODES)
    points, loads = _load(T, P)
    least = np.argmin(loads)
    return T[points[least]], loads[least]


def _lower(ahat, P):
    """Points with a load between the smallest below ahat_1 and ahat_1 itself, and T."""
    T_low, smallest = _lowest(P)
    points = np.flatnonzero((ahat > smallest) & (ahat <= _static(P) ** 2))
    goal = ahat[points]

    def difference(T, ahat):
        return _difference(ahat, T, P)[0]

    upper = np.maximum(T_low, _static(P) * np.sqrt(goal))
    at_end = difference(upper, goal) > 0
    T = upper.copy()
    T[~at_end] = roots(difference, T_low, upper[~at_end], goal[~at_end])
    return points, T


def _pairwise(alpha, lower):
    if not lower:
        there = hopfield.transition_temperature(alpha)
        return {name: there[name].values for name in ("temperature", "m", "residual")}
    top, bottom = hopfield.transition_maximum(), float(hopfield.transition_load(0.0).alpha)
    values = {name: np.full(alpha.size, np.nan) for name in ("temperature", "m", "residual")}
    points = np.flatnonzero((alpha >= bottom) & (alpha <= float(top.alpha)))

    def excess(T, alpha):
        return hopfield.transition_load(T).alpha.values - alpha

    T = roots(excess, 0.0, float(top.temperature), alpha[points])
    there = hopfield.transition_load(T)
    for name, found in (("temperature", T), ("m", there.m), ("residual", there.residual)):
        values[name][points] = found
    return values
