"""Decides what a column of text is: numbers, dates, the words of a category, or no feature."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow
from numpy.typing import NDArray

from memtail_core.data.sources.table import dates, numerals
from memtail_core.data.sources.table.columns import Column, LeftOut
from memtail_core.data.sources.table.faults import Faults
from memtail_core.data.sources.table.files import Rows
from memtail_core.data.sources.table.options import Kind, Options
from memtail_core.data.sources.table.text import Text
from memtail_core.data.wording import some

_MOST_WORDS = 100  # of a category
_MOST_CODES = 10  # of a category that has numbers among its words
_FEWEST_ROWS_OF_A_CODE = 3
_NEARLY_ALL = 0.9  # of the rows have a word that no other has: an id, or free text
_FEW_ROWS = 10  # do not show that


@dataclass(frozen=True)
class TextColumn:
    """A column of text, of a training and a test table."""

    name: str
    text: Text
    rows: Rows
    options: Options
    faults: Faults

    def read(self, stated: Kind | None) -> Column | LeftOut | None:
        """Read the column as what is ``stated``, or decide; None where a fault was noted."""
        if self.text.is_missing.all():
            return LeftOut(self.name, "it holds nothing")
        numbers = numerals.without_gaps(self.text)
        known = numbers.known()
        if stated == "words" or not len(known):
            return self._words(is_stated=stated == "words")
        if stated != "date" and (read := numerals.read(known, self.options.decimal)):
            column = self._spread("number", numbers, read.values, read.note)
            if read.note and stated is None:
                column = replace(column, warning=self._codes_as_numbers())
            is_stored_as_text = self.rows.files[0].is_typed and stated is None
            return self._as_codes(column) if is_stored_as_text else column
        if stated != "number" and (days := dates.read(known)):
            return self._dates(numbers, days, str(known[0]))
        if stated == "date":
            return self._fault(f"holds '{known[0]}', which is no date: mend it")
        return self._mixed(numbers, stated)

    def _fault(self, what: str) -> Column | None:
        self.faults.add(
            f"the column '{self.name}' {what}, or leave it out: [dataset] ignore = "
            f'["{self.name}"]'
        )
        return None

    def _spread(self, kind: Kind, text: Text, known: NDArray[Any], note: str) -> Column:
        """The column of n fields whose k known words were read as ``known``."""
        values = np.zeros(len(text.words), dtype=known.dtype)
        values[~text.is_missing] = known
        is_missing = text.is_missing.copy()
        if known.dtype.kind == "f":
            is_missing |= np.isnan(values)
        return Column(self.name, kind, values[text.codes], is_missing[text.codes], note=note)

    def _codes_as_numbers(self) -> str:
        return (
            f"the column '{self.name}' has numbers with leading zeros, as codes have: "
            f'types = {{ "{self.name}" = "words" }} reads words, "number" confirms it'
        )

    def _as_codes(self, numbers: Column) -> Column | LeftOut | None:
        """Numbers that a typed file stores as text are codes, unless nearly all differ."""
        is_few = int((~self.text.is_missing).sum()) <= _MOST_WORDS
        words = self._words() if is_few else None
        if not isinstance(words, Column):
            note = ", ".join(filter(None, ["stored as text", numbers.note]))
            return replace(numbers, note=note)
        warning = (
            f"the column '{self.name}' stores numbers as text and is read as {len(words.words)} "
            f'words: types = {{ "{self.name}" = "number" }} reads numbers'
        )
        return replace(words, warning=warning)

    def _dates(self, text: Text, read: dates.Dates, example: str) -> Column | None:
        if not read.is_unclear:
            return self._spread("date", text, read.values, read.note)
        return self._fault(
            f"has dates as '{example}', in which day and month cannot be told apart: write them as "
            "2024-01-31"
        )

    def _mixed(self, text: Text, stated: Kind | None) -> Column | LeftOut | None:
        """Words some of which may be numbers: refuse what looks like a mistake."""
        words = text.known().to_pylist()
        by_kind = numerals.sort(words, self.options.decimal)
        index = np.flatnonzero(~text.is_missing)  # of a known word among all
        others = index[by_kind.others]
        if not by_kind.others and not by_kind.unclear:
            values = np.array([by_kind.numbers[i] for i in range(len(words))])
            return self._spread("number", text, values, by_kind.note)
        if not by_kind.others:
            return self._unclear(text, index[by_kind.unclear])
        is_mostly_numbers = len(others) < len(words) / 2 and not (
            len(words) <= _MOST_CODES and self._are_codes(others)
        )
        if stated != "number" and not is_mostly_numbers:
            return self._words()
        bad = [words[i] for i in by_kind.others]
        self.faults.add(
            f"the column '{self.name}' holds {some(bad, 5)} in {self._first(others)}, and mostly "
            f'numbers elsewhere: mend it, or set na_values = ["{bad[0]}"] if it means a missing '
            f'value, or types = {{ "{self.name}" = "words" }}'
        )
        return None

    def _unclear(self, text: Text, words: NDArray[np.int64]) -> Column | None:
        decimal, word = self.options.decimal, text.stripped[int(words[0])].as_py()
        advice = "write all of them in one way"
        if decimal:
            advice = f'that is no number with decimal = "{decimal}": mend it'
        elif "," in word:
            advice = 'set decimal = "," or decimal = "." (a comma then separates thousands)'
        self.faults.add(
            f"the column '{self.name}' holds numbers as '{word}' in {self._first(words)}: "
            f'{advice}, or types = {{ "{self.name}" = "words" }}'
        )
        return None

    def _first(self, words: NDArray[np.int64]) -> str:
        return self.rows.first(np.flatnonzero(np.isin(self.text.codes, words)))

    def _are_codes(self, words: NDArray[np.int64]) -> bool:
        """Whether words recur and have a digit, as the last of 0, 1, 2, 3+."""
        counts = np.bincount(self.text.codes, minlength=len(self.text.words))[words]
        has_digit = (re.search(r"\d", self.text.words[int(i)].as_py()) for i in words)
        return bool((counts >= _FEWEST_ROWS_OF_A_CODE).all()) and all(has_digit)

    def _words(self, is_stated: bool = False) -> Column | LeftOut | None:
        text = self.text
        train = text.codes[: self.rows.n_train]
        known = train[~text.is_missing[train]]
        n_different = len(np.unique(known))
        if not is_stated and len(known) >= _FEW_ROWS and n_different >= _NEARLY_ALL * len(known):
            why = f"{n_different:,} different words in {len(known):,} rows, an id or free text"
            return LeftOut(self.name, why)
        index = np.flatnonzero(~text.is_missing)
        words: list[str] = text.words.take(pyarrow.array(index)).to_pylist()
        if len(words) > _MOST_WORDS:
            return self._fault(
                f"of '{self.rows.files[0].path}' holds {len(words):,} different words, not a "
                f"category (at most {_MOST_WORDS}): drop or encode it"
            )
        order = sorted(range(len(words)), key=words.__getitem__)
        place = np.full(len(text.words), -1)
        place[index[order]] = np.arange(len(order))
        values = place[text.codes]
        return Column(self.name, "words", values, values < 0, tuple(words[i] for i in order))
