"""What the studies of supervised and of unsupervised learning share: networks, cells, sweeps.

Not a command. `experiments.supervised` and `experiments.unsupervised` differ in their rule, their
figure and what else they ask; archetypes, examples, dynamics, sizes and grids are those of here. A
realisation has the same archetypes and the same examples under both rules.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial

import numpy as np

from experiments.options import Options, computed, plan

RULES = ("supervised", "unsupervised")
_MAP = ("loads", "largest", "temperatures", "hottest")
_FLIPPED = 0.05  # of the second start
_LEFT_BELOW = 0.5  # share of the overlap at low load; see `thresholds`


@dataclass(frozen=True, kw_only=True)
class Study(Options):
    """The options of both studies; where two numbers are given, one for each interaction P."""

    realisations: int = 16
    interaction: tuple[int, ...] = (2, 3)
    """Interaction orders P."""
    n_neurons: tuple[int, ...] = (1000, 128)
    """The smaller N at each P; every cell is also computed with twice as many neurons."""
    alpha: tuple[float, ...] = (0.02, 0.02)
    """Load K/N^(P-1) of the curves over M at each P; rounded to a whole number of archetypes."""
    quality: tuple[float, ...] = (0.8, 0.6, 0.4)
    """Qualities r of the curves over M."""
    n_examples: tuple[int, ...] = (1, 3, 5, 9, 15, 27, 49, 89)
    """Numbers of examples M of the curves; odd ones leave no site undecided."""
    temperature: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4)
    """Temperatures T of the curves in units of J, all for the loss."""
    shown: float = 0.2
    """That of the curves over M in the figure and in the table."""
    map_realisations: int = 16
    """Realisations of the maps, instead of `realisations`."""
    map_quality: float = 0.8
    """Quality r of the maps."""
    map_examples: int = 5
    """Number of examples M of the maps."""
    map_loads: tuple[int, ...] = (10, 7)
    """Number of loads of the map at each P, equally spaced."""
    map_largest: tuple[float, ...] = (0.08, 0.14)
    """The largest of them."""
    map_temperatures: tuple[int, ...] = (14, 10)
    """Number of temperatures of the map at each P, equally spaced."""
    map_hottest: tuple[float, ...] = (0.84, 0.55)
    """The highest of them."""
    replicas: int = 2
    """Replicas a cell: an even number, half from each start."""
    warmup: int = 60
    """Sweeps before the first measurement."""
    samples: int = 40
    """Measurements a replica."""
    every: int = 2
    """Sweeps between two measurements."""


def schedule(settings: Study):
    """When a cell measures: `hopfield_sim.Schedule`."""
    from hopfield_sim import Schedule

    return Schedule(settings.warmup, settings.samples, settings.every)


def network(rule, interaction, n_neurons, alpha, quality, n_examples, seed):
    """A network, its archetypes (pattern, neuron), the examples (example, neuron) of the first.

    Archetypes and examples depend on all numbers but the rule.
    """
    from analysis.learning import COUPLINGS
    from hopfield_sim import examples, patterns
    from hopfield_sim.learning import examples as learning

    n_patterns = round(alpha * n_neurons ** (interaction - 1))
    # other archetypes for each quality and number: cells of a sweep are independent
    words = (*seed, round(1e6 * quality), n_examples)
    xi = patterns.random(n_patterns, n_neurons, seed=words)
    if rule == "unsupervised":
        eta = examples.noisy(xi, quality, n_examples, seed=words)
        return learning.unsupervised(eta, quality, interaction, COUPLINGS), xi, eta[0]
    total = examples.sums(xi, quality, n_examples, seed=words)
    model = learning.supervised(total, n_examples, quality, interaction, COUPLINGS)
    # the draws of a pattern depend on the number of patterns alone: these are its examples
    return model, xi, total[:1].astype(float) / n_examples


def loss(examples: np.ndarray, interaction: int):
    """An observable: L = 1 - (1/M) sum_a n_a^P, n_a = (1/N) sum_i eta_i^a s_i, of one class.

    With the class average as the only example it is L = 1 - nbar^P. See `experiments.supervised`.
    """

    def observed(model, spins, memory):
        """Loss of the examples of the first archetype, 1 - (1/M) sum_a n_a^P"""
        n = spins.astype(float) @ examples.T.astype(float) / model.n_neurons
        return 1 - (n**interaction).mean(axis=-1)

    observed.__name__ = "loss"
    return observed


def measured(settings: Study, interaction, seed, rule, n_neurons, alpha, quality, n_examples, T):
    """Overlap and loss of one network from two starts: Dataset (temperature, replica, sample)."""
    from hopfield_sim import Glauber, observables, patterns, simulate

    words = (*seed, round(1e6 * quality), n_examples)
    model, xi, eta = network(rule, interaction, n_neurons, alpha, quality, n_examples, seed)
    starts = np.stack([xi[0], patterns.corrupt(xi[0], seed=words, flip_fraction=_FLIPPED)])
    run = simulate(
        model,
        Glauber(tuple(T)),
        start=np.tile(starts, (settings.replicas // 2, 1)),
        schedule=schedule(settings),
        n_replicas=settings.replicas,
        seed=words,
        device=settings.device,
        observe=[observables.overlap_with(xi[0], "overlap"), loss(eta, interaction)],
    )
    # those of the model: of all examples, where the rule is unsupervised
    return run[["overlap", "loss"]].drop_vars(["n_patterns", "alpha", "n_neurons"])


def cell(
    settings: Study, interaction, seed, rule, n_neurons, alpha, quality, n_examples, temperature
):
    """All temperatures and either all alpha or all n_examples of one realisation, as lanes.

    Dataset over (alpha, temperature) or (n_examples, temperature).
    """
    import xarray as xr

    from hopfield_sim import statistics

    lane = "alpha" if np.ndim(alpha) else "n_examples"
    pairs = np.stack(np.broadcast_arrays(alpha, n_examples), axis=-1).reshape(-1, 2).tolist()
    runs = [
        measured(settings, interaction, seed, rule, n_neurons, load, quality, int(M), temperature)
        for load, M in pairs
    ]
    run = xr.concat(runs, lane, combine_attrs="override")
    run = run.assign_coords({lane: alpha if lane == "alpha" else n_examples})
    m = run["overlap"].assign_attrs(long_name="Overlap with the archetype", units="1")
    left = statistics.escapes(m, thresholds(m, rule, interaction, quality, n_examples))
    stayed = ~left["left"]
    result = {
        "overlap": statistics.within(m, stayed)["mean"].assign_attrs(m.attrs),
        "loss": statistics.within(run["loss"], stayed)["mean"].assign_attrs(run["loss"].attrs),
        "n_left": left["n_left"],
    }
    outside = m.where(run["sample"] >= left["left_at"])
    result["overlap_left"] = outside.mean(("replica", "sample")).assign_attrs(
        long_name="Overlap with the archetype of the replicas that left it", units="1"
    )
    verdict = statistics.equilibration(m, np.arange(settings.replicas) % 2, stayed)
    result["equilibrated"], result["r_hat"] = verdict["equilibrated"], verdict["r_hat"]
    return xr.Dataset(result)


def thresholds(overlap, rule: str, interaction: int, quality: float, n_examples):
    """The overlap below which a replica has left: half of that at low load, on the lanes.

    Infinite where even a single archetype is not retrieved: there is no state to stay in.
    """
    from analysis.learning import COUPLINGS
    from hopfield_sim import theory

    words = {"rule": rule, "couplings": COUPLINGS}
    T = overlap.temperature.values
    single = theory.examples.low_load(T, quality, n_examples, interaction, **words).m
    lane = overlap.isel(replica=0, sample=0, drop=True)
    low = (_LEFT_BELOW * single.squeeze(drop=True).reset_coords(drop=True)).fillna(np.inf)
    return low.broadcast_like(lane).transpose(*lane.dims)


def sweeps(settings: Study, rule: str, rules: tuple[str, ...]) -> dict:
    """Name -> `Sweep`: at each P "curves_P" (over M, of all `rules`) and "map_P" (of one rule)."""
    from hopfield_sim import Sweep

    found = {}
    known = {name: getattr(settings, name) for name in ("replicas", "warmup", "samples", "every")}
    for k, P in enumerate(settings.interaction):
        smaller = settings.n_neurons[k]
        sizes = (smaller, 2 * smaller)
        alpha = simulated((settings.alpha[k],), smaller, P)[0]
        found[f"curves_{P}"] = Sweep(
            partial(cell, settings, P, alpha=alpha),
            {
                "rule": rules,
                "n_neurons": sizes,
                "quality": settings.quality,
                "n_examples": np.unique(settings.n_examples),
                "temperature": np.unique(settings.temperature),
            },
            lanes=("n_examples", "temperature"),
            title=f"Learning from examples, P = {P}: over their number",
            settings=known | {"interaction": P, "alpha": alpha},
            realisations=settings.realisations,
            seed=settings.seed,
        )
        numbers = {"quality": settings.map_quality, "n_examples": settings.map_examples}
        loads, temperatures = (
            getattr(settings, f"map_{last}")[k] * np.arange(1, n + 1) / n
            for last, n in (
                ("largest", settings.map_loads[k]),
                ("hottest", settings.map_temperatures[k]),
            )
        )
        found[f"map_{P}"] = Sweep(
            partial(cell, settings, P, rule=rule, **numbers),
            {
                "n_neurons": sizes,
                "alpha": simulated(loads, smaller, P),
                "temperature": np.round(temperatures, 6),
            },
            lanes=("alpha", "temperature"),
            title=f"Learning from examples, P = {P}: over load and temperature",
            settings=known | {"interaction": P, "rule": rule} | numbers,
            realisations=settings.map_realisations,
            seed=settings.seed,
        )
    return found


def simulated(alpha, n_neurons: int, interaction: int) -> np.ndarray:
    """The loads that are simulated for the requested ones, each once, sorted: (alpha,).

    K is whole at N and so is 2^(P-1) K at 2 N: the load of both is the same.

    Raises ValueError for a load that rounds to no archetype.
    """
    n_patterns = np.unique(np.rint(np.asarray(alpha, float) * n_neurons ** (interaction - 1)))
    if not n_patterns.min() >= 1:
        raise ValueError(
            f"alpha={min(alpha)} is no archetype at N={n_neurons}, P={interaction}: the smallest "
            f"load is 1/N^(P-1) = {n_neurons ** (1.0 - interaction):g}. Raise the load or "
            "--n-neurons."
        )
    return n_patterns / n_neurons ** (interaction - 1)


def checked(settings: Study) -> None:
    """Refuse what cannot be, before any work. Raises ValueError."""
    from hopfield_sim import Glauber, device

    Glauber(settings.temperature), schedule(settings)
    n_orders = len(settings.interaction)
    given = ("n_neurons", "alpha", *(f"map_{n}" for n in _MAP))
    for name in given:
        values = getattr(settings, name)
        option = f"--{name.replace('_', '-')}"
        if len(values) != n_orders or not min(values) > 0:
            raise ValueError(f"{option}: one positive number for each of --interaction is needed.")
    if not n_orders or min(settings.interaction) < 2 or len(set(settings.interaction)) < n_orders:
        raise ValueError("--interaction: different whole numbers of at least 2 are needed.")
    if not all(0 < r <= 1 for r in (*settings.quality, settings.map_quality)):
        raise ValueError("--quality, --map-quality: numbers in (0, 1] are needed.")
    if not settings.quality or not settings.n_examples:
        raise ValueError("--quality, --n-examples: at least one value of each is needed.")
    if min(*settings.n_examples, settings.map_examples) < 1:
        raise ValueError("--n-examples, --map-examples: numbers of at least 1 are needed.")
    if settings.shown not in settings.temperature:
        raise ValueError(f"--shown {settings.shown}: not one of --temperature.")
    if min(settings.temperature) <= 0:
        raise ValueError("--temperature: positive numbers are needed.")
    if min(*settings.map_loads, *settings.map_temperatures) < 2:
        raise ValueError("--map-loads, --map-temperatures: at least 2 of each are needed.")
    if settings.replicas < 2 or settings.replicas % 2:
        raise ValueError(f"--replicas {settings.replicas}: an even number >= 2 is needed.")
    if settings.samples < 8 or min(settings.realisations, settings.map_realisations) < 2:
        raise ValueError(
            "--samples of at least 8, --realisations and --map-realisations of at least 2 are "
            "needed."
        )
    device.resolve(settings.device)


def finished(settings: Study, each: dict) -> dict:
    """Name -> what the finished sweep of this name found, each in its own store: Dataset."""
    found = {}
    for name, sweep in each.items():
        one = computed(sweep, settings, name).load()
        known = sweep.settings | sweep.cell.keywords
        names = ("interaction", "rule", "alpha", "quality", "n_examples")
        found[name] = one.assign_coords({k: known[k] for k in names if k in known})
    return found


def predictions(found: dict) -> dict:
    """Name -> theory on the cells of what was found, of curves and maps."""
    from analysis import learning

    return {
        name: learning.predicted(one)
        for name, one in found.items()
        if name.startswith(("curves_", "map_"))
    }


def planned(settings: Study, each: dict) -> str:
    """What the sweeps would take, from one cell of each in the middle of its grid."""
    n_cells, seconds, visits, memory = 0, 0.0, 0.0, 0.0
    for sweep in each.values():
        sizes = {name: len(values) for name, values in sweep.axes.items()}
        middle = {
            name: values if name in sweep.lanes else values[len(values) // 2].item()
            for name, values in sweep.axes.items()
        }
        sweep.cell(seed=(settings.seed, 0), **middle)  # compiles
        begin = time.perf_counter()
        sweep.cell(seed=(settings.seed, 0), **middle)
        cells = sweep.realisations * int(np.prod([sizes[name] for name in sweep.outer[:-1]]))
        seconds += cells * (time.perf_counter() - begin)
        n_cells += cells
        given = sweep.cell.keywords | middle
        lanes = settings.replicas * sizes.get("temperature", 1)
        visits += float(cells * lanes * schedule(settings).sweeps * middle["n_neurons"])
        largest = max(sweep.axes["n_neurons"])
        alpha = max(sweep.axes.get("alpha", [given["alpha"]]))
        n_stored = max(sweep.axes.get("n_examples", [given["n_examples"]]))
        order = sweep.settings["interaction"]
        memory = max(memory, 14.0 * n_stored * alpha * largest**order)
    files = f"about {10 * n_cells} chunks in {settings.store}"
    return plan(n_cells, visits, seconds / n_cells, memory, files, settings.workers)


def studied(
    axes, found: dict, theories: dict, interaction: int, rule: str, settings: Study
) -> list[str]:
    """Draw the three panels of one P; print its tables; return its verdicts as lines.

    found: what `finished` returned; theories: `analysis.learning.predicted` of curves and maps.
    """
    from analysis import comparison, learning, learning_figure

    curves, theory = (each[f"curves_{interaction}"].sel(rule=rule) for each in (found, theories))
    scores, reasons = (
        learning.compared(curves, theory),
        learning.left_out(curves, theory, settings.replicas),
    )
    limits = learning.thresholds(curves, scores, settings.shown)
    print(f"P = {interaction}, {rule}, T = {settings.shown:g}, alpha = {float(curves.alpha):g}:")
    left = curves.n_left.sum(("realisation", "n_neurons"))
    shown = scores.sel(temperature=settings.shown)
    included = shown.predicted.notnull()
    print(comparison.table(shown, include=included, left=left.sel(temperature=settings.shown)))
    print(learning.threshold_table(limits, rule, interaction), end="\n\n")
    learning_figure.over_number(axes[0], curves, scores, limits, settings.shown)
    where = rf"$P = {interaction}$, $\alpha = {float(curves.alpha):.3g}$"
    axes[0].set_title(f"{where}, $T = {settings.shown:g}$", fontsize=9.5)
    area = found[f"map_{interaction}"]
    learning_figure.diagram(axes[1], area, settings.replicas)
    axes[1].set_title(f"$P = {interaction}$, $N = {int(area.n_neurons.max())}$", fontsize=9.5)
    middle = settings.quality[len(settings.quality) // 2]
    numbers = curves.n_examples.values[1::2][-4:]
    learning_figure.losses(axes[2], curves, middle, numbers)
    span = f"{min(settings.temperature):g} ... {max(settings.temperature):g}"
    axes[2].set_title(f"{where}, $T = {span}$", fontsize=9.5)
    columns = ("quality", "n_examples")
    verdicts = [("m over M", comparison.verdict(scores, columns=columns, reasons=reasons))]
    of_loss = learning.compared(curves, theory, "loss")
    verdicts += [("loss over M", comparison.verdict(of_loss, columns=columns, reasons=reasons))]
    theory = theories[f"map_{interaction}"]
    reasons = learning.left_out(area, theory, settings.replicas)
    for name, symbol in (("overlap", "m"), ("loss", "loss")):
        of_map = learning.compared(area, theory, name)
        verdict = comparison.verdict(of_map, reasons=reasons)
        verdicts += [(f"{symbol} over (alpha, T)", verdict)]
    return [f"P = {interaction}, {rule}, {name}: {verdict}" for name, verdict in verdicts]


def title(rule: str, settings: Study) -> str:
    """What stands above a figure."""
    n, of_map = settings.realisations, settings.map_realisations
    return (
        f"{rule.capitalize()} learning from examples, {n} sets of archetypes and examples "
        f"({of_map} for the maps), {settings.replicas} replicas; lines: replica-symmetric theory"
    )
