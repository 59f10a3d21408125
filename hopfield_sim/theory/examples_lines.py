"""Thresholds of learning from examples: loads, temperatures, numbers of examples, qualities.

The equations and conventions are in `examples`.
"""

import numpy as np
import xarray as xr
from scipy.special import gamma

from hopfield_sim.theory.continuation import maxima, roots, smallest_number
from hopfield_sim.theory.examples_folds import crossings, largest, scanned
from hopfield_sim.theory.examples_phase import SOURCE, Setting, convention
from hopfield_sim.theory.examples_saddle import Systems, highest_temperature
from hopfield_sim.theory.labels import common_grid, dataset, on_grid

_GRID = 24
_MOST_EXAMPLES = 2**20
_QUALITIES = 33
_BISECTIONS = 40
_NAMES = {
    "alpha": "largest load with a retrieval solution",
    "temperature": "temperature below which there is a retrieval solution",
    "m": "overlap with the archetype there",
    "example_overlap": "(1/N) sum_i etabar_i s_i there",
    "residual": "largest error of the equations that define the threshold",
}


def spinodal_load(
    temperature,
    quality,
    n_examples,
    interaction=2,
    *,
    rule="supervised",
    form="binomial",
    couplings=None,
):
    """alpha_M, the largest load with a stable retrieval solution.

    The maximum of the load along the curve of all solutions at this temperature, in n. With few
    examples the curve can have several; this is the largest, and m tells what is retrieved there.
    For P >= 3 there is below some temperature a second, separate branch of small n next to the
    glass, which is not counted; for large rho (P = 3, r = 0.5, M = 5: at T = 0.263) it joins the
    retrieval branch, and alpha_M jumps up and m down there.

    Args, Raises: as `examples.retrieval`, without alpha.

    Returns:
        xarray.Dataset on the grid with alpha, m, example_overlap (both at the spinodal) and
        residual (of the equations and of the slope along the curve). NaN at temperatures without
        solutions.

    Source: the head of `examples`.
    """
    parameters = {"temperature": temperature, "quality": quality, "n_examples": n_examples}
    setting = Setting(rule, form, couplings, **parameters, interaction=interaction)
    systems, index = setting.systems()
    found = _at_spinodal(systems)
    values = {name: value[index] for name, value in found.items()}
    return _threshold(setting.grid, values, setting.shape, f"{rule} spinodal", setting.convention())


def spinodal_temperature(
    alpha,
    quality,
    n_examples,
    interaction=2,
    *,
    rule="supervised",
    form="binomial",
    couplings=None,
):
    """T_M, the highest temperature at which a load still has a stable retrieval solution.

        alpha_M(T_M) = alpha

    At small r or M alpha_M(T) rises with T at first (its value at T = 0 is not the largest); T_M is
    the upper of several temperatures.

    Args, Raises: as `examples.retrieval`, without temperature.

    Returns:
        xarray.Dataset on the grid with temperature, m, example_overlap and residual (in addition
        the relative error of the load). NaN where no temperature has a solution at this load, and
        within 2e-6 of the limit of low load.

    Source: the head of `examples`.
    """
    parameters = {"quality": quality, "n_examples": n_examples, "interaction": interaction}
    setting = Setting(rule, form, couplings, {"alpha": alpha}, temperature=0.0, **parameters)
    systems, index = setting.systems()
    top = highest_temperature(systems) * (1 - 2e-6)
    loads = setting.flat["alpha"]
    goal = systems.chosen(index).root_load(loads)

    def excess(T, at, goal):
        return _largest_root(systems, T, at.astype(int)) - goal

    size = top.size
    steps = np.linspace(0, 1, _GRID)
    every = np.repeat(np.arange(size), _GRID)
    table = _largest_root(systems, (top[:, None] * steps).ravel(), every).reshape(size, _GRID)
    best = table.argmax(axis=1)
    peak = table.max(axis=1)
    # Where the load is hardly above the largest of the grid, the maximum lies between its points.
    T_peak = top * steps[best]
    needed = np.unique(index[(goal > peak[index]) & (goal < 1.02 * peak[index])])
    if needed.size:
        low = top[needed] * steps[np.maximum(best[needed] - 1, 0)]
        high = top[needed] * steps[np.minimum(best[needed] + 1, _GRID - 1)]
        T_peak[needed], peak[needed] = maxima(
            lambda T, at: _largest_root(systems, T, at.astype(int)), low, high, needed
        )
    point = np.flatnonzero((goal <= peak[index]) & (goal > table[index, -1]))
    at = index[point]
    above = (table[at] > goal[point, None]) * np.arange(1, _GRID + 1)
    last = above.max(axis=1)
    lower = np.where(last > 0, top[at] * steps[np.maximum(last - 1, 0)], T_peak[at])
    upper = np.where(
        last > 0,
        top[at] * steps[np.minimum(last, _GRID - 1)],
        top[at] * steps[np.minimum(best[at] + 1, _GRID - 1)],
    )
    T = roots(excess, lower, upper, at, goal[point])
    there = _at_temperature(systems, T, at)
    found = _at_spinodal(there)
    values = {name: np.full(index.size, np.nan) for name in ("m", "example_overlap", "residual")}
    for name in values:
        values[name][point] = found[name]
    error = np.abs(found["alpha"] / loads[point] - 1)
    values["residual"][point] = np.maximum(values["residual"][point], error)
    values["temperature"] = np.full(index.size, np.nan)
    values["temperature"][point] = T * setting.unit[point]
    grid = [one for one in setting.grid if one.name != "temperature"]
    return _threshold(grid, values, setting.shape, f"{rule} spinodal", setting.convention())


def examples_needed(
    alpha,
    temperature,
    quality,
    overlap,
    interaction=2,
    *,
    rule="supervised",
    form="binomial",
    couplings=None,
):
    """M_c, the number of examples from which on the archetype is retrieved.

    The smallest M such that with M and with M + 1 examples (an even and an odd number) there is a
    stable retrieval solution with m >= overlap. Existence alone would not do: with one example
    this is the network that stores the examples, and retrieves them with m = r. Searched by
    doubling and bisection, so M_c is right where that holds for every larger M, which it does up to
    the alternation of even and odd.

    Args, Raises: as `examples.retrieval`; overlap: the m that is asked for, in (0, 1).

    Returns:
        xarray.Dataset on the grid with n_examples, m, and alpha_M there. NaN where the network
        that stores the archetypes does not reach this overlap, or 2^20 examples do not.

    Source: the head of `examples`.
    """
    grid = common_grid(
        alpha=alpha,
        temperature=temperature,
        quality=quality,
        overlap=overlap,
        interaction=interaction,
    )
    (load, T, r, asked, P), shape = on_grid(grid)
    words = {"rule": rule, "form": form, "couplings": couplings}

    def reached(points, M):
        both = np.tile(points, 2)
        M = np.concatenate([M, M + 1])
        m = _overlap(load[both], T[both], r[both], M, P[both], **words)
        return m.reshape(2, -1).min(axis=0) >= asked[points]

    ones = np.ones(load.size)
    possible = _overlap(load, T, ones, ones, P, **words) >= asked
    M = smallest_number(reached, possible, _MOST_EXAMPLES)
    found = ~np.isnan(M)
    m = np.full(load.size, np.nan)
    m[found] = _overlap(*(v[found] for v in (load, T, r, M, P)), **words)
    variables = {
        "n_examples": (M.reshape(shape), "number of examples from which on m >= overlap"),
        "m": (m.reshape(shape), _NAMES["m"]),
    }
    title = f"{rule} examples needed"
    about = convention(rule, couplings)
    return dataset(grid, variables, title, convention=about, source=SOURCE)


def quality_needed(
    alpha,
    temperature,
    n_examples,
    overlap,
    interaction=2,
    *,
    rule="supervised",
    form="binomial",
    couplings=None,
):
    """r_c, the quality from which on the archetype is retrieved.

    The smallest r such that there is a stable retrieval solution with m >= overlap for every
    quality above (of 33 values between 0 and 1, and then by bisection next to the last that fails).

    Args, Raises: as `examples.retrieval`; overlap: the m that is asked for, in (0, 1).

    Returns:
        xarray.Dataset on the grid with quality (to 1e-12) and m there. NaN where the network that
        stores the archetypes does not reach this overlap.

    Source: the head of `examples`.
    """
    grid = common_grid(
        alpha=alpha,
        temperature=temperature,
        n_examples=n_examples,
        overlap=overlap,
        interaction=interaction,
    )
    (load, T, M, asked, P), shape = on_grid(grid)
    words = {"rule": rule, "form": form, "couplings": couplings}
    qualities = np.linspace(0, 1, _QUALITIES)[1:]
    every = np.repeat(np.arange(load.size), qualities.size)
    table = _overlap(
        load[every], T[every], np.tile(qualities, load.size), M[every], P[every], **words
    ).reshape(load.size, qualities.size)
    good = table >= asked[:, None]
    possible = np.flatnonzero(good[:, -1])
    failing = (~good * np.arange(1, qualities.size + 1)).max(axis=1)[possible]
    low = np.where(failing > 0, qualities[np.maximum(failing - 1, 0)], 1e-3)
    high = qualities[failing]
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        m = _overlap(load[possible], T[possible], middle, M[possible], P[possible], **words)
        up = m >= asked[possible]
        low, high = np.where(up, low, middle), np.where(up, middle, high)
    r, m = np.full((2, load.size), np.nan)
    r[possible] = high
    m[possible] = _overlap(load[possible], T[possible], high, M[possible], P[possible], **words)
    variables = {
        "quality": (r.reshape(shape), "quality of an example from which on m >= overlap"),
        "m": (m.reshape(shape), _NAMES["m"]),
    }
    title = f"{rule} quality needed"
    about = convention(rule, couplings)
    return dataset(grid, variables, title, convention=about, source=SOURCE)


def gaussian_capacity(dataset_entropy, interaction=3):
    """The largest load at T = 0 for many examples, a function of rho alone.

        P >= 3, with t = A/n^(2P-2) and v = t + rho:  m = erf(1/sqrt(2 v)),
        n = m + rho sqrt(2/(pi v)) exp(-1/(2 v)),  A_crit = max_t t n^(2P-2)
        alpha_c (P-1)! = A_crit/(1 + rho)^P  supervised,  A_crit/(1 + rho_P)  unsupervised

    Args:
        dataset_entropy: rho = (1 - r^2)/(M r^2), a number, a 1-D array or a DataArray, >= 0.
        interaction: P, likewise, a whole number >= 2.

    Returns:
        xarray.Dataset on the grid with alpha and reduced_load = alpha (P-1)! of the supervised
        rule, effective_load = A_crit (NaN at P = 2, where cross-talk reacts and the unsupervised
        rule depends on rho in another way: see `spinodal_load`), m and residual. For large rho a
        solution at the capacity has a small m: the majority of the examples, not the archetype.

    Raises:
        ValueError: a parameter outside its domain, by name.

    Source: derived here; P = 2, rho = 0: Amit, Gutfreund, Sompolinsky, Phys. Rev. Lett. 55 (1985)
    1530.
    """
    setting = Setting(
        "supervised",
        "gaussian",
        None,
        temperature=0.0,
        dataset_entropy=dataset_entropy,
        interaction=interaction,
    )
    systems, index = setting.systems()
    found = {name: value[index] for name, value in _at_spinodal(systems).items()}
    del found["example_overlap"]
    rho, P = setting.flat["dataset_entropy"], setting.flat["interaction"]
    reduced = found["alpha"] * gamma(P)
    shape = setting.shape
    variables = {name: (value.reshape(shape), _NAMES[name]) for name, value in found.items()}
    variables["reduced_load"] = (reduced.reshape(shape), "alpha (P-1)!")
    effective = np.where(P == 2, np.nan, reduced * (1 + rho) ** P)
    variables["effective_load"] = (effective.reshape(shape), "A_crit of P and rho")
    grid = [one for one in setting.grid if one.name != "temperature"]
    return dataset(
        grid,
        variables,
        "capacity of supervised learning from many examples at T = 0",
        convention=setting.convention(),
        source=SOURCE,
    )


def _overlap(alpha, temperature, quality, n_examples, interaction, *, rule, form, couplings):
    """m of the stable retrieval solution (point,), -1 where there is none."""
    values = {
        "alpha": alpha,
        "temperature": temperature,
        "quality": quality,
        "n_examples": n_examples,
        "interaction": interaction,
    }
    values = {name: xr.DataArray(value, dims="point") for name, value in values.items()}
    others = {"alpha": values.pop("alpha")}
    setting = Setting(rule, form, couplings, others, **values)
    systems, index = setting.systems()
    scan = scanned(systems)
    alive = np.flatnonzero(scan.curves.alive[index])
    goal = systems.chosen(index).root_load(setting.flat["alpha"])[alive]
    point, _, _, a, b = crossings(scan, index[alive], goal, only_stable=True)
    m = np.full(index.size, -1.0)
    point = alive[point]
    np.maximum.at(m, point, systems.averages(index[point], a, b).m)
    return m


def _at_temperature(systems, T, at):
    """The Systems at (point,) at other temperatures (point,)."""
    one = systems.chosen(at)
    return Systems(
        T,
        one.interaction,
        one.dataset_entropy,
        one.quality,
        one.n_examples,
        one.supervised,
        one.binomial,
    )


def _largest_root(systems, T, at):
    """R (point,) of the largest load at other temperatures (point,), 0 where there is none."""
    return np.nan_to_num(largest(scanned(_at_temperature(systems, T, at)))[1])


def _at_spinodal(systems):
    """alpha, m, example_overlap and residual (system,) at the largest load; NaN without one."""
    scan = scanned(systems)
    p, root = largest(scan)
    values = {
        name: np.full(p.size, np.nan) for name in ("alpha", "m", "example_overlap", "residual")
    }
    at = np.flatnonzero(np.isfinite(p))
    points = scan.curves.points(p[at], at)
    average = systems.averages(at, points.a, points.b)
    rho = systems.dataset_entropy[at]
    values["alpha"][at] = systems.load(root[at], at)
    values["m"][at] = average.m
    values["example_overlap"][at] = average.n * systems.quality[at] * np.sqrt(1 + rho)
    values["residual"][at] = np.maximum(np.abs(points.error), np.abs(points.slope))
    return values


def _threshold(grid, values, shape, title, convention):
    variables = {name: (value.reshape(shape), _NAMES[name]) for name, value in values.items()}
    title = f"{title} of learning from examples"
    return dataset(grid, variables, title, convention=convention, source=SOURCE)
