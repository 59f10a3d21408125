"""The glass of P-body networks in one figure: overlaps, energies, ground state, free energies."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import dense_glass as reading
from analysis.predictions.style import COLOURS, DASHES, MARKERS, TEMPERATURE
from hopfield_sim import statistics
from hopfield_sim.theory import dense_glass

_SHOWN = (0.45, 0.75, 1.0, 1.5)  # temperatures of P(q12), in units of T_K


def drawn(
    found: dict, at: xr.Dataset, ratios: dict, interaction: int, reduced_load: float, title: str
) -> Figure:
    """Six panels. found: the stores by name; at: from `limits`; ratios: P -> from `free_energy`.

    Means over realisations with one standard error; open markers where too few realisations had
    equilibrated (`settled`).
    """
    figure = Figure(figsize=(14.5, 9.2), layout="constrained")
    axes = figure.subplots(2, 3)
    glass = found["glass"]
    T = glass.temperature.values
    of = dense_glass.transitions(interaction)
    T_K, T_d = (float(of[name]) * reduced_load**0.5 for name in ("T_K", "T_d"))
    below = np.linspace(T[0], T_K * (1 - 1e-6), 100)
    fine = np.append(below, np.linspace(T_K * (1 + 1e-6), T[-1], 100))
    expected = reading.theory(interaction, reduced_load, fine)
    _density(axes[0, 0], glass, interaction, reduced_load, T_K)
    _moments(axes[0, 1], glass, at, expected)
    _energies(axes[0, 2], glass, at, interaction, reduced_load)
    _ground(axes[1, 0], glass, at, interaction, reduced_load)
    _free(axes[1, 1], ratios, interaction)
    _exchange(axes[1, 2], glass)
    for one, height in ((axes[0, 1], 0.6), (axes[0, 2], 0.9), (axes[1, 2], 0.9)):
        one.axvline(T_K, color="0.35", ls=(0, (1, 1)), lw=1.2)
        one.axvline(T_d, color="0.6", ls=(0, (1, 1)), lw=1.0)
        one.annotate(
            "$T_K$, $T_d$",
            (T_d, height),
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


def _sizes(axes, found: xr.Dataset, values: xr.Dataset) -> None:
    """All sizes over T: mean ± error, filled where equilibrated."""
    T = found.temperature.values
    for k, n_neurons in enumerate(found.n_neurons.values):
        one = {name: values[name].isel(n_neurons=k).values for name in ("mean", "error")}
        good = reading.settled(found).isel(n_neurons=k).values
        look = _look(k)
        axes.plot(T, one["mean"], color=look["color"], lw=0.7, alpha=0.6)
        for where, fill in ((good, look["color"]), (~good, "white")):
            here = (T[where], one["mean"][where], one["error"][where])
            axes.errorbar(*here, ls="none", mfc=fill, capsize=1.5, **look)
        axes.plot([], [], ls="none", label=f"N = {n_neurons}", **look)


def _legend_below(axes, share: float) -> None:
    """The legend in room of its own below the points, this share of the height."""
    low, high = axes.get_ylim()
    axes.set_ylim(low - share * (high - low), high)
    axes.legend(fontsize=8, loc="lower right", ncols=2)


def _stars(axes, x, values: xr.Dataset) -> None:
    """N -> infinity, where there is a law for it."""
    drawn = (x, values["mean"], values["error"])
    axes.errorbar(
        *drawn, color="black", marker="*", ms=8, ls="none", mfc="white", capsize=2,
        label="$N \\to \\infty$",
    )  # fmt: skip


def _density(axes, found, interaction, reduced_load, T_K) -> None:
    """P(q12) of the largest size; below, where 1RSB has its second peak, and with which weight."""
    largest = found.isel(n_neurons=-1)
    T = found.temperature.values
    expected = reading.theory(interaction, reduced_load, T)
    for place, k in enumerate(np.unique([np.abs(T - s * T_K).argmin() for s in _SHOWN])):
        here = statistics.disorder(largest.q_density.isel(temperature=k))
        look = _look(place)
        good = bool(reading.settled(found).isel(n_neurons=-1, temperature=k))
        weight, q1 = float(1 - expected.x[k]), float(expected.q1[k])
        name = f"T = {T[k]:.3g}"
        if weight > 0:
            name += f": {weight:.2f} at $q_1$ = {q1:.2f}"
            across = axes.get_xaxis_transform()  # x in data, y from 0 to 1
            axes.plot([q1], [0.03], ls="none", transform=across, **(look | {"ms": 8}))
        axes.errorbar(
            found.q_bin,
            here["mean"],
            here["error"],
            lw=1.1,
            ls=DASHES[place % len(DASHES)],
            mfc=look["color"] if good else "white",
            label=name,
            **(look | {"ms": 3}),
        )
    axes.margins(y=0.12)
    axes.set(
        xlabel=r"overlap of two replicas $q_{12}$",
        ylabel=r"$P(q_{12})$",
        title=f"distribution of the overlap, N = {int(largest.n_neurons)};\n"
        "large symbols and weights: second peak of 1RSB",
    )
    axes.legend(fontsize=8, loc="upper left" if interaction % 2 else "upper center")


def _moments(axes, found, at, expected) -> None:
    """[<q12>] of all sizes, its limit, and 1RSB."""
    _sizes(axes, found, statistics.disorder(found.q_moment_1))
    _stars(axes, found.temperature.values, statistics.disorder(at.q_moment_1))
    axes.plot(expected.temperature, expected.q_moment_1, color="0.3", lw=1.3, label="1RSB")
    axes.set(ylabel=r"$[\langle q_{12} \rangle]$", title="mean overlap, $(1 - x)\\, q_1$ in 1RSB")
    axes.legend(fontsize=8)


def _energies(axes, found, at, interaction, reduced_load) -> None:
    """u minus that of 1RSB or of the paramagnet."""
    theory = reading.theory(interaction, reduced_load, found.temperature.values).energy
    _sizes(axes, found, statistics.disorder(found.energy - theory))
    _stars(axes, found.temperature.values, statistics.disorder(at.energy - theory))
    axes.axhline(0, color="0.3", lw=1.3, label="1RSB, paramagnet above $T_K$")
    axes.set(
        ylabel=r"energy $u - u_{\rm theory}$ (units of $J$)",
        title="energy per neuron, theory subtracted",
    )
    _legend_below(axes, 0.35)


def _ground(axes, found, at, interaction, reduced_load) -> None:
    """Lowest energies against 1/N with the laws that extrapolate them."""
    N = found.n_neurons.values.astype(float)
    here = statistics.disorder(found.lowest_energy)
    axes.errorbar(
        1 / N, here["mean"], here["error"], ls="none", label="lowest energies seen", **_look(0)
    )
    of = dense_glass.transitions(interaction)
    e0, u = float(of.energy) * reduced_load**0.5, float(of.u) / reduced_load**0.5
    fine = np.linspace(1e-4, 1.05 / N[0], 200)
    laws = {
        "ground": (lambda x: -np.log(x) * x / (2 * u), 1, r"$\ln N/2uN + a/N$"),
        "ground_line": (lambda x: 0 * x, 1, "$a/N$"),
        "ground_power": (lambda x: 0 * x, 2 / 3, "$a N^{-2/3}$"),
    }
    for place, (name, (known, power, label)) in enumerate(laws.items()):
        one = statistics.disorder(at[name])
        rest = here["mean"].values - known(1 / N) - float(one["mean"])
        a = np.sum(rest * N**-power) / np.sum(N ** (-2 * power))
        line = float(one["mean"]) + known(fine) + a * fine**power
        colour = COLOURS[place + 1]
        axes.plot(fine, line, color=colour, ls=DASHES[place], lw=1.2, label=label)
        axes.errorbar(
            -0.0006 * (place + 1), float(one["mean"]), float(one["error"]), color=colour,
            marker=MARKERS[place + 1], ms=5, capsize=2,
        )  # fmt: skip
    axes.axhline(e0, color="0.3", lw=1.3, label=f"1RSB: {e0:.4f}")
    axes.set(
        xlabel="$1/N$", ylabel=r"energy per neuron (units of $J$)", title="ground state, three laws"
    )
    _legend_below(axes, 0.35)


def _free(axes, ratios, interaction) -> None:
    """(-f/T - ln 2) over that of the Ising glass alone."""
    for place, (P, one) in enumerate(ratios.items()):
        here = statistics.disorder(one.ratio)
        look = _look(place)
        T = one.temperature.values
        ends = T.min()
        name = "SK plus spherical glass" if P == 2 else f"glass of {P} spins alone"
        axes.plot(
            ends / T, one.theory, color=look["color"], ls=DASHES[place], label=f"P = {P}: {name}"
        )
        axes.errorbar(ends / T, here["mean"], here["error"], ls="none", capsize=2, **look)
    axes.set(
        xlabel=r"lowest temperature / T  (lowest: 1.25 $T_g$ for P = 2, 2 $T_d$ above)",
        ylabel=r"$(-f/T - \ln 2)\; /\; (\hat\alpha / 2 P T^2)$",
        title="free energy of the paramagnet,\nover that of the Ising glass alone",
    )
    axes.legend(fontsize=8)


def _exchange(axes, found) -> None:
    """Accepted exchanges and f(T), the share of walkers that come from the coldest end."""
    T = found.temperature.values
    for k, n_neurons in enumerate(found.n_neurons.values):
        one = found.isel(n_neurons=k)
        rate = statistics.disorder(one.exchange_rate)
        label = f"N = {n_neurons}: {float(one.round_trips.mean()):.1f} round trips"
        middle = (T[:-1] + T[1:]) / 2
        axes.errorbar(middle, rate["mean"], rate["error"], ls="none", label=label, **_look(k))
        axes.plot(T, one.upward.mean("realisation"), color=_look(k)["color"], ls=DASHES[k])
    handles, _ = axes.get_legend_handles_labels()
    handles.append(Line2D([], [], color="0.3", label="$f(T)$: came from the coldest end"))
    axes.set(
        ylabel="fraction", ylim=(0, 1.02), title="accepted exchanges (points), flow of walkers"
    )
    axes.legend(handles=handles, fontsize=8)
