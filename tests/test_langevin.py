"""Thermal dynamics of continuous states against exact laws, and what it promises of its numbers.

Tolerances are 4.5 standard errors from the effective number of samples (`statistics.thermal`): one
comparison in 150,000 is further off by chance.
"""

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import ive, logsumexp

from hopfield_sim import (
    Glauber,
    Hopfield,
    Schedule,
    langevin,
    patterns,
    simulate,
    statistics,
    updated,
)
from hopfield_sim.langevin import Langevin, RandomWalk, sampled
from hopfield_sim.models.modern import Epanechnikov, LogSumExp, OutlierEfficient, Polynomial
from tests import stand_in

ERRORS = 4.5
RULES = (Langevin, RandomWalk)


def on_sphere(n_patterns, dimension, beta=0.5, seed=1):
    xi = patterns.spherical(n_patterns, dimension, seed)
    return LogSumExp(xi, beta=beta, radius=np.sqrt(dimension))


def distance(series, expected):
    """(mean - expected) in standard errors, the largest of all lanes."""
    found = statistics.thermal(series)
    return float(np.abs((found["mean"] - expected) / found["error"]).max())


def von_mises_fisher(dimension, temperature):
    """Mean overlap with a single pattern: I_{d/2}(d/T) / I_{d/2-1}(d/T)."""
    kappa = dimension / np.asarray(temperature)
    mean = ive(dimension / 2, kappa) / ive(dimension / 2 - 1, kappa)
    return xr.DataArray(mean, dims="temperature")


def observable(name, function):
    def observed(model, states, energies):
        """An average of the states"""
        return function(states)

    observed.__name__ = name
    return observed


# ------------------------------------------------------------------------------------ exact laws


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dimension", [2, 3, 20])
def test_single_pattern_on_the_sphere(rule, dimension):
    temperature = (0.2, 1.0, 5.0)
    run = sampled(
        on_sphere(1, dimension), rule(temperature), "random", Schedule(150, 120, 4), 16, seed=1
    )
    expected = von_mises_fisher(dimension, temperature)
    assert distance(run.overlap, expected) < ERRORS
    # E = -m d and the model's constant, |xi|^2/2
    assert distance(run.energy, 0.5 - expected) < ERRORS
    # two independent states have the overlap <m>^2; pairs that share no replica are independent
    assert distance(run.replica_overlap[:, ::2], expected**2) < ERRORS


@pytest.mark.parametrize("spoilt", ["every proposal is taken", "the temperature is another one"])
def test_a_wrong_law_is_noticed(spoilt, monkeypatch):
    """The same comparison fails without the decision at a large step, and at 0.9 of T."""
    rule, temperature = Langevin(1.0, step=1.8), 1.0
    if spoilt == "every proposal is taken":
        decide = langevin._Chains._decide
        monkeypatch.setattr(
            langevin._Chains, "_decide", lambda self, taken: decide(self, taken | True)
        )
    else:
        rule = Langevin(0.9)
    run = sampled(on_sphere(1, 20), rule, "random", Schedule(100, 120, 4), 16, seed=1)
    expected = float(von_mises_fisher(20, [temperature])[0])
    assert distance(run.overlap, expected) > 2 * ERRORS


@pytest.mark.parametrize("rule", RULES)
def test_histogram_on_a_circle(rule):
    """d = 2, four patterns: all of the law of the angle, by quadrature over its bins."""
    model = on_sphere(4, 2, beta=3.0, seed=5)
    bins = np.linspace(-np.pi, np.pi, 17)
    fine = np.linspace(-np.pi, np.pi, 16 * 200 + 1)
    circle = np.sqrt(2) * np.stack([np.cos(fine), np.sin(fine)], axis=-1)
    observe = [
        observable(
            f"bin_{k}",
            lambda x, k=k: np.digitize(np.arctan2(x[..., 1], x[..., 0]), bins) == k + 1,
        )
        for k in range(16)
    ]
    run = sampled(model, rule(0.8), "random", Schedule(100, 200, 5), 32, 3, observe)
    density = np.exp(-model.energy(circle) / 0.8)
    middle = (density[1:] + density[:-1]).reshape(16, 200).sum(axis=1)
    expected = middle / middle.sum()
    assert expected.max() > 5 * expected.min()  # not flat
    for k in range(16):
        assert distance(run[f"bin_{k}"].astype(float), expected[k]) < ERRORS


@pytest.mark.parametrize("rule", RULES)
def test_log_sum_exp_in_space_is_a_mixture_of_gaussians(rule):
    """T = 1/beta: covariance T around each pattern, weights exp(beta |xi|^2 / 2)."""
    beta = 1.3
    xi = np.array([[1.2, 0, 0.5], [-0.9, 0.8, 0], [0.3, -1.4, -0.4]])
    model = LogSumExp(xi, beta=beta)
    weight = np.exp(beta * (xi**2).sum(axis=1) / 2)
    weight /= weight.sum()
    mean = weight @ xi
    second = np.einsum("m,mi,mj->ij", weight, xi, xi) + np.eye(3) / beta
    pairs = [(0, 0), (1, 1), (2, 2), (0, 1), (1, 2)]
    observe = [observable(f"x{i}", lambda x, i=i: x[..., i]) for i in range(3)]
    observe += [observable(f"x{i}{j}", lambda x, i=i, j=j: x[..., i] * x[..., j]) for i, j in pairs]
    # the mean of a pattern's share of a state is its weight in the mixture
    observe += [observable(f"p{i}", lambda x, i=i: model.weights(x)[..., i]) for i in range(3)]
    run = sampled(model, rule(1 / beta), xi[0], Schedule(100, 200, 5), 32, 4, observe)
    for i in range(3):
        assert distance(run[f"x{i}"], mean[i]) < ERRORS
        assert distance(run[f"p{i}"], weight[i]) < ERRORS
    for i, j in pairs:
        assert distance(run[f"x{i}{j}"], second[i, j]) < ERRORS


@pytest.mark.parametrize("rule", RULES)
def test_epanechnikov_keeps_its_region(rule):
    """One pattern: s = beta |x - xi|^2/2 has the law Beta(d/2, 1/(beta T) + 1); two far apart: none
    goes to the other region, whatever the temperature."""
    d, beta, temperature = 6, 0.8, (0.3, 2.0, 50.0)
    xi = patterns.spherical(1, d, 2)
    observe = [observable("s", lambda x: beta / 2 * ((x - xi[0]) ** 2).sum(axis=-1))]
    apart = np.concatenate([xi, -xi])  # 2 sqrt(d) apart, regions of radius sqrt(2/beta)
    for model in (Epanechnikov(xi, beta=beta), Epanechnikov(apart, beta=beta)):
        run = sampled(model, rule(temperature), xi[0], Schedule(150, 120, 5), 16, 5, observe)
        law = stats.beta(d / 2, 1 / (beta * np.array(temperature)) + 1)
        assert distance(run.s, xr.DataArray(law.mean(), dims="temperature")) < ERRORS
        assert float(run.s.max()) < 1
    with pytest.raises(ValueError, match="energy of the start is infinite"):
        sampled(model, rule(1.0), 0 * xi[0])


def test_both_rules_have_one_law():
    """Several patterns in 6 dimensions, on the sphere and in R^d."""
    xi = patterns.gaussian(8, 6, 3)
    for model in (on_sphere(8, 6), OutlierEfficient(xi, beta=1.0), Polynomial(xi, degree=4)):
        pair = [
            statistics.thermal(
                sampled(model, rule(0.7), xi[0], Schedule(100, 100, 5), 32, seed=6).energy
            )
            for rule in RULES
        ]
        error = np.hypot(*(float(one["error"]) for one in pair))
        assert abs(float(pair[0]["mean"] - pair[1]["mean"])) < ERRORS * error


def test_basin_against_theory_at_finite_dimension():
    """d = 24, M = 122: overlap, energy and nearest other pattern in the cell of the target.

    16 sets of patterns; Student's t of 15 degrees of freedom is beyond 5.5 once in 16,000.
    """
    from hopfield_sim.theory import log_sum_exp_cells

    d, number, temperature = 24, 122, (0.1, 0.15)
    law = log_sum_exp_cells.cell(d, number, temperature, 0.5)
    found = {"m": [], "energy": [], "best_other": []}
    for realisation in range(16):
        model = on_sphere(number, d, seed=(7, realisation))
        run = sampled(
            model, Langevin(temperature), model.patterns[0], Schedule(40, 40, 2), 4, realisation
        )
        assert (run.overlap > run.best_other_overlap).all()  # nobody leaves at these temperatures
        found["m"].append(run.overlap.mean(("replica", "sample")))
        # without the constants |xi|^2/2 and ln M/lambda
        constant = 0.5 + np.log(number) / 0.5 / d
        found["energy"].append(run.energy.mean(("replica", "sample")) - constant)
        found["best_other"].append(run.best_other_overlap.mean(("replica", "sample")))
    for name, values in found.items():
        values = xr.concat(values, "realisation")
        t = (values.mean("realisation") - law[name]) / (values.std("realisation", ddof=1) / 4)
        assert float(np.abs(t).max()) < 5.5, name


@pytest.mark.parametrize("kind", ["sphere", "gaussian"])
def test_retrieval_in_space_against_theory(kind):
    """d = 40, M = 150: x = xi + sqrt(T) z, whatever lambda; beyond the spinodal it is gone.

    Four sets of patterns: |x|^2/d has the standard error 0.004, and others pull by less than that.
    """
    from hopfield_sim.theory import log_sum_exp_thermal

    d, temperature = 40, (0.2, 6.0)
    law = log_sum_exp_thermal.retrieval_in_space(np.log(150) / d, temperature, 0.5, kind)
    assert law.m.notnull().values.ravel().tolist() == [True, False]
    found = []
    for realisation in range(4):
        xi = getattr(patterns, {"sphere": "spherical"}.get(kind, kind))(150, d, (8, realisation))
        xi[0] *= np.sqrt(d) / np.linalg.norm(xi[0])  # a typical length
        seen = [langevin.overlap, langevin.square_length]
        seen.append(observable("m", lambda x, target=xi[0]: x @ target / d))
        run = sampled(
            LogSumExp(xi, beta=0.5),
            Langevin(temperature),
            xi[0],
            Schedule(100, 40, 3),
            6,
            realisation,
            seen,
        )
        found.append(run[["m", "square_length", "overlap"]].mean(("replica", "sample")))
    found = xr.concat(found, "realisation").mean("realisation")
    cold = law.sel(temperature=0.2).squeeze()
    for name, of_theory in (("m", "m"), ("square_length", "square_length"), ("overlap", "cosine")):
        assert float(found[name][0]) == pytest.approx(float(cold[of_theory]), abs=4.5 * 0.004)
    # at T = 6 the directions of states are random but for the mean of all patterns
    assert float(found.overlap[1]) < 0.3


# ------------------------------------------------------------------------------------- the step


@pytest.mark.parametrize(
    "model", [on_sphere(5, 7), LogSumExp(patterns.gaussian(5, 7, 1), beta=1.0)]
)
def test_a_step_can_be_gone_back(model):
    rng = np.random.default_rng(1)
    x, v = rng.normal(size=(2, 4, 7))
    if model.radius is not None:
        x *= model.radius / np.linalg.norm(x, axis=1, keepdims=True)
        v -= x * (x * v).sum(axis=1, keepdims=True) / model.radius**2
    step = np.array([0.1, 0.5, 1.0, 3.0])
    moved, turned, energy, gradient = langevin.leapfrog(model, x, v, step)
    back, reversed_, _, _ = langevin.leapfrog(model, moved, -turned, step, gradient)
    # ten or so operations on numbers of size 10
    np.testing.assert_allclose(back, x, atol=1e-12)
    np.testing.assert_allclose(reversed_, -v, atol=1e-12)
    np.testing.assert_allclose(energy, model.energy(moved), atol=1e-12)
    # the change of H in a step is of third order in it
    change = [
        np.abs(
            model.energy(x) + (v**2).sum(axis=1) / 2 - kept[2] - (kept[1] ** 2).sum(axis=1) / 2
        ).max()
        for kept in (langevin.leapfrog(model, x, v, h) for h in (0.02, 0.01))
    ]
    assert 6 < change[0] / change[1] < 10


@pytest.mark.parametrize("rule", RULES)
def test_steps_are_found_in_the_warm_up(rule):
    """The fraction accepted is what was aimed at, to 0.1, in the basin of the start."""
    model, schedule = on_sphere(10, 12), Schedule(100, 100, 2)
    run = sampled(model, rule((0.1, 0.3)), model.patterns[0], schedule, 8, seed=2)
    away = run.acceptance.mean(("replica", "sample")) - rule(1).acceptance
    assert float(np.abs(away).max()) < 0.1
    assert run.step.dims == ("temperature", "replica") and (run.step > 0).all()
    given = sampled(model, rule(1.0, step=0.3), "random", Schedule(0, 5), 2, seed=2)
    assert (given.step == 0.3).all()
    # on a sphere no step is longer than a quarter of a great circle, where all are accepted
    hot = sampled(on_sphere(1, 3), rule(1e4), "random", Schedule(50, 5), 2, seed=2)
    assert float(hot.step.max()) <= np.pi / 2 * np.sqrt(3) / np.sqrt(2e4) * (1 + 1e-12)


# ------------------------------------------------------------------------------------- promises


def test_lanes_do_not_depend_on_what_is_beside_them():
    """Up to the rounding of matrix products, which 100 steps in a basin do not amplify."""
    model = on_sphere(30, 10)
    about = dict(start=model.patterns[0], schedule=Schedule(50, 10, 5), seed=(3, 1))
    both = sampled(model, Langevin((0.2, 0.4)), n_replicas=6, **about)
    alone = sampled(model, Langevin(0.4), n_replicas=2, **about)
    part = both.isel(temperature=1, replica=slice(2))
    for name in ("overlap", "best_other_overlap", "energy", "step"):
        np.testing.assert_allclose(part[name], alone[name], rtol=1e-9, atol=1e-9)
    again = sampled(model, Langevin(0.4), n_replicas=2, **about)
    xr.testing.assert_identical(again, alone)
    other = sampled(model, Langevin(0.4), n_replicas=2, **(about | {"seed": (3, 2)}))
    assert (other.overlap != alone.overlap).all()


def test_dataset_is_labelled_and_states_are_kept():
    model = LogSumExp(patterns.gaussian(5, 4, 1).astype(np.float32), beta=1.0)
    run = sampled(model, Langevin((0.2, 0.5)), "random", Schedule(20, 7, 3), 3, 1, keep_states=True)
    for name in run.variables:
        assert run[name].attrs["long_name"] and run[name].attrs["units"], name
    assert run.overlap.dims == ("temperature", "replica", "sample")
    assert run.sweep.values.tolist() == [23, 26, 29, 32, 35, 38, 41]
    assert run.states.shape == (2, 3, 4)
    np.testing.assert_allclose(
        (run.states**2).mean("component"), run.square_length.isel(sample=-1), rtol=1e-12
    )
    assert float(run.alpha) == np.log(5) / 4 and int(run.n_patterns) == 5
    single = sampled(on_sphere(1, 4), Langevin(0.5), np.ones(4), Schedule(20, 3), 1)
    assert "best_other_overlap" not in single and "replica_overlap" not in single
    assert single.overlap.dims == ("replica", "sample")
    assert statistics.escapes(run.overlap, -1.0).time_at_risk.attrs["units"] == "sweep"


def test_float32_patterns_have_the_law_of_float64():
    xi = patterns.spherical(1, 20, 1)
    single = LogSumExp(xi.astype(np.float32), beta=0.5, radius=np.sqrt(20))
    run = sampled(single, Langevin(0.5), "random", Schedule(150, 120, 4), 16, seed=1)
    assert distance(run.overlap, float(von_mises_fisher(20, [0.5])[0])) < ERRORS


def test_overlaps_of_nothing_are_zero():
    """A start at x = 0, and a pattern of zeros: neither has a direction."""
    model = LogSumExp(np.array([[0.0, 0.0], [1.0, 1.0]]), beta=1.0)
    for function in (langevin.overlap, langevin.best_other_overlap, langevin.replica_overlap):
        assert np.array_equal(function(model, np.zeros((3, 2)), np.zeros(3)), np.zeros(3))
    run = sampled(model, Langevin(0.5, step=0.3), np.zeros(2), Schedule(0, 3))
    assert np.all(run.overlap == 0) and np.all(np.abs(run.best_other_overlap) > 0)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Langevin(0.0), "model.retrieve"),
        (lambda: RandomWalk((0.1, -1.0)), "must be > 0"),
        (lambda: Langevin(np.nan), "temperature=nan"),
        (lambda: Langevin(()), "temperature="),
        (lambda: Langevin(1.0, step=0.0), "step=0.0"),
        (lambda: Langevin((1.0, 2.0), step=(0.1, 0.2, 0.3)), "one for each temperature"),
        (lambda: Langevin(1.0, acceptance=1.0), "acceptance=1.0"),
        (lambda: run_of(start=np.ones(3)), "start has shape"),
        (lambda: run_of(start=np.full(4, np.nan)), "NaN or infinity"),
        (lambda: run_of(start=np.zeros(4)), "no direction"),
        (lambda: run_of(start="pattern"), "start='pattern'"),
        (lambda: run_of(n_replicas=0), "n_replicas=0"),
        (lambda: run_of(n_replicas=1.5), "n_replicas=1.5"),
        (lambda: run_of(schedule=Schedule(5, 5)), "too short to find a step"),
        (lambda: run_of(n_replicas=1, observe=[langevin.replica_overlap]), "n_replicas=2"),
        (lambda: run_of(observe=[langevin.best_other_overlap]), "two patterns"),
        (lambda: sampled(on_sphere(2, 1), Langevin(1.0), "random"), "two points"),
    ],
)
def test_wrong_input_is_refused(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


def run_of(start="random", **changed):
    return sampled(on_sphere(1, 4), Langevin(1.0), start, **changed)


def test_energy_of_the_test_model():
    """The constants that the comparisons above take away from E are those of the model."""
    model = on_sphere(3, 5)
    x = model.patterns[1]
    sums = logsumexp(0.5 * model.patterns @ x) / 0.5
    assert float(model.energy(x)) == pytest.approx(2.5 + np.log(3) / 0.5 - sums, abs=1e-12)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("radius", [None, 3.0])
def test_chains_of_the_gpu_stay_there(rule, radius):
    """With a stand-in for CuPy: the same numbers, labelled arrays in main memory."""
    xi = patterns.gaussian(5, 9, 1)
    how = (rule((0.2, 1.0)), "random", Schedule(20, 5), 2)
    here = sampled(LogSumExp(xi, 0.5, radius=radius), *how, seed=3, keep_states=True)
    with stand_in.cupy() as cupy:
        model = LogSumExp(cupy.asarray(xi), 0.5, radius=radius)
        there = sampled(model, *how, seed=3, keep_states=True)
    for name, found in there.items():
        assert type(found.data) is np.ndarray
        # 25 steps, of which none is decided by less than rounding
        np.testing.assert_allclose(found, here[name], rtol=1e-9, atol=1e-9)


def test_spins_and_continuous_states_are_told_apart():
    """Each door names the other one."""
    network, spins = LogSumExp.example(6, 1), Hopfield.example(6, 1)
    start = np.ones(6)
    for wrong, words in (
        (
            lambda: simulate(network, Glauber(0.3), start),
            "LogSumExp has no spins.*langevin.sampled",
        ),
        (lambda: updated(network, Glauber(0.3), start), "LogSumExp has no spins.*langevin.sampled"),
        (lambda: langevin.sampled(spins, Langevin(0.3), start), "Hopfield.*simulate"),
        (lambda: langevin.sampled(network, Glauber(0.3), start), "Glauber.*langevin.Langevin"),
    ):
        with pytest.raises(TypeError, match=words):
            wrong()
