"""From tokens to one feature per clip or per time step."""

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.models.aggregators.frame_attention import FrameAttentionAggregator
from hicmae_mm.models.aggregators.frames import FrameTokens
from hicmae_mm.models.aggregators.hierarchical import HierarchicalFeatureAggregator, MeanPoolAggregator
from hicmae_mm.models.aggregators.regions import RegionPoolAggregator
from hicmae_mm.models.aggregators.temporal import TemporalTransformerAggregator
from hicmae_mm.models.aggregators.vectors import ContextAggregator, StreamAttentionAggregator, StreamMLPAggregator

__all__ = [
    'BaseAggregator',
    'ContextAggregator',
    'FrameAttentionAggregator',
    'FrameTokens',
    'HierarchicalFeatureAggregator',
    'MeanPoolAggregator',
    'RegionPoolAggregator',
    'StreamAttentionAggregator',
    'StreamMLPAggregator',
    'TemporalTransformerAggregator',
]
