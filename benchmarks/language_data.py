"""Make two JSON-lines files of short documents, some of them planted, from Debian's ``fortunes``.

    apt-get download fortunes
    dpkg-deb --extract fortunes_*.deb extracted
    python benchmarks/language_data.py extracted documents.jsonl documents-test.jsonl

The documents are quotations, as the package has them under the licence in its file ``copyright``;
memtail ships none of it. Planted are:

- copies: a training document stands there 2, 4 or 8 times, in the same words;
- canaries: each is words of the documents drawn at random, behind a letter that begins no other
  document, once in the training set;
- variants: a test document is a training document (with 1, 2, 4 or 8 copies), one word of it
  replaced by another word of the documents.

Each line has ``text``; ``kind``, "natural", "copy", "canary" or "variant"; ``group``, the number of
the document that it is a copy or a variant of, or −1; and ``copies`` of it in the training set.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from pydantic_core import to_json

_FOLDER = "usr/share/games/fortunes"
_FILES = (
    *("computers", "cookie", "definitions", "education", "law", "linux", "medicine"),
    *("miscellaneous", "people", "platitudes", "science", "wisdom", "work"),
)
_COPIES = (1, 2, 4, 8)
_CANARY = 8  # words
_FIRST_LETTER = 0xC0  # À, and those after it


@click.command()
@click.argument("package", type=click.Path(exists=True, file_okay=False))
@click.argument("train", type=click.Path(dir_okay=False))
@click.argument("test", type=click.Path(dir_okay=False))
@click.option("--documents", default=2000, show_default=True, help="Of the training set.")
@click.option("--tests", default=500, show_default=True, help="Documents of the test set.")
@click.option("--groups", default=20, show_default=True, help="For each number of copies.")
@click.option("--canaries", default=60, show_default=True)
@click.option("--shortest", default=25, show_default=True, help="Characters of a document.")
@click.option("--longest", default=64, show_default=True, help="Characters of a document.")
@click.option("--seed", default=20261130, show_default=True)
def main(
    package: str,
    train: str,
    test: str,
    documents: int,
    tests: int,
    groups: int,
    canaries: int,
    shortest: int,
    longest: int,
    seed: int,
) -> None:
    """Write the documents of the folder PACKAGE to TRAIN.jsonl and TEST.jsonl."""
    found = [d for d in quotations(Path(package)) if shortest <= len(d) <= longest]
    rng = np.random.default_rng(seed)
    chosen = [found[i] for i in rng.permutation(len(found)).tolist()]
    words = [word for document in chosen for word in document.split()]
    planted = [chosen.pop() for _ in range(groups * len(_COPIES))]
    copies = [times for times in _COPIES for _ in range(groups)]
    n_natural = documents - groups * sum(_COPIES) - canaries
    if n_natural + tests - len(planted) > len(chosen):
        raise click.ClickException(f"only {len(found):,} documents of such lengths")
    rows = [_row(chosen.pop(), "natural") for _ in range(n_natural)]
    for group, (document, times) in enumerate(zip(planted, copies, strict=True)):
        kind = "copy" if times > 1 else "natural"
        rows += [_row(document, kind, group, times) for _ in range(times)]
    for canary in range(canaries):
        drawn = [chr(_FIRST_LETTER + canary), *rng.choice(words, _CANARY).tolist()]
        rows.append(_row(" ".join(drawn), "canary"))
    rows = [rows[i] for i in rng.permutation(len(rows)).tolist()]
    held_out = [_row(chosen.pop(), "natural", copies=0) for _ in range(tests - len(planted))]
    for group, (document, times) in enumerate(zip(planted, copies, strict=True)):
        held_out.append(_row(_variant(document, words, rng), "variant", group, times))
    for path, each in ((train, rows), (test, held_out)):
        Path(path).write_bytes(b"".join(to_json(row) + b"\n" for row in each))
    print(
        f"{len(rows):,} training documents, {canaries} of them canaries and "
        f"{groups * (sum(_COPIES) - 1)} copies; {len(held_out):,} test documents, "
        f"{len(planted)} of them variants"
    )


def quotations(package: Path) -> list[str]:
    """The different quotations of the package, each on one line, sorted."""
    found = set()
    for name in _FILES:
        content = (package / _FOLDER / name).read_text(encoding="utf-8", errors="replace")
        found |= {" ".join(each.split()) for each in re.split("^%$", content, flags=re.MULTILINE)}
    return sorted(found - {""})


def _row(text: str, kind: str, group: int = -1, copies: int = 1) -> dict[str, object]:
    return {"text": text, "kind": kind, "group": group, "copies": copies}


def _variant(document: str, words: Sequence[str], rng: np.random.Generator) -> str:
    """The document with one word, neither the first nor the last, replaced by another."""
    own = document.split()
    at = int(rng.integers(1, max(2, len(own) - 1)))
    while (other := str(rng.choice(words))) == own[at]:
        pass
    own[at] = other
    return " ".join(own)


if __name__ == "__main__":
    main()
