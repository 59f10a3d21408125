"""Thermal loops of the Hopfield network: where a pattern is lost on heating and found on cooling.

Simulated: networks of N neurons with P = alpha N random patterns, heat-bath (Glauber) dynamics,
the temperature changed in steps of so many sweeps each, on three branches: heated from the pattern;
cooled from a random state; cooled from a random state with a cue, a weak field along the pattern
that acts in the first quarter of each step. Averages are over the last half of a step. Drawn: the
overlap on all branches with RS theory and its T_M, T_c and T_g; energies; free energies integrated
from them, whose crossing is T_c; the temperature at which half of the replicas have left the
pattern, over the rate. Printed: these temperatures, and a verdict on m of the heated branch.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import Options, computed, ended, plan, recorded, saved, started

AXES = ("n_neurons", "alpha", "sweeps_per_step")
_MARGIN = 0.8  # share of the spinodal load up to which theory and simulation are compared
_FEWEST_PATTERNS = 20  # below, P is not large as the theory assumes
_FEWEST_WRONG = 10  # N x realisations x (1-m)/2; below, m is a count of rare events, not Gaussian
_MOST_SAMPLES = 48  # measurements a step
_FEWEST_SAMPLES = 8  # averaged ones, below which there is no verdict on equilibrium


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/hysteresis.zarr")
    figure: Path = Path("figures/hysteresis.png")
    n_neurons: tuple[int, ...] = (1000, 2000)
    """Neurons N."""
    alpha: tuple[float, ...] = (0.03, 0.05, 0.08)
    """Loads P/N; alpha N must be a whole number of patterns for every N."""
    sweeps_per_step: tuple[int, ...] = (8, 32, 128, 512)
    """Sweeps at each temperature: multiples of 4; the warm-up is a quarter of them."""
    temperature: tuple[float, float] = (0.05, 1.3)
    """Lowest and highest temperature in units of J; the highest above T_g = 1 + sqrt(alpha)."""
    step: float = 0.025
    """From one temperature to the next."""
    cue: float = 0.2
    """Strength of the field along the pattern, in units of J."""
    replicas: int = 4
    """Replicas on each branch."""
    realisations: int = 6


def ladder(settings: Settings) -> np.ndarray:
    """The temperatures of all branches, ascending: (temperature,)."""
    low, high = settings.temperature
    return np.round(np.arange(low, high + settings.step / 2, settings.step), 10)


def schedule(sweeps_per_step: int):
    """When a cell looks at a temperature: `hopfield_sim.Schedule` of exactly so many sweeps."""
    from hopfield_sim import Schedule

    warmup = sweeps_per_step // 4
    every = max(1, (sweeps_per_step - warmup) // _MOST_SAMPLES)
    samples = (sweeps_per_step - warmup) // every
    return Schedule(sweeps_per_step - samples * every, samples, every)


def largest_overlap(model, spins, memory):
    """Largest overlap with any pattern or its negative, max |m_mu|

    Returns float64 (..., replica).
    """
    return np.abs(model.overlaps(spins, memory)).max(axis=-1)


def cell(
    settings: Settings, seed, n_neurons: int, alpha: float, sweeps_per_step: int, checkpoint=None
):
    """One realisation at one rate, all branches: Dataset over (branch, temperature, replica)."""
    import xarray as xr

    from hopfield_sim import Hopfield, observables, patterns, statistics
    from hopfield_sim.learning import hebb
    from hopfield_sim.tempering import Branch, branches

    xi = patterns.random(round(alpha * n_neurons), n_neurons, seed=seed)
    cue = hebb.coupled(xi, external_field=settings.cue * xi[0])
    run = branches(
        Hopfield(xi),
        ladder(settings),
        {
            "heating": Branch(xi[0], "heating"),
            "cooling": Branch("random", "cooling"),
            "cued": Branch("random", "cooling", cue=cue),
        },
        schedule(sweeps_per_step),
        settings.replicas,
        seed=(*seed, sweeps_per_step),  # the same patterns at every rate, other noise
        device=settings.device,
        observe=(observables.overlap, observables.energy, largest_overlap),
        checkpoint=checkpoint,
    )
    late = run.isel(sample=slice(run.sizes["sample"] // 3, None))  # the last half of the step
    names = ("overlap", "energy", "largest_overlap")
    result = {name: late[name].mean("sample", keep_attrs=True) for name in names}
    result["threshold"] = _threshold(alpha)
    result["left_at"] = _left_at(run.overlap.sel(branch="heating"), result["threshold"])
    both = [late.overlap.sel(branch=b, drop=True) for b in ("heating", "cued")]
    both = xr.concat(both, "replica", coords="minimal", compat="override").assign_coords(
        replica=np.arange(2 * settings.replicas)
    )
    if both.sizes["sample"] >= _FEWEST_SAMPLES:
        verdict = statistics.equilibration(both, np.repeat([0, 1], settings.replicas))
        result |= {name: verdict[name] for name in ("equilibrated", "r_hat")}
    else:
        unknown = both.isel(replica=0, sample=0, drop=True).drop_attrs()
        result["equilibrated"] = xr.zeros_like(unknown, bool)
        result["r_hat"] = xr.full_like(unknown, np.nan)
    result["equilibrated"].attrs = {
        "long_name": "whether heated and cued replicas agree and have seen enough",
        "units": "1",
    }
    result["r_hat"].attrs = {"long_name": "R-hat of heated and cued replicas", "units": "1"}
    return xr.Dataset(result).drop_vars(
        ["n_neurons", "n_patterns", "alpha", "sweep"], errors="ignore"
    )


def _threshold(alpha: float):
    """m_M/2, half of the overlap on the spinodal: below it a replica is out of the pattern.

    The barrier lies at the overlap of the unstable solution, 0.74 m_M or more at loads from 0.001;
    what remains in a replica that has left it is some 0.1 (figure). This is between.
    """
    from hopfield_sim import theory

    half = theory.hopfield.spinodal_temperature(alpha).m.squeeze(drop=True) / 2
    return half.assign_attrs(long_name="overlap below which a pattern is left", units="1")


def _left_at(overlap, threshold):
    """The temperature at which each heated replica left the pattern for good: (replica,)."""
    from hopfield_sim import statistics

    n_samples = overlap.sizes["sample"]
    heated = overlap.transpose("replica", "temperature", "sample").drop_vars("sweep")
    series = heated.stack(visit=("temperature", "sample"), create_index=False)
    series = series.drop_vars(["temperature", "sample"]).rename(visit="sample")
    left = statistics.escapes(series, threshold).left_at
    step = (left.fillna(0) // n_samples).astype(int).values
    at = left.copy(data=np.where(left.notnull(), overlap.temperature.values[step], np.nan))
    name = "temperature at which the replica left the pattern on heating, not to return"
    return at.assign_attrs(long_name=name, units="J")


def main(settings: Settings) -> None:
    from hopfield_sim import Sweep, device

    checked(settings)
    device.resolve(settings.device)
    sweep = Sweep(
        partial(cell, settings),
        {name: np.unique(getattr(settings, name)) for name in AXES},
        realisations=settings.realisations,
        seed=settings.seed,
        title="Thermal loops of the Hopfield network",
        settings=recorded(settings, AXES),
    )
    if settings.dry_run:
        print(_plan(settings))
        return
    report(computed(sweep, settings), settings)


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work. Raises ValueError."""
    from hopfield_sim import theory

    if min(settings.n_neurons, default=0) < 1 or not settings.alpha:
        raise ValueError("--n-neurons, --alpha: at least one positive number each is needed.")
    counts = np.outer(settings.alpha, settings.n_neurons)
    if not np.allclose(counts, np.rint(counts), rtol=0, atol=1e-6) or counts.min() < 0.5:
        raise ValueError(
            f"--alpha {settings.alpha}: alpha N must be a whole number of patterns, at least one, "
            f"at every N of {settings.n_neurons}; the loads are multiples of 1/N."
        )
    if not np.isfinite(theory.hopfield.spinodal_temperature(max(settings.alpha)).temperature):
        raise ValueError(f"--alpha {max(settings.alpha)}: no pattern is stable at this load.")
    sweeps = settings.sweeps_per_step
    if not sweeps or min(sweeps) < 4 or any(s % 4 for s in sweeps):
        raise ValueError(f"--sweeps-per-step {sweeps}: positive multiples of 4 are needed.")
    low, high = settings.temperature
    top = 1 + max(settings.alpha) ** 0.5
    if not (0 < low < high and high > top and 0 < settings.step <= (high - low) / 2):
        raise ValueError(
            f"--temperature {low} {high}, --step {settings.step}: they must rise from above 0 to "
            f"above T_g = {top:.3f}, in at least two steps."
        )
    if settings.replicas < 1:
        raise ValueError(f"--replicas {settings.replicas}: at least 1 is needed.")
    if settings.realisations < 2:
        raise ValueError("--realisations: at least 2 are needed, the error bars come from them.")


def report(found, settings: Settings) -> None:
    """Table, verdict line and figure of a finished store."""
    from analysis import comparison, hysteresis, loops
    from hopfield_sim import theory

    found = found.load()
    slow = found.isel(sweeps_per_step=-1)
    predicted = theory.hopfield.retrieval(found.alpha, found.temperature).m
    heated = slow.overlap.sel(branch="heating", drop=True).mean("replica", keep_attrs=True)
    scores = comparison.z_scores(heated, predicted.reset_coords(drop=True))
    difference = loops.free_energy_difference(found)
    print(
        loops.table(
            loops.kinetic_boundary(found), loops.capture(found), loops.transition(difference)
        )
    )
    share = loops.patterns_found(found).isel(sweeps_per_step=-1)
    for n_neurons in share.n_neurons.values:
        numbers = ", ".join(f"{float(v):.2f}" for v in share.sel(n_neurons=n_neurons))
        print(
            f"cooled without a cue, N = {n_neurons}: share that end in any pattern, alpha rising: "
            + numbers
        )
    title = (
        f"Thermal loops of the Hopfield network; {found.sizes['realisation']} sets of patterns, "
        f"{settings.replicas} replicas a branch, steps of {settings.step:g} J; "
        "theory: Amit–Gutfreund–Sompolinsky (RS)"
    )
    figure = hysteresis.thermal_loops(found, title)
    saved(figure, settings.figure)
    left_out = {
        name: mask.broadcast_like(scores.z).transpose(*scores.z.dims)
        for name, mask in _left_out(slow, predicted).items()
    }
    print(f"m of the heated branch, {int(slow.sweeps_per_step)} sweeps a step, against RS theory:")
    print(comparison.verdict(scores, columns=("n_neurons", "alpha"), reasons=left_out))


def _left_out(found, predicted) -> dict:
    """The cells that cannot test the theory, by reason: name -> bool."""
    from hopfield_sim import theory

    spinodal = theory.hopfield.spinodal_load(found.temperature)["alpha"]
    wrong = found.n_neurons * found.sizes["realisation"] * (1 - predicted) / 2
    return {
        "without a retrieval state in theory": predicted.isnull(),
        f"beyond {_MARGIN} of the spinodal load": found.alpha > _MARGIN * spinodal,
        f"with fewer than {_FEWEST_PATTERNS} patterns": (
            found.alpha * found.n_neurons < _FEWEST_PATTERNS
        ),
        f"with fewer than {_FEWEST_WRONG} wrong neurons in all": wrong < _FEWEST_WRONG,
        "with replicas that left the pattern": (found.left_at <= found.temperature).any(
            ["realisation", "replica"]
        ),
        "not equilibrated": ~found.equilibrated.all("realisation"),
    }


def _plan(settings: Settings) -> str:
    sizes, loads = np.array(settings.n_neurons), np.array(settings.alpha)
    n_cells = sizes.size * loads.size * len(settings.sweeps_per_step) * settings.realisations
    temperatures = ladder(settings)
    lanes = 3 * settings.replicas
    sweeps = temperatures.size * sum(settings.sweeps_per_step)
    visits = float(lanes * sweeps * sizes.sum() * loads.size * settings.realisations)

    low, high = temperatures[0], temperatures[-1]
    n_neurons = int(np.median(sizes))
    n_patterns = round(float(np.median(loads)) * n_neurons)

    def timed(n_steps: int) -> float:
        """Seconds of a cell with so many steps of temperature, mean over the rates."""
        few = replace(settings, step=(high - low) / n_steps)
        begin = time.perf_counter()
        for sweeps_per_step in settings.sweeps_per_step:
            cell(few, (settings.seed, 0), n_neurons, n_patterns / n_neurons, sweeps_per_step)
        return (time.perf_counter() - begin) / len(settings.sweeps_per_step)

    timed(2)  # compiles
    short, longer = timed(2), timed(6)
    seconds = short + max(longer - short, 0) / 4 * (temperatures.size - 3)
    largest = float(sizes.max())
    memory = 32 * largest**2 + 14 * largest**2 * loads.max()  # couplings with the cue, patterns
    files = f"{n_cells} x 7 chunks in {settings.store}"
    return plan(n_cells, visits, seconds, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
