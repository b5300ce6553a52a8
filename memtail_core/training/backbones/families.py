"""Every family of backbones by its name. A new one adds a line here."""

from memtail_core.errors import StudyError, did_you_mean
from memtail_core.training.backbones.family import Family
from memtail_core.training.backbones.python_family import Python
from memtail_core.training.backbones.timm_family import Timm
from memtail_core.training.backbones.torchvision_family import Torchvision
from memtail_core.training.backbones.transformers_family import Transformers

FAMILIES: dict[str, Family] = {
    "torchvision": Torchvision(),
    "timm": Timm(),
    "transformers": Transformers(),
    "python": Python(),
}


def family_of(backbone: str) -> tuple[Family, str]:
    """The family that a backbone is of, and its name there.

    Raises:
        StudyError: there is no such family.
    """
    family, is_named, name = backbone.partition(":")
    if family == "torchscript":
        raise StudyError(
            "[training] backbone = 'torchscript:…': TorchScript is a program; load it in a "
            "function of yours, backbone = 'python:module:function', which workers must allow"
        )
    if family not in FAMILIES or not (is_named and name):
        hint = did_you_mean(family, list(FAMILIES))
        raise StudyError(
            f"[training] backbone = '{backbone}' is not known{hint}: write, say, "
            "'torchvision:resnet18'"
        )
    return FAMILIES[family], name
