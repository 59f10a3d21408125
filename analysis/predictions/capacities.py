"""The figure of the capacities over the order of the interaction."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

_COLUMNS = (
    ("bound", "bound (Nishimori line)"),
    ("one_step", "retrieval ends, one step of breaking"),
    ("symmetric", "retrieval ends, replica symmetric"),
    ("ground_one_step", "ground state, one step of breaking"),
    ("ground_bound", "equilibrium (Nishimori line)"),
)


def draw(group: xr.DataTree) -> Figure:
    """Left: reduced loads over P. Right: what replica symmetry misses, relative to one step."""
    figure, (left, right) = style.panels(2)
    table = group["critical"].to_dataset()
    order = table.interaction
    for place, (name, label) in enumerate(_COLUMNS):
        look = style.line(place) | {"marker": style.MARKERS[place], "ms": 5, "mfc": "white"}
        left.plot(order, table[name], label=label, **look)
    left.set(xlabel="order $P$ of the interaction", ylim=(0, 0.36))
    left.set_ylabel(r"reduced load $\hat\alpha$ at $T = 0$")
    left.legend(fontsize=7.5, loc="upper right")
    for place, (name, label) in enumerate((_COLUMNS[0], _COLUMNS[2])):
        look = style.line(2 * place) | {"marker": style.MARKERS[2 * place], "ms": 5, "mfc": "white"}
        right.plot(order, table[name] / table.one_step - 1, label=label, **look)
    right.axhline(0, color="0.5", lw=1)
    right.set(xlabel="order $P$ of the interaction")
    right.set_ylabel("relative to one step of breaking")
    right.legend(fontsize=8)
    return figure
