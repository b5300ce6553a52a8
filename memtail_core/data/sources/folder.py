"""``folder:photos``: images in class folders, ``train/CLASS/*.png`` and ``test/CLASS/*.png``.

With ``text = true``, the examples are the text files in these folders.
"""

import os
from pathlib import Path
from typing import Literal

import numpy as np

from memtail_core.data.image_files.index import below, folder_index
from memtail_core.data.image_files.labelled import Broken, Fault, Labelled, Undecoded
from memtail_core.data.sources import image_metadata, text_folder
from memtail_core.data.sources.table.images import ImageColumn
from memtail_core.data.sources.table.options import Missing, Options
from memtail_core.data.splits import NEEDS_TEXT, NO_LABEL, Splits
from memtail_core.errors import DatasetError, StudyError


def load(
    path: str,
    /,
    *,
    size: int | None = None,
    class_folders: Literal["top", "leaf"] | None = None,
    broken: Broken = "error",
    label: str | None = None,
    missing: Missing = "error",
    text: bool = False,
    encoding: str | None = None,
) -> Splits | Undecoded:
    """Read the images or texts below ``path``; without ``train/``, its folders are classes.

    Args:
        path: the folder. The test set is ``test/`` or, where there is none, ``val/``.
        size: resize every image to size × size pixels. Without it all must have one size.
        class_folders: whether the highest folders are the classes, or those that hold the images,
            where they differ.
        broken: "error" refuses files that cannot be read, "skip" leaves them out and says so.
        label: a column of ``metadata.csv`` or ``metadata.jsonl``, which says the classes then; its
            column ``file_name`` has the paths of the images.
        missing: "drop" leaves out rows of that file without an image or label.
        text: read the .txt files instead.
        encoding: of text files, by default UTF-8.
    """
    root = Path(os.path.expanduser(path))
    if not root.is_dir():
        raise DatasetError(f"there is no folder '{root.absolute()}'")
    if label == NO_LABEL:
        if not text:
            raise StudyError(NEEDS_TEXT)
        return text_folder.load_documents(root, broken, encoding)
    if text:
        if label is not None or size is not None:
            raise StudyError(
                "[dataset] label and size are for images: a text's folder is its class"
            )
        return text_folder.load(root, class_folders, broken, encoding)
    if encoding is not None:
        raise StudyError("[dataset] encoding is for texts: set text = true to read .txt files")
    if label is not None:
        if class_folders is not None:
            raise StudyError("[dataset] label and class_folders: one of them says the classes")
        images = ImageColumn(image_metadata.IMAGES, size, broken)
        return image_metadata.load_described(root, label, images, Options(missing=missing))
    try:
        index = folder_index(str(root), class_folders)
    except DatasetError as error:
        hint = image_metadata.hint(root) or text_folder.hint(root)
        raise DatasetError(f"{error}{hint}") from error
    start = below(str(root))
    names = [name for group in index.sets.values() for name in group]
    given = Labelled(
        str(root),
        [start + name for name in names],
        names,
        np.array([label for labels in index.labels.values() for label in labels], np.int64),
        index.classes,
        n_train=len(index.sets["train"]),
        place=lambda row: f"'{start}{names[row]}'",
        faults=[Fault(name, f"'{start}{name}'", why) for name, why in index.faults.items()],
    )
    return Undecoded(given, size, broken, index.account)
