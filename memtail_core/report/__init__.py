"""Turns an analysis into tables, figures and one self-contained page beside the study's shards."""

from memtail_core.report.publication import publish
from memtail_core.report.stored_analysis import analyse_stored

__all__ = ["analyse_stored", "publish"]
