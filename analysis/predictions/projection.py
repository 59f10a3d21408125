"""Figure of the projection rule and the dreaming kernel."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style


def draw(group: xr.DataTree) -> Figure:
    """Lines of the phase diagram, capacity against dreaming time, overlap against load."""
    figure, (plane, capacity, overlap) = style.panels(3)
    spinodal = group["lines/spinodal"].to_dataset()
    for place, time in enumerate(spinodal.dreaming_time.values):
        one = spinodal.sel(dreaming_time=time)
        plane.plot(one.alpha, one.temperature, label=_name(time), **style.line(place))
    exact = group["lines/projection"].to_dataset()
    place = spinodal.sizes["dreaming_time"]
    plane.plot(exact.alpha, exact.T_M, label=_name(np.inf), **style.line(place))
    plane.plot(
        exact.alpha, exact.T_c, label=r"$T_c$, $t = \infty$", **style.line(place) | {"lw": 0.9}
    )
    plane.set(
        xlabel=style.LOAD,
        ylabel=style.TEMPERATURE,
        xlim=(0, 1.1),
        ylim=(0, 1),
        title="spinodals of the retrieval states",
    )
    plane.legend(title="dreaming time", fontsize=8)
    line = group["lines/capacity"].to_dataset()
    capacity.plot(line.dreaming_time, line.alpha, **style.line(0))
    capacity.axhline(1, color="0.5", lw=0.8)
    capacity.set_xscale("symlog", linthresh=0.1, linscale=0.5)
    capacity.set(
        xlabel=r"dreaming time $t$",
        ylabel=r"largest load $\alpha_c$ with retrieval",
        xlim=(0, float(line.dreaming_time.max())),
        ylim=(0, 1.15),
        title=r"capacity at $T = 0$",
    )
    slices = group["slices"].to_dataset()
    for place, time in enumerate(slices.dreaming_time.values):
        one = slices.sel(dreaming_time=time)
        overlap.plot(one.alpha, one.m, **style.line(place))
    overlap.set(
        xlabel=style.LOAD,
        ylabel=style.OVERLAP,
        xlim=(0, 0.8),
        title=f"retrieval at $T = {float(slices.temperature):g}$ (dashes as on the left)",
    )
    return figure


def _name(time):
    return r"$t = \infty$ (projection)" if np.isinf(time) else f"$t = {time:g}$"
