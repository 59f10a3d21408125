"""Noisy couplings: exact moments by sampling and enumeration, limits, inverses."""

import itertools

import numpy as np
import pytest
from scipy.special import erf

from hopfield_sim.theory import conventions, dense, one_step, ultra_detection


def test_without_noise_it_is_the_network_without_noise():
    for N, K, P in ((60, 500, 3), (40, 3000, 4), (200, 30, 2)):
        found = ultra_detection.noisy_load(N, K, P, 0.0)
        alpha = conventions.load_from_patterns(K, N, P)
        assert float(found.reduced_load) == pytest.approx(conventions.reduced_load(alpha, P))
        gaussian = one_step.dense_gaussian(N, K, P, normalisation="distinct")
        assert float(found.variance) == pytest.approx(float(gaussian.signal_to_noise) ** -2)
        assert (1 - float(found.overlap_finite)) / 2 == pytest.approx(float(gaussian.error))
        of_dense = dense.one_step_overlap(P, alpha)
        assert float(found.overlap) == pytest.approx(float(of_dense.m), rel=1e-12)


@pytest.mark.parametrize("interaction", [2, 3, 4])
def test_variance_is_that_of_all_tuples(interaction):
    """N = 7, all tuples by hand: noise of a neuron's field over its signal, 20000 noises.

    The variance of Gaussians is known to sqrt(2/20000) = 1 %: five of it.
    """
    N, K, omega = 7, 3, 1.7
    random = np.random.default_rng(1)
    tuples = list(itertools.combinations(range(1, N), interaction - 1))
    noise = random.standard_normal((20_000, K, len(tuples))).sum(axis=(1, 2))
    xi = random.choice([-1, 1], (20_000, K - 1, N))
    crosstalk = sum(xi[:, :, list(one)].prod(axis=2) * xi[:, :, 0] for one in tuples).sum(axis=1)
    variance = ((crosstalk + omega * noise) / len(tuples)).var()
    found = ultra_detection.noisy_load(N, K, interaction, omega)
    assert variance == pytest.approx(float(found.variance), rel=0.05)


def test_large_networks_have_the_leading_order():
    for P in (3, 4, 6):
        found = ultra_detection.noisy_load(10**6, 10**6, P, 3.0)
        assert float(found.variance / found.reduced_load) == pytest.approx(1, rel=1e-4)
        assert float(found.overlap) == pytest.approx(float(found.overlap_finite), rel=1e-4)


def test_tolerated_noise_is_the_inverse_and_scales():
    sizes = np.array([10**4, 10**6])
    for P, b in ((3, 1), (4, 1), (4, 2), (4, 3)):
        K = np.rint(0.01 * sizes.astype(float) ** b)
        # the same load at all of them, above that of the patterns alone
        noise = [
            float(ultra_detection.tolerated_noise(n, k, P, 0.2).coupling_noise)
            for n, k in zip(sizes, K, strict=True)
        ]
        for n, k, omega in zip(sizes, K, noise, strict=True):
            found = ultra_detection.noisy_load(n, k, P, omega)
            assert float(found.reduced_load) == pytest.approx(0.2)
        slope = np.log(noise[1] / noise[0]) / np.log(100)
        assert slope == pytest.approx((P - 1 - b) / 2, abs=1e-3)
    assert np.isnan(ultra_detection.tolerated_noise(100, 10**4, 3, 0.2).coupling_noise)


@pytest.mark.parametrize(("n_neurons", "n_patterns"), [(6, 1), (6, 4), (11, 3)])
def test_moments_with_noisy_pairs(n_neurons, n_patterns):
    """The energy itself, by hand: fields are half the cost of a flip. 20000 networks.

    Four standard errors of mean and variance, the latter from the sample's fourth moment.
    """
    N, K, omega = n_neurons, n_patterns, 0.8
    random = np.random.default_rng(N + K)
    samples = 20_000
    xi = random.choice([-1.0, 1.0], (samples, K, N))
    noise = np.triu(random.standard_normal((samples, K, N, N)), 1)
    couplings = xi[..., :, None] * xi[..., None, :] + omega * (noise + noise.swapaxes(-1, -2))
    state = xi[:, 0].copy()

    def energy():
        form = np.einsum("mkij,mi,mj->mk", couplings, state, state, optimize=True)
        return -(form**2).sum(axis=1) / (4 * N**3)

    before = energy()
    state[:, 0] *= -1
    along = (energy() - before) / 2  # h s at neuron 0, s = xi
    found = ultra_detection.pair_noise_finite(N, K, omega)
    error = along.std() / np.sqrt(samples)
    assert abs(along.mean() - float(found["mean"])) < 4 * error
    squares = (along - along.mean()) ** 2
    assert abs(along.var() - float(found.variance)) < 4 * squares.std() / np.sqrt(samples)


def test_noisy_pairs_of_large_networks():
    """The finite formula goes to V = s^2 + 2 alpha s^4 as 1/N."""
    alpha, s = 0.1, 1.0
    limit = ultra_detection.pair_noise(alpha, s)
    assert float(limit.variance) == pytest.approx(1.2)
    assert float(limit.overlap) == pytest.approx(erf(1 / np.sqrt(2.4)))
    away = []
    for n in (10**3, 10**4, 10**5):
        found = ultra_detection.pair_noise_finite(n, round(alpha * n), s * np.sqrt(n))
        away.append(float(found.variance / found["mean"] ** 2 / limit.variance - 1) * n)
    assert away[1] == pytest.approx(away[2], rel=0.01) and abs(away[2]) < 10
    # no overlap is lost without noise
    assert float(ultra_detection.pair_noise(0.1, 0.0).overlap) == 1
    assert float(ultra_detection.pair_noise_finite(1, 3, 0.5).overlap) == 0
