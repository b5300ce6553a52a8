"""A stored study, read: scores, pairs, accuracies and warnings, and questions about them."""

from memtail_core.analysis.analysis import Analysis, analyse

__all__ = ["Analysis", "analyse"]
