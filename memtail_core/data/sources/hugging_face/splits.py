"""Finds the files of each split in the folder of a Hugging Face dataset."""

import json
import os
import re
from collections import defaultdict
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from memtail_core.data.image_files.tree import is_hidden
from memtail_core.data.wording import some
from memtail_core.errors import DatasetError

_TEST = ("test", "validation")
_WORDS = {  # as Hugging Face reads the names of files and folders
    **dict.fromkeys(("train", "training"), "train"),
    **dict.fromkeys(("validation", "valid", "val", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "eval", "evaluation"), "test"),
}
_PARTS = re.compile(r"[^0-9A-Za-z]+")


def found(folder: str) -> dict[str, list[Path]]:
    """Return the files of each split, in order.

    A dataset that ``save_to_disk`` wrote without splits is the split "train".

    Raises:
        DatasetError: the folder is no such dataset.
    """
    root = Path(os.path.expanduser(folder))
    if not root.is_dir():
        raise DatasetError(f"there is no folder '{root.absolute()}'")
    if (root / "dataset_dict.json").is_file():
        names = _json(root / "dataset_dict.json").get("splits")
        if not isinstance(names, list) or not all(isinstance(n, str) for n in names) or not names:
            raise DatasetError(f"'{root / 'dataset_dict.json'}' names no splits")
        return {name: _saved(_inside(root, name)) for name in names}
    if (root / "state.json").is_file() or (root / "dataset_info.json").is_file():
        return {"train": _saved(root)}
    if files := [f for f in sorted(root.rglob("*.parquet")) if _is_visible(f, root)]:
        return _of_repository(files, root)
    raise DatasetError(
        f"'{folder}' is no Hugging Face dataset: it has neither dataset_dict.json, nor "
        "dataset_info.json, nor Parquet files"
    )


def test_split(splits: Container[str], but: str) -> str | None:
    """Return which split is the test set, if there is one other than ``but``."""
    return next((name for name in _TEST if name in splits and name != but), None)


def _saved(folder: Path) -> list[Path]:
    """The arrow files that ``Dataset.save_to_disk`` wrote into a folder."""
    state = _json(folder / "state.json") if (folder / "state.json").is_file() else {}
    if state.get("_indices_files") or state.get("_indices_data_files"):
        raise DatasetError(
            f"'{folder}' holds a selection of rows, as old versions of datasets save it: load it, "
            "call flatten_indices(), and save it again"
        )
    listed = state.get("_data_files")
    if isinstance(listed, list):
        files = [_inside(folder, str(_get(each, "filename"))) for each in listed]
    else:
        files = sorted(folder.glob("*.arrow"))
    if not files:
        raise DatasetError(f"'{folder}' has no .arrow files")
    if missing := [file for file in files if not file.is_file()]:
        raise DatasetError(f"'{folder}' lacks {some([f.name for f in missing])}: copy it whole")
    return files


def _of_repository(files: Iterable[Path], root: Path) -> dict[str, list[Path]]:
    """Parquet files by the split that their names, or their folders', tell."""
    splits: dict[str, list[Path]] = defaultdict(list)
    configs: dict[str, set[Path]] = defaultdict(set)
    for file in files:
        split, config = _named(file.relative_to(root))
        splits[split].append(file)
        configs[split].add(config)
    several = sorted({str(c) for each in configs.values() for c in each})
    if len(several) > 1:
        raise DatasetError(
            f"'{root}' has several configurations, {some(several, 10)}: read one of them, as "
            f"'hf:{root / several[0]}'"
        )
    return dict(splits)


def _named(path: Path) -> tuple[str, Path]:
    """The split of a file, and the folder of its configuration: ``data/train-00000.parquet``."""
    parts = (*path.parts[:-1], path.stem)
    for depth in range(len(parts) - 1, -1, -1):
        for word in _PARTS.split(parts[depth].lower()):
            if word in _WORDS:
                return _WORDS[word], Path(*parts[:depth])
    return "train", path.parent


def _inside(folder: Path, name: str) -> Path:
    """A file or folder that a dataset names; it must lie within."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise DatasetError(f"'{folder}' names '{name}', which lies outside of it")
    return path


def _is_visible(file: Path, root: Path) -> bool:
    return not any(is_hidden(part) for part in file.relative_to(root).parts)


def _get(entry: object, name: str) -> object:
    return entry.get(name, "") if isinstance(entry, dict) else ""


def _json(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"cannot read '{file}': {str(error).splitlines()[0]}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"'{file}' is not what Hugging Face writes")
    return content
