"""Encoders of one stream."""

from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput, ForeignEncoder, MaskableEncoder
from hicmae_mm.models.encoders.vit import VisionTransformerEncoder

__all__ = ['BaseEncoder', 'EncoderOutput', 'ForeignEncoder', 'MaskableEncoder', 'VisionTransformerEncoder']
