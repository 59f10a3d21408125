"""Loads of P-body networks by name: number of patterns K, alpha, reduced load.

    alpha = K / N^(P-1),   reduced load = c alpha,
    c = (P-1)! ("distinct"), (2P-3)!! ("full"), (2P-3)!! / 2 ("rectified")

The reduced load is the variance, in units of the squared field 1 of the pattern itself, of the
field that the other +-1 patterns make in a stored pattern, N -> infinity: the mean square of
e_{P-1} (P-1)!/N^{P-1}, of (S/N)^{P-1}, or of that for S > 0 alone, times K. `theory.conventions`
has the same numbers for theories, which share no code with the simulation.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

NORMALISATIONS = ("distinct", "full", "rectified")


def check_normalisation(normalisation: str) -> None:
    """ValueError, with what is allowed, for a normalisation that P-body energies do not have."""
    if normalisation not in NORMALISATIONS:
        raise ValueError(
            f"normalisation={normalisation!r} is unknown; allowed are 'distinct' (P-tuples"
            " of different sites), 'full' (S^P) and 'rectified' (max(S, 0)^P)."
        )


def reduction(interaction: int, normalisation: str = "distinct") -> float:
    """c, the reduced load over alpha: (P-1)!, (2P-3)!! or (2P-3)!! / 2.

    interaction: P >= 2. Raises ValueError for another one, and for an unknown normalisation.
    """
    if (
        isinstance(interaction, bool)
        or not isinstance(interaction, int | np.integer)
        or interaction < 2
    ):
        raise ValueError(
            f"interaction={interaction!r} has no such load; it must be an integer P >= 2 (P-body)."
        )
    check_normalisation(normalisation)
    if normalisation == "distinct":
        return float(math.factorial(int(interaction) - 1))
    return math.prod(range(1, 2 * int(interaction) - 2, 2)) / (1 + (normalisation == "rectified"))


def number_of_patterns(
    n_neurons: int,
    interaction: int,
    normalisation: str = "distinct",
    *,
    alpha: float | None = None,
    reduced_load: float | None = None,
    n_patterns: int | None = None,
) -> int:
    """K of a P-body network whose load is given under one of its three names.

        K = round(alpha N^(P-1)) = round(reduced_load N^(P-1) / c)

    What is simulated is alpha = K / N^(P-1), the `alpha` and `reduced_load` of the model, not what
    was asked for: compare there.

    n_neurons: N >= 1; interaction: P >= 2; alpha, reduced_load, n_patterns: exactly one of them.
    Raises ValueError for none or several of them, for one that is no positive number (no whole
    one for n_patterns) and for a load that rounds to no pattern, telling the smallest that does.
    """
    if isinstance(n_neurons, bool) or not isinstance(n_neurons, int | np.integer) or n_neurons < 1:
        raise ValueError(f"n_neurons={n_neurons!r} is not possible; it must be an integer >= 1.")
    scale = Fraction(reduction(interaction, normalisation))
    loads = {"n_patterns": n_patterns, "alpha": alpha, "reduced_load": reduced_load}
    given = {name: value for name, value in loads.items() if value is not None}
    if len(given) != 1:
        told = " and ".join(given) or "none"
        raise ValueError(
            f"the load is given by exactly one of n_patterns, alpha and reduced_load, not {told}."
        )
    (name, value), *_ = given.items()
    if isinstance(value, bool) or not (np.isfinite(value) and value > 0):
        raise ValueError(f"{name}={value!r} is not possible; it must be a positive number.")
    if name == "n_patterns":
        if value != int(value):
            raise ValueError(f"n_patterns={value!r} is not possible; it must be a whole number.")
        return int(value)
    most = int(n_neurons) ** (int(interaction) - 1)
    one = most if name == "alpha" else most / scale  # patterns at a load of 1
    number = round(Fraction(float(value)) * one)
    if number < 1:
        raise ValueError(
            f"{name}={value:g} is no pattern at N = {n_neurons}, P = {interaction}: one pattern is "
            f"{name} = {float(1 / Fraction(one)):.3g}. Raise it, or n_neurons."
        )
    return number
