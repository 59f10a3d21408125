"""The Hopfield network with synchronous dynamics in equilibrium (Little model), replica-symmetric.

All neurons are updated at once with P(s_i = +1) = 1/(1 + exp(-2 h_i/T)), h_i = sum_j J_ij s_j,
J_ij = (1/N) sum_mu xi_i^mu xi_j^mu for i != j and J_ii = J0 >= 0; P = alpha N random +-1 patterns,
N -> infinity. Two successive states s, t of the stationary process have the weight exp(-H2/T),

    H2(s, t) = -sum_ij J_ij s_i t_j,

a network of two layers; s alone has the law of `dynamics.little_energy`. Energies, temperatures and
J0 in units of J, k_B = 1. J0 = alpha is the Hebb rule with its diagonal.

Order parameters: m, the overlap with the condensed pattern; q = (1/N) sum_i <s_i>^2;
p = (1/N) sum_i <s_i t_i>, the persistence; r, the sum of the squared other overlaps over alpha;
K, the effective coupling of a neuron to its own next state. With h = m + sqrt(alpha r) z, z
Gaussian and E its average, beta = 1/T,

    M(h) = sinh(2 beta h)/(cosh(2 beta h) + exp(-2K)),
    m = E M,   q = E M^2,   p = E (cosh 2 beta h - exp(-2K))/(cosh 2 beta h + exp(-2K)),
    D = 1 - beta (1 + p - 2q),   r = q/D^2,
    K = beta J0 + (alpha beta/2) [1/D + 1/(1 + beta (1 - p)) - 2].

free_energy, energy and entropy are those of the two layers: -T ln Z2/N with Z2 = sum exp(-H2/T).
They are twice those of the Hopfield network where the two dynamics agree: for alpha -> 0 (J0 = 0)
always, at T = 0 up to -J0 (and but for the entropy, which a frozen pair has once). At T = 0 p = 1,
and all order parameters, the capacity 0.137906 too, are those of the Hopfield network; as
J0 -> infinity the pairs are frozen, and they are those of the Hopfield network at half of T.

A self-coupling J0 < 0 favours cycles of two states, a phase that these equations do not describe;
it is refused. So are sequential updates of this energy: they have another law.

Sources: W. A. Little, Math. Biosci. 19 (1974) 101 (the dynamics); P. Peretto, Biol. Cybern. 50
(1984) 51 (the stationary law); J. F. Fontanari, R. Koeberle, J. Physique 49 (1988) 13 (extensive
loads). The equations were derived here and checked by simulation (N = 2000).
"""

import numpy as np

from hopfield_sim.theory import little_saddle as saddle
from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, dataset, evaluated, on_grid

BRANCHES = ("retrieval", "retrieval_unstable", "spin_glass", "paramagnet")
LONG_NAMES = {
    "m": "overlap with the condensed pattern",
    "q": "Edwards-Anderson order parameter",
    "p": "persistence, mean of a neuron's product with its next state",
    "r": "sum of the squared overlaps with the other patterns, divided by alpha",
    "K": "effective coupling of a neuron to its next state, over T",
    "free_energy": "free energy of two successive states, per neuron",
    "energy": "energy -sum J_ij s_i t_j of two successive states, per neuron",
    "entropy": "entropy of two successive states, per neuron",
    "replicon": "1 minus the de Almeida-Thouless ratio; replica symmetry is stable where positive",
    "residual": "largest error of the saddle-point equations",
}
CONVENTION = (
    "H2 = -sum_ij J_ij s_i t_j of successive states s, t; J_ij = (1/N) sum_mu xi_i^mu xi_j^mu, "
    "J_ii = self_coupling; alpha = P/N; units of J, k_B = 1; per neuron, N -> infinity"
)
SOURCE = "Peretto 1984; Fontanari and Koeberle 1988; derived here, checked by simulation"
_NOISELESS = 1e-200


def retrieval(alpha, temperature, self_coupling=0.0):
    """The stable retrieval phase: of the solutions with m > 0 the one of larger overlap.

    The equations of the module; `replicon` = 1 - (alpha/D^2) E (dM/dh)^2 is that of fluctuations
    of (s + t)/sqrt(2), the softest ones; -inf at T = 0, as in the Hopfield network.

    Args:
        alpha: patterns per neuron P/N, a number, a 1-D array or a DataArray, > 0.
        temperature: T in units of J, likewise, >= 0.
        self_coupling: J0 in units of J, likewise, >= 0. Plain arrays span the grid
            (alpha, temperature, self_coupling); DataArrays are matched by their dimensions.

    Returns:
        xarray.Dataset on that grid with m, q, p, r, K (inf at T = 0), free_energy, energy, entropy
        (of two successive states, see the module), replicon and residual. NaN above the spinodal,
        `spinodal_load`, and closer than 1e-6 to the highest temperature T_0 = 1 + tanh(J0/T_0),
        where the loads that have such a phase are below 1e-11.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: the module's.
    """
    title = "retrieval phase of the Little model"
    return _phase(alpha, temperature, self_coupling, _retrieval, title, "retrieval")


def spin_glass(alpha, temperature, self_coupling=0.0):
    """The replica-symmetric spin glass: m = 0, q > 0. Its replicon is negative everywhere.

    Args, Returns, Raises: as `retrieval`. NaN from `spin_glass_temperature` on.

    Source: the module's.
    """
    title = "spin-glass phase of the Little model"
    return _phase(alpha, temperature, self_coupling, _spin_glass, title, "spin_glass")


def paramagnet(alpha, temperature, self_coupling=0.0):
    """The paramagnet, m = q = r = 0, with the persistence p = tanh K > 0.

        T K = J0 + (alpha/2) [1/D + 1/(1 + beta (1 - p)) - 2],  D = 1 - beta (1 + p)
        replicon = 1 - alpha beta^2 (1 + p)^2/D^2

    It is the equilibrium from T_g on, where the replicon changes sign; of two solutions for p it is
    the smaller, which goes to tanh(J0/T) for alpha -> 0. Below T_g it is unstable and not given.

    Args, Returns, Raises: as `retrieval`. NaN below `spin_glass_temperature`.

    Source: the module's.
    """
    title = "paramagnetic phase of the Little model"
    return _phase(alpha, temperature, self_coupling, _paramagnet, title, "paramagnet")


def solutions(alpha, temperature, self_coupling=0.0):
    """All replica-symmetric solutions with at most one condensed pattern, side by side.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`: "retrieval"
        (larger m), "retrieval_unstable" (smaller m > 0; they meet on the spinodal), "spin_glass",
        "paramagnet".

    Source: the module's.
    """
    title = "replica-symmetric solutions of the Little model"
    phases = (_retrieval, _retrieval_unstable, _spin_glass, _paramagnet)
    found = [
        _phase(alpha, temperature, self_coupling, phase, title, name)
        for phase, name in zip(phases, BRANCHES, strict=True)
    ]
    return branches(found, BRANCHES)


def low_load(temperature, self_coupling=0.0):
    """The retrieval phase of finitely many patterns, alpha -> 0: no noise, K = J0/T.

        m = sinh(2m/T)/(cosh(2m/T) + exp(-2 J0/T)),    q = m^2

    For J0 = 0 this is m = tanh(m/T), as in the Hopfield network, and p = q.

    Args:
        temperature, self_coupling: as in `retrieval`.

    Returns:
        xarray.Dataset on (temperature, self_coupling) with m, q, p, K, free_energy, energy,
        entropy and residual. NaN from 1e-6 below T_0 = 1 + tanh(J0/T_0) on.

    Raises: as `retrieval`.

    Source: D. J. Amit, H. Gutfreund, H. Sompolinsky, Phys. Rev. A 32 (1985) 1007 (J0 = 0); derived
    here.
    """
    names = ("m", "q", "p", "K", "free_energy", "energy", "entropy", "residual")
    grid = common_grid(temperature=temperature, self_coupling=self_coupling)

    def equations(T, J0):
        found = {name: np.full(T.size, np.nan) for name in names}
        points = np.flatnonzero(saddle.below_highest(T, J0))
        T, J0 = T[points], J0[points]
        m = saddle.overlap(np.full(T.size, _NOISELESS), T, J0)
        b = np.full(T.size, _NOISELESS)
        known = _observables(np.zeros(T.size), T, J0, saddle.Saddle(m, b, J0, np.zeros(T.size)))
        for name in names:
            found[name][points] = known[name]
        return found

    return evaluated(
        grid,
        equations,
        {name: LONG_NAMES[name] for name in names},
        "Little model with finitely many patterns",
        convention=CONVENTION,
        source="Amit, Gutfreund, Sompolinsky 1985; derived here for J0 > 0",
        branch="retrieval",
    )


def spin_glass_temperature(alpha, self_coupling=0.0):
    """T_g, where the paramagnet turns continuously into the spin glass.

        T_g = (1 + p)(1 + sqrt(alpha)),  p = tanh K,  K as in the paramagnet

    At J0 = 0 about 1 + 1.5 sqrt(alpha) for small loads, above that of the Hopfield network.

    Args:
        alpha, self_coupling: as in `retrieval`.

    Returns:
        xarray.Dataset on (alpha, self_coupling) with `temperature`, `p` and `residual` (error of
        the equation for K).

    Raises: as `retrieval`.

    Source: derived here, from the linear equation for q.
    """
    grid = common_grid(alpha=alpha, self_coupling=self_coupling)

    def equations(alpha, J0):
        T, K, error = _onset(alpha, J0)
        return {"temperature": T, "p": np.tanh(K), "residual": error}

    names = {
        "temperature": "spin-glass temperature in units of the coupling J, k_B = 1",
        "p": LONG_NAMES["p"],
        "residual": "error of the equation for K",
    }
    title = "spin-glass temperature of the Little model"
    return evaluated(grid, equations, names, title, convention=CONVENTION, source=SOURCE)


def spinodal_load(temperature, self_coupling=0.0):
    """alpha_M(T), the largest load at which retrieval states exist.

        alpha_M(T) = max_x b^2 D^2/q  over the relative noise x = b/m, b = sqrt(alpha r)

    Args:
        temperature, self_coupling: as in `retrieval`.

    Returns:
        xarray.Dataset on (temperature, self_coupling) with `alpha` (to rounding), `m` (the overlap
        there, to about 1e-8, as alpha is flat in x) and `residual` of the equations for m and K.
        NaN from 1e-6 below T_0 = 1 + tanh(J0/T_0) on, where alpha_M < 1e-11.

    Raises: as `retrieval`.

    Source: the module's.
    """
    grid = common_grid(temperature=temperature, self_coupling=self_coupling)

    def equations(T, J0):
        found = {name: np.full(T.size, np.nan) for name in ("alpha", "m", "residual")}
        points = np.flatnonzero(saddle.below_highest(T, J0))
        T, J0 = T[points], J0[points]
        x, largest = saddle.fold(T, J0)
        state = saddle.saddle_at_noise(x, T, J0)
        found["alpha"][points], found["m"][points] = largest**2, state.m
        found["residual"][points] = _observables(largest**2, T, J0, state)["residual"]
        return found

    names = {
        "alpha": "spinodal load of the retrieval phase, P/N",
        "m": LONG_NAMES["m"],
        "residual": LONG_NAMES["residual"],
    }
    title = "spinodal of the Little model"
    return evaluated(grid, equations, names, title, convention=CONVENTION, source=SOURCE)


def _phase(alpha, temperature, self_coupling, phase, title, branch):
    grid = common_grid(alpha=alpha, temperature=temperature, self_coupling=self_coupling)
    flat, shape = on_grid(grid)
    values = {name: np.full(flat[0].size, np.nan) for name in LONG_NAMES}
    points, found = phase(*flat)
    for name in values:
        values[name][points] = found[name]
    variables = {name: (values[name].reshape(shape), LONG_NAMES[name]) for name in values}
    described = {"convention": CONVENTION, "source": SOURCE, "branch": branch}
    return dataset(grid, variables, title, **described)


def _retrieval(alpha, T, J0, stable=True):
    points, found = saddle.retrieval_saddle(alpha, T, J0, stable)
    return points, _observables(alpha[points], T[points], J0[points], found)


def _retrieval_unstable(alpha, T, J0):
    return _retrieval(alpha, T, J0, stable=False)


def _spin_glass(alpha, T, J0):
    # Within rounding of T_g there is no room left for q > 0.
    points = np.flatnonzero(T < _onset(alpha, J0)[0] * (1 - 1e-11))
    given = alpha[points], T[points], J0[points]
    return points, _observables(*given, saddle.spin_glass_saddle(*given))


def _observables(alpha, T, J0, found):
    """What a Saddle predicts: name -> array (point,).

        u = -m^2 - b^2 C + (alpha - J0) p - (alpha/2) [(1 + p)/D - (1 - p)/(1 + a)]
        s = E S - (alpha/2) [ln D + C/D + ln(1 + a) - a/(1 + a)],   a = beta (1 - p)

    with S the entropy of a pair in its field; f = u - T s.
    """
    m, b, k, _ = found
    average = saddle.pair_averages(m, b, T, k)
    q, C, a = average.spin_squared, average.slope, average.apart
    D, p = 1 - C, 1 - T * a
    # With noise D from the equation for r: right to all digits where C is close to 1.
    D = np.where(b > _NOISELESS, np.sqrt(alpha * q) / b, D)
    energy = -(m**2) - b**2 * C + (alpha - J0) * p
    energy -= alpha / 2 * ((1 + p) / D - (1 - p) / (1 + a))
    entropy = average.entropy - alpha / 2 * (np.log(D) + C / D + np.log1p(a) - a / (1 + a))
    with np.errstate(divide="ignore", over="ignore", invalid="ignore"):
        ratio = np.where(T == 0, np.inf, alpha / D**2 * average.slope_squared / T)
        K = np.where(k > 0, k / T, 0.0)
    errors = [
        m - average.spin,
        b * (1 - C) - np.sqrt(alpha * q),
        k - _pair_coupling(alpha, C, a, J0, D),
    ]
    return {
        "m": m,
        "q": q,
        "p": p,
        "r": q / D**2,
        "K": K,
        "free_energy": energy - T * entropy,
        "energy": energy,
        "entropy": entropy,
        "replicon": 1 - ratio,
        "residual": np.abs(errors).max(axis=0),
    }


def _pair_coupling(alpha, C, a, J0, D=None):
    """J0 + (alpha/2) [1/D + 1/(1 + a) - 2], without cancellation where C and a are small."""
    D = 1 - C if D is None else D
    return J0 + alpha * (C - a + 2 * a * C) / (2 * D * (1 + a))


def _paramagnet(alpha, T, J0):
    points = np.flatnonzero(T >= _onset(alpha, J0)[0])
    alpha, T, J0 = alpha[points], T[points], J0[points]

    def error(k, alpha, T, J0):
        p = np.tanh(k / T)
        return k - _pair_coupling(alpha, (1 + p) / T, (1 - p) / T, J0)

    # D is not below its value at T_g, so that the bracket of T K is sqrt(alpha)/2 at most.
    least_D = np.sqrt(alpha) / (1 + np.sqrt(alpha))
    with np.errstate(divide="ignore"):
        last = T * np.arctanh(np.minimum(T * (1 - least_D) - 1, 1))
    upper = np.minimum(last * (1 + 1e-9), J0 + np.sqrt(alpha) / 2)
    k = roots(error, J0, upper, alpha, T, J0)
    none = np.zeros_like(k)
    found = saddle.Saddle(none, none + _NOISELESS, k, np.sqrt(alpha))
    return points, _observables(alpha, T, J0, found)


def _onset(alpha, J0):
    """T_g and K there: T_g = (1 + tanh K)(1 + sqrt(alpha)), arrays (point,), and the error of K."""

    def temperature(K, alpha):
        return (1 + np.tanh(K)) * (1 + np.sqrt(alpha))

    def error(K, alpha, J0):
        T = temperature(K, alpha)
        a = (1 - np.tanh(K)) / T
        return K - _pair_coupling(alpha, 1 / (1 + np.sqrt(alpha)), a, J0) / T

    # At D = sqrt(alpha)/(1 + sqrt(alpha)) the bracket of T K is sqrt(alpha)/2 at most.
    highest = (J0 + np.sqrt(alpha) / 2) / (1 + np.sqrt(alpha))
    K = roots(error, 0.0, highest, alpha, J0)
    return temperature(K, alpha), K, np.abs(error(K, alpha, J0))
