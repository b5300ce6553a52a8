"""Language models that keep the losses of tokens: exact sums, the same models, and their shades."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from memtail_core import catalogue, training
from memtail_core.analysis import Analysis, analyse
from memtail_core.data import Dataset
from memtail_core.data.modalities.text.cleaning import BETWEEN
from memtail_core.data.modalities.text.tokenizing import spans
from memtail_core.errors import DamagedError, EstimationError
from memtail_core.estimation.token_losses import TokenLosses
from memtail_core.plan import designs
from memtail_core.plan.shards import Shard, planned
from memtail_core.report.exploration.token_shades import TokenShades
from memtail_core.report.publication import publish
from memtail_core.running import execution, loading
from memtail_core.running.preparation import prepare
from memtail_core.running.shard_training import ShardTrainer
from memtail_core.store import FilesStore
from memtail_core.study import Spec, Study
from memtail_core.training import Tuning
from tests.report.test_page import Read
from tests.texts import storied

_GPT = {"layers": 1, "width": 8, "heads": 2, "hidden": 8, "batch_size": 16, "epochs": 3}


def language(**study: object) -> tuple[Study, Dataset]:
    spec = Spec.parse(
        {
            "study": {"name": "stories", "shard_size": 4, **study},
            "dataset": {"source": "here", "task": "language-modelling"},
            "training": {"recipe": "gpt", "precision": "float32", **_GPT},
        }
    )
    return prepare(spec, storied())


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Dataset, FilesStore]:
    """Eight models in two shards."""
    study, dataset = language(probabilities=True)
    store = FilesStore(tmp_path_factory.mktemp("stories"))
    catalogue.register(store, study, dataset, 8)
    trainer = ShardTrainer(store, study, "cpu", stack=4)
    for shard in planned(study, 8):
        trainer.train(shard)
    return study, dataset, store


def files(store: FilesStore, study: Study) -> dict[str, bytes]:
    return {key: store.get(key) for key in store.list(f"{study.prefix}probabilities/")}


def test_they_are_sums_of_what_each_model_says_of_each_token(
    stored: tuple[Study, Dataset, FilesStore],
) -> None:
    """Train the models again, and let cross-entropy in float64 say what each token costs."""
    study, dataset, store = stored
    found = loading.load_token_losses(store, study)
    assert found is not None
    subset, seeds = (of(study, range(8)) for of in (designs.subsets, designs.training_seeds))
    documents = torch.from_numpy(dataset.train.whole()).long()
    expected = documents[:, 1:]
    losses = []
    engine = training.restore(study.training).engine("cpu", Tuning(4))
    for some in (slice(0, 4), slice(4, 8)):
        networks, data = engine.train_stack(dataset, subset[some], seeds[some])  # type: ignore[attr-defined]
        logits = networks.logits(data.x_train).double()
        of_each = [
            torch.nn.functional.cross_entropy(each.transpose(1, 2), expected, reduction="none")
            for each in logits
        ]
        losses.append(torch.stack(of_each))
    loss = torch.cat(losses).numpy()
    is_counted = documents.numpy()[:, :-1] > 0
    for i in range(len(documents)):
        inside = subset[:, i]
        assert (found.n_in[i], found.n_out[i]) == (inside.sum(), (~inside).sum())
        expected_difference = loss[~inside, i].mean(0) - loss[inside, i].mean(0)
        n = int(is_counted[i].sum())
        np.testing.assert_allclose(
            found.difference[i, :n], expected_difference[:n], atol=2 * 2.0**-8
        )  # a loss below 16 is within 2⁻⁸ in float16
        assert (found.difference[i, n:] == 0).all()
    assert found.difference[is_counted].mean() > 0.02, "documents are remembered"


def test_they_are_the_same_bits_in_another_order_and_with_other_workers(
    stored: tuple[Study, Dataset, FilesStore], tmp_path: Path
) -> None:
    study, dataset, store = stored
    other = FilesStore(tmp_path)
    execution.run(study, other, dataset, 8, workers=2, stack=4)
    trainer = ShardTrainer(other, study, "cpu", stack=4)
    for shard in reversed(planned(study, 8)):
        trainer.train(shard)
    assert len(files(store, study)) == 2
    assert files(other, study) == files(store, study)
    one, two = (loading.load_token_losses(each, study) for each in (store, other))
    assert one is not None and two is not None
    assert one.difference.tobytes() == two.difference.tobytes()


def test_the_models_are_those_of_the_study_without_them(
    stored: tuple[Study, Dataset, FilesStore], tmp_path: Path
) -> None:
    study, dataset, store = stored
    plain, _ = language()
    assert plain.id != study.id and "probabilities" not in plain.to_json().decode()
    other = FilesStore(tmp_path)
    catalogue.register(other, plain, dataset, 4)
    ShardTrainer(other, plain, "cpu", stack=4).train(Shard(0, 4))
    kept = loading.load_shard(store, study, Shard(0, 4), values=True)
    without = loading.load_shard(other, plain, Shard(0, 4), values=True)
    for name in ("subset", "train_correct", "train_values", "test_values"):
        assert getattr(kept, name).tobytes() == getattr(without, name).tobytes()
    assert loading.load_token_losses(other, plain) is None


def test_a_file_that_is_of_other_models_is_not_added(
    stored: tuple[Study, Dataset, FilesStore], tmp_path: Path
) -> None:
    study, _, store = stored
    other = FilesStore(tmp_path)
    for key in store.list(study.prefix):
        other.put(key, store.get(key))
    first, second = (shard.probabilities_key(study) for shard in planned(study, 8))
    other.put(first, store.get(second))
    with pytest.raises(DamagedError):
        loading.load_token_losses(other, study)
    assert not loading.is_whole(other, study, Shard(0, 4))


def test_documents_have_no_classes(stored: tuple[Study, Dataset, FilesStore]) -> None:
    study, _, store = stored
    with pytest.raises(EstimationError, match="models documents, which have no classes"):
        loading.load_held_out(store, study)


def test_sums_over_no_trials_say_nothing() -> None:
    none = TokenLosses.none(2, 3)
    assert np.isnan(none.difference).all()
    loss = np.array([[[1.5, 0, 2], [1, 1, 1]]], np.float16)
    one = none.plus(TokenLosses.of(np.array([[True, False]]), loss))
    assert (one.total_in / 1024).tolist() == [[1.5, 0, 2], [0, 0, 0]]
    assert (one.total_out / 1024).tolist() == [[0, 0, 0], [1, 1, 1]]


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
        (encoded,) = shades.encoded(np.array([i]), [shown])
        pairs = re.findall("(.)(.)", encoded)
        decoded = [int(of) for of, count in pairs for _ in range(int(count, 36))]
        assert decoded == by_character[: len(decoded)] and not any(by_character[len(decoded) :])


def test_a_text_that_goes_on_is_shaded_as_far_as_it_is_shown(many: Dataset) -> None:
    shades = TokenShades(many, np.full((len(TEXTS), many.shape[0] - 1), 4))
    assert sum(count for _, count in shades.runs(0, "<b>pl…")) == 5
    assert str(shades.html(0, "<b>pl…")).endswith("…")


@pytest.fixture(scope="module")
def published(stored: tuple[Study, Dataset, FilesStore]) -> tuple[Analysis, str]:
    study, _, store = stored
    trials, _ = loading.load(store, study, values=True)
    analysis = analyse(study, catalogue.load_dataset(store, study), trials)
    publish(store, analysis)
    return analysis, store.get(f"{study.prefix}report/index.html").decode()


def test_the_report_shades_what_models_remember(
    stored: tuple[Study, Dataset, FilesStore], published: tuple[Analysis, str]
) -> None:
    _, dataset, store = stored
    html = published[1]
    losses = loading.load_token_losses(store, stored[0])
    assert losses is not None and dataset.texts is not None
    data = Read(html).json("data")
    texts, runs = data["train"]["text"], data["train"]["shades"]
    assert len(texts) == len(runs) == 60
    for i, (text, encoded) in enumerate(zip(texts, runs, strict=True)):
        levels = [int(of) for of, n in re.findall("(.)(.)", encoded) for _ in range(int(n, 36))]
        levels += [0] * (len(text) - len(levels))
        for t, (start, end) in enumerate(spans(dataset.texts.tokenizer, text, dataset.shape[0])):
            if t:
                nats = losses.difference[i, t - 1]
                assert levels[start:end] == [sum(nats >= at for at in (0.5, 1, 2, 4))] * (
                    end - start
                )
    assert any(runs) == ('class="likelier-1"' in html.split('id="explore-title"')[1])
    assert "times</span> as likely" in html
