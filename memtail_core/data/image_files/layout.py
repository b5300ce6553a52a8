"""Gives every image its set and its class, from the folders that it lies in.

Only paths are looked at. Three layouts are understood, each of them also within one more folder:
``CLASS/…``, ``train/CLASS/…`` with ``test/CLASS/…``, and ``train/CLASS/…`` with ``val/CLASS/…``.
"""

import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from memtail_core.data.image_files.set_folders import (
    IMAGE,
    SPLITS,
    FileKind,
    set_folders,
    why_left_out,
)
from memtail_core.errors import DatasetError


@dataclass
class Layout:
    """The sets and classes of the images; ``sets`` holds "train", and "test" where there is one.

    Attributes:
        classes: names of the classes, sorted.
        sets: the images of each set, class by class, and in each by path.
        labels: the class of each image of ``sets``, an index into ``classes``.
        folders: which folder each set is, as ``train/``; empty without such folders.
        left_out: images that are in no set, by the reason.
        merged: how many images lie in folders below a class's own, by folder.
        spellings: names of classes that folders spell in several ways, as ``é`` and ``e`` with an
            accent, which look alike.
    """

    classes: list[str] = field(default_factory=list)
    sets: dict[str, list[str]] = field(default_factory=dict)
    labels: dict[str, list[int]] = field(default_factory=dict)
    folders: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)
    merged: dict[str, int] = field(default_factory=dict)
    spellings: list[str] = field(default_factory=list)


def layout(
    images: Sequence[str],
    root: str,
    folders: Iterable[str] = (),
    class_folders: str | None = None,
    kind: FileKind = IMAGE,
) -> Layout:
    """Lay out ``images``, sorted paths relative to ``root``.

    Args:
        images: paths with ``/``.
        root: the folder, for messages.
        folders: all folders below it, with images or without.
        class_folders: "top": the highest folder is the class; "leaf": the folder that holds the
            images is; None: whichever it is, where both give the same classes.
        kind: of file, for messages.

    Raises:
        DatasetError: the folders do not say what the classes are.
    """
    plan = Layout()
    start = _inner(images, "")
    tops = _by_top(images, start, plan)
    if not tops:
        loose = f"; {len(images):,} {kind.noun}s lie directly in it" if images else ""
        raise DatasetError(
            f"'{root}' has no class folders: expected {root}/CLASS/*.{kind.ending}, or "
            f"{root}/train/CLASS/*.{kind.ending}{loose}"
        )
    splits = set_folders(tops, root, start, folders, kind)
    if splits is None:
        chosen = {"train": (start, [image for group in tops.values() for image in group])}
    else:
        plan.folders = {name: f"{start}{top}/" for name, top in splits.items()}
        chosen = {name: (plan.folders[name], tops[top]) for name, top in splits.items()}
        for top, group in tops.items():
            if top not in splits.values():
                plan.left_out[why_left_out(f"{start}{top}/", top, plan.folders)] = group
    _classify(chosen, plan, root, class_folders, kind)
    return plan


def _by_top(images: Iterable[str], start: str, plan: Layout) -> dict[str, list[str]]:
    """Group images by the folder directly below ``start``; what is in none has no class."""
    tops: dict[str, list[str]] = defaultdict(list)
    for image in images:
        top, is_deeper, _ = image.removeprefix(start).partition("/")
        if is_deeper and image.startswith(start):
            tops[top].append(image)
        else:
            plan.left_out.setdefault("in no class folder", []).append(image)
    return dict(tops)


def _inner(images: Sequence[str], start: str, known: Iterable[str] = ()) -> str:
    """Return ``start``, or the folder below it that holds nothing but the class folders."""
    while True:
        own = {image[: image.rfind("/") + 1] for image in images}
        below = {folder.removeprefix(start) for folder in own if folder.startswith(start)}
        tops = {folder.partition("/")[0] for folder in below if folder}
        if len(tops) != 1 or any(folder.count("/") == 1 for folder in below):
            return start
        (top,) = tops
        if top.lower() in SPLITS or _key(top) in known:
            return start
        start = f"{start}{top}/"


def _classify(
    chosen: dict[str, tuple[str, list[str]]],
    plan: Layout,
    root: str,
    class_folders: str | None,
    kind: FileKind,
) -> None:
    """Find the classes by the training images; give every image of both sets its class."""
    by_class: dict[str, dict[str, list[str]]] = {}
    spellings: dict[str, set[str]] = defaultdict(set)
    is_leaf = False
    for name in sorted(chosen, reverse=True):  # the training set first
        start, images = chosen[name]
        known = {key.partition("/")[0] for key in by_class.get("train", ())}
        inner = _inner(images, start, known)
        tops = _by_top(images, inner, plan)
        if not tops:
            raise DatasetError(f"'{root}/{inner}' has no class folders")
        images = [image for group in tops.values() for image in group]
        leaves = _leaves(images, inner)
        if name == "train":
            is_leaf = _are_leaves_classes(tops, leaves, f"{root}/{inner}", class_folders, kind)
        classes: dict[str, list[str]] = defaultdict(list)
        names = {leaf: leaf if is_leaf else leaf.partition("/")[0] for leaf in set(leaves)}
        keys = {called: _key(called) for called in names.values()}
        for image, leaf in zip(images, leaves, strict=True):
            called = names[leaf]
            classes[keys[called]].append(image)
            spellings[keys[called]].add(called)
            if name != "train" and keys[called] not in by_class["train"]:
                raise DatasetError(
                    f"'{root}/{inner}{called}' is a class that no training {kind.noun} has"
                )
            folder = image.rpartition("/")[0]
            if folder != inner + called:
                plan.merged[folder] = plan.merged.get(folder, 0) + 1
        by_class[name] = classes
    told = {key: next(iter(forms)) if len(forms) == 1 else key for key, forms in spellings.items()}
    plan.spellings = sorted(key for key, forms in spellings.items() if len(forms) > 1)
    ordered = sorted(told, key=lambda key: told[key])
    plan.classes = [told[key] for key in ordered]
    for name, classes in by_class.items():
        plan.sets[name] = [image for key in ordered for image in classes.get(key, ())]
        plan.labels[name] = [i for i, key in enumerate(ordered) for _ in classes.get(key, ())]


def _key(name: str) -> str:
    """One form for a name that different systems encode differently: ``é`` or ``e`` and ``´``."""
    return unicodedata.normalize("NFC", name)


def _leaves(images: list[str], start: str) -> list[str]:
    """Return for each image the first folder on its way, below ``start``, that holds images."""
    folders = [image.rpartition("/")[0] for image in images]
    own, first = set(folders), dict[str, str]()
    for folder in own:
        parts = folder.removeprefix(start).split("/")
        ways = ("/".join(parts[: i + 1]) for i in range(len(parts)))
        first[folder] = next(way for way in ways if start + way in own)
    return [first[folder] for folder in folders]


def _are_leaves_classes(
    tops: dict[str, list[str]],
    leaves: list[str],
    here: str,
    class_folders: str | None,
    kind: FileKind,
) -> bool:
    below = sorted(set(leaves))
    if class_folders is not None or len(below) == len(tops) or any("/" not in i for i in below):
        return class_folders == "leaf"
    if all(len(top) == 1 and rest[:1].lower() == top.lower() for top, rest in map(_two, below)):
        return True  # folders by the first letter of the class, as in Places365
    raise DatasetError(
        f"'{here.rstrip('/')}' can be read in two ways: as {len(tops)} classes, its own folders "
        f"({_first(tops)}), or as {len(below)} classes, the folders that hold the {kind.noun}s "
        f'({_first(below)}): set [dataset] class_folders = "top" or "leaf"'
    )


def _two(leaf: str) -> tuple[str, str]:
    top, _, rest = leaf.partition("/")
    return top, rest


def _first(names: Iterable[str]) -> str:
    names = sorted(names)
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
