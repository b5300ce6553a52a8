"""How approximations are shown: the plan, what they cost, and what they are worth."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from cli import formatting
from cli import output as out
from cli.options import print_json

if TYPE_CHECKING:
    from memtail_core.approximations import Approximated, Chosen, Cost, Setting, StudyEvaluation
    from memtail_core.approximations.evaluation import Measured
    from memtail_core.study import Study

_WIDTH = 110


def say_plan(setting: "Setting", chosen: "Chosen", count: int, whole: bool, as_json: bool) -> None:
    """Say what would be trained."""
    from memtail_core.approximations import missing
    from memtail_core.running.cost import seconds_per_model

    needed = count if chosen.trains else 0
    lacking = len(missing(setting, count, whole=whole)) if chosen.trains else 0
    seconds = seconds_per_model(setting.store, setting.study)
    if as_json:
        print_json(
            {
                "study": setting.study.id,
                "methods": chosen.names,
                "runs": needed,
                "missing": lacking,
                "seconds_per_model": seconds,
            }
        )
        return
    size = setting.study.dataset.n_train if whole else setting.study.subset_size
    what = f"{formatting.count(lacking, 'network')} on {size:,} examples" if lacking else "nothing"
    time = f", about {formatting.length(seconds * lacking)} and the watching" if seconds else ""
    click.echo(f"{setting.study.id}: {', '.join(chosen.names)}")
    click.echo(f"to train: {what}{time if lacking else ''} ({needed - lacking} kept)")


def give(
    setting: "Setting",
    found: "Approximated",
    files: dict[str, tuple[str, str]],
    runs: int,
    as_json: bool,
) -> None:
    """Write the files that were asked for, and say what the methods cost."""
    dataset = setting.dataset
    if "--output" in files:
        path, format_ = files["--output"]
        out.write(out.encode(found.scores_table(dataset), format_), path)
    if "--pairs" in files:
        path, format_ = files["--pairs"]
        out.write(out.encode(found.pairs_table(dataset), format_), path)
    if as_json:
        print_json(
            {
                "study": setting.study.id,
                "runs": runs,
                "costs": {name: asdict(cost) for name, cost in found.costs.items()},
                "scores": {name: scores.tolist() for name, scores in found.scores.items()},
            }
        )
        return
    table = _table("method", "seconds", "trainings")
    for name, cost in found.costs.items():
        table.add_row(name, f"{cost.seconds:.1f}", _trainings(cost))
    console = _console()
    console.print(f"{setting.study.id}: from {formatting.count(runs, 'training')}")
    console.print(table)
    if not files:
        console.print("the scores: --output scores.csv; pairs: --pairs pairs.csv")


def say_evaluation(study: "Study", found: "StudyEvaluation", as_json: bool) -> None:
    """Print what each method is worth."""
    if as_json:
        print_json({"study": study.id, **found.as_dict()})
        return
    console = _console()
    where = "all examples" if found.whole else "subsets of its first models"
    console.print(
        f"[bold]{study.id}[/]: {formatting.count(found.runs, 'training')} on {where}, beside "
        f"{found.reference:,} other models: {found.memorized:,} memorized examples; noise in these "
        f"alone limits Pearson to {_number(found.ceiling, 3)}"
    )
    if found.methods:
        table = _table("method", "trainings", "Pearson", "Spearman", "top 5%", "AUROC ≥ 0.25")
        for each in found.methods:
            figures = (each.pearson, each.spearman, each.top, each.auroc)
            table.add_row(each.method, _trainings(each.cost), *map(_measured, figures))
        console.print(table)
    if found.of_influence:
        first = found.of_influence[0]
        console.print(
            f"\n{first.pairs:,} significant pairs, to be found among {first.candidates:,} of one "
            "class"
        )
        table = _table("method", "trainings", "found in as many", "in 10 × as many", "AUROC")
        for pairs in found.of_influence:
            figures_of_pairs = (pairs.precision, pairs.wider, pairs.auroc)
            table.add_row(pairs.method, _trainings(pairs.cost), *map(_measured, figures_of_pairs))
        console.print(table)


def _console() -> Console:
    console = Console(highlight=False, soft_wrap=True)
    console.width = max(console.width, _WIDTH)
    return console


def _table(*titles: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for number, title in enumerate(titles):
        table.add_column(title, justify="right" if number else "left", no_wrap=True)
    return table


def _trainings(cost: "Cost") -> str:
    return _number(cost.trainings, 2)


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _measured(of: "Measured") -> str:
    if of.value is None:
        return "–"
    within = "" if of.low is None else f" ({of.low:.2f}–{of.high:.2f})"
    return f"{of.value:.2f}{within}"
