"""Every command and every option has a short help text, and the docs name every command."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from cli.main import main

ROOT = Path(__file__).parents[2]
LONGEST = 79  # characters of a line of help


def undocumented(group: click.Group, docs: str) -> Iterator[str]:
    """What a user cannot look up, a line each."""
    for name, command in group.commands.items():
        summary = (command.help or "").strip().partition("\n\n")[0]
        sentence = " ".join(summary.split())
        if not sentence:
            yield f"{name}: no help"
        if len(sentence) > LONGEST:
            yield f"{name}: the first paragraph has {len(sentence)} characters"
        if not re.search(rf"memtail {name}(?![\w-])", docs):
            yield f"{name}: not in the docs"
        for option in command.params:
            if not isinstance(option, click.Option):
                continue
            text = (option.help or "").strip()
            if not text:
                yield f"{name} {option.opts[0]}: no help"
            if len(text) > LONGEST:
                yield f"{name} {option.opts[0]}: the help has {len(text)} characters"


@pytest.fixture(scope="module")
def docs() -> str:
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def test_every_command_and_option_is_documented(docs: str) -> None:
    assert len(main.commands) > 20
    assert list(undocumented(main, docs)) == []


def test_every_command_is_listed_with_its_whole_sentence() -> None:
    shown = CliRunner().invoke(main, ["--help"], terminal_width=80).stdout
    listed = {line.split()[0] for line in shown.splitlines() if re.match(r"  \w\S* +\S", line)}
    assert main.commands.keys() <= listed
    assert not [
        line for line in shown.splitlines() if line.startswith("  ") and line.endswith("...")
    ]


def test_what_is_missing_is_found() -> None:
    """The check itself: a group with one flaw of each kind."""

    @click.group()
    def group() -> None:
        """A group."""

    @group.command()
    @click.option("--silent")
    @click.option("--wordy", help="w" * 80)
    @click.option("--fine", help="Be fine.")
    def bare(silent: str, wordy: str, fine: str) -> None:
        pass

    @group.command(help="l" * 80)
    def long() -> None:
        pass

    @group.command(help="Good.")
    def good() -> None:
        pass

    docs = "memtail bare, memtail long, memtail good-by"
    assert list(undocumented(group, docs)) == [
        "bare: no help",
        "bare --silent: no help",
        "bare --wordy: the help has 80 characters",
        "long: the first paragraph has 80 characters",
        "good: not in the docs",
    ]
