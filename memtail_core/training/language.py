"""The outcomes of a language model: how well it predicts a document's next tokens.

A document is tokens 1 … V, then 0. A model reads its first tokens and predicts the one after; 0
after the last token is a prediction too: the end of the text. The first token is given.
"""

from typing import TYPE_CHECKING

from memtail_core.training.outcome import Bits, Probabilities, Value, Values

if TYPE_CHECKING:
    from torch import Tensor

_LIMIT = 100.0  # a less likely document says nothing more, and float16 has little room


def next_tokens(documents: "Tensor") -> "tuple[Tensor, Tensor]":
    """Return what follows each token but the last place, and where that is a prediction to make.

    A document has as many predictions as tokens: all its tokens but the first, and its end. One
    that fills all T places, cut or not, has one fewer: nothing says what comes next. An empty
    document has one, its end.

    Args:
        documents: tokens, int64 [..., T], 0 after the last.

    Returns:
        the next tokens, int64 [..., T − 1], and bool [..., T − 1].

    >>> import torch
    >>> next_tokens(torch.tensor([[5, 6, 0, 0]]))
    (tensor([[6, 0, 0]]), tensor([[ True,  True, False]]))
    """
    import torch

    read = documents[..., :-1]
    is_first = torch.arange(read.shape[-1], device=read.device) == 0
    return documents[..., 1:], (read > 0) | is_first


class _OfDocuments:
    """What the outcomes of language models share."""

    def averaged(self, output: "Tensor", target: "Tensor") -> Probabilities | None:
        """The loss −log p of each next token, in nats, at most 100: float16 [K, n, T − 1].

        It is 0 where nothing is predicted.
        """
        expected, is_counted = next_tokens(target)
        loss = (-_log_p(output, expected)).clamp(0.0, _LIMIT).masked_fill(~is_counted, 0.0)
        return loss.half().cpu().numpy()


class TokenAccuracy(_OfDocuments):
    """The value is the share of a document's next tokens that are predicted right, greedily.

    The bit says that all of them are: the model reproduces the document, each token after those
    that the document really has.
    """

    value = Value("token_accuracy", "float16", 0.0, 1.0)

    def measure(self, output: "Tensor", target: "Tensor") -> tuple[Bits, Values | None]:
        """See :class:`~memtail_core.training.outcome.Outcome`.

        Args:
            output: logits of the next tokens, float [K, n, T − 1, 1 + V].
            target: the documents, int64 [n, T].
        """
        right, n = _right(output, target)
        return (right == n).cpu().numpy(), (right / n).half().cpu().numpy()


class LogLikelihood(_OfDocuments):
    """The value is the mean of log p over a document's next tokens, in nats.

    It is clipped to −100. The bit is that of :class:`TokenAccuracy`.
    """

    value = Value("log_likelihood", "float16", -_LIMIT, 0.0)

    def measure(self, output: "Tensor", target: "Tensor") -> tuple[Bits, Values | None]:
        """See :class:`TokenAccuracy`: log p = z_next − log Σ exp z, with z the logits."""
        right, n = _right(output, target)
        expected, is_counted = next_tokens(target)
        log_p = _log_p(output, expected).masked_fill(~is_counted, 0.0).sum(-1) / n
        return (right == n).cpu().numpy(), log_p.clamp(-_LIMIT, 0.0).half().cpu().numpy()


def _right(output: "Tensor", target: "Tensor") -> "tuple[Tensor, Tensor]":
    """How many next tokens are predicted right, int64 [K, n], and how many there are, [n]."""
    expected, is_counted = next_tokens(target)
    return ((output.argmax(-1) == expected) & is_counted).sum(-1), is_counted.sum(-1)


def _log_p(output: "Tensor", expected: "Tensor") -> "Tensor":
    """log p of the expected tokens [n, T − 1], by logits [K, n, T − 1, 1 + V]: [K, n, T − 1]."""
    own = output.gather(-1, expected.expand(len(output), -1, -1)[..., None])[..., 0]
    return own - output.logsumexp(-1)


TOKEN_ACCURACY, LOG_LIKELIHOOD = TokenAccuracy(), LogLikelihood()
