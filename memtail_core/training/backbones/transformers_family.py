"""Backbones in a folder that Hugging Face's transformers wrote, read without a hub.

The folder's ``config.json`` says which architecture of the library it is. Code that a folder brings
along is never run, and of weights only safetensors are read, which hold numbers and nothing else.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pydantic_core
import torch
from torch import Tensor, nn

from memtail_core.errors import StudyError
from memtail_core.training.backbones import weight_files
from memtail_core.training.backbones.family import (
    IMAGENET_DEVIATION,
    IMAGENET_MEAN,
    Pretrained,
)
from memtail_core.training.device import own_randomness

_POOLER = "pooler."  # a layer that classifiers are saved without


class Transformers:
    """``transformers:FOLDER``, a model of images that ``save_pretrained`` wrote.

    Its features are what the model calls its pooled output, where no weights make it, or else the
    first token of its last layer. A study keeps the content of ``config.json`` with the weights, so
    workers need no folder.
    """

    channels: int | None = 3

    def pretrained(self, name: str, weights: str | None) -> Pretrained:
        """See :class:`~.family.Family`."""
        folder = Path(name).expanduser()
        what = f"[training] backbone = 'transformers:{name}'"
        if weights is not None:
            raise StudyError(f"{what}: leave out weights; they are those of the folder")
        if not (folder / "config.json").is_file():
            raise StudyError(
                f"{what}: there is no folder with a config.json; nothing is downloaded, so give "
                "the folder that save_pretrained wrote"
            )
        config = (folder / "config.json").read_text(encoding="utf-8")
        kind = str(_document(config, what).get("model_type", ""))
        with torch.device("meta"):  # refused before anything is read
            _Features(_built(config, what), what)
        body = _Features(_loaded(folder, what), what)
        mean, deviation = _scaling(folder, what)
        return Pretrained(kind, weight_files.weights_of(body, config), mean, deviation)

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
        pooler = getattr(model, "pooler", None)
        if isinstance(pooler, nn.Module) and any(True for _ in pooler.parameters()):
            model.pooler = None  # of a folder of a classifier it would be random
        self.model = model

    def forward(self, x: Tensor) -> Tensor:
        outputs = self.model(pixel_values=x)
        pooled = getattr(outputs, "pooler_output", None)
        features: Tensor = outputs.last_hidden_state[:, 0] if pooled is None else pooled
        return features.flatten(1)


def _library(what: str) -> Any:
    try:
        import transformers
    except ImportError as error:
        raise StudyError(
            f"{what} needs the package transformers: pip install 'memtail[backbones]'"
        ) from error
    return transformers


def _built(config: str, what: str) -> Any:
    """The architecture that a config describes, one of the library's own, with random weights."""
    library, about = _library(what), _document(config, what)
    kind = about.pop("model_type", None)
    about.pop("auto_map", None)  # names code that the folder brings along
    with _explained(f"{what}: transformers cannot build a model of type {kind!r}"):
        return library.AutoModel.from_config(library.AutoConfig.for_model(kind, **about))


def _loaded(folder: Path, what: str) -> Any:
    """The model of a folder, all of whose weights are there."""
    library = _library(what)
    library.logging.set_verbosity_error()
    library.utils.logging.disable_progress_bar()
    with (
        _explained(f"{what}: transformers cannot read model.safetensors in that folder"),
        own_randomness(torch.device("cpu")),
    ):
        model, account = library.AutoModel.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            output_loading_info=True,
            dtype=torch.float32,
        )
    missing = [name for name in sorted(account["missing_keys"]) if _POOLER not in name]
    missing += sorted(map(str, account["mismatched_keys"]))
    if missing:
        raise StudyError(f"{what}: the weights of {missing[0]} are not in that folder")
    return model


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """Raise StudyError for what transformers raises, a dozen kinds of errors in many lines."""
    try:
        yield
    except Exception as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StudyError(f"{what}: {reason[:200]}") from error


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
