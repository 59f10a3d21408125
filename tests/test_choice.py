"""The choice between the forms of a sweep leaves no trace, and every form has the right law.

Each form is made to take all lanes, or a share of them, in place of what the costs would say.
"""

from __future__ import annotations

import functools
import itertools
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hopfield_sim import Glauber, Hopfield, Metropolis, ZeroTemperature, patterns
from hopfield_sim import randomness as rnd
from hopfield_sim.dynamics import noise, stream
from hopfield_sim.kernels import blocked, choice, couplings, packed, plain
from hopfield_sim.learning import hebb
from hopfield_sim.randomness import EXPONENTIAL, FIXED, LOGISTIC, NONE, RANDOM, Noise, Stream
from tests import exact

FORMS = {
    "plain": (plain.sweep_patterns, "by_site"),
    "blocked": (blocked.sweep_patterns, "blocked"),
    "packed": (packed.sweep_patterns, "bits"),
    "couplings": (couplings.sweep_patterns, "pairs"),
}
SINGLE = {"plain", "packed"}  # lanes one by one: which is faster depends on the processor
KINDS = {"none": NONE, "logistic": LOGISTIC, "exponential": EXPONENTIAL}
N, P, LANES, SWEEPS = 130, 9, 37, 100


def shared_by(*names):
    """In place of `choice._plan`: lanes dealt to the named forms, moved on by one at each call."""
    turn = itertools.count()

    def plan(layouts, draws, lanes, acceptance, n_sweeps):
        first = next(turn)
        shares = [
            (FORMS[name], lanes[(k + first) % len(names) :: len(names)])
            for k, name in enumerate(names)
        ]
        return [(form, getattr(layouts, at), share) for (form, at), share in shares if len(share)]

    return plan


@pytest.fixture
def planned(monkeypatch):
    """Runs the choice's own plan, wherever we are, and keeps what it was: [[(form, lanes)]]."""
    monkeypatch.setattr(choice, "X86", True)
    plan, kept = choice._plan, []

    def spy(*arguments):
        made = plan(*arguments)
        names = {form: name for name, (form, _) in FORMS.items()}
        kept.append([(names[form], lanes) for form, _, lanes in made])
        return made

    monkeypatch.setattr(choice, "_plan", spy)
    return kept


def names_in(kept):
    return {name for plan in kept for name, _ in plan}


def network(self_coupling="zero"):
    return Hopfield(patterns.random(P, N, seed=2), self_coupling)


@functools.cache
def starts():
    """Random spins of more lanes than are used, and the words of those lanes."""
    return patterns.random(128, N, seed=6).astype(np.int8), rnd.lane_words(0.3, 128)


def run(model, kind, lanes=range(LANES), sweeps=(SWEEPS,), first_sweep=3):
    """Spins, overlaps and flips of these lanes after so many sweeps, in so many calls."""
    lanes = np.asarray(lanes)
    spins, words = (array[lanes] for array in starts())
    overlaps = model.memory(spins)
    temperatures = np.array([0.0, 0.05, 0.5, 1.2])[lanes % 4]
    draws = Stream(rnd.key(5), words)
    flips = np.zeros(len(lanes), np.int64)
    for n_sweeps in sweeps:
        loud = Noise(kind, temperatures / 2, FIXED)
        flips += model.sweep(spins, overlaps, loud, draws, first_sweep, n_sweeps)
        first_sweep += n_sweeps
    assert np.array_equal(overlaps, model.memory(spins))
    return spins, overlaps, flips


@pytest.fixture
def expected(monkeypatch):
    """The same by the plain form alone, which test_forms.py holds against the reference."""

    def straight(model, *arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(choice, "_plan", shared_by("plain"))
            return run(model, *arguments, **options)

    return straight


def assert_same(found, wanted):
    for one, two in zip(found, wanted, strict=True):
        assert one.dtype == two.dtype
        np.testing.assert_array_equal(one, two)


# ------------------------------------------------------------------------------ no trace is left


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize(
    "names",
    [(name,) for name in FORMS] + [*itertools.combinations(FORMS, 2)] + [tuple(FORMS)],
    ids="+".join,
)
def test_any_plan_gives_one_trajectory(names, kind, monkeypatch, expected):
    """Each form alone, each pair and all four, lanes changing hands after 1, 2, 3, 3 ... sweeps."""
    wanted = expected(network(), kind)
    for constant, value in (("_FIRST", 1), ("_THEN", 2), ("_LONGEST", 3)):
        monkeypatch.setattr(choice, constant, value)
    monkeypatch.setattr(choice, "_plan", shared_by(*names))
    assert_same(run(network(), kind), wanted)
    assert wanted[2].min() > 0


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
@pytest.mark.parametrize("constants", [(1, 1, 1), (1, 2, 3), (100, 100, 100)])
def test_own_plan_gives_that_trajectory(constants, kind, monkeypatch, planned, expected):
    """However often it looks again, and in calls of 1, 2 and 97 sweeps."""
    wanted = expected(network(), kind)
    for name, value in zip(("_FIRST", "_THEN", "_LONGEST"), constants, strict=True):
        monkeypatch.setattr(choice, name, value)
    assert_same(run(network(), kind), wanted)
    assert_same(run(network(), kind, sweeps=(1, 2, 97)), wanted)
    assert_same(run(network(), kind, sweeps=(1,) * 100), wanted)
    assert len(planned) > 3
    for plan in planned:  # no lane twice
        lanes = np.concatenate([lanes for _, lanes in plan])
        assert len(np.unique(lanes)) == len(lanes)


def test_lanes_come_alone_or_together(planned, expected):
    """Any number of lanes gives the same ones: below a group, a group, and what is over."""
    wanted = expected(network(), LOGISTIC, range(100))
    for lanes in (range(1), range(5), range(32), range(20, 57), range(99, -1, -1)):
        found = run(network(), LOGISTIC, lanes)
        assert_same(found, [array[np.asarray(lanes)] for array in wanted])
    assert "blocked" in names_in(planned) and names_in(planned) & SINGLE


def test_what_is_remembered_does_not_matter(planned, expected, monkeypatch):
    """Acceptance of an earlier call chooses the form and nothing else."""
    wanted, used = expected(network(), LOGISTIC), {}
    cases = {"none": 0.0, "some": 0.3, "all": 1.0, "by lanes": np.linspace(0, 1, LANES)}
    for name, acceptance in cases.items():
        model, remembered = network(), np.broadcast_to(acceptance, LANES)
        model._layouts.missed = np.inf
        monkeypatch.setattr(choice.Layouts, "remembered", lambda *_, a=remembered: a)
        planned.clear()
        assert_same(run(model, LOGISTIC), wanted)
        used[name] = names_in(planned[:1])
    assert used["none"] == {"couplings"}  # no flip costs: nothing else is as fast
    assert "couplings" not in used["all"]
    assert "couplings" in used["by lanes"] and len(used["by lanes"]) > 1


def test_acceptance_is_remembered_by_lanes():
    """The second call of the same lanes begins with what the first one found."""
    model = network()
    rule = Glauber((0.05, 1.2))
    draws, loud = stream(model, rule, 4, 1), noise(rule, 4)
    spins = np.repeat(model.patterns[:1], 8, axis=0).astype(np.int8)
    flips = model.sweep(spins, model.memory(spins), loud, draws, 0, 4)
    handed = []

    def look(layouts, draws, *_):
        handed.append(layouts.remembered(draws))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choice, "sweep_patterns", lambda m, d, s, o, draws, *_: look(m, draws))
        model.sweep(spins, model.memory(spins), loud, draws, 4, 1)
        other = Stream(draws.key, draws.lanes[::-1].copy())
        model.sweep(spins, model.memory(spins), loud, other, 4, 1)
    np.testing.assert_allclose(handed[0], flips / (4 * N), rtol=1e-12)
    assert handed[1] is None


# ------------------------------------------------------------------------------- zero temperature


@pytest.mark.parametrize("n_lanes", [1, 3, 40])
@pytest.mark.parametrize("self_coupling", ["zero", "hebb"])
def test_a_quench_ends_where_plain_numpy_ends(self_coupling, n_lanes, planned, judge, monkeypatch):
    """A million sweeps asked for; lanes at a fixed point are taken out, spins and flips agree."""
    monkeypatch.setattr(choice, "_FIRST", 1)
    model = network(self_coupling)
    found = run(model, NONE, range(n_lanes), sweeps=(10**6,))
    assert_same(found, judge(run, network(self_coupling), NONE, range(n_lanes), sweeps=(25,)))
    fields = model.field(found[0]) + model.self_couplings * found[0]
    assert np.all(found[0] * fields >= 0) and found[2].min() > 0
    sizes = [sum(len(lanes) for _, lanes in plan) for plan in planned]
    assert sizes[0] == n_lanes
    assert sizes == sorted(sizes, reverse=True)
    if n_lanes < 4:  # one by one, each until it stops: one plan is enough
        assert len(sizes) == 1
    if n_lanes == 40:  # groups of lanes first, the last ones one by one
        assert len(set(sizes)) > 2
        assert "blocked" in names_in(planned[:1]) and names_in(planned[-1:]) <= SINGLE


@pytest.mark.parametrize("names", [*itertools.combinations(FORMS, 2)], ids="+".join)
def test_a_quench_may_change_hands(names, monkeypatch, expected):
    wanted = expected(network(), NONE, sweeps=(25,))
    monkeypatch.setattr(choice, "_FIRST", 2)
    monkeypatch.setattr(choice, "_plan", shared_by(*names))
    assert_same(run(network(), NONE, sweeps=(10**6,)), wanted)


# ------------------------------------------------------------------------- couplings when they pay


def cold(model):
    """A hundred sweeps near a stored pattern: spins."""
    rule = Glauber(0.05)
    spins = np.repeat(model.patterns[:1], 5, axis=0).astype(np.int8)
    for first in (0, 50):
        model.sweep(
            spins, model.memory(spins), noise(rule, 5), stream(model, rule, 5, 1), first, 50
        )
    return spins


def test_couplings_are_made_when_they_were_missed(planned):
    """Not before the time lost would have paid for them, and only where N^2 of them may be kept."""
    spins = []
    for build, largest, are_made in (
        (0.0, 2**28, True),
        (np.inf, 2**28, False),
        (0.0, 2 * N**2, True),
        (0.0, 2 * N**2 - 1, False),
    ):
        planned.clear()
        model = network()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(choice, "_BUILD", build)
            patch.setattr(choice, "_LARGEST_COUPLINGS", largest)
            spins.append(cold(model))
        assert ("pairs" in vars(model._layouts)) == are_made
        assert ("couplings" in names_in(planned)) == are_made
        assert (model._layouts.missed > 0) == (largest >= 2 * N**2)
    for others in spins[1:]:
        np.testing.assert_array_equal(others, spins[0])


@pytest.mark.parametrize("allowed", [(-1, 0, 1), (-3, 2)])
def test_other_values_than_one_have_no_bits(allowed, planned, judge):
    """Single lanes of such patterns are swept plainly, groups of them blocked."""
    xi = np.asarray(allowed, np.float32)[(patterns.random(P, N, seed=3) > 0).astype(int)]
    xi[:, ::7] = allowed[-1]

    def moved(n_lanes):
        model, rule = Hopfield(xi), Glauber(0.7)
        model._layouts.missed = np.inf
        spins = patterns.random(n_lanes, N, seed=6).astype(np.int8)
        model.sweep(
            spins, model.memory(spins), noise(rule, n_lanes), stream(model, rule, n_lanes, 1), 0, 5
        )
        return spins

    for n_lanes in (1, 33):
        np.testing.assert_array_equal(moved(n_lanes), judge(moved, n_lanes))
    assert names_in(planned) == {"plain", "blocked"}


def test_random_order_takes_the_plain_form(planned, judge):
    """Sites drawn with replacement cannot be blocked; the result is right all the same."""

    def moved():
        model, rule = Hopfield(patterns.random(3, 20, seed=1)), Metropolis(0.7)
        spins = np.ones((40, 20), np.int8)
        overlaps = model.memory(spins)
        model.sweep(spins, overlaps, noise(rule, 40), stream(model, rule, 40, 1), 0, 5)
        assert np.array_equal(overlaps, model.memory(spins))
        return spins

    np.testing.assert_array_equal(moved(), judge(moved))
    assert names_in(planned) == {"plain"}


# ----------------------------------------------------------------------------------------- threads


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_threads_on_one_model_do_not_meet(kind, planned, expected):
    """Different lanes of a new model at the same time: layouts, memory of acceptance are shared."""
    parts = [range(0, 40), range(40, 43), range(43, 80), range(80, 81)]
    wanted = [expected(network(), kind, part) for part in parts]
    for _ in range(3):
        model, together = network(), threading.Barrier(2)
        model._layouts.missed = np.inf

        def work(numbers, model=model, together=together):
            together.wait(timeout=60)
            return [run(model, kind, parts[k], sweeps=(1, 2, 97)) for k in numbers]

        with ThreadPoolExecutor(2) as pool:
            one, two = pool.map(work, ([0, 1], [2, 3]))
        for found, ready in zip(one + two, wanted, strict=True):
            assert_same(found, ready)


# -------------------------------------------------------------------------- the law, by enumeration

SMALL = 10
REPLICAS = 25_000

# As in test_dynamics.py: a true sampler has a chance of 1e-6 to fail one of about 40 comparisons;
# a wrong one must stay below the second number to count as a clear failure.
LEAST_P, CLEARLY_WRONG_P = 1e-6, 1e-30


def law_of_visits(law, model, rule, order, seed, sweeps):
    """The exact law after these sweeps: every visit applied to all 2^N weights."""
    flip = exact.flip_probabilities(model, rule)
    for sweep in sweeps:
        visits = np.arange(SMALL)
        if order == RANDOM:
            visits = exact.visits(model, Metropolis(1.0), seed, sweep)
        for site in visits:
            law = exact.visited(law, flip, site)
    return law


def counted(model, rule, order, seed, spins, memory, sweeps):
    """Counts of the states after these sweeps, whatever orders the rule itself allows."""
    loud = Noise(rule.kind, np.full(len(spins), rule.temperature / 2), order)
    model.sweep(
        spins, memory, loud, stream(model, rule, len(spins), seed), sweeps.start, len(sweeps)
    )
    return np.bincount(exact.state_numbers(spins), minlength=2**SMALL)


def warm(model):
    """Twice the root-mean-square field: most states matter, and the start is soon forgotten."""
    return 2.0 * float(np.sqrt((model.field(exact.states(SMALL)) ** 2).mean()))


HOLDERS = {
    **{name: Hopfield for name in FORMS},
    "choice": Hopfield,
    "any couplings": hebb.coupled,
}
CASES = [
    pytest.param(name, rule, order, id=f"{name}, {rule.__name__} {word}")
    for name in HOLDERS
    for rule in (Glauber, Metropolis)
    for order, word in ((FIXED, "fixed"), (RANDOM, "random"))
    if order == FIXED or name in ("choice", "any couplings")
]


@pytest.mark.parametrize(("name", "rule", "order"), CASES)
def test_every_form_has_the_exact_law(name, rule, order, monkeypatch):
    """All 1024 states: after one sweep, after three, and at rest with Boltzmann's weights.

    25 000 independent replicas from one state. (Metropolis in fixed order has that law at this
    temperature, where no flip that costs something is certain; as a rule it is refused.)
    """
    if name in FORMS:
        monkeypatch.setattr(choice, "_plan", shared_by(name))
    model = HOLDERS[name](patterns.random(3, SMALL, seed=2))
    temperature, seed = warm(model), 5
    rule = rule(temperature)
    state = 0b1100111010
    spins = np.repeat(exact.states(SMALL)[[state]], REPLICAS, axis=0)
    memory, law = model.memory(spins), exact.certain(state, SMALL)
    enough = 30 if order == FIXED else 60
    for sweeps in (range(0, 1), range(1, 3), range(3, enough)):
        law = law_of_visits(law, model, rule, order, seed, sweeps)
        counts = counted(model, rule, order, seed, spins, memory, sweeps)
        possible = law > 1e-15  # a site that random order left out cannot have turned
        assert counts[~possible].sum() == 0
        assert exact.p_value(counts[possible], law[possible] / law.sum()) > LEAST_P
    energies = model.energy(exact.states(SMALL))
    boltzmann = exact.weights(energies, temperature)
    # what is left of the start: chi-square has a standard deviation of 45
    assert REPLICAS * ((law - boltzmann) ** 2 / boltzmann).sum() < 0.1
    assert exact.p_value(counts, boltzmann) > LEAST_P
    assert exact.p_value(counts, exact.weights(energies, 1.1 * temperature)) < CLEARLY_WRONG_P


@pytest.mark.parametrize("fault", ["floor", "scale"])
@pytest.mark.parametrize("name", FORMS)
def test_wrong_thresholds_would_be_noticed(name, fault, monkeypatch):
    """Negative control: rounded down instead of up (`s H - d < theta - 1`), or 10 % too wide."""
    monkeypatch.setattr(choice, "_plan", shared_by(name))
    model = Hopfield(patterns.random(3, SMALL, seed=2))
    rule = Glauber(warm(model))
    spins = np.repeat(exact.states(SMALL)[[0]], 3 * REPLICAS, axis=0)
    law = law_of_visits(exact.certain(0, SMALL), model, rule, FIXED, 5, range(3))
    if fault == "floor":
        vars(model)["_diagonal"] = model._diagonal - np.int32(1)
    else:
        rule = Glauber(1.1 * rule.temperature)
    counts = counted(model, rule, FIXED, 5, spins, model.memory(spins), range(3))
    assert exact.p_value(counts, law) < CLEARLY_WRONG_P


@pytest.mark.parametrize("self_coupling", ["zero", "hebb"])
@pytest.mark.parametrize("name", HOLDERS)
def test_every_form_descends_from_every_state(name, self_coupling, monkeypatch):
    """Zero temperature, all 1024 states at once, followed by hand through one to four sweeps."""
    if name in FORMS:
        monkeypatch.setattr(choice, "_plan", shared_by(name))
    model = HOLDERS[name](patterns.random(3, SMALL, seed=2), self_coupling)
    states, rule = exact.states(SMALL), ZeroTemperature()
    turns = states * (model.field(states) + model.self_couplings * states) < -1e-9
    for n_sweeps in range(1, 5):
        now = np.arange(len(states))
        for site in np.tile(np.arange(SMALL), n_sweeps):
            now = np.where(turns[now, site], now ^ (1 << site), now)
        spins = states.copy()
        draws = noise(rule, len(spins)), stream(model, rule, len(spins), 1)
        flips = model.sweep(spins, model.memory(spins), *draws, 0, n_sweeps)
        np.testing.assert_array_equal(exact.state_numbers(spins), now)
        assert flips.max() > 1 and flips.min() == 0
