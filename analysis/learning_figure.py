"""Panels of the figures of learning from examples."""

from __future__ import annotations

import numpy as np
import xarray as xr

from analysis.learning import COUPLINGS, OVERLAP
from analysis.phase_diagram import edges
from analysis.predictions.style import COLOURS, DASHES, MARKERS, TEMPERATURE
from hopfield_sim import statistics
from hopfield_sim.theory import examples

_MOST = 301  # examples up to which curves are drawn at most
_LINES = 30  # points of a curve over M
_FINE = 45  # points of a curve over T
_ON_BLUE = ("#d55e00", "#e69f00", "#cc79a7", "#009e73")  # of lines on a map
_DOT = 30  # area, in square points, of the dot where (nearly) all replicas left
_REFERENCES = (3, 5, 15, 51)  # numbers of examples of the lines on a map, beside its own


def load(interaction: int) -> str:
    """The label of the axis of loads."""
    return rf"load $\alpha = K/N{'' if interaction == 2 else f'^{interaction - 1}'}$"


def over_number(axes, found: xr.Dataset, scores: xr.Dataset, limits, temperature: float) -> None:
    """m against M at one temperature: each quality a curve of theory, points of both sizes.

    found: of one rule, (n_neurons, quality, n_examples, temperature, realisation). Open: the
    smaller size, filled: the larger one, with standard errors over the realisations; faint where
    replicas left; crosses: the overlap that was left where they did in all realisations but one.
    Triangles on the line m = 0.9: M_c of theory (`limits`, see `analysis.learning.thresholds`).
    """
    here = found.sel(temperature=temperature)
    M = found.n_examples.values
    rule, odd = str(found.rule.values), _odd(M.max())
    axes.axhline(OVERLAP, color="0.6", lw=0.8, zorder=0)
    for k, r in enumerate(found.quality.values):
        look = {"color": COLOURS[k], "marker": MARKERS[k]}
        m = _overlaps(found, rule, temperature, float(r), odd)
        line = {"color": look["color"], "lw": 1.4}
        axes.plot(odd, m, ls=DASHES[k], label=f"$r = {r:g}$", **line)
        padded = np.isnan(np.concatenate([[np.nan], m, [np.nan]]))
        alone = ~np.isnan(m) & padded[:-2] & padded[2:]
        axes.plot(odd[alone], m[alone], marker="_", ms=12, ls="none", **line)
        M_c = float(limits.theory.sel(quality=r))
        axes.plot(M_c, OVERLAP, marker=7, ms=8, color=look["color"], ls="none", clip_on=False)
        _points(axes, here.sel(quality=r), M, look)
    axes.set(xscale="log", xlabel="examples $M$ of each archetype", ylabel="overlap $m$")
    axes.set(ylim=(-0.03, 1.03), xlim=(0.85, odd[-1]))
    kind = {"color": "0.3", "marker": "o", "ls": "none", "ms": 4.5}
    small, large = found.n_neurons.values
    axes.plot([], [], mfc="white", **kind, label=f"$N = {small}$")
    axes.plot([], [], **kind, label=f"$N = {large}$")
    if (here.overlap.notnull().sum("realisation") < 2).any():
        axes.plot([], [], color="0.3", marker="x", ls="none", ms=4.5, label="all left")
    if (here.n_left > 0).any():
        axes.plot([], [], mfc="0.3", alpha=0.35, **kind, label="some left")
    axes.plot([], [], marker=7, ms=7, color="0.3", ls="none", label="$M_c$, theory")
    axes.legend(fontsize=7.5, loc="lower right", ncols=2)


def _odd(most: int) -> np.ndarray:
    """Odd numbers of examples, about evenly spaced on a logarithmic axis."""
    number = np.geomspace(1, min(_MOST, 1.7 * most), _LINES)
    return np.unique(2 * np.floor(number / 2).astype(int) + 1)


def _overlaps(found: xr.Dataset, rule: str, temperature: float, quality: float, numbers):
    """m of theory at the load and P of `found`: float64 (n_examples,)."""
    words = {"rule": rule, "couplings": COUPLINGS}
    P = int(found.interaction)
    m = examples.retrieval(float(found.alpha), temperature, quality, numbers, P, **words).m
    return m.values.ravel()


def _points(axes, found: xr.Dataset, x, look: dict) -> None:
    """Both sizes of (n_neurons, x, realisation): mean and error; what is left of lost states."""
    for size, filled in zip(found.n_neurons.values, (False, True), strict=True):
        one = found.sel(n_neurons=size)
        value = statistics.disorder(one.overlap)
        some = (one.n_left > 0).any("realisation").values
        shown = value["n"].values > 1
        for where, strength in ((shown & ~some, 1.0), (shown & some, 0.35)):
            axes.errorbar(
                x[where],
                value["mean"].values[where],
                value["error"].values[where],
                ls="none",
                ms=4.5,
                capsize=2,
                alpha=strength,
                mfc=look["color"] if filled else "white",
                **look,
            )
        if filled:
            gone = ~shown
            left = one.overlap_left.mean("realisation").values
            axes.plot(x[gone], left[gone], color=look["color"], marker="x", ms=4.5, ls="none")


def diagram(axes, found: xr.Dataset, n_replicas: int) -> None:
    """The map of m over (alpha, T) at the larger size, with spinodals of theory for several rho.

    found: (n_neurons, alpha, temperature, realisation) at one quality and number of examples, whose
    line is the thick one; n_replicas of each cell. The colour is the overlap of the replicas that
    stayed, or what was left where all of them went; dots where some left grow with their fraction.
    """
    P, r, own = int(found.interaction), float(found.quality), int(found.n_examples)
    one = found.isel(n_neurons=-1)
    x, y = edges(found.alpha.values), edges(found.temperature.values)
    values = one.overlap.mean("realisation").fillna(one.overlap_left.mean("realisation"))
    values = values.transpose("temperature", "alpha")
    image = axes.pcolormesh(x, y, values, cmap="Blues", vmin=0, vmax=1, rasterized=True)
    axes.figure.colorbar(image, ax=axes, label=rf"overlap $m$ at $M = {own}$", pad=0.02)
    fraction = one.n_left.mean("realisation") / n_replicas
    column, row = np.meshgrid(found.alpha.values, found.temperature.values)
    fraction = fraction.where((fraction > 0) & (fraction < 1))
    area = _DOT * fraction.transpose("temperature", "alpha").values
    axes.scatter(column, row, s=area, fc="white", ec="black", lw=0.7, zorder=3)
    T = np.linspace(0, y[-1], _FINE)
    numbers = sorted({own, *_REFERENCES})
    words = {"rule": str(found.rule.values), "couplings": COUPLINGS}
    lines = examples.spinodal_load(T, r, numbers, P, **words).alpha.squeeze()
    others = iter(zip(_ON_BLUE, DASHES[1:], strict=False))
    for M in numbers:
        rho = (1 - r**2) / (M * r**2)
        colour, dash = ("black", "solid") if M == own else next(others)
        line = lines.sel(n_examples=M).transpose("temperature")
        label = rf"$M = {M}$, $\rho = {rho:.2g}$"
        axes.plot(line, T, color="white", lw=3.5, alpha=0.8)
        axes.plot(line, T, color=colour, ls=dash, lw=2.2 if M == own else 1.6, label=label)
    axes.set(xlim=(0, x[-1]), ylim=(0, y[-1]), xlabel=load(P), ylabel=TEMPERATURE)
    title = f"spinodals, $r = {r:g}$"
    axes.legend(fontsize=7, loc="upper right", title=title, title_fontsize=7.5, framealpha=0.95)


def losses(axes, found: xr.Dataset, quality: float, numbers) -> None:
    """Loss of the examples of the archetype against m: each realisation and temperature a point.

    found: of one rule, (n_neurons, quality, n_examples, temperature, realisation), the larger size
    is shown for the given numbers of examples. Lines: theory, along the temperature up to the
    spinodal. Grey: 1 - (r m)^P, the loss of a state that knows nothing of the noise of the
    examples.
    """
    P, rule = int(found.interaction), str(found.rule.values)
    words = {"rule": rule, "couplings": COUPLINGS}
    alpha = float(found.alpha)
    m, T = np.linspace(0, 1, 101), np.linspace(0.01, 1, _FINE)
    axes.plot(m, 1 - (quality * m) ** P, color="0.6", lw=2.5, label=f"$1 - (r m)^{P}$", zorder=0)
    one = found.isel(n_neurons=-1).sel(quality=quality)
    low = 1.0
    for k, M in enumerate(numbers):
        points = one.sel(n_examples=M)
        axes.plot(
            points.overlap.values.ravel(),
            points.loss.values.ravel(),
            color=COLOURS[k],
            marker=MARKERS[k],
            ms=2.5,
            ls="none",
            alpha=0.45,
        )
        state = examples.retrieval(alpha, T, quality, M, P, **words).squeeze()
        line = {"color": COLOURS[k], "ls": DASHES[k], "lw": 1.5}
        axes.plot(state.m, 1 - state.example_overlap**P, label=f"$M = {M}$", **line)
        low = np.fmin.reduce(state.m.values, initial=low)  # NaN: no such state
    reached = one.sel(n_examples=list(numbers)).overlap.values
    low = float(np.fmin.reduce(reached, axis=None, initial=low))
    ceiling = 1 - (quality * low) ** P
    axes.set(xlim=(low - 0.03, 1.02), ylim=(None, ceiling + 0.02), xlabel="overlap $m$")
    axes.set_ylabel(rf"loss $\mathcal{{L}}$, $r = {quality:g}$")
    axes.legend(fontsize=7.5, loc="upper right")


def difference(axes, found: xr.Dataset, scores: xr.Dataset, kept: xr.DataArray) -> None:
    """m of the supervised minus m of the unsupervised network on the same examples, against M.

    found: with both rules; scores: as from `analysis.learning.gap`, at one temperature, over
    (quality, n_examples), the limit of two sizes; kept: bool, the cells that the verdict counts,
    filled, the others open. Lines: theory.
    """
    temperature = float(scores.temperature)
    odd = _odd(found.n_examples.values.max())
    for k, r in enumerate(scores.quality.values):
        cut, filled = scores.sel(quality=r), kept.sel(quality=r).values
        one, other = (
            _overlaps(found, rule, temperature, float(r), odd)
            for rule in ("supervised", "unsupervised")
        )
        look = {"color": COLOURS[k], "marker": MARKERS[k], "ms": 4.5, "ls": "none", "capsize": 2}
        axes.plot(odd, one - other, color=COLOURS[k], ls=DASHES[k], lw=1.4, label=f"$r = {r:g}$")
        for where, face in ((filled, COLOURS[k]), (~filled, "white")):
            x = scores.n_examples.values[where]
            y, error = (cut[name].values[where] for name in ("mean", "error"))
            axes.errorbar(x, y, error, mfc=face, **look)
    axes.axhline(0, color="0.6", lw=0.8, zorder=0)
    axes.set(xscale="log", xlabel="examples $M$ of each archetype")
    axes.set_ylabel(r"gap $m_\mathrm{sup} - m_\mathrm{uns}$, $N \to \infty$")
    axes.legend(fontsize=7.5, loc="upper right")


def from_example(axes, found: xr.Dataset, theory: xr.Dataset) -> None:
    """Where the unsupervised network goes from one of its examples at T = 0, against M.

    found: (n_neurons, n_examples, realisation) with own, others and overlap; theory: what
    `theory.examples.example_state` gives, over n_examples.
    """
    names = {
        "own": ("n1", "own example"),
        "others": ("n2", "other examples"),
        "overlap": ("m", "archetype"),
    }
    x = found.n_examples.values
    for k, (name, (symbol, label)) in enumerate(names.items()):
        axes.plot(
            theory.n_examples, theory[symbol], color=COLOURS[k], ls=DASHES[k], lw=1.4, label=label
        )
        for size, face in zip(found.n_neurons.values, ("white", COLOURS[k]), strict=True):
            value = statistics.disorder(found[name].sel(n_neurons=size))
            axes.errorbar(
                x,
                value["mean"],
                value["error"],
                color=COLOURS[k],
                marker=MARKERS[k],
                mfc=face,
                ms=4.5,
                ls="none",
                capsize=2,
            )
    crude = float(theory.crude_limit.isel(n_examples=0))
    axes.axvline(crude, color="0.6", lw=1, ls=(0, (1, 1)), zorder=0)
    axes.set(xlabel="examples $M$ of each archetype", ylabel="overlap", ylim=(0, 1.03))
    axes.set_title(f"started at an example, T = 0, $r = {float(found.quality):g}$", fontsize=9.5)
    axes.legend(fontsize=7.5, loc="lower right", title="overlap with", title_fontsize=7.5)
