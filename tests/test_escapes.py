"""Replicas that leave a metastable state: which, when, how fast; and averages over the others."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from analysis import comparison
from experiments import retrieval
from hopfield_sim import statistics, theory
from tests.chains import labelled

STAY, RETURN, LEAVE, EARLY, LAST = (
    [0.9] * 8,
    [0.9, 0.9, 0.1, 0.1, 0.9, 0.1, 0.9, 0.9],  # below for a while: no escape
    [0.9, 0.1, 0.9, 0.9, 0.9, 0.1, 0.2, 0.1],  # for good from sample 5 on
    [0.3] * 8,  # before the first sample
    [0.9] * 7 + [0.1],
)


def test_who_left_and_when():
    x = labelled(np.array([STAY, RETURN, LEAVE, EARLY, LAST]))
    found = statistics.escapes(x)  # below half of 0.9
    assert float(found.threshold) == 0.45
    assert found.left.values.tolist() == [False, False, True, True, True]
    np.testing.assert_array_equal(found.left_at, [np.nan, np.nan, 5, 0, 7])
    assert found.n_left == 3 and found.fraction_left == 0.6
    # samples are counted from 1; one left between samples 5 and 6, between the start and sample 1,
    # and between 7 and 8
    assert found.time_at_risk == 8 + 8 + 5.5 + 0.5 + 7.5
    assert float(found.rate) == pytest.approx(3 / 29.5, rel=1e-12)
    assert found.rate.units == "1/sample"


def test_the_clock_is_that_of_the_run():
    x = labelled(np.array([STAY, LEAVE])).assign_coords(sweep=("sample", 50 + 2 * np.arange(8)))
    found = statistics.escapes(x)
    assert found.time_at_risk == 64 + (58 + 60) / 2  # the warm-up was time at risk too
    assert found.rate.units == "1/sweep" and found.time_at_risk.units == "sweep"


def test_lanes_have_thresholds_of_their_own_and_any_order_of_dims():
    x = labelled(np.array([[STAY, LEAVE], [EARLY, EARLY]]))
    assert statistics.escapes(x).n_left.values.tolist() == [1, 0]  # half of 0.9, half of 0.3
    assert statistics.escapes(x, 0.45).n_left.values.tolist() == [1, 2]
    levels = xr.DataArray([0.05, np.inf], dims="temperature")
    found = statistics.escapes(x.transpose("sample", "temperature", "replica"), levels)
    assert found.n_left.values.tolist() == [0, 2]
    assert found.left.dims == ("temperature", "replica")


def test_interval_of_a_rate_is_garwoods():
    # Exact 95 % limits of a Poisson mean: 0 to 3.689 without events, 0.619 to 8.767 for three
    # (Garwood 1936, table).
    found = statistics.escape_rate(xr.DataArray([0, 3], dims="cell"), 10.0)
    np.testing.assert_allclose(found.lower, [0, 0.0619], atol=5e-5)
    np.testing.assert_allclose(found.upper, [0.3689, 0.8767], atol=5e-5)
    assert np.isnan(statistics.escape_rate(1, 0.0).rate)


@pytest.mark.parametrize("level", [0.68, 0.95])
def test_the_interval_of_a_rate_covers(level):
    # 2,000 runs of 12 replicas that leave at rate 1/100, watched for 100 sweeps. The interval is
    # conservative: at least `level` (binomial error 4 x 1 %), at most what 8 events allow.
    times = np.random.default_rng(1).exponential(100, (2000, 12))
    x = labelled(np.where(np.arange(1, 101) <= times[..., None], 1.0, 0.0))
    found = statistics.escapes(x, 0.5, level)
    inside = (found.rate_lower <= 0.01) & (0.01 <= found.rate_upper)
    assert level - 0.04 < float(inside.mean()) < level + 0.12
    total = statistics.escape_rate(found.n_left.sum(), found.time_at_risk.sum())
    # 15,000 events know the rate to 0.8 %
    assert float(total.rate) == pytest.approx(0.01, rel=0.035)


def test_averages_are_over_those_that_stayed():
    rng = np.random.default_rng(2)
    x = rng.standard_normal((4, 5, 40)) + 5
    x[1, 3, 20:] = 0
    x[2, [0, 4], 30:] = 0
    x[3] = 0
    x = labelled(x).assign_attrs(long_name="overlap", units="1")
    stayed = ~statistics.escapes(x, 2.5).left
    found = statistics.within(x, stayed)
    assert found.n_replicas.values.tolist() == [5, 4, 3, 0]
    for lane, rest in enumerate([[0, 1, 2, 3, 4], [0, 1, 2, 4], [1, 2, 3]]):
        alone = statistics.thermal(x[lane].isel(replica=rest))
        for name in ("mean", "error", "effective_samples"):
            assert float(found[name][lane]) == float(alone[name])
    assert found.isel(temperature=3)[["mean", "error"]].to_array().isnull().all()
    assert all({"long_name", "units"} <= set(v.attrs) for v in found.data_vars.values())
    both = statistics.both_stayed(stayed)  # pairs (0, 1) (1, 2) (2, 3) (3, 4) (4, 0)
    assert both.values[1].tolist() == [True, True, False, False, True]
    assert both.values[2].tolist() == [False, True, True, False, False]


def test_a_cell_near_the_spinodal_keeps_the_state_and_counts_the_rest():
    """N = 600, alpha = 0.05, T_M = 0.54: nobody leaves, some leave, all leave."""
    temperature = np.array([0.3, 0.5, 0.8, 1.2])
    settings = retrieval.Settings(n_neurons=600, replicas=8, warmup=20, samples=60)
    cells = [retrieval.cell(settings, (1, k), 0.05, temperature) for k in range(4)]
    found = xr.concat(cells, "realisation")
    n_left = found.n_left.values
    assert (n_left[:, 0] == 0).all() and (n_left[:, 2:] == 8).all()
    assert 0 < n_left[:, 1].sum() < 32
    np.testing.assert_array_equal(found.overlap.isnull(), n_left == 8)
    np.testing.assert_array_equal(found.overlap_left.isnull(), n_left == 0)
    assert not found.equilibrated.values[n_left == 8].any()
    assert found.equilibrated.values[:, 0].all()
    # those that stayed are in the state: m_RS to the finite-size spread at N = 600, while the mean
    # of all would be far below
    predicted = theory.hopfield.retrieval(0.05, temperature).m
    mean = found.overlap.mean("realisation")
    assert abs(float(mean[0]) - float(predicted[0])) < 0.01
    assert float(mean[1]) > 0.8 * float(predicted[1])
    assert float(found.overlap_left.mean("realisation")[2]) < 0.3


def test_the_table_has_a_column_for_those_that_left():
    found = labelled(np.random.default_rng(4).random((2, 3, 1)))[..., 0]
    found = found.rename(temperature="alpha", replica="realisation").assign_coords(alpha=[0.1, 0.2])
    scores = comparison.z_scores(found, xr.zeros_like(found.alpha))
    left = xr.DataArray([0, 12], dims="alpha", coords={"alpha": found.alpha})
    head, *rows = (line.split() for line in comparison.table(scores, left=left).splitlines())
    assert head[-1] == "left" and [row[-1] for row in rows] == ["0", "12"]
    with pytest.raises(ValueError, match="coordinates of the cells"):
        comparison.table(scores, left=left.assign_coords(alpha=[0.1, 0.3]))


def test_reports_name_the_replicas_that_left():
    dims = ("alpha", "temperature", "realisation")
    found = xr.Dataset({"n_left": (dims, np.array([[[0, 1], [4, 4]]]))})
    include = xr.DataArray([[True, True]], dims=dims[:2])
    printed = retrieval._escapes(found, include, 4)
    assert printed.startswith("9 of 16 replicas left the pattern, in 2 of these 2 cells")


@pytest.mark.parametrize(
    ("call", "problem", "sentence"),
    [
        (lambda x, s: statistics.escapes(x, np.nan), ValueError, "a number for each lane"),
        (lambda x, s: statistics.escapes(x, s * 1.0), ValueError, "does not have"),
        (lambda x, s: statistics.escapes(x, 0.5, level=1), ValueError, "between 0 and 1"),
        (lambda x, s: statistics.escapes(x.where(x > 0)), ValueError, "holds NaN"),
        (lambda x, s: statistics.within(x, s * 1), TypeError, "boolean"),
        (lambda x, s: statistics.within(x, s[:2]), ValueError, "not on the coordinates"),
        (lambda x, s: statistics.within(x, s.rename(replica="run")), ValueError, "'replica'"),
        (lambda x, s: retrieval.main(SimpleNamespace(**WRONG)), ValueError, "--left-below"),
    ],
)
def test_bad_input_is_refused_with_a_sentence(call, problem, sentence):
    x = labelled(np.random.default_rng(3).standard_normal((4, 20)))
    with pytest.raises(problem, match=sentence):
        call(x, x.isel(sample=0, drop=True) < 9)


WRONG = {"temperature": (0.5,), "warmup": 1, "samples": 8, "every": 1, "left_below": 1.5}
