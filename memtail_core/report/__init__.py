"""Scores → tables, figures and one self-contained page, kept beside the study's shards."""

from memtail_core.report.analysis import Analysis, analyse, analyse_stored, as_stopped
from memtail_core.report.publication import publish

__all__ = ["Analysis", "analyse", "analyse_stored", "as_stopped", "publish"]
