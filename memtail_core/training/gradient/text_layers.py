"""Layers for tokens, [..., T] with 0 where there is none; each works alone and in a stack.

What has children (:class:`Encoder`, :class:`Windows`, …) is stacked part by part, so its arithmetic
must not ask how many axes come before the tokens. What has weights says how K of it are joined.
"""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from memtail_core.training.gradient import rows


class HashedBag(nn.Module):
    """The mean of the vectors of a text's tokens and pairs of neighbouring tokens.

    Each token has its own vector; pairs are hashed to ``buckets`` others (Joulin et al., "Bag of
    tricks for efficient text classification", 2017).
    """

    def __init__(self, vocabulary: int, buckets: int, width: int) -> None:
        """Start with vectors of the scale 1 / width, as fastText's are."""
        super().__init__()
        self.vocabulary, self.buckets, self.copies = vocabulary, buckets, 1
        weight = torch.empty(1 + vocabulary + buckets, width)
        self.weight = nn.Parameter(weight.uniform_(-1 / width, 1 / width))

    @staticmethod
    def joined(layers: Sequence["HashedBag"]) -> "HashedBag":
        """Return one layer for tokens [K, B, T], with the vectors of K layers."""
        first = layers[0]
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            wide = HashedBag(first.vocabulary, first.buckets, first.weight.shape[-1])
        wide.copies = len(layers)
        wide.weight = nn.Parameter(torch.cat([layer.weight.detach() for layer in layers]))
        return wide

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [B, T], or [K, B, T] of K layers → means [B, width], or [K, B, width]."""
        each = tokens if tokens.ndim == 3 else tokens[None]
        made = rows.means(self.weight, each, self.vocabulary, self.buckets)
        return made if tokens.ndim == 3 else made[0]


class Embedding(nn.Module):
    """A vector for each token, and for no token."""

    def __init__(self, vocabulary: int, width: int) -> None:
        """Start with normally distributed vectors of standard deviation ``width`` ** −½."""
        super().__init__()
        self.copies = 1
        self.weight = nn.Parameter(torch.randn(1 + vocabulary, width) * width**-0.5)

    @staticmethod
    def joined(layers: Sequence["Embedding"]) -> "Embedding":
        """Return one layer for tokens [K, B, T], with the vectors of K layers."""
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            wide = Embedding(1, layers[0].weight.shape[-1])
        wide.copies = len(layers)
        wide.weight = nn.Parameter(torch.cat([layer.weight.detach() for layer in layers]))
        return wide

    def forward(self, tokens: Tensor) -> Tensor:
        """Tokens [..., T] → vectors [..., T, width]."""
        if self.copies > 1:
            each = self.weight.shape[0] // self.copies
            first = torch.arange(self.copies, device=tokens.device) * each
            tokens = tokens + first.view(-1, *[1] * (tokens.ndim - 1))
        return rows.looked_up(self.weight, tokens)

    def logits(self, x: Tensor) -> Tensor:
        """Vectors [..., T, width] → their products with each of the vectors: [..., T, 1 + V]."""
        weight = self.weight.to(x.dtype)
        if self.copies == 1:
            return x @ weight.T
        each = weight.view(self.copies, -1, weight.shape[-1])
        products = torch.bmm(x.flatten(1, -2), each.transpose(1, 2))
        return products.view(*x.shape[:-1], -1)


class Positions(nn.Module):
    """Adds a vector of its own to each place of a text."""

    def __init__(self, length: int, width: int) -> None:
        """Start with normally distributed vectors of standard deviation 0.02."""
        super().__init__()
        self.weight = nn.Parameter(torch.randn(length, width) * 0.02)

    @staticmethod
    def joined(layers: Sequence["Positions"]) -> "Positions":
        """Return one layer for vectors [K, B, T, width]."""
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            wide = Positions(*layers[0].weight.shape)
        wide.weight = nn.Parameter(
            torch.stack([layer.weight.detach() for layer in layers])[:, None]
        )
        return wide

    def forward(self, x: Tensor) -> Tensor:
        """Vectors [..., T, width] → the same shape."""
        return x + self.weight


class Norm(nn.Module):
    """Layer normalisation over the last axis, computed in float32."""

    def __init__(self, width: int) -> None:
        """Start as the identity of normalised vectors."""
        super().__init__()
        self.weight, self.bias = nn.Parameter(torch.ones(width)), nn.Parameter(torch.zeros(width))

    @staticmethod
    def joined(layers: Sequence["Norm"]) -> "Norm":
        """Return one layer for vectors [K, …, width]."""
        wide = Norm(len(layers[0].weight))
        for name in ("weight", "bias"):
            own = [getattr(layer, name).detach() for layer in layers]
            setattr(wide, name, nn.Parameter(torch.stack(own)))
        return wide

    def forward(self, x: Tensor) -> Tensor:
        """Vectors [..., width] → the same shape."""
        normal = functional.layer_norm(x.float(), x.shape[-1:])
        weight, bias = (
            w if w.ndim == 1 else w.view(len(w), *[1] * (x.ndim - 2), -1)
            for w in (self.weight.float(), self.bias.float())
        )
        return (normal * weight + bias).to(x.dtype)


class Windows(nn.Module):
    """Convolutions over tokens, of several widths, and the largest value of each over the text.

    Kim, "Convolutional neural networks for sentence classification", 2014. A convolution is a
    linear map of a window.
    """

    def __init__(self, width: int, channels: int, sizes: Sequence[int]) -> None:
        """``channels`` features for each size of window, in tokens."""
        super().__init__()
        self.sizes = tuple(sizes)
        self.maps = nn.ModuleList(nn.Linear(size * width, channels) for size in sizes)

    def forward(self, x: Tensor, is_token: Tensor) -> Tensor:
        """Vectors [..., T, width] of tokens, bool [..., T] → features [..., sizes · channels].

        Vectors where there is no token count as 0, and no window begins there.
        """
        longest = max(self.sizes)
        x = functional.pad(x * is_token[..., None], (0, 0, 0, longest - 1))
        found = []
        for size, of_window in zip(self.sizes, self.maps, strict=True):
            n = x.shape[-2] - longest + 1
            windows = torch.cat([x[..., i : i + n, :] for i in range(size)], -1)
            values = functional.relu(of_window(windows)) * is_token[..., None]
            found.append(values.amax(-2))
        return torch.cat(found, -1)


class Attention(nn.Module):
    """Each place gathers from all places that hold a token (Vaswani et al., 2017).

    If it is causal, it gathers from itself and the places before.
    """

    def __init__(self, width: int, heads: int, is_causal: bool = False) -> None:
        """``heads`` ways of gathering, width / heads values each."""
        super().__init__()
        self.heads, self.is_causal = heads, is_causal
        self.gather, self.join = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor, is_token: Tensor) -> Tensor:
        """Vectors [..., T, width] of tokens, bool [..., T] → the same shape."""
        *lead, t, width = x.shape
        n = prod(lead)
        split = self.gather(x).reshape(n, t, 3, self.heads, width // self.heads)
        q, k, v = split.permute(2, 0, 3, 1, 4)
        if self.is_causal:  # what holds no token comes after all tokens
            mixed = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            # Numbers instead of bits, which torch would first turn into [n, 1, t, t] numbers.
            bias = torch.zeros(n, 1, 1, t, dtype=q.dtype, device=q.device)
            bias = bias.masked_fill(~is_token.reshape(n, 1, 1, t), -torch.inf).expand(n, 1, t, t)
            mixed = functional.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        joined: Tensor = self.join(mixed.transpose(1, 2).reshape(*lead, t, width))
        return joined


class Block(nn.Module):
    """One layer of a transformer: attention, then two linear maps; both added to their input."""

    def __init__(self, width: int, heads: int, hidden: int, is_causal: bool = False) -> None:
        """``hidden`` values between the two maps."""
        super().__init__()
        self.before, self.attention = Norm(width), Attention(width, heads, is_causal)
        self.between, self.wide = Norm(width), nn.Linear(width, hidden)
        self.narrow = nn.Linear(hidden, width)

    def forward(self, x: Tensor, is_token: Tensor) -> Tensor:
        """Vectors [..., T, width] of tokens, bool [..., T] → the same shape."""
        x = x + self.attention(self.before(x), is_token)
        y: Tensor = x + self.narrow(functional.gelu(self.wide(self.between(x))))
        return y
