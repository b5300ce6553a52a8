"""The section on privacy: can be told, from a model, what it was trained on?"""

import numpy as np
import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.section import (
    Example,
    Gallery,
    Section,
    Shown,
    count,
    decimal,
    memorization_between,
)
from memtail_core.estimation.membership import LOSS
from memtail_core.experiments.privacy import figure
from memtail_core.experiments.privacy.result import RATES, Attack, PrivacyFound

_SHOWN = 24  # examples


def section(found: PrivacyFound, dataset: Dataset) -> Section:
    """Say, list and draw what was found."""
    return Section(
        name=found.name,
        title="Can be told what a model was trained on?",
        findings=_findings(found),
        notes=_notes(found),
        table=examples_table(found, dataset),
        shown=_shown(found),
        figures=figure.figures(found),
        galleries=_galleries(found),
    )


def examples_table(found: PrivacyFound, dataset: Dataset) -> pa.Table:
    """One row for each training example, the most exposed first; missing where not attacked."""
    columns = {
        "index": np.arange(len(found.auc)),
        "memorization": found.memorization,
        "auc": found.auc,
        "found": found.found,
        "found_by_loss": found.found_by_loss,
        "class": [str(dataset.classes[label]) for label in dataset.y_train],
        "name": [dataset.train_name(i) for i in range(len(found.auc))],
    }
    return pa.table(columns).take(pa.array(_order(found)))


def _order(found: PrivacyFound) -> list[int]:
    def exposure(i: int) -> tuple[float, float]:
        return found.found[i] or 0.0, found.auc[i] or 0.0

    return sorted(range(len(found.auc)), key=exposure, reverse=True)


def _findings(found: PrivacyFound) -> list[str]:
    of = {each.name: each for each in found.attacks}
    best, loss = of[found.attack], of[LOSS]
    said = [
        f"At one false alarm in a thousand, an attacker with {found.trials - 1:,} shadow models "
        f"finds {_at(best, 0)} of a model's training examples; by loss alone {_at(loss, 0)}. At "
        f"one in a hundred: {_at(best, 1)}, and {_at(loss, 1)}.",
        f"The area under the curve is {best.auc:.4f} ± {best.auc_error:.4f} (by loss "
        f"alone {loss.auc:.4f} ± {loss.auc_error:.4f}; guessing 0.5).",
    ]
    high, low = found.bins[-1], found.bins[0]
    if high.found[0] is not None and low.found[0] is not None:
        said.append(
            f"Memorized examples are the exposed ones: at one false alarm in a thousand "
            f"{high.found[0]:.1%} of the memberships of examples with memorization ≥ {high.low:g} "
            f"are found, of those below {low.high:g} {low.found[0]:.1%}."
        )
    return said


def _at(attack: Attack, row: int) -> str:
    at = attack.at[row]
    return f"{at.tpr:.2%} [{at.low:.2%}, {at.high:.2%}]"


def _notes(found: PrivacyFound) -> list[str]:
    n_missing = len(found.auc) - found.examples
    said = [
        f"Each of {found.trials:,} models was the target once, all others the shadow models: "
        f"{found.members:,} guesses on members, {found.others:,} on others. Thresholds are common "
        "to all examples and targets. Intervals are over target models and take the shadow models "
        "as they are. The AUC of examples is how often the attack tells which of two models was "
        "trained with one, by half as many shadow models.",
        "The attacker knows the training procedure, the label, and every other example that may "
        "have been trained on, and has so many shadow models: few do. A defence that looks safe "
        "here is not proved safe; only differential privacy would be.",
    ]
    if found.attack != found.attacks[0].name:
        said.append(
            "With so few models each example's own variances are too rough, and examples are "
            "judged by pooled ones."
        )
    if n_missing:
        said.append(f"{count(n_missing, 'example')} had too few shadow models to be attacked.")
    return said


def _shown(found: PrivacyFound) -> Shown:
    columns = ("what", "AUC", *(f"found at {rate:.1%}" for rate in RATES), "balanced accuracy", "n")
    rows = [
        (
            each.name,
            f"{each.auc:.3f}",
            *(_at(each, row) for row in range(len(RATES))),
            f"{each.balanced_accuracy:.1%}",
            f"{found.examples:,}",
        )
        for each in found.attacks
    ]
    for each in found.bins:
        if each.examples:
            rows.append(
                (
                    memorization_between(each.low, each.high),
                    decimal(each.auc, 3),
                    *("–" if share is None else f"{share:.2%}" for share in each.found),
                    "–",
                    f"{each.examples:,}",
                )
            )
    return Shown(columns, rows)


def _galleries(found: PrivacyFound) -> list[Gallery]:
    some = [i for i in _order(found)[:_SHOWN] if found.found[i]]
    if not some:
        return []
    return [
        Gallery(
            "The most exposed: how often an attack that is wrong once in a thousand finds them",
            [Example(i, f"{found.found[i]:.0%} found") for i in some],
        )
    ]
