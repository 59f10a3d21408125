"""Attention as association of patterns: the layers of Ramsauer et al. (2021) as plain functions.

State patterns R (queries) retrieve from stored patterns Y (keys), and what is read out are the
projections V (values). Per head, with q = R Wq^T + bq, k = Y Wk^T + bk, v = V Wv^T + bv:

    A = softmax(beta q k^T),   then A <- softmax(beta (A k) k^T) up to `update_steps_max` times,
    output = (A v of all heads, side by side) Wo^T + bo.

* `hopfield`: association of two sets; with R = Y = V it is self-attention.
* `hopfield_pooling`: learned queries, the data are the memory: a summary of a bag.
* `hopfield_layer`: learned memory, the data are the queries: a look-up among prototypes.

`Weights.from_state_dict` takes the parameters of the reference implementation (PyTorch,
github.com/ml-jku/hopfield-layers) by their names; no PyTorch is needed. Every function works on
NumPy and CuPy arrays, float32 or float64 as given (integers become float64), and returns arrays of
the same kind. There is no dropout and no training here.

Source: Ramsauer et al., Hopfield Networks is All You Need, ICLR 2021, arXiv:2008.02217.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from hopfield_sim import device
from hopfield_sim.attention_weights import Array, LayerNorm, Linear, Weights, is_whole, real
from hopfield_sim.kernels import retrieval

__all__ = [
    "Associated",
    "LayerNorm",
    "Linear",
    "Weights",
    "hopfield",
    "hopfield_layer",
    "hopfield_pooling",
]

_ENTRIES = 2**22  # of an association matrix that are made at once: 32 MiB in float64
_ONLINE = 2**14  # entries for one member from which the online softmax is quicker (one core)
_LONGEST = 100_000  # updates of an iteration to convergence, which needs tens to hundreds


class Associated(NamedTuple):
    """What a layer returns.

    output: (batch, state, feature); of `hopfield_pooling` (batch, state x feature).
    association: A, (batch, head, state, stored), each row a distribution over the stored patterns;
    None unless it was asked for. steps: updates of each head after the first softmax, list (head,).
    """

    output: Array
    association: Array | None
    steps: list[int]


def hopfield(
    stored_pattern: Array,
    state_pattern: Array | None = None,
    pattern_projection: Array | None = None,
    weights: Weights | None = None,
    *,
    beta: float | Array | None = None,
    update_steps_max: int | None = 0,
    update_steps_eps: float = 1e-4,
    stored_pattern_padding_mask: Array | None = None,
    association_mask: Array | None = None,
    keep_association: bool = False,
) -> Associated:
    """A = softmax(beta q k^T), updated `update_steps_max` times; output A v of all heads.

    stored_pattern: Y (batch, stored, feature). state_pattern: R (batch, state, feature), or None:
    Y. pattern_projection: V (batch, stored, feature), or None: Y. A batch of 1 serves all members.
    weights: None: everything static, one head, no norm and no output projection.
    beta: > 0, for all heads or (head,), one for each; None: 1/sqrt(hidden), hidden the rows of Wk
    of a head, and 1 where all is static. (The reference implementation takes one beta for each
    *feature modulo head* where it is given an array; the number agrees with it.)

    update_steps_max: updates after the first softmax: 0 is plain attention, None goes on until
    nothing moves. A head stops by itself once no member of the batch changed its A by more than
    update_steps_eps (Frobenius norm over state and stored), so its number of steps depends on the
    batch. An update never raises the energy -lse(beta, k x) + |x|^2/2 of x = A k, so that all heads
    stop; RuntimeError, should rounding keep one from it (an eps too small for float32).

    stored_pattern_padding_mask: bool (batch, stored), True: this pattern is not there.
    association_mask: bool (state, stored) or (batch, head, state, stored), True: this pair is
    forbidden. Both hold in every update. A state pattern that is left without any stored pattern
    is refused (the reference implementation returns NaN).

    keep_association: return A as well. Without it no more than some 2^22 entries of A, or one row
    for each member of the batch, exist at a time: without association mask the last softmax goes
    through the online one of `kernels.retrieval` where A is large; the stopping rule, which needs
    A itself, is summed over blocks of rows that are made twice.

    Returns output (batch, state, feature), association or None, and the steps of each head.
    Raises ValueError for shapes that do not fit, no patterns, NaN or infinity, beta or eps not
    positive, and masks as above.
    """
    _checked(update_steps_max, update_steps_eps)
    weights = Weights() if weights is None else weights
    stored = real(stored_pattern, "stored_pattern", 3)
    state = stored if state_pattern is None else real(state_pattern, "state_pattern", 3)
    values = stored
    if pattern_projection is not None:
        values = real(pattern_projection, "pattern_projection", 3)
    n_batch = _batch(stored, state, values)
    q = _prepared(state, weights.norm_state, weights.state, "state_pattern")
    k = _prepared(stored, weights.norm_stored, weights.stored, "stored_pattern")
    v = _prepared(values, weights.norm_projection, weights.projection, "pattern_projection")
    heads = range(weights.n_heads)
    q, k, v = (
        [x] * len(heads) if part is None else _split(x, len(heads))
        for x, part in zip(
            (q, k, v), (weights.state, weights.stored, weights.projection), strict=True
        )
    )
    norm = weights.norm_association
    q, k = ([_prepared(x, norm, None, "a head") for x in each] for each in (q, k))
    if q[0].shape[-1] != k[0].shape[-1]:
        raise ValueError(
            f"state and stored patterns meet with {q[0].shape[-1]} and {k[0].shape[-1]} features; "
            "both must have the same number, or be projected onto it."
        )
    betas = _betas(beta, weights, k[0].shape[-1])
    shape = (n_batch, len(heads), state.shape[1], stored.shape[1])
    xp = device.module(q[0], k[0], v[0])
    padding, masks = _masks(stored_pattern_padding_mask, association_mask, shape, xp)
    kind = xp.result_type(q[0], k[0], v[0])
    found = []
    for h in heads:
        query = xp.broadcast_to(q[h].astype(kind), (n_batch, *q[h].shape[1:]))
        key, value = (xp.ascontiguousarray(x[h], kind) for x in (k, v))
        hidden = padding, masks[h]
        stop = update_steps_max, update_steps_eps
        found.append(_head(query, key, value, betas[h], hidden, stop, keep_association))
    output = xp.concatenate([each.output for each in found], axis=-1)
    if weights.output is not None:
        _fits(output, weights.output, "the output of all heads")
        output = weights.output(output)
    association = None
    if keep_association:
        association = xp.stack([each.association for each in found], axis=1)
    return Associated(output, association, [each.steps for each in found])


def hopfield_pooling(
    stored_pattern: Array,
    pooling_weights: Array,
    pattern_projection: Array | None = None,
    weights: Weights | None = None,
    **options,
) -> Associated:
    """What fixed queries find in each bag: `hopfield` with the data as memory.

    stored_pattern: Y (batch, instance, feature), the bags. pooling_weights: the queries,
    (query, feature) or (1, query, feature). pattern_projection: V, or None: Y.
    weights, options: as `hopfield`.
    Returns the output flattened, (batch, query x feature). Errors: as `hopfield`.
    """
    queries = _memory(pooling_weights, "pooling_weights")
    found = hopfield(stored_pattern, queries, pattern_projection, weights, **options)
    return found._replace(output=found.output.reshape(len(found.output), -1))


def hopfield_layer(
    state_pattern: Array,
    lookup_weights: Array,
    target_weights: Array | None = None,
    weights: Weights | None = None,
    **options,
) -> Associated:
    """What the data find in a fixed memory: `hopfield` with the data as queries.

    state_pattern: R (batch, state, feature). lookup_weights: the memory Y, (stored, feature) or
    (1, stored, feature). target_weights: what is read out V, shaped alike, or None: Y.
    weights, options: as `hopfield`. Errors: as `hopfield`.
    """
    memory = _memory(lookup_weights, "lookup_weights")
    targets = None if target_weights is None else _memory(target_weights, "target_weights")
    return hopfield(memory, state_pattern, targets, weights, **options)


def _head(q, k, v, beta, hidden, stop, keep) -> Associated:
    """One head: q (batch, state, hidden), k, v (batch or 1, stored, ...).

    hidden: padding and forbidden pairs, or None each. stop: most updates, or None, and eps.
    """
    xp = device.module(q)
    padding, mask = hidden
    most, eps = stop
    one_memory = padding is None and len(k) == len(v) == 1  # then faster at any size
    large = q.shape[1] * k.shape[1] > _ONLINE
    if most == 0 and mask is None and not keep and (one_memory or large):
        return Associated(_online(q, k, v, beta, padding), None, 0)
    at_once = max(1, _ENTRIES // (len(q) * k.shape[1]))
    blocks = [slice(first, first + at_once) for first in range(0, q.shape[1], at_once)]
    masks = [None if mask is None else mask[:, rows] for rows in blocks]

    def association(x, block):
        """A of some rows, (batch, row, stored)."""
        return _association(x, k, beta, padding, masks[block])

    held = association(q, 0) if len(blocks) == 1 else None  # A itself, where it is small
    steps, is_moving = 0, True
    while is_moving and (most is None or steps < most):
        if steps == _LONGEST:
            raise RuntimeError(
                f"A still changes by more than update_steps_eps={eps!r} after {steps} updates: "
                "that is below the rounding of these numbers; raise it, or use float64."
            )
        moved, change = [], 0.0
        for block, rows in enumerate(blocks):
            before = association(q[:, rows], block) if held is None else held
            x = before @ k
            after = association(x, block)
            change = change + ((after - before) ** 2).sum(axis=(1, 2))
            moved.append(x)
        q = xp.concatenate(moved, axis=1)
        held = after if len(blocks) == 1 else None
        steps += 1
        is_moving = float(change.max()) > eps**2
    if held is not None:
        return Associated(held @ v, held if keep else None, steps)
    if mask is None and not keep:
        return Associated(_online(q, k, v, beta, padding), None, steps)
    output, whole = [], []
    for block, rows in enumerate(blocks):
        a = association(q[:, rows], block)
        output.append(a @ v)
        if keep:
            whole.append(a)
    association_matrix = xp.concatenate(whole, axis=1) if keep else None
    return Associated(xp.concatenate(output, axis=1), association_matrix, steps)


def _association(x, k, beta, padding, mask):
    """softmax(beta x k^T) without what is hidden: (batch, state, stored)."""
    xp = device.module(x)
    z = (x * x.dtype.type(beta)) @ k.swapaxes(-1, -2)
    for where in (None if padding is None else padding[:, None, :], mask):
        if where is not None:
            z = xp.where(where, z.dtype.type(-math.inf), z)
    return retrieval.softmax_weights(z)


def _online(q, k, v, beta, padding):
    """softmax(beta q k^T) v without that matrix: (batch, state, feature)."""
    xp = device.module(q)
    if padding is None and len(k) == len(v) == 1:  # one memory: all queries at once
        queries = xp.ascontiguousarray(q.reshape(-1, q.shape[-1]))
        flat, _ = retrieval.softmax(queries, k[0], v[0], beta)
        return flat.reshape(*q.shape[:-1], -1)
    found = []
    for b in range(len(q)):
        keys, values = (x[b % len(x)] for x in (k, v))
        if padding is not None:
            keys, values = keys[~padding[b]], values[~padding[b]]
        found.append(retrieval.softmax(xp.ascontiguousarray(q[b]), keys, values, beta)[0])
    return xp.stack(found)


def _memory(array, name: str):
    """Patterns for all members of a batch: (pattern, feature) becomes (1, pattern, feature)."""
    array = real(array, name)
    return real(array[None] if array.ndim == 2 else array, name, 3)


def _batch(stored, state, values) -> int:
    if stored.shape[1] != values.shape[1]:
        raise ValueError(
            f"{stored.shape[1]} stored patterns but {values.shape[1]} pattern projections; each "
            "stored pattern needs one."
        )
    sizes = {len(stored), len(state), len(values)} - {1}
    if len(sizes) > 1:
        raise ValueError(
            f"stored patterns, state patterns and projections come in batches of {len(stored)}, "
            f"{len(state)} and {len(values)}; they must be equal, or 1."
        )
    return max(sizes, default=1)


def _prepared(x, norm, projection, name: str):
    if norm is not None:
        if norm.weight.shape[0] != x.shape[-1]:
            raise ValueError(
                f"{name} has {x.shape[-1]} features, its layer norm takes {norm.weight.shape[0]}."
            )
        x = norm(x)
    if projection is not None:
        _fits(x, projection, name)
        x = projection(x)
    return x


def _fits(x, projection: Linear, name: str) -> None:
    if x.shape[-1] != projection.weight.shape[1]:
        raise ValueError(
            f"{name} has {x.shape[-1]} features, its projection takes {projection.weight.shape[1]}."
        )


def _split(x, n_heads: int) -> list:
    each = x.shape[-1] // n_heads
    return [x[..., h * each : (h + 1) * each] for h in range(n_heads)]


def _betas(beta, weights: Weights, hidden: int) -> list[float]:
    """One beta for each head."""
    if beta is None:
        beta = 1.0 if weights.is_static else hidden**-0.5
    beta = real(beta, "beta")
    if beta.shape not in ((), (weights.n_heads,)):
        raise ValueError(
            f"beta has shape {beta.shape}; a number, or one for each of {weights.n_heads} heads, "
            "is needed."
        )
    betas = beta.tolist() if beta.shape else [float(beta)] * weights.n_heads
    if min(betas) <= 0:
        raise ValueError(f"beta={min(betas):g} is not possible; it must be positive.")
    return betas


def _masks(padding, mask, shape, xp):
    """Padding (batch, stored) or None, and for each head its forbidden pairs or None."""
    n_batch, n_heads, n_state, n_stored = shape
    allowed = {"(batch, stored)": (n_batch, n_stored)}
    padding = _mask(padding, "stored_pattern_padding_mask", allowed, xp)
    allowed = {"(state, stored)": (n_state, n_stored), "(batch, head, state, stored)": shape}
    mask = _mask(mask, "association_mask", allowed, xp)
    there = xp.ones((1, 1, n_stored, 1), xp.float32)
    if padding is not None:
        there = (~padding).astype(xp.float32)[:, None, :, None]
    if mask is None:
        number = there.sum(axis=2, keepdims=True)
        masks = [None] * n_heads
    else:
        mask = mask[None, None] if mask.ndim == 2 else mask
        number = (~mask).astype(xp.float32) @ there
        masks = [mask[:, h % mask.shape[1]] for h in range(n_heads)]
    if not bool((number > 0).all()):
        member, head, row, _ = (int(i) for i in xp.argwhere(number == 0)[0])
        raise ValueError(
            f"the masks leave no stored pattern to state pattern {row} of member {member} of the "
            f"batch (head {head}); each needs at least one."
        )
    return padding, masks


def _mask(mask, name: str, allowed: dict, xp):
    if mask is None:
        return None
    mask = xp.asarray(mask)
    if mask.dtype != bool or mask.shape not in allowed.values():
        axes = " or ".join(f"{what} = {shape}" for what, shape in allowed.items())
        raise ValueError(
            f"{name} holds {mask.dtype} of shape {mask.shape}; bool {axes} is needed, True for "
            "what is left out."
        )
    return mask


def _checked(update_steps_max, update_steps_eps) -> None:
    if update_steps_max is not None and not (is_whole(update_steps_max) and update_steps_max >= 0):
        raise ValueError(
            f"update_steps_max={update_steps_max!r}: a whole number of updates after the first "
            "softmax is needed (0 is plain attention), or None to go on until nothing moves."
        )
    if not 0 < update_steps_eps < math.inf:  # NaN fails too
        raise ValueError(f"update_steps_eps={update_steps_eps!r}: it must be positive, as 1e-4.")
