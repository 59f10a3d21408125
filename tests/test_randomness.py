"""The random numbers: published vectors, equal bits in every form, exact laws, separate streams."""

from __future__ import annotations

import functools
import hashlib
import itertools
import math

import numba
import numpy as np
import pytest
from scipy import stats

from hopfield_sim import (
    Coupled,
    Schedule,
    ZeroTemperature,
    dynamics,
    examples,
    patterns,
    randomness,
    simulate,
)
from hopfield_sim.kernels import draws
from hopfield_sim.learning import hebb
from hopfield_sim.models.hopfield import Hopfield
from hopfield_sim.randomness import EXPONENTIAL, LOGISTIC, NONE
from tests import exact

PURPOSES = {
    name: getattr(randomness, name)
    for name in (
        "DYNAMICS",
        "ORDER",
        "START",
        "EXCHANGE",
        "PATTERNS",
        "CORRUPTION",
        "COUPLINGS",
        "EXAMPLES",
    )
}
EXTREMES = np.array(
    [0, 1, 2, 255, 256, 2**24 - 1, 2**24, 2**24 + 1, 2**31 - 1, 2**31, 2**31 + 1]
    + [2**32 - 2**24, 2**32 - 257, 2**32 - 256, 2**32 - 2, 2**32 - 1],
    np.uint32,
)


def many_words(n: int, seed: int = 1) -> np.ndarray:
    """The extremes and then draws of one lane, n in all: uint32 (n,)."""
    drawn = randomness.words(randomness.key(seed), randomness.DYNAMICS, (3, 4), 0, n // 4)
    return np.concatenate([EXTREMES, drawn])[:n]


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array's bytes, little-endian."""
    little = np.ascontiguousarray(array).astype(array.dtype.newbyteorder("<"))
    return hashlib.sha256(little.tobytes()).hexdigest()


# ---------------------------------------------------------------------------------- Philox itself

# Random123's file kat_vectors: counter, key, result of philox4x32-10.
KNOWN = [
    ([0] * 4, [0] * 2, [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]),
    ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD]),
    (
        [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
        [0xA4093822, 0x299F31D0],
        [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1],
    ),
]


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_philox_gives_the_published_vectors_in_both_forms(counter, key, result):
    compiled = randomness.philox(*map(np.uint64, counter), *map(np.uint64, key))
    assert [int(word) for word in compiled] == result
    arrays = [np.full(3, word, np.uint64) for word in counter]
    plain = randomness._philox(*arrays, *map(np.uint64, key))
    assert [word.tolist() for word in plain] == [[word] * 3 for word in result]


def test_words_are_philox_of_the_stated_counter():
    """Draw t = Philox(t>>2, t>>34 | purpose<<28, lane; key)[t & 3], below and above 2^34 draws."""
    key, lane, purpose = randomness.key(5), (7, 2**32 - 1), randomness.CORRUPTION
    for first in (0, 3, 2**32 - 2, 2**40):  # 2^32 - 2: the low counter word overflows on the way
        got = randomness.words(key, purpose, lane, first, 4)
        assert got.dtype == np.uint32
        for t in range(4 * first, 4 * first + 16):
            counter = ((t >> 2) & 0xFFFFFFFF, t >> 34 | purpose << 28, *lane)
            four = randomness.philox(*map(np.uint64, counter), *map(np.uint64, key))
            assert int(got[t - 4 * first]) == int(four[t & 3])


@pytest.mark.parametrize("purpose", PURPOSES.values(), ids=PURPOSES)
@pytest.mark.parametrize("n_neurons", [1, 4, 13])
def test_kernel_words_are_the_words(purpose, n_neurons):
    key, lane = randomness.key(9, 1), randomness.lane_words(0.3, 2)[1]
    blocks = randomness.blocks_per_sweep(n_neurons)
    assert 4 * blocks >= n_neurons > 4 * (blocks - 1)
    out = np.empty(4 * blocks, np.uint32)
    for sweep in (0, 1, 1_000_003, 2**33):
        draws.fill_words(out, key, purpose, lane, sweep)
        np.testing.assert_array_equal(
            out, randomness.words(key, purpose, lane, sweep * blocks, blocks)
        )


# ---------------------------------------------------------------- logarithm, thresholds, uniforms


@numba.njit(error_model="numpy")
def _compiled_logarithms(out, x):
    for i in range(x.size):
        out[i] = randomness.logarithm(x[i])


def test_logarithm_has_the_same_bits_compiled_and_in_numpy():
    """Four million arguments over the whole range 2^-126 ... 2^32, and every extreme word."""
    words = many_words(4_000_000)
    largest = np.float32(2.0**32).view(np.uint32)  # all positive normal floats up to 2^32
    smallest = np.float32(2.0**-126).view(np.uint32)
    bits = smallest + (words.astype(np.uint64) * int(largest - smallest) >> np.uint64(32))
    x = np.concatenate(
        [
            bits.astype(np.uint32).view(np.float32),
            EXTREMES.astype(np.float32) + np.float32(0.5),
            np.float32([1, 2.0**-33, 2.0**-126, 2.0**32, np.sqrt(0.5), np.sqrt(2)]),
        ]
    )
    out = np.empty_like(x)
    _compiled_logarithms(out, x)
    np.testing.assert_array_equal(out.view(np.int32), randomness._logarithm(x).view(np.int32))
    # fitted to 2.1e-6 for words; relative size beside that is float32 rounding of |ln x| <= 88
    assert np.abs(out - np.log(x.astype(float))).max() < 8e-6
    assert randomness._logarithm(np.float32(1)) == 0


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
@pytest.mark.parametrize("kind", [NONE, LOGISTIC, EXPONENTIAL])
@pytest.mark.parametrize("scale", [0.0, 1e-38, 0.37, 12.5, 3.3e4, 5e8, 1e18, 1e37])
def test_kernel_thresholds_are_the_thresholds(kind, scale, dtype):
    words, scale = many_words(300_000), np.float32(scale)
    expected = randomness.thresholds(words, kind, scale, dtype)
    assert expected.dtype == dtype
    out = np.empty(words.size, dtype)
    draws.fill_thresholds(out, words, kind, scale, randomness.limit(dtype))
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("dtype", [np.int32, np.int64])
def test_thresholds_saturate_and_vanish(dtype):
    """A huge temperature cuts thresholds at the limit (never wraps); a zero one gives theta = 0."""
    u = np.array([0, 2**32 - 1], np.uint32)
    limit = int(randomness.limit(dtype))
    assert limit == (2**30 if dtype is np.int32 else 2**62)
    huge = np.float32(1e37)
    assert randomness.thresholds(u, LOGISTIC, huge, dtype).tolist() == [-limit, limit]
    assert randomness.thresholds(u[:1], EXPONENTIAL, huge, dtype).tolist() == [limit]
    for kind in (NONE, LOGISTIC, EXPONENTIAL):
        assert not randomness.thresholds(many_words(1000), kind, np.float32(0), dtype).any()


@pytest.mark.parametrize("n_neurons", [1, 2, 7, 1000, 2**20 + 1])
def test_kernel_sites_are_the_sites_and_stay_inside(n_neurons):
    words = many_words(n_neurons)
    padded = np.resize(words, max(n_neurons, 4))
    out = np.empty(n_neurons, np.int64)
    draws.fill_sites(out, padded)
    np.testing.assert_array_equal(out, randomness.sites(padded, n_neurons)[:n_neurons])
    ends = randomness.sites(np.array([0, 2**32 - 1], np.uint32), n_neurons)
    assert ends.tolist() == [0, n_neurons - 1]


def test_logits_and_exponentials_are_exact_to_3e_6():
    """The stated accuracy, at every extreme word and two million draws."""
    u = many_words(2_000_000)
    v = (u.astype(float) + 0.5) / 2**32  # exact in float64
    assert np.abs(randomness.logits(u) - (np.log(v) - np.log1p(-v))).max() < 3e-6
    assert np.abs(randomness.exponentials(u) + np.log(v)).max() < 3e-6


def test_a_step_that_costs_nothing_is_certain_for_metropolis():
    """exp(0) = 1: the exponential threshold is above 0 for every word, at any temperature."""
    u = np.concatenate([EXTREMES, np.arange(2**32 - 100_000, 2**32, dtype=np.uint32)])
    for scale in (1e-3, 1.0, 1e6):
        assert randomness.thresholds(u, EXPONENTIAL, np.float32(scale)).min() >= 1


def exact_law(kind, field, scale):
    """P(field < theta) for theta of the given kind and scale."""
    if kind == LOGISTIC:
        return 1 / (1 + math.exp(field / scale))
    return math.exp(-max(field, 0) / scale)


FIELDS = [
    (kind, scale, field)
    for kind in (LOGISTIC, EXPONENTIAL)
    for scale, fields in ((0.8, (-3, -1, 0, 1, 2, 4)), (37.0, (-60, -1, 0, 1, 30, 200)))
    for field in fields
]


@pytest.mark.parametrize(("kind", "scale", "field"), FIELDS)
def test_flips_have_the_exact_probability(kind, scale, field):
    """Counted over four million draws: within 5 standard deviations of the binomial law.

    Twenty-four such tests: a true sampler fails one of them with probability 1e-5.
    """
    u = many_words(4_000_000, seed=2)[len(EXTREMES) :]
    flips = np.count_nonzero(field < randomness.thresholds(u, kind, np.float32(scale)))
    p = exact_law(kind, field, scale)
    assert abs(flips - p * u.size) <= 5 * math.sqrt(p * (1 - p) * u.size)


@pytest.mark.parametrize("kind", [LOGISTIC, EXPONENTIAL])
def test_floor_would_give_the_wrong_law(kind):
    """Negative control of the test above: with floor in place of ceil it fails by far."""
    u, scale, field = many_words(4_000_000, seed=2), 0.8, 1
    standard = randomness.logits(u) if kind == LOGISTIC else randomness.exponentials(u)
    flips = np.count_nonzero(field < np.floor(standard * np.float32(scale)))
    p = exact_law(kind, field, scale)
    assert abs(flips - p * u.size) > 100 * math.sqrt(p * (1 - p) * u.size)


@pytest.mark.parametrize("kind", [LOGISTIC, EXPONENTIAL])
@pytest.mark.parametrize("scale", [0.5, 3.0, 150.0])
def test_all_four_billion_words_together_have_the_exact_law(kind, scale):
    """The fraction of the 2^32 words that flip, found by bisection (thresholds are monotone in u).

    A threshold is off by at most 1e-5 scales: 3e-6 from the logarithm, the float32 rounding of
    up to 22 scales, 1.3e-6, and the bits of a word that float32 drops. An error e moves the
    logarithm of the odds (logistic) or of the probability (exponential) of a flip by e.
    """
    for field in (0, 1, round(scale), round(4 * scale), round(15 * scale)):
        low, high = 0, 2**32  # how many of the words, counted from the flipping end, flip
        while low < high:
            middle = (low + high) // 2
            # logistic thresholds rise with u, exponential ones fall
            u = np.uint32(2**32 - 1 - middle if kind == LOGISTIC else middle)
            if field < randomness.thresholds(np.array([u]), kind, np.float32(scale))[0]:
                low = middle + 1
            else:
                high = middle
        p, found = exact_law(kind, field, scale), low / 2**32
        error = math.log(found / p)
        if kind == LOGISTIC:
            error -= math.log((1 - found) / (1 - p))
        # deep in the tail one word of the `low` ones is a quantum
        assert abs(error) < 1e-5 + 1 / low


def test_uniforms_lie_in_the_open_interval():
    u = randomness.uniforms(np.concatenate([EXTREMES, many_words(100_000)]))
    assert u.dtype == np.float32
    assert u.min() > 0
    assert u.max() < 1


def test_uniforms_are_uniform():
    """Mean 1/2 and variance 1/12 of four million draws within 5 standard errors, and 1000 bins."""
    u = randomness.uniforms(many_words(4_000_000, seed=3)).astype(float)
    assert abs(u.mean() - 0.5) < 5 * math.sqrt(1 / 12 / u.size)
    assert abs(((u - 0.5) ** 2).mean() - 1 / 12) < 5 * math.sqrt(1 / 180 / u.size)
    counts = np.bincount((u * 1000).astype(int), minlength=1000)[:1000]
    assert stats.chisquare(counts).pvalue > 1e-5


@pytest.mark.parametrize("shift", [0, 8, 16, 24])
def test_every_byte_of_the_words_is_uniform(shift):
    """Chi-square over 256 values and four million words; one seed, so the p-value is fixed."""
    u = many_words(4_000_000, seed=4)[len(EXTREMES) :]
    counts = np.bincount(u >> np.uint32(shift) & np.uint32(255), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-5


def test_random_sites_are_uniform():
    """Each of 97 sites equally often in four million draws, with replacement."""
    sites = randomness.sites(many_words(4_000_000, seed=5)[len(EXTREMES) :], 97)
    assert stats.chisquare(np.bincount(sites, minlength=97)).pvalue > 1e-5


# ------------------------------------------------------------------------------- keys and streams


def key_number(*parts) -> int:
    low, high = randomness.key(*parts)
    return int(low) | int(high) << 32


def test_neighbouring_permuted_and_nested_seeds_give_distinct_keys():
    """Everything people do with seeds (add, multiply, swap, nest, shift bits) meets no other key.

    Fifty thousand 64-bit keys of a good hash collide with probability 1e-10.
    """
    seeds = {(s,) for s in range(2000)}
    seeds |= {(s, r) for s in range(60) for r in range(60)}
    seeds |= {(s, n, p) for s in range(12) for n in range(12) for p in range(12)}
    seeds |= {(2**k,) for k in range(64)} | {(2**64 - 1 - k,) for k in range(2000)}
    seeds |= {(2**32 * a + b,) for a in range(40) for b in range(40)}
    seeds |= {(0,) * k for k in range(1, 40)}
    seeds |= set(itertools.permutations((1, 2, 3, 5, 1000)))
    keys = {key_number(*parts) for parts in seeds}
    assert len(keys) == len(seeds)


def test_key_depends_on_order_but_not_on_grouping():
    assert key_number(1, 2) != key_number(2, 1)
    assert key_number((1, 2)) == key_number(1, 2) == key_number([1], 2)
    assert key_number((1, 2), 3) == key_number(1, 2, 3) != key_number(1, (2**32) * 2, 3)
    assert key_number(1) != key_number(1, 0) != key_number(1, 0, 0)  # trailing zeros count
    assert key_number(np.int64(7)) == key_number(np.uint8(7)) == key_number(7)


def test_lane_words_of_a_large_grid_are_distinct():
    """Temperatures one float apart, powers of two, zero, times 300 replicas: all distinct."""
    close = 0.5 + np.spacing(0.5) * np.arange(100)
    temperatures = np.unique(
        np.concatenate([[0.0], close, 2.0 ** np.arange(-40, 40), np.arange(1, 50) / 7])
    )
    words = randomness.lane_words(temperatures, 300)
    assert words.shape == (temperatures.size * 300, 2) == (226 * 300, 2)
    assert len(np.unique(words, axis=0)) == len(words)


def test_a_lane_word_depends_on_its_own_coordinates_only():
    words = randomness.lane_words([0.5, 0.25, 1.0], 4).reshape(3, 4, 2)
    np.testing.assert_array_equal(words[1], randomness.lane_words(0.25, 4))
    np.testing.assert_array_equal(words[2, 3], randomness.lane_words(1.0, 1, first_replica=3)[0])
    np.testing.assert_array_equal(words[:, 2:].reshape(-1, 2), randomness.lane_words(
        [0.5, 0.25, 1.0], 2, first_replica=2
    ))  # fmt: skip


def test_negative_zero_temperature_is_zero():
    np.testing.assert_array_equal(randomness.lane_words(-0.0, 3), randomness.lane_words(0.0, 3))


def test_no_two_streams_share_words_or_are_shifted_copies():
    """Every pair of successive words of 252 streams over seeds, disorders, lanes and purposes.

    Two equal streams, one shifted against another, or one that repeats would share pairs. The
    million windows of 64 bits collide by chance with probability 3e-8.
    """
    windows, n_blocks = [], 1000
    lanes = [*randomness.lane_words([0.5, 0.5000001], 2), (0, 0), (0, 1), (1, 0)]
    for parts in ((1,), (2,), (1, 1), (1, 2), (2, 1), (2**32,)):
        for lane in lanes:
            for purpose in list(PURPOSES.values())[:6]:
                w = randomness.words(randomness.key(*parts), purpose, lane, 0, n_blocks)
                windows.append(w[:-1].astype(np.uint64) << np.uint64(32) | w[1:])
    windows = np.concatenate(windows)
    assert windows.size == 6 * 7 * 6 * (4 * n_blocks - 1)
    assert np.unique(windows).size == windows.size


def test_neighbouring_streams_are_uncorrelated():
    """Signs of 200 neighbouring seeds and of 200 replicas: no pair correlates beyond chance.

    20,000 signs a stream, 19,900 pairs: the largest of so many correlations stays below 6 / sqrt(n)
    with probability 4e-5 of failing.
    """
    n = 20_000
    by_seed = [randomness.words(randomness.key(s), 0, (0, 0), 0, n // 4) for s in range(200)]
    by_lane = [
        randomness.words(randomness.key(1), 0, lane, 0, n // 4)
        for lane in randomness.lane_words(0.5, 200)
    ]
    for streams in (by_seed, by_lane):
        signs = np.where(np.stack(streams) >> np.uint32(31), 1.0, -1.0)
        correlation = signs @ signs.T / n
        np.fill_diagonal(correlation, 0)
        assert np.abs(correlation).max() < 6 / math.sqrt(n)


def test_the_high_half_of_a_seed_counts():
    assert key_number(5) != key_number(5 + 2**32)
    assert key_number(2**64 - 1) != key_number(2**32 - 1)


@pytest.mark.parametrize("seed", [-1, 2**64, 1.5, 1.0, True, "a", None, np.array([1]), (1, -1)])
def test_bad_seeds_are_refused_with_the_cure(seed):
    with pytest.raises(ValueError, match="integer from 0 to 2\\*\\*64 - 1") as caught:
        randomness.key(seed)
    assert "seed=1" in str(caught.value)


# ------------------------------------------------------------------------------------ golden hashes

# Stream version 1. Whoever changes one of these constants changes every trajectory that anybody
# has stored: that needs a new STREAM_VERSION, and the old constants stay beside the new ones.
#
# Only networks whose integers do not depend on a linear-algebra library are listed.

GOLDEN_TABLE = """
8d2874fa63d8bb1b353aea283c78d65ef8fb410e5b69c6bb32f82b996ac1d085 words
ad8c85a3a296e019f5261f4f9efe9bdad195057655d074628d802499c81a247b thresholds logistic 0.37 int32
8ce1a21052b6714c81a26941d0c18e8941b75b03def0a3bb7652b6fec7ae7d2d thresholds logistic 0.37 int64
860df6680d58e5b63ec8a0b4b2b0f27b05b306db3740b3153c80cb1612ae0e04 thresholds logistic 250.0 int32
064bac961b49de8f3bac2759fd1baf21908621d5c39666b90c1007c5e2093634 thresholds logistic 250.0 int64
0797d23a37d43a0b59bc3d6d2a3e60afbb919268d024051add5c44bcc66ac3ea thresholds exponential 0.37 int32
f9c89b86c5e70a0638064b0c3f67c695282c05bd1d63f143a880c4ba1c605f7c thresholds exponential 0.37 int64
c4a8a9ca5e39ee392e71889e296bf862d7a5a49378991dc9b490736ac83a52f4 thresholds exponential 250.0 int32
9443777d1d84d32d75d2a59b39be7a6776c5766387d6a724a13e09e01bed3c4a thresholds exponential 250.0 int64
06ed6c93b0cb7b4561bc890dcccb0ff97853e4ef1c079b5e62d8d8909ab180bf uniforms
5124161c9c571b93b704d595c4f8985cff354e6a017e1472fe16bdd86cc78119 sites
d93c15c60f96ed2957a06375de55f2c958a0505593fa007cef205b079a34c7cd lane words
210b7d1b7f8b10a41967d81b7da81f535645957959909cea86693454e16d9fb6 keys
700b4593d318122bf6f621657c0ce964c4977da4ab1253f9dd145a075f392e14 patterns random
5b57a30f4f1f1fa9788ea8b1722703a338a4b4c4631312b0179670373ffe83d7 patterns biased
c52e1e2c43530602aa5b475255a3d4ec144d6dd902b7bed3243770f2158bc5c8 patterns correlated
c9228736edebe514686c433b1d5739d9cb71add44a7b5d279f03898ec1844261 patterns diluted
d80cf6317bbea1d9d1088230011042fa1ab5b0a9c1d1a70a748e19d8b353867d patterns corrupt
aab0a0137b0fe2660291371893af00291064f754d679c21b24a9bb49f6bb19b2 examples noisy
f167ac59ef5b491deb4b911869455e9172a1ce7b5e580be18be535d6a2a05f48 random start
d56f9bfaf32efe17d6d806fcac6f639cf9c7a4bebc17e1df73bb8dd87b039de4 Hopfield, Glauber fixed
440fa2bf6769bd15591f9a5f2835db5e38e368963c72f82361c93510aff4ebb0 Hopfield, Glauber random
fd58057552292a63440cbc0c1b0818a6e1d7dc8864dea021c23385fcc99b77ab Hopfield, Metropolis random
ee2c3bd546c487ba5d244c96b26f0d1218b0700575c16fb268e91b80c0279efc Hopfield, Glauber parallel
0438107e8c58e63da74e2a199db39004c4a7d2657a9e792c8504189cf5166c69 Hopfield, zero fixed
1eef26ee0ed8884fbd3e9903490ae07e4674231674e7c5b7e00eacc873976d22 Hopfield, zero random
0438107e8c58e63da74e2a199db39004c4a7d2657a9e792c8504189cf5166c69 Hopfield, zero parallel
d56f9bfaf32efe17d6d806fcac6f639cf9c7a4bebc17e1df73bb8dd87b039de4 self-coupling, Glauber fixed
440fa2bf6769bd15591f9a5f2835db5e38e368963c72f82361c93510aff4ebb0 self-coupling, Glauber random
fd58057552292a63440cbc0c1b0818a6e1d7dc8864dea021c23385fcc99b77ab self-coupling, Metropolis random
6494bfdea66b2a72b095f249e015952fa7c5ec126c232ee6551f00dc6742878a self-coupling, Glauber parallel
0438107e8c58e63da74e2a199db39004c4a7d2657a9e792c8504189cf5166c69 self-coupling, zero fixed
1eef26ee0ed8884fbd3e9903490ae07e4674231674e7c5b7e00eacc873976d22 self-coupling, zero random
0438107e8c58e63da74e2a199db39004c4a7d2657a9e792c8504189cf5166c69 self-coupling, zero parallel
2ff425f690fb58a49b5c8899b1c84f3b8b306f225193d868f16dc023334e49e5 diluted patterns, Glauber fixed
aa6069d0f980a589e0c5355f8bd5d079255100cd45582fa07be64f18f7224774 diluted patterns, Glauber random
a5231838bb4a30e2c60c131ea345879d5d5bdcb02a2e6a84ce92c01ca79b1fab diluted patterns, Metropolis random
80dad8013df9ad15656ba2cee932c768ad77c5608bda827102e816ca1da782e5 diluted patterns, Glauber parallel
f5617d693cf8a41af251819ce88eafb4ec2eda9659ccac27f6f6767d0326111a diluted patterns, zero fixed
7e0abd364a861c828e15576f9f47758c35cac18a1babb7a81b527cc64690ff95 diluted patterns, zero random
425b7574de7af2d74933d670ce2f5ef499e4d3a71ec731e9fa362b948d408fb0 diluted patterns, zero parallel
ba21cb0d39955f536a749f5e434969300792f03a42e3c27ae5e6b551d12fa47b coupled, Glauber fixed
dba28e58c1f47b0b1c57ca208e7d6b17c9b39d4076636cdf4b7e8e47b6235c54 coupled, Glauber random
601be0e9e23863135b136d359dfbef6021a5d049d024a480e936cf762e2b2518 coupled, Metropolis random
2f5197a7e567ca7889f65248d52b20822ee09c0c8ee00b477730adef7ee3832f coupled, Glauber parallel
0438107e8c58e63da74e2a199db39004c4a7d2657a9e792c8504189cf5166c69 coupled, zero fixed
0726db76393df0f4bf2f02b7609a6167699c3f814442e478a924a5b0b2bd5b2e coupled, zero random
84aebfd20650fe7e26218cc20299d380df8d023a1b6761023c2ebddd743f6198 coupled, zero parallel
c35fe1c7c260d1888ec603dd7fc8e4a0daf76caf9137fc507c9d0f9b090b1217 one-way, Glauber fixed
e1e8a6d96c82a5ed05b95f663ebaec553886e0fe6d4bb3febf78eb3400014a68 one-way, Glauber random
5268b0e23be1a0e57ea491b8bb2e73bb0671cb45886cad069b5579695f347d09 one-way, Metropolis random
b27b8d04316d26e42eaf639ae944db4359c947e8dd8d4103601eba92840c8ae7 one-way, Glauber parallel
17c85f114541be24e016fb4a1360be1254f48773dbc51cde76986c331c9429d0 one-way, zero fixed
63f42fce3bb3d97d27f644e101f181c816b7266b756123dc42bcb39a84bde880 one-way, zero random
e18bf7133986b42280fe2ea801c38db31ad15bfd4d251993d5480a538ac61fe4 one-way, zero parallel
"""
GOLDEN = dict(reversed(line.split(" ", 1)) for line in GOLDEN_TABLE.strip().splitlines())


def golden_networks():
    xi = patterns.random(3, 13, seed=11)
    return {
        "Hopfield": Hopfield(xi),
        "self-coupling": Hopfield(xi, "hebb"),
        "diluted patterns": Hopfield(patterns.diluted(4, 13, 0.3, seed=12)),
        "coupled": hebb.coupled(xi, "hebb", external_field=0.25),
        "one-way": hebb.diluted(xi, 5, seed=13),
    }


def golden_values():
    """What is hashed, by name."""
    key = randomness.key((2026, 1), 13, 3)
    yield "words", randomness.words(key, randomness.ORDER, (1, 2**31), 2**32 - 500, 1000)
    u = many_words(100_000)
    for name, kind in (("logistic", LOGISTIC), ("exponential", EXPONENTIAL)):
        for scale in (0.37, 250.0):
            for dtype in (np.int32, np.int64):
                yield (
                    f"thresholds {name} {scale} {dtype.__name__}",
                    randomness.thresholds(u, kind, np.float32(scale), dtype),
                )
    yield "uniforms", randomness.uniforms(u)
    yield "sites", randomness.sites(u, 2048)
    yield "lane words", randomness.lane_words([0.0, 0.1, 0.5, 1e9], 5, first_replica=1)
    yield "keys", np.stack([randomness.key(*p) for p in ((0,), (1,), (1, 2), (2**64 - 1, 7))])
    yield "patterns random", patterns.random(3, 130, seed=1).astype(np.int8)
    yield "patterns biased", patterns.biased(3, 130, 0.3, seed=1).astype(np.int8)
    yield "patterns correlated", patterns.correlated(3, 130, 0.3, seed=1).astype(np.int8)
    yield "patterns diluted", patterns.diluted(3, 130, 0.3, seed=1).astype(np.int8)
    cue = patterns.corrupt(patterns.random(2, 130, seed=1), 3, 0.2, 0.1)
    yield "patterns corrupt", cue.astype(np.int8)
    yield "examples noisy", examples.noisy(cue, 0.4, 3, seed=1).astype(np.int8)
    free = Coupled(np.zeros((13, 13)))  # at zero temperature it stays where it started
    run = simulate(
        free,
        ZeroTemperature(),
        "random",
        Schedule(0, 1),
        n_replicas=3,
        seed=(5, 6),
        keep_spins=True,
    )
    yield "random start", run.spins.values
    for name, model in golden_networks().items():
        start = patterns.random(3, 13, seed=14)
        for rule_name, rule in exact.RULES.items():
            trajectory = [
                dynamics.updated(model, rule, start, sweeps=k, seed=(5, 6)) for k in (1, 2, 20)
            ]
            yield f"{name}, {rule_name}", np.stack(trajectory).astype(np.int8)


@functools.cache
def all_golden_values():
    return dict(golden_values())


@pytest.mark.parametrize("name", GOLDEN)
def test_golden_hashes_of_stream_version_1(name):
    assert randomness.STREAM_VERSION == 1, "a new version needs its own golden hashes"
    assert digest(all_golden_values()[name]) == GOLDEN[name]


def test_every_golden_value_has_its_hash():
    assert set(all_golden_values()) == set(GOLDEN)
