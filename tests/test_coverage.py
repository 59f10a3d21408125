"""Error bars that cover: 4,000 repeats of small real networks, known by exact enumeration.

The chains start in exact samples of Boltzmann's law, so that every mean of them has a known
expectation; what is tested is the error bar alone. A fraction of 4,000 scatters by 0.7 points at
68 % and 0.3 at 95 %.
"""

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from hopfield_sim import Glauber, Hopfield, Schedule, observables, patterns, simulate, statistics
from tests import exact

REPEATS = 4000
WITHIN = {0.68: 0.03, 0.95: 0.02}
"""How far the coverage of an interval may be from its level: what the project promises."""

TEMPERATURE = 1.0
FUNCTIONS = {
    "mean": lambda m, m2, m4: m,
    "susceptibility": lambda m, m2, m4: 10 * (m2 - m**2),
    "binder": lambda m, m2, m4: 1 - m4 / (3 * m2**2),
}
"""Of the moments of |m|, N = 10: a mean, a difference and a ratio."""


def sampled(xi, n_chains: int, n_samples: int, seed: int) -> tuple[np.ndarray, dict[int, float]]:
    """Overlaps (chain, sample) of stationary chains, and the exact <m^k> (k = 0 for <|m|>)."""
    model = Hopfield(xi)
    states = exact.states(model.n_neurons)
    law = exact.weights(model.energy(states.astype(float)), TEMPERATURE)
    start = states[np.random.default_rng(seed).choice(len(states), size=n_chains, p=law)]
    run = simulate(
        model,
        Glauber(TEMPERATURE),
        start,
        Schedule(0, n_samples),
        n_replicas=n_chains,
        seed=seed,
        observe=[observables.overlap],
    )
    m = states @ xi[0] / model.n_neurons
    moments = {k: float(law @ m**k) for k in (1, 2, 4)} | {0: float(law @ np.abs(m))}
    return run.overlap.values, moments


def coverage(estimate, error, truth: float, dof) -> dict[float, float]:
    """How often estimate +- t error holds the truth, for each level."""
    reach = {level: stats.t.ppf((1 + level) / 2, dof) for level in WITHIN}
    away = np.abs(estimate - truth)
    return {level: float((away < t * error).mean()) for level, t in reach.items()}


def good(found: dict[float, float]) -> bool:
    return all(abs(found[level] - level) < within for level, within in WITHIN.items())


@pytest.fixture(scope="module")
def chains():
    """4,000 x 16 chains of 16 samples of one network: series (repeat, replica, sample), moments."""
    x, moments = sampled(patterns.random(2, 10, seed=3), REPEATS * 16, 16, seed=1)
    dims = ("repeat", "replica", "sample")
    series = xr.DataArray(x.reshape(REPEATS, 16, 16), dims=dims, coords={"n_neurons": 10})
    return series, moments


@pytest.mark.parametrize("quantity", list(FUNCTIONS))
@pytest.mark.parametrize("n", [8, 16])
def test_intervals_of_functions_of_means_cover(chains, quantity, n):
    series, exactly = chains
    m = np.abs(series.isel(replica=slice(n)))
    moments = [(m**k).mean("sample") for k in (1, 2, 4)]
    function = FUNCTIONS[quantity]
    truth = function(exactly[0], exactly[2], exactly[4])

    left = statistics.jackknife(function, *moments, dim="replica")
    assert good(coverage(left.estimate, left.error, truth, n - 1))
    # what the test is there to catch: a 95 % half-width, or half of sigma, reported as sigma
    assert not good(coverage(left.estimate, 1.96 * left.error, truth, n - 1))
    assert not good(coverage(left.estimate, 0.5 * left.error, truth, n - 1))

    drawn = statistics.bootstrap(function, *moments, dim="replica", seed=5)
    held = ((drawn.lower < truth) & (truth < drawn.upper)).mean("repeat")
    assert good({level: float(held.sel(level=level)) for level in WITHIN})
    assert good(coverage(drawn.estimate, drawn.error, truth, n - 1))
    shifted = truth + 2 * float(left.error.mean())  # tight bars on a wrong mean
    held = ((drawn.lower < shifted) & (shifted < drawn.upper)).mean("repeat")
    assert not good({level: float(held.sel(level=level)) for level in WITHIN})

    # the mean of all estimates is the truth: no bias, to 4 standard errors of 4,000 repeats
    for estimate in (left.estimate, drawn.estimate):
        assert abs(estimate.mean() - truth) < 4 * estimate.std() / np.sqrt(REPEATS)


def test_the_named_functions_are_those_functions(chains):
    series, exactly = chains
    m = np.abs(series[:50])
    moments = [(m**k).mean("sample") for k in (1, 2, 4)]
    for name, found in {
        "susceptibility": statistics.susceptibility(m, dim="replica"),
        "binder": statistics.binder(m, dim="replica"),
    }.items():
        same = statistics.jackknife(FUNCTIONS[name], *moments, dim="replica")
        np.testing.assert_allclose(found.estimate, same.estimate, rtol=1e-9)
        np.testing.assert_allclose(found.error, same.error, rtol=1e-9)
    heat = statistics.specific_heat(m, 0.5, dim="replica")
    susceptibility = statistics.susceptibility(m, dim="replica")
    np.testing.assert_allclose(heat.estimate, 4 * susceptibility.estimate, rtol=1e-12)


def test_thermal_intervals_of_correlated_chains_cover():
    x, exactly = sampled(patterns.random(2, 10, seed=3), REPEATS * 4, 64, seed=2)
    series = xr.DataArray(
        np.abs(x).reshape(REPEATS, 4, 64), dims=("temperature", "replica", "sample")
    )
    found = statistics.thermal(series)
    dof = found.effective_samples - 1
    assert good(coverage(found["mean"], found.error, exactly[0], dof))
    # ignoring the autocorrelation
    naive = series.std(("replica", "sample")) / np.sqrt(4 * 64)
    assert not good(coverage(found["mean"], naive, exactly[0], 4 * 64 - 1))


# Disorder: 8 neurons, two patterns. Up to a change of signs and names of the neurons the patterns
# differ only in the number k of sites where they disagree, which is binomial: the average over the
# disorder is a sum of nine terms.


@pytest.fixture(scope="module")
def disordered():
    """4,000 x 12 networks with 2 chains of 8 samples; the exact averages over the disorder."""
    n_neurons, n = 8, 12
    k = np.random.default_rng(6).binomial(n_neurons, 0.5, REPEATS * n)
    x = np.empty((k.size, 2, 8))
    exactly = {}
    for value in range(n_neurons + 1):
        xi = np.ones((2, n_neurons), np.float32)
        xi[1, :value] = -1
        here = k == value
        found, moments = sampled(xi, 2 * here.sum(), 8, seed=100 + value)
        x[here] = found.reshape(-1, 2, 8)
        moments["chi"] = n_neurons * (moments[2] - moments[0] ** 2)
        for name, moment in moments.items():
            weight = stats.binom.pmf(value, n_neurons, 0.5)
            exactly[name] = exactly.get(name, 0) + weight * moment
    dims = ("repeat", "realisation", "replica", "sample")
    series = xr.DataArray(x.reshape(REPEATS, n, 2, 8), dims=dims, coords={"n_neurons": n_neurons})
    return np.abs(series), exactly


def test_intervals_over_realisations_cover(disordered):
    m, exactly = disordered
    dof = m.sizes["realisation"] - 1
    mean = statistics.disorder(m.mean(("replica", "sample")))
    assert good(coverage(mean["mean"], mean.error, exactly[0], dof))
    susceptibility = statistics.susceptibility(m)
    assert good(coverage(susceptibility.estimate, susceptibility.error, exactly["chi"], dof))
    binder = statistics.binder(m)
    truth = 1 - exactly[4] / (3 * exactly[2] ** 2)
    assert good(coverage(binder.estimate, binder.error, truth, dof))


def test_few_samples_do_not_bias_the_susceptibility(disordered):
    m, exactly = disordered
    value = statistics.susceptibility(m).per_realisation
    error = float(value.std()) / np.sqrt(value.size)
    assert abs(float(value.mean()) - exactly["chi"]) < 4 * error
    # the plain variance of 16 correlated samples is too small by far more than that
    plain = 8 * m.var(("replica", "sample"))
    assert exactly["chi"] - float(plain.mean()) > 20 * error
    # a single replica: corrected with the measured effective number, known to some 20 %
    alone = statistics.susceptibility(m[:100].isel(replica=[0])).per_realisation
    plain = 8 * m[:100].isel(replica=0).var("sample")
    lost = exactly["chi"] - float(plain.mean())
    assert abs(float(alone.mean()) - exactly["chi"]) < 0.5 * lost


def test_spin_glass_susceptibility_of_free_spins():
    # T = infinity: q of N free spins has <q^2> = 1/N, chi_SG = 1. 200 x 16 values of N q^2, whose
    # sd is sqrt(2): 4 standard errors. Neighbouring pairs of the ring share a chain but not q^2.
    rng = np.random.default_rng(8)
    spins = rng.choice([-1.0, 1.0], size=(200, 4, 16, 100))
    q = (spins * np.roll(spins, -1, axis=1)).mean(-1)
    series = xr.DataArray(q, dims=("realisation", "replica", "sample"), coords={"n_neurons": 100})
    found = statistics.spin_glass_susceptibility(series)
    assert abs(found.estimate - 1) < 4 * np.sqrt(2 / q.size)
    assert float(found.error) == pytest.approx(np.sqrt(2 / q.size), rel=0.25)  # of 200: 5 %
    one = statistics.spin_glass_susceptibility(series[0], dim="replica")
    assert one.n == 2  # pairs (0, 1) and (2, 3) only
    expected = 100 * (series[0, [0, 2]] ** 2).mean()
    assert float(one.estimate) == pytest.approx(float(expected), rel=1e-12)
