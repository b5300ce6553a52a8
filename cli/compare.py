"""``memtail compare``: what changes with the network, the recipe or the epochs."""

from itertools import combinations
from typing import TYPE_CHECKING

import click

from cli.experiment import finish, finished
from cli.options import json_option, store_option
from cli.progress import progress_bar

if TYPE_CHECKING:
    from memtail_core.study import Study


@click.command()
@click.argument("names", metavar="STUDY STUDY …", nargs=-1, required=True)
@store_option
@click.option(
    "--splits",
    type=click.IntRange(1, 1000),
    default=5,
    show_default=True,
    help="Draw this many random halves of each study.",
)
@json_option
def compare(names: tuple[str, ...], location: str, splits: int, as_json: bool) -> None:
    """Compare studies of the same data that differ in training.

    Shows, for every two studies, which memorized examples and pairs they share. To show how much of
    the difference is noise, each study is also compared with itself, one half of its models with
    the other. Trains nothing.
    """
    from memtail_core.estimation.influence import PairsRule, counter_for
    from memtail_core.experiments.comparison.plan import compare as compared
    from memtail_core.experiments.comparison.result import found
    from memtail_core.experiments.comparison.yardstick import Side
    from memtail_core.experiments.stability.result import INFLUENCE_THRESHOLDS, THRESHOLDS
    from memtail_core.plan import designs

    if len(names) < 2:
        raise click.UsageError("name two studies or more")
    opened = [finished(location, name) for name in names]
    for (_, study, _), (_, other, _) in combinations(opened, 2):
        _check(study, other)
    for (store, study, mine), (_, other, theirs) in combinations(opened, 2):
        with progress_bar("comparing", splits + 1, "comparisons") as progress:
            of = compared(
                Side(study.name, mine.trials, designs.block(study)),
                Side(other.name, theirs.trials, designs.block(other)),
                mine.dataset.y_train,
                mine.dataset.y_test,
                PairsRule(),
                thresholds=THRESHOLDS,
                influence_thresholds=INFLUENCE_THRESHOLDS,
                splits=splits,
                engine=counter_for("cpu"),
                progress=progress,
            )
        finish(store, study, found(study, other, of), as_json)


def _check(one: "Study", other: "Study") -> None:
    """Refuse two studies whose examples are not the same, one by one."""
    from memtail_core.errors import EstimationError

    if one.id == other.id:
        raise EstimationError(f"{one.id} was named twice: name two different studies")
    if one.dataset.sha256 != other.dataset.sha256:
        sides = (f"{s.dataset.source}, SHA-256 {s.dataset.sha256[:8]}…" for s in (one, other))
        raise EstimationError(
            f"{one.id} and {other.id} are of different data ({'; '.join(sides)}): only studies of "
            "the same dataset can be compared"
        )
