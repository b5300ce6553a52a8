"""``memtail stability``: would another study say the same, and how many models would it take?"""

import click

from cli.experiment import Numbers, finish, opened
from cli.options import json_option, store_option, study_argument
from cli.progress import progress_bar


@click.command()
@study_argument
@store_option
@click.option(
    "--agreement",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    default=0.9,
    show_default=True,
    help="Report how many models it takes to agree this well.",
)
@click.option(
    "--thresholds",
    type=Numbers(),
    help="Compare at these memorization thresholds. [default: 0.05 … 0.9]",
)
@click.option(
    "--splits",
    type=click.IntRange(2, 1000),
    default=10,
    show_default=True,
    help="Draw this many random halves of each size.",
)
@json_option
def stability(
    name: str,
    location: str,
    agreement: float,
    thresholds: tuple[float, ...] | None,
    splits: int,
    as_json: bool,
) -> None:
    """Measure how well two halves of the models agree.

    Repeatedly splits the models of STUDY into halves and compares their memorized examples and
    high-influence pairs; shows how the agreement grows with the number of models. Trains nothing
    and works on unfinished studies.
    """
    from memtail_core.analysis.halves import sizes
    from memtail_core.estimation.influence import PairsRule, counter_for
    from memtail_core.experiments.stability.plan import stability as stability_of
    from memtail_core.experiments.stability.result import INFLUENCE_THRESHOLDS, THRESHOLDS, found
    from memtail_core.plan import designs

    store, study, material = opened(location, name)
    rule, data = PairsRule(), material.dataset
    block = designs.block(study)
    comparisons = len(sizes(material.trials.trials, block)) * splits
    with progress_bar("comparing", comparisons, "comparisons") as progress:
        of = stability_of(
            material.trials,
            block,
            data.y_train,
            data.y_test,
            rule,
            thresholds=sorted({*(thresholds or THRESHOLDS), rule.theta_mem}),
            influence_thresholds=INFLUENCE_THRESHOLDS,
            splits=splits,
            engine=counter_for("cpu"),
            progress=progress,
        )
    finish(store, study, found(study, len(material.trials), of, agreement), as_json)
