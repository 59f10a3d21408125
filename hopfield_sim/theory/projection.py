"""The projection (pseudo-inverse) rule in equilibrium, replica symmetric.

H = -(1/2) sum_ij J_ij s_i s_j, J = (1/N) sum_{mu nu} xi^mu (C^{-1})_{mu nu} xi^nu with
C_{mu nu} = xi^mu . xi^nu/N, random +-1 patterns, mu = 1..P, alpha = P/N < 1. J is a projector, its
patterns are eigenvectors, and J_ii = alpha, which is part of H here: without it add alpha/2 to
energies and free energies; nothing else changes in equilibrium. Energies and temperatures are in
units of J, with k_B = 1.

The fields of a retrieval state are all alike, without static noise (q = m^2):

    m = tanh(beta g m),   g = 1 - alpha/(1 - x),   x = beta g (1 - m^2).

The noise and the fluctuations of the replica overlaps multiply by alpha at each step: replica
symmetry is stable for all alpha < 1.

Sources: I. Kanter, H. Sompolinsky, Phys. Rev. A 35 (1987) 380; L. Personnaz, I. Guyon, G. Dreyfus,
J. Physique Lett. 46 (1985) 359 (the rule). Free energies derived here, checked by simulation.
"""

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dreaming_states import LONG_NAMES, paramagnet, predicted
from hopfield_sim.theory.labels import branches, common_grid, evaluated, parameter
from hopfield_sim.theory.projection_saddle import (
    retrieval_state,
    spinodal_at,
    spinodal_field,
    spinodal_field_at,
)

BRANCHES = ("retrieval", "retrieval_unstable", "paramagnet")
_COLDEST = -640.0  # ln T
_NAMES = {
    name: LONG_NAMES[name]
    for name in ("m", "q", "C", "g", "free_energy", "energy", "entropy", "replicon", "residual")
}
_ABOUT = {
    "convention": "H = -(1/2) sum_ij J_ij s_i s_j, J_ii = alpha = P/N; units of J, k_B = 1",
    "source": "Kanter, Sompolinsky 1987; free energies derived here, checked by simulation",
}
_LINE = {
    "alpha": "patterns per neuron, P/N",
    "temperature": "temperature in units of the coupling J, k_B = 1",
    "m": "overlap with the condensed pattern there",
    "residual": "error of the equations that define the line",
}


def retrieval(alpha, temperature):
    """The stable retrieval phase: of the two solutions with m > 0 the one of larger overlap.

        m = tanh u,  u = beta g m,  x = 2u/sinh 2u,  g = 1 - alpha/(1 - x),  T = g m/u

    At T = 0: m = 1, g = 1 - alpha, energy -1/2. It is the equilibrium below
    `transition_temperature`, metastable up to `spinodal_temperature`.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, in (0, 1).
        temperature: likewise, >= 0. Two plain arrays span the grid (alpha, temperature);
            DataArrays are matched by the names of their dimensions and keep their coordinates.

    Returns:
        xarray.Dataset on that grid, dimensionless: m, q = m^2, C = (1 - q)/T, g, free_energy,
        energy, entropy, replicon (1 - alpha) and residual. NaN where there is no such solution.

    Raises:
        ValueError: alpha outside (0, 1), where the correlations have no inverse; a negative,
            infinite or undefined temperature; unnamed axes.

    Source: Kanter, Sompolinsky, Phys. Rev. A 35 (1987) 380.
    """
    return _phase(alpha, temperature, retrieval_state, "retrieval")


def solutions(alpha, temperature):
    """All replica-symmetric solutions without static noise, side by side.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`: "retrieval"
        (larger m), "retrieval_unstable" (smaller m > 0), both below `spinodal_temperature`, and
        "paramagnet" (m = q = 0, beta g^2 - (1 + beta) g + 1 - alpha = 0 with 0 < g < 1; NaN at
        T = 0). The paramagnet has no continuous transition; its entropy becomes negative at low
        temperature, where a glass replaces it discontinuously (not given here).

    Source: Kanter, Sompolinsky, Phys. Rev. A 35 (1987) 380; free energies derived here.
    """

    def unstable(alpha, temperature):
        return retrieval_state(alpha, temperature, stable=False)

    phases = (retrieval_state, unstable, _paramagnet)
    found = [_phase(alpha, temperature, *one) for one in zip(phases, BRANCHES, strict=True)]
    return branches(found, BRANCHES, "states of the network with the projection rule")


def spinodal_temperature(alpha):
    """T_M(alpha), below which retrieval states exist: the largest T = g m/u over u = beta g m.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, in (0, 1).

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`, `m` (the overlap there) and
        `residual` (the relative error of the load that has its spinodal there). T_M -> 1 for
        alpha -> 0 and 0 for alpha -> 1.

    Raises:
        ValueError: alpha outside (0, 1), or unnamed axes.

    Source: Kanter, Sompolinsky, Phys. Rev. A 35 (1987) 380.
    """

    def line(loads):
        u = spinodal_field(loads)
        reached, temperature = spinodal_at(u)
        return {
            "temperature": temperature,
            "m": np.tanh(u),
            "residual": np.abs(reached / loads - 1),
        }

    return _line([_load(alpha)], line, ("temperature", "m", "residual"), "spinodal")


def spinodal_load(temperature):
    """alpha_M(T), the largest load with retrieval states: the inverse of `spinodal_temperature`.

    Args:
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with `alpha`, `m` and `residual` (the error
        of the temperature that has its spinodal there). 1 at T = 0, NaN for T >= 1.

    Raises:
        ValueError: a negative, infinite or undefined temperature, or unnamed axes.

    Source: Kanter, Sompolinsky, Phys. Rev. A 35 (1987) 380.
    """

    def line(temperatures):
        alpha, m, residual = np.full((3, temperatures.size), np.nan)
        alpha[temperatures == 0], m[temperatures == 0], residual[temperatures == 0] = 1, 1, 0
        points = np.flatnonzero((temperatures > 0) & (temperatures < 1))
        u = spinodal_field_at(temperatures[points])
        alpha[points], reached = spinodal_at(u)
        m[points], residual[points] = np.tanh(u), np.abs(reached - temperatures[points])
        return {"alpha": alpha, "m": m, "residual": residual}

    names = ("alpha", "m", "residual")
    return _line([parameter(temperature, "temperature")], line, names, "spinodal")


def transition_temperature(alpha):
    """T_c(alpha), below which retrieval is the equilibrium: f_retrieval = f_paramagnet.

    Args, Raises: as `spinodal_temperature`.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature`, `m` (the overlap there) and
        `residual` (|f_retrieval - f_paramagnet|). Where T_c < 1e-280, for alpha > 0.998, T_c is 0.
        The paramagnet is continued to low temperatures, where its entropy becomes negative: the
        discontinuous glass that replaces it has a higher free energy and is not taken into
        account, so that at large alpha T_c is a lower bound.

    Source: Kanter, Sompolinsky, Phys. Rev. A 35 (1987) 380; free energies derived here.
    """

    def line(loads):
        _, highest = spinodal_at(spinodal_field(loads))
        # Where retrieval is complete and g small, s_paramagnet = (1 - alpha)/2 at this ln T.
        cold = 1 - (2 * np.log(2) - loads * np.log(loads)) / (1 - loads)
        T, m, residual = np.zeros(loads.size), np.ones(loads.size), np.full(loads.size, np.nan)
        points = np.flatnonzero(cold > _COLDEST)
        log_T = roots(
            _reduced_difference,
            np.minimum(cold[points] - 5, np.log(highest[points]) - 5),
            np.log(highest[points]) - 1e-12,
            loads[points],
        )
        T[points] = np.exp(log_T)
        m[points] = retrieval_state(loads[points], T[points])[1].m
        residual[points] = T[points] * np.abs(_reduced_difference(log_T, loads[points]))
        return {"temperature": T, "m": m, "residual": residual}

    return _line([_load(alpha)], line, ("temperature", "m", "residual"), "transition")


def _load(alpha):
    alpha = parameter(alpha, "alpha")
    beyond = alpha.values[alpha.values >= 1]
    if beyond.size:
        raise ValueError(
            f"alpha = {beyond.flat[0]:g} is not allowed; the projection rule needs more neurons "
            "than patterns, alpha in (0, 1)"
        )
    return alpha


def _paramagnet(alpha, temperature):
    return paramagnet(alpha, temperature, np.full_like(alpha, np.inf))


def _reduced_difference(log_T, alpha):
    """(f_retrieval - f_paramagnet)/T, from energies above the common ground state, -1/2."""
    T = np.exp(log_T)
    infinite = np.full_like(T, np.inf)
    found = []
    for phase in (retrieval_state, _paramagnet):
        points, state = phase(alpha, T)
        if points.size < T.size:
            raise ArithmeticError("no retrieval state where the transition was searched")
        # u + 1/2 = [g^2 (1 - q) + (1 - g) g (1 - q)]/2, as T C = 1 - q and delta g = 1 - g
        energy = state.g * (1 - state.q) / 2
        found.append(energy / T - predicted(state, alpha, T, infinite)["entropy"])
    return found[0] - found[1]


def _values(alpha, temperature, phase):
    found = {name: np.full(alpha.size, np.nan) for name in _NAMES}
    points, state = phase(alpha, temperature)
    infinite = np.full(points.size, np.inf)
    values = predicted(state, alpha[points], temperature[points], infinite)
    for name in _NAMES:
        found[name][points] = values[name]
    return found


def _phase(alpha, temperature, phase, branch):
    grid = common_grid(alpha=_load(alpha), temperature=temperature)
    title = f"{branch.replace('_', ', ')} phase of the projection rule"
    return evaluated(
        grid, lambda *flat: _values(*flat, phase), _NAMES, title, branch=branch, **_ABOUT
    )


def _line(parameters, line, names, title):
    named = {name: _LINE[name] for name in names}
    return evaluated(parameters, line, named, f"{title} line of the projection rule", **_ABOUT)
