"""A bag pooled by softmax, from the distribution of single scores: no bag is drawn.

A bag holds n instances with independent scores s_i, one of them, in a positive bag, that of a
*witness*; the pooled score and the weight of the witness (instance 1) are

    S = sum_i p_i s_i,   p_1,   with p_i = e^{beta s_i} / sum_j e^{beta s_j}.

Everything follows from the distributions of a single score of the witness and of the others, given
as the share of each cell of one regular grid (uniform inside a cell): of measured scores, or of a
Gaussian.

* S > t is sum_i Y_i > 0 with Y = (s - t) e^{beta s}, a sum of independent numbers, so with their
  characteristic functions (Gil-Pelaez, Biometrika 38 (1951) 481)
      P(S > t) = 1/2 + (1/pi) int_0^inf Im[phi_1(u) phi(u)^(n-1)] du/u.
* 1/(1 + X) = int_0^inf e^{-v (1 + X)} dv with X = sum_{i>1} e^{beta (s_i - s_1)} gives
      <p_1> = < int_0^inf e^{-v} L(v e^{-beta s_1})^(n-1) dv >,   L(y) = <exp(-y e^{beta s})>.

Derived here, and checked against drawn bags (`tests/test_attention_pooling.py`).
"""

from __future__ import annotations

import functools

import numpy as np
from scipy import special

WIDTH = 0.1  # of a cell, where the others' scores have a standard deviation near 1
EDGES = WIDTH * np.arange(-60, 101)  # scores outside are counted in the last cells
CENTRES = (EDGES[1:] + EDGES[:-1]) / 2
_THRESHOLDS = np.arange(30, 120)  # cells in which S of a negative bag can lie, -3 to 6
_OF_V = 0.2  # step of ln v
_FINE = 20  # points between two thresholds, over which probits are interpolated


def shares(scores: np.ndarray) -> np.ndarray:
    """The share of scores (score,) in each cell of `EDGES`: (cell,)."""
    inside = np.clip(scores, CENTRES[0], CENTRES[-1])
    return np.histogram(inside, EDGES)[0] / len(inside)


def gaussian(mean: float, deviation: float) -> np.ndarray:
    """The share of a normal distribution in each cell of `EDGES`: (cell,)."""
    below = special.ndtr((EDGES - mean) / deviation)
    below[[0, -1]] = 0, 1
    return np.diff(below)


def area(others: np.ndarray, witness: np.ndarray, bag_size, beta: float) -> np.ndarray:
    """P(S of a positive bag > S of a negative one), the area under the ROC curve: (bag_size,).

    others, witness: shares of the cells (cell,). bag_size: n (bag_size,), whole numbers of at
    least 2. beta: >= 0; infinity is the largest score of the bag.
    """
    bag_size = np.atleast_1d(bag_size)[:, None]
    if np.isinf(beta):
        below = [np.r_[0, np.cumsum(mass)] for mass in (others, witness)]
        fine = np.linspace(0, len(EDGES) - 1, _FINE * (len(EDGES) - 1) + 1)
        some, one = (np.interp(fine, np.arange(len(EDGES)), each) for each in below)
        return _area(1 - some**bag_size, 1 - some ** (bag_size - 1) * one)
    phi, phi_1 = (_characteristic(mass, beta) for mass in (others, witness))
    power = phi ** (bag_size[..., None] - 1)
    step = _step(beta)
    above = [0.5 + step / np.pi * (power * last).imag.sum(axis=1) for last in (phi, phi_1)]
    fine = np.linspace(0, above[0].shape[1] - 1, _FINE * (above[0].shape[1] - 1) + 1)
    # nearly straight lines where S is nearly normal, however narrow it is
    probits = [special.ndtri(np.clip(each, 1e-12, 1 - 1e-12)) for each in above]
    low = np.floor(fine).astype(int).clip(max=above[0].shape[1] - 2)
    smooth = [
        special.ndtr(each[:, low] + (fine - low) * (each[:, low + 1] - each[:, low]))
        for each in probits
    ]
    return _area(*smooth)


def witness_weight(others: np.ndarray, witness: np.ndarray, bag_size, beta: float) -> np.ndarray:
    """<p_1>, the mean weight of the witness of a positive bag: (bag_size,).

    Arguments as `area`; at infinite beta it is the probability that the witness has the largest
    score.
    """
    bag_size = np.atleast_1d(bag_size)
    if np.isinf(beta):
        below = np.r_[0, np.cumsum(others)]
        fine = below[:-1, None] + np.diff(below)[:, None] * (np.arange(_FINE) + 0.5) / _FINE
        return np.array([witness @ (fine ** (n - 1)).mean(axis=1) for n in bag_size])
    log_v = np.arange(-30, 4, _OF_V)
    log_y = log_v[:, None] - beta * CENTRES
    # L on a finer grid of ln y than any step of it, then read off
    grid = np.arange(log_y.min() - 1, log_y.max() + 1, 0.05)
    transform = np.exp(-np.exp(np.minimum(grid[:, None] + beta * CENTRES, 50))) @ others
    values = np.interp(log_y, grid, transform)
    weight = _OF_V * np.exp(log_v - np.exp(log_v))
    return np.array([weight @ values ** (n - 1) @ witness for n in bag_size])


def annealed_beta(separation: float, bag_size: float) -> float:
    """beta at which the witness holds half of the weight: ln n = beta D - beta^2/2, n large.

    e^{beta D} = n <e^{beta s}> for a witness D standard deviations above n normal scores; the
    smaller root, which lies below the freezing of the others at sqrt(2 ln n). NaN where
    D < sqrt(2 ln n): the largest of the others then has a higher score at any beta.
    """
    left = separation**2 - 2 * np.log(bag_size)
    return separation - left**0.5 if left >= 0 else np.nan


def _step(beta: float) -> float:
    """Of ln u. Against ten times finer ones: areas to 3e-4 for n from 4 to 128, beta up to 8."""
    return 0.1 if beta >= 1 else 0.03


def _characteristic(mass: np.ndarray, beta: float) -> np.ndarray:
    """<exp(i u Y)> of one score, (log u, threshold)."""
    real, imaginary = _phases(beta)
    n_rows = real.shape[1]
    columns = np.zeros((n_rows, len(_THRESHOLDS)), np.float32)
    for j, t in enumerate(_THRESHOLDS):  # a score in cell c is at r = c - t
        columns[len(mass) - 1 - t : 2 * len(mass) - 1 - t, j] = mass
    return real @ columns + 1j * (imaginary @ columns)


@functools.lru_cache(maxsize=40)
def _phases(beta: float) -> tuple[np.ndarray, np.ndarray]:
    """Real and imaginary part of exp(i u r e^{beta r}), the mean over each cell: (log u, r).

    With r = s - t, u Y = (u e^{beta t}) r e^{beta r}: on a regular grid one table serves all
    thresholds t, if u stands for u e^{beta t}.
    """
    r = WIDTH * np.arange(1 - len(CENTRES), len(CENTRES))
    low, high = r - WIDTH / 2, r + WIDTH / 2
    spread = high * np.exp(beta * high) - low * np.exp(beta * low)
    lowest, highest = CENTRES[_THRESHOLDS[[0, -1]]]
    # from where even those of n scores vanish, to where those of all above the lowest t are fast
    first = -beta * (CENTRES[-1] - lowest) - np.log(1e7)
    last = beta * (highest - lowest) + np.log(1e3)
    u = np.exp(np.arange(first, last, _step(beta)))[:, None]
    # inside a cell phases are linear in s, and their mean is damped
    phase, damped = u * r * np.exp(beta * r), np.sinc(u * spread / (2 * np.pi))
    return tuple((damped * f(phase)).astype(np.float32) for f in (np.cos, np.sin))


def _area(above_negative, above_positive):
    """-int P(S+ > t) dP(S- > t), by the trapezoidal rule over the last axis."""
    falls = above_negative[:, :-1] - above_negative[:, 1:]
    return (falls * (above_positive[:, :-1] + above_positive[:, 1:]) / 2).sum(axis=1)
