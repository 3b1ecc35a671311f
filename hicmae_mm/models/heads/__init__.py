"""Heads: what is learned from features."""

from hicmae_mm.models.heads.base import BaseHead, LinearHead
from hicmae_mm.models.heads.classification import ClassificationHead
from hicmae_mm.models.heads.compound import CompoundHead
from hicmae_mm.models.heads.contrastive import HierarchicalContrastiveHead
from hicmae_mm.models.heads.multi_label import MultiLabelHead
from hicmae_mm.models.heads.multi_task import MultiTaskHead
from hicmae_mm.models.heads.reconstruction import ReconstructionHead
from hicmae_mm.models.heads.regression import RegressionHead

__all__ = [
    'BaseHead',
    'ClassificationHead',
    'CompoundHead',
    'HierarchicalContrastiveHead',
    'LinearHead',
    'MultiLabelHead',
    'MultiTaskHead',
    'ReconstructionHead',
    'RegressionHead',
]
