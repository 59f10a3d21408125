"""Which fixed point a modern Hopfield network retrieves: all patterns, a cluster, or one of them.

Simulated, first: softmax networks with G clusters of M patterns of length 1 (overlap c within a
cluster) in d dimensions, started in stored patterns and updated to fixed points, over the inverse
temperature (K = beta |x|^2) and the separation 1 - c; the number of patterns in the fixed point is
1/sum of p^2 of its weights p. Once with clusters exactly at right angles, where theory is exact,
and with random directions. Second: random directions in rising dimensions d, at points inside the
three regions. Third: orthogonal patterns (softmax, 1.5-entmax, Softmax_1), beta raised from the
uniform state and lowered from a pattern, and the jumps searched by bisection. Fourth: images of
digits, all stored and all used as cues, as beta rises.
Drawn: the map with the exact lines of the two-level Potts model and the proven separation bound;
slices; the approach to theory with 1/d; both hysteresis loops over all branches of theory; numbers
of different fixed points of digits and the part of their weights on images of the cue's class.
Printed: deviations from the exact theory, the jumps, and a verdict of random directions, d -> inf.
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

NETWORKS = ("softmax", "entmax", "softmax_1")
STATES = ("single", "cluster", "global")
_ORDER = 1.5  # of the entmax
_STEPS = 3000  # updates at most; slow only next to the lines, and told where they do not suffice
_LONG = 30_000  # updates at most of a hysteresis loop, which comes close to where states vanish
_TILT = 1e-6  # weight that a pattern gets before each step of a loop, or symmetry would never break
_SHARP = 1e-11  # |f(x) - x| over the length of a pattern of a state that a loop goes on from
_BRACKET = 1e-3  # relative width of the interval in which a jump is found
_TOUCHES = 50  # updates after which a tilt of the uniform state has grown or shrunk
_INSIDE = 1.5  # factor between K and the nearest line at the points in rising dimensions


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/modern_fixed_points")
    """Folder of five Zarr stores, one for each part. Found again, they are resumed; made with other
    settings, refused."""
    figure: Path = Path("figures/modern_fixed_points.png")
    realisations: int = 16
    """Independent sets of patterns of each point of the map; the error bars come from them."""
    n_clusters: int = 8
    """Clusters G."""
    n_patterns: int = 8
    """Patterns M of a cluster."""
    dimension: int = 256
    """Dimension d of the map with random directions."""
    separation: tuple[float, ...] = tuple(float(s) for s in np.geomspace(0.04, 1, 15).round(3))
    """Separations 1 - c of a pattern from the others of its cluster, in units of |x|^2."""
    self_overlap: tuple[float, ...] = tuple(float(k) for k in np.geomspace(2.5, 250, 33).round(3))
    """Inverse temperatures K = beta |x|^2."""
    dimensions: tuple[int, ...] = (256, 512, 1024)
    """Dimensions of the approach to theory. From 256 on a line in 1/d is enough: with 128 as well
    the mean z² of the limits was 1.7 in place of 1.0 (at five and four sizes, 32 sets each)."""
    probed: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    """Separations there."""
    repeats: int = 24
    """Independent sets of patterns there."""
    n_orthogonal: int = 10
    """Orthogonal patterns of the hysteresis loops."""
    places: int = 40
    """Values of K of a loop, each way."""
    n_digits: int = 200
    """Images stored together, drawn from scikit-learn's digits; each realisation draws anew."""
    digits_beta: tuple[float, ...] = tuple(float(b) for b in np.geomspace(3, 200, 14).round(2))
    """Inverse temperatures of the images, which are scaled to mean 0 and length 1."""


def clustered(settings: Settings, dimension: int, separation: float, seed) -> np.ndarray:
    """Patterns of length 1 at a fixed angle to the random centre of their cluster.

    x = sqrt(c) a + sqrt(1 - c) b, a uniform on the sphere, b uniform at right angles to it:
    (pattern, dimension), the clusters one after the other. Overlaps differ from c (in a cluster)
    and 0 by numbers of the order 1/sqrt(d).
    """
    from hopfield_sim import patterns

    G, M = settings.n_clusters, settings.n_patterns
    centre = patterns.spherical(G, dimension, (*seed, 0), radius=1.0)[:, None]
    own = patterns.gaussian(G * M, dimension, (*seed, 1)).reshape(G, M, dimension)
    own -= (own * centre).sum(axis=-1, keepdims=True) * centre
    own /= np.linalg.norm(own, axis=-1, keepdims=True)
    return _joined(centre, own, separation)


def hierarchical(settings: Settings, separation: float, seed) -> np.ndarray:
    """The same with all centres and directions exactly at right angles: (pattern, dimension)."""
    G, M = settings.n_clusters, settings.n_patterns
    axes = orthogonal(G + G * M, seed)
    return _joined(axes[:G, None], axes[G:].reshape(G, M, -1), separation)


def orthogonal(number: int, seed) -> np.ndarray:
    """Random orthogonal directions of length 1, in a few dimensions more: (pattern, dimension)."""
    from hopfield_sim import patterns

    return np.linalg.qr(patterns.gaussian(number, number + 6, seed).T)[0].T


def _joined(centre, own, separation):
    x = np.sqrt(1 - separation) * centre + np.sqrt(separation) * own
    return x.reshape(-1, x.shape[-1])


def _labelled(found: dict, dims) -> object:
    import xarray as xr

    return xr.Dataset(
        {
            name: (dims, values, {"long_name": long_name, "units": "1"})
            for name, (values, long_name) in found.items()
        }
    )


def reached(x: np.ndarray, n_patterns: int, self_overlap) -> object:
    """Fixed points from the first pattern of each cluster, at each K: Dataset over self_overlap."""
    from hopfield_sim import LogSumExp

    cues = np.arange(0, len(x), n_patterns)
    found = np.empty((5, len(self_overlap)))
    for place, K in enumerate(self_overlap):
        model = LogSumExp(x, float(K))
        run = model.retrieve(x[cues], steps=_STEPS)
        p = model.weights(run.state.values).reshape(len(cues), -1, n_patterns)
        own = p[np.arange(len(cues)), np.arange(len(cues))]
        number = 1 / (p**2).sum(axis=(1, 2))
        still = (own[:, 0].mean(), own.sum(axis=1).mean(), np.log(number).mean())
        found[:, place] = (*still, run.converged.mean(), run.steps.mean())
    names = {
        "weight": "Weight of the pattern that was the cue",
        "cluster_weight": "Weight of its cluster",
        "log_n_effective": "ln of the number of patterns in the fixed point, mean over cues",
        "converged": f"Part of the cues that stood still within {_STEPS} updates",
        "steps": "Mean number of updates",
    }
    labelled = zip(found, names.values(), strict=True)
    return _labelled(dict(zip(names, labelled, strict=True)), "self_overlap")


def cell(settings: Settings, seed, separation: float, self_overlap):
    """One set of patterns with random directions: Dataset over self_overlap."""
    x = clustered(settings, settings.dimension, separation, (*seed, _integer(separation)))
    return reached(x, settings.n_patterns, self_overlap)


def exact_cell(settings: Settings, seed, separation: float, self_overlap):
    """One set of patterns with all directions at right angles: Dataset over self_overlap."""
    return reached(hierarchical(settings, separation, seed), settings.n_patterns, self_overlap)


def size_cell(settings: Settings, seed, separation: float, state: str, dimension):
    """One set of patterns in each dimension, at the point inside a region: over dimension."""
    import xarray as xr

    K = probe(settings, separation, state)
    own = (*seed, _integer(separation), STATES.index(state))
    found = []
    for d in dimension:
        x = clustered(settings, int(d), separation, own)
        one = reached(x, settings.n_patterns, [1.0 if np.isnan(K) else K]).isel(self_overlap=0)
        found.append(one.where(np.isfinite(K)))
    return xr.concat(found, xr.Variable("dimension", dimension))


def probe(settings: Settings, separation: float, state: str) -> float:
    """K of the point inside a region, a factor from all lines; NaN where the region is narrower."""
    from hopfield_sim import theory

    lines = theory.modern_clusters.thresholds(
        settings.n_clusters, settings.n_patterns, 1 - separation
    )
    single, cluster = float(lines.single), float(lines.cluster)
    if state == "single":
        return _INSIDE * single
    if state == "global":
        return min(single, cluster) / _INSIDE
    return np.sqrt(single * cluster) if single > _INSIDE**2 * cluster else np.nan


def _integer(separation: float) -> int:
    """A separation as a part of a seed."""
    return round(1e6 * separation)


def network(name: str, x: np.ndarray, K: float):
    """A model of one of `NETWORKS` with patterns of length 1 at K = beta."""
    from hopfield_sim import Entmax, LogSumExp, OutlierEfficient

    if name == "entmax":
        return Entmax(x, K, alpha=_ORDER)
    return (OutlierEfficient if name == "softmax_1" else LogSumExp)(x, K)


def loop_cell(settings: Settings, seed, network_name: str):
    """K raised and lowered, from fixed point to fixed point, and the jumps: Dataset over place."""
    import xarray as xr

    x = orthogonal(settings.n_orthogonal, seed)
    lines = edges(settings, network_name)
    path = np.geomspace(0.85 * lines[0], 1.1 * lines[1], settings.places)

    def end(K, state, tolerance=_SHARP):
        model = network(network_name, x, K)
        run = model.retrieve(state, steps=_LONG, tolerance=tolerance)
        return run.state.values, float(model.weights(run.state.values)[0]), bool(run.converged)

    def stays(K):
        # an update moves more than 1e-6 wherever a state has just vanished
        return end(K, x[0], tolerance=1e-6)[1] > 0.5

    def grows(K):
        uniform = end(K, x.mean(axis=0))[0]
        model, state = network(network_name, x, K), uniform + _TILT * (x[0] - x[1])
        for _ in range(_TOUCHES):
            state = model.update(state)
        return np.linalg.norm(state - uniform) > _TILT * np.sqrt(2)

    found = {"self_overlap": (path, "K = beta |x|^2")}
    for way, order, state in (
        ("raised", range(len(path)), x.mean(axis=0)),
        ("lowered", reversed(range(len(path))), x[0]),
    ):
        weights, still = np.empty(len(path)), np.empty(len(path), bool)
        for place in order:
            state, weights[place], still[place] = end(path[place], state + _TILT * x[0])
        found[way] = (weights, f"Weight of the first pattern, K {way}")
        found[f"{way}_converged"] = (still, f"Whether the state stood still, K {way}")
    found = _labelled(found, "place")
    for name, line, happens, about in (
        ("appears", lines[0], stays, "Interval of K in which a pattern becomes a fixed point"),
        ("leaves", lines[1], grows, "Interval of K in which the uniform state loses stability"),
    ):
        low, high = 0.9 * line, 1.1 * line
        while high / low > 1 + _BRACKET:
            middle = np.sqrt(low * high)
            low, high = (low, middle) if happens(middle) else (middle, high)
        found[name] = xr.Variable("end", [low, high], {"long_name": about, "units": "1"})
    return found


def edges(settings: Settings, network_name: str) -> tuple[float, float]:
    """K_s and K_u in theory."""
    from hopfield_sim import theory

    if network_name == "softmax_1":
        lines = theory.modern_outlier.thresholds(settings.n_orthogonal)
    else:
        order = _ORDER if network_name == "entmax" else 1.0
        lines = theory.modern_states.thresholds(settings.n_orthogonal, order)
    return float(lines.appears), float(lines.uniform)


def digits_cell(settings: Settings, seed, inverse_temperature):
    """Images stored and used as cues: Dataset over inverse_temperature."""
    from hopfield_sim import LogSumExp, images, patterns

    source = images.digits(None)
    pool = source.patterns - source.patterns.mean(axis=1, keepdims=True)
    chosen = np.argsort(patterns.gaussian(1, len(pool), seed)[0])[: settings.n_digits]
    x = pool[chosen] / np.linalg.norm(pool[chosen], axis=1, keepdims=True)
    alike = source.labels[chosen][:, None] == source.labels[chosen]
    found = np.empty((4, len(inverse_temperature)))
    for place, beta in enumerate(inverse_temperature):
        model = LogSumExp(x, float(beta))
        run = model.retrieve(x, steps=_STEPS, tolerance=1e-8)
        state, p = run.state.values, model.weights(run.state.values)
        found[:, place] = (
            _different(state),
            np.log(1 / (p**2).sum(axis=1)).mean(),
            (p * alike).sum(axis=1).mean(),
            run.converged.mean(),
        )
    names = {
        "n_states": "Number of different fixed points",
        "log_n_effective": "ln of the number of images in the fixed point, mean over cues",
        "own_class": "Weight of the images of the cue's class in its fixed point",
        "converged": "Part of the cues that stood still",
    }
    labelled = zip(found, names.values(), strict=True)
    return _labelled(dict(zip(names, labelled, strict=True)), "inverse_temperature")


def _different(states) -> int:
    """How many of the states are apart by more than 1e-3 of a pattern's length."""
    number, left = 0, states
    while len(left):
        left = left[np.linalg.norm(left - left[0], axis=1) > 1e-3]
        number += 1
    return number


def sweeps(settings: Settings) -> dict:
    """Name of the store -> sweep."""
    from hopfield_sim import Sweep

    checked(settings)
    several = {name: getattr(settings, name) for name in ("n_clusters", "n_patterns")}
    grid = {
        "separation": np.unique(settings.separation),
        "self_overlap": np.unique(settings.self_overlap),
    }
    parts = {
        "exact": (exact_cell, grid, ("self_overlap",), 1, several),
        "map": (
            cell,
            grid,
            ("self_overlap",),
            settings.realisations,
            several | {"dimension": settings.dimension},
        ),
        "sizes": (
            size_cell,
            {
                "separation": np.unique(settings.probed),
                "state": STATES,
                "dimension": np.unique(settings.dimensions),
            },
            ("dimension",),
            settings.repeats,
            several,
        ),
        "loops": (
            loop_cell,
            {"network_name": NETWORKS},
            (),
            1,
            {name: getattr(settings, name) for name in ("n_orthogonal", "places")},
        ),
        "digits": (
            digits_cell,
            {"inverse_temperature": np.unique(settings.digits_beta)},
            ("inverse_temperature",),
            settings.realisations,
            {"n_digits": settings.n_digits},
        ),
    }
    return {
        name: Sweep(
            partial(each, settings),
            axes,
            lanes=lanes,
            realisations=realisations,
            seed=settings.seed,
            title=f"Fixed points of modern Hopfield networks: {name}",
            settings=about,
        )
        for name, (each, axes, lanes, realisations, about) in parts.items()
    }


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import device

    device.resolve(settings.device)
    at_least(settings, n_clusters=2, n_patterns=2, n_orthogonal=3, places=3, n_digits=2)
    at_least(settings, dimension=2, dimensions=2, repeats=2, realisations=2)
    positive(settings, "self_overlap", "digits_beta")
    positive(settings, "separation", "probed", most=1)
    if settings.n_digits > 1797:
        raise ValueError(f"--n-digits {settings.n_digits}: there are 1797 images.")
    if len(np.unique(settings.dimensions)) < 3:
        raise ValueError(
            f"--dimensions {settings.dimensions}: three at least are needed for a line through "
            "them and its deviation."
        )


def main(settings: Settings) -> None:
    each = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings, each))
        return
    found = all_computed(each, settings)
    report(found, settings)


def report(found: dict, settings: Settings) -> None:
    """Deviations, jumps, verdict and figure of finished stores."""
    from analysis import comparison, modern_fixed_points, modern_fixed_points_figure

    sizes = (settings.n_clusters, settings.n_patterns)
    theory = {name: modern_fixed_points.predicted(found[name], *sizes) for name in ("exact", "map")}
    points = modern_fixed_points.probes(found["sizes"], partial(probe, settings), *sizes)
    limits = modern_fixed_points.limits(found["sizes"], points)
    path = {name: found["loops"].self_overlap.sel(network_name=name).values[0] for name in NETWORKS}
    loops = {
        name: modern_fixed_points.branches_of(
            name, settings.n_orthogonal, K, edges(settings, name), _ORDER
        )
        for name, K in path.items()
    }
    print(modern_fixed_points.exact_text(found["exact"], theory["exact"]))
    print(modern_fixed_points.loops_text(found["loops"], loops))
    print(modern_fixed_points.kinds_text(found["map"], theory["map"], *sizes))
    print(modern_fixed_points.limits_table(limits))
    print(modern_fixed_points.digits_text(found["digits"]))
    title = (
        f"Fixed points of modern Hopfield networks; clusters: G = {sizes[0]} of M = {sizes[1]} "
        f"patterns, {settings.realisations} sets in d = {settings.dimension} (map, slices), "
        f"{settings.repeats} in each d above; M = {settings.n_orthogonal} orthogonal patterns; "
        f"{settings.n_digits} digits"
    )
    figure = modern_fixed_points_figure.drawn(found, limits, loops, *sizes, title)
    saved(figure, settings.figure)
    narrow = {"narrower than the factor from all lines": limits.predicted.isnull()}
    judged = comparison.verdict(limits, columns=("separation", "state"), reasons=narrow)
    print(f"number of patterns in the fixed point, random directions, d -> inf: {judged}")


def _plan(settings: Settings, each: dict) -> str:
    """The cost of all parts, from one cell of each."""
    seconds, n_cells, scores = 0.0, 0, 0.0
    pairs = settings.n_clusters * settings.n_patterns
    for sweep in each.values():
        axes = {name: values[len(values) // 2] for name, values in sweep.axes.items()}
        axes |= {name: sweep.axes[name] for name in sweep.lanes}
        begin = time.perf_counter()
        done = sweep.cell(seed=(settings.seed, 0), **axes)
        seconds += cells(sweep) * (time.perf_counter() - begin)
        n_cells += cells(sweep)
        if "steps" in done:  # of the others only the time counts
            scores += cells(sweep) * float(done.steps.sum()) * settings.n_clusters * pairs
    memory = 40.0 * pairs * max(settings.dimensions)  # patterns, and what they are made from
    files = f"{n_cells} cells in five stores in {settings.store}"
    counted = "scores of a cue with a pattern, in clusters"
    return plan(n_cells, scores, seconds / n_cells, memory, files, settings.workers, counted)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
