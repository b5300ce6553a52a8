"""Renders a document as one HTML file without any script, for a file cabinet or a printer."""

from markupsafe import Markup

from memtail_core.drawing.charts import inline_svg
from memtail_core.drawing.document import Document
from memtail_core.report.page.templating import read, templates


def document_page(document: Document) -> str:
    """Render the page; every text is escaped, and the page may load and run nothing."""
    drawings = {
        name: Markup(inline_svg(drawn.figure))
        for part in document.parts
        for name, drawn in part.figures.items()
    }
    return (
        templates()
        .get_template("document.html")
        .render(d=document, style=Markup(read("page.css")), drawings=drawings)
    )
