"""The report's figures, each defined once: for the page and for a paper."""

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing.charts import Figure
from memtail_core.report import accuracies, histograms, picture_sheets
from memtail_core.report.selection import spread_by_class


def figures(analysis: Analysis) -> dict[str, Figure]:
    """Every figure of the report by file name, without its ending.

    ``memorization``, ``influence``, ``held_in_held_out`` and ``by_class``; where examples are
    pictures also
    ``typical_to_odd`` where there are scores, and ``pairs`` where there are pairs.
    """
    made = {
        "memorization": histograms.memorization(analysis),
        "influence": histograms.influence(analysis),
        "held_in_held_out": accuracies.held_in_held_out(analysis),
        "by_class": accuracies.by_class(analysis),
    }
    if analysis.dataset.modality.is_pictured:
        if shown := spread_by_class(analysis):
            made["typical_to_odd"] = picture_sheets.typical_to_odd(analysis, shown)
        if len(analysis.pairs):
            made["pairs"] = picture_sheets.pairs(analysis)
    return made
