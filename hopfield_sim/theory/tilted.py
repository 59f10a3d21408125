"""Averages in a Gaussian field under the weight (2 cosh(h/T))^x of one-step replica symmetry
breaking, right at every temperature, zero included.

With h = field + width z and x = rate T the weight is exp(rate |h|) (1 + exp(-2|h|/T))^x. Its first
factor moves the Gaussian by +-rate width^2, however far, in closed form (`sign_averages`); what the
second factor and functions of tanh(h/T) add to it lives at |h| < 20 T. So, as in `quadrature`, two
regimes with a constant number of nodes and nothing to choose:

- width >= T: Gauss-Legendre nodes in v = |h|/T on [0, 18] for the addition. It has poles at
  v = +-i pi/2 and Gaussians of width >= 1: 20 nodes on each of [0, 3], [3, 8], [8, 18] leave errors
  below 1e-14. T = 0 is its limit, where only v = 0 of the Gaussian counts.
- width < T: the trapezoid rule in z on [-10.25, 10.25], step 0.25 < 0.3 min(T/width, 1); it covers
  the Gaussian and its shift x width/T for x <= 2, and more is refused.
"""

from typing import NamedTuple

import numpy as np

from hopfield_sim.theory.quadrature import sign_averages

_PANELS = (0.0, 3.0, 8.0, 18.0)
_PER_PANEL = 20
_STEP = 0.25
_BROAD = _STEP * np.arange(-41, 42)
_BROAD_WEIGHT = np.exp(-(_BROAD**2) / 2)
_BROAD_WEIGHT /= _BROAD_WEIGHT.sum()
_LARGEST_POWER = 2.0
# Points evaluated together: bounds the memory of the node axis to some 10 MB.
_CHUNK = 8192


def _composite():
    nodes, weights = np.polynomial.legendre.leggauss(_PER_PANEL)
    ends = np.array(_PANELS)
    half, middle = np.diff(ends) / 2, (ends[1:] + ends[:-1]) / 2
    return (middle[:, None] + half[:, None] * nodes).ravel(), np.outer(half, weights).ravel()


_V, _V_WEIGHT = _composite()
_DECAY = np.exp(-2 * _V)
_LOG = np.log1p(_DECAY)  # ln 2cosh v = v + this
_TANH = (1 - _DECAY) / (1 + _DECAY)
_SECH_SQUARED = 4 * _DECAY / (1 + _DECAY) ** 2
_ENTROPY = _LOG + 2 * _V * _DECAY / (1 + _DECAY)


class TiltedAverages(NamedTuple):
    """Averages with the weight (2 cosh(h/T))^x, and its normalisation; all finite at T = 0."""

    log_weight: np.ndarray  # ln E (2 cosh(h/T))^x
    tanh: np.ndarray  # <tanh(h/T)>
    slope: np.ndarray  # <sech^2(h/T)>/T
    size: np.ndarray  # <T ln 2cosh(h/T)> = d log_weight/d rate
    entropy: np.ndarray  # <ln 2cosh u - u tanh u>, u = h/T, the entropy of a spin in the field
    sech_fourth: np.ndarray  # <sech^4(h/T)>/T
    variance: np.ndarray  # <tanh^2> - <tanh>^2, accurate where it is small
    # log_weight - rate size <= 0, minus the relative entropy of the weighted Gaussian to the
    # unweighted one, likewise
    relative: np.ndarray


def tilted_averages(field, width, temperature, rate):
    """Averages of functions of a neuron's field h = field + width z under a power of cosh.

        <g> = E (2 cosh(h/T))^x g / E (2 cosh(h/T))^x,   x = rate T,   E = int Dz

    At T = 0 the weight is exp(rate |h|), <tanh> = <sign h>, <sech^2>/T and <sech^4>/T are 2 and 4/3
    times the density of the field at zero. Errors below 1e-13 in units of the largest value that
    an average takes.

    Args:
        field, width, temperature, rate: arrays that broadcast; width, temperature and rate >= 0,
            width and temperature not both zero, rate * temperature <= 2. Units of J, rate 1/J.

    Returns:
        TiltedAverages, each of the broadcast shape.

    Raises:
        ValueError: arguments outside these ranges, undefined ones too.
    """
    arguments = (np.asarray(values, float) for values in (field, width, temperature, rate))
    field, width, temperature, rate = np.broadcast_arrays(*arguments)
    for name, values in (("width", width), ("temperature", temperature), ("rate", rate)):
        if not np.all((values >= 0) & np.isfinite(values)):
            raise ValueError(f"the {name} must be a finite number >= 0 everywhere")
    if not np.all(np.isfinite(field)):
        raise ValueError("the field has entries that are not finite numbers")
    if np.any((width == 0) & (temperature == 0)):
        raise ValueError("width and temperature are both zero: the field is sharp")
    if np.any(rate * temperature > _LARGEST_POWER):
        raise ValueError(f"the power rate * temperature of cosh is above {_LARGEST_POWER:g}")
    flat = [values.ravel() for values in (field, width, temperature, rate)]
    averages = np.empty((len(TiltedAverages._fields), field.size))
    sharp = flat[2] == 0
    kinked = (flat[1] >= flat[2]) & ~sharp
    broad = flat[1] < flat[2]
    for where, evaluate in ((sharp, _sharp), (kinked, _kinked), (broad, _broad)):
        points = np.flatnonzero(where)
        for start in range(0, points.size, _CHUNK):
            chunk = points[start : start + _CHUNK]
            averages[:, chunk] = evaluate(*(values[chunk] for values in flat))
    return TiltedAverages(*averages.reshape((len(averages), *field.shape)))


def _sharp(field, width, temperature, rate):
    """T = 0: the closed forms alone."""
    found = sign_averages(field, width, rate)
    return (
        found.log_weight,
        found.sign,
        2 * found.density,
        found.size,
        np.zeros(field.size),
        4 / 3 * found.density,
        (1 - found.sign) * (1 + found.sign),
        found.log_weight - rate * found.size,
    )


def _kinked(field, width, temperature, rate):
    """width >= T: the closed forms of exp(rate |h|), and nodes in v = |h|/T for the rest."""
    sharp = sign_averages(field, width, rate)
    power = rate * temperature
    scaled, kink = field / width, temperature / width
    rise = power[:, None] * _V - sharp.log_weight[:, None]
    step = _V_WEIGHT / (np.sqrt(2 * np.pi) * width[:, None])
    # densities of |h|/T at v, divided by T, from the two signs of h
    up, down = (
        step * np.exp(rise - (kink[:, None] * _V - sign * scaled[:, None]) ** 2 / 2)
        for sign in (1, -1)
    )
    both = up + down
    extra = np.expm1(power[:, None] * _LOG)
    weight = both * (1 + extra)
    total = 1 + temperature * np.einsum("pv,pv->p", both, extra)
    odd = np.einsum("pv,pv->p", up - down, (1 + extra) * _TANH - 1)
    excess = np.einsum("pv,pv->p", both, extra * _V) + weight @ _LOG
    log_weight = sharp.log_weight + np.log(total)
    size = (sharp.size + temperature**2 * excess) / total
    tanh = (sharp.sign + temperature * odd) / total
    slope = weight @ _SECH_SQUARED / total
    return (
        log_weight,
        tanh,
        slope,
        size,
        temperature * (weight @ _ENTROPY) / total,
        weight @ _SECH_SQUARED**2 / total,
        (1 - tanh) * (1 + tanh) - temperature * slope,
        log_weight - rate * size,
    )


def _broad(field, width, temperature, rate):
    """width < T: plain nodes in z."""
    centre = (field / temperature)[:, None]
    away = (width / temperature)[:, None] * _BROAD
    u = centre + away
    decay = np.exp(-2 * np.abs(u))
    tanh = np.sign(u) * (1 - decay) / (1 + decay)
    sech_squared = 4 * decay / (1 + decay) ** 2
    entropy = np.log1p(decay) + 2 * np.abs(u) * decay / (1 + decay)
    # ln cosh(u)/cosh(centre), without what is common to all nodes
    rise = np.log1p(2 * np.sinh(away / 2) ** 2 + np.tanh(centre) * np.sinh(away))
    power = rate * temperature
    extra = np.expm1(power[:, None] * rise)
    weight = (1 + extra) * _BROAD_WEIGHT
    total = weight.sum(axis=1)
    weight /= total[:, None]
    log_total = np.log1p(extra @ _BROAD_WEIGHT)
    mean_rise = np.einsum("pv,pv->p", weight, rise)
    log_centre = np.logaddexp(centre, -centre)[:, 0]
    mean_tanh = np.einsum("pv,pv->p", weight, tanh)
    return (
        power * log_centre + log_total,
        mean_tanh,
        np.einsum("pv,pv->p", weight, sech_squared) / temperature,
        (log_centre + mean_rise) * temperature,
        np.einsum("pv,pv->p", weight, entropy),
        np.einsum("pv,pv->p", weight, sech_squared**2) / temperature,
        np.einsum("pv,pv->p", weight, (tanh - mean_tanh[:, None]) ** 2),
        log_total - power * mean_rise,
    )
