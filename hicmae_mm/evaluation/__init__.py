"""Evaluation: pure functions in ``functional``, registered metrics in ``metrics``."""

from hicmae_mm.evaluation.metrics import ClassificationMetric, DumpPredictions, MERMultiMetric, RegressionMetric

__all__ = ['ClassificationMetric', 'DumpPredictions', 'MERMultiMetric', 'RegressionMetric']
