"""Where backbones come from: torchvision, timm, transformers, the user's code; no hub is asked."""

import builtins
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from memtail_core import training
from memtail_core.data import Dataset, load
from memtail_core.errors import StudyError, TrainingError
from memtail_core.study import DatasetTable
from memtail_core.training.backbones.frozen import Frozen
from tests.training.test_engines import digits

USER = "python:tests.training.backbones.user_backbone"


def resolved(table: dict[str, Any], dataset: Dataset | None = None) -> Any:
    return training.resolve({"recipe": "finetune"} | table, dataset or digits(), 175)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({}, "backbone is missing"),
        ({"backbone": "resnet18"}, "backbone = 'resnet18' is not known .*: write, say"),
        ({"backbone": "torchvisoin:resnet18"}, "did you mean 'torchvision'"),
        ({"backbone": "torchvision:resnet19"}, "torchvision has none .*'resnet18'"),
        ({"backbone": "torchvision:squeezenet1_0"}, "its last layer is not linear"),
        ({"backbone": "torchvision:shufflenet_v2_x0_5"}, "weights is missing: name a file"),
        ({"backbone": "torchscript:a.pt"}, "TorchScript is a program; load it in a function"),
        ({"backbone": f"{USER}:nothing"}, "has no 'nothing'"),
        ({"backbone": f"{USER}:not_a_module"}, "returned int: return a module"),
        ({"backbone": f"{USER}:fails"}, "failed: ValueError: the user's own mistake"),
        ({"backbone": f"{USER}:gives_nothing"}, "does not give a vector for each image"),
        ({"backbone": f"{USER}:small", "size": 4}, "size = 4: .*greater than or equal to 8"),
        ({"backbone": f"{USER}:small", "frozen": "all"}, 'true, false or "last-block"'),
        ({"backbone": f"{USER}:small", "head": "tree"}, "head = 'tree': should be 'linear' or"),
        ({"backbone": f"{USER}:small", "deviation": [0.0]}, "deviation = 0.0: .*greater than 0"),
        ({"backbone": f"{USER}:small", "mean": [0.1, 0.2]}, "mean has 2 numbers: give one of each"),
        (
            {"backbone": f"{USER}:small", "tolerence": 0.1},
            r"tolerence is not a known key .*'tolerance'",
        ),
        ({"backbone": f"{USER}:small", "wieghts": "a"}, "did you mean 'weights'"),
        ({"backbone": f"{USER}:small", "l2": -1.0}, "l2 = -1.0: .*greater than 0"),
        ({"backbone": f"{USER}:small", "widths": [3]}, "widths is not a known key"),
        ({"backbone": f"{USER}:small", "frozen": False, "widths": [3]}, 'is for head = "mlp"'),
        ({"backbone": f"{USER}:small", "frozen": False, "standardize": True}, "standardize = True"),
    ],
)
def test_a_mistake_is_one_sentence(table: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message) as raised:
        resolved(table)
    assert "\n" not in str(raised.value)


def test_images_of_four_channels_and_tables_are_refused() -> None:
    x = np.zeros((8, 16, 16, 4), np.uint8)
    data = Dataset.from_arrays(x, np.arange(8) % 2, x, np.arange(8) % 2)
    table = {"backbone": "torchvision:shufflenet_v2_x0_5", "weights": "w.pt"}
    with pytest.raises(StudyError, match="takes images of 1 or 3 channels; these have 4"):
        resolved(table, data)
    with pytest.raises(StudyError, match="is for images; these data are features: use 'mlp'"):
        resolved(table, load(DatasetTable(source="sklearn:wine")))


def test_features_that_are_not_finite_are_an_error_not_a_score() -> None:
    recipe = resolved({"backbone": f"{USER}:gives_nan"})
    with pytest.raises(TrainingError, match="gives features that are not finite"):
        recipe.engine("cpu").train(digits(), np.ones((1, 250), bool), np.array([0]))


def test_weights_that_need_a_hub_are_one_sentence_without_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def offline(*arguments: Any, **named: Any) -> None:
        raise urllib.error.URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", offline)
    monkeypatch.setattr("torch.hub.urlopen", offline)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(StudyError) as raised:
        resolved({"backbone": "torchvision:shufflenet_v2_x0_5", "weights": "DEFAULT"})
    assert str(raised.value).startswith(
        "[training] weights = 'DEFAULT': cannot download https://download.pytorch.org/models/"
    )
    assert str(raised.value).endswith(
        "(no route to host): fetch it elsewhere and set weights to the file"
    )


def test_published_weights_are_those_of_their_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """``"DEFAULT"`` and the file that it downloads make the same study."""
    import torchvision

    torch.manual_seed(0)
    state = torchvision.models.shufflenet_v2_x0_5().state_dict()
    weights = torchvision.models.ShuffleNet_V2_X0_5_Weights.DEFAULT
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    file = folder / weights.url.rpartition("/")[2]
    torch.save(state, file)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    table = {"backbone": "torchvision:shufflenet_v2_x0_5", "size": 32}
    published = resolved(table | {"weights": "DEFAULT"})
    named = resolved(table | {"weights": "IMAGENET1K_V1"})
    own = resolved(table | {"weights": str(file)})
    assert published.described() == named.described() == own.described()
    assert own.mean == (0.485, 0.456, 0.406)


def test_timm(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    network = timm.create_model("test_resnet.r160_in1k", pretrained=False).eval()
    file = tmp_path / "weights.pt"
    torch.save(network.state_dict(), file)
    table = {"backbone": "timm:test_resnet.r160_in1k", "weights": str(file), "size": 32}
    recipe = resolved(table)
    assert isinstance(recipe, Frozen)
    images = digits().test.whole()[:8]
    found = recipe.extractor.features(images, digits().feed, "cpu")
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = torch.nn.functional.interpolate(x, (32, 32), mode="bilinear", antialias=True)
    mean, deviation = (
        torch.tensor(network.pretrained_cfg[n])[:, None, None] for n in ("mean", "std")
    )
    with torch.inference_mode():
        features = network.forward_features((x.expand(-1, 3, -1, -1) - mean) / deviation)
        expected = network.forward_head(features, pre_logits=True)
    np.testing.assert_allclose(found, expected.numpy(), rtol=1e-3, atol=1e-4)
    with pytest.raises(StudyError, match=r"timm has none .*did you mean"):
        resolved(table | {"backbone": "timm:resnet18x"})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of images that transformers wrote."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        image_size=16,
        patch_size=8,
        hidden_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
    )
    made = tmp_path_factory.mktemp("vit")
    transformers.ViTForImageClassification(config).save_pretrained(made)
    processor = {"image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]}
    (made / "preprocessor_config.json").write_text(json.dumps(processor))
    return made


def test_transformers(folder: Path) -> None:
    from transformers import ViTForImageClassification

    recipe = resolved({"backbone": f"transformers:{folder}", "size": 16})
    assert recipe.backbone == "transformers:vit"
    assert recipe.mean == (0.5, 0.5, 0.5)
    images = digits().test.whole()[:8]
    found = recipe.extractor.features(images, digits().feed, "cpu")
    x = torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255
    x = torch.nn.functional.interpolate(x, (16, 16), mode="bilinear", antialias=True)
    model = ViTForImageClassification.from_pretrained(folder, local_files_only=True).eval()
    with torch.inference_mode():
        hidden = model.vit(pixel_values=(x.expand(-1, 3, -1, -1) - 0.5) / 0.5).last_hidden_state
    np.testing.assert_allclose(found, hidden[:, 0].numpy(), rtol=1e-3, atol=1e-4)


def test_transformers_trains_from_its_weights_too(folder: Path) -> None:
    table = {"backbone": f"transformers:{folder}", "size": 16, "frozen": "last-block", "epochs": 1}
    recipe = resolved(table)
    network = recipe.network((1, 8, 8), 10)
    trained = {name for name, _ in network.named_parameters()}
    assert all(name.startswith(("head.", "body.model.")) for name in trained)
    assert not any("embeddings" in name or ".layers.0." in name for name in trained)
    assert any(".1." in name for name in trained)
    assert "body.model.layernorm.weight" in trained


def test_a_folder_of_transformers_that_will_not_do_is_one_sentence(
    folder: Path, tmp_path: Path
) -> None:
    from transformers import BertConfig, BertModel

    text = tmp_path / "text"
    BertModel(
        BertConfig(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    ).save_pretrained(text)
    strange, empty, own = (tmp_path / name for name in ("strange", "empty", "own"))
    for each, config in (
        (strange, "no JSON"),
        (empty, (folder / "config.json").read_text()),
        (own, json.dumps({"model_type": "mine", "auto_map": {"AutoModel": "evil.Model"}})),
    ):
        each.mkdir()
        (each / "config.json").write_text(config)
    (own / "evil.py").write_text("raise SystemExit('executed')")
    (own / "model.safetensors").write_bytes((folder / "model.safetensors").read_bytes())
    messages = {
        tmp_path / "nothing": "there is no folder with a config.json; nothing is downloaded",
        text: "is not a model of images but of input_ids: only images are supported",
        strange: "is not JSON",
        empty: "transformers cannot read model.safetensors in that folder",
        own: "cannot build a model of type 'mine'",
    }
    for each, message in messages.items():
        with pytest.raises(StudyError, match=message) as raised:
            resolved({"backbone": f"transformers:{each}"})
        assert "\n" not in str(raised.value)


@pytest.mark.parametrize("library", ["timm", "transformers", "safetensors"])
def test_a_library_that_is_missing_is_one_sentence(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original: Callable[..., Any] = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.partition(".")[0] == library:
            raise ImportError(f"No module named '{name}'")
        return original(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    (tmp_path / "model.safetensors").write_text("")
    table = {
        "timm": {"backbone": "timm:resnet18", "weights": "DEFAULT"},
        "transformers": {"backbone": f"transformers:{tmp_path}"},
        "safetensors": {
            "backbone": "torchvision:shufflenet_v2_x0_5",
            "weights": str(tmp_path / "model.safetensors"),
        },
    }[library]
    with pytest.raises(StudyError, match=rf"{library}: pip install 'memtail\[backbones\]'"):
        resolved(table)


def test_torchscript_of_ones_own_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the message about TorchScript says."""
    from tests.training.backbones.user_backbone import small

    monkeypatch.chdir(tmp_path)
    torch.jit.script(small()).save("scripted.pt")
    scripted, plain = (resolved({"backbone": f"{USER}:{name}"}) for name in ("scripted", "small"))
    images = digits().test.whole()
    one, other = (r.extractor.features(images, digits().feed, "cpu") for r in (scripted, plain))
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
