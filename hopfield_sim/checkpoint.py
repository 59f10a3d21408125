"""The state of a long run, kept in a file so that a run that was killed goes on from there.

A checkpoint is one NumPy archive (.npz): the arrays of a state, and the identity (JSON) of the
computation that it is a state of. It is written under another name and renamed, so that it is there
whole or not at all, and several processes that save the same one do no harm. It saves time and
decides nothing: a file that is damaged or belongs to something else costs the time it would have
saved, and so does a disk that is full.
"""

from __future__ import annotations

import contextlib
import dataclasses
import glob
import hashlib
import io
import json
import os
import shutil
import time
import uuid
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import numpy as np

from hopfield_sim.models import Model

_LABEL = "identity"  # of the computation, and the digests of the arrays


@dataclass(frozen=True)
class Checkpoint:
    """Where the state of one run is kept, and how often.

    path: of the file, without suffix; `<path>.npz` appears when something is saved, its folder too.
    seconds: least time between two savings.
    is_part: whether other runs belong to the same computation (see `part`).

    Raises ValueError for a negative or infinite time.
    """

    path: Path
    seconds: float = 60.0
    is_part: bool = False
    _clock: dict = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self):
        object.__setattr__(self, "path", Path(self.path))
        if not (np.isfinite(self.seconds) and self.seconds >= 0):
            raise ValueError(
                f"seconds={self.seconds!r} is not possible; the least time between two savings is "
                "a finite number >= 0."
            )
        self._clock["saved"] = time.monotonic()

    def __reduce__(self):  # another process has another clock
        return Checkpoint, (self.path, self.seconds, self.is_part)

    @property
    def file(self) -> Path:
        """The archive itself."""
        return self.path.with_name(self.path.name + ".npz")

    def part(self, name: str) -> Checkpoint:
        """A checkpoint for one of several runs of a computation; removed together with this one.

        The end of such a run is kept too: it is not computed again while the others are.
        """
        if not name:
            raise ValueError("a part of a checkpoint needs a name, one for each run.")
        return Checkpoint(self._parts / quote(name, safe=" "), self.seconds, True)

    def load(self, identity: Mapping[str, object]) -> dict[str, np.ndarray] | None:
        """The arrays that were saved under this identity.

        None where nothing was saved, and, with a warning, where the file is damaged or belongs to
        another computation.
        """
        try:
            with open(self.file, "rb") as file:
                archive = io.BytesIO(file.read())
        except FileNotFoundError:
            return None
        except OSError as error:
            return self._left_out(f"cannot be read ({error})")
        try:
            with np.load(archive, allow_pickle=False) as kept:
                arrays = {name: kept[name] for name in kept.files}
            found, digests = json.loads(arrays.pop(_LABEL).item())
            if {name: digest(values) for name, values in arrays.items()} != digests:
                raise ValueError("arrays are missing or changed")  # zip checks no list of files
        except Exception as error:  # whatever damaged bytes make NumPy and zipfile raise
            return self._left_out(f"is damaged ({type(error).__name__}: {error})")
        wanted = json.loads(json.dumps(identity))
        if found != wanted:
            names = sorted(
                name for name in found.keys() | wanted if found.get(name) != wanted.get(name)
            )
            return self._left_out(
                f"is of another computation (other {', '.join(names)}); give each of several runs "
                "its own, e.g. checkpoint.part(name)"
            )
        return arrays

    def save(self, identity: Mapping[str, object], arrays: Mapping[str, np.ndarray]) -> None:
        """Keep arrays under an identity (JSON), in place of what was kept before.

        What the file system refuses becomes one warning: the run goes on without a checkpoint.
        """
        archive = io.BytesIO()
        digests = {name: digest(values) for name, values in arrays.items()}
        label = json.dumps([identity, digests], sort_keys=True)
        np.savez(archive, **{_LABEL: np.array(label)}, **arrays)
        temporary = self.path.with_name(f"{self.path.name}.{uuid.uuid4().hex}.tmp")
        try:
            temporary.parent.mkdir(parents=True, exist_ok=True)
            try:
                with open(temporary, "wb") as file:
                    file.write(archive.getbuffer())
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(temporary, self.file)
            except BaseException:
                with contextlib.suppress(OSError):
                    temporary.unlink()
                raise
        except OSError as error:
            if "warned" not in self._clock:
                self._clock["warned"] = True
                warnings.warn(
                    f"the checkpoint {self.file} could not be saved ({error}): the run goes on, "
                    "but if it is interrupted it starts again from the last one saved, or from its "
                    "beginning. Make room, or choose another folder.",
                    stacklevel=2,
                )
        self._clock["saved"] = time.monotonic()

    def due(self) -> bool:
        """Whether `seconds` have passed since the last saving, or since this object was made."""
        return time.monotonic() - self._clock["saved"] >= self.seconds

    def remove(self) -> None:
        """Delete the file, its parts, and what killed processes left of either."""
        unfinished = glob.glob(f"{glob.escape(str(self.path))}.{'[0-9a-f]' * 32}.tmp")
        for file in (self.file, *map(Path, unfinished)):
            file.unlink(missing_ok=True)
        shutil.rmtree(self._parts, ignore_errors=True)

    @property
    def _parts(self) -> Path:
        return self.path.with_name(self.path.name + ".parts")

    def _left_out(self, why: str) -> None:
        warnings.warn(
            f"the checkpoint {self.file} {why}: it is not used, the run starts from its beginning "
            "and replaces it.",
            stacklevel=3,
        )


def fingerprint(model: Model, spins: np.ndarray) -> dict[str, object]:
    """What tells a network from others: its class, every field of it, and how it acts on a state.

    spins: (lane, neuron), recorded too; the network is tried on those of the first lane. Arrays are
    represented by their SHA-256, functions by their name and by what they do there.
    """
    told = {"class": f"{type(model).__module__}.{type(model).__qualname__}"}
    for entry in dataclasses.fields(model):
        value = getattr(model, entry.name)
        if isinstance(value, np.ndarray):
            value = digest(value)
        elif isinstance(value, np.generic):
            value = value.item()
        elif not isinstance(value, bool | int | float | str | None):
            value = getattr(value, "__qualname__", type(value).__qualname__)
        told[entry.name] = value
    first = spins[:1]
    told |= {"spins": digest(spins), "memory": digest(model.memory(first))}
    told["local fields"] = digest(model.field(first))
    if model.symmetric:
        told["total energy"] = digest(model.energy(first))
    return told


def digest(array: np.ndarray) -> str:
    """SHA-256 of an array: its type, shape and values."""
    array = np.ascontiguousarray(array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    content = hashlib.sha256(f"{array.dtype.str} {array.shape}".encode())
    content.update(array.data.cast("B") if array.size else b"")
    return content.hexdigest()
