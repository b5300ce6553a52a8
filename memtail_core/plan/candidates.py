"""The candidates of a targeted study: the only training examples that its trials ever leave out.

A few hundred doubtful examples then need few models, and each is left out of a training set that is
otherwise nearly whole: close to the definition of memorization that subsampling approximates.
"""

import numpy as np

from memtail_core.data import Dataset
from memtail_core.data.chosen_examples import chosen_examples
from memtail_core.errors import StudyError, did_you_mean
from memtail_core.study.tables import MOST_CANDIDATES, SubsetsTable

_CLASS = "class:"
_KEYS = ("candidates",)


def is_file(plan: SubsetsTable) -> bool:
    """Whether a study file names its candidates by a file."""
    return isinstance(plan.candidates, str) and not plan.candidates.startswith(_CLASS)


def with_candidates(plan: SubsetsTable, dataset: Dataset) -> SubsetsTable:
    """Turn the candidates that a study file names into their indices, ascending.

    ``"class:cat"`` names all training examples of a class, any other text a file that
    :func:`.chosen_examples.chosen_examples` reads.

    Raises:
        StudyError: no such class or index, or too few or too many candidates.
        DatasetError: the file is not readable, or what it names is no training example.
    """
    asked, n = plan.candidates, len(dataset.y_train)
    if asked is None:
        return plan
    if not isinstance(asked, str):
        if max(asked) >= n:
            raise StudyError(f"[subsets] candidates: there is no training example {max(asked)}")
        rows = np.unique(asked)
    elif asked.startswith(_CLASS):
        rows = np.flatnonzero(dataset.y_train == _class(asked.removeprefix(_CLASS), dataset))
    else:
        rows = np.flatnonzero(chosen_examples(asked, dataset, _KEYS))
    if not 2 <= len(rows) <= MOST_CANDIDATES:
        raise StudyError(
            f"[subsets] candidates are {len(rows):,} of {n:,} training examples: 2 to "
            f"{MOST_CANDIDATES:,} are possible; without candidates all examples are studied"
        )
    if len(rows) == n:
        return plan.model_copy(update={"candidates": None})
    return plan.model_copy(update={"candidates": tuple(rows.tolist())})


def _class(name: str, dataset: Dataset) -> int:
    if name not in dataset.classes:
        raise StudyError(
            f"[subsets] candidates: no class '{name}'{did_you_mean(name, list(dataset.classes))}"
        )
    return dataset.classes.index(name)
