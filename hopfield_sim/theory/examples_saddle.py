"""The saddle point of a network that has learned from examples, on plain arrays.

Unit here: couplings normalised by G^(P/2), so that with n = E zeta tanh(h/T) <= 1 the signal is
a = n^(P-1). The field is h = zeta a + b z (see `examples_averages`) and the width of the noise

    b^2 = A q^(P-1)                                                  P >= 3
    b^2 = alpha q K/(1 - C)^2,  K = 1 + extra [(1 - C)/(1 - l C)]^2     P = 2

with C = beta E sech^2 and, for the supervised rule, A = alpha (P-1)!, extra = 0; for the
unsupervised one A = alpha (P-1)! [r^2P + (1 - r^2P)/M]/G^P, l = rho/(1 + rho) the other M - 1
eigenvalues of the examples' correlation matrix (the first is 1) and extra = (M - 1) l^2.

At a fixed temperature the solutions of n = E zeta tanh(h/T) are a curve in the plane (a, b): its
right side decreases with b, so there is exactly one b for every a. The load follows on each
of its points, so every solution at a given load is a crossing of the function

    R = b/q^((P-1)/2) = sqrt(A)   or   R = b (1 - C)/sqrt(q K) = sqrt(alpha)

along the curve, and spinodals are its maxima; with few examples there are several, because sites of
different |e| are lost one after the other. The slope along the curve, towards smaller a, is

    S = R_a D_b - R_b D_a,   D = ln n(a, b) - ln a/(P-1) = 0

(indices: a d/da and b d/db). How the curve is run through:

- by the relative noise x = b/a at P = 2 or T = 0, where one solution belongs to every x: at P = 2
  because n(a) at fixed x is concave (as for patterns, `hopfield_saddle`), at T = 0 explicitly,
  n = E zeta erf(zeta/(x sqrt 2));
- for P >= 3 at T > 0 by x from 0 up on the side of larger n, by n downwards past the largest x
  that has solutions, and by x down to 0 again on the side of smaller n. Both solutions at given x
  are limits of Newton's method for ln n, from above and from below, where ln n(ln a) is concave
  (it is for every term tanh(u a) of the average; for the average it is checked over the range of
  r and M in the tests, and each solution by its residual).

At a given load a solution is a minimum of the free energy over n, with the noise following, where

    longitudinal = 1 - d ln E zeta tanh/d ln n = (P-1) S/R_b > 0;

it vanishes on the spinodal.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy.special import gamma

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.examples_averages import (
    binomial_averages,
    class_averages,
    gaussian_averages,
)

# Where the curve changes from x to n as its parameter: there neither is saturated.
_TURN = 0.5
_LEAST_NOISE, _NOISES = 2e-4, 48
_NEWTON_STEPS = 200
# Closer to the highest temperature than this the differences that decide drown in rounding.
_CRITICAL = 1e-6


@dataclass(frozen=True, eq=False)
class Systems:
    """Temperatures and data sets, arrays (system,); 0 for r and M where only rho is known."""

    temperature: np.ndarray
    interaction: np.ndarray
    dataset_entropy: np.ndarray  # rho
    quality: np.ndarray
    n_examples: np.ndarray
    supervised: bool
    binomial: bool

    @cached_property
    def second(self):
        """l = rho/(1 + rho), the small eigenvalues of the examples' correlation matrix."""
        return self.dataset_entropy / (1 + self.dataset_entropy)

    @cached_property
    def extra(self):
        """(M - 1) l^2 of the unsupervised rule, 0 of the supervised one."""
        if self.supervised:
            return np.zeros_like(self.temperature)
        return (self.n_examples - 1) * self.second**2

    @cached_property
    def data_sets(self):
        """Which of the distinct pairs (r, M) each system has (system,), and these (data set, 2)."""
        pairs = np.stack([self.quality, self.n_examples], axis=1)
        distinct, which = np.unique(pairs, axis=0, return_inverse=True)
        return which.ravel(), distinct

    @cached_property
    def noise(self):
        """A/alpha: the variance of the cross-talk of a frozen state, per load; P >= 3."""
        P = self.interaction
        if self.supervised:
            return gamma(P)
        known = (1 / (1 + self.dataset_entropy)) ** P  # (r^2/G)^P
        single = (1 / (self.quality**2 * (1 + self.dataset_entropy))) ** P
        return gamma(P) * (known + (single - known) / self.n_examples)

    def averages(self, at, a, b, temperature=None):
        """`Averages` of the systems at (point,) at signal a and noise b (point,)."""
        T = self.temperature[at] if temperature is None else np.full(at.size, temperature)
        if self.binomial:
            which, data_sets = self.data_sets
            return binomial_averages(a, b, T, which[at], data_sets)
        return gaussian_averages(a, b, T, self.dataset_entropy[at])

    def root_load(self, alpha):
        """What R is at the load alpha (system,)."""
        return np.sqrt(np.where(self.interaction == 2, 1, self.noise) * alpha)

    def load(self, root, at):
        """The load of the systems at (point,) where R = root (point,)."""
        return root**2 / np.where(self.interaction == 2, 1, self.noise)[at]

    def undecided(self, at):
        """P(e = 0), the fraction of sites without a field, of the systems at (point,)."""
        if not self.binomial:
            return np.zeros(at.size)
        found = np.zeros(at.size)
        for place, system in enumerate(at):
            zeta, total, _ = class_averages(self.quality[system], self.n_examples[system])
            found[place] = total[zeta == 0].sum()
        return found

    def chosen(self, at):
        """The Systems of these indices."""
        arrays = (
            self.temperature,
            self.interaction,
            self.dataset_entropy,
            self.quality,
            self.n_examples,
        )
        return Systems(*(values[at] for values in arrays), self.supervised, self.binomial)


class Points(NamedTuple):
    """Points on the curves of some systems, arrays (point,)."""

    a: np.ndarray
    b: np.ndarray
    root: np.ndarray  # R; negative where C > 1, where no load has it
    slope: np.ndarray  # S, dR along the curve towards smaller a, up to a positive factor
    jacobian: np.ndarray  # (point, 2, 2), of (D, ln |R|) by (ln a, ln b)
    error: np.ndarray  # n(a, b) - a^(1/(P-1))
    longitudinal: np.ndarray


def on_curve(systems, at, a, b):
    """`Points` of the systems at (point,), anywhere in the plane (a, b)."""
    power = systems.interaction[at] - 1
    average = systems.averages(at, a, b)
    q, C = average.q, average.C
    with np.errstate(divide="ignore", over="ignore"):
        dense = b / q ** (power / 2)
    dense_a = -power / 2 * average.q_a / q
    dense_b = 1 - power / 2 * average.q_b / q
    extra, second = systems.extra[at], systems.second[at]
    free = 1 - C
    # Beyond C = 1, where there is no solution, K stays at 1: R is continuous there.
    ratio = np.where(free > 0, free / np.where(free > 0, 1 - second * C, 1), 0)
    K = 1 + extra * ratio**2
    K_C = np.where(
        free > 0, -2 * extra * ratio * (1 - second) / (1 - second * np.minimum(C, 1)) ** 2, 0
    )
    root_qK = np.sqrt(q * K)
    pair = b * free / root_qK
    safe = np.where(b > 0, b, 1)
    C_a, C_b = average.bC_a / safe, (average.bC_b - b * C) / safe
    pair_a = -average.bC_a / root_qK - pair * (average.q_a / q + K_C * C_a / K) / 2
    pair_b = (b - average.bC_b) / root_qK - pair * (average.q_b / q + K_C * C_b / K) / 2
    two = power == 1
    root = np.where(two, pair, dense)
    root_a, root_b = np.where(two, pair_a, dense * dense_a), np.where(two, pair_b, dense * dense_b)
    D_a, D_b = average.n_a / average.n - 1 / power, average.n_b / average.n
    safe = np.where(root == 0, 1, root)
    jacobian = np.stack([D_a, D_b, root_a / safe, root_b / safe], axis=-1).reshape(-1, 2, 2)
    error = np.log(average.n) - np.log(a) / power
    slope = root_a * D_b - root_b * D_a
    with np.errstate(divide="ignore", invalid="ignore"):
        longitudinal = power * slope / root_b
    return Points(a, b, root, slope, jacobian, error, longitudinal)


def frozen_overlap(systems, at, x):
    """n (point,) at T = 0 and relative noise x (point,), the largest of any temperature."""
    return systems.averages(at, np.ones_like(x), np.maximum(x, 1e-30), temperature=0.0).n


def signal_at_noise(systems, at, x, larger=True):
    """The a (point,) that solves n = E zeta tanh at relative noise x = b/a (point,).

    larger: of the two solutions for P >= 3 at T > 0 the one of larger n, or the other one.

    Raises:
        ArithmeticError: Newton's method did not get there.
    """
    power = systems.interaction[at] - 1
    T = systems.temperature[at]
    if larger:
        logarithm = np.log(frozen_overlap(systems, at, x))
        open_ = np.flatnonzero(T > 0)
    else:
        # n <= a/T with E zeta^2 = 1, so n = T^(1/(P-2)) is below the solution.
        logarithm = np.log(T) / (power - 1)
        open_ = np.arange(at.size)
    for _ in range(_NEWTON_STEPS):
        if not open_.size:
            return np.exp(power * logarithm)
        a = np.exp(power[open_] * logarithm[open_])
        average = systems.averages(at[open_], a, x[open_] * a)
        error = logarithm[open_] - np.log(average.n)
        step = error / (1 - power[open_] * (average.n_a + average.n_b) / average.n)
        logarithm[open_] -= step
        # Coming from one side, a step that turns back is rounding.
        back = step < 0 if larger else step > 0
        # The error that a step leaves is of the order of its square.
        done = (np.abs(step) <= 1e-10) | (back & (np.abs(error) * average.n < 1e-13))
        open_ = open_[~done]
    worst = open_[0]
    raise ArithmeticError(
        f"no overlap found at temperature {T[worst]:.17g} and relative noise {x[worst]:.17g}"
    )


def noise_at_overlap(systems, at, n):
    """b (point,) at given n (point,), between the overlaps of the two noiseless solutions."""
    a = n ** (systems.interaction[at] - 1)

    def excess(x, at, n, a):
        at = at.astype(int)
        return systems.averages(at, a, x * a).n - n

    # n <= E zeta erf(zeta/(x sqrt 2)) <= sqrt(2/pi)/x, with E zeta^2 = 1
    return a * roots(excess, 0.0, 1.001 * np.sqrt(2 / np.pi) / n, at, n, a)


def steepest(systems, at, x):
    """The signal w = a/T (point,) at which T is largest for given x, P >= 3, and this T."""
    power = systems.interaction[at] - 1

    def elasticity(logarithm, at, x):
        at = at.astype(int)
        w = np.exp(logarithm)
        average = systems.averages(at, w, w * x, temperature=1.0)
        return (average.n_a + average.n_b) / average.n - 1 / (systems.interaction[at] - 1)

    # ln n(ln w) has slope 1 for small w, 0 for large w.
    scale = np.log(1 + x)
    w = np.exp(roots(elasticity, np.log(1e-2 / power) - scale, np.log(1e3 * power), at, x))
    n = systems.averages(at, w, w * x, temperature=1.0).n
    return w, n**power / w


def highest_temperature(systems):
    """Where the last retrieval solution without noise ends (system,): 1 at P = 2."""
    highest = np.ones_like(systems.temperature)
    at = np.flatnonzero(systems.interaction > 2)
    highest[at] = steepest(systems, at, np.zeros(at.size))[1]
    return highest


class Curves:
    """The curves of some systems, run through by one parameter p > 0 from largest to smallest n.

    `noise_only` systems (P = 2 or T = 0): x = p, without end. The others, up to p = 3, where the
    noise ends: x = first p; from p = 1 to 2 ln n linear in p; x = last (3 - p).

    Args:
        systems: `Systems`; those that are `alive` have solutions at all.
    """

    def __init__(self, systems):
        self.systems = systems
        T = systems.temperature
        self.highest = highest_temperature(systems)
        self.alive = T <= self.highest * (1 - _CRITICAL)
        self.noise_only = (systems.interaction == 2) | (T == 0)
        self.first, self.last = np.ones((2, T.size))
        self.upper, self.lower = np.full((2, T.size), np.nan)  # ln n at p = 1 and p = 2
        at = np.flatnonzero(self.alive & ~self.noise_only)
        if at.size:
            self._turns(at)

    def _turns(self, at):
        systems = self.systems
        T, power = systems.temperature[at], systems.interaction[at] - 1

        # The largest x that has solutions, from below, up to a step of this grid: beyond its end
        # there is none, as n <= min(a/T, sqrt(2/pi)/x) makes T <= n^(P-2) <= x^(2-P).
        x = np.geomspace(_LEAST_NOISE, T ** (-1 / (power - 1)), _NOISES, axis=-1)
        highest = steepest(systems, np.repeat(at, _NOISES), x.ravel())[1].reshape(x.shape)
        solved = np.maximum((highest > T[:, None]).sum(axis=1) - 1, 0)
        largest = x[np.arange(at.size), solved]
        self.first[at], self.last[at] = np.minimum(largest / 2, _TURN), largest / 1.2
        self.upper[at] = np.log(signal_at_noise(systems, at, self.first[at])) / power
        self.lower[at] = np.log(signal_at_noise(systems, at, self.last[at], larger=False)) / power

    def points(self, p, at):
        """`Points` at the parameters p (point,) of the curves at (point,)."""
        systems = self.systems
        a, b = np.empty((2, p.size))
        first = self.noise_only[at] | (p <= 1)
        last = ~first & (p >= 2)
        for here, larger in ((first, True), (last, False)):
            one = np.flatnonzero(here)
            where = at[one]
            x = self.first[where] * p[one] if larger else self.last[where] * (3 - p[one])
            a[one] = signal_at_noise(systems, where, x, larger)
            b[one] = x * a[one]
        two = np.flatnonzero(~first & ~last)
        where = at[two]
        fraction = p[two] - 1
        n = np.exp(self.upper[where] + fraction * (self.lower[where] - self.upper[where]))
        a[two] = n ** (systems.interaction[where] - 1)
        b[two] = noise_at_overlap(systems, where, n)
        return on_curve(systems, at, a, b)
