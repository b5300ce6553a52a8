"""Networks that diverge at a recipe's own learning rate are trained again at a lower one."""

from typing import Annotated, Any

import numpy as np
import pytest
import torch
from pydantic import Field

from memtail_core.analysis import analyse
from memtail_core.data import Dataset
from memtail_core.errors import TrainingError
from memtail_core.plan.shards import Shard
from memtail_core.running import shard_files
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import train_shard
from memtail_core.study import Spec
from memtail_core.training import Tuning, resolve, restore
from memtail_core.training.gradient.losses import Losses
from memtail_core.training.gradient.networks import MLP
from memtail_core.training.gradient.objective import chance_loss

N = 40


def squares(n: int = N, classes: int = 8, side: int = 8) -> Dataset:
    """A coloured square on dark noise: of 12 classes, cnn's own rate is too high."""
    rng = np.random.default_rng(n + classes + side)
    y, colours = np.arange(n) % classes, rng.integers(0, 256, (classes, 3))
    x = rng.integers(0, 40, (n, side, side, 3)).astype(np.uint8)
    for i in range(n):
        a, b = rng.integers(0, side // 2, 2)
        x[i, a : a + side // 2, b : b + side // 2] = colours[y[i]]
    return Dataset.from_arrays(x, y, x[:classes], y[:classes])


class Wild(MLP):
    """A recipe whose own rate is far too high."""

    recipe: str = "mlp"
    learning_rate: float = 2.0
    widths: Annotated[tuple[int, ...], Field(strict=False)] = (16,)
    epochs: int | None = 60


SUBSETS = np.stack([np.random.default_rng(k).permutation(N) < 30 for k in range(4)])
SEEDS = np.arange(4)


def train(recipe: Any, dataset: Dataset, stack: int = 4, rows: Any = slice(None)) -> Any:
    return recipe.engine("cpu", Tuning(stack)).train(dataset, SUBSETS[rows], SEEDS[rows])


@pytest.fixture(scope="module")
def dataset() -> Dataset:
    return squares()


def held_in(outcomes: Any, rows: Any = slice(None)) -> np.ndarray:
    return np.array(
        [c[s].mean() for c, s in zip(outcomes.train_correct, SUBSETS[rows], strict=True)]
    )


def test_a_network_that_diverges_at_the_default_rate_is_trained_again_lower(
    dataset: Dataset,
) -> None:
    found = train(Wild(), dataset)
    assert (found.rates < 1).all()
    assert (held_in(found) > 0.9).all()
    assert np.isfinite(found.train_value).all()
    assert (found.seconds == found.seconds[0]).all()


def test_each_model_is_the_one_of_a_recipe_that_states_the_lower_rate(dataset: Dataset) -> None:
    """And it depends on no other model: in stacks of one, the same bits."""
    lowered = train(Wild(), dataset, stack=1)
    for k in range(4):
        rate = 2.0 * lowered.rates[k]
        stated = train(Wild(learning_rate=rate), dataset, stack=1, rows=[k])
        assert stated.train_value.tobytes() == lowered.train_value[k].tobytes()
        assert stated.rate_share is None
    some = train(Wild(), dataset, stack=1, rows=[1, 3])
    assert some.train_value.tobytes() == lowered.train_value[[1, 3]].tobytes()
    assert some.rates.tolist() == lowered.rates[[1, 3]].tolist()


def test_a_rate_that_the_user_chose_is_not_lowered(dataset: Dataset) -> None:
    with pytest.raises(TrainingError, match=r"diverged .*lower \[training\] learning_rate"):
        train(Wild(learning_rate=1e6), dataset)


def test_networks_that_train_are_trained_once(dataset: Dataset) -> None:
    """And their shards hold no word of rates, as before."""
    found = train(MLP(widths=(16,), epochs=60), dataset)
    assert found.rate_share is None
    assert (held_in(found) > 0.9).all()


def test_a_study_keeps_the_lowered_rates_and_warns_of_them(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memtail_core.training import registry

    monkeypatch.setitem(registry._BY_NAME, "mlp", Wild)
    spec = Spec.parse(
        {"study": {"shard_size": 4}, "dataset": {"source": "here"}, "training": {"recipe": "mlp"}}
    )
    study, _ = prepare(spec, dataset)
    shard, engine = Shard(0, 4), restore(study.training).engine("cpu", Tuning(2))
    trials, _ = train_shard(study, dataset, shard, engine, "cpu")
    assert (trials.rates < 1).all()
    bits = shard_files.encode(trials).bits
    decoded = shard_files.decode(bits, study, shard).trials
    assert decoded.rates.tolist() == trials.rates.tolist()
    assert decoded.taken(np.array([2])).rates.tolist() == [trials.rates[2]]
    joined = type(trials).joined([decoded, decoded])
    assert joined.rates.tolist() == [*trials.rates, *trials.rates]
    (said,) = [w for w in analyse(study, dataset, trials).warnings if "learning rate" in w]
    assert said.startswith("4 of 4 models diverged at the default learning rate of 2 and were")
    assert "set [training] learning_rate" in said


def test_what_has_diverged_is_told_from_what_has_not() -> None:
    chance = chance_loss(np.array([0, 1, 2, 3]), 4, 0.0)
    assert chance == pytest.approx(np.log(4))
    courses = {
        (1.4, 0.2, 0.01): False,  # learned
        (1.4, 0.2, 0.3): False,  # a little worse in the last epoch
        (1.4, 0.2, 0.6): True,  # much of it is lost
        (1.4, 0.2, np.nan): True,
        (1.4, 0.2, np.inf): True,
        (1.4, 1.38, 1.38): True,  # nothing learned in many steps
        (9.0, 1.3, 1.3): False,  # slow
    }
    losses = Losses(len(courses), torch.device("cpu"))
    for epoch in torch.tensor(list(courses)).T:
        losses.add(epoch[:, None].expand(-1, 10) / 2)
        losses.add(epoch[:, None].expand(-1, 10) / 2)
        losses.end_epoch(10)
    asked = [chance] * len(courses)
    assert losses.diverged(asked, 1000).tolist() == list(courses.values())
    few = losses.diverged(asked, 10).tolist()
    assert not few[5], "after ten steps it may only have begun"
    losses.restart()
    losses.add(torch.full((len(courses), 10), 0.1))
    losses.end_epoch(10)
    assert not losses.diverged(asked, 1000).any()


def test_chance_counts_the_smoothing_of_labels() -> None:
    y, smoothing = np.array([0, 0, 0, 1]), 0.2
    share = torch.tensor([0.8 * 0.75 + 0.1, 0.8 * 0.25 + 0.1])
    cross_entropy = torch.nn.functional.cross_entropy(
        share.log().expand(4, -1), torch.tensor(y), label_smoothing=smoothing
    )
    assert chance_loss(y, 2, smoothing) == pytest.approx(float(cross_entropy))


def textures(n: int, classes: int, side: int) -> Dataset:
    """Each class a coarse pattern of colours, under noise."""
    rng = np.random.default_rng(n + classes + side)
    y = np.arange(n) % classes
    coarse = rng.normal(size=(classes, 4, 4, 3))[y].repeat(side // 4, 1).repeat(side // 4, 2)
    x = coarse * 50 + 128 + rng.normal(size=(n, side, side, 3)) * 40
    return _with_test_set(x.clip(0, 255).astype(np.uint8), y, classes)


def rows(n: int, classes: int, columns: int) -> Dataset:
    """Each class a point, under noise; one column a thousand times as large as the others."""
    rng = np.random.default_rng(n + classes)
    y = np.arange(n) % classes
    x = 2 * rng.normal(size=(classes, columns))[y] + rng.normal(size=(n, columns))
    x[:, 0] *= 1000
    return _with_test_set(x, y, classes)


def _with_test_set(x: np.ndarray, y: np.ndarray, classes: int) -> Dataset:
    return Dataset.from_arrays(x, y, x[:classes], y[:classes])


SIZES = [
    *(squares(144, 12, 16), squares(), textures(50, 2, 8), textures(60, 20, 16)),
    textures(9, 3, 32),
    *(textures(1000, 1000, 8), rows(50, 2, 4), rows(400, 100, 30), rows(1000, 1000, 20)),
    rows(5000, 10, 8),
]


@pytest.mark.slow
@pytest.mark.parametrize("data", SIZES, ids=lambda d: f"{len(d.y_train)} {d.shape}")
def test_the_default_recipe_fits_data_of_any_size(data: Dataset) -> None:
    """50 to 5,000 examples, 2 to 1,000 classes; larger images are too slow for a test."""
    n = len(data.y_train)
    subset = np.random.default_rng(0).permutation(n)[None] < round(0.7 * n)
    recipe = resolve({}, data, int(subset.sum()))
    found = recipe.engine("cpu", Tuning(1)).train(data, subset, np.array([3]))
    assert found.train_correct[subset].mean() > 0.95, found.rates
