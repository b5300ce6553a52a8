from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import log_softmax
from torch import Tensor, nn
from torch.nn import functional

from memtail_core import training
from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.training import Engine, Outcome, Outcomes, Tuning
from memtail_core.training.gradient.gpt import GPT
from memtail_core.training.gradient.objective import NEXT_TOKENS, chance_loss
from memtail_core.training.gradient.stacked_layers import stacked
from memtail_core.training.language import LOG_LIKELIHOOD, TOKEN_ACCURACY, next_tokens
from tests.texts import counting, documents, reviewed
from tests.training.contract import EngineContract
from tests.training.outcome_contract import OutcomeContract

SMALL = {"recipe": "gpt", "width": 16, "heads": 2, "hidden": 32, "layers": 1}


class TestGPT(EngineContract):
    stack = 1

    @pytest.fixture(scope="class")
    def dataset(self) -> Dataset:
        return counting()

    @pytest.fixture(scope="class")
    def engine(self, dataset: Dataset) -> Engine:
        recipe = training.resolve({**SMALL, "learning_rate": 0.01, "epochs": 20}, dataset, 175)
        return recipe.engine("cpu", Tuning(self.stack))

    def assert_values(self, name: str | None, values: np.ndarray, correct: np.ndarray) -> None:
        assert name == "token_accuracy"
        assert 0 <= values.min() <= values.max() <= 1
        assert ((values == 1) == correct).all()


class TestStackedGPT(TestGPT):
    """Three at once, on subsets of one size."""

    stack = 3

    @pytest.fixture(scope="class")
    def subsets(self, dataset: Dataset) -> np.ndarray:
        rng = np.random.default_rng(0)
        return np.stack([rng.permutation(250) < 175 for _ in range(3)])

    def assert_same_models(self, one: Outcomes, other: Outcomes, rows: slice) -> None:
        """Up to rounding."""
        for name in ("train_value", "test_value"):
            assert np.abs(getattr(one, name) - getattr(other, name)[rows]).mean() < 0.02


def ragged(n: int, length: int, vocabulary: int, seed: int = 0) -> np.ndarray:
    """Documents of 0 to ``length`` random tokens; the first three are empty, one token, full."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, vocabulary + 1, (n, length))
    lengths = rng.integers(0, length + 1, n)
    lengths[:3] = 0, 1, length
    return np.where(np.arange(length) < lengths[:, None], tokens, 0)


def predictions(document: list[int]) -> list[tuple[int, int]]:
    """Places whose next token a model is to predict, and that token, by the definition."""
    length = len([t for t in document if t])
    whole = [(j, document[j + 1]) for j in range(length) if j + 1 < len(document)]
    return whole or [(0, 0)]  # an empty document: its end


class TestTokenAccuracy(OutcomeContract):
    @pytest.fixture
    def outcome(self) -> Outcome:
        return TOKEN_ACCURACY

    @pytest.fixture
    def examples(self) -> tuple[Tensor, Tensor]:
        """Two models that know two tokens of three, and all of some documents."""
        rng = np.random.default_rng(0)
        target = ragged(12, 6, 9)
        logits = rng.normal(size=(2, 12, 5, 10))
        known = (rng.random((2, 12, 5)) < 0.7) | (np.arange(12) % 4 == 0)[None, :, None]
        np.put_along_axis(logits, target[None, :, 1:, None].repeat(2, 0), 9.0 * known[..., None], 3)
        return torch.from_numpy(logits), torch.from_numpy(target)

    @pytest.fixture
    def expected(self, examples: tuple[Tensor, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        logits, target = (each.numpy() for each in examples)
        share = np.zeros(logits.shape[:2])
        for k, i in np.ndindex(share.shape):
            right = [logits[k, i, j].argmax() == t for j, t in predictions(target[i].tolist())]
            share[k, i] = np.mean(right)
        return share == 1, share


class TestLogLikelihood(TestTokenAccuracy):
    @pytest.fixture
    def outcome(self) -> Outcome:
        return LOG_LIKELIHOOD

    @pytest.fixture
    def expected(self, examples: tuple[Tensor, Tensor]) -> tuple[np.ndarray, np.ndarray]:
        logits, target = (each.numpy() for each in examples)
        log_p, whole = log_softmax(logits, axis=3), np.zeros(logits.shape[:2], bool)
        mean = np.zeros(logits.shape[:2])
        for k, i in np.ndindex(mean.shape):
            wanted = predictions(target[i].tolist())
            mean[k, i] = np.mean([log_p[k, i, j, t] for j, t in wanted])
            whole[k, i] = all(log_p[k, i, j].argmax() == t for j, t in wanted)
        return whole, mean

    def test_what_is_impossible_has_a_finite_value(self) -> None:
        logits = torch.full((1, 1, 2, 3), -torch.inf)
        logits[..., 0] = 0.0
        _, value = LOG_LIKELIHOOD.measure(logits, torch.tensor([[1, 2, 1]]))
        assert value is not None
        assert value.tolist() == [[-100]]


def test_the_value_is_a_part_of_the_recipe_only_where_it_is_chosen() -> None:
    plain, other = (
        training.resolve({**SMALL, **chosen}, counting(), 175)
        for chosen in ({}, {"value": "log-likelihood"})
    )
    assert "value" not in plain.described()
    assert plain.outcome is TOKEN_ACCURACY
    assert other.described()["value"] == "log-likelihood"
    assert training.restore(other.described()).outcome is LOG_LIKELIHOOD


def test_next_tokens_are_those_of_the_definition() -> None:
    documents = ragged(40, 7, 5)
    following, is_counted = next_tokens(torch.from_numpy(documents))
    for i, document in enumerate(documents.tolist()):
        places = np.flatnonzero(is_counted[i]).tolist()
        assert [(j, int(following[i, j])) for j in places] == predictions(document)


def reference(network: nn.Module, recipe: GPT, tokens: Tensor) -> Tensor:
    """The logits [B, T − 1, 1 + V] by torch's own encoder with a causal mask, the same weights."""
    layer = nn.TransformerEncoderLayer(
        recipe.width, recipe.heads, recipe.hidden, 0.0, "gelu", batch_first=True, norm_first=True
    )
    theirs = nn.TransformerEncoder(layer, recipe.layers, enable_nested_tensor=False).eval()
    named = dict(network.named_parameters())
    names = {
        "self_attn.in_proj_": "attention.gather.",
        "self_attn.out_proj.": "attention.join.",
        **{"linear1.": "wide.", "linear2.": "narrow.", "norm1.": "before.", "norm2.": "between."},
    }
    with torch.no_grad():
        for k, each in enumerate(theirs.layers):
            for name, weight in each.named_parameters():
                own = next(n for n in names if name.startswith(n))
                weight.copy_(named[f"blocks.{k}.{names[own]}{name.removeprefix(own)}"])
    table, read = named["embedding.weight"], tokens[:, :-1]
    x = functional.embedding(read, table) + named["positions.weight"]
    mask = nn.Transformer.generate_square_subsequent_mask(read.shape[1])
    x = theirs(x, mask=mask, is_causal=True)
    x = functional.layer_norm(x, (recipe.width,), named["norm.weight"], named["norm.bias"])
    return x @ table.T


@pytest.mark.parametrize("k", [1, 3])
def test_loss_and_greedy_accuracy_are_those_of_torchs_transformer(k: int) -> None:
    recipe = GPT(vocabulary=11, width=8, heads=2, hidden=12, layers=2)
    torch.manual_seed(0)
    networks = [recipe.network((7,), 1) for _ in range(k)]
    tokens = torch.from_numpy(np.stack([ragged(9, 7, 11, seed) for seed in range(k)]))
    with torch.no_grad():
        logits = stacked([each.eval() for each in networks])(tokens)
        for each, own, read in zip(networks, logits, tokens, strict=True):
            expected = reference(each, recipe, read)
            following, is_counted = next_tokens(read)
            torch.testing.assert_close(own[is_counted], expected[is_counted])
            losses = NEXT_TOKENS.losses(own[None], read[None], 0.0)[0]
            ignoring = following.masked_fill(~is_counted, -100)
            mean = functional.cross_entropy(expected.flatten(0, 1), ignoring.flatten())
            torch.testing.assert_close(losses.mean(), mean)
            _, values = TOKEN_ACCURACY.measure(own[None], read)
            predicted = expected.argmax(-1).tolist()
            for i, document in enumerate(read.tolist()):
                right = [predicted[i][j] == token for j, token in predictions(document)]
                assert values is not None
                assert values[0, i] == np.float16(np.mean(right))


@pytest.mark.parametrize("k", [1, 2])
def test_no_prediction_sees_what_comes_after(k: int) -> None:
    """Changing a token changes no logits before it; padding changes none."""
    recipe = GPT(vocabulary=11, width=8, heads=2, hidden=12, layers=2)
    torch.manual_seed(0)
    network = stacked([recipe.network((7,), 1) for _ in range(k)]).eval()
    tokens = torch.randint(1, 12, (1, 1, 7)).expand(k, 1, 7)
    with torch.no_grad():
        whole = network(tokens)
        for j in range(1, 6):
            other = tokens.clone()
            other[..., j:] = 0
            torch.testing.assert_close(network(other)[:, :, :j], whole[:, :, :j])
            assert not torch.allclose(network(other)[:, :, j], whole[:, :, j])


def test_every_token_counts_alike_and_smoothing_is_torchs() -> None:
    logits = torch.randn(2, 3, 6, 12, generator=torch.Generator().manual_seed(0))
    tokens = torch.from_numpy(np.stack([ragged(3, 7, 11, seed) for seed in range(2)]))
    found = NEXT_TOKENS.losses(logits, tokens, 0.1)
    following, is_counted = next_tokens(tokens)
    for k in range(2):
        mean = functional.cross_entropy(
            logits[k][is_counted[k]], following[k][is_counted[k]], label_smoothing=0.1
        )
        torch.testing.assert_close(found[k].mean(), mean)


def test_chance_is_the_entropy_of_the_next_tokens() -> None:
    dataset = documents(ragged(20, 6, 9), 14)
    subset = np.arange(14) % 2 == 0
    every = [t for d in dataset.train.whole()[subset].tolist() for _, t in predictions(d)]
    found = NEXT_TOKENS.chance(dataset, subset, 10, 0.0)
    assert found == pytest.approx(chance_loss(np.array(every), 10, 0.0))


def test_the_default_recipe_of_documents_is_gpt_and_it_is_described_and_restored() -> None:
    recipe = training.resolve({}, counting(), 175)
    described = recipe.described()
    assert (described["recipe"], described["optimizer"], described["vocabulary"]) == (
        *("gpt", "adamw"),
        30,
    )
    assert training.restore(described) == recipe
    weights = 31 * 64 + 7 * 64 + 2 * (12 * 64**2 + 13 * 64) + 2 * 64
    network = recipe.network((8,), 1)  # type: ignore[attr-defined]
    assert sum(p.numel() for p in network.parameters()) == weights
    assert recipe.model_bytes(counting()) > 24 * weights


@pytest.mark.parametrize(
    ("dataset", "table", "message"),
    [
        (counting, {"width": 6}, "width = 6 is no multiple of heads = 4"),
        (counting, {"recipe": "bag"}, "'bag' learns labels, and these texts have none: use 'gpt'"),
        (counting, {"recipe": "mlp"}, "'mlp' learns labels, and these texts have none: use 'gpt'"),
        (reviewed, {"recipe": "gpt"}, "'gpt' models texts without labels: set .dataset. task"),
        (counting, {"vocabulary": 5}, "vocabulary = 5: the data have 30 tokens"),
    ],
)
def test_a_mistake_is_one_sentence(dataset: Any, table: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        training.resolve(table, dataset(), 175)


def test_documents_of_one_token_have_no_next() -> None:
    with pytest.raises(StudyError, match="no document has two tokens"):
        training.resolve({}, documents(np.arange(1, 11)[:, None], 8), 4)


def test_empty_documents_and_documents_of_one_token_are_trained_on() -> None:
    dataset = documents(ragged(40, 6, 9), 30)
    recipe = training.resolve({**SMALL, "epochs": 40, "learning_rate": 0.02}, dataset, 15)
    subsets = np.arange(30)[None] % 2 == np.arange(2)[:, None]
    found = recipe.engine("cpu", Tuning(2)).train(dataset, subsets, np.arange(2))
    assert found.train_value is not None
    assert np.isfinite(found.train_value).all()
    assert found.train_correct[:, 0].all(), "an empty document has one prediction: its end"


@pytest.mark.parametrize("k", [1, 2])
def test_it_learns_in_bfloat16_with_logits_in_float32(k: int) -> None:
    dataset = counting()
    recipe = training.resolve({**SMALL, "learning_rate": 0.01, "epochs": 8}, dataset, 175)
    subsets = np.stack([np.random.default_rng(i).permutation(250) < 175 for i in range(k)])
    found = recipe.engine("cpu", Tuning(k, "bfloat16")).train(dataset, subsets, np.arange(k))
    assert found.test_value is not None
    assert found.test_value.mean() > 0.9
