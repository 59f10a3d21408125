"""The pairwise free energy as a Sherrington-Kirkpatrick glass plus a spherical one; P > 2."""

import numpy as np
import pytest
import xarray as xr

from hopfield_sim.theory import decomposition, dense, dense_glass, hopfield

ALPHA = [0.001, 0.05, 0.2, 1.0, 3.0]
TEMPERATURE = [0.0, 1e-3, 0.1, 0.5, 0.9, 1.0, 1.1, 1.4, 1.9, 2.5, 4.0]


def test_the_parts_add_up_to_the_free_energy_of_the_network():
    """Both phases, T = 0 included, to 1e-10 (rounding)."""
    found = decomposition.pairwise(ALPHA, TEMPERATURE)
    above = found.temperature > 1 + found.alpha**0.5
    glass, free = (
        phase(ALPHA, TEMPERATURE) for phase in (hopfield.spin_glass, hopfield.paramagnet)
    )
    exact = free.free_energy.where(above, glass.free_energy)
    assert exact.notnull().all() and above.any() and not above.all()
    np.testing.assert_allclose(found.free_energy, exact, rtol=0, atol=1e-10)
    np.testing.assert_allclose(found.ising + found.spherical, exact, rtol=0, atol=1e-10)
    assert found.residual.max() < 1e-10
    # neither part alone is the whole
    assert (np.abs(found.spherical) > 1e-5).all() and (np.abs(found.ising - exact) > 1e-5).all()


@pytest.mark.parametrize(("alpha", "T"), [(0.2, 0.4), (0.2, 1.2), (1.0, 1.5), (0.05, 1.8)])
def test_the_spherical_part_is_the_pressure_of_a_gaussian_glass(alpha, T):
    """The formula of the module's head, written out: couplings 1 - C, curvature 1/T."""
    found = decomposition.pairwise(alpha, T).squeeze()
    b, beta = float(found.spherical_coupling), 1 / T
    q, sk = float(found.q), 1 / float(found.sk_temperature)
    p = beta * q / b**2
    if q > 0:  # the equation of state of the Gaussian glass
        assert 1 - beta + b**2 * p == pytest.approx(b, abs=1e-12)
    D = 1 - beta + b**2 * p
    gaussian = -np.log(D) / 2 + b**2 * p / (2 * D) + b**2 * p**2 / 4
    pressure = -sk * float(found.sk_free_energy) + alpha * gaussian - sk**2 / 4 - alpha * beta / 2
    assert -beta * float(found.free_energy) == pytest.approx(pressure, abs=1e-12)


def test_the_sherrington_kirkpatrick_part_is_known():
    """T' = 0 at T = 0: e = -sqrt(2/pi); above T_g: -T' ln 2 - 1/(4 T'); T_g is T' = 1."""
    cold = decomposition.pairwise(0.3, 0.0)
    assert float(cold.sk_temperature) == 0
    assert float(cold.sk_free_energy) == pytest.approx(-np.sqrt(2 / np.pi), abs=1e-14)
    hot = decomposition.pairwise(0.25, 2.0)  # T' = (T - 1)/sqrt(alpha)
    assert float(hot.sk_temperature) == pytest.approx(2.0, abs=1e-14)
    assert float(hot.sk_free_energy) == pytest.approx(-2 * np.log(2) - 1 / 8, abs=1e-14)
    at = decomposition.pairwise(0.25, 1.5)
    assert float(at.sk_temperature) == pytest.approx(1, abs=1e-12)


def test_beyond_the_ising_glass_there_is_something_for_two_bodies_only():
    found = decomposition.ising_alone([2, 3, 4, 6], [0.1, 1.0], [1.5, 2.5])
    assert (np.abs(found.difference.sel(interaction=[3, 4, 6])) < 1e-14).all()
    assert (found.difference.sel(interaction=2) < -1e-4).all()
    # alpha [(T/2) ln(1 - 1/T) + 1/2 + 1/(4T)], by hand at alpha = 1, T = 2.5
    two = found.difference.sel(interaction=2, alpha=1.0, temperature=2.5)
    assert float(two) == pytest.approx(1.25 * np.log(0.6) + 0.5 + 0.1, abs=1e-14)
    parts = decomposition.pairwise(0.1, 1.5)
    network = found.network.sel(interaction=2, alpha=0.1, temperature=1.5)
    assert float(network) == pytest.approx(float(parts.free_energy), abs=1e-14)


@pytest.mark.parametrize("interaction", [3, 4])
def test_the_glass_of_many_bodies_is_the_glass_of_p_spins_at_the_same_temperature(interaction):
    """At T_K and at T = 0 in the units of the P-spin glass, whatever the load: no 1/(1 - C)."""
    of = dense_glass.transitions(interaction)
    for ahat in (0.5, 2.0):
        alpha = float(dense.load(interaction, ahat))
        ground = dense_glass.glass(interaction, alpha, 0.0).energy
        assert float(ground) == pytest.approx(float(of.energy) * ahat**0.5, rel=1e-10)
    # the pairwise network is none of that kind: its energy over sqrt(alpha) depends on the load
    energies = hopfield.spin_glass([0.5, 2.0], 0.0).energy / xr.DataArray(
        np.sqrt([0.5, 2.0]), dims="alpha"
    )
    assert abs(float(energies[0] - energies[1])) > 0.05
