"""What the theories predict: phase lines, standard slices and critical numbers of all of them.

Computed: for each theory of `hopfield_sim.theory` its lines, slices and critical numbers, with the
residual of the equations beside them. Kept: one Zarr tree, a group a theory, which
`xarray.open_datatree` reads; the same command gives the same data, and a theory that is already
there is not computed again. Drawn: a figure for each. Printed: the table of critical numbers.

With --time nothing is kept: the CPU seconds of standard tasks on one core are measured.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # one thread for every library, said before NumPy is loaded: sums that
    # several threads share depend on their number in the last digit
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    os.environ.update(dict.fromkeys(("MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"))

import sys
from dataclasses import dataclass
from pathlib import Path

from experiments.options import ended, started


@dataclass(frozen=True, kw_only=True)
class Settings:
    store: Path = Path("results/predictions.zarr")
    """Zarr tree of the predictions. Theories found in it are reused; made with other settings or
    other equations, it is refused."""
    figures: Path = Path("figures/predictions")
    """Folder for the figures, one a theory, named after it."""
    theories: tuple[str, ...] = ()
    """Names of theories; none: all. A wrong name lists them."""
    points: int = 120
    """Points along a line."""
    workers: int | None = None
    """Processes that compute; none: one for each core."""
    time: bool = False
    """Only measure how long the standard tasks take on one core."""


def names() -> list[str]:
    """The theories that have predictions: the files of `experiments.predicting`."""
    import pkgutil

    from experiments import predicting

    return sorted(m.name for m in pkgutil.iter_modules(predicting.__path__) if m.name != "tree")


def main(settings: Settings) -> None:
    if settings.time:
        from experiments.measuring import theories

        print(theories.table(theories.measured()))
        return
    chosen = settings.theories or tuple(names())
    unknown = sorted(set(chosen) - set(names()))
    if unknown:
        raise ValueError(
            f"--theories {' '.join(unknown)}: there is no such theory; there are "
            f"{' '.join(names())}."
        )
    if settings.points < 10:
        raise ValueError(f"--points {settings.points}: at least 10 make a line.")
    if settings.workers is not None and settings.workers < 1:
        raise ValueError(f"--workers {settings.workers}: at least one process is needed.")
    from experiments.predicting import tree

    fill(tree.opened(settings.store, settings.points), chosen, settings)
    report(settings.store, chosen, settings.figures)


def fill(store, chosen, settings: Settings) -> None:
    """Compute the theories that the store does not have yet, in processes of their own."""
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from multiprocessing import get_context

    from dask.system import CPU_COUNT
    from tqdm import tqdm

    missing = [name for name in chosen if not store.has(name)]
    if not missing:
        return
    with (
        ProcessPoolExecutor(settings.workers or CPU_COUNT, get_context("spawn")) as pool,
        tqdm(total=len(missing), disable=None, file=sys.stderr, leave=False) as bar,
    ):
        jobs = {pool.submit(store.compute, name): name for name in missing}
        for job in as_completed(jobs):
            job.result()
            bar.set_description(jobs[job], refresh=False)
            bar.update()
    store.record(missing)


def report(path: Path, chosen, figures: Path) -> None:
    """The figures of the chosen theories, and the table of their critical numbers."""
    import importlib

    import xarray as xr

    from analysis.predictions import table

    figures.mkdir(parents=True, exist_ok=True)
    with xr.open_datatree(path, engine="zarr", consolidated=False) as found:
        for name in chosen:
            draw = importlib.import_module(f"analysis.predictions.{name}").draw
            draw(found[name]).savefig(figures / f"{name}.png", dpi=110)
        print(table.critical(found, chosen))
    print(f"data: {path}, one group a theory; figures: {figures}")


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
