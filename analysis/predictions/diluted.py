"""Figure of the extremely diluted network."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

LOAD = r"load $\alpha = P/c$"


def draw(group: xr.DataTree) -> Figure:
    """Phase diagram, overlap against the load, parallel dynamics, and finite numbers of inputs."""
    figure, (phases, overlap, dynamics, finite) = style.panels(2, 2)
    line = group["lines/critical"].dataset
    phases.plot(line.alpha, line.temperature, **style.line(0))
    phases.annotate("retrieval", (0.2, 0.35))
    phases.annotate("no overlap", (0.48, 0.75))
    phases.set(
        xlabel=LOAD, ylabel=style.TEMPERATURE, xlim=(0, 0.75), ylim=(0, 1.1), title="phase diagram"
    )

    for place, (T, one) in enumerate(group["overlap"].dataset.groupby("temperature")):
        one = one.squeeze()
        alpha, m = np.append(one.alpha[::-1], one.alpha.max()), np.append(one.m[::-1], 0)
        overlap.plot(alpha, m, label=f"$T = {T:g}$", **style.line(place))
    end = float(group["critical"].dataset.alpha_c.sel(temperature=0))
    near = np.linspace(end - 0.12, end, 60)
    overlap.plot(
        near, np.sqrt(3 * (end - near)), color="0.5", lw=1, label=r"$\sqrt{3(\alpha_c - \alpha)}$"
    )
    overlap.set(
        xlabel=LOAD, ylabel=style.OVERLAP, xlim=(0, 0.75), ylim=(0, 1.05), title="fixed points"
    )
    overlap.legend(loc="lower left")

    m = group["dynamics"].dataset.m
    for place, start in enumerate(m.start_overlap.values):
        look = style.line(place) | {"marker": style.MARKERS[place], "ms": 4}
        dynamics.plot(m.step, m.sel(start_overlap=start), label=f"$m_0 = {start:g}$", **look)
    dynamics.set(
        xlabel="parallel updates",
        ylabel=style.OVERLAP,
        ylim=(0, 1.05),
        title=rf"dynamics at $\alpha = {float(m.alpha):g}$, $T = 0$",
    )
    dynamics.legend(loc="upper right", ncols=2)

    first = group["overlap"].dataset.sel(temperature=0)
    for place, (c, found) in enumerate(
        sorted((int(name), child.dataset) for name, child in group["finite"].children.items())
    ):
        there = found.m.notnull()
        look = style.line(place + 1)
        if there.sum() < 20:
            look |= {"marker": style.MARKERS[place], "ms": 4}
        finite.plot(found.alpha[there], found.m[there], label=f"$c = {c}$", **look)
    alpha, m = np.append(first.alpha[::-1], first.alpha.max()), np.append(first.m[::-1], 0)
    finite.plot(alpha, m, label=r"$c \to \infty$", **style.line(0))
    finite.set(
        xlabel=LOAD,
        ylabel=style.OVERLAP,
        xlim=(0, 0.75),
        ylim=(0, 1.05),
        title="finite numbers of inputs, $T = 0$",
    )
    finite.legend(loc="lower left")
    return figure
