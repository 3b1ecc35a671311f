"""Features of clips: extracting them from any model of streams, keeping them, and reading them back."""

from hicmae_mm.datasets.stored_features import iterate_features, load_features, read_info
from hicmae_mm.features.extraction import ExtractionOptions, FeatureExtraction
from hicmae_mm.features.extractor import FeatureExtractor

__all__ = [
    'ExtractionOptions',
    'FeatureExtraction',
    'FeatureExtractor',
    'iterate_features',
    'load_features',
    'read_info',
]
