"""``folder:photos``: images in class folders, ``train/CLASS/*.png`` and ``test/CLASS/*.png``."""

import os
from pathlib import Path
from typing import Literal

import numpy as np

from memtail_core.data.image_files.index import folder_index
from memtail_core.data.image_files.labelled import Broken, Labelled, image_splits
from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError


def load(
    path: str,
    /,
    *,
    size: int | None = None,
    class_folders: Literal["top", "leaf"] | None = None,
    broken: Broken = "error",
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
    index = folder_index(str(root), class_folders)
    names = [name for group in index.sets.values() for name in group]
    given = Labelled(
        str(root),
        [index.path(name) for name in names],
        names,
        np.array([label for labels in index.labels.values() for label in labels], np.int64),
        index.classes,
        n_train=len(index.sets["train"]),
        faults=index.faults,
        path=index.path,
    )
    return image_splits(given, size, broken, index.account)
