"""``python:module:function``: the user's own code returns the arrays."""

import sys
from contextlib import redirect_stdout
from dataclasses import fields
from typing import Any

from memtail_core.data.splits import Splits
from memtail_core.data.user_code import function
from memtail_core.errors import DatasetError


def load(path: str, /, **options: Any) -> Splits:
    """Call ``function(**options)``, which returns (x_train, y_train) or these and a test set.

    It may return a dict with the keys of an npz source instead, or a
    :class:`~memtail_core.data.Splits`.
    """
    call = function(f"python:{path}")
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results
            returned = call(**options)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}"
        raise DatasetError(f"python:{path} failed: {reason}") from error
    if isinstance(returned, Splits):
        return returned
    if isinstance(returned, dict) and {"x_train", "y_train"} <= returned.keys():
        if strange := returned.keys() - {field.name for field in fields(Splits)}:
            raise DatasetError(
                f"python:{path} returned the unknown part '{min(map(str, strange))}'"
            )
        return Splits(**returned)
    if isinstance(returned, tuple) and len(returned) in (2, 4):
        return Splits(*returned)
    raise DatasetError(
        f"python:{path} returned {type(returned).__name__}: return (x_train, y_train) or "
        "(x_train, y_train, x_test, y_test)"
    )
