"""How many patterns a softmax network holds: one update at finite d against its exact law.

Simulated: networks with the log-sum-exp energy and M random patterns in d dimensions, on the sphere
|x|^2 = d or Gaussian, held as patterns, of sharpness lambda (beta where |x|^2 = d). First: stored
patterns as queries, one update each: the softmax weight of the queried pattern, how often it is
above one half, the error |f(x) - x|. Second: cues with the overlap x_0 with their pattern. Third:
one set of patterns after another grows until the first of all its patterns has lost half of its
weight. Fourth: retrieval to a fixed point instead of one update. Drawn: the largest M against d
with the sharp law M = exp(alpha d), the exact law at finite d and the published lower bound;
weights and errors against M; the extrapolation of ln M/d to d = infinity; the load against the
overlap of the cue; fixed points. Printed: those extrapolations, the numbers for all patterns and
for fixed points, and verdicts of weight, retrieved fraction and error against the exact law.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
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
)

_PATTERNS = ("sphere", "gaussian")
_FEWEST_PATTERNS = 2
_FEWEST_EVENTS = 50  # expected patterns with, and without, half of their weight in all networks
_UPDATE, _ALL, _FIXED = range(3)  # networks of different parts are independent


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/modern_capacity")
    """Folder of four Zarr stores, one for each part. Found again, they are resumed; made with other
    settings, refused."""
    figure: Path = Path("figures/modern_capacity.png")
    realisations: int = 16
    """Independent sets of patterns of each point; the error bars come from them."""
    dimension: tuple[int, ...] = (6, 8, 10, 12, 16, 20, 24)
    """Dimensions d."""
    sharpness: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Sharpness lambda of the softmax, beta |x|^2/d."""
    excess: tuple[float, ...] = (-6.0, -5.0, -4.0, -3.0, -2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)
    """ln M minus d times the load of the sharp law, which says only where to look."""
    most_patterns: int = 60000
    """Networks with more patterns are left out."""
    queries: int = 64
    """Stored patterns that are looked at in each network."""
    bound: float = 0.1
    """Root mean square error over sqrt(d) that defines a capacity."""
    cue_overlap: tuple[float, ...] = (0.5, 0.6, 0.7, 0.8, 0.9)
    """Overlaps x_0 of the cues of the second part, at the middle sharpness."""
    cue_dimension: tuple[int, ...] = (8, 12, 16, 20)
    """Dimensions of the second part."""
    all_dimension: tuple[int, ...] = (8, 10, 12, 14, 16)
    """Dimensions of the third part."""
    most_grown: int = 4096
    """Patterns up to which a set grows in the third part."""
    fixed_dimension: tuple[int, ...] = (12, 16, 20)
    """Dimensions of the fourth part."""
    fixed_sharpness: float = 0.7
    """Sharpness of the fourth part."""
    fixed_queries: int = 24
    """Patterns of each network that are retrieved to a fixed point."""
    steps: int = 100
    """Updates at most on the way to a fixed point."""


# ------------------------------------------------------------------------------------- the cells


def cell(settings: Settings, seed, patterns: str, sharpness, start_overlap, dimension: int, excess):
    """One network at each number of patterns, one update of some of them: Dataset (excess)."""
    import xarray as xr

    from hopfield_sim import LogSumExp

    names = ("weight", "retrieved", "square_error", "n_patterns")
    found = {name: np.full(len(excess), np.nan) for name in names}
    numbers = n_patterns(settings, patterns, sharpness, start_overlap, dimension, excess)
    found["n_patterns"][:] = numbers
    own = (*seed, _UPDATE, _bits(sharpness), _bits(start_overlap))
    for place in np.flatnonzero(numbers):
        xi = stored(patterns, numbers[place], dimension, own)
        targets = xi[: settings.queries]
        model = LogSumExp(xi, sharpness)
        cue = at_overlap(targets, start_overlap, (*own, len(_PATTERNS)))
        weight, state = looked(model, cue, targets)
        found["weight"][place] = weight.mean()
        found["retrieved"][place] = (weight > 0.5).mean()
        found["square_error"][place] = ((state - targets) ** 2).sum(1).mean() / dimension
    described = (
        "Mean weight of the queried pattern after one update",
        "Fraction of the queried patterns with more than half of the weight",
        "Mean of |f(x) - x_1|^2/d after one update",
        "Number of patterns M, 0 where not simulated",
    )
    return xr.Dataset(
        {
            name: ("excess", found[name], {"long_name": text, "units": "1"})
            for name, text in zip(names, described, strict=True)
        }
    )


def n_patterns(settings: Settings, patterns: str, sharpness, start_overlap, dimension, excess):
    """M at a distance from the sharp law, 0 where there are too many or too few: int (excess,)."""
    from hopfield_sim import theory

    law = getattr(theory.log_sum_exp, patterns)(sharpness, start_overlap)
    numbers = np.rint(np.exp(dimension * float(law.alpha) + np.asarray(excess)))
    held = (numbers >= _FEWEST_PATTERNS) & (numbers <= settings.most_patterns)
    return np.where(held, numbers, 0).astype(int)


def stored(kind: str, number: int, dimension: int, seed) -> np.ndarray:
    """Random patterns, (pattern, dimension): on the sphere |x|^2 = d or Gaussian."""
    from hopfield_sim import patterns

    make = patterns.spherical if kind == "sphere" else patterns.gaussian
    return make(int(number), int(dimension), (*seed, _PATTERNS.index(kind)))


def at_overlap(pattern: np.ndarray, overlap: float, seed) -> np.ndarray:
    """y = m x + sqrt(1 - m^2) u with u . x = 0 and |u| = |x|, of random direction else.

    pattern: x (query, dimension), d >= 2; overlap: m in [-1, 1]; seed: of u, another one than that
    of the patterns, which are drawn in the same way. Returns cues of the lengths of their patterns,
    y . x = m |x|^2: float64 (query, dimension).
    """
    from hopfield_sim import patterns

    square = (pattern**2).sum(axis=1, keepdims=True)
    across = patterns.gaussian(*pattern.shape, seed)
    across -= (across * pattern).sum(axis=1, keepdims=True) / square * pattern
    across *= np.sqrt(square / (across**2).sum(axis=1, keepdims=True))
    return overlap * pattern + np.sqrt(1 - overlap**2) * across


def looked(model, states: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weights of the targets, (query,), and next states, (query, dimension), by one pass.

    ln p_1 = beta (x . x_1 - lse) with the lse that is in the energy
    |x|^2/2 - lse + ln(M)/beta + max |x_mu|^2/2, and f(x) = x - gradient.
    """
    energy, gradient = model.energy_and_gradient(states)
    largest = (model.patterns**2).sum(1).max()
    log_sum = (states**2).sum(1) / 2 + np.log(model.n_patterns) / model.beta + largest / 2 - energy
    weight = np.exp(model.beta * ((states * targets).sum(1) - log_sum))
    return weight, states - gradient


def all_cell(settings: Settings, seed, patterns: str, sharpness: float, dimension: int):
    """The largest M at which all of the first M patterns of a set have half of their weight.

    A pattern more takes weight from all others, so this M is found by bisection.
    """
    import xarray as xr

    from hopfield_sim import LogSumExp

    own = (*seed, _ALL, _bits(sharpness))
    xi = stored(patterns, settings.most_grown, dimension, own)

    def all_retrieved(number: int) -> bool:
        some = xi[:number]
        return bool((looked(LogSumExp(some, sharpness), some, some)[0] > 0.5).all())

    good, bad = 1, 2
    while bad <= len(xi) and all_retrieved(bad):
        good, bad = bad, 2 * bad
    bad = min(bad, len(xi) + 1)
    while bad - good > 1:
        middle = (good + bad) // 2
        good, bad = (middle, bad) if all_retrieved(middle) else (good, middle)
    described = {"long_name": "Largest M of which all patterns are retrieved", "units": "1"}
    return xr.Dataset({"n_patterns": ((), float(good), described)})


def fixed_cell(settings: Settings, seed, patterns: str, dimension: int, excess):
    """Retrieval from stored patterns to fixed points: Dataset over (excess)."""
    import xarray as xr

    from hopfield_sim import LogSumExp

    sharpness = settings.fixed_sharpness
    names = ("retrieved", "overlap", "converged", "n_patterns")
    found = {name: np.full(len(excess), np.nan) for name in names}
    numbers = n_patterns(settings, patterns, sharpness, 1.0, dimension, excess)
    found["n_patterns"][:] = numbers
    for place in np.flatnonzero(numbers):
        xi = stored(patterns, numbers[place], dimension, (*seed, _FIXED))
        targets = xi[: settings.fixed_queries]
        model = LogSumExp(xi, sharpness)
        run = model.retrieve(targets, settings.steps, tolerance=1e-6)
        state = run.state.values
        overlap = (state * targets).sum(1) / (targets**2).sum(1)
        # by weight: a mixture of neighbours can have a large overlap with each of them
        found["retrieved"][place] = (looked(model, state, targets)[0] > 0.5).mean()
        found["overlap"][place] = overlap.mean()
        found["converged"][place] = run.converged.values.mean()
    described = (
        "Fraction of the fixed points in which the pattern they started in has half of the weight",
        "Mean overlap x . x_1/|x_1|^2 of the fixed point with the pattern it started in",
        "Fraction of the queries that converged",
        "Number of patterns M, 0 where not simulated",
    )
    return xr.Dataset(
        {
            name: ("excess", found[name], {"long_name": text, "units": "1"})
            for name, text in zip(names, described, strict=True)
        }
    )


def _bits(number: float) -> int:
    """A coordinate as an integer for a seed."""
    return int(np.float64(number).view(np.uint64))


# ------------------------------------------------------------------------------------ the command


def sweeps(settings: Settings) -> dict:
    """Name of the store -> sweep."""
    from hopfield_sim import Sweep

    checked(settings)
    common = {"realisations": settings.realisations, "seed": settings.seed}
    size = {name: getattr(settings, name) for name in ("most_patterns", "queries")}
    lanes = {"lanes": ("excess",), **common}
    excess = np.unique(settings.excess)
    first = {"patterns": _PATTERNS, "sharpness": np.unique(settings.sharpness)}
    cued = {"patterns": _PATTERNS, "sharpness": [middle(settings)]}
    return {
        "update": Sweep(
            partial(cell, settings),
            {**first, "start_overlap": [1.0], "dimension": settings.dimension, "excess": excess},
            title="One update of softmax networks from a pattern",
            settings=size,
            **lanes,
        ),
        "cues": Sweep(
            partial(cell, settings),
            {
                **cued,
                "start_overlap": np.unique(settings.cue_overlap),
                "dimension": settings.cue_dimension,
                "excess": excess,
            },
            title="One update of softmax networks from a cue",
            settings=size,
            **lanes,
        ),
        "all": Sweep(
            partial(all_cell, settings),
            {**first, "dimension": settings.all_dimension},
            title="All patterns of softmax networks",
            settings={"most_grown": settings.most_grown},
            **common,
        ),
        "fixed": Sweep(
            partial(fixed_cell, settings),
            {"patterns": _PATTERNS, "dimension": settings.fixed_dimension, "excess": excess},
            title="Fixed points of softmax networks",
            settings={
                name: getattr(settings, name)
                for name in ("most_patterns", "fixed_sharpness", "fixed_queries", "steps")
            },
            **lanes,
        ),
    }


def middle(settings: Settings) -> float:
    """The sharpness of the cues."""
    values = np.unique(settings.sharpness)
    return float(values[len(values) // 2])


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import device

    device.resolve(settings.device)
    at_least(settings, queries=1, fixed_queries=1, steps=1, realisations=2)
    at_least(settings, most_patterns=_FEWEST_PATTERNS, most_grown=_FEWEST_PATTERNS)
    at_least(settings, dimension=4, cue_dimension=4, all_dimension=4, fixed_dimension=4)
    positive(settings, "sharpness", "fixed_sharpness")
    positive(settings, "cue_overlap", most=1)
    if not settings.excess or not np.isfinite(settings.excess).all():
        raise ValueError(f"--excess {settings.excess}: finite numbers are needed.")
    if not 0 < settings.bound < 1:
        raise ValueError(f"--bound {settings.bound}: a number in (0, 1) is needed.")


def main(settings: Settings) -> None:
    each = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings, each))
        return
    found = all_computed(each, settings)
    report(found, settings)


def report(found: dict, settings: Settings) -> None:
    """Tables, verdicts and figure of finished stores. found: name -> Dataset, as `sweeps`."""
    from analysis import comparison, modern_capacity, modern_capacity_figure

    theory = {name: modern_capacity.predicted(found[name]) for name in ("update", "cues")}
    capacity = {
        name: modern_capacity.capacities(found[name], theory[name], settings.bound)
        for name in theory
    }
    print(modern_capacity.limit_table(modern_capacity.limits(capacity["update"])))
    print(modern_capacity.limit_table(modern_capacity.limits(capacity["cues"])))
    grown = modern_capacity.grown(found["all"], settings.most_grown)
    print(modern_capacity.grown_table(grown))
    fixed = modern_capacity.fixed_points(found["fixed"], settings.fixed_sharpness)
    print(modern_capacity.fixed_table(fixed))
    figure = modern_capacity_figure.drawn(
        found, theory, capacity, grown, fixed, settings.bound, _title(settings)
    )
    saved(figure, settings.figure)
    events = settings.realisations * settings.queries
    for name, text in (("update", "from a pattern"), ("cues", "from a cue")):
        scores, left_out = modern_capacity.judged(found[name], theory[name], events, _FEWEST_EVENTS)
        for observable, one in scores.items():
            # every cell has networks of its own
            verdict = comparison.verdict(one, columns=None, reasons=left_out[observable])
            print(f"{observable.replace('_', ' ')} {text} against the exact law: {verdict}")


def _title(settings: Settings) -> str:
    return (
        f"Softmax networks, one update; {settings.realisations} sets of patterns a point, "
        f"{settings.queries} queries in each, up to {settings.most_patterns} patterns"
    )


def _plan(settings: Settings, each: dict) -> str:
    from hopfield_sim import LogSumExp

    largest = int(max(settings.dimension))
    most = settings.most_patterns
    for number in (_FEWEST_PATTERNS, most):  # the first call compiles
        begin = time.perf_counter()
        xi = stored("gaussian", number, largest, (settings.seed, 0))
        looked(LogSumExp(xi, 1.0), xi[: settings.queries], xi[: settings.queries])
    seconds = (time.perf_counter() - begin) / most  # of a pattern
    held = sum(
        n_patterns(settings, kind, lam, x0, d, settings.excess).sum()
        for name in ("update", "cues")
        for kind in _PATTERNS
        for lam in each[name].axes["sharpness"]
        for x0 in each[name].axes["start_overlap"]
        for d in each[name].axes["dimension"]
    )
    n_cells = sum(map(cells, each.values()))
    looks = settings.realisations * held * settings.queries
    files = f"{n_cells} x 4 chunks in {settings.store}"
    memory = 8.0 * most * (2 * largest + 2)
    # half as much again for the third and fourth part
    whole = 1.5 * seconds * held * settings.realisations
    counted = "scores of a query with a pattern"
    return plan(n_cells, looks, whole / n_cells, memory, files, settings.workers, counted)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
