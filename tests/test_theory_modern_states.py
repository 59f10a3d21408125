"""Exactly solvable fixed points of modern Hopfield networks, against networks that are iterated."""

import itertools
import re

import numpy as np
import pytest

from hopfield_sim import Entmax, Epanechnikov, LogSumExp, OutlierEfficient, patterns
from hopfield_sim.theory import (
    log_sum_relu,
    modern_clusters,
    modern_outlier,
    modern_pair,
    modern_states,
)
from tests import reference

NORM = 1.7  # any length of the patterns: only K = beta |x|^2 matters


# ------------------------------------------------------------------------------- reference numbers


def transitions(row):
    return modern_states.thresholds(int(row.given["M"]))


def pair(row):
    distance, beta = re.search(r"\^2=([\d.]+), beta=([\d.]+);", row.text).groups()
    assert float(modern_pair.thresholds(float(distance) ** 0.5).inverse_temperature) == 1.0
    return modern_pair.solutions(float(beta), float(distance) ** 0.5).m.sel(branch="first")


def on_a_line(row):
    points = re.search(r"\[(.*)\]", row.text).group(1).split(",")
    return log_sum_relu.minima([float(x) for x in points], row.given["beta"])


def entmax(row):
    return modern_states.thresholds(int(row.given.get("M", 2)), row.given["alpha"])


PREDICTED = {
    "MHN-orthogonal: K_s (single-pattern fixed point appears), K=beta|x|^2": (
        lambda row: transitions(row).appears
    ),
    "MHN-orthogonal: p_max at K_s": lambda row: transitions(row).weight,
    "MHN-orthogonal: K_c (energies of global and single-pattern minima equal)": (
        lambda row: transitions(row).equal
    ),
    "MHN-orthogonal: p_1 at the single-pattern fixed point": lambda row: (
        modern_states.retrieval(int(row.given["M"]), row.given["K"]).weight
    ),
    "MHN-2 patterns: m (xi = mean + m (x1-x2)/2), equal norms": pair,
    "Sparse MHN: margin: one-hot output iff beta(x_i.xi - x_j.xi) >= value": (
        lambda row: entmax(row).exact
    ),
    "Sparse MHN: K=beta|x|^2 above which the uniform state of M orthogonal patterns is unstable": (
        lambda row: entmax(row).uniform
    ),
    "LSR: number of local minima (1-D)": lambda row: on_a_line(row).n_minima,
    "LSR: number of emergent minima (active set >1)": lambda row: on_a_line(row).n_emergent,
}


@pytest.mark.parametrize("row", reference.rows("modern", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# ------------------------------------------------------------------------------ orthogonal patterns


def orthogonal(n_patterns, extra=3):
    """Patterns of length NORM at right angles, along no axis: (pattern, dimension)."""
    x = patterns.gaussian(n_patterns, n_patterns + extra, seed=n_patterns)
    return NORM * np.linalg.qr(x.T)[0].T


def network(n_patterns, self_overlap, order):
    x, beta = orthogonal(n_patterns), self_overlap / NORM**2
    if order == "one more":
        return OutlierEfficient(x, beta)
    return LogSumExp(x, beta) if order == 1 else Entmax(x, beta, alpha=order)


def weights_reached(model, start):
    """Weights of the fixed point reached from start; the steps are enough 0.1 % from a fold, where
    an update moves a fraction 0.04 of the way or more, or passes it in some 100 steps."""
    run = model.retrieve(start, steps=20_000, tolerance=1e-13)
    assert bool(run.converged)
    return model.weights(run.state.values)


ORDERS = [1.0, 1.25, 1.5, 1.9, "one more"]


def theory_of(order):
    """Its functions, called with (n_patterns[, self_overlap])."""
    if order == "one more":
        return modern_outlier.thresholds, modern_outlier.solutions
    return (
        lambda n_patterns: modern_states.thresholds(n_patterns, order),
        lambda n_patterns, K: modern_states.solutions(n_patterns, K, order),
    )


@pytest.mark.parametrize(("order", "n_patterns"), [(1.0, 3), *itertools.product(ORDERS, [10, 40])])
def test_the_single_pattern_appears_at_k_s(order, n_patterns):
    thresholds, solutions = theory_of(order)
    appears = float(thresholds(n_patterns).appears)
    below = network(n_patterns, 0.999 * appears, order)
    assert np.ptp(weights_reached(below, below.patterns[0])) < 1e-6  # all alike
    above = network(n_patterns, 1.001 * appears, order)
    p = weights_reached(above, above.patterns[0])
    state = solutions(n_patterns, 1.001 * appears).sel(branch="single")
    # where an update leaves 1 - 0.04 of a distance, the last one of 1e-13 is as far as 3e-12
    np.testing.assert_allclose(p[0], state.weight, atol=1e-10)
    np.testing.assert_allclose(p[1:], state.other_weight, atol=1e-10)


@pytest.mark.parametrize("order", [*ORDERS, 2.0])
def test_the_uniform_state_is_stable_up_to_k_u(order):
    thresholds, solutions = theory_of(order)
    uniform = float(thresholds(9).uniform)
    for factor in (0.99, 1.01):
        model = network(9, factor * uniform, order)
        state = solutions(9, factor * uniform).sel(branch="uniform")
        x = float(state.weight) * model.patterns.sum(axis=0)
        np.testing.assert_allclose(model.update(x), x, atol=1e-12)
        away = 1e-5 * (model.patterns[0] - model.patterns[1])
        moved = (model.update(x + away) - model.update(x - away)) @ away / (2 * away @ away)
        # the next term of a symmetric difference is of the order (1e-5)^2 of the first
        assert moved == pytest.approx(float(state.growth), rel=1e-7)
        assert moved == pytest.approx(factor, rel=1e-3)
        assert (moved < 1) == (factor < 1)


@pytest.mark.parametrize("order", [1.0, 1.3, 1.5, 2.0, "one more"])
@pytest.mark.parametrize("n_patterns", [2, 5, 12])
def test_states_are_fixed_points_of_known_energy_and_stability(order, n_patterns):
    thresholds, solutions = theory_of(order)
    known = thresholds(n_patterns)
    appears, uniform = float(known.appears), float(known.uniform)
    between = np.sqrt(appears * uniform)  # for two patterns and sparsemax these three are one
    overlaps = np.unique([0.5 * appears, between * 1.0001, *(np.array([1.2, 1.6, 4]) * appears)])
    found = solutions(n_patterns, overlaps)
    seen = {"single": 0, "saddle": 0, "uniform": 0}
    for branch, K in itertools.product(seen, overlaps):
        state = found.sel(branch=branch, self_overlap=K)
        if np.isnan(state.weight):
            assert np.isnan(state.growth) and np.isnan(state.energy)
            continue
        seen[branch] += 1
        model = network(n_patterns, K, order)
        p = np.full(n_patterns, float(state.other_weight))
        p[0] = float(state.weight)
        x = p @ model.patterns
        np.testing.assert_allclose(model.update(x), x, atol=1e-11)
        energy = float(model.energy(x)) * K / NORM**2
        if order not in (1.0, "one more"):  # the model leaves the constant out
            energy += K / 2 - (n_patterns ** (1 - order) - 1) / (order * (order - 1))
        assert float(state.energy) == pytest.approx(energy, abs=1e-11)
        slopes = np.array(
            [
                (model.update(x + 1e-6 * each) - model.update(x - 1e-6 * each)) / 2e-6
                for each in model.patterns
            ]
        )
        growth = np.linalg.eigvals(slopes @ model.patterns.T / NORM**2).real.max()
        # rounding 1e-15 over the difference 1e-6; a kink of entmax (weights of 0) is not met
        assert float(state.growth) == pytest.approx(growth, abs=1e-6)
        assert branch == "uniform" or (growth < 1) == (branch == "single")
    assert seen["single"] == 4 and seen["uniform"] == 5
    assert (seen["saddle"] > 0) == (n_patterns > 2 and order != 2)


def test_no_other_state_attracts():
    """From 200 random weights: the uniform state or a single pattern, as the theory has them."""
    rng = np.random.default_rng(1)
    for order, K in ((1.0, 4.2), (1.0, 7.0), (1.5, 1.95), (1.5, 3.0), ("one more", 4.3)):
        model = network(6, K, order)
        start = rng.dirichlet(np.full(6, 0.4), size=200) @ model.patterns
        run = model.retrieve(start, steps=5000, tolerance=1e-12)
        assert run.converged.all()
        top = model.weights(run.state.values).max(axis=1)
        found = theory_of(order)[1](6, K)
        allowed = found.weight.where(found.growth < 1).dropna("branch").values
        # an update leaves at most 0.9 of a distance here
        assert np.abs(top[:, None] - allowed).min(axis=1).max() < 1e-10


def test_closed_forms_of_entmax():
    M = np.array([2, 3, 5, 8, 9, 20, 1000])
    found = modern_states.thresholds(M, 1.5)
    # minima found to rounding in h are right to the square root of it squared
    np.testing.assert_allclose(found.appears, 2 * np.sqrt(1 - 1 / M), rtol=1e-12)
    np.testing.assert_allclose(found.weight, 1 - 1 / M, rtol=1e-9)
    exact = (8 / 3) / (1 + M[4:] ** -0.5)
    np.testing.assert_allclose(found.equal[4:], exact, rtol=1e-9)
    assert (found.equal[:4] < 2).all() and (found.weight_equal[:4] < 1).all()
    assert (found.weight_equal[4:] > 1 - 1e-9).all()
    between = modern_states.thresholds(M[1:], [1.0, 1.2, 1.5, 1.8])
    assert (between.appears < between.equal).all() and (between.equal < between.uniform).all()
    # continuous in the order at both ends
    near = modern_states.thresholds(M, [1.0, 1 + 1e-7, 2 - 1e-4, 2.0])
    for name in ("appears", "equal", "uniform"):
        low, above, below, high = near[name].transpose("entmax_order", ...).values
        np.testing.assert_allclose(above, low, rtol=3e-6)
        np.testing.assert_allclose(below, high, rtol=1e-3)
    assert (near.sel(entmax_order=2.0).appears == 1).all()
    alone = modern_states.thresholds(1)
    assert all(alone[name].isnull() for name in alone)
    assert float(modern_states.retrieval(1, 3.0).weight) == 1


def test_equal_energies_at_k_c():
    for order in (1.0, 1.2, 1.5, 1.8, "one more"):
        thresholds, solutions = theory_of(order)
        for n_patterns in (3, 10, 100):
            found = solutions(n_patterns, thresholds(n_patterns).equal.item())
            gap = found.energy.sel(branch="single") - found.energy.sel(branch="uniform")
            assert abs(float(gap)) < 1e-11
            first = thresholds(n_patterns)
            assert float(first.appears) < float(first.equal) < float(first.uniform)
    found = modern_states.thresholds([3, 10, 100])
    np.testing.assert_allclose(found.weight_equal, 1 - 1 / found.n_patterns, rtol=1e-9)


def test_sparsemax_has_no_hysteresis():
    found = modern_states.solutions(7, [0.999, 1.001], 2.0)
    assert found.weight.sel(branch="single").isnull().values.tolist() == [True, False]
    assert (found.growth.sel(branch="uniform") < 1).values.tolist() == [True, False]
    assert found.weight.sel(branch="saddle").isnull().all()
    assert float(found.weight.sel(branch="single")[1]) == 1


@pytest.mark.parametrize("order", [1.0, 1.5, 2.0])
def test_states_of_several_patterns_are_saddles(order):
    M, seen = 9, 0
    overlaps = (1.6, 1.9, 2.9, 5.0, 6.5, 8.0, 8.9, 20.0)
    for k in (2, 3, 4, 7):
        found = modern_states.mixture(k, M, overlaps, order)
        for K in overlaps:
            for branch in ("upper", "lower"):
                state = found.sel(branch=branch, self_overlap=K)
                if np.isnan(state.weight):
                    continue
                seen += 1
                model = network(M, K, order)
                p = np.full(M, float(state.other_weight))
                p[:k] = float(state.weight)
                x = p @ model.patterns
                np.testing.assert_allclose(model.update(x), x, atol=1e-11)
                assert float(state.growth) > 1
                away = 1e-6 * (model.patterns[0] - model.patterns[1])
                ratio = (model.update(x + away) - x) @ away / (away @ away)
                # tripled curvature terms of 1e-6; largest of several growths
                assert 1 < ratio <= float(state.growth) * (1 + 1e-4)
    assert seen >= 8
    assert modern_states.mixture(9, 9, 5.0, order).weight.isnull().all()


@pytest.mark.parametrize("order", [2.3, 3.0, 4.5])
def test_orders_above_sparsemax(order):
    """The states of equal weights are fixed points from K = k^(2-a)/(a-1) on, stable by growth."""
    M, step = 6, 1e-6
    known = modern_states.thresholds(M, order)
    for name in ("appears", "weight", "equal", "weight_equal"):
        assert known[name].isnull()
    stable = set()
    for k in (1, 2, 3, M):
        starts = k ** (2 - order) / (order - 1)  # where the others have weight zero
        for K in (0.99 * starts, 1.01 * starts, 0.99 * k ** (2 - order), 1.01 * k ** (2 - order)):
            if k == M:
                state = modern_states.solutions(M, K, order).sel(branch="uniform")
            else:
                state = modern_states.mixture(k, M, K, order).sel(branch="upper")
            model = network(M, K, order)
            x = model.patterns[:k].mean(axis=0)
            is_fixed = k == M or K > starts
            assert np.allclose(model.update(x), x, atol=1e-12) == is_fixed
            assert bool(state.weight.notnull()) == is_fixed
            if not is_fixed:
                continue
            assert float(state.weight) == pytest.approx(1 / k)
            away = step * (model.patterns[0] - model.patterns[1])
            moved = (model.update(x + away) - model.update(x - away)) @ away / (2 * away @ away)
            # (k step)^2 is the next term; a pattern alone does not feel its neighbour at all
            assert float(state.growth) == pytest.approx(moved, abs=1e-7)
            if moved < 1:
                stable.add(k)
    assert stable == {1, 2, 3, M}
    assert float(known.uniform) == pytest.approx(M ** (2 - order))
    assert float(known.exact) == 1 / (order - 1)
    retrieved = modern_states.solutions(M, 1.01 / (order - 1), order)
    assert float(retrieved.weight.sel(branch="single")) == 1
    assert retrieved.weight.sel(branch="saddle").isnull()


def test_weights_after_one_update():
    for order in (1.0, 1.2, 1.5, 2.0, 2.5, 4.0):
        for M, K in itertools.product((2, 7, 50), (0.3, 0.99, 1.0, 1.7, 2.0, 4.999, 5.0, 12.0)):
            model = network(M, K, order)
            expected = model.weights(model.patterns[0])[0]
            found = float(modern_states.one_update(M, K, order).weight)
            # near the margin of entmax the weight is a power 1/(a-1) <= 5 of small numbers
            assert found == pytest.approx(expected, abs=1e-9)
    assert modern_states.one_update(1, 0.5).weight == 1


def test_retrieval_is_exact_from_the_margin_on():
    rng = np.random.default_rng(2)
    for order in (1.2, 1.5, 2.0, 3.0):
        margin = float(modern_states.thresholds(5, order).exact)
        x = rng.normal(size=(5, 5))
        for factor, exact in ((1 - 1e-6, False), (1 + 1e-6, True)):
            scores = np.array([0.0, -margin * factor, -margin * factor - 0.3, -9.0, -9.0])
            model = Entmax(x, 1.0, alpha=order)
            p = model.weights(np.linalg.solve(x, scores))
            # below by 1e-6: a weight of (1e-6)^(1/(a-1)), 1e-30 at a = 1.2, too small to be seen
            assert (p[0] == 1) == exact or order == 1.2
            assert p[2:].max() == 0


# ----------------------------------------------------------------------------------------- clusters


def clustered(G, M, c):
    """Patterns of overlap c within clusters and 0 else, of length 1: (pattern, dimension)."""
    axes = orthogonal(G + G * M) / NORM
    own = np.sqrt(1 - c) * axes[G:].reshape(G, M, -1)
    return (np.sqrt(c) * axes[:G, None] + own).reshape(G * M, -1)


CLUSTERS = [(4, 5, 0.05), (4, 5, 0.4), (4, 5, 0.8), (3, 2, 0.5), (2, 6, 0.3), (6, 3, 0.0)]


@pytest.mark.parametrize(("G", "M", "c"), CLUSTERS)
def test_retrieval_from_a_pattern_of_a_cluster(G, M, c):
    x = clustered(G, M, c)
    lines = modern_clusters.thresholds(G, M, c)
    kinds = set()
    near = 0.01 if 2 in (G, M) else 0.001  # two alike part continuously, where iteration is slow
    for line in ("single", "cluster"):
        for factor in (1 - near, 1 + near, 1.3):
            K = factor * float(lines[line])
            expected = modern_clusters.retrieval(G, M, c, K)
            model = LogSumExp(x, K)
            p = weights_reached(model, x[0]).reshape(G, M)
            kinds.add(int(expected.kind))
            # an update leaves at most 0.98 of a distance
            for found, name in (
                (p[0, 0], "weight"),
                (p[0, 1], "member_weight"),
                (p[1, 0], "other_weight"),
                (p[0].sum(), "cluster_weight"),
                (1 / (p**2).sum(), "n_effective"),
            ):
                assert found == pytest.approx(float(expected[name]), abs=1e-9, rel=1e-9), name
    assert 2 in kinds and 0 in kinds and (1 in kinds) == (c >= 0.3)


@pytest.mark.parametrize(("G", "M", "c"), CLUSTERS)
def test_states_of_clusters(G, M, c):
    """Fixed points, with the network's energies, and stable on one side of the lines."""
    x = clustered(G, M, c)
    lines = modern_clusters.thresholds(G, M, c)
    for line, branch, stable in (
        ("single", "single", (None, True)),
        ("cluster", "cluster", (None, bool(lines.split > lines.cluster))),
        ("split", "cluster", (True, False)),
        ("uniform", "global", (True, False)),
    ):
        if np.isnan(lines[line]):
            continue
        for factor, is_stable in zip((0.9999, 1.0001), stable, strict=True):
            K = factor * float(lines[line])
            state = modern_clusters.solutions(G, M, c, K).sel(branch=branch)
            if is_stable is None:
                assert np.isnan(state.weight)
                continue
            p = np.full((G, M), float(state.other_weight))
            p[0] = float(state.member_weight)
            p[0, 0] = float(state.weight)
            model = LogSumExp(x, K)
            at = p.ravel() @ x
            np.testing.assert_allclose(model.update(at), at, atol=1e-11)
            assert float(model.energy(at)) * K == pytest.approx(float(state.energy), abs=1e-11)
            overlaps = np.kron(np.eye(G), c + (1 - c) * np.eye(M))
            slopes = K * (np.diag(p.ravel()) - np.outer(p, p)) @ overlaps
            growth = np.linalg.eigvals(slopes).real.max()
            assert float(state.growth) == pytest.approx(growth, abs=1e-10)
            assert (growth < 1) == is_stable, (line, factor)


def test_no_other_state_of_clusters_attracts():
    """From 300 random weights, where all three kinds are stable, or two of them."""
    rng = np.random.default_rng(3)
    for G, M, c, K in ((4, 5, 0.55, 8.5), (4, 5, 0.7, 14.0), (8, 8, 0.35, 12.0), (3, 4, 0.5, 4.6)):
        found = modern_clusters.solutions(G, M, c, K)
        allowed = found.n_effective.where(found.growth < 1).dropna("branch")
        assert allowed.size >= 2
        model = LogSumExp(clustered(G, M, c), K)
        # weights of clusters and, within them, of patterns: from nearly equal to one alone
        spread = rng.choice([0.05, 0.5, 20.0], size=(2, 300))
        outer = np.array([rng.dirichlet(np.full(G, each)) for each in spread[0]])
        inner = np.array([rng.dirichlet(np.full(M, each), size=G) for each in spread[1]])
        start = (outer[:, :, None] * inner).reshape(300, -1) @ model.patterns
        run = model.retrieve(start, steps=5000, tolerance=1e-12)
        assert run.converged.all()
        number = 1 / (model.weights(run.state.values) ** 2).sum(axis=1)
        distance = np.abs(number[:, None] / allowed.values - 1)
        # an update leaves at most 0.95 of a distance here
        assert distance.min(axis=1).max() < 1e-9
        assert len(set(distance.argmin(axis=1))) == allowed.size


def test_clusters_without_similarity_are_orthogonal_patterns():
    found = modern_clusters.thresholds([2, 5], 4, 0.0)
    flat = modern_states.thresholds([8, 20])
    for ours, theirs in (("single", "appears"), ("weight", "weight"), ("uniform", "uniform")):
        np.testing.assert_allclose(found[ours], flat[theirs], rtol=1e-9)
    K = [5.0, 9.0, 30.0]
    single = modern_clusters.solutions(5, 4, 0.0, K).weight.sel(branch="single")
    np.testing.assert_allclose(single, modern_states.retrieval(20, K).weight, rtol=1e-12)
    # one pattern a cluster: the cluster is the pattern
    found = modern_clusters.thresholds(7, 1, 0.3)
    assert np.isnan(found.single) and np.isnan(found.split)
    assert float(found.cluster) == pytest.approx(float(modern_states.thresholds(7).appears))
    # clusters far tighter than K can resolve, and weights below the smallest number
    K = np.geomspace(5, 1e6, 60)
    found = modern_clusters.solutions(8, 8, [0.0, 0.1, 0.5, 0.8, 0.97], K).weight
    assert (found.sel(branch="single").isel(self_overlap=-1) > 1 - 1e-9).all()
    tight = modern_clusters.thresholds(8, 8, 0.999)
    alone = modern_states.thresholds(8)
    assert float(tight.single) * 0.001 == pytest.approx(float(alone.appears), rel=1e-9)


# ------------------------------------------------------------------------------------- two patterns


@pytest.mark.parametrize("stretch", [1.0, 1.15, 0.8])
def test_two_patterns(stretch):
    x = patterns.gaussian(2, 5, seed=3)
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    x[0] *= stretch
    distance = np.linalg.norm(x[0] - x[1])
    difference = stretch**2 - 1
    appears = float(modern_pair.thresholds(distance, difference).inverse_temperature)
    assert np.isfinite(appears)
    for factor in (0.5, 0.99, 1.01, 2.0):
        found = modern_pair.solutions(factor * appears, distance, difference)
        exist = set(found.branch.values[found.m.notnull()])
        alone = "between" if stretch == 1 else "first" if stretch > 1 else "second"
        assert exist == ({alone} if factor < 1 else {"first", "second", "between"})
        model = LogSumExp(x, factor * appears)
        base = None
        for branch in sorted(exist):
            state = found.sel(branch=branch)
            m = float(state.m)
            at = x.mean(axis=0) + m * (x[0] - x[1]) / 2
            np.testing.assert_allclose(model.update(at), at, atol=1e-12)
            step = 1e-6 * (x[0] - x[1])
            moved = (model.update(at + step) - model.update(at - step)) @ step / (2 * step @ step)
            assert moved == pytest.approx(float(state.growth), abs=1e-7)
            assert (moved < 1) == (branch != "between" or factor < 1)
            energy = float(model.energy(at)) * factor * appears
            # equal up to one constant, that of m = 0
            base = energy - float(state.energy) if base is None else base
            assert energy - float(state.energy) == pytest.approx(base, abs=1e-12)
        for start, branch in ((x[0], "first"), (x[1], "second")):
            reached = model.retrieve(start, steps=20_000, tolerance=1e-13).state.values
            branch = branch if branch in exist else alone
            m = 2 * (reached - x.mean(axis=0)) @ (x[0] - x[1]) / distance**2
            # an update leaves 0.99 of a distance, or more near the transition of equal norms
            assert m == pytest.approx(float(found.m.sel(branch=branch)), abs=1e-10)


def test_a_pattern_without_separation_has_no_state_of_its_own():
    found = modern_pair.thresholds(1.0, [1.0, -1.5])
    assert np.isinf(found.inverse_temperature).all() and found.m.isnull().all()
    assert np.isinf(modern_pair.thresholds(0.0).inverse_temperature)
    x = np.array([[2.0, 0.0], [1.0, 0.0]])
    run = LogSumExp(x, 50.0).retrieve(x[1], steps=1000)
    assert run.state.values[0] > 1.99


# ------------------------------------------------------------------------------------- log-sum-ReLU


def test_minima_on_a_line_by_search():
    """Against the lower neighbours on a grid; points whose minima are closer than it are few."""
    rng = np.random.default_rng(5)
    for _ in range(8):
        points, beta = rng.uniform(0, 6, size=7), float(rng.uniform(0.3, 6))
        found = log_sum_relu.minima(points, beta)
        x = np.linspace(-1, 7, 80_001)
        model = Epanechnikov(points[:, None], beta, floor=1e-3)
        energy = model.energy(x[:, None])
        inside = (energy[1:-1] < energy[:-2]) & (energy[1:-1] <= energy[2:])
        places = found.position.values[found.is_minimum.values == 1]
        np.testing.assert_allclose(places, x[1:-1][inside], atol=1.01e-4)
        assert int(found.n_minima) == places.size
        stored = np.isclose(places[:, None], points).any(axis=1)
        assert int(found.n_emergent) == (~stored).sum()


def test_windows_of_minima():
    """Each set is a minimum inside its range of beta and not outside; equal points go together."""
    points = [0.0, 1.0, 1.0, 2.2, 4.0]
    found = log_sum_relu.minima(points, 1.0)
    for place in range(found.sizes["set"]):
        one = found.isel(set=place)
        for beta, there in (
            (float(one.lowest) * 1.001, 1),
            (float(one.lowest) * 0.999, 0),
            (float(one.highest) * 0.999, 1),
            (float(one.highest) * 1.001, 0),
        ):
            if 0 < beta < np.inf:
                again = log_sum_relu.minima(points, beta).isel(set=place)
                assert float(again.is_minimum) == there
    assert 2 in found.n_active.values[np.isinf(found.highest.values)]
    many = log_sum_relu.minima(points, [0.45, 1.0, 2.0])
    assert many.is_minimum.dims == ("inverse_temperature", "set")
    assert int(many.n_minima[1]) == int(found.n_minima)


def test_memories_in_the_plane_are_all_that_is_reached():
    """All 2^7 - 1 sets of points against retrieval from 600 cues: no fixed point is missed."""
    rng = np.random.default_rng(6)
    x, beta = rng.uniform(0, 2.5, size=(7, 2)), 2.0
    known = []
    for size in range(1, 8):
        for members in itertools.combinations(range(7), size):
            found = log_sum_relu.memory(x, [beta, 50.0], list(members))
            if found.is_minimum[0] == 1:
                known.append(x[list(members)].mean(axis=0))
            if found.is_minimum[1] == 1:
                assert float(found.lowest[0]) <= 50 < float(found.highest[0])
    known = np.array(known)
    model = Epanechnikov(x, beta)
    # every memory is a fixed point ...
    np.testing.assert_allclose(model.update(known), known, atol=1e-14)
    assert len(known) > 3
    # ... and every cue within reach of a pattern ends in one
    cues = x[rng.integers(7, size=600)] + rng.normal(scale=0.3, size=(600, 2))
    run = model.retrieve(cues, steps=100)
    assert run.converged.all()
    distance = np.linalg.norm(run.state.values[:, None] - known, axis=-1)
    assert distance.min(axis=1).max() < 1e-12
    assert len(set(distance.argmin(axis=1))) == len(known)


# ------------------------------------------------------------------------------------------ borders


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: modern_states.thresholds(3, 0.5), "entmax_order = 0.5 .* number >= 1"),
        (lambda: modern_states.retrieval(0, 2.0), "n_patterns = 0"),
        (lambda: modern_states.retrieval(3, -2.0), "self_overlap = -2"),
        (lambda: modern_states.mixture(0, 3, 2.0), "n_condensed = 0"),
        (lambda: modern_states.mixture(1.5, 3, 2.0), "n_condensed = 1.5"),
        (lambda: modern_outlier.solutions(3, np.nan), "self_overlap = nan"),
        (lambda: modern_clusters.thresholds(1, 3, 0.5), "n_clusters = 1"),
        (lambda: modern_clusters.thresholds(2, 3, 1.0), "cluster_overlap = 1"),
        (lambda: modern_pair.solutions(1.0, -1.0), "distance = -1"),
        (lambda: modern_pair.solutions(1.0, 1.0, np.inf), "norm_difference = inf"),
        (lambda: log_sum_relu.minima([0.0, np.nan], 1.0), "points have shape"),
        (lambda: log_sum_relu.minima([[0.0]], 1.0), "points have shape"),
        (lambda: log_sum_relu.minima([], 1.0), "points have shape"),
        (lambda: log_sum_relu.minima(["a"], 1.0), "points are no numbers"),
        (lambda: log_sum_relu.minima([0.0], 0.0), "inverse_temperature = 0"),
        (lambda: log_sum_relu.memory([0.0, 1.0], 1.0, [0]), "patterns have shape"),
        (lambda: log_sum_relu.memory([[0.0], [1.0]], 1.0, [0, 0]), "members"),
        (lambda: log_sum_relu.memory([[0.0], [1.0]], 1.0, [2]), "members"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()
