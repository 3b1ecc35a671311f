"""Encoders of one stream."""

from hicmae_mm.models.encoders.base import BaseEncoder, EncoderOutput, ForeignEncoder, MaskableEncoder
from hicmae_mm.models.encoders.emotion2vec import Emotion2VecEncoder
from hicmae_mm.models.encoders.expert_vit import ExpertViTEncoder
from hicmae_mm.models.encoders.feature_sequences import FeatureTCNEncoder, FeatureTransformerEncoder
from hicmae_mm.models.encoders.features import FeatureLSTMEncoder, FeatureMLPEncoder
from hicmae_mm.models.encoders.from_mmaction import MMActionEncoder
from hicmae_mm.models.encoders.from_timm import TimmEncoder
from hicmae_mm.models.encoders.from_torchaudio import TorchaudioEncoder
from hicmae_mm.models.encoders.from_transformers import TransformersEncoder
from hicmae_mm.models.encoders.lgi_former import LGIFormerEncoder
from hicmae_mm.models.encoders.patches import PatchEncoder
from hicmae_mm.models.encoders.prompted_vit import PromptedViTEncoder
from hicmae_mm.models.encoders.token_ids import TokenIdEncoder
from hicmae_mm.models.encoders.tpsbt import TPSBTEncoder
from hicmae_mm.models.encoders.vit import VisionTransformerEncoder

__all__ = [
    'BaseEncoder',
    'Emotion2VecEncoder',
    'EncoderOutput',
    'ExpertViTEncoder',
    'FeatureLSTMEncoder',
    'FeatureMLPEncoder',
    'FeatureTCNEncoder',
    'FeatureTransformerEncoder',
    'ForeignEncoder',
    'LGIFormerEncoder',
    'MMActionEncoder',
    'MaskableEncoder',
    'PatchEncoder',
    'PromptedViTEncoder',
    'TPSBTEncoder',
    'TimmEncoder',
    'TokenIdEncoder',
    'TorchaudioEncoder',
    'TransformersEncoder',
    'VisionTransformerEncoder',
]
