"""Hooks that draw pictures during a run."""

from hicmae_mm.visualization.hooks.prediction_visualization import PredictionVisualizationHook
from hicmae_mm.visualization.hooks.reconstruction import ReconstructionHook
from hicmae_mm.visualization.hooks.validation_pictures import ConfusionMatrixHook, WorstClipsHook

__all__ = ['ConfusionMatrixHook', 'PredictionVisualizationHook', 'ReconstructionHook', 'WorstClipsHook']
