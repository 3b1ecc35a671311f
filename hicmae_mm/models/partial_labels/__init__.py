"""Candidate labels that are refined during training: targets, prototypes, and correction of the candidates."""

from hicmae_mm.models.partial_labels.correction import (
    CorrectionRule,
    automatic_ratio,
    correct_candidates,
    margin_at,
    start_epoch,
)
from hicmae_mm.models.partial_labels.prototypes import PrototypeQueue
from hicmae_mm.models.partial_labels.targets import (
    adjusted_target,
    importance_of_others,
    margin_ratio,
    target_momentum,
    uniform_target,
    update_target,
)

__all__ = [
    'CorrectionRule',
    'PrototypeQueue',
    'adjusted_target',
    'automatic_ratio',
    'correct_candidates',
    'importance_of_others',
    'margin_at',
    'margin_ratio',
    'start_epoch',
    'target_momentum',
    'uniform_target',
    'update_target',
]
