"""Series with known autocorrelation, for the tests of statistics."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.signal import lfilter


def labelled(x: np.ndarray) -> xr.DataArray:
    """x (lane, replica, sample) or (replica, sample) as a series."""
    return xr.DataArray(x, dims=("temperature", "replica", "sample")[-x.ndim :])


def ar1(rng, shape: tuple[int, ...], rho: float, start=None) -> np.ndarray:
    """x_t = rho x_{t-1} + noise with mean 0 and variance 1; stationary unless a start is given."""
    steps = np.sqrt(1 - rho**2) * rng.standard_normal(shape)
    steps[..., 0] = rng.standard_normal(shape[:-1]) if start is None else start
    return lfilter([1], [1, -rho], steps)


def inside(fraction: float, expected: float, repeats: int, extra: float = 0.0) -> bool:
    """Whether a fraction of independent repeats is within 4 binomial standard errors (+ extra)."""
    return abs(fraction - expected) <= 4 * np.sqrt(expected * (1 - expected) / repeats) + extra


def jumps(rng, shape: tuple[int, ...], rho: float, probability: float = 0.5) -> np.ndarray:
    """Two-state Markov chain: 1 with `probability`, else 0, stationary, autocorrelation rho^t."""
    drawn = rng.random(shape) >= rho
    drawn[..., 0] = True
    values = (rng.random(shape) < probability).astype(float)
    last = np.maximum.accumulate(np.where(drawn, np.arange(shape[-1]), 0), axis=-1)
    return np.take_along_axis(values, last, axis=-1)
