"""The study of Softmax_1: its laws, layers and rounding against sampling; end to end."""

import contextlib
import io

import numpy as np
import pytest
import xarray as xr

from analysis import outliers
from experiments import outliers as experiment
from experiments.modern_capacity import at_overlap
from hopfield_sim import OutlierEfficient, patterns
from hopfield_sim.sweep import opened
from hopfield_sim.theory import log_sum_exp, rounding, softmax_one

SMALL = {
    "dimension": (16, 24),
    "threshold": (0.0, 0.2, 0.4, 0.6),
    "stored_dimension": 24,
    "stored_threshold": (0.3,),
    "start_overlap": (0.0, 0.3, 0.6),
    "queries": 64,
    "n_patterns": 12,
    "stack_dimension": 16,
    "layers": 2,
    "bits_dimension": (16, 32),
    "realisations": 3,
    "scheduler": "threads",
}


# ---------------------------------------------------------------------------------------- laws


def sampled(n_patterns, dimension, kappa, threshold, start_overlap=None, samples=1500):
    """Means and errors of weight, overlap, square and own weight, a = 1 and 0, by sampling."""
    rng = np.random.default_rng(5)
    rows = []
    for _ in range(samples):
        xi = rng.standard_normal((n_patterns, dimension))
        xi /= np.linalg.norm(xi, axis=1, keepdims=True)
        target = np.eye(dimension)[0]  # the query
        if start_overlap is not None:
            xi[0] = 0
            xi[0, :2] = start_overlap, np.sqrt(1 - start_overlap**2)
            target = xi[0]
        row = []
        for rest, t in ((1.0, threshold), (0.0, 0.0)):
            w = np.exp(kappa * (xi[:, 0] - t))
            w /= rest + w.sum()
            output = w @ xi
            row += [w.sum(), output @ target, output @ output, w[0]]
        rows.append(row)
    rows = np.array(rows)
    return rows.mean(axis=0), rows.std(axis=0) / np.sqrt(samples)


@pytest.mark.parametrize(
    ("n_patterns", "dimension", "kappa", "threshold"),
    [(8, 24, 12.0, 0.3), (5, 3, 4.0, 0.2), (40, 2, 6.0, -0.5), (1, 10, 3.0, 0.4)],
)
def test_off_memory_law_is_that_of_samples(n_patterns, dimension, kappa, threshold):
    """Five standard errors: for all 20 numbers together, chance exceeds them once in 10^5."""
    mean, error = sampled(n_patterns, dimension, kappa, threshold)
    law = softmax_one.off_memory(n_patterns, dimension, kappa, threshold)
    names = ("weight", "overlap", "square", None, None, "softmax_overlap", "softmax_square", None)
    for place, name in enumerate(names):
        if name:
            # of one pattern |output|^2 of softmax is 1 in every sample: rounding
            assert abs(mean[place] - float(law[name])) <= 5 * error[place] + 1e-10, name


@pytest.mark.parametrize(
    ("n_patterns", "dimension", "kappa", "threshold", "start_overlap"),
    [(8, 24, 12.0, 0.3, 0.5), (30, 4, 5.0, 0.6, 0.9), (2, 3, 4.0, 0.1, -0.4)],
)
def test_stored_law_is_that_of_samples(n_patterns, dimension, kappa, threshold, start_overlap):
    """Five standard errors, as above."""
    mean, error = sampled(n_patterns, dimension, kappa, threshold, start_overlap)
    law = softmax_one.stored(n_patterns, dimension, kappa, start_overlap, threshold)
    names = ("weight", "overlap", None, "own_weight")
    names += (None, "softmax_overlap", None, "softmax_own_weight")
    for place, name in enumerate(names):
        if name:
            assert abs(mean[place] - float(law[name])) <= 5 * error[place] + 1e-10, name


def test_one_pattern_is_known_exactly():
    """Of M = 1 pattern at x_0 the weight is 1/(1 + exp(-kappa (x_0 - t))), without an average."""
    law = softmax_one.stored(1, 12, 7.0, [-0.5, 0.3, 1.0], [0.0, 0.6])
    x = 7.0 * (law.start_overlap - law.threshold)
    np.testing.assert_allclose(law.weight, 1 / (1 + np.exp(-x)), atol=1e-11)
    np.testing.assert_allclose(law.overlap, law.own_weight, atol=1e-11)
    np.testing.assert_allclose(law.softmax_overlap, 1, atol=1e-11)


def test_weights_of_softmax_sum_to_one():
    """The double integral gives the number that is known for a = 0: the precision it states."""
    for number in (1, 2, 10**9):
        for dimension, kappa in ((2, 5.0), (3, 20.0), (50, 40.0), (1000, 0.1)):
            assert abs(softmax_one._means(number, dimension, kappa, 0.0, rest=0.0)[0] - 1) < 1e-11
            both = softmax_one._means(number, dimension, kappa, 0.0, 0.0, start_overlap=0.7)
            assert abs(both[0] - 1) < 1e-11


def test_boundary_is_the_limit_of_the_exact_law():
    """kappa (t_1/2 - t) tends to a constant: that of E exp(kappa m) beside its exponent.

    Above the condensation load the sum is its mean, exp(d phi) times
    (1 - u^2)^(-3/2) [(1 + u^2)/(1 - u^2)^2]^(-1/2) by Laplace's method, of logarithm 0.015. What is
    left, of order 1/d and from the fluctuations of the sum, was 0.05, 0.007 and 0.0002 at
    d = 40, 80 and 160.
    """
    alpha, sharpness = 0.2, 0.5
    limit = float(softmax_one.boundary(alpha, sharpness).threshold)
    noise = float(log_sum_exp.sphere_noise(alpha, sharpness).exponent)
    assert limit == pytest.approx(noise / sharpness, abs=1e-15)
    u = float(log_sum_exp.sphere(sharpness).overlap)
    constant = np.log1p(-(u**2)) * -1.5 - np.log((1 + u**2) / (1 - u**2) ** 2) / 2
    apart = []
    for d in (40, 160):
        kappa, number = sharpness * d, round(np.exp(alpha * d))
        t = limit + np.array([-1, 0, 1]) / kappa
        weight = softmax_one.off_memory(number, d, kappa, t).weight
        apart.append((float(outliers.half_threshold(weight)) - limit) * kappa)
    assert abs(apart[1] - constant) < 0.001 < abs(apart[0] - constant)
    # without a threshold the patterns win, however short the query
    assert (softmax_one.boundary([1e-3, 0.1, 1.0], [1e-3, 0.1, 10.0]).threshold > 0).all()


def test_sink_is_that_of_the_streams():
    """Entry and kurtosis of the states that the study makes; 2e5 entries: kurtosis to 1 %."""
    x = patterns.spherical(2000, 96, 3)
    xi = patterns.spherical(5, 96, 4)
    tokens, states = experiment.streams("softmax with sink", xi, x, 0.6)
    law = softmax_one.sink(96, 0.6)
    assert tokens.shape == (6, 97) and tokens[-1, -1] == float(law.entry)
    found = (states**4).mean() / (states**2).mean() ** 2
    assert found == pytest.approx(float(law.kurtosis), rel=0.01)
    assert float(softmax_one.sink(96, 0.6, 96).entry) == pytest.approx(np.sqrt(0.6))
    assert np.isnan(softmax_one.sink(96, -0.1).kurtosis)


# -------------------------------------------------------------------------------------- layers


def test_a_sink_does_what_a_threshold_does():
    """Equal weights, so equal outputs, to rounding."""
    xi, x = patterns.spherical(20, 30, 1), patterns.spherical(7, 30, 2)
    found = []
    for kind in ("softmax with sink", "Softmax_1 with threshold"):
        tokens, states = experiment.streams(kind, xi, x, 0.4)
        model, queries = experiment.layer(kind, tokens, 0.5, 0.4)
        found.append(model.recall(queries(states)))
    np.testing.assert_allclose(found[0][:, :30], found[1], atol=1e-13)
    assert (found[0][:, 30] == 0).all()


def test_a_threshold_of_zero_is_softmax_1():
    xi, x = patterns.spherical(20, 30, 1), patterns.spherical(7, 30, 2)
    model, queries = experiment.layer("Softmax_1 with threshold", xi, 0.5, 0.0)
    plain = OutlierEfficient(xi, 0.5)
    np.testing.assert_allclose(model.recall(queries(x)), plain.recall(x), atol=1e-14)


@pytest.mark.parametrize("kind", experiment.KINDS)
def test_error_of_rounding_is_its_first_order(kind):
    """Uniform noise in place of rounding, so small that the first order is all.

    The ratio of so many samples scatters by 0.5 % from seed to seed (0.75 % with the sink).
    """
    xi, x = patterns.spherical(6, 12, 1), patterns.spherical(4, 12, 2)
    tokens, states = experiment.streams(kind, xi, x, 0.4)
    model, queries = experiment.layer(kind, tokens, 0.3, 0.4)
    weights, output = model.weights(queries(states)), model.recall(queries(states))
    values = tokens if model.values is None else model.values
    steps = 2e-4, 3e-4
    law = rounding.squared_error(tokens, values, states, weights, 0.3, *steps)
    rng = np.random.default_rng(1)
    total = 0
    for _ in range(2000):
        moved = []
        for table, step in zip((tokens, states), steps, strict=True):
            felt = (table != 0) & (np.abs(table) < np.abs(table).max())
            moved.append(table + felt * step * (rng.random(table.shape) - 0.5))
        coarse, _ = experiment.layer(kind, moved[0], 0.3, 0.4)
        total += ((coarse.recall(queries(moved[1])) - output) ** 2).sum()
    assert total / 2000 == pytest.approx(law.sum(), rel=0.03)


def test_rounded_is_a_multiple_of_its_step_and_keeps_the_largest():
    x = patterns.spherical(9, 20, 1)
    coarse, step = experiment.rounded(x, 8)
    assert step == np.abs(x).max() / 127
    assert np.abs(coarse - x).max() <= step / 2 * (1 + 1e-12)
    np.testing.assert_allclose(coarse / step, np.rint(coarse / step), atol=1e-12)
    assert len(np.unique(np.rint(coarse / step))) <= 255
    place = np.unravel_index(np.abs(x).argmax(), x.shape)
    assert coarse[place] == pytest.approx(x[place], rel=1e-15)


# ---------------------------------------------------------------------------------- reductions


def made_up(kurtosis, largest):
    """A stack of one key set and normalisation, all kinds, whose layers are as given."""
    axes = ("key_set", "normalisation", "kind", "layer", "realisation")
    shape = (1, 1, 4, 3, 2)
    coords = {
        "key_set": ["random"],
        "normalisation": ["pre"],
        "kind": list(experiment.KINDS),
        "layer": range(3),
    }
    every = {"kurtosis": kurtosis, "largest": largest}
    return xr.Dataset(
        {
            name: (axes, np.broadcast_to(np.reshape(values, (1, 1, 4, 3, 1)), shape))
            for name, values in every.items()
        },
        coords=coords,
    )


def test_reductions_are_of_the_mean_and_of_the_maximum_behind_the_layers():
    kurtosis = [[99, 2, 4], [99, 8, 12], [99, 3, 3], [99, 2, 3]]
    largest = [[99, 1, 2], [99, 5, 4], [99, 2, 1], [99, 1, 4]]
    stack = made_up(kurtosis, largest)
    found = outliers.reductions(stack).isel(key_set=0, normalisation=0, realisation=0)
    assert found.kurtosis.sel(pair="softmax with sink") == pytest.approx(1 - 2.5 / 10)
    assert found.largest.sel(pair="softmax with sink") == pytest.approx(1 - 4 / 5)
    assert found.kurtosis.sel(pair="softmax") == found.largest.sel(pair="softmax") == 0
    text = outliers.stack_text(stack)
    assert "pre 75.00 ± 0.00 and 20.00 ± 0.00 %" in text and "22 %" in text


def test_half_threshold_inverts_a_logistic_weight():
    t = xr.DataArray([0.0, 0.1, 0.5, 0.7], dims="threshold")
    t = t.assign_coords(threshold=t.values)
    weight = 1 / (1 + np.exp(12 * (t - 0.37)))
    assert float(outliers.half_threshold(weight)) == pytest.approx(0.37, abs=1e-12)
    assert np.isnan(outliers.half_threshold(0 * weight + 0.9))


def test_ideal_kurtosis_is_that_of_such_activations():
    """Entries of 4000 states after two layers; 2 x 10^5 entries: to 3 %."""
    xi = patterns.spherical(4000, 48, 1)
    x = at_overlap(xi, 0.8, 2)
    x[:2000] += 2 * xi[:2000]
    found = (x**4).mean() / (x**2).mean() ** 2
    assert found == pytest.approx(outliers.ideal_kurtosis(np.array(2), 48, 0.8), rel=0.03)


# ---------------------------------------------------------------------------------- end to end


def small(folder, **changed):
    places = {"store": folder / "outliers", "figure": folder / "outliers.png"}
    return experiment.Settings(**(SMALL | places | changed))


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("outliers")
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        experiment.main(small(folder))
    return folder, printed.getvalue()


def test_it_ends_with_verdicts_and_a_figure(finished):
    folder, printed = finished
    assert printed.splitlines()[-1].startswith("8-bit error over its first-order estimate")
    # eight laws, of which the smallest study may have too few queries to judge some
    assert sum("cell" in line for line in printed.splitlines()[-8:]) == 8 and "22 %" in printed
    assert printed.count("mean z²") >= 3
    assert (folder / "outliers.png").stat().st_size > 10_000
    parts = ("off_memory", "stored", "stack", "rounding")
    stores = {name: opened(folder / "outliers" / f"{name}.zarr").load() for name in parts}
    for store in stores.values():
        for name in store.data_vars:
            assert store[name].attrs["long_name"] and store[name].attrs["units"], name
            assert store[name].notnull().all(), name
    stack = stores["stack"]
    assert stack.kurtosis.dims == ("key_set", "normalisation", "kind", "realisation", "layer")
    post = stack.square.sel(normalisation="post", kind="softmax")
    np.testing.assert_allclose(post, 1, atol=1e-12)  # normalised: |x|^2 = d
    assert float(stack.moved.isel(layer=0).max()) == 0
    weight = stores["off_memory"].weight.mean("realisation")
    assert (weight.sel(threshold=0.0) > weight.sel(threshold=0.6)).all()


def test_a_store_of_other_settings_is_refused(finished):
    folder, _ = finished
    chunks = {p: p.stat().st_mtime_ns for p in (folder / "outliers").rglob("c/*")}
    with pytest.raises(ValueError, match="queries"):
        experiment.main(small(folder, queries=17))
    assert chunks == {p: p.stat().st_mtime_ns for p in (folder / "outliers").rglob("c/*")}


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"queries": 1}, "--queries 1: at least 2"),
        ({"layers": 0}, "--layers 0"),
        ({"bits": 1}, "--bits 1: at least 2"),
        ({"n_patterns": 0}, "--n-patterns 0"),
        ({"alpha": 0.0}, "--alpha 0.0: a number > 0"),
        ({"sharpness": float("nan")}, "--sharpness nan"),
        ({"self_overlap": -1.0}, "--self-overlap -1.0"),
        ({"dimension": (4,)}, "--alpha 0.0866434: no two patterns exp.alpha d. at d = 4"),
        ({"dimension": ()}, "--dimension .none.: numbers of at least 2"),
        ({"bits_dimension": (1,)}, "--bits-dimension 1: numbers of at least 2"),
        ({"realisations": 1}, "--realisations 1: at least 2"),
        ({"threshold": (-0.1,)}, "threshold -0.1"),
        ({"layer_threshold": float("inf")}, "threshold inf"),
        ({"start_overlap": (1.1,)}, "overlap 1.1"),
    ],
)
def test_wrong_input_is_refused_before_any_work(changed, sentence):
    with pytest.raises(ValueError, match=sentence):
        experiment.sweeps(experiment.Settings(**changed))


def test_dry_run_only_tells(tmp_path, capsys):
    experiment.main(small(tmp_path, dry_run=True, workers=1))
    printed = capsys.readouterr().out
    for word in ("cells", "scores of a query", "time", "memory", "files"):
        assert word in printed
    assert not list(tmp_path.iterdir())
