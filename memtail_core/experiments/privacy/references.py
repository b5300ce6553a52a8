"""How attacks fare with fewer references than the study has models."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from memtail_core.errors import EstimationError
from memtail_core.estimation.attacks.attack import Attack as Method
from memtail_core.estimation.attacks.tiles import Models
from memtail_core.estimation.membership import Attacks
from memtail_core.experiments.privacy.result import FewReferences, Strength
from memtail_core.experiments.privacy.strength import Run, counted, curves

_MOST_SETS = 4  # of references, one after the other


def with_references(
    models: Models, block: NDArray[np.int64], references: int, methods: Sequence[Method]
) -> FewReferences:
    """Attack with some models as references, and the models of other blocks as targets.

    Up to four sets of references that share no model are tried, and their guesses judged together.
    Targets are never of a block that has a reference: its memberships tell of theirs.

    Args:
        models: T models.
        block: int64 [T]; models of different blocks are independent.
        references: how many models are references.
        methods: the attacks.

    Raises:
        EstimationError: no model is left to attack, or no example has two references of each kind.
    """
    runs = []
    for first in range(0, min(_MOST_SETS, len(models) // references) * references, references):
        chosen = np.arange(first, first + references)
        rows = np.flatnonzero(~np.isin(block, block[chosen]))
        if len(rows) < 2:
            continue
        run = Run(Attacks.of(models.taken(chosen), models.taken(rows), methods), rows)
        if len(run.attacks.examples):
            runs.append(run)
    if not runs:
        raise EstimationError(
            f"--references {references}: of {len(models):,} models, that leaves none to attack, or "
            "no example with two references trained with it and two without"
        )
    rocs = curves(runs)
    counts = counted(runs, rocs, len(models))
    first_roc = next(iter(rocs.values()))
    return FewReferences(
        references=references,
        sets=len(runs),
        targets=float(np.mean([len(run.rows) for run in runs])),
        examples=float(np.mean([len(run.attacks.examples) for run in runs])),
        members=first_roc.n_members,
        others=first_roc.n_others,
        attacks=[
            Strength(
                name=name,
                auc=roc.auc,
                auc_error=counts[name].auc_error,
                strict=counts[name].strict(),
            )
            for name, roc in rocs.items()
        ],
    )
