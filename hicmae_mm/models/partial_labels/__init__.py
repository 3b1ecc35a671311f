"""Candidate labels that are refined during training: targets, prototypes, and correction of the candidates."""

from hicmae_mm.models.partial_labels.contrast import PrototypeContrast
from hicmae_mm.models.partial_labels.correction import (
    CandidateCorrection,
    CorrectionRule,
    automatic_ratio,
    correct_candidates,
    has_stopped_growing,
    margin_at,
    start_epoch,
)
from hicmae_mm.models.partial_labels.prototypes import PrototypeQueue
from hicmae_mm.models.partial_labels.refinement import LabelImportance, TargetRefinement, ViewScores
from hicmae_mm.models.partial_labels.targets import (
    adjusted_target,
    importance_of_others,
    margin_ratio,
    target_momentum,
    uniform_target,
    update_target,
)

__all__ = [
    'CandidateCorrection',
    'CorrectionRule',
    'LabelImportance',
    'PrototypeContrast',
    'PrototypeQueue',
    'TargetRefinement',
    'ViewScores',
    'adjusted_target',
    'automatic_ratio',
    'correct_candidates',
    'has_stopped_growing',
    'importance_of_others',
    'margin_at',
    'margin_ratio',
    'start_epoch',
    'target_momentum',
    'uniform_target',
    'update_target',
]
