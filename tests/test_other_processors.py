"""The same code compiled for other processors, in processes of their own: the same bits.

One process for each target compiles every form that uses vectors; what forms share is compiled
there once.
"""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys

import pytest

from hopfield_sim.kernels import simd
from tests import test_dense, test_forms, test_parallel

AVX2 = "+avx,+avx2,+sse4.1,+sse4.2,+ssse3,+popcnt"
TARGETS = {"generic": ("generic", ""), "haswell": ("haswell", AVX2), "no x86": ("generic", "")}
"""NUMBA_CPU_NAME and NUMBA_CPU_FEATURES: no vector extensions beyond SSE2; AVX2; and the products
of any other processor, in vectors that LLVM breaks down by itself."""

ROOMS = {"dense": test_dense, "forms": test_forms, "parallel": test_parallel}

_PROGRAM = """
import json, sys
from hopfield_sim.kernels import simd
simd.X86 = sys.argv[1] != "no x86"
from tests.test_other_processors import ROOMS
found = {name: room.digests() for name, room in ROOMS.items()}
print(json.dumps({"vectors": (simd.VNNI, simd.AVX2), **found}))
"""


def runs_here(name: str) -> bool:
    """Whether this processor runs code for a target."""
    return simd.X86 and (simd.AVX2 or not TARGETS[name][1])


def started(name: str, cache) -> subprocess.Popen:
    """A process that compiles everything anew for a target and prints the digests of all rooms."""
    processor, features = TARGETS[name]
    environment = os.environ | {
        "NUMBA_CPU_NAME": processor,
        "NUMBA_CPU_FEATURES": features,
        "NUMBA_CACHE_DIR": str(cache),
    }
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, name],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """Target -> what its process prints; all run at once."""
    processes = {
        name: started(name, tmp_path_factory.mktemp("cache")) for name in TARGETS if runs_here(name)
    }

    @functools.cache
    def printed(name):
        output, errors = processes[name].communicate(timeout=900)
        assert processes[name].returncode == 0, errors
        return json.loads(output)

    yield printed
    for process in processes.values():
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def here():
    """Room -> its digests on this processor."""
    return functools.cache(lambda room: ROOMS[room].digests())


@pytest.mark.parametrize("room", ROOMS)
@pytest.mark.parametrize("name", TARGETS)
def test_other_processors_give_the_same_bits(name, room, elsewhere, here):
    """Compiled for one without vector extensions, with AVX2 alone, and for none in particular."""
    if not runs_here(name):
        pytest.skip("such code does not run here: this is no x86 processor, or one without AVX2")
    there = elsewhere(name)
    assert there["vectors"] == [False, bool(TARGETS[name][1])]
    assert there[room] == here(room)


def test_all_forms_have_one_digest(here):
    assert len(set(here("forms"))) == 1
