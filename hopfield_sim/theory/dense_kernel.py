"""The cross-talk of the uncondensed patterns in P-body networks, in both normalisations.

With z, z' Gaussian of covariance q, the fields of two replicas of overlap q have the covariance

    xi'(q) = alpha E[g(z) g(z')] = ahat V(q),   V(1) = 1,   ahat = xi'(1), the reduced load:

    "distinct"   H = -((P-1)!/N^(P-1)) sum_mu sum_{i1 < ... < iP} xi ... xi s ... s
                 g = He_{P-1},   V = q^(P-1),   ahat = alpha (P-1)!
    "full"       H = -(N/P) sum_mu m_mu^P, equal sites kept
                 g = z^(P-1) = sum_k c_k He_k,   c_k = C(P-1, k) (P-2-k)!! for even P-1-k >= 0,
                 V = sum_k c_k^2 k! q^k/(2P-3)!!,   ahat = alpha (2P-3)!!

with alpha = K/N^(P-1) and He_k the Hermite polynomials of the normal law. *Full* contains the
interactions of P-2, P-4, ... bodies too, for odd P down to one: a random field of variance
alpha c_0^2 on every site. At q = 1 the two differ by nothing but ahat, so at T = 0 as well.

The free energy needs xi(q) = integral_0^q xi' and differences of it that vanish as q -> 1; these
are given as polynomials with the factors 1 - q taken out, so that nothing cancels at low T.
"""

from fractions import Fraction
from functools import cache
from math import comb, factorial, prod
from typing import NamedTuple

import numpy as np
from numpy.polynomial.polynomial import polyval

from hopfield_sim.theory.labels import PARAMETERS, common_grid

NORMALISATIONS = ("distinct", "full")
ALPHA_NAME = "patterns per N^(P-1), K/N^(P-1)"
_NAMES = {
    "alpha": ALPHA_NAME,
    "reduced_load": "reduced load: variance of the cross-talk field of a frozen state",
}
# (2P-3)!!, the ratio of the two loads of *full*, must be a floating-point number.
LARGEST_INTERACTION = 150


class Kernel(NamedTuple):
    """V and what is derived from it: coefficients of powers of q, lowest first."""

    variance: np.ndarray  # V(q)
    slope: np.ndarray  # V'(q)
    first: np.ndarray  # [xi(1) - xi(q)]/(ahat (1 - q))
    second: np.ndarray  # [xi(1) - xi(q) - (1 - q) xi'(q)]/(ahat (1 - q)^2)


def double_factorial(number):
    """n!! = n (n - 2) (n - 4) ..., 1 for n <= 0."""
    return prod(range(number, 0, -2))


def checked_normalisation(normalisation):
    """The normalisation, if it is one.

    Raises:
        ValueError: it is neither "distinct" nor "full".
    """
    if normalisation not in NORMALISATIONS:
        raise ValueError(
            f'normalisation = {normalisation!r} is not allowed; it must be "distinct" or "full"'
        )
    return normalisation


def crosstalk_variance(interaction, normalisation):
    """ahat/alpha, a whole number: (P-1)! or (2P-3)!!."""
    if interaction > LARGEST_INTERACTION:
        raise ValueError(
            f"interaction = {interaction} is not allowed; it must be at most "
            f"{LARGEST_INTERACTION}, beyond which loads leave the range of floating-point numbers"
        )
    if checked_normalisation(normalisation) == "distinct":
        return factorial(interaction - 1)
    return double_factorial(2 * interaction - 3)


@cache
def kernel(interaction, normalisation):
    """The Kernel of one whole P and one normalisation, its coefficients exact before rounding."""
    P = interaction
    weights = [Fraction(0)] * P
    if checked_normalisation(normalisation) == "distinct":
        weights[P - 1] = Fraction(1)
    else:
        for k in range(P - 1, -1, -2):
            hermite = comb(P - 1, k) * double_factorial(P - 2 - k)
            weights[k] = Fraction(hermite**2 * factorial(k), double_factorial(2 * P - 3))
    integral = [weight / (k + 1) for k, weight in enumerate(weights)]  # of q^(k+1)
    first = [sum(integral[j:]) for j in range(P)]
    second = [(j + 1) * sum(integral[j + 1 :]) for j in range(P - 1)]
    slope = [k * weight for k, weight in enumerate(weights)][1:]
    return Kernel(*(np.array([float(c) for c in each]) for each in (weights, slope, first, second)))


def evaluate(coefficients, q):
    """The polynomial with these coefficients at q (point,)."""
    return polyval(q, coefficients)


def reduced_load(interaction, alpha, normalisation="distinct"):
    """ahat = alpha (P-1)! ("distinct") or alpha (2P-3)!! ("full"), the variance of the cross-talk.

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers in 2..150.
        alpha: K/N^(P-1), likewise, > 0; two plain arrays span the grid (interaction, alpha).
        normalisation: "distinct" or "full", see the module.

    Returns:
        xarray.DataArray called reduced_load on that grid, dimensionless.

    Raises:
        ValueError: a parameter outside its domain, by name.

    Source: E. Gardner, J. Phys. A 20 (1987) 3453 (distinct); Hermite expansion (full).
    """
    order, load_ = common_grid({"alpha": ALPHA_NAME}, interaction=interaction, alpha=alpha)
    return _converted(order, load_, normalisation, 1, "reduced_load")


def load(interaction, reduced_load, normalisation="distinct"):
    """alpha = ahat/(P-1)! ("distinct") or ahat/(2P-3)!! ("full"), inverse of `reduced_load`.

    Args: as `reduced_load`, with reduced_load = ahat > 0 in place of alpha.

    Raises:
        ValueError: as `reduced_load`; or a load below the range of floating-point numbers, which
            can be met for P > 130.

    Returns:
        xarray.DataArray called alpha on the grid (interaction, reduced_load).
    """
    order, reduced = common_grid(interaction=interaction, reduced_load=reduced_load)
    found = _converted(order, reduced, normalisation, -1, "alpha")
    if np.any(found.values < np.finfo(float).tiny):
        raise ValueError(
            f"reduced_load = {reduced.values.min():g} is not allowed for interaction = "
            f"{order.values.max()}: alpha would leave the range of floating-point numbers"
        )
    return found


def _converted(order, values, normalisation, power, name):
    factors = order.astype(float)
    factors.values = np.reshape(
        [
            float(crosstalk_variance(int(P), normalisation)) ** power
            for P in order.values.reshape(-1)
        ],
        order.shape,
    )
    found = (factors * values).rename(name)
    for dim in (*order.coords, *values.coords):
        if dim in PARAMETERS:
            described = {"long_name": _NAMES.get(dim, PARAMETERS[dim].long_name), "units": "1"}
            found[dim].attrs = described | found[dim].attrs
    found.attrs = {"long_name": _NAMES[name], "units": "1"}
    return found


def with_reduced_load(found, normalisation):
    """A Dataset on (interaction, alpha) with its normalisation as an attribute and the reduced load
    as a coordinate.

    Raises:
        ValueError: alpha came along a reduced load that it does not have in this normalisation.
    """
    found.attrs["normalisation"] = normalisation
    ahat = reduced_load(found.interaction, found.alpha, normalisation)
    if "reduced_load" not in found.coords:
        return found.assign_coords(reduced_load=ahat)
    if not np.allclose(ahat, found.reduced_load, rtol=1e-9, atol=0):
        raise ValueError(
            f"alpha carries the coordinate reduced_load, which is not that of normalisation = "
            f"{normalisation!r}; convert with `load` for this one, or drop the coordinate"
        )
    return found
