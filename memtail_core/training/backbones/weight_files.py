"""Reads a user's file of weights, and fits it to a body.

Of a safetensors and of an npz file only numbers are read. A file of torch.save is a pickle: torch's
restricted reader takes tensors and plain containers from it and refuses everything else, so no code
in it is run.
"""

import pickle
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from memtail_core.data.weights import Weights
from memtail_core.errors import StudyError

_NESTED = ("state_dict", "model_state_dict", "model")  # where checkpoints keep the weights
_WRAPPED = ("module.", "_orig_mod.")  # before each name, of data parallel and compiled networks
_COUNTED = "num_batches_tracked"  # which files of old versions lack

State = dict[str, Tensor]


def read(path: str) -> State:
    """Read the tensors of a file by name: .safetensors, .npz, or what torch.save wrote.

    Raises:
        StudyError: there is no such file, or it holds anything but weights.
    """
    file = Path(path).expanduser()
    where = f"[training] weights = '{path}'"
    if not file.is_file():
        raise StudyError(f"{where}: there is no such file")
    try:
        state = _state(file, where)
    except (StudyError, MemoryError):
        raise
    except pickle.UnpicklingError as error:
        raise StudyError(
            f"{where} is a pickle of more than weights, which memtail does not unpickle: save the "
            "network's state_dict() alone, best as safetensors"
        ) from error
    except Exception as error:  # zipfile, numpy, torch and safetensors raise a dozen kinds
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise StudyError(f"{where} cannot be read as weights: {reason[:200]}") from error
    for prefix in _WRAPPED:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): tensor for name, tensor in state.items()}
    return state


def fitted(body: nn.Module, state: Mapping[str, Tensor], head: Sequence[str], what: str) -> Weights:
    """Load a state into a body; return all of the body's state.

    Args:
        body: whose names and shapes the state must have.
        state: may also have layers that the body lacks, if they are named in ``head``.
        head: the names of the layers that were removed from the body.
        what: the beginning of messages: ``weights = 'resnet18.pt'``.

    Raises:
        StudyError: it is the state of another network, or not finite.
    """
    own = body.state_dict()
    given = {name: t for name, t in state.items() if name in own or not _is_of(name, head)}
    strange = [name for name in given if name not in own]
    missing = [name for name in own if name not in given and not name.endswith(_COUNTED)]
    if missing or strange:
        wrong = f"lacks {_first(missing)}" if missing else f"has {_first(strange)} as well"
        raise StudyError(f"[training] {what} is of another network: it {wrong}")
    for name, tensor in given.items():
        if tensor.shape != own[name].shape:
            theirs, ours = list(tensor.shape), list(own[name].shape)
            raise StudyError(
                f"[training] {what} is of another network: {name} is {theirs}, not {ours}"
            )
    body.load_state_dict(given, strict=False)
    for name, tensor in given.items():
        if not bool(tensor.isfinite().all()):
            raise StudyError(f"[training] {what}: {name} is not finite")
    return weights_of(body)


def weights_of(body: nn.Module, config: str = "") -> Weights:
    """The state of a body, floats as float32."""
    arrays = {}
    for name, given in body.state_dict().items():
        tensor = given.detach().cpu()
        arrays[name] = (tensor.float() if tensor.is_floating_point() else tensor).numpy().copy()
    return Weights(arrays, config)


def _state(file: Path, where: str) -> State:
    if file.suffix == ".safetensors":
        return dict(_safetensors().load_file(file))
    if file.suffix == ".npz":
        with np.load(file, allow_pickle=False) as arrays:
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files}
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            if any(name.endswith("constants.pkl") for name in archive.namelist()):
                raise StudyError(
                    f"{where} is TorchScript, a program and not only weights: load it in a "
                    "function of yours, backbone = 'python:module:function'"
                )
    state = torch.load(file, map_location="cpu", weights_only=True)
    for key in _NESTED:
        if isinstance(state, dict) and isinstance(state.get(key), dict):
            state = state[key]
    if not isinstance(state, dict) or not state:
        raise StudyError(f"{where} holds no weights by name: save the network's state_dict()")
    for name, tensor in state.items():
        if not (isinstance(name, str) and isinstance(tensor, Tensor)):
            kind = type(tensor).__name__
            raise StudyError(f"{where}: {str(name)[:60]!r} is no tensor but {kind}")
    return state


def _safetensors() -> Any:
    try:
        import safetensors.torch
    except ImportError as error:
        raise StudyError(
            "reading .safetensors needs the package safetensors: pip install 'memtail[backbones]'"
        ) from error
    return safetensors.torch


def _is_of(name: str, layers: Sequence[str]) -> bool:
    return any(name == layer or name.startswith(f"{layer}.") for layer in layers)


def _first(names: Sequence[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"'{names[0]}'{more}"
