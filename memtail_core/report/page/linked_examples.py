"""The examples that the page links to, which therefore need a thumbnail."""

from collections.abc import Sequence

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing.section import Section
from memtail_core.report.page.spectrum import spectrum
from memtail_core.report.selection import spread_by_class


def linked(analysis: Analysis, sections: Sequence[Section]) -> tuple[list[int], list[int]]:
    """Return indices of training and of test examples, ascending, without those of pairs."""
    train = {i for column in spectrum(analysis) for i in column.shown}
    train |= {i for _, picks in spread_by_class(analysis) for i in picks}
    test: set[int] = set()
    for gallery in (gallery for section in sections for gallery in section.galleries):
        for example in gallery.examples:
            (test if example.is_test else train).add(example.index)
    return sorted(train), sorted(test)
