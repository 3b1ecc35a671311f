"""Fusion of streams."""

from hicmae_mm.models.fusion.base import BaseFusion
from hicmae_mm.models.fusion.concat import ConcatFusion
from hicmae_mm.models.fusion.conversation import ConversationFusion
from hicmae_mm.models.fusion.cross_modal import CrossModalFusion
from hicmae_mm.models.fusion.emt import EMTFusion
from hicmae_mm.models.fusion.iterative_correlation import IterativeCorrelationFusion

__all__ = [
    'BaseFusion',
    'ConcatFusion',
    'ConversationFusion',
    'CrossModalFusion',
    'EMTFusion',
    'IterativeCorrelationFusion',
]
