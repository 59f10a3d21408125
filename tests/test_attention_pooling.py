"""Pooling of bags by attention: what single scores predict, the study end to end, wrong options."""

from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

from analysis import attention_pooling as analysis
from analysis import bag_scores
from experiments import attention_pooling as experiment
from hopfield_sim import patterns
from hopfield_sim.sweep import opened

pytest.importorskip("sklearn", reason="needs scikit-learn for its digits")

BETAS = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, np.inf)

# ------------------------------------------------------------------------- from single scores


@pytest.mark.parametrize("separation, deviation", [(2.5, 1.2), (4.0, 0.8), (0.0, 1.0)])
def test_mean_pooling_of_gaussian_scores_is_known(separation, deviation):
    """At beta = 0 the difference of two bags is normal: Phi(D / sqrt(2n - 1 + sigma^2))."""
    masses = bag_scores.gaussian(0, 1), bag_scores.gaussian(separation, deviation)
    n = np.array([4, 8, 32, 128])
    exact = ndtr(separation / np.sqrt(2 * n - 1 + deviation**2))
    # cells add 0.1^2/6 to variances (1e-4 of the area), the steps of the integrals up to 3e-4
    np.testing.assert_allclose(bag_scores.area(*masses, n, 0.0), exact, atol=4e-4)
    np.testing.assert_allclose(bag_scores.witness_weight(*masses, n, 0.0), 1 / n, rtol=1e-6)


def test_the_largest_of_two_is_known():
    """Infinite beta, n = 2: the witness is the larger one with Phi(D / sqrt(1 + sigma^2))."""
    masses = bag_scores.gaussian(0, 1), bag_scores.gaussian(1.5, 0.7)
    found = bag_scores.witness_weight(*masses, 2, np.inf)[0]
    # to be put into a cell, and then anywhere in it, adds 0.1^2/12 twice to each variance
    variance = 1 + 0.7**2 + 2 * bag_scores.WIDTH**2 / 6
    assert abs(found - ndtr(1.5 / np.sqrt(variance))) < 1e-5


@pytest.mark.parametrize("beta", BETAS)
def test_without_a_separation_nothing_is_told(beta):
    masses = [bag_scores.gaussian(0, 1)] * 2
    n = np.array([4, 64])
    # exchangeable instances, up to the steps of the integrals
    np.testing.assert_allclose(bag_scores.area(*masses, n, beta), 0.5, atol=3e-4)
    np.testing.assert_allclose(bag_scores.witness_weight(*masses, n, beta), 1 / n, rtol=3e-3)


@pytest.mark.parametrize("n", [4, 32])
def test_drawn_bags_of_gaussian_scores(n):
    """All beta on the same 20000 bags of each label, against the integrals."""
    separation, deviation, n_bags = 2.5, 1.2, 20_000
    s = patterns.gaussian(2 * n_bags, n, seed=(1, n))
    s[:n_bags, 0] = s[:n_bags, 0] * deviation + separation
    masses = bag_scores.gaussian(0, 1), bag_scores.gaussian(separation, deviation)
    for beta in BETAS:
        if np.isinf(beta):
            p = (s == s.max(axis=1, keepdims=True)).astype(float)
        else:
            p = np.exp(beta * (s - s.max(axis=1, keepdims=True)))
            p /= p.sum(axis=1, keepdims=True)
        pooled, weight = (p * s).sum(axis=1), p[:n_bags, 0]
        area = experiment.roc_area(pooled[:n_bags], pooled[n_bags:])
        # an area of N + N bags scatters by at most sqrt(A (1 - A) / N), here by 0.0035; 4 sigma
        error = np.sqrt(area * (1 - area) / n_bags)
        assert abs(area - bag_scores.area(*masses, n, beta)[0]) < 4 * error, beta
        error = weight.std() / np.sqrt(n_bags)
        theory = bag_scores.witness_weight(*masses, n, beta)[0]
        assert abs(weight.mean() - theory) < 4 * error + 1e-9, beta


def test_any_distribution_is_taken():
    """Two values of the others, one of the witness: the largest score by counting."""
    others = bag_scores.shares(np.repeat([-1.03, 1.97], [3, 1]))
    witness = bag_scores.shares(np.array([0.52]))
    assert others.sum() == pytest.approx(1) and witness.max() == 1
    # the witness is the largest of three if both others are at -1
    assert bag_scores.witness_weight(others, witness, 3, np.inf)[0] == pytest.approx(0.75**2)
    far = bag_scores.shares(np.array([-50.0, 50.0]))  # beyond the cells: counted in the last
    assert far[0] == far[-1] == 0.5


def test_half_of_the_attention_in_large_bags():
    """ln n = beta D - beta^2/2, and no solution where the largest of n outbids the witness."""
    beta = bag_scores.annealed_beta(4.0, 128)
    assert 4.0 * beta - beta**2 / 2 == pytest.approx(np.log(128)) and beta < np.sqrt(
        2 * np.log(128)
    )
    assert np.isnan(bag_scores.annealed_beta(2.5, 128))
    # a witness of one score: its mean weight at n = 128 is then near 1/2 (fluctuations of the sum)
    sharp = bag_scores.gaussian(4.0, 0.05)
    others = bag_scores.gaussian(0, 1)
    assert abs(bag_scores.witness_weight(others, sharp, 128, beta)[0] - 0.5) < 0.05
    # and 128 are too many for a separation of 2.5 at any beta
    weak = bag_scores.gaussian(2.5, 0.05)
    assert max(bag_scores.witness_weight(others, weak, 128, b)[0] for b in BETAS) < 0.5


# --------------------------------------------------------------------------------- closed forms


def test_area_counts_pairs():
    """2 > 1, 2 = 2, 3 > 1, 3 > 2: 3.5 of 4 pairs."""
    assert experiment.roc_area(np.array([2.0, 3.0]), np.array([1.0, 2.0])) == 3.5 / 4


def test_discriminant_is_that_of_fisher():
    """Unequal variances: each feature by its separation over variance; the middle lies between."""
    spread = np.array([1.0, 2.0, 0.5])
    x = patterns.gaussian(40_000, 3, seed=5) * spread
    away = np.array([1.0, 1.0, 0.0])
    w, middle = experiment.discriminant(x[:20_000] + away, x[20_000:], ridge=1e-9)
    # 20000 samples: C^-1 (m+ - m-) to about 1/sqrt(10000) in each feature over its spread
    np.testing.assert_allclose(w, away / spread**2, atol=4 * 0.01 * (1 / spread).max())
    assert middle == pytest.approx(w @ away / 2, abs=0.05)
    strong, _ = experiment.discriminant(x[:20_000] + away, x[20_000:], ridge=1e6)
    assert strong[0] == pytest.approx(strong[1], rel=0.05)  # the difference of the means alone


def test_bags_hold_one_witness_and_halves_nothing_in_common():
    settings = experiment.Settings(n_bags=30)
    labels = experiment.source(settings).labels
    learn, test = experiment.halves(settings, labels, (1, 0))
    assert not set(learn) & set(test) and len(learn) + len(test) == len(labels)
    numbers = experiment.bags(settings, labels, learn, 9, 8, (1, 0, 0))
    assert numbers.shape == (60, 8) and set(numbers.ravel()) <= set(learn)
    is_target = labels[numbers] == 9
    assert is_target[:30, 0].all() and is_target.sum() == 30
    again = experiment.bags(settings, labels, learn, 9, 8, (1, 0, 0))
    np.testing.assert_array_equal(numbers, again)
    assert (numbers != experiment.bags(settings, labels, learn, 9, 8, (1, 1, 0))).any()


def test_pooling_goes_from_the_mean_to_the_maximum(monkeypatch):
    x = patterns.gaussian(50, 6, seed=1)
    query = patterns.gaussian(1, 6, seed=2)[0]
    numbers = np.arange(40).reshape(8, 5)
    ends = {b: experiment.pooled(x, numbers, query, b) for b in (0, 1e-9, 1e3, np.inf)}
    np.testing.assert_allclose(ends[0][0], x[:40].reshape(8, 5, 6).mean(axis=1))
    for exact, near in ((0, 1e-9), (np.inf, 1e3)):
        for a, b in zip(ends[exact], ends[near], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-7)
    monkeypatch.setattr(experiment, "_ENTRIES", 100)  # three bags at once
    for beta, (vectors, weight) in ends.items():
        again = experiment.pooled(x, numbers, query, beta)
        np.testing.assert_allclose(again[0], vectors, atol=1e-12)
        np.testing.assert_allclose(again[1], weight, atol=1e-12)


# ----------------------------------------------------------------------------------- the study

SMALL = experiment.Settings(
    target=(0, 9),
    bag_size=(4, 16),
    beta=(0.0, 0.5, 2.0, np.inf),
    n_bags=60,
    realisations=3,
    scheduler="threads",
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("pooling")
    settings = replace(SMALL, store=folder / "x.zarr", figure=folder / "x.png")
    printed = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("builtins.print", lambda *text, **_: printed.append(" ".join(map(str, text))))
        experiment.main(settings)
    return settings, "\n".join(printed)


def test_it_ends_with_verdicts_and_a_figure(finished):
    settings, printed = finished
    assert sum("mean z²" in line for line in printed.splitlines()) == 4
    assert "holds half of the weight" in printed and "skewness" in printed
    assert settings.figure.stat().st_size > 10_000
    found = opened(settings.store).load()
    for name in found.data_vars:
        assert found[name].attrs["long_name"] and found[name].attrs["units"], name
    np.testing.assert_allclose(found.other_shares.sum("score"), 1)
    # attention finds a digit 0 among 16 where the mean of the bag nearly hides it
    area = found.readout_area.mean("realisation").sel(target=0, bag_size=16)
    assert float(area.sel(beta=2.0)) > 0.9 > float(area.sel(beta=0.0))
    equal = found.weight.sel(beta=0) * found.bag_size
    np.testing.assert_allclose(equal, 1)


def test_single_scores_explain_the_bags(finished):
    """Three realisations of 60 bags: means agree within 5 standard errors of 3 and 0.01."""
    found = opened(finished[0].store).load()
    theory = analysis.predicted(found, "measured")
    for name in ("area", "weight"):
        off = found[name] - theory[name]
        assert off.dims == found[name].dims
        # 180 bags in all: an area scatters by at most sqrt(A (1 - A) / 180), a weight less
        spread = np.sqrt(theory[name] * (1 - theory[name])).mean("realisation") / np.sqrt(180)
        assert (np.abs(off.mean("realisation")) < 5 * spread + 1e-3).all(), name


def test_crossings_of_known_weights():
    """A weight with logit 3 ln(beta / 0.8): 1/2 at beta = 0.8, in units of 1/deviation."""
    beta = np.array([0.0, 0.25, 0.5, 1.0, 2.0, np.inf])
    with np.errstate(divide="ignore"):
        weight = 1 / (1 + (beta / 0.8) ** -3.0)
    dims = ("target", "bag_size", "realisation")
    moments = {
        "other_deviation": 2.0,
        "witness_mean": 8.0,
        "witness_deviation": 0.1,
    }
    found = xr.Dataset(
        {name: (dims, np.full((1, 1, 2), value)) for name, value in moments.items()}
        | {"weight": ((*dims, "beta"), np.broadcast_to(weight, (1, 1, 2, 6)))},
        coords={"target": [3], "bag_size": [128], "beta": beta},
    )
    half = analysis.crossings(found).isel(target=0, bag_size=0)
    assert float(half.measured) == pytest.approx(0.8 * 2)
    assert float(half.annealed) == bag_scores.annealed_beta(4.0, 128)
    assert float(half.gaussian) == pytest.approx(float(half.annealed), rel=0.05)


@pytest.mark.parametrize(
    "wrong, sentence",
    [
        ({"bag_size": (1,)}, "--bag-size 1: numbers of at least 2"),
        ({"beta": (-1.0,)}, "--beta: numbers of at least 0"),
        ({"beta": (np.nan,)}, "--beta: numbers of at least 0"),
        ({"n_bags": 1}, "--n-bags 1: at least 2"),
        ({"ridge": 0.0}, "--ridge 0.0: a number > 0"),
        ({"target": (11,)}, "--target 11: at least 40 images"),
        ({"target": ()}, "--target: at least one class"),
    ],
)
def test_wrong_input_is_refused_before_any_work(tmp_path, wrong, sentence):
    settings = replace(SMALL, store=tmp_path / "x.zarr", **wrong)
    with pytest.raises(ValueError, match=sentence):
        experiment.main(settings)
    assert not settings.store.exists()


def test_other_images_are_another_study(tmp_path):
    """The same folder with other images in it, told apart by what it holds."""
    from sklearn.datasets import load_digits

    data = load_digits()
    few = data.images[:900].astype(np.uint8) * 15  # up to 240 of 255
    labels = data.target[:900].astype(np.uint8)
    for name, array in (("train-images-idx3-ubyte", few), ("train-labels-idx1-ubyte", labels)):
        head = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
        (tmp_path / name).write_bytes(head + array.tobytes())
    settings = replace(SMALL, images=tmp_path, target=(0,))
    before = experiment.study(settings).identity()
    assert experiment.study(settings).identity() == before
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:16] + few[::-1].tobytes())
    assert experiment.study(settings).identity() != before


def test_dry_run_only_tells(tmp_path, capsys):
    settings = replace(SMALL, store=tmp_path / "x.zarr", dry_run=True)
    experiment.main(settings)
    printed = capsys.readouterr().out
    assert (
        "cells      12," in printed and "images pooled" in printed
    )  # targets, sizes, realisations
    assert not settings.store.exists()
