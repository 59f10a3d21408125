"""Attention layers as majorisation-minimisation of a distance energy; a stack of them.

One layer. M patterns x_i with weights by distance,

    E(x) = -(1/beta) ln sum_i exp(-beta |x - x_i|^2/2),   p_i(x) = exp(-beta |x - x_i|^2/2 + beta E)

For patterns of one length this is the energy of `LogSumExp` up to constants; otherwise the scores
beta x_i.x carry the offset -beta |x_i|^2/2. Hold the weights at those of a state y:

    U(x; y) = sum_i p_i(y) |x - x_i|^2/2 + (1/beta) sum_i p_i(y) ln p_i(y)
            = E(x) + (1/beta) KL(p(y) | p(x))              majorises, and touches at x = y
            = U(f(y); y) + |x - f(y)|^2/2,  f(y) = sum_i p_i(y) x_i

(second line: insert |x - x_i|^2/2 = E(x) - ln p_i(x)/beta). The minimiser f(y) is attention with
query y, and with x = f(y) the two lines give what a layer gains, without an inequality:

    E(y) - E(f(y)) = |f(y) - y|^2/2 + (1/beta) KL(p(y) | p(f(y)))  >=  |f(y) - y|^2/2

A stack. Layers l = 1 ... L with patterns and beta of their own, E_l, U_l, f_l. On sequences of
states, one for each layer, the energy and its majoriser are

    E(x_1 ... x_L) = sum_l E_l(x_l)  <=  sum_l U_l(x_l; y_l) = U(x; y),   equal at x = y

and the forward pass x_l = f_l(x_{l-1}) is the minimiser of U(.; y) at y = (x_0 ... x_{L-1}), where
every layer repeats the one below: a stack is one step of majorisation-minimisation of the energy of
all its layers, and E falls by the sum of what they gain. Going up, the energy of the present state
changes at each layer by two parts,

    E_l(x_l) - E_{l-1}(x_{l-1}) = work + relaxation
    work       W_l = E_l(x_{l-1}) - E_{l-1}(x_{l-1})    the landscape changes, the state does not
    relaxation R_l = E_l(x_l) - E_l(x_{l-1}) <= -|x_l - x_{l-1}|^2/2

so that the layered energy E_l(x_l) - sum_{k <= l} W_k = E_1(x_0) + sum_{k <= l} R_k falls layer by
layer for any stack. The work vanishes where all layers are the same one (iterated retrieval), and
is not positive where patterns are added at fixed beta; that of E + ln(M)/beta is not positive where
beta grows at fixed patterns. Without any of these the energy E_l(x_l) itself may rise.

Source: that stacked layers minimise a global energy by majorisation-minimisation is the idea of
X. Niu, B. Bai, L. Deng, W. Han, arXiv:2405.08707 (2024), who use a distance-based energy; the forms
and the equalities here are derived here (and checked in the tests term by term).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import xarray as xr

from hopfield_sim import device, patterns
from hopfield_sim.kernels import retrieval
from hopfield_sim.models.continuous import Continuous, checked_positive


@dataclass(frozen=True, eq=False)
class DistanceEnergy(Continuous):
    """E(x) = -(1/beta) ln sum_i exp(-beta |x - x_i|^2/2): one attention layer, weights by distance.

    exp(-beta E)/Z is a density in R^d, that of a pattern at random with normal noise of variance
    1/beta in each entry: Z = M (2 pi/beta)^(d/2) exactly. One step is attention with offsets,
    x' = sum_i p_i x_i, p = softmax(beta x_i.x - beta |x_i|^2/2).

    patterns, values: as `models.continuous.Continuous`; states are in R^d (on a sphere take
    `LogSumExp`). beta: inverse temperature of the softmax, > 0.

    Raises ValueError for patterns that are no 2-d array of finite numbers, beta <= 0, and a radius.
    Source: the module's docstring.
    """

    beta: float

    def __post_init__(self):
        super().__post_init__()
        object.__setattr__(self, "beta", checked_positive("beta", self.beta))
        if self.radius is not None:
            raise ValueError(
                "distances are those of R^d; with states on a sphere use LogSumExp(radius=...)."
            )

    @property
    def log_partition(self) -> float:
        """ln Z = ln M + (d/2) ln(2 pi/beta), Z the integral of exp(-beta E) over R^d."""
        return math.log(self.n_patterns) + self.dimension / 2 * math.log(2 * math.pi / self.beta)

    def log_density(self, states) -> np.ndarray:
        """-beta E(x) - ln Z, the log of the density of the stored set at x: (...)."""
        return -self.beta * self.energy(states) - self.log_partition

    def surrogate(self, states, anchors) -> np.ndarray:
        """U(x; y) of the module's docstring at states x, with the weights of anchors y: (...).

        states, anchors: (..., dimension), which broadcast. U >= E(x), equal at x = y. Made of
        U = E(y) + |x - f(y)|^2/2 - |y - f(y)|^2/2, without the table of the weights.
        """
        rows, shape = self._rows(anchors)
        attended, energy = self._recalled(rows, self.patterns)
        attended, energy = attended.reshape(*shape, self.dimension), energy.reshape(shape)
        anchors = rows.reshape(attended.shape)
        x, more = self._rows(states)
        return (
            energy
            + _half_square(x.reshape(*more, self.dimension) - attended)
            - _half_square(anchors - attended)
        )

    def _recalled(self, rows, values):
        offset = -self.beta * _half_square(self.patterns)
        recalled, log_sum = retrieval.softmax(rows, self.patterns, values, self.beta, offset)
        return recalled, _half_square(rows) - log_sum / self.beta

    def _weights(self, rows):
        scores = self.beta * (rows @ self.patterns.T - _half_square(self.patterns))
        return retrieval.softmax_weights(scores)

    @classmethod
    def example(cls, dimension: int, seed: int) -> DistanceEnergy:
        """A small instance for contract tests."""
        return cls(patterns.gaussian(5, dimension, seed), beta=0.7)


@dataclass(frozen=True, eq=False)
class Stack:
    """Attention layers one above the other, x_l = f_l(x_{l-1}), and the energy that they minimise.

    layers: `DistanceEnergy`, from below; the same one several times is iterated retrieval.

    Raises ValueError for no layer, and for layers of different dimensions.
    Source: the module's docstring, which has the formulas.
    """

    layers: tuple[DistanceEnergy, ...]

    def __post_init__(self):
        layers = tuple(self.layers)
        object.__setattr__(self, "layers", layers)
        if not layers or len({layer.dimension for layer in layers}) > 1:
            raise ValueError(
                f"layers of dimensions {[layer.dimension for layer in layers]} make no stack; give "
                "at least one, and all of one dimension."
            )

    @property
    def n_layers(self) -> int:
        """Number L of layers."""
        return len(self.layers)

    def energy(self, states) -> np.ndarray:
        """sum_l E_l(x_l): (...), of one state for each layer, (layer, ..., dimension)."""
        return sum(layer.energy(x) for layer, x in self._each(states))

    def surrogate(self, states, anchors) -> np.ndarray:
        """sum_l U_l(x_l; y_l) >= energy(x), equal at x = y: (...).

        states, anchors: x and y, (layer, ..., dimension). The forward pass from x_0 minimises it
        over x at the anchors (x_0 ... x_{L-1}).
        """
        pairs = zip(self._each(states), self._each(anchors), strict=True)
        return sum(layer.surrogate(x, y) for (layer, x), (_, y) in pairs)

    def forward(self, cues) -> xr.Dataset:
        """The states and energies of a forward pass, layer by layer.

        cues: x_0, (dimension,) or (query, dimension).

        Returns a Dataset; depth = 0 ... L counts the layers passed, layer = 1 ... L:
        `state` (depth, [query,] dimension), x_l;
        `layered_energy` (depth, [query]), E_1(x_0) + sum_{k <= l} R_k, which never rises;
        `energy` (layer, [query]), E_l(x_l); `work` W_l (0 for the first layer); `relaxation` R_l;
        `step` (layer, [query]), |x_l - x_{l-1}|^2/2, the least that a layer gains;
        `divergence` (layer, [query]), KL(p_l(x_{l-1}) | p_l(x_l))/beta_l, what it gains above that.

        Raises ValueError for cues of another dimension or with NaN.
        """
        first = self.layers[0]
        rows, shape = first._rows(cues)
        if len(shape) > 1:
            raise ValueError(
                f"cues of shape {np.shape(cues)} are not possible; give (dimension,) or "
                "(query, dimension)."
            )
        xp = device.module(rows)
        states = [rows]
        found = {name: [] for name in ("energy", "work", "relaxation", "step", "divergence")}
        below = first.energy(rows)
        layered = [below]
        for layer in self.layers:
            x = states[-1]
            attended, energy = layer._recalled(x, layer.patterns)
            after = layer.energy(attended)
            states.append(attended)
            layered.append(layered[-1] + after - energy)
            found["energy"].append(after)
            found["work"].append(energy - below)
            found["relaxation"].append(after - energy)
            found["step"].append(_half_square(attended - x))
            found["divergence"].append(layer.surrogate(attended, x) - after)
            below = after
        query = ("query",) * len(shape)
        variables = {"state": (("depth", *query, "dimension"), states, "state x_l")}
        described = "energy less the work of all changes of the landscape"
        variables["layered_energy"] = (("depth", *query), layered, described)
        for name, long_name in _PARTS.items():
            variables[name] = (("layer", *query), found[name], long_name)
        made = {}
        for name, (dims, arrays, long_name) in variables.items():
            array = xp.stack(arrays)
            array = array.get() if hasattr(array, "get") else array
            array = array if shape else array[:, 0]
            made[name] = (dims, array, {"long_name": long_name, "units": "1"})
        depth = {"long_name": "number of layers passed", "units": "1"}
        number = {"long_name": "number of the layer, from below", "units": "1"}
        return xr.Dataset(
            made,
            coords={
                "depth": ("depth", np.arange(self.n_layers + 1), depth),
                "layer": ("layer", np.arange(1, self.n_layers + 1), number),
            },
        )

    def _each(self, states):
        if len(states) != self.n_layers:
            raise ValueError(
                f"there are {len(states)} states for {self.n_layers} layers; the first axis must "
                "be the layers."
            )
        return list(zip(self.layers, states, strict=True))


_PARTS = {
    "energy": "energy of the layer at its own state, E_l(x_l)",
    "work": "change of the energy by the change of landscape, E_l - E_(l-1) at x_(l-1)",
    "relaxation": "change of the energy by the layer, E_l(x_l) - E_l(x_(l-1))",
    "step": "half of the squared step of the layer",
    "divergence": "divergence of the weights before and after, over beta",
}


def _half_square(rows):
    return (rows * rows).sum(axis=-1) / 2
