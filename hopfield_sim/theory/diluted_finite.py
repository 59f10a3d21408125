"""The asymmetrically diluted network with a finite number c of inputs of a neuron.

The network of `diluted`, J_ij = (c_ij/c) sum_mu xi_i^mu xi_j^mu over c random inputs, P patterns,
N -> infinity, before c -> infinity is taken. The field of a neuron, in the direction of the
condensed pattern, is

    h = (1/c) (X + Y),   X: sum of c signs of mean m,   Y: sum of c (P - 1) signs of mean 0,

all independent (they are so at every time of parallel dynamics if the inputs of a neuron, their
inputs and so on are all different, as they are for N -> infinity at fixed c: the neuron's own
xi_i^mu is then independent of the states of its inputs). So

    m' = E tanh(h/T),   T -> 0: m' = P(h > 0) - P(h < 0).

A neuron without field, which there is when c P is even, is drawn at random by heat bath
dynamics, at every temperature and in its limit T -> 0, which is meant here by T = 0. (If it kept
its spin, overlaps would be clearly larger, and no map of m alone would be exact: the spin
remembers the fields of earlier times.)

E tanh(h/T) given X is an odd function of X, concave for X > 0, and its binomial average over X (a
Bernstein polynomial in m) has no more changes of sign against a straight line than the function
itself. Hence at most one fixed point with m > 0, as in the limit.

With `field="gaussian"` X + Y is replaced by a Gaussian of the same mean and variance,
m and (P - 1)/c + (1 - m^2)/c for h, which leaves out the lattice: right for many patterns, and
accepted for c >= 4 (with fewer inputs it would have a discontinuous end of retrieval, an artefact).

Derived here; checked by sums over all fields, and by the simulation of `experiments.diluted`.
"""

from functools import partial

import numpy as np
from scipy import signal, stats

from hopfield_sim.theory.diluted import (
    ALPHA_NAME,
    LONG_NAMES,
    fixed_point,
    gaussian_map,
    over_steps,
    without_overlap,
)
from hopfield_sim.theory.labels import branches, common_grid, evaluated, on_grid

_CONVENTION = (
    "J_ij = (c_ij/c) sum_mu xi_i xi_j, directed, c inputs a neuron; alpha = P/c; "
    "T in units of J, k_B = 1; N -> infinity at fixed c"
)
_SOURCE = "derived here, checked by sums over all fields and by simulation"
_FIELDS = ("exact", "gaussian")
_FEWEST_GAUSSIAN = 4
# Sums of signs farther out than this many standard deviations have a weight below 1e-22.
_FAR = 10
# Entries of the table (point, number of inputs with the right sign) that are held at once.
_CHUNK = 2_000_000


def one_step(start_overlap, n_inputs, n_patterns, temperature, field="exact"):
    """The overlap after one parallel update, m' = E tanh((X + Y)/(c T)).

    Args:
        start_overlap: m before the update, a number, a 1-D array or a DataArray, in [-1, 1].
        n_inputs: inputs c of a neuron, likewise, whole numbers >= 1.
        n_patterns: patterns P, likewise, whole numbers >= 1.
        temperature: likewise, >= 0. Plain arrays span the grid (start_overlap, n_inputs,
            n_patterns, temperature); DataArrays are matched by the names of their dimensions.
        field: "exact" for the sums of signs, "gaussian" for a Gaussian of the same variance.

    Returns:
        xarray.Dataset on that grid with `m` (after the update), `slope` (dm'/dm) and `alpha`
        (P/c).

    Raises:
        ValueError: a parameter outside its domain, unnamed axes, another kind of field, or a
            Gaussian one for fewer than 4 inputs.

    Source: derived here (see the head of the file).
    """
    grid = common_grid(
        start_overlap=start_overlap,
        n_inputs=n_inputs,
        n_patterns=n_patterns,
        temperature=temperature,
    )

    def equations(m, c, P, T):
        new, slope = _chosen(field, c)(m, c, P, T)
        return {"m": new, "slope": slope, "alpha": P / c}

    names = {
        "m": "overlap after one parallel update",
        "slope": "slope dm'/dm of the map",
        "alpha": ALPHA_NAME,
    }
    title = "one step of a diluted network with a finite number of inputs"
    return evaluated(grid, equations, names, title, convention=_CONVENTION, source=_SOURCE)


def trajectory(start_overlap, n_inputs, n_patterns, temperature, steps, field="exact"):
    """The overlap m(t) of parallel dynamics, by the map applied again and again.

    Args:
        start_overlap, n_inputs, n_patterns, temperature, field: as for `one_step`.
        steps: number of parallel updates, a whole number >= 1.

    Returns:
        xarray.Dataset with `m` over the grid and a last dimension `step` = 0..steps; m at step 0
        is the overlap at the start.

    Raises:
        ValueError: as `one_step`, or a number of steps that is none.

    Source: derived here (see the head of the file).
    """
    grid = common_grid(
        start_overlap=start_overlap,
        n_inputs=n_inputs,
        n_patterns=n_patterns,
        temperature=temperature,
    )
    (m, c, P, T), shape = on_grid(grid)
    one_map = _chosen(field, c)
    return over_steps(
        grid,
        shape,
        m,
        lambda m: one_map(m, c, P, T)[0],
        steps,
        "parallel dynamics of a diluted network with a finite number of inputs",
        convention=_CONVENTION,
        source=_SOURCE,
    )


def retrieval(n_inputs, n_patterns, temperature, field="exact"):
    """The stable fixed point with m > 0 of the map of `one_step`.

    Args:
        n_inputs, n_patterns, temperature, field: as for `one_step`.

    Returns:
        xarray.Dataset with m, slope (dm'/dm there), residual (|m' - m|) and alpha (P/c). NaN
        where there is no such fixed point: where the slope at m = 0 is not above 1. (With one
        pattern and c <= 2 at T = 0 every overlap is a fixed point: NaN.)

    Raises:
        ValueError: as `one_step`.

    Source: derived here (see the head of the file).
    """
    title = "retrieval in a diluted network with a finite number of inputs"
    found = _fixed(fixed_point, n_inputs, n_patterns, temperature, field, title)
    return branches([found], ("retrieval",)).isel(branch=0)


def solutions(n_inputs, n_patterns, temperature, field="exact"):
    """All fixed points with m >= 0; with m also -m is one.

    Args, Raises: as `retrieval`.

    Returns:
        xarray.Dataset as from `retrieval`, with a further first dimension `branch`: "retrieval",
        and "no_overlap", m = 0, which is always there and is stable where its slope is below 1.

    Source: derived here (see the head of the file).
    """
    title = "fixed points of a diluted network with a finite number of inputs"
    found = [
        _fixed(kind, n_inputs, n_patterns, temperature, field, title)
        for kind in (fixed_point, without_overlap)
    ]
    return branches(found, ("retrieval", "no_overlap"))


def _fixed(kind, n_inputs, n_patterns, temperature, field, title):
    grid = common_grid(n_inputs=n_inputs, n_patterns=n_patterns, temperature=temperature)

    def equations(c, P, T):
        return kind(_chosen(field, c), c, P, T) | {"alpha": P / c}

    names = LONG_NAMES | {"alpha": ALPHA_NAME}
    return evaluated(grid, equations, names, title, convention=_CONVENTION, source=_SOURCE)


def _chosen(field, n_inputs):
    """The map m, c, P, T -> m', dm'/dm, all (point,), for a kind of field."""
    if field not in _FIELDS:
        raise ValueError(f"field = {field!r} is not allowed; it must be one of {_FIELDS}")
    if field == "exact":
        return _exact_map
    if np.any(n_inputs < _FEWEST_GAUSSIAN):
        raise ValueError(
            f"n_inputs = {np.min(n_inputs)} is too few for a Gaussian field; it must be at "
            f"least {_FEWEST_GAUSSIAN}, or field = 'exact'"
        )
    return lambda m, c, P, T: gaussian_map(m, P / c, T, 1 / c)


def _exact_map(m, n_inputs, n_patterns, temperature):
    """m' and dm'/dm (point,): one table of responses for every network among the points."""
    new, slope = np.empty((2, m.size))
    networks = np.stack([n_inputs, n_patterns, temperature])
    kinds, belongs = np.unique(networks, axis=1, return_inverse=True)
    for kind, (c, P, T) in enumerate(kinds.T):
        points = np.flatnonzero(belongs.ravel() == kind)
        response = _response(int(c), int(P), float(T))
        width = max(1, _CHUNK // response.size)
        for start in range(0, points.size, width):
            chunk = points[start : start + width]
            new[chunk], slope[chunk] = _bernstein(response, m[chunk])
    return new, slope


def _response(n_inputs, n_patterns, temperature):
    """E tanh((x + Y)/(c T)) for every sum x = -c, -c + 2, ... c of the inputs' signs."""
    noise = n_inputs * (n_patterns - 1)
    reach = min(noise, _even(_FAR * np.sqrt(noise)) + noise % 2)
    weight = _sum_of_signs(noise, reach)
    fields = np.arange(-n_inputs - reach, n_inputs + reach + 1, 2)
    single = np.sign(fields) if temperature == 0 else np.tanh(fields / (n_inputs * temperature))
    response = signal.oaconvolve(single, weight, mode="valid")
    return (response - response[::-1]) / 2  # odd to the last bit, as it must be near m = 0


def _even(number):
    return 2 * int(np.ceil(number / 2))


def _sum_of_signs(number, reach):
    """Probabilities of the sums -reach, -reach + 2, ... reach of `number` signs of mean 0."""
    up = np.arange((number - reach) // 2, (number + reach) // 2 + 1)
    weight = stats.binom.pmf(up, number, 0.5)
    return weight / weight.sum()


def _bernstein(response, m):
    """E g(X) and its derivative by m, X the sum of c signs of mean m and g(X) = response."""
    inputs = response.size - 1
    average = partial(_binomial_average, m=m)
    return average(response), average(inputs / 2 * np.diff(response))


def _binomial_average(values, m):
    number = values.size - 1
    weight = stats.binom.pmf(np.arange(number + 1), number, (1 + m[:, None]) / 2)
    return weight @ values
