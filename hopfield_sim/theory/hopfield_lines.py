"""The lines of the Hopfield network's phase diagram and its special points.

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
from hopfield_sim.theory.hopfield_saddle import (
    fold,
    of_saddle,
    of_spin_glass,
    retrieval_saddle,
    saddle_at_noise,
)
from hopfield_sim.theory.labels import dataset, on_grid, parameter
from hopfield_sim.theory.quadrature import thermal_averages

# Brackets in T for the special points, which are fixed numbers.
_SPINODAL_MAXIMUM = (0.005, 0.05)
_TRANSITION_MAXIMUM = (0.02, 0.2)
# Bracket in m/b of the point where the de Almeida-Thouless line ends on the spinodal.
_AT_END = (1.9, 2.4)
# Beyond this m/b, that is below alpha = 7.3e-4, T_R < 1e-290 leaves the range of floats.
_AT_LAST = 37.0

# Closer to T = 1 than this the free energies differ by less than 1e-10, and the crossing is scaled
# from here: to leading order alpha_c is proportional to (1 - T)^2, exact to 1e-5 of itself.
_NEAR_ONE = 1e-5

_T_NAME = "temperature in units of the coupling J, k_B = 1"
_ALPHA_NAME = "patterns per neuron, P/N"
_M_NAME = "overlap with the condensed pattern"


def lines(alpha):
    """T_g, T_M, T_c and T_R as functions of the load.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate alpha with T_g, T_M, T_c, T_R (in units of J); NaN where a
        line does not exist. The functions for one line each give also its residual.

    Raises:
        ValueError: a negative, infinite or undefined load, or unnamed axes.

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
    )


def spin_glass_temperature(alpha):
    """T_g = 1 + sqrt(alpha), where the paramagnet turns into the spin glass.

    Args, Raises: as `lines`.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`.
    """
    alpha = parameter(alpha, "alpha")
    values = {"temperature": (1 + np.sqrt(alpha.values), _T_NAME)}
    return dataset([alpha], values, "spin-glass temperature of the Hopfield network")


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
    top_alpha, top_T = _spinodal_top()
    points = np.flatnonzero((loads > 0) & (loads <= top_alpha))
    T[points] = _spinodal_temperature(loads[points], top_T)
    x, root_alpha = fold(T[points])
    saddle = saddle_at_noise(x, T[points])
    m[points] = saddle.m
    residual[points] = np.maximum(
        np.abs(root_alpha - np.sqrt(loads[points])), np.abs(saddle.slope_x)
    )
    T[loads == 0], m[loads == 0], residual[loads == 0] = 1, 0, 0
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
    alpha[points] = _transition_at(reached)[0] * ((1 - T[points]) / (1 - reached)) ** 2
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
    top_alpha, top_T = _transition_top()
    near_alpha = _transition_at(np.array([1 - _NEAR_ONE]))[0][0]
    points = np.flatnonzero((loads >= near_alpha) & (loads <= top_alpha))
    spinodal = _spinodal_temperature(loads[points], _spinodal_top()[1])
    # Just below the spinodal, where retrieval exists in spite of rounding; T_c is far below.
    T[points] = roots(
        lambda T, alpha: _free_energy_difference(alpha, T)[0],
        top_T,
        spinodal - 1e-3 * (1 - spinodal),
        loads[points],
    )
    near = loads < near_alpha
    T[near] = 1 - _NEAR_ONE * np.sqrt(loads[near] / near_alpha)
    m[T == 1] = residual[T == 1] = 0
    points = np.flatnonzero(T < 1)
    difference, m[points] = _free_energy_difference(loads[points], T[points])
    residual[points] = np.abs(difference)
    return _line([alpha], shape, "transition", temperature=T, m=m, residual=residual)


def at_temperature(alpha):
    """T_R(alpha), below which the replica symmetry of the retrieval state breaks.

        alpha beta^2 E sech^4(h/T) / (1 - C)^2 = 1   (de Almeida-Thouless) on the stable branch

    It ends on the spinodal (`at_line_end`); at the loads above, replica symmetry is
    broken wherever retrieval states exist.

    Args, Raises: as `lines`.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`, `m` (the overlap there) and
        `residual` (|1 - the left side|). NaN above the end of the line. For alpha < 7.3e-4, where
        T_R < 1e-290, temperature is 0 and the residual NaN.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    alpha = parameter(alpha, "alpha")
    (loads,), shape = on_grid([alpha])
    T, m, residual = np.full((3, loads.size), np.nan)
    end_alpha, _, end = _at_end()
    points = np.flatnonzero((loads > _AT_LAST**-2) & (loads <= end_alpha))
    below = loads[points]

    def excess(signal, root_alpha):
        return _at_noise(signal)[1] - root_alpha

    # m/b <= 1/sqrt(alpha) on every solution.
    signal = roots(excess, end, 1.001 / np.sqrt(below), np.sqrt(below))
    T[points] = _at_noise(signal)[0]
    saddle = saddle_at_noise(1 / signal, T[points])
    m[points] = saddle.m
    found = _at_ratio(saddle, T[points])
    residual[points] = np.maximum(np.abs(found - 1), np.abs(saddle.root_alpha - np.sqrt(below)))
    T[loads <= _AT_LAST**-2], m[loads <= _AT_LAST**-2] = 0, 1
    return _line([alpha], shape, "de Almeida-Thouless", temperature=T, m=m, residual=residual)


def zero_temperature_capacity():
    """The end of retrieval at T = 0, and the load alpha_1 where it stops being the ground state.

        alpha_c = max_y F(y)^2/2,  F(y) = erf(y)/y - (2/sqrt(pi)) exp(-y^2),  y = m/sqrt(2 alpha r)
        alpha_1: e_retrieval = e_spin glass = -1/pi - sqrt(2 alpha/pi)

    Returns:
        xarray.Dataset of numbers: alpha_c, y_c, m, energy and entropy of the retrieval state at
        alpha_c, alpha_1.

    Source: Amit, Gutfreund, Sompolinsky, Phys. Rev. Lett. 55 (1985) 1530.
    """
    zero = np.zeros(1)
    x, root_alpha = fold(zero)
    saddle = saddle_at_noise(x, zero)
    state = of_saddle(root_alpha**2, zero, saddle)
    values = {
        "alpha_c": (root_alpha[0] ** 2, "largest load with retrieval states at T = 0"),
        "y_c": (1 / (np.sqrt(2) * x[0]), "m/sqrt(2 alpha r) at alpha_c"),
        "m": (saddle.m[0], _M_NAME + " at alpha_c"),
        "energy": (state["energy"][0], "energy per neuron at alpha_c"),
        "entropy": (state["entropy"][0], "entropy per neuron at alpha_c"),
        "alpha_1": (
            _transition_at(zero)[0][0],
            "load where retrieval stops being the ground state",
        ),
    }
    return dataset([], values, "zero-temperature capacity of the Hopfield network")


def spinodal_maximum():
    """The largest alpha_M(T) of all temperatures, 0.1381885 at T = 0.02287.

    Returns:
        xarray.Dataset of numbers: alpha, temperature.

    Source: Naef, Canning, J. Phys. I France 2 (1992) 247 (reentrance).
    """
    return _point(*_spinodal_top(), "largest load of the spinodal")


def at_line_end():
    """Where the de Almeida-Thouless line of the retrieval states ends on the spinodal.

    Returns:
        xarray.Dataset of numbers: alpha, temperature.
    """
    return _point(*_at_end()[:2], "de Almeida-Thouless line meets the spinodal")


def transition_maximum():
    """The largest alpha_c(T) of all temperatures, where the two entropies are equal.

    d alpha_c/dT = (s_retrieval - s_spin glass) / (df_retrieval/dalpha - df_spin glass/dalpha).

    Returns:
        xarray.Dataset of numbers: alpha, temperature.
    """
    return _point(*_transition_top(), "largest load at which retrieval is the equilibrium")


def _line(parameters, shape, title, **variables):
    names = {"temperature": _T_NAME, "alpha": _ALPHA_NAME, "m": _M_NAME}
    names["residual"] = "error of the equations that define the line"
    values = {name: (value.reshape(shape), names[name]) for name, value in variables.items()}
    return dataset(parameters, values, f"{title} line of the Hopfield network")


def _point(alpha, temperature, title):
    values = {"alpha": (alpha, _ALPHA_NAME), "temperature": (temperature, _T_NAME)}
    return dataset([], values, title)


@cache
def _spinodal_top():
    """alpha and T where d alpha_M/dT = 0; at the fold x stays fixed to first order."""

    def rise(T):
        return saddle_at_noise(fold(T)[0], T).slope_temperature

    T = roots(rise, *_SPINODAL_MAXIMUM)
    return fold(T)[1][0] ** 2, T[0]


def _spinodal_temperature(alpha, lowest):
    """The root T in [lowest, 1] of alpha_M(T) = alpha; alpha_M decreases there, to 0 at T = 1."""

    def excess(T, root_alpha):
        largest = np.zeros(T.size)
        largest[T < 1] = fold(T[T < 1])[1]
        return largest - root_alpha

    return roots(excess, lowest, 1.0, np.sqrt(alpha))


def _free_energy_difference(alpha, T):
    """f_retrieval - f_spin glass, and m of the former; the former must exist."""
    points, saddle = retrieval_saddle(alpha, T)
    if points.size < alpha.size:
        raise ArithmeticError("no retrieval state where the transition was searched")
    retrieval = of_saddle(alpha, T, saddle)
    spin_glass = of_spin_glass(alpha, T)
    return retrieval["free_energy"] - spin_glass["free_energy"], saddle.m


def _transition_at(T):
    """alpha_c(T) and the observables of both phases there; T <= 1 - 1e-5 (point,)."""

    def both(x, T):
        saddle = saddle_at_noise(x, T)
        alpha = saddle.root_alpha**2
        return alpha, of_saddle(alpha, T, saddle), of_spin_glass(alpha, T)

    def difference(x, T):
        _, retrieval, spin_glass = both(x, T)
        return retrieval["free_energy"] - spin_glass["free_energy"]

    x_fold, _ = fold(T)
    # At a tenth of the fold's relative noise the load is below 1/50 of alpha_M.
    return both(roots(difference, x_fold / 10, x_fold, T), T)


@cache
def _transition_top():
    """alpha and T where d alpha_c/dT = 0."""

    def difference(T):
        _, retrieval, spin_glass = _transition_at(T)
        return retrieval["entropy"] - spin_glass["entropy"]

    T = roots(difference, *_TRANSITION_MAXIMUM)
    return _transition_at(T)[0][0], T[0]


def _at_noise(signal):
    """T and sqrt(alpha) on the de Almeida-Thouless line at given m/b (point,).

    With w = T/b the averages depend on m/b and w only, r drops out of the condition,
    w E tanh^2 = (1/w) E sech^4, and b = E tanh/(m/b) follows. The right side is
    (4/3) phi(m/b) for w -> 0, phi the Gaussian density, and close to it on the whole line.
    """
    narrow = 4 / 3 * np.exp(-(signal**2) / 2) / np.sqrt(2 * np.pi)

    def excess(w, signal):
        average = thermal_averages(signal, 1.0, w)
        return w * average.tanh_squared / average.sech_fourth - 1

    w = roots(excess, narrow / 2, narrow * 3, signal)
    average = thermal_averages(signal, 1.0, w)
    b = average.tanh / signal
    return w * b, (b - average.slope) / np.sqrt(average.tanh_squared)


def _at_ratio(saddle, T):
    return saddle.b**2 * saddle.sech_fourth / (saddle.q * T)


@cache
def _at_end():
    """alpha, T and m/b where the de Almeida-Thouless line meets the spinodal."""

    def slope(signal):
        return saddle_at_noise(1 / signal, _at_noise(signal)[0]).slope_x

    signal = roots(slope, *_AT_END)
    T, root_alpha = _at_noise(signal)
    return root_alpha[0] ** 2, T[0], signal[0]
