"""The lines of the Hopfield network's phase diagram.

From high to low temperature, for a given load alpha:

    T_g = 1 + sqrt(alpha)   paramagnet -> spin glass, continuous
    T_M                     retrieval states appear (spinodal)
    T_c                     retrieval becomes the state of lowest free energy
    T_R                     replica symmetry of the retrieval state breaks (de Almeida-Thouless)

Each is computed from its definition in the replica-symmetric theory; every point comes with the
residual of that definition. Two of the lines are not monotone at low temperature, both as an
artefact of replica symmetry: alpha_M(T) rises from 0.13791 at T = 0 to 0.13819 at T = 0.0229, and
alpha_c(T), where the free energies are equal, from 0.0519 to 0.0532 at T = 0.08.

Sources: D. J. Amit, H. Gutfreund, H. Sompolinsky, Ann. Phys. 173 (1987) 30 (definitions, T = 0
values, T_M ~ 1 - 1.95 sqrt(alpha), T_c ~ 1 - 2.6 sqrt(alpha),
T_R ~ sqrt(8 alpha/9 pi) exp(-1/2 alpha)); J.-P. Naef, A. Canning, J. Phys. I France 2 (1992) 247
(reentrance of the spinodal).
"""

from functools import cache

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.hopfield_points import (
    ALPHA_NAME,
    BELOW_FOLD,
    M_NAME,
    T_NAME,
    at_line_at,
    at_ratio,
    at_top,
    spinodal_top,
    transition_at,
    transition_top,
)
from hopfield_sim.theory.hopfield_saddle import (
    CONVENTION,
    SOURCE,
    fold,
    of_saddle,
    of_spin_glass,
    saddle_at_load,
    saddle_at_noise,
)
from hopfield_sim.theory.labels import dataset, on_grid, parameter

# Beyond this m/b, that is below alpha = 7.3e-4, T_R < 1e-290 leaves the range of floats.
_AT_LAST = 37.0

# Closer to T = 1 than this the free energies differ by less than 1e-10, and the crossing is scaled
# from here: to leading order alpha_c is proportional to (1 - T)^2, exact to 1e-5 of itself.
_NEAR_ONE = 1e-5
# Temperatures of the table that brackets a line, from its maximum to T = 1: geometric in 1 - T, so
# that neighbouring loads differ by less than a factor of 1.5.
_TABLE = 64


def lines(alpha):
    """T_g, T_M, T_c and T_R as functions of the load.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, > 0.

    Returns:
        xarray.Dataset on the coordinate alpha with T_g, T_M, T_c, T_R (in units of J); NaN where a
        line does not exist. The functions for one line each give also its residual.

    Raises:
        ValueError: a load that is not a finite number > 0, or unnamed axes.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30, its phase diagram.
    """
    alpha = parameter(alpha, "alpha")
    names = {
        "T_g": (spin_glass_temperature, "spin-glass temperature"),
        "T_M": (spinodal_temperature, "spinodal temperature of the retrieval states"),
        "T_c": (transition_temperature, "temperature where retrieval becomes the equilibrium"),
        "T_R": (at_temperature, "de Almeida-Thouless temperature of the retrieval states"),
    }
    return dataset(
        [alpha],
        {name: (line(alpha).temperature.values, text) for name, (line, text) in names.items()},
        "phase diagram of the Hopfield network",
        convention=CONVENTION,
        source=SOURCE,
    )


def spin_glass_temperature(alpha):
    """T_g = 1 + sqrt(alpha), where the paramagnet turns into the spin glass.

    Args, Raises: as `lines`.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`.
    """
    alpha = parameter(alpha, "alpha")
    values = {"temperature": (1 + np.sqrt(alpha.values), T_NAME)}
    title = "spin-glass temperature of the Hopfield network"
    return dataset([alpha], values, title, convention=CONVENTION, source=SOURCE)


def spinodal_load(temperature):
    """alpha_M(T), the largest load at which retrieval states exist.

        alpha_M(T) = max_x b^2 (1 - C)^2/q  over the relative noise x = b/m, b = sqrt(alpha r)

    Args:
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with `alpha`, `m` (the overlap there) and
        `residual` (|d sqrt(alpha)/dx|). NaN for T > 1. It is not monotone: see
        `spinodal_maximum`.

    Raises: as `lines`.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    temperature = parameter(temperature, "temperature")
    (T,), shape = on_grid([temperature])
    alpha, m, residual = np.full((3, T.size), np.nan)
    points = np.flatnonzero(T < 1)
    x, _ = fold(T[points])
    saddle = saddle_at_noise(x, T[points])
    alpha[points], m[points] = saddle.root_alpha**2, saddle.m
    residual[points] = np.abs(saddle.slope_x)
    alpha[T == 1] = m[T == 1] = residual[T == 1] = 0
    return _line([temperature], shape, "spinodal", alpha=alpha, m=m, residual=residual)


def spinodal_temperature(alpha):
    """T_M(alpha), below which retrieval states exist: alpha_M(T_M) = alpha.

    Between alpha_M(0) = 0.13791 and the maximum 0.13819 of alpha_M(T) retrieval states exist
    between two temperatures; T_M is the upper one.

    Args, Raises: as `lines`.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`, `m` (the overlap there) and
        `residual` (the larger of |sqrt(alpha_M(T)) - sqrt(alpha)| and |d sqrt(alpha)/dx|).
        NaN above the maximum.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    alpha = parameter(alpha, "alpha")
    (loads,), shape = on_grid([alpha])
    T, m, residual = np.full((3, loads.size), np.nan)
    table, table_alpha = _spinodal_table()
    points = np.flatnonzero(loads <= table_alpha[0])
    T[points] = roots(
        lambda T, root_alpha: _largest_root_alpha(T) - root_alpha,
        *_neighbours(table, table_alpha, loads[points]),
        np.sqrt(loads[points]),
    )
    m[T == 1] = residual[T == 1] = 0  # loads so small that T_M is 1 within rounding
    points = np.flatnonzero(T < 1)
    x, root_alpha = fold(T[points])
    saddle = saddle_at_noise(x, T[points])
    m[points] = saddle.m
    residual[points] = np.maximum(
        np.abs(root_alpha - np.sqrt(loads[points])), np.abs(saddle.slope_x)
    )
    return _line([alpha], shape, "spinodal", temperature=T, m=m, residual=residual)


def transition_load(temperature):
    """alpha_c(T), the load below which retrieval is the equilibrium: f_retrieval = f_spin glass.

    Args, Raises: as `spinodal_load`.

    Returns:
        xarray.Dataset on the coordinate temperature with `alpha`, `m` (the overlap there) and
        `residual` (|f_retrieval - f_spin glass|). NaN for T > 1. At T = 0 it is
        alpha_1 = 0.05185. It is not monotone: see `transition_maximum`.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    temperature = parameter(temperature, "temperature")
    (T,), shape = on_grid([temperature])
    alpha, m, residual = np.full((3, T.size), np.nan)
    points = np.flatnonzero(T < 1)
    reached = np.minimum(T[points], 1 - _NEAR_ONE)
    alpha[points] = transition_at(reached)[0] * ((1 - T[points]) / (1 - reached)) ** 2
    difference, m[points] = _free_energy_difference(alpha[points], T[points])
    residual[points] = np.abs(difference)
    alpha[T == 1] = m[T == 1] = residual[T == 1] = 0
    return _line([temperature], shape, "transition", alpha=alpha, m=m, residual=residual)


def transition_temperature(alpha):
    """T_c(alpha), below which retrieval is the equilibrium: f_retrieval = f_spin glass.

    Between alpha_c(0) = 0.0519 and the maximum 0.0532 of alpha_c(T) the free energies are equal at
    two temperatures, and retrieval is the equilibrium between them; T_c is the upper one.

    Args, Raises: as `lines`.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`, `m` (the overlap there) and
        `residual` (|f_retrieval - f_spin glass|). NaN above the maximum.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    alpha = parameter(alpha, "alpha")
    (loads,), shape = on_grid([alpha])
    T, m, residual = np.full((3, loads.size), np.nan)
    table, table_alpha = _transition_table()
    points = np.flatnonzero((loads >= table_alpha[-1]) & (loads <= table_alpha[0]))
    # So far below the maximum that the free energies differ by more than rounding there.
    wanted = np.minimum(loads[points], table_alpha[0] * (1 - 1e-14))
    T[points] = roots(
        lambda T, alpha: _free_energy_difference(alpha, T)[0],
        *_neighbours(table, table_alpha, wanted),
        wanted,
    )
    near = loads < table_alpha[-1]
    T[near] = 1 - _NEAR_ONE * np.sqrt(loads[near] / table_alpha[-1])
    m[T == 1] = residual[T == 1] = 0
    points = np.flatnonzero(T < 1)
    difference, m[points] = _free_energy_difference(loads[points], T[points])
    residual[points] = np.abs(difference)
    return _line([alpha], shape, "transition", temperature=T, m=m, residual=residual)


def at_temperature(alpha):
    """T_R(alpha), below which the replica symmetry of the retrieval state breaks.

        alpha beta^2 E sech^4(h/T) / (1 - C)^2 = 1   (de Almeida-Thouless) on the stable branch

    It ends on the spinodal (`at_line_end`), and turns just before: at loads up to 7e-8 above that
    of its end replica symmetry holds between two temperatures, of which T_R is the lower one; at
    larger loads it is broken wherever retrieval states exist.

    Args, Raises: as `lines`.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`, `m` (the overlap there) and
        `residual` (|1 - the left side|). NaN above the largest load of the line. For
        alpha < 7.3e-4, where T_R < 1e-290, temperature is 0 and the residual NaN.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    alpha = parameter(alpha, "alpha")
    (loads,), shape = on_grid([alpha])
    T, m, residual = np.full((3, loads.size), np.nan)
    top_alpha, top = at_top()
    points = np.flatnonzero((loads > _AT_LAST**-2) & (loads <= top_alpha))
    below = loads[points]

    def excess(signal, root_alpha):
        return at_line_at(signal)[1] - root_alpha

    # m/b <= 1/sqrt(alpha) on every solution.
    signal = roots(excess, top, 1.001 / np.sqrt(below), np.sqrt(below))
    T[points] = at_line_at(signal)[0]
    saddle = saddle_at_noise(1 / signal, T[points])
    m[points] = saddle.m
    found = at_ratio(saddle, T[points])
    residual[points] = np.maximum(np.abs(found - 1), np.abs(saddle.root_alpha - np.sqrt(below)))
    T[loads <= _AT_LAST**-2], m[loads <= _AT_LAST**-2] = 0, 1
    return _line([alpha], shape, "de Almeida-Thouless", temperature=T, m=m, residual=residual)


def _line(parameters, shape, title, **variables):
    names = {"temperature": T_NAME, "alpha": ALPHA_NAME, "m": M_NAME}
    names["residual"] = "error of the equations that define the line"
    values = {name: (value.reshape(shape), names[name]) for name, value in variables.items()}
    title = f"{title} line of the Hopfield network"
    return dataset(parameters, values, title, convention=CONVENTION, source=SOURCE)


@cache
def _spinodal_table():
    """Temperatures from the maximum of alpha_M(T) to 1, and alpha_M there: it falls."""
    top_alpha, top_T = spinodal_top()
    table = np.append(1 - np.geomspace(1 - top_T, _NEAR_ONE, _TABLE), 1.0)
    table[0] = top_T
    return table, np.concatenate([[top_alpha], _largest_root_alpha(table[1:]) ** 2])


@cache
def _transition_table():
    """Temperatures from the maximum of alpha_c(T) to 1 - 1e-5, and alpha_c there: it falls."""
    top_alpha, top_T = transition_top()
    table = 1 - np.geomspace(1 - top_T, _NEAR_ONE, _TABLE)
    table[0] = top_T
    return table, np.concatenate([[top_alpha], transition_at(table[1:])[0]])


def _neighbours(table, table_alpha, alpha):
    """The two temperatures of a table between which its falling loads pass alpha (point,)."""
    above = np.searchsorted(-table_alpha, -alpha, side="right")
    upper = np.clip(above, 1, table.size - 1)
    return table[upper - 1], table[upper]


def _largest_root_alpha(T):
    """sqrt(alpha_M) at T <= 1 (point,)."""
    largest = np.zeros(T.size)
    largest[T < 1] = fold(T[T < 1])[1]
    return largest


def _free_energy_difference(alpha, T):
    """f_retrieval - f_spin glass at a load below the spinodal's, and m of the former."""
    root_alpha = np.sqrt(alpha)
    saddle = saddle_at_load(root_alpha, T, root_alpha / 2, BELOW_FOLD)
    retrieval = of_saddle(alpha, T, saddle)
    spin_glass = of_spin_glass(alpha, T)
    return retrieval["free_energy"] - spin_glass["free_energy"], saddle.m
