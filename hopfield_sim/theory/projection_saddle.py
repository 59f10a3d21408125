"""The retrieval state of the projection rule, explicit in its reduced field, on plain arrays.

With u = beta g m, the field over the temperature, y = 2u and x = y/sinh y = beta g (1 - m^2):

    m = tanh u,   g = 1 - alpha/(1 - x),   T = g m/u.

T has one maximum over u between the zero of g, u_0 with x = 1 - alpha, and infinity: the spinodal,
where dT/du = 0, that is

    alpha = (1 - x)/(1 + x (y coth y - 1)/(1 - x)^2).

So the spinodal is explicit in u as well; alpha decreases and T increases along it as u falls to 0.

Source: derived here from the equations of I. Kanter, H. Sompolinsky, Phys. Rev. A 35 (1987) 380.
"""

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dreaming_states import State

_SERIES = 0.3  # below this y, differences of hyperbolic functions by their series
_SMALLEST, _LARGEST = -40.0, 6.0  # ln u at the ends of the spinodal
# Colder than (1 - alpha)/u here, 1 - m < 1e-290 and T = 0 is the limit to the last digit.
_COLDEST = 340.0


def response(u):
    """x = y/sinh y, 1 - x and y coth y - 1 at y = 2u > 0, to relative precision."""
    y = np.minimum(2 * u, 700.0)
    square = y**2
    x = y / np.sinh(y)
    # (sinh y - y)/y and cosh y - sinh y/y, of leading order y^2/6 and y^2/3
    sinh, cosh = 1.0, 1.0
    for first, second in ((110, 88), (72, 54), (42, 28), (20, 10)):
        sinh, cosh = 1 + square / first * sinh, 1 + square / second * cosh
    sinh, cosh = square / 6 * sinh, square / 3 * cosh
    small = y < _SERIES
    rest = np.where(small, x * sinh, 1 - x)
    slope = np.where(small, x * cosh, y / np.tanh(y) - 1)
    return x, rest, slope


def temperature_at(u, alpha):
    """T = g tanh(u)/u at the reduced field u; negative where no temperature has it."""
    return (1 - alpha / response(u)[1]) * np.tanh(u) / u


def spinodal_at(u):
    """alpha and T where the retrieval state with the reduced field u disappears."""
    x, rest, slope = response(u)
    alpha = rest / (1 + x * slope / rest**2)
    # g = 1 - alpha/(1 - x) without the difference
    g = x * slope / (rest**2 + x * slope)
    return alpha, g * np.tanh(u) / u


def spinodal_field(alpha):
    """u (point,) on the spinodal of the load alpha < 1."""

    def excess(log_u, alpha):
        return np.log(spinodal_at(np.exp(log_u))[0] / alpha)

    return np.exp(roots(excess, _SMALLEST, _LARGEST, alpha))


def spinodal_field_at(temperature):
    """u (point,) on the spinodal at 0 < temperature < 1."""

    def excess(log_u, temperature):
        return spinodal_at(np.exp(log_u))[1] - temperature

    return np.exp(roots(excess, _SMALLEST, _LARGEST, temperature))


def retrieval_state(alpha, temperature, stable=True):
    """Where a retrieval state exists, and its State there; arrays (point,), alpha < 1.

    Args:
        stable: the state of larger overlap, else the other one, which it meets on the spinodal.
    """
    u_fold = spinodal_field(alpha)
    highest = temperature_at(u_fold, alpha)
    # At T = 0 the other state has g = 0: every response is infinite there.
    exists = np.flatnonzero((temperature <= highest) & (stable | (temperature > 0)))
    load, T, fold = alpha[exists], np.minimum(temperature, highest)[exists], u_fold[exists]

    def excess(u, load, T):
        return temperature_at(u, load) - T

    if stable:
        u = np.full(load.size, np.inf)
        warm = T >= (1 - load) / _COLDEST  # as T < (1 - alpha)/u on this side
        upper = 1.01 * np.maximum((1 - load[warm]) / T[warm], fold[warm])
        u[warm] = roots(excess, fold[warm], upper, load[warm], T[warm])
    else:
        # g = 0, that is x = 1 - alpha
        zero = roots(
            lambda log_u, load: np.log(response(np.exp(log_u))[1] / load),
            _SMALLEST,
            np.log(fold),
            load,
        )
        u = roots(excess, np.exp(zero) * (1 - 1e-13), fold, load, T)
    return exists, state_at(u, load, T)


def state_at(u, alpha, temperature):
    """The State with the reduced field u, infinite where its limit is T = 0."""
    cold = np.isinf(u)
    finite = np.where(cold, 1.0, u)
    x, rest, _ = response(finite)
    x, lost = np.where(cold, 0.0, x), np.where(cold, alpha, alpha / rest)
    m = np.tanh(u)
    # g = 1 - lost, or from the field g m = u T where g is the small one of the two.
    small = (lost > 0.5) & ~cold
    g = np.where(small, finite * temperature / np.tanh(finite), 1 - lost)
    decay = np.exp(-2 * finite)
    entropy = np.where(cold, 0.0, np.log1p(decay) + 2 * finite * decay / (1 + decay))
    return State(
        m=m,
        q=m**2,
        C=x / g,
        g=g,
        delta=np.where(small, 1 - g, lost) / g,
        M=m,
        w=np.zeros_like(m),
        entropy=entropy,
        sech_fourth=x**2,
    )
