"""Figure and tables of `experiments.layered_energy`: surrogates, stacks, stored sets."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy.interpolate import PchipInterpolator
from scipy.optimize import brentq

from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics, theory

_CONTRAST = np.log(2)
_NAMES = {
    "right": "U(x; y), weights of y",
    "flat": "wrong: half the curvature",
    "other": "wrong: weights of twice beta",
}
_LABELS = {
    "same": "the same layer",
    "sharper": r"sharper: $\beta$ grows",
    "growing": "growing: patterns added",
    "different": "all different",
}


def ends(entropy: xr.Dataset, predicted: xr.Dataset, sharpness: float) -> xr.Dataset:
    """ln M at which the memory, held out minus stored, falls to ln 2, at each d.

    Of the mean over realisations, interpolated in ln M (monotone cubic); its error is that of the
    memory over its slope. `interpolated` is the same reduction of the exact law on the same M,
    `exact` that law's own end, `half_weight` the annealed one, `limit` d times that of d -> inf.

    entropy: the store, `stored` and `held_out` over (dimension, n_patterns, realisation).
    predicted: `theory.stored_set.cross_entropy` there. sharpness: beta.
    """
    over = statistics.disorder(entropy.held_out - entropy.stored)
    log_m = np.log(entropy.n_patterns.values)
    rows = []
    for d in entropy.dimension.values:
        mean, error = (over[name].sel(dimension=d).values for name in ("mean", "error"))
        found, slope = _end(log_m, mean)
        wrong = np.interp(found, log_m, error) / abs(slope)
        rows.append((found, wrong, _end(log_m, predicted.memory.sel(dimension=d).values)[0]))
    found, error, interpolated = (
        ("dimension", np.array(column)) for column in zip(*rows, strict=True)
    )
    law = theory.stored_set.memorised(entropy.dimension, sharpness)
    alpha = float(theory.log_sum_exp.sphere(sharpness).alpha)
    variables = {
        "log_n_patterns": (found, "simulated"),
        "error": (error, "standard error, simulated"),
        "interpolated": (interpolated, "exact law at the same M, interpolated"),
        "exact": (("dimension", law.log_n_patterns.values), "exact law"),
        "half_weight": (("dimension", law.log_half_weight.values), "annealed"),
        "limit": (("dimension", alpha * entropy.dimension.values), "d -> infinity"),
    }
    return xr.Dataset(
        {
            name: (*values, {"long_name": f"ln M where memory ends, {what}", "units": "1"})
            for name, (values, what) in variables.items()
        },
        coords={"dimension": entropy.dimension},
    )


def _end(log_m, memory):
    """Where memory falls through ln 2 for the last time, and its slope; NaN where it does not."""
    above = np.flatnonzero(memory > _CONTRAST)
    if not len(above) or above[-1] + 1 == len(memory) or np.isnan(memory).any():
        return np.nan, np.nan
    curve = PchipInterpolator(log_m, memory - _CONTRAST)
    found = brentq(curve, log_m[above[-1]], log_m[above[-1] + 1], xtol=1e-12)
    return found, float(curve(found, 1))


def end_table(found: xr.Dataset) -> str:
    """One line a dimension: where memory ends, simulated and by three laws."""
    lines = [
        "where memory, held out minus stored, is ln 2: ln M",
        "   d   simulated         exact law (same M)   exact    M_half   d alpha_1       z",
    ]
    for d in found.dimension.values:
        at = found.sel(dimension=d)
        z = float((at.log_n_patterns - at.interpolated) / at.error)
        lines.append(
            f"{d:4d}   {float(at.log_n_patterns):6.3f} ± {float(at.error):.3f}   "
            f"{float(at.interpolated):18.3f}   {float(at.exact):6.3f}   "
            f"{float(at.half_weight):6.3f}   {float(at.limit):9.3f}   {z:+5.2f}"
        )
    return "\n".join(lines)


def surrogate_table(found: xr.Dataset) -> str:
    """One line a surrogate and beta: its smallest gap to E, and its gap at x = y."""
    lines = [
        "surrogate of a layer                   beta   smallest U - E   largest |U - E| at x = y"
    ]
    for name in found.surrogate.values:
        for beta in found.sharpness.values:
            at = found.sel(surrogate=name, sharpness=beta)
            gap, touch = float(at.gap.min()), float(at.touch.max())
            lines.append(f"{_NAMES[str(name)]:36s} {beta:6g}   {gap:14.2e}   {touch:.2e}")
    return "\n".join(lines)


def stack_table(found: xr.Dataset) -> str:
    """One line a kind of stack: how far the layered energy falls, the bound of that, the work."""
    lines = [
        "stack of layers, over d:  layered energy falls by    at least   work of the landscapes   "
        "largest rise"
    ]
    for kind in found.kind.values:
        at = found.sel(kind=kind)
        fall, work = (
            statistics.disorder(at[name].isel({dim: -1}))
            for name, dim in (("fall", "depth"), ("work", "layer"))
        )
        bound = float(at.bound.isel(layer=-1).mean())
        lines.append(
            f"{kind:26s} {-float(fall['mean']):12.4f} ± {float(fall['error']):.4f}   {-bound:9.4f}"
            f"   {float(work['mean']):+13.4f} ± {float(work['error']):.4f}   "
            f"{max(float(at.rise.max()), 0):12.1e}"
        )
    lines.append(
        f"each layer gains |step|^2/2 + KL/beta: to {float(found.off.max()):.1e} in all of them"
    )
    return "\n".join(lines)


def floor_line(entropy: xr.Dataset, sharpness: float) -> str:
    """What there is of a lower bound, beside the one of the paper that the study follows."""
    d = entropy.dimension.values[-1]
    numbers = entropy.n_patterns.values
    log_z = np.log(numbers) + d / 2 * np.log(2 * np.pi / sharpness)
    label = log_z - entropy.stored.sel(dimension=d).mean("realisation").values
    return (
        f"lower bounds: -ln p of a density has none (it depends on the unit of volume); -ln of the "
        f"weight that a stored pattern gives to itself, d = {d}, is {label[0]:.1e} at "
        f"M = {numbers[0]} and {label[-1]:.2f} at M = {numbers[-1]}, bounded by 0 alone. (Niu et "
        "al. 2024 state of their cross-entropy that under specific conditions it is bounded from "
        "below by a constant approximately equal to 1; the two are not the same quantity.)"
    )


def drawn(found: dict, predicted: xr.Dataset, end: xr.Dataset, sharpness: float) -> Figure:
    """Six panels: surrogates, layered energy, energies; cross-entropy, memory, where it ends.

    found: the stores by name; predicted: the exact cross-entropies; end: `ends`.
    """
    figure = Figure(figsize=(14.5, 8.6), layout="constrained")
    axes = figure.subplots(2, 3)
    _profile(axes[0, 0], found["surrogate"])
    _layered(axes[0, 1], found["stack"])
    _energies(axes[0, 2], found["stack"])
    laws = [_law(found["entropy"], d, sharpness) for d in found["entropy"].dimension.values]
    _entropies(axes[1, 0], found["entropy"], laws, sharpness)
    _memory(axes[1, 1], found["entropy"], laws, end)
    _ends(axes[1, 2], end, sharpness)
    for one in axes.flat:
        one.grid(alpha=0.25)
    count = found["entropy"].sizes["realisation"]
    figure.suptitle(
        "Attention layers as majorisation-minimisation (above) and the density of a stored set, "
        rf"$|x|^2 = d$, $\beta$ = {sharpness:g} (below); {count} realisations a point",
        fontsize=11,
    )
    return figure


def _profile(axes, surrogate: xr.Dataset) -> None:
    beta = surrogate.sharpness.values[len(surrogate.sharpness) // 2]
    at = surrogate.sel(sharpness=beta).isel(realisation=0)
    x = at.position.values
    level = float(at.energy.min())
    axes.plot(x, at.energy - level, color="black", lw=1.8, label="E(x)")
    for place, name in enumerate(at.surrogate.values):
        curve = at.profile.sel(surrogate=name) - level
        style = {"color": COLOURS[place + 1], "ls": DASHES[place + 1]}
        axes.plot(x, curve, lw=1.4, label=_NAMES[str(name)], **style)
    anchor = float(at.anchor)
    start = float(np.interp(anchor, x, at.energy - level))
    axes.plot([anchor], [start], "o", color="black", mfc="white", ms=7, label="y")
    axes.set(
        xlabel="position between two stored patterns",
        ylabel="energy",
        title=rf"E and its surrogates at y, $\beta$ = {beta:g}",
    )
    top = float((at.energy - level).max())
    axes.set_ylim(-1.1 * top, 1.5 * top)
    axes.legend(fontsize=8, loc="lower center")


def _layered(axes, stack: xr.Dataset) -> None:
    for place, kind in enumerate(stack.kind.values):
        at = stack.sel(kind=kind)
        over = statistics.disorder(at.fall)
        style = _style(place)
        axes.errorbar(
            at.depth, over["mean"], over["error"], ls="none", label=_LABELS[str(kind)], **style
        )
        bound = np.concatenate([[0], at.bound.mean("realisation").values])
        axes.plot(at.depth, bound, color=style["color"], ls=DASHES[1], lw=1.2)
    axes.plot([], [], color="0.4", ls=DASHES[1], label=r"at most: $-\sum|x_l - x_{l-1}|^2/2$")
    axes.set(
        xlabel="layers passed",
        ylabel="layered energy, from the cue on, over $d$",
        title="falls layer by layer, below its bound",
    )
    axes.legend(fontsize=8)


def _energies(axes, stack: xr.Dataset) -> None:
    for place, kind in enumerate(stack.kind.values):
        at = stack.sel(kind=kind)
        over = statistics.disorder(at.energy)
        style = _style(place)
        label = _LABELS[str(kind)]
        axes.errorbar(
            at.layer, over["mean"], over["error"], ls=DASHES[0], lw=0.8, label=label, **style
        )
    axes.axhline(0, color="0.6", lw=0.8)
    axes.set(
        xlabel="layer $l$",
        ylabel="$[E_l(x_l) - E_1(x_0)]/d$",
        title="energies: with the work of the landscapes",
    )
    axes.legend(fontsize=8)


def _law(entropy: xr.Dataset, d: int, sharpness: float) -> xr.Dataset:
    """The exact law on a fine grid of M."""
    ends_at = np.log(entropy.n_patterns.values[[0, -1]])
    fine = np.unique(np.rint(np.exp(np.linspace(*ends_at, 30))))
    return theory.stored_set.cross_entropy(int(d), fine, sharpness)


def _entropies(axes, entropy: xr.Dataset, laws: list, sharpness: float) -> None:
    for place, (d, law) in enumerate(zip(entropy.dimension.values, laws, strict=True)):
        x = np.log(law.n_patterns) / d
        style = _style(place)
        for name, filled in (("stored", True), ("held_out", False)):
            axes.plot(x, law[name] / d, color=style["color"], ls=DASHES[place % 7], lw=1)
            over = statistics.disorder(entropy[name].sel(dimension=d))
            alpha = np.log(over.n_patterns) / d
            face = style["color"] if filled else "white"
            label = f"d = {d}" if filled else None
            own = style | {"mfc": face}
            axes.errorbar(alpha, over["mean"] / d, over["error"] / d, ls="none", label=label, **own)
    last = 1.15 * float(theory.log_sum_exp.sphere(sharpness).alpha)
    alpha = np.linspace(1e-3, 1.5 * last, 200)
    limit = theory.stored_set.large_dimension(alpha, sharpness)
    label = r"$d \to \infty$, random energies"
    axes.plot(alpha, limit.held_out, color="black", lw=2, label=label)
    axes.plot(alpha, limit.stored, color="black", lw=2)
    edge = alpha[limit.condensed.values > 0].max(initial=0)
    axes.axvline(edge, color="0.6", lw=0.8, ls=DASHES[2], label="condensation, held out")
    axes.set(
        xlabel=r"$\alpha = \ln M/d$",
        ylabel=r"$-\langle \ln p \rangle/d$ [nat]",
        xlim=(0, 1.5 * last),
        title="held out (open) and stored (full) patterns; lines: exact",
    )
    axes.legend(fontsize=8)


def _memory(axes, entropy: xr.Dataset, laws: list, end: xr.Dataset) -> None:
    memory = entropy.held_out - entropy.stored
    for place, (d, law) in enumerate(zip(entropy.dimension.values, laws, strict=True)):
        half = float(end.half_weight.sel(dimension=d))
        style = _style(place)
        x = np.log(law.n_patterns) - half
        axes.plot(x, law.memory, color=style["color"], ls=DASHES[place % 7], lw=1)
        over = statistics.disorder(memory.sel(dimension=d))
        at = np.log(over.n_patterns) - half
        axes.errorbar(at, over["mean"], over["error"], ls="none", label=f"d = {d}", **style)
    axes.axhline(_CONTRAST, color="0.6", lw=0.8, label="ln 2")
    axes.axvline(0, color="0.6", lw=0.8)
    x = np.linspace(-5, 4.5, 100)
    annealed = np.log1p(np.exp(-x))
    axes.plot(x, annealed, color="black", lw=1.6, zorder=0, label="annealed, $M \\gg 1$")
    axes.set(
        xlabel=r"$\ln(M/M_\mathrm{half})$",
        ylabel="memory: held out minus stored [nat]",
        xlim=(-5.5, 4.8),
        ylim=(-0.2, 5.2),
        title=r"memory ends at $M_\mathrm{half}$",
    )
    axes.legend(fontsize=8)


def _ends(axes, end: xr.Dataset, sharpness: float) -> None:
    smallest = int(end.dimension.min())
    d = np.unique(np.rint(np.geomspace(min(3, smallest), 48, 12)).astype(int))
    law = theory.stored_set.memorised(d, sharpness)
    axes.plot(1 / d, law.alpha, color=COLOURS[1], lw=1.3, label="exact")
    style = {"color": COLOURS[2], "ls": DASHES[1], "lw": 1.3}
    axes.plot(1 / d, law.log_half_weight / d, label=r"annealed, $M_\mathrm{half}$", **style)
    alpha = float(theory.log_sum_exp.sphere(sharpness).alpha)
    axes.plot([0], [alpha], "*", color="black", ms=11, label=rf"$\alpha_1$ = {alpha:.4f}")
    size = end.dimension.values
    style = {"color": "black", "marker": "o", "mfc": "white", "ms": 5}
    bar = end.error / size
    label = "simulated"
    axes.errorbar(
        1 / size, end.log_n_patterns / size, bar, ls="none", capsize=2, label=label, **style
    )
    axes.set(xlabel="$1/d$", ylabel=r"$\ln M/d$ where memory is ln 2", title="where memory ends")
    axes.legend(fontsize=8)


def _style(place: int) -> dict:
    return {
        "color": COLOURS[place % 7],
        "marker": MARKERS[place % 7],
        "mfc": "white",
        "ms": 7 - place % 7,  # what lies behind stays visible
        "capsize": 2,
    }
