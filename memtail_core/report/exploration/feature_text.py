"""Examples in words: a text by its beginning, others by what their modality says of each."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.data.modalities import Modality
from memtail_core.data.modalities.text.cleaning import BETWEEN

_SHOWN = 8  # phrases; for a table, one phrase is one column
_LONGEST = 200  # characters
_LONGEST_TEXT = 1000  # bytes; where there are many texts, fewer
_SHORTEST_TEXT = 120
_ALL_TEXTS = 6 * 2**20  # bytes of all texts of a page together, roughly

BESIDE = " ‖ "
"""Shown between the two texts of one example."""

MORE = "…"
"""Shown where a text goes on."""


def words_of(dataset: Dataset, side: str) -> Iterator[str]:
    """Show every example of one set in words: ``age 37, color=red, …``, or the text's beginning.

    Args:
        dataset: its training and test set.
        side: ``train`` or ``test``.
    """
    if dataset.texts is not None:
        n = len(dataset.y_train) + len(dataset.y_test)
        most = max(_SHORTEST_TEXT, min(_LONGEST_TEXT, _ALL_TEXTS // max(1, n)))
        yield from (beginning(text, most) for text in getattr(dataset.texts, side))
        return
    for chunk in getattr(dataset, side).chunks():
        for example in chunk:
            text = first_phrases(dataset.modality, example, dataset.features)
            yield text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def words(dataset: Dataset, side: str, i: int) -> str:
    """Show one example of ``train`` or ``test`` in words."""
    if dataset.texts is not None:
        return beginning(getattr(dataset.texts, side)[i], _LONGEST_TEXT)
    example = getattr(dataset, side).take([i])[0]
    return first_phrases(dataset.modality, example, dataset.features)


def beginning(text: str, most: int) -> str:
    """The first ``most`` bytes of a text in UTF-8, with "…" if there are more.

    >>> beginning("two words", 5)
    'two w…'
    """
    encoded = text.encode()
    cut = encoded[:most].decode(errors="ignore") + MORE if len(encoded) > most else text
    return cut.replace(BETWEEN, BESIDE)


def first_phrases(modality: Modality, example: NDArray[Any], columns: Sequence[str]) -> str:
    """Join up to eight phrases on one example; "…" stands for the others."""
    phrases = list(islice(modality.phrases(example, columns), _SHOWN + 1))
    return ", ".join([*phrases[:_SHOWN], *(["…"] if len(phrases) > _SHOWN else [])])
