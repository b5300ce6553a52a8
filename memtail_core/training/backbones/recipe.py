"""Which class the recipe ``finetune`` is, by its options ``frozen`` and ``head``."""

from typing import Any

from memtail_core.errors import StudyError
from memtail_core.training.backbones.finetuned import Finetuned
from memtail_core.training.backbones.frozen import FrozenLinear, FrozenMLP
from memtail_core.training.recipe import Recipe

_FROZEN: dict[str, type[Recipe]] = {"linear": FrozenLinear, "mlp": FrozenMLP}


def finetune(training: dict[str, Any]) -> type[Recipe]:
    """The class that these options are of.

    Raises:
        StudyError: an option has another value.
    """
    if "backbone" not in training:
        raise StudyError("[training] backbone is missing: write, say, 'torchvision:resnet18'")
    frozen, head = training.get("frozen", True), training.get("head", "linear")
    if not (isinstance(frozen, bool) or frozen == "last-block"):
        raise StudyError(f'[training] frozen = {frozen!r}: should be true, false or "last-block"')
    if head not in _FROZEN:
        raise StudyError(f"[training] head = {head!r}: should be 'linear' or 'mlp'")
    return _FROZEN[head] if frozen is True else Finetuned
