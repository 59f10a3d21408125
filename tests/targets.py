"""The same code compiled for other processors, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from hopfield_sim.kernels import simd

AVX2 = "+avx,+avx2,+sse4.1,+sse4.2,+ssse3,+popcnt"
TARGETS = {"generic": ("generic", ""), "haswell": ("haswell", AVX2), "no x86": ("generic", "")}
"""NUMBA_CPU_NAME and NUMBA_CPU_FEATURES: no vector extensions beyond SSE2; AVX2; and the products
of any other processor, in vectors that LLVM breaks down by itself."""

_PROGRAM = """
import sys
from hopfield_sim.kernels import simd
simd.X86 = sys.argv[1] != "no x86"
from {module} import digests
print(simd.VNNI, simd.AVX2, *digests())
"""


def started(name: str, module: str, cache) -> subprocess.Popen:
    """A process that compiles everything anew for a target and prints `module.digests()`."""
    processor, features = TARGETS[name]
    environment = os.environ | {
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(cache),
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM.format(module=module), name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def runs_here(name: str) -> bool:
    """Whether this processor runs code for a target."""
    return simd.X86 and (simd.AVX2 or not TARGETS[name][1])


def found(name: str, process: subprocess.Popen) -> list[str]:
    """What the process printed, once it is sure that it was compiled for the target."""
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    vnni, avx2, *digests = output.split()
    assert (vnni, avx2) == ("False", str(bool(TARGETS[name][1])))
    return digests


def skip_elsewhere(name: str) -> None:
    """Skips, saying why, where the code of a target cannot run."""
    if not runs_here(name):
        pytest.skip("such code does not run here: this is no x86 processor, or one without AVX2")
