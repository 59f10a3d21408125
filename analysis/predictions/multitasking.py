"""The multitasking network: the (d, T) diagram of three patterns, and slices of its overlaps."""

from __future__ import annotations

import xarray as xr
from matplotlib.figure import Figure

from analysis.predictions import style

DILUTION = r"dilution $d$ (fraction of blank entries)"
_LEVELS = (r"$m_1$", r"$m_2$", r"$m_3$")


def draw(group: xr.DataTree) -> Figure:
    """The diagram; overlaps over dilution at low temperature; overlaps over temperature."""
    figure, (plane, over_dilution, over_temperature) = style.panels(3)
    _plane(plane, group["lines"])
    slices = group["slices"]
    cold = slices["over_dilution"].to_dataset()
    _overlaps(over_dilution, cold, "dilution")
    over_dilution.set(xlabel=DILUTION, xlim=(0, 1), ylim=(0, 1.02))
    over_dilution.set_title(rf"$T = {float(cold.temperature):g}$", fontsize=10)
    warm = slices["over_temperature"].to_dataset()
    _overlaps(over_temperature, warm, "temperature")
    over_temperature.set(xlabel=style.TEMPERATURE, xlim=(0, 0.8), ylim=(0, 0.75))
    over_temperature.set_title(rf"$d = {float(warm.dilution):g}$", fontsize=10)
    return figure


def _plane(axes, lines):
    melting = lines["melting"].to_dataset()
    curves = [("onset", r"onset, $T = 1 - d$", lines["onset"].to_dataset())]
    for level in (2, 3):
        curves.append((level, f"level {level} melts", melting.sel(pattern=level)))
    for name, label in (
        ("symmetric", "equal overlaps: stable above"),
        ("parallel_end", "parallel state ends"),
        ("hierarchical_end", "hierarchical state ends"),
        ("coexistence", "equal free energies"),
    ):
        curves.append((name, label, lines[name].to_dataset()))
    for place, (_, label, one) in enumerate(curves):
        axes.plot(one.dilution, one.temperature, label=label, **style.line(place))
    axes.set(xlim=(0, 1), ylim=(0, 1.4), xlabel=DILUTION, ylabel=style.TEMPERATURE)
    axes.legend(fontsize=7.5, loc="upper center", ncols=2)
    for d, T, name in (
        (0.3, 0.9, "no recall"),
        (0.3, 0.45, "one level"),
        (0.4, 0.17, "two levels"),
        (0.43, 0.045, "three levels"),
        (0.72, 0.015, "parallel"),
        (0.76, 0.145, "equal"),
    ):
        axes.text(d, T, name, fontsize=8, ha="center")
    inset = axes.inset_axes((0.66, 0.42, 0.32, 0.28))
    for place in (4, 5, 6):
        one = curves[place][2]
        inset.plot(one.dilution, one.temperature, **style.line(place))
    inset.set(xlim=(0.52, 0.63), ylim=(0, 0.085))
    inset.tick_params(labelsize=7)
    inset.grid(alpha=0.25)


def _overlaps(axes, found, along):
    """Thick: hierarchical; thin: parallel. Each level has its colour and dash."""
    for place, level in enumerate(_LEVELS):
        one = found.m.isel(pattern=place)
        look = style.line(place)
        axes.plot(found[along], one.sel(branch="hierarchical"), label=level, **look | {"lw": 2.4})
        axes.plot(found[along], one.sel(branch="parallel"), **look | {"lw": 1.0})
    axes.set(ylabel=r"overlaps $m_\mu$")
    axes.legend(fontsize=8, title="thick: hierarchical\nthin: parallel", title_fontsize=8)
