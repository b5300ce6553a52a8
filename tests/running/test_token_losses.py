"""Language models that keep the losses of tokens: exact sums, and the same models."""

from pathlib import Path

import numpy as np
import pytest
import torch

from memtail_core import catalogue, training
from memtail_core.errors import DamagedError, EstimationError
from memtail_core.estimation.token_losses import TokenLosses
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard, planned
from memtail_core.running import execution, loading
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.study import Study
from memtail_core.training import Tuning
from tests.language_models import StoredStories, stored_stories, stories


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredStories:
    return stored_stories(tmp_path_factory.mktemp("stories"))


def files(store: FilesStore, study: Study) -> dict[str, bytes]:
    return {key: store.get(key) for key in store.list(f"{study.prefix}probabilities/")}


def test_they_are_sums_of_what_each_model_says_of_each_token(
    stored: StoredStories,
) -> None:
    """Train the models again, and let cross-entropy in float64 say what each token costs."""
    study, dataset, store = stored
    found = loading.load_token_losses(store, study)
    assert found is not None
    subset, seeds = (of(study, range(8)) for of in (designs.subsets, designs.training_seeds))
    documents = torch.from_numpy(dataset.train.whole()).long()
    expected = documents[:, 1:]
    losses = []
    engine = training.restore(study.training).engine("cpu", Tuning(4))
    for some in (slice(0, 4), slice(4, 8)):
        networks, data = engine.train_stack(dataset, subset[some], seeds[some])  # type: ignore[attr-defined]
        logits = networks.logits(data.x_train).double()
        of_each = [
            torch.nn.functional.cross_entropy(each.transpose(1, 2), expected, reduction="none")
            for each in logits
        ]
        losses.append(torch.stack(of_each))
    loss = torch.cat(losses).numpy()
    is_counted = documents.numpy()[:, :-1] > 0
    for i in range(len(documents)):
        inside = subset[:, i]
        assert (found.n_in[i], found.n_out[i]) == (inside.sum(), (~inside).sum())
        expected_difference = loss[~inside, i].mean(0) - loss[inside, i].mean(0)
        n = int(is_counted[i].sum())
        np.testing.assert_allclose(
            found.difference[i, :n], expected_difference[:n], atol=2 * 2.0**-8
        )  # a loss below 16 is within 2⁻⁸ in float16
        assert (found.difference[i, n:] == 0).all()
    assert found.difference[is_counted].mean() > 0.02, "documents are remembered"


def test_they_are_the_same_bits_in_another_order_and_with_other_workers(
    stored: StoredStories, tmp_path: Path
) -> None:
    study, dataset, store = stored
    other = FilesStore(tmp_path)
    execution.run(study, other, dataset, 8, workers=2, stack=4)
    trainer = ShardTrainer(other, study, "cpu", stack=4)
    for shard in reversed(planned(study, 8)):
        trainer.train(shard)
    assert len(files(store, study)) == 2
    assert files(other, study) == files(store, study)
    one, two = (loading.load_token_losses(each, study) for each in (store, other))
    assert one is not None and two is not None
    assert one.difference.tobytes() == two.difference.tobytes()


def test_the_models_are_those_of_the_study_without_them(
    stored: StoredStories, tmp_path: Path
) -> None:
    study, dataset, store = stored
    plain, _ = stories()
    assert plain.id != study.id and "probabilities" not in plain.to_json().decode()
    other = FilesStore(tmp_path)
    catalogue.register(other, plain, dataset, 4)
    ShardTrainer(other, plain, "cpu", stack=4).train(Shard(0, 4))
    kept = loading.load_shard(store, study, Shard(0, 4), values=True)
    without = loading.load_shard(other, plain, Shard(0, 4), values=True)
    for name in ("subset", "train_correct", "train_values", "test_values"):
        assert getattr(kept, name).tobytes() == getattr(without, name).tobytes()
    assert loading.load_token_losses(other, plain) is None


def test_a_file_that_is_of_other_models_is_not_added(stored: StoredStories, tmp_path: Path) -> None:
    study, _, store = stored
    other = FilesStore(tmp_path)
    for key in store.list(study.prefix):
        other.put(key, store.get(key))
    first, second = (shard.probabilities_key(study) for shard in planned(study, 8))
    other.put(first, store.get(second))
    with pytest.raises(DamagedError):
        loading.load_token_losses(other, study)
    assert not loading.is_whole(other, study, Shard(0, 4))


def test_documents_have_no_classes(stored: StoredStories) -> None:
    study, _, store = stored
    with pytest.raises(EstimationError, match="models documents, which have no classes"):
        loading.load_held_out(store, study)


def test_sums_over_no_trials_say_nothing() -> None:
    none = TokenLosses.none(2, 3)
    assert np.isnan(none.difference).all()
    loss = np.array([[[1.5, 0, 2], [1, 1, 1]]], np.float16)
    one = none.plus(TokenLosses.of(np.array([[True, False]]), loss))
    assert (one.total_in / 1024).tolist() == [[1.5, 0, 2], [0, 0, 0]]
    assert (one.total_out / 1024).tolist() == [[0, 0, 0], [1, 1, 1]]
