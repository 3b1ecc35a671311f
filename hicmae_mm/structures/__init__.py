"""Data elements that travel between data sets, models and metrics."""

from hicmae_mm.structures.emotion_data_sample import EmotionDataSample
from hicmae_mm.structures.masks import decoder_mask_name
from hicmae_mm.structures.padded import Inputs, Padded, Stream
from hicmae_mm.structures.skipped_sample import SkippedSample

__all__ = ['EmotionDataSample', 'Inputs', 'Padded', 'SkippedSample', 'Stream', 'decoder_mask_name']
