"""``memtail cancel``: stop a study of the cluster."""

import click
from rich.console import Console

from cli import formatting
from cli.options import find_study, json_option, print_json, store_option, study_argument


@click.command()
@study_argument
@store_option
@json_option
def cancel(name: str, location: str, as_json: bool) -> None:
    """Stop training STUDY on the cluster.

    Stored models stay; memtail submit continues the study.
    """
    from cli.cluster import connected
    from services import submission

    with connected(location) as cluster:
        _, study = find_study(location, name)
        stopped = submission.cancel(cluster, study)
    if as_json:
        print_json({"id": study.id, "stopped": stopped})
        return
    Console(highlight=False, soft_wrap=True).print(
        f"cancelled {study.id}: {formatting.count(stopped, 'shard')} under way stopped; "
        f"what is stored stays, and memtail submit {study.id} continues"
    )
