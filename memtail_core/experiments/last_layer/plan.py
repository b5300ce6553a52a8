"""The last layer alone, trained on the study's subsets, and compared with whole networks.

One network is trained on all examples, and its representation, the input of its last linear layer,
is fixed. That layer alone is then trained on the subsets of the study's trials, one convex problem
each (Feldman & Zhang 2020, section 3.5). What it memorizes, the last layer memorizes; what whole
networks memorize beyond that, lower layers do. Linear layers on the representations of earlier
layers give a profile over depth.
"""

from collections.abc import Mapping

import numpy as np

from memtail_core.data import Dataset
from memtail_core.estimation.agreement import agreement
from memtail_core.estimation.influence import PairsRule, counter_for, find
from memtail_core.estimation.intervals import reaches
from memtail_core.experiments.last_layer.representations import Represented
from memtail_core.experiments.last_layer.result import LAST, THRESHOLDS, LastLayer, Memorizer
from memtail_core.running.preparation import Prepared, prepare
from memtail_core.running.trials import Trials
from memtail_core.study import DatasetTable, Spec, Study, StudyTable, SubsetsTable

_SHARD = 100  # models that are solved together


def study_of(source: Study, layer: str, represented: Represented, l2: float) -> Prepared:
    """Return the study that trains a linear layer on the subsets of ``source``.

    Its trial k trains on the examples of trial k of the source, because subsets depend only on
    seed, ratio and design.
    """
    if not isinstance(source.subsets, SubsetsTable):
        raise ValueError(f"{source.id} has no random subsets")
    suffix = f"-{layer.replace(' ', '-')}-layer"
    spec = Spec(
        study=StudyTable(
            name=f"{source.name[: 40 - len(suffix)]}{suffix}",
            seed=source.seed,
            shard_size=source.shard_size * max(1, _SHARD // source.shard_size),
            margins=source.margins,
        ),
        dataset=DatasetTable(source=f"representation:{layer} of {source.id}"),
        subsets=source.subsets,
        training={"recipe": "linear", "l2": l2},
    )
    return prepare(spec, represented.dataset)


def analyse(
    source: Study,
    trials: Trials,
    dataset: Dataset,
    layers: Mapping[str, tuple[Study, Trials]],
    represented: Mapping[str, Represented],
    l2: float,
) -> LastLayer:
    """Compare linear layers with whole networks.

    Args:
        source, trials, dataset: the study, its trials and its data.
        layers: of each layer the study of :func:`study_of` and its trials; those that the source
            does not have are left out.
        represented: the representations they were trained on.
        l2: their penalty.
    """
    n = len(trials)
    of_network = trials.counted()

    def memorizer(name: str, study: Study, some: Trials, features: int | None) -> Memorizer:
        scores = some.counted().memorization
        alike = agreement(of_network.memorization, scores, ())
        rule = PairsRule()
        family = rule.family(scores, dataset.y_train, dataset.y_test)
        pairs = find(some.evidence(), family, rule.theta_infl, counter=counter_for("cpu"))
        accuracies = some.accuracies()
        return Memorizer(
            name=name,
            trained=study.id,
            features=features,
            held_in=float(accuracies.held_in.mean()),
            held_out=float(accuracies.held_out.mean()),
            test=float(accuracies.test.mean()),
            memorized=[int(reaches(scores, threshold).sum()) for threshold in THRESHOLDS],
            pairs=len(pairs),
            by_chance=pairs.expected_by_chance,
            pearson=alike.pearson,
            spearman=alike.spearman,
        )

    whole = represented[LAST]
    return LastLayer(
        study=source.id,
        trials=n,
        examples=trials.n,
        l2=l2,
        whole_train=whole.train,
        whole_test=whole.test,
        thresholds=list(THRESHOLDS),
        network=memorizer("network", source, trials, None),
        layers=[
            memorizer(
                name,
                study,
                some.taken(np.flatnonzero(np.isin(some.trials, trials.trials))),
                represented[name].dataset.shape[0],
            )
            for name, (study, some) in layers.items()
        ],
    )
