"""``torchvision:``: real files in the forms that torchvision's own classes read."""

import functools
import gzip
import hashlib
import http.server
import threading
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import scipy.io

from memtail_core.data import load
from memtail_core.errors import DatasetError, StudyError
from memtail_core.study import DatasetTable
from tests.data.contract import DIGITS, images, write_cifar, write_idx, write_mnist

SMALL = images((28, 28, 1), DIGITS, train=(4, 3, 2), test=(2, 1, 1))
REAL = Path(__file__).parents[4] / "shared" / "data"


def read(name, root, download=False):
    return load(DatasetTable(source=f"torchvision:{name}", root=str(root), download=download))


@pytest.fixture
def offline(monkeypatch):
    for variable in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    yield
    urllib.request.install_opener(None)  # Python keeps the proxies of the first request it makes


def svhn_part(folder, patch, part, pixels, labels):
    """Write a MATLAB file [32, 32, 3, n] in which the digit 0 has the label 10."""
    from torchvision.datasets import SVHN  # importing it takes seconds

    file = folder / f"{part}_32x32.mat"
    scipy.io.savemat(file, {"X": pixels.transpose(1, 2, 3, 0), "y": labels[:, None]})
    entry = ["", file.name, hashlib.md5(file.read_bytes()).hexdigest()]
    patch.setitem(SVHN.split_list, part, entry)


def test_svhn_is_turned_to_height_width_channels_and_its_10_is_the_digit_0(tmp_path, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (11, 32, 32, 3), dtype=np.uint8)
    labels = np.array([10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10], dtype=np.uint8)
    svhn_part(tmp_path, monkeypatch, "train", pixels, labels)
    svhn_part(tmp_path, monkeypatch, "test", pixels[::-1], labels[::-1])
    dataset = read("SVHN", tmp_path)
    np.testing.assert_array_equal(dataset.train.whole(), pixels)
    np.testing.assert_array_equal(dataset.test.whole(), pixels[::-1])
    assert dataset.y_train.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0]
    assert dataset.classes == tuple("0123456789")


@pytest.mark.parametrize(
    ("name", "sixth"), [("MNIST", "6 - six"), ("FashionMNIST", "Shirt"), ("KMNIST", "ma")]
)
def test_each_set_in_mnists_form_is_read_from_its_own_folder(name, sixth, tmp_path):
    write_mnist(tmp_path, SMALL, name=name)
    dataset = read(name, tmp_path)
    np.testing.assert_array_equal(dataset.train.whole(), SMALL.x_train)
    assert len(dataset.classes) == 10
    assert dataset.classes[6] == sixth


def test_the_root_is_the_folder_data_unless_set(tmp_path, monkeypatch):
    write_mnist(tmp_path / "data", SMALL)
    monkeypatch.chdir(tmp_path)
    dataset = load(DatasetTable(source="torchvision:MNIST", download=False))
    np.testing.assert_array_equal(dataset.y_test, SMALL.y_test)


def test_files_that_are_there_are_used_without_the_network_though_download_is_on(tmp_path, offline):
    write_mnist(tmp_path, SMALL)
    np.testing.assert_array_equal(read("MNIST", tmp_path, True).train.whole(), SMALL.x_train)


@pytest.mark.parametrize("name", ["MNIST", "CIFAR10", "SVHN"])
def test_a_missing_set_that_may_not_be_downloaded_is_refused_with_both_remedies(name, tmp_path):
    with pytest.raises(DatasetError, match=rf"{name} is not in .*set \[dataset\] root .*download"):
        read(name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["MNIST", "CIFAR10", "CIFAR100", "SVHN"])
def test_a_set_that_cannot_be_downloaded_is_one_clear_error(name, tmp_path, offline):
    with pytest.raises(
        DatasetError, match=f"{name} is not in .* could not be downloaded"
    ) as caught:
        read(name, tmp_path, True)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


class QuietFiles(http.server.SimpleHTTPRequestHandler):
    """Serves a folder and says nothing."""

    def log_message(self, *words):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A web server that offers SMALL as MNIST's gzipped files."""
    write_mnist(tmp_path / "written", SMALL)
    served = tmp_path / "served"
    served.mkdir()
    resources = []
    for file in sorted((tmp_path / "written" / "MNIST" / "raw").iterdir()):
        packed = gzip.compress(file.read_bytes())
        (served / f"{file.name}.gz").write_bytes(packed)
        resources.append((f"{file.name}.gz", hashlib.md5(packed).hexdigest()))
    handler = functools.partial(QuietFiles, directory=served)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        address = f"http://127.0.0.1:{server.server_port}/"
        monkeypatch.setattr("torchvision.datasets.MNIST.mirrors", [address])
        monkeypatch.setattr("torchvision.datasets.MNIST.resources", resources)
        yield served
        server.shutdown()


def test_a_missing_set_is_downloaded_once_and_then_read_from_the_folder(tmp_path, mirror):
    first = read("MNIST", tmp_path / "data", True)
    np.testing.assert_array_equal(first.train.whole(), SMALL.x_train)
    for file in mirror.iterdir():
        file.unlink()
    assert read("MNIST", tmp_path / "data", True).sha256 == first.sha256


def test_a_download_with_another_checksum_is_refused(tmp_path, mirror):
    for file in mirror.iterdir():
        file.write_bytes(gzip.compress(b"something else"))
    with pytest.raises(DatasetError, match=r"MNIST .* could not be downloaded"):
        read("MNIST", tmp_path / "data", True)


@pytest.mark.parametrize("download", [False, True])
@pytest.mark.parametrize("kept", [0, 3, 500], ids=["empty", "no header", "cut short"])
def test_a_damaged_file_is_refused(tmp_path, offline, kept, download):
    write_mnist(tmp_path, SMALL)
    file = tmp_path / "MNIST" / "raw" / "train-images-idx3-ubyte"
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(DatasetError, match="MNIST"):
        read("MNIST", tmp_path, download)


def test_a_cifar_batch_with_another_checksum_is_not_unpickled(tmp_path, monkeypatch):
    write_cifar(tmp_path, images((32, 32, 3)), monkeypatch)
    batch = tmp_path / "cifar-10-batches-py" / "data_batch_2"
    batch.write_bytes(batch.read_bytes() + b"more")
    with pytest.raises(DatasetError, match="CIFAR10 is not in the folder"):
        read("CIFAR10", tmp_path)


def test_fewer_labels_than_images_are_refused(tmp_path):
    write_mnist(tmp_path, SMALL)
    write_idx(tmp_path / "MNIST" / "raw" / "train-labels-idx1-ubyte", SMALL.y_train[:5])
    with pytest.raises(DatasetError, match="x_train has 9 examples, y_train 5 labels"):
        read("MNIST", tmp_path)


def test_a_label_beyond_the_classes_is_refused(tmp_path):
    write_mnist(tmp_path, SMALL)
    y = np.array([0, 1, 2, 10])
    write_idx(tmp_path / "MNIST" / "raw" / "t10k-labels-idx1-ubyte", y)
    with pytest.raises(DatasetError, match=r"y_test\[3\] is 10, but there are 10 class names"):
        read("MNIST", tmp_path)


def test_an_unknown_name_is_refused_with_a_suggestion():
    with pytest.raises(DatasetError, match=r"torchvision:CIFAR is not a source.*mean 'CIFAR10"):
        load(DatasetTable(source="torchvision:CIFAR"))


def test_classes_of_torchvision_that_are_no_source_are_refused():
    with pytest.raises(DatasetError, match="torchvision:FakeData is not a source"):
        load(DatasetTable(source="torchvision:FakeData"))


@pytest.mark.parametrize(("option", "value"), [("root", 3), ("download", "yes")])
def test_an_option_of_another_type_is_refused_by_name(option, value):
    with pytest.raises(StudyError, match=rf"\[dataset\] {option} = {value!r}: "):
        load(DatasetTable(source="torchvision:MNIST", **{option: value}))


@pytest.mark.skipif(not (REAL / "MNIST").is_dir(), reason="the real MNIST is not at hand")
def test_the_real_mnist_is_read_byte_for_byte():
    dataset = read("MNIST", REAL)
    raw = REAL / "MNIST" / "raw"
    for prefix, x, y in (
        ("train", dataset.train.whole(), dataset.y_train),
        ("t10k", dataset.test.whole(), dataset.y_test),
    ):
        assert x.tobytes() == (raw / f"{prefix}-images-idx3-ubyte").read_bytes()[16:]
        assert bytes(y.tolist()) == (raw / f"{prefix}-labels-idx1-ubyte").read_bytes()[8:]
    assert (len(dataset.y_train), len(dataset.y_test)) == (60_000, 10_000)
