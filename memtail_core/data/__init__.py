"""The data of a study: examples, labels, names; where they come from and what they are.

:mod:`.loading` turns the table ``[dataset]`` into a Dataset. ``sources/`` has one file for each
kind of source, ``modalities/`` one folder for each kind of example: images, rows of a table, texts.

What reads sources is imported when first used: most of memtail takes its data from a store.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from memtail_core.data.account import NO_ACCOUNT, Account
from memtail_core.data.dataset import Dataset
from memtail_core.data.examples import Examples, InMemory, Selection
from memtail_core.data.splits import Splits
from memtail_core.study import UNLABELLED

if TYPE_CHECKING:
    from memtail_core.data.loading import given, load, read
    from memtail_core.data.packed.storage import Storage
    from memtail_core.data.sources import SOURCES

_HOMES = {
    "SOURCES": "sources",
    "Storage": "packed.storage",
    "given": "loading",
    "load": "loading",
    "read": "loading",
}

__all__ = [
    "NO_ACCOUNT",
    "SOURCES",
    "UNLABELLED",
    "Account",
    "Dataset",
    "Examples",
    "InMemory",
    "Selection",
    "Splits",
    "Storage",
    "given",
    "load",
    "read",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
