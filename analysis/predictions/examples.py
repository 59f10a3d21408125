"""Figure of learning from examples: spinodals of both rules, and m against M."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

RULES = ("supervised", "unsupervised")


def draw(group: xr.DataTree) -> Figure:
    """Spinodals in the (load, temperature) plane for several M, and the overlap against M."""
    figure, axes = style.panels(3, 2)
    for row, order in enumerate((2, 3)):
        axis = axes[3 * row : 3 * row + 3]
        for panel, rule in zip(axis, RULES, strict=False):
            lines = group[f"lines/{rule}_{order}"].to_dataset()
            _spinodals(panel, lines, order)
            panel.set_title(f"{rule}, $P = {order}$, many examples")
        # The same lines in both panels: one legend, where there is room.
        axis[0].legend(
            title=f"retrieval left of the line\n$r = {float(lines.quality):g}$",
            loc="upper right" if order == 2 else "lower left",
            fontsize=8,
            title_fontsize=8,
        )
        _slices(axis[2], group, order)
    return figure


def _spinodals(panel, lines, order):
    quality = float(lines.quality)
    for place, number in enumerate(lines.n_examples.values):
        one = lines.sel(n_examples=number).dropna("temperature")
        rho = (1 - quality**2) / (number * quality**2)
        panel.plot(
            one.alpha,
            one.temperature,
            label=rf"$M = {number}$, $\rho = {rho:.2g}$",
            **style.line(place),
        )
    panel.set_xlim(left=0)
    panel.set_ylim(bottom=0)
    panel.set_xlabel(
        rf"load $\alpha = K/N^{{{order - 1}}}$" if order > 2 else r"load $\alpha = K/N$"
    )
    panel.set_ylabel(style.TEMPERATURE)


def _slices(panel, group, order):
    for place, rule in enumerate(RULES):
        many, few = (
            group[f"slices/{rule}_{order}/{form}"].to_dataset() for form in ("gaussian", "binomial")
        )
        look = style.line(place + 1)
        panel.plot(many.n_examples, many.m, **look)
        panel.plot(
            few.n_examples, few.m, style.MARKERS[place], color=look["color"], ms=4, label=rule
        )
    low = group["slices/low_load"].to_dataset()
    panel.plot(low.n_examples, low.m, label=r"$\alpha \to 0$, $P = 2$", **style.line(0))
    panel.set_xscale("log")
    panel.set_ylim(0.45, 1.02)
    panel.set_xlabel("number of examples $M$")
    panel.set_ylabel(r"overlap $m$ with the archetype")
    alpha, temperature, quality = (float(few[name]) for name in ("alpha", "temperature", "quality"))
    panel.set_title(
        rf"$P = {order}$, $\alpha = {alpha:g}$, $T = {temperature:g}$, $r = {quality:g}$"
    )
    panel.legend(
        title="dots: exact, odd $M$\nlines: many examples",
        loc="lower right",
        fontsize=8,
        title_fontsize=8,
    )
