"""Analysis → tables, figures and one self-contained page, kept beside the study's shards."""

from memtail_core.report.publication import publish
from memtail_core.report.stored import analyse_stored

__all__ = ["analyse_stored", "publish"]
