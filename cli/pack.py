"""``memtail pack``: images of any source as records that are mapped, not loaded."""

from pathlib import Path

import click

from cli.options import json_option, overrides, print_json
from memtail_core.errors import StudyError
from memtail_core.study import Spec


@click.command()
@click.argument("source")
@click.option(
    "-o", "--output", required=True, metavar="FILE", help="Write to this folder, as x.memtail."
)
@click.option("--size", type=int, help="Resize every image to SIZE × SIZE pixels.")
@click.option(
    "--broken",
    type=click.Choice(["error", "skip"]),
    help="Refuse or leave out files that cannot be read. [default: error]",
)
@click.option(
    "--set",
    "assignments",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set another option of the source, as label=animal; repeatable.",
)
@click.option("--workers", type=click.IntRange(1), help="Decode in this many processes.")
@json_option
def pack(
    source: str,
    output: str,
    size: int | None,
    broken: str | None,
    assignments: tuple[str, ...],
    workers: int | None,
    as_json: bool,
) -> None:
    """Pack the images of SOURCE into FILE, for data larger than memory.

    SOURCE is what [dataset] source says, as folder:photos. A study then reads it as packed:FILE.
    The same command continues an interrupted packing; what is packed is not decoded again.
    """
    from rich.console import Console

    from cli import formatting
    from cli.plan import say_account
    from cli.progress import reading
    from memtail_core.running.packing import pack as pack_into

    options = {"source": source, **overrides(assignments)}
    options |= {"size": size} if size is not None else {}
    options |= {"broken": broken} if broken is not None else {}
    table = Spec.parse({"dataset": options}, source).dataset
    folder = Path(output).expanduser()
    if folder.is_file():
        raise StudyError(f"'{output}' is a file: give a folder, as imagenet.memtail")
    with reading(source, is_quiet=as_json) as progress:
        index = pack_into(table, folder, progress, workers)
    n_test = 0 if index.test is None else len(index.test)
    if as_json:
        print_json(
            {
                "path": output,
                "digest": index.digest,
                "train": len(index.train),
                "test": n_test,
                "shape": index.shape,
                "bytes": index.nbytes,
                "parts": len(index.parts),
                "read": index.account.lines,
                "warnings": index.account.warnings,
            }
        )
        return
    console = Console(highlight=False, soft_wrap=True)
    side = " × ".join(map(str, index.shape))
    test = f" and {n_test:,} test" if n_test else ""
    console.print(
        f"  packed    {len(index.train):,} training{test} images of {side} in "
        f"{formatting.count(len(index.parts), 'part')}, {formatting.size(index.nbytes)}",
        markup=False,
    )
    say_account(console, index.account)
    console.print(f"  digest    {index.digest}", markup=False)
    console.print(f'  use it    [dataset] source = "packed:{output}"', markup=False)
