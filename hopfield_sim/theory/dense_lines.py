"""The spinodal and the de Almeida-Thouless line of the retrieval states of P-body networks.

For a given temperature retrieval states exist up to the load of the spinodal. It is reentrant: from
its value at T = 0 the load rises to a maximum (the nose) and falls to zero at the spinodal
temperature of no load. For *distinct* the nose lies on the Nishimori line T = ahat, where m = q;
true boundaries are expected to be vertical below it, so that the reentrance is an artefact of
replica symmetry (`dense_points.nishimori_bound`).

Below the de Almeida-Thouless line, on which

    xi''(q) E sech^4(h/T)/T^2 = 1,

replica symmetry of the retrieval states is broken. With y and w of `dense_saddle` its left side is
(d ln V/d ln q) E sech^4((y + z)/w)/(w^2 q), a function of y and w alone, so that the line is one
root w for every y. It begins at no load and T = 0, where w ~ (4/3) (d ln V/d ln q) phi(y), phi the
Gaussian density, and ends on the spinodal: for *distinct* in the nose, for *full* just above it,
where it turns before: at loads up to 4e-5 (relatively) above that of its end replica symmetry holds
between two temperatures, of which the lower one is given.

At P = 2 all this is `hopfield`'s.

Sources: E. Gardner, J. Phys. A 20 (1987) 3453 (the equations); L. Albanese, A. Alessandrelli,
A. Annibale, A. Barra, arXiv:2303.06375 (de Almeida-Thouless line); the parametrisation, the nose
and *full* are derived here.
"""

from functools import cache

import numpy as np

from hopfield_sim.theory import hopfield
from hopfield_sim.theory.continuation import maxima, roots
from hopfield_sim.theory.dense_kernel import (
    ALPHA_NAME,
    checked_normalisation,
    crosstalk_variance,
    kernel,
    with_reduced_load,
)
from hopfield_sim.theory.dense_saddle import (
    CONVENTION,
    SOURCE,
    Saddle,
    fold,
    fold_at,
    fold_at_load,
    no_load_fold,
    nose,
    rounding,
    saddle_at,
)
from hopfield_sim.theory.labels import branches, common_grid, evaluated, parameter

NAMES = {
    "alpha": ALPHA_NAME,
    "reduced_load": "reduced load ahat",
    "temperature": "temperature in units of the coupling J, k_B = 1",
    "m": "overlap with the condensed pattern",
    "q": "Edwards-Anderson order parameter",
    "residual": "error of the equations that define the line",
}
# Signals beyond which the line lies at T < 1e-280.
_LARGEST_SIGNAL = 36.0
# The line turns this close to its end, if it does: at 0.006 for P = 3, earlier for larger P.
_AT_TURN = 0.05


def spinodal_load(interaction, temperature, normalisation="distinct"):
    """alpha_M(T), the largest load at which retrieval states exist.

        ahat_M(T) = max ahat at fixed T over the solutions: det d(T, ahat)/d(w, y) = 0

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        temperature: likewise, >= 0; plain arrays span the grid (interaction, temperature).
        normalisation: "distinct" or "full".

    Returns:
        xarray.Dataset on that grid with alpha, reduced_load, m, q (at the spinodal) and residual
        (of T relatively, and of the determinant of logarithmic derivatives). NaN at and above the
        spinodal temperature of no load (`low_load_limits`). At P = 2 q is NaN.

    Raises:
        ValueError: a parameter outside its domain, by name, or unnamed axes.

    Source: Gardner, J. Phys. A 20 (1987) 3453.
    """

    def of_order(P, T):
        if P == 2:
            return _hopfield(hopfield.spinodal_load, "temperature", T)
        found = _nowhere(T.size)
        points = np.flatnonzero(T < no_load_fold(P)[1])
        _, _, top = fold(T[points], P, normalisation)
        error = np.abs(top.temperature - T[points]) / np.where(T[points] > 0, T[points], 1)
        _put(found, points, top, np.maximum(error, np.abs(top.determinant)), P, normalisation)
        return found

    grid = common_grid(interaction=interaction, temperature=temperature)
    kept = ("alpha", "reduced_load", "m", "q", "residual")
    return line(grid, of_order, kept, normalisation, "spinodal")


def spinodal_temperature(interaction, alpha, normalisation="distinct"):
    """T_M(alpha), the temperatures between which retrieval states exist.

        ahat_M(T_M) = ahat

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        alpha: K/N^(P-1), likewise, > 0; plain arrays span the grid (interaction, alpha).
        normalisation: "distinct" or "full".

    Returns:
        xarray.Dataset on that grid with a further first dimension `branch`, "upper" and "lower":
        temperature, m, q, residual (as `spinodal_load`, of ahat) and the coordinate reduced_load.
        The lower one is NaN for loads below that of T = 0, where retrieval states exist down to
        T = 0; both are NaN above `spinodal_maximum`.

    Raises: as `spinodal_load`.

    Source: Gardner, J. Phys. A 20 (1987) 3453.
    """

    def of_order(lower):
        def found_at(P, alpha):
            if P == 2:
                return _pairwise_spinodal(alpha, lower)
            ahat = alpha * float(crosstalk_variance(P, normalisation))
            found = _nowhere(ahat.size)
            largest = nose(P, normalisation)[2].reduced_load * (1 + rounding(P))
            points = ahat <= largest
            if lower:
                frozen = fold(np.zeros(1), P, normalisation)[2].reduced_load
                points &= ahat >= frozen * (1 - rounding(P))
            points = np.flatnonzero(points)
            w = fold_at_load(ahat[points], P, normalisation, lower)
            top = fold_at(w, P, normalisation)[1]
            error = np.abs(top.reduced_load / ahat[points] - 1)
            _put(found, points, top, np.maximum(error, np.abs(top.determinant)), P, normalisation)
            return found

        return found_at

    grid = common_grid({"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha)
    kept = ("temperature", "m", "q", "residual")
    both = [line(grid, of_order(lower), kept, normalisation, "spinodal") for lower in (False, True)]
    return branches(both, ["upper", "lower"])


def spinodal_maximum(interaction, normalisation="distinct"):
    """The nose of the spinodal: the largest load of retrieval states at any temperature.

        d ahat_M/dT = 0;  for *distinct* at T = ahat, m = q, where also the replicon is zero

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        normalisation: "distinct" or "full".

    Returns:
        xarray.Dataset on that coordinate with alpha, reduced_load, temperature, m, q (NaN at
        P = 2) and residual (of the logarithmic derivatives that vanish there).

    Raises: as `spinodal_load`.

    Source: derived here (the coincidence with the Nishimori line is that of planted P-spin
    models); P = 2: Naef, Canning, J. Phys. I France 2 (1992) 247.
    """

    def of_order(P):
        if P == 2:
            top = hopfield.spinodal_maximum()
            found = _hopfield(hopfield.spinodal_load, "temperature", top.temperature.values[None])
            return found | {"temperature": top.temperature.values[None]}
        found = _nowhere(1)
        _, _, top = nose(P, normalisation)
        error = np.maximum(np.abs(top.load_kink), np.abs(top.load_signal))
        _put(found, np.arange(1), top, error, P, normalisation)
        return found

    grid = [parameter(interaction, "interaction")]
    return line(grid, of_order, tuple(NAMES), normalisation, "largest load of the spinodal")


def at_temperature(interaction, alpha, normalisation="distinct"):
    """T_AT(alpha), below which the replica symmetry of the retrieval state breaks.

        xi''(q) E sech^4(h/T)/T^2 = 1  on the retrieval states

    Args, Raises: as `spinodal_temperature`.

    Returns:
        xarray.Dataset on the grid (interaction, alpha) with temperature, m, q, residual (of the
        condition and of ahat, relatively) and the coordinate reduced_load. NaN above the largest
        load of the line, for *distinct* that of `at_line_end`, for *full* up to 4e-5 above it;
        retrieval states of larger load, if any, are unstable at every T. T is zero, and m, q,
        residual NaN, where it would be below 1e-280 (ahat < 8e-4).

    Source: Albanese, Alessandrelli, Annibale, Barra, arXiv:2303.06375; P = 2: Amit, Gutfreund,
    Sompolinsky, Ann. Phys. 173 (1987) 30; the parametrisation is derived here.
    """

    def of_order(P, alpha):
        if P == 2:
            return _hopfield(hopfield.at_temperature, "alpha", alpha)
        ahat = alpha * float(crosstalk_variance(P, normalisation))
        found = _nowhere(ahat.size)
        y_top, top = _at_top(P, normalisation)
        _, first = _at_signal(np.array([_LARGEST_SIGNAL]), P, normalisation)
        found["temperature"][ahat < first.reduced_load] = 0
        points = np.flatnonzero((ahat >= first.reduced_load) & (ahat <= top.reduced_load))
        goal = ahat[points]

        def excess(y, goal):
            return _at_signal(y, P, normalisation)[1].reduced_load / goal - 1

        y = roots(excess, y_top, _LARGEST_SIGNAL, goal)
        state = _at_signal(y, P, normalisation)[1]
        error = np.maximum(np.abs(state.at_ratio - 1), np.abs(state.reduced_load / goal - 1))
        _put(found, points, state, error, P, normalisation)
        return found

    grid = common_grid({"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha)
    kept = ("temperature", "m", "q", "residual")
    return line(grid, of_order, kept, normalisation, "de Almeida-Thouless line")


def at_line_end(interaction, normalisation="distinct"):
    """Where the de Almeida-Thouless line of the retrieval states ends on the spinodal.

    Args, Raises: as `spinodal_maximum`; for *distinct* it is that point.

    Returns:
        xarray.Dataset on the coordinate interaction with alpha, reduced_load, temperature, m, q
        (NaN at P = 2) and residual (of the condition and of the determinant).
    """

    def of_order(P):
        found = _nowhere(1)
        if P == 2:
            end = hopfield.at_line_end()
            for name in ("alpha", "temperature"):
                found[name] = end[name].values[None]
            found["reduced_load"] = found["alpha"]
            return found | _at_end_pairwise(found["alpha"])
        _, end = _at_end(P, normalisation)
        error = np.maximum(np.abs(end.at_ratio - 1), np.abs(end.determinant))
        _put(found, np.arange(1), end, error, P, normalisation)
        return found

    grid = [parameter(interaction, "interaction")]
    return line(grid, of_order, tuple(NAMES), normalisation, "end of the de Almeida-Thouless line")


def line(parameters, of_order, kept, normalisation, title, names=NAMES):
    """The Dataset of a line: `of_order` takes one P and flat arrays of the other parameters.

    Args:
        parameters: DataArrays from `common_grid`, the first of them P.
        of_order: returns name -> array (point,), the names of `kept` among them.
        kept: names of the variables, keys of `names`.
        names: name -> what the variable is.
    """

    def equations(P, *others):
        values = {name: np.full(P.size, np.nan) for name in kept}
        for order in np.unique(P).astype(int):
            points = np.flatnonzero(order == P)
            crosstalk_variance(int(order), normalisation)  # refuses orders that are too large
            found = of_order(int(order), *(values[points] for values in others))
            for name in kept:
                values[name][points] = found[name]
        return values

    found = evaluated(
        parameters,
        equations,
        {name: names[name] for name in kept},
        f"{title} of the P-body network",
        convention=CONVENTION[checked_normalisation(normalisation)],
        source=SOURCE,
    )
    if "alpha" in found.coords:
        return with_reduced_load(found, normalisation)
    found.attrs["normalisation"] = normalisation
    return found


def _nowhere(size):
    return {name: np.full(size, np.nan) for name in NAMES}


def _put(found, points, saddle, error, P, normalisation):
    found["reduced_load"][points] = saddle.reduced_load
    found["alpha"][points] = saddle.reduced_load / float(crosstalk_variance(P, normalisation))
    found["temperature"][points] = saddle.temperature
    found["m"][points], found["q"][points] = saddle.m, saddle.q
    found["residual"][points] = error


# --- de Almeida-Thouless ------------------------------------------------------------------------


def _at_signal(y, P, normalisation):
    """w (point,) of the line at the signals y (point,), and the Saddle there."""
    # For w -> 0: w = (4/3) (d ln V/d ln q) phi(y), with q = 1; close to it on the whole line.
    power = kernel(P, normalisation).slope.sum()
    narrow = 4 / 3 * power * np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi)

    def excess(log_w, y):
        return np.log(saddle_at(y, np.exp(log_w), P, normalisation).at_ratio)

    w = np.exp(roots(excess, np.log(narrow / 2), np.log(narrow * 2), y))
    return w, saddle_at(y, w, P, normalisation)


@cache
def _at_end(P, normalisation):
    """y and the Saddle where the line meets the spinodal, arrays of one point."""

    def excess(w):
        return fold_at(w, P, normalisation)[1].at_ratio - 1

    # Along the spinodal the ratio decreases from infinity at T = 0.
    w = roots(excess, nose(P, normalisation)[0] / 100, nose(P, normalisation)[0] * 1.5)
    y, end = fold_at(w, P, normalisation)
    return y[0], end


@cache
def _at_top(P, normalisation):
    """y and the Saddle where the line has its largest load, arrays of one point."""
    y_end, _ = _at_end(P, normalisation)
    y, _ = maxima(
        lambda y: _at_signal(y, P, normalisation)[1].reduced_load, y_end, y_end + _AT_TURN
    )
    ends = _at_signal(np.array([y_end, y[0]]), P, normalisation)[1]
    best = int(np.argmax(ends.reduced_load))
    return (y_end, y[0])[best], Saddle(*(values[best : best + 1] for values in ends))


# --- P = 2 --------------------------------------------------------------------------------------


def _hopfield(function, name, values):
    """A line of the Hopfield network at points, under the names used here."""
    found = _nowhere(values.size)
    there = function(values)
    for variable in there.data_vars:
        found[variable] = there[variable].values
    found[name] = values
    found["reduced_load"] = found["alpha"]
    return found


def _pairwise_spinodal(alpha, lower):
    if not lower:
        return _hopfield(hopfield.spinodal_temperature, "alpha", alpha)
    found = _nowhere(alpha.size)
    top = hopfield.spinodal_maximum()
    bottom = float(hopfield.spinodal_load(0.0).alpha)
    points = np.flatnonzero((alpha >= bottom) & (alpha <= float(top.alpha)))

    def excess(T, alpha):
        return hopfield.spinodal_load(T).alpha.values - alpha

    T = roots(excess, 0.0, float(top.temperature), alpha[points])
    there = hopfield.spinodal_load(T)
    error = np.maximum(np.abs(there.alpha.values - alpha[points]), there.residual.values)
    for name, values in (("temperature", T), ("m", there.m.values), ("residual", error)):
        found[name][points] = values
    return found


def _at_end_pairwise(alpha):
    there = hopfield.at_temperature(alpha)
    return {"m": there.m.values, "residual": there.residual.values}
