"""Backbones of torchvision: its classification networks without their last linear layer."""

from typing import Any

from torch import nn

from memtail_core.errors import StudyError, did_you_mean
from memtail_core.training.backbones import weight_files
from memtail_core.training.backbones.family import Pretrained

_AUXILIARY = ("aux1", "aux2", "AuxLogits")  # heads of GoogLeNet and Inception


class Torchvision:
    """``torchvision:resnet18``; ``"DEFAULT"`` and the like are downloaded once by torchvision."""

    channels: int | None = 3

    def pretrained(self, name: str, weights: str | None) -> Pretrained:
        """See :class:`~.family.Family`."""
        body, head = _split(name)
        published = _published(name)
        if weights is None:
            raise StudyError(
                f"[training] weights is missing: name a file for 'torchvision:{name}', or 'DEFAULT'"
            )
        if weights not in published:
            state = weight_files.read(weights)
            fitted = weight_files.fitted(body, state, (head, *_AUXILIARY), f"weights = '{weights}'")
            return Pretrained(name, fitted)
        chosen = published[weights]
        try:
            state = chosen.get_state_dict(progress=False, check_hash=True, weights_only=True)
        except (OSError, RuntimeError) as error:  # URLError is an OSError
            reason = getattr(error, "reason", None) or next(iter(str(error).splitlines()), "")
            raise StudyError(
                f"[training] weights = '{weights}': cannot download {chosen.url} ({reason}): fetch "
                "it elsewhere and set weights to the file"
            ) from error
        preset = chosen.transforms()
        what = f"weights = '{weights}'"
        return Pretrained(
            name,
            weight_files.fitted(body, state, (head, *_AUXILIARY), what),
            tuple(preset.mean),
            tuple(preset.std),
        )

    def body(self, name: str, config: str) -> nn.Module:
        """See :class:`~.family.Family`."""
        del config
        return _split(name)[0]


def _split(name: str) -> tuple[nn.Module, str]:
    """A network of this name without its last linear layer, and what that layer is called."""
    import torchvision.models  # slow to import

    known = torchvision.models.list_models(module=torchvision.models)
    if name not in known:
        hint = did_you_mean(name, [m for m in known if m[:6] in ("resnet", "vit_b_", "convne")])
        raise StudyError(f"[training] backbone = 'torchvision:{name}': torchvision has none{hint}")
    network = torchvision.models.get_model(name, weights=None)
    linear = [name for name, layer in network.named_modules() if isinstance(layer, nn.Linear)]
    if not linear:
        raise StudyError(
            f"[training] backbone = 'torchvision:{name}': its last layer is not linear, so it has "
            "no features; use, say, 'torchvision:resnet18'"
        )
    network.set_submodule(linear[-1], nn.Identity())
    return network, linear[-1]


def _published(name: str) -> dict[str, Any]:
    """The published weights of a network by name, ``"DEFAULT"`` among them."""
    import torchvision.models

    return dict(torchvision.models.get_model_weights(name).__members__)
