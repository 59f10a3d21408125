"""Where the predictions are kept: one Zarr tree, a group a theory, for any reader of Zarr.

The root has the attributes of identity: format, title and settings. Each theory's group has the
digest of the equations that it came from, and appears whole or not at all. The group `provenance`
says when and with which versions each was computed; all else is the same for the same computation.
"""

from __future__ import annotations

import hashlib
import importlib
import json
import os
import shutil
import uuid
from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from hopfield_sim import provenance, theory

FORMAT = "hopfield-sim predictions 1"
TITLE = "Predictions of the theories of associative memories"


def digest(name: str) -> str:
    """Of the equations and the choice of slices that a theory's numbers come from."""
    folder = Path(theory.__file__).parent
    chosen = Path(importlib.import_module(f"experiments.predicting.{name}").__file__)
    found = hashlib.sha256()
    for path in (*sorted(folder.rglob("*.py")), chosen):
        found.update(path.name.encode() + b"\0" + path.read_bytes())
    return found.hexdigest()[:16]


def opened(path: Path, points: int) -> Predictions:
    """The tree at a path, made if nothing is there.

    Raises ValueError if something else is there, or predictions with other settings.
    """
    import zarr

    wanted = {"format": FORMAT, "title": TITLE, "settings": provenance.as_json({"points": points})}
    if not os.path.lexists(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        root = zarr.open_group(path, mode="w-", zarr_format=3, attributes=wanted)
        root.create_group("provenance", attributes={"runs": "{}"})
        return Predictions(path, points)
    try:
        found = dict(zarr.open_group(path, mode="r", zarr_format=3).attrs)
    except (OSError, ValueError, KeyError):  # no group of Zarr at all
        found = {}
    if found.get("format") != FORMAT:
        raise ValueError(
            f"{path} exists and holds no predictions, and nothing was changed; choose another path "
            "with --store."
        )
    if found["settings"] != wanted["settings"]:
        raise ValueError(
            f"{path} was made with the settings {found['settings']}, not {wanted['settings']}, and "
            "nothing was changed; choose another path with --store, or delete it yourself."
        )
    return Predictions(path, points)


@dataclass(frozen=True)
class Predictions:
    """The tree at `path`, of lines with `points` points."""

    path: Path
    points: int

    def has(self, name: str) -> bool:
        """Whether a theory is there; ValueError if it came from other equations."""
        import zarr

        if not (self.path / name).exists():
            return False
        found = zarr.open_group(self.path / name, mode="r").attrs["digest"]
        if found != digest(name):
            raise ValueError(
                f"{self.path} holds predictions of {name} by another version of the theory, and "
                "nothing was changed; choose another path with --store, or delete "
                f"{self.path / name}."
            )
        return True

    def compute(self, name: str) -> None:
        """Compute a theory and put it there in one step."""
        found = importlib.import_module(f"experiments.predicting.{name}").compute(self.points)
        tree = xr.DataTree.from_dict({path: _storable(one) for path, one in found.items()})
        tree.attrs = {"digest": digest(name)}
        draft = self.path.with_name(f".{self.path.name}.{uuid.uuid4().hex}")
        try:
            tree.to_zarr(draft, mode="w-", consolidated=False, zarr_format=3)
            draft.rename(self.path / name)
        finally:
            shutil.rmtree(draft, ignore_errors=True)

    def record(self, names: list[str]) -> None:
        """Note when and with what these theories were computed."""
        import zarr

        group = zarr.open_group(self.path / "provenance", mode="r+", zarr_format=3)
        runs = json.loads(group.attrs["runs"])
        group.attrs["runs"] = provenance.as_json(
            runs | dict.fromkeys(names, provenance.circumstances())
        )


def _storable(found: xr.Dataset) -> xr.Dataset:
    """With text as objects, for the format has no strings of fixed length, and with the order of
    the variables as an attribute, for a group of Zarr has none."""
    found = found.assign_attrs(variables=" ".join(map(str, found.data_vars)))
    text = {name: v.astype(object) for name, v in found.variables.items() if v.dtype.kind == "U"}
    return found.assign_coords({n: v for n, v in text.items() if n in found.coords}).assign(
        {n: v for n, v in text.items() if n not in found.coords}
    )
