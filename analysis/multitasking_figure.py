"""The figure of the multitasking study: amplitudes, diagrams and thresholds, with theory."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from analysis import comparison
from analysis import multitasking as numbers
from analysis.phase_diagram import edges
from hopfield_sim.theory import multitasking

_COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#7f7f7f")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_DASHES = ("solid", (0, (5, 2)), (0, (1, 1)), (0, (5, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)))
_HALO = [withStroke(linewidth=3, foreground="white")]
_NOTHING = 4  # times 1/sqrt(N): no pattern is recalled below


def figure(found: dict, results: dict, quality: float, temperature: float, overlap: float):
    """Six panels; found, results: as from the experiment and `analysis.multitasking.results`.

    Above: the amplitudes against d at the lowest temperature, from both starts; the effective
    number of recalled patterns over (d, T) from the hierarchical start, with the lines of the mean
    field; the overlap of dense networks with the hierarchical state they start from. Below: the
    amplitudes against the number of examples; the number of recalled archetypes over d and the
    number of examples, with the thresholds; the number of examples that are needed, from
    simulations and theory. Amplitudes are extrapolated from two sizes, the others those of the
    larger. Error bars are one standard error over the realisations.
    """
    whole = Figure(figsize=(15.5, 9.6), layout="constrained")
    panels = whole.subplots(2, 3)
    _amplitudes(panels[0, 0], found["amplitudes"], results["amplitudes"])
    _diagram(panels[0, 1], found["map"])
    _dense(panels[0, 2], found["dense"])
    _learning(panels[1, 0], found["learning"], results["learning"], quality, temperature)
    lines = _threshold_lines(found["learning"], overlap, temperature)
    _examples_diagram(panels[1, 1], found["learning"], quality, lines)
    _thresholds(panels[1, 2], found["learning"], quality, overlap, temperature, lines)
    for label, axes in zip("abcdef", panels.flat, strict=True):
        text = axes.get_title()
        axes.set_title("")
        axes.set_title(f"({label}) {text}", fontsize=9.5, loc="left")
    return whole


def recalled(amplitude: xr.DataArray, n_neurons: int) -> xr.DataArray:
    """Effective number of recalled patterns, (sum m^2)^2 / sum m^4; 0 where none is."""
    squares = amplitude**2
    number = squares.sum("pattern") ** 2 / (squares**2).sum("pattern")
    return number.where(amplitude.max("pattern") > _NOTHING / np.sqrt(n_neurons), 0)


def _style(k: int, hollow: bool = False) -> dict:
    colour = _COLOURS[k % len(_COLOURS)]
    return {
        "color": colour,
        "marker": _MARKERS[k % len(_MARKERS)],
        "mfc": "white" if hollow else colour,
        "ms": 5,
        "ls": "none",
        "capsize": 2,
    }


def _amplitudes(axes, found, result) -> None:
    n, T = found.sizes["pattern"], float(found.temperature[0])
    fine = np.linspace(0.005, 0.995, 199)
    at = result.scores.isel(temperature=0)
    for number, start in enumerate(found.start.values):
        theory = numbers.from_start(n, fine, T, str(start)).m.squeeze()
        for k in range(n):
            curve = theory.isel(pattern=k).values.copy()
            # Where the state is lost in a jump the curve ends.
            curve[np.flatnonzero(np.abs(np.diff(curve)) > 0.03)] = np.nan
            axes.plot(fine, curve, color=_COLOURS[k], ls=_DASHES[number], lw=1.3)
            here = at.sel(start=start).isel(pattern=k)
            label = rf"$m_{k + 1}$, {start}" if k < n else None
            shift = (number - 0.5) * 0.006  # of points that would hide one another
            axes.errorbar(
                here.dilution + shift,
                here["mean"],
                here["error"],
                label=label,
                **_style(k, number == 1),
            )
    axes.set(
        xlabel=r"dilution $d$",
        ylabel=r"amplitudes $|m_k|$",
        xlim=(0, 1),
        ylim=(0, 1),
        title=rf"$P = {n}$, $T = {T:g}$, two starts; lines: mean field",
    )
    axes.legend(fontsize=8, title="start", title_fontsize=8)


def _diagram(axes, found) -> None:
    n = found.sizes["pattern"]
    amplitude = found.amplitude.isel(realisation=0, start=0, n_neurons=0)
    _map(axes, amplitude, int(found.n_neurons[0]), "temperature")
    d = np.linspace(0.01, 0.985, 40)
    top = float(edges(found.temperature.values)[-1])
    lines = [("onset", d, multitasking.onset_temperature(d).temperature.values)]
    melting = multitasking.melting_temperature(n, d).temperature
    for level in range(2, n + 1):
        lines.append((f"level {level} melts", d, melting.sel(pattern=level).values))
    tail = np.linspace(2 / 3 + 1e-3, 0.985, 20)
    lines.append(
        (
            "equal overlaps stable above",
            tail,
            multitasking.symmetric_temperature(n, tail).temperature.values,
        )
    )
    end = float(multitasking.hierarchical_dilution(n).dilution)
    if n > 2:
        near = np.linspace(end - 0.07, end, 24)
        lines.append(
            (
                "hierarchical state ends",
                near,
                multitasking.hierarchical_end(n, near).temperature.values,
            )
        )
        wide = np.linspace(0.02, 0.66, 24)
        lines.append(
            ("parallel state ends", wide, multitasking.parallel_end(n, wide).temperature.values)
        )
    styles = [("black", dash) for dash in _DASHES] + [
        ("#d55e00", "solid"),
        ("#cc79a7", (0, (5, 2))),
    ]
    for (name, x, y), (colour, dash) in zip(
        lines, styles[: len(lines) - 2 * (n > 2)] + styles[-2:], strict=False
    ):
        axes.plot(x, y, color=colour, ls=dash, lw=1.5, label=name, path_effects=_HALO)
    if n == 3:
        cold = np.linspace(0, 0.08, 9)
        x = multitasking.coexistence_dilution(cold).dilution.values
        axes.plot(x, cold, color="#009e73", lw=2, label="equal free energies", path_effects=_HALO)
    axes.set(
        ylabel=r"temperature $T$ (units of $J$)",
        ylim=(0, top),
        title=rf"recalled patterns, $P = {n}$, hierarchical start",
    )
    axes.legend(fontsize=7, loc="upper right")


def _map(axes, amplitude, n_neurons, other) -> None:
    """Effective number of recalled patterns over d and one more dimension."""
    number = recalled(amplitude, n_neurons).transpose(other, "dilution")
    n = amplitude.sizes["pattern"]
    x = edges(number.dilution.values)
    y = number[other].values
    y = np.exp(edges(np.log(y))) if other == "n_examples" else edges(y)
    image = axes.pcolormesh(
        x, y, number.where(number > 0).values, cmap="Blues", vmin=0.5, vmax=n, rasterized=True
    )
    bar = axes.figure.colorbar(image, ax=axes, pad=0.02)
    bar.set_label(r"recalled: $(\sum m_k^2)^2/\sum m_k^4$ (white: none)", fontsize=8)
    axes.set(xlabel=r"dilution $d$", xlim=(x[0], x[-1]))


def _dense(axes, found) -> None:
    n = found.sizes["pattern"]
    size = int(found.n_neurons[-1])
    fine = np.linspace(float(found.dilution[0]) - 0.02, float(found.dilution[-1]) + 0.02, 400)
    for k, p in enumerate(found.interaction.values):
        cells = found.hierarchy.sel(interaction=p).isel(n_neurons=-1)
        scores = comparison.z_scores(
            cells, xr.full_like(cells.isel(realisation=0, drop=True), np.nan)
        )
        axes.errorbar(
            scores.dilution,
            scores["mean"],
            scores["error"],
            label=rf"$p = {p}$",
            **_style(k, k == 1),
        )
        end = float(multitasking.hierarchical_dilution(n, int(p)).dilution)
        axes.axvline(end, color=_COLOURS[k], ls=_DASHES[k], lw=1.3)
        states = multitasking.learned(n, fine, 0.0, 1.0, 1, int(p)).squeeze()
        axes.plot(fine, states.hierarchy, color=_COLOURS[k], ls=_DASHES[k], lw=1.3)
    axes.plot([], [], color="0.4", lw=1.3, label="mean field, same start")
    axes.set(
        xlabel=r"dilution $d$",
        ylabel="overlap with the hierarchical state",
        title=rf"$p$-body, $P = {n}$, $T = 0$, $N = {size}$; vertical: $d^*(p)$",
    )
    axes.legend(fontsize=8)


def _learning(axes, found, result, quality, temperature) -> None:
    """Amplitudes against M at the largest dilution without a teacher."""
    n = found.sizes["pattern"]
    there = (
        found.amplitude.sel(rule="unsupervised")
        .notnull()
        .any(("n_neurons", "n_examples", "realisation", "pattern"))
    )
    d = found.dilution.values[there.values]
    d = float(d[-1])
    most = int(found.n_examples[-1])
    M = np.unique(2 * np.rint(np.geomspace(1.5, most, 26) / 2 - 0.5).astype(int) + 1)
    theory = multitasking.learned(n, d, temperature, quality, M).m.squeeze()
    stored = multitasking.retrieval(n, d, temperature).m.squeeze()
    at = result.scores.sel(dilution=d)
    for k in range(n):
        axes.plot(M, theory.isel(pattern=k), color=_COLOURS[k], lw=1.2)
        axes.axhline(float(stored[k]), color=_COLOURS[k], lw=0.8, ls=(0, (1, 3)))
        for rule, shift, name in (("supervised", 0.97, "teacher"), ("unsupervised", 1.03, "none")):
            here = at.sel(rule=rule).isel(pattern=k)
            axes.errorbar(
                here.n_examples * shift,
                here["mean"],
                here["error"],
                label=rf"$m_{k + 1}$, {name}",
                **_style(k, rule == "unsupervised"),
            )
    axes.set(
        xscale="log",
        xlabel=rf"examples $M$ of each archetype, $r = {quality:g}$",
        ylabel=r"amplitudes $|m_k|$",
        ylim=(0, None),
        title=rf"learning, $d = {d:g}$, $T = {temperature:g}$; dotted: $M = \infty$",
    )
    axes.legend(fontsize=8, ncols=n, loc="upper left")


def _examples_diagram(axes, found, quality, lines) -> None:
    amplitude = found.amplitude.sel(rule="supervised").isel(n_neurons=-1).mean("realisation")
    size = int(found.n_neurons[-1])
    _map(axes, amplitude, size, "n_examples")
    factor = (1 - quality**2) / quality**2
    for name, d, rho, dash in lines:
        with np.errstate(divide="ignore"):
            axes.plot(
                d, factor / rho, color="black", ls=dash, lw=1.5, label=name, path_effects=_HALO
            )
    M = edges(np.log(found.n_examples.values))
    axes.set(
        yscale="log",
        ylim=(np.exp(M[0]), np.exp(M[-1])),
        ylabel=r"examples $M$",
        title=rf"archetypes recalled, teacher, $N = {size}$",
    )
    _ticks(axes, found)
    axes.legend(fontsize=7, loc="upper left")


def _ticks(axes, found) -> None:
    """The simulated numbers of examples on a logarithmic axis."""
    axes.set_yticks(found.n_examples.values, [str(M) for M in found.n_examples.values])
    axes.minorticks_off()


def _threshold_lines(found, overlap, temperature):
    """Name, d, rho and dashes of the two thresholds over the simulated range."""
    n = found.sizes["pattern"]
    low, high = (float(found.dilution[k]) for k in (0, -1))
    d = np.linspace(max(low - 0.05, 0.02), min(high + 0.05, 0.95), 30)
    equal = multitasking.equal_entropy(n, d, temperature)
    asked = multitasking.tolerated_entropy(n, d, temperature, overlap)
    dashed = (0, (5, 2))
    return (
        ("below: all recalled alike", d, equal.dataset_entropy.squeeze().values, "solid"),
        (f"hierarchy {overlap:g}", d, asked.dataset_entropy.squeeze().values, dashed),
    )


def _thresholds(axes, found, quality, overlap, temperature, lines) -> None:
    scores = numbers.learned_at(found, quality, temperature, overlap)
    n = found.sizes["pattern"]
    factor = (1 - quality**2) / quality**2
    _, (_, d, rho, _) = lines
    axes.plot(d, factor / rho, color="black", lw=1.4, label="many examples, mean field")
    step = multitasking.one_step_examples(n, d, quality, (1 - overlap) / 2).n_examples.squeeze()
    axes.plot(d, step, color="#7f7f7f", ls=(0, (5, 2)), lw=1.4, label="one update, worst neurons")
    exact = scores.predicted.isel(rule=0) if "rule" in scores.predicted.dims else scores.predicted
    axes.plot(
        scores.dilution, np.exp(exact), "x", color="#d55e00", ms=7, label="mean field at these M"
    )
    looks = (
        ("supervised", _style(0), "simulation, teacher"),
        ("unsupervised", _style(1, True), "without"),
    )
    for rule, look, label in looks:
        here = scores.sel(rule=rule)
        M = np.exp(here["mean"])
        axes.errorbar(here.dilution, M, M * here["error"], label=label, **look)
    axes.set(
        yscale="log",
        xlabel=r"dilution $d$",
        ylabel=rf"examples $M_c$ for a hierarchy of {overlap:g}",
        ylim=(None, 4 * float(found.n_examples[-1])),
        title=rf"threshold of learning, $r = {quality:g}$",
    )
    axes.legend(fontsize=8, loc="upper left")
