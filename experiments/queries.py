"""Cues of networks with continuous states, for the experiments that start near a pattern."""

from __future__ import annotations

import numpy as np


def at_overlap(pattern: np.ndarray, overlap: float, seed) -> np.ndarray:
    """y = m x + sqrt(1 - m^2) u with u . x = 0 and |u| = |x|, of random direction else.

    pattern: x (query, dimension), d >= 2; overlap: m in [-1, 1]; seed: of u, another one than that
    of the patterns, which are drawn in the same way. Returns cues of the lengths of their patterns,
    y . x = m |x|^2: float64 (query, dimension).
    """
    from hopfield_sim import patterns

    square = (pattern**2).sum(axis=1, keepdims=True)
    across = patterns.gaussian(*pattern.shape, seed)
    across -= (across * pattern).sum(axis=1, keepdims=True) / square * pattern
    across *= np.sqrt(square / (across**2).sum(axis=1, keepdims=True))
    return overlap * pattern + np.sqrt(1 - overlap**2) * across
