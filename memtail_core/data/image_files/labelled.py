"""Decodes images whose labels are known, and says which of them cannot be used."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import NO_ACCOUNT, Account
from memtail_core.data.image_files.decoding import DEEP_COLOUR, SEVERAL_FRAMES
from memtail_core.data.image_files.formats import ImageFile
from memtail_core.data.image_files.reading import Images, read_images
from memtail_core.data.splits import Splits, taken
from memtail_core.data.wording import counted, some
from memtail_core.errors import DatasetError

Broken = Literal["error", "skip"]
ReadImages = Callable[[Sequence[ImageFile], int | None], Images]

_NAMED_FAULTS = 10


class Fault(NamedTuple):
    """What cannot be read: its name, where it is, and why."""

    name: str
    place: str
    why: str


@dataclass(frozen=True, eq=False)
class Labelled:
    """Images that are not decoded yet: those of the training set, then those of the test set.

    Attributes:
        root: where they all are, for messages.
        files: n images.
        names: n names, of the examples if ``is_named``, else for examples that are left over.
        y: int64 [n], indices of ``classes``.
        n_train: how many are the training set; the test set is drawn from them if there are n.
        place: says where a row is, as ``'photos/cat/1.png'``.
        is_named: whether the names say more than the position.
        faults: of what is in no row.
    """

    root: str
    files: Sequence[ImageFile]
    names: Sequence[str]
    y: NDArray[np.int64]
    classes: Sequence[str]
    n_train: int
    place: Callable[[int], str]
    is_named: bool = True
    faults: Sequence[Fault] = ()


@dataclass(frozen=True, eq=False)
class Undecoded:
    """Images that a source has found, and how to read them; :meth:`splits` decodes them.

    Attributes:
        given: which.
        size: resize every image to size × size pixels. Without it all must have one size.
        broken: "error" refuses files that cannot be read, "skip" leaves them out and says so.
        account: what became of the input so far.

    Raises:
        DatasetError: the size is none.
    """

    given: Labelled
    size: int | None
    broken: Broken
    account: Account = NO_ACCOUNT

    def __post_init__(self) -> None:
        if self.size is not None and not 1 <= self.size <= 4096:
            raise DatasetError(
                f"[dataset] size = {self.size!r}: give the pixels of a side, 1 to 4096"
            )

    def splits(self, read: ReadImages = read_images) -> Splits:
        """Decode the images with ``read``: into memory by default.

        Raises:
            DatasetError: all that is wrong with the images.
        """
        images = read(self.given.files, self.size)
        return _splits(self.given, images, self.broken, self.account)


def _splits(given: Labelled, images: Images, broken: Broken, account: Account) -> Splits:
    own = (Fault(given.names[i], given.place(i), why) for i, why in images.faults.items())
    faults = [*given.faults, *own]
    _check(given, faults, images, broken)
    kept = np.setdiff1d(np.arange(len(given.names)), list(images.faults))
    if lost := set(range(len(given.classes))) - set(given.y[kept].tolist()):
        name = given.classes[min(lost)]
        raise DatasetError(f"'{given.root}': no image of the class {name} can be read")
    x = images.pixels if images.records is None else images.records
    assert x is not None  # some image was read
    x = x if len(kept) == len(given.names) else taken(x, kept)
    y, n = given.y[kept], int(np.count_nonzero(kept < given.n_train))
    is_named = given.is_named or len(kept) < len(given.names)
    names = [given.names[row] for row in kept] if is_named else []
    account += _account(images, faults, [given.names[row] for row in kept])
    if given.n_train == len(given.names):
        return Splits(x, y, classes=given.classes, train_names=names, account=account)
    train, test = taken(x, slice(n)), taken(x, slice(n, None))
    return Splits(train, y[:n], test, y[n:], given.classes, names[:n], names[n:], account=account)


def _check(given: Labelled, faults: Sequence[Fault], images: Images, broken: Broken) -> None:
    """Raise one DatasetError that names all faults found."""
    wrong = []
    if len(faults) == 1 and broken == "error":
        wrong.append(
            f"cannot read the image {faults[0].place}, remove or replace it: {faults[0].why}"
        )
    elif faults and broken == "error":
        listed = [f"'{each.name}' ({each.why})" for each in faults[:_NAMED_FAULTS]]
        more = f" and {len(faults) - len(listed):,} more" if len(faults) > len(listed) else ""
        wrong.append(
            f"cannot read {len(faults):,} files of '{given.root}', remove or replace them or set "
            f'[dataset] broken = "skip": {", ".join(listed)}{more}'
        )
    if len(images.sizes) > 1:
        (w, h), (w2, h2) = sorted(images.sizes, key=lambda size: images.sizes[size])[:2]
        wrong.append(
            f"the images of '{given.root}' have different sizes ({w} × {h}, and {w2} × {h2} in "
            f"{given.place(images.sizes[w2, h2])}): set [dataset] size = 64, say, to resize them"
        )
    if not wrong and not images.sizes:
        wrong.append(f"'{given.root}': no image can be read")
    if wrong:
        raise DatasetError("; and ".join(wrong))


def _account(images: Images, faults: Sequence[Fault], names: list[str]) -> Account:
    """What is to be said of the pixels."""
    return Account(tuple(_scale_line(images)), tuple(_warnings(images, faults, names)))


def _scale_line(images: Images) -> Iterable[str]:
    if scale := images.scale:
        yield (
            f"{counted(images.n_deep, 'image')} with more than 8 bits of grey: {scale.low:,.6g} … "
            f"{scale.high:,.6g} become the shades 0 … 255"
        )


def _warnings(images: Images, faults: Sequence[Fault], names: list[str]) -> Iterable[str]:
    if faults:
        listed = [f"{each.name} ({each.why})" for each in faults]
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
