"""The documentation site is built without a warning, and asks no other host for anything."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from cli.main import main
from tests.docs.blocks import ROOT

_LOADED = re.compile(
    r"""<(?:script|img|iframe|source)[^>]+src=["']?(https?:[^"'\s>]+)"""
    r"""|<link[^>]+(?:stylesheet|preconnect|icon|preload)[^>]+href=["']?(https?:[^"'\s>]+)"""
)


def building(name: str) -> ModuleType:
    """A file of docs/building, which is no package."""
    path = ROOT / "docs" / "building" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"building_{name}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_the_site_is_built_with_warnings_as_errors(tmp_path: Path) -> None:
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        env=os.environ | {"NO_MKDOCS_2_WARNING": "1", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr[-3000:]
    pages = {
        str(path.relative_to(tmp_path / "site")): path.read_text(encoding="utf-8")
        for path in (tmp_path / "site").rglob("*.html")
    }
    assert len(pages) > 50
    asked = {name: _LOADED.findall(page) for name, page in pages.items()}
    assert {name: hosts for name, hosts in asked.items() if hosts} == {}
    assert "<math" in pages["concepts.html"]
    assert 'id="memtail_core.data.objects.from_torch"' in pages["api/data.html"]
    assert ":func:" not in "".join(pages.values())
    assert "<progress" in pages["notebooks/torch.html"]


def test_the_reference_has_every_command_and_option() -> None:
    page = "\n".join(building("command_reference").lines())
    for name, command in main.commands.items():
        part = re.search(rf"^### memtail {name} .*?(?=^##|\Z)", page, re.M | re.S)
        assert part is not None, name
        for param in command.params:
            if param.param_type_name == "option":
                assert max(param.opts, key=len) in part[0], (name, param.opts)


def test_equations_become_mathml_and_code_does_not() -> None:
    made = building("equations").converted(
        "with $n$ and `$HOME`,\n\n$$\n\\frac{1}{n}\n$$\n\n```\n$x$ $$y$$\n```\n"
    )
    assert made.count("<math") == 2
    assert "<mfrac>" in made
    assert "`$HOME`" in made
    assert "$x$ $$y$$" in made


def test_pages_of_the_folder_above_have_their_links_mended() -> None:
    pages = building("repository_pages")
    assert pages.moved("[a](docs/tables.md#x) [b](CONTRIBUTING.md) [c](https://x.y)") == (
        "[a](tables.md#x) [b](contributing.md) [c](https://x.y)"
    )
    assert pages.section("## One\na\n## Two\nb\n", "Two") == "## Two\nb"
    with pytest.raises(ValueError, match="no section 'Three'"):
        pages.section("## One\n", "Three")


def test_outputs_of_notebooks_are_escaped_unless_they_are_html(tmp_path: Path) -> None:
    import json

    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "\x1b[1ma < b\x1b[0m\n\nc"},
        {"output_type": "execute_result", "data": {"text/html": "<b>x</b>", "text/plain": "x"}},
    ]
    cells = [
        {"cell_type": "markdown", "source": "# A"},
        {"cell_type": "code", "source": ["1\n", "2"], "outputs": outputs},
    ]
    (tmp_path / "a.ipynb").write_text(json.dumps({"cells": cells}))
    page = "\n".join(building("notebook_pages").lines(tmp_path / "a.ipynb"))
    assert page.startswith("# A\n")
    assert "```python\n1\n2\n```" in page
    assert "a &lt; b" in page and "\x1b" not in page
    assert '<div class="outputs"><b>x</b></div>' in page


def test_references_of_docstrings_become_code() -> None:
    pytest.importorskip("griffe")
    plain = building("docstring_roles").plain
    assert plain("See :func:`~a.b.find`, :class:`Spec`.") == "See `find`, `Spec`."
