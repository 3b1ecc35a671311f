"""Apply trained models: recognise emotion in your own clips, encode them, and find models by name."""

from hicmae_mm.apis.encoded import EncoderFeatures
from hicmae_mm.apis.encoders import LoadedEncoder, load_encoder
from hicmae_mm.apis.inferencer import EmotionInferencer
from hicmae_mm.apis.model_zoo import ResolvedModel, list_models, resolve_model
from hicmae_mm.apis.recognizers import LoadedRecognizer, Recognition, load_recognizer

__all__ = [
    'EmotionInferencer',
    'EncoderFeatures',
    'LoadedEncoder',
    'LoadedRecognizer',
    'Recognition',
    'ResolvedModel',
    'list_models',
    'load_encoder',
    'load_recognizer',
    'resolve_model',
]
