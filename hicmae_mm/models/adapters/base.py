"""Defines the contract of an adapter: small trained parts beside layers whose own weights stay as they are."""

from __future__ import annotations

import re
from abc import ABCMeta, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from torch import nn

from hicmae_mm.models.adapters.names import adapted_layers, hide_base_layer, is_adapted
from hicmae_mm.models.building import build_slot

# they use the weights of their layers without calling the layers, so an adapter would have no effect
_READ_BY_PARENT = (nn.MultiheadAttention, nn.TransformerEncoderLayer)


class BaseAdapter(metaclass=ABCMeta):
    """This is the base class of adapters. An adapter is a recipe; it is no module itself.

    The part ``target`` of the model is not trained, except for what adapters add to it. It stays in evaluation mode,
    and the added modules follow the mode of the model.

    Args:
        target: Name of a part of the model, such as ``'encoders.video'``.
        modules: Regular expression of the layers in the target that are adapted. It must match the end of their names:
            ``r'attn\\.(qkv|proj)'`` matches ``blocks.0.attn.qkv``.

    Attributes:
        kinds: Classes of layers that it can adapt.
        can_merge: Whether :func:`merge_adapters` makes plain layers of its layers.
    """

    kinds: ClassVar[tuple[type[nn.Module], ...]] = (nn.Linear,)
    can_merge: ClassVar[bool] = False

    def __init__(self, target: str, modules: str) -> None:
        self.target, self.modules = target, modules
        try:
            self._pattern = re.compile(rf'(?:.*\.)?(?:{modules})')
        except re.error as error:
            raise ValueError(f'modules={modules!r} is not a regular expression: {error}') from error

    def find_target(self, model: nn.Module) -> nn.Module:
        """Returns the part of a model that is adapted; raises ValueError if there is none."""
        part: nn.Module | None = dict(model.named_modules()).get(self.target)
        if part is None or not self.target:
            known = [key for key, _ in model.named_children() if key != 'data_preprocessor']
            raise ValueError(
                f'{type(self).__name__} names the target {self.target!r}, which the model lacks; it has {known} and '
                'what is below them'
            )
        return part

    def find_layers(self, part: nn.Module) -> list[str]:
        """Returns the names of the layers in a part that the pattern matches.

        Raises:
            ValueError: If it matches nothing that can be adapted, or a layer that has an adapter already.
        """
        adapted = [name for name, _ in adapted_layers(part)]
        inside = tuple(f'{name}.' for name in adapted)
        parents = dict(part.named_modules())
        layers = [
            name
            for name, module in parents.items()
            if name
            and type(module) in self.kinds  # a subclass may compute something else
            and getattr(module, 'groups', 1) == 1  # a product for grouped convolutions cannot be merged
            and not name.startswith(inside)
            and not isinstance(parents[name.rpartition('.')[0]], _READ_BY_PARENT)
        ]
        again = [name for name in adapted if self._pattern.fullmatch(name)]
        if again:
            raise ValueError(f'modules={self.modules!r} matches {again[0]!r} of {self.target!r}, which has an adapter')
        found = [name for name in layers if self._pattern.fullmatch(name)]
        if not found:
            candidates = sorted({re.sub(r'\d+(?=\.|$)', 'N', name) for name in layers})
            raise ValueError(
                f'modules={self.modules!r} matches no layer of {self.target!r} that {type(self).__name__} can adapt; '
                f'candidates are {", ".join(candidates) or "none: it has no such layers"}'
            )
        return found

    def add_to(self, model: nn.Module) -> None:
        """Puts adapted layers in the place of the layers of a model."""
        part = self.find_target(model)
        names = self.find_layers(part)
        self.adapt(part, names)
        for name in names:
            hide_base_layer(part.get_submodule(name))

    @abstractmethod
    def adapt(self, part: nn.Module, names: Sequence[str]) -> None:
        """Replaces the named layers of a part. Each replacement keeps the layer as its child ``base_layer``."""


class AdaptedLayer(nn.Module, metaclass=ABCMeta):
    """This is the base class of this package's own replacements of layers.

    Args:
        base_layer: The layer that is adapted.
    """

    def __init__(self, base_layer: nn.Module) -> None:
        super().__init__()
        self.base_layer = base_layer

    @abstractmethod
    def reset_adapter(self) -> None:
        """Sets the initial weights of the adapter, with which the layer computes what it computes without."""


def build_adapters(adapters: Sequence[dict[str, Any] | BaseAdapter]) -> list[BaseAdapter]:
    """Builds the adapters of a config.

    Raises:
        TypeError: If one of them is neither a config nor an adapter.
    """
    built = []
    for index, adapter in enumerate(adapters):
        made = adapter if isinstance(adapter, BaseAdapter) else build_slot(adapter, f'adapters.{index}')
        if not isinstance(made, BaseAdapter):
            raise TypeError(
                f"adapters.{index} is a {type(made).__name__}, expected an adapter such as dict(type='LoRA')"
            )
        built.append(made)
    return built


def add_adapters(model: nn.Module, adapters: Sequence[BaseAdapter]) -> None:
    """Adds adapters to a model, and freezes what is below them.

    Raises:
        ValueError: If a target or its layers do not exist.
    """
    for adapter in adapters:
        adapter.find_target(model).requires_grad_(False)
    for adapter in adapters:
        adapter.add_to(model)
    for part in _added_parts(model):
        part.requires_grad_(True)


def set_adapter_mode(model: nn.Module, adapters: Sequence[BaseAdapter], mode: bool) -> None:
    """Puts the targets of adapters into evaluation mode, and what was added to them into a mode."""
    for adapter in adapters:
        adapter.find_target(model).eval()
    if adapters:
        for part in _added_parts(model):
            part.train(mode)


def _added_parts(model: nn.Module) -> list[nn.Module]:
    layers = [layer for _, layer in adapted_layers(model)]
    return [child for layer in layers for name, child in layer.named_children() if name != 'base_layer']


def reset_adapters(model: nn.Module) -> None:
    """Sets the initial weights of all adapters of a model, with which they change nothing."""
    for _, layer in adapted_layers(model):
        if isinstance(layer, AdaptedLayer):
            layer.reset_adapter()
        else:
            layer.reset_lora_parameters('default', True)  # type: ignore[operator] # a layer of peft


def merge_adapters(model: nn.Module) -> list[str]:
    """Adds the products of LoRA to the weights of their layers, and puts the plain layers back.

    The model then computes the same up to rounding, with the parameters and the speed of a model without LoRA. Adapters
    that are no product, such as bottlenecks, stay.

    Args:
        model: The model, which is changed in place.

    Returns:
        Names of the layers that are plain again.

    Raises:
        ValueError: If a merged weight is not finite.
    """
    merged = []
    for name, layer in list(adapted_layers(model)):
        if isinstance(layer, AdaptedLayer):
            continue
        layer.merge(safe_merge=True)  # type: ignore[operator] # a layer of peft
        parent, _, child = name.rpartition('.')
        setattr(model.get_submodule(parent), child, layer.base_layer)
        merged.append(name)
    return merged


def has_adapters(model: nn.Module) -> bool:
    """Tells whether any layer of a model carries an adapter."""
    return any(is_adapted(module) for module in model.modules())
