"""From tokens to one feature per clip."""

from hicmae_mm.models.aggregators.base import BaseAggregator
from hicmae_mm.models.aggregators.hierarchical import HierarchicalFeatureAggregator, MeanPoolAggregator

__all__ = ['BaseAggregator', 'HierarchicalFeatureAggregator', 'MeanPoolAggregator']
