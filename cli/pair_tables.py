"""Lists of pairs: a table on a terminal, a file, or JSON."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console

from cli import output as out
from cli.options import print_json
from cli.text_tables import Cell, Named, print_table
from memtail_core.study import UNLABELLED

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN = 20

_CLASSES = {1, 4}  # of the titles
_TITLES = ("train", "class", "mem.", "test", "class", "influence", "95% interval", "p", "q")


def pair_console(*, stderr: bool = False) -> Console:
    """A console for sentences and tables of pairs; long sentences wrap."""
    return Console(highlight=False, soft_wrap=True, stderr=stderr)


def print_pairs(console: Console, rows: list[dict[str, Any]], rate: str = "p_value") -> None:
    """Print rows of a table of pairs, see :func:`memtail_core.report.tables.pairs_table`.

    Examples without labels have no columns of classes.

    Args:
        console: where.
        rows: of the table.
        rate: the column that says how often chance does as much, ``p_value`` or
            ``false_sign_rate``.
    """
    titles = [*_TITLES[:-2], "p" if rate == "p_value" else "wrong sign", _TITLES[-1]]
    cells: list[tuple[Cell, ...]] = [
        (
            Named(row["train_index"], row["train_name"]),
            row["train_class"],
            "–" if row["memorization"] is None else f"{row['memorization']:.2f}",
            Named(row["test_index"], row["test_name"]),
            row["test_class"],
            f"{row['influence']:.2f} ± {row['standard_error']:.2f}",
            f"{row['ci_low']:.2f} … {row['ci_high']:.2f}",
            f"{row[rate]:.1g}",
            f"{row['q_value']:.1g}",
        )
        for row in rows
    ]
    texts = {0, 1, 3, 4}
    if {row["train_class"] for row in rows} <= set(UNLABELLED):
        kept = [c for c in range(len(titles)) if c not in _CLASSES]
        titles = [titles[c] for c in kept]
        cells = [tuple(each[c] for c in kept) for each in cells]
        texts = {kept.index(c) for c in texts - _CLASSES}
    print_table(console, titles, cells, texts)


@dataclass(frozen=True)
class Destination:
    """Where a list of pairs goes: JSON, else a file or standard output, else the terminal.

    Attributes:
        format_: of the list, see :mod:`cli.output`; None: a table for people.
        output: the file; None: standard output.
        as_json: the summary and the pairs, as JSON.
    """

    format_: str | None
    output: str | None
    as_json: bool

    def take(
        self,
        table: "pa.Table",
        summary: dict[str, Any],
        sentences: Sequence[str],
        show: Callable[[Console, list[dict[str, Any]]], None] = print_pairs,
    ) -> None:
        """Write or print the pairs, and say what they are.

        Args:
            table: the pairs, the strongest first.
            summary: what JSON says beside them.
            sentences: what people are told.
            show: prints rows of the table.
        """
        if self.as_json:
            print_json({**summary, "pairs": table.to_pylist()})
            return
        if self.format_:
            out.write(out.encode(table, self.format_), self.output)
        console = pair_console(stderr=bool(self.format_))
        for sentence in sentences:
            console.print(sentence)
        if len(table) and not self.format_:
            show(console, table.slice(0, _SHOWN).to_pylist())
            if len(table) > _SHOWN:
                console.print(f"the {_SHOWN} strongest of {len(table):,}; all: --output pairs.csv")
