"""Names of parameters in layers that carry an adapter.

An adapted layer keeps the layer that it replaces as its child ``base_layer``. Checkpoints do not show that: the weight
of the layer keeps the name that it has in a model without adapters, and the adapter's own weights stand beside it.
``qkv.base_layer.weight`` is stored as ``qkv.weight``, and ``qkv.lora_A.default.weight`` as ``qkv.lora_A.weight``. So
checkpoints of models without adapters can be loaded into models with them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from torch import Tensor, nn

BASE = 'base_layer'  # as in peft
_BASE = re.compile(rf'(^|\.){BASE}\.')
_SINGLE = re.compile(r'((?:^|\.)lora_\w+)\.default(?=\.|$)')  # peft's name of the only adapter of a layer
_OWN = re.compile(r'\.(lora_\w+|bottleneck)\.')


def adapted_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yields the name and the module of every layer of a model that carries an adapter."""
    for name, module in model.named_modules():
        if is_adapted(module):
            yield name, module


def is_adapted(module: nn.Module) -> bool:
    """Tells whether a module is a layer with an adapter."""
    return isinstance(getattr(module, BASE, None), nn.Module)


def stored_name(name: str) -> str:
    """Returns the name of a parameter in checkpoints.

    Example:
        >>> stored_name('blocks.0.attn.qkv.base_layer.weight'), stored_name('blocks.0.attn.qkv.lora_A.default.weight')
        ('blocks.0.attn.qkv.weight', 'blocks.0.attn.qkv.lora_A.weight')
    """
    return _SINGLE.sub(r'\1', _BASE.sub(r'\1', name))


def is_adapter_weight(name: str) -> bool:
    """Tells whether a name of a checkpoint belongs to an adapter.

    Example:
        >>> is_adapter_weight('blocks.0.attn.qkv.lora_A.weight'), is_adapter_weight('blocks.0.attn.qkv.weight')
        (True, False)
    """
    return _OWN.search(name) is not None


def layer_weight_name(model: nn.Module, name: str) -> str:
    """Returns the name that the weight of an adapted layer has without the adapter; other names stay as they are.

    Args:
        model: The model.
        name: Name of a parameter of the model, of an adapter or not.
    """
    parts, module = name.split('.'), model
    for index, part in enumerate(parts):
        if is_adapted(module):
            return '.'.join([*parts[:index], 'weight'])
        inner = getattr(module, part)
        if not isinstance(inner, nn.Module):
            break
        module = inner
    return name


def hide_base_layer(layer: nn.Module) -> None:
    """Makes an adapted layer save and load its parameters by the names of :func:`stored_name`."""
    layer.register_state_dict_post_hook(_rename_saved)
    layer.register_load_state_dict_pre_hook(_rename_loaded)


def _rename_saved(_: nn.Module, state: dict[str, Tensor], prefix: str, *__: Any) -> None:
    for key in [key for key in state if key.startswith(prefix)]:
        state[prefix + stored_name(key.removeprefix(prefix))] = state.pop(key)


def _rename_loaded(layer: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    names = [name for name, _ in (*layer.named_parameters(), *layer.named_buffers())]
    for name in names:
        stored = prefix + stored_name(name)
        if stored in state and prefix + name not in state:
            state[prefix + name] = state.pop(stored)
