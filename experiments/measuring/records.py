"""Measurements as a labelled dataset: costs, probes, goals, and a description of the machine."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from experiments.measuring.protocol import LIMIT, Claim, Measured
from hopfield_sim import provenance
from hopfield_sim.kernels import simd, yardsticks

_PROBE = 0.002  # CPU seconds of a probe
_PROBES = 3  # the best of so many counts


def products_probe() -> Callable[[], float]:
    """A probe: the processor's peak at this moment, in products of int16 a second."""
    out = np.zeros(16, np.int32)

    def rate(steps: int) -> float:
        begin = time.process_time()
        yardsticks.products(steps, out)
        return steps * yardsticks.PRODUCTS / (time.process_time() - begin)

    rate(10)  # compiles
    steps = int(_PROBE * rate(20_000) / yardsticks.PRODUCTS)
    return lambda: max(rate(steps) for _ in range(_PROBES))


def dataset(measured: Sequence[Measured], claims: Sequence[Claim], settings: dict) -> xr.Dataset:
    """All measurements: dims entry (a contestant of a duel), duel, round, side, claim.

    Where a duel says how many products a unit needs, the entry "limit" is added: what they cost at
    the rate of the probes of the round.
    """
    rounds = max(m.costs.shape[1] for m in measured)
    entries, rows, accepted, probes = [], [], [], []
    for k, m in enumerate(measured):
        members = [(c.name, c.family, c.replicas, c.drawn) for c in m.duel.contestants]
        costs, flips = list(m.costs), list(m.accepted)
        if m.duel.products:
            members.append((LIMIT, "limit", 1, True))
            costs.append(m.duel.products / m.probes.mean(axis=1))
            flips.append(np.nan)
        entries += [(k, *member) for member in members]
        rows += [_padded(c, rounds) for c in costs]
        probes.append(_padded(m.probes, rounds))
        accepted += flips
    place = {(measured[e[0]].duel.name, e[1]): k for k, e in enumerate(entries)}
    duels = [m.duel for m in measured]
    below = np.zeros((len(claims), len(entries)), np.int8)
    for k, claim in enumerate(claims):
        for name in claim.denominators:
            below[k, place[claim.duel, name]] = 1

    def described(dims, values, long_name, units="1"):
        return (dims, values, {"long_name": long_name, "units": units})

    index, names, families, replicas, drawn = zip(*entries, strict=True)
    return xr.Dataset(
        {
            "cost": described(
                ("entry", "round"), np.array(rows), "Cost of a unit of work", "see cost_unit"
            ),
            "probe": described(
                ("duel", "round", "side"),
                np.array(probes),
                "Peak of int16 products before and after a round",
                "1/s",
            ),
            "accepted": described("entry", np.array(accepted), "Fraction of attempted flips made"),
        },
        coords={
            "contestant": described("entry", list(names), "Who was measured"),
            "duel_of_entry": described("entry", np.array(index, np.int32), "Its duel"),
            "family": described("entry", list(families), "ours, naive, peer or limit"),
            "replicas": described("entry", np.array(replicas, np.int32), "Chains moved together"),
            "drawn": described("entry", np.array(drawn, np.int8), "Whether the figure shows it"),
            "duel": described("duel", [d.name for d in duels], "Duel"),
            "n_neurons": described("duel", _ints(d.n_neurons for d in duels), "Neurons N"),
            "n_patterns": described("duel", _ints(d.n_patterns for d in duels), "Patterns P"),
            "temperature": described(
                "duel", np.array([d.temperature for d in duels], float), "Temperature T in J"
            ),
            "start": described("duel", [d.start or "-" for d in duels], "Where it begins"),
            "unit": described("duel", [d.unit for d in duels], "Unit of work"),
            "cost_unit": described("duel", [d.cost for d in duels], "Unit of the costs"),
            "steady": described(
                "duel", np.array([d.steady for d in duels], np.int8), "Whether probes drop rounds"
            ),
            "goal": described("claim", _ints(c.goal.number for c in claims), "Number of the goal"),
            "what": described("claim", [c.goal.what for c in claims], "What the ratio is"),
            "bound": described("claim", np.array([c.goal.bound for c in claims], float), "Bound"),
            "sense": described("claim", [c.goal.sense for c in claims], "Which side is right"),
            "statistic": described("claim", [c.statistic for c in claims], "median or best"),
            "numerator": described(
                "claim", _ints(place[c.duel, c.numerator] for c in claims), "Entry above the line"
            ),
            "denominators": described(
                ("claim", "entry"), below, "Entries of which the cheapest is below the line"
            ),
        },
        attrs={
            "title": "Benchmark of the kernels",
            "settings": provenance.as_json(settings),
            "seed": provenance.as_json(settings["seed"]),
            **machine(),
        },
    )


def machine() -> dict[str, object]:
    """Processor, what the code was compiled for, versions, date: for the attributes."""
    known = {k: str(v) for k, v in provenance.circumstances().items() if k not in ("host",)}
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    facts = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    facts = {k.strip(): v.strip() for k, v in facts.items()}
    vectors = ("avx", "amx", "sse4", "fma", "popcnt")
    flags = [f for f in facts.get("flags", "").split() if f.startswith(vectors)]
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else [0] * os.cpu_count()
    return known | {
        "processor": facts.get("model name") or platform.processor() or platform.machine(),
        "cores": len(cores),
        "processor_flags": " ".join(flags),
        "vector_code": "AVX-512 VNNI" if simd.VNNI else "AVX2" if simd.AVX2 else "general",
        **{name: importlib.metadata.version(name) for name in ("llvmlite", "scipy")},
    }


def _ints(values) -> np.ndarray:
    return np.array(list(values), np.int32)


def _padded(values: np.ndarray, rounds: int) -> np.ndarray:
    """NaN for the rounds that this duel did not have; rounds along the first axis."""
    padded = np.full((rounds, *values.shape[1:]), np.nan)
    padded[: len(values)] = values
    return padded
