"""How pairs look on a terminal."""

from typing import Any

from rich.console import Console

from cli.text_tables import Named, print_table

_TITLES = ("train", "class", "mem.", "test", "class", "influence", "95% interval", "p", "q")


def pair_console(*, stderr: bool = False) -> Console:
    """A console for sentences and tables of pairs; long sentences wrap."""
    return Console(highlight=False, soft_wrap=True, stderr=stderr)


def print_pairs(console: Console, rows: list[dict[str, Any]], rate: str = "p_value") -> None:
    """Print rows of a table of pairs, see :func:`memtail_core.report.tables.pairs_table`.

    Args:
        console: where.
        rows: of the table.
        rate: the column that says how often chance does as much, ``p_value`` or
            ``false_sign_rate``.
    """
    titles = [*_TITLES[:-2], "p" if rate == "p_value" else "wrong sign", _TITLES[-1]]
    cells = [
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
    print_table(console, titles, cells, texts={0, 1, 3, 4})
