"""Archetypes recalled from real images: table, verdicts and figure, from results that were kept."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis import comparison
from analysis.predictions.style import COLOURS, DASHES, MARKERS
from hopfield_sim import statistics

ALONE = 0.01
"""A class does not interfere with another whose weight in its field is less than this."""
FEWEST = 7
"""Fewest examples at which theories are compared: they know averages, not single images."""
JUMP = 0.05
"""A class is on the brink if m moves by more than this when its own overlap counts more or less by
a share of 3/sqrt(N), thrice what overlaps fluctuate by: then some draws of the examples keep the
state, and others lose it. It finds most of these classes, not all: what is beyond 3σ on shuffled
pixels with 16 draws (P = 3 and 16) is divided between two states as well, or has m near 0."""

# lit, dark, and no neuron, as ink on paper
_INK = ListedColormap(["#ffffff", "#cfd8dc", "#000000"])


def table(found: xr.Dataset) -> str:
    """Recall against M, a block for each set of images: text.

    found: what `experiments.images` writes: `overlap` (dataset, binarisation, interaction,
    n_examples, realisation, rule, class), `recalled` and `cue_recalled` without class, `n_states`
    likewise; of theory `predicted`, `interference`, `unsteadiness`, `majority`; `n_neurons`,
    `pixels`.
    """
    lines = []
    for dataset in found.dataset.values:
        for binarisation in found.binarisation.values:
            at = found.sel(dataset=dataset, binarisation=binarisation)
            head = f"{dataset}, {binarisation}, N = {int(at.n_neurons)}"
            if binarisation == "median":
                lines += [f"{head}: overlap with the archetype, share recalled (from other images)"]
                lines += _block(at)
            else:
                lines += [f"{head}, M = {at.n_examples.values[-1]}: {_states(at)}"]
    return "\n".join(lines)


def _block(at: xr.Dataset) -> list[str]:
    """Rows of one table: rules and orders, against M."""
    counts = at.n_examples.values
    rows = [["P", "", *(f"M = {count}" for count in counts)]]
    m = statistics.disorder(at.overlap.mean("class"))
    recalled, cues = (at[name].mean("realisation") for name in ("recalled", "cue_recalled"))
    for order in at.interaction.values:
        for rule in at.rule.values:
            where = {"interaction": order, "rule": rule}
            cells = zip(
                *(values.sel(where).values for values in (m["mean"], m["error"], recalled, cues)),
                strict=True,
            )
            shown = [f"{a:.3f}({1000 * b:.0f}) {c:.2f} ({d:.2f})" for a, b, c, d in cells]
            rows.append([str(order), rule, *shown])
        theory = at.predicted.sel(interaction=order).mean("class").values
        rows.append(["", "theory, supervised", *(f"{value:.3f}" for value in theory)])
    majority = at.majority.mean("class").values
    rows.append(["", "majority rule", *(f"{value:.3f}" for value in majority)])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _states(at: xr.Dataset) -> str:
    """How many states the archetypes end in, at the largest M."""
    last = at.isel(n_examples=-1).mean("realisation")
    parts = []
    for rule in last.rule.values:
        states = ", ".join(
            f"{float(last.n_states.sel(rule=rule, interaction=order)):.1f} (P = {order})"
            for order in last.interaction.values
        )
        parts.append(f"{rule} {states}")
    return f"the {at.sizes['class']} archetypes end in so many states: {'; '.join(parts)}"


def verdicts(found: xr.Dataset) -> list[str]:
    """Simulation against theory where it is meant to hold, a line each. found: as for `table`."""
    m = found.overlap.sel(rule="supervised").astype(float)
    predicted = found.predicted.astype(float)
    without = found.majority.astype(float).broadcast_like(predicted).transpose(*predicted.dims)
    few = {f"with M < {FEWEST}": found.n_examples < FEWEST}
    lines = []
    for binarisation in [b for b in ("shuffled", "median") if b in found.binarisation]:
        kind = {"shuffled": "shuffled pixels", "median": "real images"}[binarisation]
        at = {"binarisation": binarisation}
        scores = comparison.z_scores(m.sel(at), without.sel(at))
        brink = found.unsteadiness.sel(at) > JUMP
        interfering = found.interference.sel(at) >= ALONE
        verdict = _judged(scores, few | {"interfering": interfering, "on the brink": brink})
        lines.append(f"{kind} against the majority rule, classes that do not interfere: {verdict}")
        scores = comparison.z_scores(m.sel(at), predicted.sel(at))
        if binarisation == "shuffled":
            verdict = _judged(scores, few | {"on the brink": brink})
            lines.append(f"{kind} against theory with interference: {verdict}")
        else:
            square = scores["difference"].where(~brink) ** 2
            off = np.sqrt(square.mean(("class", "dataset", "interaction")))
            shown = ", ".join(
                f"{float(off.sel(n_examples=count)):.3f} (M = {count})"
                for count in found.n_examples.values
            )
            lines.append(f"{kind}, rms distance from that theory but for the brink: {shown}")
            scatter = m.sel(at).var("realisation").where(found.n_examples >= FEWEST)
            on, off = (float(scatter.where(which).mean()) ** 0.5 for which in (brink, ~brink))
            lines.append(
                f"{kind}, M >= {FEWEST}, scatter of m between draws: {on:.3f} on the brink, "
                f"{off:.3f} elsewhere; theory, which has no draws, takes one side there"
            )
    return lines


def _judged(scores: xr.Dataset, reasons) -> str:
    """A verdict, the classes of all sets of images as independent columns; what is beyond 3σ."""
    scores = scores.assign_coords(dataset=scores["dataset"].astype(str))
    verdict = comparison.verdict(scores, columns=("dataset", "class"), reasons=reasons)
    far = ", ".join(
        f"{cell['dataset']} class {cell['class']} P = {cell['interaction']} M = "
        f"{cell['n_examples']} (z = {cell['z']:.1f})"
        for cell in verdict.beyond_3
    )
    return f"{verdict}" + (f"; beyond: {far}" if far else "")


def archetypes(found: xr.Dataset) -> Figure:
    """Pictures, recall with and without a teacher, and from images not seen: a row for each set.

    found: as for `table`. Curves are means over the classes with the standard error over the draws
    of the examples.
    """
    sets = found.dataset.values
    figure = Figure(figsize=(17, 4.0 * len(sets) + 0.5), layout="constrained")
    binarisation = "median" if "median" in found.binarisation else found.binarisation.values[0]
    rows = np.atleast_1d(figure.subfigures(len(sets), 1))
    for row, dataset in zip(rows, sets, strict=True):
        at = found.sel(dataset=dataset, binarisation=binarisation)
        left, right = row.subfigures(1, 2, width_ratios=(0.85, 1.5))
        _pictures(left, at)
        left.suptitle(f"{dataset}: {at.sizes['class']} classes, N = {int(at.n_neurons)}")
        taught, untaught, cues = right.subplots(1, 3)
        _overlaps(taught, at, "supervised")
        _overlaps(untaught, at, "unsupervised")
        _cues(cues, at)
        for axes in (taught, untaught, cues):
            axes.set_xscale("log")
            axes.set_xticks(at.n_examples.values, at.n_examples.values)
            axes.minorticks_off()
            axes.set_xlabel("examples a class $M$")
            axes.set_ylim(0, 1.02)
            axes.grid(alpha=0.25)
    orders = [
        Line2D([], [], label=f"$P = {order}$", ls=DASHES[place], **_style(place, capsize=None))
        for place, order in enumerate(found.interaction.values)
    ]
    theories = [
        Line2D([], [], color="black", lw=2.2, label="majority rule (no interference)"),
        Line2D([], [], color="#555555", lw=1.3, label="lines, left: theory with interference"),
    ]
    figure.legend(handles=orders + theories, loc="outside lower right", ncols=7, frameon=False)
    return figure


def _pictures(figure, at: xr.Dataset) -> None:
    """A line of pictures for each kind, a column for each class."""
    names = at.picture.values
    axes = figure.subplots(len(names), at.sizes["class"], squeeze=False)
    for line, name in zip(axes, names, strict=True):
        for panel, picture in zip(line, at.pixels.sel(picture=name).values, strict=True):
            panel.imshow(picture, cmap=_INK, vmin=-1, vmax=1, interpolation="nearest")
            panel.set(xticks=[], yticks=[])
        line[0].set_ylabel(
            name.replace(", ", "\n"), fontsize=8, rotation=0, ha="right", va="center"
        )


def _style(place: int, **more) -> dict:
    look = {"color": COLOURS[place + 1], "marker": MARKERS[place], "ms": 5, "capsize": 2} | more
    return {name: value for name, value in look.items() if value is not None}


def _overlaps(axes, at: xr.Dataset, rule: str) -> None:
    """m against M for every P, with theory."""
    m = statistics.disorder(at.overlap.sel(rule=rule).mean("class"))
    count = at.n_examples.values
    is_taught = rule == "supervised"
    axes.plot(count, at.majority.mean("class"), color="black", lw=2.2)
    for place, order in enumerate(at.interaction.values):
        here = m.sel(interaction=order)
        line = "none" if is_taught else DASHES[place]
        axes.errorbar(count, here["mean"], here["error"], ls=line, lw=0.9, **_style(place))
        if is_taught:
            predicted = at.predicted.sel(interaction=order).mean("class")
            axes.plot(count, predicted, color=COLOURS[place + 1], ls=DASHES[place], lw=1.3)
    axes.set_ylabel("overlap with the archetype $m$")
    axes.set_title(f"{rule}, from the archetype", fontsize=10)


def _cues(axes, at: xr.Dataset) -> None:
    """Share of the images not seen that end nearest to the archetype of their class."""
    share = statistics.disorder(at.cue_recalled)
    orders = at.interaction.values
    for place in sorted({0, len(orders) // 2, len(orders) - 1}):
        for rule in at.rule.values:
            here = share.sel(interaction=orders[place], rule=rule)
            look = {"ls": "-"} if rule == "supervised" else {"ls": ":", "mfc": "white"}
            axes.errorbar(
                at.n_examples.values, here["mean"], here["error"], lw=1, **look, **_style(place)
            )
    chance = 1 / at.sizes["class"]
    axes.axhline(chance, color="#777777", lw=0.8)
    where = (at.n_examples.values[0], chance)
    axes.annotate("chance", where, (0, -10), textcoords="offset points", fontsize=8)
    axes.set_ylabel("share nearest to the archetype of its class")
    axes.set_title("from images not seen; open: unsupervised", fontsize=10)
