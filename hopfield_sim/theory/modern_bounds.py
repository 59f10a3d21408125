"""Bounds for continuous networks that retrieve by a softmax: separation, one update, capacity.

E(xi) = -lse(beta, X xi) + |xi|^2/2 + const, update xi <- X^T softmax(beta X xi), N patterns x_i in
d dimensions, M = max |x_i|, separation Delta_i = x_i . x_i - max over j != i of x_i . x_j. The
bounds hold for any patterns (the last for random ones on a sphere) and are far from sharp: see
`log_sum_exp` for what random patterns do.

Source: H. Ramsauer et al., Hopfield Networks is All You Need, ICLR 2021 (arXiv:2008.02217).
"""

import numpy as np
from scipy.special import wrightomega

from hopfield_sim.theory.labels import common_grid, evaluated

_ABOUT = {
    "convention": "update xi <- X^T softmax(beta X xi), N patterns, M = max |x_i|",
    "source": "Ramsauer et al. 2021 (arXiv:2008.02217)",
}


def separated(n_patterns, inverse_temperature, largest_norm):
    """The separation from which a pattern has a fixed point of its own.

        Delta >= 2/(beta N) + (1/beta) ln(2 (N - 1) N beta M^2)

    implies a unique fixed point at a distance of at most 1/(beta N M) from the pattern.

    Args:
        n_patterns: N, a whole number, a 1-D array or a DataArray.
        inverse_temperature, largest_norm: beta and M, likewise, > 0.

    Returns:
        xarray.Dataset on the grid (n_patterns, inverse_temperature, largest_norm) with
        `separation` and `radius`, 1/(beta N M). -inf for N = 1: a single pattern needs none.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Ramsauer et al. 2021.
    """

    def bounds(N, beta, M):
        with np.errstate(divide="ignore"):
            separation = 2 / (beta * N) + np.log(2 * (N - 1) * N * beta * M**2) / beta
        return {"separation": separation, "radius": 1 / (beta * N * M)}

    names = {
        "separation": "separation from which a pattern has a fixed point of its own",
        "radius": "distance of the fixed point from the pattern, at most",
    }
    grid = common_grid(
        n_patterns=n_patterns, inverse_temperature=inverse_temperature, largest_norm=largest_norm
    )
    return evaluated(grid, bounds, names, "softmax network, separated patterns", **_ABOUT)


def retrieval_error(n_patterns, inverse_temperature, largest_norm, separation, distance=0.0):
    """Bounds of the error after one update and of the fixed point, for a separated pattern.

        |f(xi) - x_i| <= 2 (N - 1) M exp(-beta (Delta_i - 2 D M)),
                         D = max(|xi - x_i|, |x_i* - x_i|)
        |x_i* - x_i| <= 2 e (N - 1) M exp(-beta Delta_i)

    Args:
        n_patterns, inverse_temperature, largest_norm: as for `separated`.
        separation: Delta_i, a number, a 1-D array or a DataArray.
        distance: D, likewise, >= 0.

    Returns:
        xarray.Dataset on the grid of the five with `one_update` and `fixed_point`; NaN where the
        pattern is not separated in the sense of `separated`, where neither is claimed.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Ramsauer et al. 2021.
    """

    def bounds(N, beta, M, separation, distance):
        with np.errstate(divide="ignore"):
            needed = 2 / (beta * N) + np.log(2 * (N - 1) * N * beta * M**2) / beta
        scale = np.where(separation >= needed, 2 * (N - 1) * M, np.nan)
        return {
            "one_update": scale * np.exp(-beta * (separation - 2 * distance * M)),
            "fixed_point": scale * np.exp(1 - beta * separation),
        }

    names = {
        "one_update": "distance from the pattern after one update, at most",
        "fixed_point": "distance of the fixed point from the pattern, at most",
    }
    grid = common_grid(
        n_patterns=n_patterns,
        inverse_temperature=inverse_temperature,
        largest_norm=largest_norm,
        separation=separation,
        distance=distance,
    )
    return evaluated(grid, bounds, names, "softmax network, error bounds", **_ABOUT)


def capacity(inverse_temperature, radius, dimension, failure):
    """The number of random patterns on a sphere stored with probability 1 - p, at least.

        N >= sqrt(p) c^((d-1)/4),  c = b/W_0(exp(a + ln b)),
        a = (2/(d-1)) [1 + ln(2 beta K^2 p (d-1))],  b = 2 K^2 beta/5

    for patterns of norm K sqrt(d - 1), where c >= (2/sqrt(p))^(4/(d-1)).

    Args:
        inverse_temperature, radius, dimension, failure: beta, K, d and p, numbers, 1-D arrays or
            DataArrays.

    Returns:
        xarray.Dataset on their grid with `c`, `n_patterns` and `least_c`, (2/sqrt(p))^(4/(d-1)).
        n_patterns is NaN where c < least_c, for which the theorem says nothing.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Ramsauer et al. 2021, Theorem 3.
    """

    def bounds(beta, radius, d, p):
        a = 2 / (d - 1) * (1 + np.log(2 * beta * radius**2 * p * (d - 1)))
        b = 2 * radius**2 * beta / 5
        c = b / wrightomega(a + np.log(b))  # W_0(e^y) = omega(y), without overflow
        least = (2 / np.sqrt(p)) ** (4 / (d - 1))
        with np.errstate(over="ignore"):
            number = np.sqrt(p) * np.exp((d - 1) / 4 * np.log(c))
        return {"c": c, "n_patterns": np.where(c >= least, number, np.nan), "least_c": least}

    names = {
        "c": "base of the exponential number of patterns",
        "n_patterns": "number of patterns that can be stored, at least",
        "least_c": "value that c has to have",
    }
    grid = common_grid(
        inverse_temperature=inverse_temperature, radius=radius, dimension=dimension, failure=failure
    )
    return evaluated(grid, bounds, names, "softmax network, capacity bound", **_ABOUT)
