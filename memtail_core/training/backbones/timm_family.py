"""Backbones of timm, the PyTorch image models of Ross Wightman and others."""

from typing import Any

from torch import nn

from memtail_core.errors import StudyError, did_you_mean
from memtail_core.training.backbones import weight_files
from memtail_core.training.backbones.family import Pretrained


class Timm:
    """``timm:resnet18``; ``"DEFAULT"`` weights are downloaded once by timm, from their hub."""

    channels: int | None = 3

    def pretrained(self, name: str, weights: str | None) -> Pretrained:
        """See :class:`~.family.Family`."""
        if weights is None:
            raise StudyError(
                f"[training] weights is missing: name a file for 'timm:{name}', or 'DEFAULT'"
            )
        body: Any = self.body(name, "")
        about = body.pretrained_cfg
        if weights == "DEFAULT":
            found = weight_files.weights_of(_downloaded(name))
        else:
            head = about.get("classifier") or ()
            layers = (head,) if isinstance(head, str) else tuple(head)
            state = weight_files.read(weights)
            found = weight_files.fitted(body, state, layers, f"weights = '{weights}'")
        return Pretrained(name, found, tuple(about["mean"]), tuple(about["std"]))

    def body(self, name: str, config: str) -> nn.Module:
        """See :class:`~.family.Family`."""
        del config
        return _created(name, is_pretrained=False)


def _created(name: str, *, is_pretrained: bool) -> nn.Module:
    try:
        import timm
    except ImportError as error:
        raise StudyError(
            f"[training] backbone = 'timm:{name}' needs the package timm: pip install "
            "'memtail[backbones]'"
        ) from error
    if not timm.is_model(name):
        hint = did_you_mean(name, timm.list_models())
        raise StudyError(f"[training] backbone = 'timm:{name}': timm has none{hint}")
    made: nn.Module = timm.create_model(name, pretrained=is_pretrained, num_classes=0)
    return made


def _downloaded(name: str) -> nn.Module:
    try:
        return _created(name, is_pretrained=True)
    except StudyError:
        raise
    except Exception as error:  # of the hub, the network, or a model without published weights
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StudyError(
            f"[training] weights = 'DEFAULT': cannot get those of 'timm:{name}' from their hub "
            f"({reason[:200]}): fetch them elsewhere and set weights to the file"
        ) from error
