"""The law of the noise at the first update of a dense network: a sum of K - 1 terms eps g(S).

eps are fair signs and S sums of N - 1 of them. With A and Y the signal and the noise in units of
the greatest common divisor of all g, integers, and phi = <cos(theta g)>,

    P(Y > A) + P(Y = A)/2 = 1/2 - (1/2 pi) int_0^pi phi(theta)^(K-1) sin(A theta) cot(theta/2).

The trapezoid rule with M nodes on the period gives the law of Y modulo M: exact where
|Y| < M - A almost surely. phi on these nodes is the Fourier transform of the weights of g modulo M.
"""

from math import comb, gcd
from typing import NamedTuple

import numpy as np
from scipy.fft import next_fast_len, rfft
from scipy.special import gammaln, logsumexp

_WIDTHS = 12.0  # of the noise, beyond the signal, in a period
_FEW_NODES, _MOST_NODES = 2**15, 2**21
_PERIODS = (1.0, 1.4)
_MOST_STEPS = 20_000
_DECAYED = 1e-18
_CHUNK = 1_000_000
_ABSOLUTE, _RELATIVE = 1e-9, 1e-6
_NEGLIGIBLE = 1e-14
_RATES = np.geomspace(1e-2, 1e5, 120)


class Increments(NamedTuple):
    """g at every number k = 0..N-1 of other neurons whose sign is against the pattern."""

    exact: list  # (k,) integers
    values: np.ndarray  # (k,) the same divided by the largest
    weights: np.ndarray  # (k,) binomial
    variance: float  # <values^2>


def increments(n_neurons, interaction, rectified, normalisation):
    """The Increments of F(x) = x^n, max(x, 0)^n, or of the sum over distinct indices."""
    N, n = n_neurons, interaction
    if normalisation == "distinct":
        exact = _elementary(N - 1, n - 1)
    else:
        power = [0 if rectified and x < 0 else x**n for x in range(N, -N - 1, -2)]
        exact = [power[k] - power[k + 1] for k in range(N)]
    largest = max(map(abs, exact)) or 1
    values = np.array([one / largest for one in exact])
    k = np.arange(N)
    log_weights = gammaln(N) - gammaln(k + 1) - gammaln(N - k) - (N - 1) * np.log(2)
    weights = np.exp(log_weights)
    weights /= weights.sum()
    return Increments(exact, values, weights, weights @ values**2)


def _elementary(count, order):
    """The elementary symmetric polynomial of `order` of `count` signs, k of them negative."""
    column = [comb(count, order)] if order <= count else [0]
    # (count - k) e(k+1) = (count - 2 order) e(k) - k e(k-1): the Krawtchouk polynomials
    for k in range(count):
        before = column[k - 1] if k else 0
        column.append(((count - 2 * order) * column[k] - k * before) // (count - k))
    return column


def error_of_sum(field, n_neurons, n_terms, n_against):
    """P(noise > signal) + P(noise = signal)/2, and the difference of two grids.

    Args:
        field: Increments.
        n_terms: K - 1.
        n_against: which k the signal has.

    Raises:
        ArithmeticError: the two grids do not agree.
    """
    signal = field.exact[n_against]
    if signal < 0:
        error, difference = _error(field, n_terms, -signal, -field.values[n_against])
        return 1 - error, difference
    if signal == 0:
        return 0.5, 0.0
    if _bound(field, n_terms, field.values[n_against]) < _NEGLIGIBLE:
        return 0.0, _NEGLIGIBLE
    error, difference = _error(field, n_terms, signal, field.values[n_against])
    if not difference <= _ABSOLUTE + _RELATIVE * error:
        raise ArithmeticError(
            f"the error of {n_neurons} neurons and {n_terms + 1} patterns did not converge: "
            f"{error:.6g}, different by {difference:.1e} on another grid; with so few "
            "patterns use dense_gaussian, or fewer neurons"
        )
    return error, difference


def _bound(field, n_terms, value):
    """Chernoff's bound min over x of exp(-x a) <cosh(x g)>^(K-1) on P(noise >= signal)."""
    if n_terms == 0:
        return 0.0
    some = field.weights > 0
    x = _RATES[:, None] * np.abs(field.values[some])
    log_cosh = x + np.log1p(np.exp(-2 * x)) - np.log(2)
    average = logsumexp(log_cosh + np.log(field.weights[some]), axis=1)
    return np.exp(min((n_terms * average - _RATES * value).min(), 0.0))


def _error(field, n_terms, signal, value):
    unit = signal
    for one in field.exact:
        unit = gcd(unit, one)
    width = np.sqrt(n_terms * field.variance) * (signal / value) / unit
    period = 2 * (signal / unit + _WIDTHS * width) + 2
    longest = period * _PERIODS[-1]
    steps = [one // unit for one in field.exact]

    def periods():
        return [_by_period(steps, field, n_terms, signal // unit, period * p) for p in _PERIODS]

    if longest < _FEW_NODES:
        found = periods()
    else:
        length = 2 * (value + _WIDTHS * np.sqrt(n_terms * field.variance))
        odd = all(one % 2 for one in steps)
        # The parity of Y, where all its steps are odd, against that of A.
        parity = (-1) ** (signal // unit + n_terms) if odd else 0
        spacing = value * unit / signal
        found = [_by_integral(field, n_terms, value, length * p, spacing, parity) for p in _PERIODS]
        if not _agree(found) and longest < _MOST_NODES:
            found = periods()
    return max(found[0], 0.0), abs(found[1] - found[0])


def _agree(found):
    return abs(found[1] - found[0]) <= _ABSOLUTE + _RELATIVE * abs(found[0])


def _by_period(steps, field, n_terms, signal, period):
    nodes = next_fast_len(int(np.ceil(period)), real=True)
    law = np.zeros(nodes)
    np.add.at(law, np.array([one % nodes for one in steps]), field.weights)
    # The law of eps g is symmetric: the cosine transform is the real part.
    power = _power(rfft(law).real, n_terms)
    theta = 2 * np.pi * np.arange(1, power.size) / nodes
    kernel = np.sin(signal * theta) / np.tan(theta / 2)
    terms = power[1:] * kernel
    # Both signs of theta; the node theta = pi, where there is one, counts once (and is zero).
    inside = (2 * signal * power[0] + 2 * terms.sum()) / nodes
    return (1 - inside) / 2


def _by_integral(field, n_terms, signal, length, spacing, parity):
    """The integral around theta = 0, and pi where that repeats it, until phi^(K-1) has decayed."""
    step = 2 * np.pi / length
    kept = field.weights > 1e-40
    values, weights = field.values[kept], field.weights[kept]
    total, first = 0.0, 1
    rows = 64
    while first < _MOST_STEPS:
        u = step * np.arange(first, first + rows)
        # 1 - <cos>, without the rounding that the power n_terms would multiply
        lost = 2 * np.sin(u[:, None] * values / 2) ** 2 @ weights
        with np.errstate(divide="ignore"):
            power = np.exp(n_terms * np.log(np.abs(1 - lost)))
            small = lost < 0.5
            power[small] = np.exp(n_terms * np.log1p(-lost[small]))
        power *= np.where((lost > 1) & (n_terms % 2 == 1), -1, 1)
        half = u * spacing / 2
        with np.errstate(divide="ignore"):
            kernel = spacing / 2 * (1 / np.tan(half) - parity * np.tan(half))
        total += (np.sin(signal * u) * kernel * power).sum()
        if np.abs(power[power.size // 2 :]).max() < _DECAYED:
            break
        first += rows
        rows = min(2 * rows, max(_CHUNK // values.size, 64))
    else:
        return np.nan
    return 0.5 - (step / np.pi) * (total + signal / 2)


def _power(phi, exponent):
    with np.errstate(divide="ignore"):
        size = np.exp(exponent * np.log(np.abs(phi))) if exponent else np.ones_like(phi)
    return np.where((phi < 0) & (exponent % 2 == 1), -size, size)
