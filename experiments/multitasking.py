"""Multitasking networks: diluted patterns recalled at once, stored or learned from examples.

Simulated: networks of N neurons with few patterns of entries -1, 0, 1, blank with probability d, in
four parts. *amplitudes*: heat bath at low temperature from the hierarchical state (every neuron
follows its first pattern that is not blank) and from the majority state, all overlaps m_k over d.
*map*: the same from the hierarchical state over (d, T). *dense*: the P-body networks of order 2, 3
and 4 at T = 0 from the hierarchical state. *learning*: archetypes seen in M examples of quality r,
whose blank entries stay blank, with a teacher at all d, without at some; m_k and the overlap with
the hierarchical state of the archetypes against M. Amplitudes are in the order of the start, and
are thermal means of |m_k|: small ones may change sign, and those that are nearly equal their order.
Thresholds of learning are about the hierarchical state in the order, and with the signs, that the
amplitudes have then.

Drawn: each with the mean-field theory, which is exact for N -> infinity, and its lines: melting of
the levels, coexistence, ends of the hierarchical and the parallel state; the dilution up to which
dense networks are hierarchical; the number of examples from which on archetypes are learned, and
that below which all are recalled alike. Printed: the thresholds of learning at the larger size, the
dilutions that dense networks leave the hierarchical state at, what a teacher changes, and verdicts
on the amplitudes extrapolated from two sizes, m = (N' m(N') - N m(N))/(N' - N). Left out of them
are soft states (a curvature of the free energy below 0.1 of that of free spins: next to the end of
a state or where overlaps become equal) and amplitudes below 10/sqrt(N).
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import Options, all_computed, cells, ended, plan, recorded, saved, started

STARTS = ("hierarchical", "majority")
RULES = ("supervised", "unsupervised")
_PARTS = {
    "amplitudes": ("n_neurons", "dilution", "start", "temperature"),
    "map": ("n_neurons", "dilution", "start", "temperature"),
    "dense": ("interaction", "n_neurons", "dilution"),
    "learning": ("rule", "n_neurons", "dilution", "n_examples"),
}
_LANES = ("start", "temperature", "n_examples")
_FREE = 10_000  # dilutions are told apart to 1/_FREE in seeds


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/multitasking")
    """Folder of the four stores, one a part."""
    figure: Path = Path("figures/multitasking.png")
    realisations: int = 16
    """Independent sets of patterns (and examples); the map has one."""
    n_patterns: int = 3
    """Patterns P, or archetypes."""
    n_neurons: tuple[int, int] = (20_000, 80_000)
    """Two sizes N of the amplitudes; the smaller one is also that of the map."""
    dilution: tuple[float, ...] = (
        *(0.05, 0.12, 0.2, 0.3, 0.38, 0.46, 0.52, 0.56, 0.59, 0.64, 0.7, 0.76, 0.82, 0.88),
    )
    """Dilutions d of the amplitudes."""
    temperature: tuple[float, ...] = (0.02, 0.1)
    """Temperatures T of the amplitudes; the first one is drawn."""
    map_dilution: tuple[float, ...] = tuple(round(0.02 + 0.045 * k, 3) for k in range(22))
    map_temperature: tuple[float, ...] = (0.01, *(round(0.03 + 0.04 * k, 2) for k in range(18)))
    interaction: tuple[int, ...] = (2, 3, 4)
    """Orders of the dense networks."""
    dense_patterns: int = 5
    """Patterns of the dense networks."""
    dense_neurons: tuple[int, int] = (8_000, 32_000)
    dense_dilution: tuple[float, ...] = (
        *(0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9),
    )
    learning_neurons: tuple[int, int] = (5_000, 20_000)
    learning_dilution: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    untaught_dilution: tuple[float, ...] = (0.3, 0.5)
    """Those of learning_dilution at which there is also a network without a teacher."""
    quality: float = 0.5
    """Quality r of the examples."""
    n_examples: tuple[int, ...] = (3, 5, 9, 15, 25, 45, 75)
    """Numbers M of examples; odd ones: of an even number some contradict one another."""
    learning_temperature: float = 0.05
    """High enough to smear what is discrete in class averages of few examples, which at T = 0 makes
    states of its own."""
    overlap: float = 0.9
    """The overlap with the hierarchical state from which on the archetypes count as learned."""
    warmup: int = 30
    """Sweeps before the first measurement."""
    samples: int = 20
    """Measurements, a sweep apart."""


def starts(xi: np.ndarray, seed) -> dict[str, np.ndarray]:
    """The states that simulations start from, name -> spins (neuron,).

    Hierarchical: the sign of the first pattern that is not blank. Majority: that of the sum, in a
    tie of the first. Neurons blank in all patterns are drawn at random.
    """
    from hopfield_sim import patterns

    first = hierarchical(xi)
    free = patterns.random(1, xi.shape[1], seed=seed)[0]
    chosen = {"hierarchical": first, "majority": np.sign(xi.sum(axis=0) + first / 2)}
    return {name: np.where(first == 0, free, spins) for name, spins in chosen.items()}


def hierarchical(xi: np.ndarray) -> np.ndarray:
    """The hierarchical state of patterns (pattern, neuron), 0 where all are blank: (neuron,)."""
    return np.take_along_axis(xi, (xi != 0).argmax(axis=0)[None], axis=0)[0]


def own_hierarchy(xi: np.ndarray):
    """An observable: the overlap with the hierarchical state that the amplitudes have made.

    Patterns in the order of falling |m_k|, each with the sign of m_k: states that differ in these
    only have the same free energy, and networks of finite N go over into each other's.
    """

    def observed(model, spins, memory):
        """Overlap with the hierarchical state in the order of the amplitudes"""
        flat = spins.reshape(-1, spins.shape[-1]).astype(float)
        found = np.empty(len(flat))
        for k, (s, m) in enumerate(zip(flat, flat @ xi.T, strict=True)):
            ranked = np.argsort(-np.abs(m), kind="stable")
            state = hierarchical(xi[ranked] * np.where(m[ranked] < 0, -1, 1)[:, None])
            found[k] = s @ state / np.count_nonzero(state)
        return found.reshape(spins.shape[:-1])

    observed.__name__ = "own_hierarchy"
    return observed


def measured(settings: Settings, model, xi, rule, start, seed, schedule=None):
    """Amplitudes with xi and the overlap with its hierarchical state in one run: Dataset.

    `amplitude`: thermal mean of |m_k|, (temperature, pattern); `hierarchy`, (temperature,), per
    neuron that is not blank in all, in the order of the start; `own_hierarchy`, likewise, in that
    of the amplitudes; `drift` and `hierarchy_drift`, second half minus first.
    """
    import xarray as xr

    from hopfield_sim import Schedule, observables, simulate

    first = hierarchical(xi)
    references = np.vstack([xi, first / np.mean(first != 0)])
    run = simulate(
        model,
        rule,
        start=start,
        schedule=schedule or Schedule(settings.warmup, settings.samples),
        n_replicas=1,
        seed=seed,
        device=settings.device,
        observe=(observables.overlap_with(references), own_hierarchy(xi)),
    )
    every = np.abs(run["archetype_overlap"].isel(replica=0).values)  # (..., sample, reference)
    half = every.shape[-2] // 2
    mean = every.mean(axis=-2)
    drift = every[..., half:, :].mean(axis=-2) - every[..., :half, :].mean(axis=-2)
    dims = ("temperature",) if mean.ndim > 1 else ()
    own = run["own_hierarchy"].isel(replica=0).mean("sample").values
    names = {
        "own_hierarchy": (dims, own, "overlap with the hierarchical state of the amplitudes"),
        "amplitude": ((*dims, "pattern"), mean[..., :-1], "thermal mean of |m_k|"),
        "hierarchy": (dims, mean[..., -1], "overlap with the hierarchical state"),
        "drift": ((*dims, "pattern"), drift[..., :-1], "change of |m_k|, second half minus first"),
        "hierarchy_drift": (dims, drift[..., -1], "change of the hierarchy"),
    }
    coords = {"pattern": np.arange(1, len(xi) + 1)}
    return xr.Dataset(
        {k: (d, v, {"long_name": text, "units": "1"}) for k, (d, v, text) in names.items()},
        coords=coords,
    )


def amplitudes_cell(settings: Settings, seed, n_neurons, dilution, start, temperature):
    """One network from these starts, at these temperatures: Dataset over (start, temperature)."""
    import xarray as xr

    from hopfield_sim import Glauber, Hopfield, patterns

    seed = (*seed, round(dilution * _FREE))
    xi = patterns.diluted(settings.n_patterns, n_neurons, dilution, seed=seed)
    begin = starts(xi, seed)
    model, rule = Hopfield(xi), Glauber(tuple(temperature))
    each = [measured(settings, model, xi, rule, begin[str(name)], seed) for name in start]
    return xr.concat(each, dim=xr.Variable("start", np.asarray(start)))


def dense_cell(settings: Settings, seed, interaction, n_neurons, dilution):
    """One P-body network at T = 0, from the hierarchical state: Dataset over (pattern,)."""
    from hopfield_sim import Dense, Schedule, ZeroTemperature, patterns

    seed = (*seed, round(dilution * _FREE))
    xi = patterns.diluted(settings.dense_patterns, n_neurons, dilution, seed=seed)
    # At a finite number of patterns "full" and "distinct" differ by 1/N; "full" goes by a table.
    model = Dense(xi, int(interaction), "full")
    begin = starts(xi, seed)["hierarchical"]
    schedule = Schedule(settings.warmup, 2)
    return measured(settings, model, xi, ZeroTemperature(), begin, seed, schedule)


def learning_cell(settings: Settings, seed, rule, n_neurons, dilution, n_examples):
    """Networks that learned from so many examples each, from the hierarchical state of their
    archetypes: Dataset over (n_examples,).

    Networks with and without a teacher have the same archetypes and examples.
    """
    import xarray as xr

    from hopfield_sim import Glauber, examples, patterns
    from hopfield_sim.learning.examples import supervised, unsupervised

    noise = Glauber(settings.learning_temperature)
    each = []
    for M in map(int, n_examples):
        own = (*seed, round(dilution * _FREE), M)
        xi = patterns.diluted(settings.n_patterns, n_neurons, dilution, seed=own)
        given = (xi, settings.quality, M, own)
        if rule == "supervised":
            model = supervised(examples.sums(*given), M, settings.quality)
        else:
            model = unsupervised(examples.noisy(*given), settings.quality)
        begin = starts(xi, own)["hierarchical"]
        each.append(measured(settings, model, xi, noise, begin, own))
    return xr.concat(each, dim=xr.Variable("n_examples", np.asarray(n_examples)))


def sweeps(settings: Settings) -> dict:
    """The four parts: name -> `Sweep`."""
    from hopfield_sim import Sweep

    def array(values):
        return np.unique(np.asarray(values, float))

    axes = {
        "amplitudes": (
            np.unique(settings.n_neurons),
            array(settings.dilution),
            STARTS,
            np.asarray(settings.temperature, float),
        ),
        "map": (
            [min(settings.n_neurons)],
            array(settings.map_dilution),
            STARTS[:1],
            array(settings.map_temperature),
        ),
        "dense": (
            np.unique(settings.interaction),
            np.unique(settings.dense_neurons),
            array(settings.dense_dilution),
        ),
        "learning": (
            RULES,
            np.unique(settings.learning_neurons),
            array(settings.learning_dilution),
            np.unique(settings.n_examples),
        ),
    }
    cells = {"amplitudes": amplitudes_cell, "map": amplitudes_cell}
    cells |= {"dense": dense_cell, "learning": learning_cell}
    untaught = [{"rule": "unsupervised", "dilution": float(d)} for d in settings.untaught_dilution]
    return {
        name: Sweep(
            partial(cells[name], settings),
            dict(zip(_PARTS[name], axes[name], strict=True)),
            lanes=tuple(axis for axis in _PARTS[name] if axis in _LANES),
            realisations=1 if name == "map" else settings.realisations,
            seed=settings.seed,
            title=f"Multitasking network: {name}",
            settings=_determining(settings, name),
            cells=[{"rule": "supervised"}, *untaught] if name == "learning" else None,
        )
        for name in _PARTS
    }


def _determining(settings: Settings, name: str) -> dict:
    """Of the settings, what determines the numbers of one part."""
    both = {"n_patterns", "warmup", "samples"}
    needed = {
        "amplitudes": both,
        "map": both,
        "dense": {"dense_patterns", "warmup"},
        "learning": {*both, "quality", "learning_temperature"},
    }
    return {k: v for k, v in recorded(settings, ()).items() if k in needed[name]}


def main(settings: Settings) -> None:
    from hopfield_sim import device

    _check(settings)
    device.resolve(settings.device)
    parts = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings, parts))
        return
    report(all_computed(parts, settings), settings)


def report(found: dict, settings: Settings) -> None:
    """Thresholds, verdicts and figure of the finished stores."""
    from analysis import multitasking, multitasking_figure

    asked = (settings.quality, settings.learning_temperature, settings.overlap)
    results = multitasking.results(found, *asked[:2])
    print(multitasking.thresholds(found["learning"], *asked))
    figure = multitasking_figure.figure(found, results, *asked)
    saved(figure, settings.figure)
    for line in multitasking.ends(found["dense"]):
        print(f"dense: {line}")
    print(f"learning: {multitasking.teacher(found['learning'])}")
    for name, result in results.items():
        for line in multitasking.beyond(result):
            print(f"{name}: {line}")
        print(f"{name}: {result.verdict}")


def _check(settings: Settings) -> None:
    from hopfield_sim import Glauber, Schedule

    Glauber(settings.temperature), Glauber(settings.map_temperature)
    Glauber(settings.learning_temperature), Schedule(settings.warmup, settings.samples)
    if settings.samples < 4:
        raise ValueError(f"--samples {settings.samples}: at least 4 are needed to see a drift.")
    for name in ("dilution", "map_dilution", "dense_dilution", "learning_dilution"):
        values = getattr(settings, name)
        option = name.replace("_", "-")
        if not values or not all(0 <= d < 1 for d in values):
            raise ValueError(f"--{option} {values}: numbers in [0, 1) are needed.")
        if len({round(d * _FREE) for d in values}) < len(set(values)):
            raise ValueError(f"--{option}: values closer than {1 / _FREE:g} share their patterns.")
    for name in ("n_neurons", "dense_neurons", "learning_neurons"):
        first, second = getattr(settings, name)
        if not 1 <= min(first, second) < max(first, second):
            option = name.replace("_", "-")
            raise ValueError(f"--{option} {first} {second}: two different sizes are needed.")
    for name in ("n_patterns", "dense_patterns"):
        if not 2 <= getattr(settings, name) <= 6:
            option = name.replace("_", "-")
            raise ValueError(
                f"--{option} {getattr(settings, name)}: from 2 to 6 are possible; theory sums over "
                "all columns of their entries."
            )
    if not set(settings.untaught_dilution) <= set(settings.learning_dilution):
        raise ValueError("--untaught-dilution: give some of the values of --learning-dilution.")
    if not settings.n_examples or not all(M >= 1 and M % 2 for M in settings.n_examples):
        raise ValueError(
            f"--n-examples {settings.n_examples}: odd numbers are needed; of an even number some "
            "contradict one another and leave their neuron without a field."
        )
    if not 0 < settings.quality <= 1:
        raise ValueError(f"--quality {settings.quality}: a number in (0, 1] is needed.")
    if not 0 < settings.overlap < 1:
        raise ValueError(f"--overlap {settings.overlap}: a number in (0, 1) is needed.")
    if not all(p >= 2 for p in settings.interaction) or not settings.interaction:
        raise ValueError(f"--interaction {settings.interaction}: orders >= 2 are needed.")


def _plan(settings: Settings, parts: dict) -> str:
    each = settings.warmup + settings.samples
    n = settings.realisations
    runs = {
        "amplitudes": sum(settings.n_neurons)
        * len(settings.dilution)
        * 2
        * len(settings.temperature),
        "map": min(settings.n_neurons)
        * len(settings.map_dilution)
        * len(settings.map_temperature)
        / n,
        "dense": sum(settings.dense_neurons)
        * len(settings.dense_dilution)
        * len(settings.interaction),
        "learning": sum(settings.learning_neurons)
        * len(settings.n_examples)
        * (len(settings.learning_dilution) + len(settings.untaught_dilution)),
    }
    visits = each * n * float(sum(runs.values()))
    seed = (settings.seed, 0)
    largest = max(settings.n_neurons)
    T = parts["amplitudes"].axes["temperature"]
    short = replace(settings, warmup=4, samples=4)
    seconds = []
    for _ in range(2):  # the first one compiles
        begin = time.perf_counter()
        amplitudes_cell(short, seed, largest, settings.dilution[0], STARTS, T)
        seconds.append(time.perf_counter() - begin)
    n_cells = sum(map(cells, parts.values()))
    typical = seconds[1] * visits / n_cells / (2 * 8 * largest * len(T))
    memory = 4 * max(settings.learning_neurons) * settings.n_patterns * max(settings.n_examples) * 3
    files = f"{n_cells} chunks, a few KiB each, in four stores in {settings.store}"
    return plan(n_cells, visits, typical, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
