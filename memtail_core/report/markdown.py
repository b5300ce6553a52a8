"""The summary of a report in GitHub's Markdown, for pull requests and the summaries of CI."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from memtail_core.analysis.analysis import Analysis
from memtail_core.drawing.section import Section
from memtail_core.report.selection import most_memorized

_MOST = 10  # examples that are listed
_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>|~&$])")
_LINKING = re.compile(r"([@#])")  # GitHub makes links of @name and #1: a comment between stops it


def markdown(analysis: Analysis, sections: Sequence[Section]) -> str:
    """Write the counts, the warnings, the most memorized examples and what experiments found.

    Args:
        analysis: of the study.
        sections: of its experiments.
    """
    return "\n".join(_lines(analysis, analysis.summary(), sections)) + "\n"


def escaped(text: str) -> str:
    """Return a text in one line that Markdown shows as it is, in a table too."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return _LINKING.sub(r"\1<!-- -->", _SPECIAL.sub(r"\\\1", line))


def _lines(
    analysis: Analysis, summary: dict[str, Any], sections: Sequence[Section]
) -> Iterator[str]:
    memorization, pairs, accuracy = (summary[k] for k in ("memorization", "pairs", "accuracy"))
    yield f"## memtail: {escaped(analysis.study.id)}"
    yield ""
    for warning in summary["warnings"]:
        yield f"> [!WARNING]\n> {escaped(warning)}\n"
    scored = memorization["scored"]
    share = f" ({memorization['memorized'] / scored:.1%})" if scored else ""
    rows = [
        ("models", f"{summary['trials']:,} of {summary['goal']:,}"),
        (
            f"memorized (≥ {memorization['threshold']:g})",
            f"{memorization['memorized']:,} of {scored:,}{share}",
        ),
        ("… with the whole 95% interval above", f"{memorization['surely']:,}"),
        (
            f"high-influence pairs (≥ {pairs['theta_infl']:g})",
            f"{pairs['pairs']:,}, about {pairs['expected_by_chance']:,.0f} by chance",
        ),
        (
            f"significant pairs (false discovery rate {pairs['significant_at_fdr']:.0%})",
            f"{pairs['significant']:,}",
        ),
    ]
    for key, name in (("held_in", "held in"), ("held_out", "held out"), ("test", "test")):
        if accuracy[key]["mean"] is not None:
            rows.append((f"accuracy, {name}", f"{accuracy[key]['mean']:.2%}"))
    yield from _table(("", ""), rows)
    yield from _most_memorized(analysis)
    for section in sections:
        yield f"\n### {escaped(section.title)}\n"
        yield from (f"- {escaped(sentence)}" for sentence in section.findings)
        if section.summary.rows:
            yield ""
            yield from _table(section.summary.columns, section.summary.rows)


def _most_memorized(analysis: Analysis) -> Iterator[str]:
    dataset, scores = analysis.dataset, analysis.scores
    chosen = most_memorized(analysis)[:_MOST]
    if not chosen:
        return
    yield "\n<details><summary>The most memorized examples</summary>\n"
    yield from _table(
        ("example", "class", "memorization", "95% interval"),
        [
            (
                dataset.train_name(i),
                dataset.classes[dataset.y_train[i]],
                f"{scores.memorization[i]:.2f}",
                f"{scores.ci_low[i]:.2f} to {scores.ci_high[i]:.2f}",
            )
            for i in chosen
        ],
    )
    yield "\n</details>"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "| " + " | ".join(map(escaped, columns)) + " |"
    yield "|" + " --- |" * len(columns)
    for row in rows:
        yield "| " + " | ".join(map(escaped, row)) + " |"
