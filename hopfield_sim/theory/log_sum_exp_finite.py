"""Continuous networks with log-sum-exp energy: the law of one update at finite d and M, exactly.

M random patterns x_mu in d dimensions, on the sphere |x|^2 = d or Gaussian with entries of variance
1; the cue x has the length of x_1 and the overlap x_0 with it, x . x_1 = x_0 |x|^2. The update is
f(x) = sum_mu p_mu x_mu, and the weight of the queried pattern is

    p_1 = 1/(1 + W),   W = sum over mu > 1 of e^(a_mu),   a_mu = lambda (x_mu . x - x_1 . x).

Given |x|, the a_mu are independent of each other and of x_1: by rotation, x_mu . x = d m with the
density (1 - m^2)^((d-3)/2) on the sphere, and |x| z, z a standard Gaussian, otherwise. So with
phi(s) = E e^(-s e^a), one integral,

    E e^(-s W) = phi(s)^(M-1),   E p_1 = int_0^inf e^(-s) phi(s)^(M-1) ds,

P(p_1 > 1/2) = P(W < 1) by numerical inversion, and, as what lies across x averages out between
different patterns, the mean square error

    E |f(x) - x_1|^2 =
        int_0^inf s e^(-s) {(M-1) E[(c^2 + t + T) e^(2a) e^(-s e^a)] phi^(M-2)
                + (M-1)(M-2) ((E[c e^a e^(-s e^a)])^2 + T (E[e^a e^(-s e^a)])^2) phi^(M-3)} ds

where c is the component of x_mu - x_1 along x, t = |x_mu|^2 minus its part along x on average
(d (1 - m^2), or d - 1), and T = (1 - x_0^2) |x|^2. Gaussian patterns: one more integral over |x|^2,
chi-squared with d degrees of freedom. There is no enumeration: M can be e^(alpha d) at any d.

Source: derived here, checked by sampling and against networks with their patterns. For d -> inf
the thresholds are those of `log_sum_exp` (Lucibello, Mezard 2024). The inversion: J. Abate,
W. Whitt, ORSA J. Comput. 7 (1995) 36.
"""

from functools import lru_cache

import numpy as np
import xarray as xr
from scipy.optimize import brentq
from scipy.special import comb, gammaln, logsumexp

from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.log_sum_exp import half_weight

PATTERNS = ("sphere", "gaussian")

_ABOUT = {
    "convention": "p = softmax(lambda xi.x), |x|^2 = d (on average), cue of the pattern's length",
    "source": "derived here",
}
_FAR = 25.0  # e^-25 is left out of integrals that are of order one
# Trapezoid rules. 1 - e^(-s e^a) is analytic for |Im a| < pi/2, so a step h in a or in ln s costs
# e^(-pi^2/h): 2e-11 here. A Gaussian in steps of h widths costs e^(-2 pi^2/h^2).
_STEP = 0.4
# Over ln |x|^2, p_1 is a sigmoid no steeper than the logistic of lambda |x|^2, for which a step h
# costs e^(-2 pi^2/h), and P(W < 1) one of the width of ln W, a Gaussian's integral where that is
# narrow: e^(-2 pi^2/h^2).
_OUTER_STEP = 1.2
_OUTER_FAR = 18.0
_NARROWEST = 0.03
_LARGEST_LOG_S = 3.5  # e^(-e^3.5) = 4e-15
_STEPS = 50  # ln s from there down to -16.5, and as much further as needed
_STATES = 2000  # overlaps y that are tried, of which one is the best to 1e-5 in ln M
_MISSED = 1e-7  # largest E(1 - e^(-s W)) at the smallest s
_DAMPING = 18.0  # the inversion's error is e^-18
_EULER = 12  # last partial sums that are averaged
_FEWEST_TERMS, _MOST_TERMS = 64, 512
_SETTLED = 1e-5
_SMALLEST = -690.0  # ln of a small float
# Exponents beyond are cut: p_1 < e^-300 either way, and the square e^600 is still a float.
_LARGEST = 300.0
_MOST_NODES = 2**24  # over lengths and exponents: some ten arrays of 128 MB
_LEAST = 1e-100  # of phi, which underflows where nothing is left of the integrand


def one_update(log_n_patterns, dimension, sharpness, start_overlap=1.0, patterns="sphere"):
    """Weight of the queried pattern and error of one update, averaged exactly at finite d and M.

    Formulas: see the module. Also tells which pattern is retrieved in the sense p_1 > 1/2.

    Args:
        log_n_patterns: ln M >= 0, a number, a 1-D array or a DataArray.
        dimension: d, a whole number >= 2, likewise.
        sharpness: lambda > 0, likewise; beta where |x|^2 = d.
        start_overlap: x_0 in [-1, 1], likewise, of cue and pattern, over |x|^2.
        patterns: "sphere" or "gaussian".

    Returns:
        xarray.Dataset on the grid of the four with `weight`, E p_1; `retrieved`, P(p_1 > 1/2); and
        `square_error`, E |f(x) - x_1|^2/d. Absolute precision 1e-6, and 1e-3 of `retrieved`.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes; other patterns; Gaussian
            patterns so sharp that the integrals need too many nodes (at d = 12 beyond 11).

    Source: derived here.
    """
    _checked(patterns)

    def averages(log_n, d, sharpness, x0):
        found = np.empty((3, log_n.size))
        for point, (one, *network) in enumerate(zip(log_n, d, sharpness, x0, strict=True)):
            law = _law(int(network[0]), float(network[1]), float(network[2]), patterns)
            found[:, point] = law.weight(one), law.retrieved(one), law.square_error(one)
        return dict(zip(("weight", "retrieved", "square_error"), found, strict=True))

    names = {
        "weight": "mean weight of the queried pattern after one update",
        "retrieved": "probability that the queried pattern has more than half of the weight",
        "square_error": "mean of |f(x) - x_1|^2/d after one update",
    }
    grid = common_grid(
        log_n_patterns=log_n_patterns,
        dimension=dimension,
        sharpness=sharpness,
        start_overlap=start_overlap,
    )
    title = f"log-sum-exp network, one update at finite d, {patterns} patterns"
    return evaluated(grid, averages, names, title, **_ABOUT)


def largest(dimension, sharpness, start_overlap=1.0, bound=0.1, patterns="sphere"):
    """The largest number of patterns by four measures of retrieval in one update, at finite d.

        log_mean      E p_1 = 1/2
        log_typical   P(p_1 > 1/2) = 1/2: a pattern has more than half of the weight half the time
        log_error     E |f(x) - x_1|^2 = bound^2 d
        log_all       M P(p_1 < 1/2) = ln 2: all M patterns have more than half of their own weight,
                      each queried alike, with probability 1/2 if their failures are independent

    All are exact but the last, which replaces P(no failure) by e^(-mean number); 1 - (mean number)
    is a lower bound for any dependence.

    Args:
        dimension, sharpness, start_overlap, patterns: as for `one_update`.
        bound: of the root of the mean square error over sqrt(d), in (0, 1).

    Returns:
        xarray.Dataset on the grid (dimension, sharpness, start_overlap) with the four ln M; NaN
        where two patterns are too many already, inf where no number is: f(x) stays near a cue
        close to x_1 also if x_1 has no weight, within 1 - u(lambda) for x_0 = 1 and large d.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes; other patterns; a bound
            outside (0, 1).

    Source: derived here.
    """
    _checked(patterns)
    if not 0 < bound < 1:
        raise ValueError(f"bound = {bound!r} is not allowed; it must be in (0, 1)")

    def roots(d, sharpness, x0):
        found = np.empty((4, d.size))
        for point, network in enumerate(zip(d, sharpness, x0, strict=True)):
            law = _law(int(network[0]), float(network[1]), float(network[2]), patterns)
            # by then all terms together are far above that of the pattern
            most = 2 * network[0] * network[1] + 20
            measures = (
                lambda y, law=law: law.weight(y) - 0.5,
                lambda y, law=law: law.retrieved(y) - 0.5,
                lambda y, law=law: bound**2 - law.square_error(y),
                lambda y, law=law: np.log(2) - np.exp(y) * (1 - law.retrieved(y)),
            )
            found[:, point] = [_falling(one, most) for one in measures]
        return dict(zip(names, found, strict=True))

    names = {
        "log_mean": "ln of the number of patterns at mean weight 1/2",
        "log_typical": "ln of the number of patterns at median weight 1/2",
        "log_error": f"ln of the number of patterns at a mean square error of ({bound:g})^2 d",
        "log_all": "ln of the number of patterns of which all have weight 1/2, half of the time",
    }
    grid = common_grid(dimension=dimension, sharpness=sharpness, start_overlap=start_overlap)
    title = f"log-sum-exp network, largest numbers of {patterns} patterns at finite d"
    return evaluated(grid, roots, names, title, **_ABOUT)


def fixed_point(dimension, sharpness, patterns="sphere"):
    """The largest number of patterns at which a fixed point next to a pattern exists, about.

        x = y x_1,  y = (1 + w u)/(1 + w),  w = M E e^(kappa y m)/e^(kappa y),  kappa = lambda d
        ln M = ln[(1 - y)/(y - u)] + kappa y - ln E e^(kappa y m) at its maximum next to y = 1

    with u = d ln E e^(kappa y m)/d(kappa y).
    E e^(kappa y m) is as in `log_sum_exp.half_weight`, and e^(lambda^2 y^2 d/2), u = lambda y, for
    Gaussian patterns (of the length |x_1|^2 = d). The others are averaged before the logarithm, and
    what they add across x_1 is left out: annealed, not exact. It is less than one update allows: a
    state that keeps half of the weight is half as long and loses the rest with the next update.

    Args:
        dimension, sharpness, patterns: as for `one_update`.

    Returns:
        xarray.Dataset on the grid (dimension, sharpness) with `log_n_patterns` and `overlap`, y
        there; NaN where the fixed point changes without a jump (small d), and for Gaussian patterns
        with lambda >= 1, whose average is not typical.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes; other patterns.

    Source: derived here. Networks with lambda = 0.7 and d = 12 to 20 lose half of these fixed
    points at 0.7 to 0.9 times this M on the sphere, and at 0.2 to 0.3 times for Gaussian patterns,
    whose lengths fluctuate (`experiments.modern_capacity`).
    """
    _checked(patterns)

    def largest_number(d, sharpness):
        y = np.linspace(0, 1, _STATES + 2)[1:-1]
        kappa = (sharpness * d)[:, None] * y
        size = d[:, None] + 0 * kappa
        if patterns == "sphere":
            log_n, u = _annealed(size, kappa)
        else:
            u = sharpness[:, None] * y
            log_n = np.where(sharpness[:, None] < 1, kappa - size * u**2 / 2, np.nan)
        with np.errstate(divide="ignore", invalid="ignore"):
            number = np.where(y > u, np.log((1 - y) / (y - u)), np.inf) + log_n
        # from y = 1 downwards: the first y that is not surpassed by the next
        falls = number[:, 1:-1] > np.maximum(number[:, :-2], number[:, 2:])
        last = falls.shape[1] - np.argmax(falls[:, ::-1], axis=1)
        best = np.where(falls.any(axis=1), last, 0)
        rows = np.arange(len(d))
        return {
            "log_n_patterns": np.where(best > 0, number[rows, best], np.nan),
            "overlap": np.where(best > 0, y[best], np.nan),
        }

    names = {
        "log_n_patterns": "ln of the number of patterns at which the fixed point is lost, annealed",
        "overlap": "overlap of that fixed point with its pattern",
    }
    grid = common_grid(dimension=dimension, sharpness=sharpness)
    title = f"log-sum-exp network, fixed points next to {patterns} patterns"
    return evaluated(grid, largest_number, names, title, **_ABOUT)


def _annealed(d, kappa):
    """ln M_half and u = d ln E e^(kappa m)/d kappa, on the same arrays."""
    paired = [xr.DataArray(array.ravel(), dims="point") for array in (d, kappa)]
    here = half_weight(*paired).log_n_patterns.values
    # the derivative of E e^(kappa m) is kappa/d times its value in d + 2 dimensions
    beyond = half_weight(paired[0] + 2, paired[1]).log_n_patterns.values
    u = paired[1].values / paired[0].values * np.exp(here - beyond)
    return here.reshape(d.shape), u.reshape(d.shape)


def _falling(function, most):
    """ln M from ln 2 on where a falling function of it is zero.

    NaN if it starts below, inf if it is still above at ln M = `most`.
    """
    low, step = np.log(2.0), 1.0
    if not function(low) > 0:
        return np.nan
    high = low + step
    while function(high) > 0:
        if high > most:
            return np.inf
        low, step = high, 2 * step
        high = low + step
    return brentq(function, low, high, xtol=1e-9)


def _checked(patterns):
    if patterns not in PATTERNS:
        raise ValueError(f"patterns = {patterns!r}: give one of {', '.join(map(repr, PATTERNS))}")


@lru_cache(maxsize=16)  # some MB each
def _law(dimension, sharpness, start_overlap, patterns):
    make = _on_sphere if patterns == "sphere" else _gaussian
    return _Law(dimension, *make(dimension, sharpness, start_overlap))


class _Law:
    """p_1 and the error of one kind of network as functions of ln M, from tables of phi.

    weights (length,): probabilities of the cue's lengths. At each length, on nodes: a and log_law
    (length, node), the exponents and ln of their probabilities; along c and across t, which
    broadcast to that; apart T (length, 1).

    phi(s) = 1 - q G(s) with q = E min(1, e^a) keeps its precision however small q is, as M q is
    what counts. `scaled` is min(1, e^a) times the probability over q.
    """

    def __init__(self, dimension, weights, a, log_law, along, across, apart):
        self.dimension, self.weights, self.apart = dimension, weights, apart
        # far below floats (1 - e^(-s e^a))/e^a is s, and so it is at the smallest of them
        a = np.minimum(a, _LARGEST)
        self.term = np.exp(np.maximum(a, _SMALLEST))
        self.excess = np.exp(np.maximum(a, 0))
        self.small = self.term / self.excess
        log_scaled = log_law + np.minimum(a, 0)
        self.log_q = logsumexp(log_scaled, axis=1, keepdims=True)
        self.q = np.exp(self.log_q)
        self.scaled = np.exp(log_scaled - self.log_q)
        self.along = along
        self.distance = along**2 + across + apart
        self.log_s = np.arange(0.0)
        self.tables = np.empty((4, len(weights), 0))
        self.waves = np.empty((len(weights), 0), complex)
        self.phase = np.exp(-_DAMPING / 2 * self.term).astype(complex)
        self.risen = -np.expm1(-_DAMPING / 2 * self.term) / self.small

    def _lower(self):
        """Tabulates on smaller s: G, and, over q, E[e^a e^(-s e^a)], E[c e^a e^(-s e^a)] and
        E[(c^2 + t + T) e^(2a) e^(-s e^a)]: (4, length, s)."""
        top = self.log_s[0] if self.log_s.size else _LARGEST_LOG_S + _STEP
        log_s = top - _STEP * np.arange(_STEPS, 0, -1)
        tables = np.empty((4, len(self.weights), _STEPS))
        for place, s in enumerate(np.exp(log_s)):
            lost = np.expm1(-s * self.term)
            kept = self.scaled * self.excess * (1 + lost)
            tables[0, :, place] = -(self.scaled / self.small * lost).sum(1)
            tables[1, :, place] = kept.sum(1)
            tables[2, :, place] = (kept * self.along).sum(1)
            tables[3, :, place] = (kept * self.term * self.distance).sum(1)
        self.log_s = np.concatenate([log_s, self.log_s])
        self.tables = np.concatenate([tables, self.tables], axis=2)

    def _reaching(self, log_n):
        """ln s, tables and E e^(-s W), (length, s), down to where that is 1 for this M.

        No further, whatever has been tabulated for others: a result depends on its arguments alone.
        """
        steps = 0
        while True:
            steps += _STEPS
            if self.log_s.size < steps:
                self._lower()
            tables = self.tables[..., -steps:]
            laplace = np.exp(self._log_laplace(log_n, tables[0]))
            if self.weights @ (1 - laplace[:, 0]) < _MISSED:
                return self.log_s[-steps:], tables, laplace

    def _extend(self, terms):
        """G on the line Re s = _DAMPING/2 at steps of pi, up to `terms` of them.

        e^(-s e^a) is a power there, and 1 - e^(-s e^a) the sum of its steps, which keeps precision.
        """
        turn = np.exp(-1j * np.pi * self.term)
        rise = -np.expm1(-1j * np.pi * self.term) / self.small
        more = np.empty((len(self.weights), terms - self.waves.shape[1]), complex)
        for place in range(more.shape[1]):
            more[:, place] = (self.scaled * self.risen).sum(1)
            self.risen = self.risen + self.phase * rise
            self.phase *= turn
        self.waves = np.concatenate([self.waves, more], axis=1)

    def _log_laplace(self, log_n, missing):
        """(M-1) ln phi(s): (length, s)."""
        number = np.exp(_log_others(log_n) + self.log_q)  # (M-1) q
        small = self.q * missing
        phi = 1 - small
        if not np.iscomplexobj(phi):
            phi = np.maximum(phi, _LEAST)  # rounding leaves it below zero where nothing is left
        exact = np.log(np.where(np.abs(phi) > _LEAST, phi, _LEAST)) / self.q
        series = -missing * (1 + small / 2 * (1 + 2 * small / 3 * (1 + 3 * small / 4)))
        return number * np.where(np.abs(small) < 1e-4, series, exact)

    def weight(self, log_n):
        """E p_1."""
        log_s, _, laplace = self._reaching(log_n)
        return self.weights @ laplace @ (_STEP * np.exp(log_s - np.exp(log_s)))

    def square_error(self, log_n):
        """E |f(x) - x_1|^2/d."""
        log_s, (missing, every, along, squares), laplace = self._reaching(log_n)
        phi = np.maximum(1 - self.q * missing, _LEAST)
        one = np.exp(self.log_q + log_s) / phi
        share = np.exp(_log_others(log_n) + self.log_q + log_s) / phi  # of order one, s (M-1) q
        pairs = share * (share - one) * (along**2 + self.apart * every**2)
        inside = share * np.exp(log_s) * squares + pairs
        inside = np.where(laplace > _LEAST, inside, 0) * laplace
        return self.weights @ inside @ (_STEP * np.exp(-np.exp(log_s))) / self.dimension

    def retrieved(self, log_n):
        """P(W < 1), from E e^(-s W) on a line in the complex plane, by a Fourier series."""
        before, terms = np.inf, _FEWEST_TERMS
        while True:
            if self.waves.shape[1] < terms:
                self._extend(terms)
            s = _DAMPING / 2 + 1j * np.pi * np.arange(terms)
            laplace = np.exp(self._log_laplace(log_n, self.waves[:, :terms]))
            each = np.exp(_DAMPING / 2) * (self.weights @ laplace / s).real
            each[0] /= 2
            partial = np.cumsum(each * (-1.0) ** np.arange(terms))[-_EULER - 1 :]
            found = partial @ comb(_EULER, np.arange(_EULER + 1)) / 2.0**_EULER
            if abs(found - before) < _SETTLED or terms >= _MOST_TERMS:
                return float(found)
            before, terms = found, 2 * terms


def _log_others(log_n):
    """ln(M - 1)."""
    with np.errstate(divide="ignore"):
        return log_n + np.log1p(-np.exp(-log_n))


def _on_sphere(d, sharpness, x0):
    """The terms on the sphere: m = tanh z, of density proportional to cosh(z)^(1-d) in z."""
    kappa = sharpness * d
    step = _STEP * min(1 / kappa, 2 / np.sqrt(d))
    left = -(np.log(2) + _FAR / (d - 1))
    right = np.log(2) + (_FAR + kappa) / (d - 1)
    z = np.arange(left, right + step, step)[None]
    log_cosh = np.abs(z) + np.log1p(np.exp(-2 * np.abs(z))) - np.log(2)
    log_norm = gammaln((d - 1) / 2) + np.log(np.pi) / 2 - gammaln(d / 2)
    log_law = (1 - d) * log_cosh + np.log(step) - log_norm
    m = np.tanh(z)
    along, across = np.sqrt(d) * (m - x0), d / np.cosh(z) ** 2
    apart = np.full((1, 1), d * (1 - x0**2))
    return np.ones(1), kappa * (m - x0), log_law, along, across, apart


def _gaussian(d, sharpness, x0):
    """The terms of Gaussian patterns, each |x|^2 = d e^y with density ~ exp(-d (e^y - 1 - y)/2)."""
    low, high = (
        brentq(lambda y: d * (np.expm1(y) - y) / 2 - _OUTER_FAR, *ends)
        for ends in ((-1e3, 0), (0, 60))
    )
    # the relative width of W for |x|^2 = d where E W = e^2
    width = np.exp(min(d * (1.5 * sharpness**2 - sharpness * x0) / 2 - 1, 0.0))
    step = _OUTER_STEP * min(max(width, _NARROWEST) / (sharpness * d), np.sqrt(2 / d))
    y = np.arange(low, high + step, step)
    log_weight = d / 2 * (y - np.exp(y))
    square = d * np.exp(y)[:, None]
    sigma = sharpness * np.sqrt(square)
    edge = np.sqrt(2 * _FAR)
    step = _STEP * min(1 / sigma[-1, 0], 2.0)
    n_nodes = y.size * int((2 * edge + sigma[-1, 0]) / step)
    if n_nodes > _MOST_NODES:
        raise ValueError(
            f"sharpness = {sharpness:g} with dimension = {d} is too sharp for Gaussian patterns: "
            f"{n_nodes:.1e} nodes, at most {_MOST_NODES:.1e}; give a smaller sharpness or dimension"
        )
    z = np.arange(-edge, edge + sigma[-1, 0] + step, step)
    log_law = -(z**2) / 2 + np.log(step / np.sqrt(2 * np.pi))
    along = z - x0 * np.sqrt(square)
    weights = np.exp(log_weight - logsumexp(log_weight))
    return weights, sigma * along, log_law, along, d - 1.0, (1 - x0**2) * square
