"""The section on the counts."""

import pyarrow as pa

from memtail_core.drawing.section import Section, TextTable
from tests.experiments.toy.result import Toy


def section(result: Toy) -> Section:
    """Write and list the counts."""
    rows = zip(result.thresholds, result.counts, strict=True)
    return Section(
        name=result.name,
        title="How many are memorized",
        findings=[f"{result.counts[0]} examples are memorized."],
        notes=["This is a toy."],
        table=pa.table({"threshold": result.thresholds, "examples": result.counts}),
        summary=TextTable(("from", "examples"), [(f"{at:g}", str(n)) for at, n in rows], words=0),
        figures={},
    )
