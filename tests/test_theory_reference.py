"""Every reference number is compared with the library's, by exactly one test."""

import importlib
from collections import Counter
from pathlib import Path

import pytest

from tests import reference

TABLES = ("PREDICTED", "SIMULATED")  # names of the tables: by a theory, by a simulation
TESTS = [
    path
    for path in sorted(Path(__file__).parent.glob("test_*.py"))
    if any(f"\n{name}" in path.read_text() for name in TABLES)
]


def claimed():
    """How many tables have each quantity."""
    found = Counter()
    for path in TESTS:
        module = importlib.import_module(f"tests.{path.stem}")
        for name, table in vars(module).items():
            if name.startswith(TABLES):
                found.update(table.keys())
    return found


def test_every_row_is_claimed_once():
    wanted = {row.quantity for file in reference.FILES for row in reference.every_row(file)}
    found = claimed()
    assert set(found) == wanted
    assert set(found.values()) == {1}, [name for name, times in found.items() if times > 1]


def test_rows_have_a_source_and_a_tolerance():
    for file in reference.FILES:
        for row in reference.every_row(file):
            assert row.source and row.abs_tol >= 0 and row.text is not None, row


def test_a_wrong_number_fails():
    """The comparison itself: inside the tolerance it passes, outside it does not."""
    row = reference.Row("dense", "nothing", "P=3 ahat=1/4", 1.0, 1e-3, "here")
    notes = []
    off = reference.difference(row, 1.0005, lambda name, value: notes.append((name, value)))
    assert notes[0][0] == "reference" and notes[0][1][2] == pytest.approx(0.5)
    assert off <= row.abs_tol
    for wrong in (1.002, 0.998, float("nan")):
        assert not reference.difference(row, wrong, lambda *_: None) <= row.abs_tol
    assert row.given == {"P": 3, "ahat": 0.25}
