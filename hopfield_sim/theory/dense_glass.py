"""The glass of P-body networks, P >= 3: the Ising P-spin glass in one-step replica symmetry
breaking (1RSB).

H = -[(P-1)!/N^(P-1)] sum_mu sum_(i1<...<iP) xi_i1^mu...xi_iP^mu s_i1...s_iP ("distinct"), with
K = alpha N^(P-1) random +-1 patterns. No pattern is condensed (m = 0): for P >= 3 the patterns then
act as Gaussian P-body couplings, and every temperature and energy is proportional to sqrt(ahat),
ahat = alpha (P-1)! the reduced load. States of overlap q1 gather in clusters of weight x; between
them q0 = 0. With h = sqrt(ahat q1^(P-1)) z, z Gaussian, and <.> its average with the weight
(2 cosh(h/T))^x, of norm I = E (2 cosh(h/T))^x,

    f = (x ahat/2T) ((P-1)/P) q1^P - (ahat/2T) D(q1) - (T/x) ln I,   q1 = <tanh^2(h/T)>,
    Sigma = (x^2 ahat/2T^2) ((P-1)/P) q1^P + ln I - x <ln 2cosh(h/T)> = 0   (df/dx = 0),
    D(q) = 1/P - q^(P-1) + (1 - 1/P) q^P

Above T_K the solution is x = 1 and Sigma > 0 is the complexity, the logarithm per neuron of the
number of states; T_d is where these states appear. Below T_G the one-step solution is unstable
(Gardner) and an approximation: replicon = 1 - (ahat/T^2) (P-1) q1^(P-2) <sech^4(h/T)> < 0.

Temperatures of the P-spin literature, whose couplings make E[H H'] = N q^P/2, are
T_standard = (T/sqrt(ahat)) sqrt(P/2), energies likewise. P = 2 is the Sherrington-Kirkpatrick
model, whose glass is of another kind. The *full* energy H = -(N/P) sum_mu m_mu^P has pair
couplings (even P) or a random field (odd P) among its cross-talk: its glass is of that kind too.

Sources: B. Derrida, Phys. Rev. B 24 (1981) 2613; D. J. Gross, M. Mezard, Nucl. Phys. B 240 (1984)
431; E. Gardner, Nucl. Phys. B 257 (1985) 747 (the phases of the P-spin glass); E. Gardner,
J. Phys. A 20 (1987) 3453 (as the glass of P-body networks).
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import betainc

from hopfield_sim.theory.continuation import newton, roots
from hopfield_sim.theory.dense_kernel import checked_normalisation, crosstalk_variance
from hopfield_sim.theory.labels import common_grid, dataset, evaluated, parameter
from hopfield_sim.theory.tilted import TiltedAverages, tilted_averages

__all__ = ["glass", "transitions"]

LONG_NAMES = {
    "q1": "overlap of two states of one cluster",
    "x": "weight x of the clusters (Parisi's breakpoint)",
    "rate": "x/T",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "complexity": "logarithm of the number of states per neuron",
    "replicon": "1 - (ahat/T^2) (P-1) q1^(P-2) <sech^4>, negative where the state splits further",
    "residual": "largest error of the equations",
}
CONVENTION = (
    "H = -[(P-1)!/N^(P-1)] sum_mu sum_(i1<...<iP) xi_i1...xi_iP s_i1...s_iP (distinct), "
    "alpha = K/N^(P-1), ahat = alpha (P-1)!; T and energies in units of J, k_B = 1"
)
SOURCE = "Gardner, Nucl. Phys. B 257 (1985) 747 and J. Phys. A 20 (1987) 3453"

_SMALLEST_RATE = 0.2
# Nodes of the table that gives Newton's method its starts.
_TABLE = 65
# A difference of free energies or temperatures in units of sqrt(ahat).
_TOLERANCE = 1e-12


def transitions(interaction):
    """The temperatures of the glass, and its ground state, in units of sqrt(ahat).

        T_d: replicon = 0 at x = 1;   T_K: Sigma = 0 at x = 1;   T_G: replicon = 0, Sigma = 0
        T = 0: e/sqrt(ahat) = max_u [-u/(2P) - (1/u) ln(2 Phi(u))],   u = sqrt(ahat) lim x/T

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers >= 3.

    Returns:
        xarray.Dataset on the coordinate interaction with T_d, q_d (q1 there), T_K, q_K, T_G, q_G,
        x_G, u, energy (those two at T = 0) and residual. T_d: states appear, without a
        singularity of f; T_K: static transition; T_G < T_K: the one-step solution becomes
        unstable. Multiply temperatures and energies by sqrt(ahat), ahat = alpha (P-1)!, or by
        sqrt(P/2) for the standard units of the P-spin glass.

    Raises:
        ValueError: interaction is no whole number, or below 3.

    Source: Gardner, Nucl. Phys. B 257 (1985) 747; T_K -> 1/sqrt(2 P ln 2) for P -> infinity:
    Derrida, Phys. Rev. B 24 (1981) 2613.
    """
    order = _glassy(parameter(interaction, "interaction"))
    found = [_critical(int(P)) for P in order.values.reshape(-1)]
    names = {
        "T_d": "temperature where the states of the glass appear, units of sqrt(ahat)",
        "q_d": "overlap q1 at T_d",
        "T_K": "static transition temperature, units of sqrt(ahat)",
        "q_K": "overlap q1 at T_K",
        "T_G": "temperature where one-step breaking becomes unstable, units of sqrt(ahat)",
        "q_G": "overlap q1 at T_G",
        "x_G": "weight x of the clusters at T_G",
        "u": "x/T at T = 0, units of 1/sqrt(ahat)",
        "energy": "energy per neuron at T = 0, units of sqrt(ahat)",
        "residual": LONG_NAMES["residual"],
    }
    values = {
        name: (np.reshape([getattr(one, name) for one in found], order.shape), long_name)
        for name, long_name in names.items()
    }
    return dataset(
        [order], values, "transitions of the P-spin glass", convention=CONVENTION, source=SOURCE
    )


def glass(interaction, alpha, temperature, normalisation="distinct"):
    """The glass at a load and temperature: one-step replica symmetry breaking, m = q0 = 0.

        q1 = <tanh^2(h/T)>;  Sigma = 0 below T_K, x = 1 between T_K and T_d (see the module)

    Args:
        interaction: order P, a number, a 1-D array or a DataArray of whole numbers >= 3.
        alpha: K/N^(P-1), likewise, > 0.
        temperature: likewise, >= 0, in units of J. Plain arrays span the grid
            (interaction, alpha, temperature).
        normalisation: "distinct" only, see the module.

    Returns:
        xarray.Dataset on that grid: q1, x, rate (x/T), free_energy, energy, entropy, complexity,
        replicon (-inf at T = 0), residual. Between T_K and T_d q1 and replicon are those of
        one state, free_energy and entropy those of all exp(N complexity) of them together,
        the paramagnet's -ahat/(2PT) - T ln 2 and its derivative. NaN above T_d.

    Raises:
        ValueError: a parameter outside its domain, interaction below 3, or *full*.

    Source: Gardner, Nucl. Phys. B 257 (1985) 747 and J. Phys. A 20 (1987) 3453.
    """
    if checked_normalisation(normalisation) == "full":
        raise ValueError(
            'normalisation = "full" is not offered here: among its cross-talk are pair couplings '
            "or a random field, whose glass is no one-step glass; use normalisation = "
            '"distinct"'
        )
    parameters = common_grid(
        {"alpha": "patterns per N^(P-1), K/N^(P-1)"},
        interaction=interaction,
        alpha=alpha,
        temperature=temperature,
    )
    _glassy(parameters[0])

    def equations(P, alpha, T):
        factors = {one: float(crosstalk_variance(int(one), "distinct")) for one in np.unique(P)}
        return of_glass(P, alpha * np.array([factors[one] for one in P]), T)

    return evaluated(
        parameters,
        equations,
        LONG_NAMES,
        "glass of P-body networks, one-step replica symmetry breaking",
        convention=CONVENTION,
        source=SOURCE,
        branch="glass",
    )


def of_glass(P, reduced_load, T):
    """The variables of `glass` at points.

    Args:
        P, reduced_load, T: arrays (point,); P >= 3 whole, ahat > 0, T >= 0 in units of J.

    Returns:
        name -> array (point,), the names of LONG_NAMES; NaN above T_d.
    """
    P = np.asarray(P).astype(int)
    unit = np.sqrt(reduced_load)
    tau = T / unit
    kink, rate = np.full((2, P.size), np.nan)
    for one in np.unique(P):
        points = np.flatnonzero(P == one)
        kink[points], rate[points] = _solved(int(one), tau[points])
    values = {name: np.full(P.size, np.nan) for name in LONG_NAMES}
    there = np.flatnonzero(np.isfinite(kink))
    for name, found in _observables(P[there], tau[there], kink[there], rate[there]).items():
        values[name][there] = found
    for name in ("free_energy", "energy"):
        values[name] *= unit
    values["rate"] /= unit
    return values


def _glassy(order):
    if np.any(order.values < 3):
        raise ValueError(
            "interaction = 2 is not allowed here; it must be a whole number >= 3: the pairwise "
            "network has a glass of another kind, without one-step transition (see hopfield_1rsb)"
        )
    return order


class _Glass(NamedTuple):
    """A solution of q1 = <tanh^2> for given kink and slope of the weight, where the field of
    width 1 stands for the actual one: h = sqrt(ahat q1^(P-1)) z."""

    gap: np.ndarray  # 1 - q1
    signal: np.ndarray  # q1^((P-1)/2), the width of the field in units of sqrt(ahat)
    tau: np.ndarray  # T/sqrt(ahat)
    excess: np.ndarray  # Sigma/(rate/signal)^2, what is left of df/dx = 0
    replicon: np.ndarray
    average: TiltedAverages


def _glass(kink, rate, P):
    """The equation for q1 solved explicitly: T and ahat from T/width and rate*width.

    Args:
        kink: T/width of the field, >= 0; rate: (x/T) width, > 0; arrays (point,).
        P: (point,).
    """
    average = tilted_averages(0.0, 1.0, kink, rate)
    gap = kink * average.slope
    q = 1 - gap
    signal = np.exp((P - 1) / 2 * np.log1p(-gap))
    excess = signal**2 * (
        (P - 1) / (2 * P) * q + (average.log_weight - rate * average.size) / rate**2
    )
    with np.errstate(divide="ignore"):
        replicon = 1 - (P - 1) * average.sech_fourth / (kink * q)
    return _Glass(gap, signal, kink * signal, excess, replicon, average)


def _largest_rate(kink, P):
    """x = 1 (and a little, for rounding), or at low T where ln 2 < rate^2/(2P): Sigma < 0."""
    with np.errstate(divide="ignore"):
        return np.minimum(1.001 / kink, np.sqrt(2 * P * np.log(2)) + 1)


def _static_rate(kink, P):
    """The rate with Sigma = 0 at a kink up to that at T_K, (point,)."""
    return roots(
        lambda rate, kink, P: _glass(kink, rate, P).excess,
        _SMALLEST_RATE,
        _largest_rate(kink, P),
        kink,
        P,
    )


class _Critical(NamedTuple):
    """The numbers of `transitions` for one P, and the kinks at T_d and T_K."""

    T_d: float
    q_d: float
    T_K: float
    q_K: float
    T_G: float
    q_G: float
    x_G: float
    u: float
    energy: float
    residual: float
    kink_d: float
    kink_K: float


@cache
def _critical(P):
    def at_one(kink, P):
        return _glass(kink, 1 / kink, P)

    order = np.array([P])
    # At small width q = (width/T)^2 and replicon = 2 - P; at 12 times T the states are frozen.
    kink_d = roots(lambda kink, P: at_one(kink, P).replicon, 1 / 12, 2.0, order)
    frozen = 1 / (np.sqrt(2 * P * np.log(2)) + 1)
    kink_K = roots(lambda kink, P: at_one(kink, P).excess, frozen, kink_d, order)

    def marginal(log_kink, P):
        kink = np.exp(log_kink)
        return _glass(kink, _static_rate(kink, P), P).replicon

    # Below T_G/T_K = 2^-P/1000 the density of fields at zero, of order 2^-P, is too large for T.
    lowest = np.log(kink_K) - P * np.log(2) - np.log(1000)
    kink_G = np.exp(roots(marginal, lowest, np.log(kink_K), order))
    rate_G, rate_0 = _static_rate(kink_G, order), _static_rate(np.zeros(1), order)
    d, K = at_one(kink_d, order), at_one(kink_K, order)
    G, zero = _glass(kink_G, rate_G, order), _glass(np.zeros(1), rate_0, order)
    errors = (d.replicon, K.excess, G.replicon, G.excess, zero.excess)
    return _Critical(
        T_d=d.tau[0],
        q_d=1 - d.gap[0],
        T_K=K.tau[0],
        q_K=1 - K.gap[0],
        T_G=G.tau[0],
        q_G=1 - G.gap[0],
        x_G=(rate_G * kink_G)[0],
        u=rate_0[0],
        energy=_observables(order, np.zeros(1), np.zeros(1), rate_0)["energy"][0],
        residual=max(abs(error[0]) for error in errors),
        kink_d=kink_d[0],
        kink_K=kink_K[0],
    )


@cache
def _table(P):
    """kink, rate and T along the static line from T = 0 to T_K, denser at both ends."""
    kink = _critical(P).kink_K * (1 - np.cos(np.linspace(0, np.pi, _TABLE))) / 2
    order = np.full(_TABLE, P)
    rate = np.append(_static_rate(kink[:-1], order[:-1]), 1 / kink[-1])
    return kink, rate, _glass(kink, rate, order).tau


def _solved(P, tau):
    """kink and rate at T/sqrt(ahat) = tau (point,); NaN above T_d."""
    critical = _critical(P)
    kink, rate = np.full((2, tau.size), np.nan)
    static = np.flatnonzero(tau <= critical.T_K)
    if static.size:
        kinks, rates, taus = _table(P)
        near = [np.interp(tau[static], taus, values) for values in (kinks, rates)]

        def errors(x, tau):
            kink, rate = x.T
            bad = ~((kink >= 0) & (rate > 0) & (kink * rate < 2))
            kink, rate = np.where(bad, 0.1, kink), np.where(bad, 1.0, rate)
            glass = _glass(kink, rate, P)
            both = np.stack([glass.tau - tau, glass.excess], axis=1)
            both[bad] = np.nan
            return both

        found, _ = newton(errors, np.stack(near, axis=1), tau[static], tolerance=_TOLERANCE)
        kink[static], rate[static] = found.T
    many = np.flatnonzero((tau > critical.T_K) & (tau <= critical.T_d))
    kink[many] = roots(
        lambda kink, tau: _glass(kink, 1 / kink, P).tau - tau,
        critical.kink_K,
        critical.kink_d,
        tau[many],
    )
    rate[many] = 1 / kink[many]
    return kink, rate


def _observables(P, tau, kink, rate):
    """The variables of `glass` in units of sqrt(ahat), (point,)."""
    found = _glass(kink, rate, P)
    average, gap, u = found.average, found.gap, rate / found.signal
    many = kink * rate > 1 - 1e-12
    excess = found.excess * u**2
    # D(q1)/T and D(q1)/T^2 with D(q) = I_(1-q)(2, P-1)/P, the incomplete beta function, which is
    # (1-q)^2 (P-1)/2 near q = 1, and 1 - q1 = T slope/signal.
    with np.errstate(divide="ignore", invalid="ignore"):
        curve = np.where(gap > 1e-100, betainc(2, P - 1, gap) / (P * gap**2), (P - 1) / 2)
    per_T = average.slope / found.signal
    free = (
        u * (P - 1) / (2 * P) * found.signal**2 * (1 - gap)
        - tau * per_T**2 * curve / 2
        - average.log_weight / u
    )
    entropy = average.entropy - per_T**2 * curve / 2 + np.where(many, excess, 0)
    return {
        "q1": 1 - gap,
        "x": np.where(many, 1, kink * rate),
        "rate": u,
        "free_energy": free,
        "energy": free + tau * entropy,
        "entropy": entropy,
        "complexity": np.where(many, excess, 0),
        "replicon": found.replicon,
        "residual": np.maximum(np.abs(found.tau - tau), np.where(many, 0, np.abs(found.excess))),
    }
