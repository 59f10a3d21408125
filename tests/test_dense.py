"""Dense networks: energies by hand, forms against the reference and each other, laws, refusals."""

from __future__ import annotations

import hashlib
import itertools
from math import comb, factorial

import numpy as np
import pytest

from hopfield_sim import (
    Dense,
    Glauber,
    Hopfield,
    Metropolis,
    ZeroTemperature,
    little_energy,
    patterns,
    randomness,
    updated,
)
from hopfield_sim.dynamics import noise, stream
from hopfield_sim.kernels import advance, dense, dense_bits, reference
from hopfield_sim.randomness import (
    EXPONENTIAL,
    FIXED,
    LOGISTIC,
    NONE,
    PARALLEL,
    RANDOM,
    Noise,
    Stream,
)
from tests import exact
from tests.test_dynamics import moderate_temperature
from tests.test_kernels import assert_same, run

TEMPERATURES = (0.0, 0.05, 0.5, 1.2)


def binary(n_patterns, n_neurons):
    return patterns.random(n_patterns, n_neurons, 1)


def sums(n_patterns, n_neurons):
    """Sums over three examples: integers -3 ... 3."""
    return exact.multi_valued(n_neurons, n_patterns, 3, 2)


def diluted(n_patterns, n_neurons):
    return patterns.diluted(n_patterns, n_neurons, 0.4, 3)


def real(overlaps):
    """A function without symmetry whose values are no integers."""
    return np.cosh(overlaps / 4) + 0.3 * np.sin(overlaps)


def table_of(function, xi):
    """F at every overlap that patterns xi can have."""
    largest = int(np.abs(xi).sum(axis=1).max())
    return function(np.arange(-largest, largest + 1.0))


# One of every kind of energy: (patterns, n_patterns, n_neurons) -> model.
ENERGIES = {
    "2 distinct": lambda xi: Dense(xi, 2),
    "3 distinct": lambda xi: Dense(xi, 3),
    "4 distinct": lambda xi: Dense(xi, 4, strength=2.5),
    "5 distinct": lambda xi: Dense(xi, 5),
    "6 distinct": lambda xi: Dense(xi, 6),
    "3 full": lambda xi: Dense(xi, 3, "full"),
    "4 full": lambda xi: Dense(xi, 4, "full"),
    "3 rectified": lambda xi: Dense(xi, 3, "rectified"),
    "5 rectified": lambda xi: Dense(xi, 5, "rectified"),
    "callable": lambda xi: Dense(xi, real),
    "table": lambda xi: Dense(xi, table_of(real, xi)),
    "exponential": lambda xi: Dense(xi, "exponential", sharpness=0.3),
    "log-sum-exp": lambda xi: Dense(xi, "log-sum-exp", sharpness=0.5),
}
PATTERNS = {"binary": binary, "sums": sums, "diluted": diluted}


def some_states(n_neurons, n_states=12):
    return np.vstack([patterns.random(n_states - 1, n_neurons, 99), np.ones(n_neurons)])


# -------------------------------------------------------------------- energies against the formula


def products(xi, s, order):
    """sum over patterns and P-tuples of different sites of the product of all xi_i s_i, by hand."""
    y = (xi * s).astype(float)
    tuples = itertools.combinations(range(y.shape[1]), order)
    return sum(np.prod(y[:, list(chosen)], axis=1) for chosen in tuples).sum()


@pytest.mark.parametrize("values", PATTERNS)
@pytest.mark.parametrize("order", [2, 3, 4, 5, 6, 7])
def test_distinct_energy_is_the_sum_over_tuples(order, values):
    """Integers up to the factor (P-1)!/N^(P-1): only the last rounding differs."""
    n = 9
    xi = PATTERNS[values](4, n)
    model = Dense(xi, order)
    for s in some_states(n, 5):
        by_hand = -factorial(order - 1) / n ** (order - 1) * products(xi, s, order)
        assert model.energy(s) == pytest.approx(by_hand, rel=1e-13, abs=1e-13)


@pytest.mark.parametrize("values", PATTERNS)
@pytest.mark.parametrize("n_neurons", [8, 11])
def test_other_energies_are_their_formulas(values, n_neurons):
    n = n_neurons
    xi, s = PATTERNS[values](5, n), some_states(n)
    overlaps = (s @ xi.T).astype(float)
    largest = np.abs(xi).sum(axis=1).max()
    for order in (2, 3, 4, 5, 7, 30):  # at 30 the table is rounded: half a step for each pattern
        full, rectified = Dense(xi, order, "full"), Dense(xi, order, "rectified", 2.0)
        for model, base in ((full, overlaps / n), (rectified, np.maximum(overlaps, 0) / n)):
            by_hand = -model.strength * n / order * (base**order).sum(-1)
            grid = len(xi) * model.unit if order == 30 else 0
            np.testing.assert_allclose(model.energy(s), by_hand, rtol=1e-12, atol=grid + 1e-15)
    # the grid of a real F: at most half a step (= unit) for each pattern
    for grid in (None, 1e-3):
        model = Dense(xi, real, grid=grid)
        error = np.abs(model.energy(s) + real(overlaps).sum(-1)).max()
        assert error <= len(xi) * model.unit
    assert model.unit == 5e-4
    # weights of 40 bits, a logarithm of 29
    lam = 0.37
    for strength in (1.0, 3.0):
        model = Dense(xi, "log-sum-exp", sharpness=lam, strength=strength)
        by_hand = -strength / lam * np.log(np.exp(lam * overlaps).sum(-1))
        np.testing.assert_allclose(model.energy(s), by_hand, rtol=0, atol=strength / lam * 2e-8)
        model = Dense(xi, "exponential", sharpness=lam, strength=strength)
        by_hand = -strength * np.exp(lam * (overlaps - largest)).sum(-1)
        np.testing.assert_allclose(model.energy(s), by_hand, rtol=2e-8)


@pytest.mark.parametrize("values", PATTERNS)
@pytest.mark.parametrize("name", ENERGIES)
def test_a_flip_costs_twice_the_field_exactly(name, values):
    """E(flip i) - E = 2 s_i h_i in integers; the float64 energies differ by their rounding."""
    for n in (1, 2, 5, 12, 33):
        model = ENERGIES[name](PATTERNS[values](6, n))
        s = some_states(n)
        flipped = s[:, None, :] * (1 - 2 * np.eye(n))
        difference = model.energy(flipped) - model.energy(s)[:, None]
        rounding = 4e-16 * np.abs(model.energy(s)).max() + 1e-300
        np.testing.assert_allclose(difference, 2 * s * model.field(s), rtol=0, atol=4 * rounding)
        fields = model.field(s) / model.unit
        assert np.abs(fields - np.rint(fields)).max() <= 1e-15 * np.abs(fields).max()
        np.testing.assert_array_equal(model.energy(s, model.memory(s)), model.energy(s))


def test_two_body_distinct_is_hopfield():
    """Energy, field and trajectory; "full" has N P / 2 N more energy and the same fields."""
    for xi in (binary(5, 21), sums(3, 21)):
        hopfield, distinct = Hopfield(xi), Dense(xi, 2)
        s = some_states(21, 30)
        np.testing.assert_allclose(distinct.energy(s), hopfield.energy(s), rtol=1e-13, atol=1e-13)
        full = Dense(xi, 2, "full")
        shift = (xi.astype(float) ** 2).sum() / 2 / 21
        np.testing.assert_allclose(full.energy(s), hopfield.energy(s) - shift, rtol=1e-13)
        for rule in (Glauber(0.5), Metropolis(0.7), ZeroTemperature(), Glauber(0.3, "parallel")):
            one = updated(hopfield, rule, s, sweeps=9, seed=3)
            for model in (distinct, full):
                np.testing.assert_allclose(model.field(s), hopfield.field(s), atol=1e-13)
                np.testing.assert_array_equal(updated(model, rule, s, sweeps=9, seed=3), one)


@pytest.mark.parametrize("values", PATTERNS)
def test_a_table_is_the_function_at_the_overlaps(values):
    """The same integers, hence the same trajectory; the array given may change afterwards."""
    xi, s = PATTERNS[values](5, 13), some_states(13)
    for function in (real, lambda overlaps: overlaps**3, lambda overlaps: np.exp(overlaps / 9)):
        given = table_of(function, xi)
        table, function = Dense(xi, given), Dense(xi, function)
        given[:] = 0
        np.testing.assert_array_equal(table.energy(s), function.energy(s))
        for rule in (Glauber(5.0), ZeroTemperature("parallel")):
            np.testing.assert_array_equal(updated(table, rule, s, 5), updated(function, rule, s, 5))
    with pytest.raises(ValueError, match="read-only"):
        table.interaction[0] = 1.0


def test_a_table_of_signs_is_asked_at_every_second_overlap():
    """N = 13: overlaps are odd; lists do as well."""
    xi, s = binary(5, 13), some_states(13)
    given = table_of(real, xi)
    given[1::2] = np.nan
    np.testing.assert_array_equal(Dense(xi, list(given)).energy(s), Dense(xi, real).energy(s))
    assert np.isnan(Dense(xi, given).reduced_load)


def test_class_averages_are_sums_with_a_strength():
    """M examples: H of the averages is M^-P times that of the sums (here a power of two)."""
    xi = sums(3, 10)
    s = some_states(10)
    for normalisation in ("distinct", "full"):
        whole = Dense(xi, 4, normalisation).energy(s)
        np.testing.assert_array_equal(
            Dense(xi, 4, normalisation, strength=4.0**-4).energy(s), whole * 4.0**-4
        )


def test_a_site_has_no_field_on_itself():
    """P = 4, N = 100, K = 6667 of random states: half of the spins are along their field.

    The naive field sum_mu xi_i m_mu^3, site i included, holds all of them (alpha_self = 2). Spins
    are 300 nearly independent signs in three states: five standard deviations are 0.14.
    """
    xi = binary(6667, 100)
    s = patterns.random(3, 100, 5)
    for normalisation in ("full", "distinct"):
        aligned = s * Dense(xi, 4, normalisation).field(s) > 0
        assert abs(aligned.mean() - 0.5) < 0.14
    naive = s * ((s @ xi.T / 100) ** 3 @ xi)
    assert np.all(naive > 0)


# ------------------------------------------------------------------- forms against the reference


def network_of(model, form):
    if form is dense.sweep_dense:
        return model._network
    return dense_bits.packed(model.patterns.T, model._energy[1])


def final(form, network, model, kind, order, n_lanes=4, sweeps=3, first_sweep=3, scale=1.0):
    """Spins, memory and flips after some sweeps from random spins; temperatures mixed."""
    n_neurons = model.n_neurons
    spins = patterns.random(n_lanes, n_neurons, seed=8).astype(np.int8)
    memory = model.memory(spins)
    handed = Noise(kind, scale * np.resize(np.array(TEMPERATURES) / 2, n_lanes), order)
    draws = Stream(randomness.key(5), randomness.lane_words(0.3, n_lanes))
    diagonal = np.zeros(n_neurons, np.int64)
    flips = advance(
        form, network, diagonal, spins, memory, handed, draws, model.unit, first_sweep, sweeps
    )
    np.testing.assert_array_equal(memory, model.memory(spins))
    return spins, memory, flips


# kinds and orders that a rule can have
NOISES = [
    (NONE, FIXED),
    (NONE, RANDOM),
    (NONE, PARALLEL),
    (LOGISTIC, FIXED),
    (LOGISTIC, RANDOM),
    (LOGISTIC, PARALLEL),
    (EXPONENTIAL, RANDOM),
]


@pytest.mark.parametrize("values", PATTERNS)
@pytest.mark.parametrize("name", ENERGIES)
def test_every_form_is_the_reference(name, values):
    """Bit for bit, T in {0, 0.05, 0.5, 1.2} times the typical field."""
    for n_neurons, n_patterns in ((1, 2), (2, 3), (13, 5), (22, 9)):
        model = ENERGIES[name](PATTERNS[values](n_patterns, n_neurons))
        s = some_states(n_neurons)
        scale = float(np.abs(model.field(s)).mean()) + 1e-30
        forms = [dense.sweep_dense]
        if values == "binary" and model._network.kind == dense.TABLE:
            forms.append(dense_bits.sweep_dense)
        for kind, order in NOISES:
            judged = final(reference.sweep_dense, model._network, model, kind, order, scale=scale)
            for form in forms:
                network = network_of(model, form)
                assert_same(final(form, network, model, kind, order, scale=scale), judged)
            assert kind == NONE or n_neurons < 13 or judged[2].sum() > 10


SIZES = [
    *((n, k, planes) for n, k in ((37, 700), (20, 20_011), (301, 200)) for planes in range(2, 8)),
    (20, 280_000, 2),  # planes that leave the cache: 16 sites ahead
]


@pytest.mark.parametrize(("n_neurons", "n_patterns", "n_planes"), SIZES)
def test_bits_are_the_general_form(n_neurons, n_patterns, n_planes):
    """Every number of planes, chunks of patterns, tables of bytes and longer ones; T up to hot."""
    rng = np.random.default_rng(2)  # in bulk: our own patterns come one by one
    xi = 2 * rng.integers(0, 2, (n_patterns, n_neurons)) - 1
    overlaps = np.arange(-n_neurons, n_neurons + 1, 2)
    d = real(overlaps)
    steps = 256.0**n_planes * 0.9 if n_planes < 7 else 2.0**44
    model = Dense(xi, real, grid=np.ptp(d[2:] - d[:-2]) / steps)
    bits = network_of(model, dense_bits.sweep_dense)
    assert bits.n_planes == min(n_planes, 6)
    assert_same_forms(model)


@pytest.mark.parametrize("n_neurons", [5, 12])
def test_large_common_divisors_wrap_around_without_harm(n_neurons):
    """F of a few values, 2^50 grid steps apart."""
    xi = patterns.random(130, n_neurons, 1)
    model = Dense(xi, lambda S: (S > 0) + 2.0 * (S < -3), grid=2.0**-50)
    assert model._bits.step >= 2**50
    assert_same_forms(model)


def assert_same_forms(model):
    bits = network_of(model, dense_bits.sweep_dense)
    scale = typical_field(model)
    for kind, order in ((NONE, FIXED), (LOGISTIC, FIXED), (EXPONENTIAL, RANDOM)):
        one = final(dense.sweep_dense, model._network, model, kind, order, scale=scale)
        two = final(dense_bits.sweep_dense, bits, model, kind, order, scale=scale)
        assert_same(one, two)


def typical_field(model) -> float:
    """Mean |h_0| over some states, from energies alone: no kernel is compiled for it."""
    s = some_states(model.n_neurons)
    turned = s.copy()
    turned[:, 0] *= -1
    return float(np.abs(model.energy(turned) - model.energy(s)).mean() / 2)


def digest(form, model, kind=LOGISTIC, order=FIXED):
    """SHA-256 of spins, overlaps and flips of four lanes after 100 sweeps."""
    scale = typical_field(model)
    found = final(form, network_of(model, form), model, kind, order, sweeps=100, scale=scale)
    out = hashlib.sha256()
    for array in found:
        out.update(np.ascontiguousarray(array).tobytes())
    return out.hexdigest()


@pytest.mark.parametrize(("kind", "order"), [(LOGISTIC, FIXED), (EXPONENTIAL, RANDOM)])
@pytest.mark.parametrize("name", ["3 distinct", "4 full", "3 rectified", "callable"])
def test_forms_agree_after_a_hundred_sweeps(name, kind, order):
    model = ENERGIES[name](patterns.random(1501, 83, seed=2))
    one = digest(dense.sweep_dense, model, kind, order)
    assert digest(dense_bits.sweep_dense, model, kind, order) == one


def test_unpacked_gives_the_patterns_back():
    model = Dense(2 * np.random.default_rng(2).integers(0, 2, (16_397, 3)) - 1, 3)
    back = dense_bits.unpacked(network_of(model, dense_bits.sweep_dense))
    np.testing.assert_array_equal(back.by_site, model.patterns.T)
    assert back.by_site.dtype == np.int8


@pytest.mark.parametrize("n_patterns", [40, 300])
@pytest.mark.parametrize("rule", [Glauber((0.05, 0.5, 1.2)), ZeroTemperature()])
def test_the_model_chooses_without_a_trace(rule, n_patterns, judge):
    """Few patterns and many, against plain NumPy, and lanes together against one by one."""
    model = Dense(patterns.random(n_patterns, 19, seed=2), 3)
    assert (model._bits is None) == (n_patterns == 40)
    spins = patterns.random(3, 19, seed=6).astype(np.int8)
    if np.size(rule.temperature) == 1:
        alone = [run(model, rule, spins, 5, draws=lane(model, rule, 3, k)) for k in range(3)]
        whole = run(model, rule, spins, 5)
        for k in range(3):
            np.testing.assert_array_equal(alone[k][0][k], whole[0][k])
    assert_same(run(model, rule, spins, 5), judge(run, model, rule, spins, 5))


def lane(model, rule, n_replicas, k):
    """The stream of all replicas, of which replica k is looked at."""
    return stream(model, rule, n_replicas, 3)


def test_wider_integers_are_taken_where_they_are_needed():
    """Overlaps beyond 16 bits leave the fast form; 8 and 16 bits of patterns."""
    model = Dense(2 * np.random.default_rng(1).integers(0, 2, (130, 32_769)) - 1, 3)
    spins = np.ones((1, 32_769), np.int8)
    assert model._bits is None
    assert model.memory(spins).dtype == np.int32
    moved = updated(model, ZeroTemperature(), spins, sweeps=1)
    assert model.energy(moved[0]) < model.energy(spins[0])
    wide = Dense(300 * binary(3, 9), 3, "full")
    narrow = Dense(binary(3, 9), 3, "full", strength=300.0**3)
    s = some_states(9)
    assert wide._network.by_site.dtype == np.int16
    np.testing.assert_allclose(wide.energy(s), narrow.energy(s), rtol=1e-12)
    np.testing.assert_array_equal(
        updated(wide, Glauber(1e7), s, 5), updated(narrow, Glauber(1e7), s, 5)
    )


def test_power_sums_are_exact_up_to_the_stated_bound():
    """Fields of class sums near 2^61 in integer units, against Python's integers of any size."""
    for order, largest, n_neurons in ((3, 60_000, 90), (4, 2000, 50), (5, 150, 50)):
        xi = exact.multi_valued(n_neurons, 3, min(largest, 32_767), 1)
        model = Dense(xi, order)
        bound = 3 * int(np.abs(xi).max()) * int(np.abs(xi).sum(axis=1).max()) ** (order - 1)
        assert bound > 2**45
        s = xi[0] / np.abs(xi[0]).clip(1) + (xi[0] == 0)  # every term of one pattern is positive
        y = [[int(v) for v in row] for row in xi * s]
        for i in (0, 7):
            total = 0
            for row in y:
                e = [1] + [0] * (order - 1)
                for j, v in enumerate(row):
                    if j != i:
                        e = [e[0]] + [e[n] + e[n - 1] * v for n in range(1, order)]
                total += row[i] * e[order - 1]
            found = np.empty((1, n_neurons), np.int64)
            lanes = s.astype(np.int8)[None]
            dense.costs(model._network, lanes, model.memory(lanes), found)
            assert found[0, i] == total


def test_energies_beyond_all_integers_are_rounded_and_still_consistent():
    """e_14 and S^40 leave 64 bits; zero temperature does not climb in what is left."""
    for order, normalisation in ((14, "distinct"), (40, "full"), (41, "rectified")):
        model = Dense(patterns.random(200, 200, 1), order, normalisation)
        s = patterns.corrupt(model.patterns[:10], seed=2, flip_fraction=0.1)
        before = model.energy(s)
        after = updated(model, ZeroTemperature(), s, sweeps=1)
        assert np.all(model.energy(after) < before)
        np.testing.assert_array_equal(updated(model, ZeroTemperature(), s, 30), model.patterns[:10])
    exact_value = factorial(39) / 90.0**39 * comb(90, 40)
    assert Dense(patterns.random(3, 1000, 1), 200, "full").energy(np.ones(1000)) <= 0
    alone = Dense(np.ones((1, 90)), 40)
    assert alone.energy(np.ones(90)) == pytest.approx(-exact_value, rel=1e-12)


# ----------------------------------------------------------------------- the law of the dynamics

# One of each kind of energy in each form. "bits" has patterns enough for the model to take it.
LAWS = {
    "bits: 3 distinct": lambda: Dense(patterns.random(150, 10, 1), 3),
    "bits: callable": lambda: Dense(patterns.random(150, 10, 1), lambda S: np.abs(S) ** 1.5),
    "table: 4 rectified": lambda: Dense(binary(4, 10), 4, "rectified"),
    "table: sums, 3 full": lambda: Dense(sums(3, 10), 3, "full"),
    "symmetric: sums, 3": lambda: Dense(sums(3, 10), 3),
    "symmetric: sums, 4": lambda: Dense(sums(3, 10), 4),
    "exponential": lambda: Dense(binary(4, 10), "exponential", sharpness=0.2),
    "log-sum-exp": lambda: Dense(binary(4, 10), "log-sum-exp", sharpness=0.4),
}


def sweeps_to(law, model, rule, n_replicas):
    """Sweeps (up to 31) after which an even start shifts chi-square by less than 0.1 of 45."""
    flip = exact.flip_probabilities(model, rule)
    now = np.full(len(law), 1 / len(law))
    for sweep in range(31):
        if n_replicas * ((now - law) ** 2 / law).sum() < 4.5:
            return sweep
        for site in exact.visits(model, rule, 5, sweep):
            now = exact.visited(now, flip, site)
    return 31


@pytest.mark.parametrize("rule", exact.THERMAL.values(), ids=exact.THERMAL)
@pytest.mark.parametrize("name", LAWS)
def test_every_state_has_its_boltzmann_weight(name, rule):
    """1024 states; against weights 25 % too hot the same comparison fails clearly.

    The replicas start spread evenly over the states; the exact chain says how many sweeps they
    need to forget it. 24 tests with fixed seeds: a true sampler had a chance of 2e-5 to fail one.
    """
    model = LAWS[name]()
    temperature = moderate_temperature(model)
    n_replicas = 10 * 1024
    for _ in range(10):
        energies = model.energy(exact.states(10))
        law = exact.weights(energies, temperature)
        n_sweeps = sweeps_to(law, model, rule(temperature), n_replicas)
        if n_sweeps <= 30:
            break
        temperature *= 1.2  # barriers are high in dense networks
    assert n_sweeps <= 30
    start = np.resize(exact.states(10), (n_replicas, 10))
    spins = updated(model, rule(temperature), start, sweeps=n_sweeps, seed=5)
    counts = np.bincount(exact.state_numbers(spins), minlength=len(law))
    assert exact.p_value(counts, law) > 1e-6
    assert exact.p_value(counts, exact.weights(energies, 1.25 * temperature)) < 1e-12


@pytest.mark.parametrize("order", ["fixed", "random"])
@pytest.mark.parametrize("values", PATTERNS)
@pytest.mark.parametrize("name", ENERGIES)
def test_zero_temperature_never_climbs_and_comes_to_rest(name, values, order):
    """Energy as stated to the user, sweep by sweep; at rest no spin is against its field."""
    for n_patterns in (7, 150):
        if values == "sums" and n_patterns > 7 and "distinct" in name:
            continue
        model = ENERGIES[name](PATTERNS[values](n_patterns, 40))
        s = patterns.random(10, 40, 6)
        first = before = model.energy(s)
        for sweep in range(25):
            s = updated(model, ZeroTemperature(order), s, seed=1, first_sweep=sweep)
            after = model.energy(s)
            assert np.all(after <= before)
            before = after
        assert np.all(before < first)
        s = updated(model, ZeroTemperature(order), s, sweeps=300, seed=1, first_sweep=25)
        assert np.all(s * model.field(s) >= 0)
        still = updated(model, ZeroTemperature(order), s, sweeps=3, seed=2)
        np.testing.assert_array_equal(still, s)
        np.testing.assert_array_equal(updated(model, Glauber(0.0, order), s, sweeps=3), s)


def test_exponential_sees_what_its_energy_no_longer_can():
    """At overlap 0.3 of N = 400 energies are below 2^-60 of the scale; T = 0 recalls all the same.

    Demircigil's rule: with K = 50 patterns the noise is far below the signal of the cue.
    """
    xi = patterns.random(50, 400, 1)
    cue = patterns.corrupt(xi[:5], seed=2, flip_fraction=0.35)
    for name in ("exponential", "log-sum-exp"):
        model = Dense(xi, name, sharpness=0.5)
        for rule in (ZeroTemperature(), Glauber(0.0)):
            np.testing.assert_array_equal(updated(model, rule, cue, sweeps=10), xi[:5])
    assert np.all(Dense(xi, "exponential", sharpness=0.5).energy(cue) == 0)


def test_exponential_and_log_sum_exp_are_one_dynamics_at_zero_temperature():
    """The energies are monotone functions of each other."""
    xi, s = patterns.random(60, 45, 1), patterns.random(20, 45, 2)
    one = updated(Dense(xi, "exponential", sharpness=0.8), ZeroTemperature(), s, sweeps=3)
    two = updated(Dense(xi, "log-sum-exp", sharpness=0.8), ZeroTemperature(), s, sweeps=3)
    np.testing.assert_array_equal(one, two)


def test_retrieval_beyond_the_pairwise_capacity():
    """N = 100, K = 60 patterns: lost for two bodies, kept by three and more."""
    xi = patterns.random(60, 100, 1)
    kept = {
        order: (updated(Dense(xi, order), ZeroTemperature(), xi, sweeps=30) * xi).mean()
        for order in (2, 3, 4)
    }
    assert kept[2] < 0.8 < 0.99 < kept[3] <= kept[4]


def test_thermal_retrieval_is_that_of_replica_theory():
    """P = 3, reduced load 0.1, T = 0.3, started in 100 patterns of one set: m = 0.9788.

    Finite size shifts m by less than 0.005.
    """
    model = Dense(patterns.random(2000, 200, 1), 3)  # alpha (P-1)! = 0.1
    spins = updated(model, Glauber(0.3), model.patterns[:100], sweeps=40, seed=1)
    found = (spins * model.patterns[:100]).mean(axis=1)
    assert abs(found.mean() - 0.9788) < 0.005 + 3 * found.std() / 10


# --------------------------------------------------------------------------------------- refusals

XI = binary(3, 8)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Dense(np.ones(4), 3), "2-d array"),
        (lambda: Dense(0.5 * XI, 3), "integers"),
        (lambda: Dense(XI, 1), "interaction=1 is unknown.*P >= 2"),
        (lambda: Dense(XI, True), "interaction=True"),
        (lambda: Dense(XI, 2.5), "interaction=2.5"),
        (lambda: Dense(XI, "softmax"), "'exponential', 'log-sum-exp'"),
        (lambda: Dense(XI, 3, "normal"), "'distinct'.*'full'.*'rectified'"),
        (lambda: Dense(XI, 3, strength=0), "strength=0 .*positive"),
        (lambda: Dense(XI, 3, strength=np.nan), "strength=nan"),
        (lambda: Dense(XI, "exponential", sharpness=-1), "sharpness=-1.*positive"),
        (lambda: Dense(XI, "exponential", sharpness=1e9), "sharpness=1000000000.0 is not possible"),
        (lambda: Dense(XI, "log-sum-exp", sharpness=1e-9), "between 1e-6"),
        (lambda: Dense(XI, 3, grid=0.1), "grid is for the values of a callable"),
        (lambda: Dense(XI, np.arange(9.0)), "table of 9 values.*reach 8.* -8, -7, ..., 8, 17 val"),
        (lambda: Dense(sums(3, 8), np.arange(17.0)), "table of 17 values, but overlaps reach"),
        (lambda: Dense(XI, np.ones((2, 17))), "1-d array of numbers"),
        (lambda: Dense(XI, [["a"]]), "1-d array of numbers"),
        (lambda: Dense(XI, np.full(17, np.nan)), "finite at all overlaps.*-8, -6, ..., 8"),
        (lambda: Dense(XI, table_of(real, XI), grid=0.0), "grid=0.0 is not possible"),
        (lambda: Dense(XI, real, grid=0.0), "grid=0.0 is not possible.*positive"),
        (lambda: Dense(XI, real, grid=1e-30), "grid=1e-30 is not possible"),
        (lambda: Dense(np.tile(XI, (10_000, 1)), real, grid=1e-15), "grid=1e-15 is too fine"),
        (lambda: Dense(XI, lambda S: S[:2]), "one finite number for each overlap"),
        (lambda: Dense(XI, lambda S: S / 0 * np.nan), "one finite number for each overlap"),
        (lambda: Dense(np.full((1, 3000), 30_000), 3, "full"), "table of all values"),
        (lambda: Dense(1000 * sums(2, 2000), 6), "exact only while.*smaller P"),
    ],
)
def test_dense_refuses_with_the_cure(make, sentence):
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=sentence):
        make()


def test_synchronous_dense_dynamics_claims_no_law():
    model = Dense.example()
    with pytest.raises(ValueError, match="pairwise"):
        little_energy(model, np.ones(8), 1.0)
    assert noise(Glauber(1.0, "parallel"), 1).keeps_self_coupling
    assert not model.self_couplings.any()


# ----------------------------------------------------------------------------- other processors


# what `test_other_processors` compares
def digests() -> list[str]:
    """All that the fast form does with vectors: two planes and three, one site and eight."""
    models = (
        ENERGIES[name](patterns.random(701, n_neurons, seed=2))
        for name, n_neurons in (("3 distinct", 83), ("callable", 40))
    )
    return [digest(dense_bits.sweep_dense, model) for model in models]
