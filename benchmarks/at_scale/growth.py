"""The cost of more trials and more examples, at once and when they are added later."""

from dataclasses import replace
from statistics import median

import click
import numpy as np

from benchmarks.at_scale import kept_counts, streamed
from benchmarks.at_scale.data import Sizes
from benchmarks.at_scale.settings import Setting, by_phase, shared
from benchmarks.at_scale.sides import Answer, alone

_DOUBLED = ("trials", "train", "test")


@click.command()
@shared(Sizes(train=100_000, test=20_000, trials=1_000, classes=100))
@click.option("--rounds", default=3, show_default=True)
@click.option(
    "--doublings", type=click.IntRange(1), default=2, show_default=True, help="Of each size."
)
def scaling(setting: Setting, rounds: int, doublings: int) -> None:
    """Measure every pair and a histogram while one size after the other doubles."""
    factors = [2**k for k in range(doublings + 1)]
    sizes = setting.sizes
    shapes = {
        name: [replace(sizes, **{name: factor * getattr(sizes, name)}) for factor in factors]
        for name in _DOUBLED
    }
    several = list(dict.fromkeys(shape for each in shapes.values() for shape in each))
    answers: dict[Sizes, list[Answer]] = {shape: [] for shape in several}
    with setting.data(*several) as questions:
        for _ in range(rounds):
            for shape, question in zip(several, questions, strict=True):
                answers[shape].append(alone(streamed.look, question))
    seconds = {shape: median(a.total for a in answers[shape]) for shape in several}
    for shape, found in answers.items():
        measured = {
            "what": f"seconds, {shape}: every pair and a histogram",
            "ours": seconds[shape],
            "rounds": rounds,
            "multiply_adds_per_second": found[0].tested * shape.trials / seconds[shape],
        }
        setting.show(measured | by_phase("our", found))
    cpu = {shape: median(a.cpu for a in answers[shape]) for shape in several}
    for name, each in shapes.items():
        wall, busy = (
            float(np.polyfit(np.log(factors), np.log([taken[shape] for shape in each]), 1)[0])
            for taken in (seconds, cpu)
        )
        what = f"exponent of {name}"
        setting.show({"what": what, "of_seconds": wall, "of_cpu_seconds": busy})


@click.command()
@shared(Sizes(train=20_000, test=10_000, trials=2_000, classes=100), bins=0)
@click.option("--new", default=100, show_default=True, help="Trials that are added.")
@click.option("--rounds", default=3, show_default=True)
def incremental(setting: Setting, new: int, rounds: int) -> None:
    """Measure counting all trials again against adding new ones to counts on disk."""
    old = setting.sizes.trials
    sizes = replace(setting.sizes, trials=old + new)
    results = []
    with setting.data(sizes) as (question,):
        for _ in range(rounds):
            alone(kept_counts.keep, question, old)
            kept_counts.forget(question.folder)
            kept = alone(kept_counts.update, question, old)
            kept_counts.forget(question.folder)
            again = alone(streamed.look, question)
            if not np.array_equal(kept.sampled, again.sampled):
                raise click.ClickException("the kept counts are not those of all trials")
            results.append((again, kept))
    setting.show(
        {
            "what": f"seconds, {sizes}, {new:,} of them new: from bits, or adding to kept counts",
            "ours": median(again.total for again, _ in results),
            "theirs": median(kept.total for _, kept in results),
            "ratio": median(kept.total / again.total for again, kept in results),
            "rounds": rounds,
            "kept_bytes": 2 * sizes.train * sizes.test,
            **by_phase("our", [again for again, _ in results]),
            **by_phase("their", [kept for _, kept in results]),
        }
    )
