"""The replica-symmetric saddle point of the synchronous (Little) network, on plain arrays.

A neuron and its own next state form a pair of spins (s, t) with the weight
exp(beta h (s + t) + K s t) in the field h = m + b z, b = sqrt(alpha r), z Gaussian (E its average):

    M(h) = sinh(2 beta h)/(cosh(2 beta h) + kappa),    kappa = exp(-2K),
    m = E M,   q = E M^2,   1 - p = E 2 kappa/(cosh(2 beta h) + kappa),
    C = beta (1 + p - 2q) = E dM/dh,   D = 1 - C,   r = q/D^2,
    k = T K = J0 + (alpha/2) [1/D + 1/(1 + beta (1 - p)) - 2].

Written with C = E dM/dh they are the equations of the Hopfield network, for another response M(h).
They are parametrised by T and the relative noise x = b/m, and the load follows as
sqrt(alpha) = b D/sqrt(q). Only non-negative self-couplings J0 are treated: then K >= 0, because
p >= q and therefore 1/D + 1/(1 + beta (1 - p)) >= 2, and at given x:

* M is concave in h > 0 for kappa <= 1, so m = E M has one positive root where dM/dh > 1 at h = 0;
* with alpha = b^2 D^2/q the equation for k lies in the bracket J0 <= k <= J0 + x^2/8, as
  b^2/q <= x^2 and D (1 - D (1 + 2a)/(1 + a)) <= 1/4 for a = beta (1 - p) >= 0.

T = 0 is the limit kappa -> 0, where every average stays finite and is that of the Hopfield network.

Source: the two-spin weight is that of P. Peretto, Biol. Cybern. 50 (1984) 51; for extensive loads
J. F. Fontanari, R. Koeberle, J. Physique 49 (1988) 13. The equations were derived here.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import erf

from hopfield_sim.theory.continuation import maxima, newton, roots
from hopfield_sim.theory.hopfield_saddle import below_fold, just_below
from hopfield_sim.theory.quadrature import RESOLUTION

# The poles of M in z lie at distance (pi/4) T/b or more from the real axis, half of those of tanh:
# the rule of `quadrature`, dz <= 0.3 min(w, 1), holds here with w = T/(2b).
_STEP = 0.1
assert _STEP <= RESOLUTION / 2
_KINK = _STEP * np.arange(-200, 201)  # in units of T/b around the kink; exp(-40) beyond
_BROAD = _STEP * np.arange(-100, 101)
_BROAD_WEIGHT = np.exp(-(_BROAD**2) / 2) / np.exp(-(_BROAD**2) / 2).sum()
_SMEARING = np.sqrt(np.pi) / 2  # M is compared with erf(c u), as in `quadrature`
_KINK_ERF = erf(_SMEARING * _KINK)
_FAR = 1e6
_CHUNK = 2048

# The fold of the retrieval branch lies at x = b/m between 0.467 and 0.514 at every temperature and
# self-coupling; alpha(x) rises before and falls after it.
_FOLD_BRACKET = (0.3, 0.8)
# Closer to T_0 overlaps and loads are too small to be told from rounding.
_BELOW = 1 - 1e-6
_TOLERANCE = 1e-11
_OVERLAP_STEPS = 200


class PairAverages(NamedTuple):
    """Averages over z of what a pair does in the field a + b z. All stay finite at T = 0."""

    spin: np.ndarray  # E M
    spin_squared: np.ndarray  # E M^2
    apart: np.ndarray  # beta (1 - p): how often the pair disagrees
    slope: np.ndarray  # E dM/dh
    slope_z: np.ndarray  # E z dM/dh
    slope_squared: np.ndarray  # T E (dM/dh)^2
    entropy: np.ndarray  # of the two spins given their field


def _pair_functions(decay, kappa, coupling):
    """|M|, 1 - M^2, 1 - p, T dM/dh and the entropy at d = exp(-2|h|/T), without cancellation.

    kappa exp(2 coupling) = 1; kappa may have underflowed to zero.
    """
    norm = 1 + decay * (decay + 2 * kappa)
    spin = (1 - decay**2) / norm
    flat = 4 * decay * (decay + kappa) * (1 + kappa * decay) / norm**2
    apart = 4 * kappa * decay / norm
    slope = 4 * decay * (2 * decay + kappa * (1 + decay**2)) / norm**2
    with np.errstate(divide="ignore", invalid="ignore"):
        field = np.where(decay > 0, -np.log(decay), 0)
        lost = np.where(apart > 0, coupling * apart, 0)
    # ln[2 e^K cosh 2u + 2 e^-K] - 2 u M - K p
    entropy = np.log(norm) + field * 2 * decay * (decay + kappa) / norm + lost
    return spin, flat, apart, slope, entropy


def pair_averages(mean, width, temperature, k):
    """Averages over the field mean + width z of a pair with the coupling K = k/T.

    Exact to about 1e-14 at every temperature, zero included.

    Args:
        mean, width, temperature, k: arrays that broadcast, in units of J; width > 0,
            temperature >= 0. k < 0 counts as 0.

    Returns:
        PairAverages, each of the broadcast shape.
    """
    flat = [np.asarray(a, float) for a in np.broadcast_arrays(mean, width, temperature, k)]
    shape = flat[0].shape
    mean, width, temperature, k = (values.ravel() for values in flat)
    with np.errstate(divide="ignore", invalid="ignore"):
        coupling = np.where(k > 0, k / temperature, 0)
    found = np.empty((len(PairAverages._fields), mean.size))
    kinked = temperature <= width
    for where, evaluate in ((kinked, _kinked), (~kinked, _broad)):
        points = np.flatnonzero(where)
        for start in range(0, points.size, _CHUNK):
            chunk = points[start : start + _CHUNK]
            arguments = (values[chunk] for values in (mean, width, temperature, coupling))
            found[:, chunk] = evaluate(*arguments)
    return PairAverages(*found.reshape((len(found), *shape)))


def _broad(mean, width, temperature, coupling):
    u = (mean[:, None] + width[:, None] * _BROAD) / temperature[:, None]
    kappa = np.exp(-2 * coupling)[:, None]
    spin, flat, apart, slope, entropy = _pair_functions(
        np.exp(-2 * np.abs(u)), kappa, coupling[:, None]
    )
    weight = _BROAD_WEIGHT
    return (
        (np.sign(u) * spin) @ weight,
        spin**2 @ weight,
        apart @ weight / temperature,
        slope @ weight / temperature,
        slope @ (_BROAD * weight) / temperature,
        slope**2 @ weight / temperature,
        entropy @ weight,
    )


def _kinked(mean, width, temperature, coupling):
    centre = np.clip(-mean / width, -_FAR, _FAR)
    kink = temperature / width
    z = centre[:, None] + kink[:, None] * _KINK
    density = np.exp(-(z**2) / 2) * (_STEP / np.sqrt(2 * np.pi))
    kappa = np.exp(-2 * coupling)[:, None]
    spin, flat, apart, slope, entropy = _pair_functions(
        np.exp(-2 * np.abs(_KINK)), kappa, coupling[:, None]
    )
    step = np.sign(_KINK) * spin - _KINK_ERF
    smeared = np.hypot(width, temperature / (_SMEARING * np.sqrt(2)))

    def total(values):
        return np.einsum("ij,ij->i", density, values)

    return (
        erf(mean / (np.sqrt(2) * smeared)) + kink * total(step),
        1 - kink * total(flat),
        total(apart) / width,
        total(slope) / width,
        total(z * slope) / width,
        total(slope**2) / width,
        kink * total(entropy),
    )


class Saddle(NamedTuple):
    """A solution with b > 0, arrays (point,)."""

    m: np.ndarray
    b: np.ndarray  # width of the cross-talk noise, sqrt(alpha r)
    k: np.ndarray  # T K
    root_alpha: np.ndarray  # b D/sqrt(q)


def _load(b, average):
    """b D/sqrt(q); negative where C > 1, where no load has this noise."""
    return b * (1 - average.slope) / np.sqrt(average.spin_squared)


def _coupling_error(k, b, average, self_coupling):
    """k - J0 - (alpha/2)[1/D + 1/(1 + a) - 2] at the load alpha = b^2 D^2/q that goes with b.

    1/D + 1/(1 + a) - 2 = (C - a + 2 a C)/(D (1 + a)), which keeps its digits where both are small.
    """
    C, a = average.slope, average.apart
    alpha_D = b**2 * (1 - C) / average.spin_squared
    return k - self_coupling - alpha_D * (C - a + 2 * a * C) / (2 * (1 + a))


def highest_temperature(self_coupling):
    """T_0 = 1 + tanh(J0/T_0): above it no overlap survives, even without noise."""

    def excess(temperature, self_coupling):
        return temperature - 1 - np.tanh(self_coupling / temperature)

    return roots(excess, 1.0, 2.0, np.asarray(self_coupling, float))


def below_highest(temperature, self_coupling):
    """Whether a temperature is below T_0, by enough to tell overlaps from rounding."""
    return temperature < _BELOW * highest_temperature(self_coupling)


def overlap(x, temperature, k):
    """m of the equation m = E M at noise x m and coupling k: from above, monotonically."""
    m = erf(1 / (np.sqrt(2) * x))
    open_ = np.arange(m.size)
    for _ in range(_OVERLAP_STEPS):
        here = m[open_]
        average = pair_averages(here, x[open_] * here, temperature[open_], k[open_])
        slope = average.slope + x[open_] * average.slope_z
        step = (here - average.spin) / (1 - slope)
        m[open_] = here - step
        open_ = open_[step > 1e-15 * here]
        if not open_.size:
            return m
    raise ArithmeticError(f"no overlap at T = {temperature[open_[0]]:.17g}, x = {x[open_[0]]:.17g}")


def saddle_at_noise(x, temperature, self_coupling):
    """The Saddle at relative noise x = b/m (point,), T below `highest_temperature`; NaN where C > 1
    already at k = J0, where no load has this noise.

    Newton's method for (m, k) from the overlap at k = J0; nested roots where it is lost.
    """
    start, below = _weakest_pair(x, temperature, self_coupling)
    some = np.flatnonzero(below)
    given = [values[some] for values in (x, temperature, self_coupling)]

    def equations(unknown, x, temperature, self_coupling):
        errors, _, _ = _errors(*unknown.T, x, temperature, self_coupling)
        return errors

    m, k, root_alpha = np.full((3, x.size), np.nan)
    m[some], k[some] = newton(equations, start[some], *given, tolerance=_TOLERANCE)[0].T
    lost = some[np.isnan(m[some])]
    if lost.size:
        m[lost], k[lost] = _nested(x[lost], temperature[lost], self_coupling[lost])
    known = ~np.isnan(m)
    b = x * m
    average = pair_averages(m[known], b[known], temperature[known], k[known])
    root_alpha[known] = _load(b[known], average)
    return Saddle(m, b, k, root_alpha)


def _weakest_pair(x, temperature, self_coupling):
    """(m, k) at relative noise x, m at the coupling k = J0: (point, 2); and whether C < 1 there."""
    m = overlap(x, temperature, self_coupling)
    average = pair_averages(m, x * m, temperature, self_coupling)
    k = self_coupling - _coupling_error(self_coupling, x * m, average, self_coupling)
    return np.stack([m, k], axis=1), average.slope < 1


def _errors(m, k, x, temperature, self_coupling):
    """Errors of the equations for m and k, (point, 2), NaN where (m, k) is not admissible; the
    averages there, and where it is admissible."""
    admissible = (m > 0) & (k >= self_coupling) & (x > 0)
    m, x = np.where(admissible, m, 1), np.where(admissible, x, 1)
    average = pair_averages(m, x * m, temperature, k)
    errors = [1 - average.spin / m, _coupling_error(k, x * m, average, self_coupling)]
    return np.where(admissible[:, None], np.stack(errors, axis=1), np.nan), average, admissible


def _nested(x, temperature, self_coupling):
    """m and k at relative noise x by the bracket of the coupling: slow, and sure."""

    def error(k, x, temperature, self_coupling):
        b = x * overlap(x, temperature, k)
        found = _coupling_error(k, b, pair_averages(b / x, b, temperature, k), self_coupling)
        # At k = J0 it is not positive; where it vanishes it may be rounded to the wrong sign.
        return np.where(k == self_coupling, np.minimum(found, 0), found)

    k = roots(error, self_coupling, self_coupling + x**2 / 8, x, temperature, self_coupling)
    return overlap(x, temperature, k), k


def fold(temperature, self_coupling):
    """x and root_alpha where the load of the retrieval branch is largest (point,)."""
    both = np.stack([temperature, self_coupling], axis=1)
    distinct, back = np.unique(both, axis=0, return_inverse=True)
    back = back.ravel()  # with an axis, NumPy 2.0 keeps that dimension

    def root_alpha(x, temperature, self_coupling):
        return saddle_at_noise(x, temperature, self_coupling).root_alpha

    x, largest = maxima(root_alpha, *_FOLD_BRACKET, *distinct.T)
    return x[back], largest[back]


def retrieval_saddle(alpha, temperature, self_coupling, stable=True):
    """Where a retrieval solution exists, and its Saddle there.

    Args:
        alpha, temperature, self_coupling: (point,).
        stable: the branch of larger m, else the unstable one that it meets at the fold.

    Returns:
        indices of the points that have one, and the Saddle at these.
    """
    exists = np.flatnonzero(below_highest(temperature, self_coupling))
    x_fold, largest = fold(temperature[exists], self_coupling[exists])
    inside = below_fold(np.sqrt(alpha[exists]), largest)
    exists, x_fold, largest = exists[inside], x_fold[inside], largest[inside]
    root_alpha = just_below(np.sqrt(alpha[exists]), largest)
    given = temperature[exists], self_coupling[exists]

    def excess(x, root_alpha, temperature, self_coupling):
        return saddle_at_noise(x, temperature, self_coupling).root_alpha - root_alpha

    x = np.full(exists.size, np.nan)
    if stable:
        x = _noise_at_load(root_alpha, *given)
        x[~(x < x_fold * (1 - 1e-6))] = np.nan  # on the other branch, or too close to tell
        # root_alpha <= x always (D <= 1, m^2 <= q), so half of it lies below the root.
        lower, upper = root_alpha / 2, x_fold
    else:
        # root_alpha falls as 1/x^2 beyond the fold.
        lower, upper = x_fold, 2 * np.sqrt(largest / root_alpha)
    left = np.flatnonzero(np.isnan(x))
    ends = lower[left], upper[left]
    x[left] = roots(excess, *ends, *(values[left] for values in (root_alpha, *given)))
    return exists, saddle_at_noise(x, *given)


def _noise_at_load(root_alpha, temperature, self_coupling):
    """x of a solution at this load by Newton's method for (m, k, x), from less noise than it has;
    NaN where none was found."""
    start, below = _weakest_pair(root_alpha, temperature, self_coupling)

    def equations(unknown, root_alpha, temperature, self_coupling):
        m, k, x = unknown.T
        errors, average, admissible = _errors(m, k, x, temperature, self_coupling)
        load = _load(np.where(admissible, x * m, 1), average) / root_alpha - 1
        return np.column_stack([errors, load])

    start = np.column_stack([start, np.where(below, root_alpha, np.nan)])
    found, _ = newton(equations, start, root_alpha, temperature, self_coupling)
    return found[:, 2]


def spin_glass_saddle(alpha, temperature, self_coupling):
    """The Saddle with m = 0 (its k and b), below the spin-glass temperature; all (point,).

    b D/sqrt(q) grows with b at fixed temperature. As b C = E z M <= sqrt(2/pi), the root is at most
    sqrt(2/pi) + sqrt(alpha).
    """

    def coupling(b, temperature, self_coupling):
        def error(k, b, temperature, self_coupling):
            average = pair_averages(0.0, b, temperature, k)
            found = _coupling_error(k, b, average, self_coupling)
            return np.where(k == self_coupling, np.minimum(found, 0), found)

        average = pair_averages(0.0, b, temperature, self_coupling)
        k = np.array(self_coupling)
        some = np.flatnonzero(average.slope < 1)  # elsewhere no load has this noise
        upper = k + b**2 / (8 * average.spin_squared)
        given = (b[some], temperature[some], self_coupling[some])
        k[some] = roots(error, k[some], upper[some] * (1 + 1e-12), *given)
        return k

    def excess(b, root_alpha, temperature, self_coupling):
        k = coupling(b, temperature, self_coupling)
        return _load(b, pair_averages(0.0, b, temperature, k)) - root_alpha

    upper = (np.sqrt(2 / np.pi) + np.sqrt(alpha)) * (1 + 1e-12)
    given = temperature, self_coupling
    b = roots(excess, 1e-6 * upper, upper, np.sqrt(alpha), *given)
    return Saddle(np.zeros_like(b), b, coupling(b, *given), np.sqrt(alpha))
