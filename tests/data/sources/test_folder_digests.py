"""Folders of plain 8-bit images keep their digests, and with them their studies."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from memtail_core.data import load
from memtail_core.study import DatasetTable

RNG = np.random.default_rng(21)
COLOUR = RNG.integers(0, 256, (8, 6, 5, 3), dtype=np.uint8)
GREY = COLOUR[..., 0]


def plain(root: Path) -> None:
    """Colour, grey, black and white, a palette and an opaque alpha channel, in two folders."""
    images = [Image.fromarray(pixels) for pixels in COLOUR]
    images[1] = Image.fromarray(GREY[1])
    images[2] = Image.fromarray(GREY[2] > 128)
    images[3] = images[3].quantize(16)
    images[4] = Image.fromarray(np.dstack([COLOUR[4], np.full((6, 5), 255, np.uint8)]))
    for i, image in enumerate(images):
        folder = root / ("ant" if i % 2 else "bee/2024" if i == 6 else "bee")
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{i}.{'PNG' if i == 5 else 'png'}")
    (root / "notes.txt").write_text("no image")


def train_and_test(root: Path) -> None:
    """The same twice, as ``train/`` and ``test/``."""
    plain(root / "Train")
    plain(root / "test")


def grey(root: Path) -> None:
    """Grey images alone."""
    for i, pixels in enumerate(GREY):
        folder = root / f"class {i % 3}"
        folder.mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels).save(folder / f"{i}.bmp")


def sixteen_bits(root: Path) -> None:
    """Grey images that use all 16 bits."""
    for i, pixels in enumerate(GREY):
        (root / str(i % 2)).mkdir(exist_ok=True, parents=True)
        Image.fromarray(pixels.astype(np.uint16) * 257 + i).save(root / str(i % 2) / f"{i}.png")


@pytest.mark.parametrize(
    ("write", "size", "digest"),
    [
        (plain, None, "a22196cca5fb2361"),
        (plain, 4, "cf45b34dd848fe5b"),
        (train_and_test, None, "56d24f7331c4e4a0"),
        (grey, None, "299e092e05ad2700"),
        (grey, 7, "49edc025cddb4014"),
        (sixteen_bits, None, "ab656f83be39698e"),
        (sixteen_bits, 4, "aec2be39c8d0b9eb"),
    ],
)
def test_what_was_always_read_rightly_keeps_its_digest(tmp_path, write, size, digest):
    write(tmp_path)
    options = {} if size is None else {"size": size}
    assert load(DatasetTable(source=f"folder:{tmp_path}", **options)).sha256[:16] == digest
