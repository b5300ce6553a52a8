"""Examples as one line of text: the first phrases that their modality has for each."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from numpy.typing import NDArray

from memtail_core.data import Dataset, Examples
from memtail_core.data.modalities import Modality

_SHOWN = 8  # phrases; for a table, one phrase is one column
_LONGEST = 200  # characters


def texts_of(dataset: Dataset, examples: Examples) -> Iterator[str]:
    """Describe each example of the training or test set: ``age 37, color=red, …``."""
    for chunk in examples.chunks():
        for example in chunk:
            text = first_phrases(dataset.modality, example, dataset.features)
            yield text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def first_phrases(modality: Modality, example: NDArray[Any], columns: Sequence[str]) -> str:
    """Join up to eight phrases on one example; "…" stands for the others."""
    phrases = list(islice(modality.phrases(example, columns), _SHOWN + 1))
    return ", ".join([*phrases[:_SHOWN], *(["…"] if len(phrases) > _SHOWN else [])])
