"""``memtail pairs --calibrated``: what it lists, and what does not go with it."""

from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from cli import formatting
from cli.options import find_study
from cli.pair_tables import Destination
from cli.text_tables import Named, print_table

if TYPE_CHECKING:
    from memtail_core.analysis.pair_queries import PairQuery

_WHY_NOT = {
    "--fdr": "it has no p-values",
    "--permutations": "it has no p-values",
    "--harmful": "it looks for influence to the better",
    "--any-class": "it looks at pairs of one class",
    "--memory": "it looks at 10 million pairs at most, 2.5 GB",
    "--device": "it counts on the processor",
}


def refuse(given: dict[str, bool]) -> None:
    """Refuse options that ``--calibrated`` has no meaning for, by name and whether given."""
    for name, is_given in given.items():
        if is_given:
            raise click.UsageError(f"{name} does not go with --calibrated: {_WHY_NOT[name]}")


def list_calibrated(
    name: str,
    location: str,
    *,
    question: "PairQuery",
    theta: float,
    theta_mem: float,
    top: int | None,
    destination: Destination,
) -> None:
    """List the pairs, or write them."""
    from memtail_core.analysis.calibrated_pairs import calibrate_pairs_stored
    from memtail_core.estimation.influence import PairsRule
    from memtail_core.report import tables

    store, study = find_study(location, name)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with console.status("estimating"):
        candidates = calibrate_pairs_stored(
            store, study, PairsRule(theta_mem=theta_mem, theta_infl=theta)
        )
    if candidates.n_damaged:
        console.print(
            f"[yellow]Warning:[/] {formatting.count(candidates.n_damaged, 'damaged shard')} left "
            "out; memtail run trains what is missing"
        )
    among = candidates.asked(question)
    rows = candidates.listed(theta, among)
    table = tables.calibrated_pairs_table(candidates, rows[:top])
    summary = {
        "study": study.id,
        "trials": candidates.n_trials,
        "candidates": int(among.sum()),
        "found": len(rows),
    }
    destination.take(
        table,
        summary,
        [
            f"[bold]{len(rows):,} pairs[/] of {summary['candidates']:,} of a memorized training "
            "example and a test example of its class"
        ],
        _print,
    )


def _print(console: Console, rows: list[dict[str, Any]]) -> None:
    cells = [
        (
            Named(row["train_index"], row["train_name"]),
            Named(row["test_index"], row["test_name"]),
            row["train_class"],
            f"{row['memorization']:.2f}",
            f"{row['calibrated']:.2f}",
            "–"
            if row["influence"] is None
            else f"{row['influence']:.2f} ± {row['standard_error']:.2f}",
        )
        for row in rows
    ]
    titles = ("train", "test", "class", "mem.", "calibrated", "influence")
    print_table(console, titles, cells, texts={0, 1, 2})
