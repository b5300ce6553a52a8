"""A study: the file a user writes (a Spec), and the immutable description that is trained."""

from memtail_core.study.spec import Spec, name_of, shipped
from memtail_core.study.study import (
    FINETUNE,
    IMPORTED,
    UNLABELLED,
    DatasetIdentity,
    Study,
    dataset_key,
    n_probabilities,
    packed_key,
    part_key,
)
from memtail_core.study.tables import (
    ID,
    MOST_TRIALS,
    ArmsTable,
    DatasetTable,
    StudyTable,
    SubsetsTable,
    TokensTable,
)

__all__ = [
    "FINETUNE",
    "ID",
    "IMPORTED",
    "MOST_TRIALS",
    "UNLABELLED",
    "ArmsTable",
    "DatasetIdentity",
    "DatasetTable",
    "Spec",
    "Study",
    "StudyTable",
    "SubsetsTable",
    "TokensTable",
    "dataset_key",
    "n_probabilities",
    "name_of",
    "packed_key",
    "part_key",
    "shipped",
]
