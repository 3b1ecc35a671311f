"""Losses: pure functions of tensors, weights applied inside."""

from hicmae_mm.models.losses.frames import SequenceCCCLoss
from hicmae_mm.models.losses.info_nce import InfoNCELoss
from hicmae_mm.models.losses.masked_mse import MaskedMSELoss
from hicmae_mm.models.losses.partial_labels import PartialLabelLoss
from hicmae_mm.models.losses.regression import CCCLoss, L1Loss, MSELoss, PCCLoss, RegressionLoss, SmoothL1Loss
from hicmae_mm.models.losses.soft_cross_entropy import SoftCrossEntropyLoss

__all__ = [
    'CCCLoss',
    'InfoNCELoss',
    'L1Loss',
    'MSELoss',
    'MaskedMSELoss',
    'PCCLoss',
    'PartialLabelLoss',
    'RegressionLoss',
    'SequenceCCCLoss',
    'SmoothL1Loss',
    'SoftCrossEntropyLoss',
]
