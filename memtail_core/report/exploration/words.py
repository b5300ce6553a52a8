"""A row of a table in words: its first columns, each with its name."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SHOWN = 8  # columns
_LONGEST = 200  # characters


def in_words(features: Sequence[str], row: NDArray[np.float32]) -> str:
    """Say a row, float32 [d]; of a column of words, the one word: ``age 37, color=red, …``."""
    if not features:
        said = [f"{value:.4g}" for value in row[: _SHOWN + 1].tolist()]
    else:
        said = [
            name if "=" in name and value == 1 else f"{name} {value:.4g}"
            for name, value in zip(features, row.tolist(), strict=True)
            if "=" not in name or value != 0
        ]
    text = ", ".join([*said[:_SHOWN], *(["…"] if len(said) > _SHOWN else [])])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
