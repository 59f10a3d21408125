"""How many patterns a dense network holds: errors of the first update against their exact formula.

Simulated, first: networks of N neurons with K random patterns and F(S) = S^n ("full"),
max(S, 0)^n ("rectified") or the sum over n-tuples of different sites ("distinct"), n = 2, 3, 4,
each neuron of stored patterns updated once: the fraction P_err that turns wrong. Second: the
exponential network F(S) = exp(S) with K = exp(alpha N) patterns, up to e^450, whose noise is drawn
from the numbers of patterns at each overlap, started in a pattern and at the overlap 0.8 with one.
Drawn: P_err against K with the exact formula of a finite network and the Gaussian one; the relative
difference from the exact formula; K_max(N), at which P_err is 0.5 %, with the exact and the
asymptotic K_max ~ N^(n-1); P_err of the exponential network against alpha = ln K / N at several
sizes with the typical threshold and the proven one for all patterns; and the loads alpha_1/4(N) at
which P_err is 1/4 with their extrapolation to N = infinity. Printed: exponents of K_max(N), the
thresholds, and a verdict of P_err against the exact formula.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import (
    Options,
    all_computed,
    at_least,
    ended,
    plan,
    saved,
    started,
    timed_cell,
)

_KINDS = ("full", "rectified", "distinct")
_FEWEST_PATTERNS = 20  # fewer are whole numbers too far apart for a load
_FEWEST_WRONG = 50  # expected errors in all networks; below, their fraction is far from Gaussian
_BIT_ERROR = 0.005  # P_err that defines K_max


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/dense_capacity")
    """Folder of two Zarr stores, one for each kind of network. Found again, they are resumed."""
    figure: Path = Path("figures/dense_capacity.png")
    realisations: int = 16
    """Independent sets of networks (or of noises) of each point; the error bars come from them."""
    n_neurons: tuple[int, ...] = (32, 64, 128, 256, 512, 1024, 2048)
    """Neurons N of networks held as patterns."""
    interaction: tuple[int, ...] = (2, 3, 4)
    """Orders n of F."""
    reduced_load: tuple[float, ...] = (0.08, 0.1, 0.12, 0.14, 0.16, 0.2, 0.3, 0.5)
    """Loads A as the variance of the noise over the squared signal, N -> infinity:
    P_err -> Phi(-1/sqrt(A))."""
    entries: float = 1.6e7
    """Networks with more than so many entries N K of their patterns are left out."""
    updates: int = 3072
    """Neurons that are updated at each point in a realisation: in so many, over N, patterns of a
    network, and in as many networks as that takes."""
    exponential_n_neurons: tuple[int, ...] = (40, 80, 160, 320, 640)
    """Sizes N of the exponential network."""
    start_overlap: tuple[float, ...] = (1.0, 0.8)
    """Overlaps x0 of its cues; (1 - x0) N/2 must be a whole number at every size."""
    excess: tuple[float, ...] = tuple(map(float, range(-10, 19)))
    """ln K of the exponential network minus N times its threshold in theory, which says only where
    to look."""
    samples: int = 1000
    """Noises of each size, overlap and load of the exponential network in a realisation."""


def cell(settings: Settings, seed, kind: str, interaction: int, n_neurons: int, reduced_load):
    """Some networks at each load: the fraction of wrong neurons, Dataset over (reduced_load).

    Errors come in clusters, as two patterns that are close disturb each other at many neurons: only
    the scatter over realisations gives their error bar, which is up to twice that of independent
    neurons.
    """
    import xarray as xr

    from hopfield_sim import Dense, number_of_patterns, patterns

    error = np.full(len(reduced_load), np.nan)
    numbers = np.zeros(len(reduced_load))
    for place, load in enumerate(reduced_load):
        number = number_of_patterns(n_neurons, interaction, kind, reduced_load=load)
        if number < _FEWEST_PATTERNS or number * n_neurons > settings.entries:
            continue
        tried = min(number, max(1, settings.updates // n_neurons))
        wrong = []
        for network in range(max(1, settings.updates // (tried * n_neurons))):
            # networks of different kinds are to be independent also where they have equal K
            own = (*seed, _KINDS.index(kind), interaction, network)
            xi = patterns.random(number, n_neurons, own)
            signs = np.sign(xi[:tried] * Dense(xi, interaction, kind).field(xi[:tried]))
            wrong.append((1 - signs).mean() / 2)  # a field of zero is half an error
        error[place] = np.mean(wrong)
        numbers[place] = number
    described = "Fraction of the neurons of stored patterns that are wrong after their update"
    return xr.Dataset(
        {
            "error": ("reduced_load", error, {"long_name": described, "units": "1"}),
            "n_patterns": (
                "reduced_load",
                numbers,
                {"long_name": "Number of patterns K, 0 where not simulated", "units": "1"},
            ),
        }
    )


def exponential_cell(settings: Settings, seed, n_neurons: int, start_overlap: float, excess):
    """Some noises of the exponential network: P_err, Dataset over (excess)."""
    import xarray as xr

    from hopfield_sim import random_energies

    flipped = round((1 - start_overlap) * n_neurons / 2)
    error = [
        random_energies.wrong_fraction(n_neurons, log, settings.samples, seed, flipped).mean()
        for log in log_numbers(n_neurons, start_overlap, excess)
    ]
    described = "Fraction of the neurons of the cue that are wrong after their update"
    return xr.Dataset({"error": ("excess", error, {"long_name": described, "units": "1"})})


def log_numbers(n_neurons: int, start_overlap: float, excess) -> np.ndarray:
    """ln K at a distance from the threshold in theory: (excess,)."""
    from hopfield_sim import theory

    return n_neurons * float(theory.exponential.typical(start_overlap).alpha) + np.asarray(excess)


def sweeps(settings: Settings) -> dict:
    """Name of the store -> sweep."""
    from hopfield_sim import Sweep

    checked(settings)
    return {
        "update": Sweep(
            partial(cell, settings),
            {
                "kind": _KINDS,
                "interaction": np.unique(settings.interaction),
                "n_neurons": np.unique(settings.n_neurons),
                "reduced_load": np.unique(settings.reduced_load),
            },
            lanes=("reduced_load",),
            realisations=settings.realisations,
            seed=settings.seed,
            title="First update of dense networks",
            settings={name: getattr(settings, name) for name in ("entries", "updates")},
        ),
        "exponential": Sweep(
            partial(exponential_cell, settings),
            {
                "n_neurons": np.unique(settings.exponential_n_neurons),
                "start_overlap": np.unique(settings.start_overlap),
                "excess": np.unique(settings.excess),
            },
            lanes=("excess",),
            realisations=settings.realisations,
            seed=settings.seed,
            title="First update of exponential networks",
            settings={"samples": settings.samples},
        ),
    }


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import device, number_of_patterns

    device.resolve(settings.device)
    at_least(settings, updates=1, samples=1, entries=1)
    for order in settings.interaction:
        for n_neurons in settings.n_neurons:
            number_of_patterns(n_neurons, order, n_patterns=1)
    for load in settings.reduced_load:
        number_of_patterns(10**6, 4, reduced_load=load)
    for size in settings.exponential_n_neurons:
        for x0 in settings.start_overlap:
            flipped = (1 - x0) * size / 2
            if not 0 < x0 <= 1 or abs(flipped - round(flipped)) > 1e-6:
                raise ValueError(
                    f"--start-overlap {x0}: (1 - x0) N/2 must be a whole number below N/2 at every "
                    f"size, which it is not at N = {size}."
                )
            if min(log_numbers(size, x0, settings.excess)) < np.log(_FEWEST_PATTERNS):
                raise ValueError(
                    f"--excess {min(settings.excess)}: fewer than {_FEWEST_PATTERNS} patterns at "
                    f"N = {size}, x0 = {x0}; raise it, or the sizes."
                )


def main(settings: Settings) -> None:
    each = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings))
        return
    found = all_computed(each, settings)
    report(found["update"], found["exponential"], settings)


def report(update, exponential, settings: Settings) -> None:
    """Tables, verdict and figure of finished stores."""
    from analysis import comparison, dense_capacity, dense_capacity_figure

    predicted = dense_capacity.predicted(update)
    scores = comparison.z_scores(update.error, predicted.exact)
    capacity = dense_capacity.capacities(update, predicted, _BIT_ERROR)
    print(f"K_max(N) where P_err = {100 * _BIT_ERROR:g} %, and its exponent:")
    print(dense_capacity.exponent_table(capacity))
    loads = dense_capacity.quarter_loads(exponential)
    print(dense_capacity.threshold_table(loads, dense_capacity.crossings(exponential)))
    figure = dense_capacity_figure.drawn(
        update, predicted, capacity, exponential, loads, _title(settings)
    )
    saved(figure, settings.figure)
    # at least half of `updates` neurons are updated at each point, as the networks are whole
    tried = np.maximum(settings.updates / 2, update.n_neurons) * update.sizes["realisation"]
    few = (tried * predicted.exact < _FEWEST_WRONG) & predicted.exact.notnull()
    left_out = {f"with fewer than {_FEWEST_WRONG} errors expected in all": few}
    left_out["not simulated (too many or too few patterns)"] = predicted.exact.isnull()
    rough = comparison.z_scores(update.error, predicted.gaussian)
    for name, each in (("Gaussian", rough), ("exact", scores)):
        # every cell has networks of its own
        judged = comparison.verdict(each, columns=None, reasons=left_out)
        print(f"P_err against the {name} formula: {judged}")


def _title(settings: Settings) -> str:
    return (
        f"Errors of the first update; {settings.realisations} realisations a point, "
        f"{settings.updates} neurons updated in each"
    )


def _plan(settings: Settings) -> str:
    from hopfield_sim import number_of_patterns

    sizes, loads = np.unique(settings.n_neurons), np.unique(settings.reduced_load)
    work, largest = [], 0
    for kind in _KINDS:
        for order in np.unique(settings.interaction):
            for n_neurons in sizes:
                numbers = [
                    number_of_patterns(n_neurons, order, kind, reduced_load=load) for load in loads
                ]
                held = [k for k in numbers if _FEWEST_PATTERNS <= k <= settings.entries / n_neurons]
                work.append(sum(held) * max(settings.updates, n_neurons))
                largest = max(largest, n_neurons * max(held, default=0))
    size = int(max(settings.exponential_n_neurons))
    draws = (settings.seed, 0), size, 1.0, np.unique(settings.excess)

    def run(n_samples: int) -> None:
        exponential_cell(replace(settings, samples=n_samples), *draws)

    n_exponential = len(settings.exponential_n_neurons) * len(settings.start_overlap)
    n_cells = (len(work) + n_exponential) * settings.realisations
    # 0.7 ns for each pattern of an updated neuron, measured on one core; noises are timed here
    seconds = (0.7e-9 * sum(work) + n_exponential * timed_cell(run, settings.samples)) / (
        len(work) + n_exponential
    )
    visits = settings.realisations * (
        len(work) * len(loads) * settings.updates
        + n_exponential * len(settings.excess) * settings.samples
    )
    files = f"{len(work) * settings.realisations} x 2 chunks and "
    files += f"{n_exponential * settings.realisations} x 1 in {settings.store}"
    return plan(n_cells, visits, seconds, 6.0 * largest, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
