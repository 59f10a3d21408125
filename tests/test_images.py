"""Real patterns: the digits that come with scikit-learn, and folders of IDX files."""

from __future__ import annotations

import gzip
import os
import struct
from pathlib import Path

import numpy as np
import pytest

from hopfield_sim import images


def idx_bytes(array: np.ndarray) -> bytes:
    """The IDX form of bytes: 00 00 08, the number of axes, big-endian lengths, the data."""
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    return header + array.astype(np.uint8).tobytes()


PIXELS = np.arange(5 * 3 * 4).reshape(5, 3, 4) * 4  # 0 ... 236
LABELS = np.array([3, 1, 4, 1, 5])


@pytest.fixture
def folder(tmp_path):
    """Five pictures of 3 x 4 pixels with labels, plain."""
    (tmp_path / "train-images-idx3-ubyte").write_bytes(idx_bytes(PIXELS))
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS))
    return tmp_path


def test_digits_are_the_1797_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets", reason="needs scikit-learn for its digits")
    found = images.digits()
    assert found.patterns.shape == (1797, 64)
    assert found.patterns.dtype == np.float32
    assert found.shape == (8, 8)
    assert set(np.unique(found.patterns)) == {-1, 1}
    assert np.bincount(found.labels).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    grey = datasets.load_digits().images
    np.testing.assert_array_equal(found.patterns.reshape(-1, 8, 8) > 0, grey >= 8)
    for threshold in (1, 16):
        other = images.digits(threshold).patterns.reshape(-1, 8, 8)
        np.testing.assert_array_equal(other > 0, grey >= threshold)


@pytest.mark.parametrize("threshold", [0, -1, 17, float("nan"), "mean"])
def test_digits_refuse_a_threshold_outside_their_grey_values(threshold):
    pytest.importorskip("sklearn", reason="needs scikit-learn for its digits")
    with pytest.raises(ValueError, match="threshold=.*\\(0, 16\\]"):
        images.digits(threshold)


def test_a_plain_folder(folder):
    found = images.folder(folder)
    assert found.patterns.shape == (5, 12)
    assert found.shape == (3, 4)
    assert found.labels.tolist() == LABELS.tolist()
    np.testing.assert_array_equal(found.patterns, np.where(PIXELS.reshape(5, 12) >= 128, 1, -1))
    np.testing.assert_array_equal(images.folder(str(folder), 4).patterns[0], [-1] + 11 * [1])


def test_median_lights_each_pixel_as_often_as_not(folder):
    """Five images, each brighter than the one before at every pixel: the last two are lit."""
    found = images.folder(folder, "median").patterns
    np.testing.assert_array_equal(found > 0, np.arange(5)[:, None] > 2 + np.zeros(12))


def test_grey_values_for_continuous_states(folder):
    grey = images.folder(folder, None).patterns
    np.testing.assert_allclose((grey + 1) * 127.5, PIXELS.reshape(5, 12), atol=1e-12)


def test_gzip_is_the_same_as_plain(folder, tmp_path_factory):
    packed = tmp_path_factory.mktemp("gzip")
    for file in folder.iterdir():
        (packed / f"{file.name}.gz").write_bytes(gzip.compress(mtime=0, data=file.read_bytes()))
    for a, b in zip(images.folder(folder), images.folder(packed), strict=True):
        np.testing.assert_array_equal(a, b)


def test_without_labels_every_label_is_minus_one(folder):
    (folder / "train-labels-idx1-ubyte").unlink()
    assert images.folder(folder).labels.tolist() == [-1] * 5


def test_several_sets_are_told_apart_by_prefix(folder):
    (folder / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(255 - PIXELS[:2]))
    with pytest.raises(ValueError, match="several files.*t10k.*train.*prefix="):
        images.folder(folder)
    assert len(images.folder(folder, prefix="train").patterns) == 5
    test_set = images.folder(folder, prefix="t10k")
    assert len(test_set.patterns) == 2
    assert test_set.labels.tolist() == [-1, -1]  # and not the labels of the other set


def test_missing_folder_and_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match="is no folder.*images-idx3-ubyte"):
        images.folder(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="holds no file .*images-idx3-ubyte"):
        images.folder(tmp_path)


def test_labels_of_another_set_are_refused(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(idx_bytes(LABELS[:4]))
    with pytest.raises(ValueError, match="5 images but 4 labels"):
        images.folder(folder)


def test_images_must_have_three_axes(folder):
    (folder / "train-images-idx3-ubyte").write_bytes(idx_bytes(PIXELS.reshape(5, 12)))
    with pytest.raises(ValueError, match="holds 2 axes, not 3"):
        images.folder(folder)


WHOLE = idx_bytes(PIXELS)
PACKED = gzip.compress(mtime=0, data=WHOLE)
WRONG_BYTES = PACKED[:30] + bytes(255 - b for b in PACKED[30:40]) + PACKED[40:]
WRONG_BLOCK = PACKED[:10] + b"\x07" + PACKED[11:]  # a deflate block of a type that does not exist
WRONG_SUM = PACKED[:-8] + bytes(4) + PACKED[-4:]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "no IDX file"),
        (b"\x00\x00", "no IDX file"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "no IDX file"),
        (b"\x00\x00\x0d" + WHOLE[3:], "no IDX file"),  # 0x0D: floats, not bytes
        (WHOLE[:3], "no IDX file"),
        (WHOLE[:9], "cut off or too long"),  # within the header
        (WHOLE[:-1], "cut off or too long"),
        (WHOLE + b"\x00", "cut off or too long"),
        (b"\x00\x00\x08\x00", "cut off or too long"),  # a header without axes
        (PACKED[:-9], "damaged or cut-off gzip"),
        (PACKED[:20], "damaged or cut-off gzip"),
        (WRONG_BYTES, "damaged or cut-off gzip"),
        (WRONG_BLOCK, "damaged or cut-off gzip"),
        (WRONG_SUM, "damaged or cut-off gzip"),
    ],
)
def test_damaged_files_are_refused_and_named(tmp_path, content, sentence):
    path = tmp_path / "x-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=sentence) as caught:
        images.idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("threshold", [0, -3, 256, float("nan")])
def test_thresholds_that_separate_nothing_are_refused(folder, threshold):
    with pytest.raises(ValueError, match="threshold=.*must lie in \\(0, 255\\]"):
        images.folder(folder, threshold)


VARIABLE = "HOPFIELD_SIM_IMAGES"
REAL = {  # folder, pictures, pictures of each label
    "mnist": (10_000, [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]),
    "fashion-mnist-900": (900, [90] * 10),
}


@pytest.mark.parametrize("name", REAL)
def test_real_folders(name):
    """The 10,000 test digits of MNIST and 900 items of Fashion-MNIST, where they are at hand."""
    if VARIABLE not in os.environ:
        pytest.skip(f"set {VARIABLE} to a folder with mnist/ and fashion-mnist-900/ to read them")
    found = images.folder(Path(os.environ[VARIABLE]) / name)
    n_images, by_label = REAL[name]
    assert found.patterns.shape == (n_images, 784)
    assert found.shape == (28, 28)
    assert np.bincount(found.labels).tolist() == by_label
    bright = (found.patterns > 0).mean(axis=1)
    assert 0 < bright.min()  # every picture has some ink ...
    assert 0.05 < bright.mean() < 0.6  # ... and background
