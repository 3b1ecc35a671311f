"""What the rest of the engine asks of a model that may be wrapped."""

from __future__ import annotations

from mmengine.model import is_model_wrapper
from torch import nn


def unwrapped(model: nn.Module) -> nn.Module:
    """The model itself, without the wrapper that spreads it over processes."""
    module = model.module if is_model_wrapper(model) else model
    assert isinstance(module, nn.Module)
    return module
