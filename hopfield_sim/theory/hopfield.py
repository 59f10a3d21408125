"""The Hopfield network in equilibrium, by the replica-symmetric theory of Amit, Gutfreund and
Sompolinsky.

H = -(1/2) sum_{i != j} J_ij s_i s_j with J_ij = (1/N) sum_mu xi_i^mu xi_j^mu and random +-1
patterns, mu = 1..P, alpha = P/N -> constant as N -> infinity, Boltzmann weight exp(-H/T).
Energies and temperatures are in units of J, with k_B = 1.

Order parameters: m, the overlap with the condensed pattern; q = (1/N) sum_i <s_i>^2;
r = (1/alpha) sum_mu m_mu^2 over the other patterns; C = (1 - q)/T. With the field
h = m + sqrt(alpha r) z, z Gaussian and E its average,

    m = E tanh(h/T),   q = E tanh^2(h/T),   r = q/(1 - C)^2.

Phases on this page; several condensed patterns and the lines of the phase diagram come from
their own files and are offered here under the same name:

    retrieval, spin_glass, paramagnet, solutions      what a phase looks like at (alpha, T)
    mixture, mixture_capacity, condensed              several condensed patterns
    low_load, low_load_mixture, low_load_condensed    a finite number of patterns, alpha -> 0
    lines, spin_glass_temperature, spinodal_load, spinodal_temperature, transition_load,
    transition_temperature, at_temperature            the phase diagram
    zero_temperature_capacity, spinodal_maximum, at_line_end, transition_maximum
                                                      its special points

Sources: D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. Lett. 55 (1985) 1530 and
Ann. Phys. 173 (1987) 30 (the equations, the phase diagram); Phys. Rev. A 32 (1985) 1007 (finite
number of patterns); J.-P. Naef, A. Canning, J. Phys. I France 2 (1992) 247 (the reentrant
spinodal).
"""

from functools import partial

import numpy as np

from hopfield_sim.theory.hopfield_condensed import condensed, low_load_condensed
from hopfield_sim.theory.hopfield_lines import (
    at_temperature,
    lines,
    spin_glass_temperature,
    spinodal_load,
    spinodal_temperature,
    transition_load,
    transition_temperature,
)
from hopfield_sim.theory.hopfield_mixtures import low_load_mixture, mixture, mixture_capacity
from hopfield_sim.theory.hopfield_points import (
    at_line_end,
    spinodal_maximum,
    transition_maximum,
    zero_temperature_capacity,
)
from hopfield_sim.theory.hopfield_saddle import (
    CONVENTION,
    LONG_NAMES,
    LOW_LOAD_SOURCE,
    SOURCE,
    of_paramagnet,
    of_saddle,
    of_spin_glass,
    residual,
    retrieval_saddle,
    without_noise,
)
from hopfield_sim.theory.labels import branches, common_grid, evaluated

__all__ = [
    "at_line_end",
    "at_temperature",
    "condensed",
    "lines",
    "low_load",
    "low_load_condensed",
    "low_load_mixture",
    "mixture",
    "mixture_capacity",
    "paramagnet",
    "retrieval",
    "solutions",
    "spin_glass",
    "spin_glass_temperature",
    "spinodal_load",
    "spinodal_maximum",
    "spinodal_temperature",
    "transition_load",
    "transition_maximum",
    "transition_temperature",
    "zero_temperature_capacity",
]


def retrieval(alpha, temperature):
    """The stable retrieval phase: of the solutions with m > 0 the one of larger overlap.

        m = E tanh(h/T),  q = E tanh^2(h/T),  r = q/(1 - C)^2,  h = m + sqrt(alpha r) z

    At T = 0 the exact limit (y = m/sqrt(2 alpha r)): m = erf(y),
    sqrt(2 alpha) = erf(y)/y - (2/sqrt(pi)) exp(-y^2), the larger root y; q = 1. "Stable" is
    meant against changes of m; it is the equilibrium below `transition_temperature`, metastable up
    to `spinodal_temperature`, and its replica symmetry breaks where `replicon` < 0, below
    `at_temperature`. For alpha -> 0 there is `low_load`.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, > 0.
        temperature: likewise, >= 0. Two plain arrays span the grid (alpha, temperature);
            DataArrays are matched by the names of their dimensions and keep their coordinates.

    Returns:
        xarray.Dataset on that grid, dimensionless, with m, q, r, C, free_energy, energy, entropy,
        replicon (-inf at T = 0: the density of fields at zero is finite there) and
        residual (largest error of the equations). NaN where there is no such solution, above
        alpha_M(T).

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    return _phase("retrieval", alpha, temperature)


def spin_glass(alpha, temperature):
    """The replica-symmetric spin glass: m = 0, q > 0.

        q = E tanh^2(sqrt(alpha r) z/T),  r = q/(1 - C)^2

    At T = 0 with x = sqrt(2/(pi alpha)): C = x/(1 + x), r = (1 + x)^2,
    e = -1/pi - sqrt(2 alpha/pi). Its replicon is negative everywhere: replica symmetry is an
    approximation in this phase, best near `spin_glass_temperature`.

    Args, Returns, Raises: as `retrieval`. NaN for T >= 1 + sqrt(alpha).

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    return _phase("spin_glass", alpha, temperature)


def paramagnet(alpha, temperature):
    """The paramagnet, m = q = r = 0.

        f = alpha/2 + (alpha T/2) ln(1 - 1/T) - T ln 2
        u = -alpha/(2 (T - 1)),  replicon = 1 - alpha/(T - 1)^2

    It is the equilibrium above T_g = 1 + sqrt(alpha), where the replicon changes sign, and is
    given wherever the formulas hold, for T > 1.

    Args, Returns, Raises: as `retrieval`. NaN for T <= 1.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    return _phase("paramagnet", alpha, temperature)


def solutions(alpha, temperature):
    """All replica-symmetric solutions with at most one condensed pattern, side by side.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`:
        "retrieval" (larger m), "retrieval_unstable" (smaller m > 0; it meets the former on the
        spinodal and exists for every alpha below it; NaN below some 1e-13, where m = O(alpha^(1/4))
        is hidden by rounding), "spin_glass", "paramagnet".

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    found = [_phase(branch, alpha, temperature) for branch in _PHASES]
    title = "replica-symmetric solutions of the Hopfield network"
    return branches(found, _PHASES, title)


def low_load(temperature):
    """Retrieval with a finite number of patterns, alpha -> 0: m = tanh(m/T).

        f = m^2/2 - T ln 2cosh(m/T)

    Args:
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with the variables of `retrieval`, of which r
        is the limit (no noise comes from it, its weight alpha is zero). NaN for T >= 1.

    Raises:
        ValueError: a bad temperature.

    Source: Amit, Gutfreund, Sompolinsky, Phys. Rev. A 32 (1985) 1007.
    """
    return evaluated(
        common_grid(temperature=temperature),
        lambda T: _values(_low_load, np.zeros_like(T), T),
        LONG_NAMES,
        "retrieval phase of the Hopfield network at low load",
        convention=CONVENTION,
        source=LOW_LOAD_SOURCE,
        branch="retrieval",
    )


def _phase(branch, alpha, temperature):
    equations, phase = _PHASES[branch]
    return evaluated(
        common_grid(alpha=alpha, temperature=temperature),
        partial(_values, equations),
        LONG_NAMES,
        f"{phase} of the Hopfield network",
        convention=CONVENTION,
        source=SOURCE,
        branch=branch,
    )


def _values(equations, alpha, T):
    """name -> array (point,), NaN where the phase does not exist."""
    values = {name: np.full(alpha.size, np.nan) for name in LONG_NAMES}
    points, found = equations(alpha, T)
    known = [found[name] for name in ("m", "q", "r", "C")]
    found["residual"] = residual(alpha[points], T[points], *known)
    for name in values:
        values[name][points] = found[name]
    return values


def _retrieval(alpha, T, stable=True):
    points, saddle = retrieval_saddle(alpha, T, stable)
    return points, of_saddle(alpha[points], T[points], saddle)


def _low_load(alpha, T):
    points = np.flatnonzero(T < 1)
    return points, without_noise(T[points])


def _spin_glass(alpha, T):
    # Within rounding of T_g there is no room left for q > 0.
    points = np.flatnonzero(T < (1 + np.sqrt(alpha)) * (1 - 1e-14))
    return points, of_spin_glass(alpha[points], T[points])


def _paramagnet(alpha, T):
    points = np.flatnonzero(T > 1)
    return points, of_paramagnet(alpha[points], T[points])


_PHASES = {
    "retrieval": (_retrieval, "retrieval phase"),
    "retrieval_unstable": (partial(_retrieval, stable=False), "unstable retrieval solution"),
    "spin_glass": (_spin_glass, "spin-glass phase"),
    "paramagnet": (_paramagnet, "paramagnetic phase"),
}
