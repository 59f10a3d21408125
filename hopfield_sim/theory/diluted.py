"""The extremely and asymmetrically diluted network of Derrida, Gardner and Zippelius.

Every neuron has c inputs, drawn at random and without regard to direction:
J_ij = (c_ij/c) sum_mu xi_i^mu xi_j^mu with c_ij = 1 for the inputs j of i, random +-1 patterns,
mu = 1..P. The load is alpha = P/c, patterns per *input* (not per neuron). For N -> infinity and
then c -> infinity with c << ln N the inputs of a neuron, their inputs and so on are all different
neurons, so that there is no feedback and the overlap m with the cued pattern follows a map,

    m' = E tanh(h/T),   h = m + sqrt(alpha) z,   z Gaussian,  E its average,

one step of which is one parallel update of all neurons. Sequential dynamics follows
dm/dt = E tanh(h/T) - m and has the same fixed points. Temperatures are in units of J, k_B = 1.

On m > 0 the map is concave (its slope is the average of a bell around 0), so that there is one
fixed point with m > 0 where the slope at m = 0 is above 1, and none elsewhere: retrieval ends
continuously, and there is no spin glass.

`diluted_finite` has the same network with a finite number of inputs.

Source: B. Derrida, E. Gardner, A. Zippelius, Europhys. Lett. 4 (1987) 167.
"""

import numpy as np

from hopfield_sim.theory.continuation import roots
from hopfield_sim.theory.labels import branches, common_grid, dataset, evaluated, on_grid
from hopfield_sim.theory.quadrature import thermal_averages

__all__ = [
    "CAPACITY",
    "critical_load",
    "critical_temperature",
    "one_step",
    "retrieval",
    "solutions",
    "trajectory",
]

CAPACITY = 2 / np.pi
"""alpha_c at T = 0."""

ALPHA_NAME = "patterns per input, P/c"
_MEANINGS = {"alpha": ALPHA_NAME}
_CONVENTION = (
    "J_ij = (c_ij/c) sum_mu xi_i xi_j, directed, c inputs a neuron; alpha = P/c; "
    "T in units of J, k_B = 1; N -> infinity, then c -> infinity"
)
_SOURCE = "Derrida, Gardner, Zippelius 1987"
_ROUNDING = 1e-15  # of the slope of the map at m = 0
LONG_NAMES = {
    "m": "overlap with the condensed pattern",
    "slope": "slope dm'/dm of the map at the fixed point, stable where it is below 1",
    "residual": "error |m' - m| of the fixed point",
}


def one_step(start_overlap, alpha, temperature):
    """The overlap after one parallel update.

        m' = E tanh((m + sqrt(alpha) z)/T),   at T = 0: m' = erf(m/sqrt(2 alpha))

    Args:
        start_overlap: m before the update, a number, a 1-D array or a DataArray, in [-1, 1].
        alpha: patterns per input P/c, likewise, > 0.
        temperature: likewise, >= 0. Plain arrays span the grid (start_overlap, alpha,
            temperature); DataArrays are matched by the names of their dimensions.

    Returns:
        xarray.Dataset on that grid with `m` (after the update) and `slope` (dm'/dm).

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Derrida, Gardner, Zippelius, Europhys. Lett. 4 (1987) 167.
    """
    grid = common_grid(_MEANINGS, start_overlap=start_overlap, alpha=alpha, temperature=temperature)

    def equations(m, alpha, T):
        new, slope = gaussian_map(m, alpha, T)
        return {"m": new, "slope": slope}

    names = {"m": "overlap after one parallel update", "slope": "slope dm'/dm of the map"}
    return evaluated(
        grid,
        equations,
        names,
        "one step of the extremely diluted network",
        convention=_CONVENTION,
        source=_SOURCE,
    )


def trajectory(start_overlap, alpha, temperature, steps):
    """The overlap m(t) of parallel dynamics, by the map applied again and again.

    Args:
        start_overlap, alpha, temperature: as for `one_step`.
        steps: number of parallel updates, a whole number >= 1.

    Returns:
        xarray.Dataset with `m` over the grid and a last dimension `step` = 0..steps; m at step 0
        is the overlap at the start.

    Raises:
        ValueError: as `one_step`, or a number of steps that is none.

    Source: Derrida, Gardner, Zippelius, Europhys. Lett. 4 (1987) 167.
    """
    grid = common_grid(_MEANINGS, start_overlap=start_overlap, alpha=alpha, temperature=temperature)
    (m, alpha, T), shape = on_grid(grid)
    return over_steps(
        grid,
        shape,
        m,
        lambda m: gaussian_map(m, alpha, T)[0],
        steps,
        "parallel dynamics of the extremely diluted network",
        convention=_CONVENTION,
        source=_SOURCE,
    )


def retrieval(alpha, temperature):
    """The stable fixed point with m > 0.

        m = E tanh((m + sqrt(alpha) z)/T)

    It exists below `critical_load`, where near the end m^2 = 3 (alpha_c(T) - alpha) to leading
    order, with the same factor at every temperature: for a field of variance alpha, a
    derivative by alpha is half of a second derivative by m, so that the slope of the map at 0
    changes by g'''/2 and its cubic term is g''' m^3/6.

    Args:
        alpha: patterns per input P/c, a number, a 1-D array or a DataArray, > 0.
        temperature: likewise, >= 0. Plain arrays span the grid (alpha, temperature).

    Returns:
        xarray.Dataset on that grid with m, slope (dm'/dm, between 0 and 1: deviations shrink by
        it with each step) and residual. NaN where there is no such fixed point.

    Raises:
        ValueError: a parameter outside its domain, or unnamed axes.

    Source: Derrida, Gardner, Zippelius, Europhys. Lett. 4 (1987) 167.
    """
    grid = common_grid(_MEANINGS, alpha=alpha, temperature=temperature)
    return evaluated(
        grid,
        lambda alpha, T: fixed_point(gaussian_map, alpha, T),
        LONG_NAMES,
        "retrieval in the extremely diluted network",
        convention=_CONVENTION,
        source=_SOURCE,
        branch="retrieval",
    )


def solutions(alpha, temperature):
    """All fixed points with m >= 0; with m also -m is one.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`: "retrieval",
        and "no_overlap", m = 0, which is always there and is stable where its slope,
        (1/T) E sech^2(sqrt(alpha) z/T), is below 1, that is above `critical_load`.

    Source: Derrida, Gardner, Zippelius, Europhys. Lett. 4 (1987) 167.
    """
    grid = common_grid(_MEANINGS, alpha=alpha, temperature=temperature)
    without = evaluated(
        grid,
        lambda alpha, T: without_overlap(gaussian_map, alpha, T),
        LONG_NAMES,
        "fixed points of the extremely diluted network",
        convention=_CONVENTION,
        source=_SOURCE,
    )
    title = "fixed points of the extremely diluted network"
    return branches([retrieval(alpha, temperature), without], ("retrieval", "no_overlap"), title)


def critical_load(temperature):
    """alpha_c(T), above which no overlap survives: 2/pi at T = 0, 0 at T = 1.

        (1/T) E sech^2(sqrt(alpha_c) z/T) = 1

    Args:
        temperature: a number, a 1-D array or a DataArray, >= 0.

    Returns:
        xarray.Dataset on the coordinate temperature with `alpha` and `residual` (|1 - the left
        side|). NaN for T > 1.

    Raises:
        ValueError: a negative, infinite or undefined temperature, or unnamed axes.

    Source: Derrida, Gardner, Zippelius, Europhys. Lett. 4 (1987) 167.
    """
    grid = common_grid(temperature=temperature)

    def equations(T):
        alpha, residual = np.full((2, T.size), np.nan)
        points = np.flatnonzero((T > 0) & (T < 1))
        inside = T[points]
        # E sech^2 u >= 1 - E u^2, and (1/T) E sech^2(b z/T) <= sqrt(2/pi)/b
        lower = np.maximum(0.999 * inside * np.sqrt(1 - inside), 1e-3 * (1 - inside))
        width = roots(
            lambda width, T: _slope_at_zero(width, T) - 1,
            lower,
            np.sqrt(CAPACITY) * (1 + 1e-12),
            inside,
        )
        alpha[points] = width**2
        residual[points] = np.abs(_slope_at_zero(width, inside) - 1)
        for end, value in ((0, CAPACITY), (1, 0.0)):
            alpha[end == T], residual[end == T] = value, 0
        return {"alpha": alpha, "residual": residual}

    names = {"alpha": ALPHA_NAME, "residual": "error of the equation that defines the line"}
    return evaluated(
        grid,
        equations,
        names,
        "critical load of the extremely diluted network",
        convention=_CONVENTION,
        source=_SOURCE,
    )


def critical_temperature(alpha):
    """T_c(alpha), above which no overlap survives: 1 at alpha -> 0, 0 at alpha = 2/pi.

        (1/T_c) E sech^2(sqrt(alpha) z/T_c) = 1

    Args:
        alpha: patterns per input P/c, a number, a 1-D array or a DataArray, > 0.

    Returns:
        xarray.Dataset on the coordinate alpha with `temperature` and `residual` (|1 - the left
        side|). NaN for alpha > 2/pi.

    Raises:
        ValueError: alpha <= 0, infinite or undefined, or unnamed axes.

    Source: Derrida, Gardner, Zippelius, Europhys. Lett. 4 (1987) 167.
    """
    grid = common_grid(_MEANINGS, alpha=alpha)

    def equations(alpha):
        T, residual = np.full((2, alpha.size), np.nan)
        points = np.flatnonzero(alpha < CAPACITY * (1 - 1e-15))
        width = np.sqrt(alpha[points])
        T[points] = roots(lambda T, width: _slope_at_zero(width, T) - 1, 0.0, 1.0, width)
        residual[points] = np.abs(_slope_at_zero(width, T[points]) - 1)
        end = np.abs(alpha - CAPACITY) <= 1e-15 * CAPACITY
        T[end] = residual[end] = 0
        return {"temperature": T, "residual": residual}

    names = {
        "temperature": "temperature in units of the coupling J, k_B = 1",
        "residual": "error of the equation that defines the line",
    }
    return evaluated(
        grid,
        equations,
        names,
        "critical temperature of the extremely diluted network",
        convention=_CONVENTION,
        source=_SOURCE,
    )


def gaussian_map(m, alpha, temperature, correlation=0.0):
    """m' and dm'/dm for a Gaussian field of mean m and variance alpha - correlation m^2.

    Args:
        m, alpha, temperature, correlation: arrays (point,); correlation is 1/c for the variance
            of the field of a neuron with c inputs, and 0 in the limit.

    Returns:
        m' (point,), dm'/dm (point,).
    """
    width = np.sqrt(np.maximum(alpha - correlation * m**2, 0))
    average = thermal_averages(m, width, temperature)
    # A field without noise (one pattern, m = 1) is met at T = 0 only, where nothing depends on it.
    narrowing = np.divide(-correlation * m, width, out=np.zeros_like(width), where=width > 0)
    return average.tanh, average.slope + np.where(narrowing == 0, 0, narrowing * average.slope_z)


def fixed_point(one_map, *parameters):
    """m > 0 with m' = m, for maps where m'/m decreases with m.

    Args:
        one_map: takes m (point,) and the parameters (point,), returns m' and dm'/dm (point,).
        parameters: arrays (point,).

    Returns:
        name -> (point,) for the names in `LONG_NAMES`; NaN where the slope at m = 0 is not above
        1, so that there is no such m.
    """
    zero = np.zeros(parameters[0].size)
    at_zero = one_map(zero, *parameters)[1]
    points = np.flatnonzero(at_zero > 1 + _ROUNDING)
    inside = [values[points] for values in parameters]

    def excess(m, at_zero, *parameters):
        # m'/m - 1, which tends to the slope at m = 0; rounding may leave m' a little above 1
        new = np.minimum(one_map(m, *parameters)[0], 1)
        ratio = np.divide(new, m, out=at_zero.copy(), where=m > 0)
        return ratio - 1

    found = {name: np.full(zero.size, np.nan) for name in LONG_NAMES}
    m = roots(excess, 0.0, 1.0, at_zero[points], *inside)
    new, slope = one_map(m, *inside)
    for name, values in (("m", m), ("slope", slope), ("residual", np.abs(new - m))):
        found[name][points] = values
    return found


def without_overlap(one_map, *parameters):
    """The fixed point m = 0: name -> (point,), arguments as for `fixed_point`."""
    zero = np.zeros(parameters[0].size)
    new, slope = one_map(zero, *parameters)
    return {"m": zero, "slope": slope, "residual": np.abs(new)}


def over_steps(grid, shape, start, one_map, steps, title, **described):
    """The Dataset of m(t): a map applied `steps` times, along a last dimension `step`.

    Args:
        grid, shape: parameters from `common_grid` and the shape of their grid.
        start: m at the start (point,).
        one_map: takes m (point,), returns m' (point,).
        steps: how often.
        title, described: as for `labels.dataset`.

    Raises:
        ValueError: a number of steps that is no whole number >= 1.
    """
    if isinstance(steps, bool) or not isinstance(steps, int | np.integer) or steps < 1:
        raise ValueError(f"steps = {steps!r} is not allowed; it must be a whole number >= 1")
    m = [np.asarray(start, dtype=float)]
    for _ in range(steps):
        m.append(one_map(m[-1]))
    values = np.stack(m, axis=-1).reshape(*shape, steps + 1)
    return dataset(
        grid,
        {"m": (values, "overlap with the condensed pattern")},
        title,
        {"m": ("step",)},
        coords={"step": (np.arange(steps + 1), "parallel updates")},
        **described,
    )


def _slope_at_zero(width, temperature):
    return thermal_averages(0.0, width, temperature).slope
