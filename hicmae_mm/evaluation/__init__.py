"""Evaluation: pure functions in ``functional``, registered metrics in ``metrics``."""

from hicmae_mm.evaluation.dump import DumpPredictions
from hicmae_mm.evaluation.metrics import (
    ClassificationMetric,
    FrameMetric,
    MERMultiMetric,
    OpenVocabularyMetric,
    RegressionMetric,
)

__all__ = [
    'ClassificationMetric',
    'DumpPredictions',
    'FrameMetric',
    'MERMultiMetric',
    'OpenVocabularyMetric',
    'RegressionMetric',
]
