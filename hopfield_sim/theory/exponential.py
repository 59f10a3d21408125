"""Binary networks with exponential separation function: thresholds of the number of patterns.

E = -sum_mu exp(lambda S_mu), S_mu = sum_i xi_i^mu s_i, random +-1 patterns, K = exp(alpha N):
here alpha is ln K/N. One update of neuron i from overlap x_0 with pattern 1: the signal is
exp(lambda N x_0), the noise a sum of K terms eps exp(lambda S) with fair signs. Its size is that
of a random-energy model at twice the exponent,

    (1/N) ln |noise| = max( lambda x_alpha, [alpha + ln cosh 2 lambda]/2 ),  I(x_alpha) = alpha,
    I(x) = [(1 + x) ln(1 + x) + (1 - x) ln(1 - x)]/2,

the first, the single nearest pattern, for alpha < I(tanh 2 lambda), and the second, the standard
deviation, above it. Valid for N -> infinity; finite networks differ by O(ln N/N) in alpha.

Sources: M. Demircigil, J. Heusel, M. Loewe, S. Upgang, F. Vermet, J. Stat. Phys. 168 (2017) 288
(arXiv:1702.01929), proven for lambda = 1 and all patterns; B. Derrida, Phys. Rev. B 24 (1981) 2613
(random energies). The typical thresholds derived here, checked by sampling.
"""

import numpy as np
from scipy.special import xlog1py

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import common_grid, evaluated

_LOAD = "ln K/N, largest exponent of the number of patterns"
_CONVENTION = "E = -sum_mu exp(lambda sum_i xi_i^mu s_i); alpha = ln K/N"
_TYPICAL = "derived here from the random-energy model, checked by sampling"


def typical(start_overlap, sharpness=1.0):
    """The load up to which a typical pattern's neurons are corrected in one update.

        alpha = I(x_0)                                x_0 <= tanh 2 lambda
        alpha = 2 lambda x_0 - ln cosh 2 lambda       above it;   0 for x_0 <= 0

    Args:
        start_overlap: x_0, the overlap with the pattern, a number, a 1-D array or a DataArray, in
            [-1, 1].
        sharpness: lambda > 0, likewise.

    Returns:
        xarray.Dataset on the grid (start_overlap, sharpness) with `alpha` = ln K/N and
        `condensed`, 1 where the nearest of the other patterns is the first to disturb and 0 where
        all together are.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here; random energies: Derrida 1981.
    """

    def loads(x, sharpness):
        near = x <= np.tanh(2 * sharpness)
        alpha = np.where(near, rate(x), 2 * sharpness * x - _log_cosh(2 * sharpness))
        return {"alpha": np.where(x > 0, alpha, 0.0), "condensed": near.astype(float)}

    names = {"alpha": _LOAD, "condensed": "whether one other pattern, the nearest, disturbs first"}
    grid = common_grid(start_overlap=start_overlap, sharpness=sharpness)
    about = {"convention": _CONVENTION, "source": _TYPICAL}
    title = "exponential network, typical pattern"
    return evaluated(grid, loads, names, title, **about)


def worst_case(start_overlap, sharpness=1.0):
    """The load up to which all patterns are corrected in one update: no pair comes too close.

        alpha = I(x_0)/2, or the typical threshold where that is smaller (small lambda)

    At lambda = 1 the theorem of Demircigil et al., with x_0 = 1 - 2 rho, and ln 2/2 at x_0 = 1:
    the factor 2 against `typical` is the number of pairs.

    Args, Raises: as `typical`.

    Returns:
        xarray.Dataset on the grid (start_overlap, sharpness) with `alpha` = ln K/N.

    Source: Demircigil et al. 2017 (lambda = 1); other lambda derived here.
    """

    def loads(x, sharpness):
        together = 2 * sharpness * x - _log_cosh(2 * sharpness)
        # Where x_0 <= tanh 2 lambda the typical threshold is I(x_0).
        together = np.where(x <= np.tanh(2 * sharpness), np.inf, together)
        return {"alpha": np.where(x > 0, np.minimum(rate(x) / 2, together), 0.0)}

    grid = common_grid(start_overlap=start_overlap, sharpness=sharpness)
    about = {
        "convention": _CONVENTION,
        "source": "Demircigil et al. 2017; lambda != 1 derived here",
    }
    return evaluated(grid, loads, {"alpha": _LOAD}, "exponential network, all patterns", **about)


def noise_exponent(alpha, sharpness=1.0):
    """(1/N) ln of the noise of exp(alpha N) patterns on a neuron: see the page.

    Args:
        alpha: ln K/N, a number, a 1-D array or a DataArray, > 0.
        sharpness: lambda > 0, likewise.

    Returns:
        xarray.Dataset on the grid (alpha, sharpness) with `exponent` and `overlap`, that of the
        patterns which make the noise: x_alpha of the nearest one, or tanh 2 lambda.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here; random energies: Derrida 1981.
    """

    def noise(alpha, sharpness):
        peak = np.tanh(2 * sharpness)
        overlap = peak.copy()
        near = np.flatnonzero(alpha < rate(peak))
        overlap[near] = roots(lambda x, alpha: rate(x) - alpha, 0.0, 1.0, alpha[near])
        exponent = (alpha + _log_cosh(2 * sharpness)) / 2
        exponent[near] = (sharpness * overlap)[near]
        return {"exponent": exponent, "overlap": overlap}

    names = {
        "exponent": "(1/N) ln of the noise on a neuron",
        "overlap": "overlap of the patterns that make the noise",
    }
    loads = {"alpha": "ln K/N, exponent of the number of patterns"}
    grid = common_grid(loads, alpha=alpha, sharpness=sharpness)
    about = {"convention": _CONVENTION, "source": _TYPICAL}
    return evaluated(grid, noise, names, "exponential network, noise", **about)


def rate(x):
    """I(x), minus the exponent of the fraction of states with overlap x; array in [-1, 1]."""
    return (xlog1py(1 + x, x) + xlog1py(1 - x, -x)) / 2


def _log_cosh(x):
    return x + np.log1p(np.exp(-2 * x)) - np.log(2)
