"""Every command, option, key and Python name that the documentation shows exists."""

import ast
import importlib
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import memtail_core as memtail
from cli.main import main
from memtail_core.study import Spec
from tests.docs.blocks import PAGES, ROOT, Block, blocks, code

# A command ends where the shell would end it, or where a comment or prose begins.
_END = re.compile(r"\s+(?:#|\||&&|;|>|<|…)\s*|\s{3,}|$")
_INLINE = re.compile(r"`(memtail [^`\n]+)`")


def commands(markdown: str) -> Iterator[str]:
    """The ``memtail …`` lines of all blocks, and those within sentences."""
    for line in re.sub(r"\\\n\s*", " ", code(markdown)).splitlines():
        found = re.search(r"(?:^|[$&|(]\s*|srun\s+|bin/)(memtail [a-z-].*)", line.strip())
        if found:
            yield _END.split(found[1], maxsplit=1)[0]
    for match in _INLINE.finditer(re.sub(r"^```.*?^```", "", markdown, flags=re.M | re.S)):
        yield match[1]


def wrong(line: str) -> str | None:
    """What of a command line click does not know; None if all of it is known."""
    try:
        _, *words = shlex.split(line, comments=True)
    except ValueError:  # a quotation mark of prose
        _, *words = line.split()
    names = [word for word in words if not word.startswith("-")]
    known = {each for param in main.params for each in param.opts} | {"--help", "-h"}
    if not names or words[0].startswith("-"):
        return next((word for word in words[:1] if word.split("=")[0] not in known), None)
    command = main.commands.get(names[0])
    if command is None:
        return None if names[0].isupper() else f"no command '{names[0]}'"
    context = click.Context(command)
    options = {each for param in command.get_params(context) for each in param.opts}
    options |= {each for param in command.params for each in param.secondary_opts}
    used = [word.split("=")[0].rstrip(".,:") for word in words if re.match(r"--?[a-z]", word)]
    return next((f"{names[0]} has no {word}" for word in used if word not in options), None)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_and_option_of_a_page_exists(page: Path) -> None:
    shown = list(commands(page.read_text(encoding="utf-8")))
    assert [f"{line}: {why}" for line in shown if (why := wrong(line))] == []


def test_the_documentation_shows_every_command() -> None:
    shown = {
        line.split()[1]
        for page in PAGES
        for line in commands(page.read_text(encoding="utf-8"))
        if len(line.split()) > 1
    }
    assert main.commands.keys() <= shown


def test_what_does_not_exist_is_found() -> None:
    page = (
        "Text `memtail rum x`, and `memtail run x --trails 3`.\n\n"
        "    memtail scores x --formats csv    # --not an option\n\n"
        "```console\n$ memtail run x --trials 3 \\\n    --shrunk\n$ memtail --debug run x\n```\n"
    )
    assert [wrong(line) for line in commands(page)] == [
        "run has no --shrunk",
        None,
        "scores has no --formats",
        "no command 'rum'",
        "run has no --trails",
    ]


def study_files(page: Path) -> Iterator[Block]:
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "toml" and "source" in block.text:
            yield block


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_study_file_of_a_page_is_valid(page: Path) -> None:
    for block in study_files(page):
        Spec.parse(tomllib.loads(block.text), str(page))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_of_a_page_is_python_and_its_names_exist(page: Path) -> None:
    for block in blocks(page.read_text(encoding="utf-8")):
        if block.language == "python":
            ast.parse(block.text)
            used = set(re.findall(r"\bmemtail\.([A-Za-z_]\w*)", block.text))
            assert used <= set(memtail.__all__)
            for module, names in re.findall(
                r"^from (memtail_core[\w.]*) import ([\w, ]+)$", block.text, re.M
            ):
                found = importlib.import_module(module)
                assert [n for n in names.split(", ") if not hasattr(found, n)] == []
