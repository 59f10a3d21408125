"""Ladders of temperatures whose neighbours exchange states: the state of parallel tempering."""

from __future__ import annotations

import json
from collections.abc import Mapping

import numpy as np
import xarray as xr

from hopfield_sim import dynamics, randomness
from hopfield_sim.simulation import Run, labelled

COUNTERS = (
    "walker",
    "is_upward",
    "is_downward",
    "began",
    "trips",
    "travelled",
    "upward",
    "downward",
    "attempts",
    "accepted",
)
"""What is counted, each an array (temperature, replica). The first six are carried by the walker
that is there: its number; whether of the two ends it saw the coldest one last (1 or 0), or the
hottest one; the sweep at which it last came to the coldest one to begin a round trip (-1: not yet);
its round trips, and the sweeps that they took. The others belong to the place: visits of walkers
from the coldest and from the hottest end; attempts to exchange with the next hotter place, and how
many of them were accepted."""

_CARRIED = 6
_BATCH = 2**16  # draws made together: few enough to stay in cache, many for few calls


def is_accepted(exponential: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Whether neighbours exchange states: -ln v > -gain, that is v < exp(gain).

    exponential: -ln v of a uniform v, float64; the draws of `randomness.exponentials` are at least
    2^-33, so that a gain of 0 is accepted with certainty. gain: (1/T_i - 1/T_j) (E_i - E_j), the
    logarithm of the ratio of the weights after and before. By sums and products alone, so that
    every machine decides alike.
    """
    return exponential + gain > 0


class Ladder(Run):
    """Lanes (temperature, replica) whose neighbours exchange states between sweeps.

    Arguments: those of `simulation.Run`, and exchange_every, in sweeps. counters: int64 (counter,
    temperature, replica), see `COUNTERS`.
    """

    def __init__(self, model, rule, start, n_replicas, seed, device, observe, exchange_every: int):
        if not isinstance(exchange_every, int | np.integer) or exchange_every < 1:
            raise ValueError(
                f"exchange_every={exchange_every!r} is not possible; it must be an integer >= 1."
            )
        self.exchange_every = int(exchange_every)
        super().__init__(model, rule, start, n_replicas, seed, device, observe)
        n_temperatures, n_replicas = self.shape[:2]
        self.counters = np.zeros((len(COUNTERS), n_temperatures, n_replicas), np.int64)
        self.counters[COUNTERS.index("walker")] = np.arange(n_temperatures)[:, None]
        self.counters[COUNTERS.index("began")] = -1
        if self.is_continued:
            self._continue(start)
        inverse = 1 / dynamics.temperatures(rule)
        self._gaps = (inverse[:-1] - inverse[1:])[:, None]
        self._lanes = np.arange(n_temperatures * n_replicas).reshape(n_temperatures, n_replicas)
        n_lanes = (n_temperatures - 1) * n_replicas
        self._blocks = min(64, max(1, _BATCH // (4 * n_lanes)))  # of four draws a lane, in a batch
        self._batch, self._draws = -1, None
        self.long_names["walker"] = "Walker: number of the temperature at which it began"
        self.seen["walker"] = []

    def _continue(self, earlier: xr.Dataset) -> None:
        known = json.loads(earlier.attrs["settings"]).get("exchange_every")
        temperatures = dynamics.temperatures(self.rule)
        if known != self.exchange_every or not np.array_equal(earlier.temperature, temperatures):
            raise ValueError(
                "only a run of parallel_tempering with the same temperatures and exchange_every "
                "is continued; otherwise start anew from run['spins'].values."
            )
        self.counters[...] = earlier["counters"].sel(counter=list(COUNTERS)).values

    def advance(self, until: int, counted: bool = False, model=None) -> None:
        """Sweep and exchange until so many sweeps are done."""
        while self.sweeps < until:
            number = self.sweeps // self.exchange_every
            stop = (number + 1) * self.exchange_every
            super().advance(min(stop, until), counted, model)
            if self.sweeps == stop:
                self.exchange(number, counted or self.is_continued)
                self.save()

    def exchange(self, number: int, counted: bool) -> None:
        """Attempt number `number`: exchange states between neighbours, and count if asked to."""
        n_replicas = self.shape[1]
        odd = number % 2
        energies = self.model.energy(self.spins, self.memory).reshape(self.shape[:2])
        gain = self._gaps[odd::2] * (energies[odd:-1:2] - energies[odd + 1 :: 2])
        accepted = is_accepted(self._exponentials(number)[odd::2], gain)
        colder = self._lanes[odd:-1:2][accepted]
        places = np.concatenate([colder, colder + n_replicas])
        sources = np.concatenate([colder + n_replicas, colder])
        self.spins[places] = self.spins[sources]
        self.memory[places] = self.memory[sources]
        carried = self.counters.reshape(len(COUNTERS), -1)[:_CARRIED]
        carried[:, places] = carried[:, sources]
        if counted:
            self._count(odd, accepted)

    def _count(self, odd: int, accepted: np.ndarray) -> None:
        _, up, down, began, trips, travelled, *_, attempts, made = self.counters
        if not up[0].all():  # somebody has arrived at the coldest place
            returned = down[0] * (began[0] >= 0)
            trips[0] += returned
            travelled[0] += returned * (self.sweeps - began[0])
            began[0] = np.where(up[0], began[0], self.sweeps)
            up[0], down[0] = 1, 0
        up[-1], down[-1] = 0, 1
        self.counters[_CARRIED : _CARRIED + 2] += self.counters[1:3]
        attempts[odd:-1:2] += 1
        made[odd:-1:2] += accepted

    def _exponentials(self, number: int) -> np.ndarray:
        """-ln v of one attempt, by the lane of the colder place: float64 (pair, replica).

        Draw k of a lane is for the attempts 2k and 2k + 1, of which its pair makes one.
        """
        batch, within = divmod(number // 2, 4 * self._blocks)
        if batch != self._batch:
            n_pairs, n_replicas = self.shape[0] - 1, self.shape[1]
            words = randomness.words(
                self.stream.key,
                randomness.EXCHANGE,
                self.stream.lanes[: n_pairs * n_replicas],  # all lanes at once
                batch * self._blocks,
                self._blocks,
            )
            draws = randomness.exponentials(words).astype(float).reshape(n_pairs * n_replicas, -1)
            self._draws = np.ascontiguousarray(draws.T).reshape(-1, n_pairs, n_replicas)
            self._batch = batch
        return self._draws[within]

    def look(self) -> None:
        """See every observable, and who is where."""
        super().look()
        self.seen["walker"].append(self.counters[COUNTERS.index("walker")].copy())

    def state(self) -> dict[str, np.ndarray]:
        """Everything that changes, as arrays."""
        return super().state() | {"counters": self.counters}

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Be in that state."""
        super().restore(state)
        self.counters[...] = state["counters"]

    def dataset(self, rule, schedule, keep_spins, settings=None) -> xr.Dataset:
        """What was seen, labelled, with the statistics of exchanges and round trips."""
        found = super().dataset(rule, schedule, keep_spins, settings)
        walker, _, _, _, trips, travelled, upward, downward, attempts, accepted = self.counters
        by_walker = np.empty_like(trips)
        np.put_along_axis(by_walker, walker, trips, axis=0)
        with np.errstate(invalid="ignore"):  # 0 / 0: nothing to take a mean of
            rate = accepted[:-1] / attempts[:-1]
            time = travelled.sum(axis=0) / trips.sum(axis=0)
            flow = upward / (upward + downward)
        statistics = {
            "exchange_rate": (("pair", "replica"), rate, "Fraction of exchanges accepted"),
            "exchange_attempts": ("pair", attempts[:-1, 0], "Attempts to exchange"),
            "round_trips": (("replica", "origin"), by_walker.T, "Round trips of each walker"),
            "round_trip_time": ("replica", time, "Mean duration of a round trip"),
            "upward": (("temperature", "replica"), flow, "Fraction that saw the coldest end last"),
            "colder": ("pair", found.temperature.values[:-1], "Temperature of the colder place"),
            "hotter": ("pair", found.temperature.values[1:], "Temperature of the hotter place"),
        }
        if keep_spins:
            dims = ("counter", "temperature", "replica")
            statistics["counters"] = (dims, self.counters, "Counts of exchanges and walkers")
        found = found.assign({name: labelled(*parts) for name, parts in statistics.items()})
        found.round_trip_time.attrs["units"] = "sweeps"
        if keep_spins:
            names = np.array(COUNTERS, object)  # Zarr has no strings of fixed length
            found = found.assign_coords(counter=labelled("counter", names, "What is counted"))
        return found.set_coords(["colder", "hotter"])
