"""A study in one call, for notebooks and scripts, and results that show themselves."""

from memtail_core.notebook.results import Results, open_results
from memtail_core.notebook.training import train

__all__ = ["Results", "open_results", "train"]
