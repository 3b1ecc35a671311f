"""Training hooks."""

from hicmae_mm.engine.hooks.accumulated_gradient import AccumulatedGradientHook
from hicmae_mm.engine.hooks.checkpoint import CheckpointHook
from hicmae_mm.engine.hooks.compile import CompileHook
from hicmae_mm.engine.hooks.ema import EMAHook
from hicmae_mm.engine.hooks.iteration_seed import IterationSeedHook
from hicmae_mm.engine.hooks.non_finite_loss import NonFiniteLossHook
from hicmae_mm.engine.hooks.prediction_visualization import PredictionVisualizationHook
from hicmae_mm.engine.hooks.reconstruction import ReconstructionHook
from hicmae_mm.engine.hooks.runtime_info import DeferredRuntimeInfoHook
from hicmae_mm.engine.hooks.save_features import SaveFeaturesHook
from hicmae_mm.engine.hooks.skipped_samples import SkippedSamplesHook
from hicmae_mm.engine.hooks.thread_competition import ThreadCompetitionHook
from hicmae_mm.engine.hooks.validation_pictures import ConfusionMatrixHook, WorstClipsHook

__all__ = [
    'AccumulatedGradientHook',
    'CheckpointHook',
    'CompileHook',
    'ConfusionMatrixHook',
    'DeferredRuntimeInfoHook',
    'EMAHook',
    'IterationSeedHook',
    'NonFiniteLossHook',
    'PredictionVisualizationHook',
    'ReconstructionHook',
    'SaveFeaturesHook',
    'SkippedSamplesHook',
    'ThreadCompetitionHook',
    'WorstClipsHook',
]
