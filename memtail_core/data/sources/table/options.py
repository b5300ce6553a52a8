"""The options that ``csv:``, ``parquet:`` and ``jsonl:`` share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from memtail_core.data.sources.table.text import matching, nfc
from memtail_core.errors import StudyError, did_you_mean

Decimal = Literal[".", ","]
Missing = Literal["error", "impute", "category", "drop"]
Kind = Literal["number", "words", "date"]


@dataclass(frozen=True)
class Options:
    """How the columns of a table are read.

    Attributes:
        ignore: columns to leave out.
        decimal: the decimal sign; the other sign may then separate thousands. None: ".", and a
            number with a comma is refused where it can be read in two ways.
        na_values: words that stand for a missing value, besides the usual ones.
        missing: what happens to a missing value.
        types: what columns are, where memtail should not decide it.
    """

    ignore: Sequence[str] = ()
    decimal: Decimal | None = None
    na_values: Sequence[str] = ()
    missing: Missing = "error"
    types: Mapping[str, Kind] | None = None

    def ignored(self, names: Sequence[str]) -> set[str]:
        """The columns among ``names`` to leave out; StudyError for one that is not there."""
        return {self._column("ignore", name, names) for name in self.ignore}

    def stated(self, names: Sequence[str]) -> dict[str, Kind]:
        """What the columns among ``names`` are said to be; StudyError for one not there."""
        given = (self.types or {}).items()
        return {self._column("types", name, names): kind for name, kind in given}

    @staticmethod
    def _column(option: str, name: str, names: Sequence[str]) -> str:
        column = matching(nfc(name), names)
        if column is None:
            raise StudyError(
                f"[dataset] {option}: there is no column '{name}'{did_you_mean(name, list(names))}"
            )
        return column
