"""The law of the dynamics, against exact enumeration: stationary weights, transitions, T = 0.

Samples along one chain are correlated, so laws are compared over independent replicas only, all
started from one state. How many sweeps they need to forget it is not guessed: the exact law of the
states is computed sweep by sweep until what is left of the start is far below the sampling noise.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from hopfield_sim import (
    Coupled,
    Glauber,
    Hopfield,
    Metropolis,
    ZeroTemperature,
    little_energy,
    patterns,
    randomness,
    updated,
)
from hopfield_sim.dynamics import noise, stream, temperatures
from hopfield_sim.kernels import couplings, plain
from hopfield_sim.learning import hebb
from hopfield_sim.randomness import EXPONENTIAL, FIXED, LOGISTIC, Draws
from tests import exact

N = 8
SEED = 5
REPLICAS = 60_000

# About 180 chi-square tests are made here. All seeds are fixed, so a limit of 1e-6 is passed or
# failed once and for all; a true sampler had a chance of 2e-4 to fail one of them.
LEAST_P = 1e-6
# ... and what a negative control must stay below to count as a clear failure.
CLEARLY_WRONG_P = 1e-30


def moderate_temperature(model) -> float:
    """1.5 times the root-mean-square field: many states matter, none dominates."""
    return 1.5 * float(np.sqrt((model.field(exact.states(model.n_neurons)) ** 2).mean()))


def counts_after(model, rule, n_sweeps, state=-1, n_replicas=REPLICAS):
    """How many replicas are in each state, n_sweeps after they were in `state`: (state,).

    state: the number of the start; or an array of numbers, gone through again and again.
    """
    states = exact.states(model.n_neurons)
    start = states[np.resize(state, n_replicas)]
    spins = updated(model, rule, start, sweeps=n_sweeps, seed=SEED)
    return np.bincount(exact.state_numbers(spins), minlength=len(states))


def sweeps_until(close, model, rule, law):
    """The number of sweeps after which the exact law is `close` at last."""
    done, flip = 0, exact.flip_probabilities(model, rule)
    step = exact.parallel_matrix(flip) if rule.order == "parallel" else None
    while not close(law):
        assert done < 1000, "this network is too cold for this test"
        if step is not None:
            law = law @ step
        else:
            for site in exact.visits(model, rule, SEED, done):
                law = exact.visited(law, flip, site)
        done += 1
    return done


def enough_sweeps(model, rule, law):
    """Sweeps after which the start (all spins up) shifts chi-square by less than 0.1.

    Its standard deviation is above 20 (255 states or more).
    """
    return sweeps_until(
        lambda now: REPLICAS * ((now - law) ** 2 / law).sum() < 0.1,
        model,
        rule,
        exact.certain(len(law) - 1, model.n_neurons),
    )


# ---------------------------------------------------------------- every state against its weight


@pytest.mark.parametrize("rule", exact.THERMAL.values(), ids=exact.THERMAL)
@pytest.mark.parametrize("name", exact.NETWORKS)
def test_every_state_has_its_boltzmann_weight(name, rule):
    """256 or 512 states; against weights 10 % too hot the same comparison fails clearly."""
    n_neurons = 9 if "example" in name else N
    model = exact.NETWORKS[name](n_neurons, 1)
    temperature = moderate_temperature(model)
    energies = model.energy(exact.states(n_neurons))
    law = exact.weights(energies, temperature)
    n_sweeps = enough_sweeps(model, rule(temperature), law)
    counts = counts_after(model, rule(temperature), n_sweeps)
    assert exact.p_value(counts, law) > LEAST_P
    assert exact.p_value(counts, exact.weights(energies, 1.1 * temperature)) < CLEARLY_WRONG_P


@pytest.mark.parametrize("name", exact.PAIRWISE)
def test_every_state_has_its_weight_in_synchronous_dynamics(name):
    """exp(-H_T / T) with the Little energy; Boltzmann's weights fail, and 10 % too hot too."""
    model = exact.NETWORKS[name](N, 1)
    temperature = moderate_temperature(model)
    states = exact.states(N)
    law = exact.weights(little_energy(model, states, temperature), temperature)
    rule = Glauber(temperature, "parallel")
    # the law is stationary under the exact matrix (rounding of 256 terms only)
    matrix = exact.parallel_matrix(exact.flip_probabilities(model, rule))
    np.testing.assert_allclose(law @ matrix, law, rtol=0, atol=1e-14)
    counts = counts_after(model, rule, enough_sweeps(model, rule, law))
    assert exact.p_value(counts, law) > LEAST_P
    hotter = exact.weights(little_energy(model, states, 1.1 * temperature), 1.1 * temperature)
    assert exact.p_value(counts, hotter) < CLEARLY_WRONG_P
    boltzmann = exact.weights(model.energy(states), temperature)
    assert exact.p_value(counts, boltzmann) < CLEARLY_WRONG_P


@pytest.mark.parametrize("rule", exact.THERMAL.values(), ids=exact.THERMAL)
@pytest.mark.parametrize("make", [Hopfield.example, Coupled.example])
def test_a_peaked_law_is_met(make, rule):
    """Cold: ten states of 1024 carry most of the weight. A flat target would hide wrong rates.

    Total variation, against its own noise floor from the number of samples. The replicas start
    spread evenly over all states, and what is left of that is a tenth of the limit at most.
    """
    model = make(10, 2)
    temperature = 0.35 * moderate_temperature(model)
    energies = model.energy(exact.states(10))
    law = exact.weights(energies, temperature)
    assert np.sort(law)[-10:].sum() > 0.95
    n_replicas = 100 * len(law)
    limit = exact.variation_limit(law, n_replicas)
    n_sweeps = sweeps_until(
        lambda now: exact.total_variation(now, law) < 0.1 * limit,
        model,
        rule(temperature),
        np.full(len(law), 1 / len(law)),
    )
    counts = counts_after(model, rule(temperature), n_sweeps, np.arange(len(law)), n_replicas)
    assert exact.total_variation(counts / n_replicas, law) < limit
    hotter = exact.weights(energies, 1.1 * temperature)
    assert exact.total_variation(counts / n_replicas, hotter) > 2 * limit


# ----------------------------------------------------------- the transition matrix of one update
# T = 0 is left out: its chain does not visit every state, so no positive law is stationary.


@pytest.mark.parametrize("rule", exact.THERMAL.values(), ids=exact.THERMAL)
@pytest.mark.parametrize("name", exact.NETWORKS)
@pytest.mark.parametrize("n_neurons", [5, 6])
def test_one_update_is_in_detailed_balance(name, rule, n_neurons):
    """w(s) P(s -> s') = w(s') P(s' -> s) to 1e-12 for the exact matrix of each site's visit.

    The probabilities come from the noise that the rule hands to a kernel (kind, scale, whether the
    field keeps the self-coupling), in the integer units in which thresholds are drawn.
    """
    model = exact.NETWORKS[name](n_neurons, 1)
    rule = rule(0.7 * moderate_temperature(model))
    s = exact.states(n_neurons)
    handed = noise(rule, 1)
    h = model.field(s) + handed.keeps_self_coupling * model.self_couplings * s
    ratio = np.rint(s * h / model.unit) / (handed.scale[0] / model.unit)
    assert handed.kind in (LOGISTIC, EXPONENTIAL)
    p = 1 / (1 + np.exp(ratio)) if handed.kind == LOGISTIC else np.exp(-np.maximum(ratio, 0))
    np.testing.assert_allclose(p, exact.flip_probabilities(model, rule), rtol=1e-10)
    law = exact.weights(model.energy(s), rule.temperature)
    sweep = np.eye(len(law))
    for site in range(n_neurons):
        matrix = exact.site_matrix(p, site)
        flow = law[:, None] * matrix
        assert np.abs(flow - flow.T).max() < 1e-12
        sweep = sweep @ matrix
    # the fixed-order sweep is the product: no detailed balance any more, but stationary
    assert np.abs(law @ sweep - law).max() < 1e-12
    flow = law[:, None] * sweep
    assert np.abs(flow - flow.T).max() > 1e-6


@pytest.mark.parametrize("name", exact.PAIRWISE)
@pytest.mark.parametrize("n_neurons", [5, 6])
def test_synchronous_dynamics_is_in_detailed_balance_with_its_own_law(name, n_neurons):
    model = exact.NETWORKS[name](n_neurons, 1)
    temperature = 0.7 * moderate_temperature(model)
    s = exact.states(n_neurons)
    matrix = exact.parallel_matrix(
        exact.flip_probabilities(model, Glauber(temperature, "parallel"))
    )
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-12)
    law = exact.weights(little_energy(model, s, temperature), temperature)
    flow = law[:, None] * matrix
    assert np.abs(flow - flow.T).max() < 1e-12
    # Boltzmann's law is another one
    boltzmann = exact.weights(model.energy(s), temperature)
    assert np.abs(boltzmann @ matrix - boltzmann).max() > 1e-3


def integer_network():
    """Six neurons with small integer couplings and (for `Coupled`) fields, unit 1/6."""
    xi = exact.multi_valued(6, 3, 2, 4)
    j = (xi.T @ xi).astype(np.int64)
    squares = np.diag(j).copy()
    np.fill_diagonal(j, 0)
    return xi, j, squares


# Fields of the size of this block every flip: thresholds stay far below it at the scales used.
BLOCKED = 2**29


@pytest.mark.parametrize("kind", [LOGISTIC, EXPONENTIAL], ids=["logistic", "exponential"])
@pytest.mark.parametrize("memory", ["patterns", "couplings"])
@pytest.mark.parametrize("site", range(6))
def test_one_visit_of_a_kernel_follows_the_matrix(memory, kind, site):
    """From each of the 64 states, 3000 lanes visit one site (all others are held): counted flips.

    Exact binomial tails; 64 states, 24 such tests, so 1e-8 each leaves a true kernel a chance of
    2e-5 to fail.
    """
    xi, j, squares = integer_network()
    lanes_each, temperature, scale = 3000, 1.0, np.float32(9.0)
    s = exact.states(6)
    spins = np.repeat(s, lanes_each, axis=0)
    lanes = randomness.lane_words(temperature, len(spins))
    flips = np.zeros(len(spins), np.int64)
    held = np.full(6, -BLOCKED, np.int32)
    limit = randomness.limit(np.int32)
    draws = Draws(randomness.key(17), lanes, kind, np.full(len(spins), scale), limit, FIXED)
    shared = (draws, 0, 1, flips)
    if memory == "patterns":
        field, held[site] = s @ j, squares[site]
        overlaps = (spins @ xi.T).astype(np.int16)
        matrix = np.ascontiguousarray(xi.T, dtype=np.int16)
        plain.sweep_patterns(matrix, held, spins, overlaps, *shared)
        np.testing.assert_array_equal(overlaps, spins @ xi.T)
    else:
        b = np.array([3, -2, 0, 5, 1, -4])
        field, held[site] = s @ j + b, 0
        fields = (spins @ j + b).astype(np.int32)
        couplings.sweep_couplings(j.astype(np.int16), held, spins, fields, *shared)
        np.testing.assert_array_equal(fields, spins @ j + b)
    cost = (s * field)[:, site] / float(scale)
    p = 1 / (1 + np.exp(cost)) if kind == LOGISTIC else np.exp(-np.maximum(cost, 0))
    found = flips.reshape(64, lanes_each).sum(axis=1)
    turned = (spins.reshape(64, lanes_each, 6) != s[:, None, :]).sum(axis=1)
    np.testing.assert_array_equal(turned[:, site], found)
    np.testing.assert_array_equal(np.delete(turned, site, axis=1), 0)
    law = stats.binom(lanes_each, p)
    tail = np.minimum(law.cdf(found), law.sf(found - 1))
    assert tail.min() > 1e-8 / 2
    assert 0 < found.min() < found.max()


@pytest.mark.parametrize(
    "rule",
    [lambda t: Glauber(t), lambda t: Glauber(t, "random"), lambda t: Glauber(t, "parallel")]
    + [lambda t: Metropolis(t)],
    ids=["Glauber fixed", "Glauber random", "Glauber parallel", "Metropolis random"],
)
@pytest.mark.parametrize("name", [*exact.NETWORKS, *exact.ASYMMETRIC])
def test_short_runs_follow_the_exact_chain(name, rule):
    """The law one and two sweeps after a given state: the dynamics itself, far from equilibrium.

    Holds for asymmetric couplings too, which have no stationary law to compare with.
    """
    model = {**exact.NETWORKS, **exact.ASYMMETRIC}[name](6, 2)
    rule = rule(moderate_temperature(model))
    for state, n_sweeps in ((0, 1), (21, 1), (38, 2)):
        law = exact.evolved(exact.certain(state, 6), model, rule, SEED, n_sweeps)
        counts = counts_after(model, rule, n_sweeps, state, n_replicas=20_000)
        possible = law > 1e-15  # a site that random order left out cannot have turned
        assert counts[~possible].sum() == 0
        assert exact.p_value(counts[possible], law[possible] / law.sum()) > LEAST_P


def test_several_spins_on_the_same_field_would_be_noticed():
    """Negative control: one sequential sweep does not follow the law of a synchronous step."""
    model = Hopfield.example(6, 2)
    rule = Glauber(moderate_temperature(model))
    counts = counts_after(model, rule, 1, 0, n_replicas=20_000)
    flip = exact.flip_probabilities(model, Glauber(rule.temperature, "parallel"))
    assert exact.p_value(counts, exact.parallel_matrix(flip)[0]) < CLEARLY_WRONG_P


# ---------------------------------------------------------------------------- zero temperature


def by_hand(model, spins, order, n_sweeps, seed):
    """Zero temperature straight from its definition: a spin turns when s_i h_i < 0."""
    s = spins.astype(float).copy()
    for sweep in range(n_sweeps):
        if order == "parallel":
            s = np.where(s * (model.field(s) + model.self_couplings * s) < 0, -s, s)
            continue
        for i in exact.visits(model, ZeroTemperature(order), seed, sweep):
            if s[i] * (model.field(s)[i] + model.self_couplings[i] * s[i]) < 0:
                s[i] = -s[i]
    return s


@pytest.mark.parametrize("order", ["fixed", "random", "parallel"])
@pytest.mark.parametrize("name", [*exact.NETWORKS, *exact.ASYMMETRIC])
def test_zero_temperature_follows_its_definition(name, order):
    model = {**exact.NETWORKS, **exact.ASYMMETRIC}[name](11, 3)
    for start in patterns.random(5, 11, 6):
        for n_sweeps in (1, 3):
            found = updated(model, ZeroTemperature(order), start, sweeps=n_sweeps, seed=SEED)
            np.testing.assert_array_equal(found, by_hand(model, start, order, n_sweeps, SEED))


@pytest.mark.parametrize("order", ["fixed", "random"])
@pytest.mark.parametrize("name", exact.NETWORKS)
def test_zero_temperature_never_climbs_and_comes_to_rest(name, order):
    model = exact.NETWORKS[name](40, 3)
    assert np.all(model.self_couplings >= 0)  # what the promise asks for
    s = patterns.random(50, 40, 6)
    before = model.energy(s)
    first = before
    for sweep in range(60):
        s = updated(model, ZeroTemperature(order), s, seed=SEED, first_sweep=sweep)
        after = model.energy(s)
        assert np.all(after <= before)
        before = after
    assert np.all(before < first)
    # at rest: no spin is against its field
    assert np.all(s * (model.field(s) + model.self_couplings * s) >= 0)


@pytest.mark.parametrize("name", exact.PAIRWISE)
def test_synchronous_zero_temperature_ends_in_a_cycle_of_length_two_at_most(name):
    model = exact.NETWORKS[name](40, 3)
    rule = ZeroTemperature("parallel")
    s = updated(model, rule, patterns.random(50, 40, 6), sweeps=200)
    np.testing.assert_array_equal(updated(model, rule, s, sweeps=2), s)


# Four orthogonal patterns on four neurons: J_ij = 0 for all i != j.
TIED = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]])


@pytest.mark.parametrize(
    "rule",
    [ZeroTemperature(order) for order in ("fixed", "random", "parallel")]
    + [Glauber(0.0), Glauber(0.0, "random"), Glauber(0.0, "parallel"), Metropolis(0.0)],
)
@pytest.mark.parametrize("make", [Hopfield, hebb.coupled])
def test_a_neuron_without_field_keeps_its_spin_at_zero_temperature(make, rule):
    model = make(TIED)
    states = exact.states(4)
    assert not model.field(states).any()
    np.testing.assert_array_equal(updated(model, rule, states, sweeps=5), states)


@pytest.mark.parametrize("order", ["fixed", "random", "parallel"])
@pytest.mark.parametrize("name", ["Hopfield.example", "Coupled.example", "projection"])
def test_glauber_at_zero_is_zero_temperature(name, order):
    """Where J_ii = 0, so that both look at the same field."""
    model, s = exact.NETWORKS[name](21, 3), patterns.random(20, 21, 6)
    one = updated(model, Glauber(0.0, order), s, sweeps=7, seed=SEED)
    np.testing.assert_array_equal(one, updated(model, ZeroTemperature(order), s, 7, SEED))


def test_self_coupling_acts_at_zero_temperature_and_in_steps_only():
    """J_ii > 0 holds a weakly driven spin at T = 0, and drops out of asynchronous thermal moves."""
    zero = Hopfield.example(21, 3)
    kept = Hopfield(zero.patterns, "hebb")
    s = patterns.random(200, 21, 6)
    for rule in (Glauber(0.5), Glauber(0.5, "random"), Metropolis(0.5)):
        np.testing.assert_array_equal(updated(zero, rule, s, 3), updated(kept, rule, s, 3))
    for rule in (ZeroTemperature(), ZeroTemperature("random"), Glauber(0.5, "parallel")):
        assert not np.array_equal(updated(zero, rule, s, 3), updated(kept, rule, s, 3))


# -------------------------------------------------------------------------------------- updated


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize("make", [Hopfield.example, Coupled.example])
def test_a_continued_run_is_the_uninterrupted_one(make, rule):
    model, s = make(13, 1), patterns.random(4, 13, 2)
    whole = updated(model, rule, s, sweeps=12, seed=(3, 4))
    for k in (0, 1, 5, 12):
        first = updated(model, rule, s, sweeps=k, seed=(3, 4))
        rest = updated(model, rule, first, sweeps=12 - k, seed=(3, 4), first_sweep=k)
        np.testing.assert_array_equal(rest, whole)


def test_updated_leaves_its_input_alone_and_keeps_the_shape():
    model, s = Hopfield.example(13, 1), patterns.random(4, 13, 2)
    before = s.copy()
    after = updated(model, Glauber(1.0), s, seed=1)
    np.testing.assert_array_equal(s, before)
    assert after.shape == (4, 13)
    assert after.dtype == np.float32
    np.testing.assert_array_equal(updated(model, Glauber(1.0), s[0], seed=1), after[0])
    np.testing.assert_array_equal(updated(model, Glauber(1.0), s.astype(int), seed=1), after)
    assert not np.array_equal(updated(model, Glauber(1.0), s, seed=2), after)


MODEL = Hopfield.example(8, 1)
UP = np.ones(8)
ONE_WAY = Coupled(np.array([[0, 1.0], [0, 0]]), symmetric=False)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: updated(MODEL, Glauber([1.0, 2.0]), UP), "one temperature.*simulate"),
        (lambda: updated(MODEL, Glauber(1.0), np.ones(9)), "8 neurons"),
        (lambda: updated(MODEL, Glauber(1.0), np.zeros(8)), "\\+1 or -1"),
        (lambda: updated(MODEL, Glauber(1.0), np.ones((2, 2, 8))), "\\(replica, neuron\\)"),
        (lambda: updated(MODEL, Glauber(1.0), UP, sweeps=-1), "sweeps=-1.*integer >= 0"),
        (lambda: updated(MODEL, Glauber(1.0), UP, sweeps=1.5), "sweeps=1.5.*integer >= 0"),
        (lambda: updated(MODEL, Glauber(1.0), UP, first_sweep=-2), "first_sweep=-2"),
        (lambda: updated(MODEL, Glauber(1.0), UP, seed=-1), "seed -1"),
        (lambda: updated(MODEL, Glauber(1.0), UP, seed=0.5), "seed 0.5"),
        (lambda: updated(MODEL, Glauber(1.0), UP, device="cuda"), "device='cuda' is unknown"),
        (lambda: little_energy(MODEL, UP, 0.0), "finite T > 0"),
        (lambda: little_energy(MODEL, UP, -1.0), "finite T > 0"),
        (lambda: little_energy(MODEL, UP, np.inf), "finite T > 0"),
        (lambda: little_energy(MODEL, UP, np.nan), "finite T > 0"),
        (lambda: little_energy(ONE_WAY, np.ones(2), 1.0), "asymmetric couplings have no energy"),
        (lambda: Metropolis(1.0, "parallel"), "synchronous Metropolis.*Little"),
        (lambda: Metropolis(1.0, "fixed"), "periodic; use order='random', or Glauber"),
        (lambda: Metropolis(1.0, "permuted"), "order must be 'random'"),
        (lambda: Glauber(1.0, "permuted"), "'fixed' or 'random' or 'parallel'"),
        (lambda: ZeroTemperature("both"), "'fixed' or 'random' or 'parallel'"),
    ],
)
def test_dynamics_refuses_with_the_cure(call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call()


@pytest.mark.parametrize("rule", [Glauber, Metropolis])
@pytest.mark.parametrize(
    "temperature", [-0.1, np.nan, np.inf, [0.5, -1], [0.5, np.nan], [], [[0.5]], None]
)
def test_impossible_temperatures_are_refused(rule, temperature):
    with pytest.raises(ValueError, match="temperature=.*finite number >= 0"):
        rule(temperature)


def test_a_gpu_that_is_not_there_is_refused_before_any_work():
    with pytest.raises(RuntimeError, match="no GPU kernels"):
        updated(MODEL, Glauber(1.0), UP, device="gpu")


# ------------------------------------------------------------------------------- rules as noise


@pytest.mark.parametrize("rule", [Glauber, Metropolis])
def test_a_rule_is_a_noise_of_scale_half_the_temperature(rule):
    handed = noise(rule([0.5, 2.0]), 3)
    assert handed.scale.tolist() == [0.25] * 3 + [1.0] * 3
    assert handed.kind == {Glauber: LOGISTIC, Metropolis: EXPONENTIAL}[rule]
    assert temperatures(rule(0.5)).tolist() == [0.5]


def test_self_coupling_belongs_to_zero_temperature_and_parallel_order():
    kept = {
        (type(rule).__name__, rule.order)
        for rule in exact.RULES.values()
        if noise(rule, 1).keeps_self_coupling
    }
    zero = {("ZeroTemperature", order) for order in ("fixed", "random", "parallel")}
    assert kept == zero | {("Glauber", "parallel")}


def test_the_site_order_is_shared_by_lanes_and_its_draws_are_not():
    """Random order is a function of (seed, stream, sweep); the thresholds are the lane's own."""
    model = Hopfield(TIED)  # no fields: Metropolis turns every spin that it visits
    after = updated(model, Metropolis(1.0), np.ones((50, 4)), seed=9)
    assert np.all(after == after[0])
    visits = np.bincount(exact.visits(model, Metropolis(1.0), 9, 0), minlength=4)
    np.testing.assert_array_equal(after[0], (-1.0) ** visits)
    coins = updated(model, Glauber(1.0), np.ones((50, 4)), seed=9)
    assert len(np.unique(coins, axis=0)) > 10


def test_rules_and_streams_are_pure_values():
    assert Glauber(0.5) == Glauber(0.5, "fixed") != Glauber(0.5, "random")
    assert Glauber([1, 2]).temperature == (1.0, 2.0)
    draws = stream(MODEL, Glauber(0.5), 3, seed=(1, 2))
    np.testing.assert_array_equal(draws.key, randomness.key(1, 2, 8, 3))
    np.testing.assert_array_equal(draws.lanes, randomness.lane_words(0.5, 3))


@pytest.mark.parametrize("order", ["fixed", "parallel"])
@pytest.mark.parametrize("n_cues", [1, 40])
@pytest.mark.parametrize("make", [Hopfield, hebb.coupled])
def test_zero_temperature_ends_at_a_fixed_point(make, n_cues, order):
    """10^9 sweeps of 200 neurons would take hours; a fixed point is reached after a few."""
    xi = patterns.random(8, 200, seed=3)
    cues = patterns.corrupt(np.repeat(xi[:1], n_cues, axis=0), seed=4, flip_fraction=0.1)
    model = make(xi)
    found = updated(model, ZeroTemperature(order), cues, sweeps=10**9)
    np.testing.assert_array_equal(found, updated(model, ZeroTemperature(order), cues, sweeps=50))
    assert np.all(found * model.field(found) >= 0)
