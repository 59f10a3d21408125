"""Figure of the network of low activity."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style


def draw(group: xr.DataTree) -> Figure:
    """Capacity, best threshold and information against the activity; the largest load against the
    threshold; overlaps of all states against the load."""
    figure, (capacity, information, ends, states) = style.panels(2, 2)
    best = group["capacity"].dataset
    a = best.activity
    capacity.loglog(a, best.alpha, label=r"$\alpha_c$", **style.line(0))
    capacity.set(xlabel="activity $a$", ylabel=r"capacity $\alpha_c = P/N$")

    information.semilogx(a, best.threshold, label=r"best threshold $\theta$", **style.line(0))
    information.semilogx(
        a, best.information, label="information (bits per synapse)", **style.line(1)
    )
    information.semilogx(a, best.active_firing, label="active sites that fire", **style.line(2))
    information.set(xlabel="activity $a$", ylabel=r"at the capacity", ylim=(0, 1.25))
    information.legend(loc="upper right", fontsize="small")

    found = group["ends"].dataset
    critical = group["critical"].dataset
    for place, activity in enumerate(found.activity.values):
        one = found.alpha.sel(activity=activity) / float(critical.alpha.sel(activity=activity))
        ends.plot(
            found.threshold, one.max("branch"), label=f"$a = {activity:g}$", **style.line(place)
        )
    ends.set(
        xlabel=r"threshold $\theta$ (units of $J$)",
        ylabel=r"largest load over $\alpha_c(a)$",
        xlim=(-0.2, 1.2),
        ylim=(0, 1.05),
    )
    ends.legend(loc="upper right")

    found = group["retrieval"].dataset
    largest = (float(found.activity) * (1 - float(found.activity))) ** 0.5
    for place, threshold in enumerate(found.threshold.values):
        one = found.sel(threshold=threshold)
        look = style.line(place)
        for state in range(one.sizes["branch"]):
            label = rf"$\theta = {threshold:g}$" if state == 0 else None
            falls = one.fold.isel(branch=state) < 0
            m = one.m.isel(branch=state) / largest
            states.plot(
                one.alpha,
                m.where(falls),
                ls="none",
                marker=style.MARKERS[place],
                ms=3.5,
                color=look["color"],
                label=label,
            )
            states.plot(
                one.alpha,
                m.where(~falls),
                ls="none",
                marker=style.MARKERS[place],
                ms=3.5,
                mfc="white",
                color=look["color"],
            )
    states.set(
        xlabel=style.LOAD,
        ylabel=r"overlap $M/\sqrt{a(1-a)}$",
        ylim=(0, 1.03),
        title=rf"all states at $a = {float(found.activity):g}$ (open: beyond a fold)",
    )
    states.legend(loc="lower right", fontsize="small")
    return figure
