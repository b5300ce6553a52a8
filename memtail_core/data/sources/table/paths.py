"""The path of a file as a user writes it."""

import os
import re
from pathlib import Path

from memtail_core.errors import DatasetError


def existing(path: str) -> Path:
    """Return the file at ``path``; raises DatasetError if there is none."""
    file = Path(os.path.expanduser(path))
    if file.is_dir():
        raise DatasetError(f"'{file.absolute()}' is a folder: name a file in it")
    if not file.is_file():
        hint = ""
        if re.search(r"[\x00-\x1f]", path):
            hint = ": write a path of Windows in single quotes, or with '/'"
        raise DatasetError(f"there is no file '{file.absolute()}'{hint}")
    return file
