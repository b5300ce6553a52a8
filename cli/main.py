"""The group of commands, and how errors reach the user."""

import sys

import click

from cli.demo import demo
from cli.doctor import doctor
from cli.report import report
from cli.run import run
from cli.scores import scores
from cli.status import status
from memtail_core.errors import MemtailError


class _Group(click.Group):
    """Prints what a user can mend in one line and exits 2; a traceback only with --debug."""

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (MemtailError, MemoryError) as error:
            if ctx.params.get("debug"):
                raise
            text = (
                " ".join(str(error).split()) or "out of memory: free some, or use fewer --workers"
            )
            click.echo(f"{click.style('error:', fg='red', bold=True)} {text}", err=True)
            ctx.exit(2)
        except BrokenPipeError:  # memtail scores … | head
            sys.stderr.close()
            ctx.exit(0)


@click.group(
    cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="memtail", prog_name="memtail")
def main(debug: bool) -> None:
    """Which training examples a model has memorized, and which each prediction rests on.

    Begin with `memtail demo`; then write a study.toml and `memtail run study.toml`.
    """
    del debug  # read from the context where an error is caught


for command in (run, status, report, scores, demo, doctor):
    main.add_command(command)

if __name__ == "__main__":
    main()
