"""Prints the main results of a study in a few lines."""

from typing import Any

from rich.console import Console
from rich.markup import escape

from cli import formatting
from memtail_core.study import UNLABELLED


def say_findings(summary: dict[str, Any], page: str) -> None:
    """Print a report's counts, its accuracies and warnings, and where it is."""
    say = Console(highlight=False, soft_wrap=True).print
    memorization, pairs, accuracy = (summary[k] for k in ("memorization", "pairs", "accuracy"))
    scored = memorization["scored"]
    share = f"{memorization['memorized'] / scored:.1%}" if scored else "no scores yet"
    say(
        f"[bold]{memorization['memorized']:,} of {scored:,} scored training examples "
        f"({share}) are memorized[/] (memorization ≥ {memorization['threshold']:g}; "
        f"{memorization['surely']:,} with the whole 95% interval above it)"
    )
    if "measure" in memorization:
        say(f"measure: {memorization['measure']}, averaged over models")
    say(
        f"high-influence pairs: {pairs['pairs']:,}, between {pairs['train_examples']:,} memorized "
        f"training examples and {pairs['test_examples']:,} test examples; about "
        f"{formatting.about(pairs['expected_by_chance'])} expected by chance"
    )
    say(
        f"significant pairs: {pairs['significant']:,} of {pairs['tested']:,} tested, at a false "
        f"discovery rate of {pairs['significant_at_fdr']:.0%}"
    )
    is_labelled = tuple(summary["study"]["dataset"]["classes"]) != UNLABELLED
    say(
        ("accuracy: " if is_labelled else "documents reproduced whole: ")
        + ", ".join(
            f"{name} {accuracy[key]['mean']:.2%}"
            for key, name in (("held_in", "held in"), ("held_out", "held out"), ("test", "test"))
            if accuracy[key]["mean"] is not None
        )
        + f"; {summary['trials']:,} models"
    )
    for warning in summary["warnings"]:
        say(f"[yellow]Warning:[/] {escape(formatting.plain(warning))}")
    say(f"report: {page}", markup=False)
