"""Fixed points of modern Hopfield networks: what theory expects at the points of the stores."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from analysis.comparison import aligned, finite_size
from hopfield_sim import statistics, theory

TOLERANCE = 1e-6
"""Largest deviation from the exact theory that is called agreement. States are iterated until an
update moves them by 1e-10 of a pattern's length or less, so they are 1e-10/(1 - growth) from the
fixed point, and growth is below 0.9999 at all points of a grid but the unlucky one."""
_CLEAR = 1.2  # factor in K from the lines within which random directions may go either way


def predicted(found: xr.Dataset, n_clusters: int, n_patterns: int) -> xr.Dataset:
    """Retrieval from a pattern in theory, on the coordinates of a store over (separation, K).

    Returns `weight`, `cluster_weight`, `log_n_effective` and `kind` (0 global, 1 cluster,
    2 single).
    """
    overlap = (1 - found.separation).rename("cluster_overlap")
    exact = theory.modern_clusters.retrieval(n_clusters, n_patterns, overlap, found.self_overlap)
    exact = exact.reset_coords(drop=True)
    return xr.Dataset(
        {
            "weight": exact.weight,
            "cluster_weight": exact.cluster_weight,
            "log_n_effective": np.log(exact.n_effective),
            "kind": exact.kind,
        }
    ).assign_coords(separation=found.separation, self_overlap=found.self_overlap)


def lines(separation, n_clusters: int, n_patterns: int) -> xr.Dataset:
    """Values of K at which states appear or lose their stability: Dataset over separation."""
    separation = np.asarray(separation, float)
    overlap = xr.DataArray(1 - separation, dims="separation", coords={"separation": separation})
    found = theory.modern_clusters.thresholds(n_clusters, n_patterns, overlap)
    return found.reset_coords(drop=True)


def exact_text(found: xr.Dataset, expected: xr.Dataset) -> str:
    """One line: the largest deviation of patterns at right angles from the exact theory."""
    found = found.isel(realisation=0)
    still = found.converged == 1
    worst = {
        name: float(np.abs(found[name] - expected[name]).where(still).max())
        for name in ("weight", "cluster_weight", "log_n_effective")
    }
    largest = max(worst.values())
    word = "agreement" if largest <= TOLERANCE else "disagreement"
    return (
        f"clusters at right angles: {word}: largest deviation from the two-level Potts model over "
        f"{int(still.sum())} points: {worst['weight']:.1e} of the weight, "
        f"{worst['cluster_weight']:.1e} of the cluster's, {worst['log_n_effective']:.1e} of "
        f"ln(1/sum p²) (tolerance {TOLERANCE:g}); {int((~still).sum())} points did not stand still"
    )


def branches_of(name: str, n_patterns: int, path, ends, order: float) -> dict:
    """States of orthogonal patterns in theory: `at` the places of a loop, and on a `fine` grid.

    name: of the network; path: K of the loop (place,); ends: K_s and K_u, between which the fine
    grid is densest at K_s, where the branches turn; order: of the entmax.
    Returns these two Datasets over (branch, self_overlap), and `ends`.
    """
    inner = ends[0] + (ends[1] - ends[0]) * np.linspace(0, 1, 120) ** 2
    fine = np.unique(np.concatenate([path, inner, np.linspace(path.min(), path.max(), 80)]))
    found = {"ends": ends}
    for grid, K in (("at", path), ("fine", fine)):
        if name == "softmax_1":
            found[grid] = theory.modern_outlier.solutions(n_patterns, K)
        else:
            a = order if name == "entmax" else 1.0
            found[grid] = theory.modern_states.solutions(n_patterns, K, a)
    return found


def loops_text(loops: xr.Dataset, branches: dict) -> str:
    """A line for each network: deviation from the branches, and where the jumps were found."""
    text = []
    for name, exact in branches.items():
        one = loops.sel(network_name=name).isel(realisation=0)
        appears, leaves = exact["ends"]
        weight = exact["at"].weight
        single, uniform = (weight.sel(branch=branch).values for branch in ("single", "uniform"))
        K = one.self_overlap.values
        worst = {}
        for way, on_single in (("raised", K > leaves), ("lowered", np.isfinite(single))):
            still = one[f"{way}_converged"].values
            state = np.where(on_single, single, uniform)
            worst[way] = np.abs(one[way].values - state)[still].max()
        word = "agreement" if max(worst.values()) <= TOLERANCE else "disagreement"
        jumps = []
        for about, found, line in (
            ("K_s", one.appears.values, appears),
            ("K_u", one.leaves.values, leaves),
        ):
            inside = "in" if found[0] <= line <= found[1] else "NOT in"
            jumps.append(f"{about} = {line:.4f} {inside} [{found[0]:.4f}, {found[1]:.4f}]")
        text.append(
            f"loop of {name}: {word}: largest deviation {worst['raised']:.1e} (K raised), "
            f"{worst['lowered']:.1e} (lowered), tolerance {TOLERANCE:g}; jumps: {'; '.join(jumps)}"
        )
    return "\n".join(text)


def kinds_text(found: xr.Dataset, expected: xr.Dataset, n_clusters: int, n_patterns: int) -> str:
    """One line: in how many points of the map random patterns reach the kind of state expected."""
    edge = lines(found.separation.values, n_clusters, n_patterns)
    clear = xr.ones_like(expected.kind, bool)
    for line in (edge.single, np.minimum(edge.cluster, edge.single)):
        clear &= (found.self_overlap > _CLEAR * line) | (found.self_overlap < line / _CLEAR)
    # states hold about 1, M or G M patterns: the nearest on a logarithmic scale
    log_m, log_n = np.log(n_patterns), np.log(n_clusters * n_patterns)
    number = found.log_n_effective.mean("realisation")
    kind = (number < (log_m + log_n) / 2).astype(float) + (number < log_m / 2)
    same = (kind == expected.kind) & clear
    return (
        f"random directions: {int(same.sum())} of {int(clear.sum())} points of the map reach the "
        f"kind of state that theory has, at K by a factor {_CLEAR:g} from its lines; "
        f"{int((~clear).sum())} points are nearer"
    )


def probes(found: xr.Dataset, probe: Callable, n_clusters: int, n_patterns: int) -> xr.Dataset:
    """K and ln(1/sum p^2) of the theory at the points in rising dimensions: (separation, state)."""
    grid = found.separation.values, found.state.values
    K = np.array([[probe(s, str(state)) for state in grid[1]] for s in grid[0]])
    exact = np.full(K.shape, np.nan)
    for place in np.argwhere(np.isfinite(K)):
        place = tuple(place)
        state = theory.modern_clusters.retrieval(
            n_clusters, n_patterns, 1 - grid[0][place[0]], K[place]
        )
        exact[place] = np.log(float(state.n_effective))
    dims = ("separation", "state")
    return xr.Dataset(
        {
            "self_overlap": (dims, K, {"long_name": "K = beta |x|^2", "units": "1"}),
            "predicted": (dims, exact, {"long_name": "ln of 1/sum p^2, theory", "units": "1"}),
        },
        coords={"separation": found.separation, "state": found.state},
    )


def limits(found: xr.Dataset, points: xr.Dataset) -> xr.Dataset:
    """ln(1/sum p^2) minus theory for d -> infinity, by a line in 1/d: z-scores for `verdict`.

    Returns, each (separation, state): `mean` (the limit), `error`, `predicted`, `difference`, `z`,
    `n`, the number of realisations; `slope` and `chi2`, `dof` of the line; and over dimension also
    `deviation` with `deviation_error`. The errors come from so many realisations and dimensions
    that Student's t is normal.
    """
    over = statistics.disorder(found.log_n_effective)
    away = over["mean"] - points.predicted
    fitted = finite_size(away, over["error"], dim="dimension")
    error = fitted.intercept_error.where(points.predicted.notnull())
    about = {
        "mean": points.predicted + fitted.intercept,
        "error": error,
        "predicted": points.predicted,
        "difference": fitted.intercept,
        "z": fitted.intercept / error,
        "n": over["n"].min("dimension"),
        "slope": fitted.slope,
        "chi2": fitted.chi2,
        "dof": fitted.dof,
        "self_overlap": points.self_overlap,
        "deviation": away,
        "deviation_error": over["error"],
    }
    return xr.Dataset(
        {
            name: values.drop_attrs().assign_attrs(long_name=name.replace("_", " "), units="1")
            for name, values in about.items()
        }
    )


def limits_table(found: xr.Dataset) -> str:
    """Aligned text: the limits and their lines, one a point."""
    rows = [["1-c", "state", "K", "ln(1/sum p²), d -> inf", "theory", "z", "slope/d", "chi²/dof"]]
    for s in found.separation.values:
        for state in found.state.values:
            one = found.sel(separation=s, state=state)
            if one.predicted.isnull():
                continue
            rows.append(
                [
                    f"{s:g}",
                    str(state),
                    f"{float(one.self_overlap):.2f}",
                    f"{float(one['mean']):.5f} ± {float(one.error):.5f}",
                    f"{float(one.predicted):.5f}",
                    f"{float(one.z):.2f}",
                    f"{float(one.slope):.2f}",
                    f"{float(one.chi2):.1f}/{int(one.dof)}",
                ]
            )
    return aligned(rows)


def digits_text(found: xr.Dataset) -> str:
    """One line: fixed points of images between all of them and one."""
    over = statistics.disorder(found.n_states)
    class_ = statistics.disorder(found.own_class)
    many = over["mean"].values
    between = (many > 1.5) & (many < 0.9 * many.max())
    parts = [
        f"beta = {float(beta):g}: {float(over['mean'][i]):.1f} ± {float(over['error'][i]):.1f} "
        f"fixed points, {100 * float(class_['mean'][i]):.0f} % of the weight on the cue's class"
        for i, beta in enumerate(found.inverse_temperature.values)
        if between[i]
    ]
    return "digits: " + ("; ".join(parts) if parts else "no cluster states at these beta")
