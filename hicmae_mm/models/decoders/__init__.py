"""Decoders of pre-training."""

from hicmae_mm.models.decoders.base import BaseDecoder
from hicmae_mm.models.decoders.hierarchical import HierarchicalDecoder
from hicmae_mm.models.decoders.plain import PlainDecoder

__all__ = ['BaseDecoder', 'HierarchicalDecoder', 'PlainDecoder']
