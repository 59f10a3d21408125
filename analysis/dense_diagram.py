"""Phase diagrams of P-body networks: simulation, its limit of large N, and replica theory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.patheffects import withStroke

from analysis.phase_diagram import edges
from hopfield_sim import statistics
from hopfield_sim.theory import dense, dense_1rsb

_BLACK, _BLUE, _RED = "black", "#0072b2", "#d55e00"
SPINODAL, SPINODAL_1RSB = "spinodal of retrieval, RS", "spinodal of retrieval, 1RSB"
TRANSITION = "retrieval is the equilibrium below"
AT = "replica symmetry breaks below (AT)"
NISHIMORI = r"Nishimori line $T = \hat\alpha$, to its nose"
# each line has a dash of its own, and survives greyscale
_LOOKS = {
    SPINODAL: (_BLACK, "solid"),
    SPINODAL_1RSB: (_RED, (0, (6, 1.5))),
    TRANSITION: (_BLACK, (0, (3, 2))),
    AT: (_BLACK, (0, (3, 1, 1, 1))),
    NISHIMORI: (_BLUE, (0, (1, 1.5))),
}
_SLICES = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f7f")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_HALO = [withStroke(linewidth=3.5, foreground="white")]
_DOT = 30  # area, in square points, of the dot where (nearly) all replicas left


def reduced(found: xr.Dataset) -> xr.Dataset:
    """A map as it is drawn: averages over the realisations, (n_neurons, alpha, temperature).

    found: as the cells of `experiments.dense_diagram`, with the dim `realisation`.
    Returns `overlap` of the replicas that stayed, NaN where none did; `overlap_left` of those that
    left; `n_left`, `n_captured`, replicas a realisation; `moving`, the share of the realisations in
    which some stayed that were not equilibrated.
    """
    mean = found[["overlap", "overlap_left", "n_left", "n_captured"]].mean(
        "realisation", keep_attrs=True
    )
    moving = (~found.equilibrated).where(found.overlap.notnull()).mean("realisation")
    long_name = "share of the realisations that were not equilibrated"
    moving = moving.assign_attrs(long_name=long_name, units="1")
    return mean.assign(moving=moving)


def predicted(interaction: int, found: xr.Dataset, normalisation: str = "distinct") -> xr.Dataset:
    """m and q of the retrieval state at the loads and temperatures of `found`.

    Replica symmetric above the AT line, with one step of breaking below it, where
    q = (1 - x) q1 + x q0 is the mean overlap of two replicas. Each (alpha, temperature), NaN where
    there is no such state.
    """
    state = dense_1rsb.retrieval(interaction, found.alpha, found.temperature, normalisation)
    share = state.x.fillna(0)
    q = (1 - share) * state.q1 + share * state.q0
    q = q.assign_attrs(long_name="mean overlap of two replicas", units="1")
    return xr.Dataset({"m": state.m, "q": q}).reset_coords(drop=True)


def ends(interaction: int, found: xr.Dataset, normalisation: str = "distinct") -> xr.Dataset:
    """Where retrieval ends: `spinodal_load` (temperature,) and `warmest` (alpha,), NaN if nowhere.

    The load is that of one step of breaking where the replica-symmetric state breaks first.
    """
    given = interaction, found.temperature, normalisation
    load = dense.spinodal_load(*given).alpha
    load = dense_1rsb.spinodal_load(*given).alpha.fillna(load)
    warmest = dense.spinodal_temperature(interaction, found.alpha, normalisation).temperature
    warmest = warmest.sel(branch="upper", drop=True).reset_coords(drop=True)
    load = load.reset_coords(drop=True)
    return xr.Dataset({"spinodal_load": load, "warmest": warmest})


def limit(found: xr.Dataset) -> xr.Dataset:
    """y(N) = y(infinity) + slope / N: y(infinity) of each realisation, (alpha, T, realisation).

    Least squares with weights N, for the variance over sets of patterns goes as 1/N. With two sizes
    it is (N' y' - N y) / (N' - N). Realisations of different sizes are independent; that they are
    paired by number changes neither the mean nor the expected error bar.

    found: `overlap` and `replica_overlap` (n_neurons, alpha, temperature, realisation). Returns
    the same without n_neurons; NaN where a size has none.
    """
    weight = found.n_neurons / found.n_neurons.sum()
    x = 1 / found.n_neurons
    away = x - (weight * x).sum()
    share = weight - weight * away * (weight * x).sum() / (weight * away**2).sum()
    result = {}
    for name in ("overlap", "replica_overlap"):
        attrs = found[name].attrs
        value = (share * found[name]).sum("n_neurons", skipna=False)
        result[name] = value.assign_attrs(attrs, long_name=f"N -> infinity: {attrs['long_name']}")
    return xr.Dataset(result)


def lines(interaction: int, normalisation: str = "distinct") -> dict[str, tuple]:
    """The lines of replica theory as curves: label -> (reduced load, T).

    Where retrieval becomes the equilibrium and the Nishimori line are known for "distinct" only.
    """
    limits = dense.low_load_limits(interaction)
    warmest = limits.spinodal_temperature.item()
    T = warmest * np.linspace(0, 1, 101)[:-1]
    nose = dense.spinodal_maximum(interaction, normalisation)
    top = nose.reduced_load.item()
    cold = np.linspace(0, 0.98 * nose.temperature.item(), 8)  # nearly vertical: few points do
    rs = dense.spinodal_load(interaction, T, normalisation).reduced_load.values
    one = dense_1rsb.spinodal_load(interaction, cold, normalisation).reduced_load.values
    end = dense.at_line_end(interaction, normalisation)
    load = np.linspace(0.01, 1 - 1e-9, 200) * end.reduced_load.item()
    alpha = dense.load(interaction, load, normalisation).values
    at = dense.at_temperature(interaction, alpha, normalisation).temperature.values
    found = {
        SPINODAL: (np.append(rs, 0), np.append(T, warmest)),
        SPINODAL_1RSB: (
            np.append(one, end.reduced_load.item()),
            np.append(cold, end.temperature.item()),
        ),
        AT: (load, at),
    }
    if normalisation == "distinct":
        broken = dense_1rsb.transition_load(interaction, T[::2]).reduced_load.values
        symmetric = dense.transition_load(interaction, T[::2]).reduced_load.values
        transition = np.where(np.isnan(broken), symmetric, broken)
        there = ~np.isnan(transition)
        highest = limits.transition_temperature.item()
        found[TRANSITION] = (np.append(transition[there], 0), np.append(T[::2][there], highest))
        found[NISHIMORI] = (np.array([0, top]), np.array([0, top]))
    return found


def diagram(
    found: Mapping[str, xr.Dataset], normalisation: str, title: str, n_replicas: int
) -> Figure:
    """The phase diagram of P-body networks, a row for each P: simulation and replica theory.

    found: "P3_map" -> what `reduced` returned, "P3_slices" -> (n_neurons, alpha, temperature,
    realisation) as simulated, and so on for each P. Left: the map of the mean overlap with the
    stored pattern. Where some replicas left, the colour is that of the others and a dot grows with
    the fraction that left; where all left it is theirs, and hatched; hatched otherwise is what had
    not equilibrated. Right: slices with error bars (one standard error of the mean over the
    realisations), open for the smallest size, filled for the largest, faint where some left; theory
    with one step of breaking where replica symmetry breaks, thin without it.
    """
    orders = sorted({int(name[1 : name.index("_")]) for name in found})
    figure = Figure(figsize=(11, 4.9 * len(orders) + 0.3), layout="constrained")
    panels = figure.subplots(len(orders), 2, width_ratios=(1.15, 1), squeeze=False)
    handles = {}
    for (left, right), order in zip(panels, orders, strict=True):
        handles |= _map(left, order, found[f"P{order}_map"], normalisation, n_replicas)
        _slices(right, order, found[f"P{order}_slices"], normalisation)
    figure.legend(handles=list(handles.values()), loc="outside lower center", ncols=3, fontsize=8.5)
    figure.suptitle(title, fontsize=10)
    return figure


def _map(axes, interaction: int, found: xr.Dataset, normalisation: str, n_replicas: int) -> dict:
    """One map; the entries of its legend by their labels."""
    found = found.isel(n_neurons=0).transpose("temperature", "alpha")
    load = dense.reduced_load(interaction, found.alpha.values, normalisation).values
    temperature = found.temperature.values
    x, y = edges(load), edges(temperature)
    shown = found.overlap.fillna(found.overlap_left)
    image = axes.pcolormesh(x, y, shown.values, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    axes.figure.colorbar(image, ax=axes, label="overlap with the stored pattern $m$", pad=0.02)
    gone = found.overlap.isnull().values
    marks = {
        "all replicas left": (gone, "\\\\\\", "0.8"),
        "not equilibrated in half of the sets or more": (
            found.moving.values >= 0.5,
            "////",
            "0.65",
        ),
    }
    handles = {}
    for name, (colour, dash) in _LOOKS.items():
        handles[name] = Line2D([], [], label=name, color=colour, ls=dash, lw=1.6)
    curves = lines(interaction, normalisation)
    for name, curve in curves.items():
        colour, dash = _LOOKS[name]
        axes.plot(*curve, color=colour, ls=dash, lw=1.6, path_effects=_HALO)
    for name, (cells, hatch, colour) in marks.items():
        handles[name] = Patch(fc="none", ec=colour, hatch=hatch, label=name)
        for row, column in np.argwhere(cells):
            across = x[column : column + 2]
            axes.fill_between(across, *y[row : row + 2], hatch=hatch, fc="none", ec=colour, lw=0)
    share = np.where(gone, 0, found.n_left.values / n_replicas)
    column, row = np.meshgrid(load, temperature)
    look = {"fc": "white", "ec": "black", "lw": 0.7}
    some = share > 0
    axes.scatter(column[some], row[some], s=_DOT * share[some], zorder=3, **look)
    label = "some replicas left (area: fraction)"
    handles[label] = axes.scatter([], [], s=_DOT, label=label, **look)
    if NISHIMORI in curves:
        top = curves[NISHIMORI][0][-1]
        axes.plot(top, top, "*", color=_BLUE, ms=11, mec="white", zorder=4)
    factor = r"(P-1)!" if normalisation == "distinct" else r"(2P-3)!!"
    size = int(found.n_neurons)
    axes.set(
        xlim=(0, x[-1]),
        ylim=(0, y[-1]),
        xlabel=rf"reduced load $\hat\alpha = {factor}\,K/N^{{P-1}}$",
        ylabel=r"temperature $T$ (units of $J$)",
        title=f"$P = {interaction}$, $N = {size}$",
    )
    return handles


def _slices(axes, interaction: int, found: xr.Dataset, normalisation: str) -> None:
    temperature = found.temperature.values
    fine = xr.DataArray(np.linspace(temperature.min() / 2, temperature.max(), 150), dims="T")
    smallest, largest = found.n_neurons.values[[0, -1]]
    for k, alpha in enumerate(found.alpha.values):
        colour, marker = _SLICES[k % len(_SLICES)], _MARKERS[k % len(_MARKERS)]
        load = dense.reduced_load(interaction, alpha, normalisation).item()
        given = interaction, xr.DataArray(alpha), fine, normalisation
        axes.plot(fine, dense_1rsb.retrieval(*given).m, color=colour, lw=1.3)
        axes.plot(fine, dense.retrieval(*given).m, color=colour, lw=0.8, ls=(0, (4, 3)))
        for size, face in ((smallest, "white"), (largest, colour)):
            cut = found.sel(alpha=alpha, n_neurons=size)
            over = statistics.disorder(cut.overlap)
            left = (cut.n_left > 0).any("realisation").values
            for where, strength in ((~left, 1.0), (left, 0.35)):
                axes.errorbar(
                    temperature[where],
                    over["mean"].values[where],
                    over["error"].values[where],
                    color=colour,
                    marker=marker,
                    ms=4.5,
                    mfc=face,
                    ls="none",
                    capsize=2,
                    alpha=strength,
                )
        axes.plot([], [], color=colour, marker=marker, label=rf"$\hat\alpha = {load:.3f}$")
    look = {"color": _BLACK, "ls": "none", "marker": "o", "ms": 4.5}
    axes.plot([], [], mfc="white", label=f"$N = {smallest}$", **look)
    axes.plot([], [], label=f"$N = {largest}$", **look)
    axes.plot([], [], color=_BLACK, lw=1.3, label="theory (1RSB where RS breaks)")
    axes.plot([], [], color=_BLACK, lw=0.8, ls=(0, (4, 3)), label="RS theory")
    axes.set(
        xlabel=r"temperature $T$ (units of $J$)",
        ylabel="overlap $m$",
        title=f"$P = {interaction}$: replicas that stayed (faint: some left)",
        ylim=(0.35, 1.03),  # below half of what is possible none stayed: room for the legend
    )
    axes.legend(fontsize=7.5, loc="lower left", ncols=2)
    axes.grid(alpha=0.25)
