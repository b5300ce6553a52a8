"""``folder:photos``: images in class folders, ``train/CLASS/*.png`` and ``test/CLASS/*.png``."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np

from memtail_core.data.account import Account
from memtail_core.data.image_files.decoding import DEEP_COLOUR, SEVERAL_FRAMES
from memtail_core.data.image_files.index import FolderIndex, folder_index
from memtail_core.data.image_files.reading import Images, read_images
from memtail_core.data.splits import Splits
from memtail_core.data.wording import counted, some
from memtail_core.errors import DatasetError

_NAMED_FAULTS = 10


def load(
    path: str,
    /,
    *,
    size: int | None = None,
    class_folders: Literal["top", "leaf"] | None = None,
    broken: Literal["error", "skip"] = "error",
) -> Splits:
    """Read the images below ``path``; without ``train/``, its folders are classes.

    Args:
        path: the folder. The test set is ``test/`` or, where there is none, ``val/``.
        size: resize every image to size × size pixels. Without it all must have one size.
        class_folders: whether the highest folders are the classes, or those that hold the images,
            where they differ.
        broken: "error" refuses files that cannot be read, "skip" leaves them out and says so.
    """
    root = Path(os.path.expanduser(path))
    if not root.is_dir():
        raise DatasetError(f"there is no folder '{root.absolute()}'")
    if size is not None and not 1 <= size <= 4096:
        raise DatasetError(f"[dataset] size = {size!r}: give the pixels of a side, 1 to 4096")
    index = folder_index(str(root), class_folders)
    names = [name for group in index.sets.values() for name in group]
    y = np.array([label for labels in index.labels.values() for label in labels])
    images = read_images([index.path(name) for name in names], size)
    faults = index.faults | {names[row]: why for row, why in images.faults.items()}
    _check(index, faults, images, names, broken)
    kept = np.setdiff1d(np.arange(len(names)), list(images.faults))
    if lost := set(range(len(index.classes))) - set(y[kept].tolist()):
        name = index.classes[min(lost)]
        raise DatasetError(f"'{root}': no image of the class {name} can be read")
    assert images.pixels is not None  # some image was read
    x = images.pixels if len(kept) == len(names) else images.pixels[kept]
    y, names = y[kept], [names[row] for row in kept]
    n = int(np.count_nonzero(kept < len(index.sets["train"])))
    account = index.account + _account(images, faults, names)
    if "test" not in index.sets:
        return Splits(x, y, classes=index.classes, train_names=names, account=account)
    return Splits(x[:n], y[:n], x[n:], y[n:], index.classes, names[:n], names[n:], account=account)


def _check(
    index: FolderIndex,
    faults: Mapping[str, str],
    images: Images,
    names: list[str],
    broken: str,
) -> None:
    """Raise one DatasetError that names all faults found."""
    wrong = []
    if len(faults) == 1 and broken == "error":
        ((name, why),) = faults.items()
        wrong.append(f"cannot read the image '{index.path(name)}', remove or replace it: {why}")
    elif faults and broken == "error":
        listed = [f"'{name}' ({why})" for name, why in list(faults.items())[:_NAMED_FAULTS]]
        more = f" and {len(faults) - len(listed):,} more" if len(faults) > len(listed) else ""
        wrong.append(
            f"cannot read {len(faults):,} files of '{index.root}', remove or replace them or set "
            f'[dataset] broken = "skip": {", ".join(listed)}{more}'
        )
    if len(images.sizes) > 1:
        (w, h), (w2, h2) = sorted(images.sizes, key=lambda size: images.sizes[size])[:2]
        wrong.append(
            f"the images of '{index.root}' have different sizes ({w} × {h}, and {w2} × {h2} in "
            f"'{index.path(names[images.sizes[w2, h2]])}'): set [dataset] size = 64, say, to "
            "resize them"
        )
    if not wrong and not images.sizes:
        wrong.append(f"'{index.root}': no image can be read")
    if wrong:
        raise DatasetError("; and ".join(wrong))


def _account(images: Images, faults: Mapping[str, str], names: list[str]) -> Account:
    """What is to be said of the pixels."""
    return Account(tuple(_scale_line(images)), tuple(_warnings(images, faults, names)))


def _scale_line(images: Images) -> Iterable[str]:
    if scale := images.scale:
        yield (
            f"{counted(images.n_deep, 'image')} with more than 8 bits of grey: {scale.low:,.6g} … "
            f"{scale.high:,.6g} become the shades 0 … 255"
        )


def _warnings(images: Images, faults: Mapping[str, str], names: list[str]) -> Iterable[str]:
    if faults:
        listed = [f"{name} ({why})" for name, why in faults.items()]
        yield f"{counted(len(faults), 'file')} left out that cannot be read: {some(listed)}"
    if images.scale and images.n_deep < len(names):
        yield (
            f"{len(names) - images.n_deep:,} images have 8 bits and {images.n_deep:,} have more: "
            "their shades may not be comparable"
        )
    said = {
        SEVERAL_FRAMES: "with several frames or pages, of which only the first is read",
        DEEP_COLOUR: "with 16 bits a colour, of which only the upper 8 are read",
    }
    for note, what in said.items():
        if rows := images.noted.get(note):
            yield f"{counted(len(rows), 'image')} {what}, as {some(names[row] for row in rows[:1])}"
    if complaints := sorted(images.complaints):
        yield f"Pillow says of some images: {'; '.join(complaints[:3])}"
