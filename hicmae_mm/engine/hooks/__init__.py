"""Hooks for training. Hooks that draw are in ``visualization``; the hook that saves features is in ``features``."""

from typing import Any

from hicmae_mm.engine.hooks.accumulated_gradient import AccumulatedGradientHook
from hicmae_mm.engine.hooks.checkpoint import CheckpointHook
from hicmae_mm.engine.hooks.compile import CompileHook
from hicmae_mm.engine.hooks.ema import EMAHook
from hicmae_mm.engine.hooks.iteration_seed import IterationSeedHook
from hicmae_mm.engine.hooks.model_epoch import ModelEpochHook
from hicmae_mm.engine.hooks.non_finite_loss import NonFiniteLossHook
from hicmae_mm.engine.hooks.objective_weight import ObjectiveWeightHook
from hicmae_mm.engine.hooks.runtime_info import DeferredRuntimeInfoHook
from hicmae_mm.engine.hooks.sample_memory import SampleMemoryHook
from hicmae_mm.engine.hooks.skipped_samples import SkippedSamplesHook
from hicmae_mm.engine.hooks.thread_competition import ThreadCompetitionHook
from hicmae_mm.moved import moved_name

__all__ = [
    'AccumulatedGradientHook',
    'CheckpointHook',
    'CompileHook',
    'DeferredRuntimeInfoHook',
    'EMAHook',
    'IterationSeedHook',
    'ModelEpochHook',
    'NonFiniteLossHook',
    'ObjectiveWeightHook',
    'SampleMemoryHook',
    'SkippedSamplesHook',
    'ThreadCompetitionHook',
]


def __getattr__(name: str) -> Any:
    return moved_name(__name__, name)
