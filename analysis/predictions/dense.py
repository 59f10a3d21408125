"""P-body networks: diagrams for P = 3, 4, 6, slices of m, and the capacities over P."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

REDUCED_LOAD = r"reduced load $\hat\alpha$"
ORDERS = (3, 4, 6)
LOOKS = (0, 1, 3)  # of the orders in one panel: no dots, which are for unstable solutions
UNSTABLE = ("retrieval_unstable", "second_unstable", "third_unstable")
LAST_LOAD = {3: 0.36, 4: 0.28, 6: 0.22}


def draw(group: xr.DataTree) -> Figure:
    """Above: the planes of reduced load and temperature. Below: m over the load; the
    spinodals of both normalisations; capacities over P."""
    figure, axes = style.panels(3, 2)
    for panel, order in zip(axes, ORDERS, strict=False):
        _plane(panel, group, order)
    _slice(axes[3], group)
    _normalisations(axes[4], group)
    _capacities(axes[5], group)
    return figure


def _plane(axes, group, order):
    lines = {
        name: group[f"{name}/P{order}"]
        for name in ("spinodal", "transition", "replica_symmetry", "nishimori", "glass")
    }
    curves = [
        ("spinodal", "spinodal of retrieval"),
        ("transition", "retrieval is the equilibrium"),
        ("replica_symmetry", "replica symmetry breaks"),
    ]
    for place, (name, label) in enumerate(curves):
        found = lines[name]
        axes.plot(found["reduced_load"], found["temperature"], label=label, **style.line(place))
    nishimori, glass = lines["nishimori"], lines["glass"]
    axes.plot(
        nishimori["reduced_load"],
        nishimori["temperature"],
        label=r"Nishimori line $T = \hat\alpha$",
        **style.line(3),
    )
    for place, name, label in ((4, "T_d", "$T_d$ of the glass"), (5, "T_K", "$T_K$ of the glass")):
        axes.plot(glass["reduced_load"], glass[name], label=label, **style.line(place))
    found = group[f"one_step/P{order}"]
    label = "spinodal, one step of breaking"
    axes.plot(found["reduced_load"], found["temperature"], label=label, **style.line(6))
    bound = float(group["critical"]["ahat_max"].sel(interaction=order))
    axes.axvline(bound, color="0.55", lw=1.0, ls=(0, (2, 2)), label="bound on retrieval")
    axes.set(xlim=(0, LAST_LOAD[order]), ylim=(0, 0.62), xlabel=REDUCED_LOAD)
    axes.set(ylabel=style.TEMPERATURE, title=f"$P = {order}$, distinct")
    axes.set_xticks(np.arange(0, LAST_LOAD[order], 0.1 if order == 3 else 0.05))
    if order == ORDERS[-1]:
        axes.legend(fontsize=7.5, loc="upper right")


def _slice(axes, group):
    """m along the load at one temperature; dots: unstable."""
    for place, order in zip(LOOKS, ORDERS, strict=True):
        found = group[f"slice/P{order}"]
        look = style.line(place)
        load, m = found["reduced_load"], found["m"]
        axes.plot(load, m.sel(branch="retrieval"), label=f"$P = {order}$", **look)
        for branch in UNSTABLE:
            axes.plot(load, m.sel(branch=branch), ".", ms=2.5, color=look["color"])
    temperature = float(group["slice/P3"]["temperature"])
    axes.set(xlabel=REDUCED_LOAD, ylabel=style.OVERLAP, xlim=(0, 0.36), ylim=(0, 1.03))
    title = f"$T = {temperature:g}$; dots: unstable"
    axes.legend(fontsize=8, title=title, title_fontsize=8, loc="lower center", ncols=3)


def _normalisations(axes, group):
    for place, order in zip(LOOKS, ORDERS, strict=True):
        for name, width in (("spinodal", 1.6), ("spinodal_full", 0.8)):
            found = group[f"{name}/P{order}"]
            label = f"$P = {order}$" if name == "spinodal" else None
            look = {**style.line(place), "lw": width}
            axes.plot(found["reduced_load"], found["temperature"], label=label, **look)
    axes.set(xlim=(0, 0.36), ylim=(0, 0.62), xlabel=REDUCED_LOAD, ylabel=style.TEMPERATURE)
    axes.legend(fontsize=8, title="spinodals; thin: full", title_fontsize=8)


def _capacities(axes, group):
    table = group["capacities"].to_dataset().sel(interaction=slice(3, None))
    order = table["interaction"]
    shown = [
        ("reduced_load_max", "bound on retrieval (Nishimori)"),
        ("reduced_load", "$T = 0$, replica symmetric"),
        ("reduced_load_1", "equilibrium (Nishimori)"),
    ]
    for place, (name, label) in enumerate(shown):
        look = style.line(place)
        axes.plot(order, table[name], marker=style.MARKERS[place], ms=5, label=label, **look)
    axes.set(xlabel="order $P$ of the interaction", ylabel=REDUCED_LOAD, ylim=(0, 0.34))
    axes.set_xticks(np.asarray(order))
    axes.legend(fontsize=8)
