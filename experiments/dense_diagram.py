"""The phase diagram of P-body (dense) networks, P = 3 and 4: the overlap over load and temperature.

Simulated: networks of N neurons with K = alpha N^(P-1) random patterns and P-body energy, heat-bath
(Glauber) dynamics at temperature T. Half of the replicas start in the first pattern, half in the
pattern with 5 % of its neurons flipped. Replicas that left the pattern are counted, and those among
them that ended in another stored pattern; they are in no average. Drawn, for each P: the map of the
overlap m over the reduced load and T at the smallest N, under the lines of replica theory
(spinodals of retrieval, replica-symmetric and with one step of breaking, where retrieval becomes
the equilibrium, where replica symmetry breaks, the Nishimori line to its nose); and slices m(T) at
several loads and sizes, with error bars. Printed: m for N -> infinity (m = a + b/N at each load and
temperature) against theory cell by cell, how many replicas left, and verdicts.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from experiments.options import (
    Options,
    computed,
    ended,
    place,
    plan,
    read,
    recorded,
    started,
    timed_cell,
    written,
)

_TITLE = "Phase diagram of P-body networks"
_SIZES = {3: (200, 400), 4: (128, 192)}
_REALISATIONS, _OF_OTHERS = {3: 48}, 16
# shares of the largest load of retrieval; for P = 4 fewer neurons are wrong at small loads
_SLICES, _SLICES_OF_4 = (0.15, 0.3, 0.45, 0.6, 0.9), (0.3, 0.45, 0.55, 0.65, 0.9)
_REACH = 1.13, 1.03  # of the default map: in largest loads, in spinodal temperatures of no load
_NEAR = (
    0.05  # fraction flipped in the second start: the basin ends where as little as m = 0.8 is left
)
_CAPTURED = (
    0.75  # share of the overlap of a single pattern; a random state has 0.6 with the nearest
)
_MARGIN_LOAD, _MARGIN_T = 0.7, 0.85  # shares of the spinodal up to which theory is compared
_FEWEST_WRONG = 10  # N x realisations x (1-m)/2; below, m is a count of rare events, not Gaussian
# Replicas of a size that may have left: were the lowest one of 32 missing in the mean, it would be
# too high by 0.07 standard deviations, a third of its error with 16 realisations, less with more.
_MAY_LEAVE = 1
_NOT_EQUILIBRATED = "not equilibrated"
_GRIDS = ("n_neurons", "slices", "reduced_load", "temperature", "interaction", "map_realisations")
_FILES = ("numbers", "redraw")


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/dense_diagram")
    """Folder of Zarr stores, a map and the slices for each P. Found again, they are resumed, and
    extended by other grid values or more realisations; made with other settings, refused."""
    figure: Path = Path("figures/dense_diagram.png")
    numbers: Path = Path("results/dense_diagram.nc")
    """NetCDF file of everything that is drawn and printed: written when all is simulated."""
    redraw: bool = False
    """Simulate nothing: tables and figure from --numbers."""
    realisations: int | None = None
    """Independent sets of patterns of the slices; the error bars come from them. None: 48 for
    P = 3, 16 for all other P, where they cost more."""
    map_realisations: int = 8
    """Independent sets of patterns of the map."""
    interaction: tuple[int, ...] = (3, 4)
    """Orders P >= 3 of the interaction."""
    normalisation: Literal["distinct", "full"] = "distinct"
    """Energy: P-tuples of different sites, or powers of the overlaps."""
    n_neurons: tuple[int, ...] | None = None
    """Sizes N of the slices, two at least; the map is of the smallest. None: 200 and 400 for P = 3,
    128 and 192 for P = 4."""
    slices: tuple[float, ...] | None = None
    """Reduced loads of the slices, rounded to what all sizes can have alike. None: 0.15, 0.3,
    0.45, 0.6 and 0.9 of the largest load of retrieval for P = 3, else from 0.3 on."""
    reduced_load: tuple[float, ...] | None = None
    """Reduced loads of the map, alpha (P-1)! (distinct) or alpha (2P-3)!! (full). None: 20 values,
    up to 1.13 of the largest load of retrieval."""
    temperature: tuple[float, ...] | None = None
    """Temperatures T in units of J, of map and slices. None: 20 values, up to where retrieval ends
    without any load."""
    replicas: int = 2
    """Replicas of a network and temperature: an even number, half from each start."""
    warmup: int = 50
    """Sweeps before the first measurement."""
    samples: int = 50
    """Measurements a replica."""
    every: int = 2
    """Sweeps between two measurements."""
    left_below: float = 0.5
    """A replica has left the pattern when its overlap stays below this share of the overlap that a
    single stored pattern has at that temperature, which none can exceed."""


class Part(NamedTuple):
    """A map or the slices of one P: a sweep and its store."""

    name: str
    interaction: int
    sizes: tuple[int, ...]
    alpha: np.ndarray
    temperature: tuple[float, ...]
    realisations: int


def first_overlap(model, spins, memory):
    """Overlap with the first pattern, m = (1/N) sum_i xi_i^0 s_i"""
    return memory[..., 0] / model.n_neurons  # `observables.overlap` divides all K sums


def cell(
    settings: Settings,
    interaction: int,
    seed,
    n_neurons: int,
    alpha: float,
    temperature: np.ndarray,
    checkpoint=None,
):
    """One realisation at one size and load, all temperatures as lanes: Dataset over temperature."""
    import xarray as xr

    from hopfield_sim import Dense, Glauber, observables, patterns, simulate, statistics

    n_patterns = round(alpha * n_neurons ** (interaction - 1))
    xi = patterns.random(n_patterns, n_neurons, seed=seed)
    starts = np.stack([xi[0], patterns.corrupt(xi[0], seed=seed, flip_fraction=_NEAR)])
    model = Dense(xi, interaction, settings.normalisation)
    run = simulate(
        model,
        Glauber(tuple(temperature)),
        start=np.tile(starts, (settings.replicas // 2, 1)),
        schedule=schedule(settings),
        n_replicas=settings.replicas,
        seed=seed,
        device=settings.device,
        observe=(first_overlap, observables.replica_overlap),
        keep_spins=True,
        checkpoint=checkpoint,
    )
    single = single_overlap(interaction, run["temperature"])
    threshold = (settings.left_below * single).fillna(np.inf)
    left = statistics.escapes(run["first_overlap"], threshold)
    stayed = ~left["left"]
    result = {}
    for name, source, where in (
        ("overlap", "first_overlap", stayed),
        ("replica_overlap", "replica_overlap", statistics.both_stayed(stayed)),
    ):
        mean = statistics.within(run[source], where)["mean"]
        result[name] = mean.assign_attrs(run[source].attrs)
    result["n_left"] = left["n_left"]
    outside = run["first_overlap"].where(run["sample"] >= left["left_at"])
    result["overlap_left"] = outside.mean(("replica", "sample")).assign_attrs(
        long_name="Overlap with the first pattern of the replicas that left it", units="1"
    )
    captured = left["left"] & (nearest(model, run["spins"]) > _CAPTURED * single)
    result["n_captured"] = captured.sum("replica").assign_attrs(
        long_name="number of replicas that left and ended in another stored pattern", units="1"
    )
    start = np.arange(settings.replicas) % 2
    verdict = statistics.equilibration(run["first_overlap"], start, stayed)
    result["equilibrated"] = verdict["equilibrated"]
    there = ["n_neurons", "n_patterns", "alpha"]
    return xr.Dataset(result).drop_vars(there, errors="ignore")


def schedule(settings: Settings):
    """When a cell measures: `hopfield_sim.Schedule`."""
    from hopfield_sim import Schedule

    return Schedule(settings.warmup, settings.samples, settings.every)


def single_overlap(interaction: int, temperature):
    """m of a single stored pattern, NaN above its spinodal: on the dims of `temperature`."""
    from hopfield_sim.theory import dense

    found = dense.low_load(interaction, temperature).m
    return found.reset_coords(drop=True)


def nearest(model, spins):
    """Largest overlap with any pattern but the first: (temperature, replica).

    Of either sign for even P, where a pattern and its mirror image have one energy.
    """
    rest = model.overlaps(spins.values.astype(float))[..., 1:]
    rest = np.abs(rest) if model.interaction % 2 == 0 else rest
    return spins.isel(neuron=0, drop=True).copy(data=rest.max(axis=-1))


def parts(settings: Settings) -> list[Part]:
    """The map and the slices of each P. Raises ValueError for a grid that cannot be."""
    found = []
    for interaction in settings.interaction:
        if interaction < 3:
            raise ValueError(
                f"--interaction {interaction}: 3 or more is needed; experiments.retrieval has the "
                "pairwise network."
            )
        sizes = _sizes(settings, interaction)
        temperature = settings.temperature or _temperatures(interaction)
        largest = _largest_load(settings, interaction)
        of_map = settings.reduced_load or _REACH[0] * largest * np.arange(1, 21) / 20
        several = settings.realisations or _REALISATIONS.get(interaction, _OF_OTHERS)
        shares = _SLICES if interaction == 3 else _SLICES_OF_4
        of_slices = settings.slices or np.multiply(shares, largest)
        for kind, some, reduced, realisations in (
            ("map", sizes[:1], of_map, settings.map_realisations),
            ("slices", sizes, of_slices, several),
        ):
            alpha = _loads(settings, interaction, some, reduced)
            name = f"P{interaction}_{kind}"
            found.append(Part(name, interaction, some, alpha, temperature, realisations))
    return found


def _sizes(settings: Settings, interaction: int) -> tuple[int, ...]:
    sizes = settings.n_neurons or _SIZES.get(interaction)
    if sizes is None:
        raise ValueError(f"--n-neurons is needed for P = {interaction}: two sizes at least.")
    sizes = tuple(sorted(set(sizes)))
    if len(sizes) < 2 or sizes[0] < 2:
        raise ValueError("--n-neurons: two sizes at least are needed, for the limit of large N.")
    return sizes


def _temperatures(interaction: int) -> tuple[float, ...]:
    from hopfield_sim.theory import dense

    reach = _REACH[1] * dense.low_load_limits(interaction).spinodal_temperature.item()
    # to 1e-4: the same grid even where a library rounds otherwise in the last digit
    return tuple(round(reach * k / 20, 4) for k in range(1, 21))


def _largest_load(settings: Settings, interaction: int) -> float:
    """The largest reduced load at which replica theory has retrieval, at any temperature."""
    from hopfield_sim.theory import dense

    return dense.spinodal_maximum(interaction, settings.normalisation).reduced_load.item()


def _loads(settings: Settings, interaction: int, sizes: tuple[int, ...], reduced) -> np.ndarray:
    """alpha = j / g^(P-1) nearest to the reduced loads, g dividing all sizes: (alpha,), sorted.

    Such a load is a whole number of patterns at each of the sizes, so that all have the same.
    """
    from hopfield_sim.theory import dense

    grain = math.gcd(*sizes) ** (interaction - 1)
    unit = dense.reduced_load(interaction, 1 / grain, settings.normalisation).item()
    number = np.unique(np.rint(np.asarray(reduced, float) / unit))
    if not number.min() >= 1:
        raise ValueError(
            f"reduced load {min(reduced):.3g}: no such load is a whole number of patterns at N = "
            f"{' and '.join(map(str, sizes))} for P = {interaction}; the smallest is {unit:.3g}. "
            "Choose larger loads, or sizes with a larger common divisor."
        )
    return number / grain


def main(settings: Settings) -> None:
    if settings.redraw:
        kept = read(settings.numbers, "run without --redraw first, or name others with --numbers.")
        known = json.loads(kept.attrs["settings"])
        lists = {name: tuple(value) for name, value in known.items() if isinstance(value, list)}
        settings = replace(settings, **(known | lists))
        report(_unpacked(kept, settings), settings)
        return
    checked(settings)
    if settings.dry_run:
        print(_plan(settings))
        return
    found = {part.name: _swept(settings, part) for part in parts(settings)}
    written(_packed(found, settings), settings.numbers)
    report(found, settings)


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work. Raises ValueError."""
    from hopfield_sim import Glauber, device

    for part in parts(settings):
        Glauber(part.temperature)
    schedule(settings)
    if settings.samples < 8:
        raise ValueError(f"--samples {settings.samples}: at least 8 are needed to see equilibrium.")
    if not 0 < settings.left_below < 1:
        raise ValueError(f"--left-below {settings.left_below}: a share between 0 and 1 is needed.")
    if settings.replicas < 2 or settings.replicas % 2:
        raise ValueError(f"--replicas {settings.replicas}: an even number >= 2 is needed.")
    if (settings.realisations or 2) < 2 or settings.map_realisations < 1:
        raise ValueError("--realisations: at least 2 are needed, the error bars come from them.")
    device.resolve(settings.device)


def _swept(settings: Settings, part: Part):
    """One part, computed: Dataset over (n_neurons, alpha, temperature[, realisation])."""
    from analysis import dense_diagram
    from hopfield_sim import Sweep

    sweep = Sweep(
        partial(cell, settings, part.interaction),
        {"n_neurons": part.sizes, "alpha": part.alpha, "temperature": part.temperature},
        lanes=("temperature",),
        realisations=part.realisations,
        seed=settings.seed,
        title=f"{_TITLE}, {part.name.replace('_', ', ')}",
        settings=recorded(settings, (*_GRIDS, *_FILES)) | {"interaction": part.interaction},
    )
    found = computed(sweep, settings, part.name).drop_vars("done", errors="ignore").load()
    if part.name.endswith("map"):
        return dense_diagram.reduced(found)
    return found.drop_vars("overlap_left")  # of the map only


def _packed(found: dict, settings: Settings):
    """All parts in one Dataset: names of variables and dims begin with the name of the part."""
    import xarray as xr

    from hopfield_sim import provenance
    from hopfield_sim.randomness import STREAM_VERSION

    several = [
        part.rename({name: f"{key}_{name}" for name in (*part.dims, *part.data_vars)})
        for key, part in found.items()
    ]
    last = provenance.runs(place(settings, list(found)[-1]))[-1]
    circumstances = ("date", "device", "platform", "hopfield-sim", "numpy", "numba")
    known = recorded(settings, _FILES) | {"realisations": settings.realisations}
    whole = xr.merge(several, combine_attrs="drop_conflicts")
    whole.attrs = {
        "title": _TITLE,
        "settings": json.dumps(known),
        "seed": settings.seed,
        "stream_version": STREAM_VERSION,
        **{name: str(last.get(name)) for name in circumstances},
    }
    return whole


def _unpacked(whole, settings: Settings) -> dict:
    found = {}
    for part in parts(settings):
        prefix = f"{part.name}_"
        names = [name for name in whole.variables if name.startswith(prefix)]
        of_part = whole[names]
        found[part.name] = of_part.rename({name: name.removeprefix(prefix) for name in names})
    return found


def report(found: dict, settings: Settings) -> None:
    """Tables, figure and verdicts of finished parts."""
    from analysis import dense_diagram

    lines, counts = [], []
    for interaction in settings.interaction:
        slices = found[f"P{interaction}_slices"]
        lines += _judged(slices, interaction, settings)
        counts.append(str(slices.sizes["realisation"]))
    title = (
        f"P-body networks, {settings.normalisation}: {settings.map_realisations} sets of patterns "
        f"in the map, {' and '.join(counts)} in the slices, {settings.replicas} replicas, "
        f"{schedule(settings).sweeps} sweeps from the pattern"
    )
    figure = dense_diagram.diagram(found, settings.normalisation, title, settings.replicas)
    settings.figure.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(settings.figure, dpi=150)
    print(f"figure: {settings.figure}")
    print("\n".join(lines))


def _judged(slices, interaction: int, settings: Settings) -> list[str]:
    """Print the table of one P; return its verdicts."""
    from analysis import comparison, dense_diagram

    predicted = dense_diagram.predicted(interaction, slices, settings.normalisation)
    limits = dense_diagram.limit(slices)
    exists = predicted.m.notnull()
    left_out = _left_out(slices, predicted, interaction, settings)
    scores = comparison.z_scores(limits.overlap, predicted.m)
    equilibrated = ~left_out[_NOT_EQUILIBRATED]
    n_left = slices.n_left.sum(("realisation", "n_neurons"))
    sizes = slices.n_neurons.values.tolist()
    print(f"P = {interaction}: m of N = {sizes}, extrapolated to N = infinity, against theory")
    print(comparison.table(scores, equilibrated, include=exists, left=n_left))
    lines = [_escapes(slices, exists, interaction, settings.replicas)]
    for name, observable in (("overlap", "m"), ("replica_overlap", "q")):
        scores = comparison.z_scores(limits[name], predicted[observable])
        verdict = comparison.verdict(scores, reasons=left_out)
        lines.append(f"P = {interaction}, {observable}, N -> infinity: {verdict}")
        largest = slices[name].isel(n_neurons=-1, drop=True)
        alone = comparison.verdict(
            comparison.z_scores(largest, predicted[observable]), reasons=left_out
        )
        lines.append(
            f"P = {interaction}, {observable}, N = {sizes[-1]} as it is: mean z² = "
            f"{alone.mean_z2:.2f}, {len(alone.beyond_3)} beyond 3σ"
        )
    return lines


def _escapes(slices, exists, interaction: int, n_replicas: int) -> str:
    """How many replicas left where theory has a retrieval state, and where they went."""
    n_left, n_captured = (
        slices[name].where(exists).sum(("alpha", "temperature", "realisation"))
        for name in ("n_left", "n_captured")
    )
    number = int(exists.sum()) * slices.sizes["realisation"] * n_replicas
    each = ", ".join(
        f"{int(left)} at N = {size} ({int(captured)} of them into another stored pattern)"
        for size, left, captured in zip(slices.n_neurons.values, n_left, n_captured, strict=True)
    )
    return f"P = {interaction}: of {number} replicas where theory has retrieval left {each}"


def _left_out(slices, predicted, interaction: int, settings: Settings) -> dict:
    """The cells that cannot test the theory, by reason: name -> bool over (alpha, temperature)."""
    from analysis import dense_diagram

    ends = dense_diagram.ends(interaction, slices, settings.normalisation)
    wrong = slices.n_neurons.min() * slices.sizes["realisation"] * (1 - predicted.m) / 2
    return {
        "without a retrieval state in theory": predicted.m.isnull(),
        f"beyond {_MARGIN_LOAD} of the spinodal load": slices.alpha
        > _MARGIN_LOAD * ends.spinodal_load,
        f"beyond {_MARGIN_T} of the spinodal temperature": slices.temperature
        > _MARGIN_T * ends.warmest,
        f"with fewer than {_FEWEST_WRONG} wrong neurons in all": wrong < _FEWEST_WRONG,
        f"from which more than {_MAY_LEAVE} replica of a size left": (
            slices.n_left.sum("realisation") > _MAY_LEAVE
        ).any("n_neurons"),
        _NOT_EQUILIBRATED: (_moving(slices) > tolerated(slices)).any("n_neurons"),
    }


def tolerated(slices) -> int:
    """How many realisations of a cell may fail the test of equilibrium: as many as by chance.

    3 in 100 sound runs of two replicas fail (`statistics.equilibration`); more than so many do in
    fewer than 1 in 100 cells.
    """
    from scipy import stats

    return int(stats.binom.isf(0.01, slices.sizes["realisation"], 0.03))


def _moving(slices):
    """Realisations that fail the test of equilibrium: (n_neurons, alpha, temperature)."""
    return (~slices.equilibrated).sum("realisation")


def _plan(settings: Settings) -> str:
    n_cells, visits, seconds, memory = 0, 0.0, 0.0, 0.0
    sweeps = schedule(settings).sweeps
    for part in parts(settings):
        alpha, temperature = float(np.median(part.alpha)), np.asarray(part.temperature)
        lanes = settings.replicas * len(temperature)
        for size in part.sizes:

            def run(n_sweeps: int, part=part, size=size, alpha=alpha, temperature=temperature):
                shorter = replace(settings, warmup=n_sweeps - 16, samples=8)
                words = (settings.seed, 0)
                cell(shorter, part.interaction, words, size, alpha, temperature)

            count = len(part.alpha) * part.realisations
            n_cells += count
            visits += float(count * lanes * sweeps * size)
            seconds += count * timed_cell(run, sweeps)
            largest = part.alpha.max() * size ** (part.interaction - 1)
            memory = max(memory, largest * (4 * size + 20 * lanes))
    files = f"{n_cells} x 7 chunks, about {n_cells * 3.5 / 1024:.1f} MiB, in {settings.store}"
    return plan(n_cells, visits, seconds / n_cells, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
