"""How fast the kernels are here: against the processor's limit, naive Numba, and other programs.

Measured: CPU seconds of an attempted flip (sequential heat bath, N neurons, P = N/10 random
patterns, T = 0.1 from the stored pattern, 0.5 and 1.2 from random spins), one chain and 64 replicas
of one network; parallel steps, random numbers, zero temperature, softmax retrieval (also by torch
and hopfield-layers, where these are installed), threads, memory, start of a process. In rounds:
each contestant once, in rotating order, between two probes of the peak of the processor. A ratio
is taken inside a round; given are the median of the rounds and a bootstrap interval of 95 %; rounds
during which the processor changed by more than a quarter are dropped, and with fewer than two
thirds left there is no verdict. Whatever is timed is also checked: trajectories against the plain
form, what is kept against the spins, rates of flips against each other, retrieval in float32
against float64. Drawn: nanoseconds of an attempted flip against N. Printed: the table of the goals,
each with its verdict.
"""

from __future__ import annotations

import os

if __name__ == "__main__":  # one thread for every library, said before NumPy is loaded
    os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1"))
    os.environ.update(dict.fromkeys(("MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1"))

import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from experiments.options import ended, read, saved, started, written

_CURE = "run python -m experiments.benchmark first, or name others with --store."


@dataclass(frozen=True, kw_only=True)
class Settings:
    store: Path = Path("results/benchmark.nc")
    """NetCDF file of the measurements; those of an earlier run are replaced at the end."""
    figure: Path = Path("figures/benchmark.png")
    """Where the figure goes."""
    goals: tuple[int, ...] = ()
    """Numbers of the goals to measure; none: all, and every line of the figure."""
    n_neurons: tuple[int, ...] = (1024, 2048, 4096, 10000)
    """Neurons N of the sequential sweeps; the number of patterns is N/10."""
    rounds: int = 11
    """Rounds of measurement."""
    seconds: float = 0.08
    """CPU seconds of a contestant in a round, at least."""
    peers: bool = False
    """Also measure D-Wave's annealer, OpenJij and hopfieldnetwork (extra "peers"): 15 minutes."""
    peer_seconds: float = 1.0
    """CPU seconds, at least, of the call of a peer whose calls have a fixed cost."""
    peer_neurons: int = 4096
    """Largest N at which peers take part."""
    seed: int = 1
    """Seed of patterns and dynamics."""
    redraw: bool = False
    """Measure nothing: table and figure from --store."""


def main(settings: Settings) -> None:
    if settings.redraw:
        report(read(settings.store, _CURE), settings)
        return
    _checked(settings)
    from experiments.measuring.programme import GOALS, programme

    unknown = sorted(set(settings.goals) - set(GOALS))
    if unknown:
        raise ValueError(
            f"--goals {' '.join(map(str, unknown))}: not measured here; there are "
            f"{' '.join(map(str, GOALS))}."
        )
    if settings.peers:
        from experiments.measuring import peers

        peers.check_installed()
    begin = time.process_time()
    duels, claims = programme(settings)
    try:
        found = measurements(settings, duels, claims)
    except KeyboardInterrupt:
        print("interrupted; nothing was stored", file=sys.stderr)
        sys.exit(130)
    found.attrs["cpu_seconds"] = round(time.process_time() - begin, 1)
    missing = set(settings.goals or GOALS) - {claim.goal.number for claim in claims}
    found.attrs["not_measured"] = " ".join(map(str, sorted(missing)))
    if 20 in {claim.goal.number for claim in claims}:
        from experiments.measuring import peers

        found.attrs["absent_for_20"] = " and ".join(peers.absent_for_retrieval())
    written(found, settings.store)
    print(f"measurements: {settings.store}")
    report(found, settings)


def measurements(settings: Settings, duels, claims):
    """Every duel, fought: Dataset with dims entry (a contestant of a duel), duel, round, claim."""
    from tqdm import tqdm

    from experiments.measuring import protocol, records

    probe = records.products_probe()
    total = protocol.ticks(duels, settings.rounds)
    measured = []
    with tqdm(total=total, disable=None, file=sys.stderr, leave=False) as bar:

        def tick(what: str) -> None:
            bar.set_description(what, refresh=False)
            bar.update()

        for duel in duels:
            measured.append(protocol.measured(duel, probe, settings.rounds, settings.seconds, tick))
    recorded = {k: v for k, v in asdict(settings).items() if k not in ("store", "figure", "redraw")}
    return records.dataset(measured, claims, recorded)


def report(found, settings: Settings) -> None:
    """Both tables, and the figure if there is a line to draw."""
    from analysis import benchmark

    print(benchmark.cost_table(found))
    print()
    about = found.attrs
    print(f"{about['processor']}, {about['cores']} cores, {about['vector_code']}; {about['date']}")
    print(benchmark.table(found))
    if about["not_measured"]:
        print(
            f"(goals {about['not_measured']}: nobody to measure; 3, 4, 6, 7 and 17 want --peers, 3 "
            "to 7 also --n-neurons 2048, 11 AVX-512 with VNNI)"
        )
    if about.get("absent_for_20"):
        print(f"(goal 20 without {about['absent_for_20']}: not installed here)")
    if bool(found.drawn.any()):
        saved(benchmark.lines(found), settings.figure)


def _checked(settings: Settings) -> None:
    for name, least in (("rounds", 3), ("seconds", 0.001), ("peer_seconds", 0.01)):
        if not getattr(settings, name) >= least:
            option = name.replace("_", "-")
            raise ValueError(f"--{option} {getattr(settings, name)}: at least {least} is needed.")
    if not settings.n_neurons or not all(100 <= n <= 32767 for n in settings.n_neurons):
        raise ValueError("--n-neurons: one or several numbers from 100 to 32767 are needed.")
    if len(set(settings.n_neurons)) < len(settings.n_neurons):
        raise ValueError("--n-neurons: each number once.")


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
