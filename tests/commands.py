"""Experiments run as a user runs them, in a process of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def printed(name: str, *arguments: str, expect: int = 0) -> str:
    """What `python -m experiments.NAME` prints: stdout where it is to succeed, else stderr."""
    done = subprocess.run(
        [sys.executable, "-m", f"experiments.{name}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    return done.stdout if expect == 0 else done.stderr
