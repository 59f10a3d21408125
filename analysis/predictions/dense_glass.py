"""The P-spin glass of P-body networks: its temperatures, and its states over the temperature."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

ORDERS = (3, 4, 6)
LOOKS = (0, 1, 3)
UNIT = r"units of $\sqrt{\hat\alpha}$"


def draw(group: xr.DataTree) -> Figure:
    """Temperatures over P; q1, x, and the free energy and complexity over T for P = 3, 4, 6."""
    figure, axes = style.panels(2, 2)
    _temperatures(axes[0], group)
    _overlap(axes[1], group)
    _breakpoint(axes[2], group)
    _complexity(axes[3], group)
    return figure


def _temperatures(axes, group):
    found = group["transitions"].to_dataset()
    for place, (name, label) in enumerate(
        (
            ("T_d", "$T_d$, states appear"),
            ("T_K", "$T_K$, static transition"),
            ("T_G", "$T_G$, one step becomes unstable"),
        )
    ):
        look = {**style.line(place), "marker": style.MARKERS[place], "ms": 4}
        axes.plot(found.interaction, found[name], label=label, **look)
    axes.set(xlabel="order $P$ of the interaction", ylabel=f"temperature ({UNIT})", ylim=(0, 0.6))
    axes.set_xticks(found.interaction[::2])
    axes.legend(fontsize=8)


def _curves(group):
    """The states of each order with its look and the temperatures that are marked on them."""
    points = group["critical"].to_dataset()
    for place, order in zip(LOOKS, ORDERS, strict=True):
        yield (
            order,
            style.line(place),
            group[f"states/P{order}"].to_dataset(),
            points.sel(interaction=order),
        )


def _overlap(axes, group):
    for order, look, found, points in _curves(group):
        axes.plot(found.temperature, found.q1, label=f"$P = {order}$", **look)
        for name, marker in (("K", "o"), ("d", "s")):
            at = points[f"T_{name}"], points[f"q_{name}"]
            axes.plot(*at, ls="none", marker=marker, ms=5, color=look["color"], mfc="white")
    axes.set(xlabel=f"temperature $T$ ({UNIT})", ylabel="overlap $q_1$ in a state")
    axes.legend(fontsize=8, title="circles: $T_K$; squares: $T_d$", title_fontsize=8)


def _breakpoint(axes, group):
    for order, look, found, points in _curves(group):
        axes.plot(found.temperature, found.x, label=f"$P = {order}$", **look)
        marginal = found.x.interp(temperature=points.T_G)
        axes.plot(points.T_G, marginal, ls="none", marker="^", ms=6, color=look["color"])
    axes.set(xlabel=f"temperature $T$ ({UNIT})", ylabel="weight $x$ of the clusters")
    axes.legend(fontsize=8, title="triangles: $T_G$", title_fontsize=8)


def _complexity(axes, group):
    for order, look, found, _ in _curves(group):
        many = found.where(found.complexity > 0, drop=True)
        axes.plot(many.temperature, many.complexity, label=f"$P = {order}$", **look)
    axes.set(xlabel=f"temperature $T$ ({UNIT})", ylabel=r"complexity $\Sigma$ per neuron")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=8)
