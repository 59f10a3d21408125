"""Fixed points of softmax networks with clusters of similar patterns: a Potts model of two levels.

G clusters of M patterns of equal norm: x . x' = c |x|^2 within a cluster and 0 between clusters.
With K = beta |x|^2 and P_g, the sum of the weights p of a cluster, the update is

    p_gi <- softmax(K [c P_g + (1 - c) p_gi])

Three kinds of states attract. With kappa = K (1 - c), gamma = c/(1 - c):

- global: all weights are 1/(G M), stable up to K = G M/[1 + c (M - 1)];
- cluster: equal weights within clusters, one of which stands out: a Potts model of G patterns with
  K [c + (1 - c)/M] in place of K. A cluster state falls apart where kappa P_1 = M;
- single pattern: u for one pattern, v for the others of its cluster, w elsewhere. With
  h = ln(u/v), y = h/(exp(h) - 1), kappa v = y, kappa u = h + y and kappa w = y'

      K(h) = [h + M y + (G - 1) M y']/(1 - c),
      ln y' - (1 + gamma M) y' = ln y - y - gamma (h + M y),   the smaller root y' (Lambert's W_0)

  which starts at h = 0 at the instability of the cluster state and exists from the minimum on.

So the descent of beta from a pattern leaves it at K_s = min K(h), for the cluster where that state
exists at K_s, else for all patterns at once. c = 0 is the network of G M orthogonal patterns.

Source: derived here; checked by iteration of networks on both sides of each line. Potts model of
one level: F. Y. Wu, Rev. Mod. Phys. 54 (1982) 235; kinds of states: H. Ramsauer et al., ICLR 2021.
"""

import numpy as np
from scipy.special import lambertw

from hopfield_sim.theory import modern_states
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, evaluated

_ABOUT = {
    "convention": "p <- softmax(K Q p), Q = 1, c within clusters, 0 else; K = beta |x|^2; energies "
    "times beta, E = K (1 - p Q p)/2 + sum p ln p + ln(G M)",
    "source": "derived here, checked by iteration; Ramsauer et al. 2021 for the kinds of states",
}
_MEANINGS = {
    "n_clusters": "number of clusters G",
    "n_patterns": "number of patterns M of a cluster",
}
_NAMES = {
    "weight": "weight of the pattern that is retrieved",
    "member_weight": "weight of each other pattern of its cluster",
    "other_weight": "weight of each pattern of the other clusters",
    "cluster_weight": "sum of the weights of its cluster",
    "n_effective": "number of patterns in the state, 1/sum of p^2",
    "energy": "energy times beta",
    "growth": "largest factor by which an update changes a small distance from the state",
}
_NEARLY_EQUAL = 1e-6  # log odds of two weights that are hardly told apart
_LARGEST = 700.0  # log odds beyond which exp overflows: weights below 1e-300 are not followed
_HIGHEST = 60.0  # log odds at which a pattern has all the weight of its cluster, to rounding
_SCAN = 240


def thresholds(n_clusters, n_patterns, cluster_overlap):
    """Where the states appear and where they lose their stability.

    Args:
        n_clusters: G >= 2, a whole number, a 1-D array or a DataArray.
        n_patterns: M, patterns of a cluster, likewise.
        cluster_overlap: c in [0, 1), likewise.

    Returns:
        xarray.Dataset on the grid of the three with values of K = beta |x|^2: `single`, from which
        the single-pattern state exists; `weight`, that of the pattern there; `cluster`, from which
        the cluster state exists (it may be unstable); `split`, up to which the cluster state is
        stable; and `uniform`, up to which the global state is. NaN for M = 1 in `single`, `weight`
        and `split`: the cluster is the pattern. `split` is NaN also where the cluster state is
        unstable wherever it exists.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here; see the module.
    """

    def lines(G, M, c):
        G, M = G.astype(float), M.astype(float)
        cluster = modern_states.thresholds(_along(G)).appears.values / (c + (1 - c) / M)
        single, weight, split = (np.full(G.size, np.nan) for _ in range(3))
        some = M > 1
        if some.any():
            where = G[some], M[some], c[some]
            h = _fold(*where)
            single[some] = _overlap(h, *where)
            weight[some] = _weight(h, *where)
            # the cluster state with kappa P_1 = M, if it is on its stable branch
            split[some] = _split(*where)
        uniform = G * M / (1 + c * (M - 1))
        return {
            "single": single,
            "weight": weight,
            "cluster": cluster,
            "split": split,
            "uniform": uniform,
        }

    names = {
        "single": "K = beta |x|^2 from which the single-pattern state exists",
        "weight": "weight of the pattern where its state appears",
        "cluster": "K from which the cluster state exists",
        "split": "K up to which the cluster state is stable",
        "uniform": "K up to which the global state is stable",
    }
    grid = _grid(n_clusters, n_patterns, cluster_overlap)
    return evaluated(grid, lines, names, "clusters of patterns, transitions", **_ABOUT)


def solutions(n_clusters, n_patterns, cluster_overlap, self_overlap):
    """The three kinds of states that can attract.

    Args:
        n_clusters, n_patterns, cluster_overlap: as `thresholds`.
        self_overlap: K = beta |x|^2 > 0, a number, a 1-D array or a DataArray.

    Returns:
        xarray.Dataset with `branch` as the first dimension, "single", "cluster" and "global", and
        `weight`, `member_weight`, `other_weight`, `cluster_weight`, `n_effective` = 1/sum p^2,
        `energy` (times beta) and `growth` (below 1: stable). NaN where there is no such state.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: derived here; see the module.
    """
    names = ["single", "cluster", "global"]
    arguments = (n_clusters, n_patterns, cluster_overlap, self_overlap)
    found = [_state(*arguments, name) for name in names]
    return branches(found, names, "clusters of patterns, all states that can attract")


def retrieval(n_clusters, n_patterns, cluster_overlap, self_overlap):
    """The state that retrieval from a pattern ends in.

    Single pattern where that state exists, else the cluster, else all patterns: the weights of the
    pattern and its cluster fall in every update until they meet the first fixed point.

    Args, Raises, Source: as `solutions`.

    Returns:
        xarray.Dataset on the grid of the four, with the variables of `solutions` and `kind`, 0 for
        the global, 1 for the cluster, 2 for the single-pattern state.
    """
    found = solutions(n_clusters, n_patterns, cluster_overlap, self_overlap)
    single, cluster, all_of_them = (found.isel(branch=place, drop=True) for place in range(3))
    state = single.fillna(cluster).fillna(all_of_them)
    exists, falls_to = single.weight.notnull(), cluster.weight.notnull()
    kind = (2.0 * exists + falls_to.where(~exists, False)).assign_attrs(
        long_name="0 global, 1 cluster, 2 single pattern", units="1"
    )
    return state.assign(kind=kind).assign_attrs(
        found.attrs | {"title": "clusters of patterns, retrieval from a pattern"}
    )


# --- equations -----------------------------------------------------------------------------------


def _along(values):
    """Flat values as a DataArray, so that theories take them point by point."""
    import xarray as xr

    return xr.DataArray(values, dims="point")


def _grid(n_clusters, n_patterns, cluster_overlap, **more):
    return common_grid(
        _MEANINGS,
        n_clusters=n_clusters,
        n_patterns=n_patterns,
        cluster_overlap=cluster_overlap,
        **more,
    )


def _small(h):
    return h / np.expm1(np.minimum(h, _LARGEST))


def _elsewhere(h, y, M, c):
    """y' = kappa w, the smaller root; NaN where there is none."""
    gamma = c / (1 - c)
    log = np.log(y) - y - gamma * (h + M * y)
    argument = -(1 + gamma * M) * np.exp(log)
    some = argument >= -np.exp(-1) * (1 + 1e-12)
    found = -lambertw(np.where(some, np.maximum(argument, -np.exp(-1)), 0.0)).real / (1 + gamma * M)
    # without similarity the others of the cluster are as any other pattern
    return np.where(c == 0, y, np.where(some, found, np.nan))


def _overlap(h, G, M, c):
    """K(h) of the single-pattern state."""
    y = _small(h)
    return (h + M * y + (G - 1) * M * _elsewhere(h, y, M, c)) / (1 - c)


def _slope(h, G, M, c):
    """The sign of dK/dh."""
    gamma, grown = c / (1 - c), np.expm1(h)
    y = h / grown
    other = _elsewhere(h, y, M, c)
    slope = (1 - h * (1 + 1 / grown)) / grown
    right = slope / y - slope - gamma * (1 + M * slope)
    follows = right * other / (1 - (1 + gamma * M) * other)
    return 1 + M * slope + (G - 1) * M * np.where(c == 0, slope, follows)


def _fold(G, M, c):
    """h at the minimum of K(h), the last one: from there on K rises."""
    scan = np.geomspace(1e-3, _HIGHEST, _SCAN)
    rises = _slope(scan[:, None], G, M, c) > 0
    last = _SCAN - 1 - np.argmax(~rises[::-1], axis=0)  # the last place at which it falls
    falls = ~rises.all(axis=0)
    found = np.full(G.size, _NEARLY_EQUAL)
    if falls.any():
        place = last[falls]
        found[falls] = roots(_slope, scan[place], scan[place + 1], G[falls], M[falls], c[falls])
    return found


def _split(G, M, c):
    """K at which kappa P_1 = M on the upper branch of the cluster state: h = 0, y = 1."""
    found = M * (1 + (G - 1) * _elsewhere(np.zeros(M.size), np.ones(M.size), M, c)) / (1 - c)
    own = modern_states.retrieval(_along(G), _along(found * (c + (1 - c) / M))).weight.values
    upper = np.abs(found * (1 - c) * own / M - 1) < 1e-6  # else it is the saddle that has it
    return np.where(upper, found, np.nan)


def _weight(h, G, M, c):
    return (h + _small(h)) / (_overlap(h, G, M, c) * (1 - c))


def _state(n_clusters, n_patterns, cluster_overlap, self_overlap, name):
    def found(G, M, c, K):
        G, M = G.astype(float), M.astype(float)
        if name == "global":
            u = v = w = 1 / (G * M)
        elif name == "cluster":
            own = modern_states.retrieval(_along(G), _along(K * (c + (1 - c) / M)))
            u = v = own.weight.values / M
            w = own.other_weight.values / M
        else:
            u, v, w = _single(G, M, c, K)
        return _described(u, v, w, G, M, c, K)

    grid = _grid(n_clusters, n_patterns, cluster_overlap, self_overlap=self_overlap)
    title = f"clusters of patterns, {name} state"
    return evaluated(grid, found, _NAMES, title, **_ABOUT, branch=name)


def _single(G, M, c, K):
    """u, v, w of the single-pattern state (point,), NaN where there is none."""
    h = np.full(G.size, np.nan)
    some = M > 1
    if some.any():
        start = np.full(G.size, np.nan)
        start[some] = _fold(G[some], M[some], c[some])
        some &= _overlap(np.where(some, start, 1.0), G, M, c) <= K
        where = G[some], M[some], c[some], K[some]

        def away(h, G, M, c, K):
            return _overlap(h, G, M, c) - K

        if some.any():
            # K(h) > h/(1 - c), by more than rounding
            upper = np.maximum(start, K * (1 - c))[some] * (1 + 1e-9)
            h[some] = roots(away, start[some], upper, *where)
    kappa, exists = K * (1 - c), np.isfinite(h)
    y = _small(np.where(exists, h, 1.0))
    other = _elsewhere(np.where(exists, h, 1.0), y, M, c)
    return tuple(np.where(exists, p, np.nan) / kappa for p in (h + y, y, other))


def _described(u, v, w, G, M, c, K):
    """name -> array (point,) of a state with these three weights."""
    rest = (G - 1) * M
    own, other = u + (M - 1) * v, M * w
    overlap = c * (own**2 + (G - 1) * other**2)
    squares = u**2 + (M - 1) * v**2 + rest * w**2
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = sum(
            np.where(p > 0, n * p * np.log(p), np.where(np.isnan(p), np.nan, 0.0))
            for n, p in ((1, u), (M - 1, v), (rest, w))
        )
    return {
        "weight": u,
        "member_weight": np.where(M > 1, v, np.nan),
        "other_weight": w,
        "cluster_weight": own,
        "n_effective": 1 / squares,
        "energy": K * (1 - overlap - (1 - c) * squares) / 2 + entropy + np.log(G * M),
        "growth": _growth(u, v, w, G, M, c, K),
    }


def _growth(u, v, w, G, M, c, K):
    """Largest eigenvalue of the update's derivative (point,)."""
    kappa = K * (1 - c)
    p = np.stack([u, v, w], axis=-1)
    number = np.stack([np.ones_like(M), M - 1, (G - 1) * M], axis=-1)
    # fields z (point, 3) are this matrix times the three weights
    fields = np.zeros((*p.shape, 3))
    fields[:, :2, 0], fields[:, :2, 1] = (K * c)[:, None], (K * c * (M - 1))[:, None]
    fields[:, 2, 2] = K * c * M + kappa
    fields[:, 0, 0] += kappa
    fields[:, 1, 1] += kappa
    shared = (number * p)[:, None, :] * np.ones((3, 1))
    matrix = p[:, :, None] * ((np.eye(3) - shared) @ fields)
    inside = np.isfinite(matrix).all(axis=(1, 2))
    found = np.full(u.size, np.nan)
    some = matrix[inside]
    # without other patterns of the cluster there is nothing that v could be
    some[M[inside] == 1, 1, :] = 0.0
    found[inside] = np.linalg.eigvals(some).real.max(axis=-1)
    alike = u == v
    for growing, there in (
        (kappa * v, (M > 2) | (alike & (M > 1))),
        (kappa * w, M > 1),
        (w * (K * c * M + kappa), G > 2),
    ):
        found = np.where(there, np.maximum(found, growing), found)
    return np.where(inside, found, np.nan)
