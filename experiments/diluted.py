"""The asymmetrically diluted network in parallel dynamics, against Derrida, Gardner and Zippelius.

Simulated: N neurons, each with c inputs drawn at random (with replacement, not itself, and without
regard to direction), J_ij = (1/c) sum_mu xi_i^mu xi_j^mu over its inputs j, P = alpha c random
patterns; all neurons updated at once by heat bath dynamics, at T = 0 its limit, in which a neuron
without field is drawn at random. Starts: the first pattern with some of its neurons flipped, so
that its overlap is m0. Drawn: m(t) from several m0, the overlap after many steps against alpha,
and what is left of it after subtracting the theory. Theory: the exact map of a tree of neurons
with c inputs each, and its limit c -> infinity (Derrida, Gardner, Zippelius). Printed: both beside
the simulation, and a verdict on the map of c inputs. It supposes that there are no loops, that is
c << ln N, which no network that fits into memory fulfils: near the end of retrieval, where m
reacts strongly, loops leave a deficit.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import Options, computed, ended, plan, recorded, saved, started

AXES = ("n_inputs", "alpha", "temperature", "start_overlap")
_ROWS = 4096  # neurons whose inputs are drawn together; a multiple of 4, the draws of a block
_TIES = 0.01  # of a standard logistic number, which stays below 23: decides where the field is 0
_MARGIN = 0.8  # share of the critical load up to which theory and simulation are compared
_FEWEST_WRONG = 10  # N x realisations x (1-m)/2; below, m is a count of rare events, not Gaussian


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/diluted.zarr")
    figure: Path = Path("figures/diluted.png")
    n_neurons: int = 100_000
    """Neurons N."""
    n_inputs: tuple[int, ...] = (10, 50)
    """Inputs c of a neuron."""
    alpha: tuple[float, ...] = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
    """Loads P/c; alpha c must be a whole number of patterns for every c."""
    temperature: tuple[float, ...] = (0.0, 0.3)
    """Temperatures T in units of J."""
    start_overlap: tuple[float, ...] = (0.1, 0.4, 1.0)
    """Overlaps m0 at the start; the largest is the start of the final overlaps."""
    steps: int = 24
    """Parallel updates."""
    last: int = 8
    """Final overlaps are means over so many last updates."""
    realisations: int = 4


def couplings(n_patterns: int, n_neurons: int, n_inputs: int, seed):
    """Patterns and couplings of one network.

        c J_ij = sum_mu xi_i^mu xi_j^mu = P - 2 (number of patterns in which i and j differ)

    Built from the patterns' bits, some thousand neurons at a time: N c integers are kept and never
    more than that.

    Returns xi float32 (pattern, neuron), and c J as a sparse matrix of int32 (neuron, neuron) with
    c entries a row, those of a repeated input on their own.
    """
    from scipy.sparse import csr_array

    from hopfield_sim import patterns, randomness

    xi = patterns.random(n_patterns, n_neurons, seed=seed)
    bits = np.packbits(xi.T > 0, axis=1)
    key = randomness.key(seed, n_neurons, n_patterns, n_inputs)
    inputs = np.empty((n_neurons, n_inputs), np.int32)
    strength = np.empty((n_neurons, n_inputs), np.int32)
    for first in range(0, n_neurons, _ROWS):
        rows = np.arange(first, min(first + _ROWS, n_neurons))
        words = randomness.words(
            key, randomness.COUPLINGS, (0, 0), first * n_inputs // 4, _ROWS * n_inputs // 4
        )[: rows.size * n_inputs]
        # one of the N - 1 others, counted from the neuron itself
        away = 1 + randomness.sites(words, n_neurons - 1).reshape(rows.size, n_inputs)
        inputs[rows] = (rows[:, None] + away) % n_neurons
        differ = np.bitwise_count(bits[rows, None, :] ^ bits[inputs[rows]])
        strength[rows] = n_patterns - 2 * differ.sum(axis=-1, dtype=np.int32)
    ends = np.arange(n_neurons + 1) * n_inputs
    shape = (n_neurons, n_neurons)
    return xi, csr_array((strength.ravel(), inputs.ravel(), ends), shape=shape)


def cell(settings: Settings, seed, n_inputs, alpha, temperature, start_overlap):
    """One network: Dataset over (temperature, start_overlap, step)."""
    import xarray as xr

    from hopfield_sim import patterns, randomness

    n_neurons, n_patterns = settings.n_neurons, round(alpha * n_inputs)
    xi, strength = couplings(n_patterns, n_neurons, n_inputs, seed)
    starts = [patterns.corrupt(xi[0], seed, flip_fraction=(1 - m) / 2) for m in start_overlap]
    # lanes (temperature, start) side by side, the start fastest
    spins = np.tile(np.stack(starts, axis=1), len(temperature)).astype(np.int32)
    lanes = randomness.lane_words(temperature, len(start_overlap))
    scale = np.repeat([n_inputs * T / 2 or _TIES for T in temperature], len(start_overlap))
    key = randomness.key(seed, n_neurons, n_patterns)
    blocks = randomness.blocks_per_sweep(n_neurons)
    pattern = xi[0].astype(np.int64)
    overlap = np.empty((lanes.shape[0], settings.steps + 1))
    overlap[:, 0] = pattern @ spins / n_neurons
    for step in range(settings.steps):
        fields = strength @ spins
        for lane, words in enumerate(lanes):
            draws = randomness.words(key, randomness.DYNAMICS, words, step * blocks, blocks)
            noise = randomness.logits(draws[:n_neurons]) * np.float32(scale[lane])
            spins[:, lane] = np.where(fields[:, lane] + noise > 0, 1, -1)
        overlap[:, step + 1] = pattern @ spins / n_neurons
    shape = (len(temperature), len(start_overlap), settings.steps + 1)
    dims = ("temperature", "start_overlap", "step")
    described = {"long_name": "overlap with the stored pattern", "units": "1"}
    return xr.Dataset(
        {"overlap": (dims, overlap.reshape(shape), described)},
        coords={"step": np.arange(settings.steps + 1)},
    )


def main(settings: Settings) -> None:
    from hopfield_sim import Glauber, Sweep

    Glauber(settings.temperature)  # refuse what cannot be, before any work
    _check(settings)
    sweep = Sweep(
        partial(cell, settings),
        {
            "n_inputs": np.unique(settings.n_inputs),
            "alpha": np.unique(settings.alpha),
            "temperature": np.asarray(settings.temperature, float),
            "start_overlap": np.unique(np.asarray(settings.start_overlap, float)),
        },
        lanes=("temperature", "start_overlap"),
        realisations=settings.realisations,
        seed=settings.seed,
        title="Parallel dynamics of the asymmetrically diluted network",
        settings={k: v for k, v in recorded(settings, AXES).items() if k != "last"},
    )
    if settings.dry_run:
        print(_plan(settings, sweep))
        return
    report(computed(sweep, settings), settings)


def report(found, settings: Settings) -> None:
    """Table, verdict and figure of a finished store."""

    from analysis import comparison, diluted
    from hopfield_sim import theory

    tree, limit = diluted.predicted(found)
    late = slice(settings.steps - settings.last + 1, None)
    final, final_tree, final_limit = (
        each.isel(start_overlap=-1, step=late).mean("step", keep_attrs=True)
        for each in (found.overlap, tree, limit)
    )
    final.attrs["long_name"] = "final overlap"
    for theory_name, prediction in (("m_c", final_tree), ("m_DGZ", final_limit)):
        scores = comparison.z_scores(final, prediction)
        print(comparison.table(scores, theory=theory_name), end="\n\n")
    print("m: mean of the last updates; m_c: map of c inputs; m_DGZ: c -> infinity; same updates")
    title = (
        f"Asymmetrically diluted network, N = {settings.n_neurons}, "
        f"{found.sizes['realisation']} realisations, parallel heat bath dynamics"
    )
    figure = diluted.diluted_network(found, settings.last, title)
    saved(figure, settings.figure)
    wrong = settings.n_neurons * found.sizes["realisation"] * (1 - tree) / 2
    critical = theory.diluted.critical_load(found.temperature).alpha.fillna(0)
    left_out = {
        f"beyond {_MARGIN} of the critical load": found.alpha > _MARGIN * critical,
        f"with fewer than {_FEWEST_WRONG} wrong neurons in all": wrong < _FEWEST_WRONG,
        "at the start": tree.step == 0,
    }
    scores = comparison.z_scores(found.overlap, tree)
    reasons = {
        name: mask.broadcast_like(scores.z).transpose(*scores.z.dims)
        for name, mask in left_out.items()
    }
    columns = ("n_inputs", "alpha")
    for first, last in ((1, 1), (2, settings.steps)):
        part = {"step": slice(first, last + 1)}
        these = {name: mask.isel(part) for name, mask in reasons.items()}
        verdict = comparison.verdict(scores.isel(part), columns=columns, reasons=these)
        print(f"steps {first} to {last}, map of c inputs: {verdict}")


def _check(settings: Settings) -> None:
    if min(settings.n_inputs, default=0) < 1 or max(settings.n_inputs) >= settings.n_neurons:
        raise ValueError("--n-inputs: whole numbers from 1 to N - 1 are needed.")
    for c in settings.n_inputs:
        for alpha in settings.alpha:
            if not (alpha > 0 and abs(alpha * c - round(alpha * c)) < 1e-9):
                raise ValueError(
                    f"--alpha {alpha} is {alpha * c:g} patterns at --n-inputs {c}; "
                    "a whole number of at least one is needed."
                )
    if not settings.alpha:
        raise ValueError("--alpha: at least one load is needed.")
    if not all(-1 <= m <= 1 for m in settings.start_overlap) or not settings.start_overlap:
        raise ValueError("--start-overlap: at least one number in [-1, 1] is needed.")
    if not 1 <= settings.last <= settings.steps:
        raise ValueError(f"--last {settings.last}: it must be from 1 to --steps {settings.steps}.")
    if settings.device == "gpu":
        raise ValueError("--device gpu: no GPU kernels for sparse couplings; use auto or cpu.")


def _plan(settings: Settings, sweep) -> str:
    c, alpha = (np.asarray(sweep.axes[name]) for name in AXES[:2])
    n_cells = c.size * alpha.size * settings.realisations
    lanes = len(settings.temperature) * len(settings.start_overlap)
    visits = float(n_cells * lanes * settings.steps * settings.n_neurons)
    begin = time.perf_counter()
    cell(
        replace(settings, steps=min(settings.steps, 3)),
        (settings.seed, 0),
        int(c[c.size // 2]),
        float(alpha[alpha.size // 2]),
        sweep.axes["temperature"],
        sweep.axes["start_overlap"],
    )
    seconds = (time.perf_counter() - begin) * max(1, settings.steps / 6)
    n_patterns = max(alpha) * max(c)
    memory = settings.n_neurons * (8 * max(c) + 5 * n_patterns + 40 * lanes)
    files = f"{n_cells} chunks, below 1 MiB, in {settings.store}"
    return plan(n_cells, visits, seconds, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
