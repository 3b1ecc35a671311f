"""Plain layers: what encoders, fusion blocks and decoders are built of."""

from hicmae_mm.models.layers.attention import Attention, CrossAttention, SelfAttention
from hicmae_mm.models.layers.blocks import Block, CrossBlock, DropPath
from hicmae_mm.models.layers.experts import ExpertBlock, ExpertMixture, NoisyTopKRouter
from hicmae_mm.models.layers.gated_layer import GatedCrossLayer
from hicmae_mm.models.layers.linear_stack import LinearStack
from hicmae_mm.models.layers.mlp import GatedMlp, Mlp
from hicmae_mm.models.layers.patch_embed import ImageEmbed, PatchEmbed, SpectrogramEmbed, TubeletEmbed
from hicmae_mm.models.layers.pos_embed import sine_positions
from hicmae_mm.models.layers.presence import Presence, as_presence
from hicmae_mm.models.layers.recompute import is_recomputed, run_block
from hicmae_mm.models.layers.region_block import RegionBlock
from hicmae_mm.models.layers.token_ops import TokenMask, as_token_mask, gather_tokens, mean_tokens, scatter_tokens

__all__ = [
    'Attention',
    'Block',
    'CrossAttention',
    'CrossBlock',
    'DropPath',
    'ExpertBlock',
    'ExpertMixture',
    'GatedCrossLayer',
    'GatedMlp',
    'ImageEmbed',
    'LinearStack',
    'Mlp',
    'NoisyTopKRouter',
    'PatchEmbed',
    'Presence',
    'RegionBlock',
    'SelfAttention',
    'SpectrogramEmbed',
    'TokenMask',
    'TubeletEmbed',
    'as_presence',
    'as_token_mask',
    'gather_tokens',
    'is_recomputed',
    'mean_tokens',
    'run_block',
    'scatter_tokens',
    'sine_positions',
]
