"""Fixed points of continuous networks whose patterns are orthogonal: the mean-field Potts model.

M patterns of equal norm with x_mu . x_nu = 0. With xi = sum_mu p_mu x_mu and K = beta |x|^2 the
update xi <- sum_mu p_mu x_mu, p = entmax_a(beta X xi), is p <- entmax_a(K p): a = 1 is softmax,
a = 2 sparsemax. At a fixed point p^(a-1)/(a-1) - K p is the same number for all p > 0 (ln p - K p
for a = 1), so p takes at most two values: u for k patterns and w = u exp(-h) for the others,

    K(h) = u^(a-2) [1 - exp(-(a-1) h)]/[(a-1) (1 - exp(-h))],   u = 1/[k + (M - k) exp(-h)]
    K(h) = k h + M h/(exp(h) - 1)                               a = 1

h = 0 is the uniform state, h -> infinity has u = 1/k. For k < M/2 the curve falls from M^(2-a) to
its minimum, then rises: a branch is a monotone piece of it. For a > 1 it ends at K = k^(2-a)/(a-1),
from where on the weights of the others are exactly zero. A change of p grows by at most the factor
`growth` in an update:

    between the two groups     K M (u w)^(2-a)/[k u^(2-a) + (M - k) w^(2-a)]
    within the k, the others   K u^(2-a), K w^(2-a)

K u^(2-a) > 1 wherever h > 0, so all states with k > 1 are saddles: a network of orthogonal patterns
retrieves one of them or all. No state has some but not all of the small weights
zero, as w > 0 needs K w^(2-a) <= 1 and a zero beside it K w^(2-a) >= 1/(a-1). For a > 2 states of
several patterns, with no weight for the others, can be stable as well. There the states in which
all weights are u or zero are given, with their growth, and NaN for what has two weights.

Sources: H. Ramsauer et al., ICLR 2021 (arXiv:2008.02217), softmax update; S. Santos, V. Niculae, D.
McNamee, A. F. T. Martins (arXiv:2402.13725), entmax and its margin; F. Y. Wu, Rev. Mod. Phys. 54
(1982) 235, mean-field Potts model; the curves and their folds for a > 1 derived here, checked by
iteration.
"""

from functools import partial
from numbers import Integral

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, evaluated

_ABOUT = {
    "convention": "p <- entmax_a(K p), K = beta |x|^2, M orthogonal patterns of equal norm; "
    "energies times beta, E = K (1 - sum p^2)/2 + Omega(p) - Omega(1/M)",
    "source": "Ramsauer et al. 2021 (a = 1); Santos et al. 2024, the folds for a > 1 derived here",
}
_NAMES = {
    "weight": "weight of each of the patterns that are retrieved",
    "other_weight": "weight of each other pattern",
    "energy": "energy times beta",
    "growth": "largest factor by which an update changes a small distance from the state",
    "n_effective": "number of patterns in the state, 1/sum of p^2",
}
_MOST_CONDENSED = 10**6


def thresholds(n_patterns, entmax_order=1.0):
    """Where the single-pattern state appears, has the energy of the uniform one, and is alone.

        K_s = min over h of K(h), k = 1       2 sqrt(1 - 1/M) and p = 1 - 1/M there for a = 3/2
        K_c: equal energies                   2 (M-1)/(M-2) ln(M-1) and p = 1 - 1/M for a = 1
        K_u = M^(2-a), up to which the uniform state is stable
        K_e = 1/(a-1), from which the state is exactly a pattern

    Between K_s and K_u both are stable. For M = 2 the three are one continuous transition; for
    a = 2 as well, at K = 1, where all weights are fixed and p = 1 is their limit for a -> 2. If the
    states become equal in energy where the single pattern is exact (M >= 9 for a = 3/2),
    K_c = 2 (1 - M^(1-a))/[a (a-1) (1 - 1/M)].

    Args:
        n_patterns: M, a whole number, a 1-D array or a DataArray. All is NaN for M = 1.
        entmax_order: a, a number >= 1, likewise.

    Returns:
        xarray.Dataset on the grid (n_patterns, entmax_order) with `appears` K_s, `weight` the
        largest p at K_s, `equal` K_c, `weight_equal` the largest p at K_c, `uniform` K_u and
        `exact` K_e (infinite for a = 1). The first four are NaN for a > 2 (see the module).

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: mean-field Potts model (a = 1); a > 1 derived here, checked by iteration on either side.
    """
    names = {
        "appears": "K = beta |x|^2 from which the single-pattern state exists",
        "weight": "weight of the pattern where its state appears",
        "equal": "K at which single-pattern and uniform state have equal energies",
        "weight_equal": "weight of the pattern at equal energies",
        "uniform": "K up to which the uniform state is stable",
        "exact": "K from which the single-pattern state is exactly the pattern",
    }
    grid = common_grid(n_patterns=n_patterns, entmax_order=entmax_order)
    return evaluated(grid, _thresholds, names, "orthogonal patterns, transitions", **_ABOUT)


def retrieval(n_patterns, self_overlap, entmax_order=1.0):
    """The single-pattern state: weight p_1 of the pattern that is retrieved.

    Args:
        n_patterns: M, a whole number, a 1-D array or a DataArray.
        self_overlap: K = beta |x|^2 > 0, likewise.
        entmax_order: a, >= 1, likewise.

    Returns:
        xarray.Dataset on the grid of the three with `weight`, `other_weight` (that of each other
        pattern), `energy` (times beta: K (1 - sum p^2)/2 + Omega(p) - Omega(1/M)), `growth` (the
        state is stable where it is below 1) and `n_effective`, 1/sum p^2. NaN for K < K_s, and
        for a > 2 below K_e = 1/(a-1).

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: as `thresholds`.
    """
    return _state(n_patterns, self_overlap, entmax_order, 1, "single")


def solutions(n_patterns, self_overlap, entmax_order=1.0):
    """All states with at most one pattern apart from the rest.

    Args, Raises, Source: as `retrieval`.

    Returns:
        xarray.Dataset with `branch` as the first dimension and the variables of `retrieval`:
        "single" (stable), "saddle" (the state between it and the uniform one, K_s < K < K_u: NaN
        elsewhere) and "uniform" (stable where growth < 1). At K_s single and saddle are one, at
        K_u saddle and uniform.
    """
    found = [
        _state(n_patterns, self_overlap, entmax_order, 1, name)
        for name in ("single", "saddle", "uniform")
    ]
    return branches(found, ["single", "saddle", "uniform"], "orthogonal patterns, all states")


def mixture(n_condensed, n_patterns, self_overlap, entmax_order=1.0):
    """States in which k patterns have the same, larger weight: saddles, for k > 1 and a <= 2.

    Args:
        n_condensed: k, a whole number from 1 to 10^6.
        n_patterns, self_overlap, entmax_order: as `retrieval`.

    Returns:
        xarray.Dataset with `branch` as the first dimension, "upper" (larger weights) and "lower"
        (K < K_u only), and the variables of `retrieval`. NaN where there is no such state, as for
        k >= M; for a > 2 "upper" is that of k weights 1/k, K >= k^(2-a)/(a-1), stable where its
        growth is below 1, and "lower" is NaN.

    Raises:
        ValueError: n_condensed is no such number; or as `retrieval`.

    Source: as `thresholds`.
    """
    if not isinstance(n_condensed, Integral) or not 1 <= n_condensed <= _MOST_CONDENSED:
        raise ValueError(
            f"n_condensed = {n_condensed!r} is not allowed; it must be a whole number from 1 to "
            f"{_MOST_CONDENSED}"
        )
    found = [
        _state(n_patterns, self_overlap, entmax_order, int(n_condensed), name)
        for name in ("single", "saddle")
    ]
    title = f"orthogonal patterns, states of {n_condensed}"
    return branches(found, ["upper", "lower"], title)


def one_update(n_patterns, self_overlap, entmax_order=1.0):
    """The weight of a pattern after one update from the pattern itself.

        p_1 = e^K/(e^K + M - 1)   a = 1;    p_1 = 1 for K >= 1/(a-1)

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset on the grid of the three with `weight`, for any K, with or without a
        single-pattern state.

    Source: derived here (an exact statement, checked by updates of a network).
    """

    def weights(M, K, a):
        with np.errstate(divide="ignore", invalid="ignore"):
            log_odds = np.where((a - 1) * K < 1, -np.log1p(-(a - 1) * K) / (a - 1), np.inf)
        log_odds = np.where(a == 1, K, log_odds)  # of u to w where all others have no weight
        inside = np.isfinite(log_odds) & (a > 1) & (M > 1)

        def excess(h, M, K, a):
            u = 1 / (1 + (M - 1) * np.exp(-h))
            return u ** (a - 1) * _falling(h, a) - K

        if inside.any():
            # u < 1 lowers the left side, so that h is larger than if the others had no weight
            upper = log_odds[inside] + np.log(M[inside]) + 1
            upper = _lifted(excess, upper, M[inside], K[inside], a[inside])
            lower = log_odds[inside] * (1 - 1e-9)  # by more than rounding
            log_odds[inside] = roots(excess, lower, upper, M[inside], K[inside], a[inside])
        return {"weight": 1 / (1 + (M - 1) * np.exp(-log_odds))}

    names = {"weight": "weight of the pattern after one update from it"}
    grid = common_grid(n_patterns=n_patterns, self_overlap=self_overlap, entmax_order=entmax_order)
    return evaluated(grid, weights, names, "orthogonal patterns, one update", **_ABOUT)


# --- equations -----------------------------------------------------------------------------------


def _falling(h, a):
    """[1 - exp(-(a-1) h)]/(a-1), which is h for a = 1."""
    slow = np.where(a > 1, a - 1, 1.0)
    return np.where(a > 1, -np.expm1(-slow * h) / slow, h)


def _overlap(h, M, k, a):
    """K(h)."""
    log_u = -np.log(k + (M - k) * np.exp(-h))
    return np.exp((a - 2) * log_u) * _falling(h, a) / -np.expm1(-h)


def _longitudinal(h, M, k, a):
    """Growth between the groups: above 1 where K(h) falls."""
    ratio = np.exp(-(2 - a) * h)  # (w/u)^(2-a)
    return _falling(h, a) / -np.expm1(-h) * M * ratio / (k + (M - k) * ratio)


def _fold(M, k, a):
    """h at the minimum of K(h), a <= 2: 0 where it rises from the start, infinite where flat."""
    found = np.where((a == 2) & (k < M / 2), np.inf, 0.0)
    curved = (k < M / 2) & (a < 2)
    if curved.any():
        M, a = M[curved], a[curved]
        # near k = M/2 the minimum is at 6 (1/2 - k/M); for many patterns at (ln M)/(2-a)
        lower, upper = 0.5 - k / M, (2 * np.log(M) + 12) / (2 - a)
        found[curved] = roots(
            lambda h, M, a: _longitudinal(h, M, k, a) - 1, 0.1 * lower, upper, M, a
        )
    return found


def _lifted(excess, upper, *parameters):
    """Upper ends of brackets, doubled until the excess there is not negative."""
    upper = upper.copy()
    for _ in range(60):
        low = excess(upper, *parameters) < 0
        if not low.any():
            break
        upper[low] *= 2
    return upper


def _log_odds(M, K, k, a, name):
    """h of a state (point,); NaN where there is none, infinite where others have no weight."""
    if name == "uniform":
        return np.zeros(M.size)
    h = np.full(M.size, np.nan)
    fold = _fold(M, k, a)
    possible = k < M
    start = np.where(np.isfinite(fold), np.maximum(fold, 1e-9), 1.0)
    least = np.where(a == 2, 1.0, _overlap(start, M, k, a))
    least = np.where(fold > 0, least, M ** (2 - a))
    if name == "saddle":
        some = possible & (fold > 0) & (a < 2) & (K >= least) & (K < M ** (2 - a))
        if some.any():
            tiny = 1e-9 * fold[some]
            curve = partial(_away, k=k)
            near = _away(tiny, M[some], K[some], a[some], k=k) < 0  # K just below K_u
            h[some] = tiny
            far = np.flatnonzero(some)[~near]
            if far.size:
                h[far] = roots(curve, 1e-9 * fold[far], fold[far], M[far], K[far], a[far])
        return h
    exact = possible & (a > 1)
    exact[exact] &= ((a - 1) * K * k ** (a - 2))[exact] >= 1
    h[exact] = np.inf
    some = possible & ~exact & (a <= 2) & ((K > least) | ((K == least) & (fold > 0)))
    if some.any():
        M, K, a, start = M[some], K[some], a[some], start[some]
        # K(h) >= k^(2-a) times the falling function, which bounds h
        reach = (a - 1) * K * k ** (a - 2)
        slow = np.where(a > 1, a - 1, 1.0)
        bound = np.where(a > 1, -np.log1p(-reach) / slow, K / k)
        upper = np.maximum(bound, start) * (1 + 1e-9)
        inside = _away(upper, M, K, a, k=k) > 0
        found = upper  # where rounding does not tell it from the end of the curve
        found[inside] = roots(
            partial(_away, k=k), start[inside], upper[inside], M[inside], K[inside], a[inside]
        )
        h[some] = found
    return h


def _away(h, M, K, a, k):
    return _overlap(h, M, k, a) - K


def _state(n_patterns, self_overlap, entmax_order, k, name):
    def found(M, K, a):
        M = M.astype(float)
        h = _log_odds(M, K, k, a, name)
        if name == "single" and k == 1:
            h = np.where(M == 1, 0.0, h)  # a pattern alone is both
        return _described(h, M, K, np.full_like(M, k), a)

    grid = common_grid(n_patterns=n_patterns, self_overlap=self_overlap, entmax_order=entmax_order)
    title = f"orthogonal patterns, {name} state"
    return evaluated(grid, found, _NAMES, title, **_ABOUT, branch=name)


def _described(h, M, K, k, a):
    """name -> array (point,) of the state with log odds h."""
    ratio = np.exp(-h)
    u = 1 / (k + (M - k) * ratio)
    w = u * ratio
    squares = k * u**2 + (M - k) * w**2
    with np.errstate(divide="ignore", invalid="ignore"):
        log = k * u * np.log(u) + np.where(w > 0, (M - k) * w * np.log(w), 0.0) + np.log(M)
        order = np.where(a > 1, a, 2.0)
        power = (k * u**order + (M - k) * w**order - M ** (1 - order)) / (order * (order - 1))
        between = np.where(h > 0, np.where(np.isinf(h), 0.0, _longitudinal(h, M, k, a)), 0.0)
        response_w = np.where(w > 0, K * w ** (2 - a), 0.0)
    response_u = K * u ** (2 - a)
    uniform = h == 0  # no group is apart from the other
    growth = np.maximum(between, np.where((k > 1) | (uniform & (M > 1)), response_u, 0.0))
    growth = np.maximum(growth, np.where(M - k > 1, response_w, 0.0))
    return {
        "weight": u,
        "other_weight": np.where(M > 1, w, np.nan),
        "energy": K * (1 - squares) / 2 + np.where(a > 1, power, log),
        "growth": np.where(np.isnan(h), np.nan, growth),
        "n_effective": 1 / squares,
    }


def _thresholds(M, a):
    M = M.astype(float)
    one = np.ones_like(M)
    fold = _fold(M, 1, a)
    with np.errstate(divide="ignore"):
        exact = 1 / (a - 1)
    uniform = M ** (2 - a)
    finite = np.isfinite(fold) & (fold > 0)
    appears = uniform.copy()
    appears[finite] = _overlap(fold[finite], M[finite], 1, a[finite])
    log_odds = _equal(M, a, fold, finite)
    equal = uniform.copy()
    equal[finite] = _overlap(log_odds[finite], M[finite], 1, a[finite])
    end = np.isinf(log_odds) & finite
    equal[end] = 2 * (1 - M[end] ** (1 - a[end])) / (a[end] * (a[end] - 1) * (1 - 1 / M[end]))
    found = {
        "appears": appears,
        "weight": one / (1 + (M - 1) * np.exp(-fold)),
        "equal": equal,
        "weight_equal": one / (1 + (M - 1) * np.exp(-np.where(finite, log_odds, fold))),
    }
    found = {name: np.where(a <= 2, values, np.nan) for name, values in found.items()}
    found |= {"uniform": uniform, "exact": exact}
    return {name: np.where(M > 1, values, np.nan) for name, values in found.items()}


def _equal(M, a, fold, finite):
    """h on the rising branch at which its energy is that of the uniform state (point,)."""

    def difference(h, M, a):
        K = _overlap(h, M, 1, a)
        single = _described(h, M, K, np.ones_like(M), a)["energy"]
        return single - K * (1 - 1 / M) / 2

    found = np.full(M.size, np.inf)
    # 2 ln(M-1) for a = 1 and no less, the exact end of the curve (where w vanishes) at most
    with np.errstate(divide="ignore"):
        end = np.where(a > 1, 45 / (a - 1), 4 * np.log(M) + 4)
    upper = np.maximum(end, 1.01 * np.where(finite, fold, 0))
    inside = finite.copy()
    inside[finite] = difference(upper[finite], M[finite], a[finite]) < 0
    if inside.any():
        found[inside] = roots(difference, fold[inside], upper[inside], M[inside], a[inside])
    return found
