"""The fenced blocks of a page, and how those of a tutorial are run, in order, in one folder.

A block with a title is a file. Of a ``console`` block the lines after ``$`` are commands. A
``python`` block is executed, with the names of the blocks before it. ``<!-- not run: why -->``
above a block keeps it from running.
"""

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from cli.main import main

ROOT = Path(__file__).parents[2]
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
_FENCED = re.compile(
    r"^(?P<fence>```+)(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=fence)\s*$", re.M | re.S
)
_INDENTED = re.compile(r"(?:^(?: {4}|\t).*\n?)+", re.M)
_TITLE = re.compile(r'title="([^"]+)"')
_NOT_RUN = re.compile(r"<!-- not run: .+ -->\s*\Z")


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, its text, the file it is, and whether it is run."""

    language: str
    text: str
    title: str | None = None
    is_run: bool = True

    @property
    def commands(self) -> list[str]:
        """The commands of a console block; a line that ends with ``\\`` goes on."""
        joined = self.text.replace("\\\n", " ")
        return [line[2:] for line in joined.splitlines() if line.startswith("$ ")]


def blocks(markdown: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in order."""
    for match in _FENCED.finditer(markdown):
        language, _, rest = match["info"].strip().partition(" ")
        title = _TITLE.search(rest)
        is_run = _NOT_RUN.search(markdown[: match.start()]) is None
        yield Block(language, match["text"], title[1] if title else None, is_run)


def code(markdown: str) -> str:
    """All that stands in fenced or indented blocks."""
    fenced = [block.text for block in blocks(markdown)]
    rest = _FENCED.sub("", markdown)
    indented = [re.sub(r"^ {4}", "", found[0], flags=re.M) for found in _INDENTED.finditer(rest)]
    return "\n".join([*fenced, *indented])


def run(markdown: str, folder: Path) -> str:
    """Run a page in ``folder``, which is the current one; return what it printed.

    Raises:
        AssertionError: a command failed.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    printed = ""
    for block in blocks(markdown):
        if block.title is not None:
            (folder / block.title).write_text(block.text, encoding="utf-8")
        elif not block.is_run:
            continue
        elif block.language == "console":
            for command in block.commands:
                printed += f"$ {command}\n{_output(command, folder)}"
        elif block.language == "python":
            exec(compile(block.text, "<tutorial>", "exec"), names)
    return printed


def _output(command: str, folder: Path) -> str:
    program, *arguments = shlex.split(command)
    if program == "memtail":
        ran = CliRunner().invoke(main, arguments)
        assert ran.exit_code == 0, f"{command}: {ran.output}"
        return ran.output
    assert program == "python", f"{command}: only memtail and python are run"
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout
