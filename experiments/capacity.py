"""The capacity of the Hopfield network by simulation: where starting in a pattern stops keeping it.

Simulated: networks of N neurons with P = alpha N random patterns, each started in several of its
patterns. At T = 0 a run ends by itself, when no neuron wants to flip; at T > 0 it is a heat bath of
so many sweeps, whose second half is averaged. A pattern is retrieved if the overlap is then above
0.8. For every N the loads are chosen as the answers come, by stochastic bisection, until
alpha_c(N), where half of the patterns are retrieved, is known to the wanted precision; a run that
was interrupted, or that is to be more precise, goes on from the store. Drawn: the fraction
retrieved, alpha_c(N) with extrapolations to N = infinity, the collapse of all sizes and their
widths, and the loads at which replica theory ends. Printed: alpha_c(N) with intervals, every
extrapolation with its test, and what their differences leave open.
"""

from __future__ import annotations

import contextlib
import json
import math
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from experiments.options import (
    Options,
    computed,
    ended,
    plan,
    read,
    recorded,
    saved,
    started,
    written,
)

AXES = ("n_neurons", "alpha")
_TITLE = "Capacity of the Hopfield network"
_COARSE = 5  # loads of the first round
_CHOICE = ("precision", "bounds", "resolution", "retrieved_above")  # which cells, and how read
_FILES = ("trials", "redraw")


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/capacity.zarr")
    figure: Path = Path("figures/capacity.png")
    trials: Path = Path("results/capacity.nc")
    """NetCDF file of the answers, a row for each network: written when the search is done."""
    redraw: bool = False
    """Simulate nothing: tables and figure from --trials."""
    n_neurons: tuple[int, ...] = (500, 1000, 2000, 4000, 8000)
    """Neurons N, several sizes."""
    temperature: float = 0.0
    """Temperature T in units of J."""
    sweeps: int = 1000
    """Sweeps of a run; at T = 0 in fixed order the most, for it ends by itself."""
    order: Literal["fixed", "random"] = "fixed"
    """Order of the visits; random is with replacement."""
    precision: float = 0.0006
    """Wanted standard error of alpha_c(N), of every N."""
    bounds: tuple[float, float] = (0.1, 0.3)
    """Loads between which alpha_c(N) is sought."""
    resolution: float = 0.002
    """Distance of neighbouring loads; each is a whole number of patterns."""
    retrieved_above: float = 0.8
    """Overlap above which a pattern counts as retrieved."""
    n_starts: int = 16
    """Patterns from which each network is started."""
    networks: int = 8
    """Networks of a cell."""
    realisations: int = 1
    """Cells at each load of the first, coarse round; the search adds what it needs."""


def own_overlap(model, spins, memory):
    """Overlap with the pattern from which the run was started"""
    k = np.arange(spins.shape[-2])
    return model.overlaps(spins, memory)[..., k, k]


def dynamics(settings: Settings):
    """Rule and schedule of a run: `hopfield_sim` objects."""
    from hopfield_sim import Glauber, Schedule, ZeroTemperature

    if settings.temperature == 0:
        return ZeroTemperature(settings.order), Schedule(settings.sweeps - 1, 1)
    warmup = settings.sweeps // 2
    every = max(1, (settings.sweeps - warmup) // 25)
    schedule = Schedule(warmup, (settings.sweeps - warmup) // every, every)
    return Glauber(settings.temperature, settings.order), schedule


def cell(settings: Settings, seed, n_neurons: int, alpha: float):
    """Some networks at one size and load: Dataset over (network, pattern)."""
    import xarray as xr

    from hopfield_sim import Hopfield, patterns, simulate

    rule, schedule = dynamics(settings)
    overlap = np.empty((settings.networks, settings.n_starts))
    acceptance = np.empty_like(overlap)
    for network in range(settings.networks):
        words = (*seed, network)
        xi = patterns.random(round(alpha * n_neurons), n_neurons, seed=words)
        run = simulate(
            Hopfield(xi),
            rule,
            start=xi[: settings.n_starts],
            schedule=schedule,
            n_replicas=settings.n_starts,
            seed=words,
            device=settings.device,
            observe=[own_overlap],
        )
        overlap[network] = run["own_overlap"].mean("sample")
        acceptance[network] = run["acceptance"].isel(sample=-1)
    dims = ("network", "pattern")
    described = {"long_name": "overlap with the pattern of the start", "units": "1"}
    last = {"long_name": "fraction of attempted flips accepted at the end", "units": "1"}
    return xr.Dataset(
        {"overlap": (dims, overlap, described), "acceptance": (dims, acceptance, last)}
    )


def main(settings: Settings) -> None:
    if settings.redraw:
        trials = read(settings.trials, "run without --redraw first, or name others with --trials.")
        report(trials, replace(settings, **json.loads(trials.attrs["settings"])))
        return
    sizes = _checked(settings)
    if settings.dry_run:
        print(_plan(settings, sizes))
        return
    with _workers(settings) as at_work:
        trials = search(at_work, sizes)
    written(trials.assign_attrs(_circumstances(settings.store)), settings.trials)
    report(trials, settings)


@contextlib.contextmanager
def _workers(settings: Settings):
    """The settings with workers that stay for all rounds of the search."""
    if settings.scheduler is not None:
        yield settings
        return
    from dask.system import CPU_COUNT
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=settings.workers or CPU_COUNT,
        threads_per_worker=1,
        memory_limit=None,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
    ) as cluster:
        yield replace(settings, scheduler=cluster.scheduler_address)


def search(settings: Settings, sizes: tuple[int, ...]):
    """Rounds of cells, each chosen from all before: Dataset over (row,), see `analysis.capacity`.

    The choice is a function of the results of complete rounds alone, so a search that is repeated
    or was interrupted walks through the same cells, and computes only what the store lacks.
    """
    from analysis import bisection
    from hopfield_sim import Sweep
    from hopfield_sim.sweep import opened

    cells = _coarse(settings, sizes)
    sweep = Sweep(
        partial(cell, settings),
        {"n_neurons": sizes, "alpha": np.unique([each["alpha"] for each in cells])},
        seed=settings.seed,
        title=_TITLE,
        settings=recorded(settings, (*AXES, *_CHOICE, *_FILES)),
    )
    chosen = {size: [] for size in sizes}  # (load, realisation), in the order of choice
    rows = {size: ([], [], []) for size in sizes}  # load, successes, trials of each network
    moving, known = 0, None
    while cells:
        sweep = sweep.extended(cells)
        if known is None or not known.issuperset(tuple(each.values()) for each in cells):
            computed(sweep, settings)
        found = opened(settings.store)
        known = known or _done(found)  # once: what an earlier search left
        overlap, acceptance = _picked(found, cells)
        moving += int((acceptance > 0).sum())
        for each, found in zip(cells, overlap, strict=True):
            size, alpha = each["n_neurons"], each["alpha"]
            chosen[size].append((alpha, each["realisation"]))
            alphas, successes, trials = rows[size]
            alphas += [alpha] * len(found)
            successes += (found > settings.retrieved_above).sum(axis=1).tolist()
            trials += [found.shape[1]] * len(found)
        cells, errors = [], []
        for size in sizes:
            error = float(bisection.threshold(*rows[size], settings.bounds)["error"])
            errors.append(f"{error:.5f} (N = {size})")
            if error > settings.precision:
                cells += _next(settings, size, chosen[size], rows[size], error)
        done = sum(map(len, chosen.values()))
        print(f"{done} cells, error of alpha_c: {', '.join(errors)}", flush=True)
    return _trials(settings, rows, moving)


def _coarse(settings: Settings, sizes: tuple[int, ...]) -> list[dict]:
    """The first cells: loads over the whole range, at every size."""
    found = []
    for size in sizes:
        loads = _candidates(settings, size)
        inner = np.linspace(0, len(loads) - 1, _COARSE + 2)[1:-1]
        for alpha in np.unique(loads[np.rint(inner).astype(int)]):
            for realisation in range(settings.realisations):
                found.append(_point(size, alpha, realisation))
    return found


def _candidates(settings: Settings, size: int) -> np.ndarray:
    """Loads within the bounds that are whole numbers of patterns, as far apart as wanted."""
    step = max(1, round(settings.resolution * size))
    low, high = (round(bound * size / step) for bound in settings.bounds)
    return step * np.arange(low, high + 1) / size


def _next(settings: Settings, size: int, chosen, rows, error: float) -> list[dict]:
    """Cells of the next round: as many as seem to be missing, at most as many as there are."""
    from analysis import bisection

    missing = len(chosen) * ((error / settings.precision) ** 2 - 1)
    loads = bisection.next_loads(
        *rows,
        settings.bounds,
        _candidates(settings, size),
        batches=min(len(chosen), max(2, math.ceil(1.1 * missing))),
        batch=settings.networks * settings.n_starts,
    )
    count, found = {}, []
    for alpha, _ in chosen:
        count[alpha] = count.get(alpha, 0) + 1
    for alpha in loads:
        found.append(_point(size, alpha, count.setdefault(alpha, 0)))
        count[alpha] += 1
    return found


def _point(size: int, alpha: float, realisation: int) -> dict:
    return {"n_neurons": int(size), "alpha": float(alpha), "realisation": realisation}


def _done(found) -> set[tuple]:
    """The cells of a store that are done: (size, load, realisation)."""
    at = np.nonzero(found.done.transpose(*AXES, "realisation").values)
    columns = (found[name].values[k] for name, k in zip((*AXES, "realisation"), at, strict=True))
    return set(zip(*(column.tolist() for column in columns), strict=True))


def _picked(found, cells: list[dict]) -> tuple[np.ndarray, np.ndarray]:
    """Overlap and acceptance of these cells of a store: each (cell, network, pattern)."""
    import xarray as xr

    where = {
        name: xr.DataArray(
            [int(np.flatnonzero(found[name].values == each[name])[0]) for each in cells],
            dims="cell",
        )
        for name in (*AXES, "realisation")
    }
    dims = ("cell", "network", "pattern")
    picked = found[["overlap", "acceptance"]].isel(where).load()
    return tuple(picked[name].transpose(*dims).values for name in ("overlap", "acceptance"))


def _trials(settings: Settings, rows: dict, moving: int):
    """All rows of all sizes, labelled; `moving`, how many runs had not come to rest."""
    import xarray as xr

    from hopfield_sim.provenance import as_json
    from hopfield_sim.randomness import STREAM_VERSION

    known = recorded(settings, (*AXES, *_FILES)) | {"bounds": settings.bounds}
    size = np.repeat(list(rows), [len(each[0]) for each in rows.values()])
    columns = [np.concatenate([each[k] for each in rows.values()]) for k in range(3)]
    labels = {
        "n_neurons": (size, "Number of neurons N"),
        "alpha": (columns[0], "Load alpha = P / N"),
        "successes": (columns[1].astype(int), "patterns retrieved"),
        "trials": (columns[2].astype(int), "patterns tried"),
    }
    return xr.Dataset(
        {
            name: ("row", values, {"long_name": long_name, "units": "1"})
            for name, (values, long_name) in labels.items()
        },
        attrs={
            "title": _TITLE,
            "settings": as_json(known),
            "seed": settings.seed,
            "stream_version": STREAM_VERSION,
            "moving": moving,
        },
    )


def _circumstances(store: Path) -> dict[str, str]:
    """When, where and by what version the last cells of the store were computed."""
    from hopfield_sim import provenance

    last = provenance.runs(store)[-1]
    names = ("date", "device", "platform", "hopfield-sim", "numpy", "numba")
    return {name: str(last.get(name)) for name in names}


def theories(temperature: float) -> dict[str, float]:
    """Name -> load at which the retrieval state ends in replica theory, at that temperature."""
    from hopfield_sim.theory import hopfield, hopfield_1rsb

    found = {"RS": float(hopfield.spinodal_load(temperature).alpha)}
    if temperature == 0:
        found["1RSB"] = float(hopfield_1rsb.capacity().alpha_c)
    return found


def report(trials, settings: Settings) -> None:
    """Tables, figure and verdict of a finished search."""
    from analysis import capacity, capacity_figure

    found = capacity.thresholds(trials, settings.bounds)
    print(capacity.table(found))
    if settings.temperature == 0:
        print(f"{trials.attrs['moving']} of {int(trials.trials.sum())} runs still moved at the end")
    logistic = capacity.thresholds(trials, settings.bounds, "logistic").alpha_c
    largest = float(np.abs((logistic - found.alpha_c) / found.error).max())
    print(f"a logistic instead of the normal law moves alpha_c by at most {largest:.1f} errors")
    expected = theories(settings.temperature)
    limits = None
    if found.sizes["n_neurons"] > 2:
        limits = capacity.extrapolated(found.alpha_c, found.error)
        print(capacity.extrapolation_table(limits, expected))
    figure = capacity_figure.transition(trials, found, limits, expected, _title(settings))
    saved(figure, settings.figure)
    if limits is None:
        print("alpha_c(infinity): not extrapolated, three sizes are needed")
    else:
        print(capacity.next_size(limits, float(found.error.isel(n_neurons=-1))))
        print(capacity.verdict(limits, expected))


def _title(settings: Settings) -> str:
    how = (
        "quenched to T = 0"
        if settings.temperature == 0
        else (f"T = {settings.temperature:g}, {settings.sweeps} sweeps")
    )
    return f"Hopfield network started in a pattern, {how}, {settings.order} order"


def _checked(settings: Settings) -> tuple[int, ...]:
    """The sizes, sorted, once everything is found to be possible."""
    from hopfield_sim import device

    sizes = tuple(sorted(set(settings.n_neurons)))
    low, high = settings.bounds
    if not sizes or sizes[0] < 2:
        raise ValueError("--n-neurons: at least one size of at least 2 is needed.")
    if not 0 < low < high:
        raise ValueError(f"--bounds {low} {high}: two positive loads, the smaller first.")
    if not (math.isfinite(settings.precision) and settings.precision > 0):
        raise ValueError(f"--precision {settings.precision}: a positive standard error is needed.")
    if not (math.isfinite(settings.resolution) and settings.resolution > 0):
        raise ValueError(f"--resolution {settings.resolution}: a positive distance is needed.")
    if not -1 < settings.retrieved_above < 1:
        raise ValueError(f"--retrieved-above {settings.retrieved_above}: between -1 and 1.")
    for name in ("sweeps", "networks", "n_starts"):
        if getattr(settings, name) < 2 - (name != "sweeps"):
            raise ValueError(f"--{name.replace('_', '-')} {getattr(settings, name)} is too few.")
    for size in sizes:
        loads = _candidates(settings, size)
        if len(loads) < _COARSE + 2:
            raise ValueError(
                f"--bounds {low} {high} hold {len(loads)} loads at N = {size}, --resolution "
                f"{settings.resolution} apart; {_COARSE + 2} are needed to search among."
            )
        if round(loads[0] * size) < settings.n_starts:
            raise ValueError(
                f"--n-starts {settings.n_starts}: at N = {size} and load {loads[0]:g} there are "
                f"{round(loads[0] * size)} patterns; start from fewer, or raise --bounds."
            )
    dynamics(settings)
    device.resolve(settings.device)
    return sizes


def _plan(settings: Settings, sizes: tuple[int, ...]) -> str:
    """What the search would take, if the width of the transition is 0.65 N^-1/2 as it is at T = 0.

    To know alpha_c with an error e takes about 3 (width / e)^2 trials, dispersion included.
    """
    trials = settings.networks * settings.n_starts
    cells, seconds, visits = 0, 0.0, 0.0
    for size in sizes:
        number = math.ceil(3 * (0.65 * size**-0.5 / settings.precision) ** 2 / trials)
        number = max(number, _COARSE * settings.realisations)
        middle = _candidates(settings, size)
        alpha = float(middle[len(middle) // 4])
        small = replace(settings, networks=1)
        cell(small, (settings.seed, 0), size, alpha)  # compiles
        begin = time.perf_counter()
        cell(small, (settings.seed, 1), size, alpha)
        cells += number
        seconds += number * settings.networks * (time.perf_counter() - begin)
        sweeps = 60 if settings.temperature == 0 and settings.order == "fixed" else settings.sweeps
        visits += float(number * trials * sweeps * size)
    largest = settings.bounds[1] * sizes[-1]
    memory = 14 * sizes[-1] * largest + settings.n_starts * (5 * sizes[-1] + 20 * largest)
    files = f"{3 * cells} chunks, about {3 * cells / 1024:.1f} MiB, in {settings.store}"
    return plan(cells, visits, seconds / cells, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
