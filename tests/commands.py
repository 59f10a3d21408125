"""Experiments run as a user runs them."""

from __future__ import annotations

import contextlib
import io
import runpy
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def printed(name: str, *arguments: str, expect: int = 0) -> str:
    """What `python -m experiments.NAME` prints: stdout where it is to succeed, else stderr.

    The module is run as `python -m` runs it, but in this process, which has imported all that it
    needs: a process of its own takes longer to start than most of these commands take.
    """
    out, err, status = io.StringIO(), io.StringIO(), 0
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.chdir(ROOT)
        patch.setattr(sys, "argv", [f"{ROOT}/experiments/{name}.py", *arguments])
        stack.enter_context(warnings.catch_warnings())
        # that the module was imported before, by a test of its functions
        warnings.filterwarnings("ignore", "'experiments.*found in sys.modules", RuntimeWarning)
        stack.enter_context(contextlib.redirect_stdout(out))
        stack.enter_context(contextlib.redirect_stderr(err))
        try:
            runpy.run_module(f"experiments.{name}", run_name="__main__", alter_sys=True)
        except SystemExit as end:
            status = end.code
    assert status == expect, out.getvalue() + err.getvalue()
    return (out if expect == 0 else err).getvalue()


def printed_by_a_process(name: str, *arguments: str, expect: int = 0) -> str:
    """The same from a process of its own, which begins with nothing imported."""
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
