"""The data of the page's explorer: every example, its influence, its neighbours, its thumbnail."""

from memtail_core.report.exploration.explorer_data import Exploration, explore
from memtail_core.report.exploration.json_encoding import encoded

__all__ = ["Exploration", "encoded", "explore"]
