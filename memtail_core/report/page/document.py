"""Renders a document as one HTML file without any script, for a file cabinet or a printer."""

from importlib import resources

import jinja2
from markupsafe import Markup

from memtail_core.drawing.charts import inline_svg
from memtail_core.drawing.document import Document


def document_page(document: Document) -> str:
    """Render the page; every text is escaped, and the page may load and run nothing."""
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.PackageLoader("memtail_core.report.page"),
    )
    style = (resources.files("memtail_core.report.page") / "page.css").read_text("utf-8")
    drawings = {
        name: Markup(inline_svg(drawn.figure))
        for part in document.parts
        for name, drawn in part.figures.items()
    }
    return environment.get_template("document.html").render(
        d=document, style=Markup(style), drawings=drawings
    )
