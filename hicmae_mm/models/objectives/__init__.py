"""Objectives: losses that look at a whole pass of a model."""

from hicmae_mm.models.objectives.alignment import FeatureAlignment
from hicmae_mm.models.objectives.base import BaseObjective, Pass
from hicmae_mm.models.objectives.contrast import HierarchicalContrast
from hicmae_mm.models.objectives.experts import ExpertBalance
from hicmae_mm.models.objectives.restoration import FeatureRestoration

__all__ = ['BaseObjective', 'ExpertBalance', 'FeatureAlignment', 'FeatureRestoration', 'HierarchicalContrast', 'Pass']
