"""What every modality must do: subclass ModalityContract and give it some raw examples.

class TestText(ModalityContract):
    name = "text"

    def raw(self, n):
        return ...  # n different examples, as a source returns them
"""

import io
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from memtail_core import training
from memtail_core.data import Dataset, near_duplicates
from memtail_core.data.modalities import Modality, modality_of, named
from memtail_core.data.neighbours import Space
from memtail_core.errors import DatasetError
from memtail_core.training.gradient.resident_data import ResidentData

N, N_TEST = 40, 12


class ModalityContract:
    """The tests; ``name`` and ``raw`` are what differs between modalities."""

    name: str
    strange: tuple[NDArray[Any], ...] = (np.array(["a", "b"]), np.zeros((2, 1, 1, 1, 1, 1)))

    def raw(self, n: int) -> NDArray[Any]:
        """Return n different examples as a source returns them."""
        raise NotImplementedError

    @pytest.fixture
    def modality(self) -> Modality:
        return named(self.name)

    @pytest.fixture
    def dataset(self) -> Dataset:
        """Test example i is a copy of training example 2i."""
        x, y = self.raw(N), np.arange(N) % 2
        copied = np.arange(N_TEST) * 2
        return Dataset.from_arrays(x, y, x[copied], y[copied], modality=self.name)

    def test_it_goes_by_the_name_it_is_registered_under(self, modality: Modality) -> None:
        assert modality.name == self.name
        assert modality.noun and modality.expected

    def test_preparing_twice_changes_nothing(self, modality: Modality) -> None:
        once = modality.prepare(self.raw(N), "x_train")
        twice = modality.prepare(once, "x_train")
        assert len(once) == N
        assert once.flags.c_contiguous and once.dtype == twice.dtype
        np.testing.assert_array_equal(once, twice)

    def test_what_no_example_looks_like_is_refused_in_one_line(self, modality: Modality) -> None:
        for x in self.strange:
            with pytest.raises(DatasetError, match="x_train") as caught:
                modality.prepare(x, "x_train")
            assert "\n" not in str(caught.value)

    def test_a_stored_dataset_keeps_its_modality_and_digest(self, dataset: Dataset) -> None:
        back = Dataset.from_npz(dataset.to_npz(), dataset.sha256)
        assert back.modality.name == self.name
        assert back.sha256 == pickle.loads(pickle.dumps(dataset)).sha256 == dataset.sha256
        np.testing.assert_array_equal(back.train.whole(), dataset.train.whole())

    def test_the_digest_tells_it_from_what_the_arrays_look_like(self, dataset: Dataset) -> None:
        looks = modality_of(dataset.train.shape, dataset.train.dtype)
        with np.load(io.BytesIO(dataset.to_npz())) as file:
            is_stated = "modality" in file.files
        assert is_stated == (looks is None or looks.name != self.name)

    def test_a_network_is_fed_what_the_feed_says(self, dataset: Dataset) -> None:
        feed, x = dataset.feed, dataset.train.whole()
        data = ResidentData(dataset, False, torch.device("cpu"))
        inputs = data.inputs(data.x_train)
        expected = x.transpose(feed.order)
        assert inputs.shape == (N, *feed.shape) == (N, *data.shape) == expected.shape
        assert feed.is_map == (len(feed.shape) == 3)
        if feed.divisor is None:
            assert inputs.dtype == torch.int64
            np.testing.assert_array_equal(inputs, expected)
        else:
            np.testing.assert_allclose(inputs, expected / feed.divisor, rtol=1e-6)

    def test_standardized_inputs_have_mean_0_and_deviation_1(self, dataset: Dataset) -> None:
        data = ResidentData(dataset, True, torch.device("cpu"))
        if dataset.feed.divisor is None:  # symbols have no mean
            np.testing.assert_array_equal(
                data.inputs(data.x_train), dataset.train.whole().transpose(dataset.feed.order)
            )
            return
        inputs = data.inputs(data.x_train).numpy()
        axes = (0, 2, 3) if dataset.feed.is_map else (0,)
        np.testing.assert_allclose(inputs.mean(axes), 0, atol=1e-5)
        np.testing.assert_allclose(inputs.std(axes), 1, atol=1e-4)

    def test_vectors_depend_on_the_example_alone(
        self, modality: Modality, dataset: Dataset
    ) -> None:
        x = dataset.train.whole()
        vectors = modality.embed(x)
        assert vectors.dtype == np.float32
        assert vectors.ndim == 3 and len(vectors) == N
        assert np.isfinite(vectors).all()
        np.testing.assert_array_equal(modality.embed(x[7:9]), vectors[7:9])
        assert len(np.unique(vectors.reshape(N, -1), axis=0)) == N

    def test_the_nearest_training_example_is_the_one_copied(self, dataset: Dataset) -> None:
        near = Space.of(dataset).of_test(1)
        assert near.index[:, 0].tolist() == (np.arange(N_TEST) * 2).tolist()
        np.testing.assert_allclose(near.distance, 0, atol=1e-5)

    def test_a_copy_is_a_near_duplicate(self, dataset: Dataset) -> None:
        nearest = near_duplicates.in_test_set(dataset)
        copied = np.arange(N_TEST) * 2
        assert nearest.partner[copied].tolist() == list(range(N_TEST))
        assert nearest.is_duplicate[copied].all()
        assert nearest.distance[copied].max() < 1e-3

    def test_the_report_has_something_to_show(self, modality: Modality, dataset: Dataset) -> None:
        if modality.is_pictured:
            picture = modality.pictures(dataset.train).take([3])[0]
            assert picture.dtype == np.uint8
            assert picture.ndim == 3 and picture.shape[2] in (1, 3, 4)
        phrases = list(modality.phrases(dataset.train.take([3])[0], ()))
        assert phrases and all(phrase.isprintable() for phrase in phrases)

    def test_the_default_recipe_takes_the_data(self, dataset: Dataset) -> None:
        recipe = training.resolve({}, dataset, N // 2)
        assert recipe.recipe == dataset.modality.default_recipe
