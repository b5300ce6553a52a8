"""Says which folders are the training and the test set, by their names and what lies in them."""

from collections.abc import Iterable
from typing import NamedTuple

from memtail_core.errors import DatasetError

TRAIN = ("train", "training")
TEST = ("test", "testing")
VALIDATION = ("val", "valid", "validation")
SPLITS = (*TRAIN, *TEST, *VALIDATION)


class FileKind(NamedTuple):
    """What the files of a folder are called in messages: the noun of one, and its ending."""

    noun: str
    ending: str


IMAGE = FileKind("image", "png")


def set_folders(
    tops: dict[str, list[str]],
    root: str,
    start: str,
    folders: Iterable[str],
    kind: FileKind = IMAGE,
) -> dict[str, str] | None:
    """Return which folder is "train" and which "test"; None if all folders are classes.

    Args:
        tops: images by the folder directly below ``start`` that they lie in.
        root: the folder that paths are relative to, for messages.
        start: the folder below it where the sets or classes are, with ``/``, or nothing.
        folders: all folders, with images or without.
        kind: of file, for messages.

    Raises:
        DatasetError: a set has no class folders, or there are two folders for one set.
    """
    here = f"{root}/{start}".rstrip("/")
    depth = start.count("/") + 2  # slashes of an image that lies directly in such a folder
    direct = {top: sum(i.count("/") < depth for i in group) for top, group in tops.items()}
    is_flat = {top: direct[top] == len(group) for top, group in tops.items()}
    like = [top for top in tops if top.lower() in SPLITS]
    if len(like) == 1 and len(tops) > 1 and like[0].lower() not in TEST:
        (top,) = like
        if 2 * direct[top] >= len(tops[top]):
            return None  # a class that is called train, or valid
    train = _one(like, TRAIN, here)
    if train is None:
        if not like:
            return None
        raise DatasetError(
            f"'{here}' has {like[0].lower()}/ but no train/: expected {here}/train/CLASS/"
            f"*.{kind.ending}, and {here}/test/CLASS/*.{kind.ending} for a test set; if {like[0]} "
            "is a class, rename it"
        )
    if is_flat[train]:
        raise DatasetError(
            f"'{here}/{train}' has no class folders: expected {here}/{train}/CLASS/*.{kind.ending}"
        )
    flat = []
    for names in (TEST, VALIDATION):
        held_out = _one(like, names, here)
        if held_out is not None and not is_flat[held_out]:
            return {"train": train, "test": held_out}
        flat += [] if held_out is None else [held_out]
    empty = [
        folder.removeprefix(start)
        for folder in folders
        if folder.startswith(start) and folder.removeprefix(start).lower() in (*TEST, *VALIDATION)
    ]
    if unlabelled := flat + empty:
        other = f"{here}/{unlabelled[0]}"
        what = (
            f"has no class folders: its {kind.noun}s have no labels"
            if flat
            else f"holds no {kind.noun}s"
        )
        raise DatasetError(
            f"'{other}' {what}; expected {other}/CLASS/*.{kind.ending}. To draw a test set from "
            f"the training {kind.noun}s, read 'folder:{here}/{train}'"
        )
    return {"train": train}


def _one(like: list[str], names: tuple[str, ...], here: str) -> str | None:
    found = [top for top in like if top.lower() in names]
    if len(found) > 1:
        raise DatasetError(f"'{here}' has both {found[0]}/ and {found[1]}/: keep one of them")
    return found[0] if found else None


def why_left_out(folder: str, top: str, folders: dict[str, str]) -> str:
    """Say why ``folder``, called ``top``, is none of the ``folders`` that are sets."""
    if top.lower() not in SPLITS:
        return f"in {folder}, beside {folders['train']}"
    return f"in {folder}, as {folders['test']} is the test set"
