"""A user's file of weights: three formats, one digest; what is no weights is one sentence."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from memtail_core.data.weights import PREFIX, Weights, keep, kept, weights_key
from memtail_core.errors import DamagedError, MachineError, StudyError
from memtail_core.settings import settings
from memtail_core.store import FilesStore
from memtail_core.training.backbones import weight_files
from tests.training.backbones.user_backbone import small


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    return dict(small().state_dict())


def written(state: dict[str, torch.Tensor], folder: Path) -> list[str]:
    """The same weights in every form that is read."""
    from safetensors.torch import save_file

    head = {"head.weight": torch.zeros(3, 256)}
    torch.save(state, folder / "plain.pt")
    torch.save({"epoch": 3, "model": state | head}, folder / "checkpoint.pth")
    torch.save({f"module.{name}": t for name, t in state.items()}, folder / "parallel.pt")
    torch.save(
        {n: t.double() if t.is_floating_point() else t for n, t in state.items()},
        folder / "double.pt",
    )
    save_file(state | head, folder / "weights.safetensors")
    np.savez(folder / "weights.npz", **{name: t.numpy() for name, t in state.items()})
    return sorted(str(file) for file in folder.iterdir())


def fitted(path: str) -> Weights:
    body = small()
    for weight in body.parameters():
        nn.init.zeros_(weight)
    return weight_files.fitted(body, weight_files.read(path), ("head",), f"weights = '{path}'")


def test_all_formats_are_the_same_weights(state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    expected = weight_files.weights_of(small())
    for path in written(state, tmp_path):
        found = fitted(path)
        assert found.sha256 == expected.sha256, path
        assert found.arrays.keys() == expected.arrays.keys()
    changed = {name: t + (name == "0.0.bias") for name, t in state.items()}
    torch.save(changed, tmp_path / "changed.pt")
    assert fitted(str(tmp_path / "changed.pt")).sha256 != expected.sha256


class _Attack:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("attacked",)


def test_nothing_in_a_file_is_executed(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save(state | {"0.0.bias": _Attack()}, "attack.pt")
    np.savez("attack.npz", **{"0.0.bias": np.array(_Attack(), object)}, allow_pickle=True)
    with pytest.raises(StudyError, match="which memtail does not unpickle: save the network's"):
        weight_files.read("attack.pt")
    with pytest.raises(StudyError, match="cannot be read as weights: Object arrays"):
        weight_files.read("attack.npz")
    assert not Path("attacked").exists()


def test_what_is_no_weights_is_one_sentence(
    state: dict[str, torch.Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text.pt").write_text("no weights")
    Path("text.safetensors").write_text("no weights")
    Path("text.npz").write_text("no weights")
    torch.save([1, 2], "list.pt")
    torch.save({"a": 3}, "number.pt")
    torch.jit.script(small()).save("scripted.pt")
    some = dict(list(state.items())[1:])
    torch.save(some, "less.pt")
    torch.save(state | {"more.weight": torch.zeros(2)}, "more.pt")
    torch.save(state | {"0.0.bias": torch.zeros(9)}, "shape.pt")
    torch.save(state | {"0.0.bias": torch.full((8,), torch.nan)}, "nan.pt")
    messages = {
        "nothing.pt": "there is no such file",
        "text.pt": "more than weights|cannot be read",
        "text.safetensors": "cannot be read as weights",
        "text.npz": "cannot be read as weights",
        "list.pt": "holds no weights by name",
        "number.pt": "'a' is no tensor but int",
        "scripted.pt": "is TorchScript, a program .* 'python:module:function'",
        "less.pt": "is of another network: it lacks '0.0.weight'",
        "more.pt": "is of another network: it has 'more.weight' as well",
        "shape.pt": r"0.0.bias is \[9\], not \[8\]",
        "nan.pt": "0.0.bias is not finite",
    }
    for path, message in messages.items():
        with pytest.raises(StudyError, match=message) as raised:
            fitted(path)
        assert "\n" not in str(raised.value), path
        assert str(raised.value).startswith(f"[training] weights = '{path}'"), path


def test_kept_weights_are_verified() -> None:
    weights = Weights({"b": np.arange(3.0, dtype=np.float32), "a": np.array(2)}, '{"k": 1}')
    named = keep(weights)
    sha256 = named.removeprefix(PREFIX)
    assert sha256 == weights.sha256
    again = kept(sha256)
    assert (list(again.arrays), again.config) == (["b", "a"], '{"k": 1}')
    assert Weights.decoded(weights.encoded(), sha256).arrays["a"] == 2
    with pytest.raises(DamagedError, match="other weights"):
        Weights.decoded(weights.encoded(), "0" * 64)
    cache = FilesStore(settings().cache)
    content = bytearray(cache.get(weights_key(sha256)))
    content[80] ^= 1
    cache.put(weights_key(sha256), bytes(content))
    kept.cache_clear()
    with pytest.raises(MachineError, match="were damaged in the cache of this machine"):
        kept(sha256)
    with pytest.raises(MachineError, match="are not in the cache of this machine: run the study"):
        kept(sha256)
