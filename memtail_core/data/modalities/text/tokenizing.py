"""Turns texts into tokens: the numbers 1 … V, padded with 0 to one length.

The tokenizer is the library ``tokenizers``: byte-level BPE trained on the training set's texts, or
the user's own ``tokenizer.json``. Its JSON is kept with the dataset, and is part of its digest.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from pydantic_core import from_json, to_json

from memtail_core.data.account import Account
from memtail_core.data.modalities.text.cleaning import BETWEEN, parts_of
from memtail_core.data.modalities.text.corpus import Corpus, Texts
from memtail_core.data.wording import counted
from memtail_core.errors import DatasetError
from memtail_core.study import TokensTable

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SEPARATOR = "[SEP]"  # between the two texts of an example
_CHARACTERS = 64  # per token of the longest text; the rest of a text is not read
_ROWS = 4096  # tokenized at once


@dataclass(frozen=True, eq=False)
class Tokenized:
    """The tokens of a training and a test set.

    Attributes:
        train, test: int32 [n, length] and [n_test, length], 0 after the last token.
        texts: the texts and the tokenizer.
        account: what was read and cut.
    """

    train: NDArray[np.int32]
    test: NDArray[np.int32]
    texts: Texts
    account: Account


def tokenized(train: Sequence[str], test: Sequence[str], options: TokensTable) -> Tokenized:
    """Tokenize clean texts.

    Raises:
        DatasetError: the library is not installed, the user's tokenizer cannot be read, or no text
            has a token.
    """
    most = _CHARACTERS * options.length
    with _one_thread():
        if options.tokenizer is None:
            tokenizer = _trained(train, options.vocabulary, most)
            how = "byte-level BPE trained on the training set"
        else:
            tokenizer = _read(options.tokenizer)
            how = f"the tokenizer '{options.tokenizer}'"
        written = tokenizer.to_str()
        tokenizer.no_padding()
        tokenizer.enable_truncation(options.length)
        rows = [_tokens(tokenizer, texts, most) for texts in (train, test)]
    longest = max((len(each) for each in chain(*(tokens for tokens, _ in rows))), default=0)
    if not longest:
        raise DatasetError("no text has a single token: are all of them empty?")
    vocabulary = 1 + max(tokenizer.get_vocab().values())
    account = _account(train, test, rows, options, f"{vocabulary:,} different tokens, by {how}")
    texts = Texts(Corpus.of(train), Corpus.of(test), written, vocabulary)
    padded, padded_test = (_padded(tokens, longest) for tokens, _ in rows)
    return Tokenized(padded, padded_test, texts, account)


def _trained(texts: Sequence[str], vocabulary: int, most: int) -> "Tokenizer":
    """Train byte-level BPE (Sennrich et al. 2016; bytes as in GPT-2, Radford et al. 2019)."""
    library = _library()
    from tokenizers import decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer: Tokenizer = library.Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        show_progress=False,
        special_tokens=[_SEPARATOR],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    parts = (part[:most] for text in parts_of(texts) for part in text)
    tokenizer.train_from_iterator(parts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A",
        pair=f"$A {_SEPARATOR} $B",
        special_tokens=[(_SEPARATOR, tokenizer.token_to_id(_SEPARATOR))],
    )
    return tokenizer


def _read(path: str) -> "Tokenizer":
    library = _library()
    file = Path(os.path.expanduser(path))
    try:
        content = file.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DatasetError(f"cannot read the tokenizer '{file.absolute()}': {reason}") from error
    try:
        written = to_json(from_json(content)).decode()  # spaces in the file change nothing
        tokenizer: Tokenizer = library.Tokenizer.from_str(written)
    except Exception as error:  # the library raises Exception itself
        reason = str(error).splitlines()[0]
        raise DatasetError(f"'{path}' is no tokenizer.json that can be read: {reason}") from error
    return tokenizer


def _library() -> Any:
    try:
        import tokenizers
    except ImportError as error:
        raise DatasetError(
            "texts need the library tokenizers: pip install memtail[text]"
        ) from error
    return tokenizers


def _tokens(
    tokenizer: "Tokenizer", texts: Sequence[str], most: int
) -> tuple[list[NDArray[np.int32]], NDArray[np.bool_]]:
    """The tokens of each text, and which texts were cut."""
    rows: list[NDArray[np.int32]] = []
    cut = np.zeros(len(texts), np.bool_)
    for start in range(0, len(texts), _ROWS):
        parts = list(parts_of(texts[start : start + _ROWS]))
        short = [tuple(part[:most] for part in each) for each in parts]
        given = [each[0] if len(each) == 1 else each for each in short]
        for each in tokenizer.encode_batch(given):
            cut[len(rows)] = bool(each.overflowing)
            rows.append(np.array(each.ids, np.int32) + 1)
        cut[start : len(rows)] |= [each != whole for each, whole in zip(short, parts, strict=True)]
    return rows, cut


def spans(tokenizer: str, text: str, most: int) -> list[tuple[int, int]]:
    """Where the first ``most`` tokens of a text begin and end, in characters of the text.

    Tokens that are parts of one character all have its place; what the tokenizer adds has none.

    Args:
        tokenizer: its JSON, as :class:`.Texts` keeps it.
        text: one text, or two joined as in :mod:`.cleaning`.
        most: T.
    """
    (parts,) = parts_of([text])
    one, *other = (part[: _CHARACTERS * most] for part in parts)
    encoding = _restored(tokenizer, most).encode(one, other[0] if other else None)
    first = [0, len(parts[0]) + len(BETWEEN)]
    return [
        (0, 0) if part is None else (first[part] + start, first[part] + end)
        for (start, end), part in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    ]


@lru_cache(maxsize=1)
def _restored(tokenizer: str, most: int) -> "Tokenizer":
    made: Tokenizer = _library().Tokenizer.from_str(tokenizer)
    made.no_padding()
    made.enable_truncation(most)
    return made


def _padded(rows: Sequence[NDArray[np.int32]], length: int) -> NDArray[np.int32]:
    made = np.zeros((len(rows), length), np.int32)
    for into, tokens in zip(made, rows, strict=True):
        into[: len(tokens)] = tokens
    return made


def _account(
    train: Sequence[str],
    test: Sequence[str],
    rows: Sequence[tuple[list[NDArray[np.int32]], NDArray[np.bool_]]],
    options: TokensTable,
    vocabulary: str,
) -> Account:
    """Say how many texts there are, how long they are, and how many are empty or were cut."""
    lengths = np.array([len(each) for tokens, _ in rows for each in tokens])
    n_cut = sum(int(cut.sum()) for _, cut in rows)
    lines = [
        f"{counted(len(train), 'training text')} and {counted(len(test), 'test text')}: "
        f"{lengths.mean():.1f} tokens on average, {lengths.max():,} at most; {vocabulary}",
        f"{counted(n_cut, 'text')} cut after {options.length:,} tokens"
        if n_cut
        else f"no text is longer than {options.length:,} tokens",
    ]
    warnings = []
    for name, texts in (("training", train), ("test", test)):
        empty = [i for i, text in enumerate(texts) if not text.strip()]
        if empty:
            are = "is" if len(empty) == 1 else "are"
            warnings.append(
                f"{counted(len(empty), f'{name} text')} {are} empty, as that of example {empty[0]}"
            )
    return Account(tuple(lines), tuple(warnings))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Let the library compute on one thread, as everything here does."""
    name = "TOKENIZERS_PARALLELISM"
    before = os.environ.get(name)
    os.environ[name] = "false"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before
