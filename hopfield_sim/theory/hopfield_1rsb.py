"""The Hopfield network with one step of replica symmetry breaking, at any temperature.

H = -(1/2) sum_{i != j} J_ij s_i s_j with J_ij = (1/N) sum_mu xi_i^mu xi_j^mu and random +-1
patterns, alpha = P/N, as in `hopfield`; energies and temperatures in units of J, k_B = 1.

The replica-symmetric states of `hopfield` break up, below the de Almeida-Thouless line, into
groups of states. Two states of one group have overlap q1 with one another, those of different
groups q0; a share 1 - x of all pairs lies in one group, and C = (1 - q1)/T. A group's neurons feel
m + sqrt(alpha r0) z0, one of its states in addition sqrt(alpha (r1 - r0)) z1, with Gaussian z0 and
z1; E is the average over z0 and <.> that over z1 with the weight (2 cosh(h/T))^x. With
mu = x/T and D = 1 - C - mu (q1 - q0),

    m = E <tanh(h/T)>,  q0 = E <tanh(h/T)>^2,  q1 = E <tanh^2(h/T)>,
    r0 = q0/D^2,  r1 = r0 + (q1 - q0)/(D (1 - C)),

and x makes the free energy stationary (it is a maximum in x). At T = 0 mu stays finite: the
number of states of a group grows as exp(N mu (e - e0)) above the lowest energy e0.

    retrieval, spin_glass, solutions    what a phase looks like at (alpha, T)
    spinodal_load, capacity             where retrieval ends, and the numbers at T = 0

One step is not the last: at T = 0 the density of fields at zero is finite, and the states break up
further (`replicon` = -inf). For the capacity further steps matter little: 0.138186 with one,
0.138187 with two (Steffan, Kuehn). The 0.144 of the first calculation is not reproduced.

Sources: A. Crisanti, D. J. Amit, H. Gutfreund, Europhys. Lett. 2 (1986) 337; H. Steffan, R. Kuehn,
Z. Phys. B 95 (1994) 249 (capacity with one and two steps). The form of the equations is derived in
`hopfield_1rsb_saddle`.
"""

from functools import cache

import numpy as np

from hopfield_sim.theory import hopfield
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.hopfield_1rsb_glass import glass_saddle
from hopfield_sim.theory.hopfield_1rsb_retrieval import (
    fold_signal,
    last_signal,
    retrieval_on,
    retrieval_saddle,
)
from hopfield_sim.theory.hopfield_1rsb_saddle import thermodynamics
from hopfield_sim.theory.labels import branches, common_grid, dataset, evaluated, on_grid

__all__ = ["capacity", "retrieval", "solutions", "spin_glass", "spinodal_load"]

LONG_NAMES = {
    "m": "overlap with the condensed pattern",
    "q0": "overlap of states of different groups",
    "q1": "overlap of states of the same group",
    "spread": "q1 - q0, also where it is below the rounding of q0",
    "x": "breaking point: the share of pairs of states in different groups",
    "mu": "x/T, at T = 0 the rate at which the number of states grows with their energy",
    "C": "susceptibility of a state, (1 - q1)/T",
    "r0": "cross-talk common to a group: its variance divided by alpha",
    "r1": "cross-talk of a state: its variance divided by alpha",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "replicon": "stability against states breaking up further; stable where positive",
    "replicon_outer": "stability against groups gathering in larger ones; stable where positive",
    "residual": "largest relative error of the saddle-point equations",
}
BRANCHES = ("retrieval", "retrieval_unstable", "spin_glass", "spin_glass_unrelated")
_DESCRIBED = {
    "convention": "H = -(1/2) sum_{i != j} J_ij s_i s_j, J_ij = (1/N) sum_mu xi_i^mu xi_j^mu; "
    "alpha = P/N; energies and temperatures in units of J, k_B = 1",
    "source": "Crisanti, Amit, Gutfreund, Europhys. Lett. 2 (1986) 337; Steffan, Kuehn, "
    "Z. Phys. B 95 (1994) 249; at T > 0 derived here, checked by the free energy's stationarity",
}
# Bracket of the loads where retrieval states and glass have equal energies at T = 0.
_CROSSING = (0.04, 0.08)


def retrieval(alpha, temperature=0.0):
    """The stable retrieval states: of the solutions with m > 0 those of larger overlap.

        m = E <tanh(h/T)>, ..., as at the top of this file; T = 0 is the exact limit:
        m = E <sign h>,  q0 = E <sign h>^2,  q1 = 1,  weight exp(mu |h|)

    They exist below the de Almeida-Thouless line, T < T_R(alpha) of `hopfield.at_temperature`,
    where they merge with the replica-symmetric ones, and below `spinodal_load`. T_R decreases as
    exp(-1/(2 alpha)), and so does the difference from replica symmetry.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, > 0.
        temperature: likewise, >= 0. Two plain arrays span the grid (alpha, temperature);
            DataArrays are matched by the names of their dimensions and keep their coordinates.

    Returns:
        xarray.Dataset on that grid, dimensionless (mu, C in units of 1/J; energies in J), with
        m, q0, q1, spread (q1 - q0), x, mu, C, r0, r1, free_energy, energy, entropy, replicon,
        replicon_outer and residual (largest relative error of the equations).

        replicon = 1 - (alpha/T^2) E <sech^4(h/T)>/(1 - C)^2 is -inf at T = 0;
        replicon_outer = 1 - (alpha/D^2) E (d<tanh>/dh)^2.

        NaN where there is no such solution: above the spinodal and for T >= T_R, where replica
        symmetry holds. Also NaN for 0.999 T_R < T < T_R, where the equations cancel to rounding,
        and for T > 0 at alpha < 1/64, where T_R < 1e-15. At T = 0 and alpha < 0.0015, where
        q1 - q0 < 1e-290, the limit of replica symmetry itself: m = q0 = 1, spread = C = 0,
        mu = inf.

    Raises:
        ValueError: a load that is not positive, a negative or undefined temperature, or unnamed
            axes.

    Source: Crisanti, Amit, Gutfreund, Europhys. Lett. 2 (1986) 337; Steffan, Kuehn, Z. Phys. B 95
    (1994) 249; equations at T > 0 and replicons derived here.
    """
    return _phase(alpha, temperature, "retrieval")


def spin_glass(alpha, temperature=0.0):
    """The spin glass, m = 0, with q0 > 0.

        q0 = E <tanh(h/T)>^2,  q1 = E <tanh^2(h/T)>,  h = sqrt(alpha r0) z0 + sqrt(alpha(r1-r0)) z1

    For alpha -> infinity, with energies and temperatures in units of sqrt(alpha) J, it is that of
    Sherrington and Kirkpatrick: e = -0.7652 at T = 0. Towards T_g = 1 + sqrt(alpha) q1, q0 = q1/3
    and x vanish linearly.

    Without a field q0 = 0 also solves the equations (`solutions` has it as
    "spin_glass_unrelated"). Its free energy is lower and unstable against q0 > 0
    (replicon_outer < 0), so that the solution here is the one.

    Args, Returns, Raises: as `retrieval`. NaN where rounding takes over: for T > 0.999 T_g, for
    alpha < 1e-4 (the equations cancel) and for alpha > 1e8 (e, of order sqrt(alpha), in alpha/2).

    Source: Parisi, J. Phys. A 13 (1980) L115 (one step, without patterns); equations derived here.
    """
    return _phase(alpha, temperature, "spin_glass")


def solutions(alpha, temperature=0.0):
    """All solutions with one step of breaking and at most one condensed pattern, side by side.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`:
        "retrieval" (larger m), "retrieval_unstable" (smaller m > 0, it meets the former on the
        spinodal; followed down to m/sqrt(alpha r0) = 0.2, which is alpha = 1e-4 at T = 0, towards
        the glass, with which it merges for alpha -> 0), "spin_glass" (m = 0, q0 > 0),
        "spin_glass_unrelated" (m = q0 = 0).
    """
    return branches([_phase(alpha, temperature, name) for name in BRANCHES], BRANCHES)


def spinodal_load(temperature=0.0):
    """alpha_M(T), the largest load at which retrieval states exist, where their replica symmetry
    is broken.

    The maximum of the load along m/sqrt(alpha r0). It is almost vertical: 0.138186 at T = 0,
    0.138197 at T = 0.01, 0.138186 at T = 0.0251, where it becomes the replica-symmetric spinodal.

    Args:
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with alpha, m, q0, mu (the state there) and
        residual (of the saddle-point equations). NaN above T = 0.0251, the end of the
        de Almeida-Thouless line: there `hopfield.spinodal_load` holds.

    Raises:
        ValueError: a negative or undefined temperature, or unnamed axes.

    Source: Steffan, Kuehn, Z. Phys. B 95 (1994) 249 (T = 0); derived here at T > 0.
    """
    grid = common_grid(temperature=temperature)
    (T,), shape = on_grid(grid)
    signal = fold_signal(T, last_signal(T))
    known = np.flatnonzero(np.isfinite(signal))
    saddle, error = retrieval_on(signal[known], T[known])
    found = {"alpha": saddle.alpha, "m": saddle.m, "q0": saddle.q0, "mu": saddle.mu}
    names = {"alpha": "patterns per neuron, P/N"} | LONG_NAMES
    variables = {}
    for name, values in (found | {"residual": error}).items():
        full = np.full(T.size, np.nan)
        full[known] = values
        variables[name] = (full.reshape(shape), names[name])
    title = "spinodal of the Hopfield network, one step of replica symmetry breaking"
    return dataset(grid, variables, title, **_DESCRIBED)


@cache
def capacity():
    """The end of retrieval at T = 0, and the load where it stops being the ground state.

        alpha_c = max alpha(m/sqrt(alpha r0)),   alpha_1: e_retrieval(alpha) = e_spin glass(alpha)

    Returns:
        xarray.Dataset of numbers: alpha_c = 0.13818649; m, q0, C, mu, energy of the retrieval
        states there; alpha_1 with retrieval in one-step theory, alpha_1_symmetric with
        replica-symmetric retrieval (they agree to 1e-11), both against the one-step glass.

    Source: Steffan, Kuehn, Z. Phys. B 95 (1994) 249 (alpha_c = 0.138186); alpha_1 computed here.
    """
    zero = np.zeros(1)
    saddle, _ = retrieval_on(fold_signal(zero, last_signal(zero)), zero)
    state = thermodynamics(saddle, zero)
    values = {"alpha_c": (saddle.alpha[0], "largest load with retrieval states at T = 0")}
    for name in ("m", "q0", "C", "mu", "energy"):
        values[name] = (state[name][0], f"{LONG_NAMES[name]}, at alpha_c")
    crossing = "load where retrieval stops being the ground state"
    for name, phase, how in (
        ("alpha_1", retrieval, "one step of breaking"),
        ("alpha_1_symmetric", hopfield.retrieval, "replica-symmetric retrieval"),
    ):
        load = roots(
            lambda load, phase=phase: (
                phase(load, 0.0).energy.values - spin_glass(load, 0.0).energy.values
            ),
            *_CROSSING,
        )
        values[name] = (load[0], f"{crossing} ({how})")
    title = "zero-temperature capacity of the Hopfield network, one step of breaking"
    return dataset([], values, title, **_DESCRIBED)


def _phase(alpha, temperature, branch):
    grid = common_grid(alpha=alpha, temperature=temperature)

    def equations(alpha, temperature):
        if branch.startswith("retrieval"):
            saddle, error = retrieval_saddle(alpha, temperature, branch == "retrieval")
        else:
            saddle, error = glass_saddle(alpha, temperature, branch == "spin_glass")
        return thermodynamics(saddle, temperature) | {"residual": error}

    title = "Hopfield network with one step of replica symmetry breaking"
    return evaluated(grid, equations, LONG_NAMES, title, branch=branch, **_DESCRIBED)
