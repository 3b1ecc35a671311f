"""Clips packed into WebDataset tar shards: the data set that reads them, its sampler, and what packs them."""

from hicmae_mm.datasets.shards.dataset import AudioVisualShards
from hicmae_mm.datasets.shards.sampler import ShardSampler

__all__ = ['AudioVisualShards', 'ShardSampler']
