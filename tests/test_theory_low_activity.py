"""The network of low activity at T = 0: reference numbers, free energy, plain iteration."""

import numpy as np
import pytest
import xarray as xr
from scipy.special import ndtr

from hopfield_sim.theory import low_activity
from tests import reference

PREDICTED = {
    "alpha_c_lowactivity_T0": lambda row: low_activity.capacity(row.given["a"]).alpha,
    "theta_opt_lowactivity_T0": lambda row: low_activity.capacity(row.given["a"]).threshold,
}


@pytest.mark.parametrize("row", reference.rows("pairwise", PREDICTED), ids=str)
def test_reference(row, record_property):
    found = PREDICTED[row.quantity](row)
    assert reference.difference(row, found, record_property) <= row.abs_tol


def phi(x):
    return np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)


def sites(M, C, r, a, alpha, threshold):
    """Weight, distance y of the field from the threshold and its width, on both kinds of sites."""
    shifted = threshold - alpha / 2 * C / (1 - C)
    width = np.sqrt(alpha * r)
    e1, e0 = np.sqrt((1 - a) / a), -np.sqrt(a / (1 - a))
    return [(w, e, (e * M - shifted) / width, width) for w, e in ((a, e1), (1 - a, e0))]


def updated(M, q, C, a, alpha, threshold):
    """The right sides of the three equations of the order parameters."""
    both = sites(M, C, q / (1 - C) ** 2, a, alpha, threshold)
    return (
        sum(w * e * ndtr(y) for w, e, y, _ in both),
        sum(w * ndtr(y) for w, _, y, _ in both),
        sum(w * phi(y) / width for w, _, y, width in both),
    )


GRID = {
    "activity": [0.01, 0.1, 0.5, 0.8],
    "alpha": [1e-4, 0.003, 0.02, 0.3, 2.0],
    "threshold": [-0.4, 0.0, 0.017, 0.3, 0.55, 0.7],
}


@pytest.fixture(scope="module")
def everything():
    return low_activity.solutions(**GRID)


def test_every_solution_solves_the_equations(everything):
    assert float(everything.residual.max()) < 1e-10
    assert int(everything.m.notnull().sum()) > 60
    a, alpha, threshold = (everything[name] for name in GRID)
    new = updated(everything.m, everything.q, everything.C, a, alpha, threshold)
    for found, right in zip((everything.m, everything.q, everything.C), new, strict=True):
        assert float(np.abs(found - right.where(found.notnull(), 0)).max()) < 1e-10
    # overlaps fall along the branches, and no two solutions are the same
    assert float(everything.m.diff("branch").max()) < 0


def test_plain_iteration_from_the_pattern_ends_in_retrieval():
    for a, alpha, threshold in (
        (0.1, 0.3, 0.5),
        (0.1, 0.05, 0.3),
        (0.5, 0.05, 0.02),
        (0.01, 2.0, 0.6),
        (0.8, 0.02, -0.3),
    ):
        state = (np.sqrt(a * (1 - a)), a, 0.01)
        for _ in range(3000):  # of these the slowest shrinks by 0.9 a step
            state = updated(*state, a, alpha, threshold)
        found = low_activity.retrieval(a, alpha, threshold)
        np.testing.assert_allclose([found.m, found.q, found.C], state, rtol=1e-9)


def test_solutions_are_all_found_by_a_search_of_the_plane():
    """As many as a sign count on 2000 x 2000 lines finds, at points with one to four."""
    lines = np.linspace(-7.013, 19, 2000)
    y1, y0 = lines[:, None], lines[None, :]
    p1, p0 = ndtr(y1), ndtr(-y0)
    for a, alpha, threshold, count in (
        (0.1, 0.022, 0.3, 4),
        (0.1, 0.22, 0.5, 4),
        (0.1, 0.4, 0.5, 2),
        (0.01, 3.9, 0.7, 2),
        (0.01, 0.9, 0.5, 4),
        (0.01, 5.0, 0.6, 0),
    ):
        with np.errstate(all="ignore"):
            A = np.where(y1 + y0 > 0.05, (p1 - p0) / (y1 + y0), np.nan)
            D, q = a * phi(y1) + (1 - a) * phi(y0), a * p1 + (1 - a) * p0
            root_alpha = (A - D) / np.sqrt(q)
            theta = A * ((1 - a) * y0 - a * y1) + root_alpha * D / (2 * np.sqrt(q))
        signs = [np.sign(root_alpha - np.sqrt(alpha)), np.sign(theta - threshold)]
        changes = [
            np.ptp([s[:-1, :-1], s[1:, :-1], s[:-1, 1:], s[1:, 1:]], axis=0) == 2 for s in signs
        ]
        rows, columns = np.nonzero(changes[0] & changes[1])
        groups = []
        for row, column in zip(rows, columns, strict=True):
            if all(max(abs(row - r), abs(column - c)) > 10 for r, c in groups):
                groups.append((row, column))
        found = low_activity.solutions(a, alpha, threshold)
        assert int(found.m.notnull().sum()) == len(groups) == count


def functional(M, q, C, r, rho, a, alpha, threshold):
    """The free energy at T = 0 as a function of all order parameters; rho = beta (r_d - r)."""
    shifted = threshold + alpha / 2 - alpha / 2 * rho
    width = np.sqrt(alpha * r)
    energy = M**2 / 2 - alpha / 2 * q / (1 - C) + alpha / 2 * (rho * q + r * C)
    for w, e in ((a, np.sqrt((1 - a) / a)), (1 - a, -np.sqrt(a / (1 - a)))):
        y = (e * M - shifted) / width
        energy -= w * width * (y * ndtr(y) + phi(y))  # E max(0, field)
    return energy


def test_energy_is_stationary_in_every_order_parameter():
    for point in ((0.1, 0.3, 0.5), (0.5, 0.05, 0.02), (0.01, 2.0, 0.6)):
        found = low_activity.solutions(*point)
        for branch in range(int(found.m.notnull().sum())):
            one = found.isel(branch=branch)
            C = float(one.C)
            at = np.array([float(one.m), float(one.q), C, float(one.r), 1 / (1 - C)])
            assert functional(*at, *point) == pytest.approx(float(one.energy), abs=1e-12)
            for which, value in enumerate(at):
                step = np.zeros(5)
                step[which] = 1e-4 * value
                change = functional(*(at + step), *point) - functional(*(at - step), *point)
                # of third order in the step, 1e-12, times derivatives of the order of alpha r
                scale = abs(functional(*at, *point)) + point[1] * float(one.r)
                assert abs(change) < 1e-9 * scale


def test_energy_changes_with_the_threshold_by_the_activity():
    step = 1e-5
    for a, alpha, threshold in ((0.1, 0.3, 0.5), (0.5, 0.05, 0.02), (0.01, 2.0, 0.6)):
        up, down = (
            float(low_activity.retrieval(a, alpha, threshold + d).energy) for d in (step, -step)
        )
        q = float(low_activity.retrieval(a, alpha, threshold).q)
        # the next term is step^2 q''/6 with q'' below 1e3 q here
        assert (up - down) / (2 * step) == pytest.approx(q, rel=1e-6)


def test_low_load_is_the_perfect_state():
    found = low_activity.retrieval([1e-4, 0.1, 0.5], 1e-7, 0.3)
    a = found.activity
    np.testing.assert_allclose(found.m, np.sqrt(a * (1 - a)), rtol=1e-12)
    np.testing.assert_allclose(found.energy, -a * (1 - a) / 2 + 0.3 * a, rtol=1e-6)
    # outside of the fields of the perfect state nothing is held
    assert low_activity.retrieval(0.1, 1e-4, [0.91, -0.11]).m.isnull().all()


def test_simulated_quenches():
    """N = 6000, 8 samples, T = 0 quench from a pattern with exactly a N active sites (4 sigma)."""
    for point, M, p1 in (
        ((0.1, 0.3, 0.5), (0.2967, 0.0006), (0.9896, 0.0019)),
        ((0.1, 0.2, 0.6), (0.2923, 0.0008), (0.9744, 0.0027)),
    ):
        found = low_activity.retrieval(*point)
        assert abs(float(found.m) - M[0]) < 4 * M[1]
        assert abs(float(found.active_firing) - p1[0]) < 4 * p1[1]


# --- capacity -----------------------------------------------------------------------------------


def test_capacity_over_the_domain():
    few = np.geomspace(1e-4, 0.5, 12)
    found = low_activity.capacity(np.concatenate([few, 1 - few[:-1][::-1]]))
    assert float(found.residual.max()) < 1e-10
    # where all derivatives of sqrt(alpha) vanish every line of constant theta is at a fold
    np.testing.assert_allclose(found.fold, 0, atol=1e-12)
    # a known number: the ratio to the slow asymptote and the information
    a = np.array([1e-1, 1e-2, 1e-3, 1e-4])
    known = low_activity.capacity(a)
    ratio = known.alpha * 2 * a * np.abs(np.log(a))
    np.testing.assert_allclose(ratio, [0.203, 0.402, 0.470, 0.504], atol=6e-4)
    np.testing.assert_allclose(known.information, [0.136, 0.216, 0.266, 0.297], atol=6e-4)


def test_no_threshold_stores_more_than_the_capacity():
    for a in (0.01, 0.1, 0.5):
        best = low_activity.capacity(a)
        thresholds = np.append(np.linspace(-0.2, 0.95, 13), float(best.threshold))
        found = low_activity.ends(a, thresholds)
        assert float(found.residual.max()) < 1e-10
        largest = found.alpha.max("branch").values
        assert largest[-1] == pytest.approx(float(best.alpha), rel=1e-10)
        assert np.nanmax(largest[:-1]) < float(best.alpha)


def test_states_end_where_the_ends_are():
    for a, threshold in ((0.1, 0.5), (0.01, 0.67), (0.5, 0.05)):
        ends = low_activity.ends(a, threshold)
        for branch in range(int(ends.alpha.notnull().sum())):
            end = float(ends.alpha[branch])
            below, above = (
                low_activity.solutions(a, end * factor, threshold) for factor in (0.999, 1.001)
            )
            count = [int(one.m.notnull().sum()) for one in (below, above)]
            assert count[0] == count[1] + 2
            # the two that merge lie on both sides of the end
            nearest = np.sort(np.abs(below.m - float(ends.m[branch])).values[: count[0]])
            assert nearest[1] < 0.1 * float(ends.m[branch])
            assert sorted(np.sign(below.fold.values[: count[0]])) == [-1, 1] * (count[0] // 2) or (
                np.sum(np.sign(below.fold.values[: count[0]])) == 0
            )


def test_two_retrieval_states_follow_each_other_at_low_activity():
    """At a = 0.01 below the best threshold: the upper state ends at 0.898 of the capacity, a lower
    one, which fires at 0.7 of the active sites, at 0.997."""
    ends = low_activity.ends(0.01, 0.67)
    part = ends.alpha / float(low_activity.capacity(0.01).alpha)
    np.testing.assert_allclose(part, [0.898, 0.997], atol=1e-3)
    found = low_activity.retrieval(0.01, ends.alpha.values * 0.9999, 0.67)
    np.testing.assert_allclose(found.active_firing, ends.active_firing, atol=0.02)
    assert np.all(found.fold < 0) and bool(ends.active_firing[0] > 0.9 > ends.active_firing[1])


# --- the border ---------------------------------------------------------------------------------


def test_labels(everything):
    assert everything.m.dims == (*GRID, "branch") and "V in {0, 1}" in everything.convention
    found = low_activity.retrieval(0.1, xr.DataArray([0.1, 0.2], dims="sample"), [0.4, 0.5, 0.6])
    assert found.m.dims == ("sample", "threshold") and str(found.branch.values) == "retrieval"
    for variable in found.data_vars.values():
        assert variable.attrs["long_name"] and variable.attrs["units"] == "1"
    np.testing.assert_array_equal(
        found.m.sel(threshold=0.5), low_activity.solutions(0.1, [0.1, 0.2], 0.5).m[:, 0]
    )


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: low_activity.retrieval(0, 0.1, 0.5), "activity"),
        (lambda: low_activity.retrieval(1, 0.1, 0.5), "activity"),
        (lambda: low_activity.solutions(0.1, 0, 0.5), "alpha"),
        (lambda: low_activity.solutions(0.1, 0.1, np.nan), "threshold"),
        (lambda: low_activity.ends(0.1, np.inf), "threshold"),
        (lambda: low_activity.capacity(-0.1), "activity"),
    ],
)
def test_bad_input_is_refused_by_name(call, name):
    with pytest.raises(ValueError, match=name):
        call()
