"""Adapters: small trained parts in a model whose other weights stay as they are."""

from hicmae_mm.models.adapters.base import (
    BaseAdapter,
    add_adapters,
    build_adapters,
    has_adapters,
    merge_adapters,
    reset_adapters,
    set_adapter_mode,
)
from hicmae_mm.models.adapters.bottleneck import BottleneckAdapter
from hicmae_mm.models.adapters.lora import LoRA
from hicmae_mm.models.adapters.names import adapted_layers, is_adapter_weight, layer_weight_name, stored_name

__all__ = [
    'BaseAdapter',
    'BottleneckAdapter',
    'LoRA',
    'adapted_layers',
    'add_adapters',
    'build_adapters',
    'has_adapters',
    'is_adapter_weight',
    'layer_weight_name',
    'merge_adapters',
    'reset_adapters',
    'set_adapter_mode',
    'stored_name',
]
