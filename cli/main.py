"""The ``memtail`` command: its help, and how errors are printed."""

import os
import sys
from contextlib import suppress

import click

from cli.commands import Commands
from memtail_core.errors import MemtailError

_COMMANDS = Commands()


class _Group(click.Group):
    """Prints an error of the user in one line and exits 2; with --debug, shows the traceback."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands in sections, each in the order in which you need them."""
        for title, commands in _COMMANDS.sections():
            width = formatter.width - 6 - max(len(each.name or "") for each in commands)
            with formatter.section(title):
                formatter.write_dl(
                    [(each.name or "", each.get_short_help_str(width)) for each in commands]
                )

    def invoke(self, ctx: click.Context) -> object:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()  # report a full disk here, not when Python ends
            return result
        except (MemtailError, MemoryError) as error:
            if ctx.params.get("debug"):
                raise
            _print_error(str(error) or "out of memory: free some, or use fewer --workers")
            ctx.exit(2)
        except BrokenPipeError:  # memtail scores … | head
            sys.stderr.close()
            ctx.exit(0)
        except OSError as error:  # a forbidden folder, a name too long, a full disk
            if ctx.params.get("debug"):
                raise
            _print_error(f"{error.strerror or error}: {error.filename or 'the output'}")
            if error.filename is None:
                _drop_output()
            ctx.exit(2)


def _print_error(text: str) -> None:
    """Print one line, without control characters that a file name may hold."""
    line = "".join(c if c.isprintable() else "\ufffd" for c in " ".join(text.split()))
    click.echo(f"{click.style('error:', fg='red', bold=True)} {line}", err=True)


def _drop_output() -> None:
    """Keep Python from writing the rest of the output when it ends."""
    with suppress(OSError, ValueError):  # no file behind it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(
    cls=_Group,
    commands=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="memtail", prog_name="memtail")
def main(debug: bool) -> None:
    """Find the training examples that a model memorizes and that its predictions rest on.

    Start with `memtail demo`. Then write a study.toml and run `memtail run study.toml`.
    """
    del debug  # read from the context when an error is caught


if __name__ == "__main__":
    main()
