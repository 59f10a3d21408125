"""Mean-field (TAP, Plefka) equations of single networks against Monte Carlo and replica theory.

Simulated: retrieval in networks of P = 2, 3 and 4 bodies at several loads, sizes and temperatures
up to two thirds of the spinodal one, by heat-bath dynamics that starts in the pattern and in the
pattern with 5 % of its neurons flipped. Solved: the TAP equations of the same networks, with
Onsager's reaction and without it (naive mean field), from the pattern. Replicas that left the
pattern are counted and kept out of all averages. Drawn: overlaps over T of both with the
replica-symmetric (RS) line, and, network by network, the difference of TAP and Monte Carlo.
Printed: tables, how long both take, and verdicts for N -> infinity: TAP against Monte Carlo in the
same networks (no disorder between them), TAP against RS.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import Options, computed, ended, plan, recorded, saved, started, timed_cell

AXES = ("n_neurons", "reduced_load", "relative_temperature")
_NEAR = 0.05  # flipped neurons of the second start
_FEWEST_WRONG = 10  # N x realisations x (1-m)/2; below, m is a count of rare events, not Gaussian
_SIZES = {2: "two_body", 3: "three_body", 4: "four_body"}
_PRECISION = 1e-3  # thermal error of m for which the times are compared


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/tap")
    figure: Path = Path("figures/tap.png")
    realisations: int = 16
    two_body: tuple[int, ...] = (500, 1000)
    """Neurons N of the pairwise networks; two sizes at least, or none to leave P = 2 out."""
    three_body: tuple[int, ...] = (200, 400)
    """Neurons N for P = 3."""
    four_body: tuple[int, ...] = (96, 144)
    """Neurons N for P = 4: K grows as N^3."""
    alpha: tuple[float, ...] = (0.03, 0.06, 0.09)
    """Loads K/N of the pairwise networks."""
    reduced_load: tuple[float, ...] = (0.04, 0.08, 0.12)
    """Loads K (P-1)! / N^(P-1) of the P-body networks."""
    relative_temperature: tuple[float, ...] = (0.35, 0.45, 0.55, 0.65)
    """Temperatures over that of the RS spinodal at each load."""
    replicas: int = 4
    """Replicas a network: an even number, half from each start."""
    warmup: int = 50
    """Sweeps before the first measurement."""
    samples: int = 100
    """Measurements a replica."""
    every: int = 2
    """Sweeps between two measurements."""


def spinodal_temperature(interaction: int, reduced_load: float) -> float:
    """Where the retrieval state of RS theory ends at this load, units of J."""
    from hopfield_sim.theory import dense

    alpha = dense.load(interaction, reduced_load)
    ends = dense.spinodal_temperature(interaction, alpha).temperature
    return float(ends.sel(branch="upper"))


def network(interaction: int, reduced_load: float, n_neurons: int, seed):
    """The network of random patterns."""
    from hopfield_sim import Dense, Hopfield, number_of_patterns, patterns

    K = number_of_patterns(n_neurons, interaction, reduced_load=reduced_load)
    xi = patterns.random(K, n_neurons, seed=seed)
    return Hopfield(xi) if interaction == 2 else Dense(xi, interaction)


def simulated(settings: Settings, model, temperatures, seed, checkpoint=None):
    """The Monte Carlo run of a cell."""
    from hopfield_sim import Glauber, Schedule, observables, patterns, simulate

    xi = model.patterns[0]
    starts = np.stack([xi, patterns.corrupt(xi, seed=seed, flip_fraction=_NEAR)])
    return simulate(
        model,
        Glauber(tuple(temperatures)),
        np.tile(starts, (settings.replicas // 2, 1)),
        Schedule(settings.warmup, settings.samples, settings.every),
        settings.replicas,
        seed=seed,
        device=settings.device,
        observe=(observables.overlap, observables.energy, observables.replica_overlap),
        checkpoint=checkpoint,
    )


def cell(
    settings: Settings,
    interaction: int,
    seed,
    n_neurons: int,
    reduced_load: float,
    relative_temperature: np.ndarray,
    checkpoint=None,
):
    """One network at all temperatures, both ways: Dataset over relative_temperature."""
    import xarray as xr

    from hopfield_sim import statistics, tap

    T = np.asarray(relative_temperature) * spinodal_temperature(interaction, reduced_load)
    model = network(interaction, reduced_load, n_neurons, seed)
    run = simulated(settings, model, T, seed, checkpoint)
    # A threshold fixed in advance: half of what a pattern keeps at low temperature
    left = statistics.escapes(run.overlap, 0.5)
    stayed = ~left.left
    start = np.arange(settings.replicas) % 2
    found = {}
    for name, mask in (
        ("overlap", stayed),
        ("energy", stayed),
        ("replica_overlap", statistics.both_stayed(stayed)),
    ):
        inside = statistics.within(run[name], mask)
        found[name] = inside["mean"].assign_attrs(run[name].attrs)
        found[f"{name}_error"] = inside["error"].assign_attrs(
            long_name=f"Thermal standard error of: {run[name].attrs['long_name']}", units="1"
        )
    found["n_left"] = left.n_left
    found["equilibrated"] = statistics.equilibration(run.overlap, start, stayed).equilibrated
    xi = model.patterns[0]
    for prefix, onsager in (("tap", True), ("naive", False)):
        solution = tap.solved(model, T, xi, onsager=onsager)
        for name in ("m", "q", "energy", "free_energy", "converged", "iterations"):
            found[f"{prefix}_{name}"] = solution[name].assign_attrs(
                long_name=f"{prefix.replace('tap', 'TAP')}: {solution[name].attrs['long_name']}"
            )
    result = xr.Dataset({k: v.reset_coords(drop=True) for k, v in found.items()})
    return result.drop_vars("temperature").rename_dims(temperature="relative_temperature")


def main(settings: Settings) -> None:
    from hopfield_sim import device

    checked(settings)
    device.resolve(settings.device)
    if settings.dry_run:
        print(_plan(settings))
        return
    found = {P: computed(sweep(settings, P), settings, f"P{P}").load() for P in orders(settings)}
    report({P: _with_temperature(one, P) for P, one in found.items()}, settings)


def orders(settings: Settings) -> list[int]:
    """The P that are asked for."""
    return [P for P, name in _SIZES.items() if getattr(settings, name)]


def sweep(settings: Settings, interaction: int):
    """The sweep of one P."""
    from hopfield_sim import Sweep

    loads = settings.alpha if interaction == 2 else settings.reduced_load
    # only what has to do with this P: another P may change without touching its store
    others = {*AXES, "alpha", "reduced_load", *_SIZES.values()}
    return Sweep(
        partial(cell, settings, interaction),
        {
            "n_neurons": np.unique(getattr(settings, _SIZES[interaction])),
            "reduced_load": np.unique(loads),
            "relative_temperature": np.unique(settings.relative_temperature),
        },
        lanes=("relative_temperature",),
        realisations=settings.realisations,
        seed=settings.seed,
        title=f"TAP equations and Monte Carlo, P = {interaction}",
        settings=recorded(settings, tuple(others)) | {"interaction": interaction},
    )


def _with_temperature(found, interaction: int):
    """A store with the coordinate temperature (reduced_load, relative_temperature), units of J."""
    import xarray as xr

    ends = [spinodal_temperature(interaction, float(one)) for one in found.reduced_load]
    T = xr.DataArray(ends, dims="reduced_load") * found.relative_temperature
    T.attrs = {"long_name": "Temperature T", "units": "J"}
    return found.assign_coords(temperature=T)


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work. Raises ValueError."""
    from hopfield_sim import Schedule, number_of_patterns

    Schedule(settings.warmup, settings.samples, settings.every)
    if not orders(settings):
        raise ValueError(
            "no network is left: give sizes for --two-body, --three-body, --four-body."
        )
    for P in orders(settings):
        name = "--" + _SIZES[P].replace("_", "-")
        sizes = getattr(settings, _SIZES[P])
        if len(set(sizes)) < 2 or min(sizes) < 4:
            raise ValueError(f"{name} {sizes}: at least two sizes, for the limit of large N.")
        loads = settings.alpha if P == 2 else settings.reduced_load
        option = "--alpha" if P == 2 else "--reduced-load"
        fewest = [number_of_patterns(min(sizes), P, reduced_load=one) for one in loads]
        if not fewest or min(fewest) < 2:
            raise ValueError(f"{option} {loads}: each must be two patterns at least at every N.")
        if not all(np.isfinite(spinodal_temperature(P, one)) for one in loads):
            raise ValueError(f"{option} {loads}: no pattern is stable there for P = {P}.")
    if not all(0 < T < 1 for T in settings.relative_temperature):
        raise ValueError("--relative-temperature: each must be above 0 and below 1, the spinodal.")
    if settings.replicas < 2 or settings.replicas % 2:
        raise ValueError(f"--replicas {settings.replicas}: an even number >= 2 is needed.")
    if settings.samples < 24:
        raise ValueError(f"--samples {settings.samples}: 24 are needed for a thermal error.")
    if settings.realisations < 2:
        raise ValueError("--realisations: at least 2 are needed, the error bars come from them.")


def report(found: dict, settings: Settings) -> None:
    """Tables, times, figure and verdicts of finished stores: P -> Dataset."""
    from analysis import tap as reading

    compared = {P: reading.compared(one, P) for P, one in found.items()}
    for P in found:
        print(reading.table(found[P], compared[P], P))
    print(reading.time_table([_race(settings, P) for P in found], _PRECISION))
    figure = reading.drawn(found, compared, settings.realisations)
    saved(figure, settings.figure)
    for line in reading.verdicts(found, compared, _FEWEST_WRONG):
        print(line)


def _race(settings: Settings, interaction: int) -> dict:
    """CPU seconds of both for the largest network at its middle load, at all temperatures.

    Seconds, the thermal error of m that Monte Carlo has after them (rms over the temperatures, of
    replicas that stayed), and that of one temperature alone for TAP. After a first call of each.
    """
    from hopfield_sim import statistics, tap

    one = sweep(settings, interaction)
    loads = one.axes["reduced_load"]
    load = float(loads[len(loads) // 2])
    n_neurons = int(one.axes["n_neurons"][-1])
    T = np.asarray(one.axes["relative_temperature"]) * spinodal_temperature(interaction, load)
    model = network(interaction, load, n_neurons, (settings.seed, 0))
    seconds = {"tap": [], "mc": []}
    for _ in range(3):
        begin = time.process_time()
        solution = tap.solved(model, T, model.patterns[0])
        seconds["tap"].append(time.process_time() - begin)
        begin = time.process_time()
        run = simulated(settings, model, T, (settings.seed, 0))
        seconds["mc"].append(time.process_time() - begin)
    inside = statistics.within(run.overlap, ~statistics.escapes(run.overlap, 0.5).left)
    return {
        "interaction": interaction,
        "n_neurons": n_neurons,
        "n_patterns": model.n_patterns,
        "tap": min(seconds["tap"]),
        "mc": min(seconds["mc"]),
        "iterations": float(solution.iterations.mean()),
        "warmup": settings.warmup / (settings.warmup + settings.samples * settings.every),
        "error": float(np.sqrt((inside["error"] ** 2).mean())),
    }


def _plan(settings: Settings) -> str:
    from hopfield_sim import number_of_patterns

    cells, visits, seconds, memory = 0, 0.0, 0.0, 0.0
    sweeps = settings.warmup + settings.samples * settings.every
    for P in orders(settings):
        axes = sweep(settings, P).axes
        sizes, loads, T = (np.asarray(axes[name]) for name in AXES)
        cells += len(sizes) * len(loads) * settings.realisations
        lanes = len(T) * settings.replicas
        visits += float(sizes.sum() * len(loads) * settings.realisations * lanes * sweeps)
        K = number_of_patterns(int(sizes[-1]), P, reduced_load=loads[-1])
        memory = max(memory, 10.0 * sizes[-1] * K)

        def run(n_sweeps: int, P=P, axes=axes) -> None:
            shorter = replace(settings, warmup=0, samples=max(n_sweeps, 24), every=1)
            given = {name: axes[name][-1] for name in AXES[:2]}
            cell(shorter, P, (settings.seed, 0), relative_temperature=axes[AXES[2]], **given)

        seconds += timed_cell(run, sweeps)
    files = f"{cells} x 22 chunks in {settings.store}"
    each = seconds / len(orders(settings))
    return plan(cells, visits, each, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
