"""What is stored, as plain arrays (pattern, neuron), and cues made from it.

Arrays of +-1 are float32 in public: int8 would overflow silently in `xi[0] @ spins`; real patterns
are float64 (pattern, dimension). Every draw is a function of (seed, P, N, pattern, neuron) alone.
"""

from __future__ import annotations

import numpy as np

from hopfield_sim import randomness
from hopfield_sim.randomness import CORRUPTION, PATTERNS, Seed

# kinds of draws that share a purpose: the first four PATTERNS, the others CORRUPTION
_BITS, _UNIFORMS, _ANCESTOR, _NORMALS, _NOISE, _MASK = range(6)
_BLOCKS_AT_ONCE = 2**14  # some MB


def random(n_patterns: int, n_neurons: int, seed: Seed) -> np.ndarray:
    """Rademacher patterns, P(xi = +1) = P(xi = -1) = 1/2: float32 (pattern, neuron).

    One random bit an entry: bit i mod 32 of draw floor(i / 32) of the pattern's lane.
    Raises ValueError for sizes below one and for a seed that is no integer in [0, 2^64).
    """
    key = _key(n_patterns, n_neurons, seed)
    n_blocks = (n_neurons + 127) // 128
    xi = np.empty((n_patterns, n_neurons), np.float32)
    for rows in _chunks(n_patterns, n_blocks):
        words = randomness.words(key, PATTERNS, _lanes(rows, _BITS), 0, n_blocks)
        bits = np.unpackbits(words.astype("<u4").view(np.uint8), axis=1, bitorder="little")
        np.multiply(bits[:, :n_neurons], np.float32(2), out=xi[rows])
        xi[rows] -= 1
    return xi


def biased(n_patterns: int, n_neurons: int, mean: float, seed: Seed) -> np.ndarray:
    """Biased patterns, P(xi = +-1) = (1 +- mean) / 2: float32 (pattern, neuron).

    mean: the expectation <xi>, in [-1, 1]. Raises ValueError outside.
    """
    _checked_number("mean", mean, -1, 1)
    u = _all_uniforms(n_patterns, n_neurons, seed)
    return np.where(u < (1 + mean) / 2, 1, -1).astype(np.float32)


def correlated(n_patterns: int, n_neurons: int, correlation: float, seed: Seed) -> np.ndarray:
    """Patterns with a common ancestor, <xi_i^mu xi_i^nu> = correlation: float32 (pattern, neuron).

    A hidden Rademacher ancestor is copied; each copy agrees with it at a site with probability
    (1 + sqrt(correlation)) / 2. correlation: in [0, 1]. Raises ValueError outside.
    """
    _checked_number("correlation", correlation, 0, 1)
    u = _all_uniforms(n_patterns, n_neurons, seed)
    words = _words(_key(n_patterns, n_neurons, seed), 0, _ANCESTOR, n_neurons)
    ancestor = np.where(words >> np.uint32(31), 1, -1)
    return np.where(u < (1 + np.sqrt(correlation)) / 2, ancestor, -ancestor).astype(np.float32)


def diluted(n_patterns: int, n_neurons: int, dilution: float, seed: Seed) -> np.ndarray:
    """Blank entries, P(xi = 0) = dilution, P(xi = +-1) = (1 - dilution) / 2: (pattern, neuron).

    dilution: d in [0, 1]. Raises ValueError outside.
    Source: Agliari, Barra, Galluzzi, Guerra, Moauro, PRL 109 (2012) 268101 (multitasking).
    """
    _checked_number("dilution", dilution, 0, 1)
    u = _all_uniforms(n_patterns, n_neurons, seed)
    active = np.where(u < (1 + dilution) / 2, -1, 1)
    return np.where(u < dilution, 0, active).astype(np.float32)


def gaussian(n_patterns: int, dimension: int, seed: Seed) -> np.ndarray:
    """Independent normal entries, mean 0 and variance 1: float64 (pattern, dimension).

    For networks with continuous states. Raises ValueError for sizes below one and for a seed that
    is no integer in [0, 2^64).
    """
    key = _key(n_patterns, dimension, seed, "dimension")
    n_blocks = randomness.blocks_per_sweep(dimension)
    x = np.empty((n_patterns, dimension))
    for rows in _chunks(n_patterns, n_blocks):
        words = randomness.words(key, PATTERNS, _lanes(rows, _NORMALS), 0, n_blocks)
        x[rows] = randomness.normals(words)[:, :dimension]
    return x


def spherical(
    n_patterns: int, dimension: int, seed: Seed, radius: float | None = None
) -> np.ndarray:
    """Uniform on the sphere |x| = radius in d dimensions: float64 (pattern, dimension).

    radius: > 0; sqrt(d) if none is given, so that overlaps are x . y / d. They are the patterns of
    `gaussian`, each divided by its length. Raises ValueError for a radius that is not positive.
    """
    x = gaussian(n_patterns, dimension, seed)
    radius = np.sqrt(dimension) if radius is None else radius
    if not (np.isfinite(radius) and radius > 0):
        raise ValueError(f"radius={radius!r} is not possible; it must be positive.")
    return x * (radius / np.linalg.norm(x, axis=1, keepdims=True))


def noisy(pattern: np.ndarray, noise: float, seed: Seed) -> np.ndarray:
    """A cue for a network with continuous states: x + noise g, g independent normal.

    pattern: (..., dimension), real; noise: standard deviation, >= 0, in units of the entries.
    Returns float64 (..., dimension). Raises ValueError for a negative noise, and for a pattern
    that is a single number or holds NaN.
    """
    _checked_number("noise", noise, 0, np.finfo(float).max)
    rows, shape = _real_rows(pattern)
    words = _cue_words(rows.shape, _NOISE, seed)
    return (rows + noise * randomness.normals(words)[:, : rows.shape[1]]).reshape(shape)


def masked(pattern: np.ndarray, fraction: float, seed: Seed) -> np.ndarray:
    """A cue for a network with continuous states: round(fraction d) random entries are set to 0.

    pattern: (..., dimension), real; fraction: in [0, 1]. Returns float64 (..., dimension). Raises
    ValueError for a fraction outside, and for a pattern that is a single number or holds NaN.
    """
    _checked_number("fraction", fraction, 0, 1)
    rows, shape = _real_rows(pattern)
    rows, dimension = rows.copy(), rows.shape[1]
    order = np.argsort(_cue_words(rows.shape, _MASK, seed)[:, :dimension], axis=1, kind="stable")
    np.put_along_axis(rows, order[:, : round(fraction * dimension)], 0.0, axis=1)
    return rows.reshape(shape)


def corrupt(
    pattern: np.ndarray, seed: Seed, flip_fraction: float = 0.0, erase_fraction: float = 0.0
) -> np.ndarray:
    """A damaged copy of one pattern: the cue of a recall.

    Exactly `round(flip_fraction N)` sites, drawn without replacement, change sign: the cue has
    overlap 1 - 2 flip_fraction. Exactly `round(erase_fraction N)` further sites are replaced by
    random signs: each is right with probability 1/2.

    pattern: (neuron,), or (pattern, neuron), each row then damaged on its own sites.
    Raises ValueError for fractions outside [0, 1], or with a sum above one, and NaN.
    """
    pattern = np.asarray(pattern)
    if pattern.ndim not in (1, 2):
        raise ValueError(
            f"a pattern of shape {pattern.shape} cannot be corrupted; give (neuron,) or "
            "(pattern, neuron)."
        )
    _checked_number("flip_fraction", flip_fraction, 0, 1)
    _checked_number("erase_fraction", erase_fraction, 0, 1)
    if flip_fraction + erase_fraction > 1:
        raise ValueError(
            f"flip_fraction + erase_fraction = {flip_fraction + erase_fraction:g}, but together "
            "they cannot exceed 1: an erased site is not flipped as well."
        )
    rows = np.atleast_2d(pattern).astype(np.float32)
    n_neurons = rows.shape[1]
    n_flips = round(flip_fraction * n_neurons)
    n_erased = min(round(erase_fraction * n_neurons), n_neurons - n_flips)
    key = randomness.key(seed, n_neurons)
    for mu, row in enumerate(rows):
        words = _words(key, mu, 0, n_neurons, CORRUPTION)
        # ranks of random words are a random permutation; the index breaks (2^-32) ties
        sites = np.argsort(words, kind="stable")
        row[sites[:n_flips]] *= -1
        erased = sites[n_flips : n_flips + n_erased]
        signs = _words(key, mu, 1, n_neurons, CORRUPTION)[erased] >> np.uint32(31)
        row[erased] = np.where(signs, 1, -1)
    return rows.reshape(pattern.shape)


def checked(patterns: np.ndarray) -> np.ndarray:
    """`patterns` as contiguous float32 (pattern, neuron) of integers; ValueError otherwise."""
    patterns = np.asarray(patterns)
    if patterns.ndim != 2 or not patterns.size:
        raise ValueError(
            f"patterns have shape {patterns.shape}; a 2-d array (pattern, neuron) with at least "
            "one pattern is needed (a single pattern xi goes in as xi[None, :])."
        )
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite: refused below
        as_float = patterns.astype(np.float32)
    if not np.all(np.isfinite(as_float)):
        raise ValueError("patterns contain NaN or infinity; entries are +-1, 0 or small integers.")
    if np.any(as_float != np.rint(as_float)) or np.abs(as_float).max() > 32767:
        raise ValueError(
            "patterns must be integers of size up to 32767 (+-1, 0, sums over examples); real "
            "values can be binarised with np.where(x > 0, 1, -1)."
        )
    if not np.any(as_float):
        raise ValueError("patterns are all zero; nothing is stored in them.")
    return np.ascontiguousarray(as_float)


def _words(key, mu: int, kind: int, n_neurons: int, purpose: int = PATTERNS) -> np.ndarray:
    """One draw a neuron for pattern mu: uint32 (neuron,)."""
    n_blocks = randomness.blocks_per_sweep(n_neurons)
    return randomness.words(key, purpose, (mu, kind), 0, n_blocks)[:n_neurons]


def _all_uniforms(n_patterns: int, n_neurons: int, seed: Seed) -> np.ndarray:
    key, n_blocks = _key(n_patterns, n_neurons, seed), randomness.blocks_per_sweep(n_neurons)
    u = np.empty((n_patterns, n_neurons), np.float32)
    for rows in _chunks(n_patterns, n_blocks):
        words = randomness.words(key, PATTERNS, _lanes(rows, _UNIFORMS), 0, n_blocks)
        u[rows] = randomness.uniforms(words[:, :n_neurons])
    return u


def _real_rows(pattern: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    """Patterns (row, dimension), float64, and the shape that was given."""
    pattern = np.asarray(pattern, float)
    if pattern.ndim == 0 or not pattern.shape[-1] or not np.isfinite(pattern).all():
        raise ValueError(
            f"a pattern of shape {pattern.shape} that is a single number, has no entries, or holds "
            "NaN or infinity is not possible; give finite numbers (..., dimension)."
        )
    return pattern.reshape(-1, pattern.shape[-1]), pattern.shape


def _cue_words(shape: tuple[int, int], kind: int, seed: Seed) -> np.ndarray:
    """A draw an entry of cues (row, dimension), and up to three more a row: uint32."""
    n_rows, dimension = shape
    n_blocks = randomness.blocks_per_sweep(dimension)
    lanes = _lanes(slice(0, n_rows), kind)
    return randomness.words(randomness.key(seed, dimension), CORRUPTION, lanes, 0, n_blocks)


def _chunks(n_rows: int, n_blocks: int) -> list[slice]:
    """Rows that are drawn together: enough of them to be quick, not so many as to fill memory."""
    size = max(1, _BLOCKS_AT_ONCE // n_blocks)
    return [slice(first, min(first + size, n_rows)) for first in range(0, n_rows, size)]


def _lanes(rows: slice, kind: int) -> np.ndarray:
    """Lane words (row, 2) of one kind of draw."""
    mu = np.arange(rows.start, rows.stop)
    return np.stack([mu, np.full_like(mu, kind)], axis=-1)


def _key(n_patterns: int, n_neurons: int, seed: Seed, name_of_n: str = "n_neurons") -> np.ndarray:
    for name, value in (("n_patterns", n_patterns), (name_of_n, n_neurons)):
        if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
            raise ValueError(
                f"{name}={value!r} is not possible; it must be an integer of at least 1 "
                "(a load alpha that rounds to no pattern is too small for this N)."
            )
    return randomness.key(seed, n_neurons, n_patterns)


def _checked_number(name: str, value: float, low: float, high: float) -> None:
    if not low <= value <= high:  # NaN fails too
        raise ValueError(f"{name}={value!r} is not possible; it must lie in [{low}, {high}].")
