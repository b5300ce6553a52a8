"""A plain PyTorch loop for texts, as PyTorch's tutorials write it: one model after another.

A DataLoader joins the texts of a batch, padded to its longest where the network needs that;
``nn.EmbeddingBag`` over the same tokens and pairs as the recipe ``bag``, or
``nn.TransformerEncoder``; AdamW with the options of the recipe.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.data import DataLoader

from memtail_core.data import Dataset
from memtail_core.training.gradient.batches import learning_rates
from memtail_core.training.gradient.rows import hashed_pairs
from memtail_core.training.gradient.text_networks import Bag, TextRecipe, Transformer

Joined = tuple[tuple[Tensor, ...], Tensor]
_EVALUATED = 512  # texts at once


class PlainBag(nn.Module):
    """The network of ``bag``, of torch's parts."""

    def __init__(self, recipe: Bag, n_classes: int) -> None:
        super().__init__()
        self.bag = nn.EmbeddingBag(1 + recipe.n_tokens + recipe.buckets, recipe.width, mode="mean")
        nn.init.uniform_(self.bag.weight, -1 / recipe.width, 1 / recipe.width)
        self.linear = nn.Linear(recipe.width, n_classes)

    def forward(self, terms: Tensor, starts: Tensor) -> Tensor:
        """Terms of all texts of a batch, and where each begins."""
        logits: Tensor = self.linear(self.bag(terms, starts))
        return logits


class PlainTransformer(nn.Module):
    """The network of ``transformer``, of torch's parts."""

    def __init__(self, recipe: Transformer, length: int, n_classes: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(1 + recipe.n_tokens, recipe.width, padding_idx=0)
        self.positions = nn.Parameter(torch.randn(length, recipe.width) * 0.02)
        layer = nn.TransformerEncoderLayer(
            recipe.width,
            recipe.heads,
            recipe.hidden,
            dropout=0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        norm = nn.LayerNorm(recipe.width)
        self.encoder = nn.TransformerEncoder(layer, recipe.layers, norm, enable_nested_tensor=False)
        self.head = nn.Linear(recipe.width, n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T], 0 where a text is shorter than the longest."""
        is_token = tokens > 0
        x = self.embedding(tokens) + self.positions[: tokens.shape[1]]
        x = self.encoder(x, src_key_padding_mask=~is_token) * is_token[..., None]
        logits: Tensor = self.head(x.sum(1) / is_token.sum(1, keepdim=True))
        return logits


def plain_loop(
    recipe: TextRecipe, dataset: Dataset, subset: NDArray[np.bool_], seed: int, batch_size: int
) -> float:
    """Train one model on ``subset`` and evaluate it on both sets; return its test accuracy."""
    torch.manual_seed(seed)
    texts = {
        name: [torch.from_numpy(row[row > 0]).long() for row in x.whole()]
        for name, x in (("train", dataset.train), ("test", dataset.test))
    }
    network: nn.Module
    joined: Callable[[Sequence[tuple[Tensor, int]]], Joined]
    if isinstance(recipe, Bag):
        network, joined = PlainBag(recipe, len(dataset.classes)), _after_another
        texts = {name: [_terms(recipe, text) for text in of] for name, of in texts.items()}
    else:
        assert isinstance(recipe, Transformer)
        network = PlainTransformer(recipe, dataset.shape[0], len(dataset.classes))
        joined = _padded
    labels = {"train": dataset.y_train.tolist(), "test": dataset.y_test.tolist()}
    examples = {name: list(zip(of, labels[name], strict=True)) for name, of in texts.items()}
    chosen = [examples["train"][i] for i in np.flatnonzero(subset).tolist()]
    optimizer = torch.optim.AdamW(
        network.parameters(),
        lr=recipe.learning_rate,
        betas=(recipe.momentum, 0.999),
        weight_decay=recipe.weight_decay,
    )
    loader = DataLoader(chosen, batch_size, shuffle=True, collate_fn=joined)  # type: ignore[arg-type, var-annotated]
    rates = iter(learning_rates(recipe, recipe.n_epochs * len(loader)))
    for _ in range(recipe.n_epochs):
        for inputs, y in loader:
            optimizer.param_groups[0]["lr"] = next(rates)
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(*inputs), y).backward()
            optimizer.step()
    network.eval()
    correct = {}
    with torch.no_grad():
        for name, pairs in examples.items():
            batches = DataLoader(pairs, _EVALUATED, collate_fn=joined)  # type: ignore[arg-type, var-annotated]
            right = [network(*inputs).argmax(1) == y for inputs, y in batches]
            correct[name] = float(torch.cat(right).float().mean())
    return correct["test"]


def _terms(recipe: Bag, text: Tensor) -> Tensor:
    """The rows of a text: its tokens and its hashed pairs."""
    return torch.cat([text, hashed_pairs(text, recipe.buckets) + 1 + recipe.n_tokens])


def _after_another(batch: Sequence[tuple[Tensor, int]]) -> Joined:
    lengths = torch.tensor([0, *(len(terms) for terms, _ in batch)])
    terms = torch.cat([terms for terms, _ in batch])
    return (terms, lengths[:-1].cumsum(0)), torch.tensor([label for _, label in batch])


def _padded(batch: Sequence[tuple[Tensor, int]]) -> Joined:
    tokens = nn.utils.rnn.pad_sequence([text for text, _ in batch], batch_first=True)
    return (tokens,), torch.tensor([label for _, label in batch])
