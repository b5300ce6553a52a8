"""Which class the recipe ``finetune`` is, by its options ``frozen`` and ``head``."""

from typing import Any

from memtail_core.errors import StudyError
from memtail_core.training.recipe import Recipe


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
    if head not in ("linear", "mlp"):
        raise StudyError(f"[training] head = {head!r}: should be 'linear' or 'mlp'")
    from memtail_core.training.backbones.finetuned import Finetuned  # imports torch: seconds
    from memtail_core.training.backbones.frozen import FrozenLinear, FrozenMLP

    if frozen is not True:
        return Finetuned
    return FrozenLinear if head == "linear" else FrozenMLP
