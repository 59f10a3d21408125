"""The retrieval state of P-body networks, P >= 3, with one step of replica symmetry breaking: its
equations, on plain arrays.

Everything here is in units of sqrt(ahat), the standard deviation of the cross-talk field of a
frozen state: the temperature tau = T/sqrt(ahat), the field of the condensed pattern
B = m^(P-1)/sqrt(ahat), and u = sqrt(ahat) x/T for the weight x of the clusters (Parisi's
breakpoint). Two states of one cluster have overlap q1, of different clusters q0; V is the kernel
of the cross-talk (`dense_kernel`). The fields are

    h = h0 + s1 z1,   h0 = B + s0 z0,   s0^2 = V(q0),   s1^2 = V(q1) - V(q0),

z0, z1 Gaussian; E is the average over z0, <.> that over z1 with the weight (2 cosh(h/tau))^x, of
norm I (`tilted`). With C = (1 - q1)/tau and delta = q1 - q0 the saddle point is

    m = E <tanh>,   C = E <sech^2>/tau,   delta = E [<tanh^2> - <tanh>^2],
    int p V'(p) dp + (2/u^2) [E ln I - u E <tau ln 2cosh>] = 0   (df/dx = 0), from q0 to q1.

Next to the de Almeida-Thouless line, delta -> 0, the last one is s1^2 times that for C to leading
order; this multiple is taken out of it, node by node, before it is solved.

C and u stay finite as T -> 0, where q1 = 1 and the weight becomes exp(u |h|): the same equations
serve every temperature. Given B and tau they determine C, delta and u; the load follows,
ahat = m^(2P-2)/B^2. At small load delta and C are exponentially small and u large, so the unknowns
are their logarithms. With f the free energy, also in units of sqrt(ahat),

    f = (1 - 1/P) m B - u int (1 - p) V'(p) dp - (tau/2) C^2 W(q1) + u s1^2 - E <tau ln 2cosh>,
    W(q) = int_q^1 (1 - p) V'(p) dp/(1 - q)^2.

Quadrature. Averages over z0 of functions with a kink at h0 = 0 of width w = hypot(s1, 0.8 tau):
the part that is not local is subtracted (erf(h0/(sqrt(2) w)) and its integral) and known; nodes
for the rest are z0 = (w sinh t - B)/s0, step 0.08 in t, for w <= s0, else a trapezoid rule in z0,
step 0.2. Halving the steps changes averages by less than 1e-13 of themselves (checked in the
tests). Integrals over p are of polynomials: Gauss-Legendre, exact.

Sources: E. Gardner, J. Phys. A 20 (1987) 3453; L. Albanese, F. Alemanno, A. Alessandrelli,
A. Barra, J. Stat. Phys. 189 (2022) 24. Equations derived here, checked by an independent solver.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from scipy.special import erf

from hopfield_sim.theory.dense_kernel import evaluate, kernel
from hopfield_sim.theory.tilted import tilted_averages

_SINH_STEP, _Z_STEP = 0.08, 0.2
_T = _SINH_STEP * np.arange(-50, 51)
_SINH, _COSH = np.sinh(_T), np.cosh(_T)
_Z = _Z_STEP * np.arange(-50, 51)
# tanh(h/tau) and erf(h/(sqrt(2) w)) have the same slope at 0 for w = this times tau.
_SMEARING = np.sqrt(2 / np.pi)
_LARGEST_POWER = 1.5  # x <= 1 at every solution
# Next to the de Almeida-Thouless line x is known to this much less than the other unknowns.
_SLOPE_SCALE = 1e-4
_LARGEST_LOG = 690.0
_LARGEST_FIELD = 40.0


class State(NamedTuple):
    """What B, tau, C, delta and u lead to, arrays (point,), in units of sqrt(ahat)."""

    m: np.ndarray
    C: np.ndarray  # right side of the equation for C
    delta: np.ndarray  # right side of the equation for delta
    slope: np.ndarray  # tau/x^2 df/dx, without what the equation for C contributes to it
    free_energy: np.ndarray
    entropy: np.ndarray
    replicon: np.ndarray  # 1 - V'(q1) E <sech^4>/tau^2


def _density(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


def _nodes(B, s0, w):
    """Fields h0 and weights (point, node) of the average over z0."""
    narrow = (w <= s0)[:, None]
    B, s0, w = B[:, None], s0[:, None], w[:, None]
    field = np.where(narrow, w * _SINH, B + s0 * _Z)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inside = _density((field - B) / s0) * (w / s0) * _COSH * _SINH_STEP
    return field, np.where(narrow, inside, _density(_Z) * _Z_STEP)


@cache
def _legendre(degree):
    nodes, weights = np.polynomial.legendre.leggauss(degree // 2 + 1)
    return (1 + nodes) / 2, weights / 2


def _between(gap, delta, P, normalisation):
    """Integrals of V'(p) and (q1 - p) V'(p) over p from q0 to q1 = 1 - gap."""
    nodes, weights = _legendre(P)
    below = gap[:, None] + delta[:, None] * nodes
    slopes = weights * evaluate(kernel(P, normalisation).slope, 1 - below)
    return delta * slopes.sum(axis=1), delta**2 * (slopes * nodes).sum(axis=1)


def state(B, tau, C, delta, u, P, normalisation):
    """The State at these arrays (point,); delta = 0 is the replica-symmetric one, if tau > 0."""
    shape = kernel(P, normalisation)
    gap = tau * C
    rise, below = _between(gap, delta, P, normalisation)
    s1, s0 = np.sqrt(rise), np.sqrt(evaluate(shape.variance, 1 - gap - delta))
    w = np.hypot(s1, _SMEARING * tau)
    field, weight = _nodes(B, s0, w)
    kink, tau_, u_ = w[:, None], tau[:, None], u[:, None]
    inner = tilted_averages(field, s1[:, None], tau_, u_)

    def average(values):
        return np.einsum("pz,pz->p", weight, values)

    smooth = erf(field / (np.sqrt(2) * kink))
    size = field * smooth + 2 * kink * _density(field / kink)  # E |h0 + w z|
    total = np.hypot(s0, w)
    mean_sign = erf(B / (np.sqrt(2) * total))
    mean_size = B * mean_sign + 2 * total * _density(B / total)
    m = mean_sign + average(inner.tanh - smooth)
    found_C = average(inner.slope)
    strength = (u**2 * rise)[:, None] / 2
    local = average(inner.relative + strength * (1 - tau_ * inner.slope))
    extra = average(inner.size - size - (u * rise)[:, None])
    left = below + gap * rise  # int (1 - p) V'(p) dp
    curve = C**2 * evaluate(shape.second, 1 - gap) / 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slope = local / u**2 - below / 2
        replicon = 1 - evaluate(shape.slope, 1 - gap) * average(inner.sech_fourth) / tau
    return State(
        m=m,
        C=found_C,
        delta=average(inner.variance),
        slope=slope,
        free_energy=(1 - 1 / P) * m * B - u * left - tau * curve - mean_size - extra,
        entropy=average(inner.entropy) - curve,
        replicon=replicon,
    )


def equations(logarithms, B, tau, P, normalisation):
    """Errors (point, 3) of the saddle point at ln C, ln delta, ln u (point, 3), and its State.

    All are relative: those of C and delta to themselves, the third to 1e4 times its terms. NaN
    where the unknowns are not admissible: q0 < 0, x > 1.5 or B > 40, or not defined.
    """
    logarithms = np.where(np.abs(logarithms) < _LARGEST_LOG, logarithms, np.nan)
    C, delta, u = np.exp(logarithms).T
    gap = tau * C
    bad = ~((delta < 1 - gap) & (u * tau < _LARGEST_POWER) & (B < _LARGEST_FIELD))
    # any admissible values there
    B = np.where(bad, 1.0, B)
    C, delta = np.where(bad, 0.0, C), np.where(bad, 0.5, delta)
    u = np.where(bad, 1 / (1 + tau), u)
    found = state(B, tau, C, delta, u, P, normalisation)
    steep = evaluate(kernel(P, normalisation).slope, 1 - tau * C)
    with np.errstate(all="ignore"):
        errors = np.stack(
            [
                np.log(found.C / C),
                np.log(found.delta / delta),
                _SLOPE_SCALE * found.slope / (steep * delta**2),
            ],
            axis=1,
        )
    errors[bad] = np.nan
    return errors, found
