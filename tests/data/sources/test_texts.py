"""Texts from every source that may hold them, well-behaved and hostile."""

import csv
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest

from memtail_core.data import Dataset, load
from memtail_core.errors import DatasetError, StudyError
from memtail_core.study import DatasetTable
from tests.texts import reviews

TEXTS, Y = reviews(60)
LABELS = ["bad" if label == 0 else "good" for label in Y]
LINES = [f"{text}\n«{i}», “ok”" for i, text in enumerate(TEXTS)]  # with line ends and quotes


def loaded(source: str, **options: Any) -> Dataset:
    return load(DatasetTable(source=source, **options))


def write_csv(file: Path, texts: list[str], labels: list[Any], **options: Any) -> str:
    with file.open("w", newline="", encoding=options.get("encoding", "utf-8")) as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerows(
            [["review", "id", "stars"], *zip(texts, range(len(texts)), labels, strict=True)]
        )
    return f"csv:{file}"


def write_parquet(file: Path, texts: list[Any], labels: list[Any]) -> str:
    pyarrow.parquet.write_table(pyarrow.table({"review": texts, "stars": labels}), file)
    return f"parquet:{file}"


def write_json_lines(file: Path, texts: list[Any], labels: list[Any]) -> str:
    rows = [{"review": t, "stars": s} for t, s in zip(texts, labels, strict=True)]
    file.write_text("\n".join(map(json.dumps, rows)))
    return f"jsonl:{file}"


def write_hf(folder: Path, texts: list[str], labels: list[str]) -> str:
    import datasets

    rows = datasets.Dataset.from_dict({"review": texts, "stars": labels})
    classes = datasets.ClassLabel(names=["bad", "good"])
    rows.cast_column("stars", classes).save_to_disk(str(folder))
    return f"hf:{folder}"


WRITE = {
    "csv": write_csv,
    "parquet": write_parquet,
    "jsonl": write_json_lines,
    "hf": write_hf,
}


@pytest.mark.parametrize("kind", WRITE)
def test_a_column_of_texts_is_read_whole(kind: str, tmp_path: Path) -> None:
    dataset = loaded(WRITE[kind](tmp_path / "reviews", LINES, LABELS), text="review", label="stars")
    assert dataset.modality.name == "text"
    assert dataset.classes == ("bad", "good")
    assert dataset.texts is not None
    assert len(dataset.y_train) == 48
    for side in ("train", "test"):
        texts, y, name = (
            getattr(dataset.texts, side),
            getattr(dataset, f"y_{side}"),
            getattr(dataset, f"{side}_name"),
        )
        for i, text in enumerate(texts):
            row = int(name(i))
            assert text == LINES[row]
            assert dataset.classes[y[i]] == LABELS[row]


def test_every_table_of_the_same_texts_is_the_same_dataset(tmp_path: Path) -> None:
    digests = {
        loaded(write(tmp_path / kind, LINES, LABELS), text="review", label="stars").sha256
        for kind, write in WRITE.items()
    }
    assert len(digests) == 1


def test_a_folder_of_text_files(tmp_path: Path) -> None:
    for i, (text, label) in enumerate(zip(LINES, LABELS, strict=True)):
        folder = tmp_path / ("train" if i < 40 else "test") / label
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{i:03}.txt").write_text(text, encoding="utf-8")
    (tmp_path / "train" / "README.md").write_text("about")
    with pytest.raises(DatasetError, match=r"set .dataset. text = true to read its 60 text files"):
        loaded(f"folder:{tmp_path}")
    dataset = loaded(f"folder:{tmp_path}", text=True)
    assert (len(dataset.y_train), len(dataset.y_test)) == (40, 20)
    assert dataset.texts is not None
    for name, text in zip(dataset.train_names, dataset.texts.train, strict=True):
        assert text == LINES[int(name[-7:-4])]
        assert LABELS[int(name[-7:-4])] == name.split("/")[1]
    assert "60 text files read, left out: 1 other file" in dataset.account.lines
    broken = tmp_path / "train" / "bad" / "x.txt"
    broken.write_bytes(b"caf\xe9")
    with pytest.raises(DatasetError, match=r"cannot read 1 file .*x.txt \(not UTF-8 text: set"):
        loaded(f"folder:{tmp_path}", text=True)
    assert len(loaded(f"folder:{tmp_path}", text=True, broken="skip").y_train) == 40
    assert len(loaded(f"folder:{tmp_path}", text=True, encoding="latin-1").y_train) == 41


def test_a_folder_of_texts_without_classes_says_so_in_words_of_texts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a")
    with pytest.raises(DatasetError, match=r"no class folders: .*\*\.txt.*1 texts lie directly"):
        loaded(f"folder:{tmp_path}", text=True)
    (tmp_path / "a.txt").unlink()
    with pytest.raises(DatasetError, match="holds no text files"):
        loaded(f"folder:{tmp_path}", text=True)


def test_a_function_returns_lists_of_texts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "my_texts.py").write_text(
        f"def pairs():\n    return [('one', str(i)) for i in range(20)], [0, 1] * 10\n"
        f"def lists():\n    return {TEXTS!r}, {Y.tolist()!r}\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    dataset = loaded("python:my_texts:lists")
    assert dataset.texts is not None and set(dataset.texts.train) < set(TEXTS)
    pairs = loaded("python:my_texts:pairs")
    assert pairs.texts is not None and pairs.texts.train[0].startswith("one\x1f")
    assert (pairs.train.whole() == 1).sum(1).tolist() == [1] * 16, "a separator between the two"


def test_two_columns_are_one_example(tmp_path: Path) -> None:
    columns = {"premise": TEXTS, "hypothesis": TEXTS[::-1], "stars": LABELS}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "pairs.parquet")
    dataset = loaded(
        f"parquet:{tmp_path}/pairs.parquet", text=["premise", "hypothesis"], label="stars"
    )
    assert dataset.texts is not None
    assert dataset.texts.train[0].split("\x1f") == [
        TEXTS[int(dataset.train_name(0))],
        TEXTS[::-1][int(dataset.train_name(0))],
    ]
    other = loaded(f"parquet:{tmp_path}/pairs.parquet", text="premise", label="stars")
    assert other.sha256 != dataset.sha256


HOSTILE = {
    "control characters and NUL": "a\x00b\x07c\x1b[31m",
    "a separator of ours": "a\x1fb",
    "right to left": "שלום عالم \u202eabc\u202c",
    "CJK": "映画はとても良かった。電影很好。",
    "emoji and combining": "👩‍👩‍👧‍👦 cafe\u0301 a\u0300\u0301\u0302",
    "markup": "<script>alert(1)</script>&lt;b&gt; {{x}} \u2028",
    "empty": "",
    "blank": " \t\n ",
    "a formula": "=HYPERLINK(1)",
    "null": "null",
}


@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_hostile_texts_are_read_and_said(kind: str, tmp_path: Path) -> None:
    texts = [*HOSTILE.values(), *TEXTS]
    labels = ["good", "bad"] * 5 + LABELS
    dataset = loaded(WRITE[kind](tmp_path / "x", texts, labels), text="review", label="stars")
    assert dataset.texts is not None
    every = [*dataset.texts.train, *dataset.texts.test]
    assert "a b c [31m" in every and "a b" in every
    assert "👩‍👩‍👧‍👦 café à́̂" in every
    assert "null" in every and "映画はとても良かった。電影很好。" in every
    assert not any(c in text for text in every for c in "\x00\x07\x1b\x1f\u2028")
    said = " ".join((*dataset.account.lines, *dataset.account.warnings))
    assert "2 texts of x_train hold control characters: replaced by spaces" in said
    assert "empty, as that of example" in said
    back = Dataset.from_npz(dataset.to_npz(), dataset.sha256)
    assert back.texts is not None and [*back.texts.train, *back.texts.test] == every


def test_a_cell_of_ten_megabytes_is_cut_and_said(tmp_path: Path) -> None:
    texts = ["word " * 2_000_000, "x" * 1_000_000, *TEXTS]
    source = write_csv(tmp_path / "x.csv", texts, ["good", "bad", *LABELS])
    dataset = loaded(source, text="review", label="stars", tokens={"length": 32})
    assert dataset.shape == (32,)
    assert "2 texts cut after 32 tokens" in dataset.account.lines
    assert dataset.texts is not None
    lengths = sorted(len(text) for text in [*dataset.texts.train, *dataset.texts.test])
    assert lengths[-2:] == [1_000_000, 10_000_000], "the text itself is kept"


def test_mixed_encodings_are_one_line(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_bytes("review,stars\nnaïve,1\n".encode() + "naïve,0\n".encode("cp1252"))
    with pytest.raises(DatasetError, match=r"not UTF-8 text in line 3: set .dataset. encoding"):
        loaded(f"csv:{file}", text="review", label="stars")
    source = write_csv(tmp_path / "y.csv", TEXTS, LABELS, encoding="utf-16")
    assert "encoding utf-16" in loaded(source, text="review", label="stars").account.lines[0]


def test_empty_fields_of_csv_are_empty_texts_and_words_for_missing_are_words(
    tmp_path: Path,
) -> None:
    source = write_csv(
        tmp_path / "x.csv", ["", "NA", "nan", *TEXTS], ["bad", "good", "bad", *LABELS]
    )
    dataset = loaded(source, text="review", label="stars")
    assert dataset.texts is not None
    every = [*dataset.texts.train, *dataset.texts.test]
    assert {"", "NA", "nan"} <= set(every)
    assert any("empty" in each for each in dataset.account.warnings)


def test_missing_texts_are_refused_or_dropped(tmp_path: Path) -> None:
    source = write_parquet(tmp_path / "x.parquet", [None, *TEXTS], ["bad", *LABELS])
    with pytest.raises(DatasetError, match=r"has no review in row 0 .*fill or drop it, or set"):
        loaded(source, text="review", label="stars")
    dataset = loaded(source, text="review", label="stars", missing="drop")
    assert len(dataset.y_train) + len(dataset.y_test) == 60
    assert any("1 of 61 rows" in line and "no review (1)" in line for line in dataset.account.lines)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "reviews"}, "no column 'reviews' of texts .did you mean 'review'"),
        ({"text": "id"}, "the column 'id' .* is int64: it is no text"),
        ({"text": []}, "text names 0 columns: name one, or two"),
        ({"text": ["review"] * 3}, "text names 3 columns"),
        ({"text": "review", "ignore": ["id"]}, "ignore, types, na_values and decimal are for"),
        ({"text": "review", "missing": "impute"}, 'missing = "impute" makes no text'),
        ({"text": "review", "image": "id"}, "text and image: an example is one of them"),
        ({"text": "review", "tokens": {"tokenizer": "none.json"}}, "cannot read the tokenizer"),
        ({"ignore": ["review"], "tokens": {"length": 9}}, r"tokens\] is for texts; these .* rows"),
    ],
)
def test_a_mistake_is_one_line(options: dict[str, Any], message: str, tmp_path: Path) -> None:
    columns = {"review": TEXTS, "id": np.arange(60), "stars": LABELS}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "x.parquet")
    with pytest.raises((DatasetError, StudyError), match=message) as caught:
        loaded(f"parquet:{tmp_path}/x.parquet", label="stars", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"review": "a"\n', "line 1 of .* is no JSON"),
        ('\n["a", 1]\n', "line 2 of .* holds list, not an object"),
        ('{"review": "a", "stars": 1}\n{"review": [1], "stars": 0}', "values of several kinds"),
        ('{"review": NaN, "stars": 1}', "line 1 of .* is no JSON"),
        ("", "is empty: it has no rows"),
    ],
)
def test_hostile_json_lines_are_one_line(content: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_text(content)
    with pytest.raises(DatasetError, match=message) as caught:
        loaded(f"jsonl:{tmp_path}/x.jsonl", text="review", label="stars")
    assert "\n" not in str(caught.value)


def test_all_texts_empty_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no text has a single token"):
        loaded(
            write_parquet(tmp_path / "x", [""] * 20, ["a", "b"] * 10), text="review", label="stars"
        )


def test_the_users_tokenizer_is_used_and_is_part_of_the_digest(tmp_path: Path) -> None:
    from tokenizers import Tokenizer, models, pre_tokenizers

    source = write_parquet(tmp_path / "x.parquet", TEXTS, LABELS)
    vocabulary = {"film": 0, "plot": 900, "[UNK]": 1}
    own = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    own.pre_tokenizer = pre_tokenizers.Whitespace()
    digests = set()
    for extra in ("cast", "score"):
        file = tmp_path / f"{extra}.json"
        own.add_tokens([extra])
        own.save(str(file))
        dataset = loaded(source, text="review", label="stars", tokens={"tokenizer": str(file)})
        assert dataset.texts is not None
        assert dataset.texts.vocabulary == 901
        for tokens, text in zip(dataset.train.whole(), dataset.texts.train, strict=True):
            assert (1 in tokens) == bool(re.search(r"\bfilm\b", text))
        digests.add(dataset.sha256)
    digests.add(loaded(source, text="review", label="stars").sha256)
    assert len(digests) == 3


def test_bpe_is_the_same_on_any_number_of_threads_and_in_any_process(tmp_path: Path) -> None:
    """The library hashes with a key of each process, and counts words on several threads."""
    source = write_parquet(tmp_path / "x.parquet", TEXTS * 20, LABELS * 20)
    code = (
        "from memtail_core.data import load; from memtail_core.study import DatasetTable; "
        f"print(load(DatasetTable(source={source!r}, text='review', label='stars')).sha256)"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "RAYON_NUM_THREADS": threads, "TOKENIZERS_PARALLELISM": "true"},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for threads in ("1", "4")
    }
    assert digests == {f"{loaded(source, text='review', label='stars').sha256}\n"}


def test_without_the_library_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = write_parquet(tmp_path / "x.parquet", TEXTS, LABELS)
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    with pytest.raises(DatasetError, match=r"pip install memtail\[text\]"):
        loaded(source, text="review", label="stars")


def test_exact_copies_are_warned_of(tmp_path: Path) -> None:
    source = write_parquet(tmp_path / "x.parquet", [*TEXTS, TEXTS[0]], [*LABELS, "bad"])
    assert LABELS[0] == "good"
    warnings = loaded(source, text="review", label="stars").account.warnings
    assert any("1 exact copy of other texts" in each for each in warnings)
    assert any("1 exact copy of texts of another class" in each for each in warnings)
