"""Retrieval of continuous states at temperature T: the overlap with the target over (alpha, T).

Simulated: modern Hopfield networks, E(x) = -(1/lambda) ln sum_mu exp(lambda xi^mu . x), with M =
exp(alpha d) random patterns, states and patterns on the sphere |x|^2 = d. Metropolis-adjusted
Langevin dynamics starts in one pattern, the target. A state is in the basin while the target is the
nearest pattern and its overlap m exceeds the edge, where theory at this d and M has the fewest
states; replicas that left for good are counted and not averaged in. With few patterns and the
Epanechnikov energy in R^d, whose patterns have regions of finite size, the same is done once more.
Drawn: maps of m at the smallest and largest d with the spinodal and the temperature below which
equilibrium is near some pattern (both d -> infinity), dots for replicas that left; m in the basin
against theory at this d; the largest overlap with any other pattern, in the basin and after it was
left; the overlap q12 of two replicas, m^2 where they share nothing but the target; the Epanechnikov
energy. Printed: tables, verdicts on m, the energy and the nearest other pattern, and q12 - m^2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import (
    Options,
    all_computed,
    at_least,
    cells,
    ended,
    plan,
    positive,
    saved,
    started,
    timed_cell,
)

_ALPHA = (0.1, 0.125, 0.15, 0.175, 0.2, 0.225, 0.25, 0.275, 0.3, 0.325, 0.35, 0.4)
_TEMPERATURE = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.2)
_BARRIER = 3.0  # ln of the density at its peak over that at the edge: below, there is no basin
_LEFT = 0.25  # share of replicas that may leave: more, and the rest is no sample of the basin
_EPANECHNIKOV_ALPHA = (0.1, 0.2, 0.3, 0.4)
_EPANECHNIKOV_DIMENSION = 16


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/modern_thermal")
    """Folder of Zarr stores, one for each d and energy. Found again, they are resumed; made with
    other settings, refused."""
    figure: Path = Path("figures/modern_thermal.png")
    realisations: int = 16
    """Independent sets of patterns; the error bars come from them."""
    dimension: tuple[int, ...] = (24, 32)
    """Dimensions d; the smallest and the largest have maps."""
    alpha: tuple[float, ...] = _ALPHA
    """Loads ln M/d; M is rounded to a whole number."""
    temperature: tuple[float, ...] = _TEMPERATURE
    """Temperatures T."""
    sharpness: float = 0.5
    """lambda, inverse temperature of the softmax at |x|^2 = |xi|^2 = d."""
    epanechnikov: float = 3.0
    """b = beta d of the Epanechnikov energy: the region of a pattern has the radius sqrt(2 d/b)."""
    most_patterns: int = 15000
    """Networks with more patterns are left out."""
    replicas: int = 8
    """Chains at each temperature, all started in the target."""
    warmup: int = 100
    """Steps before the first measurement; the step sizes are found in them."""
    samples: int = 100
    """Measurements a replica."""
    every: int = 3
    """Steps between two measurements."""


def cell(settings: Settings, dimension: int, seed, alpha: float, temperature: np.ndarray):
    """One set of patterns on the sphere, all temperatures as lanes: Dataset over temperature."""
    from hopfield_sim import patterns, statistics
    from hopfield_sim.models.modern import LogSumExp
    from hopfield_sim.theory import log_sum_exp_cells

    n_patterns = round(np.exp(alpha * dimension))
    xi = patterns.spherical(n_patterns, dimension, seed)
    model = LogSumExp(xi, beta=settings.sharpness, radius=np.sqrt(dimension))
    run = _sampled(settings, model, temperature, seed)
    law = log_sum_exp_cells.cell(dimension, n_patterns, run["temperature"], settings.sharpness)
    edge = law["edge"].drop_vars(["dimension", "n_patterns", "sharpness", "branch"]).fillna(-1)
    distance = run["overlap"] - np.maximum(run["best_other_overlap"], edge)
    left = statistics.escapes(distance.rename("distance"), 0.0)
    # E = -(1/lambda) ln sum ... without the constants of the model
    shift = 1 / 2 + np.log(n_patterns) / settings.sharpness / dimension
    run["energy"] = (run["energy"] - shift).assign_attrs(run["energy"].attrs)
    inside = distance > 0
    return _reduced(run, inside, left)


def epanechnikov_cell(settings: Settings, dimension: int, seed, alpha: float, temperature):
    """One set of patterns with the Epanechnikov energy in R^d: Dataset over temperature."""
    from hopfield_sim import patterns, statistics
    from hopfield_sim.models.modern import Epanechnikov

    n_patterns = round(np.exp(alpha * dimension))
    xi = patterns.spherical(n_patterns, dimension, seed)
    model = Epanechnikov(xi, beta=settings.epanechnikov / dimension)
    run = _sampled(settings, model, temperature, seed)
    # in the region of the target, |x - xi|^2 < 2 d/b
    distance = 1 + run["square_length"] - 2 * run["overlap"] * np.sqrt(run["square_length"])
    inside = distance < 2 / settings.epanechnikov
    left = statistics.escapes(-distance.rename("distance"), -2 / settings.epanechnikov)
    return _reduced(run, inside, left)


def _sampled(settings, model, temperature, seed):
    from hopfield_sim import Schedule, langevin

    return langevin.sampled(
        model,
        langevin.Langevin(tuple(temperature)),
        model.patterns[0],
        Schedule(settings.warmup, settings.samples, settings.every),
        n_replicas=settings.replicas,
        seed=seed,
    )


def _reduced(run, inside, left):
    """Thermal averages of a run, over all samples, those in the basin and those outside of it."""
    import xarray as xr

    both = inside & inside.roll(replica=-1)
    neither = ~(inside | inside.roll(replica=-1))
    out = ~inside
    over = ("replica", "sample")
    result = {"overlap": run["overlap"].mean(over)}
    for name, values in run.data_vars.items():
        if name in ("acceptance", "step"):
            result[name] = values.mean(("replica",) if name == "step" else over)
            continue
        pair = name == "replica_overlap"
        masks = {"inside": both if pair else inside, "out": neither if pair else out}
        for where, some in masks.items():
            result[f"{name}_{where}"] = values.where(some).mean(over)
            long_name = f"{values.attrs['long_name']}, {where} of the basin"
            result[f"{name}_{where}"].attrs = {"long_name": long_name, "units": "1"}
    result["inside"] = inside.mean(over)
    result["inside"].attrs = {"long_name": "Share of samples in the basin", "units": "1"}
    for name in ("n_left", "time_at_risk"):
        result[name] = left[name]
    for name in ("overlap", "acceptance", "step"):
        result[name].attrs = run[name].attrs
    return xr.Dataset(result).drop_vars(["dimension", "n_patterns", "alpha"], errors="ignore")


def loads(alpha: tuple[float, ...], dimension: int, most: int) -> np.ndarray:
    """The loads ln M/d that are simulated for the requested ones, each once: (alpha,).

    Raises ValueError where none is left between 2 and `most` patterns.
    """
    number = np.unique(np.rint(np.exp(np.asarray(alpha, float) * dimension)))
    number = number[(number >= 2) & (number <= most)]
    if not number.size:
        raise ValueError(
            f"--alpha {' '.join(map(str, alpha))}: no load with 2 to {most} patterns at "
            f"d = {dimension}; change alpha, --dimension or --most-patterns."
        )
    return np.log(number) / dimension


def sweeps(settings: Settings) -> dict:
    """Name of the store -> sweep."""
    from hopfield_sim import Sweep

    checked(settings)
    common = ("replicas", "warmup", "samples", "every")
    about = {name: getattr(settings, name) for name in common}
    made = {}
    for d in sorted(set(settings.dimension)):
        made[f"dimension_{d}"] = Sweep(
            partial(cell, settings, d),
            {
                "alpha": loads(settings.alpha, d, settings.most_patterns),
                "temperature": np.unique(settings.temperature),
            },
            lanes=("temperature",),
            realisations=settings.realisations,
            seed=settings.seed,
            title=f"Log-sum-exp network at temperature T, d = {d}",
            settings=about | {"dimension": d, "sharpness": settings.sharpness},
        )
    d = _EPANECHNIKOV_DIMENSION
    made["epanechnikov"] = Sweep(
        partial(epanechnikov_cell, settings, d),
        {
            "alpha": loads(_EPANECHNIKOV_ALPHA, d, settings.most_patterns),
            "temperature": np.unique(settings.temperature),
        },
        lanes=("temperature",),
        realisations=settings.realisations,
        seed=settings.seed,
        title=f"Epanechnikov network at temperature T, d = {d}",
        settings=about | {"dimension": d, "epanechnikov": settings.epanechnikov},
    )
    return made


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import Schedule, device, langevin

    device.resolve(settings.device)
    langevin.Langevin(settings.temperature)
    Schedule(settings.warmup, settings.samples, settings.every)
    at_least(settings, dimension=4, replicas=2, realisations=2)  # two replicas for q12
    positive(settings, "sharpness", "epanechnikov")
    if settings.warmup < 20:
        raise ValueError(
            f"--warmup {settings.warmup}: at least 20 steps are needed to find the step sizes."
        )


def main(settings: Settings) -> None:
    each = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings, each))
        return
    found = {name: store.sortby("alpha") for name, store in all_computed(each, settings).items()}
    epanechnikov = found.pop("epanechnikov")
    stores = {int(name.removeprefix("dimension_")): store for name, store in found.items()}
    report(stores, epanechnikov, settings)


def report(stores: dict, epanechnikov, settings: Settings) -> None:
    """Tables, verdicts and figure of finished stores: dimension -> Dataset."""
    import xarray as xr

    from analysis import comparison, modern_thermal

    theories, excluded, reasons, lines = {}, {}, {}, []
    for d, found in stores.items():
        theory = theories[d] = modern_thermal.predicted(found, d, settings.sharpness)
        reasons[d] = _left_out(found, theory, settings.replicas)
        excluded[d] = xr.concat(xr.broadcast(*reasons[d].values()), "reason").any("reason")
        scores = comparison.z_scores(found.overlap_inside, theory.m)
        print(f"d = {d}: overlap with the target in its basin")
        left = found.n_left.sum("realisation")
        print(comparison.table(scores, include=~excluded[d], theory="theory", left=left))
        excess = found.replica_overlap_inside - found.overlap_inside**2
        excess = excess.where(~excluded[d]).mean(("alpha", "temperature"))
        lines.append(
            f"d = {d}: q12 - m^2 in the basin {float(excess.mean()):+.5f} ± "
            f"{float(excess.std(ddof=1)) / np.sqrt(excess.size):.5f}, what two replicas share "
            "beside the target"
        )
    left_out = {
        name: modern_thermal.joined({d: reasons[d][name] for d in stores})
        for name in next(iter(reasons.values()))
    }
    for name, of_theory in modern_thermal.COMPARED.items():
        scores = modern_thermal.joined(
            {
                d: comparison.z_scores(found[f"{name}_inside"], theories[d][of_theory])
                for d, found in stores.items()
            }
        )
        verdict = comparison.verdict(scores, columns="column", reasons=left_out)
        lines.append(f"{name.replace('_', ' ')} in the basin against theory at d: {verdict}")
    about = {
        "sharpness": settings.sharpness,
        "n_replicas": settings.replicas,
        "b": settings.epanechnikov,
        "dimension": _EPANECHNIKOV_DIMENSION,
    }
    title = (
        rf"Log-sum-exp networks on the sphere, $\lambda = {settings.sharpness:g}$, started in the "
        f"target; {settings.realisations} sets of patterns, {settings.replicas} replicas"
    )
    figure = modern_thermal.drawn(stores, theories, excluded, epanechnikov, about, title)
    saved(figure, settings.figure)
    print("\n".join(lines))


def _left_out(found, theory, n_replicas: int) -> dict:
    """The cells that cannot test the theory, by reason: name -> bool over (alpha, temperature)."""
    from analysis import modern_thermal

    return {
        "without a retrieval state": theory.m.isnull(),
        f"with a barrier below {_BARRIER:g} T": theory.barrier < _BARRIER,
        "where rare sets of patterns make the average of theory": (
            theory.rare > modern_thermal.RARE
        ),
        f"from which more than {100 * _LEFT:g} % of the replicas left": (
            found.n_left.mean("realisation") > _LEFT * n_replicas
        ),
    }


def _plan(settings: Settings, each: dict) -> str:
    from hopfield_sim import Schedule

    steps = Schedule(settings.warmup, settings.samples, settings.every).sweeps
    temperature = np.unique(settings.temperature)
    lanes = settings.replicas * len(temperature)
    n_cells, work, seconds, largest = 0, 0.0, 0.0, 0
    for name, sweep in each.items():
        middle = float(np.median(sweep.axes["alpha"]))
        middle = min(sweep.axes["alpha"], key=lambda load: abs(load - middle))
        each_cell = epanechnikov_cell if name == "epanechnikov" else cell
        d = sweep.settings["dimension"]

        def run(n_steps: int, each_cell=each_cell, d=d, middle=middle) -> None:
            shorter = replace(settings, warmup=20, samples=max(n_steps - 20, 4), every=1)
            each_cell(shorter, d, (settings.seed, 0), middle, temperature)

        number = np.exp(np.asarray(sweep.axes["alpha"]) * d)
        of_this = timed_cell(run, steps)
        # the time goes with the number of patterns, and about 1 ms a step with none of them
        fixed = 1e-3 * steps
        per_pattern = max(of_this - fixed, 0) / np.exp(middle * d)
        seconds += float((fixed + per_pattern * number).sum()) * settings.realisations
        n_cells += cells(sweep)
        work += float(cells(sweep) * steps * lanes)
        largest = max(largest, int(d * number.max()))
    memory = 16.0 * largest + 8 * 1024 * 256 * 2
    files = f"{n_cells} x 18 chunks in {settings.store}"
    counted = "steps of a replica"
    return plan(n_cells, work, seconds / n_cells, memory, files, settings.workers, counted)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
