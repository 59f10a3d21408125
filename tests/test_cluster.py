"""Sweeps on a Dask scheduler that somebody else started: workers come and go, the numbers stay."""

from __future__ import annotations

import dataclasses
import importlib
import json
import os
import pkgutil
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import experiments
from experiments.options import Options
from hopfield_sim.sweep import Sweep, opened, status
from tests import study

ROOT = Path(__file__).parents[1]
posix = pytest.mark.skipif(os.name != "posix", reason="needs signals of POSIX")
AXES = {**study.AXES, "alpha": [0.125, 0.25, 0.375, 0.5]}

README = (ROOT / "README.md").read_text()
RECIPE = next(b for b in re.findall(r"```python\n(.*?)```", README, re.S) if "SLURMCluster" in b)


class Elsewhere:
    """A scheduler and its workers, each a process of its own, started in a folder of theirs."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.file = folder / "scheduler.json"
        self.workers = []
        self.started = []
        self.scheduler = self._start("dask_scheduler", "--port", "0")
        # it is written in its place: not all of it may be there yet
        until(lambda: self.file.exists() and self.file.read_text().rstrip().endswith("}"))
        self.address = json.loads(self.file.read_text())["address"]

    def _start(self, program, *options, environment=None):
        command = [sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard"]
        command += ["--scheduler-file", str(self.file), "--host", "127.0.0.1", *options]
        command += ["--dashboard-address", "127.0.0.1:0"]
        process = subprocess.Popen(
            command,
            cwd=self.folder,
            env={**os.environ, **(environment or {})},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.started.append(process)
        return process

    def worker(self, threads=1, environment=None):
        """Start one more worker: its process, that nobody starts again if it dies."""
        options = ("--nthreads", str(threads), "--no-nanny", "--death-timeout", "60")
        process = self._start("dask_worker", *options, environment=environment)
        self.workers.append(process)
        return process

    def end(self):
        for process in self.started:
            process.kill()
            process.wait(30)


@pytest.fixture
def elsewhere(tmp_path_factory):
    cluster = Elsewhere(tmp_path_factory.mktemp("elsewhere"))
    yield cluster
    cluster.end()


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The study, computed without a break by one thread."""
    path = tmp_path_factory.mktemp("local") / "store"
    return study.sweep(AXES, realisations=4).run(path, "threads", 1).load()


def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def done(path):
    return status(path).done if path.exists() else 0


def calls(log):
    """The cells that were begun: (rule, alpha, realisation, process) of each."""
    return [tuple(line.split()) for line in log.read_text().splitlines()]


@posix
def test_workers_are_lost_and_added_while_a_sweep_runs(elsewhere, local, tmp_path):
    """Four separately started workers, one of them killed, one added: as computed here."""
    path, log, hold = (tmp_path / name for name in ("store", "log", "hold"))
    hold.touch()  # some cells last until the new worker has begun one
    for _ in range(4):
        elsewhere.worker()
    options = dict(axes=AXES, realisations=4, client=elsewhere.address, seconds=0.05)
    options |= dict(log=str(log), hold=str(hold))
    command = [sys.executable, "-m", "tests.study", str(path), json.dumps(options)]
    run = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    victim = elsewhere.workers[1]
    until(lambda: done(path) >= 4 and len({pid for *_, pid in calls(log)}) == 4)
    victim.kill()
    assert victim.wait(30) == -signal.SIGKILL
    at_death, added = done(path), elsewhere.worker()
    until(lambda: any(int(pid) == added.pid for *_, pid in calls(log)))
    hold.unlink()
    _, complaint = run.communicate(timeout=120)
    assert run.returncode == 0, complaint
    xr.testing.assert_identical(opened(path).load(), local)
    begun = calls(log)
    by = {int(pid): sum(call[3] == pid for call in begun) for *_, pid in begun}
    names = {process.pid: f"worker {k}" for k, process in enumerate(elsewhere.workers, 1)}
    print(f"\n{local.flips.size} cells; worker 2 killed when {at_death} were done, worker 5 added:")
    print(", ".join(f"{names[pid]} began {by[pid]}" for pid in sorted(by, key=names.get)))
    # it was killed inside a cell, or between two; nothing else is computed twice
    assert len(begun) - local.flips.size in (0, 1)


def threads_of_blas(seed, alpha):
    """A cell that tells how many threads the libraries under NumPy and SciPy may take."""
    import numpy as np
    import scipy.linalg.blas  # noqa: F401
    from threadpoolctl import threadpool_info

    square = np.ones((2, 2)) @ np.ones((2, 2))
    most = max(library["num_threads"] for library in threadpool_info())
    return xr.Dataset({"threads": most, "x": alpha * square[0, 0]})


FREE = {"OMP_NUM_THREADS": "3", "OPENBLAS_NUM_THREADS": "3", "MKL_NUM_THREADS": "3"}


def test_a_worker_with_several_threads_gives_one_to_each_cell(elsewhere, tmp_path):
    """Also where neither a nanny nor the environment of the machine says so."""
    elsewhere.worker(threads=4, environment=FREE)
    sweep = Sweep(threads_of_blas, {"alpha": np.arange(8) / 8})
    found = sweep.run(tmp_path / "store", elsewhere.address).load()
    assert found.threads.values.max() == 1
    np.testing.assert_array_equal(found.x.values[:, 0], 2 * found.alpha)


def test_cells_computed_by_threads_take_one_thread_of_blas_each(tmp_path):
    """With the environment of a user who set nothing, or something else."""
    code = (
        "import sys; from tests.test_cluster import Sweep, threads_of_blas\n"
        "import threadpoolctl\n"
        "def most(): return max(l['num_threads'] for l in threadpoolctl.threadpool_info())\n"
        "if __name__ == '__main__':\n"
        "    before = most()\n"
        "    found = Sweep(threads_of_blas, {'alpha': [0.5, 1.0, 1.5]}).run(\n"
        "        sys.argv[1], 'threads', workers=2)\n"
        "    print(found.threads.values.max(), most() - before)\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "store")]
    ended = subprocess.run(
        command, cwd=ROOT, env={**os.environ, **FREE}, capture_output=True, text=True, timeout=120
    )
    assert ended.stdout.split() == ["1", "0"], ended.stdout + ended.stderr


def test_every_experiment_that_sweeps_takes_a_scheduler():
    """Those that do not sweep: theory alone, times of this machine, and the tour."""
    sweeping, others = set(), set()
    for module in pkgutil.iter_modules(experiments.__path__):
        if module.ispkg or module.name in ("options", "from_examples", "tour"):
            continue
        settings = importlib.import_module(f"experiments.{module.name}").Settings
        (sweeping if issubclass(settings, Options) else others).add(module.name)
    assert others == {"benchmark", "predictions"}
    assert {"retrieval", "digits", "transient", "diluted"} <= sweeping
    assert "scheduler" in {field.name for field in dataclasses.fields(Options)}


def test_the_recipe_asks_slurm_for_what_a_worker_takes():
    """The script that sbatch would get; no SLURM is needed to see it."""
    names = {}
    recipe = RECIPE.partition("cluster.adapt")[0]
    exec(compile(recipe, "recipe", "exec"), names)
    try:
        script, address = names["cluster"].job_script(), names["cluster"].scheduler_address
    finally:
        names["cluster"].close()
    for directive in ("-n 1", "--cpus-per-task=1", "--mem=2G", "-t 12:00:00"):
        assert f"#SBATCH {directive}\n" in script
    (worker,) = (line for line in script.splitlines() if "dask_worker" in line)
    assert worker.split()[0] == sys.executable, "the same installation of hopfield_sim"
    assert worker.split()[3] == address
    # it gives up if the scheduler is gone, and leaves before SLURM kills it
    for option in ("--nthreads 1", "--nanny", "--death-timeout 60", "--lifetime 11h"):
        assert option in worker


@posix
def test_the_recipe_needs_nothing_but_the_address(local, tmp_path):
    """The recipe as it stands, with dask-jobqueue starting its jobs here instead of by sbatch."""
    script = RECIPE.replace("dask_jobqueue import", "dask_jobqueue.local import")
    script = script.replace("SLURMCluster", "LocalCluster").replace("jobs=100", "jobs=2")
    (tmp_path / "cluster.py").write_text(script)
    cluster = subprocess.Popen(
        [sys.executable, "cluster.py"],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        address = cluster.stdout.readline().strip()
        found = study.sweep(AXES, realisations=4).run(tmp_path / "store", address)
        xr.testing.assert_identical(found.load(), local)
    finally:
        cluster.communicate("\n", timeout=60)
    assert cluster.returncode == 0
