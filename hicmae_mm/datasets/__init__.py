"""Data sets, samplers and collation. The registry of transforms imports the transforms when it is first used."""

from hicmae_mm.datasets.av_dataset import AudioVisualDataset
from hicmae_mm.datasets.bucketing import LengthBucketBatchSampler
from hicmae_mm.datasets.collate import collate_audio_visual, collate_streams
from hicmae_mm.datasets.conversations import ConversationBatchSampler
from hicmae_mm.datasets.corpora import *  # noqa: F403 (one class per corpus, listed there)
from hicmae_mm.datasets.errors import MediaError
from hicmae_mm.datasets.samplers import ClassBalancedSampler, SampleIndex, SeededSampler
from hicmae_mm.datasets.shards import AudioVisualShards, ShardSampler

__all__ = [
    'AudioVisualDataset',
    'AudioVisualShards',
    'ClassBalancedSampler',
    'ConversationBatchSampler',
    'LengthBucketBatchSampler',
    'MediaError',
    'SampleIndex',
    'SeededSampler',
    'ShardSampler',
    'collate_audio_visual',
    'collate_streams',
]
