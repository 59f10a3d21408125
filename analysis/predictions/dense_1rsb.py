"""P-body networks with one step of replica symmetry breaking, beside replica symmetry."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

REDUCED_LOAD = r"reduced load $\hat\alpha$"
ORDERS = (3, 4, 6)
LAST_LOAD = {3: 0.36, 4: 0.28, 6: 0.22}
ONE_STEP, SYMMETRIC, BROKEN, BOUND = 0, 1, 2, 3  # looks


def draw(group: xr.DataTree) -> Figure:
    """Above: m over the load at T = 0, folds marked. Below: spinodal and transition, where they
    differ."""
    figure, axes = style.panels(3, 2)
    for place, order in enumerate(ORDERS):
        _frozen(axes[place], group, order)
        _lines(axes[3 + place], group, order)
    figure.legend(handles=axes[-1].get_lines(), loc="outside lower center", ncols=3, fontsize=8)
    return figure


def _frozen(axes, group, order):
    for name, look, label in (
        ("symmetric", SYMMETRIC, "replica symmetric"),
        ("frozen", ONE_STEP, "one step"),
    ):
        found = group[f"{name}/P{order}"].to_dataset()
        stable, unstable = (found.sel(branch=one) for one in ("retrieval", "retrieval_unstable"))
        axes.plot(stable.reduced_load, stable.m, label=label, **style.line(look))
        thin = {**style.line(look), "lw": 0.8}
        axes.plot(unstable.reduced_load, unstable.m, **thin)
        end = {"marker": style.MARKERS[look], "color": style.COLOURS[look], "ms": 5}
        axes.plot(stable.reduced_load[-1], stable.m[-1], ls="none", **end)
    bound = float(group["critical"]["ahat_max"].sel(interaction=order))
    axes.axvline(bound, color="0.55", lw=1.0, ls=(0, (2, 2)), label="bound on retrieval")
    axes.set(xlim=(0, LAST_LOAD[order]), ylim=(0, 1.03), title=f"$P = {order}$, $T = 0$, distinct")
    axes.set(xlabel=REDUCED_LOAD, ylabel=style.OVERLAP)
    axes.set_xticks(np.arange(0, LAST_LOAD[order], 0.1 if order == 3 else 0.05))
    if order == ORDERS[-1]:
        axes.legend(fontsize=8, loc="lower left", title="thin: unstable", title_fontsize=8)


def _lines(axes, group, order):
    one = group["one_step"].to_dataset().sel(interaction=order)
    symmetric = group["symmetric_lines"].to_dataset().sel(interaction=order)
    for name, label, width in (
        ("reduced_load", "spinodal", 1.6),
        ("reduced_load_1", "retrieval is the equilibrium", 0.9),
    ):
        for found, look, how in ((symmetric, SYMMETRIC, "symmetric"), (one, ONE_STEP, "one step")):
            axes.plot(
                found[name],
                found.temperature,
                label=f"{label}, {how}",
                **{**style.line(look), "lw": width},
            )
    broken = group[f"broken/P{order}"].to_dataset()
    axes.plot(
        broken.reduced_load,
        broken.temperature,
        label="replica symmetry breaks",
        **style.line(BROKEN),
    )
    numbers = group["critical"].to_dataset().sel(interaction=order)
    ends = [float(numbers[name]) for name in ("ahat_1_max", "ahat_max")]
    axes.plot(
        ends,
        ends,
        ls="none",
        marker=style.MARKERS[BOUND],
        color=style.COLOURS[BOUND],
        label=r"on the Nishimori line $T = \hat\alpha$",
    )
    lowest = float(np.nanmin([symmetric.reduced_load_1.min(), one.reduced_load_1.min()]))
    lowest = min(lowest, float(symmetric.reduced_load.min()))
    room = 0.12 * (ends[1] - lowest)
    axes.set(xlim=(lowest - room, ends[1] + 3 * room), ylim=(0, 1.1 * ends[1]))
    axes.set(xlabel=REDUCED_LOAD, ylabel=style.TEMPERATURE, title=f"$P = {order}$, distinct")
