"""How pairs look on a terminal: a table, a console wide enough for it, the names of examples."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli import formatting

_WIDTH = 110


def wide_console(*, stderr: bool = False) -> Console:
    """A console on which a table of pairs is whole; one that is narrower wraps its lines."""
    console = Console(highlight=False, soft_wrap=True, stderr=stderr)
    console.width = max(console.width, _WIDTH)
    return console


def called(index: int, name: str) -> str:
    """An example's index, and its name where it has one."""
    return str(index) if name == str(index) else escape(f"{index} ({formatting.plain(name)})")


def drawn(rows: list[dict[str, Any]], classes: Any) -> Table:
    """Draw pairs as a table for a terminal."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("train", "", "mem.", "test", "", "influence", "95% interval", "p", "q"):
        numeric = title not in ("train", "test", "")
        table.add_column(title, justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        memorized = row["memorization"]
        table.add_row(
            called(row["train_index"], row["train_name"]),
            escape(formatting.plain(str(classes[row["train_label"]]))),
            "–" if memorized is None else f"{memorized:.2f}",
            called(row["test_index"], row["test_name"]),
            escape(formatting.plain(str(classes[row["test_label"]]))),
            f"{row['influence']:.2f} ± {row['standard_error']:.2f}",
            f"{row['ci_low']:.2f} … {row['ci_high']:.2f}",
            f"{row['p_value']:.1g}",
            f"{row['q_value']:.1g}",
        )
    return table
