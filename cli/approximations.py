"""Print approximations: the plan, the scores and their cost, the evaluation."""

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


def print_plan(
    setting: "Setting", chosen: "Chosen", count: int, whole: bool, as_json: bool
) -> None:
    """Print what would be trained."""
    from memtail_core.approximations import missing
    from memtail_core.catalogue.stored import stored_shards
    from memtail_core.running.model_cost import seconds_per_model

    needed = count if chosen.trains else 0
    n_missing = len(missing(setting, count, whole=whole)) if chosen.trains else 0
    stored = stored_shards(setting.store, setting.study)
    seconds = seconds_per_model(setting.store, setting.study, stored)
    if as_json:
        print_json(
            {
                "study": setting.study.id,
                "methods": chosen.names,
                "runs": needed,
                "missing": n_missing,
                "seconds_per_model": seconds,
            }
        )
        return
    size = setting.study.dataset.n_train if whole else setting.study.subset_size
    what = (
        f"{formatting.count(n_missing, 'network')} on {size:,} examples" if n_missing else "nothing"
    )
    time = f", about {formatting.length(seconds * n_missing)} plus the recording" if seconds else ""
    click.echo(f"{setting.study.id}: {', '.join(chosen.names)}")
    click.echo(f"to train: {what}{time if n_missing else ''} ({needed - n_missing} stored)")


def give(
    setting: "Setting",
    approximated: "Approximated",
    files: dict[str, tuple[str, str]],
    runs: int,
    highest: int | None,
    as_json: bool,
) -> None:
    """Write the files, and print what the methods cost; ``highest`` cuts the table of scores."""
    dataset = setting.dataset
    if "--output" in files:
        path, format_ = files["--output"]
        scores = approximated.scores_table(dataset)
        if highest is not None:
            (name,) = approximated.scores
            scores = scores.sort_by([(name.replace("-", "_"), "descending")]).slice(0, highest)
        out.write(out.encode(scores, format_), path)
    if "--pairs" in files:
        path, format_ = files["--pairs"]
        out.write(out.encode(approximated.pairs_table(dataset), format_), path)
    if as_json:
        print_json(
            {
                "study": setting.study.id,
                "runs": runs,
                "costs": {name: asdict(cost) for name, cost in approximated.costs.items()},
                "scores": {name: scores.tolist() for name, scores in approximated.scores.items()},
            }
        )
        return
    table = _table("method", "seconds", "trainings")
    for name, cost in approximated.costs.items():
        table.add_row(name, f"{cost.seconds:.1f}", _trainings(cost))
    console = _console()
    console.print(f"{setting.study.id}: from {formatting.count(runs, 'training')}")
    console.print(table)
    if not files:
        console.print("To write scores: --output scores.csv; pairs: --pairs pairs.csv")


def print_evaluation(study: "Study", evaluation: "StudyEvaluation", as_json: bool) -> None:
    """Print how good each method is."""
    if as_json:
        print_json({"study": study.id, **evaluation.as_dict()})
        return
    console = _console()
    where = "all examples" if evaluation.whole else "subsets of its first models"
    console.print(
        f"[bold]{study.id}[/]: {formatting.count(evaluation.runs, 'training')} on {where}, "
        f"compared with {evaluation.reference:,} other models: {evaluation.memorized:,} memorized "
        f"examples; noise in their scores limits Pearson to {_number(evaluation.ceiling, 3)}"
    )
    if evaluation.methods:
        table = _table("method", "trainings", "Pearson", "Spearman", "top 5%", "AUROC ≥ 0.25")
        for each in evaluation.methods:
            figures = (each.pearson, each.spearman, each.top, each.auroc)
            table.add_row(each.method, _trainings(each.cost), *map(_measured, figures))
        console.print(table)
    if evaluation.of_influence:
        first = evaluation.of_influence[0]
        console.print(
            f"\n{first.pairs:,} significant pairs to find among {first.candidates:,} of one class"
        )
        table = _table("method", "trainings", "found in as many", "in 10 × as many", "AUROC")
        for pairs in evaluation.of_influence:
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
