"""Figure of the perceptron's capacity and volume."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

LOAD = r"load $\alpha = P/N$"


def draw(group: xr.DataTree) -> Figure:
    """Capacity against stability, overlap and volume of solutions against load, separability."""
    figure, (capacity, overlap, entropy, separable) = style.panels(2, 2)
    found = group["capacity"].dataset
    for place, bias in enumerate(found.bias.values):
        one = found.alpha.sel(bias=bias)
        capacity.plot(one.stability, one, label=f"mean of entries {bias:g}", **style.line(place))
    capacity.set(
        xlabel=r"stability $\kappa$", ylabel=r"capacity $\alpha_c$", xlim=(0, 3), ylim=(0, None)
    )
    capacity.legend()

    volume = group["volume"].dataset
    for place, kappa in enumerate(volume.stability.values):
        one = volume.sel(stability=kappa)
        end = float(group["critical"].dataset.alpha_c.sel(stability=kappa))
        label = rf"$\kappa = {kappa:g}$"
        overlap.plot(
            [0, *one.alpha.values, end], [0, *one.q.values, 1], label=label, **style.line(place)
        )
        entropy.plot([0, *one.alpha.values], [0, *one.entropy.values], **style.line(place))
        entropy.axvline(end, lw=0.8, **{k: style.line(place)[k] for k in ("color", "ls")})
    overlap.set(xlabel=LOAD, ylabel="overlap $q$ of two solutions", xlim=(0, 2.05), ylim=(0, 1.03))
    overlap.legend(loc="lower right")
    entropy.set(
        xlabel=LOAD,
        ylabel="log of the volume of solutions per input",
        xlim=(0, 2.05),
        title="vertical: capacity",
    )

    found = group["separability"].dataset
    for place, one in enumerate(found.transpose("size", ...).probability):
        size = int(found.n_neurons[place, 0])
        load = found.n_patterns[place] / size
        separable.plot(load, one, label=f"$N = {size}$", **style.line(place))
    separable.axvline(2, color="0.5", lw=0.8)
    separable.set(xlabel=LOAD, ylabel="probability of a solution (Cover)", ylim=(0, 1.03))
    separable.set_xticks(np.arange(0.5, 4.1, 0.5))
    separable.legend()
    return figure
