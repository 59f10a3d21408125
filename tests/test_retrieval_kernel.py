"""Compiled softmax and entmax of many queries: against their formulas in float64, and in space."""

import math
import tracemalloc

import numba
import numpy as np
import pytest
from scipy.special import logsumexp

from hopfield_sim.kernels import lanes, lanes_entmax, lanes_softmax, retrieval
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
