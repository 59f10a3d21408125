"""Races of softmax retrieval: one step of many queries against all stored patterns, float32.

A race is a function that returns duels and the claims about them, for `programme`.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from analysis.benchmark import Goal
from experiments.measuring import peers
from experiments.measuring.protocol import Claim, Contestant, Duel, Running
from hopfield_sim import attention, patterns
from hopfield_sim.kernels import retrieval

_QUERIES = 256
_SIZES = ((64, 10_000), (512, 10_000), (1024, 20_000))  # dimension, patterns
_OURS, _LAYER, _NUMPY = "ours", "our layer", "NumPy, whole table"
# Scores reach 40, so that a weight is off by 40 eps = 5e-6 of itself where rounding is lucky; the
# stored numbers reach 5. A wrong pattern or beta would be off by 0.1 and more.
_NEAR = 1e-4


def softmax(settings) -> tuple[list[Duel], list[Claim]]:
    """Queries near stored patterns, beta = 1/sqrt(d), patterns that are keys and values."""
    duels, claims = [], []
    absent = peers.absent_for_retrieval()
    for dimension, n_patterns in _SIZES:
        made = lru_cache(maxsize=1)(_inputs(dimension, n_patterns, settings.seed))
        beta = 1 / math.sqrt(dimension)
        field = [
            _contestant(_OURS, made, beta, _by_us),
            _contestant(_LAYER, made, beta, _by_our_layer),
            _contestant(_NUMPY, made, beta, _by_numpy, "naive"),
        ]
        bounds = [(_OURS, _NUMPY, 1.0)]
        if peers.TORCH not in absent:
            field.append(_contestant(peers.TORCH, made, beta, peers.torch_attention, "peer"))
            bounds.append((_OURS, peers.TORCH, 1.15))
        if peers.HOPFIELD_LAYERS not in absent:
            who = peers.HOPFIELD_LAYERS
            field.append(_contestant(who, made, beta, peers.hopfield_layers, "peer"))
            bounds += [(_OURS, who, 0.8), (_LAYER, who, 0.8)]
        name = f"softmax d={dimension}"
        duels.append(
            Duel(name, tuple(field), dimension, n_patterns, unit="query and pattern", rounds=15)
        )
        claims += [
            Claim(Goal(20, f"{name} K={n_patterns}: {a} / {b}", bound, "<="), name, a, (b,))
            for a, b, bound in bounds
        ]
    return duels, claims


def _inputs(dimension: int, n_patterns: int, seed: int):
    def made() -> tuple[np.ndarray, np.ndarray]:
        stored = patterns.gaussian(n_patterns, dimension, seed=seed).astype(np.float32)
        noise = patterns.gaussian(_QUERIES, dimension, seed=seed + 1).astype(np.float32)
        return stored[:_QUERIES] + np.float32(0.5) * noise, stored

    return made


def _contestant(name: str, made, beta: float, program, family: str = "ours") -> Contestant:
    """program: `program(queries, stored, beta)` gives a function without arguments, one step."""

    def setup() -> Running:
        queries, stored = made()
        step = program(queries, stored, beta)

        def advance(steps: int) -> None:
            for _ in range(steps):
                step()

        def check() -> None:
            scores = beta * queries.astype(float) @ stored.T.astype(float)
            weights = np.exp(scores - scores.max(axis=1, keepdims=True))
            wanted = weights @ stored.astype(float) / weights.sum(axis=1, keepdims=True)
            off = np.abs(np.asarray(step()).reshape(wanted.shape) - wanted).max()
            if not off < _NEAR:
                raise RuntimeError(f"{name}: retrieval in float32 is off by {off:.1e}.")

        return Running(advance, _QUERIES * len(stored), check)

    return Contestant(name, setup, family, _QUERIES)


def _by_us(queries, stored, beta):
    return lambda: retrieval.softmax(queries, stored, stored, beta)[0]


def _by_our_layer(queries, stored, beta):
    return lambda: attention.hopfield(stored[None], queries[None], beta=beta).output


def _by_numpy(queries, stored, beta):
    def step() -> np.ndarray:
        scores = queries @ stored.T
        scores *= np.float32(beta)
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores @ stored

    return step
