"""Layers of attention as majorisation-minimisation, and what the density of a stored set remembers.

Simulated, first: the surrogate U(x; y) >= E(x) that one attention layer minimises, with
E(x) = -(1/beta) ln sum_i exp(-beta |x - x_i|^2/2): its smallest gap to E over random pairs, its gap
where it should touch, and the same of two wrong surrogates. Second: stacks of layers, all the same,
ever sharper, of ever more patterns, and all different: their energies layer by layer. Third: sets
of M patterns on the sphere |x|^2 = d, stored as the density p = exp(-beta E)/Z: the cross-entropy
-<ln p> of stored and of held-out patterns against M at several d.
Drawn: E and its surrogates between two patterns; the layered energy with the bound that
majorisation-minimisation gives; the energies E_l(x_l) themselves; both cross-entropies over d
against alpha = ln M/d with the exact law of a finite d and that of d -> infinity, with its
condensation; their difference, the memory, against M over its annealed end; the M at which it is
ln 2, against 1/d. Printed: the gaps, the energies, where memory ends, and verdicts of the
cross-entropies against the exact law, and of one against the annealed law, which must fail.

After X. Niu, B. Bai, L. Deng, W. Han, arXiv:2405.08707 (2024); what is compared is derived here.
"""

from __future__ import annotations

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
    timed_cell,
)

KINDS = ("same", "sharper", "growing", "different")
"""How the layers of a stack follow each other."""

_FEWEST_PAIRS = 1000  # of patterns that weigh, in all; below, rare near pairs make <ln(1 + S)>
_DISTANCES = tuple(10.0**k for k in range(-4, 2))  # |x - y|/sqrt(d) of the pairs
_POSITIONS = np.linspace(-0.4, 1.4, 181)
_ANCHOR = 0.38  # position of y between two patterns: near the top, where both weigh


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/layered_energy")
    """Folder of three Zarr stores. Found again, they are resumed; made with other
    settings, refused."""
    figure: Path = Path("figures/layered_energy.png")
    realisations: int = 16
    """Independent sets of patterns of each point; the error bars come from them."""
    dimension: tuple[int, ...] = (4, 8, 12, 16)
    """Dimensions d of stored sets."""
    n_patterns: tuple[int, ...] = tuple(2**k for k in range(2, 18))
    """Numbers M of patterns of stored sets."""
    sharpness: float = 1.0
    """beta of the density, with |x|^2 = d."""
    points: int = 64
    """Stored and held-out patterns at each M in a realisation, of as many sets as that takes."""
    surrogate_sharpness: tuple[float, ...] = (0.25, 1.0, 4.0)
    """beta of the layers whose surrogate is examined."""
    pairs: int = 2000
    """Pairs (x, y) at each distance and beta in a realisation."""
    stack_dimension: int = 16
    """d of the surrogates and stacks."""
    stack_patterns: int = 64
    """M of a layer of them; stacks of growing layers end with so many."""
    stack_sharpness: float = 0.4
    """beta of the layers of a stack; the sharper ones go from a quarter of it to four times it."""
    layers: int = 12
    """Layers of a stack."""
    cues: int = 64
    """Random cues of a stack in a realisation."""


def cell(settings: Settings, seed, dimension: int, n_patterns: int):
    """Some sets of M patterns: mean -ln p of stored and of held-out patterns."""
    import xarray as xr

    from hopfield_sim import patterns
    from hopfield_sim.models.layered import DistanceEnergy

    tried = min(n_patterns, settings.points)
    stored, held_out = [], []
    for number in range(max(1, settings.points // tried)):
        xi = patterns.spherical(n_patterns, dimension, (*seed, number, 0))
        others = patterns.spherical(tried, dimension, (*seed, number, 1))
        density = DistanceEnergy(xi, settings.sharpness)
        stored.append(-density.log_density(xi[:tried]).mean())
        held_out.append(-density.log_density(others).mean())
    described = {
        "stored": (np.mean(stored), "Cross-entropy of stored patterns"),
        "held_out": (np.mean(held_out), "Cross-entropy of held-out patterns"),
    }
    return xr.Dataset(
        {
            name: ((), value, {"long_name": long_name, "units": "nat"})
            for name, (value, long_name) in described.items()
        }
    )


def surrogate_cell(settings: Settings, seed, sharpness: float):
    """The surrogate of one layer, right and wrong, at random pairs and along one line.

    Wrong are: the tangent at y with half of the curvature, and the paraboloid whose weights are
    those of twice the sharpness.
    """
    import xarray as xr

    from hopfield_sim import patterns
    from hopfield_sim.models.layered import DistanceEnergy

    d = settings.stack_dimension
    xi = patterns.spherical(settings.stack_patterns, d, (*seed, 0))
    layer = DistanceEnergy(xi, sharpness)

    def flat(x, y):
        energy, gradient = layer.energy_and_gradient(y)
        return energy + (gradient * (x - y)).sum(-1) + ((x - y) ** 2).sum(-1) / 4

    def other(x, y):
        p = DistanceEnergy(xi, 2 * sharpness).weights(y)
        logs = np.log(np.where(p > 0, p, 1))
        least = (p * (logs + sharpness * d / 2)).sum(-1) / sharpness
        mean = p @ xi
        return least + (x**2).sum(-1) / 2 - (x * mean).sum(-1)  # |x_i|^2 = d

    surrogates = {"right": layer.surrogate, "flat": flat, "other": other}
    y = patterns.gaussian(settings.pairs, d, (*seed, 1))
    along = patterns.spherical(settings.pairs, d, (*seed, 2))
    gaps = np.empty((len(surrogates), len(_DISTANCES)))
    touch = np.empty(len(surrogates))
    line = (1 - _POSITIONS[:, None]) * xi[0] + _POSITIONS[:, None] * xi[1]
    anchor = (1 - _ANCHOR) * xi[0] + _ANCHOR * xi[1]
    profile = np.empty((len(surrogates), len(line)))
    for row, surrogate in enumerate(surrogates.values()):
        for column, distance in enumerate(_DISTANCES):
            x = y + distance * along
            gaps[row, column] = (surrogate(x, y) - layer.energy(x)).min()
        touch[row] = np.abs(surrogate(y, y) - layer.energy(y)).max()
        profile[row] = surrogate(line, anchor)
    kinds = {"surrogate": list(surrogates), "distance": list(_DISTANCES), "position": _POSITIONS}
    variables = {
        "gap": (("surrogate", "distance"), gaps, "Smallest U - E of all pairs"),
        "touch": (("surrogate",), touch, "Largest |U - E| at x = y"),
        "profile": (("surrogate", "position"), profile, "U between two patterns"),
        "energy": (("position",), layer.energy(line), "E between two patterns"),
        "anchor": ((), _ANCHOR, "Position of y between two patterns"),
    }
    found = xr.Dataset(
        {
            name: (dims, values, {"long_name": long_name, "units": "1"})
            for name, (dims, values, long_name) in variables.items()
        },
        coords=kinds,
    )
    found["distance"].attrs = {"long_name": "|x - y|/sqrt(d)", "units": "1"}
    found["position"].attrs = {"long_name": "position between two patterns", "units": "1"}
    found["surrogate"].attrs = {"long_name": "surrogate", "units": "1"}
    return found


def stack_cell(settings: Settings, seed, kind: str):
    """A stack of layers and random cues: energies for each dimension, mean over the cues."""
    import xarray as xr

    from hopfield_sim import patterns
    from hopfield_sim.models.layered import Stack

    d = settings.stack_dimension
    cues = patterns.spherical(settings.cues, d, (*seed, 1))
    passed = Stack(layers(settings, seed, kind)).forward(cues)
    start = passed.layered_energy.isel(depth=0)
    fall = ((passed.layered_energy - start) / d).mean("query")
    bound = (-passed.step / d).mean("query").cumsum("layer")
    energy = (passed.energy - start).mean("query") / d
    off = passed.relaxation + passed.step + passed.divergence
    described = {
        "fall": (fall, "Layered energy over d, from the cue on"),
        "bound": (bound, "Least fall, the sum of -|x_l - x_(l-1)|^2/2, over d"),
        "energy": (energy, "Energy E_l(x_l) - E_1(x_0), over d"),
        "work": (passed.work.mean("query").cumsum("layer") / d, "Work of the landscapes, over d"),
        "rise": (passed.relaxation.max(), "Largest change of the energy by a layer"),
        "off": (np.abs(off).max(), "Largest error of the equality of what a layer gains"),
    }
    return xr.Dataset(
        {
            name: value.assign_attrs(long_name=long_name, units="1")
            for name, (value, long_name) in described.items()
        }
    )


def layers(settings: Settings, seed, kind: str) -> tuple:
    """The layers of a stack: `DistanceEnergy` from below."""
    from hopfield_sim import patterns
    from hopfield_sim.models.layered import DistanceEnergy

    number, beta = settings.stack_patterns, settings.stack_sharpness
    place = range(settings.layers)
    sets = [
        patterns.spherical(number, settings.stack_dimension, (*seed, 0, each))
        for each in (place if kind == "different" else range(1))
    ]
    if kind == "same":
        return (DistanceEnergy(sets[0], beta),) * settings.layers
    if kind == "sharper":
        return tuple(
            DistanceEnergy(sets[0], each) for each in beta * np.geomspace(1 / 4, 4, len(place))
        )
    if kind == "growing":
        sizes = [-(-number * (each + 1) // len(place)) for each in place]
        return tuple(DistanceEnergy(sets[0][:size], beta) for size in sizes)
    return tuple(DistanceEnergy(xi, beta) for xi in sets)


def sweeps(settings: Settings) -> dict:
    """Name of the store -> sweep."""
    from hopfield_sim import Sweep

    checked(settings)
    common = {"realisations": settings.realisations, "seed": settings.seed}
    stack = ("stack_dimension", "stack_patterns")
    return {
        "entropy": Sweep(
            partial(cell, settings),
            {
                "dimension": np.unique(settings.dimension),
                "n_patterns": np.unique(settings.n_patterns),
            },
            title="Cross-entropy of stored sets",
            settings=_chosen(settings, "sharpness", "points"),
            **common,
        ),
        "surrogate": Sweep(
            partial(surrogate_cell, settings),
            {"sharpness": np.unique(settings.surrogate_sharpness)},
            title="Surrogates of attention layers",
            settings=_chosen(settings, "pairs", *stack),
            **common,
        ),
        "stack": Sweep(
            partial(stack_cell, settings),
            {"kind": KINDS},
            title="Stacks of attention layers",
            settings=_chosen(settings, "stack_sharpness", "layers", "cues", *stack),
            **common,
        ),
    }


def _chosen(settings, *names):
    return {name: getattr(settings, name) for name in names}


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import device

    device.resolve(settings.device)
    at_least(settings, dimension=2, n_patterns=2, points=1, pairs=1, realisations=2)
    at_least(settings, stack_dimension=2, layers=2, cues=1)
    at_least(settings, stack_patterns=settings.layers)
    positive(settings, "sharpness", "stack_sharpness", "surrogate_sharpness")


def main(settings: Settings) -> None:
    each = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings, each))
        return
    found = all_computed(each, settings)
    report(found, settings)


def report(found: dict, settings: Settings) -> None:
    """Tables, figure and verdicts of finished stores."""
    from analysis import comparison, layered_energy
    from hopfield_sim import theory

    entropy, beta = found["entropy"], settings.sharpness
    predicted = theory.stored_set.cross_entropy(entropy.dimension, entropy.n_patterns, beta)
    predicted = predicted.drop_vars("sharpness")
    ends = layered_energy.ends(entropy, predicted, beta)
    print(layered_energy.surrogate_table(found["surrogate"]))
    print(layered_energy.stack_table(found["stack"]))
    print(layered_energy.end_table(ends))
    print(layered_energy.floor_line(entropy, beta))
    figure = layered_energy.drawn(found, predicted, ends, beta)
    saved(figure, settings.figure)
    share = theory.stored_set.pairs_that_count(entropy.dimension, beta).drop_vars("sharpness")
    tried = entropy.sizes["realisation"] * settings.points
    few = share * (entropy.n_patterns - 1) * tried < _FEWEST_PAIRS
    left_out = {f"with fewer than {_FEWEST_PAIRS} pairs that weigh": few}
    for name, law, reasons in (
        ("stored", "annealed", left_out),
        ("held_out", "held_out", {}),
        ("stored", "stored", left_out),
    ):
        scores = comparison.z_scores(entropy[name], predicted[law])
        # every cell has stored sets of its own
        judged = comparison.verdict(scores, columns=None, reasons=reasons)
        what = "annealed" if law == "annealed" else "exact"
        print(f"cross-entropy, {name.replace('_', ' ')}, against the {what} law: {judged}")


def _plan(settings: Settings, each: dict) -> str:
    d, numbers = np.unique(settings.dimension), np.unique(settings.n_patterns)

    def run(thousands: int) -> None:
        cell(settings, (settings.seed, 0), int(max(d)), 1000 * thousands)

    n_cells = sum(map(cells, each.values()))
    share = cells(each["entropy"]) / n_cells
    # the cells of surrogates and stacks take no longer than small sets
    seconds = timed_cell(run, max(1, round(numbers.mean() / 1000))) * share
    compared = 2.0 * settings.points * numbers.sum() * len(d) * settings.realisations
    files = f"{n_cells} cells of up to 6 chunks in {settings.store}"
    memory = 3 * 8.0 * max(numbers) * max(d)
    counted = "scores of a point with a pattern"
    return plan(n_cells, compared, seconds, memory, files, settings.workers, counted)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
