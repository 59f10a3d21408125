"""Fixtures that several rooms share."""

from __future__ import annotations

import pytest

from hopfield_sim import kernels
from hopfield_sim.kernels import choice, dense_bits, reference


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
