"""Imports the user's functions, named ``python:module:function``, and no other code of theirs."""

import hashlib
import importlib
import inspect
import sys
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from memtail_core.errors import StudyError
from memtail_core.study import FINETUNE


def function(path: str) -> Callable[..., Any]:
    """Import what ``python:module:function`` names; the current folder is searched first."""
    _, _, rest = path.partition(":")
    module_name, _, name = rest.partition(":")
    if not module_name or not name:
        raise StudyError(f"'{path}': write python:module:function")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        with redirect_stdout(sys.stderr):  # stdout is for results
            module = importlib.import_module(module_name)
    except ImportError as error:
        raise StudyError(f"'{path}': cannot import {module_name}: {error}") from error
    except (Exception, SystemExit) as error:  # the module's own code runs on import
        reason = f"{type(error).__name__}: {error}"
        raise StudyError(f"'{path}': importing {module_name} failed: {reason}") from error
    call = getattr(module, name, None)
    if call is None:
        raise StudyError(f"'{path}': the module {module_name} has no '{name}'")
    if not callable(call):
        raise StudyError(f"'{path}' is not a function")
    return call  # type: ignore[no-any-return]


def source_digest(call: Callable[..., Any]) -> str:
    """Return the SHA-256 of the file that defines ``call``; files that it imports do not count."""
    try:
        file = inspect.getsourcefile(inspect.unwrap(call))
    except TypeError:
        file = None
    if file is None:
        raise StudyError(f"the source file of {call!r} cannot be found")
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()


def named_by(training: Mapping[str, Any]) -> str | None:
    """The user's function that training runs, by the table ``[training]``; None: there is none.

    It is a recipe of the user's, or the backbone that a recipe of memtail begins with.
    """
    keys = ("recipe", "backbone") if training.get("recipe") == FINETUNE else ("recipe",)
    values = (training.get(key) for key in keys)
    return next((v for v in values if isinstance(v, str) and v.startswith("python:")), None)
