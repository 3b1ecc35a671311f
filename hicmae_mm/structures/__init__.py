"""Data elements that travel between data sets, models and metrics."""

from hicmae_mm.structures.emotion_data_sample import EmotionDataSample
from hicmae_mm.structures.masks import decoder_mask_name
from hicmae_mm.structures.padded import Inputs, Padded, Stream
from hicmae_mm.structures.presence import Presence, as_presence
from hicmae_mm.structures.skipped_sample import SkippedSample
from hicmae_mm.structures.token_mask import TokenMask, as_token_mask, refuse_unless

__all__ = [
    'EmotionDataSample',
    'Inputs',
    'Padded',
    'Presence',
    'SkippedSample',
    'Stream',
    'TokenMask',
    'as_presence',
    'as_token_mask',
    'decoder_mask_name',
    'refuse_unless',
]
