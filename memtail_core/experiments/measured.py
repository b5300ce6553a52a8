"""Experiments by other measures than correctness: the option, and what results say of it."""

from pydantic import Field

from memtail_core.estimation.measures import CORRECTNESS, MEASURES

OPTION: str | None = Field(
    None,
    title="NAME",
    description="Average this: correctness, probability, margin, accuracy, likelihood, …",
)
"""What memorization and influence are differences of; None: the study's default."""


def in_title(measure: str) -> str:
    """Say at the end of a title which measure it is by, unless it is correctness."""
    return "" if measure == CORRECTNESS.name else f" (by {measure})"


def sentences(measure: str) -> list[str]:
    """Say what memorization and influence are of, unless it is correctness."""
    if measure == CORRECTNESS.name:
        return []
    return [f"Memorization and influence are of {MEASURES[measure].said}."]
