"""The kinds of source the contract runs against: each writes a known truth in its own form.

A truth is made here before any source is read, so it owes nothing to the code under test.
"""

import csv
import gzip
import hashlib
import importlib
import io
import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from PIL import Image

ANIMALS = ("ant", "bee", "cat")
COLOURS = ("blue", "green", "red")
DIGITS = (
    *("0 - zero", "1 - one", "2 - two", "3 - three", "4 - four"),
    *("5 - five", "6 - six", "7 - seven", "8 - eight", "9 - nine"),
)


@dataclass(frozen=True)
class Truth:
    """What a source holds, in the source's order; ``y`` are indices into ``classes``."""

    x_train: Any
    y_train: Any
    classes: tuple[str, ...]
    x_test: Any = None
    y_test: Any = None
    train_names: tuple[str, ...] = ()
    test_names: tuple[str, ...] = ()

    def words(self, part: str) -> list[str]:
        """The labels of ``part`` ('train' or 'test') as class names."""
        return [self.classes[label] for label in getattr(self, f"y_{part}")]

    def changed(self, what: str) -> "Truth":
        """The same but for one value of the array ``what``, or for the first class name."""
        if what == "classes":
            return replace(self, classes=(self.classes[0] + "x", *self.classes[1:]))
        array = getattr(self, what).copy()
        if what.startswith("y"):
            array[5] = (array[5] + 1) % len(self.classes)
        else:
            array[(5, *(0 for _ in array.shape[1:]))] += 1
        return replace(self, **{what: array})


Write = Callable[[Path, Truth, pytest.MonkeyPatch], dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """A kind of source: ``write`` puts a truth into an empty folder and returns ``[dataset]``."""

    truth: Truth
    write: Write
    changeable: tuple[str, ...] = ("x_train", "y_train", "x_test", "y_test", "classes")
    takes_any_option: bool = False

    @property
    def changes(self) -> list[str]:
        """What of its truth can be changed by writing the source anew."""
        return [what for what in self.changeable if getattr(self.truth, what) is not None]


def _labels(rng: np.random.Generator, counts: tuple[int, ...]) -> Any:
    return rng.permutation(np.repeat(np.arange(len(counts)), counts))


def images(
    shape: tuple[int, ...],
    classes: tuple[str, ...] = ANIMALS,
    train: tuple[int, ...] = (24, 12, 6),
    test: tuple[int, ...] | None = (8, 5, 3),
) -> Truth:
    """Noise, with ``train`` and ``test`` images of each class."""
    rng = np.random.default_rng(1)
    sizes = [sum(train), sum(test or ())]
    x_train, x_test = (rng.integers(0, 256, (n, *shape), dtype=np.uint8) for n in sizes)
    truth = Truth(x_train, _labels(rng, train), classes)
    return truth if test is None else replace(truth, x_test=x_test, y_test=_labels(rng, test))


def features(test: tuple[int, ...] | None = (8, 5, 3)) -> Truth:
    """A decimal, an integer, and a colour as three columns of 0 and 1."""
    rng = np.random.default_rng(2)
    parts = []
    for counts in ((24, 12, 6), test or (1, 1, 1)):
        n = sum(counts)
        numbers = [rng.normal(size=n), rng.integers(-9, 10, n)]
        x = np.column_stack([*numbers, np.eye(3)[rng.integers(0, 3, n)]]).astype(np.float32)
        parts += [x, _labels(rng, counts)]
    return Truth(*parts[:2], ANIMALS, *(parts[2:] if test else ()))


def in_class_order(truth: Truth) -> Truth:
    """Sort the examples by class and name them as the files that the folder kind writes."""
    parts: dict[str, Any] = {}
    for part in ("train", "test"):
        if getattr(truth, f"y_{part}") is not None:
            y = np.sort(getattr(truth, f"y_{part}"))
            folder = f"{part}/" if truth.y_test is not None else ""
            names = tuple(f"{folder}{truth.classes[c]}/{i:03}.png" for i, c in enumerate(y))
            parts |= {f"y_{part}": y, f"{part}_names": names}
    return replace(truth, **parts)


def _numbered(truth: Truth, name: str) -> Truth:
    """Name the examples of each part by their number."""
    names = {
        f"{part}_names": tuple(name.format(i) for i in range(len(getattr(truth, f"y_{part}"))))
        for part in ("train", "test")
    }
    return replace(truth, **names)


def _arrays(truth: Truth) -> dict[str, Any]:
    names = ("x_train", "y_train", "x_test", "y_test")
    return {n: getattr(truth, n) for n in names if getattr(truth, n) is not None}


def write_idx(file: Path, array: Any) -> None:
    """Write unsigned bytes as MNIST's authors did: two zeros, type 8, the sizes, the bytes."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(bytes([0, 0, 8, array.ndim]) + sizes + array.astype(np.uint8).tobytes())


def write_mnist(folder: Path, truth: Truth, patch: Any = None, name: str = "MNIST") -> Any:
    """Write the four files that torchvision looks for."""
    for prefix, part in (("train", "train"), ("t10k", "test")):
        raw = folder / name / "raw"
        pixels = getattr(truth, f"x_{part}")[..., 0]
        write_idx(raw / f"{prefix}-images-idx3-ubyte", pixels)
        write_idx(raw / f"{prefix}-labels-idx1-ubyte", getattr(truth, f"y_{part}"))
    return {"source": f"torchvision:{name}", "root": str(folder), "download": False}


def write_cifar(folder: Path, truth: Truth, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Write CIFAR-10's batches; torchvision still compares checksums, those of these files."""
    base = folder / "cifar-10-batches-py"
    base.mkdir()

    def put(name: str, content: Any) -> list[str]:
        (base / name).write_bytes(pickle.dumps(content))
        return [name, hashlib.md5((base / name).read_bytes()).hexdigest()]

    def batch(name: str, x: Any, y: Any) -> list[str]:
        rows = x.transpose(0, 3, 1, 2).reshape(len(x), -1)  # the red plane, the green, the blue
        return put(name, {"data": rows, "labels": [int(label) for label in y]})

    half = len(truth.x_train) // 2
    train = [
        batch("data_batch_1", truth.x_train[:half], truth.y_train[:half]),
        batch("data_batch_2", truth.x_train[half:], truth.y_train[half:]),
    ]
    meta = put("batches.meta", {"label_names": list(truth.classes)})
    patch.setattr("torchvision.datasets.CIFAR10.train_list", train)
    test = [batch("test_batch", truth.x_test, truth.y_test)]
    patch.setattr("torchvision.datasets.CIFAR10.test_list", test)
    named = {"filename": meta[0], "key": "label_names", "md5": meta[1]}
    patch.setattr("torchvision.datasets.CIFAR10.meta", named)
    return {"source": "torchvision:CIFAR10", "root": str(folder), "download": False}


def write_folder(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write a PNG per image into its class's folder."""
    for part in ("train", "test"):
        if getattr(truth, f"x_{part}") is None:
            continue
        root = folder / part if truth.x_test is not None else folder
        pairs = zip(getattr(truth, f"x_{part}"), truth.words(part), strict=True)
        for i, (pixels, word) in enumerate(pairs):
            (root / word).mkdir(parents=True, exist_ok=True)
            grey = pixels.shape[-1] == 1
            Image.fromarray(pixels[..., 0] if grey else pixels).save(root / word / f"{i:03}.png")
    return {"source": f"folder:{folder}"}


def write_npz(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write arrays and class names."""
    np.savez(folder / "arrays.npz", classes=np.array(truth.classes), **_arrays(truth))
    return {"source": f"npz:{folder / 'arrays.npz'}"}


def write_packed(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Pack the same arrays."""
    from memtail_core.running.packing import pack
    from memtail_core.study import DatasetTable

    pack(DatasetTable(**write_npz(folder, truth)), folder / "arrays.memtail")
    return {"source": f"packed:{folder / 'arrays.memtail'}"}


def _columns(truth: Truth, part: str) -> dict[str, list[Any]]:
    x = getattr(truth, f"x_{part}")
    return {
        "weight": [float(value) for value in x[:, 0]],
        "animal": truth.words(part),
        "steps": [int(value) for value in x[:, 1]],
        "colour": [COLOURS[int(row.argmax())] for row in x[:, 2:]],
    }


def _write_tables(folder: Path, truth: Truth, kind: str, write: Callable[..., None]) -> Any:
    table: dict[str, Any] = {"source": f"{kind}:{folder}/train.{kind}", "label": "animal"}
    write(folder / f"train.{kind}", _columns(truth, "train"))
    if truth.x_test is not None:
        table["test"] = f"{folder}/test.{kind}"
        write(folder / f"test.{kind}", _columns(truth, "test"))
    return table


def write_csv(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write tables with the standard library's csv module."""

    def write(file: Path, columns: dict[str, list[Any]]) -> None:
        with file.open("w", newline="") as stream:
            csv.writer(stream).writerows([columns, *zip(*columns.values(), strict=True)])

    return _write_tables(folder, truth, "csv", write)


def write_parquet(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write tables in row groups of seven."""

    def write(file: Path, columns: dict[str, list[Any]]) -> None:
        pyarrow.parquet.write_table(pyarrow.table(columns), file, row_group_size=7)

    return _write_tables(folder, truth, "parquet", write)


def write_json_lines(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write an object on each line, with the standard library's json."""

    def write(file: Path, columns: dict[str, list[Any]]) -> None:
        rows = zip(*columns.values(), strict=True)
        file.write_text(
            "".join(json.dumps(dict(zip(columns, r, strict=True))) + "\n" for r in rows)
        )

    return _write_tables(folder, truth, "jsonl", write)


def _each(truth: Truth) -> list[tuple[str, list[Any], list[str]]]:
    """Each part that a truth has, its images for Pillow, and their classes."""
    parts = [part for part in ("train", "test") if getattr(truth, f"x_{part}") is not None]
    return [
        (part, [Image.fromarray(x) for x in getattr(truth, f"x_{part}")], truth.words(part))
        for part in parts
    ]


def _png(image: Any) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def write_parquet_of_images(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write PNG files as bytes into a column, beside one that is neither image nor label."""
    for part, pictures, words in _each(truth):
        columns = {"picture": [_png(each) for each in pictures], "animal": words, "n": words}
        pyarrow.parquet.write_table(pyarrow.table(columns), folder / f"{part}.parquet")
    return {"source": f"parquet:{folder}/train.parquet", "image": "picture", "label": "animal"}


def _write_described(folder: Path, truth: Truth, name: str) -> None:
    """Write PNG files and a list of them with their classes."""
    for part, pictures, words in _each(truth):
        (folder / part).mkdir()
        rows = ["file_name,animal"]
        for number, (each, word) in enumerate(zip(pictures, words, strict=True)):
            each.save(folder / part / f"{number}.png")
            rows.append(f"{number}.png,{word}")
        (folder / part / name).write_text("\n".join(rows))


def write_csv_of_paths(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write PNG files and lists of them."""
    _write_described(folder, truth, "list.csv")
    return {
        "source": f"csv:{folder}/train/list.csv",
        "test": f"{folder}/test/list.csv",
        "image": "file_name",
        "label": "animal",
    }


def write_folder_with_metadata(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write PNG files without class folders, as Hugging Face's ImageFolder takes them."""
    _write_described(folder, truth, "metadata.csv")
    return {"source": f"folder:{folder}", "label": "animal"}


def write_webdataset(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write two shards a part with webdataset's own writer."""
    import webdataset  # here: only these tests pay for it

    for part, pictures, words in _each(truth):
        half = len(words) // 2
        for shard, at in enumerate((range(half), range(half, len(words)))):
            with webdataset.TarWriter(str(folder / f"{part}-{shard:03}.tar")) as tar:
                for i in at:
                    tar.write({"__key__": f"{i:06}", "png": pictures[i], "cls": words[i].encode()})
    shards = "-{000..001}.tar"
    return {"source": f"webdataset:{folder}/train{shards}", "test": f"{folder}/test{shards}"}


def write_hf(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write splits of images with datasets' own ``save_to_disk``."""
    import datasets

    features = datasets.Features(
        {"picture": datasets.Image(), "animal": datasets.ClassLabel(names=list(truth.classes))}
    )
    splits = {
        part: datasets.Dataset.from_dict({"picture": pictures, "animal": words}, features=features)
        for part, pictures, words in _each(truth)
    }
    datasets.DatasetDict(splits).save_to_disk(str(folder / "saved"))
    return {"source": f"hf:{folder}/saved"}


def write_hf_parquet(folder: Path, truth: Truth, patch: Any = None) -> dict[str, Any]:
    """Write a table as it lies in a repository, with datasets' own ``to_parquet``."""
    import datasets

    (folder / "data").mkdir()
    columns = _columns(truth, "train")
    classes = datasets.ClassLabel(names=list(truth.classes))
    written = datasets.Dataset.from_dict(columns).cast_column("animal", classes)
    written.to_parquet(str(folder / "data" / "train-00000-of-00001.parquet"))
    return {"source": f"hf:{folder}"}


def write_python(folder: Path, truth: Truth, patch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Write a module that returns a dict of arrays, with names, and enter its folder."""
    module = f"reader_{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    parts = {**_arrays(truth), "classes": truth.classes, "train_names": truth.train_names}
    (folder / "parts.pickle").write_bytes(pickle.dumps(parts))
    (folder / f"{module}.py").write_text(
        "import pathlib, pickle\n\n\ndef read(file):\n"
        "    return pickle.loads(pathlib.Path(__file__).with_name(file).read_bytes())\n"
    )
    patch.syspath_prepend(folder)
    importlib.invalidate_caches()
    return {"source": f"python:{module}:read", "file": "parts.pickle"}


def write_nothing(name: str) -> Write:
    """scikit-learn's own data: they lie in its package."""
    return lambda folder, truth, patch: {"source": f"sklearn:{name}"}


def _sklearn_rows(file: str, header: bool) -> Any:
    content = (resources.files("sklearn.datasets") / "data" / file).read_bytes()
    text = gzip.decompress(content) if file.endswith(".gz") else content
    lines = text.decode().splitlines()[1 if header else 0 :]
    return np.array([[float(word) for word in line.split(",")] for line in lines])


def _digits() -> Truth:
    grey = [0, 16, 32, 48, 64, 80, 96, 112, 128, 143, 159, 175, 191, 207, 223, 239, 255]
    rows = _sklearn_rows("digits.csv.gz", header=False).astype(int)
    pixels = np.array(grey, dtype=np.uint8)[rows[:, :64]]
    return Truth(pixels.reshape(-1, 8, 8, 1), rows[:, 64], tuple("0123456789"))


def _iris() -> Truth:
    rows = _sklearn_rows("iris.csv", header=True)
    species = ("setosa", "versicolor", "virginica")
    return Truth(rows[:, :4].astype(np.float32), rows[:, 4].astype(int), species)


_ALL = ("x_train", "y_train", "x_test", "y_test")
_TEN = {"train": (12, 9, 6, 5, 4, 3, 3, 3, 3, 2), "test": (5, 4, 3, 3, 2, 2, 1, 1, 1, 1)}
_NAMED = replace(features(test=None), train_names=tuple(f"row-{i}" for i in range(42)))

KINDS = {
    "torchvision MNIST": Kind(images((28, 28, 1), DIGITS, **_TEN), write_mnist, _ALL),
    "torchvision CIFAR10": Kind(images((32, 32, 3)), write_cifar),
    "sklearn digits": Kind(_digits(), write_nothing("digits"), ()),
    "sklearn iris": Kind(_iris(), write_nothing("iris"), ()),
    "folder": Kind(in_class_order(images((6, 5, 3))), write_folder),
    "folder with metadata": Kind(
        _numbered(images((6, 5, 3)), "{}.png"), write_folder_with_metadata
    ),
    "folder without test": Kind(in_class_order(images((6, 5, 1), test=None)), write_folder),
    "npz": Kind(images((6, 5, 4)), write_npz),
    "npz without test": Kind(features(test=None), write_npz),
    "packed": Kind(images((6, 5, 3)), write_packed),
    "packed without test": Kind(features(test=None), write_packed),
    "csv": Kind(features(), write_csv),
    "csv of paths": Kind(_numbered(images((6, 5, 3)), "{}.png"), write_csv_of_paths),
    "csv without test": Kind(features(test=None), write_csv),
    "parquet": Kind(features(), write_parquet),
    "parquet of images without test": Kind(images((6, 5, 3), test=None), write_parquet_of_images),
    "parquet without test": Kind(features(test=None), write_parquet),
    "jsonl": Kind(features(), write_json_lines),
    "jsonl without test": Kind(features(test=None), write_json_lines),
    "hf": Kind(images((6, 5, 3)), write_hf),
    "hf without test": Kind(features(test=None), write_hf_parquet),
    "webdataset": Kind(_numbered(images((6, 5, 3)), "{:06}"), write_webdataset),
    "python": Kind(images((6, 5, 3)), write_python, takes_any_option=True),
    "python without test": Kind(_NAMED, write_python, takes_any_option=True),
}
