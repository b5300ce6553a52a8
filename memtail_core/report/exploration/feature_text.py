"""A row of a table as one line of text: its first features, each with its name."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SHOWN = 8  # features
_LONGEST = 200  # characters


def row_text(features: Sequence[str], row: NDArray[np.float32]) -> str:
    """Describe a row, float32 [d], as ``age 37, color=red, …``; one-hot features only if set."""
    if not features:
        parts = [f"{value:.4g}" for value in row[: _SHOWN + 1].tolist()]
    else:
        parts = [
            name if "=" in name and value == 1 else f"{name} {value:.4g}"
            for name, value in zip(features, row.tolist(), strict=True)
            if "=" not in name or value != 0
        ]
    text = ", ".join([*parts[:_SHOWN], *(["…"] if len(parts) > _SHOWN else [])])
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"
