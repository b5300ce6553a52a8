"""The section on privacy: can an attacker tell what a model was trained on?"""

import numpy as np
import pyarrow as pa

from memtail_core.data import Dataset
from memtail_core.drawing.formatting import (
    MISSING,
    count,
    decimal,
    memorization_between,
    percent,
)
from memtail_core.drawing.section import Example, Gallery, Section, TextTable
from memtail_core.estimation.attacks.likelihood_ratio import OWN
from memtail_core.estimation.attacks.loss import LOSS
from memtail_core.experiments.privacy import figure
from memtail_core.experiments.privacy.result import RATES, STRICT_RATES, Attack, Privacy
from memtail_core.experiments.privacy.wording import (
    on_epsilon,
    on_references,
    on_target,
    strongest,
)

_SHOWN = 24  # examples


def section(result: Privacy, dataset: Dataset) -> Section:
    """Write, list and draw what the attacks achieve."""
    return Section(
        name=result.name,
        title="Can an attacker tell what a model was trained on?",
        findings=_findings(result),
        notes=_notes(result),
        table=examples_table(result, dataset),
        summary=_summary(result),
        figures=figure.figures(result),
        galleries=_galleries(result),
    )


def examples_table(result: Privacy, dataset: Dataset) -> pa.Table:
    """Return one row for each training example, the most exposed first; empty if not attacked."""
    columns = {
        "index": np.arange(len(result.auc)),
        "memorization": result.memorization,
        "auc": result.auc,
        "found": result.found,
        "found_by_loss": result.found_by_loss,
        "class": [str(dataset.classes[label]) for label in dataset.y_train],
        "name": [dataset.train_name(i) for i in range(len(result.auc))],
    }
    if result.target is not None:
        columns["target_score"] = result.target.scores
        columns["target_called_at"] = result.target.called
    return pa.table(columns).take(pa.array(_order(result)))


def _order(result: Privacy) -> list[int]:
    def exposure(i: int) -> tuple[float, float]:
        return result.found[i] or 0.0, result.auc[i] or 0.0

    return sorted(range(len(result.auc)), key=exposure, reverse=True)


def _findings(result: Privacy) -> list[str]:
    attacks = {each.name: each for each in result.attacks}
    best, loss = attacks[result.attack], attacks[LOSS.name]
    sentences = [
        f"At a false-positive rate of 0.1%, an attacker with {result.trials - 1:,} shadow models "
        f"detects {_at(best, 0)} of a model's training examples; by loss alone, {_at(loss, 0)}. "
        f"At a false-positive rate of 1%: {_at(best, 1)}, and {_at(loss, 1)}.",
        f"The area under the ROC curve is {best.auc:.4f} ± {best.auc_error:.4f} (by loss "
        f"alone {loss.auc:.4f} ± {loss.auc_error:.4f}; guessing gives 0.5).",
    ]
    high, low = result.bins[-1], result.bins[0]
    if high.found[0] is not None and low.found[0] is not None:
        sentences.append(
            f"At a false-positive rate of 0.1%, the attack detects {high.found[0]:.1%} of the "
            f"memberships of examples with memorization ≥ {high.low:g}, and {low.found[0]:.1%} of "
            f"those with memorization below {low.high:g}."
        )
    sentences += strongest(result)
    sentences += on_references(result)
    sentences += on_epsilon(result.epsilon, "the training of this study")
    sentences += on_target(result.target)
    return sentences


def _at(attack: Attack, row: int) -> str:
    at = attack.at[row]
    return f"{at.tpr:.2%} [{at.low:.2%}, {at.high:.2%}]"


def _at_strictest(attack: Attack) -> str:
    found = {each.fpr: each.tpr for each in attack.strict}
    return percent(found.get(STRICT_RATES[-1]), 2)


def _notes(result: Privacy) -> list[str]:
    n_missing = len(result.auc) - result.examples
    notes = [
        f"Each of {result.trials:,} models was the target once, with all others as shadow models: "
        f"{result.members:,} guesses on members, {result.others:,} on other examples. All examples "
        "and targets share one threshold. Intervals are over target models and take the shadow "
        "models as fixed. The AUC of an example is how often the attack tells which of two models "
        "was trained on it, with half as many shadow models.",
        "This attacker is strong: it knows the training procedure, the label and every other "
        "example that may be in the training set, and has many shadow models. A defence that looks "
        "safe here is not proved safe; only differential privacy gives a proof.",
    ]
    if result.attack != OWN.name:
        notes.append(
            "With so few models the variances of single examples are too uncertain, so the attack "
            "uses variances pooled over examples."
        )
    notes += [each for each in (result.no_epsilon, _of_target(result)) if each]
    if n_missing:
        notes.append(f"{count(n_missing, 'example')} had too few shadow models to be attacked.")
    return notes


def _of_target(result: Privacy) -> str:
    return "" if result.target is None else result.target.no_epsilon


def _summary(result: Privacy) -> TextTable:
    columns = (
        "what",
        "AUC",
        "at 0.01%",
        *(f"detected at {rate:.1%}" for rate in RATES),
        "balanced accuracy",
        "n",
    )
    rows = [
        (
            each.name,
            f"{each.auc:.3f}",
            _at_strictest(each),
            *(_at(each, row) for row in range(len(RATES))),
            f"{each.balanced_accuracy:.1%}",
            f"{result.examples:,}",
        )
        for each in result.attacks
    ]
    for each in result.bins:
        if each.examples:
            rows.append(
                (
                    memorization_between(each.low, each.high),
                    decimal(each.auc, 3),
                    MISSING,
                    *(percent(share, 2) for share in each.found),
                    MISSING,
                    f"{each.examples:,}",
                )
            )
    return TextTable(columns, rows)


def _galleries(result: Privacy) -> list[Gallery]:
    some = [i for i in _order(result)[:_SHOWN] if result.found[i]]
    if not some:
        return []
    return [
        Gallery(
            "The most exposed: how often an attack with 0.1% false positives detects them",
            [Example(i, f"{result.found[i]:.0%} detected") for i in some],
        )
    ]
