"""What an association has learned: projections, layer norms and heads, and where they come from.

`hopfield_sim.attention` applies them. Arrays are NumPy's or CuPy's, float32 or float64.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from hopfield_sim import device

Array = Any  # numpy.ndarray or cupy.ndarray

_PATTERNS = ("pooling_weights", "lookup_weights", "target_weights")  # given to the layers by hand


@dataclass(frozen=True, eq=False)
class Linear:
    """x W^T + b. weight: W (out, in); bias: b (out,) or None. ValueError where they do not fit."""

    weight: Array
    bias: Array | None = None

    def __post_init__(self):
        weight = real(self.weight, "the weight of a projection", 2)
        object.__setattr__(self, "weight", weight)
        if self.bias is not None:
            bias = real(self.bias, "the bias of a projection", 1)
            if bias.shape != weight.shape[:1]:
                raise ValueError(
                    f"a projection with weight (out, in) = {weight.shape} needs a bias of shape "
                    f"{weight.shape[:1]}, not {bias.shape}."
                )
            object.__setattr__(self, "bias", bias)

    def __call__(self, x: Array) -> Array:
        """x (..., in) -> (..., out)."""
        projected = x @ self.weight.T
        return projected if self.bias is None else projected + self.bias


@dataclass(frozen=True, eq=False)
class LayerNorm:
    """(x - mean) / sqrt(variance + epsilon) * weight + bias, over the last axis.

    The variance is that of the population. weight, bias: (feature,); epsilon > 0.
    A norm without parameters has the weight 1 and the bias 0. ValueError where they do not fit.
    """

    weight: Array
    bias: Array
    epsilon: float = 1e-5

    def __post_init__(self):
        weight = real(self.weight, "the weight of a layer norm", 1)
        bias = real(self.bias, "the bias of a layer norm", 1)
        if weight.shape != bias.shape:
            raise ValueError(
                f"a layer norm has weight {weight.shape} and bias {bias.shape}; they must have the "
                "same shape."
            )
        if not 0 < self.epsilon < math.inf:
            raise ValueError(f"epsilon={self.epsilon!r}: a positive number is needed, as 1e-5.")
        object.__setattr__(self, "weight", weight)
        object.__setattr__(self, "bias", bias)

    def __call__(self, x: Array) -> Array:
        """x (..., feature) -> the same shape."""
        away = x - x.mean(axis=-1, keepdims=True)
        variance = (away * away).mean(axis=-1, keepdims=True)
        return away / (variance + self.epsilon) ** 0.5 * self.weight + self.bias


@dataclass(frozen=True, eq=False)
class Weights:
    """Everything that is learned in an association, but patterns.

    n_heads: parallel heads; each takes one of so many consecutive blocks of rows of Wq, Wk, Wv.
    state, stored, projection: Wq, Wk, Wv with their biases; None: that part is *static*, taken as
    it is, the same for each head. output: Wo, bo, or None. norm_state, norm_stored,
    norm_projection: applied before the projections, or None. norm_association: of q and k of each
    head, after the projections, (hidden,), or None.

    Raises ValueError where heads and shapes do not fit.
    """

    n_heads: int = 1
    state: Linear | None = None
    stored: Linear | None = None
    projection: Linear | None = None
    output: Linear | None = None
    norm_state: LayerNorm | None = None
    norm_stored: LayerNorm | None = None
    norm_projection: LayerNorm | None = None
    norm_association: LayerNorm | None = None

    def __post_init__(self):
        if not is_whole(self.n_heads) or self.n_heads < 1:
            raise ValueError(f"n_heads={self.n_heads!r}: a whole number of at least 1 is needed.")
        for name in ("state", "stored", "projection"):
            part = getattr(self, name)
            if part is not None and len(part.weight) % self.n_heads:
                raise ValueError(
                    f"the {name} projection has {len(part.weight)} rows, which {self.n_heads} "
                    "heads cannot share; n_heads must divide them."
                )
        if self.state and self.stored and len(self.state.weight) != len(self.stored.weight):
            raise ValueError(
                f"state and stored projections have {len(self.state.weight)} and "
                f"{len(self.stored.weight)} rows; both lead into one association space."
            )

    @property
    def is_static(self) -> bool:
        """Whether patterns meet as they are: no projection of any kind (norms may be there)."""
        parts = self.state, self.stored, self.projection, self.output, self.norm_association
        return all(part is None for part in parts)

    @classmethod
    def from_state_dict(cls, state_dict: Mapping[str, Any], n_heads: int = 1) -> Weights:
        """The weights of `Hopfield`, `HopfieldPooling` or `HopfieldLayer` by their names there.

        state_dict: name -> array (or CPU tensor), as `module.state_dict()` gives it, with or
        without the prefix "hopfield.". Known: `association_core.` with `in_proj_weight` (rows in
        the order q, k, v, equal thirds) or any of `q_proj_weight`, `k_proj_weight`,
        `v_proj_weight` (one that is missing is static), `in_proj_bias` (those of the projections
        that are there, in the same order), `out_proj.weight`, `out_proj.bias`, `p_norm_weight`,
        `p_norm_bias`; `norm_state_pattern`, `norm_stored_pattern`, `norm_pattern_projection` with
        `.weight` and `.bias`. `pooling_weights`, `lookup_weights` and `target_weights` are
        patterns: they are left to `hopfield_pooling` and `hopfield_layer`. n_heads: as the module
        was made with (no parameter tells it).

        What leaves no trace in a state dict is set by hand (`dataclasses.replace`): norms without
        parameters, and another epsilon. Not offered: `pattern_projection_as_connected`, and
        `concat_bias_pattern`, whose `bias_k` and `bias_v` the reference implementation holds and
        never uses.

        Raises ValueError for a name that is not known, a missing partner, or shapes that do not
        fit.
        """
        given = {}
        for name, value in state_dict.items():
            name = name.removeprefix("hopfield.")
            if name not in _PATTERNS:
                given[name] = real(value, name)
        core = "association_core."
        matrices = [given.pop(f"{core}{letter}_proj_weight", None) for letter in "qkv"]
        joint = given.pop(f"{core}in_proj_weight", None)
        if joint is not None:
            if joint.ndim != 2 or len(joint) % 3 or any(m is not None for m in matrices):
                raise ValueError(
                    f"in_proj_weight of shape {joint.shape}: it must hold q, k and v in equal "
                    "thirds of its rows, and no separate projections may stand beside it. Where a "
                    "part is static, build Weights(...) by hand."
                )
            third = len(joint) // 3
            matrices = [joint[first : first + third] for first in (0, third, 2 * third)]
        biases = _parted(given.pop(f"{core}in_proj_bias", None), matrices)
        parts = [None if m is None else Linear(m, b) for m, b in zip(matrices, biases, strict=True)]
        out = _pair(given, f"{core}out_proj.weight", f"{core}out_proj.bias", is_needed=False)
        inner = _pair(given, f"{core}p_norm_weight", f"{core}p_norm_bias")
        norms = [
            _pair(given, f"norm_{name}.weight", f"norm_{name}.bias")
            for name in ("state_pattern", "stored_pattern", "pattern_projection")
        ]
        if given:
            raise ValueError(
                f"{', '.join(sorted(given))}: no weights of a Hopfield association that are known "
                "here (see Weights.from_state_dict); leave them out of the mapping."
            )
        state, stored, projection = (norm and LayerNorm(*norm) for norm in norms)
        return cls(
            n_heads,
            *parts,
            out and Linear(*out),
            state,
            stored,
            projection,
            inner and LayerNorm(*inner),
        )


def real(array: Array, name: str, n_axes: int | None = None) -> Array:
    """`array` as float32 or float64 (integers become float64), with so many axes, none empty.

    name: what it is, for the messages. Raises ValueError for another number of axes, an empty
    array, complex numbers, NaN or infinity.
    """
    xp = device.module(array)
    array = xp.asarray(array)
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}; real numbers are needed.")
    if array.dtype not in (xp.float32, xp.float64):
        array = array.astype(xp.float64)
    if n_axes is not None and array.ndim != n_axes:
        axes = {1: "(feature,)", 2: "(out, in)", 3: "(batch, pattern, feature)"}[n_axes]
        raise ValueError(
            f"{name} has shape {array.shape}; {n_axes} axes {axes} are needed"
            + (" (one member alone: x[None])." if n_axes == 3 else ".")
        )
    if not array.size:
        raise ValueError(f"{name} has shape {array.shape}: there is nothing in it.")
    if not bool(xp.isfinite(array).all()):
        raise ValueError(f"{name} holds NaN or infinity; finite numbers are needed.")
    return array


def is_whole(number: Any) -> bool:
    """Whether this is a whole number, of Python or of NumPy."""
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _parted(bias, matrices: list) -> list:
    """The biases of q, k, v out of one array: None for those without a projection."""
    rows = [0 if m is None else len(m) for m in matrices]
    if bias is None:
        return [None] * len(rows)
    if bias.shape != (sum(rows),):
        raise ValueError(
            f"in_proj_bias has shape {bias.shape}; {sum(rows)} numbers are needed, one for each "
            "row of the projections that are there."
        )
    ends = [sum(rows[: i + 1]) for i in range(len(rows))]
    return [bias[end - n : end] if n else None for end, n in zip(ends, rows, strict=True)]


def _pair(given: dict, weight: str, bias: str, is_needed: bool = True) -> tuple | None:
    """Weight and bias taken out of `given`; None where there is neither."""
    found = given.pop(weight, None), given.pop(bias, None)
    if (found[0] is None and found[1] is not None) or (
        is_needed and found[0] is not None and found[1] is None
    ):
        missing = weight if found[0] is None else bias
        raise ValueError(f"{missing} is missing from the mapping; its partner is there.")
    return None if found[0] is None else found
