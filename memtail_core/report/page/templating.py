"""What pages are made of: templates, which escape all they are given, style sheet and scripts."""

from functools import cache
from importlib import resources

import jinja2


@cache
def templates() -> jinja2.Environment:
    """The templates, which are compiled once."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("memtail_core.report.page"),
    )
    environment.filters["two"] = _two
    return environment


def read(name: str) -> str:
    """Read a style sheet or a script of the pages."""
    return (resources.files("memtail_core.report.page") / name).read_text("utf-8")


def _two(value: float) -> str:
    """Format with two decimals and a real minus sign, but never as −0.00."""
    text = f"{value:.2f}"
    return text.replace("-", "−" if float(text) else "")
