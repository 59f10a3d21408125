"""Symmetric mixtures of several patterns in the Hopfield network.

n patterns are condensed with the same overlap m; the field is h = m k + sqrt(alpha r) z with k a
sum of n random signs, and <<.>> the average over them:

    m = << k E tanh(h/T) >>/n,   q = << E tanh^2(h/T) >>,   r = q/(1 - C)^2,   C = (1 - q)/T

Source: D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. A 32 (1985) 1007 (a finite number of
patterns, here alpha = 0) and Ann. Phys. 173 (1987) 30 (alpha > 0).
"""

from functools import partial
from numbers import Integral

import numpy as np

from hopfield_sim.theory.hopfield_saddle import (
    CONVENTION,
    LONG_NAMES,
    LOW_LOAD_SOURCE,
    SOURCE,
    below_fold,
    field_averages,
    field_states,
    fold_noise,
    just_below,
    noise_width,
    of_saddle,
    residual,
    saddle_at_load,
    saddle_at_noise,
    without_noise,
)
from hopfield_sim.theory.labels import common_grid, dataset, evaluated, on_grid, parameter

_SCAN = 120
_MOST_CONDENSED = 1000  # 2^-n, the weight of one assignment of signs, must not underflow

_NAMES = LONG_NAMES | {
    "m": "overlap with each condensed pattern",
    "longitudinal": "curvature of the free energy along a common change of the overlaps",
    "anisotropic": "curvature of the free energy along opposite changes of two overlaps",
}


def mixture(n_condensed, alpha, temperature):
    """The symmetric mixture of n patterns: of its solutions the one of largest overlap per noise.

        longitudinal = 1 - beta << k^2 E sech^2(h/T) >>/n
        anisotropic  = 1 - beta << (1 - xi_1 xi_2) E sech^2(h/T) >>

    are curvatures of the free energy over the overlaps, at fixed cross-talk noise; a mixture is
    stable where both, 1 - C and the replicon are positive.

    Args:
        n_condensed: number of condensed patterns, 1 to 1000; 1 is the retrieval phase.
        alpha, temperature: numbers, 1-D arrays or DataArrays; see `hopfield.retrieval`.

    Returns:
        xarray.Dataset on their grid with m (overlap with each of the n), q, r, C, free_energy,
        energy, entropy, replicon, residual, longitudinal, anisotropic (NaN for n = 1). NaN where
        no mixture exists.

    Raises:
        ValueError: n_condensed is not a whole number in its range, or as `hopfield.retrieval`.

    Source: Amit, Gutfreund, Sompolinsky, Phys. Rev. A 32 (1985) 1007; Ann. Phys. 173 (1987) 30.
    """
    n = _checked(n_condensed)
    return evaluated(
        common_grid(alpha=alpha, temperature=temperature),
        partial(_mixture, n=n),
        _NAMES,
        f"symmetric mixture of {n} patterns in the Hopfield network",
        convention=CONVENTION,
        source=SOURCE,
        branch="mixture",
    )


def low_load_mixture(n_condensed, temperature):
    """The symmetric mixture of n of a finite number of patterns, alpha -> 0.

        m = << k tanh(m k/T) >>/n,  k the sum of n signs

    At T = 0 m = << |k| >>/n. Even mixtures are stable at no temperature, the 3-mixture is for
    T < 0.4598 (quoted as 0.461 in 1985). At T = 0 an even mixture leaves spins without a field:
    C is infinite there.

    Args:
        n_condensed: as `mixture`.
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with the variables of `mixture`, of which r is
        the limit (no noise comes from it, its weight alpha is zero). NaN for T >= 1.

    Raises:
        ValueError: n_condensed is not a whole number in its range; a bad temperature.

    Source: Amit, Gutfreund, Sompolinsky, Phys. Rev. A 32 (1985) 1007.
    """
    n = _checked(n_condensed)
    return evaluated(
        common_grid(temperature=temperature),
        lambda T: _mixture(np.zeros_like(T), T, n),
        _NAMES,
        f"symmetric mixture of {n} patterns in the Hopfield network at low load",
        convention=CONVENTION,
        source=LOW_LOAD_SOURCE,
        branch="mixture",
    )


def _mixture(alpha, T, n):
    """name -> array (point,), at alpha = 0 without the noise of other patterns."""
    values = {name: np.full(alpha.size, np.nan) for name in _NAMES}
    for points, found in _phases(alpha, T, n):
        load, temperature = alpha[points], T[points]
        known = [found[name] for name in ("m", "q", "r", "C")]
        found["residual"] = residual(load, temperature, *known, n)
        found |= _curvatures(found["m"], noise_width(load, found["r"]), temperature, n)
        for name in values:
            values[name][points] = found[name]
    return values


def mixture_capacity(n_condensed, temperature=0.0):
    """The largest load at which the symmetric mixture of n patterns exists (not: is stable).

    At T = 0, with k the sum of n signs and x = sqrt(alpha r)/m,
    alpha = max_x [ x m - sqrt(2/pi) << exp(-k^2/2x^2) >> ]^2,  m = << k erf(k/(x sqrt 2)) >>/n.

    Args:
        n_condensed: number of condensed patterns, 1 to 1000.
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with `alpha` and `m`, the overlap there. Zero
        at T = 1, NaN above.

    Raises:
        ValueError: n_condensed is not a whole number in its range; a bad temperature.

    Source: Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30.
    """
    n = _checked(n_condensed)
    temperature = parameter(temperature, "temperature")
    (temperatures,), shape = on_grid([temperature])
    alpha, m = np.full((2, temperatures.size), np.nan)
    alpha[temperatures == 1] = m[temperatures == 1] = 0
    for T in np.unique(temperatures[temperatures < 1]):
        _, folds, largest = _folds(T, n)
        best = np.argmax(largest)
        alpha[temperatures == T] = largest[best] ** 2
        m[temperatures == T] = saddle_at_noise(folds[[best]], np.array([T]), n).m[0]
    variables = {
        "alpha": (alpha.reshape(shape), "largest load at which the mixture exists"),
        "m": (m.reshape(shape), "overlap with each condensed pattern there"),
    }
    return dataset(
        [temperature],
        variables,
        f"capacity for symmetric mixtures of {n} patterns",
        convention=CONVENTION,
        source=SOURCE,
        branch="mixture",
    )


def _checked(n_condensed):
    whole = isinstance(n_condensed, Integral) and not isinstance(n_condensed, bool)
    if not whole or not 1 <= n_condensed <= _MOST_CONDENSED:
        raise ValueError(
            f"n_condensed is {n_condensed!r}; give the number of condensed patterns, "
            f"a whole number from 1 to {_MOST_CONDENSED}"
        )
    return int(n_condensed)


def _phases(alpha, T, n):
    points = np.flatnonzero((alpha == 0) & (T < 1))
    yield points, without_noise(T[points], n)
    points = np.flatnonzero((alpha > 0) & (T < 1))
    lower, upper, root_alpha = np.full((3, alpha.size), np.nan)
    for temperature in np.unique(T[points]):
        starts, folds, largest = _folds(temperature, n)
        here = points[T[points] == temperature]
        # The fold of smallest noise that this load does not exceed.
        fits = below_fold(np.sqrt(alpha[here, None]), largest)
        here, first = here[fits.any(axis=1)], fits.argmax(axis=1)[fits.any(axis=1)]
        root_alpha[here] = just_below(np.sqrt(alpha[here]), largest[first])
        lower[here] = np.maximum(starts[first], root_alpha[here] / 2)
        upper[here] = folds[first]
    points = np.flatnonzero(np.isfinite(upper))
    load, T = alpha[points], T[points]
    saddle = saddle_at_load(root_alpha[points], T, lower[points], upper[points], n)
    yield points, of_saddle(load, T, saddle, n)


def _folds(temperature, n):
    """All maxima of sqrt(alpha) over the relative noise x at one temperature.

    Returns:
        for each maximum, in order of x: a point below it, past the previous maximum, from where
        sqrt(alpha) has a single crossing of any value above that previous maximum; the place of
        the maximum; sqrt(alpha) there.
    """
    x = np.geomspace(1 / 12, np.sqrt(n) / 0.7, _SCAN)
    scan = saddle_at_noise(x, np.full(_SCAN, temperature), n)
    rising = scan.slope_x > 0
    tops = np.flatnonzero(rising[:-1] & ~rising[1:] & (scan.root_alpha[:-1] > 0))
    T = np.full(tops.size, temperature)
    folds = fold_noise(T, n, x[tops], x[tops + 1])
    bottoms = np.flatnonzero(~rising[:-1] & rising[1:])
    lower = [max(x[bottoms[bottoms < top]], default=0.0) for top in tops]
    return np.array(lower), folds, saddle_at_noise(folds, T, n).root_alpha


def _curvatures(m, b, T, n):
    k, weights = field_states(n)
    slope = field_averages(m, b, T, n).slope
    # A spin without a field (k = 0) does not answer to a common change: 0 even where slope is inf.
    longitudinal = 1 - slope[:, k > 0] @ (weights * k**2)[k > 0] / n
    if n == 1:
        return {"longitudinal": longitudinal, "anisotropic": np.full(m.size, np.nan)}
    opposite = 1 - (k**2 - n) / (n * (n - 1))  # the average of 1 - xi_1 xi_2 at given k
    return {"longitudinal": longitudinal, "anisotropic": 1 - slope @ (weights * opposite)}
