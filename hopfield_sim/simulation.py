"""One run: model + rule + schedule -> Dataset over (replica, sample)."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr

from hopfield_sim import device as devices
from hopfield_sim import dynamics, observables, randomness
from hopfield_sim.checkpoint import Checkpoint, fingerprint
from hopfield_sim.dynamics import Rule
from hopfield_sim.models import Model, check_has_spins, checked_spins
from hopfield_sim.randomness import START, STREAM_VERSION, Seed

Observable = Callable[[Model, np.ndarray, np.ndarray], np.ndarray]

_PIECE = 0.5  # seconds that a stretch without saving lasts at least, and four times that at most


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
    checkpoint: Checkpoint | None = None,
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
    checkpoint: where to keep the state now and then. The same call after an interruption goes on
        from there, and returns what the uninterrupted one would have, bit for bit.

    Returns a Dataset with dims (replica, sample, ...), or (temperature, replica, sample, ...) where
    the rule has several temperatures; `acceptance` is the fraction of visits that flipped. Scalar
    coordinates n_neurons, n_patterns, alpha = P/N and (one temperature) temperature.

    Raises ValueError for input that does not fit, before any work.
    """
    schedule = schedule or Schedule()
    run = Run(model, rule, start, n_replicas, seed, device, observe)
    run.keep_in(checkpoint, {"protocol": "simulate", "schedule": asdict(schedule)})
    run.measure(schedule)
    run.finish()
    return run.dataset(rule, schedule, keep_spins)


class Run:
    """Lanes on their way: their spins, what was seen of them, and how far they are.

    What `simulate` and the protocols of `tempering` are made of; its arguments are theirs. Lanes
    are (temperature, replica), replica fastest.

    spins: int8 (lane, neuron); memory: what the model keeps beside them. sweeps: done so far, those
    of an earlier run included; first_sweep: where this run begins. seen: for each observable (and
    "acceptance", the flips since the sample before) one array (temperature, replica, ...) a sample.
    long_names: what each of them is.
    """

    def __init__(self, model, rule, start, n_replicas, seed, device, observe):
        devices.resolve(device)
        check_has_spins(model)
        if not isinstance(n_replicas, int | np.integer) or n_replicas < 1:
            raise ValueError(f"n_replicas={n_replicas!r} is not possible; at least one is needed.")
        self.model = model
        self.several = np.ndim(rule.temperature) == 1
        self.shape = (len(dynamics.temperatures(rule)), n_replicas, model.n_neurons)
        self.first_sweep = 0
        self.is_continued = isinstance(start, xr.Dataset)
        if self.is_continued:
            shape = self.shape if self.several else self.shape[1:]
            start, self.first_sweep, seed = _continued(start, seed, shape)
        self.sweeps = self.first_sweep
        self.seed = (0,) if seed is None else randomness.words_of(seed)
        self.at(rule)
        self.spins = _started(model, start, self.stream, self.shape)
        self.memory, self._kept_by = model.memory(self.spins), model
        self.flips = np.zeros(len(self.spins), np.int64)  # since the last look
        self.observe = _default(model, n_replicas) if observe is None else tuple(observe)
        names = {function.__name__: function.__doc__ for function in self.observe}
        self.long_names = {name: text.splitlines()[0] for name, text in names.items()}
        self.long_names["acceptance"] = "Fraction of attempted flips that were accepted"
        self.seen = {name: [] for name in self.long_names}
        self._checkpoint, self._begun, self._kept, self._piece = None, None, None, 1
        self._looked()  # an observable that does not suit complains before the work starts

    @property
    def samples(self) -> int:
        """How often this run has looked."""
        return len(self.seen["acceptance"])

    def at(self, rule: Rule) -> None:
        """Go on by this rule, with as many temperatures as before."""
        self.rule = rule
        self.noise = dynamics.noise(rule, self.shape[1])
        self.stream = dynamics.stream(self.model, rule, self.shape[1], self.seed)

    def keep_in(self, checkpoint: Checkpoint | None, protocol: Mapping[str, object]) -> None:
        """Keep the state there, and go on from what is there if it is a state of this very run.

        protocol: whatever determines the run beside model, rule, start and seed.
        """
        if checkpoint is None:
            return
        self._checkpoint = checkpoint
        self._begun = self.rule, self.spins.copy(), protocol
        if checkpoint.file.exists():  # a short run is spared what makes its identity
            found = checkpoint.load(self._identity)
            if found is not None:
                self.restore(found)
                self._kept = self.sweeps, self.samples

    @functools.cached_property
    def _identity(self) -> dict[str, object]:
        """Whatever determines this run.

        (Kept by no closure over the run: such a circle would hold network after network in memory.)
        """
        rule, start, protocol = self._begun
        return {
            "network": fingerprint(self.model, start),
            "rule": [type(rule).__name__, rule.order, rule.kind],
            "temperature": dynamics.temperatures(rule).tolist(),
            "lanes": [int(size) for size in self.shape],
            "seed": list(self.seed),
            "stream_version": STREAM_VERSION,
            "first_sweep": self.first_sweep,
            "observe": [function.__name__ for function in self.observe],
            **protocol,
        }

    def state(self) -> dict[str, np.ndarray]:
        """Everything that changes, as arrays."""
        seen = {f"seen {name}": np.stack(values) for name, values in self.seen.items() if values}
        return {"spins": self.spins, "flips": self.flips, "sweeps": np.array(self.sweeps), **seen}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Be in that state."""
        self.spins[...], self.flips[...] = state["spins"], state["flips"]
        self.sweeps = int(state["sweeps"])
        self.seen = {name: list(state.get(f"seen {name}", ())) for name in self.seen}
        self.memory, self._kept_by = self.model.memory(self.spins), self.model

    def save(self, at_once: bool = False) -> None:
        """Save the state, if that is due; to be called where all of it belongs to one moment."""
        if self._checkpoint is not None and (at_once or self._checkpoint.due()):
            self._checkpoint.save(self._identity, self.state())
            self._kept = self.sweeps, self.samples

    def finish(self) -> None:
        """Keep the end of a run that others follow, so that it is not computed again with them."""
        is_kept = self._kept == (self.sweeps, self.samples)
        if self._checkpoint is not None and self._checkpoint.is_part and not is_kept:
            self.save(at_once=True)

    def advance(self, until: int, counted: bool = False, model: Model | None = None) -> None:
        """Sweep until so many sweeps are done; count the flips if asked to.

        model: what moves the spins, instead of the model that is looked at.
        """
        while self.sweeps < until:
            self._hold(model or self.model)
            n_sweeps = until - self.sweeps
            if self._checkpoint is not None:
                n_sweeps = min(n_sweeps, self._piece)
            began = time.monotonic()
            flips = self._kept_by.sweep(
                self.spins, self.memory, self.noise, self.stream, self.sweeps, n_sweeps
            )
            self.sweeps += n_sweeps
            if counted:
                self.flips += flips
            if self._checkpoint is not None and self.sweeps < until:
                seconds = time.monotonic() - began
                if seconds < _PIECE:
                    self._piece *= 2
                elif seconds > 4 * _PIECE:
                    self._piece = max(1, self._piece // 2)
                self.save()

    def measure(self, schedule: Schedule, after: int = 0, warm: Model | None = None) -> None:
        """Follow a schedule that begins `after` so many sweeps and looks of this run.

        What is done already is not done again. warm: what moves the spins during the warm-up,
        instead of the model.
        """
        looked = self.samples - after // schedule.sweeps * schedule.samples
        begin = self.first_sweep + after + schedule.warmup
        self.advance(begin, model=warm)
        for sample in range(looked, schedule.samples):
            self.advance(begin + (sample + 1) * schedule.every, counted=True)
            self.look()
            self.save()

    def look(self) -> None:
        """See every observable at the present state."""
        for name, values in self._looked().items():
            self.seen[name].append(values)
        self.seen["acceptance"].append(self.flips.reshape(self.shape[:2]).copy())
        self.flips[...] = 0

    def dataset(
        self,
        rule: Rule,
        schedule: Schedule,
        keep_spins: bool,
        settings: Mapping[str, object] | None = None,
    ) -> xr.Dataset:
        """What was seen, labelled.

        rule: with all temperatures. If the run has gone through them one after another, with the
        schedule at each, they are told apart by time here.
        settings: what else to record beside order and schedule.
        """
        n_temperatures, several = len(dynamics.temperatures(rule)), np.ndim(rule.temperature) == 1
        variables = {}
        for name, long_name in self.long_names.items():
            values = np.stack(self.seen[name])
            if len(values) > schedule.samples:
                values = values.reshape(n_temperatures, schedule.samples, *values.shape[2:])
                values = values.swapaxes(0, 1)
            if name == "acceptance":
                values = values / (schedule.every * self.model.n_neurons)
            inner = ("pattern",) if values.ndim == 4 else ()
            variables[name] = labelled(
                ("temperature", "replica", "sample", *inner), np.moveaxis(values, 0, 2), long_name
            )
            if not several:
                variables[name] = variables[name].isel(temperature=0)
        if keep_spins:
            dims = ("temperature", "replica", "neuron")
            spins = labelled(dims, self.spins.reshape(self.shape), "Spins at the end of the run")
            variables["spins"] = spins if self.several else spins.isel(temperature=0)
        settings = {"order": rule.order, "schedule": asdict(schedule), **(settings or {})}
        n_replicas = self.shape[1]
        return xr.Dataset(
            variables,
            coords=_coordinates(self.model, rule, schedule, n_replicas, self.first_sweep),
            attrs={
                "title": f"{type(self.model).__name__} network, {type(rule).__name__} dynamics",
                "settings": json.dumps(settings, sort_keys=True),
                "seed": json.dumps(self.seed if len(self.seed) > 1 else self.seed[0]),
                "stream_version": STREAM_VERSION,
                "sweeps": self.sweeps,
            },
        )

    def _hold(self, model: Model) -> None:
        """Let the memory be that of this model."""
        if self._kept_by is not model:
            self.memory, self._kept_by = model.memory(self.spins), model

    def _looked(self) -> dict[str, np.ndarray]:
        """Every observable at the present state: arrays (temperature, replica, ...)."""
        self._hold(self.model)
        now = self.spins.reshape(self.shape).astype(np.float32)
        kept = self.memory.reshape(*self.shape[:2], -1).astype(np.int64)
        return {
            function.__name__: np.asarray(function(self.model, now, kept))
            for function in self.observe
        }


def labelled(dims, values, long_name: str) -> xr.Variable:
    """A variable with its name; all are pure numbers in units of J."""
    return xr.Variable(dims, values, {"long_name": long_name, "units": "1"})


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
    sweep = first_sweep + schedule.warmup + schedule.every * np.arange(1, schedule.samples + 1)
    groups = ("temperature",) if np.ndim(rule.temperature) else ()
    temperature = np.asarray(rule.temperature, float)
    coordinates = {
        "replica": labelled("replica", np.arange(n_replicas), "Replica"),
        "sample": labelled("sample", np.arange(schedule.samples), "Sample"),
        "sweep": labelled("sample", sweep, "Sweeps done"),
        "n_neurons": labelled((), model.n_neurons, "Number of neurons N"),
        "temperature": labelled(groups, temperature, "Temperature T in units of J"),
    }
    if model.n_patterns:
        alpha = model.n_patterns / model.n_neurons
        coordinates["n_patterns"] = labelled((), model.n_patterns, "Number of patterns P")
        coordinates["alpha"] = labelled((), alpha, "Load alpha = P / N")
    return coordinates
