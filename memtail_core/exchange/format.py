"""What a format is: how another project keeps trials, and how to read or write that."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from memtail_core.exchange.bank import Bank
from memtail_core.exchange.stored import StoredStudy

Labels = NDArray[Any] | None


@dataclass(frozen=True)
class Format:
    """A format of trials, or of what is known of examples.

    Attributes:
        name: what users call it: ``--format``, ``--to``.
        summary: what it is, a few words for help and messages.
        recognises: whether a path looks like it.
        read: reads a path as a bank, given the labels of the training examples where the user names
            them. None: memtail only writes it.
        write: writes a study into an empty folder; None: memtail only reads it.
        passes: how often it reads all trials to write them.
        lists_examples: whether it writes what follows of each example, not the trials.
    """

    name: str
    summary: str
    recognises: Callable[[Path], bool] = lambda path: False
    read: Callable[[Path, Labels], Bank] | None = None
    write: Callable[[StoredStudy, Path], None] | None = None
    passes: Callable[[StoredStudy], int] = lambda _: 1
    lists_examples: bool = False
