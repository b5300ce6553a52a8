import itertools

import numpy as np
import pytest
import torch
from torch.nn import functional

from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.errors import StudyError
from memtail_core.study import DatasetTable
from memtail_core.training.gradient import rows
from memtail_core.training.gradient.adamw import AdamW
from memtail_core.training.gradient.stacked_layers import stacked
from memtail_core.training.gradient.text_layers import Windows
from memtail_core.training.gradient.text_networks import Bag, Transformer
from tests.texts import reviewed

SMALL = {
    "bag": {"buckets": 512},
    "textcnn": {"width": 8, "channels": 4},
    "transformer": {"width": 8, "heads": 2, "hidden": 16},
}


@pytest.mark.parametrize("name", SMALL)
def test_the_default_recipe_and_the_vocabulary_come_from_the_data(name: str) -> None:
    dataset = reviewed()
    assert training.resolve({}, dataset, 175).recipe == "bag"
    recipe = training.resolve({"recipe": name}, dataset, 175)
    described = recipe.described()
    assert described["vocabulary"] == dataset.texts.vocabulary  # type: ignore[union-attr]
    assert described["optimizer"] == "adamw"
    assert training.restore(described) == recipe
    assert recipe.model_bytes(dataset) > 24 * dataset.vocabulary


@pytest.mark.parametrize("name", SMALL)
def test_texts_are_for_the_recipes_of_texts_alone(name: str) -> None:
    table = load(DatasetTable(source="sklearn:wine"))
    with pytest.raises(StudyError, match=f"'{name}' is for texts; these data are features: use"):
        training.resolve({"recipe": name}, table, 100)
    for other in ("mlp", "linear", "cnn"):
        with pytest.raises(StudyError, match=r"is for .*; these data are text: use 'bag'"):
            training.resolve({"recipe": other}, reviewed(), 175)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"recipe": "bag", "vocabulary": 5}, r"vocabulary = 5: the data have \d+ tokens"),
        ({"recipe": "transformer", "width": 6}, "width = 6 is no multiple of heads = 4"),
        ({"recipe": "bag", "crop": 1}, "flip and crop are for images"),
        ({"recipe": "bag", "nesterov": True}, "nesterov = true needs momentum > 0, and SGD"),
    ],
)
def test_a_mistake_is_one_sentence(table: dict[str, object], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        training.resolve(table, reviewed(), 175)


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("k", [1, 3])
def test_no_text_depends_on_its_batch_or_on_the_padding(name: str, k: int) -> None:
    """A text alone, with more room behind it, has the same logits; an empty one is finite."""
    dataset = reviewed()
    recipe = training.resolve({"recipe": name, **SMALL[name]}, dataset, 175)
    torch.manual_seed(0)
    shape = dataset.feed.shape
    network = stacked([recipe.network(shape, 2) for _ in range(k)]).eval()  # type: ignore[attr-defined]
    tokens = torch.from_numpy(dataset.train.take([0, 1, 2])).long()
    tokens[1] = 0
    short = int((tokens[0] > 0).sum())
    with torch.no_grad():
        together = network(tokens.expand(k, -1, -1))
        alone = (
            network(tokens[:1, : short + 1].expand(k, -1, -1)) if name != "transformer" else None
        )
    assert together.isfinite().all()
    assert together.shape == (k, 3, 2)
    if alone is not None:
        torch.testing.assert_close(alone[:, 0], together[:, 0])


def terms_of(tokens: list[int], vocabulary: int, buckets: int) -> list[int]:
    """The rows of a text, by the definition."""
    pairs = (a * 0x9E3779B1 + b * 0x85EBCA77 for a, b in itertools.pairwise(tokens) if a and b)
    hashed = [(mixed ^ (mixed >> 15)) % buckets for mixed in pairs]
    return [*(t for t in tokens if t), *(1 + vocabulary + pair for pair in hashed)]


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("width", [4, 16])
def test_a_bag_is_the_mean_over_tokens_and_pairs_and_so_are_its_gradients(
    k: int, width: int
) -> None:
    """Our loop, torch's kernels and the definition agree."""
    rng = torch.Generator().manual_seed(1)
    tokens = torch.randint(0, 8, (k, 5, 6), generator=rng)
    tokens[:, 4] = 0
    weight = torch.randn(k * 19, width, generator=rng, requires_grad=True)
    outer = torch.randn(k, 5, width, generator=rng)
    slow = torch.stack(
        [
            torch.stack(
                [
                    weight[[19 * i + t for t in own]].mean(0) if own else torch.zeros(width)
                    for own in (terms_of(text, 7, 11) for text in texts)
                ]
            )
            for i, texts in enumerate(tokens.tolist())
        ]
    )
    (expected,) = torch.autograd.grad((slow * outer).sum(), weight)
    for kind in (torch.float32, torch.float64):  # the second has no loop of ours
        cast = weight.detach().to(kind).requires_grad_()
        found = rows.means(cast, tokens, 7, 11)
        (gradient,) = torch.autograd.grad((found * outer.to(kind)).sum(), cast)
        torch.testing.assert_close(found.float(), slow)
        torch.testing.assert_close(gradient.float(), expected)


@pytest.mark.parametrize("width", [3, 16])
def test_gradients_of_rows_are_those_of_torch(width: int) -> None:
    rng = torch.Generator().manual_seed(1)
    weight = torch.randn(20, width, generator=rng, requires_grad=True)
    terms = torch.randint(20, (6, 5), generator=rng)
    found, expected = (
        torch.autograd.grad((each(terms) ** 2).sum(), weight)[0]
        for each in (
            lambda terms: rows.looked_up(weight, terms),
            lambda terms: functional.embedding(terms, weight),
        )
    )
    torch.testing.assert_close(found, expected)


def test_windows_are_convolutions() -> None:
    torch.manual_seed(0)
    layer = Windows(width=3, channels=2, sizes=(2, 3))
    x, is_token = torch.randn(4, 6, 3), torch.ones(4, 6, dtype=torch.bool)
    expected = []
    for size, each in zip((2, 3), layer.maps, strict=True):
        kernel = each.weight.view(2, size, 3).transpose(1, 2)
        padded = functional.pad(x, (0, 0, 0, size - 1)).transpose(1, 2)
        values = functional.conv1d(padded, kernel, each.bias)
        expected.append(functional.relu(values).amax(2))
    torch.testing.assert_close(layer(x, is_token), torch.cat(expected, 1))


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_steps_of_adamw_are_those_of_the_formula(decay: float) -> None:
    rng = np.random.default_rng(0)
    network = torch.nn.Linear(3, 2)
    recipe = Bag(vocabulary=9, momentum=0.8, weight_decay=decay)
    adamw = AdamW(network, recipe, torch.float32)
    first = [p.detach().clone() for p in network.parameters()]
    for _ in range(2):  # the second time from the start again
        w = [p.double().numpy().copy() for p in first]
        m, s = ([np.zeros_like(x) for x in w] for _ in range(2))
        for t, rate in enumerate((0.5, 0.1, 0.3), 1):
            gradients = [rng.normal(size=x.shape) for x in w]
            adamw.step(tuple(torch.from_numpy(g).float() for g in gradients), rate)
            for i, g in enumerate(gradients):
                m[i] = 0.8 * m[i] + 0.2 * g
                s[i] = 0.999 * s[i] + 0.001 * g**2
                step = (m[i] / (1 - 0.8**t)) / (np.sqrt(s[i] / (1 - 0.999**t)) + 1e-8)
                w[i] = (1 - rate * decay) * w[i] - rate * step
        for found, expected in zip(adamw.weights, w, strict=True):
            np.testing.assert_allclose(found.detach(), expected, rtol=1e-4, atol=1e-5)
        adamw.restart([torch.nn.Parameter(p) for p in first])


def test_attention_is_that_of_torch() -> None:
    from memtail_core.training.gradient.text_layers import Attention

    torch.manual_seed(0)
    ours, theirs = Attention(8, 2), torch.nn.MultiheadAttention(8, 2, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = ours.gather.weight, ours.gather.bias
    theirs.out_proj.weight.data, theirs.out_proj.bias.data = ours.join.weight, ours.join.bias
    x = torch.randn(3, 5, 8)
    is_token = torch.arange(5) < torch.tensor([[5], [2], [1]])
    expected, _ = theirs(x, x, x, key_padding_mask=~is_token)
    torch.testing.assert_close(ours(x, is_token), expected)


def test_an_optimizer_is_an_option_of_every_network_and_changes_no_old_study() -> None:
    dataset = load(DatasetTable(source="sklearn:wine"))
    plain = training.resolve({"recipe": "mlp"}, dataset, 100)
    assert "optimizer" not in plain.described()
    with_adam = training.resolve({"recipe": "mlp", "optimizer": "adamw"}, dataset, 100)
    assert with_adam.described()["optimizer"] == "adamw"
    assert training.restore(with_adam.described()) == with_adam
    by_sgd = training.resolve({"recipe": "bag", "optimizer": "sgd"}, reviewed(), 175)
    assert by_sgd.described()["optimizer"] == "sgd"
    assert training.restore(by_sgd.described()) == by_sgd


def test_tokens_without_texts_are_trained_on() -> None:
    """Whoever has a tokenizer of their own may give its tokens."""
    tokens = np.random.default_rng(0).integers(1, 30, (12, 6))
    data = Dataset.from_arrays(
        tokens, np.arange(12) % 2, tokens, np.arange(12) % 2, modality="text"
    )
    recipe = training.resolve({"recipe": "transformer"}, data, 8)
    assert isinstance(recipe, Transformer)
    assert recipe.vocabulary == tokens.max()
