"""Continuous networks with log-sum-exp energy at temperature T, M = exp(alpha d) random patterns.

Boltzmann's law exp(-E/T) of E(x) = -(1/lambda) ln sum_mu exp(lambda xi^mu . x), states on the
sphere |x|^2 = d, patterns on it as well (the constants |x|^2/2 and ln M/lambda are left out). At
overlap m = x . xi/d with one pattern, the target, the free energy per dimension is

    f(m) = -max(m, phi/lambda) - (T/2) ln(1 - m^2),

where phi(alpha, lambda) is the exponent of the weight of all others (`log_sum_exp.sphere_noise`).
Its minimum m* where the target outweighs the others is the *retrieval state*; it ends where m* has
come down to phi/lambda, the edge (*spinodal*). m = 0 is the *paramagnet*, f = -phi/lambda.

**What competes with what.** Every pattern has such a state, so the rest of a target is not the
paramagnet alone: all M together have the free energy f(m*) - T alpha, below that of the target by
T alpha. One target is therefore never the equilibrium: it is metastable. Below a temperature T_eq
equilibrium is near *some* pattern (two replicas: q12 = 0, near different ones), above it is the
paramagnet. Where the nearest pattern alone makes phi (`condensed`), phi/lambda =
sqrt(1 - exp(-2 alpha)) is the overlap of a random state with it, no barrier lies between the two,
and T_eq is the spinodal: the transition is continuous. Otherwise it is of first order and T_eq
lies below the spinodal. T_single, where one target alone weighs as much as the paramagnet, is no
transition of the network: below it a given target is entered from the paramagnet faster than left.

**Ways out.** From the target over the edge into the paramagnet, or, without a visit there, over a
state equally near to another pattern; the second is the lower barrier at low temperature.

Derived here by counting as in a random-energy model (patterns at overlap u of any state:
exp d[alpha + ln(1 - u^2)/2] of them, none where that is below one). The retrieval states are
checked by simulation (`experiments.modern_thermal`, `tests/test_langevin.py`), T_eq as the limit of
`log_sum_exp_cells`; the barriers are exponents only, rates at d = 24 and 32 differ from exp(-d
barrier) by factors up to exp(8). At T = 0: C. Lucibello, M. Mezard,
Phys. Rev. Lett. 132 (2024) 077301.
"""

import numpy as np

from hopfield_sim.theory import log_sum_exp
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import common_grid, evaluated

_LOAD = {"alpha": "ln M/d, exponent of the number M of patterns"}
_LARGEST = "ln M/d, largest exponent of the number M of patterns"
_ABOUT = {
    "convention": "E = -(1/lambda) ln sum exp(lambda xi.x), |x|^2 = |xi|^2 = d, M = exp(alpha d)",
    "source": "derived here; Lucibello, Mezard 2024 at T = 0",
}
_IN_SPACE = {
    "convention": "E = |x|^2/2 - (1/lambda) ln sum exp(lambda xi.x), x in R^d, M = exp(alpha d)",
    "source": "derived here; Lucibello, Mezard 2024 at T = 0",
}
_KINDS = ("sphere", "gaussian")


def retrieval(alpha, temperature, sharpness):
    """The state near one pattern, states and patterns on the sphere.

        m = (-T + sqrt(T^2 + 4))/2,  f = -m - (T/2) ln(1 - m^2)     lambda m > phi(alpha, lambda)

    Args:
        alpha: ln M/d, a number, a 1-D array or a DataArray, > 0.
        temperature: T >= 0, likewise.
        sharpness: lambda > 0, likewise.

    Returns:
        xarray.Dataset on the grid (alpha, temperature, sharpness) with `m`; `f`, `energy` -m and
        `entropy` ln(1 - m^2)/2 per dimension; `edge`, the overlap phi/lambda at which the others
        take over; `barrier` (f(edge) - f(m))/T, the exponent of the time to leave over the edge,
        ln(time)/d; `neighbour_barrier`, that of leaving straight to a neighbouring pattern: with c
        the overlap of both patterns, m' that of the state between them with each,
        the smallest of f(m)'s difference to
        m'/T + ln(1 - 2 m'^2/(1 + c))/2 + alpha + ln(1 - c^2)/2, c^2 <= 1 - exp(-2 alpha); NaN where
        the others outweigh both patterns there. All but `edge` NaN without a retrieval state. At
        T = 0 the barriers are infinite.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.
    """

    def state(alpha, T, sharpness):
        m = _overlap(T)
        edge = _edge(alpha, sharpness)
        is_there = m > edge
        with np.errstate(divide="ignore", invalid="ignore"):
            entropy = np.log1p(-(m**2)) / 2
            f = np.where(T > 0, -m - T * entropy, -1.0)
            over = np.where(T > 0, (-edge - T * np.log1p(-(edge**2)) / 2 - f) / T, np.inf)
            across = np.where(T > 0, -f / T - _neighbour(alpha, T, edge), np.inf)
        found = {
            "m": m,
            "f": f,
            "energy": -m,
            "entropy": entropy,
            "barrier": over,
            "neighbour_barrier": across,
        }
        found = {name: np.where(is_there, values, np.nan) for name, values in found.items()}
        return found | {"edge": edge}

    names = {
        "m": "overlap with the target in its retrieval state",
        "f": "free energy per dimension of the retrieval state",
        "energy": "energy per dimension of the retrieval state",
        "entropy": "entropy per dimension of the retrieval state, 0 on the whole sphere",
        "edge": "overlap with the target below which the others outweigh it",
        "barrier": "exponent ln(time)/d of leaving over the edge",
        "neighbour_barrier": "exponent ln(time)/d of leaving straight to another pattern",
    }
    grid = common_grid(_LOAD, alpha=alpha, temperature=temperature, sharpness=sharpness)
    title = "log-sum-exp network on the sphere at temperature T"
    return evaluated(grid, state, names, title, branch="retrieval", **_ABOUT)


def spinodal_load(temperature, sharpness):
    """The load up to which a pattern has a retrieval state: phi(alpha, lambda) = lambda m*(T).

    It is the load of `log_sum_exp.sphere` at the start overlap m*(T): the thermal state then lies
    at the edge of the basin of its own first update.

    Args:
        temperature: T >= 0, a number, a 1-D array or a DataArray.
        sharpness: lambda > 0, likewise.

    Returns:
        xarray.Dataset on the grid (temperature, sharpness) with `alpha` and `m`, the overlap there.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.
    """

    def line(T, sharpness):
        m = _overlap(T)
        return {"alpha": _sphere_load(sharpness, m), "m": m}

    names = {"alpha": _LARGEST, "m": "overlap with the target at the spinodal"}
    grid = common_grid(temperature=temperature, sharpness=sharpness)
    return evaluated(grid, line, names, "log-sum-exp network on the sphere, spinodal", **_ABOUT)


def temperatures(alpha, sharpness):
    """The spinodal, and the two temperatures at which weights become equal.

        spinodal:     T = (1 - e^2)/e,  e = phi(alpha, lambda)/lambda
        equilibrium:  f(m*) - T alpha = -e     (the spinodal where `condensed`)
        single:       f(m*) = -e

    Args:
        alpha: ln M/d, a number, a 1-D array or a DataArray, > 0.
        sharpness: lambda > 0, likewise.

    Returns:
        xarray.Dataset on the grid (alpha, sharpness) with `spinodal`, below which a pattern has a
        retrieval state; `equilibrium`, below which equilibrium is near some pattern; `single`,
        below which the state near one given pattern outweighs the paramagnet; `edge`, e. The
        temperatures are NaN from alpha_1 on, where no pattern is retrieved even at T = 0.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.
    """

    def lines(alpha, sharpness):
        edge = _edge(alpha, sharpness)
        some = edge < 1
        found = {
            name: np.full(edge.shape, np.nan) for name in ("spinodal", "equilibrium", "single")
        }
        e, alpha = edge[some], alpha[some]
        spinodal = (1 - e**2) / e

        def gap(T, entropy, e):
            m = _overlap(T)
            # ln(1 - m^2) = ln(T m), without cancellation
            return m + T * (np.log(T * m) / 2 + entropy) - e

        condensed = e**2 <= -np.expm1(-2 * alpha) * (1 + 1e-12)
        equal = np.array(spinodal)
        first = ~condensed
        tiny = 1e-12 * spinodal
        if first.any():
            equal[first] = roots(gap, tiny[first], spinodal[first], alpha[first], e[first])
        found["spinodal"][some], found["equilibrium"][some] = spinodal, equal
        if some.any():
            found["single"][some] = roots(gap, tiny, spinodal, np.zeros_like(e), e)
        return found | {"edge": edge}

    names = {
        "spinodal": "temperature below which a pattern has a retrieval state",
        "equilibrium": "temperature below which equilibrium is near some pattern",
        "single": "temperature below which one pattern's state outweighs the paramagnet",
        "edge": "overlap with the target below which the others outweigh it",
    }
    grid = common_grid(_LOAD, alpha=alpha, sharpness=sharpness)
    title = "log-sum-exp network on the sphere, temperatures"
    return evaluated(grid, lines, names, title, **_ABOUT)


def retrieval_in_space(alpha, temperature, sharpness, patterns="sphere"):
    """The state near one pattern, states in R^d with E = |x|^2/2 - (1/lambda) ln sum exp(...).

    Near a pattern of |xi|^2 = d the law is Gaussian, x = xi + sqrt(T) z, for any lambda:

        m = x . xi/d = 1,  |x|^2/d = 1 + T,  f = (T - 1)/2 - (T/2) ln T

    while lambda > phi(alpha, lambda sqrt(1 + T)): the other patterns see a longer state, which
    sharpens them. At T = 1/lambda all of the law is the mixture of these Gaussians, exactly.

    Args:
        alpha, temperature, sharpness: as for `retrieval`.
        patterns: "sphere", |xi|^2 = d, or "gaussian", entries of variance 1.

    Returns:
        xarray.Dataset on the grid (alpha, temperature, sharpness) with `m`, `square_length`
        |x|^2/d, `cosine` 1/sqrt(1 + T), `f`, and `edge`, phi/lambda at that length. All but `edge`
        NaN without a retrieval state.

    Raises:
        ValueError: a parameter outside its domain, unnamed axes, or another kind of patterns.
    """
    noise = _noise(patterns)

    def state(alpha, T, sharpness):
        edge = noise(alpha, sharpness * np.sqrt(1 + T)) / sharpness
        with np.errstate(divide="ignore", invalid="ignore"):
            f = (T - 1) / 2 - np.where(T > 0, T * np.log(T) / 2, 0)
        found = {"m": np.ones_like(T), "square_length": 1 + T, "cosine": 1 / np.sqrt(1 + T), "f": f}
        found = {name: np.where(edge < 1, values, np.nan) for name, values in found.items()}
        return found | {"edge": edge}

    names = {
        "m": "projection of the state on the target over its length",
        "square_length": "squared length of the state over d",
        "cosine": "overlap with the target, cosine of the angle",
        "f": "free energy per dimension of the retrieval state",
        "edge": "projection on the target below which the others outweigh it",
    }
    grid = common_grid(_LOAD, alpha=alpha, temperature=temperature, sharpness=sharpness)
    title = f"log-sum-exp network in R^d at temperature T, {patterns} patterns"
    return evaluated(grid, state, names, title, branch="retrieval", **_IN_SPACE)


def spinodal_load_in_space(temperature, sharpness, patterns="sphere"):
    """The load up to which a pattern has a retrieval state in R^d: phi(., lambda r) = lambda.

    r = sqrt(1 + T) is the length of the state over sqrt(d). Gaussian patterns: alpha =
    lambda - lambda^2 (1 + T)/2 while lambda (1 + T) < 1, and 1/(2 (1 + T)) beyond.

    Args:
        temperature, sharpness: as for `spinodal_load`.
        patterns: "sphere" or "gaussian".

    Returns:
        xarray.Dataset on the grid (temperature, sharpness) with `alpha`.

    Raises:
        ValueError: a parameter outside its domain, unnamed axes, or another kind of patterns.
    """
    _noise(patterns)

    def line(T, sharpness):
        length = np.sqrt(1 + T)
        load = _sphere_load if patterns == "sphere" else _gaussian_load
        return {"alpha": load(sharpness * length, 1 / length)}

    grid = common_grid(temperature=temperature, sharpness=sharpness)
    title = f"log-sum-exp network in R^d, spinodal, {patterns} patterns"
    return evaluated(grid, line, {"alpha": _LARGEST}, title, **_IN_SPACE)


def _overlap(T):
    """The root of m^2 + T m = 1 in (0, 1], without cancellation."""
    return 2 / (T + np.sqrt(T**2 + 4))


def _edge(alpha, sharpness):
    return _flat(log_sum_exp.sphere_noise, alpha, sharpness).exponent.values / sharpness


def _neighbour(alpha, T, edge):
    """Exponent of the weight of states between the target and another pattern; NaN below the edge.

    m/T + ln(1 - 2 m^2/(1 + c))/2 + alpha + ln(1 - c^2)/2 is largest at c = m^2 and
    m^2 + 2 T m = 1, if there are patterns at that overlap c; else at the largest c there is, where
    m = s v with s^2 = (1 + c)/2 and v^2 + (T/s) v = 1.
    """
    m = _overlap(2 * T)
    free = alpha + m / T + np.log1p(-(m**2))
    nearest = np.sqrt(-np.expm1(-2 * alpha))
    s = np.sqrt((1 + nearest) / 2)
    v = _overlap(T / s)
    bound = s * v / T + np.log1p(-(v**2)) / 2
    is_free = m**2 <= nearest
    return np.where(np.where(is_free, m, s * v) > edge, np.where(is_free, free, bound), np.nan)


def _sphere_load(sharpness, start_overlap):
    return _flat(log_sum_exp.sphere, sharpness, start_overlap).alpha.values


def _gaussian_load(sharpness, start_overlap):
    return _flat(log_sum_exp.gaussian, sharpness, start_overlap).alpha.values


def _noise(patterns):
    if patterns not in _KINDS:
        raise ValueError(f"patterns={patterns!r} is unknown; it must be one of {_KINDS}")
    function = getattr(log_sum_exp, f"{patterns}_noise")
    return lambda alpha, sharpness: _flat(function, alpha, sharpness).exponent.values


def _flat(function, *parameters):
    """A function of theory at points (point,), not on the grid of its parameters."""
    from xarray import DataArray

    return function(*(DataArray(values, dims="point") for values in parameters))
