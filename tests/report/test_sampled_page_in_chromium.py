"""The page of a dataset too large for it, in a real Chromium: it holds a sample, and says so."""

import numpy as np
import pytest

from memtail_core.report.exploration import explore, shown_examples
from memtail_core.report.exploration.shown_examples import Shown
from tests.browser import Visit
from tests.conftest import Trained
from tests.report.test_page_in_chromium import WIDE, cells, nothing_to_complain, published

pytestmark = pytest.mark.usefixtures("browser")


@pytest.fixture(scope="module")
def sampled(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Shown]:
    """A page of some of the digits, and which they are."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in (("_MOST_PICTURED", 0), ("_TRAIN", 80), ("_TEST", 20)):
            patch.setattr(shown_examples, name, value)
        patch.setattr(shown_examples, "_MOST_MEMORIZED", 40)
        shown = explore(trained.analysis).shown
        assert shown is not None
        return published(trained.analysis, tmp_path_factory.mktemp("pages"), "sampled"), shown


def test_a_sample_has_the_numbers_of_the_dataset(
    sampled: tuple[str, Shown], trained: Trained, visit: Visit
) -> None:
    address, _ = sampled
    seen = visit(address, viewport=WIDE)
    tab = seen.page
    train = tab.locator("#panel-train")
    train.get_by_text("80 training examples; a sample of 300").wait_for()
    most = int(np.argsort(-trained.analysis.scores.memorization, kind="stable")[0])
    first = cells(train).first
    assert (first.get_attribute("aria-label") or "").startswith(f"Training example {most},")
    assert f"#{most} ·" in (first.text_content() or ""), "shown where there is room"
    first.click()
    tab.get_by_role("heading", name=f"Training example {most}", exact=False).wait_for()
    assert tab.evaluate("location.hash") == f"#train-{most}"
    tab.keyboard.press("Escape")
    pair = cells(tab.locator("#panel-pairs")).first.text_content() or ""
    pairs = trained.analysis.pairs
    assert f"#{pairs.train_index[0]} → test #{pairs.test_index[0]}" in pair
    train.get_by_role("searchbox", name="Find").fill(f"#{most}")
    train.get_by_text("1 of 80 training examples").wait_for()
    nothing_to_complain(seen)


def test_partners_that_a_sample_lacks_are_named(
    sampled: tuple[str, Shown], trained: Trained, visit: Visit
) -> None:
    address, shown = sampled
    supported = explore(trained.analysis).supported.index
    lacking = next(
        (i, j) for i in shown.train.tolist() for j in supported[i].tolist()
        if j >= 0 and j not in shown.test
    )  # fmt: skip
    seen = visit(f"{address}#train-{lacking[0]}")
    dialog = seen.page.get_by_role("dialog")
    dialog.get_by_text(f"Test example {lacking[1]}, not on this page").wait_for()
    nothing_to_complain(seen)
    away = int(np.setdiff1d(np.arange(300), shown.train)[0])
    unknown = visit(f"{address}#train-{away}")
    assert not unknown.page.get_by_role("dialog").is_visible()
    nothing_to_complain(unknown)
