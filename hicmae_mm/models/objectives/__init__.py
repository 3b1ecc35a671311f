"""Objectives: losses that look at a whole pass of a model."""

from hicmae_mm.models.objectives.base import BaseObjective, Pass
from hicmae_mm.models.objectives.contrast import HierarchicalContrast

__all__ = ['BaseObjective', 'HierarchicalContrast', 'Pass']
