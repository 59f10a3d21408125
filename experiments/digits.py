"""Real handwritten digits, stored with the Hebb and the projection rule, corrupted and recalled.

Stored: P binarised images, one neuron a pixel, drawn at random from scikit-learn's 1797 digits
(8 x 8 pixels) or from a folder of IDX files (MNIST format). Recalled: each of them from a cue with
a fraction of its pixels flipped, by zero-temperature dynamics until nothing moves. Digits resemble
each other, so their Hebbian cross-talk is large; the projection rule removes it. Drawn: cues and
recalls of both rules, and the fraction recalled without a single wrong pixel against P.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import Options, computed, ended, plan, recorded, saved, started

AXES = ("n_patterns",)
RULES = ("hebb", "projection")
_LONGEST = 100  # sweeps after which a recall is stopped; zero temperature halts far earlier


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/digits.zarr")
    figure: Path = Path("figures/digits.png")
    realisations: int = 32
    """Independent draws of the stored digits; the error bars come from them."""
    n_patterns: tuple[int, ...] = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 28, 32, 36, 40)
    """Numbers of stored digits."""
    flip_fraction: float = 0.1
    """Fraction of the pixels that is flipped in a cue."""
    images: Path | None = None
    """Folder of IDX files to take the images from; none: scikit-learn's digits."""
    threshold: float | None = None
    """Grey value from which a pixel is +1; none: 8 of 16 for the digits, 128 of 255 for IDX."""


def source(settings: Settings):
    """The images to choose from: `hopfield_sim.images.Images`."""
    from hopfield_sim import images

    if settings.images is None:
        return images.digits(8 if settings.threshold is None else settings.threshold)
    threshold = 128 if settings.threshold is None else settings.threshold
    return images.folder(settings.images, threshold)


def stored(settings: Settings, n_patterns: int, seed) -> np.ndarray:
    """`n_patterns` different images drawn at random: float32 (pattern, neuron)."""
    from hopfield_sim import randomness

    pool = source(settings).patterns
    n_images = len(pool)
    if not 1 <= n_patterns <= n_images:
        raise ValueError(f"n_patterns={n_patterns}: there are {n_images} images to choose from.")
    blocks = randomness.blocks_per_sweep(n_images)
    draws = randomness.words(randomness.key(seed), randomness.PATTERNS, (0, 0), 0, blocks)
    return pool[np.argsort(draws[:n_images], kind="stable")[:n_patterns]]


def recalls(settings: Settings, xi: np.ndarray, seed) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Cues (pattern, neuron) of all stored images, and what each rule makes of them."""
    from hopfield_sim import ZeroTemperature, patterns, updated
    from hopfield_sim.learning import hebb, projection

    cues = patterns.corrupt(xi, seed=seed, flip_fraction=settings.flip_fraction)
    models = {"hebb": hebb.model(xi), "projection": projection.model(xi)}
    moved = {
        rule: updated(model, ZeroTemperature(), cues, _LONGEST, seed, settings.device)
        for rule, model in models.items()
    }
    return cues, moved


def cell(settings: Settings, seed, n_patterns: np.ndarray):
    """One draw of digits, for all numbers of them: Dataset over (n_patterns, rule)."""
    import xarray as xr

    pool = stored(settings, int(max(n_patterns)), seed)
    exact = np.empty((len(n_patterns), len(RULES)))
    overlap = np.empty_like(exact)
    for row, count in enumerate(n_patterns):
        xi = pool[:count]
        _, moved = recalls(settings, xi, seed)
        for column, rule in enumerate(RULES):
            m = np.mean(xi * moved[rule], axis=1)
            exact[row, column] = np.mean(m == 1)
            overlap[row, column] = m.mean()
    dims = ("n_patterns", "rule")
    return xr.Dataset(
        {
            "recalled": (dims, exact, {"long_name": "Fraction of cues recalled exactly"}),
            "overlap": (dims, overlap, {"long_name": "Mean overlap of recall and stored image"}),
        },
        coords={"rule": list(RULES)},
    )


def main(settings: Settings) -> None:
    from hopfield_sim import Sweep, device

    device.resolve(settings.device)
    sweep = Sweep(
        partial(cell, settings),
        {"n_patterns": np.asarray(settings.n_patterns)},
        lanes=("n_patterns",),
        realisations=settings.realisations,
        seed=settings.seed,
        title="Recall of handwritten digits",
        settings=recorded(settings, AXES) | {"images": str(settings.images or "digits")},
    )
    if settings.dry_run:
        print(_plan(settings))
        return
    report(computed(sweep, settings), settings)


def report(found, settings: Settings) -> None:
    """Table, verdict line and figure of a finished store."""
    from hopfield_sim import statistics

    recalled = statistics.disorder(found.recalled)
    print(f"{'P':>4}  {'Hebb rule':>16}  {'projection rule':>16}   (fraction recalled exactly)")
    for count in found.n_patterns.values:
        row = recalled.sel(n_patterns=count)
        shown = (
            f"{float(row['mean'].isel(rule=k)):.3f} ± {float(row['error'].isel(rule=k)):.3f}"
            for k in range(len(RULES))
        )
        print(f"{count:>4}  {'  '.join(f'{text:>16}' for text in shown)}")
    figure = _figure(recalled, settings)
    saved(figure, settings.figure)
    print(_verdict(recalled["mean"], settings.flip_fraction))


def _verdict(recalled, flip_fraction: float) -> str:
    """One line: how far the projection rule goes, and the Hebb rule there."""
    hebb, projection = (recalled.isel(rule=k).values for k in range(len(RULES)))
    reliable = np.flatnonzero(projection >= 0.9)
    best = reliable[-1] if reliable.size else int(np.argmax(projection))
    return (
        f"verdict: with P = {recalled.n_patterns.values[best]} stored digits and "
        f"{flip_fraction:.0%} of the pixels of the cue flipped, the projection rule recalls "
        f"{projection[best]:.1%} without a wrong pixel, the Hebb rule {hebb[best]:.1%}"
    )


def _figure(recalled, settings: Settings):
    from matplotlib.figure import Figure

    shown = min(12, max(settings.n_patterns))
    seed = (settings.seed, 0)
    xi = stored(settings, shown, seed)
    cues, moved = recalls(settings, xi, seed)
    columns = min(8, shown)
    rows = {"stored": xi, "cue": cues, "Hebb": moved["hebb"], "projection": moved["projection"]}
    picture = source(settings).shape
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(1.35, 1))
    left.suptitle(f"{shown} digits stored, {columns} of them", fontsize=10)
    axes = left.subplots(len(rows), columns, squeeze=False)
    for line, (name, states) in zip(axes, rows.items(), strict=True):
        for k, panel in enumerate(line):
            panel.imshow(states[k].reshape(picture), cmap="gray_r", vmin=-1, vmax=1)
            panel.set(xticks=[], yticks=[])
            wrong = int(np.sum(states[k] != xi[k]))
            if name != "stored":
                panel.set_xlabel(f"{wrong} wrong", fontsize=7, labelpad=2)
        line[0].set_ylabel(name, fontsize=9)
    curve = right.subplots()
    styles = {"hebb": ("Hebb rule", "#d55e00", "o"), "projection": ("projection", "#0072b2", "s")}
    for k, (label, colour, marker) in enumerate(styles.values()):
        series = recalled.isel(rule=k)
        curve.errorbar(
            series.n_patterns,
            series["mean"],
            series["error"],
            color=colour,
            marker=marker,
            mfc="white",
            ms=5,
            capsize=2,
            ls="-" if k else "--",
            label=label,
        )
    curve.set(
        xlabel="number of stored digits $P$",
        ylabel="fraction of cues recalled exactly",
        ylim=(-0.03, 1.03),
    )
    curve.set_title(
        f"N = {xi.shape[1]} pixels, {settings.flip_fraction:.0%} flipped in the cue\n"
        f"mean ± standard error of {settings.realisations} draws",
        fontsize=9,
    )
    curve.legend()
    curve.grid(alpha=0.25)
    return figure


def _plan(settings: Settings) -> str:
    counts = np.asarray(settings.n_patterns)
    n_neurons = source(settings).patterns.shape[1]
    seconds = []
    for _ in range(2):  # the first call compiles
        begin = time.perf_counter()
        cell(settings, (settings.seed, 0), counts)
        seconds.append(time.perf_counter() - begin)
    visits = 2.0 * settings.realisations * _LONGEST * int(counts.sum()) * n_neurons
    memory = 40.0 * n_neurons**2 + 30.0 * max(counts) * n_neurons
    files = f"{settings.realisations} x 3 chunks in {settings.store}"
    return plan(settings.realisations, visits, seconds[1], memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
