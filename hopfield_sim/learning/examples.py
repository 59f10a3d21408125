"""Networks that learn archetypes from examples, with and without a teacher; pairwise and P-body.

With eta^(mu,a) the a-th of M examples of archetype mu, etabar = (1/M) sum_a eta^a, r their quality
and G = r^2 + (1 - r^2)/M the mean square of etabar:

    supervised     H = -((P-1)!/(N^(P-1) g)) sum_mu sum_(i1<..<iP) etabar..etabar s..s
    unsupervised   H = -((P-1)!/(N^(P-1) M g)) sum_mu sum_a sum_(i1<..<iP) eta^a..eta^a s..s

`couplings` is what g is: "variance" G^(P/2), "quality" r^P; None takes "variance" for the
supervised rule and at P = 2, "quality" for the unsupervised one with P >= 3: as `theory.examples`,
whose temperatures are then those of these networks. It is the unit of energy only. Where no quality
is given (real images) G is measured, the mean of etabar^2 over sites and patterns, and g is
G^(P/2).

A network from examples keeps sums of them as its patterns (all examples, unsupervised): its
`overlaps` are with those. `observables.overlap_with(archetypes)` measures what is recalled.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim.models.dense import Dense
from hopfield_sim.models.hopfield import Hopfield

COUPLINGS = ("variance", "quality")


def supervised(
    sums: np.ndarray,
    n_examples: int,
    quality: float | None = None,
    interaction: int = 2,
    couplings: str | None = None,
) -> Hopfield | Dense:
    """The teacher tells which examples belong together: the network of the class averages.

    sums: sum_a eta^(mu,a), integers (pattern, neuron), as `examples.sums` gives, or
        `examples.noisy(...).sum(axis=1)`. n_examples: M. quality: r in (0, 1], or None: measured.
    interaction: P >= 2. couplings: see the module.
    Returns `Hopfield` at P = 2, `Dense` beyond; alpha is K / N^(P-1).
    Raises ValueError for numbers outside these ranges, and as the models do.
    Sources: Alemanno, Aquaro, Kanter, Barra, Agliari, Europhys. Lett. 141 (2023) 11001; Agliari et
    al., Physica A 626 (2023) 129076.
    """
    sums = np.asarray(sums)
    _check_number(n_examples)
    divisor = _divisor(sums, n_examples, quality, interaction, couplings or "variance")
    return _network(sums, interaction, 1 / (float(n_examples) ** interaction * divisor))


def unsupervised(
    examples: np.ndarray,
    quality: float | None = None,
    interaction: int = 2,
    couplings: str | None = None,
) -> Hopfield | Dense:
    """Nobody tells which examples belong together: all K M examples are stored side by side.

    examples: eta, integers (pattern, example, neuron), as `examples.noisy` gives. quality: r in
    (0, 1], or None: measured. interaction: P >= 2. couplings: see the module.

    States on single examples are stable as long as M < r^(1-2P), about: start at the archetype or
    at a noisy cue, not at an example.

    Returns `Hopfield` at P = 2, `Dense` beyond, with K M patterns, mu slowest; their `alpha` is
    K M / N^(P-1), M times the load of archetypes.
    Raises ValueError for numbers outside these ranges, and as the models do.
    Sources: Agliari, Alemanno, Barra, De Marzo, Neural Networks 148 (2022) 232; Agliari et al.,
    Physica A 627 (2023) 129143.
    """
    examples = np.asarray(examples)
    if examples.ndim != 3 or not examples.size:
        raise ValueError(
            f"examples have shape {examples.shape}; (pattern, example, neuron) is needed, as from "
            "examples.noisy."
        )
    n_examples, n_neurons = examples.shape[1:]
    if couplings is None:
        couplings = "variance" if interaction == 2 or quality is None else "quality"
    sums = examples.sum(axis=1, dtype=float)
    divisor = _divisor(sums, n_examples, quality, interaction, couplings)
    rows = examples.reshape(-1, n_neurons)
    return _network(rows, interaction, 1 / (n_examples * divisor))


def _network(xi: np.ndarray, interaction: int, strength: float) -> Hopfield | Dense:
    if interaction == 2:
        return Hopfield(xi, strength=strength)
    return Dense(xi, interaction, strength=strength)


def _divisor(sums, n_examples, quality, interaction, couplings) -> float:
    """g of the module."""
    if isinstance(interaction, bool) or not isinstance(interaction, int | np.integer):
        raise ValueError(f"interaction={interaction!r} is not possible; give an integer P >= 2.")
    if couplings not in COUPLINGS:
        raise ValueError(
            f"couplings={couplings!r} is unknown; allowed are 'variance' (divided by G^(P/2)) and "
            "'quality' (divided by r^P)."
        )
    if quality is None:
        if couplings == "quality":
            raise ValueError("couplings='quality' needs the quality of the examples.")
        variance = float(np.mean(np.square(sums, dtype=float))) / n_examples**2
        if not variance > 0:
            raise ValueError("the class averages vanish everywhere; there is nothing to learn.")
        return variance ** (interaction / 2)
    if not 0 < quality <= 1:  # NaN fails too
        raise ValueError(f"quality={quality!r} is not possible; it must lie in (0, 1].")
    if couplings == "quality":
        return float(quality) ** interaction
    return (quality**2 + (1 - quality**2) / n_examples) ** (interaction / 2)


def _check_number(n_examples) -> None:
    if not isinstance(n_examples, int | np.integer) or n_examples < 1:
        raise ValueError(
            f"n_examples={n_examples!r} is not possible; it must be an integer of at least 1."
        )
