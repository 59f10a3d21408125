"""Averages over two levels of Gaussian fields: the states of a group, and the groups.

One step of replica symmetry breaking puts a neuron into the field h = m + A z0 + S z1: z0 tells
the group of states (a standard Gaussian), z1 the state within it, weighted with
(2 cosh(h/T))^x. In units of S, with

    u = (m + A z0)/S,   kappa = x S/T,   tau = T/S,   y = m/A,   s = S/A,

`state_averages` gives the average <.> over z1 at fixed u, `group_averages` that over z0 of its
results, E. Nodes are constant in number, so there is no resolution to choose:

- z1, tau <= 1: with tau = 0 the weight is exp(kappa |h|) and everything a closed form
  (`quadrature.sign_averages`). What is left at tau > 0 lies within h/T < 20 of h = 0 and is
  integrated there by 48 Gauss-Legendre nodes on each side of the kink.
- z1, tau > 1: the kink of tanh is wider than the Gaussian; trapezoid rule in z1, step 0.25.
- z0: the results vary over the width W = sqrt(S^2 + T^2) of h. For W < A/2 what is not the
  constant of large |h| is summed over |h| < 9 S + 18 T in 200 steps, of 0.09 S at T = 0 and
  never more than 0.21 W; for W >= A/2 everything over z0 in [-9, 9], step 1/8 <= W/(4 A).

These keep the errors below 1e-11 of the largest value for kappa <= LARGEST_RATE, which holds at
every solution; more is refused, because it makes the weight vary faster than the nodes are close.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import erf

from hopfield_sim.theory.quadrature import sign_averages

LARGEST_RATE = 1.2
_GAUSS = 1 / np.sqrt(2 * np.pi)

# Nodes v = |h|/T beside the kink; beyond 20 all that is left is exp(-40).
_KINK, _KINK_WEIGHT = np.polynomial.legendre.leggauss(48)
_KINK, _KINK_WEIGHT = 10 * (_KINK + 1), 10 * _KINK_WEIGHT
_KINK_DECAY = np.exp(-2 * _KINK)
_KINK_SECH_SQUARED = 4 * _KINK_DECAY / (1 + _KINK_DECAY) ** 2
_KINK_TANH = (1 - _KINK_DECAY) / (1 + _KINK_DECAY)
_KINK_LOG = np.log1p(_KINK_DECAY)  # ln 2cosh v - v

_STATE = 0.25 * np.arange(-36, 37)
_STATE_WEIGHT = np.exp(-(_STATE**2) / 2)
_STATE_WEIGHT /= _STATE_WEIGHT.sum()

_FIELD = np.linspace(-1, 1, 201)
_GROUP = 0.125 * np.arange(-72, 73)
_GROUP_WEIGHT = np.exp(-(_GROUP**2) / 2)
_GROUP_WEIGHT /= _GROUP_WEIGHT.sum()
# Points evaluated together where there are two node axes, or one: arrays then stay in the cache,
# and below the 128 kB from which the C library asks the system for fresh memory each time.
_WARM_CHUNK, _SHARP_CHUNK = 1, 64


class StateAverages(NamedTuple):
    """Averages over the states of a group, at given fields of the group."""

    tanh: np.ndarray  # <tanh(h/T)>
    variance: np.ndarray  # <tanh^2> - <tanh>^2
    slope: np.ndarray  # (S/T) <sech^2>
    information: np.ndarray  # <ln rho>, rho the weight divided by its average
    entropy: np.ndarray  # <ln 2cosh - (h/T) tanh>, of a spin in its field
    sech_fourth: np.ndarray  # (S/T) <sech^4>


class GroupAverages(NamedTuple):
    """Averages over states and groups, arrays (point,)."""

    m: np.ndarray  # E <tanh>
    q0: np.ndarray  # E <tanh>^2
    apart: np.ndarray  # 1 - q0
    spread: np.ndarray  # q1 - q0 = E [<tanh^2> - <tanh>^2]
    slope: np.ndarray  # (S/T) E <sech^2> = S C
    excess: np.ndarray  # E [kappa^2 <tanh^2>/2 - <ln rho>]
    entropy: np.ndarray  # E <ln 2cosh - (h/T) tanh>
    sech_fourth: np.ndarray  # (S/T) E <sech^4>
    response: np.ndarray  # E (d<tanh>/du)^2


def state_averages(u, kappa, tau):
    """StateAverages, arrays (point, field).

    Args:
        u: field of the group in units of S, (point, field).
        kappa, tau: (point,); 0 < kappa <= 1.2, tau >= 0.

    Raises:
        ValueError: kappa outside its range: the nodes would not resolve the weight.
    """
    if not np.all((kappa > 0) & (kappa <= LARGEST_RATE)):
        raise ValueError(f"x S/T = {np.max(kappa):g} is not in (0, {LARGEST_RATE}]")
    found = np.empty((len(StateAverages._fields), *u.shape))
    narrow = (tau > 0) & (tau <= 1)
    for where, evaluate in ((tau == 0, _sharp), (narrow, _kinked), (tau > 1, _broad)):
        points = np.flatnonzero(where)
        if points.size:
            found[:, points] = evaluate(u[points], kappa[points, None], tau[points, None])
    return StateAverages(*found)


def _sharp(u, kappa, tau):
    average = sign_averages(u, 1.0, kappa)
    zero = np.zeros_like(u)
    return (
        average.sign,
        1 - average.sign**2,
        2 * average.density,
        kappa * average.size - average.log_weight,
        zero,
        4 / 3 * average.density,
    )


def _kinked(u, kappa, tau):
    """The closed form at tau = 0 and what the finite width of the kink changes."""
    average = sign_averages(u, 1.0, kappa)
    x = kappa * tau
    towards, away = (
        _KINK_WEIGHT
        * _GAUSS
        * np.exp(
            -((tau[..., None] * _KINK - side * u[..., None]) ** 2) / 2
            + (x[..., None] * _KINK - average.log_weight[..., None])
        )
        for side in (1, -1)
    )
    even, odd = towards + away, towards - away
    log_change = x[..., None] * _KINK_LOG
    change = np.exp(log_change)
    weight = 1 + tau * (even * np.expm1(log_change)).sum(-1)
    tanh = (average.sign + tau * (odd * (change * _KINK_TANH - 1)).sum(-1)) / weight
    size = average.size + tau**2 * (even * (change * (_KINK + _KINK_LOG) - _KINK)).sum(-1)
    even *= change
    slope = even @ _KINK_SECH_SQUARED / weight
    return (
        tanh,
        1 - tau * slope - tanh**2,
        slope,
        kappa * size / weight - average.log_weight - np.log(weight),
        tau * (even @ (_KINK_LOG + _KINK * (1 - _KINK_TANH))) / weight,
        even @ _KINK_SECH_SQUARED**2 / weight,
    )


def _broad(u, kappa, tau):
    v = (u[..., None] + _STATE) / tau[..., None]
    size = np.abs(v)
    decay = np.exp(-2 * size)
    log_cosh = size + np.log1p(decay)  # and ln 2
    # (2 cosh v)^x / 2^x >= 1, and its logarithm is below x |v| <= kappa (|u| + 9): no overflow.
    log_weight = (kappa * tau)[..., None] * (log_cosh - np.log(2))
    log_mean = np.log1p(np.expm1(log_weight) @ _STATE_WEIGHT)
    log_density = log_weight - log_mean[..., None]
    weight = _STATE_WEIGHT * np.exp(log_density)
    tanh = np.sign(v) * (1 - decay) / (1 + decay)
    sech_squared = 4 * decay / (1 + decay) ** 2
    mean = (weight * tanh).sum(-1)
    return (
        mean,
        (weight * (tanh - mean[..., None]) ** 2).sum(-1),
        (weight * sech_squared).sum(-1) / tau,
        _information(log_density) @ _STATE_WEIGHT,
        (weight * (log_cosh - v * tanh)).sum(-1),
        (weight * sech_squared**2).sum(-1) / tau,
    )


def _information(log_density):
    """rho ln rho - rho + 1 >= 0, whose average is <ln rho>, without cancellation near rho = 1."""
    # With l = ln rho it is e^l (l - 1) + 1 = sum_n l^n (n - 1)/n!.
    small = np.abs(log_density) < 0.1
    near = np.where(small, log_density, 0)
    series = np.zeros_like(near)
    coefficient = 1 / 3628800
    for n in range(10, 1, -1):
        series = series * near + coefficient * (n - 1)
        coefficient *= n
    far = np.expm1(log_density) * (log_density - 1) + log_density
    return np.where(small, near**2 * series, far)


def group_averages(signal, spread, kappa, warmth):
    """GroupAverages, arrays (point,).

    Args:
        signal: y = m/A >= 0, (point,).
        spread: s = S/A > 0, (point,).
        kappa: x S/T, (point,).
        warmth: T/A >= 0, (point,).

    Raises:
        ValueError: as `state_averages`.
    """
    found = np.empty((len(GroupAverages._fields), signal.size))
    broad = np.hypot(spread, warmth) >= 0.5
    chunk_size = _WARM_CHUNK if np.any(warmth > 0) else _SHARP_CHUNK
    for where, evaluate in ((broad, _over_groups), (~broad, _over_kink)):
        points = np.flatnonzero(where)
        for start in range(0, points.size, chunk_size):
            chunk = points[start : start + chunk_size]
            found[:, chunk] = evaluate(
                *(values[chunk] for values in (signal, spread, kappa, warmth))
            )
    return GroupAverages(*found)


def ungrouped_averages(kappa, tau):
    """GroupAverages (point,) of groups without a field, m = q0 = 0 and A = 0.

    Args:
        kappa, tau: (point,).

    Raises:
        ValueError: as `state_averages`.
    """
    states = state_averages(np.zeros((kappa.size, 1)), kappa, tau)
    zero = np.zeros(kappa.size)
    return GroupAverages(zero, zero, *(values[:, 0] for values in _integrands(states, kappa)))


def _over_groups(signal, spread, kappa, warmth):
    states = state_averages((signal[:, None] + _GROUP) / spread[:, None], kappa, warmth / spread)
    integrands = (states.tanh, states.tanh**2, *_integrands(states, kappa))
    return np.stack(integrands) @ _GROUP_WEIGHT


def _over_kink(signal, spread, kappa, warmth):
    """Nodes in h around the kink; E tanh after subtraction of a smooth step of known average."""
    reach = (9 * spread + 18 * warmth)[:, None]
    width = np.hypot(spread, warmth)[:, None]
    states = state_averages(reach / spread[:, None] * _FIELD, kappa, warmth / spread)
    density = np.exp(-((reach * _FIELD - signal[:, None]) ** 2) / 2)
    weight = _GAUSS * reach * (_FIELD[1] - _FIELD[0]) * density
    step = erf(reach / width * _FIELD / np.sqrt(2))
    change, apart, *others = (
        (weight * values).sum(1) for values in (states.tanh - step, *_integrands(states, kappa))
    )
    m = erf(signal / np.sqrt(2 * (1 + width[:, 0] ** 2))) + change
    return m, 1 - apart, apart, *others


def _integrands(states, kappa):
    """What GroupAverages averages beside tanh and its square; all vanish at large |u|."""
    kappa = kappa[:, None]
    apart = 1 - states.tanh**2
    squared = states.variance + states.tanh**2
    return (
        apart,
        states.variance,
        states.slope,
        kappa**2 * squared / 2 - states.information,
        states.entropy,
        states.sech_fourth,
        (states.slope + kappa * states.variance) ** 2,
    )
