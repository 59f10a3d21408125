"""Models with continuous states: reference numbers, energies that never rise, gradients, limits."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from hopfield_sim import (
    Entmax,
    Epanechnikov,
    LogSumExp,
    OutlierEfficient,
    Polynomial,
    Universal,
    patterns,
)
from hopfield_sim.models import universal
from tests import exact, reference, stand_in

FOUND = exact.found_continuous()
WITH_ENERGY = {name: model for name, model in FOUND.items() if name != "Universal"}
STANDARD = np.array([[1.0, 2, 0], [0, -1, 2], [-2, 1, 1], [1, 1, 1]])
CUE = np.array([0.5, 0.25, -0.5])

# ------------------------------------------------------------------------------ reference numbers


def softmax_network(row):
    return LogSumExp(STANDARD, row.given["beta"])


def reached(model):
    return model.retrieve(CUE, steps=2000, tolerance=1e-13)


def length(model):
    return np.linalg.norm(reached(model).state)


def entmax_network(row):
    return Entmax(STANDARD, row.given["beta"], alpha=row.given["alpha"])


SIMILARITIES = {
    "dot": universal.dot,
    "negEuclid2": universal.euclidean,
    "1/Manhattan": universal.inverse_manhattan,
}


def one_shot(row):
    similarity = SIMILARITIES[row.text.split("similarity=")[1]]
    return Universal(STANDARD, similarity, universal.softmax(2.0)).recall(CUE)[0]


PREDICTED = {
    "MHN: E(xi0), LSE energy incl. (1/b)log N + M^2/2": lambda row: softmax_network(row).energy(
        CUE
    ),
    "MHN: first component of one update": lambda row: softmax_network(row).update(CUE)[0],
    "MHN: |fixed point|_2 reached from xi0": lambda row: length(softmax_network(row)),
    "Sparse MHN: |fixed point| from xi0": lambda row: length(entmax_network(row)),
    "Sparse MHN: support size of p at the fixed point": lambda row: np.sum(
        entmax_network(row).weights(reached(entmax_network(row)).state) > 0
    ),
    "Sparse MHN: max p at first step": lambda row: entmax_network(row).weights(CUE).max(),
    "OutEffHop: sum of softmax_1 weights at xi0": lambda row: (
        OutlierEfficient(STANDARD, 1.0).weights(CUE).sum()
    ),
    "OutEffHop: |fixed point| from xi0": lambda row: length(OutlierEfficient(STANDARD, 1.0)),
    "Universal Hopfield: first component of P.sep(sim(M,q)), sep=softmax(2 s), P=M^T": one_shot,
}


@pytest.mark.parametrize("row", reference.rows("modern", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# ------------------------------------------------------------------ the contract of every model


def test_walking_the_package_finds_the_models():
    some = {"LogSumExp", "Entmax", "OutlierEfficient", "Epanechnikov", "Polynomial", "Universal"}
    assert some <= set(FOUND)


def some_states(model, n_states=60, scale=1.5):
    return scale * patterns.gaussian(n_states, model.dimension, seed=9)


VARIANTS = {
    **{name: model.example(7, 1) for name, model in WITH_ENERGY.items()},
    "LogSumExp, cold": LogSumExp(patterns.gaussian(12, 7, 2), beta=8.0),
    "LogSumExp on a sphere": LogSumExp(patterns.spherical(12, 7, 2), beta=0.6, radius=7**0.5),
    "sparsemax": Entmax(patterns.gaussian(12, 7, 2), beta=0.5, alpha=2.0),
    "sparsemax on a sphere": Entmax(patterns.spherical(9, 7, 2), beta=0.5, alpha=2.0, radius=2.0),
    "entmax 1.2": Entmax(patterns.gaussian(12, 7, 2), beta=0.5, alpha=1.2),
    "OutlierEfficient on a sphere": OutlierEfficient(
        patterns.spherical(12, 7, 2), beta=0.6, radius=1.0
    ),
    "Epanechnikov, no floor": Epanechnikov(patterns.gaussian(40, 7, 2), beta=0.15),
    "quartic": Polynomial(patterns.spherical(12, 7, 2), degree=4),
    "quadratic": Polynomial(patterns.gaussian(12, 7, 2), degree=2, radius=3.0),
}


@pytest.mark.parametrize("name", VARIANTS)
def test_gradient_is_that_of_the_energy(name):
    model, step = VARIANTS[name], 1e-5
    x = some_states(model)
    x = x[np.isfinite(model.energy(x))]
    assert len(x) > 20
    moves = step * np.eye(model.dimension)
    ahead, behind = (model.energy(x[:, None, :] + sign * moves) for sign in (1, -1))
    slopes = (ahead - behind) / (2 * step)
    energy, gradient = model.energy_and_gradient(x)
    assert np.array_equal(model.gradient(x), gradient)
    np.testing.assert_allclose(energy, model.energy(x), rtol=1e-13, atol=1e-13)
    # differences err by the third derivative times step^2, some 1e-8 here, and by rounding over
    # the step, some 1e-10; energies with kinks (the edges of regions and of supports) by the jump
    # of their second derivative times the step, where a kink lies that near
    off = np.abs(slopes - gradient).max(axis=1)
    assert np.median(off) < 1e-7 and np.mean(off > 1e-6) < 0.05 and off.max() < 1e-3


@pytest.mark.parametrize("name", VARIANTS)
def test_energy_never_rises(name):
    """Along whole retrievals; in R^d each step pays |x' - x|^2/2 (the curvature of |x|^2/2)."""
    model = VARIANTS[name]
    x = some_states(model, 100)
    x = x[np.isfinite(model.energy(x))]
    if model.radius is not None:
        x *= model.radius / np.linalg.norm(x, axis=1, keepdims=True)
    rounding = 1e-13 * max(1, np.abs(model.energy(x)).max())
    for _ in range(30):
        new = model.update(x)
        fall = model.energy(x) - model.energy(new)
        paid = 0 if model.radius or isinstance(model, Epanechnikov) else ((new - x) ** 2).sum(1) / 2
        assert np.all(fall >= paid - rounding)
        x = new
    along = model.retrieve(x, steps=50).energy
    assert float(along.diff("step").max()) <= rounding


@pytest.mark.parametrize("name", VARIANTS)
def test_energy_never_rises_in_single_precision(name):
    """But for rounding of what the energy is made of, each term 16 units of its last place."""
    model = VARIANTS[name]
    model = dataclasses.replace(model, patterns=model.patterns.astype(np.float32))
    cues = some_states(model, 100).astype(np.float32)
    energy = model.retrieve(cues, steps=50).energy
    assert energy.dtype == np.float32
    largest = max((model.patterns**2).sum(axis=1).max(), (cues**2).sum(axis=1).max())
    number = math.log(model.n_patterns) / getattr(model, "beta", 1.0)
    terms = largest + number + float(np.abs(energy.where(np.isfinite(energy), 0)).max())
    energy = energy.sel(query=np.isfinite(energy[0]))
    assert float(energy.diff("step").max()) <= 16 * np.finfo(np.float32).eps * terms


def test_too_long_steps_are_seen_to_rise():
    """The negative control: three times the step leaves the bound, and the test would see it."""
    model = LogSumExp(patterns.gaussian(12, 7, 2), beta=8.0)
    x = some_states(model, 100)
    energies = [model.energy(x + part * (model.update(x) - x)) for part in (0, 1, 3)]
    assert np.all(energies[1] < energies[0]) and np.mean(energies[2] > energies[0]) > 0.5


@pytest.mark.parametrize("name", FOUND)
def test_shapes_values_and_precision(name):
    model = FOUND[name].example(6, 3)
    keys, other = np.asarray(model.patterns), patterns.gaussian(5, 4, 8)
    with_values = dataclasses.replace(model, values=other)
    x = some_states(model, 12, scale=0.7).reshape(3, 4, 6)
    p = model.weights(x)
    assert p.shape == (3, 4, 5) and np.all(p >= 0)
    np.testing.assert_allclose(model.recall(x), p @ keys, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(with_values.recall(x), p @ other, rtol=1e-12, atol=1e-12)
    assert model.update(x[0, 0]).shape == (6,) and model.update(x).shape == x.shape
    if name in WITH_ENERGY:
        assert np.shape(model.energy(x[0, 0])) == () and model.energy(x).shape == (3, 4)
        assert np.array_equal(with_values.energy(x), model.energy(x))  # values are for the recall
    found = with_values.retrieve(x[0], steps=7)
    assert found.state.dims == ("query", "dimension") and found.output.dims == ("query", "feature")
    np.testing.assert_array_equal(found.output, with_values.recall(found.state.values))
    assert all(v.attrs["long_name"] and "units" in v.attrs for v in found.values())
    single = dataclasses.replace(model, patterns=keys.astype(np.float32))
    assert single.update(x).dtype == np.float32
    # float32 has 7 digits, and softmax multiplies errors of scores of size below 10
    np.testing.assert_allclose(single.update(x), model.update(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", FOUND)
def test_no_queries_give_no_rows(name):
    model = dataclasses.replace(FOUND[name].example(6, 3), values=patterns.gaussian(5, 4, 8))
    none = np.empty((0, 6))
    assert model.update(none).shape == (0, 6) and model.update(none[:, None]).shape == (0, 1, 6)
    assert model.weights(none).shape == (0, 5) and model.recall(none).shape == (0, 4)
    if name in WITH_ENERGY:
        assert model.energy(none).shape == (0,) and model.gradient(none).shape == (0, 6)
    found = model.retrieve(none)
    assert found.state.shape == (0, 6) and found.output.shape == (0, 4)


def test_numbers_of_numpy_leave_float32_alone():
    """np.sqrt(7) is a float64 that turns arrays of float32 into float64; nothing else may."""
    x, number = patterns.gaussian(9, 7, 2).astype(np.float32), np.float64
    for model in (
        LogSumExp(x, number(0.5), radius=np.sqrt(7)),
        LogSumExp(x, np.array(0.5)),
        Entmax(x, number(0.5), alpha=number(2)),
        OutlierEfficient(x, number(0.5)),
        Epanechnikov(x, number(0.1), floor=number(0.1)),
        Polynomial(x, np.int64(3), radius=np.sqrt(7)),
        Universal(x, universal.dot, universal.softmax(number(0.5))),
        Universal(x, universal.cosine, universal.power(number(3))),
    ):
        made = [model.update(x), model.weights(x), model.recall(x), model.retrieve(x).state]
        if not isinstance(model, Universal):
            made += [model.energy(x), model.gradient(x), model.retrieve(x).energy]
        assert {array.dtype for array in made} == {np.dtype(np.float32)}


@pytest.mark.parametrize("name", FOUND)
def test_queries_do_not_disturb_each_other(name):
    """Alone or together, to rounding: products of matrices may sum in another order."""
    model = FOUND[name].example(6, 3)
    x = some_states(model, 30)
    alone = np.stack([model.update(row) for row in x])
    np.testing.assert_allclose(model.update(x), alone, rtol=1e-12, atol=1e-13)
    together = model.retrieve(x, steps=40)
    steps = [int(model.retrieve(row, steps=40).steps) for row in x]
    # a query stops by its own residual; one at the limit to rounding may need one step more
    assert np.abs(together.steps - steps).max() <= 1


def test_retrieval_reports_each_query():
    model = LogSumExp(patterns.spherical(6, 40, 1), beta=1.0)
    cues = np.stack([model.patterns[0], patterns.noisy(model.patterns[1], 0.6, 2)])
    found = model.retrieve(cues)
    assert found.converged.all() and (found.residual < 1e-9 * 40**0.5).all()
    overlaps = found.state.values @ model.patterns.T / 40
    assert list(overlaps.argmax(1)) == [0, 1] and overlaps.max(1).min() > 0.999
    assert found.sizes["step"] == int(found.steps.max()) + 1
    np.testing.assert_array_equal(found.energy[0], model.energy(cues))
    np.testing.assert_array_equal(found.energy[-1], model.energy(found.state.values))
    hurried = model.retrieve(cues[1], steps=1)
    assert not hurried.converged and hurried.state.dims == ("dimension",)
    assert hurried.energy.dims == ("step",) and hurried.sizes["step"] == 2


# -------------------------------------------------------------------------------------- limits


def test_entmax_between_softmax_and_sparsemax():
    x = some_states(VARIANTS["sparsemax"])
    keys, beta = VARIANTS["sparsemax"].patterns, 0.5
    dense, almost = LogSumExp(keys, beta).weights(x), Entmax(keys, beta, alpha=1.001).weights(x)
    # of first order in alpha - 1: z^2/2 times it, with z up to some 5
    np.testing.assert_allclose(almost, dense, atol=0.01)
    z = beta * x @ keys.T
    ordered = -np.sort(-z, axis=1)
    above = (np.cumsum(ordered, axis=1) - 1) / np.arange(1, z.shape[1] + 1)
    size = np.sum(ordered > above, axis=1)
    exactly = np.maximum(z - above[np.arange(len(z)), size - 1, None], 0)  # by sorting
    np.testing.assert_allclose(VARIANTS["sparsemax"].weights(x), exactly, atol=1e-14)


@pytest.mark.parametrize(("alpha", "margin"), [(1.5, 2.0), (2.0, 1.0), (3.0, 0.5)])
def test_one_pattern_alone_from_the_margin_on(alpha, margin):
    """Exactly one-hot iff beta (x_i - x_j) . x >= 1/(alpha - 1): so a pattern is a fixed point."""
    keys = np.eye(4)
    for scale, alone in ((1.001, True), (0.999, False)):
        model = Entmax(keys, beta=margin * scale, alpha=alpha)
        p = model.weights(keys[0])
        assert (np.sum(p > 0) == 1) == alone
        assert np.array_equal(model.update(keys[0]), keys[0]) == alone


def test_nothing_is_one_more_pattern_at_the_origin():
    keys, beta = patterns.gaussian(5, 4, 1), 0.8
    one_more = LogSumExp(np.vstack([keys, np.zeros(4)]), beta)
    model, x = OutlierEfficient(keys, beta), some_states(VARIANTS["LogSumExp"])[:, :4]
    np.testing.assert_allclose(model.weights(x), one_more.weights(x)[:, :-1], rtol=1e-12)
    np.testing.assert_allclose(model.update(x), one_more.update(x), rtol=1e-12, atol=1e-14)
    shift = model.energy(x) - one_more.energy(x)  # the constants of the log-sum-exp energy alone
    np.testing.assert_allclose(shift, shift[0], rtol=1e-12)
    np.testing.assert_allclose(model.update(np.zeros(4)), keys.mean(axis=0) * 5 / 6)
    far = OutlierEfficient(1000 * keys, beta=1.0)
    assert np.all(np.isfinite(far.update(x))) and np.all(np.isfinite(far.energy(x)))


def test_bounds_of_the_log_sum_exp_energy():
    """0 <= E <= 2 M^2 on the hull of the patterns (Ramsauer et al.)."""
    for beta in (0.01, 1.0, 100.0):
        model = LogSumExp(patterns.gaussian(9, 5, 4), beta)
        weights = np.abs(patterns.gaussian(200, 9, 5)) ** 3
        inside = (weights / weights.sum(axis=1, keepdims=True)) @ model.patterns
        energy = model.energy(np.vstack([inside, model.patterns]))
        largest = (model.patterns**2).sum(axis=1).max()
        assert np.all(energy >= -1e-12) and np.all(energy <= 2 * largest)


def test_epanechnikov_retrieves_exactly_and_makes_new_memories():
    keys = np.array([[0.0], [1.0], [2.2], [4.0]])
    narrow = Epanechnikov(keys, beta=9.0).retrieve(keys + 0.2)
    assert np.array_equal(narrow.state, keys) and int(narrow.steps.max()) == 2
    between = Epanechnikov(keys, beta=2.1).retrieve(np.array([0.55]))
    assert float(between.state[0]) == 0.5  # the mean of 0 and 1, which is no pattern
    lost = Epanechnikov(keys, beta=9.0).retrieve(np.array([9.0]))
    assert float(lost.state[0]) == 9.0 and float(lost.energy[-1]) == np.inf
    floored = Epanechnikov(keys, beta=9.0, floor=0.1)
    assert np.array_equal(floored.gradient(np.array([9.0])), [0.0])
    assert floored.energy(np.array([9.0])) == pytest.approx(-math.log(0.1) / 9)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize("degree", [5, 100, 5000])
def test_high_degrees_go_to_the_nearest_pattern(degree, kind):
    """Powers m^(n - 1) of overlaps below 1 that no float can hold still have a direction."""
    keys = patterns.spherical(2000, 20, 1).astype(kind)  # more than one block of keys
    cue = patterns.noisy(keys[1500], 1.5, 3).astype(kind)
    model, radius = Polynomial(keys, degree), 20**0.5
    cue *= radius / np.linalg.norm(cue)
    m = np.maximum(keys.astype(float) @ cue.astype(float) / 20, 0 if degree % 2 else -1)
    one_step = ((m / np.abs(m).max()) ** (degree - 1)) @ keys
    one_step *= radius / np.linalg.norm(one_step)
    # an overlap errs by some units of its last place, its power by the degree times that
    off = np.finfo(kind).eps * 4 * degree * radius
    np.testing.assert_allclose(model.update(cue), one_step, rtol=0, atol=off)
    energy = -20 / degree * np.sum(m**degree)
    np.testing.assert_allclose(model.energy(cue), energy, rtol=off, atol=np.finfo(kind).tiny)
    if degree > 5:
        found = model.retrieve(cue)
        assert found.converged and np.argmax(keys @ found.state.values) == np.argmax(m)


def test_two_patterns_of_equal_norm():
    """x = mean + m (x_1 - x_2)/2 with m = tanh(beta |x_1 - x_2|^2 m/4), here = tanh(1.5 m)."""
    model = LogSumExp(np.array([[1.0, 1.0], [-1.0, 1.0]]), beta=1.5)
    m = float(model.retrieve(np.array([0.3, 0.0]), steps=1000).state[0])
    assert m == pytest.approx(math.tanh(1.5 * m), abs=1e-9) and m > 0.85
    below = dataclasses.replace(model, beta=0.9)
    assert abs(float(below.retrieve(np.array([0.3, 0.0]), steps=1000).state[0])) < 1e-6


# ------------------------------------------------------------------------------ universal form


def test_members_of_the_universal_form():
    keys, x = patterns.gaussian(9, 5, 1), patterns.gaussian(20, 5, 2)
    attention = Universal(keys, universal.dot, universal.softmax(0.8))
    np.testing.assert_allclose(attention.recall(x), LogSumExp(keys, 0.8).update(x), rtol=1e-12)
    linear = Universal(keys, universal.dot, universal.identity)
    np.testing.assert_allclose(linear.recall(x), x @ keys.T @ keys, rtol=1e-12)
    cubic = Universal(keys, universal.dot, universal.power(3))
    np.testing.assert_allclose(cubic.recall(x), (x @ keys.T) ** 3 @ keys, rtol=1e-12)
    for similarity in (universal.euclidean, universal.inverse_euclidean):
        closest = Universal(keys, similarity, universal.nearest).recall(x)
        apart = np.linalg.norm(x[:, None] - keys[None], axis=2)
        np.testing.assert_array_equal(closest, keys[apart.argmin(axis=1)])
    for similarity in (universal.inverse_manhattan, universal.cosine):
        same = Universal(keys, similarity, universal.softmax(1e3)).recall(keys)
        np.testing.assert_allclose(same, keys, atol=1e-6)  # a perfect match, and no 1/0
    # of equal norm: exp(-beta |x - q|^2/2) and exp(beta x . q) are one softmax
    even = patterns.spherical(9, 5, 1)
    by_distance = Universal(even, universal.euclidean, universal.softmax(0.4)).recall(x)
    np.testing.assert_allclose(by_distance, LogSumExp(even, 0.8).update(x), rtol=1e-11)


def test_the_universal_form_has_no_energy():
    model = Universal.example(4, 1)
    assert "energy" not in model.retrieve(np.ones(4))
    for call in (model.energy, model.gradient):
        with pytest.raises(TypeError, match="no energy.*LogSumExp"):
            call(np.ones(4))


# -------------------------------------------------------------------------------------- refusals

X = np.ones((3, 2))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: LogSumExp(X, beta=0.0), "beta=0.0 is not possible; it must be a number > 0"),
        (lambda: LogSumExp(X, beta=-1), "beta=-1"),
        (lambda: OutlierEfficient(X, beta=math.nan), "beta=nan"),
        (lambda: LogSumExp(X, beta=None), "beta=None is not possible"),
        (lambda: LogSumExp(X, beta=[1.0, 2.0]), "beta=.1.0, 2.0. is not possible"),
        (lambda: Entmax(X, 1.0, alpha="2"), "alpha='2' is not possible"),
        (lambda: Epanechnikov(X, beta=math.inf), "beta=inf"),
        (lambda: Entmax(X, 1.0, alpha=1.0), "alpha=1.0.*use LogSumExp"),
        (lambda: Entmax(X, 0.0), "beta=0.0"),
        (lambda: Epanechnikov(X, 1.0, floor=-0.1), "floor=-0.1"),
        (lambda: Epanechnikov(X, 1.0, radius=1.0), "radius=1.0"),
        (lambda: Polynomial(X, degree=1), "degree=1"),
        (lambda: Polynomial(X, degree=2.5), "degree=2.5"),
        (lambda: LogSumExp(X, 1.0, radius=0.0), "radius=0.0"),
        (lambda: LogSumExp(np.empty((0, 2)), 1.0), "at least one row .a stored pattern."),
        (lambda: LogSumExp(np.ones(3), 1.0), r"shape \(3,\).*x\[None, :\]"),
        (lambda: LogSumExp([[1.0, math.nan]], 1.0), "patterns contain NaN"),
        (lambda: LogSumExp([["a"]], 1.0), "real numbers"),
        (lambda: LogSumExp(X * 1j, 1.0), "real numbers"),
        (lambda: LogSumExp(X, 1.0, values=np.ones((2, 2))), "2 values for 3 patterns"),
        (lambda: LogSumExp(X, 1.0, values=[[math.inf]] * 3), "values contain NaN"),
        (lambda: LogSumExp(X, 1.0).energy(np.ones(3)), "dimension 2"),
        (lambda: LogSumExp(X, 1.0).update(1.0), "dimension 2"),
        (lambda: LogSumExp(X, 1.0).update([math.nan, 0]), "states contain NaN"),
        (lambda: LogSumExp(X, 1.0).update(["a", "b"]), "real numbers"),
        (lambda: LogSumExp(X, 1.0).retrieve(np.ones((1, 1, 2))), "query, dimension"),
        (lambda: LogSumExp(X, 1.0).retrieve(np.ones(2), steps=0), "steps=0"),
        (lambda: LogSumExp(X, 1.0).retrieve(np.ones(2), tolerance=-1), "tolerance=-1"),
        (lambda: Polynomial(X, 2).retrieve(np.zeros(2)), "no direction"),
        (lambda: Universal(X, "dot", universal.identity), "similarity='dot'.*universal.dot"),
        (lambda: Universal(X, universal.dot, None), "separation=None"),
        (lambda: Universal(X, universal.dot, universal.nearest, radius=1.0), "radius"),
        (lambda: universal.softmax(0.0), "beta=0.0"),
        (lambda: universal.power(-1), "degree=-1"),
        (lambda: patterns.spherical(2, 3, 1, radius=0.0), "radius=0.0"),
        (lambda: patterns.gaussian(0, 3, 1), "n_patterns=0"),
        (lambda: patterns.gaussian(2, 0, 1), "dimension=0"),
        (lambda: patterns.spherical(2, -1, 1), "dimension=-1"),
        (lambda: patterns.noisy(np.ones(3), -1, 1), "noise=-1"),
        (lambda: patterns.masked(np.ones(3), 2, 1), "fraction=2"),
        (lambda: patterns.masked(1.0, 0.5, 1), "single number"),
        (lambda: patterns.noisy([1.0, math.nan], 0.5, 1), "NaN"),
    ],
)
def test_wrong_input_is_refused_by_name(make, words):
    with pytest.raises(ValueError, match=words):
        make()


# ---------------------------------------------------------------------- patterns of real numbers


def test_normal_and_spherical_patterns():
    x = patterns.gaussian(400, 50, seed=1)
    assert x.dtype == np.float64
    n = x.size  # moments of independent normal numbers, five standard errors each
    for power, mean, variance in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((x**power).mean() - mean) < 5 * (variance / n) ** 0.5
    overlaps = (x @ x.T / 50)[np.triu_indices(400, 1)]
    assert abs(overlaps.var() * 50 - 1) < 5 * (3 / overlaps.size) ** 0.5 * 1.1
    sphere = patterns.spherical(400, 50, seed=1)
    np.testing.assert_allclose((sphere**2).sum(axis=1), 50)
    np.testing.assert_allclose(sphere / x, (50**0.5 / np.linalg.norm(x, axis=1))[:, None] + 0 * x)
    small = patterns.spherical(3, 5, 1, radius=2.0)
    np.testing.assert_allclose(np.linalg.norm(small, axis=1), 2)
    assert np.array_equal(patterns.gaussian(7, 5, 1)[:3], patterns.gaussian(7, 5, 1)[:3])
    assert not np.array_equal(x, patterns.gaussian(400, 50, seed=2))


def test_cues_of_real_numbers():
    x = patterns.gaussian(30, 40, 1)
    noise = patterns.noisy(x, 0.5, 2) - x
    assert abs(noise.std() - 0.5) < 5 * 0.5 / (2 * x.size) ** 0.5 and noise.shape == x.shape
    cue = patterns.masked(x, 0.25, 2)
    assert np.all((cue == 0).sum(axis=1) == 10) and np.all((cue == x) | (cue == 0))
    assert len({tuple(row) for row in (cue == 0)}) > 25  # places of their own
    assert np.array_equal(patterns.masked(x[0], 1.0, 2), np.zeros(40))


# ------------------------------------------------------------------------ arrays of another place


@pytest.mark.parametrize("name", [*VARIANTS, "Universal"])
def test_arrays_of_the_gpu_stay_there(name):
    """With a stand-in for CuPy, whose arrays refuse NumPy's functions: the same numbers."""
    model = VARIANTS[name] if name in VARIANTS else Universal.example(7, 1)
    x = some_states(model, 9)
    with stand_in.cupy() as cupy:
        there = dataclasses.replace(model, patterns=cupy.asarray(model.patterns))
        asked = cupy.asarray(x)
        assert isinstance(there.update(asked), stand_in.ndarray)
        for call in ("update", "weights", "recall"):
            found = getattr(there, call)(asked).get()
            np.testing.assert_allclose(found, getattr(model, call)(x), rtol=1e-12, atol=1e-12)
        if name in VARIANTS:
            for found, wanted in zip(
                there.energy_and_gradient(asked), model.energy_and_gradient(x), strict=True
            ):
                np.testing.assert_allclose(found.get(), wanted, rtol=1e-12, atol=1e-12)
        on_gpu = there.retrieve(asked, steps=20)  # labelled arrays lie in main memory
        with pytest.raises(TypeError, match="bring all to one place"):
            there.energy(x)
    here = model.retrieve(x, steps=20)
    np.testing.assert_allclose(on_gpu.state, here.state, rtol=1e-9, atol=1e-9)
    assert type(on_gpu.state.data) is np.ndarray


def test_the_stand_in_refuses_what_a_gpu_refuses():
    """The control of the test above."""
    with stand_in.cupy() as cupy:
        there, here = cupy.asarray(np.ones(3)), np.ones(3)
        for wrong in (
            lambda: np.exp(there),
            lambda: np.where(there > 0, 1, 0),
            lambda: there + here,
            lambda: cupy.exp(here),
            lambda: there.__setitem__(slice(None), here),
        ):
            with pytest.raises(TypeError, match="GPU|NumPy"):
                wrong()
        assert type(there + 1).__module__ == "cupy" and there.sum().get() == 3
