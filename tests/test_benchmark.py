"""The benchmark's logic on invented numbers, its checks, its bytes. Nothing here is timed."""

import itertools
import json
import math
from dataclasses import asdict

import numpy as np
import pytest
import xarray as xr

from analysis import benchmark
from analysis.benchmark import MET, MISSED, SILENT, UNDECIDED, Goal
from experiments.measuring import (
    forms,
    peers,
    processes,
    programme,
    protocol,
    races_retrieval,
    records,
)
from experiments.measuring.forms import FORMS, Chains, Work, trajectory_hash
from experiments.measuring.protocol import Claim, Contestant, Duel, Running
from hopfield_sim import Glauber, dynamics
from hopfield_sim.kernels import yardsticks
from tests import commands

WORK = Work(200, 20, 0.5, "random", seed=1)


def invented(name, cost, log=None, **more):
    """A contestant that tells its cost: a number, or one for each call (the last one stays)."""
    costs = itertools.chain(np.atleast_1d(cost), itertools.repeat(np.atleast_1d(cost)[-1]))

    def advance(steps):
        if log is not None:
            log.append(name)
        return steps * float(next(costs))

    return Contestant(name, lambda: Running(advance, 1, seconds=0), **more)


def fought(contestants, rounds=6, probes=(1e9,), claims=(), products=None):
    """A dataset of one duel, measured with invented probes (the last one stays)."""
    values = [*probes, *[probes[-1]] * (2 * rounds)]
    duel = Duel("duel", tuple(contestants), 100, 10, 0.5, "random", products=products)
    measured = protocol.measured(duel, iter(values).__next__, rounds, 0.1)
    return records.dataset([measured], claims, {"seed": 1})


def test_the_order_rotates_and_everyone_runs_once_a_round():
    log = []
    fought([invented(name, 1, log) for name in "abc"], rounds=4)
    assert log[:3] == list("abc")  # the first call of each compiles and is not counted
    assert ["".join(log[k : k + 3]) for k in range(3, 15, 3)] == ["abc", "bca", "cab", "abc"]


def test_turns_are_made_long_enough():
    """A step that costs 1 ms is repeated until a turn has the seconds that were asked for."""
    turns = []

    def advance(steps):
        turns.append(steps)
        return steps * 1e-3

    duel = Duel("duel", (Contestant("one", lambda: Running(advance, 10)),), 1, 1)
    measured = protocol.measured(duel, lambda: 1.0, 3, 0.08)
    assert turns[-3:] == [80, 80, 80]
    np.testing.assert_allclose(measured.costs, 1e-4)


def test_a_misleading_difference_is_asked_again():
    """Steps of 1 ms, but the first difference of two calls comes out a hundred times too large."""
    wrong, turns = [0.001, 0.1], []

    def advance(steps):
        turns.append(steps)
        return wrong.pop(0) if wrong else steps * 1e-3

    duel = Duel("duel", (Contestant("one", lambda: Running(advance, 1, seconds=0.2)),), 1, 1)
    protocol.measured(duel, lambda: 1.0, 3, 0.08)
    assert all(100 <= turn <= 400 for turn in turns[-3:])


def test_a_failed_check_fails_the_measurement():
    def refuse():
        raise RuntimeError("wrong spins")

    duel = Duel("duel", (Contestant("one", lambda: Running(lambda n: n, 1, refuse)),), 1, 1)
    with pytest.raises(RuntimeError, match="wrong spins"):
        protocol.measured(duel, lambda: 1.0, 3, 0.1)


def test_rounds_count_while_the_probes_agree():
    probes = np.array([[1, 1], [1, 1.25], [1.25, 1], [1, 1.26], [2, 1], [np.nan, np.nan]])
    assert benchmark.counts(probes).tolist() == [True, True, True, False, False, False]


def test_ratios_are_taken_inside_a_round_and_loud_rounds_dropped():
    """A machine twice as slow for whole rounds changes nothing; one that changes is left out."""
    slow = np.array([1, 1, 2, 2, 1, 8])  # the first call of each is not counted
    goal = Goal(1, "b / a", 3.5, "<=")
    found = fought(
        [invented("a", slow), invented("b", 3.0 * slow * [1, 1, 1, 1, 1, 7])],
        rounds=5,
        probes=[1e9] * 8 + [1e9, 2e9],
        claims=[Claim(goal, "duel", "b", ("a",))],
    )
    judged = benchmark.verdicts(found).isel(claim=0)
    assert float(judged.ratio) == float(judged.low) == float(judged.high) == 3
    assert (int(judged.kept), int(judged.made), judged.verdict.item()) == (4, 5, MET)


def test_the_limit_is_the_products_at_the_rate_of_the_probes():
    goal = Goal(1, "a / limit", 1.0, "<=")
    claim = Claim(goal, "duel", "a", (protocol.LIMIT,))
    found = fought([invented("a", 6e-9)], probes=(1e9,), claims=[claim], products=3.0)
    judged = benchmark.verdicts(found).isel(claim=0)
    assert math.isclose(judged.ratio, 2.0) and judged.verdict == MISSED


def test_the_best_fixed_form_is_the_one_with_the_smallest_median():
    goal = Goal(9, "a / best", 1.1, "<=")
    field = [invented("a", 2.0), invented("b", 4.0), invented("c", [0.1, 0.1, 2, 2, 2, 2, 2])]
    claim = Claim(goal, "duel", "a", ("b", "c"))
    assert float(benchmark.verdicts(fought(field, claims=[claim])).ratio[0]) == 1


def test_best_of_several_is_the_ratio_of_the_smallest():
    goal = Goal(22, "a / b", 1.0, ">=")
    field = [invented("a", [0, 6, 3, 9, 9, 9, 9]), invented("b", [0, 8, 8, 8, 2, 8, 8])]
    claim = Claim(goal, "duel", "a", ("b",), "best")
    assert float(benchmark.verdicts(fought(field, claims=[claim])).ratio[0]) == 1.5


def test_the_interval_covers_the_median():
    """95 % intervals of 300 experiments with 15 rounds each; the bootstrap is known to be wide."""
    rng = np.random.default_rng(1)
    hits = 0
    for values in rng.lognormal(size=(300, 15)):
        median, low, high = benchmark.interval(values)
        assert low <= median <= high
        hits += low <= 1 <= high
    assert 0.90 < hits / 300 <= 1
    assert np.isnan(benchmark.interval(np.array([]))).all()


@pytest.mark.parametrize(
    ("sense", "low", "high", "kept", "verdict"),
    [
        ("<=", 1.0, 2.0, 9, MET),
        ("<=", 1.0, 2.1, 9, UNDECIDED),
        ("<=", 2.0, 3.0, 9, UNDECIDED),
        ("<=", 2.1, 3.0, 9, MISSED),
        (">=", 2.0, 3.0, 9, MET),
        (">=", 1.0, 2.0, 9, UNDECIDED),
        (">=", 1.0, 1.9, 9, MISSED),
        ("<=", 1.0, 1.5, 6, MET),
        ("<=", 1.0, 1.5, 5, SILENT),
        ("<=", math.nan, math.nan, 0, SILENT),
    ],
)
def test_verdicts(sense, low, high, kept, verdict):
    assert Goal(1, "what", 2.0, sense).verdict(low, high, kept, 9) == verdict


def test_the_file_holds_it_all(tmp_path):
    """NetCDF 3, as written and read: numbers, text, missing rounds; table and figure from it."""
    long = fought([invented("a", 6e-9, drawn=True)], rounds=4, products=3.0)
    goal = Goal(1, "a / limit", 3.0, "<=")
    other = Duel("short", (invented("b", 1.0),), 1, 1, rounds=2)
    measured = [
        protocol.measured(
            Duel("duel", (invented("a", 6e-9, drawn=True),), 100, 10, 0.5, "random", products=3.0),
            lambda: 1e9,
            4,
            0.1,
        ),
        protocol.measured(other, lambda: 1e9, 4, 0.1),
    ]
    found = records.dataset(measured, [Claim(goal, "duel", "a", ("limit",))], {"seed": 1})
    found.to_netcdf(tmp_path / "b.nc", engine="scipy")
    with xr.open_dataset(tmp_path / "b.nc", engine="scipy") as opened:
        again = opened.load()
    assert again.contestant.values.tolist() == ["a", "limit", "b"]
    assert np.isnan(again.cost[2, 2:]).all() and again.cost[2, :2].values.tolist() == [1, 1]
    assert benchmark.table(again) == benchmark.table(found)
    assert "2 [2, 2]" in benchmark.table(again) and "met" in benchmark.table(again)
    assert benchmark.cost_table(again) == benchmark.cost_table(found)
    assert json.loads(again.attrs["settings"]) == {"seed": 1}
    for name in ("processor", "cores", "processor_flags", "numba", "llvmlite", "numpy", "revision"):
        assert name in again.attrs
    for name in again.variables:
        assert again[name].attrs["long_name"], name
    benchmark.lines(long).savefig(tmp_path / "b.png")
    assert (tmp_path / "b.png").stat().st_size > 10_000


@pytest.mark.parametrize("form", [*FORMS, "automatic"])
@pytest.mark.parametrize("replicas", [1, 40])
def test_every_form_leaves_the_same_spins_and_overlaps(form, replicas):
    assert trajectory_hash(WORK, form, replicas) == trajectory_hash(WORK, "plain", replicas)
    chains = Chains(WORK, form, replicas)
    chains.advance(3)
    chains.check()
    assert 0 < chains.accepted() < 1
    chains.memory[0, 0] += 1
    with pytest.raises(RuntimeError, match="disagree"):
        chains.check()


@pytest.mark.parametrize("rows", [False, True])
@pytest.mark.parametrize("start", ["pattern", "random"])
def test_naive_sweeps_are_heat_bath_at_the_same_temperature(start, rows):
    work = Work(400, 40, 0.7, start, seed=2)
    running = forms.naive(work, rows).setup()  # raises where the rate of flips is another
    running.advance(2)
    running.check()  # raises where fields and spins disagree
    ours, colder = flipped(work), flipped(Work(400, 40, 0.5, start, seed=2))
    # one chain against the spread of 64 of ours: farther than five of it once in a million times
    assert abs(running.accepted() - ours.mean()) < 5 * ours.std(ddof=1)
    assert abs(running.accepted() - colder.mean()) > 5 * colder.std(ddof=1)


def flipped(work):
    """Fraction of visits that flip in the naive form's sweeps, each of 64 chains of ours."""
    rule, model, spins = Glauber(work.temperature), work.model, work.spins(64)
    lanes = dynamics.noise(rule, 64), dynamics.stream(model, rule, 64, seed=3)
    n_sweeps = forms.WARM + 2
    flips = model.sweep(spins, model.memory(spins), *lanes, 0, n_sweeps)
    return flips / (n_sweeps * model.n_neurons)


def test_another_temperature_is_noticed():
    colder = Work(400, 40, 0.6, "random", seed=2)
    chains = Chains(colder, "plain", 8)
    chains.advance(forms.WARM)
    forms.check_rate(colder, chains.spins, "the same")
    with pytest.raises(RuntimeError, match="a spin flips with probability"):
        forms.check_rate(Work(400, 40, 0.9, "random", seed=2), chains.spins, "colder")


def test_a_process_works_on_demand_and_its_end_is_noticed():
    task = {"task": "chains", "work": asdict(WORK), "form": "blocked", "replicas": 40}
    child = processes.Child(task, {})
    answer = child.call(2)
    assert answer["cpu"] > 0 and answer["wall"] > 0 and answer["memory"] > 2**20
    child.process.stdin.close()
    child.process.wait(60)
    with pytest.raises(RuntimeError, match="ended early"):
        child.answer()
    child.process.stdout.close()


def test_xoshiro_is_itself():
    """First outputs of the authors' C program with state 1, 2, 3, 4 (upper halves of 64 bits)."""
    out, state = np.empty(6, np.uint32), np.array([1, 2, 3, 4], np.uint64)
    yardsticks.xoshiro_words(out, state, 1)
    known = (41943041, 58720359, 3588806011781223, 3591011842654386)
    known += (9228616714210784205, 9973669472204895162)
    assert out.tolist() == [word >> 32 for word in known]


def test_a_probe_does_its_work():
    out = np.zeros(16, np.int32)
    yardsticks.products(1000, out)
    first = out.copy()
    yardsticks.products(1001, out)
    assert not np.array_equal(first, out)
    data, words = np.arange(1024).astype(np.uint8), np.zeros(64, np.int32)
    yardsticks.read(data, 1, words)
    steps = data.view(np.int32).reshape(-1, yardsticks.READ_STEP // 4)
    np.testing.assert_array_equal(words, np.bitwise_xor.reduce(steps))


def test_goals_choose_what_is_needed():
    class Settings:
        n_neurons, peers, seed, goals = (128, 2048), False, 1, (2, 8)

    duels, claims = programme.programme(Settings)
    assert {claim.goal.number for claim in claims} == {2, 8}
    assert {duel.name for duel in duels} == {"sequential N=2048 T=0.5", "acceptance"}
    names = [c.name for c in duels[0].contestants]
    assert names == ["blocked R=64", "float64, fields kept"]


def test_missing_peers_are_named(monkeypatch):
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="dwave-samplers and openjij.*pip install"):
        peers.check_installed()


def test_retrieval_is_checked_and_absent_peers_are_said(monkeypatch):
    """Without torch: ours and NumPy, all right in float32; a wrong beta is noticed."""
    monkeypatch.setattr(peers.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(races_retrieval, "_SIZES", ((8, 300),))
    assert peers.absent_for_retrieval() == ["torch attention", "hopfield-layers"]

    class Settings:
        seed = 1

    (duel,), (claim,) = races_retrieval.softmax(Settings)
    assert [c.name for c in duel.contestants] == ["ours", "our layer", "NumPy, whole table"]
    assert claim.numerator == "ours" and claim.denominators == ("NumPy, whole table",)
    for contestant in duel.contestants:
        running = contestant.setup()
        running.advance(2)
        running.check()
    wrong = races_retrieval._contestant(
        "wrong",
        races_retrieval._inputs(8, 300, 1),
        0.3,
        lambda queries, stored, beta: races_retrieval._by_us(queries, stored, 1.1 * beta),
    )
    with pytest.raises(RuntimeError, match="off by"):
        wrong.setup().check()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--goals", "99"), "99"),
        (("--rounds", "1"), "rounds"),
        (("--n-neurons", "7"), "n-neurons"),
        (("--redraw", "--store", "nowhere.nc"), "nowhere.nc"),
    ],
)
def test_wrong_input_ends_with_a_sentence(arguments, sentence):
    told = commands.printed("benchmark", *arguments, expect=2)
    assert sentence in told and told.startswith("error: ") and "Traceback" not in told


def test_one_command_measures_and_redraws(tmp_path, monkeypatch):
    """Small and short: the numbers mean nothing, the shape of what comes out does."""
    where = ("--store", f"{tmp_path}/b.nc", "--figure", f"{tmp_path}/b.png")
    small = ("--n-neurons", "128", "--rounds", "3", "--seconds", "0.001", "--goals", "18", "23")
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    done = commands.printed_by_a_process("benchmark", *small, *where)
    table = done[done.index("goal  what") :]
    assert [line.split()[0] for line in table.splitlines()[1:4]] == ["18", "23", "23"]
    assert table in commands.printed("benchmark", "--redraw", *where)
