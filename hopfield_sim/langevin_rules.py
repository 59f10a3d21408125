"""Rules by which continuous states move at temperature T: what `langevin` does with them is there.

A rule is a temperature, a step and what its warm-up aims at; `kicked` tells whether the gradient
acts on the velocity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass(frozen=True)
class Langevin:
    """Metropolis-adjusted Langevin steps: one leapfrog step with a fresh velocity, then accepted.

    temperature: T > 0 in units of the energy; a sequence gives one group of lanes a value.
    step: time of a step, a number or one for each temperature; None: found in the warm-up.
    acceptance: what the warm-up aims at, in (0, 1); 0.574 is best in high dimension (Roberts and
        Rosenthal 1998).
    Raises ValueError for T <= 0 (T = 0 is `model.retrieve`), NaN, and steps that are not positive.
    """

    temperature: float | Sequence[float]
    step: float | Sequence[float] | None = None
    acceptance: float = 0.574
    kicked: bool = field(default=True, init=False, repr=False)

    def __post_init__(self):
        _check(self)

    def guess(self, dimension: int) -> float:
        """The step that is best where E has curvature 1, as around a pattern, in high dimension."""
        return 1.65 * dimension ** (-1 / 6)


@dataclass(frozen=True)
class RandomWalk:
    """Metropolis steps: a random move of length step sqrt(T) an entry, accepted by the energy.

    temperature, step: as for `Langevin`. acceptance: 0.234 is best in high dimension (Roberts,
    Gelman and Gilks 1997). Needs no gradient, which halves the time of a step, but d times as many
    steps where `Langevin` needs d^(1/3): for an independent overlap near a pattern of a log-sum-exp
    network (lambda = 1/2, T = 0.1) 110 against 5 at d = 24 and 290 against 8 at d = 100, measured.
    """

    temperature: float | Sequence[float]
    step: float | Sequence[float] | None = None
    acceptance: float = 0.234
    kicked: bool = field(default=False, init=False, repr=False)

    def __post_init__(self):
        _check(self)

    def guess(self, dimension: int) -> float:
        """The step that is best where E has curvature 1, as around a pattern, in high dimension."""
        return 2.38 * dimension**-0.5


Rule = Langevin | RandomWalk


def _check(rule):
    """Refuse what is not possible; sequences become tuples."""
    temperature = np.asarray(rule.temperature, float)
    if temperature.ndim > 1 or not temperature.size or not np.all(np.isfinite(temperature)):
        raise ValueError(
            f"temperature={rule.temperature!r} is not possible; it must be a finite number > 0, or "
            "a sequence of such numbers."
        )
    if np.any(temperature <= 0):
        raise ValueError(
            f"temperature={rule.temperature!r} is not possible; it must be > 0. At T = 0 a state "
            "goes to a minimum of the energy: model.retrieve(cues)."
        )
    several = tuple(temperature.tolist()) if temperature.ndim else float(temperature)
    object.__setattr__(rule, "temperature", several)
    if rule.step is not None:
        step = np.asarray(rule.step, float)
        if not (np.all(np.isfinite(step)) and np.all(step > 0)):
            raise ValueError(f"step={rule.step!r} is not possible; it must be > 0.")
        if step.ndim and step.shape != temperature.shape:
            raise ValueError(
                f"step has shape {step.shape}, the temperatures {temperature.shape}; give a "
                "number, or one for each temperature."
            )
        object.__setattr__(rule, "step", tuple(step.tolist()) if step.ndim else float(step))
    if not 0 < rule.acceptance < 1:
        raise ValueError(f"acceptance={rule.acceptance!r} is not possible; it lies in (0, 1).")
