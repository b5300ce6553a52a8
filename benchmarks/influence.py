"""Time and memory of the influence of every training example on every test example.

    python benchmarks/influence.py compare        # with dense products in numpy, CIFAR-100's shape
    python benchmarks/influence.py imagenet       # only memtail, ImageNet's shape
    python benchmarks/influence.py scaling        # as trials and examples double
    python benchmarks/influence.py incremental    # count again, or add to counts on disk
    python benchmarks/influence.py limits         # the limits of the machine

Data are synthetic and are written before anything is timed. Each measurement runs in a new process,
so that its peak memory is its own, and runs on small data first, so that nothing is compiled while
it is timed. Rounds alternate between the two sides; a ratio is the median over the rounds.
"""

import sys
from dataclasses import replace
from pathlib import Path
from statistics import median

import click

sys.path.insert(0, str(Path(__file__).parent.parent))  # so that it also runs as a file

from benchmarks.at_scale import dense, growth, streamed
from benchmarks.at_scale.data import Sizes
from benchmarks.at_scale.limits import limits
from benchmarks.at_scale.settings import THETA, Setting, by_phase, found, shared
from benchmarks.at_scale.sides import Question, alone, differences
from benchmarks.table import run, show
from memtail_core.training.device import machine_kind

_EVERY, _RULE = "every pair and a histogram", "memorized, same class"


@click.group()
def main() -> None:
    """Measure influence at scale."""


main.add_command(growth.scaling)
main.add_command(growth.incremental)


@main.command()
@shared(Sizes(train=50_000, test=10_000, trials=2_000, classes=100))
@click.option("--theta", default=THETA, show_default=True, help="Least influence listed.")
@click.option("--rounds", default=3, show_default=True)
def compare(setting: Setting, theta: float, rounds: int) -> None:
    """Compare with plain numpy; different numbers are an error."""
    with setting.data() as (question,):
        every = replace(question, theta=theta)
        for what, asked in {_EVERY: every, _RULE: _by_rule(every)}.items():
            results, limit = [], alone(limits)
            for number in range(rounds):
                theirs = alone(dense.look, asked)
                ours = alone(streamed.look, asked)
                if wrong := differences(ours, theirs):
                    raise click.ClickException(f"{what}: ours and theirs differ in {wrong}")
                results.append((ours, theirs))
                line = f"theirs {theirs.total:.3g} s, ours {ours.total:.3g} s"
                print(f"{what}, round {number + 1}: {line}", file=sys.stderr)
            our, their = [o for o, _ in results], [t for _, t in results]
            setting.show(
                {
                    "what": f"seconds, {setting.sizes}: {what}",
                    "ours": median(answer.total for answer in our),
                    "theirs": median(answer.total for answer in their),
                    "ratio": median(t.total / o.total for o, t in results),
                    "rounds": rounds,
                    "identical": "pairs and counts" + (", histogram" if asked.bins else ""),
                    **by_phase("our", our),
                    **by_phase("their", their),
                    **found(our, setting.sizes.trials, limit),
                }
            )


@main.command()
@shared(Sizes(train=1_281_167, test=50_000, trials=2_000, classes=1_000))
@click.option("--theta", default=THETA, show_default=True, help="Least influence by the rule.")
@click.option("--every-theta", default=-1.0, show_default=True, help="The same of every pair.")
@click.option("--fdr", default=0.05, show_default=True, help="False discovery rate of every pair.")
def imagenet(setting: Setting, theta: float, every_theta: float, fdr: float) -> None:
    """Find all pairs of the paper's rule, then test every pair at a false discovery rate."""
    limit = alone(limits)
    sizes = setting.sizes
    with setting.data() as (question,):
        asked = {
            _RULE: replace(_by_rule(question), theta=theta),
            f"{_EVERY}, tested": replace(question, theta=every_theta, fdr=fdr),
        }
        for what, each in asked.items():
            ours = alone(streamed.look, each)
            setting.show(
                {
                    "what": f"seconds, {sizes}: {what}",
                    "ours": ours.total,
                    "theirs": None,
                    "their_matrix_bytes": 4 * sizes.train * sizes.test,
                    **by_phase("our", [ours]),
                    **found([ours], sizes.trials, limit),
                }
            )


@main.command("limits")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def show_limits(as_json: bool) -> None:
    """Measure multiply-adds of 0 and 1 per second on all cores, in our loop and in products."""
    limit = alone(limits)
    show(
        {
            "what": "multiply-adds a second: our loop over pairs, int8 products",
            "ours": limit.kernel,
            "theirs": limit.int8,
            "ratio": limit.kernel / limit.int8,
            "float32": limit.float32,
            "bits": limit.bits,
            "of_bits_peak": limit.kernel / limit.bits,
            "machine": machine_kind("cpu"),
        },
        as_json,
    )


def _by_rule(question: Question) -> Question:
    return replace(question, rule=True, bins=0)


if __name__ == "__main__":
    run(main)
