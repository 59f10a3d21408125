"""The saddle point of the Hopfield network with one step of replica symmetry breaking, on plain
arrays.

Per neuron, with beta = 1/T, C = beta (1 - q1), mu = beta x, D = 1 - C - mu (q1 - q0) and the
field h = m + A z0 + S z1 (`hopfield_1rsb_averages`),

    f = alpha/2 + m^2/2 + (alpha/2) [ T ln(1 - C) + (1/mu) ln(D/(1 - C)) - q0/D ]
        + (alpha/2) [ r1 C + mu (r1 q1 - r0 q0) ] - (1/mu) E ln E_z1 (2 cosh beta h)^x.

Its stationarity, with <.> the average over z1 with the weight (2 cosh beta h)^x:

    m = E <tanh>,  q0 = E <tanh>^2,  q1 = E <tanh^2>,
    r0 = q0/D^2 = A^2/alpha,  r1 - r0 = (q1 - q0)/(D (1 - C)) = S^2/alpha,
    (2/alpha) E [kappa^2 <tanh^2>/2 - <ln rho>] = t/(1 - t) + ln(1 - t),  kappa = mu S,

the last one of x, in which rho is the weight over its average, t = mu (q1 - q0)/(1 - C), and
several terms have cancelled by way of the others. The averages depend on y = m/A, s = S/A, kappa
and T/A only, so that A, the load and everything else are explicit once (y, s, kappa) is known:

`hopfield_1rsb_retrieval` and `hopfield_1rsb_glass` say how.

At the saddle point the terms of energy and entropy that contain x cancel, and with r1, q1 and C
in place of r, q and C both are as in the replica-symmetric theory:

    u = alpha/2 - m^2/2 - (alpha/2) [r1 + T C/(1 - C)]
    s = E <ln 2cosh(h/T) - (h/T) tanh(h/T)> - (alpha/2) [ln(1 - C) + C/(1 - C)]

Newton's method starts from tables that are traced once, from T = 0 to the temperature where the
groups merge (q1 -> q0): the de Almeida-Thouless temperature of retrieval, or T_g. Next to it,
at the relative distance d, the equations cancel down to rounding/d^2: nothing is returned for
d < 1e-3.
"""

from typing import NamedTuple

import numpy as np
from scipy.interpolate import RectBivariateSpline

from hopfield_sim.theory.continuation import newton
from hopfield_sim.theory.hopfield_1rsb_averages import LARGEST_RATE

# The largest temperature at which there is an answer, relative to that where the groups merge.
MERGED = 1 - 1e-3
# Errors that Newton's method counts as none: a few times the rounding of the averages.
_SOLVED = 1e-13
# Temperatures of the tables in units of the merging temperature.
_WARMTHS = np.array([0, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98])


class Saddle(NamedTuple):
    """A solution, arrays (point,)."""

    alpha: np.ndarray
    m: np.ndarray
    A: np.ndarray  # sqrt(alpha r0)
    S: np.ndarray  # sqrt(alpha (r1 - r0))
    mu: np.ndarray  # x/T
    q0: np.ndarray
    spread: np.ndarray  # q1 - q0
    C: np.ndarray  # beta (1 - q1)
    D: np.ndarray  # 1 - C - mu (q1 - q0)
    t: np.ndarray  # 1 - D/(1 - C)
    excess: np.ndarray  # E [kappa^2 <tanh^2>/2 - <ln rho>]
    entropy: np.ndarray  # of the spins in their fields
    sech_fourth: np.ndarray  # beta E <sech^4>
    response: np.ndarray  # E (d<tanh>/dh)^2, h the field of the group


def saddle_of(alpha, m, A, S, mu, averages, D, one_minus_C):
    """The Saddle of these numbers and GroupAverages."""
    return Saddle(
        alpha=alpha,
        m=m,
        A=A,
        S=S,
        mu=mu,
        q0=averages.q0,
        spread=averages.spread,
        C=averages.slope / S,
        D=D,
        t=mu * averages.spread / one_minus_C,
        excess=averages.excess,
        entropy=averages.entropy,
        sech_fourth=averages.sech_fourth / S,
        response=averages.response / S**2,
    )


def _legendre(t):
    """t/(1 - t) + ln(1 - t), by its series where that cancels."""
    small = t < 0.03
    near = np.where(small, t, 0)
    series = sum((1 - 1 / n) * near**n for n in range(2, 14))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(small, series, t / (1 - t) + np.log1p(-t))


def rate_error(saddle):
    """Relative error of the equation of x, (point,)."""
    return 2 / saddle.alpha * saddle.excess / _legendre(saddle.t) - 1


def relative_errors(saddle, one_minus_C):
    """Relative errors of the equations of S and of x, (point,) each; NaN outside 0 < D < 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = saddle.q0 / saddle.D * one_minus_C * (saddle.S / saddle.A) ** 2
        width = saddle.spread / spread - 1
        rate = rate_error(saddle)
    admissible = (saddle.D > 0) & (one_minus_C > 0)
    return np.where(admissible, width, np.nan), np.where(admissible, rate, np.nan)


def rates(log_kappa):
    """kappa from its logarithm, replaced where the averages would refuse it, and where that is."""
    inside = (log_kappa < np.log(LARGEST_RATE)) & (log_kappa > -40)
    return np.exp(np.where(inside, log_kappa, 0.0)), inside


def solutions_near(equations, start, *parameters):
    """`newton` for a function that returns a Saddle and its errors."""

    def errors(unknowns, *parameters):
        return equations(unknowns, *parameters)[1]

    return newton(errors, start, *parameters, enough=_SOLVED)[0]


# --- tables of starts ---------------------------------------------------------------------------


def warmed(equations, cold, places, merged, log_places, powers):
    """Splines over (log_places, T/T_merging), one for each unknown.

    The unknowns are logarithms, of which exp(unknown) ~ (1 - T/T_merging)^power next to the
    merging; the splines are without that factor.

    Args:
        equations: as `glass_at`; called with the unknowns, `places` and the temperature.
        cold: the unknowns at T = 0, (place, unknown).
        places, merged: loads or signals, and the merging temperatures there, (place,).
        powers: (unknown,).
    """
    found = [cold]
    slope = np.zeros_like(cold)
    for last, warmth in zip(_WARMTHS[:-1], _WARMTHS[1:], strict=True):
        start = found[-1] + slope * (warmth - last) + np.log1p(-warmth) * powers
        x = solutions_near(equations, start, places, warmth * merged)
        if np.isnan(x).any():
            raise ArithmeticError(f"the table of solutions was lost at T/T_merging = {warmth}")
        found.append(x - np.log1p(-warmth) * powers)
        slope = (found[-1] - found[-2]) / (warmth - last)
    return [
        RectBivariateSpline(log_places, _WARMTHS, table) for table in np.transpose(found, (2, 1, 0))
    ]


def looked_up(tables, log_places, warmth, powers):
    """The unknowns (point, unknown) at T/T_merging = warmth, from the splines of `warmed`."""
    warmth = np.minimum(warmth, MERGED)
    found = [table.ev(log_places, np.minimum(warmth, _WARMTHS[-1])) for table in tables]
    return np.stack(found, axis=1) + np.log1p(-warmth)[:, None] * powers


def checked(equations, unknowns, *parameters):
    """The Saddle of these unknowns and its largest error, NaN where an unknown is."""
    known = np.flatnonzero(np.isfinite(unknowns).all(axis=1))
    saddle, errors = equations(unknowns[known], *(values[known] for values in parameters))
    largest = np.full(len(unknowns), np.nan)
    largest[known] = np.abs(errors).max(axis=1)
    return scattered(saddle, known, len(unknowns)), largest


def scattered(saddle, places, size):
    """The entries of a Saddle at their places, NaN elsewhere."""
    found = np.full((len(saddle), size), np.nan)
    found[:, places] = saddle
    return Saddle(*found)


def thermodynamics(saddle, temperature):
    """What a Saddle predicts: name -> array (point,)."""
    alpha, C = saddle.alpha, saddle.C
    r0 = saddle.A**2 / alpha
    r1 = r0 + saddle.S**2 / alpha
    energy = alpha / 2 - saddle.m**2 / 2 - alpha / 2 * (r1 + temperature * C / (1 - C))
    entropy = saddle.entropy - alpha / 2 * (np.log1p(-C) + C / (1 - C))
    finite_mu = np.where(np.isinf(saddle.mu), 0.0, saddle.mu)  # inf only at T = 0
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        within = alpha / (1 - C) ** 2 * saddle.sech_fourth / temperature
    return {
        "m": saddle.m,
        "q0": saddle.q0,
        "q1": 1 - temperature * C,
        "spread": saddle.spread,
        "x": np.where(temperature > 0, temperature * finite_mu, 0 * C),
        "mu": saddle.mu,
        "C": C,
        "r0": r0,
        "r1": r1,
        "free_energy": energy - temperature * entropy,
        "energy": energy,
        "entropy": entropy,
        "replicon": 1 - np.where(temperature > 0, within, np.inf) + 0 * C,
        "replicon_outer": 1 - alpha / saddle.D**2 * saddle.response,
    }
