"""The recipes for texts: bag, textcnn and transformer."""

from typing import Annotated, ClassVar, Literal, Self

import torch
from pydantic import Field
from torch import Tensor, nn

from memtail_core.data import Dataset
from memtail_core.errors import StudyError
from memtail_core.training.gradient.recipe import GradientRecipe
from memtail_core.training.gradient.text_layers import (
    Block,
    Embedding,
    HashedBag,
    Norm,
    Positions,
    Windows,
)

_Width = Annotated[int, Field(ge=1)]


class TextRecipe(GradientRecipe):
    """Base of the recipes for texts.

    ``vocabulary`` is V, the number of different tokens; memtail takes it from the data.
    """

    optimizer: Literal["sgd", "adamw"] = "adamw"
    vocabulary: _Width | None = None

    def suited(self, dataset: Dataset) -> Self:
        """Take over the vocabulary of the data."""
        _check_texts(self, dataset)
        known = dataset.vocabulary
        if self.vocabulary is None:
            return self.model_copy(update={"vocabulary": known})
        if self.vocabulary < known:
            raise StudyError(
                f"[training] vocabulary = {self.vocabulary}: the data have {known} tokens; leave "
                "it out, or set [dataset.tokens] vocabulary"
            )
        return self

    @property
    def n_tokens(self) -> int:
        """V; set by :meth:`suited`."""
        assert self.vocabulary is not None
        return self.vocabulary

    def check(self, dataset: Dataset) -> None:
        """The data must be texts."""
        _check_texts(self, dataset)
        super().check(dataset)


class Bag(TextRecipe):
    """A linear classifier of the mean vector of a text's tokens and pairs of neighbouring tokens.

    As fastText (Joulin et al., 2017), with the tokens of the data instead of words.
    """

    recipe: str = "bag"
    default_epochs: ClassVar[int] = 8
    fewest_steps: ClassVar[int] = 90
    batch_size: Annotated[int, Field(ge=1)] = 512
    learning_rate: Annotated[float, Field(gt=0)] = 0.04
    width: _Width = 16
    buckets: _Width = 8192

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """The mean of the vectors, then the logits."""
        del shape
        bag = HashedBag(self.n_tokens, self.buckets, self.width)
        return nn.Sequential(bag, nn.Linear(self.width, n_classes))


class TextCNN(TextRecipe):
    """Convolutions over tokens, the largest value of each, then the logits (Kim, 2014)."""

    recipe: str = "textcnn"
    default_epochs: ClassVar[int] = 10
    fewest_steps: ClassVar[int] = 200
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    width: _Width = 64
    channels: _Width = 64
    windows: Annotated[tuple[_Width, ...], Field(strict=False, min_length=1)] = (3, 4, 5)

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """Vectors, convolutions, maxima, logits."""
        del shape
        return _Convolutions(self, n_classes)


class Transformer(TextRecipe):
    """A small encoder, normalised before each layer; the mean of its outputs gives the logits."""

    recipe: str = "transformer"
    default_epochs: ClassVar[int] = 10
    fewest_steps: ClassVar[int] = 400
    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    layers: Annotated[int, Field(ge=1, le=12)] = 2
    width: _Width = 64
    heads: _Width = 4
    hidden: _Width = 128

    def network(self, shape: tuple[int, ...], n_classes: int) -> nn.Module:
        """Vectors and positions, blocks, the mean over tokens, logits."""
        return _Encoder(self, shape[0], n_classes)

    def check(self, dataset: Dataset) -> None:
        """The heads must divide the width."""
        if self.width % self.heads:
            raise StudyError(
                f"[training] width = {self.width} is no multiple of heads = {self.heads}"
            )
        super().check(dataset)


class _Convolutions(nn.Module):
    def __init__(self, recipe: TextCNN, n_classes: int) -> None:
        super().__init__()
        self.embedding = Embedding(recipe.n_tokens, recipe.width)
        self.windows = Windows(recipe.width, recipe.channels, recipe.windows)
        self.head = nn.Linear(recipe.channels * len(recipe.windows), n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        features = self.windows(self.embedding(tokens), tokens > 0)
        logits: Tensor = self.head(features)
        return logits


class _Encoder(nn.Module):
    def __init__(self, recipe: Transformer, length: int, n_classes: int) -> None:
        super().__init__()
        self.embedding = Embedding(recipe.n_tokens, recipe.width)
        self.positions = Positions(length, recipe.width)
        self.blocks = nn.ModuleList(
            Block(recipe.width, recipe.heads, recipe.hidden) for _ in range(recipe.layers)
        )
        self.norm, self.head = Norm(recipe.width), nn.Linear(recipe.width, n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        is_token = tokens > 0
        is_first = torch.arange(tokens.shape[-1], device=tokens.device) == 0
        is_token = is_token | is_first  # an empty text is its first place alone
        x = self.positions(self.embedding(tokens))
        for block in self.blocks:
            x = block(x, is_token)
        share = is_token / is_token.sum(-1, keepdim=True)
        logits: Tensor = self.head((self.norm(x) * share[..., None].to(x.dtype)).sum(-2))
        return logits


def _check_texts(recipe: TextRecipe, dataset: Dataset) -> None:
    if dataset.feed.divisor is not None or len(dataset.feed.shape) != 1:
        raise StudyError(
            f"[training] recipe = '{recipe.recipe}' is for texts; these data are "
            f"{dataset.modality.name}: use '{dataset.modality.default_recipe}'"
        )
