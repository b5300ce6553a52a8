"""A page for all commands and options, made from click when the site is built."""

import html
import re
from collections.abc import Iterator
from typing import Any

import click

PAGE = "commands.md"
_SIGNS = re.compile(r"([\\*_\[\]|{}])")


def on_files(files: Any, config: Any) -> Any:
    """Add the page."""
    from mkdocs.structure.files import File

    files.append(File.generated(config, PAGE, content="\n".join(lines())))
    return files


def lines() -> Iterator[str]:
    """Yield the page, in Markdown."""
    from cli.commands import Commands
    from cli.main import main

    yield "# Commands\n"
    yield (
        "`memtail --help` and `memtail COMMAND --help` say the same. A user's mistake is one line "
        "and exit code 2; `memtail --debug COMMAND` shows the traceback.\n"
    )
    yield from _options(main, click.Context(main, info_name="memtail"))
    for title, commands in Commands().sections():
        yield f"\n## {title}\n"
        for command in commands:
            yield from _command(command)


def _command(command: click.Command) -> Iterator[str]:
    context = click.Context(command, info_name=f"memtail {command.name}")
    usage = " ".join([context.info_name or "", *command.collect_usage_pieces(context)])
    yield f"\n### memtail {command.name} {{#{command.name}}}\n"
    yield f"```text\n{usage}\n```\n"
    for paragraph in re.split(r"\n\s*\n", (command.help or "").strip()):
        yield f"{_text(paragraph)}\n"
    yield from _options(command, context)


def _options(command: click.Command, context: click.Context) -> Iterator[str]:
    records = [each.get_help_record(context) for each in command.get_params(context)]
    rows = [each for each in records if each is not None and "--help" not in each[0]]
    yield "| option | |\n|---|---|"
    yield from (
        f"| `{names.replace('|', chr(92) + '|')}` | {_text(said)} |" for names, said in rows
    )
    yield ""


def _text(words: str) -> str:
    """Click's text as Markdown: what stands in backticks is code, no other sign means anything."""
    parts = re.split(r"(`[^`]+`)", " ".join(words.split()))
    return "".join(
        part if part.startswith("`") else _SIGNS.sub(r"\\\1", html.escape(part, quote=False))
        for part in parts
    )
