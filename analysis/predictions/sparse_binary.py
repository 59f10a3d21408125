"""Figure of binary sparse memories."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style


def draw(group: xr.DataTree) -> Figure:
    """False alarms and information of Willshaw's network, errors of the clustered one."""
    figure, (alarms, cliques, information) = style.panels(3)
    found = group["willshaw"].dataset
    forms = {"false_alarm_exact": "-", "false_alarm_independent": ":"}
    for place, cue in enumerate(found.n_cued.values):
        one = found.sel(n_cued=cue)
        for form, dashes in forms.items():
            label = f"cue of {cue} units" if form == "false_alarm_exact" else None
            colour = style.COLOURS[place]
            alarms.loglog(one.n_patterns, one[form], color=colour, ls=dashes, lw=1.6, label=label)
            if form == "false_alarm_exact":
                step = slice(place, None, 12)
                alarms.loglog(
                    one.n_patterns[step], one[form][step], style.MARKERS[place], color=colour, ms=5
                )
    alarms.plot([], [], color="0.4", ls=":", label="independent synapses")
    alarms.set(
        xlabel="patterns $P$",
        ylabel="probability of a false alarm",
        ylim=(1e-12, 2),
        title=f"Willshaw, $N = {int(found.n_neurons)}$, $M = {int(found.n_active)}$",
    )
    alarms.legend(loc="lower right", fontsize="small")

    found = group["cliques"].dataset
    for place, erased in enumerate(found.n_erased.values):
        one = found.sel(n_erased=erased)
        look = style.line(place)
        cliques.semilogx(one.n_patterns, one.error, label=f"{erased} erased", **look)
        cliques.semilogx(one.n_patterns, one.error_independent, color=look["color"], lw=0.8)
    cliques.plot([], [], color="0.4", lw=0.8, label="independent edges")
    cliques.set(
        xlabel="messages $P$",
        ylabel="probability of an error in one step",
        ylim=(0, 1.03),
        title=f"cliques, {int(found.n_clusters)} clusters of {int(found.n_units)} units",
    )
    cliques.legend(loc="upper left", fontsize="small")

    found = group["information"].dataset
    information.semilogx(found.n_neurons, found.information, marker="o", ms=4, **style.line(0))
    information.axhline(np.log(2), color="0.5", lw=1)
    information.annotate(
        r"$\ln 2$", (found.n_neurons[0], np.log(2)), xytext=(0, -12), textcoords="offset points"
    )
    information.set(
        xlabel="units $N$",
        ylabel="information (bits per synapse)",
        ylim=(0, 0.75),
        title=r"heteroassociation, $p_1 = 1/2$, $M = \log_2 N$",
    )
    return figure
