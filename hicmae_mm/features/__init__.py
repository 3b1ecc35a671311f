"""Features of clips: extracting them from any model of streams, keeping them, and reading them back."""

from hicmae_mm.features.extraction import ExtractionOptions, FeatureExtraction
from hicmae_mm.features.extractor import FeatureExtractor
from hicmae_mm.features.reading import iterate_features, load_features, read_info

__all__ = [
    'ExtractionOptions',
    'FeatureExtraction',
    'FeatureExtractor',
    'iterate_features',
    'load_features',
    'read_info',
]
