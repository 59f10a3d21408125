"""Cross-entropy of a stored set: known cases, sampling, its limits, where memory ends."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.special import gammaln

from hopfield_sim.theory import log_sum_exp, stored_set


def overlaps(count, d, seed):
    """Overlaps of random directions: sign x sqrt of a beta variable."""
    rng = np.random.default_rng(seed)
    return rng.choice([-1, 1], size=count) * np.sqrt(rng.beta(0.5, (d - 1) / 2, size=count))


@pytest.mark.parametrize(("d", "sharpness"), [(2, 30.0), (3, 0.1), (16, 1.0), (300, 1.0)])
def test_one_and_two_patterns(d, sharpness):
    """M = 1: ln w = -kappa (1 - m), of mean -kappa, and 1 alone. M = 2: <ln(1 + w)> is a quadrature
    over one overlap."""
    kappa = d * sharpness
    found = stored_set.cross_entropy(d, [1, 2], sharpness)
    np.testing.assert_allclose(found.held_out[0] - found.log_partition[0], kappa, atol=1e-10)
    assert found.stored[0] == found.log_partition[0] and found.label[0] == 0
    np.testing.assert_allclose(found.log_partition[1] - found.log_partition[0], np.log(2))
    log_norm = gammaln(d / 2) - gammaln((d - 1) / 2) - np.log(np.pi) / 2

    def weighted(angle):  # m = cos(angle), so that d = 2 has no singular end
        return np.exp(log_norm + (d - 2) * np.log(np.sin(angle))) * np.log1p(
            np.exp(-kappa * (1 - np.cos(angle)))
        )

    middle = [0.01, 0.1, 0.3, 1.0, np.pi / 2, 1.7, 2.0]
    wanted = quad(weighted, 0, np.pi, points=middle, epsabs=1e-13, epsrel=1e-11, limit=500)[0]
    assert float(found.label[1]) == pytest.approx(wanted, abs=1e-10)


@pytest.mark.parametrize(("d", "M", "sharpness"), [(4, 7, 1.0), (8, 30, 2.0), (16, 500, 0.5)])
def test_sampling(d, M, sharpness):
    """10^3 to 10^5 patterns, each against fresh others: z of a fixed seed, below 3.5."""
    weights = np.exp(-d * sharpness * (1 - overlaps(800_000 // M * M, d, 1).reshape(-1, M)))
    found = stored_set.cross_entropy(d, M, sharpness)
    free = float(found.log_partition)
    for sampled, wanted in (
        (np.log(weights.sum(1)), free - found.held_out),
        (np.log1p(weights[:, 1:].sum(1)), free - found.stored),
    ):
        error = sampled.std() / np.sqrt(len(sampled))
        assert error < 0.05 and abs(sampled.mean() - float(wanted)) < 3.5 * error


def test_finer_sums_change_nothing(monkeypatch):
    """The stated precision, 1e-10: twice the points in ln s."""
    given = ([2, 8, 40], [2, 3000, 10**11], [0.02, 3.0])
    found = stored_set.cross_entropy(*given)
    monkeypatch.setattr(stored_set, "_STEP", 0.125)
    finer = stored_set.cross_entropy(*given)
    for name in found:
        np.testing.assert_allclose(found[name], finer[name], atol=1e-10)


def test_order_of_the_entropies():
    """Stored <= held out, which falls with M to the limit as stored rises; annealed is below."""
    found = stored_set.cross_entropy([3, 16], 4 ** np.arange(0, 14), [0.3, 1.0])
    rounding = 1e-9
    assert (found.stored < found.held_out).all()
    assert (found.held_out.diff("n_patterns") < rounding).all()
    assert (found.stored.diff("n_patterns") > -rounding).all()
    assert (found.held_out > found.limit - rounding).all()
    assert (found.annealed < found.stored + rounding).all()
    last = found.isel(n_patterns=-1).sel(dimension=3)
    np.testing.assert_allclose(last.stored, last.limit, atol=1e-6)
    np.testing.assert_allclose(last.held_out, last.limit, atol=1e-6)


@pytest.mark.parametrize("sharpness", [0.5, 1.0])
def test_memory_ends_at_half_weight(sharpness):
    """At any d by its definition; for d -> infinity at M_half, and at alpha_1 of retrieval."""
    found = stored_set.memorised([8, 24, 64], sharpness)
    for d in (8, 24):
        M = np.exp(float(found.log_n_patterns.sel(dimension=d)))
        near = stored_set.cross_entropy(d, [int(M), int(M) + 1], sharpness).memory.values
        assert near[0] > np.log(2) > near[1]
    away = (found.log_n_patterns - found.log_half_weight).values
    # few pairs make the sum at small d; at large d it is sharp, as M_half times their share grows
    assert (np.diff(np.abs(away)) < 0).all() and abs(away[-1]) < 1e-4
    alpha = float(log_sum_exp.sphere(sharpness).alpha)
    assert abs(float(found.alpha[-1]) - alpha) < 0.01


def test_nothing_to_memorise_and_more_than_floats_hold():
    found = stored_set.memorised([2, 4000], [0.3, 1.0])
    assert np.isnan(found.alpha.sel(dimension=2, sharpness=0.3))  # kappa = 0.6 < ln 2
    assert np.isnan(found.alpha.sel(dimension=4000)).all()
    assert np.isfinite(found.log_half_weight).all()


def test_large_dimension_is_the_limit():
    """The largest distance at d = 24, 96 and 384 is that of the nearest pattern, of order ln d/d:
    0.13, 0.048 and 0.015 with factor one."""
    alpha = np.array([0.1, 0.2, 0.4, 0.5])
    limit = stored_set.large_dimension(alpha, 1.0)
    away = []
    for d in (24, 96, 384):
        M = np.rint(np.exp(alpha * d))
        found = stored_set.cross_entropy(d, M, 1.0)
        away.append([np.abs(found[name].values / d - limit[name].values) for name in KINDS])
    away = np.array(away)
    assert (away.max((1, 2)) < np.log([24, 96, 384]) / [24, 96, 384]).all()
    # a stored pattern's weight is far above all others: no such correction
    assert away[1:, 1].max() < 1e-6
    # below alpha_1 they differ, above not; held out does not feel M beyond the condensation
    alpha_1 = float(log_sum_exp.sphere(1.0).alpha)
    around = stored_set.large_dimension([0.99 * alpha_1, 1.01 * alpha_1, 2.0], 1.0)
    assert around.memory[0] > 0 and around.memory[1] == around.memory[2] == 0
    assert float(around.held_out[0]) == pytest.approx(float(around.held_out[2]), abs=1e-14)
    assert limit.condensed.values.tolist() == [1, 1, 0, 0]


KINDS = ("held_out", "stored")


def test_pairs_that_count():
    w = np.exp(-8 * (1 - overlaps(500_000, 8, 3)))
    # <w^2> of 5e5 samples of which a part 0.06 counts: errors below 0.01
    assert float(stored_set.pairs_that_count(8, 1.0)) == pytest.approx(
        w.mean() ** 2 / (w**2).mean(), rel=0.05
    )
