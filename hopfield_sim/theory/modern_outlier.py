"""Fixed points of Softmax_1 networks (outlier-efficient) whose patterns are orthogonal.

    p_mu = exp(K p_mu)/[1 + sum_nu exp(K p_nu)],   K = beta |x|^2

The 1 is an additional memory at zero, with the weight p_0 = 1 - sum p. M patterns, the state
xi = sum_mu p_mu x_mu. ln p - K p is the same number for all patterns, so the weights take at most
two values, u for one pattern and w = u exp(-h) for the others, where

    K w = y = h/(exp(h) - 1),    K u = h + y,    K(h) = h + y [M + exp(-y)]

(k patterns with the weight u: k h in place of h; saddles for k > 1, as K u > 1). h = 0 is
the last point of the uniform state, which exists at all K, with K = y [M + exp(-y)], y <= 1 where
it is stable: up to K_u = M + 1/e. The branch of the single pattern is the rising part of K(h).

Source: J. Y.-C. Hu et al., arXiv:2404.03828 (the network); the states derived here, checked by
iteration.
"""

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, evaluated

_ABOUT = {
    "convention": "p <- softmax_1(K p), K = beta |x|^2, M orthogonal patterns of equal norm; "
    "energies times beta, E = K sum p^2/2 + ln p_0",
    "source": "Hu et al. 2024 (arXiv:2404.03828), the states derived here",
}
_NAMES = {
    "weight": "weight of the pattern that is retrieved",
    "other_weight": "weight of each other pattern",
    "zero_weight": "weight of the memory at zero",
    "energy": "energy times beta",
    "growth": "largest factor by which an update changes a small distance from the state",
}
_LARGEST = 700.0  # log odds beyond which exp overflows: weights below 1e-300 are not followed
_NEARLY_UNIFORM = 1e-7  # h of a saddle that is not told from the uniform state


def thresholds(n_patterns):
    """Where the single-pattern state appears, has the energy of the uniform one, and is alone.

        K_s = min over h of K(h);   K_c: equal energies;   K_u = M + 1/e

    Args:
        n_patterns: M, a whole number, a 1-D array or a DataArray. All is NaN for M = 1, where the
            one state is both; for M = 2 the three are one continuous transition.

    Returns:
        xarray.Dataset on the coordinate n_patterns with `appears` K_s, `weight` of the pattern at
        K_s, `equal` K_c, `weight_equal` and `uniform` K_u.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here, checked by iteration on either side.
    """
    names = {
        "appears": "K = beta |x|^2 from which the single-pattern state exists",
        "weight": "weight of the pattern where its state appears",
        "equal": "K at which single-pattern and uniform state have equal energies",
        "weight_equal": "weight of the pattern at equal energies",
        "uniform": "K up to which the uniform state is stable",
    }
    grid = common_grid(n_patterns=n_patterns)
    title = "orthogonal patterns and a memory at zero, transitions"
    return evaluated(grid, _thresholds, names, title, **_ABOUT)


def retrieval(n_patterns, self_overlap):
    """The single-pattern state.

    Args:
        n_patterns: M, a whole number, a 1-D array or a DataArray.
        self_overlap: K = beta |x|^2 > 0, likewise.

    Returns:
        xarray.Dataset on the grid of both with `weight`, `other_weight`, `zero_weight` p_0,
        `energy` (times beta: K sum p^2/2 + ln p_0) and `growth` (below 1: stable). NaN for K < K_s.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here, checked by iteration.
    """
    return _state(n_patterns, self_overlap, "single")


def solutions(n_patterns, self_overlap):
    """All states with at most one pattern apart from the rest.

    Args, Raises, Source: as `retrieval`.

    Returns:
        xarray.Dataset with `branch` as the first dimension: "single" (stable), "saddle" (between
        it and the uniform state, K_s < K < K_u: NaN elsewhere) and "uniform" (stable where
        growth < 1), and the variables of `retrieval`.
    """
    names = ["single", "saddle", "uniform"]
    found = [_state(n_patterns, self_overlap, name) for name in names]
    return branches(found, names, "orthogonal patterns and a memory at zero, all states")


# --- equations -----------------------------------------------------------------------------------


def _small(h):
    """y = K w at log odds h > 0, and its slope."""
    grown = np.expm1(np.minimum(h, _LARGEST))
    return h / grown, (1 - h * (1 + 1 / grown)) / grown


def _overlap(h, M):
    y, _ = _small(h)
    return h + y * (M + np.exp(-y))


def _slope(h, M):
    y, slope = _small(h)
    return 1 + slope * (M + (1 - y) * np.exp(-y))


def _fold(M):
    """h at the minimum of K(h), 0 for M <= 2."""
    found = np.zeros(M.size)
    some = M > 2
    if some.any():
        M = M[some]
        found[some] = roots(_slope, 0.1 * (0.5 - 1 / M), 2 * np.log(M) + 12, M)
    return found


def _uniform(M, K):
    """y = K w of the uniform state: K = y [M + exp(-y)] rises with y."""
    # K > y M, by more than rounding
    return roots(lambda y, M, K: y * (M + np.exp(-y)) - K, 0.0, K / M * (1 + 1e-9), M, K)


def _state(n_patterns, self_overlap, name):
    def found(M, K):
        M = M.astype(float)
        if not M.size:
            return dict.fromkeys(_NAMES, np.zeros(0))
        if name == "uniform":
            return _described(np.zeros(M.size), _uniform(M, K), M, K)
        h, fold = np.full(M.size, np.nan), np.maximum(_fold(M), _NEARLY_UNIFORM)
        possible = (M > 1) & (_overlap(fold, M) <= K)
        if name == "single":
            some = possible
            lower, upper = fold, np.maximum(K, fold)  # K(h) > h
        else:
            lower, upper = np.full(M.size, _NEARLY_UNIFORM), fold
            some = possible & (M > 2) & (_overlap(lower, M) >= K)
        if some.any():
            h[some] = roots(
                lambda h, M, K: _overlap(h, M) - K, lower[some], upper[some], M[some], K[some]
            )
        y = np.where(np.isnan(h), np.nan, _small(np.where(h > 0, h, 1.0))[0])
        alone = (M == 1) & (name == "single")
        if alone.any():
            h[alone], y[alone] = 0.0, _uniform(M[alone], K[alone])
        return _described(h, y, M, K)

    grid = common_grid(n_patterns=n_patterns, self_overlap=self_overlap)
    title = f"orthogonal patterns and a memory at zero, {name} state"
    return evaluated(grid, found, _NAMES, title, **_ABOUT, branch=name)


def _described(h, y, M, K):
    """name -> array (point,) of the state with log odds h and K w = y."""
    u, w = (h + y) / K, y / K
    zero = w * np.exp(-y)
    # changes that keep the others alike: (u, w) -> a matrix of trace and determinant
    trace = K * (u * (1 - u) + w * (1 - (M - 1) * w))
    determinant = K**2 * u * w * zero
    pair = (trace + np.sqrt(np.maximum(trace**2 - 4 * determinant, 0))) / 2
    together = np.where(M > 1, pair, K * u * (1 - u))
    others = np.where((M > 2) | ((M > 1) & (h == 0)), y, 0.0)
    return {
        "weight": u,
        "other_weight": np.where(M > 1, w, np.nan),
        "zero_weight": zero,
        "energy": K * (u**2 + (M - 1) * w**2) / 2 + np.log(w) - y,
        "growth": np.where(np.isnan(h), np.nan, np.maximum(together, others)),
    }


def _thresholds(M):
    M = M.astype(float)
    uniform = M + np.exp(-1)
    fold = _fold(M)
    some = fold > 0
    appears, equal = uniform.copy(), uniform.copy()
    weight, weight_equal = 1 / uniform, 1 / uniform
    if some.any():

        def difference(h, M):
            K, y = _overlap(h, M), _small(h)[0]
            return _described(h, y, M, K)["energy"] - _of_uniform(M, K)

        h, number = fold[some], M[some]
        for place, odds in enumerate(
            (h, roots(difference, h, np.maximum(4 * np.log(number) + 4, 2 * h), number))
        ):
            K = _overlap(odds, number)
            (appears, equal)[place][some] = K
            (weight, weight_equal)[place][some] = (odds + _small(odds)[0]) / K
    found = {
        "appears": appears,
        "weight": weight,
        "equal": equal,
        "weight_equal": weight_equal,
        "uniform": uniform,
    }
    return {name: np.where(M > 1, values, np.nan) for name, values in found.items()}


def _of_uniform(M, K):
    return _described(np.zeros(M.size), _uniform(M, K), M, K)["energy"]
