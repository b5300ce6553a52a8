"""The summary in GitHub's Markdown: its numbers, and names that would be markup or mentions."""

import re

from memtail_core.experiments.registry import sections
from memtail_core.report.markdown import escaped, markdown
from tests.conftest import Trained


def test_it_says_what_the_analysis_says(trained: Trained) -> None:
    analysis = trained.analysis
    found = list(sections(trained.store, trained.study, trained.dataset))
    text = markdown(analysis, found)
    assert text.startswith("## memtail: digits-")
    assert f"| {analysis.n_memorized:,} of {analysis.n_scored:,} " in text
    assert f"{float(analysis.accuracies.test.mean()):.2%}" in text
    tables = re.findall(r"(?:^\|.*\|$\n?)+", text, re.MULTILINE)
    assert len(tables) >= 2
    for table in tables:
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(cells) == 1, "a table whose rows differ is no table"
        assert re.fullmatch(r"\|( --- \|)+", table.splitlines()[1])


def test_names_stay_text() -> None:
    assert escaped("a|b") == r"a\|b"
    assert escaped("<img src=x>") == r"\<img src=x\>"
    assert escaped("[x](http://y)") == r"\[x\]\(http://y\)"
    assert escaped("two\nlines\x00") == "two lines"
    assert escaped("@octocat closes #1") == "@<!-- -->octocat closes #<!-- -->1"
    assert escaped("`rm`*_") == r"\`rm\`\*\_"
