"""``memtail demo``: the whole main job on real data that needs no download."""

import click

from cli.options import json_option, store_option


@click.command()
@store_option
@click.option(
    "--workers", type=click.IntRange(1), help="Processes. [default: the fastest, measured]"
)
@json_option
def demo(location: str, workers: int | None, as_json: bool) -> None:
    """Train the study `digits` and report: which of 1,438 handwritten digits are memorized.

    About a minute on two cores. The same as `memtail run digits`.
    """
    from cli.run import execute
    from cli.training import RunOptions
    from memtail_core.running.preparation import prepare
    from memtail_core.store import open_store
    from memtail_core.study import Spec

    spec = Spec.load("digits")
    study, dataset = prepare(spec)
    options = RunOptions(workers, as_json=as_json)
    execute(open_store(location), study, dataset, spec.study.trials, options)
