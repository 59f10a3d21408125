"""Mean-field equations of one given network, solved by iteration: an alternative to Monte Carlo.

The equations of Thouless, Anderson and Palmer (TAP), which are Plefka's expansion of the free
energy at fixed magnetisations to second order in the inverse temperature, for pairwise and P-body
networks held as patterns. No tensor is built and no spin is flipped: a step costs some P products
with the patterns, for all temperatures at once, and some ten to thirty steps are enough inside of
the retrieval phase.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import comb, factorial

import numpy as np
import xarray as xr

from hopfield_sim.models import Model
from hopfield_sim.models.dense import Dense
from hopfield_sim.models.hopfield import Hopfield

_BLOCK = 1024  # patterns taken together: a block stays in the cache from overlaps to fields
_SINGLE = 1e-5  # single precision leaves residuals of some 1e-6 where K is 10^5

_NAMES = {
    "m": "Overlap of the magnetisations with the first pattern, m = (1/N) sum_i xi_i^0 m_i",
    "q": "Mean square of the magnetisations, q = (1/N) sum_i m_i^2",
    "energy": "Energy per neuron",
    "free_energy": "Free energy per neuron of the state",
    "iterations": "Steps done",
    "converged": "whether the residual came below the tolerance",
    "residual": "Largest error of the equations, max_i |m_i - tanh(...)|",
}


def solved(
    model: Model,
    temperature: float | Sequence[float],
    start: np.ndarray,
    onsager: bool = True,
    damping: float = 0.0,
    tolerance: float = 1e-5,
    max_iterations: int = 300,
    keep_magnetisations: bool = False,
) -> xr.Dataset:
    """A state of the network by its magnetisations m_i = <s_i>: the fixed point next to a start.

        m_i = tanh( [h_i(m) - R m_i] / T ),   h_i(m) = -dE(m)/dm_i,   q = (1/N) sum_i m_i^2

    E(m) is the mean energy of independent spins. The energy is a sum over tuples of k different
    sites with weights a_k, E = -sum_mu sum_k a_k e_k(xi^mu m), e_k the elementary symmetric
    function of N numbers: one k = P for *distinct*, k = P, P-2, ... for *full*. With site i left
    out they come from the power sums p_j = sum_i (xi_i^mu m_i)^j by Newton's identities; *distinct*
    of P = 3: h_i = (1/N^2) sum_mu xi_i (p_1'^2 - p_2'), primes without i. R is Onsager's reaction,

        R = [(1-q)/T] sum_{k>=2} (k-1) v_k q^(k-2) / (1 - C_k),    v_k = K a_k^2 c^k C(N-1, k-1),

    v_k the variance of the fields of the tuples of k sites, c = mean of xi^2. For N -> infinity
    that is (1-q) xi''(q)/T with the kernel xi' of replica theory: (P-1) ahat q^(P-2) (1-q)/T
    for *distinct*. C_2 = N a_2 c (1-q)/T, all other C_k = 0: pairs react on each other through
    the overlaps, so that P = 2 is R = alpha C/(1 - C), C = (1-q)/T, beside the field without
    self-coupling.

        f = E(m)/N - T S(m)/N - (1/2T) sum_{k>2} (v_k/k) [1 - q^k - k (1-q) q^(k-1)]
            + (T/2) (v_2/(N a_2 c)^2) [C_2 + ln(1 - C_2)],    S the entropy of independent spins,

    is stationary at a solution, and the energy is its d(f/T)/d(1/T).

    model: `Hopfield`, or `Dense` of an integer P, *distinct*, or *full* with +-1 patterns. The
        reaction is that of patterns with independent entries: random, diluted, class averages of
        examples. It is not for the single examples of a class, which are correlated.
    temperature: T > 0 in units of J, a number or several, solved side by side.
    start: magnetisations in [-1, 1], (neuron,) or (temperature, neuron): a pattern, a cue, or an
        earlier solution. onsager: False leaves R out, first order: the naive mean field.
    damping: share of the old magnetisations that is kept in a step, below 1. Steps take R times
        the magnetisations of the step before (Bolthausen): where replica symmetry is stable this
        converges undamped, in a third of the steps of the plain iteration with damping 0.5.
    tolerance: of the residual; from 1e-5 on products with the patterns are in single precision,
        which takes half the time, below in double. keep_magnetisations: also return them.

    Returns a Dataset (temperature,), or scalars for a number: `m`, the overlap with the first
    pattern; `q`; `energy`, `free_energy` in units of J per neuron, with the constants of
    `model.energy`; `iterations`, `converged`, `residual`; on request `magnetisations`
    (temperature, neuron). Where `converged` is False, the numbers are those of the last step and
    no solution: beyond a spinodal, where replica symmetry is broken, or where many overlaps are of
    order 1 (strongly diluted patterns). Where C_2 >= 1 there is no
    reaction: the residual is infinite and energies are NaN.

    Raises ValueError for another model, for T <= 0, and for input that does not fit.
    Sources: Thouless, Anderson, Palmer, Phil. Mag. 35 (1977) 593; Plefka, J. Phys. A 15 (1982)
    1971; P = 2: Mezard, Parisi, Virasoro, Spin Glass Theory and Beyond (1987), ch. XIII;
    Bolthausen, Commun. Math. Phys. 325 (2014) 333 (the steps). *full* and other patterns than +-1
    derived here, checked by exact averages, by the derivative of f, and against replica theory.
    """
    weights = _weights(model)
    lanes = np.atleast_1d(np.asarray(temperature, float))
    _check(lanes, damping, tolerance, max_iterations)
    m = _started(start, lanes.size, model.n_neurons)
    network = _Network(model, weights, np.float32 if tolerance >= _SINGLE else np.float64)
    T = lanes[:, None]
    before = m.copy()
    iterations = np.zeros(lanes.size, int)
    residual = np.full(lanes.size, np.inf)
    moving = np.arange(lanes.size)
    for _ in range(max_iterations):
        here, old, beta = m[moving], before[moving], 1 / T[moving]
        field = network.field(here)
        reaction = network.reaction(here, beta) if onsager else 0.0
        wrong = here - np.tanh(beta * (field - reaction * here))
        residual[moving] = np.nan_to_num(np.abs(wrong).max(axis=1), nan=np.inf)
        iterations[moving] += 1
        goes_on = residual[moving] > tolerance
        # where C_2 >= 1, as from the blanks of a diluted pattern, a step without reaction
        new = np.tanh(beta * (field - np.nan_to_num(reaction) * old))
        before[moving] = here
        m[moving[goes_on]] = (damping * here + (1 - damping) * new)[goes_on]
        moving = moving[goes_on]
        if not moving.size:
            break
    found = network.thermodynamics(m, T, onsager)
    found |= {"iterations": iterations, "converged": residual <= tolerance, "residual": residual}
    return _labelled(model, temperature, found, m if keep_magnetisations else None, onsager)


class _Network:
    """Sums over the patterns of a network at given magnetisations, block by block."""

    def __init__(self, model: Model, weights: dict[int, float], precision=np.float64):
        self.patterns, self.weights, self.precision = model.patterns, weights, precision
        self.n_neurons, self.order = model.n_neurons, max(weights)
        self.is_binary = _is_binary(model.patterns)
        # the energy of the diagonal J_ii, which independent spins do not see
        self.constant = -0.5 * float(np.sum(model.self_couplings)) / model.n_neurons
        square = np.mean(np.square(model.patterns), dtype=float)
        n = model.n_neurons
        self.variances = {
            k: model.n_patterns * a**2 * square**k * comb(n - 1, k - 1)
            for k, a in weights.items()
            if k > 1
        }
        self.pair = weights.get(2, 0.0) * n * square  # C_2 = pair (1 - q)/T

    def field(self, m: np.ndarray) -> np.ndarray:
        """h_i(m): float64 (lane, neuron).

        With x_i = xi_i m_i, e_n without site i is sum_j (-x_i)^j e_(n-j), so that
        h_i = sum_j (-m_i)^j sum_mu xi_i^(j+1) g_j,   g_j = sum_k a_k e_(k-1-j).
        """
        total = [np.zeros_like(m) for _ in range(self.order)]
        for x in self._blocks(self.precision):
            e = self._symmetric(x, m, self.order - 1)
            for j in range(self.order):
                g = sum(a * e[k - 1 - j] for k, a in self.weights.items() if k > j)
                if self.is_binary and j % 2:  # xi^(j+1) = 1
                    total[j] += np.broadcast_to(g, (len(m), len(x))).sum(axis=1)[:, None]
                elif np.size(g) == 1:
                    total[j] += g * self._power(x, j + 1).sum(axis=0, dtype=float)
                else:
                    total[j] += g.astype(x.dtype) @ self._power(x, j + 1)
        h = total[-1]
        for part in total[-2::-1]:  # Horner's scheme in -m_i
            h = part - m * h
        return h

    def reaction(self, m: np.ndarray, beta: np.ndarray) -> np.ndarray:
        """R: (lane, 1); NaN where C_2 >= 1."""
        q = np.mean(m * m, axis=1, keepdims=True)
        C = self.pair * beta * (1 - q)
        total = np.zeros_like(q)
        for k, v in self.variances.items():
            part = (k - 1) * v * q ** (k - 2)
            total += part / np.where(C < 1, 1 - C, np.nan) if k == 2 else part
        return beta * (1 - q) * total

    def thermodynamics(self, m: np.ndarray, T: np.ndarray, onsager: bool) -> dict:
        """m, q, energy and free energy per neuron: name -> (lane,)."""
        q = np.mean(m * m, axis=1, keepdims=True)
        E = np.full(len(m), self.constant)
        for x in self._blocks(np.float64):
            e = self._symmetric(x, m, self.order)
            terms = sum(a * e[k] for k, a in self.weights.items())
            total = np.broadcast_to(terms, (len(m), len(x))).sum(axis=1)
            E -= total / self.n_neurons
        up, down = (1 + m) / 2, (1 - m) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            S = -np.where(up > 0, up * np.log(up), 0) - np.where(down > 0, down * np.log(down), 0)
        f = E[:, None] - T * S.mean(axis=1, keepdims=True)
        u = E[:, None]
        if onsager:
            correction, explicit = self._second_order(q, T)
            f, u = f + correction, u + explicit
        overlap = m @ self.patterns[0].astype(float) / self.n_neurons
        return {"m": overlap, "q": q[:, 0], "energy": u[:, 0], "free_energy": f[:, 0]}

    def _second_order(self, q: np.ndarray, T: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Beyond independent spins: of f, and of u = d(f/T)/d(1/T), each (lane, 1)."""
        f, u = np.zeros_like(q), np.zeros_like(q)
        for k, v in self.variances.items():
            if k == 2:
                C = self.pair * (1 - q) / T
                C = np.where(C < 1, C, np.nan)
                f += T * v / (2 * self.pair**2) * (C + np.log1p(-C))
                u -= T * v / (2 * self.pair**2) * C**2 / (1 - C)
            else:
                part = -v / (2 * k * T) * (1 - q**k - k * (1 - q) * q ** (k - 1))
                f, u = f + part, u + 2 * part
        return f, u

    def _blocks(self, precision):
        """The patterns in this precision, some at a time: (pattern, neuron)."""
        ends = [*range(0, len(self.patterns), _BLOCK), len(self.patterns)]
        for begin, end in pairwise(ends):
            yield self.patterns[begin:end].astype(precision, copy=False)

    def _power(self, x: np.ndarray, j: int) -> np.ndarray:
        """xi^j of an odd j, or of any where the xi are no signs."""
        return x if self.is_binary else _power(x, j)

    def _symmetric(self, x: np.ndarray, m: np.ndarray, n: int) -> list:
        """e_0 ... e_n of the x_i m_i by Newton's identities, each (lane, pattern) or less.

        k e_k = sum_{j=1..k} (-1)^(j-1) e_(k-j) p_j
        """
        sums = []
        for j in range(1, n + 1):
            if self.is_binary and j % 2 == 0:
                sums.append(np.sum(_power(m, j), axis=1, keepdims=True))
            else:
                product = _power(m, j).astype(x.dtype) @ self._power(x, j).T
                sums.append(product.astype(float))
        e = [1.0]
        for k in range(1, n + 1):
            total = e[k - 1] * sums[0]
            for j in range(2, k + 1):
                part = e[k - j] * sums[j - 1]
                total = total - part if j % 2 == 0 else total + part
            e.append(total / k)
        return e


def _weights(model: Model) -> dict[int, float]:
    """k -> a_k of E = -sum_mu sum_k a_k e_k(xi^mu s), for the k that occur."""
    if isinstance(model, Hopfield):
        return {2: model.strength / model.n_neurons}
    if not isinstance(model, Dense) or not isinstance(model.interaction, int | np.integer):
        raise ValueError(
            "the mean-field equations are those of Hopfield and of Dense with an integer "
            "interaction P; for other energies use simulate()."
        )
    order, n = int(model.interaction), model.n_neurons
    if model.normalisation == "distinct":
        return {order: model.strength * factorial(order - 1) / n ** (order - 1)}
    if model.normalisation == "rectified" or not _is_binary(model.patterns):
        raise ValueError(
            f"normalisation={model.normalisation!r} is not solved here: only 'full' with +-1 "
            "patterns and 'distinct' are sums over few sites; use one of these, or simulate()."
        )
    # S^P in the e_k of +-1 numbers: S e_k = (k + 1) e_(k+1) + (N - k + 1) e_(k-1)
    powers = {0: 1}
    for _ in range(order):
        raised = {}
        for k, a in powers.items():
            raised[k + 1] = raised.get(k + 1, 0) + (k + 1) * a
            if k:
                raised[k - 1] = raised.get(k - 1, 0) + (n - k + 1) * a
        powers = raised
    return {k: model.strength * a / (order * n ** (order - 1)) for k, a in powers.items()}


def _power(x: np.ndarray, j: int) -> np.ndarray:
    """x^j by products: x**j of NumPy takes 50 times as long from j = 3 on."""
    return x if j == 1 else x * _power(x, j - 1)


def _is_binary(patterns: np.ndarray) -> bool:
    return bool(np.all(np.abs(patterns) == 1))


def _check(T: np.ndarray, damping: float, tolerance: float, max_iterations: int) -> None:
    if T.ndim != 1 or not T.size or not (np.all(np.isfinite(T)) and np.all(T > 0)):
        raise ValueError(
            f"temperature={T.tolist()} is not possible; give a positive number or a list of them "
            "(at T = 0 magnetisations are spins: use ZeroTemperature)."
        )
    if not 0 <= damping < 1:
        raise ValueError(f"damping={damping!r} is not possible; it must be in [0, 1).")
    if not tolerance > 0:
        raise ValueError(f"tolerance={tolerance!r} is not possible; it must be positive.")
    if not max_iterations >= 1:
        raise ValueError(f"max_iterations={max_iterations!r} is not possible; at least one.")


def _started(start: np.ndarray, n_lanes: int, n_neurons: int) -> np.ndarray:
    """The start as float64 (lane, neuron), an array of its own."""
    m = np.asarray(start, float)
    if m.shape not in ((n_neurons,), (n_lanes, n_neurons)):
        raise ValueError(
            f"start has shape {m.shape}; it must be ({n_neurons},), or ({n_lanes}, {n_neurons}) "
            "for one of each temperature."
        )
    if not np.all(np.abs(m) <= 1):  # also catches NaN
        raise ValueError("start must hold magnetisations, numbers from -1 to 1.")
    return np.broadcast_to(m, (n_lanes, n_neurons)).copy()


def _labelled(model, temperature, found, magnetisations, onsager) -> xr.Dataset:
    lanes = ("temperature",) if np.ndim(temperature) else ()
    shape = np.shape(np.asarray(temperature, float))

    def variable(values, name, dims=lanes):
        """A number without unit, over the lanes unless told otherwise."""
        return xr.Variable(dims, values, {"long_name": name, "units": "1"})

    variables = {
        name: variable(found[name].reshape(shape), long_name) for name, long_name in _NAMES.items()
    }
    for name in ("energy", "free_energy"):
        variables[name].attrs["units"] = "J"
    if magnetisations is not None:
        shape = (*shape, model.n_neurons)
        variables["magnetisations"] = variable(
            magnetisations.reshape(shape), "Magnetisations m_i = <s_i>", (*lanes, "neuron")
        )
    coordinates = {
        "temperature": variable(np.asarray(temperature, float), "Temperature T in units of J"),
        "n_neurons": variable(model.n_neurons, "Number of neurons N", ()),
        "n_patterns": variable(model.n_patterns, "Number of patterns K", ()),
        "alpha": variable(model.alpha, "Load: K/N, or K/N^(P-1) of a P-body network", ()),
    }
    order = "second order (TAP)" if onsager else "first order (naive mean field)"
    title = f"{type(model).__name__} network, mean-field equations of {order}"
    return xr.Dataset(variables, coordinates, {"title": title, "onsager": int(onsager)})
