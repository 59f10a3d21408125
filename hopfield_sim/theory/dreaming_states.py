"""What a state of the dreaming kernel predicts, on plain arrays: thermodynamics and stability.

Notation as in `dreaming_saddle`: i = 1/(1 + t), tau = t/(1 + t), g = 1/(1 + tau delta) and
c = (1 - q)/T; t = inf is the projection rule. The free energy, with h = g (M + sqrt(w) z), is

    -beta f = (alpha/2)[1 - ln alpha + ln delta + beta w/delta] + D - (beta i/2)(M^2 + w + T delta)
              + (1/2) ln g + (beta g/2)[delta - tau (M^2 + w)] + E ln 2cosh(beta h)

with D = (1/2N) ln det[(1 + t C)/(1 + t)] from the law of Marchenko and Pastur. It is stationary in
M, w and delta; its explicit derivatives are, with S(v) = ln 2cosh v - v tanh v,

    s = E S(beta h) + (alpha/2)[1 + ln(delta/alpha)] + D - i delta/2 + (1/2) ln g
    u = (i + tau g^2)(M^2 + w)/2 - g (1 + g) delta/2 - g^2 (M m + w g c) + (1 - q) delta g^2/2.

Fluctuations of the replica overlaps multiply by 1 - replicon at each step,

    replicon = 1 - (delta g)^2 [tau^2 - 2 tau g c + beta^2 g^2 E sech^4(beta h)]/alpha.

Source: derived here; t = 0 is Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30, and
de Almeida, Thouless, J. Phys. A 11 (1978) 983; V. A. Marchenko, L. A. Pastur, Math. USSR Sb. 1
(1967) 457.
"""

from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dreaming_saddle import shares
from hopfield_sim.theory.quadrature import thermal_averages

_LARGEST = 600.0  # of ln delta

LONG_NAMES = {
    "m": "overlap with the condensed pattern",
    "q": "Edwards-Anderson order parameter",
    "C": "susceptibility (1 - q)/T",
    "g": "ratio of the field on a neuron to the field of the unreacting patterns",
    "delta": "response of the patterns, delta",
    "M": "amplitude of the condensed pattern in the field, over g",
    "w": "variance of the field of the other patterns, over g^2",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "self_coupling": "J_ii, half of which the energies contain with a minus sign",
    "replicon": "curvature against breaking of replica symmetry, which is stable where positive",
    "residual": "largest error of the saddle-point equations",
}


class State(NamedTuple):
    """A solution; arrays (point,)."""

    m: np.ndarray
    q: np.ndarray
    C: np.ndarray
    g: np.ndarray
    delta: np.ndarray
    M: np.ndarray
    w: np.ndarray
    entropy: np.ndarray  # E S
    sech_fourth: np.ndarray  # beta^2 g^2 E sech^4, infinite at T = 0 with noise


def predicted(state, alpha, temperature, t):
    """What a State predicts: name -> array (point,), the names of LONG_NAMES."""
    i, tau = shares(t)
    m, q, C, g, delta, M, w = state[:7]
    determinant, diagonal = spectrum(alpha, t)
    signal = M**2 + w
    energy = (
        (i + tau * g**2) * signal / 2
        - g * (1 + g) * delta / 2
        - g**2 * (M * m + w * g * C)
        + temperature * C * delta * g**2 / 2
    )
    entropy = (
        state.entropy
        + alpha / 2 * (1 + np.log(delta) - np.log(alpha))
        + determinant
        - i * delta / 2
        + np.log(g) / 2
    )
    instability = (delta * g) ** 2 / alpha * (tau**2 - 2 * tau * g * C + state.sech_fourth)
    return {
        **dict(zip(State._fields[:7], state[:7], strict=True)),
        "free_energy": energy - temperature * entropy,
        "energy": energy,
        "entropy": entropy,
        "self_coupling": diagonal,
        "replicon": 1 - instability,
        "residual": residual(state, alpha, temperature, t),
    }


def spectrum(alpha, t):
    """(1/2N) ln det[(1 + t C)/(1 + t)], and J_ii = (1/N) tr J, for alpha < 1 where t is infinite.

    With eta the Stieltjes transform of the N x N correlations at -1/t, the positive root of
    tau eta^2 + (i - tau (1 - alpha)) eta = i, and B = i + tau eta: J_ii = alpha eta/B and
    2 D = alpha ln B + ln(1 + tau alpha/B) - tau alpha eta/B.
    """
    i, tau = shares(t)
    middle = i - tau * (1 - alpha)
    root = np.sqrt(middle**2 + 4 * tau * i)
    with np.errstate(divide="ignore", invalid="ignore"):
        eta = np.where(middle > 0, 2 * i / (middle + root), (root - middle) / (2 * tau))
    B = i + tau * eta
    logs = alpha * np.log(B) + np.log1p(tau * alpha / B) - tau * alpha * eta / B
    return logs / 2, alpha * eta / B


def of_saddle(saddle, temperature):
    """The State of a `dreaming_saddle.Saddle`."""
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        fourth = np.where(temperature > 0, saddle.sech_fourth / temperature, np.inf)
    found = {"C": saddle.c, "sech_fourth": saddle.g**2 * fourth}
    found |= {name: getattr(saddle, name) for name in ("m", "q", "g", "delta", "M", "w", "entropy")}
    return State(**found)


def paramagnet(alpha, temperature, t):
    """The State m = q = 0 at temperature > 0, and where it exists; arrays (point,).

    delta (i + tau g - g^2/T) = alpha: the left side, divided by 1 - g, is concave in g, which
    leaves one root 0 < g < 1 for every t > 0, and for t = 0 where T > 1.
    """
    exists = np.flatnonzero((temperature > 0) & ((t > 0) | (temperature > 1)))
    load, T, time = alpha[exists], temperature[exists], t[exists]

    def excess(log_delta, load, T, time):
        i, tau = shares(time)
        g = 1 / (1 + tau * np.exp(log_delta))
        return i + tau * g - g**2 / T - load * np.exp(-log_delta)

    log_delta = roots(excess, np.log(load) - 1e-9, _LARGEST, load, T, time)
    delta = np.exp(log_delta)
    g = 1 / (1 + shares(time)[1] * delta)
    zero = np.zeros_like(load)
    free = np.full_like(load, np.log(2))
    return exists, State(zero, zero, 1 / T, g, delta, zero, zero, free, (g / T) ** 2)


def residual(state, alpha, temperature, t):
    """The largest error (point,) of the equations in `dreaming_saddle`, from the State alone.

    In units of overlaps and fields; the error of C is multiplied by the width of the field.
    """
    i, tau = shares(t)
    m, q, C, g, delta, M, w = state[:7]
    G = i + tau * g
    width = g * np.sqrt(w)
    average = thermal_averages(g * M, width, temperature)
    with np.errstate(invalid="ignore"):
        response = (C - average.slope) * np.maximum(width, temperature)
    noise = (delta * g) ** 2 / alpha * (q + tau**2 * (M**2 + w) - 2 * tau * (M * m + w * g * C))
    errors = [
        m - average.tanh,
        q - average.tanh_squared,
        response,
        M - m * g / G,
        G - g**2 * C - alpha / delta,
        g**2 * (w - noise),
    ]
    return np.abs(errors).max(axis=0)
