"""Which bags hold a digit? Hopfield pooling of bags of images, learned from labels of bags alone.

A bag holds n images; a positive one holds exactly one of the target class (the witness), a negative
one none, so that a bag is positive when it holds at least one. Nobody says which image it is.
Everything is in closed form, without gradient training: the linear discriminant of the *means* of
training bags is the query; pooling is softmax attention with it, x = sum_i p_i x_i,
p_i ~ exp(beta s_i), s_i = query . x_i in units of the scatter of s in negative bags (beta = 0: the
mean of a bag; beta = infinity: its image of the highest score); a second linear discriminant reads
the pooled vectors out. Images of training and of test bags are different ones.

Drawn against beta and n, for an easy target and a hard one: the weight of the witness; how well the
pooled score x . query tells positive from negative bags (area under the ROC curve); area and
accuracy of the read-out. Theory: attention is diluted, the witness holds half of it when
ln n = beta D - beta^2/2 with D its distance from the other scores in their standard deviations, and
never if D < sqrt(2 ln n), when the largest of n normal numbers outbids it (a random-energy model);
and the exact mean weight and area for finite n, for Gaussian scores of the measured means and
variances, and for the measured distribution of single scores. Printed: D, and verdicts of both.
Gaussian scores miss by some 0.02, as images that resemble the target make a skewed tail; the
measured distribution, from which bags are independent draws, must agree.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from experiments.options import (
    Options,
    at_least,
    cells,
    checksum,
    computed,
    ended,
    plan,
    positive,
    recorded,
    saved,
    started,
)

AXES = ("target", "bag_size", "beta")
_LEARN, _TEST = range(2)
_ENTRIES = 2**19  # numbers of the bags that are pooled at once
_FEWEST = 20  # images of the target, and of the others, in a half of the data on average


@dataclass(frozen=True, kw_only=True)
class Settings(Options):
    store: Path = Path("results/attention_pooling.zarr")
    figure: Path = Path("figures/attention_pooling.png")
    realisations: int = 16
    """Independent halvings of the images and bags drawn from the halves; the error bars come from
    them."""
    target: tuple[int, ...] = (0, 9)
    """Classes whose presence makes a bag positive."""
    bag_size: tuple[int, ...] = (4, 8, 16, 32, 64, 128)
    """Images n of a bag."""
    beta: tuple[float, ...] = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, float("inf"))
    """Inverse temperatures of the attention, in units of 1/(standard deviation of the scores);
    0 is the mean, inf the image of the highest score."""
    n_bags: int = 400
    """Bags of each label, to learn from, and as many to test."""
    ridge: float = 1.0
    """Added to the covariance of a discriminant, in units of its mean eigenvalue."""
    images: Path | None = None
    """Folder of labelled IDX files to take the images from; none: scikit-learn's digits."""


def source(settings: Settings):
    """The images and their labels: `hopfield_sim.images.Images`, float32 of +-1."""
    from hopfield_sim import images

    return images.digits() if settings.images is None else images.folder(settings.images)


def halves(settings: Settings, labels: np.ndarray, seed) -> list[np.ndarray]:
    """The numbers of the images to learn from and to test, a random half each."""
    from hopfield_sim import randomness

    n_blocks = randomness.blocks_per_sweep(len(labels))
    words = randomness.words(randomness.key(seed), randomness.EXAMPLES, (0, 0), 0, n_blocks)
    order = np.argsort(words[: len(labels)], kind="stable")
    return [order[: len(labels) // 2], order[len(labels) // 2 :]]


def bags(settings: Settings, labels, half, target: int, bag_size: int, seed) -> np.ndarray:
    """Numbers of the images of bags, first the positive ones: (2 n_bags, bag_size).

    Independent draws of one image of the target (the first of a positive bag) and of others.
    """
    from hopfield_sim import randomness

    of_target = labels[half] == target
    members, others = half[of_target], half[~of_target]
    shape = (2 * settings.n_bags, bag_size)
    count = shape[0] * (bag_size + 1)
    key = randomness.key(seed, target, bag_size)
    n_blocks = randomness.blocks_per_sweep(count)
    words = randomness.words(key, randomness.EXAMPLES, (1, 0), 0, n_blocks)[:count]
    drawn = others[randomness.sites(words[: shape[0] * bag_size], len(others))].reshape(shape)
    witnesses = members[randomness.sites(words[-settings.n_bags :], len(members))]
    drawn[: settings.n_bags, 0] = witnesses
    return drawn


def pooled(patterns: np.ndarray, numbers: np.ndarray, query: np.ndarray, beta: float):
    """Pooled vectors (bag, pixel) and the weight of the first image of each bag (bag,).

    numbers: of the images of each bag (bag, image). query: (pixel,), not needed for beta = 0.
    """
    from hopfield_sim.attention import hopfield_pooling

    vectors, weights = [], []
    at_once = max(1, _ENTRIES // (numbers.shape[1] * patterns.shape[1]))
    for first in range(0, len(numbers), at_once):
        some = patterns[numbers[first : first + at_once]]
        if beta == 0:
            vectors.append(some.mean(axis=1))
            weights.append(np.full(len(some), 1 / numbers.shape[1]))
        elif np.isinf(beta):
            best = (some @ query).argmax(axis=1)
            vectors.append(some[np.arange(len(some)), best])
            weights.append((best == 0).astype(float))
        else:
            found = hopfield_pooling(some, query[None], beta=beta, keep_association=True)
            vectors.append(found.output)
            weights.append(found.association[:, 0, 0, 0])
    return np.concatenate(vectors), np.concatenate(weights)


def discriminant(positive: np.ndarray, negative: np.ndarray, ridge: float):
    """Fisher's direction w = (C + r c I)^-1 (m+ - m-), and the middle w . (m+ + m-)/2.

    Returns w, float32 (pixel,), and a number. positive, negative: (bag, pixel). C: the mean of
    their covariances, c its mean eigenvalue.
    """
    means = positive.mean(axis=0, dtype=float), negative.mean(axis=0, dtype=float)
    away = np.concatenate([positive - means[0], negative - means[1]])
    covariance = away.T @ away / (len(away) - 2)
    covariance += ridge * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    w = np.linalg.solve(covariance, means[0] - means[1])
    return w.astype(np.float32), float(w @ (means[0] + means[1]) / 2)


def roc_area(positive: np.ndarray, negative: np.ndarray) -> float:
    """The share of pairs with positive > negative, equal ones counted half."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([positive, negative]))[: len(positive)]
    return (ranks.mean() - (len(positive) + 1) / 2) / len(negative)


def cell(settings: Settings, seed, target: int, bag_size: int, beta) -> object:
    """One halving of the images, and bags of both halves: Dataset over (beta)."""
    import xarray as xr

    from analysis import bag_scores

    found = source(settings)
    x, labels = found.patterns, found.labels
    half = halves(settings, labels, seed)
    numbers = [
        bags(settings, labels, half[part], target, bag_size, (*seed, part))
        for part in (_LEARN, _TEST)
    ]
    split = settings.n_bags
    means, _ = pooled(x, numbers[_LEARN], None, 0)
    query, _ = discriminant(means[:split], means[split:], settings.ridge)
    query /= np.std((x @ query)[numbers[_LEARN][split:]])  # labels of bags are enough for that
    values = {name: np.empty(len(beta)) for name in ("area", "readout_area", "accuracy", "weight")}
    for k, b in enumerate(map(float, beta)):
        learn, _ = pooled(x, numbers[_LEARN], query, b)
        test, weight = pooled(x, numbers[_TEST], query, b)
        w, middle = discriminant(learn[:split], learn[split:], settings.ridge)
        for name, direction in (("area", query), ("readout_area", w)):
            projected = test @ direction
            values[name][k] = roc_area(projected[:split], projected[split:])
        right = (test[:split] @ w > middle).mean() + (test[split:] @ w <= middle).mean()
        values["accuracy"][k] = right / 2
        values["weight"][k] = weight[:split].mean()
    # single scores of all images that test bags are drawn from, the others' mean at 0
    scores, of_target = x[half[_TEST]] @ query, labels[half[_TEST]] == target
    scores = scores.astype(float) - scores[~of_target].mean()
    text = {
        "area": "Area under the ROC curve of the pooled score",
        "readout_area": "Area under the ROC curve of the read-out of pooled vectors",
        "accuracy": "Share of bags that the read-out puts into the right class",
        "weight": "Mean weight of the witness in positive bags",
    }
    described = {name: ("beta", values[name], _label(text[name])) for name in text}
    moments = {
        "other_deviation": (scores[~of_target].std(), "Standard deviation of the others' scores"),
        "witness_mean": (scores[of_target].mean(), "Mean score of the target, the others' at 0"),
        "witness_deviation": (scores[of_target].std(), "Standard deviation of the target's scores"),
    }
    described |= {name: ((), value, _label(long)) for name, (value, long) in moments.items()}
    for name, these in (("other", ~of_target), ("witness", of_target)):
        share = bag_scores.shares(scores[these])
        long_name = f"Share of scores in a cell, {name}s"
        described[f"{name}_shares"] = ("score", share, _label(long_name))
    return xr.Dataset(described, coords={"score": bag_scores.CENTRES})


def _label(text: str) -> dict[str, str]:
    return {"long_name": text, "units": "1"}


def study(settings: Settings):
    """The sweep of these settings. Raises ValueError for what cannot be."""
    from hopfield_sim import Sweep

    checked(settings)
    found, name = source(settings), settings.images.name if settings.images else "digits"
    return Sweep(
        partial(cell, settings),
        {
            "target": np.unique(settings.target),
            "bag_size": np.unique(settings.bag_size),
            "beta": np.unique(np.asarray(settings.beta, float)),
        },
        lanes=("beta",),
        realisations=settings.realisations,
        seed=settings.seed,
        title="Hopfield pooling of bags of images",
        settings=recorded(settings, AXES) | {"images": name, "checksum": checksum(found)},
    )


def main(settings: Settings) -> None:
    sweep = study(settings)
    if settings.dry_run:
        print(_plan(settings, sweep))
        return
    report(computed(sweep, settings).load(), settings)


def checked(settings: Settings) -> None:
    """Refuse what cannot be, before any work."""
    from hopfield_sim import device

    device.resolve(settings.device)
    at_least(settings, bag_size=2, n_bags=2, realisations=2)
    positive(settings, "ridge")
    if not settings.beta or not all(b >= 0 for b in settings.beta):  # NaN fails too
        raise ValueError("--beta: numbers of at least 0 are needed; inf is allowed.")
    labels = source(settings).labels
    for target in settings.target:
        if min(np.sum(labels == target), np.sum(labels != target)) < 2 * _FEWEST:
            raise ValueError(
                f"--target {target}: at least {2 * _FEWEST} images of that class, and as many "
                f"others, are needed; there are {np.sum(labels == target)} and "
                f"{np.sum(labels != target)}."
            )
    if not settings.target:
        raise ValueError("--target: at least one class is needed.")


def report(found, settings: Settings) -> None:
    """Table, figure and verdicts of a finished store."""
    from analysis import attention_pooling, comparison

    theory = {way: attention_pooling.predicted(found, way) for way in attention_pooling.WAYS}
    print(attention_pooling.table(found))
    half = attention_pooling.crossings(found)
    print(attention_pooling.crossing_table(half))
    name = "scikit-learn's digits" if settings.images is None else settings.images.name
    title = (
        f"Bags of {name}: {found.sizes['realisation']} realisations, "
        f"{settings.n_bags} bags of each label to learn from and to test"
    )
    saved(attention_pooling.figure(found, theory["measured"], half, title), settings.figure)
    for text, scores, left_out in attention_pooling.scored(found, theory):
        verdict = comparison.verdict(scores, columns=("target", "bag_size"), reasons=left_out)
        largest = float(np.abs(scores.difference).max())
        print(f"{text}: {verdict}; largest difference of means {largest:.3f}")
    print(attention_pooling.shape_line(found))


def _plan(settings: Settings, sweep) -> str:
    sizes = np.unique(settings.bag_size)
    seconds = []
    for _ in range(2):  # the first call compiles and loads
        begin = time.perf_counter()
        cell(settings, (settings.seed, 0), settings.target[0], int(sizes[-1]), settings.beta)
        seconds.append(time.perf_counter() - begin)
    n_cells = cells(sweep)
    n_bags = 4 * settings.n_bags * settings.realisations * len(np.unique(settings.target))
    visits = float(n_bags * sizes.sum() * len(settings.beta))
    found = source(settings)
    memory = 30.0 * found.patterns.size + 64.0 * found.patterns.shape[1] ** 2 + 16.0 * _ENTRIES
    mean = seconds[1] * sizes.mean() / sizes[-1]
    files = f"{n_cells} x 9 chunks in {settings.store}"
    return plan(n_cells, visits, mean, memory, files, settings.workers, "images pooled")


if __name__ == "__main__":
    ended(main, started(Settings, __doc__))
