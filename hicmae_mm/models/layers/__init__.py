"""Plain layers: what encoders, fusion blocks and decoders are built of."""

from typing import Any

from hicmae_mm.models.layers.attention import Attention, CrossAttention, SelfAttention
from hicmae_mm.models.layers.blocks import Block, CrossBlock, DropPath
from hicmae_mm.models.layers.mlp import LinearStack, Mlp
from hicmae_mm.models.layers.patch_embed import ImageEmbed, PatchEmbed, SpectrogramEmbed, TubeletEmbed
from hicmae_mm.models.layers.pos_embed import sine_positions
from hicmae_mm.models.layers.recompute import is_recomputed, run_block
from hicmae_mm.models.layers.token_ops import gather_tokens, mean_tokens, scatter_tokens
from hicmae_mm.moved import moved_name

__all__ = [
    'Attention',
    'Block',
    'CrossAttention',
    'CrossBlock',
    'DropPath',
    'ImageEmbed',
    'LinearStack',
    'Mlp',
    'PatchEmbed',
    'SelfAttention',
    'SpectrogramEmbed',
    'TubeletEmbed',
    'gather_tokens',
    'is_recomputed',
    'mean_tokens',
    'run_block',
    'scatter_tokens',
    'sine_positions',
]


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name)
