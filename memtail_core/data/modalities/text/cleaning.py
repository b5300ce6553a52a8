"""Texts as people hand them over, in one form: Unicode's NFC, without control characters.

An example may have two texts, as a premise and its hypothesis. They are kept as one, with
:data:`BETWEEN` between them, which no text can hold.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memtail_core.data.account import Account
from memtail_core.data.missing_values import is_missing
from memtail_core.data.wording import counted
from memtail_core.errors import DatasetError

BETWEEN = "\x1f"  # Unicode's unit separator
MOST_PARTS = 2

_LINE_ENDS = re.compile("\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def are_texts(given: Any) -> bool:
    """Whether examples look like texts: a sequence whose first is one, or a few of them."""
    if isinstance(given, np.ndarray) and given.dtype.kind in "SU":
        return given.ndim == 1 or (given.ndim == 2 and given.shape[1] <= MOST_PARTS)
    is_sequence = isinstance(given, list | tuple) or type(given).__name__ == "Series"
    if not is_sequence and not (isinstance(given, np.ndarray) and given.dtype.kind == "O"):
        return False
    first: Any = next((each for each in list(given) if each is not None), None)
    if isinstance(first, str):
        return True
    is_few = isinstance(first, list | tuple | np.ndarray) and 0 < len(first) <= MOST_PARTS
    return is_few and all(isinstance(part, str) for part in first)


def as_texts(given: Any, name: str) -> tuple[NDArray[np.object_], Account]:
    """Return examples as an array of clean texts, and say what was replaced in them.

    Args:
        given: n texts, or n pairs of texts.
        name: what a message calls them: ``x_train``.

    Raises:
        DatasetError: one of them is missing or no text.
    """
    texts = np.empty(len(given), dtype=object)
    n_changed = 0
    for row, each in enumerate(given):
        parts = [_text(part, row, name) for part in _parts(each)]
        cleaned = [clean(part) for part in parts]
        n_changed += any(map(_is_damaged, parts))
        texts[row] = BETWEEN.join(cleaned)
    if not n_changed:
        return texts, Account()
    held = "holds" if n_changed == 1 else "hold"
    what = f"{counted(n_changed, 'text')} of {name} {held} control characters: replaced by spaces"
    return texts, Account((what,))


def clean(text: str) -> str:
    """Return one text in NFC, its line ends as ``\\n``, and spaces for control characters.

    >>> clean("a\\x00b\\r\\ne\\u0301")
    'a b\\né'
    """
    text = _LINE_ENDS.sub("\n", text)
    text = _SURROGATES.sub("\ufffd", _CONTROL.sub(" ", text))
    return unicodedata.normalize("NFC", text)


def is_clean(text: str) -> bool:
    """Whether a text, or two with :data:`BETWEEN` between them, is as :func:`clean` leaves it."""
    parts = text.split(BETWEEN)
    return len(parts) <= MOST_PARTS and all(clean(part) == part for part in parts)


def _is_damaged(text: str) -> bool:
    return bool(_CONTROL.search(text) or _SURROGATES.search(text))


def _parts(each: Any) -> Sequence[Any]:
    return list(each) if isinstance(each, list | tuple | np.ndarray) else (each,)


def _text(part: Any, row: int, name: str) -> str:
    if isinstance(part, str):
        return str(part)
    if isinstance(part, bytes):
        try:
            return part.decode()
        except UnicodeDecodeError as error:
            raise DatasetError(f"{name}[{row}] holds bytes that are not UTF-8 text") from error
    what = "missing" if is_missing(part) else f"{type(part).__name__}, no text"
    raise DatasetError(f"{name}[{row}] is {what}: fill or drop it")


def parts_of(texts: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Yield the one or two parts of each text."""
    return (tuple(text.split(BETWEEN)) for text in texts)
