"""``folder:``: class folders of images."""

import os

import numpy as np
import pytest
from PIL import Image

from memtail_core.data import load
from memtail_core.errors import DatasetError, StudyError
from memtail_core.study import DatasetTable
from tests.data.image_files.images import COLOUR, GREY, put_deep_pgm, put_deep_png


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


def test_an_opaque_alpha_channel_is_dropped_and_a_palette_looked_up(tmp_path):
    put(tmp_path, pixels=np.dstack([COLOUR, np.full((4, 5), 255, np.uint8)]))
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


def test_images_of_32_bits_are_read_on_their_own_scale(tmp_path):
    put(tmp_path, pixels=GREY.astype(np.int32) * 1000 + 70_000, ending="tif")
    dataset = read(tmp_path)
    expected = (GREY / GREY.max() * 255).round()
    np.testing.assert_array_equal(dataset.train.whole()[0, :, :, 0], expected)
    line = "6 images with more than 8 bits of grey: 70,000 … 298,000 become the shades 0 … 255"
    assert line in dataset.account.lines


def test_a_file_that_is_no_image_is_refused_by_name(tmp_path):
    put(tmp_path)
    (tmp_path / "bee" / "notes.png").write_text("no image")
    refused(tmp_path, "cannot read the image '.*bee/notes.png'")


@pytest.mark.filterwarnings("ignore:.*(EXIF|Tag data|File Read|Metadata):UserWarning")
@pytest.mark.parametrize("ending", ["png", "gif", "bmp", "tif", "ppm"])
@pytest.mark.slow
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


@pytest.mark.parametrize("other", ["test", "testing", "Validation"])
def test_other_splits_without_train_are_not_taken_for_classes(tmp_path, other):
    put(tmp_path)
    put(tmp_path / other)
    refused(tmp_path, rf"has {other.lower()}/ but no train/: expected .*train/CLASS")


ENDINGS = {
    ".jpg": "JPEG",
    ".JPG": "JPEG",
    ".jfif": "JPEG",
    ".jpe": "JPEG",
    "": "JPEG",
    ".image": "PNG",
    ".jp2": "JPEG2000",
    ".avif": "AVIF",
    ".tga": "TGA",
    ".webp": "WEBP",
    ".ico": "ICO",
    ".pcx": "PCX",
}


def test_whatever_pillow_opens_is_read_by_its_ending_or_its_first_bytes(tmp_path):
    """Endings outside a short list were skipped: FlyMyAI/flymyai-lora-trainer#72."""
    put(tmp_path, pixels=COLOUR)
    for ending, form in ENDINGS.items():
        name = f"{len(list((tmp_path / 'bee').iterdir()))}{ending}"
        Image.fromarray(np.tile(COLOUR, (4, 4, 1))).save(tmp_path / "bee" / name, format=form)
    dataset = read(tmp_path, size=8)
    assert len(dataset.y_train) + len(dataset.y_test) == 6 + len(ENDINGS)


def test_every_file_is_accounted_for(tmp_path):
    put(tmp_path / "train", each=4)
    put(tmp_path / "train/ant", classes=["2024"])
    put(tmp_path / "val", each=2)
    put(tmp_path, classes=["owl", "train/.thumbnails", "train/bee/@eaDir"], each=5)
    for file in ("notes.txt", "train/ant/a.txt", "train/ant/a.xml", "LICENSE", "train/bee/._0.png"):
        (tmp_path / file).write_text("no image")
    (tmp_path / "train/fox").mkdir()
    os.mkfifo(tmp_path / "train/pipe.png")
    dataset = read(tmp_path)
    assert dataset.account.lines == (
        "36 files: 15 read (11 in train/; 4 in val/, the test set), 21 left out: 5 in owl/, beside "
        "train/, 11 hidden, 2 .txt, 1 without an ending, 1 .xml: no images, 1 pipe or socket",
        "3 of them lie in folders below their class's: 'train/ant/2024'",
        "1 folder without images, no class: 'train/fox'",
    )
    assert dataset.account.warnings[0] == (
        "5 images left out, in owl/, beside train/: 'owl/0.png', 'owl/1.png', 'owl/2.png' "
        "and 2 more"
    )
    assert dataset.classes == ("ant", "bee")


def test_pictures_that_cannot_be_read_are_warned_of(tmp_path):
    """.heic files were left out without a word: pharmapsychotic/clip-interrogator-ext#50."""
    put(tmp_path)
    for i in range(4):
        (tmp_path / "ant" / f"{i}.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(40))
    (tmp_path / "bee/scan.dcm").write_bytes(bytes(200))
    warning = read(tmp_path).account.warnings[0]
    assert warning.startswith("4 .heic, 1 .dcm left out, which memtail cannot read: convert them")


def test_data_files_between_images_are_no_images(tmp_path):
    """.h5 was taken for an image, as Pillow knows its ending: huggingface/datasets#7374."""
    put(tmp_path)
    for name in ("a.h5", "a.grib", "a.eps", "a.ps", "labels.csv", "a.pdf"):
        (tmp_path / "ant" / name).write_bytes(b"\x89HDF\r\n\x1a\n%!PS-Adobe GRIB" + bytes(40))
    dataset = read(tmp_path)
    assert len(dataset.y_train) + len(dataset.y_test) == 6
    assert "6 left out" in dataset.account.lines[0]


def break_three(root):
    """Break three files in three ways: 2 of bee, 1 of ant."""
    put(root, each=6)
    (root / "bee/0.png").write_bytes(b"")
    (root / "bee/1.png").write_text("no image")
    (root / "ant/gone.png").symlink_to("/nowhere/x.png")


def test_all_broken_files_are_named_in_one_run_with_the_sizes_that_differ(tmp_path):
    break_three(tmp_path)
    Image.fromarray(GREY[:2]).save(tmp_path / "bee/low.png")
    refused(
        tmp_path,
        r"cannot read 3 files of .*remove or replace them or set \[dataset\] broken = .skip.: "
        r"'ant/gone.png' \(a link to '/nowhere/x.png': No such file or directory\), 'bee/0.png' "
        r"\(the file is empty\), 'bee/1.png' \(cannot identify image file\); and the images of .*"
        r"different sizes \(5 × 4, and 5 × 2 in '.*bee/low.png'\)",
    )


def test_the_list_of_broken_files_is_bounded(tmp_path):
    put(tmp_path, each=40)
    for i in range(35):
        (tmp_path / f"bee/{i}.png").write_text("no image")
    with pytest.raises(DatasetError, match=r"cannot read 35 files .* and 25 more$") as error:
        read(tmp_path)
    assert len(str(error.value)) < 1000


def test_broken_files_can_be_skipped_and_are_warned_of(tmp_path):
    break_three(tmp_path)
    dataset = read(tmp_path, broken="skip", test_fraction=0.1)
    names = {*dataset.train_names, *dataset.test_names}
    assert len(names) == 10
    assert not {"bee/0.png", "bee/1.png"} & names
    assert dataset.account.warnings[0].startswith("3 files left out that cannot be read: 'ant/gone")
    for i in range(2, 6):
        (tmp_path / f"bee/{i}.png").write_text("no image")
    refused(tmp_path, "no image of the class bee can be read", broken="skip")


def test_with_a_test_set_broken_files_of_each_set_are_skipped(tmp_path):
    for name, broken in (("train", "0.png"), ("val", "2.png")):
        put(tmp_path / name)
        (tmp_path / name / "ant" / broken).write_bytes(b"")
    dataset = read(tmp_path, broken="skip")
    assert dataset.y_train.tolist() == dataset.y_test.tolist() == [0, 0, 1, 1, 1]
    assert dataset.train_names[:2] == ("train/ant/1.png", "train/ant/2.png")
    assert dataset.test_names[:2] == ("val/ant/0.png", "val/ant/1.png")


@pytest.mark.parametrize("option", ["broken", "class_folders"])
def test_an_option_takes_its_words_alone(tmp_path, option):
    put(tmp_path)
    with pytest.raises(StudyError, match=rf"\[dataset\] {option} = 'maybe'.*'(skip|leaf)'"):
        read(tmp_path, **{option: "maybe"})


def test_values_of_12_bits_in_files_of_16_keep_their_shades(tmp_path):
    values = np.arange(20, dtype=np.uint16).reshape(4, 5) * 215
    put(tmp_path, pixels=values)
    put_deep_pgm(tmp_path / "ant/half.pgm", values // 2)
    put_deep_png(tmp_path / "bee/half.png", values // 2)
    dataset = read(tmp_path, test_fraction=0.1)
    assert dataset.account.lines[1] == (
        "8 images with more than 8 bits of grey: 0 … 4,085 become the shades 0 … 255"
    )
    x = dict(zip(dataset.train_names, dataset.train.whole(), strict=True))
    np.testing.assert_array_equal(x["ant/1.png"][..., 0], (values * (255 / 4085)).round())
    assert len(np.unique(x["ant/half.pgm"])) == 20


def test_deep_and_plain_grey_images_together_are_warned_of(tmp_path):
    put(tmp_path)
    put(tmp_path / "ant", pixels=GREY.astype(np.uint16) * 40_000, classes=["deep"])
    assert any("6 images have 8 bits and 3 have more" in w for w in read(tmp_path).account.warnings)


def test_what_pillow_warns_of_is_said_once_in_the_account(tmp_path, recwarn):
    put(tmp_path, pixels=COLOUR)
    for i in range(3):
        image = Image.fromarray(COLOUR)
        image.save(tmp_path / f"bee/{i}.png", exif=b"Exif\0\0II*\0\xff\0\0\0")
    warning = read(tmp_path).account.warnings[0]
    assert warning.startswith("Pillow says of some images: Corrupt EXIF data.")
    assert warning.count("Corrupt") == 1
    assert not recwarn.list


def test_a_name_that_no_terminal_can_print_is_left_out_in_print(tmp_path):
    put(tmp_path)
    (tmp_path / "ant/0.png").rename(tmp_path / os.fsdecode(b"caf\xe9\x1b[2J.png"))
    account = read(tmp_path).account
    assert "1 in no class folder" in account.lines[0]
    assert "caf" in account.warnings[0]
    assert b"\x1b" not in account.to_json()
