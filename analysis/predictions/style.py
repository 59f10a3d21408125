"""Colours, dashes and labels that all figures of the theories share.

Every line has its own dash beside its colour, so that figures survive greyscale.
"""

from __future__ import annotations

from matplotlib.figure import Figure

# Okabe and Ito's colours, dark to light; safe for colour-blind readers
COLOURS = ("#000000", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
DASHES = (
    "solid",
    (0, (5, 2)),
    (0, (1, 1)),
    (0, (3, 1, 1, 1)),
    (0, (8, 2, 1, 2)),
    (0, (2, 3)),
    (0, (10, 3)),
)
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LOAD = r"load $\alpha = P/N$"
TEMPERATURE = r"temperature $T$ (units of $J$)"
OVERLAP = r"overlap $m$"


def line(place: int) -> dict:
    """Colour and dash of the place-th line of a panel: keywords of `Axes.plot`."""
    return {"color": COLOURS[place % len(COLOURS)], "ls": DASHES[place % len(DASHES)], "lw": 1.6}


def panels(columns: int, rows: int = 1, size: tuple[float, float] = (4.6, 4.0)):
    """A figure with a row of panels: the Figure and its axes, a flat list."""
    figure = Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    for one in axes:
        one.grid(alpha=0.25)
    return figure, list(axes)
