"""Encoders of one stream."""

from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput, ForeignEncoder, MaskableEncoder
from hicmae_mm.models.encoders.features import FeatureLSTMEncoder, FeatureMLPEncoder
from hicmae_mm.models.encoders.vit import VisionTransformerEncoder

__all__ = [
    'BaseEncoder',
    'EncoderOutput',
    'FeatureLSTMEncoder',
    'FeatureMLPEncoder',
    'ForeignEncoder',
    'MaskableEncoder',
    'VisionTransformerEncoder',
]
