"""How many patterns a softmax network holds: predictions, capacities, limits d -> infinity."""

from __future__ import annotations

import numpy as np
import xarray as xr
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from analysis.comparison import finite_size, z_scores
from hopfield_sim import statistics
from hopfield_sim.theory import log_sum_exp, log_sum_exp_finite

OBSERVABLES = ("weight", "retrieved", "square_error")
_LINE_FROM = 8  # dimensions from which on ln M/d is a line in 1/d, about
_INSIDE = (0.05, 0.95)  # mean weights between which a mean is not made by rare patterns


def sharp(patterns: str, sharpness, start_overlap=1.0) -> xr.Dataset:
    """The sharp law of this kind of patterns: `alpha`, and `overlap` of the disturbing ones."""
    return getattr(log_sum_exp, patterns)(sharpness, start_overlap)


def predicted(update: xr.Dataset) -> xr.Dataset:
    """The exact law at the numbers of patterns as simulated, NaN where there is no network.

    update: `n_patterns` over (patterns, sharpness, start_overlap, dimension, excess, realisation).
    Returns `weight`, `retrieved`, `square_error` on these dims without the realisation.
    """
    number = update.n_patterns.isel(realisation=0, drop=True)
    found = {name: xr.full_like(number, np.nan) for name in OBSERVABLES}
    for kind in number.patterns.values:
        cells = number.sel(patterns=kind)
        where = np.argwhere(cells.values > 0)
        if not len(where):
            continue
        at = {
            dim: xr.DataArray(cells[dim].values[place], dims="cell")
            for dim, place in zip(cells.dims, where.T, strict=True)
        }
        log_n = xr.DataArray(np.log(cells.values[tuple(where.T)]), dims="cell")
        law = log_sum_exp_finite.one_update(
            log_n, at["dimension"], at["sharpness"], at["start_overlap"], str(kind)
        )
        for name in OBSERVABLES:
            values = np.full(cells.shape, np.nan)
            values[tuple(where.T)] = law[name].values
            found[name].loc[{"patterns": kind}] = values
    described = ("mean weight, exact", "P(weight > 1/2), exact", "mean square error/d, exact")
    return xr.Dataset(
        {
            name: found[name].assign_attrs(long_name=text, units="1")
            for name, text in zip(OBSERVABLES, described, strict=True)
        }
    )


def judged(update: xr.Dataset, theory: xr.Dataset, events: int, fewest: float) -> tuple:
    """z-scores by observable, and by observable the cells that cannot test the law, by reason.

    events: queries of a point in all realisations. Left out are cells in which fewer than `fewest`
    of them are expected to have, or not to have, half of the weight, where the fraction is judged;
    and those with a mean weight outside (0.05, 0.95) where means are, as rare patterns make them.

    Square errors have a long upper tail: a low mean of 16 comes with a small error bar, and what
    lies beyond 3 sigma is below theory. From cues the mean z is -0.17 +- 0.07; a skewness as
    measured (0.7) makes it -0.09 where theory is exact.
    """
    absent = theory.weight.isnull()
    share = theory.retrieved
    few = (np.minimum(share, 1 - share) * events < fewest) & ~absent
    edge = ((theory.weight < _INSIDE[0]) | (theory.weight > _INSIDE[1])) & ~absent
    scores, left_out = {}, {}
    for name in OBSERVABLES:
        scores[name] = z_scores(update[name], theory[name])
        left_out[name] = {"not simulated (too many or too few patterns)": absent}
        if name == "retrieved":
            left_out[name][f"with fewer than {fewest} patterns of a kind expected"] = few
        else:
            low, high = _INSIDE
            left_out[name][f"with a mean weight outside ({low:g}, {high:g})"] = edge
    return scores, left_out


def capacities(update: xr.Dataset, theory: xr.Dataset, bound: float) -> xr.Dataset:
    """ln M_max by three measures, from curves over ln M interpolated to their crossing.

    `typical`: the fraction of patterns with more than half of the weight falls through 1/2;
    `weight`: the mean weight does (in its logit, which is smooth also where the fraction is a
    step); `error`: the root mean square error over sqrt(d) rises through `bound`.

    update, theory: as for `predicted`. Returns over (measure, patterns, sharpness, start_overlap,
    dimension): `log_number` and `log_error`, jackknife over the realisations; `log_exact`, the same
    interpolation of the exact curves at the same M. NaN where the grid does not reach both sides.
    """
    log_number = _log_number(update)

    def largest(weight, retrieved, square_error) -> xr.DataArray:
        with np.errstate(divide="ignore"):
            logit = np.log(weight) - np.log1p(-weight)
            error = np.log(bound**2) - np.log(square_error)
        found = [_crossing(log_number, y) for y in (retrieved - 0.5, logit, error)]
        return xr.concat(found, dim=xr.Variable("measure", ["typical", "weight", "error"]))

    given = (update[name].fillna(0.0) for name in OBSERVABLES)
    found = statistics.jackknife(largest, *given)
    labels = {
        "log_number": (found.estimate, "ln of the largest number of patterns, simulation"),
        "log_error": (found.error, "its standard error"),
        "log_exact": (
            largest(*(theory[name] for name in OBSERVABLES)),
            "ln of the largest number of patterns, exact law at the same M",
        ),
    }
    return _labelled(labels)


def limits(capacity: xr.Dataset) -> xr.Dataset:
    """ln M/d at mean weight 1/2 for d -> infinity, from d >= 8, and what theory says there.

        ln M/d = alpha + b ln d/(2 d) + c/d,   b = 1 where the nearest pattern disturbs, else 0

    For x_0 below the overlap of the patterns that weigh most, M P(overlap > x_0) ~ 1, whose
    prefactor gives the logarithm; otherwise all together disturb, and there is none. Derived here;
    the line is straight but for 1/d^2, and near the border of the two neither form is right yet at
    these sizes: what tests the theory is `limit_exact`, not the sharp law. (The root mean square
    error has no such line for Gaussian patterns: it is made by those of small norm, a correction of
    order d^(-1/2).)

    capacity: from `capacities`. Returns over (patterns, sharpness, start_overlap): `limit` and
    `limit_error` from the simulation; `limit_exact`, the same line through the exact numbers at the
    same sizes with the same weights; `sharp`, the law for d = infinity; `z`, limit against
    limit_exact; `chi2`, `dof`; `n_sizes`.
    """
    half = capacity.sel(measure="weight", drop=True)
    half = half.where(half.dimension >= _LINE_FROM)
    laws = [
        sharp(str(kind), capacity.sharpness.values, capacity.start_overlap.values)
        for kind in capacity.patterns.values
    ]
    law = xr.concat(laws, dim=capacity.patterns, combine_attrs="drop_conflicts")
    # the overlap of Gaussian patterns is min(lambda, x_0) itself
    condensed = (law.start_overlap <= law.overlap) & (law.sharpness != law.start_overlap)
    d = capacity.dimension
    logarithm = condensed * np.log(d) / (2 * d)
    error = (half.log_error / d).where(half.log_error > 0)
    lines = [
        finite_size((each / d - logarithm).where(error > 0), error, "dimension")
        for each in (half.log_number, half.log_exact)
    ]
    labels = {
        "limit": (lines[0].intercept, "ln M/d for d -> infinity, simulation"),
        "limit_error": (lines[0].intercept_error, "its standard error"),
        "limit_exact": (lines[1].intercept, "ln M/d for d -> infinity, line through the exact law"),
        "slope": (lines[0].slope, "coefficient of 1/d"),
        "logarithm": (condensed.astype(float), "coefficient of ln d/(2 d)"),
        "sharp": (law.alpha, "ln M/d of the sharp law"),
        "z": (
            (lines[0].intercept - lines[1].intercept) / lines[0].intercept_error,
            "simulation minus exact law, over the error",
        ),
        "chi2": (lines[0].chi2, "weighted squared distance from the line"),
        "dof": (lines[0].dof, "number of sizes minus 2"),
    }
    return _labelled(labels)


def grown(found: xr.Dataset, most_grown: int) -> xr.Dataset:
    """The largest M of which all patterns are retrieved: ln M on average, and its law.

        P(largest >= M) = e^(-M F(M)),   F = P(W > 1) of one pattern, exact

    if failures are independent. On the sphere at small d they come together, as a few patterns that
    are close to each other disturb each other, so sets grow a little larger than that (M by up to
    15 % for lambda = 1/2). A point is kept if with this law fewer than one set in 1000 outgrows the
    simulation.

    found: `n_patterns` over (patterns, sharpness, dimension, realisation); most_grown: its bound.
    Returns over (patterns, sharpness, dimension): `mean`, `error`, `predicted`, `z` of ln M.
    """
    numbers = np.unique(np.rint(np.geomspace(2, most_grown, 60)))
    every = np.arange(1, most_grown + 1)
    mean = found.n_patterns.isel(realisation=0, drop=True)
    predicted, reach = xr.full_like(mean, np.nan), xr.full_like(mean, np.nan)
    for kind in mean.patterns.values:
        law = log_sum_exp_finite.one_update(
            np.log(numbers), mean.dimension.values, mean.sharpness.values, 1.0, str(kind)
        )
        lost = (1 - law.retrieved).clip(0, 1) * xr.DataArray(numbers, dims="log_n_patterns")
        for sharpness in mean.sharpness.values:
            for dimension in mean.dimension.values:
                at = {"sharpness": sharpness, "dimension": dimension}
                expected = np.interp(every, numbers, lost.sel(at).values, left=0.0)
                survives = np.exp(-expected)
                place = {"patterns": kind, **at}
                predicted.loc[place] = survives[1:] @ np.diff(np.log(every))
                reach.loc[place] = survives[-1]
    scores = z_scores(np.log(found.n_patterns), predicted.where(reach < 1e-3))
    names = ("mean", "error", "predicted", "z")
    return scores[list(names)].where(reach < 1e-3)


def fixed_points(found: xr.Dataset, sharpness: float) -> xr.Dataset:
    """ln M at which half of the fixed points have left their pattern: (patterns, dimension).

    `log_number`, `log_error`, jackknife; `annealed`, theory of the fixed point; `one_update`, the
    exact number of one update for a typical pattern; `overlap`, theory, at the jump.
    """
    log_number = _log_number(found)
    measured = statistics.jackknife(
        lambda retrieved: _crossing(log_number, retrieved - 0.5), found.retrieved.fillna(0.0)
    )
    d, kinds = found.dimension.values, [str(kind) for kind in found.patterns.values]
    laws = [log_sum_exp_finite.fixed_point(d, sharpness, kind) for kind in kinds]
    once = [log_sum_exp_finite.largest(d, sharpness, patterns=kind) for kind in kinds]
    law, once = (
        xr.concat(each, dim=found.patterns, combine_attrs="drop_conflicts").drop_vars("sharpness")
        for each in (laws, once)
    )
    labels = {
        "log_number": (measured.estimate, "ln M at which half of the fixed points are lost"),
        "log_error": (measured.error, "its standard error"),
        "annealed": (law.log_n_patterns, "ln M at which the fixed point is lost, annealed"),
        "overlap": (law.overlap, "overlap of the fixed point there, annealed"),
        "one_update": (
            once.log_typical.drop_vars("start_overlap"),
            "ln M at which one update fails for half of the patterns, exact",
        ),
    }
    return _labelled(labels)


def limit_table(found: xr.Dataset) -> str:
    """Limits d -> infinity from networks, by kind of patterns, sharpness and overlap: text."""
    lines = [
        "ln M/d at mean weight 1/2, d -> infinity:",
        "patterns  lambda   x_0  sizes         simulation   exact, same sizes      z   chi²/dof"
        "   sharp law",
    ]
    for kind in found.patterns.values:
        for sharpness in found.sharpness.values:
            for x0 in found.start_overlap.values:
                at = found.sel(patterns=kind, sharpness=sharpness, start_overlap=x0)
                if not at.dof > 0:
                    continue
                lines.append(
                    f"{kind:>8s}  {sharpness:6g}  {x0:4g}  {int(at.dof) + 2:5d}  "
                    f"{float(at.limit):9.4f} ± {float(at.limit_error):.4f}  "
                    f"{float(at.limit_exact):18.4f}  {float(at.z):5.1f}  "
                    f"{float(at.chi2):6.1f}/{int(at.dof)}  {float(at.sharp):10.4f}"
                )
    return "\n".join(lines)


def grown_table(found: xr.Dataset) -> str:
    """The largest M of which all patterns are retrieved: text."""
    lines = [
        "all patterns of a set retrieved, mean of ln of the largest M (failures that come together "
        "let it be larger):",
        "patterns  lambda   d        simulation   independent failures      z",
    ]
    for kind in found.patterns.values:
        for sharpness in found.sharpness.values:
            for d in found.dimension.values:
                at = found.sel(patterns=kind, sharpness=sharpness, dimension=d)
                if np.isfinite(at.predicted):
                    lines.append(
                        f"{kind:>8s}  {sharpness:6g}  {d:2d}  {float(at['mean']):7.3f} ± "
                        f"{float(at.error):.3f}  {float(at.predicted):21.3f}  {float(at.z):5.1f}"
                    )
    return "\n".join(lines)


def fixed_table(found: xr.Dataset) -> str:
    """Where fixed points are lost, against one update: text."""
    lines = [
        "fixed points, ln M at which half of them have left their pattern (annealed: lengths and "
        "sums that fluctuate lower it):",
        "patterns   d       simulation   annealed   one update, exact",
    ]
    for kind in found.patterns.values:
        for d in found.dimension.values:
            at = found.sel(patterns=kind, dimension=d)
            lines.append(
                f"{kind:>8s}  {d:2d}  {float(at.log_number):6.3f} ± {float(at.log_error):.3f}  "
                f"{float(at.annealed):9.3f}  {float(at.one_update):18.3f}"
            )
    return "\n".join(lines)


def _log_number(found: xr.Dataset) -> xr.DataArray:
    """ln M over the cells, NaN where there is no network."""
    number = found.n_patterns.isel(realisation=0, drop=True)
    return np.log(number.where(number > 0))


def _crossing(log_number: xr.DataArray, y: xr.DataArray) -> xr.DataArray:
    """ln M at which y first falls through 0, along `excess`; NaN where it does not."""

    def first(x: np.ndarray, y: np.ndarray) -> float:
        some = np.isfinite(x) & np.isfinite(y)
        x, distinct = np.unique(x[some], return_index=True)
        y = y[some][distinct]
        down = np.flatnonzero((y[:-1] > 0) & (y[1:] <= 0))
        if not down.size:
            return np.nan
        return brentq(PchipInterpolator(x, y), x[down[0]], x[down[0] + 1])

    return xr.apply_ufunc(first, log_number, y, input_core_dims=[["excess"]] * 2, vectorize=True)


def _labelled(labels: dict) -> xr.Dataset:
    return xr.Dataset(
        {
            key: array.drop_attrs().assign_attrs(long_name=name, units="1")
            for key, (array, name) in labels.items()
        }
    )
