"""Protocols over temperatures: annealing, heating and cooling branches, parallel tempering."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator

from hopfield_sim import dynamics, randomness
from hopfield_sim.checkpoint import Checkpoint, fingerprint
from hopfield_sim.dynamics import Glauber, Rule
from hopfield_sim.ladder import Ladder
from hopfield_sim.models import Model
from hopfield_sim.randomness import Seed
from hopfield_sim.simulation import Observable, Run, Schedule, labelled


def annealed(
    model: Model,
    temperatures: Sequence[float],
    start: np.ndarray | str | xr.Dataset,
    schedule: Schedule | None = None,
    n_replicas: int = 2,
    seed: Seed | None = None,
    rule: Callable[[float], Rule] = Glauber,
    device: str = "auto",
    observe: Sequence[Observable] | None = None,
    keep_spins: bool = False,
    checkpoint: Checkpoint | None = None,
    cue: Model | None = None,
) -> xr.Dataset:
    """One run through a sequence of temperatures, the state kept from each to the next.

    temperatures: T >= 0 in the order of visits, each once, rising or falling or as they come. A
        loop is two calls, the second with the first as its start.
    start: as for `simulate`; an earlier run (of `simulate` or this function, with
        `keep_spins=True`) is continued. schedule: followed at each temperature.
    rule: what makes a rule of a temperature: `Glauber`, `Metropolis`, or
        `functools.partial(Glauber, order="random")`.
    cue: another network of the same neurons that moves the spins during each warm-up, for example
        `learning.hebb.coupled(xi, external_field=0.2 * xi[0])`; looked at, and moved between the
        samples, they are in `model` itself. The samples begin in the state that the cue prepared.
    The others are those of `simulate`; a checkpoint serves inside of a temperature too.

    Returns the Dataset that `simulate` would, with dims (temperature, replica, sample, ...) in the
    order of visits; `sweep` (temperature, sample) counts through; `spins` (replica, neuron) are
    those at the end. The counters of the random numbers go on from each temperature to the next: it
    is, bit for bit, the chain of `simulate` calls of which each continues the one before.

    Raises ValueError for temperatures that are repeated, negative or no numbers, a cue that does
    not fit, and as `simulate` does.
    Source: Kirkpatrick, Gelatt, Vecchi, Science 220 (1983) 671.
    """
    schedule = schedule or Schedule()
    temperatures = _checked(temperatures)
    whole = _made(rule, temperatures)
    rules = [rule(temperature) for temperature in temperatures]
    if cue is not None:
        _check_cue(cue, model, schedule)
    run = Run(model, rules[0], start, n_replicas, seed, device, observe)
    protocol = {"protocol": "annealed", "steps": temperatures, "schedule": asdict(schedule)}
    if checkpoint is not None and cue is not None:
        protocol["cue"] = fingerprint(cue, run.spins)
    run.keep_in(checkpoint, protocol)
    for step, at_temperature in enumerate(rules):
        run.at(at_temperature)
        run.measure(schedule, step * schedule.sweeps, cue)
    run.finish()
    settings = {"protocol": "annealed"} | ({} if cue is None else {"cue": type(cue).__name__})
    found = run.dataset(whole, schedule, keep_spins, settings)
    sweep = found.sweep.values + schedule.sweeps * np.arange(len(rules))[:, None]
    dims = ("temperature", "sample")
    return found.assign_coords(sweep=labelled(dims, sweep, found.sweep.long_name))


@dataclass(frozen=True, eq=False)
class Branch:
    """One way through the temperatures, for `branches`.

    start: spins, (neuron,) or (replica, neuron), or "random". direction: "heating" (from the
    lowest temperature to the highest) or "cooling". cue: as for `annealed`.

    Raises ValueError for another direction, and for a run as start: two branches that both went on
    with its random numbers would not be independent; start from `run["spins"].values`.
    """

    start: np.ndarray | str
    direction: str
    cue: Model | None = None

    def __post_init__(self):
        if self.direction not in ("heating", "cooling"):
            raise ValueError(
                f"direction={self.direction!r} is unknown; a branch is 'heating' or 'cooling'."
            )
        if isinstance(self.start, xr.Dataset):
            raise ValueError(
                "a branch starts from spins or 'random'; of an earlier run, give "
                "run['spins'].values."
            )


def branches(
    model: Model,
    temperatures: Sequence[float],
    ways: Mapping[str, Branch],
    schedule: Schedule | None = None,
    n_replicas: int = 2,
    seed: Seed | None = None,
    rule: Callable[[float], Rule] = Glauber,
    device: str = "auto",
    observe: Sequence[Observable] | None = None,
    keep_spins: bool = False,
    checkpoint: Checkpoint | None = None,
) -> xr.Dataset:
    """Several annealings of one network side by side, so that their difference shows hysteresis.

    temperatures: T >= 0, in any order. ways: name -> `Branch`, for example

        {"heating": Branch(xi[0], "heating"), "cooling": Branch("random", "cooling")}

    The others are those of `annealed`. Each branch has random numbers of its own, by its name: it
    does not change when others are added, and no two share a draw.

    Returns a Dataset with dims (branch, temperature, replica, sample, ...), temperatures ascending:
    `found.overlap.sel(branch="heating") - found.overlap.sel(branch="cooling")`. `sweep` (branch,
    temperature, sample) tells when each was visited.

    Raises ValueError as `annealed` does, and where no branch is given.
    """
    if not isinstance(ways, Mapping) or not ways:
        raise ValueError("give at least one branch, e.g. {'heating': Branch(xi[0], 'heating')}.")
    ascending = sorted(_checked(temperatures))
    words = (0,) if seed is None else randomness.words_of(seed)
    found = []
    for name, way in ways.items():
        word = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
        run = annealed(
            model,
            ascending if way.direction == "heating" else ascending[::-1],
            way.start,
            schedule,
            n_replicas,
            (*words, word),
            rule=rule,
            device=device,
            observe=observe,
            keep_spins=keep_spins,
            checkpoint=None if checkpoint is None else checkpoint.part(name),
            cue=way.cue,
        )
        found.append(run.sortby("temperature"))
    names = np.array(list(ways), object)  # Zarr has no strings of fixed length
    together = xr.concat(
        found,
        xr.DataArray(names, dims="branch", name="branch"),
        data_vars="all",
        coords=["sweep"],
        compat="equals",
        join="exact",
        combine_attrs="drop_conflicts",
    )
    together.branch.attrs |= {"long_name": "Branch", "units": "1"}
    settings = json.loads(found[0].attrs["settings"])
    settings |= {"protocol": "branches", "cue": None}
    settings["branches"] = {
        name: [way.direction, None if way.cue is None else type(way.cue).__name__]
        for name, way in ways.items()
    }
    return together.assign_attrs(
        seed=json.dumps(words if len(words) > 1 else words[0]),
        settings=json.dumps(settings, sort_keys=True),
    )


def parallel_tempering(
    model: Model,
    temperatures: Sequence[float],
    start: np.ndarray | str | xr.Dataset = "random",
    schedule: Schedule | None = None,
    n_replicas: int = 2,
    seed: Seed | None = None,
    rule: Callable[[Sequence[float]], Rule] = Glauber,
    device: str = "auto",
    observe: Sequence[Observable] | None = None,
    keep_spins: bool = False,
    checkpoint: Checkpoint | None = None,
    exchange_every: int = 1,
) -> xr.Dataset:
    """Ladders of temperatures whose neighbours exchange their states.

    Between sweeps, neighbours at T_i < T_j exchange their states with probability

        min(1, exp((1/T_i - 1/T_j) (E_i - E_j))),

    pairs (0, 1), (2, 3), ... and (1, 2), (3, 4), ... in turn. This leaves the product of the
    Boltzmann laws of all temperatures as it is, so that each temperature is sampled by its own law,
    while a state that is stuck at low T melts at high T and comes back as another one.

    temperatures: T > 0, at least two, ascending. n_replicas: ladders, independent of each other; a
        replica is a place in a ladder, so that q12 compares two ladders at equal temperature.
    start: as for `simulate`, with its axes (temperature, replica, neuron); an earlier run made with
        `keep_spins=True` is continued, walkers and counts included.
    rule: what makes a rule of the temperatures; any whose stationary law is Boltzmann's.
    exchange_every: sweeps from one attempt to the next. Each attempt is a new call of the kernel,
        which tells in small networks: at N = 500, P = 100 and 80 lanes sweeps take 2.7 times as
        long with an attempt after each, 1.2 times with one after every fifth.
    The others are those of `simulate`, as are lanes, random numbers and the Dataset. Draws belong
    to the temperature, states move; those of the exchanges belong to the colder place and to the
    number of the attempt. So more ladders, and an interruption, change nothing.

    Returns the Dataset that `simulate` would (temperature, replica, sample, ...), and
        walker (temperature, replica, sample): which walker is there, by the number of the
            temperature at which it began;
        exchange_rate (pair, replica): accepted fraction of the attempts, with the coordinates
            colder and hotter (pair), temperatures; exchange_attempts (pair);
        round_trips (replica, origin): journeys of each walker from the coldest temperature to the
            hottest and back; round_trip_time (replica): their mean duration in sweeps;
        upward (temperature, replica): of the walkers that visited an end, the fraction that saw the
            coldest one last, f(T): it falls from 1 to 0, and steeply at a bottleneck;
        with keep_spins the counts behind all these, `counters` (counter, temperature, replica).
    These begin after the warm-up, and go through the whole of a run that is continued.

    Raises ValueError for fewer than two temperatures, T <= 0, repeated or unsorted ones, asymmetric
    couplings (no energy), synchronous or zero-temperature rules (no Boltzmann law), and as
    `simulate` does.
    Sources: Hukushima, Nemoto, J. Phys. Soc. Jpn. 65 (1996) 1604; even and odd pairs in turn:
    Okabe, Kawata, Okamoto, Mikami, Chem. Phys. Lett. 335 (2001) 435, and Syed, Bouchard-Cote,
    Deligiannidis, Doucet, J. R. Stat. Soc. B 84 (2022) 321; f(T): Katzgraber, Trebst, Huse, Troyer,
    J. Stat. Mech. (2006) P03018.
    """
    schedule = schedule or Schedule()
    temperatures = _checked(temperatures)
    if len(temperatures) < 2 or min(temperatures) <= 0 or temperatures != sorted(temperatures):
        raise ValueError(
            f"temperatures={temperatures} make no ladder; at least two are needed, all above 0, in "
            "ascending order."
        )
    whole = _made(rule, temperatures)
    if not model.symmetric:
        raise ValueError(
            "asymmetric couplings have no energy, so their states cannot be exchanged between "
            "temperatures; use annealed() or simulate()."
        )
    if whole.order == "parallel":
        raise ValueError(
            "states of synchronous dynamics are not distributed by exp(-H/T) (see little_energy), "
            "which this exchange assumes; use order='fixed' or 'random'."
        )
    run = Ladder(model, whole, start, n_replicas, seed, device, observe, exchange_every)
    run.keep_in(
        checkpoint,
        {
            "protocol": "parallel_tempering",
            "schedule": asdict(schedule),
            "exchange_every": run.exchange_every,
        },
    )
    run.measure(schedule)
    run.finish()
    return run.dataset(
        whole,
        schedule,
        keep_spins,
        {"protocol": "parallel_tempering", "exchange_every": run.exchange_every},
    )


def barrier(run: xr.Dataset) -> xr.Dataset:
    """What separates the temperatures of a run of `parallel_tempering`, and what it costs.

    With r_i the mean rejection of pair i, the communication barrier between the hottest temperature
    and the k-th is the sum of r_i over the pairs between them; it depends little on which
    temperatures lie between. A walker that relaxes between exchanges makes, all walkers together,
    1 / (2 + 2 sum r_i / (1 - r_i)) round trips an attempt, which for many temperatures comes close
    to 1 / (2 + 2 Lambda), Lambda the whole barrier. About 2 Lambda + 1 temperatures make the most
    of a given number of sweeps.

    A rejection is estimated as (rejected + 1/2) / (attempts + 1), all ladders together.

    Returns a Dataset: barrier (temperature), round_trip_rate (predicted round trips an attempt and
    ladder), n_temperatures (advised). Measured rates near 0 hide a barrier: put more temperatures
    there (`placed`) and repeat.
    Source: Syed, Bouchard-Cote, Deligiannidis, Doucet, J. R. Stat. Soc. B 84 (2022) 321.
    """
    attempts = run.exchange_attempts * run.sizes["replica"]
    accepted = (run.exchange_rate * run.exchange_attempts).sum("replica")
    rejection = ((attempts - accepted + 0.5) / (attempts + 1)).values
    total = np.append(np.cumsum(rejection[::-1])[::-1], 0.0)
    rate = 1 / (2 + 2 * np.sum(rejection / (1 - rejection)))
    dims = ("temperature",)
    return xr.Dataset(
        {
            "barrier": labelled(dims, total, "Communication barrier to the hottest temperature"),
            "round_trip_rate": labelled((), rate, "Predicted round trips an attempt and ladder"),
            "n_temperatures": labelled((), 1 + round(2 * total[0]), "Advised number"),
        },
        coords={"temperature": run.temperature},
    )


def placed(run: xr.Dataset, n_temperatures: int | None = None) -> tuple[float, ...]:
    """Temperatures between which exchanges are equally likely, from measured rates.

    The `barrier` of a run of `parallel_tempering`, interpolated by a monotone cubic in 1/T, is
    divided into equal parts; the lowest and the highest temperature stay. n_temperatures: None
    takes the number that `barrier` advises (at least two).

    Returns them ascending, for a next run. Raises ValueError for fewer than two.
    Source: Syed, Bouchard-Cote, Deligiannidis, Doucet, J. R. Stat. Soc. B 84 (2022) 321.
    """
    found = barrier(run)
    if n_temperatures is None:
        n_temperatures = max(2, int(found.n_temperatures))
    if not isinstance(n_temperatures, int | np.integer) or n_temperatures < 2:
        raise ValueError(f"n_temperatures={n_temperatures!r} is not possible; two are the least.")
    total, temperature = found.barrier.values, run.temperature.values
    inverse = PchipInterpolator(total[::-1], 1 / temperature[::-1])
    inner = 1 / inverse(np.linspace(total[0], 0.0, n_temperatures)[1:-1])
    return (float(temperature[0]), *inner.tolist(), float(temperature[-1]))


def _checked(temperatures: Sequence[float]) -> list[float]:
    values = np.asarray(temperatures, float)
    if values.ndim != 1 or not values.size or len(np.unique(values)) < values.size:
        raise ValueError(
            f"temperatures={temperatures!r} cannot be used; give a list of numbers, each once (a "
            "loop is two runs, the second continuing the first)."
        )
    return values.tolist()


def _made(rule: Callable, temperatures: Sequence[float]) -> Rule:
    """The rule of all temperatures together."""
    if rule is dynamics.ZeroTemperature or isinstance(rule, Rule):
        raise ValueError(
            f"rule={rule!r} cannot be used; give what makes a rule of a temperature: Glauber, "
            "Metropolis, or functools.partial(Glauber, order='random')."
        )
    return rule(tuple(temperatures))


def _check_cue(cue: Model, model: Model, schedule: Schedule) -> None:
    if cue.n_neurons != model.n_neurons:
        raise ValueError(
            f"the cue has {cue.n_neurons} neurons and the network {model.n_neurons}; they must be "
            "the same."
        )
    if not schedule.warmup:
        raise ValueError("a cue acts during the warm-up; give schedule=Schedule(warmup=...).")
