"""Continuous networks with log-sum-exp energy at temperature T, finite dimension and number.

States and patterns on the sphere |x|^2 = |xi|^2 = d, exp(-E/T) with
E(x) = -(1/lambda) ln sum_mu exp(lambda xi^mu . x), as in `log_sum_exp_thermal`, which has d -> inf.
The *cell* of a pattern, the target, are the states that are nearest to it: m = x . xi/d is the
largest of M overlaps. The overlap v with the nearest other pattern is kept, the further ones have
their mean given v, and the weight of states is averaged over random patterns (annealed):

    p(m, v) ~ (1 - m^2)^((d-3)/2) (M - 1) f(v) F(v)^(M-2) A(m, v)^(1/(lambda T)),     v < m,
    A(m, v) = e^(lambda d m) + e^(lambda d v) + (M - 2) E[e^(lambda d u) | u < v],

with f(u) ~ (1 - u^2)^((d-3)/2) the density of the overlap with one random pattern, F its integral.
As the cells of all patterns are alike, p(m) is also the law of the largest overlap in equilibrium:
a peak near m*(T), the retrieval states, and, where there are many patterns, one near the overlap of
a random state with the nearest of them, the paramagnet. For M = 1 p is the von Mises-Fisher law.

**Limits.** Sets of patterns count by the weight of the cell (the mean of a ratio is taken as the
ratio of means), which differs where cells of different sets weigh differently: few patterns, low T.
At very low T the mean weight is that of rare sets in which a second pattern lies on the target:
`best_other` jumps to 1 there, for d = 24, M = 1000 and lambda = 1 below T = 0.025, and nothing of
this is true of a typical set.
That pairs of states share the pull of the same neighbours is not in it (q12 > m^2).

Derived here; checked by simulation (`experiments.modern_thermal`, `tests/test_langevin.py`).
"""

import functools

import numpy as np
from scipy.integrate import cumulative_simpson
from scipy.interpolate import CubicSpline
from scipy.special import betainc, betaln, logsumexp

from hopfield_sim.theory.labels import common_grid, evaluated

_ABOUT = {
    "convention": "E = -(1/lambda) ln sum exp(lambda xi.x), |x|^2 = |xi|^2 = d, M patterns",
    "source": "annealed, nearest other pattern apart, derived here",
}
_ANGLES = np.linspace(0, np.pi, 4001)
_OUTER = np.polynomial.legendre.leggauss(160)
_INNER = np.polynomial.legendre.leggauss(96)
_SCAN = 400  # overlaps among which peaks are looked for
_NEGLIGIBLE = 45.0  # e^-45 is below the rounding of a sum
_SMALLEST = 4  # dimension from which the density of m vanishes at m = 1


def cell(dimension, n_patterns, temperature, sharpness):
    """Averages over the retrieval state in the cell of the target.

    The retrieval state is what lies above the `edge`, the least density p(m) between its peak and
    that of the paramagnet; the whole cell where p(m) has a single peak and the target has more than
    half of the weight there.

    Args:
        dimension: d, a whole number, a 1-D array or a DataArray, >= 4.
        n_patterns: M, likewise, >= 1.
        temperature: T > 0, likewise.
        sharpness: lambda > 0, likewise.

    Returns:
        xarray.Dataset on the grid (dimension, n_patterns, temperature, sharpness), averages over
        the retrieval state: `m`; `m_deviation`, the standard deviation of m; `energy` E/d;
        `best_other`, the overlap v with the nearest other pattern (NaN for M = 1);
        `replica_overlap` m^2, of two states that share nothing but the target. And `peak`; `edge`
        (-1 without a second peak); `barrier` ln p(peak) - ln p(edge) (infinite without); `share`,
        the weight of the retrieval state in the cell, which is the equilibrium probability to be in
        that of some pattern. NaN without a retrieval state. Precision 1e-6 for d <= 500.

    Raises:
        ValueError: a parameter outside its domain, T = 0, d < 4, or unnamed axes.
    """

    def averages(dimension, number, T, sharpness):
        if not (T > 0).all():
            raise ValueError("temperature = 0 is not allowed here; m = 1 there")
        if not (dimension >= _SMALLEST).all():
            raise ValueError(
                f"dimension = {int(dimension.min())} is not allowed here; it must be at least "
                f"{_SMALLEST}, from where on p(m) vanishes at m = 1"
            )
        points = np.stack([dimension, number, T, sharpness], axis=1).tolist()
        each = [_averages(*point) for point in points]
        return {name: np.array([one[name] for one in each]) for name in _NAMES}

    grid = common_grid(
        dimension=dimension, n_patterns=n_patterns, temperature=temperature, sharpness=sharpness
    )
    title = "log-sum-exp network on the sphere, cell of a pattern at finite d"
    return evaluated(grid, averages, _NAMES, title, branch="retrieval", **_ABOUT)


_NAMES = {
    "m": "overlap with the target",
    "m_deviation": "standard deviation of the overlap with the target",
    "energy": "energy per dimension",
    "best_other": "overlap with the nearest other pattern",
    "replica_overlap": "overlap of two states that share nothing but the target",
    "peak": "most probable overlap with the target",
    "edge": "overlap with the target where its retrieval state ends",
    "barrier": "ln of the density of m at its peak over that at the edge",
    "share": "weight of the retrieval state in the cell",
}


def nearest(dimension, n_patterns):
    """The mean of the largest overlap of a random state with M patterns.

        E max = 1 - int_{-1}^{1} F(u)^M du,  F(u) = P(overlap with one pattern < u)

    For d -> infinity sqrt(1 - exp(-2 alpha)).

    Args:
        dimension: d, a whole number, a 1-D array or a DataArray, >= 2.
        n_patterns: M, likewise, >= 1.

    Returns:
        xarray.Dataset on the grid (dimension, n_patterns) with `overlap`. Precision 1e-12 for
        d <= 500.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.
    """

    def overlaps(dimension, number):
        each = [_largest(*point) for point in zip(dimension, number, strict=True)]
        return {"overlap": np.array(each, dtype=float)}

    grid = common_grid(dimension=dimension, n_patterns=n_patterns)
    names = {"overlap": "largest overlap of a random state with a pattern"}
    return evaluated(grid, overlaps, names, "random patterns on the sphere", **_ABOUT)


def _largest(dimension, number):
    """1 - int F^M du, by quadrature where F^M is neither 0 nor 1."""
    log = number * _log_below(dimension, np.cos(_ANGLES))
    first = _ANGLES[max(np.searchsorted(-log, np.finfo(float).eps / 8) - 1, 0)]
    last = _ANGLES[min(np.searchsorted(-log, _NEGLIGIBLE), len(_ANGLES) - 1)]
    angle = first + (last - first) * (1 + _OUTER[0]) / 2
    below = np.exp(number * _log_below(dimension, np.cos(angle)))
    return np.cos(first) - (below * np.sin(angle)) @ _OUTER[1] * (last - first) / 2


def _log_below(dimension, u):
    """ln P(overlap of a random pattern with a state < u)."""
    tail = betainc((dimension - 1) / 2, 0.5, 1 - u**2) / 2  # P(overlap > |u|)
    with np.errstate(divide="ignore"):
        return np.where(u > 0, np.log1p(-tail), np.log(tail))


class _Cell:
    """p(m, v) at one point of the grid; all densities are in angles, ln p(m) in m."""

    def __init__(self, dimension, number, temperature, sharpness):
        self.d, self.number = dimension, number
        self.kappa, self.power = sharpness * dimension, 1 / (sharpness * temperature)
        self.norm = betaln((dimension - 1) / 2, 0.5)
        self.furthest = np.pi
        if number > 1:
            below = _log_below(dimension, np.cos(_ANGLES))
            counts = (number - 1) * below > -_NEGLIGIBLE
            self.furthest = _ANGLES[counts][-1]
            self.below = CubicSpline(_ANGLES[counts], below[counts])
            weight = np.exp(self._log_density(_ANGLES) + self.kappa * (np.cos(_ANGLES) - 1))
            sums = cumulative_simpson(weight[::-1], x=_ANGLES, initial=0)[::-1]
            tiny = np.finfo(float).tiny
            mean = np.log(np.maximum(sums[counts], tiny)) - below[counts] + self.kappa
            self.mean = CubicSpline(_ANGLES[counts], mean)

    def _log_density(self, angle):
        """ln of the density of the angle between random directions."""
        with np.errstate(divide="ignore"):
            return (self.d - 2) * np.log(np.maximum(np.sin(angle), 0)) - self.norm

    def law(self, angle):
        """At angles of m: nodes v and ln p(m, v) of them with their weights, (angle, node)."""
        m = np.cos(angle)[:, None]
        own = (self.d - 3) * np.log(np.sin(angle))[:, None]
        if self.number == 1:
            log_sum = self.kappa * m
            return np.full_like(m, np.nan), own + self.power * log_sum, log_sum
        half = (self.furthest - angle)[:, None] / 2
        others = angle[:, None] + half * (1 + _INNER[0])
        v = np.cos(others)
        log_sum = np.logaddexp(self.kappa * m, self.kappa * v)
        log = np.log(half * _INNER[1] * (self.number - 1)) + self._log_density(others)
        if self.number > 2:
            rest = np.log(self.number - 2) + self.mean(others)
            log_sum = np.logaddexp(log_sum, rest)
            log = log + (self.number - 2) * self.below(others)
        return v, own + log + self.power * log_sum, log_sum

    def log_density(self, angle):
        """ln p(m) up to a constant."""
        return logsumexp(self.law(angle)[1], axis=1)

    def averaged(self, first, last):
        """ln of the weight between two angles, and averages there."""
        angle = first + (last - first) * (1 + _OUTER[0]) / 2
        v, log, log_sum = self.law(angle)
        log = log + np.log(np.sin(angle) * _OUTER[1] * (last - first) / 2)[:, None]
        p = np.exp(log - log.max())
        p /= p.sum()
        m = np.cos(angle)
        mean = p.sum(axis=1) @ m
        return logsumexp(log), {
            "m": mean,
            "m_deviation": np.sqrt(p.sum(axis=1) @ (m - mean) ** 2),
            "energy": -np.sum(p * log_sum) / self.kappa,
            "best_other": np.sum(p * v),
            "replica_overlap": mean**2,
            "target": np.sum(p * np.exp(self.kappa * m[:, None] - log_sum)),
        }

    def turn(self, angle, step, sign):
        """The angle of the extremum near a point of the scan, refined, and ln p there."""
        fine = np.clip(np.linspace(angle - step, angle + step, 41), 1e-9, self.furthest - 1e-9)
        log = sign * self.log_density(fine)
        k = np.clip(np.argmax(log), 1, 39)
        bend = log[k - 1] - 2 * log[k] + log[k + 1]
        shift = (log[k - 1] - log[k + 1]) / (2 * bend) if bend < 0 else 0.0
        return fine[k] + np.clip(shift, -1, 1) * (fine[1] - fine[0]), sign * log[k]


@functools.lru_cache(maxsize=2**16)
def _averages(dimension, number, temperature, sharpness):
    law = _Cell(dimension, number, temperature, sharpness)
    scan = np.linspace(0, law.furthest, _SCAN + 2)[1:-1]
    step = scan[1] - scan[0]
    log = law.log_density(scan)
    rises = np.diff(log) > 0
    peaks = np.flatnonzero(~rises & np.concatenate([[True], rises[:-1]]))
    valleys = np.flatnonzero(rises & np.concatenate([[False], ~rises[:-1]]))
    nothing = dict.fromkeys(_NAMES, np.nan)
    counts = np.flatnonzero(log > log.max() - _NEGLIGIBLE)
    low, high = (scan[k] for k in (counts[0], counts[-1]))
    low, high = max(low - step, 0.0), min(high + step, law.furthest)
    if not peaks.size:
        return nothing
    peak, log_peak = law.turn(scan[peaks[0]], step, 1)
    if len(peaks) == 1 or not valleys.size:
        found = law.averaged(low, high)[1]
        if found["target"] <= 0.5:
            return nothing
        ends = {"edge": -1.0, "barrier": np.inf, "share": 1.0}
        return found | ends | {"peak": np.cos(peak)}
    edge, log_edge = law.turn(scan[valleys[0]], step, -1)
    inside = np.flatnonzero((scan < edge) & (log > log_peak - _NEGLIGIBLE))
    first = max(scan[inside[0]] - step, 0.0)
    last = min(scan[inside[-1]] + step, edge)
    weight, found = law.averaged(first, last)
    rest = law.averaged(edge, high)[0] if high > edge else -np.inf
    ends = {
        "edge": np.cos(edge),
        "barrier": log_peak - log_edge,
        "share": np.exp(weight - np.logaddexp(weight, rest)),
    }
    return found | ends | {"peak": np.cos(peak)}
