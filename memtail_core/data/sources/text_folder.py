"""A folder of text files in class folders, ``train/CLASS/*.txt`` and ``test/CLASS/*.txt``."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from memtail_core.data.account import Account
from memtail_core.data.image_files.labelled import Broken
from memtail_core.data.image_files.layout import Layout, layout
from memtail_core.data.image_files.set_folders import FileKind
from memtail_core.data.image_files.tree import Tree, tree
from memtail_core.data.splits import Splits
from memtail_core.data.wording import counted, some
from memtail_core.errors import DatasetError, StudyError

_TEXT = FileKind("text", "txt")
_ENDING = ".txt"
_NAMED_FAULTS = 10


def load(root: Path, class_folders: str | None, broken: Broken, encoding: str | None) -> Splits:
    """Read every text file below ``root``; a file's name is its example's.

    Args:
        root: the folder.
        class_folders, broken: as for images.
        encoding: of every file; by default UTF-8, with its byte-order mark or without.

    Raises:
        StudyError: the encoding is unknown.
        DatasetError: there are no text files, their folders do not say what the classes are, or
            some cannot be read.
    """
    listed = tree(str(root))
    files = [path for path in listed.files if path.lower().endswith(_ENDING)]
    if not files:
        raise DatasetError(f"'{root}' holds no text files, *{_ENDING}")
    plan = layout(files, str(root), listed.folders, class_folders, _TEXT)
    faults = dict(listed.unreadable)
    parts = {}
    for name, paths in plan.sets.items():
        texts, kept = [], []
        for row, path in enumerate(paths):
            try:
                texts.append(_text(root / path, encoding))
                kept.append(row)
            except DatasetError as error:
                faults[path] = str(error)
        labels = np.array(plan.labels[name], np.int64)[kept]
        parts[name] = _objects(texts), labels, [paths[row] for row in kept]
    if faults and broken == "error":
        listed_faults = [f"{path} ({why})" for path, why in faults.items()]
        raise DatasetError(
            f"cannot read {counted(len(faults), 'file')} of '{root}', remove or replace them, or "
            f'set [dataset] broken = "skip": {some(listed_faults, _NAMED_FAULTS)}'
        )
    x, y, names = parts["train"]
    if lost := set(range(len(plan.classes))) - set(y.tolist()):
        raise DatasetError(f"'{root}': no text of the class {plan.classes[min(lost)]} can be read")
    x_test, y_test, test_names = parts.get("test", (None, None, []))
    return Splits(
        *(x, y, x_test, y_test, plan.classes, names, test_names),
        modality="text",
        account=_account(listed, plan, files, faults),
    )


def hint(root: Path) -> str:
    """What to do about a folder without images that holds text files."""
    n = sum(path.lower().endswith(_ENDING) for path in tree(str(root)).files)
    read = "its text file" if n == 1 else f"its {n:,} text files"
    return f"; set [dataset] text = true to read {read}" if n else ""


def _text(path: Path, encoding: str | None) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DatasetError(error.strerror or str(error)) from error
    try:
        return content.decode(encoding or "utf-8-sig")
    except LookupError as error:
        raise StudyError(f"[dataset] encoding = '{encoding}' is unknown") from error
    except UnicodeError as error:
        advice = "" if encoding else ": set [dataset] encoding"
        raise DatasetError(f"not {encoding or 'UTF-8'} text{advice}") from error


def _objects(texts: Sequence[str]) -> "np.ndarray[tuple[int], np.dtype[np.object_]]":
    made = np.empty(len(texts), dtype=object)
    made[:] = texts
    return made


def _account(listed: Tree, plan: Layout, files: list[str], faults: dict[str, str]) -> Account:
    """Say what became of every file."""
    n_left = sum(map(len, plan.left_out.values()))
    n_others = len(listed.files) - len(files)
    left_out = [f"{len(group):,} {reason}" for reason, group in plan.left_out.items()]
    left_out += [counted(n_others, "other file")] if n_others else []
    left_out += [f"{listed.hidden:,} hidden"] if listed.hidden else []
    line = f"{counted(len(files) - n_left, 'text file')} read"
    line += f", left out: {', '.join(left_out)}" if left_out else ""
    warnings = []
    if faults:
        what = [f"{path} ({why})" for path, why in faults.items()]
        warnings.append(
            f"{counted(len(faults), 'file')} left out that cannot be read: {some(what)}"
        )
    return Account((line,), tuple(warnings))
