"""Real patterns: scikit-learn's handwritten digits, and any folder of IDX files (MNIST format)."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np


class Images(NamedTuple):
    """Images as patterns.

    patterns: (pattern, neuron), one neuron a pixel, row by row: float32 of +-1, or, for continuous
        states, float64 grey values from -1 (black) to 1 (brightest);
    labels: int64 (pattern,), -1 where the source has none; shape: (rows, columns) of a picture.
    """

    patterns: np.ndarray
    labels: np.ndarray
    shape: tuple[int, int]


def digits(threshold: float | Literal["median"] | None = 8) -> Images:
    """The 1797 handwritten digits of scikit-learn, 8 x 8 pixels: xi = +1 where pixel >= threshold.

    threshold: grey value in (0, 16], or "median": +1 where a pixel is brighter than its median over
    all images, so that it is lit as often as not, if its grey values allow it; None: the grey
    values themselves, from -1 to 1, for networks with continuous states. Needs scikit-learn
    (`pip install hopfield-sim[digits]`; no download: the images come with it). Raises
    ModuleNotFoundError without it, ValueError for another threshold.
    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI (1998).
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as missing:
        raise ModuleNotFoundError(
            "the digits come with scikit-learn, which is not installed; "
            "get it with: pip install 'hopfield-sim[digits]'"
        ) from missing
    data = load_digits()
    return _as_patterns(data.images, data.target, threshold, brightest=16)


def folder(
    path: str | Path, threshold: float | Literal["median"] | None = 128, prefix: str = ""
) -> Images:
    """The images of a folder of IDX files, plain or gzip: xi = +1 where pixel >= threshold.

    The folder holds `PREFIX*images-idx3-ubyte[.gz]` and, where there are labels,
    `PREFIX*labels-idx1-ubyte[.gz]`, as MNIST and Fashion-MNIST are distributed. prefix: chooses
    among several sets, e.g. "t10k" or "train". threshold: grey value in (0, 255], "median" or None,
    as for `digits`.

    Raises FileNotFoundError where there is no such file, ValueError where there are several, or a
    file is not in the format, is cut off, or labels and images differ in number.
    """
    path = Path(path)
    images = idx(_single(path, f"{prefix}*images-idx3-ubyte*"))
    if images.ndim != 3:
        raise ValueError(f"{path}: the images file holds {images.ndim} axes, not 3.")
    labels = None
    if list(path.glob(f"{prefix}*labels-idx1-ubyte*")):
        labels = idx(_single(path, f"{prefix}*labels-idx1-ubyte*"))
        if labels.shape != images.shape[:1]:
            raise ValueError(f"{path}: {len(images)} images but {labels.size} labels.")
    return _as_patterns(images, labels, threshold, brightest=255)


def idx(path: str | Path) -> np.ndarray:
    """The array of one IDX file of bytes, plain or gzip: uint8, of the shape in its header.

    Header: two zero bytes, type 0x08, the number of axes, then each length as big-endian uint32.
    Raises ValueError for any other content and for a file whose length does not fit its header.
    """
    path = Path(path)
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        try:
            raw = gzip.decompress(raw)
        except (EOFError, OSError, zlib.error) as broken:
            raise ValueError(f"{path}: damaged or cut-off gzip file ({broken}).") from broken
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: no IDX file of bytes (it must begin with 00 00 08).")
    n_axes = raw[3]
    shape = np.frombuffer(raw, ">u4", n_axes, 4) if len(raw) >= 4 + 4 * n_axes else None
    if shape is None or len(raw) != 4 + 4 * n_axes + int(np.prod(shape, dtype=np.int64)):
        raise ValueError(f"{path}: the file is cut off or too long for its header.")
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * n_axes).reshape(shape.tolist())


def _single(path: Path, name: str) -> Path:
    if not path.is_dir():
        raise FileNotFoundError(f"{path} is no folder; give one that holds IDX files ({name}).")
    found = sorted(path.glob(name))
    if not found:
        raise FileNotFoundError(f"{path} holds no file {name} (plain or .gz).")
    if len(found) > 1:
        raise ValueError(
            f"{path} holds several files {name}: {', '.join(f.name for f in found)}; "
            "choose one set with prefix=..."
        )
    return found[0]


def _as_patterns(
    images: np.ndarray,
    labels: np.ndarray | None,
    threshold: float | Literal["median"] | None,
    brightest: int,
) -> Images:
    flat = images.reshape(len(images), -1)
    if threshold is None:
        found = 2 * flat.astype(float) / brightest - 1
    elif isinstance(threshold, str) and threshold == "median":
        found = _signs(flat > np.median(flat, axis=0))
    elif not isinstance(threshold, str) and 0 < threshold <= brightest:  # NaN fails too
        found = _signs(flat >= threshold)
    else:
        raise ValueError(
            f"threshold={threshold!r} is not possible; it must lie in (0, {brightest}], or be "
            "'median' or None (grey values)."
        )
    known = np.full(len(images), -1) if labels is None else labels
    return Images(found, known.astype(np.int64), images.shape[1:])


def _signs(lit: np.ndarray) -> np.ndarray:
    return np.where(lit, 1, -1).astype(np.float32)
