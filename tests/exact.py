"""Small networks solved exactly: all 2^N states, their weights, the law of one update.

Nothing here calls a kernel or a threshold: flip probabilities come from the textbook formulas of
the rules, so that the tests compare two independent computations.
"""

from __future__ import annotations

import importlib
import pkgutil

import numpy as np
from scipy import stats

import hopfield_sim.models
from hopfield_sim import (
    Dense,
    Glauber,
    Hopfield,
    Metropolis,
    ZeroTemperature,
    patterns,
    randomness,
)
from hopfield_sim.learning import hebb, projection


def found_models() -> dict[str, type]:
    """Every model of spins in the package, found by walking it: what can be swept."""
    return {name: model for name, model in _examples().items() if hasattr(model, "sweep")}


def found_continuous() -> dict[str, type]:
    """Every model with continuous states, found alike: what retrieves."""
    return {name: model for name, model in _examples().items() if hasattr(model, "retrieve")}


def _examples() -> dict[str, type]:
    """Every class of the models that offers `example`."""
    found = {}
    for info in pkgutil.walk_packages(hopfield_sim.models.__path__, "hopfield_sim.models."):
        module = importlib.import_module(info.name)
        for name, value in vars(module).items():
            if isinstance(value, type) and value.__module__ == info.name:
                if hasattr(value, "example"):
                    found[name] = value
    return found


def multi_valued(n_neurons: int, n_patterns: int, largest: int, seed: int) -> np.ndarray:
    """Patterns of integers -largest ... largest (not all zero): float32 (pattern, neuron)."""
    words = randomness.words(
        randomness.key(seed), randomness.PATTERNS, (0, 77), 0, n_patterns * n_neurons
    )
    xi = randomness.sites(words[: n_patterns * n_neurons], 2 * largest + 1) - largest
    return xi.reshape(n_patterns, n_neurons).astype(np.float32)


def _random(n_neurons, seed, n_patterns=3):
    return patterns.random(n_patterns, n_neurons, seed)


def _fields(n_neurons):
    return 0.25 * np.cos(np.arange(n_neurons))


# Symmetric networks beside the examples of the walked classes: (n_neurons, seed) -> model.
VARIANTS = {
    "Hopfield, Hebb self-coupling": lambda n, seed: Hopfield(_random(n, seed), "hebb"),
    "Hopfield, diluted patterns": lambda n, seed: Hopfield(patterns.diluted(4, n, 0.4, seed)),
    "Hopfield, many values": lambda n, seed: Hopfield(multi_valued(n, 3, 5, seed)),
    "hebb.coupled, fields and diagonal": lambda n, seed: hebb.coupled(
        _random(n, seed), "hebb", _fields(n)
    ),
    "hebb.diluted, symmetric": lambda n, seed: hebb.diluted(_random(n, seed), n // 2, seed, True),
    "projection": lambda n, seed: projection.model(_random(n, seed)),
    "Dense, many patterns": lambda n, seed: Dense(_random(n, seed, 150), 3),
    "projection, self-coupling": lambda n, seed: projection.model(_random(n, seed), "projection"),
}

NETWORKS = {
    **{f"{name}.example": model.example for name, model in found_models().items()},
    **VARIANTS,
}
"""All symmetric networks: those of the walked classes (later ones too) and their variants."""

PAIRWISE = {name: make for name, make in NETWORKS.items() if "Dense" not in name}
"""Those whose synchronous dynamics has a law that is known."""

ASYMMETRIC = {"hebb.diluted": lambda n, seed: hebb.diluted(_random(n, seed), n // 2, seed)}
"""Networks that have dynamics only."""

THERMAL = {
    "Glauber fixed": lambda temperature: Glauber(temperature, "fixed"),
    "Glauber random": lambda temperature: Glauber(temperature, "random"),
    "Metropolis random": lambda temperature: Metropolis(temperature, "random"),
}
"""Asynchronous rules with Boltzmann's law."""

RULES = {
    **{name: rule(0.7) for name, rule in THERMAL.items()},
    "Glauber parallel": Glauber(0.7, "parallel"),
    "zero fixed": ZeroTemperature("fixed"),
    "zero random": ZeroTemperature("random"),
    "zero parallel": ZeroTemperature("parallel"),
}
"""One of every rule and order."""


def states(n_neurons: int) -> np.ndarray:
    """All states, state k has s_i = +1 where bit i of k is set: int8 (2^N, neuron)."""
    bits = np.arange(2**n_neurons)[:, None] >> np.arange(n_neurons)[None, :] & 1
    return (2 * bits - 1).astype(np.int8)


def state_numbers(spins: np.ndarray) -> np.ndarray:
    """Number of each state in `states`: int64 (...)."""
    return ((spins > 0) << np.arange(spins.shape[-1])).sum(axis=-1)


def weights(energies: np.ndarray, temperature: float) -> np.ndarray:
    """exp(-E/T) / Z over all states."""
    w = np.exp(-(energies - energies.min()) / temperature)
    return w / w.sum()


def flip_probabilities(model, rule) -> np.ndarray:
    """Textbook probability that a visit of site i flips it: float64 (state, neuron), T > 0.

    Glauber 1 / (1 + exp(2 s h / T)), Metropolis min(1, exp(-2 s h / T)); h contains J_ii s_i in
    synchronous dynamics only.
    """
    s = states(model.n_neurons)
    cost = 2 * s * model.field(s) / rule.temperature
    if rule.order == "parallel":
        cost = cost + 2 * model.self_couplings / rule.temperature
    if isinstance(rule, Glauber):
        return 1 / (1 + np.exp(cost))
    return np.exp(-np.maximum(cost, 0))


def visited(law: np.ndarray, flip: np.ndarray, site: int) -> np.ndarray:
    """A law over all states (..., state) after one visit of `site`."""
    other = np.arange(law.shape[-1]) ^ (1 << site)
    stay = law * (1 - flip[:, site])
    return stay + (law * flip[:, site])[..., other]


def site_matrix(flip: np.ndarray, site: int) -> np.ndarray:
    """Transition matrix of one visit of `site`, row = from, column = to."""
    return visited(np.eye(len(flip)), flip, site)


def parallel_matrix(flip: np.ndarray) -> np.ndarray:
    """Transition matrix of one synchronous step: every site decides on its own."""
    n_states, n_neurons = flip.shape
    s = states(n_neurons)
    turned = s[:, None, :] != s[None, :, :]
    return np.where(turned, flip[:, None, :], 1 - flip[:, None, :]).prod(axis=-1)


def visits(model, rule, seed, sweep: int) -> np.ndarray:
    """The sites that one sweep goes through (fixed or random order)."""
    n = model.n_neurons
    if rule.order == "fixed":
        return np.arange(n)
    key = randomness.key(seed, n, model.n_patterns)
    blocks = -(-n // 4)
    return randomness.sites(
        randomness.words(key, randomness.ORDER, (0, 0), sweep * blocks, blocks)[:n], n
    )


def evolved(law: np.ndarray, model, rule, seed, n_sweeps: int) -> np.ndarray:
    """The exact law of the states after n_sweeps sweeps from `law` (given the random sites)."""
    flip = flip_probabilities(model, rule)
    if rule.order == "parallel":
        return law @ np.linalg.matrix_power(parallel_matrix(flip), n_sweeps)
    for sweep in range(n_sweeps):
        for site in visits(model, rule, seed, sweep):
            law = visited(law, flip, site)
    return law


def certain(state: int, n_neurons: int) -> np.ndarray:
    """The law that sits on one state."""
    law = np.zeros(2**n_neurons)
    law[state] = 1
    return law


def p_value(counts: np.ndarray, law: np.ndarray) -> float:
    """Chi-square p-value of independent counts against a law.

    States that are expected fewer than 10 times are put together: below that the statistic is not
    chi-square distributed.
    """
    expected = law * counts.sum()
    rare = expected < 10
    observed, expected = (
        np.append(x[~rare], x[rare].sum()) if rare.any() else x for x in (counts, expected)
    )
    if rare.any() and expected[-1] < 10:  # what is left is too rare even together
        j = np.argmin(expected[:-1])
        observed[j] += observed[-1]
        expected[j] += expected[-1]
        observed, expected = observed[:-1], expected[:-1]
    return float(stats.chi2.sf(((observed - expected) ** 2 / expected).sum(), len(expected) - 1))


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """(1/2) sum |p - q|."""
    return 0.5 * float(np.abs(p - q).sum())


def variation_limit(law: np.ndarray, n_samples: int, chance: float = 1e-6) -> float:
    """What the total variation of n_samples true samples exceeds with less than `chance`.

    Its mean is at most (1/2) sum sqrt(p (1-p) / n), and as one sample moves it by 1/n at most, it
    exceeds its mean by t with probability below exp(-2 n t^2) (McDiarmid).
    """
    noise_floor = 0.5 * np.sqrt(law * (1 - law) / n_samples).sum()
    return float(noise_floor + np.sqrt(-np.log(chance) / (2 * n_samples)))
