"""Processes that are killed: forks of one process that has imported everything, started in 10 ms.

`python -m tests.victims` reads a task a line and answers each with how its process ended.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]


class Victims:
    """The process from which victims are forked; POSIX only."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.victims"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def run(self, what: str, *arguments, after=None, rename=None, **options) -> dict:
        """Call `tests.study.WHAT(*arguments, **options)` in a process group of its own.

        after: seconds until the group is killed. rename: which of the process' renames of a file
        (its writes all end in one) it does not live to see, counted from 1.
        Returns status (0, 1: an error; negative: the signal), error (its sentence), renames, and
        seconds from its beginning to its end.
        """
        task = {"what": what, "arguments": arguments, "options": options}
        self.process.stdin.write(json.dumps(task | {"after": after, "rename": rename}) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()


def main():
    """Fork a victim for each line of standard input, and answer with a line."""
    import dask.system  # noqa: F401 - imported once, before the forks
    import distributed  # noqa: F401
    import scipy.linalg  # noqa: F401
    import tqdm  # noqa: F401
    import zarr  # noqa: F401

    import hopfield_sim.archive  # noqa: F401
    from hopfield_sim.checkpoint import Checkpoint
    from tests import study

    with tempfile.TemporaryDirectory() as folder:  # so that kernels are compiled
        study.chain((1, 0), np.array([0.2]), Checkpoint(Path(folder) / "none"))
    for line in sys.stdin:
        task = json.loads(line)
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reader)
            _victim(task, writer)
        os.close(writer)
        with os.fdopen(reader) as pipe:
            pipe.readline()  # it begins
            began = time.monotonic()
            if task["after"] is not None:
                time.sleep(task["after"])
                with contextlib.suppress(ProcessLookupError):  # it was faster
                    os.killpg(pid, signal.SIGKILL)
            told = pipe.read()  # until it ends, one way or the other
        seconds = time.monotonic() - began
        _, status = os.waitpid(pid, 0)
        answer = {"error": "", "renames": None, **json.loads(told or "{}")}
        print(
            json.dumps(answer | {"status": os.waitstatus_to_exitcode(status), "seconds": seconds}),
            flush=True,
        )


def _victim(task: dict, writer: int) -> None:
    """What a fork does until it ends or is ended; it does not return."""
    from tests import study

    os.setsid()
    os.set_inheritable(writer, False)
    renames = 0

    def counted(function):
        def renaming(*paths, **options):
            nonlocal renames
            renames += 1
            if renames == task["rename"]:
                os.killpg(os.getpid(), signal.SIGKILL)
            return function(*paths, **options)

        return renaming

    os.rename, os.replace = counted(os.rename), counted(os.replace)
    with os.fdopen(writer, "w") as pipe:
        print("begins", file=pipe, flush=True)
        answer, status = {}, 0
        try:
            getattr(study, task["what"])(*task["arguments"], **task["options"])
        except Exception as error:
            answer, status = {"error": f"{type(error).__name__}: {error}"}, 1
        json.dump(answer | {"renames": renames}, pipe)
    os._exit(status)


if __name__ == "__main__":
    main()
