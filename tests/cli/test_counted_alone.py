"""Commands whose results hold for counting alone say why, in one line."""

import pytest

from memtail_core.experiments.registry import experiments
from tests.cli.conftest import Memtail, refused


@pytest.mark.parametrize("arguments", [("stability", "digits"), ("compare", "one", "other")])
def test_calibrated_estimates_are_refused_with_the_reason(
    memtail: Memtail, arguments: tuple[str, ...]
) -> None:
    said = refused(memtail(*arguments, "--estimator", "calibrated"))
    assert said.startswith(f"error: {arguments[0]} takes no --estimator calibrated: ")
    assert "learn from the same inputs" in said
    counted = memtail(*arguments, "--estimator", "counted", "--store", "nowhere")
    assert "takes no --estimator" not in counted.output


def test_a_command_takes_estimators_or_says_why_not() -> None:
    commands = [each.command for each in experiments() if each.command is not None]
    assert not [each.name for each in commands if each.takes_estimator and each.only_counts]
    assert {each.name for each in commands if each.only_counts} == {"stability", "compare"}
