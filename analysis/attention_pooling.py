"""Pooling of bags by attention: what single scores predict, table and figure."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import bag_scores, comparison
from analysis.predictions.style import COLOURS, MARKERS
from hopfield_sim import statistics

_MEASURED = "measured distribution of single scores"
_ANNEALED = r"$\ln n = \beta D - \beta^2/2$ (left)"
_ENDS = 0.12, 8.0  # where beta = 0 and infinity stand on a logarithmic axis
WAYS = {"gaussian": "Gaussian scores", "measured": "measured distribution of single scores"}


def predicted(found: xr.Dataset, way: str) -> xr.Dataset:
    """`area` and `weight` from the single scores of each realisation, on the grid of `found`.

    way: "gaussian", a normal distribution of the target's scores and one of the others', with
    their measured means and deviations; "measured", their measured distributions.
    Returns (target, bag_size, realisation, beta).
    """
    out = {name: xr.full_like(found[name], np.nan) for name in ("area", "weight")}
    grid = found[["target", "bag_size", "realisation"]]
    for at in np.ndindex(*grid.sizes.values()):
        here = dict(zip(grid.sizes, at, strict=True))
        masses = _masses(found.isel(here), way)
        size = int(found.bag_size[here["bag_size"]])
        for k, beta in enumerate(found.beta.values):
            for name, function in _FUNCTIONS.items():
                out[name][here | {"beta": k}] = function(*masses, size, float(beta))[0]
    return xr.Dataset(out)


_FUNCTIONS = {"area": bag_scores.area, "weight": bag_scores.witness_weight}


def _masses(cell: xr.Dataset, way: str) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the others and of the witness: (cell,) each."""
    if way == "measured":
        return cell.other_shares.values, cell.witness_shares.values
    return (
        bag_scores.gaussian(0.0, float(cell.other_deviation)),
        bag_scores.gaussian(float(cell.witness_mean), float(cell.witness_deviation)),
    )


def scored(found: xr.Dataset, theory: dict[str, xr.Dataset]) -> list[tuple]:
    """Differences from predictions: (what, z-scores, cells left out) for each.

    theory: way -> what `predicted` returned. Each realisation is compared with the prediction from
    its own single scores: bags are drawn anew from those, so that the differences of the
    realisations are independent. Cells of one bag size share their bags. (At n = 128 seed 1 is 3
    standard errors below the measured distribution; 48 realisations of seed 7 agree to 0.0012.)
    """
    out = []
    names = {"area": "area of the pooled score", "weight": "weight of the witness"}
    for way, text in WAYS.items():
        for name, described in names.items():
            off = (found[name] - theory[way][name]).assign_attrs(found[name].attrs)
            zero = xr.zeros_like(off.isel(realisation=0, drop=True))
            scores = comparison.z_scores(off, zero)
            left_out = {}
            if name == "weight":
                is_mean = (scores.beta == 0).broadcast_like(scores.z).transpose(*scores.z.dims)
                left_out["of equal weights (beta = 0)"] = is_mean
            out.append((f"{described}, {text}", scores, left_out))
    return out


def separations(found: xr.Dataset) -> xr.DataArray:
    """D = (mean score of the target - of the others) / deviation of the others."""
    d = found.witness_mean / found.other_deviation
    return d.assign_attrs(long_name="separation of the target's scores", units="1")


def crossings(found: xr.Dataset) -> xr.Dataset:
    """beta at which the witness of a bag holds half of the weight: over (target, bag_size).

    measured: from the mean weights at the simulated beta, logits linear in ln beta between them;
    gaussian: of the exact mean weight of Gaussian scores of the mean moments; annealed:
    `bag_scores.annealed_beta`. In units of 1/(deviation of the others' scores). NaN where the
    weight stays below 1/2 (looked for up to 8), or starts above it.
    """
    at = found.isel(beta=(found.beta.values > 0) & np.isfinite(found.beta.values))
    mean = at.mean("realisation")
    shape = found.sizes["target"], found.sizes["bag_size"]
    values = {name: np.full(shape, np.nan) for name in ("measured", "gaussian", "annealed")}
    fine = np.geomspace(0.05, 8, 36)
    for t, n in np.ndindex(shape):
        here = mean.isel(target=t, bag_size=n)
        size, sigma = int(found.bag_size[n]), float(here.other_deviation)
        values["measured"][t, n] = _half(here.beta.values, here.weight.values) * sigma
        masses = _masses(here, "gaussian")
        curve = [float(bag_scores.witness_weight(*masses, size, b)[0]) for b in fine]
        values["gaussian"][t, n] = _half(fine, np.array(curve)) * sigma
        d = float(separations(found).isel(target=t, bag_size=n).mean())
        values["annealed"][t, n] = bag_scores.annealed_beta(d, size)
    dims = ("target", "bag_size")
    attrs = {"long_name": "beta at which the witness holds half of the weight", "units": "1"}
    return xr.Dataset(
        {name: (dims, value, attrs) for name, value in values.items()},
        coords={"target": found.target, "bag_size": found.bag_size},
    )


def _half(beta: np.ndarray, weight: np.ndarray) -> float:
    """Where the weight first reaches 1/2, by its logit against ln beta; NaN if nowhere."""
    above = np.flatnonzero(weight >= 0.5)
    if not len(above) or above[0] == 0:
        return np.nan
    pair = slice(above[0] - 1, above[0] + 1)
    logit = np.log(weight[pair] / (1 - weight[pair]))
    return float(np.exp(np.interp(0, logit, np.log(beta[pair]))))


def table(found: xr.Dataset) -> str:
    """One line a target and bag size: D, and areas of mean, softmax (its best beta) and maximum."""
    shown = statistics.disorder(found.readout_area)
    accuracy = statistics.disorder(found.accuracy)
    d = statistics.disorder(separations(found))
    lines = [
        "read-out of pooled vectors: area under the ROC curve (accuracy)",
        f"{'target':>6} {'n':>4}  {'D':>12}  "
        + "  ".join(f"{_beta_name(b):>22}" for b in found.beta.values),
    ]
    for target in found.target.values:
        for size in found.bag_size.values:
            at = {"target": target, "bag_size": size}
            row = [
                f"{float(shown['mean'].sel(at | {'beta': b})):.3f} ± "
                f"{float(shown['error'].sel(at | {'beta': b})):.3f} "
                f"({float(accuracy['mean'].sel(at | {'beta': b})):.3f})"
                for b in found.beta.values
            ]
            separation = f"{float(d['mean'].sel(at)):.2f} ± {float(d['error'].sel(at)):.2f}"
            cells = "  ".join(f"{each:>22}" for each in row)
            lines.append(f"{target:>6} {size:>4}  {separation:>12}  {cells}")
    return "\n".join(lines)


def crossing_table(half: xr.Dataset) -> str:
    """What `crossings` returned, as text."""
    lines = [
        "beta at which the witness holds half of the weight, in 1/(deviation of scores); – never",
        f"{'target':>6} {'n':>4}  {'measured':>8}  {'Gaussian':>8}  ln n = beta D - beta^2/2",
    ]
    for target in half.target.values:
        for size in half.bag_size.values:
            here = half.sel({"target": target, "bag_size": size})
            numbers = (float(here[name]) for name in ("measured", "gaussian", "annealed"))
            measured, gaussian, annealed = ("–" if np.isnan(v) else f"{v:.2f}" for v in numbers)
            lines.append(f"{target:>6} {size:>4}  {measured:>8}  {gaussian:>8}  {annealed:>8}")
    return "\n".join(lines)


def shape_line(found: xr.Dataset) -> str:
    """How far single scores are from Gaussian: skewness and excess kurtosis, as text."""
    x, parts = found.score, []
    for name, described in (("other", "others"), ("witness", "target")):
        share = found[f"{name}_shares"]
        away = x - (share * x).sum("score")
        moment = [(share * away**k).sum("score") for k in (2, 3, 4)]
        skewness = float((moment[1] / moment[0] ** 1.5).mean())
        kurtosis = float((moment[2] / moment[0] ** 2).mean()) - 3
        parts.append(f"{described}: skewness {skewness:+.2f}, excess kurtosis {kurtosis:+.2f}")
    return f"What Gaussian scores leave out, means over all cells: {'; '.join(parts)}."


def figure(found: xr.Dataset, measured: xr.Dataset, half: xr.Dataset, title: str) -> Figure:
    """A row a target: weight of the witness, area of the pooled score, the read-out.

    measured: what `predicted` returned for the measured distributions; half: what `crossings`
    returned. Points: mean and standard error over the realisations. Left and middle, against beta:
    full lines are Gaussian scores of the measured moments, dashes the measured distributions;
    triangles on the left mark ln n = beta D - beta^2/2. Right, against n: area and accuracy of the
    read-out.
    """
    n_targets = found.sizes["target"]
    figure = Figure(figsize=(14, 4.3 * n_targets + 0.4), layout="constrained")
    panels = figure.subplots(n_targets, 3, squeeze=False)
    for row, target in zip(panels, found.target.values, strict=True):
        at, single = (each.sel(target=target) for each in (found, measured))
        _against_beta(row[0], at, single, "weight", half.sel(target=target))
        _against_beta(row[1], at, single, "area")
        _against_size(row[2], at)
        d = separations(at).mean("realisation").values
        row[0].set_title(
            f"target {target}: D = {d[0]:.1f} (n = {int(at.bag_size[0])}) "
            f"to {d[-1]:.1f} (n = {int(at.bag_size[-1])})",
            fontsize=10,
        )
        row[0].set_ylabel("weight of the witness")
        row[1].set_ylabel("area under ROC, pooled score")
        row[2].set_ylabel("read-out: area (full), accuracy (open)")
    meanings = [
        Line2D([], [], color="0.3", lw=1.1, label="Gaussian scores, same moments"),
        Line2D([], [], color="0.3", ls="none", marker="_", ms=13, mew=1.6, label=_MEASURED),
        Line2D([], [], color="0.3", ls="none", marker="v", ms=8, label=_ANNEALED),
    ]
    panels[0, 1].legend(handles=meanings, fontsize=8, loc="lower right")
    figure.suptitle(title, fontsize=11)
    return figure


def _against_beta(axes, at: xr.Dataset, single, name: str, half=None) -> None:
    summary = statistics.disorder(at[name])
    mean = at[["other_deviation", "witness_mean", "witness_deviation"]].mean("realisation")
    finite = at.beta.values[(at.beta.values > 0) & np.isfinite(at.beta.values)]
    fine = np.geomspace(0.8 * finite.min(initial=1), 1.25 * finite.max(initial=1), 25)
    place = np.clip(at.beta.values, *_ENDS)
    for k, size in enumerate(at.bag_size.values):
        colour, marker = COLOURS[k % len(COLOURS)], MARKERS[k % len(MARKERS)]
        masses = _masses(mean.isel(bag_size=k), "gaussian")
        curve = [float(_FUNCTIONS[name](*masses, int(size), float(b))[0]) for b in fine]
        axes.plot(fine, curve, color=colour, lw=1.1)
        here = summary.isel(bag_size=k)
        level = single[name].isel(bag_size=k).mean("realisation")
        axes.plot(place, level, color=colour, ls="none", marker="_", ms=13, mew=1.6, alpha=0.55)
        style = {"color": colour, "marker": marker, "ms": 4.5, "mfc": "white", "ls": "none"}
        axes.errorbar(place, here["mean"], here["error"], **style, label=f"n = {size}")
        for b, x in zip((0.0, np.inf), _ENDS, strict=True):
            if b in at.beta.values:
                level = float(_FUNCTIONS[name](*masses, int(size), b)[0])
                axes.plot([x / 1.15, x * 1.15], [level] * 2, color=colour, lw=1.1)
        if half is not None and np.isfinite(half.annealed.values[k]):
            beta = float(half.annealed[k]) / float(mean.other_deviation[k])
            axes.plot(beta, 0.5, marker="v", ms=8, color=colour, mec="white", mew=0.7)
    axes.set(xscale="log", xlabel=r"inverse temperature $\beta$ (1 / deviation of scores)")
    ticks = [b for b in finite if 0.2 <= b <= 5]
    names = [f"{b:g}" for b in ticks]
    axes.set_xticks([_ENDS[0], *ticks, _ENDS[1]], ["0\nmean", *names, "∞\nmax"], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim((0, 1) if name == "weight" else (0.48, 1.01))
    axes.grid(alpha=0.25)
    if half is not None:
        axes.legend(fontsize=8, loc="upper left")


def _against_size(axes, at: xr.Dataset) -> None:
    wanted = [b for b in (0.0, 0.5, 1.0, 2.0, np.inf) if b in at.beta.values]
    for k, beta in enumerate(wanted):
        colour, marker = COLOURS[k], MARKERS[k]
        for name, filled in (("readout_area", True), ("accuracy", False)):
            here = statistics.disorder(at[name].sel(beta=beta))
            axes.errorbar(
                at.bag_size,
                here["mean"],
                here["error"],
                color=colour,
                marker=marker,
                ms=4.5,
                mfc=colour if filled else "white",
                ls="-" if filled else ":",
                lw=1.1,
            )
    handles = [
        Line2D([], [], color=COLOURS[k], marker=MARKERS[k], ms=4.5, lw=1.1, label=_beta_name(b))
        for k, b in enumerate(wanted)
    ]
    axes.set(xscale="log", xlabel="images $n$ of a bag", ylim=(0.48, 1.01))
    axes.set_xticks(at.bag_size.values, [str(n) for n in at.bag_size.values])
    axes.set_xticks([], minor=True)
    axes.grid(alpha=0.25)
    axes.legend(handles=handles, fontsize=8, loc="lower left")


def _beta_name(beta: float) -> str:
    return {0.0: "mean", np.inf: "maximum"}.get(float(beta), f"beta = {beta:g}")
