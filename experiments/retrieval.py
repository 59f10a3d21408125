"""Retrieval in the Hopfield network: the overlap over load and temperature, against RS theory.

Simulated: networks of N neurons with P = alpha N random patterns, heat-bath (Glauber) dynamics at
temperature T. Half of the replicas start in the first pattern, half in the pattern with 10 % of its
neurons flipped; a cell counts as equilibrated when both starts agree. Replicas that left the
pattern are counted and kept out of all averages. Drawn: the map of the overlap m over (alpha, T)
with the replica-symmetric lines of Amit, Gutfreund and Sompolinsky over it, and slices with error
bars. Printed: m against theory cell by cell, how many replicas left, and a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from experiments.options import (
    Options,
    computed,
    ended,
    loads,
    plan,
    recorded,
    saved,
    started,
    timed_cell,
)

AXES = ("alpha", "temperature")
_GRID_ALPHA = tuple(round(0.01 * k, 2) for k in range(1, 17))
_GRID_TEMPERATURE = tuple(round(0.05 * k, 2) for k in (*range(1, 15), *range(16, 27, 2)))
_MARGIN = 0.8  # share of the spinodal load up to which theory and simulation are compared
_FEWEST_PATTERNS = 20  # below, P is not large as the theory assumes
_FEWEST_WRONG = 10  # N x realisations x (1-m)/2; below, m is a count of rare events, not Gaussian


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/retrieval.zarr")
    figure: Path = Path("figures/retrieval.png")
    n_neurons: int = 2000
    """Neurons N."""
    alpha: tuple[float, ...] = _GRID_ALPHA
    """Loads P/N; each is rounded to a whole number of patterns."""
    temperature: tuple[float, ...] = _GRID_TEMPERATURE
    """Temperatures T in units of J."""
    replicas: int = 4
    """Replicas a cell: an even number, half from each start."""
    starts: Literal["both", "pattern"] = "both"
    """"pattern": all replicas start in the pattern; then only R-hat and drift tell equilibrium."""
    warmup: int = 50
    """Sweeps before the first measurement."""
    samples: int = 75
    """Measurements a replica."""
    every: int = 2
    """Sweeps between two measurements."""
    left_below: float = 0.5
    """A replica has left the pattern when its overlap stays below this share of the overlap that a
    single stored pattern has at that temperature, which none can exceed."""


def schedule(settings: Settings):
    """When a cell measures: `hopfield_sim.Schedule`."""
    from hopfield_sim import Schedule

    return Schedule(settings.warmup, settings.samples, settings.every)


def cell(settings: Settings, seed, alpha: float, temperature: np.ndarray, checkpoint=None):
    """One realisation at one load, all temperatures as lanes: Dataset over temperature."""
    import xarray as xr

    from hopfield_sim import Glauber, Hopfield, patterns, simulate, statistics

    n_neurons = settings.n_neurons
    xi = patterns.random(round(alpha * n_neurons), n_neurons, seed=seed)
    near = 0.1 if settings.starts == "both" else 0.0
    starts = np.stack([xi[0], patterns.corrupt(xi[0], seed=seed, flip_fraction=near)])
    run = simulate(
        Hopfield(xi),
        Glauber(tuple(temperature)),
        start=np.tile(starts, (settings.replicas // 2, 1)),
        schedule=schedule(settings),
        n_replicas=settings.replicas,
        seed=seed,
        device=settings.device,
        checkpoint=checkpoint,
    )
    left = statistics.escapes(run["overlap"], _threshold(settings, run["temperature"]))
    stayed = ~left["left"]
    both = statistics.both_stayed(stayed)
    result = {}
    for name in ("overlap", "energy", "replica_overlap", "residual_noise"):
        if name in run:
            pair = name in ("replica_overlap", "residual_noise")
            mean = statistics.within(run[name], both if pair else stayed)
            result[name] = mean["mean"].assign_attrs(run[name].attrs)
            long_name = f"Thermal standard error of: {run[name].attrs['long_name']}"
            result[f"{name}_error"] = mean["error"].assign_attrs(long_name=long_name, units="1")
    result["n_left"] = left["n_left"]
    result["time_at_risk"] = left["time_at_risk"]
    outside = run["overlap"].where(run["sample"] >= left["left_at"])
    result["overlap_left"] = outside.mean(("replica", "sample")).assign_attrs(
        long_name="Overlap with the first pattern of the replicas that left it", units="1"
    )
    start = np.arange(settings.replicas) % 2
    verdict = statistics.equilibration(run["overlap"], start, stayed)
    result["equilibrated"] = verdict["equilibrated"]
    result["r_hat"] = verdict["r_hat"]
    bins = verdict["binned"].drop_vars(["bin", "first_sample", "last_sample"])
    result["overlap_binned"] = bins
    return xr.Dataset(result).drop_vars(["n_neurons", "n_patterns", "alpha"], errors="ignore")


def _threshold(settings: Settings, temperature):
    """The overlap below which a replica has left; above T = 1 there is no state to stay in."""
    from hopfield_sim import theory

    single = theory.hopfield.low_load(temperature.reset_coords(drop=True)).m
    return (settings.left_below * single).fillna(np.inf).reset_coords(drop=True)


def main(settings: Settings) -> None:
    from hopfield_sim import Glauber, Sweep, device

    Glauber(settings.temperature), schedule(settings)  # refuse what cannot be, before any work
    if not 0 < settings.left_below < 1:
        raise ValueError(f"--left-below {settings.left_below}: a share between 0 and 1 is needed.")
    if settings.replicas < 2 or settings.replicas % 2:
        raise ValueError(f"--replicas {settings.replicas}: an even number >= 2 is needed.")
    device.resolve(settings.device)
    sweep = Sweep(
        partial(cell, settings),
        {"alpha": loads(settings.alpha, settings.n_neurons), "temperature": settings.temperature},
        lanes=("temperature",),
        realisations=settings.realisations,
        seed=settings.seed,
        title="Retrieval in the Hopfield network",
        settings=recorded(settings, AXES),
    )
    if settings.dry_run:
        print(_plan(settings, sweep))
        return
    report(computed(sweep, settings), settings)


def report(found, settings: Settings) -> None:
    """Table, verdict line and figure of a finished store."""
    import xarray as xr

    from analysis import comparison, phase_diagram
    from hopfield_sim import theory

    predicted = theory.hopfield.retrieval(found.alpha, found.temperature).m
    scores = comparison.z_scores(found.overlap, predicted)
    # one realisation that still moves spoils the mean of its cell
    judged = found.n_left < settings.replicas  # where all left, nothing is to be judged
    equilibrated = (found.equilibrated | ~judged).all("realisation") & judged.any("realisation")
    n_left = found.n_left.sum("realisation")
    print(comparison.table(scores, equilibrated, include=predicted.notnull(), left=n_left))
    print(
        f"({int(predicted.isnull().sum())} further cells have no retrieval state in RS theory; "
        f"they are in {settings.store})"
    )
    title = (
        f"Hopfield network, N = {settings.n_neurons}, {found.sizes['realisation']} sets of "
        f"patterns, {settings.replicas} replicas; theory: Amit–Gutfreund–Sompolinsky (RS)"
    )
    print(_escapes(found, predicted.notnull(), settings.replicas))
    figure = phase_diagram.retrieval(found, scores, title, settings.replicas)
    saved(figure, settings.figure)
    left_out = _left_out(found, predicted, settings.n_neurons)
    print(_finite_size(scores, ~np.logical_or.reduce(xr.broadcast(*left_out.values())), settings))
    print(comparison.verdict(scores, reasons=left_out))


def _escapes(found, include, n_replicas: int) -> str:
    """How many replicas left the pattern where theory has a retrieval state."""
    n_left = found.n_left.sum("realisation").where(include, 0)
    n_cells = int(include.sum())
    return (
        f"{int(n_left.sum())} of {n_cells * found.sizes['realisation'] * n_replicas} replicas left "
        f"the pattern, in {int((n_left > 0).sum())} of these {n_cells} cells; m is that of the rest"
    )


def _finite_size(scores, include, settings: Settings) -> str:
    """What is left of m - m_RS, in units of the one correction of order 1/N that is known."""
    from analysis import comparison
    from hopfield_sim import theory

    # the recalled pattern adds no noise to itself: the noise is that of P - 1 patterns
    fewer = (scores.alpha - 1 / settings.n_neurons).assign_coords(alpha=scores.alpha)
    noise_of_others = theory.hopfield.retrieval(fewer, scores.temperature).m
    expected = noise_of_others - scores.predicted
    value, error = comparison.amplitude(scores, expected, include)
    mean = float(expected.where(include).mean()) * settings.n_neurons
    return (
        f"finite size: m - m_RS = ({value:.1f} ± {error:.1f}) x the difference that P - 1 patterns "
        f"as noise instead of P make (on average {mean:+.2f}/N)"
    )


def _left_out(found, predicted, n_neurons: int) -> dict:
    """The cells that cannot test the theory, by reason: name -> bool over (alpha, temperature)."""
    from hopfield_sim import theory

    spinodal = theory.hopfield.spinodal_load(found.temperature)["alpha"]
    wrong = n_neurons * found.sizes["realisation"] * (1 - predicted) / 2
    return {
        "without a retrieval state in theory": predicted.isnull(),
        f"beyond {_MARGIN} of the spinodal load": found.alpha > _MARGIN * spinodal,
        f"with fewer than {_FEWEST_PATTERNS} patterns": found.alpha * n_neurons < _FEWEST_PATTERNS,
        f"with fewer than {_FEWEST_WRONG} wrong neurons in all": wrong < _FEWEST_WRONG,
        "from which replicas left": (found.n_left > 0).any("realisation"),
        "not equilibrated": ~found.equilibrated.all("realisation"),
    }


def _plan(settings: Settings, sweep) -> str:
    loads_, temperature = (np.asarray(sweep.axes[name]) for name in AXES)
    sweeps = schedule(settings).sweeps
    n_cells = len(loads_) * settings.realisations
    lanes = settings.replicas * len(temperature)
    middle = float(loads_[len(loads_) // 2])

    def run(n_sweeps: int) -> None:
        shorter = replace(settings, warmup=0, samples=n_sweeps // 2, every=2)
        cell(shorter, seed=(settings.seed, 0), alpha=middle, temperature=temperature)

    largest = round(max(loads_) * settings.n_neurons)
    memory = 14 * settings.n_neurons * largest + lanes * (5 * settings.n_neurons + 20 * largest)
    files = f"{n_cells} x 15 chunks, about {n_cells * 15 * 0.5 / 1024:.1f} MiB, in {settings.store}"
    visits = float(n_cells * lanes * sweeps * settings.n_neurons)
    return plan(n_cells, visits, timed_cell(run, sweeps), memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
