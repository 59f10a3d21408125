"""How many patterns any couplings can store: Gardner's volume of the perceptron.

One neuron with N inputs and output sigma = sign(J.xi), couplings J on the sphere |J|^2 = N, and
P = alpha N random input-output pairs. A solution of stability kappa has

    sigma^mu J.xi^mu/sqrt(N) >= kappa   for all mu = 1..P.

Every neuron of a network with free, not symmetric couplings is such a perceptron, so that the
capacity bounds the number of fixed points of any network. P/N is the load, N -> infinity.

Replica symmetry is exact for kappa >= 0, where the solutions on the sphere form one convex piece:
at the capacity the replicon is 2 kappa alpha_c I1 >= 0 in the notation below. For kappa < 0 it is
negative and the replica-symmetric number only an upper bound, so a negative stability is refused.

    I1(x) = E (z + x)_+ = x Phi(x) + phi(x),   I2(x) = E (z + x)_+^2 = (1 + x^2) Phi(x) + x phi(x),

z a standard Gaussian, E its average, phi its density and Phi its distribution function.

Sources: E. Gardner, J. Phys. A 21 (1988) 257 (capacity, also for biased patterns; volume);
E. Gardner, B. Derrida, J. Phys. A 21 (1988) 271; T. M. Cover, IEEE Trans. Electron. Comput. EC-14
(1965) 326 (finite N).
"""

import numpy as np
from scipy.special import erfcx, expit, log_ndtr, ndtr
from scipy.stats import binom

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import common_grid, evaluated

_CONVENTION = "perceptron, |J|^2 = N, stability sigma J.xi/sqrt(N); alpha = P/N, N -> infinity"
_SOURCE = "Gardner 1988"
_ALPHA = {"alpha": "input-output pairs per input, P/N"}
_LONG_NAMES = {
    "alpha": "capacity, largest number of pairs per input",
    "stability": "largest stability kappa",
    "replicon": "stability of replica symmetry, stable where it is positive",
    "residual": "error of the equations",
}

# Panels of the volume's integrals: widths double from that of the kink, up to 1 on [-10, 10].
_DOUBLINGS = 2.0 ** np.arange(30)
_COARSE = np.arange(-10.0, 11.0)
_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(12)
# Beyond it the excess of Mills' ratio is taken from its continued fraction.
_CROSSOVER = 10.0
_DEPTH = 30
_ZERO_SLOPE = np.sqrt(2 / np.pi)  # of -ln H at 0; Mills' ratio is below it plus x_+


def capacity(stability, bias=0.0):
    """alpha_c(kappa), above which no couplings store the pairs with that stability.

        1/alpha_c = I2(kappa)                        unbiased; alpha_c(0) = 2

    For pairs with P(+1) = (1 + b)/2 of inputs and output, s^2 = 1 - b^2, k = kappa/s and x from
    (1 + b)/2 I1(x) = (1 - b)/2 I1(2k - x),

        1/alpha_c = (1 + b)/2 I2(x) + (1 - b)/2 I2(2k - x)

    Args:
        stability: kappa, a number, a 1-D array or a DataArray, >= 0.
        bias: mean b of the entries of inputs and output, likewise, in (-1, 1). Plain arrays span
            the grid (stability, bias).

    Returns:
        xarray.Dataset on that grid with `alpha`, `replicon` (2 k alpha_c (1 + b)/2 I1(x), zero
        at kappa = 0) and `residual` (of the equation for x, relative).

    Raises:
        ValueError: a negative stability, where replica symmetry is broken; a parameter outside
            its domain, or unnamed axes.

    Source: Gardner, J. Phys. A 21 (1988) 257; the replicon derived here.
    """
    grid = common_grid(stability=stability, bias=bias)
    _require_replica_symmetry(grid[0])
    names = {name: _LONG_NAMES[name] for name in ("alpha", "replicon", "residual")}
    title = "capacity of the perceptron"
    return evaluated(grid, _capacity, names, title, convention=_CONVENTION, source=_SOURCE)


def largest_stability(alpha, bias=0.0):
    """kappa_max(alpha), the stability of the optimal perceptron: alpha_c(kappa_max) = alpha.

    Args:
        alpha: pairs per input P/N, a number, a 1-D array or a DataArray, > 0.
        bias: as for `capacity`. Plain arrays span the grid (alpha, bias).

    Returns:
        xarray.Dataset on that grid with `stability`, `replicon` and `residual` (|alpha_c/alpha - 1|
        there, or that of `capacity`). NaN above alpha_c(0), 2 without bias.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Gardner, J. Phys. A 21 (1988) 257.
    """
    grid = common_grid(_ALPHA, alpha=alpha, bias=bias)

    def equations(alpha, bias):
        found = {
            name: np.full(alpha.size, np.nan) for name in ("stability", "replicon", "residual")
        }
        points = np.flatnonzero(alpha <= _capacity(np.zeros(alpha.size), bias)["alpha"])
        loads, biases = alpha[points], bias[points]

        def excess(kappa, alpha, bias):
            return np.log(_capacity(kappa, bias)["alpha"] / alpha)

        # 1/alpha_c >= (1 - b)/2 I2(k) >= kappa^2/4 for b >= 0
        kappa = roots(excess, 0.0, 2 / np.sqrt(loads), loads, biases)
        there = _capacity(kappa, biases)
        found["stability"][points] = kappa
        found["replicon"][points] = there["replicon"]
        error = np.abs(there["alpha"] / loads - 1)
        found["residual"][points] = np.maximum(error, there["residual"])
        return found

    names = {name: _LONG_NAMES[name] for name in ("stability", "replicon", "residual")}
    title = "largest stability of the perceptron"
    return evaluated(grid, equations, names, title, convention=_CONVENTION, source=_SOURCE)


def volume(alpha, stability):
    """The volume of all solutions, and how alike two of them typically are, below the capacity.

        q/(1 - q) = alpha E (phi(u)/H(u))^2,   u = (kappa + sqrt(q) z)/sqrt(1 - q)
        s = (1/2) ln(1 - q) + q/(2 (1 - q)) + alpha E ln H(u),   H(u) = 1 - Phi(u)

    s is stationary in q. For alpha -> 0 all couplings are solutions: q -> alpha (phi/H)^2(kappa),
    s -> alpha ln H(kappa). At the capacity there is one left: q -> 1, s -> -infinity.

    Args:
        alpha: pairs per input P/N, a number, a 1-D array or a DataArray, > 0.
        stability: kappa, likewise, >= 0. Plain arrays span the grid (alpha, stability).

    Returns:
        xarray.Dataset on that grid with `q` (overlap J^a.J^b/N of two solutions), `entropy` (s,
        the logarithm of the part of the sphere that solves, per input), `replicon`
        (1 - alpha E ((phi/H)'(u))^2) and `residual` (|q - (1 - q) alpha E (phi/H)^2|). NaN at and
        above the capacity, where there are no solutions.

    Raises:
        ValueError: a negative stability, a parameter outside its domain, or unnamed axes.

    Source: Gardner, J. Phys. A 21 (1988) 257 (unbiased pairs).
    """
    grid = common_grid(_ALPHA, alpha=alpha, stability=stability)
    _require_replica_symmetry(grid[1])

    def equations(alpha, kappa):
        found = {name: np.full(alpha.size, np.nan) for name in names}
        share = alpha * _squared_excess(kappa)  # alpha/alpha_c
        points = np.flatnonzero(share < 1 - 1e-14)
        for name, values in _volume(alpha[points], kappa[points], share[points]).items():
            found[name][points] = values
        return found

    names = {
        "q": "overlap of two solutions",
        "entropy": "logarithm of the part of the sphere that solves, per input",
        "replicon": _LONG_NAMES["replicon"],
        "residual": _LONG_NAMES["residual"],
    }
    title = "volume of the solutions of the perceptron"
    return evaluated(grid, equations, names, title, convention=_CONVENTION, source=_SOURCE)


def separability(n_patterns, n_neurons):
    """Probability that P input-output pairs are separable by a perceptron with N inputs, at any N.

        2^(1 - P) sum_{k < N} binomial(P - 1, k)

    1 for P <= N, exactly 1/2 at P = 2 N, and a step at alpha = 2 for N -> infinity. For random
    outputs and inputs in general position (continuous ones; for +-1 inputs it is the limit of
    large N), kappa = 0, no threshold.

    Args:
        n_patterns: pairs P, a number, a 1-D array or a DataArray, whole numbers >= 1.
        n_neurons: inputs N, likewise. Plain arrays span the grid (n_patterns, n_neurons).

    Returns:
        xarray.Dataset on that grid with `probability` and `log_probability` (which does not
        underflow).

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Cover, IEEE Trans. Electron. Comput. EC-14 (1965) 326.
    """
    grid = common_grid(
        {"n_patterns": "number P of input-output pairs", "n_neurons": "number N of inputs"},
        n_patterns=n_patterns,
        n_neurons=n_neurons,
    )

    def equations(P, N):
        log = binom.logcdf(N - 1, P - 1, 0.5)
        tiny = np.flatnonzero(~(log > -700))
        log[tiny] = _log_tail(N[tiny] - 1, P[tiny] - 1)
        return {"probability": np.exp(log), "log_probability": log}

    names = {
        "probability": "probability that a perceptron exists",
        "log_probability": "logarithm of the probability that a perceptron exists",
    }
    return evaluated(
        grid,
        equations,
        names,
        "separability of finitely many pairs",
        convention="P pairs in general position in N dimensions, no threshold, stability 0",
        source="Cover 1965",
    )


def _require_replica_symmetry(stability):
    if np.any(stability.values < 0):
        raise ValueError(
            f"stability = {stability.values.min():g} is not allowed; it must be >= 0: for negative "
            "stability replica symmetry is broken and its capacity only an upper bound"
        )


def _capacity(kappa, bias):
    """alpha_c, replicon and residual (point,)."""
    bias = np.abs(bias)
    more, less = (1 + bias) / 2, (1 - bias) / 2
    k = kappa / np.sqrt(1 - bias**2)
    log_ratio = 2 * np.arctanh(bias)

    def excess(x, k, log_ratio):
        return _log_mean_excess(x) - _log_mean_excess(2 * k - x) + log_ratio

    # I1(-t) <= phi(t), and I1(2k - x) >= I1(0) = phi(0)
    x = roots(excess, -np.sqrt(2 * log_ratio), k, k, log_ratio)
    alpha = 1 / (more * _squared_excess(x) + less * _squared_excess(2 * k - x))
    replicon = 2 * k * alpha * more * np.exp(_log_mean_excess(x))
    return {
        "alpha": alpha,
        "replicon": replicon,
        "residual": np.abs(np.expm1(excess(x, k, log_ratio))),
    }


def _log_mean_excess(x):
    """ln I1(x)."""
    below = np.minimum(x, 0)
    mills, over = _mills(-below)
    log_density = -(below**2) / 2 - np.log(2 * np.pi) / 2
    positive = np.maximum(x, 0)
    above = positive * ndtr(positive) + np.exp(-(positive**2) / 2) / np.sqrt(2 * np.pi)
    return np.where(x < 0, log_density + np.log(over / mills), np.log(above))


def _squared_excess(x):
    """I2(x)."""
    below = np.minimum(x, 0)
    positive = np.maximum(x, 0)
    density = np.exp(-(positive**2) / 2) / np.sqrt(2 * np.pi)
    above = (1 + positive**2) * ndtr(positive) + positive * density
    return np.where(x < 0, ndtr(below) * (1 + below * _mills(-below)[1]), above)


def _mills(u):
    """phi(u)/H(u) and how far it is above u, both to full relative precision."""
    near = np.minimum(u, _CROSSOVER)
    with np.errstate(over="ignore"):  # far below 0 the ratio is 0
        ratio = _ZERO_SLOPE / erfcx(near / np.sqrt(2))
    over = ratio - near
    far = u > _CROSSOVER
    if np.any(far):
        x = u[far]
        fraction = x
        for depth in range(_DEPTH, 0, -1):  # u + 1/(u + 2/(u + 3/(u + ...
            fraction = x + depth / fraction if depth > 1 else fraction
        over[far] = 1 / fraction
        ratio[far] = x + over[far]
    return ratio, over


def _volume(alpha, kappa, share):
    """The saddle point at the loads alpha = share alpha_c (point,)."""

    def error(log_odds, alpha, kappa):
        u, weights = _field(log_odds, kappa)
        return log_odds - np.log(alpha * np.sum(weights * _mills(u)[0] ** 2, axis=1))

    # phi/H is convex and above sqrt(2/pi): a lower bound. It is below x_+ + sqrt(2/pi): with
    # y = (1 - q)^(-1/2) then y^2 - 1 <= (y sqrt(share) + sqrt(2 alpha/pi))^2.
    lower = np.log(alpha) + 2 * np.log(_mills(kappa)[0])
    linear = _ZERO_SLOPE * np.sqrt(alpha * share)
    free = 1 - share
    y = (linear + np.sqrt(linear**2 + free * (1 + _ZERO_SLOPE**2 * alpha))) / free
    upper = np.log((y - 1) * (y + 1))
    log_odds = roots(error, lower - 1e-9, upper + 1e-9, alpha, kappa)
    q = expit(log_odds)
    u, weights = _field(log_odds, kappa)
    mills, over = _mills(u)
    # q/(1 - q) is replaced by alpha E (phi/H)^2, and ln H + u^2/2 is a smooth function for u > 0
    with np.errstate(over="ignore"):
        above = np.log(erfcx(np.maximum(u, 0) / np.sqrt(2)) / 2) + over * (u + over / 2)
    inside = np.where(u > 0, above, log_ndtr(-u) + mills**2 / 2)
    squared = alpha * np.sum(weights * mills**2, axis=1)
    return {
        "q": q,
        "entropy": -np.logaddexp(0, log_odds) / 2 + alpha * np.sum(weights * inside, axis=1),
        "replicon": 1 - alpha * np.sum(weights * (mills * over) ** 2, axis=1),
        "residual": np.abs(q - expit(-log_odds) * squared),
    }


def _field(log_odds, kappa):
    """u at the nodes (point, node) of an integral over z, and the nodes' weights.

    phi(u)/H(u) bends within |u| of order one, a width sqrt((1 - q)/q) in z around -kappa/sqrt(q).
    """
    slope = np.exp(log_odds / 2)[:, None]  # sqrt(q/(1 - q))
    scale = np.sqrt(1 + slope**2)
    kink = -kappa[:, None] * scale / slope
    apart = _DOUBLINGS / slope
    coarse = np.broadcast_to(_COARSE, (kappa.size, _COARSE.size))
    edges = np.concatenate([coarse, kink, kink - apart, kink + apart], axis=1)
    edges = np.sort(np.clip(edges, _COARSE[0], _COARSE[-1]), axis=1)
    half = np.diff(edges, axis=1)[..., None] / 2
    z = (edges[:, :-1, None] + half) + half * _NODES
    weights = half * _WEIGHTS * np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    nodes = (kappa.size, (edges.shape[1] - 1) * _NODES.size)
    return kappa[:, None] * scale + slope * z.reshape(nodes), weights.reshape(nodes)


def _log_tail(k, n):
    """ln P(Bin(n, 1/2) <= k) far below the mean: the sum of the ratios of its terms."""
    log = np.empty(k.size)
    for point, (most, number) in enumerate(zip(k, n, strict=True)):
        falling = np.arange(most, 0, -1)
        ratios = np.concatenate([[1.0], np.cumprod(falling / (number - falling + 1))])
        log[point] = binom.logpmf(most, number, 0.5) + np.log(ratios.sum())
    return log
