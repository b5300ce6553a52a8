"""Tables on a terminal: texts are shortened where space is short, numbers never."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli import formatting

_WIDE = 100  # from here on there are two spaces between columns, otherwise one
_NARROWEST = 80  # where a terminal is narrower, lines are wrapped
_PIPED = 120  # where there is no terminal
_LEAST = 4  # of a text that is left


@dataclass(frozen=True)
class Named:
    """An example: its index, which is never shortened, and its name where it has one."""

    index: int
    name: str

    def __str__(self) -> str:
        name = formatting.plain(self.name)
        return str(self.index) if name == str(self.index) else f"{self.index} ({name})"

    def within(self, width: int) -> str:
        """As text of at most ``width``, as far as the index allows."""
        if cell_len(str(self)) <= width:
            return str(self)
        left = max(_LEAST, width - len(f"{self.index} ()"))
        return f"{self.index} ({shortened(formatting.plain(self.name), left)})"


Cell = str | Named


def print_table(
    console: Console, titles: Sequence[str], rows: Sequence[Sequence[Cell]], texts: set[int]
) -> None:
    """Print a table within the width of the terminal, each row on one line.

    Args:
        console: where to.
        titles: of the columns.
        rows: the cells.
        texts: which columns hold texts, aligned left and shortened in the middle where the table
            would be too wide; the other columns hold numbers.
    """
    available = max(console.width, _NARROWEST) if console.is_terminal else _PIPED
    gap = 2 if available >= _WIDE else 1
    lengths = [
        max([cell_len(title), *(cell_len(str(row[c])) for row in rows)])
        for c, title in enumerate(titles)
    ]
    fixed = sum(n for c, n in enumerate(lengths) if c not in texts) + gap * (len(titles) - 1)
    columns = [(cell_len(titles[c]), [row[c] for row in rows]) for c in sorted(texts)]
    widest = _widest(columns, available - fixed)
    table = Table(box=None, pad_edge=False, padding=(0, gap, 0, 0), header_style="bold")
    for c, title in enumerate(titles):
        table.add_column(title, justify="left" if c in texts else "right", no_wrap=True)
    for row in rows:
        cells = (_within(cell, widest) if c in texts else str(cell) for c, cell in enumerate(row))
        table.add_row(*(escape(cell) for cell in cells))
    wide = Console(
        file=console.file,
        width=max(available, fixed + sum(lengths)),
        highlight=False,
        soft_wrap=True,
        force_terminal=console.is_terminal,
        no_color=console.no_color,
    )
    wide.print(table)


def shortened(text: str, width: int) -> str:
    """Leave out the middle of a text, so that it is at most ``width`` wide."""
    if cell_len(text) <= width:
        return text
    head, tail = text, text
    while cell_len(head) > (width - 1) // 2:
        head = head[:-1]
    while cell_len(tail) > width - 1 - cell_len(head):
        tail = tail[1:]
    return f"{head}…{tail}"


def _widest(columns: Sequence[tuple[int, Sequence[Cell]]], available: int) -> int:
    """How wide a text may be at most, so that columns of texts, each with its title's, fit."""
    bounds = [[_bounds(cell) for cell in cells] for _, cells in columns]
    width = max((whole for each in bounds for _, whole in each), default=_LEAST)

    def needed(width: int) -> int:
        return sum(
            max([title, *(min(whole, max(width, least)) for least, whole in each)])
            for (title, _), each in zip(columns, bounds, strict=True)
        )

    while width > _LEAST and needed(width) > available:
        width -= 1
    return width


def _bounds(cell: Cell) -> tuple[int, int]:
    """The least width of a cell, and its whole width."""
    least = len(f"{cell.index} ()") + _LEAST if isinstance(cell, Named) else _LEAST
    return least, cell_len(str(cell))


def _within(cell: Cell, width: int) -> str:
    if isinstance(cell, Named):
        return cell.within(width)
    return shortened(formatting.plain(cell), width)
