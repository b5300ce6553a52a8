"""The report as one HTML file: templates, style, scripts, and what fills them."""

from memtail_core.report.page.page import page

__all__ = ["page"]
