"""Learning from examples: reference numbers, limits, identities, and an independent solver."""

from math import comb, factorial

import numpy as np
import pytest
import xarray as xr
from scipy.special import erf

from hopfield_sim import theory
from hopfield_sim.theory import conventions, examples
from hopfield_sim.theory.examples_averages import binomial_averages, class_averages
from tests import reference

# An independent quadrature: the plain trapezoid rule in z, fine enough for T >= 0.05 at the noise
# widths met here (below 1): step 1/300 < 0.3 * 0.05.
Z = np.linspace(-10, 10, 6001)
DZ = np.exp(-(Z**2) / 2) / np.exp(-(Z**2) / 2).sum()
RULES = ("supervised", "unsupervised")


# --- reference numbers ----------------------------------------------------------------------


def pairwise(row, rule, name):
    given = row.given
    return float(
        examples.retrieval(given["alpha"], given["T"], given["r"], given["M"], rule=rule)[name]
    )


def dense(row, name):
    given = row.given
    order = given["P"]
    alpha = given["ahat"] / factorial(int(order) - 1)
    rule = "supervised" if "sup" in row.words else "unsupervised"
    found = examples.retrieval(alpha, given["T"], given["r"], given["M"], order, rule=rule)
    return float(found[name])


def at_example(row, name):
    given = row.given
    alpha = given["ahat"] / factorial(int(given["P"]) - 1)
    return float(examples.example_state(alpha, given["r"], given["M"], given["P"])[name])


def capacity(row, name):
    return float(examples.gaussian_capacity(row.given["rho"], row.given["P"])[name])


PREDICTED_PAIRWISE = {
    "m_supervised_RS": lambda row: pairwise(row, "supervised", "m"),
    "example_overlap_supervised_RS": lambda row: pairwise(row, "supervised", "example_overlap"),
    "m_supervised_RS_largeM_Gaussian": lambda row: float(
        examples.large_dataset(row.given["alpha"], row.given["T"], row.given["rho"]).m
    ),
    "m_unsupervised_RS": lambda row: pairwise(row, "unsupervised", "m"),
    "example_overlap_unsupervised_RS": lambda row: pairwise(row, "unsupervised", "example_overlap"),
}
PREDICTED = {
    "examples_Acrit": lambda row: capacity(row, "effective_load"),
    "examples_ahat_c_sup": lambda row: capacity(row, "reduced_load"),
    "examples_m": lambda row: dense(row, "m"),
    "examples_n": lambda row: dense(row, "n"),
    "examples_q": lambda row: dense(row, "q"),
    "examples_uns_examplestate_m": lambda row: at_example(row, "m"),
    "examples_uns_examplestate_n1": lambda row: at_example(row, "n1"),
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED_PAIRWISE), ids=str)
def test_pairwise_reference(row, record_property):
    found = PREDICTED_PAIRWISE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


@pytest.mark.parametrize("row", reference.rows("dense", PREDICTED), ids=str)
def test_dense_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- an independent solver and functional ---------------------------------------------------


class Network:
    """The equations as the sources write them, each rule in its own unit, in plain sums."""

    def __init__(self, rule, order, quality, n_examples):
        self.P, self.M, r = order, n_examples, quality
        self.rho = (1 - r**2) / (self.M * r**2)
        G = r**2 + (1 - r**2) / self.M
        k = np.arange(self.M + 1)
        self.weights = np.array(
            [comb(self.M, int(i)) * ((1 + r) / 2) ** i * ((1 - r) / 2) ** (self.M - i) for i in k]
        )
        e = (2 * k - self.M) / self.M
        in_r = rule == "unsupervised" and order > 2
        self.zeta = e / r if in_r else e / np.sqrt(G)
        self.factor = 1.0
        if in_r:
            self.factor += (1 - r ** (2 * order)) / (self.M * r ** (2 * order))
        small = (1 - r**2) / (self.M * G)
        self.eigenvalues = [(1, 1.0)]
        if rule == "unsupervised":
            self.eigenvalues.append((self.M - 1, small))

    def tanh(self, n, width, T):
        return np.tanh((self.zeta[:, None] * n ** (self.P - 1) + width * Z) / T)

    def width(self, alpha, q, T):
        if self.P > 2:
            return np.sqrt(alpha * factorial(self.P - 1) * self.factor * q ** (self.P - 1))
        C = (1 - q) / T
        return np.sqrt(alpha * q * sum(k * v**2 / (1 - v * C) ** 2 for k, v in self.eigenvalues))

    def iterated(self, alpha, T, steps=6000):
        """m, n, q by damped iteration from the archetype."""
        n, q = self.weights @ np.abs(self.zeta), 1 - 0.02 * T
        for _ in range(steps):
            tanh = self.tanh(n, self.width(alpha, q, T), T)
            new = self.weights @ (self.zeta[:, None] * tanh) @ DZ
            q_new = self.weights @ tanh**2 @ DZ
            change = abs(new - n) + abs(q_new - q)
            n, q = (n + new) / 2, (q + q_new) / 2
            if change < 1e-15:
                break
        return self.weights @ tanh @ DZ, n, q

    def functional(self, alpha, T, n, q, spread):
        """Free energy as a function of n, q and, at P = 2, the squared width of the noise."""
        P = self.P
        h = (self.zeta[:, None] * n ** (P - 1) + np.sqrt(spread) * Z) / T
        spins = self.weights @ np.logaddexp(h, -h) @ DZ
        if P > 2:
            A = alpha * factorial(P - 1) * self.factor
            noise = A / T * ((P - 1) * (1 - q**P) / P - (1 - q ** (P - 1))) / 2
            return (P - 1) * n**P / P + noise - T * spins
        C = (1 - q) / T
        noise = sum(
            k * (v + T * np.log(1 - v * C) - v * q / (1 - v * C)) for k, v in self.eigenvalues
        )
        return n**2 / 2 + alpha / 2 * noise + spread * C / 2 - T * spins


CASES = [
    ("supervised", 2, 0.02, 0.3, 0.7, 6),
    ("unsupervised", 2, 0.02, 0.3, 0.7, 6),
    ("supervised", 3, 0.03, 0.25, 0.7, 5),
    ("unsupervised", 3, 0.01, 0.25, 0.7, 10),
    ("unsupervised", 4, 0.001, 0.2, 0.8, 7),
    ("supervised", 6, 1e-4, 0.2, 0.9, 3),
]


@pytest.mark.parametrize(("rule", "order", "alpha", "T", "r", "M"), CASES)
def test_free_energy_is_stationary(rule, order, alpha, T, r, M):
    network = Network(rule, order, r, M)
    found = examples.solutions(alpha, T, r, M, order, rule=rule)
    for branch in ("retrieval", "solution_2"):
        at = {name: float(value) for name, value in found.sel(branch=branch).items()}
        point = np.array([at["n"], at["q"], at["noise"] ** 2])
        value = network.functional(alpha, T, *point)
        assert value == pytest.approx(at["free_energy"], abs=1e-13)  # rounding of 6001-term sums
        for direction in np.eye(3)[: 3 if order == 2 else 2]:
            sides = []
            for sign in (1, -1):
                n, q, spread = point + sign * 1e-5 * direction
                if order > 2:
                    spread = network.width(alpha, q, T) ** 2
                sides.append(network.functional(alpha, T, n, q, spread))
            # Central differences: third derivatives of f, below 1e3, times 1e-10; rounding 1e-11.
            assert abs(sides[0] - sides[1]) / 2e-5 < 2e-7, (branch, direction)


def test_agrees_with_damped_iteration():
    rng = np.random.default_rng(8)
    for number in range(16):
        rule, order = RULES[number % 2], (2, 3, 4, 5)[number // 2 % 4]
        r, M = rng.uniform(0.4, 1), int(rng.integers(1, 12))
        network = Network(rule, order, r, M)
        T = rng.uniform(0.08, 0.4)
        # Away from the spinodal, where the iteration would need millions of steps.
        limit = examples.spinodal_load(T, r, M, order, rule=rule).alpha
        alpha = float(rng.uniform(0.1, 0.8) * limit)
        if not np.isfinite(alpha):
            continue
        found = examples.retrieval(alpha, T, r, M, order, rule=rule)
        expected = network.iterated(alpha, T)
        # The iteration stops at changes of 1e-15, at a rate that leaves 1000 times that.
        np.testing.assert_allclose(
            [found.m, found.n, found.q], expected, rtol=1e-10, err_msg=f"{rule} {order} {r} {M} {T}"
        )


@pytest.mark.parametrize("form", ["binomial", "gaussian"])
@pytest.mark.parametrize(("rule", "order", "alpha", "T", "r", "M"), CASES)
def test_thermodynamic_identities(rule, order, alpha, T, r, M, form):
    step = 1e-4
    temperature = np.array([T / 10, T])[:, None] + step * np.array([-1, 0, 1])
    words = {"rule": rule, "form": form}
    found = examples.retrieval(
        alpha, xr.DataArray(temperature, dims=("at", "side")), r, M, order, **words
    )
    f = found.free_energy.values
    # Central differences: step^2 times a third derivative of f (below 10), rounding 1e-16/1e-4.
    np.testing.assert_allclose(
        found.entropy[:, 1], -(f[:, 2] - f[:, 0]) / (2 * step), rtol=0, atol=2e-7
    )
    np.testing.assert_allclose(
        found.energy[:, 1], f[:, 1] + temperature[:, 1] * found.entropy[:, 1], rtol=0, atol=1e-14
    )


@pytest.mark.parametrize("form", ["binomial", "gaussian"])
@pytest.mark.parametrize("rule", RULES)
def test_zero_temperature_is_the_limit(rule, form):
    given = (0.6, [4, 5, 40], [2, 3])
    words = {"rule": rule, "form": form}
    zero = examples.retrieval(0.004, 0.0, *given, **words)
    warm = examples.retrieval(0.004, 1e-6, *given, **words)
    assert zero.m.notnull().all()
    for name in ("m", "n", "q", "C", "noise", "free_energy", "energy", "entropy", "longitudinal"):
        # First order in T with factors of some 10; the slope of sech^2 averages more.
        np.testing.assert_allclose(zero[name], warm[name], rtol=0, atol=3e-5, err_msg=name)
    assert (zero.replicon == -np.inf).all()


# --- limits ---------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("form", ["binomial", "gaussian"])
def test_perfect_examples_are_the_hopfield_network(rule, form):
    alpha, temperature = [0.001, 0.05, 0.13], [0.0, 0.1, 0.3, 0.7]
    found = examples.solutions(alpha, temperature, 1.0, 3, rule=rule, form=form)
    expected = theory.hopfield.solutions(alpha, temperature)
    for branch, name in (("retrieval", "retrieval"), ("solution_2", "retrieval_unstable")):
        one, other = found.sel(branch=branch), expected.sel(branch=name)
        for quantity in ("m", "q", "C", "free_energy", "energy", "entropy", "replicon"):
            # The same roots by another bracket: rounding, amplified next to the spinodal.
            np.testing.assert_allclose(one[quantity], other[quantity], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(one.noise**2, one.alpha * other.r, rtol=1e-9)
    np.testing.assert_allclose(found.n.sel(branch="retrieval"), found.m.sel(branch="retrieval"))


def test_many_examples_tend_to_the_hopfield_network():
    expected = theory.hopfield.retrieval(0.05, 0.2).m
    for rule in RULES:
        found = examples.retrieval(0.05, 0.2, 0.3, [10**4, 10**6], rule=rule).m
        difference = np.abs(found - expected)
        # m changes at first order in rho_2 = 0.012 and 1e-4 (unsupervised; rho is smaller).
        assert difference[0] < 0.02 and difference[1] < 2e-4
        assert difference[1] < difference[0] / 50


@pytest.mark.parametrize("order", [3, 4, 6])
def test_perfect_examples_are_the_dense_network(order):
    """m = E tanh beta h, q = E tanh^2 beta h, h = m^(P-1) + sqrt(ahat q^(P-1)) z, iterated here."""
    network = Network("supervised", order, 1.0, 1)
    alpha, T = 0.1 / factorial(order - 1), 0.25
    m, _, q = network.iterated(alpha, T)
    for rule in RULES:
        found = examples.retrieval(alpha, T, 1.0, 4, order, rule=rule)
        np.testing.assert_allclose([found.m, found.q], [m, q], rtol=1e-12)
    # T = 0: ahat_c = max_y erf(y)^(2P-2)/(2 y^2), by a fine grid: second order in its step.
    y = np.linspace(0.5, 3, 2_000_001)
    largest = (erf(y) ** (2 * order - 2) / (2 * y**2)).max()
    spinodal = examples.spinodal_load(0.0, 1.0, 7, order)
    assert float(spinodal.alpha) * factorial(order - 1) == pytest.approx(largest, rel=1e-11)


@pytest.mark.parametrize("rule", RULES)
def test_both_normalisations_of_the_couplings_at_order_two(rule):
    """1/(N M G) and 1/(N M r^2): temperatures and energies differ by 1 + rho, loads do not."""
    r, M, alpha, T = 0.6, 20, 0.01, 0.2
    rho = conventions.dataset_entropy(r, M)
    dense_T = conventions.temperature_to_quality(T, r, M, 2)
    assert dense_T == pytest.approx((1 + rho) * T)
    one = examples.retrieval(alpha, T, r, M, rule=rule)
    two = examples.retrieval(alpha, dense_T, r, M, 2, rule=rule, couplings="quality")
    for name in ("m", "q", "example_overlap", "entropy", "replicon"):
        assert float(two[name]) == pytest.approx(float(one[name]), abs=1e-13), name
    for name in ("free_energy", "energy", "noise"):
        assert float(two[name]) == pytest.approx(float(one[name]) * (1 + rho), abs=1e-13), name
    assert float(two.n) == pytest.approx(float(two.example_overlap) / r, abs=1e-14)
    G = r**2 * (1 + rho)
    assert float(one.n) == pytest.approx(float(one.example_overlap) / np.sqrt(G), abs=1e-14)
    # The P-body equations with couplings 1/(M r^2): h = (e/r) n + b z, C = beta (1 - q) in dense
    # units, eigenvalues 1 + rho (once) and rho (M - 1 times) of the examples' correlations.
    C = (1 - float(two.q)) / dense_T
    others = (M - 1) * rho**2 / (1 - rho * C) ** 2 if rule == "unsupervised" else 0
    b = np.sqrt(alpha * float(two.q) * ((1 + rho) ** 2 / (1 - (1 + rho) * C) ** 2 + others))
    assert float(two.noise) == pytest.approx(b, rel=1e-12)
    k = np.arange(M + 1)
    e = (2 * k - M) / M
    weights = [comb(M, int(i)) * ((1 + r) / 2) ** i * ((1 - r) / 2) ** (M - i) for i in k]
    tanh = np.tanh((e[:, None] / r * float(two.n) + b * Z) / dense_T) @ DZ
    assert weights @ tanh == pytest.approx(float(two.m), abs=1e-13)
    assert weights @ (e / r * tanh) == pytest.approx(float(two.n), abs=1e-13)


@pytest.mark.parametrize(("rule", "order"), [(r, p) for r in RULES for p in (2, 3)])
def test_gaussian_form_is_the_limit_of_many_examples(rule, order):
    alpha = 0.01 if order == 2 else 0.005
    differences = []
    for M in (100, 1600):
        r = 4 / np.sqrt(M)  # rho about 1/16 in both
        words = {"rule": rule, "couplings": "variance"}
        # rho_P grows as M^(P-1): the load that both can bear.
        load = alpha if rule == "supervised" else alpha * 0.2 / (1 + 1 / (M * r ** (2 * order)))
        exact = examples.retrieval(load, 0.1, r, M, order, **words).m
        large = examples.retrieval(load, 0.1, r, M, order, form="gaussian", **words).m
        differences.append(abs(float(exact - large)))
    # The skewness of e is of order r/sqrt(M): 16 times smaller.
    assert differences[1] < differences[0] / 8
    assert differences[1] < 1e-4


def test_large_dataset_is_the_gaussian_form():
    alpha, temperature, r, M = 0.02, 0.2, 0.5, 30
    rho = conventions.dataset_entropy(r, M)
    for order in (2, 3):
        one = examples.large_dataset(alpha, temperature, rho, order)
        two = examples.retrieval(alpha, temperature, r, M, order, form="gaussian")
        for name in one:
            assert float(one[name]) == pytest.approx(float(two[name]), abs=1e-14), name


def test_low_load():
    r, M = 0.4, np.array([1, 2, 5, 8, 201])
    found = examples.low_load(0.0, r, M, [2, 3])
    for column, examples_ in enumerate(M):
        k = np.arange(examples_ + 1)
        weights = np.array(
            [comb(examples_, int(i)) * 0.7**i * 0.3 ** (examples_ - i) for i in k], dtype=float
        )
        majority = weights @ np.sign(2 * k - examples_)
        np.testing.assert_allclose(found.m.isel(n_examples=column), majority, rtol=1e-12)
        tied = weights[2 * k == examples_].sum()
        np.testing.assert_allclose(found.q.isel(n_examples=column), 1 - tied, rtol=1e-12)
    rho = conventions.dataset_entropy(r, 5)
    gaussian = examples.low_load(0.0, r, 5, form="gaussian").m
    assert float(gaussian) == pytest.approx(erf(1 / np.sqrt(2 * rho)), abs=1e-14)
    # It is the limit of retrieval, at first order in alpha at T > 0.
    for rule in RULES:
        small = examples.retrieval(1e-9, 0.3, r, 5, [2, 3, 4], rule=rule).m
        limit = examples.low_load(0.3, r, 5, [2, 3, 4], rule=rule).m
        np.testing.assert_allclose(small, limit, rtol=0, atol=1e-7)
    assert examples.low_load(1.0, r, 5).m.isnull()


# --- all solutions --------------------------------------------------------------------------


def test_every_solution_is_found():
    """At T = 0 the load is explicit in x = b/a: count crossings on a fine grid."""
    x = np.geomspace(1e-3, 30, 60_001)
    for r, M, order in ((0.3, 3, 2), (0.55, 3, 2), (0.5, 5, 3), (0.9, 3, 3), (0.75, 2, 2)):
        zeta, total, _ = class_averages(r, M)
        ratio = zeta / (np.sqrt(2) * x[:, None])
        n = erf(ratio) @ (total * zeta)
        if order == 2:
            C_times_b = np.sqrt(2 / np.pi) * np.exp(-(ratio**2)) @ total
            root = x * n - C_times_b
        else:
            root = x * n ** (order - 1)
        extrema = root[1:-1][np.diff(np.sign(np.diff(root))) != 0]
        positive = np.sort(np.concatenate([[0], extrema[extrema > 0], [1.1 * root.max()]]))
        for level in (positive[1:] + positive[:-1]) / 2:
            expected = np.count_nonzero(np.diff(np.sign(root - level)))
            alpha = level**2 / factorial(order - 1)
            found = examples.solutions(alpha, 0.0, r, M, order)
            assert int(found.m.notnull().sum()) == expected, (r, M, order, alpha)
            assert not (found.residual > 1e-13).any()
        limit = float(examples.spinodal_load(0.0, r, M, order).alpha)
        # The maximum of the grid: second order in its step, 2e-4 of x.
        assert limit == pytest.approx(root.max() ** 2 / factorial(order - 1), rel=1e-6)


def test_several_retrieval_branches_with_few_examples():
    """The sites with e = +-1/3 are lost before those with e = +-1: two spinodals at T = 0."""
    found = examples.solutions(np.linspace(0.002, 0.05, 49), 0.0, 0.55, 3)
    count = found.m.notnull().sum("branch").values
    assert set(count) <= {0, 2, 4} and 4 in count
    several = found.isel(alpha=int(np.flatnonzero(count == 4)[0]))
    n = several.n.values
    assert n[0] == n.max() and (np.diff(n[1:4]) < 0).all()
    np.testing.assert_array_equal(several.longitudinal.values[:4] > 0, [True, False, True, False])


def test_the_curve_at_given_noise_has_the_shape_that_is_used():
    """ln n(ln a) is concave at fixed b/a, over r, M and b/a."""
    logarithm = np.linspace(-5, 6, 221)
    for r in (0.05, 0.3, 0.6, 0.9, 0.99):
        for M in (1, 2, 3, 4, 5, 7, 10, 31):
            for x in (0.0, 0.05, 0.3, 1.0, 5.0):
                w = np.exp(logarithm)
                one = np.ones_like(w)
                which, data = np.zeros(w.size, int), np.array([[r, M]])
                average = binomial_averages(w, x * w, one, which, data)
                elasticity = (average.n_a + average.n_b) / average.n
                # Rounding of averages that are 1e-4 of their largest values.
                assert np.diff(elasticity).max() < 1e-9, (r, M, x)


@pytest.mark.slow
def test_residuals_over_the_domain():
    rng = np.random.default_rng(3)
    size = 36
    temperature = np.choose(
        rng.integers(0, 3, size),
        [np.zeros(size), 10 ** rng.uniform(-8, 0, size), rng.uniform(0, 1, size)],
    )
    quality = np.where(rng.random(size) < 0.1, 1.0, rng.uniform(0.02, 1, size))
    n_examples = np.floor(10 ** rng.uniform(0, 2, size))
    order = rng.choice([2, 3, 4, 5, 8, 15], size)
    point = {"quality": quality, "n_examples": n_examples, "interaction": order}
    point = {name: xr.DataArray(values, dims="point") for name, values in point.items()}
    T = xr.DataArray(temperature, dims="point")
    for rule, form in (*((rule, "binomial") for rule in RULES), ("unsupervised", "gaussian")):
        words = {"rule": rule, "form": form, "couplings": "variance"}
        limit = examples.spinodal_load(T, **point, **words)
        assert not (limit.residual > 1e-12).any()
        exists = limit.alpha.notnull()
        assert exists.sum() > 8
        for part in (1.0, 0.9, 1e-6):
            alpha = (limit.alpha * part).where(exists, 1e-3)
            found = examples.solutions(alpha, T, **point, **words)
            assert (found.m.sel(branch="retrieval").notnull() == exists).all()
            assert not (found.residual > 1e-11).any(), (rule, form, part)
            assert not (found.m.sel(branch="retrieval") > 1 + 1e-14).any()
            assert not (found.longitudinal.sel(branch="retrieval") < -1e-5).any()
        above = examples.retrieval((limit.alpha * 1.0001).where(exists, 1e-3), T, **point, **words)
        assert above.m.isnull().all()


# --- thresholds -----------------------------------------------------------------------------


@pytest.mark.parametrize(("rule", "order"), [(r, p) for r in RULES for p in (2, 3)])
def test_spinodal_temperature_is_the_inverse_of_the_spinodal_load(rule, order):
    r, M = 0.6, [5, 8]
    temperature = 0.35  # above the maximum of alpha_M(T)
    words = {"rule": rule, "couplings": "variance"}
    load = examples.spinodal_load(temperature, r, M, order, **words)
    paired = {
        "alpha": load.alpha.drop_vars("temperature"),
        "quality": r,
        "n_examples": load.n_examples,
    }
    back = examples.spinodal_temperature(**paired, interaction=order, **words)
    np.testing.assert_allclose(back.temperature, temperature, rtol=1e-9)  # alpha_M(T) is steep
    np.testing.assert_allclose(back.m, load.m, rtol=1e-7)
    assert examples.spinodal_temperature(3.0, r, 5, order, rule=rule).temperature.isnull()


def test_spinodal_jumps_where_a_second_branch_joins():
    """P = 3, r = 0.5, M = 5: separate below T = 0.263, where the other reaches further."""
    limit = examples.spinodal_load([0.25, 0.26, 0.265, 0.27], 0.5, 5, 3)
    assert (np.diff(limit.alpha) > 0).all() and limit.alpha[2] - limit.alpha[1] > 0.007
    assert limit.m[1] > 0.37 and limit.m[2] < 0.27
    # Not counted, but shown: the other branch is there on both sides.
    beyond = examples.solutions(0.13, 0.26, 0.5, 5, 3)
    assert beyond.m.notnull().values.tolist() == [False, True, True]
    assert beyond.longitudinal[2] < 0 or beyond.longitudinal[1] < 0
    assert examples.retrieval(0.13, 0.265, 0.5, 5, 3).m < 0.27


def test_gaussian_capacity_is_the_closed_form():
    t = np.geomspace(1e-3, 20, 400_001)
    for order, rho in ((3, 0.0), (3, 0.25), (5, 0.1), (4, 2.0)):
        v = t + rho
        m = erf(1 / np.sqrt(2 * v))
        n = m + rho * np.sqrt(2 / (np.pi * v)) * np.exp(-1 / (2 * v))
        largest = (t * n ** (2 * order - 2)).max()
        found = examples.gaussian_capacity(rho, order)
        # A grid of relative step 2.5e-5: second order.
        assert float(found.effective_load) == pytest.approx(largest, rel=1e-8)
        # Supervised and unsupervised spinodals of given r and M, T = 0.
        r = 0.4
        M = (1 - r**2) / (rho * r**2) if rho else 1e9
        M = int(M)
        rho_there = conventions.dataset_entropy(r, M)
        rho_P = conventions.tensor_entropy(r, M, order)
        A = float(examples.gaussian_capacity(rho_there, order).effective_load)
        for rule, unit in (
            ("supervised", (1 + rho_there) ** order),
            ("unsupervised", 1 + rho_P),
        ):
            limit = examples.spinodal_load(0.0, r, M, order, rule=rule, form="gaussian").alpha
            assert float(limit) * factorial(order - 1) == pytest.approx(A / unit, rel=1e-12)


@pytest.mark.parametrize(("rule", "order"), [("supervised", 2), ("unsupervised", 3)])
def test_examples_needed(rule, order):
    given = {"temperature": 0.2, "quality": 0.6, "interaction": order, "rule": rule}
    found = examples.examples_needed(alpha=0.02, overlap=0.9, **given)
    M = int(found.n_examples)
    m = examples.retrieval(alpha=0.02, n_examples=np.arange(1, M + 12), **given).m.fillna(-1)
    good = (m >= 0.9).values
    assert good[M - 1 :].all() and not good[M - 2]
    assert float(found.m) == pytest.approx(float(m[M - 1]), abs=1e-14)
    assert examples.examples_needed(alpha=0.02, overlap=0.99999, **given).n_examples.isnull()


def test_examples_needed_grow_as_they_should():
    """M_c ~ r^-2 supervised, r^-2P unsupervised with extensive load: exponents from r to r/2."""
    r = np.array([0.3, 0.15])
    for rule, alpha, power in (("supervised", 0.02, 2), ("unsupervised", 0.04, 6)):
        words = {"rule": rule, "form": "gaussian", "couplings": "variance"}
        M = examples.examples_needed(alpha, 0.1, r, 0.9, 3, **words).n_examples.values
        # 10 percent: (1 - r^2) for 1 and rho beside rho_P.
        assert np.log2(M[1] / M[0]) == pytest.approx(power, rel=0.1)


def test_quality_needed():
    given = {"alpha": 0.02, "temperature": 0.2, "n_examples": 10}
    found = examples.quality_needed(**given, overlap=0.9)
    r = float(found.quality)
    assert float(found.m) == pytest.approx(0.9, abs=1e-9) or found.m > 0.9
    below = examples.retrieval(**given, quality=r - 1e-9).m
    assert below.isnull() or below < 0.9
    above = examples.retrieval(**given, quality=np.linspace(r, 1, 20)).m
    assert (above >= 0.9).all()
    assert examples.quality_needed(**given, overlap=0.99999999).quality.isnull()


# --- states at one example ------------------------------------------------------------------


def test_example_states():
    found = examples.example_state(2.5e-4, 0.5, [1, 8, 16, 20, 24], 3)
    np.testing.assert_array_equal(found.retained, [1, 1, 1, 0, 0])  # lost between 16 and 20
    assert (found.crude_limit == 32).all()
    assert np.isnan(found.n2[0]) and found.n1[0] == pytest.approx(1, abs=1e-12)
    # Where it is lost it is the retrieval state of the archetype.
    archetype = examples.retrieval(2.5e-4, 0.0, 0.5, [20, 24], 3, rule="unsupervised")
    np.testing.assert_allclose(found.m[3:], archetype.m, atol=1e-12)
    np.testing.assert_allclose(found.n1[3:], archetype.example_overlap, atol=1e-12)
    assert not (found.residual > 1e-12).any()
    with pytest.raises(ValueError, match="interaction"):
        examples.example_state(0.01, 0.5, 8, 2)


# --- labels and refusals --------------------------------------------------------------------


def test_labels():
    found = examples.retrieval([0.01, 0.02], [0.0, 0.1, 0.2], 0.8, [5, 7], [2, 3])
    assert found.m.dims == ("alpha", "temperature", "n_examples", "interaction")
    assert found.sizes == {"alpha": 2, "temperature": 3, "n_examples": 2, "interaction": 2}
    assert {"title", "convention", "source"} <= set(found.attrs)
    assert found.branch == "retrieval"
    for variable in found.variables.values():
        assert variable.attrs["long_name"] and variable.attrs["units"]
    paired = xr.DataArray([0.01, 0.02], dims="run", coords={"run": [3, 4]})
    one = examples.retrieval(paired, xr.DataArray([0.1, 0.2], dims="run"), 0.8, 5)
    assert one.m.dims == ("run",) and (one.run == [3, 4]).all()
    whole = found.m.sel(n_examples=5, interaction=2)
    np.testing.assert_allclose(one.m, [whole[0, 1], whole[1, 2]], rtol=1e-12)
    several = examples.solutions(0.01, 0.1, 0.8, 5, rule="unsupervised")
    assert several.m.dims == ("branch",) and several.branch[0] == "retrieval"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("alpha", {"alpha": 0.0}),
        ("alpha", {"alpha": -0.1}),
        ("temperature", {"temperature": -0.1}),
        ("quality", {"quality": 0.0}),
        ("quality", {"quality": 1.1}),
        ("n_examples", {"n_examples": 0}),
        ("n_examples", {"n_examples": 2.5}),
        ("interaction", {"interaction": 1}),
        ("interaction", {"interaction": 2.5}),
        ("rule", {"rule": "other"}),
        ("form", {"form": "other"}),
        ("couplings", {"couplings": "other"}),
    ],
)
def test_bad_input_is_refused_by_name(name, change):
    given = {"alpha": 0.01, "temperature": 0.1, "quality": 0.8, "n_examples": 5}
    with pytest.raises(ValueError, match=name):
        examples.retrieval(**given | change)


def test_nothing_where_there_is_nothing():
    found = examples.solutions([0.01, 0.5], [0.2, 1.0, 1.5], 0.8, 5)
    assert found.m.notnull().values[:, 0, 0].all()
    assert found.m.isnull().values[:, 1].all() and found.m.isnull().values[:, :, 1:].all()
    assert examples.spinodal_load([1.0, 2.0], 0.8, 5, [2, 3]).alpha.isnull().all()
    with pytest.raises(ValueError, match="overlap"):
        examples.examples_needed(0.01, 0.1, 0.5, 1.0)
