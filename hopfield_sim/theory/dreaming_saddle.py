"""The replica-symmetric saddle point of the dreaming kernel, on plain arrays.

J(t) = (1/N) sum_{mu nu} xi^mu [(1 + t)(1 + t C)^{-1}]_{mu nu} xi^nu with C the correlations of the
patterns; i = 1/(1 + t), tau = t/(1 + t), g = 1/(1 + tau delta), G = i + tau g. With the field
g (M + sqrt(w) z) and c = (1 - q)/T,

    m = E tanh(g (M + sqrt(w) z)/T),        q = E tanh^2(...),        M = m g/G,
    alpha/delta     = G - g^2 c,
    alpha w/delta^2 = g^2 [q + tau^2 (M^2 + w) - 2 tau (M m + w g c)].

The field is rho (m + b z) with rho = g^2/G and b = m/kappa: the Hopfield network's field at the
temperature T/rho and the relative noise 1/kappa. There m, q and c' = rho c follow as for that
network (`hopfield_saddle`), the load is alpha = delta G (1 - c'), and the last equation becomes,
with V = q - m^2 the variance of tanh,

    (1 - c') b^2 G = delta [(V - c'^2 b^2) G^2 + b^2 (tau g - c' G)^2 + (m i)^2].

So (T, t, kappa, delta) are explicit up to one equation. Its solutions form a curve at every (T, t),
which is passed through by W = kappa^3 delta, large without load; at each W the root of largest
kappa belongs to it. kappa alone would do for small t only. Where t is large and T of the order of
1/t, W turns back near the largest load; there delta does not, which grows from zero to past the
fold where alpha is largest, but not much further. Lower roots, at large t, belong to solutions
beyond the fold, of small overlap or near the largest load.

Source: derived here from the Gaussian representation of the kernel of A. Fachechi, E. Agliari,
A. Barra, Neural Networks 112 (2019) 24; t = 0 is the theory of Amit, Gutfreund and Sompolinsky,
t -> inf that of the projection rule; checked by simulations.
"""

from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.continuation import newton, roots
from hopfield_sim.theory.hopfield_saddle import overlap_at_noise
from hopfield_sim.theory.quadrature import gaussian_nodes, thermal_averages

_NODES, _WEIGHTS = gaussian_nodes(1.0)
_SCAN = 22  # values of ln kappa between which the largest root is searched
_CLOSEST = 1e-9  # to T/rho = 1, where the overlap vanishes
_WIDENINGS = 200
_CLEAR = 0.1  # an error whose sign is beyond doubt; beyond all roots it tends to 1 or -1
_DIFFERENCE = 1e-4
_FARTHEST = 300.0  # of ln kappa and ln delta from zero
# Of the relative difference of the two sides: at large t both are differences themselves.
_NOISE = 1e-7


class Saddle(NamedTuple):
    """A point of the parametrisation, arrays (point,); a solution where `error` is zero."""

    m: np.ndarray  # overlap with the condensed pattern
    q: np.ndarray  # Edwards-Anderson parameter
    c: np.ndarray  # (1 - q)/T
    g: np.ndarray
    delta: np.ndarray
    w: np.ndarray
    M: np.ndarray
    entropy: np.ndarray  # of the spins in their fields
    sech_fourth: np.ndarray  # E sech^4 (field/T)/T
    alpha: np.ndarray
    temperature: np.ndarray
    error: np.ndarray  # of the last equation: difference over sum of its sides


def shares(t):
    """i = 1/(1 + t) and tau = t/(1 + t), for t = inf too."""
    i = 1 / (1 + t)
    return i, np.where(np.isinf(t), 1.0, np.minimum(t, np.finfo(float).max) * i)


def saddle(log_kappa, s, log_delta, t):
    """The Saddle at kappa, delta and s = T/(rho m), explicit; all arrays (point,)."""
    i, tau = shares(t)
    width, delta = np.exp(-log_kappa), np.exp(log_delta)
    g = 1 / (1 + tau * delta)
    G = i + tau * g
    rho = g**2 / G
    average = thermal_averages(1.0, width, s)
    m, q = average.tanh, average.tanh_squared
    c, b = average.slope / m, m * width
    left = (1 - c) * b**2 * G
    own = (_variance(m, q, width, s) - c**2 * b**2) * G**2
    right = delta * (own + b**2 * (tau * g - c * G) ** 2 + (m * i) ** 2)
    return Saddle(
        m=m,
        q=q,
        c=c / rho,
        g=g,
        delta=delta,
        w=(rho * b / g) ** 2,
        M=rho * m / g,
        entropy=average.entropy,
        sech_fourth=average.sech_fourth / (rho * m),
        alpha=delta * G * (1 - c),
        temperature=rho * m * s,
        error=(left - right) / (np.abs(left) + np.abs(right)),
    )


def _variance(m, q, width, s):
    """E tanh^2 - (E tanh)^2 in the field 1 + width z at temperature s, to relative precision."""
    variance = q - m**2
    narrow = np.flatnonzero(width < s)
    inverse = 1 / s[narrow, None]
    mean = np.tanh(inverse)
    change = np.tanh(width[narrow, None] * inverse * _NODES)
    change *= (1 - mean**2) / (1 + mean * change)  # tanh(a + x) - tanh a
    variance[narrow] = change**2 @ _WEIGHTS - (change @ _WEIGHTS) ** 2
    return variance


def _noise_temperature(log_kappa, log_delta, temperature, t):
    """s at a given temperature, and where there is an overlap at all; arrays (point,)."""
    i, tau = shares(t)
    g = 1 / (1 + tau * np.exp(log_delta))
    reduced = temperature * (i + tau * g) / g**2
    reachable = reduced < 1 - _CLOSEST
    reduced = np.minimum(reduced, 1 - _CLOSEST)
    return reduced / overlap_at_noise(np.exp(-log_kappa), reduced), reachable


def position(x, by_delta=False):
    """Where on its curve a solution (3, ...) lies: ln W, or -ln delta; falling from small loads."""
    return -x[2] if by_delta else x[2] + 3 * x[0]


def _on_line(log_kappa, place, temperature, t, by_delta=False):
    """The Saddle at kappa and a position, and s; error -1 where no overlap is left."""
    log_delta = -place if by_delta else place - 3 * log_kappa
    s, reachable = _noise_temperature(log_kappa, log_delta, temperature, t)
    found = saddle(log_kappa, s, log_delta, t)
    return found._replace(error=np.where(reachable, found.error, -1.0)), s


def curve(log_W, temperature, t, rank=0, by_delta=False):
    """The solution at each W whose kappa is the largest; arrays (point,), temperature < 1, t < inf.

    Args:
        rank: 1 for the second largest root, and so on: solutions off the curve of retrieval.
        by_delta: whether the first argument is -ln delta instead.

    Returns:
        ln kappa, s and ln delta, (3, point), NaN where there is no such root, and the load there.
    """
    lower, upper = _ends(log_W, temperature, t, by_delta)
    places = lower[:, None] + (upper - lower)[:, None] * np.linspace(0, 1, _SCAN)
    spread = [np.repeat(values, _SCAN) for values in (log_W, temperature, t)]
    above = _on_line(places.ravel(), *spread, by_delta)[0].error.reshape(places.shape) > 0
    # Sign changes, the one of largest kappa first.
    changes = above[:, 1:] != above[:, :-1]
    order = np.cumsum(changes[:, ::-1], axis=1)[:, ::-1]
    found = np.flatnonzero(order[:, 0] > rank)
    at = (_SCAN - 2) - np.argmax((order[found] == rank + 1)[:, ::-1], axis=1)
    here = [values[found] for values in (log_W, temperature, t)]
    lower, upper = places[found, at], places[found, at + 1]
    side = np.where(above[found, at + 1], 1.0, -1.0)

    def error(log_kappa, lower, upper, side, *given):
        # At the ends the signs just found: at a rounding error another call may have another one.
        found = np.where(log_kappa <= lower, -side, _on_line(log_kappa, *given, by_delta)[0].error)
        return np.where(log_kappa >= upper, side, found)

    log_kappa = roots(error, lower, upper, lower, upper, side, *here)
    solved, s = _on_line(log_kappa, *here, by_delta)
    unknown, alpha = np.full((3, log_W.size), np.nan), np.full(log_W.size, np.nan)
    good = np.abs(solved.error) < _NOISE
    found = found[good]
    unknown[:, found] = log_kappa[good], s[good], np.log(solved.delta[good])
    alpha[found] = solved.alpha[good]
    return unknown, alpha


def _ends(log_W, temperature, t, by_delta):
    """Values of ln kappa that enclose all roots, for positions as in `curve`."""
    i, tau = shares(t)
    # For small kappa the left side is smaller when kappa^2/(3 g) < 0.57 delta, its leading order.
    if by_delta:
        lower = np.log(0.5) + np.minimum(0, -log_W / 2)
        upper = np.maximum(lower + 1, log_W / 2 - np.log(i))
        return lower, _widened(upper, log_W, temperature, t, by_delta)
    # Where T/rho = 1 at this W, no smaller kappa has an overlap.
    g = (tau * temperature + np.sqrt((tau * temperature) ** 2 + 4 * i * temperature)) / 2
    with np.errstate(divide="ignore"):
        last = (log_W - np.log1p(-np.minimum(g, 1)) + np.log(tau * g)) / 3
    lower = np.maximum(last, np.log(0.5) + np.minimum(0, log_W / 5))
    upper = np.maximum(lower + 1, np.maximum(log_W + 2 * np.log(i), log_W / 3))
    return lower, _widened(upper, log_W, temperature, t, by_delta)


def _widened(upper, place, temperature, t, by_delta):
    """ln kappa beyond all roots: the left side is the larger one at given W, not at given delta."""
    side = -1 if by_delta else 1
    for _ in range(_WIDENINGS):
        error = _on_line(upper, place, temperature, t, by_delta)[0].error
        open_ = np.flatnonzero(~(side * error > _CLEAR))
        if not open_.size:
            break
        upper[open_] += 1
    return upper


def _equations(x, temperature, t):
    """Errors of the saddle point and of its temperature, and ln alpha; unknowns of `curve`."""
    lost = ~(np.abs(x[:, [0, 2]]).max(axis=1) < _FARTHEST)
    log_kappa, s, log_delta = np.where(lost[:, None], 1.0, x).T
    at = saddle(log_kappa, np.maximum(s, 0), log_delta, t)
    # At zero temperature s has to be able to step over zero.
    warm = at.temperature + np.minimum(s, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.stack([at.error, (warm - temperature) / (temperature + 0.01), np.log(at.alpha)])
    return np.where(lost, np.nan, found)


def at_load(start, log_alpha, temperature, t):
    """The solutions of a given load next to starts (3, point); all NaN where there is none."""

    def errors(x, log_alpha, temperature, t):
        found = _equations(x, temperature, t)
        found[2] -= log_alpha
        return found.T

    return newton(errors, start.T, log_alpha, temperature, t, tolerance=_NOISE)[0].T


def at_fold(start, temperature, t):
    """The folds next to starts (3, point): there the three equations cease to be independent."""

    def errors(x, temperature, t):
        found = _equations(x, temperature, t)
        slopes = np.empty((len(x), 3, 3))
        for unknown in range(3):
            step = np.zeros(3)
            step[unknown] = _DIFFERENCE
            ahead, behind = (_equations(x + sign * step, temperature, t) for sign in (1, -1))
            with np.errstate(invalid="ignore"):  # both may be infinite far from any fold
                slopes[:, :, unknown] = ((ahead - behind) / (2 * _DIFFERENCE)).T
        size = np.linalg.norm(slopes, axis=2).prod(axis=1)
        with np.errstate(invalid="ignore"):
            found[2] = np.linalg.det(slopes) / size
        return found.T

    return newton(errors, start.T, temperature, t, tolerance=_NOISE)[0].T
