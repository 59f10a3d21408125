"""The figure of the capacity: fractions, thresholds, collapse and widths of several sizes."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from scipy import special

from analysis import capacity
from analysis.predictions.style import COLOURS, DASHES, LOAD, MARKERS, panels

PUBLISHED = (0.141, 0.145)
"""Capacities quoted from quenches: Kohring 1990; Stiefvater, Mueller, Kuehn 1996; Volk 1998."""

_QUENCHES = (
    "A quench ends in the first local minimum that it meets. Minima close to the pattern trap it "
    "beyond the load at which the retrieval state of replica theory ends,\nso the load where half "
    "of the quenches keep their pattern need not tend to that capacity, and is no estimate of a "
    "thermodynamic transition."
)


def transition(
    trials: xr.Dataset,
    found: xr.Dataset,
    limits: xr.Dataset | None,
    theories: dict[str, float],
    title: str,
) -> Figure:
    """Four panels: retrieved fraction, alpha_c(N) and its limits, collapse, width.

    trials: one row a network, see `analysis.capacity`; found: `capacity.thresholds` of them;
    limits: `capacity.extrapolated`, or None; theories: name -> load at which retrieval ends in
    theory. Errors are one standard error; forms that do not fit are drawn faint.
    """
    figure, (left, right, collapse, widths) = panels(2, 2, (5.6, 4.2))
    cells = capacity.fractions(trials)
    _fractions(left, cells, found, theories)
    _thresholds(right, found, limits, theories)
    _collapse(collapse, cells, found)
    _widths(widths, found)
    figure.suptitle(title, fontsize=11)
    if "1RSB" in theories:  # at T = 0
        figure.supxlabel(_QUENCHES, fontsize=8.5)
    return figure


def _look(place: int) -> dict:
    """Colour and marker of the place-th size."""
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "mfc": "white",
        "ms": 4.5,
        "capsize": 2,
    }


def _curve(alpha: np.ndarray, at: xr.Dataset) -> np.ndarray:
    """The fitted fraction of one size, at its median parameters."""
    away = float(at.alpha_c) - alpha
    z = away * np.exp(np.sign(away) * float(at.skew)) / float(at.width)
    return (special.expit if at.attrs.get("curve") == "logistic" else special.ndtr)(z)


def _fractions(axes, cells, found, theories) -> None:
    reach = 3.2 * found.width.values
    low, high = (found.alpha_c - reach).min(), (found.alpha_c + reach).max()
    fine = np.linspace(max(float(low), 0), float(high), 400)
    for k, size in enumerate(found.n_neurons.values):
        at, here = found.sel(n_neurons=size), cells.isel(cell=cells.n_neurons.values == size)
        axes.plot(fine, _curve(fine, at), color=COLOURS[k % len(COLOURS)], ls=_dash(k), lw=1.3)
        look = _look(k) | {"label": rf"$N = {size}$"}
        axes.errorbar(here.alpha, here.fraction, here.error, ls="none", **look)
    for name, value in theories.items():
        axes.axvline(value, color="0.4", lw=1.2, ls=_theory_dash(name), label=f"{name} {value:.4f}")
    axes.set(xlabel=LOAD, ylabel="fraction of patterns retrieved", xlim=(fine[0], fine[-1]))
    axes.set_ylim(-0.03, 1.03)
    axes.legend(fontsize=8, title="curves: fits (two-sided probit)", title_fontsize=8)


def _thresholds(axes, found, limits, theories) -> None:
    size = found.n_neurons.values.astype(float)
    axes.errorbar(
        size**-0.5, found.alpha_c, found.error, ls="none", color="black", marker="o", ms=4.5,
        mfc="white", capsize=2, zorder=3, label=r"$\alpha_c(N)$",
    )  # fmt: skip
    x = np.linspace(1e-6, 1.08 * size.min() ** -0.5, 300)
    for k, form in enumerate([] if limits is None else limits.form.values):
        at = limits.sel(form=form)
        line = float(at.alpha_c) + float(at.amplitude) * x ** (2 * float(at.exponent))
        used = f", N ≥ {int(at.smallest)}" if int(at.smallest) > size.min() else ""
        name = {"N^-x": rf"$N^{{-{float(at.exponent):.2f}}}$ (free)"}.get(
            str(form), f"${form.replace('^', '^{')}}}$"
        )
        note = "" if at.fits else ", does not fit"
        label = f"{name}: {float(at.alpha_c):.4f} ± {float(at.error):.4f}{used}{note}"
        colour = COLOURS[(k + 1) % len(COLOURS)]
        faint = 1 if at.fits else 0.3
        axes.plot(x, line, color=colour, ls=_dash(k), lw=1.4, label=label, alpha=faint)
        axes.errorbar(-0.0006 * (k + 1), at.alpha_c, at.error, color=colour, marker=MARKERS[k],
                      ms=4, capsize=2, alpha=faint, clip_on=False)  # fmt: skip
    for name, value in theories.items():
        axes.axhline(value, color="0.4", lw=1.2, ls=_theory_dash(name), label=f"{name} {value:.4f}")
    if "1RSB" in theories:  # at T = 0
        label = f"published quenches, {PUBLISHED[0]:.3f} to {PUBLISHED[1]:.3f}"
        axes.axhspan(*PUBLISHED, color="0.88", lw=0, zorder=0, label=label)
    axes.set(xlabel=r"$N^{-1/2}$", ylabel=r"$\alpha_c(N)$: half of the patterns retrieved")
    axes.set_xlim(-0.003, x[-1])
    ends = [] if limits is None else (limits.alpha_c - limits.error).values
    low = min([*theories.values(), *(found.alpha_c - found.error).values, *ends])
    high = float((found.alpha_c + found.error).max())
    axes.set_ylim(low - 0.05 * (high - low), high + 0.1 * (high - low))
    axes.legend(fontsize=7.5, loc="upper left")


def _collapse(axes, cells, found) -> None:
    for k, size in enumerate(found.n_neurons.values):
        at, here = found.sel(n_neurons=size), cells.isel(cell=cells.n_neurons.values == size)
        scaled = (here.alpha - float(at.alpha_c)) / float(at.width)
        near = np.abs(scaled.values) < 3.5
        label = rf"$N = {size}$"
        axes.errorbar(scaled[near], here.fraction[near], here.error[near], ls="none",
                      **_look(k), label=label)  # fmt: skip
    z = np.linspace(-3.5, 3.5, 200)
    axes.plot(z, special.ndtr(-z), color="0.4", lw=1.2, label="normal law")
    axes.set(
        xlabel=r"$(\alpha - \alpha_c(N)) \,/\, w(N)$",
        ylabel="fraction of patterns retrieved",
        title="all sizes on one curve?",
    )
    axes.legend(fontsize=8)


def _widths(axes, found) -> None:
    size = found.n_neurons.values.astype(float)
    axes.errorbar(size, found.width, found.width_error, ls="none", color="black", marker="o",
                  ms=4.5, mfc="white", capsize=2, label=r"$w(N)$")  # fmt: skip
    if size.size > 1:
        law = capacity.narrowing(found.width, found.width_error)
        fine = np.geomspace(size.min() / 1.2, size.max() * 1.2, 50)
        label = rf"$w \sim N^{{-x}}$, $x$ = {float(law.exponent):.3f} ± "
        label += f"{float(law.exponent_error):.3f}, χ²/dof = {float(law.chi2):.1f}/{int(law.dof)}"
        line = float(law.amplitude) * fine ** -float(law.exponent)
        axes.plot(fine, line, color="0.4", lw=1.2, label=label)
    axes.set(xscale="log", yscale="log", xlabel="neurons N", ylabel="width of the transition $w$")
    axes.set_xticks(size, [f"{int(n)}" for n in size])
    ticks = np.array([0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2])
    low, high = axes.get_ylim()
    inside = ticks[(ticks > low) & (ticks < high)]
    axes.set_yticks(inside, [f"{tick:g}" for tick in inside])
    axes.minorticks_off()
    axes.legend(fontsize=8)


def _dash(place: int):
    return DASHES[place % len(DASHES)]


def _theory_dash(name: str):
    return {"RS": (0, (5, 2)), "1RSB": (0, (1, 1))}[name]
