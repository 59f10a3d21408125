"""The multitasking network: reference numbers, limits, lines, and an independent solver."""

from itertools import product

import numpy as np
import pytest
import xarray as xr

from hopfield_sim import theory
from hopfield_sim.theory import hopfield, multitasking
from tests import reference


def of_state(name, level=None):
    def predicted(row):
        given = row.given
        found = multitasking.retrieval(int(given["P"]), given["d"], given["T"])[name]
        return (found if level is None else found.sel(pattern=level)).item()

    return predicted


PREDICTED = {
    "m1_multitask": of_state("m", 1),
    "m2_multitask": of_state("m", 2),
    "m3_multitask": of_state("m", 3),
    "f_multitask": of_state("free_energy"),
    "d_energy_crossing_multitask_P3_T0": lambda row: multitasking.coexistence_dilution(
        row.given["T"]
    ).dilution.item(),
    "d_stability_hierarchical_multitask_P3_T0": lambda row: multitasking.hierarchical_dilution(
        int(row.given["P"])
    ).dilution.item(),
}
PREDICTED_DENSE = {
    "multitask_dstar_hierarchical": lambda row: multitasking.hierarchical_dilution(
        int(row.given["K"]), int(row.given["P"])
    ).dilution.item(),
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


@pytest.mark.parametrize("row", reference.rows("dense", PREDICTED_DENSE), ids=str)
def test_reference_of_dense_networks(row, record_property):
    found = PREDICTED_DENSE[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


# --- an independent solver and functional over all 3^P columns ------------------------------


def all_columns(n_patterns, d):
    columns = np.array(list(product((-1, 0, 1), repeat=n_patterns)), dtype=float)
    blanks = (columns == 0).sum(axis=1)
    return columns, d**blanks * ((1 - d) / 2) ** (n_patterns - blanks)


def iterated(m, d, temperature, p, sweeps=20_000):
    columns, weights = all_columns(m.size, d)
    for _ in range(sweeps):
        m, old = (weights * np.tanh(columns @ m ** (p - 1) / temperature)) @ columns, m
        if np.abs(m - old).max() < 1e-16:
            break
    return m


def functional(m, d, temperature, p):
    columns, weights = all_columns(m.size, d)
    u = columns @ m ** (p - 1) / temperature
    return (1 - 1 / p) * np.sum(m**p) - temperature * weights @ np.logaddexp(u, -u)


def levels(n_patterns, d):
    return d ** np.arange(n_patterns) * (1 - d)


def test_agrees_with_plain_iteration():
    rng = np.random.default_rng(5)
    for _ in range(30):
        n, p = int(rng.integers(1, 5)), int(rng.integers(2, 5))
        d, T = rng.uniform(0.05, 0.9), 10 ** rng.uniform(-2, -0.3)
        found = multitasking.retrieval(n, d, T, p)
        expected = iterated(levels(n, d), d, T, p)
        # The iteration stops where it is slow, next to a transition, at a distance of 1e-10.
        np.testing.assert_allclose(found.m, expected, rtol=0, atol=1e-9)
        assert found.free_energy.item() == pytest.approx(functional(expected, d, T, p), abs=1e-12)


@pytest.mark.parametrize("p", [2, 3, 5])
def test_states_are_stationary_and_their_entropy_is_the_slope(p):
    step = 1e-5
    for d, T in ((0.2, 0.08), (0.5, 0.02), (0.6, 0.05)):
        for branch in ("hierarchical", "parallel", "pure", "symmetric"):
            around = multitasking.solutions(3, d, [T - step, T, T + step], p).sel(branch=branch)
            if around.m.isnull().any():
                continue
            m = around.m.values[1]
            for direction in step * np.eye(3):
                up, down = (functional(m + sign * direction, d, T, p) for sign in (1, -1))
                # Rounding 1e-16/1e-5, and step^2 times a third derivative of order 1/T^2.
                assert abs(up - down) / (2 * step) < 1e-6
            slope = np.diff(around.free_energy.values[[0, 2]])[0] / (2 * step)
            # Likewise; s is of order 0.1.
            assert around.entropy.values[1] == pytest.approx(-slope, abs=1e-7)
            energy = around.free_energy[1] + T * around.entropy[1]
            assert around.energy[1] == pytest.approx(float(energy), abs=1e-15)


def test_stability_is_the_curvature_of_the_free_energy():
    step = 1e-4
    for d, T in ((0.3, 0.05), (0.55, 0.05), (0.8, 0.1)):
        found = multitasking.solutions(3, d, T)
        for branch in ("hierarchical", "parallel", "pure", "symmetric", "paramagnet"):
            one = found.sel(branch=branch)
            if one.m.isnull().any():
                continue
            m, unit = one.m.values, step * np.eye(3)
            matrix = [
                [
                    sum(
                        a * b * functional(m + a * x + b * y, d, T, 2)
                        for a in (1, -1)
                        for b in (1, -1)
                    )
                    / (4 * step**2)
                    for x in unit
                ]
                for y in unit
            ]
            # Second differences: rounding 1e-16/step^2, step^2 times a fourth derivative 1/T^3.
            expected = np.linalg.eigvalsh(matrix)[0]
            assert one.overlap_stability.item() == pytest.approx(expected, abs=2e-4)


# --- limits ---------------------------------------------------------------------------------


def test_undiluted_patterns_are_the_hopfield_network_at_low_load():
    temperature = np.array([0.0, 0.02, 0.3, 0.7, 0.99, 1.2])
    ours = multitasking.solutions(3, 0.0, temperature)
    pure, mixture = hopfield.low_load(temperature), hopfield.low_load_mixture(3, temperature)
    for name in ("q", "free_energy", "energy", "entropy"):
        # Rounding, which 1 - slope = 0.02 amplifies at T = 0.99.
        for branch, expected in (("pure", pure), ("symmetric", mixture)):
            found = ours[name].sel(branch=branch)
            np.testing.assert_allclose(found, expected[name], rtol=0, atol=1e-12)
    np.testing.assert_allclose(ours.m.sel(branch="pure", pattern=1), pure.m, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        ours.m.sel(branch="symmetric", pattern=2), mixture.m, rtol=0, atol=1e-12
    )
    stable = np.minimum(mixture.anisotropic, mixture.longitudinal)
    np.testing.assert_allclose(
        ours.overlap_stability.sel(branch="symmetric"), stable, rtol=0, atol=1e-12
    )
    condensed = multitasking.condensed([0.6, 0.0, -0.5], 0.0, 0.3)
    general = hopfield.low_load_condensed([0.6, 0.0, -0.5], 0.3)
    np.testing.assert_allclose(condensed.m, general.m, rtol=0, atol=1e-12)


@pytest.mark.parametrize("n_patterns", [1, 2, 3, 5, 8])
@pytest.mark.parametrize("interaction", [2, 3, 6])
def test_hierarchical_state_at_zero_temperature(n_patterns, interaction):
    end = multitasking.hierarchical_dilution(n_patterns, interaction).dilution.item()
    for d in (0.01, 0.5 * end, end * (1 - 1e-6), min(end * (1 + 1e-6), 0.99), 0.99):
        closed = multitasking.hierarchical(n_patterns, d, interaction)
        found = multitasking.retrieval(n_patterns, d, 0.0, interaction)
        np.testing.assert_allclose(closed.m, levels(n_patterns, d), rtol=1e-14)
        assert (closed.smallest_field > 0) == (d < end)
        if d < end:
            # Sums of 3^P products: rounding.
            np.testing.assert_allclose(found.m, closed.m, rtol=0, atol=1e-14)
            assert found.energy.item() == pytest.approx(closed.energy.item(), abs=1e-14)
            ratio = 1 - d**interaction
            power = (1 - d ** (interaction * n_patterns)) / ratio
            expected = -((1 - d) ** interaction) * power / interaction
            assert closed.energy.item() == pytest.approx(expected, abs=1e-14)
            # Neurons blank in every pattern are free.
            assert found.entropy.item() == pytest.approx(d**n_patterns * np.log(2), abs=1e-14)
        elif n_patterns > 2:
            assert np.abs(found.m - closed.m).max() > 1e-10  # (1 - d)^P of the neurons


def test_majority_of_three_patterns():
    d = np.array([0.0, 0.2, 0.5, 0.7, 0.95])
    found = multitasking.majority(3, d)
    x = (1 - d) ** 3 / 2
    expected = np.column_stack([(1 - d) - x, d * (1 - d) + x, d**2 * (1 - d) + x])
    np.testing.assert_allclose(found.m, expected, rtol=0, atol=1e-15)
    assert (found.smallest_field > 0).all()  # self-consistent at every dilution
    parallel = multitasking.solutions(3, d, 0.0).sel(branch="parallel")
    np.testing.assert_allclose(parallel.m, expected, rtol=0, atol=1e-14)
    np.testing.assert_allclose(parallel.energy, found.energy, rtol=0, atol=1e-14)
    # Of four patterns it is one for some dilutions only, as its smallest field tells.
    d = np.linspace(0.05, 0.9, 18)
    four = multitasking.majority(4, d)
    reached = multitasking.solutions(4, d, 0.0).sel(branch="parallel")
    kept = np.abs(reached.m - four.m).max("pattern") < 1e-12
    np.testing.assert_array_equal(kept, four.smallest_field > 0)
    assert kept.any() and not kept.all()
    # Of two patterns it is the hierarchical state.
    np.testing.assert_allclose(multitasking.majority(2, 0.3).m, levels(2, 0.3), atol=1e-15)


def test_zero_temperature_is_the_limit():
    d = np.array([0.1, 0.4, 0.56, 0.8])
    zero, cold = (multitasking.solutions(3, d, T) for T in (0.0, 1e-4))
    for branch in ("hierarchical", "parallel", "pure", "paramagnet"):
        for name in ("m", "energy", "free_energy"):
            # To first order in T, with the entropy ln 2 at most.
            difference = np.abs(zero[name] - cold[name]).sel(branch=branch)
            assert (difference.max() < 1e-4) or zero[name].sel(branch=branch).isnull().all()
    np.testing.assert_array_equal(zero.m.isnull(), cold.m.isnull())


def test_ties_at_zero_temperature_leave_neurons_free():
    found = multitasking.solutions(2, 0.2, 0.0).sel(branch="symmetric")
    tied = (1 - 0.2) ** 2 / 2  # columns of opposite signs
    assert found.entropy.item() == pytest.approx((0.2**2 + tied) * np.log(2), abs=1e-15)
    assert found.overlap_stability.item() == -np.inf


def test_dense_networks_multitask_at_higher_dilution():
    end = multitasking.hierarchical_dilution(5, [2, 3, 4]).dilution.values
    assert np.all(np.diff(end) > 0)
    # For many patterns 2^(-1/(p-1)), with corrections d^P: 1e-3 for ten.
    limit = multitasking.hierarchical_dilution(10, [2, 3, 4]).dilution
    np.testing.assert_allclose(limit, 0.5 ** (1 / np.array([1, 2, 3])), atol=1e-3)
    np.testing.assert_array_equal(multitasking.hierarchical_dilution([1, 2]).dilution, 1)
    assert multitasking.hierarchical_dilution([3, 5, 10], [2, 5]).residual.max() < 1e-14


# --- residuals and branches over the domain -------------------------------------------------


@pytest.mark.parametrize("interaction", [2, 3, 4])
def test_residuals_over_the_whole_range(interaction):
    d = [0.0, 1e-6, 0.1, 0.33, 0.5, 0.617, 0.64, 0.7, 0.9, 0.998]
    T = [0.0, 1e-300, 1e-12, 1e-3, 0.03, 0.2, 0.5, 0.9, 2.0]
    found = multitasking.solutions(3, d, T, interaction)
    assert found.residual.max() < 1e-13  # rounding
    for name in ("free_energy", "energy", "entropy"):
        assert np.isfinite(found[name].where(found.residual.notnull(), 0)).all()
    reached = found.sel(branch=["hierarchical", "parallel"])
    # Reached by descent, they are minima, to the rounding of a curvature next to a transition.
    assert reached.overlap_stability.where(reached.residual.notnull(), 1).min() > -1e-9
    zero = found.m.sel(branch="paramagnet")
    assert (zero == 0).all()
    exists = found.m.sel(branch="pure").notnull().all("pattern")
    if interaction == 2:
        np.testing.assert_array_equal(exists, np.less.outer(T, 1 - np.array(d)).T)


def test_every_reached_state_is_one_of_the_branches():
    d, T = np.linspace(0.02, 0.98, 15), np.linspace(0.01, 0.95, 15)
    reached = multitasking.retrieval(3, d, T)
    found = multitasking.solutions(3, d, T)
    named = found.sel(branch=["hierarchical", "parallel", "paramagnet"])
    distance = np.abs(named.m - reached.m).max("pattern").min("branch")
    assert distance.max() < 1e-12
    # Descent cannot have a higher free energy than the paramagnet or than the pure state below it.
    assert (reached.free_energy <= found.free_energy.sel(branch="paramagnet") + 1e-15).all()


# --- lines ----------------------------------------------------------------------------------


def test_onset():
    d = np.array([0.0, 0.3, 0.8])
    onset = multitasking.onset_temperature(d).temperature
    np.testing.assert_array_equal(onset, 1 - d)
    for side, ordered in ((0.999, True), (1.001, False)):
        found = multitasking.retrieval(3, xr.DataArray(d, dims="dilution"), side * onset)
        assert ((found.m > 0).any("pattern") == ordered).all()


def test_levels_melt_where_they_are_said_to():
    d = np.array([0.05, 0.2, 0.35, 0.5])
    found = multitasking.melting_temperature(4, d)
    assert found.temperature.notnull().all()
    assert found.residual.max() < 1e-14
    assert (found.temperature.diff("pattern") < 0).all()
    for level in (2, 3, 4):
        T = found.temperature.sel(pattern=level)
        around = [multitasking.retrieval(4, T.dilution, T * side).m for side in (0.98, 1.02)]
        below, above = (m.sel(pattern=level) for m in around)
        assert (below > 0).all()
        assert (above == 0).all()
    # Level k sees d^(k-1) (1 - d) neurons; the correction is that of m_(k-1) < its value at T = 0.
    few = multitasking.melting_temperature(3, 0.01).temperature.values
    np.testing.assert_allclose(few, levels(3, 0.01), rtol=1e-3)
    assert multitasking.melting_temperature(2, [0.0, 0.7]).temperature[:, 1].isnull().all()


@pytest.mark.parametrize("n_patterns", [2, 3, 4])
def test_symmetric_state_is_stable_above_its_line(n_patterns):
    line = multitasking.symmetric_temperature(n_patterns, [0.5, 2 / 3, 0.7, 0.8, 0.95])
    assert line.temperature.isnull().values.tolist() == [True, True, False, False, False]
    assert line.residual.max() < 1e-12
    kept = line.dropna("dilution")
    for side, stable in ((0.99, False), (1.01, True)):
        found = multitasking.solutions(n_patterns, kept.dilution, kept.temperature * side)
        assert ((found.overlap_stability.sel(branch="symmetric") > 0) == stable).all()


@pytest.mark.slow
def test_ends_of_the_hierarchical_and_of_the_parallel_state():
    end = multitasking.hierarchical_dilution(3).dilution.item()
    cases = (
        (multitasking.hierarchical_end, "hierarchical", np.array([0.55, 0.57, 0.6, end - 1e-3])),
        (multitasking.parallel_end, "parallel", np.array([0.2, 0.3, 0.45, 0.54])),
    )
    for line, branch, d in cases:
        found = line(3, d)
        assert found.residual.max() < 1e-12
        below, above = (
            multitasking.condensed(m, one.dilution, T * (1 + side))
            for one in [found.isel(dilution=1)]
            for m, T in [(one.m.values, one.temperature)]
            for side in (-1e-3, 1e-3)
        )
        # On a fold the overlaps move with the root of the distance, and jump beyond it.
        assert np.abs(below.m - found.m[1]).max() < 0.02
        assert np.abs(above.m - found.m[1]).max() > 0.02
        for side, exists in ((0.95, True), (1.05, False)):
            at = multitasking.solutions(3, found.dilution, found.temperature * side)
            assert (at.m.sel(branch=branch).notnull().all("pattern") == exists).all()
    # At d = 0 it is the end of the 3-mixture: Amit, Gutfreund, Sompolinsky 1985 quote 0.461.
    mixture = multitasking.parallel_end(3, 0.0).temperature.item()
    assert hopfield.low_load_mixture(3, mixture).anisotropic.item() == pytest.approx(0, abs=1e-12)
    # Continuous beyond the critical point; and no such state where it is none at T = 0.
    assert multitasking.hierarchical_end(3, [0.3, 0.5, 0.62]).temperature.isnull().all()
    assert multitasking.parallel_end(3, [0.56, 0.6, 0.8]).temperature.isnull().all()
    assert multitasking.parallel_end(2, 0.3).temperature.isnull()
    assert multitasking.hierarchical_end(3, end - 1e-4).temperature.item() < 1e-3


def test_equal_free_energies():
    T = np.array([0.0, 1e-3, 0.02, 0.05, 0.07])
    line = multitasking.coexistence_dilution(T)
    assert line.residual.max() < 1e-11
    states = multitasking.solutions(3, line.dilution, line.temperature)
    f = states.free_energy.sel(branch=["hierarchical", "parallel"])
    assert f.notnull().all()
    assert np.abs(f[0] - f[1]).max() < 1e-11
    assert (np.abs(states.m[0] - states.m[1]).max("pattern") > 0.01).all()
    # At T = 0 the closed forms cross, 7 d^2 - 2 d - 1 = 0.
    d = line.dilution.item(0)
    assert 7 * d**2 - 2 * d - 1 == pytest.approx(0, abs=1e-15)
    energies = [
        closed(3, d).energy.item()
        for closed in (theory.multitasking.hierarchical, multitasking.majority)
    ]
    assert energies[0] == pytest.approx(energies[1], abs=1e-15)
    assert multitasking.coexistence_dilution([0.08, 0.3]).dilution.isnull().all()


# --- labels and borders ---------------------------------------------------------------------


def test_labels():
    found = multitasking.solutions(3, [0.2, 0.5], [0.1, 0.2, 0.3], [2, 3])
    assert found.m.dims == ("branch", "dilution", "temperature", "interaction", "pattern")
    assert found.branch.values.tolist() == [
        "hierarchical", "parallel", "pure", "symmetric", "paramagnet",
    ]  # fmt: skip
    assert found.pattern.values.tolist() == [1, 2, 3]
    one = multitasking.retrieval(3, 0.5, 0.2, 3)
    assert one.m.dims == ("pattern",)
    assert one.branch.item() == "retrieval"
    # The same solution within rounding, whatever is computed beside it.
    np.testing.assert_allclose(
        one.m, multitasking.retrieval(3, [0.2, 0.5], 0.2, [2, 3]).m[1, 1], rtol=0, atol=1e-15
    )
    lines = (
        multitasking.onset_temperature(0.3),
        multitasking.melting_temperature(2, 0.3),
        multitasking.symmetric_temperature(2, 0.8),
        multitasking.hierarchical_end(3, 0.6),
        multitasking.parallel_end(3, 0.3),
        multitasking.coexistence_dilution(0.01),
        multitasking.hierarchical_dilution(3),
        multitasking.hierarchical(3, 0.2),
        multitasking.majority(3, 0.2),
    )
    for each in (found, one, *lines):
        assert each.title and "Agliari" in each.source and "xi_i^mu" in each.convention
        for variable in each.variables.values():
            assert variable.attrs["long_name"]
            assert variable.attrs["units"] == "1"


def test_data_arrays_are_matched_by_name():
    d = xr.DataArray([0.1, 0.3], dims="point", coords={"point": [3, 4]})
    T = xr.DataArray([0.2, 0.05], dims="point", coords={"point": [3, 4]})
    found = multitasking.retrieval(2, d, T)
    assert found.m.dims == ("point", "pattern")
    np.testing.assert_allclose(
        found.m.sel(point=4), multitasking.retrieval(2, 0.3, 0.05).m, rtol=0, atol=1e-15
    )


def test_condensed_keeps_signs_zeros_and_equals():
    found = multitasking.condensed([0.3, 0.0, -0.3], 0.4, 0.05)
    assert found.m.values[1] == 0
    assert found.m.values[0] == pytest.approx(-found.m.values[2], abs=1e-15)
    assert found.overlap_stability < 0
    parted = multitasking.condensed([0.3, 0.0, -0.29], 0.4, 0.05)
    np.testing.assert_allclose(
        parted.m, multitasking.retrieval(2, 0.4, 0.05).m.values[[0, 1, 1]] * [1, 0, -1], atol=1e-13
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, 1.0, 0.1), r"dilution = 1 is not allowed; it must be in \[0, 1\)"),
        ((3, -0.1, 0.1), "dilution = -0.1 is not allowed"),
        ((3, 0.1, -0.1), "temperature = -0.1 is not allowed"),
        ((3, 0.1, np.inf), "temperature = inf is not allowed"),
        ((3, 0.1, 0.1, 2.5), "interaction = 2.5 is not allowed"),
        ((3, 0.1, 0.1, 1), "interaction = 1 is not allowed"),
        ((0, 0.1, 0.1), "n_patterns = 0 is not allowed"),
        ((2.5, 0.1, 0.1), "n_patterns = 2.5 is not allowed"),
        ((11, 0.1, 0.1), "n_patterns is 11; give one number of patterns, up to 10"),
        (([2, 3], 0.1, 0.1), "give one number of patterns"),
    ],
)
def test_bad_parameters(arguments, message):
    for function in (multitasking.retrieval, multitasking.solutions):
        with pytest.raises(ValueError, match=message):
            function(*arguments)


@pytest.mark.parametrize(
    ("amplitudes", "interaction"),
    [([], 2), ([0.0, 0.0], 2), ([1.5], 2), ([np.nan, 1], 2), ([[1.0]], 2), ([0.5, -0.5], 3),
     (np.ones(11), 2)],
)  # fmt: skip
def test_condensed_refuses(amplitudes, interaction):
    with pytest.raises(ValueError, match="amplitudes"):
        multitasking.condensed(amplitudes, 0.1, 0.2, interaction)


def test_lines_refuse_bad_parameters():
    lines = (
        multitasking.onset_temperature,
        lambda d: multitasking.melting_temperature(3, d),
        lambda d: multitasking.symmetric_temperature(3, d),
        lambda d: multitasking.hierarchical_end(3, d),
        lambda d: multitasking.parallel_end(3, d),
        lambda d: multitasking.hierarchical(3, d),
        lambda d: multitasking.majority(3, d),
    )
    for line in lines:
        with pytest.raises(ValueError, match="dilution = 1.2 is not allowed"):
            line([0.1, 1.2])
    with pytest.raises(ValueError, match="temperature = -1 is not allowed"):
        multitasking.coexistence_dilution(-1)
    with pytest.raises(ValueError, match="n_patterns"):
        multitasking.hierarchical_end(20, 0.3)
