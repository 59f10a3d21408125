"""Gaussian averages over a noisy field that are right at every temperature, zero included.

A neuron in the field h = a + b z, with z a standard Gaussian, a its mean and b the noise width,
follows tanh(h/T). As a function of z this has a kink of width w = T/b at z* = -a/b, with poles at
distance pi w/2 from the real axis. The trapezoid rule with step dz converges for such a function
as exp(-pi^2 w/dz), and for the Gaussian weight itself as exp(-2 pi^2/dz^2). Hence the rule that
everything here keeps:

    dz <= 0.3 min(w, 1)         (error below 1e-14)

- `gaussian_nodes` keeps it on z in [-10, 10] by choosing the number of nodes, and refuses a
  kink that would need too many of them;
- `sign_averages` needs no nodes: at T = 0 in one-step replica symmetry breaking the weights are
  exp(mu |h|), whose Gaussian averages are closed forms;
- `thermal_averages` keeps it with a constant number of nodes at every temperature: for T > b by
  nodes in z, for T <= b by nodes in u = (z - z*)/w around the kink, after the part that is not
  localised there has been subtracted and integrated exactly. It has no resolution to choose, and
  T = 0 is no special case but its limit.
"""

from typing import NamedTuple

import numpy as np
from scipy.special import erf, log_ndtr

RESOLUTION = 0.3
_HALF_RANGE = 10.0  # the Gaussian weight beyond it is 1.5e-23
_MOST_NODES = 200_001

# Nodes in u around the kink: what is left beyond |u| = 20 is exp(-40) = 4e-18.
_KINK_STEP = 0.2
_KINK = _KINK_STEP * np.arange(-100, 101)
# Nodes in z when the kink is wider than the noise (w > 1, so that 0.2 < 0.3 w).
_BROAD = 0.2 * np.arange(-50, 51)
_BROAD_WEIGHT = np.exp(-(_BROAD**2) / 2)
_BROAD_WEIGHT /= _BROAD_WEIGHT.sum()

# tanh(u) is compared with erf(c u), which is sign(u) smeared by a Gaussian of width 1/(c sqrt 2).
# With this c both have slope 1 at the kink; any c of order one would do.
_SMEARING = np.sqrt(np.pi) / 2
# A kink this many noise widths away weighs nothing; beyond it z*^2 could overflow.
_FAR = 1e6
# Points evaluated together: arrays over the node axis, 0.4 or 0.8 MB each, stay in the cache.
_CHUNK = 512


def gaussian_nodes(finest=1.0):
    """Nodes z and weights w of the trapezoid rule for int Dz g(z) ~ sum_i w_i g(z_i).

    Args:
        finest: length over which g varies, in units of z, e.g. T/b for tanh((a + b z)/T).

    Returns:
        nodes (node,) on [-10, 10] and weights (node,), which sum to 1. The step is at most
        0.3 min(finest, 1).

    Raises:
        ValueError: `finest` is not positive, or so small that more than 200001 nodes were needed.
    """
    if not finest > 0:
        raise ValueError(f"the finest length is {finest}; give a positive number, such as T/b")
    intervals = np.ceil(2 * _HALF_RANGE / (RESOLUTION * min(finest, 1.0)))
    if intervals >= _MOST_NODES:
        smallest = 2 * _HALF_RANGE / (RESOLUTION * (_MOST_NODES - 1))
        raise ValueError(
            f"a kink of width {finest:g} needs {intervals:.3g} nodes, more than {_MOST_NODES}; "
            f"keep the width above {smallest:.2g} or use thermal_averages, which has no such limit"
        )
    nodes = np.linspace(-_HALF_RANGE, _HALF_RANGE, int(intervals) + 1)
    weights = np.exp(-(nodes**2) / 2)
    return nodes, weights / weights.sum()


class ThermalAverages(NamedTuple):
    """Averages over z of functions of u = beta (a + b z); E is int Dz. All stay finite at T = 0,
    where b > 0."""

    tanh: np.ndarray  # E tanh u
    tanh_squared: np.ndarray  # E tanh^2 u
    slope: np.ndarray  # d/da E tanh u = beta E sech^2 u; b times it is E z tanh u
    slope_z: np.ndarray  # beta E z sech^2 u = d/db E tanh u = d/da E z tanh u
    slope_zz: np.ndarray  # beta E z^2 sech^2 u = d/db E z tanh u
    square_mean: np.ndarray  # d/da E tanh^2 u
    square_width: np.ndarray  # d/db E tanh^2 u
    entropy: np.ndarray  # E [ln 2cosh u - u tanh u], the entropy of a spin in the field u
    sech_fourth: np.ndarray  # beta E sech^4 u


def thermal_averages(mean, width, temperature):
    """Averages of tanh, its square, slopes and entropy in the Gaussian field h = mean + width z.

    Exact to about 1e-14 (absolute, in units of the largest value that each average takes) at
    every temperature. At temperature = 0: E tanh -> erf(a/(b sqrt 2)),
    beta E sech^2 -> sqrt(2/pi) exp(-a^2/2b^2)/b, the entropy -> 0.
    Where width and temperature are both zero, the field is sharp: tanh -> sign(a), and the slopes
    are 0 for a != 0 and infinite for a = 0.

    Args:
        mean, width, temperature: arrays that broadcast against each other; width and temperature
            are not negative. All in units of the coupling J.

    Returns:
        ThermalAverages, each an array of the broadcast shape.

    Raises:
        ValueError: a negative or undefined width or temperature, or an undefined mean.
    """
    mean, width, temperature = np.broadcast_arrays(
        np.asarray(mean, float), np.asarray(width, float), np.asarray(temperature, float)
    )
    if not np.all(np.isfinite(mean)):
        raise ValueError("the mean field has entries that are not finite numbers")
    for name, values in (("width of the noise", width), ("temperature", temperature)):
        if not np.all((values >= 0) & np.isfinite(values)):
            raise ValueError(f"the {name} must be a finite number >= 0 everywhere")
    flat = [values.ravel() for values in (mean, width, temperature)]
    averages = np.empty((len(ThermalAverages._fields), mean.size))
    sharp = (flat[1] == 0) & (flat[2] == 0)
    kinked = (flat[2] <= flat[1]) & ~sharp
    for where, evaluate in ((sharp, _sharp), (kinked, _kinked), (~kinked & ~sharp, _broad)):
        points = np.flatnonzero(where)
        for start in range(0, points.size, _CHUNK):
            chunk = points[start : start + _CHUNK]
            averages[:, chunk] = evaluate(*(values[chunk] for values in flat))
    return ThermalAverages(*averages.reshape((len(averages), *mean.shape)))


def thermal_functions(u):
    """sech^2, tanh and spin entropy of u, without cancellation at large |u|."""
    decay = np.exp(-2 * np.abs(u))
    sech_squared = 4 * decay / (1 + decay) ** 2
    tanh = np.sign(u) * (1 - decay) / (1 + decay)
    # ln 2cosh u - u tanh u = ln(1 + d) + 2|u| d/(1 + d) with d = exp(-2|u|)
    entropy = np.log1p(decay) + 2 * np.abs(u) * decay / (1 + decay)
    return sech_squared, tanh, entropy


def _sharp(mean, width, temperature):
    sign = np.sign(mean)
    slope = np.where(mean == 0, np.inf, 0.0)
    zero = np.zeros_like(mean)
    free = np.where(mean == 0, np.log(2), 0.0)
    return sign, sign**2, slope, zero, slope, zero, zero, free, slope


def _broad(mean, width, temperature):
    """T > b: the kink is wider than the noise, so plain nodes in z resolve it."""
    u = (mean[:, None] + width[:, None] * _BROAD) / temperature[:, None]
    sech_squared, tanh, entropy = thermal_functions(u)
    weight = _BROAD_WEIGHT
    z = _BROAD
    change = 2 * tanh * sech_squared
    return (
        tanh @ weight,
        (tanh**2) @ weight,
        sech_squared @ weight / temperature,
        sech_squared @ (z * weight) / temperature,
        sech_squared @ (z**2 * weight) / temperature,
        change @ weight / temperature,
        change @ (z * weight) / temperature,
        entropy @ weight,
        (sech_squared**2) @ weight / temperature,
    )


_KINK_SECH_SQUARED, _KINK_TANH, _KINK_ENTROPY = thermal_functions(_KINK)
_KINK_FUNCTIONS = (_KINK_STEP / np.sqrt(2 * np.pi)) * np.stack(
    [
        _KINK_TANH - erf(_SMEARING * _KINK),
        _KINK_SECH_SQUARED,
        _KINK * _KINK_SECH_SQUARED,
        _KINK**2 * _KINK_SECH_SQUARED,
        2 * _KINK_TANH * _KINK_SECH_SQUARED,
        2 * _KINK * _KINK_TANH * _KINK_SECH_SQUARED,
        _KINK_ENTROPY,
        _KINK_SECH_SQUARED**2,
    ],
    axis=1,
)


def _kinked(mean, width, temperature):
    """T <= b: nodes in u around the kink z = z* + w u, where every remaining function is the same
    for all points and only the Gaussian weight differs."""
    centre = np.clip(-mean / width, -_FAR, _FAR)
    kink = temperature / width
    density = np.exp(-((centre[:, None] + kink[:, None] * _KINK) ** 2) / 2)
    step, flat, tilt, curve, odd, odd_tilt, entropy, fourth = (density @ _KINK_FUNCTIONS).T
    smeared = np.hypot(width, temperature / (_SMEARING * np.sqrt(2)))
    return (
        erf(mean / (np.sqrt(2) * smeared)) + kink * step,
        1 - kink * flat,
        flat / width,
        (centre * flat + kink * tilt) / width,
        (centre**2 * flat + 2 * centre * kink * tilt + kink**2 * curve) / width,
        odd / width,
        (centre * odd + kink * odd_tilt) / width,
        kink * entropy,
        fourth / width,
    )


class SignAverages(NamedTuple):
    """Averages over z with the weight exp(rate |x|), x = field + width z, and the normalisation."""

    log_weight: np.ndarray  # ln E exp(rate |x|)
    sign: np.ndarray  # <sign x>
    density: np.ndarray  # of x at 0, where the weight is 1, divided by its normalisation
    size: np.ndarray  # <|x|> = d log_weight/d rate


def sign_averages(field, width, rate):
    """Averages of a sign in a Gaussian field that is weighted with the exponential of its size.

        I = E exp(rate |x|) = exp(rate^2 width^2/2) (up + down),
        up = e^(rate field) Phi(rate width + field/width),  down = the same with -field,
        <sign x> = (up - down)/(up + down),  density = phi(field/width)/(width I),
        <|x|> = field <sign x> + width^2 (rate + 2 density)

    The inner average of one-step replica symmetry breaking at T = 0, where rate = lim beta m for
    the Parisi parameter m. Evaluated with logarithms: no overflow at any rate.

    Args:
        field, width, rate: arrays that broadcast; width > 0, rate >= 0, in units of J and 1/J.

    Returns:
        SignAverages, each of the broadcast shape.

    Raises:
        ValueError: a width that is not positive, a negative rate, an undefined field.
    """
    field, width, rate = np.broadcast_arrays(*(np.asarray(a, float) for a in (field, width, rate)))
    if not (np.all(width > 0) and np.all(rate >= 0) and np.all(np.isfinite(field))):
        raise ValueError("width must be > 0, rate >= 0 and the field finite, everywhere")
    scaled = field / width
    up = rate * field + log_ndtr(scaled + rate * width)
    down = -rate * field + log_ndtr(rate * width - scaled)
    log_weight = rate**2 * width**2 / 2 + np.logaddexp(up, down)
    sign = np.tanh((up - down) / 2)
    density = np.exp(-(scaled**2) / 2 - log_weight) / (np.sqrt(2 * np.pi) * width)
    return SignAverages(log_weight, sign, density, field * sign + width**2 * (rate + 2 * density))
