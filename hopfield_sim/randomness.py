"""Counter-based random numbers, defined once: the same bits in NumPy, in Numba and on a GPU.

Every draw is a function of (seed, stream, lane, sweep, site) alone. How lanes are grouped, how many
threads, processes or devices share the work, and which values a grid had before, changes nothing.

* The **key** (64 bits) is a hash of the seed and of the disorder's coordinates (N, P, realisation).
* The **lane word** (64 bits) is a hash of the lane's own coordinates (temperature, replica).
* The **purpose** (top 4 bits of the counter) keeps dynamics, site order, starts, patterns apart.

Draw number t of a lane is `Philox(counter = (t>>2, t>>34 | purpose<<28, lane word), key)[t & 3]`,
and visit v of sweep k has `t = k * 4 ceil(N/4) + v`.

Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3" (2011),
Philox4x32-10.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from hopfield_sim.device import compiled

STREAM_VERSION = 1
"""Changes whenever any stored trajectory would; golden hashes of each version stay in the tests."""

# What a draw is for: the top four bits of the counter.
DYNAMICS, ORDER, START, EXCHANGE, PATTERNS, CORRUPTION, COUPLINGS, _LANE, _KEY, EXAMPLES = range(10)

# How the threshold of a flip is distributed.
NONE, LOGISTIC, EXPONENTIAL = range(3)

# In which order a sweep visits the sites.
FIXED, RANDOM, PARALLEL = range(3)

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_M0, _M1 = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
_W0, _W1 = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)

Seed = int | Sequence[int]


@dataclass(frozen=True, eq=False)
class Noise:
    """What a rule is to a kernel: *flip neuron i when* `s_i h_i < theta_i`.

    kind: NONE (theta = 0), LOGISTIC or EXPONENTIAL; scale: float64 (lane,), the scale of theta in
    units of energy, T/2 for the rules of `dynamics`; order: FIXED, RANDOM or PARALLEL.
    """

    kind: int
    scale: np.ndarray
    order: int

    @property
    def keeps_self_coupling(self) -> bool:
        """Whether h_i contains J_ii s_i: only at zero temperature and in synchronous dynamics.

        Asynchronous thermal rules must follow energy differences, from which J_ii drops out.
        """
        return self.kind == NONE or self.order == PARALLEL


@dataclass(frozen=True, eq=False)
class Stream:
    """Where random numbers come from: key uint32 (2,), and lanes uint32 (lane, 2)."""

    key: np.ndarray
    lanes: np.ndarray


class Draws(NamedTuple):
    """What a kernel is told of rule and randomness: arrays and numbers only.

    key: uint32 (2,); lanes: uint32 (lane, 2), the lane words; kind: of noise; scale: float32
    (lane,), of the thresholds in integer units; bound: float32, the `limit` of their type; order.
    """

    key: np.ndarray
    lanes: np.ndarray
    kind: int
    scale: np.ndarray
    bound: np.float32
    order: int


def _philox(c0, c1, c2, c3, k0, k1):
    """Philox4x32-10: four 32-bit words from four counter words and two key words, all uint64.

    Written in uint64 arithmetic on values below 2^32, so that the same source runs on NumPy
    arrays and, compiled, on scalars.
    """
    for _ in range(10):
        p0 = _M0 * c0
        p1 = _M1 * c2
        c0 = (p1 >> _HALF) ^ c1 ^ k0
        c2 = (p0 >> _HALF) ^ c3 ^ k1
        c1 = p1 & _MASK
        c3 = p0 & _MASK
        k0 = (k0 + _W0) & _MASK
        k1 = (k1 + _W1) & _MASK
    return c0, c1, c2, c3


philox = compiled(_philox)
"""`_philox` on scalars, for kernels."""


def words(key: np.ndarray, purpose: int, lane: np.ndarray, first_block: int, n_blocks: int):
    """Draws 4 first_block ... 4 (first_block + n_blocks) - 1 of each lane: uint32 (..., draw).

    lane: lane words (..., 2).
    """
    block = np.uint64(first_block) + np.arange(n_blocks, dtype=np.uint64)
    high = (block >> _HALF) | np.uint64(purpose << 28)
    lane = np.asarray(lane, np.uint64)
    key = np.asarray(key, np.uint64)
    zero = np.zeros((*lane.shape[:-1], n_blocks), np.uint64)
    counter = (block & _MASK) + zero, high, lane[..., :1] + zero, lane[..., 1:] + zero
    out = _philox(*counter, key[0], key[1])
    return np.stack(out, axis=-1).astype(np.uint32).reshape(*lane.shape[:-1], 4 * n_blocks)


def blocks_per_sweep(n_neurons: int) -> int:
    """Philox calls that one sweep of one lane uses: ceil(N / 4)."""
    return (n_neurons + 3) // 4


def key(seed: Seed, *coordinates: int) -> np.ndarray:
    """Key of a stream: uint32 (2,), a hash of the seed and of the disorder's coordinates.

    seed: an integer in [0, 2^64), or a sequence of such integers (the seed, then coordinates such
    as the realisation). Each word is absorbed by one Philox call whose counter holds the word, its
    position and the number of words, so neighbouring or permuted coordinates give unrelated keys.

    Raises ValueError where a value is no integer in [0, 2^64).
    """
    parts = (*words_of(seed), *coordinates)
    state = (np.uint64(STREAM_VERSION), np.uint64(len(parts)))
    for position, part in enumerate(parts):
        value = checked_seed(part)
        block = np.array([value & 0xFFFFFFFF], np.uint64), np.array([value >> 32], np.uint64)
        domain = np.array([(_KEY << 28) | position], np.uint64)
        out = _philox(*block, domain, state[0] ^ domain, *state)
        state = out[0][0], out[1][0]
    return np.array(state, np.uint32)


def words_of(seed: Seed) -> tuple[int, ...]:
    """A seed as a tuple of plain integers: the seed alone, or with its coordinates.

    Raises ValueError where a value is no integer in [0, 2^64).
    """
    if isinstance(seed, Sequence) and not isinstance(seed, str):
        return tuple(checked_seed(part) for part in seed)
    return (checked_seed(seed),)


def checked_seed(seed: int) -> int:
    """`seed` as a Python integer; ValueError with the cure where it is none in [0, 2^64)."""
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or not 0 <= seed < 2**64:
        raise ValueError(
            f"seed {seed!r} cannot be used; a seed (or a coordinate given with it) is an integer "
            "from 0 to 2**64 - 1, e.g. seed=1."
        )
    return int(seed)


def lane_words(temperature, n_replicas: int, first_replica: int = 0) -> np.ndarray:
    """Words of the lanes (temperature, replica), replica fastest: uint32 (lane, 2).

    temperature: scalar or (temperature,), in units of J. A lane's word depends on its own
    temperature and replica number only, so lanes can be regrouped and values added at will.
    """
    bits = [
        struct.unpack("<Q", struct.pack("<d", float(value) + 0.0))[0]  # -0.0 is 0.0
        for value in np.atleast_1d(np.asarray(temperature, float))
    ]
    low = np.array([b & 0xFFFFFFFF for b in bits], np.uint64)[:, None]
    high = np.array([b >> 32 for b in bits], np.uint64)[:, None]
    replica = np.arange(first_replica, first_replica + n_replicas, dtype=np.uint64)[None, :]
    zero = np.zeros((len(bits), n_replicas), np.uint64)
    domain = zero + np.uint64(_LANE << 28)
    out = _philox(low + zero, high + zero, replica + zero, domain, _W0, _W1)
    return np.stack(out[:2], axis=-1).astype(np.uint32).reshape(-1, 2)


# ln x on the float32 line: x = 2^e (1 + y) with 1 + y in [sqrt(1/2), sqrt(2)), and a polynomial of
# degree 8 for ln(1+y)/y, fitted for the smallest largest error of ln. Only IEEE single multiply and
# add, rounded after each (never fused), so that every device returns the same bits.
# Largest error 2.1e-6 at x = 2^32, where one unit in the last place is 1.9e-6.
_LN2 = np.float32(0.6931472)
_SQRT_HALF_BITS = np.int32(0x3F3504F3)
_ONE = np.float32(1.0)
_HALF_UNIT = np.float32(0.5)
LOGARITHM_COEFFICIENTS = tuple(
    np.float32(float.fromhex(c))
    for c in (
        "0x1p+0",
        "-0x1.ffff86p-2",
        "0x1.555906p-2",
        "-0x1.001d28p-2",
        "0x1.987f5ep-3",
        "-0x1.500376p-3",
        "0x1.316f7ep-3",
        "-0x1.380170p-3",
        "0x1.8ffe8ep-4",
    )
)
_, _C1, _C2, _C3, _C4, _C5, _C6, _C7, _C8 = LOGARITHM_COEFFICIENTS


def _logarithm(x):
    """ln x for float32 x >= 2^-126, by float32 multiply and add: scalar or array."""
    bits = np.float32(x).view(np.int32)
    exponent = np.int32(np.int32(bits - _SQRT_HALF_BITS) >> np.int32(23))
    y = np.int32(bits - np.int32(exponent << np.int32(23))).view(np.float32) - _ONE
    p = _C8 * y + _C7
    p = p * y + _C6
    p = p * y + _C5
    p = p * y + _C4
    p = p * y + _C3
    p = p * y + _C2
    p = p * y + _C1
    p = p * y + _ONE
    return np.float32(exponent) * _LN2 + p * y


logarithm = compiled(_logarithm)
"""`_logarithm` on scalars, for kernels."""

LN_2_32 = np.float32(32) * _LN2
LEAST = np.float32(2.0**-33)


def logits(u: np.ndarray) -> np.ndarray:
    """ln(v / (1-v)) with v = (u + 1/2) / 2^32: float32, standard logistic, error below 3e-6."""
    return _logarithm(u.astype(np.float32) + _HALF_UNIT) - _logarithm(
        (~u).astype(np.float32) + _HALF_UNIT
    )


def exponentials(u: np.ndarray) -> np.ndarray:
    """-ln v with v = (u + 1/2) / 2^32: float32, standard exponential, error below 3e-6.

    Never below 2^-33: Metropolis accepts what costs no energy with certainty.
    """
    return np.maximum(LN_2_32 - _logarithm(u.astype(np.float32) + _HALF_UNIT), LEAST)


def limit(dtype) -> np.float32:
    """Largest threshold that an integer type holds; the fields kept in it stay below in size."""
    return np.float32(2.0**30 if np.dtype(dtype) == np.int32 else 2.0**62)


def thresholds(u: np.ndarray, kind: int, scale: np.float32, dtype=np.int32) -> np.ndarray:
    """Integer thresholds: *flip when* `s_i H_i < ceil(theta)`, H_i the field in integer units.

    u: uint32 (visit,); scale: float32, T / (2 unit); dtype: int32 or int64, saturating at `limit`.
    The integer inequality `x < theta` is `x < ceil(theta)`; with floor the law would be wrong.
    """
    if kind == NONE:
        return np.zeros(u.shape, dtype)
    standard = logits(u) if kind == LOGISTIC else exponentials(u)
    bound = limit(dtype)
    return np.ceil(np.clip(standard * np.float32(scale), -bound, bound)).astype(dtype)


def uniforms(u: np.ndarray) -> np.ndarray:
    """(floor(u / 2^9) + 1/2) / 2^23: float32 in the open interval (0, 1), exact."""
    return ((u >> np.uint32(9)).astype(np.float32) + _HALF_UNIT) * np.float32(2.0**-23)


def normals(u: np.ndarray) -> np.ndarray:
    """Standard normal numbers from as many draws: float64 (..., draw), an even number of draws.

    sqrt(-2 ln v) (cos, sin)(2 pi w), v and w = (u + 1/2)/2^32 of two draws each: none is larger
    than 6.8, which one of 10^11 would be. The bits are those of the platform's logarithm and
    cosine: other platforms agree to rounding.

    Source: Box and Muller, Ann. Math. Stat. 29 (1958) 610.
    """
    v = (u[..., 0::2] + 0.5) * 2.0**-32
    angle = (u[..., 1::2] + 0.5) * (2 * np.pi * 2.0**-32)
    length = np.sqrt(-2 * np.log(v))
    return np.stack([length * np.cos(angle), length * np.sin(angle)], axis=-1).reshape(u.shape)


def sites(u: np.ndarray, n_neurons: int) -> np.ndarray:
    """Sites 0 ... N-1 drawn with replacement: floor(u N / 2^32), int64 (visit,)."""
    return ((u.astype(np.uint64) * np.uint64(n_neurons)) >> _HALF).astype(np.int64)
