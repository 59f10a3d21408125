"""Stores of sweeps from the command line: `python -m hopfield_sim --help`."""

from __future__ import annotations

import sys
from pathlib import Path

import tyro
from tyro.conf import Positional

Stores = Positional[tuple[Path, ...]]


def status(stores: Stores) -> int:
    """How far sweeps are: cells done and pending, rate, remaining time, the runs so far.

    Args:
        stores: Paths of stores, finished or not.
    """
    from hopfield_sim import store

    for path in _named(stores):
        print(f"{path}: {store.status(path)}")
    return 0


def check(stores: Stores) -> int:
    """Read every file of stores and name the cells that are damaged; changes nothing.

    The exit status is 1 if there are any. Running the sweep again computes them anew.

    Args:
        stores: Paths of stores, finished or not.
    """
    from hopfield_sim import archive

    worst = 0
    for path in _named(stores):
        found = archive.damaged(path)
        worst = max(worst, bool(found))
        print(f"{path}: {len(found) or 'no'} damaged points")
        for point in found:
            print("  " + ", ".join(f"{name}={value!r}" for name, value in point.items()))
    return worst


def merge(stores: Stores, *, into: Path) -> int:
    """Unite stores of one computation on whatever grids; where two have a cell, it is compared.

    Args:
        stores: Paths of stores with the same title, settings and seed; they are not changed.
        into: Path of a new store, or of one of the same computation, which is then completed.
    """
    from hopfield_sim import archive, store

    archive.merge(stores, into)
    print(f"{into}: {str(store.status(into)).splitlines()[0]}")
    return 0


def repack(store: Positional[Path], *, into: Path, partial: bool = False) -> int:
    """Put a finished store into few files.

    Args:
        store: Path of the store; it stays as it is.
        into: Path where nothing is yet: NAME.nc is one NetCDF file, anything else a Zarr directory.
        partial: Pack a store with pending cells too.
    """
    from hopfield_sim import archive

    archive.repack(store, into, partial)
    files = [into] if into.is_file() else [file for file in into.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    print(f"{into}: {len(files)} file{'s' * (len(files) > 1)}, {size / 2**20:.1f} MiB")
    return 0


def _named(stores: tuple[Path, ...]) -> tuple[Path, ...]:
    if not stores:
        raise ValueError("name at least one store: the path that was given as --store")
    return stores


def main(arguments: list[str] | None = None) -> None:
    """Do what the command line says; bad input ends with its sentence and exit status 2."""
    try:
        sys.exit(
            tyro.extras.subcommand_cli_from_dict(
                {"status": status, "check": check, "merge": merge, "repack": repack},
                prog="python -m hopfield_sim",
                description="Stores of sweeps: how far they are, whether they are sound, "
                "uniting them, packing them.",
                args=arguments,
            )
        )
    except (ValueError, RuntimeError, OSError, ModuleNotFoundError) as problem:
        print(f"error: {problem}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("interrupted; the same command goes on from here", file=sys.stderr)
        sys.exit(130)


if __name__ == "__main__":
    main()
