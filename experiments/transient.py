"""Recall step by step: m(t) of synchronous zero-temperature dynamics, against its exact theory.

Simulated: networks of N neurons with P = alpha N random patterns and J_ii = 0, all neurons updated
at once, s_i <- sign(h_i), from states with exactly the overlap m0 with one pattern; several sizes.
Drawn: m(t) at the largest size with error bars over the networks, the exact functional (any number
of steps), its closed form for two steps, and the recursion of Amari and Maginu, which drops what a
neuron hears of its own past; and the fraction of starts that recall the pattern against m0, with
the basin edge that is measured and the one of Amari and Maginu. Printed: m(1) to m(6) against the
exact functional with z-scores, what is left of the differences for N -> infinity, the edges at each
size, and a verdict.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import (
    Options,
    at_least,
    computed,
    ended,
    plan,
    recorded,
    saved,
    started,
    timed_cell,
)

AXES = ("n_neurons", "alpha", "start_overlap")
_STARTS = tuple(round(0.1 + 0.025 * k, 3) for k in range(25))
_COMPARED_STEPS = 6
_DRAWN_STEPS = 12
_RECALLED = 0.8  # final overlap from which a pattern counts as recalled; lost ones end below 0.6
_FEWEST_WRONG = 10  # N x networks x replicas x (1-m)/2; below, m is a count of rare events


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/transient.zarr")
    figure: Path = Path("figures/transient.png")
    realisations: int = 24
    """Independent sets of patterns; the error bars come from them."""
    n_neurons: tuple[int, ...] = (2000, 4000, 12000)
    """Sizes N; the largest one is drawn, all of them give the trend."""
    alpha: tuple[float, ...] = (0.05, 0.1, 0.12)
    """Loads P/N; alpha N must be a whole number at every size."""
    start_overlap: tuple[float, ...] = _STARTS
    """Overlaps m0 at the start; (1 - m0) N/2 must be a whole number at every size."""
    compared: tuple[float, ...] = (0.2, 0.3, 0.4, 0.6)
    """Those of them whose m(t) is drawn and compared with theory."""
    replicas: int = 4
    """Starts with each m0 in each network."""
    steps: int = 40
    """Synchronous steps of a run; its end tells whether the pattern was recalled."""
    theory_samples: int = 100_000
    """Trajectories in each of the 12 batches of the exact functional."""


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    for n_neurons in settings.n_neurons:
        for name, counts in (
            ("alpha", [alpha * n_neurons for alpha in settings.alpha]),
            ("start-overlap", [(1 - m0) * n_neurons / 2 for m0 in settings.start_overlap]),
        ):
            if not np.allclose(counts, np.rint(counts), rtol=0, atol=1e-6):
                what = "alpha N" if name == "alpha" else "(1 - m0) N/2"
                raise ValueError(f"--{name}: {what} is not a whole number at N = {n_neurons}.")
            if min(counts) < (1 if name == "alpha" else 0) or max(counts) > 4 * n_neurons:
                raise ValueError(f"--{name}: no such network or start at N = {n_neurons}.")
    absent = sorted(set(settings.compared) - set(settings.start_overlap))
    if absent:
        numbers = " ".join(map(str, absent))
        raise ValueError(
            f"--compared {numbers}: not simulated; add it to --start-overlap, or compare others."
        )
    at_least(settings, replicas=1, steps=_DRAWN_STEPS)


def cell(
    settings: Settings,
    seed,
    n_neurons: int,
    alpha: float,
    start_overlap: np.ndarray,
    checkpoint=None,
):
    """One network, every start: Dataset over (start_overlap, step)."""
    import xarray as xr

    from hopfield_sim import Hopfield, Schedule, ZeroTemperature, observables, patterns, simulate

    xi = patterns.random(round(alpha * n_neurons), n_neurons, seed=seed)
    starts = [
        patterns.corrupt(xi[0], (*seed, round(1e6 * m0), replica), flip_fraction=(1 - m0) / 2)
        for m0 in start_overlap
        for replica in range(settings.replicas)
    ]
    run = simulate(
        Hopfield(xi),
        ZeroTemperature("parallel"),
        start=np.stack(starts),
        schedule=Schedule(warmup=0, samples=settings.steps),
        n_replicas=len(starts),
        seed=seed,
        device=settings.device,
        observe=[observables.overlap],
        checkpoint=checkpoint,
    )
    m = run.overlap.values.reshape(len(start_overlap), settings.replicas, settings.steps)
    m = np.concatenate([np.broadcast_to(start_overlap[:, None, None], (*m.shape[:2], 1)), m], 2)
    long_name = "Overlap with the pattern after `step` synchronous steps, mean over the starts"
    return xr.Dataset(
        {
            "overlap": (
                ("start_overlap", "step"),
                m[..., : _DRAWN_STEPS + 1].mean(axis=1),
                {"long_name": long_name, "units": "1"},
            ),
            "recalled": (
                "start_overlap",
                (m[..., -1] > _RECALLED).mean(axis=1),
                {"long_name": "Fraction of the starts that recall the pattern", "units": "1"},
            ),
        },
        coords={"step": np.arange(_DRAWN_STEPS + 1)},
    )


def main(settings: Settings) -> None:
    from hopfield_sim import Sweep, device

    checked(settings)
    device.resolve(settings.device)
    drawn = ("compared", "theory_samples")  # these determine no number of a cell
    sweep = Sweep(
        partial(cell, settings),
        {
            "n_neurons": np.unique(settings.n_neurons),
            "alpha": np.unique(settings.alpha),
            "start_overlap": np.unique(settings.start_overlap),
        },
        lanes=("start_overlap",),
        realisations=settings.realisations,
        seed=settings.seed,
        title="Synchronous recall in the Hopfield network",
        settings=recorded(settings, (*AXES, *drawn)),
    )
    if settings.dry_run:
        print(_plan(settings))
        return
    report(computed(sweep, settings), settings)


def report(found, settings: Settings) -> None:
    """Table, edges, verdict and figure of a finished store."""
    from analysis import comparison, transient
    from hopfield_sim import theory

    found = found.load()
    curves = found.overlap.sel(start_overlap=np.unique(settings.compared))
    grid = curves.alpha, curves.start_overlap
    exact = theory.transient.exact(*grid, _DRAWN_STEPS, samples=settings.theory_samples)
    scores = transient.scores(curves, exact)
    shown = scores.isel(n_neurons=-1).sel(step=slice(1, _COMPARED_STEPS))
    print(f"N = {int(shown.n_neurons)}, m after `step` steps against the exact functional:")
    print(comparison.table(shown, theory="m_exact"))
    edges = transient.basin_edges(found.recalled)
    print(transient.edge_table(edges))
    curves_of = {
        "exact": exact,
        "first": theory.transient.first_steps(*grid),
        "amari_maginu": theory.transient.amari_maginu(*grid, _DRAWN_STEPS),
    }
    title = (
        f"Synchronous recall at T = 0, N = {int(shown.n_neurons)}, J_ii = 0; "
        f"{found.sizes['realisation']} networks, {settings.replicas} starts each"
    )
    figure = transient.recall(scores, curves_of, found.recalled, edges, title)
    saved(figure, settings.figure)
    wrong = shown.n_neurons * found.sizes["realisation"] * settings.replicas
    left_out = {
        f"with fewer than {_FEWEST_WRONG} wrong neurons in all": (
            wrong * (1 - shown.predicted) / 2 < _FEWEST_WRONG
        )
    }
    if found.sizes["n_neurons"] > 2:
        print(_large_networks(scores, left_out))
    print(comparison.verdict(shown, reasons=left_out))


def _large_networks(scores, left_out: dict) -> str:
    """What a straight line in 1/N leaves of the differences for N -> infinity."""
    from analysis import comparison

    compared = scores.sel(step=slice(1, _COMPARED_STEPS))
    fit = comparison.finite_size(compared["difference"], compared["error"])
    (few,) = left_out.values()
    squares = ((fit.intercept / fit.intercept_error) ** 2).where(~few)
    typical = float(np.abs(fit.slope).where(~few).median())
    return (
        f"finite size: differences vary as 1/N, typically {typical:.0f}/N; for N -> infinity what "
        f"is left of them has mean z² = {float(squares.mean()):.2f} over {int(squares.count())} "
        "cells"
    )


def _plan(settings: Settings) -> str:
    n_cells = len(settings.n_neurons) * len(settings.alpha) * settings.realisations
    lanes = len(settings.start_overlap) * settings.replicas
    sizes, loads = np.array(settings.n_neurons), np.array(settings.alpha)

    def run(n_steps: int) -> None:
        longer = replace(settings, steps=max(n_steps, _DRAWN_STEPS))
        middle = float(np.median(loads)), np.array(settings.start_overlap)
        cell(longer, (settings.seed, 0), int(sizes.max()), *middle)

    visits = float(lanes * settings.steps * sizes.sum() * loads.size * settings.realisations)
    largest = int(sizes.max() * loads.max())
    memory = 14.0 * sizes.max() * largest + lanes * (5 * sizes.max() + 20 * largest)
    # a cell costs as N P, and that of the largest network is timed
    seconds = timed_cell(run, settings.steps) * float(np.mean((sizes / sizes.max()) ** 2))
    files = f"{n_cells} x 3 chunks in {settings.store}"
    return plan(n_cells, visits, seconds, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
