"""Fixed points of a softmax network with two patterns: the equation of Curie and Weiss.

xi = (x_1 + x_2)/2 + m (x_1 - x_2)/2 with the weights (1 + m)/2 and (1 - m)/2 is a fixed point of
xi <- X^T softmax(beta X xi) where

    m = tanh(beta |x_1 - x_2|^2 m/4 + beta (|x_1|^2 - |x_2|^2)/4)

All fixed points are of this form, as an update ends on the line between the patterns.

Source: H. Ramsauer et al., ICLR 2021 (arXiv:2008.02217) for the network; derived here, checked by
iteration.
"""

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, evaluated

_ABOUT = {
    "convention": "xi = mean + m (x_1 - x_2)/2, update xi <- X^T softmax(beta X xi); energies "
    "times beta, relative to m = 0",
    "source": "derived here; Ramsauer et al. 2021 for the network",
}
_MEANINGS = {"distance": "distance |x_1 - x_2| of the two patterns"}
_NAMES = {
    "m": "weight of the first pattern minus that of the second",
    "energy": "energy times beta, relative to m = 0",
    "growth": "factor by which an update changes a small distance from the state",
}


def thresholds(distance, norm_difference=0.0):
    """The inverse temperature from which on both patterns can be retrieved.

        beta = 4/|x_1 - x_2|^2                        equal norms
        beta |D|^2/4 = k with k m_s - artanh(m_s) = k | |x_1|^2 - |x_2|^2 |/|D|^2,
        m_s = sqrt(1 - 1/k)                           unequal norms

    A pattern without separation, x_1 . x_2 >= |x_2|^2 (the same as |x_1|^2 - |x_2|^2 >= |D|^2), has
    no state of its own at any beta.

    Args:
        distance: |D| = |x_1 - x_2|, a number, a 1-D array or a DataArray.
        norm_difference: |x_1|^2 - |x_2|^2, likewise.

    Returns:
        xarray.Dataset on the grid of both with `inverse_temperature` (infinite where there is
        none) and `m`, the |m| with which the weaker state appears.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here, checked by iteration.
    """

    def appears(distance, difference):
        with np.errstate(divide="ignore", invalid="ignore"):
            tilt = np.where(distance > 0, np.abs(difference) / distance**2, np.inf)
            beta = np.where(tilt == 0, 4 / distance**2, np.inf)
        m = np.where(tilt == 0, 0.0, np.nan)
        some = (tilt > 0) & (tilt < 1)
        if some.any():
            # in m: k = 1/(1 - m^2), the tilt that is possible grows from 0 to 1
            m[some] = roots(
                lambda m, tilt: m - (1 - m**2) * np.arctanh(m) - tilt, 0.0, 1 - 1e-16, tilt[some]
            )
            beta[some] = 4 / ((1 - m[some] ** 2) * distance[some] ** 2)
        return {"inverse_temperature": beta, "m": m}

    names = {
        "inverse_temperature": "inverse temperature from which on both patterns have a state",
        "m": "absolute value of m with which the weaker state appears",
    }
    grid = common_grid(_MEANINGS, distance=distance, norm_difference=norm_difference)
    return evaluated(grid, appears, names, "two patterns, transition", **_ABOUT)


def solutions(inverse_temperature, distance, norm_difference=0.0):
    """All states of two patterns.

    Args:
        inverse_temperature: beta > 0, a number, a 1-D array or a DataArray.
        distance: |x_1 - x_2|, likewise.
        norm_difference: |x_1|^2 - |x_2|^2, likewise; 0 for equal norms.

    Returns:
        xarray.Dataset with `branch` as the first dimension, "first" (the largest m, near the first
        pattern), "second" (the smallest m) and "between" (unstable where both others exist), and
        `m`, `energy` (times beta, relative to m = 0) and `growth` (below 1: stable). Where there is
        one state only it is "first" if |x_1| > |x_2|, "second" if |x_1| < |x_2| and "between"
        (m = 0) for equal norms; the others are NaN.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here, checked by iteration.
    """
    grid = common_grid(
        _MEANINGS,
        inverse_temperature=inverse_temperature,
        distance=distance,
        norm_difference=norm_difference,
    )
    names = ["first", "second", "between"]
    found = [
        evaluated(
            grid,
            lambda beta, distance, difference, name=name: _state(
                beta * distance**2 / 4, beta * difference / 4, name
            ),
            _NAMES,
            f"two patterns, state {name!r}",
            **_ABOUT,
            branch=name,
        )
        for name in names
    ]
    return branches(found, names, "two patterns, all states")


def _state(coupling, field, name):
    """name -> array (point,) for m = tanh(coupling m + field)."""
    if name == "second":
        found = _state(coupling, -field, "first")
        return found | {"m": -found["m"]}
    turn = np.sqrt(np.maximum(1 - 1 / np.maximum(coupling, 1), 0))  # slope 1 of the tanh
    # room for three states; with unequal norms the stronger one is there at any coupling
    both = (coupling > 1) & (np.abs(field) < coupling * turn - np.arctanh(turn))

    def away(m, coupling, field):
        return np.tanh(coupling * m + field) - m

    m = np.full(coupling.size, np.nan)
    if name == "first":
        some = both | (field > 0)
        lower, upper = np.where(field > 0, 0.0, turn), np.ones(coupling.size)
    else:
        some = both
        lower, upper = -turn, turn
        m[(field == 0) & ~both] = 0.0
    if some.any():
        m[some] = roots(away, lower[some], upper[some], coupling[some], field[some])
    growth = coupling * (1 - m**2)
    with np.errstate(divide="ignore", invalid="ignore"):
        p, q = (1 + m) / 2, (1 - m) / 2
        entropy = -np.where(p > 0, p * np.log(p), 0 * m) - np.where(q > 0, q * np.log(q), 0 * m)
    energy = -coupling * m**2 / 2 - field * m - entropy + np.log(2)
    return {"m": m, "energy": energy, "growth": growth}
