"""The figure of synchronous recall step by step."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions.style import COLOURS, DASHES, LOAD, MARKERS, line, panels


def draw(group: xr.DataTree) -> Figure:
    """m(t) exact and by the recursion at each load, and the recursion's states and basin edge.

    group: recall (exact, first, amari_maginu) and amari_maginu (states, basin).
    """
    exact = group["recall/exact"].to_dataset()
    figure, axes = panels(exact.alpha.size + 1)
    for one, alpha in zip(axes, exact.alpha.values, strict=False):
        _recall(one, group["recall"], alpha)
    axes[0].legend(fontsize=8, loc="center right", bbox_to_anchor=(1, 0.66))
    _states(axes[-1], group["amari_maginu"])
    return figure


def _recall(axes, recall: xr.DataTree, alpha: float) -> None:
    curves = {name: recall[name].to_dataset().sel(alpha=alpha) for name in recall.children}
    for place, m0 in enumerate(curves["exact"].start_overlap.values):
        exact, first, recursion = (
            curves[name].sel(start_overlap=m0) for name in ("exact", "first", "amari_maginu")
        )
        colour = COLOURS[place]
        axes.errorbar(exact.step, exact.m, exact.m_error, color=colour, lw=1.5, capsize=2)
        axes.plot(first.step, first.m, color=colour, marker=MARKERS[place], ms=5, ls="none")
        axes.plot(recursion.step, recursion.m, color=colour, ls=DASHES[1], lw=1.2)
        axes.plot([], [], color=colour, marker=MARKERS[place], label=rf"$m_0 = {m0:g}$")
    axes.plot([], [], color="0.4", lw=1.5, label="exact (± sampling error)")
    axes.plot([], [], color="0.4", ls=DASHES[1], lw=1.2, label="Amari–Maginu")
    axes.plot([], [], color="0.4", marker="o", ms=5, ls="none", label="exact closed forms")
    axes.set(
        xlabel="synchronous steps $t$",
        ylabel="overlap $m(t)$",
        ylim=(0, 1.03),
        title=rf"$T = 0$, $\alpha = {alpha:g}$",
    )


def _states(axes, recursion: xr.DataTree) -> None:
    states, basin = recursion["states"].to_dataset(), recursion["basin"].to_dataset()
    for place, (name, label) in enumerate(
        (("retrieval", "retrieval state $m$"), ("threshold", "unstable state $m$"))
    ):
        at = states.sel(branch=name)
        axes.plot(at.alpha, at.m, label=label, **line(place))
    axes.plot(basin.alpha, basin.start_overlap, label="least start overlap $m_0$", **line(2))
    axes.set(xlabel=LOAD, ylabel="overlap", xlim=(0, None), ylim=(0, 1.03))
    axes.set_title("recursion of Amari and Maginu", fontsize=10)
    axes.legend(fontsize=8, loc="center left")
