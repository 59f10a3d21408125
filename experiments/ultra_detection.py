"""Signals far below the noise: dense networks whose couplings are noisy, against theory.

Simulated: P-body networks with K ~ N^b patterns in which every pattern's coupling of every P-tuple,
a product of signs of size 1, has Gaussian noise of size omega. (1) One synchronous update at T = 0
from a pattern, P = 3 and 4, b = 1 and 2: the overlap m1 that is left. (2) Heat-bath dynamics at
temperature T of the network with P = 3, b = 1, whose noisy tensor is drawn and kept, started in a
pattern. (3) P = 4 and K = alpha N with the noise on pairs, the coupling being the product of two
noisy pairs: one update. Drawn: m1 against omega, and against omega/N^((P-1-b)/2), where all sizes,
orders and exponents b < P - 1 (ultra-detection) fall on one curve while b = P - 1 (ultra-storage)
bears a noise of order 1; m1 against omega/sqrt(N) with noisy pairs; the thermal overlap against
the load, with replica-symmetric theory and its extrapolation to N = infinity. Printed: how the
noise that halves the overlap grows with N, the extrapolated thermal overlaps, and verdicts.
"""

from __future__ import annotations

import math
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
    positive,
    saved,
    started,
    timed_cell,
)

_TENSOR_LANE, _PAIR_LANE, _FIELD_LANE = range(3)  # kinds of Gaussian draws, apart from patterns
_LEFT_BELOW = 0.5  # overlap below which a replica has left the pattern; m of the state is above 0.9
_LAST = 10  # samples at the end whose mean tells it: outside, a replica does not come back


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/ultra_detection")
    """Folder of three Zarr stores, one for each part. Found again, they are resumed."""
    figure: Path = Path("figures/ultra_detection.png")
    realisations: int = 16
    """Independent sets of patterns and noises of each point; the error bars come from them."""
    n_neurons: tuple[int, ...] = (60, 120, 240, 480)
    """Neurons N of part 1."""
    interaction: tuple[int, ...] = (3, 4)
    """Orders P of part 1."""
    exponent: tuple[int, ...] = (1, 2)
    """Exponents b < P of the number of patterns of part 1."""
    crosstalk: float = 0.2
    """(P-1)! K/N^b: what the noise multiplies. K is rounded; 0.2 is exact at multiples of 60."""
    scaled_noise: tuple[float, ...] = (0.0, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 6.0)
    """omega/N^((P-1-b)/2) of part 1."""
    updates: int = 4000
    """Neurons that are updated at each point of parts 1 and 3 in a realisation."""
    thermal_n_neurons: tuple[int, ...] = (80, 120, 180)
    """Neurons N of part 2, whose tensor has N^3 entries."""
    reduced_load: tuple[float, ...] = (0.04, 0.08, 0.12, 0.16)
    """Loads A = 2 K (1 + omega^2)/N^2 of part 2; K = N/4 is fixed."""
    temperature: float = 0.3
    """Temperature T of part 2."""
    warmup: int = 50
    """Sweeps of part 2 before the first measurement."""
    samples: int = 75
    """Sweeps of part 2 that are measured."""
    replicas: int = 8
    """Replicas of each network of part 2."""
    pair_n_neurons: tuple[int, ...] = (60, 120, 240)
    """Neurons N of part 3."""
    alpha: tuple[float, ...] = (0.05, 0.2, 0.5)
    """Loads K/N of part 3; each is rounded to a whole number of patterns."""
    pair_noise: tuple[float, ...] = (0.3, 0.5, 0.7, 1.0, 1.4, 2.0)
    """omega/sqrt(N) of part 3."""


def drawn(seed, *lane: int) -> np.random.Generator:
    """Gaussian draws of a point of its own."""
    from hopfield_sim import randomness

    key = randomness.key(seed, *lane)
    return np.random.Generator(np.random.Philox(key=int(key[0]) << 32 | int(key[1])))


# ---------------------------------------------------------------- part 1: one update, any P and N


def update_cell(settings: Settings, seed, interaction, exponent, n_neurons, scaled_noise):
    """One update from a pattern with noisy couplings: m1, Dataset over (scaled_noise).

    The noises of all patterns add to one Gaussian of variance K omega^2 in every P-tuple, which is
    independent of the state. Its fields h_i s_i at that state are Gaussian; they share tuples, so
    with n_i and n_ij the numbers of tuples of a neuron and of a pair of them
        <h_i s_i h_j s_j> = K omega^2 (n_ij + delta_ij (n_i - n_ij)):
    N Gaussians and a common one, and no tensor.
    """
    import xarray as xr

    from hopfield_sim import Dense, patterns

    n_patterns = number(settings, interaction, exponent, n_neurons)
    overlap = np.full((settings.updates // n_neurons or 1, len(scaled_noise)), np.nan)
    if exponent < interaction:
        factor = math.factorial(interaction - 1) / n_neurons ** (interaction - 1)
        shared = math.comb(n_neurons - 2, interaction - 2)
        own = math.comb(n_neurons - 1, interaction - 1) - shared
        omega = np.asarray(scaled_noise) * n_neurons ** ((interaction - 1 - exponent) / 2)
        for network, found in enumerate(overlap):
            words = (*seed, interaction, exponent, network)
            xi = patterns.random(n_patterns, n_neurons, words)
            random = drawn(words, n_neurons, _FIELD_LANE)
            noise = np.sqrt(own) * random.standard_normal((len(scaled_noise), n_neurons))
            noise += np.sqrt(shared) * random.standard_normal((len(scaled_noise), 1))
            field = xi[0] * Dense(xi, interaction).field(xi[0])
            total = field + factor * np.sqrt(n_patterns) * omega[:, None] * noise
            found[:] = np.sign(total).mean(axis=1)
    described = {"long_name": "Overlap with the pattern after one update", "units": "1"}
    return xr.Dataset({"overlap": ("scaled_noise", overlap.mean(axis=0), described)})


def number(settings: Settings, interaction: int, exponent: int, n_neurons: int) -> int:
    """K of part 1."""
    exact = settings.crosstalk * n_neurons**exponent / math.factorial(interaction - 1)
    return max(1, round(exact))


# --------------------------------------------------------- part 2: heat bath with a noisy tensor


def noisy_tensor(xi: np.ndarray, coupling_noise: float, random: np.random.Generator) -> np.ndarray:
    """T_ijk = (1/N^2) (sum_mu xi_i xi_j xi_k + sqrt(K) omega G_ijk), 0 where two are equal.

    G symmetric, independent standard Gaussians for i < j < k: the sum of the noises of all
    patterns. float32 (neuron, neuron, neuron); H = -(1/3) sum_ijk T_ijk s_i s_j s_k, that is
    -(2/N^2) times the sum over i < j < k.
    """
    n_patterns, n_neurons = xi.shape
    i, j, k = triples(n_neurons)
    products = (xi[:, i] * xi[:, j] * xi[:, k]).sum(axis=0)
    noise = random.standard_normal(i.size, dtype=np.float32)
    values = (products + math.sqrt(n_patterns) * coupling_noise * noise) / n_neurons**2
    tensor = np.zeros((n_neurons,) * 3, np.float32)
    for a, b, c in ((i, j, k), (i, k, j), (j, i, k), (j, k, i), (k, i, j), (k, j, i)):
        tensor[a, b, c] = values
    return tensor


def triples(n_neurons: int) -> tuple[np.ndarray, ...]:
    """All i < j < k: three arrays."""
    i, j = np.triu_indices(n_neurons, 1)
    counts = n_neurons - 1 - j
    ends = np.cumsum(counts)
    k = np.arange(counts.sum()) - np.repeat(ends - counts, counts) + np.repeat(j + 1, counts)
    return np.repeat(i, counts), np.repeat(j, counts), k


def heat_bath(tensor, spins, temperature: float, random: np.random.Generator) -> None:
    """One sweep in fixed order, in place: P(s_i = 1) = 1/(1 + exp(-2 h_i/T)).

        h_i = sum_jk T_ijk s_j s_k

    tensor: as from `noisy_tensor`; spins: float32 (neuron, replica) of +-1.
    """
    n_neurons, n_replicas = spins.shape
    uniform = random.random((n_neurons, n_replicas))
    level = temperature / 2 * (np.log(uniform) - np.log1p(-uniform))
    for i in range(n_neurons):
        field = np.einsum("jr,jr->r", spins, tensor[i] @ spins)
        spins[i] = np.where(field > level[i], 1, -1)


def thermal_cell(settings: Settings, seed, n_neurons: int, reduced_load: float):
    """Replicas of one noisy network, started in its first pattern: Dataset of means.

    Those that left the pattern are counted and in no average.
    """
    import xarray as xr

    from hopfield_sim import patterns, theory

    n_patterns = round(n_neurons / 4)
    xi = patterns.random(n_patterns, n_neurons, seed)
    found = theory.ultra_detection.tolerated_noise(n_neurons, n_patterns, 3, reduced_load)
    random = drawn(seed, n_neurons, round(1e9 * reduced_load), _TENSOR_LANE)
    tensor = noisy_tensor(xi, float(found.coupling_noise), random)
    spins = np.repeat(xi[0][:, None], settings.replicas, axis=1)
    for _ in range(settings.warmup):
        heat_bath(tensor, spins, settings.temperature, random)
    seen = np.empty((settings.samples, n_neurons, settings.replicas), np.int8)
    for sample in seen:
        heat_bath(tensor, spins, settings.temperature, random)
        sample[:] = spins
    overlap = np.einsum("i,tir->tr", xi[0].astype(float), seen) / n_neurons
    stayed = overlap[-_LAST:].mean(axis=0) > _LEFT_BELOW
    kept, n_stayed = overlap[:, stayed], stayed.sum()
    half = settings.samples // 2
    # sum over a, b of q_ab = sum_i (sum_a s_i^a)^2/N holds a = b once for each replica
    total = (seen[:, :, stayed].sum(axis=2, dtype=float) ** 2).mean(axis=1)
    nothing = n_stayed == 0
    labels = {
        "overlap": (np.nan if nothing else kept.mean(), "Overlap m with the pattern"),
        "replica_overlap": (
            np.nan if n_stayed < 2 else (total - n_stayed).mean() / (n_stayed * (n_stayed - 1)),
            "Overlap q of two replicas",
        ),
        "drift": (
            np.nan if nothing else kept[half:].mean() - kept[:half].mean(),
            "Second minus first half of the overlap",
        ),
        "n_left": (float(settings.replicas - n_stayed), "Replicas that left the pattern"),
    }
    return xr.Dataset(
        {name: ((), v, {"long_name": text, "units": "1"}) for name, (v, text) in labels.items()}
    )


# --------------------------------------------------------------------- part 3: noise on pairs


def pair_cell(settings: Settings, seed, alpha: float, n_neurons: int, pair_noise):
    """One update from a pattern with noisy pairs, P = 4: m1, Dataset over (pair_noise).

        h_i = (1/N^3) sum_mu B c,   B = S'^2 + 1 + omega q',   c = xi_i S' + omega g_i:
    half the cost of a flip, exactly (see `theory.ultra_detection`).
    """
    import xarray as xr

    from hopfield_sim import patterns

    n_patterns = round(alpha * n_neurons)
    omega = np.asarray(pair_noise)[:, None] * np.sqrt(n_neurons)
    overlap = np.zeros((settings.updates // n_neurons or 1, len(pair_noise)))
    for network, found in enumerate(overlap):
        xi = patterns.random(n_patterns, n_neurons, (*seed, network)).astype(float)
        random = drawn((*seed, network), n_neurons, n_patterns, _PAIR_LANE)
        s = xi[0]
        field = np.zeros((len(pair_noise), n_neurons))
        for mu in range(n_patterns):
            noise = np.tril(random.standard_normal((n_neurons, n_neurons), dtype=np.float32), -1)
            g = noise @ s + s @ noise  # of the symmetric matrix
            rest = s @ xi[mu] - xi[mu] * s  # S', by neuron
            form = s @ g - 2 * s * g  # q', by neuron
            field += (rest**2 + 1 + omega * form) * (xi[mu] * rest + omega * g)
        found[:] = (s * np.sign(field)).mean(axis=1)
    described = {"long_name": "Overlap with the pattern after one update", "units": "1"}
    return xr.Dataset({"overlap": ("pair_noise", overlap.mean(axis=0), described)})


# --------------------------------------------------------------------------------------- the study


def sweeps(settings: Settings) -> dict:
    """Name of the store -> sweep."""
    from experiments.options import loads
    from hopfield_sim import Sweep

    checked(settings)

    def sweep(cell, title, lanes, names, **axes):
        return Sweep(
            partial(cell, settings),
            {name: np.unique(values) for name, values in axes.items()},
            lanes=lanes,
            realisations=settings.realisations,
            seed=settings.seed,
            title=title,
            settings={name: getattr(settings, name) for name in names},
        )

    return {
        "update": sweep(
            update_cell,
            "First update with noisy couplings",
            ("scaled_noise",),
            ("crosstalk", "updates"),
            interaction=settings.interaction,
            exponent=settings.exponent,
            n_neurons=settings.n_neurons,
            scaled_noise=settings.scaled_noise,
        ),
        "thermal": sweep(
            thermal_cell,
            "Retrieval with noisy couplings",
            (),
            ("temperature", "warmup", "samples", "replicas"),
            n_neurons=settings.thermal_n_neurons,
            reduced_load=settings.reduced_load,
        ),
        "pairs": sweep(
            pair_cell,
            "First update with noisy pairs",
            ("pair_noise",),
            ("updates",),
            alpha=loads(settings.alpha, min(settings.pair_n_neurons)),
            n_neurons=settings.pair_n_neurons,
            pair_noise=settings.pair_noise,
        ),
    }


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import Glauber, Schedule, device, theory

    device.resolve(settings.device)
    Glauber(settings.temperature), Schedule(settings.warmup, settings.samples)
    at_least(settings, interaction=2, thermal_n_neurons=6, pair_n_neurons=2)
    at_least(settings, n_neurons=max(settings.interaction))
    at_least(settings, exponent=1, scaled_noise=0, pair_noise=0)
    at_least(settings, updates=1, replicas=2, samples=2)
    positive(settings, "crosstalk")
    for n_neurons in settings.thermal_n_neurons:
        for load in settings.reduced_load:
            given = n_neurons, round(n_neurons / 4), 3, load
            if np.isnan(theory.ultra_detection.tolerated_noise(*given).coupling_noise):
                raise ValueError(
                    f"--reduced-load {load}: N/4 patterns alone are a higher load at N = "
                    f"{n_neurons}; raise it, or --thermal-n-neurons."
                )


def main(settings: Settings) -> None:
    each = sweeps(settings)
    if settings.dry_run:
        print(_plan(settings))
        return
    found = all_computed(each, settings)
    report(found["update"], found["thermal"], found["pairs"], settings)


def report(update, thermal, pairs, settings: Settings) -> None:
    """Tables, verdicts and figure of finished stores."""
    from analysis import ultra_detection

    numbers = {
        (P, b, n): number(settings, P, b, n)
        for P in update.interaction.values.tolist()
        for b in update.exponent.values.tolist()
        for n in update.n_neurons.values.tolist()
    }
    first = ultra_detection.update_scores(update, numbers)
    heated = ultra_detection.thermal_scores(thermal, settings.temperature)
    paired = ultra_detection.pair_scores(pairs)
    print(ultra_detection.growth_table(first))
    print(ultra_detection.thermal_table(heated))
    figure = ultra_detection.drawn(first, heated, paired, settings.crosstalk, _title(settings))
    saved(figure, settings.figure)
    print(ultra_detection.verdicts(first, heated, paired, settings.updates))


def _title(settings: Settings) -> str:
    return f"Dense networks with noisy couplings; {settings.realisations} realisations a point"


def _plan(settings: Settings) -> str:
    lengths = {
        "update": len(settings.interaction) * len(settings.exponent) * len(settings.n_neurons),
        "thermal": len(settings.thermal_n_neurons) * len(settings.reduced_load),
        "pairs": len(settings.alpha) * len(settings.pair_n_neurons),
    }
    sizes = np.array(settings.thermal_n_neurons, float)
    largest, seed = int(sizes.max()), (settings.seed, 0)

    def heated(n_samples: int) -> None:
        longer = replace(settings, warmup=0, samples=n_samples)
        thermal_cell(longer, seed, largest, max(settings.reduced_load))

    def paired(n_networks: int) -> None:
        several = replace(settings, updates=max(1, n_networks // 20) * max(settings.pair_n_neurons))
        place = max(settings.alpha), max(settings.pair_n_neurons)
        pair_cell(several, seed, *place, np.unique(settings.pair_noise))

    # a sweep costs as N^3, and the largest network is timed; a neuron with noisy pairs as N K
    relative = (sizes / largest) ** 3
    seconds = timed_cell(heated, settings.warmup + settings.samples) * relative.mean()
    seconds *= lengths["thermal"]
    networks = settings.updates / max(settings.pair_n_neurons)
    seconds += timed_cell(paired, 20 * networks) * lengths["pairs"] / 3
    n_cells = sum(lengths.values()) * settings.realisations
    visits = settings.realisations * (
        settings.updates
        * (
            lengths["update"] * len(settings.scaled_noise)
            + lengths["pairs"] * len(settings.pair_noise)
        )
        + len(settings.reduced_load)
        * (settings.warmup + settings.samples)
        * settings.replicas
        * sizes.sum()
    )
    files = f"{n_cells} x 1 or 4 chunks in {settings.store}"
    seconds /= sum(lengths.values())
    return plan(n_cells, visits, seconds, 16.0 * largest**3, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
