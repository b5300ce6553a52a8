"""The report as one HTML file: templates, style, scripts, and what fills them."""

from memtail_core.report.page.links import linked
from memtail_core.report.page.rendering import page

__all__ = ["linked", "page"]
