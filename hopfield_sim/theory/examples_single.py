"""States of the unsupervised rule that sit on one example, P >= 3, T = 0."""

import numpy as np
from scipy.special import erf, gamma

from hopfield_sim.theory.examples_averages import class_averages
from hopfield_sim.theory.labels import common_grid, evaluated

_STEPS = 20_000
_CLOSE = 1e-15
_NAMES = {
    "m": "overlap with the archetype",
    "n1": "overlap with the example where it started",
    "n2": "overlap with each of the other examples of the archetype",
    "retained": "1 where the state stays with its example, n1 > n2; else 0",
    "crude_limit": "r^(1 - 2P), the M at which signal and bias of a site are equal",
    "residual": "largest error of the equations",
}


def example_state(alpha, quality, n_examples, interaction=3):
    """Where the unsupervised network goes, at T = 0, from one of the examples it has learned.

        h = [chi_1 n1^(P-1) + B n2^(P-1)]/(M r^P) + sqrt(A) z,  A = alpha (P-1)! (1 + rho_P)
        m = E sgn h,  n1 = E chi_1 sgn h,  n2 = E (B/(M - 1)) sgn h

    with B the sum of the other M - 1 signs chi and rho_P = (1 - r^2P)/(M r^2P): overlaps are those
    with the examples themselves (not divided by r). The result is the limit of repeated
    evaluation of the right sides, (n1, n2) -> right sides, from the example: (1, r^2). It is stable
    as long as a site's own example outweighs the bias of the others: crudely 1/(M r^P) > r^(P-1),
    M < r^(1-2P); fluctuations of B lower that. Beyond, n1 = n2 and m is that of the archetype. In
    the supervised rule a single step leaves the example: there is no such state.

    Args:
        alpha: load K/N^(P-1), a number, a 1-D array or a DataArray, > 0.
        quality: r, likewise, in (0, 1].
        n_examples: M, likewise, >= 1. With M = 1 there are no others: n2 is NaN.
        interaction: P, likewise, a whole number >= 3.

    Returns:
        xarray.Dataset on the grid with m, n1, n2, retained, crude_limit, residual. NaN where 20000
        steps did not reach a limit (next to the end of the state).

    Raises:
        ValueError: a parameter outside its domain, by name; interaction = 2, where the cross-talk
            at finite load reacts to the state and these equations do not hold.

    Source: derived here, checked by simulation (P = 3, r = 0.5: the state is lost between M = 16
    and 20; simulated: stable at 14, gone at 24).
    """
    grid = common_grid(alpha=alpha, quality=quality, n_examples=n_examples, interaction=interaction)
    if np.any(grid[-1] < 3):
        raise ValueError("interaction = 2 is not allowed here; it must be a whole number >= 3")
    return evaluated(
        grid,
        _states,
        _NAMES,
        "unsupervised learning from examples: states at one example",
        convention="H = -((P-1)!/(N^(P-1) M r^P)) sum_mu sum_a sum_(i1<..<iP) eta^a..eta^a s..s; "
        "alpha = K/N^(P-1)",
        source="derived here, checked by simulation",
    )


def _states(alpha, quality, n_examples, interaction):
    found = {name: np.empty(alpha.size) for name in _NAMES}
    for point, (load, r, M, P) in enumerate(
        zip(alpha, quality, n_examples, interaction, strict=True)
    ):
        values = _state(load, r, int(M), int(P))
        for name, value in zip(_NAMES, values, strict=True):
            found[name][point] = value
    return found


def _state(alpha, r, M, P):
    """The limit of the flow for one set of numbers, in the order of `_NAMES`."""
    noise = np.sqrt(2 * alpha * gamma(P) * (1 + (r ** (-2 * P) - 1) / M))
    if M == 1:
        others, weights = np.zeros(1), np.ones(1)
    else:
        zeta, total, excess = class_averages(r, M - 1)
        size = np.rint(zeta * np.sqrt(((M - 1) * r) ** 2 + (M - 1) * (1 - r**2)))
        others = np.concatenate([size, -size[size > 0]])
        weights = np.concatenate([(total + excess) / 2, (total - excess)[size > 0] / 2])
        weights[: size.size][size == 0] = total[size == 0]
    up, down = (1 + r) / 2 * weights, (1 - r) / 2 * weights

    def image(n1, n2):
        own, rest = n1 ** (P - 1), others * n2 ** (P - 1)
        with_, against = (erf((sign * own + rest) / (M * r**P * noise)) for sign in (1, -1))
        m = up @ with_ + down @ against
        second = (up * others) @ with_ + (down * others) @ against
        return m, up @ with_ - down @ against, second / max(M - 1, 1)

    n1, n2 = 1.0, r**2
    for _ in range(_STEPS):
        m, new1, new2 = image(n1, n2)
        change = max(abs(new1 - n1), abs(new2 - n2))
        n1, n2 = new1, new2
        if change < _CLOSE:
            break
    m, new1, new2 = image(n1, n2)
    error = max(abs(new1 - n1), abs(new2 - n2))
    limit = r ** (1.0 - 2 * P)
    if error > 1e-12:
        return np.nan, np.nan, np.nan, np.nan, limit, np.nan
    if M == 1:
        n2 = np.nan
    # At the archetype n1 and n2 agree to the rounding that the flow leaves.
    return m, n1, n2, float(M == 1 or n1 - n2 > 1e-6), limit, error
