"""Fixtures that several rooms share."""

from __future__ import annotations

import pytest

from hopfield_sim import device, kernels
from hopfield_sim.kernels import choice, dense_bits, reference

device.keep_freed_memory()  # as workers do: a tenth to a third of the time of some theories


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
