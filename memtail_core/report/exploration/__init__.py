"""What the report's page lets people explore: every example, whom it supports, what it rests on."""

from memtail_core.report.exploration.encoding import encoded
from memtail_core.report.exploration.exploration import Exploration, explore

__all__ = ["Exploration", "encoded", "explore"]
