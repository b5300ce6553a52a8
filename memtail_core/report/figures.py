"""All figures of the report, each defined once for the page and for files."""

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing.charts import Figure
from memtail_core.report import (
    held_in_held_out,
    histograms,
    memorized_by_class,
    picture_sheets,
)
from memtail_core.report.selection import spread_by_class


def figures(analysis: Analysis) -> dict[str, Figure]:
    """Draw every figure of the report; the keys are file names without an ending.

    Always ``memorization``, ``influence`` and ``held_in_held_out``; of labelled examples also
    ``by_class``; of pictures ``typical_to_odd`` if there are scores, and ``pairs`` if there are
    pairs.
    """
    made = {
        "memorization": histograms.memorization(analysis),
        "influence": histograms.influence(analysis),
        "held_in_held_out": held_in_held_out.held_in_held_out(analysis),
    }
    if analysis.dataset.is_labelled:
        made["by_class"] = memorized_by_class.by_class(analysis)
    if analysis.dataset.modality.is_pictured:
        if shown := spread_by_class(analysis):
            made["typical_to_odd"] = picture_sheets.typical_to_odd(analysis, shown)
        if len(analysis.pairs):
            made["pairs"] = picture_sheets.strongest_pairs(analysis)
    return made
