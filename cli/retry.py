"""``memtail retry``: enqueue again what failed of a study."""

import click
from rich.console import Console

from cli import formatting
from cli.options import find_study, json_option, print_json, store_option, study_argument


@click.command()
@study_argument
@store_option
@json_option
def retry(name: str, location: str, as_json: bool) -> None:
    """Enqueue the failed shards of STUDY again."""
    from cli.cluster import connected
    from services import submission

    with connected(location) as cluster:
        _, study = find_study(location, name)
        enqueued = submission.retry(cluster, study)
    if as_json:
        print_json({"id": study.id, "enqueued": enqueued})
        return
    Console(highlight=False, soft_wrap=True).print(
        f"{formatting.count(enqueued, 'shard')} of {study.id} enqueued again"
        if enqueued
        else f"nothing of {study.id} has failed"
    )
