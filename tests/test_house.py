"""The house itself: lint, layers, the README's commands and lines, the tour, what is committed."""

import ast
import importlib
import pkgutil
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests import commands

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PYTHON_FILES = sorted(
    path
    for part in ("hopfield_sim", "analysis", "experiments")
    for path in (ROOT / part).rglob("*.py")
)
# What several experiments share is no command.
SHARED = {"__init__", "options", "from_examples"}
EXPERIMENTS = {path.stem for path in (ROOT / "experiments").glob("*.py")} - SHARED


def run(*command, **options):
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **options
    )


@pytest.mark.parametrize("arguments", [("check",), ("format", "--check")])
def test_lint(arguments):
    done = run(sys.executable, "-m", "ruff", *arguments, ".")
    assert done.returncode == 0, done.stdout + done.stderr


def test_layers():
    done = run(sys.executable, "-c", "from importlinter.cli import lint_imports_command as c; c()")
    assert done.returncode == 0, done.stdout + done.stderr


def test_only_device_imports_cupy_and_only_kernels_compile():
    for path in PYTHON_FILES:
        tree = ast.parse(path.read_text())
        imported = {
            name.split(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import | ast.ImportFrom)
            for name in (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
            )
        }
        if path.name != "device.py":
            compilers = set() if path.parent.name == "kernels" else {"numba", "llvmlite"}
            assert not imported & ({"cupy"} | compilers), f"{path} must go through device.py"


def test_import_is_light():
    """`import hopfield_sim` loads no library: names come on first use."""
    heavy = "{'numpy', 'numba', 'xarray', 'dask', 'zarr', 'sklearn', 'arviz_stats'}"
    code = f"import sys, hopfield_sim; print(sorted({heavy} & set(sys.modules)))"
    assert run(sys.executable, "-c", code).stdout.strip() == "[]"


def test_simulation_needs_only_the_core():
    """cupy, dask, zarr, arviz and scikit-learn are imported only where they are asked for."""
    code = """
import sys
for name in ("cupy", "dask", "distributed", "zarr", "arviz_stats", "sklearn", "matplotlib"):
    sys.modules[name] = None  # an import of it now fails
from hopfield_sim import Glauber, Hopfield, Schedule, patterns, simulate
xi = patterns.random(3, 50, seed=1)
run = simulate(Hopfield(xi), Glauber(0.2), xi[0], Schedule(2, 3), seed=1)
print(run.sizes["sample"])
"""
    done = run(sys.executable, "-c", code)
    assert done.stdout.strip() == "3", done.stderr


def test_public_names_exist_and_are_documented():
    import hopfield_sim

    for name in hopfield_sim.__all__:
        assert getattr(hopfield_sim, name).__doc__, name
    with pytest.raises(AttributeError, match="no attribute"):
        hopfield_sim.nothing_of_that_name  # noqa: B018


@pytest.mark.parametrize("package", ["hopfield_sim", "analysis"])
def test_every_public_function_has_a_docstring(package):
    root = importlib.import_module(package)
    bare = []
    for module in pkgutil.walk_packages(root.__path__, f"{package}."):
        tree = ast.parse(Path(importlib.import_module(module.name).__file__).read_text())
        assert ast.get_docstring(tree), module.name
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
                if not ast.get_docstring(node):
                    bare.append(f"{module.name}.{node.name}")
                assert node.name != module.name.split(".")[-1], (
                    "a file has the name of its function"
                )
    assert not bare


def test_readme_lines_run(capsys):
    """The README's ten lines, as they stand there, give an overlap near the predicted one."""
    block = re.search(r"```python\n(.*?)```", README, re.DOTALL).group(1)
    exec(compile(block, "README.md", "exec"), {})
    energies, overlaps = (line.split() for line in capsys.readouterr().out.strip().splitlines())
    assert float(energies[1]) < float(energies[0])  # recalled is below the cue
    # finite size at N = 500: the sample-to-sample spread of m is about 0.005 at (0.04, 0.3)
    assert abs(float(overlaps[0]) - float(overlaps[1])) < 0.02


def test_readme_lines_of_a_sweep_run(tmp_path):
    """As they stand there, by threads, which start sooner than processes."""
    section = README.split("## A week of computing")[1]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    block = block.replace('.run("results/mine.zarr")', '.run("results/mine.zarr", "threads")')
    command = [sys.executable, "-W", "error", "-c", block]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    # 2 loads x 8 realisations, and the third load with the 4 realisations of the first sweep
    assert done.stdout.startswith("20 of 24 cells done, 4 pending\n")
    assert "disorder_error" in done.stdout


def test_readme_lines_of_dense_networks_run(capsys):
    """As they stand there: simulation, TAP and theory agree; both rules recall the archetype."""
    section = README.split("## Dense networks, examples")[1]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    exec(compile(block, "README.md", "exec"), {})
    dense, taught, alone = capsys.readouterr().out.strip().splitlines()
    # at (0.1, 0.3) and N = 200 networks differ by 0.005, and by 1/N from theory
    simulated, mean_field, predicted = map(float, dense.split())
    assert abs(simulated - mean_field) < 0.01 and abs(simulated - predicted) < 0.02
    # theory: 0.985 and 0.984; retrieval ends at three times this load
    assert min(float(taught), float(alone)) > 0.95


def test_readme_lines_of_continuous_states_run(capsys):
    """As they stand there: retrieval, attention as one step of it, thermal sampling and theory."""
    section = README.split("## Continuous states")[1]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    exec(compile(block, "README.md", "exec"), {})
    retrieved, attended, warm = capsys.readouterr().out.strip().splitlines()
    before, after, overlap = map(float, retrieved.split())
    assert after < before and overlap > 0.999
    assert float(attended) < 1e-12
    # 8 chains of 500 correlated samples err by 0.001 (16 of 2000: 0.0005), and patterns of one set
    # at d = 40 differ by as much
    simulated, predicted = map(float, warm.split())
    assert abs(simulated - predicted) < 0.01


def test_readme_lines_of_theory_run():
    """The README's block of theory: each line gives numbers, and the one it quotes is right."""
    section = README.split("## What theory predicts")[1]
    block = re.search(r"```python\n(.*?)```", section, re.DOTALL).group(1)
    import_line, *lines = [line for line in block.splitlines() if line]
    names = {}
    exec(import_line, names)
    for line in lines:
        found = eval(line, names)
        assert found.to_array().notnull().any(), line
        quoted = re.search(r"# alpha_c = ([\d.]+)", line)
        if quoted:
            assert f"{float(found.alpha_c):.8f}" == quoted.group(1)
    table = set(re.findall(r"`(\w+)`", README.split("| module of")[1].split("\n\n")[0]))
    from hopfield_sim import theory

    tools = {"continuation", "labels", "quadrature"}
    assert table - {"theory"} == set(theory.__all__) - tools


def test_readme_names_what_exists():
    for command in re.findall(r"python -m (experiments\.\w+)", README):
        assert (ROOT / (command.replace(".", "/") + ".py")).exists(), command
    assert EXPERIMENTS == set(re.findall(r"`python -m experiments\.(\w+)`", README))
    for picture in re.findall(r"!\[[^]]*\]\(([^)]+)\)", README):
        assert (ROOT / picture).exists(), picture


def test_ci_runs_the_readme_test_command():
    command = next(line for line in README.splitlines() if line.endswith("-m pytest"))
    assert command in (ROOT / ".ci" / "run").read_text().splitlines()


def test_tour_runs(capsys):
    runpy.run_path(str(ROOT / "experiments" / "tour.py"), run_name="__main__")
    assert "projection rule" in capsys.readouterr().out


@pytest.mark.parametrize("name", sorted(EXPERIMENTS - {"tour"}))
def test_help_tells_what_is_done(name):
    printed = commands.printed(name, "--help")
    assert "usage" in printed and len(printed.splitlines()) > 15


def test_every_figure_has_its_experiment():
    for picture in (ROOT / "figures").glob("*.png"):
        assert (ROOT / "experiments" / f"{picture.stem}.py").exists(), picture


def test_visible_top_level_is_the_agreed_one():
    listed = run("git", "ls-files").stdout.split("\n")
    if listed == [""]:
        pytest.skip("not a git checkout: nothing says which files belong to the project")
    visible = {name.split("/")[0] for name in listed if name and not name.startswith(".")}
    agreed = "pyproject.toml hopfield_sim experiments analysis tests figures README.md"
    assert visible <= set(agreed.split()) | {"LICENSE", "CITATION.cff", "CHANGELOG.md"}
