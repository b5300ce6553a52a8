"""The networks of textcnn, transformer and gpt: tokens in, logits out."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from memtail_core.training.gradient.text_layers import Block, Embedding, Norm, Positions, Windows


class Convolutions(nn.Module):
    """Vectors of tokens, convolutions of several widths, the maximum of each, the logits."""

    def __init__(
        self, n_tokens: int, width: int, channels: int, windows: Sequence[int], n_classes: int
    ) -> None:
        """Start from torch's random state, as all networks here do."""
        super().__init__()
        self.embedding = Embedding(n_tokens, width)
        self.windows = Windows(width, channels, windows)
        self.head = nn.Linear(channels * len(windows), n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [..., T] → logits [..., C]."""
        features = self.windows(self.embedding(tokens), tokens > 0)
        logits: Tensor = self.head(features)
        return logits


class Encoder(nn.Module):
    """Vectors and positions, blocks in which all tokens see all, the mean, the logits."""

    def __init__(
        self, n_tokens: int, length: int, layers: int, block: tuple[int, int, int], n_classes: int
    ) -> None:
        """``length`` is T; ``block`` the width, the heads and the hidden units of a block."""
        super().__init__()
        width = block[0]
        self.embedding = Embedding(n_tokens, width)
        self.positions = Positions(length, width)
        self.blocks = nn.ModuleList(Block(*block) for _ in range(layers))
        self.norm, self.head = Norm(width), nn.Linear(width, n_classes)

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [..., T] → logits [..., C]."""
        is_token = tokens > 0
        is_first = torch.arange(tokens.shape[-1], device=tokens.device) == 0
        is_token = is_token | is_first  # an empty text is its first place alone
        x = self.positions(self.embedding(tokens))
        for block in self.blocks:
            x = block(x, is_token)
        share = is_token / is_token.sum(-1, keepdim=True)
        logits: Tensor = self.head((self.norm(x) * share[..., None].to(x.dtype)).sum(-2))
        return logits


class Decoder(nn.Module):
    """Vectors and positions, blocks in which a token sees those before it, the logits."""

    def __init__(
        self, n_tokens: int, length: int, layers: int, block: tuple[int, int, int]
    ) -> None:
        """``length`` is T; ``block`` the width, the heads and the hidden units of a block."""
        super().__init__()
        self.embedding = Embedding(n_tokens, block[0])
        self.positions = Positions(length - 1, block[0])
        self.blocks = nn.ModuleList(Block(*block, is_causal=True) for _ in range(layers))
        self.norm = Norm(block[0])

    def forward(self, documents: Tensor) -> Tensor:
        """Tokens [..., T] → logits of the next tokens, [..., T − 1, 1 + V]."""
        tokens = documents[..., :-1]
        x = self.positions(self.embedding(tokens))
        for block in self.blocks:
            x = block(x, tokens > 0)
        return self.embedding.logits(self.norm(x))
