"""Archetypes from real images: what networks recall that saw M examples of each class.

Stored: M binarised images of each class of a folder of IDX files (MNIST, Fashion-MNIST), or of
scikit-learn's digits; with a teacher (supervised: class averages) or without (unsupervised: all
images side by side), P-body couplings. An archetype is what most images of its class show; no
network ever sees it. Started in it, or in images that were not among the examples, the network
relaxes at T = 0 until nothing moves: how much of the archetype is there then, and is it that of the
right class? Drawn: pictures, and the overlap with the archetype against M for several P, beside
the majority rule (classes that do not interfere) and the theory in which they do.

Images are three times binarised: "median", every pixel by its own median, those left out that are
the same in nearly all images; "threshold", by one grey value: then all classes share their dark
background, and every network has but one state or two; "shuffled", as "median", but with each
pixel from another image of the class: the same class averages, and no correlations within a class.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import (
    Options,
    checksum,
    computed,
    ended,
    place,
    plan,
    read,
    recorded,
    saved,
    started,
    written,
)

AXES = ("binarisation", "interaction", "n_examples")
BINARISATIONS = ("median", "threshold", "shuffled")
RULES = ("supervised", "unsupervised")
_LONGEST = 1000  # sweeps; zero temperature in fixed order halts by itself, far earlier
_PLACES = ("images", "numbers", "redraw")
_TILT = 3  # share by which the own overlap is made larger or smaller, times sqrt(N)
_DISTINCT = 4  # the largest P for which sums over examples are exact with distinct sites


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/images")
    """Folder of one Zarr store for each set of images. Found again, they are resumed, and extended
    by other grid values or more realisations; made with other settings, refused."""
    figure: Path = Path("results/images.png")
    numbers: Path = Path("results/images.nc")
    """NetCDF file of what table and figure show: written when all is computed."""
    redraw: bool = False
    """Simulate nothing and read no images: table and figure from --numbers."""
    images: tuple[Path, ...] = ()
    """Folders of labelled IDX files, one set of images each; none: scikit-learn's digits."""
    realisations: int = 16
    """Independent draws of the examples; the error bars come from them."""
    n_examples: tuple[int, ...] = (1, 3, 7, 15, 31, 63)
    """Examples M of each class; odd numbers have no ties."""
    interaction: tuple[int, ...] = (2, 3, 4, 8, 16)
    """Orders P of the couplings; distinct sites up to P = 4, S^P ("full") beyond."""
    binarisation: tuple[str, ...] = BINARISATIONS
    """How images are binarised."""
    n_cues: int = 4
    """Images of each class, not among the examples, from which recall is started."""
    balance: float = 0.2
    """Binarisation "median": pixels lit in less than this share of all images, or dark in less,
    are no neurons."""


def source(settings: Settings, folder: Path | None, binarisation: str):
    """The images as patterns: `hopfield_sim.images.Images`, and which pixels are neurons."""
    from hopfield_sim import images

    if binarisation == "threshold":
        found = images.digits() if folder is None else images.folder(folder)
        return found, np.ones(found.patterns.shape[1], bool)
    found = images.digits("median") if folder is None else images.folder(folder, "median")
    share = np.mean(found.patterns > 0, axis=0)
    pixels = (share >= settings.balance) & (share <= 1 - settings.balance)
    return found._replace(patterns=np.ascontiguousarray(found.patterns[:, pixels])), pixels


def sources(settings: Settings, folder: Path | None, binarisations) -> dict:
    """`source` of each binarisation; shuffled images are shuffled when they are drawn."""
    found = {}
    for name in map(str, binarisations):
        other = {"median": "shuffled", "shuffled": "median"}.get(name)
        found[name] = found[other] if other in found else source(settings, folder, name)
    return found


def drawn(
    settings: Settings, found, is_shuffled: bool, n_examples: int, seed
) -> tuple[np.ndarray, np.ndarray]:
    """Cues and examples of each class, all different images: each (class, image, neuron).

    found: the images. is_shuffled: each pixel of an image comes from another one of its class.
    Fewer examples are the first of more, and the cues are the same.
    """
    from hopfield_sim import examples, randomness

    count = settings.n_cues + int(n_examples)
    # refuses classes that are too small
    images = examples.of_classes(found.patterns, found.labels, count, seed)
    for label, image in zip(np.unique(found.labels), images, strict=True):
        if is_shuffled:
            members = found.patterns[found.labels == label]
            # ranks of random words are a random permutation, of each pixel another one
            blocks = randomness.blocks_per_sweep(members.shape[1])
            key = randomness.key(seed, *members.shape)
            lanes = np.stack([np.arange(len(members)), np.full(len(members), label)], axis=-1)
            words = randomness.words(key, randomness.EXAMPLES, lanes, 0, blocks)
            order = np.argsort(words[:, : members.shape[1]], axis=0, kind="stable")[:count]
            image[...] = np.take_along_axis(members, order, axis=0)
    return images[:, : settings.n_cues], images[:, settings.n_cues :]


def counts(found) -> tuple[np.ndarray, np.ndarray]:
    """How often each pixel is lit, (class, neuron), and the images of each class, (class,)."""
    classes, members = np.unique(found.labels, return_counts=True)
    lit = [np.sum(found.patterns[found.labels == label] > 0, axis=0) for label in classes]
    return np.array(lit), members


def archetypes(found) -> np.ndarray:
    """What most images of each class show, ties lit: float32 (class, neuron) of +-1."""
    lit, members = counts(found)
    return np.where(2 * lit >= members[:, None], 1, -1).astype(np.float32)


def network(rule: str, examples: np.ndarray, interaction: int):
    """The network that learned `examples` (class, example, neuron): `Hopfield` or `Dense`."""
    from hopfield_sim import Dense
    from hopfield_sim.learning import examples as learning

    if rule == "supervised":
        stored = examples.sum(axis=1)
        if interaction <= _DISTINCT:
            return learning.supervised(stored, examples.shape[1], None, interaction)
    else:
        if interaction <= _DISTINCT:
            return learning.unsupervised(examples, None, interaction)
        stored = examples.reshape(-1, examples.shape[-1])
    return Dense(stored, interaction, "full")


def recalls(settings: Settings, rule, examples, interaction, starts, seed) -> np.ndarray:
    """Where the network of these examples goes from `starts` (..., neuron): the same shape."""
    from hopfield_sim import ZeroTemperature, updated

    model = network(rule, examples, interaction)
    flat = starts.reshape(-1, starts.shape[-1])
    moved = updated(model, ZeroTemperature(), flat, _LONGEST, seed, settings.device)
    return moved.reshape(starts.shape)


def cell(settings: Settings, folder: Path | None, seed, binarisation, interaction, n_examples):
    """One draw of examples: Dataset over (binarisation, interaction, n_examples, rule, class)."""
    import xarray as xr

    found = sources(settings, folder, binarisation)
    n_classes = len(np.unique(next(iter(found.values()))[0].labels))
    grid = (len(binarisation), len(interaction), len(n_examples), len(RULES))
    values = {
        name: np.empty((*grid, n_classes))
        for name in ("overlap", "recalled", "cue_overlap", "cue_recalled")
    }
    states = np.empty(grid)
    every = range(n_classes)
    for b, (name, (images, _)) in enumerate(found.items()):
        a = archetypes(images)
        cues, shown = drawn(settings, images, name == "shuffled", max(n_examples), seed)
        starts = np.concatenate([a[:, None], cues], axis=1)
        for at in np.ndindex(*grid[1:]):
            order, count = int(interaction[at[0]]), int(n_examples[at[1]])
            end = recalls(settings, RULES[at[2]], shown[:, :count], order, starts, seed)
            m = end @ a.T / a.shape[1]  # (class, start, archetype)
            own = m[every, :, every]
            is_nearest = m.argmax(axis=-1) == np.arange(n_classes)[:, None]
            where = (b, *at)
            values["overlap"][where], values["recalled"][where] = own[:, 0], is_nearest[:, 0]
            values["cue_overlap"][where] = own[:, 1:].mean(axis=1)
            values["cue_recalled"][where] = is_nearest[:, 1:].mean(axis=1)
            states[where] = len(np.unique(end[:, 0], axis=0))
    text = {
        "overlap": "Overlap with the archetype of the class after a start in it",
        "recalled": "Whether that archetype is then the nearest one",
        "cue_overlap": "Overlap with the archetype of the class after a start in another image",
        "cue_recalled": "Share of such starts after which that archetype is the nearest one",
    }
    dims = (*AXES, "rule", "class")
    described = {name: (dims, values[name], _label(text[name])) for name in text}
    label = _label("Different states reached from the archetypes")
    return xr.Dataset(
        described | {"n_states": (dims[:-1], states, label)},
        coords={"rule": list(RULES), "class": np.arange(n_classes)},
    )


def main(settings: Settings) -> None:
    from hopfield_sim import device

    if settings.redraw:
        results = read(settings.numbers, "run without --redraw first, or name others: --numbers.")
        report(results, settings)
        return
    device.resolve(settings.device)
    checked(settings)
    if settings.dry_run:
        print(_plan(settings))
        return
    parts = [_one(settings, folder) for folder in settings.images or (None,)]
    results = _results(settings, parts)
    written(results, settings.numbers)
    report(read(settings.numbers, "it was written just now."), settings)


def names(settings: Settings) -> list[str]:
    """What the sets of images are called: the names of their folders."""
    return [folder.name for folder in settings.images] or ["digits"]


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work. Raises ValueError."""
    for name in AXES:
        if not getattr(settings, name):
            raise ValueError(f"--{name.replace('_', '-')}: at least one is needed.")
    unknown = set(settings.binarisation) - set(BINARISATIONS)
    if unknown:
        raise ValueError(
            f"--binarisation {' '.join(unknown)}: allowed are {', '.join(BINARISATIONS)}."
        )
    if not 0 <= settings.balance < 0.5:
        raise ValueError(f"--balance {settings.balance}: a share of at least 0, below 0.5.")
    if settings.n_cues < 1 or min(settings.n_examples) < 1:
        raise ValueError("--n-cues, --n-examples: at least 1 is needed.")
    if settings.realisations < 2:
        raise ValueError("--realisations: at least 2 are needed, the error bars come from them.")
    if len(set(names(settings))) < len(settings.images):
        raise ValueError("--images: two folders have the same name; stores and tables use it.")
    shapes = {}
    for folder, name in zip(settings.images or (None,), names(settings), strict=True):
        for binarisation, (found, _) in sources(settings, folder, settings.binarisation).items():
            if found.labels.min() < 0:
                raise ValueError(f"--images {folder}: there are no labels, so no classes.")
            shapes[name] = found.shape
            most, is_shuffled = max(settings.n_examples), binarisation == "shuffled"
            _, examples = drawn(settings, found, is_shuffled, most, (settings.seed, 0))
            for interaction in settings.interaction:  # raises where integers would not be exact
                network("supervised", examples, interaction)
    if len(set(shapes.values())) > 1:
        raise ValueError(f"--images: pictures of one shape are needed, not {shapes}.")


def _one(settings: Settings, folder: Path | None):
    """Sweep, theory and pictures of one set of images: Dataset over (dataset, ...)."""
    from hopfield_sim import Sweep

    (name,) = names(replace(settings, images=(folder,) if folder else ()))
    images, _ = source(settings, folder, "threshold")
    sweep = Sweep(
        partial(cell, settings, folder),
        {
            "binarisation": list(settings.binarisation),
            "interaction": np.unique(settings.interaction),
            "n_examples": np.unique(settings.n_examples),
        },
        lanes=AXES,
        realisations=settings.realisations,
        seed=settings.seed,
        title="Archetypes from real images",
        settings=recorded(settings, (*AXES, *_PLACES))
        | {"images": name, "checksum": checksum(images)},
    )
    found = computed(sweep, settings, name).drop_vars("done").load()
    loaded = sources(settings, folder, found.binarisation.values)
    found = found.merge(_theory(loaded, found)).expand_dims(dataset=[name])
    return found.merge(_pictures(settings, loaded, name))


def _theory(loaded: dict, found):
    """What theory says of the images on the grid of a sweep: Dataset."""
    import xarray as xr

    from analysis import class_averages

    binarisations, orders, numbers = (found[axis].values for axis in AXES)
    shape = (len(binarisations), len(orders), len(numbers), found.sizes["class"])
    values = {name: np.empty(shape) for name in ("predicted", "interference", "unsteadiness")}
    majority = np.empty((shape[0], *shape[2:]))
    n_neurons = np.empty(shape[0], int)
    same = {}  # shuffled images have the counts of those that were shuffled
    for b, binarisation in enumerate(binarisations):
        lit, members = counts(loaded[str(binarisation)][0])
        n_neurons[b] = lit.shape[1]
        first = same.setdefault((binarisation == "threshold"), b)
        if first != b:
            majority[b] = majority[first]
            for each in values.values():
                each[b] = each[first]
            continue
        tilt = min(_TILT / lit.shape[1] ** 0.5, 0.9)
        for k, count in enumerate(numbers):
            majority[b, k] = class_averages.alone(lit, members, int(count))
            for p, order in enumerate(orders):
                given = lit, members, int(count), int(order)
                m, weight = class_averages.together(*given)
                tilted = [
                    class_averages.together(*given, (1 + by) ** (int(order) - 1))[0]
                    for by in (-tilt, tilt)
                ]
                values["predicted"][b, p, k], values["interference"][b, p, k] = m, weight
                values["unsteadiness"][b, p, k] = np.abs(np.array(tilted) - m).max(axis=0)
    text = {
        "predicted": "Theory of the overlap with supervision, classes interfering",
        "interference": "Largest weight of another class in the field, that of the own class 1",
        "unsteadiness": "Change of it if the own overlap counts by 3/sqrt(N) more or less",
    }
    dims = (*AXES, "class")
    variables = {name: (dims, each, _label(text[name])) for name, each in values.items()}
    variables["majority"] = (
        (dims[0], *dims[2:]),
        majority,
        _label("Overlap with the archetype by the majority rule"),
    )
    variables["n_neurons"] = (dims[:1], n_neurons, _label("Number of neurons N"))
    return xr.Dataset(variables, coords={name: found[name] for name in dims})


def _label(text: str) -> dict[str, str]:
    return {"long_name": text, "units": "1"}


def _pictures(settings: Settings, loaded: dict, name: str):
    """Archetypes, examples and what is recalled of them: Dataset (dataset, picture, class, ...)."""
    import xarray as xr

    binarisation = "median" if "median" in loaded else next(iter(loaded))
    found, pixels = loaded[binarisation]
    seed, most = (settings.seed, 0), max(settings.n_examples)
    _, images = drawn(settings, found, binarisation == "shuffled", most, seed)
    a = archetypes(found)
    shown = {"archetype": a, "an example": images[:, 0]}
    orders = sorted(settings.interaction)
    for order in sorted({orders[0], orders[len(orders) // 2], orders[-1]}):
        end = recalls(settings, "supervised", images, order, a, seed)
        shown[f"P = {order}, M = {most}"] = end
    values = np.zeros((len(shown), len(a), pixels.size), np.int8)
    values[..., pixels] = np.array(list(shown.values()))
    values = values.reshape(*values.shape[:2], *found.shape)
    attrs = _label("Pixels: lit 1, dark -1, no neuron 0")
    return xr.Dataset(
        {"pixels": (("dataset", "picture", "class", "row", "column"), values[None], attrs)},
        coords={"dataset": [name], "picture": list(shown), "class": np.arange(len(a))},
    )


def _results(settings: Settings, parts):
    """All sets of images side by side, as they are written."""
    import xarray as xr

    from hopfield_sim import provenance
    from hopfield_sim.provenance import as_json
    from hopfield_sim.randomness import STREAM_VERSION

    found = xr.concat(parts, "dataset", join="outer", data_vars="all")
    for name in ("recalled", "cue_overlap", "cue_recalled"):
        found[name] = found[name].mean("class", keep_attrs=True)
    for name, values in found.items():
        if values.dtype == float:  # a small file: seven digits
            found[name] = values.astype(np.float32, keep_attrs=True)
    known = recorded(settings, _PLACES) | {"images": names(settings)}
    last = provenance.runs(place(settings, names(settings)[0]))[-1]
    kept = ("date", "device", "platform", "hopfield-sim", "numpy", "numba")
    found.attrs = {
        "title": "Archetypes from real images",
        "settings": as_json(known),
        "seed": settings.seed,
        "stream_version": STREAM_VERSION,
        **{name: str(last.get(name)) for name in kept},
    }
    return found


def report(found, settings: Settings) -> None:
    """Tables, figure and verdicts of finished results."""
    from analysis import images

    print(images.table(found))
    figure = images.archetypes(found)
    saved(figure, settings.figure)
    for line in images.verdicts(found):
        print(line)


def _plan(settings: Settings) -> str:
    grid = [np.asarray(getattr(settings, axis)) for axis in AXES]
    spent, visits, memory = 0.0, 0.0, 0.0
    folders = settings.images or (None,)
    for folder in folders:
        cell(settings, folder, (settings.seed, 0), grid[0], grid[1], grid[2][:1])  # compiles
        begin = time.perf_counter()
        cell(settings, folder, (settings.seed, 0), *grid)
        spent += time.perf_counter() - begin
        images, _ = source(settings, folder, settings.binarisation[0])
        n_classes, n_neurons = archetypes(images).shape
        lanes = n_classes * (1 + settings.n_cues)
        sweeps = 10  # until nothing moves, about
        visits += float(lanes * sweeps * n_neurons * len(RULES) * np.prod([len(g) for g in grid]))
        memory = max(memory, 20.0 * images.patterns.size)
    n_cells = settings.realisations * len(folders)
    files = f"{n_cells} x 6 chunks in {settings.store}"
    seconds = spent / len(folders)
    total = visits * settings.realisations
    return plan(n_cells, total, seconds, memory, files, settings.workers)


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
