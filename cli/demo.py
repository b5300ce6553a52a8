"""``memtail demo``: a complete study of data that comes with scikit-learn."""

import click

from cli.options import json_option, store_option, workers_option


@click.command()
@store_option
@workers_option
@json_option
def demo(location: str, workers: int | None, as_json: bool) -> None:
    """Find the memorized ones among 1,438 handwritten digits.

    Trains the study `digits` and writes its report, in about a minute on two cores. This is the
    same as `memtail run digits`; the data come with scikit-learn.
    """
    from cli.run import execute
    from memtail_core.running.preparation import prepare
    from memtail_core.store import open_store
    from memtail_core.study import Spec

    spec = Spec.load("digits")
    study, dataset = prepare(spec)
    execute(open_store(location), study, dataset, spec.study.trials, workers, as_json=as_json)
