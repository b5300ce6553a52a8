"""The page that an auditor can file: what was attacked, with what, the figures, their limits."""

from collections.abc import Iterator

from memtail_core.data import Dataset
from memtail_core.drawing.document import Document, Part
from memtail_core.drawing.formatting import (
    MISSING,
    count,
    decimal,
    memorization_between,
    percent,
)
from memtail_core.drawing.section import TextTable
from memtail_core.estimation.attacks.registry import ATTACKS
from memtail_core.experiments.privacy import figure
from memtail_core.experiments.privacy.result import (
    RATES,
    STRICT_RATES,
    Epsilon,
    Privacy,
    Target,
    TargetAttack,
)
from memtail_core.experiments.privacy.wording import (
    at_strict,
    on_epsilon,
    on_target,
    rate,
    strongest,
    with_interval,
)
from memtail_core.plan import designs
from memtail_core.study import Study, SubsetsTable

_LISTED = 50  # examples
_AT_STRICT = tuple(f"detected at {rate(each)} false positives" for each in STRICT_RATES)


def document(result: Privacy, study: Study, dataset: Dataset) -> Document:
    """Write the page."""
    best = next(each for each in result.attacks if each.name == result.attack)
    answer = [
        f"At a false-positive rate of 0.1%, {best.name} with {result.trials - 1:,} reference "
        f"models detects {at_strict(best.strict, 0.001)} of a model's training examples.",
        *strongest(result),
        *on_epsilon(result.epsilon, "the training of this study"),
        *on_target(result.target),
    ]
    parts = [
        _attacks(result),
        _epsilon(result),
        *_references(result),
        *_target(result, dataset),
        _examples(result, dataset),
        _assumptions(result),
    ]
    return Document(
        title="Can an attacker tell what a model was trained on?",
        subtitle=f"Privacy audit of {study.name}",
        answer=answer,
        facts=list(_facts(result, study)),
        parts=parts,
    )


def _facts(result: Privacy, study: Study) -> Iterator[tuple[str, str]]:
    of, plan = study.dataset, study.subsets
    yield "study", study.id
    yield "data", f"{of.source}, SHA-256 {of.sha256}"
    yield "examples", f"{of.n_train:,} training examples, {result.examples:,} of them attacked"
    if study.is_imported:
        yield "models", f"{result.trials:,}, trained elsewhere and imported"
    elif isinstance(plan, SubsetsTable):
        blocks = f", balanced in blocks of {designs.block(study)}"
        yield (
            "models",
            f"{result.trials:,}, each trained on {study.subset_size:,} examples, a uniformly "
            f"random subset{blocks if plan.design == 'balanced' else ''}; seed {study.seed}",
        )
        yield "training", ", ".join(f"{key} = {value}" for key, value in study.training.items())
    yield "guesses", f"{result.members:,} on members, {result.others:,} on other examples"
    if result.target is not None:
        yield "model from outside", result.target.file


def _attacks(result: Privacy) -> Part:
    sources = {each.name: each.source for each in ATTACKS.values()}
    columns = ("attack", "source", "AUC", *_AT_STRICT, "balanced accuracy")
    rows = [
        (
            each.name,
            sources.get(each.name, MISSING),
            f"{each.auc:.4f} ± {each.auc_error:.4f}",
            *(at_strict(each.strict, fpr) for fpr in STRICT_RATES),
            f"{each.balanced_accuracy:.1%}",
        )
        for each in result.attacks
    ]
    curves = {"privacy": figure.figures(result)["privacy"]}
    return Part(
        "Attacks",
        [
            f"Each of {result.trials:,} models was the target once, with all others as reference "
            "models. All examples and targets share one threshold, set on these guesses.",
            "Intervals are 95% Clopper–Pearson intervals for as many independent guesses as the "
            "targets tell apart (Korn & Graubard 1998), and allow for the threshold, which few "
            "false positives set; reference models are taken as given.",
        ],
        tables=[("What each attack detects", TextTable(columns, rows, words=2))],
        figures=curves,
    )


def _epsilon(result: Privacy) -> Part:
    if result.epsilon is None:
        return Part("Lower bound on ε", [result.no_epsilon or "None was computed."])
    return Part(
        "Lower bound on ε",
        [
            *on_epsilon(result.epsilon, "the training of this study"),
            "Training examples were paired. Of each pair of which a model was trained on exactly "
            "one, which one it was is a fair coin, independent of all others. One model of every "
            "second block was guessed on, with all models of the other blocks as references; "
            "pairs, and the number of guesses, were chosen on the references alone (Steinke, "
            "Nasr & Jagielski 2023, theorem 5.2).",
        ],
        tables=[("Guesses", _guesses(result.epsilon))],
    )


def _guesses(epsilon: Epsilon) -> TextTable:
    rows = [
        ("lower bound on ε", f"{epsilon.bound:.3f}"),
        ("of adding or removing one example", f"{epsilon.bound_of_one:.3f}"),
        ("δ", f"{epsilon.delta:g}"),
        ("confidence", f"{epsilon.confidence:.0%}"),
        ("privacy of", f"{epsilon.neighbours} one example"),
        ("models guessed on", f"{epsilon.models:,}"),
        ("reference models", f"{epsilon.references:,}"),
        ("fair coins", f"{epsilon.canaries:,}"),
        ("guesses", f"{epsilon.guesses:,}"),
        ("right", f"{epsilon.correct:,} ({epsilon.correct / max(1, epsilon.guesses):.1%})"),
    ]
    return TextTable(("what", "value"), rows)


def _references(result: Privacy) -> Iterator[Part]:
    if not result.few:
        return
    columns = ("reference models", "attack", "AUC", *_AT_STRICT)
    rows = [
        (
            f"{few.references:,}",
            each.name,
            f"{each.auc:.4f} ± {each.auc_error:.4f}",
            *(at_strict(each.strict, fpr) for fpr in STRICT_RATES),
        )
        for few in result.few
        for each in few.attacks
    ]
    yield Part(
        "With fewer reference models",
        ["Up to four sets of reference models that share none; targets are of other blocks."],
        tables=[("What each attack detects", TextTable(columns, rows, words=2))],
    )


def _target(result: Privacy, dataset: Dataset) -> Iterator[Part]:
    target = result.target
    if target is None:
        return
    columns = ("attack", "AUC", *(f"called at {rate(fpr)}" for fpr in STRICT_RATES))
    if target.members is not None:
        columns += tuple(
            f"{what} at {rate(fpr)}"
            for fpr in STRICT_RATES
            for what in ("detected", "false positives")
        )
    rows = [_target_row(each, target.members is not None) for each in target.attacks]
    yield Part(
        "A model from outside",
        [
            *on_target(target),
            f"All {result.trials:,} models of the study are references. Thresholds are those at "
            "which the attack has this false-positive rate on the study's own models: they hold if "
            "the model was trained as these were. Intervals are Clopper–Pearson's and take the "
            "guesses on this one model as independent.",
            *([target.no_epsilon] if target.no_epsilon else []),
        ],
        tables=[
            ("What each attack calls members", TextTable(columns, rows)),
            (f"Called members by {target.attack}", _called(target, dataset)),
        ],
    )


def _target_row(attack: TargetAttack, is_known: bool) -> tuple[str, ...]:
    at = {each.fpr: each for each in attack.at}
    area = (
        MISSING
        if attack.auc is None
        else f"{attack.auc:.3f} [{decimal(attack.auc_low, 3)}, {decimal(attack.auc_high, 3)}]"
    )
    called = [f"{at[fpr].called:,}" if fpr in at else MISSING for fpr in STRICT_RATES]
    scored = []
    for fpr in STRICT_RATES:
        one = at.get(fpr)
        scored += [
            MISSING if one is None else with_interval(one.tpr, one.low, one.high),
            MISSING if one is None else with_interval(one.seen_fpr, one.seen_low, one.seen_high),
        ]
    return (attack.name, area, *called, *(scored if is_known else ()))


def _called(target: Target, dataset: Dataset) -> TextTable:
    chosen = sorted(
        (i for i, at in enumerate(target.called) if at is not None),
        key=lambda i: -(target.scores[i] or 0.0),
    )[:_LISTED]
    truth = target.is_member
    rows = [
        (
            str(i),
            dataset.train_name(i),
            str(dataset.classes[dataset.y_train[i]]),
            decimal(target.scores[i]),
            rate(target.called[i] or 0.0),
            *(() if truth is None else ("member" if truth[i] else "other",)),
        )
        for i in chosen
    ]
    columns = ("index", "name", "class", "score", "called at")
    return TextTable((*columns, "is") if truth is not None else columns, rows, words=3)


def _examples(result: Privacy, dataset: Dataset) -> Part:
    by_memorization = TextTable(
        ("memorization", "examples", "AUC", *(f"detected at {rate(each)}" for each in RATES)),
        [
            (
                memorization_between(each.low, each.high),
                f"{each.examples:,}",
                decimal(each.auc, 3),
                *(percent(share, 2) for share in each.found),
            )
            for each in result.bins
            if each.examples
        ],
    )
    order = sorted(
        (i for i, found in enumerate(result.found) if found),
        key=lambda i: (-(result.found[i] or 0.0), -(result.auc[i] or 0.0)),
    )
    is_named = bool(dataset.train_names)
    most = [
        (
            str(i),
            *((dataset.train_name(i),) if is_named else ()),
            str(dataset.classes[dataset.y_train[i]]),
            decimal(result.memorization[i]),
            percent(result.found[i]),
            decimal(result.auc[i], 3),
        )
        for i in order[:_LISTED]
    ]
    names = ("name",) if is_named else ()
    columns = ("index", *names, "class", "memorization", "detected at 0.1%", "AUC")
    drawn = {
        name: each for name, each in figure.figures(result).items() if name == "privacy-examples"
    }
    correlation = (
        []
        if result.spearman is None
        else [
            f"Memorization and the AUC of an example have a rank correlation of "
            f"{result.spearman:.2f} over {count(result.examples, 'example')}."
        ]
    )
    return Part(
        "Which examples are vulnerable",
        [
            *correlation,
            f"Of the models trained on an example, {result.attack} detects this share, at a "
            "false-positive rate of 0.1% over all examples. The AUC is how often it tells which of "
            "two models was trained on the example, with half as many references.",
        ],
        tables=[
            ("By memorization", by_memorization),
            ("The most vulnerable", TextTable(columns, most, words=2 + is_named)),
        ],
        figures=drawn,
    )


def _assumptions(result: Privacy) -> Part:
    return Part(
        "Assumptions and limits",
        points=[
            "The attacker knows the training procedure, the labels, every example that may have "
            "been in the training set, and has reference models trained in the same way.",
            "The audit shows that models leak. That it finds little proves nothing: other attacks "
            "may find more, and only differential privacy is a proof.",
            "Rates are of models trained on random subsets, not on all of the data.",
            "A false-positive rate is over all examples and models: an example that looks like a "
            "member to every model has a larger one.",
            "Thresholds are set on the guesses that are judged. A rate is given only where the "
            f"guesses on others ({result.others:,}) allow for one false positive.",
            "RMIA takes the study's test examples as its population. Offline attacks look only at "
            "models that did not train on the example.",
            "The lower bound on ε holds with its confidence for the training procedure as a whole, "
            "given that subsets were drawn as the study says. It is no estimate of ε.",
            "Examples are named by index and name, and are not shown.",
        ],
    )
