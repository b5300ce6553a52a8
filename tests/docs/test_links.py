"""Every link between files of the repository leads to a file, and every anchor to a heading."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT

_LINK = re.compile(r"\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)")
_CODE = re.compile(r"^(```+).*?^\1\s*$|`[^`\n]*`|^(?: {4}).*$", re.M | re.S)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*(?:\{#([\w-]+)\})?\s*$", re.M)
_MADE = {"commands.md", "changelog.md", "contributing.md", "study-file.md"}  # docs/building


def links(markdown: str) -> Iterator[str]:
    for match in _LINK.finditer(_CODE.sub(_blank_code, markdown)):
        yield match[1]


def _blank_code(match: re.Match[str]) -> str:
    """Code holds no links, but a line of a list that goes on is no code."""
    return match[0] if match[0].startswith("    ") and "](" in match[0] else ""


def anchors(markdown: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    found = set()
    plain = re.sub(r"^(```+).*?^\1\s*$", "", markdown, flags=re.M | re.S)
    for heading, given in _HEADING.findall(plain):
        words = re.sub(r"[^\w\- ]", "", heading.lower().replace("`", ""))
        found.add(given or words.replace(" ", "-"))
    return found


def broken(page: Path, markdown: str) -> Iterator[str]:
    """The links of a page that lead nowhere."""
    for link in links(markdown):
        if re.match(r"(https?|mailto):", link):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        if target.parent == ROOT / "docs" and target.name in _MADE:
            continue
        if target.suffix == ".md" and target.parent.name == "notebooks":
            target = target.with_suffix(".ipynb")
        if not target.exists() or not target.is_relative_to(ROOT):
            yield f"{link}: no such file"
        elif anchor and target.suffix == ".md":
            text = markdown if target == page else target.read_text(encoding="utf-8")
            if anchor not in anchors(text):
                yield f"{link}: no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    assert list(broken(page, page.read_text(encoding="utf-8"))) == []


def test_a_broken_link_is_found() -> None:
    page = ROOT / "docs" / "index.md"
    markdown = (
        "# Some `code`, and words\n[a](nothing.md) [b](tables.md#nothing) [c](#some-code-and-words)"
        "\n[d](#some) `[e](code.md)` [f](../README.md#speed) [g](tables.md#missing-values)\n"
        "```\n[h](code.md)\n```\n[i](../../outside.md)"
    )
    assert list(broken(page, markdown)) == [
        "nothing.md: no such file",
        "tables.md#nothing: no such heading",
        "#some: no such heading",
        "../../outside.md: no such file",
    ]


def test_every_page_is_in_the_navigation_of_the_site() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    pages = [page.relative_to(ROOT / "docs") for page in sorted((ROOT / "docs").rglob("*.md"))]
    listed = set(re.findall(r"[\w./-]+\.md", navigation))
    assert [str(page) for page in pages if str(page) not in listed] == []
    notebooks = [f"notebooks/{path.stem}.md" for path in (ROOT / "docs/notebooks").glob("*.ipynb")]
    assert len(notebooks) >= 3
    assert set(notebooks) <= listed
