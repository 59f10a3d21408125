"""Every compiled form against its reference, flip by flip; exact integers; lanes on their own."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import numpy as np
import pytest

from hopfield_sim import Coupled, Glauber, Hopfield, Metropolis, ZeroTemperature, kernels, patterns
from hopfield_sim import device as devices
from hopfield_sim.dynamics import noise, stream
from hopfield_sim.kernels import reference
from hopfield_sim.learning import hebb
from hopfield_sim.randomness import Stream
from tests import exact

NETWORKS = {**exact.NETWORKS, **exact.ASYMMETRIC}


def start(n_lanes: int, n_neurons: int) -> np.ndarray:
    """Random spins: int8 (lane, neuron)."""
    return patterns.random(n_lanes, n_neurons, 7).astype(np.int8)


def run(model, rule, spins, n_sweeps, seed=3, first_sweep=0, draws=None):
    """Final spins, memory and flips of lanes that start from `spins` (lane, neuron)."""
    spins = spins.copy()
    n_replicas = len(spins) // np.size(rule.temperature)
    memory = model.memory(spins)
    flips = model.sweep(
        spins,
        memory,
        noise(rule, n_replicas),
        draws or stream(model, rule, n_replicas, seed),
        first_sweep,
        n_sweeps,
    )
    return spins, memory, flips


def assert_same(one, two):
    for a, b in zip(one, two, strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_compiled_form_is_the_reference(name, rule, judge):
    """Spins, memory and number of flips, sweep by sweep; sizes with every remainder of four."""
    for n_neurons, n_lanes in ((5, 3), (6, 1), (8, 2), (31, 2)):
        model = NETWORKS[name](n_neurons, 2)
        spins = start(n_lanes, n_neurons)
        for first_sweep, n_sweeps in ((0, 1), (1, 1), (2, 5), (2**34, 2)):
            compiled = run(model, rule, spins, n_sweeps, first_sweep=first_sweep)
            assert_same(compiled, judge(run, model, rule, spins, n_sweeps, first_sweep=first_sweep))
            spins = compiled[0]


def wide_fields():
    """Pattern values whose fields need more than 30 bits."""
    return Hopfield(exact.multi_valued(33, 4, 3000, 1))


def wide_overlaps():
    """Overlaps beyond 16 bits, few patterns."""
    return Hopfield(patterns.random(2, 32_769, 1))


def widest_overlaps():
    """Overlaps beyond 31 bits: a long network of the largest pattern values."""
    return Hopfield(32_767 * patterns.random(1, 66_001, 1))


def narrow_patterns():
    """So many entries that patterns are held as bytes, beside overlaps beyond 16 bits."""
    return Hopfield(patterns.random(14, 40_001, 1))


def wide_couplings():
    """Integer couplings beyond 16 bits with fields beyond 30 bits."""
    return hebb.coupled(exact.multi_valued(33, 4, 9000, 1))


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize(
    "make", [wide_fields, wide_couplings, wide_overlaps, widest_overlaps, narrow_patterns]
)
def test_compiled_form_is_the_reference_in_wide_types(make, rule, judge):
    model = make()
    n_sweeps = 1 if model.n_neurons > 1000 else 5
    spins = start(1 if model.n_neurons > 1000 else 3, model.n_neurons)
    if rule.kind:  # a temperature at which many flips happen
        rule = type(rule)(float(np.std(model.field(spins))), rule.order)
    compiled = run(model, rule, spins, n_sweeps)
    assert_same(compiled, judge(run, model, rule, spins, n_sweeps))
    assert np.all(compiled[2] > model.n_neurons / 20)


def test_wide_types_are_really_needed_there():
    """The networks above leave the narrow types, at the edges that are stated."""
    assert kernels.field_type(2.0**30 - 64) == np.int32
    assert kernels.field_type(2.0**30) == np.int64
    assert 4 * 33 * 3000**2 > 2**30  # the bound P N max|xi|^2 of `wide_fields`
    assert wide_couplings().memory(np.ones(33)).dtype == np.int64
    ones = np.ones(40_001)
    assert wide_overlaps().memory(ones[:32_769]).dtype == np.int32
    assert widest_overlaps().memory(np.ones(66_001)).dtype == np.int64
    assert Hopfield(patterns.random(2, 32_767, 1)).memory(ones[:32_767]).dtype == np.int16
    assert narrow_patterns().patterns.size > 2**19


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize("make", [Hopfield.example, Coupled.example])
def test_lanes_run_together_or_one_by_one_are_the_same(make, rule):
    model = make(13, 1)
    spins = start(6, 13)
    whole = run(model, rule, spins, 20)
    draws = stream(model, rule, 6, 3)
    for group in ([0], [1], [2, 3, 4], [5], [4, 1], [5, 4, 3, 2, 1, 0]):
        part = run(model, rule, spins[group], 20, draws=Stream(draws.key, draws.lanes[group]))
        assert_same(part, [values[group] for values in whole])
    # replicas 2, 3, 4 of the same run, asked for by number
    part = run(model, rule, spins[2:5], 20, draws=stream(model, rule, 3, 3, first_replica=2))
    assert_same(part, [values[2:5] for values in whole])


@pytest.mark.parametrize("make", [Hopfield.example, Coupled.example])
@pytest.mark.parametrize(
    ("rule", "order"), [(Glauber, "fixed"), (Glauber, "parallel"), (Metropolis, "random")]
)
def test_temperature_lanes_are_the_single_temperatures(make, rule, order):
    """Also where zero is one of them, and whatever other values stand beside."""
    model = make(13, 1)
    temperatures = (0.0, 0.5, 2.0, 0.25)
    spins = start(3, 13)
    together = run(model, rule(temperatures, order), np.tile(spins, (4, 1)), 20)
    for k, temperature in enumerate(temperatures):
        alone = run(model, rule(temperature, order), spins, 20)
        assert_same(alone, [values[3 * k : 3 * k + 3] for values in together])


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize("name", NETWORKS)
def test_memory_after_ten_thousand_sweeps_is_the_memory_recomputed(name, rule):
    """Overlaps and fields are kept by integer steps: no drift, no refresh."""
    model = NETWORKS[name](13, 5)
    spins, memory, flips = run(model, rule, start(2, 13), 10_000)
    np.testing.assert_array_equal(memory, model.memory(spins))
    if rule.kind:
        assert np.all(flips > 100)


@pytest.mark.parametrize("rule", exact.RULES.values(), ids=exact.RULES)
@pytest.mark.parametrize("self_coupling", ["zero", "hebb"])
@pytest.mark.parametrize("n_neurons", [10, 33])
def test_patterns_and_couplings_are_one_network(n_neurons, self_coupling, rule):
    """The Hebb network held as patterns and as a matrix: the same spins after every sweep."""
    xi = exact.multi_valued(n_neurons, 3, 2, 1)
    held, matrix = hebb.model(xi, self_coupling), hebb.coupled(xi, self_coupling)
    one = two = start(4, n_neurons)
    for sweep in range(30):
        one, _, flips_one = run(held, rule, one, 1, first_sweep=sweep)
        two, _, flips_two = run(matrix, rule, two, 1, first_sweep=sweep)
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(flips_one, flips_two)
        np.testing.assert_allclose(held.energy(one), matrix.energy(two), rtol=1e-12)


@pytest.mark.parametrize("make", [Hopfield.example, Coupled.example])
def test_no_sweeps_change_nothing_and_flips_are_counted(make):
    model = make(13, 1)
    spins = start(3, 13)
    after, _, flips = run(model, Glauber(1.0), spins, 0)
    np.testing.assert_array_equal(after, spins)
    assert flips.tolist() == [0, 0, 0]
    for rule in (Glauber(1.0, "parallel"), Glauber(1.0), ZeroTemperature()):
        after, _, flips = run(model, rule, spins, 1)  # at most one flip a site
        np.testing.assert_array_equal(flips, (after != spins).sum(axis=1))


def test_every_compiled_form_has_its_reference():
    """Whatever form a model may call exists in plain NumPy under the same name."""
    from hopfield_sim.kernels import (
        blocked,
        choice,
        couplings,
        dense,
        dense_bits,
        packed,
        parallel,
        parallel_lanes,
        plain,
    )

    forms = blocked, choice, couplings, dense, dense_bits, packed, parallel, parallel_lanes, plain
    for module in forms:
        names = [n for n in vars(module) if n.startswith(("sweep_", "step_"))]
        assert names
        for name in names:
            assert callable(getattr(reference, name))


# ------------------------------------------------------------------------------------------- device


@pytest.mark.parametrize("device", ["cpu", "auto"])
def test_cpu_and_auto_are_the_processor(device):
    assert devices.resolve(device) == "cpu"


def test_a_gpu_is_refused_while_there_are_no_gpu_kernels():
    """Never the processor in silence."""
    with pytest.raises(RuntimeError, match="device='gpu' was asked for.*use device='cpu'"):
        devices.resolve("gpu")


@pytest.mark.parametrize("device", ["cuda", "GPU", "", None, 0])
def test_unknown_devices_are_refused(device):
    with pytest.raises(ValueError, match="unknown; allowed are 'cpu', 'gpu' and 'auto'"):
        devices.resolve(device)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="about the C library glibc")
def test_freed_memory_is_kept():
    """An array of 1 MB is 256 pages: fetched each time without, and once with it."""
    code = """
import resource, sys
import os
import platform
import subprocess
import sys

import numpy as np
from hopfield_sim import device
if sys.argv[1] == "kept":
    device.keep_freed_memory()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(100):
    np.ones(2**17)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
    # 64 kB, as Dask starts its workers
    surroundings = {**os.environ, "MALLOC_TRIM_THRESHOLD_": "65536"}
    faults = [
        int(subprocess.check_output([sys.executable, "-c", code, how], env=surroundings))
        for how in ("given back", "kept")
    ]
    assert faults[0] > 10 * faults[1]
