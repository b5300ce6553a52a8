"""The one form every source ends in: examples, labels, class names and a digest of the content."""

import hashlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import NO_ACCOUNT, Account
from memtail_core.data.arrays import plain
from memtail_core.data.checks import (
    check_alike,
    checked_classes,
    checked_names,
    checked_split,
    class_indices,
)
from memtail_core.data.examples import Examples, InMemory, as_examples
from memtail_core.data.modalities import Feed, Modality, modality_of, named
from memtail_core.data.modalities.text.corpus import Texts
from memtail_core.data.moments import moments
from memtail_core.data.splits import Splits
from memtail_core.errors import DatasetError
from memtail_core.study import UNLABELLED

_WORDS = ("classes", "train_names", "test_names", "features")


@dataclass(frozen=True, eq=False)
class Dataset:
    """Examples with labels, or documents without, and a test set. See :meth:`from_arrays`.

    Attributes:
        train: n examples, as the modality prepares them: uint8 [height, width, channels] for
            images, float32 [d] for features, int32 [length] for tokens of texts.
        y_train: int64 [n], class indices in 0 … C − 1.
        test, y_test: the same for the test set.
        classes: C names; ``UNLABELLED``, one of all examples, where they have no labels.
        train_names, test_names: what the user calls each example (a file, a row), or empty: then
            its index in the source is its name.
        features: d names of the columns, or empty; ``color=red`` where a column of words became one
            column of 0 and 1 per word.
        modality: what an example is.
        account: what the source read and left out; empty where the data come from a store.
        texts: the texts that the examples were made of, and their tokenizer; None of other data.
        derived: what was computed of the examples, by how; a changed copy begins with nothing.
    """

    train: Examples
    y_train: NDArray[np.int64]
    test: Examples
    y_test: NDArray[np.int64]
    classes: tuple[str, ...]
    train_names: tuple[str, ...] = field(default=())
    test_names: tuple[str, ...] = field(default=())
    features: tuple[str, ...] = field(default=())
    modality: Modality = field(kw_only=True)
    account: Account = field(default=NO_ACCOUNT, kw_only=True)
    texts: Texts | None = field(default=None, kw_only=True)
    derived: dict[str, "Dataset"] = field(default_factory=dict, init=False, repr=False)

    def with_texts(self, texts: Texts | None) -> "Dataset":
        """Return the same data with the texts that its tokens were made of; itself without any.

        Raises:
            DatasetError: there are more or fewer texts than examples, or other tokens.
        """
        if texts is None:
            return self
        if (len(texts.train), len(texts.test)) != (len(self.y_train), len(self.y_test)):
            raise DatasetError(
                f"{len(texts.train)} and {len(texts.test)} texts for {len(self.y_train)} and "
                f"{len(self.y_test)} examples"
            )
        if self.modality.name != "text" or self.vocabulary > texts.vocabulary:
            raise DatasetError("the texts are not those of the examples")
        return replace(self, texts=texts)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example."""
        return self.train.shape

    @property
    def is_labelled(self) -> bool:
        """Whether the examples have labels; otherwise they are documents to model."""
        return self.classes != UNLABELLED

    @property
    def default_recipe(self) -> str:
        """What trains where the study names no recipe."""
        return self.modality.default_recipe if self.is_labelled else "gpt"

    @property
    def is_shown(self) -> bool:
        """Whether anything but labels and names is known of the examples."""
        return self.train.example_bytes > 0

    @property
    def feed(self) -> Feed:
        """How examples become a network's inputs."""
        return self.modality.feed(self.shape)

    @property
    def vocabulary(self) -> int:
        """V of tokens 1 … V, where the examples are those of texts."""
        if self.texts is not None:
            return self.texts.vocabulary
        return max(
            int(x.max()) for each in (self.train, self.test) for x in each.chunks() if x.size
        )

    @property
    def nbytes(self) -> int:
        """Bytes of all examples and labels."""
        return sum(each.nbytes for each in (self.train, self.y_train, self.test, self.y_test))

    @property
    def resident_bytes(self) -> int:
        """Bytes of them that stay in this process's memory."""
        mapped = sum(each.nbytes - each.resident_bytes for each in (self.train, self.test))
        return self.nbytes - mapped

    @cached_property
    def moments(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Mean and deviation of the training examples' channels or columns; see :mod:`.moments`."""
        return moments(self.train)

    @cached_property
    def sha256(self) -> str:
        """Digest of the content: the same data have the same digest anywhere."""
        digest = hashlib.sha256()
        for examples, y in ((self.train, self.y_train), (self.test, self.y_test)):
            digest.update(f"{examples.dtype.str}{(len(examples), *examples.shape)}".encode())
            for chunk in examples.chunks():
                digest.update(np.ascontiguousarray(chunk).data)
            digest.update(f"{y.dtype.str}{y.shape}".encode())
            digest.update(np.ascontiguousarray(y).data)
        words: list[object] = [self.classes, self.train_names, self.test_names]
        words += [self.features] if self.features else []
        words += [{"modality": self.modality.name}] if self._is_modality_stated else []
        digest.update(json.dumps(words, ensure_ascii=False).encode())
        for name, array in ({} if self.texts is None else self.texts.arrays()).items():
            digest.update(f"{name}{array.dtype.str}{array.shape}".encode())
            digest.update(array.data)
        return digest.hexdigest()

    @property
    def _is_modality_stated(self) -> bool:
        """Whether the arrays alone do not tell the modality, so that its name is kept with them."""
        looks = modality_of(self.train.shape, self.train.dtype)
        return looks is None or looks.name != self.modality.name

    def selected(self, train: NDArray[np.int64], test: NDArray[np.int64]) -> "Dataset":
        """Return these training and test examples, in this order; no example is copied.

        The classes stay the same, also those that no example is left of.
        """
        texts, of_train, of_test = self.texts, self.train_names, self.test_names
        return replace(
            self,
            train=self.train.selected(train),
            y_train=self.y_train[train],
            test=self.test.selected(test),
            y_test=self.y_test[test],
            train_names=tuple(of_train[i] for i in train.tolist()) if of_train else (),
            test_names=tuple(of_test[i] for i in test.tolist()) if of_test else (),
            texts=None if texts is None else texts.selected(train, test),
        )

    def train_name(self, index: int) -> str:
        """What the user calls training example ``index``."""
        return self.train_names[index] if self.train_names else str(index)

    def test_name(self, index: int) -> str:
        """What the user calls test example ``index``."""
        return self.test_names[index] if self.test_names else str(index)

    @classmethod
    def from_arrays(
        cls,
        x_train: Any,
        y_train: Any,
        x_test: Any,
        y_test: Any,
        *,
        classes: Sequence[str] | None = None,
        train_names: Sequence[str] = (),
        test_names: Sequence[str] = (),
        features: Sequence[str] = (),
        modality: str | None = None,
        account: Account = NO_ACCOUNT,
    ) -> "Dataset":
        """Check and normalise arrays; they are kept, not copied, so do not change them after.

        Args:
            x_train, x_test: images as uint8 [n, h, w] or [n, h, w, c] (c = 1, 3 or 4), or features
                as finite floats or integers [n, d]. Frames with named columns, images as floats
                from 0 to 1 and images with their channels first become these.
            y_train, y_test: labels, whole numbers or strings, [n].
            classes: names of the labels 0 … C − 1; by default the sorted labels of the training
                set are the classes.
            train_names, test_names: a name per example, or nothing.
            features: a name per column, or nothing; by default what a frame calls its columns.
            modality: a name of ``MODALITIES``; by default the one that x_train looks like.
            account: what the source says about the data.

        Raises:
            DatasetError: one sentence that says what is wrong and where.
        """
        given = Splits(
            x_train,
            y_train,
            x_test,
            y_test,
            classes=classes,
            train_names=train_names,
            test_names=test_names,
            features=features,
            modality=modality,
            account=account,
        )
        return cls.from_splits(plain(given))

    @classmethod
    def from_splits(cls, given: Splits) -> "Dataset":
        """Check and normalise splits that are plain arrays, see :mod:`.arrays`, with a test set.

        Raises:
            DatasetError: one sentence that says what is wrong and where.
        """
        x_train, y_train, of = checked_split(given.x_train, given.y_train, "train", given.modality)
        x_test, y_test, _ = checked_split(given.x_test, given.y_test, "test", given.modality)
        classes = None if given.classes is None else checked_classes(given.classes)
        encoded = of.encode(x_train, x_test, given.tokens)
        x_train, x_test = as_examples(encoded.train), as_examples(encoded.test)
        if x_train.shape != x_test.shape or x_train.dtype != x_test.dtype:
            raise DatasetError(
                f"x_train holds {x_train.dtype} {x_train.shape} examples, x_test "
                f"{x_test.dtype} {x_test.shape}: they must be alike"
            )
        check_alike(y_train, y_test)
        if classes is None:
            values, y_train = np.unique(y_train, return_inverse=True)
            unseen = np.setdiff1d(y_test, values)
            if len(unseen):
                raise DatasetError(
                    f"y_test holds the label {unseen[0]!s}, which no training example has"
                )
            y_test = np.searchsorted(values, y_test)
            classes = tuple(str(value) for value in values)
        else:
            y_train, y_test = (
                class_indices(y, len(classes), name)
                for y, name in ((y_train, "y_train"), (y_test, "y_test"))
            )
        if classes == UNLABELLED:
            if of.name != "text":
                raise DatasetError(
                    f'[dataset] task = "language-modelling" is for texts; these data are {of.noun}'
                )
        elif len(np.unique(y_train)) < 2:
            raise DatasetError(
                f"every training example has the label {classes[int(y_train[0])]}: "
                "a classifier needs at least two classes"
            )
        n_columns = x_train.shape[0] if len(x_train.shape) == 1 else 0
        return cls(
            x_train,
            y_train.astype(np.int64),
            x_test,
            y_test.astype(np.int64),
            checked_classes(classes),
            checked_names(given.train_names, len(x_train), "train_names"),
            checked_names(given.test_names, len(x_test), "test_names"),
            checked_names(given.features, n_columns, "features"),
            modality=of,
            account=given.account + encoded.account,
            texts=encoded.texts,
        )

    def to_npz(self) -> bytes:
        """Encode as an npz file without pickle, as it is kept in a store."""
        arrays: dict[str, Any] = {
            "x_train": self.train.whole(),
            "y_train": self.y_train,
            "x_test": self.test.whole(),
            "y_test": self.y_test,
        }
        for name in _WORDS:
            arrays[name] = np.array(getattr(self, name), dtype=np.str_)
        if self._is_modality_stated:
            arrays["modality"] = np.array(self.modality.name)
        if self.texts is not None:
            arrays |= self.texts.arrays()
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        return buffer.getvalue()

    @classmethod
    def from_npz(cls, content: bytes, sha256: str) -> "Dataset":
        """Decode :meth:`to_npz` and verify the digest; raises DatasetError if it is another."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as file:
                part = {name: file[name] for name in file.files}
            train, test = (InMemory(part[name]) for name in ("x_train", "x_test"))
            stated = part.get("modality")
            of = modality_of(train.shape, train.dtype) if stated is None else named(str(stated))
            if of is None:
                raise DatasetError(f"{train.dtype} of shape {train.shape} are no examples")
            named_parts = (tuple(part[name].tolist()) for name in _WORDS)
            labels = part["y_train"], part["y_test"]
            dataset = cls(train, labels[0], test, labels[1], *named_parts, modality=of)
            dataset = dataset.with_texts(Texts.of_arrays(part))
        except MemoryError:
            raise
        except Exception as error:  # zipfile and numpy raise a dozen kinds on damaged bytes
            raise DatasetError(f"the stored dataset {sha256[:12]} is damaged ({error})") from error
        if dataset.sha256 != sha256:
            raise DatasetError(f"the stored dataset {sha256[:12]} is damaged (its digest differs)")
        return dataset
