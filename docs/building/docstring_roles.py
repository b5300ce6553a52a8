"""Docstrings name other objects as Sphinx does, :func:`find`; on the site they are code."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:func|class|meth|mod|attr|data):`~?([^`]+)`")


class Roles(griffe.Extension):
    """Rewrites the docstrings of all objects."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite one."""
        if obj.docstring is not None:
            obj.docstring.value = plain(obj.docstring.value)


def plain(text: str) -> str:
    """Name objects by their last names, as code.

    >>> plain("See :func:`~memtail_core.estimation.find`, or :mod:`.plan`.")
    'See `find`, or `plan`.'
    """
    return _ROLE.sub(lambda match: f"`{match[1].rpartition('.')[2]}`", text)
