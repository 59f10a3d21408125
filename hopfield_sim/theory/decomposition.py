"""The free energy of the pairwise network as a Sherrington-Kirkpatrick glass plus a spherical one,
and why P-body networks are an Ising glass alone.

With no pattern condensed, P(alpha) patterns are as many Gaussian hidden units z_mu coupled to the
spins by exp(sqrt(1/(T N)) sum xi_i^mu s_i z_mu). At the replica-symmetric saddle point, with
C = (1 - q)/T and 1/T' = (sqrt(alpha)/T)/(1 - C),

    -f/T = A_SK(1/T') + alpha A_G(1 - C, 1/T) - 1/(4 T'^2) - alpha/(2T),

    A_SK(b)   = E ln 2cosh(b sqrt(q) z) + (b^2/4)(1 - q)^2,   q = E tanh^2(b sqrt(q) z),
    A_G(b, l) = -(1/2) ln(1 - l + b^2 p) + b^2 p/(2 [1 - l + b^2 p]) + b^2 p^2/4,
                p = 0 or 1 - l + b^2 p = b  (here p = q/[T (1 - C)^2]).

A_SK is the pressure of the Sherrington-Kirkpatrick model, A_G that of a glass of Gaussian (soft
spherical) spins with couplings of size b and a parabola of curvature l; the last term is that of
the diagonal J_ii. The spins feel the hidden units at a lower temperature T', for the factor
1/(1 - C), the reaction of the overlaps on each other. For P >= 3 nothing of this is left: overlaps
of order N^(-1/2) act on each other through m_mu^P only, which vanishes for N -> infinity; there is
no factor 1/(1 - C) and the network is the P-spin glass of the same temperature,

    P >= 3:   f = f_(P-spin)(T),  E[H H'] = N (ahat/P) q^P.

Sources: A. Barra, G. Genovese, F. Guerra, J. Stat. Phys. 140 (2010) 784; A. Barra, G. Genovese, F.
Guerra, D. Tantari, J. Stat. Mech. (2012) P07009 and J. Phys. A 47 (2014) 155002; the equation above
derived here from the free energy of Amit, Gutfreund and Sompolinsky, checked to rounding.
"""

import numpy as np
import xarray as xr

from hopfield_sim.theory import dense, hopfield
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.dense_kernel import ALPHA_NAME, crosstalk_variance
from hopfield_sim.theory.dense_saddle import CONVENTION
from hopfield_sim.theory.labels import common_grid, evaluated
from hopfield_sim.theory.quadrature import thermal_averages

__all__ = ["ising_alone", "pairwise"]

_SOURCE = "Barra, Genovese, Guerra, Tantari, J. Stat. Mech. (2012) P07009; derived here"
_CONVENTION = (
    "H = -(1/2) sum_{i != j} J_ij s_i s_j, J_ij = (1/N) sum_mu xi_i^mu xi_j^mu; alpha = P/N; "
    "energies and temperatures in units of J, k_B = 1"
)
# From here on T' = 1 - kink^-2 within rounding: the glass of the SK model is at its end.
_LARGEST_KINK = 1e7


def pairwise(alpha, temperature):
    """The two parts of the free energy without a condensed pattern: above and below T_g.

        ising = -T A_SK(1/T') = (sqrt(alpha)/(1 - C)) f_SK(T')
        spherical = -T [alpha A_G(1 - C, 1/T) - 1/(4 T'^2)] + alpha/2

    f_SK is solved at T' by itself; that its order parameter is that of the network is checked, see
    `residual`. At T = 0 the limits of both.

    Args:
        alpha: patterns per neuron, a number, a 1-D array or a DataArray, > 0.
        temperature: likewise, >= 0. Two plain arrays span the grid (alpha, temperature).

    Returns:
        xarray.Dataset on that grid: sk_temperature T', sk_free_energy f_SK(T') in units of the
        couplings of the SK model, ising, spherical and free_energy, their sum, in units of J; q;
        spherical_coupling 1 - C; residual, q of the SK model minus that of the network.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: the head of this module.
    """
    names = {
        "sk_temperature": "temperature T' of the Sherrington-Kirkpatrick part, units of its J",
        "sk_free_energy": "free energy per spin of the Sherrington-Kirkpatrick model at T'",
        "ising": "part of the Sherrington-Kirkpatrick glass of the free energy per neuron",
        "spherical": "part of the spherical glass of the free energy per neuron",
        "free_energy": "free energy per neuron, sum of the parts",
        "q": "Edwards-Anderson order parameter",
        "spherical_coupling": "coupling 1 - C of the spherical glass",
        "residual": "difference of q of the Sherrington-Kirkpatrick model and of the network",
    }
    return evaluated(
        common_grid(alpha=alpha, temperature=temperature),
        _parts,
        names,
        "pairwise network as a Sherrington-Kirkpatrick and a spherical glass",
        convention=_CONVENTION,
        source=_SOURCE,
    )


def ising_alone(interaction, alpha, temperature):
    """What is left of the paramagnet's free energy beyond the Ising glass of P spins alone.

        P = 2:   difference = (alpha T/2) ln(1 - 1/T) + alpha/2 + alpha/(4T)
        P >= 3:  difference = 0

    The Ising glass alone has the covariance of the energies, E[H H'] = N (ahat/P) q^P, and no more:
    f = -T ln 2 - ahat/(2 P T) in its paramagnet. The difference is the spherical part (for P = 2
    with what the lower temperature T' makes of the Ising part).

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        alpha: K/N^(P-1), likewise, > 0; *distinct*.
        temperature: likewise, >= 0. Plain arrays span the grid (interaction, alpha, temperature).

    Returns:
        xarray.Dataset on that grid: network, ising and difference, free energies per neuron in
        units of J, without the constants of H at any P but with <H> = 0 at T = infinity. NaN at
        T = 0, and for P = 2 at T <= 1.

    Raises:
        ValueError: a parameter outside its domain, by name.

    Source: the head of this module; Amit, Gutfreund, Sompolinsky 1987; Gardner 1987.
    """
    grid = common_grid(
        {"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha, temperature=temperature
    )
    names = {
        "network": "free energy per neuron of the network",
        "ising": "free energy per neuron of the glass of P spins alone",
        "difference": "free energy per neuron beyond the glass of P spins alone",
    }
    return evaluated(
        grid,
        _beyond,
        names,
        "paramagnet of the P-body network and of the P-spin glass",
        convention=CONVENTION["distinct"],
        source=_SOURCE,
    )


def _beyond(P, alpha, T):
    ahat = alpha * np.array([float(crosstalk_variance(int(one), "distinct")) for one in P])
    network = np.full(P.size, np.nan)
    for one in np.unique(P):
        at = np.flatnonzero((one == P) & (T > 0))
        phase = [xr.DataArray(values[at], dims="point") for values in (alpha, T)]
        # dense has H with its diagonal at P = 2, alpha/2 below the energy whose mean is 0
        network[at] = dense.paramagnet(int(one), *phase).free_energy + (one == 2) * alpha[at] / 2
    with np.errstate(divide="ignore"):
        ising = np.where(T > 0, -T * np.log(2) - ahat / (2 * P * T), np.nan)
    return {"network": network, "ising": ising, "difference": network - ising}


def _parts(alpha, T):
    point = [xr.DataArray(values, dims="point") for values in (alpha, T)]
    glass, free = hopfield.spin_glass(*point), hopfield.paramagnet(*point)
    q, C = (glass[name].fillna(free[name]).values for name in ("q", "C"))
    here = T * (1 - C) / np.sqrt(alpha)
    sk_q, sk_f = _sk(here)
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.where(T > 0, T * np.log1p(-C), 0)
    spherical = alpha / 2 * (1 + logarithm - q / (1 - C) + C * (1 + q) / (2 * (1 - C) ** 2))
    ising = np.sqrt(alpha) / (1 - C) * sk_f
    return {
        "sk_temperature": here,
        "sk_free_energy": sk_f,
        "ising": ising,
        "spherical": spherical,
        "free_energy": ising + spherical,
        "q": q,
        "spherical_coupling": 1 - C,
        "residual": np.abs(sk_q - q),
    }


def _sk(T):
    """q and f of the replica-symmetric Sherrington-Kirkpatrick model, J = 1, at T (point,).

    With kink = T/sqrt(q) the equation q = E tanh^2(z/kink) is explicit: T = kink sqrt(q).
    """

    def temperature(kink, T):
        return kink * np.sqrt(thermal_averages(0.0, 1.0, kink).tanh_squared) - T

    q, f = np.zeros(T.size), np.full(T.size, np.nan)
    there = np.isfinite(T)
    hot = np.flatnonzero(there & (T >= 1 - 1e-13))
    f[hot] = -T[hot] * np.log(2) - 1 / (4 * T[hot])
    cold = np.flatnonzero(there & (T < 1 - 1e-13))
    kink = roots(temperature, 0.0, _LARGEST_KINK, T[cold])
    average = thermal_averages(0.0, 1.0, kink)
    q[cold] = average.tanh_squared
    width = np.sqrt(q[cold])
    f[cold] = -T[cold] * average.entropy - width * average.slope
    f[cold] -= kink * average.slope**2 / (4 * width)
    q[~there] = np.nan
    return q, f
