"""The spin-glass phase in one figure: overlaps, energies, and how well they were sampled."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import glass
from analysis.predictions.style import COLOURS, DASHES, MARKERS, TEMPERATURE
from hopfield_sim import statistics

_SHOWN_DENSITIES = (0.2, 0.45, 0.7, 1.1)  # temperatures of P(q12), in units of T_g


def spin_glass_phase(found: xr.Dataset, limits: xr.Dataset, alpha: float, title: str) -> Figure:
    """P(q12), its second moment and Binder ratio, energies, exchange, relaxation: six panels.

    found: the store; limits: from `glass.limit`. Means over realisations with one standard error;
    open markers where not every realisation had equilibrated.
    """
    figure = Figure(figsize=(14.5, 9.2), layout="constrained")
    axes = figure.subplots(2, 3)
    T_g = 1 + alpha**0.5
    fine = np.linspace(found.temperature.values[0], found.temperature.values[-1], 300)
    expected = glass.theory(alpha, fine)
    _density(axes[0, 0], found, alpha)
    _square(axes[0, 1], found, expected, alpha)
    _sizes(axes[0, 2], found, glass.binder(found).rename(estimate="mean"))
    axes[0, 2].set(
        ylabel=r"$U = 1 - [\langle q_{12}^4 \rangle] / 3 [\langle q_{12}^2 \rangle]^2$",
        title="Binder ratio: sizes cross near $T_g$",
        xlim=(0.6 * T_g, min(1.25 * T_g, fine[-1])),
    )
    axes[0, 2].legend(fontsize=8)
    _energies(axes[1, 0], found, limits, expected)
    _exchange(axes[1, 1], found)
    _relaxation(axes[1, 2], found)
    for one, height in ((axes[0, 1], 0.14), (axes[0, 2], 0.9), (axes[1, 0], 0.62)):
        one.axvline(T_g, color="0.35", ls=(0, (1, 1)), lw=1.2)
        one.annotate(
            "$T_g$",
            (T_g, height),
            xycoords=("data", "axes fraction"),
            xytext=(3, 0),
            textcoords="offset points",
        )
        one.set(xlabel=TEMPERATURE)
    for one in axes.ravel():
        one.grid(alpha=0.25)
    figure.suptitle(title, fontsize=11)
    return figure


def _look(place: int) -> dict:
    return {
        "color": COLOURS[place % len(COLOURS)],
        "marker": MARKERS[place % len(MARKERS)],
        "ms": 4.5,
    }


def _points(axes, x, mean, error, good, place: int, label: str) -> None:
    """Points with error bars, filled where equilibrated; the line joins them all."""
    look = _look(place)
    axes.plot(x, mean, color=look["color"], lw=0.7, alpha=0.6)
    for where, fill in ((good, look["color"]), (~good, "white")):
        drawn = (values[where] for values in (x, mean, error))
        axes.errorbar(*drawn, ls="none", mfc=fill, capsize=1.5, **look)
    axes.plot([], [], ls="none", mfc=look["color"], label=label, **look)


def _sizes(axes, found: xr.Dataset, values: xr.Dataset) -> None:
    good = found.equilibrated.all("realisation")
    for k, n_neurons in enumerate(found.n_neurons.values):
        one = values.isel(n_neurons=k)
        _points(
            axes,
            found.temperature.values,
            one["mean"].values,
            one["error"].values,
            good.isel(n_neurons=k).values,
            k,
            f"N = {n_neurons}",
        )


def _density(axes, found: xr.Dataset, alpha: float) -> None:
    """P(q12) of the largest size and its mirror image; along the lower edge +-q of RS theory."""
    largest = found.isel(n_neurons=-1)
    T = found.temperature.values
    q = np.sqrt(glass.theory(alpha, T).q2_rs.values)
    wanted = [np.abs(T - share * (1 + alpha**0.5)).argmin() for share in _SHOWN_DENSITIES]
    for place, k in enumerate(np.unique(wanted)):
        here = statistics.disorder(largest.q_density.isel(temperature=k))
        look = _look(place)
        axes.plot(-found.q_bin, here["mean"], color=look["color"], lw=0.6, alpha=0.6)
        if q[k] > 0:
            across = axes.get_xaxis_transform()  # x in data, y from 0 to 1
            axes.plot([-q[k], q[k]], [0.03, 0.03], ls="none", transform=across, **look)
        good = bool(largest.equilibrated.isel(temperature=k).all())
        axes.errorbar(
            found.q_bin,
            here["mean"],
            here["error"],
            lw=1.1,
            ls=DASHES[place % len(DASHES)],
            mfc=look["color"] if good else "white",
            label=f"T = {T[k]:.3g}",
            **(look | {"ms": 3}),
        )
    axes.set(
        xlabel=r"overlap of two replicas $q_{12}$",
        ylabel=r"$P(q_{12})$",
        title=f"distribution of the overlap, N = {int(largest.n_neurons)}",
    )
    axes.margins(y=0.12)
    axes.plot([], [], color="0.5", lw=0.6, label=r"mirrored, $P(-q_{12})$")
    axes.plot(
        [], [], color="0.5", ls="none", marker="o", ms=4.5, label=r"below: $\pm q$ of RS theory"
    )
    axes.legend(fontsize=8)


def _square(axes, found: xr.Dataset, expected: xr.Dataset, alpha: float) -> None:
    """[<q12^2>] at all temperatures, and 1/chi_SG above T_g in a corner."""
    _sizes(axes, found, statistics.disorder(found.q_moment_2))
    T = expected.temperature
    axes.plot(T, expected.q2_rs, color="0.3", lw=1.3, ls=DASHES[1], label="RS theory")
    axes.plot(T, expected.q2_1rsb, color="0.3", lw=1.3, label="one step of breaking")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[-2:], labels[-2:], fontsize=8, loc="upper right")
    axes.set(ylabel=r"$[\langle q_{12}^2 \rangle]$", title="mean square of the overlap")
    corner = axes.inset_axes((0.54, 0.34, 0.43, 0.43))
    found = found.isel(temperature=found.temperature.values > 0.85 * (1 + alpha**0.5))
    chi = glass.glass_susceptibility(found, alpha)
    inverse = 1 / statistics.disorder(chi.susceptibility)["mean"]
    error = statistics.disorder(chi.susceptibility)["error"] * inverse**2
    _sizes(corner, found, xr.Dataset({"mean": inverse, "error": error}))
    above = T[T > 1 + alpha**0.5]
    corner.plot(above, 1 - alpha / (above - 1) ** 2, color="0.3", lw=1.3)
    corner.set(ylim=(0, None))
    corner.set_title(r"$1/N[\langle q_{12}^2 \rangle]$; line: exact, $N \to \infty$", fontsize=8)
    corner.tick_params(labelsize=7)
    corner.grid(alpha=0.25)


def _energies(axes, found: xr.Dataset, limits: xr.Dataset, expected: xr.Dataset) -> None:
    """e minus that of RS theory: the differences are small beside e itself."""
    reference = limits.rs
    _sizes(axes, found, statistics.disorder(glass.adjusted(found) - reference))
    here = statistics.disorder(limits.energy - reference)
    close = np.abs(limits.temperature / limits.attrs["T_g"] - 1).values < glass.CLOSE
    for where, strength in ((~close, 1.0), (close, 0.3)):
        axes.errorbar(
            found.temperature.values[where],
            here["mean"].values[where],
            here["error"].values[where],
            color="black",
            marker="*",
            ms=8,
            ls="none",
            mfc="white",
            capsize=2,
            alpha=strength,
            label=None if strength < 1 else "$N \\to \\infty$ (faint: too close to $T_g$)",
        )
    axes.axhline(0, color="0.3", lw=1.3, ls=DASHES[1], label="RS theory")
    broken = expected.energy_1rsb - expected.energy_rs
    axes.plot(expected.temperature, broken, color="0.3", lw=1.3, label="one step of breaking")
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[-3:], labels[-3:], fontsize=8, loc="upper right")
    low, high = axes.get_ylim()
    axes.set(
        ylabel=r"energy $e - e_{\rm RS}$ (units of $J$)",
        title="energy per neuron, RS theory subtracted",
        ylim=(low, high + 0.3 * (high - low)),
    )


def _exchange(axes, found: xr.Dataset) -> None:
    """Accepted exchanges and f(T), the share of walkers that come from the coldest end."""
    for k, n_neurons in enumerate(found.n_neurons.values):
        one = found.isel(n_neurons=k)
        T = found.temperature.values
        middle = (T[:-1] + T[1:]) / 2
        rate = statistics.disorder(one.exchange_rate)
        label = f"N = {n_neurons}: {float(one.round_trips.mean()):.1f} round trips"
        axes.errorbar(middle, rate["mean"], rate["error"], ls="none", label=label, **_look(k))
        flow = one.upward.mean("realisation")
        axes.plot(found.temperature, flow, color=_look(k)["color"], ls=DASHES[k % len(DASHES)])
    handles, _ = axes.get_legend_handles_labels()
    handles.append(Line2D([], [], color="0.3", label="$f(T)$: came from the coldest end"))
    axes.set(
        xlabel=TEMPERATURE,
        ylabel="fraction",
        ylim=(0, 1.02),
        title="accepted exchanges (points), flow of walkers (lines)",
    )
    axes.legend(handles=handles, fontsize=8)


def _relaxation(axes, found: xr.Dataset) -> None:
    """Energies of both starts in logarithmic bins of time, less their last common value."""
    largest = found.isel(n_neurons=-1)
    T = found.temperature.values
    end = largest.binned_energy.isel(bin=0).mean("start")
    for place, k in enumerate((0, T.size // 4, T.size // 2)):
        for start, fill in (("pattern", None), ("random", "white")):
            series = (largest.binned_energy.sel(start=start) - end).isel(temperature=k)
            here = statistics.disorder(series)
            look = _look(place)
            axes.errorbar(
                found.bin.values * (1.03 if fill is None else 1 / 1.03),
                here["mean"],
                here["error"],
                mfc=fill or look["color"],
                lw=0.9,
                ls="solid" if fill is None else (0, (3, 2)),
                capsize=1.5,
                label=f"T = {T[k]:.3g}, from the pattern" if fill is None else "from random",
                **look,
            )
    axes.axhline(0, color="0.4", lw=0.8)
    axes.set_xscale("log")
    axes.set(
        xlabel="sweeps at the end of a bin",
        ylabel=r"$e$ in the bin minus its last value (units of $J$)",
        title=f"both starts reach the same energy, N = {int(largest.n_neurons)}",
    )
    axes.legend(fontsize=8)
