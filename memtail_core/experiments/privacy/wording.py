"""Sentences and cells that the section of the report and the audit page share."""

from collections.abc import Iterator, Sequence

from memtail_core.drawing.formatting import MISSING, count, percent
from memtail_core.experiments.privacy.result import (
    AtRate,
    Called,
    Epsilon,
    Privacy,
    Target,
)

_REPLACING, _ADDING = "replacing one example by another", "adding or removing one example"


def rate(value: float) -> str:
    """A false-positive rate: ``0.1%``, ``0.01%``."""
    return f"{100 * value:g}%"


def with_interval(value: float | None, low: float | None, high: float | None) -> str:
    """``1.20% [0.90%, 1.50%]``; a dash where it is missing."""
    if value is None:
        return MISSING
    return f"{value:.2%} [{percent(low, 2)}, {percent(high, 2)}]"


def at_strict(strict: Sequence[AtRate], fpr: float) -> str:
    """The true-positive rate at a false-positive rate; a dash where it is not known."""
    for each in strict:
        if each.fpr == fpr:
            return with_interval(each.tpr, each.low, each.high)
    return MISSING


def strongest(result: Privacy) -> Iterator[str]:
    """Say which attack detects most where it may be wrong least, if guesses suffice."""
    for fpr in (0.0001, 0.001):
        found = [(e.tpr, a.name, e) for a in result.attacks for e in a.strict if e.fpr == fpr]
        if found:
            _, name, best = max(found, key=lambda each: each[:2])
            yield (
                f"Of {len(found)} attacks, {name} detects most at a false-positive rate of "
                f"{rate(fpr)}: {with_interval(best.tpr, best.low, best.high)} (Clopper–Pearson "
                "interval, which allows for the threshold and for models that differ)."
            )
            return


def on_references(result: Privacy) -> Iterator[str]:
    """Say what the strongest attack achieves with fewer references."""
    for few in result.few:
        found = [(e.tpr, a.name, e) for a in few.attacks for e in a.strict if e.fpr == 0.001]
        if found:
            _, name, best = max(found, key=lambda each: each[:2])
            yield (
                f"With {few.references:,} reference models, the strongest attack ({name}) detects "
                f"{with_interval(best.tpr, best.low, best.high)} at a false-positive rate of 0.1%."
            )


def on_epsilon(epsilon: Epsilon | None, of: str) -> Iterator[str]:
    """Say what is known of the ε of training."""
    if epsilon is None:
        return
    is_replaced = epsilon.neighbours == "replace"
    what = _REPLACING if is_replaced else _ADDING
    also = f" (for {_ADDING}: ε ≥ {epsilon.bound_of_one:.2f})" if is_replaced else ""
    guesses = (
        f"{epsilon.correct:,} of {epsilon.guesses:,} guesses on "
        f"{count(epsilon.canaries, 'fair coin')} in {count(epsilon.models, 'model')} were right"
    )
    if epsilon.bound > 0:
        yield (
            f"If {of} is (ε, δ)-differentially private for {what}, then ε ≥ {epsilon.bound:.2f} "
            f"at δ = {epsilon.delta:g}, with {epsilon.confidence:.0%} confidence{also}: {guesses}."
        )
    else:
        yield (
            f"No ε above 0 is shown for {of} ({what}, δ = {epsilon.delta:g}, "
            f"{epsilon.confidence:.0%} confidence): {guesses}."
        )
    if epsilon.claimed is not None:
        verdicts = {_ADDING: epsilon.p_value_of_one}
        if is_replaced:
            verdicts[_REPLACING] = epsilon.p_value
        for neighbours, p in verdicts.items():
            if p is not None:
                verdict = "refuted" if p < 1 - epsilon.confidence else "not refuted"
                yield (
                    f"The claim of ({epsilon.claimed:g}, {epsilon.delta:g})-differential privacy "
                    f"for {neighbours} is {verdict}: if it is true, so many right guesses have a "
                    f"probability of at most {p:.2g}."
                )


def on_target(target: Target | None) -> Iterator[str]:
    """Say what the attacks make of a model from outside."""
    if target is None:
        return
    (attack,) = (each for each in target.attacks if each.name == target.attack)
    for at in attack.at:
        yield (
            f"Of the model in {target.file}, {attack.name} calls {count(at.called, 'example')} "
            f"members at the threshold of a false-positive rate of {rate(at.fpr)}{_scored(at)}."
        )
    yield from on_epsilon(target.epsilon, f"the training of the model in {target.file}")


def _scored(at: Called) -> str:
    if at.members is None:
        return ""
    return (
        f", {at.members:,} of them rightly: it detects {with_interval(at.tpr, at.low, at.high)} of "
        f"the members, and {with_interval(at.seen_fpr, at.seen_low, at.seen_high)} of the other "
        "examples are false positives"
    )
