"""LoRA: a trained product of two thin matrices beside the weight of a layer (Hu et al., 2022), by ``peft``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from torch import nn

from hicmae_mm.models.adapters.base import BaseAdapter
from hicmae_mm.registry import MODELS


@MODELS.register_module()
class LoRA(BaseAdapter):
    """Adds ``alpha / r * B A x`` to the output of layers. B starts at 0, so the model first computes what it did.

    Args:
        target: Name of a part of the model, such as ``'encoders.video'``; the part itself is no longer trained.
        modules: Regular expression of the layers, which matches the end of their names in the target.
        r: Rank: rows of A and columns of B.
        alpha: Scale of the product, times r.
        dropout: Probability of dropping an element of the product's input.

    Raises:
        ValueError: If ``r`` is below 1, ``alpha`` is not above 0, or ``dropout`` is outside of [0, 1).

    Example:
        >>> from torch import nn
        >>> from hicmae_mm.models.adapters import LoRA
        >>> model = nn.Sequential(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))
        >>> LoRA(target='0', modules='0', r=2).add_to(model)
        >>> sorted(model.state_dict())
        ['0.0.bias', '0.0.lora_A.weight', '0.0.lora_B.weight', '0.0.weight']
    """

    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Embedding)
    can_merge = True

    def __init__(self, target: str, modules: str, r: int = 8, alpha: float = 32, dropout: float = 0.0) -> None:
        super().__init__(target, modules)
        if r < 1:
            raise ValueError(f'LoRA: r={r} must be at least 1')
        if alpha <= 0:
            raise ValueError(f'LoRA: alpha={alpha} must be above 0')
        if not 0 <= dropout < 1:
            raise ValueError(f'LoRA: dropout={dropout} is outside of [0, 1)')
        self.r, self.alpha, self.dropout = r, alpha, dropout

    def adapt(self, part: nn.Module, names: Sequence[str]) -> None:
        """See :meth:`BaseAdapter.adapt`.

        Raises:
            ImportError: If ``peft`` is not installed.
            ValueError: If a layer is a dilated convolution, whose dilation peft leaves out.
        """
        try:
            from peft import LoraConfig, inject_adapter_in_model  # importing it takes seconds
        except ModuleNotFoundError as error:
            if (error.name or '').partition('.')[0] != 'peft':
                raise
            raise ImportError("LoRA needs peft, which is not installed: pip install 'hicmae_mm[hf]'") from error
        _check_can_be_adapted(part, names)
        config = LoraConfig(
            r=self.r,
            lora_alpha=self.alpha,  # type: ignore[arg-type] # peft only divides it by r
            lora_dropout=self.dropout,
            target_modules='|'.join(map(re.escape, names)),
        )
        inject_adapter_in_model(config, part)
        for name in names:
            layer: Any = part.get_submodule(name)
            layer.cast_input_dtype_enabled = False  # mixed precision is autocast's affair, and a copy costs memory


def _check_can_be_adapted(part: nn.Module, names: Sequence[str]) -> None:
    for name in names:
        dilation = getattr(part.get_submodule(name), 'dilation', 1)
        if set(dilation if isinstance(dilation, tuple) else (dilation,)) != {1}:
            raise ValueError(
                f'LoRA: {name} is a convolution with dilation {dilation}, which peft cannot adapt; name other modules'
            )
