"""Continuous networks with log-sum-exp energy, exp(alpha d) random patterns in d dimensions.

E(x) = |x|^2/2 - (1/lambda) ln sum_mu exp(lambda xi^mu . x), update x <- sum_mu p_mu xi^mu with
p = softmax(lambda xi^mu . x): attention with inverse temperature lambda. One pattern's exponent,
lambda d x_0 at overlap x_0 = x . xi/d, stands against the random-energy model of the others,
d phi(alpha); it is retrieved where the former is larger. |x|^2 = d, and the patterns are

- on the sphere |xi|^2 = d: u = 2 lambda/(1 + sqrt(1 + 4 lambda^2)),
  phi = alpha + lambda u + ln(1 - u^2)/2, or lambda sqrt(1 - exp(-2 alpha)), the nearest pattern
  alone, for alpha < -ln(1 - u^2)/2;
- Gaussian, entries of variance 1: phi = alpha + lambda^2/2, or lambda sqrt(2 alpha) for
  alpha < lambda^2/2.

Sources: C. Lucibello, M. Mezard, Phys. Rev. Lett. 132 (2024) 077301 (arXiv:2304.14964); the forms
on the sphere and the threshold of all Gaussian patterns derived here, checked by sampling.
"""

import numpy as np
from scipy.special import gammaln, ive

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import common_grid, evaluated

_LOAD = "ln M/d, exponent of the number M of patterns"
_LARGEST = "ln M/d, largest exponent of the number M of patterns"
_ABOUT = {
    "convention": "p = softmax(lambda xi.x), |x|^2 = d, M = exp(alpha d) patterns",
    "source": "Lucibello, Mezard 2024; sphere and all Gaussian patterns derived here",
}
_UNIFORM = 60.0  # order of the Bessel function from which Debye's expansion is used


def sphere(sharpness, start_overlap=1.0):
    """The load up to which a pattern on the sphere is retrieved in one update.

        alpha = lambda (x_0 - u) - ln(1 - u^2)/2    x_0 > u
        alpha = -ln(1 - x_0^2)/2                    x_0 <= u (the nearest pattern, any lambda)

    At x_0 = 1 this is alpha_1, and it holds for all patterns at once, as u < 1; as a function of
    x_0 it is the basin of attraction.

    Args:
        sharpness: lambda > 0, a number, a 1-D array or a DataArray.
        start_overlap: x_0, likewise, in [-1, 1].

    Returns:
        xarray.Dataset on the grid (sharpness, start_overlap) with `alpha` and `overlap`, u, that of
        the other patterns which weigh most. alpha = 0 for x_0 <= 0.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Lucibello, Mezard 2024, written for the sphere here.
    """

    def loads(sharpness, x):
        u = _dominant(sharpness)
        near = np.clip(np.minimum(x, u), 0, 1)
        alpha = sharpness * np.maximum(x - u, 0) - np.log1p(-(near**2)) / 2
        return {"alpha": np.where(x > 0, alpha, 0.0), "overlap": u}

    names = {"alpha": _LARGEST, "overlap": "overlap of the other patterns that weigh most"}
    grid = common_grid(sharpness=sharpness, start_overlap=start_overlap)
    return evaluated(grid, loads, names, "log-sum-exp network, patterns on the sphere", **_ABOUT)


def gaussian(sharpness, start_overlap=1.0):
    """The load up to which a Gaussian pattern is retrieved in one update.

        alpha = lambda x_0 - lambda^2/2   lambda < x_0;    alpha = x_0^2/2   lambda >= x_0

    Args, Returns, Raises: as `sphere`; the other patterns which weigh most have the overlap
    min(lambda, x_0).

    Source: Lucibello, Mezard 2024 (x_0 = 1).
    """

    def loads(sharpness, x):
        near = np.minimum(sharpness, np.maximum(x, 0))
        return {"alpha": near * np.maximum(x, 0) - near**2 / 2, "overlap": near}

    names = {"alpha": _LARGEST, "overlap": "overlap of the other patterns that weigh most"}
    grid = common_grid(sharpness=sharpness, start_overlap=start_overlap)
    return evaluated(grid, loads, names, "log-sum-exp network, Gaussian patterns", **_ABOUT)


def gaussian_all(sharpness):
    """The load up to which all Gaussian patterns are retrieved, each from itself.

    The smaller of two conditions: the nearest pair, |xi^1|^2 > xi^1 . xi^2 for all pairs, which is
    alpha < ln 2/4; and the pattern of smallest norm r d, alpha < r c with
    (r - 1 - ln r)/2 = alpha and c = lambda - lambda^2/2 (1/2 for lambda >= 1).

    Args:
        sharpness: lambda > 0, a number, a 1-D array or a DataArray.

    Returns:
        xarray.Dataset on the coordinate sharpness with `alpha`, `alpha_pair`, `alpha_norm` and
        `smallest_norm`, r at alpha_norm.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: large deviations, derived here; Lucibello, Mezard 2024 give a lower bound.
    """

    def loads(sharpness):
        c = np.where(sharpness < 1, sharpness - sharpness**2 / 2, 0.5)
        # in ln r: r (1 - 2 c) - 1 - ln r = 0, decreasing
        log_r = roots(
            lambda log_r, c: np.expm1(log_r) - log_r - 2 * c * np.exp(log_r), -1 - 1e-9, 0.0, c
        )
        r = np.exp(log_r)
        pair = np.full_like(c, np.log(2) / 4)
        return {
            "alpha": np.minimum(pair, r * c),
            "alpha_pair": pair,
            "alpha_norm": r * c,
            "smallest_norm": r,
        }

    names = {
        "alpha": _LARGEST,
        "alpha_pair": "ln M/d at which the nearest pair of patterns is lost",
        "alpha_norm": "ln M/d at which the pattern of smallest norm is lost",
        "smallest_norm": "smallest |xi|^2/d at alpha_norm",
    }
    grid = common_grid(sharpness=sharpness)
    title = "log-sum-exp network, all Gaussian patterns"
    return evaluated(grid, loads, names, title, **_ABOUT)


def sphere_noise(alpha, sharpness):
    """phi(alpha), exponent of the weight of all other patterns on the sphere.

    Args:
        alpha: ln M/d, a number, a 1-D array or a DataArray, > 0.
        sharpness: lambda > 0, likewise.

    Returns:
        xarray.Dataset on the grid (alpha, sharpness) with `exponent` phi and `condensed`, 1 where
        the nearest pattern alone makes it.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Lucibello, Mezard 2024, written for the sphere here.
    """

    def noise(alpha, sharpness):
        u = _dominant(sharpness)
        entropy = -np.log1p(-(u**2)) / 2
        near = alpha < entropy
        together = alpha + sharpness * u - entropy
        exponent = np.where(near, sharpness * np.sqrt(-np.expm1(-2 * alpha)), together)
        return {"exponent": exponent, "condensed": near.astype(float)}

    return _noise(alpha, sharpness, noise, "patterns on the sphere")


def gaussian_noise(alpha, sharpness):
    """phi(alpha), exponent of the weight of all other patterns, Gaussian ones.

    Args, Returns, Raises: as `sphere_noise`.

    Source: Lucibello, Mezard 2024.
    """

    def noise(alpha, sharpness):
        near = alpha < sharpness**2 / 2
        alone = sharpness * np.sqrt(2 * alpha)
        exponent = np.where(near, alone, alpha + sharpness**2 / 2)
        return {"exponent": exponent, "condensed": near.astype(float)}

    return _noise(alpha, sharpness, noise, "Gaussian patterns")


def _noise(alpha, sharpness, noise, patterns):
    names = {
        "exponent": "(1/d) ln of the weight of all other patterns",
        "condensed": "whether the nearest pattern alone makes it",
    }
    grid = common_grid({"alpha": _LOAD}, alpha=alpha, sharpness=sharpness)
    return evaluated(grid, noise, names, f"log-sum-exp network, noise of {patterns}", **_ABOUT)


def half_weight(dimension, self_overlap):
    """The number of patterns at which the queried one has half of the weight, at finite d.

        M_half = e^kappa/E e^(kappa m),
        E e^(kappa m) = Gamma(d/2) (2/kappa)^(d/2-1) I_{d/2-1}(kappa)

    for random patterns of one length, kappa = beta |x|^2, averaged over the others before the
    logarithm (annealed). With kappa = lambda d and d -> infinity, ln M_half/d is alpha_1 of
    `sphere`.

    Args:
        dimension: d, a whole number, a 1-D array or a DataArray, >= 2.
        self_overlap: kappa > 0, likewise.

    Returns:
        xarray.Dataset on the grid (dimension, self_overlap) with `log_n_patterns`, ln M_half, and
        `n_patterns` (infinite where it exceeds the range of floats). Relative precision 1e-9.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here; Lucibello, Mezard 2024 for d -> infinity.
    """

    def numbers(dimension, kappa):
        order = dimension / 2 - 1
        log_average = gammaln(dimension / 2) + order * np.log(2 / kappa)
        log_n = -log_average - _log_scaled_bessel(order, kappa)
        with np.errstate(over="ignore"):
            return {"log_n_patterns": log_n, "n_patterns": np.exp(log_n)}

    names = {
        "log_n_patterns": "ln of the number of patterns at half weight",
        "n_patterns": "number of patterns at half weight",
    }
    grid = common_grid(dimension=dimension, self_overlap=self_overlap)
    return evaluated(grid, numbers, names, "log-sum-exp network, half weight", **_ABOUT)


def _dominant(sharpness):
    return 2 * sharpness / (1 + np.sqrt(1 + 4 * sharpness**2))


def _log_scaled_bessel(order, x):
    """ln [e^(-x) I_order(x)], for large orders by Debye's uniform expansion (relative 1e-9)."""
    with np.errstate(divide="ignore"):
        found = np.log(ive(order, x))
    large = order >= _UNIFORM
    nu, z = order[large], x[large] / order[large]
    root = np.sqrt(1 + z**2)
    p = 1 / root
    terms = [
        1.0,
        p * (3 - 5 * p**2) / 24,
        p**2 * (81 - 462 * p**2 + 385 * p**4) / 1152,
        p**3 * (30375 - 369603 * p**2 + 765765 * p**4 - 425425 * p**6) / 414720,
        p**4
        * (4465125 - 94121676 * p**2 + 349922430 * p**4 - 446185740 * p**6 + 185910725 * p**8)
        / 39813120,
    ]
    series = sum(term / nu**power for power, term in enumerate(terms))
    # root - z without cancellation; ln[z/(1 + root)]
    exponent = nu * (1 / (root + z) + np.log(z / (1 + root)))
    found[large] = exponent - np.log(2 * np.pi * nu * root) / 2 + np.log(series)
    return found
