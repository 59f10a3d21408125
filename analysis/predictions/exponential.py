"""Figure of the exponential and log-sum-exp networks."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style


def draw(group: xr.DataTree) -> Figure:
    """Binary thresholds against the overlap of the cue; continuous ones against sharpness."""
    figure, (binary, continuous, finite) = style.panels(3)
    typical, worst = (group[f"lines/{name}"].to_dataset() for name in ("typical", "worst"))
    for place, sharpness in enumerate(typical.sharpness.values):
        for lines, text, width in ((typical, "typical", 1.6), (worst, "all patterns", 0.8)):
            one = lines.sel(sharpness=sharpness)
            binary.plot(
                one.start_overlap,
                one.alpha,
                label=rf"$\lambda = {sharpness:g}$, {text}",
                **style.line(2 * place + (lines is worst)) | {"lw": width},
            )
    binary.axhline(np.log(2), color="0.5", lw=0.8)
    binary.set(
        xlabel="overlap $x_0$ of the cue",
        ylabel=r"largest $\alpha = \ln K/N$",
        xlim=(0, 1),
        ylim=(0, 0.75),
        title=r"binary network $e^{\lambda S}$ (grey: $\ln 2$)",
    )
    binary.legend(fontsize=8)
    for place, (name, text) in enumerate(
        (
            ("sphere", "sphere, all patterns"),
            ("gaussian", "Gaussian, a typical pattern"),
            ("gaussian_all", "Gaussian, all patterns"),
        )
    ):
        one = group[f"lines/{name}"].to_dataset()
        continuous.plot(one.sharpness, one.alpha, label=text, **style.line(place))
    continuous.set(ylabel=r"largest $\alpha = \ln M/d$", ylim=(0, 1.4), title="log-sum-exp network")
    half = group["lines/half_weight"].to_dataset()
    for place, d in enumerate(half.dimension.values):
        one = half.sel(dimension=d)
        finite.plot(
            one.sharpness, one.log_n_patterns / d, label=f"$d = {d}$", **style.line(place + 1)
        )
    limit = group["lines/sphere"].to_dataset()
    finite.plot(limit.sharpness, limit.alpha, label=r"$d \to \infty$", **style.line(0))
    finite.set(
        ylabel=r"$\ln M_{1/2}/d$",
        ylim=(0, 1.4),
        title="sphere: half of the softmax weight",
    )
    for axes in (continuous, finite):
        axes.set_xscale("log")
        axes.set_xlabel(r"sharpness $\lambda$ (softmax of $\lambda\, \xi \cdot x$, $|x|^2 = d$)")
        axes.legend(fontsize=8)
    return figure
