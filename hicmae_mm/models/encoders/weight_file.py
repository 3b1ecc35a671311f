"""Weights of a local file for a model of another library."""

from __future__ import annotations

from pathlib import Path

from torch import nn


def load_weight_file(net: nn.Module, path: str, unused: tuple[str, ...] = (), prefix: str = '') -> None:
    """Loads every parameter of a module from a file.

    Args:
        net: The module.
        path: A ``.safetensors`` file, or a ``.pth`` file that holds tensors only.
        unused: First parts of names that the file may have besides, such as those of a classifier.
        prefix: Start of the names of the module in a file of a whole model. A file without it holds only the module.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the file is damaged or would run code, or its weights are of another model.
    """
    from timm.models import load_state_dict

    if not Path(path).is_file():
        raise FileNotFoundError(f'the file of weights {path} does not exist (nothing is downloaded)')
    try:
        weights = load_state_dict(path, device='cpu', weights_only=True)
    except Exception as error:  # pickle, zip and safetensors have errors of their own
        reason = ' '.join(str(error).split())[:160]
        raise ValueError(f'{path}: not a file of weights that holds tensors only ({reason})') from error
    if prefix and any(name.startswith(prefix) for name in weights):
        weights = {name[len(prefix) :]: value for name, value in weights.items() if name.startswith(prefix)}
    own = net.state_dict()
    missing = sorted(own.keys() - weights.keys())
    foreign = sorted(name for name in weights.keys() - own.keys() if name.partition('.')[0] not in unused)
    if missing or foreign:
        kind, names = ('lacks', missing) if missing else ('has more than the model:', foreign)
        raise ValueError(f'{path} {kind} {len(names)} parameters, such as {names[0]!r}; it belongs to another model')
    wrong = [name for name, value in own.items() if value.shape != weights[name].shape]
    if wrong:
        shapes = tuple(weights[wrong[0]].shape), tuple(own[wrong[0]].shape)
        raise ValueError(f'{path}: {wrong[0]} has the shape {shapes[0]}, the model needs {shapes[1]}')
    net.load_state_dict({name: weights[name] for name in own})
