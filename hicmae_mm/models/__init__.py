"""Models and their components."""

from hicmae_mm.models import aggregators, decoders, encoders, fusion, heads, layers, losses, targets
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.batch_augment import MixupCutmix
from hicmae_mm.models.conversation import ConversationRecognizer
from hicmae_mm.models.data_preprocessor import AudioVisualDataPreprocessor
from hicmae_mm.models.exchange import ExchangeRecognizer
from hicmae_mm.models.partial_label_recognizer import PartialLabelRecognizer
from hicmae_mm.models.pretrainer import AudioVisualPretrainer
from hicmae_mm.models.recognizer import AudioVisualRecognizer
from hicmae_mm.models.sample_memory import SampleMemory

__all__ = [
    'AudioVisualDataPreprocessor',
    'AudioVisualModel',
    'AudioVisualPretrainer',
    'AudioVisualRecognizer',
    'ConversationRecognizer',
    'ExchangeRecognizer',
    'MixupCutmix',
    'PartialLabelRecognizer',
    'SampleMemory',
    'aggregators',
    'decoders',
    'encoders',
    'fusion',
    'heads',
    'layers',
    'losses',
    'targets',
]
