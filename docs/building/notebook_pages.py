"""A page for each notebook, with the outputs that were committed with it."""

import html
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_BLANK = re.compile(r"\n\s*\n")


def on_files(files: Any, config: Any) -> Any:
    """Add the pages."""
    from mkdocs.structure.files import File

    for notebook in sorted((Path(config.docs_dir) / "notebooks").glob("*.ipynb")):
        name = f"notebooks/{notebook.stem}.md"
        files.append(File.generated(config, name, content="\n".join(lines(notebook))))
    return files


def lines(notebook: Path) -> Iterator[str]:
    """Yield a notebook as Markdown."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    for number, cell in enumerate(cells):
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            yield f"{source}\n"
        else:
            yield f"```python\n{source}\n```\n"
            yield from (_output(each) for each in cell["outputs"])
        if number == 0:
            yield f"*This is `docs/notebooks/{notebook.name}`; its outputs are of one run.*\n"


def _output(output: dict[str, Any]) -> str:
    """One output: its HTML or picture where there is one, else its text."""
    data = output.get("data", {"text/plain": output.get("text", "")})
    if "text/html" in data:
        shown = _BLANK.sub("\n", _joined(data["text/html"]))
    elif "image/png" in data:
        shown = f'<img alt="" src="data:image/png;base64,{_joined(data["image/png"]).strip()}">'
    else:
        text = _COLOURS.sub("", _joined(data["text/plain"])).rstrip()
        shown = f"<pre>{html.escape(text)}</pre>"
        shown = shown.replace("\n\n", "\n&#8203;\n")  # a blank line would end the HTML
    return f'<div class="outputs">{shown}</div>\n'


def _joined(text: str | list[str]) -> str:
    return text if isinstance(text, str) else "".join(text)
