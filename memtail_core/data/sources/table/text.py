"""A column of text as its different words and where each stands; words in Unicode's form NFC."""

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow
import pyarrow.compute as pc
from numpy.typing import NDArray

_MISSING = ("", "NaN", "nan", "NAN", "-NaN", "-nan", "null", "NULL", "Null", "<NA>", "NaT")


def nfc(text: str) -> str:
    """One form for what looks the same: 'é' as one character, not as 'e' and an accent."""
    return unicodedata.normalize("NFC", text)


def matching(name: str, names: Sequence[str]) -> str | None:
    """The column of ``names`` called ``name``; spaces around it do not matter if one fits."""
    if name in names:
        return name
    alike = [each for each in names if each.strip() == name.strip()]
    return alike[0] if len(alike) == 1 else None


def is_text(kind: Any) -> bool:
    """Whether Arrow's type ``kind`` holds text."""
    types = pyarrow.types
    views = getattr(types, "is_string_view", lambda _: False)
    return bool(types.is_string(kind) or types.is_large_string(kind) or views(kind))


@dataclass(frozen=True)
class Text:
    """n fields of text.

    Attributes:
        words: the k different fields, in NFC, in the order in which they first occur.
        stripped: the same without spaces around them, for all that is no word.
        codes: int64 [n], the word of each field.
        is_missing: bool [k], which words stand for a missing value.
    """

    words: Any
    stripped: Any
    codes: NDArray[np.int64]
    is_missing: NDArray[np.bool_]

    @classmethod
    def of(cls, column: Any, na_values: Iterable[str] = ()) -> "Text":
        """Take apart a column of text; null is the empty word."""
        column = column.cast(pyarrow.large_string()).combine_chunks()
        column = column.fill_null("").dictionary_encode()
        codes = column.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        words = pc.utf8_normalize(column.dictionary, form="NFC")
        merged = words.dictionary_encode()  # two forms of one word are one word
        codes = merged.indices.to_numpy(zero_copy_only=False).astype(np.int64)[codes]
        words = merged.dictionary
        stripped = pc.utf8_trim_whitespace(words)
        missing = [*_MISSING, *(nfc(word).strip() for word in na_values)]
        is_missing = pc.is_in(stripped, value_set=pyarrow.array(missing, pyarrow.large_string()))
        return cls(words, stripped, codes, is_missing.to_numpy(zero_copy_only=False))

    def without(self, is_missing: NDArray[np.bool_]) -> "Text":
        """The same with more words that stand for a missing value."""
        return Text(self.words, self.stripped, self.codes, self.is_missing | is_missing)

    def known(self) -> Any:
        """The stripped words that are not missing."""
        return self.stripped.filter(pyarrow.array(~self.is_missing))

    def rows_of(self, word: int) -> NDArray[np.int64]:
        """The fields that hold word number ``word``."""
        return np.flatnonzero(self.codes == word)


def alike(words: Iterable[str]) -> list[tuple[str, str]]:
    """Pairs of words that differ in case or in the spaces around them only."""
    first: dict[str, str] = {}
    pairs = []
    for word in words:
        key = word.strip().casefold()
        if key in first:
            pairs.append((first[key], word))
        else:
            first[key] = word
    return pairs
