"""Registered metrics."""

from hicmae_mm.evaluation.metrics.classification import ClassificationMetric
from hicmae_mm.evaluation.metrics.frames import FrameMetric
from hicmae_mm.evaluation.metrics.mer_multi import MERMultiMetric
from hicmae_mm.evaluation.metrics.open_vocabulary import OpenVocabularyMetric
from hicmae_mm.evaluation.metrics.regression import RegressionMetric

__all__ = ['ClassificationMetric', 'FrameMetric', 'MERMultiMetric', 'OpenVocabularyMetric', 'RegressionMetric']
