"""How dark each character of a document is shown: by how training on it made its token likelier.

The levels are of :attr:`.TokenLosses.difference`: at 0.5, 1, 2 and 4 nats a token is 1.6, 2.7, 7
and 55 times as likely to models that trained on the document as to those that held it out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from markupsafe import Markup, escape
from numpy.typing import NDArray

from memtail_core.data import Dataset
from memtail_core.data.modalities.text.cleaning import BETWEEN
from memtail_core.data.modalities.text.tokenizing import spans
from memtail_core.estimation.token_losses import TokenLosses
from memtail_core.report.exploration.feature_text import BESIDE, MORE

LEVELS = (0.5, 1.0, 2.0, 4.0)
"""Nats; a character's level is how many of these the difference of its token reaches."""

_MOST = 35  # characters of a run: one digit of base 36
_ROOM = 4 * 2**20  # bytes of a page for the shades of all documents
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"

Runs = list[tuple[int, int]]
"""Levels, 0 to 4, each with how many characters have it, from the first character on."""


@dataclass(frozen=True, eq=False)
class TokenShades:
    """The levels of the characters of every training document.

    Attributes:
        dataset: the documents.
        level: int64 [n, T − 1], of each next token.
    """

    dataset: Dataset
    level: NDArray[np.int64]

    @classmethod
    def of(cls, dataset: Dataset, losses: TokenLosses) -> "TokenShades":
        """Shade by these losses; a document without a difference is not shaded."""
        return cls(dataset, np.searchsorted(LEVELS, np.nan_to_num(losses.difference), "right"))

    def runs(self, i: int, shown: str) -> Runs:
        """The levels of what is ``shown`` of training document ``i``, in words.

        A character of several tokens, such as one of CJK, has the highest of their levels.
        """
        assert self.dataset.texts is not None
        text = self.dataset.texts.train[i]
        levels = np.zeros(len(text), np.int64)
        tokens = spans(self.dataset.texts.tokenizer, text, self.level.shape[1] + 1)
        for (start, end), level in zip(tokens[1:], self.level[i], strict=False):
            levels[start:end] = np.maximum(levels[start:end], level)
        if (cut := text.find(BETWEEN)) >= 0:
            wider = np.zeros(len(BESIDE), np.int64)
            levels = np.concatenate([levels[:cut], wider, levels[cut + len(BETWEEN) :]])
        is_cut = len(shown) <= len(levels) and shown.endswith(MORE) and not text.endswith(MORE)
        n = len(shown) - is_cut
        return [(level, len(list(run))) for level, run in groupby(levels[:n].tolist())]

    def html(self, i: int, shown: str) -> Markup:
        """What is ``shown`` of training document ``i``, escaped, shaded by spans."""
        made, start = Markup(), 0
        for level, n in self.runs(i, shown):
            part = escape(shown[start : start + n])
            shaded = Markup('<span class="likelier-{}">{}</span>').format(level, part)
            made += shaded if level else part
            start += n
        return made + escape(shown[start:])

    def encoded(self, examples: NDArray[np.int64], shown: Sequence[str]) -> list[str]:
        """Two digits of base 36 for each run of each of ``examples``: its level and its length.

        Lengths are in code points; what comes after the last run that has a level is left out. If
        all of it is more than a page has room for, the lowest levels are left out.
        """
        every = [self.runs(i, of) for i, of in zip(examples.tolist(), shown, strict=True)]
        for least in range(1, len(LEVELS) + 1):
            made = [_encoded(runs, least) for runs in every]
            if sum(map(len, made)) <= _ROOM:
                break
        return made


def _encoded(runs: Runs, least: int) -> str:
    clear = [(level if level >= least else 0, n) for level, n in runs]
    joined = [(level, sum(n for _, n in of)) for level, of in groupby(clear, lambda run: run[0])]
    if joined and joined[-1][0] == 0:
        joined.pop()
    return "".join(
        f"{level}{_DIGITS[min(_MOST, n - start)]}"
        for level, n in joined
        for start in range(0, n, _MOST)
    )
