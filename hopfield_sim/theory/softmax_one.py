"""Softmax_1: attention with a memory at zero, for queries that match one stored pattern or none.

    w_mu = exp(z_mu)/(1 + sum_nu exp(z_nu)),   z_mu = kappa (m_mu - t),   output = sum_mu w_mu xi^mu

for random patterns of one length, m_mu the overlap of xi^mu with the query (the cosine) and
kappa = beta |xi||query|. The threshold t is what a common component of all keys does (keys
(xi, -c), queries (x, c) with c^2 = t |xi||x|) or a bias: it drops out of softmax, not of Softmax_1.
At t = 0, as published, the memory at zero is one among M + 1, and random patterns beat it.

Sources: J. Y.-C. Hu et al. 2024 (arXiv:2404.03828) for Softmax_1; everything else derived here,
checked by sampling.
"""

from functools import cache

import numpy as np

from hopfield_sim.theory import log_sum_exp
from hopfield_sim.theory.labels import common_grid, evaluated

_THRESHOLD = {"threshold": "threshold t of the overlap"}
_CONVENTION = "z = kappa (m - t), kappa = beta |xi||query|, random patterns of one length"
_ABOUT = {"convention": _CONVENTION, "source": "Softmax_1 of Hu et al. 2024; derived here"}
_LOST = 42.0  # what is smaller by exp(-42) is below the rounding of floats
_AT_ONCE = 2**21  # entries of a block of the double integral, some 16 MB


def off_memory(n_patterns, dimension, self_overlap, threshold=0.0):
    """What a query that matches nothing retrieves: means over M random patterns, exact at finite d.

    With x = exp(y + kappa (m - t)) and L(y) = E exp(-x), E over one overlap m of density
    (1 - m^2)^((d-3)/2), as 1/S^(k+1) = int ds s^k exp(-s S)/k! and s = exp(y),

        E sum_mu w_mu     = M int dy exp(-a e^y) E[x e^-x] L^(M-1)
        E output.query    = M int dy exp(-a e^y) E[m x e^-x] L^(M-1)       in |xi||query|
        E |output|^2      = int dy exp(-a e^y) {M E[x^2 e^-x] L^(M-1)
                                                + M (M-1) E[m x e^-x]^2 L^(M-2)}   in |xi|^2

    with a = 1 for Softmax_1 and a = 0 for softmax, whose weights sum to one and which has no t.

    Args:
        n_patterns: M, a whole number, a 1-D array or a DataArray, >= 1.
        dimension: d, likewise, >= 2.
        self_overlap: kappa > 0, likewise.
        threshold: t, likewise.

    Returns:
        xarray.Dataset on the grid (n_patterns, dimension, self_overlap, threshold) with `weight`,
        `overlap`, `square` of Softmax_1 and `softmax_overlap`, `softmax_square` of softmax.
        Absolute precision 1e-11.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here, checked by sampling.
    """
    names = {
        "weight": "sum of the weights, Softmax_1",
        "overlap": "output . query over |xi||query|, Softmax_1",
        "square": "|output|^2 over |xi|^2, Softmax_1",
        "softmax_overlap": "output . query over |xi||query|, softmax",
        "softmax_square": "|output|^2 over |xi|^2, softmax",
    }

    def means(*given):
        rows, softmax = [], cache(_means)  # the same for all t
        for number, d, kappa, t in zip(*given, strict=True):
            one = _means(number, d, kappa, t, rest=1.0)
            soft = softmax(number, d, kappa, 0.0, rest=0.0)
            rows.append((one[0], one[2], one[3], soft[2], soft[3]))
        return _columns(names, rows)

    grid = common_grid(
        _THRESHOLD,
        n_patterns=n_patterns,
        dimension=dimension,
        self_overlap=self_overlap,
        threshold=threshold,
    )
    return evaluated(grid, means, names, "queries that match nothing", **_ABOUT)


def stored(n_patterns, dimension, self_overlap, start_overlap=1.0, threshold=0.0):
    """What a query near a stored pattern retrieves, exact at finite d.

    As `off_memory` with M - 1 random patterns and one at the overlap x_0 with the query, whose
    x is exp(y + kappa (x_0 - t)).

    Args:
        n_patterns: M, with that pattern, a whole number, a 1-D array or a DataArray, >= 1.
        dimension: d, likewise, >= 2.
        self_overlap: kappa > 0, likewise.
        start_overlap: x_0, likewise, in [-1, 1].
        threshold: t, likewise.

    Returns:
        xarray.Dataset on the grid (n_patterns, dimension, self_overlap, start_overlap, threshold)
        with `weight`, `own_weight`, that of the pattern, and `overlap`, output . pattern over
        |xi|^2, of Softmax_1, and `softmax_own_weight`, `softmax_overlap` of softmax. Absolute
        precision 1e-11.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here, checked by sampling.
    """
    names = {
        "weight": "sum of the weights, Softmax_1",
        "own_weight": "weight of the stored pattern, Softmax_1",
        "overlap": "output . pattern over |xi|^2, Softmax_1",
        "softmax_own_weight": "weight of the stored pattern, softmax",
        "softmax_overlap": "output . pattern over |xi|^2, softmax",
    }

    def means(*given):
        rows, softmax = [], cache(_means)  # the same for all t
        for number, d, kappa, x_0, t in zip(*given, strict=True):
            one = _means(number - 1, d, kappa, t, rest=1.0, start_overlap=x_0)
            soft = softmax(number - 1, d, kappa, 0.0, rest=0.0, start_overlap=x_0)
            own = (each[1] + x_0 * each[2] for each in (one, soft))
            rows.append((one[0], one[1], next(own), soft[1], next(own)))
        return _columns(names, rows)

    grid = common_grid(
        _THRESHOLD,
        n_patterns=n_patterns,
        dimension=dimension,
        self_overlap=self_overlap,
        start_overlap=start_overlap,
        threshold=threshold,
    )
    return evaluated(grid, means, names, "queries near a stored pattern", **_ABOUT)


def boundary(alpha, sharpness):
    """The threshold above which a query that matches nothing retrieves nothing, M = exp(alpha d).

        t = phi(alpha, lambda)/lambda,   d phi = ln sum_mu exp(lambda d m_mu)

    phi is that of `log_sum_exp.sphere_noise`: zero memory, of exponent 0, against the random-energy
    model of the patterns, of exponent d (phi - lambda t). As phi > 0 for every load, the boundary
    is positive: at t = 0 a query of any length (|query|^2 = rho d has lambda sqrt(rho) in place of
    lambda) gives all of its weight to the patterns. A pattern at the overlap x_0 > t with the query
    is retrieved where x_0 > phi/lambda, as by softmax: thresholds between phi/lambda and x_0 tell
    the two apart.

    Args:
        alpha: ln M/d, a number, a 1-D array or a DataArray, > 0.
        sharpness: lambda > 0, likewise; kappa = lambda d.

    Returns:
        xarray.Dataset on the grid (alpha, sharpness) with `threshold`.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here from the exponents of C. Lucibello, M. Mezard 2024.
    """

    def thresholds(alpha, sharpness):
        noise = [
            float(log_sum_exp.sphere_noise(*pair).exponent)
            for pair in zip(alpha, sharpness, strict=True)
        ]
        return {"threshold": np.array(noise) / sharpness}

    names = {"threshold": "smallest threshold at which nothing is retrieved"}
    load = {"alpha": "ln M/d, exponent of the number M of patterns"}
    grid = common_grid(load, alpha=alpha, sharpness=sharpness)
    return evaluated(grid, thresholds, names, "boundary of the memory at zero", **_ABOUT)


def sink(dimension, threshold, n_active=1):
    """The outlier that softmax needs for what a threshold does in Softmax_1.

        entry = sqrt(t d/k),   kurtosis = (d + k) (3/(d+2) + t^2/k)/(1 + t)^2

    Softmax ignores a threshold; the same weights need a further key, the sink, with value zero and
    kappa t as its exponent. Queries and sink then share k features of their own, of rms size b and
    c with b c k = t d (in units of the rms entry of the d others): the largest entry is least for
    b = c. The kurtosis, mean x^4/(mean x^2)^2 over all entries, is that of queries |x|^2 = d of
    random direction with these features. Without sink it is 3 d/(d + 2). The outlier is a matter of
    basis: spread over k ~ d features it is none.

    Args:
        dimension: d, a whole number, a 1-D array or a DataArray, >= 2.
        threshold: t, likewise; NaN below 0.
        n_active: k, likewise, >= 1.

    Returns:
        xarray.Dataset on the grid (dimension, threshold, n_active) with `entry` and `kurtosis`.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here, checked by sampling.
    """

    def outliers(d, t, k):
        t = np.where(t < 0, np.nan, t)
        return {
            "entry": np.sqrt(t * d / k),
            "kurtosis": (d + k) * (3 / (d + 2) + t**2 / k) / (1 + t) ** 2,
        }

    names = {
        "entry": "entry of the sink's features, in units of the rms entry of the others",
        "kurtosis": "kurtosis of the entries of the queries",
    }
    long_names = {**_THRESHOLD, "n_active": "number k of features that carry the sink"}
    grid = common_grid(long_names, dimension=dimension, threshold=threshold, n_active=n_active)
    return evaluated(grid, outliers, names, "sink of softmax", **_ABOUT)


def _columns(names, rows):
    return dict(zip(names, np.array(rows, float).reshape(-1, len(names)).T, strict=True))


def _means(number, dimension, kappa, threshold, rest, start_overlap=None):
    """Sum of weights, own weight, overlap of the random part with the query, and |output|^2.

    number: of random patterns; rest: the a of `off_memory`; start_overlap: of one pattern more, or
    None (|output|^2 is without it). The overlap and |output|^2 are in |xi||query| and |xi|^2.
    """
    number = float(number)  # its square is beyond integers
    m, p = _overlaps(dimension, kappa, number)
    z = kappa * (m - threshold)
    own = -np.inf if start_overlap is None else kappa * (start_overlap - threshold)
    most = max(z[-1], own)
    first = -_LOST - np.log(number + 1) - max(most, 0.0)
    # above: exp(-e^y), or every x is large
    last = np.log(_LOST) - (0.0 if rest else min(z[0], own if np.isfinite(own) else z[0]))
    y = np.arange(first, last + 0.25, 0.25)  # half-width pi/2 of analyticity: error exp(-39)
    total = np.zeros(4)
    for rows in np.array_split(y, -(-y.size * z.size // _AT_ONCE)):
        x = np.exp(np.minimum(rows[:, None] + z, 7.0))  # exp(-e^7) is zero
        decay = np.exp(-x)
        away = -np.expm1(-x) @ p
        # ln L, whichever way it is precise; finite, as it may stand beside a power of zero
        log_kept = np.log1p(-np.minimum(away, 0.5))
        log_kept = np.where(away < 0.5, log_kept, np.log(np.maximum(decay @ p, 1e-300)))
        x_0 = np.exp(np.minimum(rows + own, 7.0))
        weight = 0.25 * np.exp(-rest * np.exp(rows) - x_0)
        all_others, all_but_one, all_but_two = (
            weight * np.exp(max(number - k, 0) * log_kept) for k in range(3)
        )
        once = (x * decay) @ p
        along = (x * decay) @ (p * m)
        twice = (x**2 * decay) @ p
        own_weight = (all_others * x_0).sum()
        total += (
            own_weight + number * (all_but_one * once).sum(),
            own_weight,
            number * (all_but_one * along).sum(),
            number * (all_but_one * twice).sum()
            + number * (number - 1) * (all_but_two * along**2).sum(),
        )
    return total


def _overlaps(dimension, kappa, number):
    """Overlaps m of a random direction and their probabilities: nodes of a trapezium rule.

    m = tanh v has the density cosh(v)^(1-d), analytic around the real axis, in which exp(-x) is
    bounded for |Im kappa m| < pi/2: steps small against both have an error of exp(-36).
    """
    step = min(0.27 / kappa, 0.6 / np.sqrt(dimension), 0.25)
    lost = _LOST + np.log(number + 1)
    # where (d - 1) ln cosh v, at least (d - 1)(|v| - ln 2), has used up all that exp(kappa m) gives
    edge = (lost + 2 * kappa) / (dimension - 1)
    edge = edge + np.log1p(np.sqrt(-np.expm1(-2 * edge)))
    v = step * np.arange(-np.ceil(edge / step), np.ceil(edge / step) + 1)
    m = np.tanh(v)
    log_p = -(dimension - 1) * (np.logaddexp(v, -v) - np.log(2))
    log_p -= np.log(np.exp(log_p).sum())
    tilted = log_p + kappa * m
    counts = (log_p > -lost) | (tilted > tilted.max() - _LOST)
    return m[counts], np.exp(log_p[counts])
