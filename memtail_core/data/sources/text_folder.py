"""A folder of text files in class folders, ``train/CLASS/*.txt`` and ``test/CLASS/*.txt``.

Documents without labels may lie in any folders.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memtail_core.data.account import Account
from memtail_core.data.image_files.labelled import Broken
from memtail_core.data.image_files.layout import layout
from memtail_core.data.image_files.set_folders import TEST, TRAIN, VALIDATION, FileKind
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
    listed, files = _files(root)
    plan = layout(files, str(root), listed.folders, class_folders, _TEXT)
    parts, faults = _parts(root, plan.sets, listed, broken, encoding)
    labels = {name: np.array(plan.labels[name])[kept] for name, (_, kept) in parts.items()}
    if lost := set(range(len(plan.classes))) - set(labels["train"].tolist()):
        raise DatasetError(f"'{root}': no text of the class {plan.classes[min(lost)]} can be read")
    return Splits(
        **_arrays(plan.sets, parts),
        y_train=labels["train"],
        y_test=labels.get("test"),
        classes=plan.classes,
        account=_account(listed, plan.left_out, files, faults),
    )


def load_documents(root: Path, broken: Broken, encoding: str | None) -> Splits:
    """Read every text file below ``root`` as a document without a label.

    Where there are a folder ``train/`` and one ``test/`` or ``val/``, and every text file is below
    one of them, they are the sets.

    Raises:
        StudyError: the encoding is unknown.
        DatasetError: there are no text files, or some cannot be read.
    """
    listed, files = _files(root)
    tops = {path.partition("/")[0].lower() for path in files if "/" in path}
    train = next((top for top in TRAIN if top in tops), None)
    test = next((top for top in (*TEST, *VALIDATION) if top in tops), None)
    sets = {"train": files}
    if train and test:
        sets = {
            name: [path for path in files if path.lower().startswith(f"{top}/")]
            for name, top in (("train", train), ("test", test))
        }
    left_out = sorted(set(files).difference(*sets.values()))
    parts, faults = _parts(root, sets, listed, broken, encoding)
    if not parts["train"][1]:
        raise DatasetError(f"'{root}': no text file can be read")
    why = {f"not below {train}/ or {test}/": left_out} if left_out else {}
    account = _account(listed, why, files, faults)
    return Splits(**_arrays(sets, parts), y_train=None, account=account)


def _files(root: Path) -> tuple[Tree, list[str]]:
    """All files below ``root``, and the text files."""
    listed = tree(str(root))
    files = [path for path in listed.files if path.lower().endswith(_ENDING)]
    if not files:
        raise DatasetError(f"'{root}' holds no text files, *{_ENDING}")
    return listed, files


_Parts = dict[str, tuple[list[str], list[int]]]  # of each set: the texts, and which files they are


def _parts(
    root: Path,
    sets: Mapping[str, Sequence[str]],
    listed: Tree,
    broken: Broken,
    encoding: str | None,
) -> tuple[_Parts, dict[str, str]]:
    """Read the files of each set; the second value says why some could not be read."""
    faults = dict(listed.unreadable)
    parts: _Parts = {}
    for name, paths in sets.items():
        texts, kept = parts.setdefault(name, ([], []))
        for row, path in enumerate(paths):
            try:
                texts.append(_text(root / path, encoding))
                kept.append(row)
            except DatasetError as error:
                faults[path] = str(error)
    if faults and broken == "error":
        listed_faults = [f"{path} ({why})" for path, why in faults.items()]
        raise DatasetError(
            f"cannot read {counted(len(faults), 'file')} of '{root}', remove or replace them, or "
            f'set [dataset] broken = "skip": {some(listed_faults, _NAMED_FAULTS)}'
        )
    return parts, faults


def _arrays(sets: Mapping[str, Sequence[str]], parts: _Parts) -> dict[str, Any]:
    """What Splits takes of the texts of each set."""
    made: dict[str, Any] = {"modality": "text"}
    for name, (texts, kept) in parts.items():
        made[f"x_{name}"] = _objects(texts)
        made[f"{name}_names"] = [sets[name][row] for row in kept]
    return made


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


def _account(
    listed: Tree, left: Mapping[str, Sequence[str]], files: list[str], faults: dict[str, str]
) -> Account:
    """Say what became of every file; ``left`` has the text files left out by the reason."""
    n_left = sum(map(len, left.values()))
    n_others = len(listed.files) - len(files)
    left_out = [f"{len(group):,} {reason}" for reason, group in left.items()]
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
