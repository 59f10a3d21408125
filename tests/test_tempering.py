"""Protocols over temperatures, each against exact enumeration, a recount, or its own parts."""

from __future__ import annotations

import functools
import hashlib
import json

import numpy as np
import pytest
import xarray as xr

from hopfield_sim import (
    Checkpoint,
    Coupled,
    Dense,
    Glauber,
    Hopfield,
    Metropolis,
    Schedule,
    ZeroTemperature,
    annealed,
    branches,
    ladder,
    observables,
    parallel_tempering,
    patterns,
    randomness,
    simulate,
    tempering,
)
from hopfield_sim.ladder import Ladder
from hopfield_sim.learning import hebb
from hopfield_sim.tempering import Branch
from tests import exact

N, P = 30, 4
XI = patterns.random(P, N, 1)
MODEL = Hopfield(XI)
TEMPERATURES = (0.2, 0.35, 0.5, 0.8, 1.2)
SHORT = Schedule(warmup=6, samples=5, every=4)
ONE_WAY = hebb.diluted(XI, 10, seed=2)


def glass(n_neurons, seed):
    """Couplings without any order: J_ij Gaussian of variance 1/N."""
    upper = np.triu(np.random.default_rng(seed).normal(size=(n_neurons, n_neurons)), 1)
    return Coupled((upper + upper.T) / np.sqrt(n_neurons))


def state_number(model, spins, memory):
    """Number of the state"""
    return exact.state_numbers(spins)


def tempered(model=MODEL, temperatures=TEMPERATURES, start="random", schedule=SHORT, **options):
    options = {"n_replicas": 3, "seed": 1} | options
    return parallel_tempering(model, temperatures, start, schedule, **options)


# ------------------------------------------------ parallel tempering: every temperature's own law

RUGGED = {
    "glass": glass(10, 7),
    "Hopfield": Hopfield(patterns.random(9, 10, 3)),
    "four-body": Dense(patterns.random(30, 10, 3), 4),
    "log-sum-exp": Dense(patterns.random(6, 10, 3), "log-sum-exp"),
}
COLD_TO_HOT = tuple(np.geomspace(0.15, 1.5, 6))
LADDERS = 400
LONG = Schedule(warmup=199, samples=1)  # a round trip takes some 30 sweeps


@functools.cache
def laws(name):
    """Boltzmann's law at each temperature: (temperature, state)."""
    energies = RUGGED[name].energy(exact.states(10))
    return np.stack([exact.weights(energies, temperature) for temperature in COLD_TO_HOT])


@functools.cache
def noise_floor(name):
    """What the total variation of so many true samples does not exceed: mean + 5 standard
    deviations at each temperature, by drawing them."""
    rng = np.random.default_rng(1)
    found = [
        [exact.total_variation(rng.multinomial(LADDERS, law) / LADDERS, law) for _ in range(100)]
        for law in laws(name)
    ]
    return np.mean(found, axis=1) + 5 * np.std(found, axis=1)


def worst_minimum(model):
    """The local minimum of the highest energy (no flip of one spin costs nothing or less)."""
    states = exact.states(model.n_neurons)
    energies = model.energy(states)
    neighbours = np.arange(len(states))[:, None] ^ (1 << np.arange(model.n_neurons))
    minima = np.flatnonzero((energies[neighbours] > energies[:, None]).all(axis=1))
    assert len(minima) >= 2
    return states[minima[np.argmax(energies[minima])]]


def variations(run, name):
    """Total variation at each temperature, from the last state of each ladder alone: ladders are
    independent of each other, samples of one ladder are not."""
    counts = [np.bincount(numbers, minlength=1024) for numbers in run.state_number.values[..., -1]]
    return np.array(
        [exact.total_variation(c / LADDERS, law) for c, law in zip(counts, laws(name), strict=True)]
    )


def all_ladders(name, rule=Glauber, protocol=parallel_tempering):
    """Every ladder begins with all temperatures in the worst minimum."""
    start = worst_minimum(RUGGED[name])
    return protocol(
        RUGGED[name], COLD_TO_HOT, start, LONG, LADDERS, 1, rule=rule, observe=[state_number]
    )


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("glass", Glauber),
        ("Hopfield", Metropolis),
        ("four-body", functools.partial(Glauber, order="random")),
        ("log-sum-exp", Glauber),
    ],
    ids=["glass", "Hopfield", "four-body", "log-sum-exp"],
)
def test_every_temperature_has_its_boltzmann_law(name, rule):
    run = all_ladders(name, rule)
    assert np.all(variations(run, name) < noise_floor(name)), variations(run, name)
    # and the exchange is at work: the same lanes without it are still where they began
    alone = simulate(
        RUGGED[name],
        rule(COLD_TO_HOT),
        worst_minimum(RUGGED[name]),
        LONG,
        LADDERS,
        1,
        observe=[state_number],
    )
    assert variations(alone, name)[0] > 3 * noise_floor(name)[0]


WRONG = {
    "always": lambda exponential, gain: np.ones_like(gain, bool),
    "sign": lambda exponential, gain: exponential - gain > 0,
    "half the energy": lambda exponential, gain: exponential + gain / 2 > 0,
    "no difference of 1/T": lambda exponential, gain: exponential + np.sign(gain) > 0,
}
"""Rules of exchange that are wrong. The first two are far off; what the others do to a marginal
is below its noise here, as every temperature relaxes by itself, but not to detailed balance."""


@pytest.mark.parametrize("name", ["always", "sign"])
def test_a_wrong_exchange_has_wrong_marginals(monkeypatch, name):
    """The test above with a wrong rule: it must fail, and by far."""
    monkeypatch.setattr(ladder, "is_accepted", WRONG[name])
    found = variations(all_ladders("Hopfield"), "Hopfield")
    assert (found / noise_floor("Hopfield")).max() > 2


# -------------------------------------------------------------------------- the exchange by itself


SMALL = {
    "glass": glass(4, 1),
    "fields": hebb.coupled(XI[:, :4], "hebb", 0.25 * np.cos(np.arange(4))),
    "Hopfield": Hopfield(XI[:, :4]),
    "four-body": Dense(exact.multi_valued(4, 3, 2, 1), 4),  # its memory has a second row
    "exponential": Dense(XI[:, :4], "exponential"),
    "log-sum-exp": Dense(XI[:, :4], "log-sum-exp"),
}


def exchange_matrix(monkeypatch, model, low, high):
    """W(s, t -> t, s) of s at the lower and t at the higher temperature: (state s, state t), N = 4.

    Each of the 256 pairs sits in a ladder of its own. How many of the 2^32 draws let it exchange is
    found by bisection: the decision is monotone in the draw. Also checks that nothing else happens.
    """
    states = exact.states(4)
    s, t = (grid.ravel() for grid in np.meshgrid(np.arange(16), np.arange(16), indexing="ij"))
    start = np.stack([states[s], states[t]])
    lanes = Ladder(model, Glauber((low, high)), start, 256, 1, "auto", (), 1)
    draws = {}
    monkeypatch.setattr(lanes, "_exponentials", lambda number: draws["now"][None])
    least, most = np.zeros(256, np.uint64), np.full(256, 2**32, np.uint64)
    while np.any(least < most):  # the first draw that is refused lies in [least, most]
        middle = (least + most) // np.uint64(2)
        words = np.minimum(middle, np.uint64(2**32 - 1)).astype(np.uint32)
        draws["now"] = randomness.exponentials(words).astype(float)
        lanes.spins[...] = start.reshape(-1, 4)
        lanes.memory[...] = model.memory(lanes.spins)
        lanes.exchange(0, counted=True)
        now = exact.state_numbers(lanes.spins.reshape(2, 256, 4))
        accepted = lanes.counters[-1, 0] == 1
        lanes.counters[-1] = 0
        np.testing.assert_array_equal(now[0], np.where(accepted, t, s))
        np.testing.assert_array_equal(now[1], np.where(accepted, s, t))
        np.testing.assert_array_equal(lanes.memory, model.memory(lanes.spins))
        least = np.where(accepted, np.minimum(middle + np.uint64(1), most), least)
        most = np.where(accepted, most, middle)
    return (least / 2.0**32).reshape(16, 16)


def imbalance(model, rate, low, high):
    """Largest |pi(s) pi'(t) W(st -> ts) - pi(t) pi'(s) W(ts -> st)| in units of what rounding does.

    W is a multiple of 2^-32, and the logarithm of a draw is wrong by 3e-6 at most, so that W is
    wrong by that fraction of itself.
    """
    energies = model.energy(exact.states(4))
    weight = exact.weights(energies, low)[:, None] * exact.weights(energies, high)[None, :]
    flow, error = weight * rate, weight * (3e-6 * rate + 2.0**-32)
    return float((np.abs(flow - flow.T) / (error + error.T)).max())


@pytest.mark.parametrize("name", SMALL)
def test_the_exchange_is_in_detailed_balance(monkeypatch, name):
    """By its transition matrix over all pairs of states, for the energy that each model has."""
    low, high = 0.4, 0.9
    rate = exchange_matrix(monkeypatch, SMALL[name], low, high)
    assert imbalance(SMALL[name], rate, low, high) <= 1
    # the more probable of two directions is taken always: Metropolis' rule
    assert np.all(np.maximum(rate, rate.T) == 1)
    assert 0 < rate.min() < 0.5


@pytest.mark.parametrize("name", [*WRONG, "another pair's temperatures"])
def test_a_wrong_exchange_is_out_of_balance(monkeypatch, name):
    """The test above with a wrong rule: it must fail, and by far."""
    low, high = 0.4, 0.9
    if name in WRONG:
        monkeypatch.setattr(ladder, "is_accepted", WRONG[name])
        rate = exchange_matrix(monkeypatch, SMALL["glass"], low, high)
    else:
        rate = exchange_matrix(monkeypatch, SMALL["glass"], 0.5, 1.0)
    assert imbalance(SMALL["glass"], rate, low, high) > 1000


def test_draws_of_the_exchange_belong_to_the_colder_place_and_the_attempt():
    """Word k of the colder lane's own stream, for its k-th attempt; never one twice."""
    run = Ladder(MODEL, Glauber(TEMPERATURES), "random", 3, 7, "auto", (), 1)
    words = [
        randomness.words(run.stream.key, randomness.EXCHANGE, lane, 0, 60)
        for lane in run.stream.lanes[:12]
    ]
    expected = randomness.exponentials(np.stack(words)).astype(float)
    numbers = [*range(480)][::-1]  # whatever was asked for before
    found = np.stack([run._exponentials(number) for number in numbers])[::-1]
    np.testing.assert_array_equal(found[0::2], expected.T.reshape(-1, 4, 3))
    np.testing.assert_array_equal(found[1::2], expected.T.reshape(-1, 4, 3))
    all_words = np.concatenate(words)
    assert len(np.unique(all_words)) >= all_words.size - 3  # of 2880 random ones, 0.001 meet
    # an exponential has mean 1 and variance 1
    assert abs(expected.mean() - 1) < 5 / np.sqrt(expected.size)


def test_even_and_odd_pairs_take_turns():
    """Free spins without field: all energies are equal, and every exchange happens.

    So every walker moves on at each attempt, waits once at each end, and a round trip takes twice
    as many attempts as there are temperatures.
    """
    free = Coupled(np.zeros((5, 5)))
    run = tempered(free, schedule=Schedule(0, 40), exchange_every=3)
    walker = run.walker.values[:, 0]
    assert walker[:, 1].tolist() == [0, 1, 2, 3, 4]
    assert walker[:, 2].tolist() == [1, 0, 3, 2, 4]  # after three sweeps: pairs (0, 1), (2, 3)
    assert walker[:, 5].tolist() == [1, 3, 0, 4, 2]  # after six: (1, 2), (3, 4)
    np.testing.assert_array_equal(np.ptp(walker[:, 2:38].reshape(5, 12, 3), axis=-1), 0)
    long = tempered(free, schedule=Schedule(300, 100), exchange_every=3)
    np.testing.assert_array_equal(long.exchange_rate, 1)
    assert long.exchange_attempts.values.tolist() == [17, 16, 17, 16]  # numbers 100 ... 132
    np.testing.assert_array_equal(long.round_trip_time, 2 * 5 * 3)


def recounted(walker):
    """Trips and their mean duration, f(T) and exchanges of one ladder, step by step, from who was
    where: (temperature, sweep), after every sweep, the first column before all."""
    n_temperatures, n_sweeps = walker.shape
    trips, durations = np.zeros(n_temperatures, int), []
    visits = np.zeros((2, n_temperatures), int)
    for who in range(n_temperatures):
        last_end, began = None, None
        for sweep in range(1, n_sweeps):
            (place,) = np.flatnonzero(walker[:, sweep] == who)
            if place == 0:
                if last_end == "hot" and began is not None:
                    trips[who] += 1
                    durations.append(sweep - began)
                if last_end != "cold":
                    began = sweep
                last_end = "cold"
            elif place == n_temperatures - 1:
                last_end = "hot"
            if last_end:
                visits[0 if last_end == "cold" else 1, place] += 1
    exchanged = (walker[:-1, 1:] == walker[1:, :-1]).sum(axis=1)
    time = np.mean(durations) if durations else np.nan
    return trips, time, visits[0] / visits.sum(axis=0), exchanged


@pytest.mark.parametrize("warmup", [0, 40])
def test_statistics_are_what_a_recount_gives(warmup):
    """From `walker` after each sweep; what happens in the warm-up counts for nothing."""
    model, schedule = Hopfield(XI[:, :12]), Schedule(warmup, 300 - warmup)
    run = tempered(model, schedule=schedule, observe=[])
    whole = tempered(model, schedule=Schedule(0, 300), observe=[]).walker.values
    before = np.broadcast_to(np.arange(5)[:, None, None], (5, 3, 1))
    whole = np.concatenate([before, whole], axis=-1)
    np.testing.assert_array_equal(run.walker, whole[..., warmup + 1 :])
    assert np.array_equal(np.sort(whole, axis=0), np.broadcast_to(before, whole.shape))
    for replica in range(3):
        trips, time, upward, exchanged = recounted(whole[:, replica, warmup:])
        now = run.isel(replica=replica)
        np.testing.assert_array_equal(now.round_trips, trips)
        np.testing.assert_allclose(now.round_trip_time, time, rtol=1e-14)
        np.testing.assert_allclose(now.upward, upward, rtol=1e-14)
        np.testing.assert_allclose(now.exchange_rate * now.exchange_attempts, exchanged, atol=1e-9)
    assert run.round_trips.sum() > 10
    assert run.exchange_attempts.values.tolist() == [(300 - warmup) // 2] * 4
    np.testing.assert_array_equal(run.colder, TEMPERATURES[:-1])
    np.testing.assert_array_equal(run.hotter, TEMPERATURES[1:])


def test_rates_and_round_trips_where_theory_is_exact():
    """Free spins in a field: a heat-bath sweep draws a new state, so attempts are independent.

    Then the rate of a pair is its exact mean (5 binomial standard deviations), and all walkers of
    a ladder together make 1 / (2 + 2 sum r / (1 - r)) round trips an attempt. The journeys under
    way at the end are not counted, nor what precedes the first visit of the coldest place: at most
    one and a half round trips of each walker (those last 40 attempts, of 1500).
    """
    model = Coupled(np.zeros((6, 6)), external_field=np.array([0.3, 0.6, 0.9, 1.2, 1.5, 1.8]))
    ladders, attempts = 24, 1500
    run = tempered(model, schedule=Schedule(0, attempts), n_replicas=ladders, observe=[])
    energies = model.energy(exact.states(6))
    rates = []
    for low, high in zip(TEMPERATURES[:-1], TEMPERATURES[1:], strict=True):
        gain = (1 / low - 1 / high) * (energies[:, None] - energies[None, :])
        both = exact.weights(energies, low)[:, None] * exact.weights(energies, high)[None, :]
        rates.append((both * np.exp(np.minimum(gain, 0))).sum())
    rates = np.array(rates)
    found = run.exchange_rate.mean("replica").values
    error = np.sqrt(rates * (1 - rates) / (ladders * attempts / 2))
    assert np.all(np.abs(found - rates) < 5 * error)
    expected = 1 / (2 + 2 * ((1 - rates) / rates).sum())
    trips = run.round_trips.sum("origin") / attempts
    spread = 5 * float(trips.std("replica", ddof=1)) / np.sqrt(ladders)
    assert expected - spread - 1.5 * 5 / attempts < trips.mean() < expected + spread
    predicted = tempering.barrier(run)
    assert abs(predicted.round_trip_rate / expected - 1) < 0.05
    np.testing.assert_allclose(predicted.barrier[0], (1 - rates).sum(), rtol=0.02)


# ------------------------------------------------------------------ one computation, one result


def same(found, expected):
    xr.testing.assert_identical(found, expected)


def test_the_same_call_gives_an_identical_dataset():
    same(tempered(keep_spins=True), tempered(keep_spins=True))
    assert not tempered().equals(tempered(seed=2))


def test_more_ladders_leave_the_first_ones_as_they_were():
    few, many = tempered(n_replicas=2), tempered(n_replicas=5)
    of_one = ["magnetisation", "overlap", "energy", "acceptance", "walker", "upward"]
    for name in (*of_one, "exchange_rate", "round_trips", "round_trip_time"):
        xr.testing.assert_identical(few[name], many[name].isel(replica=slice(2)))


def test_the_schedule_decides_when_to_look_and_nothing_else():
    often = tempered(schedule=Schedule(0, 24), exchange_every=5)
    rarely = tempered(schedule=Schedule(0, 4, 6), exchange_every=5)
    for name in ("overlap", "energy", "walker"):
        np.testing.assert_array_equal(often[name][..., 5::6], rarely[name])
    same(often.exchange_rate, rarely.exchange_rate)


def test_without_exchange_the_lanes_are_those_of_simulate():
    """Before the first attempt; after it, draws stay with the temperature."""
    run = tempered(schedule=Schedule(0, 6), exchange_every=6)
    alone = simulate(MODEL, Glauber(TEMPERATURES), "random", Schedule(0, 6), 3, 1)
    np.testing.assert_array_equal(run.energy[..., :5], alone.energy[..., :5])
    later = tempered(schedule=Schedule(0, 7), exchange_every=6, keep_spins=True)
    exchanged = tempered(schedule=Schedule(0, 6), exchange_every=6, keep_spins=True)
    went_on = simulate(MODEL, Glauber(TEMPERATURES), exchanged, Schedule(0, 1), 3, keep_spins=True)
    np.testing.assert_array_equal(later.spins, went_on.spins)


@pytest.mark.parametrize("exchange_every", [1, 3])
def test_a_continued_run_is_the_uninterrupted_one(exchange_every):
    options = {"keep_spins": True, "exchange_every": exchange_every}
    whole = tempered(schedule=Schedule(5, 50, 2), **options)
    first = tempered(schedule=Schedule(5, 31, 2), **options)
    second = tempered(start=first, schedule=Schedule(6, 16, 2), seed=None, **options)
    same(second.spins, whole.spins)
    same(second.counters, whole.counters)
    for name, values in whole.data_vars.items():
        if "sample" in values.dims:
            np.testing.assert_array_equal(values[..., 34:], second[name])
        else:
            same(second[name], values)
    assert second.attrs["sweeps"] == whole.attrs["sweeps"] == 105


def test_protocols_survive_a_file(tmp_path):
    """Written and read back, a ladder goes on as if it had stayed in memory."""
    first = tempered(keep_spins=True)
    first.to_zarr(tmp_path / "run.zarr", consolidated=False)
    read = xr.open_zarr(tmp_path / "run.zarr", consolidated=False).load()
    same(tempered(start=read, seed=None), tempered(start=first, seed=None))
    found = branches(MODEL, (0.3, 0.5), WAYS, SHORT, 3, 1, keep_spins=True)
    found.to_zarr(tmp_path / "branches.zarr", consolidated=False)
    read = xr.open_zarr(tmp_path / "branches.zarr", consolidated=False).load()
    xr.testing.assert_equal(read.sel(branch="cooling").overlap, found.sel(branch="cooling").overlap)


GOLDEN = "6612e0c472f2c4d1"


def test_golden_hash():
    """Spins and counters of one short run: they change with the stream version only."""
    run = tempered(schedule=Schedule(10, 30), keep_spins=True)
    content = hashlib.sha256(
        run.spins.values.tobytes() + run.counters.values.astype("<i8").tobytes()
    )
    assert randomness.STREAM_VERSION == 1
    assert content.hexdigest()[:16] == GOLDEN


class Interrupted(Exception):
    """What the tests stop a run with."""


def interrupted(monkeypatch, run, model_class, after):
    """The result of `run()`, called again and again, each time stopped after so many sweeps' calls;
    and how often it was stopped."""
    sweep, calls = model_class.sweep, []

    def limited(*arguments):
        if len(calls) == after:
            raise Interrupted
        calls.append(arguments[-1])
        return sweep(*arguments)

    monkeypatch.setattr(model_class, "sweep", limited)
    stops = 0
    while True:
        try:
            return run(), stops
        except Interrupted:
            stops += 1
            calls.clear()


PROTOCOLS = {
    "parallel tempering": lambda **o: tempered(keep_spins=True, **o),
    "rare exchange": lambda **o: tempered(keep_spins=True, exchange_every=9, **o),
    "annealed": lambda **o: annealed(MODEL, TEMPERATURES, XI[0], SHORT, 3, 1, keep_spins=True, **o),
    "cue": lambda **o: annealed(MODEL, (0.5, 0.3), "random", SHORT, 3, 1, cue=CUE, **o),
    "branches": lambda **o: branches(MODEL, (0.3, 0.5), WAYS, SHORT, 3, 1, keep_spins=True, **o),
}
CUE = hebb.coupled(XI, external_field=0.4 * XI[0])
WAYS = {
    "heating": Branch(XI[0], "heating"),
    "cooling": Branch("random", "cooling"),
    "cooling with a cue": Branch("random", "cooling", CUE),
}


@pytest.mark.parametrize("name", PROTOCOLS)
def test_an_interrupted_protocol_ends_as_the_uninterrupted_one(monkeypatch, tmp_path, name):
    run = PROTOCOLS[name]
    whole = run()
    kept = Checkpoint(tmp_path / "cell", seconds=0)
    found, stops = interrupted(monkeypatch, lambda: run(checkpoint=kept), Hopfield, 4)
    same(found, whole)
    assert stops >= 3


def test_what_a_branch_has_done_is_not_done_again(monkeypatch, tmp_path):
    """Even where saving was never due: the end of each branch is kept."""
    kept = Checkpoint(tmp_path / "cell", seconds=1e6)
    whole = branches(MODEL, (0.3, 0.5), WAYS, SHORT, 3, 1, checkpoint=kept)

    def swept(*arguments):
        raise AssertionError("a sweep was done again")

    monkeypatch.setattr(Hopfield, "sweep", swept)
    same(branches(MODEL, (0.3, 0.5), WAYS, SHORT, 3, 1, checkpoint=kept), whole)
    kept.remove()
    assert not list(tmp_path.iterdir())


def test_another_protocol_does_not_go_on_from_a_checkpoint(tmp_path):
    kept = Checkpoint(tmp_path / "cell", seconds=0)
    expected = tempered(exchange_every=2), tempered(temperatures=(0.2, 0.4))
    tempered(checkpoint=kept)
    with pytest.warns(UserWarning, match=r"another computation \(other exchange_every\)"):
        same(tempered(exchange_every=2, checkpoint=kept), expected[0])
    with pytest.warns(UserWarning, match="another computation"):
        same(tempered(temperatures=(0.2, 0.4), checkpoint=kept), expected[1])
    annealed(MODEL, (0.5, 0.3), "random", SHORT, 3, 1, cue=CUE, checkpoint=kept.part("annealed"))
    other = hebb.coupled(XI, external_field=0.3 * XI[0])
    for options in ({"cue": other}, {}, {"temperatures": (0.5, 0.4)}):
        arguments = {"temperatures": (0.5, 0.3), "start": "random"} | options
        run = functools.partial(annealed, MODEL, schedule=SHORT, n_replicas=3, seed=1, **arguments)
        with pytest.warns(UserWarning, match="another computation"):
            same(run(checkpoint=kept.part("annealed")), run())


# ------------------------------------------------------------------------ placing the temperatures


def measured(temperatures, rates):
    """A run of parallel tempering that measured these rates, in very many attempts."""
    return xr.Dataset(
        {
            "exchange_rate": (("pair", "replica"), np.array(rates)[:, None]),
            "exchange_attempts": ("pair", np.full(len(rates), 10**9)),
        },
        coords={"temperature": np.array(temperatures)},
    )


def test_equal_rates_are_left_and_others_divided():
    temperatures = 1 / np.array([5.0, 4.0, 2.5, 1.0])
    even = measured(temperatures, [0.4, 0.4, 0.4])
    np.testing.assert_allclose(tempering.placed(even, 4), temperatures, rtol=1e-8)
    np.testing.assert_allclose(tempering.placed(even, 7)[::2], temperatures, rtol=1e-8)
    np.testing.assert_allclose(tempering.barrier(even).barrier, [1.8, 1.2, 0.6, 0], rtol=1e-8)
    found = tempering.barrier(measured(temperatures, [0.5, 0.25, 0.25]))
    np.testing.assert_allclose(found.round_trip_rate, 1 / (2 + 2 * (1 + 3 + 3)), rtol=1e-8)
    assert found.n_temperatures == 5  # 2 x 2.0 + 1
    assert len(tempering.placed(measured(temperatures, [0.5, 0.25, 0.25]))) == 5
    # a pair that rejects three times as often gets two temperatures in between
    uneven = tempering.placed(measured([1 / 3, 1 / 2, 1], [0.8, 0.4]), 5)
    np.testing.assert_allclose(uneven[1], 1 / 2, rtol=1e-8)
    # what never rejected, and what always did: temperatures stay finite, different and in order
    for rates in ([1.0, 1.0], [0.0, 0.0], [1.0, 0.0]):
        new = tempering.placed(measured([0.2, 0.5, 1.0], rates), 6)
        assert new[0] == 0.2 and new[-1] == 1.0 and np.all(np.diff(new) > 0)
    with pytest.raises(ValueError, match="n_temperatures=1 is not possible"):
        tempering.placed(even, 1)


def test_placing_makes_rates_equal():
    """From temperatures that are far from it, in two rounds; 24 ladders x 150 attempts, so a rate
    has an error below 0.01."""
    model = Hopfield(patterns.random(10, 60, 1))
    temperatures = tuple(np.linspace(0.2, 2.0, 9))
    schedule = Schedule(50, 300)
    spreads = []
    for _ in range(3):
        run = tempered(model, temperatures, schedule=schedule, n_replicas=24, observe=[])
        spreads.append(float(run.exchange_rate.mean("replica").std()))
        temperatures = tempering.placed(run, 9)
    assert spreads[0] > 0.1 and spreads[-1] < 0.03


# ------------------------------------------------------------------------------ annealing, branches


@pytest.mark.parametrize("rule", [Glauber, Metropolis])
def test_annealing_is_the_chain_of_runs_that_continue_each_other(rule):
    temperatures = (1.2, 0.5, 0.8, 0.0)
    found = annealed(MODEL, temperatures, XI[0], SHORT, 3, 5, rule=rule, keep_spins=True)
    run, seed = XI[0], 5
    for temperature in temperatures:
        run = simulate(MODEL, rule(temperature), run, SHORT, 3, seed, keep_spins=True)
        step = found.sel(temperature=temperature)
        for name in run.data_vars:
            if name != "spins":
                np.testing.assert_array_equal(run[name], step[name])
        np.testing.assert_array_equal(run.sweep, step.sweep)
        seed = None  # that of the run which is continued
    same(found.spins.drop_vars(found.spins.coords), run.spins.drop_vars(run.spins.coords))
    assert found.attrs["sweeps"] == run.attrs["sweeps"]
    assert found.temperature.values.tolist() == list(temperatures)
    assert found.overlap.dims == ("temperature", "replica", "sample")
    for name, variable in found.variables.items():
        assert variable.attrs.get("long_name") and variable.attrs.get("units"), name


def test_a_loop_is_two_annealings_that_share_no_draw():
    up = annealed(MODEL, TEMPERATURES, XI[0], SHORT, 3, 5, keep_spins=True)
    down = annealed(MODEL, TEMPERATURES[::-1], up, SHORT, 3, keep_spins=True)
    assert up.sweep.max() < down.sweep.min()
    hot = up.sel(temperature=1.2).energy.values, down.sel(temperature=1.2).energy.values
    assert not np.array_equal(*hot)
    # the chain of simulate calls over the whole loop
    run = up
    for temperature in TEMPERATURES[::-1]:
        run = simulate(MODEL, Glauber(temperature), run, SHORT, 3, keep_spins=True)
    np.testing.assert_array_equal(run.spins, down.spins)


def test_slow_cooling_finds_the_ground_state_more_often_than_a_quench():
    """A glass of 14 spins, 400 replicas each; 5 binomial standard deviations apart."""
    model, replicas = glass(14, 1), 400
    lowest = model.energy(exact.states(14)).min() / 14
    schedule = Schedule(10, 1)
    cooled = annealed(
        model,
        np.linspace(1.2, 0.0, 13),
        "random",
        schedule,
        replicas,
        1,
        observe=[observables.energy],
    )
    quenched = simulate(
        model,
        ZeroTemperature(),
        "random",
        Schedule(142, 1),
        replicas,
        1,
        observe=[observables.energy],
    )
    found = [
        float((run.energy.isel(sample=-1) < lowest + 1e-9).mean())
        for run in (cooled.isel(temperature=-1), quenched)
    ]
    error = np.sqrt(sum(p * (1 - p) for p in found) / replicas)
    assert found[0] - found[1] > 5 * error


def test_branches_meet_where_they_must_and_differ_where_they_may():
    """N = 400, P = 12: at T = 0.3 the pattern is held and is not found from random spins; the cue
    leads to it. At T = 1.4 nothing is remembered."""
    xi = patterns.random(12, 400, 1)
    ways = {
        "heating": Branch(xi[0], "heating"),
        "cooling": Branch("random", "cooling"),
        "cue": Branch("random", "cooling", hebb.coupled(xi, external_field=0.5 * xi[0])),
    }
    found = branches(Hopfield(xi), (1.4, 0.3, 0.8), ways, Schedule(20, 10), 8, 1)
    assert found.overlap.dims == ("branch", "temperature", "replica", "sample")
    assert found.temperature.values.tolist() == [0.3, 0.8, 1.4]
    assert found.sweep.sel(branch="heating", temperature=0.3, sample=0) == 21
    assert found.sweep.sel(branch="cooling", temperature=0.3, sample=0) == 81
    cold, hot = found.overlap.sel(temperature=0.3), found.overlap.sel(temperature=1.4)
    assert cold.sel(branch=["heating", "cue"]).min() > 0.9
    gap = (found.overlap.sel(branch="heating") - found.overlap.sel(branch="cooling")).mean(
        ("replica", "sample")
    )
    assert gap.sel(temperature=0.3) > 0.5
    # at T = 1.4 the overlap relaxes within a few sweeps to size N^(-1/2) (1 - 1/T)^(-1/2) = 0.1
    assert abs(hot.isel(sample=-1).sel(branch=["heating", "cooling"])).max() < 0.5
    same(found, branches(Hopfield(xi), (0.3, 0.8, 1.4), ways, Schedule(20, 10), 8, 1))
    alone = branches(Hopfield(xi), (0.3, 0.8, 1.4), {"cue": ways["cue"]}, Schedule(20, 10), 8, 1)
    same(alone.overlap, found.overlap.sel(branch=["cue"]))
    assert json.loads(found.attrs["settings"])["branches"]["cue"] == ["cooling", "Coupled"]
    for name, variable in found.variables.items():
        assert variable.attrs.get("long_name") and variable.attrs.get("units"), name


def test_branches_have_boltzmann_law_at_every_temperature():
    """N = 8, warm-up long enough to forget: 2000 replicas each, last sample."""
    model, replicas = Hopfield(patterns.random(3, 8, 2)), 2000
    temperatures = (0.6, 1.0)
    ways = {"heating": Branch(patterns.random(3, 8, 2)[0], "heating")}
    ways["cooling"] = Branch("random", "cooling")
    found = branches(
        model, temperatures, ways, Schedule(100, 1), replicas, 1, observe=[state_number]
    )
    energies = model.energy(exact.states(8))
    for branch in ways:
        for temperature in temperatures:
            numbers = found.state_number.sel(branch=branch, temperature=temperature)
            counts = np.bincount(numbers.values.ravel(), minlength=256)
            assert exact.p_value(counts, exact.weights(energies, temperature)) > 1e-6


# ------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"temperatures": (0.5,)}, "make no ladder; at least two are needed"),
        ({"temperatures": ()}, "cannot be used"),
        ({"temperatures": 0.5}, "cannot be used"),
        ({"temperatures": (0.0, 0.5)}, "all above 0"),
        ({"temperatures": (0.5, 0.3)}, "ascending order"),
        ({"temperatures": (0.5, 0.5)}, "each once"),
        ({"temperatures": (-0.1, 0.5)}, "all above 0"),
        ({"temperatures": (0.1, np.nan)}, "ascending|finite"),
        ({"temperatures": (0.1, np.inf)}, "finite"),
        ({"model": ONE_WAY}, "asymmetric couplings have no energy"),
        ({"rule": functools.partial(Glauber, order="parallel")}, "little_energy"),
        ({"rule": ZeroTemperature}, "what makes a rule of a temperature"),
        ({"rule": Glauber(0.3)}, "what makes a rule of a temperature"),
        ({"exchange_every": 0}, "exchange_every=0"),
        ({"exchange_every": 1.5}, "exchange_every=1.5"),
        ({"n_replicas": 0}, "n_replicas=0"),
        ({"start": np.ones((2, N))}, "start has shape"),
    ],
)
def test_a_ladder_that_cannot_be_is_refused_before_any_work(monkeypatch, options, sentence):
    monkeypatch.setattr(Hopfield, "sweep", None)
    monkeypatch.setattr(Coupled, "sweep", None)
    with pytest.raises(ValueError, match=sentence):
        tempered(**options)


def test_only_a_run_of_its_own_kind_is_continued():
    kept = tempered(keep_spins=True)
    alone = simulate(MODEL, Glauber(TEMPERATURES), "random", SHORT, 3, 1, keep_spins=True)
    for options in (
        {"start": alone},
        {"start": kept, "exchange_every": 2},
        {"start": kept, "temperatures": (0.2, 0.35, 0.5, 0.8, 1.3)},
    ):
        with pytest.raises(ValueError, match="only a run of parallel_tempering"):
            tempered(seed=None, **options)
    with pytest.raises(ValueError, match="final spins were not kept"):
        tempered(start=tempered(), seed=None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"temperatures": (0.3, 0.5, 0.3)}, "each once"),
        ({"temperatures": (0.3, -0.5)}, "temperature"),
        ({"temperatures": ()}, "cannot be used"),
        ({"rule": ZeroTemperature}, "what makes a rule of a temperature"),
        ({"cue": Hopfield(XI[:, :20])}, "the cue has 20 neurons and the network 30"),
        ({"cue": CUE, "schedule": Schedule(0, 2)}, "during the warm-up"),
        ({"start": "cold"}, "start='cold'"),
    ],
)
def test_an_annealing_that_cannot_be_is_refused_before_any_work(monkeypatch, options, sentence):
    monkeypatch.setattr(Hopfield, "sweep", None)
    arguments = {"temperatures": TEMPERATURES, "start": XI[0], "schedule": SHORT} | options
    with pytest.raises(ValueError, match=sentence):
        annealed(MODEL, **arguments)


def test_branches_that_cannot_be_are_refused():
    with pytest.raises(ValueError, match="'heating' or 'cooling'"):
        Branch(XI[0], "up")
    run = simulate(MODEL, Glauber(0.3), XI[0], SHORT, 3, 1, keep_spins=True)
    with pytest.raises(ValueError, match=r"run\['spins'\].values"):
        Branch(run, "heating")
    with pytest.raises(ValueError, match="at least one branch"):
        branches(MODEL, (0.3, 0.5), {})
