"""Says which values stand for nothing."""

import numpy as np


def is_missing(value: object) -> bool:
    """Whether a value stands for nothing: None, NaN, pandas' NA and NaT."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):  # NA != NA has no truth
        return True
    if isinstance(value, np.datetime64 | np.timedelta64):
        return bool(np.isnat(value))
    return isinstance(value, float | np.floating) and bool(np.isnan(value))
