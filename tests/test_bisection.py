"""Stochastic bisection of known curves: posterior by quadrature, coverage, choice of loads."""

import numpy as np
import pytest
from scipy import optimize, special, stats

from analysis import bisection

TRUE, WIDTH = 0.15, 0.02
BOUNDS = (0.05, 0.35)
CANDIDATES = np.arange(25, 176) / 500
CURVES = {
    "probit": lambda x: special.ndtr((TRUE - x) / WIDTH),
    "logistic": lambda x: special.expit((TRUE - x) / (WIDTH / 1.7)),
    "two-sided": lambda x: special.ndtr((TRUE - x) / np.where(x < TRUE, 0.015, 0.025)),
    # a law of the largest of many, skew: the model has no such form
    "Gumbel": lambda x: np.exp(-np.log(2) * np.exp((x - TRUE) / (0.8 * WIDTH))),
}


def network(rng, p, patterns, clustering):
    """Successes of one network: its patterns share a success rate scattered around p."""
    if clustering and 1e-9 < p < 1 - 1e-9:
        p = rng.beta(p * (1 / clustering - 1), (1 - p) * (1 / clustering - 1))
    return rng.binomial(patterns, p)


def searched(rng, curve, rounds=3, networks=8, patterns=8, clustering=0.0, model="probit"):
    """A whole search: coarse loads, then rounds of chosen ones, each as large as all before."""
    alpha, successes = [], []

    def run(loads):
        for x in loads:
            alpha.extend([x] * networks)
            successes.extend(network(rng, curve(x), patterns, clustering) for _ in range(networks))

    run([0.1, 0.15, 0.2, 0.25, 0.3])
    for k in range(rounds):
        rows = alpha, successes, [patterns] * len(alpha)
        batch = networks * patterns
        run(bisection.next_loads(*rows, BOUNDS, CANDIDATES, 5 * 2**k, batch, model))
    return bisection.threshold(alpha, successes, [patterns] * len(alpha), BOUNDS, model)


def covered(repeats, curve, **search):
    """Share of searches whose 68 and 95 % intervals hold the truth, and (found - true)/error."""
    inside, away = [], []
    for repeat in range(repeats):
        found = searched(np.random.default_rng([7, repeat]), CURVES[curve], **search)
        inside.append(((found.low <= TRUE) & (TRUE <= found.high)).values)
        away.append(float((found.alpha_c - TRUE) / found.error))
    return np.mean(inside, axis=0), np.array(away)


def rows_of(curve, loads, networks, patterns, seed=1, clustering=0.0):
    rng = np.random.default_rng(seed)
    alpha = np.repeat(loads, networks)
    successes = [network(rng, float(curve(x)), patterns, clustering) for x in alpha]
    return alpha, np.array(successes), np.full(alpha.size, patterns)


# threshold


def test_quantiles_agree_with_an_independent_integration():
    """The marginal of alpha_c by brute force: 300 x 160 x 41 points that cover the whole prior."""
    loads = np.array([0.1, 0.13, 0.15, 0.17, 0.22])
    wins, tried = np.array([19, 14, 11, 6, 1]), np.full(5, 20)
    # single trials: rows of one trial have a dispersion of 1 by definition
    alpha = np.repeat(loads, 20)
    single = np.concatenate([np.arange(20) < k for k in wins]).astype(int)
    found = bisection.threshold(alpha, single, np.ones(100), BOUNDS)
    centre = np.linspace(*BOUNDS, 300)[:, None, None]
    width = np.exp(np.linspace(np.log(3e-4), np.log(0.3), 160))[:, None]
    skew = np.linspace(-1.2, 1.2, 41)
    density = -((skew / 0.3) ** 2) / 2 + np.zeros((300, 160, 41))
    for x, k, n in zip(loads, wins, tried, strict=True):
        sides = np.where(centre > x, width * np.exp(-skew), width * np.exp(skew))
        z = (centre - x) / sides
        density += k * special.log_ndtr(z) + (n - k) * special.log_ndtr(-z)
    density = np.exp(density - density.max())
    for axis, name, x in ((0, "alpha_c", centre.ravel()), (1, "width", width.ravel())):
        marginal = density.sum(axis=tuple({0, 1, 2} - {axis}))
        below = np.cumsum(marginal) - marginal / 2
        median, low, high = np.interp(np.array([0.5, 0.16, 0.84]) * marginal.sum(), below, x)
        # both grids have about 8 points a standard deviation: 2 % of one
        error = (high - low) / 2
        assert abs(float(found[name]) - median) < 0.05 * error
        assert float(found["error" if axis == 0 else "width_error"]) == pytest.approx(
            error, rel=0.03
        )
    assert float(found.dispersion) == pytest.approx(1, abs=1e-9)
    assert found.networks == 100 and found.trials == 100


def test_many_trials_give_the_maximum_of_the_likelihood():
    loads = np.array([0.11, 0.13, 0.145, 0.16, 0.18, 0.2])
    alpha, k, n = rows_of(CURVES["two-sided"], loads, 200, 10)

    def cost(theta):
        side = np.exp(theta[1] + np.where(alpha < theta[0], -theta[2], theta[2]))
        z = (theta[0] - alpha) / side
        return -(k * special.log_ndtr(z) + (n - k) * special.log_ndtr(-z)).sum()

    best = optimize.minimize(cost, [0.15, np.log(0.02), 0.0], method="Nelder-Mead").x
    found = bisection.threshold(alpha, k, n, BOUNDS)
    # the prior moves the parameters by less than their errors: half of one is allowed
    assert abs(float(found.alpha_c) - best[0]) < 0.5 * float(found.error)
    assert abs(float(found.width) - np.exp(best[1])) < 0.5 * float(found.width_error)
    assert abs(float(found.skew) - best[2]) < 0.5 * float(found.skew_error)
    assert abs(float(found.skew) - np.log(0.025 / 0.015) / 2) < 4 * float(found.skew_error)


def test_the_test_of_the_curve_knows_a_wrong_one():
    loads = np.array([0.11, 0.12, 0.13, 0.14, 0.15, 0.16, 0.17, 0.18, 0.19])
    right = [
        float(bisection.threshold(*rows_of(CURVES["probit"], loads, 60, 10, s), BOUNDS).p)
        for s in range(60)
    ]
    # p is uniform if the curve is right: Kolmogorov-Smirnov, fails by chance for 1 seed in 1000
    assert stats.kstest(right, "uniform").pvalue > 1e-3
    steps = lambda x: np.where(x < TRUE, 0.8, 0.2)  # noqa: E731
    wrong = bisection.threshold(*rows_of(steps, loads, 60, 10), BOUNDS)
    assert wrong.p < 1e-6 and wrong.dof == 6


def test_patterns_of_one_network_count_less():
    loads = np.array([0.13, 0.14, 0.15, 0.16, 0.17])
    # beta-binomial of correlation rho: the variance between networks is 1 + (n - 1) rho times
    # that of independent trials
    for rho, wanted in ((0.0, 1.0), (0.2, 1 + 15 * 0.2)):
        alpha, k, n = rows_of(CURVES["probit"], loads, 300, 16, clustering=rho)
        found = bisection.threshold(alpha, k, n, BOUNDS)
        # 1495 degrees of freedom: standard error 4 %
        assert float(found.dispersion) == pytest.approx(wanted, rel=0.15)
        apart = bisection.threshold(
            np.repeat(alpha, 16),
            (np.arange(16) < k[:, None]).ravel().astype(int),
            np.ones(16 * alpha.size),
            BOUNDS,
        )
        assert float(apart.dispersion) == pytest.approx(1, abs=1e-9)
        assert float(found.error / apart.error) == pytest.approx(wanted**0.5, rel=0.1)


def test_few_answers_leave_the_prior():
    """No success and no failure in sight: the interval says that nothing is known."""
    found = bisection.threshold([0.2], [1], [1], BOUNDS)
    assert found.low[1] < 0.12 and found.high[1] > 0.34 and np.isnan(found.p)
    # all succeed at the upper bound: alpha_c is near or beyond it, and the interval one-sided
    edge = bisection.threshold([0.35] * 50, [1] * 50, [1] * 50, BOUNDS)
    assert edge.alpha_c > 0.3 and edge.high[1] <= 0.35


# the search


def test_intervals_of_a_search_cover():
    """Loads chosen from the answers, 100 searches (the slow test has thousands)."""
    inside, _ = covered(100, "two-sided", rounds=2, clustering=0.2)
    # nominal, three standard deviations of 100 repeats; above, the bound of 1 on the dispersion
    # widens intervals by a few per cent
    assert abs(inside[0] - 0.68) < 0.14 and inside[1] > 0.95 - 0.066


def test_ignored_clustering_does_not_cover():
    """Negative control: every pattern taken for an independent trial, the interval is too short."""
    inside = []
    for repeat in range(100):
        alpha, k, n = rows_of(
            CURVES["probit"], np.linspace(0.11, 0.19, 5), 8, 16, seed=repeat, clustering=0.3
        )
        each = (np.arange(16) < k[:, None]).ravel().astype(int)
        found = bisection.threshold(np.repeat(alpha, 16), each, np.ones(each.size), BOUNDS)
        inside.append(((found.low <= TRUE) & (TRUE <= found.high)).values)
    assert np.mean(inside, axis=0)[0] < 0.68 - 0.14  # so the test above would notice


def test_the_search_asks_near_the_threshold_and_on_both_flanks():
    alpha, k, n = rows_of(CURVES["probit"], np.array([0.1, 0.13, 0.15, 0.17, 0.2]), 50, 10)
    found = bisection.threshold(alpha, k, n, BOUNDS)
    chosen = np.array(bisection.next_loads(alpha, k, n, BOUNDS, CANDIDATES, 12, 80))
    z = (chosen - float(found.alpha_c)) / float(found.width)
    # alpha_c itself is asked for first and in turn
    assert (np.abs(z[::2]) < 0.6).all()
    # of the whole curve the most informative loads of a probit lie 1.1 to 1.5 widths away
    assert (z[1::2] < -0.7).any() and (z[1::2] > 0.7).any() and (np.abs(z) < 2.5).all()
    assert set(chosen) <= set(CANDIDATES)
    again = bisection.next_loads(alpha, k, n, BOUNDS, CANDIDATES, 5, 80)
    assert again == chosen[:5].tolist()  # a smaller round is the beginning of a larger one


def test_a_posterior_between_two_candidates_takes_both():
    alpha, k, n = rows_of(lambda x: float(x < 0.1503), np.array([0.15, 0.1505, 0.151]), 200, 10)
    chosen = bisection.next_loads(alpha, k, n, (0.149, 0.152), [0.1, 0.2, 0.3], 4, 80)
    assert set(chosen) <= {0.1, 0.2}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"alpha": [0.1]}, "one number of each"),
        ({"successes": [1, 5]}, "successes"),
        ({"trials": [0, 4]}, "at least one trial"),
        ({"bounds": (0.3, 0.1)}, "smaller first"),
        ({"curve": "cubic"}, "probit"),
        ({"alpha": [], "successes": [], "trials": []}, "at least one network"),
    ],
)
def test_wrong_input_is_refused(changes, sentence):
    given = {"alpha": [0.1, 0.2], "successes": [1, 0], "trials": [4, 4], "bounds": BOUNDS}
    with pytest.raises(ValueError, match=sentence):
        bisection.threshold(**given | changes)
    if "curve" not in changes:
        with pytest.raises(ValueError, match="candidate"):
            bisection.next_loads(*given.values(), [], 1, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("curve", "model", "clustering"),
    [
        ("probit", "probit", 0.0),
        ("two-sided", "probit", 0.2),
        ("logistic", "logistic", 0.0),
        ("logistic", "probit", 0.0),
    ],
)
def test_coverage_of_many_searches(curve, model, clustering):
    """1,000 adaptive searches: 68 % within 3 %, 95 % within 2 %, as for all error bars."""
    inside, away = covered(1000, curve, model=model, clustering=clustering)
    # the bound of 1 on the dispersion and the prior of the skew make intervals wider, not shorter
    assert 0.65 < inside[0] < 0.75 and 0.93 < inside[1] < 0.98
    assert abs(away.mean()) < 0.15  # no bias to speak of


@pytest.mark.slow
def test_a_skew_curve_of_another_form_displaces_little():
    """A Gumbel law, which the model does not contain: off by less than 5 % of the width."""
    found = [searched(np.random.default_rng([8, k]), CURVES["Gumbel"]) for k in range(200)]
    away = np.array([float((each.alpha_c - TRUE) / each.width) for each in found])
    assert abs(away.mean()) < 0.05
