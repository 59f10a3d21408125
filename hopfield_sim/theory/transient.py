"""Recall step by step: synchronous dynamics of the Hopfield network from a start with overlap m0.

    s_i(t+1) = sign(sum_j J_ij s_j(t)),  J_ij = (1/N) sum_mu xi_i^mu xi_j^mu,  J_ii = J0

at zero temperature, from a state with overlap m0 with one pattern and otherwise random; P = alpha N
random +-1 patterns, N -> infinity. J0 = 0 unless said otherwise, J0 = alpha is the Hebb rule with
its diagonal; fields in units of J. m(t) is the overlap after t steps. Three levels of the same
question:

    first_steps         the first two steps, exact
    amari_maginu        a recursion for m and the width sigma of the noise at all times; it drops
                        what a neuron hears of its own past, and so is wrong for slow recall
    amari_maginu_states, amari_maginu_capacity, amari_maginu_basin
                        fixed points of that recursion, their end, and the edge of the basin
    exact               any number of steps, exact, by sampled trajectories of one neuron; also at
                        T > 0 (Little dynamics)

Sources: E. Gardner, B. Derrida, P. Mottishaw, J. Physique 48 (1987) 741 (first steps); S. Amari,
K. Maginu, Neural Networks 1 (1988) 63 (recursion); H. Rieger, M. Schreckenberg, J. Zittartz,
Z. Phys. B 72 (1988) 523 (generating functional); H. Eissfeller, M. Opper, Phys. Rev. Lett. 68
(1992) 2094 (sampled trajectories).
"""

import numpy as np
from scipy.special import erf, gammainc, owens_t
from scipy.stats import norm

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, dataset, evaluated
from hopfield_sim.theory.transient_sampling import sampled

CONVENTION = (
    "s_i(t+1) = sign(sum_j J_ij s_j(t)), all i at once; J_ij = (1/N) sum_mu xi_i^mu xi_j^mu, "
    "J_ii = self_coupling (0 if there is none); alpha = P/N; N -> infinity"
)
STATES = ("retrieval", "threshold", "none")
_M = "overlap with the condensed pattern after `step` steps"
_STEP = "synchronous steps done"
_STEPS = {name: ("step",) for name in ("m", "m_error", "sigma", "persistence")}
_PEAK = (1.0, 2.5)  # bracket in u = m/sigma of the largest load with fixed points


def first_steps(alpha, start_overlap, self_coupling=0.0):
    """m(0), m(1) and m(2) at zero temperature, exact.

        m1 = sum_s w(s) erf((m0 + J0 s)/sqrt(2 alpha)),   w(s) = (1 + s m0)/2, s = s(0) = +-1
        m2 = sum_s w(s) erf((m1 + alpha g s)/sqrt(2 V))   for J0 = 0
        g  = (2/sqrt(alpha)) sum_s w(s) phi((m0 + J0 s)/sqrt(alpha)),   V = alpha (1 + g^2 + 2 g c)
        c  = <s(0) s(1)>, which is m0 m1 for J0 = 0

    alpha g s is what the neuron hears of its own initial state. With J0 > 0 the field of the second
    step contains J0 s(1) too, and m2 is a sum of bivariate normal probabilities.

    Args:
        alpha: patterns per neuron P/N, a number, a 1-D array or a DataArray, > 0.
        start_overlap: m0, likewise, in [-1, 1].
        self_coupling: J0 in units of J, likewise, >= 0.

    Returns:
        xarray.Dataset on (alpha, start_overlap, self_coupling) and `step` = 0, 1, 2 with m.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Gardner, Derrida, Mottishaw, J. Physique 48 (1987) 741; J0 > 0 derived here.
    """
    grid = common_grid(alpha=alpha, start_overlap=start_overlap, self_coupling=self_coupling)

    def equations(alpha, m0, J0):
        width = np.sqrt(alpha)
        signs = np.array([1.0, -1.0])
        weights = (1 + signs * m0[:, None]) / 2
        ahead = (m0[:, None] + J0[:, None] * signs) / width[:, None]
        mean = erf(ahead / np.sqrt(2))
        m1, c = (weights * mean).sum(axis=1), (weights * mean * signs).sum(axis=1)
        g = 2 * (weights * norm.pdf(ahead)).sum(axis=1) / width
        spread = np.sqrt(1 + g**2 + 2 * g * c)
        # z(1) of the second step, divided by its spread, has this correlation with z(0).
        correlation = ((c + g) / spread)[:, None]
        heard = m1[:, None] + (alpha * g)[:, None] * signs
        m2 = np.zeros_like(m0)
        for next_ in (1.0, -1.0):
            level = (heard + J0[:, None] * next_) / (width * spread)[:, None]
            both = _joint_sign(next_ * ahead, level, next_ * correlation)
            m2 += (weights * both).sum(axis=1)
        return {"m": np.stack([m0, m1, m2], axis=1)}

    return evaluated(
        grid,
        equations,
        {"m": _M},
        "first two steps of synchronous recall",
        extra_dims=_STEPS,
        coords={"step": (np.arange(3), _STEP)},
        convention=CONVENTION,
        source="Gardner, Derrida, Mottishaw 1987; for J0 > 0 derived here, checked by simulation",
    )


def _joint_sign(level, other, correlation):
    """E[1(x < h) sign(k - y)] = 2 Phi2(h, k) - Phi(h) for standard Gaussians x, y, by Owen's T."""
    h, k, rho = np.broadcast_arrays(level, other, correlation)
    small = np.sqrt(np.finfo(float).tiny)  # for 0; the product of two does not underflow
    h, k = (np.where(values == 0, small, values) for values in (h, k))
    root = np.maximum(np.sqrt(np.maximum(1 - rho**2, 0)), small)  # 0 where the spin is frozen
    with np.errstate(divide="ignore", over="ignore"):
        first, second = (k - rho * h) / (h * root), (h - rho * k) / (k * root)
    both = (norm.cdf(h) + norm.cdf(k)) / 2 - owens_t(h, first) - owens_t(k, second)
    return 2 * (both - np.where((h > 0) == (k > 0), 0, 0.5)) - norm.cdf(h)


def amari_maginu(alpha, start_overlap, n_steps):
    """The recursion of Amari and Maginu for m and the width sigma of the noise (J0 = 0, T = 0).

        m' = erf(u/sqrt 2),   u = m/sigma,   sigma(0)^2 = alpha
        sigma'^2 = alpha + 4 phi(u)^2 + 4 alpha u m' phi(u)

    m(1) is exact, and so is sigma(1); m(2) is not, for the noise is taken as Gaussian and what a
    neuron hears of its own past is dropped. Good for fast recall, far too optimistic for slow one:
    see `exact`.

    Args:
        alpha, start_overlap: as in `first_steps`.
        n_steps: how many steps, a whole number >= 1.

    Returns:
        xarray.Dataset on (alpha, start_overlap) and `step` = 0 ... n_steps with m and sigma.

    Raises:
        ValueError: as `first_steps`, or another n_steps.

    Source: Amari, Maginu, Neural Networks 1 (1988) 63.
    """
    grid = common_grid(alpha=alpha, start_overlap=start_overlap)
    n_steps = _whole("n_steps", n_steps, 1)

    def equations(alpha, m0):
        m, sigma = [m0], [np.sqrt(alpha)]
        for _ in range(n_steps):
            u = m[-1] / sigma[-1]
            m.append(erf(u / np.sqrt(2)))
            sigma.append(np.sqrt(_variance(u, alpha)))
        return {"m": np.stack(m, axis=1), "sigma": np.stack(sigma, axis=1)}

    return evaluated(
        grid,
        equations,
        {"m": _M, "sigma": "standard deviation of the cross-talk noise"},
        "synchronous recall by the recursion of Amari and Maginu",
        extra_dims=_STEPS,
        coords={"step": (np.arange(n_steps + 1), _STEP)},
        convention=CONVENTION,
        source="Amari, Maginu 1988",
    )


def amari_maginu_states(alpha):
    """Fixed points of the recursion of Amari and Maginu.

    As everything depends on u = m/sigma only, they are, for m > 0,

        alpha(u) = [(erf(u/sqrt 2)/u)^2 - 4 phi(u)^2]/[1 + 4 u erf(u/sqrt 2) phi(u)]

    which has one maximum, `amari_maginu_capacity`. The larger u is stable, the smaller one
    separates the starts that reach it from those that lose the pattern.

    Args:
        alpha: as in `first_steps`.

    Returns:
        xarray.Dataset on `branch` ("retrieval", "threshold", "none": m = 0) and alpha with m,
        sigma, multiplier (du'/du: stable where below 1) and residual (of u' = u, over u). NaN above
        the capacity for m > 0.

    Raises:
        ValueError: as `first_steps`.

    Source: Amari, Maginu, Neural Networks 1 (1988) 63.
    """
    grid = common_grid(alpha=alpha)
    names = {
        "m": "overlap with the condensed pattern",
        "sigma": "standard deviation of the cross-talk noise",
        "multiplier": "factor by which a step multiplies a small distance from the state",
        "residual": "change of m/sigma in a step, relative to it",
    }
    title = "fixed points of the recursion of Amari and Maginu"
    found = []
    for state in STATES:

        def equations(alpha, state=state):
            u = np.zeros_like(alpha) if state == "none" else _fixed(alpha, state == "retrieval")
            next_, multiplier = _step(u, alpha)
            with np.errstate(invalid="ignore"):
                residual = np.where(u == 0, 0.0, np.abs(next_ / u - 1))
            values = (erf(u / np.sqrt(2)), np.sqrt(_variance(u, alpha)), multiplier, residual)
            return dict(zip(names, values, strict=True))

        described = {"convention": CONVENTION, "source": "Amari, Maginu 1988", "branch": state}
        found.append(evaluated(grid, equations, names, title, **described))
    return branches(found, STATES)


def amari_maginu_capacity():
    """The largest load at which the recursion of Amari and Maginu keeps a pattern.

        alpha_c = max_u alpha(u),  alpha(u) as in `amari_maginu_states`

    0.1596: an approximation. The equilibrium theory has 0.1379, see
    `hopfield.zero_temperature_capacity`.

    Returns:
        xarray.Dataset of numbers: alpha_c, m and u = m/sigma there, residual (slope of alpha(u)).

    Source: Amari, Maginu, Neural Networks 1 (1988) 63.
    """
    u = _peak()
    values = {
        "alpha_c": (_load(u), "largest load with a retrieval fixed point, P/N"),
        "m": (erf(u / np.sqrt(2)), "overlap there"),
        "u": (u, "overlap over the width of the noise there"),
        "residual": (abs(float(_load_slope(u))), "slope of the load along u"),
    }
    title = "capacity in the recursion of Amari and Maginu"
    return dataset([], values, title, convention=CONVENTION, source="Amari, Maginu 1988")


def amari_maginu_basin(alpha):
    """The least start overlap from which the recursion of Amari and Maginu recalls the pattern.

        m0_c = sqrt(alpha) u_threshold

    exact for the recursion, because u' is a monotone function of u alone and u(0) = m0/sqrt(alpha).
    Networks need far more: 0.17 and 0.33 instead of 0.087 and 0.209 at alpha = 0.05 and 0.1.

    Args:
        alpha: as in `first_steps`.

    Returns:
        xarray.Dataset on alpha with start_overlap and residual, as in `amari_maginu_states`. NaN
        above the capacity.

    Raises:
        ValueError: as `first_steps`.

    Source: Amari, Maginu, Neural Networks 1 (1988) 63.
    """
    grid = common_grid(alpha=alpha)

    def equations(alpha):
        u = _fixed(alpha, stable=False)
        return {
            "start_overlap": np.sqrt(alpha) * u,
            "residual": np.abs(_step(u, alpha)[0] / u - 1),
        }

    names = {
        "start_overlap": "least start overlap that is recalled",
        "residual": "change of m/sigma in a step at the threshold, relative to it",
    }
    title = "basin of attraction in the recursion of Amari and Maginu"
    return evaluated(
        grid, equations, names, title, convention=CONVENTION, source="Amari, Maginu 1988"
    )


def exact(
    alpha,
    start_overlap,
    n_steps,
    temperature=0.0,
    self_coupling=0.0,
    *,
    samples=100_000,
    batches=12,
    seed=0,
):
    """m(t) of any number of steps, exact but for sampling, with standard errors.

    For N -> infinity a neuron follows a dynamics of its own, whose noise z and memory R are made
    of the correlations C(t,t') = <s(t) s(t')> and responses G(t,t') = d<s(t)>/d theta(t') of such
    neurons:

        s(t+1) = sign[m(t) + J0 s(t) + alpha sum_{t'<t} R(t,t') s(t') + sqrt(alpha) z(t)]
        Cov z = (1 - G)^-1 C (1 - G^T)^-1,   R = G (1 - G)^-1,   m(t) = <s(t)>

    They are found step by step from sampled trajectories. At T > 0 the sign is drawn with
    P(+) = 1/(1 + exp(-2h/T)), the synchronous heat bath. Every batch is a computation of its own,
    the result their mean, and the error their scatter; the error of one batch, sqrt(batches) times
    that, also biases m by about its square.

    Args:
        alpha, start_overlap: as in `first_steps`.
        n_steps: how many steps, a whole number from 1 to 100. The error grows with the steps where
            recall is slow, the time as their cube.
        temperature: T in units of J, like alpha, >= 0.
        self_coupling: as in `first_steps`.
        samples: trajectories in a batch, at least 1000.
        batches: at least 2.
        seed: a whole number >= 0; the same numbers come from the same seed, at each point of a grid
            on its own (points share their random numbers, so that their errors are correlated).

    Returns:
        xarray.Dataset on (alpha, start_overlap, temperature, self_coupling) and `step` with m,
        m_error (one standard error) and persistence <s(t) s(t-1)> (undefined at step 0).

    Raises:
        ValueError: a parameter outside its domain.

    Sources: Rieger, Schreckenberg, Zittartz, Z. Phys. B 72 (1988) 523; Eissfeller, Opper,
    Phys. Rev. Lett. 68 (1992) 2094 (the method).
    """
    grid = common_grid(
        alpha=alpha,
        start_overlap=start_overlap,
        temperature=temperature,
        self_coupling=self_coupling,
    )
    n_steps = _whole("n_steps", n_steps, 1, 100)
    samples = _whole("samples", samples, 1000)
    batches = _whole("batches", batches, 2)
    seed = _whole("seed", seed, 0)

    def equations(*points):
        shape = (points[0].size, batches, n_steps + 1)
        m, persistence = np.empty(shape), np.full(shape, np.nan)
        for index, point in enumerate(zip(*points, strict=True)):
            for batch in range(batches):
                random = np.random.default_rng([seed, batch])
                m[index, batch], persistence[index, batch, 1:] = sampled(
                    *point, n_steps, samples, random
                )
        return {
            "m": m.mean(axis=1),
            "m_error": m.std(axis=1, ddof=1) / np.sqrt(batches),
            "persistence": persistence.mean(axis=1),
        }

    found = evaluated(
        grid,
        equations,
        {
            "m": _M,
            "m_error": "standard error of m, from the scatter of the batches",
            "persistence": "mean of a neuron's product with its state one step before",
        },
        "synchronous recall by sampled trajectories of one neuron",
        extra_dims=_STEPS,
        coords={"step": (np.arange(n_steps + 1), _STEP)},
        convention=CONVENTION,
        source="Rieger, Schreckenberg, Zittartz 1988; Eissfeller, Opper 1992",
    )
    return found.assign_attrs(samples=samples, batches=batches, seed=seed)


def _whole(name, value, least, most=None):
    number = not isinstance(value, bool) and isinstance(value, int | np.integer)
    if not number or value < least or (most is not None and value > most):
        allowed = f">= {least}" if most is None else f"from {least} to {most}"
        raise ValueError(f"{name} = {value!r} is not allowed; it must be a whole number {allowed}")
    return int(value)


def _variance(u, alpha):
    """sigma'^2 of a step from u = m/sigma."""
    density = norm.pdf(u)
    return alpha + 4 * density**2 + 4 * alpha * u * erf(u / np.sqrt(2)) * density


def _mixed(u):
    """4 u erf(u/sqrt 2) phi(u) and its derivative."""
    m, density = erf(u / np.sqrt(2)), norm.pdf(u)
    return 4 * u * m * density, 4 * (m * density * (1 - u**2) + 2 * u * density**2)


def _step(u, alpha):
    """u' and du'/du of a step from u = m/sigma."""
    m, density = erf(u / np.sqrt(2)), norm.pdf(u)
    variance = _variance(u, alpha)
    slope = -8 * u * density**2 + alpha * _mixed(u)[1]
    next_ = m / np.sqrt(variance)
    return next_, 2 * density / np.sqrt(variance) - next_ * slope / (2 * variance)


def _load(u):
    """alpha(u) of a fixed point. erf(u/sqrt 2) - 2 u phi(u) is an incomplete gamma function, which
    keeps its digits for small u."""
    density = norm.pdf(u)
    below = gammainc(1.5, u**2 / 2) / u
    return below * (below + 4 * density) / (1 + _mixed(u)[0])


def _load_slope(u):
    """Derivative of alpha(u), times [1 + 4 u erf(u/sqrt 2) phi(u)]^2."""
    m, density = erf(u / np.sqrt(2)), norm.pdf(u)
    mixed, mixed_slope = _mixed(u)
    numerator = (m / u) ** 2 - 4 * density**2
    slope = 2 * (m / u) * (2 * density / u - m / u**2) + 8 * u * density**2
    return slope * (1 + mixed) - numerator * mixed_slope


def _peak():
    return float(roots(_load_slope, *_PEAK)[0])


def _fixed(alpha, stable):
    """u of the fixed point with m > 0 on one side of the peak; NaN above it."""
    peak = _peak()
    largest = _load(peak)
    u = np.full(alpha.size, np.nan)
    below = np.flatnonzero(alpha <= largest)
    load = np.minimum(alpha[below], largest * (1 - 1e-15))

    def excess(u, load):
        return _load(u) - load

    if stable:
        lower, upper = peak, 1 / np.sqrt(load) + 1  # alpha(u) < 1/u^2
    else:
        # alpha(u) <= 4u^2/(3 pi) < u^2, its beginning, so the root is above sqrt(alpha)
        lower, upper = np.sqrt(load), peak
    u[below] = roots(excess, lower, upper, load)
    return u
