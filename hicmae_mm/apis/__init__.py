"""Apply trained models: recognise emotion in your own clips, and find models by name."""

from hicmae_mm.apis.inferencer import EmotionInferencer
from hicmae_mm.apis.model_zoo import ResolvedModel, list_models, resolve_model

__all__ = ['EmotionInferencer', 'ResolvedModel', 'list_models', 'resolve_model']
