"""The reference numbers of the theories, `tests/data/reference_*.csv`, and how they are compared.

Each test of a theory takes the rows of its quantities with `rows(file, quantities)` and gives the
library's number to `difference`, which also notes for the summary at the end of the test run (see
conftest) how far it was from the number in units of the row's own tolerance.
"""

from __future__ import annotations

import csv
import re
from fractions import Fraction
from pathlib import Path
from typing import NamedTuple

DATA = Path(__file__).parent / "data"
FILES = ("pairwise", "dense", "modern")
_PAIR = re.compile(r"(\w+)\s*=\s*([-+]?[\d.]+(?:e[-+]?\d+)?(?:/\d+)?)")


class Row(NamedTuple):
    """One number to be reproduced: |found - value| <= abs_tol."""

    file: str
    quantity: str
    text: str  # the parameters as written
    value: float
    abs_tol: float
    source: str

    def __str__(self):
        return f"{self.quantity}-{self.text}"

    @property
    def given(self) -> dict[str, float]:
        """The parameters that are written as name=number."""
        return {name: float(Fraction(number)) for name, number in _PAIR.findall(self.text)}

    @property
    def words(self) -> set[str]:
        """The parameters that are written as bare words ("distinct", "sup")."""
        return set(re.findall(r"[A-Za-z]\w*", _PAIR.sub("", self.text)))


def every_row(file: str) -> list[Row]:
    """All rows of `reference_FILE.csv`."""
    with (DATA / f"reference_{file}.csv").open() as lines:
        table = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    return [
        Row(
            file,
            row["quantity"],
            row["parameters"],
            float(row["value"]),
            float(row["abs_tol"]),
            row["source"],
        )
        for row in table
    ]


def rows(file: str, quantities) -> list[Row]:
    """The rows of these quantities; one that the file does not have is an error."""
    found = [row for row in every_row(file) if row.quantity in set(quantities)]
    missing = set(quantities) - {row.quantity for row in found}
    assert not missing, f"reference_{file}.csv has no {sorted(missing)}"
    return found


def difference(row: Row, found: float, record_property) -> float:
    """|found - value|, which a test asserts to be at most `row.abs_tol`; NaN where found is.

    It is noted for the summary, as a part of the tolerance.
    """
    off = abs(float(found) - row.value)
    record_property("reference", (row.file, str(row), off / row.abs_tol if row.abs_tol else off))
    return off
