"""Building components into slots, and their initial weights."""

from __future__ import annotations

import inspect
from typing import Any

from torch import nn

from hicmae_mm.registry import MODELS


def build_slot(component: dict[str, Any] | nn.Module, slot: str, **facts: Any) -> Any:
    """Builds the component of a slot, or takes a built one.

    Args:
        component: Config dict with ``type``, or a module.
        slot: Named in errors.
        **facts: What the model knows and the config need not repeat (widths, grids, streams). Only those that the
            component's constructor names are passed, and values in the config win.

    Raises:
        TypeError: If it is neither a config dict nor a module, or the component does not have an option.
    """
    if isinstance(component, nn.Module):
        return component
    if not isinstance(component, dict) or 'type' not in component:
        raise TypeError(f'{slot}: expected a config dict with "type" or a module, got {component!r}')
    kind = component['type']
    cls = MODELS.get(kind) if isinstance(kind, str) else kind
    if cls is None:
        raise TypeError(f'{slot}: {kind!r} is not a registered model component; is its module in custom_imports?')
    accepted = inspect.signature(cls).parameters
    return MODELS.build(component, default_args={key: value for key, value in facts.items() if key in accepted})


def init_transformer(module: nn.Module) -> None:
    """Sets initial weights of transformer layers: Xavier-uniform linear weights, zero biases, unit norms."""
    if isinstance(module, nn.Linear):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.LayerNorm):
        nn.init.ones_(module.weight)
        nn.init.zeros_(module.bias)
