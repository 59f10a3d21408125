"""The density of a stored set: its cross-entropy on stored and on held-out patterns.

M patterns on the sphere |x_i|^2 = d are stored as the density

    p(x) = exp(-beta E(x))/Z = (1/M) sum_i (beta/2 pi)^(d/2) exp(-beta |x - x_i|^2/2),
    E(x) = -(1/beta) ln sum_i exp(-beta |x - x_i|^2/2),   ln Z = ln M + (d/2) ln(2 pi/beta)

the Boltzmann weight of one attention layer whose weights go by distance. beta is the sharpness
lambda of `log_sum_exp`. A held-out pattern x of the same law sees n = M patterns, a stored one
itself and n = M - 1 others, at random overlaps m = x.x_i/d: with w = exp(-kappa (1 - m)),
kappa = beta d, and S_n = w_1 + ... + w_n,

    held out:  -<ln p> = ln Z - <ln S_M>
    stored:    -<ln p> = ln Z - <ln (1 + S_{M-1})>

Their difference is the memory of the set: stored patterns are found more probable than others
drawn alike, as long as a pattern's own weight, 1, stands out of the sum S of the others. It is
lost where S = 1, at the number of patterns up to which attention retrieves one (half weight).

Source: derived here. The averages at finite d are exact, checked by sampling; d -> infinity is the
random-energy model of C. Lucibello, M. Mezard, Phys. Rev. Lett. 132 (2024) 077301. That attention
layers have such an energy, and a cross-entropy by its partition function, is the view of X. Niu,
B. Bai, L. Deng, W. Han, arXiv:2405.08707 (2024).
"""

import numpy as np
from scipy.special import logsumexp

from hopfield_sim.theory import log_sum_exp
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import common_grid, dataset, evaluated

_ABOUT = {
    "convention": "p = exp(-beta E)/Z, |x|^2 = d, beta = sharpness; natural logarithms",
    "source": "derived here; d -> infinity: Lucibello, Mezard 2024",
}
_LOAD = "ln M/d, exponent of the number M of patterns"
_CONTRAST = np.log(2)
"""Difference of both cross-entropies that ends the memory: a pattern's own weight is half."""
_STEP = 0.25  # of the logarithm of the transform's argument: errors e^(-pi^2/step) = 1e-17
_AT_ONCE = 2**18  # entries of a table
_ALMOST = 1 - 2.0**-53


def cross_entropy(dimension, n_patterns, sharpness):
    """-<ln p> of held-out and of stored patterns, exactly, at finite d and M.

        <ln S_n>       = integral_0^inf ds/s [e^-s - phi(s)^n]
        <ln (1 + S_n)> = integral_0^inf ds/s e^-s [1 - phi(s)^n]
        phi(s) = <e^(-s w)> over overlaps of density (1 - m^2)^((d-3)/2)

    (Frullani's integral of the logarithm; the average goes inside, where it factorises.)

    Args:
        dimension: d, a whole number, a 1-D array or a DataArray, >= 2.
        n_patterns: M, likewise, >= 1.
        sharpness: beta > 0, likewise.

    Returns:
        xarray.Dataset on the grid (dimension, n_patterns, sharpness), in nats for each pattern:
        `held_out` and `stored`; `memory`, their difference; `label`, <ln (1 + S_{M-1})>, the
        cross-entropy -<ln p_i> of the attention weight that a stored pattern gives to itself;
        `log_partition`, ln Z; `annealed`, that of stored patterns with the average taken inside the
        logarithm (a lower bound, right for large M); `limit`, that of both for M -> infinity, and
        the annealed one of held-out patterns at any M. Absolute precision 1e-10, for M < 1e12.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here.
    """

    def entropies(dimension, n_patterns, sharpness):
        kappa = sharpness * dimension
        noise, own = _log_sums(dimension, n_patterns, n_patterns - 1.0, kappa)
        log_mean = _log_mean(dimension, kappa)
        log_n = np.log(n_patterns)
        log_z = log_n + dimension / 2 * np.log(2 * np.pi / sharpness)
        return {
            "held_out": log_z - noise,
            "stored": log_z - own,
            "memory": own - noise,
            "label": own,
            "log_partition": log_z,
            "annealed": log_z - np.log1p((n_patterns - 1) * np.exp(log_mean)),
            "limit": log_z - log_n - log_mean,
        }

    names = {
        "held_out": "cross-entropy of held-out patterns",
        "stored": "cross-entropy of stored patterns",
        "memory": "cross-entropy of held-out minus that of stored patterns",
        "label": "cross-entropy of the attention of a stored pattern to itself",
        "log_partition": "ln Z",
        "annealed": "cross-entropy of stored patterns, annealed",
        "limit": "cross-entropy for M -> infinity",
    }
    grid = common_grid(dimension=dimension, n_patterns=n_patterns, sharpness=sharpness)
    return evaluated(grid, entropies, names, "density of a stored set", **_ABOUT)


def large_dimension(alpha, sharpness):
    """-<ln p>/d for d -> infinity at M = exp(alpha d).

        held out:  ln(2 pi/beta)/2 + alpha + beta - phi(alpha)
        stored:    ln(2 pi/beta)/2 + alpha + beta - max[beta, phi(alpha)]

    phi is the random-energy exponent of `log_sum_exp.sphere_noise`: below its condensation the
    nearest pattern alone makes the density at a held-out point. The two separate at alpha_1 of
    `log_sum_exp.sphere`; above it both are the same and do not depend on alpha.

    Args:
        alpha: ln M/d > 0, a number, a 1-D array or a DataArray.
        sharpness: beta > 0, likewise.

    Returns:
        xarray.Dataset on the grid (alpha, sharpness), in nats for each pattern and dimension, with
        `held_out`, `stored`, `memory` (their difference) and `condensed`, 1 where one pattern
        dominates at a held-out point.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here from Lucibello, Mezard 2024.
    """
    alpha, sharpness = common_grid({"alpha": _LOAD}, alpha=alpha, sharpness=sharpness)
    noise = log_sum_exp.sphere_noise(alpha, sharpness)
    phi = noise.exponent.values
    free = (np.log(2 * np.pi / sharpness) / 2 + sharpness + alpha).transpose(*noise.exponent.dims)
    beta = sharpness.broadcast_like(noise.exponent).transpose(*noise.exponent.dims).values
    variables = {
        "held_out": (free.values - phi, "cross-entropy of held-out patterns over d"),
        "stored": (free.values - np.maximum(beta, phi), "cross-entropy of stored patterns over d"),
        "memory": (np.maximum(beta - phi, 0), "difference of both cross-entropies over d"),
        "condensed": (noise.condensed.values, "whether one pattern makes the density held out"),
    }
    title = "density of a stored set, infinite dimension"
    return dataset([alpha, sharpness], variables, title, **_ABOUT)


def memorised(dimension, sharpness):
    """The number of patterns up to which a stored set tells stored from held-out ones by ln 2.

    memory(M) = <ln (1 + S_{M-1})> - <ln S_M> = ln 2: one pattern's own weight doubles the sum. With
    averages inside the logarithms this is M_half of `log_sum_exp.half_weight`, with d -> infinity
    alpha_1 of `log_sum_exp.sphere`.

    Args:
        dimension: d, a whole number, a 1-D array or a DataArray, >= 2.
        sharpness: beta > 0, likewise.

    Returns:
        xarray.Dataset on the grid (dimension, sharpness) with `log_n_patterns`, ln M, and `alpha`,
        ln M/d; `log_half_weight`, ln M_half. The former are NaN where beta d <= ln 2, as even one
        pattern is told from others by less, and where M_half > e^600 nears the largest float.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here.
    """

    def numbers(dimension, sharpness):
        kappa = sharpness * dimension
        log_half = -_log_mean(dimension, kappa)
        found = np.full(kappa.shape, np.nan)
        some = (kappa > _CONTRAST) & (log_half < 600)

        def excess(log_n, dimension, kappa):
            n_patterns = np.exp(log_n)
            noise, own = _log_sums(dimension, n_patterns, np.expm1(log_n), kappa)
            return own - noise - _CONTRAST

        # one pattern is told from others by kappa; at e^3 M_half some 0.05 is left
        if some.any():
            lower, upper = np.zeros(some.sum()), log_half[some] + 3
            found[some] = roots(excess, lower, upper, dimension[some], kappa[some])
        return {
            "log_n_patterns": found,
            "alpha": found / dimension,
            "log_half_weight": log_half,
        }

    names = {
        "log_n_patterns": "ln of the number of patterns that are memorised",
        "alpha": "ln M/d of the number of patterns that are memorised",
        "log_half_weight": "ln of the number of patterns at half weight, annealed",
    }
    grid = common_grid(dimension=dimension, sharpness=sharpness)
    return evaluated(grid, numbers, names, "density of a stored set, memorised patterns", **_ABOUT)


def pairs_that_count(dimension, sharpness):
    """<w>^2/<w^2>, the share of the pairs of patterns that makes the mean weight.

    So many pairs of random patterns, times their number, are needed before a sum of weights is near
    its mean and its error normal: what a simulation must have.

    Args:
        dimension: d, a whole number, a 1-D array or a DataArray, >= 2.
        sharpness: beta > 0, likewise.

    Returns:
        xarray.DataArray on the grid (dimension, sharpness).

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here.
    """

    def share(dimension, sharpness):
        kappa = sharpness * dimension
        return {"share": np.exp(2 * _log_mean(dimension, kappa) - _log_mean(dimension, 2 * kappa))}

    names = {"share": "share of the pairs of patterns that makes the mean weight"}
    grid = common_grid(dimension=dimension, sharpness=sharpness)
    return evaluated(grid, share, names, "density of a stored set, pairs", **_ABOUT).share


def _log_mean(dimension, kappa):
    """ln <w> = -ln M_half, for flat arrays."""
    if not kappa.size:
        return np.empty(0)
    import xarray as xr

    place = [xr.DataArray(values, dims="point") for values in (dimension, kappa)]
    return -log_sum_exp.half_weight(*place).log_n_patterns.values


def _log_sums(dimension, n_held_out, n_stored, kappa):
    """<ln S_n> at n_held_out and <ln (1 + S_n)> at n_stored, for flat arrays; n may be real."""
    points = zip(*map(np.atleast_1d, (dimension, n_held_out, n_stored, kappa)), strict=True)
    found = np.array([_log_sum(*point) for point in points])
    return found.reshape(-1, 2).T


def _log_sum(dimension, n_held_out, n_stored, kappa):
    """Trapezoidal sums over ln s and over t, m = tanh t: both converge exponentially.

    The density of t is cosh(t)^(1-d), analytic for |Im t| < pi/2; exp(-s w) grows beyond
    |Im t| = pi/(2 kappa): steps of 0.25/kappa leave e^(-pi^2/0.25).
    """
    log_n = np.log(max(n_held_out, 1.0))
    step = 0.25 / max(1.0, np.sqrt(dimension) / 2.5, kappa)
    longest = np.log(2) + (45 + log_n) / (dimension - 1)
    t = step * np.arange(-np.ceil(longest / step), np.ceil(longest / step) + 1)
    log_cosh = np.abs(t) + np.log1p(np.exp(-2 * np.abs(t))) - np.log(2)
    share = np.exp((1 - dimension) * log_cosh)
    share /= share.sum()
    apart = kappa * (1 - np.tanh(t))
    # at the lower end s n is 1e-17; at the upper one even S = e^(-2 kappa) makes phi vanish
    log_s = np.arange(-40 - log_n, 2 * kappa + 5, _STEP)
    missing = np.zeros(len(log_s))  # 1 - phi(s), at most s <w>: below e^-40/n it is nothing
    first = np.searchsorted(log_s, -40 - log_n - logsumexp(-apart, b=share))
    many = max(1, _AT_ONCE // len(t))
    for row in range(first, len(log_s), many):
        rows = slice(row, row + many)
        with np.errstate(over="ignore"):
            missing[rows] = -np.expm1(-np.exp(log_s[rows, None] - apart)) @ share
        if log_s[row] > 4 and -n_held_out * np.log1p(-min(missing[row], _ALMOST)) > 36:
            missing[row:] = 1  # phi^n is below 1e-15 from here on
            break
    with np.errstate(divide="ignore"):
        log_phi = np.log1p(-np.minimum(missing, 1))
    decay = np.exp(-np.exp(np.minimum(log_s, 700)))
    noise = _STEP * (decay - np.exp(n_held_out * log_phi)).sum()
    own = 0.0 if n_stored == 0 else _STEP * (decay * -np.expm1(n_stored * log_phi)).sum()
    return noise, own
