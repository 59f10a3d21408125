"""Compiled softmax and entmax of many queries: against their formulas in float64, and in space."""

import bisect
import math
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numba
import numpy as np
import pytest
from scipy.special import logsumexp

from hopfield_sim.kernels import lanes, lanes_entmax, lanes_softmax, retrieval, simd
from hopfield_sim.kernels.simd import aligned

KINDS = (np.float32, np.float64)
# queries, patterns, dimension, features: no multiple of a tile, one of each, and whole chunks
SHAPES = [(1, 1, 1, 1), (5, 20, 3, 2), (33, 241, 13, 7), (16, 480, 24, 12), (70, 1001, 140, 29)]


def drawn(shape, kind, seed=0):
    """Queries, keys, values: normal numbers."""
    n_queries, n_patterns, dimension, n_features = shape
    rng = np.random.default_rng(seed)
    sizes = ((n_queries, dimension), (n_patterns, dimension), (n_patterns, n_features))
    return [rng.standard_normal(size).astype(kind) for size in sizes]


def scores_of(queries, keys, beta, offset=None):
    scores = beta * queries.astype(float) @ keys.astype(float).T
    return scores if offset is None else scores + offset.astype(float)


def direct_softmax(queries, keys, values, beta, offset=None, extra=0.0):
    """The formula, in float64, with the table of all scores."""
    scores = scores_of(queries, keys, beta, offset)
    everything = np.column_stack([scores, np.full(len(scores), -np.inf)])
    if extra:
        everything[:, -1] = math.log(extra)
    log_sum = logsumexp(everything, axis=1)
    return np.exp(scores - log_sum[:, None]) @ values.astype(float), log_sum


def tolerance(kind, queries, keys, beta):
    """What rounding may do to a score, and so to ln of the sum and, relatively, to a weight.

    A sum of d products errs by at most d eps/2 times the sum of their sizes, typically by the
    square root of that factor; asked is for 4 sqrt(d) eps, with 8 eps for exponential and sums.
    """
    sizes = np.abs(beta * queries.astype(float)) @ np.abs(keys.astype(float)).T
    return np.finfo(kind).eps * (8 + 4 * math.sqrt(keys.shape[1]) * sizes.max())


# ------------------------------------------------------------------------------------ exponential


@numba.njit
def _exponentials(x, top, total):
    lanes.exponentials(x[0, 0], 0, x.ctypes.data, len(x), top.ctypes.data, total.ctypes.data)


def exponentials(x):
    """e^x of a vector through the kernel's exponential."""
    width = lanes.ROW // x.itemsize
    rows = aligned((-(-x.size // width), width), x.dtype)
    rows.reshape(-1)[: x.size] = x
    total = aligned((width,), x.dtype)
    _exponentials(rows, aligned((width,), x.dtype), total)
    return rows.reshape(-1)[: x.size]


@pytest.mark.parametrize(("kind", "lowest"), [(np.float32, -87.3), (np.float64, -708.3)])
def test_exponential_over_its_whole_range(kind, lowest):
    """Within 1.5 units of the last place above `lowest`, as its docstring says; 0 below."""
    rng = np.random.default_rng(1)
    x = np.concatenate(
        [
            rng.uniform(lowest, 0, 200_000),
            -np.geomspace(1e-45, -lowest, 20_000),
            math.log(2) / 2 * -np.arange(200),  # the ends of the polynomial's interval
        ]
    ).astype(kind)
    x = x[x >= kind(lowest)]
    found, wanted = exponentials(x), np.exp(x.astype(np.longdouble))
    assert found.dtype == kind
    if np.finfo(np.longdouble).eps < np.finfo(kind).eps:  # where long double is none, 1 ulp more
        assert np.max(np.abs(found - wanted) / np.spacing(wanted.astype(kind))) <= 1.5
    np.testing.assert_allclose(found, np.exp(x), rtol=2.5 * np.finfo(kind).eps)
    assert exponentials(np.zeros(3, kind)).tolist() == [1, 1, 1]
    small = np.array([np.nextafter(kind(lowest), kind(-np.inf)), -1e4, -1e30, -np.inf], kind)
    assert exponentials(small).tolist() == [0, 0, 0, 0]
    assert np.isnan(exponentials(np.array([np.nan], kind))).all()


# ---------------------------------------------------------------------------------------- softmax


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("extra", [0.0, 1.0])
@pytest.mark.parametrize("shape", SHAPES)
def test_softmax_is_its_formula(shape, extra, kind):
    queries, keys, values = drawn(shape, kind)
    offset = np.random.default_rng(5).normal(size=len(keys)).astype(kind)
    beta = 2 / math.sqrt(keys.shape[1])
    for shift in (None, offset):
        output, log_sum = retrieval.softmax(queries, keys, values, beta, shift, extra)
        wanted, wanted_log = direct_softmax(queries, keys, values, beta, shift, extra)
        near = tolerance(kind, queries, keys, beta)
        assert output.dtype == log_sum.dtype == kind
        np.testing.assert_allclose(output, wanted, rtol=0, atol=near * np.abs(values).max())
        np.testing.assert_allclose(log_sum, wanted_log, rtol=0, atol=near)
        nothing, alone = retrieval.softmax(queries, keys, None, beta, shift, extra)
        assert nothing is None
        np.testing.assert_array_equal(alone, log_sum)  # not even the last bit knows of the values


@pytest.mark.parametrize("kind", KINDS)
def test_softmax_of_huge_scores(kind):
    """Scores of 1e4 and -1e4: the largest alone has weight, and nothing overflows."""
    keys = np.array([[1e4], [-1e4], [0]], kind)
    queries, values = np.array([[1], [-1], [0]], kind), np.array([[3], [5], [7]], kind)
    output, log_sum = retrieval.softmax(queries, keys, values, 1.0)
    assert output.ravel().tolist() == [3, 5, 5] and log_sum[:2].tolist() == [1e4, 1e4]
    far = retrieval.softmax(queries[:1], np.array([[-1e4]], kind), values[:1], 1.0, extra=1.0)
    assert far[0].tolist() == [[0]] and far[1].tolist() == [0]


@pytest.mark.parametrize("kind", KINDS)
def test_softmax_of_equal_scores(kind):
    """All weights 1/M: the mean of the values; ln M. Sums of M small integers are exact."""
    n_patterns = 100_000
    values = np.random.default_rng(3).integers(-8, 9, (n_patterns, 3)).astype(kind)
    keys, queries = np.ones((n_patterns, 4), kind), np.full((2, 4), 0.25, kind)
    output, log_sum = retrieval.softmax(queries, keys, values, 1.0)
    eps = np.finfo(kind).eps
    np.testing.assert_allclose(output, np.tile(values.mean(axis=0, dtype=float), (2, 1)), rtol=eps)
    np.testing.assert_allclose(log_sum, 1 + math.log(n_patterns), rtol=eps)


@pytest.mark.parametrize("kind", KINDS)
def test_small_weights_add_up(kind):
    """One pattern of weight 1 and a million of weight 2^-36: sums over chunks lose none of them.

    Those of a chunk are together below half a unit of the last place of 1 in float32: added chunk
    by chunk in that type, all would be lost. The first chunk's, 240 of 2^20, are.
    """
    n_patterns = 2**20
    offset = np.full(n_patterns + 1, -36 * math.log(2), kind)
    offset[0] = 0
    nothing = np.zeros((n_patterns + 1, 1), kind)
    values = np.ones((n_patterns + 1, 1), kind)
    output, log_sum = retrieval.softmax(nothing[:1], nothing, values, 1.0, offset)
    near = 240 / 2**20 + 36 * math.log(2) * np.finfo(kind).eps
    np.testing.assert_allclose(log_sum, math.log1p(2.0**-16), rtol=near)
    np.testing.assert_allclose(output, 1, rtol=4 * np.finfo(kind).eps)


@pytest.mark.parametrize("kind", KINDS)
def test_masked_patterns_do_not_exist(kind):
    queries, keys, values = drawn((9, 600, 5, 3), kind)
    offset = np.zeros(600, kind)
    offset[:300] = offset[401::2] = -np.inf  # a whole chunk and more at the front
    kept = np.isfinite(offset)
    for extra in (0.0, 1.0):
        found = retrieval.softmax(queries, keys, values, 1.0, offset, extra)
        wanted = direct_softmax(queries, keys[kept], values[kept], 1.0, None, extra)
        for one, other in zip(found, wanted, strict=True):
            near = tolerance(kind, queries, keys, 1.0) * max(1, np.abs(values).max())
            np.testing.assert_allclose(one, other, rtol=0, atol=near)
    none = np.full(600, -np.inf, kind)
    output, log_sum = retrieval.softmax(queries, keys, values, 1.0, none)
    assert np.isnan(output).all() and (log_sum == -np.inf).all()
    output, log_sum = retrieval.softmax(queries, keys, values, 1.0, none, 1.0)
    assert (output == 0).all() and (log_sum == 0).all()


def test_a_nan_is_not_lost():
    queries, keys, values = drawn((3, 50, 4, 2), np.float64)
    keys[7, 2] = np.nan
    for call in (
        lambda: retrieval.softmax(queries, keys, values, 1.0),
        lambda: retrieval.entmax(queries, keys, values, 1.0, 1.5),
    ):
        output, value = call()
        assert np.isnan(output).all() and np.isnan(value).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", ["softmax", "entmax"])
def test_nobody_matters_to_the_query_beside(form, kind):
    """Bit for bit: alone, in another order, in another batch, however the arrays lie."""
    queries, keys, values = drawn((150, 700, 20, 9), kind)

    def called(asked, keys=keys, values=values):
        if form == "softmax":
            return retrieval.softmax(asked, keys, values, 0.5)
        return retrieval.entmax(asked, keys, values, 0.5, 1.5)

    output, value = called(queries)
    order = np.random.default_rng(2).permutation(len(queries))
    for some in (order, order[:1], order[:17], order[:40]):
        again = called(queries[some])
        np.testing.assert_array_equal(again[0], output[some])
        np.testing.assert_array_equal(again[1], value[some])
    assert called(queries[:0])[0].shape == (0, 9)
    queries.flags.writeable = keys.flags.writeable = False
    np.testing.assert_array_equal(called(queries)[0], output)
    lying = called(queries, np.asfortranarray(keys), np.ascontiguousarray(values[:, ::-1])[:, ::-1])
    np.testing.assert_array_equal(lying[0], output)


@pytest.mark.parametrize("form", ["softmax", "entmax"])
def test_space_does_not_grow_with_the_patterns(form):
    """The largest amount of memory taken during a call, for 3 and for 300 thousand patterns."""
    taken = []
    for n_patterns in (3_000, 300_000):
        queries, keys, values = drawn((200, n_patterns, 6, 4), np.float32)
        arguments = (queries, keys, values, 1.0) + ((1.5,) if form == "entmax" else ())
        call = getattr(retrieval, form)
        call(*arguments)  # compiles
        tracemalloc.start()
        call(*arguments)
        taken.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    results = 200 * 5 * 4
    module = lanes_softmax if form == "softmax" else lanes_entmax
    # beside results and workspace: copies of what is small, and Python's own objects
    assert max(taken) <= results + module.space(6, 4, 4) + 10_000
    assert abs(taken[1] - taken[0]) < 2_000  # the table of scores would be 240 MB


# ----------------------------------------------------------------------------------------- entmax


def direct_entmax(scores, alpha):
    """Weights of one query's scores: the support by sorting, then how far below it t - 1 is.

    The distance s of the smallest supported u from t - 1 is found by bisection of ln s, which keeps
    its digits however small it is; this is no step of the kernel's way.
    """
    u = (alpha - 1) * (scores - scores.max())
    power = 1 / (alpha - 1)
    ordered = np.sort(u)[::-1]

    def sum_above(k):
        return ((ordered[:k] - ordered[k]) ** power).sum()

    # those at whose u the ones above sum to less than 1; the sum grows with k
    n_support = 1 + bisect.bisect_left(range(1, len(u)), 1.0, key=sum_above)
    least = ordered[n_support - 1]
    low, high = 1e-300, 1.0
    for _ in range(200):
        middle = math.sqrt(low * high)
        total = ((ordered[:n_support] - least + middle) ** power).sum()
        low, high = (middle, high) if total < 1 else (low, middle)
    weights = np.where(u >= least, np.maximum(u - least + high, 0), 0) ** power
    return weights / weights.sum()


def conjugate_of(weights, scores, alpha):
    regular = (np.sum(weights**alpha) - 1) / (alpha * (alpha - 1))
    return weights @ scores - regular


def assert_entmax(queries, keys, values, beta, alpha, near, offset=None):
    """Output and conjugate against `direct_entmax`; values at most 1."""
    output, conjugate = retrieval.entmax(queries, keys, values, beta, alpha, offset)
    assert output.dtype == conjugate.dtype == queries.dtype
    for found, value, scores in zip(
        output, conjugate, scores_of(queries, keys, beta, offset), strict=True
    ):
        there = np.isfinite(scores)
        weights = direct_entmax(scores[there], alpha)
        wanted = weights @ values[there].astype(float)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=near)
        wanted = conjugate_of(weights, scores[there], alpha)
        np.testing.assert_allclose(value, wanted, rtol=0, atol=near)
    alone = retrieval.entmax(queries, keys, None, beta, alpha, offset)
    assert alone[0] is None
    np.testing.assert_array_equal(alone[1], conjugate)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [1.1, 1.5, 1.75, 2.0])
@pytest.mark.parametrize("beta", [0.01, 0.5, 20])
def test_entmax_is_its_formula(alpha, beta, kind):
    """Few, some and all patterns in the support; more patterns than a query may hold.

    For alpha <= 2 a weight changes by no more than its score does, and the others' sum by as much:
    so an error of the scores is all there is, but for the float64 sums of 3000 weights.
    """
    for shape in ((33, 300, 13, 7), (2, 2500, 5, 2)):
        queries, keys, values = drawn(shape, kind)
        values = np.tanh(values)
        near = 3 * tolerance(kind, queries, keys, beta) + 1e-12
        offset = np.random.default_rng(5).normal(size=len(keys)).astype(kind)
        offset[::7] = -np.inf
        assert_entmax(queries, keys, values, beta, alpha, near)
        assert_entmax(queries, keys, values, beta, alpha, near, offset)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [1.001, 1.5, 2.0, 2.5, 3.0, 10.0])
def test_entmax_of_exact_scores(alpha, kind):
    """Scores that are exact in float32, so that only the search for the weights may err.

    It ends where float64 knows no number between: weights are then right to 1e-13 of 1, times
    1/(alpha - 1) for the power. Above alpha = 2 a float64 t alone would leave errors of up to
    (1e-16)^(1/(alpha - 1)), 0.02 at alpha = 10.
    """
    rng = np.random.default_rng(7)
    for n_patterns, unit in ((5, 2.0**-6), (300, 2.0**-10), (2500, 2.0**-20)):
        keys = (unit * rng.integers(0, 64, (n_patterns, 1))).astype(kind)
        values = np.sign(rng.standard_normal((n_patterns, 3))).astype(kind)
        near = 1e-13 * max(1, 1 / (alpha - 1)) + 2 * np.finfo(kind).eps
        assert_entmax(np.ones((2, 1), kind), keys, values, 1.0, alpha, near)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [1.5, 2.0, 3.0])
def test_entmax_is_one_hot_from_its_margin_on(alpha, kind):
    """Exactly one pattern, where it leads by 1/(alpha - 1) or more; two just below that."""
    margin = 1 / (alpha - 1)  # 2, 1, 1/2: exact
    values, query = np.array([[1], [0], [0]], kind), np.ones((1, 1), kind)
    for lead, whole in ((margin, True), (margin + 1, True), (margin * (1 - 2.0**-10), False)):
        keys = np.array([[0], [-lead], [-lead - 1]], kind)
        output, conjugate = retrieval.entmax(query, keys, values, 1.0, alpha)
        assert (output[0, 0] == 1) == whole
        assert (conjugate[0] == 0) == whole  # z_1 - Omega(one-hot) = 0


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("alpha", [1.2, 1.5, 2.0, 3.0])
@pytest.mark.parametrize("n_patterns", [1, 7, 5000])
def test_entmax_of_equal_scores(n_patterns, alpha, kind):
    """Weights 1/M; the conjugate is the score plus (1 - M^(1 - alpha))/(alpha (alpha - 1))."""
    keys, queries = np.ones((n_patterns, 1), kind), np.full((2, 1), 3, kind)
    values = np.random.default_rng(1).integers(-9, 9, (n_patterns, 2)).astype(kind)
    output, conjugate = retrieval.entmax(queries, keys, values, 1.0, alpha)
    eps = np.finfo(kind).eps
    # 1 + u - t = M^(1 - alpha) is small beside t: the digits that t loses, M^(alpha - 1) eps, are
    # the same for all weights, whose sum is divided out
    np.testing.assert_allclose(
        output, np.tile(values.mean(axis=0, dtype=float), (2, 1)), atol=9 * eps
    )
    wanted = 3 + (1 - float(n_patterns) ** (1 - alpha)) / (alpha * (alpha - 1))
    # a sum of M weights errs by sqrt(M) of float64's eps, 1e-14; over alpha (alpha - 1) here
    np.testing.assert_allclose(conjugate, wanted, rtol=2 * eps, atol=1e-13)


def test_entmax_tends_to_softmax():
    """The difference is of first order in alpha - 1, down to the rounding of (1 + x)^(10^6)."""
    queries, keys, values = drawn((5, 50, 4, 3), np.float64)
    wanted = retrieval.softmax(queries, keys, values, 1.0)
    for step in (1e-3, 1e-6):
        for found, limit in zip(
            retrieval.entmax(queries, keys, values, 1.0, 1 + step), wanted, strict=True
        ):
            # second derivatives: squares of scores, here below 50
            assert 0 < np.abs(found - limit).max() < 50 * step


@pytest.mark.parametrize("kind", KINDS)
def test_entmax_of_huge_scores_and_of_none(kind):
    keys = np.array([[1e4], [-1e4], [0]], kind)
    queries, values = np.array([[1], [-1], [0]], kind), np.array([[3], [5], [7]], kind)
    for alpha in (1.5, 2.0, 4.0):
        output, conjugate = retrieval.entmax(queries, keys, values, 1.0, alpha)
        np.testing.assert_allclose(output.ravel(), [3, 5, 5], rtol=2 * np.finfo(kind).eps)
        assert conjugate[:2].tolist() == [1e4, 1e4]
        none = np.full(3, -np.inf, kind)
        for found in retrieval.entmax(queries, keys, values, 1.0, alpha, none):
            assert np.isnan(found).all()


def test_queries_of_every_support_in_one_group():
    """Some hold few scores, some need passes over the keys; each gets what it gets alone."""
    queries, keys, values = drawn((16, 2500, 6, 4), np.float64)
    queries *= np.geomspace(1e-4, 30, 16)[:, None]
    values = np.tanh(values)
    for alpha in (1.3, 2.0):
        support = [np.sum(direct_entmax(z, alpha) > 0) for z in scores_of(queries, keys, 1.0)]
        assert min(support) < 50 and max(support) > 2 * lanes_entmax.HELD
        assert_entmax(queries, keys, values, 1.0, alpha, 1e-12)
        whole = retrieval.entmax(queries, keys, values, 1.0, alpha)[0]
        for k in (0, 8, 15):
            alone = retrieval.entmax(queries[k : k + 1], keys, values, 1.0, alpha)[0]
            np.testing.assert_array_equal(alone[0], whole[k])


# ------------------------------------------------------------------------------ regions, powers


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("away", "reach"), [(0, 0.3), (0, 1.0), (0, 2.0), (1000, 0.5)])
def test_window_is_its_formula(away, reach, kind):
    """Few, some and all patterns active, and far from the origin, where products lose all digits.

    The formula, with differences, is worked out here in the same type, pair by pair: so the active
    patterns are the same ones, and sums over at most 1500 of them err by their rounding.
    """
    random = np.random.default_rng(6)
    keys = (away + random.normal(size=(1500, 20))).astype(kind)
    queries = (keys[:300] + 0.1 * random.normal(size=(300, 20))).astype(kind)
    values, beta = random.normal(size=(1500, 3)).astype(kind), 2 / (40 * reach)
    sums, number, total = retrieval.window(queries, keys, values, beta)
    apart = np.array([((q - keys) ** 2).sum(axis=1) for q in queries])
    height = 1 - kind(beta / 2) * apart
    active = height > 0
    assert np.array_equal(number, active.sum(axis=1)) and number.max() >= 1
    assert sums.dtype == number.dtype == total.dtype == kind
    off = 1500 * np.finfo(kind).eps
    sizes = active @ np.abs(values.astype(float))
    assert np.all(np.abs(sums - active @ values.astype(float)) <= off * sizes)
    wanted = np.maximum(height, 0).sum(axis=1, dtype=float)
    np.testing.assert_allclose(total, wanted, rtol=off, atol=0)


# ------------------------------------------------------------------------------------ other places


@pytest.mark.parametrize("kind", KINDS)
def test_forms_of_arrays_agree(kind):
    """What runs on a GPU, run by NumPy, and arrays of two types, which are not compiled."""
    queries, keys, values = drawn((40, 1500, 9, 5), kind)
    values = np.tanh(values)
    near = 3 * tolerance(kind, queries, keys, 0.4) + 1e-12
    calls = [(retrieval.softmax, retrieval.softmax_of_arrays, ())]
    calls += [(retrieval.entmax, retrieval.entmax_of_arrays, (alpha,)) for alpha in (1.5, 2.0)]
    for compiled, plain, more in calls:
        wanted = compiled(queries, keys, values, 0.4, *more)
        found = plain(queries, keys, values, 0.4, *more)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=near)
        found = compiled(queries.astype(np.float64), keys, values.astype(np.float32), 0.4, *more)
        for one, other in zip(found, wanted, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=max(near, 1e-6))  # of float32


@pytest.mark.parametrize("alpha", [3.0, 10.0])
def test_weights_of_steep_entmax(alpha):
    scores = np.random.default_rng(4).integers(0, 64, 300) * 2.0**-12
    found = retrieval.entmax_weights(scores - scores.max(), alpha)
    np.testing.assert_allclose(found, direct_entmax(scores, alpha), rtol=0, atol=1e-13)


@pytest.mark.gpu
def test_on_a_gpu():
    cupy = pytest.importorskip("cupy", reason="CuPy is not installed here")
    try:
        cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        pytest.skip(f"no GPU that CuPy can use: {error}")
    queries, keys, values = drawn((300, 5000, 20, 9), np.float64)
    there = [cupy.asarray(array) for array in (queries, keys, values)]
    for call, more in ((retrieval.softmax, ()), (retrieval.entmax, (1.5,))):
        wanted = call(queries, keys, values, 0.5, *more)
        for found, here in zip(call(*there, 0.5, *more), wanted, strict=True):
            assert isinstance(found, cupy.ndarray)
            np.testing.assert_allclose(found.get(), here, rtol=1e-11, atol=1e-11)


def digests():
    """Numbers that no processor may make differently, but for rounding."""
    found = []
    for kind in KINDS:
        queries, keys, values = drawn((37, 700, 19, 11), kind)
        for output, value in (
            retrieval.softmax(queries, keys, values, 0.3),
            retrieval.entmax(queries, keys, values, 0.3, 1.5),
            retrieval.entmax(queries, keys, values, 0.01, 2.0),
        ):
            found += [output[0, 0], output[-1, -1], np.abs(output).sum(), value.sum()]
    return [repr(float(number)) for number in found]


TARGETS = {
    "generic": "",
    "haswell": "+avx,+avx2,+sse4.1,+sse4.2,+ssse3,+popcnt",
    "core-avx2": "+avx,+avx2,+sse4.1,+sse4.2,+ssse3,+popcnt,+fma",
}
"""Processors, and what they can do: no vectors beyond SSE2; AVX2; AVX2 and fused operations."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TARGETS)
def test_other_processors_agree(name, tmp_path):
    """Compiled for less than this processor has: 10 s of compilation each."""
    if not simd.X86 or (TARGETS[name] and not simd.AVX2):
        pytest.skip("such code does not run here: this is no x86 processor, or one without AVX2")
    done = subprocess.run(
        [sys.executable, "-c", "from tests import test_retrieval_kernel as t; print(*t.digests())"],
        env=os.environ
        | {"NUMBA_CPU_NAME": name, "NUMBA_CPU_FEATURES": TARGETS[name]}
        | {"NUMBA_CACHE_DIR": str(tmp_path)},
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    there, here = np.array(done.stdout.split(), float), np.array(digests(), float)
    half = len(here) // 2
    np.testing.assert_allclose(there[:half], here[:half], rtol=1e-5)
    np.testing.assert_allclose(there[half:], here[half:], rtol=1e-12)
