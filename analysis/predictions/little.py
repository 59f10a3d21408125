"""The figure of the synchronous (Little) network."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions.style import DASHES, LOAD, TEMPERATURE, line, panels


def draw(group: xr.DataTree) -> Figure:
    """Order parameters over temperature, and the lines, of the synchronous and Hopfield networks.

    group: slices (little, hopfield), lines (onset, spinodal, and those of the Hopfield network).
    """
    figure, (overlaps, persistence, lines) = panels(3)
    found = group["slices/little"].to_dataset()
    sequential = group["slices/hopfield"].to_dataset()
    for place, alpha in enumerate(found.alpha.values):
        style = line(place) | {"ls": DASHES[0]}
        at, other = found.sel(alpha=alpha), sequential.sel(alpha=alpha)
        overlaps.plot(at.temperature, at.m, label=rf"$\alpha = {alpha:g}$", **style)
        overlaps.plot(other.temperature, other.m, **(style | {"ls": DASHES[1]}))
        persistence.plot(at.temperature, at.p - other.q, **style)
        persistence.plot(at.temperature, at.q - other.q, **(style | {"ls": DASHES[2]}))
    overlaps.plot([], [], color="0.4", ls=DASHES[1], label="Hopfield (sequential)")
    overlaps.set(xlabel=TEMPERATURE, ylabel=r"overlap $m$", xlim=(0, 0.8), ylim=(0.7, 1.01))
    overlaps.set_title("retrieval phase up to its spinodal", fontsize=10)
    overlaps.legend(fontsize=8, loc="lower left")
    persistence.plot([], [], color="0.4", ls=DASHES[0], label=r"$p - q_{\mathrm{Hopfield}}$")
    persistence.plot([], [], color="0.4", ls=DASHES[2], label=r"$q - q_{\mathrm{Hopfield}}$")
    persistence.set(xlabel=TEMPERATURE, ylabel="difference to the Hopfield network", xlim=(0, 0.8))
    persistence.set(yscale="log", ylim=(1e-6, 0.1))
    persistence.set_title(r"persistence $p$ and $q$ (colours as left)", fontsize=10)
    persistence.legend(fontsize=8, loc="upper left")

    onset, spinodal = group["lines/onset"].to_dataset(), group["lines/spinodal"].to_dataset()
    for place, J0 in enumerate(onset.self_coupling.values):
        style = line(place)
        at = onset.sel(self_coupling=J0)
        lines.plot(at.alpha, at.temperature, label=rf"synchronous, $J_{{ii}} = {J0:g}$", **style)
        at = spinodal.sel(self_coupling=J0)
        lines.plot(at.alpha, at.temperature, **style)
    for name in ("onset_hopfield", "spinodal_hopfield"):
        at = group[f"lines/{name}"].to_dataset()
        label = "Hopfield (any $J_{ii}$)" if name == "onset_hopfield" else None
        lines.plot(at.alpha, at.temperature, color="0.6", lw=2.5, label=label, zorder=1)
    lines.annotate("spin-glass onset $T_g$ (upper lines)", (0.2, 2.25), fontsize=8)
    lines.annotate("retrieval spinodal (lower lines)", (0.14, 0.72), fontsize=8)
    lines.set(xlabel=LOAD, ylabel=TEMPERATURE, xlim=(0, 0.5), ylim=(0, 2.4))
    lines.legend(fontsize=8, loc="lower right")
    return figure
