"""Models and their components."""

from hicmae_mm.models import aggregators, decoders, encoders, fusion, heads, layers, losses, targets
from hicmae_mm.models.base import AudioVisualModel
from hicmae_mm.models.pretrainer import AudioVisualPretrainer
from hicmae_mm.models.recognizer import AudioVisualRecognizer

__all__ = [
    'AudioVisualModel',
    'AudioVisualPretrainer',
    'AudioVisualRecognizer',
    'aggregators',
    'decoders',
    'encoders',
    'fusion',
    'heads',
    'layers',
    'losses',
    'targets',
]
