"""The special points of the Hopfield network's phase diagram, and the equations of its lines.

Where the lines end or turn: fixed numbers of the theory, each found once and remembered. The
equations that define a transition and the de Almeida-Thouless line live here; `hopfield_lines`
follows them over the load.

Source: D. J. Amit, H. Gutfreund, H. Sompolinsky, Ann. Phys. 173 (1987) 30.
"""

from functools import cache

import numpy as np

from hopfield_sim.theory.continuation import maxima, roots
from hopfield_sim.theory.hopfield_saddle import (
    CONVENTION,
    SOURCE,
    fold,
    of_saddle,
    of_spin_glass,
    saddle_at_noise,
)
from hopfield_sim.theory.labels import dataset
from hopfield_sim.theory.quadrature import thermal_averages

# Brackets in T for the special points, which are fixed numbers.
_SPINODAL_MAXIMUM = (0.005, 0.05)
_TRANSITION_MAXIMUM = (0.02, 0.2)
# A relative noise b/m below that of the fold (1/2.14 at least) and above that of the transition.
BELOW_FOLD = 1 / 2.2
# Bracket in m/b of the point where the de Almeida-Thouless line ends on the spinodal.
_AT_END = (1.9, 2.4)

T_NAME = "temperature in units of the coupling J, k_B = 1"
ALPHA_NAME = "patterns per neuron, P/N"
M_NAME = "overlap with the condensed pattern"


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
        "m": (saddle.m[0], M_NAME + " at alpha_c"),
        "energy": (state["energy"][0], "energy per neuron at alpha_c"),
        "entropy": (state["entropy"][0], "entropy per neuron at alpha_c"),
        "alpha_1": (
            transition_at(zero)[0][0],
            "load where retrieval stops being the ground state",
        ),
    }
    title = "zero-temperature capacity of the Hopfield network"
    source = "Amit, Gutfreund, Sompolinsky, Phys. Rev. Lett. 55 (1985) 1530"
    return dataset([], values, title, convention=CONVENTION, source=source)


def spinodal_maximum():
    """The largest alpha_M(T) of all temperatures, 0.1381885 at T = 0.02287.

    Returns:
        xarray.Dataset of numbers: alpha, temperature.

    Source: Naef, Canning, J. Phys. I France 2 (1992) 247 (reentrance).
    """
    return _point(*spinodal_top(), "largest load of the spinodal")


def at_line_end():
    """Where the de Almeida-Thouless line of the retrieval states ends on the spinodal.

    It touches the spinodal there, on its part that falls with T: so just before its end the line
    has its largest load, 7e-8 above that of its end.

    Returns:
        xarray.Dataset of numbers: alpha, temperature.

    Source: the condition of Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30, at the fold.
    """
    return _point(*at_end()[:2], "de Almeida-Thouless line meets the spinodal")


def transition_maximum():
    """The largest alpha_c(T) of all temperatures, where the two entropies are equal.

    d alpha_c/dT = (s_retrieval - s_spin glass) / (df_retrieval/dalpha - df_spin glass/dalpha).

    Returns:
        xarray.Dataset of numbers: alpha, temperature.

    Source: the free energies of Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    return _point(*transition_top(), "largest load at which retrieval is the equilibrium")


def _point(alpha, temperature, title):
    values = {"alpha": (alpha, ALPHA_NAME), "temperature": (temperature, T_NAME)}
    return dataset([], values, title, convention=CONVENTION, source=SOURCE)


@cache
def spinodal_top():
    """alpha and T where d alpha_M/dT = 0; at the fold x stays fixed to first order."""

    def rise(T):
        return saddle_at_noise(fold(T)[0], T).slope_temperature

    T = roots(rise, *_SPINODAL_MAXIMUM)
    return fold(T)[1][0] ** 2, T[0]


def transition_at(T):
    """alpha_c(T) and the observables of both phases there; T <= 1 - 1e-5 (point,)."""

    def both(x, T):
        saddle = saddle_at_noise(x, T)
        alpha = saddle.root_alpha**2
        return alpha, of_saddle(alpha, T, saddle), of_spin_glass(alpha, T)

    def difference(x, T):
        _, retrieval, spin_glass = both(x, T)
        return retrieval["free_energy"] - spin_glass["free_energy"]

    # At a tenth of the fold's relative noise the load is below 1/50 of alpha_M.
    return both(roots(difference, BELOW_FOLD / 10, BELOW_FOLD, T), T)


@cache
def transition_top():
    """alpha and T where d alpha_c/dT = 0."""

    def difference(T):
        _, retrieval, spin_glass = transition_at(T)
        return retrieval["entropy"] - spin_glass["entropy"]

    T = roots(difference, *_TRANSITION_MAXIMUM)
    return transition_at(T)[0][0], T[0]


def at_line_at(signal):
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


def at_ratio(saddle, T):
    """alpha beta^2 E sech^4 / (1 - C)^2 (point,); below 1 replica symmetry is stable."""
    return saddle.b**2 * saddle.sech_fourth / (saddle.q * T)


@cache
def at_end():
    """alpha, T and m/b where the de Almeida-Thouless line meets the spinodal."""

    def slope(signal):
        return saddle_at_noise(1 / signal, at_line_at(signal)[0]).slope_x

    signal = roots(slope, *_AT_END)
    T, root_alpha = at_line_at(signal)
    return root_alpha[0] ** 2, T[0], signal[0]


@cache
def at_top():
    """The largest load of the de Almeida-Thouless line, and m/b there."""
    end = at_end()[2]
    signal, root_alpha = maxima(lambda signal: at_line_at(signal)[1], end, end * 1.1)
    return root_alpha[0] ** 2, signal[0]
