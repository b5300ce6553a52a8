"""Shades of documents: the right characters of any script, escaped, in the page and in Chromium."""

import re
from pathlib import Path

import numpy as np
import pytest

from memtail_core import catalogue
from memtail_core.analysis import Analysis, analyse
from memtail_core.data import Dataset
from memtail_core.data.modalities.text.cleaning import BETWEEN
from memtail_core.data.modalities.text.tokenizing import spans
from memtail_core.report.exploration import encoded, explore
from memtail_core.report.exploration.token_shades import TokenShades
from memtail_core.report.page import page
from memtail_core.report.publication import publish
from memtail_core.running import loading
from tests.browser import Visit
from tests.language_models import StoredStories, stored_stories
from tests.report.test_page import Read

TEXTS = (
    "<b>plain & simple</b> words",
    "日本語の文章です。もう一つ",
    "هذا نص من اليمين إلى اليسار",
    "naïve 👩‍🚀 café",
    "",
    f"one text{BETWEEN}and another",
)


@pytest.fixture(scope="module")
def many() -> Dataset:
    given = [*TEXTS[:-1], tuple(TEXTS[-1].split(BETWEEN))]
    zeros = np.zeros(len(TEXTS), np.int64)
    return Dataset.from_arrays(
        *(given, zeros, ["other"], zeros[:1]), classes=("document",), modality="text"
    )


def test_spans_cut_a_text_into_its_tokens(many: Dataset) -> None:
    """What the spans name, joined, is the text; each token is a span."""
    assert many.texts is not None
    for text, tokens in zip(TEXTS, many.train.whole(), strict=True):
        found = spans(many.texts.tokenizer, text, tokens.shape[0])
        assert len(found) == (tokens > 0).sum()
        covered = {c for start, end in found for c in range(start, end)}
        assert covered == {c for c in range(len(text)) if text[c] != BETWEEN}
    assert len(spans(many.texts.tokenizer, TEXTS[0], 3)) == 3


def test_shades_of_any_script_are_escaped_and_name_the_right_characters(many: Dataset) -> None:
    """Without its tags the page's text is the text; a character has its tokens' highest level."""
    assert many.texts is not None
    n, length = len(TEXTS), many.shape[0] - 1
    level = np.random.default_rng(0).integers(0, 5, (n, length))
    shades = TokenShades(many, level)
    for i, text in enumerate(TEXTS):
        shown = text.replace(BETWEEN, " ‖ ")
        html = str(shades.html(i, shown))
        plain = re.sub(r'</?span(?: class="likelier-[1-4]")?>', "", html)
        assert plain == shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        expected = [0] * len(text)
        for t, (start, end) in enumerate(spans(many.texts.tokenizer, text, length + 1)):
            for c in range(start, end):
                expected[c] = max(expected[c], level[i, t - 1] if t else 0)
        by_character = [of for of, count in shades.runs(i, shown) for _ in range(count)]
        if BETWEEN in text:
            at = text.index(BETWEEN)
            expected[at : at + 1] = [0, 0, 0]
        assert by_character == expected
        (made,) = shades.encoded(np.array([i]), [shown])
        pairs = re.findall("(.)(.)", made)
        decoded = [int(of) for of, count in pairs for _ in range(int(count, 36))]
        assert decoded == by_character[: len(decoded)] and not any(by_character[len(decoded) :])


def test_a_text_that_goes_on_is_shaded_as_far_as_it_is_shown(many: Dataset) -> None:
    shades = TokenShades(many, np.full((len(TEXTS), many.shape[0] - 1), 4))
    assert sum(count for _, count in shades.runs(0, "<b>pl…")) == 5
    assert str(shades.html(0, "<b>pl…")).endswith("…")


def test_where_there_is_little_room_faint_shades_are_left_out(
    many: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    level = np.ones((len(TEXTS), many.shape[0] - 1), np.int64)
    level[:, 1] = 4
    shades, shown = TokenShades(many, level), [text.replace(BETWEEN, " ‖ ") for text in TEXTS]
    every = np.arange(len(TEXTS))
    whole = shades.encoded(every, shown)
    monkeypatch.setattr(
        "memtail_core.report.exploration.token_shades._ROOM", len("".join(whole)) - 1
    )
    fewer = shades.encoded(every, shown)
    assert whole[0].startswith("0111") and fewer[0] == "0241"  # <, b, >
    assert {of for runs in fewer for of in runs[::2]} == {"0", "4"}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredStories:
    return stored_stories(tmp_path_factory.mktemp("stories"))


@pytest.fixture(scope="module")
def published(stored: StoredStories) -> tuple[Analysis, str]:
    study, _, store = stored
    trials, _ = loading.load(store, study, values=True)
    analysis = analyse(study, catalogue.load_dataset(store, study), trials)
    publish(store, analysis)
    return analysis, store.get(f"{study.prefix}report/index.html").decode()


def test_the_report_shades_what_models_remember(
    stored: StoredStories, published: tuple[Analysis, str]
) -> None:
    _, dataset, store = stored
    html = published[1]
    losses = loading.load_token_losses(store, stored[0])
    assert losses is not None and dataset.texts is not None
    data = Read(html).json("data")
    texts, runs = data["train"]["text"], data["train"]["shades"]
    assert len(texts) == len(runs) == 60
    for i, (text, pairs) in enumerate(zip(texts, runs, strict=True)):
        levels = [int(of) for of, n in re.findall("(.)(.)", pairs) for _ in range(int(n, 36))]
        levels += [0] * (len(text) - len(levels))
        for t, (start, end) in enumerate(spans(dataset.texts.tokenizer, text, dataset.shape[0])):
            if t:
                nats = losses.difference[i, t - 1]
                assert levels[start:end] == [sum(nats >= at for at in (0.5, 1, 2, 4))] * (
                    end - start
                )
    assert any(runs) == ('class="likelier-1"' in html.split('id="explore-title"')[1])
    assert "times</span> as likely" in html


@pytest.mark.usefixtures("browser")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_shades_are_readable_in_chromium(
    published: tuple[Analysis, str], visit: Visit, tmp_path: Path, scheme: str
) -> None:
    """Lengths are in code points, where JavaScript counts UTF-16 units."""
    analysis = published[0]
    n, length = analysis.trials.n, analysis.dataset.shape[0] - 1
    shades = TokenShades(analysis.dataset, np.full((n, length), 4))
    explored = encoded(explore(analysis, shades=shades))
    explored["train"]["text"][0] = "x👩<b>日本"
    explored["train"]["shades"][0] = "01410332"  # x · 👩 · <b> · 日本
    path = tmp_path / "page.html"
    path.write_text(page(analysis, {}, (), explored, shades=shades), encoding="utf-8")
    seen = visit(f"{path.as_uri()}#train-0", color_scheme=scheme)
    words = seen.page.locator("#example .large .words")
    assert words.text_content() == "x👩<b>日本"
    assert words.locator(".likelier-4").all_text_contents() == ["👩"]
    assert words.locator(".likelier-3").all_text_contents() == ["日本"]
    assert seen.complaints == []
    assert seen.violations() == []
