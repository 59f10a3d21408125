"""The spin-glass phase of the Hopfield network by parallel tempering.

Simulated: networks of several sizes N with P = alpha N random patterns above the storage capacity,
at all temperatures of one ladder at once, neighbours exchanging their states after every sweep.
Half of the replicas start in the first pattern, half in a random state; a temperature counts as
equilibrated when both agree, and each walker has come round often. A short run of the largest
network with the first realisation's patterns places the ladder. Drawn: the distribution of the
overlap of two replicas, <q^2> and the Binder ratio of all sizes around T_g, energies and their
N -> infinity limit against theory (RS and one step of breaking), exchange rates and the flow of the
walkers, energies in logarithmic bins of time. Printed: energies against theory, and verdicts.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import Options, computed, ended, plan, recorded, saved, started, timed_cell

AXES = ("n_neurons",)
_BINS = 41  # of q12
_PLACED_WITH = 1000  # sweeps of the run that places the ladder, the first fifth for warming up


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/tempering.zarr")
    figure: Path = Path("figures/tempering.png")
    realisations: int = 16
    n_neurons: tuple[int, ...] = (60, 120, 240, 480)
    """Neurons N; three sizes at least."""
    alpha: float = 0.2
    """Load P/N; alpha N must be a whole number of patterns for every N."""
    temperature: tuple[float, float] = (0.25, 2.0)
    """Lowest and highest temperature of the ladder in units of J, below and above T_g."""
    n_temperatures: int = 20
    """Temperatures of the ladder."""
    replicas: int = 4
    """Ladders a realisation: an even number, half from each start."""
    sweeps: int = 16000
    """Sweeps at each temperature; averages are over the second half."""
    every: int = 4
    """Sweeps between two measurements."""
    round_trips: int = 3
    """Round trips that a walker must have made on average for a realisation to be equilibrated."""


def ladder(settings: Settings) -> tuple[float, ...]:
    """The temperatures: `equalised` for the largest network of the first realisation."""
    from hopfield_sim import Hopfield, patterns

    n_neurons, seed = max(settings.n_neurons), (settings.seed, 0)
    model = Hopfield(patterns.random(round(settings.alpha * n_neurons), n_neurons, seed))
    return equalised(model, settings.temperature, settings, seed)


def equalised(model, ends, settings, seed) -> tuple[float, ...]:
    """Temperatures between two ends at which exchanges are equally likely between all neighbours.

    From the rates that a short run of the network has at temperatures in geometric progression; the
    same for the same settings (n_temperatures, replicas, device).
    """
    from hopfield_sim import Schedule, observables
    from hopfield_sim.tempering import parallel_tempering, placed

    run = parallel_tempering(
        model,
        np.geomspace(*ends, max(settings.n_temperatures, 16)),
        schedule=Schedule(_PLACED_WITH // 5, 1, _PLACED_WITH * 4 // 5),
        n_replicas=settings.replicas,
        seed=(*seed, 1),  # not the noise of a cell
        device=settings.device,
        observe=(observables.energy,),
    )
    # to 1e-4: the same ladder even where a library rounds otherwise in the last digit
    return tuple(round(float(T), 4) for T in placed(run, settings.n_temperatures))


def two_starts(model, n_replicas: int, seed) -> np.ndarray:
    """The first pattern, and random states: (replica, neuron), by turns."""
    from hopfield_sim import patterns

    starts = np.empty((n_replicas, model.n_neurons))
    starts[0::2] = model.patterns[0]
    starts[1::2] = patterns.random(n_replicas // 2, model.n_neurons, seed=(*seed, 2))
    return starts


def cell(settings: Settings, temperatures, seed, n_neurons: int, checkpoint=None):
    """One realisation, all temperatures: Dataset over temperature."""
    import xarray as xr

    from hopfield_sim import Hopfield, Schedule, observables, patterns, statistics
    from hopfield_sim.tempering import parallel_tempering

    xi = patterns.random(round(settings.alpha * n_neurons), n_neurons, seed=seed)
    model = Hopfield(xi)
    run = parallel_tempering(
        model,
        temperatures,
        two_starts(model, settings.replicas, seed),
        Schedule(0, settings.sweeps // settings.every, settings.every),
        settings.replicas,
        seed=seed,
        device=settings.device,
        observe=(observables.overlap, observables.energy, observables.replica_overlap),
        checkpoint=checkpoint,
    )
    late = run.isel(sample=slice(run.sizes["sample"] // 2, None))
    energy = statistics.thermal(late.energy)
    result = {
        "energy": energy["mean"].assign_attrs(run.energy.attrs),
        "energy_error": energy["error"].assign_attrs(
            long_name="Thermal standard error of the energy per neuron", units="1"
        ),
    }
    q = late.replica_overlap
    for power in (1, 2, 4):
        text = f"Thermal mean of q12^{power}" if power > 1 else "Thermal mean of q12"
        moment = (q**power).mean(["replica", "sample"])
        result[f"q_moment_{power}"] = moment.assign_attrs(long_name=text, units="1")
    result["q_density"] = density(q, n_neurons)
    start = np.arange(settings.replicas) % 2
    verdicts = [statistics.equilibration(late[name], start) for name in ("energy", "overlap")]
    trips = run.round_trips.mean()
    good = verdicts[0].equilibrated & verdicts[1].equilibrated & (trips >= settings.round_trips)
    result["equilibrated"] = good.assign_attrs(
        long_name="whether energy and overlap have equilibrated and walkers came round", units="1"
    )
    r_hat = np.maximum(verdicts[0].r_hat, verdicts[1].r_hat)
    result["r_hat"] = r_hat.assign_attrs(
        long_name="larger R-hat of energy and overlap with the first pattern", units="1"
    )
    result["round_trips"] = trips.assign_attrs(long_name="round trips a walker", units="1")
    result["fewest_round_trips"] = run.round_trips.min().assign_attrs(
        long_name="round trips of the slowest walker", units="1"
    )
    for name in ("exchange_rate", "upward"):
        result[name] = run[name].mean("replica", keep_attrs=True)
    result["binned_energy"] = _binned(run.energy, settings)
    for length, value in zip((2, 3), cycles(xi), strict=True):
        text = f"Cycles of {length} patterns, Tr C^{length} / N less its mean over random patterns"
        result[f"cycles_{length}"] = xr.DataArray(value, attrs={"long_name": text, "units": "1"})
    there = ["n_neurons", "n_patterns", "alpha", "sample", "replica", "colder", "hotter"]
    return xr.Dataset(result).drop_vars(there, errors="ignore")


def cycles(xi: np.ndarray) -> tuple[float, float]:
    """(Tr C^k - E Tr C^k) / N for k = 2, 3: how far these patterns are from the average ones.

        C_mu,nu = (1/N) xi^mu . xi^nu for mu != nu, else 0
        E Tr C^2 = P (P-1) / N,  E Tr C^3 = P (P-1) (P-2) / N^2

    The energy of the paramagnet depends on the patterns by such cycles, the shortest ones most;
    with their exact means they take a share of the disorder out of it (`analysis.glass.adjusted`).

    xi: (pattern, neuron), +-1.
    """
    n_patterns, n_neurons = xi.shape
    C = xi.astype(float) @ xi.T.astype(float) / n_neurons
    np.fill_diagonal(C, 0)
    square = C @ C
    pairs = n_patterns * (n_patterns - 1)
    two = np.trace(square) - pairs / n_neurons
    three = np.sum(square * C) - pairs * (n_patterns - 2) / n_neurons**2
    return two / n_neurons, three / n_neurons


def density(q, n_neurons: int):
    """P(q12) on bins of equal width: (temperature, q_bin), integral 1.

    q12 is one of the N + 1 values -1, -1 + 2/N, ..., 1. Each is spread over its own width 2/N, and
    the bins cut this histogram: no bin holds more values than its neighbour only because of N.
    """
    import xarray as xr

    number = np.rint((q + 1) * n_neurons / 2).astype(int).transpose("temperature", ...)
    counts = np.stack(
        [
            np.bincount(row, minlength=n_neurons + 1)
            for row in number.values.reshape(number.sizes["temperature"], -1)
        ]
    )
    total = np.concatenate([np.zeros((len(counts), 1)), np.cumsum(counts, axis=1)], axis=1)
    ends = (2 * np.arange(n_neurons + 2) - 1) / n_neurons - 1  # from -1 - 1/N to 1 + 1/N
    edges = np.linspace(-1, 1, _BINS + 1)
    cut = np.where(edges <= -1, ends[0], np.where(edges >= 1, ends[-1], edges))
    at = np.stack([np.interp(cut, ends, row) for row in total])
    density = np.diff(at, axis=1) / total[:, -1:] / np.diff(edges)
    return xr.DataArray(
        density,
        dims=("temperature", "q_bin"),
        coords={"q_bin": (edges[1:] + edges[:-1]) / 2},
        attrs={"long_name": "Density of the overlap of two replicas P(q12)", "units": "1"},
    )


def _binned(energy, settings: Settings):
    """Energies of both starts in logarithmic bins of time: (temperature, start, bin)."""
    import xarray as xr

    from hopfield_sim import statistics

    each = [statistics.log_binned(energy.isel(replica=slice(s, None, 2))) for s in (0, 1)]
    binned = xr.concat([e["mean"] for e in each], "start").transpose("temperature", "start", "bin")
    ends = (each[0].last_sample.values + 1) * settings.every
    return binned.drop_vars(["first_sample", "last_sample"]).assign_coords(
        start=["pattern", "random"],
        bin=("bin", ends, {"long_name": "Sweeps done at the end of the bin", "units": "1"}),
    )


def main(settings: Settings) -> None:
    from hopfield_sim import Sweep, device

    checked(settings)
    device.resolve(settings.device)
    if settings.dry_run:
        print(_plan(settings))
        return
    temperatures = ladder(settings)
    sweep = Sweep(
        partial(cell, settings, temperatures),
        {"n_neurons": np.unique(settings.n_neurons)},
        realisations=settings.realisations,
        seed=settings.seed,
        title="Spin-glass phase of the Hopfield network by parallel tempering",
        settings=recorded(settings, AXES) | {"ladder": temperatures},
    )
    report(computed(sweep, settings), settings)


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work. Raises ValueError."""
    counts = settings.alpha * np.asarray(settings.n_neurons, float)
    if len(set(settings.n_neurons)) < 3 or min(settings.n_neurons) < 2:
        raise ValueError("--n-neurons: at least three sizes are needed, for the limit of large N.")
    if not (settings.alpha > 0 and np.allclose(counts, np.rint(counts), rtol=0, atol=1e-6)):
        raise ValueError(
            f"--alpha {settings.alpha}: alpha N is not a whole number of patterns at every N of "
            f"{settings.n_neurons}; choose multiples of 1/alpha."
        )
    low, high = settings.temperature
    T_g = 1 + settings.alpha**0.5
    if not 0 < low < T_g < high:
        raise ValueError(
            f"--temperature {low} {high}: they must be positive, below and above T_g = {T_g:.3f}."
        )
    if settings.replicas < 2 or settings.replicas % 2:
        raise ValueError(f"--replicas {settings.replicas}: an even number >= 2 is needed.")
    if settings.n_temperatures < 4:
        raise ValueError(f"--n-temperatures {settings.n_temperatures}: at least 4 are needed.")
    if settings.every < 1 or settings.sweeps < 32 * settings.every:
        raise ValueError("--sweeps: at least 32 measurements are needed; see --every.")
    if settings.realisations < 2:
        raise ValueError("--realisations: at least 2 are needed, the error bars come from them.")


def report(found, settings: Settings) -> None:
    """Tables, verdicts and figure of a finished store."""
    from analysis import comparison, glass, tempering

    found = found.load()
    limits = glass.limit(glass.adjusted(found), settings.alpha)
    print(glass.energy_table(found, limits))
    print(glass.size_table(found))
    title = (
        f"Hopfield network in its spin-glass phase, α = {settings.alpha:g}, parallel tempering;"
        f" {found.sizes['realisation']} sets of patterns, {settings.replicas} replicas, "
        f"{settings.sweeps} sweeps (open symbols: not equilibrated in all sets)"
    )
    figure = tempering.spin_glass_phase(found, limits, settings.alpha, title)
    saved(figure, settings.figure)
    equilibrated = found.equilibrated.all("realisation")
    symmetric = comparison.z_scores(found.q_moment_1, 0 * found.temperature)
    of_both = {"not equilibrated": ~equilibrated}
    verdict = comparison.verdict(symmetric, columns="n_neurons", reasons=of_both)
    print(f"symmetry, <q12> = 0: {verdict}")
    above = (1 + glass.CLOSE) * limits.attrs["T_g"]
    left_out = {
        f"below {1 + glass.CLOSE:g} T_g": limits.temperature < above,
        "not equilibrated": ~equilibrated.all("n_neurons"),
    }
    chi = glass.glass_susceptibility(found, settings.alpha)
    compared = {
        "susceptibility N <q12^2>": comparison.z_scores(chi.limit, chi.theory),
        "energy": comparison.z_scores(limits.energy, limits.paramagnet),
    }
    for name, scores in compared.items():
        scores = scores.assign_coords(alpha=settings.alpha)
        verdict = comparison.verdict(scores, reasons=left_out)
        print(f"{name} above T_g, N -> infinity, against the paramagnet: {verdict}")


def _plan(settings: Settings) -> str:
    sizes = np.unique(settings.n_neurons)
    lanes = settings.replicas * settings.n_temperatures
    visits = float(lanes * settings.sweeps * sizes.sum() * settings.realisations)
    temperatures = tuple(np.geomspace(*settings.temperature, settings.n_temperatures))

    def run(n_sweeps: int) -> None:
        shorter = replace(settings, sweeps=32 * n_sweeps, every=settings.every)
        cell(shorter, temperatures, (settings.seed, 0), int(np.median(sizes)))

    seconds = timed_cell(run, settings.sweeps / 32)
    largest = int(sizes.max())
    samples = settings.sweeps / settings.every
    memory = lanes * (5 * largest + 20 * settings.alpha * largest + 40 * samples)
    n_cells = sizes.size * settings.realisations
    files = f"{n_cells} x 15 chunks in {settings.store}"
    return plan(n_cells, visits, seconds, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
