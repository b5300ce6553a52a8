"""Says which images a folder holds, with their sets and classes, and accounts for every file.

No pixel is decoded, so that an index of millions of images fits in memory.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from memtail_core.data.account import Account
from memtail_core.data.image_files.formats import ending, is_image, is_undecoded_picture
from memtail_core.data.image_files.layout import Layout, layout
from memtail_core.data.image_files.tree import Tree, tree
from memtail_core.data.wording import counted, some
from memtail_core.errors import DatasetError

_NAMED = 3  # examples in a sentence


@dataclass(frozen=True)
class FolderIndex:
    """The images of a folder.

    Attributes:
        root: the folder.
        classes: names of the classes, sorted.
        sets: paths of the images below ``root``, of "train" and, where there is one, of "test".
        labels: the class of each image of ``sets``, an index into ``classes``.
        faults: links that lead nowhere and folders that cannot be read, with the reason.
        account: what became of every file.
    """

    root: str
    classes: list[str]
    sets: dict[str, list[str]]
    labels: dict[str, list[int]]
    faults: dict[str, str]
    account: Account

    def path(self, name: str) -> str:
        """Return where the file is that ``sets`` calls ``name``."""
        return below(self.root) + name


def below(root: str) -> str:
    """What the paths of all files in the folder ``root`` begin with."""
    return str(Path(root) / "_")[:-1]


def folder_index(root: str, class_folders: str | None = None) -> FolderIndex:
    """List the images of the folder ``root``; see :func:`layout` for its sets and classes.

    Raises:
        DatasetError: there are no images, or their folders do not say what the classes are.
    """
    listed = tree(root)
    faults = {path or ".": reason for path, reason in listed.unreadable}
    start = below(root)
    images = [path for path in listed.files if is_image(start + path)]
    others = sorted(set(listed.files) - set(images))
    if not images:
        fault = "".join(f"; '{path}': {reason}" for path, reason in list(faults.items())[:_NAMED])
        raise DatasetError(
            f"'{root}' holds no images (.jpg, .jpeg, .png, .tif, .webp and whatever else Pillow "
            f"reads){'; it holds ' + _by_ending(others) if others else ''}{fault}"
        )
    plan = layout(images, root, listed.folders, class_folders)
    account = Account(
        tuple(_lines(listed, plan, images, others)), tuple(_warnings(plan, images, others))
    )
    return FolderIndex(root, plan.classes, plan.sets, plan.labels, faults, account)


def _lines(listed: Tree, plan: Layout, images: list[str], others: list[str]) -> Iterable[str]:
    n_read = sum(map(len, plan.sets.values()))
    n_files = len(listed.files) + listed.hidden + len(listed.others)
    where = [
        f"{len(plan.sets[name]):,} in {folder}{', the test set' if name == 'test' else ''}"
        for name, folder in sorted(plan.folders.items(), reverse=True)
    ]
    left_out = [f"{len(group):,} {reason}" for reason, group in plan.left_out.items()]
    left_out += [f"{listed.hidden:,} hidden"] if listed.hidden else []
    left_out += [f"{_by_ending(others)}: no images"] if others else []
    left_out += [counted(len(listed.others), "pipe or socket")] if listed.others else []
    line = f"{counted(n_files, 'file')}: {n_read:,} read"
    line += f" ({'; '.join(where)})" if where else ""
    if n_files > n_read:
        line += f", {n_files - n_read:,} left out: {', '.join(left_out)}"
    yield line
    if n := sum(plan.merged.values()):
        yield f"{n:,} of them lie in folders below their class's: {some(plan.merged)}"
    if plan.spellings:
        yield f"folders of one name in two Unicode forms are one class: {some(plan.spellings)}"
    if empty := _empty_folders(listed.folders, images):
        yield f"{counted(len(empty), 'folder')} without images, no class: {some(empty)}"
    if listed.loops:
        yield f"{counted(len(listed.loops), 'link')} into a folder around it: {some(listed.loops)}"


def _warnings(plan: Layout, images: list[str], others: list[str]) -> Iterable[str]:
    for reason, group in plan.left_out.items():
        if "the test set" not in reason:
            yield f"{counted(len(group), 'image')} left out, {reason}: {some(group)}"
    if pictures := [path for path in others if is_undecoded_picture(path)]:
        yield (
            f"{_by_ending(pictures)} left out, which memtail cannot read: convert them to PNG or "
            f"JPEG if they are examples ({some(pictures)})"
        )
    alike = Counter(" ".join(name.casefold().split()) for name in plan.classes)
    if names := [i for i in plan.classes if alike[" ".join(i.casefold().split())] > 1]:
        yield f"classes that differ only in capitals or spaces: {some(names, 6)}"


def _by_ending(paths: Sequence[str]) -> str:
    counts = Counter(ending(path) or "without an ending" for path in paths).most_common()
    parts = [f"{n:,} {what}" for what, n in counts[:5]]
    rest = sum(n for _, n in counts[5:])
    return ", ".join(parts + ([f"{rest:,} others"] if rest else []))


def _empty_folders(folders: Iterable[str], images: Iterable[str]) -> list[str]:
    """The highest folders that hold no image anywhere below."""
    used = {""}
    for image in images:
        folder = image.rpartition("/")[0]
        while folder not in used:
            used.add(folder)
            folder = folder.rpartition("/")[0]
    return [f for f in folders if f not in used and f.rpartition("/")[0] in used]
