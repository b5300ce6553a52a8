"""The last block of a body, and how everything before it is held fixed."""

from torch import nn

_ALMOST_ALL = 0.9  # of the weights: a part with more is not a block but holds the blocks


def fix_before_last_block(body: nn.Module) -> list[nn.Module]:
    """Hold all weights before a body's last block fixed; return the modules that they are of.

    The last block is the last part, in the order in which the network lists them, that is not a
    mere normalisation; a mere list, and a part with nine tenths of the weights, is entered. Of a
    ResNet it is ``layer4``, of a transformer the last layer. What follows it is trained too. Fixed
    weights become buffers, so that an optimizer does not find them. Put the modules in inference
    mode: then their normalisations are fixed too.
    """
    block, around = _last_block(body), {body}
    before: list[nn.Module] = []
    for module in body.modules():
        if module is block:
            break
        if any(each is block for each in module.modules()):
            around.add(module)
        else:
            before.append(module)
    for module in (*around, *before):
        for name, weight in list(module.named_parameters(recurse=False)):
            delattr(module, name)
            module.register_buffer(name, weight.detach())
    return before


def _last_block(module: nn.Module) -> nn.Module:
    parts = [part for part in module.children() if _n_weights(part)]
    blocks = [part for part in parts if any(weight.ndim > 1 for weight in part.parameters())]
    if not blocks:
        return module
    last = blocks[-1]
    is_holder = isinstance(last, nn.ModuleList)
    is_holder |= _n_weights(last) > _ALMOST_ALL * sum(map(_n_weights, parts))
    return _last_block(last) if is_holder and any(map(_n_weights, last.children())) else last


def _n_weights(module: nn.Module) -> int:
    return sum(weight.numel() for weight in module.parameters())
