"""Averages over the sites of a network that has learned from examples, on plain arrays.

The class average of M examples of quality r, seen along its archetype, is e = (2k - M)/M with k
binomial, Bin(M, (1 + r)/2). A site of this e has the field

    h = zeta a + b z,   zeta = e/sqrt(G),   G = r^2 + (1 - r^2)/M = r^2 (1 + rho),   E zeta^2 = 1

with z Gaussian, a the signal and b the width of the noise. E is the average over zeta and z.

- *binomial*: the sum over all values of e. Values +-e are taken together. Where the noise is much
  wider than the distance of neighbouring values, every s-th value is enough: the error is
  exp(-2 pi^2 w^2/D^2) for a distance D and a function of width w, and D <= 0.45 w is kept, where
  w is the width of the product of the binomial weights with the response of a site.
- *gaussian*: zeta of mean 1/sqrt(1 + rho) and variance tau^2 = rho/(1 + rho), for large M. Then
  h is Gaussian with width B = sqrt(b^2 + tau^2 a^2), and E zeta F(h) = mean E F + tau^2 a E F'.
"""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.quadrature import thermal_averages

_FINENESS = 0.45
# Binomial weights further than this from the mode are nothing: below 1e-19 of the largest.
_WINDOW = (10, 40)  # standard deviations, plus steps
_NOTHING = 1e-19


class Averages(NamedTuple):
    """Averages over zeta and z; _a stands for a times the derivative by a, _b likewise."""

    m: np.ndarray  # E tanh(h/T)
    n: np.ndarray  # E zeta tanh(h/T)
    q: np.ndarray  # E tanh^2(h/T)
    C: np.ndarray  # beta E sech^2(h/T)
    n_a: np.ndarray
    n_b: np.ndarray
    q_a: np.ndarray
    q_b: np.ndarray
    bC_a: np.ndarray  # of b C = E z tanh(h/T), which is finite where C is not
    bC_b: np.ndarray
    entropy: np.ndarray  # of the spins in their fields
    sech_fourth: np.ndarray  # beta E sech^4(h/T)


@lru_cache(maxsize=256)
def class_averages(quality, n_examples, stride=1):
    """Values zeta >= 0 (state,), and the sum and the difference of the weights of +-zeta.

    Args:
        quality, n_examples: r and M, numbers.
        stride: take every stride-th value of k only.

    Returns:
        zeta, total, excess: arrays (state,); total sums to 1, zeta @ excess = r/sqrt(G).
    """
    M, p = int(n_examples), (1 + quality) / 2
    mode = min(int((M + 1) * p), M)
    reach = int(_WINDOW[0] * np.sqrt(M * p * (1 - p))) + _WINDOW[1]
    low, high = max(mode - reach, 0), min(mode + reach, M)
    if quality == 1:
        low = high = M
    k = np.arange(low, high + 1)
    # p_(k+1)/p_k, summed from the lowest k on: no factorials, no overflow.
    ratio = (M - k[:-1]) / (k[:-1] + 1.0) * (p / (1 - p) if quality < 1 else 1)
    logarithm = np.concatenate([[0.0], np.cumsum(np.log(ratio))])
    weights = np.exp(logarithm - logarithm.max())
    chosen = ((k - mode) % stride == 0) & (weights > _NOTHING)
    aligned, weights = (2 * k - M)[chosen], weights[chosen] / weights[chosen].sum()
    size, place = np.unique(np.abs(aligned), return_inverse=True)
    total = np.bincount(place, weights)
    excess = np.bincount(place, weights * np.sign(aligned))
    return size / np.sqrt((M * quality) ** 2 + M * (1 - quality**2)), total, excess


def stride_exponents(relative_noise, quality, n_examples):
    """How many neighbouring values of k may be replaced by one: this power of two (point,).

    Args:
        relative_noise: b/a (point,).
        quality, n_examples: r and M (point,).
    """
    M = n_examples
    variance = M * (1 - quality**2)
    distance = 2 / np.sqrt((M * quality) ** 2 + variance)
    spread = distance * np.sqrt(variance) / 2
    width = spread * relative_noise / np.maximum(np.hypot(spread, relative_noise), 1e-300)
    return np.floor(np.log2(np.maximum(_FINENESS * width / distance, 1))).astype(int)


def binomial_averages(a, b, temperature, which, data_sets):
    """Averages over the exact class averages.

    Args:
        a, b, temperature: (point,), a > 0, and b > 0 where the temperature is zero.
        which: indices of data sets (point,).
        data_sets: r and M (data set, 2).
    """
    found = np.empty((len(Averages._fields), a.size))
    exponent = stride_exponents(b / a, *data_sets[which].T)
    kind = 64 * which + exponent
    for value in np.flatnonzero(np.bincount(kind)):
        points = np.flatnonzero(kind == value)
        states = class_averages(*data_sets[value // 64], 2 ** (int(value) % 64))
        found[:, points] = _over_states(a[points], b[points], temperature[points], *states)
    return Averages(*found)


def _over_states(a, b, temperature, zeta, total, excess):
    field = thermal_averages(a[:, None] * zeta, b[:, None], temperature[:, None])
    signal = total * zeta
    return (
        field.tanh @ excess,
        field.tanh @ signal,
        field.tanh_squared @ total,
        field.slope @ total,
        a * (field.slope @ (signal * zeta)),
        b * (field.slope_z @ signal),
        a * (field.square_mean @ signal),
        b * (field.square_width @ total),
        a * (field.slope_z @ signal),
        b * (field.slope_zz @ total),
        field.entropy @ total,
        field.sech_fourth @ total,
    )


def gaussian_averages(a, b, temperature, dataset_entropy):
    """Averages over Gaussian class averages; all (point,), a > 0, b > 0 where T = 0.

    dataset_entropy: rho = (1 - r^2)/(M r^2).
    """
    mean = 1 / np.sqrt(1 + dataset_entropy)
    variance = dataset_entropy / (1 + dataset_entropy)
    width = np.sqrt(b**2 + variance * a**2)
    field = thermal_averages(mean * a, width, temperature)
    safe = np.where(width > 0, width, 1)
    # The slope's derivatives: slope_z/width by the mean, (slope_zz - slope)/width by the width.
    along_a = (mean * a, variance * a**2 / safe)
    along_b = (0.0, b**2 / safe)

    def moved(by_mean, by_width, along):
        return along[0] * by_mean + along[1] * by_width

    def moved_slope(along):
        return moved(field.slope_z / safe, (field.slope_zz - field.slope) / safe, along)

    slope_a, slope_b = moved_slope(along_a), moved_slope(along_b)
    return Averages(
        m=field.tanh,
        n=mean * field.tanh + variance * a * field.slope,
        q=field.tanh_squared,
        C=field.slope,
        n_a=mean * moved(field.slope, field.slope_z, along_a)
        + variance * a * (field.slope + slope_a),
        n_b=mean * moved(field.slope, field.slope_z, along_b) + variance * a * slope_b,
        q_a=moved(field.square_mean, field.square_width, along_a),
        q_b=moved(field.square_mean, field.square_width, along_b),
        bC_a=b * slope_a,
        bC_b=b * (field.slope + slope_b),
        entropy=field.entropy,
        sech_fourth=field.sech_fourth,
    )
