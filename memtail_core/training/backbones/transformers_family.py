"""Backbones in a folder that Hugging Face's transformers wrote, read without a hub.

The folder's ``config.json`` says which architecture of the library it is. Code that a folder brings
along is never run, and weights are read by :mod:`.weight_files`, not by the library.
"""

from pathlib import Path
from typing import Any

import pydantic_core
from torch import Tensor, nn

from memtail_core.errors import StudyError
from memtail_core.training.backbones import weight_files
from memtail_core.training.backbones.family import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    Pretrained,
)

_WEIGHTS = ("model.safetensors", "pytorch_model.bin")


class Transformers:
    """``transformers:FOLDER``, a model of images that ``save_pretrained`` wrote.

    Its features are what the model calls its pooled output, or else the first token of its last
    layer. A study keeps the content of ``config.json`` with the weights, so workers need no folder.
    """

    channels: int | None = 3

    def pretrained(self, name: str, weights: str | None) -> Pretrained:
        """See :class:`~.family.Family`."""
        folder = Path(name).expanduser()
        what = f"[training] backbone = 'transformers:{name}'"
        if not (folder / "config.json").is_file():
            raise StudyError(
                f"{what}: there is no folder with a config.json; nothing is downloaded, so give "
                "the folder that save_pretrained wrote"
            )
        config = (folder / "config.json").read_text(encoding="utf-8")
        kind = _document(config, what).get("model_type", "")
        file = next((folder / each for each in _WEIGHTS if (folder / each).is_file()), None)
        if weights is None and file is None:
            raise StudyError(f"{what}: the folder has no {_WEIGHTS[0]}")
        body = _Features(_built(config, what), what)
        state = body.named_as_here(weight_files.read(weights or str(file)))
        head = tuple({key.partition(".")[0] for key in state} - {"model"})
        kept = weight_files.fitted(body, state, head, f"backbone = 'transformers:{name}'", config)
        mean, deviation = _scaling(folder, what)
        return Pretrained(str(kind), kept, mean, deviation)

    def body(self, name: str, config: str) -> nn.Module:
        """See :class:`~.family.Family`."""
        what = f"[training] backbone = 'transformers:{name}'"
        return _Features(_built(config, what), what)


class _Features(nn.Module):
    """A model of transformers as a function from images to features."""

    def __init__(self, model: Any, what: str) -> None:
        super().__init__()
        if model.main_input_name != "pixel_values":
            raise StudyError(
                f"{what} is not a model of images but of {model.main_input_name}: only images are "
                "supported"
            )
        # Classifiers are saved without a pooling layer, which would be random: the same features
        # come of both.
        if isinstance(getattr(model, "pooler", None), nn.Module) and list(
            model.pooler.parameters()
        ):
            model.pooler = None
        self.model = model

    def named_as_here(self, state: dict[str, Tensor]) -> dict[str, Tensor]:
        """Name the tensors of a file as this module does; those of a head keep their names."""
        prefix = f"{self.model.base_model_prefix}."
        own = self.model.state_dict()
        if any(name.startswith(prefix) for name in state):  # of a classifier with a base model
            base = {n.removeprefix(prefix): t for n, t in state.items() if n.startswith(prefix)}
        else:
            base = state
        named = {f"model.{name}": tensor for name, tensor in base.items() if name in own}
        rest = {name: t for name, t in base.items() if name not in own}
        return named | rest

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.model(pixel_values=x)
        pooled = getattr(outputs, "pooler_output", None)
        features: Tensor = outputs.last_hidden_state[:, 0] if pooled is None else pooled
        return features.flatten(1)


def _built(config: str, what: str) -> Any:
    """The architecture that a config describes, one of the library's own."""
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError as error:
        raise StudyError(
            f"{what} needs the package transformers: pip install 'memtail[backbones]'"
        ) from error
    about = _document(config, what)
    kind = about.pop("model_type", None)
    about.pop("auto_map", None)  # names code that the folder brings along
    try:
        return AutoModel.from_config(AutoConfig.for_model(kind, **about))
    except Exception as error:  # an unknown model, or options that do not go together
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StudyError(
            f"{what}: transformers cannot build a model of type {kind!r}: {reason[:200]}"
        ) from error


def _scaling(folder: Path, what: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The mean and the deviation that the folder's image processor subtracts and divides by."""
    file = folder / "preprocessor_config.json"
    about = _document(file.read_text(encoding="utf-8"), what) if file.is_file() else {}
    if about.get("do_normalize") is False:
        return (0.0,), (1.0,)
    given = (about.get("image_mean", IMAGENET_MEAN), about.get("image_std", IMAGENET_DEVIATION))
    mean, deviation = (tuple(map(float, each)) for each in given)
    return mean, deviation


def _document(text: str, what: str) -> dict[str, Any]:
    try:
        document = pydantic_core.from_json(text)
    except ValueError as error:
        raise StudyError(f"{what}: a file of its configuration is not JSON: {error}") from error
    if not isinstance(document, dict):
        raise StudyError(f"{what}: a file of its configuration holds no settings")
    return document
