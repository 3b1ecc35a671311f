"""Measures as pure functions of numpy arrays."""

from hicmae_mm.evaluation.functional.classification import (
    area_under_curve,
    class_recalls,
    classification_measures,
    confusion_matrix,
    f1_scores,
    top_k_accuracy,
    unweighted_average_recall,
    weighted_average_recall,
)
from hicmae_mm.evaluation.functional.mer import mer_score
from hicmae_mm.evaluation.functional.missing import area_over_missing_rates
from hicmae_mm.evaluation.functional.recordings import merge_recordings, recording_of
from hicmae_mm.evaluation.functional.regression import (
    concordance_correlation,
    mean_absolute_error,
    mean_squared_error,
    pearson_correlation,
    regression_measures,
    root_mean_squared_error,
    unit_range_accuracy,
)
from hicmae_mm.evaluation.functional.sentiment import sentiment_measures
from hicmae_mm.evaluation.functional.views import average_class_scores, average_fold_scores, average_values

__all__ = [
    'area_over_missing_rates',
    'area_under_curve',
    'average_class_scores',
    'average_fold_scores',
    'average_values',
    'class_recalls',
    'classification_measures',
    'concordance_correlation',
    'confusion_matrix',
    'f1_scores',
    'mean_absolute_error',
    'mean_squared_error',
    'mer_score',
    'merge_recordings',
    'pearson_correlation',
    'recording_of',
    'regression_measures',
    'root_mean_squared_error',
    'sentiment_measures',
    'top_k_accuracy',
    'unit_range_accuracy',
    'unweighted_average_recall',
    'weighted_average_recall',
]
