"""Registered metrics."""

from hicmae_mm.evaluation.metrics.classification import ClassificationMetric
from hicmae_mm.evaluation.metrics.regression import RegressionMetric

__all__ = ['ClassificationMetric', 'RegressionMetric']
