"""The features of a trained network: the inputs of its last layer."""

import torch

from memtail_core.approximations.run import Networks, Part
from memtail_core.store.archive import Arrays
from memtail_core.training.gradient.representation import last_linear

_ROWS = 512


def last_features(networks: Networks) -> Arrays:
    """The inputs of the trained network's last layer: float32 [n, d] and [n_test, d]."""
    data, network = networks.setting.data, networks.at(-1)
    batches: list[torch.Tensor] = []
    last = last_linear(network)
    if last is None:
        raise ValueError("the network has no linear layer")
    hook = last.register_forward_pre_hook(lambda _, inputs: batches.append(inputs[0]))
    features = {}
    with torch.inference_mode():
        for name, x in (("train", data.x_train), ("test", data.x_test)):
            for rows in x.split(_ROWS):
                network(data.inputs(rows))
            features[name] = torch.cat(batches).cpu().numpy()
            batches.clear()
    hook.remove()
    return features


FEATURES = Part("features", last_features)
