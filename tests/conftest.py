"""Fixtures that several rooms share."""

from __future__ import annotations

import numpy as np
import pytest

from hopfield_sim import kernels
from hopfield_sim.kernels import choice, dense_bits, reference

# The C library of Linux gives freed memory back to the system at once, until it has seen a larger
# piece freed (at most 32 MB): theories whose arrays are a few 100 kB spent a tenth to a third of
# their time on fetching the same pages again and again. This piece is never touched: it is free.
np.empty(2**22 - 2**12)  # 32 MB less a little, freed at once


@pytest.fixture
def judge(monkeypatch):
    """Calls a function while every model runs the plain NumPy form of its kernel instead."""
    advance = kernels.advance

    def with_reference(form, matrix, diagonal, spins, memory, *arguments):
        if isinstance(matrix, choice.Layouts):
            matrix = matrix.by_site
        if isinstance(matrix, dense_bits.Bits):
            matrix = dense_bits.unpacked(matrix)
        judged = getattr(reference, form.__name__)
        return advance(judged, matrix, diagonal, spins, memory, *arguments)

    def run(function, *arguments, **options):
        with monkeypatch.context() as patch:
            patch.setattr(kernels, "advance", with_reference)
            return function(*arguments, **options)

    return run


def pytest_terminal_summary(terminalreporter):
    """How many reference numbers were compared, how many agree, and how close the worst is."""
    compared = {}
    for outcome in ("passed", "failed"):
        for report in terminalreporter.stats.get(outcome, ()):
            for name, value in getattr(report, "user_properties", ()):
                if name == "reference" and report.when == "call":
                    file, row, part = value
                    compared.setdefault(file, []).append((part, row, outcome == "passed"))
    for file, found in sorted(compared.items()):
        part, row, _ = max(found)
        terminalreporter.write_line(
            f"reference_{file}.csv: {len(found)} rows, {sum(ok for *_, ok in found)} pass; "
            f"largest |difference|/tolerance {part:.2g} ({row})"
        )
