"""Traps that other programs fell into and that belong to no single room."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

import hopfield_sim
from hopfield_sim import (
    Coupled,
    Glauber,
    Hopfield,
    Metropolis,
    Schedule,
    observables,
    patterns,
    simulate,
    updated,
)
from tests import exact

INFINITE = 1e9  # a temperature at which every state has the same weight, to 1e-9


def state_number(model, spins, memory):
    """Number of the state"""
    return exact.state_numbers(spins)


def visited_states(model, rule, n_samples, every=1):
    """Number of the state after each `every` sweeps of one chain that starts with all spins up."""
    schedule = Schedule(warmup=0, samples=n_samples, every=every)
    up = np.ones(model.n_neurons)
    run = simulate(model, rule, up, schedule, n_replicas=1, seed=3, observe=[state_number])
    return run.state_number.values[0]


# ------------------------------------------------ periodic and reducible chains at high temperature


@pytest.mark.parametrize("make", [Hopfield.example, Coupled.example])
@pytest.mark.parametrize("n_neurons", [5, 6])
@pytest.mark.parametrize("order", ["fixed", "random"])
def test_heat_bath_visits_all_states_at_infinite_temperature(make, n_neurons, order):
    """One chain, one state a sweep: at beta = 0 a visited spin is a new coin, so fixed order makes
    the states of successive sweeps independent and chi-square applies to a single chain.

    In random order a sweep misses a site with probability (1 - 1/N)^N = 0.33: every tenth counts.
    """
    every = 1 if order == "fixed" else 10
    numbers = visited_states(make(n_neurons, 1), Glauber(INFINITE, order), 2000, every)
    counts = np.bincount(numbers, minlength=2**n_neurons)
    assert stats.chisquare(counts).pvalue > 1e-6


def test_metropolis_visits_all_states_at_infinite_temperature():
    """Random sites with replacement: all 32 states of five neurons equally often.

    There, every visit turns its spin: with five visits a sweep both parities come in turn (an
    even number of neurons would keep to one of them, which only this limit shows). Apart from
    that the walk over the states forgets by (3/5)^5 = 0.08 a sweep at least, so counts scatter
    by at most (1 + 0.08) / (1 - 0.08) = 1.17 times a chi-square.
    """
    model = Hopfield.example(5, 1)
    counts = np.bincount(visited_states(model, Metropolis(INFINITE), 4000), minlength=32)
    chi_square = ((counts - 125) ** 2 / 125).sum()
    assert stats.chi2.sf(chi_square / 1.17, 31) > 1e-6


def test_fixed_order_would_be_periodic_for_metropolis():
    """Why it is refused: each sweep would turn every spin, so two of all states were ever seen."""
    model = Hopfield.example(5, 1)
    flip = exact.flip_probabilities(model, Metropolis(INFINITE))
    law = exact.certain(0, 5)
    for site in range(5):
        law = exact.visited(law, flip, site)
    assert law[31] == pytest.approx(1, abs=1e-6)
    for order in ("fixed", "parallel"):
        with pytest.raises(ValueError, match="Metropolis.*refused"):
            Metropolis(INFINITE, order)


@pytest.mark.parametrize("rule", [lambda t: Glauber(t, "random"), Metropolis], ids=["G", "M"])
@pytest.mark.parametrize("temperature", [2.0, 5.0, 10.0])
def test_replicas_of_one_start_become_independent(rule, temperature):
    """Lanes share the random order of sites: that must not show in q12 after the warm-up.

    Above T_c q12 has mean 0. Over 32 independent pairs and 40 samples its standard error is
    0.1 / sqrt(1280) times a factor of at most 2 for the correlation of samples and neurons.
    """
    run = simulate(
        Hopfield(patterns.random(3, 100, 1)),
        rule(temperature),
        np.ones(100),
        Schedule(warmup=200, samples=40, every=5),
        n_replicas=64,
        seed=2,
        observe=[observables.replica_overlap],
    )
    assert abs(float(run.replica_overlap.mean())) < 5 * 2 * 0.1 / np.sqrt(1280)


# --------------------------------------------------------------------- seeds that add with the rank


def test_neighbouring_seeds_and_replicas_are_unrelated_runs():
    """Replica a of seed s is not replica a - 1 of seed s + 1, nor any other: all 10 x 10 differ.

    And no pair of the hundred trajectories agrees beyond chance: 2500 coins a pair at infinite
    temperature, 4950 pairs, six standard deviations.
    """
    model = Coupled(np.zeros((50, 50)))
    trajectories = []
    for seed in range(10):
        s = np.ones((10, 50))
        states = []
        for sweep in range(50):
            s = updated(model, Glauber(1.0), s, seed=seed, first_sweep=sweep)
            states.append(s)
        trajectories.extend(np.stack(states, axis=1).reshape(10, -1))
    trajectories = np.stack(trajectories)
    agreement = trajectories @ trajectories.T / 2500
    np.fill_diagonal(agreement, 0)
    assert np.abs(agreement).max() < 6 / np.sqrt(2500)


# ---------------------------------------------------------------- compiled code that is out of date

SCRIPT = """
import hopfield_sim
import numpy as np
from hopfield_sim import Glauber, Hopfield, updated
spins = updated(Hopfield.example(40, 1), Glauber(1.0), np.ones(40), sweeps=3, seed=1)
print(hopfield_sim.__file__, "".join("+-"[int(s < 0)] for s in spins))
"""


@pytest.fixture
def copied(tmp_path):
    """A copy of the package, and a way to run a script with it in a process of its own."""
    home = tmp_path / "hopfield_sim"
    package = Path(hopfield_sim.__file__).parent
    shutil.copytree(package, home, ignore=shutil.ignore_patterns("__pycache__"))
    unset = {"NUMBA_CACHE_DIR", "PYTHONPATH"}
    environment = {name: value for name, value in os.environ.items() if name not in unset}
    # Python's own cache looks at whole seconds only: two edits within one would deceive it
    environment |= {"PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}

    def run(script):
        done = subprocess.run(
            [sys.executable, "-c", script],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout

    return home, run


def test_an_edited_callee_changes_the_answer(copied):
    """Numba's cache looks at the file of the caller only; ours must look at all of them.

    The caller is in kernels/packed.py, the edited callee in kernels/draws.py.
    """
    home, run = copied

    def answer():
        where, spins = run(SCRIPT).split()
        assert Path(where).parent == home  # the copy was run, not the package under test
        assert len(spins) == 40
        return spins

    def machine_code():
        return sorted(home.rglob("*.nbc"))

    first, kept = answer(), machine_code()
    assert kept  # something is cached ...
    assert answer() == first
    assert machine_code() == kept  # ... and used: the second process compiled nothing
    callee = home / "kernels" / "draws.py"
    source = callee.read_text()
    right, wrong = "ln[k], ln[len(words) + k]", "ln[len(words) + k], ln[k]"
    assert right in source
    callee.write_text(source.replace(right, wrong))
    assert answer() != first
    assert machine_code() != kept
    callee.write_text(source)
    assert answer() == first


def test_every_kernel_source_is_in_the_key_of_the_cache(copied):
    home, run = copied
    script = "from hopfield_sim import device; print(device.source_key())"
    keys = {run(script)}
    sources = [home / "randomness.py", *sorted((home / "kernels").glob("*.py"))]
    assert len(sources) > 5
    for source in sources:
        source.write_text(source.read_text() + "\n# edited\n")
        keys.add(run(script))
    assert len(keys) == 1 + len(sources)
