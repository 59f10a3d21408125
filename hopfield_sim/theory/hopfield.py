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
    lines, spin_glass_temperature, spinodal_load, spinodal_temperature, transition_load,
    transition_temperature, at_temperature            the phase diagram
    zero_temperature_capacity, spinodal_maximum, at_line_end, transition_maximum
                                                      its special points

Sources: D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. Lett. 55 (1985) 1530 and
Ann. Phys. 173 (1987) 30 (the equations, the phase diagram); Phys. Rev. A 32 (1985) 1007 (finite
number of patterns); J.-P. Naef, A. Canning, J. Phys. I France 2 (1992) 247 (the reentrant
spinodal).
"""

import numpy as np
import xarray as xr

from hopfield_sim.theory.hopfield_condensed import condensed
from hopfield_sim.theory.hopfield_lines import (
    at_line_end,
    at_temperature,
    lines,
    spin_glass_temperature,
    spinodal_load,
    spinodal_maximum,
    spinodal_temperature,
    transition_load,
    transition_maximum,
    transition_temperature,
    zero_temperature_capacity,
)
from hopfield_sim.theory.hopfield_mixtures import mixture, mixture_capacity
from hopfield_sim.theory.hopfield_saddle import (
    LONG_NAMES,
    of_paramagnet,
    of_saddle,
    of_spin_glass,
    residual,
    retrieval_saddle,
    without_noise,
)
from hopfield_sim.theory.labels import common_grid, dataset, on_grid

__all__ = [
    "at_line_end",
    "at_temperature",
    "condensed",
    "lines",
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

BRANCHES = ("retrieval", "retrieval_unstable", "spin_glass", "paramagnet")


def retrieval(alpha, temperature):
    """The stable retrieval phase: of the solutions with m > 0 the one of larger overlap.

        m = E tanh(h/T),  q = E tanh^2(h/T),  r = q/(1 - C)^2,  h = m + sqrt(alpha r) z

    At T = 0 the exact limit (y = m/sqrt(2 alpha r)): m = erf(y),
    sqrt(2 alpha) = erf(y)/y - (2/sqrt(pi)) exp(-y^2), the larger root y; q = 1. At alpha = 0 a
    finite number of patterns: m = tanh(m/T). "Stable" is meant against changes of m; it is the
    equilibrium below `transition_temperature`, metastable up to `spinodal_temperature`, and its
    replica symmetry breaks where `replicon` < 0, below `at_temperature`.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, >= 0.
        temperature: likewise, >= 0. Two plain arrays span the grid (alpha, temperature);
            DataArrays are matched by the names of their dimensions and keep their coordinates.

    Returns:
        xarray.Dataset on that grid, dimensionless, with m, q, r, C, free_energy, energy, entropy,
        replicon (-inf at T = 0, alpha > 0: the density of fields at zero is finite there) and
        residual (largest error of the equations). NaN where there is no such solution, above
        alpha_M(T).

    Raises:
        ValueError: a negative, infinite or undefined parameter, or unnamed axes.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    return _phase(alpha, temperature, _retrieval, "retrieval phase of the Hopfield network")


def spin_glass(alpha, temperature):
    """The replica-symmetric spin glass: m = 0, q > 0.

        q = E tanh^2(sqrt(alpha r) z/T),  r = q/(1 - C)^2

    At T = 0 with x = sqrt(2/(pi alpha)): C = x/(1 + x), r = (1 + x)^2,
    e = -1/pi - sqrt(2 alpha/pi). Its replicon is negative everywhere: replica symmetry is an
    approximation in this phase, best near `spin_glass_temperature`.

    Args, Returns, Raises: as `retrieval`. NaN for T >= 1 + sqrt(alpha) and for alpha = 0, where a
    finite number of patterns has no such phase.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    return _phase(alpha, temperature, _spin_glass, "spin-glass phase of the Hopfield network")


def paramagnet(alpha, temperature):
    """The paramagnet, m = q = r = 0.

        f = alpha/2 + (alpha T/2) ln(1 - 1/T) - T ln 2
        u = -alpha/(2 (T - 1)),  replicon = 1 - alpha/(T - 1)^2

    It is the equilibrium above T_g = 1 + sqrt(alpha), where the replicon changes sign, and is
    given wherever the formulas hold: for T > 1, and at alpha = 0 for every T > 0 (below T = 1 it
    is then a maximum of the free energy over m).

    Args, Returns, Raises: as `retrieval`. NaN elsewhere.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    return _phase(alpha, temperature, _paramagnet, "paramagnetic phase of the Hopfield network")


def solutions(alpha, temperature):
    """All replica-symmetric solutions with at most one condensed pattern, side by side.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`:
        "retrieval" (larger m), "retrieval_unstable" (smaller m > 0; it meets the former on the
        spinodal and exists for every alpha below it), "spin_glass", "paramagnet".

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    title = "replica-symmetric solutions of the Hopfield network"
    phases = (_retrieval, _retrieval_unstable, _spin_glass, _paramagnet)
    found = [_phase(alpha, temperature, phase, title) for phase in phases]
    branch = xr.Variable("branch", list(BRANCHES), {"long_name": "solution", "units": "1"})
    return xr.concat(found, dim=branch, combine_attrs="override")


def _phase(alpha, temperature, phase, title):
    grid = common_grid(alpha, temperature)
    (loads, temperatures), shape = on_grid(grid)
    values = {name: np.full(loads.size, np.nan) for name in LONG_NAMES}
    for points, found in phase(loads, temperatures):
        known = [found[name] for name in ("m", "q", "r", "C")]
        found["residual"] = residual(loads[points], temperatures[points], *known)
        for name in values:
            values[name][points] = found[name]
    variables = {name: (values[name].reshape(shape), LONG_NAMES[name]) for name in values}
    return dataset(grid, variables, title)


def _retrieval(alpha, T):
    points, saddle = retrieval_saddle(alpha, T)
    yield points, of_saddle(alpha[points], T[points], saddle)
    points = np.flatnonzero((alpha == 0) & (T < 1))
    yield points, without_noise(T[points])


def _retrieval_unstable(alpha, T):
    points, saddle = retrieval_saddle(alpha, T, stable=False)
    yield points, of_saddle(alpha[points], T[points], saddle)


def _spin_glass(alpha, T):
    # Within rounding of T_g there is no room left for q > 0.
    points = np.flatnonzero((alpha > 0) & (T < (1 + np.sqrt(alpha)) * (1 - 1e-14)))
    yield points, of_spin_glass(alpha[points], T[points])


def _paramagnet(alpha, T):
    points = np.flatnonzero((T > 1) | ((alpha == 0) & (T > 0)))
    yield points, of_paramagnet(alpha[points], T[points])
