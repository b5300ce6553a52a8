"""The report as one HTML file: templates, style sheet, scripts, and the code that fills them."""

from memtail_core.report.page.linked_examples import linked
from memtail_core.report.page.rendering import page

__all__ = ["linked", "page"]
