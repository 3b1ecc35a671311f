"""Checks whether a state dict can be the weights of a model at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

# what trains; a model's counters and index tables are integers by right
_TRAINED = re.compile(r'(weight|weights|bias|token|gamma)$')


def check_weights(state: Mapping[Any, Any], source: str) -> None:
    """Refuses what cannot be weights, and weights that are ruined.

    Args:
        state: Tensors by parameter name.
        source: Name of the file in errors.

    Raises:
        ValueError: If there are no entries, a name is no text, or there are values that are no tensors, integers in
            place of weights; NaN or infinite weights. The message names the first of them.
    """
    if not state:
        raise ValueError(f'{source!r} holds no weights: its state dict is empty')
    for name, value in state.items():
        if not isinstance(name, str):
            raise ValueError(
                f'{source!r} is not a checkpoint: a {type(name).__name__} in place of the name of a weight'
            )
        if not isinstance(value, Tensor):
            raise ValueError(f'{source!r} is not a checkpoint: {name[:100]} is a {type(value).__name__}, no tensor')
        if value.layout is not torch.strided or value.is_quantized:
            raise ValueError(f'{source!r} cannot be used: {name[:100]} is sparse or quantised')
        if value.is_floating_point() or value.is_complex():
            if not _is_finite(value):
                raise ValueError(
                    f'{source!r} is ruined: {name[:100]} holds NaN or infinite numbers. Take an earlier checkpoint '
                    'of the training'
                )
        elif _TRAINED.search(name):
            raise ValueError(
                f'{source!r} cannot be used: {name[:100]} holds {str(value.dtype).removeprefix("torch.")} numbers, '
                'weights are fractions; save the model before it is quantised'
            )


def _is_finite(value: Tensor) -> bool:
    # types of eight bits have no isfinite of their own
    plain = value.float() if value.element_size() == 1 else value
    return bool(torch.isfinite(plain).all())
