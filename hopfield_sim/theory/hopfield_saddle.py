"""The replica-symmetric saddle point of the Hopfield network, on plain arrays.

n condensed patterns with equal overlaps m (n = 1 is retrieval) give the field
h = m k + b z with k a sum of n signs, b = sqrt(alpha r) the width of the cross-talk noise and z
Gaussian; <<.>> is the average over k, E over z. The equations

    m = << k E tanh(h/T) >> / n,    q = << E tanh^2(h/T) >>,
    C = (1 - q)/T,                  r = q / (1 - C)^2

are parametrised by T and the relative noise x = b/m. There they have exactly one solution with
m > 0 for T < 1, with no fold to lose it at, and the load follows as

    sqrt(alpha) = b (1 - C) / sqrt(q).

A given load is then one root in x: for retrieval below the fold x_M(T), where alpha(x) is
largest, on the stable branch, and above it on the unstable one.

Why exactly one: at fixed x the right side of the first equation, as a function of m, is zero at
m = 0 with slope 1/T. It is concave, because its second derivative averages
-v^2 tanh(m v/T) sech^2(m v/T) with v = k + x z, which is odd in v and negative for v > 0, and
positive v are the more likely ones (k > 0). Its limit for T -> 0 is its largest value; Newton's
method descends from there to the root monotonically.

Close to T = 1, with t = 1 - T < 1e-7, the differences 1 - C and 1 - d<<..>>/dm drown in rounding.
There the leading order in t is exact to 1e-7 and used instead:

    m^2 = 3 t/(3n - 2 + 3 x^2),   1 - C = 2 m^2/3,
    sqrt(alpha) = 2 t x / ((3n - 2 + 3 x^2) sqrt(n + x^2)).

Source: D. J. Amit, H. Gutfreund, H. Sompolinsky, Ann. Phys. 173 (1987) 30: the free energy
per neuron at inverse temperature beta,
f = alpha/2 + n m^2/2 + (alpha beta r/2)(1 - q) + (alpha/2 beta)[ln(1 - C) - beta q/(1 - C)]
    - (1/beta) << E ln 2cosh(beta h) >>, and its saddle point.
"""

from functools import cache
from math import comb
from typing import NamedTuple

import numpy as np
from scipy.special import erf

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.quadrature import thermal_averages

CONVENTION = (
    "H = -(1/2) sum_{i != j} J_ij s_i s_j, J_ij = (1/N) sum_mu xi_i^mu xi_j^mu; alpha = P/N; "
    "energies and temperatures in units of J, k_B = 1"
)
SOURCE = "Amit, Gutfreund, Sompolinsky, Ann. Phys. 173 (1987) 30"
LOW_LOAD_SOURCE = "Amit, Gutfreund, Sompolinsky, Phys. Rev. A 32 (1985) 1007"
LONG_NAMES = {
    "m": "overlap with the condensed pattern",
    "q": "Edwards-Anderson order parameter",
    "r": "sum of the squared overlaps with the other patterns, divided by alpha",
    "C": "susceptibility (1 - q)/T",
    "free_energy": "free energy per neuron",
    "energy": "energy per neuron",
    "entropy": "entropy per neuron",
    "replicon": "1 minus the de Almeida-Thouless ratio; replica symmetry is stable where positive",
    "residual": "largest error of the saddle-point equations",
}
_NEWTON_STEPS = 200
# The fold of the retrieval branch lies at m/b between 2.09 and 2.14 at every temperature.
_FOLD_BRACKET = (1 / 2.4, 1 / 1.9)
_ROUNDING = 64 * np.finfo(float).eps
_CRITICAL = 1e-7
# On the unstable branch sqrt(alpha) falls as 1/x^2 and its rounding grows as 1e-16 x. Below this
# part of the cube root of the fold's sqrt(alpha) less than six digits of it were left.
_UNSTABLE_END = 4e-7


class Saddle(NamedTuple):
    """A solution with b > 0, arrays (point,)."""

    m: np.ndarray  # overlap with each condensed pattern
    b: np.ndarray  # width of the cross-talk noise, sqrt(alpha r)
    q: np.ndarray  # Edwards-Anderson parameter
    C: np.ndarray  # beta (1 - q)
    root_alpha: np.ndarray  # b (1 - C)/sqrt(q); negative where C > 1, where no load has it
    slope_x: np.ndarray  # d root_alpha/dx at fixed temperature
    slope_temperature: np.ndarray  # temperature times d root_alpha/d temperature at fixed x
    entropy: np.ndarray  # of the spins in their fields
    sech_fourth: np.ndarray  # beta << E sech^4(h/T) >>


@cache
def field_states(n_condensed):
    """Values k >= 0 of the sum of n signs (state,), and their weights (k and -k together)."""
    ups = range((n_condensed + 1) // 2, n_condensed + 1)
    k = np.array([2 * up - n_condensed for up in ups], dtype=float)
    counts = [comb(n_condensed, up) * (1 if 2 * up == n_condensed else 2) for up in ups]
    return k, np.array([count / 2**n_condensed for count in counts])


def field_averages(m, b, temperature, n_condensed):
    """thermal_averages of the fields m k + b z, each (point, state)."""
    k, _ = field_states(n_condensed)
    return thermal_averages(m[:, None] * k, b[:, None], temperature[:, None])


def overlap_at_noise(x, temperature, n_condensed=1):
    """The overlap m (point,) at relative noise x = b/m (point,) and temperature < 1 (point,).

    Raises:
        ArithmeticError: the equation for m did not converge.
    """
    k, weights = field_states(n_condensed)
    k, weights = k[k > 0], (weights * k)[k > 0] / n_condensed
    with np.errstate(divide="ignore"):  # x = 0 is the noiseless limit, where erf(inf) = 1
        m = erf(k / (np.sqrt(2) * x[:, None])) @ weights
    distance = 1 - temperature
    critical = distance < _CRITICAL
    m[critical] = np.sqrt(3 * distance / (3 * n_condensed - 2 + 3 * x**2))[critical]
    open_ = np.flatnonzero(~critical)
    for _ in range(_NEWTON_STEPS):
        if not open_.size:
            return m
        m_open, x_open = m[open_, None], x[open_, None]
        average = thermal_averages(m_open * k, x_open * m_open, temperature[open_, None])
        slope = (k * average.slope + x_open * average.slope_z) @ weights
        step = (m[open_] - average.tanh @ weights) / (1 - slope)
        m[open_] -= step
        # Descending from above, a step that is no longer downwards is rounding.
        open_ = open_[step > 1e-15 * m[open_]]
    raise ArithmeticError(
        f"no overlap found at temperature {temperature[open_[0]]:.17g} "
        f"and relative noise {x[open_[0]]:.17g}"
    )


def saddle_at_noise(x, temperature, n_condensed=1):
    """The Saddle at relative noise x = b/m > 0 (point,) and temperature < 1 (point,)."""
    n = n_condensed
    m = overlap_at_noise(x, temperature, n)
    b = x * m
    k, weights = field_states(n)
    average = field_averages(m, b, temperature, n)
    q, C = average.tanh_squared @ weights, average.slope @ weights
    # Derivatives by the overlap and by the width of: the image of m, free = b (1 - C), and q.
    image_m = average.slope @ (weights * k**2) / n
    image_b = average.slope_z @ (weights * k) / n
    free_m, free_b = -average.slope_z @ (weights * k), 1 - average.slope_zz @ weights
    q_m, q_b = average.square_mean @ (weights * k), average.square_width @ weights
    free, root_q = b * (1 - C), np.sqrt(q)
    distance = 1 - temperature
    critical = distance < _CRITICAL
    left = np.where(critical, 1, 1 - image_m - x * image_b)
    # Along x: m and b = x m change. Along ln T: the averages depend on m/T and b/T only.
    m_x = image_b * m / left
    b_x = m + x * m_x
    m_T = -(image_m * m + image_b * b) / left
    b_T = x * m_T
    free_T = free_m * (m_T - m) + free_b * (b_T - b) + b
    q_T = q_m * (m_T - m) + q_b * (b_T - b)
    root_alpha = free / root_q
    slope_x = (free_m * m_x + free_b * b_x - free * (q_m * m_x + q_b * b_x) / (2 * q)) / root_q
    slope_T = (free_T - free * q_T / (2 * q)) / root_q
    cubic = 3 * n - 2 + 3 * x**2
    per_distance = 2 * x / (cubic * np.sqrt(n + x**2))
    relative_slope = 1 / x - 6 * x / cubic - x / (n + x**2)
    return Saddle(
        m=m,
        b=b,
        q=q,
        C=C,
        root_alpha=np.where(critical, distance * per_distance, root_alpha),
        slope_x=np.where(critical, distance * per_distance * relative_slope, slope_x),
        slope_temperature=np.where(critical, -temperature * per_distance, slope_T),
        entropy=average.entropy @ weights,
        sech_fourth=average.sech_fourth @ weights,
    )


def saddle_at_load(root_alpha, temperature, lower, upper, n_condensed=1):
    """The Saddle of load alpha > 0 with x between lower and upper; all arrays (point,)."""

    def excess(x, root_alpha, temperature):
        return saddle_at_noise(x, temperature, n_condensed).root_alpha - root_alpha

    x = roots(excess, lower, upper, root_alpha, temperature)
    return saddle_at_noise(x, temperature, n_condensed)


def fold_noise(temperature, n_condensed=1, lower=_FOLD_BRACKET[0], upper=_FOLD_BRACKET[1]):
    """x (point,) where the load is largest; temperature < 1 (point,)."""

    def slope(x, temperature):
        return saddle_at_noise(x, temperature, n_condensed).slope_x

    return roots(slope, lower, upper, temperature)


def fold(temperature):
    """x and root_alpha at the fold of the retrieval branch (each distinct temperature once)."""
    distinct, back = np.unique(temperature, return_inverse=True)
    x = fold_noise(distinct)
    return x[back], saddle_at_noise(x, distinct).root_alpha[back]


def below_fold(root_alpha, largest):
    """Whether a load has a solution: a load that is the fold's own, rounded, still has."""
    return root_alpha <= largest * (1 + _ROUNDING)


def just_below(root_alpha, largest):
    """root_alpha, but so far below the fold that a bracket ending there contains its root."""
    return np.minimum(root_alpha, largest * (1 - _ROUNDING / 8))


def retrieval_saddle(alpha, temperature, stable=True):
    """Where a retrieval solution exists at 0 < alpha and temperature, and its Saddle there.

    Args:
        alpha, temperature: (point,).
        stable: the branch of larger m, else the unstable one that it meets at the fold, which
            for vanishing load runs into the spin glass and is left out where rounding hides it.

    Returns:
        indices of the points that have one, and the Saddle at these.
    """
    exists = np.flatnonzero((temperature < 1) & (alpha > 0))
    x_fold, largest = fold(temperature[exists])
    inside = below_fold(np.sqrt(alpha[exists]), largest)
    if not stable:
        inside &= np.sqrt(alpha[exists]) > _UNSTABLE_END * np.cbrt(largest)
    exists, x_fold, largest = exists[inside], x_fold[inside], largest[inside]
    root_alpha = just_below(np.sqrt(alpha[exists]), largest)
    if stable:
        # root_alpha <= x always (m^2 <= q), so half of it lies below the root; and root_alpha/x
        # falls all the way to the fold, so that the chord to the fold lies above it (with a
        # percent for rounding next to T = 1).
        lower = root_alpha / 2
        upper = np.minimum(x_fold, 1.01 * x_fold * root_alpha / largest)
    else:
        # root_alpha falls as 1/x^2 beyond the fold; this is below the load at any temperature.
        lower, upper = x_fold, 2 * np.sqrt(largest / root_alpha)
    return exists, saddle_at_load(root_alpha, temperature[exists], lower, upper)


def spin_glass_noise(alpha, temperature):
    """b = sqrt(alpha r) of the spin glass (m = 0); alpha > 0, temperature < 1 + sqrt(alpha).

    The equation b (1 - C) = sqrt(alpha q), divided by b, increases with b from a negative value:
    C and q/b^2 decrease. As b C <= sqrt(2/pi), the root is at most sqrt(2/pi) + sqrt(alpha).
    """

    def excess(b, root_alpha, temperature):
        average = thermal_averages(0.0, b, temperature)
        return 1 - average.slope - root_alpha * np.sqrt(average.tanh_squared) / b

    upper = np.sqrt(2 / np.pi) + np.sqrt(alpha)
    # At T = 0 the root is `upper` itself: step over the rounding.
    return roots(excess, 1e-9 * upper, upper * (1 + 1e-12), np.sqrt(alpha), temperature)


def of_saddle(alpha, temperature, saddle, n_condensed=1):
    """What a Saddle of load alpha > 0 predicts: name -> array (point,)."""
    return {
        "m": saddle.m,
        **thermodynamics(
            alpha,
            temperature,
            n_condensed * saddle.m**2,
            saddle.b,
            saddle.q,
            saddle.C,
            saddle.entropy,
            saddle.sech_fourth,
        ),
    }


def without_noise(temperature, n_condensed=1):
    """The solution at alpha = 0 and temperature < 1, a finite number of patterns."""
    none = np.zeros_like(temperature)
    m = overlap_at_noise(none, temperature, n_condensed)
    _, weights = field_states(n_condensed)
    average = field_averages(m, none, temperature, n_condensed)
    return {
        "m": m,
        **thermodynamics(
            none,
            temperature,
            n_condensed * m**2,
            none,
            average.tanh_squared @ weights,
            average.slope @ weights,
            average.entropy @ weights,
            average.sech_fourth @ weights,
        ),
    }


def of_spin_glass(alpha, temperature):
    """The spin glass, m = 0; alpha > 0 and temperature < 1 + sqrt(alpha)."""
    b = spin_glass_noise(alpha, temperature)
    average = thermal_averages(0.0, b, temperature)
    zero = np.zeros_like(alpha)
    return {
        "m": zero,
        **thermodynamics(
            alpha,
            temperature,
            zero,
            b,
            average.tanh_squared,
            average.slope,
            average.entropy,
            average.sech_fourth,
        ),
    }


def of_paramagnet(alpha, temperature):
    """The paramagnet, m = q = r = 0; temperature > 1."""
    zero = np.zeros_like(alpha)
    energy, entropy, replicon = zero.copy(), np.full_like(alpha, np.log(2)), zero + 1
    load = alpha > 0
    above = temperature[load] - 1
    energy[load] = -alpha[load] / (2 * above)
    entropy[load] -= alpha[load] / 2 * (np.log(above / temperature[load]) + 1 / above)
    replicon[load] -= alpha[load] / above**2
    return {
        "m": zero,
        "q": zero,
        "r": zero,
        "C": 1 / temperature,
        "free_energy": energy - temperature * entropy,
        "energy": energy,
        "entropy": entropy,
        "replicon": replicon,
    }


def thermodynamics(alpha, temperature, m_squared, b, q, C, entropy, sech_fourth):
    """What the order parameters of a solution predict: name -> array (point,).

        u = alpha/2 - (1/2) sum_mu m_mu^2 - (alpha/2) [1/(1 - C) + r C]
        s = <<E S(h/T)>> - (alpha/2) [ln(1 - C) + C/(1 - C)],  S(v) = ln 2cosh v - v tanh v
        f = u - T s
        replicon = 1 - alpha beta^2 <<E sech^4(h/T)>> / (1 - C)^2

    s is the explicit derivative -df/dT with << E h tanh(h/T) >> = sum_mu m_mu^2 + b^2 C inserted,
    so that no difference of nearly equal numbers is divided by T. At T = 0 the replicon is -inf
    for alpha > 0: the density of fields at zero is finite there.

    Args:
        alpha, temperature, m_squared (sum over the condensed patterns), b, q, C: (point,).
        entropy, sech_fourth: <<E S>> and beta <<E sech^4>>, (point,).
    """
    loaded = alpha > 0
    load, T, noise = alpha[loaded], temperature[loaded], b[loaded]
    # 1 - C from the equation for r keeps its relative precision where C is close to 1.
    free = np.sqrt(load * q[loaded]) / noise
    with np.errstate(divide="ignore"):  # without load C may be 1, and r infinite
        r = (np.sqrt(q) / (1 - C)) ** 2
    r[loaded] = q[loaded] / free**2
    energy = (alpha - m_squared) / 2
    energy[loaded] -= (load / free + noise**2 * C[loaded]) / 2
    total_entropy = np.array(entropy)
    total_entropy[loaded] -= load * (np.log(free) + (1 - free) / free) / 2
    replicon = np.ones_like(q)
    # Where T is zero, or so small that the ratio overflows, the infinite limit is the answer.
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        instability = load / free**2 * sech_fourth[loaded] / T
    replicon[loaded] -= np.where(T == 0, np.inf, instability)
    return {
        "q": q,
        "r": r,
        "C": C,
        "free_energy": energy - temperature * total_entropy,
        "energy": energy,
        "entropy": total_entropy,
        "replicon": replicon,
    }


def noise_width(alpha, r):
    """b = sqrt(alpha r) (point,), and zero without load, also where r is infinite."""
    loaded = alpha > 0
    width = np.zeros_like(alpha)
    width[loaded] = np.sqrt(alpha[loaded] * r[loaded])
    return width


def residual(alpha, temperature, m, q, r, C, n_condensed=1):
    """The largest error of the saddle-point equations (point,), at the noise b = sqrt(alpha r).

    Of |m - <<k E tanh>>/n|, |q - <<E tanh^2>>|, |C - beta <<E sech^2>>| max(b, T) and
    |b (1 - C) - sqrt(alpha q)|, each in the units of a field or an overlap: for small loads C is
    so close to 1 in the glass that r (1 - C)^2 itself cannot be formed from rounded numbers.
    """
    loaded = alpha > 0
    noise = noise_width(alpha, r)
    k, weights = field_states(n_condensed)
    average = field_averages(m, noise, temperature, n_condensed)
    slope = average.slope @ weights
    finite = np.isfinite(slope)
    errors = np.zeros((4, q.size))
    errors[0] = m - average.tanh @ (weights * k) / n_condensed
    errors[1] = q - average.tanh_squared @ weights
    scale = np.maximum(noise, temperature)[finite]
    errors[2, finite] = (C[finite] - slope[finite]) * scale
    errors[3, loaded] = noise[loaded] * (1 - C[loaded]) - np.sqrt(alpha[loaded] * q[loaded])
    return np.abs(errors).max(axis=0)
