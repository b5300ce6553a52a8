"""Thumbnails: where each one is on its sheet, and which examples get one."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from sklearn.datasets import load_digits

from memtail_core.data import InMemory
from memtail_core.report.exploration.sprites import (
    COLUMNS,
    ROWS,
    Look,
    Sheets,
    looks,
    sheet,
    sheets,
)
from memtail_core.report.exploration.thumbnails import Ranking, pictures

LOSSLESS = Look(8, 8, None)


def images(n: int, side: int = 8, channels: int = 1) -> NDArray[np.uint8]:
    digits = load_digits().images[np.arange(n) % 1797]
    large = np.kron(digits, np.ones((1, side // 8, side // 8))) * 15
    if side > 8:  # or they would be small without a loss
        large = large + np.random.default_rng(0).integers(0, 16, large.shape)
    return np.repeat(large[..., None], channels, axis=3).astype(np.uint8)


def everything(n: int) -> Ranking:
    return Ranking.of(np.arange(0), np.arange(n))


def cut_out(made: Sheets, example: int) -> NDArray[np.uint8]:
    """The thumbnail of an example, as a page cuts it out."""
    number, cell = divmod(int(made.position[example]), COLUMNS * ROWS)
    row, column = divmod(cell, COLUMNS)
    whole = np.asarray(Image.open(io.BytesIO(made.images[number])).convert("RGBA"))
    width, height = made.look.width, made.look.height
    return whole[row * height : (row + 1) * height, column * width : (column + 1) * width]


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_every_picture_is_where_its_position_says(channels: int) -> None:
    x = images(1100, channels=channels)
    x[..., 3:] = 255
    made = sheets(InMemory(x), np.arange(1100), LOSSLESS)
    assert [Image.open(io.BytesIO(image)).size for image in made.images] == [
        (256, 128),
        (256, 128),
        (256, 24),
    ]
    for i in (0, 1, 31, 32, 511, 512, 1023, 1024, 1099):
        cut = cut_out(made, i)
        np.testing.assert_array_equal(cut[..., :3], np.broadcast_to(x[i, ..., :3], (8, 8, 3)))
        assert (cut[..., 3] == 255).all()


def test_only_the_chosen_are_pictured() -> None:
    x, chosen = images(50), np.array([3, 10, 44])
    made = sheets(InMemory(x), chosen, LOSSLESS)
    assert np.flatnonzero(made.position >= 0).tolist() == [3, 10, 44]
    assert made.n_pictured == 3
    np.testing.assert_array_equal(cut_out(made, 44)[..., :1], x[44])
    none = sheets(InMemory(x), chosen[:0], LOSSLESS)
    assert none.images == () and (none.position == -1).all()


def test_the_same_images_give_the_same_bytes() -> None:
    x = images(600, 48, 3)
    for look in (Look(24, 24, 60), Look(48, 48, None)):
        assert (
            sheets(InMemory(x), np.arange(600), look).images
            == sheets(InMemory(x), np.arange(600), look).images
        )


def test_a_shrunk_thumbnail_still_shows_its_image() -> None:
    x = images(40, 64, 3)
    made = sheets(InMemory(x), np.arange(40), Look(32, 32, 85))
    means = x.reshape(40, 32, 2, 32, 2, 3).mean(axis=(2, 4))
    for i in range(40):
        assert np.abs(cut_out(made, i)[..., :3] - means[i]).mean() < 12


def test_transparency_is_kept() -> None:
    x = images(4, channels=4)
    x[..., 3] = np.arange(4)[:, None, None] * 85
    made = sheets(InMemory(x), np.arange(4), LOSSLESS)
    assert [int(cut_out(made, i)[0, 0, 3]) for i in range(4)] == [0, 85, 170, 255]


@given(st.integers(1, 400), st.integers(1, 400))
def test_no_look_enlarges_and_each_is_poorer_than_the_one_before(height: int, width: int) -> None:
    found = list(looks(height, width))
    assert found[0].quality is None
    assert len(set(found)) == len(found)
    for look in found:
        assert 1 <= look.width <= min(width, 96) and 1 <= look.height <= min(height, 96)
        assert abs(look.width * height - look.height * width) <= max(height, width)
    order = [(-look.width * look.height, -(look.quality or 100)) for look in found]
    assert order == sorted(order)


def test_what_fits_is_lossless_and_complete() -> None:
    train, test = images(300), images(200)
    made = pictures(InMemory(train), InMemory(test), everything(300), everything(200))
    for some, x in zip(made, (train, test), strict=True):
        assert some.look == LOSSLESS and some.n_pictured == len(x)


@pytest.mark.parametrize("budget", [400_000, 60_000])
def test_all_of_the_training_set_and_the_wanted_fit_the_budget(budget: int) -> None:
    train, test = images(300, 48, 3), images(150, 48, 3)
    wanted = Ranking.of(np.array([7, 100, 7]), np.arange(150))
    made = pictures(InMemory(train), InMemory(test), everything(300), wanted, budget)
    assert budget / 3 < made[0].n_bytes + made[1].n_bytes <= budget
    assert made[0].look == made[1].look
    assert made[0].n_pictured == 300
    assert (made[1].position[[7, 100]] >= 0).all()
    better = list(looks(48, 48))[: list(looks(48, 48)).index(made[0].look)]
    assert better
    for look in better:  # would not have fitted
        assert sheets(InMemory(train), np.arange(300), look).n_bytes > 0.9 * budget


def test_where_not_all_fit_the_first_come_first_and_the_others_evenly() -> None:
    train, test = images(1500, 32), images(300, 32)
    first = np.array([1400, 3, 20])
    wanted = Ranking.of(first, np.arange(1500)), Ranking.of(np.array([5]), np.arange(300))
    made = pictures(InMemory(train), InMemory(test), *wanted, 60_000)
    assert made[0].n_bytes + made[1].n_bytes <= 60_000
    there = np.flatnonzero(made[0].position >= 0)
    assert set(first) <= set(there) and made[1].position[5] >= 0
    assert 100 < len(there) < 1500
    gaps = np.diff(there[~np.isin(there, first)])
    assert gaps.max() <= 2 * gaps.min() + 2
    every = {look: len(sheet(train[:512], look)) for look in looks(32, 32)}
    assert made[0].look == min(every, key=lambda look: every[look])


def test_a_sample_that_misleads_does_not_break_the_budget() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (1024, 8, 8, 1), dtype=np.uint8)
    noise[np.linspace(0, 1023, 512).round().astype(int)] = 0  # what is looked at beforehand
    made = pictures(InMemory(noise), InMemory(images(10)), everything(1024), everything(10), 20_000)
    assert 0 < made[0].n_bytes + made[1].n_bytes <= 20_000


def test_a_budget_for_nothing_pictures_nothing() -> None:
    made = pictures(InMemory(images(30)), InMemory(images(30)), everything(30), everything(30), 10)
    assert [some.n_pictured for some in made] == [0, 0]


def test_what_recurs_among_the_first_is_wanted_once() -> None:
    wanted = Ranking.of(np.array([4, 2, 4, 0]), np.arange(6)[::-1])
    assert wanted.first.tolist() == [4, 2, 0] and wanted.others.tolist() == [5, 3, 1]
    assert wanted.chosen(2).tolist() == [2, 4]
    assert wanted.chosen(5).tolist() == [0, 1, 2, 4, 5]
    assert wanted.chosen(99).tolist() == list(range(6))
