"""The texts of a dataset, kept beside the tokens that networks read: UTF-8, all in one array."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import DatasetError

_SETS = ("train", "test")


class Corpus(Sequence[str]):
    """n texts in a fixed order; text i is ``content[ends[i − 1] : ends[i]]``."""

    def __init__(self, content: NDArray[np.uint8], ends: NDArray[np.int64]) -> None:
        """Keep both arrays; do not change them afterwards.

        Args:
            content: uint8 [bytes], all texts in UTF-8, one after another.
            ends: int64 [n], where each text ends.

        Raises:
            DatasetError: the ends do not cut ``content`` into texts.
        """
        starts = np.concatenate([np.zeros(1, np.int64), ends])
        if (np.diff(starts) < 0).any() or starts[-1] != len(content):
            raise DatasetError("the ends of the texts do not fit their content")
        self.content, self.ends, self._starts = content, ends, starts

    @classmethod
    def of(cls, texts: Iterable[str]) -> "Corpus":
        """Keep these texts."""
        encoded = [text.encode("utf-8", "replace") for text in texts]
        ends = np.cumsum([len(each) for each in encoded], dtype=np.int64)
        return cls(np.frombuffer(b"".join(encoded), np.uint8), ends)

    def __len__(self) -> int:
        return len(self.ends)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> list[str]: ...
    def __getitem__(self, index: int | slice) -> str | list[str]:
        """Return one text, or the texts of a slice."""
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        if not 0 <= index < len(self):
            raise IndexError(f"text {index}: there are {len(self)}, counted from 0")
        part = self.content[self._starts[index] : self._starts[index + 1]]
        return part.tobytes().decode("utf-8", "replace")

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))


@dataclass(frozen=True, eq=False)
class Texts:
    """What a dataset of texts keeps beside its tokens.

    Attributes:
        train, test: the texts as they were read, without their control characters.
        tokenizer: the JSON of the tokenizer that made the tokens, as ``tokenizers`` writes it.
        vocabulary: V, how many different tokens it knows; tokens are 1 … V, and 0 is no token.
    """

    train: Corpus
    test: Corpus
    tokenizer: str
    vocabulary: int

    def selected(self, train: NDArray[np.int64], test: NDArray[np.int64]) -> "Texts":
        """Return the texts of these training and test examples, in this order."""
        some = Corpus.of(self.train[i] for i in train.tolist())
        return replace(self, train=some, test=Corpus.of(self.test[i] for i in test.tolist()))

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return everything as arrays without objects, by the names of a dataset's file."""
        made: dict[str, NDArray[Any]] = {}
        for name in _SETS:
            corpus: Corpus = getattr(self, name)
            made[f"text_{name}"], made[f"text_{name}_ends"] = corpus.content, corpus.ends
        made["tokenizer"] = np.frombuffer(self.tokenizer.encode(), np.uint8)
        made["vocabulary"] = np.array(self.vocabulary, np.int64)
        return made

    @classmethod
    def of_arrays(cls, given: dict[str, NDArray[Any]]) -> "Texts | None":
        """Decode :meth:`arrays`; None where there are none among ``given``.

        Raises:
            DatasetError: they are not what :meth:`arrays` makes.
        """
        if "tokenizer" not in given:
            return None
        if missing := [name for name in ARRAYS if name not in given]:
            raise DatasetError(f"the dataset lacks '{missing[0]}'")
        bytewise = ("text_train", "text_test", "tokenizer")
        if any(given[name].dtype != np.uint8 or given[name].ndim != 1 for name in bytewise):
            raise DatasetError("the texts of the dataset are no bytes")
        train, test = (
            Corpus(given[f"text_{name}"], given[f"text_{name}_ends"].astype(np.int64))
            for name in _SETS
        )
        tokenizer = given["tokenizer"].tobytes().decode("utf-8", "replace")
        return cls(train, test, tokenizer, int(given["vocabulary"]))


ARRAYS = (
    *(f"text_{name}{what}" for name in _SETS for what in ("", "_ends")),
    *("tokenizer", "vocabulary"),
)
"""The names of :meth:`Texts.arrays`."""
