"""Finds what looks wrong: images of a single colour, and exact copies of images or texts."""

import hashlib
from collections import defaultdict
from collections.abc import Iterator

from memtail_core.data.dataset import Dataset
from memtail_core.data.examples import Examples
from memtail_core.data.modalities.text.corpus import Corpus
from memtail_core.data.wording import counted


def sameness_warnings(dataset: Dataset) -> Iterator[str]:
    """Say which images are constant, and which images or texts are identical to others."""
    noun, texts = dataset.modality.noun, dataset.texts
    constant: list[str] = []
    groups: dict[bytes, list[tuple[str, int]]] = defaultdict(list)
    for looked_at, y, name in (
        (
            _looked_at(dataset.train) if texts is None else _read(texts.train),
            dataset.y_train,
            dataset.train_name,
        ),
        (
            _looked_at(dataset.test) if texts is None else _read(texts.test),
            dataset.y_test,
            dataset.test_name,
        ),
    ):
        for row, (digest, is_constant) in enumerate(looked_at):
            groups[digest].append((name(row), int(y[row])))
            constant += [name(row)] if is_constant else []
    if constant:
        yield f"{counted(len(constant), 'image')} of a single colour, as '{constant[0]}'"
    copied = [group for group in groups.values() if len(group) > 1]
    if copied:
        n = sum(len(group) - 1 for group in copied)
        yield (
            f"{counted(n, 'exact copy', 'exact copies')} of other {noun}, as '{copied[0][0][0]}' "
            f"and '{copied[0][1][0]}'"
        )
    two = [(group[0], other) for group in copied for other in group if other[1] != group[0][1]]
    if two:
        (one, y_one), (other, y_other) = two[0]
        yield (
            f"{counted(len(two), 'exact copy', 'exact copies')} of {noun} of another class, as "
            f"'{one}' ({dataset.classes[y_one]}) and '{other}' ({dataset.classes[y_other]})"
        )


def _looked_at(examples: Examples) -> Iterator[tuple[bytes, bool]]:
    """Yield a digest of each image, and whether all of its pixels are equal."""
    for chunk in examples.chunks():
        flat = chunk.reshape(len(chunk), -1, chunk.shape[-1])
        constant = (flat == flat[:, :1]).all(axis=(1, 2))
        for image, is_constant in zip(chunk, constant, strict=True):
            yield hashlib.blake2b(image.tobytes(), digest_size=16).digest(), bool(is_constant)


def _read(texts: Corpus) -> Iterator[tuple[bytes, bool]]:
    """Yield a digest of each text; none is constant."""
    for text in texts:
        yield hashlib.blake2b(text.encode(), digest_size=16).digest(), False
