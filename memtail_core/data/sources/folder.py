"""``folder:photos``: images in class folders, ``train/CLASS/*.png`` and ``test/CLASS/*.png``."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError

_ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm"}

_OTHER_SPLITS = {"test", "training", "testing", "val", "valid", "validation"}


def load(path: str, /, *, size: int | None = None) -> Splits:
    """Read the images below ``path``; without ``train/`` and ``test/``, its folders are classes.

    Args:
        path: the folder.
        size: resize every image to size × size pixels. Without it all must have one size.
    """
    root = Path(os.path.expanduser(path))
    if not root.is_dir():
        raise DatasetError(f"there is no folder '{root.absolute()}'")
    if size is not None and not 1 <= size <= 4096:
        raise DatasetError(f"[dataset] size = {size!r}: give the pixels of a side, 1 to 4096")
    folders = {f.name.lower(): f for f in root.iterdir() if f.is_dir()}
    train_root, test_root = folders.get("train", root), folders.get("test")
    if "train" not in folders and (splits := _OTHER_SPLITS & folders.keys()):
        raise DatasetError(
            f"'{root}' has {min(splits)}/ but no train/: expected {root}/train/CLASS/*.png, and "
            f"{root}/test/CLASS/*.png for a test set"
        )
    classes = sorted(f.name for f in train_root.iterdir() if f.is_dir() and f.name[0] != ".")
    if not classes:
        raise DatasetError(
            f"'{train_root}' has no class folders: expected {train_root}/CLASS/*.png"
        )
    train = _files(train_root, classes)
    test = _files(test_root, classes) if test_root and train_root != root else []
    images: list[Any] = []
    files = [file for file, _ in train + test]
    for file, pixels in zip(files, _all_pixels(files, size), strict=True):
        images.append(pixels)
        (h, w), (h2, w2) = images[0].shape[:2], images[-1].shape[:2]
        if (h, w) != (h2, w2):
            raise DatasetError(
                f"the images of '{root}' have different sizes ({w} × {h}, and {w2} × {h2} in "
                f"'{file}'): set [dataset] size = 64, say, to resize them"
            )
    channels = max(image.shape[2] for image in images)
    x = np.stack([np.repeat(i, channels, 2) if i.shape[2] < channels else i for i in images])
    y = np.array([label for _, label in train + test])
    names = [file.relative_to(root).as_posix() for file, _ in train + test]
    n = len(train)
    if not test:
        return Splits(x, y, classes=classes, train_names=names)
    return Splits(x[:n], y[:n], x[n:], y[n:], classes, names[:n], names[n:])


def _files(root: Path, classes: list[str]) -> list[tuple[Path, int]]:
    folders = {f.name for f in root.iterdir() if f.is_dir() and f.name[0] != "."}
    if strange := sorted(folders - set(classes)):
        raise DatasetError(f"'{root}/{strange[0]}' is a class that no training image has")
    files = [
        (file, label)
        for label, name in enumerate(classes)
        for file in sorted((root / name).glob("**/*"))
        if file.suffix.lower() in _ENDINGS
    ]
    if not files:
        raise DatasetError(f"'{root}' holds no images ({', '.join(sorted(_ENDINGS))})")
    return files


def _all_pixels(files: list[Path], size: int | None) -> Iterator[Any]:
    """Read images in threads: Pillow decodes and resizes without the interpreter's lock."""
    pool = ThreadPoolExecutor()
    try:
        yield from pool.map(partial(_pixels, size=size), files)
    finally:
        pool.shutdown(cancel_futures=True)


def _pixels(file: Path, size: int | None) -> Any:
    """Read one image as uint8 [h, w, 1 or 3]."""
    try:
        with Image.open(file) as image:
            if image.mode.startswith("I;16"):  # converting would cut, not scale
                shades = np.asarray(image).astype(np.float64) / 257
                plain = Image.fromarray(shades.round().clip(0, 255).astype(np.uint8))
            elif image.mode in ("I", "F"):
                raise DatasetError(f"the image '{file}' has 32 bits a pixel: save it with 8 or 16")
            else:
                plain = image.convert("L" if image.mode in ("1", "L") else "RGB")
            if size is not None:
                plain = plain.resize((size, size), Image.Resampling.BILINEAR)
            pixels = np.asarray(plain, dtype=np.uint8)
    except (DatasetError, MemoryError):
        raise
    except Exception as error:  # Pillow raises a dozen kinds on damaged files
        raise DatasetError(
            f"cannot read the image '{file}', remove or replace it: {error}"
        ) from error
    return pixels[..., None] if pixels.ndim == 2 else pixels
