"""The mean-field (TAP) equations: exact averages, stationarity, replica theory, Monte Carlo."""

from itertools import product

import numpy as np
import pytest
import xarray as xr

from hopfield_sim import (
    Dense,
    Glauber,
    Hopfield,
    Schedule,
    examples,
    patterns,
    simulate,
    tap,
    theory,
)
from hopfield_sim.learning.examples import supervised
from hopfield_sim.models.coupled import Coupled

N = 7
XI = patterns.random(9, N, seed=1)
MODELS = {
    "pairs": Hopfield(XI),
    "pairs, strength": Hopfield(XI, strength=0.3),
    "pairs, diagonal": Hopfield(XI, "hebb"),
    "pairs, diluted": Hopfield(patterns.diluted(9, N, 0.4, seed=2)),
    **{f"distinct {P}": Dense(XI, P) for P in (2, 3, 4, 5, 6)},
    **{f"full {P}": Dense(XI, P, "full", strength=1.7) for P in (2, 3, 4, 5, 6)},
    **{f"sums {P}": Dense(np.rint(XI * 2 + XI[::-1]), P, strength=0.1) for P in (2, 3, 4, 5)},
}
STATES = np.array(list(product((-1, 1), repeat=N)))


def network(interaction, reduced_load, n_neurons, seed):
    """Random patterns at K = ahat N^(P-1) / (P-1)!."""
    factor = {2: 1, 3: 2, 4: 6}[interaction]
    K = round(reduced_load * n_neurons ** (interaction - 1) / factor)
    xi = patterns.random(K, n_neurons, seed=seed)
    return Hopfield(xi) if interaction == 2 else Dense(xi, interaction)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_without_reaction_it_is_the_exact_mean_over_independent_spins(model):
    """m_i = tanh(<h_i>/T), energy = <H>/N, all 2^7 states weighted by prod (1 + s_i m_i)/2."""
    start = np.linspace(-0.9, 0.8, N)
    found = tap.solved(model, 2.0, start, onsager=False, tolerance=1e-9, keep_magnetisations=True)
    assert found.converged
    m = found.magnetisations.values
    weight = np.prod((1 + STATES * m) / 2, axis=1)
    np.testing.assert_allclose(m, np.tanh(weight @ model.field(STATES) / 2.0), atol=1e-7)
    assert float(found.energy) == pytest.approx(weight @ model.energy(STATES) / N, abs=1e-12)
    entropy = -weight @ np.log(weight) / N
    f = float(found.energy) - 2.0 * entropy
    assert float(found.free_energy) == pytest.approx(f, abs=1e-12)
    assert float(found.q) == pytest.approx(np.mean(m**2), abs=1e-15)
    assert float(found.m) == pytest.approx(np.mean(m * model.patterns[0]), abs=1e-15)


@pytest.mark.parametrize(
    "model",
    [
        network(2, 0.1, 60, 1),
        Hopfield(patterns.diluted(10, 200, 0.1, seed=1), strength=1.4),
        network(3, 0.1, 40, 1),
        Dense(patterns.random(60, 40, seed=1), 3, "full"),
        network(4, 0.05, 24, 2),
        Dense(patterns.random(60, 24, seed=2), 4, "full"),
    ],
    ids=["pairs", "diluted", "distinct 3", "full 3", "distinct 4", "full 4"],
)
@pytest.mark.parametrize("onsager", [True, False])
def test_the_free_energy_is_stationary_and_its_derivative_is_the_energy(model, onsager):
    """df/dm_i = 0 by differences through the public function: one step from m + epsilon."""
    T, step = 0.3, 1e-5
    given = {"onsager": onsager, "keep_magnetisations": True}
    found = tap.solved(model, T, model.patterns[0], tolerance=1e-13, **given)
    assert found.converged and 0.5 < found.m < 1
    m = found.magnetisations.values
    away = np.linspace(0.3, 1, model.n_neurons) * (1 - m**2)  # keeps |m| < 1

    def free(x, T):
        """f of given magnetisations: a single look at them, no step."""
        return float(tap.solved(model, T, x, tolerance=np.inf, onsager=onsager).free_energy)

    slope = (free(m + step * away, T) - free(m - step * away, T)) / (2 * step)
    # A wrong reaction would make it of the size of what f gains from it, 0.002 at least
    assert abs(slope) < 1e-8
    beta, width = 1 / T, 1e-4
    u = (
        (beta + width) * free(m, 1 / (beta + width)) - (beta - width) * free(m, 1 / (beta - width))
    ) / (2 * width)
    assert float(found.energy) == pytest.approx(u, abs=1e-7)


def test_many_pairs_react_as_in_the_spin_glass_of_pairs():
    """The pairs of *full* P = 4 are Gaussian couplings: R = J^2 (1-q)/T, as K >> N."""
    model = Dense(patterns.random(3000, 30, seed=1), 4, "full")
    pairs = Dense(patterns.random(3000, 30, seed=1), 4)
    full, distinct = (
        tap._Network(one, tap._weights(one)).reaction(np.full((1, 30), 0.5), np.ones((1, 1)))
        for one in (model, pairs)
    )
    # S^4 = 24 e_4 + (12 N - 16) e_2 + ..., H = -S^4 / (4 N^3): a_2 = (3 N - 4)/N^3
    a = (3 * 30 - 4) / 30**3
    of_pairs = 0.75 * 3000 * a**2 * 29 / (1 - 30 * a * 0.75)
    assert (full - distinct).item() == pytest.approx(of_pairs, rel=1e-12)


@pytest.mark.parametrize(
    ("interaction", "reduced_load", "n_neurons", "T"),
    [(2, 0.05, 2000, (0.2, 0.3, 0.4)), (2, 0.1, 2000, (0.15, 0.25)), (3, 0.1, 400, (0.3, 0.4))],
)
def test_mean_over_networks_is_that_of_replica_theory(interaction, reduced_load, n_neurons, T):
    """m, q and f of 12 networks within 3.5 standard errors of RS: AGS at P = 2, with 1/(1 - C)."""
    found = []
    for realisation in range(12):
        model = network(interaction, reduced_load, n_neurons, (3, realisation))
        found.append(tap.solved(model, T, model.patterns[0]))
    found = xr.concat(found, "realisation")
    assert found.converged.all()
    if interaction == 2:
        exact = theory.hopfield.retrieval(reduced_load, list(T)).squeeze()
    else:
        alpha = reduced_load / 2
        exact = theory.dense.retrieval(interaction, alpha, list(T)).squeeze()
    for name in ("m", "q", "free_energy", "energy"):
        error = found[name].std("realisation", ddof=1) / 12**0.5
        # 11 degrees of freedom: 3.5 errors are 2.8 sigma; one number in 200, and they go together.
        # 1/N: finite networks are shifted by the order of 0.3/N in m, N = 400 by 0.0008
        off = np.abs(found[name].mean("realisation") - exact[name])
        assert (off < 3.5 * error + 0.4 / n_neurons).all(), name


def test_reference_of_three_bodies():
    """N = 400, ahat = 0.1: m = .9774(22) at T = 0.3 and .9435(36) at 0.4; .9799 without R at 0.3.

    The reference has some few networks; here 12 others, so that errors add: 3 sigma.
    """
    T = [0.3, 0.4]
    values = {True: [], False: []}
    for realisation in range(12):
        model = network(3, 0.1, 400, (4, realisation))
        for onsager, kept in values.items():
            kept.append(tap.solved(model, T, model.patterns[0], onsager).m.values)
    m, naive = (np.mean(values[key], axis=0) for key in (True, False))
    error = np.std(values[True], axis=0, ddof=1) / 12**0.5
    assert (np.abs(m - [0.9774, 0.9435]) < 3 * np.hypot(error, [0.0022, 0.0036])).all()
    gain = 0.9799 - 0.9774  # of the same networks there, as here: less scatter than m itself
    assert naive[0] - m[0] == pytest.approx(gain, abs=0.0008)


@pytest.mark.parametrize(
    ("interaction", "reduced_load", "n_neurons"), [(2, 0.05, 1000), (3, 0.06, 300)]
)
def test_it_agrees_with_monte_carlo_network_by_network(interaction, reduced_load, n_neurons):
    """Same networks, so no disorder is between them; without the reaction it fails."""
    T = 0.4
    off, naive_off, q_off, u_off = [], [], [], []
    for realisation in range(12):
        model = network(interaction, reduced_load, n_neurons, (5, realisation))
        xi = model.patterns[0]
        run = simulate(model, Glauber(T), xi, Schedule(50, 300), 8, seed=(6, realisation))
        assert run.overlap.min() > 0.5  # none left the pattern
        found, naive = (tap.solved(model, T, xi, onsager) for onsager in (True, False))
        off.append(float(found.m - run.overlap.mean()))
        naive_off.append(float(naive.m - run.overlap.mean()))
        q_off.append(float(found.q - run.replica_overlap.mean()))
        u_off.append(float(found.energy - run.energy.mean()))
    for values in (off, q_off, u_off):
        error = np.std(values, ddof=1) / 12**0.5
        # corrections are of order 1/N; 4 Student errors of 11 degrees: one in 500 by chance
        assert abs(np.mean(values)) < 4 * error + 0.3 / n_neurons
    error = np.std(naive_off, ddof=1) / 12**0.5
    assert np.mean(naive_off) > 4 * error + 0.3 / n_neurons


def test_full_normalisation_has_its_own_reaction():
    """P = 3 *full*, N = 400, alpha = 1/30, T = 0.3: RS of *full* .97781, as the reference."""
    m = []
    for realisation in range(12):
        xi = patterns.random(5333, 400, seed=(7, realisation))
        m.append(float(tap.solved(Dense(xi, 3, "full"), 0.3, xi[0]).m))
    error = np.std(m, ddof=1) / 12**0.5
    exact = float(theory.dense.retrieval(3, 5333 / 400**2, 0.3, "full").m)
    # as above; Monte Carlo of the reference: .9743(11), the same shift by the finite size
    assert abs(np.mean(m) - exact) < 3.5 * error + 0.4 / 400
    assert abs(np.mean(m) - 0.9743) < 3 * np.hypot(error, 0.0011)


def test_examples_with_a_teacher():
    """Supervised P = 3 at the load of `theory.examples`: patterns of unequal size."""
    quality, M, n = 0.8, 5, 300
    m = []
    for realisation in range(6):
        xi = patterns.random(2250, n, seed=(8, realisation))
        sums = examples.sums(xi, quality, M, seed=(8, realisation))
        model = supervised(sums, M, quality, 3)
        found = tap.solved(model, 0.2, xi[0], keep_magnetisations=True)
        assert found.converged
        m.append(float(found.magnetisations @ xr.DataArray(xi[0], dims="neuron")) / n)
    exact = theory.examples.retrieval(2250 / n**2, 0.2, quality, M, 3).m
    error = np.std(m, ddof=1) / 6**0.5
    # 5 degrees of freedom: 4.8 errors are 2.8 sigma
    assert abs(np.mean(m) - float(exact.squeeze())) < 4.8 * error + 0.4 / n


def test_temperatures_do_not_influence_each_other():
    model = network(3, 0.1, 60, 3)
    xi = model.patterns[0]
    both = tap.solved(model, [0.2, 0.4], xi, tolerance=1e-12, keep_magnetisations=True)
    for T in (0.2, 0.4):
        alone = tap.solved(model, T, xi, tolerance=1e-12, keep_magnetisations=True)
        assert int(alone.iterations) == int(both.iterations.sel(temperature=T))
        at = both.magnetisations.sel(temperature=T)
        np.testing.assert_allclose(at, alone.magnetisations, atol=1e-13)
    again = tap.solved(model, [0.2, 0.4], both.magnetisations.values, tolerance=1e-11)
    assert (again.iterations == 1).all()
    np.testing.assert_allclose(again.m, both.m, atol=1e-15)


def test_all_ways_of_stepping_end_in_the_same_state():
    model = network(3, 0.15, 200, 4)
    xi = model.patterns[0]
    fast, slow = (tap.solved(model, 0.3, xi, damping=d, tolerance=1e-11) for d in (0.0, 0.5))
    assert float(fast.m) == pytest.approx(float(slow.m), abs=1e-9)
    assert fast.iterations < 0.6 * slow.iterations
    assert fast.residual <= 1e-11


def test_single_precision_is_enough_for_its_tolerance():
    """The default against 1e-12, at a number of patterns whose sums are rounded most."""
    model = network(4, 0.1, 100, 4)
    xi = model.patterns[0]
    loose = tap.solved(model, 0.2, xi, keep_magnetisations=True)
    sharp = tap.solved(model, 0.2, xi, tolerance=1e-12, keep_magnetisations=True)
    assert loose.converged and sharp.converged and loose.iterations < sharp.iterations
    # an error of 1e-5 in a step that shrinks errors by a half at least
    assert np.abs(loose.magnetisations - sharp.magnetisations).max() < 2e-5
    assert abs(loose.m - sharp.m) < 1e-6 and abs(loose.free_energy - sharp.free_energy) < 1e-7


def test_it_says_where_there_is_no_solution():
    """Beyond the spinodal: the paramagnet (P = 3); a wandering, without end, (P = 2, T < 1)."""
    model = network(3, 0.1, 200, 5)
    lost = tap.solved(model, 0.8, model.patterns[0])
    assert abs(lost.m) < 0.1
    model = network(2, 0.2, 400, 5)
    lost = tap.solved(model, 0.4, model.patterns[0], max_iterations=200)
    assert not lost.converged and lost.iterations == 200 and lost.residual > 1e-8
    short = tap.solved(model, 0.05, model.patterns[0], max_iterations=1)
    assert not short.converged and short.iterations == 1 and short.residual > 1e-8


def test_labels():
    model = network(3, 0.1, 40, 3)
    found = tap.solved(model, [0.2, 0.3], model.patterns[0], keep_magnetisations=True)
    assert found.magnetisations.dims == ("temperature", "neuron")
    for name in found.variables:
        if name != "neuron":
            assert found[name].attrs["long_name"] and found[name].attrs["units"], name
    assert float(found.alpha) == model.alpha
    assert tap.solved(model, 0.2, model.patterns[0]).m.dims == ()
    assert found.attrs["title"] != tap.solved(model, 0.2, XI_40, onsager=False).attrs["title"]


XI_40 = patterns.random(1, 40, seed=3)[0]


@pytest.mark.parametrize(
    ("model", "change", "sentence"),
    [
        (Dense(XI, 3, "rectified"), {}, "normalisation"),
        (Dense(XI + XI[::-1], 3, "full"), {}, "full"),
        (Dense(XI, "exponential"), {}, "interaction"),
        (Coupled(np.zeros((N, N))), {}, "Hopfield"),
        (Hopfield(XI), {"temperature": 0.0}, "temperature"),
        (Hopfield(XI), {"temperature": [0.2, np.nan]}, "temperature"),
        (Hopfield(XI), {"temperature": []}, "temperature"),
        (Hopfield(XI), {"start": XI}, "shape"),
        (Hopfield(XI), {"start": 1.1 * XI[0]}, "-1 to 1"),
        (Hopfield(XI), {"start": np.nan * XI[0]}, "-1 to 1"),
        (Hopfield(XI), {"damping": 1.0}, "damping"),
        (Hopfield(XI), {"tolerance": 0.0}, "tolerance"),
        (Hopfield(XI), {"max_iterations": 0}, "max_iterations"),
    ],
)
def test_wrong_input_is_refused(model, change, sentence):
    with pytest.raises(ValueError, match=sentence):
        tap.solved(model, **({"temperature": 0.3, "start": XI[0]} | change))
