"""Log-sum-exp networks at temperature T: against brute force, quadrature, sampling and limits."""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar
from scipy.special import ive

from hopfield_sim.theory import log_sum_exp, log_sum_exp_cells, log_sum_exp_thermal

ALPHA = np.array([0.05, 0.15, 0.25, 0.35, 0.5])
TEMPERATURE = np.array([0.02, 0.1, 0.3, 0.8, 1.5])


# ----------------------------------------------------------------------------- d -> infinity


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_retrieval_is_the_minimum_where_the_target_outweighs_the_others(sharpness):
    found = log_sum_exp_thermal.retrieval(ALPHA, TEMPERATURE, sharpness)
    phi = log_sum_exp.sphere_noise(ALPHA, sharpness).exponent
    np.testing.assert_allclose(found.edge, (phi / sharpness).broadcast_like(found.edge), rtol=1e-14)
    for alpha in ALPHA:
        for temperature in TEMPERATURE:
            cell = found.sel(alpha=alpha, temperature=temperature)
            edge = float(cell.edge)

            def f(m, temperature=temperature, edge=edge):
                return -max(m, edge) - temperature / 2 * np.log1p(-(m**2))

            if edge >= 1:
                assert np.isnan(cell.m)
                continue
            best = minimize_scalar(f, bounds=(edge, 1 - 1e-12), options={"xatol": 1e-12})
            if best.x < edge + 1e-6:  # f rises from the edge on: nothing above it
                assert np.isnan(cell.m) and np.isnan(cell.f)
                continue
            assert float(cell.m) == pytest.approx(best.x, abs=1e-6)
            assert float(cell.f) == pytest.approx(best.fun, abs=1e-12)
            assert float(cell.f) == pytest.approx(float(cell.energy - temperature * cell.entropy))
            assert float(cell.barrier) == pytest.approx((f(edge) - best.fun) / temperature)


def test_way_to_a_neighbour_is_the_highest_pass():
    """Against a grid over m and c of the weight of states between two patterns."""
    alpha, temperature = np.array([0.05, 0.2, 0.3]), np.array([0.05, 0.2, 0.5])
    found = log_sum_exp_thermal.retrieval(alpha, temperature, 1.0)
    m = np.linspace(0.001, 0.999, 1999)[:, None]
    for load in alpha:
        c = np.linspace(0, np.sqrt(-np.expm1(-2 * load)), 2001)[None, :]
        with np.errstate(invalid="ignore", divide="ignore"):
            volume = np.log(1 - 2 * m**2 / (1 + c)) / 2 + load + np.log(1 - c**2) / 2
        for one in temperature:
            cell = found.sel(alpha=load, temperature=one)
            weight = np.nanmax(m / one + volume)
            where = np.unravel_index(np.nanargmax(m / one + volume), volume.shape)
            if m[where[0], 0] < float(cell.edge):
                assert np.isnan(cell.neighbour_barrier)
            else:
                # the grid is 0.0005 wide and the weight flat at its maximum
                assert float(cell.neighbour_barrier) == pytest.approx(
                    float(-cell.f) / one - weight, abs=2e-3
                )
    # at low temperature the way to a neighbour is the easier one, at high it is over the edge
    assert found.neighbour_barrier.isel(temperature=0, alpha=1) < found.barrier.isel(
        temperature=0, alpha=1
    )


@pytest.mark.parametrize("sharpness", [0.5, 1.0, 3.0])
def test_spinodal_and_equal_weights(sharpness):
    found = log_sum_exp_thermal.temperatures(ALPHA, sharpness)
    noise = log_sum_exp.sphere_noise(ALPHA, sharpness)
    for place, alpha in enumerate(ALPHA):
        at = found.isel(alpha=place)
        edge = float(at.edge)
        if edge >= 1:
            assert all(np.isnan(at[name]) for name in ("spinodal", "equilibrium", "single"))
            continue
        # the load of the spinodal at the temperature of the spinodal
        back = log_sum_exp_thermal.spinodal_load(float(at.spinodal), sharpness)
        assert float(back.alpha) == pytest.approx(alpha, abs=1e-12)
        assert float(back.m) == pytest.approx(edge, abs=1e-12)
        # below it there is a state, above there is none
        sides = np.array([0.999, 1.001]) * float(at.spinodal)
        state = log_sum_exp_thermal.retrieval(alpha, sides, sharpness).m.squeeze()
        assert state.notnull().values.tolist() == [True, False]
        # free energies, by their own formula
        for name, entropy in (("equilibrium", alpha), ("single", 0.0)):
            if name == "equilibrium" and noise.condensed[place]:
                assert float(at.equilibrium) == float(at.spinodal)
            one = float(at[name])
            # at the spinodal itself the state has just gone
            state = log_sum_exp_thermal.retrieval(alpha, one * (1 - 1e-12), sharpness)
            assert float(state.f) - one * entropy == pytest.approx(-edge, abs=1e-9)
        assert at.single < at.equilibrium <= at.spinodal


def test_zero_temperature_is_the_capacity():
    sharpness = np.array([0.5, 1.0, 2.0])
    for kind in ("sphere", "gaussian"):
        known = getattr(log_sum_exp, kind)(sharpness).alpha
        found = log_sum_exp_thermal.spinodal_load_in_space(0.0, sharpness, kind).alpha
        np.testing.assert_allclose(found, known, rtol=1e-14)
    on_sphere = log_sum_exp_thermal.spinodal_load(0.0, sharpness).alpha
    np.testing.assert_allclose(on_sphere, log_sum_exp.sphere(sharpness).alpha.values.ravel())
    cold = log_sum_exp_thermal.retrieval(0.1, 0.0, 1.0)
    assert float(cold.m) == 1 and float(cold.f) == -1 and float(cold.barrier) == np.inf


@pytest.mark.parametrize("kind", ["sphere", "gaussian"])
def test_retrieval_in_space(kind):
    """The stationary point of m and the length by brute force; the load where the others win."""
    for sharpness, temperature in ((0.5, 0.4), (1.0, 0.2), (2.0, 1.5)):
        load = float(log_sum_exp_thermal.spinodal_load_in_space(temperature, sharpness, kind).alpha)
        for alpha, is_there in ((0.999 * load, True), (1.001 * load, False)):
            state = log_sum_exp_thermal.retrieval_in_space(alpha, temperature, sharpness, kind)
            assert bool(state.m.notnull()) == is_there
        m, square = np.meshgrid(np.linspace(0.5, 1.5, 1001), np.linspace(0.5, 4, 1001))
        with np.errstate(invalid="ignore", divide="ignore"):
            f = square / 2 - m - temperature / 2 * np.log(square - m**2)
        place = np.nanargmin(f)
        state = log_sum_exp_thermal.retrieval_in_space(load / 2, temperature, sharpness, kind)
        assert float(state.m) == pytest.approx(m.flat[place], abs=2e-3)  # the grid is 0.001 wide,
        assert float(state.square_length) == pytest.approx(square.flat[place], abs=7e-3)  # 0.0035
        assert float(state.f) == pytest.approx(np.nanmin(f), abs=1e-5)
    small = log_sum_exp_thermal.spinodal_load_in_space(0.5, 0.4, "gaussian").alpha
    assert float(small) == pytest.approx(0.4 - 0.4**2 * 1.5 / 2)
    large = log_sum_exp_thermal.spinodal_load_in_space(0.5, 0.9, "gaussian").alpha
    assert float(large) == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="patterns='cube'"):
        log_sum_exp_thermal.spinodal_load_in_space(0.5, 0.4, "cube")


# -------------------------------------------------------------------------------- finite d


def test_single_pattern_is_von_mises_fisher():
    d, temperature = np.array([4, 24, 300]), np.array([0.05, 1.0, 4.0])
    found = log_sum_exp_cells.cell(d, 1, temperature, 0.7)
    kappa = d[:, None] / temperature
    m = ive(d[:, None] / 2, kappa) / ive(d[:, None] / 2 - 1, kappa)
    np.testing.assert_allclose(found.m, m, rtol=1e-9)
    np.testing.assert_allclose(found.energy, -m, rtol=1e-9)
    # d<m>/d kappa
    variance = 1 - m**2 - (d[:, None] - 1) / kappa * m
    np.testing.assert_allclose(found.m_deviation**2, variance, rtol=1e-6)
    assert (found.edge == -1).all() and (found.share == 1).all()
    assert found.best_other.isnull().all()


@pytest.mark.parametrize("sharpness", [0.5, 1.5])
def test_annealed_law_against_sampled_patterns(sharpness):
    """d = 8, M = 2 and 6: sums over random sets and random states of the cell, weighted.

    M = 2 is exact; with six the mean over the further four is not, by less than 0.01 here, where
    their fluctuation is raised to the power 1/(lambda T) <= 4.
    """
    rng = np.random.default_rng(1)
    d, temperature = 8, 0.5
    for number, tolerance in ((2, 0.0), (6, 0.01)):
        # a state's overlaps with random patterns: first entries of random directions
        first = rng.normal(size=(200_000, number))
        rest = rng.chisquare(d - 1, (200_000, number))
        overlaps = np.sort(first / np.sqrt(first**2 + rest), axis=1)[:, ::-1]
        log = np.log(np.exp(sharpness * d * overlaps).sum(axis=1))
        weight = np.exp(log / (sharpness * temperature))
        law = log_sum_exp_cells.cell(d, number, temperature, sharpness)
        assert float(law.edge) == -1
        for name, values in (
            ("m", overlaps[:, 0]),
            ("best_other", overlaps[:, 1]),
            ("energy", -log / (sharpness * d)),
        ):
            mean = np.average(values, weights=weight)
            error = np.sqrt(np.sum((weight * (values - mean)) ** 2)) / weight.sum()
            assert abs(float(law[name]) - mean) < 4.5 * error + tolerance, name


def test_large_dimension_is_the_limit():
    """Overlap, edge and barrier of d -> infinity, with corrections of order (ln d)/d."""
    alpha, temperature, sharpness = 0.2, np.array([0.1, 0.3]), 0.5
    limit = log_sum_exp_thermal.retrieval(alpha, temperature, sharpness).squeeze()
    away = []
    for d in (100, 400):
        found = log_sum_exp_cells.cell(d, np.rint(np.exp(alpha * d)), temperature, sharpness)
        found = found.squeeze()
        away.append(
            [
                np.abs(found.m - limit.m).max(),
                np.abs(found.edge - limit.edge).max(),
                np.abs(found.barrier / d - limit.barrier).max(),
            ]
        )
    assert (np.array(away[0]) < [2e-3, 0.07, 0.04]).all()
    assert (np.array(away[1]) < 0.45 * np.array(away[0])).all()
    nearest = log_sum_exp_cells.nearest(400, np.exp(80.0).round()).overlap
    assert float(nearest) == pytest.approx(np.sqrt(-np.expm1(-0.4)), abs=0.01)


def test_nearest_pattern_against_sampling():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 50, 9))
    largest = (x[..., 0] / np.linalg.norm(x, axis=-1)).max(axis=1)
    found = float(log_sum_exp_cells.nearest(9, 50).overlap)
    assert abs(found - largest.mean()) < 4.5 * largest.std() / np.sqrt(4000)
    assert float(log_sum_exp_cells.nearest(9, 1).overlap) == pytest.approx(0, abs=1e-9)


def test_coexistence_has_a_barrier_and_two_shares():
    """Many patterns in high dimension: the retrieval states weigh less and less with T."""
    temperature = np.array([0.4, 0.5, 0.6, 0.7])
    found = log_sum_exp_cells.cell(100, np.rint(np.exp(20.0)), temperature, 0.5).squeeze()
    assert (np.diff(found.barrier) < 0).all() and (np.diff(found.share) < 0).all()
    assert float(found.share[0]) > 0.99 and float(found.share[-1]) < 0.2
    assert ((found.edge < found.m) & (found.m < 1)).all()
    # where half is in the retrieval states, T is that of the limit d -> infinity to 10 %
    half = np.interp(0.5, found.share[::-1], temperature[::-1])
    limit = float(log_sum_exp_thermal.temperatures(0.2, 0.5).equilibrium)
    assert half == pytest.approx(limit, rel=0.1)


def test_domains_are_refused_by_name():
    with pytest.raises(ValueError, match="temperature"):
        log_sum_exp_cells.cell(20, 5, 0.0, 0.5)
    with pytest.raises(ValueError, match="dimension"):
        log_sum_exp_cells.cell(3, 5, 1.0, 0.5)
    with pytest.raises(ValueError, match="alpha"):
        log_sum_exp_thermal.retrieval(0.0, 0.1, 0.5)
    with pytest.raises(ValueError, match="sharpness"):
        log_sum_exp_thermal.temperatures(0.1, -1.0)
