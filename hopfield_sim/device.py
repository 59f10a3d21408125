"""Where code runs and how it is compiled for that place. The only file that will import cupy."""

from __future__ import annotations

import ctypes
import functools
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

DEVICES = ("auto", "cpu", "gpu")
_PACKAGE = Path(__file__).parent
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # their numbers in malloc.h


def resolve(device: str = "auto") -> str:
    """The device that `device` stands for: `"cpu"` (from `"cpu"` or `"auto"`).

    `"gpu"` is refused: the GPU forms of the kernels do not exist yet, and a run that was asked for
    a GPU must never fall back to the processor in silence.

    Raises ValueError for any other name and RuntimeError for `"gpu"`.
    """
    if device not in DEVICES:
        raise ValueError(
            f"device={device!r} is unknown; allowed are 'cpu', 'gpu' and 'auto' "
            "(the fastest that is there)."
        )
    if device == "gpu":
        raise RuntimeError(
            "device='gpu' was asked for, but this version has no GPU kernels; "
            "use device='cpu' (or 'auto'): the trajectories will be the same."
        )
    return "cpu"


def keep_freed_memory() -> None:
    """Let this process keep up to 64 MB of freed memory for what it allocates next.

    The C library of Linux gives back arrays above 128 kB at once, and whatever lies at the end of
    its heap (workers of Dask: above 64 kB): loops over temporary arrays of that size spend up to
    half of their time on fetching the same pages again and again. Elsewhere nothing happens.
    """
    if sys.platform.startswith("linux"):
        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # of glibc; musl has none
        if mallopt is not None:
            mallopt(_MMAP_THRESHOLD, 2**25)  # the largest it accepts
            mallopt(_TRIM_THRESHOLD, 2**26)


def module(*arrays):
    """The module whose arrays these are: `cupy` if one of them lies on a GPU, `numpy` otherwise.

    Code for continuous states is written once, with this module's functions, and runs where its
    arrays are. Raises TypeError for arrays of both places: nothing is copied in silence.
    """
    import numpy

    on_gpu = [type(array).__module__.split(".")[0] == "cupy" for array in arrays]
    if not any(on_gpu):
        return numpy
    if not all(g or numpy.ndim(a) == 0 for g, a in zip(on_gpu, arrays, strict=True)):
        raise TypeError(
            "some arrays lie on the GPU (cupy) and some do not (numpy); bring all to one place, "
            "with cupy.asarray or cupy.asnumpy."
        )
    import cupy

    return cupy


@functools.cache
def source_key() -> str:
    """Hash of every source file that compiled code is made of.

    Numba keys its disk cache by the file of the compiled function alone: a caller whose callee
    was edited *in another file* keeps the old machine code without a word. All our compiled code
    is therefore cached in a folder named by this hash.
    """
    digest = hashlib.sha256()
    for path in (_PACKAGE / "randomness.py", *sorted((_PACKAGE / "kernels").glob("*.py"))):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


@functools.cache
def _cache_folder() -> str | None:
    """The first writable home of the compiled code; None where there is none."""
    import numba

    for home in (
        numba.config.CACHE_DIR,
        _PACKAGE / "__pycache__",
        Path.home() / ".cache" / "hopfield_sim",
    ):
        folder = Path(home or ".") / f"compiled-{source_key()}"
        try:
            if home:
                folder.mkdir(parents=True, exist_ok=True)
                if os.access(folder, os.W_OK):
                    return str(folder)
        except OSError:
            continue
    return None


def compiled(function: Callable) -> Callable:
    """`function` compiled by Numba: no Python lock held, no fast-math, cached by `source_key()`.

    Division follows IEEE rules (no exception, so that loops vectorise). A function never takes
    functions as arguments (Numba would compile it anew in every process).
    """
    import numba

    folder = _cache_folder()
    elsewhere = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = folder or elsewhere
    try:  # Numba reads the folder while it decorates, and only then
        return numba.njit(
            function, nogil=True, cache=folder is not None, fastmath=False, error_model="numpy"
        )
    finally:
        numba.config.CACHE_DIR = elsewhere
