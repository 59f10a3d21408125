"""Thermal dynamics of continuous states: samples of exp(-E(x)/T) in R^d and on a sphere.

For the models of `models.continuous`. This is not `simulation`, whose rules are thresholds for the
flip of a spin, whose fields are integers and whose trajectories are the same bit for bit on every
device: states here are real vectors that move as a whole, and the temperature scales a step.

==============  ==================================================  ================================
rule            proposal, v ~ N(0, T) anew at each step             accepted with probability
==============  ==================================================  ================================
`RandomWalk`    x flows freely with velocity v for a time `step`    min(1, exp(-(E' - E)/T))
`Langevin`      v -= (step/2) grad E before and after that flow     min(1, exp(-(H' - H)/T)),
                                                                    H = E + |v|^2/2
==============  ==================================================  ================================

Free flow is a straight line in R^d and a great circle on the sphere |x| = radius, where v and the
gradient are tangent. The flow and the kicks are reversible and keep volumes, so that both rules
have exactly the law exp(-E/T), whatever the step. In R^d `Langevin` is the Metropolis-adjusted
Langevin algorithm, x' = x - (step^2/2) grad E + step sqrt(T) z.

Temperatures and replicas are lanes of one batch: each step is one pass over the patterns for all of
them. A lane's steps depend on (seed, d, M, its temperature, its replica number, step number) alone:
draws are counter-based and its step size is adapted to its own acceptance. With other lanes beside
it only the rounding of matrix products may differ (in the last bits, as on other processors): the
trajectory is the same up to rounding as long as no acceptance is decided by less than that.

Sources: N. Metropolis et al., J. Chem. Phys. 21 (1953) 1087; G. Roberts, R. Tweedie, Bernoulli 2
(1996) 341; R. Neal, Handbook of Markov Chain Monte Carlo (2011), ch. 5; on the sphere S. Byrne,
M. Girolami, Scand. J. Stat. 40 (2013) 825.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

import numpy as np
import xarray as xr

from hopfield_sim import device, randomness
from hopfield_sim.langevin_rules import Langevin, RandomWalk, Rule
from hopfield_sim.models.continuous import Continuous
from hopfield_sim.randomness import DYNAMICS, START, STREAM_VERSION, Seed
from hopfield_sim.simulation import Schedule, labelled

__all__ = [
    "Langevin",
    "RandomWalk",
    "best_other_overlap",
    "energy",
    "leapfrog",
    "overlap",
    "replica_overlap",
    "sampled",
    "square_length",
]

Observable = Callable[[Continuous, np.ndarray, np.ndarray], np.ndarray]

_FEWEST_ADAPTED = 20  # steps of a warm-up in which a step size can be found
_FADING = 0.6  # power by which an adaptation learns less and less: between 1/2 and 1
_BLOCKS_AT_ONCE = 2**14  # random numbers that are drawn together: some MB
_PATTERNS_AT_ONCE = 4096
_SHORTEST = float(np.finfo(np.float32).tiny)  # for a vector of zeros, which is like no other


def sampled(
    model: Continuous,
    rule: Rule,
    start: np.ndarray | str,
    schedule: Schedule | None = None,
    n_replicas: int = 2,
    seed: Seed = 0,
    observe: Sequence[Observable] | None = None,
    keep_states: bool = False,
) -> xr.Dataset:
    """Sample independent chains of one network by the law exp(-E/T).

    model, rule, schedule: what moves, how, and when to look; the sweeps of the schedule are steps
        (`Schedule()` if none is given).
    start: states (dimension,), (replica, dimension) or (temperature, replica, dimension); or
        "random", uniform directions of the length of the patterns (root mean square; on a sphere
        its radius). On the sphere a start is scaled to the radius.
    n_replicas: chains a temperature, independent of each other.
    seed: integer or (seed, coordinates of the disorder ...).
    observe: functions (model, states (..., replica, dimension), energies (..., replica)) ->
        (..., replica), the first line of whose docstring becomes the `long_name`; default: overlap,
        energy, best_other_overlap from two patterns on, replica_overlap from two replicas on, and
        in R^d square_length.
    keep_states: also keep the final states, float64 ([temperature,] replica, component).

    Returns a Dataset with dims (replica, sample), or (temperature, replica, sample) where the rule
    has several temperatures; `acceptance` is the fraction of accepted steps since the sample
    before, `step` ([temperature,] replica) the step size, frozen after the warm-up. The coordinate
    `sweep` counts the steps done; scalar coordinates dimension, n_patterns, alpha = ln M/d and
    (one temperature) temperature.

    Raises ValueError for input that does not fit: starts of another shape, with NaN, without a
    direction or of infinite energy, a warm-up too short to find a step, and a sphere in one
    dimension; TypeError for networks and rules of spins.
    """
    schedule = schedule or Schedule()
    if not isinstance(model, Continuous):
        raise TypeError(
            f"{type(model).__name__} has no continuous states; networks of spins are sampled by "
            "simulate(model, rule, ...)."
        )
    if not isinstance(rule, Rule):
        raise TypeError(
            f"{type(rule).__name__} is a rule for spins; continuous states move by "
            "langevin.Langevin(temperature) or langevin.RandomWalk(temperature)."
        )
    if isinstance(n_replicas, bool) or not isinstance(n_replicas, int | np.integer):
        raise ValueError(f"n_replicas={n_replicas!r} is not possible; give an integer.")
    if n_replicas < 1:
        raise ValueError(f"n_replicas={n_replicas!r} is not possible; at least one is needed.")
    if rule.step is None and schedule.warmup < _FEWEST_ADAPTED:
        raise ValueError(
            f"a warm-up of {schedule.warmup} steps is too short to find a step size; give "
            f"Schedule(warmup={_FEWEST_ADAPTED}, ...) or more, or the rule a step."
        )
    if model.radius is not None and model.dimension == 1:
        raise ValueError(
            "a sphere in one dimension is two points, with no path from one to the other; give "
            "patterns of dimension 2 or more, or take states in R^d (radius=None)."
        )
    chains = _Chains(model, rule, start, n_replicas, randomness.words_of(seed))
    functions = _default(model, n_replicas) if observe is None else tuple(observe)
    for function in functions:  # one that does not suit complains before the work starts
        function(model, chains.states.reshape(chains.shape), chains.energy.reshape(chains.lanes))
    chains.advance(schedule.warmup, adapt=rule.step is None)
    seen = {function.__name__: [] for function in functions} | {"acceptance": []}
    for _ in range(schedule.samples):
        accepted = chains.advance(schedule.every)
        states, energy = chains.states.reshape(chains.shape), chains.energy.reshape(chains.lanes)
        for function in functions:
            seen[function.__name__].append(_in_memory(function(model, states, energy)))
        seen["acceptance"].append(accepted.reshape(chains.lanes) / schedule.every)
    long_names = {function.__name__: function.__doc__.splitlines()[0] for function in functions}
    long_names["acceptance"] = "Fraction of accepted steps"
    lanes = ("temperature", "replica")
    variables = {
        name: labelled((*lanes, "sample"), np.stack(values, axis=-1), long_names[name])
        for name, values in seen.items()
    }
    variables["step"] = labelled(lanes, chains.step.reshape(chains.lanes), "Time of a step")
    if keep_states:
        states = _in_memory(chains.states).reshape(chains.shape)
        variables["states"] = labelled((*lanes, "component"), states, "States at the end")
    if not np.ndim(rule.temperature):
        variables = {name: values.isel(temperature=0) for name, values in variables.items()}
    return xr.Dataset(
        variables,
        coords=_coordinates(model, rule, schedule, n_replicas),
        attrs={
            "title": f"{type(model).__name__} network, {type(rule).__name__} dynamics",
            "settings": json.dumps(
                {"acceptance": rule.acceptance, "step": rule.step, "schedule": asdict(schedule)},
                sort_keys=True,
            ),
            "seed": json.dumps(chains.seed if len(chains.seed) > 1 else chains.seed[0]),
            "stream_version": STREAM_VERSION,
            "sweeps": schedule.sweeps,
        },
    )


def leapfrog(
    model: Continuous,
    states: np.ndarray,
    velocities: np.ndarray,
    step: float | np.ndarray,
    gradient: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """v -= (step/2) grad E(x); x flows freely with v for a time `step`; v -= (step/2) grad E(x).

    With -v' and x' in place of v and x it leads back, to rounding.

    states, velocities: (lane, dimension), on the sphere of the model tangent to each other. step:
    (lane,) or a number. gradient: that of the energy at the states, on the sphere its tangent part;
    computed where it is not given.
    Returns states, velocities, energies (lane,) and gradient after the step.
    """
    xp = device.module(states)
    time = xp.asarray(step)[..., None]
    if gradient is None:
        gradient = _slope(model, states)[1]
    moved, velocities = _flown(model, states, velocities - time / 2 * gradient, time)
    energy, gradient = _slope(model, moved)
    return moved, velocities - time / 2 * gradient, energy, gradient


def overlap(model: Continuous, states: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Overlap with the first pattern, m = x . xi^0 / (|x| |xi^0|)

    Returns float64 (..., replica).
    """
    return _directions(states) @ _directions(model.patterns[:1].astype(float))[0]


def best_other_overlap(model: Continuous, states: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Largest overlap with another pattern, max over mu > 0 of x . xi^mu / (|x| |xi^mu|)

    Returns float64 (..., replica). Raises ValueError for a single pattern.
    """
    if model.n_patterns < 2:
        raise ValueError("best_other_overlap needs at least two patterns.")
    xp = device.module(states)
    directions = _directions(states).reshape(-1, model.dimension).astype(model.patterns.dtype)
    best = xp.full(len(directions), -np.inf)
    for first in range(1, model.n_patterns, _PATTERNS_AT_ONCE):
        some = model.patterns[first : first + _PATTERNS_AT_ONCE]
        length = _length(some)
        best = xp.maximum(best, (directions @ some.T / length).max(axis=1))
    return best.reshape(states.shape[:-1])


def energy(model: Continuous, states: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Energy per dimension, E / d

    Returns float64 (..., replica).
    """
    return energies / model.dimension


def replica_overlap(model: Continuous, states: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Overlap of two replicas, q12 = x^a . x^b / (|x^a| |x^b|)

    Replica a and a + 1 (the last with the first), at equal temperature and patterns. Returns
    float64 (..., replica). Raises ValueError for a single replica.
    """
    if states.shape[-2] < 2:
        raise ValueError("replica_overlap compares two replicas; run at least n_replicas=2.")
    xp = device.module(states)
    directions = _directions(states)
    return xp.sum(directions * xp.roll(directions, -1, axis=-2), axis=-1)


def square_length(model: Continuous, states: np.ndarray, energies: np.ndarray) -> np.ndarray:
    """Squared length per dimension, |x|^2 / d

    Returns float64 (..., replica).
    """
    return device.module(states).sum(states**2, axis=-1) / model.dimension


class _Chains:
    """All lanes on their way: (temperature, replica), replica fastest."""

    def __init__(self, model, rule, start, n_replicas, seed):
        self.model, self.rule, self.seed = model, rule, seed
        temperatures = np.atleast_1d(np.asarray(rule.temperature, float))
        self.lanes = (len(temperatures), n_replicas)
        self.shape = (*self.lanes, model.dimension)
        self.key = randomness.key(seed, model.dimension, model.n_patterns)
        self.words = randomness.lane_words(temperatures, n_replicas)
        self.temperature = np.repeat(temperatures, n_replicas)
        self.states = self._started(start)
        self.energy, self.gradient = self._looked(self.states)
        if not bool(device.module(self.states).isfinite(self.energy).all()):
            raise ValueError(
                "the energy of the start is infinite: no pattern is active there (Epanechnikov "
                "with floor = 0); start nearer to a pattern, or give the model a floor."
            )
        given = rule.guess(model.dimension) if rule.step is None else np.asarray(rule.step, float)
        self.step = np.repeat(np.broadcast_to(given, len(temperatures)), n_replicas).astype(float)
        self.longest = np.inf
        if model.radius is not None:  # a quarter of a great circle, where any step is accepted
            speed = np.sqrt(self.temperature * max(model.dimension - 1, 1))
            self.longest = np.pi / 2 * model.radius / speed
        self.done = 0

    def advance(self, n_steps: int, adapt: bool = False) -> np.ndarray:
        """Move by so many steps; returns how many each lane accepted, (lane,).

        adapt: ln(step) += n^(-0.6) (probability of acceptance - what is aimed at) after the n-th
        step, on the sphere up to a quarter of a great circle, and in the end the mean over the
        second half of them (Robbins and Monro; Polyak).
        """
        accepted = np.zeros(len(self.step), int)
        logarithms = []
        for number, (normals, log_uniform) in enumerate(self._draws(n_steps), start=1):
            log_probability = self._proposed(normals)
            probability = np.exp(np.minimum(log_probability, 0))
            accepted += self._decide(log_uniform < log_probability)
            if adapt:
                aim = probability - self.rule.acceptance
                longer = self.step * np.exp(aim / number**_FADING)
                self.step = np.minimum(longer, self.longest)
                if number > n_steps // 2:
                    logarithms.append(np.log(self.step))
        if adapt:
            self.step = np.exp(np.mean(logarithms, axis=0))
        return accepted

    def _proposed(self, normals):
        """A move of each lane is made ready; returns ln of its weight, (lane,): -inf for none."""
        xp = device.module(self.states)
        velocities = xp.asarray(normals * np.sqrt(self.temperature)[:, None])
        velocities = _tangent(self.model, self.states, velocities)
        step = xp.asarray(self.step)
        before, after = self.energy, None
        if self.rule.kicked:
            moved, after, *rest = leapfrog(self.model, self.states, velocities, step, self.gradient)
            before = before + xp.sum(velocities**2, axis=1) / 2
            cost = rest[0] + xp.sum(after**2, axis=1) / 2 - before
        else:
            moved, _ = _flown(self.model, self.states, velocities, step[:, None])
            rest = self._looked(moved)
            cost = rest[0] - before
        self._proposal = moved, *rest
        log_weight = -_in_memory(cost).astype(float) / self.temperature
        return np.where(np.isnan(log_weight), -np.inf, log_weight)  # kicked where E is infinite

    def _decide(self, accepted):
        """Take the proposal where it is accepted; returns where, (lane,)."""
        xp = device.module(self.states)
        taken = xp.asarray(accepted)
        states, energies, gradient = self._proposal
        self.states = xp.where(taken[:, None], states, self.states)
        self.energy = xp.where(taken, energies, self.energy)
        if gradient is not None:
            self.gradient = xp.where(taken[:, None], gradient, self.gradient)
        return accepted

    def _looked(self, states):
        """Energies, and their gradient if the rule needs it."""
        if self.rule.kicked:
            return _slope(self.model, states)
        return self.model.energy(states), None

    def _draws(self, n_steps):
        """For each step standard normal numbers (lane, dimension) and ln of a uniform one (lane,).

        Step k has the blocks k B ... (k + 1) B - 1 of its lane, B = ceil(d/4) + 1, of which the
        last is for the decision.
        """
        d = self.model.dimension
        blocks = randomness.blocks_per_sweep(d) + 1
        together = max(1, _BLOCKS_AT_ONCE // (blocks * len(self.words)))
        for first in range(0, n_steps, together):
            number = min(together, n_steps - first)
            words = randomness.words(
                self.key, DYNAMICS, self.words, self.done * blocks, number * blocks
            ).reshape(len(self.words), number, 4 * blocks)
            normals = randomness.normals(words[..., :-4])[..., :d]
            log_uniform = np.log((words[..., -4] + 0.5) * 2.0**-32)
            self.done += number
            for k in range(number):
                yield normals[:, k], log_uniform[:, k]

    def _started(self, start):
        """The start as states (lane, dimension) where the patterns are, an array of its own."""
        model = self.model
        xp = device.module(model.patterns)
        if isinstance(start, str):
            if start != "random":
                raise ValueError(f"start={start!r} is unknown; give states or 'random'.")
            n_blocks = randomness.blocks_per_sweep(model.dimension)
            words = randomness.words(self.key, START, self.words, 0, n_blocks)
            states = xp.asarray(randomness.normals(words)[:, : model.dimension])
            length = model.radius or float(xp.sqrt((model.patterns**2).sum(axis=1).mean()))
            return states * (length / xp.linalg.norm(states, axis=1, keepdims=True))
        states = xp.asarray(start, float)
        try:
            states = xp.broadcast_to(states, self.shape).reshape(-1, model.dimension).copy()
        except ValueError:
            raise ValueError(
                f"start has shape {states.shape}, but this run has (temperature, replica, "
                f"dimension) = {self.shape}; give (dimension,), (replica, dimension) or all three."
            ) from None
        if not bool(xp.isfinite(states).all()):
            raise ValueError("start contains NaN or infinity.")
        if model.radius is None:
            return states
        length = xp.linalg.norm(states, axis=1, keepdims=True)
        if not bool((length > 0).all()):
            raise ValueError("start contains 0, which has no direction on the sphere.")
        return states * (model.radius / length)


def _slope(model, states):
    """E (lane,) and its gradient (lane, dimension), on the sphere the tangent part of it."""
    energies, gradient = model.energy_and_gradient(states)
    return energies, _tangent(model, states, gradient)


def _tangent(model, states, vectors):
    if model.radius is None:
        return vectors
    xp = device.module(states)
    along = xp.sum(states * vectors, axis=1, keepdims=True)
    return vectors - states * (along / model.radius**2)


def _flown(model, states, velocities, time):
    """Free flow for a time (lane, 1): a straight line, or a great circle."""
    if model.radius is None:
        return states + time * velocities, velocities
    xp = device.module(states)
    speed = xp.linalg.norm(velocities, axis=1, keepdims=True)
    angle = speed * time / model.radius
    cosine = xp.cos(angle)
    moved = states * cosine + velocities * (time * xp.sinc(angle / np.pi))
    turned = velocities * cosine - states * (speed / model.radius * xp.sin(angle))
    moved *= model.radius / xp.linalg.norm(moved, axis=1, keepdims=True)  # no drift by rounding
    return moved, _tangent(model, moved, turned)


def _directions(states):
    return states / _length(states)[..., None]


def _length(states):
    """|x|, and a number > 0 for x = 0, whose overlaps are 0."""
    xp = device.module(states)
    return xp.maximum(xp.linalg.norm(states, axis=-1), _SHORTEST)


def _default(model, n_replicas):
    chosen = [overlap, energy]
    if model.n_patterns > 1:
        chosen.append(best_other_overlap)
    if n_replicas > 1:
        chosen.append(replica_overlap)
    if model.radius is None:
        chosen.append(square_length)
    return tuple(chosen)


def _coordinates(model, rule, schedule, n_replicas):
    sweep = schedule.warmup + schedule.every * np.arange(1, schedule.samples + 1)
    groups = ("temperature",) if np.ndim(rule.temperature) else ()
    temperature = np.asarray(rule.temperature, float)
    alpha = np.log(model.n_patterns) / model.dimension
    return {
        "replica": labelled("replica", np.arange(n_replicas), "Replica"),
        "sample": labelled("sample", np.arange(schedule.samples), "Sample"),
        "sweep": labelled("sample", sweep, "Steps done"),
        "dimension": labelled((), model.dimension, "Dimension d"),
        "n_patterns": labelled((), model.n_patterns, "Number of patterns M"),
        "alpha": labelled((), alpha, "Load alpha = ln M / d"),
        "temperature": labelled(groups, temperature, "Temperature T"),
    }


def _in_memory(array):
    return array.get() if hasattr(array, "get") else array
