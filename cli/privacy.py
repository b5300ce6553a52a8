"""``memtail privacy``: how well can be told which examples a model was trained on?"""

import click

from cli import output as out
from cli.experiment import finish, opened
from cli.options import json_option, store_option, study_argument
from cli.progress import progress_bar


@click.command()
@study_argument
@store_option
@out.format_option
@out.output_option
@json_option
def privacy(
    name: str, location: str, format_: str | None, output: str | None, as_json: bool
) -> None:
    """Find examples whose membership an attacker can infer.

    Attacks each model of STUDY with all others as shadow models (the likelihood-ratio attack of
    Carlini et al.). --output exposed.csv has one row per example: how well an attacker recognizes
    it as a training example. Trains nothing and works on unfinished studies; it needs margins.
    """
    from memtail_core.experiments.privacy.result import audit
    from memtail_core.experiments.privacy.section import examples_table

    if as_json and (output or format_):
        raise click.UsageError("--json prints all that was found; for a file leave it out")
    format_ = out.format_of(output, format_, out.FORMATS)
    if output and format_ is None:
        raise click.UsageError(f"--output {output}: say --format csv, parquet or json")
    store, study, material = opened(location, name, margins=True)
    with progress_bar("attacking", 2 * material.trials.n, "attacks") as progress:
        found = audit(study, material.trials, progress)
    if format_:
        out.write(out.encode(examples_table(found, material.dataset), format_), output)
    finish(store, study, found, as_json, err=bool(format_))
