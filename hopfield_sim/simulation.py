"""One run: model + rule + schedule -> Dataset over (replica, sample)."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from hopfield_sim import device as devices
from hopfield_sim import dynamics, observables, randomness
from hopfield_sim.dynamics import Rule
from hopfield_sim.models import Model, checked_spins
from hopfield_sim.randomness import START, STREAM_VERSION, Seed

Observable = Callable[[Model, np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Schedule:
    """When to look: after `warmup` sweeps, then `samples` times, `every` sweeps apart.

    Raises ValueError for a negative warm-up, and for less than one sample or sweep between two.
    """

    warmup: int = 50
    samples: int = 200
    every: int = 1

    def __post_init__(self):
        for name, least in (("warmup", 0), ("samples", 1), ("every", 1)):
            value = getattr(self, name)
            if not isinstance(value, int | np.integer) or value < least:
                raise ValueError(
                    f"{name}={value!r} is not possible; it must be an integer of at least {least}."
                )
            object.__setattr__(self, name, int(value))

    @property
    def sweeps(self) -> int:
        """All sweeps of a run."""
        return self.warmup + self.samples * self.every


def simulate(
    model: Model,
    rule: Rule,
    start: np.ndarray | str | xr.Dataset,
    schedule: Schedule | None = None,
    n_replicas: int = 2,
    seed: Seed | None = None,
    device: str = "auto",
    observe: Sequence[Observable] | None = None,
    keep_spins: bool = False,
) -> xr.Dataset:
    """Simulate independent replicas of one network.

    model, rule, schedule: what moves, how, and when to look (`Schedule()` if none is given).
    start: spins (neuron,), (replica, neuron) or (temperature, replica, neuron) of +-1; "random";
        or an earlier run made with `keep_spins=True`, which is then continued: the two together
        are, bit for bit, the uninterrupted run (same seed, counters going on).
    n_replicas: chains a temperature, independent of each other.
    seed: integer or (seed, coordinates of the disorder ...); 0 if none is given.
    device: "cpu", "gpu" or "auto"; the trajectory does not depend on it.
    observe: functions of `observables`; default: overlap, energy, magnetisation, and q12 and r
        from two replicas on, each where the model has it.
    keep_spins: also keep the final spins, int8 ([temperature,] replica, neuron).

    Returns a Dataset with dims (replica, sample, ...), or (temperature, replica, sample, ...) where
    the rule has several temperatures; `acceptance` is the fraction of visits that flipped. Scalar
    coordinates n_neurons, n_patterns, alpha = P/N and (one temperature) temperature.

    Raises ValueError for input that does not fit, before any work.
    """
    devices.resolve(device)
    schedule = schedule or Schedule()
    if not isinstance(n_replicas, int | np.integer) or n_replicas < 1:
        raise ValueError(f"n_replicas={n_replicas!r} is not possible; at least one is needed.")
    several = np.ndim(rule.temperature) == 1
    groups = dynamics.temperatures(rule)
    shape = (len(groups), n_replicas, model.n_neurons)
    first_sweep = 0
    if isinstance(start, xr.Dataset):
        start, first_sweep, seed = _continued(start, seed, shape if several else shape[1:])
    seed = (0,) if seed is None else randomness.words_of(seed)
    stream = dynamics.stream(model, rule, n_replicas, seed)
    spins = _started(model, start, stream, shape)
    memory = model.memory(spins)
    noise = dynamics.noise(rule, n_replicas)
    observe = _default(model, n_replicas) if observe is None else tuple(observe)

    def look():
        """Every observable at the present state: a list of arrays (temperature, replica, ...)."""
        now = spins.reshape(shape).astype(np.float32)
        kept = memory.reshape(*shape[:2], -1).astype(np.int64)
        return [np.asarray(function(model, now, kept)) for function in observe]

    look()  # an observable that does not suit the model complains before the work starts
    model.sweep(spins, memory, noise, stream, first_sweep, schedule.warmup)
    flips = np.empty((schedule.samples, len(spins)))
    records = []
    for sample in range(schedule.samples):
        done = first_sweep + schedule.warmup + sample * schedule.every
        flips[sample] = model.sweep(spins, memory, noise, stream, done, schedule.every)
        records.append(look())

    def labelled(values, long_name, inner=()):
        """values: (sample, temperature, replica, ...) with the sample axis put third."""
        dims = ("temperature", "replica", "sample", *inner)
        array = xr.Variable(dims, np.moveaxis(values, 0, 2), {"long_name": long_name, "units": "1"})
        return array if several else array.isel(temperature=0)

    variables = {}
    for k, function in enumerate(observe):
        values = np.stack([record[k] for record in records])
        inner = ("pattern",) if values.ndim == 4 else ()
        variables[function.__name__] = labelled(values, function.__doc__.splitlines()[0], inner)
    rate = flips.reshape(-1, *shape[:2]) / (schedule.every * model.n_neurons)
    variables["acceptance"] = labelled(rate, "Fraction of attempted flips that were accepted")
    if keep_spins:
        final = xr.Variable(
            ("temperature", "replica", "neuron"),
            spins.reshape(shape),
            {"long_name": "Spins at the end of the run", "units": "1"},
        )
        variables["spins"] = final if several else final.isel(temperature=0)
    return xr.Dataset(
        variables,
        coords=_coordinates(model, rule, schedule, n_replicas, first_sweep),
        attrs={
            "title": f"{type(model).__name__} network, {type(rule).__name__} dynamics",
            "settings": json.dumps(
                {"order": rule.order, "schedule": asdict(schedule)}, sort_keys=True
            ),
            "seed": json.dumps(seed if len(seed) > 1 else seed[0]),
            "stream_version": STREAM_VERSION,
            "sweeps": first_sweep + schedule.sweeps,
        },
    )


def _default(model: Model, n_replicas: int) -> tuple[Observable, ...]:
    chosen = [observables.magnetisation]
    if model.symmetric:
        chosen.append(observables.energy)
    if n_replicas > 1:
        chosen.append(observables.replica_overlap)
    if model.n_patterns:
        chosen.append(observables.overlap)
    if model.n_patterns > 1 and n_replicas > 1:
        chosen.append(observables.residual_noise)
    return tuple(chosen)


def _continued(run: xr.Dataset, seed: Seed | None, shape: tuple[int, ...]):
    if "spins" not in run:
        raise ValueError(
            "this run cannot be continued: its final spins were not kept; "
            "make it with simulate(..., keep_spins=True)."
        )
    if run["spins"].shape != shape:
        raise ValueError(
            f"the run to be continued has spins of shape {run['spins'].shape}, but this one would "
            f"have {shape}: continue it with the same replicas, temperatures and neurons, or start "
            "anew from run['spins'].values."
        )
    if run.attrs["stream_version"] != STREAM_VERSION:
        raise ValueError(
            f"this run was made with stream version {run.attrs['stream_version']} of the random "
            f"numbers, this package has {STREAM_VERSION}: continued, it would be another run. Use "
            "the package version that made it, or start anew from run['spins'].values."
        )
    known = json.loads(run.attrs["seed"])
    if seed is not None and randomness.words_of(seed) != randomness.words_of(known):
        raise ValueError(
            f"the run to be continued was made with seed {known}, not {seed}; leave seed out."
        )
    return run["spins"].values, int(run.attrs["sweeps"]), known


def _started(model: Model, start, stream: randomness.Stream, shape) -> np.ndarray:
    """The start as int8 spins (lane, neuron), an array of its own."""
    n_neurons = model.n_neurons
    if isinstance(start, str):
        if start != "random":
            raise ValueError(f"start={start!r} is unknown; give spins, 'random' or a run.")
        blocks = randomness.blocks_per_sweep(n_neurons)
        draws = [
            randomness.words(stream.key, START, lane, 0, blocks)[:n_neurons]
            for lane in stream.lanes
        ]
        return np.where(np.stack(draws) >> np.uint32(31), 1, -1).astype(np.int8)
    spins = checked_spins(start, n_neurons)
    try:
        return np.broadcast_to(spins, shape).reshape(-1, n_neurons).copy()
    except ValueError:
        raise ValueError(
            f"start has shape {spins.shape}, but this run has (temperature, replica, neuron) = "
            f"{shape}; give (neuron,), (replica, neuron) or all three."
        ) from None


def _coordinates(model, rule, schedule, n_replicas, first_sweep) -> dict:
    def described(dims, value, long_name):
        """One coordinate with its name; all are pure numbers in units of J."""
        return xr.Variable(dims, value, {"long_name": long_name, "units": "1"})

    sweep = first_sweep + schedule.warmup + schedule.every * np.arange(1, schedule.samples + 1)
    groups = ("temperature",) if np.ndim(rule.temperature) else ()
    temperature = np.asarray(rule.temperature, float)
    coordinates = {
        "replica": described("replica", np.arange(n_replicas), "Replica"),
        "sample": described("sample", np.arange(schedule.samples), "Sample"),
        "sweep": described("sample", sweep, "Sweeps done"),
        "n_neurons": described((), model.n_neurons, "Number of neurons N"),
        "temperature": described(groups, temperature, "Temperature T in units of J"),
    }
    if model.n_patterns:
        alpha = model.n_patterns / model.n_neurons
        coordinates["n_patterns"] = described((), model.n_patterns, "Number of patterns P")
        coordinates["alpha"] = described((), alpha, "Load alpha = P / N")
    return coordinates
