"""Which images are in which set and class: decided by their paths alone."""

import unicodedata

import pytest

from memtail_core.data.image_files.layout import Layout, layout
from memtail_core.errors import DatasetError


def laid_out(*folders: str, each: int = 2, **options: str) -> Layout:
    """Lay out ``each`` images in each of ``folders``, all of them below ``photos``."""
    images = [f"{folder}/{i}.png".lstrip("/") for folder in folders for i in range(each)]
    return layout(sorted(images, key=lambda image: image.split("/")), "photos", **options)


def counts(plan: Layout, name: str = "train") -> dict[str, int]:
    """How many images of each class a set has."""
    labels = plan.labels[name]
    return {word: labels.count(i) for i, word in enumerate(plan.classes) if i in labels}


def refused(match: str, *folders: str, **options: str) -> None:
    with pytest.raises(DatasetError, match=match):
        laid_out(*folders, **options)


def test_every_image_is_in_one_set_or_left_out_for_one_reason():
    folders = ["train/cat", "train/dog/more", "val/cat", "test/dog", "owl", "", "train", "a/b/c"]
    plan = laid_out(*folders)
    placed = [image for group in (*plan.sets.values(), *plan.left_out.values()) for image in group]
    assert sorted(placed) == sorted(f"{f}/{i}.png".lstrip("/") for f in folders for i in range(2))
    assert {name: len(images) for name, images in plan.sets.items()} == {"train": 4, "test": 2}
    assert all(len(plan.sets[name]) == len(plan.labels[name]) for name in plan.sets)


def test_folders_are_classes_and_what_lies_deeper_is_merged():
    plan = laid_out("ant", "ant/2024", "bee")
    assert counts(plan) == {"ant": 4, "bee": 2}
    assert plan.merged == {"ant/2024": 2}


@pytest.mark.parametrize("train", ["train", "Train", "TRAINING"])
@pytest.mark.parametrize("test", ["test", "Testing", "val", "VALID", "validation"])
def test_validation_is_the_test_set_where_there_is_no_other(train, test):
    plan = laid_out(f"{train}/ant", f"{train}/bee", f"{test}/bee")
    assert counts(plan) == {"ant": 2, "bee": 2}
    assert counts(plan, "test") == {"bee": 2}
    assert plan.folders == {"train": f"{train}/", "test": f"{test}/"}
    assert not plan.left_out


def test_validation_beside_a_test_set_is_left_out_and_named():
    plan = laid_out("train/ant", "train/bee", "val/ant", "test/bee")
    assert counts(plan, "test") == {"bee": 2}
    assert plan.left_out == {
        "in val/, as test/ is the test set": ["val/ant/0.png", "val/ant/1.png"]
    }


def test_a_test_folder_without_labels_gives_way_to_validation():
    """ILSVRC 2012 as Kaggle packs it: test/ holds 100,000 images without labels, beside val/."""
    plan = laid_out("train/ant", "train/bee", "val/ant", "test")
    assert plan.folders["test"] == "val/"
    assert list(plan.left_out) == ["in test/, as val/ is the test set"]


def test_a_test_set_without_labels_alone_is_refused_not_replaced():
    """Tiny ImageNet: val/images/*.JPEG has its labels in a text file, train/CLASS/images/*.JPEG."""
    refused("photos/val' has no class folders: its images have no labels", "train/ant", "val")
    refused("photos/test' has no class folders", "train/ant/images", "train/bee/images", "test")
    nothing = ["train", "train/ant", "test", "test/ant"]
    with pytest.raises(DatasetError, match=r"photos/test' holds no images.*read 'folder:photos/tr"):
        layout(["train/ant/0.png", "train/bee/0.png"], "photos", nothing)


def test_a_class_with_one_folder_inside_is_called_by_its_own():
    """Tiny ImageNet's train/n01443537/images/."""
    plan = laid_out("train/ant/images", "train/bee/images")
    assert counts(plan) == {"ant": 2, "bee": 2}


@pytest.mark.parametrize("name", ["train", "Training", "valid"])
def test_a_folder_of_images_with_the_name_of_a_split_is_a_class(name):
    assert counts(laid_out("bus", "car", name)) == {"bus": 2, "car": 2, name: 2}
    assert counts(laid_out("bus", name, name + "/more"))[name] == 4


def test_folders_of_images_called_train_and_test_are_refused():
    refused("photos/train' has no class folders", "train", "test")
    refused("photos/train' has no class folders", "train", "test", "more")
    refused("has test/ but no train/.*if test is a class, rename it", "cat", "dog", "test")


def test_one_stray_image_does_not_make_train_a_class():
    images = ["owl/0.png", "train/0.png", *(f"train/{c}/{i}.png" for c in "ab" for i in range(3))]
    plan = layout(images, "photos")
    assert counts(plan) == {"a": 3, "b": 3}
    assert plan.left_out == {
        "in owl/, beside train/": ["owl/0.png"],
        "in no class folder": ["train/0.png"],
    }


def test_two_folders_for_one_set_are_refused():
    refused("has both Train/ and train/", "train/ant", "Train/ant")
    refused("has both val/ and valid/", "train/ant", "valid/ant", "val/ant")
    plan = laid_out("train/ant", "train/bee", "test/ant", "valid/ant", "val/ant")
    assert plan.folders["test"] == "test/"
    assert len(plan.left_out) == 2


def test_one_more_folder_around_everything_is_looked_into():
    around = "unzipped/my_dataset/"
    plan = laid_out(f"{around}ant", f"{around}bee")
    assert counts(plan) == {"ant": 2, "bee": 2}
    plan = laid_out(f"{around}train/ant", f"{around}train/bee", f"{around}test/all/ant")
    assert counts(plan, "test") == {"ant": 2}
    assert plan.folders == {"train": f"{around}train/", "test": f"{around}test/"}
    plan = laid_out("train/ant", "train/bee", "test/bee/inside")
    assert counts(plan, "test") == {"bee": 2}


def test_folders_by_first_letter_hold_the_classes():
    """Places365: a/airfield, c/cafe/indoor."""
    names = ["a/airfield", "a/alley", "b/bar", "c/cafe/indoor", "c/cafe/outdoor"]
    assert laid_out(*names).classes == names
    plan = laid_out(*(f"train/{name}" for name in names), "val/a/alley")
    assert (plan.classes, counts(plan, "test")) == (names, {"a/alley": 2})


def test_folders_that_can_be_read_in_two_ways_are_asked_about():
    twice = ["cat/monday", "cat/tuesday", "dog/friday"]
    line = (
        r"'photos' can be read in two ways: as 2 classes, its own folders \(cat, dog\), or as 3 "
        r"classes, .*\(cat/monday, cat/tuesday, dog/friday\).* class_folders = .top. or .leaf."
    )
    refused(line, *twice)
    assert laid_out(*twice, class_folders="top").classes == ["cat", "dog"]
    assert laid_out(*twice, class_folders="leaf").classes == twice
    assert counts(laid_out(*twice, "dog")) == {"cat": 4, "dog": 4}


def test_a_class_of_the_test_set_alone_is_refused():
    refused("photos/test/wasp' is a class that no training", "train/ant", "train/bee", "test/wasp")


def test_names_are_compared_whatever_their_unicode_form():
    """Folders from a Mac are called by letter and accent, others by one character."""
    nfc, nfd = (unicodedata.normalize(form, "Café") for form in ("NFC", "NFD"))
    plan = laid_out(f"train/{nfd}", "train/bee", f"test/{nfc}")
    assert plan.classes == [nfc, "bee"]
    assert (counts(plan, "test"), plan.spellings) == ({nfc: 2}, [nfc])
    plan = laid_out(nfd, nfc, "bee")
    assert counts(plan) == {nfc: 4, "bee": 2}
    plan = laid_out(nfd, "bee")
    assert (plan.classes, plan.spellings) == ([nfd, "bee"], [])


def test_images_without_folders_are_refused_and_counted():
    refused("'photos' has no class folders: expected photos/CLASS.*; 2 images lie directly", "")
