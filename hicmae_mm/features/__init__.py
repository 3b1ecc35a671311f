"""Extract features of clips from any model of this package, store them, and read them."""

from hicmae_mm.datasets.stored_features import iterate_features, load_features, read_info
from hicmae_mm.features.cache_hook import EncoderCacheHook
from hicmae_mm.features.encoder_cache import CacheOptions, EncoderCache
from hicmae_mm.features.extraction import FeatureExtraction
from hicmae_mm.features.extractor import FeatureExtractor
from hicmae_mm.features.options import ExtractionOptions

__all__ = [
    'CacheOptions',
    'EncoderCache',
    'EncoderCacheHook',
    'ExtractionOptions',
    'FeatureExtraction',
    'FeatureExtractor',
    'iterate_features',
    'load_features',
    'read_info',
]
