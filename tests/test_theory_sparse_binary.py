"""Willshaw's network and the clustered one: reference numbers, exact counts, simulations."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binom

from hopfield_sim.theory import cliques, willshaw
from tests import reference


def units(row):
    """P, N, M of a row."""
    return [int(row.given[name]) for name in "PNM"]


def messages(row):
    """P, c, l, e of a row; P is written M there."""
    given = row.given
    erased = given.get("c_e", 0)
    if "erased clusters" in row.text:
        erased = row.text.split(" erased")[0].split()[-1]
    return [int(number) for number in (given["M"], given["c"], given["l"], erased)]


PREDICTED_PAIRWISE = {
    "willshaw_density": lambda row: willshaw.density(*units(row)).density,
    "willshaw_false_alarm": lambda row: (
        willshaw.recall(*units(row), n_cued=units(row)[2]).false_alarm_usage
    ),
    "gbnn_density": lambda row: cliques.density(messages(row)[0], messages(row)[2]).density,
    "gbnn_Perr_onestep_simple": lambda row: cliques.recall(*messages(row)).error_independent,
    "gbnn_Perr_onestep_improved": lambda row: cliques.recall(*messages(row)).error,
}


def sparse(row):
    """P, N, M of a row that calls the number of active units K."""
    return [int(row.given[name]) for name in "PNK"]


PREDICTED_MODERN = {
    "Willshaw: density of ones in W": lambda row: willshaw.density(*sparse(row)).density,
    "Willshaw: mean number of spurious active units, one step, threshold = cue size": lambda row: (
        willshaw.recall(*sparse(row), n_cued=int(row.text.split("cue of ")[1].split()[0])).spurious
    ),
    "GBNN: link density between two clusters": PREDICTED_PAIRWISE["gbnn_density"],
    "GBNN: P(all erased symbols recovered in one step, unique maximum)": lambda row: (
        cliques.recall(*messages(row)).recovered
    ),
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED_PAIRWISE), ids=str)
def test_reference_pairwise(row, record_property):
    found = PREDICTED_PAIRWISE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


@pytest.mark.parametrize("row", reference.rows("modern", PREDICTED_MODERN), ids=str)
def test_reference_modern(row, record_property):
    found = PREDICTED_MODERN[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- Willshaw -----------------------------------------------------------------------------------


def counted(P, N, M, c):
    """The exact false alarm by inclusion and exclusion over the uncovered units, in fractions."""
    total = Fraction(0)
    for missed in range(c + 1):
        # one pattern that uses the unit misses so many given units
        misses = Fraction(comb(N - 1 - missed, M - 1), comb(N - 1, M - 1))
        total += (-1) ** missed * comb(c, missed) * (1 - Fraction(M, N) * (1 - misses)) ** (P - 1)
    return float(total)


@pytest.mark.parametrize(
    "network", [(1, 20, 3, 2), (2, 20, 3, 2), (40, 30, 5, 5), (300, 100, 12, 9), (1000, 60, 2, 1)]
)
def test_false_alarms_by_inclusion_and_exclusion(network):
    found = float(willshaw.recall(*network).false_alarm_exact)
    assert found == pytest.approx(counted(*network), rel=1e-11, abs=1e-300)


def drawn(P, N, M, rng):
    patterns = np.zeros((P, N), bool)
    np.put_along_axis(patterns, np.argsort(rng.random((P, N)))[:, :M], True, axis=1)
    return patterns


def test_simulated_recall():
    """Spurious units in 60 networks; the exact mean within 4 standard errors, which the average
    over usage misses here."""
    P, N, M, c = 350, 120, 7, 5
    rng = np.random.default_rng(1)
    spurious, filled = [], []
    for _ in range(60):
        xi = drawn(P, N, M, rng)
        J = xi.T.astype(np.float32) @ xi > 0
        np.fill_diagonal(J, False)
        cues = np.argsort(np.where(xi, rng.random(xi.shape), 2))[:, :c]
        fires = J[cues].all(axis=1)
        np.testing.assert_array_equal(fires.sum(1) - (fires & ~xi).sum(1), M - c)
        spurious.append((fires & ~xi).sum(axis=1).mean())
        filled.append(J.sum() / (N * (N - 1)))
    found = willshaw.recall(P, N, M, c)
    error = np.std(spurious, ddof=1) / np.sqrt(len(spurious))
    assert abs(np.mean(spurious) - float(found.spurious)) < 4 * error
    usage = (N - M) * float(found.false_alarm_usage)
    assert abs(np.mean(spurious) - usage) > 4 * error
    spread = np.std(filled, ddof=1) / np.sqrt(len(filled))
    assert abs(np.mean(filled) - float(found.density)) < 4 * spread


def test_forms_of_the_false_alarm_in_order():
    found = willshaw.recall([1000, 100_000], [500, 5000], [5, 20], [3, 5])
    # a pattern's units are all different: they cover a cue less often than independent ones
    assert np.all(found.false_alarm_exact <= found.false_alarm_usage * (1 + 1e-9))
    # where mistakes are rare, usage that fluctuates makes more of them
    rare = found.where(found.false_alarm_exact < 0.1, drop=True)
    assert np.all(~(rare.false_alarm_independent > rare.false_alarm_usage)) and rare.spurious.size
    full = willshaw.recall(1000, 500, 5, 5)
    assert float(full.information) == 0


def test_huge_networks():
    """Far beyond where (1 - x)^P could be formed as it stands, against Poisson limits."""
    P, N, M = 10**11, 10**8, 30
    x = M * (M - 1) / (N * (N - 1))
    assert float(willshaw.density(P, N, M).density) == pytest.approx(-np.expm1(-P * x), rel=1e-12)
    rare = willshaw.density(1, 10**9, 2).density
    assert float(rare) == pytest.approx(2 / (1e9 * (1e9 - 1)), rel=1e-12)
    # usage n is so sharp (mean 3e4) that its average is the value at the mean to order 1/n
    found = willshaw.recall(P, N, M, 10)
    miss = -np.expm1(P * M / N * np.log1p(-(M - 1) / (N - 1)))
    assert float(found.false_alarm_usage) == pytest.approx(miss**10, rel=2e-3)
    assert float(found.false_alarm_exact) == pytest.approx(float(found.false_alarm_usage), rel=1e-4)


def test_usage_average_is_the_plain_sum():
    for trials, chance, coverage, power in (
        (0, 0.3, 0.2, 2),
        (50, 0.3, 0.1, 4),
        (2000, 0.01, 0.02, 9),
    ):
        # the decimal fractions themselves: numerators stay small, and it is exact
        part, covered = Fraction(str(chance)), Fraction(str(coverage))
        plain = sum(
            comb(trials, n)
            * part**n
            * (1 - part) ** (trials - n)
            * (1 - (1 - covered) ** n) ** power
            for n in range(min(trials, 150) + 1)
        )
        found = willshaw.usage_average(trials, chance, coverage, power)
        assert found[0] == pytest.approx(float(plain), rel=1e-11)
    # one term in 2 of a wide distribution: against all of them
    n = np.arange(560_000, 640_001)
    weight = binom.pmf(n, 2_000_000, 0.3)
    whole = weight @ (-np.expm1(n * np.log1p(-2e-6))) ** 20 / weight.sum()
    found = willshaw.usage_average(2_000_000, 0.3, 2e-6, 20)
    assert found[0] == pytest.approx(whole, rel=1e-10)


def test_capacity_is_the_last_number_that_fits():
    found = willshaw.capacity([300, 3000], [6, 11], 5, [0.1, 2.0])
    P = found.n_patterns.astype(int)
    grid = [found[name] for name in ("n_neurons", "n_active", "n_cued")]
    assert np.all(willshaw.recall(P, *grid).spurious <= found.spurious)
    assert np.all(willshaw.recall(P + 1, *grid).spurious > found.spurious)
    np.testing.assert_allclose(found.information, willshaw.recall(P, *grid).information, rtol=1e-9)
    assert willshaw.capacity(20, 5, 5, 15).n_patterns.isnull()


def test_heteroassociation_tends_to_ln_2():
    """Bits per synapse at p1 = 1/2 and M = log2 N, slowly."""
    exponents = np.array([8, 12, 16, 20])
    N = xr.DataArray(2**exponents, dims="size")
    M = xr.DataArray(exponents, dims="size")
    found = willshaw.heteroassociation((np.log(2) * N**2 / M**2).round(), N, M)
    np.testing.assert_allclose(found.density, 0.5, atol=0.01)
    information = found.information.values
    assert np.all(np.diff(information) > 0)
    assert 0.3 < information[0] and information[-1] < willshaw.LARGEST_INFORMATION


# --- cliques ------------------------------------------------------------------------------------


def test_simulated_cliques():
    """Rivals and errors in 40 networks of 6 clusters of 20 units, 2 erased."""
    P, c, size, e = 120, 6, 20, 2
    rng = np.random.default_rng(2)
    rivals, errors = [], []
    for _ in range(40):
        symbols = rng.integers(size, size=(P, c))
        units = symbols + size * np.arange(c)
        edges = np.zeros((c * size, c * size), bool)
        for i in range(c):
            for j in range(c):
                edges[units[:, i], units[:, j]] = i != j
        given = edges[units[:, e:]].all(axis=1)[:, : e * size].reshape(P, e, size)
        np.put_along_axis(given, symbols[:, :e, None], False, axis=2)
        rivals.append(given.sum() / (P * e * (size - 1)))
        errors.append(given.any(axis=(1, 2)).mean())
    found = cliques.recall(P, c, size, e)
    error = np.std(rivals, ddof=1) / np.sqrt(len(rivals))
    assert abs(np.mean(rivals) - float(found.rival)) < 4 * error  # exact
    # errors are correlated between units: the formula is a little too high, at most by 5 per cent
    mean, error = np.mean(errors), np.std(errors, ddof=1) / np.sqrt(len(errors))
    assert mean - 4 * error < float(found.error) < 1.05 * mean + 4 * error
    assert float(found.error_independent) < float(found.error)


def test_cliques_known_simulations():
    """Errors of one step in earlier simulations; the formula is right to 3 per cent + 0.01."""
    for network, simulated, spread in (
        ((3000, 8, 128, 4), 0.373, 0.008),
        ((4000, 8, 128, 4), 0.709, 0.008),
        ((5000, 4, 256, 1), 0.119, 0.005),
    ):
        found = float(cliques.recall(*network).error)
        assert abs(found - simulated) < 0.03 * simulated + 0.01 + 2 * spread


def test_cliques_limits():
    found = cliques.recall([1, 10**12], 8, 64, [1, 7])
    assert np.all(found.error.sel(n_patterns=1) == 0)  # one message has no rival
    assert np.all(found.error.sel(n_patterns=10**12) == 1)  # all edges are set
    np.testing.assert_allclose(found.error + found.recovered, 1)
    # very rare errors keep their digits: a few rivals of one other message
    rare = cliques.recall(2, 8, 10**5, 1)
    assert float(rare.rival) == pytest.approx(1e-5 * (1e-5) ** 7, rel=1e-9)
    assert float(rare.error) == pytest.approx((10**5 - 1) * 1e-40, rel=1e-9)


# --- the border ---------------------------------------------------------------------------------


def test_labels():
    found = willshaw.recall([10, 20], 100, xr.DataArray([3, 4, 5], dims="kind"), 3)
    assert found.spurious.dims == ("n_patterns", "kind")
    for one in (found, cliques.recall(10, 4, 5, [1, 2]), willshaw.heteroassociation(3, 10, 2)):
        assert one.attrs["convention"] and one.attrs["source"]
        for variable in one.data_vars.values():
            assert variable.attrs["long_name"] and variable.attrs["units"] == "1"


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: willshaw.density(0, 10, 2), "n_patterns"),
        (lambda: willshaw.density(1, 10, 10), "n_active"),
        (lambda: willshaw.recall(1, 10, 2, 3), "n_cued"),
        (lambda: willshaw.recall(1.5, 10, 2, 2), "n_patterns"),
        (lambda: willshaw.capacity(10, 2, 2, 0), "spurious"),
        (lambda: cliques.density(1, 1), "n_units"),
        (lambda: cliques.recall(1, 4, 5, 4), "n_erased"),
        (lambda: cliques.recall(1, 1, 5, 1), "n_clusters"),
    ],
)
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=name):
        call()
