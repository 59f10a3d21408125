"""The glass of dense networks by parallel tempering, and what the pairwise network has beyond one.

Simulated: P-body networks ("distinct") of several sizes far above the load of retrieval, at all
temperatures of a ladder at once, neighbours exchanging their states. Half of the replicas start in
the first pattern, half in a random state; a temperature counts as equilibrated when both agree and
walkers have come round often. Besides, the paramagnets of the pairwise and of the P-body network at
equal reduced load, whose energies are integrated from T = infinity. Drawn: the distribution of the
overlap of two replicas with the two peaks of one step of replica symmetry breaking (1RSB), its
moments, energies and the ground state, with their limits for N -> infinity, the free energy beyond
that of the Ising glass of P spins alone (for P = 2 a spherical glass, for P > 2 nothing), exchange.
Printed: tables and verdicts.

Networks of 60 neurons are far from the limit of large N: between T_K and 2 T_d their energies are
up to 0.1 below the paramagnet's (the law of the energies has wider tails than a Gaussian one, see
`analysis.dense_glass.free_energy`), and the second peak of P(q12) outweighs that of 1RSB. What is
compared is the extrapolation; its error says how much that tests.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import (
    Options,
    all_computed,
    ended,
    plan,
    recorded,
    saved,
    started,
    timed_cell,
)
from experiments.tempering import density, equalised, two_starts

AXES = ("n_neurons",)
_PARAMAGNET_SWEEPS = 1000
_INVERSE = 12  # inverse temperatures of a paramagnet, evenly spaced from 0 on


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/dense_glass")
    figure: Path = Path("figures/dense_glass.png")
    realisations: int = 16
    interaction: int = 3
    """Order P of the interaction, 3 at least. With even P overlaps count by their size."""
    reduced_load: float = 1.0
    """K (P-1)! / N^(P-1), far above the load of retrieval; its square root is the unit of T."""
    n_neurons: tuple[int, ...] = (32, 44, 60)
    """Neurons N; three sizes at least. Below 30 corrections are no longer small; larger ones need
    more sweeps (80: some 30000), about as N^4 in all."""
    temperature: tuple[float, float] = (0.2, 1.6)
    """Lowest and highest temperature of the ladder over sqrt(reduced load)."""
    n_temperatures: int = 14
    """Temperatures of the ladder."""
    replicas: int = 4
    """Ladders a realisation: an even number, half from each start."""
    sweeps: int = 8000
    """Sweeps at each temperature; averages are over the second half."""
    every: int = 4
    """Sweeps between two measurements."""
    round_trips: int = 3
    """Round trips that a walker must have made on average for a realisation to be equilibrated."""
    paramagnet_sizes: tuple[int, ...] = (60, 100, 160)
    """Neurons N of the P-body paramagnet; of the pairwise one four times as many."""


def network(interaction: int, reduced_load: float, n_neurons: int, seed):
    """The network of random patterns."""
    from hopfield_sim import Dense, Hopfield, number_of_patterns, patterns

    K = number_of_patterns(n_neurons, interaction, reduced_load=reduced_load)
    xi = patterns.random(K, n_neurons, seed=seed)
    return Hopfield(xi) if interaction == 2 else Dense(xi, interaction)


def ladder(settings: Settings) -> tuple[float, ...]:
    """The temperatures, units of J, placed as those of `experiments.tempering`."""
    ends = (one * settings.reduced_load**0.5 for one in settings.temperature)
    seed = (settings.seed, 0)
    largest = network(settings.interaction, settings.reduced_load, max(settings.n_neurons), seed)
    return equalised(largest, ends, settings, seed)


def cell(settings: Settings, temperatures, seed, n_neurons: int, checkpoint=None):
    """The glass of one realisation, all temperatures: Dataset over temperature."""
    import xarray as xr

    from hopfield_sim import Schedule, observables, statistics
    from hopfield_sim.tempering import parallel_tempering

    model = network(settings.interaction, settings.reduced_load, n_neurons, seed)
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
    q = late.replica_overlap
    size = np.abs(q) if settings.interaction % 2 == 0 else q  # even P: s and -s are one state
    lowest = run.energy.min(["sample", "temperature"])
    start = np.arange(settings.replicas) % 2
    checks = [statistics.equilibration(late[name], start) for name in ("energy", "overlap")]
    trips = run.round_trips.mean()
    good = checks[0].equilibrated & checks[1].equilibrated & (trips >= settings.round_trips)
    result = {
        "energy": (energy["mean"], "Energy per neuron", "J"),
        "energy_error": (energy["error"], "Thermal standard error of the energy", "J"),
        "q_moment_1": (size.mean(["replica", "sample"]), "Thermal mean of q12", "1"),
        "q_moment_2": ((q**2).mean(["replica", "sample"]), "Thermal mean of q12^2", "1"),
        "lowest_energy": (lowest.min(), "Lowest energy per neuron that was seen", "J"),
        "found_by": (
            (lowest < lowest.min() + 1e-9).sum(),
            "Number of ladders that saw the lowest energy",
            "1",
        ),
        "equilibrated": (good, "whether energy and overlap have equilibrated", "1"),
        "round_trips": (trips, "Round trips a walker", "1"),
        "exchange_rate": (run.exchange_rate.mean("replica"), "Accepted exchanges", "1"),
        "upward": (run.upward.mean("replica"), "Walkers that come from the coldest end", "1"),
    }
    found = {
        name: value.drop_attrs().assign_attrs(long_name=text, units=units)
        for name, (value, text, units) in result.items()
    }
    found["q_density"] = density(q, n_neurons)
    there = ["n_neurons", "n_patterns", "alpha", "sample", "replica", "colder", "hotter"]
    return xr.Dataset(found).drop_vars(there, errors="ignore")


def paramagnet(settings: Settings, interaction: int, temperatures, seed, n_neurons: int):
    """Energies of one realisation above the transition: Dataset over temperature."""
    import xarray as xr

    from hopfield_sim import Glauber, Schedule, observables, simulate, statistics

    run = simulate(
        network(interaction, settings.reduced_load, n_neurons, seed),
        Glauber(temperatures),
        "random",
        Schedule(_PARAMAGNET_SWEEPS // 10, _PARAMAGNET_SWEEPS // 2, 2),
        settings.replicas,
        seed=seed,
        device=settings.device,
        observe=(observables.energy,),
    )
    energy = statistics.thermal(run.energy)["mean"].assign_attrs(run.energy.attrs)
    return xr.Dataset({"energy": energy}).drop_vars(["n_neurons", "n_patterns", "alpha"])


def main(settings: Settings) -> None:
    from hopfield_sim import device

    checked(settings)
    device.resolve(settings.device)
    if settings.dry_run:
        print(_plan(settings))
        return
    report(all_computed(sweeps(settings), settings), settings)


def sweeps(settings: Settings) -> dict:
    """The sweeps of the experiment, by name: the glass, and a paramagnet for P = 2 and for P."""
    from hopfield_sim import Sweep

    common = {"realisations": settings.realisations, "seed": settings.seed}
    about = recorded(settings, (*AXES, "paramagnet_sizes"))
    temperatures = ladder(settings)
    made = {
        "glass": Sweep(
            partial(cell, settings, temperatures),
            {"n_neurons": np.unique(settings.n_neurons)},
            title=f"Glass of the network of {settings.interaction} bodies, parallel tempering",
            settings=about | {"ladder": temperatures},
            **common,
        )
    }
    few = {"reduced_load": settings.reduced_load, "replicas": settings.replicas}
    for P, factor in ((2, 4), (settings.interaction, 1)):
        sizes = factor * np.unique(settings.paramagnet_sizes)
        T = above(P, settings.reduced_load)
        made[f"paramagnet_{P}"] = Sweep(
            partial(paramagnet, settings, P, T),
            {"n_neurons": sizes},
            title=f"Paramagnet of the network of {P} bodies",
            settings=few | {"interaction": P, "temperatures": T},
            **common,
        )
    return made


def above(interaction: int, reduced_load: float) -> tuple[float, ...]:
    """Temperatures above the transition, 1/T evenly spaced from 0 on (0 itself left out).

    From 1.25 T_g (P = 2) or 2 T_d on: below, networks of 100 neurons are far from the limit.
    """
    from hopfield_sim.theory import dense_glass

    if interaction == 2:
        lowest = 1.25 * (1 + reduced_load**0.5)
    else:
        lowest = 2 * float(dense_glass.transitions(interaction).T_d) * reduced_load**0.5
    beta = np.arange(_INVERSE, 0, -1) / _INVERSE / lowest
    return tuple(round(float(T), 6) for T in 1 / beta)


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work. Raises ValueError."""
    from hopfield_sim.theory import dense, dense_glass

    P, ahat = settings.interaction, settings.reduced_load
    if P < 3:
        raise ValueError(
            f"--interaction {P}: at least 3 is needed; the pairwise glass is experiments.tempering."
        )
    bound = float(dense.nishimori_bound(P).reduced_load_max)
    if not ahat > bound:
        raise ValueError(
            f"--reduced-load {ahat}: it must be above {bound:.3f}, where retrieval states end."
        )
    for name, sizes in (
        ("--n-neurons", settings.n_neurons),
        ("--paramagnet-sizes", settings.paramagnet_sizes),
    ):
        if len(set(sizes)) < 3 or min(sizes) < 2 * P:
            raise ValueError(f"{name} {sizes}: at least three sizes, for the limit of large N.")
    low, high = settings.temperature
    T_K, T_d = (float(dense_glass.transitions(P)[name]) for name in ("T_K", "T_d"))
    if not 0 < low < T_K < T_d < high:
        raise ValueError(
            f"--temperature {low} {high}: they must be positive, below T_K = {T_K:.3f} and above "
            f"T_d = {T_d:.3f} (in units of the root of the reduced load)."
        )
    if settings.replicas < 2 or settings.replicas % 2:
        raise ValueError(f"--replicas {settings.replicas}: an even number >= 2 is needed.")
    if settings.n_temperatures < 4:
        raise ValueError(f"--n-temperatures {settings.n_temperatures}: at least 4 are needed.")
    if settings.every < 1 or settings.sweeps < 32 * settings.every:
        raise ValueError("--sweeps: at least 32 measurements are needed; see --every.")
    if settings.realisations < 2:
        raise ValueError("--realisations: at least 2 are needed, the error bars come from them.")


def report(found: dict, settings: Settings) -> None:
    """Tables, figure and verdicts of finished stores, by name."""
    from analysis import dense_glass as reading
    from analysis import dense_glass_figure

    P, ahat = settings.interaction, settings.reduced_load
    glass = found["glass"]
    at = reading.limits(glass, P, ahat)
    ratios = {
        order: reading.free_energy(found[f"paramagnet_{order}"], order, ahat) for order in (2, P)
    }
    print(reading.table(glass, at, P, ahat))
    print(reading.size_table(glass))
    title = (
        f"Network of {P} bodies in its glass phase, reduced load {ahat:g}, parallel tempering; "
        f"{glass.sizes['realisation']} sets of patterns, {settings.replicas} replicas, "
        f"{settings.sweeps} sweeps (open symbols: not equilibrated)"
    )
    figure = dense_glass_figure.drawn(found, at, ratios, P, ahat, title)
    saved(figure, settings.figure)
    print(reading.ground_line(at, P, ahat))
    for line in reading.verdicts(glass, at, ratios, P, ahat):
        print(line)


def _plan(settings: Settings) -> str:
    sizes = np.unique(settings.n_neurons)
    lanes = settings.replicas * settings.n_temperatures
    visits = float(lanes * settings.sweeps * sizes.sum() * settings.realisations)
    low, high = (one * settings.reduced_load**0.5 for one in settings.temperature)
    temperatures = tuple(np.geomspace(low, high, settings.n_temperatures))

    def run(n_sweeps: int) -> None:
        shorter = replace(settings, sweeps=32 * n_sweeps)
        cell(shorter, temperatures, (settings.seed, 0), int(np.median(sizes)))

    seconds = timed_cell(run, settings.sweeps / 32)
    samples = settings.sweeps / settings.every
    K = network(settings.interaction, settings.reduced_load, int(sizes.max()), 0).n_patterns
    memory = lanes * (5 * sizes.max() + 20 * K + 40 * samples)
    n_cells = sizes.size * settings.realisations
    files = f"{n_cells} x 15 chunks in {settings.store}, and two short sweeps of paramagnets"
    return plan(n_cells, visits, seconds, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
