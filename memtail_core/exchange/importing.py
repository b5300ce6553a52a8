"""Make a study of a bank: its trials become ordinary shards of a study that has no recipe."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from memtail_core import catalogue
from memtail_core.data import Account, Dataset
from memtail_core.errors import DatasetError
from memtail_core.exchange.bank import Bank, Part
from memtail_core.exchange.survey import Survey
from memtail_core.experiments.experiment import ProgressCallback
from memtail_core.plan import shards
from memtail_core.plan.shards import Shard
from memtail_core.running import shard_files
from memtail_core.running.signing import shard_key
from memtail_core.running.trials import Trials
from memtail_core.store import ObjectStore
from memtail_core.study import IMPORTED, MOST_TRIALS, DatasetIdentity, Study, SubsetsTable
from memtail_core.training.imported import Imported

_SHARD_BYTES = 64 * 2**20
_MOST_IN_SHARD = 10_000


def import_bank(
    store: ObjectStore,
    bank: Bank,
    dataset: Dataset,
    name: str,
    source: str,
    progress: ProgressCallback = lambda _: None,
) -> Study:
    """Check a bank, store its trials and register the study, whose id depends on all of it.

    Nothing is stored before everything was read and checked. The same bank again changes nothing.

    Args:
        store: where to.
        bank: the trials.
        dataset: the examples they are about.
        name: of the study.
        source: where the examples come from.
        progress: called with trials read; each is read twice.

    Raises:
        DatasetError: bank and dataset do not fit, or the bank is not as it should be.
    """
    for n, there, of in (
        (bank.n, len(dataset.y_train), "training"),
        (bank.n_test, len(dataset.y_test), "test"),
    ):
        if n != there:
            raise DatasetError(
                f"the models were evaluated on {n:,} {of} examples, and the data have {there:,}"
            )
    if not 0 < bank.trials <= MOST_TRIALS:
        raise DatasetError(
            f"there are {bank.trials:,} models: 1 to {MOST_TRIALS:,} can be imported"
        )
    if not (bank.has_train or bank.n_test):
        raise DatasetError("there are no outcomes, of training or of test examples")
    survey = Survey.of(bank, progress)
    study = Study(
        name=name,
        seed=0,
        shard_size=_shard_size(bank),
        margins=survey.has_margins,
        dataset=DatasetIdentity(
            sha256=dataset.sha256,
            source=source,
            kind=dataset.modality.name,
            shape=dataset.shape,
            n_train=bank.n,
            n_test=bank.n_test,
            classes=dataset.classes,
        ),
        subsets=SubsetsTable(
            ratio=survey.ratio, design="balanced" if survey.is_balanced else "independent"
        ),
        training=Imported(recipe=IMPORTED, trials_sha256=survey.sha256).described(),
    )
    key = shard_key()
    for shard, part in _shards(bank, study):
        files = shard_files.encode(_trials(study, shard, part, bank.origin), key)
        if files.values is not None:
            store.put(shard.values_key(study), files.values)
        store.put(shard.key(study), files.bits)
        progress(len(part.subset))
    account = dataset.account + Account(bank.notes)
    catalogue.register(store, study, replace(dataset, account=account), bank.trials)
    return study


def _shard_size(bank: Bank) -> int:
    """The largest number that divides the trials and makes shards of at most 64 MiB."""
    most = max(1, min(_MOST_IN_SHARD, bank.trials, _SHARD_BYTES // bank.trial_bytes))
    return next(size for size in range(most, 0, -1) if bank.trials % size == 0)


def _shards(bank: Bank, study: Study) -> Iterator[tuple[Shard, Part]]:
    for shard in shards.planned(study, bank.trials):
        yield shard, bank.part(shard.first, shard.last)


def _trials(study: Study, shard: Shard, part: Part, origin: str) -> Trials:
    k, n, n_test = len(part.subset), study.dataset.n_train, study.dataset.n_test
    train, test = part.train_correct, part.test_correct
    if test is None:
        test = np.zeros((k, 0), np.bool_)
    return Trials(
        n=n,
        n_test=n_test,
        subset=np.packbits(part.subset, axis=1),
        train_correct=None if train is None else np.packbits(train, axis=1),
        test_correct=np.packbits(test, axis=1),
        train_values=part.train_margins,
        test_values=part.test_margins,
        trials=np.array(shard.trials, np.int64),
        seconds=np.full(k, np.nan),
        about=({"study": study.id, "imported": origin},),
    )
