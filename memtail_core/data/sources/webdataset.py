"""``webdataset:shards-{000..099}.tar``: images and labels in tar files, a few files per example."""

import io
import itertools
import math
import os
import re
import tarfile
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow
from pydantic_core import from_json

from memtail_core.data.image_files.formats import Embedded, FilePart, formats_by_ending
from memtail_core.data.image_files.labelled import Broken, Undecoded
from memtail_core.data.image_files.tree import is_hidden
from memtail_core.data.sources.table.faults import Faults, rows_beside
from memtail_core.data.sources.table.files import File, Rows
from memtail_core.data.sources.table.image_cells import ImageCell
from memtail_core.data.sources.table.images import ImageColumn, labelled_images
from memtail_core.data.sources.table.options import Missing, Options
from memtail_core.data.wording import counted, some
from memtail_core.errors import DatasetError

_RANGE = re.compile(r"\{(\d+)\.\.(\d+)\}")
_MOST_SHARDS = 1_000_000

Read = Callable[[], bytes]


@dataclass
class _Sample:
    """An example: its key, the shard it lies in, and its parts by ending, as ``jpg``."""

    key: str
    shard: str
    parts: dict[str, Read] = field(default_factory=dict)


def load(
    shards: str,
    /,
    *,
    label: str = "cls",
    image: str | None = None,
    test: str | None = None,
    missing: Missing = "error",
    size: int | None = None,
    broken: Broken = "error",
) -> Undecoded:
    """Read tar files of examples: ``KEY.jpg`` with ``KEY.cls``, or with ``KEY.json``.

    Args:
        shards: tar files: one, a range as ``{000..099}``, or a pattern with ``*``.
        label: the ending of the labels' files, or "json.FIELD" for a field of JSON.
        image: the ending of the images' files; by default whatever is an image.
        test: the tar files of the test set.
        missing: "drop" leaves out examples without an image or label; "error" refuses them.
        size, broken: as for ``folder:``.

    Raises:
        StudyError: an option is wrong.
        DatasetError: what is wrong with the files.
    """
    images, options, faults = ImageColumn("image", size, broken), Options(missing=missing), Faults()
    images.check(options)
    files: list[File] = []
    cells: list[ImageCell | None] = []
    for pattern in filter(None, (shards, test)):
        samples = [sample for shard in _shards(pattern) for sample in _samples(shard)]
        if not samples:
            raise DatasetError(f"'{pattern}' holds no files")
        files.append(_table(pattern, samples, label, faults))
        cells += [_image(sample, image) for sample in samples]
    return labelled_images(Rows(files), cells, label, images, options, faults)


def _shards(pattern: str) -> list[str]:
    """The files that a pattern stands for, in order."""
    ranges = [range(int(first), int(last) + 1) for first, last in _RANGE.findall(pattern)]
    if math.prod(map(len, ranges)) > _MOST_SHARDS:
        raise DatasetError(f"'{pattern}' stands for more than {_MOST_SHARDS:,} files")
    widths = [len(first) for first, _ in _RANGE.findall(pattern)]
    between = _RANGE.sub("\0", os.path.expanduser(pattern)).split("\0")
    names = []
    for numbers in itertools.product(*ranges):
        spelt = (f"{number:0{width}}" for number, width in zip(numbers, widths, strict=True))
        names.append("".join(itertools.chain(*zip(between, [*spelt, ""], strict=True))))
    if any(sign in pattern for sign in "*?["):
        names = sorted({file for name in names for file in _matching(name)})
    if absent := [name for name in names or [pattern] if not Path(name).is_file()]:
        raise DatasetError(f"there is no file {some(absent)}")
    return names


def _matching(pattern: str) -> list[str]:
    root, *parts = Path(pattern).parts
    if root != os.sep:
        root, parts = ".", [root, *parts]
    return [str(file) for file in Path(root).glob("/".join(parts))]


def _samples(shard: str) -> list[_Sample]:
    """The examples of one tar file; of an uncompressed one, images stay on the disk."""
    samples: dict[str, _Sample] = {}
    try:
        with tarfile.open(shard) as tar:
            is_plain = isinstance(tar.fileobj, io.BufferedReader)  # and not compressed
            for member in tar:
                folder, _, name = member.name.removeprefix("./").rpartition("/")
                base, _, ending = name.partition(".")
                if not member.isfile() or not ending or _is_hidden(member.name):
                    continue
                key = f"{folder}/{base}" if folder else base
                sample = samples.setdefault(key, _Sample(key, shard))
                if ending.lower() in sample.parts:
                    raise DatasetError(f"'{shard}' has '{member.name}' twice")
                sample.parts[ending.lower()] = _reader(tar, member, shard, is_plain)
    except (tarfile.TarError, OSError, EOFError) as error:
        raise DatasetError(f"cannot read '{shard}': {str(error).splitlines()[0]}") from error
    return list(samples.values())


def _is_hidden(name: str) -> bool:
    return any(is_hidden(part) for part in name.removeprefix("./").split("/"))


def _reader(tar: tarfile.TarFile, member: tarfile.TarInfo, shard: str, is_plain: bool) -> Read:
    """How to read a member; what cannot be found again quickly is read at once."""
    if is_plain and member.sparse is None:
        return FilePart(shard, member.offset_data, member.size)
    file = tar.extractfile(member)
    content = b"" if file is None else file.read()
    return lambda: content


def _table(pattern: str, samples: Sequence[_Sample], label: str, faults: Faults) -> File:
    """The labels of the examples, as a table of one column."""
    ending, _, name = label.partition(".")
    labels, wrong = [], []
    for sample in samples:
        try:
            labels.append(_label(sample, ending.lower(), name))
        except ValueError as error:
            wrong.append(f"'{sample.key}.{ending}' in '{sample.shard}' {error}")
            labels.append(None)
    if wrong:
        faults.add(f"{wrong[0]}{rows_beside(len(wrong))}")
    endings = Counter(part for sample in samples for part in sample.parts)
    return File(
        pattern,
        pyarrow.table({label: pyarrow.array(labels, pyarrow.large_string())}),
        lambda row: f"the example '{samples[row].key}'",
        notes=[
            counted(len({sample.shard for sample in samples}), "shard"),
            ", ".join(f"{n:,} .{ending}" for ending, n in endings.most_common()),
        ],
    )


def _label(sample: _Sample, ending: str, field: str) -> str | None:
    """The label of an example; None where it has none, ValueError if it is no class."""
    if ending not in sample.parts:
        return None
    try:
        text = sample.parts[ending]().decode()
        value: Any = from_json(text) if field else text.strip()
        for part in field.split(".") if field else ():
            value = value.get(part)
    except (ValueError, AttributeError):
        raise ValueError("is no JSON object" if field else "is no text") from None
    if isinstance(value, dict | list):
        raise ValueError(f"has no class as {field}, but a JSON {type(value).__name__}")
    return None if value is None else str(value)


def _image(sample: _Sample, ending: str | None) -> ImageCell | None:
    """The image of an example: of this ending, or the first that is an image's."""
    formats, ending = formats_by_ending(), None if ending is None else ending.lower()
    for part, read in sample.parts.items():
        if part == ending or (ending is None and f".{part.rpartition('.')[2]}" in formats):
            return ImageCell(Embedded(f"{sample.key}.{part}", read), sample.key)
    return None
