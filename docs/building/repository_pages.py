"""Pages of files that lie beside docs/: the changes, how to contribute, and parts of the README."""

import re
from pathlib import Path
from typing import Any

_PAGES = {"CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "contributing.md"}
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_STUDY_FILE = "study-file.md"
_SECTIONS = ("The study file", "Speed")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages."""
    from mkdocs.structure.files import File

    root = Path(config.docs_dir).parent
    for name, page in _PAGES.items():
        content = moved((root / name).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=content))
    readme = (root / "README.md").read_text(encoding="utf-8")
    parts = [section(readme, title) for title in _SECTIONS]
    content = moved("\n".join(["# " + parts[0].removeprefix("## "), *parts[1:]]))
    files.append(File.generated(config, _STUDY_FILE, content=content))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links that leave docs/ lead to the pages that these files have here."""
    up = "../" * page.file.src_uri.count("/")

    def here(match: re.Match[str]) -> str:
        file, sign, anchor = match[1].partition("#")
        outside = file.removeprefix(up + "../")
        if file == outside:
            return match[0]
        if outside == "README.md":
            return f"]({up}{_STUDY_FILE}{sign}{anchor})"
        return f"]({up}{_PAGES[outside]}{sign}{anchor})" if outside in _PAGES else match[0]

    return _LINK.sub(here, markdown)


def section(markdown: str, title: str) -> str:
    """The section of a second heading, with the heading.

    >>> section("## One\\na\\n## Two\\nb\\n", "Two")
    '## Two\\nb'
    """
    found = re.search(
        rf"^## {re.escape(title)}\n.*?(?=^## |\Z)", markdown, re.DOTALL | re.MULTILINE
    )
    if found is None:
        raise ValueError(f"README.md has no section '{title}'")
    return found[0].strip()


def moved(markdown: str) -> str:
    """A text of the folder above, with its links as seen from docs/."""

    def here(match: re.Match[str]) -> str:
        target = match[1]
        if target.startswith("docs/"):
            return f"]({target.removeprefix('docs/')})"
        return f"]({_PAGES.get(target, target)})"

    return _LINK.sub(here, markdown)
