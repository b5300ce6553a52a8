"""The pixels of one image file are those that people see."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from memtail_core.data.image_files.decoding import (
    DEEP_COLOUR,
    SEVERAL_FRAMES,
    ImageFileError,
    decode,
)
from memtail_core.data.image_files.grey_scale import GreyScale, Range
from tests.data.image_files.images import COLOUR, GREY, put_deep_pgm, put_deep_png

WIDE = GreyScale(0, 65535)
TURNED = {  # EXIF's Orientation: how a picture that is stored so is seen
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: np.rot90(x, -1),
    7: lambda x: np.rot90(x, 2).swapaxes(0, 1),
    8: np.rot90,
}


def pixels_of(path: Path, size: int | None = None, scale: GreyScale | None = None) -> np.ndarray:
    pixels = decode(str(path), size, scale).pixels
    assert pixels is not None
    return pixels


@pytest.mark.parametrize("orientation", list(TURNED))
@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_images_are_turned_as_their_exif_data_say(tmp_path, ending, orientation):
    """Cameras store the sensor's pixels and a note: kohya-ss/sd-scripts#1316."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"a.{ending}"
    Image.fromarray(COLOUR).save(path, exif=exif, **{"lossless": True} if ending == "webp" else {})
    np.testing.assert_array_equal(pixels_of(path), TURNED[orientation](COLOUR))


@pytest.mark.parametrize("orientation", [0, 1, 9])
def test_other_orientations_turn_nothing(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(pixels_of(tmp_path / "a.png"), COLOUR)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_data_leave_an_image_as_it_is(tmp_path):
    for data in (b"Exif\0\0MM\0*\0\0\0", b"Exif\0\0" + bytes(40), b"Exif\0\0II*\0\xff\xff\xff\xff"):
        Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=data)
        np.testing.assert_array_equal(pixels_of(tmp_path / "a.png"), COLOUR)


def test_deep_images_are_turned_too(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    deep = GREY.astype(np.uint16) * 257
    Image.fromarray(deep).save(tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(
        pixels_of(tmp_path / "a.png", scale=WIDE)[..., 0], np.rot90(GREY, -1)
    )


@pytest.mark.parametrize("alpha", [0, 51, 255])
def test_what_is_transparent_shows_white(tmp_path, alpha):
    """Dropping alpha shows colours that nobody sees: kohya-ss/sd-scripts#1269."""
    layer = np.full((4, 5), alpha, np.uint8)
    Image.fromarray(np.dstack([COLOUR, layer])).save(tmp_path / "rgba.png")
    Image.fromarray(np.dstack([GREY, layer])).save(tmp_path / "la.png")
    for name, seen in (("rgba.png", COLOUR), ("la.png", np.stack([GREY] * 3, -1))):
        expected = 255 - (255 - seen.astype(float)) * alpha / 255
        assert np.abs(pixels_of(tmp_path / name) - expected).max() <= (1 if alpha == 51 else 0)


def test_transparent_entries_of_palettes_and_transparent_shades_show_white(tmp_path):
    is_shape = GREY > 100
    image = Image.fromarray(is_shape.astype(np.uint8), "P")
    image.putpalette([255, 0, 255, 20, 20, 20])
    for name in ("a.png", "a.gif"):
        image.save(tmp_path / name, transparency=0)
        expected = np.where(is_shape, 20, 255)
        np.testing.assert_array_equal(pixels_of(tmp_path / name)[..., 0], expected)
    Image.fromarray(GREY).save(tmp_path / "grey.png", transparency=24)
    expected = np.where(GREY == 24, 255, GREY)
    np.testing.assert_array_equal(pixels_of(tmp_path / "grey.png")[..., 0], expected)


def test_cmyk_lab_and_palettes_become_the_colours_they_stand_for(tmp_path):
    flat = Image.new("RGB", (8, 8), (200, 100, 50))
    flat.convert("CMYK").save(tmp_path / "cmyk.tif")
    flat.quantize(4).save(tmp_path / "palette.png")
    transform = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB"
    )
    lab = ImageCms.applyTransform(flat, transform)
    assert lab is not None
    lab.save(tmp_path / "lab.tif")
    for name, error in (("cmyk.tif", 0), ("palette.png", 0), ("lab.tif", 4)):
        difference = pixels_of(tmp_path / name).astype(int) - (200, 100, 50)
        assert np.abs(difference).max() <= error, name


def test_deep_grey_values_need_the_scale_of_their_dataset(tmp_path):
    deep = np.linspace(0, 65535, 20).astype(np.uint16).reshape(4, 5)
    put_deep_png(tmp_path / "a.png", deep)
    put_deep_pgm(tmp_path / "a.pgm", deep)
    Image.fromarray(deep).save(tmp_path / "a.tif")
    Image.fromarray(deep.astype(np.float32)).save(tmp_path / "float.tif")
    for name in ("a.png", "a.pgm", "a.tif", "float.tif"):
        unscaled = decode(str(tmp_path / name), None)
        assert (unscaled.pixels, unscaled.deep) == (None, Range(0, 65535)), name
        shades = pixels_of(tmp_path / name, scale=WIDE)
        np.testing.assert_array_equal(shades[..., 0], (deep / 257).round())


def test_a_white_that_is_stored_as_zero_is_white_at_16_bits_too(tmp_path):
    """PhotometricInterpretation 0, of scanners and radiographs: python-pillow/Pillow#4804."""
    for depth, name in ((np.uint8, "8.tif"), (np.uint16, "16.tif")):
        values = GREY.astype(depth) * (257 if depth == np.uint16 else 1)
        stored = values if depth == np.uint8 else 65535 - values  # Pillow inverts 8 bits only
        Image.fromarray(stored).save(tmp_path / name, tiffinfo={262: 0})
        np.testing.assert_array_equal(pixels_of(tmp_path / name, scale=WIDE)[..., 0], GREY)


def test_values_that_are_not_finite_are_refused(tmp_path):
    values = GREY.astype(np.float32)
    values[1, 1] = np.nan
    Image.fromarray(values).save(tmp_path / "a.tif")
    with pytest.raises(ImageFileError, match="not finite"):
        decode(str(tmp_path / "a.tif"), None)


def test_colours_of_16_bits_are_noted(tmp_path):
    """Pillow keeps their upper 8 bits: python-pillow/Pillow#7723."""
    put_deep_png(tmp_path / "a.png", COLOUR.astype(np.uint16) * 257)
    Image.fromarray(COLOUR).save(tmp_path / "b.png")
    deep, plain = (decode(str(tmp_path / name), None) for name in ("a.png", "b.png"))
    np.testing.assert_array_equal(deep.pixels, COLOUR)
    assert (deep.notes, plain.notes) == ({DEEP_COLOUR}, set())


@pytest.mark.parametrize("ending", ["tif", "gif", "webp", "png"])
def test_further_frames_and_pages_are_noted(tmp_path, ending):
    """Only the first page of a TIFF is read: OCR-D/core#243, jimp-dev/jimp#816."""
    frames = [Image.fromarray(COLOUR[::step]) for step in (1, -1)]
    path = tmp_path / f"a.{ending}"
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    several = decode(str(path), None)
    frames[0].save(path, **options)
    one = decode(str(path), None)
    np.testing.assert_array_equal(several.pixels, one.pixels)
    assert (several.notes, one.notes) == ({SEVERAL_FRAMES}, set())


def test_an_empty_file_is_called_empty(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ImageFileError, match="the file is empty"):
        decode(str(tmp_path / "a.png"), None)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (Range(0, 65535), (0, 65535)),
        (Range(3000, 40_000), (0, 65535)),
        (Range(0, 4095), (0, 4095)),
        (Range(12, 650), (12, 650)),
        (Range(-1024, 3071), (-1024, 3071)),
        (Range(0, 1), (0, 1)),
        (Range(0, 70_000), (0, 70_000)),
    ],
)
def test_the_scale_is_the_real_range_unless_all_16_bits_are_used(values, expected):
    scale = GreyScale.of(values)
    assert (scale.low, scale.high) == expected
    ends = scale.shades(np.array([[scale.low, scale.high]]))
    assert ends.tolist() == [[0, 255]]


def test_a_constant_dataset_is_black():
    shades = GreyScale.of(Range(7, 7)).shades(np.full((2, 2), 7))
    assert shades.tolist() == [[0, 0], [0, 0]]
