"""``folder:``: class folders of images."""

import os

import numpy as np
import pytest
from PIL import Image

from memtail_core.data import load
from memtail_core.errors import DatasetError, StudyError
from memtail_core.study import DatasetTable

GREY = np.arange(20, dtype=np.uint8).reshape(4, 5) * 12
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def put(root, pixels=GREY, classes=("ant", "bee"), each=3, ending="png"):
    """Write ``each`` files per class that hold the same ``pixels``."""
    for name in classes:
        (root / name).mkdir(parents=True, exist_ok=True)
        for i in range(each):
            Image.fromarray(pixels).save(root / name / f"{i}.{ending}")


def read(root, **options):
    return load(DatasetTable(source=f"folder:{root}", **options))


def refused(root, match, **options):
    with pytest.raises(DatasetError, match=match):
        read(root, **options)


def test_a_folder_that_is_not_there_is_refused_with_its_whole_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused("photos", f"no folder '{tmp_path / 'photos'}'")


def test_a_folder_without_class_folders_is_refused_with_the_layout_expected(tmp_path):
    Image.fromarray(GREY).save(tmp_path / "a.png")
    refused(tmp_path, r"no class folders: expected .*/CLASS/\*\.png")


def test_class_folders_without_images_are_refused_with_the_endings_known(tmp_path):
    (tmp_path / "ant").mkdir()
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    refused(tmp_path, r"holds no images \(.*\.jpeg.*\.png")


def test_other_files_and_hidden_folders_are_left_alone(tmp_path):
    put(tmp_path)
    (tmp_path / "ant" / "notes.txt").write_text("no image")
    (tmp_path / "README").write_text("no class")
    (tmp_path / ".cache").mkdir()
    dataset = read(tmp_path)
    assert dataset.classes == ("ant", "bee")
    assert len(dataset.y_train) + len(dataset.y_test) == 6


def test_endings_are_known_in_capitals_and_images_found_in_folders_below(tmp_path):
    put(tmp_path, ending="PNG")
    put(tmp_path / "ant", classes=["2024"], ending="bmp")
    dataset = read(tmp_path)
    names = {*dataset.train_names, *dataset.test_names}
    assert len(names) == 9
    assert {"ant/0.PNG", "ant/2024/2.bmp"} < names


def test_a_class_that_only_the_test_set_has_is_refused(tmp_path):
    put(tmp_path / "train")
    put(tmp_path / "test", classes=["ant", "wasp"])
    refused(tmp_path, "test/wasp' is a class that no training image has")


def test_a_class_that_the_test_set_lacks_is_fine(tmp_path):
    put(tmp_path / "train", classes=["ant", "bee", "cat"])
    put(tmp_path / "test", classes=["cat"], each=2)
    dataset = read(tmp_path)
    assert dataset.y_test.tolist() == [2, 2]
    assert dataset.test_names == ("test/cat/0.png", "test/cat/1.png")


def test_a_train_folder_alone_is_split(tmp_path):
    put(tmp_path / "train")
    dataset = read(tmp_path, test_fraction=0.5)
    assert (len(dataset.y_train), len(dataset.y_test)) == (3, 3)
    assert dataset.classes == ("ant", "bee")


def test_images_of_different_sizes_are_refused_with_both_sizes_and_the_setting(tmp_path):
    put(tmp_path)
    Image.fromarray(GREY[:2]).save(tmp_path / "bee" / "low.png")
    sizes = r"different sizes \(5 × 4, and 5 × 2 in '.*bee/low.png'\)"
    refused(tmp_path, sizes + r": set \[dataset\] size = 64")


def test_a_size_makes_images_of_different_sizes_alike(tmp_path):
    put(tmp_path, pixels=np.full((4, 5, 3), (200, 100, 50), np.uint8))
    Image.fromarray(np.full((9, 2, 3), (200, 100, 50), np.uint8)).save(tmp_path / "bee/tall.png")
    dataset = read(tmp_path, size=6)
    assert dataset.shape == (6, 6, 3)
    assert np.unique(dataset.train.whole().reshape(-1, 3), axis=0).tolist() == [[200, 100, 50]]


def test_the_size_that_images_have_changes_no_pixel(tmp_path):
    square = np.random.default_rng(0).integers(0, 256, (7, 7), dtype=np.uint8)
    put(tmp_path, pixels=square)
    np.testing.assert_array_equal(read(tmp_path, size=7).train.whole()[0, :, :, 0], square)


@pytest.mark.parametrize("size", [0, -1, 4097])
def test_a_size_beyond_reason_is_refused(tmp_path, size):
    put(tmp_path)
    refused(tmp_path, f"size = {size}: give the pixels of a side, 1 to 4096", size=size)


@pytest.mark.parametrize("size", ["64", 6.5, True])
def test_a_size_that_is_no_whole_number_is_refused(tmp_path, size):
    put(tmp_path)
    with pytest.raises(StudyError, match=r"size = .*integer"):
        read(tmp_path, size=size)


def test_a_grey_image_among_colour_images_has_three_equal_channels(tmp_path):
    put(tmp_path, pixels=COLOUR)
    Image.fromarray(GREY).save(tmp_path / "ant" / "grey.png")
    dataset = read(tmp_path, test_fraction=0.3)
    for x, names in (
        (dataset.train.whole(), dataset.train_names),
        (dataset.test.whole(), dataset.test_names),
    ):
        for pixels, name in zip(x, names, strict=True):
            expected = np.stack([GREY] * 3, -1) if name == "ant/grey.png" else COLOUR
            np.testing.assert_array_equal(pixels, expected)


def test_an_alpha_channel_is_dropped_and_a_palette_looked_up(tmp_path):
    put(tmp_path, pixels=np.dstack([COLOUR, np.full((4, 5), 7, np.uint8)]))
    Image.fromarray(COLOUR).quantize(256).save(tmp_path / "ant" / "palette.png")
    dataset = read(tmp_path, test_fraction=0.15)
    assert len(dataset.train.whole()) == 6
    assert all((pixels == COLOUR).all() for pixels in dataset.train.whole())


def test_black_and_white_images_are_0_and_255(tmp_path):
    put(tmp_path, pixels=GREY > 100)
    np.testing.assert_array_equal(read(tmp_path).train.whole()[0, :, :, 0], (GREY > 100) * 255)


def test_grey_images_of_16_bits_keep_their_shades_or_are_refused(tmp_path):
    shades = np.linspace(0, 65535, 20).astype(np.uint16).reshape(4, 5)
    put(tmp_path, pixels=shades)
    try:
        dataset = read(tmp_path)
    except DatasetError as error:
        assert "16" in str(error)
    else:
        difference = dataset.train.whole()[0, :, :, 0] - shades / 257
        assert np.abs(difference).max() <= 1


def test_images_of_32_bits_are_not_taken_for_16_bits(tmp_path):
    put(tmp_path, pixels=GREY.astype(np.int32) + 70_000, ending="tif")
    refused(tmp_path, "ant/0.tif")


def test_a_file_that_is_no_image_is_refused_by_name(tmp_path):
    put(tmp_path)
    (tmp_path / "bee" / "notes.png").write_text("no image")
    refused(tmp_path, "cannot read the image '.*bee/notes.png'")


@pytest.mark.filterwarnings("ignore:.*(EXIF|Tag data|File Read|Metadata):UserWarning")
@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "tif", "ppm"])
def test_an_image_damaged_anywhere_is_refused_by_name_or_read(tmp_path, ending):
    put(tmp_path, pixels=COLOUR, each=2, ending=ending)
    victim = tmp_path / "bee" / f"1.{ending}"
    whole = victim.read_bytes()
    for at in range(0, len(whole), 1 if len(whole) < 200 else 5):
        for value in (0, 255):
            victim.write_bytes(whole[:at] + bytes([value]) + whole[at + 1 :])
            try:
                read(tmp_path)
            except DatasetError as error:
                assert f"1.{ending}" in str(error) or "different sizes" in str(error)


@pytest.mark.parametrize("ending", ["png", "jpg", "gif", "bmp", "tif", "ppm"])
def test_an_image_cut_in_half_is_refused_by_name(tmp_path, ending):
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    put(tmp_path, pixels=noise, each=2, ending=ending)
    victim = tmp_path / "bee" / f"1.{ending}"
    victim.write_bytes(victim.read_bytes()[: victim.stat().st_size // 2])
    refused(tmp_path, f"cannot read the image '.*bee/1.{ending}'")


def test_a_file_name_that_is_not_utf8_does_not_stop_the_study(tmp_path):
    put(tmp_path)
    Image.fromarray(GREY).save(tmp_path / "ant" / os.fsdecode(b"caf\xe9.png"))
    assert len(read(tmp_path).sha256) == 64


@pytest.mark.parametrize("other", ["test", "training", "Validation"])
def test_other_splits_without_train_are_not_taken_for_classes(tmp_path, other):
    put(tmp_path)
    put(tmp_path / other)
    refused(tmp_path, rf"has {other.lower()}/ but no train/: expected .*train/CLASS")
