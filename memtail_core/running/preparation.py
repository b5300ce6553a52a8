"""Turn a study file into a study: read the data, fill in the defaults, check."""

from typing import NamedTuple

from memtail_core import data, training
from memtail_core.data import Dataset, Storage
from memtail_core.errors import StudyError
from memtail_core.plan.candidates import with_candidates
from memtail_core.running.packing import storage_here
from memtail_core.study import DatasetIdentity, Spec, Study, n_probabilities
from memtail_core.training import Recipe

_MOST_BYTES = 2**31  # of the probabilities of a shard's models, in memory while it is trained


class Prepared(NamedTuple):
    """A study and its data."""

    study: Study
    dataset: Dataset


def prepare(spec: Spec, dataset: Dataset | None = None, storage: Storage | None = None) -> Prepared:
    """Read the spec's data (or take ``dataset``) and bind them to the study they make.

    Args:
        spec: the study file.
        dataset: its data, if they were read before.
        storage: where and how data larger than memory are packed; see :func:`.storage_here`.

    Raises:
        StudyError: the description is wrong, or does not suit the data.
        DatasetError: the data are missing or unusable.
    """
    dataset = data.load(spec.dataset, storage or storage_here()) if dataset is None else dataset
    subsets, n = with_candidates(spec.subsets, dataset), len(dataset.y_train)
    n_drawn_from = n if subsets.candidates is None else len(subsets.candidates)
    drawn = round(subsets.ratio * n_drawn_from)
    if not 0 < drawn < n_drawn_from:
        what = "training examples" if subsets.candidates is None else "candidates"
        raise StudyError(
            f"[subsets] ratio = {subsets.ratio} of {n_drawn_from} {what} "
            f"is a subset of {drawn}: at least 1 must be in and 1 out"
        )
    recipe = training.resolve(spec.training, dataset, n - n_drawn_from + drawn, spec.study.name)
    if spec.study.probabilities:
        _check_probabilities(spec, recipe, dataset)
    study = Study(
        name=spec.study.name,
        seed=spec.study.seed,
        shard_size=spec.study.shard_size,
        margins=spec.study.margins,
        probabilities=spec.study.probabilities,
        dataset=DatasetIdentity(
            sha256=dataset.sha256,
            source=spec.dataset.source,
            kind=dataset.modality.name,
            shape=dataset.shape,
            n_train=len(dataset.y_train),
            n_test=len(dataset.y_test),
            classes=dataset.classes,
        ),
        subsets=subsets,
        training=recipe.described(),
    )
    return Prepared(study, dataset)


def _check_probabilities(spec: Spec, recipe: Recipe, dataset: Dataset) -> None:
    """Refuse to keep probabilities that models do not give, or that memory does not hold."""
    recipe.check_probabilities()
    each = n_probabilities(dataset.classes, dataset.shape)
    one = 2 * len(dataset.y_train) * each
    if one * spec.study.shard_size > _MOST_BYTES:
        most = _MOST_BYTES // one
        smaller = f"[study] shard_size = {most} or less" if most else "a [dataset] train_limit"
        raise StudyError(
            f"[study] probabilities = true: those of {each:,} "
            f"{'classes' if dataset.is_labelled else 'tokens'} for {len(dataset.y_train):,} "
            f"examples take {one / 1e9:.2g} GB a model: set {smaller}"
        )
